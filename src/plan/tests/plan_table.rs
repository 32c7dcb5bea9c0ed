//! `plan` where the user should be there, one sentence a row: (claim, goal, what is known, what is done next).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[macro_use]
mod common;

use common::plans::*;
use common::*;
use plan::*;

#[test]
fn a_user_that_is_not_there_is_created_once_that_is_announced() {
    let create = |authentication| {
        let mut tags = owner_tags();
        tags.insert("team".into(), "shop".into());
        Action::Create(Create {
            user_id: id(),
            user_name: "app".into(),
            engine: Engine::Redis,
            access_string: WANTED.into(),
            authentication,
            tags,
            cause: Cause::Edit,
        })
    };
    let absent = || nothing_known().absent();
    let passwords = AuthenticationChange::to(&password()).unwrap();
    let problem = |problem: SecretProblem| present_with(Authentication::Password(Err(problem)));
    let forbidden = SecretProblem::Forbidden { secret: "s".into() };
    let unreadable = SecretProblem::Unreadable { secret: "s".into(), why: "500".into() };
    let no_key = SecretProblem::KeyNotFound { secret: "s".into(), key: "k".into() };
    let invalid = invalid_secret();
    let in_doubt = Record { creation: Creation::Open, ..Record::default() };
    check! {
        ("the user is looked at first", present(), nothing_known(), Action::Fetch(Fetch::User(id()))),
        ("a look that fails is waited for",
            present(), nothing_known().sight(UserObservation::Failed(throttled())), failed_read(throttled())),
        ("the creation is announced before it is asked for", present(), absent(), announce_creation()),
        ("once announced, the user is created with owner tags and the spec's",
            present(), absent().announced(), create(AuthenticationChange::Iam)),
        ("without a password it is created so",
            present_with(Authentication::NoPassword), absent().announced(), create(AuthenticationChange::NoPassword)),
        ("passwords are sent with it", present_with(password()), absent().announced(), create(passwords)),
        ("a creation in doubt is repeated: the ID allows one user only",
            present(), absent().record(in_doubt), announce_creation()),
        ("a Secret that is not there holds the creation before it is announced",
            problem(secret_not_found()), absent(), wait(Wait::Secret(secret_not_found()))),
        ("so does a key that is not there", problem(no_key.clone()), absent(), wait(Wait::Secret(no_key))),
        ("so does a Secret that may not be read",
            problem(forbidden.clone()), absent(), wait(Wait::Secret(forbidden))),
        ("so does a Secret that cannot be read",
            problem(unreadable.clone()), absent(), wait(Wait::Secret(unreadable))),
        ("a value that cannot be a password needs a person",
            problem(invalid.clone()), absent().announced(), refuse(Refusal::InvalidPassword(invalid))),
    }
}

#[test]
fn not_found_counts_only_in_the_place_that_status_knows() {
    let there = |arn: Arn| nothing_known().absent().record(placed(arn));
    let (west, other_account) = (arn_in("eu-west-1", "111111111111"), arn_in("us-east-1", "222222222222"));
    let known = Some("111111111111");
    let stays = |observed: Observed| observed.definition(Definition::Kept);
    let mut rows = vec![];
    for (claim, observed, expected) in [
        (
            "the user is known in another region: the account is not told, which only some processes know",
            there(west.clone()),
            Some(elsewhere(west.clone(), "us-east-1", None)),
        ),
        (
            "the user is known in another account",
            there(other_account.clone()),
            Some(elsewhere(other_account.clone(), "us-east-1", known)),
        ),
        (
            "another region decides before the account is asked",
            there(west.clone()).account(Account::NotAsked),
            Some(elsewhere(west.clone(), "us-east-1", None)),
        ),
        (
            "another region decides where AWS does not tell the account",
            there(west.clone()).account(Account::Withheld),
            Some(elsewhere(west.clone(), "us-east-1", None)),
        ),
        (
            "another region decides where asking for the account failed",
            there(west.clone()).account(Account::Failed(throttled())),
            Some(elsewhere(west, "us-east-1", None)),
        ),
        ("the same place is believed", there(arn()), None),
        (
            "where AWS does not tell the account the region decides",
            there(other_account.clone()).account(Account::Withheld),
            None,
        ),
        (
            "a role that may not ask for the account leaves it to the region",
            there(arn()).account(Account::Failed(denied())),
            None,
        ),
        (
            "an account that AWS refuses to tell is left to the region",
            there(arn()).account(Account::Failed(rejected(Rejection::Other))),
            None,
        ),
        ("no state of `default` keeps anyone waiting", there(arn()).account(Account::Failed(busy())), None),
    ] {
        let (stay, leave) = match expected {
            Some(place) => (refuse(Refusal::WrongLocation(place.clone())), wait(Wait::WrongLocation(place))),
            None => (announce_creation(), release(ReleaseReason::UserGone)),
        };
        rows.push((claim, present(), observed.clone(), stay));
        rows.push((claim, gone(), stays(observed), leave));
    }
    for fault in [throttled(), unavailable(), credentials()] {
        let observed = there(arn()).account(Account::Failed(fault.clone()));
        rows.push((
            "an account that cannot be asked for now is waited for",
            present(),
            observed.clone(),
            failed_read(fault.clone()),
        ));
        rows.push(("on the way out as well", gone(), stays(observed), failed_read(fault)));
    }
    let unasked = there(arn()).account(Account::NotAsked);
    rows.push(("the account is asked for", present(), unasked.clone(), Action::Fetch(Fetch::Account)));
    rows.push(("on the way out as well", gone(), stays(unasked), Action::Fetch(Fetch::Account)));
    check(rows);
}

