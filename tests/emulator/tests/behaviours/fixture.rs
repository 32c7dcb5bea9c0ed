//! The fixture: an emulator, a client of its ElastiCache API and a client of its control API.

use std::fmt::Debug;
use std::time::Duration;

use aws_sdk_elasticache::Client;
use aws_sdk_elasticache::config::http::HttpResponse;
use aws_sdk_elasticache::config::retry::RetryConfig;
use aws_sdk_elasticache::config::timeout::TimeoutConfig;
use aws_sdk_elasticache::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
use aws_sdk_elasticache::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_elasticache::operation::create_user::builders::CreateUserFluentBuilder;
use aws_sdk_elasticache::operation::create_user_group::builders::CreateUserGroupFluentBuilder;
use aws_sdk_elasticache::types::{Tag, User, UserGroup};
use elasticache_emulator::{Control, Emulator, Settings};
use serde_json::{Value, json};
use support::wait::{Look, until};

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-west-1";

/// The shortest allowed password, with 16 characters.
pub(crate) const SECRET: &str = "0123456789abcdef";

/// Longer than any test, so that a state ends only if a test ends it.
const LONG: Duration = Duration::from_secs(3600);

/// How long a test waits for a fact before it fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// Every state ends before the next request.
pub(crate) fn quick() -> Settings {
    Settings {
        modify_time: Duration::ZERO,
        delete_time: Duration::ZERO,
        group_time: Duration::ZERO,
        ..Settings::default()
    }
}

/// Every state stays.
pub(crate) fn frozen() -> Settings {
    Settings { modify_time: LONG, delete_time: LONG, group_time: LONG, ..Settings::default() }
}

/// Every state lasts for a short time, so that a test can see it and its end.
pub(crate) fn flowing() -> Settings {
    let soon = Duration::from_millis(150);
    Settings { modify_time: soon, delete_time: soon, group_time: soon, ..Settings::default() }
}

/// A running emulator with clients.
pub(crate) struct EmulatorFixture {
    emulator: Emulator,
    pub(crate) sdk: Client,
    pub(crate) control: Control,
    http: reqwest::Client,
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// An error answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl EmulatorFixture {
    pub(crate) fn start(settings: Settings) -> Self {
        Self::of(Emulator::start(settings, "127.0.0.1:0").unwrap())
    }

    pub(crate) fn of(emulator: Emulator) -> Self {
        let sdk = client(&emulator.url(), ACCOUNT, REGION);
        let control = Control::new(emulator.url(), ACCOUNT, REGION);
        Self { emulator, sdk, control, http: reqwest::Client::new() }
    }

    pub(crate) fn url(&self) -> String {
        self.emulator.url()
    }

    /// An SDK client for another account or region.
    pub(crate) fn sdk_of(&self, account: &str, region: &str) -> Client {
        client(&self.url(), account, region)
    }

    /// A CreateUser with this id and name, without authentication.
    pub(crate) fn user(&self, id: &str) -> CreateUserFluentBuilder {
        self.sdk.create_user().user_id(id).user_name(id).engine("redis").access_string("on ~* +@all")
    }

    /// Creates a user with a password.
    pub(crate) async fn create(&self, id: &str) {
        self.user(id).passwords(SECRET).send().await.unwrap();
    }

    /// Creates a user with a password and the user name `default`.
    pub(crate) async fn create_default_named(&self, id: &str) {
        self.user(id).user_name("default").passwords(SECRET).send().await.unwrap();
    }

    pub(crate) fn group(&self, id: &str, members: &[&str]) -> CreateUserGroupFluentBuilder {
        let members = members.iter().map(|id| (*id).to_owned()).collect();
        self.sdk.create_user_group().user_group_id(id).engine("redis").set_user_ids(Some(members))
    }

    /// The user as DescribeUsers shows it.
    pub(crate) async fn see(&self, id: &str) -> User {
        self.sdk.describe_users().user_id(id).send().await.unwrap().users()[0].clone()
    }

    /// The group as DescribeUserGroups shows it.
    pub(crate) async fn see_group(&self, id: &str) -> UserGroup {
        self.sdk.describe_user_groups().user_group_id(id).send().await.unwrap().user_groups()[0].clone()
    }

