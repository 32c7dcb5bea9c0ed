//! The objects, and the process that looks after them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use plan::groups::{GroupFacts, GroupListing, GroupStep, Groups, Member};
use plan::pace::Pace;
use plan::pass::{Finish, Request, Response, Settings, Wishes};
use plan::*;

use crate::common;
use crate::service::{Luck, Service, fault, group_id};

#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) object: ObjectFacts,
    pub(crate) spec: BTreeSet<String>,
    pub(crate) policy: DeletionPolicy,
    /// Groups that the spec of this object ever named.
    pub(crate) ever_named: BTreeSet<String>,
    memory: Memory,
    due: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) now: Duration,
    pub(crate) service: Service,
    pub(crate) items: BTreeMap<String, Item>,
    pub(crate) luck: Option<Luck>,
    groups: Groups,
    settings: Arc<Settings>,
    started: Duration,
    counter: i64,
    is_groups_turn: bool,
    pub(crate) breaches: Vec<String>,
    pub(crate) calls: usize,
    pub(crate) writes: usize,
    pub(crate) passes: usize,
}

fn source() -> CallSource {
    let account = Account::Known("111111111111".into());
    CallSource { region: "us-east-1".into(), credentials: CredentialsId(1), account }
}

impl Item {
    fn goal(&self) -> Goal {
        let name = &self.object.name;
        let (user_id, owner) = (UserId::parse(name).unwrap(), common::owner_named(name));
        let uid = self.object.uid.clone();
        if self.object.terminating {
            let goal = common::deletion_goal();
            return Goal::Absent(DeletionGoal {
                user_id: Some(user_id),
                owner,
                uid,
                policy: self.policy,
                ..goal
            });
        }
        let allowed = |group: &String| (group_id(group), GroupPermission::Allowed);
        Goal::Present(Desired {
            user_id,
            user_name: name.clone(),
            owner,
            uid,
            tags: Tags::new(),
            user_groups: self.spec.iter().map(allowed).collect(),
            ..common::desired()
        })
    }

    pub(crate) fn manages(&self, group: &str) -> bool {
        self.object.status.managed_user_group_ids.iter().any(|managed| managed.as_str() == group)
    }

