//! Each event of a fixture is in the list, has the right type, and is complete. Each fixture checks this at its end.

use elasticache_emulator::Rule;
use elasticache_user_operator::plan::verdict::Reason;
use k8s_openapi::api::events::v1::Event;
use serde_json::json;

use crate::fixture::{Fixture, iam, reconcile_request, with};

const NORMAL: [&str; 10] = [
    "UserCreated",
    "UserModified",
    "PasswordRotated",
    "AddedToUserGroup",
    "RemovedFromUserGroup",
    "DriftCorrected",
    "Adopted",
    "DeletionStarted",
    "UserDeleted",
    "Retained",
];
/// Reasons that may pass soon: their event is Normal at first.
const SOON: [Reason; 3] =
    [Reason::WaitingForUserActive, Reason::WaitingForUserGroup, Reason::WaitingForPreviousUser];
/// Warnings that are no reason of a condition.
const OTHER_WARNINGS: [&str; 2] = ["ReconcileRequestIgnored", "RuleBroken"];
/// Reasons without a Warning event.
const SILENT: [Reason; 8] = [
    Reason::Active,
    Reason::Creating,
    Reason::Modifying,
    Reason::Observed,
    Reason::Differs,
    Reason::UserMissing,
    Reason::DeletingUser,
    Reason::Retained,
];

/// What is wrong with the event. `None` if it is correct.
pub(crate) fn fault(event: &Event) -> Option<&'static str> {
    let reason = event.reason.as_deref().unwrap_or_default();
    let warns = OTHER_WARNINGS.contains(&reason)
        || Reason::parse(reason).is_some_and(|reason| !SILENT.contains(&reason));
    let about = event.regarding.as_ref();
    let told = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    match event.type_.as_deref() {
        Some("Normal")
            if !NORMAL.contains(&reason)
                && !Reason::parse(reason).is_some_and(|reason| SOON.contains(&reason)) =>
        {
            Some("a Normal event that is not in the list")
        }
        Some("Warning") if !warns => Some("a Warning that is not in the list"),
        Some("Normal" | "Warning") if !told(&event.action) => Some("no action"),
        Some("Normal" | "Warning") if !told(&event.note) => Some("no note"),
        Some("Normal" | "Warning") if event.event_time.is_none() => Some("no time"),
        Some("Normal" | "Warning")
            if event.reporting_controller.as_deref() != Some("elasticache-user-operator") =>
        {
            Some("another reportingController")
        }
        Some("Normal" | "Warning") if about.is_none_or(|about| !told(&about.uid)) => {
            Some("no object that it is about")
        }
        Some("Normal" | "Warning") => None,
        Some(_) | None => Some("neither Normal nor Warning"),
    }
}

#[tokio::test]
async fn a_lasting_warning_is_published_once_and_the_next_reason_again() {
    let fixture = Fixture::new().await;
    let refuse = |code: &str, status: u16| Rule::on("CreateUser").error(code, status).always();
    let denied = fixture.aws.fault(refuse("AccessDenied", 403)).await;
    fixture.create("app", iam()).await;
    for times in 1..=4 {
        fixture.aws.struck(denied, times).await;
        fixture.patch("app", reconcile_request(&times.to_string())).await;
    }
    fixture.aws.clear_faults().await;
    let quota = fixture.aws.fault(refuse("UserQuotaExceeded", 400)).await;
    fixture.request_reconcile("app").await;
    fixture.aws.struck(quota, 1).await;
    fixture.event("app", "QuotaExceeded").await;
    fixture.aws.clear_faults().await;
    fixture.patch("app", reconcile_request("healed")).await;
    fixture.event("app", "UserCreated").await;
    let told: Vec<String> = fixture.events("app").await.into_iter().map(|event| event.reason).collect();
    assert_eq!(told, ["AccessDenied", "QuotaExceeded", "UserCreated"]);
    fixture.end().await;
}

#[tokio::test]
async fn an_object_with_the_longest_name_has_events_too() {
    let fixture = Fixture::new().await;
    // An event's name has room for the first 236 characters, of which the last is a hyphen.
    let name = format!("{}-{}", "a".repeat(235), "b".repeat(17));
    fixture.ready(&name, with(iam(), json!({ "userID": "app" }))).await;
    fixture.event(&name, "UserCreated").await;
    fixture.deleted(&name).await;
    fixture.event(&name, "UserDeleted").await;
    fixture.end().await;
}

#[test]
fn the_fixture_reports_an_event_that_is_not_in_the_list() {
    let event = |type_: &str, reason: &str| -> Event {
        serde_json::from_value(json!({
            "metadata": {}, "type": type_, "reason": reason, "action": "Wait", "note": "Why.",
            "eventTime": "2026-01-01T09:00:00.000000Z", "reportingController": "elasticache-user-operator",
            "regarding": { "uid": "1" },
        }))
        .unwrap()
    };
    assert_eq!(fault(&event("Normal", "UserCreated")), None);
    assert_eq!(fault(&event("Warning", "AccessDenied")), None);
    assert_eq!(fault(&event("Normal", "WaitingForUserActive")), None);
    for (type_, reason) in [
        ("Normal", "AccessDenied"),
        ("Warning", "DeletingUser"),
        ("Warning", "Retained"),
        ("Error", "Throttled"),
    ] {
        assert!(fault(&event(type_, reason)).is_some(), "{type_} {reason}");
    }
    let mut silent = event("Normal", "UserDeleted");
    silent.note = None;
    assert_eq!(fault(&silent), Some("no note"));
}
