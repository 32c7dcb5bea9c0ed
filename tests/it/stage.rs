//! A stage for tests of the whole operator: a namespace on the shared control plane, an emulator, and the real binary.
//!
//! A watch records every version of every object, and holds what must hold at any time: the conditions are what kstatus
//! expects, and whatever vanished has no AWS user any more.

mod aws;
mod deeds;
mod end;
mod facts;
mod objects;
mod operators;
mod seen;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster::{AuditLog, Cluster, Process};
use elasticache_emulator::{Emulator, Settings};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};

pub(crate) use self::aws::Aws;
pub(crate) use self::facts::until;
pub(crate) use self::objects::{asks, condition, iam, is_ready, manifest, with_password};
use self::seen::{Seen, Vanished, record};
use crate::iam::{Guard, policy};
use crate::rights::{self, Rights};
use crate::world;

/// The AWS account of a stage; its access key id too, which is how the emulator tells accounts apart.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The AWS region of a stage.
pub(crate) const REGION: &str = "us-east-1";
/// The password in the Secret that [`Stage::secret`] makes.
pub(crate) const PASSWORD: &str = "a-long-enough-passphrase";

/// How a stage is set.
pub(crate) struct Setting {
    /// How the emulator behaves.
    pub(crate) aws: Settings,
    /// Environment of the operator, besides what every stage sets.
    pub(crate) env: Vec<(&'static str, String)>,
    /// Objects may vanish while their user is still there: retained, or somebody else's.
    pub(crate) leaves_users: bool,
    /// What the operator may do; left out, what its test's turn is.
    pub(crate) rights: Option<Rights>,
    /// What the operator's IAM policy is bound to: user IDs that begin like this.
    pub(crate) user_ids: &'static str,
    /// That policy may have to refuse something.
    pub(crate) refuses: bool,
}

impl Default for Setting {
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
            refuses: false,
        }
    }
}

/// A namespace, an emulator and (mostly) an operator.
pub(crate) struct Stage {
    pub(crate) ns: String,
    pub(crate) client: Client,
    pub(crate) aws: Aws,
    /// What the owner tags call the cluster.
    pub(crate) cluster_id: String,
    seen: Arc<Seen>,
    operators: Mutex<Vec<Process>>,
    pages: Mutex<String>,
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

static STAGES: AtomicUsize = AtomicUsize::new(0);

impl Stage {
    /// A stage with an operator.
    pub(crate) async fn new() -> Self {
        Self::set(Setting::default()).await
    }

    /// The same, set otherwise.
    pub(crate) async fn set(setting: Setting) -> Self {
        let stage = Self::dark(setting).await;
        stage.start();
        stage
    }

    /// A stage with an operator on another control plane than the shared one. Users may stay.
    pub(crate) async fn on(cluster: &Cluster) -> Self {
        let stage = Self::dark_on(cluster, Setting { leaves_users: true, ..Setting::default() }).await;
        stage.start();
        stage
    }

    /// The same with no operator yet.
    pub(crate) async fn dark_on(cluster: &Cluster, setting: Setting) -> Self {
        let client = world::client_of(cluster.kubeconfig()).await;
        Self::with(setting, client, cluster).await
    }

    /// A stage whose operator has not been started.
    pub(crate) async fn dark(setting: Setting) -> Self {
        let client = world::client().await;
        Self::with(setting, client, world::control_plane()).await
    }

    async fn with(setting: Setting, client: Client, cluster: &Cluster) -> Self {
        let ns = format!("stage-{}-{}", std::process::id(), STAGES.fetch_add(1, Ordering::Relaxed));
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = Namespace {
            metadata: ObjectMeta { name: Some(ns.clone()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let rights = setting.rights.unwrap_or_else(Rights::of_this_test);
        let kubeconfig = rights::grant(rights, cluster, &client, &ns, dir.path()).await;
        let cluster_id = namespaces.get("kube-system").await.unwrap().uid().unwrap();
        let guard = Guard::default();
        policy::named(&cluster_id);
        let permits = guard.permits(setting.user_ids);
        let aws = Aws::new(Emulator::start_guarded(setting.aws, "127.0.0.1:0", permits).unwrap());
        let seen = Arc::new(Seen::default());
        let watching = tokio::spawn(record(deeds::users(&client, &ns), aws.clone(), seen.clone()));
        Self {
            ns,
            client,
            aws,
            seen,
            operators: Mutex::new(Vec::new()),
            pages: Mutex::default(),
            env: setting.env,
            leaves_users: setting.leaves_users,
            cluster_id,
            rights,
            kubeconfig,
            guard,
            refuses: setting.refuses,
            audit: cluster.is_own().then(|| cluster.audit_log().unwrap()),
            dir,
            started: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            watching,
        }
    }
}
