//! What a cluster that runs can do.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use cluster::{Cluster, Options};
use rustix::process::Signal;

use crate::tools::{Up, binary, eventually, has_ended, run, shared, signal, succeed};

#[test]
fn a_cluster_is_ready_within_ten_seconds() {
    // The best of three starts, because other processes may compile on this machine.
    let times = (0..3).map(|_| {
        let begin = Instant::now();
        let cluster = Cluster::start(Options::default()).unwrap();
        let time = begin.elapsed();
        assert_eq!(succeed(cluster.kubectl().args(["get", "--raw", "/readyz"])), "ok");
        time
    });
    let mut seen = Vec::new();
    let quick = times.inspect(|time| seen.push(*time)).any(|time| time < Duration::from_secs(10));
    assert!(quick, "{seen:?}");
}

#[test]
fn the_api_server_is_the_version_that_was_asked_for() {
    let text = succeed(shared().kubectl().arg("version"));
    let server = text.lines().find_map(|line| line.strip_prefix("Server Version: ")).unwrap_or_default();
    assert!(server.starts_with("v1."), "{text}");
    // The programs are built from our Go module, unless the user named a folder.
    let built = shared().bin_dir().parent().is_some_and(|parent| parent.ends_with("control-plane"));
    let module = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/go.mod")).unwrap();
    assert!(!built || module.contains(&format!("k8s.io/kubernetes {server}")), "{text}");
}

#[test]
fn two_clusters_side_by_side_do_not_know_each_other() {
    let other = thread::spawn(|| Cluster::start(Options::default()).unwrap());
    let one = Cluster::start(Options::default()).unwrap();
    let other = other.join().unwrap();
    assert_ne!(one.url(), other.url());
    succeed(one.kubectl().args(["create", "namespace", "only-here"]));
    succeed(one.kubectl().args(["get", "namespace", "only-here"]));
    let (found, said) = run(other.kubectl().args(["get", "namespace", "only-here"]));
    assert!(!found && said.contains("NotFound"), "{said}");
}

#[test]
fn a_service_account_may_do_what_rbac_grants_it() {
    let cluster = shared();
    succeed(cluster.kubectl().args(["create", "namespace", "rbac"]));
    let kubeconfig = cluster.service_account_kubeconfig("rbac", "reader").unwrap();
    let list = || run(cluster.kubectl().env("KUBECONFIG", &kubeconfig).args(["get", "secrets"]));

    let (allowed, said) = list();
    assert!(!allowed && said.contains("Forbidden"), "{said}");
    assert!(said.contains("system:serviceaccount:rbac:reader"), "{said}");

    let mut role = cluster.kubectl();
    succeed(role.args(["-n", "rbac", "create", "role", "read", "--verb=get,list", "--resource=secrets"]));
    let mut binding = cluster.kubectl();
    binding.args([
        "-n",
        "rbac",
        "create",
        "rolebinding",
        "read",
        "--role=read",
        "--serviceaccount=rbac:reader",
    ]);
    succeed(&mut binding);
    eventually("the role is in force", || list().0);

    let again = cluster.service_account_kubeconfig("rbac", "reader").unwrap();
    assert_eq!(again, kubeconfig, "an account that exists is no error");
}

#[test]
fn a_namespace_is_deleted_with_all_that_is_in_it() {
    let kubectl = |arguments: &[&str]| succeed(shared().kubectl().args(arguments));
    kubectl(&["create", "namespace", "short-lived"]);
    kubectl(&["-n", "short-lived", "create", "configmap", "content", "--from-literal=a=b"]);
    eventually("the namespace has its default account", || {
        !kubectl(&["-n", "short-lived", "get", "serviceaccount", "--output=name"]).is_empty()
    });
    kubectl(&["delete", "namespace", "short-lived", "--timeout=60s"]);
    let (found, said) = run(shared().kubectl().args(["get", "namespace", "short-lived"]));
    assert!(!found && said.contains("NotFound"), "{said}");
}

