//! Somebody changes a user in AWS without the operator. The operator reverts the change and reports it.

use std::time::{Duration, Instant};

use elasticache_emulator::Rule;
use serde_json::{Value, json};

use crate::fixture::{
    Fixture, PASSWORD, PublishedEvent, Setup, condition, iam, is_ready, message, reconcile_request, until,
    with, with_password,
};
use crate::policies::ended;

/// The user in the emulator, without its version.
async fn truth(fixture: &Fixture, id: &str) -> Option<Value> {
    let mut user = fixture.aws.user(id).await?;
    user.as_object_mut()?.remove("Version");
    Some(user)
}

/// Whether the users are equal. Returns no difference, because the users contain passwords.
fn same(one: &Option<Value>, other: &Option<Value>) -> bool {
    one == other
}

pub(crate) fn tagged() -> Value {
    with(iam(), json!({ "tags": { "team": "search", "stage": "live" } }))
}

/// What somebody does to an AWS user without the operator.
struct Drift {
    name: &'static str,
    spec: Value,
    /// The changed fields. Null deletes the user.
    change: Value,
    /// The words of the event.
    says: &'static [&'static str],
}

fn rows() -> Vec<Drift> {
    let password = with_password("pw");
    let (access, engine) = (json!({ "AccessString": "on ~* +@all" }), json!({ "Engine": "redis" }));
    let type_ = json!({ "Authentication": { "Type": "no-password" } });
    let count = json!({ "Passwords": ["somebody-elses-passphrase", PASSWORD] });
    let tags = json!({ "Tags": { "stage": "test" } });
    let several = json!({ "Engine": "redis", "AccessString": "off -@all" });
    let both = &["engine was redis", "access string was \"off -@all\""];
    let row = |name, spec, change, says: &'static [_]| Drift { name, spec, change, says };
    vec![
        row("rules", password.clone(), access, &["access string was \"on ~* +@all\""]),
        row("engine", iam(), engine, &["engine was redis instead of valkey"]),
        row("type", iam(), type_, &["authentication type was no-password instead of iam"]),
        row("count", password, count, &["number of passwords was 2 instead of 1"]),
        row("tags", tagged(), tags, &["\"team\" was missing", "\"stage\" was \"test\""]),
        row("gone", iam(), Value::Null, &["the AWS user was missing"]),
        row("several", iam(), several, both),
    ]
}

/// Somebody changes each of the users, and the operator restores each user.
///
/// If `asks`, a person requests a pass, and the first call that corrects each user fails. Otherwise drift checks find the changes.
async fn assert_drift_is_reverted(fixture: &Fixture, asks: bool) {
    fixture.secret("pw", PASSWORD).await;
    for Drift { name, spec, .. } in rows() {
        fixture.create(name, spec).await;
    }
    let mut before = Vec::new();
    for Drift { name, .. } in rows() {
        fixture.wait_ready(name).await;
        before.push(truth(fixture, name).await);
    }
    for (Drift { name, mut change, .. }, was) in rows().into_iter().zip(&before) {
        if let Some(tags) = change.get_mut("Tags") {
            // A tag of somebody else is no difference, and the owner tags stay.
            let was = was.as_ref().unwrap()["Tags"].as_object().unwrap();
            let owner = was.iter().filter(|(key, _)| key.starts_with("elasticache-users.dev/"));
            tags.as_object_mut().unwrap().extend(owner.map(|(key, value)| (key.clone(), value.clone())));
        }
        if asks {
            let action = match name {
                "tags" => "AddTagsToResource",
                "gone" => "CreateUser",
                _ => "ModifyUser",
            };
            fixture.aws.fault(Rule::on(action).user(name).throttle()).await;
        }
        if change.is_null() {
            fixture.aws.remove_user(name).await;
        } else {
            fixture.aws.put_user(name, change).await;
        }
        assert!(!same(&truth(fixture, name).await, was), "{name}: nothing was changed");
        if asks {
            fixture.patch(name, reconcile_request("now")).await;
        }
    }
    for (Drift { name, says, .. }, was) in rows().into_iter().zip(&before) {
        let PublishedEvent { kind, note, .. } = fixture.event(name, "DriftCorrected").await;
        assert_eq!(kind, "Normal");
        for words in says {
            assert!(note.contains(words), "{name}: {note}");
        }
        until(&format!("{name} is as it was"), async || same(&truth(fixture, name).await, was)).await;
        let object = fixture.wait_ready(name).await;
        if asks {
            assert_eq!(object["status"]["lastHandledReconcileAt"], "now");
        }
        let events = fixture.events(name).await;
        let count = |wanted: &str| events.iter().filter(|event| event.reason == wanted).count();
        assert_eq!(count("UserCreated"), if name == "gone" { 2 } else { 1 }, "{events:#?}");
        assert_eq!(count("UserModified"), 0, "{events:#?}");
        let modified = fixture.aws.calls_of("ModifyUser", name).await.len();
        let needed = if ["tags", "gone"].contains(&name) { 0 } else { 1 + usize::from(asks) };
        assert_eq!(modified, needed, "{name}");
    }
    let page = fixture.metrics().concat();
    let counted =
        page.lines().find_map(|line| line.strip_prefix("elasticache_user_drift_corrections_total "));
    assert_eq!(counted, Some(rows().len().to_string().as_str()), "{page}");
}

