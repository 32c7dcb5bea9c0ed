//! How the port learns the account of the credentials, with how many calls, and what happens if it cannot learn the account.

use std::time::{Duration, Instant};

use aws::UserApi;
use elasticache_emulator::Rule;
use plan::{Account, CallSource, CredentialsId, UserObservation};
use serde_json::json;

use super::emulator_fixture::{
    ACCOUNT, Fixture, IMPATIENT, PATIENT, REGION, SIGNER, aws_with_sts, create, delete, modify,
    nobody_listens, silent_server, user_id,
};

const STS: &str = "GetCallerIdentity";
const DEFAULT_USER: &str = "DescribeUsers";

fn known() -> CallSource {
    let account = Account::Known(ACCOUNT.to_owned());
    CallSource { region: REGION.to_owned(), credentials: CredentialsId(1), account }
}

/// From now on the calls of this action fail in this way.
async fn fails(fixture: &Fixture, action: &str, fault: Rule) {
    fixture.control.fault(fault.action(action).always()).await;
}

fn error(code: &str, status: u16) -> Rule {
    Rule::any().error(code, status)
}

/// The variant of [`Account`], or the code of the fault.
fn word(account: &Account) -> String {
    match account {
        Account::Known(account) => {
            assert_eq!(account, ACCOUNT);
            "Known".to_owned()
        }
        Account::Failed(fault) => fault.error().code.clone(),
        Account::Withheld | Account::NotAsked => format!("{account:?}"),
    }
}

#[tokio::test]
async fn sts_is_asked_for_the_account_once_and_every_later_answer_carries_it() {
    let fixture = Fixture::start();
    let unknown = CallSource { account: Account::NotAsked, ..known() };
    let absent = fixture.aws.describe(&user_id("app")).await;
    assert_eq!(absent, (UserObservation::Absent, unknown), "an absence shows no account");
    assert_eq!(fixture.aws.identify().await, known());
    assert_eq!(fixture.aws.identify().await, known());
    assert_eq!(fixture.aws.describe(&user_id("app")).await, (UserObservation::Absent, known()));
    assert_eq!(fixture.actions().await, ["DescribeUsers", STS, "DescribeUsers"]);
}

#[tokio::test]
async fn the_account_is_known_from_an_arn_in_any_answer_and_sts_is_not_asked() {
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
            _ => drop(fixture.aws.delete(&delete("app"), SIGNER).await),
        }
        fixture.actions().await;
        assert_eq!(fixture.aws.identify().await, known(), "{answer}");
        assert!(fixture.actions().await.is_empty(), "{answer}");
    }
}

