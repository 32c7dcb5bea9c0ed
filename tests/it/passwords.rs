//! Passwords go from Secrets to AWS and appear nowhere else. Each fixture checks that at its end. Here the log level is the highest, and
//! AWS's answers contain the passwords.

use elasticache_emulator::Rule;
use serde_json::json;

use crate::fixture::{Fixture, Setup, condition, with_passwords};
use crate::secrecy;

const ONE: &str = "correct horse+battery%staple";
const OTHER: &str = "another-one-of-16-or-more";

/// A user with two passwords. The Secret of one of them also has another key.
async fn two_passwords(fixture: &Fixture) -> serde_json::Value {
    fixture.secret("one", ONE).await;
    fixture.secret_with("two", json!({ "password": OTHER, "beside": "what-nobody-asked-for" })).await;
    with_passwords(&["one", "two"])
}

#[tokio::test]
async fn no_password_appears_in_the_log_at_level_trace_of_every_crate() {
    let fixture = Fixture::with(Setup::env(&[("ELASTICACHE_USERS_LOG", "trace")])).await;
    let spec = two_passwords(&fixture).await;
    fixture.ready("app", spec).await;
    fixture.kill();
    fixture.start();
    fixture.request_reconcile("app").await;
    fixture.deleted("app").await;
    let logs = fixture.logs();
    for target in ["TRACE tower::buffer", " aws_smithy_runtime", "hyper_util"] {
        assert!(logs.contains(target), "{target} logs nothing, so this test checks nothing");
    }
    let pages = fixture.metrics().concat().matches("elasticache_user_build_info{").count();
    assert_eq!(pages, 2, "one page of metrics for each operator");
    fixture.end().await;
}

#[tokio::test]
async fn a_password_that_aws_repeats_is_shown_to_nobody() {
    let fixture = Fixture::with(Setup::env(&[("ELASTICACHE_USERS_LOG", "trace")])).await;
    let spec = two_passwords(&fixture).await;
    let message = format!("The password {ONE} is bad, and so is {OTHER}");
    let fault = Rule::on("CreateUser").error("InvalidParameterValue", 400).message(message).always();
    fixture.aws.fault(fault).await;
    fixture.create("app", spec).await;
    let object = fixture.reason("app", "InvalidPassword").await;
    let told = condition(&object, "Ready").unwrap()["message"].as_str().unwrap().to_owned();
    assert!(told.contains("The password [redacted] is bad, and so is [redacted]."), "{told}");
    let note = fixture.event("app", "InvalidPassword").await.note;
    assert!(note.contains("[redacted]"), "{note}");
    fixture.aws.clear_faults().await;
    fixture.request_reconcile("app").await;
    fixture.wait_ready("app").await;
    fixture.end().await;
}

#[test]
fn a_failing_test_shows_no_password() {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "passwords::a_test_that_fails_with_a_password", "--ignored"];
    let output = std::process::Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains("1 failed") && said.contains("it is [password]"), "{}", secrecy::redacted(&said));
    secrecy::assert_silent("the test's output", &said);
}

#[test]
#[ignore = "the other process of a_failing_test_shows_no_password"]
fn a_test_that_fails_with_a_password() {
    secrecy::remember_password(ONE);
    panic!("it is {ONE}");
}
