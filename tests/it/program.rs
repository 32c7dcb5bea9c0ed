//! How the operator's process starts, what it serves over HTTP, and how it ends.

use std::process::{Command, Output};

use cluster::Signal;
use elasticache_emulator::Rule;

use crate::control_plane;
use crate::fixture::{Fixture, Setup, iam, until};
use crate::load::unlimited;

/// Checks that the command fails at once, and prints one sentence with these words.
fn refuses(claim: &str, command: &mut Command, says: &str) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    let last = stderr.lines().last().unwrap_or_default();
    assert!(!status.success(), "{claim}: {status}");
    assert!(last.contains(says), "{claim}: {stderr}");
}

#[tokio::test]
async fn the_operator_does_not_start_without_its_configuration() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let run = tokio::task::spawn_blocking(move || {
        refuses(
            "no cluster",
            fixture.command().env_remove("KUBECONFIG").env("HOME", "/nonexistent"),
            "no Kubernetes cluster is configured: set KUBECONFIG",
        );
        refuses(
            "a kubeconfig that is not there",
            fixture.command().env("KUBECONFIG", "/nonexistent/mistyped"),
            "the kubeconfig /nonexistent/mistyped cannot be read: No such file",
        );
        let broken = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(broken.path(), "users: {token: hidden").unwrap();
        let mut command = fixture.command();
        command.env("KUBECONFIG", broken.path());
        refuses("a broken kubeconfig", &mut command, "the kubeconfig is not valid YAML: set KUBECONFIG");
        refuses("no region", fixture.command().env_remove("AWS_REGION"), "AWS_REGION");
        let bare = |command: &mut Command| {
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        };
        let mut command = fixture.command();
        bare(&mut command);
        refuses("no credentials", &mut command, "credentials");
        refuses("a bad filter", fixture.command().env("ELASTICACHE_USERS_LOG", "a=b=c"), "--log");
        let mut taken = fixture.command();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        taken.env("ELASTICACHE_USERS_HTTP_ADDR", listener.local_addr().unwrap().to_string());
        refuses("an address in use", &mut taken, "--http-addr");
        refuses(
            "no certificate",
            fixture.command().env("ELASTICACHE_USERS_METRICS_SECURE", "true"),
            "needs --metrics-cert-dir",
        );
        let mut absent = fixture.command();
        absent
            .env("ELASTICACHE_USERS_METRICS_SECURE", "true")
            .env("ELASTICACHE_USERS_METRICS_CERT_DIR", "/nonexistent");
        refuses("a certificate that is not there", &mut absent, "cannot read /nonexistent/tls.crt");
    });
    run.await.unwrap();
}

/// Ends at once, non-zero, and prints nothing else than one sentence that says this.
fn refuses_in_one_line(claim: &str, command: &mut Command, says: &str) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(!status.success(), "{claim}: {status}");
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(matches!(lines.as_slice(), [line] if line.contains(says)), "{claim}: {stderr}");
}

#[tokio::test]
async fn an_api_server_that_does_not_answer_at_the_start_is_reported_in_one_sentence() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let run = tokio::task::spawn_blocking(move || {
        // Whoever connects gets no answer.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let silent_server = format!("http://{}", silent.local_addr().unwrap());
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let closed_server = format!("http://{closed}");
        for (claim, server, cluster_id, says) in [
            ("nobody listens", &closed_server, None, "the API server does not answer: Connection refused"),
            ("nobody answers", &silent_server, None, "the API server does not answer"),
            (
                "nobody answers, and the cluster's ID is known",
                &silent_server,
                Some("here"),
                "the API server does not answer",
            ),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), control_plane::kubeconfig(server)).unwrap();
            let mut command = fixture.command();
            command.env("KUBECONFIG", file.path()).env("ELASTICACHE_USERS_KUBERNETES_TIMEOUT", "1s");
            // The log level that people have.
            command.env_remove("ELASTICACHE_USERS_LOG");
            command.envs(cluster_id.map(|id| ("ELASTICACHE_USERS_CLUSTER_ID", id)));
            refuses_in_one_line(claim, &mut command, says);
        }
    });
    run.await.unwrap();
}

