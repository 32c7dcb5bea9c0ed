//! Walks with chosen steps, one for each known way in which a user could be lost.

mod adopting;

use std::time::Duration;

use plan::*;

use crate::common;
use crate::events::{Claim, Edit, Event, Injection, Others, Step};
use crate::model::answer::Kind;
use crate::model::aws::ACCESS;
use crate::model::secrets::{Access, Write};
use crate::model::{BEGIN, Model, claimed};
use crate::start::{self, Start};
use crate::walk::follow_traced;

/// Follows a walk in which nothing may be wrong.
fn walk(start: &Start, steps: &[Step]) -> Model {
    follow_traced(start, steps, true).unwrap_or_else(|why| panic!("{why}"))
}

/// The object has an `active` user. Status has AWS's form of its access string, and these tag keys.
fn settled(tag_keys: &[&str]) -> Start {
    let last_applied = LastApplied {
        access_string: Some(ACCESS[0].0.into()),
        expanded_access_string: Some(ACCESS[0].1.into()),
        tag_keys: tag_keys.iter().map(|key| (*key).to_owned()).collect(),
        ..LastApplied::default()
    };
    start::settled_but_for(Status { last_applied: Some(last_applied), ..Status::default() }, 0)
}

/// The same, and status shows the user.
fn reported() -> Start {
    let mut start = settled(&["team"]);
    let user = start.services[0].user.clone().unwrap();
    let status = &mut start.object.status;
    start::report(status, &user.shown);
    status.arn = Some(user.shown.arn.clone());
    status.location = Some(Location::of(&user.shown.arn));
    start
}

fn without_user() -> Start {
    let mut start = settled(&[]);
    start.object.status = Status::default();
    start.services[0].user = None;
    start
}

fn fine(requests: usize) -> Vec<Step> {
    vec![Step::Request(Injection::Fine); requests]
}

fn edit(edit: Edit) -> Step {
    Step::Event(Event::Edits(edit))
}

fn others(others: Others) -> Step {
    Step::Event(Event::Others(others))
}

fn seconds(seconds: f64) -> Step {
    Step::Wait(Duration::from_secs_f64(seconds))
}

fn moves() -> Step {
    Step::Event(Event::Credentials { moves: true })
}

fn has_tag(model: &Model, key: &str) -> bool {
    model.services[0].user.as_ref().is_some_and(|user| user.tags.contains_key(key))
}

fn mutations(model: &Model) -> &[(Kind, bool)] {
    &model.history.mutations
}

#[test]
fn aws_gets_the_last_edit_although_the_status_write_of_the_edit_before_is_lost() {
    let (first, second) = (2, 0);
    let last_applied = LastApplied { access_string: Some(ACCESS[first].0.into()), ..LastApplied::default() };
    let start =
        start::settled_but_for(Status { last_applied: Some(last_applied), ..Status::default() }, first);
    let mut sent = 0;
    for requests in 0..14 {
        let mut steps = vec![edit(Edit::Access(second))];
        steps.extend(fine(requests));
        steps.extend([Step::Request(Injection::Killed), edit(Edit::Access(first)), Step::Pass]);
        let model = walk(&start, &steps);
        sent = sent.max(mutations(&model).len());
        let access = model.services[0].user.as_ref().map(|user| user.shown.access_string.as_str());
        assert_eq!(access, Some(ACCESS[first].1), "{}", model.trace);
    }
    assert_eq!(sent, 2, "the second edit must be sent, and then reverted");
}

#[test]
fn a_tag_that_leaves_the_spec_is_removed_although_the_answer_to_add_tags_was_lost() {
    let sends = [Step::Until("AddTagsToResource"), Step::Request(Injection::Killed)];
    let steps = [vec![edit(Edit::Tags(2))], sends.to_vec(), vec![edit(Edit::Tags(0))]].concat();
    let model = walk(&settled(&["team"]), &steps);
    assert!(mutations(&model).contains(&(Kind::Tag, true)), "{}", model.trace);
    assert!(!has_tag(&model, "tier"), "{}", model.trace);
}

