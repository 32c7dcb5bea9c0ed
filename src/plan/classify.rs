//! Pure: what AWS's error codes mean for the operator. One table, and the faults that it speaks of.

use std::fmt;

/// What AWS error: its code and its sentence, for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AwsError {
    /// AWS's error code, or the operator's word where there was no answer.
    pub code: String,
    /// AWS's sentence; may be empty.
    pub message: String,
}

impl AwsError {
    /// A code with its sentence.
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

/// A call that failed. Every variant says who must act: time, a person, or the operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The user is not in a state that allows it. Time.
    Busy(AwsError),
    /// Too many calls. Time, and the operator by calling less.
    Throttled(AwsError),
    /// AWS did not answer, or not in a way that can be read: the outcome of the call is not known. Time.
    Unavailable(AwsError),
    /// No credentials, or AWS does not take them. Usually a person.
    Credentials(AwsError),
    /// The credentials may not do this. A person.
    Denied(AwsError),
    /// AWS understood and refused. A person.
    Rejected(Rejection, AwsError),
}

/// What AWS refused a call for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// A value is not allowed.
    ParameterValue,
    /// Values do not go together.
    ParameterCombination,
    /// The account has as many as it may have.
    Quota,
    /// The account lacks ElastiCache's service-linked role.
    ServiceLinkedRole,
    /// The user is the default user of a user group.
    DefaultUserInGroup,
    /// Anything else.
    Other,
}

impl Fault {
    /// What AWS error.
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

    /// Whether a mutation that ended so may have taken effect all the same.
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

    /// Whether AWS told nothing at all about the user's state, as a read that fails so does not.
    #[must_use]
    pub fn hides_user_state(&self) -> bool {
        match self {
            Self::Throttled(_) | Self::Unavailable(_) | Self::Credentials(_) | Self::Denied(_) => true,
            Self::Busy(_) | Self::Rejected(..) => false,
        }
    }
}

/// What an error answer is: an observation about the user, or a fault.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// There is no such user (or, from a tagging call, it cannot be asked now).
    NotFound,
    /// There is such a user.
    AlreadyExists,
    /// The call failed.
    Fault(Fault),
}

/// Stands for the code of an answer that has none.
const UNKNOWN: &str = "UnknownError";

/// Reads an error answer: AWS's code, its sentence and the HTTP status.
#[must_use]
pub fn classify(code: &str, message: &str, status: u16) -> Answer {
    let error = || AwsError::new(if code.is_empty() { UNKNOWN } else { code }, message);
    let rejected = |why| Fault::Rejected(why, error());
    Answer::Fault(match code {
        // Observations. The names with `Fault` are the API model's shapes, which some endpoints answer with.
        "UserNotFound" | "UserNotFoundFault" => return Answer::NotFound,
        "UserAlreadyExists" | "UserAlreadyExistsFault" => return Answer::AlreadyExists,
        // B60, B61, B65: `modifying` or `deleting`; gone by itself, though answered with 400.
        "InvalidUserState" | "InvalidUserStateFault" => Fault::Busy(error()),
        // B100: the code is inferred, hence every spelling that AWS's services use.
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
        // The service's own trouble, whatever the HTTP status that comes with it.
        "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "RequestTimeout"
        | "RequestTimeoutException" => Fault::Unavailable(error()),
        // The role may not. UnauthorizedOperation is EC2's word, answered where a policy check is delegated.
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "OptInRequired" => Fault::Denied(error()),
        // AWS does not know who calls: expired, revoked or mangled credentials, or a wrong clock.
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
        // B102: keeps `Fault` on the wire, unlike the others.
        "ServiceLinkedRoleNotFoundFault" | "ServiceLinkedRoleNotFound" => {
            rejected(Rejection::ServiceLinkedRole)
        }
        // B68: until the group lets it go.
        "DefaultUserAssociatedToUserGroup" | "DefaultUserAssociatedToUserGroupFault" => {
            rejected(Rejection::DefaultUserInGroup)
        }
        "InvalidParameterValue" | "InvalidParameterValueException" => rejected(Rejection::ParameterValue),
        "InvalidParameterCombination" | "InvalidParameterCombinationException" => {
            rejected(Rejection::ParameterCombination)
        }
        // B89, B99: UserQuotaExceeded, TagQuotaPerResourceExceeded, and whatever quota comes next.
        quota if quota.contains("Quota") => rejected(Rejection::Quota),
        _ => by_status(status, message, error()),
    })
}

/// A code that the table does not know: the status decides.
fn by_status(status: u16, message: &str, error: AwsError) -> Fault {
    match status {
        429 => Fault::Throttled(error),
        408 | 500.. => Fault::Unavailable(error),
        // B100: the sentence is observed, the code is not.
        _ if message.starts_with("Rate exceeded") => Fault::Throttled(error),
        403 => Fault::Denied(error),
        401 => Fault::Credentials(error),
        // Not AWS's form of an error: something in between answered, and what became of the call is not known.
        _ if error.code == UNKNOWN => Fault::Unavailable(error),
        _ => Fault::Rejected(Rejection::Other, error),
    }
}
