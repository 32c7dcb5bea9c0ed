//! Users that stay because somebody wants it so: `deletionPolicy: Retain`, the default policy, and `prevent-deletion`.

use serde_json::{Value, json};

use super::{accepted_once, leaving, message, with_user};
use crate::stage::{Setting, Stage, iam, until};

#[tokio::test]
async fn retain_leaves_the_user_and_says_how_to_hand_it_over() {
    let stage = leaving().await;
    let mut spec = iam();
    spec["deletionPolicy"] = json!("Retain");
    stage.ready("app", spec).await;
    // Once DescribeUsers has shown the user, the CreateUser is history.
    stage.nudge("app").await;
    stage.shows("app", "echo", |object| object["status"]["lastHandledReconcileAt"] == "now").await;
    let before = stage.aws.user("app").await.unwrap();
    let calls = stage.aws.calls().await.len();
    stage.deleted("app").await;
    assert_eq!(stage.aws.user("app").await.unwrap(), before);
    let (_, _, note) = stage.event("app", "Retained").await;
    assert!(note.contains("remove-tags-from-resource") && note.contains(":user:app"), "{note}");
    assert_eq!(stage.aws.calls().await.len(), calls, "Retain needs no AWS call");
    stage.end().await;
}

#[tokio::test]
async fn retain_set_while_terminating_gets_out() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    stage.aws.fault(json!({ "Action": "DeleteUser", "Kind": "error", "Code": "AccessDenied", "Status": 403, "Times": null })).await;
    stage.delete("app").await;
    stage.reason("app", "AccessDenied").await;
    stage.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    stage.gone("app").await;
    assert!(stage.aws.user("app").await.is_some());
    stage.event("app", "Retained").await;
    stage.end().await;
}

#[tokio::test]
async fn retain_that_comes_too_late_says_so() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    stage.aws.settings(json!({ "delete-time": "60s" })).await;
    stage.delete("app").await;
    stage.shows("app", "deleting", |object| object["status"]["state"] == "deleting").await;
    stage.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    stage.gone("app").await;
    // Not `Retained`, which would be untrue: AWS deletes the user all the same.
    until("the event that says so", || async {
        let events = stage.events("app").await;
        assert!(events.iter().all(|(_, reason, _)| reason != "Retained"), "{events:#?}");
        events.into_iter().find(|(_, _, note)| note.contains("accepted before"))
    })
    .await;
    stage.end().await;
}

#[tokio::test]
async fn the_operators_default_policy_holds_where_the_object_has_none() {
    let env = vec![("DEFAULT_DELETION_POLICY", "Retain".to_owned())];
    let stage = Stage::set(Setting { leaves_users: true, env, ..Setting::default() }).await;
    stage.ready("kept", iam()).await;
    let mut spec = iam();
    spec["deletionPolicy"] = json!("Delete");
    stage.ready("gone", spec).await;
    stage.deleted("kept").await;
    stage.deleted("gone").await;
    assert!(stage.aws.user("kept").await.is_some());
    assert!(stage.aws.user("gone").await.is_none());
    stage.end().await;
}

#[tokio::test]
async fn prevent_deletion_holds_without_an_aws_call() {
    let stage = with_user().await;
    let protection = |value: Value| json!({ "metadata": { "annotations": { "elasticache-users.dev/prevent-deletion": value } } });
    stage.patch("app", protection(json!("true"))).await;
    // The pass that the annotation caused is over once its look is answered.
    let calls = until("the pass has looked", || async {
        let calls = stage.aws.calls_of("DescribeUsers", "app").await.len();
        (calls >= 2).then_some(calls)
    })
    .await;
    stage.delete("app").await;
    let object = stage.reason("app", "DeletionProtected").await;
    assert!(message(&object).contains("prevent-deletion"));
    stage.event("app", "DeletionProtected").await;
    // Not even the policy gets past it.
    stage.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    stage
        .shows("app", "the edit is seen", |object| {
            object["status"]["observedGeneration"] == object["metadata"]["generation"]
                && object["spec"]["deletionPolicy"] == "Retain"
        })
        .await;
    assert_eq!(stage.aws.calls_of("DescribeUsers", "app").await.len(), calls);
    stage.patch("app", json!({ "spec": { "deletionPolicy": "Delete" } })).await;
    stage.patch("app", protection(Value::Null)).await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn retain_gets_out_of_another_region() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    stage.kill();
    stage.start_with(&[("AWS_REGION", "eu-west-1".to_owned())]);
    stage.delete("app").await;
    stage.reason("app", "WrongAWSAccount").await;
    stage.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    stage.gone("app").await;
    assert!(stage.aws.user("app").await.is_some());
    stage.end().await;
}
