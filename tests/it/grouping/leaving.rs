//! Members that are deleted, that only observe, and that are suspended.

use serde_json::{Value, json};

use super::{count, member_of, members};
use crate::fixture::{Fixture, Setup, condition, iam_user, is_ready, message, until, with};

async fn group_calls(fixture: &Fixture) -> usize {
    count(fixture, "DescribeUserGroups").await + count(fixture, "ModifyUserGroup").await
}

async fn valkey_group(fixture: &Fixture, members: &[&str]) {
    fixture.aws.put_group("cache", json!({ "Engine": "valkey", "UserIds": members })).await;
}

#[tokio::test]
async fn the_last_member_of_a_valkey_group_is_deleted_without_a_group_call() {
    let fixture = Fixture::new().await;
    valkey_group(&fixture, &[]).await;
    fixture.ready("app", member_of(&["cache"])).await;
    let calls = group_calls(&fixture).await;
    fixture.deleted("app").await;
    assert_eq!((members(&fixture, "cache").await, group_calls(&fixture).await), (vec![], calls));
    fixture.end().await;
}

#[tokio::test]
async fn a_member_is_deleted_while_its_group_is_modifying_and_after_its_group_was_deleted() {
    let fixture = Fixture::new().await;
    valkey_group(&fixture, &[]).await;
    for name in ["first", "second"] {
        fixture.ready(name, member_of(&["cache"])).await;
    }
    let calls = group_calls(&fixture).await;
    fixture.aws.put_group("cache", json!({ "Status": "modifying" })).await;
    fixture.deleted("first").await;
    fixture.aws.remove_group("cache").await;
    fixture.deleted("second").await;
    assert_eq!(group_calls(&fixture).await, calls);
    fixture.end().await;
}

#[tokio::test]
async fn an_object_that_waits_for_its_group_is_deleted_at_once() {
    let fixture = Fixture::new().await;
    fixture.aws.put_group("cache", json!({ "Engine": "valkey", "Status": "creating" })).await;
    fixture.create("app", member_of(&["cache"])).await;
    fixture.reason("app", "WaitingForUserGroup").await;
    fixture.deleted("app").await;
    fixture.aws.put_group("cache", json!({ "Status": "active" })).await;
    assert_eq!(count(&fixture, "ModifyUserGroup").await, 0);
    fixture.end().await;
}

#[tokio::test]
async fn the_default_user_of_a_redis_group_and_another_member_are_deleted_together() {
    let fixture = Fixture::new().await;
    fixture.aws.put_group("cache", json!({ "UserIds": ["default"] })).await;
    let default = json!({ "userName": "default", "engine": "redis", "accessString": "off -@all",
        "authentication": { "type": "no-password-required" }, "userGroupIDs": ["cache"] });
    fixture.ready("mine", default).await;
    fixture.ready("app", with(member_of(&["cache"]), json!({ "engine": "redis" }))).await;
    for name in ["mine", "app"] {
        fixture.delete(name).await;
    }
    for name in ["mine", "app"] {
        fixture.gone(name).await;
    }
    until("AWS's own default user is alone in the group", || async {
        (fixture.aws.list("groups").await.unwrap()[0]["UserIds"] == json!(["default"])).then_some(())
    })
    .await;
    fixture.end().await;
}

#[tokio::test]
async fn an_observing_object_lists_missing_and_superfluous_memberships_without_a_group_call() {
    let fixture = Fixture::with(Setup::leaving_users()).await;
    let observed = |spec: Value| with(spec, json!({ "managementPolicy": "Observe" }));
    valkey_group(&fixture, &[]).await;
    fixture.aws.put_user("app", iam_user()).await;
    fixture.create("app", observed(member_of(&["cache"]))).await;
    let object = fixture.reason("app", "Differs").await;
    assert!(message(&object).contains("cache"), "{}", message(&object));
    valkey_group(&fixture, &["app"]).await;
    fixture.request_reconcile("app").await;
    fixture.reason_now("app", "Observed").await;
    assert_eq!(group_calls(&fixture).await, 0);
    // A membership of ours that the spec does not name any more.
    fixture.ready("other", member_of(&["cache"])).await;
    let calls = group_calls(&fixture).await;
    fixture.patch("other", json!({ "spec": { "managementPolicy": "Observe", "userGroupIDs": null } })).await;
    let object = fixture.reason("other", "Differs").await;
    assert!(message(&object).contains("cache"), "{}", message(&object));
    assert_eq!((group_calls(&fixture).await, members(&fixture, "cache").await.len()), (calls, 2));
    fixture.end().await;
}

#[tokio::test]
async fn a_suspended_object_makes_no_group_call_and_is_ready_only_if_status_shows_the_groups_of_the_spec() {
    let fixture = Fixture::new().await;
    valkey_group(&fixture, &[]).await;
    fixture.ready("app", member_of(&["cache"])).await;
    let calls = fixture.aws.calls().await.len();
    fixture.patch("app", json!({ "spec": { "suspend": true } })).await;
    let object = fixture.reason_now("app", "Suspended").await;
    assert_eq!(condition(&object, "Ready").unwrap()["status"], "True");
    fixture.patch("app", json!({ "spec": { "userGroupIDs": ["cache", "queue"] } })).await;
    fixture.shows("app", "it is not Ready", |object| !is_ready(object)).await;
    assert_eq!(fixture.aws.calls().await.len(), calls);
    fixture.patch("app", json!({ "spec": { "suspend": false, "userGroupIDs": null } })).await;
    fixture.wait_ready("app").await;
    assert_eq!(members(&fixture, "cache").await, [""; 0]);
    fixture.end().await;
}
