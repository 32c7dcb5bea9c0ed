//! Calls that go well, and what is on the wire then.

use std::collections::BTreeMap;
use std::time::Duration;

use elasticache_emulator::{Emulator, Settings};

use aws::UserApi;
use elasticache_user_operator::account::{Class, Limiter, RateLimited};
use plan::verdict::Outcome;
use plan::{
    Account, AuthenticationChange, Changes, Create, Delete, Engine, Lifecycle, Modify, RemoteUser, Tag,
    TagsObservation, UserObservation,
};
use serde_json::{Value, json};

use super::emulator_fixture::{Fixture, PATIENT, SIGNER, arn, aws, create, passwords, tags, user_id};

const ONE: &str = "correct-horse-battery";
const OTHER: &str = "staple-staple-staple";

/// The parameters of the one call that came over the wire.
async fn params(fixture: &Fixture) -> BTreeMap<String, String> {
    let calls = fixture.calls().await;
    assert_eq!(calls.len(), 1, "one call on the wire: {calls:?}");
    let params: BTreeMap<String, String> =
        serde_json::from_value(calls[0]["Params"].clone()).expect("parameters");
    params.into_iter().filter(|(key, _)| key != "Action" && key != "Version").collect()
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    tags(pairs)
}

fn accepted(outcome: Outcome) -> RemoteUser {
    let Outcome::Accepted(user) = outcome else { panic!("accepted, not {outcome:?}") };
    user
}

#[tokio::test]
async fn a_description_has_all_nine_members() {
    let fixture = Fixture::start();
    let user = json!({
        "UserName": "App <&> User",
        "Engine": "valkey",
        "MinimumEngineVersion": "7.2",
        "AccessString": "on ~app:* &* -@all +@read",
        "Passwords": [ONE, OTHER],
        "Status": "modifying",
    });
    fixture.control.put_user("app", user).await;
    fixture.control.put_group("blue", json!({"UserIds": ["app"]})).await;
    fixture.control.put_group("green", json!({"UserIds": ["app"]})).await;
    let UserObservation::Found(mut seen) = fixture.aws.describe(&user_id("App")).await.0 else {
        panic!("seen")
    };
    seen.user_group_ids.sort();
    let expected = RemoteUser {
        user_id: "app".to_owned(),
        user_name: "App <&> User".to_owned(),
        lifecycle: Lifecycle::Modifying,
        engine: "valkey".to_owned(),
        minimum_engine_version: Some("7.2".to_owned()),
        access_string: "on ~app:* &* -@all +@read".to_owned(),
        user_group_ids: vec!["blue".to_owned(), "green".to_owned()],
        authentication_type: "password".to_owned(),
        password_count: Some(2),
        arn: arn("app"),
    };
    assert_eq!(seen, expected);
    assert_eq!(params(&fixture).await, pairs(&[("UserId", "app")]));
}

#[tokio::test]
async fn every_state_is_read_and_an_unknown_word_is_kept() {
    let fixture = Fixture::start();
    for word in ["creating", "active", "modifying", "deleting", "hibernating"] {
        fixture.control.put_user("app", json!({"Status": word})).await;
        let UserObservation::Found(user) = fixture.aws.describe(&user_id("app")).await.0 else {
            panic!("seen")
        };
        assert_eq!(user.lifecycle.as_str(), word);
        assert_eq!(user.lifecycle, Lifecycle::parse(word));
    }
}

#[tokio::test]
async fn a_user_that_is_not_there_is_absent() {
    let fixture = Fixture::start();
    assert_eq!(fixture.aws.describe(&user_id("app")).await.0, UserObservation::Absent);
}

