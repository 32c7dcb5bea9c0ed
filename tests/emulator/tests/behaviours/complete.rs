//! Every behaviour in service.md has a test, or is listed as one that the emulator does not have.

use std::fs;
use std::path::Path;

/// Whether a source file has a test function whose name begins with this.
fn has_test(source: &str, beginning: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| {
        let is_test = pair[0].starts_with("#[tokio::test") || pair[0] == "#[test]";
        is_test
            && pair[1]
                .trim_start_matches("async ")
                .strip_prefix("fn ")
                .is_some_and(|name| name.starts_with(beginning))
    })
}

#[test]
fn every_behaviour_has_a_test_or_is_listed_as_not_held() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources: Vec<String> = fs::read_dir(root.join("tests/behaviours"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let not_held = readme.split("\n## Not held").nth(1).unwrap().split("\n## ").next().unwrap();
    let missing: Vec<String> = (1..=103)
        .chain([105])
        .filter(|number| !sources.iter().any(|source| has_test(source, &format!("b{number:02}_"))))
        .map(|number| format!("B{number:02}"))
        .filter(|name| !not_held.contains(name.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "behaviours without a test that the README does not list either: {missing:?}"
    );
}
