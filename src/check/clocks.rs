//! No I/O: whether the clocks of this machine, of AWS and of the API server agree.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::row::{Row, Status};

/// A clock that is this far off is told.
const NOTED: Duration = Duration::from_secs(60);
/// AWS refuses a signature that is older, or younger, than this.
const REFUSED: Duration = Duration::from_secs(5 * 60);
const MEND: &str =
    "let the machine whose clock is wrong ask its time server, for example with: sudo chronyc makestep";

/// What another machine's clock said, and when that was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// By this machine's clock: before it was asked.
    pub(crate) asked: Timestamp,
    /// By the other's.
    pub(crate) told: Timestamp,
    /// By this machine's clock: when it had answered.
    pub(crate) answered: Timestamp,
}

impl Reading {
    /// A reading, where the answer had a `Date`.
    #[must_use]
    pub(crate) fn new(asked: Timestamp, date: Option<&str>, answered: Timestamp) -> Option<Self> {
        let told = jiff::fmt::rfc2822::parse(date?).ok()?.timestamp();
        Some(Self { asked, told, answered })
    }

    /// How far the other clock is ahead of this machine's, at least: it was read at some time before it answered, and tells
    /// whole seconds.
    fn ahead(&self) -> SignedDuration {
        let latest = self.told.saturating_add(SignedDuration::from_secs(1)).unwrap_or(self.told);
        if self.told > self.answered {
            self.told.duration_since(self.answered)
        } else if latest < self.asked {
            latest.duration_since(self.asked)
        } else {
            SignedDuration::ZERO
        }
    }
}

/// A row for each pair that is known. Of three clocks two that agree tell which one is wrong.
#[must_use]
pub(crate) fn judge(aws: Option<&Reading>, api_server: Option<&Reading>) -> Vec<Row> {
    let (aws, api) = (aws.map(Reading::ahead), api_server.map(Reading::ahead));
    let mut rows = Vec::new();
    if let Some(ahead) = aws {
        let agrees = api.map(|api| agree(api, SignedDuration::ZERO));
        let says = match (status(ahead), agrees) {
            (Status::Ok, _) => "",
            (Status::Warning | Status::Failed, Some(true)) => {
                " The API server's clock agrees with this machine's."
            }
            (Status::Warning | Status::Failed, Some(false)) if api.is_some_and(|api| agree(api, ahead)) => {
                " The API server's clock agrees with AWS's: this machine's is wrong."
            }
            (Status::Warning | Status::Failed, _) => "",
        };
        let harm = "AWS refuses what is signed more than 5 minutes off.";
        rows.push(row("clock-aws", "AWS's", ahead, says, harm));
    }
    if let Some(ahead) = api {
        let says = match (status(ahead), aws) {
            (Status::Ok, _) | (_, None) => "",
            (Status::Warning | Status::Failed, Some(aws)) if agree(aws, ahead) => {
                " AWS's clock agrees with the API server's: this machine's is wrong."
            }
            (Status::Warning | Status::Failed, Some(aws)) if agree(aws, SignedDuration::ZERO) => {
                " AWS's clock agrees with this machine's: the API server's is wrong."
            }
            (Status::Warning | Status::Failed, Some(_)) => "",
        };
        let harm =
            "AWS takes no ServiceAccount token (IRSA) that the API server has dated more than 5 minutes off.";
        rows.push(row("clock-api-server", "the API server's", ahead, says, harm));
    }
    rows
}

fn agree(one: SignedDuration, other: SignedDuration) -> bool {
    (one - other).unsigned_abs() <= NOTED
}

fn status(ahead: SignedDuration) -> Status {
    match ahead.unsigned_abs() {
        far if far > REFUSED => Status::Failed,
        near if near > NOTED => Status::Warning,
        _ => Status::Ok,
    }
}

fn row(check: &'static str, whose: &str, ahead: SignedDuration, says: &str, harm: &str) -> Row {
    let far = SignedDuration::from_secs(ahead.abs().as_secs());
    let status = status(ahead);
    if status == Status::Ok {
        return Row::ok(check, format!("This machine's clock and {whose} are within a minute."));
    }
    let side = if ahead.is_positive() { "behind" } else { "ahead of" };
    let message = format!("This machine's clock is {far:#} {side} {whose}.{says} {harm}");
    Row { status, ..Row::failed(check, message, MEND) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(ahead: i64) -> Reading {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let told = Timestamp::from_second(1_000_000 + ahead).unwrap();
        Reading { asked: now, told, answered: now }
    }

    #[test]
    fn a_minute_is_told_and_five_are_too_many() {
        let rows = [
            (0, Status::Ok),
            (60, Status::Ok),
            (61, Status::Warning),
            (300, Status::Warning),
            (301, Status::Failed),
        ];
        for (ahead, expected) in rows {
            let row = judge(Some(&reading(ahead)), None).remove(0);
            assert_eq!(row.status, expected, "{ahead} s ahead: {row:?}");
            // The Date is cut to seconds, so that a clock behind is known a second less well.
            let row = judge(Some(&reading(-ahead - 1)), None).remove(0);
            assert_eq!(row.status, expected, "{ahead} s behind: {row:?}");
        }
    }

    #[test]
    fn two_clocks_that_agree_tell_which_one_is_wrong() {
        let (right, early) = (reading(0), reading(420));
        let says = |aws: &Reading, api: &Reading| {
            let rows = judge(Some(aws), Some(api));
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
        assert!(servers[0].contains("within a minute"), "{servers:?}");
        assert!(servers[1].contains("the API server's is wrong"), "{servers:?}");
        let amazon = says(&early, &right);
        assert!(amazon[0].contains("The API server's clock agrees with this machine's."), "{amazon:?}");
    }

    #[test]
    fn a_slow_answer_is_no_wrong_clock() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let reading = Reading { asked: at(1000), told: at(1200), answered: at(1400) };
        assert_eq!(judge(Some(&reading), None)[0].status, Status::Ok);
    }

    #[test]
    fn a_date_is_read_as_http_writes_it() {
        let now = Timestamp::from_second(784_111_777).unwrap();
        let reading = Reading::new(now, Some("Sun, 06 Nov 1994 08:49:37 GMT"), now).unwrap();
        assert_eq!(reading.told, now);
        assert!(Reading::new(now, Some("yesterday"), now).is_none());
        assert!(Reading::new(now, None, now).is_none());
    }
}
