//! Pure: what a pass amounts to, for people and for the schedule: conditions, event and next visit, all from one
//! `(Action, Outcome)`, so that they cannot contradict what was done, nor each other.

mod done;
mod reason;
mod sentences;

pub use done::Done;
pub use reason::Reason;

use crate::pace::Visit;
use crate::{
    Action, Announcement, Arn, Cause, Comparison, Fault, Lifecycle, Refusal, Rejection, Release, RemoteUser,
    SecretProblem, Tags, Wait,
};

/// How performing an action ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing had to be performed.
    Decided,
    /// AWS accepted, and answered with the user.
    Accepted(RemoteUser),
    /// AWS accepted the tags; these are all that the user has now.
    Tagged(Tags),
    /// The finalizer is off.
    Released,
    /// CreateUser: there is a user of this ID, which says nothing about whose it is.
    AlreadyExists,
    /// ModifyUser, DeleteUser or a tagging call: UserNotFound. DescribeUsers has the last word.
    NotFound,
    /// The call was not sent: it would have been signed by other credentials than the DescribeUsers that it rests on. They may
    /// belong to another account.
    CredentialsChanged,
    /// The call failed.
    Failed(Fault),
}

impl Outcome {
    /// Whether it is certain that the call did nothing.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::AlreadyExists | Self::NotFound | Self::CredentialsChanged => true,
            Self::Failed(fault) => !fault.outcome_unknown(),
            Self::Decided | Self::Accepted(_) | Self::Tagged(_) | Self::Released => false,
        }
    }

    /// Whether AWS's answer shows the user `active`: then it counts as the fresh observation and saves a look.
    #[must_use]
    pub fn shows_active(&self) -> bool {
        matches!(self, Self::Accepted(user) if user.lifecycle == Lifecycle::Active)
    }
}

/// What else the verdict rests on: where the object stands before the pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing<'a> {
    /// The object is on its way out.
    pub leaving: bool,
    /// The object's namespace, for the commands in sentences.
    pub namespace: &'a str,
    /// The object's name, likewise.
    pub name: &'a str,
    /// The object's user ID, for sentences.
    pub user_id: &'a str,
    /// The user's ARN, where status remembers it.
    pub arn: Option<&'a Arn>,
    /// The user that DescribeUsers showed in this pass.
    pub user: Option<&'a RemoteUser>,
    /// The generation at hand is the one that is Ready.
    pub settled: bool,
    /// AWS has told that the user is not as the generation at hand wants it.
    pub differs: bool,
    /// AWS has not told the state for `--stale-after`.
    pub stale: bool,
    /// AccessDenied has lasted longer than its five minutes, or was Stalled before a restart.
    pub denied_for_long: bool,
}

/// What the conditions say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Ready=True.
    Done,
    /// Ready=False, Reconciling.
    Reconciling,
    /// Ready=Unknown, Reconciling: AWS has not answered for long.
    Unknown,
    /// Ready=False, Stalled.
    Stalled,
    /// Ready=False, Deleting, Reconciling.
    Leaving,
    /// Suspended: Ready=True and nothing else.
    PausedReady,
    /// Suspended: Ready=False and nothing else.
    PausedUnready,
    /// As they were: an outage does not unmake Ready.
    Unchanged,
}

impl Progress {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Reconciling,
        Self::Unknown,
        Self::Stalled,
        Self::Leaving,
        Self::Unchanged,
        Self::PausedReady,
        Self::PausedUnready,
    ];
}

/// What a pass amounts to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// What the conditions say.
    pub progress: Progress,
    /// Why.
    pub reason: Reason,
    /// The same for people: what happened, to what, AWS's code, what to do. Nothing that changes from pass to pass.
    pub message: String,
    /// Events that tell what was done, besides the Warning that follows from the reason.
    pub done: Vec<Done>,
    /// When to look again.
    pub visit: Visit,
}

