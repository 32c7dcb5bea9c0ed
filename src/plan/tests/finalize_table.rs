//! `plan` on the way out, one sentence a row: (claim, goal, what is known, what is done next).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[macro_use]
mod common;

use common::plans::*;
use common::*;
use plan::*;

#[test]
fn the_first_match_of_the_way_out_holds() {
    let nameless = Goal::Absent(DeletionGoal { user_id: None, ..deletion_goal() });
    let accepted = || Record { deletion: accepted_by_another(), ..managed() };
    let kept = |deletion_accepted| release(ReleaseReason::Retained { deletion_accepted });
    let going = |deletion_accepted| release(ReleaseReason::DefinitionDeleted { deletion_accepted });
    let crd = |definition| nothing_known().definition(definition);
    check! {
        ("prevent-deletion holds",
            protected(), ours().definition(Definition::Kept).announced().confirmed(), wait(Wait::Protected)),
        ("prevent-deletion goes before Retain and the definition's going",
            Goal::Absent(DeletionGoal { protected: true, policy: DeletionPolicy::Retain, ..deletion_goal() }), crd(Definition::BeingDeleted), wait(Wait::Protected)),
        ("prevent-deletion holds an object that names no user",
            Goal::Absent(DeletionGoal { protected: true, user_id: None, ..deletion_goal() }), nothing_known(), wait(Wait::Protected)),
        ("an object that names no possible user goes at once",
            nameless, nothing_known(), release(ReleaseReason::NoSuchUser)),
        ("Retain asks nobody", retained(), nothing_known(), kept(false)),
        ("Retain says that a deletion was accepted before",
            retained(), nothing_known().record(accepted()), kept(true)),
        ("the definition is read next", gone(), nothing_known(), Action::Fetch(Fetch::Definition)),
        ("the definition's going keeps the user", gone(), crd(Definition::BeingDeleted), going(false)),
        ("and says that a deletion was accepted before",
            gone(), crd(Definition::BeingDeleted).record(accepted()), going(true)),
        ("then the user is looked at", gone(), crd(Definition::Kept), Action::Fetch(Fetch::User(id()))),
        ("also where the definition cannot be read",
            gone(), crd(Definition::Unreadable), Action::Fetch(Fetch::User(id()))),
        ("a look that fails is waited for",
            gone(), leaving().sight(UserObservation::Failed(unavailable())), failed_read(unavailable())),
        ("what could not be resolved does not matter any more",
            gone(), leaving().absent(), release(ReleaseReason::UserGone)),
        ("a user that is gone needs no definition",
            gone(), crd(Definition::Unreadable).absent(), release(ReleaseReason::UserGone)),
    }
}

#[test]
fn nobody_leaves_while_a_creation_is_in_doubt() {
    let open = || Record { creation: Creation::Open, ..Record::default() };
    let answered = || Record { arn: Some(arn()), location: Some(Location::of(&arn())), ..open() };
    let doubt = || nothing_known().record(open());
    let look = || Action::Fetch(Fetch::User(id()));
    let kept = || release(ReleaseReason::Retained { deletion_accepted: false });
    let going = || release(ReleaseReason::DefinitionDeleted { deletion_accepted: false });
    let waiting = || wait(Wait::CreationOpen);
    let crd_goes = || doubt().definition(Definition::BeingDeleted);
    check! {
        ("UserNotFound is not believed", gone(), doubt().definition(Definition::Kept).absent(), waiting()),
        ("not even where status knows an ARN: it may be an earlier user's",
            gone(), leaving().absent().record(Record { creation: Creation::Open, ..managed() }), waiting()),
        ("Retain looks first", retained(), doubt(), look()),
        ("Retain asks nobody once AWS has answered the creation",
            retained(), nothing_known().record(Record { creation: Creation::Open, ..managed() }), kept()),
        ("Retain waits while the user may appear", retained(), doubt().absent(), waiting()),
        ("Retain waits while AWS does not answer",
            retained(), doubt().sight(UserObservation::Failed(throttled())), waiting()),
        ("Retain goes once the user was seen", retained(), doubt().seen(active()), kept()),
        ("Retain goes without a look where the creation's answer stands in status",
            retained(), nothing_known().record(answered()), kept()),
        ("where the user is to go, an answer says nothing of what may show yet",
            gone(), nothing_known().record(answered()).definition(Definition::Kept).absent(), waiting()),
        ("the definition's going looks first", gone(), crd_goes(), look()),
        ("it waits while the user may appear", gone(), crd_goes().absent(), waiting()),
        ("it waits while AWS does not answer",
            gone(), crd_goes().sight(UserObservation::Failed(unavailable())), waiting()),
        ("it goes once the user was seen", gone(), crd_goes().seen(active()), going()),
    }
}

