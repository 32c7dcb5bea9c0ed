//! I/O: records each AWS call that has ended: metrics, one debug line, and the request ID for the caller's own log line.

use std::cell::RefCell;
use std::time::Duration;

use plan::classify::{Answer, classify, classify_group};
use plan::{CredentialsId, Password};

use crate::echo::repeats;
use crate::failure::{Classify, Failure};
use crate::meter::CallRecord;
use crate::{Meter, sanitize};

/// Below the name of the operator, so that a log filter for the operator shows its AWS calls too.
pub(crate) const TARGET: &str = "elasticache_user_operator::aws::call_log";

tokio::task_local! {
    /// AWS's IDs of the requests, in order, by operation.
    static REQUEST_IDS: RefCell<Vec<(Operation, Option<String>)>>;
}

/// Runs a future that can ask for [`last_request_id`].
pub async fn remember_request_id<F: Future>(future: F) -> F::Output {
    REQUEST_IDS.scope(RefCell::default(), future).await
}

/// AWS's ID of the last request of this operation inside [`remember_request_id`], or of the last request at all if there was none of
/// this operation: a look at the user may follow a CreateUser that AWS refused. `None` if there was no request, or no answer to it.
#[must_use]
pub fn last_request_id(operation: &str) -> Option<String> {
    let last = |ids: &RefCell<Vec<(Operation, Option<String>)>>| {
        let ids = ids.borrow();
        let of_operation = ids.iter().rev().find(|(of, _)| of.name() == operation);
        of_operation.or(ids.last()).and_then(|(_, id)| id.clone())
    };
    REQUEST_IDS.try_with(last).ok().flatten()
}

/// The API calls that the operator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    DescribeUsers,
    ListTagsForResource,
    CreateUser,
    ModifyUser,
    AddTagsToResource,
    RemoveTagsFromResource,
    DeleteUser,
    DescribeUserGroups,
    ModifyUserGroup,
    GetCallerIdentity,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DescribeUsers => "DescribeUsers",
            Self::ListTagsForResource => "ListTagsForResource",
            Self::CreateUser => "CreateUser",
            Self::ModifyUser => "ModifyUser",
            Self::AddTagsToResource => "AddTagsToResource",
            Self::RemoveTagsFromResource => "RemoveTagsFromResource",
            Self::DeleteUser => "DeleteUser",
            Self::DescribeUserGroups => "DescribeUserGroups",
            Self::ModifyUserGroup => "ModifyUserGroup",
            Self::GetCallerIdentity => "GetCallerIdentity",
        }
    }

    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::DescribeUsers
            | Self::ListTagsForResource
            | Self::CreateUser
            | Self::ModifyUser
            | Self::AddTagsToResource
            | Self::RemoveTagsFromResource
            | Self::DeleteUser
            | Self::DescribeUserGroups
            | Self::ModifyUserGroup => "ElastiCache",
            Self::GetCallerIdentity => "STS",
        }
    }

    pub(crate) fn is_read(self) -> bool {
        matches!(
            self,
            Self::DescribeUsers
                | Self::ListTagsForResource
                | Self::DescribeUserGroups
                | Self::GetCallerIdentity
        )
    }

    fn is_about_a_group(self) -> bool {
        matches!(self, Self::DescribeUserGroups | Self::ModifyUserGroup)
    }

    /// What the codes of this call mean.
    fn classify(self) -> Classify {
        if self.is_about_a_group() { classify_group } else { classify }
    }

    /// The code of [`Answer::NotFound`].
    fn not_found(self) -> &'static str {
        if self.is_about_a_group() { "UserGroupNotFound" } else { "UserNotFound" }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct CallFacts {
    /// The request left, so AWS may have it.
    pub(crate) sent: bool,
    /// It was stopped, because other credentials signed it than the DescribeUsers before it.
    pub(crate) credentials_changed: bool,
    /// The credentials that signed it.
    pub(crate) credentials: Option<CredentialsId>,
    /// HTTP.
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<String>,
    /// The answer's `Date` header.
    pub(crate) date: Option<String>,
    /// The answer is a complete document.
    pub(crate) whole: bool,
}

/// One call. Its passwords are needed to remove them from AWS's text. Nothing formats them.
pub(crate) struct Call<'a> {
    operation: Operation,
    user_id: &'a str,
    passwords: &'a [Password],
}

impl<'a> Call<'a> {
    pub(crate) fn new(operation: Operation, user_id: &'a str, passwords: &'a [Password]) -> Self {
        Self { operation, user_id, passwords }
    }

    pub(crate) fn operation(&self) -> Operation {
        self.operation
    }

    pub(crate) fn has_no_password(&self) -> bool {
        self.passwords.is_empty()
    }

    /// Records the end of the call, and translates its failure.
    pub(crate) fn ended<R>(
        &self,
        result: Result<R, Failure>,
        facts: &CallFacts,
        took: Duration,
        meter: &Meter,
    ) -> Result<R, Answer> {
        let result = result.map_err(|failure| failure.answer(self.passwords, self.operation.classify()));
        let ending = match &result {
            Ok(_) => Ending::Accepted,
            Err(Answer::NotFound) => Ending::Refused(self.operation.not_found(), ""),
            Err(Answer::AlreadyExists) => Ending::Refused("UserAlreadyExists", ""),
            Err(Answer::Fault(fault)) => Ending::Refused(&fault.error().code, &fault.error().message),
        };
        let fault = match &result {
            Err(Answer::Fault(fault)) => Some(fault),
            Ok(_) | Err(Answer::NotFound | Answer::AlreadyExists) => None,
        };
        meter.record(CallRecord {
            service: self.operation.service(),
            operation: self.operation.name(),
            user_id: self.user_id,
            status: facts.status,
            code: ending.code(),
            fault,
            took,
        });
        let request_id = self.shown(facts.request_id.as_deref());
        self.log(&ending, request_id.as_deref(), took);
        // It fails outside `remember_request_id`, where no caller asks for the ID.
        let _ = REQUEST_IDS.try_with(|ids| {
            let mut ids = ids.borrow_mut();
            ids.retain(|(operation, _)| *operation != self.operation);
            ids.push((self.operation, request_id));
        });
        result
    }

    /// The request ID, unless it repeats a part of a password.
    fn shown(&self, request_id: Option<&str>) -> Option<String> {
        let request_id = request_id.filter(|id| !repeats(id, self.passwords))?;
        Some(sanitize::code(request_id, self.passwords))
    }

    fn log(&self, ending: &Ending<'_>, request_id: Option<&str>, took: Duration) {
        let operation = self.operation.name();
        let user_id = self.user_id;
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match ending {
            Ending::Accepted => {
                tracing::debug!(target: TARGET, operation, user_id, request_id, duration_ms, "AWS answered");
            }
            Ending::Refused(code, message) => {
                tracing::debug!(target: TARGET, operation, user_id, request_id, code, duration_ms, "AWS refused: {message}");
            }
        }
    }
}

enum Ending<'a> {
    Accepted,
    /// Code and message.
    Refused(&'a str, &'a str),
}

impl<'a> Ending<'a> {
    fn code(&self) -> Option<&'a str> {
        match self {
            Self::Accepted => None,
            Self::Refused(code, _) => Some(code),
        }
    }
}
