//! I/O: whether the replicas of this installation can get their Lease.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;

use super::cluster::Cluster;
use super::permissions::{ALL_LEASES, LEASE};
use super::row::{Row, capitalize};
use super::{Check, granted};
use crate::clock;
use crate::leader_election::{self, Contender, Installation, Timing};

const CHECK: &str = "lease";
const OTHERS: &str = "other-operators";

/// `installed` are the region and the cluster ID. Without them it is not known which installation this is.
pub(crate) async fn rows(
    flags: &Check,
    cluster: &Cluster,
    installed: Option<(&str, &str)>,
    caller: Option<&str>,
) -> Vec<Row> {
    let (namespace, name) =
        (flags.run.lease_namespace().unwrap_or(&cluster.namespace), flags.run.lease_name());
    let rule = LEASE.named(&name);
    let mut rows = vec![granted(cluster, &rule, &[Some(namespace.to_owned())], caller).await];
    if let (Some((region, cluster_id)), Ok(found)) = (installed, cluster.lease(namespace, &name).await) {
        let installation = flags.run.installation(region, cluster_id);
        let contender = Contender { lease: name, identity: String::new(), installation };
        rows.push(evaluate(found.as_ref(), &contender, clock::now()));
    }
    rows
}

/// One row for each other operator that looks after objects of the same class. No row if the caller may not list all Leases: the
/// operator itself may not.
pub(crate) async fn other_operators(flags: &Check, cluster: &Cluster) -> Vec<Row> {
    if !cluster.allows(&ALL_LEASES).await {
        return Vec::new();
    }
    let leases = cluster.leases().await.unwrap_or_default();
    let own = (flags.run.lease_namespace().unwrap_or(&cluster.namespace), flags.run.lease_name());
    let others =
        leases.iter().filter(|lease| (&*lease.namespace().unwrap_or_default(), lease.name_any()) != own);
    others.filter_map(|lease| other_operator(lease, &flags.run.class, clock::now())).collect()
}

fn other_operator(lease: &Lease, class: &str, now: Timestamp) -> Option<Row> {
    let theirs = Installation::of(lease).filter(|theirs| theirs.class == class)?;
    let holder = leader_election::holder(lease).filter(|_| !has_expired(lease, now))?;
    let lease = format!("{}/{}", lease.namespace().unwrap_or_default(), lease.name_any());
    let class = if class.is_empty() { "without a class".to_owned() } else { format!("of class {class}") };
    Some(Row::warning(
        OTHERS,
        format!(
            "Another operator looks after objects {class} too: \"{holder}\" holds the Lease \"{lease}\" ({theirs}). Where both watch one namespace, both work on its objects."
        ),
        "give one of the two a --class, and set spec.class of its objects; or let their --namespace lists not overlap",
    ))
}

/// `lease` is `None` if it does not exist. `contender` stands for a replica that would campaign now.
fn evaluate(lease: Option<&Lease>, contender: &Contender, now: Timestamp) -> Row {
    let name = &contender.lease;
    let Some((lease, holder)) = lease.and_then(|lease| Some((lease, leader_election::holder(lease)?))) else {
        return Row::ok(CHECK, format!("Nobody holds the Lease \"{name}\"."));
    };
    match leader_election::foreign_holder(lease, contender) {
        None => Row::ok(CHECK, format!("\"{holder}\" holds the Lease \"{name}\".")),
        Some(foreign) if has_expired(lease, now) => Row::ok(
            CHECK,
            format!(
                "The Lease \"{name}\" was last held by \"{holder}\" of another installation ({}), and has expired.",
                foreign.theirs
            ),
        ),
        Some(foreign) => Row::failed(
            CHECK,
            capitalize(&foreign.to_string()),
            "set --lease-name to a name that no other installation uses, as the chart does",
        ),
    }
}

fn has_expired(lease: &Lease, now: Timestamp) -> bool {
    let renewed = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref());
    let held = leader_election::duration(lease, Timing::default().lease);
    renewed.is_none_or(|renewed| now.duration_since(renewed.0).as_secs_f64() > held.as_secs_f64())
}
