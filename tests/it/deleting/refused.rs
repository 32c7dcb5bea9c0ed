//! AWS refuses a call of a deletion, or its answer is lost or unreadable. The operator reports it and tries again.

use elasticache_emulator::Rule;
use serde_json::json;

use super::{accepted_once, leaving, with_user};
use crate::fixture::{Fixture, iam, message};

#[tokio::test]
async fn a_deletion_that_is_refused_again_and_again_writes_nothing_more() {
    let fixture = with_user().await;
    let refusal = Rule::on("DeleteUser").error("InvalidUserState", 400).always();
    let fault = fixture.aws.fault(refusal).await;
    fixture.delete("app").await;
    fixture.reason("app", "InvalidUserState").await;
    fixture.event("app", "InvalidUserState").await;
    fixture.aws.struck(fault, 2).await;
    let statuses = || fixture.writes().map(|writes| writes.statuses);
    let (versions, before) = (fixture.versions("app").len(), statuses());
    let told = fixture.versions("app").pop().unwrap();
    assert!(
        told["status"]["lastApplied"].is_null(),
        "lastApplied must be null from the intent on, because the answer may be lost: {told:#}"
    );
    fixture.aws.struck(fault, 6).await;
    assert_eq!(fixture.versions("app").len(), versions, "{:#?}", &fixture.versions("app")[versions - 1..]);
    assert_eq!(statuses(), before);
    fixture.aws.clear_faults().await;
    fixture.gone("app").await;
    accepted_once(fixture).await;
}

#[tokio::test]
async fn a_user_that_loses_its_tags_while_aws_refuses_its_deletion_is_still_deleted() {
    let fixture = with_user().await;
    let refusal = Rule::on("DeleteUser").error("InvalidUserState", 400).always();
    let fault = fixture.aws.fault(refusal).await;
    fixture.delete("app").await;
    fixture.aws.struck(fault, 2).await;
    fixture.aws.put_user("app", json!({ "Tags": {} })).await;
    fixture.aws.clear_faults().await;
    fixture.gone("app").await;
    assert_eq!(fixture.aws.accepted("AddTagsToResource", "app").await, 1);
    accepted_once(fixture).await;
}

#[tokio::test]
async fn a_user_that_lost_its_tags_is_not_deleted_by_an_operator_that_did_not_see_the_refusal() {
    let fixture = leaving().await;
    fixture.ready("app", iam()).await;
    fixture.aws.fault(Rule::on("DeleteUser").error("InvalidUserState", 400).always()).await;
    fixture.delete("app").await;
    fixture.reason("app", "InvalidUserState").await;
    fixture.kill();
    fixture.aws.put_user("app", json!({ "Tags": {} })).await;
    fixture.start();
    fixture.gone("app").await;
    assert!(fixture.aws.user("app").await.is_some());
    fixture.event("app", "UserAlreadyExists").await;
    fixture.end().await;
}

#[tokio::test]
async fn user_not_found_from_delete_user_does_not_end_a_deletion() {
    let fixture = with_user().await;
    fixture.aws.fault(Rule::on("DeleteUser").error("UserNotFound", 404)).await;
    fixture.deleted("app").await;
    assert_eq!(fixture.aws.calls_of("DeleteUser", "app").await.len(), 2);
    accepted_once(fixture).await;
}

#[tokio::test]
async fn user_not_found_from_a_tagging_call_does_not_end_a_deletion() {
    let fixture = with_user().await;
    fixture.kill();
    let fault = fixture.aws.fault(Rule::on("ListTagsForResource").error("UserNotFound", 404).always()).await;
    fixture.delete("app").await;
    fixture.start();
    fixture.aws.struck(fault, 3).await;
    fixture.reason("app", "WaitingForUserActive").await;
    assert!(fixture.versions("app").last().unwrap()["metadata"]["finalizers"].is_array());
    assert_eq!(fixture.aws.calls_of("DeleteUser", "app").await.len(), 0);
    fixture.aws.clear_faults().await;
    fixture.gone("app").await;
    accepted_once(fixture).await;
}

/// What AWS answers to DeleteUser, and what the object reports.
struct Refusal {
    code: &'static str,
    status: u16,
    reason: &'static str,
    says: &'static str,
}

