//! How many calls it takes, and who is told what.

use std::collections::BTreeSet;
use std::time::Duration;

use plan::*;

use crate::aws::{AwsGroup, Luck};
use crate::model::{GROUP, World};

const HOUR: Duration = Duration::from_secs(3600);

fn user(number: usize) -> String {
    format!("u-{number}")
}

/// So many users that want to join.
fn joining(count: usize) -> World {
    let mut world = World::new();
    (0..count).for_each(|number| world.wants(&user(number), Some(Direction::Join)));
    world
}

#[test]
fn a_hundred_users_join_a_group_with_one_call() {
    let mut world = joining(100);
    world.run(Duration::from_secs(60));
    assert_eq!((world.members().len(), world.calls.len(), world.looks), (100, 1, 4));
    assert!(world.state("u-0").is_none(), "the wish is fulfilled and forgotten");
}

#[test]
fn three_refused_users_of_a_hundred_are_found_with_few_calls_and_only_their_objects_report_it() {
    let all: Vec<[usize; 3]> = (0..1000)
        .map(|seed| [(seed * 37) % 100, (seed * 59 + 13) % 100, (seed * 83 + 41) % 100])
        .chain([[0, 1, 2], [97, 98, 99], [0, 50, 99], [49, 50, 51]])
        .collect();
    let (mut most, mut most_accepted) = (0, 0);
    for culprits in all.into_iter().step_by(7) {
        let mut world = joining(100);
        world.culprits = culprits.into_iter().map(user).collect();
        world.run(HOUR / 7);
        let joined = world.members();
        assert_eq!(joined.len(), 100 - world.culprits.len());
        for culprit in &world.culprits {
            assert!(matches!(world.state(culprit), Some(MembershipState::Refused(_))), "{culprit}");
        }
        most = most.max(world.calls.len());
        most_accepted = most_accepted.max(world.accepted());
    }
    assert!(most <= 25 && most_accepted <= 16, "{most} calls, {most_accepted} accepted");
}

#[test]
fn each_refused_user_that_aws_names_costs_one_call() {
    let mut world = joining(100);
    world.culprits = [7, 20, 88].map(user).into();
    world.names_culprits = true;
    world.run(HOUR / 7);
    assert_eq!((world.calls.len(), world.members().len()), (4, 97));
}

#[test]
fn a_user_that_aws_refused_is_in_no_later_batch() {
    let mut world = joining(1);
    world.culprits = [user(0)].into();
    world.run(Duration::from_secs(60));
    (1..50).for_each(|number| world.wants(&user(number), Some(Direction::Join)));
    world.run(Duration::from_secs(60));
    assert_eq!((world.calls.len(), world.members().len()), (2, 49));
    // Somebody else leaves the group, which may be what the culprit waited for.
    world.culprits.clear();
    world.wants(&user(9), Some(Direction::Leave));
    world.run(Duration::from_secs(120));
    assert!(world.members().contains(&user(0)));
}

#[test]
fn refused_users_are_searched_in_one_namespace_after_the_other() {
    let mut world = World::new();
    for number in 0..40 {
        world.namespaces.insert(user(number), format!("team-{}", number % 2));
        world.wants(&user(number), Some(Direction::Join));
    }
    world.culprits = [user(1)].into();
    world.run(HOUR / 7);
    let (second, _) = &world.calls[1];
    let namespaces: Vec<&String> = second.add.iter().map(|user| &world.namespaces[user]).collect();
    assert!(namespaces.iter().all(|namespace| *namespace == namespaces[0]), "{namespaces:?}");
    assert_eq!(world.members().len(), 39);
}

