//! Deletes the AWS user of an object that vanished right after CreateUser was sent.
//!
//! The API server may let an object go although it has just accepted our finalizer (kubernetes/kubernetes#77988). No pass runs
//! for an object that is not there, so nothing else would ever delete its user.

use crate::finalize::finalize;
use crate::location::wrong_location;
use crate::{
    Action, DeletionGoal, DeletionPolicy, Fetch, ObjectFacts, Observed, Owner, Ownership, ReleaseReason,
    Status, Tags, TagsObservation, UID_TAG, UserId, UserObservation, Wait,
};

/// The user of a CreateUser, and its object at the time of the call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Orphan {
    pub user_id: UserId,
    pub owner: Owner,
    /// Of the object.
    pub uid: String,
    pub policy: DeletionPolicy,
}

/// The object that has the vanished object's namespace and name now. Read uncached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Namesake {
    NotRead,
    /// The object itself exists. Its own passes manage the user.
    Itself,
    /// Another object wants this user ID, but has no finalizer or no ARN in status yet, so it could still vanish.
    Wants,
    /// Another object manages the user: it has our finalizer and the ARN in status.
    Manages,
    Absent,
}

impl Orphan {
    /// The object as the pass begins with it. It exists only in the pass, which therefore makes its writes at once.
    #[must_use]
    pub fn object(object: ObjectFacts) -> ObjectFacts {
        let Status { location, create_requested_at, .. } = object.status;
        ObjectFacts {
            terminating: false,
            has_finalizer: true,
            has_other_finalizers: false,
            reconcile_requested_at: None,
            has_overlong_request: false,
            status: Status { location, create_requested_at, ..Status::default() },
            ..object
        }
    }

    /// Unlike for an object that exists, the uid counts, because another object of the same name may have made the user.
    #[must_use]
    pub(crate) fn evaluate(&self, tags: &Tags) -> Ownership {
        match (self.owner.evaluate(tags), tags.get(UID_TAG)) {
            (Ownership::Ours, None) => Ownership::Unowned,
            (Ownership::Ours, Some(uid)) if *uid != self.uid => Ownership::Another(self.owner.clone()),
            (known, _) => known,
        }
    }

    /// The goal of an ordinary deletion.
    fn deletion(&self) -> DeletionGoal {
        DeletionGoal {
            user_id: Some(self.user_id.clone()),
            owner: self.owner.clone(),
            uid: self.uid.clone(),
            protected: false,
            policy: DeletionPolicy::Delete,
            observes: false,
            suspended: false,
            ignored: Vec::new(),
        }
    }
}

/// Deletes the user only if everything else is ruled out.
pub(crate) fn delete_orphan(orphan: &Orphan, observed: &Observed) -> Action {
    if orphan.policy == DeletionPolicy::Retain {
        return Action::ReleaseFinalizer(ReleaseReason::Retained { deletion_accepted: false });
    }
    match observed.namesake {
        Namesake::NotRead => return Action::Fetch(Fetch::Namesake),
        Namesake::Itself => return Action::Wait(Wait::NotVanished),
        // If this object vanishes too, the user is an orphan again. So wait for it.
        Namesake::Wants => return Action::Wait(Wait::Namesake),
        Namesake::Manages => {
            return Action::ReleaseFinalizer(ReleaseReason::LeftToOwner(orphan.owner.clone()));
        }
        Namesake::Absent => {}
    }
    not_named(orphan, observed).unwrap_or_else(|| finalize(&orphan.deletion(), observed))
}

/// If the tags were read and do not name the vanished object, including its uid.
fn not_named(orphan: &Orphan, observed: &Observed) -> Option<Action> {
    let (UserObservation::Found(user), TagsObservation::Read(tags)) = (&observed.user, &observed.tags) else {
        return None;
    };
    if wrong_location(&observed.record, user).is_some() {
        return None;
    }
    match orphan.evaluate(tags) {
        Ownership::Ours => None,
        // AWS may show the tags of a new user later than the user.
        Ownership::Unowned if observed.record.tags_may_lag => {
            Some(Action::Wait(Wait::OwnerUnknown(user.lifecycle.clone())))
        }
        Ownership::Unowned => Some(Action::ReleaseFinalizer(ReleaseReason::LeftUnowned)),
        Ownership::Another(owner) => Some(Action::ReleaseFinalizer(ReleaseReason::LeftToOwner(owner))),
    }
}

/// Why the user of the vanished object was not deleted.
pub(crate) fn why_left_alone(orphan: &Orphan, why: &ReleaseReason) -> &'static str {
    match why {
        ReleaseReason::UserGone | ReleaseReason::NoSuchUser => "AWS has no such user",
        ReleaseReason::Retained { .. }
        | ReleaseReason::DefinitionDeleted { .. }
        | ReleaseReason::Observes { .. } => {
            "deletionPolicy is Retain, or the CustomResourceDefinition is being deleted"
        }
        ReleaseReason::LeftToOwner(owner) if *owner == orphan.owner => {
            "another object of that name manages it now"
        }
        ReleaseReason::LeftToOwner(_) | ReleaseReason::LeftUnowned => {
            "its tags do not name the vanished object"
        }
    }
}