#[tokio::test]
async fn the_operator_does_not_start_without_the_crd() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let cluster = control_plane::bare().await;
    let mut command = fixture.command();
    command.env("KUBECONFIG", cluster.kubeconfig());
    refuses("no CRD", &mut command, "crd | kubectl apply");
}

/// The address that the newest operator has logged.
async fn address(fixture: &Fixture) -> String {
    until("the address in the log", || async {
        let logs = fixture.logs();
        support::operator::address(&logs).map(|address| format!("http://{address}"))
    })
    .await
}

#[tokio::test]
async fn the_operator_serves_health_and_metrics() {
    let fixture = Fixture::new().await;
    let address = address(&fixture).await;
    let http = reqwest::Client::new();
    until("ready", || async {
        let answer = http.get(format!("{address}/readyz")).send().await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    assert!(http.get(format!("{address}/livez")).send().await.unwrap().status().is_success());
    fixture.ready("app", iam()).await;
    // The first pass is counted when it ends, a moment after its status write.
    let page = until("the metrics", || async {
        let page = http.get(format!("{address}/metrics")).send().await.ok()?.text().await.ok()?;
        let names =
            ["controller_runtime_reconcile_total{", "aws_api_calls_total{", "elasticache_user_build_info{"];
        names.iter().all(|name| page.contains(name)).then_some(page)
    })
    .await;
    assert!(page.contains("operation=\"CreateUser\""), "{page}");
    fixture.end().await;
}

#[tokio::test]
async fn on_sigterm_the_operator_ends_after_the_running_call() {
    let fixture = Fixture::new().await;
    let slow = fixture.aws.fault(Rule::on("CreateUser").slow(1500)).await;
    fixture.create("app", iam()).await;
    fixture.aws.struck(slow, 1).await;
    let asked = std::time::Instant::now();
    fixture.signal(Signal::TERM);
    assert_eq!(fixture.exit_code().await, Some(0));
    assert!(asked.elapsed() < std::time::Duration::from_secs(10));
    // Status has the outcome of the call, so the call was not cut.
    fixture.wait_ready("app").await;
    fixture.end().await;
}

#[tokio::test]
async fn on_sigterm_a_call_that_hangs_is_cut() {
    let fixture = Fixture::new().await;
    let hang = Rule::on("CreateUser").hang().after();
    let hang = fixture.aws.fault(hang).await;
    fixture.create("app", iam()).await;
    fixture.aws.struck(hang, 1).await;
    let asked = std::time::Instant::now();
    fixture.signal(Signal::TERM);
    assert_eq!(fixture.exit_code().await, Some(0));
    assert!(asked.elapsed() < std::time::Duration::from_secs(10), "{:?}", asked.elapsed());
    fixture.start();
    fixture.wait_ready("app").await;
    assert_eq!(fixture.aws.calls_of("CreateUser", "app").await.len(), 1);
    fixture.end().await;
}

#[tokio::test]
async fn on_sigterm_a_pass_that_waits_for_the_rate_limit_ends_without_its_call() {
    // The permit for the second CreateUser comes 20 s after the permit for the first.
    let fixture = Fixture::with(Setup::env(&[
        ("ELASTICACHE_USERS_AWS_RATE", "0.05"),
        ("ELASTICACHE_USERS_AWS_BURST", "1"),
    ]))
    .await;
    fixture.ready("first", iam()).await;
    fixture.create("app", iam()).await;
    until("the pass waits for another token", async || fixture.logs().matches("AcquireToken").count() >= 2)
        .await;
    let (calls, asked) = (fixture.aws.calls().await.len(), std::time::Instant::now());
    fixture.signal(Signal::TERM);
    assert_eq!(fixture.exit_code().await, Some(0));
    assert!(asked.elapsed() < std::time::Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(fixture.aws.calls().await.len(), calls);
    assert!(!fixture.logs().contains("cutting what did not finish"), "nobody waits for the token");
    fixture.start_with(&unlimited());
    fixture.wait_ready("app").await;
    fixture.end().await;
}
