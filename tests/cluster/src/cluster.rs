//! The handle: a control plane of our own, or a cluster that somebody allowed to be used.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::{
    assets::Assets,
    audit::{AuditLevel, AuditLog},
    environment,
    home::Home,
    kubeconfig::Server,
    plane::{Plane, kubectl},
    wait,
};

/// What a cluster should be like.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Keep an audit log, see [`Cluster::audit_events`].
    pub audit: Option<AuditLevel>,
    /// The programs to start; [`Assets::locate_or_build`] where this is `None`, with progress on standard
    /// error.
    pub assets: Option<Assets>,
}

/// A running cluster. Dropping it ends its processes and removes its directory; so does the end of this
/// process.
#[derive(Debug)]
pub struct Cluster {
    // Dropped in this order: the processes before the directory they write to.
    plane: Option<Plane>,
    assets: Assets,
    kubeconfig: PathBuf,
    server: Server,
    home: Home,
}

impl Cluster {
    /// Starts a control plane and waits until it is ready: about 4 s. Where the environment says
    /// `CLUSTER_USE_KUBECONFIG=1` the cluster of `KUBECONFIG` is used instead, and nothing is started.
    ///
    /// # Errors
    /// When the programs cannot be had, or one of them does not come up: then with the end of its log, and
    /// where all logs are.
    pub fn start(options: Options) -> Result<Cluster> {
        if environment::use_kubeconfig() {
            return Cluster::existing(&options);
        }
        let assets = match options.assets {
            Some(assets) => assets,
            None => Assets::locate_or_build(&mut to_stderr)?,
        };
        let home = Home::create()?;
        let plane = Plane::start(&assets, &home, options.audit).map_err(|error| with_logs(error, &home))?;
        Ok(Cluster {
            kubeconfig: plane.kubeconfig.clone(),
            server: plane.server.clone(),
            plane: Some(plane),
            assets,
            home,
        })
    }

    /// A handle onto the cluster of `KUBECONFIG`.
    fn existing(options: &Options) -> Result<Cluster> {
        let (flag, variable) = (environment::USE_KUBECONFIG, environment::KUBECONFIG);
        let Some(source) = environment::kubeconfig() else { bail!("{flag} is set, but {variable} is not") };
        if options.audit.is_some() {
            bail!("an audit log was asked for, which the cluster of {variable} cannot give: unset {flag}");
        }
        let assets = match &options.assets {
            Some(assets) => assets.clone(),
            None => Assets::kubectl_only()?,
        };
        let home = Home::create()?;
        let view = |format: &str| {
            let mut command = kubectl(&assets.program("kubectl"), Path::new(&source), &home);
            command.args(["config", "view", "--minify", "--flatten", "--raw", "-o", format]);
            succeed(&mut command).with_context(|| format!("failed to read {variable}"))
        };
        let server = Server::of(&view("json")?.stdout)?;
        let flat = String::from_utf8(view("yaml")?.stdout).context("KUBECONFIG is not UTF-8")?;
        let kubeconfig = home.write("admin.kubeconfig", &flat)?;
        succeed(kubectl(&assets.program("kubectl"), &kubeconfig, &home).args([
            "get",
            "--raw",
            "/readyz",
            "--request-timeout=10s",
        ]))
        .with_context(|| format!("the cluster of {variable}, {}, is not ready", server.url()))?;
        Ok(Cluster { plane: None, assets, kubeconfig, server, home })
    }

    /// Whether [`Cluster::start`] would start a control plane: not where the environment names a cluster.
    pub fn would_be_own() -> bool {
        !environment::use_kubeconfig()
    }

    /// Whether this is a control plane that was started here, not the cluster of `KUBECONFIG`.
    pub fn is_own(&self) -> bool {
        self.plane.is_some()
    }

    /// The administrator's kubeconfig, a file.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The content of [`Cluster::kubeconfig`].
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn admin_kubeconfig_yaml(&self) -> Result<String> {
        fs::read_to_string(&self.kubeconfig)
            .with_context(|| format!("failed to read {}", self.kubeconfig.display()))
    }

