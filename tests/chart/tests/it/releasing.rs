//! `deploy/release/publish`, with imitations of docker and cosign, and with Helm, which packages but does not push.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use chart::{CHART, objects};
use cluster::Tool;
use support::command::run;
use support::repository::{path, read};
use tempfile::TempDir;

use crate::fixture::{LEAST, RELEASE, helm, the};

const REGISTRY: &str = "registry.example.com/platform";
const IMAGE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const AMD64: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
const PACKAGE: &str = "sha256:3333333333333333333333333333333333333333333333333333333333333333";

/// Notes its arguments, writes the file of metadata, and answers as `imagetools inspect` does.
const DOCKER: &str = r#"#!/bin/bash
echo "docker $*" >> "$RELEASE_FILES/log"
while [[ $# -gt 0 ]]; do
    case $1 in
    --metadata-file) echo '{ "containerimage.digest": "IMAGE" }' > "$2" ;;
    --format) case $2 in
        *SBOM*) for _ in {1..11}; do echo '"SPDXID": "SPDXRef-1"'; done ;;
        *Manifests*) echo AMD64 ;;
        *) echo sha256:base ;;
        esac ;;
    esac
    shift
done
"#;
const COSIGN: &str = "#!/bin/bash\necho \"cosign $*\" >> \"$RELEASE_FILES/log\"\n";
const HELM: &str = r#"#!/bin/bash
echo "helm $*" >> "$RELEASE_FILES/log"
if [[ $1 == push ]]; then echo "Digest: PACKAGE"; else exec REAL "$@"; fi
"#;

fn imitate(folder: &Path, name: &str, script: &str) {
    let file = folder.join(name);
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs the steps. Returns the folder of what they left, and the commands that they ran.
fn publish(steps: &[&str]) -> (TempDir, Vec<String>) {
    let (programs, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    imitate(programs.path(), "docker", &DOCKER.replace("IMAGE", IMAGE).replace("AMD64", AMD64));
    imitate(programs.path(), "cosign", COSIGN);
    let real = Tool::Helm4.path().unwrap();
    imitate(
        programs.path(),
        "helm",
        &HELM.replace("PACKAGE", PACKAGE).replace("REAL", real.to_str().unwrap()),
    );
    let mut publish = Command::new(path("deploy/release/publish"));
    publish.arg(REGISTRY).args(steps).env("RELEASE_FILES", files.path());
    publish.env("COSIGN_KEY", "release.key").env("PLATFORMS", "linux/amd64");
    let programs = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.path().display());
    run(publish.env("PATH", programs)).unwrap();
    let log = fs::read_to_string(files.path().join("log")).unwrap();
    (files, log.lines().map(str::to_owned).collect())
}

#[test]
fn a_release_signs_and_attests_the_digests_that_it_pushed_and_the_chart_names_the_image_by_digest() {
    let (files, log) = publish(&["image", "sign", "sbom", "chart", "verify"]);
    let image = format!("{REGISTRY}/elasticache-user-operator@{IMAGE}");
    let chart = format!("{REGISTRY}/charts/elasticache-user-operator@{PACKAGE}");
    let one = |begin: &str| {
        let found: Vec<&String> = log.iter().filter(|line| line.starts_with(begin)).collect();
        assert_eq!(found.len(), 1, "{begin}: {log:#?}");
        found[0].clone()
    };
    let build = one("docker buildx build");
    for part in [
        "--platform linux/amd64",
        "--sbom=true",
        "--push",
        "--build-arg BUILD_IMAGE=docker.io/library/rust:1.95-bookworm@sha256:base",
        "--build-arg BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot@sha256:base",
        &format!("--tag {REGISTRY}/elasticache-user-operator:0.1.0"),
    ] {
        assert!(build.contains(part), "{part} is not in {build}");
    }
    assert_eq!(
        one("cosign sign --yes --rec"),
        format!("cosign sign --yes --recursive --key release.key {image}")
    );
    let attested = one("cosign attest --yes --type spdxjson");
    assert!(
        attested.ends_with(&format!("--key release.key {REGISTRY}/elasticache-user-operator@{AMD64}")),
        "{attested}"
    );
    assert_eq!(one("cosign sign --yes --key"), format!("cosign sign --yes --key release.key {chart}"));
    for reference in [&image, &chart] {
        assert!(log.contains(&format!("cosign verify --key release.key {reference}")), "{log:#?}");
    }

    let package = files.path().join("elasticache-user-operator-0.1.0.tgz");
    let helm = helm(Tool::Helm4);
    let mut template = helm.command();
    let rendered = run(template.args(["template", RELEASE]).arg(&package).args(LEAST)).unwrap();
    let objects = objects(&rendered).unwrap();
    let container = &the(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], image);
    assert!(
        read(&format!("{CHART}/values.yaml")).contains("\n  digest: \"\"\n"),
        "the checkout must stay as it is"
    );
}

#[test]
fn a_step_without_the_files_of_the_steps_before_it_says_what_to_run() {
    let files = tempfile::tempdir().unwrap();
    let mut publish = Command::new(path("deploy/release/publish"));
    let said = run(publish.args([REGISTRY, "sign"]).env("RELEASE_FILES", files.path())).unwrap_err();
    assert!(format!("{said:#}").contains("run the step image first"), "{said:#}");
}
