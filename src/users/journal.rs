//! I/O: the log. What is noted about every call of AWS: its metrics, one line for those who look closely, and the request's ID
//! for the line that the pass writes.

use std::cell::RefCell;
use std::time::Duration;

use plan::Password;
use plan::classify::Answer;

use super::failure::Failure;
use super::metered::{Ended, Meter};

tokio::task_local! {
    static REQUEST_ID: RefCell<Option<String>>;
}

/// Runs a pass so that it can ask for [`request_id`].
pub async fn noting<F: Future>(pass: F) -> F::Output {
    REQUEST_ID.scope(RefCell::default(), pass).await
}

/// AWS's ID of the last request of this pass; `None` where AWS did not answer it, or none was made.
#[must_use]
pub fn request_id() -> Option<String> {
    REQUEST_ID.try_with(|id| id.borrow().clone()).ok().flatten()
}

/// The calls that the operator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    DescribeUsers,
    ListTagsForResource,
    CreateUser,
    ModifyUser,
    AddTagsToResource,
    RemoveTagsFromResource,
    DeleteUser,
    GetCallerIdentity,
}

impl Operation {
    /// AWS's name for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::DescribeUsers => "DescribeUsers",
            Self::ListTagsForResource => "ListTagsForResource",
            Self::CreateUser => "CreateUser",
            Self::ModifyUser => "ModifyUser",
            Self::AddTagsToResource => "AddTagsToResource",
            Self::RemoveTagsFromResource => "RemoveTagsFromResource",
            Self::DeleteUser => "DeleteUser",
            Self::GetCallerIdentity => "GetCallerIdentity",
        }
    }

    /// It changes nothing.
    pub(super) fn reads(self) -> bool {
        matches!(self, Self::DescribeUsers | Self::ListTagsForResource | Self::GetCallerIdentity)
    }
}

/// What was seen of a call on its way.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Everything before sending it succeeded: AWS may have it.
    pub(super) sent: bool,
    /// The HTTP status of the answer.
    pub(super) status: Option<u16>,
    /// AWS's ID of the request.
    pub(super) request_id: Option<String>,
    /// When the answer was made, by AWS's clock.
    pub(super) date: Option<String>,
    /// The answer is a whole document.
    pub(super) whole: bool,
}

/// One call. Its passwords are there to be blotted out, and nothing formats them.
pub(super) struct Call<'a> {
    operation: Operation,
    user_id: &'a str,
    passwords: &'a [Password],
}

impl<'a> Call<'a> {
    pub(super) fn new(operation: Operation, user_id: &'a str, passwords: &'a [Password]) -> Self {
        Self { operation, user_id, passwords }
    }

    pub(super) fn operation(&self) -> Operation {
        self.operation
    }

    /// Whether what AWS answers may be shown in a debug log.
    pub(super) fn carries_no_password(&self) -> bool {
        self.passwords.is_empty()
    }

    /// Notes how it ended, and says it in the words of `plan`.
    pub(super) fn ended<R>(
        &self,
        result: Result<R, Failure>,
        facts: &Facts,
        took: Duration,
        meter: &Meter,
    ) -> Result<R, Answer> {
        let result = result.map_err(|failure| failure.answer(self.passwords));
        let told = match &result {
            Ok(_) => Told::Accepted,
            Err(Answer::NotFound) => Told::Refused("UserNotFound", ""),
            Err(Answer::AlreadyExists) => Told::Refused("UserAlreadyExists", ""),
            Err(Answer::Fault(fault)) => Told::Refused(&fault.said().code, &fault.said().message),
        };
        let fault = match &result {
            Err(Answer::Fault(fault)) => Some(fault),
            Ok(_) | Err(Answer::NotFound | Answer::AlreadyExists) => None,
        };
        meter.record(Ended {
            operation: self.operation.name(),
            user_id: self.user_id,
            status: facts.status,
            code: told.code(),
            fault,
            took,
        });
        self.log(&told, facts, took);
        // Outside a pass, as in tests of the adapter alone, nobody asks for it.
        let _ = REQUEST_ID.try_with(|id| id.replace(facts.request_id.clone()));
        result
    }

    fn log(&self, told: &Told<'_>, facts: &Facts, took: Duration) {
        let operation = self.operation.name();
        let user_id = self.user_id;
        let request_id = facts.request_id.as_deref();
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match told {
            Told::Accepted => {
                tracing::debug!(operation, user_id, request_id, duration_ms, "AWS answered");
            }
            Told::Refused(code, message) => {
                tracing::debug!(operation, user_id, request_id, code, duration_ms, "AWS refused: {message}");
            }
        }
    }
}

/// How a call ended, for the log.
enum Told<'a> {
    Accepted,
    /// Code and sentence.
    Refused(&'a str, &'a str),
}

impl<'a> Told<'a> {
    fn code(&self) -> Option<&'a str> {
        match self {
            Self::Accepted => None,
            Self::Refused(code, _) => Some(code),
        }
    }
}
