//! `status.lastApplied`: what status remembers of what was sent.

use plan::verdict::Outcome;
use plan::*;

use crate::changes::{ODD_RETURNED, ODD_WANTED, has, wants};
use crate::common::plans::{tags_and_passwords_intent, tags_intent};
use crate::common::*;

/// What status remembered before.
fn before() -> LastApplied {
    LastApplied {
        password_versions: versions(&["a/1/k"]),
        tag_keys: texts(&["left", "team"]),
        ..applied("on ~before", Some("on ~before -@all"))
    }
}

fn create(authentication: &Authentication) -> Action {
    Action::Create(Create {
        user_id: id(),
        user_name: "app".into(),
        engine: Engine::Redis,
        access_string: WANTED.into(),
        authentication: AuthenticationChange::to(authentication).unwrap(),
        tags: our_tags(),
        cause: Cause::Edit,
    })
}

struct Row {
    claim: &'static str,
    action: Action,
    outcome: Outcome,
    /// `None`: as before.
    remembered: Option<LastApplied>,
}

#[test]
fn status_remembers_what_was_sent_once_aws_answered_it() {
    let intent = Action::WriteIntent;
    let modify = |changes| Action::Modify(Modify { user_id: id(), changes, cause: Cause::Edit });
    let accepted = |lifecycle| Outcome::Accepted(user(lifecycle));
    let lost = || Outcome::Failed(unavailable());
    let rules = || Changes { access_string: Some(WANTED.into()), ..Changes::default() };
    let secret =
        || Changes { authentication: AuthenticationChange::to(&password()).ok(), ..Changes::default() };
    let keys = |keys: &[&str]| Some(LastApplied { tag_keys: texts(keys), ..before() });
    let created = |of: &[&str], expanded| {
        let (password_versions, tag_keys) = (versions(of), texts(&["team"]));
        Some(LastApplied { password_versions, tag_keys, ..applied(WANTED, expanded) })
    };
    let sent = |of| {
        let (password_versions, tag_keys) = (versions(of), before().tag_keys);
        Some(LastApplied { password_versions, tag_keys, ..applied(WANTED, None) })
    };
    let untag = || Action::Untag(Untag { arn: arn(), keys: texts(&["left"]) });
    let tag = || Action::Tag(Tag { arn: arn(), tags: tags(&[("team", "shop")]), cause: Cause::Edit });
    let tagged =
        |keys: &[&str]| Outcome::Tagged(keys.iter().map(|key| ((*key).to_owned(), String::new())).collect());
    let modifies = |expanded: Option<&str>, forget_passwords| {
        intent(WriteIntent::Modify { expanded_access_string: expanded.map(str::to_owned), forget_passwords })
    };
    let rows = rows! { Row { claim: "", action: Action::InSync, outcome: Outcome::Decided, remembered: None };
        { claim: "the intent to create forgets what was applied to an earlier user",
          action: intent(WriteIntent::Create { tag_keys: texts(&["team"]) }), remembered: Some(keys_only()) },
        { claim: "the intent to tag records the keys",
          action: tags_intent(&["left", "new", "team"]), remembered: keys(&["left", "new", "team"]) },
        { claim: "the intent to modify records AWS's form of the former access string",
          action: modifies(Some("AWS's form"), false), remembered: Some(LastApplied { expanded_access_string: Some("AWS's form".into()), ..before() }) },
        { claim: "the intent to modify forgets passwords",
          action: modifies(None, true), remembered: Some(LastApplied { password_versions: vec![], ..before() }) },
        { claim: "the intent to delete forgets everything, because the answer to DeleteUser may be lost",
          action: intent(WriteIntent::Delete), remembered: Some(LastApplied::default()) },
        { claim: "the intent to reclaim restores everything",
          action: intent(WriteIntent::Reclaim { last_applied: before() }), remembered: Some(before()) },
        { claim: "CreateUser: the keys of the spec's tags, and AWS's form because the user is active",
          action: create(&password()), outcome: accepted(Lifecycle::Active), remembered: created(&["uid-s/7/key"], Some(CANONICAL)) },
        { claim: "CreateUser: no form of AWS while the user is not active",
          action: create(&Authentication::Iam), outcome: accepted(Lifecycle::Creating), remembered: created(&[], None) },
        { claim: "CreateUser without an answer", action: create(&Authentication::Iam), outcome: lost() },
        { claim: "ModifyUser: the access string, without AWS's form",
          action: modify(rules()), outcome: accepted(Lifecycle::Modifying), remembered: sent(&["a/1/k"]) },
        { claim: "ModifyUser: the passwords; AWS has the access string that was not sent",
          action: modify(secret()), outcome: accepted(Lifecycle::Modifying), remembered: sent(&["uid-s/7/key"]) },
        { claim: "ModifyUser without an answer", action: modify(rules()), outcome: lost() },
        { claim: "RemoveTagsFromResource forgets the keys", action: untag(), outcome: tagged(&["team"]), remembered: keys(&["team"]) },
        { claim: "RemoveTagsFromResource that was refused", action: untag(), outcome: Outcome::NotFound },
        { claim: "AddTagsToResource shows the effect of an earlier removal whose answer was lost",
          action: tag(), outcome: tagged(&["team", "somebodys"]), remembered: keys(&["team"]) },
        { claim: "AddTagsToResource without an answer", action: tag(), outcome: lost() },
        { claim: "a wait", action: Action::Wait(Wait::Modifying) },
    };
    for Row { claim, action, outcome, remembered } in rows {
        let found =
            next_last_applied(&present(), &nothing_known().seen(active()), &action, &outcome, before());
        assert_eq!(found, remembered, "{claim}");
    }
}

