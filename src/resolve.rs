//! Turns an object into a [`Goal`], so that later steps do not use the types of the API. I/O: reads the Secrets that the object
//! names.

mod lockdown;

pub use self::lockdown::Lockdown;
pub use plan::Patterns;

use std::collections::BTreeSet;

use kube::ResourceExt;
use plan::{
    Adoption, Authentication, AuthenticationType, BrokenRule, DeletionGoal, DeletionPolicy, Desired, Feature,
    FirstPassword, Goal, GroupPermission, InvalidUserId, Outline, Owner, Passwords, Refusal, SecretProblem,
    Subject, UserGroupId, UserId, WantedGroups,
};

use crate::api::{self, ElastiCacheUser, PREVENT_DELETION};
use crate::kubernetes::Kubernetes;

/// What the operator's flags decide for every object.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Names the cluster in owner tags.
    pub cluster_id: String,
    /// For objects without `deletionPolicy`.
    pub default_deletion_policy: DeletionPolicy,
    /// Only objects in these namespaces may adopt a user.
    pub adoption_namespaces: Patterns,
    /// Every user ID must begin with it. It may contain `{namespace}`, which stands for the object's namespace.
    pub required_prefix: Option<String>,
    /// The user groups that objects may name: patterns with `*` and `{namespace}`.
    pub allowed_user_groups: Vec<String>,
    pub lockdown: Lockdown,
    /// The operator looks after the objects of this class alone. Empty: after those without a class.
    pub class: String,
}

/// Why the operator cannot use a spec. The user reads the text in status.
#[derive(Debug, thiserror::Error)]
enum SpecError {
    #[error(
        "\"{user_id}\" cannot be a user ID: lower-case letters, digits and single hyphens, beginning with a letter, at most 40 characters, and not \"default\""
    )]
    UserId { user_id: String, reason: InvalidUserId },
    #[error("the user ID cannot change: this object manages AWS user \"{0}\"")]
    UserIdChanged(String),
    #[error("spec.engine is missing: redis or valkey")]
    NoEngine,
    #[error("spec.engine is \"{0}\"; redis and valkey are known")]
    UnknownEngine(String),
    #[error("spec.accessString is missing, such as: on ~app:* +@read")]
    NoAccessString,
    #[error("spec.authentication.type is missing: password, iam or no-password-required")]
    NoAuthenticationType,
    #[error("spec.authentication.type is \"{0}\"; password, iam and no-password-required are known")]
    UnknownAuthenticationType(String),
    #[error("spec.authentication.passwordSource is \"{0}\"; Secrets and External are known")]
    UnknownPasswordSource(String),
    #[error("spec.authentication.passwords must name one or two Secrets by secretKeyRef")]
    PasswordReferences,
    #[error(
        "spec.tags has the key \"{0}\": keys that begin with \"aws:\" or \"elasticache-users.dev/\" are reserved; remove it"
    )]
    ReservedTagKey(String),
    #[error(
        "\"{0}\" in spec.userGroupIDs cannot be the ID of a user group: lower-case letters, digits and single hyphens, beginning with a letter, at most 40 characters, and not \"default\""
    )]
    UserGroupId(String),
    #[error("spec.managementPolicy is \"{0}\"; Manage and Observe are known")]
    UnknownManagementPolicy(String),
}

impl From<SpecError> for Refusal {
    fn from(error: SpecError) -> Self {
        Self::InvalidSpec(error.to_string())
    }
}

impl Policy {
    /// Whether this operator looks after the object. Another operator looks after the objects of another class.
    #[must_use]
    pub fn includes(&self, object: &ElastiCacheUser) -> bool {
        object.spec.class.as_deref().unwrap_or_default() == self.class
    }

    fn adoption(&self, object: &ElastiCacheUser) -> Adoption {
        let namespace = object.namespace().unwrap_or_default();
        match &object.spec.adoption_policy {
            // A newer version may have written the unknown word. Do not adopt, because its meaning is not known.
            Some(api::AdoptionPolicy::Never | api::AdoptionPolicy::Unrecognized(_)) | None => Adoption::Never,
            Some(api::AdoptionPolicy::Adopt) if self.forbids(Feature::Adopt, &namespace) => {
                Adoption::Forbidden
            }
            Some(api::AdoptionPolicy::Adopt) if self.adoption_namespaces.matches(&namespace) => {
                Adoption::Allowed
            }
            Some(api::AdoptionPolicy::Adopt) => Adoption::NotAllowed,
        }
    }

