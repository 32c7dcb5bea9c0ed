//! What can be set: on the command line, and at run time through `PUT /_emulator/settings`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use crate::{duration, json};

/// How the emulated service behaves. `Settings::default()` is what the program does without flags.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long a new user is `creating`; at 0s CreateUser answers `active` at once, as AWS does
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration::parse)]
    pub create_time: Duration,

    /// How long a user stays `modifying` after ModifyUser
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration::parse)]
    pub modify_time: Duration,

    /// How long a user stays `deleting` before it is gone
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration::parse)]
    pub delete_time: Duration,

    /// How long a group stays `creating`, `modifying` or `deleting`, and the members that this concerns `modifying`
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration::parse)]
    pub group_time: Duration,

    /// How long tag calls on a resource answer 404 after its tags were changed (AWS: about 5s)
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration::parse)]
    pub tag_window: Duration,

    /// Users for each account and region; `default` and `default.*` do not count
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    pub user_quota: usize,

    /// User groups for each account and region
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub group_quota: usize,

    /// Members of one group
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub users_per_group_quota: usize,

    /// Requests a second for each account and region: `off`, `N` or `N:BURST` (BURST = N where left out)
    #[arg(long, value_name = "RATE", default_value = "off")]
    pub rate: Rate,

    /// Every ElastiCache call answers ServiceLinkedRoleNotFoundFault
    #[arg(long)]
    pub no_service_linked_role: bool,

    /// A page of all users has its rows in any order, lacks some, and repeats some of other pages (B111)
    #[arg(long)]
    pub restless_listing: bool,

    /// What ModifyUser and a `modifying` user show
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = ModifyAnswer::New)]
    pub modify_answer: ModifyAnswer,

    /// Keep users and groups in FILE, through a kill at any moment [default: in memory only]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            create_time: Duration::ZERO,
            modify_time: Duration::from_secs(2),
            delete_time: Duration::from_secs(2),
            group_time: Duration::from_secs(2),
            tag_window: Duration::ZERO,
            user_quota: 1000,
            group_quota: 100,
            users_per_group_quota: 100,
            rate: Rate::Off,
            no_service_linked_role: false,
            restless_listing: false,
            modify_answer: ModifyAnswer::New,
            data: None,
        }
    }
}

/// Which values ModifyUser's answer and DescribeUsers show while the user is `modifying`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModifyAnswer {
    /// The values that were asked for
    New,
    /// Still the former values, until the user is `active` again
    Old,
    /// The former values for ever: ModifyUser and AddTagsToResource are accepted and change nothing
    Never,
}

/// How many requests each account and region may send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Any number.
    Off,
    /// A token bucket, full at first.
    Limit {
        /// Tokens that come back in a second.
        per_second: f64,
        /// Tokens that the bucket holds.
        burst: u32,
    },
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let wrong = || {
            format!(
                "'{text}' is not a rate: give off, N or N:BURST with N above 0 and BURST at least 1, such as 10:20"
            )
        };
        let (number, burst) = match text.split_once(':') {
            Some((number, burst)) => (number, Some(burst)),
            None => (text, None),
        };
        let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let per_second =
            number.parse::<f64>().ok().filter(|n| plain && *n > 0.0 && *n <= 1e9).ok_or_else(wrong)?;
        let burst = match burst {
            Some(burst) => burst.parse().ok().filter(|burst| *burst >= 1).ok_or_else(wrong)?,
            None => implied_burst(per_second),
        };
        Ok(Self::Limit { per_second, burst })
    }
}

/// The burst of a rate that names none: the rate itself, at least one request.
fn implied_burst(per_second: f64) -> u32 {
    per_second.max(1.0) as u32
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Limit { per_second, burst } if *burst == implied_burst(*per_second) => {
                write!(f, "{per_second}")
            }
            Self::Limit { per_second, burst } => write!(f, "{per_second}:{burst}"),
        }
    }
}

