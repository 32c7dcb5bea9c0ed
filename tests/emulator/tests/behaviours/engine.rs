//! B25-B30: engines and their versions.

use aws_sdk_elasticache::types::{AuthenticationMode, InputAuthenticationType};

use crate::fixture::{EmulatorFixture, Refused, SECRET, quick, refused};

fn iam() -> AuthenticationMode {
    AuthenticationMode::builder().r#type(InputAuthenticationType::Iam).build()
}

fn no_password_on_valkey() -> Refused {
    Refused::new(
        400,
        "InvalidParameterCombination",
        "No-password-required is not allowed for a user with engine Valkey",
    )
}

#[tokio::test]
async fn b25_engine_is_accepted_in_any_case_and_returned_in_lower_case() {
    let fixture = EmulatorFixture::start(quick());
    let user = fixture.user("a").engine("REDIS").passwords(SECRET).send().await.unwrap();
    assert_eq!(user.engine(), Some("redis"));
    let user = fixture.user("b").engine("Valkey").passwords(SECRET).send().await.unwrap();
    assert_eq!(user.engine(), Some("valkey"));
    let group = fixture.group("g", &["default"]).engine("REDIS").send().await.unwrap();
    assert_eq!(group.engine(), Some("redis"));
    let only = fixture.sdk.describe_users().engine("VALKEY").send().await.unwrap();
    assert_eq!(only.users().len(), 1);
}

#[tokio::test]
async fn b26_another_engine_is_refused() {
    let fixture = EmulatorFixture::start(quick());
    for engine in ["memcached", "redis6", " redis"] {
        let error = refused(fixture.user("a").engine(engine).passwords(SECRET).send().await);
        assert_eq!(error.kind(), (400, "InvalidParameterValue"), "{engine}");
        let error = refused(fixture.group("g", &["default"]).engine(engine).send().await);
        assert_eq!(error.kind(), (400, "InvalidParameterValue"), "{engine}");
    }
}

#[tokio::test]
async fn b27_a_new_valkey_user_needs_a_password() {
    let fixture = EmulatorFixture::start(quick());
    let error = refused(fixture.user("a").engine("valkey").no_password_required(true).send().await);
    assert_eq!(error, no_password_on_valkey());
}

#[tokio::test]
async fn b28_a_user_without_password_cannot_turn_to_valkey() {
    let fixture = EmulatorFixture::start(quick());
    fixture.user("a").no_password_required(true).send().await.unwrap();
    let before = fixture.truth("a").await;
    let error = refused(fixture.sdk.modify_user().user_id("a").engine("valkey").send().await);
    assert_eq!(error, no_password_on_valkey());
    assert_eq!(fixture.truth("a").await, before);
    let both =
        fixture.sdk.modify_user().user_id("a").engine("valkey").passwords(SECRET).send().await.unwrap();
    assert_eq!(both.engine(), Some("valkey"), "a password in the same call makes the change possible");
}

#[tokio::test]
async fn b29_a_user_with_password_can_turn_to_valkey_and_back() {
    let fixture = EmulatorFixture::start(quick());
    fixture.create("a").await;
    for engine in ["valkey", "redis"] {
        fixture.sdk.modify_user().user_id("a").engine(engine).send().await.unwrap();
        assert_eq!(fixture.see("a").await.engine(), Some(engine));
    }
}

#[tokio::test]
async fn b30_minimum_engine_version_is_7_0_with_iam_and_6_0_without() {
    let fixture = EmulatorFixture::start(quick());
    let user = fixture.user("a").passwords(SECRET).send().await.unwrap();
    assert_eq!(user.minimum_engine_version(), Some("6.0"));
    let user = fixture.user("b").authentication_mode(iam()).send().await.unwrap();
    assert_eq!(user.minimum_engine_version(), Some("7.0"));
    let group = fixture.group("g", &["default", "a"]).send().await.unwrap();
    assert_eq!(group.minimum_engine_version(), Some("6.0"));
    fixture.sdk.modify_user_group().user_group_id("g").user_ids_to_add("b").send().await.unwrap();
    assert_eq!(fixture.see_group("g").await.minimum_engine_version(), Some("7.0"));
    let user = fixture.sdk.modify_user().user_id("a").authentication_mode(iam()).send().await.unwrap();
    assert_eq!(user.minimum_engine_version(), Some("7.0"));
    let user = fixture.sdk.modify_user().user_id("b").passwords(SECRET).send().await.unwrap();
    assert_eq!(user.minimum_engine_version(), Some("6.0"));
}
