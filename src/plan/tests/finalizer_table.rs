//! `plan` for an object without the finalizer, one sentence a row: whatever is wrong with it, it must not go and leave a user
//! of ours behind; and a user that is not ours must not hold it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[macro_use]
mod common;

use common::plans::*;
use common::*;
use plan::*;

/// What may be wrong with an object: its goal, and what is told of it once the finalizer is on.
struct Wrong {
    name: &'static str,
    goal: Goal,
    told: Action,
}

fn wrongs() -> Vec<Wrong> {
    let secret = |problem| present_with(Authentication::Password(Err(problem)));
    let unattainable =
        |refusal: Refusal| Goal::Invalid { refusal: refusal.clone(), subject: Some(subject()) };
    let invalid = || Refusal::InvalidSpec("no".into());
    let not_allowed = || Refusal::UserIdNotAllowed { user_id: id(), prefix: "shop-".into() };
    vec![
        Wrong {
            name: "its Secret is missing",
            goal: secret(secret_not_found()),
            told: wait(Wait::Secret(secret_not_found())),
        },
        Wrong {
            name: "its password is invalid",
            goal: secret(invalid_secret()),
            told: refuse(Refusal::InvalidPassword(invalid_secret())),
        },
        Wrong { name: "its spec is invalid", goal: unattainable(invalid()), told: refuse(invalid()) },
        Wrong {
            name: "its ID is not allowed",
            goal: unattainable(not_allowed()),
            told: refuse(not_allowed()),
        },
        Wrong { name: "nothing", goal: present(), told: Action::InSync },
    ]
}

/// What AWS shows of a user, and what is told of it where the spec can be had and the finalizer is on.
struct Shown {
    name: &'static str,
    observed: Observed,
    told: Option<Action>,
}

fn shown(name: &'static str, observed: Observed, told: Option<Action>) -> Shown {
    Shown { name, observed, told }
}

fn busy_states() -> [Lifecycle; 3] {
    [Lifecycle::Creating, Lifecycle::Modifying, odd()]
}

/// Users that are ours, or that nobody can say are not.
fn perhaps_ours() -> Vec<Shown> {
    let active = || nothing_known().seen(active());
    let denied_tags = Wait::Failed(Read::ListTagsForResource, denied());
    let busy_tags = Wait::Failed(Read::ListTagsForResource, throttled());
    let lost = || active().tagged(Tags::new()).record(managed());
    let moved = || placed(arn_in("eu-west-1", "111111111111"));
    let recorded = elsewhere(arn_in("eu-west-1", "111111111111"), "us-east-1", None);
    let mut all = vec![
        shown("ours by its tags", ours(), None),
        shown("tags denied", active().tag_sight(TagsObservation::Failed(denied())), Some(wait(denied_tags))),
        shown(
            "tags throttled",
            active().tag_sight(TagsObservation::Failed(throttled())),
            Some(wait(busy_tags)),
        ),
        shown(
            "tags unreadable",
            active().tag_sight(TagsObservation::Unreadable),
            Some(wait(Wait::OwnerUnknown(Lifecycle::Active))),
        ),
        shown("ours, without its tags", lost(), Some(Action::Fetch(Fetch::Object))),
        shown(
            "in another place than status knows",
            active().record(moved()),
            Some(refuse(Refusal::WrongLocation(recorded))),
        ),
        shown(
            "on its way out, its owner not known",
            nothing_known().seen(user(Lifecycle::Deleting)),
            Some(wait(Wait::PreviousUser)),
        ),
        shown(
            "named otherwise",
            nothing_known()
                .seen(RemoteUser { user_name: "x".into(), ..user(Lifecycle::Active) })
                .tagged(our_tags()),
            Some(refuse(Refusal::InvalidSpec(
                "AWS user \"app\" has the user name \"x\", not \"app\", and a user name cannot change".into(),
            ))),
        ),
    ];
    for state in busy_states() {
        let seen = nothing_known().seen(user(state.clone()));
        all.push(shown(
            "busy, its owner not known",
            seen.clone(),
            Some(wait(Wait::OwnerUnknown(state.clone()))),
        ));
        let told = if state == Lifecycle::Creating { Wait::Creating } else { Wait::UserNotActive(state) };
        all.push(shown("busy, ours by memory", seen.remembering(Ownership::Ours), Some(wait(told))));
    }
    all
}

#[test]
fn a_user_that_may_be_ours_holds_its_object_before_anything_is_waited_for_refused_or_done() {
    for Wrong { name: wrong, goal, told } in wrongs() {
        for Shown { name, observed, told: of_user } in perhaps_ours() {
            let case = format!("the user is {name}; wrong with the object: {wrong}");
            assert_eq!(plan(&goal, &observed.clone().held(false)), Action::AddFinalizer, "{case}");
            // What is wrong with the spec is told in any case, what is wrong with the user only where it matters.
            let spec_first = matches!(goal, Goal::Invalid { .. });
            let expected = of_user.filter(|_| !spec_first).unwrap_or_else(|| told.clone());
            assert_eq!(plan(&goal, &observed.held(true)), expected, "{case}, once it is on");
        }
    }
}

