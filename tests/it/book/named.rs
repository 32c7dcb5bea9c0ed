//! Everything that the pages name exists: files of the repository, values of the chart, alerts, flags and fields.

use std::collections::BTreeSet;
use std::fs;

use clap::CommandFactory;
use elasticache_user_operator::api;
use elasticache_user_operator::config::Cli;

use super::{BOOK, pages, read};
use crate::repository;

const CHART: &str = "charts/elasticache-user-operator";
/// Every dotted name on this page is a value of the chart.
const OF_THE_CHART: &str = "docs/src/install/helm.md";

/// The pages for people who have installed nothing yet.
fn readers_pages() -> Vec<String> {
    pages(BOOK).into_iter().chain(["README.md".to_owned()]).collect()
}

#[test]
fn files_that_the_documentation_mentions_exist() {
    assert_files_are_there(&readers_pages(), &["deploy/", "charts/"]);
}

#[test]
fn files_that_contributing_and_the_design_notes_mention_exist() {
    let pages: Vec<String> = pages("docs/design").into_iter().chain(["CONTRIBUTING.md".to_owned()]).collect();
    assert_files_are_there(&pages, &["charts/", "crds/", "deploy/", "docs/", "src/", "tests/"]);
}

/// Checks every path in inline code that begins with one of these folders. Patterns and messages are skipped.
fn assert_files_are_there(pages: &[String], folders: &[&str]) {
    let is_path =
        |code: &&String| folders.iter().any(|folder| code.starts_with(folder)) && !code.contains(['*', ' ']);
    let mut missing = Vec::new();
    for page in pages {
        let codes = read(page).codes;
        let gone = codes.iter().filter(is_path).filter(|file| fs::metadata(repository::path(file)).is_err());
        missing.extend(gone.map(|file| format!("{page}: {file}")));
    }
    assert!(missing.is_empty(), "files that do not exist\n  {}", missing.join("\n  "));
}

/// `a.b.c`
fn is_dotted(code: &str) -> bool {
    code.split('.').count() > 1
        && code.split('.').all(|part| !part.is_empty() && part.chars().all(char::is_alphanumeric))
}

#[test]
fn every_chart_value_in_the_documentation_exists() {
    let values = repository::yaml(&format!("{CHART}/values.yaml"));
    let there = |name: &str| values.pointer(&format!("/{}", name.replace('.', "/"))).is_some();
    let (mut missing, mut seen) = (Vec::new(), 0);
    for page in readers_pages() {
        let text = read(&page);
        let group = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        let dotted = text.codes.iter().filter(|code| is_dotted(code));
        let named = dotted.filter(|name| page == OF_THE_CHART || values.get(group(name)).is_some()).cloned();
        // `--set a.b=c`, `--set 'a.b={c}'`
        let set = text.blocks.iter().flat_map(|(_, block)| block.split("--set ").skip(1));
        let set = set.filter_map(|rest| Some(rest.split_once('=')?.0.trim_start_matches('\'').to_owned()));
        for name in named.chain(set) {
            seen += 1;
            if !there(&name) {
                missing.push(format!("{page}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "not values of the chart\n  {}", missing.join("\n  "));
    assert!(seen > 15, "only {seen} values were found: does this test still understand the pages?");
}

/// Flags of kubectl, Helm, cargo, valkey-cli, and the script for tokens.
const OF_OTHERS: [&str; 10] = [
    "--field-manager",
    "--field-selector",
    "--from-literal",
    "--no-hooks",
    "--server-side",
    "--serverless",
    "--set",
    "--tls",
    "--user",
    "--wait",
];

#[test]
fn every_flag_in_the_documentation_exists() {
    let cli = Cli::command();
    let long = |arg: &clap::Arg| arg.get_long().map(|long| format!("--{long}"));
    let known: BTreeSet<String> =
        cli.get_subcommands().flat_map(|command| command.get_arguments().filter_map(long)).collect();
    let (mut missing, mut seen) = (Vec::new(), 0);
    for page in readers_pages() {
        for code in read(&page).codes.iter().filter(|code| code.starts_with("--")) {
            let flag = code.split(['=', ' ']).next().unwrap_or_default();
            seen += 1;
            if !known.contains(flag) && !OF_OTHERS.contains(&flag) {
                missing.push(format!("{page}: {flag}"));
            }
        }
    }
    assert!(missing.is_empty(), "not flags of the program\n  {}", missing.join("\n  "));
    assert!(seen > 30, "only {seen} flags were found");
}

/// Fields of a Lease.
const OF_A_LEASE: [&str; 2] = ["spec.holderIdentity", "spec.renewTime"];

#[test]
fn every_field_in_the_documentation_is_in_the_crd() {
    let crd = serde_json::to_value(api::crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let there = |path: &str| {
        path.split('.').try_fold(schema, |schema, part| schema["properties"].get(part)).is_some()
    };
    let (mut missing, mut seen) = (Vec::new(), 0);
    for page in readers_pages() {
        let codes = read(&page).codes;
        let paths = codes.iter().map(|code| code.split([':', ' ', '=', '[']).next().unwrap_or_default());
        for path in paths.filter(|path| path.starts_with("spec.") || path.starts_with("status.")) {
            seen += 1;
            if !there(path) && !OF_A_LEASE.contains(&path) {
                missing.push(format!("{page}: {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "not fields of an ElastiCacheUser\n  {}", missing.join("\n  "));
    assert!(seen > 10, "only {seen} fields were found");
}
