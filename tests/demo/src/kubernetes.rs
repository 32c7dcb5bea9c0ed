//! A client of the API server for many objects: it applies them in parallel, and a watch shows the state of each.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use cluster::AuditLog;
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde_json::Value;
use tokio::runtime::Runtime;

/// Requests at the same time.
const PARALLEL: usize = 8;

/// An administrator's client without async.
pub(crate) struct Kubernetes {
    runtime: Runtime,
    client: Client,
    seen: Arc<Mutex<BTreeMap<String, Seen>>>,
}

/// The newest version of an ElastiCacheUser, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Ready at its newest generation.
    pub(crate) ready: bool,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Seen {
    fn of(object: &DynamicObject) -> Self {
        let status = &object.data["status"];
        let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap_or(&Value::Null);
        let text = |member: &str| ready[member].as_str().unwrap_or_default().to_owned();
        let current = status["observedGeneration"].as_i64() == object.metadata.generation;
        Self { ready: current && ready["status"] == "True", reason: text("reason"), message: text("message") }
    }
}

/// The operator's requests to the API server, according to the audit log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Requests {
    /// GET and LIST.
    pub(crate) reads: usize,
    /// Finalizers and statuses.
    pub(crate) writes: usize,
    pub(crate) events: usize,
}

impl Requests {
    /// Counts all requests in this log.
    pub(crate) fn of(log: &AuditLog) -> Result<Self> {
        let by_operator = |line: &str| line.contains("\"userAgent\":\"elasticache-user-operator/");
        let mut all = Self::default();
        for event in log.events_where(by_operator)? {
            match (event["verb"].as_str(), event["objectRef"]["resource"].as_str()) {
                (Some("watch"), _) => {}
                (Some("get" | "list"), _) => all.reads += 1,
                (_, Some("events")) => all.events += 1,
                _ => all.writes += 1,
            }
        }
        Ok(all)
    }
}

/// The resource of a manifest, or of a kind.
fn resource(kind: &str) -> ApiResource {
    let (group, version) = match kind {
        "ElastiCacheUser" => ("elasticache-users.dev", "v1alpha1"),
        _ => ("", "v1"),
    };
    ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(group, version, kind))
}

impl Kubernetes {
    /// A client with a watch of all ElastiCacheUsers.
    pub(crate) fn connect(kubeconfig: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let client = runtime.block_on(async {
            let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
            anyhow::Ok(Client::try_from(config)?)
        })?;
        let seen = Arc::new(Mutex::default());
        let users: Api<DynamicObject> = Api::all_with(client.clone(), &resource("ElastiCacheUser"));
        runtime.spawn(follow(users, Arc::clone(&seen)));
        Ok(Self { runtime, client, seen })
    }

    /// All ElastiCacheUsers, by `namespace/name`.
    pub(crate) fn seen(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn api(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        match kind {
            "Namespace" => Api::all_with(self.client.clone(), &resource(kind)),
            _ => Api::namespaced_with(self.client.clone(), namespace, &resource(kind)),
        }
    }

    /// Applies manifests, several at the same time. One without a namespace goes to `namespace`.
    pub(crate) fn apply(&self, namespace: &str, manifests: Vec<Value>) -> Result<()> {
        let apply = |manifest: Value| async move {
            let text = |member: &Value| member.as_str().unwrap_or_default().to_owned();
            let (kind, name) = (text(&manifest["kind"]), text(&manifest["metadata"]["name"]));
            let namespace = manifest["metadata"]["namespace"].as_str().unwrap_or(namespace);
            let params = PatchParams::apply("demo").force();
            let applied = self.api(&kind, namespace).patch(&name, &params, &Patch::Apply(&manifest)).await;
            applied.map(drop).with_context(|| format!("failed to apply {kind} {namespace}/{name}"))
        };
        self.runtime.block_on(
            stream::iter(manifests).map(apply).buffer_unordered(PARALLEL).try_collect::<Vec<()>>(),
        )?;
        Ok(())
    }

    /// Changes members of an object.
    pub(crate) fn merge(&self, kind: &str, namespace: &str, name: &str, change: &Value) -> Result<()> {
        let api = self.api(kind, namespace);
        let (params, change) = (PatchParams::default(), Patch::Merge(change));
        let merged = self.runtime.block_on(api.patch(name, &params, &change));
        merged.map(drop).with_context(|| format!("failed to change {namespace}/{name}"))
    }

    /// Deletes an object. Nothing is done if it is gone.
    pub(crate) fn delete(&self, kind: &str, namespace: &str, name: &str) -> Result<()> {
        let api = self.api(kind, namespace);
        match self.runtime.block_on(api.delete(name, &DeleteParams::default())) {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            deleted => {
                deleted.map(drop).with_context(|| format!("failed to delete {kind} {namespace}/{name}"))
            }
        }
    }

    /// Deletes all objects of a namespace with one request.
    pub(crate) fn delete_all(&self, kind: &str, namespace: &str) -> Result<()> {
        let api = self.api(kind, namespace);
        let (params, all) = (DeleteParams::default(), ListParams::default());
        let deleted = self.runtime.block_on(api.delete_collection(&params, &all));
        deleted.map(drop).with_context(|| format!("failed to delete all of {kind}"))
    }
}

/// Updates `seen` from the watch.
async fn follow(users: Api<DynamicObject>, seen: Arc<Mutex<BTreeMap<String, Seen>>>) {
    let key = |object: &DynamicObject| {
        let (namespace, name) = (object.metadata.namespace.as_deref(), object.metadata.name.as_deref());
        format!("{}/{}", namespace.unwrap_or_default(), name.unwrap_or_default())
    };
    let mut events = watcher(users, watcher::Config::default()).boxed();
    let mut listed = BTreeMap::new();
    while let Some(event) = events.next().await {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => drop(listed.insert(key(&object), Seen::of(&object))),
            Ok(Event::InitDone) => *seen = std::mem::take(&mut listed),
            Ok(Event::Apply(object)) => drop(seen.insert(key(&object), Seen::of(&object))),
            Ok(Event::Delete(object)) => drop(seen.remove(&key(&object))),
            Err(_) => {
                drop(seen);
                // The soak restarts the API server. The watch then goes on by itself.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}
