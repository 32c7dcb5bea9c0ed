//! The CustomResourceDefinition is deleted: every AWS user stays. On a control plane of its own.

use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::stage::{Stage, iam, until};
use crate::world;

#[tokio::test]
async fn the_definitions_deletion_retains_every_user_but_the_protected() {
    let cluster = tokio::task::spawn_blocking(world::own_control_plane).await.unwrap();
    let stage = Stage::on(&cluster).await;
    stage.ready("app", iam()).await;
    stage.ready("busy", iam()).await;
    stage.ready("held", iam()).await;
    let protect =
        json!({ "metadata": { "annotations": { "elasticache-users.dev/prevent-deletion": "true" } } });
    stage.users().patch("held", &PatchParams::default(), &Patch::Merge(protect)).await.unwrap();
    // One is on its way out already, and waits: it stays as well.
    stage.aws.put_user("busy", json!({ "Status": "modifying" })).await;
    stage.delete("busy").await;
    stage.reason("busy", "WaitingForUserActive").await;
    let delete = ["delete", "crd", "elasticacheusers.elasticache-users.dev", "--wait=false"];
    assert!(cluster.kubectl().args(delete).status().unwrap().success());
    stage.gone("app").await;
    stage.gone("busy").await;
    assert!(stage.aws.user("app").await.is_some());
    stage.reason("held", "DeletionProtected").await;
    let free = json!({ "metadata": { "annotations": { "elasticache-users.dev/prevent-deletion": null } } });
    stage.users().patch("held", &PatchParams::default(), &Patch::Merge(free)).await.unwrap();
    until("the definition is gone", || async {
        let get = ["get", "crd", "elasticacheusers.elasticache-users.dev"];
        let found = cluster.kubectl().args(get).output().unwrap();
        (!found.status.success()).then_some(())
    })
    .await;
    assert!(stage.aws.user("held").await.is_some());
    for name in ["app", "busy", "held"] {
        assert_eq!(stage.aws.calls_of("DeleteUser", name).await.len(), 0);
    }
    assert!(stage.logs().contains("CustomResourceDefinition is being deleted"), "not logged");
    stage.end().await;
}
