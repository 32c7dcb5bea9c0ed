//! Values that the tables share: one object `shop/app`, its user, and other objects and users.
#![allow(dead_code, reason = "each test binary uses its part of it")]

pub(crate) mod faults;
#[macro_use]
pub(crate) mod plans;
pub(crate) mod reasons;
pub(crate) mod verdicts;

use plan::*;

#[allow(unused_imports, reason = "each test binary uses its part of it")]
pub(crate) use faults::*;

/// The access string of the spec. AWS returns it in a form of its own.
pub(crate) const WANTED: &str = "on allkeys +@all";
/// AWS's form of [`WANTED`].
pub(crate) const CANONICAL: &str = "on ~* +@all";
/// A password that ElastiCache accepts. No message may contain it.
pub(crate) const SECRET_TEXT: &str = "correct horse battery staple";

pub(crate) fn id() -> UserId {
    UserId::parse("app").unwrap()
}

pub(crate) fn owner() -> Owner {
    owner_named("app")
}

pub(crate) fn owner_named(name: &str) -> Owner {
    Owner { cluster: "prod".into(), namespace: "shop".into(), name: name.into() }
}

pub(crate) fn owner_tags() -> Tags {
    owner().tags("uid-1")
}

/// All tags of a user in sync: the owner tags and the tags of the spec.
pub(crate) fn our_tags() -> Tags {
    with_tags(&[("team", "shop")])
}

/// The owner tags and these.
pub(crate) fn with_tags(pairs: &[(&str, &str)]) -> Tags {
    let mut all = owner_tags();
    all.extend(tags(pairs));
    all
}

pub(crate) fn anothers_tags() -> Tags {
    owner_named("other").tags("uid-9")
}

pub(crate) fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

pub(crate) fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn arn() -> Arn {
    arn_in("us-east-1", "111111111111")
}

pub(crate) fn arn_in(region: &str, account: &str) -> Arn {
    Arn::parse(&format!("arn:aws:elasticache:{region}:{account}:user:app")).unwrap()
}

pub(crate) fn password() -> Authentication {
    let password = Password::parse(SECRET_TEXT.as_bytes()).unwrap();
    Authentication::Password(Ok(Passwords::new(vec![(password, SecretVersion::parse("uid-s/7/key"))])))
}

/// Somebody else sets the passwords. The spec names a Secret that nobody read yet.
pub(crate) fn external() -> Authentication {
    Authentication::ExternalPassword(FirstPassword::FromSecrets(Err(SecretProblem::NotRead)))
}

/// The same, and the spec names no Secret.
pub(crate) fn external_random() -> Authentication {
    Authentication::ExternalPassword(FirstPassword::Random)
}

pub(crate) fn versions(all: &[&str]) -> Vec<SecretVersion> {
    all.iter().map(|text| SecretVersion::parse(text)).collect()
}

pub(crate) fn secret_not_found() -> SecretProblem {
    SecretProblem::NotFound { secret: "app-password".into() }
}

pub(crate) fn invalid_secret() -> SecretProblem {
    SecretProblem::Invalid { secret: "s".into(), key: "k".into(), why: InvalidPassword::TooShort }
}

pub(crate) fn desired() -> Desired {
    Desired {
        user_id: id(),
        user_name: "app".into(),
        engine: Engine::Redis,
        access_string: WANTED.into(),
        authentication: Authentication::Iam,
        tags: tags(&[("team", "shop")]),
        owner: owner(),
        uid: "uid-1".into(),
        adoption: Adoption::Never,
        user_groups: Default::default(),
        adoption_namespaces: Patterns::new(vec!["shop".into(), "web".into()]),
        broken_rules: vec![],
        full: None,
    }
}

pub(crate) fn present() -> Goal {
    Goal::Present(desired())
}

pub(crate) fn present_with(authentication: Authentication) -> Goal {
    Goal::Present(Desired { authentication, ..desired() })
}

/// The CreateUser of [`present_with`].
pub(crate) fn create_with(authentication: AuthenticationChange) -> Action {
    Action::Create(Create {
        user_id: id(),
        user_name: "app".into(),
        engine: Engine::Redis,
        access_string: WANTED.into(),
        authentication,
        tags: our_tags(),
        cause: Cause::Edit,
    })
}

