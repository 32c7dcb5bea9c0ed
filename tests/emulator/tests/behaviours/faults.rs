//! Faults: every kind, before and after the effect of the call, and which calls a fault matches.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fixture::{
    ACCOUNT, EmulatorFixture, REGION, Refused, authorization, eventually, frozen, quick, refused,
};

const DELETE: [(&str, &str); 2] = [("Action", "DeleteUser"), ("UserId", "a")];

/// A fixture with a user `a`, and one fault for its next DeleteUser.
async fn with_fault(fault: Value) -> EmulatorFixture {
    let fixture = EmulatorFixture::start(frozen());
    fixture.create("a").await;
    fixture.control("DELETE", "calls", Value::Null).await;
    let mut rule = json!({"Action": "DeleteUser", "UserId": "a"});
    rule.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
    let (status, answer) = fixture.control("POST", "faults", rule).await;
    assert_eq!(status, 200, "{answer}");
    fixture
}

/// Checks whether DeleteUser had its effect, and that the record has one call with this status and code.
async fn check(fixture: &EmulatorFixture, when: &str, status: Value, code: Value) {
    let user = if when == "after" { "deleting" } else { "active" };
    assert_eq!(fixture.see("a").await.status(), Some(user), "{when}");
    let calls = fixture.get("calls").await;
    let deletes: Vec<&Value> =
        calls.as_array().unwrap().iter().filter(|call| call["Action"] == "DeleteUser").collect();
    assert_eq!(deletes.len(), 1, "{calls}");
    assert_eq!((&deletes[0]["Status"], &deletes[0]["Code"]), (&status, &code), "{when}");
    assert_eq!(fixture.get("faults").await[0]["Fired"], 1);
}

/// All bytes that the emulator sends for DeleteUser over a plain connection.
fn bytes_of_delete(fixture: &EmulatorFixture) -> String {
    let mut stream = TcpStream::connect(fixture.url().trim_start_matches("http://")).unwrap();
    let body = "Action=DeleteUser&UserId=a";
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: test\r\nauthorization: {}\r\ncontent-length: {}\r\n\r\n{body}",
        authorization(ACCOUNT, REGION),
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn an_injected_error_strikes_before_or_after_the_effect_of_the_call() {
    for when in ["before", "after"] {
        let fault =
            json!({"Kind": "error", "Code": "InvalidUserState", "Message": "busy & <late>", "When": when});
        let fixture = with_fault(fault).await;
        let error = refused(fixture.sdk.delete_user().user_id("a").send().await);
        assert_eq!(error, Refused::new(400, "InvalidUserState", "busy & <late>"));
        check(&fixture, when, json!(400), json!("InvalidUserState")).await;
    }
    let fixture = with_fault(json!({"Kind": "error", "Code": "InternalFailure", "Status": 500})).await;
    let answer = fixture.raw(&DELETE).await;
    assert_eq!(answer.kind(), (500, "InternalFailure"));
    assert_eq!(answer.element("Type"), "Receiver");
    assert!(answer.body.contains("<Message/>"), "{}", answer.body);
    check(&fixture, "before", json!(500), json!("InternalFailure")).await;
}

#[tokio::test]
async fn an_injected_throttling_strikes_before_or_after_the_effect_of_the_call() {
    for when in ["before", "after"] {
        let fixture = with_fault(json!({"Kind": "throttle", "When": when})).await;
        let error = refused(fixture.sdk.delete_user().user_id("a").send().await);
        assert_eq!(error.kind(), (400, "Throttling"));
        assert!(error.message.starts_with("Rate exceeded"), "{error:?}");
        check(&fixture, when, json!(400), json!("Throttling")).await;
    }
}

#[tokio::test]
async fn an_injected_outage_strikes_before_or_after_the_effect_of_the_call() {
    for when in ["before", "after"] {
        let fixture = with_fault(json!({"Kind": "unavailable", "When": when})).await;
        let answer = fixture.raw(&DELETE).await;
        assert_eq!(answer.kind(), (503, "ServiceUnavailable"));
        check(&fixture, when, json!(503), json!("ServiceUnavailable")).await;
    }
}

#[tokio::test]
async fn an_injected_connection_reset_strikes_before_or_after_the_effect_of_the_call() {
    for when in ["before", "after"] {
        let fixture = with_fault(json!({"Kind": "reset", "When": when})).await;
        assert_eq!(bytes_of_delete(&fixture), "");
        check(&fixture, when, Value::Null, Value::Null).await;
    }
}

#[tokio::test]
async fn an_injected_hang_strikes_before_or_after_the_effect_of_the_call() {
    for when in ["before", "after"] {
        let fixture = with_fault(json!({"Kind": "hang", "Ms": 200, "When": when})).await;
        let start = Instant::now();
        assert_eq!(bytes_of_delete(&fixture), "");
        assert!(start.elapsed() >= Duration::from_millis(200));
        check(&fixture, when, Value::Null, Value::Null).await;
    }
}

#[tokio::test]
async fn an_injected_unreadable_answer_comes_before_or_after_the_effect_of_the_call() {
    for when in ["before", "after"] {
        let fixture = with_fault(json!({"Kind": "garbage", "When": when})).await;
        assert!(
            fixture.sdk.delete_user().user_id("a").send().await.is_err(),
            "the SDK must not be able to read the answer"
        );
        check(&fixture, when, json!(200), Value::Null).await;
    }
    let fixture = with_fault(json!({"Kind": "garbage"})).await;
    let answer = fixture.raw(&DELETE).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.body.is_empty() && !answer.body.contains("DeleteUser"), "{}", answer.body);
}

