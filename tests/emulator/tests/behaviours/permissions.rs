//! Authorization as IAM does it: the user of the library decides about each call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use elasticache_emulator::{Asked, Emulator};
use serde_json::json;

use crate::fixture::{ACCOUNT, EmulatorFixture, REGION, quick, refused, tag};

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn every_call_is_authorized_with_the_tags_of_the_request_and_of_the_resource() {
    let log: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let noted = log.clone();
    let permits = move |asked: &Asked| {
        noted.lock().unwrap().push(asked.clone());
        asked.action != "DeleteUser"
    };
    let emulator = Emulator::start_guarded(quick(), "127.0.0.1:0", Box::new(permits)).unwrap();
    let fixture = EmulatorFixture::of(emulator);
    let arn = |kind: &str, id: &str| format!("arn:aws:elasticache:{REGION}:{ACCOUNT}:{kind}:{id}");
    let asked = |action: &str, resource: String, request: &[(&str, &str)], has: &[(&str, &str)]| Asked {
        action: action.to_owned(),
        resource,
        request_tags: tags(request),
        tag_keys: tags(request).into_keys().collect(),
        resource_tags: tags(has),
    };
    fixture.user("App").no_password_required(true).tags(tag("team", "blue")).send().await.unwrap();
    fixture.sdk.describe_users().send().await.unwrap();
    fixture
        .sdk
        .add_tags_to_resource()
        .resource_name(arn("user", "app"))
        .tags(tag("a", "b"))
        .send()
        .await
        .unwrap();
    fixture
        .sdk
        .create_user_group()
        .user_group_id("web")
        .engine("redis")
        .user_ids("default")
        .send()
        .await
        .unwrap();
    let answer = refused(fixture.sdk.delete_user().user_id("app").send().await);
    assert_eq!(answer.kind(), (403, "AccessDenied"));
    // A fault does not strike or count a call that is not authorized.
    fixture.control("POST", "faults", json!({ "Kind": "throttle" })).await;
    let answer = refused(fixture.sdk.delete_user().user_id("app").send().await);
    assert_eq!(answer.kind(), (403, "AccessDenied"));

    let blue = [("team", "blue")];
    let both = [("a", "b"), ("team", "blue")];
    let expected = [
        asked("CreateUser", arn("user", "app"), &blue, &[]),
        asked("AddTagsToResource", arn("user", "app"), &blue, &[]),
        asked("DescribeUsers", arn("user", "*"), &[], &[]),
        asked("AddTagsToResource", arn("user", "app"), &[("a", "b")], &blue),
        asked("CreateUserGroup", arn("usergroup", "web"), &[], &[]),
        asked("CreateUserGroup", arn("user", "default"), &[], &[]),
        asked("DeleteUser", arn("user", "app"), &[], &both),
        asked("DeleteUser", arn("user", "app"), &[], &both),
    ];
    assert_eq!(*log.lock().unwrap(), expected);
}
