//! CreateUser without a look at the user before it: AWS itself says whether a user of this ID exists.

use plan::pass::{Request, Response};
use plan::verdict::Outcome;
use plan::*;

use crate::common::plans::missing_secret;
use crate::common::*;
use crate::world::{World, name, world};

/// An object that nothing is known of. AWS has no user of its ID.
fn new_object() -> World {
    let mut world = World { user: None, ..world() };
    world.object.status = Status { observed_generation: Some(-1), ..Status::default() };
    world.object.has_finalizer = false;
    world
}

/// Without log lines and events.
fn asked(world: &World) -> Vec<&'static str> {
    world
        .asked
        .iter()
        .copied()
        .filter(|asked| !["Log", "Publish", "IdentifyCaller"].contains(asked))
        .collect()
}

fn reason(world: &World) -> String {
    world.object.status.condition(ConditionType::Ready).unwrap().reason.clone()
}

/// A pass in which AWS answers each CreateUser like this.
fn pass_with(world: &mut World, outcome: &Outcome) {
    let outcome = outcome.clone();
    world.pass(|_, request| (name(request) == "CreateUser").then(|| Response::Called(outcome.clone())));
    world.now += std::time::Duration::from_secs(3600);
}

#[test]
fn a_new_object_costs_one_call_and_gets_the_finalizer_once_the_token_is_there() {
    let mut world = new_object();
    let finish = world.quiet_pass();
    let expected = ["AcquireToken", "AddFinalizer", "WriteStatus", "CreateUser", "WriteStatus"];
    assert_eq!(asked(&world), expected);
    assert!(finish.is_settled && reason(&world) == "Active", "{finish:?}");
}

#[test]
fn the_secret_is_read_while_the_pass_holds_the_token() {
    let mut world = new_object();
    let Authentication::Password(secret) = password() else { panic!("not a password") };
    world.goal = present_with(Authentication::Password(Err(SecretProblem::NotRead)));
    world.secret = secret;
    world.quiet_pass();
    assert_eq!(asked(&world)[..3], ["AcquireToken", "ReadPasswords", "AddFinalizer"]);
    assert_eq!(world.count("CreateUser"), 1, "{:?}", world.asked);
}

#[test]
fn without_a_token_or_credentials_an_object_gets_no_finalizer() {
    let mut stopped = new_object();
    stopped.pass(|_, request| matches!(request, Request::AcquireToken).then_some(Response::Ending));
    assert!(!stopped.object.has_finalizer, "{:?}", stopped.asked);
    let mut unsigned = new_object();
    unsigned.pass(|_, request| {
        let account = match request {
            Request::IdentifyCaller => Account::NotAsked,
            Request::Identify => Account::Failed(credentials()),
            _ => return None,
        };
        let (region, credentials) = ("us-east-1".into(), CredentialsId(0));
        Some(Response::Identified(CallSource { region, credentials, account }))
    });
    assert_eq!(reason(&unsigned), "CredentialsUnavailable");
    assert!(!unsigned.object.has_finalizer && !unsigned.has_mutated(), "{:?}", unsigned.asked);
}

struct Existing {
    claim: &'static str,
    tags: Tags,
    /// What AWS answers to ListTagsForResource; `None`: the tags.
    unread: Option<TagsObservation>,
    reason: &'static str,
    finalizer: bool,
}

#[test]
fn a_user_that_exists_is_looked_at_in_the_same_pass_and_holds_the_object_only_if_it_may_be_ours() {
    let row = |claim, tags, reason, finalizer| Existing { claim, tags, unread: None, reason, finalizer };
    let rows = [
        row("ours: the object was applied again, or lost its status", our_tags(), "Active", true),
        row("another's", anothers_tags(), "UserOwnedByAnother", false),
        row("nobody's", Tags::new(), "UserAlreadyExists", false),
        Existing {
            unread: Some(TagsObservation::Failed(throttled())),
            ..row("nobody knows whose", our_tags(), "Throttled", true)
        },
    ];
    for Existing { claim, tags, unread, reason: expected, finalizer } in rows {
        let mut world = World { user: Some(active()), tags, other: OwnerObservation::Exists, ..new_object() };
        world.pass(|_, request| {
            matches!(request, Request::ListTags(_)).then(|| unread.clone().map(Response::Tags)).flatten()
        });
        assert_eq!(reason(&world), expected, "{claim}: {:?}", world.asked);
        assert_eq!(world.object.has_finalizer, finalizer, "{claim}: {:?}", world.asked);
        let calls = ["CreateUser", "DescribeUser", "ListTags"].map(|call| world.count(call));
        assert_eq!(calls, [1, 1, 1], "{claim}: {:?}", world.asked);
        let status = &world.object.status;
        assert_eq!(
            (status.create_requested_at, status.arn.is_some()),
            (None, expected == "Active"),
            "{claim}"
        );
        assert_eq!(status.location().is_some(), expected == "Active", "{claim}");
        // Even if another process goes on, and if the spec changes.
        for memory in [world.memory.clone(), Memory::default()] {
            let mut later = World { memory, asked: Vec::new(), ..world.clone() };
            later.edit(|object| object.generation = Some(2));
            later.now += std::time::Duration::from_secs(3600);
            later.quiet_pass();
            assert_eq!(later.count("CreateUser"), 0, "{claim}: {:?}", later.asked);
        }
    }
}

