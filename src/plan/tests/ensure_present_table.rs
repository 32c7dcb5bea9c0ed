//! `plan` over the life of a user, one sentence a row: what is changed, why, and what becomes of the spec's tags.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[macro_use]
mod common;

use common::plans::*;
use common::*;
use plan::*;

const OTHER_RULES: &str = "off ~* -@all";

fn secret(passwords: &[(&str, &str)]) -> Passwords {
    let read = passwords.iter().map(|(password, version)| {
        (Password::parse(format!("{password:-<16}").as_bytes()).unwrap(), SecretVersion::parse(version))
    });
    Passwords::new(read.collect())
}

fn with(passwords: &Passwords) -> Goal {
    present_with(Authentication::Password(Ok(passwords.clone())))
}

/// A user with this many passwords.
fn password_user(count: i32) -> RemoteUser {
    RemoteUser { authentication_type: "password".into(), password_count: Some(count), ..active() }
}

/// Status shows that the passwords of these versions were applied.
fn applied_versions(versions: &[&str]) -> Record {
    let password_versions = common::versions(versions);
    let before = managed();
    Record {
        last_applied: before.last_applied.map(|last| LastApplied { password_versions, ..last }),
        reported: Some(Reported { authentication_type: "password".into(), ..reported() }),
        ..before
    }
}

fn sends(changes: Changes, cause: Cause) -> Action {
    Action::Modify(Modify { user_id: id(), changes, cause })
}

fn drift(of: &[&str]) -> Cause {
    Cause::Drift(of.iter().map(|text| (*text).to_owned()).collect())
}

fn rules() -> Changes {
    Changes { access_string: Some(WANTED.into()), ..Changes::default() }
}

fn engine(engine: Engine) -> Changes {
    Changes { engine: Some(engine), ..Changes::default() }
}

fn authentication(change: AuthenticationChange) -> Changes {
    Changes { authentication: Some(change), ..Changes::default() }
}

/// This user, read as ours, with this in status.
fn sees(user: RemoteUser, record: Record) -> Observed {
    nothing_known().seen(user).tagged(our_tags()).record(record)
}

#[test]
fn what_differs_is_an_edit_unless_somebody_else_changed_it() {
    let managed = || Record { readiness: Readiness::EarlierGeneration, ..managed() };
    let other_rules = || RemoteUser { access_string: OTHER_RULES.into(), ..active() };
    let valkey = || RemoteUser { engine: "valkey".into(), ..active() };
    let open = || RemoteUser { authentication_type: "no-password".into(), ..active() };
    let all =
        || RemoteUser { authentication_type: "no-password".into(), engine: "valkey".into(), ..other_rules() };
    let last = |sent: &str, made: Option<&str>| Record {
        last_applied: Some(LastApplied {
            access_string: Some(sent.into()),
            expanded_access_string: made.map(str::to_owned),
            ..LastApplied::default()
        }),
        ..managed()
    };
    let shown = |reported: Reported| Record { reported: Some(reported), ..managed() };
    let was_valkey = || shown(Reported { engine: "valkey".into(), ..reported() });
    let was_open = || shown(Reported { authentication_type: "no-password".into(), ..reported() });
    let was_drifted = || {
        let authentication_type = "no-password".into();
        Some(Reported { engine: "valkey".into(), authentication_type, ..reported() })
    };
    let everything = || Changes {
        access_string: Some(WANTED.into()),
        engine: Some(Engine::Redis),
        authentication: Some(AuthenticationChange::Iam),
    };
    check! {
        ("nothing differs, nothing is sent", present(), sees(active(), managed()), Action::InSync),
        ("new rules are an edit",
            present(), sees(other_rules(), last(OTHER_RULES, Some(OTHER_RULES))), sends(rules(), Cause::Edit)),
        ("rules of a user that nobody applied anything to are an edit",
            present(), sees(other_rules(), Record::default()), sends(rules(), Cause::Edit)),
        ("rules that AWS had made of this request and has no more are drift",
            present(), sees(other_rules(), managed()), sends(rules(), drift(&["access string was \"off ~* -@all\" instead of \"on allkeys +@all\""]))),
        ("rules are no drift before the first active answer",
            present(), sees(other_rules(), last(WANTED, None)), Action::InSync),
        ("another engine is an edit where status showed that one before",
            present(), sees(valkey(), was_valkey()), sends(engine(Engine::Redis), Cause::Edit)),
        ("and where status showed nothing",
            present(), sees(valkey(), Record::default()), sends(engine(Engine::Redis), Cause::Edit)),
        ("another engine is drift where status showed the spec's",
            present(), sees(valkey(), managed()), sends(engine(Engine::Redis), drift(&["engine was valkey instead of redis"]))),
        ("unless the user is not Ready: an earlier edit may have brought it just now",
            present(), sees(valkey(), Record { readiness: Readiness::NotReady, ..managed() }), sends(engine(Engine::Redis), Cause::Edit)),
        ("an engine changes the other way too",
            Goal::Present(Desired { engine: Engine::Valkey, ..desired() }), sees(active(), managed()), sends(engine(Engine::Valkey), Cause::Edit)),
        ("another authentication is an edit where status showed that one before",
            present(), sees(open(), was_open()), sends(authentication(AuthenticationChange::Iam), Cause::Edit)),
        ("and drift where status showed the spec's",
            present(), sees(open(), managed()), sends(authentication(AuthenticationChange::Iam), drift(&["authentication type was no-password instead of iam"]))),
        ("it is drift still once status shows it, where the generation was Ready before",
            present(), sees(RemoteUser { engine: "valkey".into(), ..open() }, Record { readiness: Readiness::WasReady, reported: was_drifted(), ..managed() }),
            sends(
                Changes { engine: Some(Engine::Redis), ..authentication(AuthenticationChange::Iam) },
                drift(&["engine was valkey instead of redis", "authentication type was no-password instead of iam"]),
            )),
        ("everything goes in one call, and all of the drift is told",
            present(), sees(all(), managed()), sends(everything(), drift(&[
                "access string was \"off ~* -@all\" instead of \"on allkeys +@all\"",
                "engine was valkey instead of redis",
                "authentication type was no-password instead of iam",
            ]))),
        ("drift goes before an edit in the same call, and only the drift is told",
            present(), sees(RemoteUser { engine: "valkey".into(), ..other_rules() }, last(OTHER_RULES, Some(OTHER_RULES))),
            sends(Changes { engine: Some(Engine::Redis), ..rules() }, drift(&["engine was valkey instead of redis"]))),
    }
}

