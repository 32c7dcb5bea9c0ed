//! The runbooks, as the person on call uses them. A test makes the fault, runs the commands of the page, and finds the cause in what they
//! print.

mod kubernetes;
mod on_call;

use elasticache_emulator::Rule;
use serde_json::json;

use crate::fixture::{Fixture, PASSWORD, Setup, iam, prevent_deletion, with_password};
use crate::repository;
use on_call::OnCall;

/// The reasons in a cell of the page of reasons with one of these states.
fn reasons_with(states: &[&str]) -> Vec<String> {
    let page = repository::read("docs/src/reference/reasons.md");
    let rows = page.lines().filter(|line| line.starts_with("| [`"));
    let rows = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    let matching = rows.filter(|cells| cells[2].split(", ").any(|state| states.contains(&state)));
    matching.map(|cells| cells[0].split('`').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn each_runbook_has_a_row_for_every_reason_for_which_its_alert_fires() {
    let secrets = ["SecretNotFound", "SecretKeyNotFound", "SecretForbidden"];
    let by_intent = ["Differs", "UserMissing", "Suspended"];
    let mut not_ready = reasons_with(&["waiting", "unknown"]);
    not_ready.retain(|reason| !secrets.contains(&reason.as_str()) && !by_intent.contains(&reason.as_str()));
    let mut deleting = reasons_with(&["Deleting"]);
    // With this reason the object is gone.
    deleting.retain(|reason| reason != "Retained");
    let pages = [
        ("ElastiCacheUserNotReady", not_ready),
        ("ElastiCacheUserStalled", reasons_with(&["Stalled"])),
        ("ElastiCacheUserDeletionStuck", deleting),
        ("ElastiCacheUserSecretMissing", secrets.map(str::to_owned).to_vec()),
    ];
    for (alert, reasons) in pages {
        assert!(
            reasons.len() > 2,
            "{alert}: only {reasons:?}: does this test still know the page of reasons?"
        );
        let page = repository::read(&format!("docs/src/runbooks/{alert}.md"));
        let cells =
            page.lines().filter(|line| line.starts_with("| `")).filter_map(|row| row.split(" | ").next());
        let named: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
        let missing: Vec<_> = reasons.iter().filter(|reason| !named.contains(&reason.as_str())).collect();
        assert!(missing.is_empty(), "{alert} has no row for {missing:?}");
        let other: Vec<_> =
            named.iter().filter(|name| !reasons.iter().any(|reason| reason == *name)).collect();
        assert!(other.is_empty(), "{alert} does not fire for {other:?}");
    }
}

#[tokio::test]
async fn the_runbook_of_denied_calls_shows_the_missing_action_and_makes_the_operator_try_at_once() {
    let fixture = Fixture::new().await;
    let denied = Rule::on("CreateUser").error("AccessDenied", 403);
    let denied = denied.message("not authorized to perform: elasticache:CreateUser").always();
    fixture.aws.fault(denied).await;
    fixture.create("app", iam()).await;
    fixture.reason("app", "AccessDenied").await;
    let on_call = OnCall::reads("ElastiCacheUserAWSAccessDenied", &fixture);
    on_call.sees_words("get ecu -A", &["app", "perform: elasticache:CreateUser"]).await;
    on_call.finds("logs", &["AccessDenied"]).await;
    on_call.sees_words("logs", &["perform: elasticache:CreateUser"]).await;
    fixture.aws.clear_faults().await;
    on_call.sees("annotate").await;
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_denied_calls_shows_that_there_are_no_credentials() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let mut command = fixture.command();
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token")
        .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/operator");
    fixture.run(command);
    fixture.create("app", iam()).await;
    fixture.reason("app", "CredentialsUnavailable").await;
    let on_call = OnCall::reads("ElastiCacheUserAWSAccessDenied", &fixture);
    on_call.sees_words("get ecu -A", &["app", "NoCredentials"]).await;
    on_call.finds("logs", &["NoCredentials"]).await;
    on_call.sees_words("logs", &["AWS_WEB_IDENTITY_TOKEN_FILE"]).await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_throttling_shows_how_far_the_operator_has_slowed_down() {
    let fixture = Fixture::new().await;
    fixture.aws.fault(Rule::any().throttle().times(3)).await;
    fixture.create("app", iam()).await;
    let on_call = OnCall::reads("ElastiCacheUserAWSThrottled", &fixture);
    on_call.sees_words("logs", &["slowed down to", "calls a second", "wait"]).await;
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_drift_shows_what_was_changed_and_how_to_leave_it_to_others() {
    let fixture = Fixture::with(Setup::leaving_users()).await;
    fixture.ready("app", iam()).await;
    fixture.aws.put_user("app", json!({ "AccessString": "on ~theirs -@all" })).await;
    fixture.request_reconcile("app").await;
    let on_call = OnCall::reads("ElastiCacheUserDriftsAgain", &fixture);
    on_call.sees_words("describe ecu", &["DriftCorrected", "~theirs"]).await;
    on_call.sees_words("-o yaml", &["accessString: on"]).await;
    fixture.wait_ready("app").await;
    fixture.aws.put_user("app", json!({ "AccessString": "on ~theirs -@all" })).await;
    on_call.sees("\"Observe\"").await;
    fixture.reason("app", "Differs").await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_stuck_deletions_frees_what_a_person_holds() {
    let fixture = Fixture::with(Setup::leaving_users()).await;
    let suspend = json!({ "spec": { "suspend": true } });
    let rows = [
        ("held", prevent_deletion(true), "DeletionProtected", "The annotation", "prevent-deletion-"),
        ("paused", suspend.clone(), "Suspended", "spec.suspend is true", "\"suspend\":false"),
        ("kept", suspend, "Suspended", "set deletionPolicy to Retain", "\"Retain\""),
    ];
    for (name, hold, reason, message, way_out) in rows {
        let on_call = OnCall::reads("ElastiCacheUserDeletionStuck", &fixture).about(name);
        fixture.ready(name, iam()).await;
        fixture.patch(name, hold).await;
        fixture.delete(name).await;
        fixture.reason(name, reason).await;
        on_call.sees_words("get ecu NAME -o jsonpath", &[message]).await;
        on_call.finds("describe ecu", &[reason]).await;
        on_call.sees(way_out).await;
        fixture.gone(name).await;
        assert_eq!(fixture.aws.user(name).await.is_some(), name == "kept");
    }
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_stuck_deletions_removes_the_finalizer_if_the_operator_is_gone() {
    let fixture = Fixture::with(Setup::leaving_users()).await;
    fixture.ready("app", iam()).await;
    fixture.kill();
    fixture.delete("app").await;
    let on_call = OnCall::reads("ElastiCacheUserDeletionStuck", &fixture);
    on_call.sees("\"op\": \"test\"").await;
    fixture.gone("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_users_that_are_not_ready_shows_awss_code_and_makes_the_operator_try_at_once() {
    let fixture = Fixture::new().await;
    let faults = [
        (
            Rule::on("CreateUser").error("ServiceLinkedRoleNotFoundFault", 400),
            "ServiceLinkedRoleMissing",
            "ServiceLinkedRoleNotFoundFault",
        ),
        (Rule::on("CreateUser").error("UserQuotaExceeded", 400), "QuotaExceeded", "UserQuotaExceeded"),
        (Rule::on("CreateUser").unavailable(), "AWSUnavailable", "ServiceUnavailable"),
    ];
    for (index, (fault, reason, code)) in faults.into_iter().enumerate() {
        let name = format!("app-{index}");
        let on_call = OnCall::reads("ElastiCacheUserNotReady", &fixture).about(&name);
        fixture.aws.fault(fault.always()).await;
        fixture.create(&name, iam()).await;
        fixture.reason(&name, reason).await;
        on_call.sees_words("get ecu NAME -o jsonpath", &[code]).await;
        on_call.finds("describe ecu", &[reason]).await;
        fixture.aws.clear_faults().await;
        on_call.sees("annotate").await;
        fixture.wait_ready(&name).await;
        fixture.deleted(&name).await;
    }
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_stalled_users_shows_what_to_change() {
    let fixture = Fixture::new().await;
    let on_call = OnCall::reads("ElastiCacheUserStalled", &fixture);
    fixture.secret("pw", "tiny-x9").await;
    fixture.create("app", with_password("pw")).await;
    fixture.reason("app", "InvalidPassword").await;
    on_call.finds("describe ecu", &["InvalidPassword"]).await;
    let says = "Key \"password\" of Secret \"pw\" is shorter than 16 characters";
    on_call.sees_words("describe ecu", &[says]).await;
    fixture.secret("pw", PASSWORD).await;
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_runbook_of_missing_secrets_shows_the_secret_and_its_keys() {
    let fixture = Fixture::new().await;
    let on_call = OnCall::reads("ElastiCacheUserSecretMissing", &fixture);
    fixture.create("app", with_password("pw")).await;
    fixture.reason("app", "SecretNotFound").await;
    on_call.finds("describe ecu", &["SecretNotFound"]).await;
    on_call.sees_words("describe ecu", &["Secret \"pw\" does not exist"]).await;
    fixture.secret_with("pw", json!({ "passwort": PASSWORD })).await;
    fixture.reason("app", "SecretKeyNotFound").await;
    on_call.finds("describe ecu", &["SecretKeyNotFound"]).await;
    on_call.sees_words("describe ecu", &["Secret \"pw\" has no key \"password\""]).await;
    let keys = on_call.sees("describe secret").await;
    assert!(keys.contains("passwort:") && !keys.contains(PASSWORD), "the keys of the Secret are not shown");
    assert_eq!(on_call.sees("can-i").await.trim(), "yes");
    fixture.secret("pw", PASSWORD).await;
    on_call.sees("annotate").await;
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    fixture.end().await;
}
