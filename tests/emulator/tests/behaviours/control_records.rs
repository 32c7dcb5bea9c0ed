//! Users and groups in the control API: it shows all their fields, and can change them against the rules of the service.

use serde_json::{Value, json};

use crate::fixture::{EmulatorFixture, SECRET, are_refused, eventually, frozen, here, quick, refused, tag};

#[tokio::test]
async fn the_control_api_shows_every_field_of_a_user() {
    let fixture = EmulatorFixture::start(frozen());
    fixture.user("App").user_name("My App").passwords(SECRET).tags(tag("k", "v")).send().await.unwrap();
    fixture.control.put_group("g", json!({"UserIds": ["app"]})).await;
    let mut user = fixture.truth("app").await;
    assert!(user["Version"].as_u64().unwrap() > 0);
    user["Version"] = json!(0);
    assert_eq!(
        user,
        json!({
            "UserId": "app",
            "UserName": "My App",
            "Status": "active",
            "Engine": "redis",
            "MinimumEngineVersion": "6.0",
            "AccessString": "on ~* +@all",
            "UserGroupIds": ["g"],
            "Authentication": {"Type": "password", "PasswordCount": 1},
            "ARN": "arn:aws:elasticache:eu-west-1:123456789012:user:app",
            "Tags": {"k": "v"},
            "Passwords": [SECRET],
            "Version": 0,
        })
    );
}

#[tokio::test]
async fn the_control_api_shows_every_field_of_a_group() {
    let fixture = EmulatorFixture::start(frozen());
    fixture.create("a").await;
    fixture.control.put_group("g", json!({"UserIds": ["default"], "Tags": {"k": null}})).await;
    fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_add("a").send().await.unwrap();
    let mut groups = fixture.get(&format!("groups{}", here())).await;
    groups[0]["Version"] = json!(0);
    assert_eq!(
        groups,
        json!([{
            "UserGroupId": "g",
            "Status": "modifying",
            "Engine": "redis",
            "UserIds": ["default"],
            "MinimumEngineVersion": "6.0",
            "PendingChanges": {"UserIdsToAdd": ["a"], "UserIdsToRemove": []},
            "ReplicationGroups": [],
            "ServerlessCaches": [],
            "ARN": "arn:aws:elasticache:eu-west-1:123456789012:usergroup:g",
            "Tags": {"k": null},
            "Version": 0,
        }])
    );
}

#[tokio::test]
async fn the_version_of_a_record_rises_with_each_change_and_only_then() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("a").await;
    let version = || async { fixture.truth("a").await["Version"].as_u64().unwrap() };
    let mut last = version().await;
    assert_eq!(version().await, last, "a read must not change the version");
    refused(fixture.sdk.modify_user().user_id("a").send().await);
    assert_eq!(version().await, last, "a refused call must not change the version");
    let arn = fixture.see("a").await.arn.unwrap();
    for change in 0..5 {
        match change {
            0 => drop(fixture.sdk.modify_user().user_id("a").access_string("off").send().await.unwrap()),
            1 => drop(
                fixture
                    .sdk
                    .add_tags_to_resource()
                    .resource_name(&arn)
                    .tags(tag("k", "v"))
                    .send()
                    .await
                    .unwrap(),
            ),
            2 => drop(fixture.control.put_user("a", json!({"AccessString": "on"})).await),
            3 => drop(fixture.control.put_group("g", json!({"UserIds": ["a"]})).await),
            _ => {
                fixture.sdk.delete_user().user_id("a").send().await.unwrap();
                fixture.create("a").await;
            }
        }
        let now = version().await;
        assert!(now > last, "change {change}: {now} after {last}");
        last = now;
    }
}

#[tokio::test]
async fn a_new_user_has_defaults() {
    let fixture = EmulatorFixture::start(quick());
    let user = fixture.control.put_user("App", json!({})).await;
    assert_eq!(user["UserId"], "app", "ids are lower-cased in paths");
    assert_eq!((&user["UserName"], &user["Status"]), (&json!("app"), &json!("active")));
    assert_eq!((&user["Engine"], &user["AccessString"]), (&json!("redis"), &json!("on ~* +@all")));
    assert_eq!(user["Authentication"], json!({"Type": "no-password"}));
    assert_eq!(fixture.see("app").await.status(), Some("active"));
}

