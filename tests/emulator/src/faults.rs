//! Faults that a test orders: which calls they take, and what becomes of those.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::api::Action;
use crate::clock::millis;
use crate::ids::{Resource, parse_arn};
use crate::json::{object, text, unknown_member, whole_number};
use crate::wire::Params;

/// The rules in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    last_id: u64,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    id: u64,
    /// `None`: any.
    action: Option<Action>,
    /// `None`: any.
    user_id: Option<String>,
    skip: u64,
    /// `None`: for ever.
    times: Option<u64>,
    fault: Fault,
    skipped: u64,
    fired: u64,
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The answer is not the true one; the call has had its effect or not.
    Spoilt(When, Spoil),
    /// The call and its true answer, later.
    Slow(Duration),
    /// The true answer, cut in half.
    Truncate,
}

/// Whether a call that is spoilt has its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// It has none.
    Before,
    /// It has.
    After,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spoil {
    Error { code: String, message: String, status: u16 },
    Throttle,
    Unavailable,
    Reset,
    Hang(Duration),
    Garbage,
}

impl Faults {
    /// What the first rule that takes this call makes of it. Rules before it that still skip count the call, rules
    /// after it never see it.
    pub(crate) fn take(&mut self, action: &str, params: &Params) -> Option<Fault> {
        let user = user_of(params);
        for rule in
            self.rules.iter_mut().filter(|rule| rule.matches(action, user.as_deref()) && !rule.is_used_up())
        {
            if rule.skipped < rule.skip {
                rule.skipped += 1;
            } else {
                rule.fired += 1;
                return Some(rule.fault.clone());
            }
        }
        None
    }

    /// Adds the rule of a body; gives its id, or the sentence why there is none.
    pub(crate) fn add(&mut self, body: &[u8]) -> Result<u64, String> {
        let mut rule = Rule::read(&object(body)?)?;
        self.last_id += 1;
        rule.id = self.last_id;
        self.rules.push(rule);
        Ok(self.last_id)
    }

    /// Drops one rule; tells whether it was there.
    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id.to_string() != id);
        self.rules.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn to_json(&self) -> Value {
        self.rules.iter().map(Rule::to_json).collect()
    }
}

/// The user that a call is about: `UserId`, or the user of the ARN in `ResourceName`.
fn user_of(params: &Params) -> Option<String> {
    let by_arn = || match parse_arn(params.get("ResourceName")?).ok()?.1 {
        Resource::User(id) => Some(id),
        Resource::Group(_) => None,
    };
    params.get("UserId").map(str::to_lowercase).or_else(by_arn)
}

/// In a rule: calls that are about no user or about all, such as a listing.
const NO_USER: &str = "*";
const COMMON: [&str; 5] = ["Action", "UserId", "Skip", "Times", "Kind"];
const KINDS: &str = "error, throttle, unavailable, reset, hang, garbage, slow and truncate";

impl Rule {
    fn matches(&self, action: &str, user: Option<&str>) -> bool {
        let user = user.unwrap_or(NO_USER);
        self.action.is_none_or(|wanted| wanted.name() == action)
            && self.user_id.as_ref().is_none_or(|wanted| wanted.to_lowercase() == user)
    }

    fn is_used_up(&self) -> bool {
        self.times.is_some_and(|times| self.fired >= times)
    }

    fn read(members: &Map<String, Value>) -> Result<Self, String> {
        let kind =
            text("Kind", members.get("Kind").ok_or_else(|| format!("'Kind' is required: one of {KINDS}"))?)?;
        let own: &[&str] = match kind.as_str() {
            "error" => &["When", "Code", "Message", "Status"],
            "throttle" | "unavailable" | "reset" | "garbage" => &["When"],
            "hang" => &["When", "Ms"],
            "slow" => &["Ms"],
            "truncate" => &[],
            _ => return Err(format!("there is no fault of the kind '{kind}'; there are {KINDS}")),
        };
        let known: Vec<&str> = COMMON.iter().chain(own).copied().collect();
        if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(unknown_member(name, &format!("a fault of the kind '{kind}'"), &known));
        }
        let action = match members.get("Action") {
            None | Some(Value::Null) => None,
            Some(value) => Some(read_action(value)?),
        };
        let user_id = match members.get("UserId") {
            None | Some(Value::Null) => None,
            Some(value) => Some(text("UserId", value)?),
        };
        let times = match members.get("Times") {
            None => Some(1),
            Some(Value::Null) => None,
            Some(value) => match whole_number("Times", value)? {
                0 => return Err("'Times' must be at least 1, or null for ever".to_owned()),
                times => Some(times),
            },
        };
        Ok(Self {
            id: 0,
            action,
            user_id,
            skip: members.get("Skip").map_or(Ok(0), |value| whole_number("Skip", value))?,
            times,
            fault: Fault::read(&kind, members)?,
            skipped: 0,
            fired: 0,
        })
    }

    fn to_json(&self) -> Value {
        let mut rule = json!({
            "Id": self.id,
            "Action": self.action.map(Action::name),
            "UserId": self.user_id,
            "Skip": self.skip,
            "Times": self.times,
            "Fired": self.fired,
        });
        if let (Some(rule), Value::Object(own)) = (rule.as_object_mut(), self.fault.to_json()) {
            rule.extend(own);
        }
        rule
    }
}

