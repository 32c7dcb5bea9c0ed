//! Where every run has to end, in the words of the contract.

use plan::verdict::{Progress, Reason};
use plan::*;

use crate::judge::{Where, Whose, managed, place, whose};
use crate::object::{Object, Secret, Sense, TAGS};
use crate::service::{ACCESS, User, form};
use crate::status::identity;
use crate::world::World;

/// What is wrong with the end, where anything is.
pub(crate) fn wrong(world: &World) -> Option<String> {
    let object = world.object.as_ref()?;
    let wrong = if object.terminating { leaving(world, object) } else { staying(world, object) };
    let told = object.status.conditions.as_ref();
    let old = told.is_none_or(|told| told.generation != object.generation);
    wrong.or_else(|| old.then(|| "status does not speak of the newest generation".to_owned()))
}

fn shows(object: &Object, progress: Progress, reason: Reason) -> Option<String> {
    let told = object.status.conditions.as_ref().map(|told| (told.progress, told.reason));
    (told != Some((progress, reason))).then(|| format!("status shows {told:?}, not {progress:?}, {reason:?}"))
}

fn leaving(world: &World, object: &Object) -> Option<String> {
    if object.protected {
        shows(object, Progress::Leaving, Reason::DeletionProtected)
    } else if place(world, &object.status) != Where::Here {
        shows(object, Progress::Leaving, Reason::WrongAWSAccount)
    } else {
        Some("the object is there still".to_owned())
    }
}

fn staying(world: &World, object: &Object) -> Option<String> {
    if object.spec.sense != Sense::Sound {
        return shows(object, Progress::Stalled, Reason::InvalidSpec);
    }
    let refused = shows(object, Progress::Stalled, Reason::WrongAWSAccount);
    match place(world, &object.status) {
        Where::Elsewhere => return refused,
        Where::Perhaps if refused.is_none() => return None,
        Where::Perhaps | Where::Here => {}
    }
    let lacks = lacks(world, object);
    let Some(user) = &world.service.user else {
        return lacks.map_or_else(
            || Some("there is no user".to_owned()),
            |(progress, reason)| shows(object, progress, reason),
        );
    };
    let whose = whose(&user.tags);
    let wrong = seen_as(whose, world, object, lacks);
    // Where a person is needed first, for a name that cannot change or for passwords, tags are not compared until then.
    let held_up = user.shown.user_name != "app" || lacks.is_some();
    let believed = held_up && (world.retagged || managed(&object.status, user));
    wrong.filter(|_| !believed || seen_as(Whose::Ours, world, object, lacks).is_some())
}

fn seen_as(
    whose: Whose,
    world: &World,
    object: &Object,
    lacks: Option<(Progress, Reason)>,
) -> Option<String> {
    let user = world.service.user.as_ref()?;
    match whose {
        Whose::Anothers => shows(object, Progress::Stalled, Reason::UserOwnedByAnother),
        Whose::Nobodys if managed(&object.status, user) => Some("our user lacks its tags".to_owned()),
        Whose::Nobodys => shows(object, Progress::Stalled, Reason::UserAlreadyExists),
        Whose::Ours if user.shown.user_name != "app" => shows(object, Progress::Stalled, Reason::InvalidSpec),
        Whose::Ours => match lacks {
            Some((progress, reason)) => {
                let typed = user.shown.authentication_type == AuthenticationType::Password.output();
                differs(world, object, user).filter(|_| typed).or_else(|| shows(object, progress, reason))
            }
            None => differs(world, object, user).or_else(|| shows(object, Progress::Done, Reason::Active)),
        },
    }
}

/// The passwords that a person has to provide.
fn lacks(world: &World, object: &Object) -> Option<(Progress, Reason)> {
    let needed = object.spec.authentication == AuthenticationType::Password;
    match world.secret {
        _ if !needed => None,
        Secret::Readable => None,
        Secret::Missing => Some((Progress::Reconciling, Reason::SecretNotFound)),
        Secret::Forbidden => Some((Progress::Reconciling, Reason::SecretForbidden)),
        Secret::Invalid => Some((Progress::Stalled, Reason::InvalidPassword)),
    }
}

/// What is not as the spec says, nor as status shows it.
fn differs(world: &World, object: &Object, user: &User) -> Option<String> {
    let shown = &user.shown;
    let same_access = shown.access_string == form(ACCESS[object.spec.access].0) || world.changed_unseen;
    let differences = [
        ("its state", shown.lifecycle != Lifecycle::Active),
        ("its access string", !same_access),
        ("its engine", shown.engine != object.spec.engine.as_str()),
        ("how it authenticates", shown.authentication_type != object.spec.authentication.output()),
        ("what status reports", object.status.reported.as_ref() != Some(&identity(shown))),
        (
            "its tags",
            TAGS[object.spec.tags]
                .iter()
                .any(|(key, value)| user.tags.get(*key).is_none_or(|has| has != value)),
        ),
        (
            "tags that left the spec",
            user.put.iter().any(|key| user.tags.contains_key(key) && !is_asked_for(object, key)),
        ),
        ("the ARN in status", object.status.arn.as_ref() != Some(&shown.arn)),
    ];
    let found = differences.iter().find(|(_, differs)| *differs);
    found.map(|(what, _)| format!("the user is not as it should be: {what}"))
}

fn is_asked_for(object: &Object, key: &str) -> bool {
    key.starts_with(OWNER_TAG_PREFIX) || TAGS[object.spec.tags].iter().any(|(asked, _)| *asked == key)
}

/// A user that was ours at the start is given up, though nobody else had a hand in it.
pub(crate) fn forsaken(
    start: &crate::start::Start,
    schedule: &crate::schedule::Schedule,
    world: &World,
) -> Option<String> {
    let before = start.service.user.as_ref()?;
    let was_ours = whose(&before.tags) == Whose::Ours || managed(&start.object.status, before);
    let object = world.object.as_ref()?;
    let given_up = object.status.conditions.as_ref()?.reason == Reason::UserAlreadyExists;
    (given_up && was_ours && !schedule.has_others())
        .then(|| "the user was ours, and is taken for nobody's".to_owned())
}
