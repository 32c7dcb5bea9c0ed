//! Credentials that change under a running process: each answer says which credentials signed its call.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws::{Aws, Timeouts, UserApi};
use elasticache_emulator::{Control, Emulator, Settings};
use plan::verdict::Outcome;
use plan::{Account, CallSource, CredentialsId, Delete, Tag, Untag, UserId, UserObservation};
use serde_json::json;

use super::emulator_fixture::{REGION, SIGNER, arn, user_id};

const FORMER: &str = "111122223333";
const LATTER: &str = "444455556666";

/// Where the credentials of the other process are.
const FOLDER: &str = "TEST_CREDENTIALS_FOLDER";

/// Runs a test of this file in a process of its own, with an emulator in which only the former account has the user `app`.
fn alone(test: &str) {
    let emulator = Emulator::start(Settings::default(), "127.0.0.1:0").expect("an emulator");
    let folder = tempfile::tempdir().expect("a folder");
    use_account(folder.path(), FORMER);
    let agent = credentials_agent(folder.path().to_owned());
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", &format!("aws::credentials::{test}"), "--ignored", "--nocapture"])
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("AWS_REGION", REGION)
        .env("AWS_ENDPOINT_URL", emulator.url())
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env(FOLDER, folder.path())
        .output()
        .expect("the other process");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}\n{errors}");
}

/// Answers as the agent of EKS Pod Identity does, with the credentials of the account that the folder names. They are about to
/// expire, and the SDK loads credentials again some seconds before that. So it loads these for each call, unless the folder has
/// a file `lasting`.
pub(crate) fn credentials_agent(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/v1/credentials", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 8192]);
            count_down(&folder);
            let account = std::fs::read_to_string(folder.join("account")).unwrap_or_default();
            let seconds = if folder.join("lasting").exists() { 3600 } else { 2 };
            let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
            let body = json!({"AccessKeyId": account, "SecretAccessKey": "secret", "Token": "token", "Expiration": expires.to_string()}).to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    url
}

/// From now on the credentials are those of this account.
pub(crate) fn use_account(folder: &Path, account: &str) {
    replace(folder, "account", account);
}

/// After so many more calls the credentials are those of this account.
pub(crate) fn use_account_after(calls: u32, folder: &Path, account: &str) {
    replace(folder, "change", &format!("{calls} {account}"));
}

fn replace(folder: &Path, name: &str, text: &str) {
    let written = folder.join("new");
    std::fs::write(&written, text).expect("a file");
    std::fs::rename(&written, folder.join(name)).expect("the file in its place");
}

