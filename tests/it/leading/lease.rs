//! What a replica may not do with the Lease, and what others do to it.

use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;

use super::{LEASE, Lease, ended, held_by, replica, setup};
use crate::fixture::Fixture;
use crate::rotating::allow;

#[tokio::test]
async fn a_replica_that_may_not_read_the_lease_says_what_to_allow() {
    let fixture = Fixture::without_operator(setup()).await;
    let kubeconfig = fixture.service_account("restricted").await;
    let rules = json!([{
        "apiGroups": ["elasticache-users.dev"],
        "resources": ["elasticacheusers"],
        "verbs": ["get", "list", "watch", "patch"],
    }]);
    allow(&fixture, "operator", rules).await;
    fixture.start_with(&[
        ("KUBECONFIG", kubeconfig),
        ("CLUSTER_ID", "test".to_owned()),
        ("LEADER_ELECT", "true".to_owned()),
        ("POD_NAMESPACE", fixture.ns.clone()),
    ]);
    assert_eq!(ended(fixture.newest()).await, Some(1));
    let log = fixture.logs();
    let last = log.lines().last().unwrap();
    assert!(last.contains("allow get, create and update on leases"), "{last}");
    fixture.end().await;
}

#[tokio::test]
async fn a_leader_whose_lease_is_deleted_ends_and_does_not_write_it_again() {
    let fixture = Fixture::without_operator(setup()).await;
    let one = replica(&fixture, "one");
    held_by(&fixture, "one").await;
    let leases: Api<Lease> = Api::namespaced(fixture.client.clone(), &fixture.ns);
    leases.delete(LEASE, &DeleteParams::default()).await.unwrap();
    assert_eq!(ended(one).await, Some(1));
    let log = fixture.logs();
    assert!(log.lines().last().unwrap().contains("somebody deleted the Lease"), "{log}");
    assert!(leases.get_opt(LEASE).await.unwrap().is_none());
    fixture.end().await;
}
