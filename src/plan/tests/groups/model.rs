//! One account with its groups and users, the objects that wish something of them, and the coordinator.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plan::groups::{GroupFacts, GroupStep, Groups, Member, MemberObject};
use plan::pace::Pace;
use plan::*;

use crate::aws::{AwsGroup, Luck};

pub(crate) const GROUP: &str = "cache";

pub(crate) fn group_id(id: &str) -> UserGroupId {
    UserGroupId::parse(id).unwrap()
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) now: Moment,
    pub(crate) groups: Groups,
    pub(crate) aws: BTreeMap<String, AwsGroup>,
    /// What each object wishes of groups, by user ID and group.
    pub(crate) wishes: BTreeMap<String, BTreeMap<String, Direction>>,
    /// Users whose object is being deleted.
    pub(crate) terminating: BTreeSet<String>,
    pub(crate) namespaces: BTreeMap<String, String>,
    /// Users that AWS refuses to add.
    pub(crate) culprits: BTreeSet<String>,
    /// Users whose addition the role may not make.
    pub(crate) denied: BTreeSet<String>,
    /// Groups that a listing does not show.
    pub(crate) hidden: BTreeSet<String>,
    /// The role may not list groups.
    pub(crate) denies_listings: bool,
    /// AWS's sentence names the culprit.
    pub(crate) names_culprits: bool,
    pub(crate) quota: usize,
    pub(crate) user_names: BTreeMap<String, String>,
    pub(crate) luck: Luck,
    /// For all changes.
    pub(crate) always: Option<Luck>,
    /// The calls of ModifyUserGroup, and whether AWS accepted them.
    pub(crate) calls: Vec<(GroupChange, bool)>,
    /// Looks by ID.
    pub(crate) looks: usize,
    pub(crate) listings: usize,
    pub(crate) passes: usize,
    /// The annotation `restore-default-user` names the group.
    pub(crate) restores: bool,
}

