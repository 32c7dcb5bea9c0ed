//! What people on call see: metrics, alerts, events and the log.

mod alerts;
pub(crate) mod events;
mod logs;
mod page;
mod promql;

use std::collections::BTreeSet;

use elasticache_emulator::Rule;
use serde_json::{Value, json};

use crate::fixture::{Fixture, PASSWORD, Setup, iam, until, with_password};
use crate::rights::Rights;
use crate::written;
use page::Page;

/// The metrics that the contract promises, with the names that queries use.
const PROMISED: [&str; 24] = [
    "aws_api_call_duration_seconds",
    "aws_api_call_permission_errors_total",
    "aws_api_call_retries",
    "aws_api_call_throttled_errors_total",
    "aws_api_calls_total",
    "controller_runtime_active_workers",
    "controller_runtime_max_concurrent_reconciles",
    "controller_runtime_reconcile_errors_total",
    "controller_runtime_reconcile_time_seconds",
    "controller_runtime_reconcile_total",
    "elasticache_user_build_info",
    "elasticache_user_drift_corrections_total",
    "elasticache_user_info",
    "leader_election_master_status",
    "operator_status_condition_count",
    "operator_termination_current_time_seconds",
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
    "workqueue_depth",
    "workqueue_queue_duration_seconds",
];

/// The page of /metrics of the newest operator.
fn scraped(fixture: &Fixture) -> Page {
    Page::of(fixture.metrics().last().expect("an operator that is up"))
}

/// Waits until the page has a sample with these labels.
async fn shows(fixture: &Fixture, name: &str, labels: &[(&str, &str)]) -> f64 {
    until(&format!("{name}{labels:?}"), || async { scraped(fixture).value(name, labels) }).await
}

/// These rights allow the Lease in the fixture's namespace. The rights of the chart allow it in the operator's namespace only.
const LEADS: Option<Rights> = Some(Rights::Administrator);

/// Starts an operator of this fixture with leader election.
fn start(fixture: &Fixture) {
    fixture.start_with(&[
        ("ELASTICACHE_USERS_LEADER_ELECT", "true".to_owned()),
        ("POD_NAMESPACE", fixture.ns.clone()),
        ("ELASTICACHE_USERS_RELEASE", "users".to_owned()),
    ]);
}

/// Objects in all kinds of states: `ready`, `drifted`, `denied`, `throttled`, `secretless`, `leaving`, and `gone`.
async fn objects_in_all_states(fixture: &Fixture) {
    fixture.ready("ready", iam()).await;
    fixture.ready("drifted", iam()).await;
    fixture.aws.put_user("drifted", json!({ "AccessString": "off -@all" })).await;
    fixture.request_reconcile("drifted").await;
    fixture.event("drifted", "DriftCorrected").await;
    fixture.ready("gone", iam()).await;
    fixture.deleted("gone").await;
    let denied = Rule::on("CreateUser").user("denied").error("AccessDenied", 403).always();
    fixture.aws.fault(denied).await;
    fixture.create("denied", iam()).await;
    fixture.reason("denied", "AccessDenied").await;
    fixture.create("secretless", with_password("nowhere")).await;
    fixture.reason("secretless", "SecretNotFound").await;
    fixture.secret("pw", PASSWORD).await;
    fixture.ready("leaving", with_password("pw")).await;
    fixture.aws.put_user("leaving", json!({ "Status": "modifying" })).await;
    fixture.delete("leaving").await;
    fixture.reason("leaving", "WaitingForUserActive").await;
    // The throttled object comes last, because throttling slows the operator down.
    let throttled = Rule::on("CreateUser").user("throttled").throttle().times(2);
    let throttled = fixture.aws.fault(throttled).await;
    fixture.create("throttled", iam()).await;
    fixture.aws.struck(throttled, 2).await;
    fixture.wait_ready("throttled").await;
}

#[tokio::test]
async fn the_reference_lists_exactly_the_metrics_that_are_served() {
    let fixture =
        Fixture::without_operator(Setup { leaves_users: true, rights: LEADS, ..Setup::default() }).await;
    start(&fixture);
    objects_in_all_states(&fixture).await;
    let ns = fixture.ns.as_str();
    counts_what_happened(&fixture).await;

    // A new operator shows the states of objects that it has not handled itself, as soon as it has its first list.
    fixture.signal(cluster::Signal::TERM);
    assert_eq!(fixture.exit_code().await, Some(0));
    start(&fixture);
    let info =
        [("namespace", ns), ("name", "ready"), ("user_id", "ready"), ("engine", "valkey"), ("auth", "iam")];
    assert_eq!(shows(&fixture, "elasticache_user_info", &info).await, 1.0);
    let found = scraped(&fixture);
    let names = |name: &str| -> BTreeSet<String> { found.values_of(name, "name").into_iter().collect() };
    let here = ["denied", "drifted", "leaving", "ready", "secretless", "throttled"].map(str::to_owned);
    for name in ["elasticache_user_info", "operator_status_condition_count"] {
        assert_eq!(names(name), BTreeSet::from(here.clone()), "{name}");
    }
    assert_eq!(names("operator_termination_current_time_seconds"), BTreeSet::from(["leaving".to_owned()]));

    // Only the pages of both operators together have all metrics.
    let all = Page::of(&fixture.metrics().concat());
    for name in PROMISED {
        assert!(all.has(name), "the contract promises {name}");
    }
    holds_closed_lists(&all);
    let mut reference = written::Page::of("docs/src/reference/metrics.md");
    reference.text("metrics", &all.table());
    reference.hold();
    fixture.end().await;
}

