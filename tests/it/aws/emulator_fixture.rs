//! The fixture for tests of the port to AWS: an emulator, a port to it, and the emulator's control API.

use std::net::TcpListener;
use std::time::Duration;

use aws::{Aws, Connection, Timeouts, UserApi};
use elasticache_emulator::{Control, Emulator, Settings};
use plan::verdict::Outcome;
use plan::{
    Arn, AuthenticationChange, Changes, Create, CredentialsId, Delete, Engine, Fault, Modify, Password,
    Passwords, Rejection, SecretVersion, Tag, Tags, TagsObservation, UserId, UserObservation,
};
use serde_json::Value;

use crate::secrecy;

pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const ACCOUNT: &str = "111122223333";

/// The first credentials that a port uses.
pub(crate) const SIGNER: CredentialsId = CredentialsId(1);

/// Long enough for a busy machine.
pub(crate) const PATIENT: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(20),
    call: Duration::from_secs(20),
};
/// Short enough to wait for.
pub(crate) const IMPATIENT: Timeouts = Timeouts {
    connect: Duration::from_millis(300),
    read: Duration::from_millis(300),
    call: Duration::from_millis(600),
};

/// A port to the server at this endpoint.
pub(crate) fn aws(endpoint: &str, timeouts: Timeouts) -> Aws {
    aws_with_sts(endpoint, None, timeouts)
}

/// A port with another endpoint for STS.
pub(crate) fn aws_with_sts(endpoint: &str, sts_endpoint: Option<String>, timeouts: Timeouts) -> Aws {
    Aws::with(&Connection {
        endpoint: endpoint.to_owned(),
        sts_endpoint,
        region: REGION.to_owned(),
        access_key_id: ACCOUNT.to_owned(),
        secret_access_key: "secret".into(),
        timeouts,
    })
}

/// An emulator and the port to it.
pub(crate) struct Fixture {
    pub(crate) emulator: Emulator,
    pub(crate) aws: Aws,
    pub(crate) control: Control,
}

impl Fixture {
    pub(crate) fn start() -> Self {
        let emulator = Emulator::start(Settings::default(), "127.0.0.1:0").expect("an emulator");
        let aws = aws(&emulator.url(), PATIENT);
        let control = Control::new(emulator.url(), ACCOUNT, REGION);
        Self { emulator, aws, control }
    }

    /// The calls that the emulator received since the last `calls`.
    pub(crate) async fn calls(&self) -> Vec<Value> {
        let calls = self.control.calls().await;
        self.control.forget_calls().await;
        calls
    }

    /// The metrics of the port.
    pub(crate) fn metrics(&self) -> String {
        let mut registry = prometheus_client::registry::Registry::default();
        self.aws.meter().register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
        text
    }

