//! ElastiCache in one account, for one user ID: states, tags, and AWS's form of access strings. Only [`Service::advance`] lets
//! something happen by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use plan::classify::Answer;
use plan::*;

use crate::common::{arn_in, busy, denied};

/// Access strings of a spec, and AWS's forms of them. The operator cannot parse the last one, so it must compare with the form that
/// AWS returned before.
pub(crate) const ACCESS: [(&str, &str); 4] = [
    ("on allkeys +@all", "on ~* +@all"),
    ("on ~* +@all", "on ~* +@all"),
    ("off +get ~app", "off ~app -@all +get"),
    ("on future ~*", "on ~* hence"),
];

/// AWS's form of an access string.
pub(crate) fn form(sent: &str) -> String {
    ACCESS.iter().find(|(text, _)| *text == sent).map_or(sent, |(_, form)| form).to_owned()
}

/// The accounts that credentials may belong to.
pub(crate) const ACCOUNTS: [&str; 2] = ["111111111111", "222222222222"];

/// How long AWS hides a user that shows late. The contract allows 30 s.
pub(crate) const LATE: Duration = Duration::from_secs(25);
/// How long tags cannot be read after they were written (B92).
const TAG_WINDOW: Duration = Duration::from_secs(5);
/// How long after a change an answer may show the state before it.
const STALE: Duration = Duration::from_secs(5);

/// The fields that distinguish a user from another of the same ID.
pub(crate) fn identity(user: &RemoteUser) -> Reported {
    Reported {
        user_name: user.user_name.clone(),
        engine: user.engine.clone(),
        authentication_type: user.authentication_type.clone(),
        access_string: user.access_string.clone(),
    }
}

/// The user, including what no call shows.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) shown: RemoteUser,
    pub(crate) tags: Tags,
    /// The keys of tags that this object added and did not remove.
    pub(crate) put: BTreeSet<String>,
    /// Its tags named this object at some time.
    pub(crate) was_ours: bool,
    /// No call shows them.
    pub(crate) passwords: Option<Passwords>,
    /// Somebody else set as many passwords as there should be, so nobody can see that they differ.
    pub(crate) foreign_passwords: bool,
    /// Somebody else set the access string before status had AWS's form of the earlier one, so the operator takes it for that
    /// form.
    pub(crate) foreign_access: bool,
    /// When its state changes by itself.
    pub(crate) settles_at: Duration,
    /// From then on DescribeUsers shows the user.
    pub(crate) shows_at: Duration,
    /// From then on AWS shows the tags again.
    pub(crate) taggable_at: Duration,
}

impl User {
    /// A user that AWS shows completely from now on.
    pub(crate) fn new(shown: RemoteUser, tags: Tags, was_ours: bool, now: Duration) -> Self {
        Self {
            shown,
            tags,
            put: BTreeSet::new(),
            was_ours,
            passwords: None,
            foreign_passwords: false,
            foreign_access: false,
            settles_at: now,
            shows_at: now,
            taggable_at: now,
        }
    }
}

/// How this service behaves. The operator must be right with each of these.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// CreateUser answers `creating`, not `active`.
    pub(crate) creates_slowly: bool,
    /// ModifyUser answers with the new values, not with those before.
    pub(crate) answers_new: bool,
    /// AWS tells the account.
    pub(crate) tells_account: bool,
    /// How long a change takes. That is longer than the 2 s for which an owner that was read is valid.
    pub(crate) pace: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) account: &'static str,
    pub(crate) user: Option<User>,
    pub(crate) habits: Habits,
    now: Duration,
    /// What DescribeUsers showed before the last change, and when the change was.
    before: Option<(RemoteUser, Duration)>,
    /// Every look of a user of this object since AWS last accepted our DeleteUser. It includes the user in status at the
    /// beginning of the walk.
    ours: Vec<Reported>,
}

/// An answer of AWS.
pub(crate) type Told<T> = Result<T, Answer>;

impl Service {
    /// `look` is what a user of this object looked like before.
    pub(crate) fn new(
        account: &'static str,
        user: Option<User>,
        habits: Habits,
        look: Option<&Reported>,
    ) -> Self {
        let ours = look.cloned().into_iter().collect();
        let mut service = Self { account, user, habits, now: Duration::ZERO, before: None, ours };
        service.note_looks();
        service
    }

    /// Remembers the look of the user if it is or was this object's.
    fn note_looks(&mut self) {
        let ours = self.user.as_ref().filter(|user| user.was_ours);
        self.ours.extend(ours.map(|user| identity(&user.shown)));
    }

    /// AWS accepted our DeleteUser. A user that comes later is another one, even if it looks the same.
    pub(crate) fn forget_looks(&mut self) {
        self.ours.clear();
    }

    /// The user is somebody else's and never looked like ours.
    pub(crate) fn is_strange(&self, user: &User) -> bool {
        !user.was_ours && !self.ours.contains(&identity(&user.shown))
    }

    pub(crate) fn advance(&mut self, now: Duration) {
        self.now = now;
        let Some(user) = &mut self.user else { return };
        if user.shown.lifecycle == Lifecycle::Active || now < user.settles_at {
            return;
        }
        if user.shows_at <= now {
            self.before = Some((user.shown.clone(), now));
        }
        if user.shown.lifecycle == Lifecycle::Deleting {
            self.user = None;
        } else {
            user.shown.lifecycle = Lifecycle::Active;
        }
    }

    pub(crate) fn visible(&self) -> Option<&User> {
        self.user.as_ref().filter(|user| user.shows_at <= self.now)
    }

