//! The credentials of a running operator change to another account, as they do if an EKS Pod Identity association changes. The
//! operator must not orphan a user, and must not create one in the other account by mistake.

use elasticache_emulator::{Rule, user_of};
use serde_json::{Value, json};
use support::wait::when;

use crate::aws::credentials::{credentials_agent, use_account, use_account_after};
use crate::fixture::{ACCOUNT, Fixture, REGION, Setup, condition, iam, message, reconcile_request, until};

/// The account that the credentials move to.
const OTHER: &str = "444455556666";

/// A fixture whose test can change the operator's credentials to another account.
struct Moving {
    fixture: Fixture,
    folder: tempfile::TempDir,
}

impl Moving {
    /// `sts`: whether the operator reaches STS. If not, it learns the account from an ARN or from the user `default`.
    async fn new(sts: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        use_account(folder.path(), ACCOUNT);
        let fixture = Fixture::without_operator(Setup::default()).await;
        let mut command = fixture.command();
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", credentials_agent(folder.path().to_owned()));
        if sts {
            command.env("AWS_ENDPOINT_URL_STS", fixture.aws.url());
        }
        fixture.run(command);
        Self { fixture, folder }
    }

    fn move_to(&self, account: &str) {
        use_account(self.folder.path(), account);
    }

    async fn request(&self, name: &str, request: &str) {
        self.fixture.patch(name, reconcile_request(request)).await;
    }

    /// The calls that this account got. If `changes`, without reads.
    async fn actions(&self, account: &str, id: &str, changes: bool) -> Vec<String> {
        let aws = &self.fixture.aws;
        let calls = if changes { aws.mutations().await } else { aws.calls().await };
        let about = |call: &&Value| call["Account"] == account && user_of(call) == id;
        calls.iter().filter(about).map(|call| call["Action"].as_str().unwrap().to_owned()).collect()
    }

    async fn changes(&self, account: &str, id: &str) -> Vec<String> {
        self.actions(account, id, true).await
    }

    /// Waits until the operator has asked the other account for the user.
    async fn asks_other_account(&self, id: &str) {
        until("a call to the other account", || async {
            when(self.actions(OTHER, id, false).await, |actions| !actions.is_empty())
        })
        .await;
    }
}

fn names_both_accounts(object: &Value, kind: &str) {
    assert!(condition(object, kind).is_some(), "{object:#}");
    let message = message(object);
    assert!(message.contains(ACCOUNT) && message.contains(OTHER), "{message}");
}

#[tokio::test]
async fn an_object_at_rest_stalls_while_the_credentials_belong_to_another_account() {
    for sts in [true, false] {
        let moving = Moving::new(sts).await;
        let fixture = &moving.fixture;
        let before = fixture.ready("app", iam()).await;
        let user = fixture.aws.user("app").await;
        moving.move_to(OTHER);
        moving.request("app", "away").await;
        let object = fixture.reason("app", "WrongAWSAccount").await;
        names_both_accounts(&object, "Stalled");
        for field in ["arn", "location", "lastApplied"] {
            assert_eq!(object["status"][field], before["status"][field], "STS {sts}: {field}");
        }
        moving.move_to(ACCOUNT);
        moving.request("app", "back").await;
        fixture.wait_ready("app").await;
        assert_eq!(moving.changes(ACCOUNT, "app").await, ["CreateUser"], "STS {sts}");
        assert_eq!(moving.changes(OTHER, "app").await, [""; 0], "STS {sts}");
        assert_eq!(fixture.aws.user("app").await, user, "STS {sts}");
        moving.fixture.end().await;
    }
}

/// The answer of CreateUser is lost, and the credentials move before DescribeUsers has shown the user.
async fn lose_the_answer(moving: &Moving) {
    let fixture = &moving.fixture;
    let hidden = Rule::on("DescribeUsers").user("app").unavailable().always();
    fixture.aws.fault(hidden).await;
    let lost = Rule::on("CreateUser").user("app").reset().after();
    let lost = fixture.aws.fault(lost).await;
    fixture.create("app", iam()).await;
    fixture.aws.struck(lost, 1).await;
    fixture.reason("app", "AWSUnavailable").await;
    moving.move_to(OTHER);
    moving.request("app", "away").await;
    moving.asks_other_account("app").await;
    fixture.aws.clear_faults().await;
}

#[tokio::test]
async fn a_user_whose_creation_was_not_answered_is_not_created_in_the_account_that_the_credentials_move_to() {
    for sts in [true, false] {
        let moving = Moving::new(sts).await;
        let fixture = &moving.fixture;
        lose_the_answer(&moving).await;
        let asked = moving.actions(ACCOUNT, "default", false).await;
        assert_eq!(
            asked.len(),
            usize::from(!sts),
            "without STS the user `default` shows the account: {asked:?}"
        );
        let object = fixture.reason("app", "WrongAWSAccount").await;
        names_both_accounts(&object, "Stalled");
        assert_eq!(object["status"]["location"], json!({ "account": ACCOUNT, "region": REGION }));
        moving.move_to(ACCOUNT);
        moving.request("app", "back").await;
        fixture.wait_ready("app").await;
        assert_eq!(moving.changes(ACCOUNT, "app").await, ["CreateUser"], "STS {sts}");
        assert_eq!(moving.changes(OTHER, "app").await, [""; 0], "STS {sts}");
        fixture.deleted("app").await;
        assert_eq!(
            moving.actions(ACCOUNT, "default", false).await,
            asked,
            "STS must be asked once for each set of credentials"
        );
        moving.fixture.end().await;
    }
}

