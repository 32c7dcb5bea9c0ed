//! Which health Argo CD shows for an object, according to the Lua code that we ship for Argo CD. At its end each fixture runs that
//! code on every version of every object that the fixture has seen ([`assert_as_promised`]).

mod lua;

use serde_json::{Value, json};

use self::lua::Script;
use crate::fixture::{Fixture, PASSWORD, Setup, condition, is_observed, reconcile_request, with_password};
use crate::secrecy::redacted;
use crate::{control_plane, repository};

const FILE: &str = "deploy/argocd/argocd-cm.yaml";

/// A value of the ConfigMap.
fn customization(kind: &str) -> String {
    let file = repository::yaml(FILE);
    let key = format!("resource.customizations.{kind}.elasticache-users.dev_ElastiCacheUser");
    file["data"][&key].as_str().unwrap_or_else(|| panic!("{FILE} has no {key}")).to_owned()
}

/// Argo CD's health word and message for each object.
fn health(objects: &[Value]) -> Vec<(String, String)> {
    let script = Script::new(&customization("health"));
    let word = |health: &Value, member: &str| health[member].as_str().expect("a text").to_owned();
    let judge = |object| {
        let health = script.run(object);
        (word(&health, "status"), word(&health, "message"))
    };
    objects.iter().map(judge).collect()
}

/// What the documentation promises: the health word, and the text that the message must contain.
fn promised(object: &Value) -> (&'static str, String) {
    let told = |condition: &Value| {
        let word = |member: &str| condition[member].as_str().unwrap().to_owned();
        format!("{}: {}", word("reason"), word("message"))
    };
    let is = |type_| condition(object, type_).filter(|found| found["status"] == "True");
    match condition(object, "Ready") {
        _ if object["spec"]["suspend"] == true => ("Suspended", "spec.suspend".to_owned()),
        Some(ready) if is_observed(object) => match (is("Stalled"), is("Ready")) {
            (Some(stalled), _) => ("Degraded", told(stalled)),
            (None, Some(ready)) => ("Healthy", told(ready)),
            (None, None) => ("Progressing", told(ready)),
        },
        Some(_) | None => ("Progressing", "not seen".to_owned()),
    }
}

/// Fails if the script shows another health for a version than the documentation promises.
pub(crate) fn assert_as_promised(versions: &[Value]) {
    for (version, (status, message)) in versions.iter().zip(health(versions)) {
        let (promised, words) = promised(version);
        let shown = || redacted(&version["status"].to_string());
        assert_eq!(status, promised, "{}: {}", version["metadata"]["name"], shown());
        assert!(message.contains(&words), "{status}, {:?}: {}", redacted(&message), shown());
    }
}

fn is(object: &Value, status: &str) {
    let (found, _) = &health(std::slice::from_ref(object))[0];
    assert_eq!(found, status, "{}", redacted(&object["status"].to_string()));
}

/// The names of the actions that Argo CD offers.
fn offered(object: &Value) -> Vec<String> {
    let actions: Value = serde_saphyr::from_str(&customization("actions")).unwrap();
    let found = Script::new(actions["discovery.lua"].as_str().unwrap()).run(object);
    let enabled = found.as_object().unwrap().iter().filter(|(_, action)| action["disabled"] == false);
    enabled.map(|(name, _)| name.clone()).collect()
}

/// The merge patch that an action produces.
fn action(name: &str, object: &Value) -> Value {
    let actions: Value = serde_saphyr::from_str(&customization("actions")).unwrap();
    let definitions = actions["definitions"].as_array().unwrap();
    let found = definitions.iter().find(|definition| definition["name"] == name).unwrap();
    Script::new(found["action.lua"].as_str().unwrap()).patch(object)
}

#[tokio::test]
async fn argo_cd_shows_the_health_of_an_object_and_its_actions_work() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    is(&fixture.create("app", with_password("pw")).await, "Progressing");
    fixture.start();
    is(&fixture.reason("app", "SecretNotFound").await, "Progressing");
    fixture.secret("pw", PASSWORD).await;
    let object = fixture.wait_ready("app").await;
    is(&object, "Healthy");
    assert_eq!(offered(&object), ["reconcile", "suspend"]);

    let patch = action("reconcile", &object);
    let asked = patch["metadata"]["annotations"]["elasticache-users.dev/reconcile-requested-at"].clone();
    assert_eq!(patch, reconcile_request(asked.as_str().unwrap()));
    fixture.patch("app", patch).await;
    let echoed = fixture
        .shows("app", "the request is echoed", |object| object["status"]["lastHandledReconcileAt"] == asked);
    let again = action("reconcile", &echoed.await);
    assert_ne!(again["metadata"]["annotations"]["elasticache-users.dev/reconcile-requested-at"], asked);

    fixture.patch("app", action("suspend", &object)).await;
    let object = fixture.reason("app", "Suspended").await;
    is(&object, "Suspended");
    assert_eq!(offered(&object), ["resume"]);
    let patch = action("resume", &object);
    assert_eq!(patch, json!({ "spec": { "suspend": false } }));
    fixture.patch("app", patch).await;
    is(&fixture.reason("app", "Active").await, "Healthy");
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn argo_cd_shows_an_object_that_needs_a_person_as_degraded_with_the_reason() {
    let fixture = Fixture::with(Setup::leaving_users()).await;
    fixture.aws.put_user("app", json!({})).await;
    fixture.create("app", crate::fixture::iam()).await;
    let object = fixture.reason("app", "UserAlreadyExists").await;
    let (status, message) = health(std::slice::from_ref(&object)).remove(0);
    assert_eq!(status, "Degraded");
    assert!(message.starts_with("UserAlreadyExists: AWS user \"app\""), "{message}");
    fixture.deleted("app").await;
    fixture.end().await;
}

#[test]
fn argo_cd_shows_an_object_without_a_status() {
    for object in [
        json!({ "metadata": { "generation": 1 }, "spec": {} }),
        json!({ "metadata": { "generation": 1 }, "spec": {}, "status": { "observedGeneration": 1 } }),
    ] {
        is(&object, "Progressing");
    }
}

/// The documentation says that the file is a patch. So every key of argocd-cm that is not ours must stay.
#[tokio::test]
async fn the_argo_cd_file_patches_argocd_cm_and_keeps_its_other_keys() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let kubectl = |arguments: &[&str]| {
        let mut command = control_plane::shared().kubectl();
        let output = command.args(["--namespace", &fixture.ns]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    kubectl(&["create", "configmap", "argocd-cm", "--from-literal=url=https://argocd.example.com"]);
    kubectl(&["patch", "configmap", "argocd-cm", "--patch-file", &repository::path(FILE)]);
    let found: Value =
        serde_json::from_slice(&kubectl(&["get", "configmap", "argocd-cm", "-o", "json"])).unwrap();
    assert_eq!(found["data"]["url"], "https://argocd.example.com");
    assert_eq!(found["data"].as_object().unwrap().len(), 3);
    fixture.end().await;
}
