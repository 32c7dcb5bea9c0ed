//! All objects share one rate limiter. The tests check how it behaves if AWS throttles, and which calls go first if calls are scarce.

use std::time::{Duration, Instant};

use elasticache_emulator::Rule;
use serde_json::{Value, json};

use crate::fixture::{Fixture, Setup, iam, until};

/// The calls that AWS got while two hundred new users became Ready.
struct Run {
    answers: usize,
    refusals: usize,
    took: Duration,
}

impl Run {
    fn refused(&self) -> f64 {
        self.refusals as f64 / (self.answers + self.refusals) as f64
    }

    /// The time that AWS needs for these answers at this rate.
    fn least(&self, bears: u32) -> f64 {
        (self.answers as f64 - 10.0) / f64::from(bears)
    }
}

/// Creates two hundred users. AWS accepts `bears` calls a second with a burst of ten, and the operator has its defaults.
async fn two_hundred_users(bears: u32, concurrency: u32) -> Run {
    let env = vec![
        ("ELASTICACHE_USERS_PACE_DIVISOR", "1".to_owned()),
        ("ELASTICACHE_USERS_CONCURRENCY", concurrency.to_string()),
    ];
    let fixture = Fixture::without_operator(Setup { env, ..Setup::default() }).await;
    fixture.aws.settings(json!({ "rate": format!("{bears}:10") })).await;
    let names: Vec<String> = (0..200).map(|number| format!("user-{number:03}")).collect();
    for name in &names {
        fixture.create(name, iam()).await;
    }
    let began = Instant::now();
    fixture.start_with_sts();
    for name in &names {
        fixture.wait_ready(name).await;
    }
    let took = began.elapsed();
    let calls = fixture.aws.calls().await;
    let refusals = calls.iter().filter(|call| call["Code"] == "Throttling").count();
    fixture.end().await;
    Run { answers: calls.len() - refusals, refusals, took }
}

/// `THROTTLE=full` runs every rate and concurrency, and prints a table with `--nocapture`. That takes seven minutes on a machine that
/// does nothing else.
#[tokio::test]
async fn aws_throttles_few_calls_while_many_users_are_created() {
    let full = std::env::vars().any(|(name, value)| name == "THROTTLE" && value == "full");
    let rows = if full {
        vec![(3, 1), (3, 10), (3, 50), (5, 1), (5, 10), (5, 50), (7, 1), (7, 10), (7, 50)]
    } else {
        vec![(7, 10)]
    };
    for (bears, concurrency) in rows {
        let run = two_hundred_users(bears, concurrency).await;
        let (took, most) = (run.took.as_secs_f64(), 1.25 * run.least(bears));
        let claim = format!(
            "rate {bears}:10, concurrency {concurrency}: {} answers, {} refusals ({:.1} %), {took:.1} s of at most {most:.1} s",
            run.answers,
            run.refusals,
            run.refused() * 100.0,
        );
        println!("{claim}");
        // One call for each user, another look if CreateUser was refused, and one call of STS.
        assert!((201..=201 + run.refusals).contains(&run.answers), "{claim}");
        assert!(
            run.refusals > 0,
            "AWS was never asked for more than it bears, which proves nothing: {claim}"
        );
        assert!(run.refused() <= 0.1, "{claim}");
        assert!(!full || took <= most, "{claim}");
    }
}

/// The number of DescribeUsers calls about this user after the first `after` calls.
async fn looks(fixture: &Fixture, name: &str, after: usize) -> usize {
    let calls = fixture.aws.calls().await;
    let looks = calls.iter().skip(after).filter(|call| call["Action"] == "DescribeUsers");
    looks.filter(|call| call["Params"]["UserId"] == name).count()
}

/// A fixture whose operators have no rate limit, until a test sets one.
fn unlimited() -> Setup {
    let env = vec![
        ("ELASTICACHE_USERS_AWS_RATE", "1000".to_owned()),
        ("ELASTICACHE_USERS_AWS_BURST", "1000".to_owned()),
    ];
    Setup { env, ..Setup::default() }
}

/// AWS refuses to list users, so that the operator describes each user for a drift check.
fn unlisted() -> Rule {
    Rule::on("DescribeUsers").user("*").error("AccessDenied", 403).always()
}

