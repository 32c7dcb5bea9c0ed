//! The fixture: a control plane, the emulator and the operator, each a real process that ends with this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use cluster::{Cluster, Options, Process, Signal};
use support::command::run;
use support::wait::{PATIENCE, until_blocking};
use support::{operator, repository};

use crate::aws::Aws;
use crate::shell::{say, show};

/// The namespace that kubectl means on a fixture.
pub(crate) const NAMESPACE: &str = "demo";
/// The file of the CRD.
const CRD: &str = "crds/elasticacheusers.yaml";

/// A running fixture.
pub(crate) struct Fixture {
    // Rust drops the fields in this order: the operator before the servers that it uses.
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
    /// Variables of the operator, beside those that it needs.
    pub(crate) variables: &'a [(String, String)],
    /// How long a user stays `modifying`.
    pub(crate) modify_time: Duration,
    /// How long a user stays `deleting`.
    pub(crate) delete_time: Duration,
    /// Users that the account may have; AWS allows 1,000 unless asked for more.
    pub(crate) quota: u32,
}

impl Fixture {
    /// Starts everything on a control plane with these options, prints its progress, and waits until the operator is ready.
    pub(crate) fn set(setup: &Setup<'_>, options: Options) -> Result<Self> {
        if !options.use_cluster && Cluster::would_be_own() {
            say("Kubernetes starts on loopback ..");
        }
        let cluster = Cluster::start(options)?;
        match Self::around(&cluster, setup) {
            Ok((operator, emulator, aws)) => Ok(Self { operator, emulator, aws, cluster }),
            Err(error) => Err(with_logs(error, &cluster)),
        }
    }

    fn around(cluster: &Cluster, setup: &Setup<'_>) -> Result<(Process, Process, Aws)> {
        say(&format!("Kubernetes is ready at {}", cluster.url()));
        let (emulator, aws) = start_emulator(cluster, setup)?;
        say(&format!("The ElastiCache emulator is ready at {}", aws.url()));
        say("The custom resource is installed:");
        show(kubectl(cluster).args(["apply", "--server-side", "-f", CRD]))?;
        cluster.established("elasticacheusers.elasticache-users.dev")?;
        run(kubectl(cluster).args(["create", "namespace", NAMESPACE]))?;
        run(kubectl(cluster).args(["config", "set-context", "--current", "--namespace", NAMESPACE]))?;
        let operator = start_operator(cluster, &aws, setup, &operator_log(cluster))?;
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
        let log = fs::read_to_string(self.operator_log())?;
        let address = operator::address(&log).context("the operator does not say where it serves")?;
        Ok(address.to_owned())
    }

    /// Returns an error if a program has ended unexpectedly.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        self.check_servers()?;
        self.operator.check_alive()
    }

    /// Returns an error if a program other than the operator has ended unexpectedly.
    pub(crate) fn check_servers(&mut self) -> Result<()> {
        self.emulator.check_alive()
    }

    /// How the operator has ended, if it has.
    pub(crate) fn operator_status(&mut self) -> Result<Option<ExitStatus>> {
        self.operator.status()
    }

    /// Sends SIGTERM to the operator, as at the end of a Pod, and waits until it ends.
    pub(crate) fn end_operator(&mut self) -> Result<ExitStatus> {
        self.operator.signal(Signal::TERM)?;
        until_blocking("the operator ends after SIGTERM", PATIENCE, || self.operator.status())
    }

    /// Starts an operator again, after the former one has ended. The log of that one becomes `operator-before.log`.
    pub(crate) fn restart_operator(&mut self, setup: &Setup<'_>) -> Result<()> {
        let log = self.operator_log();
        fs::rename(&log, log.with_file_name("operator-before.log"))?;
        self.operator = start_operator(&self.cluster, &self.aws, setup, &log)?;
        Ok(())
    }

    /// Keeps the logs for people who investigate `error`. If a program has ended early, the error names it, because the step that waited
    /// for this program has failed with another message.
    pub(crate) fn failed(&mut self, error: anyhow::Error) -> anyhow::Error {
        let told = format!("{error:#}");
        let error = match self.check_alive() {
            Err(ended) if !told.contains(&ended.to_string()) => anyhow!("{told}\n{ended}"),
            Err(_) | Ok(()) => error,
        };
        self.with_logs(error)
    }

    /// Keeps the logs for people who investigate `error`.
    pub(crate) fn with_logs(&self, error: anyhow::Error) -> anyhow::Error {
        with_logs(error, &self.cluster)
    }

    /// Ends everything and removes all files. In a cluster that is not our own, only the namespace is removed.
    pub(crate) fn clear(self) -> Result<()> {
        if !self.cluster.is_own() {
            run(self.kubectl().args(["delete", "namespace", NAMESPACE]))?;
            say(&format!(
                "The namespace {NAMESPACE} is removed. The CustomResourceDefinition stays: if nobody uses it,"
            ));
            say(&format!("    kubectl delete -f {CRD}"));
        }
        Ok(())
    }
}

fn kubectl(cluster: &Cluster) -> Command {
    let mut kubectl = cluster.kubectl();
    kubectl.current_dir(repository::path("."));
    kubectl
}

fn operator_log(cluster: &Cluster) -> PathBuf {
    cluster.logs_dir().join("operator.log")
}

fn start_emulator(cluster: &Cluster, setup: &Setup<'_>) -> Result<(Process, Aws)> {
    let seconds = |time: Duration| format!("{}s", time.as_secs());
    let (modify, delete) = (seconds(setup.modify_time), seconds(setup.delete_time));
    let quota = setup.quota.to_string();
    let flags = ["--modify-time", &modify, "--delete-time", &delete, "--user-quota", &quota];
    let (emulator, url) = support::emulator::start(&flags, &cluster.logs_dir().join("emulator.log"))?;
    Ok((emulator, Aws::at(url)?))
}

/// Starts an operator that logs to this file, which must be new, and waits until it is ready.
pub(crate) fn start_operator(cluster: &Cluster, aws: &Aws, setup: &Setup<'_>, log: &Path) -> Result<Process> {
    let mut command = operator::command(&setup.operator, cluster.kubeconfig(), aws.url());
    command.env("AWS_ENDPOINT_URL_STS", aws.url()).env("MALLOC_ARENA_MAX", "2");
    if !cluster.is_own() {
        // The operator must not manage other objects of that cluster with an emulator.
        command.env("ELASTICACHE_USERS_NAMESPACE", NAMESPACE);
    }
    command.envs(setup.variables.iter().cloned());
    command.arg("run").args(setup.flags);
    let mut process = Process::start("operator", command, log)?;
    let address = until_blocking("the operator says where it serves /readyz", PATIENCE, || {
        process.check_alive()?;
        Ok(operator::address(&fs::read_to_string(log)?).map(str::to_owned))
    })?;
    until_blocking("the operator is ready", PATIENCE, || {
        process.check_alive()?;
        Ok(operator::get(&address, "/readyz"))
    })?;
    Ok(process)
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