    /// The address of the API, for example `https://127.0.0.1:34567`.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// A kubeconfig, a file, for a ServiceAccount: it may do what RBAC grants it, and its token is good for a
    /// day. The account is made where it is missing; its namespace must be there.
    ///
    /// # Errors
    /// When the account or its token cannot be made.
    pub fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let account = format!("serviceaccount/{name}");
        let mut get = self.kubectl();
        get.args(["--namespace", namespace, "get", &account, "--ignore-not-found", "--output=name"]);
        if succeed(&mut get)?.stdout.is_empty() {
            let mut create = self.kubectl();
            let created = succeed(create.args(["--namespace", namespace, "create", "serviceaccount", name]));
            // Somebody else may have been quicker, the controller in the case of `default`.
            if let Err(error) = created
                && !error.to_string().contains("AlreadyExists")
            {
                return Err(error);
            }
        }
        let mut token = self.kubectl();
        token.args(["--namespace", namespace, "create", "token", name, "--duration=24h"]);
        let token = String::from_utf8(succeed(&mut token)?.stdout).context("the token is not UTF-8")?;
        let user = format!("system:serviceaccount:{namespace}:{name}");
        let content = self.server.kubeconfig(&user, token.trim(), namespace);
        self.home.write(&format!("{namespace}.{name}.kubeconfig"), &content)
    }

    /// kubectl with `KUBECONFIG` set to the administrator's. It leaves the user's own settings and caches
    /// alone.
    pub fn kubectl(&self) -> Command {
        kubectl(&self.assets.program("kubectl"), &self.kubeconfig, &self.home)
    }

    /// Waits until the API server serves what this CustomResourceDefinition defines. `kubectl wait` fails where
    /// there is no status yet.
    ///
    /// # Errors
    /// When there is no such definition, or it is not served within a minute.
    pub fn established(&self, definition: &str) -> Result<()> {
        const PATIENCE: Duration = Duration::from_secs(60);
        let deadline = Instant::now() + PATIENCE;
        let serves = |condition: &Value| condition["type"] == "Established" && condition["status"] == "True";
        loop {
            let found = succeed(self.kubectl().args(["get", "crd", definition, "--output=json"]))?;
            let found: Value = serde_json::from_slice(&found.stdout).context("kubectl printed no JSON")?;
            if found["status"]["conditions"].as_array().is_some_and(|all| all.iter().any(serves)) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{definition} is not served after {} s: {}", PATIENCE.as_secs(), found["status"]);
            }
            wait::a_moment();
        }
    }

    /// The folder of kubectl and the other programs, for a `PATH`.
    pub fn bin_dir(&self) -> &Path {
        self.assets.dir()
    }

    /// The folder of the programs' logs. It goes with the cluster.
    pub fn logs_dir(&self) -> PathBuf {
        self.home.logs()
    }

    /// The cluster's directory. It goes with the cluster; tests may keep files in it.
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    /// The identifiers of etcd, kube-apiserver and kube-controller-manager.
    ///
    /// # Errors
    /// When the cluster is not our own.
    pub fn pids(&self) -> Result<[u32; 3]> {
        self.plane().map(Plane::pids)
    }

    /// All events of the audit log so far, oldest first, as `audit.k8s.io/v1` `Event` objects. Requests of
    /// the API server to itself and those for its health are not among them. A request's event is in the log
    /// before its client has the end of the answer: who has been answered need not wait for it.
    ///
    /// # Errors
    /// When no audit log was asked for, or it cannot be read.
    pub fn audit_events(&self) -> Result<Vec<Value>> {
        self.audit_log()?.events()
    }

    /// The audit log, for readers that do not hold the cluster.
    ///
    /// # Errors
    /// When none was asked for.
    pub fn audit_log(&self) -> Result<AuditLog> {
        let log = self.plane()?.audit_log().context("no audit log was asked for (Options::audit)")?;
        Ok(AuditLog::at(log))
    }

    /// Stops the API server (SIGSTOP): connections stay open and nothing is answered, as in an overloaded
    /// cluster.
    ///
    /// # Errors
    /// When the cluster is not our own, or the API server has ended.
    pub fn pause_apiserver(&self) -> Result<()> {
        self.plane()?.pause_apiserver()
    }

    /// Ends the pause.
    ///
    /// # Errors
    /// When the cluster is not our own, or the API server has ended.
    pub fn resume_apiserver(&self) -> Result<()> {
        self.plane()?.resume_apiserver()
    }

    /// Kills the API server: connections are cut and new ones refused until [`Cluster::restart_apiserver`].
    ///
    /// # Errors
    /// When the cluster is not our own.
    pub fn kill_apiserver(&self) -> Result<()> {
        self.plane()?.kill_apiserver();
        Ok(())
    }

    /// Kills the API server if it runs, starts it at the same address and waits until it is ready. Nothing
    /// stored is lost.
    ///
    /// # Errors
    /// When the cluster is not our own, or the API server does not come up.
    pub fn restart_apiserver(&self) -> Result<()> {
        self.plane()?.restart_apiserver(&self.assets, &self.home)
    }

    fn plane(&self) -> Result<&Plane> {
        self.plane.as_ref().context("this needs a cluster of our own, not the one of KUBECONFIG")
    }
}

/// Runs a command to its end; anything but success is an error with what it said.
fn succeed(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("failed to start {command:?}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let program =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    let said = String::from_utf8_lossy(&output.stderr);
    Err(anyhow!("{program} {} failed ({}): {}", arguments.join(" "), output.status, said.trim()))
}

fn with_logs(error: anyhow::Error, home: &Home) -> anyhow::Error {
    match home.keep_logs() {
        Ok(logs) => {
            error.context(format!("failed to start a control plane; its logs are kept in {}", logs.display()))
        }
        Err(_) => error.context("failed to start a control plane"),
    }
}

/// Progress for people. Written directly: `eprintln!` in a test is captured, and a build of minutes would be
/// silent.
fn to_stderr(line: &str) {
    let _nobody_reads = writeln!(io::stderr(), "cluster: {line}");
}
