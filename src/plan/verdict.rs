//! Pure: what a pass amounts to, for people and for the schedule: conditions, event and next visit, all from one
//! `(Action, Outcome)`, so that they cannot contradict what was done, nor each other.

mod sentences;

use crate::pace::Visit;
use crate::{
    Action, Announcement, Arn, Fault, Lifecycle, Refusal, Rejection, Release, RemoteUser, SecretProblem,
    Tags, Wait,
};

/// How performing an action ended.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The call failed.
    Failed(Fault),
}

impl Outcome {
    /// Whether AWS answered and did nothing.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::AlreadyExists | Self::NotFound => true,
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

/// The reasons of conditions and events, a closed list (`api.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is documented where people look for it: docs and `api.md`")]
pub enum Reason {
    Active,
    Creating,
    Modifying,
    WaitingForUserActive,
    WaitingForPreviousUser,
    SecretNotFound,
    SecretKeyNotFound,
    SecretForbidden,
    Throttled,
    AWSUnavailable,
    CredentialsUnavailable,
    AccessDenied,
    ServiceLinkedRoleMissing,
    QuotaExceeded,
    AWSRefused,
    InvalidSpec,
    InvalidAccessString,
    InvalidPassword,
    AuthenticationConflict,
    UserAlreadyExists,
    UserOwnedByAnother,
    WrongAWSAccount,
    DeletingUser,
    InvalidUserState,
    DefaultUserInGroup,
    DeletionProtected,
    Retained,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 27] = [
        Self::Active,
        Self::Creating,
        Self::Modifying,
        Self::WaitingForUserActive,
        Self::WaitingForPreviousUser,
        Self::SecretNotFound,
        Self::SecretKeyNotFound,
        Self::SecretForbidden,
        Self::Throttled,
        Self::AWSUnavailable,
        Self::CredentialsUnavailable,
        Self::AccessDenied,
        Self::ServiceLinkedRoleMissing,
        Self::QuotaExceeded,
        Self::AWSRefused,
        Self::InvalidSpec,
        Self::InvalidAccessString,
        Self::InvalidPassword,
        Self::AuthenticationConflict,
        Self::UserAlreadyExists,
        Self::UserOwnedByAnother,
        Self::WrongAWSAccount,
        Self::DeletingUser,
        Self::InvalidUserState,
        Self::DefaultUserInGroup,
        Self::DeletionProtected,
        Self::Retained,
    ];

    /// The word in the condition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Creating => "Creating",
            Self::Modifying => "Modifying",
            Self::WaitingForUserActive => "WaitingForUserActive",
            Self::WaitingForPreviousUser => "WaitingForPreviousUser",
            Self::SecretNotFound => "SecretNotFound",
            Self::SecretKeyNotFound => "SecretKeyNotFound",
            Self::SecretForbidden => "SecretForbidden",
            Self::Throttled => "Throttled",
            Self::AWSUnavailable => "AWSUnavailable",
            Self::CredentialsUnavailable => "CredentialsUnavailable",
            Self::AccessDenied => "AccessDenied",
            Self::ServiceLinkedRoleMissing => "ServiceLinkedRoleMissing",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::AWSRefused => "AWSRefused",
            Self::InvalidSpec => "InvalidSpec",
            Self::InvalidAccessString => "InvalidAccessString",
            Self::InvalidPassword => "InvalidPassword",
            Self::AuthenticationConflict => "AuthenticationConflict",
            Self::UserAlreadyExists => "UserAlreadyExists",
            Self::UserOwnedByAnother => "UserOwnedByAnother",
            Self::WrongAWSAccount => "WrongAWSAccount",
            Self::DeletingUser => "DeletingUser",
            Self::InvalidUserState => "InvalidUserState",
            Self::DefaultUserInGroup => "DefaultUserInGroup",
            Self::DeletionProtected => "DeletionProtected",
            Self::Retained => "Retained",
        }
    }

    /// Reads a condition's word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// What else the verdict rests on: where the object stands before the pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing<'a> {
    /// The object is on its way out.
    pub leaving: bool,
    /// The object's user ID, for sentences.
    pub user_id: &'a str,
    /// The user's ARN, where status remembers it.
    pub arn: Option<&'a Arn>,
    /// The user that DescribeUsers showed in this pass.
    pub user: Option<&'a RemoteUser>,
    /// The generation at hand is the one that is Ready.
    pub settled: bool,
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
    /// As they were: an outage does not unmake Ready.
    Unchanged,
}

