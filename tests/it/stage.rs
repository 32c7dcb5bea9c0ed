//! A stage for tests of the whole operator: a namespace on the shared control plane, an emulator, and the real binary.
//!
//! A watch records every version of every object, and holds what must hold at any time: the conditions are what kstatus
//! expects, and whatever vanished has no AWS user any more.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cluster::{AuditLog, Cluster, Process, Signal};
use elasticache_emulator::{Emulator, Settings};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::iam::{Guard, policy};
use crate::rights::{self, Rights};
use crate::secrecy::{self, redacted};
use crate::watching::events;
use crate::{argocd, audit, kstatus, world};

/// Longest time that a fact may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// The AWS account of a stage; its access key id too, which is how the emulator tells accounts apart.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The AWS region of a stage.
pub(crate) const REGION: &str = "us-east-1";
/// The password in the Secret that [`Stage::secret`] makes.
pub(crate) const PASSWORD: &str = "a-long-enough-passphrase";

/// How a stage is set.
pub(crate) struct Setting {
    /// How the emulator behaves.
    pub(crate) aws: Settings,
    /// Environment of the operator, besides what every stage sets.
    pub(crate) env: Vec<(&'static str, String)>,
    /// Objects may vanish while their user is still there: retained, or somebody else's.
    pub(crate) leaves_users: bool,
    /// What the operator may do; left out, what its test's turn is.
    pub(crate) rights: Option<Rights>,
    /// What the operator's IAM policy is bound to: user IDs that begin like this.
    pub(crate) user_ids: &'static str,
    /// That policy may have to refuse something.
    pub(crate) refuses: bool,
}

impl Default for Setting {
    fn default() -> Self {
        let short = Duration::from_millis(600);
        Self {
            aws: Settings {
                modify_time: short,
                delete_time: short,
                group_time: short,
                ..Settings::default()
            },
            env: Vec::new(),
            leaves_users: false,
            rights: None,
            user_ids: "",
            refuses: false,
        }
    }
}

/// A namespace, an emulator and (mostly) an operator.
pub(crate) struct Stage {
    pub(crate) ns: String,
    pub(crate) client: Client,
    pub(crate) aws: Aws,
    /// What the owner tags call the cluster.
    pub(crate) cluster_id: String,
    seen: Arc<Seen>,
    operators: Mutex<Vec<Process>>,
    pages: Mutex<String>,
    env: Vec<(&'static str, String)>,
    leaves_users: bool,
    rights: Rights,
    guard: Guard,
    refuses: bool,
    kubeconfig: PathBuf,
    audit: Option<AuditLog>,
    dir: tempfile::TempDir,
    started: AtomicUsize,
    ended: AtomicBool,
    watching: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    versions: Mutex<HashMap<String, Vec<Value>>>,
    vanished: Mutex<Vec<Vanished>>,
    faults: Mutex<Vec<String>>,
    news: Notify,
}

/// An object that is gone.
#[derive(Clone, Debug)]
pub(crate) struct Vanished {
    pub(crate) name: String,
    pub(crate) at: Instant,
    /// The emulator had its user at that moment.
    pub(crate) user_left: bool,
}

static STAGES: AtomicUsize = AtomicUsize::new(0);

impl Stage {
    /// A stage with an operator.
    pub(crate) async fn new() -> Self {
        Self::set(Setting::default()).await
    }

    /// The same, set otherwise.
    pub(crate) async fn set(setting: Setting) -> Self {
        let stage = Self::dark(setting).await;
        stage.start();
        stage
    }

    /// A stage with an operator on another control plane than the shared one. Users may stay.
    pub(crate) async fn on(cluster: &Cluster) -> Self {
        let stage = Self::dark_on(cluster, Setting { leaves_users: true, ..Setting::default() }).await;
        stage.start();
        stage
    }

    /// The same with no operator yet.
    pub(crate) async fn dark_on(cluster: &Cluster, setting: Setting) -> Self {
        let client = world::client_of(cluster.kubeconfig()).await;
        Self::with(setting, client, cluster).await
    }

