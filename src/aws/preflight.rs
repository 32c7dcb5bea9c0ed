//! I/O: the calls of `check`: who the credentials are, and whether the operator's reads are allowed. None changes anything.

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use plan::classify::Answer;
use plan::{Arn, Fault};

use crate::adapter::fault_in;
use crate::call_log::{Call, Operation};
use crate::connect::{START, sts_client};
use crate::convert::answered_tags;
use crate::interceptor::root_cause;
use crate::sanitize;
use crate::{Aws, ConnectError, Timeouts};

/// AWS, reached with region, credentials and endpoints of the standard chain.
#[derive(Debug)]
pub struct Preflight {
    shared: SdkConfig,
    timeouts: Timeouts,
    aws: Aws,
}

/// Why the standard chain gives no credentials. Each text is a sentence for a row of `check`.
#[derive(Debug, thiserror::Error)]
pub enum UnusableCredentials {
    /// No provider of the chain is configured.
    #[error("{}", ConnectError::NoCredentials)]
    NotConfigured,
    /// A provider is configured and fails.
    #[error("The credentials provider that is configured fails: {message}")]
    ProviderFailed {
        /// The provider's text, without parts that change from call to call.
        message: String,
        /// The provider's error.
        source: CredentialsError,
    },
    /// The provider did not answer in time.
    #[error("The credentials provider did not answer in time.")]
    TimedOut,
}

/// Who the credentials are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: String,
    /// The user, or the session of a role.
    pub arn: String,
}

/// The answer to a call, and when AWS made it.
#[derive(Clone, Debug)]
pub struct Asked<T> {
    /// The answer.
    pub answer: Result<T, Fault>,
    /// The answer's `Date` header.
    pub date: Option<String>,
}

impl Preflight {
    /// Reads the standard chain. Makes no call. `provider`: where credentials should come from, for messages.
    pub async fn load(timeouts: Timeouts, provider: &str) -> Self {
        let shared = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12()).load().await;
        let aws = Aws::new(&shared, timeouts).with_provider(provider);
        Self { aws, shared, timeouts }
    }

    /// The region of the standard chain.
    ///
    /// # Errors
    /// If the chain has none.
    pub fn region(&self) -> Result<String, ConnectError> {
        let region = self.shared.region().map(ToString::to_string).filter(|region| !region.is_empty());
        region.ok_or(ConnectError::NoRegion)
    }

    /// Asks the chain for credentials.
    ///
    /// # Errors
    /// If the chain gives none.
    pub async fn credentials(&self) -> Result<(), UnusableCredentials> {
        let provider = self.shared.credentials_provider().ok_or(UnusableCredentials::NotConfigured)?;
        match tokio::time::timeout(START.min(self.timeouts.call), provider.provide_credentials()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(CredentialsError::CredentialsNotLoaded(_))) => Err(UnusableCredentials::NotConfigured),
            Ok(Err(source)) => {
                let cause = root_cause(&source).unwrap_or_else(|| source.to_string());
                let provider = self.aws.provider.as_deref().unwrap_or_default();
                let message = format!("{provider}: {}", sanitize::stable(&cause, &[]));
                Err(UnusableCredentials::ProviderFailed { message, source })
            }
            Err(_) => Err(UnusableCredentials::TimedOut),
        }
    }

    /// The users, for a check that reads many of them.
    #[must_use]
    pub fn users(&self) -> &Aws {
        &self.aws
    }

    /// STS GetCallerIdentity, which needs no permission.
    pub async fn identity(&self) -> Asked<Identity> {
        let sts = sts_client(&self.shared, self.timeouts);
        let (answer, facts) = self.aws.caller_identity(&sts).await;
        Asked { answer: answer.map_err(fault_in), date: facts.date }
    }

    /// DescribeUsers. Whether the user is there.
    pub async fn describe(&self, user_id: &str) -> Asked<bool> {
        let seen = self.aws.interceptor(Operation::DescribeUsers);
        let call = Call::new(Operation::DescribeUsers, user_id, &[]);
        let request = self.aws.client.describe_users().user_id(user_id);
        let sent = request.customize().interceptor(seen.clone()).send();
        let answer = match self.aws.finish(call, &seen, sent, |answer| answer.users.map(drop)).await {
            Ok(_) => Ok(true),
            Err(Answer::NotFound) => Ok(false),
            Err(answer) => Err(fault_in(answer)),
        };
        Asked { answer, date: seen.ended().date }
    }

    /// DescribeUserGroups. How many groups are on the first page.
    ///
    /// # Errors
    /// Why AWS does not list them.
    pub async fn list_groups(&self) -> Result<usize, Fault> {
        self.aws.page_of_groups(None).await.map(|page| page.groups.len())
    }

    /// ListTagsForResource. Tags that cannot be read at this moment are an answer as well.
    pub async fn list_tags(&self, arn: &Arn) -> Asked<()> {
        let seen = self.aws.interceptor(Operation::ListTagsForResource);
        let call = Call::new(Operation::ListTagsForResource, arn.user(), &[]);
        let request = self.aws.client.list_tags_for_resource().resource_name(arn.to_string());
        let sent = request.customize().interceptor(seen.clone()).send();
        let answer = match self.aws.finish(call, &seen, sent, |answer| answered_tags(answer.tag_list)).await {
            Ok(_) | Err(Answer::NotFound) => Ok(()),
            Err(answer) => Err(fault_in(answer)),
        };
        Asked { answer, date: seen.ended().date }
    }
}
