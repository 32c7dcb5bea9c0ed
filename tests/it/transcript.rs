//! What a person sees of a deletion that is blocked and then succeeds. docs/src/concepts/deletion.md shows exactly the output of
//! kubectl in these tests.

mod settled;

use elasticache_emulator::Rule;
use serde_json::json;

use crate::control_plane;
use crate::fixture::{Fixture, PASSWORD, iam, with, with_password};
use crate::written::Page;
use settled::settled;

/// The commands and the output of kubectl.
struct Transcript<'a> {
    fixture: &'a Fixture,
    text: String,
}

impl Transcript<'_> {
    fn of(fixture: &Fixture) -> Transcript<'_> {
        Transcript { fixture, text: String::new() }
    }

    async fn kubectl(&mut self, line: &str) {
        let arguments: Vec<&str> = line.split(' ').collect();
        let output = control_plane::output(self.fixture.kubectl(&arguments)).await;
        let said = [output.stdout, output.stderr].concat();
        let said = settled(&String::from_utf8(said).unwrap(), &self.fixture.ns);
        assert!(output.status.success(), "kubectl {line}: {said}");
        self.text.push_str(&format!("$ kubectl {line}\n{said}\n"));
    }

    /// The output of kubectl about the object while it exists. `describe` shows its events too.
    async fn look(&mut self) -> String {
        self.kubectl("get ecu").await;
        self.kubectl("describe ecu orders-api").await;
        std::mem::take(&mut self.text)
    }
}

/// The output of `describe` from the conditions on, because the first section of the page has already shown what is above them.
fn from_conditions(text: &str) -> String {
    let (before, after) = text.split_once("  Conditions:\n").unwrap();
    let (before, _) = before.split_once("Name:").unwrap();
    format!("{before}...\n  Conditions:\n{after}")
}

#[tokio::test]
async fn the_documentation_shows_the_real_output_for_a_blocked_deletion() {
    let fixture = Fixture::new().await;
    let mut page = Page::of("docs/src/concepts/deletion.md");
    let mut transcript = Transcript::of(&fixture);
    fixture.ready("orders-api", iam()).await;
    fixture.event("orders-api", "UserCreated").await;

    fixture.aws.put_user("orders-api", json!({ "Status": "modifying" })).await;
    transcript.kubectl("delete ecu orders-api --wait=false").await;
    fixture.reason("orders-api", "WaitingForUserActive").await;
    fixture.event("orders-api", "WaitingForUserActive").await;
    page.section("modifying", &transcript.look().await);

    let refusal = Rule::on("DeleteUser").error("InvalidUserState", 400).always();
    fixture.aws.fault(refusal).await;
    fixture.aws.put_user("orders-api", json!({ "Status": "active" })).await;
    fixture.reason("orders-api", "InvalidUserState").await;
    fixture.event("orders-api", "InvalidUserState").await;
    page.section("refused", &from_conditions(&transcript.look().await));

    fixture.aws.settings(json!({ "delete-time": "1h" })).await;
    fixture.aws.clear_faults().await;
    fixture.shows("orders-api", "deleting", |object| object["status"]["state"] == "deleting").await;
    fixture.event("orders-api", "DeletionStarted").await;
    page.section("deleting", &from_conditions(&transcript.look().await));

    fixture.aws.remove_user("orders-api").await;
    fixture.gone("orders-api").await;
    fixture.event("orders-api", "UserDeleted").await;
    transcript.kubectl("get ecu").await;
    transcript.kubectl("get events").await;
    page.section("gone", &transcript.text);

    page.hold();
    fixture.end().await;
}

#[tokio::test]
async fn the_documentation_shows_the_real_output_for_the_default_user_of_a_group() {
    let fixture = Fixture::new().await;
    let mut page = Page::of("docs/src/concepts/deletion.md");
    let mut transcript = Transcript::of(&fixture);
    fixture.secret("orders-default", PASSWORD).await;
    fixture
        .ready("orders-default", with(with_password("orders-default"), json!({ "userName": "default" })))
        .await;
    fixture.aws.put_group("orders", json!({ "UserIds": ["orders-default"] })).await;
    transcript.kubectl("delete ecu orders-default --wait=false").await;
    fixture.reason("orders-default", "DefaultUserInGroup").await;
    fixture.event("orders-default", "DefaultUserInGroup").await;
    transcript.kubectl("get ecu").await;
    transcript.kubectl("get events").await;
    page.section("group", &transcript.text);
    fixture.aws.remove_group("orders").await;
    fixture.gone("orders-default").await;
    page.hold();
    fixture.end().await;
}
