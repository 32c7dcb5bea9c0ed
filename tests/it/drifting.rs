//! What changes in AWS behind the operator's back is put right and told; what does not change costs next to nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::policies::ended;
use crate::stage::{PASSWORD, Setting, Stage, asks, condition, iam, is_ready, until, with_password};

/// An operator with these variables.
pub(crate) fn env(variables: &[(&'static str, &str)]) -> Setting {
    let env = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Setting { env, ..Setting::default() }
}

/// Everything of the user but the number of its changes.
async fn truth(stage: &Stage, id: &str) -> Option<Value> {
    let mut user = stage.aws.user(id).await?;
    user.as_object_mut()?.remove("Version");
    Some(user)
}

/// Whether they are the same, without a word of what they are: passwords are in them.
fn same(one: &Option<Value>, other: &Option<Value>) -> bool {
    one == other
}

pub(crate) fn tagged() -> Value {
    let mut spec = iam();
    spec["tags"] = json!({ "team": "search", "stage": "live" });
    spec
}

/// Name, spec, what somebody does to the AWS user (nothing: it is deleted), and what the event says of it.
fn rows() -> Vec<(&'static str, Value, Value, &'static [&'static str])> {
    let password = with_password("pw");
    vec![
        (
            "rules",
            password.clone(),
            json!({ "AccessString": "on ~* +@all" }),
            &["access string was \"on ~* +@all\""],
        ),
        ("engine", iam(), json!({ "Engine": "redis" }), &["engine was redis instead of valkey"]),
        (
            "type",
            iam(),
            json!({ "Authentication": { "Type": "no-password" } }),
            &["authentication type was no-password instead of iam"],
        ),
        (
            "count",
            password,
            json!({ "Passwords": ["somebody-elses-passphrase", PASSWORD] }),
            &["number of passwords was 2 instead of 1"],
        ),
        (
            "tags",
            tagged(),
            json!({ "Tags": { "stage": "test" } }),
            &["\"team\" was missing", "\"stage\" was \"test\""],
        ),
        ("gone", iam(), Value::Null, &["the AWS user was gone"]),
        (
            "several",
            iam(),
            json!({ "Engine": "redis", "AccessString": "off -@all" }),
            &["engine was redis", "access string was \"off -@all\""],
        ),
    ]
}

/// Somebody changes each of the users, and each is as it was before once the operator has looked.
async fn put_right(stage: &Stage, ask: bool) {
    stage.secret("pw", PASSWORD).await;
    for (name, spec, ..) in rows() {
        stage.create(name, spec).await;
    }
    let mut before = Vec::new();
    for (name, ..) in rows() {
        stage.is_ready(name).await;
        before.push(truth(stage, name).await);
    }
    for ((name, _, change, _), was) in rows().into_iter().zip(&before) {
        let mut change = change;
        if let Some(tags) = change.get_mut("Tags") {
            // Somebody's own tag is no difference, and its owner tags stay.
            let was = was.as_ref().unwrap()["Tags"].as_object().unwrap();
            let owner = was.iter().filter(|(key, _)| key.starts_with("elasticache-users.dev/"));
            tags.as_object_mut().unwrap().extend(owner.map(|(key, value)| (key.clone(), value.clone())));
        }
        if change.is_null() {
            stage.aws.remove_user(name).await;
        } else {
            stage.aws.put_user(name, change).await;
        }
        assert!(!same(&truth(stage, name).await, was), "{name}: nothing was changed");
        if ask {
            stage.patch(name, asks("now")).await;
        }
    }
    for ((name, _, _, says), was) in rows().into_iter().zip(&before) {
        let (kind, _, note) = stage.event(name, "DriftCorrected").await;
        assert_eq!(kind, "Normal");
        for words in says {
            assert!(note.contains(words), "{name}: {note}");
        }
        until(&format!("{name} is as it was"), || async {
            same(&truth(stage, name).await, was).then_some(())
        })
        .await;
        let object = stage.is_ready(name).await;
        if ask {
            assert_eq!(object["status"]["lastHandledReconcileAt"], "now");
        }
        let events = stage.events(name).await;
        let count = |wanted: &str| events.iter().filter(|(_, reason, _)| reason == wanted).count();
        assert_eq!(count("UserCreated"), if name == "gone" { 2 } else { 1 }, "{events:#?}");
        assert_eq!(count("UserModified"), 0, "{events:#?}");
        let modified = stage.aws.calls_of("ModifyUser", name).await.len();
        assert_eq!(modified, if ["tags", "gone"].contains(&name) { 0 } else { 1 }, "{name}");
    }
    let page = stage.metrics();
    let counted =
        page.lines().find_map(|line| line.strip_prefix("elasticache_user_drift_corrections_total "));
    assert_eq!(counted, Some(rows().len().to_string().as_str()), "{page}");
}

#[tokio::test]
async fn a_drift_check_puts_right_what_somebody_changed() {
    let stage = Stage::set(env(&[("RESYNC", "2s"), ("TAG_RESYNC_EVERY", "1")])).await;
    put_right(&stage, false).await;
    ended(stage).await;
}

#[tokio::test]
async fn a_request_puts_right_what_somebody_changed() {
    // The next drift check would be ten minutes from now.
    let stage = Stage::new().await;
    put_right(&stage, true).await;
    ended(stage).await;
}

#[tokio::test]
async fn another_form_of_the_same_is_no_difference() {
    let stage = Stage::new().await;
    stage.secret("pw", PASSWORD).await;
    stage.ready("app", with_password("pw")).await;
    let somebodys = json!({ "AccessString": "on  -@all  ~app:*   +@read", "Engine": "REDIS" });
    stage.aws.put_user("app", somebodys.clone()).await;
    let before = truth(&stage, "app").await;
    for time in ["first", "second"] {
        stage.patch("app", asks(time)).await;
        stage
            .shows("app", "echo", |object| {
                object["status"]["lastHandledReconcileAt"] == time && is_ready(object)
            })
            .await;
    }
    assert!(same(&truth(&stage, "app").await, &before), "the user was changed");
    assert_eq!(stage.aws.calls_of("ModifyUser", "app").await.len(), 0);
    assert!(stage.events("app").await.iter().all(|(_, reason, _)| reason == "UserCreated"));
    ended(stage).await;
}

#[tokio::test]
async fn tags_that_were_never_in_the_spec_are_left_alone() {
    let stage = Stage::new().await;
    stage.ready("app", tagged()).await;
    let mut tags = stage.aws.user("app").await.unwrap()["Tags"].clone();
    tags["made-by"] = json!("somebody");
    stage.aws.put_user("app", json!({ "Tags": tags })).await;
    stage.patch("app", asks("now")).await;
    stage.shows("app", "echo", |object| object["status"]["lastHandledReconcileAt"] == "now").await;
    assert_eq!(stage.aws.user("app").await.unwrap()["Tags"], tags);
    assert!(!stage.aws.calls_of("ListTagsForResource", "app").await.is_empty(), "nobody looked");
    ended(stage).await;
}

/// How long the operator of the tests below leaves a Ready object alone.
const STALE_AFTER: Duration = Duration::from_secs(4);

#[tokio::test]
async fn an_outage_leaves_a_ready_object_alone_until_it_is_stale() {
    let stage = Stage::set(env(&[("RESYNC", "1s"), ("STALE_AFTER", "4s")])).await;
    let rows = [
        ("unavailable", json!({ "Kind": "unavailable" }), "AWSUnavailable"),
        ("denied", json!({ "Kind": "error", "Code": "AccessDenied", "Status": 403 }), "AccessDenied"),
        (
            "expired",
            json!({ "Kind": "error", "Code": "ExpiredToken", "Status": 403 }),
            "CredentialsUnavailable",
        ),
    ];
    for (name, ..) in &rows {
        stage.ready(name, iam()).await;
    }
    grows_stale(&stage, &rows).await;
    ended(stage).await;
}

#[tokio::test]
async fn throttling_leaves_a_ready_object_alone_until_it_is_stale() {
    // Apart from the others, as it slows the operator's calls down for every object.
    let stage = Stage::set(env(&[("RESYNC", "1s"), ("STALE_AFTER", "4s")])).await;
    stage.ready("throttled", iam()).await;
    grows_stale(&stage, &[("throttled", json!({ "Kind": "throttle" }), "Throttled")]).await;
    ended(stage).await;
}

/// The reads of each object fail: it is left as it is, then Ready=Unknown, then Ready again once they succeed.
async fn grows_stale(stage: &Stage, rows: &[(&str, Value, &str)]) {
    let mut began = Vec::new();
    for (name, rule, _) in rows {
        let mut rule = rule.clone();
        rule["Action"] = json!("DescribeUsers");
        rule["UserId"] = json!(name);
        rule["Times"] = Value::Null;
        let versions = stage.versions(name).len();
        let asked = Instant::now();
        let fault = stage.aws.fault(rule).await;
        stage.patch(name, asks("meanwhile")).await;
        began.push((fault, asked, versions));
    }
    for ((name, _, reason), (fault, asked, versions)) in rows.iter().zip(began) {
        stage.aws.struck(fault, 1).await;
        // It is echoed even so, and nothing else is written.
        stage.shows(name, "echo", |object| object["status"]["lastHandledReconcileAt"] == "meanwhile").await;
        stage.event(name, reason).await;
        let unknown = stage
            .shows(name, "Ready=Unknown", |object| {
                condition(object, "Ready").is_some_and(|ready| ready["status"] == "Unknown")
            })
            .await;
        assert!(asked.elapsed() >= STALE_AFTER, "{name}: after {:?}", asked.elapsed());
        for type_ in ["Ready", "Reconciling"] {
            assert_eq!(condition(&unknown, type_).unwrap()["reason"], **reason, "{name}");
        }
        assert!(condition(&unknown, "Stalled").is_none());
        let since = stage.versions(name).split_off(versions);
        let ready = since.iter().filter(|object| is_ready(object)).count();
        // The annotation, and its echo.
        assert_eq!((ready, since.len()), (2, 3), "{name}: {since:#?}");
    }
    stage.aws.heal().await;
    for (name, _, reason) in rows {
        // What probably needs a person is tried slowly.
        if ["AccessDenied", "CredentialsUnavailable"].contains(reason) {
            stage.patch(name, asks("mended")).await;
        }
        stage.is_ready(name).await;
        assert_eq!(stage.aws.calls_of("ModifyUser", name).await.len(), 0);
        assert_eq!(stage.aws.calls_of("CreateUser", name).await.len(), 1);
    }
}

#[tokio::test]
async fn a_user_that_is_known_to_differ_is_not_called_ready_while_its_tags_cannot_be_read() {
    let stage = Stage::set(env(&[("RESYNC", "1s"), ("STALE_AFTER", "4s")])).await;
    stage.ready("app", iam()).await;
    stage
        .aws
        .fault(json!({
            "Action": "ListTagsForResource", "Kind": "error", "Code": "AccessDenied", "Status": 403, "Times": null,
        }))
        .await;
    stage.aws.put_user("app", json!({ "AccessString": "off -@all" })).await;
    let told = stage.reason("app", "AccessDenied").await;
    assert_eq!(condition(&told, "Ready").unwrap()["status"], "False");
    let message = condition(&told, "Ready").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("ListTagsForResource"), "{message}");
    assert_eq!(
        stage.aws.accepted("ModifyUser", "app").await,
        0,
        "nothing is changed before its owner is known"
    );
    stage.aws.heal().await;
    stage.nudge("app").await;
    stage.is_ready("app").await;
    assert_eq!(stage.aws.user("app").await.unwrap()["AccessString"], "on ~* +@all");
    stage.end().await;
}
