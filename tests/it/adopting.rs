//! Who owns an AWS user. An object may adopt a user without an owner, but never the user of another object that exists. A user can
//! get another owner.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{
    Fixture, PASSWORD, Setup, anothers_tags, condition, iam, iam_user, message, owner_tags,
    reconcile_request, until, with, with_password,
};
use crate::policies::ended;
use crate::rights::Rights;

/// A fixture whose users may stay at the end. Its operator is not started yet.
async fn fixture_without_operator() -> Fixture {
    Fixture::without_operator(Setup::leaving_users()).await
}

/// Objects of this fixture's namespace may adopt.
fn adopters(fixture: &Fixture) -> (&'static str, String) {
    ("ELASTICACHE_USERS_ADOPTION_NAMESPACE", format!("somewhere-else,{}", fixture.ns))
}

async fn adopting() -> Fixture {
    let fixture = fixture_without_operator().await;
    fixture.start_with(&[adopters(&fixture)]);
    fixture
}

/// The spec of an object that asks for the user.
fn asking(spec: Value, user: &str) -> Value {
    with(spec, json!({ "userID": user, "adoptionPolicy": "Adopt" }))
}

fn retained(spec: Value, user: &str) -> Value {
    with(spec, json!({ "userID": user, "deletionPolicy": "Retain" }))
}

fn named(user: &str) -> Value {
    with(iam(), json!({ "userID": user }))
}

/// A user without owner tags that matches the spec [`iam`].
fn matching() -> Value {
    with(iam_user(), json!({ "Tags": { "made-by": "terraform" } }))
}

async fn reasons(fixture: &Fixture, name: &str) -> Vec<String> {
    fixture.events(name).await.into_iter().map(|event| event.reason).collect()
}

fn owner(user: &Value) -> (&str, &str) {
    let tag = |key: &str| user["Tags"][format!("elasticache-users.dev/{key}")].as_str().unwrap_or_default();
    (tag("namespace"), tag("name"))
}

#[tokio::test]
async fn an_adopted_user_is_tagged_and_then_changed_to_match() {
    for everywhere in [false, true] {
        let fixture = fixture_without_operator().await;
        let allowed = if everywhere {
            ("ELASTICACHE_USERS_ADOPTION_NAMESPACE", "*".to_owned())
        } else {
            adopters(&fixture)
        };
        fixture.start_with(&[allowed]);
        fixture.secret("pw", PASSWORD).await;
        let former = json!({
            "AccessString": "on ~old:* +@all", "Passwords": ["the-former-passphrase"],
            "Tags": { "made-by": "terraform", "team": "old" },
        });
        fixture.aws.put_user("orders", former).await;
        let tags = json!({ "tags": { "team": "search" } });
        let object = fixture.ready("app", with(asking(with_password("pw"), "orders"), tags)).await;

        assert_eq!(fixture.aws.changes_of("orders").await, ["AddTagsToResource", "ModifyUser"]);
        let modify = fixture.aws.calls_of("ModifyUser", "orders").await.remove(0);
        let params = &modify["Params"];
        assert!(params["Engine"].is_null(), "only what differs is sent");
        assert_eq!(params["AccessString"], "on ~app:* -@all +@read");
        let user = fixture.aws.user("orders").await.unwrap();
        assert!(user["Passwords"] == json!([PASSWORD]), "not the Secret's password");
        assert_eq!(owner(&user), (fixture.ns.as_str(), "app"));
        assert_eq!(user["Tags"]["made-by"], "terraform");
        assert_eq!(user["Tags"]["team"], "search");
        assert_eq!(object["status"]["lastApplied"]["tagKeys"], json!(["team"]));
        fixture.event("app", "UserModified").await;
        assert_eq!(reasons(&fixture, "app").await, ["Adopted", "UserModified"]);
        // From here on the operator manages the adopted user like any other user.
        fixture.deleted("app").await;
        assert!(fixture.aws.user("orders").await.is_none());
        ended(fixture).await;
    }
}

#[tokio::test]
async fn the_passwords_of_an_adopted_user_are_sent_once_although_it_seems_to_match() {
    let fixture = adopting().await;
    fixture.secret("pw", PASSWORD).await;
    let like = json!({ "AccessString": "on ~app:* -@all +@read", "Passwords": ["the-former-passphrase"], "Tags": {} });
    fixture.aws.put_user("orders", like).await;
    fixture.ready("app", asking(with_password("pw"), "orders")).await;
    let user = fixture.aws.user("orders").await.unwrap();
    assert!(user["Passwords"] == json!([PASSWORD]), "not the Secret's password");
    fixture.acknowledge("app").await;
    let modify = fixture.aws.calls_of("ModifyUser", "orders").await;
    assert_eq!(modify.len(), 1);
    assert!(modify[0]["Params"]["AccessString"].is_null() && modify[0]["Params"]["Engine"].is_null());
    assert_eq!(reasons(&fixture, "app").await, ["Adopted", "UserModified"]);
    ended(fixture).await;
}

