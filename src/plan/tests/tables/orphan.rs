//! The user of an object that vanished is deleted only if nothing speaks against it.

use plan::*;

use crate::common::plans::{fetch, wait};
use crate::common::*;

fn orphan(policy: DeletionPolicy) -> Goal {
    Goal::Orphaned(Orphan { user_id: id(), owner: owner(), uid: "uid-1".into(), policy })
}

/// The object is gone, its user exists with its tags, and the delete request is recorded. So nothing prevents DeleteUser.
fn ready() -> Observed {
    nothing_known().seen(active()).tagged(owner_tags()).kept().confirmed().intent_written().with(|seen| {
        seen.namesake = Namesake::Absent;
        seen.record.location = Some(Location::of(&arn()));
        seen.record.deletion = requested_by_us(None);
    })
}

/// Like [`ready`], but CreateUser may still take effect.
fn open() -> Observed {
    ready().with(|seen| (seen.record.creation, seen.record.tags_may_lag) = (Creation::Open, true))
}

fn named(namesake: Namesake) -> Observed {
    ready().with(|seen| seen.namesake = namesake)
}

fn check(rows: impl IntoIterator<Item = Case<Observed, Action>>) {
    for Case { claim, given, expected } in rows {
        assert_eq!(plan(&orphan(DeletionPolicy::Delete), &given), expected, "{claim}");
    }
}

fn retained() -> Action {
    Action::ReleaseFinalizer(ReleaseReason::Retained { deletion_accepted: false })
}

/// The owner tags, but this key has this value, or none.
fn tags_but(key: &str, value: Option<&str>) -> Tags {
    let mut tags: Tags = owner_tags().into_iter().filter(|(tag, _)| tag != key).collect();
    tags.extend(value.map(|value| (key.to_owned(), value.to_owned())));
    tags
}

#[test]
fn the_user_of_a_vanished_object_is_deleted_after_everything_was_read() {
    check(cases! {
        "nothing speaks against it": ready() => Action::Delete(Delete { user_id: id() }),
        "the object is read first": named(Namesake::NotRead) => fetch(Fetch::Namesake),
        "then the definition": ready().definition(Definition::NotRead) => fetch(Fetch::Definition),
        "then the user": ready().described(UserObservation::NotRead) => fetch(Fetch::User(id())),
        "then its tags": ready().listed(TagsObservation::NotRead) => fetch(Fetch::Tags(arn())),
        "the object is read again right before": ready().with(|seen| seen.object_confirmed = false) => fetch(Fetch::ObjectAndDefinition),
        "a definition that cannot be read is waited for": ready().definition(Definition::Unreadable) => wait(Wait::DefinitionUnreadable),
    });
}

#[test]
fn the_user_of_a_vanished_object_stays_if_the_policy_or_another_object_wants_it() {
    let at_once = plan(&orphan(DeletionPolicy::Retain), &named(Namesake::NotRead));
    assert_eq!(at_once, retained(), "Retain, and nothing is read");
    check(cases! {
        "the object exists": named(Namesake::Itself) => wait(Wait::NotVanished),
        "an object manages it": named(Namesake::Manages) => Action::ReleaseFinalizer(ReleaseReason::LeftToOwner(owner())),
        "an object wants it": named(Namesake::Wants) => wait(Wait::Namesake),
        "the definition is being deleted": ready().definition(Definition::BeingDeleted) =>
            Action::ReleaseFinalizer(ReleaseReason::DefinitionDeleted { deletion_accepted: false }),
    });
}

#[test]
fn a_user_whose_tags_do_not_name_the_vanished_object_stays() {
    let late = || wait(Wait::OwnerUnknown(Lifecycle::Active));
    let unowned = || Action::ReleaseFinalizer(ReleaseReason::LeftUnowned);
    let left_to = |owner| Action::ReleaseFinalizer(ReleaseReason::LeftToOwner(owner));
    check(cases! {
        "no tags": ready().tagged(Tags::new()) => unowned(),
        "tags may appear later than the user": open().tagged(Tags::new()) => late(),
        "no uid": ready().tagged(tags_but(UID_TAG, None)) => unowned(),
        "a uid may appear later": open().tagged(tags_but(UID_TAG, None)) => late(),
        "some of the owner tags": ready().tagged(tags_but(NAME_TAG, None)) => unowned(),
        "another uid is another object": open().tagged(tags_but(UID_TAG, Some("uid-2"))) => left_to(owner()),
    });
    for (key, another) in [
        (CLUSTER_TAG, Owner { cluster: "x".into(), ..owner() }),
        (NAMESPACE_TAG, Owner { namespace: "x".into(), ..owner() }),
        (NAME_TAG, owner_named("x")),
    ] {
        check(cases! {
            "another owner": ready().tagged(tags_but(key, Some("x"))) => left_to(another.clone()),
            "another owner while CreateUser may take effect": open().tagged(tags_but(key, Some("x"))) => left_to(another),
        });
    }
}

#[test]
fn only_user_not_found_in_the_right_account_ends_the_search_for_the_user() {
    let there = Location { account: Some("222222222222".into()), region: "us-east-1".into() };
    let elsewhere = || WrongLocation { arn: None, recorded: Location::of(&arn()), called: there.clone() };
    let moved = Account::Known("222222222222".into());
    let strange = user_with(|user| user.arn = arn_in("us-east-1", "222222222222"));
    check(cases! {
        "UserNotFound": ready().absent() => Action::ReleaseFinalizer(ReleaseReason::UserGone),
        "UserNotFound while CreateUser may take effect": open().absent() => wait(Wait::CreationOpen),
        "UserNotFound in another account than CreateUser was sent to": ready().absent().account(moved) => wait(Wait::WrongLocation(elsewhere())),
        "a user of another owner in that account": ready().seen(strange).tagged(anothers_tags()) => wait(Wait::WrongLocation(elsewhere())),
    });
    for fault in faults() {
        check(cases! {
            "DescribeUsers fails": ready().failed(fault.clone()) => wait(Wait::Failed(Read::DescribeUsers, fault.clone())),
            "ListTagsForResource fails": ready().tags_failed(fault.clone()) => wait(Wait::Failed(Read::ListTagsForResource, fault)),
        });
    }
    for state in busy_states().into_iter().chain([Lifecycle::Deleting]) {
        let seen = ready().seen(user(state.clone())).listed(TagsObservation::NotRead);
        check(cases! { "a busy user is waited for": seen => wait(Wait::OwnerUnknown(state)) });
    }
}