impl Verdict {
    /// The Warning event that goes with the reason, repeated while it lasts; `None` where nothing is wrong.
    #[must_use]
    pub fn warning(&self) -> Option<Reason> {
        let fine = match self.reason {
            // Somebody asked for it; on the way out it holds the object.
            Reason::Suspended => self.progress != Progress::Leaving,
            Reason::Active
            | Reason::Creating
            | Reason::Modifying
            | Reason::Observed
            | Reason::Differs
            | Reason::UserMissing
            | Reason::DeletingUser
            | Reason::Retained => true,
            Reason::WaitingForUserActive
            | Reason::WaitingForPreviousUser
            | Reason::SecretNotFound
            | Reason::SecretKeyNotFound
            | Reason::SecretForbidden
            | Reason::Throttled
            | Reason::AWSUnavailable
            | Reason::CredentialsUnavailable
            | Reason::AccessDenied
            | Reason::ServiceLinkedRoleMissing
            | Reason::QuotaExceeded
            | Reason::AWSRefused
            | Reason::InvalidSpec
            | Reason::InvalidAccessString
            | Reason::InvalidPassword
            | Reason::AuthenticationConflict
            | Reason::UserAlreadyExists
            | Reason::UserOwnedByAnother
            | Reason::UserIDNotAllowed
            | Reason::AdoptionNotAllowed
            | Reason::WrongAWSAccount
            | Reason::InvalidUserState
            | Reason::DefaultUserInGroup
            | Reason::DeletionProtected => false,
        };
        (!fine && !self.done.iter().any(|done| matches!(done, Done::Left(_)))).then_some(self.reason)
    }
}

/// Judges a pass by its last action and how that ended.
#[must_use]
pub fn verdict(action: &Action, outcome: &Outcome, standing: &Standing<'_>) -> Verdict {
    if let Outcome::Failed(fault) = outcome {
        return failed(action, fault, standing);
    }
    let (reason, visit) = match (action, outcome) {
        (Action::Look(_) | Action::AddFinalizer, _) => (waiting(standing), Visit::Now),
        (Action::Announce(Announcement::Creation { .. }), _) => (Reason::Creating, Visit::Now),
        (Action::Announce(Announcement::Tags { .. } | Announcement::Change { .. }), _) => {
            (Reason::Modifying, Visit::Now)
        }
        (Action::Announce(Announcement::Claim { .. }), _) => (Reason::WaitingForUserActive, Visit::Now),
        (Action::Announce(Announcement::Departure), _) => (Reason::DeletingUser, Visit::Now),
        (Action::Create(_), outcome) if outcome.shows_active() => (Reason::Active, Visit::Resync),
        (Action::Create(_), Outcome::Accepted(_)) => (Reason::Creating, Visit::Poll),
        (Action::Create(_), _) => (Reason::Creating, Visit::Backoff),
        (Action::Modify(_), Outcome::Accepted(_)) => (Reason::Modifying, Visit::Poll),
        (Action::Modify(_), _) => (Reason::Modifying, Visit::Backoff),
        // AWS's answer shows all tags, so there is nothing to wait for.
        (Action::Tag(_) | Action::Untag(_), Outcome::Tagged(_)) if is_edit(action) => {
            (Reason::Modifying, Visit::Now)
        }
        // The tags cannot be read for some seconds now (B92). On the way out `DeletingUser` would claim that DeleteUser is
        // next or was sent, and a user that loses its tags after that is nobody's.
        (Action::Tag(_) | Action::Untag(_), _) => (Reason::WaitingForUserActive, Visit::Poll),
        (Action::Delete(_), Outcome::Accepted(_)) => (Reason::DeletingUser, Visit::Poll),
        (Action::Delete(_), _) => (Reason::DeletingUser, Visit::Backoff),
        (Action::Release(why), _) => (released(why), Visit::Resync),
        (Action::Wait(wait), _) => return waits(wait, standing),
        (Action::Refuse(refusal), _) => (refused(refusal), Visit::Resync),
        (Action::Rest, _) => (Reason::Active, Visit::Resync),
        (Action::Pause { .. }, _) => (Reason::Suspended, Visit::Resync),
        (Action::Compare(Comparison::Matches), _) => (Reason::Observed, Visit::Resync),
        (Action::Compare(Comparison::Differs(_)), _) => (Reason::Differs, Visit::Resync),
        (Action::Compare(Comparison::Missing), _) => (Reason::UserMissing, Visit::Resync),
    };
    let progress = match (action, reason) {
        _ if standing.leaving => Progress::Leaving,
        (_, Reason::Active | Reason::Observed) => Progress::Done,
        (Action::Pause { ready: true }, _) => Progress::PausedReady,
        (Action::Pause { ready: false }, _) => Progress::PausedUnready,
        (Action::Refuse(_), _) => Progress::Stalled,
        _ => Progress::Reconciling,
    };
    let message = sentences::message(action, outcome, standing);
    Verdict { progress, reason, message, done: done::done(action, outcome), visit }
}

