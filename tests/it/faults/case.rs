//! One run of one scenario, with or without a fault.

mod events;
mod hanging;

use std::sync::Arc;
use std::time::Duration;

use elasticache_emulator::{Emulator, Settings};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use support::operator;
use support::wait::{until_notified, when};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::asked::{Mutations, called};
use super::end::{Found, difference, facts, fulfils};
use super::fault::{Call, Fault, How, To};
use super::operator::{Operator, Speed, command};
use super::proxy::Proxy;
use super::scenario::{PASSWORDS, Scenario, Step, text_of};
use crate::fixture::{Aws, manifest, until};
use crate::{control_plane, secrecy};

/// What is done to one call.
pub(super) struct Disturbance<'a> {
    pub(super) call: &'a Call,
    pub(super) fault: &'a Fault,
}

/// How a run ended.
pub(super) struct Run {
    /// The state at the end of the step, and the state after another pass.
    pub(super) ends: Vec<Value>,
    /// The operator's requests since the step began.
    pub(super) calls: Vec<Call>,
    /// The fault happened.
    pub(super) struck: bool,
    pub(super) mutations: Mutations,
    /// Writes that the API server accepted although it should have refused them.
    pub(super) offences: Vec<String>,
    /// The reasons of events and of Ready since the step began.
    pub(super) reasons: Vec<String>,
}

/// The surroundings of a case: a namespace with one object, an emulator, a proxy and an operator.
pub(super) struct Case<'a> {
    scenario: &'a Scenario,
    namespace: String,
    users: Api<DynamicObject>,
    secrets: Api<Secret>,
    aws: Aws,
    operator: Arc<Operator>,
    proxy: Arc<Proxy>,
    speed: Speed,
    serving: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Drop for Case<'_> {
    fn drop(&mut self) {
        self.operator.kill();
        self.serving.abort();
    }
}

