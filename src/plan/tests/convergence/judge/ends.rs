//! Where every walk must end, according to the contract.

use plan::verdict::{Progress, Reason};
use plan::*;

use super::{Where, managed, place, shown, whose};
use crate::events::{Event, Step};
use crate::model::Model;
use crate::model::aws::{ACCESS, User, form, identity};
use crate::model::object::{Object, Sense, Spec, TAGS};
use crate::start::Start;

/// What is wrong with the end.
pub(crate) fn wrong(model: &Model) -> Option<String> {
    let object = model.object.as_ref()?;
    let wrong = match () {
        () if object.terminating => leaving(model, object),
        () if object.spec.suspended => suspended(object),
        () => match object.spec.sense {
            Sense::Broken | Sense::Nameless => shows(object, Progress::Stalled, Reason::InvalidSpec),
            Sense::Disallowed if object.spec.observes => disallowed(object),
            Sense::Sound if object.spec.observes => observing(model, object),
            // A user that is ours stays managed.
            Sense::Sound | Sense::Disallowed => staying(model, object),
        },
    };
    let wrong = wrong.or_else(|| lacks_finalizer(model, object)).or_else(|| is_held_by_another(object));
    let ready = object.status.condition(ConditionType::Ready);
    let old = ready.is_none_or(|ready| ready.observed_generation != Some(object.generation));
    wrong.or_else(|| old.then(|| "status is about an older generation".to_owned())).or_else(|| {
        object
            .facts()
            .is_requested()
            .then(|| "status does not say that the request for a pass was handled".to_owned())
    })
}

/// Without the finalizer the object could be deleted and leave its user behind, whatever else is wrong with the object.
fn lacks_finalizer(model: &Model, object: &Object) -> Option<String> {
    let ours = whose(&model.user()?.tags) == Ownership::Ours && object.subject().is_some();
    // Somebody else made it while the object waits for a person. The operator asked AWS before, and makes no call while it waits.
    let unseen = model.history.changed && needs_a_person(model);
    (ours && !unseen && !object.has_finalizer)
        .then(|| "the user is ours, and the object has no finalizer".to_owned())
}

/// A user known to be another's must not hold the object.
fn is_held_by_another(object: &Object) -> Option<String> {
    let (_, reason) = shown(&object.status)?;
    let is_told = matches!(reason, Reason::UserOwnedByAnother | Reason::UserAlreadyExists);
    let was_ours = object.status.arn.is_some() || object.status.manages();
    (is_told && !was_ours && object.has_finalizer)
        .then(|| "the user is another's, and the object has the finalizer".to_owned())
}

fn shows(object: &Object, progress: Progress, reason: Reason) -> Option<String> {
    let told = shown(&object.status);
    (told != Some((progress, reason))).then(|| format!("status shows {told:?}, not {progress:?}, {reason:?}"))
}

fn disallowed(object: &Object) -> Option<String> {
    shows(object, Progress::Stalled, Reason::UserIDNotAllowed)
}

fn leaving(model: &Model, object: &Object) -> Option<String> {
    if object.protected {
        shows(object, Progress::Deleting, Reason::DeletionProtected)
    } else if object.spec.suspended && object.spec.policy == DeletionPolicy::Delete {
        shows(object, Progress::Deleting, Reason::Suspended)
    } else if place(model, &object.status) != Where::Here {
        shows(object, Progress::Deleting, Reason::WrongAWSAccount)
    } else {
        Some("the object still exists".to_owned())
    }
}

fn suspended(object: &Object) -> Option<String> {
    let shows_spec = object.status.last_applied.as_ref().is_some_and(|last| {
        let wanted = ACCESS[object.spec.access].0;
        last.access_string.as_ref().is_some_and(|sent| access_string::same_meaning(sent, wanted))
    }) && object.status.reported().is_some_and(|reported| {
        let (engine, type_) = (object.spec.engine.as_str(), object.spec.authentication.output());
        reported.engine == engine && reported.authentication_type == type_
    });
    match shown(&object.status) {
        Some((Progress::SuspendedNotReady, Reason::Suspended)) => None,
        Some((Progress::SuspendedReady, Reason::Suspended)) if shows_spec => None,
        told => Some(format!("suspended, status shows {told:?}")),
    }
}

