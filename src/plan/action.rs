//! Pure: what can be done next. The table of contents of everything that the operator does.

use crate::{
    Arn, AuthenticationChange, Changes, Engine, Fault, LastApplied, Lifecycle, Location, Owner,
    SecretProblem, Tags, UserId,
};

/// What to do next. Each carries every argument: whoever performs it has no choice left.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A fact is missing.
    Fetch(Fetch),
    /// The finalizer goes on before anything else is done or told: the user is ours or may be, or AWS is about to be changed.
    AddFinalizer,
    /// A status write has to precede the next mutation.
    WriteIntent(WriteIntent),
    /// CreateUser.
    Create(Create),
    /// ModifyUser.
    Modify(Modify),
    /// AddTagsToResource.
    Tag(Tag),
    /// RemoveTagsFromResource.
    Untag(Untag),
    /// DeleteUser.
    Delete(Delete),
    /// The finalizer goes.
    ReleaseFinalizer(ReleaseReason),
    /// Time will tell.
    Wait(Wait),
    /// A person has to change something.
    Refuse(Refusal),
    /// The user is as it should be.
    InSync,
    /// Nothing is done, as the object is suspended.
    Suspended {
        /// It was Ready, and status shows the spec as it was last applied.
        ready: bool,
    },
    /// Report how the user differs, because the object only observes.
    ObserveOnly(Comparison),
}

/// A call that changes something in AWS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the action of its name")]
pub enum Mutation {
    Create(Create),
    Modify(Modify),
    Tag(Tag),
    Untag(Untag),
    Delete(Delete),
}

impl Action {
    /// The call that changes something in AWS; `None`: the action changes nothing there.
    #[must_use]
    pub fn mutation(&self) -> Option<Mutation> {
        match self {
            Self::Create(create) => Some(Mutation::Create(create.clone())),
            Self::Modify(modify) => Some(Mutation::Modify(modify.clone())),
            Self::Tag(tag) => Some(Mutation::Tag(tag.clone())),
            Self::Untag(untag) => Some(Mutation::Untag(untag.clone())),
            Self::Delete(delete) => Some(Mutation::Delete(delete.clone())),
            Self::Fetch(_)
            | Self::AddFinalizer
            | Self::WriteIntent(_)
            | Self::ReleaseFinalizer(_)
            | Self::Wait(_)
            | Self::Refuse(_)
            | Self::InSync
            | Self::Suspended { .. }
            | Self::ObserveOnly(_) => None,
        }
    }
}

/// A fact to find out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fetch {
    /// The user, by DescribeUsers.
    User(UserId),
    /// Its tags, by ListTagsForResource.
    Tags(Arn),
    /// The account of the credentials, by all means: STS, or DescribeUsers of the user `default`, which every account has
    /// (B20).
    Account,
    /// The account of the credentials, by STS alone, which costs no call of ElastiCache.
    Caller,
    /// Whether the object that another owner's tags name is there, uncached.
    Owner(Owner),
    /// The CustomResourceDefinition, uncached.
    Definition,
    /// The object, uncached, once the rate limiter's token is in hand.
    Object,
    /// The same, and then the CustomResourceDefinition.
    ObjectAndDefinition,
}

/// A status write that precedes a mutation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WriteIntent {
    /// `createRequestedAt`, with the keys of the tags that are about to be sent. Needs the rate limiter's token first.
    Create {
        /// Keys of the spec's tags.
        tag_keys: Vec<String>,
    },
    /// The keys of the tags that are about to be sent, so that a tag is known as ours however the call ends.
    Tags {
        /// All keys that are ours from now on.
        tag_keys: Vec<String>,
    },
    /// What ModifyUser is about to overwrite. Should its answer be lost, and the spec go back, nothing in status may still
    /// pass for what AWS has.
    Modify {
        /// AWS's form of the access string that was sent before, where nobody has noted it yet.
        expanded_access_string: Option<String>,
        /// From now on it is not known which passwords AWS has.
        forget_passwords: bool,
    },
    /// `deleteRequestedAt` and `deleteRequestedBy` with the `Deleting` condition, and `lastApplied` goes. From here on an
    /// `active` user without our tags is not the one that we had, for all that status says.
    Delete,
    /// `lastApplied` comes back into status, as the user has lost its owner tags and this process knows it still.
    Reclaim {
        /// What was there before.
        last_applied: LastApplied,
    },
}

/// Arguments of CreateUser.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Create {
    /// `UserId`.
    pub user_id: UserId,
    /// `UserName`.
    pub user_name: String,
    /// `Engine`.
    pub engine: Engine,
    /// `AccessString`.
    pub access_string: String,
    /// `AuthenticationMode`.
    pub authentication: AuthenticationChange,
    /// `Tags`: the owner's and the spec's.
    pub tags: Tags,
    /// Why.
    pub cause: Cause,
}

