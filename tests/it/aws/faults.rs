//! Each method fails in each way. The tests check how `plan` classifies the failure, and that the SDK does not repeat the call.

use aws::UserApi;
use elasticache_emulator::Rule;
use plan::Fault;
use serde_json::json;

use super::emulator_fixture::{Ended, Fixture, IMPATIENT, Method, PATIENT, aws, nobody_listens, user_id};

/// Calls a method with a fault. Returns how the call ended, and fails if the call was repeated.
async fn call_with(fixture: &Fixture, method: Method, name: &str, fault: &Rule) -> Ended {
    let user = format!("{name}-{}", format!("{method:?}").to_lowercase());
    // CreateUser needs a user that is not there yet.
    if method != Method::Create {
        fixture.control.put_user(&user, json!({})).await;
    }
    fixture.calls().await;
    fixture.control.fault(fault.clone().action(method.action()).user(&user)).await;
    let ended = method.call(&fixture.aws, &user).await;
    assert_eq!(fixture.actions().await, [method.action()], "{method:?}, {fault}: exactly one call");
    ended
}

/// A table in `plan` says what each code means. This test checks that code, status and message arrive there.
#[tokio::test]
async fn an_error_answer_is_classified_by_code_and_status_and_is_not_repeated() {
    let rows = [
        ("a code", "InvalidUserState", 400, "Busy InvalidUserState"),
        ("a code beside another status", "ServiceUnavailable", 400, "Unavailable ServiceUnavailable"),
        ("throttled by status", "Whatever", 429, "Throttled Whatever"),
        ("an unknown code with a 5xx", "Whatever", 502, "Unavailable Whatever"),
        ("no permission", "AccessDenied", 403, "Denied AccessDenied"),
        ("credentials that expired", "ExpiredToken", 403, "Credentials ExpiredToken"),
        ("a value", "InvalidParameterValue", 400, "ParameterValue InvalidParameterValue"),
        ("an ARN", "InvalidARN", 400, "Other InvalidARN"),
        ("a code that nobody knows", "NeverHeardOf", 418, "Other NeverHeardOf"),
    ];
    let fixture = Fixture::start();
    for (number, (claim, code, status, words)) in rows.into_iter().enumerate() {
        let before = Rule::any().error(code, status).message("Because of <that>.");
        for (when, fault) in [("before", before.clone()), ("after", before.after())] {
            for method in Method::ALL {
                let ended = call_with(&fixture, method, &format!("u{number}-{when}"), &fault).await;
                assert_eq!(ended.words(), words, "{claim}, {method:?} {when}");
                let Ended::Failed(fault) = ended else { panic!("{claim}: {ended:?}") };
                assert_eq!(fault.error().message, "Because of <that>.", "{claim}, {method:?} {when}");
            }
        }
    }
}

#[tokio::test]
async fn user_not_found_and_user_already_exists_are_observations_of_the_calls_that_can_return_them() {
    let fixture = Fixture::start();
    for (code, status) in [("UserNotFound", 404), ("UserAlreadyExists", 400)] {
        let fault = Rule::any().error(code, status).message("x is not available for tagging");
        for method in Method::ALL {
            let words = match (code, method) {
                ("UserNotFound", Method::Create) => "Unavailable UserNotFound",
                ("UserNotFound", _) => "NotFound",
                (_, Method::Create) => "AlreadyExists",
                (_, _) => "Unavailable UserAlreadyExists",
            };
            let ended = call_with(&fixture, method, &format!("app-{status}"), &fault).await;
            assert_eq!(ended.words(), words, "{method:?}");
        }
    }
}

