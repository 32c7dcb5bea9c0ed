use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use super::super::record::{acquired, duration, foreign_holder, holder, released, renewed};
use super::*;

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(second).unwrap()
}

fn lease(spec: LeaseSpec) -> Lease {
    Lease { spec: Some(spec), ..Lease::default() }
}

#[test]
fn the_lease_is_written_and_read_as_client_go_does() {
    let fifteen = 15 * SECOND;
    let (a, b) = (contender("a", ""), contender("b", ""));
    let new = acquired(None, &a, fifteen, at(100));
    let LeaseSpec {
        acquire_time,
        holder_identity,
        lease_duration_seconds,
        lease_transitions,
        renew_time,
        ..
    } = new.spec.clone().unwrap();
    assert_eq!((acquire_time, renew_time), (Some(MicroTime(at(100))), Some(MicroTime(at(100)))));
    assert_eq!(
        (holder_identity.as_deref(), lease_duration_seconds, lease_transitions),
        (Some("a"), Some(15), Some(0))
    );
    assert_eq!(new.metadata.name.as_deref(), Some("lease"));

    let later = renewed(&new, &a, fifteen, at(102)).spec.unwrap();
    assert_eq!((later.acquire_time, later.renew_time), (Some(MicroTime(at(100))), Some(MicroTime(at(102)))));
    assert_eq!(later.lease_transitions, Some(0));

    let free = released(&new, at(104));
    assert_eq!(holder(&free), None);
    let spec = free.spec.clone().unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_duration_seconds), (Some(""), Some(1)));

    let next = acquired(Some(&free), &b, fifteen, at(106));
    let spec = next.spec.clone().unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("b"), Some(1)));
    assert_eq!((spec.acquire_time, spec.lease_duration_seconds), (Some(MicroTime(at(106))), Some(15)));

    let again = acquired(Some(&next), &b, fifteen, at(108)).spec.unwrap();
    assert_eq!(
        (again.lease_transitions, again.acquire_time),
        (Some(1), Some(MicroTime(at(106)))),
        "the Lease was this replica's own"
    );
}

#[test]
fn fields_of_the_lease_that_others_wrote_stay() {
    let mut found = lease(LeaseSpec { strategy: Some("x".to_owned()), ..LeaseSpec::default() });
    found.metadata.labels = Some([("team".to_owned(), "a".to_owned())].into());
    found.metadata.annotations = Some([("note".to_owned(), "theirs".to_owned())].into());
    found.metadata.resource_version = Some("7".to_owned());
    for written in [
        acquired(Some(&found), &contender("a", ""), SECOND, at(1)),
        renewed(&found, &contender("a", ""), SECOND, at(1)),
        released(&found, at(1)),
    ] {
        let (written, spec) = (written.metadata, written.spec);
        assert_eq!(
            (written.labels, written.resource_version),
            (found.metadata.labels.clone(), Some("7".into()))
        );
        assert_eq!(written.annotations.unwrap()["note"], "theirs");
        assert_eq!(spec.unwrap().strategy.as_deref(), Some("x"));
    }
}

#[test]
fn a_lease_with_invalid_fields_can_be_read_and_overwritten() {
    let far = MicroTime(jiff::Timestamp::MAX);
    let rows = [
        ("no record", Lease::default(), None, 15),
        ("an empty one", lease(LeaseSpec::default()), None, 15),
        (
            "no duration",
            lease(LeaseSpec { holder_identity: Some("x".to_owned()), ..LeaseSpec::default() }),
            Some("x"),
            15,
        ),
        (
            "a negative duration",
            lease(LeaseSpec {
                holder_identity: Some("x".to_owned()),
                lease_duration_seconds: Some(i32::MIN),
                lease_transitions: Some(i32::MIN),
                ..LeaseSpec::default()
            }),
            Some("x"),
            15,
        ),
        (
            "the largest values",
            lease(LeaseSpec {
                holder_identity: Some("x".to_owned()),
                lease_duration_seconds: Some(i32::MAX),
                lease_transitions: Some(i32::MAX),
                acquire_time: Some(far.clone()),
                renew_time: Some(far),
                ..LeaseSpec::default()
            }),
            Some("x"),
            i32::MAX.unsigned_abs().into(),
        ),
    ];
    for (claim, found, held_by, seconds) in rows {
        assert_eq!(holder(&found), held_by, "{claim}");
        assert_eq!(duration(&found, 15 * SECOND).as_secs(), seconds, "{claim}");
        for written in [
            acquired(Some(&found), &contender("a", ""), SECOND, at(1)),
            renewed(&found, &contender("a", ""), SECOND, at(1)),
            released(&found, at(1)),
        ] {
            let spec = written.spec.unwrap();
            assert!(
                spec.lease_transitions >= Some(0) && spec.lease_duration_seconds > Some(0),
                "{claim}: {spec:?}"
            );
        }
    }
}

#[test]
fn a_holder_of_another_installation_is_recognized() {
    let in_region = |contender: Contender, region: &str| Contender {
        installation: Installation { region: region.to_owned(), ..contender.installation },
        ..contender
    };
    let (unnamed, named) = (contender("a", ""), contender("a", "one"));
    let rows = [
        ("the same, without a name", &unnamed, contender("b", ""), false),
        ("another region, without a name", &unnamed, in_region(contender("b", ""), "eu-west-2"), true),
        ("the same release", &named, contender("b", "one"), false),
        (
            "the same release, whose region changes",
            &named,
            in_region(contender("b", "one"), "eu-west-2"),
            false,
        ),
        ("another release", &named, contender("b", "two"), true),
        ("a release beside one without a name", &unnamed, contender("b", "one"), true),
        ("itself", &named, contender("a", "two"), false),
    ];
    for (claim, ours, theirs, foreign) in rows {
        let held = acquired(None, &theirs, SECOND, at(1));
        let found = foreign_holder(&held, ours);
        let says = found.as_ref().map(|found| (found.holder.as_str(), &found.theirs, &found.ours));
        let expected = foreign.then_some(("b", &theirs.installation, &ours.installation));
        assert_eq!(says, expected, "{claim}");
        assert_eq!(foreign_holder(&released(&held, at(2)), ours), None, "{claim}: nobody holds the Lease");
        let taken = acquired(Some(&released(&held, at(2))), ours, SECOND, at(3));
        assert_eq!(foreign_holder(&taken, ours), None, "{claim}: the Lease is this release's own now");
        // An older version writes no annotations.
        let plain = Lease { spec: held.spec, ..Lease::default() };
        assert_eq!(foreign_holder(&plain, ours), None, "{claim}: unknown");
    }
}
