//! How many bytes the operator keeps, and how many it needs meanwhile. The allocator counts them, and a model replaces the API server.
//! The clock is paused, so after a sleep of the test every task has done what it can.

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
    Arn, CallSource, Create, CredentialsId, Delete, Fault, Modify, Tag, TagsObservation, Untag, UserId,
    UserObservation,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::account::{Limiter, RateLimited};
use crate::api::{FINALIZER, PREVENT_DELETION, RECONCILE_REQUESTED_AT};
use crate::clock::PassClock;
use crate::connection::{WatchHealth, watching};
use crate::kubernetes::{Events, Kubernetes};
use crate::leader_election::Token;
use crate::memories::Memories;
use crate::orphans::Orphans;
use crate::places::Places;
use crate::resolve::{Lockdown, Patterns, Policy};
use crate::telemetry::ObjectMetrics;

const MIB: u64 = 1 << 20;
/// The most bytes of an object at rest, without its spec and status: in the store, the index, the queue and the memory of passes.
const MOST_AT_REST: i64 = 2600;
/// Kubernetes allows 256 KiB for all annotations of an object together.
const FAT: usize = 250_000;

/// An API server with this many suspended objects and Secrets.
#[derive(Clone, Copy, Default)]
struct Model {
    objects: usize,
    secrets: usize,
    /// Bytes of metadata that others wrote, for each object and Secret.
    fat: usize,
    /// Each object changes once.
    changes: bool,
}

/// A port without calls, because suspended objects make none.
struct NoAws;

impl UserApi for NoAws {
    async fn describe(&self, _: &UserId) -> (UserObservation, CallSource) {
        unreachable!("a call for a suspended object")
    }

    async fn list(&self, _: Option<&str>) -> Result<UserPage, Fault> {
        unreachable!("a call for a suspended object")
    }

    async fn identify_caller(&self) -> CallSource {
        unreachable!("a call for a suspended object")
    }

    async fn identify(&self) -> CallSource {
        unreachable!("a call for a suspended object")
    }

    async fn list_tags(&self, _: &Arn) -> TagsObservation {
        unreachable!("a call for a suspended object")
    }

    async fn create(&self, _: &Create, _: CredentialsId) -> Outcome {
        unreachable!("a call for a suspended object")
    }

    async fn modify(&self, _: &Modify, _: CredentialsId) -> Outcome {
        unreachable!("a call for a suspended object")
    }

    async fn tag(&self, _: &Tag, _: CredentialsId) -> Outcome {
        unreachable!("a call for a suspended object")
    }

    async fn untag(&self, _: &Untag, _: CredentialsId) -> Outcome {
        unreachable!("a call for a suspended object")
    }

    async fn delete(&self, _: &Delete, _: CredentialsId) -> Outcome {
        unreachable!("a call for a suspended object")
    }

    async fn describe_group(&self, _: &plan::UserGroupId) -> (plan::GroupObservation, CallSource) {
        unreachable!("a call for a suspended object")
    }

    async fn list_groups(&self, _: Option<&str>) -> Result<aws::GroupPage, Fault> {
        unreachable!("a call for a suspended object")
    }