    /// A stage whose operator has not been started.
    pub(crate) async fn dark(setting: Setting) -> Self {
        let client = world::client().await;
        Self::with(setting, client, world::control_plane()).await
    }

    async fn with(setting: Setting, client: Client, cluster: &Cluster) -> Self {
        let ns = format!("stage-{}-{}", std::process::id(), STAGES.fetch_add(1, Ordering::Relaxed));
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = Namespace {
            metadata: ObjectMeta { name: Some(ns.clone()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let rights = setting.rights.unwrap_or_else(Rights::of_this_test);
        let kubeconfig = rights::grant(rights, cluster, &client, &ns, dir.path()).await;
        let cluster_id = namespaces.get("kube-system").await.unwrap().uid().unwrap();
        let guard = Guard::default();
        policy::named(&cluster_id);
        let permits = guard.permits(setting.user_ids);
        let aws = Aws::new(Emulator::start_guarded(setting.aws, "127.0.0.1:0", permits).unwrap());
        let seen = Arc::new(Seen::default());
        let watching = tokio::spawn(record(users(&client, &ns), aws.clone(), seen.clone()));
        Self {
            ns,
            client,
            aws,
            seen,
            operators: Mutex::new(Vec::new()),
            pages: Mutex::default(),
            env: setting.env,
            leaves_users: setting.leaves_users,
            cluster_id,
            rights,
            kubeconfig,
            guard,
            refuses: setting.refuses,
            audit: cluster.is_own().then(|| cluster.audit_log().unwrap()),
            dir,
            started: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            watching,
        }
    }

    /// Starts an operator.
    pub(crate) fn start(&self) {
        self.start_with(&[]);
    }

    /// Starts an operator with more environment; later entries win.
    pub(crate) fn start_with(&self, env: &[(&'static str, String)]) {
        let mut command = self.command();
        command.envs(env.iter().map(|(name, value)| (name, value)));
        env.iter().filter(|(name, _)| *name == "CLUSTER_ID").for_each(|(_, id)| policy::named(id));
        self.run(command);
    }

    /// Starts an operator by this command.
    pub(crate) fn run(&self, command: Command) {
        let log =
            self.dir.path().join(format!("operator-{}.log", self.started.fetch_add(1, Ordering::Relaxed)));
        let operator = Process::start("operator", command, &log).unwrap();
        self.operators.lock().unwrap().push(operator);
    }

    /// The operator's command, with the environment of this stage alone.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elasticache-user-operator"));
        command
            .env_clear()
            .env("KUBECONFIG", &self.kubeconfig)
            .env("NAMESPACE", &self.ns)
            .env("HTTP_ADDR", "127.0.0.1:0")
            .env("PACE_DIVISOR", "10")
            .env("LOG", "info,kube_runtime=warn,elasticache_user_operator=trace")
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", ACCOUNT)
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL_ELASTICACHE", self.aws.url())
            // Where it may not read the UID of kube-system, it has to be told.
            .envs((self.rights == Rights::RolesOnly).then_some(("CLUSTER_ID", &self.cluster_id)))
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Kills every operator at once, as the kernel or a node's end does.
    pub(crate) fn kill(&self) {
        self.scrape();
        self.operators.lock().unwrap().drain(..).for_each(drop);
    }

    /// Keeps the page of /metrics of each operator that is up, for the end.
    fn scrape(&self) {
        let pages = self.each_log().iter().filter_map(|log| page(log)).collect::<String>();
        self.pages.lock().unwrap().push_str(&pages);
    }

    /// The pages of /metrics so far: of each operator before it was ended, and of those that are up.
    pub(crate) fn metrics(&self) -> String {
        self.scrape();
        self.pages.lock().unwrap().clone()
    }

    /// Sends a signal to the newest operator.
    pub(crate) fn signal(&self, signal: Signal) {
        self.scrape();
        self.operators.lock().unwrap().last_mut().unwrap().signal(signal).unwrap();
    }

    /// Waits for the newest operator's end and answers its exit code.
    pub(crate) async fn exit_code(&self) -> Option<i32> {
        let mut operator = self.operators.lock().unwrap().pop().unwrap();
        let status = until("the operator ends", || {
            let status = operator.status().unwrap();
            async move { status }
        })
        .await;
        status.code()
    }

    /// The newest operator's process, for whoever looks after it alone.
    pub(crate) fn newest(&self) -> Process {
        self.operators.lock().unwrap().pop().unwrap()
    }

    /// What all operators of this stage have logged.
    pub(crate) fn logs(&self) -> String {
        self.each_log().concat()
    }

    /// What each operator has said: its log, and whatever else it wrote to its output.
    pub(crate) fn each_log(&self) -> Vec<String> {
        let count = self.started.load(Ordering::Relaxed);
        let files = (0..count).map(|index| self.dir.path().join(format!("operator-{index}.log")));
        files.map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect()
    }

    /// The objects.
    pub(crate) fn users(&self) -> Api<DynamicObject> {
        users(&self.client, &self.ns)
    }

    /// Creates an object with this spec.
    pub(crate) async fn create(&self, name: &str, spec: Value) -> Value {
        let object = manifest(name, spec);
        let created =
            self.users().create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await;
        serde_json::to_value(created.unwrap()).unwrap()
    }

    /// Creates an object, and waits until it is Ready.
    pub(crate) async fn ready(&self, name: &str, spec: Value) -> Value {
        self.create(name, spec).await;
        self.is_ready(name).await
    }

    /// Waits until the object is Ready at its newest generation.
    pub(crate) async fn is_ready(&self, name: &str) -> Value {
        self.shows(name, "Ready", is_ready).await
    }

    /// Changes the object by a merge patch, and waits until the watch shows it: what was there before is no answer to it.
    pub(crate) async fn patch(&self, name: &str, patch: Value) {
        let patched = self.users().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        let number = |version: &str| version.parse::<u64>().unwrap();
        let written = number(&patched.resource_version().unwrap());
        self.observe(&format!("{name}: the patch"), |seen| {
            let gone = seen.vanished.lock().unwrap().iter().any(|vanished| vanished.name == name);
            let versions = seen.versions.lock().unwrap();
            let newest = versions.get(name).and_then(|versions| versions.last());
            let shown = newest.and_then(|newest| newest["metadata"]["resourceVersion"].as_str()).map(number);
            (gone || shown >= Some(written)).then_some(())
        })
        .await;
    }

    /// Asks for a pass now, where the object is still there.
    pub(crate) async fn nudge(&self, name: &str) {
        let patch = Patch::Merge(asks("now"));
        match self.users().patch(name, &PatchParams::default(), &patch).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => self.fail(&format!("failed to annotate {name}: {error}")),
        }
    }

    /// Asks for a pass and waits until it is acknowledged with the object Ready: whatever there was to do is done.
    pub(crate) async fn looked_at(&self, name: &str) -> Value {
        static TIMES: AtomicUsize = AtomicUsize::new(0);
        let request = format!("request-{}", TIMES.fetch_add(1, Ordering::Relaxed));
        self.patch(name, asks(&request)).await;
        let echoed = |object: &Value| {
            object["status"]["lastHandledReconcileAt"] == request.as_str() && is_ready(object)
        };
        self.shows(name, "Ready after another look", echoed).await
    }

    /// Asks for the object's deletion.
    pub(crate) async fn delete(&self, name: &str) {
        self.users().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Asks for the object's deletion, and waits until it is gone.
    pub(crate) async fn deleted(&self, name: &str) -> Vanished {
        self.delete(name).await;
        self.gone(name).await
    }

    /// Makes a Secret with `password` under the key `password`.
    pub(crate) async fn secret(&self, name: &str, password: &str) {
        self.secret_with(name, json!({ "password": password })).await;
    }

    /// Makes, or replaces the data of, a Secret.
    pub(crate) async fn secret_with(&self, name: &str, data: Value) {
        secrecy::remember(&data);
        let secrets: Api<k8s_openapi::api::core::v1::Secret> = Api::namespaced(self.client.clone(), &self.ns);
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": data,
        });
        let params = PatchParams::apply("test").force();
        secrets.patch(name, &params, &Patch::Apply(&secret)).await.unwrap();
    }

    /// Waits until the newest version of the object fulfils `fact`, and answers it.
    pub(crate) async fn shows(&self, name: &str, what: &str, fact: impl Fn(&Value) -> bool) -> Value {
        self.observe(&format!("{name}: {what}"), |seen| {
            let versions = seen.versions.lock().unwrap();
            versions.get(name).and_then(|versions| versions.last()).filter(|last| fact(last)).cloned()
        })
        .await
    }

    /// Waits until Ready, or Deleting on the way out, has this reason.
    pub(crate) async fn reason(&self, name: &str, reason: &str) -> Value {
        self.shows(name, &format!("reason {reason}"), |object| {
            condition(object, "Ready").is_some_and(|ready| ready["reason"] == reason)
        })
        .await
    }

    /// Waits until the object is gone.
    pub(crate) async fn gone(&self, name: &str) -> Vanished {
        self.observe(&format!("{name}: gone"), |seen| {
            let vanished = seen.vanished.lock().unwrap();
            vanished.iter().find(|vanished| vanished.name == name).cloned()
        })
        .await
    }

    /// Every version of the object that the watch has shown.
    pub(crate) fn versions(&self, name: &str) -> Vec<Value> {
        self.seen.versions.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    /// Every version of every object.
    fn all_versions(&self) -> Vec<Value> {
        self.seen.versions.lock().unwrap().values().flatten().cloned().collect()
    }

    async fn observe<T>(&self, what: &str, fact: impl Fn(&Seen) -> Option<T>) -> T {
        let deadline = tokio::time::sleep(PATIENCE);
        tokio::pin!(deadline);
        loop {
            let news = self.seen.news.notified();
            if let Some(found) = fact(&self.seen) {
                return found;
            }
            tokio::select! {
                () = news => {}
                () = &mut deadline => self.fail(&format!("not seen within {} s: {what}", PATIENCE.as_secs())),
            }
        }
    }

    /// Fails with what a person needs to find out why.
    pub(crate) fn fail(&self, why: &str) -> ! {
        let newest: Vec<Value> = {
            let versions = self.seen.versions.lock().unwrap();
            versions.values().filter_map(|versions| versions.last().cloned()).collect()
        };
        let (why, logs) = (redacted(why), redacted(&self.logs()));
        let objects = redacted(&serde_json::to_string_pretty(&newest).unwrap());
        let lines: Vec<&str> = logs.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(60)..).unwrap_or_default().join("\n");
        panic!("{why}\n--- objects\n{objects}\n--- end of the operator's log\n{tail}");
    }

    /// Notes of the events about an object, with their type and reason, oldest first.
    pub(crate) async fn events(&self, name: &str) -> Vec<(String, String, String)> {
        let events: Api<k8s_openapi::api::events::v1::Event> = Api::namespaced(self.client.clone(), &self.ns);
        let mut found = events.list(&Default::default()).await.unwrap().items;
        found.sort_by_key(|event| event.event_time.clone().map(|time| time.0));
        let about = found.into_iter().filter(|event| {
            event.regarding.as_ref().is_some_and(|object| object.name.as_deref() == Some(name))
        });
        about
            .map(|event| {
                let or = Option::unwrap_or_default;
                (or(event.type_), or(event.reason), or(event.note))
            })
            .collect()
    }

    /// Waits for an event.
    pub(crate) async fn event(&self, name: &str, reason: &str) -> (String, String, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let events = self.events(name).await;
            if let Some(found) = events.iter().find(|(_, found, _)| found == reason) {
                return found.clone();
            }
            if Instant::now() >= deadline {
                self.fail(&format!("{name}: no event {reason}, but {events:#?}"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends the stage: whatever must hold throughout has held.
    pub(crate) async fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        self.watching.abort();
        let faults = self.seen.faults.lock().unwrap().clone();
        assert!(faults.is_empty(), "seen on the way:\n{}", faults.join("\n"));
        for vanished in self.seen.vanished.lock().unwrap().iter() {
            assert!(
                self.leaves_users || !vanished.user_left,
                "{} vanished before its AWS user",
                vanished.name
            );
        }
        let logs = self.logs();
        assert!(!logs.contains("panicked"), "the operator panicked:\n{}", redacted(&logs));
        self.shows_no_password(&logs).await;
        self.writes();
        kstatus::agree(&self.all_versions());
        argocd::agree(&self.all_versions());
        let refused = self.guard.refused();
        assert!(self.refuses || refused.is_empty(), "deploy/iam does not allow: {refused:#?}");
        for call in self.aws.calls().await {
            assert_ne!(call["Code"], "InvalidParameterValue: Missing", "a malformed call");
        }
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let _ = namespaces.delete(&self.ns, &DeleteParams::default()).await;
    }

    /// What the operators have asked of their IAM policy.
    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// What the operators have written to the API server: what they may, or this fails. `None` where nobody knows.
    pub(crate) fn writes(&self) -> Option<audit::Writes> {
        let refused = audit::refusals(self.audit.as_ref()?, &rights::user_of(&self.ns), self.rights);
        assert!(
            refused.is_empty(),
            "the chart's rights ({:?}) do not suffice:\n{}",
            self.rights,
            refused.join("\n")
        );
        let writes = audit::writes(self.audit.as_ref()?, &self.ns);
        assert!(
            writes.requests > 0 || self.logs().is_empty(),
            "no request of the operator's is in the audit log"
        );
        Some(writes)
    }

    /// No password that any test has used shows in anything that the operator made.
    async fn shows_no_password(&self, logs: &str) {
        for user in self.aws.get("users").await.as_array().into_iter().flatten() {
            secrecy::remember(&user["Passwords"]);
        }
        secrecy::assert_silent("the operator's output", logs);
        secrecy::assert_silent("the page of metrics", &self.metrics());
        for version in self.all_versions() {
            secrecy::assert_silent("a version of an object", &version.to_string());
        }
        let events: Api<k8s_openapi::api::events::v1::Event> = Api::namespaced(self.client.clone(), &self.ns);
        for event in events.list(&Default::default()).await.unwrap() {
            secrecy::assert_silent("an event", &serde_json::to_string(&event).unwrap());
            let about = event.regarding.as_ref().and_then(|about| about.kind.as_deref());
            let fault = events::fault(&event).filter(|_| about == Some("ElastiCacheUser"));
            assert!(fault.is_none(), "{}: {event:#?}", fault.unwrap_or_default());
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let held = self.ended.load(Ordering::Relaxed) || self.started.load(Ordering::Relaxed) == 0;
        assert!(held || std::thread::panicking(), "end the stage: what must hold throughout is held there");
    }
}

/// An ElastiCacheUser.
pub(crate) fn manifest(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "elasticache-users.dev/v1alpha1",
        "kind": "ElastiCacheUser",
        "metadata": { "name": name },
        "spec": spec,
    })
}

/// A patch that asks for a pass.
pub(crate) fn asks(value: &str) -> Value {
    json!({ "metadata": { "annotations": { "elasticache-users.dev/reconcile-requested-at": value } } })
}

/// A spec without passwords.
pub(crate) fn iam() -> Value {
    json!({ "engine": "valkey", "accessString": "on ~* +@all", "authentication": { "type": "iam" } })
}

/// A spec whose password is in this Secret, under the key `password`.
pub(crate) fn with_password(secret: &str) -> Value {
    json!({
        "engine": "redis",
        "accessString": "on ~app:* -@all +@read",
        "authentication": {
            "type": "password",
            "passwords": [{ "secretKeyRef": { "name": secret, "key": "password" } }],
        },
    })
}

/// The condition of this type.
pub(crate) fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}

/// Ready=True for the newest generation.
pub(crate) fn is_ready(object: &Value) -> bool {
    let generation = &object["metadata"]["generation"];
    condition(object, "Ready").is_some_and(|ready| ready["status"] == "True")
        && object["status"]["observedGeneration"] == *generation
}

/// Waits until `fact` answers something.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut fact: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = fact().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not seen within {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The page of /metrics of the operator with this log. None where it has ended, or does not listen yet.
fn page(log: &str) -> Option<String> {
    // `http=` in a line of text, `"http":"` in JSON.
    let told = log.split_once(" http=").or_else(|| log.split_once("\"http\":\""))?.1;
    let address: SocketAddr = told.split([' ', '"', '\n']).next()?.parse().ok()?;
    let patience = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n").ok()?;
    let mut page = Vec::new();
    stream.read_to_end(&mut page).ok()?;
    Some(String::from_utf8_lossy(&page).into_owned())
}

fn users(client: &Client, ns: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), ns, &world::resource())
}

async fn record(users: Api<DynamicObject>, aws: Aws, seen: Arc<Seen>) {
    let mut events = watcher(users, watcher::Config::default()).boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => {
                let object = serde_json::to_value(&object).unwrap();
                if let Some(broken) = breaks_kstatus(&object) {
                    let status = serde_json::to_string(&object["status"]).unwrap();
                    seen.faults.lock().unwrap().push(format!("{broken}: {status}"));
                }
                if secrecy::shows_in(&object.to_string()) {
                    seen.faults.lock().unwrap().push("a password shows in an object".to_owned());
                }
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                seen.versions.lock().unwrap().entry(name).or_default().push(object);
            }
            Ok(Event::Delete(object)) => {
                let at = Instant::now();
                if secrecy::shows_in(&serde_json::to_string(&object).unwrap()) {
                    seen.faults.lock().unwrap().push("a password shows in an object that went".to_owned());
                }
                let id =
                    object.data["status"]["userID"].as_str().map_or_else(|| object.name_any(), str::to_owned);
                let user_left = aws.user(&id).await.is_some();
                seen.vanished.lock().unwrap().push(Vanished { name: object.name_any(), at, user_left });
            }
            Ok(Event::Init | Event::InitDone) => {}
            // The API server is restarted in some tests; the watch goes on by itself.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        seen.news.notify_waiters();
    }
}

/// What the conditions must be at any time, as kstatus and people read them.
pub(crate) fn breaks_kstatus(object: &Value) -> Option<&'static str> {
    let generation = object["metadata"]["generation"].as_i64()?;
    let observed = object["status"]["observedGeneration"].as_i64();
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    if observed.is_some_and(|observed| observed > generation) {
        return Some("observedGeneration is ahead");
    }
    if observed != Some(generation) {
        return None;
    }
    let leaving = !object["metadata"]["deletionTimestamp"].is_null();
    let value = |type_: &str| condition(object, type_).and_then(|found| found["status"].as_str());
    let (ready, reconciling, stalled, deleting) =
        (value("Ready"), value("Reconciling"), value("Stalled"), value("Deleting"));
    let present = |value: Option<&str>| value.is_some();
    let words = |type_: &str| {
        condition(object, type_).map(|found| (found["reason"].clone(), found["message"].clone()))
    };
    match () {
        () if ready.is_none() => Some("no Ready"),
        () if [reconciling, stalled, deleting].iter().flatten().any(|value| *value != "True") => {
            Some("a condition that is present without being True")
        }
        () if present(reconciling) && present(stalled) => Some("Reconciling and Stalled"),
        () if present(stalled) && ready != Some("False") => Some("Stalled without Ready=False"),
        () if ready == Some("True") && (present(reconciling) || present(stalled)) => {
            Some("Ready and not done")
        }
        () if ready == Some("Unknown") && !present(reconciling) => Some("Unknown without Reconciling"),
        () if conditions.iter().any(|found| found["observedGeneration"] != generation) => {
            Some("a condition of another generation")
        }
        () if present(deleting) && !leaving => Some("Deleting without deletionTimestamp"),
        () if leaving && (ready != Some("False") || !present(deleting) || !present(reconciling)) => {
            Some("leaving without Ready=False, Deleting and Reconciling")
        }
        () if ["Reconciling", "Stalled", "Deleting"]
            .iter()
            .any(|type_| words(type_).is_some() && words(type_) != words("Ready")) =>
        {
            Some("conditions that disagree")
        }
        () => None,
    }
}

/// The emulator's truth and its levers.
#[derive(Clone)]
pub(crate) struct Aws {
    emulator: Arc<Emulator>,
    http: reqwest::Client,
}

impl Aws {
    /// Those of a running emulator.
    pub(crate) fn new(emulator: Emulator) -> Self {
        Self { emulator: Arc::new(emulator), http: reqwest::Client::new() }
    }

