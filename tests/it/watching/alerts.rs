//! The alerts and the dashboard of the chart. promtool runs the tests of the alerts. All metrics and labels that alerts and dashboard
//! name exist.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use cluster::Tool;
use elasticache_user_operator::plan::verdict::Reason;
use serde_json::Value;
use support::command::run;

use super::promql;
use crate::repository;

const ALERTS: &str = "charts/elasticache-user-operator/files/alerts.yaml";
const DASHBOARD: &str = "charts/elasticache-user-operator/files/dashboard.json";
const TESTS: &str = "tests/it/watching/alerts.yaml";
/// The placeholder that the chart replaces by a URL.
const RUNBOOKS: &str = "RUNBOOK_URL_BASE/";
/// The scrape adds these to every series.
const ADDED: [&str; 4] = ["instance", "job", "namespace", "pod"];

fn rules() -> Vec<Value> {
    let groups = repository::yaml(ALERTS)["groups"].as_array().cloned().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap()).collect()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {value:#}"))
}

pub(super) fn promtool(arguments: &[&str]) -> String {
    run(Command::new(Tool::Promtool.path().unwrap()).args(arguments)).unwrap()
}

#[test]
fn each_alert_fires_for_its_cause_and_says_what_to_do() {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", &repository::path(ALERTS)]);
    promtool(&["test", "rules", &repository::path(TESTS)]);
}

#[test]
fn each_alert_has_a_severity_a_runbook_and_tests_that_it_fires_and_does_not() {
    let tests = repository::yaml(TESTS);
    let tests: Vec<&Value> = tests["tests"].as_array().unwrap().iter().collect();
    let mut pages = BTreeSet::new();
    for rule in rules() {
        let (alert, severity) = (text(&rule, "/alert"), text(&rule, "/labels/severity"));
        assert!(alert.starts_with("ElastiCacheUser"), "{alert}");
        assert!(["warning", "critical"].contains(&severity), "{alert}: {severity}");
        assert!(!text(&rule, "/annotations/summary").is_empty() && rule["for"].is_string(), "{alert}");
        let page = text(&rule, "/annotations/runbook_url").strip_prefix(RUNBOOKS).unwrap();
        assert_eq!(page, format!("{alert}.md"));
        let runbook = repository::read(&format!("docs/src/runbooks/{page}"));
        assert!(runbook.starts_with(&format!("# {alert}\n")), "{page}");
        for part in ["**What it means.**", "**How to look.**", "**How to fix it**"] {
            assert!(runbook.contains(part.trim_end_matches("**")), "{page}: {part}");
        }
        pages.insert(page.to_owned());
        let checks = tests.iter().flat_map(|test| test["alert_rule_test"].as_array().unwrap());
        let expected: Vec<&Vec<Value>> = checks
            .filter(|check| check["alertname"] == alert)
            .map(|check| check["exp_alerts"].as_array().unwrap())
            .collect();
        let fires = |alerts: &&Vec<Value>| alerts.iter().any(|one| one["exp_labels"]["severity"] == severity);
        assert!(expected.iter().any(&fires), "{alert} ({severity}) fires in no test");
        assert!(!expected.iter().all(fires), "{alert} ({severity}) fires in every test");
    }
    let there = std::fs::read_dir(repository::path("docs/src/runbooks")).unwrap();
    let there: BTreeSet<String> =
        there.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, pages, "each alert must have a runbook, and each runbook an alert");
}

/// Every expression of the alerts and their annotations, and of the dashboard, each with its place.
fn expressions() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for rule in rules() {
        let alert = text(&rule, "/alert");
        found.push((alert.to_owned(), text(&rule, "/expr").to_owned()));
        let sentence = text(&rule, "/annotations/description");
        for begin in ["query \"", "printf \""] {
            let queries = sentence.split(begin).skip(1).filter_map(|rest| rest.split_once('"'));
            found.extend(queries.map(|(query, _)| (format!("{alert}'s sentence"), query.to_owned())));
        }
    }
    let dashboard: Value = serde_json::from_str(&repository::read(DASHBOARD)).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = text(panel, "/title");
        for target in panel["targets"].as_array().unwrap() {
            let query = text(target, "/expr").replace("$__rate_interval", "5m");
            assert!(!query.replace("$namespace", "").contains('$'), "{title}: {query}");
            found.push((format!("panel {title}"), query));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let Some(query) = variable["query"]["query"].as_str() else { continue };
        let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let (metric, label) = inside.split_once(", ").unwrap();
        found.push((format!("variable {query}"), format!("count by ({label}) ({metric})")));
    }
    found
}

/// The metrics and labels in the reference. Another test compares the reference with a running operator.
fn reference() -> BTreeMap<String, BTreeSet<String>> {
    let mut metrics = BTreeMap::new();
    for row in
        repository::read("docs/src/reference/metrics.md").lines().filter(|line| line.starts_with("| `"))
    {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [name, type_, labels, ..] = cells[..] else { continue };
        let quoted = |cell: &str| -> BTreeSet<String> {
            cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        for name in quoted(name) {
            let labels = quoted(labels);
            if type_ == "histogram" {
                metrics.insert(format!("{name}_count"), labels.clone());
                metrics.insert(format!("{name}_sum"), labels.clone());
                metrics.insert(format!("{name}_bucket"), &labels | &BTreeSet::from(["le".to_owned()]));
            } else {
                metrics.insert(name, labels);
            }
        }
    }
    assert!(metrics.len() > 20, "{metrics:#?}");
    metrics
}

/// The possible values of a label, if they are a closed list.
fn words(label: &str) -> Option<Vec<&'static str>> {
    match label {
        "type" => Some(vec!["Ready", "Reconciling", "Stalled", "Deleting"]),
        "status" => Some(vec!["True", "False", "Unknown"]),
        "reason" => Some(Reason::ALL.map(Reason::as_str).to_vec()),
        _ => None,
    }
}

#[test]
fn every_query_is_valid_promql_and_uses_metrics_and_labels_that_exist() {
    let metrics = reference();
    let mut wrong = Vec::new();
    for (place, expression) in expressions() {
        let names = promql::names(&expression);
        assert!(!names.selectors.is_empty(), "{place}: {expression}");
        let mut grouped: BTreeSet<&str> = ADDED.into();
        for (metric, matchers) in &names.selectors {
            let Some(labels) = metrics.get(metric) else {
                wrong.push(format!("{place}: there is no metric {metric}"));
                continue;
            };
            grouped.extend(labels.iter().map(String::as_str));
            for (label, value) in matchers {
                if !labels.contains(label) && !ADDED.contains(&label.as_str()) {
                    wrong.push(format!("{place}: {metric} has no label {label}"));
                }
                let known = words(label);
                let odd = |word: &str| known.as_ref().is_some_and(|known| !known.contains(&word));
                wrong.extend(
                    value
                        .split('|')
                        .filter(|word| odd(word))
                        .map(|word| format!("{place}: {label} is never {word}")),
                );
            }
        }
        let odd = names.groups.iter().filter(|label| !grouped.contains(label.as_str()));
        wrong.extend(odd.map(|label| format!("{place}: nothing has the label {label}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
