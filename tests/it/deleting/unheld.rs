//! A user of ours whose object was applied again, with something wrong: the object has the finalizer all the same, and does
//! not go before its user.

use elasticache_emulator::Rule;
use futures::StreamExt;
use serde_json::{Value, json};

use super::leaving;
use crate::fixture::{
    Fixture, PASSWORD, Setup, anothers_tags, condition, iam, prevent_deletion, until, with, with_password,
};

/// What is wrong, and how it is put right.
struct Wrong {
    name: &'static str,
    /// The object that is applied again.
    spec: Value,
    annotations: Value,
    /// The operator's environment from then on.
    env: Vec<(&'static str, String)>,
    /// What the emulator does to calls.
    fault: Option<Rule>,
    /// How the emulator shows the user.
    user: Value,
    /// What is told of it while the object is there, and once it is being deleted.
    reason: &'static str,
    /// What is told once the object is being deleted; `None`: it does not matter any more.
    holds: Option<&'static str>,
}

fn wrong(name: &'static str, reason: &'static str, holds: Option<&'static str>) -> Wrong {
    let (annotations, user) = (Value::Null, Value::Null);
    Wrong { name, spec: iam(), annotations, env: Vec::new(), fault: None, user, reason, holds }
}

fn wrongs() -> Vec<Wrong> {
    let tags = |code: &str, status: u16| Some(Rule::on("ListTagsForResource").error(code, status).always());
    let shown = |state: &str| json!({ "Status": state });
    let waits = Some("WaitingForUserActive");
    let protected = json!({ "elasticache-users.dev/prevent-deletion": "true" });
    let prefix = vec![("ELASTICACHE_USERS_REQUIRED_USER_ID_PREFIX", "theirs-".to_owned())];
    let named = |name: &str| with(with_password("pw"), json!({ "userName": name }));
    vec![
        Wrong { spec: with_password("missing"), ..wrong("the Secret is missing", "SecretNotFound", None) },
        Wrong { spec: with_password("short"), ..wrong("the password is invalid", "InvalidPassword", None) },
        Wrong { spec: named("other"), ..wrong("the user name is another", "InvalidSpec", None) },
        // A rule that came later is no reason to let go of a user that is ours.
        Wrong { env: prefix, ..wrong("the ID is no longer allowed", "Active", None) },
        Wrong {
            fault: tags("AccessDenied", 403),
            ..wrong("ListTagsForResource is denied", "AccessDenied", Some("AccessDenied"))
        },
        Wrong {
            fault: Some(Rule::on("DescribeUsers").error("AccessDenied", 403).always()),
            ..wrong("DescribeUsers is denied", "AccessDenied", Some("AccessDenied"))
        },
        Wrong {
            fault: tags("UserNotFound", 404),
            ..wrong("the tags cannot be read", "WaitingForUserActive", waits)
        },
        Wrong { user: shown("modifying"), ..wrong("the user is busy", "WaitingForUserActive", waits) },
        Wrong { user: shown("migrating"), ..wrong("its state is not known", "WaitingForUserActive", waits) },
        Wrong {
            spec: with_password("missing"),
            annotations: protected,
            ..wrong("prevent-deletion is set too", "SecretNotFound", Some("DeletionProtected"))
        },
    ]
}

/// A user of ours without an object: made, retained, and its object deleted.
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

/// Applies the object again, with `deletionPolicy: Delete`, and answers its uid.
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

/// Waits until this very object tells this reason.
async fn tells(fixture: &Fixture, uid: &Value, reason: &str, leaving: bool) -> Value {
    let told = |object: &Value| {
        let of_it = object["metadata"]["uid"] == *uid;
        let type_ = if leaving { "Deleting" } else { "Ready" };
        of_it && condition(object, type_).is_some_and(|told| told["reason"] == reason)
    };
    fixture.shows("app", &format!("it tells {reason}"), told).await
}

async fn gone(fixture: &Fixture) {
    until("the object is gone", async || fixture.users().get_opt("app").await.unwrap().is_none()).await;
}

async fn is_held(Wrong { name, spec, annotations, env, fault, user, reason, holds }: Wrong) {
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
    let object = tells(&fixture, &uid, reason, false).await;
    assert_eq!(finalizers(&object), 1, "{name}: {object:#}");
    fixture.delete("app").await;
    if let Some(reason) = holds {
        tells(&fixture, &uid, reason, true).await;
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
async fn a_user_of_ours_holds_its_object_whatever_is_wrong_with_it() {
    futures::stream::iter(wrongs()).for_each_concurrent(3, is_held).await;
}

#[tokio::test]
async fn an_object_for_which_aws_could_not_be_asked_goes_at_once() {
    let fixture = retained().await;
    fixture.kill();
    // The second token comes after 20 s.
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
    until("its pass waits for a token", async || waits(&fixture) > before).await;
    let object = fixture.users().get("app").await.unwrap();
    assert_eq!(object.metadata.finalizers, None);
    fixture.delete("app").await;
    gone(&fixture).await;
    assert!(fixture.aws.user("app").await.is_some());
    fixture.end().await;
}

#[tokio::test]
async fn a_user_of_anothers_or_of_nobody_never_holds_an_object() {
    // IAM denies CreateUser if another cluster's user has this ID.
    let setup = Setup { refuses: true, ..Setup::leaving_users() };
    let fixture = retained_in(Fixture::with(setup).await).await;
    for (tags, reason) in [(anothers_tags("app"), "UserOwnedByAnother"), (json!({}), "UserAlreadyExists")] {
        fixture.aws.put_user("app", json!({ "Tags": tags })).await;
        let uid = applied_again(&fixture, &iam(), &Value::Null).await;
        let object = tells(&fixture, &uid, reason, false).await;
        assert_eq!(finalizers(&object), 0, "{object:#}");
        fixture.delete("app").await;
        gone(&fixture).await;
        assert!(fixture.aws.user("app").await.is_some());
    }
    fixture.end().await;
}
