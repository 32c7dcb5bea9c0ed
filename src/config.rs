//! I/O: reads the flags and their environment variables. No other file reads the environment.

mod meaning;
mod values;

pub use self::meaning::SecretWatch;
pub use self::values::{DefaultDeletionPolicy, ForbiddenFeature, LogFormat};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// Silences kube's own line for each attempt of a failing watch, because the controller logs the failure once.
pub const DEFAULT_LOG: &str = "info,kube_runtime=warn,kube_runtime::watcher=error";

/// Manages Amazon ElastiCache RBAC users as Kubernetes objects.
///
/// If you apply an ElastiCacheUser, the operator creates the AWS user and keeps it as the object describes it. If you delete the
/// object, the operator deletes the AWS user first. The AWS region, credentials and endpoint come from the AWS SDK's standard
/// chain (AWS_REGION, IRSA, EKS Pod Identity, profiles, AWS_ENDPOINT_URL_ELASTICACHE). The cluster comes from KUBECONFIG or, in a
/// pod, from its ServiceAccount.
#[derive(Debug, Parser)]
#[command(name = "elasticache-user-operator", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// The subcommand. Default: `run`.
    #[command(subcommand)]
    pub command: Option<CliCommand>,
    #[command(flatten)]
    pub run: RunFlags,
}

#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Run the controller (default).
    Run(RunFlags),
    /// Print the CustomResourceDefinition as YAML, for: kubectl apply --server-side -f -
    Crd,
    /// Show what the operator lacks in the cluster and in AWS, and how to fix it.
    ///
    /// Takes the flags and the environment of `run`, so that you can run it in the operator's pod. It changes nothing. It checks
    /// whether the cluster can be reached, which CustomResourceDefinition is installed, what RBAC allows, which AWS credentials
    /// are in use, what they allow and whether the clocks agree. The exit code is 0 if no check failed, else 1. With --uninstall
    /// it checks instead whether an AWS user would be lost if you removed the operator. With --orphans it lists the AWS users
    /// that lack their object; the exit code is then 1 only if something could not be asked.
    Check(Check),
}

/// Each flag has an environment variable of the same name. The flag wins.
#[derive(Debug, Clone, Args)]
pub struct RunFlags {
    /// Namespace to watch; repeatable, comma-separated in the environment. Default: all namespaces.
    #[arg(long, env = "ELASTICACHE_USERS_NAMESPACE", value_delimiter = ',', value_name = "NAME")]
    pub namespace: Vec<String>,

    /// Watch Secrets only in this namespace, instead of in every watched namespace; repeatable, comma-separated in the
    /// environment, - for none, * for each namespace in which RBAC allows it, also if it does so only later. Secrets of other
    /// namespaces are still read if RBAC allows it, but their changes are noticed only at the next --resync.
    #[arg(long, env = "ELASTICACHE_USERS_SECRET_NAMESPACE", value_delimiter = ',', value_name = "NAME")]
    pub secret_namespace: Vec<String>,

    /// The name of this cluster in the owner tags of AWS users. Default: the UID of the namespace kube-system.
    #[arg(long, env = "ELASTICACHE_USERS_CLUSTER_ID", value_name = "ID", value_parser = values::parse_cluster_id)]
    pub cluster_id: Option<String>,