#[tokio::test]
async fn the_control_api_stores_values_that_aws_would_refuse() {
    let fixture = EmulatorFixture::start(quick());
    let given = json!({
        "Status": "exploding",
        "AccessString": "+get   ~b on nonsense",
        "Tags": {"aws:own": "x", "null": null},
        "Passwords": ["short", "p2", "p3"],
        "Engine": "memcached",
        "MinimumEngineVersion": "9.9",
        "UserName": "Some Body",
    });
    let user = fixture.control.put_user("a", given.clone()).await;
    for (name, value) in given.as_object().unwrap() {
        assert_eq!(&user[name], value, "{name}");
    }
    let seen = fixture.see("a").await;
    assert_eq!(seen.status(), Some("exploding"));
    assert_eq!((seen.access_string(), seen.engine()), (given["AccessString"].as_str(), Some("memcached")));
    assert_eq!(seen.authentication().unwrap().password_count(), Some(3));
    assert_eq!((seen.user_name(), seen.minimum_engine_version()), (Some("Some Body"), Some("9.9")));
}

#[tokio::test]
async fn passwords_set_the_authentication_type_unless_authentication_is_given() {
    let fixture = EmulatorFixture::start(quick());
    let holds = async |change: Value, authentication: Value, passwords: Value| {
        let user = fixture.control.put_user("a", change.clone()).await;
        assert_eq!((&user["Authentication"], &user["Passwords"]), (&authentication, &passwords), "{change}");
    };
    let password = || json!({"Type": "password", "PasswordCount": 1});
    let iam = || json!({"Type": "iam"});
    holds(json!({"Passwords": ["p"]}), password(), json!(["p"])).await;
    holds(json!({"Authentication": {"Type": "iam"}}), iam(), json!(["p"])).await;
    holds(json!({"Passwords": ["q"], "Authentication": {"Type": "iam"}}), iam(), json!(["q"])).await;
    holds(json!({"Authentication": {"Type": "password"}}), password(), json!(["q"])).await;
    holds(json!({"Tags": {"k": "v"}}), password(), json!(["q"])).await;
    holds(json!({"Passwords": []}), json!({"Type": "no-password"}), json!([])).await;
}

#[tokio::test]
async fn the_control_api_replaces_all_tags_of_a_user() {
    let fixture = EmulatorFixture::start(quick());
    fixture.control.put_user("a", json!({"Tags": {"a": "1", "b": "2"}})).await;
    assert_eq!(fixture.control.put_user("a", json!({"Tags": {"b": "3"}})).await["Tags"], json!({"b": "3"}));
}

