//! B01-B11: the wire format of requests and answers.

use crate::fixture::{EmulatorFixture, Refused, SECRET, authorization, quick, refused};

const CREATE: [(&str, &str); 6] = [
    ("Action", "CreateUser"),
    ("Version", "2015-02-02"),
    ("UserId", "app"),
    ("UserName", "app"),
    ("Engine", "redis"),
    ("Passwords.member.1", SECRET),
];

const ACCESS: (&str, &str) = ("AccessString", "on ~* +@all");

fn create(access: (&'static str, &'static str)) -> Vec<(&'static str, &'static str)> {
    CREATE.into_iter().chain([access]).collect()
}

#[tokio::test]
async fn b01_user_fields_sit_directly_in_the_result() {
    let fixture = EmulatorFixture::start(quick());
    let created = fixture.raw(&create(ACCESS)).await;
    assert!(
        created.body.starts_with(
            "<CreateUserResponse xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\"><CreateUserResult><UserId>app</UserId>"
        ),
        "{}",
        created.body
    );
    let modified = fixture.raw(&[("Action", "ModifyUser"), ("UserId", "app"), ("AccessString", "off")]).await;
    assert!(modified.body.contains("<ModifyUserResult><UserId>app</UserId>"), "{}", modified.body);
    let deleted = fixture.raw(&[("Action", "DeleteUser"), ("UserId", "app")]).await;
    assert!(deleted.body.contains("<DeleteUserResult><UserId>app</UserId>"), "{}", deleted.body);
    for answer in [&created, &modified, &deleted] {
        assert!(!answer.body.contains("<User>"), "{}", answer.body);
        assert!(!answer.element("RequestId").is_empty());
    }
}

#[tokio::test]
async fn b02_lists_are_users_of_members() {
    let fixture = EmulatorFixture::start(quick());
    let users = fixture.raw(&[("Action", "DescribeUsers")]).await;
    assert!(users.element("Users").starts_with("<member><UserId>default</UserId>"), "{}", users.body);
    fixture.group("g", &["default"]).send().await.unwrap();
    let groups = fixture.raw(&[("Action", "DescribeUserGroups")]).await;
    assert!(
        groups.element("UserGroups").starts_with("<member><UserGroupId>g</UserGroupId>"),
        "{}",
        groups.body
    );
}

#[tokio::test]
async fn b03_tags_arrive_as_tags_tag_n() {
    let fixture = EmulatorFixture::start(quick());
    let mut params = create(ACCESS);
    params.extend([
        ("Tags.Tag.1.Key", "a"),
        ("Tags.Tag.1.Value", "1"),
        ("Tags.Tag.2.Key", "b"),
        ("Tags.member.1.Key", "not-a-tag"),
    ]);
    assert_eq!(fixture.raw(&params).await.status, 200);
    assert_eq!(fixture.truth("app").await["Tags"], serde_json::json!({"a": "1", "b": null}));
}

#[tokio::test]
async fn b04_tagging_calls_return_a_tag_list() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("app").await;
    let arn = fixture.see("app").await.arn.unwrap();
    let resource = ("ResourceName", arn.as_str());
    let one = "<TagList><Tag><Key>k</Key><Value>v</Value></Tag></TagList>";
    let add = [("Action", "AddTagsToResource"), resource, ("Tags.Tag.1.Key", "k"), ("Tags.Tag.1.Value", "v")];
    let added = fixture.raw(&add).await;
    assert!(added.body.contains(&format!("<AddTagsToResourceResult>{one}<")), "{}", added.body);
    let listed = fixture.raw(&[("Action", "ListTagsForResource"), resource]).await;
    assert!(listed.body.contains(&format!("<ListTagsForResourceResult>{one}<")), "{}", listed.body);
    let remove = [("Action", "RemoveTagsFromResource"), resource, ("TagKeys.member.1", "k")];
    let removed = fixture.raw(&remove).await;
    assert!(removed.body.contains("<RemoveTagsFromResourceResult><TagList/><"), "{}", removed.body);
}

#[tokio::test]
async fn b05_empty_lists_are_self_closed() {
    let fixture = EmulatorFixture::start(quick());
    let created = fixture.raw(&create(ACCESS)).await;
    assert!(created.body.contains("<UserGroupIds/>"), "{}", created.body);
    fixture.group("g", &["default"]).send().await.unwrap();
    let group = fixture.raw(&[("Action", "DescribeUserGroups")]).await;
    assert!(group.body.contains("<ReplicationGroups/>"), "{}", group.body);
    fixture
        .raw(&[("Action", "ModifyUserGroup"), ("UserGroupId", "g"), ("UserIdsToAdd.member.1", "app")])
        .await;
    let none = fixture.raw(&[("Action", "DescribeUsers"), ("Engine", "valkey")]).await;
    assert!(none.body.contains("<Users/>"), "{}", none.body);
}

#[tokio::test]
async fn b06_error_codes_are_the_short_ones() {
    let fixture = EmulatorFixture::start(quick());
    let answer = fixture.raw(&[("Action", "DescribeUsers"), ("UserId", "ghost")]).await;
    assert_eq!(answer.element("Code"), "UserNotFound");
    fixture.raw(&create(ACCESS)).await;
    assert_eq!(fixture.raw(&create(ACCESS)).await.element("Code"), "UserAlreadyExists");
    let group = fixture.raw(&[("Action", "DeleteUserGroup"), ("UserGroupId", "ghost")]).await;
    assert_eq!(group.element("Code"), "UserGroupNotFound");
}

