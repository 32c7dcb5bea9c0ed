//! The spec is edited, and the AWS user follows: in one ModifyUser, with only what differs, as soon as AWS allows it.

mod refused;

use std::time::{Duration, Instant};

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::stage::{PASSWORD, Setting, Stage, condition, iam, with_password};

/// A stage on which many objects are not held up by the limiter.
async fn roomy() -> Stage {
    Stage::set(roomy_setting()).await
}

fn roomy_setting() -> Setting {
    let env = vec![("AWS_RATE", "500".to_owned()), ("AWS_BURST", "500".to_owned())];
    Setting { env, ..Setting::default() }
}

/// Says which password it is, without saying the password.
fn named(password: &Value) -> String {
    let text = password.as_str().unwrap_or_default();
    if text.starts_with(PASSWORD) { text.replace(PASSWORD, "password") } else { "unknown".to_owned() }
}

/// What each ModifyUser about a user asked for, in order.
async fn modifications(stage: &Stage, id: &str) -> Vec<Value> {
    let calls = stage.aws.calls_of("ModifyUser", id).await;
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

/// Changes the object, and goes on at once.
async fn quickly(stage: &Stage, name: &str, patch: Value) {
    stage.users().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

/// The object is not Ready, and waits for nobody.
fn waits(object: &Value) -> bool {
    condition(object, "Reconciling").is_some() && condition(object, "Stalled").is_none()
}

fn without_password() -> Value {
    json!({
        "engine": "redis", "accessString": "on ~app:* -@all +@read",
        "authentication": { "type": "no-password-required" },
    })
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

/// What is there, what is edited, and what the one ModifyUser asks for.
fn changes() -> Vec<(Value, Value, Value)> {
    let iam =
        || json!({ "engine": "redis", "accessString": "on ~* +@all", "authentication": { "type": "iam" } });
    let valkey = || {
        let mut spec = with_password("pw");
        spec["engine"] = json!("valkey");
        spec
    };
    let mode = |type_: &str| json!({ "AuthenticationMode.Type": type_ });
    let password = || json!({ "AuthenticationMode.Type": "password", "Passwords": ["password"] });
    let mut all_at_once = authenticates("iam");
    all_at_once["spec"]["engine"] = json!("valkey");
    all_at_once["spec"]["accessString"] = json!("on ~other:* +get");
    let all_asked = json!({
        "AccessString": "on ~other:* +get", "Engine": "valkey", "AuthenticationMode.Type": "iam",
    });
    vec![
        (with_password("pw"), access("on ~b:* +get"), json!({ "AccessString": "on ~b:* +get" })),
        (with_password("pw"), json!({ "spec": { "engine": "valkey" } }), json!({ "Engine": "valkey" })),
        (valkey(), json!({ "spec": { "engine": "redis" } }), json!({ "Engine": "redis" })),
        (with_password("pw"), authenticates("iam"), mode("iam")),
        (iam(), authenticates("password"), password()),
        (with_password("pw"), authenticates("no-password-required"), mode("no-password-required")),
        (without_password(), authenticates("password"), password()),
        (iam(), authenticates("no-password-required"), mode("no-password-required")),
        (without_password(), authenticates("iam"), mode("iam")),
        (without_password(), all_at_once, all_asked),
    ]
}

#[tokio::test]
async fn one_call_sends_only_what_differs_whatever_aws_shows_meanwhile() {
    for answer in ["new", "old"] {
        let stage = roomy().await;
        stage.aws.settings(json!({ "modify-answer": answer })).await;
        stage.secret("pw", PASSWORD).await;
        let rows = changes();
        for (index, (before, _, _)) in rows.iter().enumerate() {
            stage.create(&format!("app-{index}"), before.clone()).await;
        }
        for (index, (_, patch, _)) in rows.iter().enumerate() {
            let name = format!("app-{index}");
            stage.is_ready(&name).await;
            stage.patch(&name, patch.clone()).await;
        }
        for (index, (_, _, wanted)) in rows.iter().enumerate() {
            let name = format!("app-{index}");
            let object = stage.is_ready(&name).await;
            stage.looked_at(&name).await;
            assert_eq!(modifications(&stage, &name).await, std::slice::from_ref(wanted), "{name}, {answer}");
            matches(&object, &stage.aws.user(&name).await.unwrap());
            let modifying = stage.versions(&name).iter().any(|version| {
                condition(version, "Ready").is_some_and(|ready| ready["reason"] == "Modifying")
            });
            assert!(modifying, "{name}, {answer}: the wait was not shown");
            stage.event(&name, "UserModified").await;
        }
        stage.end().await;
    }
}

/// Spec, status and AWS say the same of the engine, the access string and the authentication.
fn matches(object: &Value, user: &Value) {
    let (spec, status) = (&object["spec"], &object["status"]);
    let type_ = match spec["authentication"]["type"].as_str().unwrap() {
        "no-password-required" => "no-password",
        other => other,
    };
    assert_eq!((&user["Engine"], &status["engine"]), (&spec["engine"], &spec["engine"]));
    assert_eq!(user["AccessString"], status["accessString"]);
    assert_eq!(status["lastApplied"]["accessString"], spec["accessString"]);
    assert_eq!(status["lastApplied"]["expandedAccessString"], user["AccessString"]);
    assert_eq!(
        (&user["Authentication"]["Type"], &status["authentication"]["type"]),
        (&json!(type_), &json!(type_))
    );
    let versions = status["lastApplied"]["passwordVersions"].as_array().map_or(0, Vec::len);
    assert_eq!(versions, usize::from(type_ == "password"), "password versions of {type_}");
}

#[tokio::test]
async fn nothing_is_sent_where_nothing_differs() {
    let stage = roomy().await;
    stage.secret("pw", PASSWORD).await;
    stage.ready("app", with_password("pw")).await;
    for form in [
        "  on\t~app:*  -@all   +@read ",
        "-@all ~app:* +@read on",
        "on ~app:* +@read",
        "ON ~app:* %RW~app:* -@ALL +@Read",
        "on resetchannels ~app:* nocommands +@read",
        "off on ~app:* +@all -@all +@read",
    ] {
        stage.patch("app", access(form)).await;
        stage.is_ready("app").await;
    }
    stage.patch("app", json!({ "spec": { "deletionPolicy": "Delete", "tags": {} } })).await;
    stage.looked_at("app").await;
    stage.kill();
    stage.start();
    stage.looked_at("app").await;
    assert_eq!(stage.aws.calls_of("ModifyUser", "app").await.len(), 0);
    stage.end().await;
}

#[tokio::test]
async fn what_aws_makes_of_a_request_is_no_difference() {
    for answer in ["new", "old"] {
        let stage = roomy().await;
        stage.aws.settings(json!({ "modify-answer": answer, "modify-time": "60s" })).await;
        stage.ready("app", iam()).await;
        stage.patch("app", access("on ~* +@all -@dangerous")).await;
        stage.reason("app", "Modifying").await;
        // A form that no reader of access strings could know to be the same.
        let made = "on ~* +@all -flushall -keys";
        stage.aws.put_user("app", json!({ "AccessString": made, "Status": "active" })).await;
        let object = stage.is_ready("app").await;
        assert_eq!(object["status"]["lastApplied"]["accessString"], "on ~* +@all -@dangerous");
        assert_eq!(object["status"]["lastApplied"]["expandedAccessString"], made);
        stage.looked_at("app").await;
        stage.kill();
        stage.start();
        stage.looked_at("app").await;
        assert_eq!(stage.aws.calls_of("ModifyUser", "app").await.len(), 1, "{answer}");
        stage.end().await;
    }
}

#[tokio::test]
async fn a_user_that_somebody_else_keeps_busy_is_waited_for() {
    let stage = roomy().await;
    stage.ready("app", iam()).await;
    stage.aws.put_user("app", json!({ "Status": "modifying", "For": "2s" })).await;
    let asked = Instant::now();
    stage.patch("app", access("on ~x:* +@all")).await;
    let object = stage.reason("app", "WaitingForUserActive").await;
    assert!(waits(&object), "{object:#}");
    stage.is_ready("app").await;
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    let calls = stage.aws.calls_of("ModifyUser", "app").await;
    assert_eq!(calls.len(), 1);
    assert!(calls[0]["Code"].is_null(), "sent while the user was busy: {}", calls[0]["Code"]);
    stage.end().await;
}

#[tokio::test]
async fn invalid_user_state_is_waited_out_and_never_terminal() {
    let stage = roomy().await;
    let rows = [json!(1), json!(3), Value::Null];
    let mut faults = Vec::new();
    for (index, times) in rows.iter().enumerate() {
        let name = format!("app-{index}");
        stage.ready(&name, iam()).await;
        let rule = json!({
            "Action": "ModifyUser", "UserId": name, "Kind": "error", "Code": "InvalidUserState",
            "Message": "User is being modified.", "Times": times,
        });
        faults.push(stage.aws.fault(rule).await);
        stage.patch(&name, access("on ~x:* +@all")).await;
    }
    stage.reason("app-2", "WaitingForUserActive").await;
    stage.event("app-2", "WaitingForUserActive").await;
    stage.aws.struck(faults[2], 4).await;
    for (index, times) in [(0, 1), (1, 3)] {
        let name = format!("app-{index}");
        stage.is_ready(&name).await;
        assert_eq!(stage.aws.calls_of("ModifyUser", &name).await.len(), times + 1);
    }
    stage.aws.heal().await;
    stage.is_ready("app-2").await;
    for index in 0..rows.len() {
        let name = format!("app-{index}");
        assert_eq!(stage.aws.accepted("ModifyUser", &name).await, 1, "{name}");
        assert_eq!(stage.aws.user(&name).await.unwrap()["AccessString"], "on ~x:* +@all");
        let stalled = stage.versions(&name).iter().any(|version| condition(version, "Stalled").is_some());
        assert!(!stalled, "{name} was Stalled");
    }
    stage.end().await;
}

#[tokio::test]
async fn the_end_of_modifying_is_noticed_soon_at_the_real_pace() {
    let env = vec![("PACE_DIVISOR", "1".to_owned())];
    let stage = Stage::set(Setting { env, ..Setting::default() }).await;
    stage.ready("app", iam()).await;
    stage.aws.settings(json!({ "modify-time": "10s" })).await;
    let before = stage.aws.calls_of("DescribeUsers", "app").await.len();
    let asked = Instant::now();
    stage.patch("app", access("on ~x:* +@all")).await;
    stage.is_ready("app").await;
    let waited = asked.elapsed();
    let looks = stage.aws.calls_of("DescribeUsers", "app").await.len() - before;
    println!("modifying for 10 s: Ready after {waited:.1?}, {looks} DescribeUsers");
    // A quarter of the wait, and room for a busy machine.
    assert!(waited < Duration::from_secs(10) * 5 / 4 + Duration::from_secs(3), "{waited:?}");
    assert!(looks < 20, "{looks} looks");
    stage.end().await;
}

#[tokio::test]
async fn of_two_quick_edits_the_last_one_wins() {
    let stage = roomy().await;
    for name in ["together", "busy", "back"] {
        stage.ready(name, iam()).await;
    }
    quickly(&stage, "together", access("on ~one:* +@all")).await;
    stage.patch("together", access("on ~two:* +@all")).await;
    stage.patch("busy", access("on ~one:* +@all")).await;
    stage.reason("busy", "Modifying").await;
    stage.patch("busy", access("on ~two:* +@all")).await;
    quickly(&stage, "back", access("on ~one:* +@all")).await;
    stage.patch("back", access("on ~* +@all")).await;
    for (name, wanted) in
        [("together", "on ~two:* +@all"), ("busy", "on ~two:* +@all"), ("back", "on ~* +@all")]
    {
        stage.is_ready(name).await;
        stage.looked_at(name).await;
        // AWS's answer, and what it holds once it is done with it.
        let user = stage.aws.user(name).await.unwrap();
        assert_eq!((&user["AccessString"], &user["Status"]), (&json!(wanted), &json!("active")), "{name}");
        let sent = modifications(&stage, name).await;
        assert!(sent.len() <= 2, "{name}: {sent:#?}");
        assert!(sent.last().is_none_or(|last| last["AccessString"] == wanted), "{name}: {sent:#?}");
    }
    assert_eq!(modifications(&stage, "busy").await.len(), 2);
    stage.end().await;
}
