//! B58-B69: the states of a user, and which calls are refused in each state.

use std::time::Duration;

use elasticache_emulator::{ModifyAnswer, Settings};
use serde_json::{Value, json};

use crate::fixture::{
    EmulatorFixture, Refused, SECRET, eventually, flowing, frozen, here, quick, refused, tag,
};

async fn becomes_active(fixture: &EmulatorFixture, id: &str) {
    eventually("an active user", || async {
        (fixture.see(id).await.status() == Some("active")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn b58_create_user_returns_an_active_user() {
    let fixture = EmulatorFixture::start(frozen());
    let user = fixture.user("a").passwords(SECRET).send().await.unwrap();
    assert_eq!(user.status(), Some("active"));
}

#[tokio::test]
async fn a_new_user_is_creating_for_the_create_time() {
    let fixture = EmulatorFixture::start(Settings { create_time: Duration::from_secs(3600), ..frozen() });
    let user = fixture.user("a").passwords(SECRET).send().await.unwrap();
    assert_eq!(user.status(), Some("creating"));
    let error = refused(fixture.sdk.modify_user().user_id("a").access_string("off").send().await);
    assert_eq!(error.kind(), (400, "InvalidUserState"));
    fixture.control.settings(json!({"create-time": "100ms"})).await;
    fixture.create("b").await;
    becomes_active(&fixture, "b").await;
    assert_eq!(fixture.see("a").await.status(), Some("creating"), "a setting holds only for later calls");
}

#[tokio::test]
async fn b59_a_modified_user_is_modifying_and_then_active() {
    let fixture = EmulatorFixture::start(frozen());
    fixture.create("a").await;
    let user = fixture.sdk.modify_user().user_id("a").access_string("off").send().await.unwrap();
    assert_eq!((user.status(), fixture.see("a").await.status()), (Some("modifying"), Some("modifying")));
    let fixture = EmulatorFixture::start(flowing());
    fixture.create("a").await;
    for access_string in ["off", "off"] {
        let user = fixture.sdk.modify_user().user_id("a").access_string(access_string).send().await.unwrap();
        assert_eq!(
            user.status(),
            Some("modifying"),
            "a user without a difference and without a group must be modifying too"
        );
        becomes_active(&fixture, "a").await;
    }
}

#[tokio::test]
async fn b60_modify_user_while_modifying_is_refused() {
    let fixture = EmulatorFixture::start(frozen());
    fixture.create("a").await;
    fixture.sdk.modify_user().user_id("a").access_string("off").send().await.unwrap();
    let error = refused(fixture.sdk.modify_user().user_id("a").access_string("on").send().await);
    let sentence = "User a has status modifying. Only active users can be modified.";
    assert_eq!(error, Refused::new(400, "InvalidUserState", sentence));
}

#[tokio::test]
async fn b61_delete_user_while_modifying_is_refused() {
    let fixture = EmulatorFixture::start(frozen());
    fixture.create("a").await;
    fixture.sdk.modify_user().user_id("a").access_string("off").send().await.unwrap();
    let error = refused(fixture.sdk.delete_user().user_id("a").send().await);
    assert_eq!(error.kind(), (400, "InvalidUserState"));
    fixture.settle("a").await;
    fixture.sdk.delete_user().user_id("a").send().await.unwrap();
}

#[tokio::test]
async fn b62_delete_user_returns_a_deleting_user_with_its_groups() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("a").await;
    fixture.group("g", &["default", "a"]).send().await.unwrap();
    let user = fixture.sdk.delete_user().user_id("a").send().await.unwrap();
    assert_eq!((user.status(), user.user_group_ids()), (Some("deleting"), ["g".to_owned()].as_slice()));
}

#[tokio::test]
async fn b63_a_deleted_user_is_deleting_for_a_while_and_then_gone() {
    let fixture = EmulatorFixture::start(frozen());
    for id in ["a", "b"] {
        fixture.create(id).await;
    }
    fixture.sdk.delete_user().user_id("b").send().await.unwrap();
    fixture.control.settings(json!({"delete-time": "100ms"})).await;
    fixture.sdk.delete_user().user_id("a").send().await.unwrap();
    let error = eventually("the end of the user", || async {
        let answer = fixture.sdk.describe_users().user_id("a").send().await;
        answer.is_err().then(|| refused(answer))
    })
    .await;
    assert_eq!(error.kind(), (404, "UserNotFound"));
    assert_eq!(fixture.see("b").await.status(), Some("deleting"));
}

#[tokio::test]
async fn b64_delete_user_of_an_unknown_id_is_not_found() {
    let fixture = EmulatorFixture::start(quick());
    let error = refused(fixture.sdk.delete_user().user_id("ghost").send().await);
    assert_eq!(error.kind(), (404, "UserNotFound"));
    let error = refused(fixture.sdk.modify_user().user_id("ghost").access_string("on").send().await);
    assert_eq!(error.kind(), (404, "UserNotFound"));
}

#[tokio::test]
async fn b65_a_second_delete_user_is_refused() {
    let fixture = EmulatorFixture::start(frozen());
    fixture.create("a").await;
    fixture.sdk.delete_user().user_id("a").send().await.unwrap();
    let error = refused(fixture.sdk.delete_user().user_id("a").send().await);
    assert_eq!(error.kind(), (400, "InvalidUserState"));
}

#[tokio::test]
async fn b66_create_user_of_an_id_that_is_still_deleting_is_refused() {
    let fixture = EmulatorFixture::start(frozen());
    fixture.create("a").await;
    fixture.sdk.delete_user().user_id("a").send().await.unwrap();
    let error = refused(fixture.user("a").passwords(SECRET).send().await);
    assert_eq!(error.kind(), (400, "UserAlreadyExists"));
}

#[tokio::test]
async fn b67_delete_user_takes_the_user_out_of_every_group() {
    let fixture = EmulatorFixture::start(frozen());
    fixture.create("a").await;
    for id in ["g", "h"] {
        fixture.control.put_group(id, json!({"UserIds": ["default", "a"]})).await;
    }
    fixture.sdk.delete_user().user_id("a").send().await.unwrap();
    for id in ["g", "h"] {
        let group = fixture.see_group(id).await;
        assert_eq!(group.status(), Some("modifying"));
        assert_eq!(group.pending_changes().unwrap().user_ids_to_remove(), ["a"]);
        fixture.settle_group(id).await;
        assert_eq!(fixture.see_group(id).await.user_ids(), ["default"]);
    }
    assert!(fixture.see("a").await.user_group_ids().is_empty());
}

#[tokio::test]
async fn b67_a_user_that_is_gone_first_is_out_of_groups_that_are_still_modifying() {
    let fixture = EmulatorFixture::start(Settings { delete_time: Duration::ZERO, ..frozen() });
    fixture.create("a").await;
    fixture.control.put_group("g", json!({"UserIds": ["default", "a"]})).await;
    fixture.sdk.delete_user().user_id("a").send().await.unwrap();
    let group = fixture.see_group("g").await;
    assert_eq!((group.status(), group.user_ids()), (Some("modifying"), ["default".to_owned()].as_slice()));
    fixture.create("a").await;
    fixture.settle_group("g").await;
    assert!(
        fixture.see("a").await.user_group_ids().is_empty(),
        "a new user with the same id must be in no group"
    );
}

#[tokio::test]
async fn b68_the_default_named_user_of_a_group_cannot_be_deleted() {
    let fixture = EmulatorFixture::start(frozen());
    fixture.create_default_named("a").await;
    let expected = || {
        let sentence = "User is associated to user group(s) as a default user and can't be deleted.";
        Refused::new(400, "DefaultUserAssociatedToUserGroup", sentence)
    };
    for engine in ["redis", "valkey"] {
        fixture.control.put_group("g", json!({"UserIds": ["a"], "Engine": engine})).await;
        assert_eq!(refused(fixture.sdk.delete_user().user_id("a").send().await), expected(), "{engine}");
    }
    fixture.sdk.delete_user_group().user_group_id("g").send().await.unwrap();
    assert_eq!(
        refused(fixture.sdk.delete_user().user_id("a").send().await),
        expected(),
        "while the group is deleting"
    );
    fixture.control("DELETE", &format!("groups/g{}", here()), Value::Null).await;
    fixture.settle("a").await;
    fixture.sdk.delete_user().user_id("a").send().await.unwrap();
}

#[tokio::test]
async fn b69_the_tags_of_a_deleted_user_go_with_it() {
    let fixture = EmulatorFixture::start(quick());
    fixture.user("a").passwords(SECRET).tags(tag("k", "v")).send().await.unwrap();
    assert_eq!(fixture.truth("a").await["Tags"], json!({"k": "v"}));
    fixture.sdk.delete_user().user_id("a").send().await.unwrap();
    let again = fixture.user("a").passwords(SECRET).send().await.unwrap();
    let tags = fixture.sdk.list_tags_for_resource().resource_name(again.arn().unwrap()).send().await.unwrap();
    assert!(tags.tag_list().is_empty());
}

#[tokio::test]
async fn a_modifying_user_shows_the_old_or_the_new_values_as_the_settings_say() {
    let fixture = EmulatorFixture::start(Settings { modify_answer: ModifyAnswer::Old, ..frozen() });
    fixture.create("a").await;
    let modify = fixture
        .sdk
        .modify_user()
        .user_id("a")
        .access_string("off")
        .engine("valkey")
        .passwords(SECRET)
        .passwords("fedcba9876543210");
    let user = modify.send().await.unwrap();
    let seen = fixture.see("a").await;
    let old = (Some("on ~* +@all"), Some("redis"), Some(1));
    assert_eq!((user.access_string(), user.engine(), user.authentication().unwrap().password_count()), old);
    assert_eq!((seen.access_string(), seen.engine(), seen.authentication().unwrap().password_count()), old);
    assert_eq!(
        fixture.truth("a").await["AccessString"],
        "off -@all",
        "the control API must show the new value"
    );
    let new = (Some("off -@all"), Some("valkey"), Some(2));
    for change in [json!({"modify-answer": "new"}), json!({"modify-answer": "old"})] {
        let shown = if change["modify-answer"] == "new" { new } else { old };
        fixture.control.settings(change).await;
        let seen = fixture.see("a").await;
        assert_eq!(
            (seen.access_string(), seen.engine(), seen.authentication().unwrap().password_count()),
            shown
        );
    }
    fixture.settle("a").await;
    let seen = fixture.see("a").await;
    assert_eq!((seen.access_string(), seen.engine(), seen.authentication().unwrap().password_count()), new);
}