#[test]
fn passwords_are_sent_where_they_are_not_those_that_aws_has() {
    let one = secret(&[("one", "a/1/k")]);
    let rewritten = secret(&[("one", "a/2/k")]);
    let other = secret(&[("two", "a/2/k")]);
    let both = secret(&[("one", "a/1/k"), ("two", "b/1/k")]);
    let turned = secret(&[("two", "b/1/k"), ("one", "a/1/k")]);
    let twice = secret(&[("one", "a/1/k"), ("one", "b/1/k")]);
    let next_key = secret(&[("two", "a/1/other")]);
    let knows =
        |count: i32, versions: &[&str]| sees(password_user(count), applied_versions(versions)).announced();
    let sent = |passwords: &Passwords| authentication(AuthenticationChange::Password(passwords.clone()));
    let rotates = |passwords: &Passwords| sends(sent(passwords), Cause::Rotation);
    let count_was = |text: &str| drift(&[text]);
    let wiped = || Record { last_applied: None, ..applied_versions(&[]) };
    let other_rules = |user: RemoteUser| RemoteUser { access_string: OTHER_RULES.into(), ..user };
    check! {
        ("the versions in status are enough to rest", with(&one), knows(1, &["a/1/k"]), Action::InSync),
        ("another version may be another password: after a restart it is sent",
            with(&rewritten), knows(1, &["a/1/k"]), rotates(&rewritten)),
        ("a Secret rewritten with the password that this process sent causes nothing",
            with(&rewritten), knows(1, &["a/1/k"]).sent(one.clone()), Action::InSync),
        ("another password than this process sent is sent",
            with(&other), knows(1, &["a/1/k"]).sent(one.clone()), rotates(&other)),
        ("what this process sent goes before what status says",
            with(&one), knows(1, &["a/1/k"]).sent(other.clone()), rotates(&one)),
        ("a second password is added for the overlap of a rotation",
            with(&both), knows(1, &["a/1/k"]).sent(one.clone()), rotates(&both)),
        ("and taken away at its end", with(&other), knows(2, &["a/1/k", "b/1/k"]).sent(both.clone()), rotates(&other)),
        ("the order of two references means nothing to the versions in status",
            with(&turned), knows(2, &["a/1/k", "b/1/k"]), Action::InSync),
        ("nor to what this process sent", with(&turned), knows(2, &[]).sent(both.clone()), Action::InSync),
        ("the same password in two Secrets counts once",
            with(&twice), knows(1, &["a/1/k", "b/1/k"]), Action::InSync),
        ("also where the second reference is new", with(&twice), knows(1, &["a/1/k"]).sent(one.clone()), Action::InSync),
        ("another key of the same Secret is another password",
            with(&next_key), knows(1, &["a/1/k"]), rotates(&next_key)),
        ("a status that was wiped costs one call", with(&one), sees(password_user(1), wiped()), sends(sent(&one), Cause::Edit)),
        ("and none in the process that sent the passwords",
            with(&one), sees(password_user(1), wiped()).sent(one.clone()), Action::InSync),
        ("passwords that somebody took away are drift",
            with(&both), knows(1, &["a/1/k", "b/1/k"]), sends(sent(&both), count_was("number of passwords was 1 instead of 2"))),
        ("and those that somebody added",
            with(&one), knows(2, &["a/2/k"]).sent(one.clone()), sends(sent(&one), count_was("number of passwords was 2 instead of 1"))),
        ("a number that AWS does not tell is no difference",
            with(&one), sees(RemoteUser { password_count: None, ..password_user(1) }, applied_versions(&["a/1/k"])), Action::InSync),
        ("passwords and rules together are an edit",
            with(&other), sees(other_rules(password_user(1)), Record { last_applied: Some(LastApplied {
                access_string: Some(OTHER_RULES.into()), password_versions: common::versions(&["a/1/k"]), ..LastApplied::default()
            }), ..applied_versions(&[]) }).announced(), sends(Changes { access_string: Some(WANTED.into()), ..sent(&other) }, Cause::Edit)),
        ("passwords and another engine are an edit",
            Goal::Present(Desired { engine: Engine::Valkey, authentication: Authentication::Password(Ok(other.clone())), ..desired() }),
            knows(1, &["a/1/k"]), sends(Changes { engine: Some(Engine::Valkey), ..sent(&other) }, Cause::Edit)),
        ("passwords of a user that had another type are an edit, whatever status remembers of older ones",
            with(&one), sees(active(), Record { reported: Some(reported()), ..applied_versions(&["a/0/k"]) }).announced(), sends(sent(&one), Cause::Edit)),
        ("a rotation is not sent while the user is modifying",
            with(&other), sees(RemoteUser { lifecycle: Lifecycle::Modifying, ..password_user(1) }, Record { modify_sent: true, ..applied_versions(&["a/1/k"]) }),
            wait(Wait::Modifying)),
    }
}

