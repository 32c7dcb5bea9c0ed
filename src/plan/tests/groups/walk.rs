//! Random walks: objects come, go and change their minds, others change the group, calls fail, the operator starts again.

use std::collections::BTreeSet;
use std::time::Duration;

use plan::Direction;
use plan::MembershipState;
use proptest::prelude::*;

use crate::model::{GROUP, Luck, World};

#[derive(Clone, Debug)]
enum Event {
    Wants(usize, Option<Direction>),
    /// Somebody else puts the user into the group, or takes it out.
    Foreign(usize, bool),
    Culprit(usize, bool),
    Group(bool),
    Luck(Luck),
    Quota(usize),
    Restart,
    Passes(u64),
}

fn user(number: usize) -> String {
    format!("u-{number}")
}

const USERS: usize = 6;

fn events() -> impl Strategy<Value = Vec<Event>> {
    let direction = prop_oneof![Just(Some(Direction::Join)), Just(Some(Direction::Leave)), Just(None)];
    let luck = prop_oneof![Just(Luck::Throttled), Just(Luck::LostBefore), Just(Luck::LostAfter)];
    let event = prop_oneof![
        4 => (0..USERS, direction).prop_map(|(user, direction)| Event::Wants(user, direction)),
        1 => (0..USERS + 2, any::<bool>()).prop_map(|(user, joins)| Event::Foreign(user, joins)),
        1 => (0..USERS, any::<bool>()).prop_map(|(user, is)| Event::Culprit(user, is)),
        1 => any::<bool>().prop_map(Event::Group),
        2 => luck.prop_map(Event::Luck),
        1 => (2..8_usize).prop_map(Event::Quota),
        1 => Just(Event::Restart),
        4 => (0..90_u64).prop_map(Event::Passes),
    ];
    prop::collection::vec(event, 0..40)
}

fn apply(world: &mut World, event: Event) {
    match event {
        Event::Wants(number, direction) => world.wants(&user(number), direction),
        Event::Foreign(number, joins) => world.foreign_change(user(number), joins),
        Event::Culprit(number, true) => drop(world.culprits.insert(user(number))),
        Event::Culprit(number, false) => drop(world.culprits.remove(&user(number))),
        Event::Group(true) => {
            let new = World::new().aws.remove(GROUP).unwrap();
            world.aws.entry(GROUP.to_owned()).or_insert(new);
        }
        Event::Group(false) => drop(world.aws.remove(GROUP)),
        Event::Luck(luck) => world.luck = luck,
        Event::Quota(quota) => world.quota = quota,
        Event::Restart => world.restart(),
        Event::Passes(seconds) => world.run(Duration::from_secs(seconds)),
    }
}

proptest! {
    #[test]
    fn every_wanted_membership_is_made_or_reported_and_no_other_member_is_removed(events in events()) {
        let mut world = World::new();
        // The memberships that somebody wished to end.
        let mut leaves = BTreeSet::new();
        for event in events {
            if let Event::Wants(number, Some(Direction::Leave)) = &event {
                leaves.insert(user(*number));
            }
            apply(&mut world, event);
        }
        world.luck = Luck::Good;
        // Each `--resync` brings a pass. A change that AWS was still applying may show only at the second one.
        for _ in 0..12 {
            world.resync();
            world.run(Duration::from_secs(600));
        }
        for (change, _) in &world.calls {
            prop_assert!(change.remove.iter().all(|removed| leaves.contains(removed)), "{:?}", change);
            prop_assert!(change.add.is_empty() || change.remove.is_empty());
        }
        for (user, direction) in &world.wishes {
            let is_done = world.members().contains(user) == (*direction == Direction::Join);
            let is_told = matches!(
                world.state(user),
                Some(MembershipState::Refused(_) | MembershipState::Full(_) | MembershipState::Absent)
            );
            prop_assert!(is_done || is_told, "{} {:?}: {:?}", user, direction, world.state(user));
        }
        // Nothing loops.
        let (calls, looks, passes) = (world.calls.len(), world.looks, world.passes);
        world.run(Duration::from_secs(3600));
        prop_assert!(world.calls.len() - calls <= 12 * USERS, "{} calls in an hour", world.calls.len() - calls);
        prop_assert!(world.looks - looks <= 60 * USERS, "{} looks in an hour", world.looks - looks);
        prop_assert!(world.passes - passes <= 60 * USERS, "{} passes in an hour", world.passes - passes);
    }
}
