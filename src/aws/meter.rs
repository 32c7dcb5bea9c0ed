//! No I/O: counts AWS calls and measures their time for Prometheus, under the names that existing dashboards use.
//!
//! This is no decorator of [`UserApi`](crate::UserApi), because only the adapter knows the HTTP status and AWS's code.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plan::classify::{Answer, classify_group};
use plan::{Fault, Rejection};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds in seconds. A call takes some tenths of a second, and is given up after 20 s.
const BUCKETS: [f64; 10] = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0];

/// Upper bounds of the failures before an answer.
const RETRIES: [f64; 8] = [0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0];
/// The number of operations and users for which failures in a row are counted at the same time.
const FAILING: usize = 10_000;

/// The metrics of AWS calls. Clones share their values.
#[derive(Clone, Debug)]
pub struct Meter {
    calls: Family<CallLabels, Counter>,
    durations: Family<OperationLabels, Histogram>,
    retries: Family<OperationLabels, Histogram>,
    denied: Family<CallLabels, Counter>,
    throttled: Family<CallLabels, Counter>,
    /// For an operation and a user: the failures in a row. An answer ends the row.
    failing: Arc<Mutex<HashMap<(&'static str, String), u32>>>,
}

/// A call that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallRecord<'a> {
    pub(crate) service: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) user_id: &'a str,
    /// HTTP. `None`: there was no answer.
    pub(crate) status: Option<u16>,
    /// AWS's error code or the operator's own.
    pub(crate) code: Option<&'a str>,
    /// `None` also for an error that is an observation, such as UserNotFound.
    pub(crate) fault: Option<&'a Fault>,
    pub(crate) took: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    service: &'static str,
    operation: &'static str,
    status_code: u16,
    error_code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    service: &'static str,
    operation: &'static str,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            retries: Family::new_with_constructor(|| Histogram::new(RETRIES)),
            denied: Family::default(),
            throttled: Family::default(),
            failing: Arc::default(),
        }
    }
}

impl Meter {
    /// Puts the metrics into a registry.
    pub fn register(&self, registry: &mut Registry) {
        // The library appends the unit and `_total` to the names.
        registry.register(
            "aws_api_calls",
            "Calls of AWS; status_code 0 where there was no answer, error_code empty where there was no error",
            self.calls.clone(),
        );
        registry.register_with_unit(
            "aws_api_call_duration",
            "Time from the beginning of an AWS call to the end of its answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register(
            "aws_api_call_retries",
            "Calls of the same operation for the same user that failed before one that AWS answered; each after a pause of the operator's, as the SDK repeats none",
            self.retries.clone(),
        );
        registry.register(
            "aws_api_call_permission_errors",
            "Calls that failed because the role may not make them, or the credentials are missing or not valid",
            self.denied.clone(),
        );
        registry.register(
            "aws_api_call_throttled_errors",
            "Calls that AWS refused for their rate",
            self.throttled.clone(),
        );
    }

    pub(crate) fn record(&self, ended: CallRecord<'_>) {
        let CallRecord { service, operation, user_id, status, code, fault, took } = ended;
        let call = CallLabels {
            service,
            operation,
            status_code: status.unwrap_or_default(),
            error_code: code.map(code_label).unwrap_or_default().to_owned(),
        };
        self.calls.get_or_create(&call).inc();
        match fault {
            Some(Fault::Denied(_) | Fault::Credentials(_)) => {
                self.denied.get_or_create(&call).inc();
            }
            Some(Fault::Throttled(_)) => {
                self.throttled.get_or_create(&call).inc();
            }
            Some(Fault::Busy(_) | Fault::Unavailable(_) | Fault::Rejected(..)) | None => {}
        }
        let labels = OperationLabels { service, operation };
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
        if let Some(failures) = self.failures(operation, user_id, fault.is_some()) {
            self.retries.get_or_create(&labels).observe(f64::from(failures));
        }
    }

    /// The failures before this answer. `None` if this call failed too.
    fn failures(&self, operation: &'static str, user_id: &str, failed: bool) -> Option<u32> {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let row = (operation, user_id.to_owned());
        if !failed {
            return Some(failing.remove(&row).unwrap_or_default());
        }
        if failing.len() < FAILING || failing.contains_key(&row) {
            let failures = failing.entry(row).or_default();
            *failures = failures.saturating_add(1);
        }
        None
    }
}

