//! Which version of a Secret a password came from.

use std::fmt;

/// ElastiCache never shows a password. The operator compares these versions to learn whether it has to send a password again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretVersion {
    /// In status: `uid/resourceVersion/key`. It has the key because another key of the same Secret holds another password.
    Key { uid: String, resource_version: String, key: String },
    /// Status has a text of another form, such as one without a key. The text is kept as it is. It equals no version of a Secret
    /// that was read, so the passwords are sent again.
    Unrecognized(String),
}

impl SecretVersion {
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut parts = text.splitn(3, '/').map(str::to_owned);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(uid), Some(resource_version), Some(key)) => Self::Key { uid, resource_version, key },
            (_, _, _) => Self::Unrecognized(text.to_owned()),
        }
    }

    /// The password was read from this version of the Secret with this uid, whatever its key was.
    #[must_use]
    pub fn is_of(&self, secret_uid: &str, secret_version: &str) -> bool {
        match self {
            Self::Key { uid, resource_version, .. } => {
                uid == secret_uid && resource_version == secret_version
            }
            Self::Unrecognized(_) => false,
        }
    }
}

impl fmt::Display for SecretVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { uid, resource_version, key } => write!(f, "{uid}/{resource_version}/{key}"),
            Self::Unrecognized(text) => f.write_str(text),
        }
    }
}
