//! A person edits the spec. The operator changes the AWS user with one ModifyUser, which has only what differs, as soon as AWS allows it.

mod refused;

use std::time::{Duration, Instant};

use elasticache_emulator::Rule;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::fixture::{Fixture, PASSWORD, Setup, condition, iam, with, with_password};

/// A fixture whose rate limit is high enough for many objects.
async fn with_high_rate() -> Fixture {
    Fixture::with(Setup::env(&[
        ("ELASTICACHE_USERS_AWS_RATE", "500"),
        ("ELASTICACHE_USERS_AWS_BURST", "500"),
    ]))
    .await
}

/// The label of a password, so that no output shows the password.
fn named(password: &Value) -> String {
    let text = password.as_str().unwrap_or_default();
    if text.starts_with(PASSWORD) { text.replace(PASSWORD, "password") } else { "unknown".to_owned() }
}

/// The parameters of each ModifyUser of a user, in order.
async fn modifications(fixture: &Fixture, id: &str) -> Vec<Value> {
    let calls = fixture.aws.calls_of("ModifyUser", id).await;
    calls.iter().map(|call| asked(&call["Params"])).collect()
}

fn asked(params: &Value) -> Value {
    let mut said = serde_json::Map::new();
    let mut passwords = Vec::new();
    for (name, value) in params.as_object().unwrap() {
        match name.as_str() {
            "Action" | "Version" | "UserId" => {}
            name if name.contains("Passwords") => passwords.push(named(value)),
            name => drop(said.insert(name.to_owned(), value.clone())),
        }
    }
    if !passwords.is_empty() {
        passwords.sort();
        said.insert("Passwords".to_owned(), json!(passwords));
    }
    Value::Object(said)
}

