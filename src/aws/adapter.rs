//! I/O: implements the port with the AWS SDK: one SDK call for each method of [`UserApi`].
//!
//! The SDK's retries are off, because the operator must never repeat a mutation blindly. Do not format a request or a
//! builder that carries passwords: its `Debug` shows them.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use aws_sdk_elasticache::Client;
use aws_sdk_elasticache::config::http::HttpResponse;
use aws_sdk_elasticache::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use plan::classify::Answer;
use plan::verdict::Outcome;
use plan::{
    Arn, AuthenticationChange, AwsError, CallSource, Create, CredentialsId, Delete, Fault, GroupChange,
    GroupObservation, GroupOutcome, Modify, Password, RemoteUser, Tag, TagsObservation, Untag, UserGroupId,
    UserId, UserObservation,
};
use tokio::time::Instant;

use crate::call_log::{Call, CallFacts, Operation};
use crate::convert::{answered_tags, answered_user, authentication_mode, sent_tags};
use crate::credentials::KnownCredentials;
use crate::failure::Failure;
use crate::identity::{AccountInAnswer, IdentifyTurn};
use crate::interceptor::{CallInterceptor, failure};
use crate::random_password::random_password;
use crate::{GroupPage, Meter, MutationGuard, UserApi, UserPage};

/// Below the name of the operator, so that a log filter for the operator shows it.
const ERROR_TARGET: &str = "elasticache_user_operator::aws::adapter";

/// ElastiCache's users, through the SDK. Clones share connections, credentials and metrics.
#[derive(Clone)]
pub struct Aws {
    pub(crate) client: Client,
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) region: String,
    pub(crate) meter: Meter,
    /// `None`: every mutation may be sent.
    pub(crate) guard: Option<Arc<dyn MutationGuard>>,
    pub(crate) credentials: KnownCredentials,
    pub(crate) identifying: IdentifyTurn,
    /// Where the credentials should come from, for messages. `None`: nobody said.
    pub(crate) provider: Option<Arc<str>>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aws")
    }
}

impl Aws {
    /// Sends a mutation only if this token allows it.
    #[must_use]
    pub fn with_token(self, token: impl MutationGuard) -> Self {
        Self { guard: Some(Arc::new(token)), ..self }
    }

    /// The metrics of the calls.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(crate) async fn describe_one(&self, user_id: &str) -> (Result<RemoteUser, Answer>, CallFacts) {
        let seen = self.interceptor(Operation::DescribeUsers);
        let call = Call::new(Operation::DescribeUsers, user_id, &[]);
        let sent = self.client.describe_users().user_id(user_id).customize().interceptor(seen.clone()).send();
        let read = |answer: aws_sdk_elasticache::operation::describe_users::DescribeUsersOutput| {
            answer.users.unwrap_or_default().into_iter().find_map(|user| answered_user!(user, user_id))
        };
        (self.finish(call, &seen, sent, read).await, seen.ended())
    }

    pub(crate) fn interceptor(&self, operation: Operation) -> CallInterceptor {
        CallInterceptor::new(operation, self.guard.clone(), self.credentials.clone())
    }

    /// Waits for the end of a call, counts it and logs it. `read` returns `None` if the answer lacks a required member.
    pub(crate) async fn finish<T, R, E>(
        &self,
        call: Call<'_>,
        seen: &CallInterceptor,
        sent: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        read: impl FnOnce(T) -> Option<R> + Send,
    ) -> Result<R, Answer>
    where
        T: Send,
        R: AccountInAnswer + Send,
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let began = Instant::now();
        let ended = sent.await;
        let took = began.elapsed();
        let facts = seen.ended();
        let unreadable = || Failure::Unreadable(facts.status.unwrap_or_default());
        let result = match ended {
            Ok(answer) if facts.whole => read(answer).ok_or_else(unreadable),
            Ok(_) => Err(unreadable()),
            Err(error) => {
                // The error's text shows the answer's headers and body. AWS may have repeated a password there.
                if call.has_no_password() {
                    tracing::debug!(target: ERROR_TARGET, operation = call.operation().name(), error = %DisplayErrorContext(&error));
                }
                Err(failure(&error, &facts).of_provider(self.provider.as_deref()))
            }
        };
        let account = result.as_ref().ok().and_then(AccountInAnswer::account);
        if let (Some(id), Some(account)) = (facts.credentials, account) {
            self.credentials.learn_account(id, account);
        }
        call.ended(result, &facts, took, &self.meter)
    }
}

