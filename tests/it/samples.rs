//! The samples that the documentation mentions. The tests apply them with kubectl, as people do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use kube::api::PostParams;
use serde_json::{Value, json};

use crate::fixture::{Fixture, iam, manifest, until, with};
use crate::{control_plane, repository};

fn samples() -> Vec<PathBuf> {
    let folder = fs::read_dir(repository::path("deploy/samples")).unwrap();
    folder.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

fn stem(sample: &Path) -> &str {
    sample.file_stem().unwrap().to_str().unwrap()
}

/// Runs kubectl in the fixture's namespace, and returns its output. Fails if kubectl fails.
async fn kubectl(fixture: &Fixture, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = control_plane::output(fixture.kubectl(arguments)).await;
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "kubectl {arguments:?}: {stderr}");
    assert!(!stderr.contains("Warning"), "kubectl {arguments:?}: {stderr}");
    String::from_utf8(stdout).unwrap()
}

#[tokio::test]
async fn each_sample_alone_becomes_ready_and_can_be_deleted() {
    let fixture = Fixture::new().await;
    fixture.aws.put_group("shop-cache", json!({ "UserIds": ["default"] })).await;
    for sample in samples() {
        let file = sample.to_str().unwrap();
        let applied = kubectl(&fixture, &["apply", "--filename", file, "--output", "name"]).await;
        let name =
            applied.lines().find_map(|line| line.strip_prefix("elasticacheuser.elasticache-users.dev/"));
        let name = name.unwrap_or_else(|| panic!("{file} holds no ElastiCacheUser: {applied}"));
        let object = fixture.wait_ready(name).await;
        // The name of the file is the authentication type as in `status`, or says what the sample is for.
        let type_ = if stem(&sample) == "disabled-default" { "no-password" } else { stem(&sample) };
        assert_eq!(object["status"]["authentication"]["type"], type_, "{file}");
        assert_eq!(fixture.aws.user(name).await.unwrap()["Status"], "active", "{file}");
        kubectl(&fixture, &["delete", "--filename", file]).await;
        fixture.gone(name).await;
    }
    fixture.end().await;
}

/// Access strings that the policy for the tenant OWN allows.
const OWN_KEYS: [&str; 4] = [
    "on ~OWN:* -@all +@read",
    "off -@all",
    "\non %R~OWN:a ~OWN:b\t+@read\n+@write -keys",
    "on resetkeys ~OWN: -config|get",
];
/// Access strings that it refuses.
const OTHER_KEYS: [&str; 10] = [
    "on ~* +@read",
    "on allkeys +@read",
    "on ~OWN:* ~other:* +@read",
    "on ~OWN:* +@all",
    "on ~OWN:* +flushall",
    "on ~OWN:* allcommands",
    "on ~OWN:* &* +@read",
    "on ~OWN:* +@read (~* +@all)",
    "on ~OWN:(~* +@read",
    "on%RW~* ~OWN:a",
];

#[tokio::test]
async fn a_policy_for_a_tenant_limits_user_ids_user_groups_and_access_strings() {
    let fixture = Fixture::new().await;
    let spec = |access: &str| json!({ "accessString": access });
    fixture.ready("before", iam()).await;
    let ns = &fixture.ns;
    let policy = repository::read("deploy/samples/policies/tenant.yaml").replace("shop", ns);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), policy).unwrap();
    let file = file.path().to_str().unwrap();
    kubectl(&fixture, &["apply", "--filename", file]).await;
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let refused = async |name: &str, spec: Value| {
        let object = manifest(name, with(iam(), spec));
        let answer = fixture.users().create(&params, &serde_json::from_value(object).unwrap()).await;
        answer.err().map(|error| error.to_string())
    };
    let tried = async |name: &str, access: &str| refused(name, spec(access)).await.map_or(Ok(()), Err);
    let id = format!("{ns}-app");
    until("the policy is in force", async || tried(&id, "on ~* +@all").await.is_err()).await;
    let own = |access: &str| access.replace("OWN", ns);
    for access in OWN_KEYS {
        assert_eq!(tried(&id, &own(access)).await, Ok(()), "{access:?}");
    }
    for access in OTHER_KEYS {
        let said = tried(&id, &own(access)).await.unwrap_err();
        assert!(said.contains("spec.accessString may have"), "{access:?}: {said}");
    }
    let said = tried("app", &own("on ~OWN:* +@read")).await.unwrap_err();
    assert!(said.contains("must begin with"), "{said}");
    for (groups, allowed) in [(&["OWN-cache", "OWN-queue"][..], true), (&["OWN-cache", "web-cache"], false)] {
        let groups: Vec<String> = groups.iter().map(|group| own(group)).collect();
        let spec = json!({ "accessString": own("on ~OWN:* +@read"), "userGroupIDs": groups });
        let said = refused(&id, spec).await;
        let is_told = said.as_ref().is_some_and(|said| said.contains("spec.userGroupIDs may name only"));
        assert!(if allowed { said.is_none() } else { is_told }, "{groups:?}: {said:?}");
    }

    // The policy does not disturb the operator, also with an object that is older than the policy.
    fixture.ready(&id, with(iam(), spec(&own("on ~OWN:* +@read")))).await;
    for name in ["before", &id] {
        fixture.deleted(name).await;
    }
    crate::checking::run(control_plane::shared(), &format!("kubectl delete --filename {file}")).await;
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