/// If STS is out of reach and AWS refuses to show the user `default`, nothing shows the account of a user that is about to be
/// created. Then the region decides alone, because otherwise the object would wait for ever.
#[tokio::test]
async fn a_user_is_created_although_nothing_shows_the_account_if_the_region_is_known() {
    let moving = Moving::new(false).await;
    let fixture = &moving.fixture;
    let denied = Rule::on("DescribeUsers").user("default").error("AccessDenied", 403).always();
    fixture.aws.fault(denied).await;
    lose_the_answer(&moving).await;
    let versions = fixture.versions("app");
    let announced = versions.iter().find(|version| version["status"]["createRequestedAt"].is_string());
    assert_eq!(announced.unwrap()["status"]["location"], json!({ "region": REGION }));
    let object = fixture.wait_ready("app").await;
    // From now on status says where the user is.
    assert_eq!(object["status"]["location"], json!({ "account": OTHER, "region": REGION }));
    assert_eq!(object["status"]["arn"], format!("arn:aws:elasticache:{REGION}:{OTHER}:user:app"));
    moving.move_to(ACCOUNT);
    moving.request("app", "back").await;
    fixture.reason("app", "WrongAWSAccount").await;
    for account in [ACCOUNT, OTHER] {
        assert_eq!(moving.changes(account, "app").await, ["CreateUser"], "{account}");
    }
    moving.fixture.end().await;
}

#[tokio::test]
async fn a_deletion_waits_while_the_credentials_belong_to_another_account() {
    for sts in [true, false] {
        let moving = Moving::new(sts).await;
        let fixture = &moving.fixture;
        fixture.aws.settings(json!({ "delete-time": "10m" })).await;
        for name in ["deleting", "waiting"] {
            fixture.ready(name, iam()).await;
        }
        fixture.delete("deleting").await;
        fixture.shows("deleting", "deleting", |object| object["status"]["state"] == "deleting").await;
        moving.move_to(OTHER);
        fixture.delete("waiting").await;
        for name in ["deleting", "waiting"] {
            let object = fixture.reason(name, "WrongAWSAccount").await;
            names_both_accounts(&object, "Deleting");
        }
        assert_eq!(moving.changes(ACCOUNT, "waiting").await, ["CreateUser"], "STS {sts}");

        fixture.aws.settings(json!({ "delete-time": "600ms" })).await;
        fixture.aws.remove_user("deleting").await;
        moving.move_to(ACCOUNT);
        for name in ["deleting", "waiting"] {
            fixture.request_reconcile(name).await;
            assert!(!fixture.gone(name).await.user_left, "{name}");
            let changes = moving.changes(ACCOUNT, name).await;
            assert_eq!(changes, ["CreateUser", "DeleteUser"], "STS {sts}: {name}");
            assert_eq!(moving.changes(OTHER, name).await, [""; 0], "STS {sts}: {name}");
        }
        moving.fixture.end().await;
    }
}

/// The credentials move right before the mutation.
#[tokio::test]
async fn no_mutation_is_signed_with_other_credentials_than_the_read_before_it() {
    let moving = Moving::new(true).await;
    let fixture = &moving.fixture;
    fixture.ready("app", iam()).await;
    // In the other account the ID belongs to somebody else.
    fixture.aws.in_account(OTHER).put_user("app", json!({})).await;
    let reads = ["DescribeUsers", "ListTagsForResource"];
    use_account_after(reads.len() as u32, moving.folder.path(), OTHER);
    let before = moving.actions(ACCOUNT, "app", false).await;
    fixture.delete("app").await;
    fixture.reason("app", "WrongAWSAccount").await;
    let actions = moving.actions(ACCOUNT, "app", false).await;
    assert_eq!(actions[before.len()..], reads, "the credentials moved right before DeleteUser");
    moving.move_to(ACCOUNT);
    fixture.request_reconcile("app").await;
    assert!(!fixture.gone("app").await.user_left);
    assert_eq!(moving.changes(OTHER, "app").await, [""; 0]);

    // No user of this object is anywhere yet, so it is created where the credentials lead now.
    use_account_after(0, moving.folder.path(), OTHER);
    let object = fixture.ready("new", iam()).await;
    assert_eq!(object["status"]["location"], json!({ "account": OTHER, "region": REGION }));
    let locations: Vec<Value> =
        fixture.versions("new").iter().map(|version| version["status"]["location"].clone()).collect();
    let former = json!({ "account": ACCOUNT, "region": REGION });
    assert!(locations.contains(&former), "the credentials moved too early: {locations:?}");
    assert_eq!(moving.actions(ACCOUNT, "new", false).await, [""; 0]);
    // STS named this account before CreateUser.
    assert_eq!(moving.actions(OTHER, "new", false).await, ["CreateUser"]);
    fixture.deleted("new").await;
    assert_eq!(moving.changes(OTHER, "new").await, ["CreateUser", "DeleteUser"]);
    moving.fixture.end().await;
}
