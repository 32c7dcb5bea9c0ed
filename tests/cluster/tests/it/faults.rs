//! The API server hangs, is killed, or restarts.

use cluster::{Cluster, Options};

use crate::tools::{run, succeed};

#[test]
fn a_paused_api_server_does_not_answer_until_it_is_resumed() {
    let cluster = Cluster::start(Options::default()).unwrap();
    cluster.pause_apiserver().unwrap();
    let (answered, said) = run(cluster.kubectl().args(["get", "namespaces", "--request-timeout=500ms"]));
    assert!(!answered, "{said}");
    cluster.resume_apiserver().unwrap();
    succeed(cluster.kubectl().args(["get", "namespaces"]));
}

#[test]
fn a_restarted_api_server_has_its_address_and_its_objects() {
    let cluster = Cluster::start(Options::default()).unwrap();
    let before = (cluster.url().to_owned(), cluster.pids().unwrap());
    succeed(cluster.kubectl().args(["create", "namespace", "kept"]));
    let account = cluster.service_account_kubeconfig("kept", "somebody").unwrap();

    cluster.kill_apiserver().unwrap();
    let (answered, said) = run(cluster.kubectl().args(["get", "namespaces"]));
    assert!(!answered && said.contains("refused"), "{said}");
    let gone = cluster.pause_apiserver().unwrap_err();
    assert!(gone.to_string().contains("ended"), "{gone}");

    cluster.restart_apiserver().unwrap();
    succeed(cluster.kubectl().args(["get", "namespace", "kept"]));
    let whoami = succeed(cluster.kubectl().env("KUBECONFIG", account).args(["auth", "whoami"]));
    assert!(whoami.contains("system:serviceaccount:kept:somebody"), "{whoami}");
    let after = (cluster.url().to_owned(), cluster.pids().unwrap());
    assert_eq!(before.0, after.0);
    assert_eq!(
        (before.1[0], before.1[2]),
        (after.1[0], after.1[2]),
        "etcd and the controller manager must not restart"
    );
    assert_ne!(before.1[1], after.1[1]);
}
