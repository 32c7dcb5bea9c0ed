//! `plan` and a user of ours that differs from the spec: what is sent, and whether it counts as drift.

use plan::*;

use crate::common::plans::*;
use crate::common::*;

const OTHER_RULES: &str = "off ~* -@all";

fn other_rules() -> RemoteUser {
    user_with(|user| user.access_string = OTHER_RULES.into())
}

fn valkey() -> RemoteUser {
    user_with(|user| user.engine = "valkey".into())
}

fn open() -> RemoteUser {
    user_with(|user| user.authentication_type = "no-password".into())
}

fn secret(passwords: &[(&str, &str)]) -> Passwords {
    let read = passwords.iter().map(|(password, version)| {
        (Password::parse(format!("{password:-<16}").as_bytes()).unwrap(), SecretVersion::parse(version))
    });
    Passwords::new(read.collect())
}

fn with(passwords: &Passwords) -> Goal {
    present_with(Authentication::Password(Ok(passwords.clone())))
}

/// Status shows that the passwords of these versions were applied.
fn applied_versions(of: &[&str]) -> Record {
    Record {
        last_applied: managed_but(|last| last.password_versions = versions(of)).last_applied,
        ..reported_but(|reported| reported.authentication_type = "password".into())
    }
}

/// This pass read our owner tags on the user, and status has this record.
fn sees(user: RemoteUser, record: Record) -> Observed {
    nothing_known().seen(user).tagged(our_tags()).record(record)
}

/// AWS has this many passwords, and status shows that the passwords of these versions were applied.
fn knows(count: i32, versions: &[&str]) -> Observed {
    sees(password_user(count), applied_versions(versions)).intent_written()
}

fn sent(passwords: &Passwords) -> Changes {
    authentication(AuthenticationChange::Password(passwords.clone()))
}

#[test]
fn a_difference_is_drift_only_if_status_shows_that_the_user_matched_before() {
    let ready = |record| Record { readiness: Readiness::EarlierGeneration, ..record };
    let managed = || ready(managed());
    let last = |sent, expanded| Record { last_applied: Some(applied(sent, expanded)), ..managed() };
    let reported = |change: fn(&mut Reported)| ready(reported_but(change));
    let was_valkey = || reported(|reported| reported.engine = "valkey".into());
    let was_open = || reported(|reported| reported.authentication_type = "no-password".into());
    let open_valkey = || RemoteUser { engine: "valkey".into(), ..open() };
    let everything = || RemoteUser { access_string: OTHER_RULES.into(), ..open_valkey() };
    let was_both = || Record {
        readiness: Readiness::WasReady,
        reported: Some(Reported { engine: "valkey".into(), ..was_open().reported.unwrap() }),
        ..managed()
    };
    let iam = || authentication(AuthenticationChange::Iam);
    let iam_redis = || Changes { engine: Some(Engine::Redis), ..iam() };
    let rules_drift = "access string was \"off ~* -@all\" instead of \"on allkeys +@all\"";
    let engine_drift = "engine was valkey instead of redis";
    let type_drift = "authentication type was no-password instead of iam";
    let edit = |changes| modify(changes, Cause::Edit);
    let drifted = |changes, of: &[&str]| modify(changes, drift(of));
    check! { goal: present();
        { claim: "nothing differs", seen: sees(active(), managed()), plan: Action::InSync },
        { claim: "access string: the spec was edited", seen: sees(other_rules(), last(OTHER_RULES, Some(OTHER_RULES))), plan: edit(rules()) },
        { claim: "access string: nothing was applied before", seen: sees(other_rules(), Record::default()), plan: edit(rules()) },
        { claim: "access string: AWS no longer has its form of it", seen: sees(other_rules(), managed()), plan: drifted(rules(), &[rules_drift]) },
        { claim: "access string: the first active answer counts as AWS's form", seen: sees(other_rules(), last(WANTED, None)), plan: Action::InSync },
        { claim: "engine: status showed the same before", seen: sees(valkey(), was_valkey()), plan: edit(engine(Engine::Redis)) },
        { claim: "engine: status showed nothing before", seen: sees(valkey(), Record::default()), plan: edit(engine(Engine::Redis)) },
        { claim: "engine: status showed the spec's before",
          seen: sees(valkey(), managed()), plan: drifted(engine(Engine::Redis), &[engine_drift]) },
        { claim: "engine: the user was not Ready, so AWS may have just applied an earlier edit",
          seen: sees(valkey(), Record { readiness: Readiness::NotReady, ..managed() }), plan: edit(engine(Engine::Redis)) },
        { claim: "engine: the spec changes to valkey",
          goal: Goal::Present(Desired { engine: Engine::Valkey, ..desired() }), seen: sees(active(), managed()), plan: edit(engine(Engine::Valkey)) },
        { claim: "authentication: status showed the same before", seen: sees(open(), was_open()), plan: edit(iam()) },
        { claim: "authentication: status showed the spec's before", seen: sees(open(), managed()), plan: drifted(iam(), &[type_drift]) },
        { claim: "drift stays drift after status has shown it, if this generation was Ready",
          seen: sees(open_valkey(), was_both()), plan: drifted(iam_redis(), &[engine_drift, type_drift]) },
        { claim: "all differences go in one call, and all drift is reported", seen: sees(everything(), managed()),
          plan: drifted(Changes { access_string: Some(WANTED.into()), ..iam_redis() }, &[rules_drift, engine_drift, type_drift]) },
        { claim: "drift and an edit go in one call, and only the drift is reported",
          seen: sees(RemoteUser { engine: "valkey".into(), ..other_rules() }, last(OTHER_RULES, Some(OTHER_RULES))),
          plan: drifted(Changes { engine: Some(Engine::Redis), ..rules() }, &[engine_drift]) },
    }
}

