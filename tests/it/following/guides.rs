//! Pages about users that exist: rotation, keeping, suspending, observing, troubleshooting.

use elasticache_emulator::Rule;
use futures::future::{Either, select};
use serde_json::{Value, json};

use super::{Piece, Reader, all_but_tags, fixture_without_operator, pieces};
use crate::fixture::{Fixture, PASSWORD, iam, until, with_password};
use crate::policies::ended;
use crate::rotating::SECOND;

/// The commands that contain this word, in order.
fn commands<'a>(pieces: &'a [Piece], word: &str) -> Vec<&'a Piece> {
    let has = |piece: &&Piece| matches!(piece, Piece::Shell(text) if text.contains(word));
    let found: Vec<&Piece> = pieces.iter().filter(has).collect();
    assert!(!found.is_empty(), "no command with {word}");
    found
}

/// The passwords that AWS has. Tests compare them and never print them.
async fn passwords(fixture: &Fixture) -> Vec<String> {
    let user = fixture.aws.user("orders-api").await.unwrap();
    serde_json::from_value(user["Passwords"].clone()).unwrap()
}

/// A reader of the page, whose namespace has a Ready object with this spec.
async fn reading(page: &str, spec: Value) -> (Fixture, Reader, Vec<Piece>) {
    let fixture = fixture_without_operator().await;
    fixture.start();
    fixture.secret("orders-api", PASSWORD).await;
    fixture.ready("orders-api", spec).await;
    let reader = Reader::new(&[("shop", &fixture)]);
    (fixture, reader, pieces(page))
}

#[tokio::test]
async fn the_guide_rotates_a_password_with_both_valid_in_between() {
    let (fixture, reader, pieces) = reading("how-to/rotate-passwords", with_password("orders-api")).await;
    let [make, both, one, events, ..] = pieces.as_slice() else { panic!("{} pieces", pieces.len()) };
    reader.follow(make).await;
    reader.follow(both).await;
    let held = passwords(&fixture).await;
    assert!(held.len() == 2 && held.contains(&PASSWORD.to_owned()), "{} passwords", held.len());
    reader.follow(one).await;
    let left = passwords(&fixture).await;
    assert!(left.len() == 1 && held.contains(&left[0]) && left[0] != PASSWORD, "{} passwords", left.len());
    assert_eq!(fixture.aws.changes().await, ["CreateUser", "ModifyUser", "ModifyUser"]);
    until("kubectl shows the event of a rotation", async || {
        reader.follow(events).await.contains("PasswordRotated")
    })
    .await;
    ended(fixture).await;
}

/// The two blocks that wait for a rotation: for the pass, and for AWS.
fn waits(pieces: &[Piece]) -> (&Piece, &Piece) {
    (commands(pieces, "requested-at")[0], commands(pieces, "passwordVersions")[0])
}

#[tokio::test]
async fn the_guide_waits_after_a_rotation_in_place_until_aws_has_applied_the_password() {
    let (fixture, reader, pieces) = reading("how-to/rotate-passwords", with_password("orders-api")).await;
    fixture.aws.settings(json!({ "modify-time": "3s" })).await;
    fixture.secret("orders-api", SECOND).await;
    let (pass, applied) = waits(&pieces);
    reader.follow(pass).await;
    reader.follow(applied).await;
    assert!(passwords(&fixture).await == [SECOND], "AWS has another password");
    assert_eq!(fixture.aws.user("orders-api").await.unwrap()["Status"], "active");
    ended(fixture).await;
}

#[tokio::test]
async fn the_guide_goes_on_waiting_after_a_rotation_in_place_while_aws_is_down() {
    let (fixture, reader, pieces) = reading("how-to/rotate-passwords", with_password("orders-api")).await;
    let fault = fixture.aws.fault(Rule::any().unavailable().always()).await;
    fixture.secret("orders-api", SECOND).await;
    let (pass, applied) = waits(&pieces);
    reader.follow(pass).await;
    // The pass is done, AWS has the former password, and nobody would notice without the next commands.
    fixture.wait_ready("orders-api").await;
    assert!(passwords(&fixture).await == [PASSWORD], "AWS has another password");
    let mut waiting = Box::pin(reader.follow(applied));
    let first = select(&mut waiting, Box::pin(fixture.aws.struck(fault, 3))).await;
    let goes_on = matches!(first, Either::Right(_));
    drop(first);
    assert!(goes_on, "the wait ended before AWS had the password");
    fixture.aws.clear_faults().await;
    waiting.await;
    assert!(passwords(&fixture).await == [SECOND], "AWS has another password");
    ended(fixture).await;
}

/// Somebody deleted an object with a password. Follows the page to its end, and returns what its commands printed.
async fn undo(fixture: &Fixture, reader: &Reader, pieces: &[Piece]) -> String {
    let mut said = String::new();
    for piece in pieces {
        said += &reader.follow(piece).await;
    }
    let object = fixture.wait_ready("orders-api").await;
    assert!(object["spec"]["deletionPolicy"].is_null(), "{object:#}");
    assert!(passwords(fixture).await == [PASSWORD], "AWS has another password");
    said
}

