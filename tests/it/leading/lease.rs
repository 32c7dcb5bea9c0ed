//! A replica lacks permissions for the Lease, or somebody else changes the Lease.

use cluster::Signal;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;
use support::operator;

use super::{LEASE, Lease, ended, held_by, replica, replica_with, setup};
use crate::checking::check;
use crate::fixture::{Fixture, REGION, iam, until};
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
        ("ELASTICACHE_USERS_CLUSTER_ID", "test".to_owned()),
        ("ELASTICACHE_USERS_LEADER_ELECT", "true".to_owned()),
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

/// Status and text of /readyz of the replica with this number.
async fn readiness(fixture: &Fixture, index: usize) -> Option<(u16, String)> {
    let address = operator::address(&fixture.each_log()[index])?.to_owned();
    let answer = reqwest::get(format!("http://{address}/readyz")).await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

#[tokio::test]
async fn a_second_release_that_shares_the_lease_is_not_ready_and_says_why_until_the_first_ends() {
    let fixture = Fixture::without_operator(setup()).await;
    let mut one = replica_with(&fixture, "one", &[("ELASTICACHE_USERS_RELEASE", "first")]);
    let held = held_by(&fixture, "one").await;
    let _two = replica_with(&fixture, "two", &[("ELASTICACHE_USERS_RELEASE", "second")]);
    fixture.logged("not ready: the Lease").await;
    let (status, text) = readiness(&fixture, 1).await.unwrap();
    let holder = held.holder_identity.unwrap();
    assert_eq!(status, 503, "{text}");
    for part in
        ["elasticache-user-operator\" is held by", &holder, "release first", "release second", "--lease-name"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A replica of the first release is a standby, also if its settings have just changed.
    let three = replica_with(
        &fixture,
        "three",
        &[("ELASTICACHE_USERS_RELEASE", "first"), ("ELASTICACHE_USERS_CLUSTER_ID", "another")],
    );
    until("the other replica of the first release is ready", async || {
        readiness(&fixture, 2).await.filter(|(status, _)| *status == 200)
    })
    .await;

    let lease = [("ELASTICACHE_USERS_LEADER_ELECT", "true"), ("POD_NAMESPACE", &*fixture.ns)];
    let asked = async |release| {
        check(&fixture, &[], &[&lease[..], &[("ELASTICACHE_USERS_RELEASE", release)]].concat()).await
    };
    asked("first").await.ok("lease", &holder);
    asked("second").await.fails("lease", "of another installation (release first,", "--lease-name");

    drop(three);
    one.signal(Signal::TERM).unwrap();
    assert_eq!(ended(one).await, Some(0));
    held_by(&fixture, "two").await;
    until("the second release is ready", async || {
        readiness(&fixture, 1).await.filter(|(status, _)| *status == 200)
    })
    .await;
    assert_eq!(
        fixture.each_log()[1].matches("not ready: the Lease").count(),
        1,
        "the replica must log this once"
    );
    fixture.end().await;
}

#[tokio::test]
async fn two_releases_in_one_namespace_work_if_each_has_its_own_lease() {
    let fixture = Fixture::without_operator(setup()).await;
    // The releases watch different namespaces, so only the second release manages the objects of this namespace.
    let first = [
        ("ELASTICACHE_USERS_RELEASE", "first"),
        ("ELASTICACHE_USERS_LEASE_NAME", "first-release"),
        ("ELASTICACHE_USERS_NAMESPACE", "default"),
    ];
    let _one = replica_with(&fixture, "one", &first);
    let _two = replica_with(
        &fixture,
        "two",
        &[("ELASTICACHE_USERS_RELEASE", "second"), ("ELASTICACHE_USERS_LEASE_NAME", "second-release")],
    );
    for index in [0, 1] {
        until("the replica is ready", async || {
            readiness(&fixture, index).await.filter(|(status, _)| *status == 200)
        })
        .await;
    }
    let leases: Api<Lease> = Api::namespaced(fixture.client.clone(), &fixture.ns);
    for (release, replica) in [("first", "one_"), ("second", "two_")] {
        let lease = leases.get(&format!("{release}-release")).await.unwrap();
        let holder = lease.spec.as_ref().unwrap().holder_identity.clone().unwrap();
        assert!(holder.starts_with(replica), "{release}: {holder}");
        let annotations = lease.metadata.annotations.unwrap();
        let signed = ["release", "region", "cluster-id"]
            .map(|name| &annotations[&format!("elasticache-users.dev/{name}")]);
        assert_eq!(signed, [release, REGION, &fixture.cluster_id]);
    }
    fixture.ready("app", iam()).await;
    fixture.end().await;
}
