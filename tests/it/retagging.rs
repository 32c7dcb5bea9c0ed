//! A person edits the tags of the spec, or somebody edits the tags in AWS. The operator must not change tags of others, and must not
//! forget a tag of its own.

use std::time::{Duration, Instant};

use elasticache_emulator::Rule;
use serde_json::{Value, json};

use crate::fixture::{self, Fixture, Setup, condition, iam, until, with};

/// A fixture whose AWS answers tagging calls with 404 for a while after each change of tags.
async fn with_tag_window() -> Fixture {
    let mut setup = Setup::default();
    setup.aws.tag_window = Duration::from_secs(2);
    Fixture::with(setup).await
}

fn tagged(tags: Value) -> Value {
    with(iam(), json!({ "tags": tags }))
}

fn edit(tags: Value) -> Value {
    json!({ "spec": { "tags": tags } })
}

/// The AWS user's tags without the owner tags.
async fn tags(fixture: &Fixture) -> Value {
    let user = fixture.aws.user("app").await.unwrap();
    let of_spec = user["Tags"].as_object().unwrap().iter().filter(|(key, _)| !is_owner_tag(key));
    Value::Object(of_spec.map(|(key, value)| (key.clone(), value.clone())).collect())
}

async fn owner_tags(fixture: &Fixture) -> usize {
    let user = fixture.aws.user("app").await.unwrap();
    user["Tags"].as_object().unwrap().keys().filter(|key| is_owner_tag(key)).count()
}

fn is_owner_tag(key: &str) -> bool {
    key.starts_with("elasticache-users.dev/")
}