/// The faults of STS and of DescribeUsers of `default`: `None` for a good answer. Then the result and the calls of each of three
/// attempts.
struct Row {
    claim: &'static str,
    sts: Option<Rule>,
    default_user: Option<Rule>,
    attempts: [(&'static str, &'static [&'static str]); 3],
}

#[tokio::test]
async fn the_account_is_asked_for_again_after_a_passing_failure_but_not_after_a_refusal() {
    const BOTH: &[&str] = &[STS, DEFAULT_USER];
    const SECOND: &[&str] = &[DEFAULT_USER];
    let denied = || Some(error("AccessDenied", 403));
    let throttled = || Some(Rule::any().throttle());
    let reset = || Some(Rule::any().reset());
    let row = |claim, sts, default_user, attempts| Row { claim, sts, default_user, attempts };
    // The first attempt settles the result. No attempt settles the result. A second call of STS settles the result.
    let settled = |word, calls| [(word, calls), (word, &[][..]), (word, &[])];
    let open = |word, calls| [(word, BOTH), (word, calls), (word, calls)];
    let later = |word| [(word, BOTH), ("Withheld", &[DEFAULT_USER, STS][..]), ("Withheld", &[])];
    let (invalid, missing) = (Some(error("InvalidParameterValue", 400)), Some(error("UserNotFound", 404)));
    let (unknown, expired) = (Some(error("InvalidClientTokenId", 403)), Some(error("ExpiredToken", 403)));
    let down = Some(error("InternalFailure", 500));
    let (garbage, half) = (Some(Rule::any().garbage()), Some(Rule::any().truncate()));
    let rows = [
        row("STS answers", None, denied(), settled("Known", &[STS])),
        row("STS is denied", denied(), None, settled("Known", BOTH)),
        row("both are denied", denied(), denied(), settled("Withheld", BOTH)),
        row("STS is denied, `default` is rejected", denied(), invalid, settled("Withheld", BOTH)),
        row("STS is denied, `default` is not there", denied(), missing, settled("Withheld", BOTH)),
        row("STS is denied, `default` is throttled", denied(), throttled(), open("Throttling", SECOND)),
        row("STS is throttled", throttled(), None, settled("Known", BOTH)),
        row("STS is throttled, `default` is denied", throttled(), denied(), open("Throttling", BOTH)),
        row("STS is down, `default` is denied", down, denied(), open("InternalFailure", BOTH)),
        row("neither takes the credentials", unknown, expired, open("ExpiredToken", BOTH)),
        row("STS is silent", reset(), None, settled("Known", BOTH)),
        row("STS is silent, `default` is throttled", reset(), throttled(), open("Throttling", SECOND)),
        row("STS is silent, `default` is denied", reset(), denied(), later("NoAnswer")),
        row(
            "something else answers for STS, `default` is denied",
            garbage,
            denied(),
            later("UnreadableAnswer"),
        ),
        row("half an answer of STS, `default` is denied", half, denied(), later("UnreadableAnswer")),
    ];
    for Row { claim, sts, default_user, attempts } in rows {
        let fixture = Fixture::start();
        for (action, fault) in [(STS, sts), (DEFAULT_USER, default_user)] {
            if let Some(fault) = fault {
                fails(&fixture, action, fault).await;
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
async fn the_account_is_asked_for_again_after_throttling() {
    let fixture = Fixture::start();
    fixture.control.fault(Rule::on(STS).throttle()).await;
    fixture.control.fault(Rule::on(DEFAULT_USER).throttle()).await;
    assert_eq!(word(&fixture.aws.identify().await.account), "Throttling");
    let (_, source) = fixture.aws.describe(&user_id("app")).await;
    assert_eq!(source.account, Account::NotAsked, "the account must be asked for again");
    assert_eq!(fixture.aws.identify().await, known());
}

#[tokio::test]
async fn an_account_that_aws_refuses_to_tell_is_known_as_soon_as_an_arn_shows_it() {
    let fixture = Fixture::start();
    fixture.control.put_user("app", json!({})).await;
    for action in [STS, DEFAULT_USER] {
        fixture.control.fault(Rule::on(action).error("AccessDenied", 403)).await;
    }
    assert_eq!(fixture.aws.identify().await.account, Account::Withheld);
    assert_eq!(fixture.aws.describe(&user_id("app")).await.1, known());
    assert_eq!(fixture.aws.identify().await, known());
}

#[tokio::test]
async fn an_sts_that_is_blocked_costs_one_short_wait() {
    let (_silent, silent_url) = silent_server();
    for (claim, sts) in [("refused", nobody_listens()), ("never answered", silent_url)] {
        let mut fixture = Fixture::start();
        fixture.aws = aws_with_sts(&fixture.emulator.url(), Some(sts), PATIENT);
        fixture.control.fault(Rule::on(DEFAULT_USER).throttle().times(2)).await;
        let began = Instant::now();
        assert_eq!(word(&fixture.aws.identify().await.account), "Throttling", "{claim}");
        // The time-out of a call to ElastiCache is 20 s here.
        assert!(began.elapsed() < Duration::from_secs(8), "{claim}: it took {:?}", began.elapsed());
        let began = Instant::now();
        assert_eq!(word(&fixture.aws.identify().await.account), "Throttling", "{claim}");
        assert_eq!(fixture.aws.identify().await, known(), "{claim}");
        assert!(began.elapsed() < Duration::from_millis(2500), "{claim}: it took {:?}", began.elapsed());
        assert_eq!(fixture.actions().await, [DEFAULT_USER; 3], "{claim}");
    }
}

#[tokio::test]
async fn concurrent_requests_for_the_account_share_one_attempt() {
    let (_silent, silent_url) = silent_server();
    for (default_user, account) in [(None, "Known"), (Some(error("AccessDenied", 403)), "TimedOut")] {
        let mut fixture = Fixture::start();
        fixture.aws = aws_with_sts(&fixture.emulator.url(), Some(silent_url.clone()), IMPATIENT);
        if let Some(kind) = default_user {
            fails(&fixture, DEFAULT_USER, kind).await;
        }
        let sources = futures::future::join_all((0..20).map(|_| fixture.aws.identify())).await;
        for source in sources {
            assert_eq!(word(&source.account), account);
        }
        assert_eq!(fixture.actions().await, [DEFAULT_USER]);
    }
}

#[tokio::test]
async fn concurrent_requests_of_sts_share_one_call() {
    let not_asked = CallSource { account: Account::NotAsked, ..known() };
    for (claim, kind) in [("throttled", Rule::any().throttle()), ("failing", error("InternalFailure", 500))] {
        let fixture = Fixture::start();
        fails(&fixture, STS, kind).await;
        let sources = futures::future::join_all((0..20).map(|_| fixture.aws.identify_caller())).await;
        assert_eq!(sources, vec![not_asked.clone(); 20], "{claim}: STS does not tell the account");
        assert_eq!(fixture.actions().await, [STS], "{claim}: the callers that waited share the answer");
        assert_eq!(fixture.aws.identify_caller().await, not_asked, "{claim}");
        assert_eq!(fixture.actions().await, [STS], "{claim}: a later caller asks again");
    }
}
