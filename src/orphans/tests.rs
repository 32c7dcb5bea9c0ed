use allocation_counter::measure;
use plan::{Owner, UserId};
use serde_json::json;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(90);

fn object() -> ElastiCacheUser {
    serde_json::from_value(json!({
        "apiVersion": "elasticache-users.dev/v1alpha1",
        "kind": "ElastiCacheUser",
        "metadata": { "namespace": "shop", "name": "app", "uid": "uid-1" },
        "spec": { "engine": "valkey", "accessString": "on ~* +@all", "authentication": { "type": "iam" } },
    }))
    .unwrap()
}

fn orphan() -> Orphan {
    let owner = Owner { cluster: "prod".into(), namespace: "shop".into(), name: "app".into() };
    let user_id = UserId::parse("app").unwrap();
    Orphan { user_id, owner, uid: "uid-1".into(), policy: DeletionPolicy::Delete }
}

fn sent() -> Orphans {
    let orphans = Orphans::default();
    orphans.sent(orphan(), &object(), 30 * SECOND);
    orphans
}

/// How long it takes until the case is checked.
async fn waits(orphans: &Orphans) -> Duration {
    let since = Instant::now();
    assert_eq!(orphans.next_due().await, "uid-1");
    since.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_user_is_checked_for_its_object_30_s_after_create_user_if_nothing_else_happens() {
    let orphans = sent();
    assert!((30 * SECOND..31 * SECOND).contains(&waits(&orphans).await));
    assert!(orphans.case("uid-1").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_user_is_checked_at_once_if_a_pass_finds_its_object_gone() {
    let orphans = sent();
    orphans.check_now("uid-1");
    assert_eq!(waits(&orphans).await, Duration::ZERO);
    assert!(orphans.case("uid-1").is_some());
}

#[tokio::test(start_paused = true)]
async fn an_object_that_goes_without_the_finalizer_after_an_answered_write_was_deleted_by_somebody() {
    let orphans = sent();
    orphans.written("uid-1", WINDOW);
    orphans.check_now("uid-1");
    assert!((89 * SECOND..91 * SECOND).contains(&waits(&orphans).await));
    assert!(orphans.case("uid-1").is_none(), "the case is closed");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_goes_with_the_finalizer_after_an_answered_write_has_vanished() {
    let orphans = sent();
    orphans.written("uid-1", WINDOW);
    orphans.lost("uid-1", DeletionPolicy::Delete);
    assert_eq!(waits(&orphans).await, Duration::ZERO);
    assert_eq!(orphans.case("uid-1").unwrap().orphan.policy, DeletionPolicy::Delete);
}

#[tokio::test(start_paused = true)]
async fn the_watch_may_report_the_loss_before_the_write_is_answered() {
    let orphans = sent();
    orphans.lost("uid-1", DeletionPolicy::Delete);
    orphans.written("uid-1", WINDOW);
    assert_eq!(waits(&orphans).await, Duration::ZERO);
    assert!(orphans.case("uid-1").is_some());
}

#[tokio::test(start_paused = true)]
async fn the_deletion_policy_of_the_objects_last_version_decides_about_an_orphan() {
    let orphans = sent();
    orphans.lost("uid-1", DeletionPolicy::Retain);
    assert_eq!(orphans.case("uid-1").unwrap().orphan.policy, DeletionPolicy::Retain);
}

#[tokio::test(start_paused = true)]
async fn a_create_user_is_checked_for_an_orphan_if_it_was_not_answered_but_not_if_it_was_refused() {
    let (refused, unanswered) = (sent(), sent());
    refused.answered("uid-1", &Outcome::AlreadyExists);
    assert!(refused.case("uid-1").is_none());
    let no_answer = plan::Fault::Unavailable(plan::AwsError::new("NoAnswer", ""));
    unanswered.answered("uid-1", &Outcome::Failed(no_answer));
    assert!(unanswered.case("uid-1").is_some());
}

#[test]
fn a_create_user_costs_little_while_it_is_followed_and_nothing_afterwards() {
    let (orphans, object) = (Orphans::default(), object());
    let send =
        |number: usize| orphans.sent(Orphan { uid: format!("{number:036}"), ..orphan() }, &object, WINDOW);
    let followed = measure(|| (0..1000).for_each(send));
    let each = followed.bytes_current / 1000;
    assert!(each <= 1536, "{each} bytes");
    let ended = measure(|| {
        (0..1000).for_each(|number| orphans.answered(&format!("{number:036}"), &Outcome::AlreadyExists))
    });
    assert!(followed.bytes_current + ended.bytes_current < 1000, "{} bytes freed", ended.bytes_current);
}
