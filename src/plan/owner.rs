//! Who owns an AWS user: the owner tags.

use std::collections::BTreeMap;
use std::fmt;

/// The tags of an AWS user, or the tags of a spec.
pub type Tags = BTreeMap<String, String>;

/// The beginning of every tag key of the operator. Tags of a spec must not begin with it.
pub const OWNER_TAG_PREFIX: &str = "elasticache-users.dev/";
/// Tag: the cluster that owns the AWS user.
pub const CLUSTER_TAG: &str = "elasticache-users.dev/cluster";
/// Tag: the namespace of the object that owns the AWS user.
pub const NAMESPACE_TAG: &str = "elasticache-users.dev/namespace";
/// Tag: the name of the object that owns the AWS user.
pub const NAME_TAG: &str = "elasticache-users.dev/name";
/// Tag: the uid of the object, for people. Ownership does not depend on it, because a restored backup changes it.
pub const UID_TAG: &str = "elasticache-users.dev/uid";

/// Whether only the operator or AWS may use the key. The CRD refuses such keys, but an earlier CRD may have admitted one.
#[must_use]
pub fn is_reserved_tag_key(key: &str) -> bool {
    let key = key.trim().to_lowercase();
    key.starts_with(OWNER_TAG_PREFIX) || key.starts_with("aws:")
}

/// Whether a Kubernetes object can have this name: a DNS subdomain. Nothing else may get into the path of a request.
#[must_use]
pub fn is_object_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let (first, last) = (part.as_bytes().first(), part.as_bytes().last());
        first.is_some_and(alphanumeric)
            && last.is_some_and(alphanumeric)
            && part.bytes().all(|byte| alphanumeric(&byte) || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_part)
}

/// Whether the text is a DNS label: a namespace must be one.
#[must_use]
pub fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && !text.contains('.') && is_object_name(text)
}

/// The object that owns an AWS user, as the user's tags name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// `--cluster-id`.
    pub cluster: String,
    pub namespace: String,
    pub name: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, namespace, name } = self;
        write!(f, "ElastiCacheUser \"{name}\" in namespace \"{namespace}\" of cluster \"{cluster}\"")
    }
}

/// Who owns a user, according to its tags.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ownership {
    /// This object owns the user.
    Ours,
    /// Another object owns the user. [`Owner::MISSING`] takes the place of a missing tag.
    Another(Owner),
    /// The user has no owner tags, or only some of this object's.
    Unowned,
}

impl Owner {
    /// Whether Kubernetes can have such an object. Anybody who may tag the AWS user writes these names.
    #[must_use]
    pub fn can_exist(&self) -> bool {
        is_dns_label(&self.namespace) && is_object_name(&self.name)
    }

    /// Takes the place of a missing tag. No object can have this name.
    pub const MISSING: &str = "?";

    /// The owner tags of this object's user.
    #[must_use]
    pub fn tags(&self, uid: &str) -> Tags {
        [
            (CLUSTER_TAG, self.cluster.as_str()),
            (NAMESPACE_TAG, &self.namespace),
            (NAME_TAG, &self.name),
            (UID_TAG, uid),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
    }

    /// Who owns a user with these tags.
    #[must_use]
    pub fn evaluate(&self, tags: &Tags) -> Ownership {
        let read = |key: &str| tags.get(key);
        let found = [read(CLUSTER_TAG), read(NAMESPACE_TAG), read(NAME_TAG)];
        let ours = [&self.cluster, &self.namespace, &self.name];
        if found.iter().zip(ours).all(|(tag, own)| *tag == Some(own)) {
            return Ownership::Ours;
        }
        if found.iter().zip(ours).all(|(tag, own)| tag.is_none_or(|tag| tag == own)) {
            return Ownership::Unowned;
        }
        let [cluster, namespace, name] =
            found.map(|tag| tag.cloned().unwrap_or_else(|| Self::MISSING.to_owned()));
        Ownership::Another(Owner { cluster, namespace, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_a_dns_label() {
        for (text, expected) in [
            ("shop", true),
            ("shop-1", true),
            ("", false),
            ("-shop", false),
            ("shop-", false),
            ("Shop", false),
            ("a/b", false),
            ("a.b", false),
            ("..", false),
        ] {
            assert_eq!(is_dns_label(text), expected, "{text}");
        }
        assert!(is_dns_label(&"a".repeat(63)) && !is_dns_label(&"a".repeat(64)));
    }
}
