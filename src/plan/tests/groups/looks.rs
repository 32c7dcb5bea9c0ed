//! How often the groups are asked for that somebody waits for.

use std::time::Duration;

use plan::*;

use crate::aws::AwsGroup;
use crate::model::{GROUP, World};

const MINUTE: Duration = Duration::from_secs(60);

fn name(number: usize) -> String {
    format!("g-{number}")
}

/// So many groups that AWS works on for ten minutes. A user wants to join each.
fn busy(count: usize) -> World {
    let mut world = World::new();
    let until = world.now + 10 * MINUTE;
    for number in 0..count {
        let group = AwsGroup { pending: Some((until, Default::default())), ..AwsGroup::new("valkey") };
        world.aws.insert(name(number), group);
        world.wants_of(&format!("u-{number}"), &[(&name(number), Some(Direction::Join))]);
    }
    world
}

fn joined(world: &World, count: usize) -> usize {
    (0..count).filter(|number| world.members_of(&name(*number)).contains(&format!("u-{number}"))).count()
}

#[test]
fn all_groups_that_objects_wait_for_are_described_with_one_listing() {
    let mut world = busy(30);
    world.run(10 * MINUTE);
    // The first look at each is by its ID.
    assert_eq!(world.looks, 30);
    assert!((10..=20).contains(&world.listings), "{} listings in ten minutes", world.listings);
    world.run(2 * MINUTE);
    assert_eq!((joined(&world, 30), world.looks), (30, 60), "and the look right before the call");
    assert!(world.listings <= 40, "{} listings", world.listings);
}

#[test]
fn a_single_group_that_objects_wait_for_is_described_by_its_id() {
    let mut world = busy(1);
    world.run(12 * MINUTE);
    assert_eq!((joined(&world, 1), world.listings), (1, 0));
    assert!((10..=25).contains(&world.looks), "{} looks", world.looks);
}

#[test]
fn a_group_that_a_listing_lacks_is_described_by_its_id() {
    let mut world = busy(3);
    world.hidden.insert(name(1));
    world.run(9 * MINUTE);
    assert_eq!(world.state_of("u-1", &name(1)), Some(MembershipState::Busy(Lifecycle::Modifying)));
    world.run(3 * MINUTE);
    assert_eq!(joined(&world, 3), 3);
}

#[test]
fn missing_groups_cost_only_a_listing_from_time_to_time() {
    let mut world = World::new();
    for number in 0..30 {
        world.wants_of(&format!("u-{number}"), &[(&name(number), Some(Direction::Join))]);
    }
    world.run(60 * MINUTE);
    assert_eq!(world.looks, 30, "only the look by its ID proves that a group is absent");
    assert!((10..=20).contains(&world.listings), "{} listings in an hour", world.listings);
    world.aws.insert(name(7), AwsGroup::new("valkey"));
    world.run(6 * MINUTE);
    assert!(world.members_of(&name(7)).contains("u-7"));
}

#[test]
fn without_the_permission_to_list_groups_each_group_is_described_alone() {
    let mut world = busy(3);
    world.denies_listings = true;
    world.run(12 * MINUTE);
    assert_eq!((joined(&world, 3), world.listings), (3, 2));
}

#[test]
fn a_failed_listing_of_groups_is_repeated() {
    let mut world = busy(5);
    world.run(MINUTE);
    world.luck = crate::aws::Luck::Throttled;
    world.run(11 * MINUTE);
    assert_eq!(joined(&world, 5), 5);
    assert!(world.aws.contains_key(GROUP) && world.looks <= 10, "{} looks", world.looks);
}
