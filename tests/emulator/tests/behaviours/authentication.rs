//! B42-B57: passwords and the three types of authentication.

use aws_sdk_elasticache::types::{Authentication, AuthenticationMode, InputAuthenticationType};
use serde_json::json;

use crate::fixture::{EmulatorFixture, Refused, SECRET, quick, refused};

const OTHER: &str = "fedcba9876543210";
const LENGTH: &str = "Passwords length must be between 16-128 characters.";
const TOO_MANY: &str = "Maximum number of passwords allowed in this service is 2.";

fn mode(kind: InputAuthenticationType) -> AuthenticationMode {
    AuthenticationMode::builder().r#type(kind).build()
}

fn value(sentence: &str) -> Refused {
    Refused::new(400, "InvalidParameterValue", sentence)
}

fn combination(sentence: &str) -> Refused {
    Refused::new(400, "InvalidParameterCombination", sentence)
}

/// The authentication type and the password count of an answer.
fn shown(authentication: Option<&Authentication>) -> (&str, Option<i32>) {
    let authentication = authentication.unwrap();
    (authentication.r#type().unwrap().as_str(), authentication.password_count())
}

#[tokio::test]
async fn b42_passwords_of_15_or_129_characters_are_refused() {
    let fixture = EmulatorFixture::start(quick());
    for length in [0, 1, 15, 129] {
        let error = refused(fixture.user("a").passwords("x".repeat(length)).send().await);
        assert_eq!(error, value(LENGTH), "{length}");
        let error = refused(fixture.user("a").passwords(SECRET).passwords("x".repeat(length)).send().await);
        assert_eq!(error, value(LENGTH), "a second password of {length} characters");
    }
}

#[tokio::test]
async fn b43_three_passwords_are_refused() {
    let fixture = EmulatorFixture::start(quick());
    let error = refused(
        fixture.user("a").passwords(SECRET).passwords(OTHER).passwords("third-password-3").send().await,
    );
    assert_eq!(error, value(TOO_MANY));
}

#[tokio::test]
async fn b44_two_passwords_of_16_and_128_characters_are_accepted() {
    let fixture = EmulatorFixture::start(quick());
    let user = fixture.user("a").passwords("x".repeat(16)).passwords("y".repeat(128)).send().await.unwrap();
    assert_eq!(shown(user.authentication()), ("password", Some(2)));
}

#[tokio::test]
async fn b45_some_characters_are_refused_in_passwords() {
    let fixture = EmulatorFixture::start(quick());
    for letter in [',', '"', '/', '@', '\n'] {
        let error = refused(fixture.user("a").passwords(format!("0123456789abcdef{letter}")).send().await);
        assert_eq!(error.kind(), (400, "InvalidParameterValue"), "{letter:?}");
    }
    fixture.user("a").passwords("!#$%&'()*+-.:;<=>?[]^_`{|}~").send().await.unwrap();
}

#[tokio::test]
async fn b46_no_authentication_at_all_is_refused() {
    let fixture = EmulatorFixture::start(quick());
    let nothing =
        "Input Authentication type: null is not in the allowed list: [password,no-password-required,iam]";
    assert_eq!(refused(fixture.user("a").send().await), value(nothing));
    assert_eq!(refused(fixture.user("a").no_password_required(false).send().await), value(nothing));
}

#[tokio::test]
async fn b47_no_password_required_beside_passwords_is_refused() {
    let fixture = EmulatorFixture::start(quick());
    let error = refused(fixture.user("a").no_password_required(true).passwords(SECRET).send().await);
    assert_eq!(
        error,
        combination("Password field is not allowed with authentication type: no-password-required")
    );
}

#[tokio::test]
async fn b48_no_password_required_false_is_as_if_it_were_not_sent() {
    let fixture = EmulatorFixture::start(quick());
    let user = fixture.user("a").no_password_required(false).passwords(SECRET).send().await.unwrap();
    assert_eq!(shown(user.authentication()), ("password", Some(1)));
    let iam =
        fixture.user("b").no_password_required(false).authentication_mode(mode(InputAuthenticationType::Iam));
    assert_eq!(shown(iam.send().await.unwrap().authentication()), ("iam", None));
}

#[tokio::test]
async fn b49_iam_needs_id_and_name_to_be_the_same() {
    let fixture = EmulatorFixture::start(quick());
    let sentence = "User Id and User name must be same for authentication type: iam";
    for (id, name) in [("app", "other"), ("App", "App")] {
        let user = fixture.user(id).user_name(name).authentication_mode(mode(InputAuthenticationType::Iam));
        assert_eq!(refused(user.send().await), combination(sentence), "{id} {name}");
    }
    fixture.user("pw").user_name("other").passwords(SECRET).send().await.unwrap();
    let modify =
        fixture.sdk.modify_user().user_id("pw").authentication_mode(mode(InputAuthenticationType::Iam));
    assert_eq!(refused(modify.send().await), combination(sentence));
}

#[tokio::test]
async fn b50_an_iam_user_shows_its_type_and_no_password_count() {
    let fixture = EmulatorFixture::start(quick());
    let user =
        fixture.user("a").authentication_mode(mode(InputAuthenticationType::Iam)).send().await.unwrap();
    assert_eq!(shown(user.authentication()), ("iam", None));
    assert_eq!(shown(fixture.see("a").await.authentication()), ("iam", None));
}

#[tokio::test]
async fn b51_no_password_required_is_returned_as_no_password() {
    let fixture = EmulatorFixture::start(quick());
    let user = fixture.user("a").no_password_required(true).send().await.unwrap();
    assert_eq!(shown(user.authentication()), ("no-password", None));
    let by_mode = fixture.user("b").authentication_mode(mode(InputAuthenticationType::NoPassword));
    assert_eq!(shown(by_mode.send().await.unwrap().authentication()), ("no-password", None));
    let all = fixture.raw(&[("Action", "DescribeUsers")]).await;
    assert!(!all.body.contains("no-password-required"), "{}", all.body);
}

#[tokio::test]
async fn b52_a_password_count_is_returned_only_for_users_with_passwords() {
    let fixture = EmulatorFixture::start(quick());
    let user = fixture.user("a").passwords(SECRET).passwords(OTHER).send().await.unwrap();
    assert_eq!(shown(user.authentication()), ("password", Some(2)));
    let iam = fixture.sdk.modify_user().user_id("a").authentication_mode(mode(InputAuthenticationType::Iam));
    assert_eq!(shown(iam.send().await.unwrap().authentication()), ("iam", None));
    assert_eq!(fixture.truth("a").await["Passwords"], json!([]), "they are gone");
    let none = fixture.sdk.modify_user().user_id("a").no_password_required(true).send().await.unwrap();
    assert_eq!(shown(none.authentication()), ("no-password", None));
    assert!(!fixture.raw(&[("Action", "DescribeUsers")]).await.body.contains("PasswordCount"));
}

#[tokio::test]
async fn b53_modify_user_replaces_the_passwords() {
    let fixture = EmulatorFixture::start(quick());
    fixture.user("a").passwords(SECRET).passwords(OTHER).send().await.unwrap();
    for passwords in [vec![OTHER], vec!["third-password-3", "fourth-password-4"]] {
        let set = Some(passwords.iter().map(ToString::to_string).collect());
        let user = fixture.sdk.modify_user().user_id("a").set_passwords(set).send().await.unwrap();
        assert_eq!(shown(user.authentication()), ("password", Some(i32::try_from(passwords.len()).unwrap())));
        assert_eq!(fixture.truth("a").await["Passwords"], json!(passwords));
    }
}

#[tokio::test]
async fn b54_changing_the_access_string_keeps_the_passwords() {
    let fixture = EmulatorFixture::start(quick());
    fixture.user("a").passwords(SECRET).passwords(OTHER).send().await.unwrap();
    let user = fixture.sdk.modify_user().user_id("a").access_string("off").send().await.unwrap();
    assert_eq!(shown(user.authentication()), ("password", Some(2)));
    assert_eq!(fixture.truth("a").await["Passwords"], json!([SECRET, OTHER]));
}

#[tokio::test]
async fn b55_password_rules_hold_on_modify_user() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("a").await;
    let before = fixture.truth("a").await;
    let modify = || fixture.sdk.modify_user().user_id("a");
    assert_eq!(refused(modify().passwords("x".repeat(15)).send().await), value(LENGTH));
    assert_eq!(refused(modify().passwords("x".repeat(129)).send().await), value(LENGTH));
    let three = modify().passwords(SECRET).passwords(OTHER).passwords("third-password-3");
    assert_eq!(refused(three.send().await), value(TOO_MANY));
    let odd = refused(modify().passwords("0123456789abcde@").send().await);
    assert_eq!(odd.kind(), (400, "InvalidParameterValue"));
    let in_mode =
        AuthenticationMode::builder().r#type(InputAuthenticationType::Password).passwords("short").build();
    assert_eq!(refused(modify().authentication_mode(in_mode).send().await), value(LENGTH));
    assert_eq!(fixture.truth("a").await, before);
}

