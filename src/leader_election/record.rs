//! Pure: the leader election record in a Lease, as client-go writes it. Any content can be read.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::ObjectMeta;

use super::LEASE;

/// The holder in a Lease that was put back after somebody deleted it.
const DELETED: &str = "the holder of the deleted Lease";

/// `None` if the Lease was released, or if nobody ever held it.
pub(super) fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// How long the Lease is held after a renewal: what its holder wrote, but at least `minimum`. A holder of another version may
/// renew less often. A wrong value must not make the Lease shorter.
pub(super) fn duration(lease: &Lease, minimum: Duration) -> Duration {
    let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default();
    Duration::from_secs(seconds).max(minimum)
}

/// `former`, or a new Lease, with `identity` as the holder.
pub(super) fn acquired(
    former: Option<&Lease>,
    identity: &str,
    duration: Duration,
    now: jiff::Timestamp,
) -> Lease {
    let Some(former) = former else {
        let metadata = ObjectMeta { name: Some(LEASE.to_owned()), ..ObjectMeta::default() };
        let spec = LeaseSpec { lease_transitions: Some(0), ..LeaseSpec::default() };
        return renewed(&Lease { metadata, spec: Some(spec) }, identity, duration, now);
    };
    if holder(former) == Some(identity) {
        return renewed(former, identity, duration, now);
    }
    let mut lease = former.clone();
    let spec = lease.spec.get_or_insert_default();
    spec.acquire_time = Some(MicroTime(now));
    let transitions = spec.lease_transitions.unwrap_or_default().max(0);
    spec.lease_transitions = Some(transitions.saturating_add(1));
    renewed(&lease, identity, duration, now)
}

/// The Lease after somebody deleted it. It names nobody, because its former holder may not know of the deletion yet.
pub(super) fn restored(duration: Duration, now: jiff::Timestamp) -> Lease {
    acquired(None, DELETED, duration, now)
}

/// Keeps everything that others wrote into the Lease, such as labels.
pub(super) fn renewed(lease: &Lease, identity: &str, duration: Duration, now: jiff::Timestamp) -> Lease {
    let mut lease = lease.clone();
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = Some(identity.to_owned());
    spec.lease_duration_seconds = Some(i32::try_from(duration.as_secs()).unwrap_or(i32::MAX));
    spec.acquire_time.get_or_insert(MicroTime(now));
    spec.renew_time = Some(MicroTime(now));
    spec.lease_transitions = Some(spec.lease_transitions.unwrap_or_default().max(0));
    lease
}

pub(super) fn released(lease: &Lease, now: jiff::Timestamp) -> Lease {
    let mut lease = renewed(lease, "", Duration::from_secs(1), now);
    lease.spec.get_or_insert_default().acquire_time = Some(MicroTime(now));
    lease
}
