//! Follows the how-tos of the documentation: applies their YAML and runs their commands.

mod guides;

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::adopting::two_namespaces;
use crate::fixture::{Fixture, PASSWORD, Setup, condition, iam, iam_user, until, with};
use crate::policies::ended;
use crate::{control_plane, repository};

/// The pages whose commands these tests run. No other page has blocks of `sh`.
pub(crate) const FOLLOWED: [&str; 8] = [
    "how-to/adopt-from-terraform-or-ack",
    // Followed by tests/it/iam/role.rs.
    "how-to/iam",
    "how-to/keep-the-user",
    "how-to/rename-or-move",
    "how-to/rotate-passwords",
    "how-to/suspend-and-observe",
    "how-to/undo-a-deletion",
    "troubleshooting",
];

/// A block of a page that a reader uses.
enum Piece {
    /// A file with the name that the page uses later.
    Yaml(String),
    /// Commands.
    Shell(String),
}

/// The blocks of a page, in order. Blocks that need another program than kubectl have another language on the page.
fn pieces(page: &str) -> Vec<Piece> {
    assert!(FOLLOWED.contains(&page), "{page} is not listed");
    let text = repository::read(&format!("docs/src/{page}.md"));
    let fenced = text.split("\n```").skip(1).step_by(2);
    let pieces = fenced.filter_map(|block| {
        let (kind, body) = block.split_once('\n').unwrap();
        match kind {
            "yaml" => Some(Piece::Yaml(body.to_owned())),
            "sh" => Some(Piece::Shell(body.to_owned())),
            "hcl" | "console" | "text" => None,
            other => panic!("a block of {other}"),
        }
    });
    pieces.collect()
}

/// A reader of a page. The reader's namespaces have other names than those on the page.
struct Reader {
    folder: tempfile::TempDir,
    names: Vec<(&'static str, String)>,
}

impl Reader {
    fn new(names: &[(&'static str, &Fixture)]) -> Self {
        let names = names.iter().map(|(name, fixture)| (*name, fixture.ns.clone())).collect();
        Self { folder: tempfile::tempdir().unwrap(), names }
    }

    fn here(&self, text: &str) -> String {
        let places = ["--namespace ", "namespace: "];
        let names = self.names.iter().flat_map(|(name, ns)| places.map(|place| (place, name, ns)));
        names.fold(text.to_owned(), |text, (place, name, ns)| {
            text.replace(&format!("{place}{name}"), &format!("{place}{ns}"))
        })
    }

    /// Runs the commands of the piece, even if they fail.
    async fn tries(&self, piece: &Piece) -> Output {
        let Piece::Shell(text) = piece else { panic!("no command") };
        let plane = control_plane::shared();
        let kubectl = plane.kubectl();
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &self.here(text)]).current_dir(self.folder.path());
        shell.env("PATH", format!("{}:/usr/bin:/bin", plane.bin_dir().display()));
        shell.envs(kubectl.get_envs().filter_map(|(name, value)| Some((name, value?))));
        control_plane::output(shell).await
    }