/// A tagging call that a spec asked for, or an adoption: not one that puts lost owner tags back.
fn is_edit(action: &Action) -> bool {
    let restores =
        |tag: &crate::Tag| tag.tags.contains_key(crate::CLUSTER_TAG) && tag.cause != Cause::Adoption;
    !matches!(action, Action::Tag(tag) if restores(tag))
}

fn waiting(standing: &Standing<'_>) -> Reason {
    if standing.leaving { Reason::DeletingUser } else { Reason::WaitingForUserActive }
}

fn released(why: &Release) -> Reason {
    match why {
        Release::UserGone
        | Release::NoSuchUser
        | Release::Retained { deletion_accepted: true }
        | Release::DefinitionGoing { deletion_accepted: true }
        | Release::Observes { deletion_accepted: true } => Reason::DeletingUser,
        Release::Retained { deletion_accepted: false }
        | Release::DefinitionGoing { deletion_accepted: false }
        | Release::Observes { deletion_accepted: false }
        | Release::LeftToOwner(_)
        | Release::LeftUnowned => Reason::Retained,
    }
}

fn refused(refusal: &Refusal) -> Reason {
    match refusal {
        Refusal::InvalidSpec(_) => Reason::InvalidSpec,
        Refusal::InvalidPassword(_) => Reason::InvalidPassword,
        Refusal::UserAlreadyExists { .. } => Reason::UserAlreadyExists,
        Refusal::AdoptionNotAllowed => Reason::AdoptionNotAllowed,
        Refusal::UserIdNotAllowed { .. } => Reason::UserIDNotAllowed,
        Refusal::UserOwnedByAnother(_) => Reason::UserOwnedByAnother,
        Refusal::Elsewhere(_) => Reason::WrongAWSAccount,
    }
}

fn waits(wait: &Wait, standing: &Standing<'_>) -> Verdict {
    let (reason, visit) = match wait {
        Wait::Failed(_, fault) => return failed(&Action::Wait(wait.clone()), fault, standing),
        // Nothing to look at: the annotation's going is an event of its own.
        Wait::Protected => (Reason::DeletionProtected, Visit::Resync),
        Wait::Suspended => (Reason::Suspended, Visit::Resync),
        Wait::CreationOpen | Wait::UserNotActive(_) | Wait::OwnerUnknown(_) => {
            (Reason::WaitingForUserActive, Visit::Poll)
        }
        Wait::UserDeleting => (Reason::DeletingUser, Visit::Poll),
        Wait::PreviousUser => (Reason::WaitingForPreviousUser, Visit::Poll),
        Wait::Creating => (Reason::Creating, Visit::Poll),
        Wait::Modifying => (Reason::Modifying, Visit::Poll),
        Wait::Secret(SecretProblem::KeyNotFound { .. }) => (Reason::SecretKeyNotFound, Visit::Backoff),
        Wait::Secret(SecretProblem::Forbidden { .. }) => (Reason::SecretForbidden, Visit::Slowly),
        Wait::Secret(
            SecretProblem::NotFound { .. } | SecretProblem::Unreadable { .. } | SecretProblem::Invalid { .. },
        ) => (Reason::SecretNotFound, Visit::Backoff),
        Wait::DefinitionUnreadable => (Reason::DeletingUser, Visit::Backoff),
        Wait::Elsewhere(_) => (Reason::WrongAWSAccount, Visit::Slowly),
    };
    let action = Action::Wait(wait.clone());
    let message = sentences::message(&action, &Outcome::Decided, standing);
    let progress = if standing.leaving { Progress::Leaving } else { Progress::Reconciling };
    Verdict { progress, reason, message, done: Vec::new(), visit }
}

