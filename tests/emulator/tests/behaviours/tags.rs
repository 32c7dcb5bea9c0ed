//! B86-B95: tags.

use std::time::Duration;

use aws_sdk_elasticache::types::Tag;
use elasticache_emulator::Settings;
use serde_json::json;

use crate::fixture::{EmulatorFixture, Refused, SECRET, eventually, frozen, quick, refused, tag, tag_texts};

const USER: &str = "arn:aws:elasticache:eu-west-1:123456789012:user:app";
const GROUP: &str = "arn:aws:elasticache:eu-west-1:123456789012:usergroup:g";

/// Makes the three tagging calls on a resource: add `k=v`, remove `old`, list. Returns the refusals.
async fn refusals(fixture: &EmulatorFixture, arn: &str) -> Vec<Refused> {
    vec![
        refused(fixture.sdk.add_tags_to_resource().resource_name(arn).tags(tag("k", "v")).send().await),
        refused(fixture.sdk.remove_tags_from_resource().resource_name(arn).tag_keys("old").send().await),
        refused(fixture.sdk.list_tags_for_resource().resource_name(arn).send().await),
    ]
}

async fn list(fixture: &EmulatorFixture, arn: &str) -> Vec<String> {
    tag_texts(fixture.sdk.list_tags_for_resource().resource_name(arn).send().await.unwrap().tag_list())
}

fn numbered(count: usize) -> Option<Vec<Tag>> {
    Some((0..count).map(|number| tag(&format!("k{number}"), "v")).collect())
}

#[tokio::test]
async fn b86_add_tags_returns_all_tags_and_overwrites() {
    let fixture = EmulatorFixture::start(quick());
    fixture.user("app").passwords(SECRET).tags(tag("a", "1")).tags(tag("b", "2")).send().await.unwrap();
    let add = fixture.sdk.add_tags_to_resource().resource_name(USER).tags(tag("b", "3")).tags(tag("c", ""));
    let all = ["a=1", "b=3", "c="];
    assert_eq!(tag_texts(add.send().await.unwrap().tag_list()), all);
    assert_eq!(list(&fixture, USER).await, all);
}

#[tokio::test]
async fn b87_remove_tags_returns_the_tags_that_remain() {
    let fixture = EmulatorFixture::start(quick());
    fixture.user("app").passwords(SECRET).set_tags(numbered(3)).send().await.unwrap();
    let remove = fixture.sdk.remove_tags_from_resource().resource_name(USER).tag_keys("k0").tag_keys("k2");
    assert_eq!(tag_texts(remove.send().await.unwrap().tag_list()), ["k1=v"]);
    assert_eq!(list(&fixture, USER).await, ["k1=v"]);
}

#[tokio::test]
async fn b88_removing_a_tag_that_is_not_there_is_tag_not_found() {
    let fixture = EmulatorFixture::start(quick());
    fixture.user("app").passwords(SECRET).tags(tag("a", "1")).send().await.unwrap();
    let remove = fixture.sdk.remove_tags_from_resource().resource_name(USER).tag_keys("a").tag_keys("ghost");
    assert_eq!(refused(remove.send().await).kind(), (404, "TagNotFound"));
    assert_eq!(list(&fixture, USER).await, ["a=1"]);
}

#[tokio::test]
async fn b89_more_than_50_tags_are_refused() {
    let fixture = EmulatorFixture::start(quick());
    let too_many = fixture.user("app").passwords(SECRET).set_tags(numbered(51));
    assert_eq!(refused(too_many.send().await).kind(), (400, "TagQuotaPerResourceExceeded"));
    let error = refused(fixture.group("g", &["default"]).set_tags(numbered(51)).send().await);
    assert_eq!(error.kind(), (400, "TagQuotaPerResourceExceeded"));
    fixture.user("app").passwords(SECRET).set_tags(numbered(50)).send().await.unwrap();
    let one_more = fixture.sdk.add_tags_to_resource().resource_name(USER).tags(tag("more", ""));
    assert_eq!(refused(one_more.send().await).kind(), (400, "TagQuotaPerResourceExceeded"));
    let same = fixture.sdk.add_tags_to_resource().resource_name(USER).tags(tag("k0", "other"));
    assert_eq!(same.send().await.unwrap().tag_list().len(), 50);
}

#[tokio::test]
async fn b90_tag_keys_that_begin_with_aws_or_have_a_bad_length_are_refused() {
    let fixture = EmulatorFixture::start(quick());
    fixture.user("app").passwords(SECRET).tags(tag("a", "1")).send().await.unwrap();
    let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
    for (key, value) in [("aws:own", "v"), ("AWS:own", "v"), ("", "v"), (&long_key, "v"), ("k", &long_value)]
    {
        let error = refused(
            fixture.sdk.add_tags_to_resource().resource_name(USER).tags(tag(key, value)).send().await,
        );
        assert_eq!(error.kind(), (400, "InvalidParameterValue"), "{key} {value}");
        let error = refused(fixture.user("b").passwords(SECRET).tags(tag(key, value)).send().await);
        assert_eq!(error.kind(), (400, "InvalidParameterValue"), "{key} {value} on create");
    }
    let fits = tag(&"k".repeat(128), &"v".repeat(256));
    fixture.sdk.add_tags_to_resource().resource_name(USER).tags(fits).send().await.unwrap();
    fixture.sdk.add_tags_to_resource().resource_name(USER).tags(tag("aws", "v")).send().await.unwrap();
}

