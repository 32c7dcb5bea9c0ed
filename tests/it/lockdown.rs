//! The operator's administrator forbids features to the users of a namespace, and limits the number of its AWS users.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::fixture::{
    Fixture, PASSWORD, Setup, condition, iam, iam_user, is_observed, is_ready, manifest, message, owner_tags,
    prevent_deletion, until, with, with_password,
};

/// With this resync no pass begins by itself, so that each pass is the answer to a change.
const RESYNC: (&str, &str) = ("ELASTICACHE_USERS_RESYNC", "1h");
const ALL: &str = "retain,observe,suspend,prevent-deletion,adopt";

fn variables(all: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    all.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// Waits until the object is Ready and its message contains these words.
async fn ready_with(fixture: &Fixture, name: &str, words: &str) -> Value {
    let told = |object: &Value| is_ready(object) && message(object).contains(words);
    fixture.shows(name, &format!("Ready, and {words}"), told).await
}

#[tokio::test]
async fn an_object_with_a_forbidden_feature_gets_no_user_until_the_feature_is_removed() {
    let fixture = Fixture::with(Setup {
        leaves_users: true,
        ..Setup::env(&[
            RESYNC,
            ("ELASTICACHE_USERS_FORBID", ALL),
            ("ELASTICACHE_USERS_ALLOWED_TAG_KEY", "team,cost-*"),
            ("ELASTICACHE_USERS_ADOPTION_NAMESPACE", "*"),
        ])
    })
    .await;
    let another = with(owner_tags("elsewhere", "theirs", "x"), json!({ "elasticache-users.dev/uid": "u" }));
    fixture
        .aws
        .put_user("observe", with(iam_user(), json!({ "AccessString": "on ~hidden", "Tags": another })))
        .await;
    let rows = [
        ("retain", json!({ "deletionPolicy": "Retain" }), "(--forbid=retain)"),
        ("observe", json!({ "managementPolicy": "Observe" }), "(--forbid=observe)"),
        ("suspend", json!({ "suspend": true }), "(--forbid=suspend)"),
        (
            "tags",
            json!({ "tags": { "team": "a", "cost-center": "b", "owner": "c" } }),
            "(--allowed-tag-key): \"owner\".",
        ),
    ];
    for (name, spec, words) in rows {
        fixture.create(name, with(iam(), spec)).await;
        let object = fixture.reason_now(name, "InvalidSpec").await;
        assert!(message(&object).contains(words), "{}", message(&object));
        assert!(
            condition(&object, "Stalled").is_some() && object["status"]["accessString"].is_null(),
            "{object:#}"
        );
        assert!(!object.to_string().contains("hidden"), "what another's user may do");
    }
    assert!(fixture.aws.mutations().await.is_empty(), "AWS was changed");
    let fixes = [
        ("retain", json!({ "deletionPolicy": null })),
        ("suspend", json!({ "suspend": false })),
        ("tags", json!({ "tags": { "owner": null } })),
    ];
    for (name, spec) in fixes {
        fixture.patch(name, json!({ "spec": spec })).await;
        fixture.wait_ready(name).await;
        fixture.deleted(name).await;
        assert!(fixture.aws.user(name).await.is_none());
    }
    fixture.deleted("observe").await;
    assert!(fixture.aws.calls_of("DeleteUser", "observe").await.is_empty(), "it is another's");
    fixture.aws.put_user("adopt", with(iam_user(), json!({ "Tags": {} }))).await;
    fixture.create("adopt", with(iam(), json!({ "adoptionPolicy": "Adopt" }))).await;
    let object = fixture.reason_now("adopt", "AdoptionNotAllowed").await;
    assert!(message(&object).contains("(--forbid=adopt)"), "{}", message(&object));
    fixture.deleted("adopt").await;
    assert!(fixture.aws.changes_of("adopt").await.is_empty());
    fixture.end().await;
}

#[tokio::test]
async fn a_user_from_before_a_feature_was_forbidden_stays_managed_and_can_be_deleted() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    fixture.start_with(&variables(&[RESYNC]));
    fixture.secret("pw", PASSWORD).await;
    fixture.ready("retained", with(with_password("pw"), json!({ "deletionPolicy": "Retain" }))).await;
    fixture.ready("tagged", with(iam(), json!({ "tags": { "team": "a", "odd": "b" } }))).await;
    for name in ["kept", "suspended", "observed"] {
        fixture.ready(name, iam()).await;
    }
    fixture.patch("kept", prevent_deletion(true)).await;
    fixture.patch("suspended", json!({ "spec": { "suspend": true } })).await;
    fixture.patch("observed", json!({ "spec": { "managementPolicy": "Observe" } })).await;
    fixture.reason_now("suspended", "Suspended").await;
    let object = fixture.reason_now("observed", "Observed").await;
    assert!(object["metadata"]["finalizers"].is_null());
    fixture.kill();
    let rules = [RESYNC, ("ELASTICACHE_USERS_FORBID", ALL), ("ELASTICACHE_USERS_ALLOWED_TAG_KEY", "team")];
    fixture.start_with(&variables(&rules));
    for name in ["retained", "kept", "tagged", "suspended", "observed"] {
        fixture.request_reconcile(name).await;
    }

    ready_with(&fixture, "retained", "(--forbid=retain), so it is ignored: the AWS user is deleted").await;
    ready_with(&fixture, "kept", "(--forbid=prevent-deletion), so it is ignored").await;
    ready_with(&fixture, "tagged", "(--allowed-tag-key), so they are left out: \"odd\".").await;
    assert_eq!(fixture.event("retained", "RuleBroken").await.kind, "Warning");
    let user = fixture.aws.user("tagged").await.unwrap();
    assert!(user["Tags"]["odd"].is_null() && user["Tags"]["team"] == "a", "{user:#}");
    // The operator still rotates passwords.
    let rotated = "another-long-passphrase";
    fixture.secret("pw", rotated).await;
    until("the rotation", async || {
        fixture.aws.user("retained").await.is_some_and(|user| user["Passwords"] == json!([rotated]))
    })
    .await;
    ready_with(&fixture, "retained", "(--forbid=retain)").await;
    let told = fixture.events("retained").await;
    assert_eq!(told.iter().filter(|event| event.reason == "RuleBroken").count(), 1, "{told:?}");
    // A suspended or observing object changes nothing in AWS, but gets the finalizer.
    for name in ["suspended", "observed"] {
        let object = fixture.reason_now(name, "InvalidSpec").await;
        assert!(
            message(&object).contains("if you delete the object, its AWS user is deleted too"),
            "{}",
            message(&object)
        );
        let held = |object: &Value| object["metadata"]["finalizers"].is_array();
        fixture.shows(name, "the finalizer", held).await;
    }
    assert_eq!(fixture.aws.changes_of("observed").await, ["CreateUser"]);
    // At its end the fixture checks that no user is left.
    for name in ["retained", "kept", "tagged", "suspended", "observed"] {
        fixture.deleted(name).await;
        assert!(fixture.aws.user(name).await.is_none(), "{name}");
    }
    let event = fixture.event("kept", "DeletionStarted").await;
    assert_eq!(event.kind, "Normal");
    assert!(fixture.event("suspended", "RuleBroken").await.note.contains("(--forbid=suspend)"));
    fixture.end().await;
}

