//! The fixture: a control plane, the emulator and the operator, each a real process that ends with this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use cluster::{Cluster, Options, Process, Signal};

use crate::aws::{ACCOUNT, Aws, REGION, get};
use crate::shell::{run, say, show};
use crate::wait::until;

/// The namespace that kubectl means on a fixture.
pub(crate) const NAMESPACE: &str = "demo";
/// The file of the CRD.
const CRD: &str = "crds/elasticacheusers.yaml";

/// A running fixture.
pub(crate) struct Fixture {
    // Dropped in this order: the operator before what it talks to.
    operator: Process,
    emulator: Process,
    aws: Aws,
    cluster: Cluster,
}

/// What a fixture is made of.
pub(crate) struct Setup<'a> {
    /// The operator's program.
    pub(crate) operator: PathBuf,
    /// Flags of the operator.
    pub(crate) flags: &'a [String],
    /// How long a user stays `modifying`.
    pub(crate) modify_time: Duration,
    /// How long a user stays `deleting`.
    pub(crate) delete_time: Duration,
    /// Users that the account may have; AWS allows 1,000 unless asked for more.
    pub(crate) quota: u32,
}

impl Fixture {
    /// Starts everything and waits until the operator is ready, telling what it does.
    pub(crate) fn set(setup: &Setup<'_>) -> Result<Self> {
        Self::set_on(setup, Options::default())
    }

    /// The same on a control plane with these options.
    pub(crate) fn set_on(setup: &Setup<'_>, options: Options) -> Result<Self> {
        for program in [&setup.operator, &beside("elasticache-emulator")?] {
            if !program.is_file() {
                bail!("{} is not there: `cargo build --workspace --bins` builds it", program.display());
            }
        }
        say("Kubernetes starts: etcd, kube-apiserver and kube-controller-manager on loopback ..");
        let cluster = Cluster::start(options)?;
        match Self::around(&cluster, setup) {
            Ok((operator, emulator, aws)) => Ok(Self { operator, emulator, aws, cluster }),
            Err(error) => Err(with_logs(error, &cluster)),
        }
    }

    fn around(cluster: &Cluster, setup: &Setup<'_>) -> Result<(Process, Process, Aws)> {
        say(&format!("  it is ready at {}", cluster.url()));
        let (emulator, aws) = start_emulator(cluster, setup)?;
        say(&format!("The ElastiCache emulator is ready at {}", aws.url()));
        say("The custom resource is installed:");
        show(kubectl(cluster).args(["apply", "--server-side", "-f", CRD]))?;
        cluster.established("elasticacheusers.elasticache-users.dev")?;
        run(kubectl(cluster).args(["create", "namespace", NAMESPACE]))?;
        run(kubectl(cluster).args(["config", "set-context", "--current", "--namespace", NAMESPACE]))?;
        let operator = start_operator(cluster, &aws, setup)?;
        say("The operator runs, and is ready.");
        Ok((operator, emulator, aws))
    }

    /// kubectl, as an administrator, in the repository's folder and the fixture's namespace.
    pub(crate) fn kubectl(&self) -> Command {
        kubectl(&self.cluster)
    }

    /// The emulator.
    pub(crate) fn aws(&self) -> &Aws {
        &self.aws
    }

    /// The cluster.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The operator's process id.
    pub(crate) fn operator_pid(&self) -> u32 {
        self.operator.pid()
    }

    /// The operator's log.
    pub(crate) fn operator_log(&self) -> PathBuf {
        operator_log(&self.cluster)
    }

    /// Where the operator serves its metrics: `HOST:PORT`.
    pub(crate) fn operator_address(&self) -> Result<String> {
        served(&self.operator_log())?.context("the operator does not say where it serves")
    }

    /// An error when a program has ended that should not have.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        self.emulator.check_alive()?;
        self.operator.check_alive()
    }

    /// Tells the operator to end, as a Pod's end does, and waits until it has.
    pub(crate) fn end_operator(&mut self) -> Result<ExitStatus> {
        self.operator.signal(Signal::TERM)?;
        until("the operator ends after SIGTERM", || self.operator.status())
    }

    /// Starts an operator again, after the former one has ended.
    pub(crate) fn restart_operator(&mut self, setup: &Setup<'_>) -> Result<()> {
        let log = self.operator_log();
        fs::rename(&log, log.with_file_name("operator-before.log"))?;
        self.operator = start_operator(&self.cluster, &self.aws, setup)?;
        Ok(())
    }

    /// What the operator has written so far, by the audit log: finalizers and statuses, and events.
    pub(crate) fn writes(&self) -> Result<(usize, usize)> {
        let by_operator = |line: &str| line.contains("\"userAgent\":\"elasticache-user-operator/");
        let (mut writes, mut events) = (0, 0);
        for event in self.cluster.audit_log()?.events_where(by_operator)? {
            match (event["verb"].as_str(), event["objectRef"]["resource"].as_str()) {
                (Some("get" | "list" | "watch"), _) => {}
                (_, Some("events")) => events += 1,
                _ => writes += 1,
            }
        }
        Ok((writes, events))
    }

    /// Keeps the logs for whoever looks into `error`, and adds which program ended early, if one did: whatever waited for
    /// it has failed with another message.
    pub(crate) fn failed(&mut self, error: anyhow::Error) -> anyhow::Error {
        let told = format!("{error:#}");
        let error = match self.check_alive() {
            Err(ended) if !told.contains(&ended.to_string()) => anyhow!("{told}\n{ended}"),
            Err(_) | Ok(()) => error,
        };
        with_logs(error, &self.cluster)
    }

    /// Ends everything and removes every trace. What is not our own cluster loses only the namespace.
    pub(crate) fn clear(self) -> Result<()> {
        if !self.cluster.is_own() {
            run(self.kubectl().args(["delete", "namespace", NAMESPACE]))?;
        }
        Ok(())
    }
}

