//! Objects that the release before `status.location` and `status.deleteRequestedAt` wrote (commit f9e5a62) are read without
//! loss. Each file in `recorded/` has an object, as `kubectl get -o json` showed it, and its AWS user, as the emulator had it.

pub(crate) mod drive;

use elasticache_user_operator::api::ElastiCacheUser;
use elasticache_user_operator::kubernetes::{facts, status};
use plan::pass::Request;
use plan::{DeletionProgress, Location, Mutation, ObjectFacts, Readiness, Requester};
use serde_json::{Value, json};

use self::drive::{Driven, IDENTITY, drive};
use crate::fixture::{ACCOUNT, REGION};
use crate::repository;

/// A recorded object with its AWS user.
pub(crate) struct Recorded {
    pub(crate) raw: Value,
    object: ElastiCacheUser,
    facts: ObjectFacts,
    pub(crate) user: Value,
}

impl Recorded {
    pub(crate) fn read(file: &str) -> Self {
        let text = repository::read(&format!("tests/it/recorded/{file}.json"));
        let mut recorded: Value = serde_json::from_str(&text).unwrap();
        let raw = recorded["object"].take();
        let object: ElastiCacheUser = serde_json::from_value(raw.clone()).unwrap();
        Self { facts: facts(&object), raw, object, user: recorded["user"].take() }
    }

    pub(crate) fn names() -> Vec<String> {
        let files = std::fs::read_dir(repository::path("tests/it/recorded")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            names.filter_map(|name| Some(name.strip_suffix(".json")?.to_owned())).collect();
        names.sort();
        names
    }
}

/// What this release reads from a recorded object.
struct Row {
    file: &'static str,
    readiness: Readiness,
    /// Whether the ARN in status shows the location of the user.
    located: bool,
    /// Whether `lastApplied` shows that the object manages the user.
    manages: bool,
    deletion: DeletionProgress,
}

impl Row {
    fn at_rest(file: &'static str) -> Self {
        let deletion = DeletionProgress::NotRequested;
        Self { file, readiness: Readiness::Ready, located: true, manages: true, deletion }
    }

    /// An object that manages no user.
    fn without_user(file: &'static str) -> Self {
        let readiness = Readiness::NotReady;
        Self { readiness, located: false, manages: false, ..Self::at_rest(file) }
    }

    fn not_ready(file: &'static str) -> Self {
        Self { readiness: Readiness::NotReady, ..Self::at_rest(file) }
    }

    /// The release before wrote the intent of a DeleteUser, and may have sent the call.
    fn requested(file: &'static str) -> Self {
        let deletion = DeletionProgress::Requested(Requester::Another);
        Self { manages: false, deletion, ..Self::not_ready(file) }
    }
}

fn rows() -> [Row; 22] {
    [
        Row::at_rest("ready-iam"),
        Row::at_rest("ready-password"),
        Row::at_rest("ready-no-password"),
        Row::at_rest("ready-tags"),
        Row::at_rest("suspended-ready"),
        Row { manages: false, ..Row::at_rest("observed") },
        Row { manages: false, ..Row::not_ready("observe-differs") },
        Row::without_user("observe-user-missing"),
        Row::without_user("stalled-invalid-password"),
        Row::without_user("stalled-user-already-exists"),
        Row::not_ready("stalled-wrong-account"),
        Row::without_user("creating-announced"),
        Row::without_user("creating-answer-lost"),
        Row::without_user("throttled-creating"),
        Row::not_ready("modifying"),
        Row::not_ready("terminating-protected"),
        Row::not_ready("terminating-waiting-for-user-active"),
        Row::not_ready("terminating-stalled-before"),
        Row::requested("terminating-announced"),
        Row::requested("terminating-invalid-user-state"),
        Row::requested("terminating-throttled"),
        Row {
            deletion: DeletionProgress::Accepted(Requester::Another),
            ..Row::requested("terminating-deleting")
        },
    ]
}

#[test]
fn an_object_of_the_release_before_is_read_without_loss() {
    for row in rows() {
        let (file, Recorded { facts, raw, .. }) = (row.file, Recorded::read(row.file));
        let read = &facts.status;
        assert_eq!(Readiness::of(read, facts.generation, None), row.readiness, "{file}");
        assert_eq!(DeletionProgress::of(read, IDENTITY, None), row.deletion, "{file}");
        let home = Location { account: Some(ACCOUNT.to_owned()), region: REGION.to_owned() };
        assert_eq!(read.location(), row.located.then_some(home), "{file}");
        assert_eq!(read.manages(), row.manages, "{file}");
        let terminating = raw["metadata"]["deletionTimestamp"].is_string();
        assert_eq!(facts.terminating, terminating, "{file}");

        // The status that is written back is the recorded one, except that the intent of a DeleteUser now has its own field.
        let mut written = serde_json::to_value(status(read)).unwrap();
        let announced = written.as_object_mut().unwrap().remove("deleteRequestedAt");
        assert_eq!(announced.is_some(), row.deletion.is_requested(), "{file}");
        assert_eq!(written, raw["status"], "{file}");
    }
}

#[test]
fn every_recorded_object_has_a_row_in_the_table() {
    let rows: Vec<&str> = rows().iter().map(|row| row.file).collect();
    let unnamed: Vec<String> =
        Recorded::names().into_iter().filter(|name| !rows.contains(&name.as_str())).collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
}

/// The writes and calls of a pass of this release, in short.
fn effects(driven: &Driven) -> Vec<&'static str> {
    let name = |request: &Request| {
        let Request::Call { mutation, .. } = request else { return request.name() };
        match mutation.as_ref() {
            Mutation::Create(_) => "CreateUser",
            Mutation::Modify(_) => "ModifyUser",
            Mutation::Tag(_) => "AddTagsToResource",
            Mutation::Untag(_) => "RemoveTagsFromResource",
            Mutation::Delete(_) => "DeleteUser",
        }
    };
    driven.effects.iter().map(name).collect()
}