#[test]
fn a_full_group_takes_the_oldest_users_and_the_other_objects_report_that_it_is_full() {
    let mut world = joining(101);
    world.run(HOUR / 60);
    assert_eq!(world.members().len(), 100);
    let Some(MembershipState::Full(size)) = world.state("u-100") else {
        panic!("{:?}", world.state("u-100"))
    };
    assert!(size.members == 100 && size.fault.is_some(), "{size:?}");
    world.wants("u-3", Some(Direction::Leave));
    world.run(HOUR / 20);
    assert!(world.members().contains("u-100") && !world.members().contains("u-3"));
    let mut small = joining(10);
    small.quota = 4;
    small.run(HOUR / 20);
    assert_eq!(small.members().into_iter().collect::<Vec<_>>(), ["u-0", "u-1", "u-2", "u-3"]);
    let mut large = joining(250);
    large.quota = 300;
    large.run(HOUR);
    assert_eq!(large.members().len(), 250, "AWS's quota may be raised");
}

#[test]
fn a_group_with_little_room_is_filled_with_one_call() {
    let mut world = World::new();
    (200..295).for_each(|number| world.foreign_change(user(number), true));
    (0..20).for_each(|number| world.wants(&user(number), Some(Direction::Join)));
    world.run(HOUR / 60);
    assert_eq!(world.members().len(), 100);
    // The second one asks AWS whether its quota is higher.
    assert_eq!(world.calls.iter().map(|(call, _)| call.add.len()).collect::<Vec<_>>(), [5, 1]);
}

#[test]
fn a_leave_that_aws_refuses_because_of_the_quota_is_reported_and_tried_again_slowly() {
    let mut world = joining(4);
    world.run(HOUR / 60);
    world.quota = 2;
    world.wants("u-1", Some(Direction::Leave));
    let calls = world.calls.len();
    world.run(HOUR);
    assert!(matches!(world.state("u-1"), Some(MembershipState::Full(_))), "{:?}", world.state("u-1"));
    assert!((5..20).contains(&(world.calls.len() - calls)), "{} calls", world.calls.len() - calls);
    world.quota = 100;
    world.run(HOUR / 6);
    assert!(!world.members().contains("u-1"));
}

/// The users that are told that the role may not change their membership.
fn told_denied(world: &World) -> BTreeSet<String> {
    let is_denied = |state| matches!(state, Some(MembershipState::Failed(_, Fault::Denied(_))));
    (0..100).map(user).filter(|user| is_denied(world.state(user))).collect()
}

fn asked_alone(world: &World) -> BTreeSet<String> {
    world.calls.iter().filter(|(call, _)| call.add.len() == 1).map(|(call, _)| call.add[0].clone()).collect()
}

#[test]
fn only_the_object_of_a_user_that_is_denied_alone_reports_access_denied() {
    let mut one = joining(100);
    one.denied = [user(5)].into();
    one.run(Duration::from_secs(300));
    assert_eq!((told_denied(&one), one.members().len()), ([user(5)].into(), 99));
    // Everybody is denied, and AWS does not say why.
    let mut all = joining(100);
    all.denied = (0..100).map(user).collect();
    all.run(Duration::from_secs(29));
    assert!(all.calls.len() <= 25, "{} calls", all.calls.len());
    assert_eq!((told_denied(&all), told_denied(&all).len()), (asked_alone(&all), 3));
    for other in (0..100).map(user).filter(|user| !asked_alone(&all).contains(user)) {
        assert!(
            matches!(all.state(&other), Some(MembershipState::DeniedTogether(_))),
            "{:?}",
            all.state(&other)
        );
    }
    all.run(HOUR);
    assert_eq!(told_denied(&all), asked_alone(&all));
    assert!((10..40).contains(&asked_alone(&all).len()), "{} were asked for", asked_alone(&all).len());
    // The first one that is accepted shows that the role has the permission now.
    all.denied.clear();
    let calls = all.calls.len();
    all.run(HOUR / 3);
    assert_eq!(all.members().len(), 100);
    assert!(all.calls.len() - calls <= 50, "{} calls", all.calls.len() - calls);
}

#[test]
fn a_call_that_fails_again_and_again_is_made_less_and_less_often() {
    let mut world = joining(100);
    world.always = Some(Luck::ThrottledCall);
    world.run(HOUR);
    let passes = world.passes;
    assert!((55..130).contains(&world.calls.len()), "{} calls in an hour", world.calls.len());
    assert!(passes <= 300, "{passes} passes");
    world.always = None;
    world.run(Duration::from_secs(120));
    assert_eq!(world.members().len(), 100);
}