#[test]
fn an_object_whose_owner_is_deleted_is_garbage_collected() {
    let kubectl = |arguments: &[&str]| succeed(shared().kubectl().args(arguments));
    kubectl(&["create", "configmap", "owner"]);
    let uid = kubectl(&["get", "configmap", "owner", "--output=jsonpath={.metadata.uid}"]);
    kubectl(&["create", "configmap", "owned"]);
    let owner = format!(
        r#"{{"metadata":{{"ownerReferences":[{{"apiVersion":"v1","kind":"ConfigMap","name":"owner","uid":"{uid}"}}]}}}}"#
    );
    kubectl(&["patch", "configmap", "owned", "--type=merge", "--patch", &owner]);
    kubectl(&["delete", "configmap", "owner"]);
    eventually("the owned one is gone", || !run(shared().kubectl().args(["get", "configmap", "owned"])).0);
}

#[test]
fn the_audit_log_has_the_user_and_the_object_of_each_request() {
    let cluster = shared();
    succeed(cluster.kubectl().args(["create", "configmap", "audited"]));
    // The events are in the log already, because kubectl has its answers.
    let events = cluster.audit_events().unwrap();
    let created = events.iter().any(|event| {
        event["verb"] == "create"
            && event["objectRef"]["name"] == "audited"
            && event["user"]["username"] == "admin"
            && event["responseStatus"]["code"] == 201
            && event["requestObject"].is_null()
    });
    assert!(created, "{events:#?}");
    assert!(events.iter().all(|event| event["user"]["username"] != "system:apiserver"));
}

#[test]
fn without_an_audit_log_there_are_no_events_to_read() {
    let cluster = Cluster::start(Options::default()).unwrap();
    let error = cluster.audit_events().unwrap_err();
    assert!(error.to_string().contains("Options::audit"), "{error}");
}

#[test]
fn a_cluster_outlives_the_thread_that_started_it() {
    let cluster = thread::spawn(|| Cluster::start(Options::default()).unwrap()).join().unwrap();
    assert_eq!(succeed(cluster.kubectl().args(["get", "--raw", "/readyz"])), "ok");
}

#[test]
fn kubectl_writes_no_file_into_the_users_home() {
    let home = tempfile::tempdir().unwrap();
    succeed(shared().kubectl().env("HOME", home.path()).args(["get", "namespaces"]));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn the_printed_settings_can_be_evaluated_by_a_shell() {
    let mut up = Up::start(binary().arg("up"));
    let program = "export KUBECONFIG=\"$1\" PATH=\"$2:$PATH\"; kubectl get --raw /readyz";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", program, "sh"]).arg(up.directory.join("admin.kubeconfig")).arg(shared().bin_dir());
    assert_eq!(succeed(&mut shell), "ok");
    signal(up.owner.id(), Signal::TERM);
    up.is_gone_completely();
}

#[test]
fn an_existing_cluster_that_the_user_allows_is_used_and_left_unchanged() {
    let allowed = |flag: &str| {
        let mut command = binary();
        command.args(["up"]).env("CLUSTER_USE_KUBECONFIG", flag);
        command
    };
    let mut up = Up::start(allowed("1").env("KUBECONFIG", shared().kubeconfig()));
    assert_eq!(up.children.len(), 1, "only the janitor may run");
    let view = succeed(shared().kubectl().env("KUBECONFIG", up.directory.join("admin.kubeconfig")).args([
        "config",
        "view",
        "--output=jsonpath={.clusters[0].cluster.server}",
    ]));
    assert_eq!(view, shared().url());
    signal(up.owner.id(), Signal::INT);
    up.is_gone_completely();
    assert!(shared().pids().unwrap().iter().all(|pid| !has_ended(*pid)));

    let (success, said) = run(allowed("1").env_remove("KUBECONFIG"));
    assert!(!success && said.contains("KUBECONFIG is not"), "{said}");
    let (success, said) = run(allowed("1").arg("--audit").env("KUBECONFIG", shared().kubeconfig()));
    assert!(!success && said.contains("audit"), "{said}");
}
