//! How a user authenticates: from the three ways to say it on the wire to one value, or the refusal that
//! fits (B42-B56). CreateUser and ModifyUser share every rule.

use crate::records::{IAM, NO_PASSWORD, PASSWORD, VALKEY};
use crate::refusal::{Refusal, invalid_combination, invalid_value};
use crate::wire::Params;

const NO_PASSWORD_REQUIRED: &str = "no-password-required";
const MOST_PASSWORDS: usize = 2;

/// What a call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Authentication {
    Passwords(Vec<String>),
    NoPassword,
    Iam,
}

impl Authentication {
    /// The output word (B51).
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Passwords(_) => PASSWORD,
            Self::NoPassword => NO_PASSWORD,
            Self::Iam => IAM,
        }
    }

    pub(crate) fn into_passwords(self) -> Vec<String> {
        match self {
            Self::Passwords(passwords) => passwords,
            Self::NoPassword | Self::Iam => Vec::new(),
        }
    }

    /// What the call asks for; `None` where it says nothing, which `NoPasswordRequired=false` is too (B48).
    pub(crate) fn read(params: &Params) -> Result<Option<Self>, Refusal> {
        let direct = params.list("Passwords.member");
        let in_mode = params.list("AuthenticationMode.Passwords.member");
        let mode = params.get("AuthenticationMode.Type");
        let flag = params.boolean("NoPasswordRequired")?.unwrap_or(false);
        if !direct.is_empty() && !in_mode.is_empty() {
            return Err(invalid_combination(
                "Passwords provided via multiple arguments. Use only one argument",
            ));
        }
        let passwords = if direct.is_empty() { in_mode } else { direct };
        let word = match mode {
            Some(mode @ (PASSWORD | IAM)) if flag => {
                return Err(invalid_combination(format!(
                    "No password required flag is true but provided authentication type is {mode}"
                )));
            }
            Some(mode) => mode,
            None if flag => NO_PASSWORD_REQUIRED,
            None if passwords.is_empty() => return Ok(None),
            None => PASSWORD,
        };
        match word {
            PASSWORD if passwords.is_empty() => Err(invalid_combination(
                "A user with Authentication Mode: password, must have at least one password",
            )),
            PASSWORD => check_passwords(&passwords)
                .map(|()| Some(Self::Passwords(passwords.into_iter().map(str::to_owned).collect()))),
            IAM | NO_PASSWORD_REQUIRED if !passwords.is_empty() => Err(invalid_combination(format!(
                "Password field is not allowed with authentication type: {word}"
            ))),
            IAM => Ok(Some(Self::Iam)),
            NO_PASSWORD_REQUIRED => Ok(Some(Self::NoPassword)),
            _ => Err(not_allowed(word)),
        }
    }
}

/// The refusal of a type that is none; `null` where nothing at all was said (B46).
pub(crate) fn not_allowed(word: &str) -> Refusal {
    invalid_value(format!(
        "Input Authentication type: {word} is not in the allowed list: [password,no-password-required,iam]"
    ))
}

fn check_passwords(passwords: &[&str]) -> Result<(), Refusal> {
    if passwords.len() > MOST_PASSWORDS {
        return Err(invalid_value("Maximum number of passwords allowed in this service is 2."));
    }
    if passwords.iter().any(|password| !(16..=128).contains(&password.chars().count())) {
        return Err(invalid_value("Passwords length must be between 16-128 characters."));
    }
    let forbidden = |letter: char| letter.is_control() || matches!(letter, ',' | '"' | '/' | '@');
    if passwords.iter().any(|password| password.contains(forbidden)) {
        return Err(invalid_value(
            "Passwords can only contain printable characters other than the comma, quotation mark, slash and at sign.",
        ));
    }
    Ok(())
}

/// Whether a user may have this type of authentication (an output word) with its engine and names (B27, B28, B49).
pub(crate) fn check_fit(authentication: &str, engine: &str, id: &str, name: &str) -> Result<(), Refusal> {
    if authentication == IAM && id != name {
        return Err(invalid_combination("User Id and User name must be same for authentication type: iam"));
    }
    if authentication == NO_PASSWORD && engine == VALKEY {
        return Err(invalid_combination("No-password-required is not allowed for a user with engine Valkey"));
    }
    Ok(())
}
