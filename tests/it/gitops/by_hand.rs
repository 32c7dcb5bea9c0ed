//! Somebody changes an object that Flux manages, with kubectl.

use serde_json::{Value, json};

use super::{SHOP, Shop};
use crate::fixture::{Setup, iam, manifest, with};

const ANNOTATION: &str = "elasticache-users.dev/prevent-deletion";
const ON_CALL: [&str; 1] = ["--field-manager=on-call"];

/// The changes of the how-tos: to fields and an annotation that the manifest lacks.
async fn change(shop: &Shop<'_>, name: &str, more: &[&str]) {
    let annotation = format!("{ANNOTATION}=true");
    shop.kubectl(&[&["annotate", "ecu", name, &annotation], more].concat()).await;
    for patch in [r#"{"spec":{"deletionPolicy":"Retain"}}"#, r#"{"spec":{"suspend":true}}"#] {
        shop.kubectl(&[&["patch", "ecu", name, "--type=merge", "--patch", patch], more].concat()).await;
    }
}

/// What [`change`] writes.
fn changes(object: &Value) -> [&Value; 3] {
    [
        &object["metadata"]["annotations"][ANNOTATION],
        &object["spec"]["deletionPolicy"],
        &object["spec"]["suspend"],
    ]
}

#[tokio::test]
#[ignore = "make gitops"]
async fn flux_takes_back_what_plain_kubectl_wrote_and_leaves_what_another_manager_wrote() {
    let shop = Shop::with(Setup::leaving_users(), json!({})).await;
    shop.deploy(&[("plain", iam()), ("on-call", iam())]).await;
    change(&shop, "plain", &[]).await;
    change(&shop, "on-call", &ON_CALL).await;
    let written = [&json!("true"), &json!("Retain"), &json!(true)];
    assert_eq!(changes(&shop.object("plain").await), written);
    shop.flux.reconcile(SHOP).await;
    assert_eq!(changes(&shop.object("plain").await), [&Value::Null; 3]);
    assert_eq!(changes(&shop.object("on-call").await), written);
    // The files disappear: one user is deleted, and the other is protected.
    shop.deploy(&[]).await;
    shop.fixture.gone("plain").await;
    assert!(shop.fixture.aws.user("plain").await.is_none());
    shop.fixture.reason("on-call", "DeletionProtected").await;
    assert!(shop.fixture.aws.user("on-call").await.is_some());
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn an_annotation_in_the_manifest_makes_flux_leave_what_plain_kubectl_wrote() {
    let shop = Shop::with(Setup::leaving_users(), json!({})).await;
    let mut object = manifest("app", iam());
    object["metadata"]["annotations"] = json!({ "kustomize.toolkit.fluxcd.io/ssa": "Merge" });
    let revision = shop.push_objects(&[object]).await;
    shop.flux.ready(SHOP, &revision).await;
    change(&shop, "app", &[]).await;
    shop.flux.reconcile(SHOP).await;
    assert_eq!(changes(&shop.object("app").await), [&json!("true"), &json!("Retain"), &json!(true)]);
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn flux_takes_back_a_field_that_the_manifest_has_whoever_changed_it() {
    let shop = Shop::new().await;
    shop.deploy(&[("plain", iam()), ("on-call", iam())]).await;
    let patch = r#"{"spec":{"accessString":"on ~other:* -@all +@read"}}"#;
    for (name, more) in [("plain", &[][..]), ("on-call", &ON_CALL[..])] {
        shop.kubectl(&[&["patch", "ecu", name, "--type=merge", "--patch", patch], more].concat()).await;
    }
    shop.flux.reconcile(SHOP).await;
    for name in ["plain", "on-call"] {
        assert_eq!(shop.object(name).await["spec"]["accessString"], iam()["accessString"], "{name}");
    }
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn a_suspended_kustomization_takes_nothing_back_until_it_is_resumed() {
    let shop = Shop::new().await;
    shop.deploy(&[("app", iam())]).await;
    let suspend = |on: bool| json!({ "spec": { "suspend": on } });
    shop.flux.patch(SHOP, suspend(true)).await;
    change(&shop, "app", &[]).await;
    shop.push(&[("app", with(iam(), json!({ "tags": { "team": "red" } })))]).await;
    shop.flux.reconcile(SHOP).await;
    let object = shop.object("app").await;
    assert_eq!(changes(&object), [&json!("true"), &json!("Retain"), &json!(true)]);
    assert!(object["spec"]["tags"].is_null(), "{object:#}");
    shop.flux.patch(SHOP, suspend(false)).await;
    shop.fixture
        .shows("app", "taken back", |object| {
            changes(object) == [&Value::Null; 3] && !object["spec"]["tags"].is_null()
        })
        .await;
    shop.end().await;
}