/// What a pass amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the conditions say.
    pub progress: Progress,
    /// Why.
    pub reason: Reason,
    /// The same for people: what happened, to what, AWS's code, what to do. Nothing that changes from pass to pass.
    pub message: String,
    /// An event that tells what was done, besides the Warning that follows from the reason.
    pub done: Option<Done>,
    /// When to look again.
    pub visit: Visit,
}

/// Something that was done, as a Normal event; [`Done::Left`] is a Warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// `UserCreated`
    Created,
    /// `UserModified`
    Modified,
    /// `DeletionStarted`
    DeletionStarted,
    /// `UserDeleted`
    Deleted,
    /// `Retained`
    Retained,
    /// The user stays because it is not ours: `UserOwnedByAnother` or `UserAlreadyExists`.
    Left(Reason),
}

impl Done {
    /// The event's reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Created => "UserCreated",
            Self::Modified => "UserModified",
            Self::DeletionStarted => "DeletionStarted",
            Self::Deleted => "UserDeleted",
            Self::Retained => "Retained",
            Self::Left(reason) => reason.as_str(),
        }
    }
}

impl Verdict {
    /// The Warning event that goes with the reason, repeated while it lasts; `None` where nothing is wrong.
    #[must_use]
    pub fn warning(&self) -> Option<Reason> {
        let fine = match self.reason {
            Reason::Active
            | Reason::Creating
            | Reason::Modifying
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
            | Reason::WrongAWSAccount
            | Reason::InvalidUserState
            | Reason::DefaultUserInGroup
            | Reason::DeletionProtected => false,
        };
        (!fine && !matches!(self.done, Some(Done::Left(_)))).then_some(self.reason)
    }
}

/// Judges a pass by its last action and how that ended.
#[must_use]
pub fn verdict(action: &Action, outcome: &Outcome, standing: &Standing<'_>) -> Verdict {
    if let Outcome::Failed(fault) = outcome {
        return failed(action, fault, standing);
    }
    let (reason, visit) = match (action, outcome) {
        (Action::Look(_), _) => (waiting(standing), Visit::Now),
        (Action::Announce(Announcement::Creation { .. }), _) => (Reason::Creating, Visit::Now),
        (Action::Announce(Announcement::Departure), _) => (Reason::DeletingUser, Visit::Now),
        (Action::Create(_), outcome) if outcome.shows_active() => (Reason::Active, Visit::Resync),
        (Action::Create(_), Outcome::Accepted(_)) => (Reason::Creating, Visit::Poll),
        (Action::Create(_), _) => (Reason::Creating, Visit::Backoff),
        (Action::Modify(_), Outcome::Accepted(_)) => (Reason::Modifying, Visit::Poll),
        (Action::Modify(_), _) => (Reason::Modifying, Visit::Backoff),
        // The tags cannot be read for some seconds now (B92). On the way out `DeletingUser` would claim that DeleteUser is
        // next or was sent, and a user that loses its tags after that is nobody's.
        (Action::Tag(_), _) => (Reason::WaitingForUserActive, Visit::Poll),
        (Action::Delete(_), Outcome::Accepted(_)) => (Reason::DeletingUser, Visit::Poll),
        (Action::Delete(_), _) => (Reason::DeletingUser, Visit::Backoff),
        (Action::Release(why), _) => (released(why), Visit::Resync),
        (Action::Wait(wait), _) => return waits(wait, standing),
        (Action::Refuse(refusal), _) => (refused(refusal), Visit::Resync),
        (Action::Rest, _) => (Reason::Active, Visit::Resync),
    };
    let progress = match (action, reason) {
        _ if standing.leaving => Progress::Leaving,
        (_, Reason::Active) => Progress::Done,
        (Action::Refuse(_), _) => Progress::Stalled,
        _ => Progress::Reconciling,
    };
    let message = sentences::message(action, outcome, standing);
    Verdict { progress, reason, message, done: done(action, outcome), visit }
}

