//! Users that are not ours, or not where we look: left alone, and never taken for gone.

use serde_json::{Value, json};

use super::{accepted_once, leaving, message, with_user};
use crate::stage::{Stage, condition, iam};

#[tokio::test]
async fn a_user_that_became_anothers_is_left_alone() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    let theirs = json!({
        "elasticache-users.dev/cluster": "elsewhere",
        "elasticache-users.dev/namespace": "theirs",
        "elasticache-users.dev/name": "orders",
    });
    stage.aws.put_user("app", json!({ "Tags": theirs })).await;
    let before = stage.aws.user("app").await.unwrap();
    stage.deleted("app").await;
    assert_eq!(stage.aws.user("app").await.unwrap(), before);
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 0);
    let (kind, _, note) = stage.event("app", "UserOwnedByAnother").await;
    assert_eq!(kind, "Warning");
    assert!(note.contains("elsewhere") && note.contains("theirs") && note.contains("orders"), "{note}");
    stage.end().await;
}

#[tokio::test]
async fn a_user_that_lost_its_tags_and_is_the_one_we_managed_gets_them_back_and_is_deleted() {
    let stage = with_user().await;
    stage.aws.settings(json!({ "tag-window": "500ms" })).await;
    stage.aws.put_user("app", json!({ "Tags": {} })).await;
    stage.deleted("app").await;
    assert_eq!(stage.aws.accepted("AddTagsToResource", "app").await, 1);
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_user_without_tags_that_is_not_the_one_we_managed_is_left_alone() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    // Somebody deleted ours and made another one of the same ID.
    stage.aws.remove_user("app").await;
    stage.aws.put_user("app", json!({ "AccessString": "on ~theirs:* +@all" })).await;
    stage.deleted("app").await;
    assert!(stage.aws.user("app").await.is_some());
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 0);
    stage.event("app", "UserAlreadyExists").await;
    stage.end().await;
}

#[tokio::test]
async fn a_user_that_another_made_after_our_delete_was_accepted_is_left_alone() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    let user = stage.aws.user("app").await.unwrap();
    stage.aws.settings(json!({ "delete-time": "60s" })).await;
    stage.delete("app").await;
    stage.shows("app", "deleting", |object| object["status"]["state"] == "deleting").await;
    outlived_by_its_twin(stage, &user).await;
}

#[tokio::test]
async fn so_is_one_that_came_after_our_delete_was_accepted_without_an_answer() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    let user = stage.aws.user("app").await.unwrap();
    stage.aws.settings(json!({ "delete-time": "60s" })).await;
    let hang = json!({ "Action": "DeleteUser", "Kind": "hang", "Ms": 60_000, "When": "after" });
    let lost = stage.aws.fault(hang).await;
    stage.delete("app").await;
    stage.aws.struck(lost, 1).await;
    // Nobody sees the user go, and another reason writes over that of the lost answer.
    let throttle = json!({ "Action": "DescribeUsers", "UserId": "app", "Kind": "throttle", "Times": null });
    stage.aws.fault(throttle).await;
    stage.reason("app", "Throttled").await;
    outlived_by_its_twin(stage, &user).await;
}

/// While no operator runs, AWS lets the user go, and somebody makes the very same again, but for the tags: only the record
/// of our DeleteUser tells them apart.
async fn outlived_by_its_twin(stage: Stage, user: &Value) {
    stage.kill();
    stage.aws.remove_user("app").await;
    let same = json!({
        "AccessString": user["AccessString"], "Engine": user["Engine"], "UserName": user["UserName"],
        "Authentication": { "Type": "iam" }, "MinimumEngineVersion": user["MinimumEngineVersion"],
    });
    stage.aws.put_user("app", same).await;
    stage.aws.heal().await;
    stage.start();
    stage.gone("app").await;
    assert!(stage.aws.user("app").await.is_some());
    assert_eq!(stage.aws.accepted("DeleteUser", "app").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn another_region_or_account_never_counts_as_gone() {
    for env in [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "210987654321")] {
        let stage = with_user().await;
        stage.ready("stays", iam()).await;
        stage.kill();
        stage.start_with(&[(env.0, env.1.to_owned())]);
        stage.delete("app").await;
        let object = stage.reason("app", "WrongAWSAccount").await;
        assert!(message(&object).contains("us-east-1"), "{}", message(&object));
        stage.event("app", "WrongAWSAccount").await;
        stage.patch("stays", json!({ "spec": { "accessString": "on ~x +@all" } })).await;
        let object = stage.reason("stays", "WrongAWSAccount").await;
        assert!(condition(&object, "Stalled").is_some());
        assert_eq!(stage.aws.calls_of("CreateUser", "stays").await.len(), 1, "created elsewhere");
        // The former place again: it goes on.
        stage.kill();
        stage.start();
        stage.gone("app").await;
        stage.is_ready("stays").await;
        accepted_once(stage).await;
    }
}

#[tokio::test]
async fn a_stale_object_of_the_same_name_is_not_mixed_up() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    stage
        .aws
        .fault(json!({ "Action": "DeleteUser", "Kind": "error", "Code": "InvalidUserState", "Times": 2 }))
        .await;
    stage.delete("app").await;
    stage.reason("app", "InvalidUserState").await;
    // Somebody takes the finalizer off by force and applies the same object again.
    stage.patch("app", json!({ "metadata": { "finalizers": [] } })).await;
    stage.ready("app", iam()).await;
    assert!(stage.aws.user("app").await.is_some());
    assert_eq!(stage.aws.accepted("DeleteUser", "app").await, 0);
    stage.end().await;
}
