//! The log in the JSON format. Its keys are those of the reference, and everything that people on call need is one line each.

use std::collections::BTreeSet;

use elasticache_user_operator::config::DEFAULT_LOG;
use serde_json::{Value, json};

use super::{LEADS, objects_in_all_states, start};
use crate::fixture::{Fixture, PASSWORD, Setup, is_ready};
use crate::repository;

const OURS: &str = "elasticache_user_operator";
/// The log target of AWS calls.
const CALLS: &str = "elasticache_user_operator::aws::call_log";

/// The keys in each table of the reference.
fn documented() -> (BTreeSet<String>, BTreeSet<String>) {
    let page = repository::read("docs/src/reference/logs.md");
    let (always, _) = page.split_once("Only where something breaks").unwrap();
    let keys = |text: &str| -> BTreeSet<String> {
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
        rows.map(|(key, _)| key.to_owned()).collect()
    };
    (keys(always), keys(&page))
}

/// An event of an object, and the call that its line names.
struct Told {
    name: &'static str,
    event: &'static str,
    action: &'static str,
}

#[tokio::test]
async fn the_log_has_the_keys_of_the_reference_and_a_line_for_each_kind_of_entry() {
    let env = vec![
        ("ELASTICACHE_USERS_LOG_FORMAT", "json".to_owned()),
        ("ELASTICACHE_USERS_LOG", format!("{DEFAULT_LOG},{CALLS}=debug")),
    ];
    let fixture =
        Fixture::without_operator(Setup { env, leaves_users: true, rights: LEADS, ..Setup::default() }).await;
    start(&fixture);
    objects_in_all_states(&fixture).await;
    fixture.patch("ready", json!({ "spec": { "accessString": "on ~orders:* -@all +@read" } })).await;
    fixture.event("ready", "UserModified").await;
    fixture.wait_ready("ready").await;
    fixture.aws.put_user("leaving", json!({ "Status": "active" })).await;
    fixture.request_reconcile("leaving").await;
    fixture.gone("leaving").await;
    fixture.secret("nowhere", PASSWORD).await;
    fixture.request_reconcile("secretless").await;
    fixture.wait_ready("secretless").await;
    fixture.secret("nowhere", "another-long-passphrase").await;
    fixture.event("secretless", "PasswordRotated").await;
    fixture.shows("secretless", "Ready after the rotation", is_ready).await;
    // The log is complete only after the operator has ended.
    fixture.signal(cluster::Signal::TERM);
    assert_eq!(fixture.exit_code().await, Some(0));

    let logs = fixture.logs();
    let lines: Vec<Value> = logs.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ours: Vec<&Value> =
        lines.iter().filter(|line| line["target"].as_str().unwrap().starts_with(OURS)).collect();
    let (always, all) = documented();
    let used: BTreeSet<String> =
        ours.iter().flat_map(|line| line.as_object().unwrap().keys().cloned()).collect();
    let unknown: Vec<&String> = used.difference(&all).collect();
    assert!(unknown.is_empty(), "docs/src/reference/logs.md lacks {unknown:?}");
    let unused: Vec<&String> = always.difference(&used).collect();
    assert!(unused.is_empty(), "docs/src/reference/logs.md has {unused:?}, which no line has");
    tells_each_thing_once(&fixture, &ours).await;
    fixture.end().await;
}

async fn tells_each_thing_once(fixture: &Fixture, lines: &[&Value]) {
    let calls = fixture.aws.calls().await;
    let of = |name: &str, key: &str, value: &str| -> Vec<&Value> {
        let object = format!("{}/{name}", fixture.ns);
        lines.iter().copied().filter(|line| line["object"] == object && line[key] == value).collect()
    };
    let requests = |action: &str, id: &Value| {
        let calls = lines.iter().filter(|line| line["target"] == CALLS && line["operation"] == action);
        calls.filter(|line| line["request_id"] == *id && id.is_string()).count()
    };
    let told = |name, event, action| Told { name, event, action };
    for Told { name, event, action } in [
        told("ready", "UserCreated", "CreateUser"),
        told("ready", "UserModified", "ModifyUser"),
        told("drifted", "DriftCorrected", "ModifyUser"),
        told("secretless", "PasswordRotated", "ModifyUser"),
        told("leaving", "DeletionStarted", "DeleteUser"),
        told("leaving", "UserDeleted", "DescribeUsers"),
    ] {
        let [line] = of(name, "event", event)[..] else {
            panic!("{name}: one line tells {event}: {lines:#?}")
        };
        assert_eq!((&line["level"], &line["user_id"]), (&json!("INFO"), &json!(name)));
        assert_eq!(requests(action, &line["request_id"]), 1, "{line} names a {action}");
    }
    for (name, code) in [("denied", "AccessDenied"), ("throttled", "Throttling")] {
        let reason = if name == "denied" { "AccessDenied" } else { "Throttled" };
        let told = of(name, "reason", reason);
        let refused = calls.iter().filter(|call| call["Code"] == code && call["Params"]["UserId"] == name);
        assert_eq!(told.len(), refused.count(), "{name}: each refusal must be one line: {told:#?}");
        for line in told {
            assert_eq!((&line["level"], &line["code"]), (&json!("WARN"), &json!(code)));
            assert_eq!(requests("CreateUser", &line["request_id"]), 1, "{line}");
        }
    }
    let slowed = |line: &&&Value| line["message"].as_str().unwrap().starts_with("AWS throttles");
    assert!(lines.iter().any(|line| slowed(&line)), "the log must report throttling");
    assert_eq!(
        of("secretless", "reason", "SecretNotFound").len(),
        1,
        "the reason of a wait must be logged once"
    );
}
