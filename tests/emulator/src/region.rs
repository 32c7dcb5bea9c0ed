//! The users and groups of one account and region, with what holds them together: membership seen from both sides,
//! the deadlines of states, and what has to be written to the data file.
//!
//! States are derived, not driven: every request first calls [`Region::settle`] with its time, which applies all
//! deadlines that have passed, in their order.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::records::{DELETING, Group, Phase, User};

/// Where users and groups live; others cannot see them (B24).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Place {
    /// 12 digits.
    pub(crate) account: String,
    pub(crate) region: String,
}

/// Names one record of a region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    User(String),
    Group(String),
}

/// The id of the user that is there from the start (B20).
pub(crate) const DEFAULT: &str = "default";

pub(crate) struct Region {
    pub(crate) place: Place,
    users: BTreeMap<String, User>,
    groups: BTreeMap<String, Group>,
    /// The groups of a user: the other direction of `Group::user_ids`.
    memberships: BTreeMap<String, BTreeSet<String>>,
    /// When to look at a record again. May hold entries that no longer count: the record itself decides.
    deadlines: BTreeSet<(Millis, Key)>,
    version: u64,
    /// Records that the data file does not have as they are.
    unwritten: BTreeSet<Key>,
    /// Whether something other than the passing of time changed since the last write. The passing of time need not
    /// be written: it passes for the reader of the file as well.
    must_write: bool,
}

/// The records of a region that changed; `None` for one that is gone. A line of the data file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Changes {
    pub(crate) place: Place,
    pub(crate) version: u64,
    pub(crate) users: BTreeMap<String, Option<User>>,
    pub(crate) groups: BTreeMap<String, Option<Group>>,
}

impl Region {
    /// A region as AWS hands it over (B20).
    pub(crate) fn new(place: Place) -> Self {
        let mut region = Self::empty(place);
        region.put_user(User::open(DEFAULT));
        region
    }

    /// A region for what the data file says.
    pub(crate) fn empty(place: Place) -> Self {
        Self {
            place,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            memberships: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            version: 0,
            unwritten: BTreeSet::new(),
            must_write: false,
        }
    }

    /// Applies every deadline up to `now`.
    pub(crate) fn settle(&mut self, now: Millis) {
        let must_write = self.must_write;
        while let Some((due, _)) = self.deadlines.first()
            && *due <= now
        {
            match self.deadlines.pop_first() {
                Some((_, Key::User(id))) => self.settle_user(&id, now),
                Some((_, Key::Group(id))) => self.settle_group(&id, now),
                None => break,
            }
        }
        self.must_write = must_write;
    }

    fn settle_user(&mut self, id: &str, now: Millis) {
        match self.users.get(id).map(|user| &user.phase) {
            Some(Phase { status, until: Some(until) }) if *until <= now => {
                if status == DELETING {
                    self.remove_user(id);
                } else {
                    self.edit_user(id, |user| user.phase = Phase::active());
                }
            }
            Some(_) | None => {}
        }
    }

