//! I/O: who may read /metrics. The API server says whose bearer token it is (TokenReview), and whether that user may `get` the path
//! /metrics (SubjectAccessReview).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::Instant;

use super::SparseWarnings;
use crate::connection;

/// How long a permission counts without being reviewed again.
const FRESH: Duration = Duration::from_secs(60);
/// How long it counts while the API server does not answer, or while too many others ask.
const STALE: Duration = Duration::from_secs(300);
/// The most tokens that are remembered.
const MOST_READERS: usize = 64;
/// Anybody who reaches the port can send tokens. All of them together cost at most so many reviews a second.
const MOST_REVIEWS: usize = 5;
const REVIEW_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub(super) enum Denied {
    #[error("a bearer token is needed")]
    Unauthenticated,
    #[error("the Kubernetes user of this token is not allowed to get /metrics")]
    Forbidden,
    #[error("too many unknown tokens: try again")]
    Busy,
    #[error("the API server does not say whose token this is")]
    NoAnswer,
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::NoAnswer => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, [(header::WWW_AUTHENTICATE, "Bearer")], format!("{self}\n")).into_response()
    }
}

/// The tokens that may read /metrics. Never formatted, because it has the tokens.
pub struct MetricsReaders {
    client: Client,
    /// When the API server allowed the token for the last time.
    allowed: Mutex<HashMap<String, Instant>>,
    /// The reviews of the last second.
    reviews: Mutex<VecDeque<Instant>>,
    warnings: SparseWarnings,
}

impl MetricsReaders {
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            allowed: Mutex::default(),
            reviews: Mutex::default(),
            warnings: SparseWarnings::default(),
        }
    }

    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let token = bearer_token(headers).ok_or(Denied::Unauthenticated)?;
        let known_for = self.allowed().get(token).map(Instant::elapsed);
        if known_for.is_some_and(|age| age < FRESH) {
            return Ok(());
        }
        let answer = if self.may_review() { self.reviewed(token).await } else { Err(Denied::Busy) };
        match &answer {
            Err(Denied::Busy | Denied::NoAnswer) if known_for.is_some_and(|age| age < STALE) => return Ok(()),
            Ok(()) => self.remember(token),
            Err(Denied::Unauthenticated | Denied::Forbidden) => drop(self.allowed().remove(token)),
            Err(Denied::Busy | Denied::NoAnswer) => {}
        }
        answer
    }

    fn allowed(&self) -> std::sync::MutexGuard<'_, HashMap<String, Instant>> {
        self.allowed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, token: &str) {
        let mut allowed = self.allowed();
        allowed.retain(|_, at| at.elapsed() < STALE);
        if allowed.len() < MOST_READERS || allowed.contains_key(token) {
            allowed.insert(token.to_owned(), Instant::now());
        }
    }

    fn may_review(&self) -> bool {
        let mut reviews = self.reviews.lock().unwrap_or_else(PoisonError::into_inner);
        reviews.retain(|begun| begun.elapsed() < Duration::from_secs(1));
        let room = reviews.len() < MOST_REVIEWS;
        if room {
            reviews.push_back(Instant::now());
        }
        room
    }

    async fn reviewed(&self, token: &str) -> Result<(), Denied> {
        let failed = match tokio::time::timeout(REVIEW_TIMEOUT, self.review(token)).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(error)) => connection::kube_error_message(&error),
            Err(_) => format!("no answer within {} s", REVIEW_TIMEOUT.as_secs()),
        };
        if let Some(left_out) = self.warnings.due() {
            tracing::warn!(
                left_out,
                "nobody new can read /metrics, because tokens cannot be reviewed: {failed}"
            );
        }
        Err(Denied::NoAnswer)
    }

    async fn review(&self, token: &str) -> kube::Result<Result<(), Denied>> {
        let spec = TokenReviewSpec { token: Some(token.to_owned()), ..TokenReviewSpec::default() };
        let question = TokenReview { spec, ..TokenReview::default() };
        let reviews: Api<TokenReview> = Api::all(self.client.clone());
        let status = reviews.create(&PostParams::default(), &question).await?.status.unwrap_or_default();
        let user = status.user.filter(|_| status.authenticated == Some(true));
        let Some(user) = user else { return Ok(Err(Denied::Unauthenticated)) };
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let review = reviews.create(&PostParams::default(), &may_get_metrics(user)).await?;
        let allowed = review.status.is_some_and(|status| status.allowed);
        Ok(if allowed { Ok(()) } else { Err(Denied::Forbidden) })
    }
}

fn may_get_metrics(user: UserInfo) -> SubjectAccessReview {
    let text = |text: &str| Some(text.to_owned());
    let spec = SubjectAccessReviewSpec {
        user: user.username,
        uid: user.uid,
        groups: user.groups,
        extra: user.extra,
        non_resource_attributes: Some(NonResourceAttributes { path: text("/metrics"), verb: text("get") }),
        ..SubjectAccessReviewSpec::default()
    };
    SubjectAccessReview { spec, ..SubjectAccessReview::default() }
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
