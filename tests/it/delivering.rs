//! The examples for Flux and Argo CD use only kinds, fields and chart values that exist, and their parts refer to each other
//! correctly. The tests apply the ElastiCacheUsers in the examples.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fixture::{Fixture, Setup, manifest, with_password};
use crate::{control_plane, repository};

const FLUX: [&str; 3] = ["flux/operator.yaml", "flux/clusters.yaml", "flux/user.yaml"];
const ARGO_CD: [&str; 2] = ["argocd/applications.yaml", "argocd/user.yaml"];

/// A kind, with those fields of its `spec` that the examples may use.
struct Kind {
    version: &'static str,
    kind: &'static str,
    /// Separated by blanks.
    members: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind { version: "source.toolkit.fluxcd.io/v1", kind: "GitRepository", members: "interval ref url" },
    Kind {
        version: "helm.toolkit.fluxcd.io/v2",
        kind: "HelmRelease",
        members: "chart install interval releaseName targetNamespace values",
    },
    Kind {
        version: "kustomize.toolkit.fluxcd.io/v1",
        kind: "Kustomization",
        members: "dependsOn healthChecks interval path prune retryInterval sourceRef targetNamespace timeout wait",
    },
    Kind {
        version: "argoproj.io/v1alpha1",
        kind: "Application",
        members: "destination project source syncPolicy",
    },
];

fn documents(file: &str) -> Vec<Value> {
    let text = repository::read(&format!("deploy/{file}"));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn all(files: &[&str]) -> Vec<Value> {
    files.iter().flat_map(|file| documents(file)).collect()
}

fn is_ours(object: &Value) -> bool {
    object["kind"] == "ElastiCacheUser"
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("a name")
}

fn named(objects: &[Value], kind: &str) -> BTreeSet<String> {
    objects.iter().filter(|object| object["kind"] == kind).map(|object| name(object).to_owned()).collect()
}

#[test]
fn objects_of_the_gitops_examples_match_the_crds_of_flux_and_argo_cd() {
    let objects = all(&[&FLUX[..], &ARGO_CD[..]].concat());
    for object in objects.iter().filter(|object| !is_ours(object) && object["kind"] != "Namespace") {
        let found =
            KINDS.iter().find(|found| object["apiVersion"] == found.version && object["kind"] == found.kind);
        let Kind { members, .. } = found.unwrap_or_else(|| panic!("{object:#}"));
        for member in object["spec"].as_object().unwrap().keys() {
            assert!(members.split(' ').any(|known| known == member), "{}: {member}", object["kind"]);
        }
        assert!(object["metadata"]["namespace"].is_string(), "{}", name(object));
    }
}

#[test]
fn every_name_that_the_flux_examples_refer_to_is_defined() {
    let objects = all(&FLUX);
    let (mut sources, kustomizations) = (named(&objects, "GitRepository"), named(&objects, "Kustomization"));
    // `flux bootstrap` creates this source.
    sources.insert("flux-system".to_owned());
    let users = named(&objects, "ElastiCacheUser");
    for object in &objects {
        let spec = &object["spec"];
        for source in [&spec["sourceRef"], &spec["chart"]["spec"]["sourceRef"]] {
            assert!(source.is_null() || sources.contains(name_of(source)), "{source}");
        }
        for other in spec["dependsOn"].as_array().into_iter().flatten() {
            assert!(kustomizations.contains(name_of(other)), "{other}");
        }
        for checked in spec["healthChecks"].as_array().into_iter().flatten() {
            assert!(users.contains(name_of(checked)), "{checked}");
            assert_eq!(checked["apiVersion"], "elasticache-users.dev/v1alpha1");
        }
    }
}

fn name_of(reference: &Value) -> &str {
    reference["name"].as_str().expect("a name")
}

#[test]
fn the_gitops_examples_name_the_path_of_the_chart_and_its_values() {
    let chart = "charts/elasticache-user-operator";
    let known = repository::yaml(&format!("{chart}/values.yaml"));
    let objects = all(&[FLUX[0], ARGO_CD[0]]);
    let release = objects.iter().find(|object| object["kind"] == "HelmRelease").unwrap();
    assert_eq!(release["spec"]["chart"]["spec"]["chart"], format!("./{chart}"));
    let application = objects
        .iter()
        .find(|object| name(object) == "elasticache-user-operator" && object["kind"] == "Application")
        .unwrap();
    assert_eq!(application["spec"]["source"]["path"], chart);
    for values in [&release["spec"]["values"], &application["spec"]["source"]["helm"]["valuesObject"]] {
        for (group, members) in values.as_object().unwrap() {
            for member in members.as_object().unwrap().keys() {
                assert!(!known[group][member].is_null(), "the chart has no {group}.{member}");
            }
        }
    }
}

#[test]
fn the_flux_example_brings_the_namespaces_that_the_roles_of_the_chart_need() {
    let objects = documents(FLUX[0]);
    let namespaces = named(&objects, "Namespace");
    let release = objects.iter().find(|object| object["kind"] == "HelmRelease").unwrap();
    let needed = release["spec"]["values"]["secrets"]["namespaces"].as_array().unwrap();
    assert!(!needed.is_empty());
    for namespace in needed {
        assert!(namespaces.contains(namespace.as_str().unwrap()), "{namespace} is missing in {}", FLUX[0]);
    }
}

/// A kustomization whose Secret gets a prefix and a hash.
const GENERATED: &str = "
namePrefix: team-
resources: [user.yaml]
secretGenerator:
- name: orders-api
  literals: [password=PASSWORD]
configurations: [name-reference.yaml]
";

#[tokio::test]
async fn kustomize_renames_the_secret_in_a_user_together_with_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("name-reference.yaml", &repository::read("deploy/kustomize/name-reference.yaml"));
    write("user.yaml", &manifest("orders-api", with_password("orders-api")).to_string());
    let mut names = BTreeSet::new();
    for password in ["a-first-long-password", "a-second-long-password"] {
        write("kustomization.yaml", &GENERATED.replace("PASSWORD", password));
        let mut command = control_plane::shared().kubectl();
        command.arg("kustomize").arg(folder.path());
        let output = control_plane::output(command).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let built: Vec<Value> =
            serde_saphyr::from_multiple(&String::from_utf8(output.stdout).unwrap()).unwrap();
        let secret = built.iter().find(|object| object["kind"] == "Secret").unwrap();
        let user = built.iter().find(|object| is_ours(object)).unwrap();
        let named = &user["spec"]["authentication"]["passwords"][0]["secretKeyRef"]["name"];
        assert_eq!(named, name(secret), "{user:#}");
        assert!(names.insert(name(secret).to_owned()), "another password has another hash");
    }
}

#[tokio::test]
async fn users_of_gitops_examples_become_ready_and_outlive_a_deletion() {
    let fixture = Fixture::with(Setup::leaving_users()).await;
    for file in [FLUX[2], ARGO_CD[1]] {
        let path = repository::path(&format!("deploy/{file}"));
        let output = control_plane::output(fixture.kubectl(&["apply", "--filename", &path])).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let objects = documents(file);
        let user = name(&objects[0]);
        fixture.wait_ready(user).await;
        fixture.deleted(user).await;
        assert_eq!(fixture.aws.user(user).await.unwrap()["Status"], "active");
    }
    fixture.end().await;
}
