//! Pure: the nouns. What the object asks for, what AWS shows, and what status remembers.
//!
//! Everything is parsed once, where it enters; after that a value of one of these types is known to be sound.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// Longest user ID that the operator uses, in characters (AWS does not document its own limit).
pub const USER_ID_MAX: usize = 40;

/// The tags of a resource, or those that an object asks for.
pub type Tags = BTreeMap<String, String>;

/// The identity of an AWS user within an account and region: lower case, as AWS stores it (B12).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(String);

/// Why a text cannot be a user ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvalidUserId {
    /// Not letters, digits and single inner hyphens, beginning with a letter (B14, B15), or too long.
    Malformed,
    /// AWS's own user `default`, which belongs to nobody.
    Reserved,
}

impl UserId {
    /// Reads a user ID, in any case.
    ///
    /// # Errors
    /// [`InvalidUserId`] where AWS would not accept it, or it is AWS's own user.
    pub fn parse(text: &str) -> Result<Self, InvalidUserId> {
        let id = text.to_ascii_lowercase();
        let sound = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if id.len() > USER_ID_MAX
            || !id.starts_with(|c: char| c.is_ascii_lowercase())
            || !id.split('-').all(sound)
        {
            return Err(InvalidUserId::Malformed);
        }
        if id == "default" {
            return Err(InvalidUserId::Reserved);
        }
        Ok(Self(id))
    }

    /// The ID as AWS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The engine that a user is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Redis OSS.
    Redis,
    /// Valkey.
    Valkey,
}

impl Engine {
    /// AWS's word for it, lower case as AWS answers (B25).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Valkey => "valkey",
        }
    }
}

/// How a user proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthenticationType {
    /// One or two passwords.
    Password,
    /// AWS IAM.
    Iam,
    /// Nothing at all.
    NoPassword,
}

impl AuthenticationType {
    /// The word that AWS wants on input.
    #[must_use]
    pub fn input(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Iam => "iam",
            Self::NoPassword => "no-password-required",
        }
    }

    /// The word that AWS answers with, which is not always the input's (B51).
    #[must_use]
    pub fn output(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Iam => "iam",
            Self::NoPassword => "no-password",
        }
    }
}

/// One password that ElastiCache may accept. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct Password(SecretString);

/// What is wrong with the value of a Secret's key; never says what the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvalidPassword {
    /// The bytes are not UTF-8 text.
    NotText,
    /// It ends with a line break: `echo` without `-n`, or an editor.
    TrailingNewline,
    /// It contains a character that cannot be printed.
    NotPrintable,
    /// It contains one of `,` `"` `/` `@` (B45).
    Forbidden,
    /// Fewer than 16 characters (B42).
    TooShort,
    /// More than 128 characters (B42).
    TooLong,
}

impl InvalidPassword {
    /// The rest of a sentence that begins with the name of the key.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotText => "is not UTF-8 text",
            Self::TrailingNewline => {
                "ends with a newline, which is not part of a password: write it without one \
                 (`kubectl create secret --from-literal`, `echo -n`, `printf %s`)"
            }
            Self::NotPrintable => "contains a character that cannot be printed",
            Self::Forbidden => "contains one of , \" / @, which ElastiCache does not accept",
            Self::TooShort => "is shorter than 16 characters; ElastiCache accepts 16 to 128",
            Self::TooLong => "is longer than 128 characters; ElastiCache accepts 16 to 128",
        }
    }
}

impl Password {
    /// Reads the value of a Secret's key.
    ///
    /// # Errors
    /// [`InvalidPassword`] where ElastiCache is known to refuse it.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidPassword> {
        let text = std::str::from_utf8(bytes).map_err(|_| InvalidPassword::NotText)?;
        if text.ends_with(['\n', '\r']) {
            return Err(InvalidPassword::TrailingNewline);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidPassword::NotPrintable);
        }
        if text.contains([',', '"', '/', '@']) {
            return Err(InvalidPassword::Forbidden);
        }
        match text.chars().count() {
            0..16 => Err(InvalidPassword::TooShort),
            16..=128 => Ok(Self(SecretString::from(text))),
            _ => Err(InvalidPassword::TooLong),
        }
    }

    /// The plain text, for the one call that sends it.
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

/// The passwords of a user, together with the Secret versions that they were read from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Passwords {
    values: Vec<Password>,
    versions: Vec<String>,
}

impl Passwords {
    /// Takes what was read, each password with its version (the Secret's uid and resourceVersion, and the key, as a spec may
    /// go over to another key of the same Secret); the same password twice
    /// counts once, as AWS's answer to a pair of equal ones is not known.
    #[must_use]
    pub fn new(read: Vec<(Password, String)>) -> Self {
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

    /// The passwords, one or two.
    #[must_use]
    pub fn values(&self) -> &[Password] {
        &self.values
    }

    /// Whether both are the same passwords; their order means nothing to AWS.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.values.len() == other.values.len()
            && self.values.iter().all(|value| other.values.contains(value))
    }

    /// The Secret versions that they come from, sorted, as their order means nothing to AWS.
    #[must_use]
    pub fn versions(&self) -> &[String] {
        &self.versions
    }
}

