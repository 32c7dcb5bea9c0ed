//! Several operators over the same namespace, each with a class of its own.

use cluster::Signal;
use serde_json::{Value, json};

use crate::checking::{Answer, check};
use crate::fixture::{Fixture, PASSWORD, Setup, iam, message, until, with, with_password};
use crate::rights::Rights;

const BLUE: &str = "blue";

/// An operator of class blue.
fn start_blue(fixture: &Fixture) {
    fixture.start_with(&[("ELASTICACHE_USERS_CLASS", BLUE.to_owned())]);
}

#[tokio::test]
async fn each_operator_looks_after_the_objects_of_its_class_alone() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    fixture.start();
    // Nobody looks after these two yet.
    let blue = with(iam(), json!({ "class": BLUE }));
    fixture.create("blue", blue).await;
    fixture.create("green", with(iam(), json!({ "class": "green" }))).await;
    fixture.ready("plain", iam()).await;
    fixture.ready("empty", with(iam(), json!({ "class": "" }))).await;
    assert_eq!(fixture.aws.user("blue").await, None);
    start_blue(&fixture);
    fixture.wait_ready("blue").await;
    // Each edit is sent once, by the one operator that the object belongs to.
    let edit = json!({ "spec": { "accessString": "on ~edited:* +@read" } });
    for name in ["plain", "blue"] {
        fixture.patch(name, edit.clone()).await;
        fixture.wait_ready(name).await;
        assert_eq!(fixture.aws.changes_of(name).await, ["CreateUser", "ModifyUser"], "{name}");
    }
    let green = fixture.shows("green", "its first version", |_| true).await;
    assert_eq!(
        (&green["metadata"]["finalizers"], &green["status"]["conditions"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(fixture.aws.calls_of("DescribeUsers", "green").await, Vec::<Value>::new());
    for name in ["plain", "empty", "blue", "green"] {
        fixture.deleted(name).await;
    }
    fixture.end().await;
}

#[tokio::test]
async fn an_object_of_another_class_owns_its_user_and_frees_it_when_it_goes() {
    // "second" has the user when "first" is gone.
    let fixture = Fixture::without_operator(Setup::leaving_users()).await;
    start_blue(&fixture);
    fixture.ready("first", with(iam(), json!({ "userID": "orders", "class": BLUE }))).await;
    fixture.start_with(&[("ELASTICACHE_USERS_RESYNC", "1h".to_owned())]);
    fixture.create("second", with(iam(), json!({ "userID": "orders" }))).await;
    let second = fixture.reason("second", "WaitingForPreviousUser").await;
    assert!(message(&second).contains("first"), "{}", message(&second));
    fixture.deleted("first").await;
    fixture.wait_ready("second").await;
    // AWS refused the first CreateUser of "second", because the user existed.
    for (action, times) in [("CreateUser", 2), ("DeleteUser", 1)] {
        assert_eq!(fixture.aws.accepted(action, "orders").await, times, "{action}");
    }
    fixture.deleted("second").await;
    fixture.end().await;
}

#[tokio::test]
async fn a_class_can_be_changed_until_the_object_has_a_user() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    fixture.start();
    fixture.create("app", with_password("late")).await;
    fixture.reason("app", "SecretNotFound").await;
    fixture.patch("app", json!({ "spec": { "class": BLUE } })).await;
    // The operator without a class leaves the object alone now, although the Secret comes.
    fixture.secret("late", PASSWORD).await;
    fixture.ready("proof", iam()).await;
    assert_eq!(fixture.aws.user("app").await, None);
    start_blue(&fixture);
    fixture.wait_ready("app").await;
    let mut command =
        fixture.kubectl(&["patch", "ecu", "app", "--type=merge", "-p", r#"{"spec":{"class":null}}"#]);
    let refused = command.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("class can not be changed, added or removed"),
        "{said}"
    );
    for name in ["app", "proof"] {
        fixture.deleted(name).await;
    }
    fixture.end().await;
}

#[tokio::test]
async fn check_names_another_operator_of_the_same_class() {
    let rights = Some(Rights::Administrator);
    let fixture = Fixture::without_operator(Setup { rights, ..Setup::default() }).await;
    let lease = |name: &str, class: &str| {
        [
            ("ELASTICACHE_USERS_LEADER_ELECT", "true".to_owned()),
            ("POD_NAMESPACE", fixture.ns.clone()),
            ("ELASTICACHE_USERS_LEASE_NAME", format!("{name}-release")),
            ("ELASTICACHE_USERS_CLASS", class.to_owned()),
        ]
    };
    // Fixtures of other tests have leaders too, so each class has a name that no other test uses.
    let class = fixture.ns.clone();
    fixture.start_with(&lease("first", &class));
    fixture.logged("leading").await;
    let asked = async |name: &str, class: &str| {
        let lease = lease(name, class);
        let env = lease.each_ref().map(|(name, value)| (*name, value.as_str()));
        check(&fixture, &[], &env).await
    };
    let is_silent = |answer: &Answer| answer.find("other-operators").is_none();
    assert!(is_silent(&asked("first", &class).await), "its own Lease");
    assert!(is_silent(&asked("second", &format!("{class}-x")).await), "another class");
    let named = format!("holds the Lease \"{}/first-release\"", fixture.ns);
    asked("second", &class).await.warns("other-operators", &named, "--class");
    fixture.signal(Signal::TERM);
    fixture.exit_code().await;
    until("the released Lease is no operator's", async || is_silent(&asked("second", &class).await)).await;
    fixture.end().await;
}
