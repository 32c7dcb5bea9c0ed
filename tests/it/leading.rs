//! Several replicas with `--leader-elect`, as real processes on the real control plane. One of them works. If it is killed or stopped
//! in the middle of its work, another one continues. Nothing is lost, and nothing is done twice.

use std::time::{Duration, Instant};

use cluster::{Process, Signal};
use elasticache_emulator::{Rule, user_of};
use elasticache_user_operator::api::ElastiCacheUser;
use elasticache_user_operator::kubernetes::{Kubernetes, RequestError};
use elasticache_user_operator::leader_election::Token;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;
use serde_json::{Value, json};
use support::operator;

use crate::control_plane;
use crate::fixture::{Fixture, Setup, iam, until};
use crate::rights::Rights;

mod lease;

const LEASE: &str = "elasticache-user-operator";
/// The number of objects of each kind.
const OBJECTS: usize = 6;

/// Each fixture has its own Lease, in its namespace. The chart has the Lease in the operator's namespace.
fn setup() -> Setup {
    Setup { rights: Some(Rights::Administrator), ..Setup::default() }
}

/// A fixture whose AWS allows few calls a second, so that the work takes some time.
async fn fixture() -> Fixture {
    let env =
        vec![("ELASTICACHE_USERS_AWS_RATE", "4".to_owned()), ("ELASTICACHE_USERS_AWS_BURST", "4".to_owned())];
    Fixture::without_operator(Setup { env, ..setup() }).await
}

/// Starts a replica that is called `name` in the Lease and in its AWS calls.
fn replica(fixture: &Fixture, name: &str) -> Process {
    replica_with(fixture, name, &[])
}

fn replica_with(fixture: &Fixture, name: &str, more: &[(&'static str, &str)]) -> Process {
    let env = [
        ("ELASTICACHE_USERS_LEADER_ELECT", "true"),
        ("POD_NAMESPACE", fixture.ns.as_str()),
        ("POD_NAME", name),
        ("AWS_SDK_UA_APP_ID", name),
    ];
    fixture.start_with(
        &env.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())).collect::<Vec<_>>(),
    );
    fixture.newest()
}

async fn spec(fixture: &Fixture) -> LeaseSpec {
    let leases: Api<Lease> = Api::namespaced(fixture.client.clone(), &fixture.ns);
    let lease = leases.get_opt(LEASE).await.unwrap();
    lease.and_then(|lease| lease.spec).unwrap_or_default()
}

/// Waits until the replica holds the Lease.
async fn held_by(fixture: &Fixture, name: &str) -> LeaseSpec {
    until(&format!("{name} holds the Lease"), || async {
        let spec = spec(fixture).await;
        let holder = spec.holder_identity.clone().unwrap_or_default();
        holder.starts_with(&format!("{name}_")).then_some(spec)
    })
    .await
}

/// A leader, called one, and a standby, called two.
async fn leader_and_standby(fixture: &Fixture) -> (Process, Process) {
    let one = replica(fixture, "one");
    held_by(fixture, "one").await;
    let two = replica(fixture, "two");
    fixture.logged("standing by").await;
    (one, two)
}

/// Begins to create users and to delete others, and waits until a part of that is done.
async fn begin_work(fixture: &Fixture) {
    for index in 0..OBJECTS {
        fixture.create(&format!("old-{index}"), iam()).await;
    }
    for index in 0..OBJECTS {
        fixture.wait_ready(&format!("old-{index}")).await;
    }
    for index in 0..OBJECTS {
        fixture.create(&format!("new-{index}"), iam()).await;
        fixture.delete(&format!("old-{index}")).await;
    }
    until("some is done, and some is not", || async {
        let calls = fixture.aws.calls().await;
        let done = |action: &str, begins: &str| {
            calls.iter().any(|call| call["Action"] == action && user_of(call).starts_with(begins))
        };
        done("CreateUser", "new-") && done("DeleteUser", "old-")
    })
    .await;
}

/// Everything that was asked for is done, with one accepted call for each user.
async fn nothing_is_lost_or_done_twice(fixture: &Fixture) {
    for index in 0..OBJECTS {
        let (new, old) = (format!("new-{index}"), format!("old-{index}"));
        fixture.wait_ready(&new).await;
        fixture.gone(&old).await;
        for (id, wanted) in [(&new, ["CreateUser"].as_slice()), (&old, &["CreateUser", "DeleteUser"])] {
            let mut accepted = fixture.aws.mutations().await;
            accepted.retain(|call| user_of(call) == id && call["Code"].is_null());
            let actions: Vec<&str> = accepted.iter().filter_map(|call| call["Action"].as_str()).collect();
            assert_eq!(actions, wanted, "{id}");
        }
    }
}

