//! The control API: the record of calls, the form of faults, the settings, and refused requests.

use elasticache_emulator::Settings;
use serde_json::{Value, json};

use crate::fixture::{EmulatorFixture, are_refused, quick};

#[tokio::test]
async fn the_health_page_answers_200() {
    let fixture = EmulatorFixture::start(quick());
    assert_eq!(fixture.control("GET", "health", Value::Null).await.0, 200);
}

#[tokio::test]
async fn the_control_api_lists_the_calls_that_were_received() {
    let fixture = EmulatorFixture::start(quick());
    fixture.raw(&[("Action", "DescribeUsers"), ("UserId", "Ghost")]).await;
    fixture.user("a").passwords("short").send().await.unwrap_err();
    fixture.sdk_of("AKIAIOSFODNN7EXAMPLE", "us-west-2").describe_users().send().await.unwrap();
    fixture.raw(&[("Action", "Bogus")]).await;
    let mut calls = fixture.get("calls").await;
    let calls = calls.as_array_mut().unwrap();
    let mut last = (0, 0);
    for call in calls.iter_mut() {
        let now = (call["Seq"].as_u64().unwrap(), call["At"].as_u64().unwrap());
        assert!(now.0 > last.0 && now.1 >= last.1, "{now:?} after {last:?}");
        last = now;
        call.as_object_mut().unwrap().retain(|name, _| name != "Seq" && name != "At");
    }
    assert_eq!(
        calls[0],
        json!({
            "Action": "DescribeUsers",
            "Params": {"Action": "DescribeUsers", "UserId": "Ghost"},
            "Status": 404,
            "Code": "UserNotFound",
            "Account": "123456789012",
            "Region": "eu-west-1",
            "UserAgent": "",
        })
    );
    assert_eq!(
        calls[1]["Params"]["Passwords.member.1"], "short",
        "the record has the parameter as it was sent"
    );
    assert_eq!(calls[1]["Params"]["AccessString"], "on ~* +@all", "decoded");
    assert!(calls[1]["UserAgent"].as_str().unwrap().contains("aws-sdk-rust"));
    let place = (&calls[2]["Account"], &calls[2]["Region"]);
    assert_eq!(place, (&json!("000000000000"), &json!("us-west-2")));
    assert_eq!((&calls[2]["Status"], &calls[2]["Code"]), (&json!(200), &Value::Null));
    assert_eq!((&calls[3]["Action"], &calls[3]["Code"]), (&json!("Bogus"), &json!("InvalidAction")));
    assert_eq!(fixture.control("DELETE", "calls", Value::Null).await, (204, Value::Null));
    assert_eq!(fixture.get("calls").await, json!([]));
    fixture.raw(&[("Action", "DescribeUsers")]).await;
    assert!(fixture.get("calls").await[0]["Seq"].as_u64().unwrap() > last.0);
}

#[tokio::test]
async fn faults_are_listed_with_their_defaults_and_dropped() {
    let fixture = EmulatorFixture::start(quick());
    let mut ids = Vec::new();
    for rule in [
        json!({"Kind": "error", "Code": "X"}),
        json!({"Kind": "hang", "Ms": 5, "When": "after", "Times": null, "Skip": 3, "Action": "DeleteUser", "UserId": "App"}),
        json!({"Kind": "slow", "Ms": 7, "Action": null, "UserId": null, "Times": 2}),
        json!({"Kind": "truncate"}),
    ] {
        let (status, answer) = fixture.control("POST", "faults", rule).await;
        assert_eq!((status, answer.as_object().unwrap().len()), (200, 1));
        ids.push(answer["Id"].clone());
    }
    let common = json!({"Action": null, "UserId": null, "Skip": 0, "Times": 1, "Fired": 0});
    let with = |own: Value| {
        let mut rule = common.clone();
        rule.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        rule
    };
    let expected = [
        with(
            json!({"Id": ids[0], "Kind": "error", "When": "before", "Code": "X", "Message": "", "Status": 400}),
        ),
        with(json!({
            "Id": ids[1], "Kind": "hang", "When": "after", "Ms": 5,
            "Action": "DeleteUser", "UserId": "App", "Skip": 3, "Times": null,
        })),
        with(json!({"Id": ids[2], "Kind": "slow", "Ms": 7, "Times": 2})),
        with(json!({"Id": ids[3], "Kind": "truncate"})),
    ];
    assert_eq!(fixture.get("faults").await, json!(expected));
    let one = format!("faults/{}", ids[1]);
    assert_eq!(fixture.control("DELETE", &one, Value::Null).await, (204, Value::Null));
    assert_eq!(fixture.control("DELETE", &one, Value::Null).await.0, 404);
    assert_eq!(fixture.get("faults").await, json!([expected[0], expected[2], expected[3]]));
    assert_eq!(fixture.control("DELETE", "faults", Value::Null).await, (204, Value::Null));
    assert_eq!(fixture.get("faults").await, json!([]));
}

