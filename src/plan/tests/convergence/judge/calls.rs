//! What is wrong with a call to AWS.

use std::time::Duration;

use plan::*;

use super::{managed, whose};
use crate::common::owner;
use crate::model::answer::Kind;
use crate::model::aws::{User, form};
use crate::model::object::Object;
use crate::model::{Answers, Model};

/// How long an owner that was read is valid.
const OWNER_VALID: Duration = Duration::from_secs(2);
/// CreateUser starts at most this long after `createRequestedAt` was written.
const INTENT_VALID: Duration = Duration::from_secs(5);

/// Any call to AWS.
pub(crate) fn called(model: &mut Model) {
    let Some(Object { spec, terminating, protected, .. }) =
        model.answers.as_ref().map(|answers| answers.given.clone())
    else {
        return model.breach("a call to AWS outside of a pass");
    };
    if spec.suspended {
        model.breach("a call to AWS for an object that is suspended");
    }
    if terminating && protected {
        model.breach("a call to AWS for an object that is held by prevent-deletion");
    }
}

pub(crate) fn mutation(model: &mut Model, mutation: &Mutation) {
    let Some(answers) = model.answers.clone() else { return };
    if model.object.as_ref().is_none_or(|object| !object.has_finalizer) {
        model.breach("a mutation for an object without the finalizer");
    }
    let wrong = match mutation {
        Mutation::Create(create) => wrong_create(model, &answers, create),
        Mutation::Modify(modify) => wrong_modify(model, &answers, &modify.changes),
        Mutation::Tag(tag) => wrong_tag(model, &answers, tag),
        Mutation::Untag(untag) => wrong_untag(model, &answers, &untag.keys),
        Mutation::Delete(_) => wrong_delete(model, &answers),
    };
    if answers.confirmed.is_none() && Kind::of(mutation) != Kind::Create {
        model.breach("a mutation, and the object was not read right before");
    }
    for what in wrong {
        model.breach(what);
    }
    // Until the answer, nobody knows which passwords AWS has.
    if matches!(mutation, Mutation::Modify(modify) if modify.changes.authentication.is_some()) {
        model.history.sent = None;
    }
}

/// AWS accepted the mutation. `answered`: the pass gets the answer.
pub(crate) fn took_effect(model: &mut Model, mutation: &Mutation, answered: bool) {
    let history = &mut model.history;
    if let Some((_, done)) = history.mutations.last_mut() {
        *done = true;
    }
    let sent = match mutation {
        Mutation::Create(create) => Some(&create.authentication),
        Mutation::Modify(modify) => modify.changes.authentication.as_ref(),
        Mutation::Tag(_) | Mutation::Untag(_) | Mutation::Delete(_) => None,
    };
    if let Some(sent) = sent.filter(|_| answered) {
        history.sent = sent.passwords().cloned();
        history.passwords_accepted = sent.has_passwords().then_some(model.now);
        history.passwords_dated = None;
    }
    let kind = Kind::of(mutation);
    if kind == Kind::Create {
        (history.gone_seen, history.gone_believed) = (false, false);
    }
    history.in_flight |= matches!(kind, Kind::Create | Kind::Modify);
    if kind == Kind::Delete {
        history.departed = None;
        model.service().forget_looks();
    }
}

