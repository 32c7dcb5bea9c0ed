//! A deletion that meets a CreateUser under way, or one whose answer was lost.

use std::time::Duration;

use serde_json::json;

use super::accepted_once;
use crate::stage::{Setting, Stage, iam};

#[tokio::test]
async fn a_create_in_flight_is_followed_to_its_end() {
    let stage = Stage::new().await;
    let slow = stage.aws.fault(json!({ "Action": "CreateUser", "Kind": "slow", "Ms": 1000 })).await;
    stage.create("app", iam()).await;
    stage.aws.struck(slow, 1).await;
    stage.deleted("app").await;
    assert!(stage.aws.user("app").await.is_none());
    accepted_once(stage).await;
}

#[tokio::test]
async fn not_found_is_doubted_while_a_lost_create_may_still_show() {
    let stage = Stage::new().await;
    // Every answer is lost, and the user appears late: as if AWS accepted the call and showed nothing for a while.
    let fault = stage
        .aws
        .fault(json!({ "Action": "CreateUser", "Kind": "reset", "When": "before", "Times": null }))
        .await;
    stage.create("app", iam()).await;
    stage.aws.struck(fault, 1).await;
    stage.delete("app").await;
    let object = stage.reason("app", "WaitingForUserActive").await;
    assert!(object["status"]["createRequestedAt"].is_string());
    let created = json!({ "Tags": {
        "elasticache-users.dev/cluster": stage.cluster_id.clone(),
        "elasticache-users.dev/namespace": stage.ns,
        "elasticache-users.dev/name": "app",
    }});
    stage.aws.put_user("app", created).await;
    stage.gone("app").await;
    assert!(stage.aws.user("app").await.is_none());
    accepted_once(stage).await;
}

#[tokio::test]
async fn the_doubt_survives_a_restart_and_ends() {
    let stage = Stage::new().await;
    let fault = stage
        .aws
        .fault(json!({ "Action": "CreateUser", "Kind": "reset", "When": "before", "Times": null }))
        .await;
    stage.create("app", iam()).await;
    stage.aws.struck(fault, 1).await;
    stage.kill();
    stage.delete("app").await;
    stage.start();
    stage.reason("app", "WaitingForUserActive").await;
    // Nothing ever shows: the object goes once the window is over.
    stage.gone("app").await;
    assert!(stage.aws.calls_of("DescribeUsers", "app").await.len() > 2);
    stage.end().await;
}

#[tokio::test]
async fn a_refused_create_leaves_no_doubt() {
    let stage =
        Stage::set(Setting { env: vec![("PACE_DIVISOR", "1".to_owned())], ..Setting::default() }).await;
    stage.aws.fault(json!({ "Action": "CreateUser", "Kind": "throttle", "Times": null })).await;
    stage.create("app", iam()).await;
    let object = stage.reason("app", "Throttled").await;
    assert!(object["status"]["createRequestedAt"].is_null());
    let asked = std::time::Instant::now();
    let vanished = stage.deleted("app").await;
    // At the real pace a doubt would last for 50 s.
    assert!(vanished.at - asked < Duration::from_secs(25), "{:?}", vanished.at - asked);
    stage.end().await;
}