    async fn modify_group(&self, _: &plan::GroupChange, _: CredentialsId) -> plan::GroupOutcome {
        unreachable!("a call for a suspended object")
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

/// A suspended object as the operator leaves it, so that a pass writes nothing.
fn object(number: usize, version: usize, fat: usize) -> String {
    let others = others(fat);
    format!(
        r#"{{"apiVersion":"elasticache-users.dev/v1alpha1","kind":"ElastiCacheUser","metadata":{{"name":"user-{number}","namespace":"shop","uid":"538095e9-5f36-4ba4-9aa3-{number:012}","resourceVersion":"{version}","generation":2,"creationTimestamp":"2026-11-30T19:54:41Z",{others}}},"spec":{{"accessString":"on ~* +@all","authentication":{{"type":"iam"}},"engine":"valkey","suspend":true}},"status":{{"accessString":"on ~* +@all","arn":"arn:aws:elasticache:us-east-1:123456789012:user:user-{number}","authentication":{{"type":"iam"}},"conditions":[{{"lastTransitionTime":"2026-11-30T19:54:41Z","message":"spec.suspend is true: AWS is not called for this object until it is false.","observedGeneration":2,"reason":"Suspended","status":"True","type":"Ready"}}],"engine":"valkey","lastApplied":{{"accessString":"on ~* +@all","expandedAccessString":"on ~* +@all"}},"minimumEngineVersion":"7.0","observedGeneration":2,"state":"active","userID":"user-{number}","userName":"user-{number}"}}}}"#
    )
}

fn secret(number: usize, fat: usize) -> String {
    let others = others(fat);
    format!(
        r#"{{"metadata":{{"name":"secret-{number}","namespace":"shop","uid":"s-{number}","resourceVersion":"7",{others}}}}}"#
    )
}

/// The operator's requests, without the answers.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

fn parameter(request: &Request<Body>, name: &str) -> Option<usize> {
    let pairs = request.uri().query()?.split('&');
    pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1.parse().ok()
}

impl Model {
    /// Sends the body object by object, so that the model itself needs little memory.
    fn answer(self, request: &Request<Body>) -> BoxStream<'static, String> {
        let secrets = request.uri().path().ends_with("/secrets");
        let (count, fat) = (if secrets { self.secrets } else { self.objects }, self.fat);
        let item = move |number| if secrets { secret(number, fat) } else { object(number, 7, fat) };
        if parameter(request, "timeoutSeconds").is_some() {
            let changes = if self.changes && !secrets { 0..count } else { 0..0 };
            let event = move |number| {
                format!("{{\"type\":\"MODIFIED\",\"object\":{}}}\n", object(number, 8 + number, fat))
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

fn context(client: Client, ending: watch::Receiver<bool>) -> Arc<Context<NoAws>> {
    let metrics = Metrics::register(&mut Registry::default(), ObjectMetrics::new("Delete"));
    let pace = plan::pace::Pace::default();
    let kubernetes = Kubernetes::new(client, Token::unlimited());
    Arc::new(Context {
        queue: Queue::new(10, pace.spacing, metrics.queue.clone()),
        reconciler: Reconciler {
            events: Events::start(&kubernetes, Counter::default()).0,
            kubernetes,
            users: RateLimited::new(NoAws, Limiter::new(10.0, 20)),
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
            corrections: Counter::default(),
            pass_timeout: Duration::from_secs(900),
            clock: PassClock::start(),
            ending,
        },
        metrics,
    })
}

/// Starts the operator. Returns its allocations, including everything that it keeps until the runtime is dropped, and its requests.
fn started(model: Model) -> (AllocationInfo, Vec<(String, Option<String>)>, Runtime) {
    let asked = Asked::default();
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let cost = measure(|| {
        runtime.block_on(async {
            let client = model.client(&asked);
            let (end, ending) = watch::channel(false);
            let watches = watching(client.clone(), WatchHealth::default(), Duration::from_secs(15));
            let context = context(client, ending.clone());
            tokio::spawn(run(watches, Watched::default(), context, ending, Arc::new(|_| {})));
            tokio::time::sleep(Duration::from_secs(10)).await;
            std::mem::forget(end);
        });
    });
    let asked = asked.lock().unwrap().drain(..).collect();
    (cost, asked, runtime)
}

/// Decodes an object. The bytes of the text are not counted.
fn decoded(text: impl FnOnce() -> String) -> TrimmedUser {
    let mut json = String::new();
    opt_out(|| json = text());
    let object = serde_json::from_str(&json).unwrap();
    opt_out(|| drop(json));
    object
}

/// The bytes of spec and status of an object.
fn own_bytes() -> i64 {
    let object: ElastiCacheUser = serde_json::from_str(&object(0, 7, 0)).unwrap();
    let mut copy = None;
    measure(|| copy = Some(Box::new((object.spec.clone(), object.status.clone())))).bytes_current
}

#[test]
fn an_object_at_rest_takes_little_beyond_its_spec_and_status_whatever_others_write_on_it() {
    for (changes, fat) in [(false, 0), (false, FAT), (true, FAT)] {
        let (cost, asked, _runtime) = started(Model { objects: 600, fat, changes, ..Model::default() });
        // The difference of two runs leaves out the buffers of the connection, which do not depend on the number of objects.
        let (half, ..) = started(Model { objects: 300, fat, changes, ..Model::default() });
        let each = (cost.bytes_current - half.bytes_current) / 300;
        assert!(
            each - own_bytes() <= MOST_AT_REST,
            "{each} bytes, {} of spec and status, fat: {fat}, changes: {changes}",
            own_bytes()
        );
        assert!(cost.bytes_max < 16 * MIB, "{} at most, fat: {fat}, changes: {changes}", cost.bytes_max);
        let written = asked.iter().find(|(line, _)| !line.starts_with("GET"));
        assert_eq!(written, None);
    }
}

#[test]
fn the_store_alone_takes_at_most_1_kib_for_an_object_beyond_its_spec_and_status() {
    let mut kept = None;
    let cost = measure(|| {
        let (store, mut writer) = reflector::store::<ElastiCacheUser>();
        for number in 0..600 {
            let object: TrimmedUser = decoded(|| object(number, 7, FAT));
            writer.apply_watcher_event(&watcher::Event::Apply(object.into()));
        }
        kept = Some((store, writer));
    });
    let each = cost.bytes_current / 600 - own_bytes();
    assert!(each <= 1024, "{each} bytes");
}

#[test]
fn only_the_annotations_and_finalizers_that_the_operator_uses_are_decoded() {
    let with = |finalizers: &[String], annotations: serde_json::Value| -> ElastiCacheUser {
        let object = serde_json::json!({ "metadata": {
            "name": "app", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 2,
            "creationTimestamp": "2026-11-30T19:54:41Z", "deletionTimestamp": "2026-11-30T19:55:41Z",
            "labels": { "l": "v" }, "finalizers": finalizers, "annotations": annotations,
        }});
        serde_json::from_value::<TrimmedUser>(object).unwrap().into()
    };
    let own =
        |request: &str| serde_json::json!({ RECONCILE_REQUESTED_AT: request, PREVENT_DELETION: "true" });
    let mut given = own("now");
    given["example.com/a"] = "b".into();
    let finalizers = |others: usize| -> Vec<String> {
        iter::once(FINALIZER.to_owned()).chain((0..others).map(|n| format!("example.com/{n}"))).collect()
    };
    let object = with(&finalizers(15), given);
    assert_eq!(serde_json::to_value(object.metadata.annotations).unwrap(), own("now"));
    assert_eq!(object.metadata.finalizers.unwrap(), finalizers(15));
    assert!(object.metadata.labels.is_none() && object.metadata.deletion_timestamp.is_some());
    // An overlong request stays overlong, and too many finalizers leave room for ours.
    let object = with(&finalizers(16), own(&"x".repeat(1000)));
    assert!(crate::kubernetes::facts(&object).has_overlong_request);
    assert_eq!(object.metadata.annotations.unwrap()[RECONCILE_REQUESTED_AT].len(), 257);
    assert_eq!(object.metadata.finalizers.unwrap(), [FINALIZER, ""]);
}

#[test]
fn secrets_are_listed_as_metadata_in_small_pages_and_none_is_kept() {
    let (empty, ..) = started(Model::default());
    let (cost, asked, _runtime) = started(Model { secrets: 400, fat: 2 * FAT, ..Model::default() });
    assert!(cost.bytes_max < 16 * MIB, "{}", cost.bytes_max);
    let kept = cost.bytes_current - empty.bytes_current;
    assert!(kept < 400 * 100, "{kept} bytes are kept");
    let secrets: Vec<_> = asked.iter().filter(|(line, _)| line.contains("/secrets")).collect();
    assert!(secrets.len() > 40, "{}", secrets.len());
    for (line, accept) in secrets {
        let kind =
            if line.contains("watch=true") { "PartialObjectMetadata" } else { "PartialObjectMetadataList" };
        let accepted = format!("application/json;as={kind};g=meta.k8s.io;v=v1");
        assert_eq!(accept.as_deref(), Some(accepted.as_str()), "{line}");
    }
}

#[test]
fn a_start_with_10_000_objects_takes_few_pages_and_one_with_fat_objects_starts_over_only_to_learn_their_weight()
 {
    let pages = |model| {
        let (_, asked, _runtime) = started(model);
        asked
            .iter()
            .filter(|(line, _)| line.contains("elasticacheusers?") && !line.contains("watch=true"))
            .count()
    };
    let light = pages(Model { objects: 10_000, ..Model::default() });
    assert!(light <= 30, "{light}");
    let fat = pages(Model { objects: 600, fat: FAT, ..Model::default() });
    assert!((75..=110).contains(&fat), "{fat}");
}