/// A program that cargo put beside this one.
pub(crate) fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("failed to find this program's own file")?;
    Ok(own.with_file_name(name))
}

/// The repository's folder.
fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn kubectl(cluster: &Cluster) -> Command {
    let mut kubectl = cluster.kubectl();
    kubectl.current_dir(repository());
    kubectl
}

fn operator_log(cluster: &Cluster) -> PathBuf {
    cluster.logs_dir().join("operator.log")
}

fn start_emulator(cluster: &Cluster, setup: &Setup<'_>) -> Result<(Process, Aws)> {
    let seconds = |time: Duration| format!("{}s", time.as_secs());
    let mut command = Command::new(beside("elasticache-emulator")?);
    command.env_clear().args(["--addr", "127.0.0.1:0"]);
    command.args([
        "--modify-time",
        &seconds(setup.modify_time),
        "--delete-time",
        &seconds(setup.delete_time),
    ]);
    command.args(["--user-quota", &setup.quota.to_string()]);
    let log = cluster.logs_dir().join("emulator.log");
    let mut emulator = Process::start("emulator", command, &log)?;
    let url = until("the emulator listens", || {
        emulator.check_alive()?;
        Ok(word_after(&log, "listening on ")?)
    })?;
    Ok((emulator, Aws::at(&url)?))
}

/// The environment is the fixture's alone: a developer's AWS profile or proxy must not be what it runs with.
fn start_operator(cluster: &Cluster, aws: &Aws, setup: &Setup<'_>) -> Result<Process> {
    let mut command = Command::new(&setup.operator);
    command
        .env_clear()
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", ACCOUNT)
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL_ELASTICACHE", aws.url())
        .env("AWS_ENDPOINT_URL_STS", aws.url())
        .env("HTTP_ADDR", "127.0.0.1:0")
        .env("MALLOC_ARENA_MAX", "2");
    if !cluster.is_own() {
        // Whatever else is in that cluster is not for an emulator.
        command.env("NAMESPACE", NAMESPACE);
    }
    command.arg("run").args(setup.flags);
    let log = operator_log(cluster);
    let mut operator = Process::start("operator", command, &log)?;
    let address = until("the operator says where it serves /readyz", || {
        operator.check_alive()?;
        Ok(served(&log)?)
    })?;
    until("the operator is ready", || {
        operator.check_alive()?;
        Ok(get(&address, "/readyz").ok())
    })?;
    Ok(operator)
}

/// Where the operator serves, by its log: text, or JSON where the developer asked for it.
fn served(log: &Path) -> std::io::Result<Option<String>> {
    let json = word_after(log, "\"http\":\"")?;
    let json = json.and_then(|rest| rest.split_once('"').map(|(address, _)| address.to_owned()));
    Ok(json.or(word_after(log, "http=")?))
}

/// The word that follows `mark` in a file, once its line is whole.
fn word_after(file: &Path, mark: &str) -> std::io::Result<Option<String>> {
    let text = fs::read_to_string(file)?;
    let found = text.split_once(mark).and_then(|(_, rest)| rest.split_once(char::is_whitespace));
    Ok(found.map(|(word, _)| word.to_owned()))
}

/// Moves the logs out of the cluster's directory, so that they outlive it.
fn with_logs(error: anyhow::Error, cluster: &Cluster) -> anyhow::Error {
    let keep = || {
        let kept = tempfile::Builder::new().prefix("elasticache-user-demo-logs-").tempdir()?.keep();
        fs::rename(cluster.logs_dir(), &kept).map(|()| kept)
    };
    match keep() {
        Ok(kept) => anyhow!("{error:#}\nAll logs are kept in {}", kept.display()),
        Err(why) => anyhow!("{error:#}\nThe logs could not be kept: {why}"),
    }
}