#[tokio::test]
async fn a_create_sends_everything_and_answers_with_the_user() {
    let rows = [
        (
            "two passwords",
            Engine::Valkey,
            passwords(&[ONE, OTHER]),
            &[
                ("AuthenticationMode.Passwords.member.1", ONE),
                ("AuthenticationMode.Passwords.member.2", OTHER),
                ("AuthenticationMode.Type", "password"),
            ][..],
            ("password", Some(2)),
        ),
        (
            "one password",
            Engine::Redis,
            passwords(&[ONE]),
            &[("AuthenticationMode.Passwords.member.1", ONE), ("AuthenticationMode.Type", "password")],
            ("password", Some(1)),
        ),
        (
            "IAM",
            Engine::Valkey,
            AuthenticationChange::Iam,
            &[("AuthenticationMode.Type", "iam")],
            ("iam", None),
        ),
        (
            "no password",
            Engine::Redis,
            AuthenticationChange::NoPassword,
            &[("AuthenticationMode.Type", "no-password-required")],
            ("no-password", None),
        ),
    ];
    for (claim, engine, authentication, mode, shown) in rows {
        let fixture = Fixture::start();
        let request = Create {
            engine,
            authentication,
            access_string: "on ~a:* +@read".to_owned(),
            tags: tags(&[("elasticache-users.dev/name", "app"), ("team", "shop & co")]),
            ..create("app")
        };
        let user = accepted(fixture.aws.create(&request, SIGNER).await);
        assert_eq!((user.authentication_type.as_str(), user.password_count), shown, "{claim}");
        assert_eq!(user.lifecycle, Lifecycle::Active, "{claim}");
        assert_eq!(user.engine, engine.as_str(), "{claim}");
        assert_eq!(user.arn, arn("app"), "{claim}");
        assert_eq!(fixture.aws.describe(&user_id("app")).await.0, UserObservation::Found(user), "{claim}");
        let mut sent = pairs(&[
            ("UserId", "app"),
            ("UserName", "app"),
            ("Engine", engine.as_str()),
            ("AccessString", "on ~a:* +@read"),
            ("Tags.Tag.1.Key", "elasticache-users.dev/name"),
            ("Tags.Tag.1.Value", "app"),
            ("Tags.Tag.2.Key", "team"),
            ("Tags.Tag.2.Value", "shop & co"),
        ]);
        sent.extend(pairs(mode));
        let calls = fixture.calls().await;
        let mut params: BTreeMap<String, String> =
            serde_json::from_value(calls[0]["Params"].clone()).expect("parameters");
        params.retain(|key, _| key != "Action" && key != "Version");
        assert_eq!(params, sent, "{claim}");
        let truth = fixture.control.user("app").await.expect("the user");
        assert_eq!(
            truth["Tags"],
            json!({"elasticache-users.dev/name": "app", "team": "shop & co"}),
            "{claim}"
        );
    }
}

#[tokio::test]
async fn a_create_of_a_user_that_is_there_says_so() {
    let fixture = Fixture::start();
    fixture.control.put_user("app", json!({})).await;
    assert_eq!(fixture.aws.create(&create("app"), SIGNER).await, Outcome::AlreadyExists);
}

#[tokio::test]
async fn a_modify_sends_only_what_changes() {
    let rows = [
        (
            "the access string",
            Changes { access_string: Some("off -@all".to_owned()), ..Changes::default() },
            &[("AccessString", "off -@all")][..],
        ),
        (
            "the engine",
            Changes { engine: Some(Engine::Valkey), ..Changes::default() },
            &[("Engine", "valkey")],
        ),
        (
            "the passwords",
            Changes { authentication: Some(passwords(&[OTHER])), ..Changes::default() },
            &[("AuthenticationMode.Passwords.member.1", OTHER), ("AuthenticationMode.Type", "password")],
        ),
        (
            "the type",
            Changes { authentication: Some(AuthenticationChange::Iam), ..Changes::default() },
            &[("AuthenticationMode.Type", "iam")],
        ),
        (
            "to no password",
            Changes { authentication: Some(AuthenticationChange::NoPassword), ..Changes::default() },
            &[("AuthenticationMode.Type", "no-password-required")],
        ),
        (
            "all of it",
            Changes {
                access_string: Some("on ~* +@all".to_owned()),
                engine: Some(Engine::Valkey),
                authentication: Some(passwords(&[ONE])),
            },
            &[
                ("AccessString", "on ~* +@all"),
                ("Engine", "valkey"),
                ("AuthenticationMode.Passwords.member.1", ONE),
                ("AuthenticationMode.Type", "password"),
            ],
        ),
    ];
    for (claim, changes, sent) in rows {
        let fixture = Fixture::start();
        fixture.control.put_user("app", json!({"Passwords": [ONE]})).await;
        let request = Modify { user_id: user_id("app"), changes, cause: plan::Cause::Edit };
        let user = accepted(fixture.aws.modify(&request, SIGNER).await);
        assert_eq!((user.lifecycle, user.arn), (Lifecycle::Modifying, arn("app")), "{claim}");
        let mut expected = pairs(&[("UserId", "app")]);
        expected.extend(pairs(sent));
        assert_eq!(params(&fixture).await, expected, "{claim}");
    }
}

