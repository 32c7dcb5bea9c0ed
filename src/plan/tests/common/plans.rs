//! Rows and values that the tables about `plan` share.

use plan::*;

use super::*;

/// A claim about `plan`.
pub(crate) struct Row {
    pub(crate) claim: &'static str,
    pub(crate) goal: Goal,
    pub(crate) seen: Observed,
    pub(crate) plan: Action,
}

impl Row {
    pub(crate) fn of(goal: Goal) -> Self {
        Self { claim: "", goal, seen: nothing_known(), plan: Action::InSync }
    }
}

/// A row about a user that should exist is about an object with the finalizer, which is removed first if the user is not ours. Without
/// the finalizer, the same facts must lead to the same action or to adding the finalizer, and never to a change of AWS.
pub(crate) fn check(rows: Vec<Row>) {
    for Row { claim, goal, seen, plan: expected } in rows {
        if !matches!(goal, Goal::Present(_)) {
            assert_eq!(plan(&goal, &seen), expected, "{claim}");
            continue;
        }
        let with = plan(&goal, &seen.clone().finalizer(true));
        let without = plan(&goal, &seen.finalizer(false));
        if !(is_left(&with) && matches!(expected, Action::Refuse(_) | Action::Wait(_)) && without == expected)
        {
            assert_eq!(with, expected, "{claim}");
        }
        let changes =
            expected.mutation().is_some() || matches!(expected, Action::WriteIntent(_) | Action::InSync);
        let first = without == Action::AddFinalizer || !changes && without == expected;
        assert!(first, "{claim}, without the finalizer: {without:?}");
    }
}

/// The user is not ours, and must not hold the object.
pub(crate) fn is_left(action: &Action) -> bool {
    matches!(action, Action::ReleaseFinalizer(ReleaseReason::LeftToOwner(_) | ReleaseReason::LeftUnowned))
}

/// Rows about `plan`. A row that names no goal has the goal of the table.
#[allow(unused_macros, reason = "each test binary uses its part of it")]
macro_rules! check {
    { goal: $goal:expr; $({ $($field:ident: $value:expr),* $(,)? }),* $(,)? } => {
        check(vec![$(Row { $($field: $value,)* ..Row::of($goal) }),*])
    };
}

pub(crate) fn wait(wait: Wait) -> Action {
    Action::Wait(wait)
}

pub(crate) fn refuse(refusal: Refusal) -> Action {
    Action::Refuse(refusal)
}

pub(crate) fn release(why: ReleaseReason) -> Action {
    Action::ReleaseFinalizer(why)
}

pub(crate) fn fetch(fetch: Fetch) -> Action {
    Action::Fetch(fetch)
}

pub(crate) fn fetch_user() -> Action {
    fetch(Fetch::User(id()))
}

pub(crate) fn fetch_tags() -> Action {
    fetch(Fetch::Tags(arn()))
}

pub(crate) fn not_active(lifecycle: Lifecycle) -> Action {
    wait(Wait::UserNotActive(lifecycle))
}

pub(crate) fn owner_unknown(lifecycle: Lifecycle) -> Action {
    wait(Wait::OwnerUnknown(lifecycle))
}

pub(crate) fn failed_tags(fault: Fault) -> Action {
    wait(Wait::Failed(Read::ListTagsForResource, fault))
}

pub(crate) fn already_exists() -> Action {
    refuse(Refusal::UserAlreadyExists { former: None })
}

pub(crate) fn owned_by_another() -> Action {
    refuse(Refusal::UserOwnedByAnother(owner_named("other")))
}

/// The user name of the AWS user is not `app`.
pub(crate) fn other_name(name: &str) -> Action {
    let why = format!(
        "AWS user \"app\" has the user name \"{name}\", not \"app\", and AWS cannot change a user name. To keep the user, set deletionPolicy to Retain, delete this object, and create it again with userName \"{name}\""
    );
    refuse(Refusal::InvalidSpec(why))
}

pub(crate) fn modify(changes: Changes, cause: Cause) -> Action {
    Action::Modify(Modify { user_id: id(), changes, cause })
}

pub(crate) fn drift(of: &[&str]) -> Cause {
    Cause::Drift(texts(of))
}

/// Only a change of the access string.
pub(crate) fn rules() -> Changes {
    Changes { access_string: Some(WANTED.into()), ..Changes::default() }
}

pub(crate) fn engine(engine: Engine) -> Changes {
    Changes { engine: Some(engine), ..Changes::default() }
}

pub(crate) fn authentication(change: AuthenticationChange) -> Changes {
    Changes { authentication: Some(change), ..Changes::default() }
}

/// Restores only the owner tags, which the user lost.
pub(crate) fn restore_tags() -> Action {
    Action::Tag(Tag { arn: arn(), tags: owner_tags(), cause: owner_tags_lost() })
}

pub(crate) fn owner_tags_lost() -> Cause {
    drift(&["the owner tags were missing"])
}

pub(crate) fn create_intent() -> Action {
    Action::WriteIntent(WriteIntent::Create { tag_keys: vec!["team".into()] })
}

pub(crate) fn tags_intent(keys: &[&str]) -> Action {
    Action::WriteIntent(WriteIntent::Tags { tag_keys: texts(keys), forget_passwords: false })
}

/// The same, and the versions of the passwords leave status.
pub(crate) fn tags_and_passwords_intent(keys: &[&str]) -> Action {
    Action::WriteIntent(WriteIntent::Tags { tag_keys: texts(keys), forget_passwords: true })
}

pub(crate) fn elsewhere(recorded: Arn, region: &str, account: Option<&str>) -> WrongLocation {
    WrongLocation {
        recorded: Location::of(&recorded),
        arn: Some(recorded),
        called: Location { account: account.map(str::to_owned), region: region.into() },
    }
}

/// The object is terminating, and the definition is known to stay.
pub(crate) fn leaving() -> Observed {
    nothing_known().definition(Definition::Kept)
}

/// DescribeUsers showed an `active` user. Its tags were not read.
pub(crate) fn active_seen() -> Observed {
    in_state(Lifecycle::Active)
}

pub(crate) fn in_state(lifecycle: Lifecycle) -> Observed {
    nothing_known().seen(user(lifecycle))
}

/// The `active` user has our tags and the spec's.
pub(crate) fn ours() -> Observed {
    active_seen().tagged(our_tags())
}

/// A CreateUser may still take effect.
pub(crate) fn open_creation() -> Record {
    Record { creation: Creation::Open, ..Record::default() }
}

pub(crate) fn missing_secret() -> Goal {
    present_with(Authentication::Password(Err(secret_not_found())))
}

pub(crate) fn another() -> Ownership {
    Ownership::Another(owner_named("other"))
}
