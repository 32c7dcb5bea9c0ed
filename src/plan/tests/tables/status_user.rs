//! `status_user`: what status may say about the user after a pass.

use plan::*;

use crate::common::plans::*;
use crate::common::*;

struct Row {
    claim: &'static str,
    goal: Goal,
    seen: Observed,
    action: Action,
    shows: StatusUser,
}

fn check(rows: Vec<Row>) {
    for Row { claim, goal, seen, action, shows } in rows {
        assert_eq!(status_user(&goal, &seen, &action), shows, "{claim}");
    }
}

fn observes() -> Goal {
    Goal::ObserveOnly(desired())
}

/// A pass over an object of this goal ends with this action, and status keeps its user.
fn keeps(goal: Goal, action: Action) -> Row {
    Row { claim: "", goal, seen: nothing_known(), action, shows: StatusUser::Keep }
}

fn other_rules() -> Observed {
    nothing_known().seen(user_with(|user| user.access_string = "off".into()))
}

fn other_arn() -> Observed {
    nothing_known().seen(user_with(|user| user.arn = arn_in("eu-west-1", "111111111111")))
}

fn unmanaged() -> Record {
    Record { last_applied: None, ..managed() }
}

fn place() -> WrongLocation {
    elsewhere(arn(), "eu-west-1", Some("111111111111"))
}

fn refused() -> Action {
    refuse(Refusal::WrongLocation(place()))
}

#[test]
fn status_shows_a_user_only_if_it_is_known_to_be_the_objects() {
    let deleting = || wait(Wait::UserDeleting);
    let requested = || Record { deletion: requested_by_another(), ..unmanaged() };
    let in_sync = || keeps(present(), Action::InSync);
    check(rows! { in_sync();
        { claim: "this pass read our owner tags", seen: active_seen().tagged(owner_tags()), shows: StatusUser::Show },
        { claim: "this pass read our owner tags, whatever else changed", seen: other_rules().tagged(owner_tags()), shows: StatusUser::Show },
        { claim: "the user has everything that status reports of ours", seen: active_seen().record(managed()), shows: StatusUser::Show },
    });
    check(rows! { keeps(present(), fetch_tags());
        { claim: "another access string than status reports", seen: other_rules().record(managed()) },
        { claim: "another ARN than status reports", seen: other_arn().record(managed()), action: refused() },
        { claim: "nothing was applied to the user of status", seen: active_seen().record(unmanaged()) },
        { claim: "only an earlier pass read our owner tags", seen: active_seen().remembering(Ownership::Ours) },
        { claim: "an unowned user", seen: active_seen().tagged(Tags::new()), action: already_exists() },
        { claim: "another object's user", seen: active_seen().tagged(anothers_tags()), action: owned_by_another() },
    });
    check(rows! { keeps(gone(), deleting());
        { claim: "terminating: this pass read our owner tags", seen: active_seen().tagged(owner_tags()), shows: StatusUser::Show },
        { claim: "terminating: AWS deletes the user after our request, which removed lastApplied",
          seen: in_state(Lifecycle::Deleting).record(requested()), shows: StatusUser::Show },
        { claim: "terminating: a user that looks like it and that AWS does not delete", seen: active_seen().record(requested()), action: fetch_tags() },
        { claim: "terminating: AWS accepted the deletion of the user of status, so this is another one",
          seen: active_seen().record(Record { deletion: accepted_by_another(), ..managed() }), action: fetch_tags() },
    });
}

#[test]
fn a_user_that_was_seen_gone_leaves_status_and_its_successor_begins_anew() {
    let lost = || Record { seen_gone: true, ..unmanaged() };
    let nobodys = || active_seen().record(lost()).tagged(Tags::new());
    check(rows! { keeps(present(), fetch_tags());
        { claim: "the tags are not read, so another process may have created it for this object", seen: active_seen().record(lost()) },
        { claim: "another's user", seen: active_seen().record(lost()).tagged(anothers_tags()), action: owned_by_another(), shows: StatusUser::Clear },
        { claim: "nobody's user", seen: nobodys(), action: already_exists(), shows: StatusUser::Clear },
        { claim: "terminating: nobody's user",
          goal: gone(), seen: nobodys(), action: release(ReleaseReason::LeftUnowned), shows: StatusUser::Clear },
        { claim: "this pass read our owner tags",
          seen: active_seen().record(lost()).tagged(owner_tags()), action: Action::InSync, shows: StatusUser::ShowAsNew },
        { claim: "a user in another account or region says nothing", seen: other_arn().record(lost()), action: refused() },
    });
}

