//! Whose an AWS user is: taken over from nobody, never from another, and handed from object to object.

use std::time::Duration;

use serde_json::{Value, json};

use crate::policies::ended;
use crate::rights::Rights;
use crate::stage::{PASSWORD, Setting, Stage, condition, iam, until, with_password};

/// A stage where users may stay, without an operator yet.
async fn dark() -> Stage {
    Stage::dark(Setting { leaves_users: true, ..Setting::default() }).await
}

/// Objects of this stage's namespace may adopt.
fn adopters(stage: &Stage) -> (&'static str, String) {
    ("ADOPTION_NAMESPACE", format!("somewhere-else,{}", stage.ns))
}

async fn adopting() -> Stage {
    let stage = dark().await;
    stage.start_with(&[adopters(&stage)]);
    stage
}

/// The spec of an object that asks for the user.
fn asking(mut spec: Value, user: &str) -> Value {
    spec["userID"] = json!(user);
    spec["adoptionPolicy"] = json!("Adopt");
    spec
}

fn retained(mut spec: Value, user: &str) -> Value {
    spec["userID"] = json!(user);
    spec["deletionPolicy"] = json!("Retain");
    spec
}

fn named(user: &str) -> Value {
    let mut spec = iam();
    spec["userID"] = json!(user);
    spec
}

/// A user of nobody that is as [`iam`] asks.
fn matching() -> Value {
    json!({
        "Engine": "valkey", "AccessString": "on ~* +@all", "Authentication": { "Type": "iam" },
        "Tags": { "made-by": "terraform" },
    })
}

fn message(object: &Value) -> &str {
    condition(object, "Ready").and_then(|ready| ready["message"].as_str()).unwrap_or_default()
}

/// The names of the calls that changed anything about the user, in order.
async fn mutations(stage: &Stage, user: &str) -> Vec<String> {
    let reads = ["DescribeUsers", "ListTagsForResource"];
    let calls = stage.aws.calls().await.into_iter().filter(|call| {
        let params = &call["Params"];
        let arn = params["ResourceName"].as_str().unwrap_or_default();
        params["UserId"] == user || arn.ends_with(&format!(":user:{user}"))
    });
    let actions = calls.map(|call| call["Action"].as_str().unwrap().to_owned());
    actions.filter(|action| !reads.contains(&action.as_str())).collect()
}

async fn reasons(stage: &Stage, name: &str) -> Vec<String> {
    stage.events(name).await.into_iter().map(|(_, reason, _)| reason).collect()
}

fn owner(user: &Value) -> (&str, &str) {
    let tag = |key: &str| user["Tags"][format!("elasticache-users.dev/{key}")].as_str().unwrap_or_default();
    (tag("namespace"), tag("name"))
}

#[tokio::test]
async fn a_user_of_nobody_is_tagged_and_then_changed_to_match() {
    for everywhere in [false, true] {
        let stage = dark().await;
        let allowed = if everywhere { ("ADOPTION_NAMESPACE", "*".to_owned()) } else { adopters(&stage) };
        stage.start_with(&[allowed]);
        stage.secret("pw", PASSWORD).await;
        let former = json!({
            "AccessString": "on ~old:* +@all", "Passwords": ["the-former-passphrase"],
            "Tags": { "made-by": "terraform", "team": "old" },
        });
        stage.aws.put_user("orders", former).await;
        let mut spec = asking(with_password("pw"), "orders");
        spec["tags"] = json!({ "team": "search" });
        let object = stage.ready("app", spec).await;

        assert_eq!(mutations(&stage, "orders").await, ["AddTagsToResource", "ModifyUser"]);
        let modify = stage.aws.calls_of("ModifyUser", "orders").await.remove(0);
        let params = &modify["Params"];
        assert!(params["Engine"].is_null(), "only what differs is sent");
        assert_eq!(params["AccessString"], "on ~app:* -@all +@read");
        let user = stage.aws.user("orders").await.unwrap();
        assert!(user["Passwords"] == json!([PASSWORD]), "not the Secret's password");
        assert_eq!(owner(&user), (stage.ns.as_str(), "app"));
        assert_eq!(
            (&user["Tags"]["made-by"], &user["Tags"]["team"]),
            (&json!("terraform"), &json!("search"))
        );
        assert_eq!(object["status"]["lastApplied"]["tagKeys"], json!(["team"]));
        stage.event("app", "UserModified").await;
        assert_eq!(reasons(&stage, "app").await, ["Adopted", "UserModified"]);
        // From here on it is this object's like any other.
        stage.deleted("app").await;
        assert!(stage.aws.user("orders").await.is_none());
        ended(stage).await;
    }
}

