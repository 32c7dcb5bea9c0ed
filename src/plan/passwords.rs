//! Passwords and the Secrets that they come from.

use std::borrow::Cow;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::SecretVersion;

/// A password that ElastiCache may accept. `Debug` does not show it.
#[derive(Clone)]
pub struct Password(SecretString);

/// What is wrong with the value of a Secret's key. It never contains the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvalidPassword {
    NotText,
    /// It ends with a line break. `echo` without `-n` and editors write one.
    TrailingNewline,
    /// It contains this character.
    NotPrintable(char),
    /// It contains this character: `,` `"` `/` or `@` (B45).
    Forbidden(char),
    /// Fewer than 16 characters (B42).
    TooShort,
    /// More than 128 characters (B42).
    TooLong,
}

impl InvalidPassword {
    /// What follows the key's name in a message.
    #[must_use]
    pub fn description(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NotText => "is not UTF-8 text",
            Self::TrailingNewline => {
                "ends with a newline, which is not part of a password: write it without one \
                 (`kubectl create secret --from-literal`, `echo -n`, `printf %s`)"
            }
            Self::NotPrintable(one) => {
                let code = u32::from(one);
                return Cow::Owned(format!("contains the character U+{code:04X}, which cannot be printed"));
            }
            Self::Forbidden(one) => {
                let text = format!("contains the character `{one}`; ElastiCache accepts none of , \" / @");
                return Cow::Owned(text);
            }
            Self::TooShort => "is shorter than 16 characters; ElastiCache accepts 16 to 128",
            Self::TooLong => "is longer than 128 characters; ElastiCache accepts 16 to 128",
        })
    }
}

impl Password {
    /// # Errors
    /// [`InvalidPassword`] if ElastiCache would refuse the password.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidPassword> {
        let text = std::str::from_utf8(bytes).map_err(|_| InvalidPassword::NotText)?;
        if text.ends_with(['\n', '\r']) {
            return Err(InvalidPassword::TrailingNewline);
        }
        if let Some(one) = text.chars().find(|one| one.is_control()) {
            return Err(InvalidPassword::NotPrintable(one));
        }
        if let Some(one) = text.chars().find(|one| [',', '"', '/', '@'].contains(one)) {
            return Err(InvalidPassword::Forbidden(one));
        }
        match text.chars().count() {
            0..16 => Err(InvalidPassword::TooShort),
            16..=128 => Ok(Self(SecretString::from(text))),
            _ => Err(InvalidPassword::TooLong),
        }
    }

    /// The plain text. Only the AWS call that sends it needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}
impl Eq for Password {}

impl std::hash::Hash for Password {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// The one or two passwords of a user, and the versions of the Secret keys that they were read from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Passwords {
    values: Vec<Password>,
    versions: Vec<SecretVersion>,
}

impl Passwords {
    /// Equal passwords count as one, because it is not known what AWS answers to two equal passwords.
    #[must_use]
    pub fn new(read: Vec<(Password, SecretVersion)>) -> Self {
        let mut passwords = Self { values: Vec::new(), versions: Vec::new() };
        for (value, version) in read {
            passwords.versions.push(version);
            if !passwords.values.contains(&value) {
                passwords.values.push(value);
            }
        }
        passwords.versions.sort();
        passwords.versions.dedup();
        passwords
    }

    #[must_use]
    pub fn values(&self) -> &[Password] {
        &self.values
    }

    /// Compares the passwords in any order, because the order means nothing to AWS.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.values.len() == other.values.len()
            && self.values.iter().all(|value| other.values.contains(value))
    }

    /// Sorted, because the order means nothing to AWS.
    #[must_use]
    pub fn versions(&self) -> &[SecretVersion] {
        &self.versions
    }
}

/// Why the operator does not know the passwords.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretProblem {
    /// The pass has not read them yet.
    NotRead,
    NotFound {
        secret: String,
    },
    KeyNotFound {
        secret: String,
        key: String,
    },
    /// The operator's ServiceAccount may not read the Secret.
    Forbidden {
        secret: String,
    },
    /// The API server did not answer, or not with a Secret. This says nothing about the Secret.
    Unreadable {
        secret: String,
        /// Without any part of the answer.
        why: String,
    },
    Invalid {
        secret: String,
        key: String,
        why: InvalidPassword,
    },
}
