//! `classify`: what AWS's codes and HTTP statuses mean, a row for each.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

use plan::classify::{Answer, classify};
use plan::{AwsError, Fault, Rejection};

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
            Rejection::Other => "other",
        },
    }
}

#[test]
fn every_code_means_what_the_service_says() {
    // The code, whatever the status that comes with it.
    let rows = [
        ("UserNotFound", "not found"),
        ("UserNotFoundFault", "not found"),
        ("UserAlreadyExists", "already exists"),
        ("UserAlreadyExistsFault", "already exists"),
        ("InvalidUserState", "busy"),
        ("InvalidUserStateFault", "busy"),
        ("Throttling", "throttled"),
        ("ThrottlingException", "throttled"),
        ("ThrottledException", "throttled"),
        ("RequestThrottled", "throttled"),
        ("RequestThrottledException", "throttled"),
        ("RequestLimitExceeded", "throttled"),
        ("TooManyRequestsException", "throttled"),
        ("BandwidthLimitExceeded", "throttled"),
        ("PriorRequestNotComplete", "throttled"),
        ("SlowDown", "throttled"),
        ("APICallRateForCustomerExceeded", "throttled"),
        ("APICallRateForCustomerExceededFault", "throttled"),
        ("ServiceUnavailable", "unavailable"),
        ("ServiceUnavailableException", "unavailable"),
        ("InternalFailure", "unavailable"),
        ("InternalError", "unavailable"),
        ("InternalServerError", "unavailable"),
        ("RequestTimeout", "unavailable"),
        ("RequestTimeoutException", "unavailable"),
        ("AccessDenied", "denied"),
        ("AccessDeniedException", "denied"),
        ("UnauthorizedOperation", "denied"),
        ("NotAuthorized", "denied"),
        ("OptInRequired", "denied"),
        ("ExpiredToken", "credentials"),
        ("ExpiredTokenException", "credentials"),
        ("RequestExpired", "credentials"),
        ("InvalidClientTokenId", "credentials"),
        ("UnrecognizedClientException", "credentials"),
        ("SignatureDoesNotMatch", "credentials"),
        ("InvalidSignatureException", "credentials"),
        ("IncompleteSignature", "credentials"),
        ("IncompleteSignatureException", "credentials"),
        ("MissingAuthenticationToken", "credentials"),
        ("MissingAuthenticationTokenException", "credentials"),
        ("ServiceLinkedRoleNotFoundFault", "role"),
        ("ServiceLinkedRoleNotFound", "role"),
        ("DefaultUserAssociatedToUserGroup", "default user"),
        ("DefaultUserAssociatedToUserGroupFault", "default user"),
        ("InvalidParameterValue", "value"),
        ("InvalidParameterValueException", "value"),
        ("InvalidParameterCombination", "combination"),
        ("InvalidParameterCombinationException", "combination"),
        ("UserQuotaExceeded", "quota"),
        ("UserQuotaExceededFault", "quota"),
        ("UserGroupQuotaExceeded", "quota"),
        ("TagQuotaPerResourceExceeded", "quota"),
    ];
    for (code, expected) in rows {
        for status in [400, 403, 404, 409, 503] {
            let answer = classify(code, "what AWS says", status);
            assert_eq!(kind(&answer), expected, "{code} with status {status}");
            if let Answer::Fault(fault) = answer {
                assert_eq!(*fault.error(), AwsError::new(code, "what AWS says"));
            }
        }
    }
}

#[test]
fn a_code_that_nobody_knows_is_read_by_its_status() {
    let rows = [
        ("a throttling proxy", "Odd", "", 429, "throttled"),
        ("a slow client", "Odd", "", 408, "unavailable"),
        ("the service's trouble", "Odd", "", 500, "unavailable"),
        ("its gateway's", "Odd", "", 503, "unavailable"),
        ("the highest status", "Odd", "", 599, "unavailable"),
        ("a policy", "Odd", "", 403, "denied"),
        ("no credentials", "Odd", "", 401, "credentials"),
        ("a refusal", "Odd", "", 400, "other"),
        ("a refusal with any other status", "Odd", "", 409, "other"),
        ("throttling by its sentence", "Odd", "Rate exceeded", 400, "throttled"),
        ("throttling by its sentence, forbidden", "Odd", "Rate exceeded for x", 403, "throttled"),
        ("the sentence must begin so", "Odd", "Burst, then Rate exceeded", 400, "other"),
        ("no code: not AWS's answer, so the outcome is open", "", "", 400, "unavailable"),
        ("no code: not even UserNotFound", "", "<html>", 404, "unavailable"),
        ("no code, a proxy that forbids", "", "", 403, "denied"),
        ("no code, a proxy that wants credentials", "", "", 401, "credentials"),
        ("no code, a proxy that throttles", "", "", 429, "throttled"),
        ("no code, the service's trouble", "", "", 502, "unavailable"),
    ];
    for (claim, code, message, status, expected) in rows {
        assert_eq!(kind(&classify(code, message, status)), expected, "{claim}");
    }
}

#[test]
fn what_aws_said_is_shown_with_its_code() {
    let rows = [
        (AwsError::new("Throttling", "Rate exceeded"), "Throttling: Rate exceeded"),
        (AwsError::new("Throttling", ""), "Throttling"),
        (AwsError::new("Throttling", "  \n"), "Throttling"),
        (AwsError::new("Odd", "  why \n"), "Odd: why"),
    ];
    for (said, shown) in rows {
        assert_eq!(said.to_string(), shown);
    }
    let Answer::Fault(fault) = classify("", "", 400) else { panic!("not a fault") };
    assert_eq!(fault.error().to_string(), "UnknownError");
}

#[test]
fn faults_say_whether_the_call_may_have_taken_effect_and_whether_aws_told_anything() {
    // (HTTP status and code of the answer, may have taken effect, tells nothing of the user)
    let rows = [
        ("InvalidUserState", false, false),
        ("Throttling", false, true),
        ("InternalFailure", true, true),
        ("ExpiredToken", false, true),
        ("AccessDenied", false, true),
        ("InvalidParameterValue", false, false),
        ("UserQuotaExceeded", false, false),
    ];
    for (code, unknown, silent) in rows {
        let Answer::Fault(fault) = classify(code, "", 400) else { panic!("{code} is no fault") };
        assert_eq!(fault.outcome_unknown(), unknown, "{code}");
        assert_eq!(fault.hides_user_state(), silent, "{code}");
    }
}
