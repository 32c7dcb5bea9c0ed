//! The operator is killed before and after each AWS call and started again: nothing is lost, nothing done twice.

use serde_json::json;

use crate::fixture::{Fixture, iam};

/// Kills the operator while this call is under way, before or after it took effect, and starts it again.
async fn killed_at(fixture: &Fixture, action: &str, when: &str) {
    let rule = json!({ "Action": action, "UserId": "app", "Kind": "hang", "Ms": 120_000, "When": when });
    let fault = fixture.aws.fault(rule).await;
    if action == "CreateUser" {
        fixture.create("app", iam()).await;
    } else {
        fixture.delete("app").await;
    }
    fixture.aws.struck(fault, 1).await;
    fixture.kill();
    fixture.start();
}

#[tokio::test]
async fn killed_at_create_user() {
    for when in ["before", "after"] {
        let fixture = Fixture::new().await;
        killed_at(&fixture, "CreateUser", when).await;
        fixture.wait_ready("app").await;
        let calls = fixture.aws.calls_of("CreateUser", "app").await.len();
        assert_eq!(calls, if when == "before" { 2 } else { 1 }, "{when}");
        fixture.deleted("app").await;
        assert_eq!(fixture.aws.accepted("DeleteUser", "app").await, 1, "{when}");
        fixture.end().await;
    }
}

#[tokio::test]
async fn killed_at_create_user_and_deleted_before_the_restart() {
    for when in ["before", "after"] {
        let fixture = Fixture::new().await;
        let rule = json!({ "Action": "CreateUser", "Kind": "hang", "Ms": 120_000, "When": when });
        let fault = fixture.aws.fault(rule).await;
        fixture.create("app", iam()).await;
        fixture.aws.struck(fault, 1).await;
        fixture.kill();
        fixture.delete("app").await;
        fixture.start();
        fixture.gone("app").await;
        assert!(fixture.aws.user("app").await.is_none(), "{when}");
        fixture.end().await;
    }
}

#[tokio::test]
async fn killed_on_the_way_out() {
    for action in ["DescribeUsers", "ListTagsForResource", "DeleteUser"] {
        for when in ["before", "after"] {
            let fixture = Fixture::new().await;
            fixture.ready("app", iam()).await;
            killed_at(&fixture, action, when).await;
            fixture.gone("app").await;
            let calls = fixture.aws.calls_of("DeleteUser", "app").await.len();
            let repeated = action == "DeleteUser" && when == "before";
            assert_eq!(calls, if repeated { 2 } else { 1 }, "{action} {when}");
            fixture.end().await;
        }
    }
}
