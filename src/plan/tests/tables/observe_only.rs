//! `plan` for objects that only observe, and for suspended objects: AWS is not changed.

use plan::*;

use crate::common::plans::*;
use crate::common::*;

fn observes(change: impl FnOnce(&mut Desired)) -> Goal {
    let mut desired = desired();
    change(&mut desired);
    Goal::ObserveOnly(desired)
}

fn observes_with(authentication: Authentication) -> Goal {
    observes(|desired| desired.authentication = authentication)
}

fn differs(what: &[&str]) -> Action {
    Action::ObserveOnly(Comparison::Differs(texts(what)))
}

fn matches() -> Action {
    Action::ObserveOnly(Comparison::Matches)
}

fn missing() -> Action {
    Action::ObserveOnly(Comparison::Missing)
}

#[test]
fn an_observing_object_reports_each_field_that_would_be_changed() {
    let passwords = |count| ours().seen(RemoteUser { password_count: count, ..password_user(0) });
    let rules = |text: &str| ours().seen(user_with(|user| user.access_string = text.into()));
    let valkey = || RemoteUser { engine: "valkey".into(), ..active() };
    let renamed = || user_with(|user| user.user_name = "x".into());
    let all = RemoteUser {
        access_string: "off".into(),
        authentication_type: "no-password".into(),
        engine: "valkey".into(),
        ..renamed()
    };
    let odd = || observes(|desired| desired.access_string = "on frobnicate ~a".into());
    let odd_differs = || differs(&["access string \"on ~a frobnicate\" would become \"on frobnicate ~a\""]);
    let odd_sent = || with_applied(applied("on frobnicate ~a", Some("on ~a frobnicate")));
    let other_password =
        Passwords::new(vec![(Password::parse(b"another password").unwrap(), SecretVersion::parse("v/key"))]);
    let mut anothers = anothers_tags();
    anothers.extend(tags(&[("team", "shop")]));
    check! { goal: observes(|_| {});
        { claim: "nothing differs", seen: ours(), plan: matches() },
        { claim: "the owner does not matter", seen: ours().tagged(anothers), plan: matches() },
        { claim: "an access string of the same meaning", seen: rules("on ~* +@all"), plan: matches() },
        { claim: "an access string of another meaning",
          seen: rules("off ~* -@all"), plan: differs(&["access string \"off ~* -@all\" would become \"on allkeys +@all\""]) },
        { claim: "an access string that cannot be read is compared as text", goal: odd(), seen: rules("on ~a frobnicate"), plan: odd_differs() },
        { claim: "AWS's form of the last request does not count", goal: odd(), seen: rules("on ~a frobnicate").record(odd_sent()), plan: odd_differs() },
        { claim: "another engine", seen: ours().seen(valkey()), plan: differs(&["engine valkey would become redis"]) },
        { claim: "the same number of passwords", goal: observes_with(password()), seen: passwords(Some(1)), plan: matches() },
        { claim: "passwords that this process sent do not count",
          goal: observes_with(password()), seen: passwords(Some(1)).sent(other_password), plan: matches() },
        { claim: "another number of passwords",
          goal: observes_with(password()), seen: passwords(Some(2)), plan: differs(&["passwords would be sent"]) },
        { claim: "the number of passwords does not matter if somebody else sets them",
          goal: observes_with(external()), seen: passwords(Some(2)), plan: matches() },
        { claim: "a first password in place of IAM", goal: observes_with(external()), seen: ours(),
          plan: differs(&["authentication type iam would become password", "passwords would be sent"]) },
        { claim: "passwords in place of IAM", goal: observes_with(password()), seen: ours(),
          plan: differs(&["authentication type iam would become password", "passwords would be sent"]) },
        { claim: "IAM in place of passwords", seen: passwords(Some(1)), plan: differs(&["authentication type password would become iam"]) },
        { claim: "another user name", seen: ours().seen(renamed()),
          plan: differs(&["userName is \"x\" and not \"app\", which AWS cannot change"]) },
        { claim: "everything", seen: ours().seen(all).tagged(Tags::new()), plan: differs(&[
            "userName is \"x\" and not \"app\", which AWS cannot change",
            "access string \"off\" would become \"on allkeys +@all\"",
            "engine valkey would become redis",
            "authentication type no-password would become iam",
            "tag \"team\" would be set to \"shop\"",
        ]) },
        { claim: "each tag of the spec",
          goal: observes(|desired| desired.tags = tags(&[("team", "shop"), ("tier", "1")])), seen: ours().tagged(tags(&[("team", "web"), ("x", "y")])),
          plan: differs(&["tag \"team\" would be set to \"shop\"", "tag \"tier\" would be set to \"1\""]) },
        { claim: "a tag that is not in the spec does not matter", seen: ours().tagged(tags(&[("team", "shop"), ("old", "1")])), plan: matches() },
        { claim: "without tags in the spec none are read", goal: observes(|desired| desired.tags = Tags::new()), seen: active_seen(), plan: matches() },
    }
}

