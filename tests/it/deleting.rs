//! The heart: every row of the deletion table of `api.md`, on the real control plane and the emulator.
//!
//! That an object never vanishes before its AWS user is held by the stage's watch, in each of these tests.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::{PASSWORD, Setting, Stage, condition, iam, with_password};

/// Ready with an IAM user, and about to be deleted.
async fn with_user() -> Stage {
    let stage = Stage::new().await;
    stage.ready("app", iam()).await;
    stage
}

async fn leaving() -> Stage {
    Stage::set(Setting { leaves_users: true, ..Setting::default() }).await
}

fn message(object: &Value) -> &str {
    condition(object, "Deleting").and_then(|deleting| deleting["message"].as_str()).unwrap_or_default()
}

/// DeleteUser was accepted once, and the stage ends well.
async fn accepted_once(stage: Stage) {
    assert_eq!(stage.aws.accepted("DeleteUser", "app").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn an_active_user_is_deleted_once_and_polled_until_it_is_gone() {
    let stage = with_user().await;
    stage.delete("app").await;
    let object = stage.shows("app", "deleting", |object| object["status"]["state"] == "deleting").await;
    assert_eq!(condition(&object, "Deleting").unwrap()["reason"], "DeletingUser");
    stage.gone("app").await;
    stage.event("app", "DeletionStarted").await;
    stage.event("app", "UserDeleted").await;
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 1);
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_modifying_user_is_waited_for() {
    let stage = with_user().await;
    stage.aws.put_user("app", json!({ "Status": "modifying" })).await;
    stage.delete("app").await;
    let object = stage.reason("app", "WaitingForUserActive").await;
    assert!(message(&object).contains("modifying"), "{}", message(&object));
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 0);
    stage.aws.put_user("app", json!({ "Status": "active" })).await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_deleting_user_is_polled_and_never_deleted_again() {
    let stage = with_user().await;
    stage.aws.put_user("app", json!({ "Status": "deleting" })).await;
    stage.delete("app").await;
    stage.reason("app", "DeletingUser").await;
    stage.aws.remove_user("app").await;
    stage.gone("app").await;
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 0);
    stage.end().await;
}

#[tokio::test]
async fn a_state_that_is_not_known_is_waited_for_and_named() {
    let stage = with_user().await;
    stage.aws.put_user("app", json!({ "Status": "migrating" })).await;
    stage.delete("app").await;
    let object = stage.reason("app", "WaitingForUserActive").await;
    assert!(message(&object).contains("migrating"), "{}", message(&object));
    stage.aws.put_user("app", json!({ "Status": "active" })).await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn invalid_user_state_is_backed_off_from() {
    let rule = |times: Value| json!({ "Action": "DeleteUser", "Kind": "error", "Code": "InvalidUserState", "Times": times });
    for times in [1_u64, 3] {
        let stage = with_user().await;
        let fault = stage.aws.fault(rule(json!(times))).await;
        stage.deleted("app").await;
        assert_eq!(stage.aws.fired(fault).await, times);
        accepted_once(stage).await;
    }
    let stage = with_user().await;
    let fault = stage.aws.fault(rule(Value::Null)).await;
    stage.delete("app").await;
    stage.reason("app", "InvalidUserState").await;
    stage.event("app", "InvalidUserState").await;
    stage.aws.struck(fault, 4).await;
    stage.aws.heal().await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_deletion_that_is_refused_again_and_again_writes_nothing_more() {
    let stage = with_user().await;
    let refusal =
        json!({ "Action": "DeleteUser", "Kind": "error", "Code": "InvalidUserState", "Times": null });
    let fault = stage.aws.fault(refusal).await;
    stage.delete("app").await;
    stage.reason("app", "InvalidUserState").await;
    stage.aws.struck(fault, 2).await;
    let statuses = || stage.writes().map(|writes| writes.statuses);
    let (versions, before) = (stage.versions("app").len(), statuses());
    let told = stage.versions("app").pop().unwrap();
    assert!(told["status"]["lastApplied"].is_null(), "a lost answer could hide behind it: {told:#}");
    stage.aws.struck(fault, 6).await;
    assert_eq!(stage.versions("app").len(), versions, "{:#?}", &stage.versions("app")[versions - 1..]);
    assert_eq!(statuses(), before);
    stage.aws.heal().await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_user_that_lost_its_tags_while_its_deletion_was_refused_is_deleted_still() {
    let stage = with_user().await;
    let refusal =
        json!({ "Action": "DeleteUser", "Kind": "error", "Code": "InvalidUserState", "Times": null });
    let fault = stage.aws.fault(refusal).await;
    stage.delete("app").await;
    stage.aws.struck(fault, 2).await;
    stage.aws.put_user("app", json!({ "Tags": {} })).await;
    stage.aws.heal().await;
    stage.gone("app").await;
    assert_eq!(stage.aws.accepted("AddTagsToResource", "app").await, 1);
    accepted_once(stage).await;
}

#[tokio::test]
async fn it_is_left_and_told_by_an_operator_that_did_not_see_the_refusal() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    stage
        .aws
        .fault(json!({ "Action": "DeleteUser", "Kind": "error", "Code": "InvalidUserState", "Times": null }))
        .await;
    stage.delete("app").await;
    stage.reason("app", "InvalidUserState").await;
    stage.kill();
    stage.aws.put_user("app", json!({ "Tags": {} })).await;
    stage.start();
    stage.gone("app").await;
    assert!(stage.aws.user("app").await.is_some());
    stage.event("app", "UserAlreadyExists").await;
    stage.end().await;
}

#[tokio::test]
async fn user_not_found_from_delete_user_is_no_proof() {
    let stage = with_user().await;
    stage
        .aws
        .fault(json!({ "Action": "DeleteUser", "Kind": "error", "Code": "UserNotFound", "Status": 404 }))
        .await;
    stage.deleted("app").await;
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 2);
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_user_that_is_gone_already_lets_its_object_go() {
    let stage = with_user().await;
    stage.aws.remove_user("app").await;
    stage.deleted("app").await;
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 0);
    stage.end().await;
}

#[tokio::test]
async fn user_not_found_from_a_tagging_call_changes_nothing() {
    let stage = with_user().await;
    stage.kill();
    let fault = stage
        .aws
        .fault(json!({ "Action": "ListTagsForResource", "Kind": "error", "Code": "UserNotFound", "Status": 404, "Times": null }))
        .await;
    stage.delete("app").await;
    stage.start();
    stage.aws.struck(fault, 3).await;
    stage.reason("app", "WaitingForUserActive").await;
    assert!(stage.versions("app").last().unwrap()["metadata"]["finalizers"].is_array());
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 0);
    stage.aws.heal().await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn the_default_user_of_a_group_is_waited_for_and_goes_on_by_itself() {
    let stage = Stage::new().await;
    stage.secret("pw", PASSWORD).await;
    let mut spec = with_password("pw");
    spec["userName"] = json!("default");
    stage.ready("app", spec).await;
    stage.aws.put_group("team", json!({ "UserIds": ["app"] })).await;
    stage.delete("app").await;
    let object = stage.reason("app", "DefaultUserInGroup").await;
    assert!(message(&object).contains("\"team\""), "{}", message(&object));
    stage.event("app", "DefaultUserInGroup").await;
    stage.aws.remove_group("team").await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn refusals_are_told_and_never_terminal() {
    let denied = "User: arn:aws:iam::1:role/r is not authorized to perform: elasticache:DeleteUser";
    let rows = [
        ("ServiceLinkedRoleNotFoundFault", 400, "ServiceLinkedRoleMissing", "create-service-linked-role"),
        ("InvalidParameterValue", 400, "AWSRefused", "InvalidParameterValue"),
        ("AccessDenied", 403, "AccessDenied", "elasticache:DeleteUser"),
        ("ExpiredToken", 403, "CredentialsUnavailable", "ExpiredToken"),
        ("SomethingNew", 400, "AWSRefused", "SomethingNew"),
        ("Throttling", 400, "Throttled", "Throttling"),
        ("ServiceUnavailable", 503, "AWSUnavailable", "ServiceUnavailable"),
    ];
    let stage = Stage::new().await;
    for (index, (code, status, reason, says)) in rows.into_iter().enumerate() {
        let name = format!("app-{index}");
        stage.ready(&name, iam()).await;
        let rule = json!({
            "Action": "DeleteUser", "UserId": name, "Kind": "error",
            "Code": code, "Status": status, "Message": denied, "Times": null,
        });
        stage.aws.fault(rule).await;
        stage.delete(&name).await;
        let object = stage.reason(&name, reason).await;
        assert!(message(&object).contains(says), "{code}: {}", message(&object));
        stage.event(&name, reason).await;
    }
    stage.aws.heal().await;
    for index in 0..rows.len() {
        let name = format!("app-{index}");
        stage.nudge(&name).await;
        stage.gone(&name).await;
        assert_eq!(stage.aws.accepted("DeleteUser", &name).await, 1);
    }
    stage.end().await;
}

#[tokio::test]
async fn a_missing_service_linked_role_is_told_with_its_command() {
    let stage = with_user().await;
    stage.aws.settings(json!({ "no-service-linked-role": true })).await;
    stage.delete("app").await;
    let object = stage.reason("app", "ServiceLinkedRoleMissing").await;
    assert!(message(&object).contains("aws iam create-service-linked-role"), "{}", message(&object));
    stage.aws.settings(json!({ "no-service-linked-role": false })).await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn spoilt_answers_are_gone_through() {
    // Each with the number of DeleteUser calls that it takes: a second one only where the first had no effect.
    let kinds = [
        (json!({ "Kind": "reset", "When": "before" }), 2),
        (json!({ "Kind": "reset", "When": "after" }), 1),
        (json!({ "Kind": "garbage", "When": "before" }), 2),
        (json!({ "Kind": "garbage", "When": "after" }), 1),
        (json!({ "Kind": "unavailable", "When": "before" }), 2),
        (json!({ "Kind": "unavailable", "When": "after" }), 1),
        (json!({ "Kind": "hang", "Ms": 60_000, "When": "before" }), 2),
        (json!({ "Kind": "hang", "Ms": 60_000, "When": "after" }), 1),
        (json!({ "Kind": "throttle", "When": "before" }), 2),
        (json!({ "Kind": "truncate" }), 1),
        (json!({ "Kind": "slow", "Ms": 500 }), 1),
    ];
    let stage = Stage::new().await;
    let mut spoilt = Vec::new();
    for action in ["DescribeUsers", "ListTagsForResource", "DeleteUser"] {
        for (index, (kind, calls)) in kinds.iter().enumerate() {
            let name = format!("app-{}-{index}", action.to_lowercase());
            stage.ready(&name, iam()).await;
            let mut rule = kind.clone();
            rule["Action"] = json!(action);
            rule["UserId"] = json!(name);
            let fault = stage.aws.fault(rule).await;
            stage.delete(&name).await;
            spoilt.push((name, fault, if action == "DeleteUser" { *calls } else { 1 }));
        }
    }
    for (name, fault, calls) in spoilt {
        stage.gone(&name).await;
        assert_eq!(stage.aws.fired(fault).await, 1, "{name}");
        assert_eq!(stage.aws.calls_of("DeleteUser", &name).await.len(), calls, "{name}");
    }
    stage.end().await;
}

#[tokio::test]
async fn throttling_by_the_service_is_gone_through() {
    let stage = Stage::new().await;
    for index in 0..8 {
        stage.ready(&format!("app-{index}"), iam()).await;
    }
    stage.aws.settings(json!({ "rate": "3:3" })).await;
    for index in 0..8 {
        stage.delete(&format!("app-{index}")).await;
    }
    for index in 0..8 {
        let name = format!("app-{index}");
        stage.gone(&name).await;
        assert_eq!(stage.aws.accepted("DeleteUser", &name).await, 1);
    }
    stage.end().await;
}

#[tokio::test]
async fn retain_leaves_the_user_and_says_how_to_hand_it_over() {
    let stage = leaving().await;
    let mut spec = iam();
    spec["deletionPolicy"] = json!("Retain");
    stage.ready("app", spec).await;
    // Once DescribeUsers has shown the user, the CreateUser is history.
    stage.nudge("app").await;
    stage.shows("app", "echo", |object| object["status"]["lastHandledReconcileAt"] == "now").await;
    let before = stage.aws.user("app").await.unwrap();
    let calls = stage.aws.calls().await.len();
    stage.deleted("app").await;
    assert_eq!(stage.aws.user("app").await.unwrap(), before);
    let (_, _, note) = stage.event("app", "Retained").await;
    assert!(note.contains("remove-tags-from-resource") && note.contains(":user:app"), "{note}");
    assert_eq!(stage.aws.calls().await.len(), calls, "Retain needs no AWS call");
    stage.end().await;
}

#[tokio::test]
async fn retain_set_while_terminating_gets_out() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    stage.aws.fault(json!({ "Action": "DeleteUser", "Kind": "error", "Code": "AccessDenied", "Status": 403, "Times": null })).await;
    stage.delete("app").await;
    stage.reason("app", "AccessDenied").await;
    stage.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    stage.gone("app").await;
    assert!(stage.aws.user("app").await.is_some());
    stage.event("app", "Retained").await;
    stage.end().await;
}

#[tokio::test]
async fn retain_that_comes_too_late_says_so() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    stage.aws.settings(json!({ "delete-time": "60s" })).await;
    stage.delete("app").await;
    stage.shows("app", "deleting", |object| object["status"]["state"] == "deleting").await;
    stage.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    stage.gone("app").await;
    // Not `Retained`, which would be untrue: AWS deletes the user all the same.
    crate::stage::until("the event that says so", || async {
        let events = stage.events("app").await;
        assert!(events.iter().all(|(_, reason, _)| reason != "Retained"), "{events:#?}");
        events.into_iter().find(|(_, _, note)| note.contains("accepted before"))
    })
    .await;
    stage.end().await;
}

#[tokio::test]
async fn the_operators_default_policy_holds_where_the_object_has_none() {
    let env = vec![("DEFAULT_DELETION_POLICY", "Retain".to_owned())];
    let stage = Stage::set(Setting { leaves_users: true, env, ..Setting::default() }).await;
    stage.ready("kept", iam()).await;
    let mut spec = iam();
    spec["deletionPolicy"] = json!("Delete");
    stage.ready("gone", spec).await;
    stage.deleted("kept").await;
    stage.deleted("gone").await;
    assert!(stage.aws.user("kept").await.is_some());
    assert!(stage.aws.user("gone").await.is_none());
    stage.end().await;
}

#[tokio::test]
async fn prevent_deletion_holds_without_an_aws_call() {
    let stage = with_user().await;
    let protection = |value: Value| json!({ "metadata": { "annotations": { "elasticache-users.dev/prevent-deletion": value } } });
    stage.patch("app", protection(json!("true"))).await;
    // The pass that the annotation caused is over once its look is answered.
    let calls = crate::stage::until("the pass has looked", || async {
        let calls = stage.aws.calls_of("DescribeUsers", "app").await.len();
        (calls >= 2).then_some(calls)
    })
    .await;
    stage.delete("app").await;
    let object = stage.reason("app", "DeletionProtected").await;
    assert!(message(&object).contains("prevent-deletion"));
    stage.event("app", "DeletionProtected").await;
    // Not even the policy gets past it.
    stage.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    stage
        .shows("app", "the edit is seen", |object| {
            object["status"]["observedGeneration"] == object["metadata"]["generation"]
                && object["spec"]["deletionPolicy"] == "Retain"
        })
        .await;
    assert_eq!(stage.aws.calls_of("DescribeUsers", "app").await.len(), calls);
    stage.patch("app", json!({ "spec": { "deletionPolicy": "Delete" } })).await;
    stage.patch("app", protection(Value::Null)).await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_namespace_goes_with_its_secret_and_without_events() {
    let stage = Stage::new().await;
    stage.secret("pw", PASSWORD).await;
    stage.ready("app", with_password("pw")).await;
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(stage.client.clone());
    namespaces.delete(&stage.ns, &Default::default()).await.unwrap();
    stage.gone("app").await;
    crate::stage::until("the namespace is gone", || async {
        namespaces.get_opt(&stage.ns).await.unwrap().is_none().then_some(())
    })
    .await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_secret_that_is_gone_blocks_nothing() {
    let stage = Stage::new().await;
    stage.secret("pw", PASSWORD).await;
    stage.ready("app", with_password("pw")).await;
    let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> =
        kube::Api::namespaced(stage.client.clone(), &stage.ns);
    secrets.delete("pw", &Default::default()).await.unwrap();
    stage.reason("app", "SecretNotFound").await;
    stage.deleted("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_user_that_became_anothers_is_left_alone() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    let theirs = json!({
        "elasticache-users.dev/cluster": "elsewhere",
        "elasticache-users.dev/namespace": "theirs",
        "elasticache-users.dev/name": "orders",
    });
    stage.aws.put_user("app", json!({ "Tags": theirs })).await;
    let before = stage.aws.user("app").await.unwrap();
    stage.deleted("app").await;
    assert_eq!(stage.aws.user("app").await.unwrap(), before);
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 0);
    let (kind, _, note) = stage.event("app", "UserOwnedByAnother").await;
    assert_eq!(kind, "Warning");
    assert!(note.contains("elsewhere") && note.contains("theirs") && note.contains("orders"), "{note}");
    stage.end().await;
}

#[tokio::test]
async fn a_user_that_lost_its_tags_and_is_the_one_we_managed_gets_them_back_and_is_deleted() {
    let stage = with_user().await;
    stage.aws.settings(json!({ "tag-window": "500ms" })).await;
    stage.aws.put_user("app", json!({ "Tags": {} })).await;
    stage.deleted("app").await;
    assert_eq!(stage.aws.accepted("AddTagsToResource", "app").await, 1);
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_user_without_tags_that_is_not_the_one_we_managed_is_left_alone() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    // Somebody deleted ours and made another one of the same ID.
    stage.aws.remove_user("app").await;
    stage.aws.put_user("app", json!({ "AccessString": "on ~theirs:* +@all" })).await;
    stage.deleted("app").await;
    assert!(stage.aws.user("app").await.is_some());
    assert_eq!(stage.aws.calls_of("DeleteUser", "app").await.len(), 0);
    stage.event("app", "UserAlreadyExists").await;
    stage.end().await;
}

#[tokio::test]
async fn a_user_that_another_made_after_our_delete_was_accepted_is_left_alone() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    let user = stage.aws.user("app").await.unwrap();
    stage.aws.settings(json!({ "delete-time": "60s" })).await;
    stage.delete("app").await;
    stage.shows("app", "deleting", |object| object["status"]["state"] == "deleting").await;
    outlived_by_its_twin(stage, &user).await;
}

#[tokio::test]
async fn so_is_one_that_came_after_our_delete_was_accepted_without_an_answer() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    let user = stage.aws.user("app").await.unwrap();
    stage.aws.settings(json!({ "delete-time": "60s" })).await;
    let hang = json!({ "Action": "DeleteUser", "Kind": "hang", "Ms": 60_000, "When": "after" });
    let lost = stage.aws.fault(hang).await;
    stage.delete("app").await;
    stage.aws.struck(lost, 1).await;
    // Nobody sees the user go, and another reason writes over that of the lost answer.
    let throttle = json!({ "Action": "DescribeUsers", "UserId": "app", "Kind": "throttle", "Times": null });
    stage.aws.fault(throttle).await;
    stage.reason("app", "Throttled").await;
    outlived_by_its_twin(stage, &user).await;
}