#[tokio::test]
async fn a_status_that_the_control_api_sets_stays_or_ends_after_the_given_time() {
    let fixture = EmulatorFixture::start(quick());
    for status in ["modifying", "deleting", "creating", "odd"] {
        fixture.control.put_user(status, json!({"Status": status})).await;
        fixture.control.put_user(&format!("{status}-short"), json!({"Status": status, "For": "50ms"})).await;
        fixture.control.put_group(status, json!({"Status": status})).await;
        fixture.control.put_group(&format!("{status}-short"), json!({"Status": status, "For": "50ms"})).await;
    }
    let statuses = |path: &'static str| {
        let fixture = &fixture;
        async move {
            let list = fixture.get(&format!("{path}{}", here())).await;
            let id = if path == "users" { "UserId" } else { "UserGroupId" };
            let text =
                |item: &Value| format!("{} {}", item[id].as_str().unwrap(), item["Status"].as_str().unwrap());
            list.as_array()
                .unwrap()
                .iter()
                .map(text)
                .filter(|text| text != "default active")
                .collect::<Vec<_>>()
        }
    };
    let expected = [
        "creating creating",
        "creating-short active",
        "deleting deleting",
        "modifying modifying",
        "modifying-short active",
        "odd odd",
        "odd-short active",
    ];
    for path in ["users", "groups"] {
        eventually("the end of the short ones", || async {
            (statuses(path).await == expected).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_unknown_field_of_a_user_is_refused_and_nothing_changes() {
    let fixture = EmulatorFixture::start(quick());
    let before = fixture.control.put_user("a", json!({"Tags": {"k": "v"}})).await;
    let path = format!("users/a{}", here());
    let bodies = [
        r#"{"For":"3s"}"#,
        r#"{"Colour":"red"}"#,
        r#"{"status":"active"}"#,
        r#"{"UserId":"b"}"#,
        r#"{"AccessString":"off","Colour":"red"}"#,
        r#"{"AccessString":null}"#,
        r#"{"AccessString":7}"#,
        r#"{"Status":"modifying","For":3}"#,
        r#"{"Status":"modifying","For":"3"}"#,
        r#"{"Status":null}"#,
        r#"{"Tags":["k"]}"#,
        r#"{"Tags":{"k":1}}"#,
        r#"{"Passwords":"secret"}"#,
        r#"{"Passwords":[1]}"#,
        r#"{"Authentication":"iam"}"#,
        r#"{"Authentication":{}}"#,
        r#"{"Authentication":{"Type":"iam","PasswordCount":1}}"#,
        "[]",
        "{",
        "",
    ];
    are_refused(&fixture, "PUT", &path, &bodies).await;
    assert_eq!(fixture.truth("a").await, before);
    are_refused(&fixture, "PUT", &format!("users/new{}", here()), &bodies).await;
    assert!(fixture.truth("new").await.is_null());
}

#[tokio::test]
async fn an_unknown_field_of_a_group_is_refused() {
    let fixture = EmulatorFixture::start(quick());
    let bodies = [
        r#"{"For":"3s"}"#,
        r#"{"UserGroupId":"g"}"#,
        r#"{"AccessString":"on"}"#,
        r#"{"UserIds":"a"}"#,
        r#"{"UserIds":[1]}"#,
        r#"{"ReplicationGroups":"x"}"#,
        r#"{"Engine":1}"#,
    ];
    are_refused(&fixture, "PUT", "groups/g", &bodies).await;
    assert_eq!(fixture.get("groups").await, json!([]));
}

#[tokio::test]
async fn a_user_that_the_control_api_deletes_is_gone_at_once_and_out_of_its_groups() {
    let fixture = EmulatorFixture::start(frozen());
    fixture.create("a").await;
    fixture.control.put_group("g", json!({"UserIds": ["default", "a"]})).await;
    let path = format!("users/A{}", here());
    assert_eq!(fixture.control("DELETE", &path, Value::Null).await, (204, Value::Null));
    assert_eq!(refused(fixture.sdk.describe_users().user_id("a").send().await).kind(), (404, "UserNotFound"));
    let group = fixture.see_group("g").await;
    assert_eq!((group.status(), group.user_ids()), (Some("active"), ["default".to_owned()].as_slice()));
    let (status, answer) = fixture.control("DELETE", &path, Value::Null).await;
    assert_eq!(status, 404);
    assert!(answer["Error"].is_string());
}

#[tokio::test]
async fn the_control_api_puts_and_deletes_groups() {
    let fixture = EmulatorFixture::start(frozen());
    let group = fixture.control.put_group("G", json!({})).await;
    assert_eq!(
        (&group["UserGroupId"], &group["Engine"], &group["Status"]),
        (&json!("g"), &json!("redis"), &json!("active"))
    );
    assert_eq!(group["UserIds"], json!([]));
    fixture
        .control
        .put_group("g", json!({"UserIds": ["Default", "ghost"], "Engine": "valkey", "Tags": {"k": "v"}}))
        .await;
    let seen = fixture.see_group("g").await;
    assert_eq!(
        (seen.engine(), seen.user_ids()),
        (Some("valkey"), ["default".to_owned(), "ghost".to_owned()].as_slice())
    );
    assert_eq!(fixture.see("default").await.user_group_ids(), ["g"]);
    let path = format!("groups/g{}", here());
    assert_eq!(fixture.control("DELETE", &path, Value::Null).await, (204, Value::Null));
    assert!(fixture.see("default").await.user_group_ids().is_empty());
    assert_eq!(fixture.control("DELETE", &path, Value::Null).await.0, 404);
}
