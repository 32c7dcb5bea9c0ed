//! One account with its groups and users, the objects that wish something of them, and the coordinator.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plan::groups::{GroupStep, Groups, Member};
use plan::pace::Pace;
use plan::*;

pub(crate) const GROUP: &str = "cache";

pub(crate) fn group_id(id: &str) -> UserGroupId {
    UserGroupId::parse(id).unwrap()
}

/// A group in AWS.
#[derive(Clone, Debug)]
pub(crate) struct AwsGroup {
    pub(crate) engine: &'static str,
    pub(crate) members: BTreeSet<String>,
    pub(crate) caches: Vec<String>,
    /// `modifying` until then, with these members afterwards.
    pending: Option<(Moment, BTreeSet<String>)>,
}

/// What AWS does with a call, besides its rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Luck {
    #[default]
    Good,
    Throttled,
    /// The call is lost on its way.
    LostBefore,
    /// The answer is lost.
    LostAfter,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) now: Moment,
    pub(crate) groups: Groups,
    pub(crate) aws: BTreeMap<String, AwsGroup>,
    /// What each object wishes of the group, by user ID.
    pub(crate) wishes: BTreeMap<String, Direction>,
    pub(crate) namespaces: BTreeMap<String, String>,
    /// Users that AWS refuses to add.
    pub(crate) culprits: BTreeSet<String>,
    /// Users whose addition the role may not make.
    pub(crate) denied: BTreeSet<String>,
    /// AWS's sentence names the culprit.
    pub(crate) names_culprits: bool,
    pub(crate) quota: usize,
    pub(crate) user_names: BTreeMap<String, String>,
    pub(crate) luck: Luck,
    /// The calls of ModifyUserGroup, and whether AWS accepted them.
    pub(crate) calls: Vec<(GroupChange, bool)>,
    pub(crate) looks: usize,
    pub(crate) passes: usize,
    /// The annotation `restore-default-user` names the group.
    pub(crate) restores: bool,
}

fn source() -> CallSource {
    CallSource { region: "us-east-1".into(), credentials: CredentialsId(1), account: Account::Withheld }
}

