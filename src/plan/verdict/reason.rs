//! Pure: the reasons of conditions and events, and their words.

/// The reasons of conditions and events, a closed list (`api.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is documented where people look for it: docs and `api.md`")]
pub enum Reason {
    Active,
    Creating,
    Modifying,
    Suspended,
    Observed,
    Differs,
    UserMissing,
    WaitingForUserActive,
    WaitingForPreviousUser,
    SecretNotFound,
    SecretKeyNotFound,
    SecretForbidden,
    Throttled,
    AWSUnavailable,
    CredentialsUnavailable,
    AccessDenied,
    ServiceLinkedRoleMissing,
    QuotaExceeded,
    AWSRefused,
    InvalidSpec,
    InvalidAccessString,
    InvalidPassword,
    AuthenticationConflict,
    UserAlreadyExists,
    UserOwnedByAnother,
    UserIDNotAllowed,
    AdoptionNotAllowed,
    WrongAWSAccount,
    DeletingUser,
    InvalidUserState,
    DefaultUserInGroup,
    DeletionProtected,
    Retained,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 33] = [
        Self::Active,
        Self::Creating,
        Self::Modifying,
        Self::Suspended,
        Self::Observed,
        Self::Differs,
        Self::UserMissing,
        Self::WaitingForUserActive,
        Self::WaitingForPreviousUser,
        Self::SecretNotFound,
        Self::SecretKeyNotFound,
        Self::SecretForbidden,
        Self::Throttled,
        Self::AWSUnavailable,
        Self::CredentialsUnavailable,
        Self::AccessDenied,
        Self::ServiceLinkedRoleMissing,
        Self::QuotaExceeded,
        Self::AWSRefused,
        Self::InvalidSpec,
        Self::InvalidAccessString,
        Self::InvalidPassword,
        Self::AuthenticationConflict,
        Self::UserAlreadyExists,
        Self::UserOwnedByAnother,
        Self::UserIDNotAllowed,
        Self::AdoptionNotAllowed,
        Self::WrongAWSAccount,
        Self::DeletingUser,
        Self::InvalidUserState,
        Self::DefaultUserInGroup,
        Self::DeletionProtected,
        Self::Retained,
    ];

    /// The word in the condition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Creating => "Creating",
            Self::Modifying => "Modifying",
            Self::Suspended => "Suspended",
            Self::Observed => "Observed",
            Self::Differs => "Differs",
            Self::UserMissing => "UserMissing",
            Self::WaitingForUserActive => "WaitingForUserActive",
            Self::WaitingForPreviousUser => "WaitingForPreviousUser",
            Self::SecretNotFound => "SecretNotFound",
            Self::SecretKeyNotFound => "SecretKeyNotFound",
            Self::SecretForbidden => "SecretForbidden",
            Self::Throttled => "Throttled",
            Self::AWSUnavailable => "AWSUnavailable",
            Self::CredentialsUnavailable => "CredentialsUnavailable",
            Self::AccessDenied => "AccessDenied",
            Self::ServiceLinkedRoleMissing => "ServiceLinkedRoleMissing",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::AWSRefused => "AWSRefused",
            Self::InvalidSpec => "InvalidSpec",
            Self::InvalidAccessString => "InvalidAccessString",
            Self::InvalidPassword => "InvalidPassword",
            Self::AuthenticationConflict => "AuthenticationConflict",
            Self::UserAlreadyExists => "UserAlreadyExists",
            Self::UserOwnedByAnother => "UserOwnedByAnother",
            Self::UserIDNotAllowed => "UserIDNotAllowed",
            Self::AdoptionNotAllowed => "AdoptionNotAllowed",
            Self::WrongAWSAccount => "WrongAWSAccount",
            Self::DeletingUser => "DeletingUser",
            Self::InvalidUserState => "InvalidUserState",
            Self::DefaultUserInGroup => "DefaultUserInGroup",
            Self::DeletionProtected => "DeletionProtected",
            Self::Retained => "Retained",
        }
    }

    /// Reads a condition's word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// As the reason of `Deleting`: DeleteUser may have been announced, as it is next, or this came of the last one.
    #[must_use]
    pub fn may_follow_a_departure(self) -> bool {
        !matches!(
            self,
            Self::WaitingForUserActive | Self::DeletionProtected | Self::Suspended | Self::WrongAWSAccount
        )
    }

    /// As the reason of a Ready that is False: CreateUser may have been announced, as it is next, or this came of the last
    /// one.
    #[must_use]
    pub fn may_follow_a_creation(self) -> bool {
        matches!(
            self,
            Self::Creating
                | Self::Throttled
                | Self::AWSUnavailable
                | Self::CredentialsUnavailable
                | Self::AccessDenied
                | Self::ServiceLinkedRoleMissing
                | Self::QuotaExceeded
                | Self::AWSRefused
                | Self::InvalidSpec
                | Self::InvalidAccessString
                | Self::InvalidPassword
                | Self::AuthenticationConflict
        )
    }
}
