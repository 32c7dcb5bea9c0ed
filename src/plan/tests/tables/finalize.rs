//! `plan` for an object that is terminating.

use plan::*;

use crate::common::plans::*;
use crate::common::*;

/// Nothing is known but that the CustomResourceDefinition stays.
fn leaving() -> Observed {
    nothing_known().kept()
}

fn goal(change: impl FnOnce(&mut DeletionGoal)) -> Goal {
    let mut goal = deletion_goal();
    change(&mut goal);
    Goal::Absent(goal)
}

fn retains(deletion_accepted: bool) -> Action {
    release(ReleaseReason::Retained { deletion_accepted })
}

fn uninstalls(deletion_accepted: bool) -> Action {
    release(ReleaseReason::DefinitionDeleted { deletion_accepted })
}

fn observes(deletion_accepted: bool) -> Action {
    release(ReleaseReason::Observes { deletion_accepted })
}

fn accepted() -> Record {
    Record { deletion: accepted_by_another(), ..managed() }
}

#[test]
fn the_first_rule_that_matches_decides_about_a_terminating_object() {
    let observing = || goal(|goal| goal.observes = true);
    let definition = |definition| nothing_known().definition(definition);
    check! { goal: gone();
        { claim: "prevent-deletion blocks DeleteUser",
          goal: goal(|goal| goal.protected = true), seen: ours().kept().intent_written().confirmed(), plan: wait(Wait::Protected) },
        { claim: "prevent-deletion comes before Retain and an uninstall", plan: wait(Wait::Protected),
          goal: goal(|goal| (goal.protected, goal.policy) = (true, DeletionPolicy::Retain)), seen: definition(Definition::BeingDeleted) },
        { claim: "prevent-deletion comes before a spec without a valid user ID",
          goal: goal(|goal| (goal.protected, goal.user_id) = (true, None)), seen: nothing_known(), plan: wait(Wait::Protected) },
        { claim: "prevent-deletion comes before Observe",
          goal: goal(|goal| (goal.protected, goal.observes) = (true, true)), seen: nothing_known().record(managed()), plan: wait(Wait::Protected) },
        { claim: "a spec without a valid user ID has no user",
          goal: goal(|goal| goal.user_id = None), seen: nothing_known(), plan: release(ReleaseReason::NoSuchUser) },
        { claim: "Observe makes no AWS call", goal: observing(), seen: nothing_known().record(managed()), plan: observes(false) },
        { claim: "Observe reports a deletion that was accepted before", goal: observing(), seen: nothing_known().record(accepted()), plan: observes(true) },
        { claim: "Retain makes no AWS call", goal: retained(), seen: nothing_known(), plan: retains(false) },
        { claim: "Retain reports a deletion that was accepted before", goal: retained(), seen: nothing_known().record(accepted()), plan: retains(true) },
        { claim: "the definition is read before the user", seen: nothing_known(), plan: fetch(Fetch::Definition) },
        { claim: "an uninstall retains the user", seen: definition(Definition::BeingDeleted), plan: uninstalls(false) },
        { claim: "an uninstall reports a deletion that was accepted before",
          seen: definition(Definition::BeingDeleted).record(accepted()), plan: uninstalls(true) },
        { claim: "the user is read next", seen: leaving(), plan: fetch_user() },
        { claim: "the user is read although the definition cannot be read", seen: definition(Definition::Unreadable), plan: fetch_user() },
        { claim: "a read that fails is waited for", seen: leaving().failed(unavailable()), plan: failed_read(unavailable()) },
        { claim: "AWS has no such user", seen: leaving().absent(), plan: release(ReleaseReason::UserGone) },
        { claim: "AWS has no such user, so the definition does not matter",
          seen: definition(Definition::Unreadable).absent(), plan: release(ReleaseReason::UserGone) },
    }
}

#[test]
fn a_suspended_object_that_terminates_makes_no_aws_call() {
    let with = |change: fn(&mut DeletionGoal)| {
        goal(|goal| {
            goal.suspended = true;
            change(goal);
        })
    };
    let definition = |definition| nothing_known().definition(definition);
    let open = || nothing_known().record(open_creation());
    let retain = || with(|goal| goal.policy = DeletionPolicy::Retain);
    check! { goal: with(|_| {});
        { claim: "it waits", seen: definition(Definition::Kept), plan: wait(Wait::Suspended) },
        { claim: "it waits although the definition cannot be read", seen: definition(Definition::Unreadable), plan: wait(Wait::Suspended) },
        { claim: "it waits whatever was read before", seen: ours().kept().intent_written().confirmed(), plan: wait(Wait::Suspended) },
        { claim: "the definition is read first", seen: nothing_known(), plan: fetch(Fetch::Definition) },
        { claim: "an uninstall removes the finalizer", seen: definition(Definition::BeingDeleted), plan: uninstalls(false) },
        { claim: "Retain removes the finalizer", goal: retain(), seen: nothing_known(), plan: retains(false) },
        { claim: "Observe removes the finalizer", goal: with(|goal| goal.observes = true), seen: nothing_known(), plan: observes(false) },
        { claim: "prevent-deletion comes before Retain", plan: wait(Wait::Protected),
          goal: with(|goal| (goal.protected, goal.policy) = (true, DeletionPolicy::Retain)), seen: nothing_known() },
        { claim: "Retain waits while CreateUser may take effect, and does not read the user",
          goal: retain(), seen: open(), plan: wait(Wait::CreationOpen) },
        { claim: "an uninstall waits while CreateUser may take effect",
          seen: open().definition(Definition::BeingDeleted), plan: wait(Wait::CreationOpen) },
        { claim: "Retain does not wait after CreateUser was answered",
          goal: retain(), seen: nothing_known().record(Record { creation: Creation::Open, ..managed() }), plan: retains(false) },
        { claim: "a spec without a valid user ID has no user",
          goal: with(|goal| goal.user_id = None), seen: nothing_known(), plan: release(ReleaseReason::NoSuchUser) },
    }
}

