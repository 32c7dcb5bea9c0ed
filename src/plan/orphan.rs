//! Pure: what becomes of an AWS user whose object vanished right after its CreateUser was sent.
//!
//! The API server may let an object go although it has just accepted our finalizer (kubernetes/kubernetes#77988). No pass runs
//! for an object that is not there, so nothing else would ever delete its user.

use std::time::Duration;

use crate::finalize::finalize;
use crate::pace::{Pace, Requeue};
use crate::verdict::{Outcome, Verdict, VerdictContext, verdict};
use crate::{
    Account, Action, Arn, CallSource, Creation, CredentialsId, Definition, Delete, DeletionGoal,
    DeletionPolicy, DeletionProgress, Fetch, Location, Observed, Owner, OwnerObservation, Ownership, Record,
    ReleaseReason, Requester, TagsObservation, UID_TAG, UserId, UserObservation, Wait,
};

/// The user of a CreateUser that was sent, and the object as it was when that call was decided on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Orphan {
    /// The user's ID.
    pub user_id: UserId,
    /// The object, as owner tags name it.
    pub owner: Owner,
    /// The object's uid.
    pub uid: String,
    /// Where CreateUser was sent to.
    pub location: Option<Location>,
    /// The policy of the version that CreateUser was decided on.
    pub policy: DeletionPolicy,
}

/// The object that has the vanished object's namespace and name now, read uncached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Namesake {
    /// Not asked yet.
    NotRead,
    /// The API server does not tell.
    Unreadable,
    /// The very object is there. It did not vanish, and its own passes look after the user.
    Itself,
    /// Another object wants this user ID, and could still go without a trace: it has no finalizer, or no ARN in its status.
    Wants,
    /// Another object wants this user ID and manages the user: it has our finalizer, and the ARN in its status.
    Manages,
    /// There is no object that wants this user ID.
    Absent,
}

/// What is known of an orphan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrphanFacts {
    /// The object of that namespace and name.
    pub namesake: Namesake,
    /// The user, its tags and the definition. `confirmed`: namesake and definition were read after the tags.
    pub observed: Observed,
    /// How long ago the tags were read.
    pub tags_age: Duration,
}

impl OrphanFacts {
    /// Nothing is known yet. The object has no status that could announce the deletion, so it counts as announced.
    #[must_use]
    pub fn unknown(orphan: &Orphan, arn: Option<Arn>, region: &str) -> Self {
        let location = arn.as_ref().map(Location::of).or_else(|| orphan.location.clone());
        let record = Record {
            arn,
            location,
            deletion: DeletionProgress::Requested(Requester::ThisProcess { last_applied: None }),
            ..Record::default()
        };
        let (credentials, account) = (CredentialsId(0), Account::NotAsked);
        let observed = Observed {
            record,
            source: CallSource { region: region.to_owned(), credentials, account },
            caller_asked: false,
            user: UserObservation::NotRead,
            tags: TagsObservation::NotRead,
            known_owner: None,
            tags_due: false,
            other_owner: OwnerObservation::NotRead,
            sent_passwords: None,
            definition: Definition::NotRead,
            intent_written: true,
            object_confirmed: false,
        };
        Self { namesake: Namesake::NotRead, observed, tags_age: Duration::ZERO }
    }
}

/// The next step for an orphan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrphanStep {
    /// Find out whether the object is there.
    ReadNamesake,
    /// Find out one fact about AWS or the definition.
    Fetch(Fetch),
    /// Read the namesake and the definition again, with the rate limiter's token for DeleteUser in hand.
    Confirm,
    /// DeleteUser.
    Delete(Delete),
    /// Time will tell: as on the way out of any object.
    Wait(Wait),
    /// Begin again after this.
    Requeue(Requeue),
    /// Nothing is left to do.
    End(OrphanEnd),
}

/// Why nothing is left to do for an orphan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrphanEnd {
    /// The object is there.
    NotVanished,
    /// `Retain`, or the CustomResourceDefinition is being deleted: the user stays.
    Retained,
    /// Another object of that namespace and name manages the user now.
    TakenOver,
    /// The user's tags do not name the vanished object.
    NotOurs,
    /// DescribeUsers answers UserNotFound, and the user cannot appear any more.
    UserGone,
}

/// Decides the next step. The user is deleted only after everything else has been ruled out.
#[must_use]
pub fn follow_orphan(orphan: &Orphan, facts: &OrphanFacts, pace: &Pace) -> OrphanStep {
    if orphan.policy == DeletionPolicy::Retain {
        return OrphanStep::End(OrphanEnd::Retained);
    }
    match facts.namesake {
        Namesake::NotRead => return OrphanStep::ReadNamesake,
        // An object that wants the user and could go without a trace is waited for: then the user is an orphan again.
        Namesake::Unreadable | Namesake::Wants => return OrphanStep::Requeue(Requeue::Backoff),
        Namesake::Itself => return OrphanStep::End(OrphanEnd::NotVanished),
        Namesake::Manages => return OrphanStep::End(OrphanEnd::TakenOver),
        Namesake::Absent => {}
    }
    if let Some(step) = not_named(orphan, &facts.observed) {
        return step;
    }
    step(finalize(&deletion_goal(orphan), &facts.observed), facts, pace)
}

/// What a wait or a DeleteUser amounts to: the same as on the way out of any object.
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

/// Deletion rules of any object: this one is deleted, and nothing in its spec stands in the way.
fn deletion_goal(orphan: &Orphan) -> DeletionGoal {
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

/// The tags were read and do not name the vanished object, uid included.
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

fn step(action: Action, facts: &OrphanFacts, pace: &Pace) -> OrphanStep {
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
        // A deletion asks for none of these.
        Action::AddFinalizer
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