/// Patches the object without waiting for the watch.
async fn patch_without_waiting(fixture: &Fixture, name: &str, patch: Value) {
    fixture.users().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

/// The object is not Ready, and waits for no person.
fn waits(object: &Value) -> bool {
    condition(object, "Reconciling").is_some() && condition(object, "Stalled").is_none()
}

fn without_password() -> Value {
    with(with_password("pw"), json!({ "authentication": { "type": "no-password-required" } }))
}

fn access(text: &str) -> Value {
    json!({ "spec": { "accessString": text } })
}

/// A merge patch of the authentication.
fn authenticates(type_: &str) -> Value {
    let passwords = match type_ {
        "password" => json!([{ "secretKeyRef": { "name": "pw", "key": "password" } }]),
        _ => Value::Null,
    };
    json!({ "spec": { "authentication": { "type": type_, "passwords": passwords } } })
}

/// An edit of an object whose user exists.
struct Edit {
    before: Value,
    patch: Value,
    /// The parameters of the only ModifyUser.
    asks: Value,
}

fn edits() -> Vec<Edit> {
    let iam = || with(iam(), json!({ "engine": "redis" }));
    let valkey = || with(with_password("pw"), json!({ "engine": "valkey" }));
    let mode = |type_: &str| json!({ "AuthenticationMode.Type": type_ });
    let password = || json!({ "AuthenticationMode.Type": "password", "Passwords": ["password"] });
    let mut all_at_once = authenticates("iam");
    all_at_once["spec"]["engine"] = json!("valkey");
    all_at_once["spec"]["accessString"] = json!("on ~other:* +get");
    let all_asked = json!({
        "AccessString": "on ~other:* +get", "Engine": "valkey", "AuthenticationMode.Type": "iam",
    });
    let edit = |before, patch, asks| Edit { before, patch, asks };
    vec![
        edit(with_password("pw"), access("on ~b:* +get"), json!({ "AccessString": "on ~b:* +get" })),
        edit(with_password("pw"), json!({ "spec": { "engine": "valkey" } }), json!({ "Engine": "valkey" })),
        edit(valkey(), json!({ "spec": { "engine": "redis" } }), json!({ "Engine": "redis" })),
        edit(with_password("pw"), authenticates("iam"), mode("iam")),
        edit(iam(), authenticates("password"), password()),
        edit(with_password("pw"), authenticates("no-password-required"), mode("no-password-required")),
        edit(without_password(), authenticates("password"), password()),
        edit(iam(), authenticates("no-password-required"), mode("no-password-required")),
        edit(without_password(), authenticates("iam"), mode("iam")),
        edit(without_password(), all_at_once, all_asked),
    ]
}

#[tokio::test]
async fn an_edit_is_one_modify_user_of_what_differs_whatever_aws_shows_meanwhile() {
    for answer in ["new", "old"] {
        let fixture = with_high_rate().await;
        fixture.aws.settings(json!({ "modify-answer": answer })).await;
        fixture.secret("pw", PASSWORD).await;
        let rows = edits();
        for (index, Edit { before, .. }) in rows.iter().enumerate() {
            fixture.create(&format!("app-{index}"), before.clone()).await;
        }
        for (index, Edit { patch, .. }) in rows.iter().enumerate() {
            let name = format!("app-{index}");
            fixture.wait_ready(&name).await;
            fixture.patch(&name, patch.clone()).await;
        }
        for (index, Edit { asks: wanted, .. }) in rows.iter().enumerate() {
            let name = format!("app-{index}");
            let object = fixture.wait_ready(&name).await;
            fixture.reconcile_now(&name).await;
            let sent = modifications(&fixture, &name).await;
            assert_eq!(sent, std::slice::from_ref(wanted), "{name}, {answer}");
            assert_in_sync(&object, &fixture.aws.user(&name).await.unwrap());
            let versions = fixture.versions(&name);
            let mut shown = versions.iter().filter_map(|version| condition(version, "Ready"));
            assert!(
                shown.any(|ready| ready["reason"] == "Modifying"),
                "{name}, {answer}: the wait was not shown"
            );
            fixture.event(&name, "UserModified").await;
        }
        fixture.end().await;
    }
}

/// Checks that spec, status and AWS have the same engine, access string and authentication.
fn assert_in_sync(object: &Value, user: &Value) {
    let (spec, status) = (&object["spec"], &object["status"]);
    let type_ = match spec["authentication"]["type"].as_str().unwrap() {
        "no-password-required" => "no-password",
        other => other,
    };
    assert_eq!((&user["Engine"], &status["engine"]), (&spec["engine"], &spec["engine"]));
    assert_eq!(user["AccessString"], status["accessString"]);
    assert_eq!(status["lastApplied"]["accessString"], spec["accessString"]);
    assert_eq!(status["lastApplied"]["expandedAccessString"], user["AccessString"]);
    assert_eq!(user["Authentication"]["Type"], type_);
    assert_eq!(status["authentication"]["type"], type_);
    let versions = status["lastApplied"]["passwordVersions"].as_array().map_or(0, Vec::len);
    assert_eq!(versions, usize::from(type_ == "password"), "password versions of {type_}");
}

#[tokio::test]
async fn another_form_of_what_aws_has_costs_no_modify_user() {
    let fixture = with_high_rate().await;
    fixture.secret("pw", PASSWORD).await;
    fixture.ready("app", with_password("pw")).await;
    for form in [
        "  on\t~app:*  -@all   +@read ",
        "-@all ~app:* +@read on",
        "on ~app:* +@read",
        "ON ~app:* %RW~app:* -@ALL +@Read",
        "on ~app:* nocommands +@read",
        "off on ~app:* +@all -@all +@read",
    ] {
        fixture.patch("app", access(form)).await;
        fixture.wait_ready("app").await;
    }
    fixture.patch("app", json!({ "spec": { "deletionPolicy": "Delete", "tags": {} } })).await;
    fixture.reconcile_now("app").await;
    fixture.kill();
    fixture.start();
    fixture.reconcile_now("app").await;
    assert_eq!(fixture.aws.calls_of("ModifyUser", "app").await.len(), 0);
    fixture.end().await;
}

#[tokio::test]
async fn an_access_string_that_aws_expands_is_no_difference() {
    for answer in ["new", "old"] {
        let fixture = with_high_rate().await;
        fixture.aws.settings(json!({ "modify-answer": answer, "modify-time": "60s" })).await;
        fixture.ready("app", iam()).await;
        fixture.patch("app", access("on ~* +@all -@dangerous")).await;
        fixture.reason("app", "Modifying").await;
        // No comparison of access strings could find out that this form means the same.
        let made = "on ~* +@all -flushall -keys";
        fixture.aws.put_user("app", json!({ "AccessString": made, "Status": "active" })).await;
        let object = fixture.wait_ready("app").await;
        assert_eq!(object["status"]["lastApplied"]["accessString"], "on ~* +@all -@dangerous");
        assert_eq!(object["status"]["lastApplied"]["expandedAccessString"], made);
        fixture.reconcile_now("app").await;
        fixture.kill();
        fixture.start();
        fixture.reconcile_now("app").await;
        assert_eq!(fixture.aws.calls_of("ModifyUser", "app").await.len(), 1, "{answer}");
        fixture.end().await;
    }
}

#[tokio::test]
async fn an_edit_waits_for_a_user_that_somebody_else_is_modifying() {
    let fixture = with_high_rate().await;
    fixture.ready("app", iam()).await;
    fixture.aws.put_user("app", json!({ "Status": "modifying", "For": "2s" })).await;
    let asked = Instant::now();
    fixture.patch("app", access("on ~x:* +@all")).await;
    let object = fixture.reason("app", "WaitingForUserActive").await;
    assert!(waits(&object), "{object:#}");
    fixture.wait_ready("app").await;
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    let calls = fixture.aws.calls_of("ModifyUser", "app").await;
    assert_eq!(calls.len(), 1);
    assert!(calls[0]["Code"].is_null(), "sent while the user was busy: {}", calls[0]["Code"]);
    fixture.end().await;
}

#[tokio::test]
async fn invalid_user_state_is_retried_and_never_stalls_an_object() {
    let fixture = with_high_rate().await;
    let busy = Rule::on("ModifyUser").error("InvalidUserState", 400).message("User is being modified.");
    let names = ["app-0", "app-1", "app-2"];
    let rules = [busy.clone(), busy.clone().times(3), busy.always()];
    let mut faults = Vec::new();
    for (name, rule) in names.into_iter().zip(rules) {
        fixture.ready(name, iam()).await;
        faults.push(fixture.aws.fault(rule.user(name)).await);
        fixture.patch(name, access("on ~x:* +@all")).await;
    }
    fixture.reason("app-2", "WaitingForUserActive").await;
    fixture.event("app-2", "WaitingForUserActive").await;
    fixture.aws.struck(faults[2], 4).await;
    for (name, times) in [("app-0", 1), ("app-1", 3)] {
        fixture.wait_ready(name).await;
        assert_eq!(fixture.aws.calls_of("ModifyUser", name).await.len(), times + 1);
    }
    fixture.aws.clear_faults().await;
    fixture.wait_ready("app-2").await;
    for name in names {
        assert_eq!(fixture.aws.accepted("ModifyUser", name).await, 1, "{name}");
        assert_eq!(fixture.aws.user(name).await.unwrap()["AccessString"], "on ~x:* +@all");
        let stalled = fixture.versions(name).iter().any(|version| condition(version, "Stalled").is_some());
        assert!(!stalled, "{name} was Stalled");
    }
    fixture.end().await;
}

#[tokio::test]
async fn an_object_is_ready_soon_after_modifying_ends_at_the_real_pace() {
    let fixture = Fixture::with(Setup::env(&[("ELASTICACHE_USERS_PACE_DIVISOR", "1")])).await;
    fixture.ready("app", iam()).await;
    fixture.aws.settings(json!({ "modify-time": "10s" })).await;
    let before = fixture.aws.calls_of("DescribeUsers", "app").await.len();
    let asked = Instant::now();
    fixture.patch("app", access("on ~x:* +@all")).await;
    fixture.wait_ready("app").await;
    let waited = asked.elapsed();
    let looks = fixture.aws.calls_of("DescribeUsers", "app").await.len() - before;
    println!("modifying for 10 s: Ready after {waited:.1?}, {looks} DescribeUsers");
    // The operator may take a quarter of the wait longer. The seconds are for a busy machine.
    assert!(waited < Duration::from_secs(10) * 5 / 4 + Duration::from_secs(3), "{waited:?}");
    assert!(looks < 20, "{looks} looks");
    fixture.end().await;
}

#[tokio::test]
async fn of_two_quick_edits_the_last_one_wins() {
    let fixture = with_high_rate().await;
    for name in ["together", "busy", "back"] {
        fixture.ready(name, iam()).await;
    }
    patch_without_waiting(&fixture, "together", access("on ~one:* +@all")).await;
    fixture.patch("together", access("on ~two:* +@all")).await;
    fixture.patch("busy", access("on ~one:* +@all")).await;
    fixture.reason("busy", "Modifying").await;
    fixture.patch("busy", access("on ~two:* +@all")).await;
    patch_without_waiting(&fixture, "back", access("on ~one:* +@all")).await;
    fixture.patch("back", access("on ~* +@all")).await;
    let (two, back) = ("on ~two:* +@all", "on ~* +@all");
    for (name, wanted) in [("together", two), ("busy", two), ("back", back)] {
        fixture.wait_ready(name).await;
        fixture.reconcile_now(name).await;
        let user = fixture.aws.user(name).await.unwrap();
        assert_eq!((&user["AccessString"], &user["Status"]), (&json!(wanted), &json!("active")), "{name}");
        let sent = modifications(&fixture, name).await;
        assert!(sent.len() <= 2, "{name}: {sent:#?}");
        assert!(sent.last().is_none_or(|last| last["AccessString"] == wanted), "{name}: {sent:#?}");
    }
    assert_eq!(modifications(&fixture, "busy").await.len(), 2);
    fixture.end().await;
}