#[test]
fn the_finalizer_stays_while_a_create_user_may_still_take_effect() {
    let answered = || Record { creation: Creation::Open, ..managed() };
    let unmanaged = || Record { last_applied: None, ..answered() };
    let open = || nothing_known().record(open_creation());
    let uninstall = || open().definition(Definition::BeingDeleted);
    let waits = || wait(Wait::CreationOpen);
    check! { goal: gone();
        { claim: "Delete: UserNotFound proves nothing", seen: open().kept().absent(), plan: waits() },
        { claim: "Delete: an ARN in status may be an earlier user's", seen: leaving().absent().record(answered()), plan: waits() },
        { claim: "Delete: an ARN in status proves nothing if nothing was applied", seen: leaving().absent().record(unmanaged()), plan: waits() },
        { claim: "Retain: the user is read", goal: retained(), seen: open(), plan: fetch_user() },
        { claim: "Retain: the ARN in status shows that CreateUser was answered", goal: retained(), seen: nothing_known().record(answered()), plan: retains(false) },
        { claim: "Retain: the ARN in status is enough if nothing was applied", goal: retained(), seen: nothing_known().record(unmanaged()), plan: retains(false) },
        { claim: "Retain: the user may appear", goal: retained(), seen: open().absent(), plan: waits() },
        { claim: "Retain: AWS does not answer", goal: retained(), seen: open().failed(throttled()), plan: waits() },
        { claim: "Retain: the user was seen", goal: retained(), seen: open().seen(active()), plan: retains(false) },
        { claim: "uninstall: the user is read", seen: uninstall(), plan: fetch_user() },
        { claim: "uninstall: the user may appear", seen: uninstall().absent(), plan: waits() },
        { claim: "uninstall: AWS does not answer", seen: uninstall().failed(unavailable()), plan: waits() },
        { claim: "uninstall: the user was seen", seen: uninstall().seen(active()), plan: uninstalls(false) },
        { claim: "Observe: the user is read", goal: goal(|goal| goal.observes = true), seen: open(), plan: fetch_user() },
    }
}

fn deletion(progress: DeletionProgress) -> Record {
    Record { deletion: progress, last_applied: None, ..managed() }
}

#[test]
fn delete_user_is_sent_after_its_intent_and_after_the_object_was_read_again() {
    let mine = || ours().kept();
    let by_us = || deletion(requested_by_us(None));
    let refused = || deletion(requested_by_us(managed().last_applied));
    let intent = || Action::WriteIntent(WriteIntent::Delete);
    let delete = || Action::Delete(Delete { user_id: id() });
    check! { goal: gone();
        { claim: "this process knows the user as ours, and reads the tags again",
          seen: active_seen().kept().remembering(Ownership::Ours).record(managed()), plan: fetch_tags() },
        { claim: "this process knows the user as another's, and reads the tags again",
          seen: active_seen().kept().remembering(another()), plan: fetch_tags() },
        { claim: "the intent is written first", seen: mine().record(managed()), plan: intent() },
        { claim: "the intent is written although status does not know the user", seen: mine(), plan: intent() },
        { claim: "the object is read again after the intent", seen: mine().record(by_us()), plan: fetch(Fetch::ObjectAndDefinition) },
        { claim: "another process wrote the intent, and may have sent DeleteUser",
          seen: mine().record(deletion(requested_by_another())).confirmed(), plan: intent() },
        { claim: "this process wrote the intent, but status has lastApplied again",
          seen: mine().record(Record { deletion: requested_by_us(None), ..managed() }).confirmed(), plan: intent() },
        { claim: "DeleteUser", seen: mine().record(by_us()).confirmed(), plan: delete() },
        { claim: "DeleteUser again after AWS refused it", seen: mine().record(refused()).confirmed(), plan: delete() },
        { claim: "reading the object does not replace the intent", seen: mine().confirmed(), plan: intent() },
        { claim: "nobody knows whether the definition stays", plan: wait(Wait::DefinitionUnreadable),
          seen: ours().definition(Definition::Unreadable).record(by_us()).confirmed() },
    }
}

