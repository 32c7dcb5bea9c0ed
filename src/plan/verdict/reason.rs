//! Pure: the reasons of conditions and events, and their words.

/// The reasons of conditions and events, a closed list. Of each, what it means and what there is to do: these
/// sentences are the ones that the documentation shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The AWS user exists, matches the spec and is `active`.
    ///
    /// Nothing.
    Active,
    /// CreateUser is about to be sent, or AWS is creating the user.
    ///
    /// Nothing: it takes seconds.
    Creating,
    /// A change was sent, and AWS applies it; the user stays usable meanwhile.
    ///
    /// Nothing: it takes from seconds to some minutes.
    Modifying,
    /// `spec.suspend` is true: AWS is not called for this object, not even for its deletion.
    ///
    /// Set `spec.suspend` to false to go on.
    Suspended,
    /// `managementPolicy` is `Observe`, and the AWS user is as the spec says.
    ///
    /// Nothing; set `managementPolicy` to `Manage` to manage the user.
    Observed,
    /// `managementPolicy` is `Observe`, and the AWS user is not as the spec says; the message lists what would be
    /// changed.
    ///
    /// Edit the spec until it matches, or set `managementPolicy` to `Manage` to make the user match.
    Differs,
    /// `managementPolicy` is `Observe`, and AWS has no user of this ID in the operator's account and region.
    ///
    /// Check `userID`, account and region; with `managementPolicy: Manage` the user is created.
    UserMissing,
    /// AWS is not done with something: the user is not `active`, or its tags or the outcome of a call do not show yet.
    ///
    /// Nothing; the message names the state. It goes on by itself.
    WaitingForUserActive,
    /// AWS is still deleting an earlier user of this ID; the new one is created once that is gone.
    ///
    /// Nothing.
    WaitingForPreviousUser,
    /// A Secret that the spec names is not there, or the API server did not answer when it was read.
    ///
    /// Create the Secret in the object's namespace, or correct its name in the spec.
    SecretNotFound,
    /// A Secret that the spec names has no such key.
    ///
    /// Add the key to the Secret, or correct its name in the spec.
    SecretKeyNotFound,
    /// The operator may not read a Secret that the spec names.
    ///
    /// Give its ServiceAccount the verb `get` on Secrets of this namespace.
    SecretForbidden,
    /// AWS answers that too many calls are made; the operator slows down by itself.
    ///
    /// Nothing, unless it lasts: then something else in the account makes the calls, or `--aws-rate` is too high.
    Throttled,
    /// AWS did not answer, or answered with an error of its own.
    ///
    /// Nothing, unless it lasts: then look at the network, the endpoint and the AWS Health Dashboard.
    AWSUnavailable,
    /// The operator's AWS credentials do not work.
    ///
    /// Check its role, the trust policy, the ServiceAccount's annotation or Pod Identity association, and the node's
    /// clock.
    CredentialsUnavailable,
    /// The operator's AWS role may not make the call that the message names; after 5 minutes that is Stalled.
    ///
    /// Attach a policy that allows the call.
    AccessDenied,
    /// The AWS account lacks ElastiCache's service-linked role.
    ///
    /// Create it once, with the command in the message.
    ServiceLinkedRoleMissing,
    /// AWS refuses the call because of a quota, of users in the account or of tags of the user.
    ///
    /// Delete what is not needed, or ask AWS to raise the quota.
    QuotaExceeded,
    /// AWS refuses the call for another reason; the message has its code and its sentence.
    ///
    /// See the message.
    AWSRefused,
    /// The spec asks for something that AWS or this version of the operator cannot do.
    ///
    /// Change what the message names.
    InvalidSpec,
    /// AWS does not accept `spec.accessString`.
    ///
    /// Change it; the message has AWS's sentence.
    InvalidAccessString,
    /// A password cannot be one: it has 16 to 128 printable characters without `,` `"` `/` `@`, and no newline at its
    /// end.
    ///
    /// Change the value in the Secret; the object need not be touched.
    InvalidPassword,
    /// AWS does not accept this authentication together with this engine.
    ///
    /// Change `spec.authentication` or `spec.engine`.
    AuthenticationConflict,
    /// AWS has a user of this ID that belongs to no object, and `adoptionPolicy` is not `Adopt`; it is left alone.
    ///
    /// Set `adoptionPolicy: Adopt`, or make the object again with another `userID`.
    UserAlreadyExists,
    /// The AWS user belongs to another object, which the message names; it is left alone.
    ///
    /// Make this object again with another `userID`, or delete the other one.
    UserOwnedByAnother,
    /// The operator's `--required-user-id-prefix` does not allow this user ID in this namespace.
    ///
    /// Make the object again with a `userID` that begins as the message says.
    UserIDNotAllowed,
    /// `adoptionPolicy` is `Adopt`, but the operator does not let this namespace adopt.
    ///
    /// Ask the operator's administrator for `--adoption-namespace`, or make the object again with another `userID`.
    AdoptionNotAllowed,
    /// The AWS user is in another account or region than the operator works in; nothing is changed there.
    ///
    /// Give the operator its former account and region; `deletionPolicy: Retain` lets the object go without them.
    WrongAWSAccount,
    /// AWS is deleting the user, or DeleteUser is about to be sent.
    ///
    /// Nothing: it takes from seconds to some minutes.
    DeletingUser,
    /// AWS refused DeleteUser because of the user's state, mostly as another change was quicker.
    ///
    /// Nothing: it is asked again until AWS allows it.
    InvalidUserState,
    /// The user's name is `default` and it is in a user group; AWS does not let go of it.
    ///
    /// Put another user named `default` into the group, or delete the group.
    DefaultUserInGroup,
    /// The annotation `elasticache-users.dev/prevent-deletion` is `"true"`: the deletion is held.
    ///
    /// Remove the annotation to let it go on.
    DeletionProtected,
    /// The object goes and its AWS user stays.
    ///
    /// Nothing; the event has the command that removes the owner tags for a hand-over.
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
