//! No I/O: what is seen of a call on its way. Whether it was sent, what came back, and whether that was whole: the SDK's
//! own errors do not tell. A failing provider of credentials looks like a lost connection, and half a document like a
//! shorter one.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_elasticache::config::http::HttpResponse;
use aws_sdk_elasticache::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextRef,
    BeforeTransmitInterceptorContextRef,
};
use aws_sdk_elasticache::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_elasticache::error::{BoxError, ErrorMetadata, ProvideErrorMetadata, SdkError};

use crate::leader_election::{Sending, Token};
use crate::users::failure::Failure;
use crate::users::journal::{Facts, Operation};

/// Notes the facts of one call, and stops a mutation that has no right to be sent. A clone goes along with the call.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    noted: Arc<Mutex<Noted>>,
    /// What a mutation needs a right from.
    token: Option<Token>,
}

#[derive(Debug, Default)]
struct Noted {
    facts: Facts,
    sending: Option<Sending>,
}

/// A mutation was about to be sent by a replica that does not lead any more.
#[derive(Debug, thiserror::Error)]
#[error("this replica of the operator does not lead any more")]
struct Deposed;

impl Wire {
    /// For one call of this operation.
    pub(super) fn new(operation: Operation, token: &Token) -> Self {
        Self { noted: Arc::default(), token: (!operation.reads()).then(|| token.clone()) }
    }

    /// The call has ended: the facts.
    pub(super) fn ended(&self) -> Facts {
        let mut noted = self.noted();
        if let Some(sending) = noted.sending.take() {
            sending.ended();
        }
        noted.facts.clone()
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Wire {
    fn name(&self) -> &'static str {
        "Wire"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The last moment before it goes: credentials are there, and the request is signed.
        let mut noted = self.noted();
        if let Some(token) = &self.token {
            noted.sending = Some(token.send().ok_or(Deposed)?);
        }
        noted.facts.sent = true;
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let facts = &mut self.noted().facts;
        facts.status = Some(response.status().as_u16());
        facts.date = response.headers().get("date").map(str::to_owned);
        facts.request_id = response.headers().get("x-amzn-requestid").map(str::to_owned);
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The SDK's parser takes the end of the text for the end of every element, so that a document that was cut between
        // two tags reads as one with fewer members: tags would be missing that are there.
        let body = context.response().body().bytes().unwrap_or_default();
        self.noted().facts.whole = body.trim_ascii_end().ends_with(b"Response>");
        Ok(())
    }
}

/// What a call failed of.
pub(super) fn failure<E>(error: &SdkError<E, HttpResponse>, facts: &Facts) -> Failure
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
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
        // Of the SDK's kinds that are known, only these are left for a call that was sent.
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) | _ => Failure::NoAnswer,
    }
}

/// What kept a call from being sent.
fn unsent<E>(error: &SdkError<E, HttpResponse>) -> Failure
where
    E: Error + 'static,
{
    let causes = || std::iter::successors(error.source(), |&cause| cause.source());
    // Nothing but credentials takes time before a call is sent. The error of the SDK's cache has no public type.
    let late = |cause: &(dyn Error + 'static)| cause.to_string().starts_with("identity resolver timed out");
    if matches!(error, SdkError::TimeoutError(_)) || causes().any(late) {
        return Failure::NoCredentials(Some("it took too long".to_owned()));
    }
    if causes().any(|cause| cause.is::<CredentialsError>()) {
        return Failure::NoCredentials(root(error));
    }
    Failure::NotSent(root(error).unwrap_or_else(|| error.to_string()))
}

/// What is at the root of an error: AWS's own words, where they are among its causes, else the last of these.
pub(super) fn root(error: &(dyn Error + 'static)) -> Option<String> {
    let causes = || std::iter::successors(error.source(), |&cause| cause.source());
    let said = causes()
        .filter_map(|cause| cause.downcast_ref::<ErrorMetadata>())
        .find_map(|said| Some(format!("{}: {}", said.code()?, said.message().unwrap_or_default())));
    said.or_else(|| causes().last().map(ToString::to_string))
}
