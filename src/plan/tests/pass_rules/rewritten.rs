//! A Secret that is written again with the same passwords costs a read of it, and nothing else.

use std::time::Duration;

use plan::pass::{Finish, PassResult, Request, Response};
use plan::verdict::Outcome;
use plan::*;

use crate::common::*;
use crate::world::{self, World, name, world};

const NEW: &str = "another-long-passphrase";

fn invalid_password() -> Outcome {
    Outcome::Failed(rejected_saying(Rejection::ParameterValue, "Invalid passwords."))
}

fn secret(text: &str, version: u32) -> Result<Passwords, SecretProblem> {
    let password = Password::parse(text.as_bytes()).unwrap();
    let version = SecretVersion::parse(&format!("uid-s/{version}/key"));
    Ok(Passwords::new(vec![(password, version)]))
}

/// A Ready object whose password this process has sent.
fn at_rest() -> World {
    let goal = present_with(Authentication::Password(Err(SecretProblem::NotRead)));
    let mut world = World { goal, secret: secret(SECRET_TEXT, 1), ..world() };
    let pause = world.quiet_pass().requeue.unwrap();
    world.now += pause;
    world.quiet_pass();
    assert_eq!((world.count("ModifyUser"), reason(&world)), (1, "Active"), "{:?}", world.asked);
    world.asked.clear();
    world
}

fn reason(world: &World) -> &str {
    &world.object.status.condition(ConditionType::Ready).unwrap().reason
}

/// What a Secret event starts a second later: what the pass asked for, and its end.
fn woken(world: &mut World) -> (Vec<&'static str>, Finish) {
    world.now += Duration::from_secs(1);
    world.asked.clear();
    let finish = world.quiet_pass();
    (world.asked.clone(), finish)
}

/// Writes the Secret 20 times with the same password.
fn rewrite(world: &mut World) {
    for version in 2..22 {
        world.secret = secret(SECRET_TEXT, version);
        let (asked, finish) = woken(world);
        assert_eq!((asked, finish.result), (vec!["ReadPasswords"], PassResult::Done));
    }
}

#[test]
fn a_secret_written_again_costs_no_call_and_no_write_and_delays_no_check() {
    let mut world = at_rest();
    let due = world.now + world.quiet_pass().requeue.unwrap();
    rewrite(&mut world);
    let (_, finish) = woken(&mut world);
    let pause = finish.requeue.unwrap();
    assert!(finish.is_settled && (world.now + pause).abs_diff(due) < Duration::from_millis(10), "{pause:?}");
    // The check records the version, so that no other process sends the password again.
    world.now += pause;
    let (asked, _) = woken(&mut world);
    // Checks of 10,000 objects must not read their Secrets while they wait for tokens.
    let at = |name: &str| asked.iter().position(|asked| *asked == name).unwrap();
    assert!(at("DescribeUser") < at("ReadPasswords") && at("ReadPasswords") < at("WriteStatus"), "{asked:?}");
    assert!(!world.has_mutated(), "{asked:?}");
    let last = world.object.status.last_applied.as_ref().unwrap();
    assert_eq!(last.password_versions, versions(&["uid-s/21/key"]));
    let (asked, _) = woken(&mut world);
    assert_eq!(asked, ["ReadPasswords"]);
}

#[test]
fn a_user_that_aws_is_changing_or_does_not_show_is_polled_at_its_own_pace() {
    type Answer = fn(&mut World) -> Option<UserObservation>;
    let rows: [(&str, Answer); 2] = [
        ("Modifying", |world| {
            world.user.as_mut().unwrap().lifecycle = Lifecycle::Modifying;
            None
        }),
        ("Active", |_| Some(UserObservation::Failed(throttled()))),
    ];
    for (told, answer) in rows {
        let mut world = at_rest();
        if told == "Modifying" {
            world.edit(|object| object.generation = Some(2));
            let Goal::Present(desired) = &mut world.goal else { panic!("not present") };
            desired.access_string = "on ~other:* +@all".into();
            world.quiet_pass();
        }
        let unanswered = answer(&mut world);
        let source = CallSource {
            region: "us-east-1".into(),
            credentials: CredentialsId(1),
            account: Account::NotAsked,
        };
        world.now += Duration::from_secs(700);
        let finish = world.pass(|_, request| {
            let described = unanswered.clone().map(|user| Response::Described(user, source.clone()));
            described.filter(|_| matches!(request, Request::DescribeUser(_)))
        });
        assert_eq!(reason(&world), told);
        // Shorter than any pause.
        for version in 2..20 {
            world.secret = secret(SECRET_TEXT, version);
            world.now += Duration::from_millis(20);
            world.asked.clear();
            let early = world.quiet_pass();
            assert_eq!(world.asked, ["ReadPasswords"], "{told}");
            assert!(!early.is_settled && early.requeue < finish.requeue, "{told}");
        }
        world.now += finish.requeue.unwrap();
        assert!(woken(&mut world).0.contains(&"DescribeUser"), "{told}");
    }
}