#[test]
fn a_tag_that_leaves_the_spec_is_removed_from_a_user_that_shows_late() {
    let creates = [Step::Until("CreateUser"), Step::Request(Injection::Late), Step::Kill];
    let model = walk(&without_user(), &[&creates[..], &[edit(Edit::Tags(3))]].concat());
    assert_eq!(mutations(&model)[0], (Kind::Create, true), "{}", model.trace);
    assert!(!has_tag(&model, "team"), "{}", model.trace);
}

#[test]
fn a_tag_that_leaves_the_spec_is_removed_from_a_late_user_although_the_next_intent_was_not_written() {
    let mut start = without_user();
    start.object.spec.tags = 2;
    let creates = [Step::Until("CreateUser"), Step::Request(Injection::Late), Step::Pass];
    let fails = [Step::Until("WriteStatus"), Step::Request(Injection::Refused(common::busy())), Step::Pass];
    let model = walk(&start, &[&creates[..], &fails, &[edit(Edit::Tags(0))]].concat());
    assert!(mutations(&model).contains(&(Kind::Untag, true)), "{}", model.trace);
    assert!(!has_tag(&model, "tier"), "{}", model.trace);
}

#[test]
fn a_tag_that_comes_back_after_its_removal_belongs_to_somebody_else() {
    let mut start = settled(&["team", "tier"]);
    start.services[0].user.as_mut().unwrap().tags.insert("tier".into(), "gold".into());
    let model = walk(&start, &[Step::Pass, others(Others::Labels(2))]);
    assert!(mutations(&model).contains(&(Kind::Untag, true)), "{}", model.trace);
    assert!(has_tag(&model, "tier"), "{}", model.trace);
}

#[test]
fn owner_tags_are_not_restored_if_the_object_is_deleted_meanwhile() {
    for moment in ["ListTags", "ReadObject"] {
        let mut start = reported();
        start.services[0].user.as_mut().unwrap().tags = claimed(Claim::Nobodys);
        start.object.spec.policy = DeletionPolicy::Retain;
        // This process does not know the owner, so it reads the tags. Then the object is deleted.
        start.object.requested = 1;
        let model = walk(&start, &[Step::Until(moment), Step::Event(Event::Deletes), Step::Pass]);
        assert_eq!(mutations(&model), [], "{}", model.trace);
    }
}

/// The object is deleted. `ends` are the faults of each DeleteUser, and `report` is that of the status write after the first.
fn leaves(ends: &[Injection], report: &Injection, then: Others) -> Model {
    let mut steps = vec![Step::Event(Event::Deletes)];
    for (at, end) in ends.iter().enumerate() {
        steps.extend([Step::Until("DeleteUser"), Step::Request(end.clone())]);
        if at == 0 && *end != Injection::Killed {
            steps.extend([Step::Until("WriteStatus"), Step::Request(report.clone())]);
        }
        if *end != Injection::Killed && (at > 0 || *report != Injection::Killed) {
            steps.push(Step::Pass);
        }
        steps.push(seconds(4.0));
    }
    steps.push(others(then));
    walk(&reported(), &steps)
}

#[test]
fn a_user_that_appears_after_user_not_found_is_not_ours_although_status_could_not_be_written() {
    let twin = [others(Others::Creates(Claim::Nobodys, 0)), seconds(4.0)];
    for (leaves, write) in [(false, "WriteStatus"), (true, "RemoveFinalizer")] {
        let gone = vec![others(Others::Deletes), seconds(4.0)];
        let failed = [Step::Until(write), Step::Request(Injection::Refused(common::busy())), Step::Pass];
        let unseen = [gone, failed.to_vec()].concat();
        let seen = vec![others(Others::Deletes), Step::Pass, seconds(4.0)];
        let refused = vec![Step::Until("DeleteUser"), Step::Request(Injection::Refused(common::busy()))];
        let refused = [refused, vec![Step::Pass], unseen.clone()].concat();
        for before in [unseen, seen, refused].into_iter().take(if leaves { 3 } else { 2 }) {
            let mut start = reported();
            start.object.terminating = leaves;
            let model = walk(&start, &[&before[..], &twin].concat());
            assert!(mutations(&model).iter().all(|(_, done)| !done), "{}", model.trace);
            assert!(model.services[0].user.is_some(), "{}", model.trace);
        }
    }
}

