//! A model of the API server and of AWS: many objects at rest.

use std::convert::Infallible;
use std::iter;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure, opt_out};
use aws::UserPage;
use axum::body::{Body as Answer, Bytes};
use axum::http::{Request, Response};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use kube::client::Body;
use plan::pass::Settings;
use plan::verdict::Outcome;
use plan::{
    Account, Arn, CallSource, Create, CredentialsId, Delete, Fault, Lifecycle, Modify, Owner, RemoteUser,
    Tag, TagsObservation, Untag, UserId, UserObservation,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::runtime::{Builder, Runtime};

use super::super::*;
use crate::account::{Limiter, RateLimited};
use crate::clock::PassClock;
use crate::connection::{WatchHealth, watching};
use crate::kubernetes::{Events, Kubernetes};
use crate::leader_election::Token;
use crate::memories::Memories;
use crate::orphans::Orphans;
use crate::places::Places;
use crate::resolve::{Lockdown, Patterns, Policy};
use crate::telemetry::{Corrections, ObjectMetrics, OperatorName};

/// An API server with this many suspended objects and Secrets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Model {
    pub(super) objects: usize,
    pub(super) secrets: usize,
    /// Bytes of metadata that others wrote, for each object and Secret.
    pub(super) fat: usize,
    /// Each object changes once.
    pub(super) changes: bool,
    /// The objects are not suspended. Their users are as they should be, and every second one has a password. Each object gets a
    /// pass after the first listing.
    pub(super) active: bool,
}

/// A port that only shows the users of objects at rest.
struct ModelAws(Model);

impl UserApi for ModelAws {
    async fn describe(&self, id: &UserId) -> (UserObservation, CallSource) {
        let account = Account::Known("123456789012".into());
        let source = CallSource { region: "us-east-1".into(), credentials: CredentialsId(1), account };
        (UserObservation::Found(self.0.user(user_number(id.as_str()))), source)
    }

    async fn list(&self, _: Option<&str>) -> Result<UserPage, Fault> {
        let users = (0..self.0.objects).map(|number| self.0.user(number)).collect();
        Ok(UserPage { users, ..UserPage::default() })
    }

    async fn identify_caller(&self) -> CallSource {
        unreachable!("a call for an object at rest")
    }

    async fn identify(&self) -> CallSource {
        unreachable!("a call for an object at rest")
    }

    async fn list_tags(&self, arn: &Arn) -> TagsObservation {
        let owner = Owner { cluster: "prod".into(), namespace: "shop".into(), name: arn.user().to_owned() };
        TagsObservation::Read(owner.tags(&object_uid(user_number(arn.user()))))
    }

    async fn create(&self, _: &Create, _: CredentialsId) -> Outcome {
        unreachable!("a call for an object at rest")
    }

    async fn modify(&self, _: &Modify, _: CredentialsId) -> Outcome {
        unreachable!("a call for an object at rest")
    }

    async fn tag(&self, _: &Tag, _: CredentialsId) -> Outcome {
        unreachable!("a call for an object at rest")
    }

    async fn untag(&self, _: &Untag, _: CredentialsId) -> Outcome {
        unreachable!("a call for an object at rest")
    }

    async fn delete(&self, _: &Delete, _: CredentialsId) -> Outcome {
        unreachable!("a call for an object at rest")
    }

    async fn describe_group(&self, _: &plan::UserGroupId) -> (plan::GroupObservation, CallSource) {
        unreachable!("a call for an object at rest")
    }

    async fn list_groups(&self, _: Option<&str>) -> Result<aws::GroupPage, Fault> {
        unreachable!("a call for an object at rest")
    }

    async fn modify_group(&self, _: &plan::GroupChange, _: CredentialsId) -> plan::GroupOutcome {
        unreachable!("a call for an object at rest")
    }
}

/// Metadata that others write: one half annotations and labels, the other half managed fields and finalizers.
fn others(fat: usize) -> String {
    let (value, entry) = ("v".repeat(fat / 4), "\"f:example\":{},".repeat(fat / 60));
    let finalizers: String =
        (0..fat / 100).map(|number| format!(",\"example.com/finalizer-{number}\"")).collect();
    format!(
        r#""annotations":{{"example.com/a":"{value}","elasticache-users.dev.example.com/b":"b","elasticache-users.dev/unknown":"{value}"}},"labels":{{"l":"{value}"}},"managedFields":[{{"manager":"m","operation":"Update","fieldsV1":{{{entry}"f:z":{{}}}}}}],"ownerReferences":[{{"apiVersion":"v1","kind":"K","name":"n","uid":"u"}}],"finalizers":["elasticache-users.dev/user-cleanup"{finalizers}]"#
    )
}

