//! The documentation as a whole: every link has a target, SUMMARY lists every page, each reason and each alert has an entry, and
//! every test that a page names exists.

pub(crate) mod markdown;
mod named;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use markdown::Page;
use plan::verdict::Reason;
use serde_json::Value;

use crate::following::FOLLOWED;
use crate::{control_plane, repository};

const BOOK: &str = "docs/src";

fn root() -> PathBuf {
    PathBuf::from(repository::path(""))
}

/// The Markdown files below a folder, without hidden and generated ones. The paths are relative to the root of the repository.
fn pages(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') && !["target", "node_modules"].contains(&name) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(file: &str) -> Page {
    Page::parse(&repository::read(file))
}

/// The path of the file that a link leads to, relative to the root, and the part after `#`.
fn target(from: &str, link: &str) -> (String, Option<String>) {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    if file.is_empty() {
        return (from.to_owned(), anchor.map(str::to_owned));
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    (parts.join("/"), anchor.map(str::to_owned))
}

/// What is wrong with a link, if anything.
fn fault(from: &str, link: &str) -> Option<String> {
    let (file, anchor) = target(from, link);
    let path = root().join(&file);
    let in_book = |file: &str| Path::new(file).starts_with(BOOK);
    if !path.exists() {
        return Some(format!("{from}: {link}: there is no {file}"));
    }
    if in_book(from) && !in_book(&file) {
        return Some(format!("{from}: {link}: leads out of the book, where mdBook has nothing"));
    }
    let anchor = anchor?;
    let known = file.ends_with(".md") && read(&file).anchors.contains(&anchor);
    (!known).then(|| format!("{from}: {link}: {file} has no heading #{anchor}"))
}

#[test]
fn every_link_of_the_book_leads_to_a_file_and_a_heading() {
    let mut faults = Vec::new();
    for page in pages("") {
        for link in read(&page).links.iter().filter(|link| !link.contains("://")) {
            faults.extend(fault(&page, link));
        }
    }
    assert!(faults.is_empty(), "links without a target\n  {}", faults.join("\n  "));
}

#[test]
fn the_summary_of_the_book_lists_every_page_once() {
    let summary = format!("{BOOK}/SUMMARY.md");
    let listed: Vec<String> = read(&summary).links.iter().map(|link| target(&summary, link).0).collect();
    let once: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(once.len(), listed.len(), "a page is listed twice");
    let there = pages(BOOK);
    let missing: Vec<&String> =
        there.iter().filter(|page| **page != summary && !once.contains(page)).collect();
    assert!(missing.is_empty(), "pages that {summary} does not list: {missing:#?}");
}

#[test]
fn troubleshooting_has_an_entry_for_each_reason_and_no_other() {
    let page = read("docs/src/troubleshooting.md");
    let mut wanted = Reason::ALL.map(Reason::as_str);
    wanted.sort_unstable();
    assert_eq!(page.section("By reason"), wanted, "the entries must be in alphabetical order");
}

#[test]
fn troubleshooting_links_every_runbook() {
    let page = "docs/src/troubleshooting.md";
    let links: BTreeSet<String> = read(page).links.iter().map(|link| target(page, link).0).collect();
    let runbooks = pages(BOOK).into_iter().filter(|file| file.starts_with("docs/src/runbooks/"));
    let missing: Vec<String> = runbooks.filter(|file| !links.contains(file)).collect();
    assert!(missing.is_empty(), "{page} does not link {missing:#?}");
}

/// `module::test` in code: the tests that a page names.
fn tests_named(page: &str) -> Vec<(String, String)> {
    let is_name =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || "_:".contains(c));
    let codes = read(page).codes;
    let named = codes.iter().filter_map(|code| code.rsplit_once("::"));
    named
        .filter(|(module, test)| is_name(module) && is_name(test))
        .map(|(module, test)| (module.to_owned(), test.to_owned()))
        .collect()
}

#[test]
fn the_tests_that_pages_of_the_book_name_exist() {
    let mut seen = 0;
    for page in ["docs/src/security.md", "docs/src/concepts/deletion-hazards.md"] {
        for (module, test) in tests_named(page) {
            let places = ["tests/it", "src/plan/tests", "tests/chart/tests/it", "src"];
            let file = |place| format!("{place}/{}.rs", module.replace("::", "/"));
            let held = places.iter().any(|place| {
                let text = fs::read_to_string(repository::path(&file(place))).unwrap_or_default();
                text.contains(&format!("fn {test}("))
            });
            assert!(held, "{page} names {module}::{test}, which is no test");
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} tests were found: does this test still understand the pages?");
}

#[test]
fn every_shell_block_of_the_book_is_run_by_a_test() {
    let runs = |page: &String| read(page).blocks.iter().any(|(kind, _)| kind == "sh");
    let found: Vec<String> = pages(BOOK).into_iter().filter(runs).collect();
    let followed = FOLLOWED.map(|page| format!("{BOOK}/{page}.md"));
    assert_eq!(
        found, followed,
        "each page with a block of sh must be in FOLLOWED of tests/it/following.rs. A block that no test can run must be a block of console"
    );
}

#[tokio::test]
async fn the_api_server_accepts_every_object_that_a_page_of_the_book_shows() {
    let users: Api<DynamicObject> =
        Api::namespaced_with(control_plane::client().await, "default", &control_plane::resource());
    let mut params = PatchParams::apply("test").force().validation_strict();
    params.dry_run = true;
    let mut seen = 0;
    for page in pages("") {
        for (_, text) in read(&page).blocks.iter().filter(|(kind, _)| kind == "yaml") {
            // Skip blocks that are only a part of an object.
            if !(text.contains("kind: ElastiCacheUser") && text.starts_with("apiVersion:")) {
                continue;
            }
            let mut object: Value =
                serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{page}: {error}"));
            object["metadata"].as_object_mut().unwrap().remove("namespace");
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            let answer = users.patch(&name, &params, &Patch::Apply(&object)).await;
            assert!(answer.is_ok(), "{page}: {name}: {answer:?}");
            seen += 1;
        }
    }
    assert!(seen >= 4, "only {seen} objects were found");
}

#[test]
fn the_readme_is_short() {
    let lines = repository::read("README.md").lines().count();
    assert!(lines <= 120, "{lines} lines");
}