fn keys(object: &Value) -> Vec<&str> {
    let keys = object["status"]["lastApplied"]["tagKeys"].as_array();
    keys.map(|keys| keys.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

async fn count(fixture: &Fixture, action: &str) -> usize {
    fixture.aws.accepted(action, "app").await
}

/// An edit of the spec's tags.
struct TagEdit {
    patch: Value,
    /// The tags that AWS has after the edit, without owner tags.
    wanted: Value,
    /// How many calls have added and removed tags by then.
    adds: usize,
    removes: usize,
}

#[tokio::test]
async fn tags_follow_the_spec_and_tags_of_others_stay() {
    let fixture = with_tag_window().await;
    fixture.ready("app", tagged(json!({ "team": "search", "stage": "live" }))).await;
    let mut all = fixture.aws.user("app").await.unwrap()["Tags"].clone();
    all["made-by"] = json!("somebody");
    fixture.aws.put_user("app", json!({ "Tags": all })).await;
    let edited = json!({ "team": "ads", "stage": "live", "cost": "42" });
    let (added, removed) =
        (json!({ "team": "search", "stage": "live", "cost": "42" }), json!({ "team": "ads", "cost": "42" }));
    let row = |patch, wanted, adds, removes| TagEdit { patch, wanted, adds, removes };
    let rows = [
        row(json!({ "cost": "42" }), added, 1, 0),
        row(json!({ "team": "ads" }), edited, 2, 0),
        row(json!({ "stage": null }), removed, 2, 1),
        row(json!({ "team": "", "cost": null }), json!({ "team": "" }), 3, 2),
        row(Value::Null, json!({}), 3, 3),
    ];
    for TagEdit { patch, wanted, adds, removes } in rows {
        let claim = patch.to_string();
        fixture.patch("app", edit(patch)).await;
        let object = fixture.wait_ready("app").await;
        let mut with_others = wanted.clone();
        with_others["made-by"] = json!("somebody");
        assert_eq!(tags(&fixture).await, with_others, "{claim}");
        assert_eq!(keys(&object), wanted.as_object().unwrap().keys().collect::<Vec<_>>(), "{claim}");
        let calls =
            (count(&fixture, "AddTagsToResource").await, count(&fixture, "RemoveTagsFromResource").await);
        assert_eq!(calls, (adds, removes), "{claim}");
        fixture.event("app", "UserModified").await;
    }
    assert_eq!(owner_tags(&fixture).await, 4);
    // For a short time after a tag call AWS answers further tag calls with 404, although the user exists. The operator must not
    // take it for a missing user.
    assert_eq!(fixture.aws.calls_of("CreateUser", "app").await.len(), 1);
    assert_eq!(fixture.aws.calls_of("ModifyUser", "app").await.len(), 0);
    fixture.end().await;
}

#[tokio::test]
async fn only_the_tags_that_differ_are_sent() {
    let fixture = Fixture::new().await;
    fixture.ready("app", tagged(json!({ "a": "1", "b": "2" }))).await;
    fixture.patch("app", edit(json!({ "b": "3", "c": "4" }))).await;
    fixture.wait_ready("app").await;
    let calls = fixture.aws.calls_of("AddTagsToResource", "app").await;
    assert_eq!(calls.len(), 1);
    let params = calls[0]["Params"].as_object().unwrap().iter();
    let tags = params.filter(|(name, _)| name.starts_with("Tags."));
    let mut sent: Vec<&str> = tags.filter_map(|(_, value)| value.as_str()).collect();
    sent.sort_unstable();
    assert_eq!(sent, ["3", "4", "b", "c"]);
    fixture.reconcile_now("app").await;
    assert_eq!(count(&fixture, "AddTagsToResource").await, 1);
    fixture.end().await;
}

#[tokio::test]
async fn forty_tags_are_replaced_by_forty_others_although_aws_allows_only_fifty() {
    let forty = |prefix: &str| {
        let tags = (0..40).map(|index| (format!("{prefix}-{index}"), json!("x")));
        Value::Object(tags.collect())
    };
    let fixture = with_tag_window().await;
    fixture.ready("app", tagged(forty("old"))).await;
    let mut all = fixture.aws.user("app").await.unwrap()["Tags"].clone();
    for index in 0..6 {
        all[format!("theirs-{index}")] = json!("x");
    }
    fixture.aws.put_user("app", json!({ "Tags": all })).await;
    let mut patch = forty("new");
    for index in 0..40 {
        patch[format!("old-{index}")] = Value::Null;
    }
    fixture.patch("app", edit(patch)).await;
    let object = fixture.wait_ready("app").await;
    let mut wanted = forty("new");
    for index in 0..6 {
        wanted[format!("theirs-{index}")] = json!("x");
    }
    assert_eq!(tags(&fixture).await, wanted);
    assert_eq!(keys(&object).len(), 40);
    assert!(keys(&object).iter().all(|key| key.starts_with("new-")));
    let calls = fixture.aws.calls().await;
    assert!(
        calls.iter().all(|call| call["Code"] != "TagQuotaPerResourceExceeded"),
        "tags were added although AWS had no room for them"
    );
    let stalled = fixture.versions("app").iter().any(|version| condition(version, "Stalled").is_some());
    assert!(!stalled);
    fixture.end().await;
}

#[tokio::test]
async fn a_tag_key_is_written_to_status_before_its_tag_is_sent() {
    let fixture = Fixture::new().await;
    fixture.ready("app", iam()).await;
    // The call takes effect, but its answer is lost.
    let rule = Rule::on("AddTagsToResource").hang().after();
    let fault = fixture.aws.fault(rule).await;
    fixture.patch("app", edit(json!({ "team": "search" }))).await;
    fixture.aws.struck(fault, 1).await;
    fixture.kill();
    let object = serde_json::to_value(fixture.users().get("app").await.unwrap()).unwrap();
    assert_eq!(keys(&object), ["team"], "status must have the key before the tag is sent");
    assert_eq!(tags(&fixture).await, json!({ "team": "search" }));
    // The tag leaves the spec before the operator knows that AWS has it. The operator must remove it nevertheless.
    fixture.patch("app", edit(Value::Null)).await;
    fixture.start();
    let object = fixture.wait_ready("app").await;
    assert_eq!(tags(&fixture).await, json!({}));
    assert!(keys(&object).is_empty());
    fixture.end().await;
}

#[tokio::test]
async fn a_tag_key_leaves_status_only_after_its_removal_was_answered() {
    let fixture = Fixture::new().await;
    fixture.ready("app", tagged(json!({ "team": "search", "stage": "live" }))).await;
    let rule = Rule::on("RemoveTagsFromResource").unavailable().always();
    let fault = fixture.aws.fault(rule).await;
    fixture.patch("app", edit(json!({ "team": null }))).await;
    let object = fixture.reason("app", "AWSUnavailable").await;
    fixture.aws.struck(fault, 2).await;
    assert_eq!(keys(&object), ["stage", "team"]);
    // The tag must be removed also if the process that sent it is gone.
    fixture.kill();
    let object = serde_json::to_value(fixture.users().get("app").await.unwrap()).unwrap();
    assert_eq!(keys(&object), ["stage", "team"]);
    fixture.aws.clear_faults().await;
    fixture.start();
    let object = fixture.wait_ready("app").await;
    assert_eq!((tags(&fixture).await, keys(&object)), (json!({ "stage": "live" }), vec!["stage"]));
    fixture.end().await;
}

#[tokio::test]
async fn tags_and_all_other_fields_can_be_edited_at_once() {
    let fixture = with_tag_window().await;
    fixture.ready("app", tagged(json!({ "team": "search" }))).await;
    let mut patch = edit(json!({ "team": "ads" }));
    patch["spec"]["accessString"] = json!("on ~x:* +@all");
    let asked = Instant::now();
    fixture.patch("app", patch).await;
    fixture.wait_ready("app").await;
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    assert_eq!(tags(&fixture).await, json!({ "team": "ads" }));
    assert_eq!(fixture.aws.user("app").await.unwrap()["AccessString"], "on ~x:* +@all");
    assert_eq!((count(&fixture, "ModifyUser").await, count(&fixture, "AddTagsToResource").await), (1, 1));
    fixture.end().await;
}

#[tokio::test]
async fn removed_owner_tags_are_restored_if_status_proves_that_the_user_is_ours() {
    let fixture = with_tag_window().await;
    fixture.ready("app", tagged(json!({ "team": "search" }))).await;
    fixture.aws.put_user("app", json!({ "Tags": {} })).await;
    fixture.reconcile_now("app").await;
    let note = fixture.event("app", "DriftCorrected").await.note;
    assert!(note.contains("owner tags"), "{note}");
    // The operator restores the owner tags first and the tags of the spec afterwards.
    let of_spec = json!({ "team": "search" });
    let all = async || owner_tags(&fixture).await == 4 && tags(&fixture).await == of_spec;
    until("all tags are there", all).await;
    fixture.wait_ready("app").await;
    assert_eq!(fixture.aws.calls_of("ModifyUser", "app").await.len(), 0);
    // The operator also restores the owner tags before an edit, because it must not modify a user without an owner.
    fixture.aws.put_user("app", json!({ "Tags": {} })).await;
    fixture.patch("app", json!({ "spec": { "accessString": "on ~x:* +@all" } })).await;
    fixture.wait_ready("app").await;
    let mutations = fixture.aws.mutations().await;
    let accepted = mutations.iter().filter(|call| call["Code"].is_null());
    let mutations: Vec<&Value> = accepted.map(|call| &call["Action"]).collect();
    assert_eq!(mutations[mutations.len() - 3..], ["AddTagsToResource", "ModifyUser", "AddTagsToResource"]);
    assert_eq!(owner_tags(&fixture).await, 4);
    fixture.end().await;
}

#[tokio::test]
async fn tags_that_somebody_changed_are_restored_although_the_first_calls_fail() {
    let fixture = Fixture::new().await;
    fixture.ready("app", tagged(json!({ "team": "search" }))).await;
    let whole = fixture.aws.user("app").await.unwrap()["Tags"].clone();
    let mut changed = whole.clone();
    changed["team"] = json!("ads");
    for spoilt in [changed, json!({}), json!({ "team": "ads" })] {
        let rule = Rule::on("AddTagsToResource").unavailable().times(2);
        let fault = fixture.aws.fault(rule).await;
        fixture.aws.put_user("app", json!({ "Tags": spoilt })).await;
        fixture.reconcile_now("app").await;
        fixture.aws.struck(fault, 2).await;
        let tags = async || fixture.aws.user("app").await.unwrap()["Tags"].clone();
        until(&format!("{spoilt} is put right"), async || tags().await == whole).await;
        fixture.wait_ready("app").await;
    }
    fixture.end().await;
}

#[tokio::test]
async fn a_user_without_owner_tags_is_not_changed_if_status_does_not_prove_that_it_is_ours() {
    let rows = [
        ("app-0", json!({ "Tags": {}, "AccessString": "on ~theirs:* +@all" })),
        ("app-1", json!({ "Tags": {}, "Engine": "redis" })),
        ("app-2", json!({ "Tags": {}, "Authentication": { "Type": "no-password" } })),
    ];
    let fixture = Fixture::with(Setup::leaving_users()).await;
    // For some time after CreateUser the operator waits for the tags. All users are created first, so that they wait together.
    let mut stripped = Vec::new();
    for (name, change) in rows {
        fixture.ready(name, iam()).await;
        fixture.aws.put_user(name, change).await;
        stripped.push((name, fixture.aws.user(name).await.unwrap()));
        fixture.patch(name, json!({ "spec": { "accessString": "on ~x:* +@all" } })).await;
    }
    for (name, before) in stripped {
        let object = fixture.reason(name, "UserAlreadyExists").await;
        assert!(condition(&object, "Stalled").is_some(), "{name}");
        assert_eq!(fixture.aws.user(name).await.unwrap(), before, "{name}");
        // A person restores the tags, and the operator goes on with the next pass.
        let tags = fixture::owner_tags(&fixture.cluster_id, &fixture.ns, name);
        fixture.aws.put_user(name, json!({ "Tags": tags })).await;
        fixture.request_reconcile(name).await;
        fixture.wait_ready(name).await;
        assert_eq!(fixture.aws.user(name).await.unwrap()["AccessString"], "on ~x:* +@all", "{name}");
    }
    fixture.end().await;
}
