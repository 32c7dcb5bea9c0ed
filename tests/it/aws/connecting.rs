//! The SDK's standard sources of region, endpoint and credentials. Each row runs in a process of its own, with its own environment.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws::{Aws, Timeouts, UserApi};
use axum::http::StatusCode;
use elasticache_emulator::{Emulator, Settings};
use elasticache_user_operator::config::credentials_provider;

use super::emulator_fixture::{nobody_listens, silent_server, user_id};
use crate::http_server;

/// Variables and their values.
type Environment<'a> = &'a [(&'a str, &'a str)];

const MARK: &str = "the port says: ";
const NO_REGION: &str = "No AWS region is configured: set AWS_REGION.";
const NO_CREDENTIALS: &str = "No AWS credentials provider is configured: give the ServiceAccount an IAM role (IRSA or EKS Pod Identity), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.";

/// Runs in the other process: connects, describes a user, and prints the result.
#[tokio::test]
#[ignore = "the other process of the tests in this file"]
async fn other_process() {
    match Aws::connect(Timeouts::default()).await {
        Err(error) => println!("{MARK}{error}"),
        Ok((aws, region)) => {
            let aws = aws.with_provider(&credentials_provider());
            println!("{MARK}{region} {:?}", aws.describe(&user_id("app")).await.0);
        }
    }
}

/// What the other process prints with exactly this environment.
fn with(environment: Environment<'_>) -> String {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "aws::connecting::other_process", "--ignored", "--nocapture"])
        .env_clear()
        .env("HOME", "/nonexistent")
        .envs(environment.iter().copied())
        .output()
        .expect("the other process");
    let text = String::from_utf8_lossy(&output.stdout);
    let said = text.lines().find_map(|line| line.split_once(MARK)).map(|(_, said)| said.to_owned());
    said.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

const REGION: (&str, &str) = ("AWS_REGION", "eu-west-1");
const NO_IMDS: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");
const KEY: (&str, &str) = ("AWS_ACCESS_KEY_ID", "111122223333");
const SECRET: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", "secret");

#[test]
fn without_a_region_or_credentials_the_error_is_one_sentence() {
    let closed = nobody_listens();
    let imds = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", closed.as_str());
    let rows: [(&str, Environment<'_>, &str); 7] = [
        ("nothing at all", &[NO_IMDS], NO_REGION),
        ("credentials alone", &[NO_IMDS, KEY, SECRET], NO_REGION),
        ("an empty region", &[NO_IMDS, KEY, SECRET, ("AWS_REGION", "")], NO_REGION),
        ("a region alone", &[NO_IMDS, REGION], NO_CREDENTIALS),
        ("half of a key", &[NO_IMDS, REGION, SECRET], NO_CREDENTIALS),
        ("a profile that is not there", &[NO_IMDS, REGION, ("AWS_PROFILE", "ops")], NO_CREDENTIALS),
        ("an instance's metadata that nobody serves", &[REGION, imds], NO_CREDENTIALS),
    ];
    for (claim, environment, said) in rows {
        assert_eq!(with(environment), said, "{claim}");
    }
}

#[test]
fn an_instance_metadata_service_that_never_answers_counts_as_no_credentials() {
    let (_silent, url) = silent_server();
    let began = Instant::now();
    let said = with(&[REGION, ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]);
    assert_eq!(said, NO_CREDENTIALS);
    assert!(began.elapsed() < Duration::from_secs(15), "it took {:?}", began.elapsed());
}

#[test]
fn the_endpoint_and_the_credentials_come_from_the_sdks_usual_sources() {
    let emulator = Emulator::start(Settings::default(), "127.0.0.1:0").expect("an emulator");
    let url = emulator.url();
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config");
    let profile = format!(
        "[default]\nregion = eu-west-1\naws_access_key_id = 111122223333\naws_secret_access_key = secret\nendpoint_url = {url}\n"
    );
    std::fs::write(&config, profile).expect("a profile");
    let config = config.to_str().expect("a path");
    let rows: [(&str, Environment<'_>); 3] = [
        ("for ElastiCache alone", &[NO_IMDS, REGION, KEY, SECRET, ("AWS_ENDPOINT_URL_ELASTICACHE", &url)]),
        ("for every service", &[NO_IMDS, REGION, KEY, SECRET, ("AWS_ENDPOINT_URL", &url)]),
        ("all from a profile", &[NO_IMDS, ("AWS_CONFIG_FILE", config)]),
    ];
    for (claim, environment) in rows {
        assert_eq!(with(environment), "eu-west-1 Absent", "{claim}");
    }
}

#[test]
fn a_credentials_provider_that_fails_does_not_prevent_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "token").expect("a token");
    let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().expect("a path"));
    let role = ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/operator");
    let closed = nobody_listens();
    let sts = refusing_sts();
    let sts_at = |url| [token, role, ("AWS_ENDPOINT_URL_STS", url)];
    let no_token = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent"), role];
    let pod_identity = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*closed)];
    let odd_profile = [("AWS_CONFIG_FILE", "/dev/zero/x"), role, token, ("AWS_ENDPOINT_URL_STS", &*closed)];
    let refusal = "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity.";
    let irsa = format!("{}={}", token.0, token.1);
    let profile = format!("AWS_CONFIG_FILE=/dev/zero/x, {irsa}");
    let missing = "AWS_WEB_IDENTITY_TOKEN_FILE=/nonexistent";
    let pod = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    let rows: [(&str, Environment<'_>, &str, &str); 5] = [
        ("IRSA without its token", &no_token, missing, "No such file or directory (os error 2)."),
        ("IRSA with an STS that is away", &sts_at(&closed), &irsa, "Connection refused"),
        ("IRSA with an STS that refuses", &sts_at(&sts), &irsa, refusal),
        ("Pod Identity that is away", &pod_identity, pod, "Connection refused"),
        ("a profile that makes no sense", &odd_profile, &profile, "Connection refused"),
    ];
    for (claim, environment, provider, why) in rows {
        let said = with(&[&[NO_IMDS, REGION], environment].concat());
        let begin = format!(
            "eu-west-1 Failed(Credentials(AwsError {{ code: \"NoCredentials\", message: \"the provider gave none ({provider}): "
        );
        assert!(said.starts_with(&begin), "{claim}: {said}");
        assert!(said.contains(why), "{claim}: {said}");
        assert!(!said.contains("127.0.0.1"), "{claim}: {said}");
    }
}

/// An STS that denies every call, each time with another request ID.
fn refusing_sts() -> String {
    let serial = Arc::new(AtomicUsize::new(0));
    http_server::serve(move || {
        let serial = serial.fetch_add(1, Ordering::Relaxed);
        let body = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message>\
             </Error><RequestId>{serial}</RequestId></ErrorResponse>"
        );
        (StatusCode::FORBIDDEN, body)
    })
}