#[tokio::test]
async fn a_drift_check_reverts_what_somebody_changed_in_aws() {
    let fixture = Fixture::with(Setup::env(&[
        ("ELASTICACHE_USERS_RESYNC", "2s"),
        ("ELASTICACHE_USERS_TAG_RESYNC_EVERY", "1"),
    ]))
    .await;
    assert_drift_is_reverted(&fixture, false).await;
    ended(fixture).await;
}

#[tokio::test]
async fn another_form_of_the_same_access_string_is_no_drift() {
    let fixture = Fixture::new().await;
    fixture.secret("pw", PASSWORD).await;
    fixture.ready("app", with_password("pw")).await;
    let somebodys = json!({ "AccessString": "on  -@all  ~app:*   +@read", "Engine": "REDIS" });
    fixture.aws.put_user("app", somebodys.clone()).await;
    let before = truth(&fixture, "app").await;
    fixture.reconcile_now("app").await;
    fixture.reconcile_now("app").await;
    assert!(same(&truth(&fixture, "app").await, &before), "the user was changed");
    assert_eq!(fixture.aws.calls_of("ModifyUser", "app").await.len(), 0);
    assert!(fixture.events("app").await.iter().all(|event| event.reason == "UserCreated"));
    ended(fixture).await;
}

#[tokio::test]
async fn tags_that_were_never_in_the_spec_are_not_changed() {
    let fixture = Fixture::new().await;
    fixture.ready("app", tagged()).await;
    let mut tags = fixture.aws.user("app").await.unwrap()["Tags"].clone();
    tags["made-by"] = json!("somebody");
    fixture.aws.put_user("app", json!({ "Tags": tags })).await;
    fixture.acknowledge("app").await;
    assert_eq!(fixture.aws.user("app").await.unwrap()["Tags"], tags);
    assert!(!fixture.aws.calls_of("ListTagsForResource", "app").await.is_empty(), "nobody looked");
    ended(fixture).await;
}

/// How long the reads of an object may fail before Ready becomes Unknown.
const STALE_AFTER: Duration = Duration::from_secs(4);

#[tokio::test]
async fn a_requested_reconcile_corrects_drift_although_its_first_call_fails() {
    // The next drift check would be ten minutes from now.
    let fixture = Fixture::new().await;
    assert_drift_is_reverted(&fixture, true).await;
    ended(fixture).await;
}

#[tokio::test]
async fn an_outage_leaves_a_ready_object_alone_until_it_is_stale() {
    let fixture = Fixture::with(Setup::env(&[
        ("ELASTICACHE_USERS_RESYNC", "1s"),
        ("ELASTICACHE_USERS_STALE_AFTER", "4s"),
    ]))
    .await;
    let error = |code| Rule::any().error(code, 403);
    let rows = [
        Outage { name: "unavailable", fault: Rule::any().unavailable(), reason: "AWSUnavailable" },
        Outage { name: "denied", fault: error("AccessDenied"), reason: "AccessDenied" },
        Outage { name: "expired", fault: error("ExpiredToken"), reason: "CredentialsUnavailable" },
    ];
    for row in &rows {
        fixture.ready(row.name, iam()).await;
    }
    assert_stale_and_ready_again(&fixture, &rows).await;
    ended(fixture).await;
}

