//! The conditions, events and requeue of a pass. They all follow from one `(Action, Outcome)`, so that they cannot
//! contradict what was done or each other.

mod completed;
mod groups;
mod messages;
mod reason;
mod rules;

pub use completed::Completed;
pub(crate) use messages::not_shown;
pub use reason::Reason;
pub(crate) use rules::notices;

use crate::pace::Requeue;
use crate::{
    Action, Arn, BrokenRule, Cause, Comparison, Fault, Lifecycle, MembershipChange, Refusal, Rejection,
    ReleaseReason, RemoteUser, SecretProblem, Tags, Wait, WriteIntent,
};

/// How an action ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Decided,
    /// AWS accepted the call and answered with the user.
    Accepted(RemoteUser),
    /// AWS accepted the tags and answered with all tags that the user has now.
    Tagged(Tags),
    Released,
    /// CreateUser: a user of this ID exists. Its owner is not known.
    AlreadyExists,
    /// ModifyUser, DeleteUser or a tagging call: UserNotFound. Only DescribeUsers proves that the user is absent.
    NotFound,
    /// The call was not sent: it would have been signed by other credentials than the DescribeUsers that it rests on. They may
    /// belong to another account.
    CredentialsChanged,
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

    /// AWS's answer shows the user `active`, so the pass need not read the user again.
    #[must_use]
    pub fn shows_active(&self) -> bool {
        matches!(self, Self::Accepted(user) if user.lifecycle == Lifecycle::Active)
    }
}

/// What else the verdict depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerdictContext<'a> {
    /// The object is terminating.
    pub deleting: bool,
    pub namespace: &'a str,
    pub name: &'a str,
    pub user_id: &'a str,
    /// The user's ARN, if DescribeUsers or status has it.
    pub arn: Option<&'a Arn>,
    pub user: Option<&'a RemoteUser>,
    /// The memberships that are not as they should be.
    pub groups: &'a [MembershipChange],
    /// The current generation is Ready.
    pub is_ready: bool,
    /// AWS showed that the user differs from the current generation.
    pub differs: bool,
    /// AWS has not shown the user's state for `--stale-after`.
    pub stale: bool,
    /// AccessDenied has lasted for [`denied_patience`](crate::pace::Pace::denied_patience), or was Stalled before a
    /// restart.
    pub denied_for_long: bool,
}

/// What the conditions show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Ready=True.
    Ready,
    /// Ready=False, Reconciling.
    Reconciling,
    /// Ready=Unknown, Reconciling, because AWS has not answered for a long time.
    Unknown,
    /// Ready=False, Stalled.
    Stalled,
    /// Ready=False, Deleting, Reconciling.
    Deleting,
    /// Suspended: Ready=True and nothing else.
    SuspendedReady,
    /// Suspended: Ready=False and nothing else.
    SuspendedNotReady,
    /// No condition changes, because an outage does not make a Ready user not Ready.
    Unchanged,
}

impl Progress {
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

/// The result of a pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    pub progress: Progress,
    pub reason: Reason,
    /// For people: what happened, to what, AWS's code, what to do. It must not change from pass to pass.
    pub message: String,
    /// The events about what was done. The Warning that follows from `reason` is not among them.
    pub completed: Vec<Completed>,
    pub requeue: Requeue,
}

