//! What an object, or the operator's flags, let the operator do: `Observe`, `suspend`, prefixes of user IDs.

use elasticache_emulator::access_string::canonical;
use serde_json::{Value, json};

use crate::stage::{PASSWORD, Setting, Stage, condition, iam, until, with_password};

const READS: [&str; 2] = ["DescribeUsers", "ListTagsForResource"];

/// Ends the stage: AWS's own users were never touched, whatever it was about.
pub(crate) async fn ended(stage: Stage) {
    for call in stage.aws.calls().await {
        let reads = READS.contains(&call["Action"].as_str().unwrap());
        let id = [&call["Params"]["UserId"], &call["Params"]["ResourceName"]];
        let id = id.iter().find_map(|id| id.as_str()).unwrap_or_default();
        let id = id.rsplit(':').next().unwrap_or_default();
        assert!(reads || !(id == "default" || id.starts_with("default.")), "{} of {id}", call["Action"]);
    }
    stage.end().await;
}

/// A stage whose operator looks every second, and where users may stay.
async fn watchful(env: &[(&'static str, &str)]) -> Stage {
    let mut env: Vec<_> = env.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    env.push(("RESYNC", "1s".to_owned()));
    Stage::set(Setting { leaves_users: true, env, ..Setting::default() }).await
}

fn observing(mut spec: Value) -> Value {
    spec["managementPolicy"] = json!("Observe");
    spec
}

fn ready(object: &Value) -> (&str, &str, &str) {
    let of = |member: &str| condition(object, "Ready").and_then(|ready| ready[member].as_str());
    (of("status").unwrap_or_default(), of("reason").unwrap_or_default(), of("message").unwrap_or_default())
}

/// Ready has this reason, and speaks of the newest generation.
async fn judged(stage: &Stage, name: &str, reason: &str) -> Value {
    stage
        .shows(name, reason, |object| {
            ready(object).1 == reason
                && object["status"]["observedGeneration"] == object["metadata"]["generation"]
        })
        .await
}

fn is_held(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

/// Nothing but reads was asked of AWS.
async fn nothing_is_changed(stage: &Stage) {
    let calls = stage.aws.calls().await;
    let other = calls.iter().find(|call| !READS.contains(&call["Action"].as_str().unwrap()));
    assert!(other.is_none_or(|call| panic!("{} of {}", call["Action"], call["Params"]["UserId"])));
}

#[tokio::test]
async fn an_observing_object_tells_what_differs_and_changes_nothing() {
    let stage = watchful(&[]).await;
    stage.secret("pw", PASSWORD).await;
    let mut spec = observing(with_password("pw"));
    spec["tags"] = json!({ "team": "search" });
    stage.create("app", spec).await;
    let object = judged(&stage, "app", "UserMissing").await;
    assert_eq!(ready(&object).0, "False");
    assert_eq!(condition(&object, "Reconciling").unwrap()["reason"], "UserMissing");

    // Another form of the access string, and other passwords, are no difference that anybody could see.
    let like = json!({
        "AccessString": "on -@all  ~app:*  +@read", "Passwords": ["nobody-knows-this-one"],
        "Tags": { "team": "search", "more": "x" },
    });
    stage.aws.put_user("app", like).await;
    let object = judged(&stage, "app", "Observed").await;
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
        stage.aws.put_user("app", change).await;
        let object = stage
            .shows("app", words[0], |object| {
                ready(object).1 == "Differs" && words.iter().all(|words| ready(object).2.contains(words))
            })
            .await;
        assert_eq!(ready(&object).0, "False");
        assert_eq!(condition(&object, "Reconciling").unwrap()["reason"], "Differs");
        assert!(!is_held(&object), "{object:#}");
    }
    assert!(stage.events("app").await.is_empty(), "neither is worth an event");
    let before = stage.aws.user("app").await;
    stage.deleted("app").await;
    assert!(stage.aws.user("app").await == before, "the user was changed");
    assert!(!stage.versions("app").iter().any(is_held), "nothing may hold it");
    nothing_is_changed(&stage).await;
    ended(stage).await;
}

#[tokio::test]
async fn an_observing_object_compares_access_strings_by_what_they_permit() {
    // The access string of the spec, and one that looks like it and permits something else.
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
    let stage = watchful(&[]).await;
    stage.aws.put_user("app", json!({ "Engine": "valkey", "Authentication": { "Type": "iam" } })).await;
    stage.create("app", observing(iam())).await;
    judged(&stage, "app", "Observed").await;
    for (sent, other) in rows {
        stage.aws.put_user("app", returned(sent)).await;
        stage.patch("app", json!({ "spec": { "accessString": sent } })).await;
        let observed = |object: &Value, reason: &str| {
            ready(object).1 == reason
                && object["status"]["observedGeneration"] == object["metadata"]["generation"]
        };
        stage.shows("app", &format!("{sent} is there"), |object| observed(object, "Observed")).await;
        stage.aws.put_user("app", returned(other)).await;
        stage.shows("app", &format!("{sent} is not there"), |object| observed(object, "Differs")).await;
    }
    nothing_is_changed(&stage).await;
    stage.deleted("app").await;
    ended(stage).await;
}

#[tokio::test]
async fn an_observing_object_sees_even_anothers_user() {
    let stage = watchful(&[]).await;
    stage.ready("first", iam()).await;
    let mut spec = observing(iam());
    spec["userID"] = json!("first");
    stage.create("second", spec).await;
    judged(&stage, "second", "Observed").await;
    stage.deleted("second").await;
    assert_eq!(stage.aws.calls_of("CreateUser", "first").await.len(), 1);
    assert!(stage.aws.calls_of("DeleteUser", "first").await.is_empty());
    ended(stage).await;
}

#[tokio::test]
async fn an_object_that_only_observes_from_now_on_lets_its_user_go_and_takes_it_back() {
    let stage = watchful(&[]).await;
    stage.ready("app", iam()).await;
    let before = stage.aws.user("app").await.unwrap();
    stage.patch("app", json!({ "spec": { "managementPolicy": "Observe" } })).await;
    let object = judged(&stage, "app", "Observed").await;
    assert!(!is_held(&object), "{object:#}");
    // An edit is compared, not made.
    stage.patch("app", json!({ "spec": { "accessString": "on ~x:* +@all" } })).await;
    let object = judged(&stage, "app", "Differs").await;
    assert!(ready(&object).2.contains("on ~x:* +@all"), "{}", ready(&object).2);
    stage
        .patch("app", json!({ "spec": { "accessString": "on ~* +@all", "managementPolicy": "Manage" } }))
        .await;
    let object = judged(&stage, "app", "Active").await;
    assert!(is_held(&object), "{object:#}");
    assert_eq!(stage.aws.user("app").await.unwrap(), before);
    stage.patch("app", json!({ "spec": { "managementPolicy": "Observe" } })).await;
    judged(&stage, "app", "Observed").await;
    stage.deleted("app").await;
    assert_eq!(stage.aws.user("app").await.unwrap(), before);
    ended(stage).await;
}

#[tokio::test]
async fn a_suspended_object_costs_no_call_and_is_ready_only_as_it_was_applied() {
    let stage = watchful(&[]).await;
    stage.ready("app", iam()).await;
    let suspend = |value: bool| json!({ "spec": { "suspend": value } });
    stage.patch("app", suspend(true)).await;
    let object = judged(&stage, "app", "Suspended").await;
    assert_eq!(ready(&object).0, "True");
    let calls = stage.aws.calls().await.len();
    for (patch, value) in [
        (json!({ "spec": { "tags": { "a": "b" } } }), "True"),
        (json!({ "spec": { "accessString": "on ~x:* +@all" } }), "False"),
        // Once False it stays so: what AWS has is not known.
        (json!({ "spec": { "accessString": "on ~* +@all" } }), "False"),
    ] {
        let generation = object["metadata"]["generation"].as_i64().unwrap();
        stage.patch("app", patch).await;
        let object = stage
            .shows("app", "the edit is seen", |object| {
                let seen = &object["status"]["observedGeneration"];
                seen == &object["metadata"]["generation"]
                    && seen.as_i64() > Some(generation)
                    && ready(object).0 == value
            })
            .await;
        assert_eq!(ready(&object).1, "Suspended");
        assert!(condition(&object, "Reconciling").is_none() && condition(&object, "Stalled").is_none());
    }
    stage.nudge("app").await;
    stage.shows("app", "echo", |object| object["status"]["lastHandledReconcileAt"] == "now").await;
    // One that never was anything else, and one that shows that drift checks go on meanwhile.
    let mut spec = iam();
    spec["suspend"] = json!(true);
    stage.create("new", spec).await;
    let object = judged(&stage, "new", "Suspended").await;
    assert_eq!(ready(&object).0, "False");
    stage.ready("beside", iam()).await;
    until("two drift checks", || async {
        (stage.aws.calls_of("DescribeUsers", "beside").await.len() >= 4).then_some(())
    })
    .await;
    let since = stage.aws.calls().await.split_off(calls);
    let of_suspended = since.iter().find(|call| call["Params"]["UserId"] != "beside");
    assert!(of_suspended.is_none(), "{of_suspended:?}");
    stage.patch("app", json!({ "spec": { "suspend": false, "accessString": "on ~y:* +@all" } })).await;
    let object = stage.is_ready("app").await;
    assert_eq!(object["status"]["accessString"], "on ~y:* +@all");
    stage.patch("new", suspend(false)).await;
    stage.is_ready("new").await;
    for name in ["app", "new"] {
        stage.deleted(name).await;
        assert!(stage.aws.user(name).await.is_none());
    }
    ended(stage).await;
}

#[tokio::test]
async fn a_suspended_deletion_is_held_until_it_goes_on_or_the_user_is_retained() {
    let stage = watchful(&[]).await;
    for name in ["resumed", "retained"] {
        stage.ready(name, iam()).await;
        let patch = json!({
            "metadata": { "annotations": { "elasticache-users.dev/prevent-deletion": "true" } },
            "spec": { "suspend": true },
        });
        stage.patch(name, patch).await;
        judged(&stage, name, "Suspended").await;
    }
    let calls = stage.aws.calls().await.len();
    for name in ["resumed", "retained"] {
        stage.delete(name).await;
        // What prevents every deletion goes first.
        stage.reason(name, "DeletionProtected").await;
        let unprotected =
            json!({ "metadata": { "annotations": { "elasticache-users.dev/prevent-deletion": null } } });
        stage.patch(name, unprotected).await;
        let object = stage.reason(name, "Suspended").await;
        assert_eq!(condition(&object, "Deleting").unwrap()["reason"], "Suspended");
        assert!(is_held(&object));
        let (kind, ..) = stage.event(name, "Suspended").await;
        assert_eq!(kind, "Warning");
        stage.nudge(name).await;
        stage.shows(name, "echo", |object| object["status"]["lastHandledReconcileAt"] == "now").await;
    }
    stage.patch("retained", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    stage.gone("retained").await;
    assert_eq!(stage.aws.calls().await.len(), calls, "not one call for either");
    stage.event("retained", "Retained").await;
    stage.patch("resumed", json!({ "spec": { "suspend": false } })).await;
    stage.gone("resumed").await;
    assert!(stage.aws.user("resumed").await.is_none());
    assert!(stage.aws.user("retained").await.is_some());
    ended(stage).await;
}

#[tokio::test]
async fn user_ids_must_begin_as_the_administrator_says() {
    let stage = Stage::dark(Setting { leaves_users: true, ..Setting::default() }).await;
    stage.start();
    // From before the rule.
    stage.ready("before", iam()).await;
    stage.kill();
    let calls = stage.aws.calls().await.len();
    stage.start_with(&[("REQUIRED_USER_ID_PREFIX", "{namespace}-".to_owned())]);
    stage.create("app", iam()).await;
    for name in ["app", "before"] {
        let object = judged(&stage, name, "UserIDNotAllowed").await;
        assert!(condition(&object, "Stalled").is_some());
        assert!(ready(&object).2.contains(&format!("\"{}-\"", stage.ns)), "{}", ready(&object).2);
        let (kind, ..) = stage.event(name, "UserIDNotAllowed").await;
        assert_eq!(kind, "Warning");
    }
    assert_eq!(stage.aws.calls().await.len(), calls, "there is nothing to ask AWS");
    let allowed = format!("{}-app", stage.ns);
    let mut spec = iam();
    spec["userID"] = json!(allowed);
    stage.ready("allowed", spec).await;
    for (name, id) in [("app", "app"), ("before", "before"), ("allowed", &allowed)] {
        stage.deleted(name).await;
        assert!(stage.aws.user(id).await.is_none(), "{name}");
    }
    assert_eq!(stage.aws.calls_of("CreateUser", "app").await.len(), 0);
    ended(stage).await;
}

#[tokio::test]
async fn a_default_policy_of_retain_holds_where_the_object_says_nothing() {
    let stage = watchful(&[("DEFAULT_DELETION_POLICY", "Retain")]).await;
    let mut spec = iam();
    spec["deletionPolicy"] = json!("Delete");
    stage.ready("gone", spec).await;
    stage.ready("kept", iam()).await;
    // Said while it is being deleted, it counts as well.
    stage.ready("asked", iam()).await;
    let hold = json!({ "metadata": { "annotations": { "elasticache-users.dev/prevent-deletion": "true" } } });
    stage.patch("asked", hold).await;
    stage.delete("asked").await;
    stage.reason("asked", "DeletionProtected").await;
    let delete = json!({
        "metadata": { "annotations": { "elasticache-users.dev/prevent-deletion": null } },
        "spec": { "deletionPolicy": "Delete" },
    });
    stage.patch("asked", delete).await;
    stage.gone("asked").await;
    stage.deleted("gone").await;
    stage.deleted("kept").await;
    let users = [stage.aws.user("asked").await, stage.aws.user("gone").await, stage.aws.user("kept").await];
    assert_eq!(users.map(|user| user.is_some()), [false, false, true]);
    ended(stage).await;
}

#[tokio::test]
async fn aws_own_users_are_nobodys_to_have() {
    let stage = watchful(&[("ADOPTION_NAMESPACE", "*")]).await;
    let users: Vec<Value> = [stage.aws.user("default").await].into_iter().flatten().collect();
    assert!(!users.is_empty(), "the emulator has no user default");
    for id in ["default", "default.orders"] {
        let mut spec = iam();
        spec["userID"] = json!(id);
        spec["adoptionPolicy"] = json!("Adopt");
        let object = crate::stage::manifest("app", spec);
        let refused =
            stage.users().create(&Default::default(), &serde_json::from_value(object).unwrap()).await;
        assert!(refused.is_err(), "{id}");
    }
    // One may be called `default` in the cache, as a group needs one.
    let mut spec = with_password("pw");
    spec["userName"] = json!("default");
    stage.secret("pw", PASSWORD).await;
    stage.ready("app", spec).await;
    stage.deleted("app").await;
    assert_eq!(stage.aws.user("default").await.unwrap(), users[0]);
    ended(stage).await;
}