pub(crate) fn subject() -> Subject {
    Subject { user_id: id(), owner: owner() }
}

pub(crate) fn deletion_goal() -> DeletionGoal {
    DeletionGoal {
        user_id: Some(id()),
        owner: owner(),
        uid: "uid-1".into(),
        protected: false,
        policy: DeletionPolicy::Delete,
        observes: false,
        suspended: false,
        ignored: vec![],
    }
}

pub(crate) fn gone() -> Goal {
    Goal::Absent(deletion_goal())
}

pub(crate) fn retained() -> Goal {
    Goal::Absent(DeletionGoal { policy: DeletionPolicy::Retain, ..deletion_goal() })
}

pub(crate) fn protected() -> Goal {
    Goal::Absent(DeletionGoal { protected: true, ..deletion_goal() })
}

/// A user in sync, as AWS shows it, in this state.
pub(crate) fn user(lifecycle: Lifecycle) -> RemoteUser {
    RemoteUser {
        user_id: "app".into(),
        user_name: "app".into(),
        lifecycle,
        engine: "redis".into(),
        minimum_engine_version: Some("7.0".into()),
        access_string: CANONICAL.into(),
        user_group_ids: vec![],
        authentication_type: "iam".into(),
        password_count: None,
        arn: arn(),
    }
}

pub(crate) fn active() -> RemoteUser {
    user(Lifecycle::Active)
}

/// An `active` user with this many passwords.
pub(crate) fn password_user(count: i32) -> RemoteUser {
    RemoteUser { authentication_type: "password".into(), password_count: Some(count), ..active() }
}

pub(crate) fn user_with(change: impl FnOnce(&mut RemoteUser)) -> RemoteUser {
    let mut user = active();
    change(&mut user);
    user
}

pub(crate) fn odd() -> Lifecycle {
    Lifecycle::Unrecognized("hibernating".into())
}

/// The states in which a user can be ours and cannot be changed.
pub(crate) fn busy_states() -> [Lifecycle; 3] {
    [Lifecycle::Creating, Lifecycle::Modifying, odd()]
}

/// The pass has read nothing yet, and remembers nothing.
pub(crate) fn nothing_known() -> Observed {
    Observed {
        source: CallSource {
            region: "us-east-1".into(),
            credentials: CredentialsId(1),
            account: Account::Known("111111111111".into()),
        },
        ..Observed::nothing("us-east-1")
    }
}

/// Status shows that we managed the user.
pub(crate) fn managed() -> Record {
    Record {
        arn: Some(arn()),
        location: Some(Location::of(&arn())),
        last_applied: Some(LastApplied { tag_keys: vec!["team".into()], ..applied(WANTED, Some(CANONICAL)) }),
        reported: Some(reported()),
        ..Record::default()
    }
}

/// Like [`managed`], with a change of what was applied.
pub(crate) fn managed_but(change: impl FnOnce(&mut LastApplied)) -> Record {
    let mut record = managed();
    if let Some(last) = &mut record.last_applied {
        change(last);
    }
    record
}

/// Like [`managed`], with a change of what status reports.
pub(crate) fn reported_but(change: impl FnOnce(&mut Reported)) -> Record {
    let mut record = managed();
    if let Some(reported) = &mut record.reported {
        change(reported);
    }
    record
}

pub(crate) fn applied(sent: &str, expanded: Option<&str>) -> LastApplied {
    let expanded_access_string = expanded.map(str::to_owned);
    LastApplied { access_string: Some(sent.into()), expanded_access_string, ..LastApplied::default() }
}

/// The intent to create was written, and nothing more.
pub(crate) fn keys_only() -> LastApplied {
    LastApplied { tag_keys: vec!["team".into()], ..LastApplied::default() }
}

pub(crate) fn with_applied(last: LastApplied) -> Record {
    Record { last_applied: Some(last), ..Record::default() }
}

/// Like [`managed`], with this ARN in status.
pub(crate) fn placed(arn: Arn) -> Record {
    Record { location: Some(Location::of(&arn)), arn: Some(arn), ..managed() }
}

/// Another process wrote the intent of a DeleteUser.
pub(crate) fn requested_by_another() -> DeletionProgress {
    DeletionProgress::Requested(Requester::Another)
}

