//! I/O: reads the Secrets that an object names, and turns the object into a [`Goal`]. Nothing of the API's own types is
//! needed after it.

use kube::ResourceExt;
use plan::{
    Adoption, Authentication, AuthenticationType, DeletionGoal, DeletionPolicy, Desired, Goal, Outline,
    Owner, Passwords, Refusal, SecretProblem, Subject, UserId,
};

use crate::api::{self, ElastiCacheUser, ElastiCacheUserSpec, PREVENT_DELETION};
use crate::kubernetes::Kubernetes;

/// What the operator's flags decide for every object.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The cluster, in owner tags.
    pub cluster_id: String,
    /// For objects without `deletionPolicy`.
    pub default_deletion_policy: DeletionPolicy,
    /// Namespaces whose objects may adopt; `*` stands for all.
    pub adoption_namespaces: Vec<String>,
    /// What user IDs must begin with, `{namespace}` not filled in yet.
    pub required_prefix: Option<String>,
}

impl Policy {
    fn adoption(&self, object: &ElastiCacheUser) -> Adoption {
        let namespace = object.namespace().unwrap_or_default();
        match &object.spec.adoption_policy {
            // A word of another version: what it means is not known.
            Some(api::AdoptionPolicy::Never | api::AdoptionPolicy::Unrecognized(_)) | None => Adoption::Never,
            Some(api::AdoptionPolicy::Adopt)
                if self.adoption_namespaces.iter().any(|allowed| allowed == "*" || *allowed == namespace) =>
            {
                Adoption::Allowed
            }
            Some(api::AdoptionPolicy::Adopt) => Adoption::NotAllowed,
        }
    }

    /// # Errors
    /// What the ID would have to begin with.
    fn allows(&self, object: &ElastiCacheUser, user_id: &UserId) -> Result<(), Refusal> {
        let Some(template) = &self.required_prefix else { return Ok(()) };
        let prefix = template.replace("{namespace}", &object.namespace().unwrap_or_default());
        if user_id.as_str().starts_with(&prefix) {
            return Ok(());
        }
        Err(Refusal::UserIdNotAllowed { user_id: user_id.clone(), prefix })
    }
}

/// What the object asks for.
pub async fn resolve(object: &ElastiCacheUser, policy: &Policy, kubernetes: &Kubernetes) -> Goal {
    if object.metadata.deletion_timestamp.is_some() {
        return Goal::Absent(deletion_goal(object, policy));
    }
    if object.spec.suspend == Some(true) {
        return Goal::Suspended(outline(object));
    }
    match (desired(object, policy, kubernetes).await, &object.spec.management_policy) {
        (Err(refusal), _) => Goal::Invalid { refusal, subject: subject(object, policy) },
        (Ok(desired), Some(api::ManagementPolicy::Manage) | None) => Goal::Present(desired),
        (Ok(desired), Some(api::ManagementPolicy::Observe)) => Goal::ObserveOnly(desired),
        (Ok(_), Some(api::ManagementPolicy::Unrecognized(word))) => {
            let why = format!("spec.managementPolicy is \"{word}\"; Manage and Observe are known");
            Goal::Invalid { refusal: Refusal::InvalidSpec(why), subject: subject(object, policy) }
        }
    }
}

/// What of the spec can be held against status without a Secret.
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
    })
}