/// The code if the operator or `plan`'s table knows it, else `other`, because a label needs a closed list of values.
fn code_label(code: &str) -> &str {
    const OWN: [&str; 6] =
        ["NoCredentials", "NotSent", "TimedOut", "NoAnswer", "UnreadableAnswer", "UnknownError"];
    // The table accepts every code that contains `Quota`, so it is not a closed list.
    const QUOTAS: [&str; 3] = ["UserQuotaExceeded", "UserGroupQuotaExceeded", "TagQuotaPerResourceExceeded"];
    let in_table = match classify_group(code, "", 400) {
        Answer::NotFound | Answer::AlreadyExists => true,
        Answer::Fault(Fault::Rejected(Rejection::Other, _)) => false,
        Answer::Fault(Fault::Rejected(Rejection::Quota, _)) => QUOTAS.contains(&code),
        Answer::Fault(
            Fault::Rejected(
                Rejection::ParameterValue
                | Rejection::ParameterCombination
                | Rejection::ServiceLinkedRole
                | Rejection::DefaultUserInGroup
                | Rejection::DuplicateUserName
                | Rejection::DefaultUserRequired
                | Rejection::MemberNotFound,
                _,
            )
            | Fault::Busy(_)
            | Fault::Throttled(_)
            | Fault::Unavailable(_)
            | Fault::Credentials(_)
            | Fault::Denied(_),
        ) => true,
    };
    if in_table || OWN.contains(&code) { code } else { "other" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_of_aws_calls_have_the_names_that_dashboards_use_and_closed_labels() {
        let meter = Meter::default();
        let said = || plan::AwsError::new("", "");
        let record = |operation, status, code, fault: Option<Fault>| {
            let took = Duration::from_millis(120);
            let service = "ElastiCache";
            meter.record(CallRecord {
                service,
                operation,
                user_id: "app",
                status,
                code,
                fault: fault.as_ref(),
                took,
            });
        };
        let rejected = |why| Some(Fault::Rejected(why, said()));
        record("CreateUser", Some(400), Some("InvalidParameterValue"), rejected(Rejection::ParameterValue));
        record("CreateUser", Some(400), Some("MadeUpByAws"), rejected(Rejection::Other));
        record("CreateUser", Some(400), Some("SomethingQuotaOfTomorrow"), rejected(Rejection::Quota));
        record("CreateUser", Some(200), None, None);
        record("CreateUser", Some(200), None, None);
        record("DescribeUsers", None, Some("TimedOut"), Some(Fault::Unavailable(said())));
        record("DescribeUsers", Some(400), Some("Throttling"), Some(Fault::Throttled(said())));
        record("DeleteUser", Some(403), Some("AccessDenied"), Some(Fault::Denied(said())));
        record("DeleteUser", None, Some("NoCredentials"), Some(Fault::Credentials(said())));
        let mut registry = Registry::default();
        meter.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
        let line = |name: &str, operation: &str, status: u16, error: &str, value: u8| {
            format!(
                "aws_api_{name}_total{{service=\"ElastiCache\",operation=\"{operation}\",status_code=\"{status}\",error_code=\"{error}\"}} {value}\n"
            )
        };
        let create = "service=\"ElastiCache\",operation=\"CreateUser\"";
        for expected in [
            line("calls", "CreateUser", 200, "", 2),
            line("calls", "CreateUser", 400, "InvalidParameterValue", 1),
            line("calls", "CreateUser", 400, "other", 2),
            line("calls", "DescribeUsers", 0, "TimedOut", 1),
            line("call_permission_errors", "DeleteUser", 403, "AccessDenied", 1),
            line("call_permission_errors", "DeleteUser", 0, "NoCredentials", 1),
            line("call_throttled_errors", "DescribeUsers", 400, "Throttling", 1),
            format!("aws_api_call_duration_seconds_count{{{create}}} 5\n"),
            // The first operation fails three times and then succeeds. The next one succeeds at once.
            format!("aws_api_call_retries_count{{{create}}} 2\n"),
            format!("aws_api_call_retries_sum{{{create}}} 3.0\n"),
        ] {
            assert!(text.contains(&expected), "{expected} is missing in:\n{text}");
        }
        assert_eq!(text.matches("errors_total{").count(), 3, "other calls must not count as errors:\n{text}");
        assert_eq!(
            text.matches("aws_api_call_retries_count{").count(),
            1,
            "the other operations never succeeded"
        );
    }
}