/// Why the passwords are not known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretProblem {
    /// There is no Secret of this name.
    NotFound {
        /// Its name.
        secret: String,
    },
    /// The Secret has no such key.
    KeyNotFound {
        /// Its name.
        secret: String,
        /// The key.
        key: String,
    },
    /// The operator may not read it.
    Forbidden {
        /// Its name.
        secret: String,
    },
    /// The API server did not answer.
    Unreadable {
        /// Its name.
        secret: String,
    },
    /// What is there cannot be a password.
    Invalid {
        /// Its name.
        secret: String,
        /// The key.
        key: String,
        /// What is wrong with the value.
        why: InvalidPassword,
    },
}

/// Who an AWS user belongs to: the object that its tags name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The cluster's ID (`--cluster-id`).
    pub cluster: String,
    /// The object's namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, namespace, name } = self;
        write!(f, "ElastiCacheUser \"{name}\" in namespace \"{namespace}\" of cluster \"{cluster}\"")
    }
}

/// Prefix of the tag keys that are the operator's own.
pub const OWNER_TAG_PREFIX: &str = "elasticache-users.dev/";
/// The tag that names the cluster.
pub const CLUSTER_TAG: &str = "elasticache-users.dev/cluster";
/// The tag that names the namespace.
pub const NAMESPACE_TAG: &str = "elasticache-users.dev/namespace";
/// The tag that names the object.
pub const NAME_TAG: &str = "elasticache-users.dev/name";
/// The tag with the object's uid: for people, never compared (a restored backup changes it).
pub const UID_TAG: &str = "elasticache-users.dev/uid";

/// What the tags of a user say about its owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ownership {
    /// This object's.
    Ours,
    /// Another object's; a tag that is missing is shown as `?`.
    Another(Owner),
    /// No owner tag, or only some of ours and none of another's.
    Unowned,
}

impl Owner {
    /// Stands for a tag that is missing.
    pub const MISSING: &str = "?";

    /// The tags that make a user this object's.
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

    /// Whose user carries these tags, as this object sees it.
    #[must_use]
    pub fn evaluate(&self, tags: &Tags) -> Ownership {
        let read = |key: &str| tags.get(key);
        let said = [read(CLUSTER_TAG), read(NAMESPACE_TAG), read(NAME_TAG)];
        let ours = [&self.cluster, &self.namespace, &self.name];
        if said.iter().zip(ours).all(|(said, own)| *said == Some(own)) {
            return Ownership::Ours;
        }
        if said.iter().zip(ours).all(|(said, own)| said.is_none_or(|said| said == own)) {
            return Ownership::Unowned;
        }
        let [cluster, namespace, name] =
            said.map(|said| said.cloned().unwrap_or_else(|| Self::MISSING.to_owned()));
        Ownership::Another(Owner { cluster, namespace, name })
    }
}

/// The name of an AWS user across all accounts: `arn:<partition>:elasticache:<region>:<account>:user:<id>` (B19).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arn {
    partition: String,
    region: String,
    account: String,
    user: String,
}

impl Arn {
    /// Reads an ARN; `None` where it is not one of an ElastiCache user.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(7, ':');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let (arn, partition, service, region, account, kind, user) =
            (next()?, next()?, next()?, next()?, next()?, next()?, next()?);
        (arn == "arn" && service == "elasticache" && kind == "user").then(|| Self {
            partition: partition.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            user: user.to_owned(),
        })
    }

    /// The region in it.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The account in it.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The user ID in it.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, region, account, user } = self;
        write!(f, "arn:{partition}:elasticache:{region}:{account}:user:{user}")
    }
}

/// The states of an AWS user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lifecycle {
    /// Not documented for users, and yet tolerated by everyone.
    Creating,
    /// May be changed and deleted.
    Active,
    /// AWS is at work on it.
    Modifying,
    /// On its way out.
    Deleting,
    /// A word that AWS never sent before.
    Unrecognized(String),
}

impl Lifecycle {
    /// Reads AWS's word.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "creating" => Self::Creating,
            "active" => Self::Active,
            "modifying" => Self::Modifying,
            "deleting" => Self::Deleting,
            other => Self::Unrecognized(other.to_owned()),
        }
    }

    /// AWS's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Creating => "creating",
            Self::Active => "active",
            Self::Modifying => "modifying",
            Self::Deleting => "deleting",
            Self::Unrecognized(word) => word,
        }
    }
}

/// All nine members of AWS's `User`, with AWS's own output words.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteUser {
    /// `UserId`.
    pub user_id: String,
    /// `UserName`.
    pub user_name: String,
    /// `Status`.
    pub lifecycle: Lifecycle,
    /// `Engine`.
    pub engine: String,
    /// `MinimumEngineVersion`.
    pub minimum_engine_version: Option<String>,
    /// `AccessString`, in AWS's form.
    pub access_string: String,
    /// `UserGroupIds`.
    pub user_group_ids: Vec<String>,
    /// `Authentication.Type`.
    pub authentication_type: String,
    /// `Authentication.PasswordCount`, absent unless the type is `password` (B52).
    pub password_count: Option<i32>,
    /// `ARN`.
    pub arn: Arn,
}
