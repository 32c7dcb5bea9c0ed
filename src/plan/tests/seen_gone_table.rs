//! What a process makes of a user that appears after it saw UserNotFound, if status could not be written since.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::sync::Arc;

use common::*;
use plan::pass::{Request, Response, Settings};
use plan::*;

struct Row {
    claim: &'static str,
    /// Status when this process saw UserNotFound, and later when the new user appears.
    status: [Status; 2],
    terminating: bool,
    /// The first request of the later pass that changes something, after it read a user without tags.
    expected: &'static str,
}

/// Status of an object that created the user, or that has none yet.
fn status(manages: bool) -> Status {
    let record = if manages { managed() } else { Record::default() };
    let reported = record.reported.as_ref();
    Status {
        user_name: reported.map(|it| it.user_name.clone()),
        engine: reported.map(|it| it.engine.clone()),
        authentication_type: reported.map(|it| it.authentication_type.clone()),
        access_string: reported.map(|it| it.access_string.clone()),
        state: record.arn.as_ref().map(|_| Lifecycle::Active),
        arn: record.arn,
        location: record.location,
        last_applied: record.last_applied,
        ..Status::default()
    }
}

/// Runs a pass in which every status write fails. Returns its first request that changes more than status, and its memory.
fn pass(
    status: &Status,
    terminating: bool,
    memory: Memory,
    user: &UserObservation,
) -> (&'static str, Memory) {
    let settings = Settings {
        pace: pace::Pace::default(),
        region: "us-east-1".into(),
        identity: "this process".into(),
        namespaces: vec![],
    };
    let object = ObjectFacts {
        uid: "uid-1".into(),
        version: ResourceVersion("7".into()),
        generation: Some(1),
        terminating,
        has_finalizer: true,
        status: status.clone(),
        ..ObjectFacts::default()
    };
    let (goal, now) = (if terminating { gone() } else { present() }, Now::default());
    let mut pass = Pass::new(Arc::new(settings), goal, object.clone(), memory, 0, now);
    let mut changes = "nothing";
    loop {
        let source = nothing_known().source;
        let response = match pass.next(now) {
            Request::Finish(finish) => return (changes, *finish.memory.unwrap_or_default()),
            Request::AcquireToken => Response::Token,
            Request::DescribeUser(_) => Response::Described(user.clone(), source),
            Request::ListTags(_) => Response::Tags(TagsObservation::Read(Tags::new())),
            Request::Identify | Request::IdentifyCaller => Response::Identified(source),
            Request::ReadDefinition => Response::Definition(Definition::Kept),
            Request::ReadObject => Response::Object(Some(Box::new(object.clone()))),
            Request::Call { mutation, .. } => {
                changes = if matches!(*mutation, Mutation::Tag(_)) { "tags" } else { "another call" };
                Response::Ending
            }
            Request::RemoveFinalizer => {
                changes = "releases";
                Response::Ending
            }
            Request::Log(_) | Request::Publish(_) => Response::Done,
            Request::WriteStatus(_) | Request::AddFinalizer => {
                Response::KubernetesFailed { what: "write", why: String::new() }
            }
            Request::ReadOwner(_) | Request::Resolve => panic!("nothing asks for this"),
        };
        pass.handle(response, now);
    }
}

#[test]
fn a_user_that_appears_after_user_not_found_is_ours_only_if_status_was_written_since() {
    let row = |claim, before, after, terminating, expected| Row {
        claim,
        status: [status(before), status(after)],
        terminating,
        expected,
    };
    let rows = [
        row("status is of the former user: leave the new one alone", true, true, false, "nothing"),
        row("the same, and the object goes: release it", true, true, true, "releases"),
        row("another process created the user since: restore its tags", false, true, false, "tags"),
        row("the same, and the object goes: restore its tags, then delete it", false, true, true, "tags"),
    ];
    for Row { claim, status: [before, after], terminating, expected } in rows {
        let (_, memory) = pass(&before, false, Memory::default(), &UserObservation::Absent);
        let (changes, _) = pass(&after, terminating, memory, &UserObservation::Found(active()));
        assert_eq!(changes, expected, "{claim}");
    }
}
