//! The AWS user: its ID, ARN and state, as the object asks for it and as AWS shows it.

use std::fmt;

/// AWS's own user. It has no password and may do everything (B20).
pub const DEFAULT_USER: &str = "default";
/// The length of the longest user ID. This is the operator's limit, because AWS does not document its own.
pub const USER_ID_MAX_LENGTH: usize = 40;
/// The form of a user ID, for the CRD. ElastiCache stores user IDs in lower case.
pub const USER_ID_PATTERN: &str = "^[a-z]([a-z0-9]*)(-[a-z0-9]+)*$";

/// The identity of an AWS user within an account and region, in lower case because AWS stores it so (B12).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvalidUserId {
    /// Too long, or not letters, digits and single inner hyphens after a first letter (B14, B15).
    Malformed,
    /// AWS's own user `default`, which no object can own.
    Reserved,
}

impl UserId {
    /// Reads a user ID in upper or lower case.
    ///
    /// # Errors
    /// [`InvalidUserId`] if AWS would not accept the ID, or if it is AWS's own user.
    pub fn parse(text: &str) -> Result<Self, InvalidUserId> {
        let id = text.to_ascii_lowercase();
        let is_valid = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if id.len() > USER_ID_MAX_LENGTH
            || !id.starts_with(|c: char| c.is_ascii_lowercase())
            || !id.split('-').all(is_valid)
        {
            return Err(InvalidUserId::Malformed);
        }
        if id == DEFAULT_USER {
            return Err(InvalidUserId::Reserved);
        }
        Ok(Self(id))
    }

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    Redis,
    Valkey,
}

impl Engine {
    /// AWS's word in the form of its answers: lower case (B25).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Valkey => "valkey",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthenticationType {
    Password,
    Iam,
    NoPassword,
}

impl AuthenticationType {
    /// AWS's word in requests.
    #[must_use]
    pub fn input(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Iam => "iam",
            Self::NoPassword => "no-password-required",
        }
    }

    /// AWS's word in answers. It may differ from the word in requests (B51).
    #[must_use]
    pub fn output(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Iam => "iam",
            Self::NoPassword => "no-password",
        }
    }
}

/// `arn:<partition>:elasticache:<region>:<account>:user:<id>` (B19).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arn {
    partition: String,
    region: String,
    account: String,
    user: String,
}

impl Arn {
    /// `None` if the text is not the ARN of an ElastiCache user.
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

    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

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

/// `Status` of an AWS user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lifecycle {
    /// AWS does not document this state for users, but Terraform and others expect it.
    Creating,
    /// The only state in which AWS changes or deletes the user.
    Active,
    Modifying,
    Deleting,
    /// A state that this version of the operator does not know.
    Unrecognized(String),
}

impl Lifecycle {
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

/// AWS's `User`, with the same words as in AWS's answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteUser {
    pub user_id: String,
    pub user_name: String,
    /// `Status`.
    pub lifecycle: Lifecycle,
    pub engine: String,
    pub minimum_engine_version: Option<String>,
    /// In AWS's form, which may differ from the form that was sent (B31-B36).
    pub access_string: String,
    pub user_group_ids: Vec<String>,
    pub authentication_type: String,
    /// Absent unless the authentication type is `password` (B52).
    pub password_count: Option<i32>,
    pub arn: Arn,
}
