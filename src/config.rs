//! No I/O but the environment: flags and environment variables become a [`Run`]. The only reader of the environment.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use plan::DeletionPolicy;
use plan::pace::Pace;

use crate::api::FIELD_MANAGER;

/// What is logged by default. A watch that fails is told once by the controller, and by kube at each attempt.
pub const DEFAULT_LOG: &str = "info,kube_runtime=warn,kube_runtime::watcher=error";

/// In a list of namespaces: none of them.
const NONE: &str = "-";

/// Manages Amazon ElastiCache RBAC users as Kubernetes objects.
///
/// Apply an ElastiCacheUser, and the AWS user exists, matches it and stays so; delete it, and the AWS user is gone before
/// the object is. AWS region, credentials and endpoint come from the AWS SDK's standard chain (AWS_REGION, IRSA, EKS Pod
/// Identity, profiles, AWS_ENDPOINT_URL_ELASTICACHE); the cluster from KUBECONFIG or, in a pod, from its ServiceAccount.
#[derive(Debug, Parser)]
#[command(name = "elasticache-user-operator", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; `run` where it is left out.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of `run`.
    #[command(flatten)]
    pub run: Run,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the controller (default).
    Run(Run),
    /// Print the CustomResourceDefinition as YAML, for: kubectl apply --server-side -f -
    Crd,
    /// Tell what the operator lacks in the cluster and in AWS, and how to mend it.
    ///
    /// Takes the environment and the arguments of `run`, so that a Pod's serve both, and changes nothing. Asks whether the
    /// cluster can be reached, which CustomResourceDefinition is there, what RBAC allows, who the AWS credentials are, what
    /// they may do and whether the clocks agree. Exit code 0 where nothing failed, 1 otherwise. With --uninstall it asks
    /// instead whether an AWS user would be lost if the operator went, with --orphans which AWS users lack their object; then
    /// exit code 1 says that something could not be asked.
    Check(Check),
}

/// Flags of `run`. Each has an environment variable of the same name; the flag wins.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Namespace to watch; repeatable, comma-separated in the environment. Left out: all namespaces.
    #[arg(long, env = "NAMESPACE", value_delimiter = ',', value_name = "NAME")]
    pub namespace: Vec<String>,

    /// Namespace whose Secrets are watched, where that is not all of those above; repeatable, comma-separated in the
    /// environment, - for none. A Secret elsewhere is read as well where that is allowed, and a change of it noticed at the
    /// next --resync.
    #[arg(long, env = "SECRET_NAMESPACE", value_delimiter = ',', value_name = "NAME")]
    pub secret_namespace: Vec<String>,

    /// Names this cluster in the owner tags of AWS users. Left out: the UID of the namespace kube-system.
    #[arg(long, env = "CLUSTER_ID", value_name = "ID", value_parser = cluster_id)]
    pub cluster_id: Option<String>,

    /// What becomes of the AWS user of an object without deletionPolicy.
    #[arg(long, env = "DEFAULT_DELETION_POLICY", value_enum, ignore_case = true, default_value = "Delete")]
    pub default_deletion_policy: Policy,

    /// Namespace whose objects may take over AWS users that nobody's tags claim (adoptionPolicy: Adopt); repeatable,
    /// comma-separated in the environment, * for all. Left out: none.
    #[arg(long, env = "ADOPTION_NAMESPACE", value_delimiter = ',', value_name = "NAME")]
    pub adoption_namespace: Vec<String>,

    /// What every user ID must begin with, such as {namespace}- for the object's namespace and a hyphen. Left out:
    /// anything goes.
    #[arg(long, env = "REQUIRED_USER_ID_PREFIX", value_name = "TEMPLATE", value_parser = user_id_prefix)]
    pub required_user_id_prefix: Option<String>,

    /// Objects that are worked on at the same time.
    #[arg(long, env = "CONCURRENCY", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub concurrency: u16,

    /// AWS calls a second that the operator makes at most, all objects together.
    #[arg(long, env = "AWS_RATE", default_value_t = 10.0, value_parser = rate, value_name = "N")]
    pub aws_rate: f64,

    /// AWS calls that may be made at once after a quiet time.
    #[arg(long, env = "AWS_BURST", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub aws_burst: u32,

    /// How often each object is compared with AWS, spread by a tenth either way.
    #[arg(long, env = "RESYNC", default_value = "10m", value_parser = duration, value_name = "DURATION")]
    pub resync: Duration,

    /// Tags are compared at every Nth drift check only, as that costs a call of its own.
    #[arg(long, env = "TAG_RESYNC_EVERY", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    pub tag_resync_every: u32,

    /// How long a Ready object stays Ready while AWS does not answer.
    #[arg(long, env = "STALE_AFTER", default_value = "15m", value_parser = duration, value_name = "DURATION")]
    pub stale_after: Duration,

    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, env = "HTTP_ADDR", default_value = "0.0.0.0:8080", value_name = "ADDR:PORT")]
    pub http_addr: SocketAddr,

    /// Work only while holding the Lease elasticache-user-operator, so that several replicas may run: one works, the
    /// others stand by. It is in POD_NAMESPACE, else in the namespace of the kubeconfig's context.
    #[arg(
        long,
        env = "LEADER_ELECT",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        action = ArgAction::Set,
        value_name = "BOOL"
    )]
    pub leader_elect: bool,

    /// For pods: the namespace of the Lease.
    #[arg(long, env = "POD_NAMESPACE", hide = true)]
    pub pod_namespace: Option<String>,

    /// For pods: what the holder of the Lease is called.
    #[arg(long, env = "POD_NAME", hide = true)]
    pub pod_name: Option<String>,

    /// Form of the log lines.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// What is logged: a level, or directives such as info,elasticache_user_operator=debug
    #[arg(long, env = "LOG", default_value = DEFAULT_LOG, value_name = "FILTER")]
    pub log: String,

    /// For tests: how long one AWS call may take.
    #[arg(long, env = "AWS_CALL_TIMEOUT", default_value = "20s", hide = true, value_parser = duration)]
    pub aws_call_timeout: Duration,

    /// For tests: how long one request to the API server may take, watches apart.
    #[arg(long, env = "KUBERNETES_TIMEOUT", default_value = "15s", hide = true, value_parser = duration)]
    pub kubernetes_timeout: Duration,

    /// For tests: divides the operator's pauses by this number.
    #[arg(long, env = "PACE_DIVISOR", default_value_t = 1, hide = true, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pace_divisor: u32,
}

