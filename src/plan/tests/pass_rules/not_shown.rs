//! AWS accepts a change but shows another value. The operator sends the change again, less and less often.

use std::time::Duration;

use plan::pass::{Request, Response};
use plan::verdict::Outcome;
use plan::*;

use crate::common::{desired, gone, tags};
use crate::world::{MUTATIONS, World, name, world};

// An access string is no example, because the first form that AWS shows counts as AWS's form of what was sent.
fn other_engine() -> World {
    World { goal: Goal::Present(Desired { engine: Engine::Valkey, ..desired() }), ..world() }
}

fn other_tag() -> World {
    World { goal: Goal::Present(Desired { tags: tags(&[("team", "x")]), ..desired() }), ..world() }
}

/// AWS accepts every change of this world and changes nothing.
fn pass(world: &mut World, warnings: &mut Vec<&'static str>) -> Duration {
    let finish = world.pass(|world, request| match request {
        Request::Call { .. } if name(request) == "ModifyUser" => {
            Some(Response::Called(Outcome::Accepted(world.user.clone().unwrap())))
        }
        Request::Call { .. } => Some(Response::Called(Outcome::Tagged(world.tags.clone()))),
        Request::Publish(event) => {
            warnings.extend(event.warning.then_some(event.reason));
            None
        }
        _ => None,
    });
    finish.requeue.unwrap()
}

fn message(world: &World) -> String {
    let ready = world.object.status.condition(ConditionType::Ready).unwrap();
    format!("{}: {}", ready.reason, ready.message)
}

#[test]
fn a_change_that_aws_accepts_and_does_not_show_is_sent_less_and_less_often() {
    for (mutation, mut world) in [("ModifyUser", other_engine()), ("AddTags", other_tag())] {
        let (mut warnings, mut told) = (Vec::new(), Vec::new());
        let end = world.now + Duration::from_secs(600);
        while world.now < end {
            let pause = pass(&mut world, &mut warnings);
            world.now += pause;
            told.push(message(&world));
        }
        let sent = world.asked.iter().filter(|asked| MUTATIONS.contains(asked)).count();
        // The pauses are 1, 2, 4 to 40 s, and up to a half more. Without pauses there would be hundreds of calls.
        assert!((8..=22).contains(&sent), "{mutation}: {sent} in 10 minutes");
        assert!(world.count("ListTags") <= 5 * sent + 10, "{mutation}: {}", world.count("ListTags"));
        assert_eq!(warnings, ["AWSRefused"], "{mutation}: there must be one warning in ten minutes");
        assert!(told.iter().all(|told| told.starts_with("Modifying: ")), "{mutation}: {told:?}");
        // The object waits until the change may be sent again.
        assert!(world.count("DescribeUser") <= 2 * sent + 5, "{mutation}: {}", world.count("DescribeUser"));
        let is_told = |told: &&String| told.contains("AWS accepted ") && told.contains("another value");
        assert!(told.iter().filter(is_told).count() >= sent - 2, "{mutation}: {told:?}");
    }
}

#[test]
fn a_change_that_aws_showed_does_not_count_as_sent_again() {
    let mut world = other_engine();
    for round in 1..=3 {
        world.quiet_pass();
        world.now += Duration::from_secs(1);
        world.quiet_pass();
        assert_eq!(
            world.count("ModifyUser"),
            round,
            "each change by somebody else must be reverted: {:?}",
            world.asked
        );
        world.user.as_mut().unwrap().engine = "redis".into();
    }
}

#[test]
fn a_change_that_was_sent_once_may_take_a_moment_to_show() {
    let mut world = other_engine();
    let mut warnings = Vec::new();
    for _ in 0..3 {
        pass(&mut world, &mut warnings);
        assert_eq!(world.count("ModifyUser"), 1, "{:?}", world.asked);
        assert!(!message(&world).contains("another value"), "{}", message(&world));
        world.now += Duration::from_millis(20);
    }
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn a_deletion_waits_for_owner_tags_that_were_sent_and_do_not_show() {
    let mut world = World { goal: gone(), tags: Tags::new(), ..world() };
    world.object.terminating = true;
    for _ in 0..3 {
        pass(&mut world, &mut Vec::new());
        world.now += Duration::from_millis(20);
    }
    assert_eq!((world.count("AddTags"), world.count("DeleteUser")), (1, 0), "{:?}", world.asked);
    assert!(message(&world).starts_with("WaitingForUserActive: "), "{}", message(&world));
}
