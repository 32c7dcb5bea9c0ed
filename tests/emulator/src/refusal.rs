//! Errors of the service: their codes, HTTP statuses (B06, B07) and sentences.
//!
//! Sentences that are known from the real service are exact; each says so with its B-number. No sentence ever holds a
//! password (B57).

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// HTTP status.
    pub(crate) status: u16,
    /// The short code that SDKs match on, not the name of the shape (B06).
    pub(crate) code: String,
    pub(crate) message: String,
}

/// 400 with a code and a sentence.
pub(crate) fn refuse(code: &str, message: impl Into<String>) -> Refusal {
    Refusal { status: 400, code: code.to_owned(), message: message.into() }
}

/// The codes for what is not there are 404 (B07).
fn absent(code: &str, message: String) -> Refusal {
    Refusal { status: 404, code: code.to_owned(), message }
}

pub(crate) fn invalid_value(message: impl Into<String>) -> Refusal {
    refuse("InvalidParameterValue", message)
}

pub(crate) fn invalid_combination(message: impl Into<String>) -> Refusal {
    refuse("InvalidParameterCombination", message)
}

/// A required parameter is not there or empty (B09).
pub(crate) fn required(parameter: &str) -> Refusal {
    invalid_value(format!("The parameter {parameter} must be provided and must not be blank."))
}

pub(crate) fn user_not_found(id: &str) -> Refusal {
    absent("UserNotFound", format!("User {id} not found."))
}

pub(crate) fn group_not_found(id: &str) -> Refusal {
    absent("UserGroupNotFound", format!("User group {id} not found."))
}

/// Sentence as the service gives it (B92).
pub(crate) fn user_not_taggable(id: &str) -> Refusal {
    absent("UserNotFound", format!("{id} is not available for tagging"))
}

/// Sentence as the service gives it (B92).
pub(crate) fn group_not_taggable(id: &str) -> Refusal {
    absent("UserGroupNotFound", format!("{id} is not available for tagging"))
}

pub(crate) fn tag_not_found(key: &str) -> Refusal {
    absent("TagNotFound", format!("There is no tag with the key {key}."))
}

/// Sentence as the service gives it for `verb` = `modified` (B60).
pub(crate) fn user_not_active(id: &str, status: &str, verb: &str) -> Refusal {
    refuse("InvalidUserState", format!("User {id} has status {status}. Only active users can be {verb}."))
}

/// Sentence as the service gives it for `verb` = `modified` (B77).
pub(crate) fn group_not_active(id: &str, status: &str, verb: &str) -> Refusal {
    refuse(
        "InvalidUserGroupState",
        format!("User group {id} has status {status}. Only active user groups can be {verb}."),
    )
}

/// B14, B15.
pub(crate) fn malformed_id(parameter: &str) -> Refusal {
    invalid_value(format!(
        "The parameter {parameter} is not valid: it must begin with a letter, hold only letters, digits and hyphens, \
         at most 40, must not end with a hyphen and must not contain two consecutive hyphens."
    ))
}

/// B21, B22.
pub(crate) fn service_managed(id: &str) -> Refusal {
    invalid_value(format!("{id} is managed by the service and cannot be modified or deleted."))
}

/// B100. The text after `Rate exceeded` is what was seen.
pub(crate) fn throttled() -> Refusal {
    refuse("Throttling", "Rate exceeded (Service: ElastiCache, Status Code: 400)")
}

/// 503, before or after the call took effect.
pub(crate) fn unavailable() -> Refusal {
    Refusal {
        status: 503,
        code: "ServiceUnavailable".to_owned(),
        message: "The service is temporarily unable to handle the request.".to_owned(),
    }
}

/// The emulator itself could not do its work, as when the data file cannot be written.
pub(crate) fn internal(message: String) -> Refusal {
    Refusal { status: 500, code: "InternalFailure".to_owned(), message }
}

/// No Authorization header.
pub(crate) fn unauthenticated() -> Refusal {
    Refusal {
        status: 403,
        code: "MissingAuthenticationToken".to_owned(),
        message: "Missing Authentication Token".to_owned(),
    }
}

/// B102.
pub(crate) fn no_service_linked_role() -> Refusal {
    refuse(
        "ServiceLinkedRoleNotFoundFault",
        "The service-linked role AWSServiceRoleForElastiCache was not found and could not be created.",
    )
}