/// Flags of `check`: those of `run`, and its own.
#[derive(Debug, Clone, Args)]
#[command(mut_args(shown_for_check))]
pub struct Check {
    /// Flags of `run`.
    #[command(flatten)]
    pub run: Run,

    /// Form of the answer on standard output.
    #[arg(long, env = "OUTPUT", value_enum, default_value = "table")]
    pub output: Output,

    /// Refuse, with exit code 1, while objects would lose their AWS users if the operator were removed.
    #[arg(long, env = "UNINSTALL", value_parser = FalseyValueParser::new())]
    pub uninstall: bool,

    /// List the AWS users whose owner tags name an object of this cluster that is not there, each with the commands that
    /// adopt or delete it. Makes one AWS call for 100 users and one for the tags of each.
    #[arg(long, env = "ORPHANS", value_parser = FalseyValueParser::new())]
    pub orphans: bool,

    /// With --uninstall: tell the same, but let go.
    #[arg(long, env = "FORCE", value_parser = FalseyValueParser::new())]
    pub force: bool,

    /// For tests: objects in a page of a list.
    #[arg(long, env = "PAGE_SIZE", default_value_t = 500, hide = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub page_size: u32,
}

/// What `check` looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckMode {
    /// What the operator lacks.
    Preflight,
    /// Which AWS users would be lost without the operator.
    Uninstall {
        /// A person has decided that nothing stands in the way.
        force: bool,
    },
    /// Which AWS users lack their object.
    Orphans,
}

impl Check {
    /// # Errors
    /// If flags or variables that are set do not go together.
    pub fn mode(&self) -> Result<CheckMode, clap::Error> {
        match (self.uninstall, self.orphans, self.force) {
            (true, true, _) => {
                Err(conflict("--uninstall and --orphans are two checks: run one after the other"))
            }
            (false, _, true) => {
                Err(conflict("--force is about --uninstall alone: give both, or leave --force out"))
            }
            (true, false, force) => Ok(CheckMode::Uninstall { force }),
            (false, true, false) => Ok(CheckMode::Orphans),
            (false, false, false) => Ok(CheckMode::Preflight),
        }
    }
}

/// An error that ends the program as clap's own do: with the usage and exit code 2.
fn conflict(message: &str) -> clap::Error {
    let mut cli = Cli::command();
    // Without this the usage would not name the subcommand.
    cli.build();
    let check = cli.find_subcommand_mut("check").map(std::mem::take);
    check.unwrap_or(cli).error(ErrorKind::ArgumentConflict, message)
}

