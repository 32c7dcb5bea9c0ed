//! The operator is killed before and after each AWS call and started again: nothing is lost, nothing done twice.

use serde_json::json;

use crate::stage::{Stage, iam};

/// Kills the operator while this call is under way, before or after it took effect, and starts it again.
async fn killed_at(stage: &Stage, action: &str, when: &str) {
    let rule = json!({ "Action": action, "UserId": "app", "Kind": "hang", "Ms": 120_000, "When": when });
    let fault = stage.aws.fault(rule).await;
    if action == "CreateUser" {
        stage.create("app", iam()).await;
    } else {
        stage.delete("app").await;
    }
    stage.aws.struck(fault, 1).await;
    stage.kill();
    stage.start();
}

#[tokio::test]
async fn killed_at_create_user() {
    for when in ["before", "after"] {
        let stage = Stage::new().await;
        killed_at(&stage, "CreateUser", when).await;
        stage.is_ready("app").await;
        let calls = stage.aws.calls_of("CreateUser", "app").await.len();
        assert_eq!(calls, if when == "before" { 2 } else { 1 }, "{when}");
        stage.deleted("app").await;
        assert_eq!(stage.aws.accepted("DeleteUser", "app").await, 1, "{when}");
        stage.end().await;
    }
}

#[tokio::test]
async fn killed_at_create_user_and_deleted_before_the_restart() {
    for when in ["before", "after"] {
        let stage = Stage::new().await;
        let rule = json!({ "Action": "CreateUser", "Kind": "hang", "Ms": 120_000, "When": when });
        let fault = stage.aws.fault(rule).await;
        stage.create("app", iam()).await;
        stage.aws.struck(fault, 1).await;
        stage.kill();
        stage.delete("app").await;
        stage.start();
        stage.gone("app").await;
        assert!(stage.aws.user("app").await.is_none(), "{when}");
        stage.end().await;
    }
}

#[tokio::test]
async fn killed_on_the_way_out() {
    for action in ["DescribeUsers", "ListTagsForResource", "DeleteUser"] {
        for when in ["before", "after"] {
            let stage = Stage::new().await;
            stage.ready("app", iam()).await;
            killed_at(&stage, action, when).await;
            stage.gone("app").await;
            let calls = stage.aws.calls_of("DeleteUser", "app").await.len();
            let repeated = action == "DeleteUser" && when == "before";
            assert_eq!(calls, if repeated { 2 } else { 1 }, "{action} {when}");
            stage.end().await;
        }
    }
}
