//! B12-B24: ids, names, ARNs and the user `default`.

use serde_json::{Value, json};

use crate::fixture::{ACCOUNT, EmulatorFixture, REGION, SECRET, here, quick, refused};

#[tokio::test]
async fn b12_user_id_is_lower_cased_everywhere() {
    let fixture = EmulatorFixture::start(quick());
    let user = fixture.user("App-User").passwords(SECRET).send().await.unwrap();
    assert_eq!(user.user_id(), Some("app-user"));
    assert_eq!(user.arn(), Some("arn:aws:elasticache:eu-west-1:123456789012:user:app-user"));
    assert_eq!(user.user_name(), Some("App-User"), "the name keeps its case");
    assert_eq!(fixture.see("app-user").await.user_id(), Some("app-user"));
    let modified = fixture.sdk.modify_user().user_id("APP-USER").access_string("off").send().await.unwrap();
    assert_eq!(modified.user_id(), Some("app-user"));
    let group = fixture.group("My-Group", &["DEFAULT", "App-User"]).send().await.unwrap();
    assert_eq!(group.user_group_id(), Some("my-group"));
    assert_eq!(group.user_ids(), ["default", "app-user"]);
    let deleted = fixture.sdk.delete_user().user_id("App-uSer").send().await.unwrap();
    assert_eq!(deleted.user_id(), Some("app-user"));
}

#[tokio::test]
async fn b13_the_same_id_in_another_case_is_the_same_user() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("App-User").await;
    let error = refused(fixture.user("app-user").passwords(SECRET).send().await);
    assert_eq!(error.kind(), (400, "UserAlreadyExists"));
    assert_eq!(fixture.see("App-User").await.user_id(), Some("app-user"));
}

#[tokio::test]
async fn b14_ids_with_other_characters_are_refused() {
    let fixture = EmulatorFixture::start(quick());
    let long = "a".repeat(41);
    for id in ["1app", "-app", "my_app", "my.app", "default.app", "my app", "äpp", long.as_str()] {
        let error = refused(fixture.user(id).passwords(SECRET).send().await);
        assert_eq!(error.kind(), (400, "InvalidParameterValue"), "{id}");
        let error = refused(fixture.group(id, &["default"]).send().await);
        assert_eq!(error.kind(), (400, "InvalidParameterValue"), "group {id}");
        let error = refused(fixture.sdk.delete_user().user_id(id).send().await);
        assert_eq!(error.kind(), (400, "InvalidParameterValue"), "delete {id}");
    }
    fixture.create(&"a".repeat(40)).await;
}

#[tokio::test]
async fn b15_trailing_or_double_hyphens_are_refused() {
    let fixture = EmulatorFixture::start(quick());
    for id in ["app-", "my--app"] {
        let error = refused(fixture.user(id).passwords(SECRET).send().await);
        assert_eq!(error.kind(), (400, "InvalidParameterValue"), "{id}");
        let error = refused(fixture.group(id, &["default"]).send().await);
        assert_eq!(error.kind(), (400, "InvalidParameterValue"), "group {id}");
    }
    fixture.create("my-own-app").await;
}

#[tokio::test]
async fn b16_two_users_may_share_a_user_name() {
    let fixture = EmulatorFixture::start(quick());
    for id in ["a", "b"] {
        fixture.user(id).user_name("My User").passwords(SECRET).send().await.unwrap();
    }
    assert_eq!(fixture.see("a").await.user_name(), fixture.see("b").await.user_name());
}

#[tokio::test]
async fn b17_same_user_id_twice_is_user_already_exists() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("app").await;
    let before = fixture.truth("app").await;
    let error = refused(fixture.user("app").access_string("off").passwords("another-password").send().await);
    assert_eq!(error.kind(), (400, "UserAlreadyExists"));
    assert_eq!(fixture.truth("app").await, before);
}

#[tokio::test]
async fn b18_user_name_cannot_change() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("app").await;
    let params =
        [("Action", "ModifyUser"), ("UserId", "app"), ("UserName", "other"), ("AccessString", "off")];
    fixture.raw(&params).await;
    assert_eq!(fixture.see("app").await.user_name(), Some("app"));
    let alone = fixture.raw(&params[..3]).await;
    assert_eq!(alone.kind(), (400, "InvalidParameterCombination"), "a user name alone is no change");
}

