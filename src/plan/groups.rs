//! The coordinator of user groups: a state machine without I/O, like [`Pass`](crate::Pass). It collects what the passes of all
//! objects wish, and decides which group is looked at and which call is made for many objects together.
//!
//! Wishes live in memory. Every pass says again what its object wishes, so a restart loses nothing. A wish is remembered until
//! the object's pass has seen its end.
//!
//! `group` decides about one group, `look` what it shows, `listing` which groups are looked at together, `batch` who goes into the
//! next call of a group, and `refusal` what a refused call means.

mod batch;
mod group;
mod listing;
mod look;
mod refusal;
mod wish;

use std::collections::{BTreeMap, BTreeSet};

use self::group::{Group, GroupAction};
pub use self::listing::GroupListing;
use self::listing::{Listings, NextLook};
use crate::pace::{Pace, Requeue};
use crate::{
    CallSource, Direction, GroupChange, GroupObservation, GroupOutcome, GroupWishes, MembershipState, Moment,
    ObjectFacts, Rolls, Timestamp, UserGroupId,
};

/// Annotation: the groups, comma-separated, into which AWS's own default user may come back although caches use them.
pub const RESTORE_DEFAULT_USER: &str = "elasticache-users.dev/restore-default-user";

/// An object that wishes something of groups, as its last pass left it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    pub uid: String,
    pub namespace: String,
    pub name: String,
    pub generation: Option<i64>,
    pub terminating: bool,
    pub annotations: BTreeMap<String, String>,
    pub created_at: Option<Timestamp>,
    pub wishes: GroupWishes,
}

impl Member {
    #[must_use]
    pub fn new(object: &ObjectFacts, wishes: GroupWishes) -> Self {
        Self {
            uid: object.uid.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            generation: object.generation,
            terminating: object.terminating,
            annotations: object.annotations.clone(),
            created_at: object.created_at,
            wishes,
        }
    }

    /// The object is still the one that wishes it, and its status records the group.
    #[must_use]
    pub fn still_wishes(&self, found: &ObjectFacts, group: &UserGroupId) -> bool {
        self.uid == found.uid
            && self.generation == found.generation
            && self.terminating == found.terminating
            && self.annotations == found.annotations
            && found.status.managed_user_group_ids.contains(group)
    }
}

/// What the driver has read for a change of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// The objects, by uid, that still wish what they wished.
    pub confirmed: BTreeSet<String>,
    /// The look right before the call.
    pub seen: GroupObservation,
    /// Where that answer came from.
    pub source: CallSource,
    /// The objects of the group's members, as far as they are watched.
    pub members: Vec<MemberObject>,
}

/// The object of a member of a group, whether or not it wishes something of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberObject {
    pub user_id: String,
    pub user_name: String,
    pub terminating: bool,
    /// `managedUserGroupIDs` has the group.
    pub manages_membership: bool,
    /// `spec.userGroupIDs` has the group.
    pub names_group: bool,
}

impl MemberObject {
    /// Its user will not be a member for long.
    fn is_leaving(&self) -> bool {
        self.terminating || self.manages_membership && !self.names_group
    }
}

/// What the driver has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupStep {
    /// Look at the group with DescribeUserGroups: [`Groups::looked`].
    Look(UserGroupId),
    /// List all groups with DescribeUserGroups: [`Groups::listed`].
    List,
    /// Read these objects again, look at the group, and call [`Groups::decide`].
    Change { group: UserGroupId, candidates: Vec<Member> },
    /// Nothing is due before this time. `None`: before another wish comes.
    Sleep(Option<Moment>),
}

/// All groups of one account and region.
#[derive(Clone, Debug)]
pub struct Groups {
    pace: Pace,
    rolls: Rolls,
    groups: BTreeMap<UserGroupId, Group>,
    listings: Listings,
    /// Objects, by uid, whose pass is under way and may wish something of these groups.
    coming: BTreeMap<String, BTreeSet<UserGroupId>>,
    /// `namespace/name` of objects that need a pass, because more is known about their groups.
    woken: Vec<String>,
}

impl Groups {
    /// `seed` is for jitter.
    #[must_use]
    pub fn new(pace: Pace, seed: u64) -> Self {
        Self {
            pace,
            rolls: Rolls::new(seed),
            groups: BTreeMap::new(),
            listings: Listings::default(),
            coming: BTreeMap::new(),
            woken: Vec::new(),
        }
    }

    /// A pass over the object begins, and it may wish something of these groups.
    pub fn pass_begins(&mut self, uid: &str, groups: BTreeSet<UserGroupId>) {
        if !groups.is_empty() {
            self.coming.insert(uid.to_owned(), groups);
        }
    }

    /// A pass over the object has ended. It changes no wish.
    pub fn pass_ended(&mut self, uid: &str) {
        self.coming.remove(uid);
    }

    /// The object's pass has not looked at the user. If that is needed, the object gets another pass.
    pub fn not_seen(&mut self, uid: &str) {
        let ids: Vec<UserGroupId> = self.groups.keys().cloned().collect();
        for id in ids {
            if self.groups.get_mut(&id).is_some_and(|group| group.not_seen(uid)) {
                self.note(&id);
            }
        }
    }