#[test]
fn a_user_is_changed_only_if_this_pass_read_our_owner_tags() {
    let reported = || reported_but(|reported| reported.access_string = OTHER_RULES.into());
    let remembered = || nothing_known().seen(other_rules()).record(reported()).remembering(Ownership::Ours);
    let tagged = |user| nothing_known().seen(user).tagged(our_tags());
    check! { goal: present();
        { claim: "our owner tags were read", seen: tagged(other_rules()), plan: modify(rules(), Cause::Edit) },
        { claim: "an earlier pass read them", seen: remembered(), plan: fetch_tags() },
        { claim: "an earlier pass read them, and AWS does not show them now",
          seen: remembered().unreadable(), plan: owner_unknown(Lifecycle::Active) },
        { claim: "a user name cannot change", seen: tagged(user_with(|user| user.user_name = "x".into())), plan: other_name("x") },
    }
}

#[test]
fn passwords_are_sent_unless_aws_has_them() {
    let one = secret(&[("one", "a/1/k")]);
    let rewritten = secret(&[("one", "a/2/k")]);
    let other = secret(&[("two", "a/2/k")]);
    let both = secret(&[("one", "a/1/k"), ("two", "b/1/k")]);
    let turned = secret(&[("two", "b/1/k"), ("one", "a/1/k")]);
    let twice = secret(&[("one", "a/1/k"), ("one", "b/1/k")]);
    let next_key = secret(&[("two", "a/1/other")]);
    let wiped = || sees(password_user(1), Record { last_applied: None, ..applied_versions(&[]) });
    let rotates = |passwords| modify(sent(passwords), Cause::Rotation);
    let valkey = Desired {
        engine: Engine::Valkey,
        authentication: Authentication::Password(Ok(other.clone())),
        ..desired()
    };
    let last = LastApplied { password_versions: versions(&["a/1/k"]), ..applied(OTHER_RULES, None) };
    let ruled = sees(
        RemoteUser { access_string: OTHER_RULES.into(), ..password_user(1) },
        Record { last_applied: Some(last), ..applied_versions(&[]) },
    );
    check! { goal: with(&one);
        { claim: "status has the versions", seen: knows(1, &["a/1/k"]), plan: Action::InSync },
        { claim: "another version may be another password after a restart",
          goal: with(&rewritten), seen: knows(1, &["a/1/k"]), plan: rotates(&rewritten) },
        { claim: "a Secret was rewritten with the password that this process sent",
          goal: with(&rewritten), seen: knows(1, &["a/1/k"]).sent(one.clone()), plan: Action::InSync },
        { claim: "another password than this process sent",
          goal: with(&other), seen: knows(1, &["a/1/k"]).sent(one.clone()), plan: rotates(&other) },
        { claim: "what this process sent counts more than status", seen: knows(1, &["a/1/k"]).sent(other.clone()), plan: rotates(&one) },
        { claim: "a rotation adds a second password",
          goal: with(&both), seen: knows(1, &["a/1/k"]).sent(one.clone()), plan: rotates(&both) },
        { claim: "a rotation ends by removing the first password",
          goal: with(&other), seen: knows(2, &["a/1/k", "b/1/k"]).sent(both.clone()), plan: rotates(&other) },
        { claim: "the order of two references does not matter to status",
          goal: with(&turned), seen: knows(2, &["a/1/k", "b/1/k"]), plan: Action::InSync },
        { claim: "the order of two references does not matter to this process",
          goal: with(&turned), seen: knows(2, &[]).sent(both.clone()), plan: Action::InSync },
        { claim: "one password in two Secrets counts once", goal: with(&twice), seen: knows(1, &["a/1/k", "b/1/k"]), plan: Action::InSync },
        { claim: "a second reference to the password that this process sent",
          goal: with(&twice), seen: knows(1, &["a/1/k"]).sent(one.clone()), plan: Action::InSync },
        { claim: "another key of the same Secret is another password",
          goal: with(&next_key), seen: knows(1, &["a/1/k"]), plan: rotates(&next_key) },
        { claim: "a wiped status costs one call", seen: wiped(), plan: modify(sent(&one), Cause::Edit) },
        { claim: "a wiped status costs nothing in the process that sent the passwords", seen: wiped().sent(one.clone()), plan: Action::InSync },
        { claim: "passwords and an access string are an edit",
          goal: with(&other), seen: ruled.intent_written(), plan: modify(Changes { access_string: Some(WANTED.into()), ..sent(&other) }, Cause::Edit) },
        { claim: "passwords and an engine are an edit", goal: Goal::Present(valkey), seen: knows(1, &["a/1/k"]),
          plan: modify(Changes { engine: Some(Engine::Valkey), ..sent(&other) }, Cause::Edit) },
        { claim: "the user had another type since these versions were applied", plan: modify(sent(&one), Cause::Edit),
          seen: sees(active(), Record { reported: Some(reported()), ..applied_versions(&["a/0/k"]) }).intent_written() },
        { claim: "no rotation while the user is modifying", goal: with(&other), plan: wait(Wait::Modifying),
          seen: sees(RemoteUser { lifecycle: Lifecycle::Modifying, ..password_user(1) }, Record { modify_sent: true, ..applied_versions(&["a/1/k"]) }) },
    }
}