/// The mutations that a replica has sent, by their numbers.
async fn sent_by(fixture: &Fixture, name: &str) -> Vec<u64> {
    let agent = format!("app/{name}");
    let by = |call: &&Value| call["UserAgent"].as_str().unwrap().split(' ').any(|part| part == agent);
    fixture.aws.mutations().await.iter().filter(by).map(|call| call["Seq"].as_u64().unwrap()).collect()
}

/// When a replica logged a line with these words.
fn logged(fixture: &Fixture, index: usize, says: &str) -> jiff::Timestamp {
    let log = fixture.each_log().swap_remove(index);
    let line = log.lines().find(|line| line.contains(says));
    let line = line.unwrap_or_else(|| fixture.fail(&format!("replica {index} has not logged {says:?}")));
    line.split(' ').next().unwrap().parse().unwrap()
}

async fn ended(mut process: Process) -> Option<i32> {
    operator::exit_code(&mut process).await.unwrap()
}

#[tokio::test]
async fn a_leader_that_is_killed_in_the_middle_of_its_work_is_followed_within_20_s() {
    let fixture = fixture().await;
    let (mut one, _two) = leader_and_standby(&fixture).await;
    let first = spec(&fixture).await;
    // The leader will not get the answers to one CreateUser and one DeleteUser that AWS accepts.
    for (action, id) in [("CreateUser", "new-2"), ("DeleteUser", "old-2")] {
        let lost = Rule::on(action).user(id).hang().after();
        fixture.aws.fault(lost).await;
    }
    begin_work(&fixture).await;
    let killed = jiff::Timestamp::now();
    one.kill();
    let taken = held_by(&fixture, "two").await;
    let took = taken.acquire_time.unwrap().0.duration_since(killed);
    assert!(took.as_secs_f64() < 20.0, "taken over after {took:?}");
    assert_eq!(taken.lease_transitions, Some(first.lease_transitions.unwrap() + 1));
    nothing_is_lost_or_done_twice(&fixture).await;
    assert!(!sent_by(&fixture, "one").await.is_empty() && !sent_by(&fixture, "two").await.is_empty());
    fixture.end().await;
}

#[tokio::test]
async fn a_leader_that_was_paused_for_30_s_changes_nothing_when_it_resumes() {
    let fixture = fixture().await;
    let (mut one, _two) = leader_and_standby(&fixture).await;
    begin_work(&fixture).await;
    // From here on all calls fail, so that work is left when the leader continues.
    for action in ["CreateUser", "DeleteUser"] {
        let refused = Rule::on(action).unavailable().always();
        fixture.aws.fault(refused).await;
    }
    one.signal(Signal::STOP).unwrap();
    let stopped = Instant::now();
    let taken = held_by(&fixture, "two").await;
    assert!(stopped.elapsed() < Duration::from_secs(21), "taken over after {:?}", stopped.elapsed());
    assert_eq!(taken.lease_transitions, Some(1));
    // The test is about this duration.
    tokio::time::sleep(Duration::from_secs(30).saturating_sub(stopped.elapsed())).await;
    let before = sent_by(&fixture, "one").await;
    one.signal(Signal::CONT).unwrap();
    assert_eq!(ended(one).await, Some(1), "replica one must end, because it does not lead any more");
    let log = fixture.each_log().swap_remove(0);
    assert!(log.lines().last().unwrap().contains("does not lead any more"), "{log}");
    fixture.aws.clear_faults().await;
    nothing_is_lost_or_done_twice(&fixture).await;
    assert_eq!(sent_by(&fixture, "one").await, before, "replica one changed something after it was paused");
    held_by(&fixture, "two").await;
    fixture.end().await;
}

