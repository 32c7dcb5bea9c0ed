//! `changes` and `applied`: what is sent to a user that is there, and what is remembered of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use common::*;
use plan::*;

/// A form that only AWS knows: no canonical comparison helps.
const ODD_WANTED: &str = "on frobnicate ~a";
const ODD_RETURNED: &str = "on ~a frobnicate";

fn last(sent: &str, made_of_it: Option<&str>) -> Record {
    let last_applied = LastApplied {
        access_string: Some(sent.into()),
        expanded_access_string: made_of_it.map(str::to_owned),
        ..LastApplied::default()
    };
    Record { last_applied: Some(last_applied), ..Record::default() }
}

fn wants(access_string: &str) -> Desired {
    Desired { access_string: access_string.into(), ..desired() }
}

fn has(access_string: &str) -> RemoteUser {
    RemoteUser { access_string: access_string.into(), ..active() }
}

#[test]
fn an_access_string_is_sent_where_its_meaning_differs() {
    let none = Record::default;
    let rows = [
        ("the same text", CANONICAL, CANONICAL, none(), false),
        ("the same meaning", WANTED, CANONICAL, none(), false),
        ("another meaning", WANTED, "off ~* +@all", none(), true),
        ("a form that cannot be read, never sent", ODD_WANTED, ODD_RETURNED, none(), true),
        (
            "what AWS made of the last request",
            ODD_WANTED,
            ODD_RETURNED,
            last(ODD_WANTED, Some(ODD_RETURNED)),
            false,
        ),
        ("the first answer after the request", ODD_WANTED, ODD_RETURNED, last(ODD_WANTED, None), false),
        (
            "drift from what AWS made of it",
            ODD_WANTED,
            "on ~b frobnicate",
            last(ODD_WANTED, Some(ODD_RETURNED)),
            true,
        ),
        (
            "a new request, though AWS has what it made of the old one",
            "on frobnicate ~c",
            ODD_RETURNED,
            last(ODD_WANTED, Some(ODD_RETURNED)),
            true,
        ),
        (
            "a new request while the old one is not answered",
            "on frobnicate ~c",
            ODD_RETURNED,
            last(ODD_WANTED, None),
            true,
        ),
        (
            "the old request in other white space",
            "on  frobnicate ~a ",
            ODD_RETURNED,
            last(ODD_WANTED, Some(ODD_RETURNED)),
            false,
        ),
        ("drift back to what is wanted is none", ODD_WANTED, ODD_WANTED, last("on", Some("on")), false),
    ];
    for (claim, wanted, there, record, differs) in rows {
        let expected = differs.then(|| Changes { access_string: Some(wanted.into()), ..Changes::default() });
        assert_eq!(sent(&wants(wanted), &has(there), &record), Ok(expected), "{claim}");
    }
    let keys_only = LastApplied { tag_keys: vec!["k".into()], ..LastApplied::default() };
    let announced = Record { last_applied: Some(keys_only), ..Record::default() };
    let request = sent(&wants(ODD_WANTED), &has(ODD_RETURNED), &announced).unwrap().unwrap();
    assert_eq!(request.access_string.as_deref(), Some(ODD_WANTED), "announced keys are no request");
}

/// What ModifyUser sends, whatever the cause.
fn sent(desired: &Desired, user: &RemoteUser, record: &Record) -> Result<Option<Changes>, SecretProblem> {
    let found = changes(desired, user, &nothing_known().record(record.clone()))?;
    Ok(found.map(|(changes, _)| changes))
}

#[test]
fn only_what_differs_is_sent_in_one_call() {
    let with = |authentication| Desired { authentication, ..desired() };
    let typed = |kind: &str| RemoteUser { authentication_type: kind.into(), ..active() };
    let engine = |engine: &str| RemoteUser { engine: engine.into(), ..active() };
    let passwords = AuthenticationChange::to(&password()).unwrap();
    let only = |authentication| Some(Changes { authentication: Some(authentication), ..Changes::default() });
    let redis = Some(Changes { engine: Some(Engine::Redis), ..Changes::default() });
    let valkey = Desired { engine: Engine::Valkey, ..desired() };
    let to_valkey = Some(Changes { engine: Some(Engine::Valkey), ..Changes::default() });
    let everything = RemoteUser { engine: "valkey".into(), access_string: "off".into(), ..typed("password") };
    let all = Changes {
        access_string: Some(WANTED.into()),
        engine: Some(Engine::Redis),
        authentication: Some(AuthenticationChange::Iam),
    };
    let rows = [
        ("nothing differs", desired(), active(), None),
        ("the case of an engine means nothing", desired(), engine("REDIS"), None),
        ("another engine", desired(), engine("valkey"), redis),
        ("an engine that AWS has not", valkey, active(), to_valkey),
        ("IAM is asked for", desired(), typed("password"), only(AuthenticationChange::Iam)),
        (
            "no password is asked for",
            with(Authentication::NoPassword),
            active(),
            only(AuthenticationChange::NoPassword),
        ),
        ("AWS's word for no password", with(Authentication::NoPassword), typed("no-password"), None),
        ("passwords are asked for", with(password()), active(), only(passwords.clone())),
        ("which passwords are there is not known", with(password()), typed("password"), only(passwords)),
        (
            "a Secret that is missing matters only where it is sent",
            with(Authentication::Password(Err(secret_not_found()))),
            typed("password"),
            None,
        ),
        ("everything at once", desired(), everything, Some(all)),
    ];
    for (claim, wanted, there, expected) in rows {
        assert_eq!(sent(&wanted, &there, &Record::default()), Ok(expected), "{claim}");
    }
    let lacking = with(Authentication::Password(Err(secret_not_found())));
    assert_eq!(sent(&lacking, &active(), &Record::default()), Err(secret_not_found()));
}