#[tokio::test]
async fn passwords_are_sent_once_though_nothing_seems_to_differ() {
    let stage = adopting().await;
    stage.secret("pw", PASSWORD).await;
    let like = json!({ "AccessString": "on ~app:* -@all +@read", "Passwords": ["the-former-passphrase"], "Tags": {} });
    stage.aws.put_user("orders", like).await;
    stage.ready("app", asking(with_password("pw"), "orders")).await;
    let user = stage.aws.user("orders").await.unwrap();
    assert!(user["Passwords"] == json!([PASSWORD]), "not the Secret's password");
    stage.nudge("app").await;
    stage.shows("app", "echo", |object| object["status"]["lastHandledReconcileAt"] == "now").await;
    let modify = stage.aws.calls_of("ModifyUser", "orders").await;
    assert_eq!(modify.len(), 1);
    assert!(modify[0]["Params"]["AccessString"].is_null() && modify[0]["Params"]["Engine"].is_null());
    assert_eq!(reasons(&stage, "app").await, ["Adopted", "UserModified"]);
    ended(stage).await;
}

#[tokio::test]
async fn a_user_that_matches_gets_tags_and_nothing_else() {
    let stage = adopting().await;
    stage.aws.settings(json!({ "tag-window": "1s" })).await;
    stage.aws.put_user("orders", matching()).await;
    stage.ready("app", asking(iam(), "orders")).await;
    assert_eq!(mutations(&stage, "orders").await, ["AddTagsToResource"]);
    stage.event("app", "Adopted").await;
    assert_eq!(reasons(&stage, "app").await.first().unwrap(), "Adopted");
    assert!(!reasons(&stage, "app").await.contains(&"UserModified".to_owned()));
    ended(stage).await;
}

#[tokio::test]
async fn what_may_not_be_taken_over_stays_as_it_is() {
    let stage = dark().await;
    stage.start_with(&[("ADOPTION_NAMESPACE", "somewhere-else".to_owned())]);
    stage.aws.put_user("free", matching()).await;
    let before = stage.aws.user("free").await.unwrap();
    stage.create("adopt", asking(iam(), "free")).await;
    let object = stage.reason("adopt", "AdoptionNotAllowed").await;
    assert!(condition(&object, "Stalled").is_some());
    assert!(message(&object).contains("--adoption-namespace"), "{}", message(&object));
    stage.event("adopt", "AdoptionNotAllowed").await;
    stage.create("never", named("free")).await;
    let object = stage.reason("never", "UserAlreadyExists").await;
    assert!(message(&object).contains("adoptionPolicy"), "{}", message(&object));
    for name in ["adopt", "never"] {
        stage.deleted(name).await;
    }
    assert_eq!(stage.aws.user("free").await.unwrap(), before);
    ended(stage).await;
}

#[tokio::test]
async fn nobody_adopts_what_another_has_or_what_has_another_name() {
    let stage = adopting().await;
    let mut anothers = matching();
    anothers["Tags"] = json!({
        "elasticache-users.dev/cluster": "elsewhere", "elasticache-users.dev/namespace": "theirs",
        "elasticache-users.dev/name": "orders", "elasticache-users.dev/uid": "u-1",
    });
    stage.aws.put_user("anothers", anothers).await;
    let mut renamed = matching();
    renamed["UserName"] = json!("other-name");
    renamed["Authentication"] = json!({ "Type": "no-password" });
    stage.aws.put_user("renamed", renamed).await;
    let before = [stage.aws.user("anothers").await, stage.aws.user("renamed").await];
    stage.create("greedy", asking(iam(), "anothers")).await;
    let object = stage.reason("greedy", "UserOwnedByAnother").await;
    for part in ["elsewhere", "theirs", "orders"] {
        assert!(message(&object).contains(part), "{}", message(&object));
    }
    stage.create("misnamed", asking(iam(), "renamed")).await;
    let object = stage.reason("misnamed", "InvalidSpec").await;
    assert!(message(&object).contains("\"other-name\""), "{}", message(&object));
    for name in ["greedy", "misnamed"] {
        let (kind, ..) =
            stage.event(name, if name == "greedy" { "UserOwnedByAnother" } else { "InvalidSpec" }).await;
        assert_eq!(kind, "Warning");
        stage.deleted(name).await;
    }
    assert_eq!([stage.aws.user("anothers").await, stage.aws.user("renamed").await], before);
    ended(stage).await;
}

