//! The operator converges: from any state and under any faults, the real [`plan::Pass`] and a model of everything around it
//! reach the goal in a bounded number of passes after the last fault, and stay there. Anything may happen between any two
//! requests: faults, a new spec, other passwords, somebody else at work in AWS, other credentials, the end of the process. On
//! the way nothing that is not ours is changed or deleted, and nothing is sent that AWS is known to have: a judge looks at
//! every mutation and every write.
//!
//! `tests/protocol` visits every state of a world with few states; here the world is rich, and its walks are random. The same
//! walks each time: `PROPTEST_RNG_SEED` gives others, and `PROPTEST_CASES` more.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, clippy::panic, reason = "a test may stop")]

#[path = "../common/mod.rs"]
#[macro_use]
mod common;
mod events;
mod judge;
mod model;
mod named;
mod operator;
mod start;
mod trace;
mod walk;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use proptest_state_machine::ReferenceStateMachine;

use walk::{STEPS, Walk, follow, follow_traced};

/// What proptest takes if the environment does not say how many.
const CASES_BY_DEFAULT: u32 = 256;

/// The same walks in each run, unless the environment asks for others.
fn config() -> Config {
    let given = Config::default();
    let rng_seed = match given.rng_seed {
        RngSeed::Random => RngSeed::Fixed(20_240_229),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    let cases = if given.cases == CASES_BY_DEFAULT { 10_000 } else { given.cases };
    // A walk that failed stands in the output with all that it needs, and the same seed finds it again.
    Config { cases, rng_seed, failure_persistence: None, ..given }
}

#[test]
fn every_goal_is_reached_from_everywhere_whatever_goes_wrong_and_nothing_moves_after() {
    let walks = Walk::sequential_strategy(1..STEPS);
    let ran = TestRunner::new(config())
        .run(&walks, |(walk, steps, _)| follow(&walk.start, &steps).map(drop).map_err(TestCaseError::fail));
    match ran {
        Ok(()) => {}
        Err(TestError::Fail(why, (_, steps, _))) => panic!("{why}\nafter these steps: {steps:#?}"),
        Err(other @ TestError::Abort(_)) => panic!("{other}"),
    }
}

/// What the walks have to meet, or they would prove little: requests, and how passes end.
const MET: &str = "\
    AcquireToken, AddFinalizer, AddTagsToResource, AddTagsToResource (owner), AddTagsToResource Adopted, \
    AddTagsToResource DriftCorrected, AddTagsToResource UserModified, AddTagsToResource failed, CreateUser, \
    CreateUser Creating, CreateUser DriftCorrected, CreateUser UserCreated, CreateUser failed, DeleteUser, \
    DeleteUser DeletionStarted, DeleteUser failed, DescribeUser, Identify, IdentifyCaller, InSync Active, \
    ListTags, ModifyUser, ModifyUser DriftCorrected, ModifyUser PasswordRotated, ModifyUser UserModified, \
    ModifyUser failed, Observe Differs, Observe Observed, Observe UserMissing, ReadDefinition, ReadObject, \
    ReadOwner, ReadPasswords, Refuse AdoptionNotAllowed, Refuse InvalidPassword, Refuse InvalidSpec, \
    Refuse UserAlreadyExists, Refuse UserIDNotAllowed, Refuse UserOwnedByAnother, Refuse WrongAWSAccount, \
    RemoveFinalizer, RemoveFinalizer DeletingUser, RemoveFinalizer DeletionStarted, \
    RemoveFinalizer Retained, RemoveFinalizer UserAlreadyExists, RemoveFinalizer UserDeleted, \
    RemoveFinalizer UserOwnedByAnother, RemoveTagsFromResource, RemoveTagsFromResource UserModified, \
    Resolve, Suspend Suspended, Wait Creating, Wait DeletingUser, Wait DeletionProtected, Wait Modifying, \
    Wait SecretForbidden, Wait SecretKeyNotFound, Wait SecretNotFound, Wait Suspended, \
    Wait WaitingForPreviousUser, Wait WaitingForUserActive, Wait WrongAWSAccount, Wait failed, WriteStatus, \
    at rest by a listing, not in a listing, woken by a listing";

#[test]
fn the_walks_meet_every_request_and_every_end_of_a_pass() {
    let mut runner = TestRunner::new(Config { cases: 0, ..config() });
    let mut met = BTreeSet::new();
    for _ in 0..1500 {
        let walk = Walk::sequential_strategy(1..STEPS).new_tree(&mut runner).unwrap().current();
        met.extend(follow_traced(&walk.0.start, &walk.1, false).unwrap().history.met);
    }
    assert_eq!(met.into_iter().collect::<Vec<_>>(), MET.split(", ").collect::<Vec<_>>());
}
