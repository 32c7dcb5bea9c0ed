//! Programs that people use to check charts.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use chart::CHART;
use cluster::Tool;
use serde_json::{Value, json};
use support::command::run;
use support::repository::path;

use crate::fixture::{LEAST, RELEASE, file, helm, kubectl, rendered, the, values};

/// The test suites are in the chart: `charts/*/tests`.
#[test]
fn the_unit_tests_of_the_chart_pass() {
    let mut unittest = Command::new(Tool::HelmUnittest.path().unwrap());
    let said = run(unittest.arg("--strict").arg(path(CHART)).stdin(Stdio::null())).unwrap();
    assert!(said.contains("Test Suites: "), "{said}");
    assert!(!said.contains("Test Suites: 0 passed"), "no suite was found: {said}");
}

/// Checks every document with the schemas that the API server serves, without unknown fields.
#[test]
fn every_rendered_object_matches_the_schemas_of_the_api_server() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconform = |file: &str| {
        let schemas = format!(
            "{}/{{{{.Group}}}}/{{{{.ResourceAPIVersion}}}}/{{{{.ResourceKind}}}}.json",
            folder.path().display()
        );
        let mut command = Command::new(Tool::Kubeconform.path().unwrap());
        run(command.args(["-strict", "-summary", "-schema-location", &schemas, file]))
    };
    for (name, more) in
        [("least", LEAST[0]), ("everything", &values("everything")), ("roles", &values("roles-only"))]
    {
        let objects = rendered("system", &[more]);
        for version in
            objects.iter().map(|object| object["apiVersion"].as_str().unwrap()).collect::<BTreeSet<_>>()
        {
            write_schemas(folder.path(), version);
        }
        let said = kubeconform(&file(&format!("conform-{name}"), &objects)).unwrap();
        assert!(said.contains(&format!("{} resources found", objects.len())), "{said}");
        assert!(said.contains("Invalid: 0, Errors: 0, Skipped: 0"), "{said}");
    }
    // It would notice.
    let mut objects = rendered("system", LEAST);
    let deployment = objects.iter_mut().find(|object| object["kind"] == "Deployment").unwrap();
    deployment["spec"]["replica"] = json!(2);
    let said = format!("{:#}", kubeconform(&file("conform-wrong", &objects)).unwrap_err());
    assert!(said.contains("additional properties 'replica' not allowed"), "{said}");
}

/// Writes the kinds of a group version as JSON schemas. The API server's OpenAPI allows unknown fields, and these schemas do not.
fn write_schemas(folder: &Path, group_version: &str) {
    let (group, version) = group_version.split_once('/').unwrap_or((group_version, group_version));
    let folder = folder.join(group).join(version);
    if folder.exists() {
        return;
    }
    fs::create_dir_all(&folder).unwrap();
    let at = if group == version { format!("api/{version}") } else { format!("apis/{group_version}") };
    let document: Value =
        serde_json::from_str(&kubectl(&["get", "--raw", &format!("/openapi/v3/{at}")])).unwrap();
    let mut definitions = document["components"]["schemas"].clone();
    close(&mut definitions);
    for (name, schema) in definitions.as_object().unwrap() {
        let Some(kinds) = schema["x-kubernetes-group-version-kind"].as_array() else { continue };
        let [kind] = kinds.as_slice() else { continue };
        let kind = kind["kind"].as_str().unwrap().to_lowercase();
        let whole = json!({ "$ref": format!("#/definitions/{name}"), "definitions": definitions });
        fs::write(folder.join(format!("{kind}.json")), whole.to_string()).unwrap();
    }
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref") {
                *reference = reference.replace("#/components/schemas/", "#/definitions/");
            }
            let open = ["additionalProperties", "x-kubernetes-preserve-unknown-fields"];
            if members.get("properties").is_some_and(Value::is_object)
                && members.get("type").is_some_and(|type_| type_ == "object")
                && !open.iter().any(|name| members.contains_key(*name))
            {
                members.insert("additionalProperties".into(), json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn kube_score_finds_only_what_is_intended() {
    let rendered = helm(Tool::Helm4).template(RELEASE, "system", &[LEAST[0]]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let rendered_file = folder.path().join("rendered.yaml");
    fs::write(&rendered_file, rendered).unwrap();
    let ignored = [
        // The tag is that of a version and never moves. People can set a digest.
        "container-image-pull-policy",
        // topologySpreadConstraints spread the Pods, and in a full cluster they leave no Pod pending.
        "deployment-has-host-podantiaffinity",
    ];
    let mut score = Command::new(Tool::KubeScore.path().unwrap());
    // A CPU limit would only slow down the start, because the operator works for milliseconds at a time.
    score.args(["score", "--ignore-container-cpu-limit", "--exit-one-on-warning", "--output-format=ci"]);
    for check in ignored {
        score.args(["--ignore-test", check]);
    }
    let said = run(score.arg(&rendered_file)).unwrap();
    assert!(said.contains("apps/v1/Deployment"), "{said}");
}

/// Checks the rules in the rendered PrometheusRule with promtool, because the API server of the tests does not know this kind.
#[test]
fn the_rendered_alerts_are_good_rules_and_link_to_runbooks() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yaml");
    let render = "--set=metrics.prometheusRule.mode=render";
    let by_default = [LEAST[0], "--set=metrics.prometheusRule.enabled=true", render];
    let own_pages = [&values("everything"), render];
    for (arguments, base) in [
        (&by_default[..], "https://elasticache-users.dev/runbooks/"),
        (&own_pages, "https://runbooks.example.com/elasticache/"),
    ] {
        let objects = rendered("system", arguments);
        let rules = &the(&objects, "PrometheusRule")["spec"];
        assert!(!rules.to_string().contains("RUNBOOK_URL_BASE"), "{rules:#}");
        let alerts = rules["groups"][0]["rules"].as_array().unwrap();
        assert!(alerts.len() > 8, "{rules:#}");
        for alert in alerts {
            let page = alert["annotations"]["runbook_url"].as_str().unwrap().strip_prefix(base);
            let page = page.unwrap_or_else(|| panic!("{alert:#}"));
            assert!(Path::new(&path(&format!("docs/src/runbooks/{page}"))).is_file(), "{page}");
        }
        fs::write(&file, rules.to_string()).unwrap();
        let mut promtool = Command::new(Tool::Promtool.path().unwrap());
        run(promtool.args(["check", "rules", "--lint=all", "--lint-fatal"]).arg(&file)).unwrap();
    }
}
