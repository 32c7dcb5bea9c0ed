//! `plan` and users that are there before their object: adoption, former owners, and users that came back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[macro_use]
mod common;

use common::plans::*;
use common::*;
use plan::*;

fn with(adoption: Adoption) -> Goal {
    Goal::Present(Desired { adoption, ..desired() })
}

fn adopts() -> Goal {
    with(Adoption::Allowed)
}

/// A user without any tag.
fn bare() -> Observed {
    nothing_known().seen(active()).tagged(Tags::new())
}

/// A user with another owner's tags.
fn claimed() -> Observed {
    nothing_known().seen(active()).tagged(anothers_tags())
}

fn exists() -> Action {
    refuse(Refusal::UserAlreadyExists { former: None })
}

fn owned() -> Action {
    refuse(Refusal::UserOwnedByAnother(owner_named("other")))
}

fn announce() -> Action {
    Action::WriteIntent(WriteIntent::Tags { tag_keys: vec!["team".into()] })
}

fn object() -> Action {
    Action::Fetch(Fetch::Object)
}

fn take_over() -> Action {
    Action::Tag(Tag { arn: arn(), tags: our_tags(), cause: Cause::Adoption })
}

#[test]
fn a_user_that_is_nobodys_is_taken_over_only_where_both_sides_allow_it() {
    let named = || RemoteUser { user_name: "somebody".into(), ..active() };
    let other_name =
        "AWS user \"app\" has the user name \"somebody\", not \"app\", and a user name cannot change";
    let other_name = || refuse(Refusal::InvalidSpec(other_name.into()));
    let untagged = || Goal::Present(Desired { tags: Tags::new(), adoption: Adoption::Allowed, ..desired() });
    let seen = || nothing_known().seen(active());
    let in_state = |lifecycle| nothing_known().seen(user(lifecycle)).remembering(Ownership::Unowned);
    let busy = |lifecycle| wait(Wait::UserNotActive(lifecycle));
    let part = |key: &str| owner_tags().into_iter().filter(|(own, _)| own == key).collect::<Tags>();
    check! {
        ("an object that does not ask for it leaves the user alone", with(Adoption::Never), bare(), exists()),
        ("a namespace without leave leaves it alone", with(Adoption::NotAllowed), bare(), refuse(Refusal::AdoptionNotAllowed)),
        ("the keys of the spec's tags are announced first", adopts(), bare(), announce()),
        ("then the object is read again", adopts(), bare().announced(), object()),
        ("then the owner tags and the spec's are set in one call", adopts(), bare().announced().confirmed(), take_over()),
        ("without tags in the spec nothing has to be announced", untagged(), bare(), object()),
        ("and only the owner tags are set",
            untagged(), bare().confirmed(), Action::Tag(Tag { arn: arn(), tags: owner_tags(), cause: Cause::Adoption })),
        ("a user with some of our owner tags and none of another's is nobody's",
            adopts(), nothing_known().seen(active()).tagged(part(CLUSTER_TAG)), announce()),
        ("its tags that are nobody's business stay",
            adopts(), bare().tagged(tags(&[("cost-center", "7")])).announced().confirmed(), take_over()),
        ("a user of another name is left as it was", adopts(), bare().seen(named()), other_name()),
        ("its owner is read in this pass", adopts(), seen().remembering(Ownership::Unowned), look_at_tags()),
        ("an owner that cannot be read is waited for",
            adopts(), seen().tag_sight(TagsObservation::Unreadable), wait(Wait::OwnerUnknown(Lifecycle::Active))),
        ("it is not taken over while it is modifying", adopts(), in_state(Lifecycle::Modifying), busy(Lifecycle::Modifying)),
        ("nor in a state that is not known", adopts(), in_state(odd()), busy(odd())),
        ("nor while it is being deleted", adopts(), in_state(Lifecycle::Deleting), wait(Wait::PreviousUser)),
        ("a user that lost our tags is ours still: they are put back and nothing is adopted",
            adopts(), bare().record(managed()).confirmed(), tag()),
    }
}

