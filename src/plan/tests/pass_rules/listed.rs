//! Whether a row of a listing starts a pass for an object for which no pass is due.

use std::sync::Arc;
use std::time::Duration;

use plan::drift::{AtRest, Drift, SecretsShown, drift};
use plan::pace::Pace;
use plan::pass::Settings;
use plan::*;

use crate::common::*;
use crate::confirmed::edited;
use crate::world::{World, world};

/// An object with a password whose passes have left nothing to do.
fn settled() -> World {
    let Authentication::Password(secret) = password() else { panic!("not a password") };
    let goal = present_with(Authentication::Password(Err(SecretProblem::NotRead)));
    let mut world = World { goal, secret, ..world() };
    for _ in 0..5 {
        let finish = world.quiet_pass();
        if finish.is_settled {
            // A sweep may come before the next pass is due.
            return world;
        }
        world.now += finish.requeue.unwrap();
    }
    panic!("it is never Ready: {:?}", world.object.status)
}

/// A Ready object whose user AWS works on without our asking.
fn busy_for_others() -> World {
    let mut world = settled();
    world.user.as_mut().unwrap().lifecycle = Lifecycle::Modifying;
    let pause = world.quiet_pass().requeue.unwrap();
    world.now += pause;
    world
}

/// A deletion that waits for AWS.
fn leaving() -> World {
    let mut world = settled();
    world.goal = gone();
    world.edit(|object| object.terminating = true);
    loop {
        let is_sent = world.count("DeleteUser") > 0;
        let pause = world.quiet_pass().requeue.unwrap();
        world.now += pause;
        if is_sent {
            return world;
        }
    }
}

/// A user that AWS works on no more. Its Secret was written meanwhile, with the same passwords or with new ones.
fn written_while_busy(new: bool) -> World {
    let mut world = busy_for_others();
    if new {
        let version = SecretVersion::parse("uid-s/9/key");
        let password = Password::parse(b"another-long-passphrase").unwrap();
        world.secret = Ok(Passwords::new(vec![(password, version)]));
    }
    // The first pass reads no Secret. The second one reads it, and the third one reads no more than it.
    for _ in 0..if new { 3 } else { 1 } {
        world.quiet_pass();
        world.now += Duration::from_millis(20);
    }
    world.user = Some(RemoteUser { lifecycle: Lifecycle::Active, ..world.user.unwrap() });
    world
}

struct Row {
    claim: &'static str,
    world: World,
    /// How AWS lists the user; `None` if it does not.
    listed: Option<RemoteUser>,
    secrets: SecretsShown,
    waits: bool,
    expected: Drift,
}

fn row(claim: &'static str, expected: Drift, change: impl FnOnce(&mut World)) -> Row {
    let mut world = settled();
    change(&mut world);
    let listed = world.user.clone();
    Row { claim, world, listed, secrets: SecretsShown::AsSent, waits: false, expected }
}

fn leaves(claim: &'static str, waits: bool, expected: Drift) -> Row {
    let world = leaving();
    let listed = world.user.clone();
    Row { claim, world, listed, secrets: SecretsShown::AsSent, waits, expected }
}

fn waits(claim: &'static str, world: World, expected: Drift) -> Row {
    let listed = world.user.clone();
    Row { claim, world, listed, secrets: SecretsShown::AsSent, waits: true, expected }
}

fn wants(wants: &'static str) -> Drift {
    Drift::Pass { wants }
}

/// Another process has managed the object until now.
fn restarted(world: &mut World) {
    world.memory = Memory::default();
}

fn rows_about_users() -> Vec<Row> {
    let listed = |change: fn(&mut RemoteUser)| move |world: &mut World| change(world.user.as_mut().unwrap());
    vec![
        row("nothing differs", Drift::Nothing, |_| {}),
        row("nothing differs after a restart", Drift::Nothing, restarted),
        Row { listed: None, ..row("the user is not listed", Drift::Unlisted, |_| {}) },
        row(
            "somebody changed the access string",
            wants("ListTags"),
            listed(|user| user.access_string = "off -@all".into()),
        ),
        row(
            "somebody set another number of passwords",
            wants("WriteStatus"),
            listed(|user| user.password_count = Some(2)),
        ),
        row(
            "somebody set another type",
            wants("ListTags"),
            listed(|user| user.authentication_type = "iam".into()),
        ),
        row("it joined a group", wants("WriteStatus"), listed(|user| user.user_group_ids = texts(&["web"]))),
        row("AWS works on it", wants("Finish"), listed(|user| user.lifecycle = Lifecycle::Modifying)),
        row("AWS deletes it", wants("WriteStatus"), listed(|user| user.lifecycle = Lifecycle::Deleting)),
        row(
            "the user is in another account",
            wants("WriteStatus"),
            listed(|user| user.arn = arn_in("us-east-1", "222222222222")),
        ),
        row("somebody wants a pass", wants("ListTags"), |world| {
            world.edit(|object| object.reconcile_requested_at = Some("now".into()));
        }),
        row("somebody took the finalizer off", wants("AddFinalizer"), |world| {
            world.edit(|object| object.has_finalizer = false);
        }),
    ]
}