#[tokio::test]
async fn an_adopted_user_that_matches_gets_owner_tags_and_no_other_change() {
    let fixture = adopting().await;
    fixture.aws.settings(json!({ "tag-window": "1s" })).await;
    fixture.aws.put_user("orders", matching()).await;
    fixture.ready("app", asking(iam(), "orders")).await;
    assert_eq!(fixture.aws.changes_of("orders").await, ["AddTagsToResource"]);
    fixture.event("app", "Adopted").await;
    assert_eq!(reasons(&fixture, "app").await.first().unwrap(), "Adopted");
    assert!(!reasons(&fixture, "app").await.contains(&"UserModified".to_owned()));
    ended(fixture).await;
}

#[tokio::test]
async fn a_user_that_the_object_may_not_adopt_is_not_changed() {
    let fixture = fixture_without_operator().await;
    fixture.start_with(&[("ELASTICACHE_USERS_ADOPTION_NAMESPACE", "somewhere-else".to_owned())]);
    fixture.aws.put_user("free", matching()).await;
    let before = fixture.aws.user("free").await.unwrap();
    fixture.create("adopt", asking(iam(), "free")).await;
    let object = fixture.reason("adopt", "AdoptionNotAllowed").await;
    assert!(condition(&object, "Stalled").is_some());
    assert!(message(&object).contains("--adoption-namespace"), "{}", message(&object));
    fixture.event("adopt", "AdoptionNotAllowed").await;
    fixture.create("never", named("free")).await;
    let object = fixture.reason("never", "UserAlreadyExists").await;
    assert!(message(&object).contains("adoptionPolicy"), "{}", message(&object));
    assert!(condition(&object, "Stalled").is_some());
    assert!(object["status"]["arn"].is_null(), "status must not show the ARN of a user that is not ours");
    for name in ["adopt", "never"] {
        fixture.deleted(name).await;
    }
    assert_eq!(fixture.aws.user("free").await.unwrap(), before);
    ended(fixture).await;
}

#[tokio::test]
async fn a_user_of_another_object_or_with_another_user_name_is_not_adopted() {
    let fixture = adopting().await;
    fixture.aws.put_user("anothers", with(matching(), json!({ "Tags": anothers_tags("orders") }))).await;
    let renamed = json!({ "UserName": "other-name", "Authentication": { "Type": "no-password" } });
    fixture.aws.put_user("renamed", with(matching(), renamed)).await;
    let before = [fixture.aws.user("anothers").await, fixture.aws.user("renamed").await];
    fixture.create("greedy", asking(iam(), "anothers")).await;
    let object = fixture.reason("greedy", "UserOwnedByAnother").await;
    for part in ["elsewhere", "theirs", "orders"] {
        assert!(message(&object).contains(part), "{}", message(&object));
    }
    fixture.create("misnamed", asking(iam(), "renamed")).await;
    let object = fixture.reason("misnamed", "InvalidSpec").await;
    assert!(message(&object).contains("\"other-name\""), "{}", message(&object));
    for (name, reason) in [("greedy", "UserOwnedByAnother"), ("misnamed", "InvalidSpec")] {
        assert_eq!(fixture.event(name, reason).await.kind, "Warning");
        fixture.deleted(name).await;
    }
    assert_eq!([fixture.aws.user("anothers").await, fixture.aws.user("renamed").await], before);
    ended(fixture).await;
}

#[tokio::test]
async fn a_user_whose_owner_is_gone_can_be_adopted() {
    let fixture = adopting().await;
    fixture.ready("old", retained(iam(), "orders")).await;
    fixture.deleted("old").await;
    fixture.create("new", named("orders")).await;
    let object = fixture.reason("new", "UserAlreadyExists").await;
    assert!(message(&object).contains("\"old\""), "{}", message(&object));
    assert!(message(&object).contains("no longer exists"), "{}", message(&object));
    fixture.patch("new", json!({ "spec": { "adoptionPolicy": "Adopt" } })).await;
    fixture.wait_ready("new").await;
    assert_eq!(fixture.aws.accepted_changes_of("orders").await, ["CreateUser", "AddTagsToResource"]);
    assert_eq!(owner(&fixture.aws.user("orders").await.unwrap()), (fixture.ns.as_str(), "new"));
    fixture.deleted("new").await;
    ended(fixture).await;
}