#[test]
fn what_a_change_overwrites_is_announced_where_status_would_speak_of_it() {
    let (one, other) = (secret(&[("one", "a/1/k")]), secret(&[("two", "a/2/k")]));
    let announces = |expanded: Option<&str>, forget_passwords: bool| {
        let expanded_access_string = expanded.map(str::to_owned);
        Action::WriteIntent(WriteIntent::Modify { expanded_access_string, forget_passwords })
    };
    let unseen = |versions: &[&str]| {
        let last = LastApplied {
            access_string: Some("on ~before".into()),
            password_versions: common::versions(versions),
            ..LastApplied::default()
        };
        Record { last_applied: Some(last), ..managed() }
    };
    let edited = || RemoteUser { access_string: "on ~before -@all".into(), ..active() };
    let new_rules = || Changes { access_string: Some(WANTED.into()), ..Changes::default() };
    check! {
        ("the versions in status are forgotten before other passwords are sent",
            with(&other), sees(password_user(1), applied_versions(&["a/1/k"])), announces(None, true)),
        ("and before the passwords go altogether",
            present(), sees(password_user(1), applied_versions(&["a/1/k"])), announces(None, true)),
        ("where status knows none there is nothing to forget",
            with(&one), sees(password_user(1), applied_versions(&[])).sent(other), sends(authentication(
                AuthenticationChange::Password(one.clone())), Cause::Rotation)),
        ("what AWS made of the former request is noted before the next one, where nobody has seen it yet",
            present(), sees(edited(), unseen(&[])), announces(Some("on ~before -@all"), false)),
        ("both at once",
            present(), sees(RemoteUser { access_string: "on ~before -@all".into(), ..password_user(1) }, unseen(&["a/1/k"])),
            announces(Some("on ~before -@all"), true)),
        ("once announced, it is sent", present(), sees(edited(), unseen(&[])).announced(), sends(new_rules(), Cause::Edit)),
        ("a form that was noted is not noted again",
            present(), sees(edited(), Record { last_applied: Some(LastApplied {
                access_string: Some("on ~before".into()), expanded_access_string: Some("on ~before -@all".into()), ..LastApplied::default()
            }), ..managed() }), sends(new_rules(), Cause::Edit)),
    }
}