struct Row {
    claim: &'static str,
    change: fn(&mut World),
    asks: &'static str,
}

#[test]
fn any_change_besides_a_rewritten_secret_makes_a_whole_pass() {
    let rows = [
        Row { claim: "new passwords", change: |world| world.secret = secret(NEW, 2), asks: "ModifyUser" },
        Row {
            claim: "an edit",
            change: |world| world.edit(|object| object.generation = Some(2)),
            asks: "DescribeUser",
        },
        Row {
            claim: "a request",
            change: |world| world.edit(|object| object.reconcile_requested_at = Some("now".into())),
            asks: "DescribeUser",
        },
        Row {
            claim: "a request that is too long",
            change: |world| world.edit(|object| object.has_overlong_request = true),
            asks: "Publish",
        },
        Row {
            claim: "a removed finalizer",
            change: |world| world.edit(|object| object.has_finalizer = false),
            asks: "AddFinalizer",
        },
        Row {
            claim: "a deletion",
            change: |world| {
                world.edit(|object| object.terminating = true);
                world.goal = gone();
            },
            asks: "DeleteUser",
        },
        Row {
            claim: "a missing Secret",
            change: |world| world.secret = Err(secret_not_found()),
            asks: "Publish",
        },
        Row {
            claim: "the check is due",
            change: |world| world.now += Duration::from_secs(700),
            asks: "DescribeUser",
        },
    ];
    for Row { claim, change, asks } in rows {
        let mut world = at_rest();
        rewrite(&mut world);
        change(&mut world);
        let (asked, _) = woken(&mut world);
        assert!(asked.contains(&asks), "{claim}: {asked:?}");
    }
}

#[test]
fn a_secret_that_comes_back_with_its_password_is_seen_at_once() {
    let mut world = at_rest();
    for problem in [secret_not_found(), invalid_secret()] {
        world.secret = Err(problem);
        woken(&mut world);
        assert_ne!(reason(&world), "Active");
        world.secret = secret(SECRET_TEXT, 3);
        woken(&mut world);
        assert_eq!((reason(&world), world.has_mutated()), ("Active", false));
    }
}

#[test]
fn the_former_password_is_seen_at_once_although_aws_refused_the_new_one() {
    let mut world = at_rest();
    world.secret = secret(NEW, 2);
    answered(&mut world, "ModifyUser", &invalid_password());
    assert_eq!(reason(&world), "InvalidPassword");
    world.secret = secret(SECRET_TEXT, 3);
    woken(&mut world);
    assert_eq!((reason(&world), world.has_mutated()), ("Active", false), "{:?}", world.asked);
}

/// A pass in which AWS answers a call of this name so.
fn answered(world: &mut World, call: &'static str, outcome: &Outcome) -> Finish {
    world.pass(|_, request| (name(request) == call).then(|| Response::Called(outcome.clone())))
}

/// AWS has not taken the password of the Secret.
struct Unsent {
    claim: &'static str,
    /// The pass that leaves it unsent.
    leave: fn(&mut World) -> Finish,
    reason: &'static str,
    /// What the pass calls that comes when it is due.
    calls: &'static str,
}

fn refused_first_password(world: &mut World) -> Finish {
    let goal = present_with(Authentication::Password(Err(SecretProblem::NotRead)));
    *world = World { goal, user: None, secret: world.secret.clone(), ..world::world() };
    world.object.status = Status::default();
    answered(world, "CreateUser", &invalid_password())
}

