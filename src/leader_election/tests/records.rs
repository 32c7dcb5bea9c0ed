use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use super::super::record::{acquired, duration, holder, released, renewed};
use super::*;

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(second).unwrap()
}

fn lease(spec: LeaseSpec) -> Lease {
    Lease { spec: Some(spec), ..Lease::default() }
}

#[test]
fn it_reads_as_client_go_writes_it() {
    let fifteen = 15 * SECOND;
    let new = acquired(None, "a", fifteen, at(100));
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
    assert_eq!(new.metadata.name.as_deref(), Some("elasticache-user-operator"));

    let later = renewed(&new, "a", fifteen, at(102)).spec.unwrap();
    assert_eq!((later.acquire_time, later.renew_time), (Some(MicroTime(at(100))), Some(MicroTime(at(102)))));
    assert_eq!(later.lease_transitions, Some(0));

    let free = released(&new, at(104));
    assert_eq!(holder(&free), None);
    let spec = free.spec.clone().unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_duration_seconds), (Some(""), Some(1)));

    let next = acquired(Some(&free), "b", fifteen, at(106));
    let spec = next.spec.clone().unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("b"), Some(1)));
    assert_eq!((spec.acquire_time, spec.lease_duration_seconds), (Some(MicroTime(at(106))), Some(15)));

    let again = acquired(Some(&next), "b", fifteen, at(108)).spec.unwrap();
    assert_eq!(
        (again.lease_transitions, again.acquire_time),
        (Some(1), Some(MicroTime(at(106)))),
        "it was its own"
    );
}

#[test]
fn what_others_wrote_beside_the_record_stays() {
    let mut found = lease(LeaseSpec { strategy: Some("x".to_owned()), ..LeaseSpec::default() });
    found.metadata.labels = Some([("team".to_owned(), "a".to_owned())].into());
    found.metadata.resource_version = Some("7".to_owned());
    for written in [
        acquired(Some(&found), "a", SECOND, at(1)),
        renewed(&found, "a", SECOND, at(1)),
        released(&found, at(1)),
    ] {
        assert_eq!(written.metadata, found.metadata);
        assert_eq!(written.spec.unwrap().strategy.as_deref(), Some("x"));
    }
}

#[test]
fn nonsense_can_be_read_and_written_over() {
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
            "less than nothing",
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
            "as much as there is",
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
            acquired(Some(&found), "a", SECOND, at(1)),
            renewed(&found, "a", SECOND, at(1)),
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
