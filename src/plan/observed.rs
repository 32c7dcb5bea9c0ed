//! Pure: what is known in a pass: what status remembers, and one fact more with each look.

use crate::{
    Arn, CallSource, DeletionProgress, Fault, LastApplied, Location, Ownership, Passwords, Readiness,
    RemoteUser, Tags,
};

/// What is known so far in this pass. Begins with what status remembers and grows by one fact with each look.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observed {
    /// What status remembers.
    pub record: Record,
    /// Where the last DescribeUsers came from; before the first, the region alone.
    pub source: CallSource,
    /// STS was asked for the account in this pass.
    pub caller_asked: bool,
    /// DescribeUsers.
    pub user: UserObservation,
    /// ListTagsForResource in this pass.
    pub tags: TagsObservation,
    /// Whose the user was when this process last read its tags.
    pub known_owner: Option<Ownership>,
    /// It is time to compare the tags: they are read at a slower pace than the rest.
    pub tags_due: bool,
    /// The object that the tags of another owner name.
    pub other_owner: OwnerObservation,
    /// The passwords that this process last sent, and AWS accepted.
    pub sent_passwords: Option<Passwords>,
    /// The CustomResourceDefinition.
    pub definition: Definition,
    /// The write that must precede the next mutation stands in status, and the object was not terminating (create) or not
    /// changed (delete) when it was written.
    pub intent_written: bool,
    /// With the rate limiter's token in hand, the object was read again and is the version that this pass decides on.
    pub object_confirmed: bool,
}

/// What status and this process remember of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    /// The user's ARN, once it was seen.
    pub arn: Option<Arn>,
    /// Where the user is, or is about to be created.
    pub location: Option<Location>,
    /// What was last sent, and what AWS made of it.
    pub last_applied: Option<LastApplied>,
    /// What status last reported of the user.
    pub reported: Option<Reported>,
    /// A CreateUser of this object whose outcome may still show.
    pub creation: Creation,
    /// How far the deletion of the user has come.
    pub deletion: DeletionProgress,
    /// This process saw that the user is gone, and could not write that to status: what status says is about a former user.
    pub seen_gone: bool,
    /// A ModifyUser of this process is being applied.
    pub modify_sent: bool,
    /// How the Ready condition stands to the generation at hand.
    pub readiness: Readiness,
    /// Our finalizer is on the object.
    pub has_finalizer: bool,
}

/// What status last reported of the user: its identity, for a user that lost its tags.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reported {
    /// `userName`.
    pub user_name: String,
    /// `engine`.
    pub engine: String,
    /// `authentication.type`.
    pub authentication_type: String,
    /// `accessString`.
    pub access_string: String,
}

/// The object of this cluster that another owner's tags name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OwnerObservation {
    /// Not asked yet.
    #[default]
    NotRead,
    /// It is there.
    Exists,
    /// There is no such object any more: it was renamed, moved or deleted, and its user retained.
    Gone,
    /// Its namespace is not watched, or the API server does not tell.
    Unknown,
}

/// Whether a CreateUser of this object may still take effect unseen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Creation {
    /// No: none was sent, AWS refused it, its user was seen, or it is too long ago.
    #[default]
    Closed,
    /// Yes: UserNotFound is not to be believed yet.
    Open,
}

/// The account that AWS calls go to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    /// Nobody asked yet.
    NotAsked,
    /// Read from an ARN.
    Known(String),
    /// AWS does not tell: the region decides alone, so that nothing waits for ever.
    Withheld,
    /// Asking failed.
    Failed(Fault),
}

/// What DescribeUsers shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UserObservation {
    /// Not asked yet.
    NotRead,
    /// UserNotFound.
    Absent,
    /// The user.
    Found(RemoteUser),
    /// No answer that says either.
    Failed(Fault),
}

/// What ListTagsForResource shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TagsObservation {
    /// Not asked yet.
    NotRead,
    /// The tags.
    Read(Tags),
    /// 404: the user is not active, or its tags have just been changed (B92). Says nothing about the user.
    Unreadable,
    /// No answer.
    Failed(Fault),
}

/// Whether the CustomResourceDefinition itself is being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Definition {
    /// Not asked yet.
    NotRead,
    /// It is not being deleted.
    Kept,
    /// It is being deleted, and every object with it.
    BeingDeleted,
    /// The API server does not tell.
    Unreadable,
}
