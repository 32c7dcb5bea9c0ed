//! Which account the credentials belong to: what tells it, with how many calls, and what happens if nothing does.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use aws::UserApi;
use plan::{Account, CallSource, CredentialsId, Delete, UserObservation};
use serde_json::{Value, json};

use super::emulator_fixture::{
    ACCOUNT, Fixture, IMPATIENT, PATIENT, REGION, SIGNER, aws_with_sts, create, modify, user_id,
};

const STS: &str = "GetCallerIdentity";
const DEFAULT_USER: &str = "DescribeUsers";

fn known() -> CallSource {
    let account = Account::Known(ACCOUNT.to_owned());
    CallSource { region: REGION.to_owned(), credentials: CredentialsId(1), account }
}

/// From now on the calls of this action fail in this way.
async fn fails(fixture: &Fixture, action: &str, kind: &Value) {
    let mut fault = json!({"Action": action, "Times": null});
    let members = kind.as_object().expect("a fault").clone();
    fault.as_object_mut().expect("a fault").extend(members);
    fixture.control.fault(fault.clone()).await;
}

fn error(code: &str, status: u16) -> Value {
    json!({"Kind": "error", "Code": code, "Message": "Because.", "Status": status})
}

/// `Known`, `Untold`, or the code of the fault.
fn word(account: &Account) -> String {
    match account {
        Account::Known(account) => {
            assert_eq!(account, ACCOUNT);
            "Known".to_owned()
        }
        Account::Withheld => "Untold".to_owned(),
        Account::Failed(fault) => fault.error().code.clone(),
        Account::NotAsked => "Unasked".to_owned(),
    }
}

#[tokio::test]
async fn sts_tells_the_account_once_and_every_later_answer_carries_it() {
    let fixture = Fixture::start();
    let (sight, source) = fixture.aws.describe(&user_id("app")).await;
    assert_eq!(
        (sight, source.account),
        (UserObservation::Absent, Account::NotAsked),
        "an absence shows no account"
    );
    assert_eq!(fixture.aws.identify().await, known());
    assert_eq!(fixture.aws.identify().await, known());
    assert_eq!(fixture.aws.describe(&user_id("app")).await, (UserObservation::Absent, known()));
    assert_eq!(fixture.actions().await, ["DescribeUsers", STS, "DescribeUsers"]);
}

#[tokio::test]
async fn an_arn_in_any_answer_tells_the_account_and_sts_is_not_asked() {
    for answer in ["describe", "list", "create", "modify", "delete"] {
        let fixture = Fixture::start();
        if answer != "create" {
            fixture.control.put_user("app", json!({})).await;
        }
        match answer {
            "describe" => {
                let (sight, source) = fixture.aws.describe(&user_id("app")).await;
                assert!(matches!(sight, UserObservation::Found(_)), "{sight:?}");
                assert_eq!(source, known(), "the answer itself carries it");
            }
            "list" => drop(fixture.aws.list(None).await),
            "create" => drop(fixture.aws.create(&create("app"), SIGNER).await),
            "modify" => drop(fixture.aws.modify(&modify("app"), SIGNER).await),
            _ => drop(fixture.aws.delete(&Delete { user_id: user_id("app") }, SIGNER).await),
        }
        fixture.actions().await;
        assert_eq!(fixture.aws.identify().await, known(), "{answer}");
        assert!(fixture.actions().await.is_empty(), "{answer}");
    }
}

