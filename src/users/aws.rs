//! I/O: the adapter to the AWS SDK, one SDK call for each method of [`Users`]. Nothing but this module and its parts,
//! `wire` (what is seen of a call on its way), `words` (forms in and out) and [`preflight`] (the calls of `check`), names the
//! SDK.
//!
//! The SDK's retries are off, as a blind repeat of a mutation is what the operator must never do. A request or a builder
//! with passwords is never formatted: their `Debug` shows them.

mod listing;
pub mod preflight;
mod wire;
mod words;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_elasticache::Client;
use aws_sdk_elasticache::config::Builder;
use aws_sdk_elasticache::config::http::HttpResponse;
use aws_sdk_elasticache::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use plan::classify::Answer;
use plan::verdict::Outcome;
use plan::{
    Account, Arn, AuthenticationChange, Create, Delete, Fault, Modify, Password, RemoteUser, Said, Sight,
    Tag, TagSight, Untag, UserId,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::failure::Failure;
use super::journal::{Call, Operation};
use super::metered::Meter;
use super::{UserPage, Users};
use crate::leader_election::Token;
use wire::Wire;
use words::{answered_tags, answered_user, authentication_mode, sent_tags};

/// Longest wait at start for a provider to say that it has nothing.
const START: Duration = Duration::from_secs(15);

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection.
    pub connect: Duration,
    /// From the end of the request to the beginning of the answer, and between the answer's parts.
    pub read: Duration,
    /// For all of it, credentials included.
    pub call: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), read: Duration::from_secs(15), call: Duration::from_secs(20) }
    }
}

impl Timeouts {
    /// The usual ones, or less where a call may not take as long.
    #[must_use]
    pub fn within(call: Duration) -> Self {
        let usual = Self::default();
        Self { connect: usual.connect.min(call), read: usual.read.min(call), call }
    }
}

/// An endpoint and static credentials, for tests and demonstrations.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The endpoint's URL.
    pub endpoint: String,
    /// The region.
    pub region: String,
    /// The access key's ID.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: SecretString,
    /// How long a call may take.
    pub timeouts: Timeouts,
}

/// Why there is no connection to AWS: a sentence for people, as the program ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The standard chain gives no region.
    #[error("No AWS region is configured: set AWS_REGION.")]
    NoRegion,
    /// The standard chain has no provider of credentials that is configured.
    #[error(
        "No AWS credentials provider is configured: give the ServiceAccount an IAM role (IRSA or EKS Pod Identity), or \
         set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    )]
    NoCredentials,
}

/// ElastiCache's users, through the SDK. Clones share connections, credentials and metrics.
#[derive(Clone)]
pub struct Aws {
    client: Client,
    meter: Meter,
    token: Token,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aws")
    }
}

impl Aws {
    /// Region, credentials and endpoint from the SDK's standard chain; tells the region.
    ///
    /// A provider of credentials that is configured and fails is no error here: its calls end as `Fault::Credentials`. Asks
    /// the chain once, for at most 15 s: the instance's metadata service, the last one, has no other sign of being there.
    ///
    /// # Errors
    /// [`ConnectError`] where the chain has no region, or nothing that could ever give credentials.
    pub async fn connect(timeouts: Timeouts) -> Result<(Self, String), ConnectError> {
        let shared = aws_config::defaults(BehaviorVersion::v2026_01_12()).load().await;
        let region = shared.region().map(ToString::to_string).filter(|region| !region.is_empty());
        let region = region.ok_or(ConnectError::NoRegion)?;
        let provider = shared.credentials_provider().ok_or(ConnectError::NoCredentials)?;
        let asked = tokio::time::timeout(START, provider.provide_credentials()).await;
        if matches!(asked, Ok(Err(CredentialsError::CredentialsNotLoaded(_)))) {
            return Err(ConnectError::NoCredentials);
        }
        Ok((Self::new(&shared, timeouts), region))
    }

