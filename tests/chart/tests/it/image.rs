//! The image. There is no container engine: its file system is assembled from local files, and the program runs in it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use chart::is_role;
use cluster::Process;
use serde_json::Value;
use support::command::run;
use support::repository::{path, program, read};
use tempfile::TempDir;

use crate::fixture::{
    LEAST, RELEASE, control_plane, eventually, file, get, kubectl, namespace, rendered, the,
};

/// The root file system, with the program in it.
fn root() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    run(rootfs("make").arg(program("elasticache-user-operator").unwrap()).arg(root.path())).unwrap();
    root
}

fn rootfs(verb: &str) -> Command {
    let mut command = Command::new(path("hack/rootfs"));
    command.arg(verb);
    command
}

#[test]
fn the_program_runs_in_the_image_with_only_the_libraries_in_the_image() {
    let root = root();
    let help = run(rootfs("run").arg(root.path()).arg("--help")).unwrap();
    assert!(help.contains("Manages Amazon ElastiCache RBAC users"), "{help}");
    let definition = run(rootfs("run").arg(root.path()).arg("crd")).unwrap();
    assert_eq!(definition, read("crds/elasticacheusers.yaml"));

    // Without one of these libraries the program must fail. Otherwise it used a library of this machine.
    let library = fs::read_dir(root.path().join("lib64")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(library).unwrap();
    let Output { status, .. } = rootfs("run").arg(root.path()).arg("--help").output().unwrap();
    assert!(!status.success());
}

/// Writes the token of a ServiceAccount into the file system, as a kubelet does. Its rights are those of the rendered roles.
fn account(root: &Path, namespace: &str, objects: &[Value]) {
    let roles: Vec<Value> = objects.iter().filter(|object| is_role(object)).cloned().collect();
    kubectl(&["apply", "--server-side", "--filename", &file("image", &roles)]);
    let mounted = root.join("var/run/secrets/kubernetes.io/serviceaccount");
    fs::create_dir_all(&mounted).unwrap();
    let config = kubectl(&["config", "view", "--raw", "--output=json"]);
    let config: Value = serde_json::from_str(&config).unwrap();
    let authority = config["clusters"][0]["cluster"]["certificate-authority"].as_str().unwrap();
    fs::copy(authority, mounted.join("ca.crt")).unwrap();
    fs::write(mounted.join("token"), kubectl(&["create", "token", RELEASE, "--namespace", namespace]).trim())
        .unwrap();
    fs::write(mounted.join("namespace"), namespace).unwrap();
}

/// The container of the Deployment, as a kubelet would start it. Only the port differs, because tests use free ports.
fn container(root: &Path, deployment: &Value) -> Command {
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let mut command = rootfs("run");
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").arg(root);
    for argument in container["args"].as_array().unwrap() {
        command.arg(argument.as_str().unwrap());
    }
    for variable in container["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
            Some("metadata.namespace") => deployment["metadata"]["namespace"].as_str().unwrap(),
            Some(_) => "pod",
            None => variable["value"].as_str().unwrap(),
        };
        command.env(name, value);
    }
    command
        .env("ELASTICACHE_USERS_HTTP_ADDR", "127.0.0.1:0")
        .env("ELASTICACHE_USERS_HEALTH_ADDR", "127.0.0.1:0");
    let (host, port) = control_plane().url().trim_start_matches("https://").rsplit_once(':').unwrap();
    command.env("KUBERNETES_SERVICE_HOST", host).env("KUBERNETES_SERVICE_PORT", port);
    command
}

#[test]
fn the_rendered_container_works_with_the_rendered_rights_and_a_read_only_file_system() {
    namespace("image");
    let (root, logs) = (root(), control_plane().logs_dir());
    let (_emulator, aws) =
        support::emulator::start(&["--delete-time", "0s"], &logs.join("image-emulator.log")).unwrap();

    let set = format!("--set=aws.endpointURL={aws},watch.namespaces={{image}}");
    let objects = rendered("image", &[LEAST[0], &set]);
    account(root.path(), "image", &objects);
    let mut operator = container(root.path(), the(&objects, "Deployment"));
    // In a cluster the credentials come from IRSA or Pod Identity.
    operator.env("AWS_ACCESS_KEY_ID", "111122223333").env("AWS_SECRET_ACCESS_KEY", "any");
    let mut operator = Process::start("operator", operator, &logs.join("image-operator.log")).unwrap();
    let sample = path("deploy/samples/iam.yaml");
    kubectl(&["apply", "--namespace=image", "--filename", &sample]);
    let ready = eventually("the user is ready", || {
        operator.check_alive().unwrap();
        let user = get(&["elasticacheuser/orders-reader", "--namespace=image"]);
        let conditions = user["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
        conditions.iter().any(ready).then_some(user)
    });
    assert_eq!(ready["status"]["userID"], "orders-reader");

    let facts = Path::new("/proc").join(operator.pid().to_string());
    let ids = fs::read_to_string(facts.join("uid_map")).unwrap();
    assert_eq!(ids.split_whitespace().next(), Some("65532"), "the program must run as user 65532: {ids}");
    let mounts = fs::read_to_string(facts.join("mountinfo")).unwrap();
    let mount = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
    assert!(mount.split(' ').nth(5).unwrap().split(',').any(|option| option == "ro"), "{mount}");
    kubectl(&["delete", "elasticacheuser/orders-reader", "--namespace=image"]);
}
