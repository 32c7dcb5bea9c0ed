//! The arguments of the programs, with reasons.

use std::{path::Path, process::Command};

use crate::{assets::Assets, audit::AuditLevel, home::Home, pki::Pki, port::Port};

/// The user of the controller manager, so that the audit log distinguishes it from the administrator.
pub(crate) const CONTROLLER_MANAGER_USER: &str = "system:kube-controller-manager";

/// Relative to the working directory of both programs, because the path of a socket may have at most 107 bytes, and `TMPDIR` may be long.
const ETCD_SOCKET: &str = "etcd.sock";

/// What the commands need to know.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) assets: &'a Assets,
    pub(crate) home: &'a Home,
    pub(crate) pki: &'a Pki,
    pub(crate) tokens: &'a Path,
    pub(crate) audit: Option<(AuditLevel, &'a Path)>,
}

impl Setting<'_> {
    /// etcd serves the API server over a socket in the cluster's directory. So it needs no port, and no other user can connect.
    pub(crate) fn etcd(&self) -> Command {
        let mut command = self.command("etcd");
        command.arg("--name=test");
        command.arg(self.path("--data-dir=", "etcd"));
        command.arg(format!("--listen-client-urls=unix://{ETCD_SOCKET}"));
        // etcd has no peers, and nobody uses its address. But etcd requires both addresses.
        command.arg("--advertise-client-urls=http://127.0.0.1:1");
        command.args([
            "--listen-peer-urls=http://127.0.0.1:0",
            "--initial-advertise-peer-urls=http://127.0.0.1:1",
        ]);
        command.arg("--initial-cluster=test=http://127.0.0.1:1");
        // The data is removed with the cluster, so it need not survive a power cut.
        command.args(["--unsafe-no-fsync", "--log-level=warn"]);
        command
    }

    /// Where etcd listens.
    pub(crate) fn etcd_socket(&self) -> std::path::PathBuf {
        self.home.path().join(ETCD_SOCKET)
    }

    pub(crate) fn apiserver(&self, port: &Port) -> Command {
        let mut command = self.command("kube-apiserver");
        command.arg(format!("--etcd-servers=unix://{ETCD_SOCKET}"));
        command.args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"]);
        command.arg(format!("--secure-port={}", port.number()));
        // SO_REUSEPORT, because the port is reserved: see `port.rs`.
        command.arg("--permit-port-sharing");
        // Otherwise the API server would try again and again to set a loopback address as the endpoint of the Service `kubernetes`, and
        // the API refuses loopback addresses.
        command.arg("--endpoint-reconciler-type=none");
        command.args(["--service-cluster-ip-range=10.0.0.0/24", "--allow-privileged", "--profiling=false"]);
        command.arg("--authorization-mode=RBAC");
        // This plugin refuses Pods of ServiceAccounts that do not exist yet. Here no Pod runs, so it is not needed.
        command.arg("--disable-admission-plugins=ServiceAccount");
        command.arg(file("--token-auth-file=", self.tokens));
        command.arg(file("--tls-cert-file=", &self.pki.serving_certificate));
        command.arg(file("--tls-private-key-file=", &self.pki.serving_key));
        command.arg("--service-account-issuer=https://kubernetes.default.svc");
        command.arg(file("--service-account-key-file=", &self.pki.account_public_key));
        command.arg(file("--service-account-signing-key-file=", &self.pki.account_key));
        if let Some((_, log)) = self.audit {
            command.arg(self.path("--audit-policy-file=", "audit-policy.yaml"));
            command.arg(file("--audit-log-path=", log));
            // Each event is in the file before the client has the end of its answer. The file is never rotated.
            command.args(["--audit-log-mode=blocking", "--audit-log-maxsize=1000000"]);
        }
        command
    }

    /// The controllers that tests need: they remove deleted namespaces, collect objects whose owner is gone, create the account `default`
    /// of a namespace, and fill in tokens in Secrets and aggregated roles.
    pub(crate) fn controller_manager(&self, kubeconfig: &Path) -> Command {
        let mut command = self.command("kube-controller-manager");
        command.arg(file("--kubeconfig=", kubeconfig));
        command.arg(
            "--controllers=namespace-controller,garbage-collector-controller,serviceaccount-controller,\
             serviceaccount-token-controller,clusterrole-aggregation-controller",
        );
        command.args(["--leader-elect=false", "--secure-port=0", "--profiling=false"]);
        command.arg(file("--service-account-private-key-file=", &self.pki.account_key));
        command.arg(file("--root-ca-file=", &self.pki.authority));
        // With the default of 20 requests a second, namespaces that are deleted at the same time would wait for each other.
        command.args(["--kube-api-qps=200", "--kube-api-burst=400"]);
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.assets.program(program));
        command.current_dir(self.home.path());
        command
    }

    fn path(&self, flag: &str, name: &str) -> std::ffi::OsString {
        file(flag, &self.home.path().join(name))
    }
}

/// A flag with a path, which may have any bytes.
fn file(flag: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(flag);
    argument.push(path);
    argument
}