/// The texts of what is wrong.
fn wrongs<const N: usize>(all: [(bool, &'static str); N]) -> Vec<&'static str> {
    all.into_iter().filter_map(|(wrong, what)| wrong.then_some(what)).collect()
}

/// The owner according to the tags that the pass read at most 2 s ago. `None` if it did not read them.
fn just_told(model: &Model, answers: &Answers) -> Option<Ownership> {
    let (_, asked) = answers.tags.as_ref()?;
    (model.now - *asked <= OWNER_VALID).then(|| answers.tags().map(whose))?
}

fn seen_active(answers: &Answers) -> bool {
    answers.seen().is_some_and(|user| user.lifecycle == Lifecycle::Active)
}

fn wrong_create(model: &Model, answers: &Answers, create: &Create) -> Vec<&'static str> {
    let status = model.object.as_ref().map(|object| &object.status);
    let announced = answers.announced.is_some_and(|at| model.now - at <= INTENT_VALID);
    let requested = status.is_some_and(|status| status.create_requested_at.is_some());
    let located = status.and_then(Status::location);
    let absent = matches!(answers.user, Some((UserObservation::Absent, _)));
    let is_unknown = answers.found.arn.is_none() && answers.found.create_requested_at.is_none();
    let adopts = answers.given.spec.adoption != Adoption::Never;
    let needs_no_look = answers.user.is_none() && is_unknown && !adopts && !model.history.must_look;
    let here = |location: &Location| {
        let same_account = location.account.as_ref().is_none_or(|account| account == model.account());
        location.region == "us-east-1" && (same_account || model.history.account_untold)
    };
    wrongs([
        (!answers.given.may_get_one(), "CreateUser for an object that does not ask for it"),
        (whose(&create.tags) != Ownership::Ours, "CreateUser without owner tags"),
        (!announced || !requested, "CreateUser without createRequestedAt of at most 5 s ago in status"),
        (!located.as_ref().is_some_and(here), "CreateUser in another account or region than status says"),
        (!absent && !needs_no_look, "CreateUser of a user that was not seen to be absent"),
        (
            !answers.found.location().is_none_or(|location| here(&location)),
            "CreateUser while the user is in another account or region",
        ),
    ])
}

fn wrong_modify(model: &Model, answers: &Answers, changes: &Changes) -> Vec<&'static str> {
    let needless = answers.seen().and_then(|user| needless(model, answers, user, changes));
    let mut wrong = wrongs([
        (!answers.given.manages(), "ModifyUser for an object that does not ask for it"),
        (!seen_active(answers), "ModifyUser of a user that was not seen active"),
        (
            just_told(model, answers) != Some(Ownership::Ours),
            "ModifyUser of a user that was not ours by its tags at most 2 s ago",
        ),
    ]);
    wrong.extend(needless);
    wrong
}

/// What ModifyUser sends although AWS has it already.
fn needless(model: &Model, answers: &Answers, user: &RemoteUser, changes: &Changes) -> Option<&'static str> {
    // After UserNotFound, `lastApplied` describes an earlier user.
    let last = answers.found.last_applied.clone().filter(|_| !model.history.gone_seen).unwrap_or_default();
    let Changes { access_string, engine, authentication } = changes;
    let same_access = access_string.as_ref().is_some_and(|sent| {
        let seen = last.access_string.as_ref() == Some(sent)
            && last.expanded_access_string.as_ref() == Some(&user.access_string);
        // If the operator cannot parse the string, it must know that AWS made this form of this string.
        form(sent) == user.access_string && (seen || access_string::same_meaning(sent, &user.access_string))
    });
    let same_engine = engine.is_some_and(|engine| engine.as_str() == user.engine);
    let same_type = authentication.as_ref().is_some_and(|change| {
        let counted = |passwords: &Passwords| i32::try_from(passwords.values().len()).ok();
        let known = |passwords: &Passwords| match &model.history.sent {
            Some(sent) => sent.same(passwords),
            None => last.password_versions == passwords.versions(),
        };
        change.kind().output() == user.authentication_type
            && change.passwords().is_none_or(|sent| counted(sent) == user.password_count && known(sent))
    });
    [
        (*changes == Changes::default(), "ModifyUser sends nothing"),
        (same_access, "ModifyUser sends an access string that AWS is known to have"),
        (same_engine, "ModifyUser sends the engine that AWS has"),
        (same_type, "ModifyUser sends passwords that AWS is known to have"),
    ]
    .iter()
    .find_map(|(needless, what)| needless.then_some(*what))
}

