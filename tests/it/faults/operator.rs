//! The operator's process of one case: it can be killed and started again at any moment.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster::Process;
use support::operator;

use crate::fixture::operators::LOG;
use crate::secrecy::redacted;

type Recipe = Box<dyn Fn(bool) -> Command + Send + Sync>;

pub(super) struct Operator {
    recipe: Recipe,
    process: Mutex<Option<Process>>,
    log: PathBuf,
}

impl Operator {
    /// `recipe` makes the command: of the first process (true), and of each that follows.
    pub(super) fn new(log: PathBuf, recipe: Recipe) -> Arc<Self> {
        Arc::new(Self { recipe, process: Mutex::new(None), log })
    }

    pub(super) fn start(&self) {
        let mut process = self.process.lock().unwrap();
        *process = Some(Process::start("operator", (self.recipe)(true), &self.log).unwrap());
    }

    /// Kills it and starts it again. Goes through even where nobody waits for its end: the connection that it is about dies
    /// with the process.
    pub(super) async fn restart(self: &Arc<Self>) {
        let operator = self.clone();
        let restart = move || {
            let mut process = operator.process.lock().unwrap();
            drop(process.take());
            *process = Some(Process::start("operator", (operator.recipe)(false), &operator.log).unwrap());
        };
        tokio::task::spawn_blocking(restart).await.unwrap();
    }

    pub(super) fn kill(&self) {
        drop(self.process.lock().unwrap().take());
    }

    /// Starts it again where it has ended by itself, as the kubelet does: it ends where the API server does not answer it at
    /// its start.
    pub(super) fn keep_up(&self) {
        let mut process = self.process.lock().unwrap();
        if process.as_mut().is_some_and(|process| process.status().is_ok_and(|status| status.is_some())) {
            *process = Some(Process::start("operator", (self.recipe)(false), &self.log).unwrap());
        }
    }

    /// All that its processes have said.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of it, without passwords.
    pub(super) fn last_words(&self) -> String {
        redacted(&operator::tail(&self.said(), 40))
    }
}

/// How fast the operator goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speed {
    /// As it is run by people.
    pub(super) real: bool,
}

impl Speed {
    /// How long a user is `modifying` or `deleting`: the operator sees both that and its end.
    pub(super) fn transition(self) -> Duration {
        Duration::from_millis(if self.real { 1000 } else { 50 })
    }

    /// How long tags cannot be read after a change. At high speed it would be up to the clock whether anybody meets it; what
    /// it does is one of the faults.
    pub(super) fn tag_window(self) -> Duration {
        if self.real { Duration::from_secs(1) } else { Duration::ZERO }
    }

    /// Longer than an AWS call may take, and less than a CreateUser is reckoned with afterwards.
    pub(super) fn too_late(self) -> Duration {
        Duration::from_millis(if self.real { 25_000 } else { 2_500 })
    }

    /// Cases at the same time, all scenarios together: at real pace they mostly wait.
    pub(super) fn at_once(self) -> usize {
        if self.real { 64 } else { 16 }
    }

    /// How long an end state may take to come.
    pub(super) fn patience(self) -> Duration {
        Duration::from_secs(if self.real { 300 } else { 60 })
    }

    /// The operator's environment. `patient`: no AWS call times out before a test has seen it.
    pub(super) fn env(self, patient: bool) -> Vec<(&'static str, &'static str)> {
        if self.real {
            return Vec::new();
        }
        let call = if patient { "60s" } else { "2s" };
        vec![
            ("PACE_DIVISOR", "20"),
            ("AWS_CALL_TIMEOUT", call),
            ("KUBERNETES_TIMEOUT", "2s"),
            ("AWS_RATE", "1000"),
            ("AWS_BURST", "1000"),
        ]
    }
}

/// The operator's command, with this environment alone.
pub(super) fn command(kubeconfig: &Path, namespace: &str, aws: &str) -> Command {
    let mut command = operator::command(env!("CARGO_BIN_EXE_elasticache-user-operator"), kubeconfig, aws);
    command
        .env("NAMESPACE", namespace)
        .env("CLUSTER_ID", "here")
        .env("ADOPTION_NAMESPACE", "*")
        .env("LOG", LOG);
    command
}
