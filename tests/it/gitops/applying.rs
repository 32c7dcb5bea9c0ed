//! Flux applies users and waits for them.

use serde_json::{Value, json};

use super::flux::{Controller, Flux, has_status, message};
use super::{SHOP, Shop, impatient, spec};
use crate::audit::Writes;
use crate::control_plane;
use crate::fixture::{
    Fixture, PASSWORD, Setup, condition, iam, iam_user, is_ready, manifest, until, with, with_password,
};

/// Flux has applied everything, and waits.
fn is_checking(object: &Value) -> bool {
    let message = condition(object, "Reconciling").and_then(|reconciling| reconciling["message"].as_str());
    message.is_some_and(|message| message.contains("Running health checks"))
}

#[tokio::test]
#[ignore = "make gitops"]
async fn a_kustomization_is_ready_as_soon_as_its_users_are() {
    let shop = Shop::new().await;
    shop.deploy(&[("app", iam())]).await;
    assert!(is_ready(&shop.object("app").await));
    assert_eq!(shop.fixture.aws.user("app").await.unwrap()["Status"], "active");
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn a_secret_may_come_later_than_the_user_that_names_it() {
    let shop = Shop::new().await;
    let revision = shop.push(&[("app", with_password("pw"))]).await;
    shop.fixture.reason("app", "SecretNotFound").await;
    let waiting = shop.flux.shows(SHOP, "it waits", is_checking).await;
    assert!(has_status(&waiting, "Unknown"), "{waiting:#}");
    shop.fixture.secret("pw", PASSWORD).await;
    shop.flux.ready(SHOP, &revision).await;
    assert_eq!(shop.flux.failures(), [""; 0]);
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn a_stalled_user_fails_the_kustomization_at_once_and_flux_tries_again() {
    // The timeout is that of the example, five minutes: the test would not wait so long.
    let shop = Shop::with(Setup::default(), json!({ "retryInterval": "2s" })).await;
    shop.fixture.aws.put_user("app", iam_user()).await;
    let revision = shop.push(&[("app", iam())]).await;
    let said = shop.flux.failed(SHOP, &revision).await;
    shop.fixture.reason("app", "UserAlreadyExists").await;
    let expected = format!("ElastiCacheUser/{}/app status: 'Failed'", shop.fixture.ns);
    assert!(said.contains(&expected), "{said}");
    shop.flux.publishes_error(SHOP, &expected).await;
    let reason = "UserAlreadyExists";
    assert!(
        !said.contains(reason),
        "Flux shows our reason now: the documentation says that it does not: {said}"
    );
    shop.fixture.aws.remove_user("app").await;
    shop.fixture.request_reconcile("app").await;
    shop.flux.ready(SHOP, &revision).await;
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn a_commit_that_is_pushed_while_flux_waits_is_taken_up_when_the_wait_has_timed_out() {
    // Flux would begin its next attempt after an hour, but for the commit.
    let shop = Shop::with(Setup::default(), json!({ "timeout": "20s", "retryInterval": "1h" })).await;
    let former = shop.push(&[("app", with_password("pw"))]).await;
    shop.fixture.reason("app", "SecretNotFound").await;
    shop.flux.shows(SHOP, "it waits", is_checking).await;
    let revision = shop.push(&[("app", iam())]).await;
    let said = shop.flux.failed(SHOP, &former).await;
    assert!(said.contains("timeout"), "{said}");
    shop.flux.ready(SHOP, &revision).await;
    assert_eq!(shop.flux.failures().len(), 1, "{:#?}", shop.flux.failures());
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn with_a_feature_gate_flux_takes_up_a_commit_while_it_waits() {
    let cluster = control_plane::own();
    let controller = Controller::start(&cluster, &["--feature-gates=CancelHealthCheckOnNewRevision=true"]);
    let fixture = Fixture::on(&cluster).await;
    let flux = Flux::on(&controller, &fixture.client, "flux").await;
    // The timeout is that of the example, five minutes: the test would not wait so long.
    let shop = Shop::of(fixture, flux, json!({})).await;
    shop.push(&[("app", with_password("pw"))]).await;
    shop.flux.shows(SHOP, "it waits", is_checking).await;
    shop.deploy(&[("app", iam())]).await;
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn an_edit_is_in_aws_when_the_kustomization_is_ready_again() {
    let shop = Shop::new().await;
    shop.deploy(&[("app", iam())]).await;
    let edited = "on ~orders:* -@all +@read";
    shop.deploy(&[("app", with(iam(), json!({ "accessString": edited })))]).await;
    assert_eq!(shop.fixture.aws.user("app").await.unwrap()["AccessString"], edited);
    assert_eq!(shop.flux.failures(), [""; 0]);
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn reconciles_of_flux_cause_no_write_and_no_aws_call() {
    const NAMES: [&str; 2] = ["by-iam", "by-password"];
    let shop = Shop::with(Setup::env(&[("ELASTICACHE_USERS_RESYNC", "24h")]), json!({})).await;
    let fixture = &shop.fixture;
    fixture.secret("pw", PASSWORD).await;
    shop.deploy(&[(NAMES[0], iam()), (NAMES[1], with_password("pw"))]).await;
    for name in NAMES {
        // The event is the last thing that a pass writes.
        fixture.event(name, "UserCreated").await;
    }
    let versions = async || {
        let mut versions = Vec::new();
        for name in NAMES {
            versions.push(shop.object(name).await["metadata"]["resourceVersion"].clone());
        }
        versions
    };
    // The number of reads counts those of other fixtures' operators too.
    let writes = || fixture.writes().map(|writes| Writes { requests: 0, ..writes });
    let (before, calls, written) = (versions().await, fixture.aws.calls().await.len(), writes());
    for _ in 0..3 {
        shop.flux.reconcile(SHOP).await;
    }
    assert_eq!(versions().await, before);
    assert_eq!(fixture.aws.calls().await.len(), calls);
    assert_eq!(writes(), written);
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn a_kustomization_that_depends_on_another_waits_for_the_users_of_that_one() {
    let shop = Shop::with(Setup::default(), json!({ "path": "./first" })).await;
    let target =
        json!({ "path": "./second", "targetNamespace": shop.fixture.ns, "dependsOn": [{ "name": SHOP }] });
    shop.flux.create("second", with(spec(), target)).await;
    let first = manifest("app", with_password("pw")).to_string();
    let second = manifest("other", iam()).to_string();
    let revision = shop.flux.push(&[("first/user.yaml", first), ("second/user.yaml", second)]).await;
    shop.fixture.reason("app", "SecretNotFound").await;
    let held = |object: &Value| {
        condition(object, "Ready").is_some_and(|ready| ready["reason"] == "DependencyNotReady")
    };
    let object = shop.flux.shows("second", "its dependency is not ready", held).await;
    assert!(message(&object).contains(SHOP), "{}", message(&object));
    assert!(shop.fixture.users().get_opt("other").await.unwrap().is_none());
    shop.fixture.secret("pw", PASSWORD).await;
    shop.flux.ready(SHOP, &revision).await;
    shop.flux.ready("second", &revision).await;
    shop.fixture.wait_ready("other").await;
    shop.flux.patch("second", json!({ "spec": { "suspend": true } })).await;
    shop.end().await;
}

#[tokio::test]
#[ignore = "make gitops"]
async fn a_suspended_user_is_current_once_it_was_ready_and_in_progress_otherwise() {
    let shop = Shop::with(Setup::default(), impatient()).await;
    let suspended = || with(iam(), json!({ "suspend": true }));
    shop.deploy(&[("app", iam())]).await;
    shop.deploy(&[("app", suspended())]).await;
    shop.fixture.reason("app", "Suspended").await;
    let revision = shop.push(&[("app", suspended()), ("new", suspended())]).await;
    let said = shop.flux.failed(SHOP, &revision).await;
    let expected = format!("ElastiCacheUser/{}/new status: 'InProgress'", shop.fixture.ns);
    assert!(said.contains(&expected) && !said.contains("/app "), "{said}");
    shop.deploy(&[("app", iam()), ("new", iam())]).await;
    shop.end().await;
}

/// A kustomization whose Secret gets a prefix and a hash.
const GENERATED: &str = "
namePrefix: team-
resources: [user.yaml]
secretGenerator:
- name: app
  literals: [password=PASSWORD]
configurations: [name-reference.yaml]
";

#[tokio::test]
#[ignore = "make gitops"]
async fn a_new_hash_of_a_generated_secret_brings_the_new_password_to_aws() {
    let shop = Shop::new().await;
    let fixture = &shop.fixture;
    for password in ["a-first-long-passphrase", "a-second-long-passphrase"] {
        crate::secrecy::remember(&json!(password));
        let revision = shop
            .flux
            .push(&[
                ("kustomization.yaml", GENERATED.replace("PASSWORD", password)),
                (
                    "user.yaml",
                    manifest("app", with(with_password("app"), json!({ "userID": "app" }))).to_string(),
                ),
                ("name-reference.yaml", crate::repository::read("deploy/kustomize/name-reference.yaml")),
            ])
            .await;
        shop.flux.ready(SHOP, &revision).await;
        // The passwords are compared and never shown.
        let has = fixture.aws.user("app").await.unwrap()["Passwords"] == json!([password]);
        assert!(has, "AWS must have the password of {revision}");
        assert_eq!(shop.flux.failures(), [""; 0]);
    }
    let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> =
        kube::Api::namespaced(fixture.client.clone(), &fixture.ns);
    until("Flux has pruned the former Secret", async || {
        let names = secrets.list_metadata(&Default::default()).await.unwrap().items;
        names
            .iter()
            .filter(|secret| secret.metadata.name.as_ref().is_some_and(|name| name.starts_with("team-app-")))
            .count()
            == 1
    })
    .await;
    shop.end().await;
}
