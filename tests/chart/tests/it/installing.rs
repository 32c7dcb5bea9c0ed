//! Installs the chart on a real API server. It has no nodes, so Helm skips hooks and does not wait for Pods.

use std::{fs, path::PathBuf, process::Command, slice};

use chart::{CHART, Helm};
use cluster::Tool;
use serde_json::Value;
use support::command::run;
use support::repository::path;

use crate::fixture::{
    LEAST, RELEASE, control_plane, file, get, helm, kubectl, kubectl_refuses, namespace, of_kind, rendered,
    the, the_definition, values,
};

/// Helm on the control plane.
fn on_the_cluster(helm: &Helm, verb: &str, namespace: &str) -> Command {
    let mut command = helm.command();
    command.args([verb, RELEASE, "--namespace", namespace, "--kubeconfig"]).arg(control_plane().kubeconfig());
    command
}

fn apply(namespace: &str, text: &str) {
    let file = control_plane().dir().join(format!("{namespace}-users.yaml"));
    fs::write(&file, text).unwrap();
    kubectl(&["apply", "--namespace", namespace, "--filename", &file.display().to_string()]);
}

const USER: &str = "apiVersion: elasticache-users.dev/v1alpha1
kind: ElastiCacheUser
metadata:
  name: reader
spec:
  engine: valkey
  accessString: on ~* -@all +@read
  authentication:
    type: iam
";

/// An imitation of an older chart, with another CRD.
fn former_chart(helm: &Helm) -> PathBuf {
    let former = |definition: &str| {
        assert!(definition.contains(COLUMN), "{definition}");
        definition.replace(COLUMN, FORMER_COLUMN)
    };
    chart::former_chart(helm.home(), former).unwrap()
}

/// The most data that a Secret can have.
const SECRET: usize = 1024 * 1024;
const COLUMN: &str = "The ID in ElastiCache";
const FORMER_COLUMN: &str = "Some ID";

fn definition_says(words: &str) -> bool {
    let definition = get(&["customresourcedefinition", "elasticacheusers.elasticache-users.dev"]);
    definition["spec"]["versions"][0]["additionalPrinterColumns"].to_string().contains(words)
}

/// Helm 3 and Helm 4 each install an older version, upgrade it to this one while objects exist, and uninstall it.
#[test]
fn both_helms_install_upgrade_and_uninstall_and_objects_stay() {
    let _alone = the_definition();
    for (tool, name) in [(Tool::Helm3, "helm-3"), (Tool::Helm4, "helm-4")] {
        let helm = helm(tool);
        namespace(name);
        let mut install = on_the_cluster(&helm, "install", name);
        let (chart, former) = (path(CHART), former_chart(&helm));
        // kubectl applied the CRD, and then it belonged to the other release.
        let more: &[&str] = if tool == Tool::Helm4 { &["--force-conflicts"] } else { &[] };
        let told = run(install.arg(&former).args(["--no-hooks", "--take-ownership"]).args(more).args(LEAST))
            .unwrap();
        assert!(told.contains("manages the ElastiCache users of eu-west-1 for all namespaces"), "{told}");
        apply(name, USER);
        let before = get(&["elasticacheuser/reader", "--namespace", name]);
        assert!(definition_says(FORMER_COLUMN));

        let mut upgrade = on_the_cluster(&helm, "upgrade", name);
        let more = format!("--set=aws.region=eu-west-1,secrets.namespaces={{{name}}},replicas=3");
        let told = run(upgrade.arg(&chart).args(["--no-hooks", &more])).unwrap();
        assert!(told.contains(&format!("Secrets may be read in {name}")), "{told}");
        let deployment = get(&["deployment", RELEASE, "--namespace", name]);
        assert_eq!(deployment["spec"]["replicas"], 3);
        assert!(
            definition_says(COLUMN) && !definition_says(FORMER_COLUMN),
            "the upgrade must update the definition"
        );

        let releases = get(&["secrets", "--namespace", name, "--selector=owner=helm"]);
        let releases = releases["items"].as_array().unwrap();
        assert_eq!(releases.len(), 2, "there must be one Secret for each version");
        for release in releases {
            let size = release["data"]["release"].as_str().unwrap().len();
            assert!(size < SECRET / 2, "{size} bytes of {SECRET}");
        }

        run(on_the_cluster(&helm, "uninstall", name).arg("--no-hooks")).unwrap();
        let left = get(&[
            "deployments,services,roles,serviceaccounts",
            "--namespace",
            name,
            "--selector=helm.sh/chart",
        ]);
        assert_eq!(left["items"], Value::Array(Vec::new()));
        let after = get(&["elasticacheuser/reader", "--namespace", name]);
        assert_eq!(
            after["metadata"]["uid"], before["metadata"]["uid"],
            "the object must be the same one, because the definition stays"
        );
        assert!(after["metadata"]["deletionTimestamp"].is_null());
    }
}

