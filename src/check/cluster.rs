//! I/O: what `check` asks the API server. Nothing is written there; each question has a time-out.

use std::time::Duration;

use axum::http::Request;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use kube::client::Body;
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use plan::DeletionPolicy;
use serde_json::Value;

use super::clocks::Reading;
use super::definition::Installed;
use super::permissions::{Answered, Place, Rule};
use super::uninstall::Found;
use crate::api::{
    AuthenticationType, ElastiCacheUser, ElastiCacheUserSpec, FINALIZER, GROUP, PREVENT_DELETION, VERSION,
};
use crate::{clock, connection, resolve};

/// Not the operator's: whoever reads the audit log can tell both apart.
const USER_AGENT: &str = concat!("elasticache-user-operator-check/", env!("CARGO_PKG_VERSION"));
/// Questions that are asked at the same time.
const AT_ONCE: usize = 8;

/// The API server.
pub(crate) struct Cluster {
    client: Client,
    timeout: Duration,
    /// The namespace of the kubeconfig's context, or of the pod.
    pub(crate) namespace: String,
    /// Its address.
    pub(crate) url: String,
}

/// How far a list has come when it could not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unlisted {
    /// There is no such resource.
    #[error("the CustomResourceDefinition is not installed")]
    NoDefinition,
    /// It may not be listed.
    #[error("{0}")]
    Refused(String),
}

/// As a row tells it: with a capital, and a full stop.
fn told(why: &str) -> String {
    let (first, rest) = why.split_at(1);
    format!("{}{rest}.", first.to_uppercase())
}

impl Cluster {
    /// By KUBECONFIG, or the pod's ServiceAccount. Nothing is asked yet.
    ///
    /// # Errors
    /// A sentence, where there is nothing to connect to.
    pub(crate) async fn connect(timeout: Duration) -> Result<Self, String> {
        let config = connection::configuration(USER_AGENT).await;
        let config = config.map_err(|error| told(&error.to_string()))?;
        let (namespace, url) = (config.default_namespace.clone(), config.cluster_url.to_string());
        let url = url.trim_end_matches('/').to_owned();
        let client = Client::try_from(connection::with_timeout(&config, timeout))
            .map_err(|error| format!("The Kubernetes configuration cannot be used: {error}"))?;
        Ok(Self { client, timeout, namespace, url })
    }

    async fn within<T>(&self, asked: impl Future<Output = kube::Result<T>>) -> Result<T, kube::Error> {
        let late =
            || kube::Error::Service(format!("no answer within {} s", self.timeout.as_secs_f32()).into());
        tokio::time::timeout(self.timeout, asked).await.map_err(|_| late())?
    }