    /// Explicit settings instead of the standard chain.
    #[must_use]
    pub fn with(connection: &Connection) -> Self {
        let Connection { endpoint, region, access_key_id, secret_access_key, timeouts } = connection;
        let secret = secret_access_key.expose_secret();
        let credentials = Credentials::new(access_key_id, secret, None, None, "explicit");
        let shared = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(endpoint)
            .region(Region::new(region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        Self::new(&shared, *timeouts)
    }

    fn new(shared: &SdkConfig, timeouts: Timeouts) -> Self {
        let config = Builder::from(shared)
            .retry_config(RetryConfig::disabled())
            .timeout_config(limits(timeouts))
            // Longer than a call: its own end comes first, and tells that nothing was sent.
            .identity_cache(IdentityCache::lazy().load_timeout(timeouts.call * 2).build())
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled().grace_period(timeouts.read).build(),
            )
            .build();
        Self { client: Client::from_conf(config), meter: Meter::default(), token: Token::unlimited() }
    }

    /// Mutations need this token.
    #[must_use]
    pub fn led_by(self, token: Token) -> Self {
        Self { token, ..self }
    }

    /// What is counted about the calls.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    async fn describe_one(&self, user_id: &str) -> Result<RemoteUser, Answer> {
        let wire = Wire::new(Operation::DescribeUsers, &self.token);
        let call = Call::new(Operation::DescribeUsers, user_id, &[]);
        let sent = self.client.describe_users().user_id(user_id).customize().interceptor(wire.clone()).send();
        let read = |answer: aws_sdk_elasticache::operation::describe_users::DescribeUsersOutput| {
            answer.users.unwrap_or_default().into_iter().find_map(|user| answered_user!(user, user_id))
        };
        self.made(call, &wire, sent, read).await
    }

    /// Waits for a call's end, counts and logs it. `read` gives `None` for an answer that lacks what it must have.
    async fn made<T, R, E>(
        &self,
        call: Call<'_>,
        wire: &Wire,
        sent: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        read: impl FnOnce(T) -> Option<R> + Send,
    ) -> Result<R, Answer>
    where
        T: Send,
        R: Send,
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let began = Instant::now();
        let ended = sent.await;
        let took = began.elapsed();
        let facts = wire.ended();
        let unreadable = || Failure::Unreadable(facts.status.unwrap_or_default());
        let result = match ended {
            Ok(answer) if facts.whole => read(answer).ok_or_else(unreadable),
            Ok(_) => Err(unreadable()),
            Err(error) => {
                // It shows the answer's headers and body, in which AWS may have repeated a password.
                if call.carries_no_password() {
                    tracing::debug!(operation = call.operation().name(), error = %DisplayErrorContext(&error));
                }
                Err(wire::failure(&error, &facts))
            }
        };
        call.ended(result, &facts, took, &self.meter)
    }
}

impl Users for Aws {
    async fn describe(&self, user_id: &UserId) -> Sight {
        match self.describe_one(user_id.as_str()).await {
            Ok(user) => Sight::Seen(user),
            Err(Answer::NotFound) => Sight::Absent,
            Err(answer) => Sight::Failed(fault(answer)),
        }
    }

    async fn list(&self, marker: Option<&str>) -> Result<UserPage, Fault> {
        self.page(marker).await
    }

    async fn account(&self) -> Account {
        match self.describe_one("default").await.map_err(told) {
            Ok(user) => Account::Known(user.arn.account().to_owned()),
            Err(None) => Account::Untold,
            Err(Some(fault)) => Account::Failed(fault),
        }
    }

    async fn list_tags(&self, arn: &Arn) -> TagSight {
        let wire = Wire::new(Operation::ListTagsForResource, &self.token);
        let call = Call::new(Operation::ListTagsForResource, arn.user(), &[]);
        let request = self.client.list_tags_for_resource().resource_name(arn.to_string());
        let sent = request.customize().interceptor(wire.clone()).send();
        match self.made(call, &wire, sent, |answer| answered_tags(answer.tag_list)).await {
            Ok(tags) => TagSight::Read(tags),
            Err(Answer::NotFound) => TagSight::Unreadable,
            Err(answer) => TagSight::Failed(fault(answer)),
        }
    }

    async fn create(&self, create: &Create) -> Outcome {
        let Create { user_id, user_name, engine, access_string, authentication, tags, cause: _ } = create;
        let wire = Wire::new(Operation::CreateUser, &self.token);
        let call = Call::new(Operation::CreateUser, user_id.as_str(), passwords(Some(authentication)));
        let request = self
            .client
            .create_user()
            .user_id(user_id.as_str())
            .user_name(user_name)
            .engine(engine.as_str())
            .access_string(access_string)
            .authentication_mode(authentication_mode(authentication))
            .set_tags(sent_tags(tags));
        let sent = request.customize().interceptor(wire.clone()).send();
        match self.made(call, &wire, sent, |user| answered_user!(user, user_id.as_str())).await {
            Ok(user) => Outcome::Accepted(user),
            Err(Answer::AlreadyExists) => Outcome::AlreadyExists,
            Err(answer) => Outcome::Failed(fault(answer)),
        }
    }

