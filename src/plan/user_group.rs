//! A user group as AWS shows it.

use std::fmt;

use crate::{Fault, InvalidUserId, Lifecycle, UserId};

/// The identity of a user group within an account and region, in lower case because AWS stores it so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserGroupId(String);

impl UserGroupId {
    /// Follows the rule of user IDs.
    ///
    /// # Errors
    /// [`InvalidUserId`] if AWS would not accept the ID.
    pub fn parse(text: &str) -> Result<Self, InvalidUserId> {
        UserId::parse(text).map(|id| Self(id.as_str().to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserGroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// AWS's `UserGroup`, as far as a change of its members needs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserGroup {
    pub id: UserGroupId,
    /// `Status`.
    pub lifecycle: Lifecycle,
    pub engine: String,
    /// While a change is pending, the former members (B76).
    pub user_ids: Vec<String>,
    /// `ReplicationGroups` and `ServerlessCaches`: what the group's users log in to.
    pub caches: Vec<String>,
}

impl UserGroup {
    #[must_use]
    pub fn has(&self, user_id: &str) -> bool {
        self.user_ids.iter().any(|member| member == user_id)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GroupObservation {
    Found(UserGroup),
    Absent,
    Failed(Fault),
}

/// How ModifyUserGroup ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GroupOutcome {
    Accepted,
    /// UserGroupNotFound.
    NotFound,
    /// The call was not sent: it would have been signed by other credentials than the DescribeUserGroups before it.
    CredentialsChanged,
    Failed(Fault),
}

/// The arguments of a ModifyUserGroup. Only a swap of the default user has both lists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupChange {
    pub group: UserGroupId,
    pub add: Vec<String>,
    pub remove: Vec<String>,
}
