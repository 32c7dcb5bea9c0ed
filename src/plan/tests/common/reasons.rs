//! Which reasons go with which conditions, according to the lists of the contract and not to `verdict`.

use plan::verdict::{Progress, Reason};

use Reason::*;

/// AWS did not show the state.
const SILENT: [Reason; 6] =
    [Throttled, AWSUnavailable, CredentialsUnavailable, AccessDenied, ServiceLinkedRoleMissing, AWSRefused];
/// AWS did not show the state, or AWS modifies the user without a call of ours.
const UNCHANGED: [Reason; 7] = [
    Active,
    Throttled,
    AWSUnavailable,
    CredentialsUnavailable,
    AccessDenied,
    ServiceLinkedRoleMissing,
    AWSRefused,
];
const RECONCILING: [Reason; 19] = [
    Creating,
    Modifying,
    Differs,
    UserMissing,
    WaitingForUserActive,
    WaitingForUserGroup,
    UserGroupNotFound,
    DefaultUserInGroup,
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
];
const STALLED: [Reason; 12] = [
    InvalidSpec,
    InvalidAccessString,
    InvalidPassword,
    AuthenticationConflict,
    UserAlreadyExists,
    UserOwnedByAnother,
    UserIDNotAllowed,
    AccessDenied,
    AdoptionNotAllowed,
    UserGroupNotAllowed,
    UserGroupRefused,
    WrongAWSAccount,
];
const LEAVING: [Reason; 14] = [
    DeletingUser,
    WaitingForUserActive,
    InvalidUserState,
    DefaultUserInGroup,
    DeletionProtected,
    Throttled,
    AWSUnavailable,
    CredentialsUnavailable,
    AccessDenied,
    ServiceLinkedRoleMissing,
    AWSRefused,
    WrongAWSAccount,
    Suspended,
    Retained,
];

/// The reasons that conditions of this kind may have.
pub(crate) fn of(progress: Progress) -> &'static [Reason] {
    match progress {
        Progress::Ready => &[Active, Observed],
        Progress::Reconciling => &RECONCILING,
        Progress::Unknown => &SILENT,
        Progress::Unchanged => &UNCHANGED,
        Progress::Stalled => &STALLED,
        Progress::Deleting => &LEAVING,
        Progress::SuspendedReady | Progress::SuspendedNotReady => &[Suspended],
    }
}
