//! If a Secret changes, AWS gets its password.

use std::time::{Duration, Instant};

use elasticache_emulator::Rule;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::fixture::{
    Fixture, PASSWORD, Setup, condition, iam, message, until, with_password, with_passwords,
};

pub(crate) const SECOND: &str = "second-long-passphrase";
/// What "within seconds" means on a busy machine.
const SECONDS: Duration = Duration::from_secs(10);
pub(crate) const THIRD: &str = "third-long-passphrase";

/// A spec with these keys of Secrets.
fn with_keys(keys: &[(&str, &str)]) -> Value {
    let passwords: Vec<Value> =
        keys.iter().map(|(name, key)| json!({ "secretKeyRef": { "name": name, "key": key } })).collect();
    let mut spec = with_password("one");
    spec["authentication"]["passwords"] = json!(passwords);
    spec
}

/// A fixture with a Secret `one` and a Ready user that has its password.
async fn ready_with_password() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.secret("one", PASSWORD).await;
    fixture.ready("app", with_password("one")).await;
    fixture
}

pub(crate) async fn passwords(fixture: &Fixture, user: &str) -> Vec<String> {
    let Some(user) = fixture.aws.user(user).await else { return Vec::new() };
    let mut found: Vec<String> = serde_json::from_value(user["Passwords"].clone()).unwrap();
    found.sort();
    found
}

/// Waits until AWS has these passwords and the object is Ready.
async fn holds(fixture: &Fixture, wanted: &[&str]) {
    let mut wanted: Vec<String> = wanted.iter().map(|text| (*text).to_owned()).collect();
    wanted.sort();
    // The passwords are compared and never printed.
    until("AWS has the passwords of the Secrets", async || passwords(fixture, "app").await == wanted).await;
    fixture.wait_ready("app").await;
}

async fn rotations(fixture: &Fixture) -> usize {
    fixture.aws.accepted("ModifyUser", "app").await
}

fn secrets(fixture: &Fixture) -> Api<Secret> {
    Api::namespaced(fixture.client.clone(), &fixture.ns)
}

pub(crate) async fn annotate_secret(fixture: &Fixture, name: &str, value: &str) {
    let patch = json!({ "metadata": { "annotations": { "written": value } } });
    secrets(fixture).patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
}

#[tokio::test]
async fn status_says_when_aws_last_accepted_passwords_and_a_restart_changes_nothing_of_it() {
    let fixture = ready_with_password().await;
    fixture.ready("without", iam()).await;
    let applied_at =
        async |name: &str| fixture.acknowledge(name).await["status"]["passwordsAppliedAt"].clone();
    let created = applied_at("app").await;
    assert!(created.is_string(), "{created}");
    assert!(applied_at("without").await.is_null());
    // The time has whole seconds.
    let began = jiff::Timestamp::now().as_second();
    fixture.secret("one", SECOND).await;
    holds(&fixture, &[SECOND]).await;
    let rotated = applied_at("app").await;
    let time: jiff::Timestamp = rotated.as_str().unwrap().parse().unwrap();
    assert!(time.as_second() >= began && time <= jiff::Timestamp::now(), "{rotated} and {began}");
    fixture.kill();
    fixture.start();
    fixture.acknowledge("app").await;
    fixture.patch("app", json!({ "spec": { "accessString": "on ~other:* +@all" } })).await;
    fixture.wait_ready("app").await;
    assert_eq!(applied_at("app").await, rotated, "AWS got no password since");
    fixture.patch("app", json!({ "spec": { "authentication": { "type": "iam", "passwords": null } } })).await;
    fixture.wait_ready("app").await;
    assert!(applied_at("app").await.is_null());
    fixture.deleted("app").await;
    fixture.deleted("without").await;
    fixture.end().await;
}