    /// The API server's version, such as `v1.33.1`, and what its clock says.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn version(&self) -> Result<(Value, Option<Reading>), String> {
        let asked = clock::now();
        let answer = async {
            let request = Request::get("/version").body(Body::empty()).map_err(kube::Error::HttpError)?;
            let answer = self.client.send(request).await?;
            let (parts, body) = answer.into_parts();
            let body = body.collect_bytes().await?;
            Ok((parts, body))
        };
        let (parts, body) = self.within(answer).await.map_err(|error| words(&error))?;
        let date = parts.headers.get("date").and_then(|date| date.to_str().ok());
        let reading = Reading::new(asked, date, clock::now());
        let read = serde_json::from_slice(&body).ok().filter(|_| parts.status.is_success());
        let version = read.ok_or_else(|| format!("it answers {}", parts.status))?;
        Ok((version, reading))
    }

    /// Who asks, as the API server sees it.
    pub(crate) async fn who(&self) -> Option<String> {
        let reviews: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let answer =
            self.within(reviews.create(&PostParams::default(), &SelfSubjectReview::default())).await.ok()?;
        answer.status?.user_info?.username
    }

    /// Whether a rule is granted in all these places.
    pub(crate) async fn may(&self, rule: &Rule, places: &[Place]) -> Vec<Answered> {
        let questions = places.iter().flat_map(|place| rule.verbs.iter().map(move |verb| (place, *verb)));
        let asked = questions.map(|(place, verb)| async move {
            let allowed = self.review(rule, place.as_deref(), verb).await;
            Answered { place: place.clone(), verb, allowed }
        });
        stream::iter(asked).buffered(AT_ONCE).collect().await
    }

    async fn review(&self, rule: &Rule, namespace: Option<&str>, verb: &str) -> Result<bool, String> {
        let text = |text: &str| Some(text.to_owned());
        let question = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    group: text(rule.group),
                    resource: text(rule.resource),
                    subresource: rule.subresource.map(str::to_owned),
                    name: rule.name.map(str::to_owned),
                    namespace: namespace.map(str::to_owned),
                    verb: text(verb),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let answer = self.within(reviews.create(&PostParams::default(), &question)).await;
        match answer {
            Ok(review) => Ok(review.status.is_some_and(|status| status.allowed)),
            Err(error) => Err(words(&error)),
        }
    }

    /// The CustomResourceDefinition.
    pub(crate) async fn definition(&self) -> Installed {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        match self.within(definitions.get(ElastiCacheUser::crd_name())).await {
            Ok(found) => Installed::Read(Box::new(found)),
            Err(kube::Error::Api(status)) if status.code == 404 => Installed::Missing,
            Err(kube::Error::Api(status)) if status.code == 403 => {
                let version = format!("{GROUP}/{VERSION}");
                let served = self.within(self.client.list_api_group_resources(&version)).await;
                Installed::Forbidden { served: served.is_ok() }
            }
            Err(error) => Installed::Unread(words(&error)),
        }
    }

    /// The UID of the namespace kube-system.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) async fn cluster_uid(&self) -> Result<String, String> {
        self.within(connection::cluster_uid(&self.client)).await.map_err(|error| words(&error))
    }

    /// All objects of the scope. They are read as they are stored: whatever one is, the others are told.
    ///
    /// # Errors
    /// Where one of the lists cannot be had.
    pub(crate) async fn objects(
        &self,
        places: &[Place],
        page: u32,
        default: DeletionPolicy,
    ) -> Result<Vec<Found>, Unlisted> {
        let lists = places.iter().map(|place| self.list(place.as_deref(), page, default));
        let lists: Vec<Vec<Found>> = stream::iter(lists).buffered(AT_ONCE).try_collect().await?;
        Ok(lists.into_iter().flatten().collect())
    }

    async fn list(
        &self,
        namespace: Option<&str>,
        page: u32,
        default: DeletionPolicy,
    ) -> Result<Vec<Found>, Unlisted> {
        let resource = ApiResource::erase::<ElastiCacheUser>(&());
        let objects: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let (mut found, mut params) = (Vec::new(), ListParams::default().limit(page));
        loop {
            let list = match self.within(objects.list(&params)).await {
                Ok(list) => list,
                // The list has grown too old to go on with: the rest of it is read as it is now, from the beginning.
                Err(kube::Error::Api(status)) if status.code == 410 && params.continue_token.is_some() => {
                    found.clear();
                    params = ListParams::default();
                    continue;
                }
                Err(kube::Error::Api(status)) if status.code == 404 => return Err(Unlisted::NoDefinition),
                Err(error) => return Err(Unlisted::Refused(words(&error))),
            };
            found.extend(list.items.iter().map(|object| summary(object, default)));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(found),
            }
        }
    }
}

fn summary(object: &DynamicObject, default: DeletionPolicy) -> Found {
    // What has the wrong shape counts as left out, as it does for the operator.
    let spec: ElastiCacheUserSpec = object
        .data
        .get("spec")
        .and_then(|spec| serde_json::from_value(spec.clone()).ok())
        .unwrap_or_default();
    let type_ = spec.authentication.as_ref().and_then(|given| given.type_.as_ref());
    let arn = object.data.pointer("/status/arn").and_then(Value::as_str);
    Found {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        wanted_user: spec.user_id.clone().unwrap_or_else(|| object.name_any()).to_ascii_lowercase(),
        policy: resolve::deletion_policy(&spec, default),
        observes: resolve::observes(&spec),
        suspended: spec.suspend == Some(true),
        held: object.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
        leaving: object.metadata.deletion_timestamp.is_some(),
        protected: object.annotations().get(PREVENT_DELETION).is_some_and(|value| value == "true"),
        with_passwords: type_ == Some(&AuthenticationType::Password),
        arn: arn.map(str::to_owned),
    }
}

/// What the API server said, or what was at the root of there being no answer.
fn words(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return status.message.clone();
    }
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}