    /// The user groups that objects of this namespace may name.
    fn allowed_groups(&self, namespace: &str) -> Patterns {
        let templates = self.allowed_user_groups.iter();
        Patterns::new(templates.map(|template| in_namespace(template, namespace)).collect())
    }
}

/// What a flag with `{namespace}` means for the objects of this namespace.
pub(crate) fn in_namespace(template: &str, namespace: &str) -> String {
    template.replace("{namespace}", namespace)
}

/// Reads no Secret. A pass asks for [`passwords`] when it needs them. `full`: `--max-users-per-namespace`, if so many other objects
/// of the namespace go before this one.
pub fn resolve(object: &ElastiCacheUser, policy: &Policy, full: Option<u32>) -> Goal {
    if object.metadata.deletion_timestamp.is_some() {
        return Goal::Absent(deletion_goal(object, policy));
    }
    let invalid = |refusal| Goal::Invalid { refusal, subject: subject(object, policy) };
    // The object asks the operator to leave AWS alone. If that is forbidden, the opposite would not be what it asks for either.
    if let Some(feature) = policy.forbidden_rest(object) {
        return invalid(Refusal::BreaksRule(BrokenRule::Forbidden(feature)));
    }
    if object.spec.suspend == Some(true) {
        return Goal::Suspended(outline(object));
    }
    match (desired(object, policy), &object.spec.management_policy) {
        (Err(refusal), _) => invalid(refusal),
        (Ok(desired), Some(api::ManagementPolicy::Manage) | None) => {
            Goal::Present(Desired { full, ..desired })
        }
        (Ok(desired), Some(api::ManagementPolicy::Observe)) => match desired.broken_rules.first() {
            Some(rule) => invalid(Refusal::BreaksRule(rule.clone())),
            None => Goal::ObserveOnly(desired),
        },
        (Ok(_), Some(api::ManagementPolicy::Unrecognized(word))) => {
            invalid(SpecError::UnknownManagementPolicy(word.clone()).into())
        }
    }
}

/// The part of the spec that can be compared with status without reading a Secret.
fn outline(object: &ElastiCacheUser) -> Option<Outline> {
    let given = object.spec.authentication.as_ref();
    let authentication_type = match given.and_then(|given| given.type_.as_ref())? {
        api::AuthenticationType::Password => AuthenticationType::Password,
        api::AuthenticationType::Iam => AuthenticationType::Iam,
        api::AuthenticationType::NoPasswordRequired => AuthenticationType::NoPassword,
        api::AuthenticationType::Unrecognized(_) => return None,
    };
    Some(Outline {
        engine: engine(object).ok()?,
        access_string: object.spec.access_string.clone()?,
        authentication_type,
        user_groups: named_groups(object).ok()?.into_iter().collect(),
    })
}

fn named_groups(object: &ElastiCacheUser) -> Result<Vec<UserGroupId>, SpecError> {
    let named = object.spec.user_group_ids.iter().flatten();
    named.map(|id| UserGroupId::parse(id).map_err(|_| SpecError::UserGroupId(id.clone()))).collect()
}

/// The groups that the object names and that its user was not seen in. A pass may wish to join them.
pub(crate) fn missing_groups(object: &ElastiCacheUser) -> BTreeSet<UserGroupId> {
    let status = object.status.as_ref();
    let is_member = |id: &&String| status.is_some_and(|status| status.user_group_ids.contains(*id));
    let missing = object.spec.user_group_ids.iter().flatten().filter(|id| !is_member(id));
    missing.filter_map(|id| UserGroupId::parse(id).ok()).collect()
}

/// How owner tags name the object.
pub fn owner(object: &ElastiCacheUser, policy: &Policy) -> Owner {
    Owner {
        cluster: policy.cluster_id.clone(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    }
}

/// The user that the object manages, even if the rest of its spec is invalid. `None` if the object only observes.
fn subject(object: &ElastiCacheUser, policy: &Policy) -> Option<Subject> {
    let user_id = named_user_id(object).filter(|_| !policy.observes(object))?;
    Some(Subject { user_id, owner: owner(object, policy) })
}

/// The ID of the user that status shows. If status shows none, the ID that the spec names.
fn named_user_id(object: &ElastiCacheUser) -> Option<UserId> {
    let managed = object.status.as_ref().and_then(|status| status.arn.as_deref()).and_then(plan::Arn::parse);
    let named = object.spec.user_id.clone().unwrap_or_else(|| object.name_any());
    UserId::parse(managed.as_ref().map_or(named.as_str(), |arn| arn.user())).ok()
}

/// The flags whose rules the object breaks.
pub fn rules_broken(object: &ElastiCacheUser, policy: &Policy) -> Vec<&'static str> {
    let forbidden = policy.forbidden(object).into_iter().map(|_| "--forbid");
    let broken = desired(object, policy).map(|desired| desired.broken_rules).unwrap_or_default();
    let broken = broken.into_iter().map(|rule| match rule {
        BrokenRule::UserId { .. } => "--required-user-id-prefix",
        BrokenRule::TagKeys(_) => "--allowed-tag-key",
        BrokenRule::Forbidden(_) => "--forbid",
    });
    let flags: BTreeSet<&'static str> = forbidden.chain(broken).collect();
    flags.into_iter().collect()
}

