//! I/O: AWS as a preflight asks it: who the credentials are, and whether the operator's reads are allowed.
//!
//! Each call has a time-out, and changes nothing.

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use plan::{Arn, Fault};

use super::wire::{self, Wire};
use super::words::answered_tags;
use super::{Aws, ConnectError, START, Timeouts, fault};
use crate::users::journal::{Call, Operation};
use crate::users::sentence;
use plan::classify::Answer;

/// AWS, by the standard chain's region, credentials and endpoints.
#[derive(Debug)]
pub struct Preflight {
    shared: SdkConfig,
    timeouts: Timeouts,
    aws: Aws,
}

/// Who the credentials are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: String,
    /// The user, or the session of a role.
    pub arn: String,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub struct Asked<T> {
    /// What it is made for.
    pub answer: Result<T, Fault>,
    /// When AWS made the answer, by AWS's clock; in the form of HTTP's `Date`.
    pub date: Option<String>,
}

impl Preflight {
    /// Reads the standard chain; no call is made.
    pub async fn load(timeouts: Timeouts) -> Self {
        let shared = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12()).load().await;
        Self { aws: Aws::new(&shared, timeouts), shared, timeouts }
    }

    /// The region.
    ///
    /// # Errors
    /// Where the chain gives none.
    pub fn region(&self) -> Result<String, ConnectError> {
        let region = self.shared.region().map(ToString::to_string).filter(|region| !region.is_empty());
        region.ok_or(ConnectError::NoRegion)
    }

    /// Whether the chain gives credentials.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub async fn credentials(&self) -> Result<(), String> {
        let none = || ConnectError::NoCredentials.to_string();
        let provider = self.shared.credentials_provider().ok_or_else(none)?;
        match tokio::time::timeout(START.min(self.timeouts.call), provider.provide_credentials()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(CredentialsError::CredentialsNotLoaded(_))) => Err(none()),
            Ok(Err(error)) => {
                let why = wire::root(&error).unwrap_or_else(|| error.to_string());
                Err(format!(
                    "The credentials provider that is configured fails: {}",
                    sentence::stable(&why, &[])
                ))
            }
            Err(_) => Err("The credentials provider did not answer in time.".to_owned()),
        }
    }

    /// The users, for a check that reads many of them.
    #[must_use]
    pub fn users(&self) -> &Aws {
        &self.aws
    }

    /// STS GetCallerIdentity, which needs no permission.
    pub async fn identity(&self) -> Asked<Identity> {
        let config = aws_sdk_sts::config::Builder::from(&self.shared)
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .timeout_config(super::limits(self.timeouts))
            .build();
        let wire = Wire::new(Operation::GetCallerIdentity, &self.aws.token);
        let call = Call::new(Operation::GetCallerIdentity, "", &[]);
        let request = aws_sdk_sts::Client::from_conf(config).get_caller_identity();
        let sent = request.customize().interceptor(wire.clone()).send();
        let read = |answer: aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput| {
            Some(Identity { account: answer.account?, arn: answer.arn? })
        };
        let answer = self.aws.made(call, &wire, sent, read).await.map_err(fault);
        Asked { answer, date: wire.ended().date }
    }

    /// DescribeUsers of one user; tells whether it is there.
    pub async fn describe(&self, user_id: &str) -> Asked<bool> {
        let wire = Wire::new(Operation::DescribeUsers, &self.aws.token);
        let call = Call::new(Operation::DescribeUsers, user_id, &[]);
        let request = self.aws.client.describe_users().user_id(user_id);
        let sent = request.customize().interceptor(wire.clone()).send();
        let answer = match self.aws.made(call, &wire, sent, |answer| answer.users).await {
            Ok(_) => Ok(true),
            Err(Answer::NotFound) => Ok(false),
            Err(answer) => Err(fault(answer)),
        };
        Asked { answer, date: wire.ended().date }
    }

    /// ListTagsForResource; that the tags cannot be read just now is an answer as well.
    pub async fn list_tags(&self, arn: &Arn) -> Asked<()> {
        let wire = Wire::new(Operation::ListTagsForResource, &self.aws.token);
        let call = Call::new(Operation::ListTagsForResource, arn.user(), &[]);
        let request = self.aws.client.list_tags_for_resource().resource_name(arn.to_string());
        let sent = request.customize().interceptor(wire.clone()).send();
        let answer = match self.aws.made(call, &wire, sent, |answer| answered_tags(answer.tag_list)).await {
            Ok(_) | Err(Answer::NotFound) => Ok(()),
            Err(answer) => Err(fault(answer)),
        };
        Asked { answer, date: wire.ended().date }
    }
}
