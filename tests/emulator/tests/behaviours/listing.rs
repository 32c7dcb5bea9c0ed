//! B96-B103: pages, filters, quotas, the rate, the service-linked role, and calls without a change.

use aws_sdk_elasticache::types::Filter;
use elasticache_emulator::Settings;
use serde_json::{Value, json};

use crate::fixture::{ACCOUNT, EmulatorFixture, REGION, Refused, SECRET, frozen, here, quick, refused};

/// `default` and the users u100, u101, ..
async fn with_users(fixture: &EmulatorFixture, count: usize) {
    for number in 0..count {
        fixture.control.put_user(&format!("u{}", 100 + number), json!({})).await;
    }
}

fn filter(name: &str, values: &[&str]) -> Filter {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

#[tokio::test]
async fn b96_users_come_in_pages() {
    let fixture = EmulatorFixture::start(quick());
    with_users(&fixture, 49).await;
    let (mut ids, mut marker, mut sizes) = (Vec::new(), None, Vec::new());
    loop {
        let page =
            fixture.sdk.describe_users().max_records(20).set_marker(marker.take()).send().await.unwrap();
        sizes.push(page.users().len());
        ids.extend(page.users().iter().map(|user| user.user_id().unwrap().to_owned()));
        // A user that is deleted between two pages does not shift the next page.
        fixture.control("DELETE", &format!("users/{}{}", ids[0], here()), Value::Null).await;
        marker = page.marker().map(str::to_owned);
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [20, 20, 10]);
    let expected: Vec<String> =
        ["default".to_owned()].into_iter().chain((100..149).map(|number| format!("u{number}"))).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn b96_a_page_has_100_users_by_default_and_max_records_has_limits() {
    let fixture = EmulatorFixture::start(quick());
    with_users(&fixture, 100).await;
    let page = fixture.sdk.describe_users().send().await.unwrap();
    assert_eq!((page.users().len(), page.marker().is_some()), (100, true));
    let rest =
        fixture.sdk.describe_users().set_marker(page.marker().map(str::to_owned)).send().await.unwrap();
    assert_eq!((rest.users().len(), rest.marker()), (1, None));
    for max in [-1, 0, 19, 101] {
        let error = refused(fixture.sdk.describe_users().max_records(max).send().await);
        assert_eq!(error.kind(), (400, "InvalidParameterValue"), "{max}");
        let error = refused(fixture.sdk.describe_user_groups().max_records(max).send().await);
        assert_eq!(error.kind(), (400, "InvalidParameterValue"), "{max}");
    }
    let error = refused(fixture.sdk.describe_users().marker("made-up").send().await);
    assert_eq!(error.kind(), (400, "InvalidParameterValue"));
}

#[tokio::test]
async fn b96_groups_come_in_pages() {
    let fixture = EmulatorFixture::start(quick());
    for number in 0..25 {
        fixture.control.put_group(&format!("g{}", 100 + number), json!({})).await;
    }
    let first = fixture.sdk.describe_user_groups().max_records(20).send().await.unwrap();
    assert_eq!(first.user_groups().len(), 20);
    let rest =
        fixture.sdk.describe_user_groups().max_records(20).set_marker(first.marker().map(str::to_owned));
    let rest = rest.send().await.unwrap();
    assert_eq!((rest.user_groups()[0].user_group_id(), rest.user_groups().len()), (Some("g120"), 5));
    assert_eq!(rest.marker(), None);
}

#[tokio::test]
async fn b97_engine_filters_the_list() {
    let fixture = EmulatorFixture::start(quick());
    with_users(&fixture, 30).await;
    for number in 0..25 {
        fixture.control.put_user(&format!("v{}", 100 + number), json!({"Engine": "valkey"})).await;
    }
    let page = fixture.sdk.describe_users().engine("valkey").max_records(20).send().await.unwrap();
    assert!(page.users().iter().all(|user| user.engine() == Some("valkey")));
    assert_eq!(
        (page.users().len(), page.marker().is_some()),
        (20, true),
        "pages must be made of the filtered users"
    );
    let one = fixture.sdk.describe_users().engine("valkey").user_id("u100").send().await.unwrap();
    assert!(one.users().is_empty());
}

#[tokio::test]
async fn b98_filters_are_applied_or_refused() {
    let fixture = EmulatorFixture::start(quick());
    with_users(&fixture, 3).await;
    fixture.control.put_user("u101", json!({"Status": "modifying"})).await;
    let ids = |filters: Vec<Filter>| {
        let call = fixture.sdk.describe_users().set_filters(Some(filters));
        async move {
            let page = call.send().await.unwrap();
            page.users().iter().map(|user| user.user_id().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(ids(vec![filter("UserId", &["U100", "u102", "ghost"])]).await, ["u100", "u102"]);
    assert_eq!(ids(vec![filter("UserName", &["u100"])]).await, ["u100"]);
    assert_eq!(ids(vec![filter("Status", &["modifying"])]).await, ["u101"]);
    assert_eq!(ids(vec![filter("UserId", &["u100", "u101"]), filter("Status", &["active"])]).await, ["u100"]);
    assert!(ids(vec![filter("Engine", &["valkey"])]).await.is_empty());
    for refused_filter in [filter("Colour", &["red"]), filter("UserId", &[])] {
        let error = refused(fixture.sdk.describe_users().filters(refused_filter).send().await);
        assert_eq!(error.kind(), (400, "InvalidParameterValue"));
    }
    let group = [
        ("Action", "DescribeUserGroups"),
        ("Filters.member.1.Name", "UserGroupId"),
        ("Filters.member.1.Values.member.1", "g"),
    ];
    assert_eq!(fixture.raw(&group).await.kind(), (400, "InvalidParameterValue"));
}

#[tokio::test]
async fn b99_more_users_than_the_quota_are_refused() {
    let fixture = EmulatorFixture::start(Settings { user_quota: 2, ..frozen() });
    fixture.control.put_user("default.iam-user", json!({})).await;
    fixture.create("a").await;
    fixture.create("b").await;
    let third = || fixture.user("c").passwords(SECRET).send();
    assert_eq!(refused(third().await).kind(), (400, "UserQuotaExceeded"));
    let again = refused(fixture.user("a").passwords(SECRET).send().await);
    assert_eq!(again.kind(), (400, "UserAlreadyExists"), "an existing id is reported before the quota");
    fixture.sdk.delete_user().user_id("a").send().await.unwrap();
    assert_eq!(
        refused(third().await).kind(),
        (400, "UserQuotaExceeded"),
        "a deleting user counts for the quota"
    );
    fixture.control.settings(json!({"user-quota": 3})).await;
    third().await.unwrap();
}

#[tokio::test]
async fn b99_more_groups_or_members_than_the_quota_are_refused() {
    let fixture = EmulatorFixture::start(Settings { group_quota: 2, users_per_group_quota: 2, ..quick() });
    fixture.create("a").await;
    fixture.create("b").await;
    let error = refused(fixture.group("g", &["default", "a", "b"]).send().await);
    assert_eq!(error.kind(), (400, "UserGroupQuotaExceeded"));
    fixture.group("g", &["default", "a"]).send().await.unwrap();
    let modify = || fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_add("b");
    assert_eq!(refused(modify().send().await).kind(), (400, "UserGroupQuotaExceeded"));
    modify().user_ids_to_remove("a").send().await.unwrap();
    fixture.group("h", &["default"]).send().await.unwrap();
    let error = refused(fixture.group("i", &["default"]).send().await);
    assert_eq!(error.kind(), (400, "UserGroupQuotaExceeded"));
}

#[tokio::test]
async fn b100_calls_above_the_rate_are_throttled() {
    let fixture = EmulatorFixture::start(Settings { rate: "0.001:3".parse().unwrap(), ..quick() });
    let describe = || fixture.sdk.describe_users().send();
    for _ in 0..3 {
        describe().await.unwrap();
    }
    let error = refused(describe().await);
    assert_eq!(error.kind(), (400, "Throttling"));
    assert!(error.message.starts_with("Rate exceeded"), "{error:?}");
    fixture.sdk_of(ACCOUNT, "us-west-2").describe_users().send().await.unwrap();
    fixture.sdk_of("999999999999", REGION).describe_users().send().await.unwrap();
    let calls = fixture.get("calls").await;
    assert_eq!(
        (&calls[3]["Status"], &calls[3]["Code"]),
        (&json!(400), &json!("Throttling")),
        "it is in the record"
    );
    fixture.control.settings(json!({"rate": "off"})).await;
    for _ in 0..5 {
        describe().await.unwrap();
    }
}

#[tokio::test]
async fn b101_describing_an_unknown_id_is_not_found() {
    let fixture = EmulatorFixture::start(quick());
    let error = refused(fixture.sdk.describe_users().user_id("ghost").send().await);
    assert_eq!(error.kind(), (404, "UserNotFound"));
    let error = refused(fixture.sdk.describe_user_groups().user_group_id("ghost").send().await);
    assert_eq!(error.kind(), (404, "UserGroupNotFound"));
    assert!(
        fixture.sdk.describe_user_groups().send().await.unwrap().user_groups().is_empty(),
        "an empty list is fine"
    );
}

#[tokio::test]
async fn b102_without_the_service_linked_role_every_call_is_refused() {
    let fixture = EmulatorFixture::start(Settings { no_service_linked_role: true, ..quick() });
    let arn = "arn:aws:elasticache:eu-west-1:123456789012:user:default";
    for action in [
        "CreateUser",
        "ModifyUser",
        "DeleteUser",
        "DescribeUsers",
        "CreateUserGroup",
        "ModifyUserGroup",
        "DeleteUserGroup",
        "DescribeUserGroups",
        "AddTagsToResource",
        "RemoveTagsFromResource",
        "ListTagsForResource",
    ] {
        let answer = fixture.raw(&[("Action", action), ("UserId", "default"), ("ResourceName", arn)]).await;
        assert_eq!(answer.kind(), (400, "ServiceLinkedRoleNotFoundFault"), "{action}");
    }
    assert_eq!(
        fixture.raw(&[("Action", "GetCallerIdentity")]).await.status,
        200,
        "STS needs no service-linked role"
    );
    fixture.control.settings(json!({"no-service-linked-role": false})).await;
    fixture.sdk.describe_users().send().await.unwrap();
}

#[tokio::test]
async fn b103_modify_user_without_a_change_is_refused() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("a").await;
    let modify = || fixture.sdk.modify_user().user_id("a");
    for call in [modify(), modify().no_password_required(false)] {
        let error = refused(call.send().await);
        assert_eq!(error, Refused::new(400, "InvalidParameterCombination", &error.message));
    }
    assert_eq!(fixture.see("a").await.status(), Some("active"));
}

#[tokio::test]
async fn b111_a_restless_listing_drops_repeats_and_shuffles_rows_and_its_markers_still_end() {
    let fixture = EmulatorFixture::start(Settings { restless_listing: true, ..quick() });
    with_users(&fixture, 150).await;
    let (mut dropped, mut repeated, mut shuffled) = (false, false, false);
    for _ in 0..5 {
        let (mut ids, mut marker) = (Vec::new(), None);
        loop {
            let page = fixture.sdk.describe_users().set_marker(marker.take()).send().await.unwrap();
            ids.extend(page.users().iter().map(|user| user.user_id().unwrap().to_owned()));
            marker = page.marker().map(str::to_owned);
            if marker.is_none() {
                break;
            }
        }
        let mut once: Vec<String> = ids.clone();
        once.sort();
        shuffled |= once != ids;
        once.dedup();
        dropped |= once.len() < 151;
        repeated |= once.len() < ids.len();
    }
    assert!(dropped && repeated && shuffled, "{dropped} {repeated} {shuffled}");
    // A user that is asked for by itself is always shown.
    let page = fixture.sdk.describe_users().user_id("u100").send().await.unwrap();
    assert_eq!(page.users().len(), 1);
}
