//! A pass reads Secrets only when it needs them. An object that waits for a Secret makes no other request.

use std::time::Duration;

use plan::*;

use crate::common::*;
use crate::world::{World, world};

/// An object whose Secret has not been read. It has no user yet.
fn waiting() -> World {
    let goal = present_with(Authentication::Password(Err(SecretProblem::NotRead)));
    let mut world = World { goal, user: None, ..world() };
    world.object.status = Status::default();
    world.object.has_finalizer = false;
    world
}

pub(crate) fn secret() -> Result<Passwords, SecretProblem> {
    match password() {
        Authentication::Password(read) => read,
        Authentication::ExternalPassword(_) | Authentication::Iam | Authentication::NoPassword => {
            panic!("not a password")
        }
    }
}

const AWS: [&str; 4] = ["AcquireToken", "DescribeUser", "ListTags", "IdentifyCaller"];

fn asked_of_aws(world: &World) -> usize {
    AWS.map(|call| world.count(call)).iter().sum()
}

fn reason(world: &World) -> String {
    world.object.status.condition(ConditionType::Ready).unwrap().reason.clone()
}

#[test]
fn an_object_without_its_secret_costs_one_aws_call_and_no_write_while_it_waits() {
    let forbidden = SecretProblem::Forbidden { secret: "app-password".into() };
    for (problem, told) in [
        (secret_not_found(), "SecretNotFound"),
        (forbidden, "SecretForbidden"),
        (invalid_secret(), "InvalidPassword"),
    ] {
        for has_user in [false, true] {
            let mut world = waiting();
            world.secret = Err(problem.clone());
            world.user = has_user.then(active);
            world.quiet_pass();
            assert_eq!(reason(&world), told);
            assert_eq!(world.object.has_finalizer, has_user, "the user is ours: {:?}", world.asked);
            world.asked.clear();
            for _ in 0..20 {
                let pause = world.quiet_pass().requeue.unwrap();
                world.now += pause;
            }
            let rest: Vec<_> =
                world.asked.iter().filter(|asked| !["Log", "Publish"].contains(asked)).collect();
            assert_eq!(rest, ["ReadPasswords"; 20].iter().collect::<Vec<_>>(), "{told}");
            world.secret = secret();
            world.quiet_pass();
            let call = if has_user { "ModifyUser" } else { "CreateUser" };
            assert_eq!(world.count(call), 1, "{told}: {:?}", world.asked);
        }
    }
}

struct Row {
    claim: &'static str,
    change: fn(&mut World),
    asks: bool,
}

#[test]
fn aws_is_asked_again_after_an_edit_a_request_a_restart_or_a_removed_finalizer() {
    let rows = [
        Row { claim: "nothing happened", change: |_| {}, asks: false },
        Row { claim: "a label", change: |world| world.edit(|_| {}), asks: false },
        Row {
            claim: "an edit",
            change: |world| world.edit(|object| object.generation = Some(2)),
            asks: true,
        },
        Row {
            claim: "a request",
            change: |world| world.edit(|object| object.reconcile_requested_at = Some("now".into())),
            asks: true,
        },
        Row { claim: "a restart", change: |world| world.memory = Memory::default(), asks: true },
        Row {
            claim: "a removed finalizer",
            change: |world| world.edit(|object| object.has_finalizer = false),
            asks: true,
        },
    ];
    for Row { claim, change, asks } in rows {
        let mut world = World { user: Some(active()), ..waiting() };
        world.quiet_pass();
        change(&mut world);
        world.asked.clear();
        world.quiet_pass();
        assert_eq!(asked_of_aws(&world) > 0, asks, "{claim}: {:?}", world.asked);
        assert!(world.object.has_finalizer, "{claim}");
    }
}

#[test]
fn a_changed_problem_of_a_secret_is_reported_without_an_aws_call() {
    let mut world = waiting();
    world.quiet_pass();
    world.secret = Err(SecretProblem::KeyNotFound { secret: "app-password".into(), key: "k".into() });
    world.asked.clear();
    world.quiet_pass();
    assert_eq!(
        (reason(&world).as_str(), asked_of_aws(&world)),
        ("SecretKeyNotFound", 0),
        "{:?}",
        world.asked
    );
}

#[test]
fn if_aws_did_not_answer_it_is_asked_again_although_the_secret_is_missing() {
    let mut world = waiting();
    for round in 1..=2 {
        world.pass(|_, request| {
            let failed = plan::UserObservation::Failed(throttled());
            let source = CallSource {
                region: "us-east-1".into(),
                credentials: CredentialsId(1),
                account: Account::NotAsked,
            };
            matches!(request, plan::pass::Request::DescribeUser(_))
                .then(|| plan::pass::Response::Described(failed, source))
        });
        assert_eq!(world.count("DescribeUser"), round, "{:?}", world.asked);
        world.now += Duration::from_secs(60);
    }
}

/// A drift check waits for its token before it reads a Secret. While AWS changes the user, it reads no Secret.
#[test]
fn a_check_reads_the_secret_only_once_aws_has_shown_an_active_user() {
    let mut world = waiting();
    world.secret = secret();
    (world.user, world.object.has_finalizer) = (Some(active()), true);
    world.object.status.observed_generation = Some(1);
    world.user.as_mut().unwrap().lifecycle = Lifecycle::Modifying;
    world.quiet_pass();
    assert_eq!(world.count("ReadPasswords"), 0, "{:?}", world.asked);
    world.user.as_mut().unwrap().lifecycle = Lifecycle::Active;
    world.quiet_pass();
    let at = |name: &str| world.asked.iter().position(|asked| *asked == name).unwrap();
    assert!(at("AcquireToken") < at("ReadPasswords") && at("DescribeUser") < at("ReadPasswords"));
}
