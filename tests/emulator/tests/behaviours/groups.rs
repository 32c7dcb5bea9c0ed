//! B70-B85: user groups and their effects on members.

use serde_json::json;

use crate::fixture::{EmulatorFixture, Refused, SECRET, eventually, flowing, frozen, quick, refused};

/// Creates a group `g` with the member `default`, and the users `a` and `b` outside of the group. All are active.
async fn with_group(fixture: &EmulatorFixture) {
    fixture.create("a").await;
    fixture.create("b").await;
    fixture.control.put_group("g", json!({"UserIds": ["default"]})).await;
}

#[tokio::test]
async fn b70_a_new_user_group_is_creating_and_then_active() {
    let fixture = EmulatorFixture::start(flowing());
    fixture.create("a").await;
    let group = fixture.group("g", &["default", "a"]).send().await.unwrap();
    assert_eq!((group.status(), group.engine()), (Some("creating"), Some("redis")));
    assert_eq!(group.user_ids(), ["default", "a"]);
    eventually("an active group", || async {
        (fixture.see_group("g").await.status() == Some("active")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_second_group_of_the_same_id_is_refused() {
    let fixture = EmulatorFixture::start(quick());
    fixture.group("g", &["default"]).send().await.unwrap();
    let error = refused(fixture.group("G", &["default"]).send().await);
    assert_eq!(error.kind(), (400, "UserGroupAlreadyExists"));
}

#[tokio::test]
async fn b71_a_redis_group_needs_a_default_named_member() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("a").await;
    for members in [&[][..], &["a"]] {
        let error = refused(fixture.group("g", members).send().await);
        assert_eq!(error.kind(), (400, "DefaultUserRequired"));
        assert!(error.message.contains("needs to contain a user with the user name default."), "{error:?}");
    }
    fixture.create_default_named("mine").await;
    fixture.group("g", &["a", "mine"]).send().await.unwrap();
}

#[tokio::test]
async fn b72_a_valkey_group_needs_no_default_named_member() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("a").await;
    fixture.group("g", &["a"]).engine("valkey").send().await.unwrap();
    fixture.group("h", &[]).engine("valkey").send().await.unwrap();
    assert_eq!(fixture.see_group("h").await.status(), Some("active"));
}

#[tokio::test]
async fn b73_an_unknown_or_deleting_member_is_not_found() {
    let fixture = EmulatorFixture::start(frozen());
    with_group(&fixture).await;
    fixture.sdk.delete_user().user_id("b").send().await.unwrap();
    for id in ["ghost", "b"] {
        let error = refused(fixture.group("h", &["default", id]).send().await);
        assert_eq!(error.kind(), (404, "UserNotFound"), "{id}");
        let error =
            refused(fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_add(id).send().await);
        assert_eq!(error.kind(), (404, "UserNotFound"), "{id}");
    }
    assert_eq!(fixture.see_group("g").await.status(), Some("active"));
    let error =
        refused(fixture.sdk.modify_user_group().user_group_id("ghost").user_ids_to_add("a").send().await);
    assert_eq!(error.kind(), (404, "UserGroupNotFound"));
    let error = refused(fixture.sdk.delete_user_group().user_group_id("ghost").send().await);
    assert_eq!(error.kind(), (404, "UserGroupNotFound"));
}

#[tokio::test]
async fn b74_two_members_of_one_user_name_are_refused() {
    let fixture = EmulatorFixture::start(quick());
    with_group(&fixture).await;
    fixture.create_default_named("mine").await;
    let error = refused(fixture.group("h", &["default", "mine"]).send().await);
    assert_eq!(error.kind(), (400, "DuplicateUserName"));
    let error =
        refused(fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_add("mine").send().await);
    assert_eq!(error.kind(), (400, "DuplicateUserName"));
}

#[tokio::test]
async fn b75_a_member_without_password_is_refused_in_a_valkey_group() {
    let fixture = EmulatorFixture::start(quick());
    fixture.user("open").no_password_required(true).send().await.unwrap();
    fixture.create("a").await;
    let expected = |id: &str| {
        let sentence = format!("No password user {id} cannot be added to user group with engine Valkey");
        Refused::new(400, "InvalidParameterValue", &sentence)
    };
    assert_eq!(refused(fixture.group("g", &["a", "open"]).engine("valkey").send().await), expected("open"));
    fixture.group("g", &["a"]).engine("valkey").send().await.unwrap();
    let add = fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_add("open");
    assert_eq!(refused(add.send().await), expected("open"));
    fixture.group("h", &["default", "a"]).send().await.unwrap();
    let turn = fixture.sdk.modify_user_group().user_group_id("h").engine("valkey");
    assert_eq!(refused(turn.send().await), expected("default"));
}

#[tokio::test]
async fn b76_modify_user_group_returns_pending_changes_and_the_old_members() {
    let fixture = EmulatorFixture::start(frozen());
    fixture.create("a").await;
    fixture.create("b").await;
    fixture.control.put_group("g", json!({"UserIds": ["default", "a"]})).await;
    let modify =
        fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_add("b").user_ids_to_remove("a");
    let group = modify.send().await.unwrap();
    assert_eq!(
        (group.status(), group.user_ids()),
        (Some("modifying"), ["default".to_owned(), "a".to_owned()].as_slice())
    );
    let pending = group.pending_changes().unwrap();
    assert_eq!(pending.user_ids_to_add(), ["b"]);
    assert_eq!(pending.user_ids_to_remove(), ["a"]);
    assert_eq!(fixture.see("a").await.user_group_ids(), ["g"]);
    fixture.settle_group("g").await;
    let group = fixture.see_group("g").await;
    assert_eq!(group.user_ids(), ["default", "b"]);
    assert!(group.pending_changes().is_none());
    assert!(fixture.see("a").await.user_group_ids().is_empty());
    assert_eq!(fixture.see("b").await.user_group_ids(), ["g"]);
}

#[tokio::test]
async fn b76_pending_changes_of_a_group_are_applied_when_its_modify_time_ends() {
    let fixture = EmulatorFixture::start(flowing());
    with_group(&fixture).await;
    fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_add("a").send().await.unwrap();
    let group = eventually("an active group", || async {
        Some(fixture.see_group("g").await).filter(|group| group.status() == Some("active"))
    })
    .await;
    assert_eq!(group.user_ids(), ["default", "a"]);
    assert_eq!(
        fixture.see("a").await.status(),
        Some("active"),
        "the member must be active when its group is"
    );
}

#[tokio::test]
async fn b77_modify_user_group_while_modifying_is_refused() {
    let fixture = EmulatorFixture::start(frozen());
    with_group(&fixture).await;
    let add = |id: &str| fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_add(id);
    add("a").send().await.unwrap();
    let sentence = "User group g has status modifying. Only active user groups can be modified.";
    assert_eq!(refused(add("b").send().await), Refused::new(400, "InvalidUserGroupState", sentence));
    let error = refused(fixture.sdk.delete_user_group().user_group_id("g").send().await);
    assert_eq!(error.kind(), (400, "InvalidUserGroupState"));
}

#[tokio::test]
async fn b78_removing_a_user_that_is_no_member_is_refused_and_nothing_is_applied() {
    let fixture = EmulatorFixture::start(frozen());
    with_group(&fixture).await;
    let modify =
        fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_add("a").user_ids_to_remove("b");
    let error = refused(modify.send().await);
    assert_eq!(error.kind(), (400, "InvalidParameterValue"));
    assert!(error.message.contains("is not a member of user group"), "{error:?}");
    let group = fixture.see_group("g").await;
    assert_eq!((group.status(), group.user_ids()), (Some("active"), ["default".to_owned()].as_slice()));
    assert!(group.pending_changes().is_none());
    assert_eq!(fixture.see("a").await.status(), Some("active"));
}

#[tokio::test]
async fn adding_a_member_twice_or_an_id_to_both_lists_of_modify_user_group_is_refused() {
    let fixture = EmulatorFixture::start(quick());
    with_group(&fixture).await;
    let modify = || fixture.sdk.modify_user_group().user_group_id("g");
    for (call, kind) in [
        (modify().user_ids_to_add("default"), "InvalidParameterValue"),
        (modify().user_ids_to_add("a").user_ids_to_remove("A"), "InvalidParameterValue"),
        (modify().user_ids_to_add("a").user_ids_to_add("A"), "InvalidParameterValue"),
        (modify(), "InvalidParameterCombination"),
    ] {
        assert_eq!(refused(call.clone().send().await).kind(), (400, kind), "{call:?}");
    }
    let error = refused(fixture.group("h", &["default", "default"]).send().await);
    assert_eq!(error.kind(), (400, "InvalidParameterValue"));
}

#[tokio::test]
async fn b79_the_default_named_member_can_be_swapped_in_one_call() {
    let fixture = EmulatorFixture::start(quick());
    with_group(&fixture).await;
    fixture.create_default_named("mine").await;
    let swap = fixture
        .sdk
        .modify_user_group()
        .user_group_id("g")
        .user_ids_to_add("mine")
        .user_ids_to_remove("default");
    swap.send().await.unwrap();
    assert_eq!(fixture.see_group("g").await.user_ids(), ["mine"]);
}

#[tokio::test]
async fn b80_the_only_default_named_member_cannot_be_removed() {
    let fixture = EmulatorFixture::start(quick());
    with_group(&fixture).await;
    let error = refused(
        fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_remove("default").send().await,
    );
    assert_eq!(error.kind(), (400, "DefaultUserRequired"));
}

#[tokio::test]
async fn b81_user_group_ids_mirror_membership() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("a").await;
    for id in ["g", "h"] {
        fixture.group(id, &["default", "a"]).send().await.unwrap();
    }
    assert_eq!(fixture.see("a").await.user_group_ids(), ["g", "h"]);
    fixture.control.put_group("h", json!({"UserIds": ["default", "a", "a"]})).await;
    assert_eq!(fixture.see("a").await.user_group_ids(), ["g", "h"], "each group must be listed once");
    fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_remove("a").send().await.unwrap();
    assert_eq!(fixture.see("a").await.user_group_ids(), ["h"]);
    assert_eq!(fixture.see("default").await.user_group_ids(), ["g", "h"]);
}

#[tokio::test]
async fn b82_a_group_can_turn_to_valkey_and_back() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create_default_named("mine").await;
    fixture.group("g", &["mine"]).send().await.unwrap();
    fixture.sdk.modify_user().user_id("mine").engine("valkey").send().await.unwrap();
    for engine in ["valkey", "redis"] {
        let group = fixture.sdk.modify_user_group().user_group_id("g").engine(engine).send().await.unwrap();
        assert_eq!(group.status(), Some("modifying"));
        assert_eq!(fixture.see_group("g").await.engine(), Some(engine));
    }
}

