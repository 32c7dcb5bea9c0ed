//! The samples that the documentation sends people to, applied as people apply them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::json;

use crate::fixture::Fixture;
use crate::{control_plane, repository};

/// All of them.
fn samples() -> Vec<PathBuf> {
    let folder = fs::read_dir(repository::path("deploy/samples")).unwrap();
    folder.map(|entry| entry.unwrap().path()).collect()
}

fn stem(sample: &Path) -> &str {
    sample.file_stem().unwrap().to_str().unwrap()
}

/// kubectl in the fixture's namespace, which must succeed, and what it printed.
async fn kubectl(fixture: &Fixture, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = control_plane::output(fixture.kubectl(arguments)).await;
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "kubectl {arguments:?}: {stderr}");
    assert!(!stderr.contains("Warning"), "kubectl {arguments:?}: {stderr}");
    String::from_utf8(stdout).unwrap()
}

#[tokio::test]
async fn each_sample_by_itself_becomes_ready_and_goes_again() {
    let fixture = Fixture::new().await;
    fixture.aws.put_group("shop-cache", json!({ "UserIds": ["default"] })).await;
    for sample in samples() {
        let file = sample.to_str().unwrap();
        let applied = kubectl(&fixture, &["apply", "--filename", file, "--output", "name"]).await;
        let name =
            applied.lines().find_map(|line| line.strip_prefix("elasticacheuser.elasticache-users.dev/"));
        let name = name.unwrap_or_else(|| panic!("{file} holds no ElastiCacheUser: {applied}"));
        let object = fixture.wait_ready(name).await;
        // The file is named in the words of `status`, or after what it is for.
        let type_ = if stem(&sample) == "disabled-default" { "no-password" } else { stem(&sample) };
        assert_eq!(object["status"]["authentication"]["type"], type_, "{file}");
        assert_eq!(fixture.aws.user(name).await.unwrap()["Status"], "active", "{file}");
        kubectl(&fixture, &["delete", "--filename", file]).await;
        fixture.gone(name).await;
    }
    fixture.end().await;
}

#[test]
fn there_is_a_sample_for_each_type_of_authentication_with_a_comment() {
    let samples = samples();
    let found: BTreeSet<&str> = samples.iter().map(|sample| stem(sample)).collect();
    assert_eq!(found, BTreeSet::from(["disabled-default", "iam", "no-password", "password"]));
    for sample in &samples {
        assert!(fs::read_to_string(sample).unwrap().starts_with("# "), "{}", sample.display());
    }
}

#[test]
fn the_readme_shows_a_part_of_a_sample() {
    let readme = repository::read("README.md");
    let (_, after) = readme.split_once("```yaml\n").unwrap();
    let (shown, _) = after.split_once("```").unwrap();
    let is_part = |sample: &Path| fs::read_to_string(sample).unwrap().contains(shown);
    assert!(samples().iter().any(|sample| is_part(sample)), "no sample has this part:\n{shown}");
}