fn wrong_tag(model: &Model, answers: &Answers, tag: &Tag) -> Vec<&'static str> {
    let Object { spec, terminating, .. } = &answers.given;
    let leaves = model.object.as_ref().is_none_or(|object| object.terminating);
    let foreign =
        tag.tags.keys().any(|key| !key.starts_with(OWNER_TAG_PREFIX) && !answers.given.asks_for(key));
    wrongs([
        (leaves && !terminating, "tags for an object that is being deleted: they would outlive it"),
        (
            spec.observes || !terminating && !answers.given.manages(),
            "tags for an object that does not ask for it",
        ),
        (
            foreign || matches!(whose(&tag.tags), Ownership::Another(_)),
            "tags that are neither the owner's nor the spec's",
        ),
        (!seen_active(answers), "tags for a user that was not seen active"),
        (!may_tag(model, answers), "tags for a user that is not ours"),
    ])
}

/// The user is ours, or may be adopted, or is ours and lost its owner tags.
fn may_tag(model: &Model, answers: &Answers) -> bool {
    let Object { spec, terminating, .. } = &answers.given;
    let (Some(tags), Some((UserObservation::Found(user), seen_at))) = (answers.tags(), &answers.user) else {
        return false;
    };
    let adopts = spec.adoption == Adoption::Allowed && answers.given.may_get_one();
    let told = just_told(model, answers);
    match whose(tags) {
        Ownership::Ours => told == Some(Ownership::Ours),
        // The pass read that the object that the tags name is gone.
        Ownership::Another(_) => {
            let neighbour = tags.get(CLUSTER_TAG) == Some(&owner().cluster);
            let may_adopt = tags.get(NAMESPACE_TAG).is_some_and(|namespace| namespace == "shop");
            adopts && neighbour && may_adopt && answers.other == OwnerObservation::Gone && told.is_some()
        }
        Ownership::Unowned if adopts => told.is_some(),
        Ownership::Unowned => {
            // Another user, whatever status says.
            let another = |user: &User| {
                model.history.gone_believed && !user.was_ours
                    || model.services[model.credentials.account].is_strange(user)
            };
            let strange = !model.history.raced && model.user().is_some_and(another);
            // The process that wrote the delete request remembers what it removed from status, as long as AWS refuses DeleteUser.
            let departed = model.history.departed.clone().filter(|_| *terminating);
            let knows = |status: &Status| {
                let last_applied = status.last_applied.clone().or(departed.clone());
                managed(&Status { last_applied, ..status.clone() }, user)
            };
            // This pass may have read our tags before somebody removed them, and written the user to status.
            let known = knows(&answers.found) || model.object.as_ref().is_some_and(|now| knows(&now.status));
            known && !strange && model.now - *seen_at <= OWNER_VALID
        }
    }
}

fn wrong_untag(model: &Model, answers: &Answers, keys: &[String]) -> Vec<&'static str> {
    wrongs([
        (!answers.given.manages(), "tags removed for an object that does not ask for it"),
        (
            just_told(model, answers) != Some(Ownership::Ours),
            "tags removed from a user that was not ours by its tags at most 2 s ago",
        ),
        (
            keys.is_empty() || keys.iter().any(|key| !model.history.asked_for.contains(key)),
            "tags removed that were never in the spec",
        ),
    ])
}

fn wrong_delete(model: &Model, answers: &Answers) -> Vec<&'static str> {
    let wanted = model.object.as_ref().is_some_and(|object| {
        let spec = &object.spec;
        let stays = object.protected || spec.observes || spec.suspended;
        object.terminating && !stays && spec.policy == DeletionPolicy::Delete
    });
    let announced = model.object.as_ref().is_some_and(|object| {
        let status = &object.status;
        let ours = status.delete_requested_by.as_ref() == Some(&model.process);
        let condition = status.condition(ConditionType::Deleting).is_some();
        ours && status.delete_requested_at.is_some() && condition && !status.manages()
    });
    let stays = answers.definition == Definition::Kept && model.definition == Definition::Kept;
    wrongs([
        (!wanted || !stays, "DeleteUser of a user that must stay"),
        (!seen_active(answers), "DeleteUser of a user that was not seen active"),
        (
            just_told(model, answers) != Some(Ownership::Ours),
            "DeleteUser of a user that was not ours by its tags at most 2 s ago",
        ),
        (
            !announced,
            "DeleteUser without a delete request of this process in status, or while status has lastApplied",
        ),
    ])
}
