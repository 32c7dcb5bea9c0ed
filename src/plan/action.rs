//! Everything that the operator can do next.

use crate::{
    Arn, AuthenticationChange, BrokenRule, Changes, Engine, Fault, LastApplied, Lifecycle, Location, Owner,
    SecretProblem, Tags, UserId,
};

/// What to do next. An action carries every argument of its call, so that performing it needs no decision.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Fetch(Fetch),
    /// Add the finalizer before anything else, because the user may be ours or because AWS is about to be changed.
    AddFinalizer,
    /// Write to status before the next mutation.
    WriteIntent(WriteIntent),
    Create(Create),
    Modify(Modify),
    Tag(Tag),
    Untag(Untag),
    Delete(Delete),
    /// Remove the finalizer.
    ReleaseFinalizer(ReleaseReason),
    /// Requeue: no person has to do anything.
    Wait(Wait),
    Refuse(Refusal),
    InSync,
    /// Do nothing, because the object is suspended.
    Suspended {
        /// The object was Ready, and status shows that the current spec was applied.
        ready: bool,
    },
    /// Report how the user differs, because the object only observes.
    ObserveOnly(Comparison),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the action of its name")]
pub enum Mutation {
    Create(Create),
    Modify(Modify),
    Tag(Tag),
    Untag(Untag),
    Delete(Delete),
}

impl Mutation {
    /// The same mutation without its cause. `None` for CreateUser and DeleteUser, whose effect is a user that comes or goes.
    pub(crate) fn change(&self) -> Option<Self> {
        match self {
            Self::Modify(modify) => Some(Self::Modify(Modify { cause: Cause::Edit, ..modify.clone() })),
            Self::Tag(tag) => Some(Self::Tag(Tag { cause: Cause::Edit, ..tag.clone() })),
            Self::Untag(untag) => Some(Self::Untag(untag.clone())),
            Self::Create(_) | Self::Delete(_) => None,
        }
    }
}

impl Action {
    /// What CreateUser or ModifyUser sends.
    #[must_use]
    pub fn authentication(&self) -> Option<&AuthenticationChange> {
        if let Self::Create(create) = self {
            return Some(&create.authentication);
        }
        let Self::Modify(modify) = self else { return None };
        modify.changes.authentication.as_ref()
    }

