//! The people and things of the tables: one object `shop/app`, its user, its neighbours.
#![allow(dead_code, reason = "each test binary uses its part of it")]

#[macro_use]
pub(crate) mod plans;
pub(crate) mod reasons;
#[macro_use]
pub(crate) mod verdicts;

use plan::*;

/// What the object's spec says, and AWS hands back in a form of its own.
pub(crate) const WANTED: &str = "on allkeys +@all";
/// The same as AWS writes it.
pub(crate) const CANONICAL: &str = "on ~* +@all";
/// A password that ElastiCache accepts; no sentence may ever contain it.
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

/// All tags of a user that is as it should be: the owner's and the spec's.
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
    }
}

pub(crate) fn present() -> Goal {
    Goal::Present(desired())
}

pub(crate) fn present_with(authentication: Authentication) -> Goal {
    Goal::Present(Desired { authentication, ..desired() })
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

/// The user as AWS shows it when all is well.
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

pub(crate) fn odd() -> Lifecycle {
    Lifecycle::Unrecognized("hibernating".into())
}

/// Nothing looked at yet, nothing remembered.
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
        last_applied: Some(LastApplied {
            access_string: Some(WANTED.into()),
            expanded_access_string: Some(CANONICAL.into()),
            tag_keys: vec!["team".into()],
            ..LastApplied::default()
        }),
        reported: Some(reported()),
        ..Record::default()
    }
}

/// The same, in another place.
pub(crate) fn placed(arn: Arn) -> Record {
    Record { location: Some(Location::of(&arn)), arn: Some(arn), ..managed() }
}

/// Another process announced a DeleteUser.
pub(crate) fn requested_by_another() -> DeletionProgress {
    DeletionProgress::Requested(Requester::Another)
}

/// AWS lets the user go, and this process announced no DeleteUser.
pub(crate) fn accepted_by_another() -> DeletionProgress {
    DeletionProgress::Accepted(Requester::Another)
}

/// This process announced a DeleteUser.
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

/// Builder steps, so that a row says only what is special about it.
pub(crate) trait With: Sized {
    fn sight(self, user: UserObservation) -> Self;
    fn seen(self, user: RemoteUser) -> Self {
        self.sight(UserObservation::Found(user))
    }
    fn absent(self) -> Self {
        self.sight(UserObservation::Absent)
    }
    fn tagged(self, tags: Tags) -> Self;
    fn tag_sight(self, tags: TagsObservation) -> Self;
    fn remembering(self, ownership: Ownership) -> Self;
    fn record(self, record: Record) -> Self;
    fn definition(self, definition: Definition) -> Self;
    fn account(self, account: Account) -> Self;
    fn due(self) -> Self;
    fn other(self, other: OwnerObservation) -> Self;
    fn sent(self, passwords: Passwords) -> Self;
    fn announced(self) -> Self;
    fn confirmed(self) -> Self;
    fn held(self, held: bool) -> Self;
}

impl With for Observed {
    fn sight(mut self, user: UserObservation) -> Self {
        self.user = user;
        self
    }
    fn tagged(self, tags: Tags) -> Self {
        self.tag_sight(TagsObservation::Read(tags))
    }
    fn tag_sight(mut self, tags: TagsObservation) -> Self {
        self.tags = tags;
        self
    }
    fn remembering(mut self, ownership: Ownership) -> Self {
        self.known_owner = Some(ownership);
        self
    }
    fn record(mut self, record: Record) -> Self {
        self.record = record;
        self
    }
    fn definition(mut self, definition: Definition) -> Self {
        self.definition = definition;
        self
    }
    fn account(mut self, account: Account) -> Self {
        self.source.account = account;
        self
    }
    fn due(mut self) -> Self {
        self.tags_due = true;
        self
    }
    fn other(mut self, other: OwnerObservation) -> Self {
        self.other_owner = other;
        self
    }
    fn sent(mut self, passwords: Passwords) -> Self {
        self.sent_passwords = Some(passwords);
        self
    }
    fn announced(mut self) -> Self {
        self.intent_written = true;
        self
    }
    fn confirmed(mut self) -> Self {
        self.object_confirmed = true;
        self
    }
    fn held(mut self, held: bool) -> Self {
        self.record.has_finalizer = held;
        self
    }
}

pub(crate) fn said(code: &str, message: &str) -> AwsError {
    AwsError::new(code, message)
}

pub(crate) fn busy() -> Fault {
    Fault::Busy(said("InvalidUserState", "User app has status modifying."))
}

pub(crate) fn throttled() -> Fault {
    Fault::Throttled(said("Throttling", "Rate exceeded"))
}

pub(crate) fn unavailable() -> Fault {
    Fault::Unavailable(said("InternalFailure", "The request processing has failed."))
}

pub(crate) fn credentials() -> Fault {
    Fault::Credentials(said("ExpiredToken", "The security token has expired."))
}

pub(crate) fn denied() -> Fault {
    Fault::Denied(said("AccessDenied", "User is not authorized."))
}

pub(crate) fn rejected(why: Rejection) -> Fault {
    Fault::Rejected(why, said("Refused", "Because."))
}

pub(crate) fn rejected_saying(why: Rejection, message: &str) -> Fault {
    Fault::Rejected(why, said("InvalidParameterValue", message))
}

pub(crate) fn faults() -> Vec<Fault> {
    let rejections = [
        Rejection::ParameterValue,
        Rejection::ParameterCombination,
        Rejection::Quota,
        Rejection::ServiceLinkedRole,
        Rejection::DefaultUserInGroup,
        Rejection::Other,
    ];
    let mut faults = vec![busy(), throttled(), unavailable(), credentials(), denied()];
    faults.extend(rejections.map(rejected));
    faults
}

pub(crate) fn failed_read(fault: Fault) -> Action {
    Action::Wait(Wait::Failed(Read::DescribeUsers, fault))
}