    /// The endpoint.
    pub(crate) fn url(&self) -> String {
        self.emulator.url()
    }

    fn at(&self, path: &str) -> String {
        format!("{}/_emulator/{path}?account={ACCOUNT}&region={REGION}", self.url())
    }

    async fn get(&self, path: &str) -> Value {
        self.http.get(self.at(path)).send().await.unwrap().json().await.unwrap()
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Value {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{status}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The whole truth about all users.
    pub(crate) async fn users(&self) -> Vec<Value> {
        self.get("users").await.as_array().unwrap().clone()
    }

    /// The whole truth about a user.
    pub(crate) async fn user(&self, id: &str) -> Option<Value> {
        self.users().await.into_iter().find(|user| user["UserId"] == id)
    }

    /// Changes a user behind the operator's back, or makes one.
    pub(crate) async fn put_user(&self, id: &str, members: Value) -> Value {
        self.send(self.http.put(self.at(&format!("users/{id}"))).json(&members)).await
    }

    /// Takes a user away at once.
    pub(crate) async fn remove_user(&self, id: &str) {
        self.send(self.http.delete(self.at(&format!("users/{id}")))).await;
    }

    /// Changes a group, or makes one.
    pub(crate) async fn put_group(&self, id: &str, members: Value) {
        self.send(self.http.put(self.at(&format!("groups/{id}"))).json(&members)).await;
    }

    /// Takes a group away at once.
    pub(crate) async fn remove_group(&self, id: &str) {
        self.send(self.http.delete(self.at(&format!("groups/{id}")))).await;
    }

    /// Every call so far.
    pub(crate) async fn calls(&self) -> Vec<Value> {
        self.get("calls").await.as_array().unwrap().clone()
    }

    /// The calls of one action about one user.
    pub(crate) async fn calls_of(&self, action: &str, id: &str) -> Vec<Value> {
        let calls = self.calls().await;
        let about = |call: &Value| {
            let params = &call["Params"];
            params["UserId"] == id
                || params["ResourceName"].as_str().is_some_and(|arn| arn.ends_with(&format!(":{id}")))
        };
        calls.into_iter().filter(|call| call["Action"] == action && about(call)).collect()
    }

    /// How many calls of an action AWS accepted.
    pub(crate) async fn accepted(&self, action: &str, id: &str) -> usize {
        self.calls_of(action, id).await.iter().filter(|call| call["Code"].is_null()).count()
    }

    /// Adds a fault.
    pub(crate) async fn fault(&self, rule: Value) -> u64 {
        self.send(self.http.post(self.at("faults")).json(&rule)).await["Id"].as_u64().unwrap()
    }

    /// How often a fault struck.
    pub(crate) async fn fired(&self, id: u64) -> u64 {
        let rules = self.get("faults").await;
        rules.as_array().unwrap().iter().find(|rule| rule["Id"] == id).unwrap()["Fired"].as_u64().unwrap()
    }

    /// Waits until a fault has struck so often.
    pub(crate) async fn struck(&self, id: u64, times: u64) {
        until(&format!("fault {id} strikes {times} times"), || async {
            (self.fired(id).await >= times).then_some(())
        })
        .await;
    }

    /// Takes all faults back.
    pub(crate) async fn heal(&self) {
        self.send(self.http.delete(self.at("faults"))).await;
    }

    /// Changes settings.
    pub(crate) async fn settings(&self, settings: Value) {
        self.send(self.http.put(self.at("settings")).json(&settings)).await;
    }
}