impl<'a> Case<'a> {
    pub(super) async fn new(
        client: &Client,
        namespace: &str,
        scenario: &'a Scenario,
        speed: Speed,
        fault: Option<&Fault>,
    ) -> Self {
        let time = speed.transition();
        let settings = Settings {
            modify_time: time,
            delete_time: time,
            group_time: time,
            tag_window: speed.tag_window(),
            ..Settings::default()
        };
        let aws = Aws::new(Emulator::start(settings, "127.0.0.1:0").unwrap());
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let file = dir.path().join("kubeconfig");
        let server = format!("http://{}", listener.local_addr().unwrap());
        std::fs::write(&file, control_plane::kubeconfig(&server)).unwrap();
        let patient = fault.is_some_and(|fault| matches!(fault.how, How::Kill(_)));
        let (url, of) = (aws.url().to_owned(), namespace.to_owned());
        let recipe = move |first: bool| {
            let mut command = command(&file, &of, &url);
            command.envs(speed.env(patient && first));
            command
        };
        let operator = Operator::new(dir.path().join("operator.log"), Box::new(recipe));
        let users: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), namespace, &control_plane::resource());
        let proxy = Proxy::new(client.clone(), users.clone(), operator.clone());
        Self {
            scenario,
            namespace: namespace.to_owned(),
            secrets: Api::namespaced(client.clone(), namespace),
            users,
            aws,
            operator,
            serving: tokio::spawn(proxy.clone().serve(listener)),
            proxy,
            speed,
            _dir: dir,
        }
    }

    /// Runs the scenario. `ends` are the end states of the run without a fault.
    pub(super) async fn run(
        &self,
        disturbance: Option<&Disturbance<'_>>,
        ends: Option<&[Value]>,
    ) -> Result<Run, String> {
        self.set().await?;
        let (asked, calls) = (self.proxy.asked().len(), self.aws.calls().await.len());
        let (told, shown) = (self.proxy.events().len(), self.proxy.shown().len());
        let armed = match disturbance {
            Some(disturbance) => self.arm(disturbance).await,
            None => Armed::Nothing,
        };
        self.take(&self.scenario.step).await;
        let mut found = vec![self.end(ends.map(|ends| &ends[0]), self.scenario.step.request()).await?];
        if ends.is_none() {
            for event in &self.scenario.events {
                self.wait_for_event(event).await?;
            }
        }
        if self.scenario.wanted != Value::Null {
            // Wait for late effects of the fault.
            self.annotate("looked-at").await;
            found.push(self.end(ends.map(|ends| &ends[1]), Some("looked-at")).await?);
        }
        let struck = self.has_struck(&armed).await;
        if struck && disturbance.is_some_and(|disturbance| disturbance.fault.is_late()) {
            // AWS has finished the call. The operator does not wait for its answer any more.
            tokio::time::sleep(self.speed.too_late()).await;
            let last = found.last().cloned();
            self.end(last.as_ref(), None).await?;
        }
        // A pass does not fail if an event cannot be written.
        if struck
            && disturbance
                .is_some_and(|Disturbance { call, fault }| fault.is_api_server_failure() && !call.is_event())
        {
            self.wait_for_reported_failures().await?;
        }
        let all = self.aws.calls().await;
        if let Armed::Killer(killer) = armed {
            killer.abort();
        }
        self.check_log()?;
        Ok(Run {
            ends: found,
            calls: called(&all[calls..], &self.proxy.asked()[asked..]),
            struck,
            mutations: Mutations::among(&all, disturbance.filter(|_| struck)),
            offences: self.proxy.offences(),
            reasons: [&self.proxy.events()[told..], &self.proxy.shown()[shown..]].concat(),
        })
    }

    /// Waits until the log and /metrics show the trouble with the API server.
    async fn wait_for_reported_failures(&self) -> Result<(), String> {
        let news = (&self.proxy.news, Duration::from_millis(100));
        let told =
            until_notified("the failure in the log and in /metrics", self.speed.patience(), news, || async {
                when(self.failures(), |failures| failures.iter().all(|count| *count > 0))
            });
        told.await.map(drop).map_err(|late| self.with_log(&format!("{late}\n")))
    }

    /// The requests that failed: in /metrics, and in the log.
    fn failures(&self) -> [usize; 2] {
        let log = self.operator.said();
        let page = operator::address(&log).and_then(|address| operator::get(address, "/metrics").ok());
        let counted = page.iter().flat_map(|page| page.lines()).find_map(|line| {
            line.strip_prefix("elasticache_user_kubernetes_failures_total")?.rsplit_once(' ')?.1.parse().ok()
        });
        [
            counted.unwrap_or_default(),
            log.lines().filter(|line| line.contains("the API server failed to")).count(),
        ]
    }

    /// Prepares everything that exists before the step.
    async fn set(&self) -> Result<(), String> {
        for (_, password) in PASSWORDS {
            secrecy::remember_password(password);
        }
        let theirs = json!({ "Tags": {
            "elasticache-users.dev/cluster": "other", "elasticache-users.dev/namespace": self.namespace, "elasticache-users.dev/name": "app",
        }});
        self.aws.put_user("bystander", theirs).await;
        for (name, label) in &self.scenario.secrets {
            self.write_secret(name, label).await;
        }
        if let Some(user) = &self.scenario.user {
            let mut user: Value =
                serde_json::from_str(&user.to_string().replace("NAMESPACE", &self.namespace)).unwrap();
            for password in user.get_mut("Passwords").and_then(Value::as_array_mut).into_iter().flatten() {
                *password = json!(text_of(password.as_str().unwrap()));
            }
            self.aws.put_user("app", user).await;
        }
        for group in &self.scenario.groups {
            self.aws.put_group(group, json!({ "Engine": "valkey" })).await;
        }
        self.operator.start();
        if let Some(spec) = &self.scenario.before {
            self.create(spec).await;
            self.reaches_fact("the object is Ready", |facts| fulfils(facts, &json!({ "Status": "active" })))
                .await?;
            // The pass does this last.
            self.wait_for_event("UserCreated").await?;
        }
        Ok(())
    }

    async fn take(&self, step: &Step) {
        match step {
            Step::Create(spec) => self.create(spec).await,
            Step::Change(patch) => {
                self.users.patch("app", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
            }
            Step::Secret(name, label) => self.write_secret(name, label).await,
            Step::Delete => self.delete().await,
            Step::CreateAndDelete(spec) => {
                self.create(spec).await;
                until("CreateUser is called", || async {
                    self.operator.restart_if_ended();
                    (!self.aws.calls_of("CreateUser", "app").await.is_empty()).then_some(())
                })
                .await;
                self.delete().await;
            }
        }
    }

    async fn create(&self, spec: &Value) {
        let object = serde_json::from_value(manifest("app", spec.clone())).unwrap();
        self.users.create(&PostParams::default(), &object).await.unwrap();
    }

    async fn delete(&self) {
        self.users.delete("app", &DeleteParams::default()).await.unwrap();
    }

    async fn write_secret(&self, name: &str, label: &str) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name },
            "stringData": { "password": text_of(label) },
        });
        let params = PatchParams::apply("test").force();
        self.secrets.patch(name, &params, &Patch::Apply(&secret)).await.unwrap();
    }

    async fn annotate(&self, value: &str) {
        let patch = json!({ "metadata": { "annotations": { "elasticache-users.dev/reconcile-requested-at": value } } });
        self.users.patch("app", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    async fn facts(&self) -> Value {
        let object = self.users.get_opt("app").await.unwrap();
        let secrets = match self.scenario.secrets.is_empty() {
            true => Vec::new(),
            false => self.secrets.list_metadata(&Default::default()).await.unwrap().items,
        };
        let found = Found {
            object: object.map(|object| serde_json::to_value(object).unwrap()),
            secrets: secrets.into_iter().map(|secret| serde_json::to_value(secret).unwrap()).collect(),
            users: self.aws.users().await,
        };
        facts(&found, &self.namespace)
    }

    /// Waits for this end state. Without one, waits for any end state that fulfils the scenario. The object must echo this
    /// request.
    async fn end(&self, end: Option<&Value>, echo: Option<&str>) -> Result<Value, String> {
        let Some(end) = end else {
            let wanted = &self.scenario.wanted;
            let echoed = |facts: &Value| {
                echo.is_none_or(|echo| facts["object"]["status"]["lastHandledReconcileAt"] == echo)
            };
            return self.reaches_fact("the end", |facts| fulfils(facts, wanted) && echoed(facts)).await;
        };
        self.reach(|facts| facts == end).await.map_err(|last| {
            self.with_log(&format!("another end than undisturbed:\n{}", difference(end, &last)))
        })
    }

    async fn reaches_fact(&self, what: &str, fact: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let reached = self.reach(fact).await;
        reached.map_err(|last| self.with_log(&format!("never came: {what}. Last seen:\n{last:#}\n")))
    }

    /// Waits until the facts fulfil `fact`. Returns these facts, or the last ones as an error if the time is over.
    async fn reach(&self, fact: impl Fn(&Value) -> bool) -> Result<Value, Value> {
        let news = (&self.proxy.news, Duration::from_millis(250));
        let reached = until_notified("the facts", self.speed.patience(), news, || async {
            self.operator.restart_if_ended();
            when(self.facts().await, &fact)
        });
        reached.await.map_err(|late| late.last)
    }

    async fn wait_for_event(&self, reason: &str) -> Result<(), String> {
        let news = (&self.proxy.news, Duration::from_millis(100));
        let fact = format!("event {reason}");
        let told = until_notified(&fact, self.speed.patience(), news, || async {
            when(self.proxy.events(), |told| told.iter().any(|told| told == reason))
        });
        told.await.map(drop).map_err(|late| self.with_log(&format!("{late}\n")))
    }

    /// What is wrong, with the end of the log.
    fn with_log(&self, why: &str) -> String {
        secrecy::redacted(&format!("{why}--- end of the operator's log\n{}\n", self.operator.log_end()))
    }

    fn check_log(&self) -> Result<(), String> {
        let said = self.operator.said();
        if said.contains("panicked") || said.contains("this is a defect") {
            return Err(self.with_log("the operator panicked, or found a defect in itself\n"));
        }
        if secrecy::shows_in(&said) {
            return Err(self.with_log("a password shows in the log\n"));
        }
        Ok(())
    }

    /// Deletes the objects of the case, so that the namespace can be used again.
    pub(super) async fn clear(&self) {
        self.operator.kill();
        let free = json!({ "metadata": { "finalizers": null } });
        let _ = self.users.patch("app", &PatchParams::default(), &Patch::Merge(free)).await;
        let _ = self.users.delete("app", &DeleteParams::default()).await;
        if !self.scenario.secrets.is_empty() {
            self.secrets.delete_collection(&DeleteParams::default(), &Default::default()).await.unwrap();
        }
    }
}

/// How the fault of a case is set up.
enum Armed {
    Nothing,
    Rule(u64),
    Request,
    Killer(JoinHandle<()>),
}

impl Case<'_> {
    async fn arm(&self, Disturbance { call, fault }: &Disturbance<'_>) -> Armed {
        let (action, user) = match &call.to {
            To::Kubernetes(asked) => {
                self.proxy.arm(asked, call.before, &fault.how);
                return Armed::Request;
            }
            To::Aws { action, user } => (action, user),
        };
        let mut rule = match &fault.how {
            How::Aws(rule) => rule.clone(),
            How::Kill(when) => json!({ "Kind": "hang", "Ms": 600_000, "When": when.word() }),
            How::Kubernetes(..) | How::Overtaken => unreachable!("AWS is no API server"),
        };
        rule["Action"] = json!(action);
        // `*`: calls that name no user.
        rule["UserId"] = json!(if user.is_empty() { "*" } else { user });
        rule["Skip"] = json!(call.before);
        let rule = self.aws.fault(rule).await;
        if !matches!(fault.how, How::Kill(_)) {
            return Armed::Rule(rule);
        }
        let (aws, operator) = (self.aws.clone(), self.operator.clone());
        Armed::Killer(tokio::spawn(async move {
            while aws.fired(rule).await == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            operator.restart().await;
        }))
    }

    async fn has_struck(&self, armed: &Armed) -> bool {
        match armed {
            Armed::Nothing => false,
            Armed::Rule(rule) => self.aws.fired(*rule).await > 0,
            Armed::Request => self.proxy.struck(),
            Armed::Killer(killer) => killer.is_finished(),
        }
    }
}