#[test]
fn a_user_of_a_former_owner_is_nobodys_once_that_is_known_to_be_gone() {
    let former = || refuse(Refusal::UserAlreadyExists { former: Some(owner_named("other")) });
    let look = || Action::Fetch(Fetch::Owner(owner_named("other")));
    let of = |owner: Owner| nothing_known().seen(active()).tagged(owner.tags("uid-9"));
    let abroad = || Owner { cluster: "staging".into(), ..owner_named("other") };
    let moved = || Owner { namespace: "web".into(), ..owner() };
    let without = |key: &str| {
        let mut tags = anothers_tags();
        tags.remove(key);
        nothing_known().seen(active()).tagged(tags).other(OwnerObservation::Gone)
    };
    let by = |owner: Owner| refuse(Refusal::UserOwnedByAnother(owner));
    let unknown = || Owner::MISSING.to_owned();
    check! {
        ("whether the object that the tags name is there is asked", adopts(), claimed(), look()),
        ("also where nothing is to be adopted: the answer differs", with(Adoption::Never), claimed(), look()),
        ("while it is there the user is its", adopts(), claimed().other(OwnerObservation::Exists), owned()),
        ("where that cannot be known too", adopts(), claimed().other(OwnerObservation::Unknown), owned()),
        ("once it is gone the user is announced to be taken over", adopts(), claimed().other(OwnerObservation::Gone), announce()),
        ("and taken over", adopts(), claimed().other(OwnerObservation::Gone).announced().confirmed(), take_over()),
        ("an object that does not ask for it is told of the former owner",
            with(Adoption::Never), claimed().other(OwnerObservation::Gone), former()),
        ("a namespace without leave leaves it alone",
            with(Adoption::NotAllowed), claimed().other(OwnerObservation::Gone), refuse(Refusal::AdoptionNotAllowed)),
        ("an object that moved is looked for where it was", adopts(), of(moved()), Action::Fetch(Fetch::Owner(moved()))),
        ("another cluster's object cannot be looked at: the user stays its", adopts(), of(abroad()), by(abroad())),
        ("whatever was found here", adopts(), of(abroad()).other(OwnerObservation::Gone), by(abroad())),
        ("an owner whose namespace is not told cannot be looked at",
            adopts(), without(NAMESPACE_TAG), by(Owner { namespace: unknown(), ..owner_named("other") })),
        ("nor one whose cluster is not told",
            adopts(), without(CLUSTER_TAG), by(Owner { cluster: unknown(), ..owner_named("other") })),
        ("nor one whose name is not told",
            adopts(), nothing_known().seen(active()).tagged({
                let mut tags = moved().tags("uid-9");
                tags.remove(NAME_TAG);
                tags
            }).other(OwnerObservation::Gone), by(Owner { name: unknown(), ..moved() })),
        ("a busy user of a former owner is waited for",
            adopts(), nothing_known().seen(user(Lifecycle::Modifying)).remembering(another()).other(OwnerObservation::Gone), wait(Wait::UserNotActive(Lifecycle::Modifying))),
        ("on the way out another's user is left, its owner there or not",
            gone(), claimed().other(OwnerObservation::Gone).definition(Definition::Kept), release(ReleaseReason::LeftToOwner(owner_named("other")))),
        ("somebody who took over a user of ours has it",
            adopts(), claimed().record(managed()).other(OwnerObservation::Exists), owned()),
    }
}

#[test]
fn an_adopted_user_is_changed_to_match_and_its_passwords_are_sent_once() {
    let secret = password();
    let adopted = || {
        let announced = LastApplied { tag_keys: vec!["team".into()], ..LastApplied::default() };
        let record = Record { last_applied: Some(announced), ..Record::default() };
        let user = RemoteUser { authentication_type: "password".into(), password_count: Some(1), ..active() };
        nothing_known().seen(user).tagged(our_tags()).record(record)
    };
    let sent = |changes| Action::Modify(Modify { user_id: id(), changes, cause: Cause::Edit });
    let passwords = Changes { authentication: AuthenticationChange::to(&secret).ok(), ..Changes::default() };
    let other_engine = || RemoteUser { engine: "valkey".into(), ..active() };
    let redis = Changes { engine: Some(Engine::Redis), ..Changes::default() };
    check! {
        ("its passwords cannot be read back, so they are sent",
            Goal::Present(Desired { authentication: secret, adoption: Adoption::Allowed, ..desired() }), adopted(), sent(passwords)),
        ("what differs is a modification, not drift", adopts(), adopted().seen(other_engine()), sent(redis)),
        ("what does not differ is not sent", adopts(), adopted().seen(active()), Action::InSync),
    }
}

#[test]
fn a_user_that_somebody_deleted_is_created_again_and_that_is_drift() {
    let absent = |record: Record| nothing_known().absent().record(record).announced().held(true);
    let cause_of = |observed: &Observed| {
        let Action::Create(create) = plan(&present(), observed) else { panic!("it is created") };
        create.cause
    };
    let gone = || Cause::Drift(vec!["the AWS user was missing".into()]);
    let keys_only = LastApplied { tag_keys: vec!["team".into()], ..LastApplied::default() };
    let rows = [
        ("the first user of an object is no drift", Record::default(), Cause::Edit),
        (
            "nor one whose creation is in doubt",
            Record { last_applied: Some(keys_only), ..Record::default() },
            Cause::Edit,
        ),
        ("nor one that was found gone before", Record { arn: None, ..managed() }, Cause::Edit),
        ("nor one that was seen and never managed", Record { last_applied: None, ..managed() }, Cause::Edit),
        ("a user that was managed and is gone is", managed(), gone()),
        (
            "also once the first attempt to create it has failed",
            Record { readiness: Readiness::WasReady, ..Record::default() },
            gone(),
        ),
        (
            "also where it was seen on its way out",
            Record { deletion: accepted_by_another(), ..managed() },
            gone(),
        ),
    ];
    for (claim, record, expected) in rows {
        assert_eq!(cause_of(&absent(record)), expected, "{claim}");
    }
    check! {
        ("it is announced like any creation", present(), nothing_known().absent().record(managed()), announce_creation()),
        ("not before the account is known to be the same",
            present(), nothing_known().absent().record(managed()).account(Account::NotAsked), Action::Fetch(Fetch::Account)),
    }
}
