//! `--data`: every change that was answered survives a restart.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use elasticache_emulator::Settings;
use serde_json::{Value, json};

use crate::fixture::{
    ACCOUNT, EmulatorFixture, REGION, SECRET, client, eventually, frozen, here, quick, refused, tag,
};
use crate::program::Program;

fn kept(settings: Settings, path: &Path) -> EmulatorFixture {
    EmulatorFixture::start(Settings { data: Some(path.to_owned()), ..settings })
}

#[tokio::test]
async fn users_and_groups_survive_a_restart_but_settings_faults_and_calls_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let fixture = kept(frozen(), &path);
    fixture.user("a").passwords(SECRET).tags(tag("k", "v")).send().await.unwrap();
    fixture.user("gone").passwords(SECRET).send().await.unwrap();
    fixture
        .control
        .put_user("odd", json!({"Status": "odd", "AccessString": "as given", "Tags": {"null": null}}))
        .await;
    fixture
        .control
        .put_group("g", json!({"UserIds": ["default", "a"], "ReplicationGroups": ["cache"]}))
        .await;
    fixture.control.put_group("h", json!({"UserIds": ["default"]})).await;
    fixture.sdk.modify_user_group().user_group_id("h").user_ids_to_add("odd").send().await.unwrap();
    fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_remove("a").send().await.unwrap();
    fixture.control("DELETE", &format!("users/gone{}", here()), Value::Null).await;
    fixture.control("POST", "faults", json!({"Kind": "throttle"})).await;
    fixture.control.settings(json!({"user-quota": 1})).await;
    let users = fixture.get(&format!("users{}", here())).await;
    let groups = fixture.get(&format!("groups{}", here())).await;
    drop(fixture);
    let fixture = kept(frozen(), &path);
    assert_eq!(fixture.get(&format!("users{}", here())).await, users);
    assert_eq!(fixture.get(&format!("groups{}", here())).await, groups);
    assert_eq!(groups[0]["PendingChanges"]["UserIdsToRemove"], json!(["a"]));
    assert_eq!(fixture.get("calls").await, json!([]));
    assert_eq!(fixture.get("faults").await, json!([]));
    assert_eq!(fixture.get("settings").await["user-quota"], 1000);
    let version = groups[1]["Version"].as_u64().unwrap();
    let later = fixture.control.put_user("new", json!({})).await["Version"].as_u64().unwrap();
    assert!(later > version);
}

#[tokio::test]
async fn a_deleted_user_default_does_not_come_back_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let fixture = kept(quick(), &path);
    fixture.control("DELETE", "users/default", Value::Null).await;
    drop(fixture);
    assert_eq!(kept(quick(), &path).get("users").await, json!([]));
}

#[tokio::test]
async fn a_user_that_was_modifying_or_deleting_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let soon = Duration::from_millis(300);
    let fixture = kept(Settings { modify_time: soon, delete_time: soon, ..frozen() }, &path);
    for id in ["a", "b", "c"] {
        fixture.create(id).await;
    }
    fixture.sdk.modify_user().user_id("a").access_string("off").send().await.unwrap();
    fixture.sdk.delete_user().user_id("b").send().await.unwrap();
    fixture.control.settings(json!({"modify-time": "1h"})).await;
    fixture.sdk.modify_user().user_id("c").access_string("off").send().await.unwrap();
    drop(fixture);
    let fixture = kept(frozen(), &path);
    assert_eq!(fixture.see("c").await.status(), Some("modifying"));
    eventually("the end of both", || async {
        let gone = fixture.sdk.describe_users().user_id("b").send().await.is_err();
        (gone && fixture.see("a").await.status() == Some("active")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_emulators_do_not_share_a_data_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let _world = kept(quick(), &path);
    let settings = Settings { data: Some(path), ..quick() };
    let error = elasticache_emulator::Emulator::start(settings, "127.0.0.1:0").unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
}

/// Writers send calls until the program is killed. Afterwards every answered change must be there.
#[tokio::test]
async fn every_answered_change_survives_kill_9_at_any_moment() {
    const WRITERS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data").to_str().unwrap().to_owned();
    let flags = ["--data", path.as_str(), "--modify-time", "1h", "--user-quota", "100000"];
    let mut answered: Vec<String> = Vec::new();
    for round in 0..4 {
        let mut program = Program::start(&flags);
        let count = Arc::new(AtomicUsize::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let sdk = client(&program.url, ACCOUNT, REGION);
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    let mut mine = Vec::new();
                    loop {
                        let id = format!("u-{round}-{writer}-{}", mine.len());
                        let create = sdk.create_user().user_id(&id).user_name(&id).engine("redis");
                        if create.access_string("on").passwords(SECRET).send().await.is_err() {
                            return mine;
                        }
                        mine.push(id);
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        // The program is killed at another moment in each round.
        eventually("some answers", || async {
            (count.load(Ordering::Relaxed) > 20 + 17 * round).then_some(())
        })
        .await;
        program.kill();
        for writer in writers {
            answered.extend(writer.await.unwrap());
        }
    }
    let program = Program::start(&flags);
    let url = format!("{}/_emulator/users{}", program.url, here());
    let users: Vec<Value> = reqwest::get(url).await.unwrap().json().await.unwrap();
    let ids: std::collections::BTreeSet<&str> =
        users.iter().map(|user| user["UserId"].as_str().unwrap()).collect();
    let lost: Vec<&String> = answered.iter().filter(|id| !ids.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "answered changes that were lost: {lost:?}");
    // In each round each writer may have at most one more change, from its last call, which was not answered.
    assert!(
        ids.len() <= 1 + answered.len() + 4 * WRITERS,
        "{} users for {} answers",
        ids.len(),
        answered.len()
    );
    let sdk = client(&program.url, ACCOUNT, REGION);
    let again = sdk.create_user().user_id(&answered[0]).user_name("x").engine("redis").access_string("on");
    assert_eq!(refused(again.passwords(SECRET).send().await).kind(), (400, "UserAlreadyExists"));
}
