//! `plan` and the owner of a user that exists.

use plan::*;

use crate::common::plans::*;
use crate::common::*;

fn other_engine() -> RemoteUser {
    user_with(|user| user.engine = "valkey".into())
}

fn was_valkey() -> Record {
    reported_but(|reported| reported.engine = "valkey".into())
}

#[test]
fn the_owner_of_an_active_user_is_known_before_anything_is_done_to_it() {
    let seen = || active_seen().other_owner(OwnerObservation::Exists);
    // Status reports the user, but does not say that it was ours.
    let as_reported = || seen().record(Record { reported: Some(reported()), ..Record::default() });
    let valkey = || nothing_known().seen(other_engine()).record(managed());
    let unknown = || owner_unknown(Lifecycle::Active);
    check! { goal: present();
        { claim: "the tags of an unknown user are read", seen: seen(), plan: fetch_tags() },
        { claim: "our tags make it ours", seen: ours(), plan: Action::InSync },
        { claim: "tags that this process read before are enough if nothing has to be changed",
          seen: seen().record(managed()).remembering(Ownership::Ours), plan: Action::InSync },
        { claim: "another object's tags make it that object's", seen: seen().tagged(anothers_tags()), plan: owned_by_another() },
        { claim: "tags of this pass count more than those of an earlier pass",
          seen: seen().tagged(anothers_tags()).remembering(Ownership::Ours), plan: owned_by_another() },
        { claim: "the tags of another object's user are read again, because it may have been given to us",
          seen: seen().remembering(another()), plan: fetch_tags() },
        { claim: "the tags of an unowned user are read again", seen: seen().remembering(Ownership::Unowned), plan: fetch_tags() },
        { claim: "a user without tags that status does not know is unowned", seen: seen().tagged(Tags::new()), plan: already_exists() },
        { claim: "tags that AWS does not show now are waited for", seen: seen().unreadable(), plan: unknown() },
        { claim: "tags that this process read before are enough while AWS does not show them",
          seen: as_reported().unreadable().remembering(Ownership::Ours), plan: Action::InSync },
        { claim: "status is enough while AWS does not show the tags", seen: seen().unreadable().record(managed()), plan: Action::InSync },
        { claim: "after a restart, status is enough for a managed user that is as reported",
          seen: seen().record(managed()), plan: Action::InSync },
        { claim: "a user that is not as reported may be another one, although this process knew it as ours",
          seen: valkey().remembering(Ownership::Ours), plan: fetch_tags() },
        { claim: "a user that is not as reported may be another one, although it matches the spec",
          seen: seen().record(was_valkey()), plan: fetch_tags() },
        { claim: "a user that is not as reported and matches the spec is waited for while AWS does not show its tags",
          seen: seen().record(was_valkey()).unreadable(), plan: unknown() },
        { claim: "a user that is not as reported is waited for while AWS does not show its tags", seen: valkey().unreadable(), plan: unknown() },
        { claim: "a user that is not as reported is waited for, although this process knew it as ours",
          seen: valkey().remembering(Ownership::Ours).unreadable(), plan: unknown() },
        { claim: "tags read before do not count for an active user that was never reported",
          seen: seen().remembering(Ownership::Ours), plan: fetch_tags() },
        { claim: "status does not count against tags of another object that were read before",
          seen: seen().unreadable().record(managed()).remembering(another()), plan: unknown() },
        { claim: "a read of tags that fails is waited for", seen: seen().tags_failed(denied()), plan: failed_tags(denied()) },
    }
}

