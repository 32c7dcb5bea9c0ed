//! What differs between the spec and the AWS user, field by field, and whether somebody else changed it.

use crate::access_string::same_meaning;
use crate::{
    Authentication, AuthenticationType, Cause, Desired, Engine, FirstPassword, Goal, LastApplied, Observed,
    Passwords, Record, RemoteUser, SecretProblem, SecretVersion, Tags, UserObservation, is_reserved_tag_key,
};

/// What ModifyUser sends: only the fields that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Changes {
    pub access_string: Option<String>,
    pub engine: Option<Engine>,
    pub authentication: Option<AuthenticationChange>,
}

/// `AuthenticationMode` as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AuthenticationChange {
    /// All passwords, because a set replaces the former one (B53).
    Password(Passwords),
    /// The same, but somebody else sets the passwords from then on.
    FirstPassword(Passwords),
    /// One password that the driver makes when it sends the call, and that nobody keeps.
    RandomPassword,
    Iam,
    NoPassword,
}

impl AuthenticationChange {
    /// # Errors
    /// Why the passwords are not known.
    pub fn to(authentication: &Authentication) -> Result<Self, SecretProblem> {
        match authentication {
            Authentication::Password(Ok(passwords)) => Ok(Self::Password(passwords.clone())),
            Authentication::ExternalPassword(FirstPassword::Random) => Ok(Self::RandomPassword),
            Authentication::ExternalPassword(FirstPassword::FromSecrets(Ok(passwords))) => {
                Ok(Self::FirstPassword(passwords.clone()))
            }
            Authentication::Password(Err(problem))
            | Authentication::ExternalPassword(FirstPassword::FromSecrets(Err(problem))) => {
                Err(problem.clone())
            }
            Authentication::Iam => Ok(Self::Iam),
            Authentication::NoPassword => Ok(Self::NoPassword),
        }
    }

    #[must_use]
    pub fn kind(&self) -> AuthenticationType {
        match self {
            Self::Password(_) | Self::FirstPassword(_) | Self::RandomPassword => AuthenticationType::Password,
            Self::Iam => AuthenticationType::Iam,
            Self::NoPassword => AuthenticationType::NoPassword,
        }
    }

    /// Whether the call carries a password.
    #[must_use]
    pub fn has_passwords(&self) -> bool {
        self.kind() == AuthenticationType::Password
    }

    /// Those that a later pass compares. Empty without passwords, and if somebody else sets them.
    #[must_use]
    pub fn password_versions(&self) -> &[SecretVersion] {
        self.passwords().map_or(&[], Passwords::versions)
    }

    /// Those that a later pass compares.
    #[must_use]
    pub fn passwords(&self) -> Option<&Passwords> {
        match self {
            Self::Password(passwords) => Some(passwords),
            Self::FirstPassword(_) | Self::RandomPassword | Self::Iam | Self::NoPassword => None,
        }
    }
}

#[derive(Debug)]
struct Difference {
    field: &'static str,
    is: String,
    wanted: String,
    /// The field matched this spec before, so somebody else changed it.
    drift: bool,
}

impl Difference {
    fn past(&self) -> String {
        format!("{} was {} instead of {}", self.field, self.is, self.wanted)
    }

    fn conditional(&self) -> String {
        format!("{} {} would become {}", self.field, self.is, self.wanted)
    }
}

