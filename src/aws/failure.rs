//! Pure: how a call can fail, and which fault of `plan` that is.

use plan::classify::Answer;
use plan::{AwsError, Fault, Password, Rejection};

use crate::echo::{repeats, withheld};
use crate::sanitize;

/// What code, message and HTTP status of an error mean.
pub(crate) type Classify = fn(&str, &str, u16) -> Answer;

/// Why a call has no useful answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Not sent, because there were no credentials to sign it with.
    NoCredentials {
        /// Where they should come from.
        provider: Option<String>,
        /// The provider's text.
        why: Option<String>,
    },
    /// Not sent, because other credentials signed it than the DescribeUsers before it.
    CredentialsChanged,
    /// Not sent for another reason.
    NotSent(String),
    /// No answer in time.
    TimedOut,
    /// The connection failed before the answer was complete.
    NoAnswer,
    /// An answer with this HTTP status that is not AWS's, or not complete.
    Unreadable(u16),
    /// AWS answered with an error.
    Refused {
        code: String,
        message: String,
        /// HTTP.
        status: u16,
    },
}

impl Failure {
    /// If there were no credentials, says where they should come from.
    pub(crate) fn of_provider(self, provider: Option<&str>) -> Self {
        match self {
            Self::NoCredentials { why, .. } => {
                Self::NoCredentials { provider: provider.map(str::to_owned), why }
            }
            Self::CredentialsChanged
            | Self::NotSent(_)
            | Self::TimedOut
            | Self::NoAnswer
            | Self::Unreadable(_)
            | Self::Refused { .. } => self,
        }
    }

    /// The answer for `plan`. Two failures of one kind have the same text. The `passwords` of the call are removed from it.
    pub(crate) fn answer(&self, passwords: &[Password], classify: Classify) -> Answer {
        let unavailable =
            |code, message: &str| Answer::Fault(Fault::Unavailable(AwsError::new(code, message)));
        match self {
            Self::NoCredentials { provider, why } => {
                let provider = provider.as_ref().map(|provider| format!(" ({provider})")).unwrap_or_default();
                let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                let why = format!("the provider gave none{provider}{why}");
                Answer::Fault(Fault::Credentials(sanitized("NoCredentials", &why, passwords)))
            }
            Self::CredentialsChanged => {
                let error =
                    AwsError::new("CredentialsChanged", "the credentials changed right before the call.");
                Answer::Fault(Fault::Credentials(error))
            }
            Self::NotSent(why) => {
                Answer::Fault(Fault::Rejected(Rejection::Other, sanitized("NotSent", why, passwords)))
            }
            Self::TimedOut => unavailable("TimedOut", "AWS did not answer in time."),
            Self::NoAnswer => unavailable(
                "NoAnswer",
                "the connection to AWS could not be made, or ended before the answer did.",
            ),
            // If AWS's front end throttles or fails, its answer has no document.
            Self::Unreadable(status @ (429 | 500..)) => {
                classify("", &format!("the answer has HTTP status {status} and no text."), *status)
            }
            Self::Unreadable(status) => unavailable(
                "UnreadableAnswer",
                &format!(
                    "the answer, with HTTP status {status}, is not one of ElastiCache's or is not whole."
                ),
            ),
            // A spoilt code must not be read as the one that it resembles: UserNotFound proves that a user is absent.
            Self::Refused { code, status, .. } if !sanitize::is_code(code) => {
                Self::Unreadable(*status).answer(passwords, classify)
            }
            Self::Refused { code, message, status } => {
                let message = if repeats(message, passwords) { withheld(message) } else { message.clone() };
                let code = if is_known(code, classify) || !repeats(code, passwords) {
                    code.as_str()
                } else {
                    "redacted"
                };
                let AwsError { code, message } = sanitized(code, &message, passwords);
                classify(&code, &message, *status)
            }
        }
    }
}

/// The code is in the table of codes, so AWS did not make it from a password.
fn is_known(code: &str, classify: Classify) -> bool {
    !matches!(classify(code, "", 0), Answer::Fault(Fault::Rejected(Rejection::Other, _)))
}

fn sanitized(code: &str, message: &str, passwords: &[Password]) -> AwsError {
    AwsError { code: sanitize::code(code, passwords), message: sanitize::stable(message, passwords) }
}

#[cfg(test)]
mod tests {
    use plan::classify::Answer;

    use super::*;

    #[test]
    fn only_a_call_that_may_have_been_sent_has_an_unknown_outcome() {
        let refused = |code: &str, status| Failure::Refused {
            code: code.to_owned(),
            message: "Why.".to_owned(),
            status,
        };
        let rows = [
            ("no credentials", Failure::NoCredentials { provider: None, why: None }, false),
            ("other credentials", Failure::CredentialsChanged, false),
            ("a request that could not be made", Failure::NotSent("bad endpoint".to_owned()), false),
            ("a time-out", Failure::TimedOut, true),
            ("a lost connection", Failure::NoAnswer, true),
            ("a 200 that cannot be read", Failure::Unreadable(200), true),
            ("a proxy's 403", Failure::Unreadable(403), true),
            ("a 503 without words", Failure::Unreadable(503), true),
            ("a 429 without words", Failure::Unreadable(429), false),
            ("a refusal", refused("InvalidParameterValue", 400), false),
            ("AWS's own trouble", refused("InternalFailure", 500), true),
            ("an unknown code with a 5xx", refused("Odd", 502), true),
            ("a spoilt code", refused("User\u{1b}NotFound", 404), true),
        ];
        for (claim, failure, unknown) in rows {
            let Answer::Fault(fault) = failure.answer(&[], plan::classify::classify) else {
                panic!("{claim} is a fault")
            };
            assert_eq!(fault.outcome_unknown(), unknown, "{claim}: {fault:?}");
            assert!(fault.error().to_string().ends_with('.'), "{claim} ends as a sentence: {fault:?}");
        }
    }
}
