//! The chart's ValidatingAdmissionPolicy that limits the operator's ServiceAccount must not forbid what the operator needs.

use std::path::Path;

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::json;

use crate::control_plane;
use crate::fixture::{Fixture, PASSWORD, Setup, prevent_deletion, until, with, with_password};
use crate::rights::Rights;
use crate::rotating::{SECOND, passwords};

#[tokio::test]
async fn a_user_is_created_changed_and_deleted_under_the_policy_that_limits_the_operator() {
    let setup = Setup { rights: Some(Rights::Limited), leaves_users: true, ..Setup::default() };
    let fixture = Fixture::without_operator(setup).await;
    fixture.secret("pw", PASSWORD).await;
    fixture.create("app", with_password("pw")).await;
    policy_limits_the_operator(&fixture, "app").await;
    fixture.start();
    fixture.wait_ready("app").await;

    let spec = json!({ "accessString": "on ~x:* +@all", "tags": { "team": "red" } });
    fixture.patch("app", json!({ "spec": spec })).await;
    fixture.wait_ready("app").await;
    fixture.secret("pw", SECOND).await;
    until("AWS has the new password", async || passwords(&fixture, "app").await == [SECOND]).await;
    fixture.reconcile_now("app").await;
    // The finalizer goes, and comes back.
    for (policy, reason) in [("Observe", "Observed"), ("Manage", "Active")] {
        fixture.patch("app", json!({ "spec": { "managementPolicy": policy } })).await;
        fixture.reason_now("app", reason).await;
    }
    fixture.patch("app", prevent_deletion(true)).await;
    fixture.delete("app").await;
    fixture.reason("app", "DeletionProtected").await;
    fixture.patch("app", prevent_deletion(false)).await;
    fixture.gone("app").await;
    assert!(fixture.aws.user("app").await.is_none());

    let retained = with(with_password("pw"), json!({ "deletionPolicy": "Retain" }));
    fixture.ready("kept", retained).await;
    fixture.deleted("kept").await;
    assert!(fixture.aws.user("kept").await.is_some());
    // It fails if the API server denied a request.
    fixture.end().await;
}

/// Waits until the API server knows the policy: it denies the operator's ServiceAccount a patch that RBAC allows.
async fn policy_limits_the_operator(fixture: &Fixture, name: &str) {
    let client = control_plane::client_of(Path::new(fixture.kubeconfig())).await;
    let users: Api<DynamicObject> = Api::namespaced_with(client, &fixture.ns, &control_plane::resource());
    let label = Patch::Merge(json!({ "metadata": { "labels": { "team": "x" } } }));
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    until("the policy is in force", async || match users.patch(name, &params, &label).await {
        Ok(_) => false,
        Err(error) => error.to_string().contains("does not change labels"),
    })
    .await;
}