impl UserApi for Aws {
    async fn describe(&self, user_id: &UserId) -> (UserObservation, CallSource) {
        let (answer, facts) = self.describe_one(user_id.as_str()).await;
        let sight = match answer {
            Ok(user) => UserObservation::Found(user),
            Err(Answer::NotFound) => UserObservation::Absent,
            Err(answer) => UserObservation::Failed(fault_in(answer)),
        };
        (sight, self.source(&facts))
    }

    async fn list(&self, marker: Option<&str>) -> Result<UserPage, Fault> {
        self.page(marker).await
    }

    async fn identify(&self) -> CallSource {
        self.identify_account().await
    }

    async fn identify_caller(&self) -> CallSource {
        self.identify_by_sts().await
    }

    async fn list_tags(&self, arn: &Arn) -> TagsObservation {
        let seen = self.interceptor(Operation::ListTagsForResource);
        let call = Call::new(Operation::ListTagsForResource, arn.user(), &[]);
        let request = self.client.list_tags_for_resource().resource_name(arn.to_string());
        let sent = request.customize().interceptor(seen.clone()).send();
        match self.finish(call, &seen, sent, |answer| answered_tags(answer.tag_list)).await {
            Ok(tags) => TagsObservation::Read(tags),
            Err(Answer::NotFound) => TagsObservation::Unreadable,
            Err(answer) => TagsObservation::Failed(fault_in(answer)),
        }
    }

    async fn create(&self, create: &Create, signer: CredentialsId) -> Outcome {
        let Create { user_id, user_name, engine, access_string, authentication, tags, cause: _ } = create;
        let passwords = match passwords_to_send(Some(authentication)) {
            Ok(passwords) => passwords,
            Err(fault) => return Outcome::Failed(fault),
        };
        let seen = self.interceptor(Operation::CreateUser).signed_by(signer);
        let call = Call::new(Operation::CreateUser, user_id.as_str(), &passwords);
        let request = self
            .client
            .create_user()
            .user_id(user_id.as_str())
            .user_name(user_name)
            .engine(engine.as_str())
            .access_string(access_string)
            .authentication_mode(authentication_mode(authentication.kind(), &passwords))
            .set_tags(sent_tags(tags));
        let sent = request.customize().interceptor(seen.clone()).send();
        match self.finish(call, &seen, sent, |user| answered_user!(user, user_id.as_str())).await {
            Err(Answer::AlreadyExists) => Outcome::AlreadyExists,
            Err(Answer::NotFound) => Outcome::Failed(fault_in(Answer::NotFound)),
            ended => user_outcome(ended, &seen),
        }
    }

    async fn modify(&self, modify: &Modify, signer: CredentialsId) -> Outcome {
        let Modify { user_id, changes, cause: _ } = modify;
        let plan::Changes { access_string, engine, authentication } = changes;
        let passwords = match passwords_to_send(authentication.as_ref()) {
            Ok(passwords) => passwords,
            Err(fault) => return Outcome::Failed(fault),
        };
        let kind = authentication.as_ref().map(AuthenticationChange::kind);
        let seen = self.interceptor(Operation::ModifyUser).signed_by(signer);
        let call = Call::new(Operation::ModifyUser, user_id.as_str(), &passwords);
        let request = self
            .client
            .modify_user()
            .user_id(user_id.as_str())
            .set_access_string(access_string.clone())
            .set_engine(engine.map(|engine| engine.as_str().to_owned()))
            .set_authentication_mode(kind.map(|kind| authentication_mode(kind, &passwords)));
        let sent = request.customize().interceptor(seen.clone()).send();
        let ended = self.finish(call, &seen, sent, |user| answered_user!(user, user_id.as_str())).await;
        user_outcome(ended, &seen)
    }