#[test]
fn a_user_that_somebody_creates_after_the_deletion_of_ours_stays() {
    for end in [Injection::Lost, Injection::Killed] {
        for before in [vec![], vec![Injection::Refused(common::throttled())]] {
            let ends = [before, vec![end.clone()]].concat();
            let model = leaves(&ends, &Injection::Fine, Others::Creates(Claim::Nobodys, 0));
            assert_eq!(mutations(&model).last(), Some(&(Kind::Delete, true)), "{}", model.trace);
            assert!(model.services[0].user.is_some(), "{ends:?}: {}", model.trace);
        }
    }
}

#[test]
fn a_user_that_loses_its_tags_after_aws_refused_delete_user_is_still_deleted() {
    for fault in common::faults().into_iter().filter(|fault| !fault.outcome_unknown()) {
        for times in 1..3 {
            let ends = vec![Injection::Refused(fault.clone()); times];
            let model = leaves(&ends, &Injection::Fine, Others::Retags(Claim::Nobodys));
            let kinds: Vec<_> = mutations(&model).iter().skip(times).map(|(kind, _)| *kind).collect();
            assert_eq!(kinds, [Kind::Claim, Kind::Delete], "{}", model.trace);
            assert!(model.services[0].user.is_none(), "{}", model.trace);
        }
    }
}

#[test]
fn a_user_without_tags_is_deleted_although_user_not_found_came_from_an_unknown_account() {
    let untold =
        [Step::Until("Identify"), Step::Request(Injection::Refused(common::throttled())), Step::Pass];
    let before = [others(Others::Retags(Claim::Nobodys)), moves()];
    let model = walk(&reported(), &[&before[..], &untold, &[moves(), Step::Event(Event::Deletes)]].concat());
    assert_eq!(mutations(&model), [(Kind::Claim, true), (Kind::Delete, true)], "{}", model.trace);
}

#[test]
fn a_user_without_tags_is_not_deleted_by_a_process_that_did_not_see_the_refusal() {
    let busy = Injection::Refused(common::busy());
    let model = leaves(&[busy], &Injection::Killed, Others::Retags(Claim::Nobodys));
    assert_eq!(mutations(&model), [(Kind::Delete, false)], "{}", model.trace);
    assert!(model.object.is_none() && model.services[0].user.is_some(), "{}", model.trace);
}

#[test]
fn a_deletion_that_is_refused_again_and_again_writes_once() {
    let refused = |times| vec![Injection::Refused(common::busy()); times];
    let often = leaves(&refused(6), &Injection::Fine, Others::Labels(2));
    let once = leaves(&refused(1), &Injection::Fine, Others::Labels(2));
    assert_eq!(often.history.writes, once.history.writes, "{}", often.trace);
}

#[test]
fn a_user_is_deleted_with_its_object_although_the_answer_to_create_user_was_lost() {
    for end in [Injection::Late, Injection::Killed, Injection::Lost, Injection::TimedOut] {
        let creates = [Step::Until("CreateUser"), Step::Request(end), Step::Kill];
        let model = walk(&without_user(), &[&creates[..], &[Step::Event(Event::Deletes)]].concat());
        assert_eq!(mutations(&model)[0], (Kind::Create, true), "{}", model.trace);
        assert!(model.object.is_none() && model.services[0].user.is_none(), "{}", model.trace);
    }
}