/// The user groups that the object names and may not join.
pub fn refused_groups(object: &ElastiCacheUser, policy: &Policy) -> Vec<String> {
    let groups = user_groups(object, policy).unwrap_or_default().into_iter();
    let refused = groups.filter(|(_, permission)| *permission == GroupPermission::NotAllowed);
    refused.map(|(group, _)| group.as_str().to_owned()).collect()
}

/// Reads no Secret and checks only the user ID, so that an object with an invalid spec can be deleted.
fn deletion_goal(object: &ElastiCacheUser, policy: &Policy) -> DeletionGoal {
    let mut ignored = policy.forbidden(object);
    ignored.retain(|feature| *feature != Feature::Adopt);
    DeletionGoal {
        user_id: named_user_id(object),
        owner: owner(object, policy),
        uid: object.uid().unwrap_or_default(),
        protected: is_protected(object) && !ignored.contains(&Feature::PreventDeletion),
        policy: policy.deletion_policy(object),
        observes: policy.observes(object),
        suspended: object.spec.suspend == Some(true) && !ignored.contains(&Feature::Suspend),
        ignored,
    }
}

/// The annotation `prevent-deletion` is set.
pub fn is_protected(object: &ElastiCacheUser) -> bool {
    object.annotations().get(PREVENT_DELETION).is_some_and(|value| value == "true")
}

/// The user that the spec describes, or what is wrong with the spec. Admission refuses most invalid specs. An object that was
/// created while an older CRD was installed can still have one.
fn desired(object: &ElastiCacheUser, policy: &Policy) -> Result<Desired, Refusal> {
    let spec = &object.spec;
    let user_id = valid_user_id(object)?;
    let (tags, other_keys) = policy.allowed_tags(object, tags(object)?);
    Ok(Desired {
        broken_rules: policy.broken_rules(object, &user_id, other_keys),
        user_name: spec.user_name.clone().unwrap_or_else(|| user_id.as_str().to_owned()),
        user_id,
        engine: engine(object)?,
        access_string: access_string(object)?,
        authentication: authentication(object)?,
        tags,
        owner: owner(object, policy),
        uid: object.uid().unwrap_or_default(),
        adoption: policy.adoption(object),
        user_groups: user_groups(object, policy)?,
        adoption_namespaces: policy.adoption_namespaces.clone(),
        full: None,
    })
}

fn valid_user_id(object: &ElastiCacheUser) -> Result<UserId, SpecError> {
    let named = object.spec.user_id.clone().unwrap_or_else(|| object.name_any());
    let user_id =
        UserId::parse(&named).map_err(|reason| SpecError::UserId { user_id: named.clone(), reason })?;
    let managed = object.status.as_ref().and_then(|status| status.arn.as_deref()).and_then(plan::Arn::parse);
    match managed.filter(|arn| arn.user() != user_id.as_str()) {
        Some(arn) => Err(SpecError::UserIdChanged(arn.user().to_owned())),
        None => Ok(user_id),
    }
}

fn engine(object: &ElastiCacheUser) -> Result<plan::Engine, SpecError> {
    match &object.spec.engine {
        Some(api::Engine::Redis) => Ok(plan::Engine::Redis),
        Some(api::Engine::Valkey) => Ok(plan::Engine::Valkey),
        Some(api::Engine::Unrecognized(word)) => Err(SpecError::UnknownEngine(word.clone())),
        None => Err(SpecError::NoEngine),
    }
}

fn access_string(object: &ElastiCacheUser) -> Result<String, SpecError> {
    match object.spec.access_string.as_deref() {
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        Some(_) | None => Err(SpecError::NoAccessString),
    }
}

