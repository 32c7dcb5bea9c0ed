//! Calls that succeed, and what they send.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::UserApi;
use elasticache_emulator::{Emulator, Rule, Settings};
use elasticache_user_operator::account::{Class, Limiter, RateLimited};
use plan::verdict::Outcome;
use plan::{
    Account, AuthenticationChange, Changes, Create, Engine, Lifecycle, Modify, RemoteUser, Tag,
    TagsObservation, UserObservation,
};
use serde_json::{Value, json};

use super::emulator_fixture::{
    Fixture, PATIENT, SIGNER, arn, aws, create, delete, modify, passwords, tag, user_id,
};

const ONE: &str = "correct-horse-battery";
const OTHER: &str = "staple-staple-staple";

/// The only call that the emulator received.
async fn call(fixture: &Fixture) -> Value {
    let mut calls = fixture.calls().await;
    assert_eq!(calls.len(), 1, "AWS must get one call: {calls:?}");
    calls.remove(0)
}

/// The parameters of the only call that the emulator received.
async fn params(fixture: &Fixture) -> BTreeMap<String, String> {
    let params = call(fixture).await["Params"].take();
    let mut params: BTreeMap<String, String> = serde_json::from_value(params).expect("parameters");
    params.retain(|key, _| key != "Action" && key != "Version");
    params
}

/// The parameters of an authentication.
fn mode(type_: &'static str, passwords: &[&'static str]) -> Vec<(String, &'static str)> {
    let members = (1..).zip(passwords);
    let passwords =
        members.map(|(number, text)| (format!("AuthenticationMode.Passwords.member.{number}"), *text));
    passwords.chain([("AuthenticationMode.Type".to_owned(), type_)]).collect()
}

fn pairs<K: Into<String>, V: Into<String>>(
    pairs: impl IntoIterator<Item = (K, V)>,
) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

fn accepted(outcome: Outcome) -> RemoteUser {
    let Outcome::Accepted(user) = outcome else { panic!("accepted, not {outcome:?}") };
    user
}

async fn found(fixture: &Fixture, id: &str) -> RemoteUser {
    let UserObservation::Found(user) = fixture.aws.describe(&user_id(id)).await.0 else {
        panic!("{id} is not found")
    };
    user
}

#[tokio::test]
async fn describe_users_returns_all_nine_fields_and_is_signed_for_region_and_account() {
    let fixture = Fixture::start();
    let user = json!({
        "UserName": "App <&> User", "Engine": "valkey", "MinimumEngineVersion": "7.2", "Status": "modifying",
        "AccessString": "on ~app:* &* -@all +@read", "Passwords": [ONE, OTHER],
    });
    fixture.control.put_user("app", user).await;
    fixture.control.put_group("blue", json!({"UserIds": ["app"]})).await;
    fixture.control.put_group("green", json!({"UserIds": ["app"]})).await;
    let mut seen = found(&fixture, "App").await;
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
    let call = call(&fixture).await;
    assert_eq!((&call["Region"], &call["Account"]), (&json!("eu-west-1"), &json!("111122223333")));
    let sent = json!({"Action": "DescribeUsers", "Version": "2015-02-02", "UserId": "app"});
    assert_eq!(call["Params"], sent);
}

#[tokio::test]
async fn every_status_of_a_user_is_parsed_and_an_unknown_one_is_kept() {
    let fixture = Fixture::start();
    for word in ["creating", "active", "modifying", "deleting", "hibernating"] {
        fixture.control.put_user("app", json!({"Status": word})).await;
        let lifecycle = found(&fixture, "app").await.lifecycle;
        assert_eq!((lifecycle.as_str(), &lifecycle), (word, &Lifecycle::parse(word)));
    }
}