impl Verdict {
    /// The Warning event of the reason; `None` if nothing is wrong. The event is repeated while the reason lasts.
    #[must_use]
    pub fn warning(&self) -> Option<Reason> {
        let fine = match self.reason {
            // Somebody suspended the object on purpose. A Warning is due only if that blocks the deletion.
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
            | Reason::WaitingForUserGroup
            | Reason::UserGroupNotFound
            | Reason::UserGroupNotAllowed
            | Reason::UserGroupRefused
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

/// The result of a pass whose last action ended with this outcome.
#[must_use]
pub fn verdict(action: &Action, outcome: &Outcome, context: &VerdictContext<'_>) -> Verdict {
    if let Outcome::Failed(fault) = outcome {
        return failed(action, fault, context);
    }
    let in_sync = *action == Action::InSync || matches!(action, Action::Create(_)) && outcome.shows_active();
    if in_sync && let Some(verdict) = groups::group_verdict(completed::completed(action, outcome), context) {
        return verdict;
    }
    let (reason, requeue) = match (action, outcome) {
        (Action::Fetch(_) | Action::AddFinalizer, _) => (waiting_reason(context), Requeue::Now),
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
        // AWS's answer shows all tags, so the pass need not wait.
        (Action::Tag(_) | Action::Untag(_), Outcome::Tagged(_)) if is_edit(action) => {
            (Reason::Modifying, Requeue::Now)
        }
        // AWS does not show the tags for some seconds now (B92). Do not report `DeletingUser` for a terminating object,
        // because that means that DeleteUser was sent or is next.
        (Action::Tag(_) | Action::Untag(_), _) => (Reason::WaitingForUserActive, Requeue::Poll),
        (Action::Delete(_), Outcome::Accepted(_)) => (Reason::DeletingUser, Requeue::Poll),
        (Action::Delete(_), _) => (Reason::DeletingUser, Requeue::Backoff),
        (Action::ReleaseFinalizer(why), _) => (release_reason(why), Requeue::Resync),
        (Action::Wait(wait), _) => return waits(wait, context),
        (Action::Refuse(refusal), _) => (refused(refusal), Requeue::Resync),
        (Action::InSync, _) => (Reason::Active, Requeue::Resync),
        (Action::Suspended { .. }, _) => (Reason::Suspended, Requeue::Resync),
        (Action::ObserveOnly(Comparison::Matches), _) => (Reason::Observed, Requeue::Resync),
        (Action::ObserveOnly(Comparison::Differs(_)), _) => (Reason::Differs, Requeue::Resync),
        (Action::ObserveOnly(Comparison::Missing), _) => (Reason::UserMissing, Requeue::Resync),
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

/// A tagging call for the spec or for an adoption, not one that restores owner tags.
fn is_edit(action: &Action) -> bool {
    let restores =
        |tag: &crate::Tag| tag.tags.contains_key(crate::CLUSTER_TAG) && tag.cause != Cause::Adoption;
    !matches!(action, Action::Tag(tag) if restores(tag))
}

fn waiting_reason(context: &VerdictContext<'_>) -> Reason {
    if context.deleting { Reason::DeletingUser } else { Reason::WaitingForUserActive }
}

fn release_reason(why: &ReleaseReason) -> Reason {
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
        Refusal::AdoptionNotAllowed { .. } | Refusal::AdoptionForbidden => Reason::AdoptionNotAllowed,
        Refusal::BreaksRule(BrokenRule::UserId { .. }) => Reason::UserIDNotAllowed,
        Refusal::BreaksRule(BrokenRule::TagKeys(_) | BrokenRule::Forbidden(_)) => Reason::InvalidSpec,
        Refusal::UserOwnedByAnother(_) => Reason::UserOwnedByAnother,
        Refusal::WrongLocation(_) => Reason::WrongAWSAccount,
    }
}

fn waits(wait: &Wait, context: &VerdictContext<'_>) -> Verdict {
    let (reason, requeue) = match wait {
        Wait::Failed(_, fault) => return failed(&Action::Wait(wait.clone()), fault, context),
        // No poll is needed, because the removal of the annotation triggers a pass.
        Wait::Protected => (Reason::DeletionProtected, Requeue::Resync),
        Wait::Suspended => (Reason::Suspended, Requeue::Resync),
        Wait::CreationOpen | Wait::UserNotActive(_) | Wait::OwnerUnknown(_) => {
            (Reason::WaitingForUserActive, Requeue::Poll)
        }
        Wait::UserDeleting => (Reason::DeletingUser, Requeue::Poll),
        Wait::PreviousUser | Wait::PreviousOwner(_) => (Reason::WaitingForPreviousUser, Requeue::Poll),
        Wait::Creating => (Reason::Creating, Requeue::Poll),
        Wait::Modifying => (Reason::Modifying, Requeue::Poll),
        Wait::ChangingGroups => (Reason::Modifying, Requeue::Woken),
        Wait::BusyForOthers if context.stale => (Reason::WaitingForUserActive, Requeue::Poll),
        Wait::BusyForOthers => (Reason::Active, Requeue::Busy),
        Wait::LeavingGroups => {
            return groups::group_verdict(Vec::new(), context).unwrap_or_else(|| leaving_groups(context));
        }
        Wait::Secret(SecretProblem::KeyNotFound { .. }) => (Reason::SecretKeyNotFound, Requeue::Backoff),
        Wait::Secret(SecretProblem::Forbidden { .. }) => (Reason::SecretForbidden, Requeue::Slow),
        Wait::Secret(
            SecretProblem::NotRead
            | SecretProblem::NotFound { .. }
            | SecretProblem::Unreadable { .. }
            | SecretProblem::Invalid { .. },
        ) => (Reason::SecretNotFound, Requeue::Backoff),
        Wait::DefinitionUnreadable | Wait::NotVanished | Wait::Namesake => {
            (Reason::DeletingUser, Requeue::Backoff)
        }
        // No poll is needed, because an object that goes triggers a pass over this one.
        Wait::NamespaceFull { .. } => (Reason::QuotaExceeded, Requeue::Resync),
        Wait::NotShown(_) if context.deleting => (Reason::WaitingForUserActive, Requeue::Backoff),
        Wait::NotShown(_) => (Reason::Modifying, Requeue::Backoff),
        Wait::WrongLocation(_) => (Reason::WrongAWSAccount, Requeue::Slow),
    };
    let action = Action::Wait(wait.clone());
    let message = messages::message(&action, &Outcome::Decided, context);
    let stays = *wait == Wait::BusyForOthers && !context.stale;
    let progress = match () {
        () if context.deleting => Progress::Deleting,
        () if stays => Progress::Unchanged,
        () => Progress::Reconciling,
    };
    Verdict { progress, reason, message, completed: Vec::new(), requeue }
}

/// The coordinator was not asked yet.
fn leaving_groups(context: &VerdictContext<'_>) -> Verdict {
    let action = Action::Wait(Wait::LeavingGroups);
    Verdict {
        progress: Progress::Deleting,
        reason: Reason::DeletingUser,
        message: messages::message(&action, &Outcome::Decided, context),
        completed: Vec::new(),
        requeue: Requeue::Woken,
    }
}

/// A call failed: the read that the action waits for, or the action's own call.
fn failed(action: &Action, fault: &Fault, context: &VerdictContext<'_>) -> Verdict {
    let written = matches!(action, Action::Create(_) | Action::Modify(_));
    let read = matches!(action, Action::Fetch(_) | Action::Wait(_));
    let (reason, requeue) = match (fault, context.deleting) {
        (Fault::Busy(_), true) => (Reason::InvalidUserState, Requeue::Backoff),
        (Fault::Busy(_), false) => (Reason::WaitingForUserActive, Requeue::Backoff),
        (Fault::Throttled(_), _) => (Reason::Throttled, Requeue::Backoff),
        (Fault::Unavailable(_), _) => (Reason::AWSUnavailable, Requeue::Backoff),
        (Fault::Credentials(_), _) => (Reason::CredentialsUnavailable, Requeue::Slow),
        (Fault::Denied(_), _) => (Reason::AccessDenied, Requeue::Slow),
        (Fault::Rejected(why, error), deleting) => match why {
            Rejection::ServiceLinkedRole => (Reason::ServiceLinkedRoleMissing, Requeue::Slow),
            Rejection::DefaultUserInGroup if deleting => (Reason::DefaultUserInGroup, Requeue::Slow),
            Rejection::Quota if !deleting && !read => (Reason::QuotaExceeded, Requeue::Slow),
            Rejection::ParameterCombination if written => (Reason::AuthenticationConflict, Requeue::Resync),
            Rejection::ParameterValue if written => (about(&error.message), Requeue::Resync),
            Rejection::DefaultUserInGroup
            | Rejection::Quota
            | Rejection::ParameterCombination
            | Rejection::ParameterValue
            | Rejection::DuplicateUserName
            | Rejection::DefaultUserRequired
            | Rejection::MemberNotFound
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
    // A mutation is planned only if a read showed that the user differs, so its failure does not leave Ready unchanged.
    let silent = read && !fault.shows_user_state() && context.is_ready && !context.differs;
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

/// The field that an InvalidParameterValue is about, according to AWS's message (quoted in B37-B43).
fn about(message: &str) -> Reason {
    let message = message.to_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| message.contains(word));
    // "Password rules are not supported in .. access string" is about the access string, although it mentions passwords.
    if names(&["access string", "access-string", "accessstring", "category", "rule"]) {
        Reason::InvalidAccessString
    } else if names(&["password"]) {
        Reason::InvalidPassword
    } else {
        Reason::InvalidSpec
    }
}
