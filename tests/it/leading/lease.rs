//! What a replica may not do with the Lease, and what others do to it.

use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;

use super::{LEASE, Lease, ended, held_by, replica, setting};
use crate::rotating::allow;
use crate::stage::Stage;
use crate::world;

#[tokio::test]
async fn a_replica_that_may_not_read_the_lease_says_what_to_allow() {
    let stage = Stage::dark(setting()).await;
    let ns = stage.ns.clone();
    let account = move || world::control_plane().service_account_kubeconfig(&ns, "restricted").unwrap();
    let kubeconfig = tokio::task::spawn_blocking(account).await.unwrap();
    let rules = json!([{
        "apiGroups": ["elasticache-users.dev"],
        "resources": ["elasticacheusers"],
        "verbs": ["get", "list", "watch", "patch"],
    }]);
    allow(&stage, "operator", rules).await;
    stage.start_with(&[
        ("KUBECONFIG", kubeconfig.display().to_string()),
        ("CLUSTER_ID", "test".to_owned()),
        ("LEADER_ELECT", "true".to_owned()),
        ("POD_NAMESPACE", stage.ns.clone()),
    ]);
    assert_eq!(ended(stage.newest()).await, Some(1));
    let log = stage.logs();
    let last = log.lines().last().unwrap();
    assert!(last.contains("allow get, create and update on leases"), "{last}");
    stage.end().await;
}

#[tokio::test]
async fn a_leader_whose_lease_is_deleted_ends_and_does_not_write_it_again() {
    let stage = Stage::dark(setting()).await;
    let one = replica(&stage, "one");
    held_by(&stage, "one").await;
    let leases: Api<Lease> = Api::namespaced(stage.client.clone(), &stage.ns);
    leases.delete(LEASE, &DeleteParams::default()).await.unwrap();
    assert_eq!(ended(one).await, Some(1));
    let log = stage.logs();
    assert!(log.lines().last().unwrap().contains("somebody deleted it"), "{log}");
    assert!(leases.get_opt(LEASE).await.unwrap().is_none());
    stage.end().await;
}
