//! What Helm 3 and Helm 4 render from the chart.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use chart::{CHART, objects};
use cluster::Tool;
use serde_json::{Value, json};
use support::command::run;
use support::repository::{path, read};

use crate::fixture::{LEAST, RELEASE, helm, operator, rendered, the, values};

const HELMS: [Tool; 2] = [Tool::Helm3, Tool::Helm4];

#[test]
fn both_helms_render_the_same() {
    let (everything, roles_only) = (values("everything"), values("roles-only"));
    for arguments in [LEAST, &[everything.as_str()], &[roles_only.as_str()]] {
        let [three, four] = HELMS.map(|tool| {
            let rendered = helm(tool).template(RELEASE, "system", arguments).unwrap();
            objects(&rendered).unwrap()
        });
        assert!(three.len() > 5);
        assert_eq!(three, four, "{arguments:?}");
    }
}

#[test]
fn both_helms_lint_the_chart_without_a_finding() {
    for tool in HELMS {
        for more in [LEAST[0], &values("everything"), &values("roles-only")] {
            let helm = helm(tool);
            let mut lint = helm.command();
            let said = run(lint.args(["lint", "--strict"]).arg(path(CHART)).arg(more)).unwrap();
            assert!(said.contains("0 chart(s) failed"), "{said}");
            assert!(!said.contains("[WARNING]"), "{said}");
        }
    }
}

#[test]
fn a_release_fits_into_the_secret_in_which_helm_stores_it() {
    // A release must also fit into the annotation of a client-side apply.
    let everything = values("everything");
    let monitors = ["serviceMonitor", "podMonitor", "prometheusRule"]
        .map(|kind| format!("--set=metrics.{kind}.mode=render"));
    let whole = [&everything, &monitors[0], &monitors[1], &monitors[2]].map(String::as_str);
    for arguments in [LEAST, &whole] {
        let text = helm(Tool::Helm4).template(RELEASE, "system", arguments).unwrap();
        assert!(text.len() < 256 * 1024, "{} bytes", text.len());
    }
}

/// The flags of `run` and their defaults, from `--help`.
fn flags() -> Vec<(String, Option<String>)> {
    let help = run(operator().args(["run", "--help"])).unwrap();
    let mut flags = Vec::new();
    for line in help.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("--") {
            let end = name.find([' ', '[', '=']).unwrap_or(name.len());
            flags.push((name[..end].to_owned(), None));
        } else if let Some((_, default)) = line.split_once("[default: ")
            && let Some(flag) = flags.last_mut()
        {
            flag.1 = default.split_once(']').map(|(default, _)| default.to_owned());
        }
    }
    flags
}