#[tokio::test]
async fn a_changed_secret_reaches_aws_with_one_modify_user() {
    let fixture = ready_with_password().await;
    fixture.secret("one", SECOND).await;
    let written = Instant::now();
    until("AWS has the password of the Secret", async || passwords(&fixture, "app").await == [SECOND]).await;
    // A second of debounce, two reads and the call. Without the watch it would take the ten minutes of the resync.
    assert!(written.elapsed() < SECONDS, "{:?} after the Secret changed", written.elapsed());
    holds(&fixture, &[SECOND]).await;
    fixture.reconcile_now("app").await;
    assert_eq!(rotations(&fixture).await, 1);
    let call = &fixture.aws.calls_of("ModifyUser", "app").await[0]["Params"];
    assert!(call["AccessString"].is_null() && call["Engine"].is_null(), "only what differs is sent");
    assert_eq!(fixture.event("app", "PasswordRotated").await.kind, "Normal");
    let events = fixture.events("app").await;
    assert!(events.iter().all(|event| event.reason != "UserModified"), "only one event for the call");
    fixture.end().await;
}

#[tokio::test]
async fn two_secrets_that_change_at_once_are_sent_together() {
    let fixture = Fixture::new().await;
    fixture.secret("one", PASSWORD).await;
    fixture.secret("two", SECOND).await;
    fixture.ready("app", with_passwords(&["one", "two"])).await;
    futures::join!(fixture.secret("one", THIRD), fixture.secret("two", PASSWORD));
    holds(&fixture, &[THIRD, PASSWORD]).await;
    fixture.reconcile_now("app").await;
    assert_eq!(rotations(&fixture).await, 1);
    fixture.end().await;
}

#[tokio::test]
async fn the_order_of_two_password_references_means_nothing() {
    let fixture = Fixture::new().await;
    fixture.secret("one", PASSWORD).await;
    fixture.secret("two", SECOND).await;
    fixture.ready("app", with_passwords(&["one", "two"])).await;
    fixture.patch("app", json!({ "spec": with_passwords(&["two", "one"]) })).await;
    fixture.wait_ready("app").await;
    assert_eq!(rotations(&fixture).await, 0);
    fixture.end().await;
}

#[tokio::test]
async fn a_rotation_has_an_overlap() {
    let fixture = ready_with_password().await;
    fixture.secret("two", SECOND).await;
    fixture.patch("app", json!({ "spec": with_passwords(&["one", "two"]) })).await;
    holds(&fixture, &[PASSWORD, SECOND]).await;
    fixture.patch("app", json!({ "spec": with_passwords(&["two"]) })).await;
    holds(&fixture, &[SECOND]).await;
    assert_eq!(rotations(&fixture).await, 2);
    fixture.end().await;
}

#[tokio::test]
async fn the_same_password_in_two_secrets_is_sent_once() {
    let fixture = Fixture::new().await;
    fixture.secret("one", PASSWORD).await;
    fixture.secret("two", PASSWORD).await;
    let once = |object: &Value| {
        assert_eq!(object["status"]["authentication"]["passwordCount"], 1);
        assert_eq!(object["status"]["lastApplied"]["passwordVersions"].as_array().unwrap().len(), 2);
    };
    once(&fixture.ready("app", with_passwords(&["one", "two"])).await);
    assert_eq!(passwords(&fixture, "app").await.len(), 1);
    fixture.reconcile_now("app").await;
    assert_eq!(rotations(&fixture).await, 0);
    // The same holds if the two passwords become equal later.
    fixture.secret("two", SECOND).await;
    holds(&fixture, &[PASSWORD, SECOND]).await;
    fixture.secret("two", PASSWORD).await;
    holds(&fixture, &[PASSWORD]).await;
    once(&fixture.reconcile_now("app").await);
    assert_eq!(rotations(&fixture).await, 2);
    fixture.end().await;
}

#[tokio::test]
async fn a_check_writes_the_new_version_of_a_rewritten_secret_to_status() {
    let fixture = ready_with_password().await;
    let versions = |object: &Value| object["status"]["lastApplied"]["passwordVersions"].clone();
    let before = versions(&fixture.wait_ready("app").await);
    annotate_secret(&fixture, "one", "again").await;
    let after = versions(&fixture.reconcile_now("app").await);
    assert!(after != before && after.as_array().unwrap().len() == 1, "{before} {after}");
    // A restart may cost one ModifyUser, because the process does not know what was sent. Here status shows it.
    fixture.kill();
    fixture.start();
    fixture.reconcile_now("app").await;
    assert_eq!(rotations(&fixture).await, 0);
    fixture.end().await;
}