#[test]
fn the_intent_to_tag_a_user_that_had_no_owner_tags_forgets_passwords() {
    let intent = tags_and_passwords_intent(&["left", "team"]);
    let (observed, forgotten) = (nothing_known().seen(active()), vec![]);
    let found = next_last_applied(&present(), &observed, &intent, &Outcome::Decided, before());
    assert_eq!(found, Some(LastApplied { password_versions: forgotten, ..before() }));
}

#[test]
fn no_outcome_of_delete_user_restores_what_its_intent_removed_from_status() {
    let announced = nothing_known().seen(active()).record(managed()).intent_written();
    let delete = Action::Delete(Delete { user_id: id() });
    let not_sent = Action::Wait(Wait::OwnerUnknown(Lifecycle::Active));
    for (action, outcome) in [
        (&delete, Outcome::Failed(busy())),
        (&delete, Outcome::Failed(unavailable())),
        (&delete, Outcome::NotFound),
        (&delete, Outcome::Accepted(user(Lifecycle::Deleting))),
        (&not_sent, Outcome::Decided),
    ] {
        let found = next_last_applied(&gone(), &announced, action, &outcome, LastApplied::default());
        assert_eq!(found, None, "{action:?} {outcome:?}");
    }
}

#[test]
fn only_a_user_that_was_seen_in_sync_is_remembered_as_it_is() {
    let observed = nothing_known().seen(active()).record(managed());
    let in_sync_pass = |goal: &Goal, observed: &Observed| {
        next_last_applied(goal, observed, &Action::InSync, &Outcome::Decided, before())
    };
    assert_eq!(in_sync_pass(&present(), &observed), Some(in_sync(&desired(), &active(), &observed)));
    assert_eq!(in_sync_pass(&gone(), &observed), None, "the object is terminating");
    assert_eq!(in_sync_pass(&present(), &nothing_known()), None, "AWS was not asked");
}