#[tokio::test]
async fn a_leader_that_gets_sigterm_in_the_middle_of_its_work_is_followed_within_3_s() {
    let fixture = fixture().await;
    let (mut one, _two) = leader_and_standby(&fixture).await;
    begin_work(&fixture).await;
    let asked = Instant::now();
    one.signal(Signal::TERM).unwrap();
    assert_eq!(ended(one).await, Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    let taken = held_by(&fixture, "two").await;
    let took = taken.acquire_time.unwrap().0.duration_since(logged(&fixture, 0, "released"));
    assert!(took.as_secs_f64() < 3.0, "taken over after {took:?}");
    assert_eq!(taken.lease_duration_seconds, Some(15));
    nothing_is_lost_or_done_twice(&fixture).await;
    fixture.end().await;
}

#[tokio::test]
async fn the_lease_is_not_released_if_a_mutation_had_to_be_cut() {
    let fixture = fixture().await;
    let mut one = replica(&fixture, "one");
    let held = held_by(&fixture, "one").await;
    let hang = Rule::on("CreateUser").hang();
    let hang = fixture.aws.fault(hang).await;
    fixture.create("app", iam()).await;
    fixture.aws.struck(hang, 1).await;
    let asked = Instant::now();
    one.signal(Signal::TERM).unwrap();
    assert_eq!(ended(one).await, Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(spec(&fixture).await.holder_identity, held.holder_identity);
    fixture.end().await;
}

#[tokio::test]
async fn a_standby_is_ready_and_writes_nothing() {
    let fixture = fixture().await;
    let (_one, mut two) = leader_and_standby(&fixture).await;
    let addresses: Vec<String> =
        fixture.each_log().iter().map(|log| operator::address(log).unwrap().to_owned()).collect();
    let page = |index: usize, path: &str| {
        let url = format!("http://{}/{path}", addresses[index]);
        async move { reqwest::get(url).await.unwrap() }
    };
    assert!(page(1, "readyz").await.status().is_success());
    let status = "leader_election_master_status{name=\"elasticache-user-operator\"}";
    for (index, leads) in [(0, 1), (1, 0)] {
        let metrics = page(index, "metrics").await.text().await.unwrap();
        assert!(metrics.contains(&format!("{status} {leads}\n")), "replica {index}: {metrics}");
    }
    fixture.ready("app", iam()).await;
    assert!(!sent_by(&fixture, "one").await.is_empty());
    let calls = fixture.aws.calls().await;
    assert!(calls.iter().all(|call| !call["UserAgent"].as_str().unwrap().contains("app/two")));

    let asked = Instant::now();
    two.signal(Signal::TERM).unwrap();
    assert_eq!(ended(two).await, Some(0));
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    let lease = held_by(&fixture, "one").await;
    assert_eq!((lease.lease_transitions, lease.lease_duration_seconds), (Some(0), Some(15)));
    fixture.end().await;
}

#[tokio::test]
async fn without_a_token_no_object_is_written() {
    let fixture = Fixture::without_operator(setup()).await;
    let created = fixture.create("app", iam()).await;
    let object: ElastiCacheUser = serde_json::from_value(created).unwrap();
    let kubernetes = Kubernetes::new(fixture.client.clone(), Token::none());
    let status = serde_json::from_value(json!({ "observedGeneration": 1 })).unwrap();
    for written in [
        kubernetes.add_finalizer(&object).await,
        kubernetes.apply_status(&object, &status).await,
        kubernetes.remove_finalizer(&object).await,
    ] {
        assert!(matches!(written, Err(RequestError::Ending)), "{written:?}");
    }
    let now = kubernetes.read(&object).await.unwrap().unwrap();
    assert_eq!(now.metadata.resource_version, object.metadata.resource_version);
    fixture.users().delete("app", &kube::api::DeleteParams::default()).await.unwrap();
    fixture.end().await;
}

#[tokio::test]
async fn a_leader_whose_api_server_stops_answering_ends_within_12_s() {
    let cluster = tokio::task::spawn_blocking(control_plane::own).await.unwrap();
    let fixture = Fixture::without_operator(setup()).await;
    let logs = tempfile::tempdir().unwrap();
    let log = |name: &str| logs.path().join(name);
    let start = |name: &str| {
        let mut command = fixture.command();
        command.env("KUBECONFIG", cluster.kubeconfig()).env("ELASTICACHE_USERS_NAMESPACE", "default");
        command.env("ELASTICACHE_USERS_LEADER_ELECT", "true").env("POD_NAME", name);
        Process::start("operator", command, &log(name)).unwrap()
    };
    let leads = async |name: &str| {
        let text = || std::fs::read_to_string(log(name)).unwrap_or_default();
        until("the replica leads", async || text().contains("leading")).await;
    };
    let one = start("one");
    leads("one").await;
    cluster.pause_apiserver().unwrap();
    let paused = Instant::now();
    assert_eq!(ended(one).await, Some(1));
    assert!(paused.elapsed() < Duration::from_secs(12), "{:?}", paused.elapsed());
    cluster.resume_apiserver().unwrap();
    // The Lease is in the namespace of the kubeconfig's context.
    let _two = start("two");
    leads("two").await;
    let leases: Api<Lease> = Api::namespaced(control_plane::client_of(cluster.kubeconfig()).await, "default");
    let lease = leases.get(LEASE).await.unwrap().spec.unwrap();
    assert!(lease.holder_identity.unwrap().starts_with("two_"));
}