#[tokio::test]
async fn throttling_leaves_a_ready_object_alone_until_it_is_stale() {
    // Throttling has a test of its own, because it slows the operator's calls down for every object.
    let fixture = Fixture::with(Setup::env(&[
        ("ELASTICACHE_USERS_RESYNC", "1s"),
        ("ELASTICACHE_USERS_STALE_AFTER", "4s"),
    ]))
    .await;
    fixture.ready("throttled", iam()).await;
    let fault = Rule::any().throttle();
    assert_stale_and_ready_again(&fixture, &[Outage { name: "throttled", fault, reason: "Throttled" }]).await;
    ended(fixture).await;
}

/// The reads of an object fail.
struct Outage {
    name: &'static str,
    fault: Rule,
    reason: &'static str,
}

/// The reads of each object fail. The object stays Ready, then it is Ready=Unknown, and it is Ready again when the reads succeed.
async fn assert_stale_and_ready_again(fixture: &Fixture, rows: &[Outage]) {
    let mut began = Vec::new();
    for Outage { name, fault, .. } in rows {
        let rule = fault.clone().action("DescribeUsers").user(*name).always();
        let versions = fixture.versions(name).len();
        let asked = Instant::now();
        let fault = fixture.aws.fault(rule).await;
        fixture.patch(name, reconcile_request("meanwhile")).await;
        began.push((fault, asked, versions));
    }
    for (Outage { name, reason, .. }, (fault, asked, versions)) in rows.iter().zip(began) {
        fixture.aws.struck(fault, 1).await;
        // Status echoes the request although AWS does not answer, and nothing else changes.
        fixture
            .shows(name, "status echoes the request", |object| {
                object["status"]["lastHandledReconcileAt"] == "meanwhile"
            })
            .await;
        fixture.event(name, reason).await;
        let unknown =
            |object: &Value| condition(object, "Ready").is_some_and(|ready| ready["status"] == "Unknown");
        let unknown = fixture.shows(name, "Ready=Unknown", unknown).await;
        assert!(asked.elapsed() >= STALE_AFTER, "{name}: after {:?}", asked.elapsed());
        for type_ in ["Ready", "Reconciling"] {
            assert_eq!(condition(&unknown, type_).unwrap()["reason"], **reason, "{name}");
        }
        assert!(condition(&unknown, "Stalled").is_none());
        let since = fixture.versions(name).split_off(versions);
        let ready = since.iter().filter(|object| is_ready(object)).count();
        // The second and third version are the annotation and its echo.
        assert_eq!((ready, since.len()), (2, 3), "{name}: {since:#?}");
    }
    fixture.aws.clear_faults().await;
    for Outage { name, reason, .. } in rows {
        // The operator retries slowly if the problem probably needs a person.
        if ["AccessDenied", "CredentialsUnavailable"].contains(reason) {
            fixture.patch(name, reconcile_request("mended")).await;
        }
        fixture.wait_ready(name).await;
        assert_eq!(fixture.aws.calls_of("ModifyUser", name).await.len(), 0);
        assert_eq!(fixture.aws.calls_of("CreateUser", name).await.len(), 1);
    }
}

#[tokio::test]
async fn an_object_whose_user_differs_is_not_ready_while_its_tags_cannot_be_read() {
    let fixture = Fixture::with(Setup::env(&[
        ("ELASTICACHE_USERS_RESYNC", "1s"),
        ("ELASTICACHE_USERS_STALE_AFTER", "4s"),
    ]))
    .await;
    fixture.ready("app", iam()).await;
    fixture.aws.fault(Rule::on("ListTagsForResource").error("AccessDenied", 403).always()).await;
    fixture.aws.put_user("app", json!({ "AccessString": "off -@all" })).await;
    let told = fixture.reason("app", "AccessDenied").await;
    assert_eq!(condition(&told, "Ready").unwrap()["status"], "False");
    assert!(message(&told).contains("ListTagsForResource"), "{}", message(&told));
    assert_eq!(
        fixture.aws.accepted("ModifyUser", "app").await,
        0,
        "nothing is changed before its owner is known"
    );
    fixture.aws.clear_faults().await;
    fixture.request_reconcile("app").await;
    fixture.wait_ready("app").await;
    assert_eq!(fixture.aws.user("app").await.unwrap()["AccessString"], "on ~* +@all");
    fixture.end().await;
}
