//! Passwords that somebody else sets, and a user that somebody may have made again with other passwords.

use plan::pass::{Finish, Request, Response};
use plan::*;

use crate::common::*;
use crate::secrets::secret;
use crate::world::{World, name, world};

fn with_secrets() -> Goal {
    present_with(Authentication::Password(Err(SecretProblem::NotRead)))
}

/// An object whose Secret is there. It has no user yet.
fn new(goal: Goal) -> World {
    let mut world = World { goal, user: None, secret: secret(), ..world() };
    world.object.status = Status::default();
    world
}

/// A Ready object with a user.
fn at_rest(goal: Goal) -> World {
    let mut world = new(goal);
    next_pass(&mut world);
    next_pass(&mut world);
    assert_eq!((world.count("CreateUser"), reason(&world)), (1, "Active"), "{:?}", world.asked);
    world.asked.clear();
    world
}

fn next_pass(world: &mut World) -> Finish {
    let finish = world.quiet_pass();
    world.now += finish.requeue.unwrap_or_default();
    finish
}

fn reason(world: &World) -> &str {
    &world.object.status.condition(ConditionType::Ready).unwrap().reason
}

fn versions_in_status(world: &World) -> usize {
    world.object.status.last_applied.as_ref().map_or(0, |last| last.password_versions.len())
}

fn edit_to(world: &mut World, goal: Goal) {
    world.edit(|object| object.generation = object.generation.map(|generation| generation + 1));
    world.goal = goal;
}

#[test]
fn passwords_that_others_set_are_read_once_and_never_compared() {
    for goal in [external(), external_random()] {
        let mut world = new(present_with(goal.clone()));
        next_pass(&mut world);
        assert_eq!(world.count("ReadPasswords"), usize::from(goal == external()), "{:?}", world.asked);
        world.user.as_mut().unwrap().password_count = Some(2);
        world.asked.clear();
        for _ in 0..3 {
            next_pass(&mut world);
            assert_eq!((reason(&world), versions_in_status(&world)), ("Active", 0));
        }
        assert_eq!((world.count("ReadPasswords"), world.has_mutated()), (0, false), "{:?}", world.asked);
    }
}

#[test]
fn after_others_could_set_passwords_those_of_the_secrets_are_sent_once() {
    // Whether a pass saw the user `active` meanwhile.
    for settled in [true, false] {
        let mut world = at_rest(with_secrets());
        assert_eq!(versions_in_status(&world), 1);
        edit_to(&mut world, present_with(external()));
        let state = if settled { Lifecycle::Active } else { odd() };
        world.user.as_mut().unwrap().lifecycle = state;
        next_pass(&mut world);
        assert_eq!((versions_in_status(&world), world.has_mutated()), (0, false), "{:?}", world.asked);
        world.user.as_mut().unwrap().lifecycle = Lifecycle::Active;
        edit_to(&mut world, with_secrets());
        for _ in 0..3 {
            next_pass(&mut world);
        }
        assert_eq!((world.count("ModifyUser"), reason(&world)), (1, "Active"), "{:?}", world.asked);
        assert_eq!(versions_in_status(&world), 1);
    }
}

#[test]
fn a_user_that_gets_its_owner_tags_back_gets_its_passwords_too_although_the_process_is_killed_in_between() {
    for killed in [false, true] {
        let mut world = at_rest(with_secrets());
        world.tags = tags(&[("team", "shop")]);
        world.edit(|object| object.reconcile_requested_at = Some("now".into()));
        let mut versions = None;
        world.pass(|world, request: &Request| {
            if name(request) == "AddTags" {
                versions = Some(versions_in_status(world));
            }
            None
        });
        assert_eq!(versions, Some(0), "status has the versions while the tags are restored");
        if killed {
            world.memory = Memory::default();
        }
        for _ in 0..3 {
            next_pass(&mut world);
        }
        assert_eq!(world.count("ModifyUser"), 1, "{:?}", world.asked);
        assert_eq!((reason(&world), versions_in_status(&world)), ("Active", 1));
    }
}

#[test]
fn a_user_that_gets_its_owner_tags_back_gets_no_password_if_others_set_them() {
    let mut world = at_rest(present_with(external()));
    world.tags = tags(&[("team", "shop")]);
    world.edit(|object| object.reconcile_requested_at = Some("now".into()));
    for _ in 0..3 {
        next_pass(&mut world);
    }
    let calls = (world.count("AddTags"), world.count("ModifyUser"), reason(&world));
    assert_eq!(calls, (1, 0, "Active"), "{:?}", world.asked);
}

fn applied_at(world: &World) -> Option<Timestamp> {
    world.object.status.passwords_applied_at
}

#[test]
fn status_has_the_time_at_which_aws_accepted_passwords_and_it_changes_with_nothing_else() {
    let mut world = new(with_secrets());
    let began = world.now().utc;
    next_pass(&mut world);
    let first = applied_at(&world).expect("CreateUser had a password");
    assert!(first >= began.to_seconds() && first <= world.now().utc, "{first:?}");
    for _ in 0..3 {
        world.now += std::time::Duration::from_secs(3600);
        next_pass(&mut world);
    }
    edit_to(&mut world, with_secrets());
    world.memory = Memory::default();
    next_pass(&mut world);
    assert_eq!(applied_at(&world), Some(first));
    let password = Password::parse(b"another-long-passphrase").unwrap();
    world.secret = Ok(Passwords::new(vec![(password, SecretVersion::parse("uid-s/8/key"))]));
    world.edit(|object| object.reconcile_requested_at = Some("now".into()));
    let rotated = world.now().utc.to_seconds();
    next_pass(&mut world);
    assert_eq!((world.count("ModifyUser"), applied_at(&world)), (1, Some(rotated)), "{:?}", world.asked);
    edit_to(&mut world, present_with(Authentication::Iam));
    next_pass(&mut world);
    next_pass(&mut world);
    assert_eq!((world.count("ModifyUser"), applied_at(&world)), (2, None), "{:?}", world.asked);
}

#[test]
fn the_time_of_accepted_passwords_is_not_lost_with_a_status_write_that_fails() {
    let mut world = new(with_secrets());
    let mut refused = None;
    world.pass(|world, request: &Request| {
        let is_final =
            matches!(request, Request::WriteStatus(status) if status.passwords_applied_at.is_some());
        is_final.then(|| {
            refused = Some(world.now().utc.to_seconds());
            Response::KubernetesFailed { what: "write status", why: "500".into() }
        })
    });
    assert_eq!(applied_at(&world), None);
    world.now += std::time::Duration::from_secs(60);
    next_pass(&mut world);
    assert_eq!(applied_at(&world), Some(refused.expect("a write with the time")));
}
