//! What AWS's error codes mean for the operator.

use std::fmt;

/// AWS's error, for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AwsError {
    /// AWS's error code, or the operator's own word if AWS did not answer.
    pub code: String,
    /// May be empty.
    pub message: String,
}

impl AwsError {
    #[must_use]
    pub fn new(code: &str, message: &str) -> Self {
        Self { code: code.to_owned(), message: message.to_owned() }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.trim() {
            "" => f.write_str(&self.code),
            message => write!(f, "{}: {message}", self.code),
        }
    }
}

/// Why a call failed. The variant decides who must act: nobody, a person, or the operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The user's state does not allow the call. Passes by itself.
    Busy(AwsError),
    /// Too many calls. The operator slows down.
    Throttled(AwsError),
    /// AWS gave no usable answer, so the outcome of the call is not known. Passes by itself.
    Unavailable(AwsError),
    /// There are no credentials, or AWS does not accept them. Usually a person must act.
    Credentials(AwsError),
    /// The credentials do not allow the call. A person must act.
    Denied(AwsError),
    /// AWS refused the call. A person must act.
    Rejected(Rejection, AwsError),
}

/// Why AWS refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    ParameterValue,
    ParameterCombination,
    Quota,
    ServiceLinkedRole,
    DefaultUserInGroup,
    /// A group would have two members of one user name.
    DuplicateUserName,
    /// A Redis group would have no member that is named `default`.
    DefaultUserRequired,
    /// A user that a call on a group names is not there.
    MemberNotFound,
    Other,
}

impl Fault {
    #[must_use]
    pub fn error(&self) -> &AwsError {
        match self {
            Self::Busy(error)
            | Self::Throttled(error)
            | Self::Unavailable(error)
            | Self::Credentials(error)
            | Self::Denied(error)
            | Self::Rejected(_, error) => error,
        }
    }

    /// The same call may succeed a moment later, although nobody acts.
    #[must_use]
    pub fn passes_by_itself(&self) -> bool {
        match self {
            Self::Busy(_) | Self::Throttled(_) | Self::Unavailable(_) => true,
            Self::Credentials(_) | Self::Denied(_) | Self::Rejected(..) => false,
        }
    }

    /// A mutation that failed like this may have taken effect nevertheless.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Busy(_)
            | Self::Throttled(_)
            | Self::Credentials(_)
            | Self::Denied(_)
            | Self::Rejected(..) => false,
        }
    }

    /// A read that failed like this shows that the user exists and is not `active`. Any other failure of a read shows nothing.
    #[must_use]
    pub fn shows_user_state(&self) -> bool {
        match self {
            Self::Busy(_) => true,
            Self::Throttled(_)
            | Self::Unavailable(_)
            | Self::Credentials(_)
            | Self::Denied(_)
            | Self::Rejected(..) => false,
        }
    }
}

/// The meaning of an error answer: a fact about the user, or a fault.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// There is no such user. From a tagging call it may mean that the user is not `active`.
    NotFound,
    AlreadyExists,
    Fault(Fault),
}

/// Replaces the code of an answer without one.
const UNKNOWN: &str = "UnknownError";

/// `status` is the HTTP status.
#[must_use]
pub fn classify(code: &str, message: &str, status: u16) -> Answer {
    let error = || AwsError::new(if code.is_empty() { UNKNOWN } else { code }, message);
    Answer::Fault(match code {
        // Facts. The names with `Fault` are shapes of the API model. Some endpoints answer with them.
        "UserNotFound" | "UserNotFoundFault" => return Answer::NotFound,
        "UserAlreadyExists" | "UserAlreadyExistsFault" => return Answer::AlreadyExists,
        // B60, B61, B65: the user is `modifying` or `deleting`. This passes by itself, although the status is 400.
        "InvalidUserState" | "InvalidUserStateFault" => Fault::Busy(error()),
        // B100: the code was never observed, so accept every spelling that AWS's services use.
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "BandwidthLimitExceeded"
        | "PriorRequestNotComplete"
        | "SlowDown"
        | "APICallRateForCustomerExceeded"
        | "APICallRateForCustomerExceededFault" => Fault::Throttled(error()),
        // The service failed, whatever the HTTP status is.
        "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "RequestTimeout"
        | "RequestTimeoutException" => Fault::Unavailable(error()),
        // The role does not allow the call. UnauthorizedOperation is EC2's code, used if a policy check is delegated.
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "OptInRequired" => Fault::Denied(error()),
        // AWS does not recognize the caller: the credentials are expired, revoked or damaged, or the clock is wrong.
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => Fault::Credentials(error()),
        _ => match rejection(code) {
            Some(why) => Fault::Rejected(why, error()),
            None => by_status(status, message, error()),
        },
    })
}

/// The same for DescribeUserGroups and ModifyUserGroup. There UserNotFound is about some member, and `NotFound` about the
/// group.
#[must_use]
pub fn classify_group(code: &str, message: &str, status: u16) -> Answer {
    let error = || AwsError::new(code, message);
    match code {
        "UserGroupNotFound" | "UserGroupNotFoundFault" => Answer::NotFound,
        "UserNotFound" | "UserNotFoundFault" => {
            Answer::Fault(Fault::Rejected(Rejection::MemberNotFound, error()))
        }
        // B77: the group is `creating`, `modifying` or `deleting`.
        "InvalidUserGroupState" | "InvalidUserGroupStateFault" => Answer::Fault(Fault::Busy(error())),
        _ => classify(code, message, status),
    }
}

fn rejection(code: &str) -> Option<Rejection> {
    match code {
        // B102: ElastiCache sends this code with `Fault`, unlike the others.
        "ServiceLinkedRoleNotFoundFault" | "ServiceLinkedRoleNotFound" => Some(Rejection::ServiceLinkedRole),
        // B68.
        "DefaultUserAssociatedToUserGroup" | "DefaultUserAssociatedToUserGroupFault" => {
            Some(Rejection::DefaultUserInGroup)
        }
        "DuplicateUserName" | "DuplicateUserNameFault" => Some(Rejection::DuplicateUserName),
        "DefaultUserRequired" | "DefaultUserRequiredFault" => Some(Rejection::DefaultUserRequired),
        "InvalidParameterValue" | "InvalidParameterValueException" => Some(Rejection::ParameterValue),
        "InvalidParameterCombination" | "InvalidParameterCombinationException" => {
            Some(Rejection::ParameterCombination)
        }
        // B89, B99: UserQuotaExceeded, TagQuotaPerResourceExceeded, and quotas that AWS may add.
        quota if quota.contains("Quota") => Some(Rejection::Quota),
        _ => None,
    }
}

/// The table does not have the code, so the HTTP status decides.
fn by_status(status: u16, message: &str, error: AwsError) -> Fault {
    match status {
        429 => Fault::Throttled(error),
        408 | 500.. => Fault::Unavailable(error),
        // B100: only the message was observed.
        _ if message.starts_with("Rate exceeded") => Fault::Throttled(error),
        403 => Fault::Denied(error),
        401 => Fault::Credentials(error),
        // AWS's errors have a code. Something else answered, so the outcome of the call is not known.
        _ if error.code == UNKNOWN => Fault::Unavailable(error),
        _ => Fault::Rejected(Rejection::Other, error),
    }
}
