//! The requests of a pass to its driver, and the driver's responses.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::pace::Pace;
use crate::verdict::Outcome;
use crate::{
    Arn, CallSource, CredentialsId, Definition, Goal, GroupWishes, MembershipState, Memory, Mutation,
    Namesake, ObjectFacts, Orphan, Owner, OwnerObservation, Passwords, SecretProblem, Status,
    TagsObservation, UserGroupId, UserId, UserObservation,
};

/// What every pass of a process shares.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    pub pace: Pace,
    pub region: String,
    /// The identity of this process for `deleteRequestedBy`. Every start makes a new one.
    pub identity: String,
    /// The watched namespaces. Empty: all.
    pub namespaces: Vec<String>,
}

/// What the driver has to do next. Each variant names the [`Response`] with which the driver answers. A request to the API
/// server may instead be answered with [`Response::Conflict`] or [`Response::KubernetesFailed`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Wait for a token of the rate limiter for the next AWS call: [`Response::Token`], or [`Response::Ending`].
    AcquireToken,
    /// DescribeUsers of one user: [`Response::Described`].
    DescribeUser(UserId),
    /// ListTagsForResource: [`Response::Tags`].
    ListTags(Arn),
    /// Read the account of the credentials, from STS or else from ElastiCache: [`Response::Identified`].
    Identify,
    /// Read the account of the credentials from STS alone, which needs no token: [`Response::Identified`].
    IdentifyCaller,
    /// Read whether the object exists that the owner tags name, uncached: [`Response::Owner`].
    ReadOwner(Owner),
    /// Read the passwords from the Secrets that the object names, uncached: [`Response::Passwords`].
    ReadPasswords,
    /// Read whether the CustomResourceDefinition is being deleted, uncached: [`Response::Definition`].
    ReadDefinition,
    /// What the coordinator of the user groups knows about these groups, from its memory: [`Response::Groups`].
    ReadGroups(Vec<UserGroupId>),
    /// Read the object, uncached: [`Response::Object`].
    ReadObject,
    /// Read whether the object exists that may have vanished, or another one of its name, uncached: [`Response::Namesake`].
    ReadNamesake(Box<Orphan>),
    /// Read the object, uncached, and resolve its goal again: [`Response::Resolved`].
    Resolve,
    /// Add our finalizer to the current version: [`Response::Written`].
    AddFinalizer,
    /// Remove our finalizer from the current version: [`Response::Written`].
    RemoveFinalizer,
    /// Write this status to the current version: [`Response::Written`].
    WriteStatus(Box<Status>),
    /// Change something in AWS: [`Response::Called`].
    Call {
        /// What to change.
        mutation: Box<Mutation>,
        /// The credentials that signed the DescribeUsers that the mutation rests on. No others may sign the mutation.
        credentials: CredentialsId,
    },
    /// Write a log line: [`Response::Done`].
    Log(LogLine),
    /// Publish an event, ignoring failures: [`Response::Done`].
    Publish(EventContent),
    /// Add one to a metric: [`Response::Done`].
    Count(Counted),
    /// The pass has ended.
    Finish(Finish),
}

/// The driver's answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// The token is there.
    Token,
    Described(UserObservation, CallSource),
    Tags(TagsObservation),
    /// The current credentials and their account.
    Identified(CallSource),
    Owner(OwnerObservation),
    Passwords(Result<Passwords, SecretProblem>),
    Definition(Definition),
    Groups(BTreeMap<UserGroupId, MembershipState>),
    /// `None` if the object is gone or was replaced by another one of its name.
    Object(Option<Box<ObjectFacts>>),
    Namesake(Namesake),
    /// `None` as for `Object`.
    Resolved(Option<(Goal, ObjectFacts)>),
    Written(ObjectFacts),
    /// The object has changed or is gone, so nothing was written.
    Conflict,
    /// The API server did not perform the request.
    KubernetesFailed {
        /// The request, verb first.
        what: &'static str,
        why: String,
    },
    /// This replica must not write any more.
    Ending,
    /// The request took longer than the driver waits.
    TimedOut,
    Called(Outcome),
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Finish {
    /// What the process remembers of the object; `None` if the object is gone.
    pub memory: Option<Box<Memory>>,
    /// When the next pass is due; `None`: when something changes.
    pub requeue: Option<Duration>,
    /// The object needs nothing. The next pass only checks that this is still so.
    pub is_settled: bool,
    pub wishes: Wishes,
    /// AWS is at work. The next pass only looks whether it has finished.
    pub polls: bool,
    pub result: PassResult,
}

/// What the object asks of its user's groups from now on. The coordinator carries it out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wishes {
    /// The pass learnt nothing about them.
    Unchanged,
    /// The pass did not look at the user. If the coordinator needs that, it has to wake the object again.
    NotSeen,
    Nothing,
    /// Status records the groups that the user is about to join.
    Asks(Box<GroupWishes>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PassResult {
    Done,
    /// The object kept changing during the pass.
    Conflict,
    /// The operator is shutting down.
    Ending,
    /// The API server did not perform a request.
    KubernetesFailed {
        /// The request, verb first.
        what: &'static str,
        why: String,
    },
    TimedOut,
    /// The pass made too many steps, which is a defect of the operator.
    Endless,
}

/// A Kubernetes event without its time and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventContent {
    /// Warning instead of Normal.
    pub warning: bool,
    pub reason: &'static str,
    pub action: &'static str,
    pub note: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// AWS accepted the correction of what somebody else had changed.
    Correction,
    /// A user was deleted whose object had vanished.
    OrphanRemoved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the usual words")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogLine {
    pub level: LogLevel,
    pub step: &'static str,
    /// Empty if the pass called AWS for no user.
    pub user_id: String,
    /// The reason of the event with the same message.
    pub event: Option<&'static str>,
    pub reason: &'static str,
    pub code: Option<String>,
    pub message: String,
}

impl Request {
    /// For the trace log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AcquireToken => "AcquireToken",
            Self::DescribeUser(_) => "DescribeUser",
            Self::ListTags(_) => "ListTags",
            Self::Identify => "Identify",
            Self::IdentifyCaller => "IdentifyCaller",
            Self::ReadOwner(_) => "ReadOwner",
            Self::ReadPasswords => "ReadPasswords",
            Self::ReadDefinition => "ReadDefinition",
            Self::ReadGroups(_) => "ReadGroups",
            Self::ReadObject => "ReadObject",
            Self::ReadNamesake(_) => "ReadNamesake",
            Self::Resolve => "Resolve",
            Self::AddFinalizer => "AddFinalizer",
            Self::RemoveFinalizer => "RemoveFinalizer",
            Self::WriteStatus(_) => "WriteStatus",
            Self::Call { .. } => "Call",
            Self::Log(_) => "Log",
            Self::Publish(_) => "Publish",
            Self::Count(_) => "Count",
            Self::Finish(_) => "Finish",
        }
    }
}
