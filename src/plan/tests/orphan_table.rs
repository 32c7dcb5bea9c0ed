//! `follow_orphan`, one sentence a row: the user of an object that vanished is deleted only if everything speaks for it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::time::Duration;

use common::*;
use plan::pace::{Pace, Requeue};
use plan::*;

struct Row {
    claim: &'static str,
    policy: DeletionPolicy,
    facts: OrphanFacts,
    step: OrphanStep,
}

fn orphan(policy: DeletionPolicy) -> Orphan {
    let location = Some(Location { account: Some("111111111111".into()), region: "us-east-1".into() });
    Orphan { user_id: id(), owner: owner(), uid: "uid-1".into(), location, policy }
}

/// The object is gone, and its user is there with its tags: all is ready for DeleteUser.
fn ready() -> OrphanFacts {
    let unknown = OrphanFacts::unknown(&orphan(DeletionPolicy::Delete), None, "us-east-1");
    let mut observed =
        unknown.observed.seen(active()).tagged(owner_tags()).definition(Definition::Kept).confirmed();
    observed.source.account = Account::Known("111111111111".into());
    OrphanFacts { namesake: Namesake::Absent, observed, ..unknown }
}

fn row(claim: &'static str, change: impl FnOnce(&mut OrphanFacts), step: OrphanStep) -> Row {
    let mut facts = ready();
    change(&mut facts);
    Row { claim, policy: DeletionPolicy::Delete, facts, step }
}

fn check(rows: Vec<Row>) {
    for Row { claim, policy, facts, step } in rows {
        assert_eq!(follow_orphan(&orphan(policy), &facts, &Pace::default()), step, "{claim}");
    }
}

fn open(facts: &mut OrphanFacts) {
    facts.observed.record.creation = Creation::Open;
}

fn end(why: OrphanEnd) -> OrphanStep {
    OrphanStep::End(why)
}

fn tagged(facts: &mut OrphanFacts, key: &str, value: Option<&str>) {
    let mut tags = owner_tags();
    match value {
        Some(value) => drop(tags.insert(key.into(), value.into())),
        None => drop(tags.remove(key)),
    }
    facts.observed.tags = TagsObservation::Read(tags);
}

#[test]
fn delete_user_comes_last() {
    let delete = || OrphanStep::Delete(Delete { user_id: id() });
    let look = |look| OrphanStep::Fetch(look);
    let old = Pace::default().owner_valid + Duration::from_millis(1);
    check(vec![
        row("everything speaks for it", |_| {}, delete()),
        row("tags of two seconds ago are believed", |f| f.tags_age = Pace::default().owner_valid, delete()),
        row("older ones are read again", |f| f.tags_age = old, look(Fetch::Tags(arn()))),
        row("first the object is looked for", |f| f.namesake = Namesake::NotRead, OrphanStep::ReadNamesake),
        row("then the definition", |f| f.observed.definition = Definition::NotRead, look(Fetch::Definition)),
        row("then the user", |f| f.observed.user = UserObservation::NotRead, look(Fetch::User(id()))),
        row("then its tags", |f| f.observed.tags = TagsObservation::NotRead, look(Fetch::Tags(arn()))),
        row("the object is read right before", |f| f.observed.object_confirmed = false, OrphanStep::Confirm),
        row(
            "a definition that cannot be read is waited for",
            |f| f.observed.definition = Definition::Unreadable,
            OrphanStep::Wait(Wait::DefinitionUnreadable),
        ),
    ]);
}

