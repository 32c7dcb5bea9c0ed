//! `passwordSource: External`: somebody else sets the passwords at AWS, for example the rotation of Secrets Manager.

use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::fixture::{Fixture, PASSWORD, Setup, iam, with, with_password};
use crate::rotating::{SECOND, THIRD, passwords};
use crate::secrecy;

/// A spec whose user gets its first password from this Secret.
fn external(secret: &str) -> Value {
    let mut spec = with_password(secret);
    spec["authentication"]["passwordSource"] = json!("External");
    spec
}

/// The same without a Secret.
fn external_without_secret() -> Value {
    with(iam(), json!({ "authentication": { "type": "password", "passwordSource": "External" } }))
}

/// What Secrets Manager's rotation leaves behind: the pending and the current password.
async fn rotate_at_aws(fixture: &Fixture) {
    fixture.aws.put_user("app", json!({ "Passwords": [SECOND, THIRD] })).await;
}

async fn has(fixture: &Fixture, wanted: &[&str]) -> bool {
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    passwords(fixture, "app").await == wanted
}

fn shows_no_versions(object: &Value) {
    let last = &object["status"]["lastApplied"];
    assert!(last["passwordVersions"].is_null() && last["accessString"].is_string(), "{last}");
}

#[tokio::test]
async fn passwords_that_others_set_at_aws_stay_whatever_happens_to_the_secret() {
    let fixture = Fixture::new().await;
    fixture.secret("one", PASSWORD).await;
    shows_no_versions(&fixture.ready("app", external("one")).await);
    fixture.ready("other", with_password("one")).await;
    assert!(has(&fixture, &[PASSWORD]).await, "the first password must be the Secret's");
    rotate_at_aws(&fixture).await;
    let object = fixture.reconcile_now("app").await;
    assert_eq!(object["status"]["authentication"]["passwordCount"], 2);
    shows_no_versions(&object);
    let before = fixture.aws.calls_of("DescribeUsers", "app").await.len();
    fixture.secret("one", THIRD).await;
    // The operator has seen the Secret change when the other object has sent it.
    fixture.event("other", "PasswordRotated").await;
    let after = fixture.aws.calls_of("DescribeUsers", "app").await.len();
    assert_eq!(before, after, "the changed Secret must cause no pass");
    let secrets: Api<k8s_openapi::api::core::v1::Secret> =
        Api::namespaced(fixture.client.clone(), &fixture.ns);
    secrets.delete("one", &DeleteParams::default()).await.unwrap();
    fixture.reconcile_now("app").await;
    fixture.patch("app", json!({ "spec": { "accessString": "on ~b:* -@all +@read" } })).await;
    fixture.wait_ready("app").await;
    assert!(has(&fixture, &[SECOND, THIRD]).await, "the operator must not change the passwords");
    fixture.end().await;
}

#[tokio::test]
async fn only_a_new_user_waits_for_the_secret_of_its_first_password() {
    let fixture = Fixture::new().await;
    fixture.create("app", external("one")).await;
    fixture.reason("app", "SecretNotFound").await;
    fixture.secret("one", PASSWORD).await;
    fixture.wait_ready("app").await;
    assert!(has(&fixture, &[PASSWORD]).await, "the first password must be the Secret's");
    fixture.end().await;
}

#[tokio::test]
async fn without_a_secret_the_first_password_is_random_and_secrets_are_sent_when_they_are_named_later() {
    let fixture = Fixture::new().await;
    let object = fixture.ready("app", external_without_secret()).await;
    assert_eq!(object["status"]["authentication"]["passwordCount"], 1);
    shows_no_versions(&object);
    let first = passwords(&fixture, "app").await;
    let change = async |authentication: &Value| {
        fixture.patch("app", json!({ "spec": { "authentication": authentication } })).await;
        fixture.wait_ready("app").await;
    };
    change(&json!({ "type": "iam", "passwordSource": null })).await;
    change(&external_without_secret()["authentication"]).await;
    let second = passwords(&fixture, "app").await;
    assert!(second.len() == 1 && first != second, "AWS must get another random password");
    for password in first.iter().chain(&second) {
        secrecy::remember_password(password);
    }
    fixture.secret("one", PASSWORD).await;
    let mut secrets = with_password("one");
    secrets["authentication"]["passwordSource"] = Value::Null;
    change(&secrets["authentication"]).await;
    assert!(has(&fixture, &[PASSWORD]).await, "the Secret's password must be sent");
    fixture.end().await;
}

#[tokio::test]
async fn an_adopted_user_keeps_the_passwords_that_others_set() {
    let fixture = Fixture::with(Setup::env(&[("ELASTICACHE_USERS_ADOPTION_NAMESPACE", "*")])).await;
    let spec = with(external_without_secret(), json!({ "adoptionPolicy": "Adopt" }));
    let user = json!({
        "Engine": spec["engine"], "AccessString": spec["accessString"],
        "Authentication": { "Type": "password" }, "Passwords": [SECOND, THIRD],
    });
    fixture.aws.put_user("app", user).await;
    fixture.ready("app", spec).await;
    assert_eq!(fixture.aws.calls_of("ModifyUser", "app").await.len(), 0);
    assert!(has(&fixture, &[SECOND, THIRD]).await, "the operator must not change the passwords");
    fixture.end().await;
}