    pub(crate) fn ready(&self) -> Option<&Condition> {
        self.object.status.condition(ConditionType::Ready)
    }
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let settings = Settings {
            pace: Pace::default(),
            region: "us-east-1".into(),
            identity: "process-0".into(),
            namespaces: Vec::new(),
        };
        Self {
            now: Duration::from_secs(1000),
            service: Service::default(),
            items: BTreeMap::new(),
            luck: None,
            groups: Groups::new(Pace::default(), 7),
            settings: Arc::new(settings),
            started: Duration::ZERO,
            counter: 0,
            is_groups_turn: false,
            breaches: Vec::new(),
            calls: 0,
            writes: 0,
            passes: 0,
        }
    }

    fn count(&mut self) -> i64 {
        self.counter += 1;
        self.counter
    }

    fn moment(&self) -> Moment {
        Moment::after_start(self.now - self.started)
    }

    fn now(&self) -> Now {
        Now { moment: self.moment(), utc: Timestamp(i64::try_from(self.now.as_micros()).unwrap()) }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
        self.service.advance(self.now);
    }

    pub(crate) fn create(&mut self, name: &str, spec: &BTreeSet<String>) {
        if self.items.contains_key(name) {
            return;
        }
        let number = self.count();
        let object = ObjectFacts {
            uid: format!("uid-{number}"),
            namespace: "shop".into(),
            name: name.to_owned(),
            version: ResourceVersion(number.to_string()),
            generation: Some(1),
            created_at: Some(self.now().utc),
            ..ObjectFacts::default()
        };
        let item = Item {
            object,
            spec: spec.clone(),
            policy: DeletionPolicy::Delete,
            ever_named: spec.clone(),
            memory: Memory::default(),
            due: Some(self.now),
        };
        self.items.insert(name.to_owned(), item);
    }

    /// Somebody changes the object.
    pub(crate) fn edit(&mut self, name: &str, change: impl FnOnce(&mut Item)) {
        let (number, now) = (self.count(), self.now);
        let Some(item) = self.items.get_mut(name) else { return };
        let before = (item.spec.clone(), item.object.terminating);
        change(item);
        item.ever_named.extend(item.spec.iter().cloned());
        item.object.version = ResourceVersion(number.to_string());
        if before != (item.spec.clone(), item.object.terminating) {
            item.object.generation = Some(number);
        }
        item.due = Some(now);
        self.remove_if_free(name);
    }

    /// Somebody removes the object's status. The operator's watch does not show it before the next pass.
    pub(crate) fn lose_status(&mut self, name: &str) {
        let number = self.count();
        if let Some(item) = self.items.get_mut(name) {
            item.object.status = Status::default();
            item.object.version = ResourceVersion(number.to_string());
        }
    }

    fn remove_if_free(&mut self, name: &str) {
        let is_gone =
            self.items.get(name).is_some_and(|item| item.object.terminating && !item.object.has_finalizer);
        if let Some(item) = is_gone.then(|| self.items.remove(name)).flatten() {
            self.groups.pass_ended(&item.object.uid);
            self.groups.withdraw(&item.object.uid);
            self.groups.object_gone(name, self.moment());
        }
    }

    /// Another process takes over.
    pub(crate) fn restart(&mut self) {
        self.started = self.now;
        let number = self.count();
        self.groups = Groups::new(Pace::default(), number.unsigned_abs());
        let identity = format!("process-{number}");
        self.settings = Arc::new(Settings { identity, ..self.settings.as_ref().clone() });
        for item in self.items.values_mut() {
            (item.memory, item.due) = (Memory::default(), Some(self.now));
        }
    }

    /// A pass over the object. The process is killed after so many requests.
    pub(crate) fn pass(&mut self, name: &str, mut requests: usize) {
        let seed = self.count().unsigned_abs();
        let Some(item) = self.items.get_mut(name) else { return };
        item.due = None;
        self.passes += 1;
        let (goal, object, memory) = (item.goal(), item.object.clone(), std::mem::take(&mut item.memory));
        let (uid, mut held) = (object.uid.clone(), object.version.clone());
        let is_member =
            |group: &UserGroupId| object.status.user_group_ids.iter().any(|id| id == group.as_str());
        let missing = item.spec.iter().map(|id| group_id(id)).filter(|group| !is_member(group)).collect();
        self.groups.pass_begins(&uid, missing);
        let mut pass = Pass::new(self.settings.clone(), goal, object, memory, seed, self.now());
        loop {
            let request = pass.next(self.now());
            if let Request::Finish(finish) = request {
                return self.finish(name, &uid, finish);
            }
            let response = self.answer(name, &uid, &mut held, &request);
            self.advance(Duration::from_millis(50));
            if requests == 0 {
                return self.restart();
            }
            requests -= 1;
            pass.handle(response, self.now());
        }
    }

    fn finish(&mut self, name: &str, uid: &str, finish: Finish) {
        self.groups.pass_ended(uid);
        let moment = self.moment();
        let Some(item) = self.items.get_mut(name) else { return };
        match finish.wishes {
            Wishes::Unchanged => {}
            Wishes::NotSeen => self.groups.not_seen(uid),
            Wishes::Nothing => self.groups.withdraw(uid),
            Wishes::Asks(wishes) => self.groups.wish(&Member::new(&item.object, *wishes), moment),
        }
        let due = finish.requeue.map(|pause| self.now + pause);
        item.due = item.due.or(due);
        item.memory = finish.memory.map(|memory| *memory).unwrap_or_default();
        self.remove_if_free(name);
    }

    fn answer(&mut self, name: &str, uid: &str, held: &mut ResourceVersion, request: &Request) -> Response {
        let current = self.items.get(name).filter(|item| item.object.uid == uid).cloned();
        match request {
            Request::AcquireToken => Response::Token,
            Request::DescribeUser(id) => Response::Described(self.service.describe(id.as_str()), source()),
            Request::ListTags(arn) => Response::Tags(self.service.tags(arn)),
            Request::Identify | Request::IdentifyCaller => Response::Identified(source()),
            Request::ReadOwner(owner) => Response::Owner(match self.items.get(&owner.name) {
                Some(item) if item.object.terminating => OwnerObservation::Leaving,
                Some(_) => OwnerObservation::Exists,
                None => OwnerObservation::Gone,
            }),
            Request::ReadPasswords => panic!("no user has a password"),
            Request::ReadGroups(groups) => Response::Groups(self.groups.states(uid, groups)),
            Request::ReadDefinition => Response::Definition(Definition::Kept),
            Request::ReadNamesake(_) => Response::Namesake(Namesake::Itself),
            Request::ReadObject => {
                if let Some(item) = &current {
                    *held = item.object.version.clone();
                }
                Response::Object(current.map(|item| Box::new(item.object)))
            }
            Request::Resolve => {
                if let Some(item) = &current {
                    *held = item.object.version.clone();
                }
                Response::Resolved(current.map(|item| (item.goal(), item.object)))
            }
            Request::AddFinalizer => self.write(name, held, |object| object.has_finalizer = true),
            Request::RemoveFinalizer => self.write(name, held, |object| object.has_finalizer = false),
            Request::WriteStatus(status) => {
                self.write(name, held, |object| object.status = (**status).clone())
            }
            Request::Call { mutation, .. } => Response::Called(self.service.call(mutation)),
            Request::Log(_) | Request::Publish(_) | Request::Count(_) | Request::Finish(_) => Response::Done,
        }
    }

    fn write(
        &mut self,
        name: &str,
        held: &mut ResourceVersion,
        change: impl FnOnce(&mut ObjectFacts),
    ) -> Response {
        let number = self.count();
        let item = self.items.get_mut(name).filter(|item| item.object.version == *held);
        let Some(item) = item else { return Response::Conflict };
        self.writes += 1;
        change(&mut item.object);
        item.object.version = ResourceVersion(number.to_string());
        held.clone_from(&item.object.version);
        Response::Written(item.object.clone())
    }

    /// Every object gets a pass, because `--resync` has passed.
    pub(crate) fn resync(&mut self) {
        for item in self.items.values_mut() {
            item.due = Some(self.now);
        }
    }

    /// Runs for so long. Panics if something loops.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..50_000 {
            if !self.step(end) {
                return self.advance(end.saturating_sub(self.now));
            }
        }
        panic!("it loops: {} calls, {} passes", self.calls, self.passes);
    }

    /// `false` if nothing is due before `end`.
    fn step(&mut self, end: Duration) -> bool {
        for woken in self.groups.take_woken() {
            if let Some(item) = self.items.get_mut(woken.trim_start_matches("shop/")) {
                item.due = Some(self.now);
            }
        }
        let next = self.items.iter().filter_map(|(name, item)| Some((item.due?, name.clone()))).min();
        // Sometimes the coordinator is faster than a pass that is due.
        self.is_groups_turn = !self.is_groups_turn;
        if let Some((_, name)) = next.as_ref().filter(|(due, _)| *due <= self.now && !self.is_groups_turn) {
            self.pass(name, usize::MAX);
            return true;
        }
        let due = match self.groups.next(self.moment()) {
            GroupStep::Look(id) => {
                self.advance(Duration::from_millis(50));
                self.groups.looked(&id, &self.service.look(&id), self.moment());
                return true;
            }
            GroupStep::List => {
                let groups = self.service.shown().collect();
                let listing = GroupListing { groups, has_gaps: false, pages: Ok(1) };
                self.groups.listed(&listing, self.moment());
                return true;
            }
            GroupStep::Change { group, candidates } => {
                self.change(&group, &candidates);
                return true;
            }
            GroupStep::Sleep(due) => due.map(|due| self.started + due.since(Moment::default())),
        };
        let due = due.into_iter().chain(next.map(|(due, _)| due)).min().filter(|due| *due <= end);
        due.inspect(|due| self.advance(due.saturating_sub(self.now))).is_some()
    }

    fn change(&mut self, group: &UserGroupId, candidates: &[Member]) {
        let still = |member: &&Member| {
            let found = self.items.get(&member.name);
            found.is_some_and(|item| member.still_wishes(&item.object, group))
        };
        let confirmed = candidates.iter().filter(still).map(|member| member.uid.clone()).collect();
        let seen = self.service.look(group);
        let facts = GroupFacts { confirmed, seen, source: source(), members: Vec::new() };
        let Some(change) = self.groups.decide(group, &facts, self.moment()) else { return };
        self.judge(&change);
        self.calls += 1;
        let luck = self.luck.take();
        let lost = GroupOutcome::Failed(fault("InternalFailure"));
        let outcome = match luck {
            Some(Luck::Throttled) => GroupOutcome::Failed(fault("Throttling")),
            Some(Luck::LostBefore | Luck::KilledBefore) => lost,
            Some(Luck::LostAfter | Luck::KilledAfter) => {
                self.service.modify_group(&change);
                lost
            }
            None => self.service.modify_group(&change),
        };
        self.advance(Duration::from_millis(50));
        if matches!(luck, Some(Luck::KilledBefore | Luck::KilledAfter)) {
            return self.restart();
        }
        self.groups.answered(group, &outcome, self.moment());
    }

    /// What no call may do.
    fn judge(&mut self, change: &GroupChange) {
        let group = change.group.as_str();
        let named = |user: &String| {
            let item = self.items.get(user).filter(|item| !item.object.terminating && item.manages(group))?;
            Some((item.spec.contains(group), item.ever_named.contains(group)))
        };
        let wrong_add = change.add.iter().find(|user| !matches!(named(user), Some((true, _))));
        let wrong_remove = change.remove.iter().find(|user| named(user) != Some((false, true)));
        let both = !change.add.is_empty() && !change.remove.is_empty();
        if let Some(user) = wrong_add.or(wrong_remove).cloned().or(both.then(|| "both".to_owned())) {
            self.breaches.push(format!("{user}: {change:?}"));
        }
    }
}