fn error(code: &str, message: &str) -> Fault {
    match classify::classify_group(code, message, 400) {
        classify::Answer::Fault(fault) => fault,
        other @ (classify::Answer::NotFound | classify::Answer::AlreadyExists) => {
            panic!("{other:?} is no fault")
        }
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let group =
            AwsGroup { engine: "valkey", members: BTreeSet::new(), caches: Vec::new(), pending: None };
        Self {
            now: Moment::after_start(Duration::from_secs(1)),
            groups: Groups::new(Pace::default(), 7),
            aws: BTreeMap::from([(GROUP.to_owned(), group)]),
            wishes: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            culprits: BTreeSet::new(),
            denied: BTreeSet::new(),
            names_culprits: false,
            quota: 100,
            user_names: BTreeMap::new(),
            luck: Luck::Good,
            calls: Vec::new(),
            looks: 0,
            passes: 0,
            restores: false,
        }
    }

    pub(crate) fn group(&mut self) -> &mut AwsGroup {
        self.aws.get_mut(GROUP).unwrap()
    }

    pub(crate) fn members(&self) -> BTreeSet<String> {
        self.aws.get(GROUP).map(|group| group.members.clone()).unwrap_or_default()
    }

    /// The object wishes this from now on, or nothing.
    pub(crate) fn wants(&mut self, user: &str, direction: Option<Direction>) {
        match direction {
            Some(direction) => self.wishes.insert(user.to_owned(), direction),
            None => self.wishes.remove(user),
        };
        self.pass(user);
    }

    fn member(&self, user: &str, direction: Direction) -> Member {
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
            directions: BTreeMap::from([(group_id(GROUP), direction)]),
        };
        Member::new(&object, wishes)
    }

    /// The object's pass: it looks at its user, and says what it wishes.
    fn pass(&mut self, user: &str) {
        self.passes += 1;
        let states = self.groups.states(user, &[group_id(GROUP)]);
        let is_member = self.members().contains(user);
        let is_open = |direction: &Direction| match direction {
            Direction::Join => {
                !is_member || matches!(states.get(&group_id(GROUP)), Some(MembershipState::Applying(_)))
            }
            Direction::Leave => {
                let gone = matches!(
                    states.get(&group_id(GROUP)),
                    Some(MembershipState::Settled(_) | MembershipState::Absent)
                );
                is_member || !gone
            }
        };
        match self.wishes.get(user).copied().filter(is_open) {
            Some(direction) => self.groups.wish(&self.member(user, direction), self.now),
            None => {
                if self.wishes.get(user) == Some(&Direction::Leave) {
                    self.wishes.remove(user);
                }
                self.groups.withdraw(user);
            }
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
        self.groups.clone().states(user, &[group_id(GROUP)]).remove(&group_id(GROUP))
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

    fn settle(&mut self) {
        let now = self.now;
        for group in self.aws.values_mut() {
            if let Some((until, members)) = group.pending.clone().filter(|(until, _)| *until <= now) {
                assert!(until <= now);
                (group.members, group.pending) = (members, None);
            }
        }
    }

    fn look(&mut self, id: &UserGroupId) -> GroupObservation {
        self.looks += 1;
        self.settle();
        if std::mem::take(&mut self.luck) == Luck::Throttled {
            return GroupObservation::Failed(error("Throttling", "Rate exceeded"));
        }
        match self.aws.get(id.as_str()) {
            None => GroupObservation::Absent,
            Some(group) => GroupObservation::Found(UserGroup {
                id: id.clone(),
                lifecycle: if group.pending.is_some() { Lifecycle::Modifying } else { Lifecycle::Active },
                engine: group.engine.to_owned(),
                user_ids: group.members.iter().cloned().collect(),
                caches: group.caches.clone(),
            }),
        }
    }

    fn call(&mut self, change: &GroupChange) -> GroupOutcome {
        self.settle();
        let luck = std::mem::take(&mut self.luck);
        if luck == Luck::LostBefore {
            self.calls.push((change.clone(), false));
            return GroupOutcome::Failed(Fault::Unavailable(AwsError::new("NoAnswer", "")));
        }
        let outcome = self.modify(change);
        self.calls.push((change.clone(), outcome == GroupOutcome::Accepted));
        match luck {
            Luck::LostAfter => GroupOutcome::Failed(Fault::Unavailable(AwsError::new("NoAnswer", ""))),
            Luck::Good | Luck::Throttled | Luck::LostBefore => outcome,
        }
    }

    /// The rules of AWS.
    fn modify(&mut self, change: &GroupChange) -> GroupOutcome {
        let refuse = |code: &str, message: String| GroupOutcome::Failed(error(code, &message));
        let name = |user: &String| self.user_names.get(user).cloned().unwrap_or_else(|| user.clone());
        let Some(group) = self.aws.get(change.group.as_str()) else { return GroupOutcome::NotFound };
        if group.pending.is_some() {
            return refuse("InvalidUserGroupState", "Only active user groups can be modified.".into());
        }
        if let Some(user) = change.add.iter().find(|user| self.denied.contains(*user)) {
            return refuse(
                "AccessDenied",
                if self.names_culprits { format!("on user {user}") } else { "no".into() },
            );
        }
        if let Some(user) = change.add.iter().find(|user| self.culprits.contains(*user)) {
            let named =
                if self.names_culprits { format!("User {user} cannot be added.") } else { "No.".into() };
            return refuse("InvalidParameterValue", named);
        }
        if let Some(user) = change.remove.iter().find(|user| !group.members.contains(*user)) {
            return refuse("InvalidParameterValue", format!("User {user} is not a member of user group g."));
        }
        let mut members = group.members.clone();
        members.retain(|member| !change.remove.contains(member));
        members.extend(change.add.iter().cloned());
        let names: BTreeSet<String> = members.iter().map(&name).collect();
        if names.len() < members.len() {
            return refuse("DuplicateUserName", "Two users would have one name.".into());
        }
        if group.engine == "redis" && !names.contains(DEFAULT_USER) {
            return refuse("DefaultUserRequired", "Needs a default user.".into());
        }
        if members.len() > self.quota {
            return refuse("UserGroupQuotaExceeded", "Too many.".into());
        }
        let until = self.now + Duration::from_secs(20);
        self.group().pending = Some((until, members));
        GroupOutcome::Accepted
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
            GroupStep::Change { group, candidates } => {
                let wish = |member: &Member| self.wishes.get(&member.uid).copied();
                let still = |member: &&Member| wish(member) == member.wishes.directions.get(&group).copied();
                let confirmed = candidates.iter().filter(still).map(|member| member.uid.clone()).collect();
                let seen = self.look(&group);
                if let Some(change) = self.groups.decide(&group, &confirmed, &seen, &source(), self.now) {
                    let outcome = self.call(&change);
                    self.groups.answered(&group, &outcome, true, self.now);
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