#[tokio::test]
async fn a_valkey_user_is_refused_in_a_redis_group() {
    let fixture = EmulatorFixture::start(quick());
    with_group(&fixture).await;
    fixture.user("v").engine("valkey").passwords(SECRET).send().await.unwrap();
    let error = refused(fixture.group("h", &["default", "v"]).send().await);
    assert_eq!(error.kind(), (400, "InvalidParameterValue"));
    let error = refused(fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_add("v").send().await);
    assert_eq!(error.kind(), (400, "InvalidParameterValue"));
}

#[tokio::test]
async fn b83_a_group_of_a_replication_group_cannot_be_deleted() {
    let fixture = EmulatorFixture::start(quick());
    fixture.control.put_group("g", json!({"UserIds": ["default"], "ReplicationGroups": ["cache"]})).await;
    assert_eq!(fixture.see_group("g").await.replication_groups(), ["cache"]);
    let error = refused(fixture.sdk.delete_user_group().user_group_id("g").send().await);
    assert_eq!(error.kind(), (400, "InvalidUserGroupState"));
    fixture.control.put_group("g", json!({"ReplicationGroups": []})).await;
    fixture.sdk.delete_user_group().user_group_id("g").send().await.unwrap();
}

#[tokio::test]
async fn b84_a_deleted_user_group_is_deleting_and_its_users_survive() {
    let fixture = EmulatorFixture::start(flowing());
    fixture.create("a").await;
    fixture.control.put_group("g", json!({"UserIds": ["default", "a"]})).await;
    let group = fixture.sdk.delete_user_group().user_group_id("g").send().await.unwrap();
    assert_eq!((group.status(), group.user_ids().len()), (Some("deleting"), 2));
    let error = eventually("the end of the group", || async {
        let answer = fixture.sdk.describe_user_groups().user_group_id("g").send().await;
        answer.is_err().then(|| refused(answer))
    })
    .await;
    assert_eq!(error.kind(), (404, "UserGroupNotFound"));
    let user = fixture.see("a").await;
    assert!(user.user_group_ids().is_empty());
    assert_eq!(user.status(), Some("active"));
}

#[tokio::test]
async fn b85_group_changes_make_the_members_they_concern_modifying() {
    let fixture = EmulatorFixture::start(frozen());
    for id in ["kept", "added", "removed"] {
        fixture.create(id).await;
    }
    let statuses = || async {
        let mut statuses = Vec::new();
        for id in ["kept", "added", "removed"] {
            statuses.push(fixture.see(id).await.status().unwrap().to_owned());
            fixture.settle(id).await;
        }
        statuses
    };
    fixture.group("g", &["default", "kept", "removed"]).send().await.unwrap();
    assert_eq!(statuses().await, ["modifying", "active", "modifying"], "created");
    fixture.settle_group("g").await;
    let modify = fixture
        .sdk
        .modify_user_group()
        .user_group_id("g")
        .user_ids_to_add("added")
        .user_ids_to_remove("removed");
    modify.send().await.unwrap();
    assert_eq!(statuses().await, ["active", "modifying", "modifying"], "modified");
    fixture.settle_group("g").await;
    fixture.sdk.delete_user_group().user_group_id("g").send().await.unwrap();
    assert_eq!(statuses().await, ["modifying", "modifying", "active"], "deleted");
}