    /// Executes the piece and returns its output. Every command must succeed.
    async fn follow(&self, piece: &Piece) -> String {
        match piece {
            Piece::Yaml(text) => {
                fs::write(self.folder.path().join("orders-api.yaml"), self.here(text)).unwrap();
                String::new()
            }
            Piece::Shell(text) => {
                let Output { status, stdout, stderr } = self.tries(piece).await;
                let said = String::from_utf8_lossy(&stderr);
                assert!(status.success(), "{text}: {said}");
                assert!(!said.contains("Warning"), "{text}: {said}");
                String::from_utf8(stdout).unwrap()
            }
        }
    }
}

/// A fixture without an operator, whose users may stay at the end.
async fn fixture_without_operator() -> Fixture {
    Fixture::without_operator(Setup::leaving_users()).await
}

/// The user in the emulator, without its tags and its version.
async fn all_but_tags(fixture: &Fixture, id: &str) -> Option<Value> {
    let mut user = fixture.aws.user(id).await?;
    let members = user.as_object_mut()?;
    members.remove("Tags");
    members.remove("Version");
    Some(user)
}

/// A user as Terraform made it.
fn terraforms() -> Value {
    let access = "on ~orders:* -@all +@read +@write";
    with(iam_user(), json!({ "AccessString": access, "Tags": { "made-by": "terraform" } }))
}

/// The spec of the page's user.
fn orders() -> Value {
    with(iam(), json!({ "accessString": "on ~orders:* -@all +@read +@write" }))
}

#[tokio::test]
async fn the_guide_takes_a_user_over_from_terraform_or_ack() {
    let fixture = fixture_without_operator().await;
    fixture.start_with(&[
        ("ELASTICACHE_USERS_ADOPTION_NAMESPACE", fixture.ns.clone()),
        ("ELASTICACHE_USERS_RESYNC", "1s".to_owned()),
    ]);
    fixture.aws.put_user("orders-api", terraforms()).await;
    let before = all_but_tags(&fixture, "orders-api").await;
    let reader = Reader::new(&[("shop", &fixture)]);
    let pieces = pieces("how-to/adopt-from-terraform-or-ack");
    let takes_over = |piece: &Piece| matches!(piece, Piece::Shell(text) if text.contains("patch"));
    let take_over = pieces.iter().position(takes_over).unwrap();
    for (index, piece) in pieces.iter().enumerate() {
        if index == take_over {
            let object = fixture.reason("orders-api", "Observed").await;
            assert!(object["metadata"]["finalizers"].is_null(), "{object:#}");
            assert!(fixture.aws.mutations().await.is_empty(), "a preview changes nothing");
        }
        reader.follow(piece).await;
    }
    assert_eq!(fixture.aws.changes().await, ["AddTagsToResource"]);
    assert!(all_but_tags(&fixture, "orders-api").await == before, "more than tags was changed");
    assert_eq!(fixture.aws.user("orders-api").await.unwrap()["Tags"]["made-by"], "terraform");
    // kubectl's list of events may not have the newest event yet.
    let events = pieces.last().unwrap();
    until("kubectl shows the event Adopted", async || reader.follow(events).await.contains("Adopted")).await;
    ended(fixture).await;
}

#[tokio::test]
async fn a_user_with_the_same_passwords_is_taken_over_without_an_outage() {
    let fixture = fixture_without_operator().await;
    fixture.start_with(&[
        ("ELASTICACHE_USERS_ADOPTION_NAMESPACE", fixture.ns.clone()),
        ("ELASTICACHE_USERS_RESYNC", "1s".to_owned()),
    ]);
    let password = json!({ "Passwords": [PASSWORD], "Authentication": { "Type": "password" } });
    fixture.aws.put_user("orders-api", with(terraforms(), password)).await;
    fixture.secret("orders-api", PASSWORD).await;
    let before = all_but_tags(&fixture, "orders-api").await;
    let reader = Reader::new(&[("shop", &fixture)]);
    for piece in pieces("how-to/adopt-from-terraform-or-ack") {
        let piece = match piece {
            Piece::Yaml(text) => Piece::Yaml(text.replace(
                "type: iam\n",
                "type: password\n    passwords:\n      - secretKeyRef: {name: orders-api, key: password}\n",
            )),
            piece @ Piece::Shell(_) => piece,
        };
        reader.follow(&piece).await;
    }
    assert_eq!(fixture.aws.changes().await, ["AddTagsToResource", "ModifyUser"]);
    let sent = &fixture.aws.mutations().await[1]["Params"];
    assert!(sent["AccessString"].is_null() && sent["Engine"].is_null(), "only the passwords are sent");
    assert!(sent.to_string().contains(PASSWORD), "the Secret's password is not sent");
    assert!(all_but_tags(&fixture, "orders-api").await == before, "a change that clients would notice");
    ended(fixture).await;
}

#[tokio::test]
async fn the_guide_renames_and_moves_an_object_without_losing_its_user() {
    let (shop, checkout) = two_namespaces(true).await;
    shop.ready("orders", orders()).await;
    let before = all_but_tags(&shop, "orders").await;
    let reader = Reader::new(&[("shop", &shop), ("checkout", &checkout)]);
    for piece in pieces("how-to/rename-or-move") {
        reader.follow(&piece).await;
    }
    let object = checkout.wait_ready("orders-api").await;
    assert_eq!(condition(&object, "Ready").unwrap()["reason"], "Active");
    assert_eq!(shop.aws.changes().await, ["CreateUser", "AddTagsToResource"]);
    assert!(all_but_tags(&shop, "orders").await == before, "more than tags was changed");
    ended(shop).await;
    checkout.end().await;
}

#[tokio::test]
async fn the_guide_to_rename_an_object_works_if_the_new_object_is_applied_first() {
    let (shop, checkout) = two_namespaces(true).await;
    shop.ready("orders", orders()).await;
    let reader = Reader::new(&[("shop", &shop), ("checkout", &checkout)]);
    let pieces = pieces("how-to/rename-or-move");
    let [leave, file, apply] = pieces.as_slice() else { panic!("{} pieces", pieces.len()) };
    let waiting = tokio::join!(
        async {
            reader.follow(file).await;
            reader.follow(apply).await
        },
        async {
            checkout.reason("orders-api", "UserOwnedByAnother").await;
            reader.follow(leave).await
        }
    );
    drop(waiting);
    checkout.wait_ready("orders-api").await;
    assert_eq!(shop.aws.changes().await, ["CreateUser", "AddTagsToResource"]);
    ended(shop).await;
    checkout.end().await;
}
