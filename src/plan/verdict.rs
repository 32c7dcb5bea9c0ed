//! Pure: what a pass amounts to, for people and for the schedule: conditions, event and next requeue, all from one
//! `(Action, Outcome)`, so that they cannot contradict what was done, nor each other.

mod completed;
mod messages;
mod reason;

pub use completed::Completed;
pub use reason::Reason;

use crate::pace::Requeue;
use crate::{
    Action, Arn, Cause, Comparison, Fault, Lifecycle, Refusal, Rejection, ReleaseReason, RemoteUser,
    SecretProblem, Tags, Wait, WriteIntent,
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
pub struct VerdictContext<'a> {
    /// The object is on its way out.
    pub deleting: bool,
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
    pub is_ready: bool,
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
    Ready,
    /// Ready=False, Reconciling.
    Reconciling,
    /// Ready=Unknown, Reconciling: AWS has not answered for long.
    Unknown,
    /// Ready=False, Stalled.
    Stalled,
    /// Ready=False, Deleting, Reconciling.
    Deleting,
    /// Suspended: Ready=True and nothing else.
    SuspendedReady,
    /// Suspended: Ready=False and nothing else.
    SuspendedNotReady,
    /// As they were: an outage does not unmake Ready.
    Unchanged,
}

impl Progress {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ready,
        Self::Reconciling,
        Self::Unknown,
        Self::Stalled,
        Self::Deleting,
        Self::Unchanged,
        Self::SuspendedReady,
        Self::SuspendedNotReady,
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
    pub completed: Vec<Completed>,
    /// When to look again.
    pub requeue: Requeue,
}

