//! What is wrong with a write of the object.

use std::time::Duration;

use plan::verdict::{Progress, Reason};
use plan::*;

use super::{Where, managed, place, whose};
use crate::common::reasons;
use crate::model::object::{Object, Sense};
use crate::model::{Model, timestamp};

/// Clocks differ, a call takes time, and the time has whole seconds.
const ROUGHLY: Duration = Duration::from_secs(30);

/// The operator writes the object.
pub(crate) fn written(model: &mut Model, before: &Object, after: &Object) {
    if before == after {
        model.breach("a write that changes nothing");
    }
    if before.status.conditions != after.status.conditions {
        // The conditions at the beginning of a walk may be anything.
        conditions(model, after);
    }
    claims(model, before, after);
    ticks(model, &before.status, &after.status);
    let took_out = before.status.manages() && !after.status.manages();
    if took_out {
        model.history.departed.clone_from(&before.status.last_applied);
    }
    if !before.has_finalizer && after.has_finalizer {
        hold(model, after);
    }
    if before.has_finalizer && !after.has_finalizer {
        release(model, before);
    }
}

/// What the conditions show, and their common reason. `None` if they contradict each other or the contract.
pub(crate) fn shown(status: &Status) -> Option<(Progress, Reason)> {
    use ConditionStatus::{False, True, Unknown};
    let ready = status.condition(ConditionType::Ready)?;
    let same = |one: &Condition| {
        one.reason == ready.reason
            && one.message == ready.message
            && one.observed_generation == ready.observed_generation
    };
    let others = &status.conditions[..];
    let only_true = others.iter().all(|one| one.kind == ConditionType::Ready || one.status == True);
    let has = |kind| status.condition(kind).is_some();
    let reason = Reason::ALL.into_iter().find(|reason| reason.as_str() == ready.reason)?;
    let signs = (has(ConditionType::Reconciling), has(ConditionType::Stalled), has(ConditionType::Deleting));
    let progress = match (ready.status, signs) {
        (True, (false, false, false)) if reason == Reason::Suspended => Progress::SuspendedReady,
        (True, (false, false, false)) => Progress::Ready,
        (False, (false, false, false)) => Progress::SuspendedNotReady,
        (False, (true, false, false)) => Progress::Reconciling,
        (Unknown, (true, false, false)) => Progress::Unknown,
        (False, (false, true, false)) => Progress::Stalled,
        (False, (true, false, true)) => Progress::Deleting,
        (True | False | Unknown, _) => return None,
    };
    (only_true && others.iter().all(same)).then_some((progress, reason))
}

/// What kstatus and other tools that wait for an object rely on.
fn conditions(model: &mut Model, after: &Object) {
    let Some((progress, reason)) = shown(&after.status) else {
        return model.breach("conditions that contradict each other");
    };
    let generation = Some(after.generation);
    if after.status.observed_generation != generation
        || after.status.conditions.iter().any(|one| one.observed_generation != generation)
    {
        model.breach("conditions of another generation than the one that was acted on");
    }
    let paused = matches!(progress, Progress::SuspendedReady | Progress::SuspendedNotReady);
    if (progress == Progress::Deleting) != after.terminating {
        model.breach("Deleting without a deletionTimestamp, or the other way round");
    }
    if !after.terminating && paused != after.spec.suspended {
        model.breach("Suspended, and the spec does not ask for it, or the other way round");
    }
    if !reasons::of(progress).contains(&reason) {
        model.breach("a reason that does not go with its conditions");
    }
}

/// What later passes and other processes rely on: the ARN in status, and where a user may appear.
fn claims(model: &mut Model, before: &Object, after: &Object) {
    let (was, is) = (&before.status, &after.status);
    let user = is.arn.as_ref().and_then(|arn| {
        let service = model.services.iter().find(|service| service.account == arn.account());
        service.and_then(|service| service.user.clone())
    });
    let ours = user.is_none_or(|user| whose(&user.tags) == Ownership::Ours);
    if is.arn.is_some() && was.arn != is.arn && !after.spec.observes && !ours && !model.history.raced {
        model.breach("the ARN of a user in status that is not ours");
    }
    let late = model.user().is_some_and(|user| user.shows_at > model.now && user.was_ours);
    if late && was.create_requested_at.is_some() && is.create_requested_at.is_none() {
        model.breach("createRequestedAt was removed while its user was about to show");
    }
    let announced = model.answers.as_ref().is_some_and(|answers| answers.announced.is_some());
    if announced && is.create_requested_at.is_some() && is.location().is_none() {
        model.breach("a CreateUser may take effect, and status does not say where");
    }
}

