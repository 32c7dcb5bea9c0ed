//! Runs what the chart renders, because the control plane of the tests has no kubelet. The container of a Deployment or a Job becomes
//! a process with the container's arguments, its environment and its ServiceAccount.

use std::path::PathBuf;
use std::process::Command;

use cluster::{Cluster, Tool};
use kube::Client;
use serde_json::Value;
use support::operator;

use crate::fixture::Aws;
use crate::{control_plane, rights};

/// Runs Helm in this namespace of the cluster, without the settings of the user, and returns its output.
pub(crate) async fn helm(cluster: &Cluster, namespace: &str, words: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut helm = Command::new(Tool::Helm4.path().unwrap());
    helm.env_clear().env("HOME", home.path()).env("KUBECONFIG", cluster.kubeconfig());
    helm.args(words).args(["--namespace", namespace]);
    let output = control_plane::output(helm).await;
    assert!(output.status.success(), "helm {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A release of the chart.
pub(crate) struct Deployed {
    namespace: String,
    objects: Vec<Value>,
    account: String,
    kubeconfig: PathBuf,
}

impl Deployed {
    /// Renders the chart with these values, and applies its ServiceAccount and its rights in a namespace of its own. Returns when the
    /// ServiceAccount may watch the objects in the namespace `within`.
    pub(crate) async fn apply(
        cluster: &Cluster,
        client: &Client,
        namespace: &str,
        within: &str,
        values: &[String],
    ) -> Self {
        control_plane::create_namespace(client, namespace).await;
        let text = Self::render(namespace, values).await;
        rights::apply(client, &chart::objects(&text).unwrap()).await;
        Self::of(cluster, client, namespace, within, &text).await
    }

    /// A release whose rendered objects are already applied.
    pub(crate) async fn of(
        cluster: &Cluster,
        client: &Client,
        namespace: &str,
        within: &str,
        text: &str,
    ) -> Self {
        let objects = chart::objects(text).unwrap();
        let pod = &the(&objects, "Deployment")["spec"]["template"]["spec"];
        let account = pod["serviceAccountName"].as_str().unwrap().to_owned();
        let kubeconfig = rights::account(cluster, client, namespace, &account, within, cluster.dir()).await;
        Self { namespace: namespace.to_owned(), objects, account, kubeconfig }
    }

    /// The chart's objects with these values.
    pub(crate) async fn render(namespace: &str, values: &[String]) -> String {
        let (namespace, values) = (namespace.to_owned(), values.to_vec());
        tokio::task::spawn_blocking(move || rights::render(&namespace, &namespace, &values)).await.unwrap()
    }

    /// The name of the ServiceAccount's user.
    pub(crate) fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.account)
    }

    /// The operator, in a pod of this name, with AWS at an emulator.
    pub(crate) fn operator(&self, pod: &str, aws: &Aws) -> Command {
        let mut command = self.command(the(&self.objects, "Deployment"), pod);
        command.envs(operator::environment(aws.url())).env("ELASTICACHE_USERS_PACE_DIVISOR", "10");
        // A free port, because several operators run on this machine.
        command.env("ELASTICACHE_USERS_HEALTH_ADDR", "127.0.0.1:0");
        command
    }

    /// The environment of a pod with this name, and the kubeconfig of its ServiceAccount.
    pub(crate) fn environment(&self, pod: &str) -> Vec<(String, String)> {
        let command = self.command(the(&self.objects, "Deployment"), pod);
        let text = |text: &std::ffi::OsStr| text.to_str().unwrap().to_owned();
        command.get_envs().map(|(name, value)| (text(name), text(value.unwrap()))).collect()
    }

    /// The pre-delete hook, which Helm runs before it uninstalls the release.
    pub(crate) fn hook(&self) -> Command {
        let job = the(&self.objects, "Job");
        assert_eq!(job["metadata"]["annotations"]["helm.sh/hook"], "pre-delete");
        self.command(job, "hook")
    }

    fn command(&self, owner: &Value, pod: &str) -> Command {
        let spec = &owner["spec"]["template"]["spec"];
        assert_eq!(spec["serviceAccountName"], self.account.as_str(), "{}", owner["metadata"]["name"]);
        let container = &spec["containers"][0];
        assert!(container["command"].is_null(), "the container must use the image's entry point");
        let mut command = Command::new(env!("CARGO_BIN_EXE_elasticache-user-operator"));
        command.env_clear().env("KUBECONFIG", &self.kubeconfig);
        command.args(container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()));
        for variable in container["env"].as_array().unwrap() {
            command.env(variable["name"].as_str().unwrap(), self.value(variable, pod));
        }
        command
    }

    fn value(&self, variable: &Value, pod: &str) -> String {
        let field = variable.pointer("/valueFrom/fieldRef/fieldPath").and_then(Value::as_str);
        match field {
            Some("metadata.namespace") => self.namespace.clone(),
            Some("metadata.name") => pod.to_owned(),
            Some(other) => panic!("no pod here has {other}"),
            None => variable["value"].as_str().unwrap().to_owned(),
        }
    }
}

/// The only object of a kind.
fn the<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut of_kind = objects.iter().filter(|object| object["kind"] == kind);
    let first = of_kind.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(of_kind.next().is_none(), "more than one {kind}");
    first
}