#[test]
fn each_authentication_type_becomes_each_other() {
    let passwords = secret(&[("one", "a/1/k")]);
    let change = AuthenticationChange::Password(passwords.clone());
    let is = |kind: &str, count: Option<i32>| {
        let user = RemoteUser { authentication_type: kind.into(), password_count: count, ..active() };
        let reported = Reported { authentication_type: kind.into(), ..reported() };
        sees(user, Record { reported: Some(reported), ..managed() })
    };
    let open = || present_with(Authentication::NoPassword);
    let edit = |change| sends(authentication(change), Cause::Edit);
    let missing = || present_with(Authentication::Password(Err(secret_not_found())));
    check! {
        ("a password becomes IAM", present(), is("password", Some(1)), edit(AuthenticationChange::Iam)),
        ("IAM becomes a password", with(&passwords), is("iam", None), edit(change.clone())),
        ("a password becomes none", open(), is("password", Some(2)), edit(AuthenticationChange::NoPassword)),
        ("none becomes a password", with(&passwords), is("no-password", None), edit(change.clone())),
        ("IAM becomes none", open(), is("iam", None), edit(AuthenticationChange::NoPassword)),
        ("none becomes IAM", present(), is("no-password", None), edit(AuthenticationChange::Iam)),
        ("passwords that this process sent before the user had another type are sent again",
            with(&passwords), is("iam", None).sent(passwords.clone()), edit(change)),
        ("a type that needs a Secret which is not there waits for it",
            missing(), is("iam", None), wait(Wait::Secret(secret_not_found()))),
    }
}

#[test]
fn the_tags_of_the_spec_are_kept_and_no_others() {
    let bare = || sees(active(), managed()).tagged(owner_tags());
    let new = || Record { readiness: Readiness::NotReady, ..with_keys(&[]) };
    let announce = |keys: &[&str]| {
        Action::WriteIntent(WriteIntent::Tags {
            tag_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        })
    };
    let set = |cause| Action::Tag(Tag { arn: arn(), tags: tags(&[("team", "shop")]), cause });
    let untag = |keys: &[&str]| {
        Action::Untag(Untag { arn: arn(), keys: keys.iter().map(|key| (*key).to_owned()).collect() })
    };
    let object = || Action::Fetch(Fetch::Object);
    let has = |pairs: &[(&str, &str)], record: Record| sees(active(), record).tagged(with_tags(pairs));
    let unread = |record: Record| nothing_known().seen(active()).record(record);
    let two = || Goal::Present(Desired { tags: tags(&[("team", "shop"), ("tier", "1")]), ..desired() });
    let none = || Goal::Present(Desired { tags: Tags::new(), ..desired() });
    let unknown = || wait(Wait::OwnerUnknown(Lifecycle::Active));
    check! {
        ("a key is announced before its tag is sent", present(), bare().record(new()), announce(&["team"])),
        ("together with those that are ours already",
            two(), has(&[("old", "1")], with_keys(&["team"])), announce(&["team", "tier"])),
        ("and with one that left the spec, which goes only once its removal was answered",
            present(), has(&[], with_keys(&["old"])), announce(&["old", "team"])),
        ("the object is read again once that stands in status",
            present(), bare().record(new()).announced(), object()),
        ("then the tag is set", present(), bare().record(new()).announced().confirmed(), set(Cause::Edit)),
        ("a key that was announced before is not announced again", present(), bare(), object()),
        ("only the tags that differ are sent",
            two(), has(&[("tier", "1")], with_keys(&["team", "tier"])).confirmed(), set(Cause::Edit)),
        ("a tag that has another value is set", present(), has(&[("team", "web")], managed()).confirmed(), set(Cause::Edit)),
        ("on a generation that was Ready a lost tag is drift",
            present(), bare().record(settled()).confirmed(), set(drift(&["tag \"team\" was missing"]))),
        ("also once the first attempt to put it back has failed",
            present(), bare().record(Record { readiness: Readiness::WasReady, ..managed() }).confirmed(), set(drift(&["tag \"team\" was missing"]))),
        ("and so is another value",
            present(), has(&[("team", "web")], settled()).confirmed(), set(drift(&["tag \"team\" was \"web\""]))),
        ("a tag that left the spec is removed", none(), has(&[("team", "shop")], managed()), untag(&["team"])),
        ("with all others that left it",
            none(), has(&[("team", "shop"), ("tier", "1")], with_keys(&["team", "tier"])), untag(&["team", "tier"])),
        ("removal goes first: an account may have no room for both",
            present(), has(&[("old", "1")], with_keys(&["old"])), untag(&["old"])),
        ("a tag that somebody else has removed already is not removed again",
            none(), has(&[], managed()), Action::InSync),
        ("tags that were never in the spec are left alone",
            present(), has(&[("team", "shop"), ("cost-center", "7")], managed()), Action::InSync),
        ("also where the spec has none", none(), has(&[("cost-center", "7")], with_keys(&[])), Action::InSync),
        ("a tag that is there already is taken on without a call",
            present(), has(&[("team", "shop")], with_keys(&[])), Action::InSync),
        ("the owner's uid is for people: another one is left as it is",
            present(), sees(active(), managed()).tagged({
                let mut tags = owner().tags("uid-of-a-backup");
                tags.insert("team".into(), "shop".into());
                tags
            }), Action::InSync),
        ("a change of the user goes before its tags",
            present(), bare().seen(RemoteUser { access_string: OTHER_RULES.into(), ..active() }).record(with_rules_sent()), sends(rules(), Cause::Edit)),
        ("the tags are not read where that is not due", present(), unread(managed()), Action::InSync),
        ("they are read where it is", present(), unread(managed()).due(), look_at_tags()),
        ("tags that were read are compared whether that is due or not", present(), bare(), object()),
        ("tags that cannot be read now do not unmake what was Ready",
            present(), unread(settled()).due().tag_sight(TagsObservation::Unreadable), Action::InSync),
        ("those of a new generation are waited for",
            present(), unread(managed()).due().tag_sight(TagsObservation::Unreadable), unknown()),
        ("unless they are not due", present(), unread(managed()).tag_sight(TagsObservation::Unreadable), Action::InSync),
        ("a reading that fails is waited for",
            present(), unread(managed()).due().tag_sight(TagsObservation::Failed(throttled())), wait(Wait::Failed(Read::ListTagsForResource, throttled()))),
        ("a Secret that is missing does not hold the tags back",
            present_with(Authentication::Password(Err(secret_not_found()))), bare().seen(password_user(1)), object()),
    }
}