async fn counts_what_happened(fixture: &Fixture) {
    let (ns, controller) = (fixture.ns.as_str(), ("controller", "elasticacheuser"));
    let aws = |operation, code| [("service", "ElastiCache"), ("operation", operation), ("error_code", code)];
    // AWS has throttled calls. A pass that waits for the next permit counts as under way.
    let page = until("next to nothing waits or is under way", || async {
        let page = scraped(fixture);
        let few = |name: &str| page.value(name, &[]).is_some_and(|value| value <= 2.0);
        (few("workqueue_depth") && few("controller_runtime_active_workers")).then_some(page)
    })
    .await;
    let value = |name: &str, labels: &[(&str, &str)]| {
        page.value(name, labels).unwrap_or_else(|| panic!("{name}{labels:?} is not in the page"))
    };
    assert_eq!(value("aws_api_calls_total", &aws("CreateUser", "")), 5.0);
    assert_eq!(value("aws_api_call_throttled_errors_total", &aws("CreateUser", "Throttling")), 2.0);
    assert!(value("aws_api_call_permission_errors_total", &aws("CreateUser", "AccessDenied")) >= 1.0);
    // The denied CreateUser had no success yet, and the throttled one took two more calls.
    let create = [("service", "ElastiCache"), ("operation", "CreateUser")];
    assert_eq!(value("aws_api_call_retries_count", &create), 5.0);
    assert_eq!(value("aws_api_call_retries_sum", &create), 2.0);
    assert_eq!(value("elasticache_user_drift_corrections_total", &[]), 1.0);
    let drifted = [("namespace", ns), ("name", "drifted")];
    assert_eq!(value("elasticache_user_object_drift_corrections_total", &drifted), 1.0);
    let names = page.values_of("elasticache_user_object_drift_corrections_total", "name");
    assert_eq!(names, ["drifted"], "an object has a series only after its first correction");
    assert_eq!(value("elasticache_user_aws_rate_limit_configured", &[]), 10.0);
    assert!(value("elasticache_user_aws_rate_limit", &[]) > 0.0);
    assert_eq!(value("elasticache_user_build_info", &[("namespace", ns), ("release", "users")]), 1.0);
    assert_eq!(value("elasticache_user_events_dropped_total", &[]), 0.0);
    let told = |name, type_, status, reason| {
        [("namespace", ns), ("name", name), ("type", type_), ("status", status), ("reason", reason)]
    };
    for labels in [
        told("ready", "Ready", "True", "Active"),
        told("denied", "Reconciling", "True", "AccessDenied"),
        told("secretless", "Ready", "False", "SecretNotFound"),
        told("leaving", "Deleting", "True", "WaitingForUserActive"),
    ] {
        assert_eq!(value("operator_status_condition_count", &labels), 1.0);
        assert!((0.0..600.0).contains(&value("operator_status_condition_current_status_seconds", &labels)));
    }
    let leaving = [("namespace", ns), ("name", "leaving")];
    assert!((0.0..600.0).contains(&value("operator_termination_current_time_seconds", &leaving)));
    let passes = value("controller_runtime_reconcile_time_seconds_count", &[controller]);
    let waited = value("workqueue_queue_duration_seconds_count", &[("name", "elasticacheuser")]);
    assert!(
        passes >= 10.0 && (waited - passes).abs() <= 2.0,
        "{waited} of {passes} passes were seen to wait"
    );
    assert_eq!(value("controller_runtime_max_concurrent_reconciles", &[controller]), 10.0);
}

/// Checks that every value of a label comes from a closed list or identifies an object.
fn holds_closed_lists(page: &Page) {
    let words: Value = json!({
        "auth": ["iam", "password"],
        "controller": ["elasticacheuser"],
        "engine": ["redis", "valkey"],
        "error_code": ["", "AccessDenied", "NoAnswer", "Throttling", "UserNotFound"],
        "operation": ["GetCallerIdentity", "CreateUser", "DeleteUser", "DescribeUsers", "ListTagsForResource", "ModifyUser"],
        "policy": ["Delete", "Retain"],
        "result": ["error", "requeue", "requeue_after", "success"],
        "service": ["ElastiCache", "STS"],
        "status": ["True", "False", "Unknown"],
        "status_code": ["0", "200", "400", "403", "404"],
        "type": ["Ready", "Reconciling", "Stalled", "Deleting"],
    });
    for (label, values) in page.labels() {
        let Some(words) = words[label.as_str()].as_array() else { continue };
        for value in values {
            assert!(words.contains(&json!(value)), "{label}={value} is in no closed list");
        }
    }
}
