//! No I/O but the environment: flags and environment variables become a [`Run`]. The only reader of the environment.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use plan::DeletionPolicy;
use plan::pace::Pace;

/// What is logged by default. A watch that fails is told once by the controller, and by kube at each attempt.
pub const DEFAULT_LOG: &str = "info,kube_runtime=warn,kube_runtime::watcher=error";

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
}

/// Flags of `run`. Each has an environment variable of the same name; the flag wins.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Namespace to watch; repeatable, comma-separated in the environment. Left out: all namespaces.
    #[arg(long, env = "NAMESPACE", value_delimiter = ',', value_name = "NAME")]
    pub namespace: Vec<String>,

    /// Namespace whose Secrets are watched, where that is not all of those above; repeatable, comma-separated in the
    /// environment. A Secret elsewhere is read as well where that is allowed, and a change of it noticed at the next --resync.
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

/// `deletionPolicy`, as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Policy {
    /// The AWS user is deleted.
    Delete,
    /// The AWS user stays.
    Retain,
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

    /// The namespaces whose Secrets are watched, empty for all that are watched.
    #[must_use]
    pub fn secret_namespaces(&self) -> Vec<String> {
        listed(&self.secret_namespace)
    }

    /// The namespaces whose objects may adopt; `*` stands for all.
    #[must_use]
    pub fn adoption_namespaces(&self) -> Vec<String> {
        listed(&self.adoption_namespace)
    }

    /// Where the Lease is, unless the kubeconfig decides. An empty variable is none.
    #[must_use]
    pub fn lease_namespace(&self) -> Option<&str> {
        self.pod_namespace.as_deref().map(str::trim).filter(|name| !name.is_empty())
    }

    /// What this process is called in the Lease, before what makes it unique.
    #[must_use]
    pub fn replica(&self) -> &str {
        let name = self.pod_name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        name.unwrap_or("elasticache-user-operator")
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

fn listed(names: &[String]) -> Vec<String> {
    let named = names.iter().map(|name| name.trim());
    named.filter(|name| !name.is_empty()).map(str::to_owned).collect()
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
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once(&"elasticache-user-operator").chain(args))
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let run = parse(&[]).unwrap().run;
        assert!(run.namespaces().is_empty());
        assert_eq!(run.cluster_id, None);
        assert_eq!(run.default_deletion_policy, Policy::Delete);
        assert_eq!((run.aws_rate, run.aws_burst), (10.0, 20));
        assert_eq!(run.resync, Duration::from_secs(600));
        assert_eq!(run.stale_after, Duration::from_secs(900));
        assert_eq!(run.http_addr.to_string(), "0.0.0.0:8080");
        assert_eq!(run.pace(), Pace::default());
        assert!(!run.leader_elect);
    }

    #[test]
    fn flags_stand_with_and_without_the_subcommand() {
        for args in [&["--namespace", "a", "--namespace", "b"][..], &["run", "--namespace=a,b"][..]] {
            let cli = parse(args).unwrap();
            let run = match cli.command {
                Some(Command::Run(run)) => run,
                Some(Command::Crd) | None => cli.run,
            };
            assert_eq!(run.namespaces(), ["a", "b"], "{args:?}");
        }
    }

    #[test]
    fn leader_election_is_turned_on_by_the_bare_flag_and_off_by_its_value() {
        let elects = |args: &[&str]| parse(args).map(|cli| cli.run.leader_elect);
        assert!(elects(&["--leader-elect"]).unwrap());
        assert!(elects(&["--leader-elect=true", "--concurrency", "3"]).unwrap());
        assert!(!elects(&["--leader-elect=false"]).unwrap());
        assert!(elects(&["--leader-elect=perhaps"]).is_err());
    }

    #[test]
    fn a_bad_value_is_answered_with_what_is_right() {
        let rows = [
            ("an empty cluster id", &["--cluster-id", " "][..], "must not be empty"),
            ("no calls at all", &["--aws-rate", "0"][..], "calls a second"),
            ("a duration without unit", &["--resync", "10"][..], "10m or 1h30m"),
            ("a duration of nothing", &["--resync", "0s"][..], "at least a second"),
            ("nobody at work", &["--concurrency", "0"][..], "1..=1000"),
            ("an unknown policy", &["--default-deletion-policy", "Keep"][..], "Delete, Retain"),
            ("an address without port", &["--http-addr", "localhost"][..], "invalid socket address"),
        ];
        for (claim, args, expected) in rows {
            let error = parse(args).unwrap_err().to_string();
            assert!(error.contains(expected), "{claim}: {error}");
        }
    }

    #[test]
    fn every_flag_has_an_environment_variable_of_the_same_name() {
        use clap::CommandFactory;
        for arg in
            Cli::command().get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
        {
            let flag = arg.get_long().unwrap().replace('-', "_").to_uppercase();
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(flag.as_str()));
        }
    }
}
