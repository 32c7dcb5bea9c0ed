//! A person applies an object, and the operator creates an AWS user that matches it.

use elasticache_emulator::Rule;
use serde_json::{Value, json};

use crate::fixture::{
    ACCOUNT, Fixture, PASSWORD, Setup, anothers_tags, condition, iam, message, with, with_password,
    with_passwords,
};

fn owner_tags(fixture: &Fixture, tags: &Value, name: &str) {
    assert_eq!(tags["elasticache-users.dev/namespace"], fixture.ns);
    assert_eq!(tags["elasticache-users.dev/name"], name);
    assert!(
        tags["elasticache-users.dev/cluster"].is_string() && tags["elasticache-users.dev/uid"].is_string()
    );
}

#[tokio::test]
async fn an_iam_user_is_created_with_two_calls_and_three_writes() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    fixture.start_with_sts();
    let object = fixture.ready("app", with(iam(), json!({ "tags": { "team": "search" } }))).await;

    let user = fixture.aws.user("app").await.unwrap();
    assert_eq!((&user["UserName"], &user["Engine"]), (&json!("app"), &json!("valkey")));
    assert_eq!(user["Authentication"]["Type"], "iam");
    assert_eq!(user["Tags"]["team"], "search");
    owner_tags(&fixture, &user["Tags"], "app");

    let status = &object["status"];
    assert_eq!(status["userID"], "app");
    assert_eq!(status["userName"], "app");
    assert_eq!(status["arn"], format!("arn:aws:elasticache:us-east-1:{ACCOUNT}:user:app"));
    assert_eq!(status["state"], "active");
    assert_eq!(status["engine"], "valkey");
    assert_eq!(status["minimumEngineVersion"], "7.0");
    assert_eq!(status["accessString"], "on ~* +@all");
    assert_eq!(status["authentication"], json!({ "type": "iam" }));
    assert_eq!(status["lastApplied"]["accessString"], "on ~* +@all");
    assert_eq!(status["lastApplied"]["expandedAccessString"], "on ~* +@all");
    assert_eq!(status["lastApplied"]["tagKeys"], json!(["team"]));

    // The event is the last thing that a pass writes. So another pass would have made its calls by now.
    assert_eq!(fixture.event("app", "UserCreated").await.kind, "Normal");
    let actions: Vec<Value> = fixture.aws.calls().await.iter().map(|call| call["Action"].clone()).collect();
    // The operator asks STS once for each set of credentials. This is no call of ElastiCache.
    assert_eq!(actions, ["GetCallerIdentity", "CreateUser"]);
    let versions = fixture.versions("app");
    // The versions: created, with the finalizer, with createRequestedAt, Ready.
    assert_eq!(versions.len(), 4, "{versions:#?}");
    assert!(versions[1]["metadata"]["finalizers"].as_array().unwrap().len() == 1);
    assert!(versions[1]["status"]["createRequestedAt"].is_null());
    assert!(versions[2]["status"]["createRequestedAt"].is_string());
    assert_eq!(condition(&versions[2], "Ready").unwrap()["reason"], "Creating");
    fixture.end().await;
}

