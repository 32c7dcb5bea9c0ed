//! Pure: the leader election record in a Lease, as client-go writes it, and in annotations which installation of the operator its
//! holder belongs to. Any content can be read.

use std::fmt;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt;
use kube::api::ObjectMeta;

/// The holder in a Lease that was put back after somebody deleted it.
const DELETED: &str = "the holder of the deleted Lease";

const CLUSTER_ID: &str = "elasticache-users.dev/cluster-id";
const REGION: &str = "elasticache-users.dev/region";
const RELEASE: &str = "elasticache-users.dev/release";
const CLASS: &str = "elasticache-users.dev/class";

/// Which installation of the operator a replica belongs to. Only replicas of one installation may share a Lease, because the
/// replicas that stand by do nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installation {
    /// Empty: it has no name.
    pub release: String,
    pub region: String,
    pub cluster_id: String,
    /// Of the objects that it looks after. Empty: of those without a class.
    pub class: String,
}

impl Installation {
    /// `None` if the holder wrote none, as an older version does.
    pub(crate) fn of(lease: &Lease) -> Option<Self> {
        let annotations = lease.annotations();
        let text = |name| annotations.get(name).cloned().unwrap_or_default();
        let found = Self {
            release: text(RELEASE),
            region: text(REGION),
            cluster_id: text(CLUSTER_ID),
            class: text(CLASS),
        };
        [RELEASE, REGION, CLUSTER_ID].iter().any(|name| annotations.contains_key(*name)).then_some(found)
    }

    /// While a release gets another region or cluster ID, its old and its new replicas share the Lease. The new ones must become
    /// ready, or the rollout would never end.
    fn shares_lease_with(&self, other: &Self) -> bool {
        if self.release.is_empty() { self == other } else { self.release == other.release }
    }

    fn sign(&self, lease: &mut Lease) {
        let texts = [
            (RELEASE, &self.release),
            (REGION, &self.region),
            (CLUSTER_ID, &self.cluster_id),
            (CLASS, &self.class),
        ];
        let texts = texts.map(|(name, text)| (name.to_owned(), text.clone()));
        lease.annotations_mut().extend(texts);
    }
}

impl fmt::Display for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { release, region, cluster_id, class } = self;
        match release.as_str() {
            "" => write!(f, "no release name")?,
            release => write!(f, "release {release}")?,
        }
        write!(f, ", region {region}, cluster ID {cluster_id}")?;
        if class.is_empty() { Ok(()) } else { write!(f, ", class {class}") }
    }
}

/// Who campaigns for which Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// The name of the Lease.
    pub lease: String,
    /// The holder's name in the Lease. It must be unique among all processes.
    pub identity: String,
    pub installation: Installation,
}

/// A replica of another installation holds the Lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the Lease \"{lease}\" is held by \"{holder}\" of another installation ({theirs}), and this replica ({ours}) cannot work: give \
     each installation a --lease-name of its own, and let no two of them watch the same namespaces"
)]
pub struct ForeignHolder {
    pub lease: String,
    pub holder: String,
    pub theirs: Installation,
    pub ours: Installation,
}

/// Whether the Lease is held by a replica of another installation than `contender`.
pub(crate) fn foreign_holder(lease: &Lease, contender: &Contender) -> Option<ForeignHolder> {
    let holder = holder(lease).filter(|holder| *holder != contender.identity)?;
    let theirs =
        Installation::of(lease).filter(|theirs| !contender.installation.shares_lease_with(theirs))?;
    let (lease, ours) = (contender.lease.clone(), contender.installation.clone());
    Some(ForeignHolder { lease, holder: holder.to_owned(), theirs, ours })
}

/// `None` if the Lease was released, or if nobody ever held it.
pub(crate) fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// How long the Lease is held after a renewal: what its holder wrote, but at least `minimum`. A holder of another version may
/// renew less often. A wrong value must not make the Lease shorter.
pub(crate) fn duration(lease: &Lease, minimum: Duration) -> Duration {
    let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default();
    Duration::from_secs(seconds).max(minimum)
}

/// `former`, or a new Lease, with `contender` as the holder.
pub(super) fn acquired(
    former: Option<&Lease>,
    contender: &Contender,
    duration: Duration,
    now: jiff::Timestamp,
) -> Lease {
    let Some(former) = former else {
        return renewed(&unheld(&contender.lease), contender, duration, now);
    };
    if holder(former) == Some(&contender.identity) {
        return renewed(former, contender, duration, now);
    }
    let mut lease = former.clone();
    let spec = lease.spec.get_or_insert_default();
    spec.acquire_time = Some(MicroTime(now));
    let transitions = spec.lease_transitions.unwrap_or_default().max(0);
    spec.lease_transitions = Some(transitions.saturating_add(1));
    renewed(&lease, contender, duration, now)
}

/// A new Lease.
fn unheld(name: &str) -> Lease {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    Lease { metadata, spec: Some(LeaseSpec { lease_transitions: Some(0), ..LeaseSpec::default() }) }
}

/// The Lease after somebody deleted it. It names nobody, because its former holder may not know of the deletion yet.
pub(super) fn restored(name: &str, duration: Duration, now: jiff::Timestamp) -> Lease {
    held_by(unheld(name), DELETED, duration, now)
}

pub(super) fn renewed(
    lease: &Lease,
    contender: &Contender,
    duration: Duration,
    now: jiff::Timestamp,
) -> Lease {
    let mut lease = held_by(lease.clone(), &contender.identity, duration, now);
    contender.installation.sign(&mut lease);
    lease
}

/// Keeps everything that others wrote into the Lease, such as labels.
fn held_by(mut lease: Lease, identity: &str, duration: Duration, now: jiff::Timestamp) -> Lease {
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = Some(identity.to_owned());
    spec.lease_duration_seconds = Some(i32::try_from(duration.as_secs()).unwrap_or(i32::MAX));
    spec.acquire_time.get_or_insert(MicroTime(now));
    spec.renew_time = Some(MicroTime(now));
    spec.lease_transitions = Some(spec.lease_transitions.unwrap_or_default().max(0));
    lease
}

pub(super) fn released(lease: &Lease, now: jiff::Timestamp) -> Lease {
    let mut lease = held_by(lease.clone(), "", Duration::from_secs(1), now);
    lease.spec.get_or_insert_default().acquire_time = Some(MicroTime(now));
    lease
}