fn slow(concurrency: u32) -> [(&'static str, String); 3] {
    let concurrency = concurrency.to_string();
    [
        ("ELASTICACHE_USERS_AWS_RATE", "4".to_owned()),
        ("ELASTICACHE_USERS_AWS_BURST", "1".to_owned()),
        ("ELASTICACHE_USERS_CONCURRENCY", concurrency),
    ]
}

#[tokio::test]
async fn deletions_are_served_before_the_checks_after_a_restart() {
    let fixture = Fixture::with(unlimited()).await;
    let names: Vec<String> = (0..20).map(|number| format!("idle-{number:02}")).collect();
    // Several objects, because a restarted operator begins with its objects in any order, and one might come first by chance.
    let leaving: Vec<String> = (0..5).map(|number| format!("leaving-{number}")).collect();
    for name in names.iter().chain(&leaving) {
        fixture.create(name, iam()).await;
    }
    for name in names.iter().chain(&leaving) {
        fixture.wait_ready(name).await;
    }
    fixture.kill();
    let versions = |name: &String| fixture.versions(name).len();
    let before: Vec<usize> = names.iter().map(versions).collect();
    for name in &leaving {
        fixture.delete(name).await;
    }
    let calls = fixture.aws.calls().await.len();
    fixture.aws.fault(unlisted()).await;
    fixture.start_with(&slow(1));
    for name in &leaving {
        fixture.gone(name).await;
    }
    let since: Vec<Value> = fixture.aws.calls().await.split_off(calls);
    let deleted = since.iter().rposition(|call| call["Action"] == "DeleteUser").unwrap();
    let is_check = |call: &&Value| {
        let id = call["Params"]["UserId"].as_str().unwrap_or_default();
        call["Action"] == "DescribeUsers" && id.starts_with("idle-")
    };
    let checks = since[..deleted].iter().filter(is_check).count();
    // On a busy machine a check may find a permit while a deletion writes its status. If checks waited in the only slot, all
    // twenty would go first.
    assert!(checks <= names.len() / 2, "{checks} checks went before the deletions: {since:#?}");
    for name in &names {
        until(&format!("{name} is checked"), async || looks(&fixture, name, calls).await > 0).await;
    }
    let after: Vec<usize> = names.iter().map(versions).collect();
    assert_eq!(after, before, "a check, with a token or without, writes nothing");
    fixture.end().await;
}

#[tokio::test]
async fn a_drift_check_that_has_begun_ends_although_changes_wait() {
    let fixture = Fixture::with(unlimited()).await;
    fixture.ready("app", iam()).await;
    fixture.kill();
    fixture.aws.put_user("app", json!({ "AccessString": "on ~* -@all +@read" })).await;
    // A permit comes every 250 ms, so no second permit is there when the first call has been answered.
    fixture.start_with(&slow(1));
    until("the drift is put right", async || fixture.aws.accepted("ModifyUser", "app").await == 1).await;
    fixture.end().await;
}

#[tokio::test]
async fn drift_checks_get_their_turn_although_changes_never_end() {
    let fixture = Fixture::with(unlimited()).await;
    let names: Vec<String> = (0..3).map(|number| format!("idle-{number}")).collect();
    for name in &names {
        fixture.ready(name, iam()).await;
    }
    // The operator describes these users more often than there are permits, because each may be gone at any time.
    for number in 0..10 {
        let name = format!("waiting-{number}");
        fixture.aws.put_user(&name, json!({ "Status": "deleting" })).await;
        fixture.create(&name, iam()).await;
        fixture.reason(&name, "WaitingForPreviousUser").await;
    }
    fixture.kill();
    let calls = fixture.aws.calls().await.len();
    fixture.aws.fault(unlisted()).await;
    let [rate, burst, concurrency] = slow(20);
    fixture.start_with(&[rate, burst, concurrency, ("ELASTICACHE_USERS_RESYNC", "5s".to_owned())]);
    for name in &names {
        until(&format!("{name} is checked"), async || looks(&fixture, name, calls).await > 0).await;
    }
    fixture.end().await;
}
