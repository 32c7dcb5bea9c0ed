//! What happens to an AWS user if its object vanished right after CreateUser was sent.
//!
//! The API server may let an object go although it has just accepted our finalizer (kubernetes/kubernetes#77988). No pass runs
//! for an object that is not there, so nothing else would ever delete its user.

use std::time::Duration;

use crate::finalize::finalize;
use crate::pace::{Pace, Requeue};
use crate::verdict::{Outcome, Verdict, VerdictContext, verdict};
use crate::{
    Action, Arn, Creation, Delete, DeletionGoal, DeletionPolicy, DeletionProgress, Fetch, Location, Observed,
    Owner, Ownership, Record, ReleaseReason, Requester, TagsObservation, UID_TAG, UserId, UserObservation,
    Wait,
};

/// The user of a CreateUser, and its object at the time of the call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Orphan {
    pub user_id: UserId,
    pub owner: Owner,
    /// Of the object.
    pub uid: String,
    pub location: Option<Location>,
    pub policy: DeletionPolicy,
}

/// The object that has the vanished object's namespace and name now. Read uncached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Namesake {
    NotRead,
    Unreadable,
    /// The object itself exists. Its own passes manage the user.
    Itself,
    /// Another object wants this user ID, but has no finalizer or no ARN in status yet, so it could still vanish.
    Wants,
    /// Another object manages the user: it has our finalizer and the ARN in status.
    Manages,
    Absent,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrphanFacts {
    pub namesake: Namesake,
    /// `object_confirmed` means that namesake and definition were read after the tags.
    pub observed: Observed,
    pub tags_age: Duration,
}

impl OrphanFacts {
    /// Nothing was read yet. Without an object there is no status for a delete request, so the deletion counts as
    /// requested.
    #[must_use]
    pub fn unknown(orphan: &Orphan, arn: Option<Arn>, region: &str) -> Self {
        let location = arn.as_ref().map(Location::of).or_else(|| orphan.location.clone());
        let record = Record {
            arn,
            location,
            deletion: DeletionProgress::Requested(Requester::ThisProcess { last_applied: None }),
            ..Record::default()
        };
        let observed = Observed { record, intent_written: true, ..Observed::nothing(region) };
        Self { namesake: Namesake::NotRead, observed, tags_age: Duration::ZERO }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrphanStep {
    ReadNamesake,
    Fetch(Fetch),
    /// Take the token for DeleteUser, then read the namesake and the definition again.
    Confirm,
    Delete(Delete),
    Wait(Wait),
    Requeue(Requeue),
    End(OrphanEnd),
}

/// Why nothing is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrphanEnd {
    NotVanished,
    /// `Retain`, or the CustomResourceDefinition is being deleted.
    Retained,
    TakenOver,
    NotOurs,
    /// UserNotFound, and CreateUser cannot take effect any more.
    UserGone,
}

/// Decides the next step. It deletes the user only if everything else is ruled out.
#[must_use]
pub fn follow_orphan(orphan: &Orphan, facts: &OrphanFacts, pace: &Pace) -> OrphanStep {
    if orphan.policy == DeletionPolicy::Retain {
        return OrphanStep::End(OrphanEnd::Retained);
    }
    match facts.namesake {
        Namesake::NotRead => return OrphanStep::ReadNamesake,
        // If this object vanishes too, the user is an orphan again. So wait for it.
        Namesake::Unreadable | Namesake::Wants => return OrphanStep::Requeue(Requeue::Backoff),
        Namesake::Itself => return OrphanStep::End(OrphanEnd::NotVanished),
        Namesake::Manages => return OrphanStep::End(OrphanEnd::TakenOver),
        Namesake::Absent => {}
    }
    if let Some(step) = not_named(orphan, &facts.observed) {
        return step;
    }
    orphan_step(finalize(&orphan_deletion_goal(orphan), &facts.observed), facts, pace)
}

/// The verdict is the same as for the deletion of any object.
#[must_use]
pub fn orphan_verdict(orphan: &Orphan, action: &Action, outcome: &Outcome) -> Verdict {
    let context = VerdictContext {
        deleting: true,
        namespace: &orphan.owner.namespace,
        name: &orphan.owner.name,
        user_id: orphan.user_id.as_str(),
        ..VerdictContext::default()
    };
    verdict(action, outcome, &context)
}

/// The goal of an ordinary deletion.
fn orphan_deletion_goal(orphan: &Orphan) -> DeletionGoal {
    DeletionGoal {
        user_id: Some(orphan.user_id.clone()),
        owner: orphan.owner.clone(),
        uid: orphan.uid.clone(),
        protected: false,
        policy: DeletionPolicy::Delete,
        observes: false,
        suspended: false,
    }
}

/// If the tags were read and do not name the vanished object, including its uid.
fn not_named(orphan: &Orphan, observed: &Observed) -> Option<OrphanStep> {
    let (UserObservation::Found(_), TagsObservation::Read(tags)) = (&observed.user, &observed.tags) else {
        return None;
    };
    match (orphan.owner.evaluate(tags), tags.get(UID_TAG)) {
        (Ownership::Ours, Some(uid)) if *uid == orphan.uid => None,
        // AWS may show the tags of a new user later than the user.
        (Ownership::Unowned, _) | (Ownership::Ours, None) if observed.record.creation == Creation::Open => {
            Some(OrphanStep::Wait(Wait::CreationOpen))
        }
        (Ownership::Ours | Ownership::Unowned | Ownership::Another(_), _) => {
            Some(OrphanStep::End(OrphanEnd::NotOurs))
        }
    }
}

fn orphan_step(action: Action, facts: &OrphanFacts, pace: &Pace) -> OrphanStep {
    match action {
        Action::Delete(delete) => match &facts.observed.user {
            UserObservation::Found(user) if facts.tags_age > pace.owner_valid => {
                OrphanStep::Fetch(Fetch::Tags(user.arn.clone()))
            }
            UserObservation::Found(_)
            | UserObservation::NotRead
            | UserObservation::Absent
            | UserObservation::Failed(_) => OrphanStep::Delete(delete),
        },
        Action::Fetch(Fetch::Object | Fetch::ObjectAndDefinition) => OrphanStep::Confirm,
        Action::Fetch(
            fetch @ (Fetch::User(_)
            | Fetch::Tags(_)
            | Fetch::Account
            | Fetch::Caller
            | Fetch::Owner(_)
            | Fetch::Definition),
        ) => OrphanStep::Fetch(fetch),
        Action::Wait(wait) => OrphanStep::Wait(wait),
        Action::ReleaseFinalizer(why) => OrphanStep::End(match why {
            ReleaseReason::UserGone | ReleaseReason::NoSuchUser => OrphanEnd::UserGone,
            ReleaseReason::Retained { .. }
            | ReleaseReason::DefinitionDeleted { .. }
            | ReleaseReason::Observes { .. } => OrphanEnd::Retained,
            ReleaseReason::LeftToOwner(_) | ReleaseReason::LeftUnowned => OrphanEnd::NotOurs,
        }),
        // A deletion never needs these.
        Action::Fetch(Fetch::Passwords | Fetch::Groups)
        | Action::AddFinalizer
        | Action::WriteIntent(_)
        | Action::Create(_)
        | Action::Modify(_)
        | Action::Tag(_)
        | Action::Untag(_)
        | Action::Refuse(_)
        | Action::InSync
        | Action::Suspended { .. }
        | Action::ObserveOnly(_) => OrphanStep::Requeue(Requeue::Slow),
    }
}