fn observing(model: &Model, object: &Object) -> Option<String> {
    if object.has_finalizer {
        return Some("an object that observes has the finalizer".to_owned());
    }
    let refused = shows(object, Progress::Stalled, Reason::WrongAWSAccount);
    match place(model, &object.status) {
        Where::WrongLocation => return refused,
        Where::Perhaps if refused.is_none() => return None,
        Where::Perhaps | Where::Here => {}
    }
    let Some(user) = model.user() else {
        return shows(object, Progress::Reconciling, Reason::UserMissing);
    };
    if let Some((progress, reason)) = lacks(model, object) {
        return shows(object, progress, reason);
    }
    let reads = access_string::same_meaning(ACCESS[object.spec.access].0, &user.shown.access_string);
    let counted = wanted_passwords(model, object)
        .is_none_or(|wanted| i32::try_from(wanted.values().len()).ok() == user.shown.password_count);
    let matches = reads
        && counted
        && user.shown.user_name == "app"
        && user.shown.engine == object.spec.engine.as_str()
        && user.shown.authentication_type == object.spec.authentication.output()
        && has_tags(object, user);
    if matches {
        shows(object, Progress::Ready, Reason::Observed)
    } else {
        shows(object, Progress::Reconciling, Reason::Differs)
    }
}

fn staying(model: &Model, object: &Object) -> Option<String> {
    let refused = shows(object, Progress::Stalled, Reason::WrongAWSAccount);
    match place(model, &object.status) {
        Where::WrongLocation => return refused,
        Where::Perhaps if refused.is_none() => return None,
        Where::Perhaps | Where::Here => {}
    }
    let lacks = lacks(model, object);
    let Some(user) = model.user() else {
        let waits = lacks.and_then(|(progress, reason)| shows(object, progress, reason));
        return match object.spec.sense {
            Sense::Disallowed if lacks.is_none() || waits.is_some() => disallowed(object),
            Sense::Sound if lacks.is_none() => Some("there is no user".to_owned()),
            Sense::Sound | Sense::Disallowed | Sense::Broken | Sense::Nameless => waits,
        };
    };
    let wrong = seen_as(whose(&user.tags), model, object, lacks);
    // If a person must act first, for a name that cannot change or for passwords, the tags are compared only after that.
    let believed = needs_a_person(model) && (model.history.retagged || managed(&object.status, &user.shown));
    wrong.filter(|_| !believed || seen_as(Ownership::Ours, model, object, lacks).is_some())
}

fn seen_as(
    whose: Ownership,
    model: &Model,
    object: &Object,
    lacks: Option<(Progress, Reason)>,
) -> Option<String> {
    let user = model.user()?;
    let orphan = model.other == OwnerObservation::Gone && names_a_neighbour(&user.tags);
    let barred = object.spec.sense == Sense::Disallowed;
    match whose {
        Ownership::Another(_) if barred => disallowed(object),
        Ownership::Unowned if barred && !managed(&object.status, &user.shown) => disallowed(object),
        Ownership::Another(_) if orphan => strange(object, user),
        Ownership::Another(_) => shows(object, Progress::Stalled, Reason::UserOwnedByAnother),
        Ownership::Unowned if managed(&object.status, &user.shown) => {
            Some("our user lacks its tags".to_owned())
        }
        Ownership::Unowned => strange(object, user),
        Ownership::Ours if user.shown.user_name != "app" => {
            shows(object, Progress::Stalled, Reason::InvalidSpec)
        }
        Ownership::Ours => match lacks {
            Some((progress, reason)) => {
                let password = AuthenticationType::Password.output();
                // While the object waits for a Secret it does not ask AWS, so it cannot know that somebody gave the user a password.
                let typed = user.shown.authentication_type == password
                    && object.status.reported().is_some_and(|seen| seen.authentication_type == password);
                differs(model, object, user).filter(|_| typed).or_else(|| shows(object, progress, reason))
            }
            None => differs(model, object, user).or_else(|| shows(object, Progress::Ready, Reason::Active)),
        },
    }
}

/// The user may be adopted, if the object is allowed to.
fn strange(object: &Object, user: &User) -> Option<String> {
    match object.spec.adoption {
        Adoption::Never => shows(object, Progress::Stalled, Reason::UserAlreadyExists),
        Adoption::Allowed if user.tags.get(NAMESPACE_TAG).is_some_and(|namespace| namespace == "den") => {
            shows(object, Progress::Stalled, Reason::AdoptionNotAllowed)
        }
        Adoption::NotAllowed | Adoption::Forbidden => {
            shows(object, Progress::Stalled, Reason::AdoptionNotAllowed)
        }
        Adoption::Allowed if user.shown.user_name != "app" => {
            shows(object, Progress::Stalled, Reason::InvalidSpec)
        }
        Adoption::Allowed => Some("the user is not adopted".to_owned()),
    }
}

