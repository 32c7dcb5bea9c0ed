//! Pure: whose the user is, and what has to be known of that before a mutation.

use crate::{
    Action, Cause, Fetch, LastApplied, Lifecycle, Observed, Owner, Ownership, Read, Record, RemoteUser,
    Reported, Tag, TagsObservation, Wait,
};

pub(crate) fn put_tags_back(owner: &Owner, uid: &str, user: &RemoteUser, observed: &Observed) -> Action {
    before_tags_change(user, observed).unwrap_or_else(|| {
        // Tags put back for an object that is leaving meanwhile would outlive it.
        if observed.object_confirmed {
            let cause = Cause::Drift(vec!["the owner tags were missing".to_owned()]);
            Action::Tag(Tag { arn: user.arn.clone(), tags: owner.tags(uid), cause })
        } else {
            Action::Fetch(Fetch::Object)
        }
    })
}

/// What has to come before the tags of a user are changed that do not say yet that it is ours.
pub(crate) fn before_tags_change(user: &RemoteUser, observed: &Observed) -> Option<Action> {
    match &user.lifecycle {
        Lifecycle::Active => owner_tags_missing(user, observed),
        busy @ (Lifecycle::Creating
        | Lifecycle::Modifying
        | Lifecycle::Deleting
        | Lifecycle::Unrecognized(_)) => Some(Action::Wait(Wait::UserNotActive(busy.clone()))),
    }
}

/// Whose the user is, or how to find out.
pub(crate) enum OwnerKnowledge {
    Known(Ownership),
    Pending(Action),
}

/// What has to come before a mutation of this user: its owner has to be known from this very pass, not from memory.
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

/// What this pass read counts first, then what this process read before, then what status remembers: after a restart nobody
/// asks for the tags of every user at once. Tags are not asked for while the user is not `active`: AWS would answer 404
/// (B92). That a user is not ours is never believed from memory while its tags can be read: it may have been handed over
/// since.
pub(crate) fn ownership(owner: &Owner, user: &RemoteUser, observed: &Observed) -> OwnerKnowledge {
    // An active user that is not as it was reported, or that is there again after it was seen on its way out, may be another
    // one of the same ID: only its tags can tell.
    let familiar = user.lifecycle != Lifecycle::Active
        || as_reported(&observed.record, user) && !observed.record.deletion.is_accepted();
    let managed = is_recorded(&observed.record, user);
    match (&observed.tags, &observed.known_owner) {
        (TagsObservation::Read(tags), _) => OwnerKnowledge::Known(owner.evaluate(tags)),
        (TagsObservation::Failed(fault), _) => {
            OwnerKnowledge::Pending(Action::Wait(Wait::Failed(Read::ListTagsForResource, fault.clone())))
        }
        (TagsObservation::NotRead | TagsObservation::Unreadable, Some(Ownership::Ours)) if familiar => {
            OwnerKnowledge::Known(Ownership::Ours)
        }
        (TagsObservation::NotRead | TagsObservation::Unreadable, None) if managed && familiar => {
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

/// A user without our tags is still ours where status shows that we managed this very user, and no DeleteUser of ours may
/// have been accepted since: its announcement takes `lastApplied` out of status. As long as AWS refuses, the process that asks
/// knows the user still. After a restart it is nobody's, left alone and told: the safe side. See docs/src/concepts/ownership.md.
pub(crate) fn still_ours(record: &Record, user: &RemoteUser) -> bool {
    record.arn.as_ref() == Some(&user.arn)
        && (record.manages() || record.deletion.last_applied().is_some())
        && as_reported(record, user)
        && !record.deletion.is_accepted()
}

/// The user is known as ours: by what was applied to it, which status says or, once a DeleteUser was announced, this process
/// alone; or as AWS lets it go after a DeleteUser of ours.
pub(crate) fn is_recorded(record: &Record, user: &RemoteUser) -> bool {
    let departs = user.lifecycle == Lifecycle::Deleting && record.deletion.is_requested();
    record.arn.as_ref() == Some(&user.arn)
        && (record.manages() || record.deletion.last_applied().is_some() || departs)
}

/// The user is the one that status last reported, as far as anybody can tell.
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
    /// Whether this object applied something to its user.
    #[must_use]
    pub fn manages(&self) -> bool {
        self.last_applied.as_ref().is_some_and(LastApplied::manages)
    }
}
