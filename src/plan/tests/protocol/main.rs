//! The deletion protocol, model checked: two of the real `Pass` against an API server and AWS in which everything that can go
//! wrong is a step of its own. Every state that can be reached is checked; a bad one is told as a shortest trace.
//!
//! To walk through states in a browser: see `explorer`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may stop, and print")]

mod facts;
mod fair;
mod model;
mod outside;
mod renumber;
mod runs;
mod state;
mod switches;
mod tables;
mod trace;

use runs::{holds, needs};
use state::Violation;
use switches::{Faults, Guarantees};

#[test]
fn one_replica_neither_orphans_nor_deletes_a_foreign_user_whatever_goes_wrong() {
    holds("alone, abroad is another region", Faults::ALONE);
}

#[test]
fn nor_if_abroad_is_another_account() {
    holds("alone, abroad is another account", Faults { accounts: true, ..Faults::ALONE });
}

#[test]
fn two_replicas_keep_the_protocol_while_aws_fails_and_is_late() {
    holds("beside, failures", Faults { failures: true, late: true, ..Faults::BESIDE });
}

#[test]
fn two_replicas_keep_the_protocol_while_caches_are_stale() {
    holds("beside, stale", Faults { stale: true, crashes: false, ..Faults::BESIDE });
}

#[test]
fn two_replicas_keep_the_protocol_while_objects_come_again() {
    holds("beside, again", Faults { again: true, crashes: false, ..Faults::BESIDE });
}

#[test]
fn two_replicas_keep_the_protocol_among_other_people() {
    holds("beside, others", Faults::BLOCKED);
}

#[test]
fn two_replicas_keep_the_protocol_while_somebody_takes_tags_off() {
    holds("beside, strips", Faults { others: false, strips: true, ..Faults::BLOCKED });
}

#[test]
fn two_replicas_keep_the_protocol_while_their_configuration_changes() {
    holds("beside, moves", Faults { moves: true, crashes: false, ..Faults::BESIDE });
}
