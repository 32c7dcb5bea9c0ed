//! An object is deleted while its CreateUser is under way, or after the answer to CreateUser was lost.

use std::time::Duration;

use elasticache_emulator::Rule;
use serde_json::json;

use super::accepted_once;
use crate::fixture::{Fixture, Setup, iam, owner_tags};

/// The answers to all CreateUser calls are lost, and AWS shows no user: as if AWS accepted the call and showed nothing for a while.
async fn without_an_answer() -> Fixture {
    let fixture = Fixture::new().await;
    let fault = fixture.aws.fault(Rule::on("CreateUser").reset().always()).await;
    fixture.create("app", iam()).await;
    fixture.aws.struck(fault, 1).await;
    fixture
}

#[tokio::test]
async fn a_deletion_during_create_user_waits_for_the_answer_and_deletes_the_user() {
    let fixture = Fixture::new().await;
    let slow = fixture.aws.fault(Rule::on("CreateUser").slow(1000)).await;
    fixture.create("app", iam()).await;
    fixture.aws.struck(slow, 1).await;
    fixture.deleted("app").await;
    assert!(fixture.aws.user("app").await.is_none());
    accepted_once(fixture).await;
}

#[tokio::test]
async fn a_deletion_does_not_believe_user_not_found_while_an_unanswered_create_user_may_take_effect() {
    let fixture = without_an_answer().await;
    fixture.delete("app").await;
    let object = fixture.reason("app", "WaitingForUserActive").await;
    assert!(object["status"]["createRequestedAt"].is_string());
    let tags = owner_tags(&fixture.cluster_id, &fixture.ns, "app");
    fixture.aws.put_user("app", json!({ "Tags": tags })).await;
    fixture.gone("app").await;
    assert!(fixture.aws.user("app").await.is_none());
    accepted_once(fixture).await;
}

#[tokio::test]
async fn an_unanswered_create_user_delays_a_deletion_for_a_bounded_time_also_after_a_restart() {
    let fixture = without_an_answer().await;
    fixture.kill();
    fixture.delete("app").await;
    fixture.start();
    fixture.reason("app", "WaitingForUserActive").await;
    // The user never appears, so the object goes when the window is over.
    fixture.gone("app").await;
    assert!(fixture.aws.calls_of("DescribeUsers", "app").await.len() > 2);
    fixture.end().await;
}

#[tokio::test]
async fn a_user_whose_create_user_was_accepted_before_a_kill_is_deleted_after_the_restart() {
    let fixture = Fixture::new().await;
    let rule = Rule::on("CreateUser").hang().after();
    let fault = fixture.aws.fault(rule).await;
    fixture.create("app", iam()).await;
    fixture.aws.struck(fault, 1).await;
    fixture.kill();
    fixture.delete("app").await;
    fixture.start();
    fixture.gone("app").await;
    assert!(fixture.aws.user("app").await.is_none());
    fixture.end().await;
}

#[tokio::test]
async fn a_refused_create_user_does_not_delay_a_deletion() {
    let fixture = Fixture::with(Setup::env(&[("ELASTICACHE_USERS_PACE_DIVISOR", "1")])).await;
    fixture.aws.fault(Rule::on("CreateUser").throttle().always()).await;
    fixture.create("app", iam()).await;
    let object = fixture.reason("app", "Throttled").await;
    assert!(object["status"]["createRequestedAt"].is_null());
    let asked = std::time::Instant::now();
    let vanished = fixture.deleted("app").await;
    // At the real pace the operator would not believe UserNotFound for 70 s after an unanswered CreateUser.
    assert!(vanished.at - asked < Duration::from_secs(25), "{:?}", vanished.at - asked);
    fixture.end().await;
}
