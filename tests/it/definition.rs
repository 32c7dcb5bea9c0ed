//! Somebody deletes the CustomResourceDefinition, and every AWS user stays. The test has its own control plane.

use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::control_plane;
use crate::fixture::{Fixture, iam, prevent_deletion, until};

#[tokio::test]
async fn deleting_the_crd_retains_every_user_and_keeps_objects_with_prevent_deletion() {
    let cluster = tokio::task::spawn_blocking(control_plane::own).await.unwrap();
    let fixture = Fixture::on(&cluster).await;
    fixture.ready("app", iam()).await;
    fixture.ready("busy", iam()).await;
    fixture.ready("held", iam()).await;
    fixture.patch("held", prevent_deletion(true)).await;
    // The object `busy` is already terminating and waits. Its user must stay too.
    fixture.aws.put_user("busy", json!({ "Status": "modifying" })).await;
    fixture.delete("busy").await;
    fixture.reason("busy", "WaitingForUserActive").await;
    let delete = ["delete", "crd", control_plane::DEFINITION, "--wait=false"];
    assert!(cluster.kubectl().args(delete).status().unwrap().success());
    fixture.gone("app").await;
    fixture.gone("busy").await;
    assert!(fixture.aws.user("app").await.is_some());
    fixture.reason("held", "DeletionProtected").await;
    let free = prevent_deletion(false);
    fixture.users().patch("held", &PatchParams::default(), &Patch::Merge(free)).await.unwrap();
    let get = || cluster.kubectl().args(["get", "crd", control_plane::DEFINITION]).output().unwrap();
    until("the definition is gone", async || !get().status.success()).await;
    assert!(fixture.aws.user("held").await.is_some());
    for name in ["app", "busy", "held"] {
        assert_eq!(fixture.aws.calls_of("DeleteUser", name).await.len(), 0);
    }
    assert!(
        fixture.logs().contains("CustomResourceDefinition is being deleted"),
        "the operator did not log the deletion of the definition"
    );
    fixture.end().await;
}