#[test]
fn a_user_seen_in_another_place_than_status_knows_is_left_alone() {
    let moved = |region: &str, account: &str| {
        let record = placed(arn_in(region, account));
        ours().record(record).definition(Definition::Kept).announced().confirmed()
    };
    let here = |recorded: Arn, account| elsewhere(recorded, "us-east-1", account);
    let known = Some("111111111111");
    let (west, account) = (arn_in("eu-west-1", "111111111111"), arn_in("us-east-1", "222222222222"));
    let (in_west, in_account) = (moved("eu-west-1", "111111111111"), moved("us-east-1", "222222222222"));
    check! {
        ("another region is refused, ours by tags or not",
            present(), in_west.clone(), refuse(Refusal::WrongLocation(here(west.clone(), None)))),
        ("another account is refused",
            present(), in_account.clone(), refuse(Refusal::WrongLocation(here(account.clone(), known)))),
        ("on the way out another region is waited for",
            gone(), in_west.clone(), wait(Wait::WrongLocation(here(west, None)))),
        ("on the way out another account is waited for",
            gone(), in_account, wait(Wait::WrongLocation(here(account, known)))),
        ("Retain gets out", retained(), in_west, release(ReleaseReason::Retained { deletion_accepted: false })),
    }
}

#[test]
fn whose_the_user_is_comes_before_anything_is_done_to_it() {
    let seen = || nothing_known().seen(active()).other(OwnerObservation::Exists);
    // Reported, though nothing says that it was ours.
    let as_reported = || seen().record(Record { reported: Some(reported()), ..Record::default() });
    let other_engine = || RemoteUser { engine: "valkey".into(), ..active() };
    let was_valkey =
        || Record { reported: Some(Reported { engine: "valkey".into(), ..reported() }), ..managed() };
    let owned = || refuse(Refusal::UserOwnedByAnother(owner_named("other")));
    let exists = || refuse(Refusal::UserAlreadyExists { former: None });
    let in_state =
        |lifecycle: Lifecycle| nothing_known().seen(user(lifecycle)).other(OwnerObservation::Exists);
    let unknown = |lifecycle: Lifecycle| wait(Wait::OwnerUnknown(lifecycle));
    check! {
        ("the tags of a user are read at first sight", present(), seen(), look_at_tags()),
        ("our tags make it ours, and it rests", present(), ours(), Action::InSync),
        ("what this process read before is enough to rest",
            present(), seen().record(managed()).remembering(Ownership::Ours), Action::InSync),
        ("another's tags make it another's", present(), seen().tagged(anothers_tags()), owned()),
        ("what this pass reads goes before what was remembered",
            present(), seen().tagged(anothers_tags()).remembering(Ownership::Ours), owned()),
        ("that it is another's is read again: it may have been handed over",
            present(), seen().remembering(another()), look_at_tags()),
        ("that it is nobody's is read again",
            present(), seen().remembering(Ownership::Unowned), look_at_tags()),
        ("no tags and no history make it nobody's", present(), seen().tagged(Tags::new()), exists()),
        ("tags that cannot be read now keep us waiting",
            present(), seen().tag_sight(TagsObservation::Unreadable), unknown(Lifecycle::Active)),
        ("tags that cannot be read do not unmake what this process read",
            present(), as_reported().tag_sight(TagsObservation::Unreadable).remembering(Ownership::Ours), Action::InSync),
        ("nor what status shows",
            present(), seen().tag_sight(TagsObservation::Unreadable).record(managed()), Action::InSync),
        ("an active user that is not as it was reported may be another: its tags are read again",
            present(), nothing_known().seen(other_engine()).record(managed()).remembering(Ownership::Ours), look_at_tags()),
        ("after a restart a managed user that is as it was reported rests without reading its tags",
            present(), seen().record(managed()), Action::InSync),
        ("one that is not is read, though it is what the spec wants",
            present(), seen().record(was_valkey()), look_at_tags()),
        ("and waited for while its tags cannot be read",
            present(), seen().record(was_valkey()).tag_sight(TagsObservation::Unreadable), unknown(Lifecycle::Active)),
        ("neither memory nor status make it ours while they cannot be read",
            present(), nothing_known().seen(other_engine()).record(managed()).tag_sight(TagsObservation::Unreadable), unknown(Lifecycle::Active)),
        ("nor do both",
            present(), nothing_known().seen(other_engine()).record(managed()).remembering(Ownership::Ours).tag_sight(TagsObservation::Unreadable), unknown(Lifecycle::Active)),
        ("what this process read before is believed of a user that was never reported only until it is active",
            present(), seen().remembering(Ownership::Ours), look_at_tags()),
        ("a memory of another's is not trusted against status",
            present(), seen().tag_sight(TagsObservation::Unreadable).record(managed()).remembering(another()), unknown(Lifecycle::Active)),
        ("a reading that fails is waited for",
            present(), seen().tag_sight(TagsObservation::Failed(denied())), wait(Wait::Failed(Read::ListTagsForResource, denied()))),
        ("a busy user of unknown owner is waited for without asking",
            present(), in_state(Lifecycle::Modifying), unknown(Lifecycle::Modifying)),
        ("a busy user that status shows as ours is known",
            present(), in_state(Lifecycle::Modifying).record(Record { readiness: Readiness::Ready, ..managed() }),
            wait(Wait::UserNotActive(Lifecycle::Modifying))),
        ("a busy user is being changed by us if all of the spec was sent and never was Ready",
            present(), in_state(Lifecycle::Modifying).record(managed()), wait(Wait::Modifying)),
        ("a busy user that this process knows as another's stays so",
            present(), in_state(Lifecycle::Modifying).remembering(another()), owned()),
        ("a user being deleted is waited for, whoever's it is",
            present(), in_state(Lifecycle::Deleting).remembering(another()), wait(Wait::PreviousUser)),
        ("also where it was ours",
            present(), in_state(Lifecycle::Deleting).record(managed()), wait(Wait::PreviousUser)),
    }
}

