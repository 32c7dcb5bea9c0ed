//! The deletion protocol, model checked: two of the real `Pass` against an API server and AWS in which everything that can go
//! wrong is a step of its own. Every state that can be reached is checked; a bad one is told as a shortest trace.
//!
//! To walk through states in a browser: see `explorer`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop, and print"
)]

mod facts;
mod fair;
mod model;
mod outside;
mod renumber;
mod runs;
mod state;
mod steps;
mod switches;
mod tables;
mod trace;

use runs::{begins_well, holds, needs};
use state::Violation;
use switches::{Faults, Guarantees};

#[test]
fn one_replica_neither_orphans_nor_deletes_a_foreign_user_whatever_goes_wrong_twice() {
    holds("alone, abroad is another region", Faults { budget: 2, ..Faults::ALONE });
}

#[test]
fn nor_if_abroad_is_another_account() {
    holds("alone, abroad is another account", Faults { budget: 2, accounts: true, ..Faults::ALONE });
}

#[test]
fn a_retained_user_is_never_deleted() {
    holds("alone, Retain", Faults { budget: 2, retain: true, ..Faults::ALONE });
}

/// The beginning of each run of two replicas. The whole of them: see `every_state_of_two_replicas`.
#[test]
fn two_replicas_keep_the_protocol_in_the_states_that_come_first() {
    for (claim, faults) in BESIDE {
        begins_well(claim, faults, 200_000);
    }
}

const BESIDE: [(&str, Faults); 6] = [
    ("beside, failures", Faults { failures: true, late: true, ..Faults::BESIDE }),
    ("beside, stale", Faults { stale: true, crashes: false, ..Faults::BESIDE }),
    ("beside, again", Faults { again: true, crashes: false, ..Faults::BESIDE }),
    ("beside, others", Faults::BLOCKED),
    ("beside, strips", Faults { others: false, strips: true, ..Faults::BLOCKED }),
    ("beside, moves", Faults { moves: true, crashes: false, ..Faults::BESIDE }),
];

/// Many minutes: `cargo test -p elasticache-user-plan --release --test protocol every_state -- --ignored --nocapture`.
#[test]
#[ignore = "many minutes"]
fn every_state_of_two_replicas() {
    for (claim, faults) in BESIDE {
        holds(claim, faults);
    }
}

#[test]
#[ignore = "a minute"]
fn every_state_of_one_replica_and_three_faults() {
    holds("alone, region, three faults", Faults::ALONE);
    holds("alone, account, three faults", Faults { accounts: true, ..Faults::ALONE });
}

/// In a browser, at <http://localhost:3000>: `cargo test -p elasticache-user-plan --test protocol explorer -- --ignored`.
#[test]
#[ignore = "for people: it runs until it is killed"]
fn explorer() {
    runs::serve(Faults { two_replicas: true, ..Faults::ALONE });
}

#[test]
fn a_release_must_test_the_version() {
    let guarantees = Guarantees { release_tests_version: false, ..Guarantees::ALL };
    let faults = Faults { again: true, crashes: false, ..Faults::BESIDE };
    needs(
        "a late release takes off the finalizer of the object that came after",
        guarantees,
        faults,
        Violation::Orphan,
    );
}

#[test]
fn a_call_must_keep_the_credentials_of_the_last_answer() {
    let guarantees = Guarantees { calls_keep_credentials: false, ..Guarantees::ALL };
    let faults = Faults { budget: 5, moves: true, accounts: true, failures: true, ..Faults::NONE };
    needs("CreateUser went to an account that status does not name", guarantees, faults, Violation::Orphan);
}

#[test]
fn a_created_user_must_show_within_the_window() {
    let guarantees = Guarantees { users_show_in_time: false, ..Guarantees::ALL };
    let faults = Faults { budget: 1, late: true, ..Faults::NONE };
    needs("the user shows after the window", guarantees, faults, Violation::Orphan);
}
