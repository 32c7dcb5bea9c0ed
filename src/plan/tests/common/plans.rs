//! What plan tables are made of.

use plan::*;

use super::*;

pub(crate) type Row = (&'static str, Goal, Observed, Action);

/// Rows of a user that should be there speak of an object that has the finalizer; without it nothing but the finalizer may
/// come first, and always before anything that changes AWS.
pub(crate) fn check(rows: Vec<Row>) {
    for (claim, goal, observed, expected) in rows {
        if !matches!(goal, Goal::Present(_)) {
            assert_eq!(plan(&goal, &observed), expected, "{claim}");
            continue;
        }
        assert_eq!(plan(&goal, &observed.clone().held(true)), expected, "{claim}");
        let without = plan(&goal, &observed.held(false));
        let changes =
            expected.mutation().is_some() || matches!(expected, Action::WriteIntent(_) | Action::InSync);
        let first = without == Action::AddFinalizer || !changes && without == expected;
        assert!(first, "{claim}, without the finalizer: {without:?}");
    }
}

/// Braces, so that rustfmt leaves a row a row.
#[allow(unused_macros, reason = "each test binary uses its part of it")]
macro_rules! check {
    { $($row:expr),* $(,)? } => { check(vec![$($row),*]) };
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

pub(crate) fn look_at_tags() -> Action {
    Action::Fetch(Fetch::Tags(arn()))
}

pub(crate) fn modify(changes: Changes) -> Action {
    Action::Modify(Modify { user_id: id(), changes, cause: Cause::Edit })
}

pub(crate) fn tag() -> Action {
    Action::Tag(Tag { arn: arn(), tags: owner_tags(), cause: owner_tags_lost() })
}

pub(crate) fn owner_tags_lost() -> Cause {
    Cause::Drift(vec!["the owner tags were missing".into()])
}

pub(crate) fn announce_creation() -> Action {
    Action::WriteIntent(WriteIntent::Create { tag_keys: vec!["team".into()] })
}

pub(crate) fn elsewhere(recorded: Arn, region: &str, account: Option<&str>) -> WrongLocation {
    WrongLocation {
        recorded: Location::of(&recorded),
        arn: Some(recorded),
        called: Location { account: account.map(str::to_owned), region: region.into() },
    }
}

/// On the way out, with the definition known to stay.
pub(crate) fn leaving() -> Observed {
    nothing_known().definition(Definition::Kept)
}

/// Our user, seen with our tags and the spec's.
pub(crate) fn ours() -> Observed {
    nothing_known().seen(active()).tagged(our_tags())
}

pub(crate) fn another() -> Ownership {
    Ownership::Another(owner_named("other"))
}