#[test]
fn the_owner_of_a_user_that_is_not_active_is_what_was_known_before() {
    let seen = |lifecycle| in_state(lifecycle).other_owner(OwnerObservation::Exists);
    let modifying = || seen(Lifecycle::Modifying);
    let ours = |lifecycle| in_state(lifecycle).remembering(Ownership::Ours);
    check! { goal: present();
        { claim: "an unknown owner is waited for, and no tags are read", seen: modifying(), plan: owner_unknown(Lifecycle::Modifying) },
        { claim: "status shows the user as ours, and somebody else changes it",
          seen: modifying().record(Record { readiness: Readiness::Ready, ..managed() }), plan: wait(Wait::BusyForOthers) },
        { claim: "AWS applies our change if the whole spec was sent and never was Ready",
          seen: modifying().record(managed()), plan: wait(Wait::Modifying) },
        { claim: "AWS applies the change that this process sent",
          seen: ours(Lifecycle::Modifying).record(Record { modify_sent: true, ..managed() }), plan: wait(Wait::Modifying) },
        { claim: "somebody else changes a user of ours", seen: ours(Lifecycle::Modifying), plan: not_active(Lifecycle::Modifying) },
        { claim: "AWS creates a user of ours", seen: ours(Lifecycle::Creating), plan: wait(Wait::Creating) },
        { claim: "a user of ours is in a state that we do not know", seen: ours(odd()), plan: not_active(odd()) },
        { claim: "another object's user stays that object's", seen: modifying().remembering(another()), plan: owned_by_another() },
        { claim: "AWS deletes another object's user",
          seen: seen(Lifecycle::Deleting).remembering(another()), plan: wait(Wait::PreviousUser) },
        { claim: "AWS deletes a user of ours", seen: seen(Lifecycle::Deleting).record(managed()), plan: wait(Wait::PreviousUser) },
    }
}

#[test]
fn a_user_without_owner_tags_is_ours_only_if_status_proves_it() {
    let bare = |record| active_seen().tagged(Tags::new()).record(record);
    let unread = |lifecycle| in_state(lifecycle).remembering(Ownership::Unowned).record(managed());
    let with_versions = || managed_but(|last| last.password_versions = versions(&["uid-s/7/key"]));
    check! { goal: present();
        { claim: "the object is read again before owner tags are restored", seen: bare(managed()), plan: fetch(Fetch::Object) },
        { claim: "terminating: the object is read again before owner tags are restored",
          goal: gone(), seen: bare(managed()).kept(), plan: fetch(Fetch::Object) },
        { claim: "owner tags are restored", seen: bare(managed()).confirmed(), plan: restore_tags() },
        { claim: "the versions of passwords leave status first, because somebody may have made the user again with others",
          seen: bare(with_versions()).confirmed(), plan: tags_and_passwords_intent(&["team"]) },
        { claim: "after that owner tags are restored", seen: bare(with_versions()).intent_written().confirmed(), plan: restore_tags() },
        { claim: "terminating: no passwords are sent, so their versions may stay",
          goal: gone(), seen: bare(with_versions()).kept().confirmed(), plan: restore_tags() },
        { claim: "terminating: owner tags are restored before DeleteUser",
          goal: gone(), seen: bare(managed()).kept().confirmed(), plan: restore_tags() },
        { claim: "owner tags are not restored before this pass has read the tags", seen: unread(Lifecycle::Active), plan: fetch_tags() },
    }
    for state in busy_states() {
        check! { goal: present();
            { claim: "owner tags are not restored while the user is busy", seen: unread(state.clone()), plan: not_active(state) },
        }
    }
    let other_user = Arn::parse("arn:aws:elasticache:us-east-1:111111111111:user:previous");
    let strangers = [
        ("no ARN in status", Record { arn: None, ..managed() }),
        ("another ARN in status", Record { arn: other_user, ..managed() }),
        ("nothing was applied", Record { last_applied: None, ..managed() }),
        ("only the intent to create was written", Record { last_applied: Some(keys_only()), ..managed() }),
        ("nothing was reported", Record { reported: None, ..managed() }),
        ("another user name", reported_but(|reported| reported.user_name = "x".into())),
        ("another engine", was_valkey()),
        ("another authentication", reported_but(|reported| reported.authentication_type = "password".into())),
        ("another access string", reported_but(|reported| reported.access_string = "off -@all".into())),
        ("AWS accepted its deletion", Record { deletion: accepted_by_another(), ..managed() }),
    ];
    for (claim, record) in strangers {
        check! { goal: present();
            { claim: claim, seen: bare(record.clone()), plan: already_exists() },
            { claim: claim, goal: gone(), seen: bare(record).kept(), plan: release(ReleaseReason::LeftUnowned) },
        }
    }
}
