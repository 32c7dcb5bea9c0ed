//! `verdict`: what an action and its outcome mean for conditions, events and the next pass.

use plan::verdict::{Completed, Outcome, Progress, Reason, verdict};

use crate::common::verdicts::*;
use crate::common::*;
use crate::verdict_rows::all_rows;

#[test]
fn each_action_and_outcome_has_its_conditions_events_requeue_and_message() {
    for Row { claim, action, outcome, context, progress, reason, requeue, completed, message } in all_rows() {
        let verdict = verdict(&action, &outcome, &context.get());
        let found = (verdict.progress, verdict.reason, verdict.requeue, verdict.completed.clone());
        assert_eq!(found, (progress, reason, requeue, completed), "{claim}");
        assert!(verdict.message.contains(message), "{claim}: {}", verdict.message);
    }
}

#[test]
fn a_row_exists_for_every_action_outcome_reason_progress_requeue_and_event() {
    let rows = all_rows();
    for reason in Reason::ALL {
        assert!(rows.iter().any(|row| row.reason == reason), "no row with {reason:?}");
    }
    for progress in Progress::ALL {
        assert!(rows.iter().any(|row| row.progress == progress), "no row with {progress:?}");
    }
    for requeue in EVERY_REQUEUE {
        assert!(rows.iter().any(|row| row.requeue == requeue), "no row with {requeue:?}");
    }
    let exists = |all: &[&str], of: fn(&Row) -> Vec<&'static str>| {
        for kind in all {
            assert!(rows.iter().any(|row| of(row).iter().any(|of| of == kind)), "no row with {kind}");
        }
    };
    // The pass itself tells of memberships: no verdict has these events.
    let of_verdicts: Vec<&str> =
        EVERY_EVENT.iter().copied().filter(|event| !event.ends_with("UserGroup")).collect();
    exists(&of_verdicts, |row| row.completed.iter().map(event).collect());
    exists(EVERY_ACTION, |row| vec![action_kind(&row.action)]);
    exists(EVERY_OUTCOME, |row| vec![outcome_kind(&row.outcome)]);
    for Row { claim, reason, completed, .. } in &rows {
        assert!(Reason::ALL.contains(reason), "{claim}: {reason:?} is missing in Reason::ALL");
        completed.iter().for_each(|completed| assert_eq!(completed.reason(), event(completed), "{claim}"));
    }
}

#[test]
fn conditions_have_exactly_the_reasons_that_the_contract_lists_for_them() {
    let rows = all_rows();
    for Row { claim, action, outcome, context, progress, reason, .. } in &rows {
        assert!(reasons::of(*progress).contains(reason), "{claim}: {progress:?} with {reason:?}");
        assert_eq!(*progress == Progress::Deleting, context.deleting, "{claim}: {action:?} {outcome:?}");
    }
    for progress in Progress::ALL.into_iter().filter(|progress| *progress != Progress::Unknown) {
        for reason in reasons::of(progress) {
            let exists = rows.iter().any(|row| (row.progress, row.reason) == (progress, *reason));
            assert!(exists, "no row has {progress:?} with {reason:?}");
        }
    }
}

#[test]
fn every_reason_is_parsed_from_its_own_word() {
    for reason in Reason::ALL {
        assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        assert_eq!(reason.as_str(), format!("{reason:?}"));
    }
    assert_eq!(Reason::parse("Suspicious"), None);
}

#[test]
fn a_warning_is_published_for_every_reason_that_keeps_a_person_waiting() {
    use Reason::*;
    for Row { claim, action, outcome, context, reason, completed, .. } in all_rows() {
        let warning = verdict(&action, &outcome, &context.get()).warning();
        let fine = matches!(
            reason,
            Active | Creating | Modifying | Observed | Differs | UserMissing | DeletingUser | Retained
        ) || reason == Suspended && !context.deleting;
        assert_eq!(warning, (!fine).then_some(reason), "{claim}");
        let left_alone = completed.iter().any(|completed| matches!(completed, Completed::LeftAlone(_)));
        assert!(!left_alone || warning.is_none(), "{claim}: it has an event already");
    }
}

#[test]
fn no_message_event_or_panic_contains_a_password() {
    for Row { claim, action, outcome, context, .. } in all_rows() {
        let verdict = verdict(&action, &outcome, &context.get());
        assert!(!format!("{verdict:?} {action:?} {outcome:?}").contains(SECRET_TEXT), "{claim}");
    }
}

/// A CreateUser that AWS refused opens no window in which UserNotFound is doubted.
#[test]
fn an_outcome_is_a_refusal_only_if_the_call_certainly_did_nothing() {
    let rows = cases! {
        "UserAlreadyExists": Outcome::AlreadyExists => true,
        "UserNotFound": Outcome::NotFound => true,
        "not sent, because the credentials changed": Outcome::CredentialsChanged => true,
        "the user is busy": failed(busy()) => true,
        "throttled": failed(throttled()) => true,
        "the role may not": failed(denied()) => true,
        "the credentials are not valid": failed(credentials()) => true,
        "a value is not allowed": failed(rejected(plan::Rejection::ParameterValue)) => true,
        "no answer": failed(unavailable()) => false,
        "accepted": Outcome::Accepted(active()) => false,
        "tagged": Outcome::Tagged(owner_tags()) => false,
        "the finalizer was removed": Outcome::Released => false,
        "nothing had to be done": Outcome::Decided => false,
    };
    for Case { claim, given: outcome, expected } in rows {
        assert_eq!(outcome.is_refusal(), expected, "{claim}");
    }
}

#[test]
fn only_an_answer_that_shows_the_user_active_saves_another_read() {
    use plan::Lifecycle::{Active, Creating, Modifying};
    let rows = cases! {
        "active": accepted(Active) => true,
        "creating": accepted(Creating) => false,
        "modifying": accepted(Modifying) => false,
        "an unknown state": accepted(odd()) => false,
        "tags show no state": Outcome::Tagged(owner_tags()) => false,
        "UserAlreadyExists": Outcome::AlreadyExists => false,
    };
    for Case { claim, given: outcome, expected } in rows {
        assert_eq!(outcome.shows_active(), expected, "{claim}");
    }
}