#[test]
fn an_absent_user_leaves_status_if_user_not_found_is_believed() {
    let absent = || nothing_known().absent().record(managed());
    let open = || absent().with(|seen| seen.record.creation = Creation::Open);
    let abroad = || absent().record(placed(arn_in("eu-west-1", "111111111111")));
    let account = |account| absent().with(|seen| seen.source.account = account);
    let other = || account(Account::Known("222222222222".into()));
    let missing = || wait(Wait::Secret(secret_not_found()));
    check(rows! { Row { seen: absent(), shows: StatusUser::Clear, ..keeps(present(), create_intent()) };
        { claim: "absent" },
        { claim: "terminating: absent", goal: gone(), action: release(ReleaseReason::UserGone) },
        { claim: "observing: absent", goal: observes(), action: Action::ObserveOnly(Comparison::Missing) },
        { claim: "a CreateUser of ours may still take effect, and another one is about to be sent", seen: open() },
        { claim: "AWS does not show the account, so the region decides", seen: account(Account::Withheld) },
    });
    check(rows! { Row { seen: absent(), ..keeps(gone(), wait(Wait::CreationOpen)) };
        { claim: "terminating: CreateUser may take effect", seen: open() },
        { claim: "CreateUser may take effect, and the Secret is missing", goal: present(), seen: open(), action: missing() },
        { claim: "it may be in another region", goal: present(), seen: abroad(), action: refused() },
        { claim: "it may be in another account", goal: present(), seen: other(), action: refused() },
        { claim: "terminating: it may be in another account", seen: other(), action: wait(Wait::WrongLocation(place())) },
        { claim: "terminating: it may be in another account, and nobody asked", seen: account(Account::NotAsked) },
        { claim: "observing: it may be elsewhere", goal: observes(), seen: abroad(), action: refused() },
        { claim: "the account could not be asked for",
          goal: present(), seen: account(Account::Failed(throttled())), action: failed_read(throttled()) },
    });
}

#[test]
fn status_keeps_its_user_if_aws_was_not_read() {
    check(rows! { keeps(gone(), wait(Wait::Protected));
        { claim: "not read", seen: nothing_known().kept() },
        { claim: "the read failed", goal: present(), seen: nothing_known().failed(throttled()), action: failed_read(throttled()) },
        { claim: "suspended", goal: Goal::Suspended(None), seen: nothing_known().record(managed()), action: Action::Suspended { ready: true } },
    });
}

#[test]
fn an_observing_object_shows_any_user_in_the_right_account_and_region() {
    let anothers = |record| other_rules().tagged(anothers_tags()).record(record);
    check(rows! { keeps(observes(), Action::ObserveOnly(Comparison::Matches));
        { claim: "another's user", seen: anothers(Record::default()), shows: StatusUser::ShowAsNew },
        { claim: "another's user in place of the one that it managed", seen: anothers(managed()), shows: StatusUser::ShowAsNew },
        { claim: "the user that it managed keeps what was applied", seen: active_seen().record(managed()).tagged(Tags::new()), shows: StatusUser::Show },
        { claim: "a user with our owner tags", seen: active_seen().tagged(owner_tags()), shows: StatusUser::Show },
        { claim: "a user in another account or region", seen: other_arn().record(managed()), action: refused() },
    });
}

#[test]
fn tags_are_read_as_ours_only_for_a_goal_that_has_an_owner() {
    let read = |tags| nothing_known().tagged(tags);
    let invalid = Goal::Invalid {
        refusal: Refusal::AdoptionNotAllowed { namespace: "shop".into(), former: None },
        subject: Some(subject()),
    };
    let rows = cases! {
        "ours": (present(), read(owner_tags())) => true,
        "ours, terminating": (gone(), read(owner_tags())) => true,
        "ours, observing": (observes(), read(owner_tags())) => true,
        "another's": (present(), read(anothers_tags())) => false,
        "none": (present(), read(Tags::new())) => false,
        "known from an earlier pass": (present(), nothing_known().remembering(Ownership::Ours)) => false,
        "suspended": (Goal::Suspended(None), read(owner_tags())) => false,
        "an invalid spec": (invalid, read(owner_tags())) => false,
    };
    for Case { claim, given: (goal, seen), expected } in rows {
        assert_eq!(read_as_ours(&goal, &seen), expected, "{claim}");
    }
}
