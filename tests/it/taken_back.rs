//! People take back edits that wait for the rate limit.

use elasticache_emulator::user_of;
use serde_json::json;

use crate::fixture::{Fixture, Setup, iam, until};

/// The calls of this action about this user so far.
async fn calls_of(fixture: &Fixture, action: &str, name: &str) -> usize {
    let calls = fixture.aws.calls().await;
    calls.iter().filter(|call| call["Action"] == action && user_of(call) == name).count()
}

/// Eight edits wait for a rate limit of one call a second. When AWS gets the first ModifyUser, the other objects are set to suspend
/// or Observe.
#[tokio::test]
async fn an_edit_that_waits_for_the_rate_limit_is_not_sent_after_suspend_or_observe() {
    let fixture = Fixture::with(Setup::env(&[
        ("ELASTICACHE_USERS_AWS_RATE", "1000"),
        ("ELASTICACHE_USERS_AWS_BURST", "1000"),
    ]))
    .await;
    let names: Vec<String> = (0..8).map(|number| format!("app-{number}")).collect();
    for name in &names {
        fixture.ready(name, iam()).await;
    }
    fixture.kill();
    for name in &names {
        fixture.patch(name, json!({ "spec": { "accessString": "on ~x +get" } })).await;
    }
    let slow = [
        ("ELASTICACHE_USERS_AWS_RATE", "1"),
        ("ELASTICACHE_USERS_AWS_BURST", "1"),
        ("ELASTICACHE_USERS_CONCURRENCY", "20"),
    ];
    fixture.start_with(&slow.map(|(name, value)| (name, value.to_owned())));
    until("the first edit reaches AWS", || async {
        let all = fixture.aws.calls().await;
        all.iter().any(|call| call["Action"] == "ModifyUser").then_some(())
    })
    .await;
    let changes =
        [("Suspended", json!({ "suspend": true })), ("Differs", json!({ "managementPolicy": "Observe" }))];
    let mut taken_back = Vec::new();
    for (name, (reason, change)) in names.iter().zip(changes.iter().cycle()) {
        fixture.patch(name, json!({ "spec": change })).await;
        // The operator reads tags right before ModifyUser. If it has read them by now, the call may be on its way.
        let tags = calls_of(&fixture, "ListTagsForResource", name).await;
        taken_back.extend((tags == 0).then_some((name, *reason)));
    }
    assert!(taken_back.len() >= 4, "nearly all were changed too late: {taken_back:?}");
    for (name, reason) in &taken_back {
        fixture.reason(name, reason).await;
    }
    for (name, _) in taken_back {
        assert_eq!(calls_of(&fixture, "ModifyUser", name).await, 0, "{name}");
    }
    fixture.end().await;
}