#[test]
fn a_user_of_ours_is_changed_only_when_active_and_freshly_known_as_ours() {
    let in_state = |lifecycle: Lifecycle| nothing_known().seen(user(lifecycle)).remembering(Ownership::Ours);
    let modifying = Record { modify_sent: true, ..managed() };
    let named = RemoteUser { user_name: "somebody".into(), ..active() };
    let drifted = RemoteUser { access_string: "off ~* -@all".into(), ..active() };
    // A former pass saw the drift and reported it.
    let as_drifted = || {
        let reported = Reported { access_string: "off ~* -@all".into(), ..reported() };
        Record { reported: Some(reported), ..managed() }
    };
    let restore = Changes { access_string: Some(WANTED.into()), ..Changes::default() };
    let with_secret = Authentication::Password(Err(secret_not_found()));
    let password_user =
        RemoteUser { authentication_type: "password".into(), password_count: Some(1), ..active() };
    let drifted_password = RemoteUser { access_string: "off ~* -@all".into(), ..password_user.clone() };
    let sees = |user: RemoteUser| nothing_known().seen(user).tagged(our_tags());
    let other_name =
        "AWS user \"app\" has the user name \"somebody\", not \"app\", and a user name cannot change";
    let invalid = Authentication::Password(Err(invalid_secret()));
    check! {
        ("a user name cannot change",
            present(), sees(named), refuse(Refusal::InvalidSpec(other_name.into()))),
        ("a user that AWS creates is waited for",
            present(), in_state(Lifecycle::Creating), wait(Wait::Creating)),
        ("the end of our change is waited for",
            present(), in_state(Lifecycle::Modifying).record(modifying), wait(Wait::Modifying)),
        ("somebody else's change is waited for",
            present(), in_state(Lifecycle::Modifying), wait(Wait::UserNotActive(Lifecycle::Modifying))),
        ("a state that is not known is waited for",
            present(), in_state(odd()), wait(Wait::UserNotActive(odd()))),
        ("what differs is sent", present(), sees(drifted.clone()), modify(restore.clone())),
        ("the owner is read before a change",
            present(), nothing_known().seen(drifted.clone()).record(as_drifted()).remembering(Ownership::Ours), look_at_tags()),
        ("without reading the owner nothing is changed",
            present(), nothing_known().seen(drifted).record(as_drifted()).remembering(Ownership::Ours).tag_sight(TagsObservation::Unreadable),
            wait(Wait::OwnerUnknown(Lifecycle::Active))),
        ("a missing Secret does not hold back another change",
            present_with(with_secret.clone()), sees(drifted_password), modify(restore)),
        ("a missing Secret is told although nothing else differs",
            present_with(with_secret.clone()), sees(password_user.clone()), wait(Wait::Secret(secret_not_found()))),
        ("passwords that have to be sent are waited for",
            present_with(with_secret), ours(), wait(Wait::Secret(secret_not_found()))),
        ("a value that cannot be a password is refused",
            present_with(invalid.clone()), sees(password_user), refuse(Refusal::InvalidPassword(invalid_secret()))),
        ("also where it would have to be sent",
            present_with(invalid), ours(), refuse(Refusal::InvalidPassword(invalid_secret()))),
    }
}