    /// The user, if AWS shows it as `active`.
    fn changeable(&mut self) -> Told<&mut User> {
        self.before = self.visible().map(|user| (user.shown.clone(), self.now));
        match &mut self.user {
            Some(user) if user.shows_at <= self.now => match user.shown.lifecycle {
                Lifecycle::Active => Ok(user),
                Lifecycle::Creating
                | Lifecycle::Modifying
                | Lifecycle::Deleting
                | Lifecycle::Unrecognized(_) => Err(Answer::Fault(busy())),
            },
            Some(_) | None => Err(Answer::NotFound),
        }
    }

    pub(crate) fn describe(&self, late: bool) -> Told<RemoteUser> {
        match &self.before {
            Some((before, at)) if late && self.now - *at < STALE => Ok(before.clone()),
            Some(_) | None => self.visible().map(|user| user.shown.clone()).ok_or(Answer::NotFound),
        }
    }

    pub(crate) fn list_tags(&self, arn: &Arn, late: bool) -> Told<Tags> {
        if arn.account() != self.account {
            return Err(Answer::Fault(denied()));
        }
        let user = self.visible().filter(|user| !late && self.is_taggable(user));
        user.map(|user| user.tags.clone()).ok_or(Answer::NotFound)
    }

    fn is_taggable(&self, user: &User) -> bool {
        user.shown.lifecycle == Lifecycle::Active && user.taggable_at <= self.now
    }

    pub(crate) fn tells_account(&self) -> Account {
        if self.habits.tells_account { Account::Known(self.account.to_owned()) } else { Account::Withheld }
    }

    /// If `late`, AWS does not show the user for a while.
    pub(crate) fn create(&mut self, create: &Create, late: bool) -> Told<RemoteUser> {
        if self.user.is_some() {
            return Err(Answer::AlreadyExists);
        }
        let lifecycle = if self.habits.creates_slowly { Lifecycle::Creating } else { Lifecycle::Active };
        let shown = RemoteUser {
            user_id: create.user_id.as_str().to_owned(),
            user_name: create.user_name.clone(),
            lifecycle,
            engine: create.engine.as_str().to_owned(),
            minimum_engine_version: Some("7.0".to_owned()),
            access_string: form(&create.access_string),
            user_group_ids: Vec::new(),
            authentication_type: create.authentication.kind().output().to_owned(),
            password_count: password_count(&create.authentication),
            arn: arn_in("us-east-1", self.account),
        };
        self.before = None;
        self.user = Some(User {
            put: create.tags.keys().cloned().collect(),
            passwords: create.authentication.passwords().cloned(),
            settles_at: self.now + self.habits.pace,
            shows_at: if late { self.now + LATE } else { self.now },
            ..User::new(shown.clone(), create.tags.clone(), true, self.now)
        });
        self.note_looks();
        Ok(shown)
    }

    pub(crate) fn modify(&mut self, changes: &Changes) -> Told<RemoteUser> {
        let (now, Habits { answers_new, pace, .. }) = (self.now, self.habits);
        let user = self.changeable()?;
        let before = RemoteUser { lifecycle: Lifecycle::Modifying, ..user.shown.clone() };
        let Changes { access_string, engine, authentication } = changes;
        if let Some(sent) = access_string {
            user.shown.access_string = form(sent);
            user.foreign_access = false;
        }
        if let Some(engine) = engine {
            engine.as_str().clone_into(&mut user.shown.engine);
        }
        if let Some(change) = authentication {
            change.kind().output().clone_into(&mut user.shown.authentication_type);
            user.shown.password_count = password_count(change);
            user.passwords = change.passwords().cloned();
            user.foreign_passwords = false;
        }
        user.shown.lifecycle = Lifecycle::Modifying;
        user.settles_at = now + pace;
        let answer = if answers_new { user.shown.clone() } else { before };
        self.note_looks();
        Ok(answer)
    }

    /// The user, if its tags can be changed now.
    fn taggable(&mut self, arn: &Arn) -> Told<&mut User> {
        if arn.account() != self.account {
            return Err(Answer::Fault(denied()));
        }
        let now = self.now;
        let user = self.changeable().map_err(|_| Answer::NotFound)?;
        if user.taggable_at > now {
            return Err(Answer::NotFound);
        }
        user.taggable_at = now + TAG_WINDOW;
        Ok(user)
    }

    pub(crate) fn tag(&mut self, arn: &Arn, tags: &Tags) -> Told<Tags> {
        let user = self.taggable(arn)?;
        user.tags.extend(tags.clone());
        user.put.extend(tags.keys().cloned());
        user.was_ours |= tags.contains_key(CLUSTER_TAG);
        let all = user.tags.clone();
        self.note_looks();
        Ok(all)
    }

    pub(crate) fn untag(&mut self, arn: &Arn, keys: &[String]) -> Told<Tags> {
        let user = self.taggable(arn)?;
        user.tags.retain(|key, _| !keys.contains(key));
        user.put.retain(|key| !keys.contains(key));
        Ok(user.tags.clone())
    }

    pub(crate) fn delete(&mut self) -> Told<RemoteUser> {
        let (now, pace) = (self.now, self.habits.pace);
        let user = self.changeable()?;
        user.shown.lifecycle = Lifecycle::Deleting;
        user.settles_at = now + pace;
        Ok(user.shown.clone())
    }
}

fn password_count(change: &AuthenticationChange) -> Option<i32> {
    match change {
        AuthenticationChange::Password(passwords) | AuthenticationChange::FirstPassword(passwords) => {
            i32::try_from(passwords.values().len()).ok()
        }
        AuthenticationChange::RandomPassword => Some(1),
        AuthenticationChange::Iam | AuthenticationChange::NoPassword => None,
    }
}
