//! AWS's users and groups, as far as memberships depend on them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plan::verdict::Outcome;
use plan::*;

use crate::common;

/// How long a change takes.
const CHANGE: Duration = Duration::from_secs(20);

/// What happens to the next ModifyUserGroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Luck {
    Throttled,
    LostBefore,
    LostAfter,
    /// The process is killed, and the call had no effect.
    KilledBefore,
    KilledAfter,
}

#[derive(Clone, Debug)]
struct User {
    shown: RemoteUser,
    tags: Tags,
    busy_until: Duration,
    is_deleting: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub(crate) members: BTreeSet<String>,
    pending: Option<(Duration, BTreeSet<String>)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Service {
    now: Duration,
    users: BTreeMap<String, User>,
    pub(crate) groups: BTreeMap<String, Group>,
    /// Users that AWS refuses in every group.
    pub(crate) culprits: BTreeSet<String>,
}

pub(crate) fn fault(code: &str) -> Fault {
    match classify::classify_group(code, "", 400) {
        classify::Answer::Fault(fault) => fault,
        other => panic!("{other:?} is no fault"),
    }
}

pub(crate) fn group_id(id: &str) -> UserGroupId {
    UserGroupId::parse(id).unwrap()
}

impl Service {
    pub(crate) fn advance(&mut self, now: Duration) {
        self.now = now;
        let gone = |user: &User| user.is_deleting && user.busy_until <= now;
        let removed: Vec<String> =
            self.users.iter().filter(|(_, user)| gone(user)).map(|(id, _)| id.clone()).collect();
        removed.iter().for_each(|id| self.remove(id));
        for group in self.groups.values_mut() {
            if let Some((_, members)) = group.pending.take_if(|(until, _)| *until <= now) {
                group.members = members;
            }
        }
    }

    /// The user is gone, and so it is no member any more (B67).
    pub(crate) fn remove(&mut self, id: &str) {
        self.users.remove(id);
        for group in self.groups.values_mut() {
            group.members.remove(id);
            if let Some((_, members)) = &mut group.pending {
                members.remove(id);
            }
        }
    }

    pub(crate) fn describe(&self, id: &str) -> UserObservation {
        let Some(user) = self.users.get(id) else { return UserObservation::Absent };
        let groups = self.groups.iter().filter(|(_, group)| group.members.contains(id));
        let lifecycle = match (user.is_deleting, user.busy_until > self.now) {
            (true, _) => Lifecycle::Deleting,
            (false, true) => Lifecycle::Modifying,
            (false, false) => Lifecycle::Active,
        };
        let user_group_ids = groups.map(|(id, _)| id.clone()).collect();
        UserObservation::Found(RemoteUser { lifecycle, user_group_ids, ..user.shown.clone() })
    }

    pub(crate) fn tags(&self, arn: &Arn) -> TagsObservation {
        match self.users.get(arn.user()) {
            Some(user) if user.busy_until <= self.now => TagsObservation::Read(user.tags.clone()),
            Some(_) | None => TagsObservation::Unreadable,
        }
    }

    pub(crate) fn call(&mut self, mutation: &Mutation) -> Outcome {
        let now = self.now;
        let id = match mutation {
            Mutation::Create(create) => return self.create(create),
            Mutation::Modify(modify) => modify.user_id.as_str(),
            Mutation::Tag(Tag { arn, .. }) | Mutation::Untag(Untag { arn, .. }) => arn.user(),
            Mutation::Delete(delete) => delete.user_id.as_str(),
        };
        let id = id.to_owned();
        let Some(user) = self.users.get_mut(&id) else { return Outcome::NotFound };
        if user.busy_until > now {
            return Outcome::Failed(fault("InvalidUserState"));
        }
        match mutation {
            Mutation::Tag(tag) => {
                user.tags.extend(tag.tags.clone());
                return Outcome::Tagged(user.tags.clone());
            }
            Mutation::Delete(_) => user.is_deleting = true,
            Mutation::Create(_) | Mutation::Modify(_) | Mutation::Untag(_) => {}
        }
        user.busy_until = now + CHANGE;
        match self.describe(&id) {
            UserObservation::Found(user) => Outcome::Accepted(user),
            _ => Outcome::NotFound,
        }
    }

    fn create(&mut self, create: &Create) -> Outcome {
        let id = create.user_id.as_str().to_owned();
        if self.users.contains_key(&id) {
            return Outcome::AlreadyExists;
        }
        let arn = Arn::parse(&format!("arn:aws:elasticache:us-east-1:111111111111:user:{id}")).unwrap();
        let shown =
            RemoteUser { user_id: id.clone(), user_name: create.user_name.clone(), arn, ..common::active() };
        let user = User {
            shown: shown.clone(),
            tags: create.tags.clone(),
            busy_until: self.now,
            is_deleting: false,
        };
        self.users.insert(id, user);
        Outcome::Accepted(shown)
    }

    pub(crate) fn look(&self, id: &UserGroupId) -> GroupObservation {
        self.shown().find(|group| group.id == *id).map_or(GroupObservation::Absent, GroupObservation::Found)
    }

    pub(crate) fn shown(&self) -> impl Iterator<Item = UserGroup> {
        self.groups.iter().map(|(id, group)| UserGroup {
            id: group_id(id),
            lifecycle: if group.pending.is_some() { Lifecycle::Modifying } else { Lifecycle::Active },
            engine: "valkey".into(),
            user_ids: group.members.iter().cloned().collect(),
            caches: Vec::new(),
        })
    }

    pub(crate) fn modify_group(&mut self, change: &GroupChange) -> GroupOutcome {
        let refuse = |code| GroupOutcome::Failed(fault(code));
        let unknown = change.add.iter().any(|id| self.users.get(id).is_none_or(|user| user.is_deleting));
        let refused = change.add.iter().any(|id| self.culprits.contains(id));
        let Some(group) = self.groups.get_mut(change.group.as_str()) else { return GroupOutcome::NotFound };
        let strange = change.add.iter().any(|id| group.members.contains(id))
            || change.remove.iter().any(|id| !group.members.contains(id));
        match () {
            () if group.pending.is_some() => return refuse("InvalidUserGroupState"),
            () if unknown => return refuse("UserNotFound"),
            () if refused || strange => return refuse("InvalidParameterValue"),
            () => {}
        }
        let mut members = group.members.clone();
        members.retain(|id| !change.remove.contains(id));
        members.extend(change.add.iter().cloned());
        group.pending = Some((self.now + CHANGE, members));
        // B85.
        for id in change.add.iter().chain(&change.remove) {
            if let Some(user) = self.users.get_mut(id).filter(|user| !user.is_deleting) {
                user.busy_until = self.now + CHANGE;
            }
        }
        GroupOutcome::Accepted
    }

    /// Somebody else changes the group.
    pub(crate) fn foreign_change(&mut self, group: &str, user: &str, joins: bool) {
        let Some(group) = self.groups.get_mut(group).filter(|group| group.pending.is_none()) else { return };
        match joins {
            true => group.members.insert(user.to_owned()),
            false => group.members.remove(user),
        };
    }

    pub(crate) fn has_user(&self, id: &str) -> bool {
        self.users.contains_key(id)
    }
}
