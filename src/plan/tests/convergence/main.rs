//! The operator converges. The real [`plan::Pass`] runs against a model of the API server and AWS, from any state and under
//! any faults. After the last fault it must reach the goal within a bounded number of passes, and stay there. Between any two
//! requests there may be a fault, a new spec, other passwords, a change by somebody else in AWS, other credentials, or the end
//! of the process. A judge checks every mutation and every write: the operator must not change or delete what is not ours, or
//! send what AWS is known to have.
//!
//! `tests/protocol` visits every state of a small model. This model is larger, so its walks are random. Each run takes the same
//! walks: `PROPTEST_RNG_SEED` selects others, and `PROPTEST_CASES` selects more.
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

use walk::{STEPS, Walk, follow};

/// The number of cases if the environment does not set it.
const CASES_BY_DEFAULT: u32 = 256;

/// The same walks in each run, unless the environment asks for others.
fn config() -> Config {
    let given = Config::default();
    let rng_seed = match given.rng_seed {
        RngSeed::Random => RngSeed::Fixed(20_240_229),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    let cases = if given.cases == CASES_BY_DEFAULT { 10_000 } else { given.cases };
    // The output of a failed walk has all its steps, and the same seed finds the walk again.
    Config { cases, rng_seed, failure_persistence: None, ..given }
}

#[test]
fn every_goal_is_reached_from_any_start_and_under_any_faults_and_then_nothing_changes() {
    let walks = Walk::sequential_strategy(1..STEPS);
    let ran = TestRunner::new(config())
        .run(&walks, |(walk, steps, _)| follow(&walk.start, &steps).map(drop).map_err(TestCaseError::fail));
    match ran {
        Ok(()) => {}
        Err(TestError::Fail(why, (_, steps, _))) => panic!("{why}\nafter these steps: {steps:#?}"),
        Err(other @ TestError::Abort(_)) => panic!("{other}"),
    }
}

/// Every request and every end of a pass. Walks that do not meet all of them would prove little.
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
    RemoveFinalizer UserOwnedByAnother, RemoveTagsFromResource, RemoveTagsFromResource UserModified, RemoveTagsFromResource failed, \
    Resolve, Suspend Suspended, Wait Active, \
    Wait Creating, Wait DeletingUser, Wait DeletionProtected, Wait Modifying, \
    Wait SecretForbidden, Wait SecretKeyNotFound, Wait SecretNotFound, Wait Suspended, \
    Wait WaitingForPreviousUser, Wait WaitingForUserActive, Wait WrongAWSAccount, Wait failed, WriteStatus, \
    at rest by a listing, not in a listing, woken by a listing";

#[test]
fn the_random_walks_reach_every_request_and_every_end_of_a_pass() {
    let mut runner = TestRunner::new(Config { cases: 0, ..config() });
    let mut met = BTreeSet::new();
    for _ in 0..2500 {
        let walk = Walk::sequential_strategy(1..STEPS).new_tree(&mut runner).unwrap().current();
        met.extend(follow(&walk.0.start, &walk.1).unwrap_or_else(|why| panic!("{why}")).history.met);
    }
    assert_eq!(met.into_iter().collect::<Vec<_>>(), MET.split(", ").collect::<Vec<_>>());
}
