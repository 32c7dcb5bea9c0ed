use plan::{Owner, UserId};
use serde_json::json;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(90);

fn sent() -> Orphans {
    let orphans = Orphans::default();
    let object = serde_json::from_value(json!({
        "apiVersion": "elasticache-users.dev/v1alpha1",
        "kind": "ElastiCacheUser",
        "metadata": { "namespace": "shop", "name": "app", "uid": "uid-1" },
        "spec": { "engine": "valkey", "accessString": "on ~* +@all", "authentication": { "type": "iam" } },
    }))
    .unwrap();
    let owner = Owner { cluster: "prod".into(), namespace: "shop".into(), name: "app".into() };
    let user_id = UserId::parse("app").unwrap();
    let orphan = Orphan { user_id, owner, uid: "uid-1".into(), policy: DeletionPolicy::Delete };
    orphans.sent(orphan, &object, 30 * SECOND);
    orphans
}

/// How long until the case is looked at.
async fn waits(orphans: &Orphans) -> Duration {
    let since = Instant::now();
    assert_eq!(orphans.next_due().await, "uid-1");
    since.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_case_that_nobody_writes_or_loses_is_looked_at_by_itself() {
    let orphans = sent();
    assert!((30 * SECOND..31 * SECOND).contains(&waits(&orphans).await));
    assert!(orphans.case("uid-1").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_finds_the_object_gone_has_it_looked_at_at_once() {
    let orphans = sent();
    orphans.check_now("uid-1");
    assert_eq!(waits(&orphans).await, Duration::ZERO);
    assert!(orphans.case("uid-1").is_some());
}

#[tokio::test(start_paused = true)]
async fn after_an_answered_write_an_object_that_goes_without_the_finalizer_was_meant_to_go() {
    let orphans = sent();
    orphans.written("uid-1", WINDOW);
    orphans.check_now("uid-1");
    assert!((89 * SECOND..91 * SECOND).contains(&waits(&orphans).await));
    assert!(orphans.case("uid-1").is_none(), "it is over");
}

#[tokio::test(start_paused = true)]
async fn after_an_answered_write_an_object_that_goes_with_the_finalizer_on_is_lost() {
    let orphans = sent();
    orphans.written("uid-1", WINDOW);
    orphans.lost("uid-1", DeletionPolicy::Delete);
    assert_eq!(waits(&orphans).await, Duration::ZERO);
    assert_eq!(orphans.case("uid-1").unwrap().orphan.policy, DeletionPolicy::Delete);
}

#[tokio::test(start_paused = true)]
async fn the_watch_may_be_faster_than_the_answer_to_the_write() {
    let orphans = sent();
    orphans.lost("uid-1", DeletionPolicy::Delete);
    orphans.written("uid-1", WINDOW);
    assert_eq!(waits(&orphans).await, Duration::ZERO);
    assert!(orphans.case("uid-1").is_some());
}

#[tokio::test(start_paused = true)]
async fn retain_of_the_last_version_counts_too() {
    let orphans = sent();
    orphans.lost("uid-1", DeletionPolicy::Retain);
    assert_eq!(orphans.case("uid-1").unwrap().orphan.policy, DeletionPolicy::Retain);
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_no_case_and_one_without_an_answer_is() {
    let (refused, unanswered) = (sent(), sent());
    refused.answered("uid-1", &Outcome::AlreadyExists);
    assert!(refused.case("uid-1").is_none());
    let no_answer = plan::Fault::Unavailable(plan::AwsError::new("NoAnswer", ""));
    unanswered.answered("uid-1", &Outcome::Failed(no_answer));
    assert!(unanswered.case("uid-1").is_some());
}