    /// The names of the calls that the emulator received since the last `calls`.
    pub(crate) async fn actions(&self) -> Vec<String> {
        let calls = self.calls().await;
        calls.iter().map(|call| call["Action"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// A URL at which nobody listens.
pub(crate) fn nobody_listens() -> String {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    format!("http://{closed}")
}

/// A server that accepts connections until the listener is dropped, and never answers.
pub(crate) fn silent_server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, url)
}

pub(crate) fn user_id(text: &str) -> UserId {
    UserId::parse(text).expect("a user ID")
}

pub(crate) fn arn(user: &str) -> Arn {
    Arn::parse(&format!("arn:aws:elasticache:{REGION}:{ACCOUNT}:user:{user}")).expect("an ARN")
}

pub(crate) fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn passwords(texts: &[&str]) -> AuthenticationChange {
    texts.iter().copied().for_each(secrecy::remember_password);
    let read = |text: &&str| {
        (Password::parse(text.as_bytes()).expect("a password"), SecretVersion::parse("uid/1/key"))
    };
    AuthenticationChange::Password(Passwords::new(texts.iter().map(read).collect()))
}

pub(crate) fn create(user: &str) -> Create {
    Create {
        user_id: user_id(user),
        user_name: user.to_owned(),
        engine: Engine::Redis,
        access_string: "on ~* +@all".to_owned(),
        authentication: AuthenticationChange::Iam,
        tags: tags(&[("team", "shop")]),
        cause: plan::Cause::Edit,
    }
}

pub(crate) fn modify(user: &str) -> Modify {
    let changes = Changes { access_string: Some("on ~app:* +@read".to_owned()), ..Changes::default() };
    Modify { user_id: user_id(user), changes, cause: plan::Cause::Edit }
}

pub(crate) fn tag(user: &str) -> Tag {
    Tag { arn: arn(user), tags: tags(&[("team", "shop")]), cause: plan::Cause::Edit }
}

pub(crate) fn delete(user: &str) -> Delete {
    Delete { user_id: user_id(user) }
}

/// Each method of the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Describe,
    ListTags,
    Create,
    Modify,
    Tag,
    Delete,
}

impl Method {
    pub(crate) const ALL: [Self; 6] =
        [Self::Describe, Self::ListTags, Self::Create, Self::Modify, Self::Tag, Self::Delete];

    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::Describe => "DescribeUsers",
            Self::ListTags => "ListTagsForResource",
            Self::Create => "CreateUser",
            Self::Modify => "ModifyUser",
            Self::Tag => "AddTagsToResource",
            Self::Delete => "DeleteUser",
        }
    }

    pub(crate) async fn call(self, aws: &Aws, user: &str) -> Ended {
        match self {
            Self::Describe => match aws.describe(&user_id(user)).await.0 {
                UserObservation::Found(_) => Ended::Well,
                UserObservation::Absent => Ended::NotFound,
                UserObservation::Failed(fault) => Ended::Failed(fault),
                UserObservation::NotRead => Ended::Strange,
            },
            Self::ListTags => match aws.list_tags(&arn(user)).await {
                TagsObservation::Read(_) => Ended::Well,
                TagsObservation::Unreadable => Ended::NotFound,
                TagsObservation::Failed(fault) => Ended::Failed(fault),
                TagsObservation::NotRead => Ended::Strange,
            },
            Self::Create => aws.create(&create(user), SIGNER).await.into(),
            Self::Modify => aws.modify(&modify(user), SIGNER).await.into(),
            Self::Tag => aws.tag(&tag(user), SIGNER).await.into(),
            Self::Delete => aws.delete(&delete(user), SIGNER).await.into(),
        }
    }
}

/// How a call of any method ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Well,
    NotFound,
    AlreadyExists,
    CredentialsChanged,
    Failed(Fault),
    /// An outcome that no call may have.
    Strange,
}

impl From<Outcome> for Ended {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accepted(_) | Outcome::Tagged(_) => Self::Well,
            Outcome::NotFound => Self::NotFound,
            Outcome::CredentialsChanged => Self::CredentialsChanged,
            Outcome::AlreadyExists => Self::AlreadyExists,
            Outcome::Failed(fault) => Self::Failed(fault),
            Outcome::Decided | Outcome::Released => Self::Strange,
        }
    }
}

impl Ended {
    /// `Busy InvalidUserState` for a fault, else the word alone.
    pub(crate) fn words(&self) -> String {
        let Self::Failed(fault) = self else { return format!("{self:?}") };
        let kind = match fault {
            Fault::Busy(_) => "Busy",
            Fault::Throttled(_) => "Throttled",
            Fault::Unavailable(_) => "Unavailable",
            Fault::Credentials(_) => "Credentials",
            Fault::Denied(_) => "Denied",
            Fault::Rejected(Rejection::ParameterValue, _) => "ParameterValue",
            Fault::Rejected(Rejection::ParameterCombination, _) => "ParameterCombination",
            Fault::Rejected(Rejection::Quota, _) => "Quota",
            Fault::Rejected(Rejection::ServiceLinkedRole, _) => "ServiceLinkedRole",
            Fault::Rejected(Rejection::DefaultUserInGroup, _) => "DefaultUserInGroup",
            Fault::Rejected(Rejection::DuplicateUserName, _) => "DuplicateUserName",
            Fault::Rejected(Rejection::DefaultUserRequired, _) => "DefaultUserRequired",
            Fault::Rejected(Rejection::MemberNotFound, _) => "MemberNotFound",
            Fault::Rejected(Rejection::Other, _) => "Other",
        };
        format!("{kind} {}", fault.error().code)
    }
}
