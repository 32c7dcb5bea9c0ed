//! No I/O: counts AWS calls and their time for Prometheus, under the names that existing dashboards use.
//!
//! Not a decorator of [`Users`](super::Users): the HTTP status and AWS's code are known where the call is made only.

use std::time::Duration;

use plan::classify::{Answer, classify};
use plan::{Fault, Rejection};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

const SERVICE: &str = "ElastiCache";
/// Upper bounds in seconds. A call takes some tenths of a second, and is given up after 20 s.
const BUCKETS: [f64; 10] = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0];

/// The metrics of AWS calls. Clones share their values.
#[derive(Clone, Debug)]
pub struct Meter {
    calls: Family<Call, Counter>,
    durations: Family<Operation, Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    service: &'static str,
    operation: &'static str,
    status_code: u16,
    error_code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    service: &'static str,
    operation: &'static str,
}

impl Default for Meter {
    fn default() -> Self {
        Self { calls: Family::default(), durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)) }
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
    }

    /// One call: `status` is HTTP's, `None` without an answer; `code` AWS's or the operator's, `None` without an error.
    pub(super) fn record(
        &self,
        operation: &'static str,
        status: Option<u16>,
        code: Option<&str>,
        took: Duration,
    ) {
        let call = Call {
            service: SERVICE,
            operation,
            status_code: status.unwrap_or_default(),
            error_code: code.map(label).unwrap_or_default().to_owned(),
        };
        self.calls.get_or_create(&call).inc();
        self.durations.get_or_create(&Operation { service: SERVICE, operation }).observe(took.as_secs_f64());
    }
}

/// The code where it is one of a closed list: the operator's own and those of `plan`'s table; else `other`.
fn label(code: &str) -> &str {
    const OWN: [&str; 6] =
        ["NoCredentials", "NotSent", "TimedOut", "NoAnswer", "UnreadableAnswer", "UnknownError"];
    // Any code with `Quota` in it is one to the table, which is no closed list.
    const QUOTAS: [&str; 2] = ["UserQuotaExceeded", "TagQuotaPerResourceExceeded"];
    let in_table = match classify(code, "", 400) {
        Answer::NotFound | Answer::AlreadyExists => true,
        Answer::Fault(Fault::Rejected(Rejection::Other, _)) => false,
        Answer::Fault(Fault::Rejected(Rejection::Quota, _)) => QUOTAS.contains(&code),
        Answer::Fault(
            Fault::Rejected(
                Rejection::ParameterValue
                | Rejection::ParameterCombination
                | Rejection::ServiceLinkedRole
                | Rejection::DefaultUserInGroup,
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
    fn the_text_has_the_names_that_dashboards_use_and_closed_labels() {
        let meter = Meter::default();
        let took = Duration::from_millis(120);
        meter.record("CreateUser", Some(200), None, took);
        meter.record("CreateUser", Some(400), Some("InvalidParameterValue"), took);
        meter.record("CreateUser", Some(400), Some("MadeUpByAws"), took);
        meter.record("CreateUser", Some(400), Some("SomethingQuotaOfTomorrow"), took);
        meter.record("DescribeUsers", None, Some("TimedOut"), Duration::from_secs(20));
        let mut registry = Registry::default();
        meter.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
        let line = |operation: &str, status: u16, error: &str, value: u8| {
            format!(
                "aws_api_calls_total{{service=\"ElastiCache\",operation=\"{operation}\",status_code=\"{status}\",error_code=\"{error}\"}} {value}\n"
            )
        };
        for expected in [
            line("CreateUser", 200, "", 1),
            line("CreateUser", 400, "InvalidParameterValue", 1),
            line("CreateUser", 400, "other", 2),
            line("DescribeUsers", 0, "TimedOut", 1),
            "aws_api_call_duration_seconds_count{service=\"ElastiCache\",operation=\"CreateUser\"} 4\n"
                .to_owned(),
        ] {
            assert!(text.contains(&expected), "{expected} stands in:\n{text}");
        }
    }
}