    /// The object wishes this from now on, and nothing else.
    pub fn wish(&mut self, member: &Member, now: Moment) {
        for (id, direction) in &member.wishes.directions {
            let pace = &self.pace;
            self.groups.entry(id.clone()).or_default().wish(member, *direction, pace, now);
        }
        let asked: BTreeSet<&UserGroupId> = member.wishes.directions.keys().collect();
        self.withdraw_except(&member.uid, &asked);
    }

    /// The object wishes nothing any more, or is gone.
    pub fn withdraw(&mut self, uid: &str) {
        self.withdraw_except(uid, &BTreeSet::new());
    }

    /// The object of this user is gone. Others may wait for the user's name.
    pub fn object_gone(&mut self, user_id: &str, now: Moment) {
        for group in self.groups.values_mut() {
            group.name_may_be_free(user_id, now);
        }
    }

    fn withdraw_except(&mut self, uid: &str, asked: &BTreeSet<&UserGroupId>) {
        for (id, group) in &mut self.groups {
            if !asked.contains(id) {
                group.withdraw(uid);
            }
        }
        self.groups.retain(|_, group| !group.is_idle());
    }

    /// What is known about these groups for the object. The object's pass says it in status.
    pub fn states(&mut self, uid: &str, groups: &[UserGroupId]) -> BTreeMap<UserGroupId, MembershipState> {
        let mut states = BTreeMap::new();
        for id in groups {
            if let Some(state) = self.groups.get_mut(id).and_then(|group| group.tell(uid)) {
                states.insert(id.clone(), state);
            }
        }
        states
    }

    /// How many changes of memberships wait or are being applied, by direction.
    #[must_use]
    pub fn waiting(&self, direction: Direction) -> usize {
        self.groups.values().map(|group| group.waiting(direction)).sum()
    }

    /// The objects that need a pass, as `namespace/name`.
    pub fn take_woken(&mut self) -> Vec<String> {
        std::mem::take(&mut self.woken)
    }

    /// The next step. Several may be under way at the same time, but only one for each group.
    pub fn next(&mut self, now: Moment) -> GroupStep {
        let mut due: Option<Moment> = None;
        let mut look = None;
        let undecided = self.undecided_joins();
        for (id, group) in &mut self.groups {
            let coming = self.coming.values().any(|groups| groups.contains(id));
            match group.plan(coming, &undecided, &self.pace, now) {
                GroupAction::Rest => {}
                GroupAction::Until(at) => due = Some(due.map_or(at, |due| due.min(at))),
                GroupAction::Look => look = look.or_else(|| Some(id.clone())),
                GroupAction::Change(choice) => {
                    let candidates = group.members_of(&choice);
                    group.begin(Some(choice));
                    return GroupStep::Change { group: id.clone(), candidates };
                }
            }
        }
        match look.map(|id| self.look(id, now)) {
            Some(NextLook::Step(step)) => step,
            Some(NextLook::Until(at)) => GroupStep::Sleep(Some(due.map_or(at, |due| due.min(at)))),
            Some(NextLook::Rest) | None => GroupStep::Sleep(due),
        }
    }

    /// The objects that wait for the first look at a group that they want to join. They leave no group before that, so that a
    /// user that moves from one group to another always has one.
    fn undecided_joins(&self) -> BTreeSet<String> {
        self.groups.values().flat_map(Group::undecided_joins).map(str::to_owned).collect()
    }

    /// The answer to [`GroupStep::Look`].
    pub fn looked(&mut self, id: &UserGroupId, seen: &GroupObservation, now: Moment) {
        let roll = self.rolls.roll();
        self.was_looked_at(id);
        if let Some(group) = self.groups.get_mut(id) {
            group.end();
            group.see(seen, &self.pace, now, roll);
        }
        self.note(id);
    }

    /// The answer to [`GroupStep::Change`]. Returns the call that has to be made at once. What is known is told after its answer.
    #[must_use]
    pub fn decide(&mut self, id: &UserGroupId, facts: &GroupFacts, now: Moment) -> Option<GroupChange> {
        let roll = self.rolls.roll();
        self.was_looked_at(id);
        let group = self.groups.get_mut(id)?;
        let change = group.decide(id, facts, &self.pace, now, roll);
        if change.is_none() {
            group.end();
            self.note(id);
        }
        change
    }

    /// The step ended before the group was looked at, because the operator is ending or the API server does not answer.
    pub fn given_up(&mut self, id: &UserGroupId, now: Moment) {
        let roll = self.rolls.roll();
        if let Some(group) = self.groups.get_mut(id) {
            group.end();
            group.retry_later(Requeue::Backoff, &self.pace, now, roll);
        }
    }

    /// The call that [`Groups::decide`] returned has ended.
    pub fn answered(&mut self, id: &UserGroupId, outcome: &GroupOutcome, now: Moment) {
        let roll = self.rolls.roll();
        if let Some(group) = self.groups.get_mut(id) {
            group.end();
            group.answered(outcome, &self.pace, now, roll);
        }
        self.note(id);
    }

    /// Wakes the objects that have to say something else now.
    fn note(&mut self, id: &UserGroupId) {
        if let Some(group) = self.groups.get_mut(id) {
            self.woken.extend(group.news());
            if group.is_idle() {
                self.groups.remove(id);
            }
        }
    }
}