fn source() -> CallSource {
    CallSource { region: "us-east-1".into(), credentials: CredentialsId(1), account: Account::Withheld }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            now: Moment::after_start(Duration::from_secs(1)),
            groups: Groups::new(Pace::default(), 7),
            aws: BTreeMap::from([(GROUP.to_owned(), AwsGroup::new("valkey"))]),
            wishes: BTreeMap::new(),
            terminating: BTreeSet::new(),
            namespaces: BTreeMap::new(),
            culprits: BTreeSet::new(),
            denied: BTreeSet::new(),
            hidden: BTreeSet::new(),
            denies_listings: false,
            names_culprits: false,
            quota: 100,
            user_names: BTreeMap::new(),
            luck: Luck::Good,
            always: None,
            calls: Vec::new(),
            looks: 0,
            listings: 0,
            passes: 0,
            restores: false,
        }
    }

    pub(crate) fn group(&mut self) -> &mut AwsGroup {
        self.aws.get_mut(GROUP).unwrap()
    }

    pub(crate) fn members(&self) -> BTreeSet<String> {
        self.members_of(GROUP)
    }

    pub(crate) fn members_of(&self, group: &str) -> BTreeSet<String> {
        self.aws.get(group).map(|group| group.members.clone()).unwrap_or_default()
    }

    /// The object wishes this of the group from now on, or nothing.
    pub(crate) fn wants(&mut self, user: &str, direction: Option<Direction>) {
        self.wants_of(user, &[(GROUP, direction)]);
    }

    /// The same of several groups, in one version of the object.
    pub(crate) fn wants_of(&mut self, user: &str, wanted: &[(&str, Option<Direction>)]) {
        let wishes = self.wishes.entry(user.to_owned()).or_default();
        for (group, direction) in wanted {
            match direction {
                Some(direction) => wishes.insert((*group).to_owned(), *direction),
                None => wishes.remove(*group),
            };
        }
        self.pass(user);
    }

    pub(crate) fn wish(&self, user: &str, group: &str) -> Option<Direction> {
        self.wishes.get(user)?.get(group).copied()
    }

    /// The object is gone, and its user with it.
    pub(crate) fn delete(&mut self, user: &str) {
        self.wishes.remove(user);
        self.terminating.remove(user);
        for group in self.aws.values_mut() {
            group.members.remove(user);
        }
        self.groups.withdraw(user);
        self.groups.object_gone(user, self.now);
    }

    fn member(&self, user: &str, directions: BTreeMap<UserGroupId, Direction>) -> Member {
        let namespace = self.namespaces.get(user).cloned().unwrap_or_else(|| "shop".into());
        let annotation = ("elasticache-users.dev/restore-default-user".to_owned(), GROUP.to_owned());
        let number =
            user.bytes().filter(u8::is_ascii_digit).fold(0, |all, digit| all * 10 + i64::from(digit - b'0'));
        let object = ObjectFacts {
            uid: user.to_owned(),
            namespace,
            name: user.to_owned(),
            created_at: Some(Timestamp(number)),
            annotations: self.restores.then_some(annotation).into_iter().collect(),
            ..ObjectFacts::default()
        };
        let wishes = GroupWishes {
            credentials: CredentialsId(1),
            user_id: user.to_owned(),
            user_name: self.user_names.get(user).cloned().unwrap_or_else(|| user.to_owned()),
            engine: "valkey".into(),
            authentication_type: "iam".into(),
            directions,
        };
        Member::new(&object, wishes)
    }

    /// The object's pass: it looks at its user, and says what it wishes.
    fn pass(&mut self, user: &str) {
        self.passes += 1;
        let wishes = self.wishes.get(user).cloned().unwrap_or_default();
        let ids: Vec<UserGroupId> = wishes.keys().map(|group| group_id(group)).collect();
        let states = self.groups.states(user, &ids);
        let mut open = BTreeMap::new();
        for (id, (group, direction)) in ids.into_iter().zip(wishes) {
            let is_member = self.members_of(&group).contains(user);
            let state = states.get(&id);
            let is_open = match direction {
                Direction::Join => !is_member || matches!(state, Some(MembershipState::Applying(_))),
                Direction::Leave => {
                    is_member || !matches!(state, Some(MembershipState::Settled(_) | MembershipState::Absent))
                }
            };
            if is_open {
                open.insert(id, direction);
            } else if direction == Direction::Leave {
                self.wishes.get_mut(user).map(|wishes| wishes.remove(&group));
            }
        }
        match open.is_empty() {
            true => self.groups.withdraw(user),
            false => self.groups.wish(&self.member(user, open), self.now),
        }
    }

    /// Somebody else puts the user into the group, or takes it out. AWS refuses that while it changes the group (B77).
    pub(crate) fn foreign_change(&mut self, user: String, joins: bool) {
        self.settle();
        let Some(group) = self.aws.get_mut(GROUP).filter(|group| group.pending.is_none()) else { return };
        match joins {
            true => group.members.insert(user),
            false => group.members.remove(&user),
        };
    }

    /// What the object says of the group.
    pub(crate) fn state(&self, user: &str) -> Option<MembershipState> {
        self.state_of(user, GROUP)
    }

    pub(crate) fn state_of(&self, user: &str, group: &str) -> Option<MembershipState> {
        self.groups.clone().states(user, &[group_id(group)]).remove(&group_id(group))
    }

    /// The operator starts again.
    pub(crate) fn restart(&mut self) {
        self.groups = Groups::new(Pace::default(), 8);
        self.resync();
    }

    /// Every object gets a pass.
    pub(crate) fn resync(&mut self) {
        for user in self.wishes.keys().cloned().collect::<Vec<_>>() {
            self.pass(&user);
        }
    }

    /// The objects of the group's members. A user about whose membership nobody wishes anything has none.
    fn objects_of_members(&self, group: &str) -> Vec<MemberObject> {
        let object = |user: &String| {
            let wish = self.wish(user, group)?;
            Some(MemberObject {
                user_id: user.clone(),
                user_name: self.user_names.get(user).unwrap_or(user).clone(),
                terminating: self.terminating.contains(user),
                manages_membership: true,
                names_group: wish == Direction::Join,
            })
        };
        self.members_of(group).iter().filter_map(object).collect()
    }

    /// One step of the driver, or a pass, or time passes. `false` if nothing is due before `end`.
    pub(crate) fn step(&mut self, end: Moment) -> bool {
        self.settle();
        let woken = self.groups.take_woken();
        if !woken.is_empty() {
            for object in woken {
                self.pass(object.split_once('/').unwrap().1);
            }
            return true;
        }
        match self.groups.next(self.now) {
            GroupStep::Look(id) => {
                let seen = self.look(&id);
                self.groups.looked(&id, &seen, self.now);
            }
            GroupStep::List => {
                let listing = self.list();
                self.groups.listed(&listing, self.now);
            }
            GroupStep::Change { group, candidates } => {
                let still = |member: &&Member| {
                    self.wish(&member.uid, group.as_str()) == member.wishes.directions.get(&group).copied()
                };
                let confirmed = candidates.iter().filter(still).map(|member| member.uid.clone()).collect();
                let seen = self.look(&group);
                let members = self.objects_of_members(group.as_str());
                let facts = GroupFacts { confirmed, seen, source: source(), members };
                if let Some(change) = self.groups.decide(&group, &facts, self.now) {
                    let outcome = self.call(&change);
                    self.groups.answered(&group, &outcome, self.now);
                }
            }
            GroupStep::Sleep(Some(due)) if due <= end => self.now = self.now.max(due),
            GroupStep::Sleep(_) => return false,
        }
        true
    }

    /// Runs for so long. Panics if the coordinator loops.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..20_000 {
            if !self.step(end) {
                self.now = end;
                self.settle();
                return;
            }
        }
        panic!("it loops: {} calls, {} looks, {} passes", self.calls.len(), self.looks, self.passes);
    }

    pub(crate) fn accepted(&self) -> usize {
        self.calls.iter().filter(|(_, accepted)| *accepted).count()
    }
}
