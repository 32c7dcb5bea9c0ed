//! Every row of docs/src/concepts/deletion.md, on the real control plane and the emulator.
//!
//! In each test the fixture's watch checks that no object is removed before its AWS user.

mod kept;
mod not_ours;
mod refused;
mod unborn;
mod unheld;

use std::time::Duration;

use serde_json::json;

use crate::fixture::{Fixture, PASSWORD, Setup, condition, iam, message, until, with, with_password};
use crate::rights::Rights;

/// A fixture with a Ready object.
async fn with_user() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.ready("app", iam()).await;
    fixture
}

async fn leaving() -> Fixture {
    Fixture::with(Setup::leaving_users()).await
}

/// Checks that AWS accepted DeleteUser once, and ends the fixture.
async fn accepted_once(fixture: Fixture) {
    assert_eq!(fixture.aws.accepted("DeleteUser", "app").await, 1);
    fixture.end().await;
}

#[tokio::test]
async fn an_active_user_is_deleted_once_and_polled_until_it_is_gone() {
    let fixture = with_user().await;
    fixture.delete("app").await;
    let object = fixture.shows("app", "deleting", |object| object["status"]["state"] == "deleting").await;
    assert_eq!(condition(&object, "Deleting").unwrap()["reason"], "DeletingUser");
    fixture.gone("app").await;
    fixture.event("app", "DeletionStarted").await;
    fixture.event("app", "UserDeleted").await;
    assert_eq!(fixture.aws.calls_of("DeleteUser", "app").await.len(), 1);
    accepted_once(fixture).await;
}

#[tokio::test]
async fn a_deletion_waits_for_a_user_that_is_modifying_or_in_an_unknown_state() {
    for state in ["modifying", "migrating"] {
        let fixture = with_user().await;
        fixture.aws.put_user("app", json!({ "Status": state })).await;
        fixture.delete("app").await;
        let object = fixture.reason("app", "WaitingForUserActive").await;
        assert!(message(&object).contains(state), "{}", message(&object));
        assert_eq!(fixture.aws.calls_of("DeleteUser", "app").await.len(), 0);
        fixture.aws.put_user("app", json!({ "Status": "active" })).await;
        fixture.gone("app").await;
        accepted_once(fixture).await;
    }
}

#[tokio::test]
async fn a_deleting_user_is_polled_and_never_deleted_again() {
    let fixture = with_user().await;
    fixture.aws.put_user("app", json!({ "Status": "deleting" })).await;
    fixture.delete("app").await;
    fixture.reason("app", "DeletingUser").await;
    fixture.aws.remove_user("app").await;
    fixture.gone("app").await;
    assert_eq!(fixture.aws.calls_of("DeleteUser", "app").await.len(), 0);
    fixture.end().await;
}

#[tokio::test]
async fn an_object_whose_user_is_already_gone_is_removed_without_delete_user() {
    let fixture = with_user().await;
    fixture.aws.remove_user("app").await;
    fixture.deleted("app").await;
    assert_eq!(fixture.aws.calls_of("DeleteUser", "app").await.len(), 0);
    fixture.end().await;
}

#[tokio::test]
async fn the_deletion_of_a_groups_default_user_waits_and_goes_on_when_the_group_is_gone() {
    let fixture = Fixture::new().await;
    fixture.secret("pw", PASSWORD).await;
    fixture.ready("app", with(with_password("pw"), json!({ "userName": "default" }))).await;
    fixture.aws.put_group("team", json!({ "UserIds": ["app"] })).await;
    fixture.delete("app").await;
    let object = fixture.reason("app", "DefaultUserInGroup").await;
    assert!(message(&object).contains("\"team\""), "{}", message(&object));
    fixture.event("app", "DefaultUserInGroup").await;
    fixture.aws.remove_group("team").await;
    fixture.gone("app").await;
    accepted_once(fixture).await;
}

#[tokio::test]
async fn a_namespace_is_deleted_although_its_secret_goes_first_and_events_are_refused() {
    // If the operator had only RoleBindings in the namespace, they would go before the objects, as the documentation says. The
    // RoleBinding for the Secrets goes before the objects in any case.
    let fixture = Fixture::with(Setup { rights: Some(Rights::ClusterSecrets), ..Setup::default() }).await;
    fixture.secret("pw", PASSWORD).await;
    fixture.ready("app", with_password("pw")).await;
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(fixture.client.clone());
    namespaces.delete(&fixture.ns, &Default::default()).await.unwrap();
    fixture.gone("app").await;
    until("the namespace is gone", async || namespaces.get_opt(&fixture.ns).await.unwrap().is_none()).await;
    accepted_once(fixture).await;
}

#[tokio::test]
async fn a_missing_secret_does_not_block_a_deletion() {
    let fixture = Fixture::new().await;
    fixture.secret("pw", PASSWORD).await;
    fixture.ready("app", with_password("pw")).await;
    let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> =
        kube::Api::namespaced(fixture.client.clone(), &fixture.ns);
    secrets.delete("pw", &Default::default()).await.unwrap();
    fixture.reason("app", "SecretNotFound").await;
    fixture.deleted("app").await;
    accepted_once(fixture).await;
}

#[tokio::test]
async fn a_deletion_is_noticed_soon_and_with_few_calls_at_the_real_pace() {
    let fixture = Fixture::with(Setup::env(&[("ELASTICACHE_USERS_PACE_DIVISOR", "1")])).await;
    fixture.ready("app", iam()).await;
    fixture.aws.settings(json!({ "delete-time": "10s" })).await;
    let asked = std::time::Instant::now();
    let vanished = fixture.deleted("app").await;
    let waited = vanished.at - asked;
    let looks = fixture.aws.calls_of("DescribeUsers", "app").await.len();
    println!("deleting for 10 s: gone after {waited:.1?}, {looks} DescribeUsers in all");
    // The operator may take a quarter of the wait longer. The seconds are for a busy machine.
    assert!(waited < Duration::from_secs(10) * 5 / 4 + Duration::from_secs(3), "{waited:?}");
    assert!(looks < 20, "{looks} looks");
    accepted_once(fixture).await;
}