#[test]
fn another_number_of_passwords_than_were_applied_is_drift() {
    let (one, both) = (secret(&[("one", "a/1/k")]), secret(&[("one", "a/1/k"), ("two", "b/1/k")]));
    check! { goal: with(&one);
        { claim: "somebody removed a password", goal: with(&both), seen: knows(1, &["a/1/k", "b/1/k"]),
          plan: modify(sent(&both), drift(&["number of passwords was 1 instead of 2"])) },
        { claim: "somebody added a password", seen: knows(2, &["a/2/k"]).sent(one.clone()),
          plan: modify(sent(&one), drift(&["number of passwords was 2 instead of 1"])) },
        { claim: "AWS does not show the number", plan: Action::InSync,
          seen: sees(RemoteUser { password_count: None, ..password_user(1) }, applied_versions(&["a/1/k"])) },
    }
}

#[test]
fn a_secret_that_is_missing_or_invalid_holds_back_nothing_but_the_passwords() {
    let invalid = || present_with(Authentication::Password(Err(invalid_secret())));
    let other_rules = RemoteUser { access_string: OTHER_RULES.into(), ..password_user(1) };
    let lost_tag = sees(password_user(1), managed()).tagged(owner_tags());
    let seen = || nothing_known().seen(password_user(1)).tagged(our_tags());
    check! { goal: missing_secret();
        { claim: "missing, and the access string differs", seen: seen().seen(other_rules), plan: modify(rules(), Cause::Edit) },
        { claim: "missing, and a tag differs", seen: lost_tag, plan: fetch(Fetch::Object) },
        { claim: "missing, and nothing else differs", seen: seen(), plan: wait(Wait::Secret(secret_not_found())) },
        { claim: "missing, and passwords have to be sent", seen: ours(), plan: wait(Wait::Secret(secret_not_found())) },
        { claim: "invalid, and nothing else differs",
          goal: invalid(), seen: seen(), plan: refuse(Refusal::InvalidPassword(invalid_secret())) },
        { claim: "invalid, and passwords have to be sent",
          goal: invalid(), seen: ours(), plan: refuse(Refusal::InvalidPassword(invalid_secret())) },
    }
}