/// Why AWS's user is changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The spec asks for something new.
    Edit,
    /// Only passwords are new.
    Rotation,
    /// Somebody changed AWS's user behind the operator's back: what differed, for people.
    Drift(Vec<String>),
    /// The user was nobody's and is taken over.
    Adoption,
}

/// Arguments of ModifyUser.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Modify {
    /// `UserId`.
    pub user_id: UserId,
    /// What is sent: only what differs.
    pub changes: Changes,
    /// Why.
    pub cause: Cause,
}

/// Arguments of AddTagsToResource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// `ResourceName`.
    pub arn: Arn,
    /// `Tags`.
    pub tags: Tags,
    /// Why.
    pub cause: Cause,
}

/// Arguments of RemoveTagsFromResource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Untag {
    /// `ResourceName`.
    pub arn: Arn,
    /// `TagKeys`: those that left the spec and are still there.
    pub keys: Vec<String>,
}

/// Arguments of DeleteUser.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delete {
    /// `UserId`.
    pub user_id: UserId,
}

/// Why the finalizer may go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReleaseReason {
    /// DescribeUsers answers UserNotFound, here, and nothing of ours can appear any more.
    UserGone,
    /// The object names no user that could exist.
    NoSuchUser,
    /// `deletionPolicy: Retain`.
    Retained {
        /// DeleteUser was accepted before the policy changed: AWS will not keep the user.
        deletion_accepted: bool,
    },
    /// The CustomResourceDefinition is being deleted: every user is retained.
    DefinitionDeleted {
        /// DeleteUser was accepted before.
        deletion_accepted: bool,
    },
    /// `managementPolicy: Observe`: the user is none of this object's business.
    Observes {
        /// DeleteUser was accepted before.
        deletion_accepted: bool,
    },
    /// The user belongs to somebody else, and stays.
    LeftToOwner(Owner),
    /// The user belongs to no object, and stays.
    LeftUnowned,
}

/// What the pass waits for; time heals each of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// The annotation `prevent-deletion` holds the object.
    Protected,
    /// The object is suspended.
    Suspended,
    /// A CreateUser of ours may still take effect.
    CreationOpen,
    /// AWS lets the user go.
    UserDeleting,
    /// A user of the same ID is on its way out; ours is created afterwards.
    PreviousUser,
    /// The user is being created.
    Creating,
    /// Our ModifyUser is being applied.
    Modifying,
    /// The user is not `active`, for a reason of somebody else's.
    UserNotActive(Lifecycle),
    /// Whose the user is cannot be read now.
    OwnerUnknown(Lifecycle),
    /// The passwords cannot be read.
    Secret(SecretProblem),
    /// Whether the CustomResourceDefinition is going cannot be read.
    DefinitionUnreadable,
    /// On the way out: the user is in another account or region than the one talked to.
    WrongLocation(WrongLocation),
    /// A look failed.
    Failed(Read, Fault),
}

/// A read of AWS, for sentences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Read {
    /// DescribeUsers.
    DescribeUsers,
    /// ListTagsForResource.
    ListTagsForResource,
}

/// What only a person can mend.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The spec cannot be made real; says why.
    InvalidSpec(String),
    /// The Secret's value cannot be a password.
    InvalidPassword(SecretProblem),
    /// A user of this ID is there and belongs to no object.
    UserAlreadyExists {
        /// The object that it belonged to, which is no longer there.
        former: Option<Owner>,
    },
    /// Such a user could be taken over, but not by an object of this namespace.
    AdoptionNotAllowed,
    /// The administrator lets this namespace have only IDs that begin so.
    UserIdNotAllowed {
        /// The ID.
        user_id: UserId,
        /// What it would have to begin with.
        prefix: String,
    },
    /// A user of this ID is there and belongs to another object.
    UserOwnedByAnother(Owner),
    /// The user is in another account or region than the one talked to.
    WrongLocation(WrongLocation),
}

/// The user is, or was about to be created, in another place than the one that AWS calls go to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WrongLocation {
    /// The ARN in status, if the user was seen.
    pub arn: Option<Arn>,
    /// Where the user is.
    pub recorded: Location,
    /// Where the calls go. The account is only there if the region is the right one. Otherwise one process may know it and
    /// the next may not, and the message would change with that.
    pub called: Location,
}

/// What an object that observes sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// The user is there and matches.
    Matches,
    /// What would be changed, field by field, for people.
    Differs(Vec<String>),
    /// There is no such user.
    Missing,
}
