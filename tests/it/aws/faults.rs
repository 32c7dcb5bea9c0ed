//! Calls that fail, each method with each kind of failure: what it is in the words of `plan`, and that nothing is repeated.

use std::net::TcpListener;

use aws::UserApi;
use plan::Fault;
use serde_json::{Value, json};

use super::emulator_fixture::{Ended, Fixture, IMPATIENT, Method, PATIENT, aws, user_id};

/// A user for a row to play with; CreateUser needs one that is not there yet.
async fn stage(fixture: &Fixture, method: Method, user: &str) {
    if method != Method::Create {
        fixture.control.put_user(user, json!({})).await;
    }
    fixture.calls().await;
}

#[tokio::test]
async fn an_error_answer_is_what_the_table_says_and_is_not_repeated() {
    let rows = [
        ("busy", "InvalidUserState", 400, "Busy InvalidUserState"),
        ("throttled by its usual code", "Throttling", 400, "Throttled Throttling"),
        ("throttled by another code", "RequestLimitExceeded", 503, "Throttled RequestLimitExceeded"),
        ("throttled by status", "Whatever", 429, "Throttled Whatever"),
        ("AWS's own trouble", "InternalFailure", 500, "Unavailable InternalFailure"),
        ("AWS's own trouble with an odd status", "ServiceUnavailable", 400, "Unavailable ServiceUnavailable"),
        ("an unknown code with a 5xx", "Whatever", 502, "Unavailable Whatever"),
        ("no permission", "AccessDenied", 403, "Denied AccessDenied"),
        ("credentials that expired", "ExpiredToken", 403, "Credentials ExpiredToken"),
        ("credentials that nobody knows", "InvalidClientTokenId", 403, "Credentials InvalidClientTokenId"),
        ("a value", "InvalidParameterValue", 400, "ParameterValue InvalidParameterValue"),
        (
            "a combination",
            "InvalidParameterCombination",
            400,
            "ParameterCombination InvalidParameterCombination",
        ),
        ("a quota", "UserQuotaExceeded", 400, "Quota UserQuotaExceeded"),
        ("another quota", "TagQuotaPerResourceExceeded", 400, "Quota TagQuotaPerResourceExceeded"),
        (
            "the service-linked role",
            "ServiceLinkedRoleNotFoundFault",
            400,
            "ServiceLinkedRole ServiceLinkedRoleNotFoundFault",
        ),
        (
            "a group's default user",
            "DefaultUserAssociatedToUserGroup",
            400,
            "DefaultUserInGroup DefaultUserAssociatedToUserGroup",
        ),
        ("an ARN", "InvalidARN", 400, "Other InvalidARN"),
        ("a code that nobody knows", "NeverHeardOf", 418, "Other NeverHeardOf"),
    ];
    let fixture = Fixture::start();
    for (number, (claim, code, status, words)) in rows.into_iter().enumerate() {
        for method in Method::ALL {
            for when in ["before", "after"] {
                let user = format!("u{number}-{}-{when}", format!("{method:?}").to_lowercase());
                stage(&fixture, method, &user).await;
                let fault = json!({
                    "Action": method.action(), "UserId": &user, "Kind": "error",
                    "Code": code, "Message": "Because of <that>.", "Status": status, "When": when,
                });
                fixture.control.fault(fault.clone()).await;
                let ended = method.call(&fixture.aws, &user).await;
                assert_eq!(ended.words(), words, "{claim}, {method:?} {when}");
                if let Ended::Failed(fault) = &ended {
                    assert_eq!(fault.error().message, "Because of <that>.", "{claim}, {method:?} {when}");
                }
                assert_one(&fixture, method, claim).await;
            }
        }
    }
}