/// While no operator runs, AWS lets the user go, and somebody makes the very same again, but for the tags: only the record
/// of our DeleteUser tells them apart.
async fn outlived_by_its_twin(stage: Stage, user: &Value) {
    stage.kill();
    stage.aws.remove_user("app").await;
    let same = json!({
        "AccessString": user["AccessString"], "Engine": user["Engine"], "UserName": user["UserName"],
        "Authentication": { "Type": "iam" }, "MinimumEngineVersion": user["MinimumEngineVersion"],
    });
    stage.aws.put_user("app", same).await;
    stage.aws.heal().await;
    stage.start();
    stage.gone("app").await;
    assert!(stage.aws.user("app").await.is_some());
    assert_eq!(stage.aws.accepted("DeleteUser", "app").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn a_create_in_flight_is_followed_to_its_end() {
    let stage = Stage::new().await;
    let slow = stage.aws.fault(json!({ "Action": "CreateUser", "Kind": "slow", "Ms": 1000 })).await;
    stage.create("app", iam()).await;
    stage.aws.struck(slow, 1).await;
    stage.deleted("app").await;
    assert!(stage.aws.user("app").await.is_none());
    accepted_once(stage).await;
}

#[tokio::test]
async fn not_found_is_doubted_while_a_lost_create_may_still_show() {
    let stage = Stage::new().await;
    // Every answer is lost, and the user appears late: as if AWS accepted the call and showed nothing for a while.
    let fault = stage
        .aws
        .fault(json!({ "Action": "CreateUser", "Kind": "reset", "When": "before", "Times": null }))
        .await;
    stage.create("app", iam()).await;
    stage.aws.struck(fault, 1).await;
    stage.delete("app").await;
    let object = stage.reason("app", "WaitingForUserActive").await;
    assert!(object["status"]["createRequestedAt"].is_string());
    let created = json!({ "Tags": {
        "elasticache-users.dev/cluster": owner_cluster(&stage).await,
        "elasticache-users.dev/namespace": stage.ns,
        "elasticache-users.dev/name": "app",
    }});
    stage.aws.put_user("app", created).await;
    stage.gone("app").await;
    assert!(stage.aws.user("app").await.is_none());
    accepted_once(stage).await;
}

async fn owner_cluster(stage: &Stage) -> String {
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(stage.client.clone());
    namespaces.get("kube-system").await.unwrap().metadata.uid.unwrap()
}

#[tokio::test]
async fn the_doubt_survives_a_restart_and_ends() {
    let stage = Stage::new().await;
    let fault = stage
        .aws
        .fault(json!({ "Action": "CreateUser", "Kind": "reset", "When": "before", "Times": null }))
        .await;
    stage.create("app", iam()).await;
    stage.aws.struck(fault, 1).await;
    stage.kill();
    stage.delete("app").await;
    stage.start();
    stage.reason("app", "WaitingForUserActive").await;
    // Nothing ever shows: the object goes once the window is over.
    stage.gone("app").await;
    assert!(stage.aws.calls_of("DescribeUsers", "app").await.len() > 2);
    stage.end().await;
}

#[tokio::test]
async fn a_refused_create_leaves_no_doubt() {
    let stage =
        Stage::set(Setting { env: vec![("PACE_DIVISOR", "1".to_owned())], ..Setting::default() }).await;
    stage.aws.fault(json!({ "Action": "CreateUser", "Kind": "throttle", "Times": null })).await;
    stage.create("app", iam()).await;
    let object = stage.reason("app", "Throttled").await;
    assert!(object["status"]["createRequestedAt"].is_null());
    let asked = std::time::Instant::now();
    let vanished = stage.deleted("app").await;
    // At the real pace a doubt would last for 50 s.
    assert!(vanished.at - asked < Duration::from_secs(25), "{:?}", vanished.at - asked);
    stage.end().await;
}

#[tokio::test]
async fn another_region_or_account_never_counts_as_gone() {
    for env in [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "210987654321")] {
        let stage = with_user().await;
        stage.ready("stays", iam()).await;
        stage.kill();
        stage.start_with(&[(env.0, env.1.to_owned())]);
        stage.delete("app").await;
        let object = stage.reason("app", "WrongAWSAccount").await;
        assert!(message(&object).contains("us-east-1"), "{}", message(&object));
        stage.patch("stays", json!({ "spec": { "accessString": "on ~x +@all" } })).await;
        let object = stage.reason("stays", "WrongAWSAccount").await;
        assert!(condition(&object, "Stalled").is_some());
        assert_eq!(stage.aws.calls_of("CreateUser", "stays").await.len(), 1, "created elsewhere");
        // The former place again: it goes on.
        stage.kill();
        stage.start();
        stage.gone("app").await;
        stage.is_ready("stays").await;
        accepted_once(stage).await;
    }
}

#[tokio::test]
async fn retain_gets_out_of_another_region() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    stage.kill();
    stage.start_with(&[("AWS_REGION", "eu-west-1".to_owned())]);
    stage.delete("app").await;
    stage.reason("app", "WrongAWSAccount").await;
    stage.patch("app", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    stage.gone("app").await;
    assert!(stage.aws.user("app").await.is_some());
    stage.end().await;
}

#[tokio::test]
async fn an_outage_on_the_way_out_is_outlasted() {
    let stage = with_user().await;
    let fault = stage.aws.fault(json!({ "Action": null, "Kind": "unavailable", "Times": null })).await;
    stage.delete("app").await;
    stage.reason("app", "AWSUnavailable").await;
    stage.aws.struck(fault, 3).await;
    stage.aws.heal().await;
    stage.gone("app").await;
    accepted_once(stage).await;
}

#[tokio::test]
async fn a_stale_object_of_the_same_name_is_not_mixed_up() {
    let stage = leaving().await;
    stage.ready("app", iam()).await;
    stage
        .aws
        .fault(json!({ "Action": "DeleteUser", "Kind": "error", "Code": "InvalidUserState", "Times": 2 }))
        .await;
    stage.delete("app").await;
    stage.reason("app", "InvalidUserState").await;
    // Somebody takes the finalizer off by force and applies the same object again.
    stage.patch("app", json!({ "metadata": { "finalizers": [] } })).await;
    stage.ready("app", iam()).await;
    assert!(stage.aws.user("app").await.is_some());
    assert_eq!(stage.aws.accepted("DeleteUser", "app").await, 0);
    stage.end().await;
}

#[tokio::test]
async fn the_wait_is_short_and_cheap_at_the_real_pace() {
    let env = vec![("PACE_DIVISOR", "1".to_owned())];
    let stage = Stage::set(Setting { env, ..Setting::default() }).await;
    stage.ready("app", iam()).await;
    stage.aws.settings(json!({ "delete-time": "10s" })).await;
    let asked = std::time::Instant::now();
    let vanished = stage.deleted("app").await;
    let waited = vanished.at - asked;
    let looks = stage.aws.calls_of("DescribeUsers", "app").await.len();
    println!("deleting for 10 s: gone after {waited:.1?}, {looks} DescribeUsers in all");
    // A quarter of the wait, and room for a busy machine.
    assert!(waited < Duration::from_secs(10) * 5 / 4 + Duration::from_secs(3), "{waited:?}");
    assert!(looks < 20, "{looks} looks");
    accepted_once(stage).await;
}