#[tokio::test]
async fn b56_invalid_combinations_of_authentication_parameters_are_refused() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("b").await;
    let flag = ("NoPasswordRequired", "true");
    let kind = |word| ("AuthenticationMode.Type", word);
    let direct = ("Passwords.member.1", SECRET);
    let in_mode = ("AuthenticationMode.Passwords.member.1", OTHER);
    for (params, sentence) in [
        (
            vec![flag, kind("password")],
            "No password required flag is true but provided authentication type is password",
        ),
        (
            vec![flag, kind("iam")],
            "No password required flag is true but provided authentication type is iam",
        ),
        (vec![kind("iam"), direct], "Password field is not allowed with authentication type: iam"),
        (vec![kind("iam"), in_mode], "Password field is not allowed with authentication type: iam"),
        (
            vec![kind("password")],
            "A user with Authentication Mode: password, must have at least one password",
        ),
        (vec![direct, in_mode], "Passwords provided via multiple arguments. Use only one argument"),
        (
            vec![kind("no-password-required"), direct],
            "Password field is not allowed with authentication type: no-password-required",
        ),
    ] {
        let names = [("UserId", "a"), ("UserName", "a"), ("Engine", "redis"), ("AccessString", "on")];
        let create: Vec<_> =
            [("Action", "CreateUser")].into_iter().chain(names).chain(params.clone()).collect();
        let modify: Vec<_> = [("Action", "ModifyUser"), ("UserId", "b")].into_iter().chain(params).collect();
        for call in [create, modify] {
            let answer = fixture.raw(&call).await;
            assert_eq!(answer.kind(), (400, "InvalidParameterCombination"), "{call:?}");
            assert_eq!(answer.element("Message"), sentence, "{call:?}");
        }
    }
    let odd = fixture.raw(&[("Action", "ModifyUser"), ("UserId", "b"), kind("no-password")]).await;
    assert_eq!(odd.kind(), (400, "InvalidParameterValue"));
    assert_eq!(
        odd.element("Message"),
        "Input Authentication type: no-password is not in the allowed list: [password,no-password-required,iam]"
    );
}

