//! `classify`: what AWS's error codes and HTTP statuses mean.

use plan::classify::{Answer, classify, classify_group};
use plan::{AwsError, Fault, Rejection};

use crate::common::Case;

/// The kind of an answer, in a word.
fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::NotFound => "not found",
        Answer::AlreadyExists => "already exists",
        Answer::Fault(fault) => fault_kind(fault),
    }
}

fn fault_kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::Busy(_) => "busy",
        Fault::Throttled(_) => "throttled",
        Fault::Unavailable(_) => "unavailable",
        Fault::Credentials(_) => "credentials",
        Fault::Denied(_) => "denied",
        Fault::Rejected(why, _) => match why {
            Rejection::ParameterValue => "value",
            Rejection::ParameterCombination => "combination",
            Rejection::Quota => "quota",
            Rejection::ServiceLinkedRole => "role",
            Rejection::DefaultUserInGroup => "default user",
            Rejection::DuplicateUserName => "name",
            Rejection::DefaultUserRequired => "default user required",
            Rejection::MemberNotFound => "member",
            Rejection::Other => "other",
        },
    }
}

#[test]
fn every_error_code_has_its_kind_whatever_the_status_is() {
    let rows = [
        ("not found", "UserNotFound UserNotFoundFault"),
        ("already exists", "UserAlreadyExists UserAlreadyExistsFault"),
        ("busy", "InvalidUserState InvalidUserStateFault"),
        (
            "throttled",
            "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException \
             RequestLimitExceeded TooManyRequestsException BandwidthLimitExceeded PriorRequestNotComplete \
             SlowDown APICallRateForCustomerExceeded APICallRateForCustomerExceededFault",
        ),
        (
            "unavailable",
            "ServiceUnavailable ServiceUnavailableException InternalFailure InternalError \
             InternalServerError RequestTimeout RequestTimeoutException",
        ),
        ("denied", "AccessDenied AccessDeniedException UnauthorizedOperation NotAuthorized OptInRequired"),
        (
            "credentials",
            "ExpiredToken ExpiredTokenException RequestExpired InvalidClientTokenId \
             UnrecognizedClientException SignatureDoesNotMatch InvalidSignatureException \
             IncompleteSignature IncompleteSignatureException MissingAuthenticationToken \
             MissingAuthenticationTokenException",
        ),
        ("name", "DuplicateUserName DuplicateUserNameFault"),
        ("default user required", "DefaultUserRequired DefaultUserRequiredFault"),
        ("role", "ServiceLinkedRoleNotFoundFault ServiceLinkedRoleNotFound"),
        ("default user", "DefaultUserAssociatedToUserGroup DefaultUserAssociatedToUserGroupFault"),
        ("value", "InvalidParameterValue InvalidParameterValueException"),
        ("combination", "InvalidParameterCombination InvalidParameterCombinationException"),
        (
            "quota",
            "UserQuotaExceeded UserQuotaExceededFault UserGroupQuotaExceeded TagQuotaPerResourceExceeded",
        ),
    ];
    for (expected, codes) in rows {
        for (code, status) in
            codes.split(' ').flat_map(|code| [400, 403, 404, 409, 503].map(|status| (code, status)))
        {
            let answer = classify(code, "what AWS says", status);
            assert_eq!(kind(&answer), expected, "{code} with status {status}");
            if let Answer::Fault(fault) = answer {
                assert_eq!(*fault.error(), AwsError::new(code, "what AWS says"));
            }
        }
    }
}

#[test]
fn the_codes_of_a_group_are_about_the_group_and_its_members() {
    let rows = [
        ("UserGroupNotFound", "not found"),
        ("UserNotFound", "member"),
        ("InvalidUserGroupState", "busy"),
        ("UserGroupQuotaExceeded", "quota"),
        ("DuplicateUserName", "name"),
        ("DefaultUserRequired", "default user required"),
        ("InvalidParameterValue", "value"),
        ("AccessDenied", "denied"),
    ];
    for (code, expected) in rows {
        assert_eq!(kind(&classify_group(code, "what AWS says", 400)), expected, "{code}");
    }
}

#[test]
fn an_unknown_code_is_classified_by_its_status() {
    let rows = cases! {
        "a proxy throttles": ("Odd", "", 429) => "throttled",
        "the request took too long": ("Odd", "", 408) => "unavailable",
        "the service failed": ("Odd", "", 500) => "unavailable",
        "a gateway failed": ("Odd", "", 503) => "unavailable",
        "the highest status": ("Odd", "", 599) => "unavailable",
        "a policy denies": ("Odd", "", 403) => "denied",
        "no credentials": ("Odd", "", 401) => "credentials",
        "a refusal": ("Odd", "", 400) => "other",
        "a refusal with any other status": ("Odd", "", 409) => "other",
        "a message of throttling": ("Odd", "Rate exceeded", 400) => "throttled",
        "a message of throttling with status 403": ("Odd", "Rate exceeded for x", 403) => "throttled",
        "a message that mentions throttling later": ("Odd", "Burst, then Rate exceeded", 400) => "other",
        "no code: AWS did not answer, so the outcome is not known": ("", "", 400) => "unavailable",
        "no code: not even UserNotFound": ("", "<html>", 404) => "unavailable",
        "no code: a proxy denies": ("", "", 403) => "denied",
        "no code: a proxy wants credentials": ("", "", 401) => "credentials",
        "no code: a proxy throttles": ("", "", 429) => "throttled",
        "no code: the service failed": ("", "", 502) => "unavailable",
    };
    for Case { claim, given: (code, message, status), expected } in rows {
        assert_eq!(kind(&classify(code, message, status)), expected, "{claim}");
    }
}

#[test]
fn an_aws_error_is_shown_with_its_code_and_message() {
    for (code, message, shown) in [
        ("Throttling", "Rate exceeded", "Throttling: Rate exceeded"),
        ("Throttling", "", "Throttling"),
        ("Throttling", "  \n", "Throttling"),
        ("Odd", "  why \n", "Odd: why"),
    ] {
        assert_eq!(AwsError::new(code, message).to_string(), shown);
    }
    let Answer::Fault(fault) = classify("", "", 400) else { panic!("not a fault") };
    assert_eq!(fault.error().to_string(), "UnknownError");
}

#[test]
fn the_outcome_of_a_call_is_unknown_only_if_aws_gave_no_usable_answer() {
    for (code, outcome_unknown) in [
        ("InvalidUserState", false),
        ("Throttling", false),
        ("InternalFailure", true),
        ("ExpiredToken", false),
        ("AccessDenied", false),
        ("InvalidParameterValue", false),
        ("UserQuotaExceeded", false),
    ] {
        let Answer::Fault(fault) = classify(code, "", 400) else { panic!("{code} is no fault") };
        assert_eq!(fault.outcome_unknown(), outcome_unknown, "{code}");
    }
}
