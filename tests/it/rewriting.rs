//! Somebody writes Secrets again and again, with the same passwords or with other ones.

use std::time::Duration;

use elasticache_emulator::Rule;

use crate::fixture::{Fixture, PASSWORD, Setup, until, with_password};
use crate::load::{create_all, names, passes, unlimited};
use crate::rotating::{SECOND, THIRD, annotate_secret, passwords};

/// Writes the Secret sixteen times a second without changing its password.
async fn rewrite_often(fixture: &Fixture, name: &str, times: u32) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / 16);
    for number in 0..times {
        ticks.tick().await;
        annotate_secret(fixture, name, &number.to_string()).await;
    }
}

/// Waits until each user has this password, and each object is Ready.
async fn all_hold(fixture: &Fixture, names: &[String], password: &str) {
    for name in names {
        until("AWS has the password of the Secret", async || passwords(fixture, name).await == [password])
            .await;
        fixture.wait_ready(name).await;
    }
}

#[tokio::test]
async fn a_secret_that_is_written_all_the_time_costs_no_call_and_no_write_until_its_password_changes() {
    let fixture = Fixture::new().await;
    fixture.secret("one", PASSWORD).await;
    fixture.ready("app", with_password("one")).await;
    // The next check is ten minutes away.
    fixture.reconcile_now("app").await;
    let before = (fixture.aws.calls().await.len(), fixture.versions("app").len(), passes(&fixture));
    rewrite_often(&fixture, "one", 48).await;
    let (calls, versions) = (fixture.aws.calls().await.len(), fixture.versions("app").len());
    assert_eq!((calls, versions), (before.0, before.1), "calls, and versions of the object");
    assert!(passes(&fixture) - before.2 >= 5.0, "the Secret's changes are seen");
    fixture.secret("one", SECOND).await;
    all_hold(&fixture, &["app".to_owned()], SECOND).await;
    assert_eq!(fixture.aws.accepted("ModifyUser", "app").await, 1);
    fixture.end().await;
}

#[tokio::test]
async fn after_a_restart_a_rewritten_secret_is_sent_at_most_once() {
    let fixture = Fixture::new().await;
    fixture.secret("one", PASSWORD).await;
    fixture.ready("app", with_password("one")).await;
    for (writes_before_it, sent) in [(0, 0), (1, 1)] {
        fixture.kill();
        rewrite_often(&fixture, "one", writes_before_it).await;
        fixture.start();
        fixture.reconcile_now("app").await;
        fixture.wait_ready("app").await;
        assert_eq!(fixture.aws.accepted("ModifyUser", "app").await, sent);
        let calls = fixture.aws.calls().await.len();
        let passes_before = passes(&fixture);
        rewrite_often(&fixture, "one", 24).await;
        until("the Secret's changes are seen", async || passes(&fixture) >= passes_before + 5.0).await;
        assert_eq!(fixture.aws.calls().await.len(), calls);
    }
    fixture.end().await;
}

#[tokio::test]
async fn a_secret_whose_password_aws_refused_costs_no_call_and_no_write_until_the_password_changes() {
    let fixture = Fixture::new().await;
    fixture.secret("one", PASSWORD).await;
    fixture.ready("app", with_password("one")).await;
    let sentence = "Passwords length must be between 16-128 characters.";
    let rule = Rule::on("ModifyUser").user("app").error("InvalidParameterValue", 400).message(sentence);
    fixture.aws.fault(rule.always()).await;
    fixture.secret("one", SECOND).await;
    fixture.reason("app", "InvalidPassword").await;
    fixture.acknowledge("app").await;
    let before = (fixture.aws.calls().await.len(), fixture.versions("app").len(), passes(&fixture));
    rewrite_often(&fixture, "one", 48).await;
    let (calls, versions) = (fixture.aws.calls().await.len(), fixture.versions("app").len());
    assert_eq!((calls, versions), (before.0, before.1), "calls, and versions of the object");
    assert!(passes(&fixture) - before.2 >= 5.0, "the Secret's changes are seen");
    fixture.aws.clear_faults().await;
    fixture.secret("one", THIRD).await;
    all_hold(&fixture, &["app".to_owned()], THIRD).await;
    fixture.end().await;
}

#[tokio::test]
async fn two_hundred_objects_that_name_one_secret_get_one_modify_user_each_when_it_changes() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    fixture.secret("shared", PASSWORD).await;
    fixture.start_with(&unlimited());
    let names = names("app", 200);
    create_all(&fixture, &names, |_| with_password("shared")).await;
    for name in &names {
        fixture.wait_ready(name).await;
    }
    for (round, password) in [(1, SECOND), (2, THIRD)] {
        fixture.secret("shared", password).await;
        // The label of the Secret changes while the operator sends the password.
        rewrite_often(&fixture, "shared", 24).await;
        all_hold(&fixture, &names, password).await;
        for name in &names {
            assert_eq!(fixture.aws.accepted("ModifyUser", name).await, round, "{name}");
        }
    }
    fixture.end().await;
}