#[tokio::test]
async fn tags_are_added_and_read() {
    let fixture = Fixture::start();
    fixture.control.put_user("app", json!({"Tags": {"team": "shop", "empty": ""}})).await;
    let TagsObservation::Read(read) = fixture.aws.list_tags(&arn("app")).await else { panic!("read") };
    assert_eq!(read, tags(&[("team", "shop"), ("empty", "")]));
    assert_eq!(params(&fixture).await, pairs(&[("ResourceName", &arn("app").to_string())]));

    let request =
        Tag { arn: arn("app"), tags: tags(&[("team", "till"), ("x", "y")]), cause: plan::Cause::Edit };
    let all = tags(&[("team", "till"), ("empty", ""), ("x", "y")]);
    assert_eq!(fixture.aws.tag(&request, SIGNER).await, Outcome::Tagged(all.clone()));
    assert_eq!(fixture.aws.list_tags(&arn("app")).await, TagsObservation::Read(all));
}

#[tokio::test]
async fn a_user_without_tags_has_none() {
    let fixture = Fixture::start();
    fixture.control.put_user("app", json!({"Tags": {}})).await;
    assert_eq!(fixture.aws.list_tags(&arn("app")).await, TagsObservation::Read(tags(&[])));
}

#[tokio::test]
async fn tags_in_their_window_are_unreadable_which_is_not_absent() {
    let fixture = Fixture::start();
    fixture.control.settings(json!({"tag-window": "1h"})).await;
    fixture.control.put_user("app", json!({})).await;
    let request = Tag { arn: arn("app"), tags: tags(&[("x", "y")]), cause: plan::Cause::Edit };
    assert!(matches!(fixture.aws.tag(&request, SIGNER).await, Outcome::Tagged(_)));
    assert_eq!(fixture.aws.list_tags(&arn("app")).await, TagsObservation::Unreadable);
    assert_eq!(fixture.aws.tag(&request, SIGNER).await, Outcome::NotFound);
    assert!(matches!(fixture.aws.describe(&user_id("app")).await.0, UserObservation::Found(_)));
}

#[tokio::test]
async fn a_delete_answers_with_the_user_on_its_way_out() {
    let fixture = Fixture::start();
    fixture.control.settings(json!({"delete-time": "1h"})).await;
    fixture.control.put_user("app", json!({})).await;
    let request = Delete { user_id: user_id("app") };
    let user = accepted(fixture.aws.delete(&request, SIGNER).await);
    assert_eq!((user.lifecycle, user.arn), (Lifecycle::Deleting, arn("app")));
    assert_eq!(params(&fixture).await, pairs(&[("UserId", "app")]));
    let missing = Delete { user_id: user_id("nobody") };
    assert_eq!(fixture.aws.delete(&missing, SIGNER).await, Outcome::NotFound);
}

#[tokio::test]
async fn calls_are_signed_for_the_region_and_account() {
    let fixture = Fixture::start();
    fixture.aws.describe(&user_id("app")).await;
    let calls = fixture.calls().await;
    assert_eq!((&calls[0]["Region"], &calls[0]["Account"]), (&json!("eu-west-1"), &json!("111122223333")));
}