/// What was done, where anything was.
fn done(action: &Action, outcome: &Outcome) -> Option<Done> {
    match (action, outcome) {
        (Action::Create(_), Outcome::Accepted(_)) => Some(Done::Created),
        (Action::Modify(_), Outcome::Accepted(_)) => Some(Done::Modified),
        (Action::Delete(_), Outcome::Accepted(_)) => Some(Done::DeletionStarted),
        (Action::Release(why), Outcome::Released) => match why {
            Release::UserGone => Some(Done::Deleted),
            Release::NoSuchUser => None,
            Release::Retained { deletion_accepted: true }
            | Release::DefinitionGoing { deletion_accepted: true } => Some(Done::DeletionStarted),
            Release::Retained { deletion_accepted: false }
            | Release::DefinitionGoing { deletion_accepted: false } => Some(Done::Retained),
            Release::LeftToOwner(_) => Some(Done::Left(Reason::UserOwnedByAnother)),
            Release::LeftUnowned => Some(Done::Left(Reason::UserAlreadyExists)),
        },
        (
            Action::Look(_)
            | Action::Announce(_)
            | Action::Create(_)
            | Action::Modify(_)
            | Action::Tag(_)
            | Action::Delete(_)
            | Action::Release(_)
            | Action::Wait(_)
            | Action::Refuse(_)
            | Action::Rest,
            _,
        ) => None,
    }
}

fn waiting(standing: &Standing<'_>) -> Reason {
    if standing.leaving { Reason::DeletingUser } else { Reason::WaitingForUserActive }
}

fn released(why: &Release) -> Reason {
    match why {
        Release::UserGone
        | Release::NoSuchUser
        | Release::Retained { deletion_accepted: true }
        | Release::DefinitionGoing { deletion_accepted: true } => Reason::DeletingUser,
        Release::Retained { deletion_accepted: false }
        | Release::DefinitionGoing { deletion_accepted: false }
        | Release::LeftToOwner(_)
        | Release::LeftUnowned => Reason::Retained,
    }
}

fn refused(refusal: &Refusal) -> Reason {
    match refusal {
        Refusal::InvalidSpec(_) => Reason::InvalidSpec,
        Refusal::InvalidPassword(_) => Reason::InvalidPassword,
        Refusal::UserAlreadyExists => Reason::UserAlreadyExists,
        Refusal::UserOwnedByAnother(_) => Reason::UserOwnedByAnother,
        Refusal::Elsewhere(_) => Reason::WrongAWSAccount,
    }
}

fn waits(wait: &Wait, standing: &Standing<'_>) -> Verdict {
    let (reason, visit) = match wait {
        Wait::Failed(_, fault) => return failed(&Action::Wait(wait.clone()), fault, standing),
        // Nothing to look at: the annotation's going is an event of its own.
        Wait::Protected => (Reason::DeletionProtected, Visit::Resync),
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
    Verdict { progress, reason, message, done: None, visit }
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
    let silent = read && fault.tells_nothing() && standing.settled;
    let progress = match () {
        () if standing.leaving => Progress::Leaving,
        () if silent && !standing.stale => Progress::Unchanged,
        () if silent => Progress::Unknown,
        () if stalled => Progress::Stalled,
        () => Progress::Reconciling,
    };
    let message = sentences::fault(action, fault, standing);
    Verdict { progress, reason, message, done: None, visit }
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