#[test]
fn a_missing_group_is_described_less_and_less_often_and_joined_when_it_exists() {
    let mut world = joining(3);
    let group = world.aws.remove(GROUP).unwrap();
    world.run(HOUR);
    assert!((10..25).contains(&world.looks), "{} looks in an hour", world.looks);
    assert_eq!(world.state("u-0"), Some(MembershipState::Absent));
    world.aws.insert(GROUP.to_owned(), group);
    world.run(HOUR / 6);
    assert_eq!(world.members().len(), 3);
}

#[test]
fn the_group_is_described_again_after_a_lost_answer_to_modify_user_group() {
    for luck in [Luck::LostBefore, Luck::LostAfter, Luck::Throttled] {
        let mut world = joining(5);
        world.luck = luck;
        world.run(HOUR / 20);
        assert_eq!((world.members().len(), world.accepted()), (5, 1), "{luck:?}");
    }
}

/// A Redis group with AWS's own default user, and an object that is to take its place.
fn default_user(caches: &[&str]) -> World {
    let mut world = World::new();
    let group: &mut AwsGroup = world.group();
    group.engine = "redis";
    group.members.insert(DEFAULT_USER.to_owned());
    group.caches = caches.iter().map(|cache| (*cache).to_owned()).collect();
    world.user_names.insert("mine-1".to_owned(), DEFAULT_USER.to_owned());
    world.wants("mine-1", Some(Direction::Join));
    world.wants(&user(2), Some(Direction::Join));
    world.run(HOUR / 20);
    assert_eq!(world.members().into_iter().collect::<Vec<_>>(), ["mine-1", "u-2"]);
    world
}

#[test]
fn a_default_user_takes_the_place_of_awss_own_in_one_call_and_gives_it_back() {
    let mut world = default_user(&[]);
    world.wants("mine-1", Some(Direction::Leave));
    world.run(HOUR / 20);
    assert_eq!(world.members().into_iter().collect::<Vec<_>>(), [DEFAULT_USER, "u-2"]);
    let swaps = world.calls.iter().filter(|(change, _)| !change.add.is_empty() && !change.remove.is_empty());
    assert_eq!(swaps.count(), 2);
}

#[test]
fn awss_own_default_user_comes_back_only_if_it_opens_no_cache_or_the_annotation_says_so() {
    let mut world = default_user(&["sessions"]);
    let calls = world.calls.len();
    world.wants("mine-1", Some(Direction::Leave));
    world.run(HOUR / 4);
    assert_eq!(world.calls.len(), calls);
    assert!(matches!(world.state("mine-1"), Some(MembershipState::DefaultInUse { .. })));
    world.restores = true;
    world.wants("mine-1", Some(Direction::Leave));
    world.run(HOUR / 20);
    assert!(world.members().contains(DEFAULT_USER) && !world.members().contains("mine-1"));
}

#[test]
fn a_default_user_that_somebody_swapped_for_awss_own_comes_back_but_not_in_place_of_another_one() {
    let mut world = default_user(&["sessions"]);
    world.foreign_change("mine-1".to_owned(), false);
    world.foreign_change(DEFAULT_USER.to_owned(), true);
    world.resync();
    world.run(HOUR / 60);
    assert!(world.members().contains("mine-1") && !world.members().contains(DEFAULT_USER));
    world.user_names.insert("theirs".to_owned(), DEFAULT_USER.to_owned());
    world.foreign_change("mine-1".to_owned(), false);
    world.foreign_change("theirs".to_owned(), true);
    world.resync();
    world.run(HOUR / 20);
    assert!(
        matches!(world.state("mine-1"), Some(MembershipState::Refused(_))),
        "{:?}",
        world.state("mine-1")
    );
    assert!(world.members().contains("theirs"), "a member that is not ours stays");
}

/// `mine-1` is the group's default member, and another object of that name wants to join.
fn second_default_user(caches: &[&str]) -> World {
    let mut world = default_user(caches);
    world.user_names.insert("other-3".to_owned(), DEFAULT_USER.to_owned());
    world.wants("other-3", Some(Direction::Join));
    world.run(Duration::from_secs(30));
    assert!(matches!(world.state("other-3"), Some(MembershipState::NameTaken(_))));
    world
}