#[tokio::test]
async fn owner_tags_of_an_object_that_is_gone_claim_nothing() {
    let stage = adopting().await;
    stage.ready("old", retained(iam(), "orders")).await;
    stage.deleted("old").await;
    stage.create("new", named("orders")).await;
    let object = stage.reason("new", "UserAlreadyExists").await;
    assert!(message(&object).contains("\"old\""), "{}", message(&object));
    assert!(message(&object).contains("no longer there"), "{}", message(&object));
    stage.patch("new", json!({ "spec": { "adoptionPolicy": "Adopt" } })).await;
    stage.is_ready("new").await;
    assert_eq!(mutations(&stage, "orders").await, ["CreateUser", "AddTagsToResource"]);
    assert_eq!(owner(&stage.aws.user("orders").await.unwrap()), (stage.ns.as_str(), "new"));
    stage.deleted("new").await;
    ended(stage).await;
}

/// A second namespace, and one operator for both.
async fn two_namespaces() -> (Stage, Stage) {
    // One operator for both.
    let rights = Some(Rights::Administrator);
    let stage = Stage::dark(Setting { leaves_users: true, rights, ..Setting::default() }).await;
    let other = dark().await;
    let both = format!("{}, {}", stage.ns, other.ns);
    stage.start_with(&[("NAMESPACE", both), ("ADOPTION_NAMESPACE", "*".to_owned())]);
    (stage, other)
}

#[tokio::test]
async fn a_move_to_another_namespace_takes_the_user_along_where_the_former_one_is_watched() {
    let (stage, other) = two_namespaces().await;
    stage.ready("app", retained(iam(), "orders")).await;
    stage.deleted("app").await;
    other.ready("app", asking(iam(), "orders")).await;
    assert_eq!(mutations(&stage, "orders").await, ["CreateUser", "AddTagsToResource"]);
    assert_eq!(owner(&stage.aws.user("orders").await.unwrap()), (other.ns.as_str(), "app"));
    // And where it is not, nobody can know that the object is gone.
    other.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    other.is_ready("app").await;
    other.deleted("app").await;
    stage.kill();
    stage.start_with(&[("ADOPTION_NAMESPACE", "*".to_owned())]);
    let before = stage.aws.user("orders").await.unwrap();
    stage.create("back", asking(iam(), "orders")).await;
    let object = stage.reason("back", "UserOwnedByAnother").await;
    assert!(message(&object).contains(&other.ns), "{}", message(&object));
    assert_eq!(stage.aws.user("orders").await.unwrap(), before);
    ended(stage).await;
    other.end().await;
}

/// The second object of a user is told who has it, and the user stays as it is.
async fn is_told(aws: &Stage, first: (&Stage, &str), second: (&Stage, &str), cluster: &str) {
    let before = aws.aws.user("orders").await.unwrap();
    let object = second.0.reason(second.1, "UserOwnedByAnother").await;
    let says = message(&object);
    for part in [cluster, &first.0.ns, first.1] {
        assert!(says.contains(part), "{part}: {says}");
    }
    assert!(condition(&object, "Stalled").is_some() && object["status"]["arn"].is_null(), "{object:#}");
    assert_eq!(aws.aws.user("orders").await.unwrap(), before);
    first.0.is_ready(first.1).await;
}

#[tokio::test]
async fn of_two_objects_in_one_namespace_the_first_keeps_the_user_until_it_goes() {
    let stage = adopting().await;
    stage.ready("first", named("orders")).await;
    stage.create("second", asking(iam(), "orders")).await;
    let cluster = stage.aws.user("orders").await.unwrap()["Tags"]["elasticache-users.dev/cluster"].clone();
    is_told(&stage, (&stage, "first"), (&stage, "second"), cluster.as_str().unwrap()).await;
    stage.event("second", "UserOwnedByAnother").await;
    // The next drift check is ten minutes away, so this is no drift check.
    stage.deleted("first").await;
    stage.is_ready("second").await;
    assert_eq!(mutations(&stage, "orders").await, ["CreateUser", "DeleteUser", "CreateUser"]);
    // The second one goes without the user, if it goes first.
    stage.create("third", named("orders")).await;
    stage.reason("third", "UserOwnedByAnother").await;
    stage.deleted("third").await;
    assert_eq!(owner(&stage.aws.user("orders").await.unwrap()), (stage.ns.as_str(), "second"));
    ended(stage).await;
}

