//! `shown` and `applied`: what status may say of the user after a pass, and what it remembers of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[macro_use]
mod common;

use common::plans::*;
use common::*;
use plan::*;

/// (claim, what is wanted, what is known, versions remembered, keys remembered)
type Remembered<'a> = (&'a str, Desired, Observed, &'a [&'a str], &'a [&'a str]);

fn observes() -> Goal {
    Goal::ObserveOnly(desired())
}

#[test]
fn status_shows_a_user_only_where_it_is_known_to_be_the_objects() {
    let seen = || nothing_known().seen(active());
    let other_rules = || RemoteUser { access_string: "off".into(), ..active() };
    let other_arn = || RemoteUser { arn: arn_in("eu-west-1", "111111111111"), ..active() };
    let unmanaged = || Record { last_applied: None, ..managed() };
    let lost = || Record { seen_gone: true, ..unmanaged() };
    let rests = || Action::InSync;
    let suspended = || Goal::Suspended(None);
    let pause = || Action::Suspended { ready: true };
    let place = || elsewhere(arn(), "eu-west-1", Some("111111111111"));
    let refused = || refuse(Refusal::WrongLocation(place()));
    let away = || nothing_known().absent().record(managed());
    let missing = || Action::ObserveOnly(Comparison::Missing);
    let matches = || Action::ObserveOnly(Comparison::Matches);
    let compare = |record| nothing_known().seen(other_rules()).tagged(anothers_tags()).record(record);
    let rows = [
        (
            "a user read as ours in this pass",
            present(),
            seen().tagged(owner_tags()),
            rests(),
            StatusUser::Show,
        ),
        (
            "in whatever form",
            present(),
            nothing_known().seen(other_rules()).tagged(owner_tags()),
            rests(),
            StatusUser::Show,
        ),
        (
            "also on the way out",
            gone(),
            seen().tagged(owner_tags()),
            wait(Wait::UserDeleting),
            StatusUser::Show,
        ),
        (
            "a user that is all that status says of ours",
            present(),
            seen().record(managed()),
            rests(),
            StatusUser::Show,
        ),
        (
            "not one of another access string",
            present(),
            nothing_known().seen(other_rules()).record(managed()),
            look_at_tags(),
            StatusUser::Keep,
        ),
        (
            "nor one of another ARN",
            present(),
            nothing_known().seen(other_arn()).record(managed()),
            refused(),
            StatusUser::Keep,
        ),
        (
            "nor one that nothing was applied to",
            present(),
            seen().record(unmanaged()),
            look_at_tags(),
            StatusUser::Keep,
        ),
        (
            "another one is not shown, nor the one that was seen gone, though status could not be told before",
            present(),
            seen().record(lost()),
            look_at_tags(),
            StatusUser::Clear,
        ),
        ("also on the way out", gone(), seen().record(lost()), wait(Wait::UserDeleting), StatusUser::Clear),
        (
            "one read as ours is shown without what was applied to that one",
            present(),
            seen().record(lost()).tagged(owner_tags()),
            rests(),
            StatusUser::ShowAsNew,
        ),
        (
            "of one that is elsewhere nothing is known",
            present(),
            nothing_known().seen(other_arn()).record(lost()),
            refused(),
            StatusUser::Keep,
        ),
        (
            "but one that AWS lets go after a DeleteUser, which took that out of status",
            gone(),
            nothing_known()
                .seen(user(Lifecycle::Deleting))
                .record(Record { deletion: requested_by_another(), ..unmanaged() }),
            wait(Wait::UserDeleting),
            StatusUser::Show,
        ),
        (
            "not one that looks like it and stays",
            gone(),
            seen().record(Record { deletion: requested_by_another(), ..unmanaged() }),
            look_at_tags(),
            StatusUser::Keep,
        ),
        (
            "memory alone shows nothing",
            present(),
            seen().remembering(Ownership::Ours),
            look_at_tags(),
            StatusUser::Keep,
        ),
        (
            "nobody's user is not shown",
            present(),
            seen().tagged(Tags::new()),
            refuse(Refusal::UserAlreadyExists { former: None }),
            StatusUser::Keep,
        ),
        (
            "nor is another's",
            present(),
            seen().tagged(anothers_tags()),
            refuse(Refusal::UserOwnedByAnother(owner_named("other"))),
            StatusUser::Keep,
        ),
        ("a user that is not there is not shown", present(), away(), announce_creation(), StatusUser::Clear),
        ("also on the way out", gone(), away(), release(ReleaseReason::UserGone), StatusUser::Clear),
        ("nor while a creation is in doubt", gone(), away(), wait(Wait::CreationOpen), StatusUser::Clear),
        ("one that may be elsewhere stays", present(), away(), refused(), StatusUser::Keep),
        ("on the way out too", gone(), away(), wait(Wait::WrongLocation(place())), StatusUser::Keep),
        (
            "one whose account could not be asked for stays",
            present(),
            away(),
            failed_read(throttled()),
            StatusUser::Keep,
        ),
        ("without a look status stays", gone(), leaving(), wait(Wait::Protected), StatusUser::Keep),
        (
            "also where the look failed",
            present(),
            nothing_known().sight(UserObservation::Failed(throttled())),
            failed_read(throttled()),
            StatusUser::Keep,
        ),
        (
            "a suspended object keeps what it shows",
            suspended(),
            nothing_known().record(managed()),
            pause(),
            StatusUser::Keep,
        ),
        (
            "one that observes shows whatever is there",
            observes(),
            compare(Record::default()),
            matches(),
            StatusUser::ShowAsNew,
        ),
        (
            "also in the place of the one that it managed",
            observes(),
            compare(managed()),
            matches(),
            StatusUser::ShowAsNew,
        ),
        (
            "the one that it managed keeps what was applied to it",
            observes(),
            seen().record(managed()).tagged(Tags::new()),
            matches(),
            StatusUser::Show,
        ),
        (
            "and so does one with its tags",
            observes(),
            seen().tagged(owner_tags()),
            matches(),
            StatusUser::Show,
        ),
        (
            "one in another place does not replace the one that status knows",
            observes(),
            nothing_known().seen(other_arn()).record(managed()),
            refused(),
            StatusUser::Keep,
        ),
        ("one that is missing is not shown", observes(), away(), missing(), StatusUser::Clear),
        ("one that may be elsewhere stays too", observes(), away(), refused(), StatusUser::Keep),
    ];
    for (claim, goal, observed, action, expected) in rows {
        assert_eq!(status_user(&goal, &observed, &action), expected, "{claim}");
    }
}

