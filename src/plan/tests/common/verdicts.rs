//! What verdict tables are made of, and what they have to be complete over.

use plan::pace::Requeue;
use plan::verdict::{Completed, Outcome, Progress, Reason, VerdictContext};
use plan::*;

use super::{WANTED, arn, arn_in, id, owner_tags, user};

pub(crate) type Row =
    (&'static str, Action, Outcome, Where, Progress, Reason, Requeue, Vec<Completed>, &'static str);

/// Braces, so that rustfmt leaves a row a row.
#[allow(unused_macros, reason = "each test binary uses its part of it")]
macro_rules! rows {
    { $($row:expr),* $(,)? } => { vec![$($row),*] };
}

/// A [`VerdictContext`] that owns what it shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Where {
    pub(crate) leaving: bool,
    pub(crate) user: Option<RemoteUser>,
    pub(crate) settled: bool,
    pub(crate) differs: bool,
    pub(crate) stale: bool,
    pub(crate) denied_for_long: bool,
}

impl Where {
    pub(crate) fn standing(&self) -> VerdictContext<'_> {
        let Self { leaving, ref user, settled, differs, stale, denied_for_long } = *self;
        VerdictContext {
            deleting: leaving,
            namespace: "shop",
            name: "orders",
            user_id: "app",
            arn: user.as_ref().map(|user| &user.arn),
            user: user.as_ref(),
            is_ready: settled,
            differs,
            stale,
            denied_for_long,
        }
    }
}

/// A new generation.
pub(crate) fn fresh() -> Where {
    Where::default()
}

pub(crate) fn settled() -> Where {
    Where { settled: true, ..fresh() }
}

/// AWS has told that the user differs.
pub(crate) fn differing(before: Where) -> Where {
    Where { differs: true, ..before }
}

pub(crate) fn stale(before: Where) -> Where {
    Where { stale: true, ..before }
}

pub(crate) fn long_denied(before: Where) -> Where {
    Where { denied_for_long: true, ..before }
}

pub(crate) fn out_there() -> Where {
    Where { leaving: true, ..fresh() }
}

pub(crate) fn settled_leaving() -> Where {
    Where { settled: true, ..out_there() }
}

pub(crate) fn seeing(before: Where) -> Where {
    Where { user: Some(user(Lifecycle::Active)), ..before }
}

pub(crate) fn grouped(groups: &[&str]) -> Where {
    let user_group_ids = groups.iter().map(|group| (*group).to_owned()).collect();
    Where { user: Some(RemoteUser { user_group_ids, ..user(Lifecycle::Active) }), ..out_there() }
}

pub(crate) fn there() -> WrongLocation {
    let arn = arn_in("eu-west-1", "222222222222");
    WrongLocation {
        recorded: Location::of(&arn),
        arn: Some(arn),
        called: Location { account: Some("111111111111".into()), region: "us-east-1".into() },
    }
}

pub(crate) fn create() -> Action {
    Action::Create(Create {
        user_id: id(),
        user_name: "app".into(),
        engine: Engine::Redis,
        access_string: WANTED.into(),
        authentication: AuthenticationChange::to(&super::password()).unwrap(),
        tags: owner_tags(),
        cause: Cause::Edit,
    })
}

pub(crate) fn modify() -> Action {
    let changes = Changes { access_string: Some(WANTED.into()), ..Changes::default() };
    Action::Modify(Modify { user_id: id(), changes, cause: Cause::Edit })
}

pub(crate) fn tag() -> Action {
    Action::Tag(Tag { arn: arn(), tags: owner_tags(), cause: super::plans::owner_tags_lost() })
}

/// What is told of owner tags that were put back.
pub(crate) fn tags_back() -> Vec<Completed> {
    vec![Completed::Corrected(vec!["the owner tags were missing".into()])]
}

pub(crate) fn delete() -> Action {
    Action::Delete(Delete { user_id: id() })
}

pub(crate) fn accepted(lifecycle: Lifecycle) -> Outcome {
    Outcome::Accepted(user(lifecycle))
}

pub(crate) fn failed(fault: Fault) -> Outcome {
    Outcome::Failed(fault)
}

pub(crate) const EVERY_VISIT: [Requeue; 5] =
    [Requeue::Now, Requeue::Poll, Requeue::Backoff, Requeue::Slow, Requeue::Resync];

pub(crate) const EVERY_EVENT: [&str; 10] = [
    "UserCreated",
    "UserModified",
    "PasswordRotated",
    "DriftCorrected",
    "Adopted",
    "DeletionStarted",
    "UserDeleted",
    "Retained",
    "UserOwnedByAnother",
    "UserAlreadyExists",
];

pub(crate) const EVERY_ACTION: [&str; 14] = [
    "look",
    "add finalizer",
    "announce",
    "create",
    "modify",
    "tag",
    "untag",
    "delete",
    "release",
    "wait",
    "refuse",
    "rest",
    "pause",
    "compare",
];

pub(crate) const EVERY_OUTCOME: [&str; 7] =
    ["decided", "accepted", "tagged", "released", "already exists", "not found", "failed"];

pub(crate) fn kind_of(action: &Action) -> &'static str {
    match action {
        Action::Fetch(_) => "look",
        Action::AddFinalizer => "add finalizer",
        Action::WriteIntent(_) => "announce",
        Action::Create(_) => "create",
        Action::Modify(_) => "modify",
        Action::Tag(_) => "tag",
        Action::Untag(_) => "untag",
        Action::Delete(_) => "delete",
        Action::ReleaseFinalizer(_) => "release",
        Action::Wait(_) => "wait",
        Action::Refuse(_) => "refuse",
        Action::InSync => "rest",
        Action::Suspended { .. } => "pause",
        Action::Compared(_) => "compare",
    }
}

pub(crate) fn outcome_kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Decided => "decided",
        Outcome::Accepted(_) => "accepted",
        Outcome::Tagged(_) => "tagged",
        Outcome::Released => "released",
        Outcome::AlreadyExists => "already exists",
        Outcome::NotFound => "not found",
        Outcome::CredentialsChanged => "credentials changed",
        Outcome::Failed(_) => "failed",
    }
}

/// A new variant stops the compiler here: it belongs into the lists above, and into a row.
#[allow(dead_code, reason = "only compiled")]
fn the_lists_are_complete(progress: Progress, visit: Requeue, done: &Completed, reason: Reason) {
    match progress {
        Progress::Ready
        | Progress::Reconciling
        | Progress::Unknown
        | Progress::Stalled
        | Progress::Deleting
        | Progress::Unchanged
        | Progress::SuspendedReady
        | Progress::SuspendedNotReady => {}
    }
    match visit {
        Requeue::Now | Requeue::Poll | Requeue::Backoff | Requeue::Slow | Requeue::Resync => {}
    }
    match done {
        Completed::Created
        | Completed::Modified
        | Completed::Rotated
        | Completed::Corrected(_)
        | Completed::Adopted
        | Completed::DeletionStarted
        | Completed::Deleted
        | Completed::Retained
        | Completed::LeftAlone(_) => {}
    }
    // `Reason::ALL` is compared with its own words in a test, and with this list by the compiler.
    match reason {
        Reason::Active
        | Reason::Creating
        | Reason::Modifying
        | Reason::Suspended
        | Reason::Observed
        | Reason::Differs
        | Reason::UserMissing
        | Reason::WaitingForUserActive
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
        | Reason::DeletingUser
        | Reason::InvalidUserState
        | Reason::DefaultUserInGroup
        | Reason::DeletionProtected
        | Reason::Retained => {}
    }
}