/// Runs `kubectl apply` with the files that the documentation names.
#[test]
fn the_plain_manifests_can_be_applied_without_a_change() {
    let _alone = the_definition();
    let manifest = path("deploy/install.yaml");
    kubectl(&["apply", "--server-side", "--force-conflicts", "--filename", &manifest]);
    let namespace = format!("--namespace={RELEASE}");
    let container = |object: &Value| object["spec"]["template"]["spec"]["containers"][0].clone();
    let from_map = |object: &Value| {
        let variables = container(object)["env"].as_array().unwrap().clone();
        let region = variables.into_iter().find(|variable| variable["name"] == "AWS_REGION").unwrap();
        region["valueFrom"]["configMapKeyRef"]["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(from_map(&get(&["deployment", RELEASE, &namespace])), RELEASE);

    let example = path("deploy/kustomize/example");
    kubectl(&["apply", "--server-side", "--force-conflicts", "--kustomize", &example]);
    let map = from_map(&get(&["deployment", RELEASE, &namespace]));
    assert_eq!(get(&["configmap", &map, &namespace])["data"]["region"], "eu-west-1");
    let account = get(&["serviceaccount", RELEASE, &namespace]);
    let role = &account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"];
    assert_eq!(role, "arn:aws:iam::111122223333:role/elasticache-user-operator");
}

#[test]
fn the_api_server_accepts_every_rendered_object() {
    namespace("everything");
    for name in ["orders", "catalog"] {
        kubectl(&["create", "namespace", name]);
    }
    for (name, more) in [("everything", values("everything")), ("roles-only", values("roles-only"))] {
        let mut objects = rendered("everything", &[&more]);
        // The CRD is left out, because a cluster has only one, and other tests use it.
        objects.retain(|object| object["kind"] != "CustomResourceDefinition");
        let told =
            kubectl(&["apply", "--server-side", "--dry-run=server", "--filename", &file(name, &objects)]);
        assert_eq!(told.lines().count(), objects.len(), "{told}");
    }
}

/// No controller creates Pods of Deployments here. So the test creates them, in a namespace that enforces `restricted`.
#[test]
fn the_restricted_pod_security_standard_admits_the_pods() {
    namespace("restricted");
    for more in [LEAST[0], &values("everything")] {
        let objects = rendered("restricted", &[more]);
        for owner in [the(&objects, "Deployment"), the(&objects, "Job")] {
            let mut pod = owner["spec"]["template"].clone();
            pod["apiVersion"] = "v1".into();
            pod["kind"] = "Pod".into();
            pod["metadata"]["name"] = "pod".into();
            let create = ["create", "--namespace=restricted", "--dry-run=server", "--filename"];
            kubectl(&[&create[..], &[&file("pod", slice::from_ref(&pod))]].concat());
            // It would notice.
            pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = true.into();
            let said = kubectl_refuses(&[&create[..], &[&file("pod", slice::from_ref(&pod))]].concat());
            assert!(said.contains("violates PodSecurity \"restricted"), "{said}");
        }
    }
}

#[test]
fn two_releases_in_two_namespaces_share_no_cluster_wide_name() {
    let [one, other] = ["one", "other"].map(|namespace| rendered(namespace, LEAST));
    for kind in ["ClusterRole", "ClusterRoleBinding"] {
        for object in of_kind(&one, kind) {
            let same = of_kind(&other, kind)
                .iter()
                .any(|other| other["metadata"]["name"] == object["metadata"]["name"]);
            assert!(!same, "{}", object["metadata"]["name"]);
        }
    }
}
