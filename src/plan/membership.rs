//! Which user groups the user has to join and to leave, and what status records about it.

use std::collections::BTreeMap;

use crate::{CredentialsId, Fault, Lifecycle, Observed, RemoteUser, UserGroupId};

/// Whether objects of this namespace may join the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupPermission {
    Allowed,
    /// `--allowed-user-group` has no pattern for it.
    NotAllowed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    Join,
    Leave,
}

/// How far a change of one membership is. What the coordinator of the groups knows about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MembershipState {
    /// The group was not looked at for this change yet.
    Queued,
    /// There is no such group.
    Absent,
    /// The group is in this state, and not because of a call for this user.
    Busy(Lifecycle),
    /// AWS accepted the call. The group is not `active` yet.
    Applying(Swap),
    /// The group is `active` and shows the membership as it should be.
    Settled(Swap),
    /// The group has no room.
    Full(GroupSize),
    /// AWS refuses this user for good.
    Refused(Fault),
    /// Another member has the user's name. That may pass.
    NameTaken(Fault),
    /// The role may not change the membership of several users together, this one among them. AWS was not asked for it alone.
    DeniedTogether(Fault),
    /// Without this user AWS's own default user would open these caches.
    DefaultInUse { caches: Vec<String> },
    /// `--allowed-user-group` has no pattern for the group.
    NotAllowed,
    /// A call failed.
    Failed(GroupCall, Fault),
}

/// Whether the call that changes the membership takes AWS's own default user out, or puts it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Swap {
    No,
    Yes,
}

/// What AWS said about the size of a group that has no room.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupSize {
    pub members: usize,
    /// `None` if AWS was not asked.
    pub fault: Option<Fault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupCall {
    DescribeUserGroups,
    ModifyUserGroup,
}

impl GroupCall {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DescribeUserGroups => "DescribeUserGroups",
            Self::ModifyUserGroup => "ModifyUserGroup",
        }
    }
}

/// What the coordinator knows about the groups of one user. `NotRead`: the pass did not ask yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum GroupsObservation {
    #[default]
    NotRead,
    Read(BTreeMap<UserGroupId, MembershipState>),
}

impl GroupsObservation {
    pub(crate) fn of(&self, group: &UserGroupId) -> MembershipState {
        match self {
            Self::Read(states) => states.get(group).cloned().unwrap_or(MembershipState::Queued),
            Self::NotRead => MembershipState::Queued,
        }
    }

    /// AWS accepted a change of one of the user's groups and is applying it.
    #[must_use]
    pub(crate) fn is_applying(&self) -> bool {
        match self {
            Self::Read(states) => states.values().any(|state| matches!(state, MembershipState::Applying(_))),
            Self::NotRead => false,
        }
    }
}

/// A membership that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MembershipChange {
    pub group: UserGroupId,
    pub direction: Direction,
    pub state: MembershipState,
}

/// What has to change, by group, and what status has to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memberships {
    pub changes: Vec<MembershipChange>,
    /// `managedUserGroupIDs`.
    pub managed: Vec<UserGroupId>,
}

/// The groups of a spec.
pub type WantedGroups = BTreeMap<UserGroupId, GroupPermission>;

/// The groups that a pass has to know of: those of the spec, and those that this object joined.
pub(crate) fn concerned(wanted: &WantedGroups, observed: &Observed) -> Vec<UserGroupId> {
    let mut groups: Vec<UserGroupId> = wanted.keys().cloned().collect();
    groups.extend(observed.record.managed_groups.iter().cloned());
    groups.sort();
    groups.dedup();
    groups
}

/// Nobody has asked the coordinator yet, although the object has to do with groups.
pub(crate) fn groups_are_unread(wanted: &WantedGroups, observed: &Observed) -> bool {
    observed.groups == GroupsObservation::NotRead && !concerned(wanted, observed).is_empty()
}

/// `user` is what AWS showed last.
#[must_use]
pub(crate) fn memberships(wanted: &WantedGroups, user: &RemoteUser, observed: &Observed) -> Memberships {
    let mut found = Memberships::default();
    for group in concerned(wanted, observed) {
        let managed = observed.record.managed_groups.contains(&group);
        let member = user.user_group_ids.iter().any(|id| id == group.as_str());
        let state = observed.groups.of(&group);
        let (direction, state, recorded) = match (wanted.get(&group), member) {
            // The group has not applied the change to all its members.
            (Some(_), true) if matches!(state, MembershipState::Applying(_)) => {
                (Direction::Join, Some(state), true)
            }
            (Some(_), true) => (Direction::Join, None, true),
            (Some(GroupPermission::Allowed), false) => (Direction::Join, Some(state), true),
            (Some(GroupPermission::NotAllowed), false) => {
                (Direction::Join, Some(MembershipState::NotAllowed), managed)
            }
            (None, true) => (Direction::Leave, Some(state), true),
            (None, false) if has_left(&state) => (Direction::Leave, None, false),
            // A join may still be on its way, so look at the group before the membership counts as gone.
            (None, false) => (Direction::Leave, Some(state), true),
        };
        if recorded {
            found.managed.push(group.clone());
        }
        found.changes.extend(state.map(|state| MembershipChange { group, direction, state }));
    }
    found
}

/// The group was looked at, and the user is not a member.
fn has_left(state: &MembershipState) -> bool {
    match state {
        MembershipState::Settled(_) | MembershipState::Absent => true,
        MembershipState::Queued
        | MembershipState::Busy(_)
        | MembershipState::Applying(_)
        | MembershipState::Full(_)
        | MembershipState::Refused(_)
        | MembershipState::NameTaken(_)
        | MembershipState::DeniedTogether(_)
        | MembershipState::DefaultInUse { .. }
        | MembershipState::NotAllowed
        | MembershipState::Failed(..) => false,
    }
}

impl Memberships {
    /// The user as a group sees it, and what it asks of the groups.
    #[must_use]
    pub(crate) fn wishes(&self) -> BTreeMap<UserGroupId, Direction> {
        let asked = self.changes.iter().filter(|change| change.state != MembershipState::NotAllowed);
        asked.map(|change| (change.group.clone(), change.direction)).collect()
    }
}

/// What the groups have to know of the object that asks, and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupWishes {
    /// The credentials that signed what the pass knows of the user. They may belong to another account than later ones.
    pub credentials: CredentialsId,
    pub user_id: String,
    pub user_name: String,
    /// What AWS's refusal of the user depends on.
    pub engine: String,
    pub authentication_type: String,
    pub directions: BTreeMap<UserGroupId, Direction>,
}

impl GroupWishes {
    pub(crate) fn of(user: &RemoteUser, memberships: &Memberships, observed: &Observed) -> Option<Self> {
        let directions = memberships.wishes();
        (!directions.is_empty()).then(|| Self {
            credentials: observed.source.credentials,
            user_id: user.user_id.clone(),
            user_name: user.user_name.clone(),
            engine: user.engine.clone(),
            authentication_type: user.authentication_type.clone(),
            directions,
        })
    }
}