#[tokio::test]
async fn not_found_and_already_exists_are_observations_where_they_belong() {
    let fixture = Fixture::start();
    for (code, status) in [("UserNotFound", 404), ("UserAlreadyExists", 400)] {
        for method in Method::ALL {
            let user = format!("{}-{status}", format!("{method:?}").to_lowercase());
            stage(&fixture, method, &user).await;
            let fault = json!({
                "Action": method.action(), "UserId": &user, "Kind": "error",
                "Code": code, "Message": "x is not available for tagging", "Status": status,
            });
            fixture.control.fault(fault.clone()).await;
            let words = match (code, method) {
                ("UserNotFound", Method::Create) => "Unavailable UserNotFound",
                ("UserNotFound", _) => "NotFound",
                (_, Method::Create) => "AlreadyExists",
                (_, _) => "Unavailable UserAlreadyExists",
            };
            assert_eq!(method.call(&fixture.aws, &user).await.words(), words, "{method:?}");
            assert_one(&fixture, method, code).await;
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_none_leaves_the_outcome_unknown_and_is_not_repeated() {
    let rows = [
        ("throttled", json!({"Kind": "throttle"}), "Throttled Throttling"),
        ("a 503", json!({"Kind": "unavailable"}), "Unavailable ServiceUnavailable"),
        (
            "a 503 after the effect",
            json!({"Kind": "unavailable", "When": "after"}),
            "Unavailable ServiceUnavailable",
        ),
        ("a lost connection", json!({"Kind": "reset"}), "Unavailable NoAnswer"),
        (
            "a connection lost after the effect",
            json!({"Kind": "reset", "When": "after"}),
            "Unavailable NoAnswer",
        ),
        ("no XML", json!({"Kind": "garbage"}), "Unavailable UnreadableAnswer"),
        (
            "no XML after the effect",
            json!({"Kind": "garbage", "When": "after"}),
            "Unavailable UnreadableAnswer",
        ),
        ("half an answer", json!({"Kind": "truncate"}), "Unavailable UnreadableAnswer"),
        ("a slow answer is a good one", json!({"Kind": "slow", "Ms": 100}), "Well"),
    ];
    let fixture = Fixture::start();
    for (number, (claim, fault, words)) in rows.into_iter().enumerate() {
        for method in Method::ALL {
            check(&fixture, method, claim, &format!("u{number}"), fault.clone(), words).await;
        }
    }
}

#[tokio::test]
async fn silence_ends_in_time() {
    let mut fixture = Fixture::start();
    fixture.aws = aws(&fixture.emulator.url(), IMPATIENT);
    for when in ["before", "after"] {
        for method in Method::ALL {
            let fault = json!({"Kind": "hang", "Ms": 60_000, "When": when});
            let began = std::time::Instant::now();
            check(&fixture, method, "silence", when, fault, "Unavailable TimedOut").await;
            assert!(began.elapsed().as_secs() < 10, "{method:?} {when} took {:?}", began.elapsed());
        }
    }
}

/// Orders the fault for one method, calls it, and compares how that ends.
async fn check(fixture: &Fixture, method: Method, claim: &str, name: &str, mut fault: Value, words: &str) {
    let user = format!("{name}-{}", format!("{method:?}").to_lowercase());
    stage(fixture, method, &user).await;
    fault["Action"] = json!(method.action());
    fault["UserId"] = json!(&user);
    fixture.control.fault(fault.clone()).await;
    let ended = method.call(&fixture.aws, &user).await;
    assert_eq!(ended.words(), words, "{claim}, {method:?}: {fault}");
    if let Ended::Failed(fault @ Fault::Unavailable(_)) = &ended {
        assert!(fault.outcome_unknown(), "{claim}, {method:?}");
        assert!(fault.error().message.ends_with('.'), "{claim}, {method:?}: {fault:?}");
    }
    assert_one(fixture, method, claim).await;
}

async fn assert_one(fixture: &Fixture, method: Method, claim: &str) {
    let calls = fixture.calls().await;
    let actions: Vec<_> = calls.iter().map(|call| &call["Action"]).collect();
    assert_eq!(actions, [method.action()], "{claim}, {method:?}: exactly one call");
}

#[tokio::test]
async fn a_failure_says_the_same_every_time() {
    let fixture = Fixture::start();
    let rows = [
        json!({"Kind": "throttle"}),
        json!({"Kind": "unavailable"}),
        json!({"Kind": "reset"}),
        json!({"Kind": "garbage"}),
        json!({"Kind": "truncate"}),
        json!({"Kind": "error", "Code": "AccessDenied", "Status": 403,
               "Message": "User: arn:aws:sts::1:assumed-role/op/s-SERIAL is not authorized (Request ID: SERIAL)"}),
    ];
    for fault in rows {
        let mut said = Vec::new();
        for serial in 1..=3 {
            let numbered = fault.to_string().replace("SERIAL", &format!("{serial}{serial}"));
            fixture.control.fault(serde_json::from_str(&numbered).expect("a fault")).await;
            said.push(Method::Describe.call(&fixture.aws, "app").await);
        }
        assert!(matches!(said[0], Ended::Failed(_)), "{fault}: {said:?}");
        assert!(said.iter().all(|one| *one == said[0]), "{fault}: {said:?}");
    }
}

#[tokio::test]
async fn a_port_on_which_nobody_listens_is_no_answer() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let aws = aws(&format!("http://{closed}"), PATIENT);
    for method in Method::ALL {
        let ended = method.call(&aws, "app").await;
        assert_eq!(ended.words(), "Unavailable NoAnswer", "{method:?}");
        let Ended::Failed(fault) = ended else { panic!("failed") };
        assert!(!fault.error().message.contains(&closed.port().to_string()), "{fault:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_is_not_repeated() {
    let fixture = Fixture::start();
    fixture.control.put_user("app", json!({})).await;
    fixture.control.fault(json!({"Kind": "slow", "Ms": 300})).await;
    let patience = std::time::Duration::from_millis(100);
    let given_up = tokio::time::timeout(patience, fixture.aws.describe(&user_id("app"))).await;
    assert!(given_up.is_err());
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_one(&fixture, Method::Describe, "a call that is dropped").await;
}