/// AWS deletes the user, and this process wrote no intent of a DeleteUser.
pub(crate) fn accepted_by_another() -> DeletionProgress {
    DeletionProgress::Accepted(Requester::Another)
}

/// This process wrote the intent of a DeleteUser.
pub(crate) fn requested_by_us(last_applied: Option<LastApplied>) -> DeletionProgress {
    DeletionProgress::Requested(Requester::ThisProcess { last_applied })
}

/// What status says of the user of [`active`].
pub(crate) fn reported() -> Reported {
    Reported {
        user_name: "app".into(),
        engine: "redis".into(),
        authentication_type: "iam".into(),
        access_string: CANONICAL.into(),
    }
}

/// Changes of what is known, so that a row names only what is special about it.
pub(crate) trait With: Sized {
    fn with(self, change: impl FnOnce(&mut Observed)) -> Self;
    fn described(self, user: UserObservation) -> Self {
        self.with(|observed| observed.user = user)
    }
    fn seen(self, user: RemoteUser) -> Self {
        self.described(UserObservation::Found(user))
    }
    fn absent(self) -> Self {
        self.described(UserObservation::Absent)
    }
    fn tagged(self, tags: Tags) -> Self {
        self.listed(TagsObservation::Read(tags))
    }
    fn listed(self, tags: TagsObservation) -> Self {
        self.with(|observed| observed.tags = tags)
    }
    fn unreadable(self) -> Self {
        self.listed(TagsObservation::Unreadable)
    }
    fn tags_failed(self, fault: Fault) -> Self {
        self.listed(TagsObservation::Failed(fault))
    }
    fn failed(self, fault: Fault) -> Self {
        self.described(UserObservation::Failed(fault))
    }
    fn kept(self) -> Self {
        self.definition(Definition::Kept)
    }
    fn remembering(self, owner: Ownership) -> Self {
        self.with(|observed| observed.known_owner = Some(owner))
    }
    fn record(self, record: Record) -> Self {
        self.with(|observed| observed.record = record)
    }
    fn definition(self, definition: Definition) -> Self {
        self.with(|observed| observed.definition = definition)
    }
    fn account(self, account: Account) -> Self {
        self.with(|observed| observed.source.account = account)
    }
    fn tags_due(self) -> Self {
        self.with(|observed| observed.tags_due = true)
    }
    fn other_owner(self, other: OwnerObservation) -> Self {
        self.with(|observed| observed.other_owner = other)
    }
    fn sent(self, passwords: Passwords) -> Self {
        self.with(|observed| observed.sent_passwords = Some(passwords))
    }
    fn intent_written(self) -> Self {
        self.with(|observed| observed.intent_written = true)
    }
    fn confirmed(self) -> Self {
        self.with(|observed| observed.object_confirmed = true)
    }
    fn finalizer(self, has: bool) -> Self {
        self.with(|observed| observed.record.has_finalizer = has)
    }
}

impl With for Observed {
    fn with(mut self, change: impl FnOnce(&mut Observed)) -> Self {
        change(&mut self);
        self
    }
}

/// A row of a table with one input and one expected output.
#[derive(Clone, Debug)]
pub(crate) struct Case<G, E> {
    pub(crate) claim: &'static str,
    pub(crate) given: G,
    pub(crate) expected: E,
}

/// Rows of the form `"claim": given => expected`. The braces keep rustfmt from breaking a row.
#[allow(unused_macros, reason = "each test binary uses its part of it")]
macro_rules! cases {
    { $($claim:literal: $given:expr => $expected:expr),* $(,)? } => {
        vec![$(Case { claim: $claim, given: $given, expected: $expected }),*]
    };
}

/// Rows of the struct `Row` that is in scope. Fields that a row does not name are those of the base.
#[allow(unused_macros, reason = "each test binary uses its part of it")]
macro_rules! rows {
    { $({ $($field:ident: $value:expr),* $(,)? }),* $(,)? } => { vec![$(Row { $($field: $value),* }),*] };
    { $base:expr; $({ $($field:ident: $value:expr),* $(,)? }),* $(,)? } => {
        vec![$(Row { $($field: $value,)* ..$base }),*]
    };
}