#[tokio::test]
async fn b57_no_answer_contains_a_password() {
    const MARK: &str = "hunter2";
    let fixture = EmulatorFixture::start(quick());
    let (good, short, odd) = ("hunter2-hunter2-hunter2", "hunter2", "hunter2-hunter2@hunter2");
    let create = |password: &'static str| {
        vec![
            ("Action", "CreateUser"),
            ("UserId", "a"),
            ("UserName", "a"),
            ("Engine", "redis"),
            ("AccessString", "on"),
            ("Passwords.member.1", password),
        ]
    };
    let modify = |name: &'static str, value: &'static str| {
        vec![("Action", "ModifyUser"), ("UserId", "a"), (name, value)]
    };
    for (call, status) in [
        (create(short), 400),
        (create(odd), 400),
        (create(good), 200),
        (create(good), 400),
        (modify("Passwords.member.1", good), 200),
        (modify("Passwords.member.1", short), 400),
        (modify("AccessString", "on >hunter2"), 400),
        (modify("AppendAccessString", ">hunter2"), 400),
        (vec![("Action", "DescribeUsers")], 200),
        (vec![("Action", "DeleteUser"), ("UserId", "a")], 200),
    ] {
        let answer = fixture.raw(&call).await;
        assert_eq!(answer.status, status, "{call:?}: {}", answer.body);
        assert!(!answer.body.contains(MARK), "{call:?}: {}", answer.body);
    }
}