#[test]
fn delete_user_is_announced_confirmed_and_sent_to_an_active_user_of_ours_only() {
    let mine = || ours().definition(Definition::Kept);
    let told = || Record { deletion: requested_by_another(), ..managed() };
    let announced_before = || Record { last_applied: None, ..told() };
    let announced_by_us = || Record { deletion: requested_by_us(None), ..announced_before() };
    let spared = || Record { deletion: requested_by_us(managed().last_applied), ..announced_before() };
    let claimed_only = || Record { last_applied: None, ..managed() };
    let unplaced = || Record { arn: None, ..managed() };
    let in_state = |lifecycle: Lifecycle| leaving().seen(user(lifecycle)).record(managed());
    let of_unknown = |lifecycle: Lifecycle| leaving().seen(user(lifecycle));
    let busy = |lifecycle: Lifecycle| wait(Wait::UserNotActive(lifecycle));
    let unknown = |lifecycle: Lifecycle| wait(Wait::OwnerUnknown(lifecycle));
    let announced = || Action::WriteIntent(WriteIntent::Delete);
    let claim =
        || Action::WriteIntent(WriteIntent::Reclaim { last_applied: managed().last_applied.unwrap() });
    let object = || Action::Fetch(Fetch::ObjectAndDefinition);
    let delete = || Action::Delete(Delete { user_id: id() });
    let theirs = || release(ReleaseReason::LeftToOwner(owner_named("other")));
    let seen = || leaving().seen(active());
    check! {
        ("the owner is read right before",
            gone(), seen().remembering(Ownership::Ours).record(managed()), look_at_tags()),
        ("also where this process saw another's", gone(), seen().remembering(another()), look_at_tags()),
        ("the deletion is announced", gone(), mine().record(managed()), announced()),
        ("also if nothing says what came before", gone(), mine(), announced()),
        ("the object is read again once status says that this process announced it",
            gone(), mine().record(announced_by_us()), object()),
        ("another process announces it again, as it may have been sent",
            gone(), mine().record(announced_before()).confirmed(), announced()),
        ("so does this one if status takes a user without our tags for ours",
            gone(), mine().record(Record { deletion: requested_by_us(None), ..managed() }).confirmed(), announced()),
        ("then DeleteUser is called", gone(), mine().record(announced_by_us()).confirmed(), delete()),
        ("and AWS refused each", gone(), mine().record(spared()).confirmed(), delete()),
        ("a confirmation does not replace the announcement", gone(), mine().confirmed(), announced()),
        ("not while it is not known whether the definition goes",
            gone(), ours().definition(Definition::Unreadable).record(announced_by_us()).confirmed(), wait(Wait::DefinitionUnreadable)),
        ("another's user is left alone", gone(), seen().tagged(anothers_tags()), theirs()),
        ("a busy user that this process knows as another's does not hold the object",
            gone(), of_unknown(Lifecycle::Modifying).remembering(another()), theirs()),
        ("another's tags are believed whatever was announced",
            gone(), seen().tagged(anothers_tags()).record(managed()).announced().confirmed(), theirs()),
        ("a user that is being deleted is waited for",
            gone(), in_state(Lifecycle::Deleting), wait(Wait::UserDeleting)),
        ("also where its DeleteUser took out of status all that was applied to it",
            gone(), of_unknown(Lifecycle::Deleting).record(announced_before()), wait(Wait::UserDeleting)),
        ("whatever status says meanwhile, once it was seen",
            gone(), of_unknown(Lifecycle::Deleting).record(Record { deletion: accepted_by_another(), ..claimed_only() }), wait(Wait::UserDeleting)),
        ("nothing of it is known of one that is not being deleted",
            gone(), of_unknown(Lifecycle::Modifying).record(announced_before()), unknown(Lifecycle::Modifying)),
        ("nor of one of another ARN",
            gone(), of_unknown(Lifecycle::Deleting).record(Record { arn: None, ..announced_before() }), unknown(Lifecycle::Deleting)),
        ("one without our tags that is there again is left alone",
            gone(), seen().tagged(Tags::new()).record(announced_by_us()), release(ReleaseReason::LeftUnowned)),
        ("one that this process knows to be there still is claimed first: status takes it for nobody's",
            gone(), seen().tagged(Tags::new()).record(spared()).confirmed(), claim()),
        ("not one that looks otherwise", gone(),
            leaving().seen(RemoteUser { user_name: "else".into(), ..active() }).tagged(Tags::new()).record(spared()), release(ReleaseReason::LeftUnowned)),
        ("it is known while it is being modified too",
            gone(), of_unknown(Lifecycle::Modifying).record(spared()), busy(Lifecycle::Modifying)),
        ("a user that is being modified is waited for",
            gone(), in_state(Lifecycle::Modifying), busy(Lifecycle::Modifying)),
        ("a user that is being created is waited for",
            gone(), in_state(Lifecycle::Creating), busy(Lifecycle::Creating)),
        ("a user in a state that is not known is waited for", gone(), in_state(odd()), busy(odd())),
        ("a busy user that had no tags of ours is of unknown owner until they are read again",
            gone(), of_unknown(Lifecycle::Modifying).remembering(Ownership::Unowned), unknown(Lifecycle::Modifying)),
        ("so is one that is being deleted",
            gone(), of_unknown(Lifecycle::Deleting).remembering(Ownership::Unowned), unknown(Lifecycle::Deleting)),
        ("so is one in a state that is not known",
            gone(), of_unknown(odd()).remembering(Ownership::Unowned), unknown(odd())),
        ("so is one that is being created",
            gone(), of_unknown(Lifecycle::Creating).remembering(Ownership::Unowned), unknown(Lifecycle::Creating)),
        ("a busy user of unknown owner changes nothing",
            gone(), of_unknown(Lifecycle::Modifying), unknown(Lifecycle::Modifying)),
        ("nor does its ARN in status, where nothing was ever applied to it",
            gone(), of_unknown(Lifecycle::Modifying).record(claimed_only()), unknown(Lifecycle::Modifying)),
        ("nor what was applied to a user of another ARN",
            gone(), of_unknown(Lifecycle::Modifying).record(unplaced()), unknown(Lifecycle::Modifying)),
        ("nor does one that is being deleted",
            gone(), of_unknown(Lifecycle::Deleting), unknown(Lifecycle::Deleting)),
        ("tags that cannot be read change nothing, although status knows the owner",
            gone(), seen().tag_sight(TagsObservation::Unreadable).record(managed()).announced().confirmed(), unknown(Lifecycle::Active)),
        ("nor although this process knows it",
            gone(), seen().tag_sight(TagsObservation::Unreadable).remembering(Ownership::Ours).announced().confirmed(), unknown(Lifecycle::Active)),
        ("a reading that fails is waited for",
            gone(), seen().tag_sight(TagsObservation::Failed(denied())), wait(Wait::Failed(Read::ListTagsForResource, denied()))),
    }
}
