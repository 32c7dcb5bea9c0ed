//! The core converges: from any state and under any schedule of faults, `plan` and `verdict` (the real ones) and a model of
//! everything around them reach the goal in a bounded number of passes after the last thing that befell, and stay there.
//! On the way nothing that is not ours is changed or deleted: a judge looks at every mutation.
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
mod object;
mod schedule;
mod service;
mod shell;
mod start;
mod status;
mod world;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use object::{Secret, Status};
use plan::LastApplied;
use schedule::{Edit, Happening, Mishap, Schedule, schedules};
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
/// Mutations that reaching it may take.
const MOST_MUTATIONS: usize = 3;
/// Passes that change nothing any more.
const REST: usize = 12;

/// Runs a case to its end; `Err` tells what is wrong, and all that happened.
fn run(start: &Start, schedule: &Schedule) -> Result<World, String> {
    follow(start, schedule, false).or_else(|_| follow(start, schedule, true))
}

fn follow(start: &Start, schedule: &Schedule, telling: bool) -> Result<World, String> {
    let Start { object, secret, service } = start.clone();
    let mut world = World::new(object, secret, service, schedule, telling);
    let mut memory = shell::Memory::default();
    passes(STORM, &mut world, &mut memory);
    world.calm();
    if schedule.mended {
        world.happen(&Happening::Protects(false));
        world.happen(&Happening::Secret(Secret::Readable));
    }
    let before = world.mutations;
    passes(BOUND, &mut world, &mut memory);
    let many = world.mutations - before > MOST_MUTATIONS;
    let wrong = ends::wrong(&world)
        .or_else(|| ends::forsaken(start, schedule, &world))
        .or_else(|| many.then(|| "too many mutations".to_owned()));
    let before = (world.object.clone(), world.mutations);
    world.tell(|| "from here on nothing may change any more");
    passes(REST, &mut world, &mut memory);
    let moved =
        (world.object != before.0 || world.mutations != before.1).then(|| "it does not stay".to_owned());
    match world.breaches.first().cloned().or(wrong).or(moved) {
        None => Ok(world),
        Some(what) => Err(format!("{what}; the walk:\n{}", world.tale())),
    }
}

fn passes(count: usize, world: &mut World, memory: &mut shell::Memory) {
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
const ACTIONS: [&str; 39] = [
    "Announce Change",
    "Announce Creation",
    "Announce Departure",
    "Announce Tags",
    "Create Create",
    "Delete Delete",
    "Look Account",
    "Look Definition",
    "Look Object",
    "Look Other",
    "Look Tags",
    "Look User",
    "Modify Modify",
    "Refuse Elsewhere",
    "Refuse InvalidPassword",
    "Refuse InvalidSpec",
    "Refuse UserAlreadyExists",
    "Refuse UserOwnedByAnother",
    "Release DefinitionGoing",
    "Release LeftToOwner",
    "Release LeftUnowned",
    "Release NoSuchUser",
    "Release Retained",
    "Release UserGone",
    "Rest",
    "Tag Tag",
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
    // It looks at the user and its tags, sends the second access string, and is killed.
    let calls = vec![Mishap::Fine, Mishap::Fine, Mishap::KilledAfter];
    let schedule = Schedule { calls, between: edits.to_vec(), mended: false };
    let world = follow(&start, &schedule, true).unwrap_or_else(|story| panic!("{story}"));
    let access = world.service.user.as_ref().map(|user| user.shown.access_string.as_str());
    assert_eq!(access, Some(ACCESS[first].1), "{}", world.tale());
}