/// The time at which passwords were applied changes once each time, and with nothing else.
fn ticks(model: &mut Model, before: &Status, after: &Status) {
    // A status at the beginning of a walk may be anything.
    if before == after {
        return;
    }
    let (was, is) = (before.passwords_applied_at, after.passwords_applied_at);
    let accepted = model.history.passwords_accepted;
    if is.is_some() && is != was {
        let first = model.history.passwords_dated.or(is);
        if accepted.is_none() || is != first {
            model.breach("passwordsAppliedAt changed, and AWS accepted no passwords since the last change");
        }
        model.history.passwords_dated = first;
    }
    let age = |at: Timestamp| timestamp(model.now).since(at).unwrap_or_default();
    let is_late = |then: Duration| is.is_none_or(|is| age(is).abs_diff(model.now - then) > ROUGHLY);
    let kind = after.authentication_type.as_deref();
    if kind == Some("password") && accepted.is_some_and(is_late) {
        model.breach("AWS accepted passwords, and passwordsAppliedAt does not say when");
    }
    if is.is_some() && matches!(kind, Some("iam" | "no-password")) {
        model.breach("passwordsAppliedAt of a user without passwords");
    }
}

/// The finalizer is added.
fn hold(model: &mut Model, object: &Object) {
    let adopts = object.may_get_one() && object.spec.adoption == Adoption::Allowed;
    let tags = model.answers.as_ref().and_then(|answers| answers.tags());
    let anothers = tags.is_some_and(|tags| matches!(whose(tags), Ownership::Another(_)));
    if object.subject().is_none() || anothers && !adopts {
        model.breach("a finalizer for an object that has no user");
    }
}

/// The finalizer is removed.
fn release(model: &mut Model, object: &Object) {
    let Object { spec, status, .. } = object;
    if object.terminating && object.protected {
        model.breach("the finalizer was removed in spite of prevent-deletion");
    }
    let stays = spec.policy == DeletionPolicy::Retain
        || spec.observes
        || spec.sense == Sense::Nameless
        || model.definition == Definition::BeingDeleted;
    let late = model.user().is_some_and(|user| user.shows_at > model.now);
    // If the user is retained, it is enough that AWS has answered CreateUser. If AWS does not show the account, only the region
    // counts.
    let is_blind = model.history.account_untold && model.history.moved;
    if late && !is_blind && !(stays && status.arn.is_some()) && spec.sense != Sense::Nameless {
        model.breach("the finalizer was removed while a CreateUser was about to show");
    }
    if stays {
        return;
    }
    let tags = model.answers.as_ref().and_then(|answers| answers.tags());
    let is_anothers = tags.is_some_and(|tags| whose(tags) != Ownership::Ours) && status.arn.is_none();
    if !object.terminating && !is_anothers || spec.suspended {
        model.breach("the finalizer was removed from an object that manages its user");
    }
    if model.history.raced || is_blind {
        return;
    }
    if place(model, status) == Where::WrongLocation {
        model.breach("the finalizer was removed while the user may be elsewhere");
    }
    let ours = model.user().is_some_and(|user| match whose(&user.tags) {
        Ownership::Ours => true,
        Ownership::Unowned => managed(status, &user.shown) && !model.history.gone_believed,
        Ownership::Another(_) => false,
    });
    let seen_active = model
        .answers
        .as_ref()
        .and_then(|answers| answers.seen())
        .is_some_and(|user| user.lifecycle == Lifecycle::Active);
    // AWS does not show the tags while the user is not active, so what this process read before counts.
    let believed = model.history.retagged && !seen_active;
    if ours && !believed {
        model.breach("the finalizer was removed while the user was there");
    }
}
