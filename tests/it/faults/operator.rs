//! The operator's process of one case. It can be killed and started again at any moment.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster::{Process, Signal};
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
    /// `recipe` makes the command of a process. Its argument is true for the first one.
    pub(super) fn new(log: PathBuf, recipe: Recipe) -> Arc<Self> {
        Arc::new(Self { recipe, process: Mutex::new(None), log })
    }

    pub(super) fn start(&self) {
        let mut process = self.process.lock().unwrap();
        *process = Some(Process::start("operator", (self.recipe)(true), &self.log).unwrap());
    }

    /// Kills the process and starts another one. It completes even if its future is dropped, because the killed process closes the
    /// connection whose handler waits for it.
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

    /// Asks the process to end, and answers its exit code.
    pub(super) async fn terminate(&self) -> Option<i32> {
        let mut process = self.process.lock().unwrap().take().unwrap();
        process.signal(Signal::TERM).unwrap();
        operator::exit_code(&mut process).await.unwrap()
    }

    /// Starts the process again if it has ended by itself, as the kubelet does. It ends if the API server does not answer at its
    /// start.
    pub(super) fn restart_if_ended(&self) {
        let mut process = self.process.lock().unwrap();
        if process.as_mut().is_some_and(|process| process.status().is_ok_and(|status| status.is_some())) {
            *process = Some(Process::start("operator", (self.recipe)(false), &self.log).unwrap());
        }
    }

    /// The output of all its processes.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of the output, without passwords.
    pub(super) fn log_end(&self) -> String {
        redacted(&operator::tail(&self.said(), 40))
    }
}

/// How fast the operator goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speed {
    /// The durations of production.
    pub(super) real: bool,
}

impl Speed {
    /// How long a user is `modifying` or `deleting`. It is long enough for the operator to see this state and its end.
    pub(super) fn transition(self) -> Duration {
        Duration::from_millis(if self.real { 1000 } else { 50 })
    }

    /// How long tags cannot be read after a change. At high speed it would be a matter of chance whether the operator meets it, so
    /// there it is one of the faults instead.
    pub(super) fn tag_window(self) -> Duration {
        if self.real { Duration::from_secs(1) } else { Duration::ZERO }
    }

    /// Longer than the time-out of an AWS call, and shorter than the window of a CreateUser.
    pub(super) fn too_late(self) -> Duration {
        Duration::from_millis(if self.real { 25_000 } else { 2_500 })
    }

    /// The number of cases at the same time. At real pace there are many, because they mostly wait.
    pub(super) fn at_once(self) -> usize {
        if self.real { 64 } else { 16 }
    }

    /// How long an end state may take to come.
    pub(super) fn patience(self) -> Duration {
        Duration::from_secs(if self.real { 300 } else { 60 })
    }

    /// How long the operator waits for an answer of the API server.
    pub(super) fn kubernetes_timeout(self) -> Duration {
        Duration::from_secs(if self.real { 15 } else { 2 })
    }

    /// The operator's environment. If `patient`, no AWS call times out before a test has seen it.
    pub(super) fn env(self, patient: bool) -> Vec<(&'static str, &'static str)> {
        if self.real {
            return Vec::new();
        }
        let call = if patient { "60s" } else { "2s" };
        vec![
            ("ELASTICACHE_USERS_PACE_DIVISOR", "20"),
            ("ELASTICACHE_USERS_AWS_CALL_TIMEOUT", call),
            ("ELASTICACHE_USERS_KUBERNETES_TIMEOUT", "2s"),
            ("ELASTICACHE_USERS_AWS_RATE", "1000"),
            ("ELASTICACHE_USERS_AWS_BURST", "1000"),
        ]
    }
}

/// The operator's command, with this environment alone.
pub(super) fn command(kubeconfig: &Path, namespace: &str, aws: &str) -> Command {
    let mut command = operator::command(env!("CARGO_BIN_EXE_elasticache-user-operator"), kubeconfig, aws);
    command
        .env("ELASTICACHE_USERS_NAMESPACE", namespace)
        .env("ELASTICACHE_USERS_CLUSTER_ID", "here")
        .env("ELASTICACHE_USERS_ADOPTION_NAMESPACE", "*")
        .env("ELASTICACHE_USERS_ALLOWED_USER_GROUP", "*")
        .env("ELASTICACHE_USERS_LOG", LOG);
    command
}
