//! The facts that a pass knows.

use crate::{
    Arn, CallSource, CredentialsId, DeletionProgress, Fault, GroupsObservation, LastApplied, Location,
    Namesake, Ownership, Passwords, Readiness, RemoteUser, Tags, UserGroupId,
};

/// What this pass knows so far. It begins with what status contains, and each read adds a fact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observed {
    pub record: Record,
    /// Where the last answer of DescribeUsers came from. Before the first answer it has only the region.
    pub source: CallSource,
    /// This pass asked STS for the account of the credentials.
    pub caller_asked: bool,
    pub user: UserObservation,
    pub tags: TagsObservation,
    /// The owner when this process last read the user's tags.
    pub known_owner: Option<Ownership>,
    /// The tags are due for a comparison. Tags are read less often than the user.
    pub tags_due: bool,
    pub other_owner: OwnerObservation,
    /// Only read if the object may have vanished.
    pub namesake: Namesake,
    /// The last passwords of this process that AWS accepted.
    pub sent_passwords: Option<Passwords>,
    /// AWS has the passwords of the Secrets, although this pass did not read them.
    pub secrets_unchanged: bool,
    pub definition: Definition,
    pub groups: GroupsObservation,
    /// Status has the write that must precede the next mutation. When it was written, the object was not terminating
    /// (create) or not changed (delete).
    pub intent_written: bool,
    /// The pass has the rate limiter's token and has read the object again since. The object is still the version that this
    /// pass decides on.
    pub object_confirmed: bool,
}

impl Observed {
    /// No fact was read yet. The calls of this process go to `region`.
    #[must_use]
    pub fn nothing(region: &str) -> Self {
        let (credentials, account) = (CredentialsId(0), Account::NotAsked);
        Self {
            record: Record::default(),
            source: CallSource { region: region.to_owned(), credentials, account },
            caller_asked: false,
            user: UserObservation::NotRead,
            tags: TagsObservation::NotRead,
            known_owner: None,
            tags_due: false,
            other_owner: OwnerObservation::NotRead,
            namesake: Namesake::NotRead,
            sent_passwords: None,
            secrets_unchanged: false,
            definition: Definition::NotRead,
            groups: GroupsObservation::NotRead,
            intent_written: false,
            object_confirmed: false,
        }
    }
}

/// What status and this process know about the user before the pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    /// Set once AWS has shown the user.
    pub arn: Option<Arn>,
    pub location: Option<Location>,
    pub last_applied: Option<LastApplied>,
    pub reported: Option<Reported>,
    pub creation: Creation,
    /// A CreateUser of this object is so young that AWS may not show its tags yet (B110), answered or not.
    pub tags_may_lag: bool,
    pub deletion: DeletionProgress,
    /// This process saw UserNotFound but could not write it to status. Status still describes the former user.
    pub seen_gone: bool,
    /// AWS is applying a ModifyUser of this process.
    pub modify_sent: bool,
    pub readiness: Readiness,
    pub has_finalizer: bool,
    /// Neither status nor this process knows of a user, so CreateUser itself shows whether one exists.
    pub create_needs_no_look: bool,
    /// AWS was asked for this generation, status shows that a Secret is missing, and nothing can be done without it.
    pub waits_for_secret: bool,
    /// The object was created so recently that the object whose user it wants may be about to go.
    pub is_new: bool,
    /// `managedUserGroupIDs`: the memberships that this object added or keeps.
    pub managed_groups: Vec<UserGroupId>,
    /// `userGroupIDs` of status: the groups that the user was last seen in.
    pub member_of: Vec<String>,
}

impl Record {
    /// Status shows the user in this group.
    #[must_use]
    pub fn is_member_of(&self, group: &UserGroupId) -> bool {
        self.member_of.iter().any(|id| id == group.as_str())
    }
}

/// What status last reported about the user. It identifies a user that lost its tags.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reported {
    pub user_name: String,
    pub engine: String,
    pub authentication_type: String,
    pub access_string: String,
}

/// Whether the object of this cluster exists that another owner's tags name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OwnerObservation {
    #[default]
    NotRead,
    Exists,
    /// The object is being deleted.
    Leaving,
    /// The object was renamed, moved or deleted, and its user was retained.
    Gone,
    /// The operator does not watch the object's namespace, or may not read the object.
    Unknown,
}

/// Whether a CreateUser of this object may still take effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Creation {
    /// No CreateUser was sent, AWS refused it, AWS has shown its user, or it was sent too long ago.
    #[default]
    Closed,
    /// UserNotFound does not prove that the user is absent.
    Open,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    NotAsked,
    Known(String),
    /// AWS does not show the account. Only the region is compared, because otherwise a deletion could wait for ever.
    Withheld,
    Failed(Fault),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UserObservation {
    NotRead,
    Absent,
    Found(RemoteUser),
    Failed(Fault),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TagsObservation {
    NotRead,
    Read(Tags),
    /// 404, because the user is not active or its tags have just changed (B92). It does not prove that the user is absent.
    Unreadable,
    Failed(Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Definition {
    NotRead,
    Kept,
    /// The CustomResourceDefinition is being deleted, and every object with it.
    BeingDeleted,
    Unreadable,
}
