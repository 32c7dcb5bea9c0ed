//! I/O: whether the replicas of this installation can get their Lease.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;

use super::cluster::Cluster;
use super::permissions::LEASE;
use super::row::{Row, capitalize};
use super::{Check, granted};
use crate::clock;
use crate::leader_election::{self, Contender, Timing};

const CHECK: &str = "lease";

/// `installed` are the region and the cluster ID. Without them it is not known which installation this is.
pub(crate) async fn rows(
    flags: &Check,
    cluster: &Cluster,
    installed: Option<(&str, &str)>,
    caller: Option<&str>,
) -> Vec<Row> {
    let (namespace, name) =
        (flags.run.lease_namespace().unwrap_or(&cluster.namespace), flags.run.lease_name());
    let rule = LEASE.named(name);
    let mut rows = vec![granted(cluster, &rule, &[Some(namespace.to_owned())], caller).await];
    if let (Some((region, cluster_id)), Ok(found)) = (installed, cluster.lease(namespace, name).await) {
        let installation = flags.run.installation(region, cluster_id);
        let contender = Contender { lease: name.to_owned(), identity: String::new(), installation };
        rows.push(evaluate(found.as_ref(), &contender, clock::now()));
    }
    rows
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