#[tokio::test]
async fn b91_tag_calls_on_an_unknown_user_are_not_found() {
    let fixture = EmulatorFixture::start(quick());
    for error in refusals(&fixture, USER).await {
        assert_eq!(error.kind(), (404, "UserNotFound"));
        assert!(!error.message.contains("tagging"), "{error:?}");
    }
    fixture.create("app").await;
    let elsewhere = "arn:aws:elasticache:us-west-2:123456789012:user:app";
    for error in refusals(&fixture, elsewhere).await {
        assert_eq!(error.kind(), (404, "UserNotFound"), "the ARN names another region");
    }
}

#[tokio::test]
async fn b92_tag_calls_on_a_user_that_is_not_active_are_not_available() {
    let fixture = EmulatorFixture::start(frozen());
    fixture.user("app").passwords(SECRET).tags(tag("old", "")).send().await.unwrap();
    fixture.group("g", &["default"]).tags(tag("old", "")).send().await.unwrap();
    fixture.sdk.modify_user().user_id("app").access_string("off").send().await.unwrap();
    for error in refusals(&fixture, USER).await {
        assert_eq!(error, Refused::new(404, "UserNotFound", "app is not available for tagging"));
    }
    for error in refusals(&fixture, GROUP).await {
        assert_eq!(error, Refused::new(404, "UserGroupNotFound", "g is not available for tagging"));
    }
    fixture.settle("app").await;
    assert_eq!(list(&fixture, USER).await, ["old="]);
}

#[tokio::test]
async fn b92_tag_calls_just_after_a_tag_call_are_not_available() {
    let fixture = EmulatorFixture::start(Settings { tag_window: Duration::from_secs(3600), ..quick() });
    let add = |arn: &str| fixture.sdk.add_tags_to_resource().resource_name(arn).tags(tag("k", "v")).send();
    let remove = |arn: &str, key: &str| {
        fixture.sdk.remove_tags_from_resource().resource_name(arn).tag_keys(key).send()
    };
    fixture.user("app").passwords(SECRET).tags(tag("old", "")).send().await.unwrap();
    assert_eq!(
        list(&fixture, USER).await,
        ["old="],
        "neither CreateUser with tags nor a list makes tags unreadable"
    );
    assert_eq!(refused(remove(USER, "ghost").await).kind(), (404, "TagNotFound"));
    assert_eq!(list(&fixture, USER).await, ["old="], "a call that fails does not make tags unreadable");
    remove(USER, "old").await.unwrap();
    for error in refusals(&fixture, USER).await {
        assert_eq!(error, Refused::new(404, "UserNotFound", "app is not available for tagging"));
    }
    assert_eq!(fixture.see("app").await.status(), Some("active"), "DescribeUsers must show no change");
    fixture.group("g", &["default"]).send().await.unwrap();
    add(GROUP).await.unwrap();
    for error in refusals(&fixture, GROUP).await {
        assert_eq!(error, Refused::new(404, "UserGroupNotFound", "g is not available for tagging"));
    }
    fixture.control.settings(json!({"tag-window": "100ms"})).await;
    fixture.create("soon").await;
    let soon = USER.replace("app", "soon");
    add(&soon).await.unwrap();
    let look = || async { fixture.sdk.list_tags_for_resource().resource_name(&soon).send().await.ok() };
    assert_eq!(tag_texts(eventually("the end of the window", look).await.tag_list()), ["k=v"]);
}

#[tokio::test]
async fn b93_a_malformed_arn_is_invalid() {
    let fixture = EmulatorFixture::start(quick());
    for arn in
        ["app", "arn:aws:elasticache:eu-west-1:123456789012:user", "arn:aws:iam::123456789012:user/app"]
    {
        for error in refusals(&fixture, arn).await {
            assert_eq!(error.kind(), (400, "InvalidARN"), "{arn}");
        }
    }
}

#[tokio::test]
async fn b94_groups_have_tags_too() {
    let fixture = EmulatorFixture::start(quick());
    fixture.group("g", &["default"]).tags(tag("a", "1")).send().await.unwrap();
    let upper = GROUP.replace(":g", ":G");
    let add = fixture.sdk.add_tags_to_resource().resource_name(upper).tags(tag("b", "2"));
    assert_eq!(tag_texts(add.send().await.unwrap().tag_list()), ["a=1", "b=2"]);
    let remove = fixture.sdk.remove_tags_from_resource().resource_name(GROUP).tag_keys("a");
    assert_eq!(tag_texts(remove.send().await.unwrap().tag_list()), ["b=2"]);
    for error in refusals(&fixture, &GROUP.replace(":g", ":ghost")).await {
        assert_eq!(error.kind(), (404, "UserGroupNotFound"));
    }
}

#[tokio::test]
async fn b95_a_tag_value_may_be_null() {
    let fixture = EmulatorFixture::start(quick());
    let null = Tag::builder().key("null").build();
    fixture.user("app").passwords(SECRET).tags(null.clone()).tags(tag("empty", "")).send().await.unwrap();
    assert_eq!(list(&fixture, USER).await, ["empty=", "null"]);
    assert_eq!(fixture.truth("app").await["Tags"], json!({"empty": "", "null": null}));
    fixture.sdk.add_tags_to_resource().resource_name(USER).tags(null).send().await.unwrap();
    assert_eq!(list(&fixture, USER).await, ["empty=", "null"]);
}