#[tokio::test]
async fn a_password_user_gets_the_passwords_of_both_secrets() {
    let fixture = Fixture::new().await;
    fixture.secret("one", PASSWORD).await;
    fixture.secret("two", "another-long-passphrase").await;
    let named = json!({ "userID": "orders", "userName": "Orders Service" });
    let object = fixture.ready("app", with(with_passwords(&["one", "two"]), named)).await;
    let user = fixture.aws.user("orders").await.unwrap();
    assert_eq!(user["UserName"], "Orders Service");
    let mut passwords: Vec<&str> =
        user["Passwords"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    passwords.sort_unstable();
    assert!(
        passwords == [PASSWORD, "another-long-passphrase"],
        "AWS does not have the two passwords of the Secrets"
    );
    assert_eq!(object["status"]["authentication"], json!({ "type": "password", "passwordCount": 2 }));
    assert_eq!(object["status"]["lastApplied"]["passwordVersions"].as_array().unwrap().len(), 2);
    fixture.end().await;
}

#[tokio::test]
async fn a_problem_of_a_secret_is_reported_and_ends_as_soon_as_the_secret_is_right() {
    let fixture = Fixture::new().await;
    fixture.create("app", with_password("late")).await;
    fixture.reason("app", "SecretNotFound").await;
    fixture.event("app", "SecretNotFound").await;
    fixture.secret_with("late", json!({ "other": PASSWORD })).await;
    fixture.reason("app", "SecretKeyNotFound").await;
    fixture.event("app", "SecretKeyNotFound").await;
    for (bad, says) in [
        (format!("{PASSWORD}\n"), "newline"),
        ("too-short".to_owned(), "shorter than 16"),
        ("x".repeat(129), "longer than 128"),
        ("with,comma,in,the,middle".to_owned(), "contains the character `,`"),
    ] {
        fixture.secret_with("late", json!({ "password": bad })).await;
        let stalled =
            |object: &Value| condition(object, "Stalled").is_some() && message(object).contains(says);
        let object = fixture.shows("app", says, stalled).await;
        assert_eq!(condition(&object, "Stalled").unwrap()["reason"], "InvalidPassword");
        let status = serde_json::to_string(&object["status"]).unwrap();
        assert!(!status.contains(bad.trim()), "status shows the value");
    }
    assert!(fixture.aws.user("app").await.is_none());
    fixture.secret("late", PASSWORD).await;
    fixture.wait_ready("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn a_user_with_the_owner_tags_of_a_new_object_is_managed_without_a_change() {
    let fixture = Fixture::with(Setup::leaving_users()).await;
    fixture.ready("app", iam()).await;
    // As after a restored backup: the object is new, and the user has the tags of that object.
    fixture.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    assert!(fixture.aws.user("app").await.is_some());
    let object = fixture.ready("app", iam()).await;
    assert_eq!(object["status"]["lastApplied"]["accessString"], "on ~* +@all");
    assert_eq!(fixture.aws.accepted("CreateUser", "app").await, 1);
    assert_eq!(fixture.aws.calls_of("ModifyUser", "app").await.len(), 0);
    fixture.aws.put_user("app", json!({})).await;
    fixture.deleted("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn a_foreign_user_that_appears_between_the_read_and_create_user_is_not_claimed() {
    let fixture = Fixture::with(Setup::leaving_users()).await;
    // CreateUser takes long enough for somebody else to create the user first.
    let slow = fixture.aws.fault(Rule::on("CreateUser").slow(700)).await;
    fixture.create("app", iam()).await;
    fixture.aws.struck(slow, 1).await;
    fixture.aws.put_user("app", json!({ "Tags": anothers_tags("orders") })).await;
    fixture.reason("app", "UserOwnedByAnother").await;
    let before = fixture.aws.user("app").await.unwrap();
    fixture.deleted("app").await;
    assert_eq!(fixture.aws.user("app").await.unwrap(), before);
    assert_eq!(fixture.aws.calls_of("DeleteUser", "app").await.len(), 0);
    fixture.end().await;
}

#[tokio::test]
async fn create_user_waits_until_a_deleting_user_of_the_same_id_is_gone() {
    let fixture = Fixture::new().await;
    fixture.aws.put_user("app", json!({ "Status": "deleting" })).await;
    fixture.create("app", iam()).await;
    fixture.reason("app", "WaitingForPreviousUser").await;
    fixture.event("app", "WaitingForPreviousUser").await;
    fixture.aws.remove_user("app").await;
    fixture.wait_ready("app").await;
    fixture.deleted("app").await;
    fixture.end().await;
}

/// An answer to CreateUser, and what the object reports.
struct Refusal {
    fault: Rule,
    reason: &'static str,
    /// The condition that is true besides Ready=False.
    beside: &'static str,
}

#[tokio::test]
async fn failures_of_create_user_are_reported_and_survived() {
    let waits = |fault, reason| Refusal { fault, reason, beside: "Reconciling" };
    let stalls = |code, message, reason| Refusal {
        fault: Rule::any().error(code, 400).message(message),
        reason,
        beside: "Stalled",
    };
    let error = |code, status| Rule::any().error(code, status);
    let category = "Access string contains invalid category(s)";
    let rows = [
        waits(Rule::any().throttle(), "Throttled"),
        waits(Rule::any().unavailable(), "AWSUnavailable"),
        waits(error("AccessDenied", 403), "AccessDenied"),
        waits(error("ExpiredToken", 403), "CredentialsUnavailable"),
        waits(error("UserQuotaExceeded", 400), "QuotaExceeded"),
        waits(error("ServiceLinkedRoleNotFoundFault", 400), "ServiceLinkedRoleMissing"),
        waits(error("SomethingNew", 400), "AWSRefused"),
        stalls("InvalidParameterValue", category, "InvalidAccessString"),
        stalls("InvalidParameterCombination", "No.", "AuthenticationConflict"),
    ];
    let fixture = Fixture::new().await;
    for (index, Refusal { fault, reason, beside }) in rows.into_iter().enumerate() {
        let name = format!("app-{index}");
        fixture.aws.fault(fault.action("CreateUser").user(&name).always()).await;
        fixture.create(&name, iam()).await;
        let object = fixture.reason(&name, reason).await;
        assert!(condition(&object, beside).is_some(), "{reason}: {object:#}");
        let in_doubt = object["status"]["createRequestedAt"].is_string();
        assert_eq!(in_doubt, reason == "AWSUnavailable", "{reason}: {object:#}");
        fixture.event(&name, reason).await;
    }
    fixture.aws.clear_faults().await;
    for index in 0..9 {
        let name = format!("app-{index}");
        fixture.request_reconcile(&name).await;
        fixture.wait_ready(&name).await;
    }
    fixture.end().await;
}