#[test]
fn an_observing_object_reads_aws_and_changes_nothing() {
    let west = || placed(arn_in("eu-west-1", "111111111111"));
    let wrong_location =
        || refuse(Refusal::WrongLocation(elsewhere(arn_in("eu-west-1", "111111111111"), "us-east-1", None)));
    let lacks = |problem| observes_with(Authentication::Password(Err(problem)));
    let absent = || nothing_known().absent();
    check! { goal: observes(|_| {});
        { claim: "the user is read first", seen: nothing_known(), plan: fetch_user() },
        { claim: "a read that fails is waited for", seen: nothing_known().failed(throttled()), plan: failed_read(throttled()) },
        { claim: "a missing user is not created", seen: absent(), plan: missing() },
        { claim: "a missing user is not created after an intent", seen: absent().intent_written(), plan: missing() },
        { claim: "UserNotFound counts only in the region of status", seen: absent().record(west()), plan: wrong_location() },
        { claim: "UserNotFound counts only in the account of status",
          seen: absent().record(managed()).account(Account::NotAsked), plan: fetch(Fetch::Account) },
        { claim: "a user in another region than status", seen: ours().record(west()), plan: wrong_location() },
        { claim: "a modifying user is waited for", seen: in_state(Lifecycle::Modifying), plan: not_active(Lifecycle::Modifying) },
        { claim: "a user that AWS deletes is waited for", seen: in_state(Lifecycle::Deleting), plan: not_active(Lifecycle::Deleting) },
        { claim: "a user in an unknown state is waited for", seen: in_state(odd()), plan: not_active(odd()) },
        { claim: "a missing Secret", goal: lacks(secret_not_found()), seen: active_seen(), plan: wait(Wait::Secret(secret_not_found())) },
        { claim: "a value that cannot be a password",
          goal: lacks(invalid_secret()), seen: active_seen(), plan: refuse(Refusal::InvalidPassword(invalid_secret())) },
        { claim: "the tags are read", seen: active_seen(), plan: fetch_tags() },
        { claim: "tags that AWS does not show are waited for", seen: active_seen().unreadable(), plan: owner_unknown(Lifecycle::Active) },
        { claim: "a read of tags that fails is waited for", seen: active_seen().tags_failed(denied()), plan: failed_tags(denied()) },
    }
}

#[test]
fn an_object_that_begins_to_observe_loses_its_finalizer_unless_a_create_user_may_take_effect() {
    let with_finalizer = |record| nothing_known().record(record).finalizer(true);
    let open = || with_finalizer(open_creation());
    let releases = || release(ReleaseReason::Observes { deletion_accepted: false });
    check! { goal: observes(|_| {});
        { claim: "no AWS call is needed", seen: with_finalizer(managed()), plan: releases() },
        { claim: "CreateUser may take effect: the user is read", seen: open(), plan: fetch_user() },
        { claim: "CreateUser may take effect: the user may appear", seen: open().absent(), plan: wait(Wait::CreationOpen) },
        { claim: "CreateUser may take effect: AWS does not answer", seen: open().failed(throttled()), plan: wait(Wait::CreationOpen) },
        { claim: "the user was seen", seen: open().seen(active()), plan: releases() },
        { claim: "CreateUser was answered", seen: with_finalizer(Record { creation: Creation::Open, ..managed() }), plan: releases() },
        { claim: "without a finalizer there is nothing to wait for", seen: nothing_known().record(open_creation()).absent(), plan: missing() },
    }
}

#[test]
fn a_suspended_object_stays_ready_only_if_status_shows_that_its_spec_was_applied() {
    let suspended = |change: fn(&mut Outline)| {
        let access_string = WANTED.into();
        let mut outline = Outline {
            engine: Engine::Redis,
            access_string,
            authentication_type: AuthenticationType::Iam,
            user_groups: Default::default(),
        };
        change(&mut outline);
        Goal::Suspended(Some(outline))
    };
    let no_password = || suspended(|outline| outline.authentication_type = AuthenticationType::NoPassword);
    let ready = || Record { readiness: Readiness::EarlierGeneration, ..managed() };
    let status = |record| nothing_known().record(record);
    let reports = |change: fn(&mut Reported)| Record {
        readiness: Readiness::EarlierGeneration,
        ..reported_but(change)
    };
    let stays = |ready| Action::Suspended { ready };
    check! { goal: suspended(|_| {});
        { claim: "it was Ready, and its spec was applied", seen: status(ready()), plan: stays(true) },
        { claim: "an access string of the same meaning was applied",
          goal: suspended(|outline| outline.access_string = "on ~* allcommands".into()), seen: status(ready()), plan: stays(true) },
        { claim: "`no-password` is AWS's word for it",
          goal: no_password(), seen: status(reports(|reported| reported.authentication_type = "no-password".into())), plan: stays(true) },
        { claim: "it was not Ready", seen: status(managed()), plan: stays(false) },
        { claim: "its spec cannot be read", goal: Goal::Suspended(None), seen: status(ready()), plan: stays(false) },
        { claim: "the spec has another access string",
          goal: suspended(|outline| outline.access_string = "off".into()), seen: status(ready()), plan: stays(false) },
        { claim: "the spec has another engine",
          goal: suspended(|outline| outline.engine = Engine::Valkey), seen: status(ready()), plan: stays(false) },
        { claim: "the spec has another authentication", goal: no_password(), seen: status(ready()), plan: stays(false) },
        { claim: "status has another engine", seen: status(reports(|reported| reported.engine = "valkey".into())), plan: stays(false) },
        { claim: "nothing was applied, because it only observed", seen: status(Record { last_applied: None, ..ready() }), plan: stays(false) },
        { claim: "status reports no user", seen: status(Record { reported: None, ..ready() }), plan: stays(false) },
        { claim: "what AWS showed does not matter", seen: ours().record(Record::default()).absent(), plan: stays(false) },
    }
}
