//! The fair queue in the real operator: what a person waits for is served soon, whatever else waits. The rate, burst and
//! concurrency are the defaults. Retries and polls are ten times as fast as in production, so a hundred objects here ask for as
//! much as a thousand there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use elasticache_emulator::user_of;
use futures::future::join_all;
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::fixture::{Fixture, Setup, iam, reconcile_request, until, with_password};
use crate::rights::Rights;

/// A deletion or a creation has its first AWS call within this time.
const FIRST_CALL: Duration = Duration::from_secs(10);
/// A deletion or a creation is done within this time.
const DONE: Duration = Duration::from_secs(30);
/// How many other objects wait.
const CROWD: usize = 150;

pub(crate) fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

/// Users may stay at the end, because the tests end before a crowd is done.
fn setup() -> Setup {
    Setup { leaves_users: true, ..Setup::default() }
}

/// No rate limit, while a test creates its crowd.
pub(crate) fn unlimited() -> [(&'static str, String); 2] {
    [("ELASTICACHE_USERS_AWS_RATE", "1000".to_owned()), ("ELASTICACHE_USERS_AWS_BURST", "1000".to_owned())]
}

pub(crate) async fn create_all(fixture: &Fixture, names: &[String], spec: impl Fn(&str) -> Value) {
    let creations = stream::iter(names).map(|name| fixture.create(name, spec(name)));
    creations.buffer_unordered(16).for_each(|_| async {}).await;
}

/// Waits for the first AWS call about each of these users after the first `after` calls. Returns how long after `since` each
/// was seen.
async fn first_calls(
    fixture: &Fixture,
    names: &[String],
    after: usize,
    since: Instant,
) -> BTreeMap<String, Duration> {
    let mut seen = BTreeMap::new();
    while since.elapsed() < 2 * FIRST_CALL && seen.len() < names.len() {
        let calls = fixture.aws.calls().await;
        for id in calls.iter().skip(after).map(user_of) {
            if names.iter().any(|name| name == id) && !seen.contains_key(id) {
                seen.insert(id.to_owned(), since.elapsed());
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    seen
}

/// Deletes eight users and creates four while many other objects wait. Each of the twelve must get its first AWS call within
/// [`FIRST_CALL`], and be done within [`DONE`].
async fn deletions_and_creations_are_served(fixture: &Fixture, leaving: &[String]) {
    let coming = names("coming", 4);
    let calls = fixture.aws.calls().await.len();
    let since = Instant::now();
    join_all(leaving.iter().map(|name| fixture.delete(name))).await;
    create_all(fixture, &coming, |_| iam()).await;
    let everybody = [leaving, &coming].concat();
    let seen = first_calls(fixture, &everybody, calls, since).await;
    assert_eq!(seen.len(), everybody.len(), "some got no call at all: {seen:?}");
    assert!(seen.values().all(|wait| *wait <= FIRST_CALL), "{seen:?}");
    for name in leaving {
        fixture.gone(name).await;
    }
    for name in &coming {
        fixture.wait_ready(name).await;
    }
    assert!(since.elapsed() <= DONE, "done after {:?}", since.elapsed());
}

#[tokio::test]
async fn edits_and_deletions_are_served_while_many_objects_wait_for_secrets() {
    let fixture = Fixture::without_operator(setup()).await;
    let (leaving, crowd) = (names("leaving", 8), names("waiting", CROWD));
    fixture.start_with(&unlimited());
    create_all(&fixture, &leaving, |_| iam()).await;
    create_all(&fixture, &crowd, |name| with_password(&format!("missing-{name}"))).await;
    for name in &leaving {
        fixture.wait_ready(name).await;
    }
    for name in &crowd {
        fixture.reason(name, "SecretNotFound").await;
    }
    fixture.kill();
    fixture.start();
    deletions_and_creations_are_served(&fixture, &leaving).await;
    fixture.kill();
    fixture.end().await;
}

#[tokio::test]
async fn edits_and_deletions_are_served_while_many_users_stay_modifying() {
    let fixture = Fixture::without_operator(setup()).await;
    let (leaving, crowd) = (names("leaving", 8), names("stuck", CROWD));
    fixture.start_with(&unlimited());
    for names in [&leaving, &crowd] {
        create_all(&fixture, names, |_| iam()).await;
    }
    for name in leaving.iter().chain(&crowd) {
        fixture.wait_ready(name).await;
    }
    for name in &crowd {
        fixture.aws.put_user(name, json!({ "Status": "modifying" })).await;
        fixture.patch(name, json!({ "spec": { "accessString": "on ~new:* +@all" } })).await;
    }
    for name in &crowd {
        fixture.reason(name, "WaitingForUserActive").await;
    }
    fixture.kill();
    fixture.start();
    until("the stuck users are polled together", async || {
        fixture.aws.calls_of("DescribeUsers", "").await.len() > 3
    })
    .await;
    deletions_and_creations_are_served(&fixture, &leaving).await;
    fixture.kill();
    fixture.end().await;
}

/// AWS takes 12 s to delete a user, which is two minutes at the pace of production. So all users are `deleting` at the same time,
/// however busy the machine is.
#[tokio::test]
async fn many_deletions_are_polled_by_one_listing() {
    let mut setup = setup();
    setup.aws.delete_time = Duration::from_secs(12);
    let fixture = Fixture::without_operator(setup).await;
    fixture.start_with(&unlimited());
    let names = names("leaving", 60);
    create_all(&fixture, &names, |_| iam()).await;
    for name in &names {
        fixture.wait_ready(name).await;
    }
    let before = fixture.aws.calls().await.len();
    join_all(names.iter().map(|name| fixture.delete(name))).await;
    for name in &names {
        fixture.gone(name).await;
    }
    let calls = fixture.aws.calls().await.split_off(before);
    let (listings, others): (Vec<_>, Vec<_>) = calls.iter().partition(|call| user_of(call).is_empty());
    // DescribeUsers, the tags, DeleteUser and DescribeUsers. The first users were polled before many were deleting.
    assert!(others.len() <= 5 * names.len(), "{} calls for {} deletions", others.len(), names.len());
    // At most 10 in a minute of production.
    assert!((2..=20).contains(&listings.len()), "{} listings", listings.len());
    fixture.end().await;
}

/// At the pace of production, because there a listing that does not come early comes after 15 s. The rate spreads the deletions over
/// some seconds, so that the first early listing finds only some of them done.
#[tokio::test]
async fn many_deletions_end_soon_after_aws_has_finished() {
    let mut setup = setup();
    setup.aws.delete_time = Duration::from_secs(3);
    let fixture = Fixture::without_operator(setup).await;
    let env =
        [("ELASTICACHE_USERS_PACE_DIVISOR", "1".to_owned()), ("ELASTICACHE_USERS_AWS_RATE", "40".to_owned())];
    fixture.start_with(&env);
    let names = names("leaving", 60);
    create_all(&fixture, &names, |_| iam()).await;
    for name in &names {
        fixture.wait_ready(name).await;
    }
    join_all(names.iter().map(|name| fixture.delete(name))).await;
    for name in &names {
        fixture.gone(name).await;
    }
    let calls = fixture.aws.calls().await;
    // In milliseconds.
    let last = |action: &str| {
        let of_action = calls.iter().filter(|call| call["Action"] == action);
        of_action.filter_map(|call| call["At"].as_u64()).max().unwrap()
    };
    let waited = last("DescribeUsers") - last("DeleteUser");
    assert!(waited < 12_000, "the last look was {waited} ms after the last DeleteUser");
    fixture.end().await;
}

/// AWS takes 12 s for each change, as above.
#[tokio::test]
async fn many_edits_are_polled_by_one_listing_and_its_row_is_their_last_look() {
    let mut setup = setup();
    setup.aws.modify_time = Duration::from_secs(12);
    let fixture = Fixture::without_operator(setup).await;
    fixture.start_with(&unlimited());
    let names = names("edited", 100);
    create_all(&fixture, &names, |_| iam()).await;
    for name in &names {
        fixture.wait_ready(name).await;
    }
    let before = fixture.aws.calls().await.len();
    let edit = json!({ "spec": { "accessString": "on ~new:* +@all" } });
    join_all(names.iter().map(|name| fixture.patch(name, edit.clone()))).await;
    for name in &names {
        fixture.wait_ready(name).await;
    }
    let calls = fixture.aws.calls().await.split_off(before);
    let of_users = calls.iter().filter(|call| !user_of(call).is_empty()).count();
    // A look, the tags and ModifyUser; the first were polled before there were many. A last look at each would be 400.
    assert!(of_users <= 350, "{of_users} calls for {} edits", names.len());
    fixture.end().await;
}

/// Two tenants of one operator. The first one is the crowd.
struct Tenants {
    crowd: Fixture,
    other: Fixture,
}

impl Tenants {
    async fn new() -> Self {
        let setup = || Setup { rights: Some(Rights::Administrator), ..setup() };
        let (crowd, mut other) =
            futures::join!(Fixture::without_operator(setup()), Fixture::without_operator(setup()));
        other.aws = crowd.aws.clone();
        crowd.start_with(&[("ELASTICACHE_USERS_NAMESPACE", format!("{},{}", crowd.ns, other.ns))]);
        Self { crowd, other }
    }

    /// The other tenant's new users have their first call in time. The contract promises it for the first of them. The others share the
    /// turns of their namespace.
    async fn other_is_served(&self) {
        let calls = self.crowd.aws.calls().await.len();
        let names = names(&format!("other-{calls}"), 3);
        let since = Instant::now();
        create_all(&self.other, &names, |_| iam()).await;
        let seen = first_calls(&self.crowd, &names, calls, since).await;
        assert!(seen.len() == 3 && seen.values().all(|wait| *wait <= FIRST_CALL), "{seen:?}");
    }

    async fn end(self) {
        self.crowd.kill();
        self.crowd.end().await;
        self.other.end().await;
    }
}

#[tokio::test]
async fn a_tenant_who_edits_without_end_delays_nobody_else() {
    let tenants = Tenants::new().await;
    let crowd = names("crowd", 40);
    create_all(&tenants.crowd, &crowd, |_| iam()).await;
    let edits = async {
        for number in 0.. {
            let spec = json!({ "spec": { "accessString": format!("on ~{number}:* +@all") } });
            let edits = crowd.iter().map(|name| tenants.crowd.patch(name, spec.clone()));
            stream::iter(edits).buffer_unordered(8).for_each(|()| async {}).await;
        }
    };
    let other = async {
        until("the crowd uses the whole rate", || async {
            (tenants.crowd.aws.calls().await.len() >= 150).then_some(())
        })
        .await;
        tenants.other_is_served().await;
    };
    tokio::select! {
        () = edits => {}
        () = other => {}
    }
    tenants.end().await;
}

#[tokio::test]
async fn a_tenant_who_creates_hundreds_at_once_delays_nobody_else() {
    let tenants = Tenants::new().await;
    create_all(&tenants.crowd, &names("crowd", 300), |_| iam()).await;
    tenants.other_is_served().await;
    tenants.end().await;
}

/// As many bytes of annotations as Kubernetes allows.
fn large_annotations(letter: &str) -> Value {
    json!({ "metadata": { "annotations": { "example.com/fat": letter.repeat(250_000) } } })
}

#[tokio::test]
async fn a_tenant_with_large_objects_delays_nobody_else_and_writes_keep_their_contents() {
    let tenants = Tenants::new().await;
    let crowd = names("fat", 24);
    create_all(&tenants.crowd, &crowd, |_| iam()).await;
    let edits = async {
        for letter in ["a", "b", "c"] {
            let edits = crowd.iter().map(|name| tenants.crowd.patch(name, large_annotations(letter)));
            stream::iter(edits).buffer_unordered(8).for_each(|()| async {}).await;
        }
    };
    futures::join!(edits, tenants.other_is_served());
    // A new operator has to list all objects. Then it writes each of them: a status, and the removal of the finalizer.
    tenants.crowd.kill();
    tenants
        .crowd
        .start_with(&[("ELASTICACHE_USERS_NAMESPACE", format!("{},{}", tenants.crowd.ns, tenants.other.ns))]);
    tenants.other_is_served().await;
    tenants.crowd.patch("fat-0", json!({ "metadata": { "finalizers": ["example.com/held", "elasticache-users.dev/user-cleanup"] } })).await;
    tenants.crowd.delete("fat-0").await;
    let left = tenants.crowd.shows("fat-0", "our finalizer is off", |object| {
        object["metadata"]["finalizers"] == json!(["example.com/held"])
    });
    assert_eq!(left.await["metadata"]["annotations"], large_annotations("c")["metadata"]["annotations"]);
    tenants.crowd.patch("fat-0", json!({ "metadata": { "finalizers": [] } })).await;
    tenants.crowd.gone("fat-0").await;
    tenants.end().await;
}

/// Changes the object sixteen times a second, for three seconds.
async fn change_often(fixture: &Fixture, patch: impl Fn(usize) -> Value) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / 16);
    for number in 0..48 {
        ticks.tick().await;
        fixture.patch("app", patch(number)).await;
    }
}

#[tokio::test]
async fn annotations_and_labels_of_others_start_no_pass() {
    let fixture = Fixture::new().await;
    fixture.ready("app", iam()).await;
    fixture.reconcile_now("app").await;
    let calls = fixture.aws.calls().await.len();
    change_often(&fixture, |number| {
        let value = json!({ "example.com/seen": number.to_string(), "elasticache-users.dev.example.com/x": number.to_string() });
        json!({ "metadata": { "annotations": value, "labels": { "seen": number.to_string() } } })
    })
    .await;
    assert_eq!(fixture.aws.calls().await.len(), calls);
    // An annotation of ours starts a pass.
    fixture.reconcile_now("app").await;
    assert!(fixture.aws.calls().await.len() > calls);
    fixture.end().await;
}

/// Passes that have ended, by the operator's own metric.
pub(crate) fn passes(fixture: &Fixture) -> f64 {
    let page = fixture.metrics().pop().unwrap();
    let ended = page.lines().filter(|line| line.starts_with("controller_runtime_reconcile_total{"));
    ended.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

#[tokio::test]
async fn passes_over_one_object_begin_at_least_a_second_apart() {
    let fixture = Fixture::with(Setup::env(&[("ELASTICACHE_USERS_PACE_DIVISOR", "1")])).await;
    fixture.ready("app", iam()).await;
    let (before, since) = (passes(&fixture), Instant::now());
    change_often(&fixture, |number| reconcile_request(&number.to_string())).await;
    fixture
        .shows("app", "the last request is acknowledged", |object| {
            object["status"]["lastHandledReconcileAt"] == "47"
        })
        .await;
    let (passes, took) = (passes(&fixture) - before, since.elapsed());
    // A pass that had begun before may end meanwhile.
    assert!(passes <= 2.0 + took.as_secs_f64(), "{passes} passes in {took:?}");
    assert!(passes >= 3.0, "they are not put off without end: {passes} passes in {took:?}");
    fixture.end().await;
}
