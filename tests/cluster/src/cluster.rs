//! The handle of a cluster: a control plane of our own, or an existing cluster that the user allows.

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
    assets::{Assets, Scope},
    audit::{AuditLevel, AuditLog},
    environment,
    home::Home,
    kubeconfig::Server,
    plane::{Plane, kubectl},
    wait,
};

/// The settings of a cluster.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Keep an audit log, see [`Cluster::audit_events`].
    pub audit: Option<AuditLevel>,
    /// The programs to start. If this is `None`, those of [`Assets::locate_or_build`], with progress on standard error.
    pub assets: Option<Assets>,
    /// How much of a control plane is started.
    pub scope: Scope,
    /// Start nothing, and use the cluster that kubectl uses: that of `KUBECONFIG`, or else of `~/.kube/config`.
    pub use_cluster: bool,
}

/// A running cluster. Its processes end and its directory is removed when it is dropped, and when this process ends.
#[derive(Debug)]
pub struct Cluster {
    // Rust drops the fields in this order: the processes before the directory to which they write.
    plane: Option<Plane>,
    assets: Assets,
    kubeconfig: PathBuf,
    server: Server,
    home: Home,
}

impl Cluster {
    /// Starts a control plane, and waits until it is ready, which takes about 4 s. With `CLUSTER_USE_KUBECONFIG=1` it uses the cluster of
    /// `KUBECONFIG` instead, and starts nothing.
    ///
    /// # Errors
    /// If the programs are missing and cannot be built, or if one of them does not start. Then the error has the end of its log and the
    /// folder of all logs.
    pub fn start(options: Options) -> Result<Cluster> {
        if options.use_cluster || environment::use_kubeconfig() {
            return Cluster::existing(&options);
        }
        let assets = match options.assets {
            Some(assets) => assets,
            None => Assets::locate_or_build(options.scope, &mut to_stderr)?,
        };
        let home = Home::create()?;
        let plane = Plane::start(options.scope, &assets, &home, options.audit);
        let plane = plane.map_err(|error| with_logs(error, &home))?;
        Ok(Cluster {
            kubeconfig: plane.kubeconfig.clone(),
            server: plane.server.clone(),
            plane: Some(plane),
            assets,
            home,
        })
    }

    /// A handle of the cluster of `KUBECONFIG`.
    fn existing(options: &Options) -> Result<Cluster> {
        let (flag, variable) = (environment::USE_KUBECONFIG, environment::KUBECONFIG);
        let default = || options.use_cluster.then(environment::default_kubeconfig).flatten();
        let Some(source) = environment::kubeconfig().or_else(default) else {
            bail!(match options.use_cluster {
                true => format!(
                    "there is no cluster to use: neither {variable} is set nor is there a ~/.kube/config"
                ),
                false => format!("{flag} is set, but {variable} is not"),
            })
        };
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

    /// Whether [`Cluster::start`] would start a control plane. It does not if the environment names a cluster.
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

    /// Writes a kubeconfig file for a ServiceAccount. Its rights are those of RBAC, and its token is valid for a day. A missing account is
    /// created, but its namespace must exist.
    ///
    /// # Errors
    /// If the account or its token cannot be created.
    pub fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let account = format!("serviceaccount/{name}");
        let mut get = self.kubectl();
        get.args(["--namespace", namespace, "get", &account, "--ignore-not-found", "--output=name"]);
        if succeed(&mut get)?.stdout.is_empty() {
            let mut create = self.kubectl();
            let created = succeed(create.args(["--namespace", namespace, "create", "serviceaccount", name]));
            // Somebody else may have created the account first, for example the controller that creates `default`.
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

    /// kubectl with the administrator's kubeconfig. It does not use the settings and caches of the user.
    pub fn kubectl(&self) -> Command {
        kubectl(&self.assets.program("kubectl"), &self.kubeconfig, &self.home)
    }

    /// Waits until the API server serves this CustomResourceDefinition. `kubectl wait` would fail if there is no status yet.
    ///
    /// # Errors
    /// If there is no such definition, or the API server does not serve it within a minute.
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

    /// The folder of the programs' logs. It is removed with the cluster.
    pub fn logs_dir(&self) -> PathBuf {
        self.home.logs()
    }

    /// The cluster's directory. Tests may write files into it. It is removed with the cluster.
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    /// The identifiers of etcd, kube-apiserver and, if it runs, kube-controller-manager.
    ///
    /// # Errors
    /// When the cluster is not our own.
    pub fn pids(&self) -> Result<Vec<u32>> {
        self.plane().map(Plane::pids)
    }

    /// All events of the audit log so far, oldest first, as `audit.k8s.io/v1` `Event` objects, without the API server's requests to itself
    /// and health checks. The event of a request is in the log before the client has the end of the answer, so no client has to wait.
    ///
    /// # Errors
    /// If the cluster has no audit log, or the log cannot be read.
    pub fn audit_events(&self) -> Result<Vec<Value>> {
        self.audit_log()?.events()
    }

    /// The audit log, for readers without the cluster's handle.
    ///
    /// # Errors
    /// If the cluster has no audit log.
    pub fn audit_log(&self) -> Result<AuditLog> {
        let log = self.plane()?.audit_log().context("no audit log was asked for (Options::audit)")?;
        Ok(AuditLog::at(log))
    }

    /// Pauses the API server (SIGSTOP). Connections stay open and get no answer, as in an overloaded cluster.
    ///
    /// # Errors
    /// When the cluster is not our own, or the API server has ended.
    pub fn pause_apiserver(&self) -> Result<()> {
        self.plane()?.pause_apiserver()
    }

    /// Resumes a paused API server.
    ///
    /// # Errors
    /// If the cluster is not our own, or the API server has ended.
    pub fn resume_apiserver(&self) -> Result<()> {
        self.plane()?.resume_apiserver()
    }

    /// Kills the API server. Connections are cut, and new ones are refused until [`Cluster::restart_apiserver`].
    ///
    /// # Errors
    /// When the cluster is not our own.
    pub fn kill_apiserver(&self) -> Result<()> {
        self.plane()?.kill_apiserver();
        Ok(())
    }

    /// Kills the API server if it runs, starts it at the same address, and waits until it is ready. No stored object is lost.
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

/// Runs a command to its end. A failure is an error with the command's output.
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

/// Prints progress for people. It does not use `eprintln!`, because a test captures that, and a build of some minutes would be silent.
fn to_stderr(line: &str) {
    let _nobody_reads = writeln!(io::stderr(), "cluster: {line}");
}
