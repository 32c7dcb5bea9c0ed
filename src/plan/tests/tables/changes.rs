//! `changes`: what ModifyUser sends to a user that exists.

use plan::*;

use crate::common::*;

/// Only AWS knows what this means, so that a comparison of meanings does not help.
pub(crate) const ODD_WANTED: &str = "on frobnicate ~a";
/// AWS's form of it.
pub(crate) const ODD_RETURNED: &str = "on ~a frobnicate";

struct Row {
    claim: &'static str,
    desired: Desired,
    user: RemoteUser,
    record: Record,
    sent: Result<Option<Changes>, SecretProblem>,
}

/// The user is as the spec says.
fn same() -> Row {
    Row { claim: "", desired: desired(), user: active(), record: Record::default(), sent: Ok(None) }
}

/// The spec has an access string that only AWS can read, and AWS shows its own form of it.
fn odd_form() -> Row {
    Row { desired: wants(ODD_WANTED), user: has(ODD_RETURNED), ..same() }
}

fn check(rows: Vec<Row>) {
    for Row { claim, desired, user, record, sent } in rows {
        let found = changes(&desired, &user, &nothing_known().record(record));
        assert_eq!(found.map(|found| found.map(|(changes, _)| changes)), sent, "{claim}");
    }
}

pub(crate) fn wants(access_string: &str) -> Desired {
    Desired { access_string: access_string.into(), ..desired() }
}

pub(crate) fn has(access_string: &str) -> RemoteUser {
    user_with(|user| user.access_string = access_string.into())
}

fn sent_before(sent: &str, expanded: Option<&str>) -> Record {
    with_applied(applied(sent, expanded))
}

fn rules(access_string: &str) -> Result<Option<Changes>, SecretProblem> {
    Ok(Some(Changes { access_string: Some(access_string.into()), ..Changes::default() }))
}

#[test]
fn an_access_string_is_sent_if_its_meaning_differs_from_aws() {
    check(rows! { same();
        { claim: "AWS has the same text", desired: wants(CANONICAL) },
        { claim: "AWS has the same meaning", desired: wants(WANTED) },
        { claim: "AWS has another meaning", user: has("off ~* +@all"), sent: rules(WANTED) },
        { claim: "AWS has what is wanted, although something else was sent last",
          desired: wants(ODD_WANTED), user: has(ODD_WANTED), record: sent_before("on", Some("on")) },
    });
    check(rows! { odd_form();
        { claim: "a form that cannot be read is sent, if it was never sent", sent: rules(ODD_WANTED) },
        { claim: "keys of tags in status do not mean that it was sent", record: with_applied(keys_only()), sent: rules(ODD_WANTED) },
        { claim: "AWS has what it made of the last request", record: sent_before(ODD_WANTED, Some(ODD_RETURNED)) },
        { claim: "the first answer after the request counts as AWS's form", record: sent_before(ODD_WANTED, None) },
        { claim: "other blanks are the same request",
          desired: wants("on  frobnicate ~a "), record: sent_before(ODD_WANTED, Some(ODD_RETURNED)) },
        { claim: "AWS no longer has what it made of the request",
          user: has("on ~b frobnicate"), record: sent_before(ODD_WANTED, Some(ODD_RETURNED)), sent: rules(ODD_WANTED) },
        { claim: "a new request is sent, although AWS has what it made of the old one",
          desired: wants("on frobnicate ~c"), record: sent_before(ODD_WANTED, Some(ODD_RETURNED)), sent: rules("on frobnicate ~c") },
        { claim: "a new request is sent while the old one has no answer",
          desired: wants("on frobnicate ~c"), record: sent_before(ODD_WANTED, None), sent: rules("on frobnicate ~c") },
    });
}

#[test]
fn modify_user_sends_only_what_differs_in_one_call() {
    let with = |authentication| Desired { authentication, ..desired() };
    let typed = |kind: &str| user_with(|user| user.authentication_type = kind.into());
    let engine = |engine: &str| user_with(|user| user.engine = engine.into());
    let passwords = || AuthenticationChange::to(&password()).unwrap();
    let only =
        |authentication| Ok(Some(Changes { authentication: Some(authentication), ..Changes::default() }));
    let only_engine = |engine| Ok(Some(Changes { engine: Some(engine), ..Changes::default() }));
    let lacks_secret = || with(Authentication::Password(Err(secret_not_found())));
    let everything = RemoteUser { engine: "valkey".into(), access_string: "off".into(), ..typed("password") };
    let all = Changes {
        access_string: Some(WANTED.into()),
        engine: Some(Engine::Redis),
        authentication: Some(AuthenticationChange::Iam),
    };
    check(rows! { same();
        { claim: "nothing differs" },
        { claim: "the case of an engine does not matter", user: engine("REDIS") },
        { claim: "AWS has another engine", user: engine("valkey"), sent: only_engine(Engine::Redis) },
        { claim: "the spec has another engine",
          desired: Desired { engine: Engine::Valkey, ..desired() }, sent: only_engine(Engine::Valkey) },
        { claim: "IAM in place of passwords", user: typed("password"), sent: only(AuthenticationChange::Iam) },
        { claim: "no password in place of IAM",
          desired: with(Authentication::NoPassword), sent: only(AuthenticationChange::NoPassword) },
        { claim: "`no-password` is AWS's word for it", desired: with(Authentication::NoPassword), user: typed("no-password") },
        { claim: "passwords in place of IAM", desired: with(password()), sent: only(passwords()) },
        { claim: "nobody knows which passwords AWS has", desired: with(password()), user: typed("password"), sent: only(passwords()) },
        { claim: "a missing Secret does not matter if no passwords have to be sent", desired: lacks_secret(), user: typed("password") },
        { claim: "a missing Secret matters if passwords have to be sent", desired: lacks_secret(), sent: Err(secret_not_found()) },
        { claim: "everything differs", user: everything, sent: Ok(Some(all)) },
    });
}

#[test]
fn an_authentication_has_a_type_and_the_versions_of_its_secrets() {
    for (authentication, kind, read_from) in [
        (password(), AuthenticationType::Password, versions(&["uid-s/7/key"])),
        (Authentication::Iam, AuthenticationType::Iam, vec![]),
        (Authentication::NoPassword, AuthenticationType::NoPassword, vec![]),
    ] {
        let change = AuthenticationChange::to(&authentication).unwrap();
        assert_eq!((authentication.kind(), change.kind()), (kind, kind));
        assert_eq!(change.password_versions(), read_from);
    }
    let unknown = Authentication::Password(Err(invalid_secret()));
    assert_eq!(unknown.kind(), AuthenticationType::Password);
    assert_eq!(AuthenticationChange::to(&unknown), Err(invalid_secret()));
}

#[test]
fn an_object_manages_its_user_once_it_applied_an_access_string() {
    assert!(managed().manages());
    assert!(!Record::default().manages() && !with_applied(keys_only()).manages());
}

#[test]
fn a_user_differs_only_if_describe_users_showed_something_to_change() {
    let other = || nothing_known().seen(has("off ~* +@all"));
    let rows = cases! {
        "AWS has what is wanted": (present(), nothing_known().seen(active())) => false,
        "AWS has another access string": (present(), other()) => true,
        "AWS was not asked": (present(), nothing_known()) => false,
        "AWS has no such user": (present(), nothing_known().absent()) => false,
        "the object is terminating": (gone(), other()) => false,
    };
    for Case { claim, given: (goal, observed), expected } in rows {
        assert_eq!(differs(&goal, &observed), expected, "{claim}");
    }
}