/// The object, as owner tags name it.
pub fn owner(object: &ElastiCacheUser, policy: &Policy) -> Owner {
    Owner {
        cluster: policy.cluster_id.clone(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    }
}

/// The user that the object stands for, whatever else is wrong with its spec. An object that only observes stands for none.
fn subject(object: &ElastiCacheUser, policy: &Policy) -> Option<Subject> {
    let user_id = named_user_id(object).filter(|_| !observes(&object.spec))?;
    Some(Subject { user_id, owner: owner(object, policy) })
}

/// The user that status shows, else the one that the spec names.
fn named_user_id(object: &ElastiCacheUser) -> Option<UserId> {
    let managed = object.status.as_ref().and_then(|status| status.arn.as_deref()).and_then(plan::Arn::parse);
    let named = object.spec.user_id.clone().unwrap_or_else(|| object.name_any());
    UserId::parse(managed.as_ref().map_or(named.as_str(), |arn| arn.user())).ok()
}

/// No Secret is read and nothing but the identity is looked at: whatever is wrong with a spec, the object can go.
fn deletion_goal(object: &ElastiCacheUser, policy: &Policy) -> DeletionGoal {
    DeletionGoal {
        user_id: named_user_id(object),
        owner: owner(object, policy),
        uid: object.uid().unwrap_or_default(),
        protected: object.annotations().get(PREVENT_DELETION).is_some_and(|value| value == "true"),
        policy: deletion_policy(&object.spec, policy.default_deletion_policy),
        observes: observes(&object.spec),
        suspended: object.spec.suspend == Some(true),
    }
}

/// What becomes of the AWS user when its object goes.
pub fn deletion_policy(spec: &ElastiCacheUserSpec, default: DeletionPolicy) -> DeletionPolicy {
    match &spec.deletion_policy {
        Some(api::DeletionPolicy::Delete) => DeletionPolicy::Delete,
        Some(api::DeletionPolicy::Retain) => DeletionPolicy::Retain,
        // A word of another version: what it means is not known, and a user that stays can still be deleted.
        Some(api::DeletionPolicy::Unrecognized(_)) => DeletionPolicy::Retain,
        None => default,
    }
}

/// Whether the AWS user is none of the object's to delete.
pub fn observes(spec: &ElastiCacheUserSpec) -> bool {
    match &spec.management_policy {
        Some(api::ManagementPolicy::Manage) | None => false,
        // A user that stays can still be deleted.
        Some(api::ManagementPolicy::Observe | api::ManagementPolicy::Unrecognized(_)) => true,
    }
}

/// The user that the spec describes, or what is wrong with it. Admission refuses most of this; objects that were made under
/// a laxer CRD come here all the same.
async fn desired(
    object: &ElastiCacheUser,
    policy: &Policy,
    kubernetes: &Kubernetes,
) -> Result<Desired, Refusal> {
    let spec = &object.spec;
    let user_id = user_id(object).map_err(Refusal::InvalidSpec)?;
    policy.allows(object, &user_id)?;
    Ok(Desired {
        user_name: spec.user_name.clone().unwrap_or_else(|| user_id.as_str().to_owned()),
        user_id,
        engine: engine(object).map_err(Refusal::InvalidSpec)?,
        access_string: access_string(object).map_err(Refusal::InvalidSpec)?,
        authentication: authentication(object, kubernetes).await.map_err(Refusal::InvalidSpec)?,
        tags: spec.tags.clone().unwrap_or_default(),
        owner: owner(object, policy),
        uid: object.uid().unwrap_or_default(),
        adoption: policy.adoption(object),
    })
}

fn user_id(object: &ElastiCacheUser) -> Result<UserId, String> {
    let named = object.spec.user_id.clone().unwrap_or_else(|| object.name_any());
    let user_id = UserId::parse(&named).map_err(|_| {
        format!(
            "\"{named}\" cannot be a user ID: lower-case letters, digits and single hyphens, beginning with a letter, at most 40 characters, and not \"default\""
        )
    })?;
    let before = object.status.as_ref().and_then(|status| status.arn.as_deref()).and_then(plan::Arn::parse);
    match before.filter(|arn| arn.user() != user_id.as_str()) {
        Some(arn) => {
            Err(format!("the user ID cannot change: this object manages AWS user \"{}\"", arn.user()))
        }
        None => Ok(user_id),
    }
}

fn engine(object: &ElastiCacheUser) -> Result<plan::Engine, String> {
    match &object.spec.engine {
        Some(api::Engine::Redis) => Ok(plan::Engine::Redis),
        Some(api::Engine::Valkey) => Ok(plan::Engine::Valkey),
        Some(api::Engine::Unrecognized(word)) => {
            Err(format!("spec.engine is \"{word}\"; redis and valkey are known"))
        }
        None => Err("spec.engine is missing: redis or valkey".to_owned()),
    }
}

fn access_string(object: &ElastiCacheUser) -> Result<String, String> {
    match object.spec.access_string.as_deref() {
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        Some(_) | None => Err("spec.accessString is missing, such as: on ~app:* +@read".to_owned()),
    }
}

async fn authentication(object: &ElastiCacheUser, kubernetes: &Kubernetes) -> Result<Authentication, String> {
    let given = object.spec.authentication.as_ref();
    let type_ = given.and_then(|authentication| authentication.type_.as_ref());
    match type_ {
        Some(api::AuthenticationType::Iam) => Ok(Authentication::Iam),
        Some(api::AuthenticationType::NoPasswordRequired) => Ok(Authentication::NoPassword),
        Some(api::AuthenticationType::Password) => {
            let sources =
                given.and_then(|authentication| authentication.passwords.as_deref()).unwrap_or_default();
            let keys: Option<Vec<_>> = sources.iter().map(reference).collect();
            match keys.as_deref() {
                Some(keys @ ([_] | [_, _])) => {
                    Ok(Authentication::Password(passwords(object, keys, kubernetes).await))
                }
                Some(_) | None => {
                    Err("spec.authentication.passwords must name one or two Secrets by secretKeyRef"
                        .to_owned())
                }
            }
        }
        Some(api::AuthenticationType::Unrecognized(word)) => Err(format!(
            "spec.authentication.type is \"{word}\"; password, iam and no-password-required are known"
        )),
        None => Err("spec.authentication.type is missing: password, iam or no-password-required".to_owned()),
    }
}

/// The Secrets that an object names.
pub fn secrets_named(object: &ElastiCacheUser) -> impl Iterator<Item = &str> {
    let authentication = object.spec.authentication.as_ref();
    let sources = authentication.and_then(|authentication| authentication.passwords.as_deref());
    sources.unwrap_or_default().iter().filter_map(reference).map(|(secret, _)| secret)
}

fn reference(source: &api::PasswordSource) -> Option<(&str, &str)> {
    let reference = source.secret_key_ref.as_ref()?;
    Some((reference.name.as_deref()?, reference.key.as_deref()?))
}

async fn passwords(
    object: &ElastiCacheUser,
    keys: &[(&str, &str)],
    kubernetes: &Kubernetes,
) -> Result<Passwords, SecretProblem> {
    let namespace = object.namespace().unwrap_or_default();
    let mut read = Vec::with_capacity(keys.len());
    for (secret, key) in keys {
        read.push(kubernetes.password(&namespace, secret, key).await?);
    }
    Ok(Passwords::new(read))
}
