//! Credentials change while the process runs. Each answer says which credentials signed its call.

use std::path::{Path, PathBuf};

use aws::{Aws, Timeouts, UserApi};
use elasticache_emulator::{Control, Emulator, Settings};
use plan::verdict::Outcome;
use plan::{Account, CallSource, CredentialsId, Untag, UserId, UserObservation};
use serde_json::json;

use super::emulator_fixture::{REGION, SIGNER, arn, create, delete, modify, tag, user_id};
use crate::{http_server, other_process};

const FORMER: &str = "111122223333";
const LATTER: &str = "444455556666";

/// Runs the body in a process of its own, with a port to an emulator in which only the former account has the user `app`. A file in
/// the folder says which credentials the process has.
fn alone(test: &str, body: impl AsyncFnOnce(Aws, PathBuf, UserId)) {
    let mut running = None;
    let environment = |folder: PathBuf| {
        let emulator = Emulator::start(Settings::default(), "127.0.0.1:0").expect("an emulator");
        use_account(&folder, FORMER);
        let url = running.insert(emulator).url();
        vec![
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ENDPOINT_URL", url),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", credentials_agent(folder)),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    };
    other_process::run(&format!("aws::credentials::{test}"), environment, async |folder| {
        let (aws, region) = Aws::connect(Timeouts::default()).await.expect("a connection");
        assert_eq!(region, REGION);
        body(aws, folder, user_id("app")).await;
    });
}

/// A server that answers as the agent of EKS Pod Identity does, with the credentials of the account that the folder names. The
/// credentials expire soon, and the SDK loads credentials again some seconds before they expire. So the SDK loads credentials for
/// each call, unless the folder has a file `lasting`.
pub(crate) fn credentials_agent(folder: PathBuf) -> String {
    let url = http_server::serve(move || {
        count_down(&folder);
        let account = std::fs::read_to_string(folder.join("account")).unwrap_or_default();
        let seconds = if folder.join("lasting").exists() { 3600 } else { 2 };
        let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        json!({
            "AccessKeyId": account, "SecretAccessKey": "secret", "Token": "token", "Expiration": expires.to_string(),
        })
        .to_string()
    });
    format!("{url}/v1/credentials")
}

/// From now on the credentials are those of this account.
pub(crate) fn use_account(folder: &Path, account: &str) {
    replace(folder, "account", account);
}

/// After this number of calls the credentials are those of this account.
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

fn source(number: u32, account: Account) -> CallSource {
    CallSource { region: REGION.to_owned(), credentials: CredentialsId(number), account }
}

fn known(account: &str) -> Account {
    Account::Known(account.to_owned())
}

#[test]
fn an_answer_carries_the_account_of_the_credentials_that_signed_its_call() {
    alone(
        "an_answer_carries_the_account_of_the_credentials_that_signed_its_call",
        async |aws, folder, app| {
            aws.create(&create("app"), SIGNER).await;
            let (sight, of_former) = aws.describe(&app).await;
            assert!(
                matches!(&sight, UserObservation::Found(user) if user.arn.account() == FORMER),
                "{sight:?}"
            );
            assert_eq!(of_former, source(1, known(FORMER)));
            assert_eq!(aws.identify().await, source(1, known(FORMER)));

            use_account(&folder, LATTER);
            let unknown = (UserObservation::Absent, source(2, Account::NotAsked));
            assert_eq!(
                aws.describe(&app).await,
                unknown,
                "the former account must not count for these credentials"
            );
            assert_eq!(aws.identify().await, source(2, known(LATTER)));
            assert_eq!(aws.describe(&app).await, (UserObservation::Absent, source(2, known(LATTER))));

            use_account(&folder, FORMER);
            let (sight, again) = aws.describe(&app).await;
            assert!(matches!(sight, UserObservation::Found(_)), "{sight:?}");
            assert_eq!(again, source(1, known(FORMER)), "the same credentials have the same number");
        },
    );
}

#[test]
fn a_mutation_that_other_credentials_would_sign_is_not_sent() {
    alone("a_mutation_that_other_credentials_would_sign_is_not_sent", async |aws, folder, app| {
        assert_eq!(aws.describe(&app).await, (UserObservation::Absent, source(1, Account::NotAsked)));
        use_account(&folder, LATTER);
        let (former, latter) = (CredentialsId(1), CredentialsId(2));
        let untag = Untag { arn: arn("app"), keys: vec!["team".to_owned()] };
        let outcomes = [
            aws.create(&create("app"), former).await,
            aws.modify(&modify("app"), former).await,
            aws.tag(&tag("app"), former).await,
            aws.untag(&untag, former).await,
            aws.delete(&delete("app"), former).await,
        ];
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::CredentialsChanged), "{outcomes:?}");
        assert_eq!(calls(LATTER).await, [""; 0], "nothing was sent");
        assert!(matches!(aws.create(&create("app"), latter).await, Outcome::Accepted(_)));
        assert_eq!(calls(LATTER).await, ["CreateUser"]);
        assert_eq!(calls(FORMER).await, ["DescribeUsers"]);
    });
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
fn concurrent_answers_are_not_mixed_up_while_the_credentials_change() {
    alone("concurrent_answers_are_not_mixed_up_while_the_credentials_change", async |aws, folder, app| {
        aws.create(&create("app"), SIGNER).await;
        let mut counts = [0, 0];
        for round in 0..10 {
            let account = if round % 2 == 0 { FORMER } else { LATTER };
            let calls = (0..8).map(|_| async { futures::join!(aws.describe(&app), aws.identify()) });
            let change = async { use_account(&folder, account) };
            let (answers, ()) = futures::join!(futures::future::join_all(calls), change);
            for ((sight, source), identified) in answers {
                // Only the former account has the user, so the answer shows which credentials signed the call.
                let (number, account) = match sight {
                    UserObservation::Found(_) => (1, FORMER),
                    UserObservation::Absent => (2, LATTER),
                    UserObservation::Failed(_) | UserObservation::NotRead => {
                        panic!("an answer: {sight:?}")
                    }
                };
                assert_eq!(source.credentials, CredentialsId(number));
                assert!(
                    source.account == known(account) || source.account == Account::NotAsked,
                    "{source:?}"
                );
                counts[number as usize - 1] += 1;
                let expected = if identified.credentials == CredentialsId(1) { FORMER } else { LATTER };
                assert_eq!(identified.account, known(expected), "{identified:?}");
            }
        }
        assert!(counts.iter().all(|count| *count > 0), "both accounts answered: {}", json!(counts));
    });
}

#[test]
fn sts_is_asked_with_the_credentials_that_sign_the_other_calls() {
    alone("sts_is_asked_with_the_credentials_that_sign_the_other_calls", async |aws, folder, app| {
        std::fs::write(folder.join("lasting"), "").expect("a file");
        assert_eq!(aws.describe(&app).await, (UserObservation::Absent, source(1, Account::NotAsked)));
        use_account(&folder, LATTER);
        // The SDK has cached the former credentials.
        assert_eq!(aws.identify().await, source(1, known(FORMER)));
        assert_eq!(aws.describe(&app).await, (UserObservation::Absent, source(1, known(FORMER))));
    });
}
