//! No I/O: what the operator's administrator forbids to the users of a namespace.

use kube::ResourceExt;
use plan::{BrokenRule, DeletionPolicy, Feature, Tags, UserId};

use super::{Patterns, Policy, in_namespace, is_protected};
use crate::api::{self, ElastiCacheUser};

/// Holds in all namespaces but the privileged ones.
#[derive(Clone, Debug, Default)]
pub struct Lockdown {
    /// `--forbid`.
    pub forbidden: Vec<Feature>,
    /// `--privileged-namespace`.
    pub privileged: Patterns,
    /// `--allowed-tag-key`. If it is empty, all keys are allowed.
    pub tag_keys: Patterns,
    /// `--max-users-per-namespace`.
    pub max_users: Option<u32>,
}

impl Policy {
    pub(super) fn forbids(&self, feature: Feature, namespace: &str) -> bool {
        self.lockdown.forbidden.contains(&feature) && !self.lockdown.privileged.matches(namespace)
    }

    /// How many users the namespace may have.
    #[must_use]
    pub fn max_users(&self, namespace: &str) -> Option<u32> {
        self.lockdown.max_users.filter(|_| !self.lockdown.privileged.matches(namespace))
    }

    /// What the object uses although it is forbidden.
    #[must_use]
    pub fn forbidden(&self, object: &ElastiCacheUser) -> Vec<Feature> {
        let namespace = object.namespace().unwrap_or_default();
        let forbids = |feature: &Feature| self.forbids(*feature, &namespace);
        Feature::ALL.into_iter().filter(forbids).filter(|feature| self.uses(object, *feature)).collect()
    }

    fn uses(&self, object: &ElastiCacheUser, feature: Feature) -> bool {
        let spec = &object.spec;
        match feature {
            // Without the field, the user would be retained just the same.
            Feature::Retain if self.default_deletion_policy == DeletionPolicy::Retain => false,
            Feature::Retain => spec.deletion_policy == Some(api::DeletionPolicy::Retain),
            Feature::Observe => spec.management_policy == Some(api::ManagementPolicy::Observe),
            Feature::Suspend => spec.suspend == Some(true),
            Feature::PreventDeletion => is_protected(object),
            Feature::Adopt => spec.adoption_policy == Some(api::AdoptionPolicy::Adopt),
        }
    }

    /// What keeps the operator from AWS although it is forbidden.
    pub(super) fn forbidden_rest(&self, object: &ElastiCacheUser) -> Option<Feature> {
        let rests = |feature: &Feature| matches!(feature, Feature::Suspend | Feature::Observe);
        self.forbidden(object).into_iter().find(rests)
    }

    /// What happens to the AWS user if its object is deleted.
    #[must_use]
    pub fn deletion_policy(&self, object: &ElastiCacheUser) -> DeletionPolicy {
        match &object.spec.deletion_policy {
            Some(api::DeletionPolicy::Delete) => DeletionPolicy::Delete,
            Some(api::DeletionPolicy::Retain) if self.forbidden(object).contains(&Feature::Retain) => {
                self.default_deletion_policy
            }
            Some(api::DeletionPolicy::Retain) => DeletionPolicy::Retain,
            // A newer version may have written the unknown word. Retain the user, because a retained user can be deleted later.
            Some(api::DeletionPolicy::Unrecognized(_)) => DeletionPolicy::Retain,
            None => self.default_deletion_policy,
        }
    }

    /// Whether the object only observes its AWS user, so that it must not delete the user.
    #[must_use]
    pub fn observes(&self, object: &ElastiCacheUser) -> bool {
        match &object.spec.management_policy {
            Some(api::ManagementPolicy::Manage) | None => false,
            Some(api::ManagementPolicy::Observe) => !self.forbidden(object).contains(&Feature::Observe),
            // An unknown policy counts as Observe, because a user that was kept can be deleted later.
            Some(api::ManagementPolicy::Unrecognized(_)) => true,
        }
    }

    /// The tags with allowed keys, and the other keys.
    pub(super) fn allowed_tags(&self, object: &ElastiCacheUser, tags: Tags) -> (Tags, Vec<String>) {
        let Lockdown { tag_keys, privileged, .. } = &self.lockdown;
        if tag_keys.is_empty() || privileged.matches(&object.namespace().unwrap_or_default()) {
            return (tags, Vec::new());
        }
        let (allowed, others): (Tags, Tags) = tags.into_iter().partition(|(key, _)| tag_keys.matches(key));
        (allowed, others.into_keys().collect())
    }

    /// The rules that hold when a user is created or adopted.
    pub(super) fn broken_rules(
        &self,
        object: &ElastiCacheUser,
        user_id: &UserId,
        other_keys: Vec<String>,
    ) -> Vec<BrokenRule> {
        let prefix = self.missing_prefix(object, user_id);
        let prefix = prefix.map(|prefix| BrokenRule::UserId { user_id: user_id.clone(), prefix });
        let keys = (!other_keys.is_empty()).then_some(BrokenRule::TagKeys(other_keys));
        let kept = |feature: &Feature| matches!(feature, Feature::Retain | Feature::PreventDeletion);
        let kept = self.forbidden(object).into_iter().filter(kept).map(BrokenRule::Forbidden);
        prefix.into_iter().chain(keys).chain(kept).collect()
    }

    /// The required prefix, if the ID lacks it.
    fn missing_prefix(&self, object: &ElastiCacheUser, user_id: &UserId) -> Option<String> {
        let template = self.required_prefix.as_ref()?;
        let prefix = in_namespace(template, &object.namespace().unwrap_or_default());
        (!user_id.as_str().starts_with(&prefix)).then_some(prefix)
    }
}