    /// `None` if the action changes nothing in AWS.
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

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fetch {
    User(UserId),
    Tags(Arn),
    /// The account of the credentials, from STS or else from DescribeUsers of `default`, which every account has (B20).
    Account,
    /// The account of the credentials from STS alone. This makes no ElastiCache call.
    Caller,
    /// Whether the object that another owner's tags name exists. Uncached.
    Owner(Owner),
    /// Whether the object exists that may have vanished, or another one of its name. Uncached.
    Namesake,
    /// The passwords, from the Secrets that the object names.
    Passwords,
    /// Uncached.
    Definition,
    /// What the coordinator of the user groups knows. This makes no call.
    Groups,
    /// The object, uncached, after the pass has the rate limiter's token.
    Object,
    /// `Object`, and then `Definition`.
    ObjectAndDefinition,
}

/// A status write that must succeed before the mutation is sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WriteIntent {
    /// Write `createRequestedAt` and the keys of the tags that are about to be sent. Needs the rate limiter's token.
    Create { tag_keys: Vec<String> },
    /// Write the keys of the tags that are about to be sent. Otherwise a lost answer would hide that a tag is ours.
    Tags {
        tag_keys: Vec<String>,
        /// Remove the recorded Secret versions from status, because the user had no owner tags: somebody may have made it again
        /// with other passwords.
        forget_passwords: bool,
    },
    /// Correct what ModifyUser is about to make wrong in status. Otherwise, if its answer is lost and somebody reverts the
    /// spec, status would claim that AWS still has the old values.
    Modify {
        /// AWS's form of the access string that was sent before, if status does not have it yet.
        expanded_access_string: Option<String>,
        /// Remove the recorded Secret versions from status, because from here on the operator cannot know which passwords AWS has.
        forget_passwords: bool,
    },
    /// Write `deleteRequestedAt`, `deleteRequestedBy` and the `Deleting` condition, and remove `lastApplied`. After that,
    /// status no longer proves that an `active` user without our tags is ours.
    Delete,
    /// Restore `lastApplied`, because the user lost its owner tags and this process knows that AWS refused DeleteUser.
    Reclaim { last_applied: LastApplied },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Create {
    pub user_id: UserId,
    pub user_name: String,
    pub engine: Engine,
    pub access_string: String,
    pub authentication: AuthenticationChange,
    /// The owner tags and the spec's tags.
    pub tags: Tags,
    pub cause: Cause,
}

/// Why the operator changes the AWS user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    Edit,
    Rotation,
    /// Somebody else changed the AWS user. Describes what differed.
    Drift(Vec<String>),
    /// The user belonged to no object, and this object adopts it.
    Adoption,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Modify {
    pub user_id: UserId,
    /// Only what differs.
    pub changes: Changes,
    pub cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    pub arn: Arn,
    pub tags: Tags,
    pub cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Untag {
    pub arn: Arn,
    /// Keys that were removed from the spec and that the user still has.
    pub keys: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delete {
    pub user_id: UserId,
}

/// Why the finalizer may be removed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReleaseReason {
    /// DescribeUsers answered UserNotFound in the right account and region, and no CreateUser of ours can still take
    /// effect.
    UserGone,
    NoSuchUser,
    Retained {
        /// AWS accepted DeleteUser before the policy changed, so it deletes the user anyway.
        deletion_accepted: bool,
    },
    /// The CustomResourceDefinition is being deleted, which retains every user.
    DefinitionDeleted {
        deletion_accepted: bool,
    },
    Observes {
        deletion_accepted: bool,
    },
    LeftToOwner(Owner),
    LeftUnowned,
}

/// What the pass waits for. None of these needs a change of the spec.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// The annotation `prevent-deletion` blocks the deletion.
    Protected,
    Suspended,
    CreationOpen,
    /// AWS is deleting the user.
    UserDeleting,
    /// AWS is deleting an earlier user of the same ID.
    PreviousUser,
    /// The object that owns the user is being deleted, or this object is new and the other one may be about to go.
    PreviousOwner(Owner),
    Creating,
    Modifying,
    /// AWS is changing one of the user's groups because of a call of ours.
    ChangingGroups,
    /// The user of a Ready object is `modifying`, and not because of a call of this object. A change of a group does that to
    /// its members (B85).
    BusyForOthers,
    /// The user is the default user of groups, and must leave them before it is deleted.
    LeavingGroups,
    /// The user is not `active`, and not because of a call of ours.
    UserNotActive(Lifecycle),
    /// AWS does not show the user's tags now.
    OwnerUnknown(Lifecycle),
    Secret(SecretProblem),
    DefinitionUnreadable,
    /// So many other objects of the namespace go before this one (`--max-users-per-namespace`).
    NamespaceFull {
        limit: u32,
    },
    /// The object exists, so its user is no orphan.
    NotVanished,
    /// Another object of the vanished object's name wants its user.
    Namesake,
    /// AWS accepted this mutation more than once, and shows other values than it sends.
    NotShown(Box<Mutation>),
    /// The user of a terminating object is in another account or region than the calls go to.
    WrongLocation(WrongLocation),
    Failed(Read, Fault),
}

impl Wait {
    /// What the API server did not do, verb first, and why. It is not the fault of the object, so the pass reports nothing on
    /// the object and tries again.
    #[must_use]
    pub(crate) fn kubernetes_failure(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Secret(SecretProblem::Unreadable { secret, why }) => {
                Some(("read a Secret", format!("\"{secret}\": {why}")))
            }
            Self::DefinitionUnreadable => {
                Some(("read the CustomResourceDefinition", "the API server did not tell".to_owned()))
            }
            Self::Secret(
                SecretProblem::NotRead
                | SecretProblem::NotFound { .. }
                | SecretProblem::KeyNotFound { .. }
                | SecretProblem::Forbidden { .. }
                | SecretProblem::Invalid { .. },
            )
            | Self::Protected
            | Self::Suspended
            | Self::CreationOpen
            | Self::UserDeleting
            | Self::PreviousUser
            | Self::NotVanished
            | Self::Namesake
            | Self::Creating
            | Self::Modifying
            | Self::ChangingGroups
            | Self::BusyForOthers
            | Self::LeavingGroups
            | Self::UserNotActive(_)
            | Self::OwnerUnknown(_)
            | Self::PreviousOwner(_)
            | Self::NamespaceFull { .. }
            | Self::NotShown(_)
            | Self::WrongLocation(_)
            | Self::Failed(..) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Read {
    DescribeUsers,
    ListTagsForResource,
}

/// What only a person can fix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The spec asks for something impossible. Describes the reason.
    InvalidSpec(String),
    InvalidPassword(SecretProblem),
    /// A user of this ID exists and belongs to no object.
    UserAlreadyExists {
        /// The object that owned the user and no longer exists.
        former: Option<Owner>,
    },
    /// A user of this ID exists and belongs to no object, but `--adoption-namespace` lacks a namespace.
    AdoptionNotAllowed {
        /// The object's, or that of the former object.
        namespace: String,
        former: Option<Owner>,
    },
    /// The same, but `--forbid=adopt` is set.
    AdoptionForbidden,
    BreaksRule(BrokenRule),
    UserOwnedByAnother(Owner),
    WrongLocation(WrongLocation),
}

/// The user is, or was about to be created, in another account or region than AWS calls go to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WrongLocation {
    /// The ARN in status; `None` if AWS never showed the user.
    pub arn: Option<Arn>,
    pub recorded: Location,
    /// Where the calls go. The account is set only if the region matches. Otherwise the message would change each time that
    /// another process does not know the account.
    pub called: Location,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    Matches,
    /// What would be changed, one description for each field.
    Differs(Vec<String>),
    Missing,
}