#[tokio::test]
async fn a_call_without_a_readable_answer_has_an_unknown_outcome_and_is_not_repeated() {
    let fault = Rule::any;
    let rows = [
        ("throttled", fault().throttle(), "Throttled Throttling"),
        ("a 503", fault().unavailable(), "Unavailable ServiceUnavailable"),
        ("a 503 after the effect", fault().unavailable().after(), "Unavailable ServiceUnavailable"),
        ("a lost connection", fault().reset(), "Unavailable NoAnswer"),
        ("a connection lost after the effect", fault().reset().after(), "Unavailable NoAnswer"),
        ("no XML", fault().garbage(), "Unavailable UnreadableAnswer"),
        ("no XML after the effect", fault().garbage().after(), "Unavailable UnreadableAnswer"),
        ("half an answer", fault().truncate(), "Unavailable UnreadableAnswer"),
        ("a slow answer is a good one", fault().slow(100), "Well"),
    ];
    let fixture = Fixture::start();
    for (number, (claim, fault, words)) in rows.into_iter().enumerate() {
        for method in Method::ALL {
            let ended = call_with(&fixture, method, &format!("u{number}"), &fault).await;
            assert_outcome(&ended, words, &format!("{claim}, {method:?}"));
        }
    }
}

#[tokio::test]
async fn a_call_that_is_never_answered_times_out() {
    let mut fixture = Fixture::start();
    fixture.aws = aws(&fixture.emulator.url(), IMPATIENT);
    for (when, fault) in [("before", Rule::any().hang()), ("after", Rule::any().hang().after())] {
        for method in Method::ALL {
            let began = std::time::Instant::now();
            let ended = call_with(&fixture, method, when, &fault).await;
            assert_outcome(&ended, "Unavailable TimedOut", &format!("{method:?} {when}"));
            assert!(began.elapsed().as_secs() < 10, "{method:?} {when} took {:?}", began.elapsed());
        }
    }
}

/// Checks how the call ended, that its outcome is unknown if AWS was not available, and that its message is a sentence.
fn assert_outcome(ended: &Ended, words: &str, claim: &str) {
    assert_eq!(ended.words(), words, "{claim}");
    if let Ended::Failed(fault @ Fault::Unavailable(_)) = ended {
        assert!(fault.outcome_unknown() && fault.error().message.ends_with('.'), "{claim}: {fault:?}");
    }
}

#[tokio::test]
async fn the_same_failure_has_the_same_message_every_time() {
    let fixture = Fixture::start();
    let rule = Rule::any;
    let denied = |serial: u32| {
        let who = "User: arn:aws:sts::1:assumed-role/op/s";
        rule()
            .error("AccessDenied", 403)
            .message(format!("{who}-{serial} is not authorized (Request ID: {serial})"))
    };
    let same = [rule().throttle(), rule().unavailable(), rule().reset(), rule().garbage(), rule().truncate()];
    let repeated = same.map(|rule| [rule.clone(), rule]);
    for [fault, again] in repeated.into_iter().chain([[denied(11), denied(22)]]) {
        let mut said = Vec::new();
        for fault in [&fault, &again] {
            fixture.control.fault(fault.clone()).await;
            said.push(Method::Describe.call(&fixture.aws, "app").await);
        }
        assert!(matches!(said[0], Ended::Failed(_)), "{fault}: {said:?}");
        assert_eq!(said[0], said[1], "{fault}");
    }
}

#[tokio::test]
async fn a_refused_connection_counts_as_no_answer() {
    let closed = nobody_listens();
    let aws = aws(&closed, PATIENT);
    for method in Method::ALL {
        let ended = method.call(&aws, "app").await;
        assert_eq!(ended.words(), "Unavailable NoAnswer", "{method:?}");
        let Ended::Failed(fault) = ended else { panic!("failed") };
        let port = closed.rsplit(':').next().expect("a port");
        assert!(!fault.error().message.contains(port), "{fault:?}");
    }
}

#[tokio::test]
async fn a_call_whose_caller_gave_up_is_not_repeated() {
    let fixture = Fixture::start();
    fixture.control.put_user("app", json!({})).await;
    fixture.control.fault(Rule::any().slow(300)).await;
    let patience = std::time::Duration::from_millis(100);
    let given_up = tokio::time::timeout(patience, fixture.aws.describe(&user_id("app"))).await;
    assert!(given_up.is_err());
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(fixture.actions().await, ["DescribeUsers"]);
}