#[tokio::test]
async fn an_invalid_fault_is_refused() {
    let fixture = EmulatorFixture::start(quick());
    let bodies = [
        "{}",
        r#"{"Kind":"explode"}"#,
        r#"{"Kind":"throttle","Colour":"red"}"#,
        r#"{"Kind":"throttle","Action":"EatUser"}"#,
        r#"{"Kind":"throttle","Action":"deleteuser"}"#,
        r#"{"Kind":"throttle","Action":7}"#,
        r#"{"Kind":"throttle","UserId":7}"#,
        r#"{"Kind":"throttle","Skip":-1}"#,
        r#"{"Kind":"throttle","Skip":null}"#,
        r#"{"Kind":"throttle","Times":"1"}"#,
        r#"{"Kind":"throttle","Times":1.5}"#,
        r#"{"Kind":"throttle","When":"during"}"#,
        r#"{"Kind":"throttle","Ms":5}"#,
        r#"{"Kind":"throttle","Code":"X"}"#,
        r#"{"Kind":"throttle","Id":1}"#,
        r#"{"Kind":"error"}"#,
        r#"{"Kind":"error","Code":1}"#,
        r#"{"Kind":"error","Code":"X","Status":"400"}"#,
        r#"{"Kind":"error","Code":"X","Status":99}"#,
        r#"{"Kind":"error","Code":"X","Ms":5}"#,
        r#"{"Kind":"hang"}"#,
        r#"{"Kind":"hang","Ms":-5}"#,
        r#"{"Kind":"hang","Ms":"5s"}"#,
        r#"{"Kind":"slow"}"#,
        r#"{"Kind":"slow","Ms":5,"When":"before"}"#,
        r#"{"Kind":"truncate","When":"after"}"#,
        r#"{"Kind":"truncate","Ms":5}"#,
        r#"{"Kind":"unavailable","Status":503}"#,
        r#"{"Kind":"garbage","Message":"x"}"#,
        r#"{"Kind":"reset","Ms":1}"#,
        "nonsense",
    ];
    are_refused(&fixture, "POST", "faults", &bodies).await;
    assert_eq!(fixture.get("faults").await, json!([]));
}

#[tokio::test]
async fn settings_are_shown_and_changed() {
    let fixture = EmulatorFixture::start(Settings::default());
    let defaults = json!({
        "create-time": "0s",
        "modify-time": "2s",
        "delete-time": "2s",
        "group-time": "2s",
        "tag-window": "0s",
        "user-quota": 1000,
        "group-quota": 100,
        "users-per-group-quota": 100,
        "rate": "off",
        "no-service-linked-role": false,
        "restless-listing": false,
        "modify-answer": "new",
    });
    assert_eq!(fixture.get("settings").await, defaults);
    let changed = json!({
        "create-time": "1s",
        "modify-time": "5s",
        "delete-time": "1500ms",
        "group-time": "60s",
        "tag-window": "5s",
        "user-quota": 5,
        "group-quota": 6,
        "users-per-group-quota": 7,
        "rate": "10:20",
        "no-service-linked-role": true,
        "restless-listing": true,
        "modify-answer": "old",
    });
    for (name, value) in changed.as_object().unwrap() {
        fixture.control.settings(json!({name: value})).await;
        assert_eq!(&fixture.get("settings").await[name], value);
    }
    assert_eq!(fixture.get("settings").await, changed);
    fixture.control.settings(defaults.clone()).await;
    assert_eq!(fixture.get("settings").await, defaults, "the shown settings must be accepted");
}

#[tokio::test]
async fn invalid_settings_are_refused_and_change_nothing() {
    let fixture = EmulatorFixture::start(quick());
    let before = fixture.get("settings").await;
    let bodies = [
        r#"{"colour":"red"}"#,
        r#"{"modify_time":"5s"}"#,
        r#"{"modify-time":5}"#,
        r#"{"modify-time":"5"}"#,
        r#"{"modify-time":"-5s"}"#,
        r#"{"user-quota":-1}"#,
        r#"{"user-quota":"many"}"#,
        r#"{"user-quota":1.5}"#,
        r#"{"rate":"fast"}"#,
        r#"{"rate":"0"}"#,
        r#"{"rate":null}"#,
        r#"{"no-service-linked-role":"maybe"}"#,
        r#"{"restless-listing":1}"#,
        r#"{"modify-answer":"both"}"#,
        r#"{"addr":"127.0.0.1:1"}"#,
        r#"{"data":"file"}"#,
        r#"{"modify-time":"5s","user-quota":9,"zz":1}"#,
        "[]",
        "",
    ];
    are_refused(&fixture, "PUT", "settings", &bodies).await;
    assert_eq!(fixture.get("settings").await, before);
}

#[tokio::test]
async fn unknown_paths_methods_and_queries_of_the_control_api_are_refused() {
    let fixture = EmulatorFixture::start(quick());
    let requests = [
        (404, "GET "),
        (404, "GET nothing"),
        (404, "GET nothing/x"),
        (404, "PUT users/"),
        (405, "POST users"),
        (405, "DELETE settings"),
        (405, "POST users/a"),
        (400, "GET users?acount=123456789012"),
        (400, "GET users?account=12"),
        (400, "GET users?region="),
    ];
    for (status, request) in requests {
        let (method, path) = request.split_once(' ').unwrap();
        let (answered, body) = fixture.control(method, path, Value::Null).await;
        assert_eq!(answered, status, "{method} {path}");
        assert!(body["Error"].is_string(), "{method} {path}: {body}");
    }
}