#[tokio::test]
async fn an_object_above_the_limit_of_its_namespace_waits_until_another_user_is_gone() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    fixture.start_with(&variables(&[RESYNC]));
    for name in ["a", "b", "c"] {
        fixture.ready(name, iam()).await;
    }
    fixture.kill();
    fixture.start_with(&variables(&[RESYNC, ("ELASTICACHE_USERS_MAX_USERS_PER_NAMESPACE", "2")]));
    // The third user is from before the limit, and stays managed.
    fixture.patch("c", json!({ "spec": { "accessString": "on ~c:* +@all" } })).await;
    fixture.wait_ready("c").await;
    assert_eq!(fixture.aws.user("c").await.unwrap()["AccessString"], "on ~c:* +@all");
    for name in ["d", "e"] {
        fixture.create(name, iam()).await;
        let object = fixture.reason_now(name, "QuotaExceeded").await;
        assert!(
            message(&object).contains("--max-users-per-namespace allows 2 AWS users"),
            "{}",
            message(&object)
        );
        assert!(condition(&object, "Reconciling").is_some() && object["metadata"]["finalizers"].is_null());
    }
    fixture.create("o", with(iam(), json!({ "managementPolicy": "Observe" }))).await;
    fixture.reason_now("o", "UserMissing").await;
    fixture.deleted("a").await;
    // Two users are left, so both objects still wait.
    for name in ["d", "e"] {
        let object = fixture.acknowledge(name).await;
        assert_eq!(condition(&object, "Ready").unwrap()["reason"], "QuotaExceeded");
        assert!(is_observed(&object) && fixture.aws.changes_of(name).await.is_empty());
    }
    fixture.deleted("b").await;
    fixture.wait_ready("d").await;
    assert!(fixture.aws.changes_of("e").await.is_empty());
    // A waiting object can be deleted at once.
    fixture.deleted("e").await;
    for name in ["c", "d", "o"] {
        fixture.deleted(name).await;
    }
    fixture.end().await;
}

#[tokio::test]
async fn the_admission_policy_in_the_documentation_refuses_what_the_page_says() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let page = crate::repository::read("docs/src/concepts/tenancy.md");
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), example).unwrap();
    let applied = fixture.kubectl(&["apply", "--filename", file.path().to_str().unwrap()]).output().unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let label = Patch::Merge(json!({ "metadata": { "labels": { "tenant": "shop" } } }));
    let namespaces: Api<Namespace> = Api::all(fixture.client.clone());
    namespaces.patch(&fixture.ns, &PatchParams::default(), &label).await.unwrap();
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let try_with = async |access: &str| {
        let object = manifest("app", with(iam(), json!({ "accessString": access })));
        let tried = fixture.users().create(&dry_run, &serde_json::from_value(object).unwrap()).await;
        tried.err().map(|refused| refused.to_string()).unwrap_or_default()
    };
    until("the policy holds", async || try_with("on ~* +@all").await.contains("ask the platform team")).await;
    for access in ["on ~* allcommands", "on ~* +@READ +@Dangerous"] {
        assert!(try_with(access).await.contains("ask the platform team"), "{access}");
    }
    assert_eq!(try_with("on ~* -@all +@read +get").await, "");
    fixture.end().await;
}