#[test]
fn status_remembers_the_request_and_the_first_active_answer_to_it() {
    let modifying = || RemoteUser { lifecycle: Lifecycle::Modifying, ..has("on ~old") };
    let none = Record::default;
    let sent = |text, expanded| with_applied(applied(text, expanded));
    let left_over =
        LastApplied { expanded_access_string: Some("left over".into()), ..LastApplied::default() };
    let rows = cases! {
        "an adopted user": (none(), has(ODD_RETURNED)) => (ODD_WANTED, Some(ODD_RETURNED)),
        "an adopted user that is busy": (none(), modifying()) => (ODD_WANTED, None),
        "a busy user may still show the former value": (sent(ODD_WANTED, None), modifying()) => (ODD_WANTED, None),
        "the first active answer": (sent(ODD_WANTED, None), has(ODD_RETURNED)) => (ODD_WANTED, Some(ODD_RETURNED)),
        "a later answer changes nothing":
            (sent(ODD_WANTED, Some(ODD_RETURNED)), has("on")) => (ODD_WANTED, Some(ODD_RETURNED)),
        "the text that was sent stays, if its meaning is the same":
            (sent("on  frobnicate ~a", Some(ODD_RETURNED)), has(ODD_RETURNED)) => ("on  frobnicate ~a", Some(ODD_RETURNED)),
        "AWS has the spec's access string, although the answer to its request was lost":
            (sent("on x", Some("x on")), has(ODD_WANTED)) => (ODD_WANTED, Some(ODD_WANTED)),
        "a form of AWS without a request means nothing":
            (with_applied(left_over), has(ODD_RETURNED)) => (ODD_WANTED, Some(ODD_RETURNED)),
    };
    for Case { claim, given: (record, user), expected: (sent, expanded) } in rows {
        let last = in_sync(&wants(ODD_WANTED), &user, &nothing_known().record(record));
        assert_eq!(last, applied(sent, expanded), "{claim}");
    }
}

#[test]
fn a_user_in_sync_is_remembered_with_its_password_versions_and_tag_keys() {
    let read =
        |text: &str, version| (Password::parse(text.as_bytes()).unwrap(), SecretVersion::parse(version));
    let secret =
        Passwords::new(vec![read("one password long", "a/1/k"), read("two passwords long", "b/1/k")]);
    let with = |authentication| Desired { authentication, ..desired() };
    let missing = || with(Authentication::Password(Err(secret_not_found())));
    let record =
        managed_but(|last| (last.password_versions, last.tag_keys) = (versions(&["old"]), texts(&["old"])));
    let observed = || nothing_known().seen(active()).record(record.clone());
    let old_tag = with_tags(&[("team", "shop"), ("old", "1")]);
    let none: &[&str] = &[];
    let rows = cases! {
        "versions are the Secrets'":
            (with(Authentication::Password(Ok(secret))), observed()) => (&["a/1/k", "b/1/k"][..], &["old"]),
        "versions stay if a Secret is missing": (missing(), observed()) => (&["old"], &["old"]),
        "if somebody else sets the passwords there are no versions":
            (with(external_random()), observed()) => (none, &["old"]),
        "without passwords there are no versions, and keys stay if nobody read the tags":
            (desired(), observed()) => (none, &["old"]),
        "keys are the spec's if the tags match": (desired(), observed().tagged(our_tags())) => (none, &["team"]),
        "keys stay if a tag is missing": (desired(), observed().tagged(owner_tags())) => (none, &["old"]),
        "keys stay if a tag that left the spec is there": (desired(), observed().tagged(old_tag)) => (none, &["old"]),
        "keys stay if the tags cannot be read":
            (desired(), observed().listed(TagsObservation::Unreadable)) => (none, &["old"]),
    };
    for Case { claim, given: (desired, observed), expected: (of, keys) } in rows {
        let last = in_sync(&desired, &active(), &observed);
        assert_eq!((last.password_versions, last.tag_keys), (versions(of), texts(keys)), "{claim}");
        assert_eq!(last.access_string.as_deref(), Some(WANTED), "{claim}: the request stays");
    }
}