#[test]
fn a_user_that_lost_its_tags_is_ours_only_where_status_proves_it() {
    let bare = |record: Record| nothing_known().seen(active()).tagged(Tags::new()).record(record);
    let reported_as = |change: fn(&mut Reported)| {
        let mut reported = reported();
        change(&mut reported);
        Record { reported: Some(reported), ..managed() }
    };
    let unmanaged = Record { last_applied: None, ..managed() };
    let keys_only = Record {
        last_applied: Some(LastApplied { tag_keys: vec!["team".into()], ..LastApplied::default() }),
        ..managed()
    };
    let other_user = Arn::parse("arn:aws:elasticache:us-east-1:111111111111:user:previous");
    let object = || Action::Fetch(Fetch::Object);
    let strangers = [
        ("no ARN in status", Record { arn: None, ..managed() }),
        ("another ARN in status", Record { arn: other_user, ..managed() }),
        ("nothing was applied", unmanaged),
        ("only tag keys were announced", keys_only),
        ("nothing was reported", Record { reported: None, ..managed() }),
        ("another user name", reported_as(|reported| reported.user_name = "x".into())),
        ("another engine", reported_as(|reported| reported.engine = "valkey".into())),
        ("another authentication", reported_as(|reported| reported.authentication_type = "password".into())),
        ("another access string", reported_as(|reported| reported.access_string = "off -@all".into())),
        ("a deletion was accepted", Record { deletion: accepted_by_another(), ..managed() }),
    ];
    let mut rows: Vec<Row> = vec![
        ("the object is read again before anything is put back", present(), bare(managed()), object()),
        ("on the way out too", gone(), bare(managed()).definition(Definition::Kept), object()),
        ("the owner tags are put back", present(), bare(managed()).confirmed(), tag()),
        (
            "on the way out first of all too",
            gone(),
            bare(managed()).definition(Definition::Kept).confirmed(),
            tag(),
        ),
        (
            "not before they were read in this pass",
            present(),
            nothing_known().seen(active()).remembering(Ownership::Unowned).record(managed()),
            look_at_tags(),
        ),
        (
            "not while the user is busy",
            present(),
            nothing_known()
                .seen(user(Lifecycle::Modifying))
                .remembering(Ownership::Unowned)
                .record(managed()),
            wait(Wait::UserNotActive(Lifecycle::Modifying)),
        ),
        (
            "nor while it is being created",
            present(),
            nothing_known().seen(user(Lifecycle::Creating)).remembering(Ownership::Unowned).record(managed()),
            wait(Wait::UserNotActive(Lifecycle::Creating)),
        ),
        (
            "nor in a state that is not known",
            present(),
            nothing_known().seen(user(odd())).remembering(Ownership::Unowned).record(managed()),
            wait(Wait::UserNotActive(odd())),
        ),
    ];
    for (claim, record) in strangers {
        rows.push((
            claim,
            present(),
            bare(record.clone()),
            refuse(Refusal::UserAlreadyExists { former: None }),
        ));
        rows.push((
            claim,
            gone(),
            bare(record).definition(Definition::Kept),
            release(ReleaseReason::LeftUnowned),
        ));
    }
    check(rows);
}