    /// The deletionPolicy of objects that set none: whether their AWS user is deleted with them.
    #[arg(
        long,
        env = "ELASTICACHE_USERS_DEFAULT_DELETION_POLICY",
        value_enum,
        ignore_case = true,
        default_value = "Delete"
    )]
    pub default_deletion_policy: DefaultDeletionPolicy,

    /// Let objects in this namespace take over existing AWS users without owner tags (adoptionPolicy: Adopt), and let the other
    /// namespaces that are named here take over the users of objects that are gone from this one; repeatable, comma-separated in
    /// the environment, * for all. Default: none.
    #[arg(long, env = "ELASTICACHE_USERS_ADOPTION_NAMESPACE", value_delimiter = ',', value_name = "NAME")]
    pub adoption_namespace: Vec<String>,

    /// Required beginning of every user ID. {namespace} stands for the object's namespace, for example {namespace}-. A user that
    /// exists stays managed. Default: no requirement.
    #[arg(long, env = "ELASTICACHE_USERS_REQUIRED_USER_ID_PREFIX", value_name = "TEMPLATE", value_parser = values::parse_user_id_prefix)]
    pub required_user_id_prefix: Option<String>,

    /// Let objects name this user group in userGroupIDs; repeatable, comma-separated in the environment. A pattern: * stands for any
    /// characters and {namespace} for the object's namespace, for example {namespace}-*. Default: none.
    #[arg(long, env = "ELASTICACHE_USERS_ALLOWED_USER_GROUP", value_delimiter = ',', value_name = "PATTERN", value_parser = values::parse_group_pattern)]
    pub allowed_user_group: Vec<String>,

    /// Do not let objects use this; repeatable, comma-separated in the environment. Default: nothing is forbidden.
    #[arg(
        long,
        env = "ELASTICACHE_USERS_FORBID",
        value_delimiter = ',',
        value_enum,
        ignore_case = true,
        value_name = "FEATURE"
    )]
    pub forbid: Vec<ForbiddenFeature>,

    /// Let objects of this namespace use what --forbid, --allowed-tag-key and --max-users-per-namespace do not allow; repeatable,
    /// comma-separated in the environment, with * for any characters. Default: none.
    #[arg(long, env = "ELASTICACHE_USERS_PRIVILEGED_NAMESPACE", value_delimiter = ',', value_name = "NAME")]
    pub privileged_namespace: Vec<String>,

    /// Allow this key in spec.tags; repeatable, comma-separated in the environment, with * for any characters. Default: all keys.
    #[arg(long, env = "ELASTICACHE_USERS_ALLOWED_TAG_KEY", value_delimiter = ',', value_name = "KEY")]
    pub allowed_tag_key: Vec<String>,

    /// Maximum number of AWS users of each namespace. Users that exist stay managed. Default: no limit.
    #[arg(long, env = "ELASTICACHE_USERS_MAX_USERS_PER_NAMESPACE", value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub max_users_per_namespace: Option<u32>,

    /// Maximum number of objects that are reconciled at the same time, in all namespaces together. An object that waits for the AWS
    /// rate limit does not count.
    #[arg(long, env = "ELASTICACHE_USERS_CONCURRENCY", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub concurrency: u16,

    /// Maximum number of AWS calls in a second, for all objects together.
    #[arg(long, env = "ELASTICACHE_USERS_AWS_RATE", default_value_t = 10.0, value_parser = values::parse_rate, value_name = "N")]
    pub aws_rate: f64,

    /// Maximum number of AWS calls at once after a quiet time.
    #[arg(long, env = "ELASTICACHE_USERS_AWS_BURST", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub aws_burst: u32,

    /// How often all objects are compared with a list of the AWS users, varied by up to a tenth.
    #[arg(long, env = "ELASTICACHE_USERS_RESYNC", default_value = "10m", value_parser = values::parse_duration, value_name = "DURATION")]
    pub resync: Duration,

    /// Compare tags only at every Nth drift check, because that takes an extra AWS call.
    #[arg(long, env = "ELASTICACHE_USERS_TAG_RESYNC_EVERY", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    pub tag_resync_every: u32,

    /// How long a Ready object stays Ready while AWS does not answer.
    #[arg(long, env = "ELASTICACHE_USERS_STALE_AFTER", default_value = "15m", value_parser = values::parse_duration, value_name = "DURATION")]
    pub stale_after: Duration,

    /// Address of the HTTP server with /livez, /readyz and /metrics.
    #[arg(
        long,
        env = "ELASTICACHE_USERS_HTTP_ADDR",
        default_value = "0.0.0.0:8080",
        value_name = "ADDR:PORT"
    )]
    pub http_addr: SocketAddr,

    /// Serve /livez and /readyz at this address instead, so that a NetworkPolicy can treat them differently from /metrics. Default:
    /// at --http-addr.
    #[arg(long, env = "ELASTICACHE_USERS_HEALTH_ADDR", value_name = "ADDR:PORT")]
    pub health_addr: Option<SocketAddr>,

    /// Serve --http-addr with TLS, and /metrics only to users that may `get` this path: the API server is asked whose bearer token
    /// it is (TokenReview) and what this user may do (SubjectAccessReview). Needs --metrics-cert-dir.
    #[arg(
        long,
        env = "ELASTICACHE_USERS_METRICS_SECURE",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        action = ArgAction::Set,
        value_name = "BOOL"
    )]
    pub metrics_secure: bool,

    /// Folder with the certificate and the key of --metrics-secure: tls.crt and tls.key. Changes are noticed.
    #[arg(long, env = "ELASTICACHE_USERS_METRICS_CERT_DIR", value_name = "DIR")]
    pub metrics_cert_dir: Option<PathBuf>,

    /// Allow several replicas: only the one that holds the Lease --lease-name works, and the others stand by. The Lease is in
    /// POD_NAMESPACE, or in the namespace of the kubeconfig's context if that is not set.
    #[arg(
        long,
        env = "ELASTICACHE_USERS_LEADER_ELECT",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        action = ArgAction::Set,
        value_name = "BOOL"
    )]
    pub leader_elect: bool,

    /// Look after the objects whose spec.class is this: a DNS label. Two operators that watch the same namespaces need different
    /// classes. Default: look after the objects without a class.
    #[arg(long, env = "ELASTICACHE_USERS_CLASS", default_value = "", hide_default_value = true, value_name = "NAME", value_parser = values::parse_class)]
    pub class: String,

    /// The name of the Lease. Two installations must not share one. Default: elasticache-user-operator, or
    /// elasticache-user-operator-CLASS if --class is set.
    #[arg(long, env = "ELASTICACHE_USERS_LEASE_NAME", value_name = "NAME", value_parser = values::parse_lease_name)]
    pub lease_name: Option<String>,

    /// The name of this installation in its Lease. A replica of another one, or without a name one of another --cluster-id or
    /// region, is not ready while this one holds the Lease. The chart sets the name of its release. Default: none.
    #[arg(long, env = "ELASTICACHE_USERS_RELEASE", value_name = "NAME")]
    pub release: Option<String>,

    /// For pods: the namespace of the Lease.
    #[arg(long, env = "POD_NAMESPACE", hide = true)]
    pub pod_namespace: Option<String>,

    /// For pods: the name of this replica in the Lease.
    #[arg(long, env = "POD_NAME", hide = true)]
    pub pod_name: Option<String>,

    /// Format of the log lines.
    #[arg(long, env = "ELASTICACHE_USERS_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// What to log: a level, or directives such as info,elasticache_user_operator=debug
    #[arg(long, env = "ELASTICACHE_USERS_LOG", default_value = DEFAULT_LOG, value_name = "FILTER")]
    pub log: String,

    /// For tests: time-out of one AWS call.
    #[arg(long, env = "ELASTICACHE_USERS_AWS_CALL_TIMEOUT", default_value = "20s", hide = true, value_parser = values::parse_duration)]
    pub aws_call_timeout: Duration,

    /// For tests: time-out of one request to the API server, except watches.
    #[arg(long, env = "ELASTICACHE_USERS_KUBERNETES_TIMEOUT", default_value = "15s", hide = true, value_parser = values::parse_duration)]
    pub kubernetes_timeout: Duration,

    /// For tests: divides the operator's pauses by this number.
    #[arg(long, env = "ELASTICACHE_USERS_PACE_DIVISOR", default_value_t = 1, hide = true, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pace_divisor: u32,
}

