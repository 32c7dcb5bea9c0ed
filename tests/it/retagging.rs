//! The tags of the spec are edited, or somebody edits those of AWS; nobody else's tag is touched, and no tag is forgotten.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::stage::{Setting, Stage, condition, iam, until};

/// AWS answers tagging calls with 404 for a while after each change of tags.
async fn windowed() -> Stage {
    let mut setting = Setting::default();
    setting.aws.tag_window = Duration::from_secs(2);
    Stage::set(setting).await
}

fn tagged(tags: Value) -> Value {
    let mut spec = iam();
    spec["tags"] = tags;
    spec
}

fn edit(tags: Value) -> Value {
    json!({ "spec": { "tags": tags } })
}

/// The AWS user's tags, owner tags apart.
async fn tags(stage: &Stage) -> Value {
    let user = stage.aws.user("app").await.unwrap();
    let of_spec = user["Tags"].as_object().unwrap().iter().filter(|(key, _)| !is_owner_tag(key));
    Value::Object(of_spec.map(|(key, value)| (key.clone(), value.clone())).collect())
}

async fn owner_tags(stage: &Stage) -> usize {
    let user = stage.aws.user("app").await.unwrap();
    user["Tags"].as_object().unwrap().keys().filter(|key| is_owner_tag(key)).count()
}

fn is_owner_tag(key: &str) -> bool {
    key.starts_with("elasticache-users.dev/")
}

