//! The faults of one call of the operator, and which of them are tried at which call.

use std::fmt;

use serde_json::{Value, json};

use super::operator::Speed;

/// One call: what it asks for, and how many such calls came before it since the scenario's step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Call {
    pub(super) to: To,
    pub(super) before: usize,
}

/// The receiver of a call, and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum To {
    /// AWS: an action about a user.
    Aws { action: String, user: String },
    /// The API server: verb and resource.
    Kubernetes(String),
}

impl Call {
    /// Each of these calls with its number among equal calls.
    pub(super) fn numbered(calls: impl IntoIterator<Item = To>) -> Vec<Call> {
        let mut numbered: Vec<Call> = Vec::new();
        for to in calls {
            let before = numbered.iter().filter(|call| call.to == to).count();
            numbered.push(Call { to, before });
        }
        numbered
    }

    /// The call asks AWS to change something.
    pub(super) fn is_mutation(&self) -> bool {
        match &self.to {
            To::Aws { action, .. } => !action.starts_with("Describe") && !action.starts_with("List"),
            To::Kubernetes(_) => false,
        }
    }

    pub(super) fn is_event(&self) -> bool {
        matches!(&self.to, To::Kubernetes(asked) if asked == "create events")
    }

    pub(super) fn is_to_aws(&self) -> bool {
        matches!(self.to, To::Aws { .. })
    }

    /// The call writes, at the API server or at AWS.
    pub(super) fn is_write(&self) -> bool {
        match &self.to {
            To::Aws { .. } => self.is_mutation(),
            To::Kubernetes(asked) => asked.contains("elasticacheusers") && !asked.starts_with("get "),
        }
    }

    /// How many of [`Fault::of`] are tried even in a short run: the first, and a kill before and after the call. A read has no
    /// effect, so one kill is enough.
    pub(super) fn at_least(&self) -> usize {
        let is_look = match &self.to {
            To::Aws { .. } => !self.is_mutation(),
            To::Kubernetes(asked) => asked.starts_with("get "),
        };
        if is_look { 2 } else { 3 }
    }

    /// Whether another run makes this call too depends on timing. The number of reads depends on how long a state lasts and on
    /// whether the object changed during a pass. Events depend on what the process has seen itself. A status write after the
    /// first four may report a state that another run does not meet.
    pub(super) fn depends_on_timing(&self) -> bool {
        match &self.to {
            To::Aws { .. } => !self.is_mutation(),
            To::Kubernetes(asked) if asked == "patch elasticacheusers/status" => self.before > 3,
            To::Kubernetes(asked) if asked.starts_with("get ") => {
                self.before > 0 || ["get secrets", "get elasticacheusers"].contains(&asked.as_str())
            }
            To::Kubernetes(asked) => asked == "create events",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.to {
            To::Aws { action, user } => write!(f, "{action} {user}")?,
            To::Kubernetes(asked) => f.write_str(asked)?,
        }
        write!(f, " #{}", self.before + 1)
    }
}

/// Before the call took effect, or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

impl When {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// A fault, with its name for people.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) how: How,
}

/// How a call fails.
#[derive(Clone, Debug)]
pub(super) enum How {
    /// The emulator follows this rule, to which the action is added.
    Aws(Value),
    /// The proxy in front of the API server gives this answer.
    Kubernetes(When, Answer),
    /// Somebody else writes the object just before the call arrives, so the API server answers with a conflict.
    Overtaken,
    /// The operator is killed at this moment and started again.
    Kill(When),
}

/// What the operator gets instead of the API server's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A refusal with this status and reason.
    Refusal(u16, &'static str),
    /// The connection ends.
    Reset,
    /// No answer.
    Silence,
    /// 200 with a body of another kind.
    Garbage,
}

impl Fault {
    /// AWS answered the call without an error, but it had no effect.
    pub(super) fn answers_without_effect(&self) -> bool {
        match &self.how {
            How::Aws(rule) => {
                rule["When"] == "before"
                    && ["reset", "hang", "garbage"].iter().any(|kind| rule["Kind"] == *kind)
            }
            How::Kill(when) => *when == When::Before,
            How::Kubernetes(..) | How::Overtaken => false,
        }
    }

    /// AWS's own record shows the call as refused.
    pub(super) fn is_refusal(&self) -> bool {
        let refusals = ["error", "throttle", "unavailable"];
        matches!(&self.how, How::Aws(rule) if refusals.iter().any(|kind| rule["Kind"] == *kind))
    }