#[test]
fn tags_are_read_as_ours_only_for_an_object_that_has_an_owner() {
    let read = |tags| nothing_known().tagged(tags);
    let rows = [
        ("ours", present(), read(owner_tags()), true),
        ("ours on the way out", gone(), read(owner_tags()), true),
        ("ours where the object observes", observes(), read(owner_tags()), true),
        ("another's", present(), read(anothers_tags()), false),
        ("none", present(), read(Tags::new()), false),
        ("remembered only", present(), nothing_known().remembering(Ownership::Ours), false),
        ("suspended", Goal::Suspended(None), read(owner_tags()), false),
        (
            "unattainable",
            Goal::Invalid { refusal: Refusal::AdoptionNotAllowed, subject: Some(subject()) },
            read(owner_tags()),
            false,
        ),
    ];
    for (claim, goal, observed, expected) in rows {
        assert_eq!(read_as_ours(&goal, &observed), expected, "{claim}");
    }
}

#[test]
fn a_user_that_rests_is_remembered_with_its_versions_and_keys() {
    let two = || vec![("one password long", "a/1/k"), ("two passwords long", "b/1/k")];
    let secret = Passwords::new(
        two()
            .into_iter()
            .map(|(text, version)| (Password::parse(text.as_bytes()).unwrap(), SecretVersion::parse(version)))
            .collect(),
    );
    let with = |authentication| Desired { authentication, ..desired() };
    let known = with(Authentication::Password(Ok(secret)));
    let unknown = with(Authentication::Password(Err(secret_not_found())));
    let before = || {
        let last = managed().last_applied.unwrap();
        Record {
            last_applied: Some(LastApplied {
                password_versions: common::versions(&["old"]),
                tag_keys: vec!["old".into()],
                ..last
            }),
            ..managed()
        }
    };
    let observed = || nothing_known().seen(active()).record(before());
    let rows: Vec<Remembered<'_>> = vec![
        ("versions follow the Secrets", known, observed(), &["a/1/k", "b/1/k"], &["old"]),
        ("versions stay where the Secrets are not known", unknown, observed(), &["old"], &["old"]),
        ("without passwords there are no versions", desired(), observed(), &[], &["old"]),
        (
            "keys follow the spec where the tags are right",
            desired(),
            observed().tagged(our_tags()),
            &[],
            &["team"],
        ),
        ("not where one is missing", desired(), observed().tagged(owner_tags()), &[], &["old"]),
        (
            "nor where one that left the spec is there still",
            desired(),
            observed().tagged(with_tags(&[("team", "shop"), ("old", "1")])),
            &[],
            &["old"],
        ),
        (
            "nor where nobody could read them",
            desired(),
            observed().tag_sight(TagsObservation::Unreadable),
            &[],
            &["old"],
        ),
    ];
    for (claim, desired, observed, versions, keys) in rows {
        let last = in_sync(&desired, &active(), &observed);
        assert_eq!(last.password_versions, common::versions(versions), "{claim}");
        assert_eq!(last.tag_keys, keys, "{claim}");
        assert_eq!(last.access_string.as_deref(), Some(WANTED), "{claim}: the request stays");
    }
}