#[tokio::test]
async fn connections_that_went_stale_cost_no_call() {
    // An address of its own: on the usual one another test may take the port while the emulator is away.
    let mut emulator = Emulator::start(Settings::default(), "127.42.0.1:0").expect("an emulator");
    let (addr, aws) = (emulator.addr(), aws(&emulator.url(), PATIENT));
    let (app, shop) = (user_id("app"), user_id("shop"));
    for round in 0..5 {
        // Two connections, both left in the pool.
        let seen = futures::join!(aws.describe(&app), aws.describe(&shop));
        assert_eq!((seen.0.0, seen.1.0), (UserObservation::Absent, UserObservation::Absent), "round {round}");
        drop(emulator);
        emulator = again(addr).await;
        // What was closed meanwhile is noticed as soon as this process gets to look.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(matches!(aws.create(&create("app"), SIGNER).await, Outcome::Accepted(_)));
}

/// An emulator where one was before. Another test may be about to start a program: until that runs, its fork holds the
/// former emulator's socket.
async fn again(addr: std::net::SocketAddr) -> Emulator {
    let deadline = tokio::time::Instant::now() + PATIENT.call;
    loop {
        match Emulator::start(Settings::default(), addr) {
            Ok(emulator) => return emulator,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_rate_limited_port_makes_every_call_with_one_permit() {
    let fixture = Fixture::start();
    let limiter = Limiter::new(0.01, 7);
    let limited = RateLimited::new(fixture.aws.clone(), limiter.clone());
    let app = user_id("app");
    assert!(matches!(
        limited.identify(limited.permit(Class::Change, "shop").await).await.account,
        Account::Known(_)
    ));
    limited.create(limited.permit(Class::Change, "shop").await, &create("app"), SIGNER).await;
    assert!(matches!(
        limited.describe(limited.permit(Class::Check, "shop").await, &app).await.0,
        UserObservation::Found(_)
    ));
    assert!(matches!(
        limited.list_tags(limited.permit(Class::Change, "shop").await, &arn("app")).await,
        TagsObservation::Read(_)
    ));
    let tag = Tag { arn: arn("app"), tags: tags(&[("x", "y")]), cause: plan::Cause::Edit };
    limited.tag(limited.permit(Class::Change, "shop").await, &tag, SIGNER).await;
    let changes = Changes { access_string: Some("off -@all".to_owned()), ..Changes::default() };
    let modify = Modify { user_id: app.clone(), changes, cause: plan::Cause::Edit };
    limited.modify(limited.permit(Class::Change, "shop").await, &modify, SIGNER).await;
    let unused = limited.permit(Class::Change, "shop").await;
    assert!(limited.try_permit(Class::Change, "shop").is_none(), "each call has cost one");
    drop(unused);
    limited.delete(limited.permit(Class::Change, "shop").await, &Delete { user_id: app }, SIGNER).await;
    assert!(limited.try_permit(Class::Change, "shop").is_none());
    let actions: Vec<Value> =
        fixture.calls().await.into_iter().map(|mut call| call["Action"].take()).collect();
    let expected = [
        "GetCallerIdentity",
        "CreateUser",
        "DescribeUsers",
        "ListTagsForResource",
        "AddTagsToResource",
        "ModifyUser",
        "DeleteUser",
    ];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn calls_are_counted_by_status_and_code() {
    let fixture = Fixture::start();
    fixture.aws.describe(&user_id("app")).await;
    fixture.aws.create(&create("app"), SIGNER).await;
    fixture
        .control
        .fault(json!({"Action": "CreateUser", "Kind": "error", "Code": "NeverHeardOf", "Status": 409}))
        .await;
    fixture.aws.create(&create("app"), SIGNER).await;
    fixture.control.fault(json!({"Action": "DescribeUsers", "Kind": "reset"})).await;
    fixture.aws.describe(&user_id("app")).await;
    let mut registry = prometheus_client::registry::Registry::default();
    fixture.aws.meter().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
    for (operation, status, code) in [
        ("DescribeUsers", 404, "UserNotFound"),
        ("DescribeUsers", 0, "NoAnswer"),
        ("CreateUser", 200, ""),
        ("CreateUser", 409, "other"),
    ] {
        let line = format!(
            "aws_api_calls_total{{service=\"ElastiCache\",operation=\"{operation}\",status_code=\"{status}\",error_code=\"{code}\"}} 1"
        );
        assert!(text.contains(&line), "{line} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn a_walk_over_the_pages_lists_every_user_once() {
    let fixture = Fixture::start();
    let mut expected = vec!["default".to_owned()];
    for number in 0..205 {
        let id = format!("u-{number}");
        fixture.control.put_user(&id, json!({})).await;
        expected.push(id);
    }
    let (mut listed, mut marker, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = fixture.aws.list(marker.as_deref()).await.expect("a page");
        assert!(page.users.len() <= 100 && page.incomplete.is_empty(), "{page:?}");
        listed.extend(page.users.into_iter().map(|user| user.user_id));
        pages += 1;
        marker = page.marker;
        if marker.is_none() {
            break;
        }
    }
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!((pages, listed), (3, expected));
}