#[tokio::test]
async fn the_guide_undoes_a_deletion_that_aws_has_not_got_yet() {
    let (fixture, reader, pieces) = reading("how-to/undo-a-deletion", with_password("orders-api")).await;
    fixture.aws.put_group("by-hand", json!({ "UserIds": ["default", "orders-api"] })).await;
    let object = fixture.reconcile_now("orders-api").await;
    assert_eq!(object["status"]["userGroupIDs"], json!(["by-hand"]));
    fixture.aws.put_user("orders-api", json!({ "Status": "modifying" })).await;
    fixture.delete("orders-api").await;
    fixture.reason("orders-api", "WaitingForUserActive").await;
    let active = async {
        fixture.gone("orders-api").await;
        fixture.aws.put_user("orders-api", json!({ "Status": "active" })).await;
    };
    let (said, ()) = tokio::join!(undo(&fixture, &reader, &pieces), active);
    assert!(said.contains(r#"["by-hand"]"#), "the groups are not shown: {said}");
    assert!(!fixture.aws.changes().await.contains(&"DeleteUser".to_owned()));
    let user = fixture.aws.user("orders-api").await.unwrap();
    assert_eq!(user["UserGroupIds"], json!(["by-hand"]), "the user is the same");
    ended(fixture).await;
}

#[tokio::test]
async fn the_guide_undoes_a_deletion_that_aws_has_accepted() {
    let (fixture, reader, pieces) = reading("how-to/undo-a-deletion", with_password("orders-api")).await;
    fixture.aws.settings(json!({ "delete-time": "1h" })).await;
    fixture.delete("orders-api").await;
    fixture.event("orders-api", "DeletionStarted").await;
    let aws_ends = async {
        let told = fixture.event("orders-api", "WaitingForPreviousUser").await;
        assert!(told.note.contains("AWS is still deleting an earlier user"), "{}", told.note);
        fixture.aws.remove_user("orders-api").await;
    };
    tokio::join!(undo(&fixture, &reader, &pieces), aws_ends);
    let accepted = fixture.aws.accepted_changes_of("orders-api").await;
    assert_eq!(accepted, ["CreateUser", "DeleteUser", "CreateUser"]);
    ended(fixture).await;
}

#[tokio::test]
async fn the_guide_keeps_a_user_whose_object_is_being_deleted() {
    let (fixture, reader, pieces) = reading("how-to/keep-the-user", iam()).await;
    // The deletion waits until the user is active.
    fixture.aws.put_user("orders-api", json!({ "Status": "modifying" })).await;
    let [out] = commands(&pieces, "--for=delete")[..] else { panic!("one way out") };
    reader.follow(out).await;
    fixture.gone("orders-api").await;
    assert!(fixture.aws.user("orders-api").await.is_some());
    assert_eq!(fixture.aws.changes().await, ["CreateUser"]);
    ended(fixture).await;
}

#[tokio::test]
async fn the_guide_keeps_the_user_of_an_object_that_was_deleted_by_mistake() {
    let (fixture, reader, pieces) = reading("how-to/keep-the-user", iam()).await;
    let [protect, free] = commands(&pieces, "prevent-deletion")[..] else { panic!("on and off") };
    reader.follow(protect).await;
    fixture.delete("orders-api").await;
    fixture.reason("orders-api", "DeletionProtected").await;
    let retain = commands(&pieces, "Retain")[0];
    reader.follow(retain).await;
    reader.follow(free).await;
    fixture.gone("orders-api").await;
    assert!(fixture.aws.user("orders-api").await.is_some());
    ended(fixture).await;
}

#[tokio::test]
async fn the_last_resort_in_the_documentation_removes_our_finalizer_and_no_other() {
    let (fixture, reader, pieces) = reading("how-to/keep-the-user", iam()).await;
    fixture.kill();
    let finalizers = |names: &[&str]| json!({ "metadata": { "finalizers": names } });
    fixture
        .patch("orders-api", finalizers(&["elasticache-users.dev/user-cleanup", "example.com/other"]))
        .await;
    fixture.delete("orders-api").await;
    let [resort] = commands(&pieces, "/metadata/finalizers/0")[..] else { panic!("one last resort") };
    reader.follow(resort).await;
    let one_is_left = |object: &Value| object["metadata"]["finalizers"] == json!(["example.com/other"]);
    fixture.shows("orders-api", "one finalizer", one_is_left).await;
    // The command must fail now, because the first finalizer belongs to somebody else.
    assert!(!reader.tries(resort).await.status.success());
    fixture.patch("orders-api", finalizers(&[])).await;
    fixture.gone("orders-api").await;
    assert!(
        fixture.aws.user("orders-api").await.is_some(),
        "the user must stay, because the reader cleans up"
    );
    ended(fixture).await;
}

#[tokio::test]
async fn the_guide_suspends_observes_and_then_manages_an_object_again() {
    let (fixture, reader, pieces) = reading("how-to/suspend-and-observe", iam()).await;
    let before = all_but_tags(&fixture, "orders-api").await;
    for piece in pieces {
        reader.follow(&piece).await;
    }
    assert!(all_but_tags(&fixture, "orders-api").await == before, "the user was changed");
    assert_eq!(fixture.aws.changes().await, ["CreateUser"]);
    let object = fixture.wait_ready("orders-api").await;
    assert!(object["metadata"]["finalizers"].as_array().is_some_and(|all| all.len() == 1), "{object:#}");
    ended(fixture).await;
}

#[tokio::test]
async fn the_commands_on_the_troubleshooting_page_work() {
    let (fixture, reader, pieces) = reading("troubleshooting", with_password("orders-api")).await;
    let former = fixture.wait_ready("orders-api").await;
    for piece in pieces {
        assert!(!reader.follow(&piece).await.contains(PASSWORD), "a password is shown");
    }
    let echo = fixture.shows("orders-api", "the request is acted on", |object| {
        let asked = &object["metadata"]["annotations"]["elasticache-users.dev/reconcile-requested-at"];
        asked.is_string() && object["status"]["lastHandledReconcileAt"] == *asked
    });
    assert_ne!(echo.await["metadata"]["resourceVersion"], former["metadata"]["resourceVersion"]);
    ended(fixture).await;
}