/// A call failed: the look that the action waits for, or the action's own.
fn failed(action: &Action, fault: &Fault, standing: &Standing<'_>) -> Verdict {
    let written = matches!(action, Action::Create(_) | Action::Modify(_));
    let (reason, visit) = match (fault, standing.leaving) {
        (Fault::Busy(_), true) => (Reason::InvalidUserState, Visit::Backoff),
        (Fault::Busy(_), false) => (Reason::WaitingForUserActive, Visit::Backoff),
        (Fault::Throttled(_), _) => (Reason::Throttled, Visit::Backoff),
        (Fault::Unavailable(_), _) => (Reason::AWSUnavailable, Visit::Backoff),
        (Fault::Credentials(_), _) => (Reason::CredentialsUnavailable, Visit::Slowly),
        (Fault::Denied(_), _) => (Reason::AccessDenied, Visit::Slowly),
        (Fault::Rejected(why, said), leaving) => match why {
            Rejection::ServiceLinkedRole => (Reason::ServiceLinkedRoleMissing, Visit::Slowly),
            Rejection::DefaultUserInGroup if leaving => (Reason::DefaultUserInGroup, Visit::Slowly),
            Rejection::Quota if !leaving => (Reason::QuotaExceeded, Visit::Slowly),
            Rejection::ParameterCombination if written => (Reason::AuthenticationConflict, Visit::Resync),
            Rejection::ParameterValue if written => (about(&said.message), Visit::Resync),
            Rejection::DefaultUserInGroup
            | Rejection::Quota
            | Rejection::ParameterCombination
            | Rejection::ParameterValue
            | Rejection::Other => (Reason::AWSRefused, Visit::Slowly),
        },
    };
    let needs_a_person = matches!(
        reason,
        Reason::AuthenticationConflict
            | Reason::InvalidAccessString
            | Reason::InvalidPassword
            | Reason::InvalidSpec
    );
    let stalled = needs_a_person || (reason == Reason::AccessDenied && standing.denied_for_long);
    // A mutation is only planned once a look has shown that the user is not as it should be.
    let read = matches!(action, Action::Look(_) | Action::Wait(_));
    let silent = read && fault.tells_nothing() && standing.settled && !standing.differs;
    let progress = match () {
        () if standing.leaving => Progress::Leaving,
        () if silent && !standing.stale => Progress::Unchanged,
        () if silent => Progress::Unknown,
        () if stalled => Progress::Stalled,
        () => Progress::Reconciling,
    };
    let message = sentences::fault(action, fault, standing);
    Verdict { progress, reason, message, done: Vec::new(), visit }
}

/// Which field an InvalidParameterValue is about, by AWS's sentence (B37-B43 quote them).
fn about(message: &str) -> Reason {
    let message = message.to_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| message.contains(word));
    // "Password rules are not supported in .. access string": about the access string, though it names passwords.
    if names(&["access string", "access-string", "accessstring", "category", "rule"]) {
        Reason::InvalidAccessString
    } else if names(&["password"]) {
        Reason::InvalidPassword
    } else {
        Reason::InvalidSpec
    }
}
