//! What AWS refuses on the way out, and answers that are spoilt: told, waited out, never terminal.

use serde_json::{Value, json};

use super::{accepted_once, leaving, message, with_user};
use crate::stage::{Stage, iam};

#[tokio::test]
async fn invalid_user_state_is_backed_off_from() {
    let rule = |times: Value| json!({ "Action": "DeleteUser", "Kind": "error", "Code": "InvalidUserState", "Times": times });
    for times in [1_u64, 3] {
        let stage = with_user().await;
        let fault = stage.aws.fault(rule(json!(times))).await;
        stage.deleted("app").await;
        assert_eq!(stage.aws.fired(fault).await, times);
        accepted_once(stage).await;
    }
    let stage = with_user().await;
    let fault = stage.aws.fault(rule(Value::Null)).await;
    stage.delete("app").await;
    stage.reason("app", "InvalidUserState").await;
    stage.event("app", "InvalidUserState").await;
    stage.aws.struck(fault, 4).await;
    stage.aws.heal().await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_deletion_that_is_refused_again_and_again_writes_nothing_more() {
    let stage = with_user().await;
    let refusal =
        json!({ "Action": "DeleteUser", "Kind": "error", "Code": "InvalidUserState", "Times": null });
    let fault = stage.aws.fault(refusal).await;
    stage.delete("app").await;
    stage.reason("app", "InvalidUserState").await;
    stage.aws.struck(fault, 2).await;
    let statuses = || stage.writes().map(|writes| writes.statuses);
    let (versions, before) = (stage.versions("app").len(), statuses());
    let told = stage.versions("app").pop().unwrap();
    assert!(told["status"]["lastApplied"].is_null(), "a lost answer could hide behind it: {told:#}");
    stage.aws.struck(fault, 6).await;
    assert_eq!(stage.versions("app").len(), versions, "{:#?}", &stage.versions("app")[versions - 1..]);
    assert_eq!(statuses(), before);
    stage.aws.heal().await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_user_that_lost_its_tags_while_its_deletion_was_refused_is_deleted_still() {
    let stage = with_user().await;
    let refusal =
        json!({ "Action": "DeleteUser", "Kind": "error", "Code": "InvalidUserState", "Times": null });
    let fault = stage.aws.fault(refusal).await;
    stage.delete("app").await;
    stage.aws.struck(fault, 2).await;
    stage.aws.put_user("app", json!({ "Tags": {} })).await;
    stage.aws.heal().await;
    stage.gone("app").await;
    assert_eq!(stage.aws.accepted("AddTagsToResource", "app").await, 1);
    accepted_once(stage).await;
}

#[tokio::test]
async fn it_is_left_and_told_by_an_operator_that_did_not_see_the_refusal() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    stage
        .aws
        .fault(json!({ "Action": "DeleteUser", "Kind": "error", "Code": "InvalidUserState", "Times": null }))
        .await;
    stage.delete("app").await;
    stage.reason("app", "InvalidUserState").await;
    stage.kill();
    stage.aws.put_user("app", json!({ "Tags": {} })).await;
    stage.start();
    stage.gone("app").await;
    assert!(stage.aws.user("app").await.is_some());
    stage.event("app", "UserAlreadyExists").await;
    stage.end().await;
}

#[tokio::test]
async fn user_not_found_from_delete_user_is_no_proof() {
    let stage = with_user().await;
    stage
        .aws
        .fault(json!({ "Action": "DeleteUser", "Kind": "error", "Code": "UserNotFound", "Status": 404 }))
        .await;
    stage.deleted("app").await;
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 2);
    accepted_once(stage).await;
}

