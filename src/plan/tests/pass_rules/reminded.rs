//! A user that waits for a user group: the pass that turns the event into a Warning makes no call.

use std::collections::BTreeMap;
use std::time::Duration;

use plan::pass::{EventContent, Finish, Request, Response, Wishes};
use plan::*;

use crate::common::desired;
use crate::world::{World, world};

const MINUTE: Duration = Duration::from_secs(60);

fn group() -> UserGroupId {
    UserGroupId::parse("cache").unwrap()
}

fn waiting() -> World {
    let user_groups = BTreeMap::from([(group(), GroupPermission::Allowed)]);
    World { goal: Goal::Present(Desired { user_groups, ..desired() }), ..world() }
}

fn busy(lifecycle: Lifecycle) -> MembershipState {
    MembershipState::Busy(lifecycle)
}

/// A pass while the group is in this state. Returns what it asked for, and its events.
fn pass(world: &mut World, state: &MembershipState) -> (Vec<&'static str>, Vec<EventContent>, Finish) {
    let (before, mut events) = (world.asked.len(), Vec::new());
    let finish = world.pass(|_, request| {
        if let Request::Publish(event) = request {
            events.push(event.clone());
        }
        let groups = || Response::Groups(BTreeMap::from([(group(), state.clone())]));
        matches!(request, Request::ReadGroups(_)).then(groups)
    });
    (world.asked[before..].to_vec(), events, finish)
}

fn kinds(events: &[EventContent]) -> Vec<(bool, &'static str)> {
    events.iter().map(|event| (event.warning, event.reason)).collect()
}

#[test]
fn a_wait_for_a_group_becomes_a_warning_after_a_minute_without_a_call() {
    let mut world = waiting();
    let (_, events, finish) = pass(&mut world, &busy(Lifecycle::Modifying));
    assert_eq!(kinds(&events), [(false, "WaitingForUserGroup")]);
    assert!(finish.requeue.is_some_and(|delay| delay <= MINUTE), "{:?}", finish.requeue);
    world.now += MINUTE;
    let (asked, events, finish) = pass(&mut world, &busy(Lifecycle::Modifying));
    assert_eq!((asked, kinds(&events)), (vec!["ReadGroups", "Publish"], vec![(true, "WaitingForUserGroup")]));
    assert!(events[0].note.contains("cache"), "{}", events[0].note);
    assert!(finish.wishes == Wishes::NotSeen && !finish.is_settled, "{finish:?}");
    assert!(finish.requeue.is_some_and(|delay| delay > 8 * MINUTE), "{:?}", finish.requeue);
    // The next one is a real pass.
    world.now += 9 * MINUTE;
    let (asked, ..) = pass(&mut world, &busy(Lifecycle::Modifying));
    assert!(asked.contains(&"DescribeUser"), "{asked:?}");
}

#[test]
fn a_pass_that_finds_another_state_than_before_describes_the_user_again() {
    let changes: [fn(&mut World) -> MembershipState; 3] = [
        |_| busy(Lifecycle::Creating),
        |world| {
            world.edit(|object| object.generation = Some(2));
            busy(Lifecycle::Modifying)
        },
        |world| {
            world.now -= MINUTE / 2;
            busy(Lifecycle::Modifying)
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut world = waiting();
        pass(&mut world, &busy(Lifecycle::Modifying));
        world.now += MINUTE;
        let state = change(&mut world);
        let (asked, ..) = pass(&mut world, &state);
        assert!(asked.contains(&"DescribeUser"), "change {number}: {asked:?}");
    }
}
