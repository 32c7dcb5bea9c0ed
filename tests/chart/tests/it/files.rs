//! The generated files in the repository are up to date.

use chart::{CHART, Manifest, manifests};
use support::repository::read;

#[test]
fn the_plain_manifests_are_the_rendered_chart() {
    let manifests = manifests().unwrap();
    assert!(manifests.len() > 3);
    for Manifest { file, text } in manifests {
        assert!(read(file) == text, "{file} is not what `make manifests` writes");
    }
}

#[test]
fn the_charts_readme_lists_the_values_as_helm_docs_writes_them() {
    let readme = chart::readme().unwrap();
    assert!(readme.contains("| aws.region | string |"), "{readme}");
    let file = format!("{CHART}/README.md");
    assert!(read(&file) == readme, "the chart's README.md is not what `make manifests` writes");
}

#[test]
fn every_value_of_the_chart_has_a_comment() {
    let readme = read(&format!("{CHART}/README.md"));
    let table = readme.lines().filter(|line| line.starts_with("| ") && line.matches('|').count() >= 5);
    for line in table {
        assert!(!line.ends_with("|  |"), "this value has no comment: {line}");
    }
}
