//! Pure: field by field, what differs between the user that is wanted and the one that is there.

use crate::access_string::same_meaning;
use crate::{
    Authentication, AuthenticationType, Desired, Engine, Lifecycle, Passwords, Record, RemoteUser,
    SecretProblem,
};

/// What one ModifyUser sends: only what differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// `AccessString`.
    pub access_string: Option<String>,
    /// `Engine`.
    pub engine: Option<Engine>,
    /// `AuthenticationMode`.
    pub authentication: Option<AuthenticationChange>,
}

/// `AuthenticationMode` as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthenticationChange {
    /// Type `password` with the whole set of passwords (B53: a set replaces the former one).
    Password(Passwords),
    /// Type `iam`.
    Iam,
    /// Type `no-password-required`.
    NoPassword,
}

impl AuthenticationChange {
    /// What has to be sent for this authentication.
    ///
    /// # Errors
    /// The problem that keeps the passwords from being known.
    pub fn to(authentication: &Authentication) -> Result<Self, SecretProblem> {
        match authentication {
            Authentication::Password(Ok(passwords)) => Ok(Self::Password(passwords.clone())),
            Authentication::Password(Err(problem)) => Err(problem.clone()),
            Authentication::Iam => Ok(Self::Iam),
            Authentication::NoPassword => Ok(Self::NoPassword),
        }
    }

    /// The type alone.
    #[must_use]
    pub fn kind(&self) -> AuthenticationType {
        match self {
            Self::Password(_) => AuthenticationType::Password,
            Self::Iam => AuthenticationType::Iam,
            Self::NoPassword => AuthenticationType::NoPassword,
        }
    }

    /// The Secret versions behind it; empty without passwords.
    #[must_use]
    pub fn password_versions(&self) -> &[String] {
        match self {
            Self::Password(passwords) => passwords.versions(),
            Self::Iam | Self::NoPassword => &[],
        }
    }
}

/// What was last sent, and what AWS made of it. The first one differing from the spec is a new request, the second one
/// differing from AWS is drift.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastApplied {
    /// The access string as it was sent.
    pub access_string: Option<String>,
    /// The first answer that showed the user `active` after it.
    pub expanded_access_string: Option<String>,
    /// The Secret versions whose passwords were sent, sorted.
    pub password_versions: Vec<String>,
    /// Keys of the spec's tags that were sent.
    pub tag_keys: Vec<String>,
}

/// What differs: `None` where nothing does.
///
/// # Errors
/// The problem that keeps passwords from being known, where they would have to be sent.
pub fn changes(
    desired: &Desired,
    user: &RemoteUser,
    record: &Record,
) -> Result<Option<Changes>, SecretProblem> {
    // Without `..`: a new field of the spec must be compared, or be named here as one that is not.
    let Desired {
        user_id: _,
        user_name: _,
        engine,
        access_string,
        authentication,
        tags: _,
        owner: _,
        uid: _,
    } = desired;
    let other_type = authentication.kind().output() != user.authentication_type;
    let changes = Changes {
        access_string: access_string_differs(access_string, user, record.last_applied.as_ref())
            .then(|| access_string.clone()),
        engine: (!engine.as_str().eq_ignore_ascii_case(&user.engine)).then_some(*engine),
        authentication: other_type.then(|| AuthenticationChange::to(authentication)).transpose()?,
    };
    Ok((changes != Changes::default()).then_some(changes))
}

/// Whether AWS has something else than what is wanted, in meaning; what AWS made of the last request is no difference.
fn access_string_differs(wanted: &str, user: &RemoteUser, last: Option<&LastApplied>) -> bool {
    if same_meaning(wanted, &user.access_string) {
        return false;
    }
    let Some(LastApplied { access_string: Some(sent), expanded_access_string, .. }) = last else {
        return true;
    };
    let made_of_it = expanded_access_string.as_ref().unwrap_or(&user.access_string);
    !(same_meaning(sent, wanted) && same_meaning(made_of_it, &user.access_string))
}

/// What status should remember of a user that is as it should be: taken on where nothing was remembered, completed with
/// AWS's form where the user is `active` for the first time since the last request.
#[must_use]
pub fn applied(desired: &Desired, user: &RemoteUser, record: &Record) -> LastApplied {
    let mut last = record.last_applied.clone().unwrap_or_default();
    if last.access_string.is_none() {
        last.access_string = Some(desired.access_string.clone());
        last.expanded_access_string = None;
    }
    if last.expanded_access_string.is_none() && user.lifecycle == Lifecycle::Active {
        last.expanded_access_string = Some(user.access_string.clone());
    }
    last
}