#[test]
fn a_user_that_is_known_not_to_be_ours_never_holds_an_object() {
    let seen = |lifecycle: Lifecycle| nothing_known().seen(user(lifecycle)).other(OwnerObservation::Exists);
    let owned = || refuse(Refusal::UserOwnedByAnother(owner_named("other")));
    let exists = || refuse(Refusal::UserAlreadyExists { former: None });
    let mut rows = vec![
        ("another's by its tags", seen(Lifecycle::Active).tagged(anothers_tags()), owned()),
        ("nobody's by its tags", seen(Lifecycle::Active).tagged(Tags::new()), exists()),
        (
            "nobody's, and only some of the owner tags are there",
            seen(Lifecycle::Active).tagged(tags(&[(CLUSTER_TAG, "prod")])),
            exists(),
        ),
        (
            "another's on its way out",
            seen(Lifecycle::Deleting).remembering(another()),
            wait(Wait::PreviousUser),
        ),
    ];
    for state in busy_states() {
        rows.push((
            "another's by memory while it is busy",
            seen(state.clone()).remembering(another()),
            owned(),
        ));
        rows.push(("nobody's by memory", seen(state).remembering(Ownership::Unowned), exists()));
    }
    for Wrong { name: wrong, goal, told } in wrongs() {
        for (claim, observed, of_user) in &rows {
            let spec_first = matches!(goal, Goal::Invalid { .. });
            let expected = if spec_first { &told } else { of_user };
            let case = format!("{claim}; wrong with the object: {wrong}");
            assert_eq!(plan(&goal, &observed.clone().held(false)), *expected, "{case}");
        }
    }
    let adopts = |adoption| Goal::Present(Desired { adoption, ..desired() });
    let nobodys = seen(Lifecycle::Active).tagged(Tags::new());
    let busy = seen(Lifecycle::Modifying).remembering(Ownership::Unowned);
    check! {
        ("nor does one that may not be adopted",
            adopts(Adoption::NotAllowed), nobodys.clone(), refuse(Refusal::AdoptionNotAllowed)),
        ("one that is waited for to be adopted is nobody's still",
            adopts(Adoption::Allowed), busy.clone(), wait(Wait::UserNotActive(Lifecycle::Modifying))),
    }
    assert_eq!(
        plan(&adopts(Adoption::NotAllowed), &nobodys.clone().held(false)),
        refuse(Refusal::AdoptionNotAllowed)
    );
    let waits = wait(Wait::UserNotActive(Lifecycle::Modifying));
    assert_eq!(plan(&adopts(Adoption::Allowed), &busy.held(false)), waits);
    assert_eq!(
        plan(&adopts(Adoption::Allowed), &nobodys.held(false)),
        Action::AddFinalizer,
        "an adoption changes the user's tags: the finalizer is on first"
    );
}

#[test]
fn whose_the_user_is_is_found_out_first() {
    let seen = || nothing_known().seen(active()).held(false);
    for Wrong { name, goal, .. } in wrongs() {
        let first = Action::Fetch(Fetch::User(id()));
        assert_eq!(plan(&goal, &nothing_known().held(false)), first, "{name}");
        assert_eq!(plan(&goal, &seen()), look_at_tags(), "{name}");
    }
    let another = seen().tagged(anothers_tags());
    assert_eq!(plan(&present(), &another), Action::Fetch(Fetch::Owner(owner_named("other"))));
}

#[test]
fn an_object_for_which_aws_could_not_be_asked_has_no_finalizer_and_is_told_what_is_wrong() {
    for Wrong { name, goal, told } in wrongs() {
        for fault in faults() {
            let observed = nothing_known().sight(UserObservation::Failed(fault.clone())).held(false);
            let spec_first = matches!(goal, Goal::Invalid { .. });
            let expected = if spec_first { told.clone() } else { failed_read(fault) };
            assert_eq!(plan(&goal, &observed), expected, "{name}");
        }
    }
}

#[test]
fn a_user_that_is_not_there_holds_nothing_before_it_is_created() {
    let absent = || nothing_known().absent().held(false);
    for Wrong { name, goal, told } in wrongs() {
        let expected = if told == Action::InSync { Action::AddFinalizer } else { told };
        assert_eq!(plan(&goal, &absent()), expected, "{name}");
    }
}

#[test]
fn a_spec_that_cannot_be_had_costs_no_call_once_the_finalizer_is_on_or_where_it_is_not_needed() {
    let refusal = || Refusal::InvalidSpec("no".into());
    let goal = |subject| Goal::Invalid { refusal: refusal(), subject };
    check! {
        ("held", goal(Some(subject())), nothing_known().held(true), refuse(refusal())),
        ("it names no possible user, or only observes", goal(None), nothing_known(), refuse(refusal())),
    }
}

#[test]
fn observe_and_suspend_take_no_finalizer() {
    let compared = Goal::ObserveOnly(desired());
    let expected = Action::ObserveOnly(Comparison::Matches);
    assert_eq!(plan(&compared, &ours().held(false)), expected);
    assert_eq!(plan(&Goal::Suspended(None), &ours().held(false)), Action::Suspended { ready: false });
}
