//! What must never happen, in the words of the contract and not in those of `plan`: judged on what is so, not on what the
//! operator knows of it.

use plan::verdict::{Progress, Reason};
use plan::*;

use crate::common::{arn, owner, reasons};
use crate::object::{Conditions, Object, Sense, Status};
use crate::service::{User, form};
use crate::status::identity;
use crate::world::{TICK, World};

/// Whose a user is by its tags: cluster, namespace and name decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Ours,
    Anothers,
    Nobodys,
}

pub(crate) fn whose(tags: &Tags) -> Whose {
    let Owner { cluster, namespace, name } = owner();
    let own = [(CLUSTER_TAG, cluster), (NAMESPACE_TAG, namespace), (NAME_TAG, name)];
    let says = |(key, own): &(&str, String)| tags.get(*key).map(|said| said == own);
    if own.iter().all(|tag| says(tag) == Some(true)) {
        Whose::Ours
    } else if own.iter().any(|tag| says(tag) == Some(false)) {
        Whose::Anothers
    } else {
        Whose::Nobodys
    }
}

/// What a user that lost its owner tags has to look like to be still ours: as status last reported it, where status shows
/// that we managed it, and not that it was on its way out since.
pub(crate) fn managed_look<'a>(status: &'a Status, arn: &Arn) -> Option<&'a Reported> {
    let deleted = status.state == Some(Lifecycle::Deleting);
    let manages = status.last_applied.as_ref().is_some_and(|last| last.access_string.is_some());
    status.reported.as_ref().filter(|_| status.arn.as_ref() == Some(arn) && manages && !deleted)
}

pub(crate) fn managed(status: &Status, user: &RemoteUser) -> bool {
    managed_look(status, &user.arn) == Some(&identity(user))
}

/// Where status knows the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    Here,
    Elsewhere,
    /// In another account than the one that is talked to, which AWS did not tell once: then the region decides alone.
    Perhaps,
}

pub(crate) fn place(world: &World, status: &Status) -> Where {
    let seen = world.service.user.as_ref().is_some_and(|user| user.shows_in == 0);
    match &status.arn {
        Some(recorded) if recorded.region() != arn().region() => Where::Elsewhere,
        Some(recorded) if recorded.account() != arn().account() => {
            if seen || !world.account_untold {
                Where::Elsewhere
            } else {
                Where::Perhaps
            }
        }
        Some(_) | None => Where::Here,
    }
}

/// That the user in status is in another account: AWS does not tell it again, so that the next process goes by the region.
pub(crate) fn is_told_by_memory_alone(world: &World) -> bool {
    let arn_in_status = world.object.as_ref().and_then(|object| object.status.arn.as_ref());
    arn_in_status.is_some_and(|recorded| recorded.account() != arn().account())
        && !world.service.habits.tells_account
}

pub(crate) fn create(world: &mut World, goal: &Goal, create: &Create) {
    let announced = world.object.as_ref().is_some_and(|object| {
        let request = object.status.request;
        !object.terminating && request.is_some_and(|request| world.now - request <= 2 * TICK)
    });
    if !matches!(goal, Goal::Present(_)) || whose(&create.tags) != Whose::Ours {
        world.breach("CreateUser for an object that does not ask for it, or without owner tags");
    }
    if !announced {
        world.breach("CreateUser without createRequestedAt in status, or for an object that is terminating");
    }
}

/// Any call to AWS.
pub(crate) fn call(world: &mut World, object: &Object) {
    if object.spec.suspended {
        world.breach("a call to AWS for an object that is suspended");
    }
    if object.terminating && object.protected {
        world.breach("a call to AWS for an object that is held by prevent-deletion");
    }
}

/// Whose the user is. Where somebody else had a hand in it since this pass looked, what it saw has to do.
fn truly(world: &World, observed: &Observed) -> Option<Whose> {
    let user = world.service.user.as_ref()?;
    Some(match &observed.tags {
        _ if !world.raced => whose(&user.tags),
        TagSight::Read(tags) => whose(tags),
        TagSight::Unread | TagSight::Unreadable | TagSight::Failed(_) => Whose::Nobodys,
    })
}

