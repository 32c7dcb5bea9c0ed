//! Users that are not ours, or that are in another account or region. The operator must not change them, and must not believe that
//! they are gone.

use elasticache_emulator::Rule;
use serde_json::{Value, json};

use super::{accepted_once, leaving, with_user};
use crate::fixture::{Fixture, PublishedEvent, anothers_tags, condition, iam, message};

#[tokio::test]
async fn a_user_that_got_the_tags_of_another_owner_is_not_deleted() {
    let fixture = leaving().await;
    fixture.ready("app", iam()).await;
    fixture.aws.put_user("app", json!({ "Tags": anothers_tags("orders") })).await;
    let before = fixture.aws.user("app").await.unwrap();
    fixture.deleted("app").await;
    assert_eq!(fixture.aws.user("app").await.unwrap(), before);
    assert_eq!(fixture.aws.calls_of("DeleteUser", "app").await.len(), 0);
    let PublishedEvent { kind, note, .. } = fixture.event("app", "UserOwnedByAnother").await;
    assert_eq!(kind, "Warning");
    assert!(note.contains("elsewhere") && note.contains("theirs") && note.contains("orders"), "{note}");
    fixture.end().await;
}

#[tokio::test]
async fn a_user_that_lost_its_owner_tags_gets_them_back_and_is_deleted_if_we_managed_it() {
    let fixture = with_user().await;
    fixture.aws.settings(json!({ "tag-window": "500ms" })).await;
    fixture.aws.put_user("app", json!({ "Tags": {} })).await;
    fixture.deleted("app").await;
    assert_eq!(fixture.aws.accepted("AddTagsToResource", "app").await, 1);
    accepted_once(fixture).await;
}

#[tokio::test]
async fn a_user_without_owner_tags_that_we_did_not_manage_is_not_deleted() {
    let fixture = leaving().await;
    fixture.ready("app", iam()).await;
    // Somebody deleted our user and created another user with the same ID.
    fixture.aws.remove_user("app").await;
    fixture.aws.put_user("app", json!({ "AccessString": "on ~theirs:* +@all" })).await;
    fixture.deleted("app").await;
    assert!(fixture.aws.user("app").await.is_some());
    assert_eq!(fixture.aws.calls_of("DeleteUser", "app").await.len(), 0);
    fixture.event("app", "UserAlreadyExists").await;
    fixture.end().await;
}

#[tokio::test]
async fn a_user_that_somebody_creates_after_our_delete_user_is_not_deleted() {
    let fixture = leaving().await;
    fixture.ready("app", iam()).await;
    let user = fixture.aws.user("app").await.unwrap();
    fixture.aws.settings(json!({ "delete-time": "60s" })).await;
    fixture.delete("app").await;
    fixture.shows("app", "deleting", |object| object["status"]["state"] == "deleting").await;
    replaced_by_equal_user(fixture, &user).await;
}

#[tokio::test]
async fn a_user_that_somebody_creates_after_our_unanswered_delete_user_is_not_deleted() {
    let fixture = leaving().await;
    fixture.ready("app", iam()).await;
    let user = fixture.aws.user("app").await.unwrap();
    fixture.aws.settings(json!({ "delete-time": "60s" })).await;
    let hang = Rule::on("DeleteUser").hang().after();
    let lost = fixture.aws.fault(hang).await;
    fixture.delete("app").await;
    fixture.aws.struck(lost, 1).await;
    // The operator does not see that the user goes, and another reason replaces the reason of the lost answer.
    let throttle = Rule::on("DescribeUsers").user("app").throttle().always();
    fixture.aws.fault(throttle).await;
    fixture.reason("app", "Throttled").await;
    replaced_by_equal_user(fixture, &user).await;
}

/// While no operator runs, the user goes, and somebody creates an equal user without the tags. Only the record of our DeleteUser
/// tells the two users apart.
async fn replaced_by_equal_user(fixture: Fixture, user: &Value) {
    fixture.kill();
    fixture.aws.remove_user("app").await;
    let same = json!({
        "AccessString": user["AccessString"], "Engine": user["Engine"], "UserName": user["UserName"],
        "Authentication": { "Type": "iam" }, "MinimumEngineVersion": user["MinimumEngineVersion"],
    });
    fixture.aws.put_user("app", same).await;
    fixture.aws.clear_faults().await;
    fixture.start();
    fixture.gone("app").await;
    assert!(fixture.aws.user("app").await.is_some());
    assert_eq!(fixture.aws.accepted("DeleteUser", "app").await, 1);
    fixture.end().await;
}

#[tokio::test]
async fn a_user_that_is_absent_in_another_region_or_account_is_not_believed_gone() {
    for env in [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "210987654321")] {
        let fixture = with_user().await;
        fixture.ready("stays", iam()).await;
        fixture.kill();
        fixture.start_with(&[(env.0, env.1.to_owned())]);
        fixture.delete("app").await;
        let object = fixture.reason("app", "WrongAWSAccount").await;
        assert!(message(&object).contains("us-east-1"), "{}", message(&object));
        fixture.event("app", "WrongAWSAccount").await;
        fixture.patch("stays", json!({ "spec": { "accessString": "on ~x +@all" } })).await;
        let object = fixture.reason("stays", "WrongAWSAccount").await;
        assert!(condition(&object, "Stalled").is_some());
        assert_eq!(
            fixture.aws.calls_of("CreateUser", "stays").await.len(),
            1,
            "the user was created in another account or region"
        );
        // The operator has its former region or account again, and the deletion goes on.
        fixture.kill();
        fixture.start();
        fixture.gone("app").await;
        fixture.wait_ready("stays").await;
        accepted_once(fixture).await;
    }
}

#[tokio::test]
async fn a_user_is_not_deleted_for_a_former_object_of_the_same_name() {
    let fixture = leaving().await;
    fixture.ready("app", iam()).await;
    fixture.aws.fault(Rule::on("DeleteUser").error("InvalidUserState", 400).times(2)).await;
    fixture.delete("app").await;
    fixture.reason("app", "InvalidUserState").await;
    // Somebody removes the finalizer by force and applies the same object again.
    fixture.patch("app", json!({ "metadata": { "finalizers": [] } })).await;
    fixture.ready("app", iam()).await;
    assert!(fixture.aws.user("app").await.is_some());
    assert_eq!(fixture.aws.accepted("DeleteUser", "app").await, 0);
    fixture.end().await;
}
