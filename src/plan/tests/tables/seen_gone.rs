//! What a process remembers of UserNotFound, and what it makes of a user that appears later, if status could not be written
//! since.

use std::sync::Arc;

use plan::pass::{Request, Response, Settings};
use plan::*;

use crate::common::*;

const HOME: &str = "111111111111";
const OTHER: &str = "222222222222";

fn account(id: &str) -> Account {
    Account::Known(id.into())
}

struct Row {
    claim: &'static str,
    /// Status when this process saw UserNotFound, and later, each time with a user without tags.
    status: Vec<Status>,
    terminating: bool,
    /// The first request of the later pass that changes something, after it read a user without tags.
    expected: &'static str,
}

/// Status of an object that created the user, or that has none: then a CreateUser was sent too long ago to take effect, so the next
/// pass looks before it sends another one.
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
        create_requested_at: (!manages).then(|| Timestamp(Now::default().utc.0 - 3_600_000_000)),
        ..Status::default()
    }
}

/// What a pass finds.
struct Given {
    status: Status,
    terminating: bool,
    memory: Memory,
    user: UserObservation,
    tags: Tags,
    /// What STS answers.
    account: Account,
}

/// AWS has no user.
fn absent(status: Status) -> Given {
    let (memory, tags, account) = (Memory::default(), Tags::new(), account(HOME));
    Given { status, terminating: false, memory, user: UserObservation::Absent, tags, account }
}

/// Runs a pass in which every status write fails. Returns its first request that changes more than status, and its memory.
fn pass(given: Given) -> (&'static str, Memory) {
    let Given { status, terminating, memory, user, tags, account } = given;
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
        status,
        ..ObjectFacts::default()
    };
    let (goal, now) = (if terminating { gone() } else { present() }, Now::default());
    let mut pass = Pass::new(Arc::new(settings), goal, object.clone(), memory, 0, now);
    let mut changes = "nothing";
    loop {
        let source = |account| CallSource { account, ..nothing_known().source };
        let response = match pass.next(now) {
            Request::Finish(finish) => return (changes, *finish.memory.unwrap_or_default()),
            Request::AcquireToken => Response::Token,
            Request::DescribeUser(_) => Response::Described(user.clone(), source(Account::NotAsked)),
            Request::ListTags(_) => Response::Tags(TagsObservation::Read(tags.clone())),
            Request::Identify | Request::IdentifyCaller => Response::Identified(source(account.clone())),
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
            Request::Log(_) | Request::Publish(_) | Request::Count(_) => Response::Done,
            Request::WriteStatus(_) | Request::AddFinalizer => {
                Response::KubernetesFailed { what: "write", why: String::new() }
            }
            Request::ReadOwner(_) => Response::Owner(OwnerObservation::Unknown),
            Request::Resolve | Request::ReadPasswords | Request::ReadGroups(_) | Request::ReadNamesake(_) => {
                panic!("nothing asks for this")
            }
        };
        pass.handle(response, now);
    }
}

#[test]
fn a_user_that_appears_after_user_not_found_is_ours_only_if_status_was_written_since() {
    let row = |claim, manages: &[bool], terminating, expected| Row {
        claim,
        status: manages.iter().map(|manages| status(*manages)).collect(),
        terminating,
        expected,
    };
    let rows = [
        row("status is of the former user: leave the new one alone", &[true, true], false, "nothing"),
        row("the same, and the object goes: release it", &[true, true], true, "releases"),
        row("another process created the user since: restore its tags", &[false, true], false, "tags"),
        row("the same, and the object goes: restore its tags, then delete it", &[false, true], true, "tags"),
        row("the same after status showed that the former user is gone", &[true, false, true], false, "tags"),
    ];
    for Row { claim, status, terminating, expected } in rows {
        let mut status = status.into_iter();
        let (mut changes, mut memory) = pass(absent(status.next().unwrap()));
        for after in status {
            let user = UserObservation::Found(active());
            (changes, memory) = pass(Given { terminating, memory, user, ..absent(after) });
        }
        assert_eq!(changes, expected, "{claim}");
    }
}

/// This process read the tags of the user before.
fn knows(mut given: Given, owner: Option<Ownership>) -> Given {
    given.memory.owner = owner.map(|owner| Box::new((arn(), owner)));
    given
}

/// Whether the pass forgets the owner, ModifyUser, the user itself and its passwords.
fn forgets(given: Given) -> [bool; 4] {
    let mut given = knows(given, Some(Ownership::Ours));
    given.memory.modify_sent = true;
    given.memory.sent_passwords = Some(Passwords::new(Vec::new()));
    let (_, Memory { owner, modify_sent, seen_gone, sent_passwords, .. }) = pass(given);
    [owner.is_none(), !modify_sent, seen_gone, sent_passwords.is_none()]
}

/// A status of this process's CreateUser, which may still take effect.
fn open() -> Status {
    Status { create_requested_at: Some(Now::default().utc), ..status(true) }
}

#[test]
fn user_not_found_is_remembered_only_if_it_is_believed() {
    let abroad = || {
        let arn = arn_in("eu-west-1", HOME);
        Status { location: Some(Location::of(&arn)), arn: Some(arn), ..status(true) }
    };
    let rows = cases! {
        "the account of status": (status(true), account(HOME)) => true,
        "AWS does not show the account, so the region decides": (status(true), Account::Withheld) => true,
        "another account": (status(true), account(OTHER)) => false,
        "STS does not answer": (status(true), Account::Failed(unavailable())) => false,
        "another region": (abroad(), account(HOME)) => false,
        "a CreateUser of ours may still take effect": (open(), account(HOME)) => false,
    };
    for Case { claim, given: (status, account), expected } in rows {
        assert_eq!(forgets(Given { account, ..absent(status) }), [expected; 4], "{claim}");
    }
}

#[test]
fn a_user_that_aws_deletes_in_another_account_is_not_the_one_in_status() {
    for (id, is_ours) in [(HOME, true), (OTHER, false)] {
        let arn = arn_in("us-east-1", id);
        let user = UserObservation::Found(RemoteUser { arn, ..user(Lifecycle::Deleting) });
        let forgotten = forgets(Given { user, ..absent(status(true)) });
        assert_eq!(forgotten, [is_ours, is_ours, false, false], "{id}");
    }
}

/// If AWS does not show the account, a user of this ID may be in another account, and ours may still appear.
#[test]
fn only_a_user_of_ours_settles_a_creation() {
    let another = || Ownership::Another(owner_named("other"));
    let rows = cases! {
        "its tags are read as ours": (Lifecycle::Active, owner_tags(), None) => true,
        "its tags are read as another's": (Lifecycle::Active, anothers_tags(), None) => false,
        "its tags were read as ours before": (Lifecycle::Modifying, Tags::new(), Some(Ownership::Ours)) => true,
        "its tags were read as another's before": (Lifecycle::Modifying, Tags::new(), Some(another())) => false,
    };
    for Case { claim, given: (lifecycle, tags, owner), expected } in rows {
        let user = UserObservation::Found(user(lifecycle));
        let status = Status { create_requested_at: open().create_requested_at, ..status(false) };
        let (_, memory) = pass(knows(Given { user, tags, ..absent(status) }, owner));
        assert_eq!(memory.creation_settled.is_some(), expected, "{claim}");
    }
}