    /// The call takes effect after the operator has stopped waiting for it.
    pub(super) fn is_late(&self) -> bool {
        matches!(&self.how, How::Aws(rule) if rule["Kind"] == "slow")
    }

    /// The API server does not perform the request, and its answer says nothing about the object.
    pub(super) fn is_api_server_failure(&self) -> bool {
        match &self.how {
            How::Kubernetes(_, Answer::Refusal(code, _)) => *code == 429 || *code >= 500,
            How::Kubernetes(_, Answer::Reset | Answer::Silence | Answer::Garbage) => true,
            How::Aws(_) | How::Overtaken | How::Kill(_) => false,
        }
    }

    /// All faults of this call. Those that are tried in every run come first.
    pub(super) fn of(call: &Call, speed: Speed) -> Vec<Fault> {
        let kills = [("killed before", When::Before), ("killed after", When::After)];
        let kills = kills.map(|(name, when)| Fault { name, how: How::Kill(when) });
        let mut faults = match &call.to {
            To::Aws { action, .. } => of_aws(action, speed),
            To::Kubernetes(asked) => of_kubernetes(asked),
        };
        faults.splice(1..1, kills);
        faults
    }
}

fn of_aws(action: &str, speed: Speed) -> Vec<Fault> {
    let error = |code: &str, status: u16| json!({ "Kind": "error", "Code": code, "Status": status, "Message": "by a test" });
    let spoilt = |kind: &str, when: &str| json!({ "Kind": kind, "When": when });
    let hang = |when: &str| json!({ "Kind": "hang", "When": when, "Ms": 120_000 });
    let mut faults = vec![
        ("lost after", spoilt("reset", "after")),
        ("late", json!({ "Kind": "slow", "Ms": speed.too_late().as_millis() as u64 })),
        ("reset before", spoilt("reset", "before")),
        ("hang before", hang("before")),
        ("hang after", hang("after")),
        ("garbage before", spoilt("garbage", "before")),
        ("garbage after", spoilt("garbage", "after")),
        ("truncated", json!({ "Kind": "truncate" })),
        ("throttled", spoilt("throttle", "before")),
        ("unavailable", spoilt("unavailable", "before")),
        ("internal failure", error("InternalFailure", 500)),
        ("access denied", error("AccessDenied", 403)),
        ("credentials expired", error("ExpiredToken", 403)),
        ("refused", error("SomethingNew", 400)),
    ];
    if ["ModifyUser", "DeleteUser"].contains(&action) {
        faults.push(("invalid state", error("InvalidUserState", 400)));
    }
    if action == "ModifyUserGroup" {
        faults.push(("invalid state", error("InvalidUserGroupState", 400)));
    }
    // UserNotFound from DescribeUsers would be true. From any other call it proves nothing.
    if !["DescribeUsers", "CreateUser"].contains(&action) {
        faults.push(("not found", error("UserNotFound", 404)));
    }
    faults.into_iter().map(|(name, rule)| Fault { name, how: How::Aws(rule) }).collect()
}

fn of_kubernetes(asked: &str) -> Vec<Fault> {
    let internal = Answer::Refusal(500, "InternalError");
    let mut faults = vec![
        ("500 after", How::Kubernetes(When::After, internal)),
        ("500 before", How::Kubernetes(When::Before, internal)),
        ("unavailable", How::Kubernetes(When::Before, Answer::Refusal(503, "ServiceUnavailable"))),
        ("too many requests", How::Kubernetes(When::Before, Answer::Refusal(429, "TooManyRequests"))),
        ("forbidden", How::Kubernetes(When::Before, Answer::Refusal(403, "Forbidden"))),
        ("reset before", How::Kubernetes(When::Before, Answer::Reset)),
        ("reset after", How::Kubernetes(When::After, Answer::Reset)),
        ("hang before", How::Kubernetes(When::Before, Answer::Silence)),
        ("hang after", How::Kubernetes(When::After, Answer::Silence)),
        ("garbage before", How::Kubernetes(When::Before, Answer::Garbage)),
        ("garbage after", How::Kubernetes(When::After, Answer::Garbage)),
    ];
    if !asked.starts_with("get ") {
        faults.push(("conflict", How::Kubernetes(When::Before, Answer::Refusal(409, "Conflict"))));
    }
    if asked.contains("elasticacheusers") {
        faults.push(("overtaken", How::Overtaken));
    }
    faults.into_iter().map(|(name, how)| Fault { name, how }).collect()
}
