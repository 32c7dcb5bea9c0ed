//! `plan` for an object without the finalizer. Whatever is wrong with the object, it must not disappear and leave a user of ours
//! behind. A user that is not ours must not block its deletion.

use plan::*;

use crate::common::plans::*;
use crate::common::*;

/// What may be wrong with an object, and what is decided because of that once it has the finalizer.
struct Problem {
    name: &'static str,
    goal: Goal,
    plan: Action,
}

fn problem(name: &'static str, goal: Goal, plan: Action) -> Problem {
    Problem { name, goal, plan }
}

impl Problem {
    fn is_invalid_spec(&self) -> bool {
        matches!(self.goal, Goal::Invalid { .. })
    }
}

fn problems() -> [Problem; 5] {
    let invalid_password = present_with(Authentication::Password(Err(invalid_secret())));
    let invalid = |refusal| Goal::Invalid { refusal, subject: Some(subject()) };
    let spec = || Refusal::InvalidSpec("no".into());
    let not_allowed = || Refusal::BreaksRule(BrokenRule::UserId { user_id: id(), prefix: "shop-".into() });
    [
        problem("its Secret is missing", missing_secret(), wait(Wait::Secret(secret_not_found()))),
        problem(
            "its password is invalid",
            invalid_password,
            refuse(Refusal::InvalidPassword(invalid_secret())),
        ),
        problem("its spec is invalid", invalid(spec()), refuse(spec())),
        problem("its user ID is not allowed", invalid(not_allowed()), refuse(not_allowed())),
        problem("nothing", present(), Action::InSync),
    ]
}

/// Users that are ours or may be ours, and what is decided about a valid spec that has the finalizer; `None`: as for a user
/// that is in sync.
fn may_be_ours() -> Vec<Case<Observed, Option<Action>>> {
    let west = || arn_in("eu-west-1", "111111111111");
    let wrong_location = refuse(Refusal::WrongLocation(elsewhere(west(), "us-east-1", None)));
    let renamed = nothing_known().seen(user_with(|user| user.user_name = "x".into()));
    let mut users = cases! {
        "ours by its tags": ours() => None,
        "one whose tags may not be read": active_seen().tags_failed(denied()) => Some(failed_tags(denied())),
        "one whose tags cannot be read now": active_seen().tags_failed(throttled()) => Some(failed_tags(throttled())),
        "one whose tags AWS does not show": active_seen().unreadable() => Some(owner_unknown(Lifecycle::Active)),
        "ours without its tags": active_seen().tagged(Tags::new()).record(managed()) => Some(fetch(Fetch::Object)),
        "in another region than status": active_seen().record(placed(west())) => Some(wrong_location),
        "one of unknown owner that AWS deletes": in_state(Lifecycle::Deleting) => Some(wait(Wait::PreviousUser)),
        "ours with another user name": renamed.tagged(our_tags()) => Some(other_name("x")),
    };
    for state in busy_states() {
        let seen = in_state(state.clone());
        let ours =
            if state == Lifecycle::Creating { wait(Wait::Creating) } else { not_active(state.clone()) };
        users.extend(cases! {
            "a busy one of unknown owner": seen.clone() => Some(owner_unknown(state)),
            "a busy one that this process knows as ours": seen.remembering(Ownership::Ours) => Some(ours),
        });
    }
    users
}

#[test]
fn an_object_whose_user_may_be_ours_gets_the_finalizer_whatever_is_wrong_with_it() {
    for problem in problems() {
        for Case { claim: user, given: seen, expected } in may_be_ours() {
            let case = format!("the user: {user}; wrong with the object: {}", problem.name);
            assert_eq!(plan(&problem.goal, &seen.clone().finalizer(false)), Action::AddFinalizer, "{case}");
            // A problem of the spec counts first. A problem of the user counts if the spec needs the user.
            let expected = expected.filter(|_| !problem.is_invalid_spec());
            let expected = expected.unwrap_or_else(|| problem.plan.clone());
            assert_eq!(plan(&problem.goal, &seen.finalizer(true)), expected, "{case}, with the finalizer");
        }
    }
}

#[test]
fn an_object_whose_user_is_not_ours_gets_no_finalizer() {
    let seen = |lifecycle| in_state(lifecycle).other_owner(OwnerObservation::Exists);
    let active = || seen(Lifecycle::Active);
    let mut users = cases! {
        "another's by its tags": active().tagged(anothers_tags()) => owned_by_another(),
        "unowned by its tags": active().tagged(Tags::new()) => already_exists(),
        "unowned with some of our owner tags": active().tagged(tags(&[(CLUSTER_TAG, "prod")])) => already_exists(),
        "another's, and AWS deletes it": seen(Lifecycle::Deleting).remembering(another()) => wait(Wait::PreviousUser),
    };
    for state in busy_states() {
        users.extend(cases! {
            "busy, and this process knows it as another's": seen(state.clone()).remembering(another()) => owned_by_another(),
            "busy, and this process knows it as unowned": seen(state).remembering(Ownership::Unowned) => already_exists(),
        });
    }
    for problem in problems() {
        for Case { claim: user, given: seen, expected } in &users {
            let expected = if problem.is_invalid_spec() { &problem.plan } else { expected };
            let case = format!("the user: {user}; wrong with the object: {}", problem.name);
            assert_eq!(plan(&problem.goal, &seen.clone().finalizer(false)), *expected, "{case}");
        }
    }
}

