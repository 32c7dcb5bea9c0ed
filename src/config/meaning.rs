//! No I/O: what the flags of `run` mean to the rest of the operator.

use std::collections::BTreeSet;

use plan::pace::Pace;

use super::RunFlags;
use crate::api::FIELD_MANAGER;
use crate::leader_election::Installation;
use crate::resolve::{Lockdown, Patterns, Policy};

/// The value of --secret-namespace that stands for no namespace.
const NONE: &str = "-";
/// The value that stands for each namespace in which the operator may read all Secrets.
const WHERE_ALLOWED: &str = "*";

/// Whose changes are noticed at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SecretWatch {
    /// The Secrets of every namespace in which objects are watched.
    #[default]
    WithObjects,
    Listed(Vec<String>),
    /// In each namespace with objects that name Secrets, from the moment on at which the operator may watch all Secrets there.
    WhereAllowed,
}

impl RunFlags {
    /// Empty: all namespaces.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        distinct(&self.namespace)
    }

    #[must_use]
    pub fn secret_watch(&self) -> SecretWatch {
        let mut listed = distinct(&self.secret_namespace);
        if listed.is_empty() {
            return SecretWatch::WithObjects;
        }
        if listed.iter().any(|name| name == WHERE_ALLOWED) {
            return SecretWatch::WhereAllowed;
        }
        listed.retain(|name| name != NONE);
        SecretWatch::Listed(listed)
    }

    /// What the flags decide for every object of the cluster with this ID.
    #[must_use]
    pub fn policy(&self, cluster_id: String) -> Policy {
        let patterns = |names: &[String]| Patterns::new(distinct(names));
        Policy {
            cluster_id,
            default_deletion_policy: self.default_deletion_policy.into(),
            adoption_namespaces: patterns(&self.adoption_namespace),
            required_prefix: self.required_user_id_prefix.clone(),
            allowed_user_groups: distinct(&self.allowed_user_group),
            lockdown: Lockdown {
                forbidden: self.forbid.iter().map(|feature| (*feature).into()).collect(),
                privileged: patterns(&self.privileged_namespace),
                tag_keys: patterns(&self.allowed_tag_key),
                max_users: self.max_users_per_namespace,
            },
            class: self.class.clone(),
        }
    }

    #[must_use]
    pub fn lease_name(&self) -> String {
        match (&self.lease_name, self.class.as_str()) {
            (Some(name), _) => name.clone(),
            (None, "") => FIELD_MANAGER.to_owned(),
            (None, class) => format!("{FIELD_MANAGER}-{class}"),
        }
    }

    #[must_use]
    pub fn installation(&self, region: &str, cluster_id: &str) -> Installation {
        Installation {
            release: self.release.as_deref().unwrap_or_default().trim().to_owned(),
            region: region.to_owned(),
            cluster_id: cluster_id.to_owned(),
            class: self.class.clone(),
        }
    }

    /// `None`: the namespace of the kubeconfig's context.
    #[must_use]
    pub fn lease_namespace(&self) -> Option<&str> {
        non_empty(self.pod_namespace.as_ref())
    }

    /// The name of this replica in the Lease, without the suffix that makes it unique.
    #[must_use]
    pub fn replica(&self) -> &str {
        non_empty(self.pod_name.as_ref()).unwrap_or(FIELD_MANAGER)
    }

    #[must_use]
    pub fn pace(&self) -> Pace {
        let pace = Pace {
            resync: self.resync,
            tag_resync: self.resync * self.tag_resync_every,
            stale_after: self.stale_after,
            call_timeout: self.aws_call_timeout,
            write_timeout: self.kubernetes_timeout,
            ..Pace::default()
        };
        pace.divided(self.pace_divisor)
    }
}

/// Treats an empty environment variable as one that is not set.
fn non_empty(name: Option<&String>) -> Option<&str> {
    name.map(|name| name.trim()).filter(|name| !name.is_empty())
}

/// Removes duplicates, because a namespace that is watched twice would have two passes at a time over its objects.
fn distinct(names: &[String]) -> Vec<String> {
    let named: BTreeSet<&str> = names.iter().map(|name| name.trim()).collect();
    named.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
