//! What a process remembers if its pass is cut.

use plan::pass::{Request, Response};
use plan::verdict::Outcome;
use plan::*;

use crate::common::{desired, password, throttled};
use crate::world::{World, name, world};

fn rotated() -> World {
    let goal = Goal::Present(Desired { authentication: password(), ..desired() });
    World { goal, ..world() }
}

fn sent() -> Option<Passwords> {
    match password() {
        Authentication::Password(Ok(passwords)) => Some(passwords),
        _ => None,
    }
}

/// The memory if the request under way takes too long.
fn memory_if_cut(pass: &mut Pass, now: Now) -> Memory {
    pass.handle(Response::TimedOut, now);
    let Request::Finish(finish) = pass.next(now) else { panic!("the pass goes on") };
    *finish.memory.unwrap()
}

#[test]
fn passwords_that_aws_accepted_are_remembered_wherever_the_pass_is_cut_and_are_not_sent_again() {
    let mut whole = rotated();
    whole.quiet_pass();
    let call = whole.asked.iter().position(|asked| *asked == "ModifyUser").unwrap();
    for cut in call + 1..whole.asked.len() {
        let mut world = rotated();
        let mut pass = world.begin();
        for _ in 0..cut {
            let request = pass.next(world.now());
            let response = world.answer(&request);
            pass.handle(response, world.now());
        }
        let request = pass.next(world.now());
        world.memory = memory_if_cut(&mut pass, world.now());
        assert_eq!(world.memory.sent_passwords, sent(), "cut at {}", name(&request));
        // Status does not show the call, and the Secret is written again with the same password.
        world.quiet_pass();
        assert!(!world.has_mutated(), "cut at {}: {:?}", name(&request), world.asked);
    }
}

/// The process has sent another password before.
fn rotated_again() -> World {
    let former = Password::parse(b"the-former-passphrase").unwrap();
    let mut world = rotated();
    world.memory.sent_passwords = Some(Passwords::new(vec![(former, SecretVersion::parse("uid-s/6/key"))]));
    world
}

#[test]
fn after_aws_refused_new_passwords_the_former_ones_are_remembered() {
    let mut world = rotated_again();
    let former = world.memory.sent_passwords.clone();
    let refused = Response::Called(Outcome::Failed(throttled()));
    world.pass(|_, request| (name(request) == "ModifyUser").then(|| refused.clone()));
    assert_eq!(world.memory.sent_passwords, former);
}

#[test]
fn passwords_whose_outcome_is_not_known_are_not_remembered() {
    let mut world = rotated_again();
    let mut pass = world.begin();
    loop {
        let request = pass.next(world.now());
        if name(&request) == "ModifyUser" {
            break;
        }
        let response = world.answer(&request);
        pass.handle(response, world.now());
    }
    assert_eq!(memory_if_cut(&mut pass, world.now()).sent_passwords, None);
}