/// A CreateUser, and the user that AWS shows afterwards.
struct Creation {
    engine: Engine,
    authentication: AuthenticationChange,
    sent: Vec<(String, &'static str)>,
    shown: (&'static str, Option<i32>),
}

#[tokio::test]
async fn create_user_sends_every_field_and_returns_the_user_or_that_it_exists() {
    use AuthenticationChange::{Iam, NoPassword};
    use Engine::{Redis, Valkey};
    let row = |engine, authentication, sent, shown| Creation { engine, authentication, sent, shown };
    let rows = [
        row(Valkey, passwords(&[ONE, OTHER]), mode("password", &[ONE, OTHER]), ("password", Some(2))),
        row(Redis, passwords(&[ONE]), mode("password", &[ONE]), ("password", Some(1))),
        row(Valkey, Iam, mode("iam", &[]), ("iam", None)),
        row(Redis, NoPassword, mode("no-password-required", &[]), ("no-password", None)),
    ];
    let tags = [("elasticache-users.dev/name", "app"), ("team", "shop & co")];
    for Creation { engine, authentication, sent, shown } in rows {
        let fixture = Fixture::start();
        let access_string = "on ~a:* +@read".to_owned();
        let request = Create { engine, authentication, access_string, tags: pairs(tags), ..create("app") };
        let user = accepted(fixture.aws.create(&request, SIGNER).await);
        let mut expected = pairs([
            ("UserId", "app"),
            ("UserName", "app"),
            ("Engine", engine.as_str()),
            ("AccessString", "on ~a:* +@read"),
            ("Tags.Tag.1.Key", "elasticache-users.dev/name"),
            ("Tags.Tag.1.Value", "app"),
            ("Tags.Tag.2.Key", "team"),
            ("Tags.Tag.2.Value", "shop & co"),
        ]);
        expected.extend(pairs(sent));
        assert_eq!(params(&fixture).await, expected, "{shown:?}");
        assert_eq!((user.authentication_type.as_str(), user.password_count), shown);
        assert_eq!(
            (&user.lifecycle, user.engine.as_str()),
            (&Lifecycle::Active, engine.as_str()),
            "{shown:?}"
        );
        assert_eq!(user.arn, arn("app"), "{shown:?}");
        assert_eq!(found(&fixture, "app").await, user, "{shown:?}");
        let truth = fixture.control.user("app").await.expect("the user");
        assert_eq!(truth["Tags"], json!(pairs(tags)), "{shown:?}");
        assert_eq!(fixture.aws.create(&request, SIGNER).await, Outcome::AlreadyExists, "{shown:?}");
    }
}

/// The emulator knows the password, and nobody else ever learns it.
#[tokio::test]
async fn a_random_password_is_made_for_each_call_that_sends_one() {
    let fixture = Fixture::start();
    let authentication = AuthenticationChange::RandomPassword;
    let passwords = async |id| fixture.control.user(id).await.expect("the user")["Passwords"].take();
    let mut sent = Vec::new();
    for id in ["app", "other"] {
        let request = Create { authentication: authentication.clone(), ..create(id) };
        let user = accepted(fixture.aws.create(&request, SIGNER).await);
        assert_eq!((user.authentication_type.as_str(), user.password_count), ("password", Some(1)));
        sent.push(passwords(id).await);
    }
    let changes = Changes { authentication: Some(authentication), ..Changes::default() };
    accepted(fixture.aws.modify(&Modify { changes, ..modify("other") }, SIGNER).await);
    sent.push(passwords("other").await);
    let is_right = |sent: &Value| {
        sent.as_array().is_some_and(|all| all.len() == 1)
            && sent[0].as_str().is_some_and(|one| one.len() == 40)
    };
    assert!(sent.iter().all(is_right), "AWS got something else than one password of 40 characters");
    assert!(sent[0] != sent[1] && sent[1] != sent[2], "AWS got the same password twice");
}

#[tokio::test]
async fn modify_user_sends_only_what_changes() {
    let access = |text: &str| Some(text.to_owned());
    let authentication = |change| Changes { authentication: Some(change), ..Changes::default() };
    let all = Changes {
        access_string: access("on ~* +@all"),
        engine: Some(Engine::Valkey),
        authentication: Some(passwords(&[ONE])),
    };
    let sent = |key: &str, value| vec![(key.to_owned(), value)];
    let all_sent =
        [sent("AccessString", "on ~* +@all"), sent("Engine", "valkey"), mode("password", &[ONE])].concat();
    let rows = [
        (
            Changes { access_string: access("off -@all"), ..Changes::default() },
            sent("AccessString", "off -@all"),
        ),
        (Changes { engine: Some(Engine::Valkey), ..Changes::default() }, sent("Engine", "valkey")),
        (authentication(passwords(&[OTHER])), mode("password", &[OTHER])),
        (authentication(AuthenticationChange::Iam), mode("iam", &[])),
        (authentication(AuthenticationChange::NoPassword), mode("no-password-required", &[])),
        (all, all_sent),
    ];
    for (changes, sent) in rows {
        let fixture = Fixture::start();
        fixture.control.put_user("app", json!({"Passwords": [ONE]})).await;
        let user = accepted(fixture.aws.modify(&Modify { changes, ..modify("app") }, SIGNER).await);
        assert_eq!((user.lifecycle, user.arn), (Lifecycle::Modifying, arn("app")), "{sent:?}");
        let expected = pairs(sent.into_iter().chain([("UserId".to_owned(), "app")]));
        assert_eq!(params(&fixture).await, expected);
    }
}

#[tokio::test]
async fn tags_are_added_and_listed_and_a_user_may_have_none() {
    let fixture = Fixture::start();
    fixture.control.put_user("app", json!({"Tags": {"team": "search", "empty": ""}})).await;
    let before = pairs([("team", "search"), ("empty", "")]);
    assert_eq!(fixture.aws.list_tags(&arn("app")).await, TagsObservation::Read(before));
    assert_eq!(params(&fixture).await, pairs([("ResourceName", &*arn("app").to_string())]));
    let request = Tag { tags: pairs([("team", "till"), ("x", "y")]), ..tag("app") };
    let all = pairs([("team", "till"), ("empty", ""), ("x", "y")]);
    assert_eq!(fixture.aws.tag(&request, SIGNER).await, Outcome::Tagged(all.clone()));
    assert_eq!(fixture.aws.list_tags(&arn("app")).await, TagsObservation::Read(all));
    fixture.control.put_user("app", json!({"Tags": {}})).await;
    assert_eq!(fixture.aws.list_tags(&arn("app")).await, TagsObservation::Read(BTreeMap::new()));
}

#[tokio::test]
async fn tags_that_aws_does_not_show_yet_are_unreadable_and_not_absent() {
    let fixture = Fixture::start();
    fixture.control.settings(json!({"tag-window": "1h"})).await;
    fixture.control.put_user("app", json!({})).await;
    assert!(matches!(fixture.aws.tag(&tag("app"), SIGNER).await, Outcome::Tagged(_)));
    assert_eq!(fixture.aws.list_tags(&arn("app")).await, TagsObservation::Unreadable);
    assert_eq!(fixture.aws.tag(&tag("app"), SIGNER).await, Outcome::NotFound);
    found(&fixture, "app").await;
}

#[tokio::test]
async fn delete_user_returns_the_deleting_user() {
    let fixture = Fixture::start();
    fixture.control.settings(json!({"delete-time": "1h"})).await;
    fixture.control.put_user("app", json!({})).await;
    let user = accepted(fixture.aws.delete(&delete("app"), SIGNER).await);
    assert_eq!((user.lifecycle, user.arn), (Lifecycle::Deleting, arn("app")));
    assert_eq!(params(&fixture).await, pairs([("UserId", "app")]));
    assert_eq!(fixture.aws.delete(&delete("nobody"), SIGNER).await, Outcome::NotFound);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_costs_no_call() {
    // An address of its own, because on the usual address another test might take the port while the emulator is stopped.
    let mut emulator = Emulator::start(Settings::default(), "127.42.0.1:0").expect("an emulator");
    let (addr, aws) = (emulator.addr(), aws(&emulator.url(), PATIENT));
    let (app, shop) = (user_id("app"), user_id("shop"));
    for round in 0..5 {
        // Two connections remain in the pool.
        let seen = futures::join!(aws.describe(&app), aws.describe(&shop));
        assert_eq!((seen.0.0, seen.1.0), (UserObservation::Absent, UserObservation::Absent), "round {round}");
        drop(emulator);
        emulator = again(addr).await;
        // The client notices closed connections when it runs again.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(matches!(aws.create(&create("app"), SIGNER).await, Outcome::Accepted(_)));
}

/// Starts an emulator on the port of a former one. Retries, because another test may be starting a program, and its fork holds the
/// former socket for a moment.
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
async fn every_call_takes_one_permit_of_the_rate_limit() {
    let fixture = Fixture::start();
    let limiter = Limiter::new(0.01, 7);
    let limited = RateLimited::new(fixture.aws.clone(), limiter.clone());
    let permit = || limited.permit(Class::Change, "shop");
    assert!(matches!(limited.identify(permit().await).await.account, Account::Known(_)));
    limited.create(permit().await, &create("app"), SIGNER).await;
    let seen = limited.describe(limited.permit(Class::Check, "shop").await, &user_id("app")).await.0;
    assert!(matches!(seen, UserObservation::Found(_)), "{seen:?}");
    let read = limited.list_tags(permit().await, &arn("app")).await;
    assert!(matches!(read, TagsObservation::Read(_)), "{read:?}");
    limited.tag(permit().await, &tag("app"), SIGNER).await;
    limited.modify(permit().await, &modify("app"), SIGNER).await;
    let unused = permit().await;
    assert!(limited.try_permit(Class::Change, "shop").is_none(), "each call must cost a permit");
    drop(unused);
    limited.delete(permit().await, &delete("app"), SIGNER).await;
    assert!(limited.try_permit(Class::Change, "shop").is_none());
    let expected = [
        "GetCallerIdentity",
        "CreateUser",
        "DescribeUsers",
        "ListTagsForResource",
        "AddTagsToResource",
        "ModifyUser",
        "DeleteUser",
    ];
    assert_eq!(fixture.actions().await, expected);
}

#[tokio::test]
async fn calls_to_aws_are_counted_by_service_status_and_code() {
    let fixture = Fixture::start();
    fixture.aws.identify().await;
    fixture.aws.describe(&user_id("app")).await;
    fixture.aws.create(&create("app"), SIGNER).await;
    fixture.control.fault(Rule::on("CreateUser").error("NeverHeardOf", 409)).await;
    fixture.aws.create(&create("app"), SIGNER).await;
    fixture.control.fault(Rule::on("DescribeUsers").reset()).await;
    fixture.aws.describe(&user_id("app")).await;
    let text = fixture.metrics();
    for (service, operation, status, code) in [
        ("STS", "GetCallerIdentity", 200, ""),
        ("ElastiCache", "DescribeUsers", 404, "UserNotFound"),
        ("ElastiCache", "DescribeUsers", 0, "NoAnswer"),
        ("ElastiCache", "CreateUser", 200, ""),
        ("ElastiCache", "CreateUser", 409, "other"),
    ] {
        let labels = format!(
            "service=\"{service}\",operation=\"{operation}\",status_code=\"{status}\",error_code=\"{code}\""
        );
        assert!(
            text.contains(&format!("aws_api_calls_total{{{labels}}} 1")),
            "{labels} are missing in:\n{text}"
        );
    }
}

#[tokio::test]
async fn a_listing_of_all_pages_has_every_user_once() {
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
