//! Random walks.

use std::collections::BTreeSet;
use std::time::Duration;

use plan::{ConditionStatus, DeletionPolicy};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use crate::cluster::Cluster;
use crate::service::{Group, Luck};

const USERS: [&str; 4] = ["ann", "bob", "cid", "dee"];
/// A member that belongs to somebody else.
const FOREIGN: &str = "foreign";
const GROUPS: [&str; 2] = ["cache", "queue"];
/// The sets of groups that a spec may name.
const SPECS: usize = 4;

#[derive(Clone, Debug)]
enum Event {
    /// Creates the object, or changes its spec.
    Spec(usize, usize),
    Deletes(usize, DeletionPolicy),
    LosesStatus(usize),
    /// Somebody else puts the user into the group, or takes it out. The last user is nobody's.
    Foreign(usize, usize, bool),
    /// Somebody deletes the user in AWS.
    Vanishes(usize),
    Group(usize, bool),
    Culprit(usize, bool),
    Kill,
    /// A pass over the object begins, and the process is killed after so many requests.
    KilledAfter(usize, usize),
    Luck(Luck),
    Runs(u64),
}

fn spec(number: usize) -> BTreeSet<String> {
    let named = GROUPS.iter().enumerate().filter(|(at, _)| number & (1 << at) != 0);
    named.map(|(_, group)| (*group).to_owned()).collect()
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let user = || 0..USERS.len();
    let group = || 0..GROUPS.len();
    let policy = prop_oneof![Just(DeletionPolicy::Delete), Just(DeletionPolicy::Retain)];
    let lucks =
        [Luck::Throttled, Luck::LostBefore, Luck::LostAfter, Luck::KilledBefore, Luck::KilledAfter].to_vec();
    let event = prop_oneof![
        8 => (user(), 0..SPECS).prop_map(|(user, spec)| Event::Spec(user, spec)),
        6 => (0..120_u64).prop_map(Event::Runs),
        2 => (user(), policy).prop_map(|(user, policy)| Event::Deletes(user, policy)),
        1 => user().prop_map(Event::LosesStatus),
        2 => (0..=USERS.len(), group(), any::<bool>()).prop_map(|(user, group, joins)| Event::Foreign(user, group, joins)),
        1 => user().prop_map(Event::Vanishes),
        1 => (group(), any::<bool>()).prop_map(|(group, is)| Event::Group(group, is)),
        1 => (user(), any::<bool>()).prop_map(|(user, is)| Event::Culprit(user, is)),
        1 => Just(Event::Kill),
        2 => (user(), 0..25_usize).prop_map(|(user, requests)| Event::KilledAfter(user, requests)),
        3 => prop::sample::select(lucks).prop_map(Event::Luck),
    ];
    prop::collection::vec(event, 0..40)
}

fn apply(cluster: &mut Cluster, event: &Event) {
    match event {
        Event::Spec(user, number) => {
            cluster.create(USERS[*user], &spec(*number));
            cluster.edit(USERS[*user], |item| item.spec = spec(*number));
        }
        Event::Deletes(user, policy) => cluster.edit(USERS[*user], |item| {
            item.policy = *policy;
            item.object.terminating = true;
        }),
        Event::LosesStatus(user) => cluster.lose_status(USERS[*user]),
        Event::Foreign(user, group, joins) => {
            let user = USERS.get(*user).copied().unwrap_or(FOREIGN);
            if user == FOREIGN || cluster.service.has_user(user) || !joins {
                cluster.service.foreign_change(GROUPS[*group], user, *joins);
            }
        }
        Event::Vanishes(user) => cluster.service.remove(USERS[*user]),
        Event::Group(group, true) => {
            cluster.service.groups.entry(GROUPS[*group].to_owned()).or_default();
        }
        Event::Group(group, false) => {
            cluster.service.groups.remove(GROUPS[*group]);
        }
        Event::Culprit(user, true) => {
            cluster.service.culprits.insert(USERS[*user].to_owned());
        }
        Event::Culprit(user, false) => {
            cluster.service.culprits.remove(USERS[*user]);
        }
        Event::Kill => cluster.restart(),
        Event::KilledAfter(user, requests) => cluster.pass(USERS[*user], *requests),
        Event::Luck(luck) => cluster.luck = Some(*luck),
        Event::Runs(seconds) => cluster.run(Duration::from_secs(*seconds)),
    }
}

