//! `follow_orphan`: the user of an object that vanished is deleted only if nothing speaks against it.

use std::time::Duration;

use plan::pace::{Pace, Requeue};
use plan::*;

use crate::common::*;

fn orphan(policy: DeletionPolicy) -> Orphan {
    let location = Some(Location { account: Some("111111111111".into()), region: "us-east-1".into() });
    Orphan { user_id: id(), owner: owner(), uid: "uid-1".into(), location, policy }
}

/// The object is gone, and its user exists with its tags: everything speaks for DeleteUser.
fn ready() -> OrphanFacts {
    let unknown = OrphanFacts::unknown(&orphan(DeletionPolicy::Delete), None, "us-east-1");
    let observed = unknown.observed.seen(active()).tagged(owner_tags()).kept().confirmed();
    OrphanFacts {
        namesake: Namesake::Absent,
        observed: observed.account(Account::Known("111111111111".into())),
        ..unknown
    }
}

/// These facts in place of those of [`ready`].
fn facts(observe: impl FnOnce(Observed) -> Observed) -> OrphanFacts {
    let ready = ready();
    OrphanFacts { observed: observe(ready.observed), ..ready }
}

/// The same while CreateUser may still take effect.
fn open(observe: impl FnOnce(Observed) -> Observed) -> OrphanFacts {
    facts(|seen| observe(seen).with(|seen| seen.record.creation = Creation::Open))
}

fn named(namesake: Namesake) -> OrphanFacts {
    OrphanFacts { namesake, ..ready() }
}

fn read(age: Duration) -> OrphanFacts {
    OrphanFacts { tags_age: age, ..ready() }
}

fn check(rows: impl IntoIterator<Item = Case<OrphanFacts, OrphanStep>>) {
    for Case { claim, given: facts, expected } in rows {
        let step = follow_orphan(&orphan(DeletionPolicy::Delete), &facts, &Pace::default());
        assert_eq!(step, expected, "{claim}");
    }
}

fn end(why: OrphanEnd) -> OrphanStep {
    OrphanStep::End(why)
}

/// The owner tags, but this key has this value, or none.
fn tags_but(key: &str, value: Option<&str>) -> Tags {
    let mut tags: Tags = owner_tags().into_iter().filter(|(tag, _)| tag != key).collect();
    tags.extend(value.map(|value| (key.to_owned(), value.to_owned())));
    tags
}

#[test]
fn the_user_of_a_vanished_object_is_deleted_after_everything_was_read() {
    let delete = || OrphanStep::Delete(Delete { user_id: id() });
    let valid = Pace::default().owner_valid;
    check(cases! {
        "nothing speaks against it": ready() => delete(),
        "tags may be two seconds old": read(valid) => delete(),
        "older tags are read again": read(valid + Duration::from_millis(1)) => OrphanStep::Fetch(Fetch::Tags(arn())),
        "the object is read first": named(Namesake::NotRead) => OrphanStep::ReadNamesake,
        "then the definition": facts(|seen| seen.definition(Definition::NotRead)) => OrphanStep::Fetch(Fetch::Definition),
        "then the user": facts(|seen| seen.described(UserObservation::NotRead)) => OrphanStep::Fetch(Fetch::User(id())),
        "then its tags": facts(|seen| seen.listed(TagsObservation::NotRead)) => OrphanStep::Fetch(Fetch::Tags(arn())),
        "the object is read again right before": facts(|seen| seen.with(|seen| seen.object_confirmed = false)) => OrphanStep::Confirm,
        "a definition that cannot be read is waited for":
            facts(|seen| seen.definition(Definition::Unreadable)) => OrphanStep::Wait(Wait::DefinitionUnreadable),
    });
}

#[test]
fn the_user_of_a_vanished_object_stays_if_the_policy_or_another_object_wants_it() {
    let retained =
        follow_orphan(&orphan(DeletionPolicy::Retain), &named(Namesake::NotRead), &Pace::default());
    assert_eq!(retained, end(OrphanEnd::Retained), "Retain, and nothing is read");
    check(cases! {
        "the object exists": named(Namesake::Itself) => end(OrphanEnd::NotVanished),
        "an object manages it": named(Namesake::Manages) => end(OrphanEnd::TakenOver),
        "an object wants it": named(Namesake::Wants) => OrphanStep::Requeue(Requeue::Backoff),
        "nobody knows whether an object wants it": named(Namesake::Unreadable) => OrphanStep::Requeue(Requeue::Backoff),
        "the definition is being deleted": facts(|seen| seen.definition(Definition::BeingDeleted)) => end(OrphanEnd::Retained),
    });
}

#[test]
fn a_user_whose_tags_do_not_name_the_vanished_object_stays() {
    let late = || OrphanStep::Wait(Wait::CreationOpen);
    let not_ours = || end(OrphanEnd::NotOurs);
    check(cases! {
        "no tags": facts(|seen| seen.tagged(Tags::new())) => not_ours(),
        "tags may appear later than the user": open(|seen| seen.tagged(Tags::new())) => late(),
        "no uid": facts(|seen| seen.tagged(tags_but(UID_TAG, None))) => not_ours(),
        "a uid may appear later": open(|seen| seen.tagged(tags_but(UID_TAG, None))) => late(),
        "some of the owner tags": facts(|seen| seen.tagged(tags_but(NAME_TAG, None))) => not_ours(),
        "another uid is another object": open(|seen| seen.tagged(tags_but(UID_TAG, Some("uid-2")))) => not_ours(),
    });
    for key in [CLUSTER_TAG, NAMESPACE_TAG, NAME_TAG] {
        check(cases! {
            "another owner": facts(|seen| seen.tagged(tags_but(key, Some("x")))) => not_ours(),
            "another owner while CreateUser may take effect": open(|seen| seen.tagged(tags_but(key, Some("x")))) => not_ours(),
        });
    }
}

#[test]
fn only_user_not_found_in_the_right_account_ends_the_search_for_the_user() {
    let elsewhere = WrongLocation {
        arn: None,
        recorded: Location { account: Some("111111111111".into()), region: "us-east-1".into() },
        called: Location { account: Some("222222222222".into()), region: "us-east-1".into() },
    };
    let moved = facts(|seen| seen.absent().account(Account::Known("222222222222".into())));
    check(cases! {
        "UserNotFound": facts(With::absent) => end(OrphanEnd::UserGone),
        "UserNotFound while CreateUser may take effect": open(With::absent) => OrphanStep::Wait(Wait::CreationOpen),
        "UserNotFound in another account than CreateUser was sent to": moved => OrphanStep::Wait(Wait::WrongLocation(elsewhere)),
    });
    for fault in faults() {
        let wait = |read| OrphanStep::Wait(Wait::Failed(read, fault.clone()));
        check(cases! {
            "DescribeUsers fails": facts(|seen| seen.failed(fault.clone())) => wait(Read::DescribeUsers),
            "ListTagsForResource fails": facts(|seen| seen.tags_failed(fault.clone())) => wait(Read::ListTagsForResource),
        });
    }
    for state in busy_states().into_iter().chain([Lifecycle::Deleting]) {
        let seen = facts(|seen| seen.seen(user(state.clone())).listed(TagsObservation::NotRead));
        check(cases! { "a busy user is waited for": seen => OrphanStep::Wait(Wait::OwnerUnknown(state)) });
    }
}
