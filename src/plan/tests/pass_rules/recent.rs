//! The facts behind a mutation are recent. Their age counts from the request, because the answer may be slow.

use std::time::Duration;

use plan::pass::{PassResult, Request};
use plan::*;

use crate::common::{anothers_tags, owner_tags};
use crate::confirmed::{Row, edited, rows};
use crate::world::{MUTATIONS, World};

const VALID: Duration = Duration::from_secs(2);
const SLOW: Duration = Duration::from_secs(3);

/// The reads that a mutation of this world rests on.
fn facts(mutation: &str, world: &World) -> Vec<&'static str> {
    let owned = world.tags.keys().any(|key| owner_tags().contains_key(key));
    let is_ours = world.tags.get(NAME_TAG).is_some_and(|name| name == "app");
    match mutation {
        "AddTags" if !owned => vec!["ListTags", "DescribeUser"],
        "AddTags" if !is_ours => vec!["ListTags", "ReadOwner"],
        _ => vec!["ListTags"],
    }
}

#[test]
fn whichever_request_is_slow_a_mutation_rests_on_facts_of_at_most_two_seconds() {
    for Row { mutation, mut world, .. } in rows().into_iter().filter(|row| row.mutation != "CreateUser") {
        world.object.has_finalizer = mutation == "DeleteUser";
        let facts = facts(mutation, &world);
        let mut undisturbed = world.clone();
        undisturbed.quiet_pass();
        for slow in 0..undisturbed.asked.len() {
            let mut disturbed = world.clone();
            disturbed.pass(|world, _| {
                world.now += if world.asked.len() == slow + 1 { SLOW } else { Duration::ZERO };
                None
            });
            let asked = &disturbed.asked;
            let at = asked.iter().position(|asked| MUTATIONS.contains(asked)).unwrap_or_else(|| {
                panic!("{mutation}, request {slow} is slow: the mutation is given up: {asked:?}")
            });
            for fact in &facts {
                let age = disturbed.times[at] - disturbed.last(fact, at).unwrap();
                assert!(age <= VALID, "{mutation}, request {slow} is slow: {fact} is {age:?} old: {asked:?}");
            }
            let object = asked[..at].iter().rposition(|asked| *asked == "ReadObject").unwrap();
            let tags = asked[..at].iter().rposition(|asked| *asked == "ListTags").unwrap();
            assert!(tags < object, "{mutation}, request {slow} is slow: {asked:?}");
        }
    }
}

#[test]
fn a_former_owner_that_comes_back_during_any_wait_for_a_token_keeps_its_user() {
    let adopting = rows().into_iter().find(|row| row.world.tags == anothers_tags()).unwrap().world;
    let mut undisturbed = adopting.clone();
    undisturbed.quiet_pass();
    let rounds = undisturbed.count("AcquireToken") + 1;
    for wanted in 1..=rounds {
        let mut disturbed = adopting.clone();
        disturbed.pass(|world, request| {
            // The object is read slowly, so the tags are read again, and that read waits for a token of its own.
            if matches!(request, Request::ReadObject) && world.count("ReadObject") == 1 {
                world.now += SLOW;
            }
            if matches!(request, Request::AcquireToken) && world.count("AcquireToken") == wanted {
                world.now += SLOW;
                world.other = OwnerObservation::Exists;
            }
            None
        });
        assert!(disturbed.count("AcquireToken") >= wanted, "{:?}", disturbed.asked);
        assert!(!disturbed.has_mutated(), "token {wanted}: {:?}", disturbed.asked);
    }
}

#[test]
fn if_everything_is_always_slow_the_pass_backs_off_without_a_mutation_and_says_who_is_slow() {
    for (slow, aws) in [("ListTags", true), ("ReadObject", false)] {
        let mut world = edited();
        let mut reason = None;
        let finish = world.pass(|world, request| {
            world.now += if request.name() == slow { SLOW } else { Duration::ZERO };
            if let Request::WriteStatus(status) = request {
                reason = status.condition(ConditionType::Ready).map(|ready| ready.reason.clone());
            }
            None
        });
        assert!(!world.has_mutated() && world.count("ListTags") <= 4, "{slow}: {:?}", world.asked);
        let told = matches!(finish.result, PassResult::KubernetesFailed { .. });
        assert_eq!((told, reason.as_deref()), (!aws, aws.then_some("AWSUnavailable")), "{slow}");
        assert!(finish.requeue.is_some_and(|pause| pause >= Duration::from_secs(1)), "{finish:?}");
    }
}

/// In an earlier release CreateUser was never sent if status writes took 6 s.
#[test]
fn a_slow_status_write_prevents_no_create_user() {
    let mut world = edited();
    (world.user, world.object.status) = (None, Status::default());
    world.pass(|world, request| {
        let slow = matches!(request, Request::WriteStatus(_) | Request::AddFinalizer);
        world.now += Duration::from_secs(if slow { 6 } else { 0 });
        None
    });
    assert_eq!(world.count("CreateUser"), 1, "{:?}", world.asked);
    assert_eq!(world.count("WriteStatus"), 2, "{:?}", world.asked);
    // The object may have changed since the write reached the API server.
    assert_eq!(world.count("ReadObject"), 1, "{:?}", world.asked);
}

/// The time of the intent is in status, and another process counts from it.
#[test]
fn create_user_leaves_within_five_seconds_of_the_request_that_wrote_its_intent() {
    let mut world = edited();
    (world.user, world.object.status) = (None, Status::default());
    world.pass(|world, request| {
        // Together they take longer than the intent is valid, and the second time they are quick.
        let first = ["WriteStatus", "ReadObject"]
            .iter()
            .any(|name| request.name() == *name && world.count(name) == 1);
        world.now += if first { SLOW } else { Duration::ZERO };
        None
    });
    let at = world.asked.iter().position(|asked| *asked == "CreateUser");
    let at = at.unwrap_or_else(|| panic!("it is given up: {:?}", world.asked));
    let age = world.times[at] - world.last("WriteStatus", at).unwrap();
    assert!(age <= Duration::from_secs(5), "{age:?}: {:?}", world.asked);
}

/// AWS's rate is short, so that each token takes longer than a fact is valid.
#[test]
fn no_slow_token_lies_between_facts_that_must_be_recent_together() {
    let slow_tokens = |world: &mut World, request: &Request| {
        world.now += if *request == Request::AcquireToken { SLOW } else { Duration::ZERO };
        None
    };
    let mut restored = World { tags: Tags::new(), ..edited() };
    restored.pass(slow_tokens);
    assert_eq!(restored.count("AddTags"), 1, "{:?}", restored.asked);
    let mut modified = edited();
    modified.pass(slow_tokens);
    assert_eq!((modified.count("ListTags"), modified.count("ModifyUser")), (1, 1), "{:?}", modified.asked);
}
