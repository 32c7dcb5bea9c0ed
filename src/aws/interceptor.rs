//! No I/O: an SDK interceptor that records whether a call was sent, what AWS answered, and whether the answer was complete.
//!
//! The SDK's errors do not show this. They report a failing credentials provider like a lost connection. And the SDK accepts a
//! document that was cut off, if it happens to be valid.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_elasticache::config::http::HttpResponse;
use aws_sdk_elasticache::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_elasticache::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_elasticache::error::{BoxError, ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use plan::CredentialsId;

use crate::call_log::{CallFacts, Operation};
use crate::credentials::KnownCredentials;
use crate::failure::Failure;
use crate::{MutationGuard, SentMutation};

/// The longest body that is read, in bytes. The longest of AWS, a page of 100 users, has some hundred kilobytes. A longer one
/// would only fill memory; the call then has no readable answer.
const LONGEST_BODY: usize = 4 << 20;

/// Records the facts of one call. Stops a mutation if the guard does not allow it, or if it was signed by other credentials than
/// the DescribeUsers before it. The call gets a clone.
#[derive(Clone, Debug)]
pub(crate) struct CallInterceptor {
    record: Arc<Mutex<InterceptedCall>>,
    /// `None` for a read, and if there is no guard.
    guard: Option<Arc<dyn MutationGuard>>,
    credentials: KnownCredentials,
    /// The only credentials that may sign the call; `None`: any.
    signer: Option<CredentialsId>,
}

#[derive(Debug, Default)]
struct InterceptedCall {
    facts: CallFacts,
    sent: Option<Box<dyn SentMutation>>,
}

#[derive(Debug, thiserror::Error)]
#[error("this replica of the operator does not lead any more")]
struct NotLeading;

#[derive(Debug, thiserror::Error)]
#[error("the credentials changed right before the call")]
struct SignedByOthers;

impl CallInterceptor {
    pub(crate) fn new(
        operation: Operation,
        guard: Option<Arc<dyn MutationGuard>>,
        credentials: KnownCredentials,
    ) -> Self {
        Self {
            record: Arc::default(),
            guard: guard.filter(|_| !operation.is_read()),
            credentials,
            signer: None,
        }
    }

    /// Stops the call if other credentials signed it.
    pub(crate) fn signed_by(self, signer: CredentialsId) -> Self {
        Self { signer: Some(signer), ..self }
    }

    /// To be called when the call has ended.
    pub(crate) fn ended(&self) -> CallFacts {
        let mut record = self.record();
        if let Some(sent) = record.sent.take() {
            sent.answered();
        }
        record.facts.clone()
    }

    fn record(&self) -> MutexGuard<'_, InterceptedCall> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for CallInterceptor {
    fn name(&self) -> &'static str {
        "CallInterceptor"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Nothing happens between this hook and the transmission. The request is signed already.
        let mut record = self.record();
        let authorization = context.request().headers().get("authorization").unwrap_or_default();
        let signed_by = self.credentials.that_signed(authorization);
        if self.signer.is_some_and(|signer| signer != signed_by) {
            record.facts.credentials_changed = true;
            return Err(SignedByOthers.into());
        }
        if let Some(guard) = &self.guard {
            record.sent = Some(guard.begin().ok_or(NotLeading)?);
        }
        record.facts.credentials = Some(signed_by);
        record.facts.sent = true;
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let facts = &mut self.record().facts;
        facts.status = Some(response.status().as_u16());
        facts.date = response.headers().get("date").map(str::to_owned);
        facts.request_id = response.headers().get("x-amzn-requestid").map(str::to_owned);
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let whole = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(whole, LONGEST_BODY));
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The SDK's parser accepts a document that was cut off between two tags. Existing members, such as owner tags, would then
        // seem to be missing.
        let body = context.response().body().bytes().unwrap_or_default();
        self.record().facts.whole = body.trim_ascii_end().ends_with(b"Response>");
        Ok(())
    }
}

/// Why a call failed.
pub(crate) fn failure<E>(error: &SdkError<E, HttpResponse>, facts: &CallFacts) -> Failure
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    if facts.credentials_changed {
        return Failure::CredentialsChanged;
    }
    if !facts.sent {
        return unsent(error);
    }
    let status = facts.status.unwrap_or_default();
    match error {
        SdkError::TimeoutError(_) => Failure::TimedOut,
        SdkError::DispatchFailure(connector) if connector.is_timeout() => Failure::TimedOut,
        SdkError::ServiceError(refusal) if facts.whole && status >= 300 => match refusal.err().code() {
            Some(code) => Failure::Refused {
                code: code.to_owned(),
                message: refusal.err().message().unwrap_or_default().to_owned(),
                status,
            },
            None => Failure::Unreadable(status),
        },
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => Failure::Unreadable(status),
        // The SDK's enum is non-exhaustive. A call that was sent has no other way to fail.
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) | _ => Failure::NoAnswer,
    }
}

/// Why a call was not sent.
fn unsent<E>(error: &SdkError<E, HttpResponse>) -> Failure
where
    E: Error + 'static,
{
    let causes = || std::iter::successors(error.source(), |&cause| cause.source());
    // Before a call is sent, only credentials can time out. The error of the SDK's identity cache has no public type, so look at its
    // text.
    let late = |cause: &(dyn Error + 'static)| cause.to_string().starts_with("identity resolver timed out");
    if matches!(error, SdkError::TimeoutError(_)) || causes().any(late) {
        return Failure::NoCredentials { provider: None, why: Some("it took too long".to_owned()) };
    }
    if causes().any(|cause| cause.is::<CredentialsError>()) {
        return Failure::NoCredentials { provider: None, why: root_cause(error) };
    }
    Failure::NotSent(root_cause(error).unwrap_or_else(|| error.to_string()))
}

/// The root cause of an error: AWS's own text if a cause has it, else the last cause.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> Option<String> {
    let causes = || std::iter::successors(error.source(), |&cause| cause.source());
    let aws_text = causes()
        .filter_map(|cause| cause.downcast_ref::<ErrorMetadata>())
        .find_map(|error| Some(format!("{}: {}", error.code()?, error.message().unwrap_or_default())));
    aws_text.or_else(|| causes().last().map(ToString::to_string))
}
