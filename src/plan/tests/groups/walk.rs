//! Random walks: objects come, go and change their minds, others change the group, calls fail, the operator starts again.

use std::collections::BTreeSet;
use std::time::Duration;

use plan::Direction;
use plan::MembershipState;
use proptest::prelude::*;

use crate::aws::{AwsGroup, Luck};
use crate::model::{GROUP, World};

#[derive(Clone, Debug)]
enum Event {
    /// Of the first or the second group.
    Wants(usize, bool, Option<Direction>),
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
        4 => (0..USERS, any::<bool>(), direction).prop_map(|(user, second, direction)| Event::Wants(user, second, direction)),
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

const SECOND: &str = "queue";

fn group(second: bool) -> &'static str {
    if second { SECOND } else { GROUP }
}

fn apply(world: &mut World, event: Event) {
    match event {
        Event::Wants(number, second, direction) => {
            world.wants_of(&user(number), &[(group(second), direction)]);
        }
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
        world.aws.insert(SECOND.to_owned(), AwsGroup::new("valkey"));
        // The memberships that somebody wished to end.
        let mut leaves = BTreeSet::new();
        for event in events {
            if let Event::Wants(number, second, Some(Direction::Leave)) = &event {
                leaves.insert((group(*second), user(*number)));
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
            let wished = |removed: &String| leaves.contains(&(change.group.as_str(), removed.clone()));
            prop_assert!(change.remove.iter().all(wished), "{:?}", change);
            prop_assert!(change.add.is_empty() || change.remove.is_empty());
        }
        let wishes = world.wishes.iter().flat_map(|(user, of)| of.iter().map(move |wish| (user, wish)));
        for (user, (group, direction)) in wishes {
            let is_done = world.members_of(group).contains(user) == (*direction == Direction::Join);
            let state = world.state_of(user, group);
            let is_told = matches!(
                state,
                Some(MembershipState::Refused(_) | MembershipState::Full(_) | MembershipState::Absent)
            );
            prop_assert!(is_done || is_told, "{} {:?} of {}: {:?}", user, direction, group, state);
        }
        // Nothing loops.
        let (calls, looks, passes) = (world.calls.len(), world.looks + world.listings, world.passes);
        world.run(Duration::from_secs(3600));
        let (calls, passes) = (world.calls.len() - calls, world.passes - passes);
        let looks = world.looks + world.listings - looks;
        prop_assert!(calls <= 24 * USERS, "{calls} calls in an hour");
        prop_assert!(looks <= 120 * USERS, "{looks} looks in an hour");
        prop_assert!(passes <= 60 * USERS, "{passes} passes in an hour");
    }
}
