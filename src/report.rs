//! No I/O: the status that follows from a pass. What was there before, what AWS showed, what was done, and the verdict.
//!
//! [`read`] is the other direction: what a status says.

pub mod read;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime, Time};
use kube::ResourceExt;
use plan::verdict::{Outcome, Progress, Reason, Verdict};
use plan::{Action, Announcement, Goal, Observed, RemoteUser, Shown, Sight};

use self::read::{condition, last_applied, ready_now};
use crate::api::{
    self, DELETING, ElastiCacheUser, ElastiCacheUserStatus, READY, RECONCILE_REQUESTED_AT, RECONCILING,
    STALLED,
};

/// What a pass did, as the status needs it.
#[derive(Debug)]
pub struct Pass<'a> {
    /// The object, in the version that was decided on.
    pub object: &'a ElastiCacheUser,
    /// What it asks for.
    pub goal: &'a Goal,
    /// What was found out.
    pub observed: &'a Observed,
    /// The last action.
    pub action: &'a Action,
    /// How it ended.
    pub outcome: &'a Outcome,
    /// What that amounts to.
    pub verdict: &'a Verdict,
    /// `createRequestedAt` before this pass announced a CreateUser: put back where AWS refused it.
    pub former_request: Option<&'a MicroTime>,
    /// Now.
    pub now: jiff::Timestamp,
}

/// The status after the pass; `None` where nothing changed that is worth a write.
#[must_use]
pub fn status(pass: &Pass<'_>) -> Option<ElastiCacheUserStatus> {
    let before = pass.object.status.clone().unwrap_or_default();
    let mut status = before.clone();
    status.last_handled_reconcile_at = pass.object.annotations().get(RECONCILE_REQUESTED_AT).cloned();
    if pass.verdict.progress != Progress::Unchanged {
        status.observed_generation = pass.object.metadata.generation;
        set_conditions(&mut status, pass);
    }
    set_user(&mut status, pass);
    set_last_applied(&mut status, pass);
    set_create_requested_at(&mut status, pass);
    // Cleared together with a later change: alone it is not worth a write.
    let mut without = status.clone();
    if without.create_requested_at.is_none() {
        without.create_requested_at.clone_from(&before.create_requested_at);
    }
    let clears_only = without == before && !matches!(pass.action, Action::Create(_));
    (status != before && !clears_only).then_some(status)
}

fn set_conditions(status: &mut ElastiCacheUserStatus, pass: &Pass<'_>) {
    if is_repetition(pass) {
        return;
    }
    let Some((ready, others)) = (match pass.verdict.progress {
        Progress::Done => Some(("True", &[][..])),
        Progress::Reconciling => Some(("False", &[RECONCILING][..])),
        Progress::Unknown => Some(("Unknown", &[RECONCILING][..])),
        Progress::Stalled => Some(("False", &[STALLED][..])),
        Progress::Leaving => Some(("False", &[RECONCILING, DELETING][..])),
        Progress::PausedReady => Some(("True", &[][..])),
        Progress::PausedUnready => Some(("False", &[][..])),
        Progress::Unchanged => None,
    }) else {
        return;
    };
    let wanted = std::iter::once((READY, ready)).chain(others.iter().map(|type_| (*type_, "True")));
    let conditions = wanted.map(|(type_, value)| {
        let before = condition(status, type_).filter(|before| before.status == value);
        Condition {
            type_: type_.to_owned(),
            status: value.to_owned(),
            reason: pass.verdict.reason.as_str().to_owned(),
            message: pass.verdict.message.clone(),
            observed_generation: pass.object.metadata.generation,
            last_transition_time: before
                .map_or_else(|| seconds(pass.now), |before| before.last_transition_time.clone()),
        }
    });
    status.conditions = conditions.collect();
}