#[test]
fn status_is_corrected_before_modify_user_makes_it_wrong() {
    let (one, other) = (secret(&[("one", "a/1/k")]), secret(&[("two", "a/2/k")]));
    let intent = |expanded: Option<&str>, forget_passwords| {
        let expanded_access_string = expanded.map(str::to_owned);
        Action::WriteIntent(WriteIntent::Modify { expanded_access_string, forget_passwords })
    };
    let last = |of, expanded| {
        let last = LastApplied { password_versions: versions(of), ..applied("on ~before", expanded) };
        Record { last_applied: Some(last), ..managed() }
    };
    let edited = || user_with(|user| user.access_string = "on ~before -@all".into());
    let edited_password = || RemoteUser { access_string: "on ~before -@all".into(), ..password_user(1) };
    check! { goal: present();
        { claim: "versions are forgotten before other passwords are sent",
          goal: with(&other), seen: sees(password_user(1), applied_versions(&["a/1/k"])), plan: intent(None, true) },
        { claim: "versions are forgotten before the user gets another type",
          seen: sees(password_user(1), applied_versions(&["a/1/k"])), plan: intent(None, true) },
        { claim: "status has no versions to forget", goal: with(&one), seen: sees(password_user(1), applied_versions(&[])).sent(other),
          plan: modify(authentication(AuthenticationChange::Password(one.clone())), Cause::Rotation) },
        { claim: "AWS's form of the former access string is recorded, if status does not have it",
          seen: sees(edited(), last(&[], None)), plan: intent(Some("on ~before -@all"), false) },
        { claim: "both in one write", seen: sees(edited_password(), last(&["a/1/k"], None)), plan: intent(Some("on ~before -@all"), true) },
        { claim: "ModifyUser follows", seen: sees(edited(), last(&[], None)).intent_written(), plan: modify(rules(), Cause::Edit) },
        { claim: "status has AWS's form already", seen: sees(edited(), last(&[], Some("on ~before -@all"))), plan: modify(rules(), Cause::Edit) },
    }
}

#[test]
fn each_authentication_type_can_become_each_other() {
    let passwords = secret(&[("one", "a/1/k")]);
    let change = AuthenticationChange::Password(passwords.clone());
    let is = |kind: &str, count| {
        let user = RemoteUser { authentication_type: kind.into(), password_count: count, ..active() };
        sees(user, reported_but(|reported| reported.authentication_type = kind.into()))
    };
    let none = || present_with(Authentication::NoPassword);
    let edit = |change| modify(authentication(change), Cause::Edit);
    check! { goal: with(&passwords);
        { claim: "password to IAM", goal: present(), seen: is("password", Some(1)), plan: edit(AuthenticationChange::Iam) },
        { claim: "IAM to password", seen: is("iam", None), plan: edit(change.clone()) },
        { claim: "password to none", goal: none(), seen: is("password", Some(2)), plan: edit(AuthenticationChange::NoPassword) },
        { claim: "none to password", seen: is("no-password", None), plan: edit(change.clone()) },
        { claim: "IAM to none", goal: none(), seen: is("iam", None), plan: edit(AuthenticationChange::NoPassword) },
        { claim: "none to IAM", goal: present(), seen: is("no-password", None), plan: edit(AuthenticationChange::Iam) },
        { claim: "passwords that were sent before the user had another type are sent again",
          seen: is("iam", None).sent(passwords.clone()), plan: edit(change) },
        { claim: "IAM to a Secret that is missing", goal: missing_secret(), seen: is("iam", None), plan: wait(Wait::Secret(secret_not_found())) },
    }
}

fn ready() -> Record {
    Record { readiness: Readiness::Ready, ..managed() }
}

/// These keys of tags are in status.
fn with_keys(keys: &[&str]) -> Record {
    managed_but(|last| last.tag_keys = texts(keys))
}