fn user_groups(object: &ElastiCacheUser, policy: &Policy) -> Result<WantedGroups, SpecError> {
    let allowed = policy.allowed_groups(&object.namespace().unwrap_or_default());
    let permitted = |group: UserGroupId| match allowed.matches(group.as_str()) {
        true => (group, GroupPermission::Allowed),
        false => (group, GroupPermission::NotAllowed),
    };
    Ok(named_groups(object)?.into_iter().map(permitted).collect())
}

fn tags(object: &ElastiCacheUser) -> Result<plan::Tags, SpecError> {
    let tags = object.spec.tags.clone().unwrap_or_default();
    match tags.keys().find(|key| plan::is_reserved_tag_key(key)) {
        Some(key) => Err(SpecError::ReservedTagKey(key.clone())),
        None => Ok(tags),
    }
}

fn authentication(object: &ElastiCacheUser) -> Result<Authentication, SpecError> {
    let given = object.spec.authentication.as_ref();
    let type_ = given.and_then(|authentication| authentication.type_.as_ref());
    match type_ {
        Some(api::AuthenticationType::Iam) => Ok(Authentication::Iam),
        Some(api::AuthenticationType::NoPasswordRequired) => Ok(Authentication::NoPassword),
        Some(api::AuthenticationType::Password) => passwords_wanted(object),
        Some(api::AuthenticationType::Unrecognized(word)) => {
            Err(SpecError::UnknownAuthenticationType(word.clone()))
        }
        None => Err(SpecError::NoAuthenticationType),
    }
}

fn passwords_wanted(object: &ElastiCacheUser) -> Result<Authentication, SpecError> {
    let given = object.spec.authentication.as_ref();
    let unread = || Err(SecretProblem::NotRead);
    match given.and_then(|given| given.password_source.as_ref()) {
        None | Some(api::PasswordSource::Secrets) => keys(object).map(|_| Authentication::Password(unread())),
        Some(api::PasswordSource::External) if given.is_some_and(|given| given.passwords.is_none()) => {
            Ok(Authentication::ExternalPassword(FirstPassword::Random))
        }
        Some(api::PasswordSource::External) => {
            keys(object).map(|_| Authentication::ExternalPassword(FirstPassword::FromSecrets(unread())))
        }
        Some(api::PasswordSource::Unrecognized(word)) => Err(SpecError::UnknownPasswordSource(word.clone())),
    }
}

/// The object's user may need the Secrets that the object names. A user whose passwords somebody else sets needs them only before
/// it has a password.
pub fn may_need_secrets(object: &ElastiCacheUser) -> bool {
    let given = object.spec.authentication.as_ref();
    let is_external = given.is_some_and(|given| given.password_source == Some(api::PasswordSource::External));
    let shown = object.status.as_ref().and_then(|status| status.authentication.as_ref());
    let has_password =
        shown.is_some_and(|shown| shown.type_.as_deref() == Some(AuthenticationType::Password.output()));
    !(is_external && has_password)
}

/// The Secrets that an object names.
pub fn secrets_named(object: &ElastiCacheUser) -> impl Iterator<Item = &str> {
    let authentication = object.spec.authentication.as_ref();
    let sources = authentication.and_then(|authentication| authentication.passwords.as_deref());
    sources.unwrap_or_default().iter().filter_map(secret_and_key).map(|(secret, _)| secret)
}

fn secret_and_key(source: &api::PasswordReference) -> Option<(&str, &str)> {
    let reference = source.secret_key_ref.as_ref()?;
    Some((reference.name.as_deref()?, reference.key.as_deref()?))
}

/// The Secrets and keys of the passwords.
fn keys(object: &ElastiCacheUser) -> Result<Vec<(&str, &str)>, SpecError> {
    let authentication = object.spec.authentication.as_ref();
    let sources = authentication.and_then(|authentication| authentication.passwords.as_deref());
    let keys: Option<Vec<_>> = sources.unwrap_or_default().iter().map(secret_and_key).collect();
    keys.filter(|keys| matches!(keys.len(), 1 | 2)).ok_or(SpecError::PasswordReferences)
}

/// # Errors
/// Why the passwords are not known.
pub async fn passwords(
    object: &ElastiCacheUser,
    kubernetes: &Kubernetes,
) -> Result<Passwords, SecretProblem> {
    let namespace = object.namespace().unwrap_or_default();
    let mut read = Vec::new();
    for (secret, key) in keys(object).unwrap_or_default() {
        read.push(kubernetes.password(&namespace, secret, key).await?);
    }
    Ok(Passwords::new(read))
}

#[cfg(test)]
mod tests;