impl Settings {
    /// What `GET /_emulator/settings` shows; `with` accepts it.
    pub(crate) fn to_json(&self) -> Value {
        serde_json::json!({
            "create-time": duration::print(self.create_time),
            "modify-time": duration::print(self.modify_time),
            "delete-time": duration::print(self.delete_time),
            "group-time": duration::print(self.group_time),
            "tag-window": duration::print(self.tag_window),
            "user-quota": self.user_quota,
            "group-quota": self.group_quota,
            "users-per-group-quota": self.users_per_group_quota,
            "rate": self.rate.to_string(),
            "no-service-linked-role": self.no_service_linked_role,
            "restless-listing": self.restless_listing,
            "modify-answer": match self.modify_answer {
                ModifyAnswer::New => "new",
                ModifyAnswer::Old => "old",
                ModifyAnswer::Never => "never",
            },
        })
    }

    /// These settings with `changes` applied, all or none; the error is a sentence.
    pub(crate) fn with(&self, changes: &Map<String, Value>) -> Result<Self, String> {
        let mut settings = self.clone();
        for (name, value) in changes {
            match name.as_str() {
                "create-time" => settings.create_time = json::time(name, value)?,
                "modify-time" => settings.modify_time = json::time(name, value)?,
                "delete-time" => settings.delete_time = json::time(name, value)?,
                "group-time" => settings.group_time = json::time(name, value)?,
                "tag-window" => settings.tag_window = json::time(name, value)?,
                "user-quota" => settings.user_quota = count(name, value)?,
                "group-quota" => settings.group_quota = count(name, value)?,
                "users-per-group-quota" => settings.users_per_group_quota = count(name, value)?,
                "rate" => settings.rate = rate(value)?,
                "no-service-linked-role" => settings.no_service_linked_role = truth(name, value)?,
                "restless-listing" => settings.restless_listing = truth(name, value)?,
                "modify-answer" => settings.modify_answer = modify_answer(value)?,
                "addr" | "data" => return Err(format!("'{name}' can only be given on the command line")),
                _ => return Err(unknown(name, self)),
            }
        }
        Ok(settings)
    }
}

fn unknown(name: &str, settings: &Settings) -> String {
    let known = match settings.to_json() {
        Value::Object(map) => map.keys().cloned().collect::<Vec<_>>().join(", "),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => String::new(),
    };
    format!("there is no setting '{name}'; there are {known}")
}

fn truth(name: &str, value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("'{name}' must be true or false, not {value}"))
}

/// A count, as a JSON number or as written on the command line.
fn count(name: &str, value: &Value) -> Result<usize, String> {
    let number = match value.as_str() {
        Some(text) => text.parse().ok(),
        None => value.as_u64().and_then(|number| usize::try_from(number).ok()),
    };
    number.ok_or_else(|| format!("'{name}' must be a whole number from 0 up, not {value}"))
}

fn rate(value: &Value) -> Result<Rate, String> {
    match value.as_str() {
        Some(text) => text.parse(),
        None => value.to_string().parse(),
    }
    .map_err(|sentence| format!("'rate': {sentence}"))
}

fn modify_answer(value: &Value) -> Result<ModifyAnswer, String> {
    match value.as_str() {
        Some("new") => Ok(ModifyAnswer::New),
        Some("old") => Ok(ModifyAnswer::Old),
        Some("never") => Ok(ModifyAnswer::Never),
        _ => Err(format!("'modify-answer' must be \"new\", \"old\" or \"never\", not {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_parsed_and_written() {
        for (text, printed) in [
            ("off", "off"),
            ("10", "10"),
            ("10:10", "10"),
            ("10:20", "10:20"),
            ("0.5", "0.5"),
            ("2.5:1", "2.5:1"),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.to_string(), printed);
            assert_eq!(printed.parse(), Ok(rate));
        }
        for text in ["", "0", "-1", "ten", "10:", "10:0", "inf", "1e3", ":5", "10:2.5"] {
            assert!(text.parse::<Rate>().unwrap_err().contains("such as 10:20"), "{text}");
        }
    }

    #[test]
    fn settings_are_accepted_in_the_form_in_which_they_are_shown() {
        let settings = Settings {
            rate: "5:7".parse().unwrap(),
            modify_answer: ModifyAnswer::Old,
            ..Settings::default()
        };
        let shown = settings.to_json();
        assert_eq!(Settings::default().with(shown.as_object().unwrap()), Ok(settings));
    }
}
