//! Many members of one group, and many groups.

use elasticache_emulator::user_of;
use serde_json::json;

use super::{count, member_of, members};
use crate::fixture::{Fixture, Setup, until};

#[tokio::test]
async fn a_hundred_users_join_with_three_calls_at_most() {
    let fixture = Fixture::with(Setup::env(&[
        ("ELASTICACHE_USERS_AWS_RATE", "100"),
        ("ELASTICACHE_USERS_AWS_BURST", "200"),
    ]))
    .await;
    // They are there together once the group is.
    fixture.aws.put_group("cache", json!({ "Engine": "valkey", "Status": "creating" })).await;
    let names: Vec<String> = (0..100).map(|number| format!("user-{number}")).collect();
    for name in &names {
        fixture.create(name, member_of(&["cache"])).await;
    }
    for name in &names {
        fixture.reason(name, "WaitingForUserGroup").await;
    }
    fixture.aws.put_group("cache", json!({ "Status": "active" })).await;
    for name in &names {
        fixture.wait_ready(name).await;
    }
    assert_eq!(members(&fixture, "cache").await.len(), 100);
    let calls = count(&fixture, "ModifyUserGroup").await;
    assert!((1..=3).contains(&calls), "{calls} calls of ModifyUserGroup");
    fixture.end().await;
}

/// A hundred users that are Ready and members of the group.
async fn hundred_members(fixture: &Fixture) -> Vec<String> {
    fixture.aws.put_group("cache", json!({ "Engine": "valkey" })).await;
    let names: Vec<String> = (0..100).map(|number| format!("user-{number}")).collect();
    for name in &names {
        fixture.create(name, member_of(&["cache"])).await;
    }
    for name in &names {
        fixture.wait_ready(name).await;
        // The event is the last thing that a pass writes.
        fixture.event(name, "AddedToUserGroup").await;
    }
    names
}

#[tokio::test]
async fn a_change_of_a_group_with_a_hundred_members_costs_no_write_and_few_calls() {
    let env = [
        ("ELASTICACHE_USERS_AWS_RATE", "100"),
        ("ELASTICACHE_USERS_AWS_BURST", "200"),
        ("ELASTICACHE_USERS_RESYNC", "3s"),
        // On a busy machine the test takes longer than the default, and then each object asks by itself.
        ("ELASTICACHE_USERS_STALE_AFTER", "1h"),
    ];
    let fixture = Fixture::with(Setup::env(&env)).await;
    let names = hundred_members(&fixture).await;
    let versions = async || {
        let mut versions = Vec::new();
        for name in &names {
            versions.push(fixture.users().get(name).await.unwrap().metadata.resource_version);
        }
        versions
    };
    let (before, calls) = (versions().await, fixture.aws.calls().await.len());
    for name in &names {
        fixture.aws.put_user(name, json!({ "Status": "modifying" })).await;
    }
    // Calls about all users, and about single ones.
    let looks = async || {
        let all = fixture.aws.calls().await.split_off(calls);
        let looks = all.iter().filter(|call| call["Action"] == "DescribeUsers");
        let listings = looks.clone().filter(|call| user_of(call).is_empty()).count();
        (listings, looks.count() - listings)
    };
    let listed = async |times: usize| {
        until("the users are listed again and again", || async {
            Some(looks().await).filter(|(listings, _)| *listings >= times)
        })
        .await
    };
    let (listings, singles) = listed(5).await;
    // One when the change is noticed, and one until there are too many to ask for each.
    assert!(singles <= 210, "{singles} calls about single users");
    let (listings, later) = listed(listings + 5).await;
    assert!(later <= singles + 5, "{} more calls about single users", later - singles);
    for name in &names {
        fixture.aws.put_user(name, json!({ "Status": "active" })).await;
    }
    listed(listings + 4).await;
    assert_eq!(versions().await, before, "no version of an object was written");
    let all = fixture.aws.calls().await.split_off(calls);
    let is_read = |call: &serde_json::Value| {
        let action = call["Action"].as_str().unwrap();
        action.starts_with("Describe") || action.starts_with("List")
    };
    assert!(all.iter().all(is_read), "nothing is changed");
    fixture.end().await;
}

#[tokio::test]
async fn groups_that_are_waited_for_are_asked_for_together() {
    let fixture = Fixture::new().await;
    let names: Vec<String> = (0..8).map(|number| format!("group-{number}")).collect();
    for name in &names {
        fixture.aws.put_group(name, json!({ "Engine": "valkey", "Status": "creating" })).await;
        fixture.create(&name.replace("group", "app"), member_of(&[name])).await;
    }
    for name in &names {
        fixture.reason(&name.replace("group", "app"), "WaitingForUserGroup").await;
    }
    let described = |calls: &[serde_json::Value]| -> (usize, usize) {
        let all = calls.iter().filter(|call| call["Action"] == "DescribeUserGroups");
        let (by_id, listings): (Vec<_>, Vec<_>) =
            all.partition(|call| call["Params"]["UserGroupId"].is_string());
        (by_id.len(), listings.len())
    };
    let (by_id, listings) = described(&fixture.aws.calls().await);
    let looks = count(&fixture, "DescribeUsers").await;
    until("the groups are listed again and again", || async {
        (described(&fixture.aws.calls().await).1 >= listings + 3).then_some(())
    })
    .await;
    assert_eq!(described(&fixture.aws.calls().await).0, by_id, "no group is asked for by its ID");
    // The objects make no call while they wait, and warn after a minute, which is 6 s here.
    until("the wait is a warning", || async {
        let events = fixture.events("app-0").await;
        let kinds: Vec<String> = events
            .into_iter()
            .filter(|event| event.reason == "WaitingForUserGroup")
            .map(|event| event.kind)
            .collect();
        (kinds == ["Normal", "Warning"]).then_some(())
    })
    .await;
    assert_eq!(count(&fixture, "DescribeUsers").await, looks);
    for name in &names {
        fixture.aws.put_group(name, json!({ "Status": "active" })).await;
    }
    for name in &names {
        fixture.wait_ready(&name.replace("group", "app")).await;
    }
    fixture.end().await;
}