pub(crate) fn modify(world: &mut World, goal: &Goal, observed: &Observed, changes: &Changes) {
    if !matches!(goal, Goal::Present(_)) {
        world.breach("ModifyUser for an object that does not ask for it");
    }
    if world.last_seen != Some(Lifecycle::Active) {
        world.breach("ModifyUser of a user that was not seen active");
    }
    if truly(world, observed).is_some_and(|whose| whose != Whose::Ours) {
        world.breach("ModifyUser of a user that is not ours");
    }
    let Sight::Seen(user) = &observed.user else {
        return world.breach("ModifyUser of a user that was not seen");
    };
    let needless = needless(user, observed, changes);
    if let Some(field) = needless {
        world.breach(&format!("ModifyUser sends {field} that AWS is known to have"));
    }
}

/// What is sent though it changes nothing.
fn needless(user: &RemoteUser, observed: &Observed, changes: &Changes) -> Option<&'static str> {
    let last = observed.record.last_applied.clone().unwrap_or_default();
    let Changes { access_string, engine, authentication } = changes;
    let same_access = access_string.as_ref().is_some_and(|sent| {
        let seen = last.access_string.as_ref() == Some(sent)
            && last.expanded_access_string.as_ref() == Some(&user.access_string);
        // Of a form that cannot be read it has to be known that AWS made it of this text.
        form(sent) == user.access_string && (seen || access_string::same_meaning(sent, &user.access_string))
    });
    let same_engine = engine.is_some_and(|engine| engine.as_str() == user.engine);
    let same_type = authentication.as_ref().is_some_and(|change| {
        let counted = |passwords: &Passwords| i32::try_from(passwords.values().len()).ok();
        let known = |passwords: &Passwords| match &observed.sent {
            Some(sent) => sent.same(passwords),
            None => last.password_versions == passwords.versions(),
        };
        change.kind().output() == user.authentication_type
            && change.passwords().is_none_or(|sent| counted(sent) == user.password_count && known(sent))
    });
    let nothing = *changes == Changes::default();
    [
        ("nothing", nothing),
        ("an access string", same_access),
        ("an engine", same_engine),
        ("a way to authenticate", same_type),
    ]
    .iter()
    .find_map(|(what, needless)| needless.then_some(*what))
}

/// `found` is the status as the pass found it.
pub(crate) fn tag(world: &mut World, object: &Object, observed: &Observed, found: &Status, tag: &Tag) {
    let Object { spec, terminating, .. } = object;
    let leaves = world.object.as_ref().is_none_or(|object| object.terminating);
    if leaves && !terminating {
        world.breach("tags for an object that is leaving meanwhile: they would outlive it");
    }
    if spec.observes || spec.sense != Sense::Sound && !terminating {
        world.breach("tags for an object that does not ask for it");
    }
    let foreign = tag.tags.keys().any(|key| !key.starts_with(OWNER_TAG_PREFIX) && !object.asks_for(key));
    if foreign || whose(&tag.tags) == Whose::Anothers {
        world.breach("tags that are neither the owner's nor the spec's");
    }
    // Whatever status says.
    let another = |user: &User| world.gone_seen && !user.was_ours || world.service.is_strange(user);
    let strange = world.service.user.as_ref().is_some_and(another);
    // The process that announced the deletion knows what was there before, as long as AWS refuses.
    let last_applied = found.last_applied.clone().or_else(|| world.departed.clone().filter(|_| *terminating));
    let known = Status { last_applied, ..found.clone() };
    let adopts = spec.adoption == Adoption::Allowed && !terminating;
    let (Some(whose), Sight::Seen(user)) = (truly(world, observed), &observed.user) else {
        return;
    };
    let right = match whose {
        Whose::Ours => true,
        Whose::Anothers => adopts && is_orphan(observed),
        Whose::Nobodys => adopts || managed(&known, user) && !strange,
    };
    if !right {
        world.breach("tags for a user that is not ours");
    }
}

/// The object that the user's tags name was seen to be gone.
fn is_orphan(observed: &Observed) -> bool {
    let TagSight::Read(tags) = &observed.tags else { return false };
    tags.get(CLUSTER_TAG) == Some(&owner().cluster) && observed.other == Other::Gone
}

