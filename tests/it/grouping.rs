//! User groups: a user that is in no group can log in nowhere.

mod leaving;
mod together;

use serde_json::{Value, json};

use crate::fixture::{Fixture, Setup, condition, iam, is_ready, message, until, with};

/// A spec whose user must be in these groups.
fn member_of(groups: &[&str]) -> Value {
    with(iam(), json!({ "userGroupIDs": groups }))
}

/// The group's members, without AWS's own default user, in order.
async fn members(fixture: &Fixture, group: &str) -> Vec<String> {
    let groups = fixture.aws.list("groups").await.unwrap();
    let found = groups.iter().find(|found| found["UserGroupId"] == group).unwrap();
    let ids = found["UserIds"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
    let mut ids: Vec<String> = ids.filter(|id| id != "default").collect();
    ids.sort();
    ids
}

/// How many calls of this action were made so far.
async fn count(fixture: &Fixture, action: &str) -> usize {
    fixture.aws.calls().await.iter().filter(|call| call["Action"] == action).count()
}

#[tokio::test]
async fn a_user_joins_and_leaves_a_group_as_its_spec_says() {
    let fixture = Fixture::new().await;
    fixture.aws.put_group("cache", json!({ "Engine": "valkey" })).await;
    let object = fixture.ready("app", member_of(&["cache"])).await;
    assert_eq!(members(&fixture, "cache").await, ["app"]);
    assert_eq!(object["status"]["userGroupIDs"], json!(["cache"]));
    assert_eq!(object["status"]["managedUserGroupIDs"], json!(["cache"]));
    fixture.event("app", "AddedToUserGroup").await;
    fixture.patch("app", json!({ "spec": { "userGroupIDs": null } })).await;
    let left = fixture.shows("app", "the group is left", |object| {
        is_ready(object) && object["status"]["managedUserGroupIDs"].is_null()
    });
    assert!(left.await["status"]["userGroupIDs"].is_null());
    assert_eq!(members(&fixture, "cache").await, [""; 0]);
    fixture.event("app", "RemovedFromUserGroup").await;
    fixture.deleted("app").await;
    assert_eq!(count(&fixture, "ModifyUserGroup").await, 2);
    fixture.end().await;
}

#[tokio::test]
async fn a_member_is_deleted_without_leaving_its_groups_first() {
    let fixture = Fixture::new().await;
    for group in ["blue", "green"] {
        fixture.aws.put_group(group, json!({ "Engine": "valkey" })).await;
    }
    fixture.ready("app", member_of(&["green", "blue"])).await;
    fixture.deleted("app").await;
    until("the groups are empty", || async {
        let left = [members(&fixture, "blue").await, members(&fixture, "green").await].concat();
        left.is_empty().then_some(())
    })
    .await;
    assert_eq!(count(&fixture, "ModifyUserGroup").await, 2, "one join for each group, and no removal");
    fixture.end().await;
}

#[tokio::test]
async fn a_group_that_is_not_allowed_is_reported_and_not_joined() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    fixture.start_with(&[("ELASTICACHE_USERS_ALLOWED_USER_GROUP", "{namespace}-*".to_owned())]);
    let allowed = format!("{}-cache", fixture.ns);
    for group in ["cache", &allowed] {
        fixture.aws.put_group(group, json!({ "Engine": "valkey" })).await;
    }
    fixture.create("app", member_of(&["cache", &allowed])).await;
    let object = fixture.reason("app", "UserGroupNotAllowed").await;
    assert!(condition(&object, "Stalled").is_some() && message(&object).contains("\"cache\""));
    until("the other group is joined", || async {
        (members(&fixture, &allowed).await == ["app"]).then_some(())
    })
    .await;
    assert_eq!(members(&fixture, "cache").await, [""; 0]);
    let answer =
        crate::checking::check(&fixture, &[], &[("ELASTICACHE_USERS_ALLOWED_USER_GROUP", "{namespace}-*")])
            .await;
    answer.warns("user-groups", &format!("{}/app (cache)", fixture.ns), "allowedUserGroups");
    // A membership that somebody else made stays, and is all that was missing.
    fixture.aws.put_group("cache", json!({ "UserIds": ["app"] })).await;
    fixture.request_reconcile("app").await;
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn a_missing_group_is_joined_when_it_exists_and_a_busy_one_when_it_is_active() {
    let fixture = Fixture::new().await;
    fixture.create("app", member_of(&["cache"])).await;
    fixture.reason("app", "UserGroupNotFound").await;
    fixture.aws.put_group("cache", json!({ "Engine": "valkey", "Status": "creating" })).await;
    fixture.reason("app", "WaitingForUserGroup").await;
    fixture.aws.put_group("cache", json!({ "Status": "active" })).await;
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn a_user_that_aws_refuses_in_a_group_reports_awss_message_and_delays_no_other_user() {
    let fixture = Fixture::new().await;
    fixture.aws.put_group("cache", json!({ "Engine": "valkey" })).await;
    let open = json!({ "engine": "redis", "accessString": "on ~* +@all",
        "authentication": { "type": "no-password-required" }, "userGroupIDs": ["cache"] });
    fixture.create("open", open).await;
    fixture.create("app", member_of(&["cache"])).await;
    fixture.wait_ready("app").await;
    let object = fixture.reason("open", "UserGroupRefused").await;
    assert!(message(&object).contains("No password user open cannot be added"), "{}", message(&object));
    fixture.patch("open", json!({ "spec": { "userGroupIDs": null } })).await;
    fixture.wait_ready("open").await;
    fixture.end().await;
}

#[tokio::test]
async fn a_membership_that_somebody_removed_is_restored_as_drift() {
    let fixture = Fixture::with(Setup::env(&[("ELASTICACHE_USERS_RESYNC", "1s")])).await;
    fixture.aws.put_group("cache", json!({ "Engine": "valkey" })).await;
    fixture.ready("app", member_of(&["cache"])).await;
    fixture.aws.put_group("cache", json!({ "UserIds": [] })).await;
    fixture.event("app", "DriftCorrected").await;
    assert_eq!(members(&fixture, "cache").await, ["app"]);
    let added = fixture.events("app").await.into_iter().filter(|event| event.reason == "AddedToUserGroup");
    assert_eq!(added.count(), 1);
    fixture.end().await;
}

#[tokio::test]
async fn an_object_stays_ready_while_aws_modifies_its_user_because_of_its_group() {
    let fixture = Fixture::new().await;
    fixture.aws.put_group("cache", json!({ "Engine": "valkey" })).await;
    fixture.ready("app", member_of(&["cache"])).await;
    fixture.aws.put_user("app", json!({ "Status": "modifying" })).await;
    fixture.aws.forget_calls().await;
    let object = fixture.acknowledge("app").await;
    assert!(is_ready(&object), "{object}");
    assert_eq!(object["status"]["state"], "active");
    // An edit waits until the user is active.
    fixture.patch("app", json!({ "spec": { "accessString": "on ~x +@all" } })).await;
    fixture.reason_now("app", "WaitingForUserActive").await;
    assert_eq!(count(&fixture, "ModifyUser").await, 0);
    fixture.aws.put_user("app", json!({ "Status": "active" })).await;
    fixture.wait_ready("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn a_default_user_replaces_awss_own_in_a_group_and_is_replaced_before_its_deletion() {
    let fixture = Fixture::new().await;
    fixture.aws.put_group("cache", json!({ "UserIds": ["default"] })).await;
    let spec = json!({ "userName": "default", "engine": "redis", "accessString": "off -@all",
        "authentication": { "type": "no-password-required" }, "userGroupIDs": ["cache"] });
    fixture.ready("mine", spec).await;
    let added = fixture.event("mine", "AddedToUserGroup").await;
    assert!(added.note.contains("AWS's own default user"), "{}", added.note);
    fixture.aws.put_group("cache", json!({ "ReplicationGroups": ["sessions"] })).await;
    fixture.delete("mine").await;
    let held = fixture.reason("mine", "DefaultUserInGroup").await;
    let says = held["status"]["conditions"].to_string();
    assert!(says.contains("cache") && says.contains("sessions") && says.contains("no password"), "{says}");
    assert_eq!(count(&fixture, "DeleteUser").await, 0);
    let restore =
        json!({ "metadata": { "annotations": { "elasticache-users.dev/restore-default-user": "cache" } } });
    fixture.patch("mine", restore).await;
    fixture.gone("mine").await;
    let groups = fixture.aws.list("groups").await.unwrap();
    assert_eq!(groups[0]["UserIds"], json!(["default"]));
    fixture.end().await;
}