fn rows_about_tags_secrets_and_waits() -> Vec<Row> {
    let secrets = |secrets, row: Row| Row { secrets, ..row };
    vec![
        row("its tags are due", wants("ListTags"), |world| world.now += 2 * Pace::default().tag_resync),
        secrets(
            SecretsShown::Unknown,
            row("a Secret is missing or not watched", wants("ReadPasswords"), |_| {}),
        ),
        secrets(
            SecretsShown::Written,
            row("this process has compared the newer Secret", Drift::Nothing, |_| {}),
        ),
        secrets(
            SecretsShown::Written,
            row("nobody has compared the newer Secret", wants("ReadPasswords"), restarted),
        ),
        Row {
            listed: None,
            ..row("a suspended object needs no row", Drift::Nothing, |world| {
                world.suspend();
                world.quiet_pass();
            })
        },
        waits("AWS still works on a user of a group that changes", busy_for_others(), Drift::Nothing),
        secrets(
            SecretsShown::Written,
            waits(
                "its Secret was written while AWS worked on the user",
                written_while_busy(false),
                wants("ReadPasswords"),
            ),
        ),
        secrets(
            SecretsShown::Written,
            waits("a new password was read meanwhile", written_while_busy(true), wants("ReadPasswords")),
        ),
        leaves("AWS still deletes the user", true, Drift::Nothing),
        leaves("an object at rest would not wait", false, wants("ReadDefinition")),
        Row { listed: None, ..leaves("the user may be gone", true, Drift::Unlisted) },
        Row { listed: Some(active()), ..leaves("AWS shows it active again", true, wants("ListTags")) },
    ]
}

impl Row {
    fn judge(&mut self) -> Drift {
        let settings = Settings {
            pace: Pace::default(),
            region: "us-east-1".into(),
            identity: "process-1".into(),
            namespaces: Vec::new(),
        };
        let World { goal, object, now, .. } = &self.world;
        let at_rest = AtRest {
            settings: Arc::new(settings),
            goal: goal.clone(),
            object: object.clone(),
            secrets: self.secrets,
            waits: self.waits,
            seed: now.as_secs(),
        };
        let now = self.world.now();
        drift(at_rest, &mut self.world.memory, self.listed.as_ref(), now)
    }
}

#[test]
fn a_listed_user_wakes_its_object_if_a_pass_would_make_a_call() {
    for mut row in rows_about_users().into_iter().chain(rows_about_tags_secrets_and_waits()) {
        let (claim, before) = (row.claim, row.world.memory.clone());
        let found = row.judge();
        assert_eq!(found, row.expected, "{claim}");
        assert_eq!(row.world.memory.sent_passwords, before.sent_passwords, "{claim}");
        if found != Drift::Nothing {
            row.world.asked.clear();
            row.world.quiet_pass();
            assert!(row.world.count("DescribeUser") > 0, "{claim}: {:?}", row.world.asked);
        }
    }
}

#[test]
fn a_secret_that_was_compared_needs_no_pass_at_any_listing() {
    let mut row = Row { secrets: SecretsShown::Written, ..row("at rest", Drift::Nothing, |_| {}) };
    for _ in 0..3 {
        assert_eq!(row.judge(), Drift::Nothing);
    }
}

#[test]
fn listings_do_not_delay_the_comparison_of_tags() {
    let mut row = row("at rest", Drift::Nothing, restarted);
    let woken = (0..8).filter(|_| {
        row.world.now += Duration::from_secs(600);
        row.judge() == wants("ListTags")
    });
    assert!(woken.count() > 0, "the tags are never compared");
}

struct Applied {
    claim: &'static str,
    /// What happens before the pass that the row has woken.
    change: fn(&mut World),
    looks: bool,
}

/// ModifyUser was accepted, and a row shows the user `active`.
fn applied() -> World {
    let mut world = edited();
    world.quiet_pass();
    assert_eq!(world.count("ModifyUser"), 1, "{:?}", world.asked);
    world.asked.clear();
    let listed = world.user.clone();
    let mut row = waiting(world, listed);
    assert_eq!(row.judge(), wants("WriteStatus"));
    row.world
}

fn waiting(world: World, listed: Option<RemoteUser>) -> Row {
    let (secrets, expected) = (SecretsShown::AsSent, Drift::Nothing);
    Row { claim: "it waits for AWS", world, listed, secrets, waits: true, expected }
}

#[test]
fn the_row_that_shows_a_change_applied_is_the_last_look_of_that_change() {
    let rows = [
        Applied { claim: "nothing happens", change: |_| {}, looks: false },
        Applied {
            claim: "the row grows old",
            change: |world| world.now += Pace::default().poll_cap + Duration::from_secs(1),
            looks: true,
        },
        Applied {
            claim: "another edit",
            change: |world| {
                world.goal = present();
                world.edit(|object| object.generation = Some(2));
            },
            looks: true,
        },
        Applied {
            claim: "the object is deleted",
            change: |world| {
                world.goal = gone();
                world.edit(|object| object.terminating = true);
            },
            looks: true,
        },
        Applied { claim: "a restart", change: restarted, looks: true },
        Applied {
            claim: "the tags are due",
            change: |world| {
                world.now += Duration::from_secs(1);
                world.edit(|object| object.reconcile_requested_at = Some("now".into()));
            },
            looks: true,
        },
    ];
    for Applied { claim, change, looks } in rows {
        let mut world = applied();
        change(&mut world);
        world.quiet_pass();
        assert_eq!(world.count("DescribeUser") > 0, looks, "{claim}: {:?}", world.asked);
        let ready = world.object.status.condition(ConditionType::Ready).unwrap();
        assert_eq!(ready.status == ConditionStatus::True, !world.has_mutated(), "{claim}: {:?}", world.asked);
    }
}

#[test]
fn a_row_that_shows_anything_else_wakes_a_pass_that_looks_at_the_user() {
    let mut world = edited();
    world.quiet_pass();
    let mut row = waiting(world, Some(active()));
    assert_eq!(row.judge(), wants("ListTags"));
    row.world.asked.clear();
    row.world.quiet_pass();
    assert_eq!(row.world.count("DescribeUser"), 1, "{:?}", row.world.asked);
}
