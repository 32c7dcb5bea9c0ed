//! The Secrets that a spec may name. They have few values, so that the same password comes back at times.

use plan::*;

const TEXTS: [&str; 3] =
    ["correct horse battery one", "correct horse battery two", "correct horse battery three"];

/// The Secrets that a spec may name, by their numbers.
pub(crate) const SOURCES: [&[usize]; 3] = [&[0], &[1], &[0, 1]];

/// How many values a Secret may have.
pub(crate) const VALUES: usize = TEXTS.len();

#[derive(Clone, Debug)]
pub(crate) struct Secrets(pub(crate) [Secret; 2]);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Secret {
    pub(crate) access: Access,
    /// Which of the passwords it has.
    pub(crate) value: usize,
    /// A number for its uid and resourceVersion.
    pub(crate) version: u32,
}

/// What reading the Secret results in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Readable,
    Missing,
    NoKey,
    Forbidden,
    Unreadable,
    Invalid,
}

/// What somebody does to a Secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pub(crate) which: usize,
    pub(crate) access: Access,
    pub(crate) value: usize,
}

impl Secrets {
    pub(crate) fn write(&mut self, write: Write) {
        let Write { which, access, value } = write;
        let secret = &mut self.0[which];
        *secret = Secret { access, value, version: secret.version + 1 };
    }

    /// The API server answers again.
    pub(crate) fn answer(&mut self) {
        for secret in self.0.iter_mut().filter(|secret| secret.access == Access::Unreadable) {
            secret.access = Access::Readable;
        }
    }

    /// People repair all Secrets.
    pub(crate) fn fix(&mut self) {
        for secret in &mut self.0 {
            secret.access = Access::Readable;
        }
    }

    /// Whether the watch of Secrets shows the versions that were sent.
    pub(crate) fn are_as_sent(&self, sources: usize, last: Option<&LastApplied>) -> bool {
        let sent = last.map(|last| last.password_versions.as_slice()).unwrap_or_default();
        SOURCES[sources].iter().all(|which| {
            let Secret { access, version, .. } = self.0[*which];
            access != Access::Missing && sent.contains(&version_of(&format!("s{which}"), version))
        })
    }

    pub(crate) fn read(&self, sources: usize) -> Result<Passwords, SecretProblem> {
        let read = |which: &usize| {
            let Secret { access, value, version } = self.0[*which];
            let (secret, key) = (format!("s{which}"), "key".to_owned());
            match access {
                Access::Readable => Ok((password(value), version_of(&secret, version))),
                Access::Missing => Err(SecretProblem::NotFound { secret }),
                Access::NoKey => Err(SecretProblem::KeyNotFound { secret, key }),
                Access::Forbidden => Err(SecretProblem::Forbidden { secret }),
                Access::Unreadable => Err(SecretProblem::Unreadable { secret, why: String::new() }),
                Access::Invalid => {
                    Err(SecretProblem::Invalid { secret, key, why: InvalidPassword::TooShort })
                }
            }
        };
        let read: Result<Vec<_>, _> = SOURCES[sources].iter().map(read).collect();
        read.map(Passwords::new)
    }
}

fn version_of(secret: &str, version: u32) -> SecretVersion {
    SecretVersion::parse(&format!("uid-{secret}/{version}/key"))
}

fn password(value: usize) -> Password {
    Password::parse(TEXTS[value].as_bytes()).unwrap()
}

/// Passwords that are in no Secret of the object.
pub(crate) fn of_others(values: &[usize]) -> Passwords {
    Passwords::new(
        values
            .iter()
            .map(|value| (password(*value), SecretVersion::Unrecognized("another's".to_owned())))
            .collect(),
    )
}
