//! No I/O: whether the clocks of this machine, of AWS and of the API server agree.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::row::{Row, RowStatus};

/// A clock that is off by more than this gets a warning.
const NOTED: Duration = Duration::from_secs(60);
/// AWS refuses a signature whose time is off by more than this.
const REFUSED: Duration = Duration::from_secs(5 * 60);
const FIX: &str = "synchronize the wrong clock with its time server, for example with: sudo chronyc makestep";

/// The time on another machine's clock, and between which times of this machine it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockReading {
    pub(crate) asked_at: Timestamp,
    pub(crate) server_time: Timestamp,
    pub(crate) answered_at: Timestamp,
}

impl ClockReading {
    /// `None` if the answer has no `Date` header.
    #[must_use]
    pub(crate) fn new(asked_at: Timestamp, date: Option<&str>, answered_at: Timestamp) -> Option<Self> {
        let server_time = jiff::fmt::rfc2822::parse(date?).ok()?.timestamp();
        Some(Self { asked_at, server_time, answered_at })
    }

    /// How far the other clock is ahead of this machine's, at least. It may have been read at any time between request and
    /// answer, and it shows whole seconds.
    fn ahead(&self) -> SignedDuration {
        let latest =
            self.server_time.saturating_add(SignedDuration::from_secs(1)).unwrap_or(self.server_time);
        if self.server_time > self.answered_at {
            self.server_time.duration_since(self.answered_at)
        } else if latest < self.asked_at {
            latest.duration_since(self.asked_at)
        } else {
            SignedDuration::ZERO
        }
    }
}

/// A row for each clock that was read. If two of the three clocks agree, the third one is wrong.
#[must_use]
pub(crate) fn evaluate(aws: Option<&ClockReading>, api_server: Option<&ClockReading>) -> Vec<Row> {
    let (aws, api) = (aws.map(ClockReading::ahead), api_server.map(ClockReading::ahead));
    let mut rows = Vec::new();
    if let Some(ahead) = aws {
        let agrees = api.map(|api| agree(api, SignedDuration::ZERO));
        let says = match (clock_status(ahead), agrees) {
            (RowStatus::Ok, _) => "",
            (RowStatus::Warning | RowStatus::Failed, Some(true)) => {
                " The API server's clock agrees with this machine's."
            }
            (RowStatus::Warning | RowStatus::Failed, Some(false))
                if api.is_some_and(|api| agree(api, ahead)) =>
            {
                " The API server's clock agrees with AWS's: this machine's is wrong."
            }
            (RowStatus::Warning | RowStatus::Failed, _) => "",
        };
        let harm = "AWS refuses a call if its signature is more than 5 minutes off.";
        rows.push(clock_row("clock-aws", "AWS's", ahead, says, harm));
    }
    if let Some(ahead) = api {
        let says = match (clock_status(ahead), aws) {
            (RowStatus::Ok, _) | (_, None) => "",
            (RowStatus::Warning | RowStatus::Failed, Some(aws)) if agree(aws, ahead) => {
                " AWS's clock agrees with the API server's: this machine's is wrong."
            }
            (RowStatus::Warning | RowStatus::Failed, Some(aws)) if agree(aws, SignedDuration::ZERO) => {
                " AWS's clock agrees with this machine's: the API server's is wrong."
            }
            (RowStatus::Warning | RowStatus::Failed, Some(_)) => "",
        };
        let harm = "AWS refuses a ServiceAccount token (IRSA) if its date is more than 5 minutes off.";
        rows.push(clock_row("clock-api-server", "the API server's", ahead, says, harm));
    }
    rows
}

fn agree(one: SignedDuration, other: SignedDuration) -> bool {
    (one - other).unsigned_abs() <= NOTED
}

fn clock_status(ahead: SignedDuration) -> RowStatus {
    match ahead.unsigned_abs() {
        far if far > REFUSED => RowStatus::Failed,
        near if near > NOTED => RowStatus::Warning,
        _ => RowStatus::Ok,
    }
}

fn clock_row(check: &'static str, other: &str, ahead: SignedDuration, says: &str, harm: &str) -> Row {
    let far = SignedDuration::from_secs(ahead.abs().as_secs());
    let status = clock_status(ahead);
    if status == RowStatus::Ok {
        return Row::ok(check, format!("This machine's clock and {other} differ by less than a minute."));
    }
    let side = if ahead.is_positive() { "behind" } else { "ahead of" };
    let message = format!("This machine's clock is {far:#} {side} {other}.{says} {harm}");
    Row { status, ..Row::failed(check, message, FIX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(ahead: i64) -> ClockReading {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let server_time = Timestamp::from_second(1_000_000 + ahead).unwrap();
        ClockReading { asked_at: now, server_time, answered_at: now }
    }

    #[test]
    fn a_clock_that_is_a_minute_wrong_is_a_warning_and_five_minutes_wrong_a_failure() {
        let rows = [
            (0, RowStatus::Ok),
            (60, RowStatus::Ok),
            (61, RowStatus::Warning),
            (300, RowStatus::Warning),
            (301, RowStatus::Failed),
        ];
        for (ahead, expected) in rows {
            let row = evaluate(Some(&reading(ahead)), None).remove(0);
            assert_eq!(row.status, expected, "{ahead} s ahead: {row:?}");
            // The header Date has whole seconds, so a clock that is behind is known with a second less precision.
            let row = evaluate(Some(&reading(-ahead - 1)), None).remove(0);
            assert_eq!(row.status, expected, "{ahead} s behind: {row:?}");
        }
    }

    #[test]
    fn two_clocks_that_agree_show_which_one_is_wrong() {
        let (right, early) = (reading(0), reading(420));
        let says = |aws: &ClockReading, api: &ClockReading| {
            let rows = evaluate(Some(aws), Some(api));
            rows.iter().map(|row| row.message.clone()).collect::<Vec<_>>()
        };
        let mine = says(&early, &early);
        assert!(
            mine[0].contains(
                "7m behind AWS's. The API server's clock agrees with AWS's: this machine's is wrong."
            ),
            "{mine:?}"
        );
        assert!(mine[1].contains("this machine's is wrong"), "{mine:?}");
        let servers = says(&right, &early);
        assert!(servers[0].contains("less than a minute"), "{servers:?}");
        assert!(servers[1].contains("the API server's is wrong"), "{servers:?}");
        let amazon = says(&early, &right);
        assert!(amazon[0].contains("The API server's clock agrees with this machine's."), "{amazon:?}");
    }

    #[test]
    fn a_slow_answer_does_not_look_like_a_wrong_clock() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let reading = ClockReading { asked_at: at(1000), server_time: at(1200), answered_at: at(1400) };
        assert_eq!(evaluate(Some(&reading), None)[0].status, RowStatus::Ok);
    }

    #[test]
    fn a_date_is_read_as_http_writes_it() {
        let now = Timestamp::from_second(784_111_777).unwrap();
        let reading = ClockReading::new(now, Some("Sun, 06 Nov 1994 08:49:37 GMT"), now).unwrap();
        assert_eq!(reading.server_time, now);
        assert!(ClockReading::new(now, Some("yesterday"), now).is_none());
        assert!(ClockReading::new(now, None, now).is_none());
    }
}