#[tokio::test]
async fn of_two_objects_in_two_namespaces_the_first_keeps_the_user_until_it_goes() {
    let (stage, other) = two_namespaces().await;
    stage.ready("app", retained(iam(), "orders")).await;
    other.create("app", asking(iam(), "orders")).await;
    let cluster = stage.aws.user("orders").await.unwrap()["Tags"]["elasticache-users.dev/cluster"].clone();
    is_told(&stage, (&stage, "app"), (&other, "app"), cluster.as_str().unwrap()).await;
    stage.deleted("app").await;
    other.is_ready("app").await;
    assert_eq!(mutations(&stage, "orders").await, ["CreateUser", "AddTagsToResource"]);
    ended(stage).await;
    other.end().await;
}

#[tokio::test]
async fn of_two_objects_in_two_clusters_the_first_keeps_the_user_until_it_goes() {
    let (stage, other) = (dark().await, dark().await);
    stage.start_with(&[("CLUSTER_ID", "one".to_owned())]);
    let endpoint = ("AWS_ENDPOINT_URL_ELASTICACHE", stage.aws.url());
    let resync = ("RESYNC", "2s".to_owned());
    stage.ready("app", named("orders")).await;
    other.start_with(&[("CLUSTER_ID", "two".to_owned()), endpoint, resync, adopters(&other)]);
    // Its own namespace and name are no help: the other one has those of another cluster.
    other.create("app", asking(iam(), "orders")).await;
    is_told(&stage, (&stage, "app"), (&other, "app"), "one").await;
    stage.deleted("app").await;
    other.is_ready("app").await;
    let user = stage.aws.user("orders").await.unwrap();
    assert_eq!(user["Tags"]["elasticache-users.dev/cluster"], "two");
    assert_eq!(mutations(&stage, "orders").await, ["CreateUser", "DeleteUser", "CreateUser"]);
    ended(stage).await;
    other.end().await;
}

#[tokio::test]
async fn a_hand_over_between_clusters_is_noticed_by_both() {
    let (stage, other) = (dark().await, dark().await);
    let resync = ("RESYNC", "1s".to_owned());
    stage.start_with(&[
        ("CLUSTER_ID", "one".to_owned()),
        resync.clone(),
        ("TAG_RESYNC_EVERY", "1".to_owned()),
    ]);
    let endpoint = ("AWS_ENDPOINT_URL_ELASTICACHE", stage.aws.url());
    stage.ready("app", named("orders")).await;
    other.start_with(&[("CLUSTER_ID", "two".to_owned()), endpoint, resync]);
    other.create("app", named("orders")).await;
    other.reason("app", "UserOwnedByAnother").await;
    // A person gives it to the other cluster by its tags alone.
    let uid = other.users().get("app").await.unwrap().metadata.uid;
    stage
        .aws
        .put_user(
            "orders",
            json!({ "Tags": {
                "elasticache-users.dev/cluster": "two", "elasticache-users.dev/namespace": other.ns,
                "elasticache-users.dev/name": "app", "elasticache-users.dev/uid": uid,
            }}),
        )
        .await;
    other.is_ready("app").await;
    let object = stage.reason("app", "UserOwnedByAnother").await;
    assert!(message(&object).contains("two") && message(&object).contains(&other.ns), "{}", message(&object));
    stage.deleted("app").await;
    assert_eq!(mutations(&stage, "orders").await, ["CreateUser"]);
    // The object that went did not look at it as its own any more.
    until("the event that names the owner", || async {
        let events = stage.events("app").await;
        let mut told = events.iter().filter(|(_, reason, _)| reason == "UserOwnedByAnother");
        told.any(|(kind, _, note)| kind == "Warning" && note.contains(&other.ns)).then_some(())
    })
    .await;
    tokio::time::timeout(Duration::from_secs(30), other.deleted("app")).await.unwrap();
    assert_eq!(mutations(&stage, "orders").await, ["CreateUser", "DeleteUser"]);
    ended(stage).await;
    other.end().await;
}