/// What ModifyUser has to send, and why. `None` if nothing differs.
///
/// # Errors
/// Why the passwords are not known, if they would have to be sent.
pub fn changes(
    desired: &Desired,
    user: &RemoteUser,
    observed: &Observed,
) -> Result<Option<(Changes, Cause)>, SecretProblem> {
    // No `..`, so that a new field must be compared or named here.
    let Desired {
        user_id: _,
        user_name: _,
        engine,
        access_string,
        authentication,
        tags: _,
        owner: _,
        uid: _,
        adoption: _,
        // See `membership`.
        user_groups: _,
        adoption_namespaces: _,
        broken_rules: _,
        full: _,
    } = desired;
    let record = &observed.record;
    let other_rules = access_string_difference(access_string, user, record);
    let other_engine = engine_difference(*engine, user, record);
    let other_type = type_difference(authentication, user, record);
    let other_passwords = password_difference(authentication, user, observed);
    let authenticates_otherwise = other_type.is_some() || other_passwords.is_some();
    let changes = Changes {
        access_string: other_rules.is_some().then(|| access_string.clone()),
        engine: other_engine.is_some().then_some(*engine),
        authentication: authenticates_otherwise
            .then(|| AuthenticationChange::to(authentication))
            .transpose()?,
    };
    if changes == Changes::default() {
        return Ok(None);
    }
    let rotation =
        other_rules.is_none() && other_engine.is_none() && other_type.is_none() && record.manages();
    let differences = [other_rules, other_engine, other_type, other_passwords].into_iter().flatten();
    let drift: Vec<String> =
        differences.filter(|difference| difference.drift).map(|difference| difference.past()).collect();
    let cause = match drift.is_empty() {
        false => Cause::Drift(drift),
        true if rotation => Cause::Rotation,
        true => Cause::Edit,
    };
    Ok(Some((changes, cause)))
}

/// ModifyUser would change the user that AWS showed.
#[must_use]
pub fn differs(goal: &Goal, observed: &Observed) -> bool {
    match (goal, &observed.user) {
        (Goal::Present(desired), UserObservation::Found(user)) => {
            !matches!(changes(desired, user, observed), Ok(None))
        }
        _ => false,
    }
}

/// What would be changed if the object managed the user. Passwords are compared by their number only.
#[must_use]
pub(crate) fn differences(desired: &Desired, user: &RemoteUser, tags: Option<&Tags>) -> Vec<String> {
    let record = Record::default();
    let mut all = Vec::new();
    if user.user_name != desired.user_name {
        all.push(format!(
            "userName is \"{}\" and not \"{}\", which AWS cannot change",
            user.user_name, desired.user_name
        ));
    }
    let other_type = type_difference(&desired.authentication, user, &record);
    let found = [
        access_string_difference(&desired.access_string, user, &record).as_ref(),
        engine_difference(desired.engine, user, &record).as_ref(),
        other_type.as_ref(),
    ]
    .map(|difference| difference.map(Difference::conditional));
    all.extend(found.into_iter().flatten());
    let has_passwords = desired.authentication.kind() == AuthenticationType::Password;
    if has_passwords && (other_type.is_some() || count_difference(&desired.authentication, user).is_some()) {
        all.push("passwords would be sent".to_owned());
    }
    for (key, value) in tags.map(|tags| missing_tags(desired, tags)).unwrap_or_default() {
        all.push(format!("tag \"{key}\" would be set to \"{value}\""));
    }
    all
}

fn engine_difference(engine: Engine, user: &RemoteUser, record: &Record) -> Option<Difference> {
    // If the user was not Ready, AWS may show an earlier edit that it has just applied.
    let was_right = record.readiness.was_ready()
        || record.readiness.any_generation()
            && record.reported.as_ref().is_some_and(|reported| reported.engine == engine.as_str());
    (!engine.as_str().eq_ignore_ascii_case(&user.engine)).then(|| Difference {
        field: "engine",
        is: user.engine.clone(),
        wanted: engine.as_str().to_owned(),
        drift: was_right,
    })
}

fn type_difference(
    authentication: &Authentication,
    user: &RemoteUser,
    record: &Record,
) -> Option<Difference> {
    let wanted = authentication.kind().output();
    let was_right = record.readiness.was_ready()
        || record.readiness.any_generation()
            && record.reported.as_ref().is_some_and(|reported| reported.authentication_type == wanted);
    (wanted != user.authentication_type).then(|| Difference {
        field: "authentication type",
        is: user.authentication_type.clone(),
        wanted: wanted.to_owned(),
        drift: was_right,
    })
}