fn user_number(user_id: &str) -> usize {
    user_id.trim_start_matches("user-").parse().unwrap()
}

fn object_uid(number: usize) -> String {
    format!("538095e9-5f36-4ba4-9aa3-{number:012}")
}

/// An object at rest, as the operator leaves it, so that a pass writes nothing.
pub(super) fn object(number: usize, version: usize, model: Model) -> String {
    let (others, uid) = (others(model.fat), object_uid(number));
    let has_password = model.active && number.is_multiple_of(2);
    let (asked, shown, sent) = if has_password {
        let reference = format!(r#"{{"secretKeyRef":{{"name":"secret-{number}","key":"password"}}}}"#);
        let sent = format!(r#","passwordVersions":["s-{number}/7/password"]"#);
        (format!(r#","passwords":[{reference}]"#), r#","passwordCount":1"#, sent)
    } else {
        (String::new(), "", String::new())
    };
    let kind = if has_password { "password" } else { "iam" };
    let suspend = !model.active;
    let (reason, message) = if suspend {
        ("Suspended", "spec.suspend is true: AWS is not called for this object until it is false.".to_owned())
    } else {
        ("Active", format!("AWS user \\\"user-{number}\\\" is active and matches the spec."))
    };
    format!(
        r#"{{"apiVersion":"elasticache-users.dev/v1alpha1","kind":"ElastiCacheUser","metadata":{{"name":"user-{number}","namespace":"shop","uid":"{uid}","resourceVersion":"{version}","generation":2,"creationTimestamp":"2026-11-30T19:54:41Z",{others}}},"spec":{{"accessString":"on ~* +@all","authentication":{{"type":"{kind}"{asked}}},"engine":"valkey","suspend":{suspend}}},"status":{{"accessString":"on ~* +@all","arn":"arn:aws:elasticache:us-east-1:123456789012:user:user-{number}","authentication":{{"type":"{kind}"{shown}}},"conditions":[{{"lastTransitionTime":"2026-11-30T19:54:41Z","message":"{message}","observedGeneration":2,"reason":"{reason}","status":"True","type":"Ready"}}],"engine":"valkey","lastApplied":{{"accessString":"on ~* +@all","expandedAccessString":"on ~* +@all"{sent}}},"location":{{"account":"123456789012","region":"us-east-1"}},"minimumEngineVersion":"7.0","observedGeneration":2,"state":"active","userID":"user-{number}","userName":"user-{number}"}}}}"#
    )
}

fn secret(number: usize, fat: usize) -> String {
    let others = others(fat);
    format!(
        r#"{{"metadata":{{"name":"secret-{number}","namespace":"shop","uid":"s-{number}","resourceVersion":"7",{others}}},"data":{{"password":"YS1wYXNzd29yZC1vZi0xNi1jaGFyYWN0ZXJz"}}}}"#
    )
}

/// The operator's requests, without the answers.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

fn parameter(request: &Request<Body>, name: &str) -> Option<usize> {
    let pairs = request.uri().query()?.split('&');
    pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1.parse().ok()
}

impl Model {
    fn user(self, number: usize) -> RemoteUser {
        let has_password = number.is_multiple_of(2);
        RemoteUser {
            user_id: format!("user-{number}"),
            user_name: format!("user-{number}"),
            lifecycle: Lifecycle::Active,
            engine: "valkey".into(),
            minimum_engine_version: Some("7.0".into()),
            access_string: "on ~* +@all".into(),
            user_group_ids: Vec::new(),
            authentication_type: if has_password { "password" } else { "iam" }.into(),
            password_count: has_password.then_some(1),
            arn: Arn::parse(&format!("arn:aws:elasticache:us-east-1:123456789012:user:user-{number}"))
                .unwrap(),
        }
    }

    /// Sends the body object by object, so that the model itself needs little memory.
    fn answer(self, request: &Request<Body>) -> BoxStream<'static, String> {
        if let Some((_, number)) = request.uri().path().split_once("/secrets/secret-") {
            return stream::iter([secret(number.parse().unwrap(), 0)]).boxed();
        }
        let secrets = request.uri().path().ends_with("/secrets");
        let (count, fat) = (if secrets { self.secrets } else { self.objects }, self.fat);
        let item = move |number| if secrets { secret(number, fat) } else { object(number, 7, self) };
        if parameter(request, "timeoutSeconds").is_some() {
            let changes = if self.changes && !secrets { 0..count } else { 0..0 };
            let event = move |number| {
                format!("{{\"type\":\"MODIFIED\",\"object\":{}}}\n", object(number, 8 + number, self))
            };
            return stream::iter(changes.map(event)).chain(stream::pending()).boxed();
        }
        let begin = parameter(request, "continue").unwrap_or_default();
        let end = count.min(begin + parameter(request, "limit").unwrap_or(count));
        let next = if end < count { format!(",\"continue\":\"{end}\"") } else { String::new() };
        let head = format!(
            "{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"metadata\":{{\"resourceVersion\":\"7\"{next}}},\"items\":["
        );
        let items = (begin..end).map(move |number| {
            let comma = if number > begin { "," } else { "" };
            comma.to_owned() + &item(number)
        });
        stream::iter(iter::once(head).chain(items).chain(iter::once("]}".to_owned()))).boxed()
    }

    fn client(self, asked: &Asked) -> Client {
        let asked = asked.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let accept = request.headers().get("accept").and_then(|accept| accept.to_str().ok());
            opt_out(|| {
                let line = format!("{} {}", request.method(), request.uri());
                asked.lock().unwrap().push((line, accept.map(str::to_owned)));
            });
            let body = self.answer(&request).map(|part| Ok::<_, Infallible>(Bytes::from(part)));
            async { Ok::<_, Infallible>(Response::new(Answer::from_stream(body))) }
        });
        Client::new(service, "default")
    }
}

fn context(client: Client, model: Model, ending: watch::Receiver<bool>) -> Arc<Context<ModelAws>> {
    let objects = ObjectMetrics::new("Delete");
    let metrics = Metrics::register(&mut Registry::default(), objects, OperatorName::default());
    let pace = plan::pace::Pace::default();
    let kubernetes = Kubernetes::new(client, Token::unlimited());
    Arc::new(Context {
        queue: Queue::new(10, pace.spacing, metrics.queue.clone()),
        reconciler: Reconciler {
            events: Events::start(&kubernetes, Counter::default()).0,
            kubernetes,
            users: RateLimited::new(ModelAws(model), Limiter::new(10.0, 20)),
            places: Places::new(None),
            policy: Policy {
                cluster_id: "prod".into(),
                default_deletion_policy: plan::DeletionPolicy::Delete,
                adoption_namespaces: Patterns::default(),
                required_prefix: None,
                allowed_user_groups: Vec::new(),
                lockdown: Lockdown::default(),
                class: String::new(),
            },
            settings: Arc::new(Settings {
                pace,
                region: "us-east-1".into(),
                identity: "it".into(),
                namespaces: Vec::new(),
            }),
            memories: Memories::default(),
            orphans: Orphans::default(),
            groups: crate::groups::UserGroups::new(plan::pace::Pace::default(), Default::default()),
            orphans_removed: Counter::default(),
            corrections: Corrections::default(),
            pass_timeout: Duration::from_secs(900),
            clock: PassClock::start(),
            ending,
        },
        metrics,
    })
}

/// Starts the operator. Returns its allocations, including everything that it keeps until the runtime is dropped, and its requests.
pub(super) fn started(model: Model) -> (AllocationInfo, Vec<(String, Option<String>)>, Runtime) {
    let asked = Asked::default();
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let cost = measure(|| {
        runtime.block_on(async {
            let client = model.client(&asked);
            let (end, ending) = watch::channel(false);
            let watches = watching(client.clone(), WatchHealth::default(), Duration::from_secs(15));
            let context = context(client, model, ending.clone());
            tokio::spawn(run(watches, Watched::default(), context.clone(), ending, Arc::new(|_| {})));
            tokio::time::sleep(Duration::from_secs(10)).await;
            if model.active {
                let objects = (0..model.objects).map(|number| format!("shop/user-{number}"));
                objects.for_each(|object| context.queue.request(&object, Trigger::Change));
                tokio::time::sleep(Duration::from_secs(120)).await;
            }
            std::mem::forget(end);
        });
    });
    let asked = asked.lock().unwrap().drain(..).collect();
    (cost, asked, runtime)
}
