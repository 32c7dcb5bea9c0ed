//! I/O: how AWS is reached: region, credentials, endpoint and time-outs.

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
use secrecy::{ExposeSecret, SecretString};

use crate::credentials::KnownCredentials;
use crate::identity::IdentifyTurn;
use crate::{Aws, Meter};

/// Longest wait at start for a credentials provider.
pub(crate) const START: Duration = Duration::from_secs(15);

/// Longest call of STS, because an endpoint that a firewall blocks must not delay a pass for long.
const STS: Duration = Duration::from_secs(3);

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection.
    pub connect: Duration,
    /// From the end of the request to the beginning of the answer, and between the answer's parts.
    pub read: Duration,
    /// For the whole call, including the time to get credentials.
    pub call: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), read: Duration::from_secs(15), call: Duration::from_secs(20) }
    }
}

impl Timeouts {
    /// The defaults, shortened to what a whole call may take.
    #[must_use]
    pub fn within(call: Duration) -> Self {
        let usual = Self::default();
        Self { connect: usual.connect.min(call), read: usual.read.min(call), call }
    }
}

/// An endpoint and static credentials, for tests and demonstrations.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The endpoint's URL, of every service.
    pub endpoint: String,
    /// The endpoint of STS, if it is another one.
    pub sts_endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// The access key's ID.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: SecretString,
    /// How long a call may take.
    pub timeouts: Timeouts,
}

/// Why there is no connection to AWS. The program ends with this sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The standard chain has no region.
    #[error("No AWS region is configured: set AWS_REGION.")]
    NoRegion,
    /// No credentials provider of the standard chain is configured.
    #[error(
        "No AWS credentials provider is configured: give the ServiceAccount an IAM role (IRSA or EKS Pod Identity), or \
         set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    )]
    NoCredentials,
}

impl Aws {
    /// Reads region, credentials and endpoint from the SDK's standard chain. Returns the region as well.
    ///
    /// If a configured provider fails, this is no error here: each call then ends as `Fault::Credentials`. The chain is asked once,
    /// for at most 15 s, because only this shows whether an instance metadata service exists.
    ///
    /// # Errors
    /// [`ConnectError`] if the chain has no region, or no provider that could ever give credentials.
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

    /// Says where credentials should come from if there are none, because the errors of the SDK name neither provider nor file.
    #[must_use]
    pub fn with_provider(self, provider: &str) -> Self {
        Self { provider: Some(provider.into()), ..self }
    }

    /// Explicit settings instead of the standard chain.
    #[must_use]
    pub fn with(connection: &Connection) -> Self {
        let Connection { endpoint, sts_endpoint, region, access_key_id, secret_access_key, timeouts } =
            connection;
        let secret = secret_access_key.expose_secret();
        let credentials = Credentials::new(access_key_id, secret, None, None, "explicit");
        let shared = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(endpoint)
            .region(Region::new(region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let sts = shared.to_builder().endpoint_url(sts_endpoint.as_ref().unwrap_or(endpoint)).build();
        Self::with_sts(&shared, &sts, *timeouts)
    }

    pub(crate) fn new(shared: &SdkConfig, timeouts: Timeouts) -> Self {
        Self::with_sts(shared, shared, timeouts)
    }

    fn with_sts(shared: &SdkConfig, sts: &SdkConfig, timeouts: Timeouts) -> Self {
        // Longer than the time-out of a call, so a call that waits for credentials ends by its own time-out.
        let identity_cache = IdentityCache::lazy().load_timeout(timeouts.call * 2).build();
        let config = Builder::from(shared)
            .retry_config(RetryConfig::disabled())
            .timeout_config(limits(timeouts))
            .identity_cache(identity_cache.clone())
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled().grace_period(timeouts.read).build(),
            )
            .build();
        // STS uses the same cache, because it must answer for the credentials that sign the other calls.
        let sts = sts.to_builder().identity_cache(identity_cache).build();
        Self {
            client: Client::from_conf(config),
            sts: sts_client(&sts, Timeouts::within(timeouts.call.min(STS))),
            region: shared.region().map(ToString::to_string).unwrap_or_default(),
            meter: Meter::default(),
            guard: None,
            credentials: KnownCredentials::default(),
            identifying: IdentifyTurn::default(),
            provider: None,
        }
    }
}

pub(crate) fn sts_client(shared: &SdkConfig, timeouts: Timeouts) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::config::Builder::from(shared)
        .retry_config(RetryConfig::disabled())
        .timeout_config(limits(timeouts))
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

fn limits(timeouts: Timeouts) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeouts.connect)
        .read_timeout(timeouts.read)
        .operation_attempt_timeout(timeouts.call)
        .operation_timeout(timeouts.call * 3)
        .build()
}

#[cfg(test)]
mod tests;
