//! The heart: every row of what docs/src/concepts/deletion.md promises, on the real control plane and the emulator.
//!
//! That an object never vanishes before its AWS user is held by the stage's watch, in each of these tests.

mod kept;
mod not_ours;
mod refused;
mod unborn;
mod unheld;

use std::time::Duration;

use serde_json::{Value, json};

use crate::rights::Rights;
use crate::stage::{PASSWORD, Setting, Stage, condition, iam, until, with_password};

/// Ready with an IAM user, and about to be deleted.
async fn with_user() -> Stage {
    let stage = Stage::new().await;
    stage.ready("app", iam()).await;
    stage
}

async fn leaving() -> Stage {
    Stage::set(Setting { leaves_users: true, ..Setting::default() }).await
}

fn message(object: &Value) -> &str {
    condition(object, "Deleting").and_then(|deleting| deleting["message"].as_str()).unwrap_or_default()
}

/// DeleteUser was accepted once, and the stage ends well.
async fn accepted_once(stage: Stage) {
    assert_eq!(stage.aws.accepted("DeleteUser", "app").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn an_active_user_is_deleted_once_and_polled_until_it_is_gone() {
    let stage = with_user().await;
    stage.delete("app").await;
    let object = stage.shows("app", "deleting", |object| object["status"]["state"] == "deleting").await;
    assert_eq!(condition(&object, "Deleting").unwrap()["reason"], "DeletingUser");
    stage.gone("app").await;
    stage.event("app", "DeletionStarted").await;
    stage.event("app", "UserDeleted").await;
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 1);
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_modifying_user_is_waited_for() {
    let stage = with_user().await;
    stage.aws.put_user("app", json!({ "Status": "modifying" })).await;
    stage.delete("app").await;
    let object = stage.reason("app", "WaitingForUserActive").await;
    assert!(message(&object).contains("modifying"), "{}", message(&object));
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 0);
    stage.aws.put_user("app", json!({ "Status": "active" })).await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_deleting_user_is_polled_and_never_deleted_again() {
    let stage = with_user().await;
    stage.aws.put_user("app", json!({ "Status": "deleting" })).await;
    stage.delete("app").await;
    stage.reason("app", "DeletingUser").await;
    stage.aws.remove_user("app").await;
    stage.gone("app").await;
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 0);
    stage.end().await;
}

#[tokio::test]
async fn a_state_that_is_not_known_is_waited_for_and_named() {
    let stage = with_user().await;
    stage.aws.put_user("app", json!({ "Status": "migrating" })).await;
    stage.delete("app").await;
    let object = stage.reason("app", "WaitingForUserActive").await;
    assert!(message(&object).contains("migrating"), "{}", message(&object));
    stage.aws.put_user("app", json!({ "Status": "active" })).await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_user_that_is_gone_already_lets_its_object_go() {
    let stage = with_user().await;
    stage.aws.remove_user("app").await;
    stage.deleted("app").await;
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 0);
    stage.end().await;
}

#[tokio::test]
async fn the_default_user_of_a_group_is_waited_for_and_goes_on_by_itself() {
    let stage = Stage::new().await;
    stage.secret("pw", PASSWORD).await;
    let mut spec = with_password("pw");
    spec["userName"] = json!("default");
    stage.ready("app", spec).await;
    stage.aws.put_group("team", json!({ "UserIds": ["app"] })).await;
    stage.delete("app").await;
    let object = stage.reason("app", "DefaultUserInGroup").await;
    assert!(message(&object).contains("\"team\""), "{}", message(&object));
    stage.event("app", "DefaultUserInGroup").await;
    stage.aws.remove_group("team").await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_namespace_goes_with_its_secret_and_without_events() {
    // Where there are only RoleBindings in it, they go before its objects: the documentation says so. That of the Secrets
    // does so anyway.
    let stage = Stage::set(Setting { rights: Some(Rights::ClusterSecrets), ..Setting::default() }).await;
    stage.secret("pw", PASSWORD).await;
    stage.ready("app", with_password("pw")).await;
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(stage.client.clone());
    namespaces.delete(&stage.ns, &Default::default()).await.unwrap();
    stage.gone("app").await;
    until("the namespace is gone", || async {
        namespaces.get_opt(&stage.ns).await.unwrap().is_none().then_some(())
    })
    .await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_secret_that_is_gone_blocks_nothing() {
    let stage = Stage::new().await;
    stage.secret("pw", PASSWORD).await;
    stage.ready("app", with_password("pw")).await;
    let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> =
        kube::Api::namespaced(stage.client.clone(), &stage.ns);
    secrets.delete("pw", &Default::default()).await.unwrap();
    stage.reason("app", "SecretNotFound").await;
    stage.deleted("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn the_wait_is_short_and_cheap_at_the_real_pace() {
    let env = vec![("PACE_DIVISOR", "1".to_owned())];
    let stage = Stage::set(Setting { env, ..Setting::default() }).await;
    stage.ready("app", iam()).await;
    stage.aws.settings(json!({ "delete-time": "10s" })).await;
    let asked = std::time::Instant::now();
    let vanished = stage.deleted("app").await;
    let waited = vanished.at - asked;
    let looks = stage.aws.calls_of("DescribeUsers", "app").await.len();
    println!("deleting for 10 s: gone after {waited:.1?}, {looks} DescribeUsers in all");
    // A quarter of the wait, and room for a busy machine.
    assert!(waited < Duration::from_secs(10) * 5 / 4 + Duration::from_secs(3), "{waited:?}");
    assert!(looks < 20, "{looks} looks");
    accepted_once(stage).await;
}
