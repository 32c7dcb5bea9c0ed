//! A GitOps tool renames an object: it creates the new object before it deletes the old one.

use serde_json::json;

use crate::fixture::{Fixture, Setup, condition, iam, with};

#[tokio::test]
async fn a_new_object_waits_for_a_terminating_owner_of_its_user_and_is_never_stalled() {
    // At the real pace, so that a minute of the operator lasts a minute.
    let env = vec![("ELASTICACHE_USERS_PACE_DIVISOR", "1".to_owned())];
    let fixture = Fixture::without_operator(Setup { env, ..Setup::leaving_users() }).await;
    fixture.start_with(&[("ELASTICACHE_USERS_ADOPTION_NAMESPACE", fixture.ns.clone())]);
    fixture.ready("old", with(iam(), json!({ "userID": "orders", "deletionPolicy": "Retain" }))).await;
    fixture.create("new", with(iam(), json!({ "userID": "orders", "adoptionPolicy": "Adopt" }))).await;
    fixture.reason("new", "WaitingForPreviousUser").await;
    fixture.deleted("old").await;
    fixture.wait_ready("new").await;
    let stalled =
        fixture.versions("new").iter().filter(|version| condition(version, "Stalled").is_some()).count();
    assert_eq!(stalled, 0, "the object was Stalled, so the GitOps tool would have given up");
    fixture.end().await;
}
