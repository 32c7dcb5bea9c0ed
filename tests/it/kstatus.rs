//! How kstatus reads objects. Flux, Helm 4 and kpt use this library to wait, and the tests run the library's own code. At its end
//! each fixture runs it on every version of every object that the fixture has seen ([`assert_as_promised`]).

mod conditions;
mod reports;

use std::io::{Seek, Write};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use cluster::Tool;
use elasticache_emulator::Rule;
use serde_json::{Value, json};

pub(crate) use self::conditions::fault;
use crate::fixture::{
    Fixture, PASSWORD, Setup, condition, iam, iam_user, is_observed, prevent_deletion, reconcile_request,
    with, with_password,
};
use crate::secrecy::redacted;

/// The library's word for each object, such as `Current`.
fn statuses(objects: &[Value]) -> Vec<String> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| Tool::Kstatus.path().expect("kstatus"));
    // A file instead of a pipe, so that no second thread has to write.
    let mut lines = tempfile::tempfile().unwrap();
    for object in objects {
        let mut object = object.clone();
        // Items of a list have no apiVersion and kind.
        object["apiVersion"] = json!("elasticache-users.dev/v1alpha1");
        object["kind"] = json!("ElastiCacheUser");
        writeln!(lines, "{object}").unwrap();
    }
    lines.rewind().unwrap();
    let Output { status, stdout, stderr } = Command::new(program).stdin(lines).output().unwrap();
    assert!(status.success(), "{}", redacted(&String::from_utf8_lossy(&stderr)));
    String::from_utf8(stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The kstatus word that the contract promises.
fn promised(object: &Value) -> &'static str {
    let is = |type_| condition(object, type_).is_some_and(|found| found["status"] == "True");
    match () {
        () if !object["metadata"]["deletionTimestamp"].is_null() => "Terminating",
        () if !is_observed(object) => "InProgress",
        () if is("Stalled") => "Failed",
        () if is("Ready") => "Current",
        () => "InProgress",
    }
}

/// Fails if the library reads a version in another way than the contract promises.
pub(crate) fn assert_as_promised(versions: &[Value]) {
    let judged = statuses(versions);
    assert_eq!(judged.len(), versions.len());
    for (version, judged) in versions.iter().zip(judged) {
        let (promised, status) = (promised(version), redacted(&version["status"].to_string()));
        assert_eq!(judged, promised, "{}: {status}", version["metadata"]["name"]);
    }
}

/// Checks how kstatus reads the object.
fn is(object: &Value, status: &str) {
    assert_eq!(
        statuses(std::slice::from_ref(object)),
        [status],
        "{}",
        redacted(&object["status"].to_string())
    );
}

#[tokio::test]
async fn kstatus_shows_an_object_in_progress_while_it_waits_and_failed_if_it_needs_a_person() {
    let fixture = Fixture::without_operator(Setup::leaving_users()).await;
    // No pass has seen the object yet, so it has the CRD's default status.
    is(&fixture.create("app", with_password("pw")).await, "InProgress");
    fixture.start();
    is(&fixture.reason_now("app", "SecretNotFound").await, "InProgress");
    fixture.secret("pw", PASSWORD).await;
    is(&fixture.wait_ready("app").await, "Current");
    // No pass has seen the edit yet.
    fixture.patch("app", json!({ "spec": { "accessString": "on ~x:* +@all" } })).await;
    let edited = fixture.versions("app").into_iter().find(|version| version["metadata"]["generation"] == 2);
    is(&edited.unwrap(), "InProgress");
    is(&fixture.wait_ready("app").await, "Current");

    fixture.create("refused", with(iam(), json!({ "accessString": "on ~* +@nonsense" }))).await;
    is(&fixture.reason_now("refused", "InvalidAccessString").await, "Failed");

    fixture.patch("app", json!({ "spec": { "suspend": true } })).await;
    is(&fixture.reason_now("app", "Suspended").await, "Current");
    fixture.patch("app", json!({ "spec": { "accessString": "on ~y:* +@all" } })).await;
    let seen = |object: &Value| object["status"]["observedGeneration"] == 4;
    is(&fixture.shows("app", "suspended before it was done", seen).await, "InProgress");

    fixture.create("seen", with(iam(), json!({ "managementPolicy": "Observe" }))).await;
    is(&fixture.reason_now("seen", "UserMissing").await, "InProgress");
    fixture.aws.put_user("seen", iam_user()).await;
    fixture.request_reconcile("seen").await;
    is(&fixture.reason_now("seen", "Observed").await, "Current");
    fixture.end().await;
}

#[tokio::test]
async fn kstatus_shows_a_blocked_deletion_as_terminating_and_a_short_outage_as_current() {
    let fixture = Fixture::with(Setup::env(&[
        ("ELASTICACHE_USERS_RESYNC", "1s"),
        ("ELASTICACHE_USERS_STALE_AFTER", "2s"),
    ]))
    .await;
    fixture.ready("app", iam()).await;
    fixture.aws.fault(Rule::any().unavailable().always()).await;
    fixture.patch("app", reconcile_request("in the outage")).await;
    let echoed = |object: &Value| object["status"]["lastHandledReconcileAt"] == "in the outage";
    is(&fixture.shows("app", "the request is echoed", echoed).await, "Current");
    let unknown =
        |object: &Value| condition(object, "Ready").is_some_and(|ready| ready["status"] == "Unknown");
    is(&fixture.shows("app", "Ready is Unknown", unknown).await, "InProgress");
    fixture.create("new", iam()).await;
    is(&fixture.reason_now("new", "AWSUnavailable").await, "InProgress");

    fixture.aws.clear_faults().await;
    fixture.wait_ready("app").await;
    fixture.patch("app", prevent_deletion(true)).await;
    fixture.delete("app").await;
    is(&fixture.reason_now("app", "DeletionProtected").await, "Terminating");
    fixture.patch("app", prevent_deletion(false)).await;
    fixture.gone("app").await;
    fixture.end().await;
}
