//! What must never happen, in the words of the contract and not in those of `plan`: judged on what is so, not on what the
//! operator knows of it.

use plan::verdict::Reason;
use plan::*;

use crate::common::{arn, owner};
use crate::object::{Object, Sense, Status};
use crate::service::User;
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

/// A user that lost its owner tags is still ours where status shows that we managed it, it is as status last reported it,
/// and no DeleteUser of ours may have been accepted since.
pub(crate) fn managed(status: &Status, user: &User) -> bool {
    let deleted = status.state == Some(Lifecycle::Deleting)
        || matches!(status.departing(), Some(Reason::DeletingUser | Reason::AWSUnavailable));
    status.place() == Some(&user.shown.arn)
        && status.last_applied.as_ref().is_some_and(|last| last.access_string.is_some())
        && status.reported.as_ref() == Some(&identity(&user.shown))
        && !deleted
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
    match status.place() {
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

pub(crate) fn create(world: &mut World, goal: &Goal, create: &Create) {
    let announced = world.object.as_ref().is_some_and(|object| {
        let request = object.status.request.as_ref();
        !object.terminating && request.is_some_and(|request| world.now - request.at <= 2 * TICK)
    });
    if !matches!(goal, Goal::Present(_)) || whose(&create.tags) != Whose::Ours {
        world.breach("CreateUser for an object that does not ask for it, or without owner tags");
    }
    if !announced {
        world.breach("CreateUser without createRequestedAt in status, or for an object that is terminating");
    }
}

pub(crate) fn modify(world: &mut World, goal: &Goal) {
    if !matches!(goal, Goal::Present(_)) {
        world.breach("ModifyUser for an object that does not ask for it");
    }
    if world.last_seen != Some(Lifecycle::Active) {
        world.breach("ModifyUser of a user that was not seen active");
    }
    if world.service.user.as_ref().is_some_and(|user| whose(&user.tags) != Whose::Ours) {
        world.breach("ModifyUser of a user that is not ours");
    }
}

/// `status` as the pass found it.
pub(crate) fn tag(world: &mut World, goal: &Goal, status: &Status) {
    let leaves = world.object.as_ref().is_none_or(|object| object.terminating);
    if leaves && matches!(goal, Goal::Present(_)) {
        world.breach("owner tags for an object that is leaving meanwhile: they would outlive it");
    }
    let wrong = world.service.user.as_ref().is_some_and(|user| match whose(&user.tags) {
        Whose::Ours => false,
        Whose::Anothers => true,
        Whose::Nobodys => !managed(status, user),
    });
    if wrong {
        world.breach("owner tags for a user that is not ours");
    }
}

pub(crate) fn untag(world: &mut World, untag: &Untag) {
    let wrong = world.service.user.as_ref().is_some_and(|user| whose(&user.tags) != Whose::Ours);
    let foreign = untag.keys.iter().any(|key| !["team", "tier"].contains(&key.as_str()));
    if wrong || foreign {
        world.breach("tags taken off a user that is not ours, or that were never in the spec");
    }
}

pub(crate) fn delete(world: &mut World) {
    let wanted = world.object.as_ref().is_some_and(|object| {
        object.terminating && !object.protected && object.spec.policy == DeletionPolicy::Delete
    });
    if !wanted || world.definition != Definition::Stays {
        world.breach("DeleteUser of a user that is to stay");
    }
    if world.last_seen != Some(Lifecycle::Active) {
        world.breach("DeleteUser of a user that was not seen active");
    }
    if world.service.user.as_ref().is_some_and(|user| whose(&user.tags) != Whose::Ours) {
        world.breach("DeleteUser of a user that is not ours");
    }
    let departing = world.object.as_ref().and_then(|object| object.status.departing());
    if departing.is_none_or(|reason| reason == Reason::WaitingForUserActive) {
        world.breach("DeleteUser that was not announced");
    }
}

/// The finalizer is being taken off.
pub(crate) fn release(world: &mut World) {
    let Some(object) = world.object.clone() else {
        return;
    };
    if object.protected {
        world.breach("the finalizer went in spite of prevent-deletion");
    }
    let Object { spec, status, .. } = &object;
    let late = world.service.user.as_ref().is_some_and(|user| user.shows_in > 0);
    if late && status.arn.is_none() && spec.sense != Sense::Nameless {
        world.breach("the finalizer went while a CreateUser was about to show");
    }
    let stays = spec.policy == DeletionPolicy::Retain
        || spec.sense == Sense::Nameless
        || world.definition == Definition::Going;
    if stays {
        return;
    }
    if place(world, status) == Where::Elsewhere {
        world.breach("the finalizer went while the user may be elsewhere");
    }
    if let Some(user) = &world.service.user
        && (whose(&user.tags) == Whose::Ours || whose(&user.tags) == Whose::Nobodys && managed(status, user))
    {
        world.breach("the finalizer went while the user was there");
    }
}