/// What the two ways answer, and what comes of asking three times.
struct Row {
    claim: &'static str,
    sts: Option<Value>,
    default_user: Option<Value>,
    /// The result of each attempt, and its calls.
    attempts: [(&'static str, &'static [&'static str]); 3],
}

#[tokio::test]
async fn refusals_settle_the_account_and_passing_trouble_does_not() {
    let denied = || Some(error("AccessDenied", 403));
    let throttled = || Some(json!({"Kind": "throttle"}));
    let reset = || Some(json!({"Kind": "reset"}));
    let (both, first): (&[&str], &[&str]) = (&[STS, DEFAULT_USER], &[STS]);
    let (second, turned): (&[&str], &[&str]) = (&[DEFAULT_USER], &[DEFAULT_USER, STS]);
    let row = |claim, sts, default_user, attempts| Row { claim, sts, default_user, attempts };
    let rows = [
        row("STS answers", None, denied(), [("Known", first), ("Known", &[]), ("Known", &[])]),
        row("STS is denied", denied(), None, [("Known", both), ("Known", &[]), ("Known", &[])]),
        row("both are denied", denied(), denied(), [("Untold", both), ("Untold", &[]), ("Untold", &[])]),
        row(
            "STS is denied, `default` is rejected",
            denied(),
            Some(error("InvalidParameterValue", 400)),
            [("Untold", both), ("Untold", &[]), ("Untold", &[])],
        ),
        row(
            "STS is denied, `default` is not there",
            denied(),
            Some(error("UserNotFound", 404)),
            [("Untold", both), ("Untold", &[]), ("Untold", &[])],
        ),
        row(
            "STS is denied, `default` is throttled",
            denied(),
            throttled(),
            [("Throttling", both), ("Throttling", second), ("Throttling", second)],
        ),
        row("STS is throttled", throttled(), None, [("Known", both), ("Known", &[]), ("Known", &[])]),
        row(
            "STS is throttled, `default` is denied",
            throttled(),
            denied(),
            [("Throttling", both), ("Throttling", both), ("Throttling", both)],
        ),
        row(
            "STS is down, `default` is denied",
            Some(error("InternalFailure", 500)),
            denied(),
            [("InternalFailure", both), ("InternalFailure", both), ("InternalFailure", both)],
        ),
        row(
            "neither takes the credentials",
            Some(error("InvalidClientTokenId", 403)),
            Some(error("ExpiredToken", 403)),
            [("ExpiredToken", both), ("ExpiredToken", both), ("ExpiredToken", both)],
        ),
        row("STS is silent", reset(), None, [("Known", both), ("Known", &[]), ("Known", &[])]),
        row(
            "STS is silent, `default` is throttled",
            reset(),
            throttled(),
            [("Throttling", both), ("Throttling", second), ("Throttling", second)],
        ),
        row(
            "STS is silent, `default` is denied",
            reset(),
            denied(),
            [("NoAnswer", both), ("Untold", turned), ("Untold", &[])],
        ),
        row(
            "something else answers for STS, `default` is denied",
            Some(json!({"Kind": "garbage"})),
            denied(),
            [("UnreadableAnswer", both), ("Untold", turned), ("Untold", &[])],
        ),
        row(
            "half an answer of STS, `default` is denied",
            Some(json!({"Kind": "truncate"})),
            denied(),
            [("UnreadableAnswer", both), ("Untold", turned), ("Untold", &[])],
        ),
    ];
    for Row { claim, sts, default_user, attempts } in rows {
        let fixture = Fixture::start();
        for (action, kind) in [(STS, sts), (DEFAULT_USER, default_user)] {
            if let Some(kind) = kind {
                fails(&fixture, action, &kind).await;
            }
        }
        for (number, (account, calls)) in attempts.into_iter().enumerate() {
            let source = fixture.aws.identify().await;
            assert_eq!(word(&source.account), account, "{claim}, attempt {number}");
            assert_eq!(source.credentials, CredentialsId(1), "{claim}, attempt {number}");
            assert_eq!(fixture.actions().await, calls, "{claim}, attempt {number}");
        }
    }
}

#[tokio::test]
async fn passing_trouble_leaves_the_account_open_for_the_next_look() {
    let fixture = Fixture::start();
    fixture.control.fault(json!({"Action": STS, "Kind": "throttle"})).await;
    fixture.control.fault(json!({"Action": DEFAULT_USER, "Kind": "throttle"})).await;
    assert_eq!(word(&fixture.aws.identify().await.account), "Throttling");
    let (_, source) = fixture.aws.describe(&user_id("app")).await;
    assert_eq!(source.account, Account::NotAsked, "so that it is asked again");
    assert_eq!(fixture.aws.identify().await, known());
}

#[tokio::test]
async fn a_refused_account_is_known_as_soon_as_an_arn_shows_it() {
    let fixture = Fixture::start();
    fixture.control.put_user("app", json!({})).await;
    for action in [STS, DEFAULT_USER] {
        fixture
            .control
            .fault(json!({"Action": action, "Kind": "error", "Code": "AccessDenied", "Status": 403}))
            .await;
    }
    assert_eq!(fixture.aws.identify().await.account, Account::Withheld);
    assert_eq!(fixture.aws.describe(&user_id("app")).await.1, known());
    assert_eq!(fixture.aws.identify().await, known());
}

fn nobody_listens() -> String {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    format!("http://{closed}")
}

#[tokio::test]
async fn an_sts_that_is_blocked_costs_one_short_wait() {
    // Accepts connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_url = format!("http://{}", silent.local_addr().expect("an address"));
    for (claim, sts) in [("refused", nobody_listens()), ("never answered", silent_url)] {
        let mut fixture = Fixture::start();
        fixture.aws = aws_with_sts(&fixture.emulator.url(), Some(sts), PATIENT);
        fixture.control.fault(json!({"Action": DEFAULT_USER, "Kind": "throttle", "Times": 2})).await;
        let began = Instant::now();
        assert_eq!(word(&fixture.aws.identify().await.account), "Throttling", "{claim}");
        // A call of ElastiCache may take 20 s here.
        assert!(began.elapsed() < Duration::from_secs(8), "{claim}: it took {:?}", began.elapsed());
        let began = Instant::now();
        assert_eq!(word(&fixture.aws.identify().await.account), "Throttling", "{claim}");
        assert_eq!(fixture.aws.identify().await, known(), "{claim}");
        assert!(began.elapsed() < Duration::from_millis(2500), "{claim}: it took {:?}", began.elapsed());
        assert_eq!(fixture.actions().await, [DEFAULT_USER; 3], "{claim}");
    }
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_attempt() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_url = format!("http://{}", silent.local_addr().expect("an address"));
    for (default_user, account) in [(None, "Known"), (Some(error("AccessDenied", 403)), "TimedOut")] {
        let mut fixture = Fixture::start();
        fixture.aws = aws_with_sts(&fixture.emulator.url(), Some(silent_url.clone()), IMPATIENT);
        if let Some(kind) = default_user {
            fails(&fixture, DEFAULT_USER, &kind).await;
        }
        let sources = futures::future::join_all((0..20).map(|_| fixture.aws.identify())).await;
        for source in sources {
            assert_eq!(word(&source.account), account);
        }
        assert_eq!(fixture.actions().await, [DEFAULT_USER]);
    }
}

#[tokio::test]
async fn calls_of_sts_are_counted_under_their_own_service() {
    let fixture = Fixture::start();
    fixture.aws.identify().await;
    let mut registry = prometheus_client::registry::Registry::default();
    fixture.aws.meter().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
    let line = "aws_api_calls_total{service=\"STS\",operation=\"GetCallerIdentity\",status_code=\"200\",error_code=\"\"} 1";
    assert!(text.contains(line), "{text}");
}