struct Refused {
    claim: &'static str,
    outcome: Outcome,
    /// Whose user AWS has; `None`: it has none.
    tags: Option<Tags>,
    reason: &'static str,
    looks: usize,
}

#[test]
fn after_a_refusal_that_a_user_may_be_behind_the_same_pass_looks_for_it_and_sends_no_other_create_user() {
    let failed = |fault| Outcome::Failed(fault);
    let quota = || failed(rejected(Rejection::Quota));
    let row = |claim, outcome, tags, reason| Refused { claim, outcome, tags, reason, looks: 1 };
    let rows = [
        row("it went meanwhile", Outcome::AlreadyExists, None, "Creating"),
        row("the role may create no user", failed(denied()), None, "AccessDenied"),
        row(
            "IAM denies it because of its tags",
            failed(denied()),
            Some(anothers_tags()),
            "UserOwnedByAnother",
        ),
        row("there is no place for a user", quota(), None, "QuotaExceeded"),
        row("there is no place, and ours is there", quota(), Some(our_tags()), "Active"),
        Refused { looks: 0, ..row("too many calls", failed(throttled()), Some(our_tags()), "Throttled") },
        Refused { looks: 0, ..row("no answer", failed(unavailable()), Some(our_tags()), "AWSUnavailable") },
        Refused {
            looks: 0,
            ..row("no credentials", failed(credentials()), Some(our_tags()), "CredentialsUnavailable")
        },
    ];
    for Refused { claim, outcome, tags, reason: expected, looks } in rows {
        let mut world = World { other: OwnerObservation::Exists, ..new_object() };
        world.user = tags.as_ref().map(|_| active());
        world.tags = tags.unwrap_or_default();
        pass_with(&mut world, &outcome);
        assert_eq!(reason(&world), expected, "{claim}: {:?}", world.asked);
        let calls = ["CreateUser", "DescribeUser"].map(|call| world.count(call));
        assert_eq!(calls, [1, looks], "{claim}: {:?}", world.asked);
    }
}

struct Known {
    claim: &'static str,
    change: fn(&mut World),
    looks: bool,
}

/// What is known of the user before the pass.
fn known() -> Vec<Known> {
    let refused = |world: &mut World| pass_with(world, &Outcome::Failed(rejected(Rejection::Quota)));
    let adopts = |world: &mut World| {
        world.goal = Goal::Present(Desired { adoption: Adoption::Allowed, ..desired() });
    };
    let waits_for_secret = |world: &mut World| {
        world.goal = missing_secret();
        world.quiet_pass();
        world.goal = present();
    };
    vec![
        Known { claim: "a new object", change: |_| {}, looks: false },
        Known { claim: "it adopts", change: adopts, looks: true },
        Known { claim: "AWS refused CreateUser", change: refused, looks: true },
        Known {
            claim: "AWS throttled CreateUser",
            change: |world| pass_with(world, &Outcome::Failed(throttled())),
            looks: false,
        },
        Known {
            claim: "the answer was lost",
            change: |world| pass_with(world, &Outcome::Failed(unavailable())),
            looks: true,
        },
        Known {
            claim: "it waited for its Secret, and AWS was asked then",
            change: waits_for_secret,
            looks: false,
        },
        Known {
            claim: "an earlier process said something of it",
            change: |world| world.object.status.observed_generation = Some(1),
            looks: true,
        },
        Known {
            claim: "its location is in status",
            change: |world| {
                let location = Location { account: None, region: "us-east-1".into() };
                world.object.status.location = Some(location);
            },
            looks: true,
        },
        Known {
            claim: "somebody wiped its status, and this process knows its user",
            change: |world| {
                world.quiet_pass();
                world.edit(|object| object.status = Status::default());
            },
            looks: true,
        },
        Known {
            claim: "its user ID is not allowed",
            change: |world| {
                let rule = BrokenRule::UserId { user_id: id(), prefix: "shop-".into() };
                world.goal = Goal::Present(Desired { broken_rules: vec![rule], ..desired() });
            },
            looks: true,
        },
    ]
}

#[test]
fn the_user_is_looked_at_first_if_anything_is_known_of_it_or_was_refused() {
    for Known { claim, change, looks } in known() {
        let mut world = new_object();
        change(&mut world);
        world.asked.clear();
        world.quiet_pass();
        assert_eq!(world.count("DescribeUser") > 0, looks, "{claim}: {:?}", world.asked);
    }
}

#[test]
fn other_credentials_than_those_of_sts_sign_no_create_user() {
    let mut world = new_object();
    let mut signers = Vec::new();
    world.pass(|_, request| {
        let Request::Call { credentials, .. } = request else { return None };
        signers.push(*credentials);
        (signers.len() == 1).then_some(Response::Called(Outcome::CredentialsChanged))
    });
    assert_eq!(signers, [CredentialsId(1); 2]);
    assert_eq!(world.count("IdentifyCaller"), 2, "{:?}", world.asked);
    assert_eq!(reason(&world), "Active");
}

#[test]
fn a_wiped_status_has_its_conditions_again_with_the_next_create_user() {
    let mut world = new_object();
    pass_with(&mut world, &Outcome::Failed(throttled()));
    world.edit(|object| object.status = Status::default());
    let mut shown = Vec::new();
    world.pass(|_, request| {
        if let Request::WriteStatus(status) = request {
            shown.push(status.condition(ConditionType::Ready).is_some());
        }
        None
    });
    assert_eq!(shown, [true, true], "{:?}", world.asked);
}
