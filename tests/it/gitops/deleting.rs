//! Flux prunes users, and somebody puts them back.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use super::{SHOP, Shop, impatient};
use crate::fixture::{PASSWORD, Setup, iam, is_ready, manifest, until, with, with_password};
use crate::repository;
use crate::rights::{self, Rights};

/// A user with the annotation `prevent-deletion` in its manifest.
fn protected(name: &str) -> Value {
    let mut object = manifest(name, iam());
    object["metadata"]["annotations"] = json!({ "elasticache-users.dev/prevent-deletion": "true" });
    object
}

#[tokio::test]
#[ignore = "make gitops"]
async fn pruning_deletes_the_user_and_flux_does_not_wait_for_it() {
    let shop = Shop::new().await;
    shop.deploy(&[("app", iam()), ("other", iam())]).await;
    shop.fixture.aws.put_user("app", json!({ "Status": "modifying" })).await;
    shop.deploy(&[("other", iam())]).await;
    assert_eq!(shop.flux.failures(), [""; 0]);
    shop.fixture.reason("app", "WaitingForUserActive").await;
    shop.fixture.aws.put_user("app", json!({ "Status": "active" })).await;
    shop.fixture.gone("app").await;
    assert!(shop.fixture.aws.user("app").await.is_none());
    assert!(shop.fixture.aws.user("other").await.is_some());
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn pruning_keeps_the_object_of_the_example_and_the_user_of_a_retained_one() {
    let shop = Shop::with(Setup::leaving_users(), json!({})).await;
    let example = repository::yaml("deploy/flux/user.yaml");
    let kept = example["metadata"]["name"].as_str().unwrap();
    let retained = manifest("app", with(iam(), json!({ "deletionPolicy": "Retain" })));
    let revision = shop.push_objects(&[example.clone(), retained]).await;
    shop.flux.ready(SHOP, &revision).await;
    shop.deploy(&[]).await;
    shop.fixture.gone("app").await;
    assert!(shop.fixture.aws.user("app").await.is_some());
    assert!(is_ready(&shop.object(kept).await));
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn a_user_that_is_put_back_while_it_is_being_deleted_is_created_after_that() {
    let shop = Shop::with(Setup::default(), impatient()).await;
    shop.deploy(&[("app", iam())]).await;
    let former = shop.object("app").await["metadata"]["uid"].clone();
    shop.fixture.aws.put_user("app", json!({ "Status": "modifying" })).await;
    shop.deploy(&[]).await;
    shop.fixture.reason("app", "WaitingForUserActive").await;
    let revision = shop.push(&[("app", iam())]).await;
    let said = shop.flux.failed(SHOP, &revision).await;
    assert!(said.contains("timeout") && said.contains("status: 'Terminating'"), "{said}");
    assert_eq!(shop.object("app").await["metadata"]["uid"], former);
    shop.fixture.aws.put_user("app", json!({ "Status": "active" })).await;
    shop.fixture.gone("app").await;
    shop.flux.ready(SHOP, &revision).await;
    let object = shop.object("app").await;
    assert!(object["metadata"]["uid"] != former && is_ready(&object), "{object:#}");
    assert_eq!(shop.fixture.aws.accepted("CreateUser", "app").await, 2);
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn a_protected_object_that_was_pruned_is_being_deleted_until_its_annotation_goes() {
    let shop = Shop::with(Setup::leaving_users(), impatient()).await;
    let revision = shop.push_objects(&[protected("app")]).await;
    shop.flux.ready(SHOP, &revision).await;
    shop.deploy(&[]).await;
    shop.fixture.reason("app", "DeletionProtected").await;
    let revision = shop.push_objects(&[protected("app")]).await;
    let said = shop.flux.failed(SHOP, &revision).await;
    assert!(said.contains("status: 'Terminating'"), "{said}");
    shop.fixture.reason("app", "DeletionProtected").await;
    assert!(shop.fixture.aws.user("app").await.is_some());
    // The way out that keeps the user.
    let revision = shop.push(&[("app", with(iam(), json!({ "deletionPolicy": "Retain" })))]).await;
    shop.fixture.gone("app").await;
    shop.flux.ready(SHOP, &revision).await;
    assert_eq!(shop.fixture.aws.accepted("CreateUser", "app").await, 1, "the user was made again");
    assert_eq!(shop.fixture.aws.accepted("DeleteUser", "app").await, 0);
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn the_admission_policy_refuses_the_deletion_so_that_the_file_can_be_put_back() {
    let shop = Shop::with(Setup::default(), impatient()).await;
    limit_deletions(&shop).await;
    let revision = shop.push_objects(&[protected("app")]).await;
    shop.flux.ready(SHOP, &revision).await;
    let uid = shop.object("app").await["metadata"]["uid"].clone();
    // The API server learns of a policy by its own watch.
    let delete = shop.fixture.users();
    until("the policy is in force", async || {
        let params = kube::api::DeleteParams { dry_run: true, ..Default::default() };
        delete.delete("app", &params).await.is_err()
    })
    .await;
    let revision = shop.push(&[]).await;
    let said = shop.flux.failed(SHOP, &revision).await;
    assert!(said.contains("ElastiCacheUser app is protected from deletion"), "{said}");
    let revision = shop.push_objects(&[protected("app")]).await;
    shop.flux.ready(SHOP, &revision).await;
    let object = shop.object("app").await;
    assert!(object["metadata"]["deletionTimestamp"].is_null() && object["metadata"]["uid"] == uid);
    shop.end().await;
}

/// Applies the policy of the chart's `preventDeletionPolicy`, for the fixture's namespace alone, because other tests share the cluster.
async fn limit_deletions(shop: &Shop<'_>) {
    let ns = shop.fixture.ns.clone();
    let values = ["preventDeletionPolicy.enabled=true".to_owned()];
    let text = tokio::task::spawn_blocking(move || rights::render(&ns, &ns, &values)).await.unwrap();
    let mut objects = chart::objects(&text).unwrap();
    objects.retain(chart::is_policy);
    assert_eq!(objects.len(), 2);
    for mut object in objects {
        if object["kind"] == "ValidatingAdmissionPolicyBinding" {
            let label = json!({ "kubernetes.io/metadata.name": shop.fixture.ns });
            object["spec"]["matchResources"] = json!({ "namespaceSelector": { "matchLabels": label } });
        }
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let kind = GroupVersionKind::try_from(object.types.as_ref().unwrap()).unwrap();
        let plural = if kind.kind.ends_with("Binding") {
            "validatingadmissionpolicybindings"
        } else {
            "validatingadmissionpolicies"
        };
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        let api: Api<DynamicObject> = Api::all_with(shop.fixture.client.clone(), &resource);
        let name = object.metadata.name.clone().unwrap();
        api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await.unwrap();
    }
}

#[tokio::test]
#[ignore = "make gitops"]
async fn a_kustomization_that_orphans_its_objects_or_is_suspended_leaves_the_users_when_it_is_deleted() {
    for changes in [json!({ "deletionPolicy": "Orphan" }), json!({ "suspend": true })] {
        let shop = Shop::new().await;
        shop.deploy(&[("app", iam())]).await;
        shop.flux.patch(SHOP, json!({ "spec": changes })).await;
        shop.flux.delete(SHOP).await;
        shop.flux.shows(SHOP, "gone", Value::is_null).await;
        shop.fixture.reconcile_now("app").await;
        assert!(shop.object("app").await["metadata"]["deletionTimestamp"].is_null());
        shop.fixture.end().await;
    }
}

/// The namespace of the fixture with two users, as a team has them in one folder.
fn team(ns: &str) -> String {
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": ns } });
    let users = [manifest("by-iam", iam()), manifest("by-password", with_password("pw"))];
    let within = users.map(|mut user| {
        user["metadata"]["namespace"] = json!(ns);
        user
    });
    [&[namespace][..], &within].concat().iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
}

/// A team whose users are ready. The repository has another folder too.
async fn deployed_team() -> Shop<'static> {
    // See `deleting::a_namespace_is_deleted_although_its_secret_goes_first_and_events_are_refused`.
    let setup = Setup { rights: Some(Rights::ClusterSecrets), ..Setup::default() };
    let shop = Shop::with(setup, json!({ "targetNamespace": null })).await;
    shop.fixture.secret("pw", PASSWORD).await;
    let revision = shop.flux.push(&[("team/all.yaml", team(&shop.fixture.ns)), others(&shop)]).await;
    shop.flux.ready(SHOP, &revision).await;
    shop
}

/// A file that stays, because kustomize refuses a folder without an object.
fn others(shop: &Shop<'_>) -> (&'static str, String) {
    let metadata = json!({ "name": "others", "namespace": shop.flux.namespace() });
    ("others.yaml", json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata }).to_string())
}

async fn goes_with_its_users(shop: Shop<'_>) {
    for name in ["by-iam", "by-password"] {
        shop.fixture.gone(name).await;
        assert!(shop.fixture.aws.user(name).await.is_none(), "{name}");
    }
    let namespaces: Api<Namespace> = Api::all(shop.fixture.client.clone());
    until("the namespace is gone", async || namespaces.get_opt(&shop.fixture.ns).await.unwrap().is_none())
        .await;
    shop.fixture.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn a_namespace_goes_with_its_users_when_its_kustomization_is_deleted() {
    let shop = deployed_team().await;
    shop.flux.delete(SHOP).await;
    shop.flux.shows(SHOP, "gone", Value::is_null).await;
    goes_with_its_users(shop).await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn a_namespace_goes_with_its_users_when_its_folder_is_removed() {
    let shop = deployed_team().await;
    let revision = shop.flux.push(&[others(&shop)]).await;
    shop.flux.ready(SHOP, &revision).await;
    assert_eq!(shop.flux.failures(), [""; 0]);
    goes_with_its_users(shop).await;
}
