//! The reasons of conditions and events.

/// The documentation page of reasons is generated from these comments: what the reason means, and what to do.
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
    /// AWS is applying a change. The user remains usable.
    ///
    /// Nothing: it takes from seconds to some minutes.
    Modifying,
    /// `spec.suspend` is true: AWS is not called for this object, not even for its deletion.
    ///
    /// Set `spec.suspend` to false to continue.
    Suspended,
    /// `managementPolicy` is `Observe`, and the AWS user matches the spec.
    ///
    /// Nothing. Set `managementPolicy` to `Manage` to manage the user.
    Observed,
    /// `managementPolicy` is `Observe`, and the AWS user differs from the spec. The message lists what would be
    /// changed.
    ///
    /// Edit the spec until it matches, or set `managementPolicy` to `Manage` to make the user match.
    Differs,
    /// `managementPolicy` is `Observe`, and AWS has no user of this ID in the operator's account and region.
    ///
    /// Check `userID`, account and region. With `managementPolicy: Manage` the operator creates the user.
    UserMissing,
    /// The user is not `active`, or AWS does not show its tags or the outcome of a call yet.
    ///
    /// Nothing. The message names the state, and the operator continues by itself.
    WaitingForUserActive,
    /// A user group that the user has to join or leave is not `active`, or another member has the user's name and may be
    /// about to go, or AWS denied a call for several users, this one among them.
    ///
    /// Nothing. The message names the group, and the operator continues by itself.
    WaitingForUserGroup,
    /// `spec.userGroupIDs` names a user group that does not exist in the operator's account and region.
    ///
    /// Create the group, or correct `spec.userGroupIDs`. The operator joins the group when it is there.
    UserGroupNotFound,
    /// AWS is still deleting an earlier user of this ID, or another object that owns the user may be about to go. The
    /// operator continues when it is gone.
    ///
    /// Nothing.
    WaitingForPreviousUser,
    /// A Secret that the spec names does not exist.
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
    /// AWS throttles the calls. The operator slows down by itself.
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
    /// The operator's AWS role may not make the call that the message names. After 5 minutes the object is `Stalled`.
    ///
    /// Attach a policy that allows the call.
    AccessDenied,
    /// The AWS account lacks ElastiCache's service-linked role.
    ///
    /// Create it once, with the command in the message.
    ServiceLinkedRoleMissing,
    /// AWS refuses the call because of a quota: of users in the account, of members of a user group or of tags of the user. Or the
    /// namespace has as many users as the operator's `--max-users-per-namespace` allows.
    ///
    /// Delete what is not needed, or ask AWS to raise the quota (AWS does not raise the 50 tags of a user), or the operator's
    /// administrator to raise the limit.
    QuotaExceeded,
    /// AWS refuses the call for another reason. The message has AWS's code and explanation.
    ///
    /// See the message.
    AWSRefused,
    /// The spec asks for something that AWS or this version of the operator cannot do, or that the operator's administrator
    /// does not allow (`--forbid`, `--allowed-tag-key`).
    ///
    /// Change what the message names.
    InvalidSpec,
    /// AWS does not accept `spec.accessString`.
    ///
    /// Change it. The message has AWS's explanation.
    InvalidAccessString,
    /// A value in a Secret cannot be a password. A password has 16 to 128 printable characters without `,` `"` `/` `@`,
    /// and no newline at its end.
    ///
    /// Change the value in the Secret. You need not change the object.
    InvalidPassword,
    /// AWS does not accept this authentication together with this engine.
    ///
    /// Change `spec.authentication` or `spec.engine`.
    AuthenticationConflict,
    /// AWS has a user of this ID that belongs to no object, and `adoptionPolicy` is not `Adopt`. The operator does not
    /// change the user.
    ///
    /// Set `adoptionPolicy: Adopt`, or create the object again with another `userID`.
    UserAlreadyExists,
    /// The AWS user belongs to another object, which the message names. The operator does not change the user.
    ///
    /// Create this object again with another `userID`, or delete the other object.
    UserOwnedByAnother,
    /// The operator's `--required-user-id-prefix` does not allow this user ID in this namespace.
    ///
    /// Create the object again with a `userID` that begins as the message says.
    UserIDNotAllowed,
    /// `adoptionPolicy` is `Adopt`, but the operator does not let this namespace adopt, or the user belonged to an object
    /// of another namespace that may not adopt.
    ///
    /// Ask the operator's administrator for `--adoption-namespace` with the namespace in the message (or, if the message names
    /// `--forbid`, for `--privileged-namespace`), or create the object again with another `userID`.
    AdoptionNotAllowed,
    /// The operator's `--allowed-user-group` has no pattern for a user group of `spec.userGroupIDs`. The user is not added to
    /// it. A membership that is there already stays.
    ///
    /// Remove the group from `spec.userGroupIDs`, or ask the operator's administrator for `--allowed-user-group`.
    UserGroupNotAllowed,
    /// AWS does not take the user into a user group, because of its engine, its authentication or its name. The message has
    /// AWS's explanation.
    ///
    /// Change the user or the group, or remove the group from `spec.userGroupIDs`.
    UserGroupRefused,
    /// The operator works in another account or region than the AWS user's. It changes nothing there.
    ///
    /// Give the operator its former account and region. With `deletionPolicy: Retain` you can delete the object without
    /// them.
    WrongAWSAccount,
    /// AWS is deleting the user, or DeleteUser is about to be sent.
    ///
    /// Nothing: it takes from seconds to some minutes.
    DeletingUser,
    /// AWS refused DeleteUser because of the user's state, usually because AWS is applying another change.
    ///
    /// Nothing: the operator retries until AWS allows it.
    InvalidUserState,
    /// The user is the default user of a user group that caches use, and has to leave it. AWS's own default user would take
    /// its place, which has no password and may do everything. AWS does not delete a user while it is a default user.
    ///
    /// Put another user named `default` into the group, delete the group, or let AWS's own default user back with the
    /// annotation `elasticache-users.dev/restore-default-user`.
    DefaultUserInGroup,
    /// The annotation `elasticache-users.dev/prevent-deletion` is `"true"` and blocks the deletion.
    ///
    /// Remove the annotation to continue the deletion.
    DeletionProtected,
    /// The object is removed, and its AWS user is retained.
    ///
    /// Nothing. The event has the command that removes the owner tags, so that another owner can adopt the user.
    Retained,
}

impl Reason {
    pub const ALL: [Self; 37] = [
        Self::Active,
        Self::Creating,
        Self::Modifying,
        Self::Suspended,
        Self::Observed,
        Self::Differs,
        Self::UserMissing,
        Self::WaitingForUserActive,
        Self::WaitingForUserGroup,
        Self::UserGroupNotFound,
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
        Self::UserGroupNotAllowed,
        Self::UserGroupRefused,
        Self::WrongAWSAccount,
        Self::DeletingUser,
        Self::InvalidUserState,
        Self::DefaultUserInGroup,
        Self::DeletionProtected,
        Self::Retained,
    ];

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
            Self::WaitingForUserGroup => "WaitingForUserGroup",
            Self::UserGroupNotFound => "UserGroupNotFound",
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
            Self::UserGroupNotAllowed => "UserGroupNotAllowed",
            Self::UserGroupRefused => "UserGroupRefused",
            Self::WrongAWSAccount => "WrongAWSAccount",
            Self::DeletingUser => "DeletingUser",
            Self::InvalidUserState => "InvalidUserState",
            Self::DefaultUserInGroup => "DefaultUserInGroup",
            Self::DeletionProtected => "DeletionProtected",
            Self::Retained => "Retained",
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}