#[test]
fn a_name_that_another_member_has_is_waited_for_and_then_refused() {
    let mut world = second_default_user(&[]);
    world.run(Duration::from_secs(35));
    assert!(matches!(world.state("other-3"), Some(MembershipState::Refused(_))));
    assert!(world.members().contains("mine-1"));
    // The name is free once the object is gone.
    world.delete("mine-1");
    world.group().members.insert(DEFAULT_USER.to_owned());
    world.run(Duration::from_secs(60));
    assert!(world.members().contains("other-3"));
}

#[test]
fn a_taken_user_name_is_waited_for_while_the_object_of_the_other_member_leaves_the_group() {
    let leaves: [fn(&mut World); 2] = [
        |world| {
            world.terminating.insert("mine-1".to_owned());
        },
        // The object does not name the group any more. Its pass waits for its user, so it has not asked to leave.
        |world| {
            let wishes = world.wishes.entry("mine-1".to_owned()).or_default();
            wishes.insert(GROUP.to_owned(), Direction::Leave);
        },
    ];
    for leave in leaves {
        let mut world = second_default_user(&["sessions"]);
        leave(&mut world);
        world.run(HOUR / 4);
        assert!(
            matches!(world.state("other-3"), Some(MembershipState::NameTaken(_))),
            "{:?}",
            world.state("other-3")
        );
        world.terminating.clear();
        world.wants("mine-1", Some(Direction::Join));
        world.run(Duration::from_secs(70));
        assert!(matches!(world.state("other-3"), Some(MembershipState::Refused(_))));
    }
}

#[test]
fn a_default_user_of_ours_makes_way_for_another_one_of_ours_in_one_call() {
    for (caches, waits) in [(&["sessions"][..], true), (&[], false)] {
        let mut world = default_user(caches);
        world.user_names.insert("other-3".to_owned(), DEFAULT_USER.to_owned());
        world.wants("mine-1", Some(Direction::Leave));
        if waits {
            // Caches use the group, so it cannot leave.
            world.run(HOUR / 6);
            assert!(matches!(world.state("mine-1"), Some(MembershipState::DefaultInUse { .. })));
        }
        let calls = world.calls.len();
        world.wants("other-3", Some(Direction::Join));
        world.run(Duration::from_secs(90));
        assert_eq!(world.members().into_iter().collect::<Vec<_>>(), ["other-3", "u-2"]);
        assert_eq!(world.calls.len() - calls, 1, "{:?}", &world.calls[calls..]);
        assert!(world.wish("mine-1", GROUP).is_none(), "the leave has ended too");
    }
    // The other way round: the one that is refused because of its name comes first.
    let mut world = second_default_user(&["sessions"]);
    world.run(HOUR / 60);
    world.wants("mine-1", Some(Direction::Leave));
    world.run(Duration::from_secs(60));
    assert!(world.members().contains("other-3") && !world.members().contains("mine-1"));
    assert!(!world.members().contains(DEFAULT_USER));
}

#[test]
fn joins_come_before_leaves_but_a_join_that_waits_delays_no_leave() {
    let mut world = joining(1);
    world.aws.insert("queue".to_owned(), AwsGroup::new("valkey"));
    world.run(HOUR / 60);
    let moves = [("queue", Some(Direction::Join)), (GROUP, Some(Direction::Leave))];
    world.wants_of("u-0", &moves);
    let calls = world.calls.len();
    world.run(HOUR / 60);
    let groups: Vec<&str> = world.calls[calls..].iter().map(|(call, _)| call.group.as_str()).collect();
    assert_eq!(groups, ["queue", GROUP]);
    let mut waits = joining(1);
    waits.run(HOUR / 60);
    waits.wants_of("u-0", &moves);
    waits.run(HOUR / 60);
    assert_eq!(waits.members().len(), 0);
    assert_eq!(waits.state_of("u-0", "queue"), Some(MembershipState::Absent));
}