pub(crate) fn untag(world: &mut World, goal: &Goal, observed: &Observed, keys: &[String]) {
    let wrong = truly(world, observed).is_some_and(|whose| whose != Whose::Ours);
    if wrong || !matches!(goal, Goal::Present(_)) {
        world.breach("tags taken off a user that is not ours");
    }
    if keys.is_empty() || keys.iter().any(|key| !world.asked_for.contains(key)) {
        world.breach("tags taken off that were never in the spec");
    }
}

pub(crate) fn delete(world: &mut World, observed: &Observed) {
    let wanted = world.object.as_ref().is_some_and(|object| {
        let spec = &object.spec;
        let stays = object.protected || spec.observes || spec.suspended;
        object.terminating && !stays && spec.policy == DeletionPolicy::Delete
    });
    if !wanted || world.definition != Definition::Stays {
        world.breach("DeleteUser of a user that is to stay");
    }
    if world.last_seen != Some(Lifecycle::Active) {
        world.breach("DeleteUser of a user that was not seen active");
    }
    if truly(world, observed).is_some_and(|whose| whose != Whose::Ours) {
        world.breach("DeleteUser of a user that is not ours");
    }
    let announced = world.object.as_ref().is_some_and(|object| {
        let told = object.status.departing();
        let remembers = object.status.last_applied.as_ref().is_some_and(|last| last.access_string.is_some());
        told.is_some_and(|reason| reason != Reason::WaitingForUserActive) && !remembers
    });
    if !announced {
        world.breach("DeleteUser that was not announced, or while status takes any user for ours");
    }
}

/// The finalizer is being taken off.
pub(crate) fn release(world: &mut World, object: &Object) {
    let Object { spec, status, .. } = object;
    if object.terminating && object.protected {
        world.breach("the finalizer went in spite of prevent-deletion");
    }
    let late = world.service.user.as_ref().is_some_and(|user| user.shows_in > 0);
    let stays = spec.policy == DeletionPolicy::Retain
        || spec.observes
        || spec.sense == Sense::Nameless
        || world.definition == Definition::Going;
    // Where the user is to stay, it is enough that AWS has answered.
    if late && !(stays && status.arn.is_some()) && spec.sense != Sense::Nameless {
        world.breach("the finalizer went while a CreateUser was about to show");
    }
    if stays {
        return;
    }
    if !object.terminating || spec.suspended {
        world.breach("the finalizer went from an object that manages its user");
    }
    if place(world, status) == Where::Elsewhere && !world.raced {
        world.breach("the finalizer went while the user may be elsewhere");
    }
    let ours = world.service.user.as_ref().is_some_and(|user| match whose(&user.tags) {
        Whose::Ours => true,
        Whose::Nobodys => managed(status, &user.shown) && !world.gone_seen,
        Whose::Anothers => false,
    });
    // Its tags cannot be read while it is not active: what this process read before counts.
    let believed = world.retagged && world.last_seen != Some(Lifecycle::Active);
    if ours && !world.raced && !believed {
        world.breach("the finalizer went while the user was there");
    }
}

/// A status that was written: what those who wait for an object, kstatus for one, rest on.
pub(crate) fn status(world: &mut World, before: &Object, object: &Object) {
    let Some(Conditions { progress, reason, generation, .. }) = &object.status.conditions else {
        return world.breach("a status without Ready");
    };
    if *generation != object.generation {
        world.breach("conditions of another generation than the one that was acted on");
    }
    // What was there before the first pass may be anything.
    if before.status.conditions == object.status.conditions {
        return;
    }
    let paused = matches!(progress, Progress::PausedReady | Progress::PausedUnready);
    if (*progress == Progress::Leaving) != object.terminating {
        world.breach("Deleting without a deletionTimestamp, or the other way round");
    }
    if !object.terminating && paused != object.spec.suspended {
        world.breach("Suspended, and the spec does not ask for it, or the other way round");
    }
    if !reasons::of(*progress).contains(reason) {
        world.breach("a reason that does not go with its conditions");
    }
}
