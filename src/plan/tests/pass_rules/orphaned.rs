//! The pass of an object that vanished: [`Goal::Orphaned`].

use std::time::Duration;

use plan::pass::{Counted, LogLevel, Request, Response};
use plan::verdict::Outcome;
use plan::*;

use crate::common::{id, owner};
use crate::world::{World, name, world};

fn vanished() -> World {
    let orphan =
        Orphan { user_id: id(), owner: owner(), uid: "uid-1".into(), policy: DeletionPolicy::Delete };
    let world = world();
    let object = ObjectFacts { version: ResourceVersion("1".into()), ..Orphan::object(world.object.clone()) };
    World { goal: Goal::Orphaned(orphan), object, ..world }
}

/// What a test looks at: each pass begins with the object that the last one left.
#[derive(Default)]
struct Seen {
    warnings: Vec<String>,
    removed: usize,
}

/// One pass. `false` if it was the last.
fn pass(
    world: &mut World,
    seen: &mut Seen,
    mut hook: impl FnMut(&mut World, &Request) -> Option<Response>,
) -> bool {
    let mut pass = world.begin();
    loop {
        let request = pass.next(world.now());
        match &request {
            Request::Finish(finish) => {
                world.memory = finish.memory.as_deref().cloned().unwrap_or_default();
                world.object = pass.into_object();
                return finish.memory.is_some();
            }
            Request::Log(line) if line.level == LogLevel::Warn => seen.warnings.push(line.message.clone()),
            Request::Count(counted) => seen.removed += usize::from(*counted == Counted::OrphanRemoved),
            _ => {}
        }
        world.asked.push(name(&request));
        let given = hook(world, &request);
        let response = given.unwrap_or_else(|| world.answer(&request));
        world.now += Duration::from_millis(1);
        pass.handle(response, world.now());
    }
}

/// Nobody can write to an object that is gone, or read its events.
fn asks_nothing_of_the_object(world: &World) -> bool {
    let about_it = ["ReadObject", "Resolve", "AddFinalizer", "RemoveFinalizer", "WriteStatus", "Publish"];
    !world.asked.iter().any(|asked| about_it.contains(asked))
}

#[test]
fn the_user_of_a_vanished_object_is_deleted_and_counted_once_it_is_gone() {
    let (mut world, mut seen) = (vanished(), Seen::default());
    assert!(pass(&mut world, &mut seen, |_, _| None));
    assert_eq!(world.count("DeleteUser"), 1);
    let last_read = world.asked.iter().rposition(|asked| *asked == "ReadNamesake");
    assert!(last_read > world.asked.iter().position(|asked| *asked == "ListTags"), "{:?}", world.asked);
    assert!(pass(&mut world, &mut seen, |_, _| None), "the pass must go on while AWS deletes the user");
    assert_eq!(seen.removed, 0);
    world.user = None;
    assert!(!pass(&mut world, &mut seen, |_, _| None));
    assert_eq!((world.count("DeleteUser"), seen.removed), (1, 1));
    assert!(asks_nothing_of_the_object(&world), "{:?}", world.asked);
    let [vanished, deleted] = &seen.warnings[..] else { panic!("{:?}", seen.warnings) };
    assert!(vanished.contains("the object vanished") && deleted.contains("left behind"));
}

#[test]
fn tags_older_than_two_seconds_are_read_again_before_delete_user() {
    let (mut world, mut seen) = (vanished(), Seen::default());
    pass(&mut world, &mut seen, |world, request| {
        let slow = matches!(request, Request::ReadNamesake(_)) && world.count("ReadNamesake") == 2;
        world.now += if slow { Duration::from_millis(2001) } else { Duration::ZERO };
        None
    });
    assert_eq!((world.count("ListTags"), world.count("DeleteUser")), (2, 1), "{:?}", world.asked);
}

#[test]
fn an_object_of_the_same_name_that_appears_meanwhile_keeps_the_user() {
    for namesake in [Namesake::Wants, Namesake::Manages] {
        let (mut world, mut seen) = (vanished(), Seen::default());
        pass(&mut world, &mut seen, |world, request| {
            if name(request) == "ListTags" {
                world.namesake = namesake;
            }
            None
        });
        assert_eq!((world.count("ReadNamesake"), world.count("DeleteUser")), (2, 0), "{namesake:?}");
    }
}

#[test]
fn a_user_that_somebody_else_deletes_after_aws_refused_us_is_not_counted() {
    let (mut world, mut seen) = (vanished(), Seen::default());
    pass(&mut world, &mut seen, |_, request| {
        let denied = || Outcome::Failed(Fault::Denied(AwsError::new("AccessDenied", "")));
        (name(request) == "DeleteUser").then(|| Response::Called(denied()))
    });
    world.user = None;
    assert!(!pass(&mut world, &mut seen, |_, _| None));
    assert_eq!((world.count("DeleteUser"), seen.removed), (1, 0));
}
