//! Passwords go from Secrets to AWS and show nowhere. Each stage holds that at its end; here everything is logged that
//! there is to log, and AWS itself says them aloud.

use serde_json::json;

use crate::secrecy;
use crate::stage::{Setting, Stage, condition, with_password};

const ONE: &str = "correct horse+battery%staple";
const OTHER: &str = "another-one-of-16-or-more";

/// A user with two passwords, one of which stands in a Secret with something else.
async fn two_passwords(stage: &Stage) -> serde_json::Value {
    stage.secret("one", ONE).await;
    stage.secret_with("two", json!({ "password": OTHER, "beside": "what-nobody-asked-for" })).await;
    let mut spec = with_password("one");
    let second = json!({ "secretKeyRef": { "name": "two", "key": "password" } });
    spec["authentication"]["passwords"].as_array_mut().unwrap().push(second);
    spec
}

#[tokio::test]
async fn nothing_shows_at_the_finest_level_of_every_crate() {
    let env = vec![("LOG", "trace".to_owned())];
    let stage = Stage::set(Setting { env, ..Setting::default() }).await;
    let spec = two_passwords(&stage).await;
    stage.ready("app", spec).await;
    stage.kill();
    stage.start();
    stage.nudge("app").await;
    stage.deleted("app").await;
    let logs = stage.logs();
    for target in ["TRACE kube_client", " aws_smithy_runtime", "hyper_util"] {
        assert!(logs.contains(target), "{target} logs nothing: this test looks at nothing");
    }
    assert_eq!(stage.metrics().matches("elasticache_user_build_info{").count(), 2, "a page of each operator");
    stage.end().await;
}

#[tokio::test]
async fn a_password_that_aws_repeats_is_shown_to_nobody() {
    let env = vec![("LOG", "trace".to_owned())];
    let stage = Stage::set(Setting { env, ..Setting::default() }).await;
    let spec = two_passwords(&stage).await;
    let message = format!("The password {ONE} is bad, and so is {OTHER}");
    let fault = json!({
        "Action": "CreateUser", "Kind": "error", "Code": "InvalidParameterValue", "Message": message, "Times": null,
    });
    stage.aws.fault(fault).await;
    stage.create("app", spec).await;
    let object = stage.reason("app", "InvalidPassword").await;
    let told = condition(&object, "Ready").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(told.contains("The password [redacted] is bad, and so is [redacted]."), "{told}");
    let (_, _, note) = stage.event("app", "InvalidPassword").await;
    assert!(note.contains("[redacted]"), "{note}");
    stage.aws.heal().await;
    stage.nudge("app").await;
    stage.is_ready("app").await;
    stage.end().await;
}

#[test]
fn a_test_that_fails_shows_none_either() {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "passwords::one_that_fails", "--ignored"];
    let output = std::process::Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains("1 failed") && said.contains("it is [password]"), "{}", secrecy::redacted(&said));
    secrecy::assert_silent("the test's output", &said);
}

#[test]
#[ignore = "the other process of a_test_that_fails_shows_none_either"]
fn one_that_fails() {
    secrecy::remember_password(ONE);
    panic!("it is {ONE}");
}
