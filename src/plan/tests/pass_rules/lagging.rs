//! B110: AWS may show a new user some seconds before its tags.

use std::time::Duration;

use plan::pass::{Request, Response};
use plan::verdict::Outcome;
use plan::*;

use crate::common::{desired, gone, owner_tags, unavailable};
use crate::world::{World, name, world};

/// How long after CreateUser the tags may be missing.
const YOUNG: Duration = Duration::from_secs(69);
const OLD: Duration = Duration::from_secs(2);

/// CreateUser was sent, with or without an answer, and AWS shows the user without tags.
fn created(answered: bool) -> World {
    let mut world = World { user: None, ..world() };
    world.object.status = Status::default();
    world.pass(|world, request| {
        if answered || name(request) != "CreateUser" {
            return None;
        }
        world.answer(request);
        Some(Response::Called(Outcome::Failed(unavailable())))
    });
    assert_eq!(world.count("CreateUser"), 1, "{:?}", world.asked);
    world.asked.clear();
    world.tags = Tags::new();
    world
}

/// An edit, so that the tags are read.
fn edit(world: &mut World) {
    world.goal = Goal::Present(Desired { access_string: "on ~x +get".into(), ..desired() });
    world.edit(|object| object.generation = Some(2));
}

fn delete(world: &mut World) {
    world.goal = gone();
    world.edit(|object| object.terminating = true);
}

struct Row {
    claim: &'static str,
    answered: bool,
    change: fn(&mut World),
    /// When AWS shows the tags.
    then: &'static str,
    /// If AWS never shows them.
    late: &'static str,
}

const ROWS: [Row; 4] = [
    Row { claim: "an edit", answered: true, change: edit, then: "ModifyUser", late: "AddTags" },
    Row {
        claim: "a lost answer",
        answered: false,
        change: edit,
        then: "ModifyUser",
        late: "UserAlreadyExists",
    },
    Row { claim: "a deletion", answered: true, change: delete, then: "DeleteUser", late: "AddTags" },
    Row {
        claim: "a deletion after a lost answer",
        answered: false,
        change: delete,
        then: "DeleteUser",
        late: "RemoveFinalizer",
    },
];

fn reason(world: &World) -> String {
    world.object.status.condition(ConditionType::Ready).unwrap().reason.clone()
}

#[test]
fn a_user_without_tags_is_waited_for_while_its_create_user_is_young() {
    for Row { claim, answered, change, then, late } in ROWS {
        for restarts in [false, true] {
            let mut world = created(answered);
            change(&mut world);
            if restarts {
                world.memory = Memory::default();
            }
            let began = world.now;
            for _ in 0..3 {
                world.quiet_pass();
                world.now += YOUNG / 3;
            }
            assert!(
                !world.has_mutated() && world.count("RemoveFinalizer") == 0,
                "{claim}: {:?}",
                world.asked
            );
            assert_eq!(reason(&world), "WaitingForUserActive", "{claim}");
            let mut shows = world.clone();
            shows.now = began + YOUNG;
            shows.tags = owner_tags();
            shows.tags.insert("team".into(), "shop".into());
            shows.quiet_pass();
            assert_eq!(shows.count(then), 1, "{claim}, restarts {restarts}: {:?}", shows.asked);
            world.now = began + YOUNG + OLD;
            world.quiet_pass();
            let ended = world.count(late) == 1 || reason(&world) == late;
            assert!(ended, "{claim}, restarts {restarts}: {} {:?}", reason(&world), world.asked);
        }
    }
}

/// Even if the write that removes `createRequestedAt` from status failed.
#[test]
fn after_a_refused_create_user_a_user_without_tags_is_somebody_elses_at_once() {
    for written in [true, false] {
        let mut world = World { user: None, tags: Tags::new(), ..world() };
        world.object.status = Status::default();
        world.pass(|world, request| match request {
            Request::Call { .. } => Some(Response::Called(Outcome::AlreadyExists)),
            Request::WriteStatus(_) if !written && world.count("CreateUser") == 1 => {
                Some(Response::KubernetesFailed { what: "write the status", why: String::new() })
            }
            _ => None,
        });
        assert_eq!(world.object.status.create_requested_at.is_none(), written);
        world.user = Some(crate::common::active());
        world.quiet_pass();
        assert_eq!(reason(&world), "UserAlreadyExists", "{written}: {:?}", world.asked);
    }
}

/// The user of our CreateUser is gone, so a user without tags is another one.
#[test]
fn after_an_accepted_delete_user_a_user_without_tags_is_not_waited_for() {
    let mut world = created(true);
    world.tags = owner_tags();
    delete(&mut world);
    world.quiet_pass();
    assert_eq!(world.count("DeleteUser"), 1, "{:?}", world.asked);
    world.now += OLD;
    (world.user, world.tags) = (Some(crate::common::active()), Tags::new());
    world.quiet_pass();
    assert_eq!(world.count("RemoveFinalizer"), 1, "{} {:?}", reason(&world), world.asked);
}
