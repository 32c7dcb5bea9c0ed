//! What AWS lacks, or does not allow.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::check;
use crate::fixture::{Fixture, Setup, iam};

/// A fault that lasts.
fn always(action: Value, kind: &Value) -> Value {
    let mut rule = json!({ "Action": action, "Times": null });
    rule.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
    rule
}

fn error(code: &str, status: u16) -> Value {
    json!({ "Kind": "error", "Code": code, "Message": "Because.", "Status": status })
}

#[tokio::test]
async fn what_the_configuration_lacks_is_told() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let answer = check(&fixture, &[], &[("AWS_REGION", "")]).await;
    answer.says("no region", "aws-region", "failed", "No AWS region", "AWS_REGION=");
    assert!(answer.find("aws-describe-users").is_none(), "{}", answer.page);

    let none = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("HOME", "/nonexistent")];
    let answer = check(&fixture, &[], &none).await;
    answer.says("no credentials", "aws-credentials", "failed", "No AWS credentials provider", "IRSA");

    let failing = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/operator"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token"),
    ];
    let answer = check(&fixture, &[], &failing).await;
    answer.says(
        "a failing provider",
        "aws-credentials",
        "failed",
        "provider that is configured fails",
        "IRSA",
    );
    assert!(answer.find("aws-identity").is_none(), "{}", answer.page);
    assert_eq!(fixture.aws.calls().await.len(), 0, "nothing was asked of AWS");
}

#[tokio::test]
async fn what_aws_does_not_allow_is_told() {
    let fixture = Fixture::new().await;
    fixture.ready("app", iam()).await;
    let denied = error("AccessDenied", 403);
    let rows: [(&str, Value, &Value, &str, &str, &str, &str); 5] = [
        (
            "reads",
            json!("DescribeUsers"),
            &denied,
            "aws-describe-users",
            "failed",
            "elasticache:DescribeUsers is not allowed. AccessDenied: Because.",
            "deploy/iam/policy.json",
        ),
        (
            "tags",
            json!("ListTagsForResource"),
            &denied,
            "aws-list-tags",
            "failed",
            "elasticache:ListTagsForResource is not allowed.",
            "deploy/iam/policy.json",
        ),
        (
            "who it is",
            json!("GetCallerIdentity"),
            &denied,
            "aws-identity",
            "warning",
            "STS refuses",
            "sts:GetCallerIdentity",
        ),
        (
            "unknown keys",
            Value::Null,
            &error("InvalidClientTokenId", 403),
            "aws-identity",
            "failed",
            "does not accept the credentials",
            "get-caller-identity",
        ),
        (
            "too many calls",
            json!("DescribeUsers"),
            &json!({ "Kind": "throttle" }),
            "aws-describe-users",
            "warning",
            "throttles",
            "--aws-rate",
        ),
    ];
    for (claim, action, kind, row, status, message, fix) in rows {
        fixture.aws.fault(always(action, kind)).await;
        check(&fixture, &[], &[]).await.says(claim, row, status, message, fix);
        fixture.aws.clear_faults().await;
    }
    fixture.end().await;
}

#[tokio::test]
async fn an_aws_that_hangs_is_told_in_bounded_time() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let hang = json!({ "Kind": "hang", "Ms": 120_000 });
    fixture.aws.fault(always(Value::Null, &hang)).await;
    let began = Instant::now();
    let answer = check(&fixture, &[], &[("AWS_CALL_TIMEOUT", "1s")]).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for row in ["aws-identity", "aws-describe-users"] {
        answer.says("silence", row, "failed", "TimedOut", "HTTPS");
    }
    assert_eq!(answer.with("failed").len(), 2, "{}", answer.page);
}

#[tokio::test]
async fn a_user_that_the_policy_covers_is_asked_for() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    check(&fixture, &[], &[]).await;
    check(&fixture, &["--required-user-id-prefix", "team-{namespace}-"], &[("NAMESPACE", "shop")]).await;
    let calls = fixture.aws.calls().await;
    let asked = calls.iter().filter(|call| call["Action"] == "DescribeUsers");
    let ids: Vec<&Value> = asked.map(|call| &call["Params"]["UserId"]).collect();
    assert_eq!(ids, ["default", "team-shop-check"]);
}

#[tokio::test]
async fn another_account_or_region_than_the_users_is_told() {
    let fixture = Fixture::new().await;
    fixture.ready("app", iam()).await;
    let region = check(&fixture, &[], &[("AWS_REGION", "eu-west-1")]).await;
    region.says(
        "another region",
        "aws-location",
        "failed",
        "region eu-west-1, which the operator calls",
        "AWS_REGION=us-east-1",
    );
    let account = check(&fixture, &[], &[("AWS_ACCESS_KEY_ID", "210987654321")]).await;
    account.says("another account", "aws-location", "failed", "account 210987654321", "123456789012");
    fixture.end().await;
}

#[tokio::test]
async fn a_wrong_clock_is_told_with_whose_it_is() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // AWS, ten minutes ago.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // All of it: what is left unread resets the connection, the answer with it.
            let mut request = Vec::new();
            while !request.ends_with(b"2011-06-15") && !request.ends_with(b"UserId=default") {
                let mut part = [0; 8192];
                let Ok(length @ 1..) = stream.read(&mut part) else { break };
                request.extend_from_slice(&part[..length]);
            }
            let past = jiff::Timestamp::now() - Duration::from_secs(600);
            let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&past).unwrap();
            let answer = format!(
                "HTTP/1.1 403 Forbidden\r\nDate: {date}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let env = [("AWS_ENDPOINT_URL", url.as_str()), ("AWS_ENDPOINT_URL_ELASTICACHE", url.as_str())];
    let answer = check(&fixture, &[], &env).await;
    let agrees = "The API server's clock agrees with this machine's.";
    answer.says("AWS is behind", "clock-aws", "failed", agrees, "chronyc");
    answer.says("AWS is behind", "clock-aws", "failed", "ahead of AWS's", "");
    assert_eq!(answer.row("clock-api-server")["status"], "ok");
}