/// The container's environment. Each flag of the program has a variable of the same name, so that `kubectl exec .. check` has the
/// same settings.
fn environment(objects: &[Value]) -> BTreeMap<String, Value> {
    let container = &the(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    let variables = container["env"].as_array().unwrap().iter();
    variables
        .map(|variable| (variable["name"].as_str().unwrap().to_owned(), variable["value"].clone()))
        .collect()
}

fn variable(flag: &str) -> String {
    format!("ELASTICACHE_USERS_{}", flag.replace('-', "_").to_uppercase())
}

#[test]
fn every_flag_of_the_program_has_a_value_of_the_chart() {
    // The operator watches the Secrets of namespaces in which it may read all of them.
    let given = environment(&rendered("system", &[&values("everything"), "--set-json=secrets.names=[]"]));
    let known = flags();
    assert!(known.len() > 10, "{known:?}");
    for (name, _) in known {
        assert!(name == "help" || given.contains_key(&variable(&name)), "--{name} cannot be set by a value");
    }
}

#[test]
fn the_defaults_of_the_chart_are_those_of_the_program() {
    // The chart has other defaults for these flags, because it runs two replicas and machines read the log.
    let own = ["leader-elect", "log-format"];
    let given = environment(&rendered("system", LEAST));
    let defaults: Vec<_> = flags()
        .into_iter()
        .filter(|(name, default)| default.is_some() && !own.contains(&name.as_str()))
        .collect();
    assert!(defaults.len() > 5, "{defaults:?}");
    for (name, default) in defaults {
        // If the chart sets no variable, the program uses its own default.
        let same = given
            .get(&variable(&name))
            .is_none_or(|value| Some(value.as_str().unwrap()) == default.as_deref());
        assert!(same, "--{name} is {default:?} by itself");
    }
    assert_eq!(given["ELASTICACHE_USERS_LEADER_ELECT"], "true");
    assert_eq!(given["ELASTICACHE_USERS_LOG_FORMAT"], "json");
}

#[test]
fn the_crd_of_the_chart_is_the_programs_and_stays_after_the_release() {
    let objects = rendered("system", LEAST);
    let mut definition = the(&objects, "CustomResourceDefinition").clone();
    let annotations = definition["metadata"].as_object_mut().unwrap().remove("annotations");
    assert_eq!(annotations, Some(json!({ "helm.sh/resource-policy": "keep" })));
    definition["metadata"].as_object_mut().unwrap().remove("labels");
    let committed = read("crds/elasticacheusers.yaml");
    assert_eq!([definition], *chart::objects(&committed).unwrap());
}

/// The values of the chart's README for OpenShift.
#[test]
fn security_contexts_are_merged_with_the_defaults_and_null_takes_a_member_away() {
    let readme = read(&format!("{CHART}/README.md"));
    let example = readme.split("```yaml\n").find(|block| block.starts_with("podSecurityContext")).unwrap();
    let helms = HELMS.map(helm);
    for helm in &helms {
        let file = helm.home().join("openshift.yaml");
        fs::write(&file, example.split("```").next().unwrap()).unwrap();
        let more = [LEAST[0], "--set=securityContext.procMount=Default", "--values", file.to_str().unwrap()];
        let objects = objects(&helm.template(RELEASE, "system", &more).unwrap()).unwrap();
        for kind in ["Deployment", "Job"] {
            let pod = &the(&objects, kind)["spec"]["template"]["spec"];
            let seccomp = json!({ "type": "RuntimeDefault" });
            assert_eq!(pod["securityContext"], json!({ "runAsNonRoot": true, "seccompProfile": seccomp }));
            let container = json!({
                "allowPrivilegeEscalation": false,
                "capabilities": { "drop": ["ALL"] },
                "procMount": "Default",
                "readOnlyRootFilesystem": true,
                "runAsNonRoot": true,
                "seccompProfile": seccomp,
            });
            assert_eq!(pod["containers"][0]["securityContext"], container, "{kind}");
        }
    }
}

#[test]
fn the_dashboard_is_rendered_unchanged() {
    let objects = rendered("system", &[LEAST[0], "--set=metrics.dashboard.enabled=true"]);
    let text = the(&objects, "ConfigMap")["data"]["elasticache-user-operator.json"].as_str().unwrap();
    let [shown, file]: [Value; 2] =
        [text, &fs::read_to_string(path(&format!("{CHART}/files/dashboard.json"))).unwrap()]
            .map(|text| serde_json::from_str(text).unwrap());
    assert!(file["panels"].as_array().unwrap().len() > 5);
    assert_eq!(shown, file);
}

#[test]
fn the_packaged_chart_has_the_files_that_users_need_and_no_tests() {
    let helm = helm(Tool::Helm4);
    run(helm.command().arg("package").arg(path(CHART))).unwrap();
    let list = run(Command::new("tar").current_dir(helm.home()).args([
        "--list",
        "--gzip",
        "--file",
        "elasticache-user-operator-0.1.0.tgz",
    ]))
    .unwrap();
    let files: BTreeSet<&str> =
        list.lines().map(|file| file.trim_start_matches("elasticache-user-operator/")).collect();
    for needed in [
        "Chart.yaml",
        "README.md",
        "files/alerts.yaml",
        "files/crd.yaml",
        "files/dashboard.json",
        "templates/NOTES.txt",
        "values.schema.json",
    ] {
        assert!(files.contains(needed), "{needed} is not in {files:?}");
    }
    for file in files {
        assert!(!file.starts_with("tests/") && !file.ends_with(".gotmpl"), "{file}");
    }
}
