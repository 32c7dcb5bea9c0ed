//! `check` reports what AWS does not allow, and what the configuration for AWS lacks.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::http::header::DATE;
use elasticache_emulator::Rule;
use serde_json::Value;

use super::check;
use crate::fixture::{Fixture, Setup, iam};
use crate::http_server;

#[tokio::test]
async fn check_reports_a_missing_region_and_missing_credentials() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let answer = check(&fixture, &[], &[("AWS_REGION", "")]).await;
    answer.fails("aws-region", "No AWS region", "AWS_REGION=");
    assert!(answer.find("aws-describe-users").is_none(), "{}", answer.page);

    let none = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("HOME", "/nonexistent")];
    let answer = check(&fixture, &[], &none).await;
    answer.fails("aws-credentials", "No AWS credentials provider", "IRSA");

    let failing = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/operator"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token"),
    ];
    let answer = check(&fixture, &[], &failing).await;
    answer.fails("aws-credentials", "provider that is configured fails", "IRSA");
    assert!(answer.find("aws-identity").is_none(), "{}", answer.page);
    assert_eq!(fixture.aws.calls().await.len(), 0, "nothing was asked of AWS");
}

#[tokio::test]
async fn check_reports_the_calls_that_aws_denies() {
    let fixture = Fixture::new().await;
    fixture.ready("app", iam()).await;
    let denied = |action| Rule::on(action).error("AccessDenied", 403).message("Because.").always();
    let after = async |fault: Rule| {
        fixture.aws.fault(fault).await;
        let answer = check(&fixture, &[], &[]).await;
        fixture.aws.clear_faults().await;
        answer
    };
    let answer = after(denied("DescribeUsers")).await;
    let message = "elasticache:DescribeUsers is not allowed. AccessDenied: Because.";
    answer.fails("aws-describe-users", message, "deploy/iam/policy.json");
    let answer = after(denied("ListTagsForResource")).await;
    let message = "elasticache:ListTagsForResource is not allowed.";
    answer.fails("aws-list-tags", message, "deploy/iam/policy.json");
    let answer = after(denied("DescribeUserGroups")).await;
    answer.fails(
        "aws-user-groups",
        "elasticache:DescribeUserGroups is not allowed.",
        "deploy/iam/user-groups.json",
    );
    let answer = after(denied("GetCallerIdentity")).await;
    answer.warns("aws-identity", "STS refuses", "sts:GetCallerIdentity");
    let answer = after(Rule::any().error("InvalidClientTokenId", 403).always()).await;
    answer.fails("aws-identity", "does not accept the credentials", "get-caller-identity");
    let answer = after(Rule::on("DescribeUsers").throttle().always()).await;
    answer.warns("aws-describe-users", "throttles", "--aws-rate");
    fixture.end().await;
}

#[tokio::test]
async fn check_reports_in_bounded_time_that_aws_does_not_answer() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    fixture.aws.fault(Rule::any().hang().always()).await;
    let began = Instant::now();
    let answer = check(&fixture, &[], &[("ELASTICACHE_USERS_AWS_CALL_TIMEOUT", "1s")]).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for row in ["aws-identity", "aws-describe-users", "aws-user-groups"] {
        answer.fails(row, "TimedOut", "HTTPS");
    }
    assert_eq!(answer.with("failed").len(), 3, "{}", answer.page);
}

#[tokio::test]
async fn check_describes_a_user_that_the_iam_policy_covers() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    check(&fixture, &[], &[]).await;
    check(
        &fixture,
        &["--required-user-id-prefix", "team-{namespace}-"],
        &[("ELASTICACHE_USERS_NAMESPACE", "shop")],
    )
    .await;
    let calls = fixture.aws.calls().await;
    let asked = calls.iter().filter(|call| call["Action"] == "DescribeUsers");
    let ids: Vec<&Value> = asked.map(|call| &call["Params"]["UserId"]).collect();
    assert_eq!(ids, ["default", "team-shop-check"]);
}

#[tokio::test]
async fn check_reports_another_account_or_region_than_that_of_the_users() {
    let fixture = Fixture::new().await;
    fixture.ready("app", iam()).await;
    let region = check(&fixture, &[], &[("AWS_REGION", "eu-west-1")]).await;
    region.fails("aws-location", "region eu-west-1, which the operator calls", "AWS_REGION=us-east-1");
    let account = check(&fixture, &[], &[("AWS_ACCESS_KEY_ID", "210987654321")]).await;
    account.fails("aws-location", "account 210987654321", "123456789012");
    fixture.end().await;
}

#[tokio::test]
async fn check_reports_a_wrong_clock_and_whose_it_is() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let url = http_server::serve(|| {
        let ten_minutes_ago = jiff::Timestamp::now() - Duration::from_secs(600);
        let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
        let date = printer.timestamp_to_rfc9110_string(&ten_minutes_ago).unwrap();
        (StatusCode::FORBIDDEN, [(DATE, date)])
    });
    let env = [("AWS_ENDPOINT_URL", url.as_str()), ("AWS_ENDPOINT_URL_ELASTICACHE", url.as_str())];
    let answer = check(&fixture, &[], &env).await;
    let agrees = "The API server's clock agrees with this machine's.";
    answer.fails("clock-aws", agrees, "chronyc");
    answer.fails("clock-aws", "ahead of AWS's", "");
    assert_eq!(answer.row("clock-api-server")["status"], "ok");
}
