//! ElastiCache as far as one user ID goes: its states, its tags, and what it makes of an access string. Time is counted in
//! ticks, and nothing happens by itself but in [`Service::tick`].

use std::collections::BTreeSet;

use plan::classify::Answer;
use plan::*;

use crate::common::{arn, busy};
use crate::status::identity;

/// An access string of a spec, and the form in which AWS has it. The meaning of the last one is nothing that the operator
/// can read, so that only what AWS made of it before tells whether it is still there.
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

/// How long AWS tells nothing of a user that was created late: less than the window in which UserNotFound is doubted.
pub(crate) const LATE: u8 = 3;
/// How long tags cannot be read after they were written (B92).
const TAG_WINDOW: u8 = 2;

/// The one user, with what only AWS knows.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) shown: RemoteUser,
    pub(crate) tags: Tags,
    /// Keys of tags that this object put on it, and did not take off.
    pub(crate) put: BTreeSet<String>,
    /// Its tags have ever said that it is this object's.
    pub(crate) was_ours: bool,
    /// Which no call tells.
    pub(crate) passwords: Option<Passwords>,
    /// Somebody else set the passwords, as many as there should be: nobody can see that they are others.
    pub(crate) foreign_passwords: bool,
    /// Somebody else set the access string before status knew AWS's form of the one before: it is taken for that.
    pub(crate) foreign_access: bool,
    /// Ticks until its state changes by itself.
    pub(crate) settles_in: u8,
    /// Ticks until DescribeUsers shows it.
    pub(crate) shows_in: u8,
    /// Ticks until its tags can be asked for again.
    pub(crate) taggable_in: u8,
}

/// What the service is like; the operator has to be right with each of these.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    /// A CreateUser answers `creating`, not `active`.
    pub(crate) creates_slowly: bool,
    /// ModifyUser answers with what was sent, not with what was there before.
    pub(crate) answers_new: bool,
    /// The user `default` may be described, which tells the account.
    pub(crate) tells_account: bool,
    /// How many ticks a change takes.
    pub(crate) pace: u8,
}

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) user: Option<User>,
    pub(crate) habits: Habits,
    /// What DescribeUsers showed before the last change: an answer that is late shows it still.
    before: Option<RemoteUser>,
    /// What a user of this object has ever looked like, since a DeleteUser of ours was accepted last; also one that was
    /// before the walk began, as status tells of it.
    ours: Vec<Reported>,
}

/// An answer of AWS.
pub(crate) type Told<T> = Result<T, Answer>;

impl Service {
    /// `look`: what a user of this object looked like before.
    pub(crate) fn new(user: Option<User>, habits: Habits, look: Option<&Reported>) -> Self {
        let mut service = Self { user, habits, before: None, ours: look.cloned().into_iter().collect() };
        service.note_looks();
        service
    }

    /// Where the user is, or was, this object's, it is remembered what it looks like.
    fn note_looks(&mut self) {
        let ours = self.user.as_ref().filter(|user| user.was_ours);
        self.ours.extend(ours.map(|user| identity(&user.shown)));
    }

    /// A DeleteUser of ours was accepted: whoever comes after that user is another one, however much it resembles it.
    pub(crate) fn forget_looks(&mut self) {
        self.ours.clear();
    }

    /// Somebody else's user that nobody could take for ours.
    pub(crate) fn is_strange(&self, user: &User) -> bool {
        !user.was_ours && !self.ours.contains(&identity(&user.shown))
    }

    /// Time passes.
    pub(crate) fn tick(&mut self) {
        let before = self.visible().map(|user| user.shown.clone());
        let Some(user) = &mut self.user else {
            return;
        };
        user.shows_in = user.shows_in.saturating_sub(1);
        user.taggable_in = user.taggable_in.saturating_sub(1);
        if user.shown.lifecycle == Lifecycle::Active {
            return;
        }
        user.settles_in = user.settles_in.saturating_sub(1);
        if user.settles_in == 0 {
            self.before = before;
            if user.shown.lifecycle == Lifecycle::Deleting {
                self.user = None;
            } else {
                user.shown.lifecycle = Lifecycle::Active;
            }
        }
    }