#[test]
fn a_terminating_object_leaves_a_user_that_is_not_its_own() {
    let theirs = || release(ReleaseReason::LeftToOwner(owner_named("other")));
    let unowned = || release(ReleaseReason::LeftUnowned);
    let seen = || active_seen().kept();
    let bare = |record| seen().tagged(Tags::new()).record(record);
    let refused = || deletion(requested_by_us(managed().last_applied));
    let reclaim = Action::WriteIntent(WriteIntent::Reclaim { last_applied: managed().last_applied.unwrap() });
    let renamed = nothing_known().seen(user_with(|user| user.user_name = "x".into()));
    check! { goal: gone();
        { claim: "its tags name another object", seen: seen().tagged(anothers_tags()), plan: theirs() },
        { claim: "its tags name another object, whatever was written before",
          seen: seen().tagged(anothers_tags()).record(managed()).intent_written().confirmed(), plan: theirs() },
        { claim: "it is busy, and this process knows it as another's",
          seen: in_state(Lifecycle::Modifying).kept().remembering(another()), plan: theirs() },
        { claim: "it has no owner tags, and this process does not know that AWS refused DeleteUser",
          seen: bare(deletion(requested_by_us(None))), plan: unowned() },
        { claim: "it has no owner tags and does not look like ours", seen: renamed.kept().tagged(Tags::new()).record(refused()), plan: unowned() },
        { claim: "it has no owner tags, but this process knows that AWS refused DeleteUser: status must show it as ours first",
          seen: bare(refused()).confirmed(), plan: reclaim },
    }
}

#[test]
fn a_terminating_object_waits_for_a_user_that_is_not_active_or_whose_owner_is_unknown() {
    let managed_in = |lifecycle| in_state(lifecycle).kept().record(managed());
    let seen = |lifecycle, record| in_state(lifecycle).kept().record(record);
    let requested = || deletion(requested_by_another());
    let deleting = || wait(Wait::UserDeleting);
    let unapplied = || Record { last_applied: None, ..managed() };
    let without_arn = |record| Record { arn: None, ..record };
    let tags = || active_seen().kept().intent_written().confirmed();
    let (modifying, unknown) = (Lifecycle::Modifying, owner_unknown);
    check! { goal: gone();
        { claim: "AWS deletes a user that status shows as ours", seen: managed_in(Lifecycle::Deleting), plan: deleting() },
        { claim: "AWS deletes a user after our request, which removed lastApplied",
          seen: seen(Lifecycle::Deleting, requested()), plan: deleting() },
        { claim: "AWS was seen deleting it before",
          seen: seen(Lifecycle::Deleting, Record { deletion: accepted_by_another(), ..unapplied() }), plan: deleting() },
        { claim: "AWS deletes a user with our ARN, but we did not request that and applied nothing",
          seen: seen(Lifecycle::Deleting, unapplied()), plan: unknown(Lifecycle::Deleting) },
        { claim: "AWS deletes a user with another ARN",
          seen: seen(Lifecycle::Deleting, without_arn(requested())), plan: unknown(Lifecycle::Deleting) },
        { claim: "our request says nothing about a user that AWS does not delete", seen: seen(modifying.clone(), requested()), plan: unknown(modifying.clone()) },
        { claim: "an ARN in status says nothing if nothing was applied", seen: seen(modifying.clone(), unapplied()), plan: unknown(modifying.clone()) },
        { claim: "what was applied to a user with another ARN says nothing",
          seen: seen(modifying.clone(), without_arn(managed())), plan: unknown(modifying.clone()) },
        { claim: "this process knows that AWS refused DeleteUser",
          seen: seen(modifying.clone(), deletion(requested_by_us(managed().last_applied))), plan: not_active(modifying.clone()) },
        { claim: "AWS does not show the tags, although status shows the user as ours",
          seen: tags().unreadable().record(managed()), plan: unknown(Lifecycle::Active) },
        { claim: "AWS does not show the tags, although this process knows the user as ours",
          seen: tags().unreadable().remembering(Ownership::Ours), plan: unknown(Lifecycle::Active) },
        { claim: "a read of tags that fails", seen: active_seen().kept().tags_failed(denied()), plan: failed_tags(denied()) },
        { claim: "AWS deletes a user of unknown owner", seen: in_state(Lifecycle::Deleting).kept(), plan: unknown(Lifecycle::Deleting) },
        { claim: "AWS deletes a user that was unowned",
          seen: in_state(Lifecycle::Deleting).kept().remembering(Ownership::Unowned), plan: unknown(Lifecycle::Deleting) },
        { claim: "a modifying user of unknown owner", seen: in_state(modifying.clone()).kept(), plan: unknown(modifying) },
    }
    for state in busy_states() {
        let unowned = in_state(state.clone()).kept().remembering(Ownership::Unowned);
        check! { goal: gone();
            { claim: "a busy user of ours", seen: managed_in(state.clone()), plan: not_active(state.clone()) },
            { claim: "a busy user that was unowned", seen: unowned, plan: owner_unknown(state) },
        }
    }
}
