//! What AWS may answer instead of what was asked for.

use plan::*;

pub(crate) fn aws_error(code: &str, message: &str) -> AwsError {
    AwsError::new(code, message)
}

pub(crate) fn busy() -> Fault {
    Fault::Busy(aws_error("InvalidUserState", "User app has status modifying."))
}

pub(crate) fn throttled() -> Fault {
    Fault::Throttled(aws_error("Throttling", "Rate exceeded"))
}

pub(crate) fn unavailable() -> Fault {
    Fault::Unavailable(aws_error("InternalFailure", "The request processing has failed."))
}

pub(crate) fn credentials() -> Fault {
    Fault::Credentials(aws_error("ExpiredToken", "The security token has expired."))
}

pub(crate) fn denied() -> Fault {
    Fault::Denied(aws_error("AccessDenied", "User is not authorized."))
}

pub(crate) fn rejected(why: Rejection) -> Fault {
    Fault::Rejected(why, aws_error("Refused", "Because."))
}

pub(crate) fn rejected_saying(why: Rejection, message: &str) -> Fault {
    Fault::Rejected(why, aws_error("InvalidParameterValue", message))
}

pub(crate) fn faults() -> Vec<Fault> {
    let rejections = [
        Rejection::ParameterValue,
        Rejection::ParameterCombination,
        Rejection::Quota,
        Rejection::ServiceLinkedRole,
        Rejection::DefaultUserInGroup,
        Rejection::Other,
    ];
    let mut faults = vec![busy(), throttled(), unavailable(), credentials(), denied()];
    faults.extend(rejections.map(rejected));
    faults
}

pub(crate) fn failed_read(fault: Fault) -> Action {
    Action::Wait(Wait::Failed(Read::DescribeUsers, fault))
}