    fn visible(&self) -> Option<&User> {
        self.user.as_ref().filter(|user| user.shows_in == 0)
    }

    /// The user where it is there, shown and `active`.
    fn changeable(&mut self) -> Told<&mut User> {
        self.before = self.visible().map(|user| user.shown.clone());
        match &mut self.user {
            Some(user) if user.shows_in == 0 => match user.shown.lifecycle {
                Lifecycle::Active => Ok(user),
                Lifecycle::Creating
                | Lifecycle::Modifying
                | Lifecycle::Deleting
                | Lifecycle::Unrecognized(_) => Err(Answer::Fault(busy())),
            },
            Some(_) | None => Err(Answer::NotFound),
        }
    }

    pub(crate) fn describe(&self) -> Told<RemoteUser> {
        self.visible().map(|user| user.shown.clone()).ok_or(Answer::NotFound)
    }

    /// The state before the last change; never UserNotFound for a user that was there.
    pub(crate) fn describe_late(&self) -> Told<RemoteUser> {
        self.before.clone().map_or_else(|| self.describe(), Ok)
    }

    pub(crate) fn list_tags(&self) -> Told<Tags> {
        self.visible().filter(|user| taggable(user)).map(|user| user.tags.clone()).ok_or(Answer::NotFound)
    }

    pub(crate) fn account(&self) -> Account {
        if self.habits.tells_account { Account::Known(arn().account().to_owned()) } else { Account::Untold }
    }

    /// `late`: nothing shows it for a while.
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
            arn: arn(),
        };
        self.before = None;
        self.user = Some(User {
            shown: shown.clone(),
            tags: create.tags.clone(),
            put: create.tags.keys().cloned().collect(),
            was_ours: true,
            passwords: create.authentication.passwords().cloned(),
            foreign_passwords: false,
            foreign_access: false,
            settles_in: self.habits.pace,
            shows_in: if late { LATE } else { 0 },
            taggable_in: 0,
        });
        self.note_looks();
        Ok(shown)
    }

    pub(crate) fn modify(&mut self, changes: &Changes) -> Told<RemoteUser> {
        let Habits { answers_new, pace, .. } = self.habits;
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
        user.settles_in = pace;
        let answer = if answers_new { user.shown.clone() } else { before };
        self.note_looks();
        Ok(answer)
    }

    pub(crate) fn tag(&mut self, tags: &Tags) -> Told<Tags> {
        let user = self.changeable().map_err(|_| Answer::NotFound)?;
        if !taggable(user) {
            return Err(Answer::NotFound);
        }
        user.tags.extend(tags.clone());
        user.put.extend(tags.keys().cloned());
        user.was_ours |= tags.contains_key(CLUSTER_TAG);
        user.taggable_in = TAG_WINDOW;
        let all = user.tags.clone();
        self.note_looks();
        Ok(all)
    }

    pub(crate) fn untag(&mut self, keys: &[String]) -> Told<Tags> {
        let user = self.changeable().map_err(|_| Answer::NotFound)?;
        if !taggable(user) {
            return Err(Answer::NotFound);
        }
        user.tags.retain(|key, _| !keys.contains(key));
        user.put.retain(|key| !keys.contains(key));
        user.taggable_in = TAG_WINDOW;
        Ok(user.tags.clone())
    }

    pub(crate) fn delete(&mut self) -> Told<RemoteUser> {
        let pace = self.habits.pace;
        let user = self.changeable()?;
        user.shown.lifecycle = Lifecycle::Deleting;
        user.settles_in = pace;
        Ok(user.shown.clone())
    }
}

fn taggable(user: &User) -> bool {
    user.shown.lifecycle == Lifecycle::Active && user.taggable_in == 0
}

fn password_count(change: &AuthenticationChange) -> Option<i32> {
    match change {
        AuthenticationChange::Password(passwords) => i32::try_from(passwords.values().len()).ok(),
        AuthenticationChange::Iam | AuthenticationChange::NoPassword => None,
    }
}