#[tokio::test]
async fn refusals_of_aws_during_a_deletion_are_reported_and_retried() {
    let denied = "User: arn:aws:iam::1:role/r is not authorized to perform: elasticache:DeleteUser";
    let row = |code, status, reason, says| Refusal { code, status, reason, says };
    let role = "aws iam create-service-linked-role";
    let rows = [
        row("ServiceLinkedRoleNotFoundFault", 400, "ServiceLinkedRoleMissing", role),
        row("InvalidParameterValue", 400, "AWSRefused", "InvalidParameterValue"),
        row("AccessDenied", 403, "AccessDenied", "elasticache:DeleteUser"),
        row("ExpiredToken", 403, "CredentialsUnavailable", "ExpiredToken"),
        row("SomethingNew", 400, "AWSRefused", "SomethingNew"),
        row("Throttling", 400, "Throttled", "Throttling"),
        row("ServiceUnavailable", 503, "AWSUnavailable", "ServiceUnavailable"),
    ];
    let fixture = Fixture::new().await;
    for (index, Refusal { code, status, reason, says }) in rows.iter().enumerate() {
        let name = format!("app-{index}");
        fixture.ready(&name, iam()).await;
        let rule = Rule::on("DeleteUser").user(&name).error(code, *status).message(denied);
        fixture.aws.fault(rule.always()).await;
        fixture.delete(&name).await;
        let object = fixture.reason(&name, reason).await;
        assert!(message(&object).contains(says), "{code}: {}", message(&object));
        fixture.event(&name, reason).await;
    }
    fixture.aws.clear_faults().await;
    for index in 0..rows.len() {
        let name = format!("app-{index}");
        fixture.request_reconcile(&name).await;
        fixture.gone(&name).await;
        assert_eq!(fixture.aws.accepted("DeleteUser", &name).await, 1);
    }
    fixture.end().await;
}

/// An object, and the fault that its deletion meets.
struct Spoilt {
    name: String,
    fault: u64,
    /// The number of DeleteUser calls that it takes.
    calls: usize,
}

#[tokio::test]
async fn a_deletion_ends_although_answers_of_aws_are_lost_or_unreadable() {
    // Each fault with the number of DeleteUser calls: there is a second call only if the first one had no effect.
    let rule = Rule::any;
    let kinds = [
        (rule().reset(), 2),
        (rule().reset().after(), 1),
        (rule().garbage(), 2),
        (rule().garbage().after(), 1),
        (rule().unavailable(), 2),
        (rule().unavailable().after(), 1),
        (rule().hang(), 2),
        (rule().hang().after(), 1),
        (rule().throttle(), 2),
        (rule().truncate(), 1),
        (rule().slow(500), 1),
    ];
    let fixture = Fixture::new().await;
    let mut spoilt = Vec::new();
    for action in ["DescribeUsers", "ListTagsForResource", "DeleteUser"] {
        for (index, (kind, calls)) in kinds.iter().enumerate() {
            let name = format!("app-{}-{index}", action.to_lowercase());
            fixture.ready(&name, iam()).await;
            let fault = fixture.aws.fault(kind.clone().action(action).user(&name)).await;
            fixture.delete(&name).await;
            let calls = if action == "DeleteUser" { *calls } else { 1 };
            spoilt.push(Spoilt { name, fault, calls });
        }
    }
    for Spoilt { name, fault, calls } in spoilt {
        fixture.gone(&name).await;
        assert_eq!(fixture.aws.fired(fault).await, 1, "{name}");
        assert_eq!(fixture.aws.calls_of("DeleteUser", &name).await.len(), calls, "{name}");
    }
    fixture.end().await;
}

#[tokio::test]
async fn a_deletion_survives_throttling() {
    let fixture = Fixture::new().await;
    for index in 0..8 {
        fixture.ready(&format!("app-{index}"), iam()).await;
    }
    fixture.aws.settings(json!({ "rate": "3:3" })).await;
    for index in 0..8 {
        fixture.delete(&format!("app-{index}")).await;
    }
    for index in 0..8 {
        let name = format!("app-{index}");
        fixture.gone(&name).await;
        assert_eq!(fixture.aws.accepted("DeleteUser", &name).await, 1);
    }
    fixture.end().await;
}

#[tokio::test]
async fn a_deletion_goes_on_after_an_outage_of_aws() {
    let fixture = with_user().await;
    let fault = fixture.aws.fault(Rule::any().unavailable().always()).await;
    fixture.delete("app").await;
    fixture.reason("app", "AWSUnavailable").await;
    fixture.aws.struck(fault, 3).await;
    fixture.aws.clear_faults().await;
    fixture.gone("app").await;
    accepted_once(fixture).await;
}
