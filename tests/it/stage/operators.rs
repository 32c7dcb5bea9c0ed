//! The operators of a stage: real processes with the environment of the stage alone, what they say, and how they end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cluster::{Process, Signal};

use super::{ACCOUNT, REGION, Stage, until};
use crate::iam::policy;
use crate::rights::Rights;

impl Stage {
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
