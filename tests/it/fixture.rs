//! A fixture for tests of the whole operator: a namespace on the shared control plane, an emulator, and the real binary.
//!
//! A watch records every version of every object, and checks what must be true at any time: the conditions are what kstatus
//! expects, and an object that is gone has no AWS user any more.

mod actions;
mod aws;
mod end;
mod objects;
pub(crate) mod operators;
mod wait;
mod watch_log;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster::{AuditLog, Cluster, Process};
use elasticache_emulator::{Emulator, Settings};
use kube::{Client, ResourceExt};

pub(crate) use self::aws::Aws;
pub(crate) use support::operator::{ACCOUNT, REGION};

pub(crate) use self::objects::{
    anothers_tags, condition, has_reason, iam, iam_user, is_observed, is_ready, manifest, message,
    owner_tags, prevent_deletion, reconcile_request, with, with_password, with_passwords,
};
pub(crate) use self::wait::{PublishedEvent, until};
use self::watch_log::{Vanished, WatchLog, record};
use crate::control_plane;
use crate::iam::{Guard, policy};
use crate::rights::{self, Rights};

/// The password in the Secret that [`Fixture::secret`] makes.
pub(crate) const PASSWORD: &str = "a-long-enough-passphrase";

/// The settings of a fixture.
pub(crate) struct Setup {
    pub(crate) aws: Settings,
    /// Environment of the operator, besides what every fixture sets.
    pub(crate) env: Vec<(&'static str, String)>,
    /// Objects may be removed although their user exists, because it is retained or belongs to somebody else.
    pub(crate) leaves_users: bool,
    /// The operator's RBAC rights. `None` for the rights that follow from the name of the test.
    pub(crate) rights: Option<Rights>,
    /// The prefix of the user IDs that the operator's IAM policy allows.
    pub(crate) user_ids: &'static str,
    /// The file of that policy.
    pub(crate) policy: &'static str,
    /// Whether the IAM policy may refuse calls. Otherwise a refused call fails the test.
    pub(crate) refuses: bool,
}

impl Default for Setup {
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
            policy: "policy.json",
            refuses: false,
        }
    }
}

impl Setup {
    /// A fixture whose users may stay at the end.
    pub(crate) fn leaving_users() -> Self {
        Self { leaves_users: true, ..Self::default() }
    }

    /// An operator with these variables.
    pub(crate) fn env(variables: &[(&'static str, &str)]) -> Self {
        let env = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { env, ..Self::default() }
    }
}

/// A namespace, an emulator and (mostly) an operator.
pub(crate) struct Fixture {
    pub(crate) ns: String,
    pub(crate) client: Client,
    pub(crate) aws: Aws,
    /// The name of the cluster in the owner tags.
    pub(crate) cluster_id: String,
    log: Arc<WatchLog>,
    operators: Mutex<Vec<Process>>,
    pages: Mutex<Vec<String>>,
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

static FIXTURES: AtomicUsize = AtomicUsize::new(0);

impl Fixture {
    /// A fixture with an operator.
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    /// A fixture with an operator and with these settings.
    pub(crate) async fn with(setup: Setup) -> Self {
        let fixture = Self::without_operator(setup).await;
        fixture.start();
        fixture
    }

    /// A fixture with an operator on a control plane that is not the shared one. Users may stay at the end.
    pub(crate) async fn on(cluster: &Cluster) -> Self {
        let fixture =
            Self::without_operator_on(cluster, Setup { leaves_users: true, ..Setup::default() }).await;
        fixture.start();
        fixture
    }

    /// A fixture on this control plane whose operator has not been started.
    pub(crate) async fn without_operator_on(cluster: &Cluster, setup: Setup) -> Self {
        let client = control_plane::client_of(cluster.kubeconfig()).await;
        Self::on_client(setup, client, cluster).await
    }

    /// A fixture whose operator has not been started.
    pub(crate) async fn without_operator(setup: Setup) -> Self {
        let client = control_plane::client().await;
        Self::on_client(setup, client, control_plane::shared()).await
    }

    async fn on_client(setup: Setup, client: Client, cluster: &Cluster) -> Self {
        let ns = format!("fixture-{}-{}", std::process::id(), FIXTURES.fetch_add(1, Ordering::Relaxed));
        let namespaces = control_plane::create_namespace(&client, &ns).await;
        let dir = tempfile::tempdir().unwrap();
        let rights = setup.rights.unwrap_or_else(Rights::of_this_test);
        let kubeconfig = rights::grant(rights, cluster, &client, &ns, dir.path()).await;
        let cluster_id = namespaces.get("kube-system").await.unwrap().uid().unwrap();
        let guard = Guard::default();
        policy::named(&cluster_id);
        let permits = guard.permits(setup.policy, setup.user_ids, &ns);
        let aws = Aws::new(Emulator::start_guarded(setup.aws, "127.0.0.1:0", permits).unwrap());
        let log = Arc::new(WatchLog::default());
        let watching = tokio::spawn(record(actions::users(&client, &ns), aws.clone(), log.clone()));
        Self {
            ns,
            client,
            aws,
            log,
            operators: Mutex::new(Vec::new()),
            pages: Mutex::default(),
            env: setup.env,
            leaves_users: setup.leaves_users,
            cluster_id,
            rights,
            kubeconfig,
            guard,
            refuses: setup.refuses,
            audit: cluster.is_own().then(|| cluster.audit_log().unwrap().from_now().unwrap()),
            dir,
            started: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            watching,
        }
    }
}
