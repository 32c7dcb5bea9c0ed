//! Who owns the user, and what a mutation has to know about that.

use crate::{
    Action, Cause, Fetch, LastApplied, Lifecycle, Observed, Owner, Ownership, Read, Record, RemoteUser,
    Reported, Tag, TagsObservation, Wait,
};

pub(crate) fn restore_owner_tags(owner: &Owner, uid: &str, user: &RemoteUser, observed: &Observed) -> Action {
    before_tags_change(user, observed).unwrap_or_else(|| {
        // If the object were deleted meanwhile, restored tags would outlive it.
        if observed.object_confirmed {
            let cause = Cause::Drift(vec!["the owner tags were missing".to_owned()]);
            Action::Tag(Tag { arn: user.arn.clone(), tags: owner.tags(uid), cause })
        } else {
            Action::Fetch(Fetch::Object)
        }
    })
}

/// What must happen before the tags of a user are changed that does not have our owner tags yet.
pub(crate) fn before_tags_change(user: &RemoteUser, observed: &Observed) -> Option<Action> {
    match &user.lifecycle {
        Lifecycle::Active => owner_tags_missing(user, observed),
        busy @ (Lifecycle::Creating
        | Lifecycle::Modifying
        | Lifecycle::Deleting
        | Lifecycle::Unrecognized(_)) => Some(Action::Wait(Wait::UserNotActive(busy.clone()))),
    }
}

pub(crate) enum OwnerKnowledge {
    Known(Ownership),
    Pending(Action),
}

/// A mutation of this user requires that this pass has read the tags. An owner in memory may be outdated.
pub(crate) fn owner_tags_missing(user: &RemoteUser, observed: &Observed) -> Option<Action> {
    match &observed.tags {
        TagsObservation::Read(_) => None,
        TagsObservation::NotRead => Some(Action::Fetch(Fetch::Tags(user.arn.clone()))),
        TagsObservation::Unreadable => Some(Action::Wait(Wait::OwnerUnknown(user.lifecycle.clone()))),
        TagsObservation::Failed(fault) => {
            Some(Action::Wait(Wait::Failed(Read::ListTagsForResource, fault.clone())))
        }
    }
}

/// Prefer the tags of this pass, then the tags that this process read before, then status. Thus a restart does not read the
/// tags of every user at once. Do not read tags while the user is not `active`, because AWS would answer 404 (B92). If
/// memory says that the user is not ours, read the tags again, because somebody may have given the user to us since.
pub(crate) fn ownership(owner: &Owner, user: &RemoteUser, observed: &Observed) -> OwnerKnowledge {
    // If an active user differs from the reported one, or if AWS accepted its deletion before, it may be another user of
    // the same ID. Only its tags show the owner.
    let unchanged = user.lifecycle != Lifecycle::Active
        || as_reported(&observed.record, user) && !observed.record.deletion.is_accepted();
    let managed = is_recorded(&observed.record, user);
    match (&observed.tags, &observed.known_owner) {
        (TagsObservation::Read(tags), _) => match owner.evaluate(tags) {
            Ownership::Unowned if observed.record.tags_may_lag && !observed.record.deletion.is_accepted() => {
                OwnerKnowledge::Pending(Action::Wait(Wait::OwnerUnknown(user.lifecycle.clone())))
            }
            known @ (Ownership::Ours | Ownership::Unowned | Ownership::Another(_)) => {
                OwnerKnowledge::Known(known)
            }
        },
        (TagsObservation::Failed(fault), _) => {
            OwnerKnowledge::Pending(Action::Wait(Wait::Failed(Read::ListTagsForResource, fault.clone())))
        }
        (TagsObservation::NotRead | TagsObservation::Unreadable, Some(Ownership::Ours)) if unchanged => {
            OwnerKnowledge::Known(Ownership::Ours)
        }
        (TagsObservation::NotRead | TagsObservation::Unreadable, None) if managed && unchanged => {
            OwnerKnowledge::Known(Ownership::Ours)
        }
        (TagsObservation::NotRead, _) if user.lifecycle == Lifecycle::Active => {
            OwnerKnowledge::Pending(Action::Fetch(Fetch::Tags(user.arn.clone())))
        }
        (TagsObservation::NotRead, Some(known)) => OwnerKnowledge::Known(known.clone()),
        (TagsObservation::NotRead | TagsObservation::Unreadable, _) => {
            OwnerKnowledge::Pending(Action::Wait(Wait::OwnerUnknown(user.lifecycle.clone())))
        }
    }
}

/// A user without our tags is still ours if status shows that we managed this user and AWS cannot have accepted a
/// DeleteUser of ours since. The write before DeleteUser removes `lastApplied`; only the process that saw AWS refuse the
/// call still knows it. After a restart the user therefore counts as unowned, which is the safe side. See
/// docs/src/concepts/ownership.md.
pub(crate) fn still_ours(record: &Record, user: &RemoteUser) -> bool {
    record.arn.as_ref() == Some(&user.arn)
        && (record.manages() || record.deletion.last_applied().is_some())
        && as_reported(record, user)
        && !record.deletion.is_accepted()
}

/// The user is recorded as ours if status, or this process after its own delete intent, knows what was applied to the user.
/// It is also ours if AWS is deleting it after a delete request of ours.
pub(crate) fn is_recorded(record: &Record, user: &RemoteUser) -> bool {
    let is_being_deleted = user.lifecycle == Lifecycle::Deleting && record.deletion.is_requested();
    record.arn.as_ref() == Some(&user.arn)
        && (record.manages() || record.deletion.last_applied().is_some() || is_being_deleted)
}

/// The user has every property that status last reported.
pub(crate) fn as_reported(record: &Record, user: &RemoteUser) -> bool {
    record.reported.as_ref().is_some_and(|reported| {
        let Reported { user_name, engine, authentication_type, access_string } = reported;
        *user_name == user.user_name
            && *engine == user.engine
            && *authentication_type == user.authentication_type
            && *access_string == user.access_string
    })
}

impl Record {
    /// This object applied something to its user.
    #[must_use]
    pub fn manages(&self) -> bool {
        self.last_applied.as_ref().is_some_and(LastApplied::manages)
    }
}