#[tokio::test]
async fn another_key_of_the_same_secret_is_sent_although_the_operator_was_down_during_the_edit() {
    let fixture = Fixture::new().await;
    fixture.secret_with("one", json!({ "blue": PASSWORD, "green": SECOND })).await;
    fixture.ready("app", with_keys(&[("one", "blue")])).await;
    fixture.patch("app", json!({ "spec": with_keys(&[("one", "green")]) })).await;
    holds(&fixture, &[SECOND]).await;
    fixture.kill();
    fixture.patch("app", json!({ "spec": with_keys(&[("one", "blue")]) })).await;
    fixture.start();
    holds(&fixture, &[PASSWORD]).await;
    assert_eq!(rotations(&fixture).await, 2);
    fixture.end().await;
}

#[tokio::test]
async fn a_rotation_while_the_user_is_modifying_is_not_lost() {
    let fixture = ready_with_password().await;
    fixture.aws.settings(json!({ "modify-time": "2s" })).await;
    fixture.patch("app", json!({ "spec": { "accessString": "on ~other:* -@all +@read" } })).await;
    fixture.reason("app", "Modifying").await;
    fixture.secret("one", SECOND).await;
    holds(&fixture, &[SECOND]).await;
    assert_eq!(rotations(&fixture).await, 2);
    fixture.end().await;
}

#[tokio::test]
async fn a_return_to_the_former_secret_is_sent_although_the_status_write_of_the_new_one_was_lost() {
    let fixture = ready_with_password().await;
    fixture.secret("two", SECOND).await;
    // AWS accepts the second password, and the answer is lost.
    let fault = Rule::on("ModifyUser").user("app").hang().after();
    let fault = fixture.aws.fault(fault).await;
    fixture.patch("app", json!({ "spec": with_passwords(&["two"]) })).await;
    fixture.aws.struck(fault, 1).await;
    fixture.kill();
    fixture.aws.clear_faults().await;
    assert_eq!(passwords(&fixture, "app").await.len(), 1);
    fixture.patch("app", json!({ "spec": with_passwords(&["one"]) })).await;
    fixture.start();
    holds(&fixture, &[PASSWORD]).await;
    fixture.end().await;
}

#[tokio::test]
async fn an_invalid_password_in_a_secret_is_reported_and_ends_when_the_secret_is_right() {
    let fixture = ready_with_password().await;
    fixture.secret("one", &format!("{SECOND}\n")).await;
    let told = fixture.reason("app", "InvalidPassword").await;
    assert!(condition(&told, "Stalled").is_some());
    assert!(message(&told).contains("newline"), "{}", message(&told));
    assert_eq!(rotations(&fixture).await, 0, "AWS must still have the former password");
    fixture.secret("one", SECOND).await;
    holds(&fixture, &[SECOND]).await;
    fixture.end().await;
}

#[tokio::test]
async fn a_deleted_secret_does_not_change_the_aws_user() {
    let fixture = ready_with_password().await;
    secrets(&fixture).delete("one", &DeleteParams::default()).await.unwrap();
    fixture.reason("app", "SecretNotFound").await;
    assert_eq!(passwords(&fixture, "app").await.len(), 1);
    assert_eq!(rotations(&fixture).await, 0);
    fixture.secret("one", SECOND).await;
    holds(&fixture, &[SECOND]).await;
    fixture.end().await;
}

/// A ServiceAccount that may do what the operator needs, and with Secrets only what `secrets` says.
async fn restricted(fixture: &Fixture, secrets: Value) -> String {
    let kubeconfig = fixture.service_account("restricted").await;
    allow(fixture, "operator", may_on_objects(&["get", "list", "watch", "patch"])).await;
    allow(fixture, "secrets", secrets).await;
    kubeconfig
}

fn may_on_objects(verbs: &[&str]) -> Value {
    json!([
        { "apiGroups": ["elasticache-users.dev"], "resources": ["elasticacheusers"], "verbs": verbs },
        { "apiGroups": ["elasticache-users.dev"], "resources": ["elasticacheusers/status"], "verbs": ["patch"] },
        { "apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"] },
    ])
}