#[tokio::test]
async fn b07_not_found_is_404_and_the_other_errors_400() {
    let fixture = EmulatorFixture::start(quick());
    fixture.raw(&create(ACCESS)).await;
    for (params, kind) in [
        (vec![("Action", "DescribeUsers"), ("UserId", "ghost")], (404, "UserNotFound")),
        (vec![("Action", "DescribeUserGroups"), ("UserGroupId", "ghost")], (404, "UserGroupNotFound")),
        (create(ACCESS), (400, "UserAlreadyExists")),
        (create(("AccessString", "banana")), (400, "InvalidParameterValue")),
        (vec![("Action", "ModifyUser"), ("UserId", "app")], (400, "InvalidParameterCombination")),
        (vec![("Action", "ListTagsForResource"), ("ResourceName", "x")], (400, "InvalidARN")),
        (vec![("Action", "NoSuchCall")], (400, "InvalidAction")),
    ] {
        assert_eq!(fixture.raw(&params).await.kind(), kind, "{params:?}");
    }
}

#[tokio::test]
async fn b08_errors_have_type_sender_and_a_request_id() {
    let fixture = EmulatorFixture::start(quick());
    let answer = fixture.raw(&[("Action", "DescribeUsers"), ("UserId", "ghost")]).await;
    assert!(answer.body.starts_with("<ErrorResponse xmlns="), "{}", answer.body);
    assert_eq!(answer.element("Type"), "Sender");
    assert_eq!(answer.element("RequestId").len(), 36);
    // The same error, as the SDK reads it.
    let error = refused(fixture.sdk.describe_users().user_id("ghost").send().await);
    assert_eq!(error, Refused::new(404, "UserNotFound", answer.element("Message")));
}

#[tokio::test]
async fn b09_a_missing_required_parameter_is_a_client_error() {
    let fixture = EmulatorFixture::start(quick());
    let whole = create(ACCESS);
    for name in ["UserId", "UserName", "Engine", "AccessString"] {
        let without: Vec<_> = whole.iter().copied().filter(|(other, _)| *other != name).collect();
        let answer = fixture.raw(&without).await;
        assert_eq!(answer.kind(), (400, "InvalidParameterValue"), "without {name}");
        assert!(answer.element("Message").contains(name), "{}", answer.body);
        let blank: Vec<_> = whole.iter().map(|(n, v)| (*n, if *n == name { "" } else { *v })).collect();
        assert_eq!(fixture.raw(&blank).await.kind(), (400, "InvalidParameterValue"), "blank {name}");
    }
    assert!(fixture.truth("app").await.is_null(), "nothing was created");
}

#[tokio::test]
async fn b10_authentication_mode_is_honoured() {
    let fixture = EmulatorFixture::start(quick());
    let mut params: Vec<_> =
        create(ACCESS).into_iter().filter(|(name, _)| !name.starts_with("Passwords")).collect();
    params.push(("AuthenticationMode.Type", "password"));
    params.push(("AuthenticationMode.Passwords.member.1", SECRET));
    params.push(("AuthenticationMode.Passwords.member.2", "fedcba9876543210"));
    params.push(("NoPasswordRequired", "false"));
    let answer = fixture.raw(&params).await;
    assert_eq!((answer.element("Type"), answer.element("PasswordCount")), ("password", "2"));
    assert_eq!(fixture.truth("app").await["Passwords"], serde_json::json!([SECRET, "fedcba9876543210"]));
}

#[tokio::test]
async fn b11_special_characters_are_escaped() {
    let fixture = EmulatorFixture::start(quick());
    let name = "<a> & \"b\" 'c' ü\r\n";
    let access = "on ~<k>&\"' &ch -@all";
    let user =
        fixture.user("app").user_name(name).access_string(access).passwords(SECRET).send().await.unwrap();
    assert_eq!((user.user_name(), user.access_string()), (Some(name), Some(access)));
    let raw = fixture.raw(&[("Action", "DescribeUsers"), ("UserId", "app")]).await;
    assert!(raw.element("AccessString").starts_with("on ~&lt;k&gt;&amp;"), "{}", raw.body);
}

#[tokio::test]
async fn a_request_without_authorization_is_403_and_not_recorded() {
    let fixture = EmulatorFixture::start(quick());
    let http = reqwest::Client::new();
    let answer = http.post(fixture.url()).body("Action=DescribeUsers").send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("<Code>MissingAuthenticationToken</Code>"));
    assert_eq!(fixture.get("calls").await, serde_json::json!([]));
}

#[tokio::test]
async fn parameters_may_also_stand_in_the_query() {
    let fixture = EmulatorFixture::start(quick());
    let url = format!("{}/?Action=DescribeUsers&UserId=default", fixture.url());
    let request =
        reqwest::Client::new().get(url).header("authorization", authorization("000000000000", "us-east-1"));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("arn:aws:elasticache:us-east-1:000000000000:user:default"));
}

#[tokio::test]
async fn get_caller_identity_returns_the_account() {
    let fixture = EmulatorFixture::start(quick());
    let params = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
    let answer = fixture.raw(&params).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.element("Account"), "123456789012");
    assert_eq!(answer.element("Arn"), "arn:aws:iam::123456789012:user/emulator");
    assert!(
        answer
            .body
            .starts_with("<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">")
    );
}