/// Conditions are written to the second.
fn seconds(now: jiff::Timestamp) -> Time {
    Time(jiff::Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// What is announced was tried before for this generation: its conditions say what came of that, and do not move with each
/// further attempt.
fn is_repetition(pass: &Pass<'_>) -> bool {
    let (Action::Announce(announcement), Some(ready)) = (pass.action, ready_now(pass.object)) else {
        return false;
    };
    match announcement {
        Announcement::Creation { .. } => {
            ready.status == "False" && Reason::parse(&ready.reason).is_some_and(Reason::may_follow_a_creation)
        }
        // Its condition goes back to what is next: where another process announced before, nothing else tells of this one, and
        // `memory::Departure` relies on that.
        Announcement::Departure { .. }
        | Announcement::Claim { .. }
        | Announcement::Tags { .. }
        | Announcement::Change { .. } => false,
    }
}

/// The user as AWS shows it, where it is ours; nothing where it is not there.
fn set_user(status: &mut ElastiCacheUserStatus, pass: &Pass<'_>) {
    if let Some(id) = user_id(pass.goal) {
        status.user_id = Some(id.to_owned());
    }
    let answered = match pass.outcome {
        Outcome::Accepted(user) => Some(user),
        Outcome::Decided
        | Outcome::Tagged(_)
        | Outcome::Released
        | Outcome::AlreadyExists
        | Outcome::NotFound
        | Outcome::Failed(_) => None,
    };
    match (answered, plan::shown(pass.goal, pass.observed, pass.action), &pass.observed.user) {
        (Some(user), _, _) => show(status, user),
        (None, Shown::Seen, Sight::Seen(user)) => show(status, user),
        (None, Shown::Strange, Sight::Seen(user)) => {
            // What was applied to another user says nothing about this one.
            status.last_applied = None;
            show(status, user);
        }
        (None, Shown::Nothing, _) => hide(status, pass.goal),
        (None, Shown::Seen | Shown::Strange | Shown::AsBefore, _) => {}
    }
}

fn user_id(goal: &Goal) -> Option<&str> {
    match goal {
        Goal::Present(desired) | Goal::Compared(desired) => Some(desired.user_id.as_str()),
        Goal::Suspended(_) | Goal::Unattainable { .. } | Goal::Gone(_) => None,
    }
}

fn show(status: &mut ElastiCacheUserStatus, user: &RemoteUser) {
    let RemoteUser {
        user_id,
        user_name,
        lifecycle,
        engine,
        minimum_engine_version,
        access_string,
        user_group_ids,
        authentication_type,
        password_count,
        arn,
    } = user;
    status.user_id = Some(user_id.clone());
    status.user_name = Some(user_name.clone());
    status.state = Some(lifecycle.as_str().to_owned());
    status.engine = Some(engine.clone());
    status.minimum_engine_version.clone_from(minimum_engine_version);
    status.access_string = Some(access_string.clone());
    status.user_group_ids.clone_from(user_group_ids);
    status.authentication = Some(api::ReportedAuthentication {
        type_: Some(authentication_type.clone()),
        password_count: *password_count,
    });
    status.arn = Some(arn.to_string());
}

/// AWS has no such user. On the way out the ARN stays: it says where the user was.
fn hide(status: &mut ElastiCacheUserStatus, goal: &Goal) {
    status.state = None;
    status.engine = None;
    status.user_name = None;
    status.minimum_engine_version = None;
    status.access_string = None;
    status.user_group_ids = Vec::new();
    status.authentication = None;
    match goal {
        Goal::Gone(_) => {}
        Goal::Present(_) | Goal::Compared(_) | Goal::Suspended(_) | Goal::Unattainable { .. } => {
            status.arn = None
        }
    }
    if status.last_applied.as_ref().is_some_and(|last| last.access_string.is_some()) {
        status.last_applied = None;
    }
}

fn set_last_applied(status: &mut ElastiCacheUserStatus, pass: &Pass<'_>) {
    let before = status.last_applied.as_ref().map(last_applied).unwrap_or_default();
    let after = plan::remembered(pass.goal, pass.observed, pass.action, pass.outcome, before);
    let Some(plan::LastApplied { access_string, expanded_access_string, password_versions, tag_keys }) =
        after
    else {
        return;
    };
    let last = api::LastApplied { access_string, expanded_access_string, password_versions, tag_keys };
    status.last_applied = (last != api::LastApplied::default()).then_some(last);
}

fn set_create_requested_at(status: &mut ElastiCacheUserStatus, pass: &Pass<'_>) {
    match (pass.action, pass.outcome) {
        (Action::Announce(Announcement::Creation { .. }), _) => {
            status.create_requested_at = Some(MicroTime(pass.now));
        }
        // A refused CreateUser opens no window; an earlier one may have one open still.
        (Action::Create(_), outcome) if outcome.is_refusal() => {
            status.create_requested_at = pass.former_request.cloned()
        }
        (Action::Create(_), _) => {}
        (Action::Delete(_), Outcome::Accepted(_)) => status.create_requested_at = None,
        // Its user was seen and stands in status, which from now on says where it is.
        (_, _)
            if matches!(&pass.observed.user, Sight::Seen(user) if status.arn == Some(user.arn.to_string()))
                && pass.observed.record.creation == plan::Creation::Closed =>
        {
            status.create_requested_at = None;
        }
        _ => {}
    }
}
