//! What a person sees of a deletion that is blocked and then goes through: docs/src/concepts/deletion.md shows it, word by
//! word as kubectl said it here.

pub(crate) mod golden;

use serde_json::json;

use crate::stage::{PASSWORD, Stage, iam, with_password};
use crate::world;
use golden::{Page, settled};

/// What was typed and what kubectl answered.
struct Transcript<'a> {
    stage: &'a Stage,
    text: String,
}

impl Transcript<'_> {
    fn of(stage: &Stage) -> Transcript<'_> {
        Transcript { stage, text: String::new() }
    }

    async fn kubectl(&mut self, line: &str) {
        let mut command = world::control_plane().kubectl();
        command.args(["--namespace", &self.stage.ns]).args(line.split(' '));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = settled(&String::from_utf8(said).unwrap(), &self.stage.ns);
        assert!(output.status.success(), "kubectl {line}: {said}");
        self.text.push_str(&format!("$ kubectl {line}\n{said}\n"));
    }

    /// What there is to see of the object while it is there; `describe` tells its events too.
    async fn look(&mut self) -> String {
        self.kubectl("get ecu").await;
        self.kubectl("describe ecu orders-api").await;
        std::mem::take(&mut self.text)
    }
}

/// Without what `describe` shows above the conditions, as the first section of the page has shown it already.
fn from_conditions(text: &str) -> String {
    let (before, after) = text.split_once("  Conditions:\n").unwrap();
    let (before, _) = before.split_once("Name:").unwrap();
    format!("{before}...\n  Conditions:\n{after}")
}

#[tokio::test]
async fn the_documentation_shows_a_blocked_deletion_as_it_is() {
    let stage = Stage::new().await;
    let mut page = Page::of("docs/src/concepts/deletion.md");
    let mut transcript = Transcript::of(&stage);
    stage.ready("orders-api", iam()).await;
    stage.event("orders-api", "UserCreated").await;

    stage.aws.put_user("orders-api", json!({ "Status": "modifying" })).await;
    transcript.kubectl("delete ecu orders-api --wait=false").await;
    stage.reason("orders-api", "WaitingForUserActive").await;
    stage.event("orders-api", "WaitingForUserActive").await;
    page.section("modifying", &transcript.look().await);

    let refusal =
        json!({ "Action": "DeleteUser", "Kind": "error", "Code": "InvalidUserState", "Times": null });
    stage.aws.fault(refusal).await;
    stage.aws.put_user("orders-api", json!({ "Status": "active" })).await;
    stage.reason("orders-api", "InvalidUserState").await;
    stage.event("orders-api", "InvalidUserState").await;
    page.section("refused", &from_conditions(&transcript.look().await));

    stage.aws.settings(json!({ "delete-time": "1h" })).await;
    stage.aws.heal().await;
    stage.shows("orders-api", "deleting", |object| object["status"]["state"] == "deleting").await;
    stage.event("orders-api", "DeletionStarted").await;
    page.section("deleting", &from_conditions(&transcript.look().await));

    stage.aws.remove_user("orders-api").await;
    stage.gone("orders-api").await;
    stage.event("orders-api", "UserDeleted").await;
    transcript.kubectl("get ecu").await;
    transcript.kubectl("get events").await;
    page.section("gone", &transcript.text);

    page.hold();
    stage.end().await;
}

#[tokio::test]
async fn the_documentation_shows_the_default_user_of_a_group_as_it_is() {
    let stage = Stage::new().await;
    let mut page = Page::of("docs/src/concepts/deletion.md");
    let mut transcript = Transcript::of(&stage);
    stage.secret("orders-default", PASSWORD).await;
    let mut spec = with_password("orders-default");
    spec["userName"] = json!("default");
    stage.ready("orders-default", spec).await;
    stage.aws.put_group("orders", json!({ "UserIds": ["orders-default"] })).await;
    transcript.kubectl("delete ecu orders-default --wait=false").await;
    stage.reason("orders-default", "DefaultUserInGroup").await;
    stage.event("orders-default", "DefaultUserInGroup").await;
    transcript.kubectl("get ecu").await;
    transcript.kubectl("get events").await;
    page.section("group", &transcript.text);
    stage.aws.remove_group("orders").await;
    stage.gone("orders-default").await;
    page.hold();
    stage.end().await;
}