    async fn modify(&self, modify: &Modify) -> Outcome {
        let Modify { user_id, changes, cause: _ } = modify;
        let plan::Changes { access_string, engine, authentication } = changes;
        let wire = Wire::new(Operation::ModifyUser, &self.token);
        let call = Call::new(Operation::ModifyUser, user_id.as_str(), passwords(authentication.as_ref()));
        let request = self
            .client
            .modify_user()
            .user_id(user_id.as_str())
            .set_access_string(access_string.clone())
            .set_engine(engine.map(|engine| engine.as_str().to_owned()))
            .set_authentication_mode(authentication.as_ref().map(authentication_mode));
        let sent = request.customize().interceptor(wire.clone()).send();
        outcome(self.made(call, &wire, sent, |user| answered_user!(user, user_id.as_str())).await)
    }

    async fn tag(&self, tag: &Tag) -> Outcome {
        let Tag { arn, tags, cause: _ } = tag;
        let wire = Wire::new(Operation::AddTagsToResource, &self.token);
        let call = Call::new(Operation::AddTagsToResource, arn.user(), &[]);
        let request =
            self.client.add_tags_to_resource().resource_name(arn.to_string()).set_tags(sent_tags(tags));
        let sent = request.customize().interceptor(wire.clone()).send();
        tagged(self.made(call, &wire, sent, |answer| answered_tags(answer.tag_list)).await)
    }

    async fn untag(&self, untag: &Untag) -> Outcome {
        let Untag { arn, keys } = untag;
        let wire = Wire::new(Operation::RemoveTagsFromResource, &self.token);
        let call = Call::new(Operation::RemoveTagsFromResource, arn.user(), &[]);
        let request = self.client.remove_tags_from_resource().resource_name(arn.to_string());
        let sent = request.set_tag_keys(Some(keys.clone())).customize().interceptor(wire.clone()).send();
        tagged(self.made(call, &wire, sent, |answer| answered_tags(answer.tag_list)).await)
    }

    async fn delete(&self, delete: &Delete) -> Outcome {
        let Delete { user_id } = delete;
        let wire = Wire::new(Operation::DeleteUser, &self.token);
        let call = Call::new(Operation::DeleteUser, user_id.as_str(), &[]);
        let request = self.client.delete_user().user_id(user_id.as_str());
        let sent = request.customize().interceptor(wire.clone()).send();
        outcome(self.made(call, &wire, sent, |user| answered_user!(user, user_id.as_str())).await)
    }
}

/// As the SDK wants them.
fn limits(timeouts: Timeouts) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeouts.connect)
        .read_timeout(timeouts.read)
        .operation_attempt_timeout(timeouts.call)
        .operation_timeout(timeouts.call * 3)
        .build()
}

/// The passwords that a call carries.
fn passwords(authentication: Option<&AuthenticationChange>) -> &[Password] {
    match authentication {
        Some(AuthenticationChange::Password(passwords)) => passwords.values(),
        Some(AuthenticationChange::Iam | AuthenticationChange::NoPassword) | None => &[],
    }
}

/// How a tagging call ended.
fn tagged(ended: Result<plan::Tags, Answer>) -> Outcome {
    match ended {
        Ok(tags) => Outcome::Tagged(tags),
        Err(answer) => outcome(Err(answer)),
    }
}

/// How a mutation of a user that is there ended.
fn outcome(ended: Result<RemoteUser, Answer>) -> Outcome {
    match ended {
        Ok(user) => Outcome::Accepted(user),
        Err(Answer::NotFound) => Outcome::NotFound,
        Err(answer) => Outcome::Failed(fault(answer)),
    }
}

/// An observation where none can be: `UserAlreadyExists` from DeleteUser, say. What became of the call is not known then.
fn fault(answer: Answer) -> Fault {
    let code = match answer {
        Answer::Fault(fault) => return fault,
        Answer::NotFound => "UserNotFound",
        Answer::AlreadyExists => "UserAlreadyExists",
    };
    Fault::Unavailable(Said::new(code, "this answer does not belong to the call."))
}

/// Why the account stays unknown: the fault, or `None` where AWS will not tell it, now or later.
fn told(answer: Answer) -> Option<Fault> {
    if answer == Answer::NotFound {
        return None;
    }
    match fault(answer) {
        Fault::Denied(_) | Fault::Rejected(..) => None,
        passing @ (Fault::Busy(_) | Fault::Throttled(_) | Fault::Unavailable(_) | Fault::Credentials(_)) => {
            Some(passing)
        }
    }
}

#[cfg(test)]
mod tests;