fn rows_about_unsent_passwords() -> [Unsent; 6] {
    [
        Unsent {
            claim: "AWS refuses a changed password",
            leave: |world| answered(world, "ModifyUser", &invalid_password()),
            reason: "InvalidPassword",
            calls: "ModifyUser",
        },
        Unsent {
            claim: "AWS is busy with the user",
            leave: |world| {
                world.user.as_mut().unwrap().lifecycle = Lifecycle::Modifying;
                world.edit(|object| object.generation = Some(2));
                // A check reads no Secret while AWS is busy. The next write of the Secret starts a pass that does.
                world.quiet_pass();
                world.now += Duration::from_millis(20);
                let pause = world.quiet_pass().requeue.unwrap();
                world.now += pause;
                world.quiet_pass()
            },
            reason: "Modifying",
            calls: "DescribeUser",
        },
        Unsent {
            claim: "AWS is busy with the user, and the process is a new one",
            leave: |world| {
                world.user.as_mut().unwrap().lifecycle = Lifecycle::Modifying;
                world.edit(|object| object.generation = Some(2));
                world.memory = Memory::default();
                world.quiet_pass();
                world.now += Duration::from_millis(20);
                world.quiet_pass()
            },
            reason: "Modifying",
            calls: "DescribeUser",
        },
        Unsent {
            claim: "AWS refuses the password of a user that status does not know",
            leave: |world| {
                world.object.status = Status::default();
                world.memory = Memory::default();
                answered(world, "ModifyUser", &invalid_password())
            },
            reason: "InvalidPassword",
            calls: "ModifyUser",
        },
        Unsent {
            claim: "AWS throttles the call",
            leave: |world| answered(world, "ModifyUser", &Outcome::Failed(throttled())),
            reason: "Throttled",
            calls: "ModifyUser",
        },
        Unsent {
            claim: "AWS refuses the first password",
            leave: refused_first_password,
            reason: "InvalidPassword",
            calls: "CreateUser",
        },
    ]
}

#[test]
fn a_secret_whose_password_aws_did_not_take_is_read_and_no_more_until_the_password_changes() {
    for Unsent { claim, leave, reason: expected, calls } in rows_about_unsent_passwords() {
        for changes in [false, true] {
            let mut world = at_rest();
            world.secret = secret(NEW, 2);
            world.now += Duration::from_secs(1);
            let finish = leave(&mut world);
            assert_eq!(reason(&world), expected, "{claim}");
            // Shorter than any pause.
            for version in 3..20 {
                world.secret = secret(NEW, version);
                world.now += Duration::from_millis(20);
                world.asked.clear();
                let early = world.quiet_pass();
                assert_eq!(world.asked, ["ReadPasswords"], "{claim}");
                assert!(early.requeue < finish.requeue && early.is_settled == finish.is_settled, "{claim}");
            }
            if changes {
                world.secret = secret("a-third-long-passphrase", 21);
            } else {
                world.now += finish.requeue.unwrap();
            }
            let (asked, _) = woken(&mut world);
            assert!(asked.contains(&calls), "{claim}: {asked:?}");
        }
    }
}

#[test]
fn a_rewritten_secret_does_not_hide_that_another_object_let_the_user_go() {
    let goal = present_with(Authentication::Password(Ok(secret(NEW, 1).unwrap())));
    let other = OwnerObservation::Leaving;
    let mut world = World { goal, other, tags: anothers_tags(), secret: secret(NEW, 1), ..world() };
    world.object.status = Status::default();
    world.quiet_pass();
    assert_eq!(reason(&world), "WaitingForPreviousUser", "{:?}", world.asked);
    world.user = None;
    world.now += Duration::from_millis(20);
    world.asked.clear();
    world.quiet_pass();
    assert!(world.asked.contains(&"CreateUser"), "{:?}", world.asked);
}

#[test]
fn a_check_that_becomes_due_while_the_secret_is_read_is_made() {
    let mut world = at_rest();
    world.pass(|world, request| {
        world.now += Duration::from_secs(if *request == Request::ReadPasswords { 700 } else { 0 });
        None
    });
    assert_eq!(world.asked[..3], ["ReadPasswords", "AcquireToken", "DescribeUser"], "{:?}", world.asked);
}

#[test]
fn a_secret_that_cannot_be_read_asks_nothing_of_aws() {
    let mut world = at_rest();
    for _ in 0..5 {
        let why = "500".to_owned();
        world.secret = Err(SecretProblem::Unreadable { secret: "app-password".into(), why });
        let (asked, finish) = woken(&mut world);
        assert_eq!(asked, ["ReadPasswords"]);
        assert!(matches!(finish.result, PassResult::KubernetesFailed { .. }) && !finish.is_settled);
        assert!(finish.requeue.unwrap() <= Duration::from_secs(60));
    }
    rewrite(&mut world);
}

#[test]
fn a_restart_costs_at_most_one_modify_user_and_none_if_status_has_the_version() {
    for (rewritten, sent) in [(false, 0), (true, 1)] {
        let mut world = at_rest();
        if rewritten {
            rewrite(&mut world);
        }
        world.memory = Memory::default();
        woken(&mut world);
        assert_eq!(world.count("ModifyUser"), sent, "{:?}", world.asked);
        // After the first look the process knows what AWS has.
        if rewritten {
            woken(&mut world);
        }
        rewrite(&mut world);
    }
}
