//! The deletion protocol, checked by exploration: two of the real `Pass` run against a model of the API server and AWS. Each fault
//! is a step of its own. Every state that can be reached is checked. For a bad state, the test prints a shortest trace to it.
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

use runs::{holds, holds_with, needs};
use state::Violation;
use switches::{Faults, Guarantees};

#[test]
fn one_replica_never_orphans_its_user_or_deletes_a_foreign_one_through_three_faults() {
    holds("alone, abroad is another region", Faults::ALONE);
}

#[test]
fn one_replica_keeps_the_protocol_although_the_operator_moves_to_another_account() {
    holds("alone, abroad is another account", Faults { accounts: true, ..Faults::ALONE });
}

#[test]
fn a_retained_user_is_never_deleted() {
    holds("alone, Retain", Faults { retain: true, ..Faults::ALONE });
}

#[test]
fn two_replicas_keep_the_protocol_if_calls_fail_and_a_replica_is_killed() {
    holds("beside, failures", Faults { failures: true, late: true, crashes: true, ..Faults::BESIDE });
}

#[test]
fn two_replicas_keep_the_protocol_if_caches_are_stale() {
    holds("beside, stale", Faults { stale: true, ..Faults::BESIDE });
}

#[test]
fn two_replicas_keep_the_protocol_if_the_object_is_created_again() {
    holds("beside, again", Faults { budget: 2, again: true, ..Faults::BESIDE });
}

#[test]
fn two_replicas_keep_the_protocol_if_somebody_else_creates_and_deletes_users() {
    holds("beside, others", Faults { others: true, ..Faults::BLOCKED });
}

#[test]
fn two_replicas_keep_the_protocol_if_somebody_takes_tags_off() {
    holds("beside, strips", Faults { strips: true, ..Faults::BLOCKED });
}

#[test]
fn two_replicas_keep_the_protocol_if_the_operator_moves() {
    holds("beside, moves", Faults { budget: 2, moves: true, ..Faults::BESIDE });
}

#[test]
fn a_user_is_adopted_only_if_its_owner_was_gone_when_it_was_last_read() {
    let faults = Faults { budget: 4, owners: true, failures: true, crashes: true, ..Faults::NONE };
    holds("alone, owners", faults);
}

/// No intent precedes an adoption. Leader election keeps a second replica from releasing the object meanwhile.
#[test]
fn a_user_can_be_orphaned_if_one_replica_adopts_it_while_another_deletes_its_object() {
    let faults = Faults { owners: true, ..Faults::BESIDE };
    needs(
        "the object goes while another replica adopts its user",
        Guarantees::ALL,
        faults,
        Violation::Orphan,
    );
}

#[test]
fn users_survive_the_deletion_of_the_definition() {
    let faults = Faults { definition: true, ..Faults::NONE };
    holds("alone, definition", Faults { budget: 3, failures: true, crashes: true, late: true, ..faults });
    holds("beside, definition", Faults { budget: 2, two_replicas: true, ..faults });
}

#[test]
fn a_creation_without_an_answer_of_sts_stays_in_its_region() {
    let faults = Faults { sts: true, moves: true, failures: true, late: true, crashes: true, ..Faults::NONE };
    holds("alone, STS", Faults { budget: 3, ..faults });
}

/// In a browser, at <http://localhost:3000>: `cargo test -p elasticache-user-plan --test protocol explorer -- --ignored`.
#[test]
#[ignore = "for people: it runs until it is killed"]
fn explorer() {
    runs::serve(Faults { two_replicas: true, ..Faults::ALONE });
}

#[test]
fn a_user_can_be_orphaned_if_the_finalizer_is_removed_without_testing_the_resource_version() {
    let guarantees = Guarantees { release_tests_version: false, ..Guarantees::ALL };
    let faults = Faults { again: true, ..Faults::BESIDE };
    needs(
        "a late release takes off the finalizer of the object that came after",
        guarantees,
        faults,
        Violation::Orphan,
    );
}

#[test]
fn a_user_can_be_orphaned_if_a_mutation_is_signed_with_other_credentials_than_the_last_read() {
    let guarantees = Guarantees { calls_keep_credentials: false, ..Guarantees::ALL };
    let faults = Faults { budget: 5, moves: true, accounts: true, failures: true, ..Faults::NONE };
    needs("CreateUser went to an account that status does not name", guarantees, faults, Violation::Orphan);
}

#[test]
fn a_user_can_be_orphaned_if_it_shows_after_the_creation_window() {
    let guarantees = Guarantees { users_show_in_time: false, ..Guarantees::ALL };
    let faults = Faults { budget: 1, late: true, ..Faults::NONE };
    needs("the user shows after the window", guarantees, faults, Violation::Orphan);
}

/// STS and AWS's answer to CreateUser may both fail. Therefore the account is learnt before CreateUser is sent.
#[test]
fn user_not_found_in_another_account_is_not_believed_although_sts_and_the_answer_to_create_user_fail() {
    let faults = Faults { budget: 4, sts: true, moves: true, accounts: true, failures: true, ..Faults::NONE };
    holds("alone, STS, another account", faults);
}

/// UserNotFound of another account, or of a user that shows late, must not be remembered either.
#[test]
fn a_user_that_shows_late_is_not_lost_although_the_credentials_change_and_sts_fails() {
    let faults = Faults { budget: 4, sts: true, moves: true, accounts: true, failures: true, ..Faults::NONE };
    holds("alone, STS, another account, late", Faults { late: true, crashes: true, ..faults });
}

#[test]
fn a_user_can_be_orphaned_if_a_status_write_does_not_test_the_resource_version() {
    let guarantees = Guarantees { status_tests_version: false, ..Guarantees::ALL };
    let faults = Faults { budget: 2, failures: true, late: true, ..Faults::BESIDE };
    needs("a late report takes back a createRequestedAt", guarantees, faults, Violation::Orphan);
}

/// Even then the pass itself reads in the answer to its intent that the object is terminating.
#[test]
fn no_user_is_created_for_a_terminating_object_even_if_no_status_write_tests_the_version() {
    let guarantees = Guarantees { status_tests_version: false, ..Guarantees::ALL };
    holds_with("beside, untested status writes", guarantees, Faults::BESIDE);
}

#[test]
fn a_user_can_be_orphaned_if_a_mutation_starts_long_after_its_intent() {
    let guarantees = Guarantees { calls_start_at_once: false, ..Guarantees::ALL };
    let faults = Faults { budget: 2, others: true, ..Faults::BESIDE };
    needs("the object goes between the intent and CreateUser", guarantees, faults, Violation::Orphan);
}