fn read_action(value: &Value) -> Result<Action, String> {
    let name = text("Action", value)?;
    Action::parse(&name).ok_or_else(|| {
        let known: Vec<&str> = Action::ALL.into_iter().map(Action::name).collect();
        format!("there is no action '{name}'; there are {}", known.join(", "))
    })
}

impl Fault {
    fn read(kind: &str, members: &Map<String, Value>) -> Result<Self, String> {
        let wait = || {
            let value = members.get("Ms").ok_or_else(|| format!("'Ms' is required for the kind '{kind}'"))?;
            whole_number("Ms", value).map(Duration::from_millis)
        };
        let spoil = match kind {
            "slow" => return Ok(Self::Slow(wait()?)),
            "truncate" => return Ok(Self::Truncate),
            "throttle" => Spoil::Throttle,
            "unavailable" => Spoil::Unavailable,
            "reset" => Spoil::Reset,
            "hang" => Spoil::Hang(wait()?),
            "garbage" => Spoil::Garbage,
            _ => Spoil::Error {
                code: text("Code", members.get("Code").ok_or("'Code' is required for the kind 'error'")?)?,
                message: members.get("Message").map_or(Ok(String::new()), |value| text("Message", value))?,
                status: members.get("Status").map_or(Ok(400), read_status)?,
            },
        };
        let when = match members.get("When").map(|value| (value.as_str(), value)) {
            None | Some((Some("before"), _)) => When::Before,
            Some((Some("after"), _)) => When::After,
            Some((_, value)) => return Err(format!("'When' must be \"before\" or \"after\", not {value}")),
        };
        Ok(Self::Spoilt(when, spoil))
    }

    fn to_json(&self) -> Value {
        let (when, spoil) = match self {
            Self::Slow(wait) => return json!({"Kind": "slow", "Ms": millis(*wait)}),
            Self::Truncate => return json!({"Kind": "truncate"}),
            Self::Spoilt(When::Before, spoil) => ("before", spoil),
            Self::Spoilt(When::After, spoil) => ("after", spoil),
        };
        match spoil {
            Spoil::Error { code, message, status } => {
                json!({"Kind": "error", "When": when, "Code": code, "Message": message, "Status": status})
            }
            Spoil::Throttle => json!({"Kind": "throttle", "When": when}),
            Spoil::Unavailable => json!({"Kind": "unavailable", "When": when}),
            Spoil::Reset => json!({"Kind": "reset", "When": when}),
            Spoil::Hang(wait) => json!({"Kind": "hang", "When": when, "Ms": millis(*wait)}),
            Spoil::Garbage => json!({"Kind": "garbage", "When": when}),
        }
    }
}

fn read_status(value: &Value) -> Result<u16, String> {
    let status = value.as_u64().and_then(|status| u16::try_from(status).ok());
    status
        .filter(|status| (400..=599).contains(status))
        .ok_or_else(|| format!("'Status' must be the HTTP status of an error, from 400 to 599, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(user: &str) -> Params {
        let mut params = Params::default();
        params.read(format!("UserId={user}").as_bytes());
        params
    }

    #[test]
    fn a_fault_that_skips_a_call_counts_it_and_a_fault_that_strikes_hides_it_from_later_faults() {
        let mut faults = Faults::default();
        faults.add(br#"{"Kind":"throttle","Skip":1}"#).unwrap();
        faults.add(br#"{"Kind":"garbage","Times":null,"Skip":1}"#).unwrap();
        let mut take = || faults.take("DeleteUser", &about("a"));
        assert_eq!(take(), None, "both faults skip this call");
        assert_eq!(
            take(),
            Some(Fault::Spoilt(When::Before, Spoil::Throttle)),
            "the first fires, the second sees nothing"
        );
        assert_eq!(take(), Some(Fault::Spoilt(When::Before, Spoil::Garbage)), "the first fault is used up");
        assert_eq!(take(), Some(Fault::Spoilt(When::Before, Spoil::Garbage)));
        let listed = faults.to_json();
        assert_eq!((&listed[0]["Fired"], &listed[1]["Fired"]), (&json!(1), &json!(2)));
    }

    #[test]
    fn a_fault_matches_a_user_id_in_either_case_and_in_an_arn() {
        let mut faults = Faults::default();
        faults.add(br#"{"Kind":"reset","UserId":"App","Times":null}"#).unwrap();
        assert!(faults.take("DeleteUser", &about("aPP")).is_some());
        assert!(faults.take("DeleteUser", &about("other")).is_none());
        let mut params = Params::default();
        params.read(b"ResourceName=arn:aws:elasticache:r:000000000000:user:app");
        assert!(faults.take("ListTagsForResource", &params).is_some());
        let mut params = Params::default();
        params.read(b"ResourceName=arn:aws:elasticache:r:000000000000:usergroup:app");
        assert!(faults.take("ListTagsForResource", &params).is_none());
    }
}
