//! `kubectl wait` and `helm --wait` wait until an object is done. They must end when AWS matches the spec, neither before nor long
//! after. If the object needs a person, they must not run until their time-out.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use chart::Helm;
use cluster::Tool;
use elasticache_emulator::Settings;
use serde_json::json;

use crate::control_plane;
use crate::fixture::{Fixture, Setup, iam, manifest};
use crate::secrecy::redacted;

/// The time-out of the commands. Nothing in these tests takes that long.
const TIMEOUT: &str = "--timeout=90s";
/// The full name of the object, because other tests have kinds of the same name in other groups.
const APP: &str = "elasticacheusers.elasticache-users.dev/app";
/// A time that is much shorter than the time-out.
const SOON: Duration = Duration::from_secs(45);

/// A fixture whose AWS applies every change slowly.
async fn slow() -> Fixture {
    let time = Duration::from_millis(1500);
    let aws = Settings { create_time: time, modify_time: time, delete_time: time, ..Settings::default() };
    Fixture::with(Setup { aws, ..Setup::default() }).await
}

/// How a command ended, and its output.
struct Ended {
    well: bool,
    said: String,
    after: Duration,
}

async fn ended(command: Command) -> Ended {
    let begun = Instant::now();
    let Output { status, stdout, stderr } = control_plane::output(command).await;
    let said = redacted(&String::from_utf8_lossy(&[stdout, stderr].concat()));
    Ended { well: status.success(), said, after: begun.elapsed() }
}

async fn succeeds(command: Command) {
    let ended = ended(command).await;
    assert!(ended.well && ended.after < SOON, "after {:?}: {}", ended.after, ended.said);
}

/// Helm in the fixture's namespace.
fn helm(fixture: &Fixture, helm: &Helm, arguments: &[&str]) -> Command {
    let mut command = helm.command();
    command
        .env("KUBECONFIG", control_plane::shared().kubeconfig())
        .args(["--namespace", &fixture.ns])
        .args(arguments);
    command
}

/// A chart with one object, whose access string is a value.
fn shop(home: &Path) -> String {
    let chart = home.join("chart");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    let about = "apiVersion: v2\nname: shop\nversion: 0.1.0\n";
    std::fs::write(chart.join("Chart.yaml"), about).unwrap();
    let mut spec = iam();
    spec["accessString"] = json!("{{ .Values.access }}");
    // JSON is YAML.
    std::fs::write(chart.join("templates/user.yaml"), manifest("app", spec).to_string()).unwrap();
    chart.to_str().unwrap().to_owned()
}

/// Checks that AWS has this access string now.
async fn is_in_aws(fixture: &Fixture, access: &str) {
    let user = fixture.aws.user("app").await.expect("a user");
    assert_eq!((&user["Status"], &user["AccessString"]), (&json!("active"), &json!(access)));
}

#[tokio::test]
async fn kubectl_wait_returns_when_aws_matches_the_spec() {
    let fixture = slow().await;
    let ready = ["wait", "--for=condition=Ready", APP, TIMEOUT];
    fixture.create("app", iam()).await;
    succeeds(fixture.kubectl(&ready)).await;
    is_in_aws(&fixture, "on ~* +@all").await;
    // The object was Ready before the edit, and must not count as Ready for the edit.
    let edit = json!({ "spec": { "accessString": "on ~x:* +@all" } }).to_string();
    succeeds(fixture.kubectl(&["patch", APP, "--type=merge", "--patch", &edit])).await;
    succeeds(fixture.kubectl(&ready)).await;
    is_in_aws(&fixture, "on ~x:* +@all").await;
    succeeds(fixture.kubectl(&["delete", APP, "--wait=false"])).await;
    succeeds(fixture.kubectl(&["wait", "--for=delete", APP, TIMEOUT])).await;
    assert_eq!(fixture.aws.user("app").await, None);
    fixture.end().await;
}

#[tokio::test]
async fn helm_wait_returns_when_aws_matches_the_spec() {
    let fixture = slow().await;
    let program = Helm::new(Tool::Helm4).unwrap();
    let chart = shop(program.home());
    let release = |verb: &str, access: &str| {
        let set = format!("--set=access={access}");
        helm(&fixture, &program, &[verb, "shop", &chart, &set, "--wait", TIMEOUT])
    };
    succeeds(release("install", "on ~* +@all")).await;
    is_in_aws(&fixture, "on ~* +@all").await;
    succeeds(release("upgrade", "on ~x:* +@all")).await;
    is_in_aws(&fixture, "on ~x:* +@all").await;
    succeeds(helm(&fixture, &program, &["uninstall", "shop", "--wait", TIMEOUT])).await;
    assert_eq!(fixture.aws.user("app").await, None);
    fixture.end().await;
}

#[tokio::test]
async fn helm_wait_fails_at_once_if_an_object_needs_a_person() {
    let fixture = Fixture::with(Setup::leaving_users()).await;
    let program = Helm::new(Tool::Helm4).unwrap();
    let chart = shop(program.home());
    let install = ["install", "shop", &chart, "--set=access=on ~* +@nonsense", "--wait", TIMEOUT];
    let ended = ended(helm(&fixture, &program, &install)).await;
    assert!(!ended.well && ended.after < SOON, "after {:?}: {}", ended.after, ended.said);
    assert!(ended.said.contains("app") && ended.said.contains("Failed"), "{}", ended.said);
    fixture.reason("app", "InvalidAccessString").await;
    fixture.deleted("app").await;
    fixture.end().await;
}
