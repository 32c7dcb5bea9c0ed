//! Helpers that the tests share.

use std::{
    process::Command,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use chart::{Helm, objects};
use cluster::{Cluster, Options, Tool};
use serde_json::Value;
use support::command::run;
use support::repository::{path, program};
use support::wait::{Look, PATIENCE, until_blocking};

/// The values that the chart requires.
pub(crate) const LEAST: &[&str] = &["--set=aws.region=eu-west-1"];
/// The name of the release.
pub(crate) const RELEASE: &str = "elasticache-user-operator";

pub(crate) fn helm(tool: Tool) -> Helm {
    Helm::new(tool).expect("Helm")
}

/// The argument for a file of values.
pub(crate) fn values(name: &str) -> String {
    format!("--values={}", path(&format!("tests/chart/values/{name}.yaml")))
}

/// The rendered objects.
pub(crate) fn rendered(namespace: &str, arguments: &[&str]) -> Vec<Value> {
    objects(&helm(Tool::Helm4).template(RELEASE, namespace, arguments).unwrap()).unwrap()
}

/// The objects of a kind.
pub(crate) fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// The only object of a kind.
pub(crate) fn the<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let [one] = of_kind(objects, kind).try_into().unwrap_or_else(|all| panic!("{kind}: {all:?}"));
    one
}

/// The control plane. The first caller starts it, and it ends with the process.
pub(crate) fn control_plane() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let cluster = Cluster::start(Options::default()).expect("a control plane for tests");
        let definition = path("crds/elasticacheusers.yaml");
        run(cluster.kubectl().args(["apply", "--server-side", "--filename"]).arg(definition)).unwrap();
        cluster.established("elasticacheusers.elasticache-users.dev").unwrap();
        cluster
    })
}

/// A lock for tests that write the CRD, because a cluster has only one.
pub(crate) fn the_definition() -> MutexGuard<'static, ()> {
    static DEFINITION: Mutex<()> = Mutex::new(());
    // A poisoned lock is no error, because the test that panicked reports it.
    DEFINITION.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs kubectl, and returns its output. Fails if kubectl fails.
pub(crate) fn kubectl(arguments: &[&str]) -> String {
    run(control_plane().kubectl().args(arguments)).unwrap()
}

/// Runs kubectl, and returns its error output. Fails if kubectl succeeds.
pub(crate) fn kubectl_refuses(arguments: &[&str]) -> String {
    attempt(arguments).unwrap_err()
}

/// Runs kubectl, and returns its output, or its error output if it fails.
pub(crate) fn attempt(arguments: &[&str]) -> Result<String, String> {
    run(control_plane().kubectl().args(arguments)).map_err(|error| format!("{error:#}"))
}

/// Runs `kubectl get`, and returns its output as JSON.
pub(crate) fn get(arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = ["get"].iter().chain(arguments).chain(&["--output=json"]).copied().collect();
    serde_json::from_str(&kubectl(&arguments)).unwrap()
}

/// Creates a namespace that enforces the Pod Security Standard `restricted`.
pub(crate) fn namespace(name: &str) {
    kubectl(&["create", "namespace", name]);
    kubectl(&["label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted"]);
}

/// Writes objects to a file for kubectl.
pub(crate) fn file(name: &str, objects: &[Value]) -> String {
    let text: Vec<String> = objects.iter().map(Value::to_string).collect();
    let file = control_plane().dir().join(format!("{name}.yaml"));
    std::fs::write(&file, text.join("\n---\n")).unwrap();
    file.display().to_string()
}

/// Waits until `look` returns the fact.
pub(crate) fn eventually<L: Look>(claim: &str, mut look: impl FnMut() -> L) -> L::Fact {
    until_blocking(claim, PATIENCE, || Ok(look())).unwrap()
}

/// The operator.
pub(crate) fn operator() -> Command {
    Command::new(program("elasticache-user-operator").unwrap())
}