/// AWS does not show passwords. Compare with what this process sent last, or else with the Secret versions in status.
fn password_difference(
    authentication: &Authentication,
    user: &RemoteUser,
    observed: &Observed,
) -> Option<Difference> {
    let Authentication::Password(Ok(passwords)) = authentication else {
        return None;
    };
    if user.authentication_type != AuthenticationType::Password.output() {
        return None;
    }
    let last = observed.record.last_applied.as_ref();
    let same = match &observed.sent_passwords {
        Some(sent) => sent.same(passwords),
        None => last.is_some_and(|last| last.password_versions == passwords.versions()),
    };
    match count_difference(authentication, user) {
        Some(difference) => Some(Difference { drift: same, ..difference }),
        None if same => None,
        // This description is never published, because it is no drift.
        None => Some(Difference {
            field: "passwords",
            is: "others".to_owned(),
            wanted: "the Secret's".to_owned(),
            drift: false,
        }),
    }
}

fn count_difference(authentication: &Authentication, user: &RemoteUser) -> Option<Difference> {
    let Authentication::Password(Ok(passwords)) = authentication else {
        return None;
    };
    let wanted = passwords.values().len();
    let has = user.password_count.filter(|count| usize::try_from(*count) != Ok(wanted))?;
    let (is, wanted) = (has.to_string(), wanted.to_string());
    Some(Difference { field: "number of passwords", is, wanted, drift: false })
}

/// Compares the meaning. AWS's own form of the access string that was last sent is no difference.
fn access_string_difference(wanted: &str, user: &RemoteUser, record: &Record) -> Option<Difference> {
    if same_meaning(wanted, &user.access_string) {
        return None;
    }
    let new_request = Difference {
        field: "access string",
        is: format!("\"{}\"", user.access_string),
        wanted: format!("\"{wanted}\""),
        drift: false,
    };
    let Some(LastApplied { access_string: Some(sent), expanded_access_string, .. }) = &record.last_applied
    else {
        return Some(new_request);
    };
    if !same_meaning(sent, wanted) {
        return Some(new_request);
    }
    let made_of_it = expanded_access_string.as_ref().unwrap_or(&user.access_string);
    (!same_meaning(made_of_it, &user.access_string)).then_some(Difference { drift: true, ..new_request })
}

/// What the tagging calls have to send.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TagChange {
    /// Removals come first, because a user may have no room for more tags (B89).
    Remove(Vec<String>),
    Add(Tags, Cause),
}

/// For a user with our owner tags. Tags that were never in the spec are not changed.
pub(crate) fn tag_change(desired: &Desired, tags: &Tags, record: &Record) -> Option<TagChange> {
    let sent = record.last_applied.as_ref().map(|last| last.tag_keys.as_slice()).unwrap_or_default();
    let left = |key: &&String| {
        !desired.tags.contains_key(*key) && tags.contains_key(*key) && !is_reserved_tag_key(key)
    };
    let leaving: Vec<String> = sent.iter().filter(left).cloned().collect();
    if !leaving.is_empty() {
        return Some(TagChange::Remove(leaving));
    }
    let missing = missing_tags(desired, tags);
    let others: Vec<String> = missing
        .keys()
        .map(|key| match tags.get(key) {
            Some(value) => format!("tag \"{key}\" was \"{value}\""),
            None => format!("tag \"{key}\" was missing"),
        })
        .collect();
    let cause = if record.readiness.was_ready() { Cause::Drift(others) } else { Cause::Edit };
    (!missing.is_empty()).then_some(TagChange::Add(missing, cause))
}

fn missing_tags(desired: &Desired, tags: &Tags) -> Tags {
    let wanted = desired.tags.iter().filter(|(key, value)| tags.get(*key) != Some(value));
    wanted.map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[must_use]
pub fn tags_match(desired: &Desired, tags: &Tags, record: &Record) -> bool {
    tag_change(desired, tags, record).is_none()
}

/// The keys that status must have before the tags of this spec are sent. `None` if it has them.
pub(crate) fn unrecorded_tag_keys(desired: &Desired, record: &Record) -> Option<Vec<String>> {
    let sent = record.last_applied.as_ref().map(|last| last.tag_keys.as_slice()).unwrap_or_default();
    if desired.tags.keys().all(|key| sent.contains(key)) {
        return None;
    }
    let mut keys: Vec<String> = sent.iter().chain(desired.tags.keys()).cloned().collect();
    keys.sort();
    keys.dedup();
    Some(keys)
}