/// What is wrong after everything has had its time.
fn wrong(cluster: &Cluster) -> Option<String> {
    let members = |group: &str| cluster.service.groups.get(group).map(|group: &Group| &group.members);
    cluster.items.iter().find_map(|(name, item)| {
        let is_member = |group: &str| members(group).is_some_and(|members| members.contains(name));
        let Some(ready) = item.ready() else { return Some(format!("{name} has no status")) };
        let all = GROUPS.iter().all(|group| {
            let named = item.spec.contains(*group);
            named == is_member(group) || !named && !item.manages(group)
        });
        let may_join = |group: &String| {
            members(group).is_some() && (is_member(group) || !cluster.service.culprits.contains(name))
        };
        let possible = item.spec.iter().all(may_join);
        let told = ["UserGroupNotFound", "UserGroupRefused"].contains(&ready.reason.as_str());
        let is_ready = ready.status == ConditionStatus::True;
        let fine = !item.object.terminating && is_ready == all && is_ready == possible && is_ready != told;
        (!fine).then(|| format!("{name} with {:?} is {} ({})", item.spec, ready.reason, ready.message))
    })
}

#[test]
fn a_user_of_the_model_joins_and_leaves_and_is_retained_as_a_member() {
    let mut cluster = Cluster::new();
    cluster.service.groups.insert("cache".to_owned(), Group::default());
    let is_member = |cluster: &Cluster| cluster.service.groups["cache"].members.contains("ann");
    cluster.create("ann", &spec(1));
    cluster.run(Duration::from_secs(60));
    assert!(is_member(&cluster) && wrong(&cluster).is_none());
    cluster.edit("ann", |item| item.spec = spec(0));
    cluster.run(Duration::from_secs(60));
    assert_eq!((is_member(&cluster), cluster.calls), (false, 2));
    cluster.edit("ann", |item| item.spec = spec(1));
    cluster.run(Duration::from_secs(60));
    cluster.edit("ann", |item| (item.policy, item.object.terminating) = (DeletionPolicy::Retain, true));
    cluster.run(Duration::from_secs(60));
    assert!(cluster.items.is_empty() && is_member(&cluster));
    // The same object again. It names no group, and the membership is not its own.
    cluster.create("ann", &spec(0));
    cluster.run(Duration::from_secs(60));
    assert!(is_member(&cluster) && cluster.calls == 3 && wrong(&cluster).is_none());
}

fn config() -> Config {
    let given = Config::default();
    let rng_seed = match given.rng_seed {
        RngSeed::Random => RngSeed::Fixed(20_261_201),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    Config { cases: given.cases.max(600), rng_seed, failure_persistence: None, ..given }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn every_wish_is_fulfilled_or_told_whatever_happens_to_objects_groups_and_the_process(events in events()) {
        let mut cluster = Cluster::new();
        for group in GROUPS {
            cluster.service.groups.insert(group.to_owned(), Group::default());
        }
        for event in &events {
            apply(&mut cluster, event);
        }
        cluster.luck = None;
        let foreign = |cluster: &Cluster| {
            GROUPS.map(|group| cluster.service.groups.get(group).is_some_and(|group| group.members.contains(FOREIGN)))
        };
        let before = foreign(&cluster);
        for _ in 0..6 {
            cluster.resync();
            cluster.run(Duration::from_secs(600));
        }
        prop_assert_eq!(&cluster.breaches, &Vec::<String>::new());
        prop_assert_eq!(wrong(&cluster), None);
        prop_assert_eq!(foreign(&cluster), before, "a member of nobody stays");
        let (writes, calls, passes) = (cluster.writes, cluster.calls, cluster.passes);
        cluster.run(Duration::from_secs(3600));
        prop_assert_eq!(cluster.writes, writes, "nothing changes any more");
        let (calls, passes) = (cluster.calls - calls, cluster.passes - passes);
        prop_assert!(calls <= 16 * USERS.len() && passes <= 16 * USERS.len(), "{calls} calls, {passes} passes in an hour");
    }
}