impl Verdict {
    /// The Warning event that goes with the reason, repeated while it lasts; `None` where nothing is wrong.
    #[must_use]
    pub fn warning(&self) -> Option<Reason> {
        let fine = match self.reason {
            // Somebody asked for it; on the way out it holds the object.
            Reason::Suspended => self.progress != Progress::Deleting,
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
        (!fine && !self.completed.iter().any(|completed| matches!(completed, Completed::LeftAlone(_))))
            .then_some(self.reason)
    }
}

/// Judges a pass by its last action and how that ended.
#[must_use]
pub fn verdict(action: &Action, outcome: &Outcome, context: &VerdictContext<'_>) -> Verdict {
    if let Outcome::Failed(fault) = outcome {
        return failed(action, fault, context);
    }
    let (reason, requeue) = match (action, outcome) {
        (Action::Fetch(_) | Action::AddFinalizer, _) => (waiting(context), Requeue::Now),
        (Action::WriteIntent(WriteIntent::Create { .. }), _) => (Reason::Creating, Requeue::Now),
        (Action::WriteIntent(WriteIntent::Tags { .. } | WriteIntent::Modify { .. }), _) => {
            (Reason::Modifying, Requeue::Now)
        }
        (Action::WriteIntent(WriteIntent::Reclaim { .. }), _) => (Reason::WaitingForUserActive, Requeue::Now),
        (Action::WriteIntent(WriteIntent::Delete), _) => (Reason::DeletingUser, Requeue::Now),
        (Action::Create(_), outcome) if outcome.shows_active() => (Reason::Active, Requeue::Resync),
        (Action::Create(_), Outcome::Accepted(_)) => (Reason::Creating, Requeue::Poll),
        (Action::Create(_), _) => (Reason::Creating, Requeue::Backoff),
        (Action::Modify(_), Outcome::Accepted(_)) => (Reason::Modifying, Requeue::Poll),
        (Action::Modify(_), _) => (Reason::Modifying, Requeue::Backoff),
        // AWS's answer shows all tags, so there is nothing to wait for.
        (Action::Tag(_) | Action::Untag(_), Outcome::Tagged(_)) if is_edit(action) => {
            (Reason::Modifying, Requeue::Now)
        }
        // The tags cannot be read for some seconds now (B92). On the way out `DeletingUser` would claim that DeleteUser is
        // next or was sent, and a user that loses its tags after that is nobody's.
        (Action::Tag(_) | Action::Untag(_), _) => (Reason::WaitingForUserActive, Requeue::Poll),
        (Action::Delete(_), Outcome::Accepted(_)) => (Reason::DeletingUser, Requeue::Poll),
        (Action::Delete(_), _) => (Reason::DeletingUser, Requeue::Backoff),
        (Action::ReleaseFinalizer(why), _) => (released(why), Requeue::Resync),
        (Action::Wait(wait), _) => return waits(wait, context),
        (Action::Refuse(refusal), _) => (refused(refusal), Requeue::Resync),
        (Action::InSync, _) => (Reason::Active, Requeue::Resync),
        (Action::Suspended { .. }, _) => (Reason::Suspended, Requeue::Resync),
        (Action::Compared(Comparison::Matches), _) => (Reason::Observed, Requeue::Resync),
        (Action::Compared(Comparison::Differs(_)), _) => (Reason::Differs, Requeue::Resync),
        (Action::Compared(Comparison::Missing), _) => (Reason::UserMissing, Requeue::Resync),
    };
    let progress = match (action, reason) {
        _ if context.deleting => Progress::Deleting,
        (_, Reason::Active | Reason::Observed) => Progress::Ready,
        (Action::Suspended { ready: true }, _) => Progress::SuspendedReady,
        (Action::Suspended { ready: false }, _) => Progress::SuspendedNotReady,
        (Action::Refuse(_), _) => Progress::Stalled,
        _ => Progress::Reconciling,
    };
    let message = messages::message(action, outcome, context);
    Verdict { progress, reason, message, completed: completed::completed(action, outcome), requeue }
}

/// A tagging call that a spec asked for, or an adoption: not one that puts lost owner tags back.
fn is_edit(action: &Action) -> bool {
    let restores =
        |tag: &crate::Tag| tag.tags.contains_key(crate::CLUSTER_TAG) && tag.cause != Cause::Adoption;
    !matches!(action, Action::Tag(tag) if restores(tag))
}

fn waiting(context: &VerdictContext<'_>) -> Reason {
    if context.deleting { Reason::DeletingUser } else { Reason::WaitingForUserActive }
}

fn released(why: &ReleaseReason) -> Reason {
    match why {
        ReleaseReason::UserGone
        | ReleaseReason::NoSuchUser
        | ReleaseReason::Retained { deletion_accepted: true }
        | ReleaseReason::DefinitionDeleted { deletion_accepted: true }
        | ReleaseReason::Observes { deletion_accepted: true } => Reason::DeletingUser,
        ReleaseReason::Retained { deletion_accepted: false }
        | ReleaseReason::DefinitionDeleted { deletion_accepted: false }
        | ReleaseReason::Observes { deletion_accepted: false }
        | ReleaseReason::LeftToOwner(_)
        | ReleaseReason::LeftUnowned => Reason::Retained,
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
        Refusal::WrongLocation(_) => Reason::WrongAWSAccount,
    }
}

fn waits(wait: &Wait, context: &VerdictContext<'_>) -> Verdict {
    let (reason, requeue) = match wait {
        Wait::Failed(_, fault) => return failed(&Action::Wait(wait.clone()), fault, context),
        // Nothing to look at: the annotation's going is an event of its own.
        Wait::Protected => (Reason::DeletionProtected, Requeue::Resync),
        Wait::Suspended => (Reason::Suspended, Requeue::Resync),
        Wait::CreationOpen | Wait::UserNotActive(_) | Wait::OwnerUnknown(_) => {
            (Reason::WaitingForUserActive, Requeue::Poll)
        }
        Wait::UserDeleting => (Reason::DeletingUser, Requeue::Poll),
        Wait::PreviousUser => (Reason::WaitingForPreviousUser, Requeue::Poll),
        Wait::Creating => (Reason::Creating, Requeue::Poll),
        Wait::Modifying => (Reason::Modifying, Requeue::Poll),
        Wait::Secret(SecretProblem::KeyNotFound { .. }) => (Reason::SecretKeyNotFound, Requeue::Backoff),
        Wait::Secret(SecretProblem::Forbidden { .. }) => (Reason::SecretForbidden, Requeue::Slow),
        Wait::Secret(
            SecretProblem::NotFound { .. } | SecretProblem::Unreadable { .. } | SecretProblem::Invalid { .. },
        ) => (Reason::SecretNotFound, Requeue::Backoff),
        Wait::DefinitionUnreadable => (Reason::DeletingUser, Requeue::Backoff),
        Wait::WrongLocation(_) => (Reason::WrongAWSAccount, Requeue::Slow),
    };
    let action = Action::Wait(wait.clone());
    let message = messages::message(&action, &Outcome::Decided, context);
    let progress = if context.deleting { Progress::Deleting } else { Progress::Reconciling };
    Verdict { progress, reason, message, completed: Vec::new(), requeue }
}

/// A call failed: the look that the action waits for, or the action's own.
fn failed(action: &Action, fault: &Fault, context: &VerdictContext<'_>) -> Verdict {
    let written = matches!(action, Action::Create(_) | Action::Modify(_));
    let (reason, requeue) = match (fault, context.deleting) {
        (Fault::Busy(_), true) => (Reason::InvalidUserState, Requeue::Backoff),
        (Fault::Busy(_), false) => (Reason::WaitingForUserActive, Requeue::Backoff),
        (Fault::Throttled(_), _) => (Reason::Throttled, Requeue::Backoff),
        (Fault::Unavailable(_), _) => (Reason::AWSUnavailable, Requeue::Backoff),
        (Fault::Credentials(_), _) => (Reason::CredentialsUnavailable, Requeue::Slow),
        (Fault::Denied(_), _) => (Reason::AccessDenied, Requeue::Slow),
        (Fault::Rejected(why, said), deleting) => match why {
            Rejection::ServiceLinkedRole => (Reason::ServiceLinkedRoleMissing, Requeue::Slow),
            Rejection::DefaultUserInGroup if deleting => (Reason::DefaultUserInGroup, Requeue::Slow),
            Rejection::Quota if !deleting => (Reason::QuotaExceeded, Requeue::Slow),
            Rejection::ParameterCombination if written => (Reason::AuthenticationConflict, Requeue::Resync),
            Rejection::ParameterValue if written => (about(&said.message), Requeue::Resync),
            Rejection::DefaultUserInGroup
            | Rejection::Quota
            | Rejection::ParameterCombination
            | Rejection::ParameterValue
            | Rejection::Other => (Reason::AWSRefused, Requeue::Slow),
        },
    };
    let needs_a_person = matches!(
        reason,
        Reason::AuthenticationConflict
            | Reason::InvalidAccessString
            | Reason::InvalidPassword
            | Reason::InvalidSpec
    );
    let stalled = needs_a_person || (reason == Reason::AccessDenied && context.denied_for_long);
    // A mutation is only planned once a look has shown that the user is not as it should be.
    let read = matches!(action, Action::Fetch(_) | Action::Wait(_));
    let silent = read && fault.hides_user_state() && context.is_ready && !context.differs;
    let progress = match () {
        () if context.deleting => Progress::Deleting,
        () if silent && !context.stale => Progress::Unchanged,
        () if silent => Progress::Unknown,
        () if stalled => Progress::Stalled,
        () => Progress::Reconciling,
    };
    let message = messages::fault(action, fault, context);
    Verdict { progress, reason, message, completed: Vec::new(), requeue }
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
