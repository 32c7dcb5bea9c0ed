//! The core converges: from any state and under any schedule of faults, `plan` and `verdict` (the real ones) and a model of
//! everything around them reach the goal in a bounded number of passes after the last thing that befell, and stay there.
//! Anything may befall at any moment: faults at any call, a new spec, other passwords, somebody else at work in AWS, the end
//! of the process. On the way nothing that is not ours is changed or deleted and nothing is sent that AWS is known to have: a
//! judge looks at every mutation.
//!
//! `tests/protocol` visits every state of a world with few states; here the world is rich, and its walks are random. The same
//! walks each time: `PROPTEST_RNG_SEED` gives others, and `PROPTEST_CASES` more.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[path = "../common/mod.rs"]
#[macro_use]
mod common;
mod calls;
mod ends;
mod judge;
mod look;
mod memory;
mod object;
mod others;
mod schedule;
mod secrets;
mod service;
mod shell;
mod start;
mod status;
mod world;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use calls::Mutation;
use memory::Memory;
use object::Status;
use plan::{DeletionPolicy, LastApplied};
use schedule::{Claim, Edit, Happening, Mishap, Others, Schedule, schedules};
use service::ACCESS;
use start::{Start, starts};
use world::World;

/// The same cases in each run, unless the environment asks for others.
fn config() -> Config {
    let rng_seed = RngSeed::Fixed(20_240_229);
    // A case that failed stands in the output with all that it needs, and the same seed finds it again.
    Config { cases: 10_000, rng_seed, failure_persistence: None, ..Config::default() }
}

/// Passes in which something may befall.
const STORM: usize = 20;
/// Passes after the last thing that befell within which the goal is reached.
const BOUND: usize = 30;
/// Mutations that may be attempted until it is. Four may be due for one user: its owner's tags, tags that left the spec, tags
/// that are new, and one ModifyUser with all the rest. A CreateUser or a DeleteUser leaves nothing to be done.
const MOST_MUTATIONS: usize = 4;
/// Passes that change nothing any more.
const REST: usize = 7;

/// Runs a case to its end; `Err` tells what is wrong, and all that happened.
fn run(start: &Start, schedule: &Schedule) -> Result<World, String> {
    follow(start, schedule, false).or_else(|_| follow(start, schedule, true))
}

fn follow(start: &Start, schedule: &Schedule, telling: bool) -> Result<World, String> {
    let mut world = World::new(start.clone(), schedule, telling);
    let mut memory = Memory::default();
    passes(STORM, &mut world, &mut memory);
    world.calm();
    if schedule.mended {
        world.happen(&Happening::Protects(false));
        world.secrets.mend();
    }
    let before = world.mutations.len();
    passes(BOUND, &mut world, &mut memory);
    let wrong = ends::wrong(&world)
        .or_else(|| ends::forsaken(start, schedule, &world))
        .or_else(|| too_many(&world.mutations[before..]));
    let moved = rests(&mut world, &mut memory).or_else(|| survives_a_restart(&mut world));
    match world.breaches.first().cloned().or(wrong).or(moved) {
        None => Ok(world),
        Some(what) => Err(format!("{what}; the walk:\n{}", world.tale())),
    }
}

/// Nothing is written and nothing changes in AWS any more.
fn rests(world: &mut World, memory: &mut Memory) -> Option<String> {
    let before = (world.object.clone(), world.mutations.len());
    world.tell(|| "from here on nothing may change any more");
    passes(REST, world, memory);
    let moved = world.object != before.0 || world.mutations.len() != before.1;
    moved.then(|| "it does not stay".to_owned())
}

/// Nor by a restart, save that a status write that did not come through while a person is needed is made up for.
fn survives_a_restart(world: &mut World) -> Option<String> {
    // Tags that somebody changed are not read before a person has done their part, but by a new process.
    let unread = world.retagged && ends::needs_a_person(world);
    if unread || judge::is_told_by_memory_alone(world) {
        return None;
    }
    let before = (world.object.clone(), world.mutations.len());
    world.tell(|| "a restart");
    let mut memory = Memory::default();
    passes(REST, world, &mut memory);
    let wrote = world.object != before.0 && !ends::needs_a_person(world);
    let moved = wrote || world.mutations.len() != before.1;
    moved.then(|| "a restart changes something".to_owned()).or_else(|| rests(world, &mut memory))
}