/// Two namespaces with one operator, which belongs to the first fixture. Objects may adopt in the second namespace, or in both.
pub(crate) async fn two_namespaces(adopt_in_both: bool) -> (Fixture, Fixture) {
    let rights = Some(Rights::Administrator);
    let from = Fixture::without_operator(Setup { rights, ..Setup::leaving_users() }).await;
    let to = fixture_without_operator().await;
    let both = format!("{}, {}", from.ns, to.ns);
    let adoption = if adopt_in_both { both.clone() } else { to.ns.clone() };
    from.start_with(&[
        ("ELASTICACHE_USERS_NAMESPACE", both),
        ("ELASTICACHE_USERS_ADOPTION_NAMESPACE", adoption),
    ]);
    (from, to)
}

#[tokio::test]
async fn a_user_follows_its_object_to_another_namespace_if_the_former_one_is_watched() {
    let (fixture, other) = two_namespaces(true).await;
    fixture.ready("app", retained(iam(), "orders")).await;
    fixture.deleted("app").await;
    other.ready("app", asking(iam(), "orders")).await;
    assert_eq!(fixture.aws.changes_of("orders").await, ["CreateUser", "AddTagsToResource"]);
    assert_eq!(owner(&fixture.aws.user("orders").await.unwrap()), (other.ns.as_str(), "app"));
    // The operator cannot know whether an object exists in a namespace that it does not watch.
    other.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    other.wait_ready("app").await;
    other.deleted("app").await;
    fixture.kill();
    fixture.start_with(&[("ELASTICACHE_USERS_ADOPTION_NAMESPACE", "*".to_owned())]);
    let before = fixture.aws.user("orders").await.unwrap();
    fixture.create("back", asking(iam(), "orders")).await;
    let object = fixture.reason("back", "UserOwnedByAnother").await;
    assert!(message(&object).contains(&other.ns), "{}", message(&object));
    assert_eq!(fixture.aws.user("orders").await.unwrap(), before);
    ended(fixture).await;
    other.end().await;
}

#[tokio::test]
async fn another_namespace_cannot_adopt_a_user_while_its_object_is_applied_again() {
    let (shop, attacker) = two_namespaces(false).await;
    shop.ready("app", retained(iam(), "orders")).await;
    attacker.create("greedy", asking(iam(), "orders")).await;
    attacker.reason("greedy", "UserOwnedByAnother").await;
    for request in ["first", "second"] {
        shop.deleted("app").await;
        let object = attacker.reason("greedy", "AdoptionNotAllowed").await;
        for part in [&shop.ns, "\"app\"", "--adoption-namespace"] {
            assert!(message(&object).contains(part), "{}", message(&object));
        }
        shop.ready("app", retained(iam(), "orders")).await;
        attacker.patch("greedy", reconcile_request(request)).await;
        attacker.reason("greedy", "UserOwnedByAnother").await;
    }
    assert_eq!(shop.aws.accepted_changes_of("orders").await, ["CreateUser"]);
    assert_eq!(owner(&shop.aws.user("orders").await.unwrap()), (shop.ns.as_str(), "app"));
    attacker.deleted("greedy").await;
    ended(shop).await;
    attacker.end().await;
}

/// The second object wants the same user. It reports who owns the user, and the user does not change.
async fn second_reports_owner(
    aws: &Fixture,
    first: (&Fixture, &str),
    second: (&Fixture, &str),
    cluster: &str,
) {
    let before = aws.aws.user("orders").await.unwrap();
    let object = second.0.reason(second.1, "UserOwnedByAnother").await;
    let says = message(&object);
    for part in [cluster, &first.0.ns, first.1] {
        assert!(says.contains(part), "{part}: {says}");
    }
    assert!(condition(&object, "Stalled").is_some() && object["status"]["arn"].is_null(), "{object:#}");
    assert_eq!(aws.aws.user("orders").await.unwrap(), before);
    first.0.wait_ready(first.1).await;
}

#[tokio::test]
async fn of_two_objects_in_one_namespace_the_first_keeps_the_user_until_it_is_deleted() {
    let fixture = adopting().await;
    fixture.ready("first", named("orders")).await;
    fixture.create("second", asking(iam(), "orders")).await;
    let cluster = fixture.aws.user("orders").await.unwrap()["Tags"]["elasticache-users.dev/cluster"].clone();
    second_reports_owner(&fixture, (&fixture, "first"), (&fixture, "second"), cluster.as_str().unwrap())
        .await;
    fixture.event("second", "UserOwnedByAnother").await;
    // No drift check can explain what follows, because the next one is ten minutes away.
    fixture.deleted("first").await;
    fixture.wait_ready("second").await;
    assert_eq!(fixture.aws.changes_of("orders").await, ["CreateUser", "DeleteUser", "CreateUser"]);
    // If the second object is deleted first, the user stays.
    fixture.create("third", named("orders")).await;
    fixture.reason("third", "UserOwnedByAnother").await;
    fixture.deleted("third").await;
    assert_eq!(owner(&fixture.aws.user("orders").await.unwrap()), (fixture.ns.as_str(), "second"));
    ended(fixture).await;
}

