//! AWS does not show the user of a Ready object: Ready stays, and ends at the deadline and not with the next attempt after it. And
//! what events and messages say of a change.

use std::time::Duration;

use plan::pace::Pace;
use plan::pass::{Request, Response};
use plan::*;

use crate::common::*;
use crate::world::{World, world};

fn ready(world: &World) -> (ConditionStatus, String) {
    let ready = world.object.status.condition(ConditionType::Ready).unwrap();
    (ready.status, ready.reason.clone())
}

/// A pass that reads the user and fails. Returns when the next one is due.
fn failing_pass(world: &mut World, fault: &Fault) -> Duration {
    let finish = world.pass(|_, request| {
        let source = CallSource {
            region: "us-east-1".into(),
            credentials: CredentialsId(1),
            account: Account::NotAsked,
        };
        matches!(request, Request::DescribeUser(_))
            .then(|| Response::Described(UserObservation::Failed(fault.clone()), source))
    });
    finish.requeue.unwrap()
}

#[test]
fn ready_becomes_unknown_at_the_deadline_however_the_reads_fail() {
    for (fault, reason) in [
        (denied(), "AccessDenied"),
        (credentials(), "CredentialsUnavailable"),
        (rejected(Rejection::Other), "AWSRefused"),
        (rejected(Rejection::ServiceLinkedRole), "ServiceLinkedRoleMissing"),
        (unavailable(), "AWSUnavailable"),
    ] {
        let mut world = world();
        world.quiet_pass();
        assert_eq!(ready(&world), (ConditionStatus::True, "Active".to_owned()));
        let (began, stale_after) = (world.now, Pace::default().stale_after);
        loop {
            let pause = failing_pass(&mut world, &fault);
            if ready(&world).0 != ConditionStatus::True {
                break;
            }
            assert!(world.now < began + stale_after, "{reason}: Ready stays after the deadline");
            world.now += pause;
        }
        assert_eq!(ready(&world), (ConditionStatus::Unknown, reason.to_owned()));
        let late = (world.now - began).saturating_sub(stale_after);
        assert!(late < Duration::from_secs(1), "{reason}: {late:?} late");
    }
}

#[test]
fn a_denied_call_needs_a_person_at_the_deadline() {
    let mut world = world();
    world.object.status = Status::default();
    let began = world.now;
    loop {
        let pause = failing_pass(&mut world, &denied());
        if world.object.status.condition(ConditionType::Stalled).is_some() {
            break;
        }
        world.now += pause;
    }
    let late = (world.now - began).saturating_sub(Pace::default().denied_patience);
    assert!(late < Duration::from_secs(1), "{late:?} late");
}

/// The notes of the events that a pass publishes.
fn notes(world: &mut World) -> Vec<String> {
    let mut notes = Vec::new();
    world.pass(|_, request| {
        if let Request::Publish(event) = request {
            notes.push(format!("{}: {}", event.reason, event.note));
        }
        None
    });
    notes
}

#[test]
fn the_event_of_a_change_says_what_changed() {
    let edited = |change: fn(&mut Desired)| {
        let mut desired = desired();
        change(&mut desired);
        let mut world = World { goal: Goal::Present(desired), secret: crate::secrets::secret(), ..world() };
        world.edit(|object| object.generation = Some(2));
        notes(&mut world)
    };
    let rows = [
        (
            edited(|desired| desired.access_string = "on ~b".into()),
            "UserModified: AWS accepted ModifyUser of \"app\" and applies it now: access string \"on ~b\".",
        ),
        (
            edited(|desired| (desired.engine, desired.authentication) = (Engine::Valkey, external())),
            "UserModified: AWS accepted ModifyUser of \"app\" and applies it now: engine valkey; authentication type password with 1 password.",
        ),
        (
            edited(|desired| desired.authentication = external_random()),
            "UserModified: AWS accepted ModifyUser of \"app\" and applies it now: authentication type password with a random password that nobody learns.",
        ),
        (
            edited(|desired| desired.tags = tags(&[("team", "ops"), ("tier", "gold")])),
            "UserModified: AWS accepted these tags of user \"app\": team, tier.",
        ),
        (
            edited(|desired| desired.tags = Tags::new()),
            "UserModified: AWS removed these tags of user \"app\": team.",
        ),
    ];
    for (notes, expected) in rows {
        assert_eq!(notes, [expected]);
    }
}

#[test]
fn ready_says_that_a_user_cannot_log_in_or_run_a_command() {
    let mut world = world();
    world.goal = Goal::Present(Desired { access_string: "~*".into(), ..desired() });
    world.user.as_mut().unwrap().access_string = "off ~* -@all".into();
    world.quiet_pass();
    world.quiet_pass();
    let message = &world.object.status.condition(ConditionType::Ready).unwrap().message;
    assert_eq!(
        *message,
        "AWS user \"app\" is active and matches the spec. It cannot log in: spec.accessString has no \"on\", or an \"off\" behind it. \
         It may run no command: spec.accessString allows none, or takes all away at its end."
    );
}