#[test]
fn the_create_intent_is_written_again_if_create_user_waited_for_more_than_5_s() {
    let model = walk(&without_user(), &[Step::Until("CreateUser"), seconds(5.5)]);
    let at_once = walk(&without_user(), &[Step::Until("CreateUser")]);
    assert_eq!(mutations(&model), [(Kind::Create, true)], "{}", model.trace);
    assert_eq!(model.history.writes, at_once.history.writes + 1, "{}", model.trace);
}

#[test]
fn a_user_that_changes_hands_more_than_2_s_before_its_deletion_stays() {
    let waits = [Step::Until("DeleteUser"), seconds(2.5), others(Others::Retags(Claim::Anothers))];
    let model = walk(&reported(), &[&[Step::Event(Event::Deletes)], &waits[..]].concat());
    assert_eq!(mutations(&model), [], "{}", model.trace);
}

#[test]
fn an_edit_that_retains_the_user_counts_up_to_2_s_before_its_deletion() {
    let retains = || edit(Edit::Policy(DeletionPolicy::Retain));
    let waits = [Step::Until("DeleteUser"), seconds(2.5), retains()];
    let model = walk(&reported(), &[&[Step::Event(Event::Deletes)], &waits[..]].concat());
    assert_eq!(mutations(&model), [], "{}", model.trace);
    // A cache that lags does not show it.
    let lags =
        [Step::Event(Event::Deletes), Step::Wait(Duration::ZERO), retains(), Step::Event(Event::CacheLags)];
    let model = walk(&reported(), &lags);
    assert_eq!(mutations(&model), [], "{}", model.trace);
    assert!(model.object.is_none() && model.services[0].user.is_some(), "{}", model.trace);
}

#[test]
fn no_user_is_lost_or_created_twice_if_the_credentials_move_to_another_account() {
    let created = vec![Step::Until("CreateUser"), Step::Request(Injection::Lost), Step::Pass];
    let deleted = vec![Step::Event(Event::Deletes)];
    let deleting = [deleted.clone(), vec![Step::Pass]].concat();
    let rows = [
        ("at rest", reported(), vec![Step::Pass], None),
        ("in creation", without_user(), created, Some(Kind::Create)),
        ("before its deletion", reported(), deleted, Some(Kind::Delete)),
        ("in deletion", reported(), deleting, Some(Kind::Delete)),
    ];
    for (claim, mut start, before, mutation) in rows {
        start.fixed = true;
        for tells_account in [true, false] {
            for service in &mut start.services {
                service.habits.tells_account = tells_account;
            }
            // If AWS does not show the account, only the region counts.
            if !tells_account && claim != "at rest" {
                continue;
            }
            let steps = [&before[..], &[moves(), seconds(60.0), Step::Pass, Step::Kill, Step::Pass]].concat();
            let model = walk(&start, &steps);
            let expected: Vec<_> = mutation.map(|kind| (kind, true)).into_iter().collect();
            let trace = &model.trace;
            if tells_account {
                assert_eq!(mutations(&model), expected, "{claim}: {trace}");
                assert!(model.services[1].user.is_none(), "{claim}: {trace}");
            }
            let is_there = model.services[0].user.is_some();
            assert_eq!(is_there, mutation != Some(Kind::Delete), "{claim}: {trace}");
        }
    }
}

