//! Faults as tests order them: `Rule::on("DeleteUser").error("AccessDenied", 403).always()`.

use serde_json::{Value, json};

/// A fault, and the calls that it strikes. It strikes once, before the call has an effect, unless the test says otherwise.
#[derive(Clone, Debug)]
#[must_use = "a rule does nothing until `Control::fault` gets it"]
pub struct Rule(Value);

impl Rule {
    /// Strikes calls of any action.
    pub fn any() -> Self {
        Self(json!({}))
    }

    /// Strikes calls of this action.
    pub fn on(action: &str) -> Self {
        Self::any().action(action)
    }

    fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0[member] = value.into();
        self
    }

    /// Calls of this action alone.
    pub fn action(self, action: &str) -> Self {
        self.with("Action", action)
    }

    /// Calls about this user alone. `*`: calls that name no user, such as a listing.
    pub fn user(self, id: impl Into<String>) -> Self {
        self.with("UserId", id.into())
    }

    /// Leaves so many calls alone first.
    pub fn skip(self, calls: u64) -> Self {
        self.with("Skip", calls)
    }

    /// So often.
    pub fn times(self, times: u64) -> Self {
        self.with("Times", times)
    }

    /// Until the test takes it back.
    pub fn always(self) -> Self {
        self.with("Times", Value::Null)
    }

    /// The call has had its effect.
    pub fn after(self) -> Self {
        self.with("When", "after")
    }

    /// An error with this code and HTTP status.
    pub fn error(self, code: &str, status: u16) -> Self {
        self.with("Kind", "error").with("Code", code).with("Status", status)
    }

    /// What the error says.
    pub fn message(self, message: impl Into<String>) -> Self {
        self.with("Message", message.into())
    }

    /// Refused because of too many calls.
    pub fn throttle(self) -> Self {
        self.with("Kind", "throttle")
    }

    /// 503.
    pub fn unavailable(self) -> Self {
        self.with("Kind", "unavailable")
    }

    /// The connection ends without an answer.
    pub fn reset(self) -> Self {
        self.with("Kind", "reset")
    }

    /// No answer for longer than anybody waits.
    pub fn hang(self) -> Self {
        self.hang_for(120_000)
    }

    /// No answer, and the connection ends so many milliseconds later.
    pub fn hang_for(self, milliseconds: u64) -> Self {
        self.with("Kind", "hang").with("Ms", milliseconds)
    }

    /// 200 with something that is no XML.
    pub fn garbage(self) -> Self {
        self.with("Kind", "garbage")
    }

    /// Half of the true answer.
    pub fn truncate(self) -> Self {
        self.with("Kind", "truncate")
    }

    /// The call and its true answer come so many milliseconds later.
    pub fn slow(self, milliseconds: u64) -> Self {
        self.with("Kind", "slow").with("Ms", milliseconds)
    }
}

impl From<Rule> for Value {
    fn from(Rule(rule): Rule) -> Self {
        rule
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(to)
    }
}