#[test]
fn the_account_is_learnt_before_the_first_create_unless_aws_will_not_show_it() {
    let absent = |account| nothing_known().absent().account(account);
    let after_sts = |account| Observed { caller_asked: true, ..absent(account) };
    check! {
        ("STS is asked first", present(), absent(Account::NotAsked), Action::Fetch(Fetch::Caller)),
        ("then ElastiCache", present(), after_sts(Account::NotAsked), Action::Fetch(Fetch::Account)),
        ("passing trouble is waited for", present(), after_sts(Account::Failed(throttled())), failed_read(throttled())),
        ("the region decides alone if AWS shows nothing", present(), after_sts(Account::Withheld), announce_creation()),
        ("or refuses", present(), after_sts(Account::Failed(denied())), announce_creation()),
    }
}

fn settled() -> Record {
    Record { readiness: Readiness::Ready, ..managed() }
}

fn with_keys(keys: &[&str]) -> Record {
    let tag_keys = keys.iter().map(|key| (*key).to_owned()).collect();
    let before = managed();
    Record { last_applied: before.last_applied.map(|last| LastApplied { tag_keys, ..last }), ..before }
}

/// Status remembers other rules than the spec's.
fn with_rules_sent() -> Record {
    let before = managed();
    let access_string = Some(OTHER_RULES.to_owned());
    Record { last_applied: before.last_applied.map(|last| LastApplied { access_string, ..last }), ..before }
}

#[test]
fn tags_match_where_nothing_is_left_to_do_about_them() {
    let rows = [
        ("as the spec has them", with_tags(&[("team", "shop")]), managed(), true),
        ("with others beside them", with_tags(&[("team", "shop"), ("x", "y")]), managed(), true),
        ("one is missing", owner_tags(), managed(), false),
        ("one has another value", with_tags(&[("team", "web")]), managed(), false),
        (
            "one that left the spec is there",
            with_tags(&[("team", "shop"), ("old", "1")]),
            with_keys(&["old"]),
            false,
        ),
        ("one that left the spec is gone", with_tags(&[("team", "shop")]), with_keys(&["old"]), true),
    ];
    for (claim, tags, record, expected) in rows {
        assert_eq!(tags_match(&desired(), &tags, &record), expected, "{claim}");
    }
}
