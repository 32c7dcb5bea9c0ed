//! The coordinator of user groups: a state machine without I/O, like [`Pass`](crate::Pass). It collects what the passes of all
//! objects wish, and decides which group is looked at and which call is made for many objects together.
//!
//! Wishes live in memory. Every pass says again what its object wishes, so a restart loses nothing. A wish is remembered until
//! the object's pass has seen its end.
//!
//! `group` decides about one group, `look` what it shows, `batch` who goes into its next call, and `refusal` what a refused call means.

mod batch;
mod group;
mod look;
mod refusal;
mod wish;

use std::collections::{BTreeMap, BTreeSet};

use self::group::{Group, GroupAction};
use crate::pace::Pace;
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

/// What the driver has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupStep {
    /// Look at the group with DescribeUserGroups: [`Groups::looked`].
    Look(UserGroupId),
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
        let undecided = self.undecided_joins();
        for (id, group) in &mut self.groups {
            let coming = self.coming.values().any(|groups| groups.contains(id));
            match group.plan(coming, &undecided, &self.pace, now) {
                GroupAction::Rest => {}
                GroupAction::Until(at) => due = Some(due.map_or(at, |due| due.min(at))),
                GroupAction::Look => {
                    group.begin(None);
                    return GroupStep::Look(id.clone());
                }
                GroupAction::Change(choice) => {
                    let candidates = group.members_of(&choice);
                    group.begin(Some(choice));
                    return GroupStep::Change { group: id.clone(), candidates };
                }
            }
        }
        GroupStep::Sleep(due)
    }

    /// The objects that wait for the first look at a group that they want to join. They leave no group before that, so that a
    /// user that moves from one group to another always has one.
    fn undecided_joins(&self) -> BTreeSet<String> {
        self.groups.values().flat_map(Group::undecided_joins).map(str::to_owned).collect()
    }

    /// The answer to [`GroupStep::Look`].
    pub fn looked(&mut self, id: &UserGroupId, seen: &GroupObservation, now: Moment) {
        let roll = self.rolls.roll();
        if let Some(group) = self.groups.get_mut(id) {
            group.end();
            group.see(seen, &self.pace, now, roll);
        }
        self.note(id);
    }

    /// The answer to the look of [`GroupStep::Change`]. `confirmed`: the objects, by uid, that still wish it. Returns the call that has
    /// to be made at once.
    #[must_use]
    pub fn decide(
        &mut self,
        id: &UserGroupId,
        confirmed: &BTreeSet<String>,
        seen: &GroupObservation,
        source: &CallSource,
        now: Moment,
    ) -> Option<GroupChange> {
        let roll = self.rolls.roll();
        let group = self.groups.get_mut(id)?;
        let change = group.decide(id, confirmed, seen, source, &self.pace, now, roll);
        if change.is_none() {
            group.end();
        }
        self.note(id);
        change
    }

    /// The step ended before the group was looked at, because the operator is ending or the API server does not answer.
    pub fn given_up(&mut self, id: &UserGroupId, now: Moment) {
        let roll = self.rolls.roll();
        if let Some(group) = self.groups.get_mut(id) {
            group.end();
            group.retry_later(&self.pace, now, roll);
        }
    }

    /// The call that [`Groups::decide`] returned has ended. `name_lasts`: another member has the user's name, and its object neither goes nor
    /// leaves the group.
    pub fn answered(&mut self, id: &UserGroupId, outcome: &GroupOutcome, name_lasts: bool, now: Moment) {
        let roll = self.rolls.roll();
        if let Some(group) = self.groups.get_mut(id) {
            group.end();
            group.answered(outcome, name_lasts, &self.pace, now, roll);
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
