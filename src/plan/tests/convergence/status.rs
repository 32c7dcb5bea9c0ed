//! What a pass remembers, and the status that it leaves: as `src/report.rs` reads and writes it.

use plan::verdict::{Outcome, Progress, Reason, Verdict};
use plan::*;

use crate::object::{Conditions, Object, Status};

/// What a pass did, as the status needs it.
pub(crate) struct Done<'a> {
    pub(crate) object: &'a Object,
    pub(crate) goal: &'a Goal,
    pub(crate) observed: &'a Observed,
    pub(crate) action: &'a Action,
    pub(crate) outcome: &'a Outcome,
    pub(crate) verdict: &'a Verdict,
    /// `createRequestedAt` before this pass.
    pub(crate) former: Option<u32>,
    pub(crate) now: u32,
}

/// What status remembers, in the words of `plan`.
pub(crate) fn record(object: &Object, creation: Creation) -> Record {
    let status = &object.status;
    let told = status.departing();
    Record {
        arn: status.arn.clone(),
        last_applied: status.last_applied.clone(),
        reported: status.reported.clone(),
        creation,
        deletion_accepted: status.state == Some(Lifecycle::Deleting),
        departure_announced: told.is_some_and(Reason::may_follow_a_departure),
        departure_ours: false,
        spared: None,
        lost: false,
        modifying: object.conditions_now().is_some_and(|now| now.reason == Reason::Modifying),
        ready: status.conditions.as_ref().is_some_and(Conditions::ready),
        settled: object.settled(),
        was_settled: object.settled(),
        held: object.held,
    }
}

/// The status after the pass; `None` where nothing changed that is worth a write.
pub(crate) fn status(done: &Done<'_>) -> Option<Status> {
    let before = &done.object.status;
    let mut status = before.clone();
    status.handled = done.object.requested;
    set_conditions(&mut status, done);
    set_user(&mut status, done);
    set_last_applied(&mut status, done);
    status.request = request(done, status.arn.as_ref());
    let request = status.request.or(before.request);
    let clears_only =
        Status { request, ..status.clone() } == *before && !matches!(done.action, Action::Create(_));
    (status != *before && !clears_only).then_some(status)
}

fn set_conditions(status: &mut Status, done: &Done<'_>) {
    let Verdict { progress, reason, message, .. } = done.verdict;
    let repeated = is_repetition(done);
    if repeated || *progress == Progress::Unchanged {
        return;
    }
    status.conditions = Some(Conditions {
        progress: *progress,
        reason: *reason,
        message: message.clone(),
        generation: done.object.generation,
    });
}

/// What is announced was tried before for this generation: its conditions do not move with each further attempt.
fn is_repetition(done: &Done<'_>) -> bool {
    let (Action::Announce(announcement), Some(now)) = (done.action, done.object.conditions_now()) else {
        return false;
    };
    match announcement {
        Announcement::Creation { .. } => {
            !now.ready() && now.progress != Progress::Unknown && now.reason.may_follow_a_creation()
        }
        Announcement::Departure { .. }
        | Announcement::Claim { .. }
        | Announcement::Tags { .. }
        | Announcement::Change { .. } => false,
    }
}

fn set_user(status: &mut Status, done: &Done<'_>) {
    match (done.outcome, &done.observed.user) {
        (Outcome::Accepted(user), _) => show(status, user),
        (_, sight) => match (shown(done.goal, done.observed, done.action), sight) {
            (Shown::Seen, Sight::Seen(user)) => show(status, user),
            (Shown::Strange, Sight::Seen(user)) => {
                status.last_applied = None;
                show(status, user);
            }
            (Shown::Nothing, _) => hide(status, done.goal),
            (Shown::Seen | Shown::Strange | Shown::AsBefore, _) => {}
        },
    }
}

fn hide(status: &mut Status, goal: &Goal) {
    status.state = None;
    status.reported = None;
    if !matches!(goal, Goal::Gone(_)) {
        status.arn = None;
    }
    if status.last_applied.as_ref().is_some_and(|last| last.access_string.is_some()) {
        status.last_applied = None;
    }
}

/// What tells a user from another of the same ID.
pub(crate) fn identity(user: &RemoteUser) -> Reported {
    Reported {
        user_name: user.user_name.clone(),
        engine: user.engine.clone(),
        authentication_type: user.authentication_type.clone(),
        access_string: user.access_string.clone(),
    }
}

fn show(status: &mut Status, user: &RemoteUser) {
    status.arn = Some(user.arn.clone());
    status.state = Some(user.lifecycle.clone());
    status.reported = Some(identity(user));
}

fn set_last_applied(status: &mut Status, done: &Done<'_>) {
    let before = status.last_applied.clone().unwrap_or_default();
    if let Some(last) = remembered(done.goal, done.observed, done.action, done.outcome, before) {
        status.last_applied = (last != LastApplied::default()).then_some(last);
    }
}

fn request(done: &Done<'_>, shown_arn: Option<&Arn>) -> Option<u32> {
    match (done.action, done.outcome) {
        (Action::Announce(Announcement::Creation { .. }), _) => Some(done.now),
        (Action::Create(_), outcome) if outcome.is_refusal() => done.former,
        (Action::Create(_), _) => done.object.status.request,
        (Action::Delete(_), Outcome::Accepted(_)) => None,
        // Its user was seen and stands in status, which from now on says where it is.
        _ if matches!(&done.observed.user, Sight::Seen(user) if shown_arn == Some(&user.arn))
            && done.observed.record.creation == Creation::Closed =>
        {
            None
        }
        _ => done.object.status.request,
    }
}