fn keys(object: &Value) -> Vec<&str> {
    let keys = object["status"]["lastApplied"]["tagKeys"].as_array();
    keys.map(|keys| keys.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

async fn count(stage: &Stage, action: &str) -> usize {
    stage.aws.accepted(action, "app").await
}

#[tokio::test]
async fn tags_follow_the_spec_and_those_of_others_stay() {
    let stage = windowed().await;
    stage.ready("app", tagged(json!({ "team": "search", "stage": "live" }))).await;
    let mut all = stage.aws.user("app").await.unwrap()["Tags"].clone();
    all["made-by"] = json!("somebody");
    stage.aws.put_user("app", json!({ "Tags": all })).await;
    let rows = [
        (
            "added",
            json!({ "cost": "42" }),
            json!({ "team": "search", "stage": "live", "cost": "42" }),
            (1, 0),
        ),
        (
            "changed",
            json!({ "team": "ads" }),
            json!({ "team": "ads", "stage": "live", "cost": "42" }),
            (2, 0),
        ),
        ("removed", json!({ "stage": null }), json!({ "team": "ads", "cost": "42" }), (2, 1)),
        ("changed and removed", json!({ "team": "", "cost": null }), json!({ "team": "" }), (3, 2)),
        ("all removed", Value::Null, json!({}), (3, 3)),
    ];
    for (claim, patch, wanted, (added, removed)) in rows {
        stage.patch("app", edit(patch)).await;
        let object = stage.is_ready("app").await;
        let mut with_others = wanted.clone();
        with_others["made-by"] = json!("somebody");
        assert_eq!(tags(&stage).await, with_others, "{claim}");
        assert_eq!(keys(&object), wanted.as_object().unwrap().keys().collect::<Vec<_>>(), "{claim}");
        let calls = (count(&stage, "AddTagsToResource").await, count(&stage, "RemoveTagsFromResource").await);
        assert_eq!(calls, (added, removed), "{claim}");
        stage.event("app", "UserModified").await;
    }
    assert_eq!(owner_tags(&stage).await, 4);
    // The 404 of the tag window says nothing about the user.
    assert_eq!(stage.aws.calls_of("CreateUser", "app").await.len(), 1);
    assert_eq!(stage.aws.calls_of("ModifyUser", "app").await.len(), 0);
    stage.end().await;
}

#[tokio::test]
async fn only_the_tags_that_differ_are_sent() {
    let stage = Stage::new().await;
    stage.ready("app", tagged(json!({ "a": "1", "b": "2" }))).await;
    stage.patch("app", edit(json!({ "b": "3", "c": "4" }))).await;
    stage.is_ready("app").await;
    let calls = stage.aws.calls_of("AddTagsToResource", "app").await;
    assert_eq!(calls.len(), 1);
    let sent: Map<String, Value> = calls[0]["Params"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.starts_with("Tags."))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut said: Vec<&str> = sent.values().filter_map(Value::as_str).collect();
    said.sort_unstable();
    assert_eq!(said, ["3", "4", "b", "c"], "{sent:#?}");
    stage.looked_at("app").await;
    assert_eq!(count(&stage, "AddTagsToResource").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn forty_tags_are_replaced_by_forty_others_where_aws_has_room_for_fifty() {
    let forty = |prefix: &str| {
        let tags = (0..40).map(|index| (format!("{prefix}-{index}"), json!("x")));
        Value::Object(tags.collect())
    };
    let stage = windowed().await;
    stage.ready("app", tagged(forty("old"))).await;
    let mut all = stage.aws.user("app").await.unwrap()["Tags"].clone();
    for index in 0..6 {
        all[format!("theirs-{index}")] = json!("x");
    }
    stage.aws.put_user("app", json!({ "Tags": all })).await;
    let mut patch = forty("new");
    for index in 0..40 {
        patch[format!("old-{index}")] = Value::Null;
    }
    stage.patch("app", edit(patch)).await;
    let object = stage.is_ready("app").await;
    let mut wanted = forty("new");
    for index in 0..6 {
        wanted[format!("theirs-{index}")] = json!("x");
    }
    assert_eq!(tags(&stage).await, wanted);
    assert_eq!(keys(&object).len(), 40);
    assert!(keys(&object).iter().all(|key| key.starts_with("new-")));
    let calls = stage.aws.calls().await;
    assert!(calls.iter().all(|call| call["Code"] != "TagQuotaPerResourceExceeded"), "sent without room");
    let stalled = stage.versions("app").iter().any(|version| condition(version, "Stalled").is_some());
    assert!(!stalled);
    stage.end().await;
}

#[tokio::test]
async fn a_key_is_remembered_before_its_tag_is_sent() {
    let stage = Stage::new().await;
    stage.ready("app", iam()).await;
    // It takes effect, and nobody learns of it.
    let rule = json!({ "Action": "AddTagsToResource", "Kind": "hang", "When": "after", "Ms": 90_000 });
    let fault = stage.aws.fault(rule).await;
    stage.patch("app", edit(json!({ "team": "search" }))).await;
    stage.aws.struck(fault, 1).await;
    stage.kill();
    let object = serde_json::to_value(stage.users().get("app").await.unwrap()).unwrap();
    assert_eq!(keys(&object), ["team"], "sent before status said so");
    assert_eq!(tags(&stage).await, json!({ "team": "search" }));
    // Out of the spec before anybody knew that AWS has it: it is removed all the same.
    stage.patch("app", edit(Value::Null)).await;
    stage.start();
    let object = stage.is_ready("app").await;
    assert_eq!(tags(&stage).await, json!({}));
    assert!(keys(&object).is_empty());
    stage.end().await;
}

#[tokio::test]
async fn a_key_is_forgotten_only_once_its_removal_was_answered() {
    let stage = Stage::new().await;
    stage.ready("app", tagged(json!({ "team": "search", "stage": "live" }))).await;
    let rule = json!({ "Action": "RemoveTagsFromResource", "Kind": "unavailable", "Times": null });
    let fault = stage.aws.fault(rule).await;
    stage.patch("app", edit(json!({ "team": null }))).await;
    let object = stage.reason("app", "AWSUnavailable").await;
    stage.aws.struck(fault, 2).await;
    assert_eq!(keys(&object), ["stage", "team"]);
    // Not even where the process that tried it is gone.
    stage.kill();
    let object = serde_json::to_value(stage.users().get("app").await.unwrap()).unwrap();
    assert_eq!(keys(&object), ["stage", "team"]);
    stage.aws.heal().await;
    stage.start();
    let object = stage.is_ready("app").await;
    assert_eq!((tags(&stage).await, keys(&object)), (json!({ "stage": "live" }), vec!["stage"]));
    stage.end().await;
}

#[tokio::test]
async fn tagging_calls_whose_answers_are_lost_end_in_the_wanted_tags() {
    let stage = Stage::new().await;
    stage.ready("app", tagged(json!({ "team": "search" }))).await;
    let mut number = 0;
    for kind in ["reset", "garbage", "unavailable"] {
        for when in ["before", "after"] {
            number += 1;
            let wanted = json!({ format!("key-{number}"): kind });
            let mut faults = Vec::new();
            for action in ["AddTagsToResource", "RemoveTagsFromResource"] {
                let rule = json!({ "Action": action, "Kind": kind, "When": when });
                faults.push(stage.aws.fault(rule).await);
            }
            let mut patch = wanted.clone();
            patch["team"] = Value::Null;
            patch[format!("key-{}", number - 1)] = Value::Null;
            stage.patch("app", edit(patch)).await;
            let object = stage.is_ready("app").await;
            for fault in faults {
                assert_eq!(stage.aws.fired(fault).await, 1, "{kind} {when}");
            }
            assert_eq!(tags(&stage).await, wanted, "{kind} {when}");
            assert_eq!(
                keys(&object),
                wanted.as_object().unwrap().keys().collect::<Vec<_>>(),
                "{kind} {when}"
            );
        }
    }
    assert_eq!(owner_tags(&stage).await, 4);
    stage.end().await;
}

#[tokio::test]
async fn tags_and_everything_else_are_edited_at_once() {
    let stage = windowed().await;
    stage.ready("app", tagged(json!({ "team": "search" }))).await;
    let mut patch = edit(json!({ "team": "ads" }));
    patch["spec"]["accessString"] = json!("on ~x:* +@all");
    let asked = Instant::now();
    stage.patch("app", patch).await;
    stage.is_ready("app").await;
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    assert_eq!(tags(&stage).await, json!({ "team": "ads" }));
    assert_eq!(stage.aws.user("app").await.unwrap()["AccessString"], "on ~x:* +@all");
    assert_eq!((count(&stage, "ModifyUser").await, count(&stage, "AddTagsToResource").await), (1, 1));
    stage.end().await;
}

#[tokio::test]
async fn owner_tags_that_were_stripped_are_put_back_where_status_proves_the_user_ours() {
    let stage = windowed().await;
    stage.ready("app", tagged(json!({ "team": "search" }))).await;
    stage.aws.put_user("app", json!({ "Tags": {} })).await;
    stage.looked_at("app").await;
    let (_, _, note) = stage.event("app", "DriftCorrected").await;
    assert!(note.contains("owner tags"), "{note}");
    // Whose it is comes first: the spec's own tags follow.
    until("all tags are there", || async {
        (owner_tags(&stage).await == 4 && tags(&stage).await == json!({ "team": "search" })).then_some(())
    })
    .await;
    stage.is_ready("app").await;
    assert_eq!(stage.aws.calls_of("ModifyUser", "app").await.len(), 0);
    // Before an edit too: ModifyUser goes to nobody's user.
    stage.aws.put_user("app", json!({ "Tags": {} })).await;
    stage.patch("app", json!({ "spec": { "accessString": "on ~x:* +@all" } })).await;
    stage.is_ready("app").await;
    let mutations: Vec<Value> = stage
        .aws
        .calls()
        .await
        .into_iter()
        .filter(|call| call["Code"].is_null())
        .map(|call| call["Action"].clone())
        .filter(|action| action == "ModifyUser" || action == "AddTagsToResource")
        .collect();
    assert_eq!(mutations[mutations.len() - 3..], ["AddTagsToResource", "ModifyUser", "AddTagsToResource"]);
    assert_eq!(owner_tags(&stage).await, 4);
    stage.end().await;
}

#[tokio::test]
async fn tags_that_somebody_changed_are_put_back_though_the_first_calls_fail() {
    let stage = Stage::new().await;
    stage.ready("app", tagged(json!({ "team": "search" }))).await;
    let whole = stage.aws.user("app").await.unwrap()["Tags"].clone();
    let mut changed = whole.clone();
    changed["team"] = json!("ads");
    for spoilt in [changed, json!({}), json!({ "team": "ads" })] {
        let rule = json!({ "Action": "AddTagsToResource", "Kind": "unavailable", "Times": 2 });
        let fault = stage.aws.fault(rule).await;
        stage.aws.put_user("app", json!({ "Tags": spoilt })).await;
        stage.looked_at("app").await;
        stage.aws.struck(fault, 2).await;
        until(&format!("{spoilt} is put right"), || async {
            (stage.aws.user("app").await.unwrap()["Tags"] == whole).then_some(())
        })
        .await;
        stage.is_ready("app").await;
    }
    stage.end().await;
}

#[tokio::test]
async fn a_user_without_owner_tags_that_status_cannot_prove_ours_is_left_alone() {
    let rows = [
        ("app-0", json!({ "Tags": {}, "AccessString": "on ~theirs:* +@all" })),
        ("app-1", json!({ "Tags": {}, "Engine": "redis" })),
        ("app-2", json!({ "Tags": {}, "Authentication": { "Type": "no-password" } })),
    ];
    let stage = Stage::set(Setting { leaves_users: true, ..Setting::default() }).await;
    for (name, change) in rows {
        stage.ready(name, iam()).await;
        stage.aws.put_user(name, change).await;
        let before = stage.aws.user(name).await.unwrap();
        stage.patch(name, json!({ "spec": { "accessString": "on ~x:* +@all" } })).await;
        let object = stage.reason(name, "UserAlreadyExists").await;
        assert!(condition(&object, "Stalled").is_some(), "{name}");
        assert_eq!(stage.aws.user(name).await.unwrap(), before, "{name}");
        // Its tags back by hand: it goes on with the next look.
        let mut tags =
            json!({ "elasticache-users.dev/namespace": stage.ns, "elasticache-users.dev/name": name });
        tags["elasticache-users.dev/cluster"] = json!(cluster(&stage).await);
        stage.aws.put_user(name, json!({ "Tags": tags })).await;
        stage.nudge(name).await;
        stage.is_ready(name).await;
        assert_eq!(stage.aws.user(name).await.unwrap()["AccessString"], "on ~x:* +@all", "{name}");
    }
    stage.end().await;
}

async fn cluster(stage: &Stage) -> String {
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(stage.client.clone());
    namespaces.get("kube-system").await.unwrap().metadata.uid.unwrap()
}