/// It was added before CreateUser, and then AWS said that the user exists.
#[test]
fn a_user_that_is_read_to_be_anothers_takes_the_finalizer_off_unless_a_user_of_ours_may_exist() {
    let seen = |tags| active_seen().tagged(tags).other_owner(OwnerObservation::Exists).finalizer(true);
    let anothers = || seen(anothers_tags());
    let rows = cases! {
        "another's": anothers() => release(ReleaseReason::LeftToOwner(owner_named("other"))),
        "nobody's": seen(Tags::new()) => release(ReleaseReason::LeftUnowned),
        "ours": seen(our_tags()) => Action::InSync,
        "this pass did not read the tags": in_state(Lifecycle::Modifying).remembering(another()).finalizer(true)
            .other_owner(OwnerObservation::Exists) => owned_by_another(),
        "status has a user": anothers().record(managed()).finalizer(true) => owned_by_another(),
        "status has an ARN": anothers().record(Record { arn: Some(arn()), ..Record::default() }).finalizer(true) => owned_by_another(),
        "a CreateUser may still take effect": anothers().record(open_creation()).finalizer(true) => owned_by_another(),
    };
    for Case { claim, given: seen, expected } in rows {
        assert_eq!(plan(&present(), &seen), expected, "{claim}");
    }
    let broken = Desired { broken_rules: vec![BrokenRule::Forbidden(Feature::Retain)], ..desired() };
    assert!(is_left(&plan(&Goal::Present(broken), &anothers())), "whatever else is wrong with the object");
}

#[test]
fn adoption_needs_the_finalizer_only_when_it_changes_the_user() {
    let adopts = |adoption| Goal::Present(Desired { adoption, ..desired() });
    let unowned = active_seen().tagged(Tags::new()).finalizer(false);
    let busy = in_state(Lifecycle::Modifying).remembering(Ownership::Unowned).finalizer(false);
    let not_allowed = refuse(Refusal::AdoptionNotAllowed { namespace: "shop".into(), former: None });
    assert_eq!(plan(&adopts(Adoption::NotAllowed), &unowned), not_allowed, "adoption is not allowed");
    assert_eq!(
        plan(&adopts(Adoption::Allowed), &busy),
        not_active(Lifecycle::Modifying),
        "adoption has to wait"
    );
    assert_eq!(
        plan(&adopts(Adoption::Allowed), &unowned),
        Action::AddFinalizer,
        "the finalizer comes before the owner tags"
    );
}

#[test]
fn the_owner_is_read_before_the_finalizer_is_added() {
    let seen = || active_seen().finalizer(false);
    for Problem { name, goal, .. } in problems() {
        assert_eq!(plan(&goal, &nothing_known().finalizer(false)), fetch_user(), "{name}");
        assert_eq!(plan(&goal, &seen()), fetch_tags(), "{name}");
    }
    let another = seen().tagged(anothers_tags());
    assert_eq!(plan(&present(), &another), fetch(Fetch::Owner(owner_named("other"))));
}

#[test]
fn without_an_answer_of_aws_an_object_gets_no_finalizer_and_reports_its_problem() {
    for problem in problems() {
        for fault in faults() {
            let seen = nothing_known().failed(fault.clone()).finalizer(false);
            let expected = if problem.is_invalid_spec() { problem.plan.clone() } else { failed_read(fault) };
            assert_eq!(plan(&problem.goal, &seen), expected, "{}", problem.name);
        }
    }
}

#[test]
fn an_object_without_a_user_gets_the_finalizer_only_before_create_user() {
    for Problem { name, goal, plan: expected } in problems() {
        let expected = if expected == Action::InSync { Action::AddFinalizer } else { expected };
        assert_eq!(plan(&goal, &nothing_known().absent().finalizer(false)), expected, "{name}");
    }
}

#[test]
fn an_invalid_spec_costs_no_call_if_the_finalizer_is_there_or_not_needed() {
    let refusal = || Refusal::InvalidSpec("no".into());
    let goal = |subject| Goal::Invalid { refusal: refusal(), subject };
    check! { goal: goal(None);
        { claim: "it names no valid user ID, or only observes", seen: nothing_known(), plan: refuse(refusal()) },
        { claim: "the finalizer is there", goal: goal(Some(subject())), seen: nothing_known().finalizer(true), plan: refuse(refusal()) },
    }
}

#[test]
fn observing_and_suspended_objects_get_no_finalizer() {
    let seen = ours().finalizer(false);
    let matches = Action::ObserveOnly(Comparison::Matches);
    assert_eq!(plan(&Goal::ObserveOnly(desired()), &seen), matches);
    assert_eq!(plan(&Goal::Suspended(None), &seen), Action::Suspended { ready: false });
}