/// Warnings in the operator's log that speak of this.
fn warnings(fixture: &Fixture, word: &str) -> Vec<String> {
    let logs = fixture.logs();
    let warns = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
    logs.lines().filter(warns).filter(|line| line.contains(word)).map(str::to_owned).collect()
}

pub(crate) async fn allow(fixture: &Fixture, name: &str, rules: Value) {
    use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
    let params = PatchParams::apply("test").force();
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": name }, "rules": rules,
    });
    let roles: Api<Role> = Api::namespaced(fixture.client.clone(), &fixture.ns);
    roles.patch(name, &params, &Patch::Apply(&role)).await.unwrap();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": "restricted", "namespace": fixture.ns }],
    });
    let bindings: Api<RoleBinding> = Api::namespaced(fixture.client.clone(), &fixture.ns);
    bindings.patch(name, &params, &Patch::Apply(&binding)).await.unwrap();
}

fn may_get(name: &str) -> Value {
    json!([{ "apiGroups": [""], "resources": ["secrets"], "resourceNames": [name], "verbs": ["get"] }])
}

#[tokio::test]
async fn a_permission_to_get_named_secrets_is_enough() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let kubeconfig = restricted(&fixture, may_get("one")).await;
    fixture.secret("one", PASSWORD).await;
    fixture.start_with(&[
        ("KUBECONFIG", kubeconfig),
        ("ELASTICACHE_USERS_CLUSTER_ID", "restricted".to_owned()),
        ("ELASTICACHE_USERS_RESYNC", "2s".to_owned()),
        ("ELASTICACHE_USERS_LOG", elasticache_user_operator::config::DEFAULT_LOG.to_owned()),
    ]);
    fixture.ready("app", with_password("one")).await;
    // Meanwhile the watch is tried again and again.
    for next in [SECOND, THIRD, PASSWORD] {
        fixture.secret("one", next).await;
        holds(&fixture, &[next]).await;
    }
    assert_eq!(rotations(&fixture).await, 3);
    let told = warnings(&fixture, "ecrets");
    assert!(told[0].contains("--resync"), "{}", told[0]);
    assert_eq!(told.len(), 1, "one line says that a changed Secret is noticed late: {told:#?}");
    fixture.end().await;
}

#[tokio::test]
async fn a_secret_that_the_operator_may_not_read_is_reported_and_read_once_it_may() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let kubeconfig = restricted(&fixture, may_get("another")).await;
    fixture.secret("one", PASSWORD).await;
    fixture
        .start_with(&[("KUBECONFIG", kubeconfig), ("ELASTICACHE_USERS_CLUSTER_ID", "restricted".to_owned())]);
    fixture.create("app", with_password("one")).await;
    let told = fixture.reason("app", "SecretForbidden").await;
    assert!(condition(&told, "Stalled").is_none());
    fixture.event("app", "SecretForbidden").await;
    allow(&fixture, "secrets", may_get("one")).await;
    holds(&fixture, &[PASSWORD]).await;
    fixture.end().await;
}

#[tokio::test]
async fn a_forbidden_watch_of_the_objects_is_reported_once_and_works_once_it_is_allowed() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let kubeconfig = restricted(&fixture, may_get("one")).await;
    allow(&fixture, "operator", may_on_objects(&["get", "list", "patch"])).await;
    fixture.start_with(&[
        ("KUBECONFIG", kubeconfig),
        ("ELASTICACHE_USERS_CLUSTER_ID", "restricted".to_owned()),
        ("ELASTICACHE_USERS_LOG", elasticache_user_operator::config::DEFAULT_LOG.to_owned()),
    ]);
    until("the log reports the forbidden watch", || async { warnings(&fixture, "ElastiCacheUsers").pop() })
        .await;
    fixture.create("app", iam()).await;
    allow(&fixture, "operator", may_on_objects(&["get", "list", "watch", "patch"])).await;
    fixture.wait_ready("app").await;
    let told = warnings(&fixture, "watch");
    let of_secrets = |line: &&String| line.contains("watch Secrets");
    assert_eq!((told.len(), told.iter().filter(of_secrets).count()), (2, 1), "{told:#?}");
    fixture.end().await;
}
