//! What status remembers of what was sent, one sentence a row: (claim, action, how it ended, what is remembered then).
#![allow(clippy::unwrap_used, reason = "a test may stop")]

#[path = "common/mod.rs"]
#[macro_use]
mod common;

use common::*;
use plan::verdict::Outcome;
use plan::*;

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

/// What was remembered before.
fn before() -> LastApplied {
    LastApplied {
        access_string: Some("on ~before".into()),
        expanded_access_string: Some("on ~before -@all".into()),
        password_versions: common::versions(&["a/1/k"]),
        tag_keys: texts(&["left", "team"]),
    }
}

fn create(authentication: &Authentication) -> Action {
    let mut all = owner_tags();
    all.insert("team".into(), "shop".into());
    Action::Create(Create {
        user_id: id(),
        user_name: "app".into(),
        engine: Engine::Redis,
        access_string: WANTED.into(),
        authentication: AuthenticationChange::to(authentication).unwrap(),
        tags: all,
        cause: Cause::Edit,
    })
}

fn modify(changes: Changes) -> Action {
    Action::Modify(Modify { user_id: id(), changes, cause: Cause::Edit })
}

fn change(expanded: Option<&str>, forget_passwords: bool) -> Action {
    let expanded_access_string = expanded.map(str::to_owned);
    Action::WriteIntent(WriteIntent::Modify { expanded_access_string, forget_passwords })
}

fn tagged(keys: &[&str]) -> Outcome {
    Outcome::Tagged(keys.iter().map(|key| ((*key).to_owned(), String::new())).collect())
}

#[test]
fn what_was_sent_is_remembered_once_it_was_answered() {
    let accepted = |lifecycle| Outcome::Accepted(user(lifecycle));
    let lost = || Outcome::Failed(unavailable());
    let rules = || Changes { access_string: Some(WANTED.into()), ..Changes::default() };
    let passwords = AuthenticationChange::to(&password()).unwrap();
    let secret = || Changes { authentication: Some(passwords.clone()), ..Changes::default() };
    let keys = |keys: &[&str]| Some(LastApplied { tag_keys: texts(keys), ..before() });
    let created = |versions: &[&str], expanded: Option<&str>| {
        Some(LastApplied {
            access_string: Some(WANTED.into()),
            expanded_access_string: expanded.map(str::to_owned),
            password_versions: common::versions(versions),
            tag_keys: texts(&["team"]),
        })
    };
    let untag = || Action::Untag(Untag { arn: arn(), keys: texts(&["left"]) });
    let tag = || Action::Tag(Tag { arn: arn(), tags: tags(&[("team", "shop")]), cause: Cause::Edit });
    let announce_creation = Action::WriteIntent(WriteIntent::Create { tag_keys: texts(&["team"]) });
    let announce_tags = Action::WriteIntent(WriteIntent::Tags { tag_keys: texts(&["left", "new", "team"]) });
    let rows = [
        (
            "a creation that is announced forgets all that was applied to a former user",
            announce_creation,
            Outcome::Decided,
            Some(LastApplied { tag_keys: texts(&["team"]), ..LastApplied::default() }),
        ),
        ("tags that are announced are ours", announce_tags, Outcome::Decided, keys(&["left", "new", "team"])),
        (
            "what a change overwrites is noted",
            change(Some("what AWS made of it"), false),
            Outcome::Decided,
            Some(LastApplied { expanded_access_string: Some("what AWS made of it".into()), ..before() }),
        ),
        (
            "or forgotten",
            change(None, true),
            Outcome::Decided,
            Some(LastApplied { password_versions: vec![], ..before() }),
        ),
        (
            "a deletion that is announced forgets all: its answer may be lost",
            Action::WriteIntent(WriteIntent::Delete),
            Outcome::Decided,
            Some(LastApplied::default()),
        ),
        (
            "a user that is claimed brings it back",
            Action::WriteIntent(WriteIntent::Reclaim { last_applied: before() }),
            Outcome::Decided,
            Some(before()),
        ),
        (
            "a created user, with the keys of the spec's tags and AWS's form",
            create(&password()),
            accepted(Lifecycle::Active),
            created(&["uid-s/7/key"], Some(CANONICAL)),
        ),
        (
            "one that is not active yet, without AWS's form",
            create(&Authentication::Iam),
            accepted(Lifecycle::Creating),
            created(&[], None),
        ),
        ("a creation without an answer says nothing", create(&Authentication::Iam), lost(), None),
        (
            "an access string that was sent, until AWS shows what it made of it",
            modify(rules()),
            accepted(Lifecycle::Modifying),
            Some(LastApplied {
                access_string: Some(WANTED.into()),
                expanded_access_string: None,
                ..before()
            }),
        ),
        (
            "passwords that were sent; what was not sent is there already, whoever noted it",
            modify(secret()),
            accepted(Lifecycle::Modifying),
            Some(LastApplied {
                access_string: Some(WANTED.into()),
                expanded_access_string: None,
                password_versions: common::versions(&["uid-s/7/key"]),
                ..before()
            }),
        ),
        ("a change without an answer says nothing", modify(rules()), lost(), None),
        ("a key leaves once its removal was answered", untag(), tagged(&["team"]), keys(&["team"])),
        ("not before", untag(), Outcome::NotFound, None),
        (
            "of a removal whose answer was lost, the next answer tells",
            tag(),
            tagged(&["team", "somebodys"]),
            keys(&["team"]),
        ),
        ("tags without an answer say nothing", tag(), lost(), None),
        ("a wait says nothing", Action::Wait(Wait::Modifying), Outcome::Decided, None),
    ];
    for (claim, action, outcome, expected) in rows {
        let found =
            next_last_applied(&present(), &nothing_known().seen(active()), &action, &outcome, before());
        assert_eq!(found, expected, "{claim}");
    }
}

#[test]
fn what_the_announcement_of_a_deletion_took_out_does_not_come_back() {
    let announced = nothing_known().seen(active()).record(managed()).announced();
    let delete = Action::Delete(Delete { user_id: id() });
    let outcomes = [
        Outcome::Failed(busy()),
        Outcome::Failed(unavailable()),
        Outcome::NotFound,
        Outcome::Accepted(user(Lifecycle::Deleting)),
    ];
    for outcome in outcomes {
        let found = next_last_applied(&gone(), &announced, &delete, &outcome, LastApplied::default());
        assert_eq!(found, None, "{outcome:?}");
    }
    let not_sent = Action::Wait(Wait::OwnerUnknown(Lifecycle::Active));
    let found = next_last_applied(&gone(), &announced, &not_sent, &Outcome::Decided, LastApplied::default());
    assert_eq!(found, None, "announced, and not sent");
}

#[test]
fn a_user_at_rest_is_remembered_as_it_is() {
    let observed = nothing_known().seen(active()).record(managed());
    let at_rest = |goal: &Goal, observed: &Observed| {
        next_last_applied(goal, observed, &Action::InSync, &Outcome::Decided, before())
    };
    assert_eq!(at_rest(&present(), &observed), Some(in_sync(&desired(), &active(), &observed)));
    assert_eq!(at_rest(&gone(), &observed), None, "nothing is asked for any more");
    assert_eq!(at_rest(&present(), &nothing_known()), None, "nobody looked");
}