/// All three owner tags are there, and name an object of this cluster.
fn names_a_neighbour(tags: &Tags) -> bool {
    tags.get(CLUSTER_TAG) == Some(&crate::common::owner().cluster)
        && tags.contains_key(NAMESPACE_TAG)
        && tags.contains_key(NAME_TAG)
}

fn wanted_passwords(model: &Model, object: &Object) -> Option<Passwords> {
    let needed = object.spec.authentication == AuthenticationType::Password && !object.spec.external;
    needed.then(|| model.secrets.read(object.spec.sources).ok()).flatten()
}

/// The passwords that a person has to provide.
fn lacks(model: &Model, object: &Object) -> Option<(Progress, Reason)> {
    let Spec { authentication, external, sources, observes, .. } = object.spec;
    if authentication != AuthenticationType::Password {
        return None;
    }
    // Only a user that has no password yet needs those of the Secrets.
    let typed = |user: &User| user.shown.authentication_type == AuthenticationType::Password.output();
    if external && (sources == 0 || observes || model.user().is_some_and(typed)) {
        return None;
    }
    Some(match model.secrets.read(object.spec.sources).err()? {
        SecretProblem::NotRead => return None,
        SecretProblem::Unreadable { .. } => unreachable!("the API server answers in the end"),
        SecretProblem::NotFound { .. } => (Progress::Reconciling, Reason::SecretNotFound),
        SecretProblem::KeyNotFound { .. } => (Progress::Reconciling, Reason::SecretKeyNotFound),
        SecretProblem::Forbidden { .. } => (Progress::Reconciling, Reason::SecretForbidden),
        SecretProblem::Invalid { .. } => (Progress::Stalled, Reason::InvalidPassword),
    })
}

/// Nothing continues before a person provides passwords or another object. Until then the tags are not read.
pub(crate) fn needs_a_person(model: &Model) -> bool {
    let named_otherwise = model.user().is_some_and(|user| user.shown.user_name != "app");
    named_otherwise || model.object.as_ref().is_some_and(|object| lacks(model, object).is_some())
}

fn has_tags(object: &Object, user: &User) -> bool {
    TAGS[object.spec.tags].iter().all(|(key, value)| user.tags.get(*key).is_some_and(|has| has == value))
}

/// How the user differs from the spec or from status.
fn differs(model: &Model, object: &Object, user: &User) -> Option<String> {
    let shown = &user.shown;
    let same_access = shown.access_string == form(ACCESS[object.spec.access].0) || user.foreign_access;
    let wanted = wanted_passwords(model, object);
    let same_passwords = wanted.as_ref().is_none_or(|wanted| {
        let count = i32::try_from(wanted.values().len()).ok();
        let same = user.passwords.as_ref().is_some_and(|has| has.same(wanted));
        shown.password_count == count && (same || user.foreign_passwords)
    });
    let left = |key: &String| !key.starts_with(OWNER_TAG_PREFIX) && !object.asks_for(key);
    let differences = [
        ("its state", shown.lifecycle != Lifecycle::Active),
        ("its access string", !same_access),
        ("its engine", shown.engine != object.spec.engine.as_str()),
        ("how it authenticates", shown.authentication_type != object.spec.authentication.output()),
        ("its passwords", !same_passwords),
        ("what status reports", object.status.reported() != Some(identity(shown))),
        ("its tags", !has_tags(object, user)),
        ("tags that left the spec", user.put.iter().any(|key| user.tags.contains_key(key) && left(key))),
        ("the ARN in status", object.status.arn.as_ref() != Some(&shown.arn)),
    ];
    let found = differences.iter().find(|(_, differs)| *differs);
    found.map(|(what, _)| format!("the user is not as it should be: {what}"))
}

/// The operator gave up a user that was ours at the start, although nobody else changed anything.
pub(crate) fn forsaken(start: &Start, steps: &[Step], model: &Model) -> Option<String> {
    let before = start.services[0].user.as_ref()?;
    let was_ours = match whose(&before.tags) {
        Ownership::Ours => true,
        Ownership::Unowned => managed(&start.object.status, &before.shown),
        Ownership::Another(_) => false,
    };
    let (_, reason) = shown(&model.object.as_ref()?.status)?;
    let given_up = matches!(reason, Reason::UserAlreadyExists | Reason::AdoptionNotAllowed);
    let others = |step: &Step| matches!(step, Step::Event(Event::Others(_) | Event::Credentials { .. }));
    (given_up && was_ours && !steps.iter().any(others))
        .then(|| "the user was ours, but is treated as nobody's".to_owned())
}