#[tokio::test]
async fn of_two_objects_in_two_namespaces_the_first_keeps_the_user_until_it_is_deleted() {
    let (fixture, other) = two_namespaces(true).await;
    fixture.ready("app", retained(iam(), "orders")).await;
    other.create("app", asking(iam(), "orders")).await;
    let cluster = fixture.aws.user("orders").await.unwrap()["Tags"]["elasticache-users.dev/cluster"].clone();
    second_reports_owner(&fixture, (&fixture, "app"), (&other, "app"), cluster.as_str().unwrap()).await;
    fixture.deleted("app").await;
    other.wait_ready("app").await;
    assert_eq!(fixture.aws.changes_of("orders").await, ["CreateUser", "AddTagsToResource"]);
    ended(fixture).await;
    other.end().await;
}

#[tokio::test]
async fn of_two_objects_in_two_clusters_the_first_keeps_the_user_until_it_is_deleted() {
    let (fixture, other) = (fixture_without_operator().await, fixture_without_operator().await);
    fixture.start_with(&[("ELASTICACHE_USERS_CLUSTER_ID", "one".to_owned())]);
    let endpoint = ("AWS_ENDPOINT_URL_ELASTICACHE", fixture.aws.url().to_owned());
    let resync = ("ELASTICACHE_USERS_RESYNC", "2s".to_owned());
    fixture.ready("app", named("orders")).await;
    other.start_with(&[
        ("ELASTICACHE_USERS_CLUSTER_ID", "two".to_owned()),
        endpoint,
        resync,
        adopters(&other),
    ]);
    // The object has the namespace and the name that the owner tags name, but they name another cluster.
    other.create("app", asking(iam(), "orders")).await;
    second_reports_owner(&fixture, (&fixture, "app"), (&other, "app"), "one").await;
    fixture.deleted("app").await;
    other.wait_ready("app").await;
    let user = fixture.aws.user("orders").await.unwrap();
    assert_eq!(user["Tags"]["elasticache-users.dev/cluster"], "two");
    assert_eq!(fixture.aws.changes_of("orders").await, ["CreateUser", "DeleteUser", "CreateUser"]);
    ended(fixture).await;
    other.end().await;
}

#[tokio::test]
async fn a_user_that_changes_hands_between_clusters_is_noticed_by_both_operators() {
    let (fixture, other) = (fixture_without_operator().await, fixture_without_operator().await);
    let (resync, tag_resync) = (
        ("ELASTICACHE_USERS_RESYNC", "1s".to_owned()),
        ("ELASTICACHE_USERS_TAG_RESYNC_EVERY", "1".to_owned()),
    );
    fixture.start_with(&[("ELASTICACHE_USERS_CLUSTER_ID", "one".to_owned()), resync.clone(), tag_resync]);
    let endpoint = ("AWS_ENDPOINT_URL_ELASTICACHE", fixture.aws.url().to_owned());
    fixture.ready("app", named("orders")).await;
    other.start_with(&[("ELASTICACHE_USERS_CLUSTER_ID", "two".to_owned()), endpoint, resync]);
    other.create("app", named("orders")).await;
    other.reason("app", "UserOwnedByAnother").await;
    // A person gives the user to the other cluster by changing its tags.
    let uid = other.users().get("app").await.unwrap().metadata.uid;
    let tags = with(owner_tags("two", &other.ns, "app"), json!({ "elasticache-users.dev/uid": uid }));
    fixture.aws.put_user("orders", json!({ "Tags": tags })).await;
    other.wait_ready("app").await;
    let object = fixture.reason("app", "UserOwnedByAnother").await;
    assert!(message(&object).contains("two") && message(&object).contains(&other.ns), "{}", message(&object));
    fixture.deleted("app").await;
    assert_eq!(fixture.aws.accepted_changes_of("orders").await, ["CreateUser"]);
    // The deleted object did not own the user any more, so the user must stay.
    until("the event that names the owner", || async {
        let events = fixture.events("app").await;
        let mut told = events.iter().filter(|event| event.reason == "UserOwnedByAnother");
        told.any(|event| event.kind == "Warning" && event.note.contains(&other.ns)).then_some(())
    })
    .await;
    tokio::time::timeout(Duration::from_secs(30), other.deleted("app")).await.unwrap();
    assert_eq!(fixture.aws.accepted_changes_of("orders").await, ["CreateUser", "DeleteUser"]);
    ended(fixture).await;
    other.end().await;
}