#[tokio::test]
async fn b19_arns_name_region_account_and_id() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("app").await;
    assert_eq!(fixture.see("app").await.arn(), Some("arn:aws:elasticache:eu-west-1:123456789012:user:app"));
    fixture.group("g", &["default"]).send().await.unwrap();
    assert_eq!(
        fixture.see_group("g").await.arn(),
        Some("arn:aws:elasticache:eu-west-1:123456789012:usergroup:g")
    );
    let china = fixture.sdk_of(ACCOUNT, "cn-north-1").describe_users().send().await.unwrap();
    assert_eq!(china.users()[0].arn(), Some("arn:aws-cn:elasticache:cn-north-1:123456789012:user:default"));
}

#[tokio::test]
async fn b20_a_region_starts_with_the_user_default() {
    let fixture = EmulatorFixture::start(quick());
    let users = fixture.sdk.describe_users().send().await.unwrap();
    let [user] = users.users() else { panic!("one user expected: {users:?}") };
    assert_eq!(
        (user.user_id(), user.user_name(), user.status()),
        (Some("default"), Some("default"), Some("active"))
    );
    assert_eq!((user.engine(), user.access_string()), (Some("redis"), Some("on ~* +@all")));
    let authentication = user.authentication().unwrap();
    assert_eq!(authentication.r#type().unwrap().as_str(), "no-password");
    assert_eq!(authentication.password_count(), None);
}

#[tokio::test]
async fn b21_default_cannot_be_modified() {
    let fixture = EmulatorFixture::start(quick());
    for id in ["default", "Default"] {
        let error = refused(fixture.sdk.modify_user().user_id(id).access_string("off").send().await);
        assert_eq!(error.kind(), (400, "InvalidParameterValue"));
    }
    assert_eq!(fixture.see("default").await.access_string(), Some("on ~* +@all"));
}

#[tokio::test]
async fn b22_default_cannot_be_deleted() {
    let fixture = EmulatorFixture::start(quick());
    let error = refused(fixture.sdk.delete_user().user_id("default").send().await);
    assert_eq!(error.kind(), (400, "InvalidParameterValue"));
    assert_eq!(fixture.see("default").await.status(), Some("active"));
}

/// The real service creates such users and groups itself. Here the control API creates them.
#[tokio::test]
async fn b23_the_services_own_users_and_groups_appear_in_listings() {
    let fixture = EmulatorFixture::start(quick());
    fixture.control.put_user("default.iam-user", json!({})).await;
    fixture.control.put_group("default.iam-user-group", json!({"UserIds": ["default.iam-user"]})).await;
    let users = fixture.sdk.describe_users().send().await.unwrap();
    let ids: Vec<_> = users.users().iter().filter_map(|user| user.user_id()).collect();
    assert_eq!(ids, ["default", "default.iam-user"]);
    assert_eq!(fixture.see_group("default.iam-user-group").await.user_ids(), ["default.iam-user"]);
    let error =
        refused(fixture.sdk.modify_user().user_id("default.iam-user").access_string("off").send().await);
    assert_eq!(error.kind(), (400, "InvalidParameterValue"));
}

#[tokio::test]
async fn b24_users_are_per_account_and_region() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("app").await;
    for (account, region) in [(ACCOUNT, "us-west-2"), ("999999999999", REGION)] {
        let elsewhere = fixture.sdk_of(account, region);
        let error = refused(elsewhere.describe_users().user_id("app").send().await);
        assert_eq!(error.kind(), (404, "UserNotFound"), "{account} {region}");
    }
    let anybody = fixture.sdk_of("AKIAIOSFODNN7EXAMPLE", "us-east-1").describe_users().send().await.unwrap();
    assert_eq!(anybody.users()[0].arn(), Some("arn:aws:elasticache:us-east-1:000000000000:user:default"));
    assert_eq!(
        fixture.get("users").await.as_array().map(Vec::len),
        Some(1),
        "the default place has only default"
    );
    assert_eq!(fixture.get(&format!("users{}", here())).await.as_array().map(Vec::len), Some(2));
    assert_eq!(
        fixture.control("DELETE", "users/app", Value::Null).await.0,
        404,
        "the user must not exist in this account and region"
    );
}
