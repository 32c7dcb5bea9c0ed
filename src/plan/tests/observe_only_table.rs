//! `plan` where AWS is not changed: objects that observe, and objects that are suspended.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[macro_use]
mod common;

use common::plans::*;
use common::*;
use plan::*;

fn observes() -> Goal {
    Goal::ObserveOnly(desired())
}

fn observes_with(authentication: Authentication) -> Goal {
    Goal::ObserveOnly(Desired { authentication, ..desired() })
}

fn differs(what: &[&str]) -> Action {
    Action::ObserveOnly(Comparison::Differs(what.iter().map(|text| (*text).to_owned()).collect()))
}

fn matches() -> Action {
    Action::ObserveOnly(Comparison::Matches)
}

/// The finalizer is on the object: it managed its user before.
fn held(record: Record) -> Observed {
    nothing_known().record(Record { has_finalizer: true, ..record })
}

#[test]
fn an_object_that_observes_tells_what_would_be_changed() {
    let password_user = |count| {
        ours().seen(RemoteUser { authentication_type: "password".into(), password_count: count, ..active() })
    };
    let rules = |text: &str| ours().seen(RemoteUser { access_string: text.into(), ..active() });
    let valkey = || RemoteUser { engine: "valkey".into(), ..active() };
    let all = || RemoteUser {
        engine: "valkey".into(),
        access_string: "off".into(),
        authentication_type: "no-password".into(),
        user_name: "x".into(),
        ..active()
    };
    let odd_rules = |text: &str| Goal::ObserveOnly(Desired { access_string: text.into(), ..desired() });
    let two = || Goal::ObserveOnly(Desired { tags: tags(&[("team", "shop"), ("tier", "1")]), ..desired() });
    let untagged = || Goal::ObserveOnly(Desired { tags: Tags::new(), ..desired() });
    check! {
        ("a user that matches is observed", observes(), ours(), matches()),
        ("whoever's it is", observes(), ours().tagged({
            let mut tags = anothers_tags();
            tags.insert("team".into(), "shop".into());
            tags
        }), matches()),
        ("access strings are compared by their meaning", observes(), rules("on ~* +@all"), matches()),
        ("another meaning differs",
            observes(), rules("off ~* -@all"), differs(&["access string \"off ~* -@all\" would become \"on allkeys +@all\""])),
        ("what cannot be parsed is compared literally",
            odd_rules("on frobnicate ~a"), rules("on ~a frobnicate"), differs(&["access string \"on ~a frobnicate\" would become \"on frobnicate ~a\""])),
        ("also where it is what AWS made of the last request",
            odd_rules("on frobnicate ~a"), rules("on ~a frobnicate").record(Record { last_applied: Some(LastApplied {
                access_string: Some("on frobnicate ~a".into()), expanded_access_string: Some("on ~a frobnicate".into()), ..LastApplied::default()
            }), ..managed() }), differs(&["access string \"on ~a frobnicate\" would become \"on frobnicate ~a\""])),
        ("another engine differs", observes(), ours().seen(valkey()), differs(&["engine valkey would become redis"])),
        ("passwords are compared by their count", observes_with(password()), password_user(Some(1)), matches()),
        ("and by nothing else, whatever was sent",
            observes_with(password()), password_user(Some(1)).sent(Passwords::new(vec![(Password::parse(b"another password").unwrap(), SecretVersion::parse("v/key"))])), matches()),
        ("another count means that they would be sent",
            observes_with(password()), password_user(Some(2)), differs(&["passwords would be sent"])),
        ("another type does too",
            observes_with(password()), ours(), differs(&["authentication type iam would become password", "passwords would be sent"])),
        ("a type without passwords sends none",
            observes(), password_user(Some(1)), differs(&["authentication type password would become iam"])),
        ("a user name cannot change",
            observes(), ours().seen(RemoteUser { user_name: "x".into(), ..active() }), differs(&["userName is \"x\" and not \"app\", which AWS cannot change"])),
        ("everything that differs is told",
            observes(), ours().seen(all()).tagged(Tags::new()), differs(&[
                "userName is \"x\" and not \"app\", which AWS cannot change",
                "access string \"off\" would become \"on allkeys +@all\"",
                "engine valkey would become redis",
                "authentication type no-password would become iam",
                "tag \"team\" would be set to \"shop\"",
            ])),
        ("tags are compared by the keys of the spec",
            two(), ours().tagged(tags(&[("team", "web"), ("x", "y")])), differs(&["tag \"team\" would be set to \"shop\"", "tag \"tier\" would be set to \"1\""])),
        ("a tag that left the spec is none of them", observes(), ours().tagged(tags(&[("team", "shop"), ("old", "1")])), matches()),
        ("without tags in the spec none are read", untagged(), nothing_known().seen(active()), matches()),
    }
}

