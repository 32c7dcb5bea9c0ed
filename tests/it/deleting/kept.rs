//! Users that stay because somebody wants it so: `deletionPolicy: Retain`, the default policy, and `prevent-deletion`.

use elasticache_emulator::Rule;
use serde_json::{Value, json};

use super::{accepted_once, leaving, with_user};
use crate::fixture::{iam, is_observed, message, prevent_deletion, until, with};

#[tokio::test]
async fn retain_leaves_the_user_and_says_how_to_hand_it_over() {
    let fixture = leaving().await;
    fixture.ready("app", with(iam(), json!({ "deletionPolicy": "Retain" }))).await;
    // Once DescribeUsers has shown the user, the CreateUser is history.
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
async fn retain_set_while_terminating_gets_out() {
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
async fn retain_that_comes_too_late_says_so() {
    let fixture = leaving().await;
    fixture.ready("app", iam()).await;
    fixture.aws.settings(json!({ "delete-time": "60s" })).await;
    fixture.delete("app").await;
    fixture.shows("app", "deleting", |object| object["status"]["state"] == "deleting").await;
    fixture.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    fixture.gone("app").await;
    // Not `Retained`, which would be untrue: AWS deletes the user all the same.
    until("the event that says so", || async {
        let events = fixture.events("app").await;
        assert!(events.iter().all(|event| event.reason != "Retained"), "{events:#?}");
        events.into_iter().find(|event| event.note.contains("accepted DeleteUser before"))
    })
    .await;
    fixture.end().await;
}

#[tokio::test]
async fn prevent_deletion_holds_without_an_aws_call() {
    let fixture = with_user().await;
    fixture.patch("app", prevent_deletion(true)).await;
    // The pass that the annotation caused is over once its look is answered.
    let calls = until("the pass has looked", || async {
        let calls = fixture.aws.calls_of("DescribeUsers", "app").await.len();
        (calls >= 1).then_some(calls)
    })
    .await;
    fixture.delete("app").await;
    let object = fixture.reason("app", "DeletionProtected").await;
    assert!(message(&object).contains("prevent-deletion"));
    fixture.event("app", "DeletionProtected").await;
    // Not even the policy gets past it.
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
async fn retain_gets_out_of_another_region() {
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