fn count_down(folder: &Path) {
    let Ok(change) = std::fs::read_to_string(folder.join("change")) else { return };
    let (left, account) = change.split_once(' ').expect("a number and an account");
    match left.parse::<u32>().expect("a number").checked_sub(1) {
        Some(left) => use_account_after(left, folder, account),
        None => {
            use_account(folder, account);
            std::fs::remove_file(folder.join("change")).expect("the file");
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the other process of a test")]
async fn connect() -> (Aws, PathBuf, UserId) {
    let folder = std::env::var(FOLDER).expect("the folder").into();
    let (aws, region) = Aws::connect(Timeouts::default()).await.expect("a connection");
    assert_eq!(region, REGION);
    (aws, folder, user_id("app"))
}

fn source(number: u32, account: Account) -> CallSource {
    CallSource { region: REGION.to_owned(), credentials: CredentialsId(number), account }
}

fn known(account: &str) -> Account {
    Account::Known(account.to_owned())
}

#[test]
fn an_answer_carries_the_account_of_the_credentials_that_signed_its_call() {
    alone("with_changing_credentials");
}

#[tokio::test]
#[ignore = "the other process of an_answer_carries_the_account_of_the_credentials_that_signed_its_call"]
async fn with_changing_credentials() {
    let (aws, folder, app) = connect().await;
    let create = super::emulator_fixture::create("app");
    aws.create(&create, SIGNER).await;
    let (sight, of_former) = aws.describe(&app).await;
    assert!(matches!(&sight, UserObservation::Found(user) if user.arn.account() == FORMER), "{sight:?}");
    assert_eq!(of_former, source(1, known(FORMER)));
    assert_eq!(aws.identify().await, source(1, known(FORMER)));

    use_account(&folder, LATTER);
    let unknown = aws.describe(&app).await;
    assert_eq!(
        unknown,
        (UserObservation::Absent, source(2, Account::NotAsked)),
        "the former account says nothing here"
    );
    assert_eq!(aws.identify().await, source(2, known(LATTER)));
    assert_eq!(aws.describe(&app).await, (UserObservation::Absent, source(2, known(LATTER))));

    use_account(&folder, FORMER);
    let (sight, again) = aws.describe(&app).await;
    assert!(matches!(sight, UserObservation::Found(_)), "{sight:?}");
    assert_eq!(again, source(1, known(FORMER)), "the same credentials have the same number");
}

#[test]
fn a_mutation_that_other_credentials_would_sign_is_not_sent() {
    alone("with_credentials_that_change_before_a_mutation");
}

#[tokio::test]
#[ignore = "the other process of a_mutation_that_other_credentials_would_sign_is_not_sent"]
async fn with_credentials_that_change_before_a_mutation() {
    let (aws, folder, app) = connect().await;
    assert_eq!(aws.describe(&app).await, (UserObservation::Absent, source(1, Account::NotAsked)));
    use_account(&folder, LATTER);
    let (former, latter) = (CredentialsId(1), CredentialsId(2));
    let create = super::emulator_fixture::create("app");
    let tag = Tag { arn: arn("app"), tags: create.tags.clone(), cause: plan::Cause::Edit };
    let untag = Untag { arn: arn("app"), keys: vec!["team".to_owned()] };
    let outcomes = [
        aws.create(&create, former).await,
        aws.modify(&super::emulator_fixture::modify("app"), former).await,
        aws.tag(&tag, former).await,
        aws.untag(&untag, former).await,
        aws.delete(&Delete { user_id: app.clone() }, former).await,
    ];
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::CredentialsChanged), "{outcomes:?}");
    assert_eq!(calls(LATTER).await, [""; 0], "nothing was sent");
    assert!(matches!(aws.create(&create, latter).await, Outcome::Accepted(_)));
    assert_eq!(calls(LATTER).await, ["CreateUser"]);
    assert_eq!(calls(FORMER).await, ["DescribeUsers"]);
}

/// The calls that an account got.
#[allow(clippy::disallowed_methods, reason = "the other process of a test")]
async fn calls(account: &str) -> Vec<String> {
    let endpoint = std::env::var("AWS_ENDPOINT_URL").expect("the emulator");
    let calls = Control::new(endpoint, account, REGION).calls().await;
    let calls = calls.iter().filter(|call| call["Account"] == account);
    calls.map(|call| call["Action"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn answers_at_the_same_time_are_not_mixed_up_while_the_credentials_change() {
    alone("with_calls_at_the_same_time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of answers_at_the_same_time_are_not_mixed_up_while_the_credentials_change"]
async fn with_calls_at_the_same_time() {
    let (aws, folder, app) = connect().await;
    aws.create(&super::emulator_fixture::create("app"), SIGNER).await;
    let mut counts = [0, 0];
    for round in 0..10 {
        let account = if round % 2 == 0 { FORMER } else { LATTER };
        let calls = (0..8).map(|_| async {
            let (seen, identified) = futures::join!(aws.describe(&app), aws.identify());
            (seen, identified)
        });
        let change = async { use_account(&folder, account) };
        let (answers, ()) = futures::join!(futures::future::join_all(calls), change);
        for ((sight, source), identified) in answers {
            // Only the former account has the user, so the answer itself shows who signed the call.
            let (number, account) = match sight {
                UserObservation::Found(_) => (1, FORMER),
                UserObservation::Absent => (2, LATTER),
                UserObservation::Failed(_) | UserObservation::NotRead => panic!("an answer: {sight:?}"),
            };
            assert_eq!(source.credentials, CredentialsId(number));
            assert!(source.account == known(account) || source.account == Account::NotAsked, "{source:?}");
            counts[number as usize - 1] += 1;
            let expected = if identified.credentials == CredentialsId(1) { FORMER } else { LATTER };
            assert_eq!(identified.account, known(expected), "{identified:?}");
        }
    }
    assert!(counts.iter().all(|count| *count > 0), "both accounts answered: {}", json!(counts));
}

#[test]
fn sts_is_asked_with_the_credentials_that_sign_the_other_calls() {
    alone("with_cached_credentials");
}

#[tokio::test]
#[ignore = "the other process of sts_is_asked_with_the_credentials_that_sign_the_other_calls"]
async fn with_cached_credentials() {
    let (aws, folder, app) = connect().await;
    std::fs::write(folder.join("lasting"), "").expect("a file");
    assert_eq!(aws.describe(&app).await, (UserObservation::Absent, source(1, Account::NotAsked)));
    use_account(&folder, LATTER);
    assert_eq!(aws.identify().await, source(1, known(FORMER)), "the SDK has cached the former credentials");
    assert_eq!(aws.describe(&app).await, (UserObservation::Absent, source(1, known(FORMER))));
}
