//! Our user was retained, and its object is applied again, but something is wrong with the object. The object must get the finalizer
//! nevertheless, and must not be removed before its user.

use elasticache_emulator::Rule;
use futures::StreamExt;
use serde_json::{Value, json};

use super::leaving;
use crate::fixture::{
    Fixture, PASSWORD, Setup, anothers_tags, condition, iam, prevent_deletion, until, with, with_password,
};

/// What is wrong with the object or its surroundings.
struct Problem {
    name: &'static str,
    /// The object that is applied again.
    spec: Value,
    annotations: Value,
    /// The operator's environment from the second apply on.
    env: Vec<(&'static str, String)>,
    /// What the emulator does to calls.
    fault: Option<Rule>,
    /// How the emulator shows the user.
    user: Value,
    /// The reason that the object reports before its deletion.
    reason: &'static str,
    /// The reason that blocks the deletion. `None` if the problem does not block it.
    holds: Option<&'static str>,
}

fn problem(name: &'static str, reason: &'static str, holds: Option<&'static str>) -> Problem {
    let (annotations, user) = (Value::Null, Value::Null);
    Problem { name, spec: iam(), annotations, env: Vec::new(), fault: None, user, reason, holds }
}

fn problems() -> Vec<Problem> {
    let tags = |code: &str, status: u16| Some(Rule::on("ListTagsForResource").error(code, status).always());
    let shown = |state: &str| json!({ "Status": state });
    let waits = Some("WaitingForUserActive");
    let protected = json!({ "elasticache-users.dev/prevent-deletion": "true" });
    let prefix = vec![("ELASTICACHE_USERS_REQUIRED_USER_ID_PREFIX", "theirs-".to_owned())];
    let named = |name: &str| with(with_password("pw"), json!({ "userName": name }));
    vec![
        Problem {
            spec: with_password("missing"),
            ..problem("the Secret is missing", "SecretNotFound", None)
        },
        Problem {
            spec: with_password("short"),
            ..problem("the password is invalid", "InvalidPassword", None)
        },
        Problem { spec: named("other"), ..problem("the user name is another", "InvalidSpec", None) },
        // A rule that is newer than the user does not release the user.
        Problem { env: prefix, ..problem("the ID is no longer allowed", "Active", None) },
        Problem {
            fault: tags("AccessDenied", 403),
            ..problem("ListTagsForResource is denied", "AccessDenied", Some("AccessDenied"))
        },
        Problem {
            fault: Some(Rule::on("DescribeUsers").error("AccessDenied", 403).always()),
            ..problem("DescribeUsers is denied", "AccessDenied", Some("AccessDenied"))
        },
        Problem {
            fault: tags("UserNotFound", 404),
            ..problem("the tags cannot be read", "WaitingForUserActive", waits)
        },
        Problem { user: shown("modifying"), ..problem("the user is busy", "WaitingForUserActive", waits) },
        Problem {
            user: shown("migrating"),
            ..problem("its state is not known", "WaitingForUserActive", waits)
        },
        Problem {
            spec: with_password("missing"),
            annotations: protected,
            ..problem("prevent-deletion is set too", "SecretNotFound", Some("DeletionProtected"))
        },
    ]
}

/// A fixture with a retained user, whose object is deleted.
async fn retained() -> Fixture {
    retained_in(leaving().await).await
}

async fn retained_in(fixture: Fixture) -> Fixture {
    fixture.ready("app", with(iam(), json!({ "deletionPolicy": "Retain" }))).await;
    fixture.deleted("app").await;
    fixture.secret("pw", PASSWORD).await;
    fixture.secret("short", "too-short").await;
    fixture
}

/// Applies the object again, with `deletionPolicy: Delete`, and returns its uid.
async fn applied_again(fixture: &Fixture, spec: &Value, annotations: &Value) -> Value {
    let mut spec = spec.clone();
    spec["deletionPolicy"] = json!("Delete");
    let mut object = crate::fixture::manifest("app", spec);
    object["metadata"]["annotations"] = annotations.clone();
    let object = serde_json::from_value(object).unwrap();
    let created = fixture.users().create(&Default::default(), &object).await.unwrap();
    json!(created.metadata.uid.unwrap())
}

fn finalizers(object: &Value) -> usize {
    object["metadata"]["finalizers"].as_array().map_or(0, Vec::len)
}

/// Waits until the object with this uid reports this reason.
async fn wait_for_report(fixture: &Fixture, uid: &Value, reason: &str, leaving: bool) -> Value {
    let told = |object: &Value| {
        let of_it = object["metadata"]["uid"] == *uid;
        let type_ = if leaving { "Deleting" } else { "Ready" };
        of_it && condition(object, type_).is_some_and(|told| told["reason"] == reason)
    };
    fixture.shows("app", &format!("the new object reports {reason}"), told).await
}

async fn gone(fixture: &Fixture) {
    until("the object is gone", async || fixture.users().get_opt("app").await.unwrap().is_none()).await;
}

async fn is_held(Problem { name, spec, annotations, env, fault, user, reason, holds }: Problem) {
    println!("{name}");
    let fixture = retained().await;
    if !env.is_empty() {
        fixture.kill();
        fixture.start_with(&env);
    }
    if let Some(fault) = fault {
        fixture.aws.fault(fault).await;
    }
    if !user.is_null() {
        fixture.aws.put_user("app", user).await;
    }
    let uid = applied_again(&fixture, &spec, &annotations).await;
    let object = wait_for_report(&fixture, &uid, reason, false).await;
    assert_eq!(finalizers(&object), 1, "{name}: {object:#}");
    fixture.delete("app").await;
    if let Some(reason) = holds {
        wait_for_report(&fixture, &uid, reason, true).await;
        assert!(fixture.aws.user("app").await.is_some());
        fixture.aws.clear_faults().await;
        fixture.aws.put_user("app", json!({ "Status": "active" })).await;
        fixture.request_reconcile("app").await;
        if !annotations.is_null() {
            let none = prevent_deletion(false);
            fixture.patch("app", none).await;
        }
    }
    gone(&fixture).await;
    assert_eq!(fixture.aws.user("app").await, None, "{name}: the object went before its user");
    assert_eq!(fixture.aws.accepted("DeleteUser", "app").await, 1, "{name}");
    fixture.end().await;
}

#[tokio::test]
async fn an_object_whose_user_is_ours_gets_the_finalizer_whatever_is_wrong_with_the_object() {
    futures::stream::iter(problems()).for_each_concurrent(3, is_held).await;
}

#[tokio::test]
async fn an_object_for_which_aws_could_not_be_asked_is_removed_at_once() {
    let fixture = retained().await;
    fixture.kill();
    // The second permit comes after 20 s.
    fixture.start_with(&[
        ("ELASTICACHE_USERS_AWS_RATE", "0.05".to_owned()),
        ("ELASTICACHE_USERS_AWS_BURST", "1".to_owned()),
    ]);
    fixture.ready("first", iam()).await;
    let waits = |fixture: &Fixture| {
        let logs = fixture.logs();
        logs.lines().filter(|line| line.contains("/app") && line.contains("AcquireToken")).count()
    };
    let before = waits(&fixture);
    applied_again(&fixture, &iam(), &Value::Null).await;
    until("its pass waits for a permit", async || waits(&fixture) > before).await;
    let object = fixture.users().get("app").await.unwrap();
    assert_eq!(object.metadata.finalizers, None);
    fixture.delete("app").await;
    gone(&fixture).await;
    assert!(fixture.aws.user("app").await.is_some());
    fixture.end().await;
}

#[tokio::test]
async fn a_user_that_is_not_ours_does_not_hold_the_object() {
    // IAM denies CreateUser if the user of this ID is another cluster's.
    let setup = Setup { refuses: true, ..Setup::leaving_users() };
    let fixture = retained_in(Fixture::with(setup).await).await;
    for (tags, reason) in [(anothers_tags("app"), "UserOwnedByAnother"), (json!({}), "UserAlreadyExists")] {
        fixture.aws.put_user("app", json!({ "Tags": tags })).await;
        let uid = applied_again(&fixture, &iam(), &Value::Null).await;
        let object = wait_for_report(&fixture, &uid, reason, false).await;
        assert_eq!(finalizers(&object), 0, "{object:#}");
        fixture.delete("app").await;
        gone(&fixture).await;
        assert!(fixture.aws.user("app").await.is_some());
    }
    fixture.end().await;
}