    async fn tag(&self, tag: &Tag, signer: CredentialsId) -> Outcome {
        let Tag { arn, tags, cause: _ } = tag;
        let seen = self.interceptor(Operation::AddTagsToResource).signed_by(signer);
        let call = Call::new(Operation::AddTagsToResource, arn.user(), &[]);
        let request =
            self.client.add_tags_to_resource().resource_name(arn.to_string()).set_tags(sent_tags(tags));
        let sent = request.customize().interceptor(seen.clone()).send();
        let ended = self.finish(call, &seen, sent, |answer| answered_tags(answer.tag_list)).await;
        tagging_outcome(ended, &seen)
    }

    async fn untag(&self, untag: &Untag, signer: CredentialsId) -> Outcome {
        let Untag { arn, keys } = untag;
        let seen = self.interceptor(Operation::RemoveTagsFromResource).signed_by(signer);
        let call = Call::new(Operation::RemoveTagsFromResource, arn.user(), &[]);
        let request = self.client.remove_tags_from_resource().resource_name(arn.to_string());
        let sent = request.set_tag_keys(Some(keys.clone())).customize().interceptor(seen.clone()).send();
        let ended = self.finish(call, &seen, sent, |answer| answered_tags(answer.tag_list)).await;
        tagging_outcome(ended, &seen)
    }

    async fn delete(&self, delete: &Delete, signer: CredentialsId) -> Outcome {
        let Delete { user_id } = delete;
        let seen = self.interceptor(Operation::DeleteUser).signed_by(signer);
        let call = Call::new(Operation::DeleteUser, user_id.as_str(), &[]);
        let request = self.client.delete_user().user_id(user_id.as_str());
        let sent = request.customize().interceptor(seen.clone()).send();
        let ended = self.finish(call, &seen, sent, |user| answered_user!(user, user_id.as_str())).await;
        user_outcome(ended, &seen)
    }

    async fn describe_group(&self, group: &UserGroupId) -> (GroupObservation, CallSource) {
        self.see_group(group).await
    }

    async fn list_groups(&self, marker: Option<&str>) -> Result<GroupPage, Fault> {
        self.page_of_groups(marker).await
    }

    async fn modify_group(&self, change: &GroupChange, signer: CredentialsId) -> GroupOutcome {
        self.change_group(change, signer).await
    }
}

/// The passwords that a call carries. A random one is made here, and the call is its only place.
fn passwords_to_send(authentication: Option<&AuthenticationChange>) -> Result<Cow<'_, [Password]>, Fault> {
    match authentication {
        Some(AuthenticationChange::Password(passwords) | AuthenticationChange::FirstPassword(passwords)) => {
            Ok(Cow::Borrowed(passwords.values()))
        }
        Some(AuthenticationChange::RandomPassword) => random_password().map(|one| Cow::Owned(vec![one])),
        Some(AuthenticationChange::Iam | AuthenticationChange::NoPassword) | None => Ok(Cow::Borrowed(&[])),
    }
}

fn tagging_outcome(ended: Result<plan::Tags, Answer>, seen: &CallInterceptor) -> Outcome {
    match ended {
        Ok(tags) => Outcome::Tagged(tags),
        Err(answer) => user_outcome(Err(answer), seen),
    }
}

fn user_outcome(ended: Result<RemoteUser, Answer>, seen: &CallInterceptor) -> Outcome {
    match ended {
        Ok(user) => Outcome::Accepted(user),
        Err(_) if seen.ended().credentials_changed => Outcome::CredentialsChanged,
        Err(Answer::NotFound) => Outcome::NotFound,
        Err(answer) => Outcome::Failed(fault_in(answer)),
    }
}

/// If the answer cannot belong to this call, for instance `UserAlreadyExists` from DeleteUser, nobody knows what the call did.
pub(crate) fn fault_in(answer: Answer) -> Fault {
    let code = match answer {
        Answer::Fault(fault) => return fault,
        Answer::NotFound => "UserNotFound",
        Answer::AlreadyExists => "UserAlreadyExists",
    };
    Fault::Unavailable(AwsError::new(code, "this answer does not belong to the call."))
}