#[test]
fn an_object_that_observes_only_looks() {
    let in_state = |lifecycle| nothing_known().seen(user(lifecycle));
    let busy = |lifecycle| wait(Wait::UserNotActive(lifecycle));
    let lacks = |problem: SecretProblem| observes_with(Authentication::Password(Err(problem)));
    let seen = || nothing_known().seen(active());
    let west = || arn_in("eu-west-1", "111111111111");
    let known_in_west = || placed(west());
    let place = || refuse(Refusal::WrongLocation(elsewhere(west(), "us-east-1", None)));
    check! {
        ("the user is looked at first", observes(), nothing_known(), Action::Fetch(Fetch::User(id()))),
        ("a look that fails is waited for",
            observes(), nothing_known().sight(UserObservation::Failed(throttled())), failed_read(throttled())),
        ("a user that is not there is not created", observes(), nothing_known().absent(), Action::ObserveOnly(Comparison::Missing)),
        ("not even once that was announced", observes(), nothing_known().absent().announced(), Action::ObserveOnly(Comparison::Missing)),
        ("its absence counts only in the place that status knows",
            observes(), nothing_known().absent().record(known_in_west()), place()),
        ("the account is asked for where it is not known",
            observes(), nothing_known().absent().record(managed()).account(Account::NotAsked), Action::Fetch(Fetch::Account)),
        ("a user seen in another place is refused", observes(), ours().record(known_in_west()), place()),
        ("a user that is modifying is waited for", observes(), in_state(Lifecycle::Modifying), busy(Lifecycle::Modifying)),
        ("so is one that is being deleted", observes(), in_state(Lifecycle::Deleting), busy(Lifecycle::Deleting)),
        ("so is one in a state that is not known", observes(), in_state(odd()), busy(odd())),
        ("a Secret that is missing is told", lacks(secret_not_found()), seen(), wait(Wait::Secret(secret_not_found()))),
        ("a value that cannot be a password is told",
            lacks(invalid_secret()), seen(), refuse(Refusal::InvalidPassword(invalid_secret()))),
        ("the spec's tags are looked for", observes(), seen(), look_at_tags()),
        ("tags that cannot be read now are waited for",
            observes(), seen().tag_sight(TagsObservation::Unreadable), wait(Wait::OwnerUnknown(Lifecycle::Active))),
        ("so is a reading that fails",
            observes(), seen().tag_sight(TagsObservation::Failed(denied())), wait(Wait::Failed(Read::ListTagsForResource, denied()))),
    }
}

#[test]
fn an_object_that_begins_to_observe_lets_go_of_its_finalizer() {
    let open = || Record { creation: Creation::Open, ..Record::default() };
    let lets_go = || release(ReleaseReason::Observes { deletion_accepted: false });
    let leaves = || Goal::Absent(DeletionGoal { observes: true, ..deletion_goal() });
    let accepted = || Record { deletion: accepted_by_another(), ..managed() };
    check! {
        ("at once, and nobody is asked", observes(), held(managed()), lets_go()),
        ("not while a user of ours may appear: it is looked for", observes(), held(open()), Action::Fetch(Fetch::User(id()))),
        ("and waited for", observes(), held(open()).absent(), wait(Wait::CreationOpen)),
        ("also while AWS does not answer", observes(), held(open()).sight(UserObservation::Failed(throttled())), wait(Wait::CreationOpen)),
        ("once it was seen the finalizer goes", observes(), held(open()).seen(active()), lets_go()),
        ("also where AWS had answered the creation", observes(), held(Record { creation: Creation::Open, ..managed() }), lets_go()),
        ("without a finalizer a creation in doubt holds nothing",
            observes(), nothing_known().record(open()).absent(), Action::ObserveOnly(Comparison::Missing)),
        ("on the way out too nobody is asked", leaves(), held(managed()), lets_go()),
        ("nor for the definition", leaves(), held(managed()).definition(Definition::NotRead), lets_go()),
        ("a creation in doubt is looked for", leaves(), held(open()), Action::Fetch(Fetch::User(id()))),
        ("a deletion that was accepted before is told", leaves(), held(accepted()), release(ReleaseReason::Observes { deletion_accepted: true })),
        ("prevent-deletion goes before that", Goal::Absent(DeletionGoal { observes: true, protected: true, ..deletion_goal() }), held(managed()), wait(Wait::Protected)),
    }
}

