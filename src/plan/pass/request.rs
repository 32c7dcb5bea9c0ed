//! Pure: what a pass asks of its driver, and what the driver answers.

use std::time::Duration;

use crate::pace::Pace;
use crate::verdict::Outcome;
use crate::{
    Arn, CallSource, CredentialsId, Definition, Goal, Memory, Mutation, ObjectFacts, Owner, OwnerObservation,
    Status, TagsObservation, UserId, UserObservation,
};

/// What is the same for every pass of a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// How long to wait for what.
    pub pace: Pace,
    /// The region that AWS calls go to.
    pub region: String,
    /// The identity of this process, made anew at each start, for `deleteRequestedBy`.
    pub identity: String,
    /// The namespaces that are watched; empty for all.
    pub namespaces: Vec<String>,
}

/// Who goes first at the rate limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Urgency {
    /// Somebody waits for the pass: wait for a token.
    Work,
    /// Nobody waits for the pass: take a token only if one is there.
    Check,
    /// A check that found no token for a whole resync: one of these at a time may wait for a token.
    OverdueCheck,
}

/// What has to be done next. Each is answered by the [`Response`] that its documentation names; a request of the API server
/// may also be answered by [`Response::Conflict`] or [`Response::KubernetesFailed`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Get a token of the rate limiter and hold it for the next AWS call: [`Response::Token`].
    AcquireToken(Urgency),
    /// DescribeUsers of one user: [`Response::Described`].
    DescribeUser(UserId),
    /// ListTagsForResource: [`Response::Tags`].
    ListTags(Arn),
    /// Learn the account of the credentials by all means: [`Response::Identified`].
    Identify,
    /// Learn the account of the credentials by STS alone, which needs no token: [`Response::Identified`].
    IdentifyCaller,
    /// Read whether the object that owner tags name is there, uncached: [`Response::Owner`].
    ReadOwner(Owner),
    /// Read whether the CustomResourceDefinition is being deleted, uncached: [`Response::Definition`].
    ReadDefinition,
    /// Read the object, uncached: [`Response::Object`].
    ReadObject,
    /// Read the object, uncached, and make its goal anew: [`Response::Resolved`].
    Resolve,
    /// Add our finalizer to the version that is decided on: [`Response::Written`].
    AddFinalizer,
    /// Remove our finalizer from the version that is decided on: [`Response::Written`].
    RemoveFinalizer,
    /// Write this status to the version that is decided on: [`Response::Written`].
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
    /// Publish an event, which may fail: [`Response::Done`].
    Publish(EventContent),
    /// The pass is over.
    Finish(Finish),
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// Whether a token was granted.
    Token(bool),
    /// What DescribeUsers showed, and where the answer came from.
    Described(UserObservation, CallSource),
    /// What ListTagsForResource showed.
    Tags(TagsObservation),
    /// The credentials that calls are signed with now, and their account.
    Identified(CallSource),
    /// Whether the other object is there.
    Owner(OwnerObservation),
    /// Whether the CustomResourceDefinition stays.
    Definition(Definition),
    /// The object; `None` if it is gone, or another one of its name is there.
    Object(Option<Box<ObjectFacts>>),
    /// The object and its goal; `None` likewise.
    Resolved(Option<(Goal, ObjectFacts)>),
    /// The version that the write made.
    Written(ObjectFacts),
    /// The object is no longer the version that was decided on, or is gone. Nothing was written.
    Conflict,
    /// The API server did not do what was asked.
    KubernetesFailed {
        /// What was asked, verb first.
        what: &'static str,
        /// What the API server said.
        why: String,
    },
    /// This replica may write nothing any more.
    Ending,
    /// How the call ended.
    Called(Outcome),
    /// It is done.
    Done,
}

/// The end of a pass.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Finish {
    /// What to remember of the object; `None` if it is gone.
    pub memory: Option<Box<Memory>>,
    /// When to look at the object again; `None`: not before something changes.
    pub requeue: Option<Duration>,
    /// How the pass ended.
    pub result: PassResult,
}

/// How a pass ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PassResult {
    /// It came to its end.
    Done,
    /// The object kept changing under it.
    Conflict,
    /// Nobody waits for it, and no token was there. It wrote nothing.
    RateLimited,
    /// The operator is ending: nothing new is begun.
    Ending,
    /// The API server did not do what was asked.
    KubernetesFailed {
        /// What was asked, verb first.
        what: &'static str,
        /// What the API server said.
        why: String,
    },
    /// It took longer than a pass may take.
    TimedOut,
    /// It did not come to an end: a defect of the operator.
    Endless,
}

/// An event about the object, before it has a time and a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventContent {
    /// Warning rather than Normal.
    pub warning: bool,
    /// Why, one word.
    pub reason: &'static str,
    /// What the operator was doing, one word.
    pub action: &'static str,
    /// The same for people.
    pub note: String,
    /// Something was corrected that somebody else had changed in AWS; counted.
    pub corrects_drift: bool,
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the usual words")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
}

/// One line of the log about the object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogLine {
    /// How loud.
    pub level: LogLevel,
    /// What the pass did, one word.
    pub step: &'static str,
    /// The user ID; empty if AWS was called for none.
    pub user_id: String,
    /// The reason of the event that says the same, if there is one.
    pub event: Option<&'static str>,
    /// The reason of the conditions.
    pub reason: &'static str,
    /// AWS's error code.
    pub code: Option<String>,
    /// The sentence.
    pub message: String,
}

impl Request {
    /// One word for the trace log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AcquireToken(_) => "AcquireToken",
            Self::DescribeUser(_) => "DescribeUser",
            Self::ListTags(_) => "ListTags",
            Self::Identify => "Identify",
            Self::IdentifyCaller => "IdentifyCaller",
            Self::ReadOwner(_) => "ReadOwner",
            Self::ReadDefinition => "ReadDefinition",
            Self::ReadObject => "ReadObject",
            Self::Resolve => "Resolve",
            Self::AddFinalizer => "AddFinalizer",
            Self::RemoveFinalizer => "RemoveFinalizer",
            Self::WriteStatus(_) => "WriteStatus",
            Self::Call { .. } => "Call",
            Self::Log(_) => "Log",
            Self::Publish(_) => "Publish",
            Self::Finish(_) => "Finish",
        }
    }
}
