//! AWS accepts a change and goes on showing the former value.

use serde_json::json;

use crate::fixture::{Fixture, condition, iam, message, until};

#[tokio::test]
async fn a_change_that_aws_accepts_but_does_not_show_is_reported_until_aws_shows_it() {
    let fixture = Fixture::new().await;
    fixture.ready("app", iam()).await;
    fixture.aws.settings(json!({ "modify-time": "0s", "modify-answer": "never" })).await;
    fixture.patch("app", json!({ "spec": { "engine": "redis" } })).await;
    let event = fixture.event("app", "AWSRefused").await;
    assert_eq!(event.kind, "Warning");
    assert!(event.note.contains("accepted ModifyUser") && event.note.contains("(engine)"), "{event:?}");
    until("ModifyUser is sent a third time", || async {
        (fixture.aws.accepted("ModifyUser", "app").await >= 3).then_some(())
    })
    .await;
    let told = |object: &serde_json::Value| message(object).contains("shows another value (engine)");
    let object = fixture.shows("app", "what AWS does", told).await;
    assert_eq!(condition(&object, "Ready").unwrap()["reason"], "Modifying");
    fixture.aws.settings(json!({ "modify-answer": "new" })).await;
    fixture.wait_ready("app").await;
    let events = fixture.events("app").await;
    let warnings = events.iter().filter(|event| event.reason == "AWSRefused").count();
    assert_eq!(warnings, 1, "{events:?}");
    fixture.end().await;
}