#[test]
fn a_mutation_is_signed_with_the_credentials_of_the_read_that_it_rests_on() {
    let password = |mut start: Start| {
        start.object.spec.authentication = AuthenticationType::Password;
        start
    };
    let secret = Step::Event(Event::Secret(Write { which: 0, access: Access::Readable, value: 1 }));
    let rows = [
        ("CreateUser", without_user(), vec![], Kind::Create),
        ("ModifyUser", password(without_user()), vec![Step::Pass, secret], Kind::Modify),
        ("DeleteUser", reported(), vec![Step::Event(Event::Deletes)], Kind::Delete),
    ];
    for (call, mut start, before, kind) in rows {
        start.fixed = true;
        for service in &mut start.services {
            service.habits.tells_account = true;
        }
        let away = [&before[..], &[Step::Until(call), moves()]].concat();
        // The credentials move to another account and back. What was read in between does not count.
        let back = [&away[..], &[Step::Request(Injection::Fine), moves(), Step::Pass]].concat();
        let model = walk(&start, &back);
        let done = mutations(&model).iter().filter(|(done, _)| *done == kind).count();
        assert_eq!(done, 1, "{call}: {}", model.trace);
        assert!(model.services[1].user.is_none(), "{call}: {}", model.trace);
        // If the account stays the same, the pass continues at once.
        let replaced = Step::Event(Event::Credentials { moves: false });
        let replaced = [&before[..], &[Step::Until(call), replaced, Step::Pass]].concat();
        let model = walk(&start, &replaced);
        let done = mutations(&model).iter().filter(|(done, _)| *done == kind).count();
        assert_eq!(done, 1, "{call}: {}", model.trace);
    }
}

#[test]
fn a_user_that_was_never_created_may_be_created_in_the_new_account() {
    let start = without_user();
    let steps = [Step::Until("CreateUser"), moves(), Step::Pass];
    let model = walk(&start, &steps);
    assert_eq!(mutations(&model), [(Kind::Create, true)], "{}", model.trace);
    let status = &model.object.as_ref().unwrap().status;
    let created = model.services[1].user.as_ref().map(|user| Location::of(&user.shown.arn));
    assert!(created.is_some() && status.location == created, "{}", model.trace);
}

#[test]
fn credentials_that_are_replaced_within_the_account_change_nothing() {
    let replaced = Step::Event(Event::Credentials { moves: false });
    let steps = [Step::Pass, replaced.clone(), seconds(660.0), Step::Pass, replaced];
    let model = walk(&reported(), &steps);
    assert_eq!(mutations(&model), [], "{}", model.trace);
}

#[test]
fn user_not_found_is_not_believed_if_the_account_is_known_from_other_credentials_only() {
    let mut start = reported();
    start.fixed = true;
    let asks = [Step::Event(Event::Deletes), moves(), Step::Until("Identify"), moves(), Step::Pass];
    let model = walk(&start, &asks);
    assert_eq!(mutations(&model), [(Kind::Delete, true)], "{}", model.trace);
    assert!(model.object.is_none() && model.services[0].user.is_none(), "{}", model.trace);
}

#[test]
fn a_user_without_owner_tags_is_read_at_most_2_s_before_they_are_restored() {
    let mut start = reported();
    start.services[0].user.as_mut().unwrap().tags = claimed(Claim::Nobodys);
    start.object.requested = 1;
    let model = walk(&start, &[Step::Until("AddTagsToResource (owner)"), seconds(2.5)]);
    assert_eq!(mutations(&model)[0], (Kind::Claim, true), "{}", model.trace);
}

#[test]
fn a_password_is_replaced_with_its_secret_although_the_answer_to_modify_user_was_lost() {
    let mut start = without_user();
    start.object.spec.authentication = AuthenticationType::Password;
    let secret = |value| Step::Event(Event::Secret(Write { which: 0, access: Access::Readable, value }));
    for end in [Injection::Lost, Injection::TimedOut, Injection::Killed] {
        let sends = [Step::Pass, secret(1), Step::Until("ModifyUser"), Step::Request(end), secret(0)];
        let model = walk(&start, &sends);
        let kinds: Vec<_> = mutations(&model).iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [Kind::Create, Kind::Modify, Kind::Modify], "{}", model.trace);
    }
}

#[test]
fn an_object_is_removed_as_soon_as_its_new_user_was_seen_and_then_deleted() {
    let model = walk(&without_user(), &[Step::Pass, Step::Pass, Step::Event(Event::Deletes)]);
    assert_eq!(mutations(&model), [(Kind::Create, true), (Kind::Delete, true)], "{}", model.trace);
    assert!(model.now - BEGIN < Duration::from_secs(20), "{:?}: {}", model.now, model.trace);
}