    /// Sends urlencoded parameters with an Authorization header as the SDK's.
    pub(crate) async fn raw(&self, params: &[(&str, &str)]) -> Raw {
        let authorization = authorization(ACCOUNT, REGION);
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
        let answer = self
            .http
            .post(self.url())
            .header("authorization", authorization)
            .body(body)
            .send()
            .await
            .unwrap();
        Raw { status: answer.status().as_u16(), body: answer.text().await.unwrap() }
    }

    /// Sends a request to the control API. Returns the HTTP status and the JSON, or null if there is no body.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.control_text(method, path, text).await
    }

    pub(crate) async fn control_text(&self, method: &str, path: &str, body: String) -> (u16, Value) {
        let (status, text) = self.control.request(method, path, body).await.unwrap();
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    /// Sends a GET to the control API, which must succeed.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, json) = self.control("GET", path, Value::Null).await;
        assert_eq!(status, 200, "{json}");
        json
    }

    /// Ends the current state of a user.
    pub(crate) async fn settle(&self, id: &str) {
        self.control.put_user(id, json!({"Status": "active"})).await;
    }

    /// Ends the current state of a group.
    pub(crate) async fn settle_group(&self, id: &str) {
        self.control.put_group(id, json!({"Status": "active"})).await;
    }

    /// All fields of a user, from the control API.
    pub(crate) async fn truth(&self, id: &str) -> Value {
        self.control.user(id).await.unwrap_or(Value::Null)
    }
}

/// The query for the account and region of the SDK.
pub(crate) fn here() -> String {
    format!("?account={ACCOUNT}&region={REGION}")
}

pub(crate) fn authorization(account: &str, region: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={account}/20260101/{region}/elasticache/aws4_request, \
         SignedHeaders=host, Signature=00"
    )
}

pub(crate) fn client(url: &str, account: &str, region: &str) -> Client {
    let config = aws_sdk_elasticache::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new(account, "any", None, None, "test"))
        // No retries, because a test checks the result of a single call.
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(PATIENCE).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// The error answer of a call. Fails if the call succeeds.
pub(crate) fn refused<T: Debug, E: ProvideErrorMetadata + Debug>(
    result: Result<T, SdkError<E, HttpResponse>>,
) -> Refused {
    let error = result.expect_err("the call should have been refused");
    Refused {
        status: error.raw_response().expect("there should be an answer").status().as_u16(),
        code: error.code().unwrap_or_default().to_owned(),
        message: error.message().unwrap_or_default().to_owned(),
    }
}

impl Refused {
    pub(crate) fn new(status: u16, code: &str, message: &str) -> Self {
        Self { status, code: code.to_owned(), message: message.to_owned() }
    }

    /// Only status and code, if the service's message is not known.
    pub(crate) fn kind(&self) -> (u16, &str) {
        (self.status, &self.code)
    }
}

impl Raw {
    /// The text of the first element of this name.
    pub(crate) fn element(&self, name: &str) -> &str {
        let start =
            self.body.find(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {}", self.body));
        let rest = &self.body[start + name.len() + 2..];
        &rest[..rest.find(&format!("</{name}>")).unwrap()]
    }

    /// Status and code of an error answer.
    pub(crate) fn kind(&self) -> (u16, &str) {
        (self.status, self.element("Code"))
    }
}

/// Checks that the control API refuses these requests with a message.
pub(crate) async fn are_refused(fixture: &EmulatorFixture, method: &str, path: &str, bodies: &[&str]) {
    for body in bodies {
        let (status, answer) = fixture.control_text(method, path, (*body).to_owned()).await;
        assert_eq!(status, 400, "{body}: {answer}");
        let sentence = answer["Error"].as_str().unwrap();
        assert!(sentence.len() > 10, "{body}: {sentence}");
        assert_eq!(answer.as_object().unwrap().len(), 1);
    }
}

pub(crate) fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// Tags as `key=value`, or only the key if the value is null.
pub(crate) fn tag_texts(tags: &[Tag]) -> Vec<String> {
    let text = |tag: &Tag| match tag.value() {
        Some(value) => format!("{}={value}", tag.key().unwrap()),
        None => tag.key().unwrap().to_owned(),
    };
    tags.iter().map(text).collect()
}

/// Waits until `look` returns the fact.
pub(crate) async fn eventually<L: Look, F: Future<Output = L>>(fact: &str, look: impl Fn() -> F) -> L::Fact {
    until(fact, PATIENCE, look).await.unwrap_or_else(|late| panic!("{late}"))
}