#[derive(Debug, Clone, Args)]
#[command(mut_args(hide_unused))]
pub struct Check {
    #[command(flatten)]
    pub run: RunFlags,

    /// Output format.
    #[arg(long, env = "ELASTICACHE_USERS_OUTPUT", value_enum, default_value = "table")]
    pub output: OutputFormat,

    /// Check whether the operator can be removed. The exit code is 1 while objects would lose their AWS users.
    #[arg(long, env = "ELASTICACHE_USERS_UNINSTALL", value_parser = FalseyValueParser::new())]
    pub uninstall: bool,

    /// List the AWS users that lack their object, because their owner tags name an object of this cluster that does not exist, with
    /// the commands that adopt or delete each user. Makes one AWS call for 100 users and one for the tags of each user.
    #[arg(long, env = "ELASTICACHE_USERS_ORPHANS", value_parser = FalseyValueParser::new())]
    pub orphans: bool,

    /// With --uninstall: report the same, but exit with code 0.
    #[arg(long, env = "ELASTICACHE_USERS_FORCE", value_parser = FalseyValueParser::new())]
    pub force: bool,

    /// For tests: number of objects in a page of a list.
    #[arg(long, env = "ELASTICACHE_USERS_PAGE_SIZE", default_value_t = 500, hide = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub page_size: u32,
}