#[test]
fn a_user_that_somebody_wants_stays() {
    let named = |namesake| move |facts: &mut OrphanFacts| facts.namesake = namesake;
    let retained = Row {
        policy: DeletionPolicy::Retain,
        ..row(
            "Retain keeps it, and asks nobody",
            |f| f.namesake = Namesake::NotRead,
            end(OrphanEnd::Retained),
        )
    };
    let backs_off = || OrphanStep::Requeue(Requeue::Backoff);
    let going = |f: &mut OrphanFacts| f.observed.definition = Definition::BeingDeleted;
    check(vec![
        retained,
        row("the object is there", named(Namesake::Itself), end(OrphanEnd::NotVanished)),
        row("an object manages it", named(Namesake::Manages), end(OrphanEnd::TakenOver)),
        row("an object wants it", named(Namesake::Wants), backs_off()),
        row("whether one does cannot be read", named(Namesake::Unreadable), backs_off()),
        row("the definition is being deleted", going, end(OrphanEnd::Retained)),
    ]);
}

#[test]
fn a_user_whose_tags_do_not_name_the_vanished_object_stays() {
    let none = |f: &mut OrphanFacts| f.observed.tags = TagsObservation::Read(Tags::new());
    let both = |first: fn(&mut OrphanFacts), second: fn(&mut OrphanFacts)| {
        move |facts: &mut OrphanFacts| {
            first(facts);
            second(facts);
        }
    };
    let late = || OrphanStep::Wait(Wait::CreationOpen);
    let mut rows = vec![
        row("no tags", none, end(OrphanEnd::NotOurs)),
        row("tags may show later than the user", both(none, open), late()),
        row("no uid", |f| tagged(f, UID_TAG, None), end(OrphanEnd::NotOurs)),
        row("a uid may show later", both(|f| tagged(f, UID_TAG, None), open), late()),
        row("part of the tags", |f| tagged(f, NAME_TAG, None), end(OrphanEnd::NotOurs)),
        row(
            "another uid is another object",
            both(|f| tagged(f, UID_TAG, Some("uid-2")), open),
            end(OrphanEnd::NotOurs),
        ),
    ];
    for key in [CLUSTER_TAG, NAMESPACE_TAG, NAME_TAG] {
        rows.push(row("another owner", |f| tagged(f, key, Some("x")), end(OrphanEnd::NotOurs)));
        let open_too = |f: &mut OrphanFacts| {
            tagged(f, key, Some("x"));
            open(f);
        };
        rows.push(row("another owner, however young the user is", open_too, end(OrphanEnd::NotOurs)));
    }
    check(rows);
}

#[test]
fn only_describe_users_says_that_the_user_is_gone_and_not_before_it_could_have_appeared() {
    let absent = |f: &mut OrphanFacts| f.observed.user = UserObservation::Absent;
    let mut rows = vec![
        row("UserNotFound is believed", absent, end(OrphanEnd::UserGone)),
        row(
            "not while the user may still appear",
            |f| {
                absent(f);
                open(f);
            },
            OrphanStep::Wait(Wait::CreationOpen),
        ),
        row(
            "nor with credentials of another account than CreateUser was sent with",
            |f| {
                absent(f);
                f.observed.source.account = Account::Known("222222222222".into());
            },
            OrphanStep::Wait(Wait::WrongLocation(WrongLocation {
                arn: None,
                recorded: Location { account: Some("111111111111".into()), region: "us-east-1".into() },
                called: Location { account: Some("222222222222".into()), region: "us-east-1".into() },
            })),
        ),
    ];
    for fault in faults() {
        let wait = |read| OrphanStep::Wait(Wait::Failed(read, fault.clone()));
        let (unseen, unread) =
            (UserObservation::Failed(fault.clone()), TagsObservation::Failed(fault.clone()));
        rows.push(row("no answer", |f| f.observed.user = unseen, wait(Read::DescribeUsers)));
        rows.push(row("no tags", |f| f.observed.tags = unread, wait(Read::ListTagsForResource)));
    }
    for state in [Lifecycle::Creating, Lifecycle::Modifying, Lifecycle::Deleting, odd()] {
        let seen = UserObservation::Found(user(state.clone()));
        rows.push(row(
            "a busy user is waited for",
            |f| (f.observed.user, f.observed.tags) = (seen, TagsObservation::NotRead),
            OrphanStep::Wait(Wait::OwnerUnknown(state)),
        ));
    }
    check(rows);
}