    fn settle_group(&mut self, id: &str, now: Millis) {
        match self.groups.get(id).map(|group| &group.phase) {
            Some(Phase { status, until: Some(until) }) if *until <= now => {
                if status == DELETING {
                    self.remove_group(id);
                } else {
                    self.edit_group(id, |group| group.phase = Phase::active());
                }
            }
            Some(_) | None => {}
        }
    }

    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.get(id)
    }

    pub(crate) fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }

    /// All users, `default` first, then by id.
    pub(crate) fn users(&self) -> impl Iterator<Item = &User> {
        let rest = self.users.values().filter(|user| user.id != DEFAULT);
        self.users.get(DEFAULT).into_iter().chain(rest)
    }

    /// All groups by id.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// Users that count for the quota: not `default` and `default.*`, which are the service's own.
    pub(crate) fn counted_users(&self) -> usize {
        let service_managed = usize::from(self.users.contains_key(DEFAULT))
            // `/` is the sign after `.`: the range of ids that begin with `default.`.
            + self.users.range("default.".to_owned().."default/".to_owned()).count();
        self.users.len() - service_managed
    }

    /// The groups that a user is a member of, each once (B81).
    pub(crate) fn groups_of(&self, user_id: &str) -> impl Iterator<Item = &str> {
        self.memberships.get(user_id).into_iter().flatten().map(String::as_str)
    }

    /// Adds a user, or replaces the one of the same id.
    pub(crate) fn put_user(&mut self, user: User) {
        let id = user.id.clone();
        self.users.insert(id.clone(), user);
        self.edit_user(&id, |_| {});
    }

    /// Changes a user that is there.
    pub(crate) fn edit_user(&mut self, id: &str, edit: impl FnOnce(&mut User)) {
        let Some(user) = self.users.get_mut(id) else { return };
        edit(user);
        if user.phase.is_active() {
            user.former = None;
        }
        self.version += 1;
        user.version = self.version;
        if let Some(until) = user.phase.until {
            self.deadlines.insert((until, Key::User(id.to_owned())));
        }
        self.changed(Key::User(id.to_owned()));
    }

    /// Takes a user out at once, also out of its groups (B67) and of what they are about to become.
    pub(crate) fn remove_user(&mut self, id: &str) -> Option<User> {
        let user = self.users.remove(id)?;
        self.version += 1;
        self.changed(Key::User(id.to_owned()));
        let named = |group: &&Group| {
            let pending = group.pending.iter().flat_map(|pending| pending.add.iter().chain(&pending.remove));
            group.user_ids.iter().chain(pending).any(|member| member == id)
        };
        let groups: Vec<String> = self.groups.values().filter(named).map(|group| group.id.clone()).collect();
        for group_id in groups {
            self.edit_group(&group_id, |group| {
                group.user_ids.retain(|member| member != id);
                if let Some(pending) = &mut group.pending {
                    pending.add.retain(|member| member != id);
                    pending.remove.retain(|member| member != id);
                }
            });
        }
        Some(user)
    }

    /// Adds a group, or replaces the one of the same id.
    pub(crate) fn put_group(&mut self, group: Group) {
        let id = group.id.clone();
        let former = self.groups.insert(id.clone(), group).map(|former| former.user_ids).unwrap_or_default();
        self.after_group_edit(&id, &former);
    }

    /// Changes a group that is there. A group that is `active` afterwards has made what was pending.
    pub(crate) fn edit_group(&mut self, id: &str, edit: impl FnOnce(&mut Group)) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let former = group.user_ids.clone();
        edit(group);
        if group.phase.is_active() {
            group.user_ids = group.members_to_be();
            group.pending = None;
        }
        self.after_group_edit(id, &former);
    }

    fn after_group_edit(&mut self, id: &str, former: &[String]) {
        let Some(group) = self.groups.get_mut(id) else { return };
        self.version += 1;
        group.version = self.version;
        let (members, until) = (group.user_ids.clone(), group.phase.until);
        if let Some(until) = until {
            self.deadlines.insert((until, Key::Group(id.to_owned())));
        }
        self.changed(Key::Group(id.to_owned()));
        self.mirror(id, former, &members);
    }

    /// Takes a group out at once; its members stay (B84).
    pub(crate) fn remove_group(&mut self, id: &str) -> Option<Group> {
        let group = self.groups.remove(id)?;
        self.version += 1;
        self.changed(Key::Group(id.to_owned()));
        self.mirror(id, &group.user_ids, &[]);
        Some(group)
    }

    /// Brings `memberships` after a group's members changed; a user that joins or leaves has changed too.
    fn mirror(&mut self, group_id: &str, former: &[String], members: &[String]) {
        let former: BTreeSet<&String> = former.iter().collect();
        let members: BTreeSet<&String> = members.iter().collect();
        for user_id in former.symmetric_difference(&members) {
            if members.contains(user_id) {
                self.memberships.entry((*user_id).clone()).or_default().insert(group_id.to_owned());
            } else if let Some(groups) = self.memberships.get_mut(*user_id) {
                groups.remove(group_id);
                if groups.is_empty() {
                    self.memberships.remove(*user_id);
                }
            }
            self.edit_user(user_id, |_| {});
        }
    }

    fn changed(&mut self, key: Key) {
        self.unwritten.insert(key);
        self.must_write = true;
    }

    /// Whether something has to be written before the answer may go out.
    pub(crate) fn must_write(&self) -> bool {
        self.must_write
    }

    /// What the data file does not have yet.
    pub(crate) fn unwritten(&self) -> Changes {
        let mut changes = Changes {
            place: self.place.clone(),
            version: self.version,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
        };
        for key in &self.unwritten {
            match key {
                Key::User(id) => drop(changes.users.insert(id.clone(), self.users.get(id).cloned())),
                Key::Group(id) => drop(changes.groups.insert(id.clone(), self.groups.get(id).cloned())),
            }
        }
        changes
    }

    /// Notes that [`Region::unwritten`] has been written.
    pub(crate) fn written(&mut self) {
        self.unwritten.clear();
        self.must_write = false;
    }

    /// Everything, for a fresh data file.
    pub(crate) fn snapshot(&self) -> Changes {
        Changes {
            place: self.place.clone(),
            version: self.version,
            users: self.users.iter().map(|(id, user)| (id.clone(), Some(user.clone()))).collect(),
            groups: self.groups.iter().map(|(id, group)| (id.clone(), Some(group.clone()))).collect(),
        }
    }

    /// Takes over what a data file says, keeping the versions that it says.
    pub(crate) fn restore(&mut self, changes: Changes) {
        for (id, user) in changes.users {
            match user {
                Some(user) => {
                    self.deadlines.extend(user.phase.until.map(|until| (until, Key::User(id.clone()))));
                    self.users.insert(id, user);
                }
                None => drop(self.users.remove(&id)),
            }
        }
        for (id, group) in changes.groups {
            let former = self.groups.remove(&id).map(|group| group.user_ids).unwrap_or_default();
            for user_id in &former {
                if let Some(groups) = self.memberships.get_mut(user_id) {
                    groups.remove(&id);
                }
            }
            if let Some(group) = group {
                self.deadlines.extend(group.phase.until.map(|until| (until, Key::Group(id.clone()))));
                for user_id in &group.user_ids {
                    self.memberships.entry(user_id.clone()).or_default().insert(id.clone());
                }
                self.groups.insert(id, group);
            }
        }
        self.version = self.version.max(changes.version);
    }
}