/// Form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people: a line for each check, as it comes.
    Table,
    /// One JSON object.
    Json,
}

/// Flags of `run` that `check` takes without making anything of them are not in its help.
fn shown_for_check(arg: Arg) -> Arg {
    const IDLE: [&str; 8] = [
        "adoption_namespace",
        "concurrency",
        "resync",
        "tag_resync_every",
        "stale_after",
        "http_addr",
        "log_format",
        "log",
    ];
    let idle = IDLE.contains(&arg.get_id().as_str());
    if idle { arg.hide(true) } else { arg }
}

/// `deletionPolicy`, as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Policy {
    /// The AWS user is deleted.
    Delete,
    /// The AWS user stays.
    Retain,
}

impl Policy {
    /// The word in a manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "Delete",
            Self::Retain => "Retain",
        }
    }
}

impl From<Policy> for DeletionPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Delete => Self::Delete,
            Policy::Retain => Self::Retain,
        }
    }
}

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Run {
    /// The namespaces to watch, empty for all. An empty environment variable is none.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        listed(&self.namespace)
    }

    /// The namespaces whose Secrets are watched; `None`: wherever objects are.
    #[must_use]
    pub fn secret_namespaces(&self) -> Option<Vec<String>> {
        let listed = listed(&self.secret_namespace);
        let named = listed.iter().filter(|name| *name != NONE).cloned().collect();
        (!listed.is_empty()).then_some(named)
    }

    /// The namespaces whose objects may adopt; `*` stands for all.
    #[must_use]
    pub fn adoption_namespaces(&self) -> Vec<String> {
        listed(&self.adoption_namespace)
    }

    /// Where the Lease is, unless the kubeconfig decides.
    #[must_use]
    pub fn lease_namespace(&self) -> Option<&str> {
        given(self.pod_namespace.as_ref())
    }

    /// What this process is called in the Lease, before what makes it unique.
    #[must_use]
    pub fn replica(&self) -> &str {
        given(self.pod_name.as_ref()).unwrap_or(FIELD_MANAGER)
    }

    /// The pace that the flags ask for.
    #[must_use]
    pub fn pace(&self) -> Pace {
        let pace = Pace {
            resync: self.resync,
            tag_resync: self.resync * self.tag_resync_every,
            stale_after: self.stale_after,
            call_timeout: self.aws_call_timeout,
            ..Pace::default()
        };
        pace.divided(self.pace_divisor)
    }
}

/// What a tag value may hold; an empty one would make every cluster the same.
fn cluster_id(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
    match text.trim() {
        "" => Err("must not be empty: leave it out for the UID of the namespace kube-system".to_owned()),
        id if id.chars().count() > 256 => {
            Err("must be at most 256 characters, as it is a tag's value".to_owned())
        }
        id if !id.chars().all(allowed) => {
            Err("may hold letters, digits, spaces and + - = . _ : / @, as it is a tag's value".to_owned())
        }
        id => Ok(id.to_owned()),
    }
}

/// An empty variable is none.
fn given(name: Option<&String>) -> Option<&str> {
    name.map(|name| name.trim()).filter(|name| !name.is_empty())
}

/// Each once: a namespace that is watched twice would have two passes at a time over its objects.
fn listed(names: &[String]) -> Vec<String> {
    let named: BTreeSet<&str> = names.iter().map(|name| name.trim()).collect();
    named.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// What a user ID can begin with, once the namespace is filled in.
fn user_id_prefix(text: &str) -> Result<String, String> {
    let filled = text.replace("{namespace}", "a");
    let begins = filled.starts_with(|c: char| c.is_ascii_lowercase());
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if begins && filled.chars().all(allowed) && !filled.contains("--") {
        Ok(text.to_owned())
    } else {
        Err("must be what a user ID can begin with: lower-case letters, digits and single hyphens, and {namespace} for the object's namespace, such as {namespace}-".to_owned())
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && (0.01..=10_000.0).contains(&rate) => Ok(rate),
        Ok(_) | Err(_) => {
            Err("must be a number of calls a second from 0.01 to 10000, such as 10 or 2.5".to_owned())
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a duration of at least a second, such as 30s, 10m or 1h30m".to_owned();
    let parsed: jiff::SignedDuration = text.trim().parse().map_err(|_| wrong())?;
    Duration::try_from(parsed).ok().filter(|long| *long >= Duration::from_secs(1)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests;
