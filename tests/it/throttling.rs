//! The limiter that all objects share, in front of an AWS that throttles, and what goes first where calls are scarce.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stage::{Setting, Stage, iam, until};

/// What AWS saw while a hundred new users became Ready.
struct Run {
    answers: usize,
    refusals: usize,
    took: Duration,
}

impl Run {
    fn refused(&self) -> f64 {
        self.refusals as f64 / (self.answers + self.refusals) as f64
    }

    /// The time that AWS itself needs for these answers.
    fn least(&self, bears: u32) -> f64 {
        (self.answers as f64 - 10.0) / f64::from(bears)
    }
}

/// A hundred new users with AWS at `bears` calls a second and a burst of ten, and the operator at its defaults.
async fn a_hundred_users(bears: u32, concurrency: u32) -> Run {
    let env = vec![("PACE_DIVISOR", "1".to_owned()), ("CONCURRENCY", concurrency.to_string())];
    let stage = Stage::dark(Setting { env, ..Setting::default() }).await;
    stage.aws.settings(json!({ "rate": format!("{bears}:10") })).await;
    let names: Vec<String> = (0..100).map(|number| format!("user-{number:02}")).collect();
    for name in &names {
        stage.create(name, iam()).await;
    }
    let began = Instant::now();
    stage.start();
    for name in &names {
        stage.is_ready(name).await;
    }
    let took = began.elapsed();
    let calls = stage.aws.calls().await;
    let refusals = calls.iter().filter(|call| call["Code"] == "Throttling").count();
    stage.end().await;
    Run { answers: calls.len() - refusals, refusals, took }
}

/// Every rate and concurrency that the claim is made for is only run where `THROTTLE=full` asks for it, with `--nocapture` for
/// the table: it takes seven minutes of a machine that does nothing else.
#[tokio::test]
async fn a_hundred_users_cost_few_refusals() {
    let full = std::env::vars().any(|(name, value)| name == "THROTTLE" && value == "full");
    let rows = if full {
        vec![(3, 1), (3, 10), (3, 50), (5, 1), (5, 10), (5, 50), (7, 1), (7, 10), (7, 50)]
    } else {
        vec![(7, 10)]
    };
    for (bears, concurrency) in rows {
        let run = a_hundred_users(bears, concurrency).await;
        let (took, most) = (run.took.as_secs_f64(), 1.25 * run.least(bears));
        let claim = format!(
            "rate {bears}:10, concurrency {concurrency}: {} answers, {} refusals ({:.1} %), {took:.1} s of at most {most:.1} s",
            run.answers,
            run.refusals,
            run.refused() * 100.0,
        );
        println!("{claim}");
        // Two calls for each user, and another look where CreateUser was refused.
        assert!((200..=200 + run.refusals).contains(&run.answers), "{claim}");
        assert!(
            run.refusals > 0,
            "AWS was never asked for more than it bears, which proves nothing: {claim}"
        );
        assert!(run.refused() <= 0.1, "{claim}");
        assert!(!full || took <= most, "{claim}");
    }
}

/// An object that is Ready was looked at again after this many calls.
async fn looks(stage: &Stage, name: &str, after: usize) -> usize {
    let calls = stage.aws.calls().await;
    let looks = calls.iter().skip(after).filter(|call| call["Action"] == "DescribeUsers");
    looks.filter(|call| call["Params"]["UserId"] == name).count()
}

/// Operators of a stage that are as fast as can be until they are slowed down on purpose.
fn unlimited() -> Setting {
    let env = vec![("AWS_RATE", "1000".to_owned()), ("AWS_BURST", "1000".to_owned())];
    Setting { env, ..Setting::default() }
}

fn slow(concurrency: u32) -> [(&'static str, String); 3] {
    let concurrency = concurrency.to_string();
    [("AWS_RATE", "4".to_owned()), ("AWS_BURST", "1".to_owned()), ("CONCURRENCY", concurrency)]
}

#[tokio::test]
async fn deletions_go_before_the_checks_of_a_restart() {
    let stage = Stage::set(unlimited()).await;
    let names: Vec<String> = (0..20).map(|number| format!("idle-{number:02}")).collect();
    // Several: a restarted operator begins with its objects in any order, and one might come first by chance.
    let leaving: Vec<String> = (0..5).map(|number| format!("leaving-{number}")).collect();
    for name in names.iter().chain(&leaving) {
        stage.create(name, iam()).await;
    }
    for name in names.iter().chain(&leaving) {
        stage.is_ready(name).await;
    }
    stage.kill();
    let versions = |name: &String| stage.versions(name).len();
    let before: Vec<usize> = names.iter().map(versions).collect();
    for name in &leaving {
        stage.delete(name).await;
    }
    let calls = stage.aws.calls().await.len();
    stage.start_with(&slow(1));
    for name in &leaving {
        stage.gone(name).await;
    }
    let since: Vec<Value> = stage.aws.calls().await.split_off(calls);
    let deleted = since.iter().rposition(|call| call["Action"] == "DeleteUser").unwrap();
    let is_check = |call: &&Value| {
        let id = call["Params"]["UserId"].as_str().unwrap_or_default();
        call["Action"] == "DescribeUsers" && id.starts_with("idle-")
    };
    let checks = since[..deleted].iter().filter(is_check).count();
    // Those that find a token by chance while a deletion writes its status, which takes long on a busy machine; were checks to
    // wait in the only slot, all twenty would go first.
    assert!(checks <= names.len() / 2, "{checks} checks went before the deletions: {since:#?}");
    for name in &names {
        until(&format!("{name} is checked"), || async {
            (looks(&stage, name, calls).await > 0).then_some(())
        })
        .await;
    }
    let after: Vec<usize> = names.iter().map(versions).collect();
    assert_eq!(after, before, "a check, with a token or without, writes nothing");
    stage.end().await;
}

#[tokio::test]
async fn a_check_that_has_begun_is_finished() {
    let stage = Stage::set(unlimited()).await;
    stage.ready("app", iam()).await;
    stage.kill();
    stage.aws.put_user("app", json!({ "AccessString": "on ~* -@all +@read" })).await;
    // A token comes every 250 ms, and no second one is there when the first call has been answered.
    stage.start_with(&slow(1));
    until("the drift is put right", || async {
        (stage.aws.accepted("ModifyUser", "app").await == 1).then_some(())
    })
    .await;
    stage.end().await;
}

#[tokio::test]
async fn checks_get_their_turn_though_work_never_ends() {
    let stage = Stage::set(unlimited()).await;
    let names: Vec<String> = (0..3).map(|number| format!("idle-{number}")).collect();
    for name in &names {
        stage.ready(name, iam()).await;
    }
    // Each is looked at again and again, in case AWS lets its former user go: more often than there are tokens.
    for number in 0..10 {
        let name = format!("waiting-{number}");
        stage.aws.put_user(&name, json!({ "Status": "deleting" })).await;
        stage.create(&name, iam()).await;
        stage.reason(&name, "WaitingForPreviousUser").await;
    }
    stage.kill();
    let calls = stage.aws.calls().await.len();
    let [rate, burst, concurrency] = slow(20);
    stage.start_with(&[rate, burst, concurrency, ("RESYNC", "5s".to_owned())]);
    for name in &names {
        until(&format!("{name} is checked"), || async {
            (looks(&stage, name, calls).await > 0).then_some(())
        })
        .await;
    }
    stage.end().await;
}
