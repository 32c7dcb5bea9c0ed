//! Settings of an object or flags of the operator that limit what the operator does: `Observe`, `suspend`, prefixes of user IDs.

use elasticache_emulator::access_string::canonical;
use elasticache_emulator::user_of;
use serde_json::{Value, json};

use crate::fixture::{
    Fixture, PASSWORD, Setup, condition, iam, is_observed, manifest, prevent_deletion, until, with,
    with_password,
};

/// Ends the fixture, and checks that the operator never changed AWS's own users.
pub(crate) async fn ended(fixture: Fixture) {
    for call in fixture.aws.mutations().await {
        let id = user_of(&call);
        assert!(id != "default" && !id.starts_with("default."), "{} of {id}", call["Action"]);
    }
    fixture.end().await;
}

/// A fixture whose operator makes a drift check every second, and whose users may stay at the end.
async fn checking_every_second(env: &[(&'static str, &str)]) -> Fixture {
    let env = [env, &[("ELASTICACHE_USERS_RESYNC", "1s")]].concat();
    Fixture::with(Setup { leaves_users: true, ..Setup::env(&env) }).await
}

fn observing(spec: Value) -> Value {
    with(spec, json!({ "managementPolicy": "Observe" }))
}

fn ready(object: &Value) -> (&str, &str, &str) {
    let of = |member: &str| condition(object, "Ready").and_then(|ready| ready[member].as_str());
    (of("status").unwrap_or_default(), of("reason").unwrap_or_default(), of("message").unwrap_or_default())
}

fn is_held(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

#[tokio::test]
async fn an_observing_object_reports_what_differs_and_changes_nothing() {
    let fixture = checking_every_second(&[]).await;
    fixture.secret("pw", PASSWORD).await;
    let tags = json!({ "tags": { "team": "search" } });
    fixture.create("app", observing(with(with_password("pw"), tags))).await;
    let object = fixture.reason_now("app", "UserMissing").await;
    assert_eq!(ready(&object).0, "False");
    assert_eq!(condition(&object, "Reconciling").unwrap()["reason"], "UserMissing");

    // Another form of the access string is no difference, and AWS does not show other passwords.
    let like = json!({
        "AccessString": "on -@all  ~app:*  +@read", "Passwords": ["nobody-knows-this-one"],
        "Tags": { "team": "search", "more": "x" },
    });
    fixture.aws.put_user("app", like).await;
    let object = fixture.reason_now("app", "Observed").await;
    assert_eq!(ready(&object).0, "True");
    assert!(condition(&object, "Reconciling").is_none() && object["status"]["arn"].is_string());

    let rows = [
        (json!({ "AccessString": "on ~* +@all" }), &["access string \"on ~* +@all\" would become"][..]),
        (json!({ "Engine": "valkey" }), &["engine valkey would become redis"]),
        (
            json!({ "Passwords": ["one-of-two-passphrases", "two-of-two-passphrases"] }),
            &["passwords would be sent"],
        ),
        (json!({ "Tags": { "more": "x" } }), &["tag \"team\" would be set to \"search\""]),
        (
            json!({ "Authentication": { "Type": "iam" } }),
            &["authentication type iam would become password", "passwords would be sent"],
        ),
    ];
    for (change, words) in rows {
        fixture.aws.put_user("app", change).await;
        let told = |object: &Value| {
            ready(object).1 == "Differs" && words.iter().all(|words| ready(object).2.contains(words))
        };
        let object = fixture.shows("app", words[0], told).await;
        assert_eq!(ready(&object).0, "False");
        assert_eq!(condition(&object, "Reconciling").unwrap()["reason"], "Differs");
        assert!(!is_held(&object), "{object:#}");
    }
    assert!(fixture.events("app").await.is_empty(), "neither is worth an event");
    let before = fixture.aws.user("app").await;
    fixture.deleted("app").await;
    assert!(fixture.aws.user("app").await == before, "the user was changed");
    assert!(!fixture.versions("app").iter().any(is_held), "nothing may hold it");
    assert!(fixture.aws.mutations().await.is_empty(), "AWS was changed");
    ended(fixture).await;
}

#[tokio::test]
async fn an_observing_object_compares_access_strings_by_what_they_permit() {
    // The access string of the spec, and a similar one that permits something else.
    let rows = [
        ("on ~a +set +get", "on ~a +set"),
        ("on +config|get +config ~a", "on +config|get ~a"),
        ("on %R~a %W~a +@all", "on %R~a +@all"),
        ("on sanitize-payload ~a +@all", "on skip-sanitize-payload ~a +@all"),
        ("on ~a +get -@all", "on ~a -@all +get"),
        ("on ~k (~a)~b +set +get %W~c %R~c)", "on ~k (~a) (~b +set +get ~c)"),
        ("on ~a\u{a0}~b +get", "on ~a ~b +get"),
        ("on ~a allkeys +@read -get +@read", "on ~a allkeys +@read -get"),
    ];
    let returned = |sent: &str| json!({ "AccessString": canonical(sent).unwrap() });
    let fixture = checking_every_second(&[]).await;
    fixture.aws.put_user("app", json!({ "Engine": "valkey", "Authentication": { "Type": "iam" } })).await;
    fixture.create("app", observing(iam())).await;
    fixture.reason_now("app", "Observed").await;
    for (sent, other) in rows {
        fixture.aws.put_user("app", returned(sent)).await;
        fixture.patch("app", json!({ "spec": { "accessString": sent } })).await;
        fixture.reason_now("app", "Observed").await;
        fixture.aws.put_user("app", returned(other)).await;
        fixture.reason_now("app", "Differs").await;
    }
    assert!(fixture.aws.mutations().await.is_empty(), "AWS was changed");
    fixture.deleted("app").await;
    ended(fixture).await;
}

#[tokio::test]
async fn an_observing_object_shows_even_a_user_of_another_object() {
    let fixture = checking_every_second(&[]).await;
    fixture.ready("first", iam()).await;
    fixture.create("second", observing(with(iam(), json!({ "userID": "first" })))).await;
    fixture.reason_now("second", "Observed").await;
    fixture.deleted("second").await;
    assert_eq!(fixture.aws.calls_of("CreateUser", "first").await.len(), 1);
    assert!(fixture.aws.calls_of("DeleteUser", "first").await.is_empty());
    ended(fixture).await;
}

#[tokio::test]
async fn an_object_that_is_set_to_observe_loses_its_finalizer_and_can_manage_its_user_again() {
    let fixture = checking_every_second(&[]).await;
    fixture.ready("app", iam()).await;
    let before = fixture.aws.user("app").await.unwrap();
    fixture.patch("app", json!({ "spec": { "managementPolicy": "Observe" } })).await;
    let object = fixture.reason_now("app", "Observed").await;
    assert!(!is_held(&object), "{object:#}");
    // The operator compares an edit and does not apply it.
    fixture.patch("app", json!({ "spec": { "accessString": "on ~x:* +@all" } })).await;
    let object = fixture.reason_now("app", "Differs").await;
    assert!(ready(&object).2.contains("on ~x:* +@all"), "{}", ready(&object).2);
    let back = json!({ "accessString": "on ~* +@all", "managementPolicy": "Manage" });
    fixture.patch("app", json!({ "spec": back })).await;
    let object = fixture.reason_now("app", "Active").await;
    assert!(is_held(&object), "{object:#}");
    assert_eq!(fixture.aws.user("app").await.unwrap(), before);
    fixture.patch("app", json!({ "spec": { "managementPolicy": "Observe" } })).await;
    fixture.reason_now("app", "Observed").await;
    fixture.deleted("app").await;
    assert_eq!(fixture.aws.user("app").await.unwrap(), before);
    ended(fixture).await;
}

#[tokio::test]
async fn a_suspended_object_costs_no_aws_call_and_is_ready_only_if_its_spec_was_applied() {
    let fixture = checking_every_second(&[]).await;
    fixture.ready("app", iam()).await;
    let suspend = |value: bool| json!({ "spec": { "suspend": value } });
    fixture.patch("app", suspend(true)).await;
    let object = fixture.reason_now("app", "Suspended").await;
    assert_eq!(ready(&object).0, "True");
    let calls = fixture.aws.calls().await.len();
    for (patch, value) in [
        (json!({ "spec": { "tags": { "a": "b" } } }), "True"),
        (json!({ "spec": { "accessString": "on ~x:* +@all" } }), "False"),
        // Ready stays False, because the operator does not know what AWS has.
        (json!({ "spec": { "accessString": "on ~* +@all" } }), "False"),
    ] {
        let generation = object["metadata"]["generation"].as_i64().unwrap();
        fixture.patch("app", patch).await;
        let seen = |object: &Value| {
            is_observed(object)
                && object["metadata"]["generation"].as_i64() > Some(generation)
                && ready(object).0 == value
        };
        let object = fixture.shows("app", "the edit is seen", seen).await;
        assert_eq!(ready(&object).1, "Suspended");
        assert!(condition(&object, "Reconciling").is_none() && condition(&object, "Stalled").is_none());
    }
    fixture.acknowledge("app").await;
    // `new` is suspended from its creation on. The other object shows that drift checks go on meanwhile.
    fixture.create("new", with(iam(), json!({ "suspend": true }))).await;
    let object = fixture.reason_now("new", "Suspended").await;
    assert_eq!(ready(&object).0, "False");
    fixture.ready("beside", iam()).await;
    until("two drift checks", async || fixture.aws.calls_of("DescribeUsers", "").await.len() >= 4).await;
    let since = fixture.aws.calls().await.split_off(calls);
    let of_suspended = since.iter().find(|call| ["app", "new"].contains(&user_of(call)));
    assert!(of_suspended.is_none(), "{of_suspended:?}");
    fixture.patch("app", json!({ "spec": { "suspend": false, "accessString": "on ~y:* +@all" } })).await;
    let object = fixture.wait_ready("app").await;
    assert_eq!(object["status"]["accessString"], "on ~y:* +@all");
    fixture.patch("new", suspend(false)).await;
    fixture.wait_ready("new").await;
    for name in ["app", "new"] {
        fixture.deleted(name).await;
        assert!(fixture.aws.user(name).await.is_none());
    }
    ended(fixture).await;
}

#[tokio::test]
async fn a_suspended_deletion_waits_until_suspend_ends_or_the_user_is_retained() {
    let fixture = checking_every_second(&[]).await;
    for name in ["resumed", "retained"] {
        fixture.ready(name, iam()).await;
        let patch = json!({
            "metadata": { "annotations": { "elasticache-users.dev/prevent-deletion": "true" } },
            "spec": { "suspend": true },
        });
        fixture.patch(name, patch).await;
        fixture.reason_now(name, "Suspended").await;
    }
    let calls = fixture.aws.calls().await.len();
    for name in ["resumed", "retained"] {
        fixture.delete(name).await;
        // prevent-deletion takes precedence over suspend.
        fixture.reason(name, "DeletionProtected").await;
        fixture.patch(name, prevent_deletion(false)).await;
        let object = fixture.reason(name, "Suspended").await;
        assert_eq!(condition(&object, "Deleting").unwrap()["reason"], "Suspended");
        assert!(is_held(&object));
        assert_eq!(fixture.event(name, "Suspended").await.kind, "Warning");
        fixture.acknowledge(name).await;
    }
    fixture.patch("retained", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    fixture.gone("retained").await;
    assert_eq!(fixture.aws.calls().await.len(), calls, "not one call for either");
    fixture.event("retained", "Retained").await;
    fixture.patch("resumed", json!({ "spec": { "suspend": false } })).await;
    fixture.gone("resumed").await;
    assert!(fixture.aws.user("resumed").await.is_none());
    assert!(fixture.aws.user("retained").await.is_some());
    ended(fixture).await;
}

#[tokio::test]
async fn a_user_id_without_the_required_prefix_is_refused() {
    let fixture = Fixture::without_operator(Setup::leaving_users()).await;
    fixture.start();
    // This object is from before the rule.
    fixture.ready("before", iam()).await;
    fixture.ready("lost", iam()).await;
    fixture.kill();
    let calls = fixture.aws.calls().await.len();
    let rule = ("ELASTICACHE_USERS_REQUIRED_USER_ID_PREFIX", "{namespace}-");
    fixture.start_with(&[(rule.0, rule.1.to_owned()), ("ELASTICACHE_USERS_RESYNC", "1h".to_owned())]);
    fixture.create("app", iam()).await;
    let object = fixture.reason_now("app", "UserIDNotAllowed").await;
    assert!(condition(&object, "Stalled").is_some());
    assert!(ready(&object).2.contains(&format!("\"{}-\"", fixture.ns)), "{}", ready(&object).2);
    assert_eq!(fixture.event("app", "UserIDNotAllowed").await.kind, "Warning");
    let since = fixture.aws.calls().await.split_off(calls);
    let looks = since.iter().filter(|call| call["Params"]["UserId"] == "app");
    assert!(looks.clone().all(|call| call["Action"] == "DescribeUsers") && looks.count() > 0, "{since:#?}");
    // A user of ours stays managed.
    fixture.patch("before", json!({ "spec": { "accessString": "on ~x:* +@all" } })).await;
    let object = fixture.wait_ready("before").await;
    assert!(
        ready(&object).2.contains("this user stays managed, but would not be created again"),
        "{object:#}"
    );
    assert_eq!(fixture.aws.user("before").await.unwrap()["AccessString"], "on ~x:* +@all");
    let answer = crate::checking::check(&fixture, &[], &[rule]).await;
    answer.warns(
        "rules",
        &format!("{}/before (--required-user-id-prefix)", fixture.ns),
        "kubectl describe ecu",
    );
    // The operator does not create a user again that somebody deleted.
    fixture.aws.remove_user("lost").await;
    fixture.request_reconcile("lost").await;
    fixture.reason_now("lost", "UserIDNotAllowed").await;
    let allowed = format!("{}-app", fixture.ns);
    fixture.ready("allowed", with(iam(), json!({ "userID": allowed }))).await;
    for (name, id) in [("app", "app"), ("before", "before"), ("lost", "lost"), ("allowed", &allowed)] {
        fixture.deleted(name).await;
        assert!(fixture.aws.user(id).await.is_none(), "{name}");
    }
    assert_eq!(fixture.aws.calls_of("CreateUser", "app").await.len(), 0);
    ended(fixture).await;
}

#[tokio::test]
async fn the_default_deletion_policy_holds_for_objects_without_their_own() {
    let fixture = checking_every_second(&[("ELASTICACHE_USERS_DEFAULT_DELETION_POLICY", "Retain")]).await;
    fixture.ready("gone", with(iam(), json!({ "deletionPolicy": "Delete" }))).await;
    fixture.ready("kept", iam()).await;
    // A policy that is set while the object is terminating counts too.
    fixture.ready("asked", iam()).await;
    fixture.patch("asked", prevent_deletion(true)).await;
    fixture.delete("asked").await;
    fixture.reason("asked", "DeletionProtected").await;
    let delete = json!({
        "metadata": { "annotations": { "elasticache-users.dev/prevent-deletion": null } },
        "spec": { "deletionPolicy": "Delete" },
    });
    fixture.patch("asked", delete).await;
    fixture.gone("asked").await;
    fixture.deleted("gone").await;
    fixture.deleted("kept").await;
    let users =
        [fixture.aws.user("asked").await, fixture.aws.user("gone").await, fixture.aws.user("kept").await];
    assert_eq!(users.map(|user| user.is_some()), [false, false, true]);
    ended(fixture).await;
}

#[tokio::test]
async fn users_that_aws_itself_creates_cannot_be_adopted() {
    let fixture = checking_every_second(&[("ELASTICACHE_USERS_ADOPTION_NAMESPACE", "*")]).await;
    let before = fixture.aws.user("default").await.expect("the emulator has a user default");
    for id in ["default", "default.orders"] {
        let object = manifest("app", with(iam(), json!({ "userID": id, "adoptionPolicy": "Adopt" })));
        let object = serde_json::from_value(object).unwrap();
        assert!(fixture.users().create(&Default::default(), &object).await.is_err(), "{id}");
    }
    // A user may have the user name `default`, because a group needs one.
    fixture.secret("pw", PASSWORD).await;
    fixture.ready("app", with(with_password("pw"), json!({ "userName": "default" }))).await;
    fixture.deleted("app").await;
    assert_eq!(fixture.aws.user("default").await.unwrap(), before);
    ended(fixture).await;
}
