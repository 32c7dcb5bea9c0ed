//! Rows and values that the tables about `verdict` share.

use plan::pace::Requeue;
use plan::verdict::{Completed, Outcome, Progress, Reason, VerdictContext};
use plan::*;

use super::{WANTED, arn, arn_in, id, owner_tags, texts, user};

/// A claim about `verdict`.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) claim: &'static str,
    pub(crate) action: Action,
    pub(crate) outcome: Outcome,
    pub(crate) context: Context,
    pub(crate) progress: Progress,
    pub(crate) reason: Reason,
    pub(crate) requeue: Requeue,
    pub(crate) completed: Vec<Completed>,
    /// A part of it.
    pub(crate) message: &'static str,
}

/// The base of rows about a user that should exist.
pub(crate) fn living() -> Row {
    Row {
        claim: "",
        action: Action::InSync,
        outcome: Outcome::Decided,
        context: fresh(),
        progress: Progress::Reconciling,
        reason: Reason::Active,
        requeue: Requeue::Resync,
        completed: vec![],
        message: "",
    }
}

/// The base of rows about an object that is terminating.
pub(crate) fn terminating() -> Row {
    Row { context: deleting_context(), progress: Progress::Deleting, ..living() }
}

/// A [`VerdictContext`] that owns what it shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    pub(crate) deleting: bool,
    pub(crate) user: Option<RemoteUser>,
    pub(crate) groups: Vec<MembershipChange>,
    pub(crate) is_ready: bool,
    pub(crate) differs: bool,
    pub(crate) stale: bool,
    pub(crate) denied_for_long: bool,
}

impl Context {
    pub(crate) fn get(&self) -> VerdictContext<'_> {
        let Self { deleting, ref user, ref groups, is_ready, differs, stale, denied_for_long } = *self;
        let (user, arn) = (user.as_ref(), user.as_ref().map(|user| &user.arn));
        let (namespace, name, user_id) = ("shop", "orders", "app");
        VerdictContext {
            deleting,
            namespace,
            name,
            user_id,
            arn,
            user,
            groups,
            is_ready,
            differs,
            stale,
            denied_for_long,
        }
    }
}

/// A new generation.
pub(crate) fn fresh() -> Context {
    Context::default()
}

pub(crate) fn ready() -> Context {
    Context { is_ready: true, ..fresh() }
}

/// AWS showed that the user differs.
pub(crate) fn differing(before: Context) -> Context {
    Context { differs: true, ..before }
}

pub(crate) fn stale(before: Context) -> Context {
    Context { stale: true, ..before }
}

pub(crate) fn long_denied(before: Context) -> Context {
    Context { denied_for_long: true, ..before }
}

pub(crate) fn deleting_context() -> Context {
    Context { deleting: true, ..fresh() }
}

pub(crate) fn seeing(before: Context) -> Context {
    Context { user: Some(user(Lifecycle::Active)), ..before }
}

/// DescribeUsers shows the user in these groups, and the object is terminating.
pub(crate) fn grouped(groups: &[&str]) -> Context {
    Context {
        user: Some(RemoteUser { user_group_ids: texts(groups), ..user(Lifecycle::Active) }),
        ..deleting_context()
    }
}

pub(crate) fn there() -> WrongLocation {
    super::plans::elsewhere(arn_in("eu-west-1", "222222222222"), "us-east-1", Some("111111111111"))
}

pub(crate) fn create() -> Action {
    create_because(Cause::Edit)
}

pub(crate) fn create_because(cause: Cause) -> Action {
    Action::Create(Create {
        user_id: id(),
        user_name: "app".into(),
        engine: Engine::Redis,
        access_string: WANTED.into(),
        authentication: AuthenticationChange::to(&super::password()).unwrap(),
        tags: owner_tags(),
        cause,
    })
}

pub(crate) fn modify() -> Action {
    modify_because(Cause::Edit)
}

pub(crate) fn modify_because(cause: Cause) -> Action {
    super::plans::modify(super::plans::rules(), cause)
}

/// The owner tags are restored.
pub(crate) fn tag() -> Action {
    super::plans::restore_tags()
}

/// The spec's tags.
pub(crate) fn tag_because(cause: Cause) -> Action {
    Action::Tag(Tag { arn: arn(), tags: super::tags(&[("team", "shop")]), cause })
}

pub(crate) fn untag() -> Action {
    Action::Untag(Untag { arn: arn(), keys: texts(&["old"]) })
}

pub(crate) fn tags_restored() -> Vec<Completed> {
    vec![Completed::Corrected(texts(&["the owner tags were missing"]))]
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

pub(crate) const EVERY_REQUEUE: [Requeue; 7] = [
    Requeue::Now,
    Requeue::Poll,
    Requeue::Backoff,
    Requeue::Slow,
    Requeue::Busy,
    Requeue::Woken,
    Requeue::Resync,
];

/// Declares the kinds of an enum's variants: a list of all kinds, and a function that a new variant stops from compiling.
macro_rules! kinds {
    ($all:ident, $of:ident: $type:ty { $($pattern:pat => $kind:literal,)* }) => {
        pub(crate) const $all: &[&str] = &[$($kind),*];
        pub(crate) fn $of(value: &$type) -> &'static str {
            match value { $($pattern => $kind,)* }
        }
    };
}

kinds!(EVERY_ACTION, action_kind: Action {
    Action::Fetch(_) => "fetch",
    Action::AddFinalizer => "add finalizer",
    Action::WriteIntent(_) => "write intent",
    Action::Create(_) => "create",
    Action::Modify(_) => "modify",
    Action::Tag(_) => "tag",
    Action::Untag(_) => "untag",
    Action::Delete(_) => "delete",
    Action::ReleaseFinalizer(_) => "release finalizer",
    Action::Wait(_) => "wait",
    Action::Refuse(_) => "refuse",
    Action::InSync => "in sync",
    Action::Suspended { .. } => "suspended",
    Action::ObserveOnly(_) => "observe only",
});

kinds!(EVERY_OUTCOME, outcome_kind: Outcome {
    Outcome::Decided => "decided",
    Outcome::Accepted(_) => "accepted",
    Outcome::Tagged(_) => "tagged",
    Outcome::Released => "released",
    Outcome::AlreadyExists => "already exists",
    Outcome::NotFound => "not found",
    Outcome::Failed(_) => "failed",
    Outcome::CredentialsChanged => "credentials changed",
});

kinds!(EVERY_EVENT, event: Completed {
    Completed::Created => "UserCreated",
    Completed::Modified => "UserModified",
    Completed::Rotated => "PasswordRotated",
    Completed::Corrected(_) => "DriftCorrected",
    Completed::AddedToUserGroup => "AddedToUserGroup",
    Completed::RemovedFromUserGroup => "RemovedFromUserGroup",
    Completed::Adopted => "Adopted",
    Completed::DeletionStarted => "DeletionStarted",
    Completed::Deleted => "UserDeleted",
    Completed::Retained => "Retained",
    Completed::LeftAlone(Reason::UserOwnedByAnother) => "UserOwnedByAnother",
    Completed::LeftAlone(_) => "UserAlreadyExists",
});
