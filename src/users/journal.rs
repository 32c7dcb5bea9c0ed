//! I/O: the log. What is noted about every call of AWS, one line and its metrics.

use std::time::Duration;

use plan::classify::Answer;
use plan::{Fault, Password};

use super::failure::Failure;
use super::metered::Meter;

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
        }
    }

    /// It changes nothing.
    pub(super) fn reads(self) -> bool {
        matches!(self, Self::DescribeUsers | Self::ListTagsForResource)
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
            Err(Answer::Fault(fault @ (Fault::Busy(_) | Fault::Throttled(_)))) => {
                Told::Refused(&fault.said().code, &fault.said().message)
            }
            Err(Answer::Fault(
                fault @ (Fault::Unavailable(_)
                | Fault::Credentials(_)
                | Fault::Denied(_)
                | Fault::Rejected(..)),
            )) => Told::Failed(&fault.said().code, &fault.said().message),
        };
        meter.record(self.operation.name(), facts.status, told.code(), took);
        self.log(&told, facts, took);
        result
    }

    fn log(&self, told: &Told<'_>, facts: &Facts, took: Duration) {
        let operation = self.operation.name();
        let user_id = self.user_id;
        let request_id = facts.request_id.as_deref();
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match told {
            Told::Accepted if self.operation.reads() => {
                tracing::debug!(operation, user_id, request_id, duration_ms, "AWS answered");
            }
            Told::Accepted => {
                tracing::info!(operation, user_id, request_id, duration_ms, "AWS accepted");
            }
            // What every deletion ends with, and every look at tags that have just been changed.
            Told::Refused(code @ "UserNotFound", _) if self.operation.reads() => {
                tracing::debug!(operation, user_id, request_id, code, duration_ms, "AWS answered");
            }
            Told::Refused(code, message) => {
                tracing::info!(operation, user_id, request_id, code, message, duration_ms, "AWS refused");
            }
            Told::Failed(code, message) => {
                tracing::warn!(operation, user_id, request_id, code, message, duration_ms, "AWS call failed");
            }
        }
    }
}

/// How a call ended, for the log.
enum Told<'a> {
    Accepted,
    /// Code and sentence of what belongs to the work.
    Refused(&'a str, &'a str),
    /// Code and sentence of what somebody should know of.
    Failed(&'a str, &'a str),
}

impl<'a> Told<'a> {
    fn code(&self) -> Option<&'a str> {
        match self {
            Self::Accepted => None,
            Self::Refused(code, _) | Self::Failed(code, _) => Some(code),
        }
    }
}
