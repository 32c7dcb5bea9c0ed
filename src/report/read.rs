//! No I/O: what the status of an object says, for the next pass.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use plan::verdict::Reason;
use plan::{Authentication, Desired, Goal, Record, Reported};

use crate::api::{
    self, DELETING, ElastiCacheUser, ElastiCacheUserStatus, FINALIZER, READY, RECONCILE_REQUESTED_AT, STALLED,
};
use crate::memory::Entry;

/// What status and this process remember, in the words of `plan`.
pub fn record(
    object: &ElastiCacheUser,
    memory: &mut Entry,
    pace: &plan::pace::Pace,
    now: jiff::Timestamp,
) -> Record {
    let none = ElastiCacheUserStatus::default();
    let status = object.status.as_ref().unwrap_or(&none);
    let arn = status.arn.as_deref().and_then(plan::Arn::parse);
    let told = reason_of(status, DELETING);
    memory.departure.begin(version(object));
    memory.gone &= status.last_applied.as_ref().is_some_and(|last| last.access_string.is_some());
    let creation = match &status.create_requested_at {
        Some(requested) if memory.creation_settled.as_ref() != Some(requested) => {
            pace.creation(memory.age(requested, now))
        }
        Some(_) | None => plan::Creation::Closed,
    };
    let settled = settled(object);
    if settled {
        memory.settled = object.metadata.generation;
    }
    Record {
        arn,
        last_applied: status.last_applied.as_ref().filter(|_| !memory.gone).map(last_applied),
        reported: reported(status),
        creation,
        deletion_accepted: status.state.as_deref() == Some(plan::Lifecycle::Deleting.as_str()),
        departure_announced: told.is_some_and(Reason::may_follow_a_departure),
        departure_ours: memory.departure.is_announced(),
        spared: memory.departure.last_applied().cloned(),
        lost: memory.gone,
        modifying: ready_now(object).is_some_and(|ready| ready.reason == Reason::Modifying.as_str()),
        ready: condition(status, READY).is_some_and(|ready| ready.status == "True"),
        settled,
        was_settled: settled || memory.settled.is_some() && memory.settled == object.metadata.generation,
        held: object.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
    }
}

pub(super) fn last_applied(last: &api::LastApplied) -> plan::LastApplied {
    let api::LastApplied { access_string, expanded_access_string, password_versions, tag_keys } =
        last.clone();
    plan::LastApplied { access_string, expanded_access_string, password_versions, tag_keys }
}

fn reported(status: &ElastiCacheUserStatus) -> Option<Reported> {
    Some(Reported {
        user_name: status.user_name.clone()?,
        engine: status.engine.clone()?,
        authentication_type: status.authentication.as_ref()?.type_.clone()?,
        access_string: status.access_string.clone()?,
    })
}

/// Versions are comparable as numbers since Kubernetes 1.35; where one is no number, nothing is said about its age.
#[must_use]
pub fn version(object: &ElastiCacheUser) -> Option<u64> {
    object.metadata.resource_version.as_deref().and_then(|version| version.parse().ok())
}

/// The condition of this type.
#[must_use]
pub fn condition<'a>(status: &'a ElastiCacheUserStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

fn reason_of(status: &ElastiCacheUserStatus, type_: &str) -> Option<Reason> {
    condition(status, type_).and_then(|condition| Reason::parse(&condition.reason))
}

/// The reason that status shows.
#[must_use]
pub fn shown_reason(object: &ElastiCacheUser) -> Option<Reason> {
    object.status.as_ref().and_then(|status| reason_of(status, READY))
}

/// The message that status shows.
#[must_use]
pub fn shown_message(object: &ElastiCacheUser) -> Option<&String> {
    object.status.as_ref().and_then(|status| condition(status, READY)).map(|ready| &ready.message)
}

/// Ready, where it speaks of the generation at hand.
pub(super) fn ready_now(object: &ElastiCacheUser) -> Option<&Condition> {
    let ready = condition(object.status.as_ref()?, READY)?;
    (ready.observed_generation == object.metadata.generation).then_some(ready)
}

/// The generation at hand is the one that is Ready.
#[must_use]
pub fn settled(object: &ElastiCacheUser) -> bool {
    ready_now(object).is_some_and(|ready| ready.status == "True" || ready.status == "Unknown")
}

/// A pass has judged the generation at hand for good, as far as it could: the next one is a check.
fn is_at_rest(object: &ElastiCacheUser) -> bool {
    ready_now(object).is_some_and(|ready| {
        let observes = ["Observed", "Differs", "UserMissing"].contains(&ready.reason.as_str());
        let stalled = object.status.as_ref().is_some_and(|status| condition(status, STALLED).is_some());
        ready.status != "False" || observes || stalled
    })
}

/// Somebody waits for the pass: for the object to go, or for AWS to have its generation, its passwords or an answer to its
/// request for a pass. Else it is a check.
#[must_use]
pub fn awaited(object: &ElastiCacheUser, goal: &Goal) -> bool {
    let leaving = matches!(goal, Goal::Gone(_));
    leaving || is_requested(object) || !is_at_rest(object) || has_new_password(object, goal)
}

fn has_new_password(object: &ElastiCacheUser, goal: &Goal) -> bool {
    let Goal::Present(Desired { authentication: Authentication::Password(Ok(passwords)), .. }) = goal else {
        return false;
    };
    let last = object.status.as_ref().and_then(|status| status.last_applied.as_ref());
    last.map(|last| last.password_versions.as_slice()).unwrap_or_default() != passwords.versions()
}

/// Somebody asked for a pass, and it was not acknowledged yet.
#[must_use]
pub fn is_requested(object: &ElastiCacheUser) -> bool {
    let handled = object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_ref());
    object.annotations().get(RECONCILE_REQUESTED_AT).is_some_and(|asked| Some(asked) != handled)
}

/// AccessDenied was Stalled before.
#[must_use]
pub fn stalled_by_denial(object: &ElastiCacheUser) -> bool {
    object.status.as_ref().and_then(|status| reason_of(status, STALLED)) == Some(Reason::AccessDenied)
}

#[cfg(test)]
mod tests;
