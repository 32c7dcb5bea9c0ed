//! Texts that could forge log lines, control a terminal or send a request to another path. They come from AWS, from tags, and from
//! specs that a less strict CRD admitted.

use elasticache_user_operator::api;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceValidation, JSON, JSONSchemaProps,
};
use kube::Api;
use kube::api::{Patch, PatchParams};
use plan::text::is_invisible;
use regex::Regex;
use serde_json::{Value, json};

use crate::control_plane;
use crate::fixture::{Fixture, PASSWORD, Setup, condition, iam, message, until, with, with_password};

/// A line end, a forged log line, and characters that colour a terminal or reverse the direction of the text.
const FORGED: &str = "x\n2026-01-01T00:00:00.000000Z  INFO forged: all is well\u{9b}31m\u{202e}\u{2028}";
/// The escaped form of [`FORGED`], in which the operator may show it.
const SHOWN: &str = "x\\n2026-01-01T00:00:00.000000Z  INFO forged: all is well\\u{9b}31m\\u{202e}\\u{2028}";

/// Checks that the condition, the event and the log show the forged text, and that none shows its invisible characters.
async fn is_shown_escaped(fixture: &Fixture, name: &str, reason: &str) {
    let note = fixture.event(name, reason).await.note;
    let object = fixture.reason(name, reason).await;
    let logs = fixture.logs();
    for (place, text) in [("condition", message(&object)), ("event", &note), ("log", &logs)] {
        assert!(text.contains(SHOWN), "{place}: {text:?}");
        let invisible = text.chars().find(|c| is_invisible(*c) && *c != '\n');
        assert_eq!(invisible, None, "{place}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("2026-01-01")), "{place}: a forged line: {text:?}");
    }
}

#[tokio::test]
async fn a_status_word_of_aws_forges_no_log_line() {
    let fixture = Fixture::new().await;
    fixture.aws.put_user("app", json!({ "Status": FORGED, "Tags": owner(&fixture, "app") })).await;
    fixture.create("app", iam()).await;
    is_shown_escaped(&fixture, "app", "WaitingForUserActive").await;
    fixture.aws.put_user("app", json!({ "Status": "active" })).await;
    fixture.deleted("app").await;
    fixture.end().await;
}

/// The owner tags of this name in the fixture's namespace.
fn owner(fixture: &Fixture, name: &str) -> Value {
    json!({
        "elasticache-users.dev/cluster": fixture.cluster_id,
        "elasticache-users.dev/namespace": fixture.ns,
        "elasticache-users.dev/name": name,
    })
}

/// Removes the rules of the CRD, so that it admits every object, as an old CRD might have done.
async fn loosen(client: &kube::Client) {
    let anything = || JSONSchemaProps {
        type_: Some("object".into()),
        x_kubernetes_preserve_unknown_fields: Some(true),
        ..JSONSchemaProps::default()
    };
    let mut lax = api::crd();
    for version in &mut lax.spec.versions {
        let status =
            JSONSchemaProps { default: Some(JSON(json!({ "observedGeneration": -1 }))), ..anything() };
        let object =
            JSONSchemaProps { properties: Some([("status".to_owned(), status)].into()), ..anything() };
        version.schema = Some(CustomResourceValidation { open_api_v3_schema: Some(object) });
        version.selectable_fields = None;
    }
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let patch = Patch::Merge(json!({ "spec": { "versions": lax.spec.versions } }));
    definitions.patch(control_plane::DEFINITION, &PatchParams::default(), &patch).await.unwrap();
}

/// Creates the object as soon as the API server uses the less strict CRD.
async fn created(fixture: &Fixture, name: &str, spec: Value) {
    let manifest = serde_json::from_value(crate::fixture::manifest(name, spec)).unwrap();
    until("the API server uses the less strict CRD", async || {
        fixture.users().create(&Default::default(), &manifest).await.is_ok().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_field_that_an_older_crd_accepted_forges_no_log_line_and_reaches_no_other_secret() {
    let cluster = tokio::task::spawn_blocking(control_plane::own).await.unwrap();
    let fixture = Fixture::on(&cluster).await;
    loosen(&fixture.client).await;
    let key = format!("aws:{FORGED}");
    created(&fixture, "tagged", with(iam(), json!({ "tags": { key: "v" } }))).await;
    is_shown_escaped(&fixture, "tagged", "InvalidSpec").await;
    // Whatever the name of the Secret is, the operator must read no Secret of another namespace.
    fixture.secret("pw", PASSWORD).await;
    let path = format!("../../{}/secrets/pw", fixture.ns);
    created(&fixture, "thief", with_password(&path)).await;
    let object = fixture.reason("thief", "SecretNotFound").await;
    assert!(message(&object).contains(&path), "{object:#}");
    assert!(fixture.aws.user("thief").await.is_none());
    fixture.end().await;
}

#[tokio::test]
async fn a_user_whose_owner_tags_contain_a_path_is_foreign_and_the_path_is_never_requested() {
    let fixture = Fixture::without_operator(Setup::leaving_users()).await;
    fixture.start_with(&[("ELASTICACHE_USERS_ADOPTION_NAMESPACE", fixture.ns.clone())]);
    let names = [
        format!("../../../../../api/v1/namespaces/{}/secrets/no", fixture.ns),
        "app?fieldSelector=x#".to_owned(),
        "..".to_owned(),
        FORGED.to_owned(),
        "a".repeat(254),
    ];
    for (number, name) in names.iter().enumerate() {
        let id = format!("app-{number}");
        fixture.aws.put_user(&id, json!({ "Engine": "valkey", "Authentication": { "Type": "iam" }, "Tags": owner(&fixture, name) })).await;
        fixture.create(&id, with(iam(), json!({ "adoptionPolicy": "Adopt" }))).await;
    }
    for number in 0..names.len() {
        let object = fixture.reason(&format!("app-{number}"), "UserOwnedByAnother").await;
        assert!(condition(&object, "Stalled").is_some(), "{object:#}");
    }
    is_shown_escaped(&fixture, "app-3", "UserOwnedByAnother").await;
    assert_eq!(fixture.aws.mutations().await.len(), 0);
    fixture.end().await;
}

#[tokio::test]
async fn an_overlong_reconcile_request_is_ignored_and_reported_once() {
    let fixture = Fixture::new().await;
    fixture.ready("app", iam()).await;
    let handled = |object: &Value| object["status"]["lastHandledReconcileAt"].clone();
    for length in [257, 250_000] {
        fixture.patch("app", crate::fixture::reconcile_request(&"x".repeat(length))).await;
        fixture.event("app", "ReconcileRequestIgnored").await;
    }
    let longest = "ö".repeat(256);
    fixture.patch("app", crate::fixture::reconcile_request(&longest)).await;
    fixture.shows("app", "the echo", |object| handled(object) == json!(longest)).await;
    let told = fixture.events("app").await;
    assert_eq!(told.iter().filter(|event| event.reason == "ReconcileRequestIgnored").count(), 1, "{told:?}");
    for version in fixture.versions("app") {
        assert!(handled(&version).as_str().is_none_or(|echo| echo == longest), "{version:#}");
    }
    fixture.deleted("app").await;
    fixture.end().await;
}

#[test]
fn the_characters_that_the_operator_escapes_are_those_that_the_crd_refuses() {
    let refused = Regex::new(r"^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]$").unwrap();
    let differ: Vec<char> = ('\0'..=char::MAX)
        .filter(|c| refused.is_match(c.encode_utf8(&mut [0; 4])) != is_invisible(*c))
        .collect();
    assert!(differ.is_empty(), "{differ:?}");
}