#[tokio::test]
async fn a_slow_answer_is_late_and_correct() {
    let fixture = with_fault(json!({"Kind": "slow", "Ms": 200})).await;
    let start = Instant::now();
    let user = fixture.sdk.delete_user().user_id("a").send().await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!(user.status(), Some("deleting"));
    check(&fixture, "after", json!(200), Value::Null).await;
}

#[tokio::test]
async fn a_slow_call_takes_effect_although_the_client_has_left() {
    let fixture = with_fault(json!({"Kind": "slow", "Ms": 1000})).await;
    let gone = tokio::time::timeout(Duration::from_millis(50), fixture.raw(&DELETE)).await;
    assert!(gone.is_err(), "the client must time out first");
    assert_eq!(fixture.see("a").await.status(), Some("active"), "the call must not have its effect yet");
    let deleting = || async { (fixture.see("a").await.status() == Some("deleting")).then_some(()) };
    eventually("the late effect", deleting).await;
    check(&fixture, "after", Value::Null, Value::Null).await;
}

#[tokio::test]
async fn a_truncated_answer_announces_its_full_length_and_sends_half() {
    let fixture = with_fault(json!({"Kind": "truncate"})).await;
    let answer = bytes_of_delete(&fixture);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let announced = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert_eq!(announced.parse::<usize>().unwrap() / 2, body.len(), "{answer}");
    assert!(body.starts_with("<DeleteUserResponse"), "{body}");
    check(&fixture, "after", json!(200), Value::Null).await;
    let fixture = with_fault(json!({"Kind": "truncate"})).await;
    assert!(
        fixture.sdk.delete_user().user_id("a").send().await.is_err(),
        "the SDK must notice that the answer is truncated"
    );
}

#[tokio::test]
async fn a_fault_matches_only_its_action_and_user() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("a").await;
    fixture.create("b").await;
    let rule = json!({"Kind": "throttle", "Action": "DescribeUsers", "UserId": "A", "Times": null});
    fixture.control("POST", "faults", rule).await;
    let describe = |id: &str| fixture.sdk.describe_users().user_id(id).send();
    describe("b").await.unwrap();
    fixture.sdk.describe_users().send().await.unwrap();
    fixture.sdk.modify_user().user_id("a").access_string("off").send().await.unwrap();
    for id in ["a", "A"] {
        assert_eq!(refused(describe(id).await).kind(), (400, "Throttling"));
    }
    assert_eq!(fixture.get("faults").await[0]["Fired"], 2);
    fixture.control("DELETE", "faults", Value::Null).await;
    fixture.control("POST", "faults", json!({"Kind": "throttle", "UserId": "a"})).await;
    let list = |id: &str| {
        let arn = format!("arn:aws:elasticache:eu-west-1:123456789012:user:{id}");
        fixture.sdk.list_tags_for_resource().resource_name(arn).send()
    };
    list("b").await.unwrap();
    assert_eq!(
        refused(list("a").await).kind(),
        (400, "Throttling"),
        "the fault must match the user in the ARN"
    );
}

#[tokio::test]
async fn skip_and_times_count_matching_calls() {
    let fixture = EmulatorFixture::start(quick());
    let describe = || fixture.sdk.describe_users().send();
    let rule = json!({"Kind": "throttle", "Action": "DescribeUsers", "Skip": 2, "Times": 2});
    fixture.control("POST", "faults", rule).await;
    fixture.sdk.describe_user_groups().send().await.unwrap();
    let mut outcomes = Vec::new();
    for _ in 0..6 {
        outcomes.push(describe().await.is_ok());
    }
    assert_eq!(outcomes, [true, true, false, false, true, true]);
    let listed = fixture.get("faults").await;
    assert_eq!(
        (listed.as_array().unwrap().len(), &listed[0]["Fired"]),
        (1, &json!(2)),
        "a used-up rule stays listed"
    );
}

#[tokio::test]
async fn the_first_fault_that_is_ready_strikes_and_hides_the_call_from_later_faults() {
    let fixture = EmulatorFixture::start(quick());
    for rule in [
        json!({"Kind": "error", "Code": "First", "Skip": 1}),
        json!({"Kind": "error", "Code": "Second", "Skip": 1, "Times": null}),
    ] {
        fixture.control("POST", "faults", rule).await;
    }
    let mut codes = Vec::new();
    for _ in 0..4 {
        let answer = fixture.raw(&[("Action", "DescribeUsers")]).await;
        codes.push(if answer.status == 200 { String::new() } else { answer.element("Code").to_owned() });
    }
    assert_eq!(codes, ["", "First", "Second", "Second"]);
}

#[tokio::test]
async fn the_rate_limit_is_checked_before_faults_and_faults_before_the_service_linked_role() {
    let fixture = EmulatorFixture::start(quick());
    fixture.control.settings(json!({"rate": "0.001:1", "no-service-linked-role": true})).await;
    fixture.control("POST", "faults", json!({"Kind": "error", "Code": "Fault"})).await;
    let call = || fixture.raw(&[("Action", "DescribeUsers")]);
    assert_eq!(call().await.kind(), (400, "Fault"));
    assert_eq!(call().await.kind(), (400, "Throttling"));
    fixture.control.settings(json!({"rate": "off"})).await;
    assert_eq!(call().await.kind(), (400, "ServiceLinkedRoleNotFoundFault"));
}
