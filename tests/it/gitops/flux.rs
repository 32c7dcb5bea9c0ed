//! Flux's real kustomize-controller, and the Git repository that it reads.
//!
//! source-controller does not run. The test writes what source-controller would write: the status of a GitRepository, with the address
//! of an archive that the test serves on loopback.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Path;
use cluster::{Cluster, Process, Tool};
use k8s_openapi::api::core::v1::Event;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};
use support::command;
use support::operator::tail;
use support::wait::{PATIENCE, when};
use tokio::net::TcpListener;

use crate::control_plane;
use crate::fixture::{condition, until};

/// The custom resources that the controller watches, and the one that the examples use besides: their groups and plurals.
const DEFINITIONS: [(&str, &str); 5] = [
    ("source.toolkit.fluxcd.io", "gitrepositories"),
    ("source.toolkit.fluxcd.io", "buckets"),
    ("source.toolkit.fluxcd.io", "ocirepositories"),
    ("helm.toolkit.fluxcd.io", "helmreleases"),
    ("kustomize.toolkit.fluxcd.io", "kustomizations"),
];

/// A running kustomize-controller with the rights of an administrator, as `flux install` gives them.
pub(crate) struct Controller {
    _process: Process,
    log: PathBuf,
}

impl Controller {
    /// The controller of the shared control plane. The first caller starts it, and it ends with the process.
    fn shared() -> &'static Self {
        static CONTROLLER: OnceLock<Controller> = OnceLock::new();
        CONTROLLER.get_or_init(|| Self::start(control_plane::shared(), &[]))
    }

    /// Installs the definitions, and starts the controller with more arguments. Blocks the thread.
    pub(crate) fn start(cluster: &Cluster, more: &[&str]) -> Self {
        let tool = Tool::KustomizeController;
        let mut apply = cluster.kubectl();
        apply.args(["apply", "--server-side"]);
        for (group, plural) in DEFINITIONS {
            apply.arg("--filename").arg(tool.file(&format!("{group}_{plural}.yaml")).unwrap());
        }
        command::run(&mut apply).unwrap();
        for (group, plural) in DEFINITIONS {
            cluster.established(&format!("{plural}.{group}")).unwrap();
        }
        let log = cluster.dir().join("kustomize-controller.log");
        let mut controller = Command::new(tool.path().unwrap());
        controller.env_clear().env("KUBECONFIG", cluster.kubeconfig()).env("TMPDIR", cluster.dir());
        controller.env("RUNTIME_NAMESPACE", "flux-system");
        controller.args(["--metrics-addr=0", "--health-addr=0", "--log-level=info"]);
        // Many tests share the controller, and a Kustomization that waits keeps one worker busy.
        controller.args(["--concurrent=40", "--kube-api-qps=200", "--kube-api-burst=400"]);
        // The default is half a minute.
        controller.arg("--requeue-dependency=1s").args(more);
        let process = Process::start("kustomize-controller", controller, &log).unwrap();
        Self { _process: process, log }
    }

    /// The end of its log, without the ends of long lines, which are stack traces.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines = tail(&log, 30);
        let shortened = lines.lines().map(|line| line.chars().take(600).collect::<String>());
        shortened.collect::<Vec<_>>().join("\n")
    }
}

/// A GitRepository and its Kustomizations, in one namespace.
pub(crate) struct Flux<'a> {
    controller: &'a Controller,
    client: Client,
    namespace: String,
    repository: &'static str,
    /// Has the archives.
    served: tempfile::TempDir,
    url: String,
    pushed: AtomicUsize,
    requested: AtomicUsize,
}

impl Flux<'static> {
    /// A repository whose objects are in a namespace of their own.
    pub(crate) async fn new(client: &Client, tenant: &str) -> Self {
        let controller = tokio::task::spawn_blocking(Controller::shared).await.unwrap();
        Self::on(controller, client, &format!("{tenant}-flux")).await
    }
}