/// Checks that the pass wrote nothing except a message with a new wording and the location that the ARN already shows.
fn assert_rests(file: &str, recorded: &Recorded, driven: &Driven) {
    for effect in &driven.effects {
        let Request::WriteStatus(written) = effect else { panic!("{file}: {effect:#?}") };
        let (mut before, mut written) = (recorded.facts.status.clone(), written.as_ref().clone());
        (before.location, written.location) = (before.location(), written.location());
        for condition in before.conditions.iter_mut().chain(&mut written.conditions) {
            condition.message.clear();
        }
        assert_eq!(written, before, "{file}");
    }
    assert!(driven.finish.memory.is_some(), "{file}: the object stays");
}

#[tokio::test]
async fn nothing_is_written_to_a_recorded_object_at_rest() {
    let at_rest = [
        "ready-iam",
        "ready-password",
        "ready-no-password",
        "ready-tags",
        "suspended-ready",
        "observed",
        "observe-differs",
        "observe-user-missing",
        "stalled-invalid-password",
        "stalled-user-already-exists",
        "modifying",
        "terminating-protected",
        "terminating-waiting-for-user-active",
        "terminating-deleting",
    ];
    for file in at_rest {
        let recorded = Recorded::read(file);
        assert_rests(file, &recorded, &drive(&recorded, ACCOUNT).await);
    }
    // The credentials belong to the account in which the object was recorded.
    let recorded = Recorded::read("stalled-wrong-account");
    assert_rests("stalled-wrong-account", &recorded, &drive(&recorded, "999988887777").await);
}

#[tokio::test]
async fn a_recorded_deletion_goes_on_after_this_process_has_written_its_own_intent() {
    let deletions = [
        "terminating-announced",
        "terminating-invalid-user-state",
        "terminating-throttled",
        "terminating-stalled-before",
    ];
    for file in deletions {
        let driven = drive(&Recorded::read(file), ACCOUNT).await;
        assert_eq!(effects(&driven), ["WriteStatus", "DeleteUser", "WriteStatus"], "{file}");
        let Request::WriteStatus(announced) = &driven.effects[0] else { unreachable!() };
        assert_eq!(announced.delete_requested_by.as_deref(), Some(IDENTITY), "{file}");
        assert!(announced.delete_requested_at.is_some() && !announced.manages(), "{file}");
    }
}

#[tokio::test]
async fn a_recorded_creation_whose_user_exists_becomes_ready_without_another_create_user() {
    let driven = drive(&Recorded::read("creating-answer-lost"), ACCOUNT).await;
    assert_eq!(effects(&driven), ["WriteStatus"]);
    let Request::WriteStatus(ready) = &driven.effects[0] else { unreachable!() };
    assert!(ready.manages() && ready.arn.is_some() && ready.location.is_some(), "{ready:#?}");
    assert_eq!(Readiness::of(ready, Some(1), None), Readiness::Ready);
}

#[tokio::test]
async fn a_recorded_creation_whose_user_is_absent_delays_the_deletion() {
    let mut recorded = Recorded::read("creating-announced");
    let deleted = recorded.facts.status.create_requested_at.map(|_| json!("2026-11-30T00:00:00Z"));
    recorded.raw["metadata"]["deletionTimestamp"] = deleted.unwrap();
    recorded.object = serde_json::from_value(recorded.raw.clone()).unwrap();
    recorded.facts = facts(&recorded.object);
    let driven = drive(&recorded, ACCOUNT).await;
    assert!(!effects(&driven).contains(&"RemoveFinalizer"), "{:#?}", driven.effects);
}
