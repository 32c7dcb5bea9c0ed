//! Pages about users that are there: rotation, keeping, suspending, observing, troubleshooting.

use serde_json::Value;

use super::{Piece, Reader, all_but_tags, dark, mutations, pieces};
use crate::policies::ended;
use crate::stage::{PASSWORD, Stage, iam, until, with_password};

/// Commands that have this word, of those in order.
fn commands<'a>(pieces: &'a [Piece], word: &str) -> Vec<&'a Piece> {
    let has = |piece: &&Piece| matches!(piece, Piece::Shell(text) if text.contains(word));
    let found: Vec<&Piece> = pieces.iter().filter(has).collect();
    assert!(!found.is_empty(), "no command with {word}");
    found
}

/// The passwords that AWS has. Compared, never shown.
async fn passwords(stage: &Stage) -> Vec<String> {
    let user = stage.aws.user("orders-api").await.unwrap();
    serde_json::from_value(user["Passwords"].clone()).unwrap()
}

async fn count(stage: &Stage, action: &str) -> usize {
    mutations(stage).await.iter().filter(|call| call["Action"] == action).count()
}

#[tokio::test]
async fn a_password_is_rotated_with_both_valid_in_between() {
    let stage = dark().await;
    stage.start();
    stage.secret("orders-api", PASSWORD).await;
    stage.ready("orders-api", with_password("orders-api")).await;
    let reader = Reader::new(&[("shop", &stage)]);
    let pieces = pieces("how-to/rotate-passwords");
    let [make, both, one, events] = pieces.as_slice() else { panic!("{} pieces", pieces.len()) };
    reader.follow(make).await;
    reader.follow(both).await;
    let held = passwords(&stage).await;
    assert!(held.len() == 2 && held.contains(&PASSWORD.to_owned()), "{} passwords", held.len());
    reader.follow(one).await;
    let left = passwords(&stage).await;
    assert!(left.len() == 1 && held.contains(&left[0]) && left[0] != PASSWORD, "{} passwords", left.len());
    assert_eq!(count(&stage, "ModifyUser").await, 2);
    until("kubectl shows the event of a rotation", || async {
        reader.follow(events).await.contains("PasswordRotated").then_some(())
    })
    .await;
    ended(stage).await;
}

#[tokio::test]
async fn a_user_is_kept_while_its_object_is_being_deleted() {
    let stage = dark().await;
    stage.start();
    stage.ready("orders-api", iam()).await;
    // What the deletion waits for.
    stage.aws.put_user("orders-api", serde_json::json!({ "Status": "modifying" })).await;
    let reader = Reader::new(&[("shop", &stage)]);
    let pieces = pieces("how-to/keep-the-user");
    let [out] = commands(&pieces, "--for=delete")[..] else { panic!("one way out") };
    reader.follow(out).await;
    stage.gone("orders-api").await;
    assert!(stage.aws.user("orders-api").await.is_some());
    assert_eq!(count(&stage, "DeleteUser").await, 0);
    ended(stage).await;
}

#[tokio::test]
async fn a_slip_is_held_until_the_annotation_goes_and_the_user_is_kept() {
    let stage = dark().await;
    stage.start();
    stage.ready("orders-api", iam()).await;
    let reader = Reader::new(&[("shop", &stage)]);
    let pieces = pieces("how-to/keep-the-user");
    let [protect, free] = commands(&pieces, "prevent-deletion")[..] else { panic!("on and off") };
    reader.follow(protect).await;
    stage.delete("orders-api").await;
    stage.reason("orders-api", "DeletionProtected").await;
    let retain = commands(&pieces, "Retain")[0];
    reader.follow(retain).await;
    reader.follow(free).await;
    stage.gone("orders-api").await;
    assert!(stage.aws.user("orders-api").await.is_some());
    ended(stage).await;
}

#[tokio::test]
async fn the_last_resort_takes_our_finalizer_off_and_no_other() {
    let stage = dark().await;
    stage.start();
    stage.ready("orders-api", iam()).await;
    stage.kill();
    let other = serde_json::json!({ "metadata": { "finalizers": ["elasticache-users.dev/user-cleanup", "example.com/other"] } });
    stage.patch("orders-api", other).await;
    stage.delete("orders-api").await;
    let reader = Reader::new(&[("shop", &stage)]);
    let pieces = pieces("how-to/keep-the-user");
    let [resort] = commands(&pieces, "/metadata/finalizers/0")[..] else { panic!("one last resort") };
    reader.follow(resort).await;
    let left = stage.shows("orders-api", "one finalizer", |object| {
        object["metadata"]["finalizers"] == serde_json::json!(["example.com/other"])
    });
    left.await;
    // There it fails: the first finalizer is somebody else's now.
    assert!(!reader.tries(resort).await.status.success());
    stage.patch("orders-api", serde_json::json!({ "metadata": { "finalizers": [] } })).await;
    stage.gone("orders-api").await;
    assert!(stage.aws.user("orders-api").await.is_some(), "cleaning up is the reader's");
    ended(stage).await;
}

#[tokio::test]
async fn an_object_is_suspended_then_observed_and_then_managed_again() {
    let stage = dark().await;
    stage.start();
    stage.ready("orders-api", iam()).await;
    let before = all_but_tags(&stage, "orders-api").await;
    let changes = mutations(&stage).await.len();
    let reader = Reader::new(&[("shop", &stage)]);
    for piece in pieces("how-to/suspend-and-observe") {
        reader.follow(&piece).await;
    }
    assert!(all_but_tags(&stage, "orders-api").await == before, "the user was changed");
    assert_eq!(mutations(&stage).await.len(), changes, "{:#?}", mutations(&stage).await);
    let object: Value = stage.is_ready("orders-api").await;
    assert!(object["metadata"]["finalizers"].as_array().is_some_and(|all| all.len() == 1), "{object:#}");
    ended(stage).await;
}

#[tokio::test]
async fn the_commands_of_troubleshooting_work() {
    let stage = dark().await;
    stage.start();
    stage.secret("orders-api", PASSWORD).await;
    let former = stage.ready("orders-api", with_password("orders-api")).await;
    let reader = Reader::new(&[("shop", &stage)]);
    for piece in pieces("troubleshooting") {
        assert!(!reader.follow(&piece).await.contains(PASSWORD), "a password is shown");
    }
    let echo = stage.shows("orders-api", "the request is acted on", |object| {
        let asked = &object["metadata"]["annotations"]["elasticache-users.dev/reconcile-requested-at"];
        asked.is_string() && object["status"]["lastHandledReconcileAt"] == *asked
    });
    assert_ne!(echo.await["metadata"]["resourceVersion"], former["metadata"]["resourceVersion"]);
    ended(stage).await;
}