/// Once nothing befalls any more, each kind of mutation takes effect once at most.
fn too_many(mutations: &[(Mutation, bool)]) -> Option<String> {
    let repeated = mutations.iter().enumerate().any(|(at, (kind, done))| {
        *done && mutations[..at].iter().any(|(before, done)| *done && before == kind)
    });
    (repeated || mutations.len() > MOST_MUTATIONS).then(|| format!("too many mutations: {mutations:?}"))
}

fn passes(count: usize, world: &mut World, memory: &mut Memory) {
    for _ in 0..count {
        if world.object.is_none() {
            return;
        }
        shell::pass(world, memory);
        world.tick();
        world.close_chapter();
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_goal_is_reached_from_everywhere_whatever_befalls_and_nothing_moves_after(
        start in starts(),
        schedule in schedules(),
    ) {
        if let Err(story) = run(&start, &schedule) {
            prop_assert!(false, "{}", story);
        }
    }
}

/// What the walks have to meet, or they would prove little.
const ACTIONS: [&str; 54] = [
    "AddFinalizer",
    "Announce Change",
    "Announce Creation",
    "Announce Departure",
    "Announce Tags",
    "Compare Differs",
    "Compare Matches",
    "Compare Missing",
    "Create Drift",
    "Create Edit",
    "Delete Delete",
    "Look Account",
    "Look Definition",
    "Look Object",
    "Look ObjectAndDefinition",
    "Look Other",
    "Look Tags",
    "Look User",
    "Modify Drift",
    "Modify Edit",
    "Modify Rotation",
    "Pause ready",
    "Refuse AdoptionNotAllowed",
    "Refuse Elsewhere",
    "Refuse InvalidPassword",
    "Refuse InvalidSpec",
    "Refuse UserAlreadyExists",
    "Refuse UserIdNotAllowed",
    "Refuse UserOwnedByAnother",
    "Release DefinitionGoing",
    "Release LeftToOwner",
    "Release LeftUnowned",
    "Release NoSuchUser",
    "Release Observes",
    "Release Retained",
    "Release UserGone",
    "Rest",
    "Tag Adoption",
    "Tag Drift",
    "Tag Edit",
    "Untag Untag",
    "Wait Creating",
    "Wait CreationOpen",
    "Wait DefinitionUnreadable",
    "Wait Elsewhere",
    "Wait Failed",
    "Wait Modifying",
    "Wait OwnerUnknown",
    "Wait PreviousUser",
    "Wait Protected",
    "Wait Secret",
    "Wait Suspended",
    "Wait UserDeleting",
    "Wait UserNotActive",
];

#[test]
fn the_walks_meet_every_action() {
    let mut runner = TestRunner::new(Config { cases: 0, ..config() });
    let mut met = BTreeSet::new();
    for _ in 0..1500 {
        let case = (starts(), schedules()).new_tree(&mut runner).unwrap().current();
        met.extend(follow(&case.0, &case.1, true).unwrap().met);
    }
    assert_eq!(met.into_iter().collect::<Vec<_>>(), ACTIONS);
}

#[test]
fn the_last_edit_wins_though_the_report_of_the_one_before_is_lost() {
    let (first, second) = (2, 0);
    let last_applied = LastApplied { access_string: Some(ACCESS[first].0.into()), ..LastApplied::default() };
    let start =
        start::settled_but_for(Status { last_applied: Some(last_applied), ..Status::default() }, first);
    let edits = [second, first].map(|access| Happening::Edits(Edit::Access(access)));
    // It looks at the user and its tags, announces, sends the second access string, reports; and is killed at one of these.
    let worlds = (0..6).map(|last| {
        let mut calls = vec![Mishap::Fine; last];
        calls.push(Mishap::KilledAfter);
        walk(&start, calls, edits.to_vec())
    });
    let mut sent = 0;
    for world in worlds {
        sent = sent.max(world.mutations.len());
        let access = world.service.user.as_ref().map(|user| user.shown.access_string.as_str());
        assert_eq!(access, Some(ACCESS[first].1), "{}", world.tale());
    }
    assert_eq!(sent, 2, "the second one has to get there, and be taken back");
}

/// Ready, with AWS's form of its access string and the keys of these tags in status.
fn settled(tag_keys: &[&str]) -> Start {
    let last_applied = LastApplied {
        access_string: Some(ACCESS[0].0.into()),
        expanded_access_string: Some(ACCESS[0].1.into()),
        tag_keys: tag_keys.iter().map(|key| (*key).to_owned()).collect(),
        ..LastApplied::default()
    };
    start::settled_but_for(Status { last_applied: Some(last_applied), ..Status::default() }, 0)
}

/// Follows a case that nothing may be wrong with.
fn walk(start: &Start, calls: Vec<Mishap>, between: Vec<Happening>) -> World {
    let schedule = Schedule { calls, between, mended: false };
    follow(start, &schedule, true).unwrap_or_else(|story| panic!("{story}"))
}

fn has_tag(world: &World, key: &str) -> bool {
    world.service.user.as_ref().is_some_and(|user| user.tags.contains_key(key))
}

#[test]
fn a_tag_whose_sending_was_lost_goes_with_the_spec() {
    let edits = [2, 0].map(|tags| Happening::Edits(Edit::Tags(tags)));
    // It looks at the user and its tags, announces, looks at the object, sends the second tag, and is killed.
    let mut calls = vec![Mishap::Fine; 4];
    calls.push(Mishap::KilledAfter);
    let world = walk(&settled(&["team"]), calls, edits.to_vec());
    assert!(world.mutations.contains(&(Mutation::Tag, true)), "{}", world.tale());
    assert!(!has_tag(&world, "tier"), "{}", world.tale());
}

#[test]
fn a_tag_of_a_creation_that_shows_late_goes_with_the_spec() {
    let mut start = settled(&[]);
    start.object.status = Status::default();
    start.service.user = None;
    // It looks at the user and announces; CreateUser shows only later, and its report is lost.
    let calls = vec![Mishap::Fine, Mishap::Fine, Mishap::Late, Mishap::KilledBefore];
    let world = walk(&start, calls, vec![Happening::Nothing, Happening::Edits(Edit::Tags(3))]);
    assert!(!has_tag(&world, "team"), "{}", world.tale());
}

#[test]
fn a_tag_that_was_taken_off_and_comes_back_is_somebody_elses() {
    let mut start = settled(&["team", "tier"]);
    start.service.user.as_mut().unwrap().tags.insert("tier".into(), "gold".into());
    let world = walk(&start, vec![], vec![Happening::Nothing, Happening::Others(Others::Labels(2))]);
    assert!(world.mutations.contains(&(Mutation::Untag, true)), "{}", world.tale());
    assert!(has_tag(&world, "tier"), "{}", world.tale());
}

#[test]
fn owner_tags_are_not_put_back_for_an_object_that_leaves_meanwhile() {
    let mut start = settled(&["team"]);
    let user = start.service.user.as_mut().unwrap();
    user.tags = others::claimed(Claim::Nobodys);
    start.object.status.reported = Some(status::identity(&user.shown));
    start.object.status.arn = Some(user.shown.arn.clone());
    start.object.spec.policy = DeletionPolicy::Retain;
    // Another process does not know the owner: it reads the tags, and then the object goes.
    start.object.requested = 1;
    let world = walk(&start, vec![Mishap::Fine, Mishap::Meanwhile(Happening::Deletes)], vec![]);
    assert_eq!(world.mutations, [], "{}", world.tale());
}

/// On its way out: of the six calls up to the first DeleteUser the look at the definition is the first, the announcement the
/// fourth, which one that is repeated does without. `ends` tells how each DeleteUser ends, and its report.
fn leaves(ends: &[(Mishap, Mishap)], then: Others) -> World {
    let mut start = settled(&["team"]);
    let shown = &start.service.user.as_ref().unwrap().shown;
    start.object.status.reported = Some(status::identity(shown));
    start.object.status.arn = Some(shown.arn.clone());
    let mut calls = vec![];
    let mut between = vec![Happening::Deletes];
    for (end, report) in ends {
        let first = calls.is_empty();
        calls.extend(vec![Mishap::Fine; if first { 6 } else { 5 }]);
        calls.push(end.clone());
        // That AWS refuses again is not written.
        calls.extend(first.then(|| report.clone()));
        between.push(Happening::Nothing);
    }
    *between.last_mut().unwrap() = Happening::Others(then);
    walk(&start, calls, between)
}

#[test]
fn a_user_that_came_after_ours_was_seen_to_go_is_not_ours_though_status_could_not_say_so() {
    let goes_on = || Mishap::Meanwhile(Happening::AwsGoesOn);
    // Gone before anybody sees it `deleting`, and neither the announcement nor the finalizer's end is written; then the other
    // one is `active` at first sight.
    let unseen = vec![goes_on(), Mishap::Fine, Mishap::Refused(common::busy()), goes_on()];
    // On the way out the definition is looked at first.
    let leaving = [vec![Mishap::Fine], unseen.clone()].concat();
    for (leaves, calls) in [(false, unseen), (true, leaving), (false, vec![]), (true, vec![])] {
        let mut start = settled(&["team"]);
        let shown = &start.service.user.as_ref().unwrap().shown;
        start.object.status.reported = Some(status::identity(shown));
        start.object.status.arn = Some(shown.arn.clone());
        start.object.terminating = leaves;
        let twin = Happening::Others(Others::Creates(Claim::Nobodys, 0));
        let world = walk(&start, calls, vec![Happening::Others(Others::Deletes), twin]);
        assert_eq!(world.mutations, [], "{}", world.tale());
        assert!(world.service.user.is_some(), "{}", world.tale());
    }
}

fn refused(fault: plan::Fault) -> (Mishap, Mishap) {
    (Mishap::Refused(fault), Mishap::Fine)
}

#[test]
fn a_user_that_came_after_ours_outlives_our_object() {
    for end in [Mishap::Lost, Mishap::KilledAfter] {
        for before in [vec![], vec![refused(common::throttled())]] {
            let ends = [before, vec![(end.clone(), Mishap::Fine)]].concat();
            let world = leaves(&ends, Others::Creates(Claim::Nobodys, 0));
            assert_eq!(world.mutations.last(), Some(&(Mutation::Delete, true)), "{}", world.tale());
            assert!(world.service.user.is_some(), "{ends:?}: {}", world.tale());
        }
    }
}

#[test]
fn a_user_that_loses_its_tags_after_a_deletion_was_refused_is_deleted_still() {
    for fault in common::faults().into_iter().filter(|fault| !fault.outcome_unknown()) {
        for times in 1..3 {
            let ends = vec![refused(fault.clone()); times];
            let world = leaves(&ends, Others::Retags(Claim::Nobodys));
            let kinds: Vec<_> = world.mutations.iter().skip(times).map(|(kind, _)| *kind).collect();
            assert_eq!(kinds, [Mutation::Claim, Mutation::Delete], "{}", world.tale());
            assert!(world.service.user.is_none(), "{}", world.tale());
        }
    }
}

#[test]
fn it_is_left_by_a_process_that_did_not_see_the_refusal() {
    let killed = (Mishap::Refused(common::busy()), Mishap::KilledAfter);
    let world = leaves(&[killed], Others::Retags(Claim::Nobodys));
    assert_eq!(world.mutations, [(Mutation::Delete, false)], "{}", world.tale());
    assert!(world.object.is_none() && world.service.user.is_some(), "{}", world.tale());
}

#[test]
fn a_deletion_that_is_refused_again_and_again_writes_once() {
    let world = leaves(&vec![refused(common::busy()); 6], Others::Labels(2));
    let writes = world.writes_by_operator;
    let once = leaves(&[refused(common::busy())], Others::Labels(2)).writes_by_operator;
    assert_eq!(writes, once, "{}", world.tale());
}
