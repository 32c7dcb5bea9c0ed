//! Users that stay because somebody wants them to stay: `deletionPolicy: Retain`, the default policy, and `prevent-deletion`.

use elasticache_emulator::Rule;
use serde_json::{Value, json};

use super::{accepted_once, leaving, with_user};
use crate::fixture::{iam, is_observed, message, prevent_deletion, until, with};

#[tokio::test]
async fn retain_leaves_the_user_and_says_how_to_hand_it_over() {
    let fixture = leaving().await;
    fixture.ready("app", with(iam(), json!({ "deletionPolicy": "Retain" }))).await;
    // After this pass, status says that DescribeUsers has shown the user, so that CreateUser is settled.
    fixture.acknowledge("app").await;
    let before = fixture.aws.user("app").await.unwrap();
    let calls = fixture.aws.calls().await.len();
    fixture.deleted("app").await;
    assert_eq!(fixture.aws.user("app").await.unwrap(), before);
    let note = fixture.event("app", "Retained").await.note;
    assert!(note.contains("remove-tags-from-resource") && note.contains(":user:app"), "{note}");
    assert_eq!(fixture.aws.calls().await.len(), calls, "Retain needs no AWS call");
    fixture.end().await;
}

#[tokio::test]
async fn retain_that_is_set_while_terminating_ends_a_blocked_deletion() {
    let fixture = leaving().await;
    fixture.ready("app", iam()).await;
    fixture.aws.fault(Rule::on("DeleteUser").error("AccessDenied", 403).always()).await;
    fixture.delete("app").await;
    fixture.reason("app", "AccessDenied").await;
    fixture.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    fixture.gone("app").await;
    assert!(fixture.aws.user("app").await.is_some());
    fixture.event("app", "Retained").await;
    fixture.end().await;
}

#[tokio::test]
async fn retain_that_is_set_after_delete_user_reports_that_the_user_is_deleted() {
    let fixture = leaving().await;
    fixture.ready("app", iam()).await;
    fixture.aws.settings(json!({ "delete-time": "60s" })).await;
    fixture.delete("app").await;
    fixture.shows("app", "deleting", |object| object["status"]["state"] == "deleting").await;
    fixture.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    fixture.gone("app").await;
    // The event must not be `Retained`, because AWS deletes the user.
    until("the event that says so", || async {
        let events = fixture.events("app").await;
        assert!(events.iter().all(|event| event.reason != "Retained"), "{events:#?}");
        events.into_iter().find(|event| event.note.contains("accepted DeleteUser before"))
    })
    .await;
    fixture.end().await;
}

#[tokio::test]
async fn prevent_deletion_holds_a_terminating_object_without_an_aws_call() {
    let fixture = with_user().await;
    fixture.patch("app", prevent_deletion(true)).await;
    // The annotation starts a pass. It is over once its DescribeUsers is answered.
    let calls = until("the pass has looked", || async {
        let calls = fixture.aws.calls_of("DescribeUsers", "app").await.len();
        (calls >= 1).then_some(calls)
    })
    .await;
    fixture.delete("app").await;
    let object = fixture.reason("app", "DeletionProtected").await;
    assert!(message(&object).contains("prevent-deletion"));
    fixture.event("app", "DeletionProtected").await;
    // Not even `Retain` ends the wait.
    fixture.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    let seen = |object: &Value| is_observed(object) && object["spec"]["deletionPolicy"] == "Retain";
    fixture.shows("app", "the edit is seen", seen).await;
    assert_eq!(fixture.aws.calls_of("DescribeUsers", "app").await.len(), calls);
    fixture.patch("app", json!({ "spec": { "deletionPolicy": "Delete" } })).await;
    fixture.patch("app", prevent_deletion(false)).await;
    fixture.gone("app").await;
    accepted_once(fixture).await;
}

#[tokio::test]
async fn retain_ends_a_deletion_that_waits_for_another_region() {
    let fixture = leaving().await;
    fixture.ready("app", iam()).await;
    fixture.kill();
    fixture.start_with(&[("AWS_REGION", "eu-west-1".to_owned())]);
    fixture.delete("app").await;
    fixture.reason("app", "WrongAWSAccount").await;
    fixture.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    fixture.gone("app").await;
    assert!(fixture.aws.user("app").await.is_some());
    fixture.end().await;
}