#[tokio::test]
async fn user_not_found_from_a_tagging_call_changes_nothing() {
    let stage = with_user().await;
    stage.kill();
    let fault = stage
        .aws
        .fault(json!({ "Action": "ListTagsForResource", "Kind": "error", "Code": "UserNotFound", "Status": 404, "Times": null }))
        .await;
    stage.delete("app").await;
    stage.start();
    stage.aws.struck(fault, 3).await;
    stage.reason("app", "WaitingForUserActive").await;
    assert!(stage.versions("app").last().unwrap()["metadata"]["finalizers"].is_array());
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 0);
    stage.aws.heal().await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn refusals_are_told_and_never_terminal() {
    let denied = "User: arn:aws:iam::1:role/r is not authorized to perform: elasticache:DeleteUser";
    let rows = [
        ("ServiceLinkedRoleNotFoundFault", 400, "ServiceLinkedRoleMissing", "create-service-linked-role"),
        ("InvalidParameterValue", 400, "AWSRefused", "InvalidParameterValue"),
        ("AccessDenied", 403, "AccessDenied", "elasticache:DeleteUser"),
        ("ExpiredToken", 403, "CredentialsUnavailable", "ExpiredToken"),
        ("SomethingNew", 400, "AWSRefused", "SomethingNew"),
        ("Throttling", 400, "Throttled", "Throttling"),
        ("ServiceUnavailable", 503, "AWSUnavailable", "ServiceUnavailable"),
    ];
    let stage = Stage::new().await;
    for (index, (code, status, reason, says)) in rows.into_iter().enumerate() {
        let name = format!("app-{index}");
        stage.ready(&name, iam()).await;
        let rule = json!({
            "Action": "DeleteUser", "UserId": name, "Kind": "error",
            "Code": code, "Status": status, "Message": denied, "Times": null,
        });
        stage.aws.fault(rule).await;
        stage.delete(&name).await;
        let object = stage.reason(&name, reason).await;
        assert!(message(&object).contains(says), "{code}: {}", message(&object));
        stage.event(&name, reason).await;
    }
    stage.aws.heal().await;
    for index in 0..rows.len() {
        let name = format!("app-{index}");
        stage.nudge(&name).await;
        stage.gone(&name).await;
        assert_eq!(stage.aws.accepted("DeleteUser", &name).await, 1);
    }
    stage.end().await;
}

#[tokio::test]
async fn a_missing_service_linked_role_is_told_with_its_command() {
    let stage = with_user().await;
    stage.aws.settings(json!({ "no-service-linked-role": true })).await;
    stage.delete("app").await;
    let object = stage.reason("app", "ServiceLinkedRoleMissing").await;
    assert!(message(&object).contains("aws iam create-service-linked-role"), "{}", message(&object));
    stage.aws.settings(json!({ "no-service-linked-role": false })).await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn spoilt_answers_are_gone_through() {
    // Each with the number of DeleteUser calls that it takes: a second one only where the first had no effect.
    let kinds = [
        (json!({ "Kind": "reset", "When": "before" }), 2),
        (json!({ "Kind": "reset", "When": "after" }), 1),
        (json!({ "Kind": "garbage", "When": "before" }), 2),
        (json!({ "Kind": "garbage", "When": "after" }), 1),
        (json!({ "Kind": "unavailable", "When": "before" }), 2),
        (json!({ "Kind": "unavailable", "When": "after" }), 1),
        (json!({ "Kind": "hang", "Ms": 60_000, "When": "before" }), 2),
        (json!({ "Kind": "hang", "Ms": 60_000, "When": "after" }), 1),
        (json!({ "Kind": "throttle", "When": "before" }), 2),
        (json!({ "Kind": "truncate" }), 1),
        (json!({ "Kind": "slow", "Ms": 500 }), 1),
    ];
    let stage = Stage::new().await;
    let mut spoilt = Vec::new();
    for action in ["DescribeUsers", "ListTagsForResource", "DeleteUser"] {
        for (index, (kind, calls)) in kinds.iter().enumerate() {
            let name = format!("app-{}-{index}", action.to_lowercase());
            stage.ready(&name, iam()).await;
            let mut rule = kind.clone();
            rule["Action"] = json!(action);
            rule["UserId"] = json!(name);
            let fault = stage.aws.fault(rule).await;
            stage.delete(&name).await;
            spoilt.push((name, fault, if action == "DeleteUser" { *calls } else { 1 }));
        }
    }
    for (name, fault, calls) in spoilt {
        stage.gone(&name).await;
        assert_eq!(stage.aws.fired(fault).await, 1, "{name}");
        assert_eq!(stage.aws.calls_of("DeleteUser", &name).await.len(), calls, "{name}");
    }
    stage.end().await;
}

#[tokio::test]
async fn throttling_by_the_service_is_gone_through() {
    let stage = Stage::new().await;
    for index in 0..8 {
        stage.ready(&format!("app-{index}"), iam()).await;
    }
    stage.aws.settings(json!({ "rate": "3:3" })).await;
    for index in 0..8 {
        stage.delete(&format!("app-{index}")).await;
    }
    for index in 0..8 {
        let name = format!("app-{index}");
        stage.gone(&name).await;
        assert_eq!(stage.aws.accepted("DeleteUser", &name).await, 1);
    }
    stage.end().await;
}

#[tokio::test]
async fn an_outage_on_the_way_out_is_outlasted() {
    let stage = with_user().await;
    let fault = stage.aws.fault(json!({ "Action": null, "Kind": "unavailable", "Times": null })).await;
    stage.delete("app").await;
    stage.reason("app", "AWSUnavailable").await;
    stage.aws.struck(fault, 3).await;
    stage.aws.heal().await;
    stage.gone("app").await;
    accepted_once(stage).await;
}