#[test]
fn a_suspended_object_stays_ready_only_where_status_shows_its_spec_as_applied() {
    let outline = || Outline {
        engine: Engine::Redis,
        access_string: WANTED.into(),
        authentication_type: AuthenticationType::Iam,
    };
    let ready = || Record { readiness: Readiness::EarlierGeneration, ..managed() };
    let shown = |reported: Reported| Record { reported: Some(reported), ..ready() };
    let pause = |ready| Action::Suspended { ready };
    let suspended = |outline: Outline| Goal::Suspended(Some(outline));
    let status = |record: Record| nothing_known().record(record);
    check! {
        ("it was Ready, and is as it was applied", suspended(outline()), status(ready()), pause(true)),
        ("in other words of the same meaning", suspended(Outline { access_string: "on ~* allcommands".into(), ..outline() }), status(ready()), pause(true)),
        ("it was not Ready", suspended(outline()), status(managed()), pause(false)),
        ("a spec that cannot be read is not what was applied", Goal::Suspended(None), status(ready()), pause(false)),
        ("other rules are asked for", suspended(Outline { access_string: "off".into(), ..outline() }), status(ready()), pause(false)),
        ("another engine is asked for", suspended(Outline { engine: Engine::Valkey, ..outline() }), status(ready()), pause(false)),
        ("another authentication is asked for",
            suspended(Outline { authentication_type: AuthenticationType::NoPassword, ..outline() }), status(ready()), pause(false)),
        ("status shows another engine", suspended(outline()), status(shown(Reported { engine: "valkey".into(), ..reported() })), pause(false)),
        ("AWS's word for no password is the spec's",
            suspended(Outline { authentication_type: AuthenticationType::NoPassword, ..outline() }),
            status(shown(Reported { authentication_type: "no-password".into(), ..reported() })), pause(true)),
        ("nothing was applied: it only observed", suspended(outline()), status(Record { last_applied: None, ..ready() }), pause(false)),
        ("nothing is shown", suspended(outline()), status(Record { reported: None, ..ready() }), pause(false)),
        ("whatever was seen, nothing is done", suspended(outline()), ours().record(Record::default()).absent(), pause(false)),
    }
}

#[test]
fn a_suspended_object_on_its_way_out_is_held_by_the_first_match() {
    let suspended = || DeletionGoal { suspended: true, ..deletion_goal() };
    let leaves = |departure: DeletionGoal| Goal::Absent(departure);
    let open = || nothing_known().record(Record { creation: Creation::Open, ..Record::default() });
    let retains = || leaves(DeletionGoal { policy: DeletionPolicy::Retain, ..suspended() });
    let kept = || release(ReleaseReason::Retained { deletion_accepted: false });
    let crd = |definition| nothing_known().definition(definition);
    check! {
        ("it waits, and AWS is not asked", leaves(suspended()), crd(Definition::Kept), wait(Wait::Suspended)),
        ("also where it is not known whether the definition goes", leaves(suspended()), crd(Definition::Unreadable), wait(Wait::Suspended)),
        ("whatever was seen before", leaves(suspended()), ours().definition(Definition::Kept).announced().confirmed(), wait(Wait::Suspended)),
        ("whether the definition goes is asked first", leaves(suspended()), nothing_known(), Action::Fetch(Fetch::Definition)),
        ("its going lets the object go", leaves(suspended()), crd(Definition::BeingDeleted), release(ReleaseReason::DefinitionDeleted { deletion_accepted: false })),
        ("so does Retain", retains(), nothing_known(), kept()),
        ("so does Observe", leaves(DeletionGoal { observes: true, ..suspended() }), nothing_known(), release(ReleaseReason::Observes { deletion_accepted: false })),
        ("prevent-deletion goes before it",
            leaves(DeletionGoal { protected: true, policy: DeletionPolicy::Retain, ..suspended() }), nothing_known(), wait(Wait::Protected)),
        ("a creation in doubt is waited for without a look", retains(), open(), wait(Wait::CreationOpen)),
        ("also where the definition goes", leaves(suspended()), open().definition(Definition::BeingDeleted), wait(Wait::CreationOpen)),
        ("a creation that AWS answered is in no doubt",
            retains(), nothing_known().record(Record { creation: Creation::Open, ..managed() }), kept()),
        ("an object that names no possible user goes all the same",
            leaves(DeletionGoal { user_id: None, ..suspended() }), nothing_known(), release(ReleaseReason::NoSuchUser)),
    }
}