impl<'a> Flux<'a> {
    /// A repository `flux-system`, with this controller. Its objects are in this namespace.
    pub(crate) async fn on(controller: &'a Controller, client: &Client, namespace: &str) -> Self {
        control_plane::create_namespace(client, namespace).await;
        let served = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let folder = served.path().to_owned();
        let archive =
            move |Path(name): Path<String>| async move { std::fs::read(folder.join(name)).unwrap() };
        let router = axum::Router::new().route("/{name}", axum::routing::get(archive));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let flux = Self {
            controller,
            client: client.clone(),
            namespace: namespace.to_owned(),
            repository: "flux-system",
            served,
            url,
            pushed: AtomicUsize::new(0),
            requested: AtomicUsize::new(0),
        };
        let repository = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": { "name": flux.repository },
            "spec": { "interval": "1h", "url": "https://example.com/repository" },
        });
        let repository = serde_json::from_value(repository).unwrap();
        flux.repositories().create(&PostParams::default(), &repository).await.unwrap();
        flux
    }

    /// The namespace of the repository and of its Kustomizations.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    fn repositories(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("source.toolkit.fluxcd.io", "v1", "GitRepository");
        self.api(&kind, "gitrepositories")
    }

    pub(crate) fn kustomizations(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("kustomize.toolkit.fluxcd.io", "v1", "Kustomization");
        self.api(&kind, "kustomizations")
    }

    fn api(&self, kind: &GroupVersionKind, plural: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk_with_plural(kind, plural);
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// Pushes a commit that consists of these files, and returns its revision.
    pub(crate) async fn push(&self, files: &[(&str, String)]) -> String {
        let number = self.pushed.fetch_add(1, Ordering::Relaxed) + 1;
        let (revision, name) = (format!("main@sha1:{number:040x}"), format!("{number}.tar.gz"));
        let digest = self.archive(&name, files);
        let artifact = json!({
            "path": name, "url": format!("{}/{name}", self.url), "revision": revision,
            "digest": format!("sha256:{digest}"), "lastUpdateTime": "2026-01-01T00:00:00Z",
        });
        let ready = json!({
            "type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored artifact",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        });
        let status =
            json!({ "status": { "observedGeneration": 1, "artifact": artifact, "conditions": [ready] } });
        let repositories = self.repositories();
        let patch = Patch::Merge(status);
        repositories.patch_status(self.repository, &PatchParams::default(), &patch).await.unwrap();
        revision
    }

    /// Makes an archive of these files, and returns its SHA-256.
    fn archive(&self, name: &str, files: &[(&str, String)]) -> String {
        let tree = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let archive = self.served.path().join(name);
        let mut tar = Command::new("tar");
        command::run(tar.args(["-czf"]).arg(&archive).arg("-C").arg(tree.path()).arg(".")).unwrap();
        let printed = command::run(Command::new("sha256sum").arg(&archive)).unwrap();
        printed.split(' ').next().unwrap().to_owned()
    }

    /// Creates a Kustomization.
    pub(crate) async fn create(&self, name: &str, spec: Value) {
        let object = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": { "name": name }, "spec": spec,
        });
        let object = serde_json::from_value(object).unwrap();
        self.kustomizations().create(&PostParams::default(), &object).await.unwrap();
    }

    /// Changes a Kustomization by a merge patch.
    pub(crate) async fn patch(&self, name: &str, patch: Value) {
        self.kustomizations().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Deletes a Kustomization, without waiting.
    pub(crate) async fn delete(&self, name: &str) {
        self.kustomizations().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// The Kustomization, or null if there is none.
    pub(crate) async fn get(&self, name: &str) -> Value {
        serde_json::to_value(self.kustomizations().get_opt(name).await.unwrap()).unwrap()
    }

    /// Waits until the Kustomization fulfils `fact`, and returns it.
    pub(crate) async fn shows(&self, name: &str, what: &str, fact: impl Fn(&Value) -> bool) -> Value {
        let claim = format!("Kustomization {name}: {what}");
        let look = || async { when(self.get(name).await, &fact) };
        let found = support::wait::until(&claim, PATIENCE, look).await;
        found.unwrap_or_else(|late| {
            panic!("{late}\n--- end of kustomize-controller's log\n{}", self.controller.last_words())
        })
    }

    /// Waits until the Kustomization is Ready with this revision.
    pub(crate) async fn ready(&self, name: &str, revision: &str) -> Value {
        self.shows(name, &format!("Ready with {revision}"), |object| is_ready(object, revision)).await
    }

    /// Waits until the Kustomization has failed with this revision, and returns the message of its Ready.
    pub(crate) async fn failed(&self, name: &str, revision: &str) -> String {
        let failed = |object: &Value| has_status(object, "False") && attempted(object) == Some(revision);
        let object = self.shows(name, &format!("failed with {revision}"), failed).await;
        message(&object).to_owned()
    }

    /// The lines of the controller's log about reconciles that failed. It writes them before it writes the status.
    pub(crate) fn failures(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.controller.log).unwrap();
        let here = format!("\"namespace\":\"{}\"", self.namespace);
        let failed = |line: &&str| line.contains("\"Reconciliation failed after ") && line.contains(&here);
        log.lines().filter(failed).map(str::to_owned).collect()
    }

    /// Waits for an error that the controller publishes about the Kustomization, with these words. It sends the same text to
    /// notification-controller.
    pub(crate) async fn publishes_error(&self, name: &str, words: &str) {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let fits = |event: &Event| {
            let about = &event.involved_object;
            about.kind.as_deref() == Some("Kustomization")
                && about.name.as_deref() == Some(name)
                && event.type_.as_deref() == Some("Warning")
                && event.message.as_deref().is_some_and(|message| message.contains(words))
        };
        until(&format!("an event about {name} says {words:?}"), async || {
            events.list(&ListParams::default()).await.unwrap().items.iter().any(fits)
        })
        .await;
    }

    /// Asks for a reconcile as `flux reconcile kustomization` does, and waits until it has ended.
    pub(crate) async fn reconcile(&self, name: &str) {
        let request = format!("request-{}", self.requested.fetch_add(1, Ordering::Relaxed));
        let annotations = json!({ "reconcile.fluxcd.io/requestedAt": request });
        self.patch(name, json!({ "metadata": { "annotations": annotations } })).await;
        let handled = |object: &Value| object["status"]["lastHandledReconcileAt"] == request.as_str();
        let over = |object: &Value| handled(object) && condition(object, "Reconciling").is_none();
        self.shows(name, "the request is handled", over).await;
    }
}

/// Ready has this status for the newest generation. `status.observedGeneration` stays -1 until the first success.
pub(crate) fn has_status(object: &Value, status: &str) -> bool {
    condition(object, "Ready").is_some_and(|ready| {
        ready["status"] == status && ready["observedGeneration"] == object["metadata"]["generation"]
    })
}

fn is_ready(object: &Value, revision: &str) -> bool {
    has_status(object, "True") && object["status"]["lastAppliedRevision"] == revision
}

/// The revision of the last attempt.
fn attempted(object: &Value) -> Option<&str> {
    object["status"]["lastAttemptedRevision"].as_str()
}

/// The message of Ready.
pub(crate) fn message(object: &Value) -> &str {
    condition(object, "Ready").and_then(|ready| ready["message"].as_str()).unwrap_or_default()
}