#[test]
fn tags_of_the_spec_are_set_and_those_that_left_it_are_removed() {
    let bare = |record| sees(active(), record).tagged(owner_tags());
    let set = |cause| Action::Tag(Tag { arn: arn(), tags: tags(&[("team", "shop")]), cause });
    let untag = |keys| Action::Untag(Untag { arn: arn(), keys: texts(keys) });
    let object = || fetch(Fetch::Object);
    let has = |pairs, record| sees(active(), record).tagged(with_tags(pairs));
    let two = || Goal::Present(Desired { tags: tags(&[("team", "shop"), ("tier", "1")]), ..desired() });
    let none = || Goal::Present(Desired { tags: Tags::new(), ..desired() });
    let mut other_uid = owner().tags("uid-of-a-backup");
    other_uid.extend(tags(&[("team", "shop")]));
    let edited = managed_but(|last| last.access_string = Some(OTHER_RULES.into()));
    check! { goal: present();
        { claim: "the key is recorded before its tag is sent", seen: bare(with_keys(&[])), plan: tags_intent(&["team"]) },
        { claim: "recorded keys stay", goal: two(), seen: has(&[("old", "1")], with_keys(&["team"])), plan: tags_intent(&["team", "tier"]) },
        { claim: "the key of a tag that left the spec stays until its removal is answered",
          seen: has(&[], with_keys(&["old"])), plan: tags_intent(&["old", "team"]) },
        { claim: "the object is read again after the intent", seen: bare(with_keys(&[])).intent_written(), plan: object() },
        { claim: "the tag is set after that", seen: bare(with_keys(&[])).intent_written().confirmed(), plan: set(Cause::Edit) },
        { claim: "a recorded key needs no intent", seen: bare(managed()), plan: object() },
        { claim: "only tags that differ are sent",
          goal: two(), seen: has(&[("tier", "1")], with_keys(&["team", "tier"])).confirmed(), plan: set(Cause::Edit) },
        { claim: "another value is replaced", seen: has(&[("team", "web")], managed()).confirmed(), plan: set(Cause::Edit) },
        { claim: "a missing tag is drift if this generation is Ready",
          seen: bare(ready()).confirmed(), plan: set(drift(&["tag \"team\" was missing"])) },
        { claim: "a missing tag is drift after a first attempt to restore it has failed",
          seen: bare(Record { readiness: Readiness::WasReady, ..managed() }).confirmed(), plan: set(drift(&["tag \"team\" was missing"])) },
        { claim: "another value is drift if this generation is Ready",
          seen: has(&[("team", "web")], ready()).confirmed(), plan: set(drift(&["tag \"team\" was \"web\""])) },
        { claim: "a tag that left the spec is removed", goal: none(), seen: has(&[("team", "shop")], managed()), plan: untag(&["team"]) },
        { claim: "all tags that left the spec are removed in one call",
          goal: none(), seen: has(&[("team", "shop"), ("tier", "1")], with_keys(&["team", "tier"])), plan: untag(&["team", "tier"]) },
        { claim: "removal comes first, because a user may have no room for more tags",
          seen: has(&[("old", "1")], with_keys(&["old"])), plan: untag(&["old"]) },
        { claim: "a tag that somebody else removed is not removed again", goal: none(), seen: has(&[], managed()), plan: Action::InSync },
        { claim: "tags that were never in the spec are not changed",
          seen: has(&[("team", "shop"), ("cost-center", "7")], managed()), plan: Action::InSync },
        { claim: "tags that were never in the spec are not changed, if the spec has none",
          goal: none(), seen: has(&[("cost-center", "7")], with_keys(&[])), plan: Action::InSync },
        { claim: "a tag that somebody else set is not sent again", seen: has(&[("team", "shop")], with_keys(&[])), plan: Action::InSync },
        { claim: "another uid in the owner tags is not changed, because it is for people",
          seen: sees(active(), managed()).tagged(other_uid), plan: Action::InSync },
        { claim: "ModifyUser comes before tags", seen: bare(edited).seen(other_rules()), plan: modify(rules(), Cause::Edit) },
    }
}

#[test]
fn tags_are_read_when_they_are_due_and_unreadable_tags_do_not_make_a_ready_user_unready() {
    let seen = |record| active_seen().record(record);
    check! { goal: present();
        { claim: "not due", seen: seen(managed()), plan: Action::InSync },
        { claim: "due", seen: seen(managed()).tags_due(), plan: fetch_tags() },
        { claim: "not due, and read for another purpose", seen: seen(managed()).tagged(owner_tags()), plan: fetch(Fetch::Object) },
        { claim: "not due, and unreadable", seen: seen(managed()).unreadable(), plan: Action::InSync },
        { claim: "due and unreadable, and the user is Ready", seen: seen(ready()).tags_due().unreadable(), plan: Action::InSync },
        { claim: "due and unreadable, for a new generation",
          seen: seen(managed()).tags_due().unreadable(), plan: owner_unknown(Lifecycle::Active) },
        { claim: "due, and the read fails", seen: seen(managed()).tags_due().tags_failed(throttled()), plan: failed_tags(throttled()) },
    }
}

#[test]
fn tags_match_if_no_tagging_call_is_left_to_make() {
    let rows = cases! {
        "as in the spec": (with_tags(&[("team", "shop")]), managed()) => true,
        "others beside them": (with_tags(&[("team", "shop"), ("x", "y")]), managed()) => true,
        "one is missing": (owner_tags(), managed()) => false,
        "one has another value": (with_tags(&[("team", "web")]), managed()) => false,
        "one that left the spec is there": (with_tags(&[("team", "shop"), ("old", "1")]), with_keys(&["old"])) => false,
        "one that left the spec is gone": (with_tags(&[("team", "shop")]), with_keys(&["old"])) => true,
    };
    for Case { claim, given: (tags, record), expected } in rows {
        assert_eq!(tags_match(&desired(), &tags, &record), expected, "{claim}");
    }
}
