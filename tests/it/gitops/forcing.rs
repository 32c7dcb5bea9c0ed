//! An edit that the API server refuses, without and with `force: true` in the Kustomization.

use serde_json::{Value, json};

use super::{SHOP, Shop, impatient};
use crate::fixture::{Setup, iam, manifest, prevent_deletion, with};

/// A user with this ID, which nobody can change.
fn with_id(id: &str, changes: Value) -> Value {
    with(with(iam(), json!({ "userID": id })), changes)
}

#[tokio::test]
#[ignore = "make gitops"]
async fn an_edit_that_is_refused_fails_with_the_message_of_the_api_server_and_changes_nothing() {
    let shop = Shop::new().await;
    shop.deploy(&[("app", with_id("orders", json!({})))]).await;
    let before = shop.object("app").await["metadata"].clone();
    let revision = shop.push(&[("app", with_id("orders-2", json!({})))]).await;
    let said = shop.flux.failed(SHOP, &revision).await;
    assert!(said.contains("Invalid") && said.contains("userID"), "{said}");
    let now = &shop.object("app").await["metadata"];
    assert_eq!((&now["uid"], &now["generation"]), (&before["uid"], &before["generation"]));
    assert!(shop.fixture.aws.user("orders").await.is_some());
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn with_force_a_refused_edit_deletes_the_user_unless_it_is_retained() {
    let shop = Shop::with(Setup::leaving_users(), json!({ "force": true })).await;
    let retain = || json!({ "deletionPolicy": "Retain" });
    let users = |number: usize| {
        [
            ("lost", with_id(&format!("lost-{number}"), json!({}))),
            ("kept", with_id(&format!("kept-{number}"), retain())),
        ]
    };
    shop.deploy(&users(1)).await;
    shop.deploy(&users(2)).await;
    let aws = &shop.fixture.aws;
    assert!(aws.user("lost-1").await.is_none(), "the documentation says that force deletes the AWS user");
    for id in ["lost-2", "kept-1", "kept-2"] {
        assert!(aws.user(id).await.is_some(), "{id}");
    }
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn with_force_the_annotation_in_the_manifest_keeps_the_user() {
    let shop = Shop::with(Setup::default(), with(impatient(), json!({ "force": true }))).await;
    let object = |id: &str| {
        let mut object = manifest("app", with_id(id, json!({})));
        object["metadata"]["annotations"] = prevent_deletion(true)["metadata"]["annotations"].clone();
        object
    };
    let revision = shop.push_objects(&[object("orders")]).await;
    shop.flux.ready(SHOP, &revision).await;
    shop.push_objects(&[object("orders-2")]).await;
    shop.fixture.reason("app", "DeletionProtected").await;
    assert!(shop.fixture.aws.user("orders").await.is_some());
    assert_eq!(shop.fixture.aws.accepted("DeleteUser", "orders").await, 0);
    // Otherwise the controller would wait for the end of the deletion, and the namespace would never go.
    shop.fixture.patch("app", prevent_deletion(false)).await;
    shop.fixture.gone("app").await;
    shop.fixture.shows("app", "made again", |object| object["metadata"]["deletionTimestamp"].is_null()).await;
    shop.end().await;
}
