//! Before every mutation the pass has the token and then reads the object again.

use plan::pace::Pace;
use plan::pass::Request;
use plan::*;

use crate::common::*;
use crate::world::{World, world};

pub(crate) struct Row {
    pub(crate) mutation: &'static str,
    /// The user is read before.
    pub(crate) looks: bool,
    pub(crate) world: World,
}

pub(crate) fn edited() -> World {
    let goal = Goal::Present(Desired { access_string: "on ~x +get".into(), ..desired() });
    World { goal, ..world() }
}

/// A world for each mutation that changes or deletes a user.
pub(crate) fn rows() -> Vec<Row> {
    let adopting = Goal::Present(Desired { adoption: Adoption::Allowed, ..desired() });
    let unowned = ObjectFacts { status: Status::default(), ..world().object };
    let mut leaving = World { goal: gone(), ..world() };
    leaving.object.terminating = true;
    let other_tag = Goal::Present(Desired { tags: tags(&[("team", "x")]), ..desired() });
    let no_tag = Goal::Present(Desired { tags: Tags::new(), ..desired() });
    let mut told = unowned.clone();
    told.status.observed_generation = Some(1);
    let row = |mutation, world| Row { mutation, looks: true, world };
    vec![
        row("ModifyUser", edited()),
        row("CreateUser", World { user: None, object: told, ..world() }),
        // The object is new.
        Row { looks: false, ..row("CreateUser", World { user: None, object: unowned.clone(), ..world() }) },
        row("AddTags", World { goal: other_tag, ..world() }),
        row("RemoveTags", World { goal: no_tag, ..world() }),
        // The owner tags are put back.
        row("AddTags", World { tags: Tags::new(), ..edited() }),
        // The user is adopted.
        row("AddTags", World { goal: adopting, object: unowned, tags: anothers_tags(), ..world() }),
        row("DeleteUser", leaving),
    ]
}

#[test]
fn an_object_that_is_suspended_during_any_wait_for_a_token_gets_no_call() {
    for Row { mutation, looks, world } in rows() {
        let mut undisturbed = world.clone();
        undisturbed.quiet_pass();
        assert_eq!(undisturbed.count(mutation), 1, "{mutation}: {:?}", undisturbed.asked);
        let tokens = undisturbed.count("AcquireToken");
        let least = if looks { 2 } else { 1 };
        assert!(tokens >= least, "{mutation}: a token for each call: {:?}", undisturbed.asked);
        for wanted in 1..=tokens {
            let mut disturbed = world.clone();
            disturbed.pass(|world, request| {
                if matches!(request, Request::AcquireToken) && world.count("AcquireToken") == wanted {
                    world.suspend();
                }
                None
            });
            assert!(!disturbed.has_mutated(), "{mutation}, token {wanted}: {:?}", disturbed.asked);
        }
    }
}

#[test]
fn the_object_is_the_last_thing_that_is_read_before_a_mutation_and_aws_gets_no_more_calls() {
    for Row { mutation, looks, mut world } in rows() {
        world.quiet_pass();
        let at = world.asked.iter().position(|asked| *asked == mutation).unwrap();
        let expected = match mutation {
            "DeleteUser" => "ReadDefinition",
            // The write of the intent tests the version.
            "CreateUser" => "WriteStatus",
            _ => "ReadObject",
        };
        assert_eq!(world.asked[at - 1], expected, "{mutation}: {:?}", world.asked);
        let calls = ["DescribeUser", "ListTags", mutation].map(|call| world.count(call));
        let expected = [looks, mutation != "CreateUser", true].map(usize::from);
        assert_eq!(calls, expected, "{mutation}: {:?}", world.asked);
    }
}

#[test]
fn labels_and_annotations_of_others_do_not_restart_a_pass_but_our_annotations_do() {
    let own = ("elasticache-users.dev/prevent-deletion".to_owned(), "true".to_owned());
    for (annotation, resolves) in [(None, 0), (Some(own), 1)] {
        let mut world = edited();
        world.pass(|world, request| {
            let first = matches!(request, Request::ReadObject) && world.count("ReadObject") == 1;
            if first {
                world.edit(|object| object.annotations.extend(annotation.clone()));
            }
            None
        });
        assert_eq!(world.count("Resolve"), resolves, "{annotation:?}: {:?}", world.asked);
        assert_eq!(world.count("ModifyUser"), 1, "{annotation:?}: {:?}", world.asked);
    }
}

/// Somebody changed the user of a Ready object, and nobody waits for the pass that finds it.
#[test]
fn a_drift_check_has_its_token_too_before_it_reads_the_object_again() {
    let mut at_rest = world();
    for _ in 0..2 {
        at_rest.quiet_pass();
        at_rest.now += 2 * Pace::default().tag_resync;
    }
    at_rest.asked.clear();
    let mut other_tag = at_rest.clone();
    other_tag.tags.insert("team".into(), "x".into());
    let mut other_access = at_rest;
    other_access.user.as_mut().unwrap().access_string = "off -@all".into();
    for (mutation, mut world) in [("AddTags", other_tag), ("ModifyUser", other_access)] {
        world.quiet_pass();
        let at = world.asked.iter().position(|asked| *asked == mutation).unwrap();
        assert_eq!(world.asked[at - 1], "ReadObject", "{mutation}: {:?}", world.asked);
    }
}
