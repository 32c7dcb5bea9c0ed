//! What an outcome says of a mutation, one sentence a row.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[macro_use]
mod common;

use common::*;
use plan::verdict::Outcome;
use plan::*;

/// A CreateUser that AWS refused opens no window in which UserNotFound is doubted; one whose answer was lost does.
#[test]
fn a_refusal_is_a_call_that_certainly_did_nothing() {
    let rows = [
        ("a user of this ID is there", Outcome::AlreadyExists, true),
        ("a user is not there", Outcome::NotFound, true),
        ("not sent, because the credentials changed", Outcome::CredentialsChanged, true),
        ("it is busy", Outcome::Failed(busy()), true),
        ("calls were too many", Outcome::Failed(throttled()), true),
        ("the role may not", Outcome::Failed(denied()), true),
        ("nobody is known by these credentials", Outcome::Failed(credentials()), true),
        ("a value is not allowed", Outcome::Failed(rejected(Rejection::ParameterValue)), true),
        ("no answer: it may have happened", Outcome::Failed(unavailable()), false),
        ("accepted", Outcome::Accepted(active()), false),
        ("tagged", Outcome::Tagged(owner_tags()), false),
        ("the finalizer is off", Outcome::Released, false),
        ("nothing had to be done", Outcome::Decided, false),
    ];
    for (claim, outcome, expected) in rows {
        assert_eq!(outcome.is_refusal(), expected, "{claim}");
    }
}

#[test]
fn only_an_answer_that_shows_the_user_active_saves_a_look() {
    let rows = [
        ("active", Outcome::Accepted(active()), true),
        ("being created", Outcome::Accepted(user(Lifecycle::Creating)), false),
        ("being modified", Outcome::Accepted(user(Lifecycle::Modifying)), false),
        ("in a state that is not known", Outcome::Accepted(user(odd())), false),
        (
            "tagged, which only an active user can be, though it shows no state",
            Outcome::Tagged(owner_tags()),
            false,
        ),
        ("there already", Outcome::AlreadyExists, false),
    ];
    for (claim, outcome, expected) in rows {
        assert_eq!(outcome.shows_active(), expected, "{claim}");
    }
}
