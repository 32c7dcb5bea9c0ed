//! I/O: reads the Secrets that an object names, and turns the object into a [`Goal`]. Nothing of the API's own types is
//! needed after it.

use kube::ResourceExt;
use plan::{
    Authentication, DeletionPolicy, Departure, Desired, Goal, Owner, Passwords, Refusal, SecretProblem,
    UserId,
};

use crate::api::{self, ElastiCacheUser, PREVENT_DELETION};
use crate::objects::Objects;

/// What the operator's flags decide for every object.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The cluster, in owner tags.
    pub cluster_id: String,
    /// For objects without `deletionPolicy`.
    pub default_deletion_policy: DeletionPolicy,
}

/// What the object asks for.
pub async fn resolve(object: &ElastiCacheUser, policy: &Policy, objects: &Objects) -> Goal {
    if object.metadata.deletion_timestamp.is_some() {
        return Goal::Gone(departure(object, policy));
    }
    match desired(object, policy, objects).await {
        Ok(desired) => Goal::Present(desired),
        Err(why) => Goal::Unattainable(Refusal::InvalidSpec(why)),
    }
}

/// The object, as owner tags name it.
fn owner(object: &ElastiCacheUser, policy: &Policy) -> Owner {
    Owner {
        cluster: policy.cluster_id.clone(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    }
}

/// No Secret is read and nothing but the identity is looked at: whatever is wrong with a spec, the object can go.
fn departure(object: &ElastiCacheUser, policy: &Policy) -> Departure {
    let managed = object.status.as_ref().and_then(|status| status.arn.as_deref()).and_then(plan::Arn::parse);
    let named = object.spec.user_id.clone().unwrap_or_else(|| object.name_any());
    let user_id = UserId::parse(managed.as_ref().map_or(named.as_str(), |arn| arn.user())).ok();
    let deletion_policy = match &object.spec.deletion_policy {
        Some(api::DeletionPolicy::Delete) => DeletionPolicy::Delete,
        Some(api::DeletionPolicy::Retain) => DeletionPolicy::Retain,
        // A word of another version: what it means is not known, and a user that stays can still be deleted.
        Some(api::DeletionPolicy::Unrecognized(_)) => DeletionPolicy::Retain,
        None => policy.default_deletion_policy,
    };
    Departure {
        user_id,
        owner: owner(object, policy),
        uid: object.uid().unwrap_or_default(),
        protected: object.annotations().get(PREVENT_DELETION).is_some_and(|value| value == "true"),
        policy: deletion_policy,
    }
}

/// The user that the spec describes, or what is wrong with it. Admission refuses all of this; objects that were made under
/// a laxer CRD come here all the same.
async fn desired(object: &ElastiCacheUser, policy: &Policy, objects: &Objects) -> Result<Desired, String> {
    let spec = &object.spec;
    let named = spec.user_id.clone().unwrap_or_else(|| object.name_any());
    let user_id = UserId::parse(&named).map_err(|_| {
        format!(
            "\"{named}\" cannot be a user ID: lower-case letters, digits and single hyphens, beginning with a letter, at most 40 characters, and not \"default\""
        )
    })?;
    let before = object.status.as_ref().and_then(|status| status.arn.as_deref()).and_then(plan::Arn::parse);
    if let Some(arn) = before.filter(|arn| arn.user() != user_id.as_str()) {
        return Err(format!("the user ID cannot change: this object manages AWS user \"{}\"", arn.user()));
    }
    let engine = match &spec.engine {
        Some(api::Engine::Redis) => plan::Engine::Redis,
        Some(api::Engine::Valkey) => plan::Engine::Valkey,
        Some(api::Engine::Unrecognized(word)) => {
            return Err(format!("spec.engine is \"{word}\"; redis and valkey are known"));
        }
        None => return Err("spec.engine is missing: redis or valkey".to_owned()),
    };
    let access_string = match spec.access_string.as_deref() {
        Some(text) if !text.trim().is_empty() => text.to_owned(),
        Some(_) | None => return Err("spec.accessString is missing, such as: on ~app:* +@read".to_owned()),
    };
    Ok(Desired {
        user_name: spec.user_name.clone().unwrap_or_else(|| user_id.as_str().to_owned()),
        user_id,
        engine,
        access_string,
        authentication: authentication(object, objects).await?,
        tags: spec.tags.clone().unwrap_or_default(),
        owner: owner(object, policy),
        uid: object.uid().unwrap_or_default(),
    })
}

async fn authentication(object: &ElastiCacheUser, objects: &Objects) -> Result<Authentication, String> {
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
                    Ok(Authentication::Password(passwords(object, keys, objects).await))
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
    objects: &Objects,
) -> Result<Passwords, SecretProblem> {
    let namespace = object.namespace().unwrap_or_default();
    let mut read = Vec::with_capacity(keys.len());
    for (secret, key) in keys {
        read.push(objects.password(&namespace, secret, key).await?);
    }
    Ok(Passwords::new(read))
}