/// What `check` looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckMode {
    /// What the operator lacks.
    Preflight,
    /// Which AWS users would be lost without the operator. With `force` nothing fails.
    Uninstall { force: bool },
    /// Which AWS users lack their object.
    Orphans,
}

impl Check {
    /// # Errors
    /// If the flags and variables that are set do not go together.
    pub fn mode(&self) -> Result<CheckMode, clap::Error> {
        match (self.uninstall, self.orphans, self.force) {
            (true, true, _) => {
                Err(conflict("--uninstall and --orphans are two checks: run one after the other"))
            }
            (false, _, true) => Err(conflict("--force needs --uninstall: set both, or leave out --force")),
            (true, false, force) => Ok(CheckMode::Uninstall { force }),
            (false, true, false) => Ok(CheckMode::Orphans),
            (false, false, false) => Ok(CheckMode::Preflight),
        }
    }
}

/// Variables that point the SDK's standard chain to a provider of credentials, and whether the value is the name of a file. Other
/// values stay out of messages.
const PROVIDER_VARIABLES: [(&str, bool); 7] = [
    ("AWS_ACCESS_KEY_ID", false),
    ("AWS_PROFILE", false),
    ("AWS_CONFIG_FILE", true),
    ("AWS_SHARED_CREDENTIALS_FILE", true),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", true),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", false),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", true),
];

/// Where AWS credentials should come from, for messages.
#[allow(clippy::disallowed_methods, reason = "the one reader of the environment")]
#[must_use]
pub fn credentials_provider() -> String {
    let set = PROVIDER_VARIABLES.iter().filter_map(|(name, is_file)| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
        Some(if *is_file { format!("{name}={value}") } else { (*name).to_owned() })
    });
    let set: Vec<String> = set.collect();
    if set.is_empty() { "the instance metadata service".to_owned() } else { set.join(", ") }
}

/// An error with the usage of `check` and exit code 2, like clap's own.
fn conflict(message: &str) -> clap::Error {
    let mut cli = Cli::command();
    // The usage names the subcommand only after this.
    cli.build();
    let check = cli.find_subcommand_mut("check").map(std::mem::take);
    check.unwrap_or(cli).error(ErrorKind::ArgumentConflict, message)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people: a line for each check, as soon as it is done.
    Table,
    /// One JSON object.
    Json,
}

/// `check` accepts all flags of `run`. Its help hides those that it does not use.
fn hide_unused(arg: Arg) -> Arg {
    const UNUSED: [&str; 11] = [
        "adoption_namespace",
        "max_users_per_namespace",
        "concurrency",
        "resync",
        "tag_resync_every",
        "stale_after",
        "http_addr",
        "health_addr",
        "metrics_cert_dir",
        "log_format",
        "log",
    ];
    let unused = UNUSED.contains(&arg.get_id().as_str());
    if unused { arg.hide(true) } else { arg }
}

#[cfg(test)]
mod tests;