#[test]
fn an_authentication_knows_its_type_and_its_secret_versions() {
    let rows = [
        (password(), AuthenticationType::Password, vec!["uid-s/7/key"]),
        (Authentication::Iam, AuthenticationType::Iam, vec![]),
        (Authentication::NoPassword, AuthenticationType::NoPassword, vec![]),
    ];
    for (authentication, kind, read_from) in rows {
        let change = AuthenticationChange::to(&authentication).unwrap();
        assert_eq!((authentication.kind(), change.kind()), (kind, kind));
        assert_eq!(change.password_versions(), versions(&read_from));
    }
    let unknown = Authentication::Password(Err(invalid_secret()));
    assert_eq!(unknown.kind(), AuthenticationType::Password);
    assert_eq!(AuthenticationChange::to(&unknown), Err(invalid_secret()));
}

#[test]
fn what_is_remembered_is_the_request_and_the_first_active_answer() {
    let request = |record: &Record, user: &RemoteUser| {
        let last = in_sync(&wants(ODD_WANTED), user, &nothing_known().record(record.clone()));
        (last.access_string.unwrap(), last.expanded_access_string)
    };
    let modifying = RemoteUser { lifecycle: Lifecycle::Modifying, ..has("on ~old") };
    let odd = |text: Option<&str>| (ODD_WANTED.to_owned(), text.map(str::to_owned));
    let rows = [
        ("a user that is taken on", Record::default(), has(ODD_RETURNED), odd(Some(ODD_RETURNED))),
        ("a user that is taken on while busy", Record::default(), modifying.clone(), odd(None)),
        ("an answer that may still show the old value", last(ODD_WANTED, None), modifying, odd(None)),
        ("the first active answer", last(ODD_WANTED, None), has(ODD_RETURNED), odd(Some(ODD_RETURNED))),
        (
            "a later answer changes nothing",
            last(ODD_WANTED, Some(ODD_RETURNED)),
            has("on"),
            odd(Some(ODD_RETURNED)),
        ),
        (
            "the text that was sent stays",
            last("on  frobnicate ~a", Some(ODD_RETURNED)),
            has(ODD_RETURNED),
            ("on  frobnicate ~a".into(), Some(ODD_RETURNED.into())),
        ),
        (
            "what AWS has though its answer was lost is the last request",
            last("on x", Some("x on")),
            has(ODD_WANTED),
            odd(Some(ODD_WANTED)),
        ),
    ];
    for (claim, record, user, expected) in rows {
        assert_eq!(request(&record, &user), expected, "{claim}");
    }
    let announced = LastApplied {
        tag_keys: vec!["team".into()],
        password_versions: versions(&["v"]),
        ..LastApplied::default()
    };
    let record = Record { last_applied: Some(announced), ..Record::default() };
    let kept = in_sync(&desired(), &active(), &nothing_known().record(record));
    assert_eq!(kept.tag_keys, ["team"], "nobody read the tags");
    assert!(kept.password_versions.is_empty(), "an IAM user has no passwords");
    let odd_answer =
        LastApplied { expanded_access_string: Some("left over".into()), ..LastApplied::default() };
    let record = Record { last_applied: Some(odd_answer), ..Record::default() };
    let fresh = in_sync(&desired(), &active(), &nothing_known().record(record));
    assert_eq!(
        fresh.expanded_access_string.as_deref(),
        Some(CANONICAL),
        "an answer without its request is none"
    );
}

#[test]
fn an_object_manages_its_user_once_it_applied_an_access_string() {
    let keys_only = LastApplied { tag_keys: vec!["team".into()], ..LastApplied::default() };
    assert!(managed().manages());
    assert!(!Record::default().manages());
    assert!(!Record { last_applied: Some(keys_only), ..Record::default() }.manages());
}

#[test]
fn a_user_differs_where_aws_has_shown_something_to_change() {
    let seen = |user: RemoteUser| Observed { user: UserObservation::Found(user), ..nothing_known() };
    let rows = [
        ("what is as wanted", present(), seen(active()), false),
        ("another access string", present(), seen(has("off ~* +@all")), true),
        ("one that AWS has not shown", present(), nothing_known(), false),
        (
            "one that is not there",
            present(),
            Observed { user: UserObservation::Absent, ..nothing_known() },
            false,
        ),
        (
            "on the way out nothing is changed",
            Goal::Absent(deletion_goal()),
            seen(has("off ~* +@all")),
            false,
        ),
    ];
    for (claim, goal, observed, expected) in rows {
        assert_eq!(differs(&goal, &observed), expected, "{claim}");
    }
}
