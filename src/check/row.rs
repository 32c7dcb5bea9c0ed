//! No I/O: the result of a check, as a line for people and as JSON.

use plan::text::escaped;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RowStatus {
    Ok,
    /// The operator works, but something that it could do is missing.
    Warning,
    /// The operator cannot work, a user would be lost, or a question has no answer.
    Failed,
}

impl RowStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// The result of one check. Its members are the keys of the JSON output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    /// The name of the check. Scripts rely on it.
    pub(crate) check: &'static str,
    pub(crate) status: RowStatus,
    pub(crate) message: String,
    /// What to do, one step a line.
    pub(crate) fix: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<RowUser>,
}

/// An AWS user, and the object that its owner tags name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RowUser {
    #[serde(rename = "userID")]
    pub(crate) user_id: String,
    pub(crate) arn: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
}

impl Row {
    pub(crate) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: RowStatus::Ok, message: message.into(), fix: None, user: None }
    }

    pub(crate) fn warning(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, status: RowStatus::Warning, message: message.into(), fix: Some(fix.into()), user: None }
    }

    pub(crate) fn failed(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, status: RowStatus::Failed, message: message.into(), fix: Some(fix.into()), user: None }
    }

    /// A question without an answer, and without a command that would help.
    pub(crate) fn unknown(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: RowStatus::Failed, message: message.into(), fix: None, user: None }
    }

    #[must_use]
    pub(crate) fn about(self, user: RowUser) -> Self {
        Self { user: Some(user), ..self }
    }

    /// With --force nothing fails.
    #[must_use]
    pub(crate) fn forced(mut self) -> Self {
        if self.status == RowStatus::Failed {
            self.status = RowStatus::Warning;
            self.message.push_str(" Ignored because of --force.");
        }
        self
    }

    /// The lines of the table: the message, and below it how to fix it.
    #[must_use]
    pub(crate) fn lines(&self) -> String {
        let mut lines = line(self.status.as_str(), self.check, &self.message);
        for (index, step) in self.fix.iter().flat_map(|fix| fix.lines()).enumerate() {
            lines.push_str(&line("", if index == 0 { "                    fix:" } else { "" }, step));
        }
        lines
    }
}

#[must_use]
pub(crate) fn head() -> String {
    line("STATUS", "CHECK", "FOUND")
}

/// The count below the table.
#[must_use]
pub(crate) fn foot(rows: &[Row]) -> String {
    let count = |status| rows.iter().filter(|row| row.status == status).count();
    let (ok, warning, failed) = (count(RowStatus::Ok), count(RowStatus::Warning), count(RowStatus::Failed));
    format!("\n{ok} ok, {warning} warning, {failed} failed\n")
}

fn line(status: &str, check: &str, text: &str) -> String {
    format!("{status:<8} {check:<24} {}", escaped(text)).trim_end().to_owned() + "\n"
}

#[must_use]
pub(crate) fn worst(rows: &[Row]) -> RowStatus {
    rows.iter().map(|row| row.status).max().unwrap_or(RowStatus::Ok)
}

#[derive(Serialize)]
struct JsonReport<'a> {
    version: &'static str,
    status: RowStatus,
    checks: &'a [Row],
}

pub(crate) fn json(rows: &[Row]) -> Result<String, serde_json::Error> {
    let page = JsonReport { version: env!("CARGO_PKG_VERSION"), status: worst(rows), checks: rows };
    serde_json::to_string_pretty(&page).map(|text| text + "\n")
}

/// All names if they are few, else the first ones and how many more there are.
#[must_use]
pub(crate) fn named(names: &[String]) -> String {
    const FIRST: usize = 5;
    let first = names.get(..FIRST.min(names.len())).unwrap_or_default().join(", ");
    match names.len().saturating_sub(FIRST) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// `1 object`, `2 objects`.
#[must_use]
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// With a capital and a full stop, for a row.
pub(crate) fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fix_of_a_row_is_printed_below_its_message() {
        let row = Row::warning("crd", "It is older.", "one\ntwo");
        let expected = "warning  crd                      It is older.\n                             fix: one\n                                  two\n";
        assert_eq!(row.lines(), expected);
        assert_eq!(Row::ok("crd", "Fine.").lines().lines().count(), 1);
    }

    #[test]
    fn the_worst_row_decides_the_result_of_the_check() {
        assert_eq!(worst(&[]), RowStatus::Ok);
        let (ok, warning) = (Row::ok("a", ""), Row::warning("b", "", ""));
        assert_eq!(worst(&[ok.clone(), warning.clone()]), RowStatus::Warning);
        let failed = Row::failed("c", "Why.", "");
        assert_eq!(worst(&[ok.clone(), failed.clone(), warning.clone()]), RowStatus::Failed);
        assert_eq!(failed.forced().status, RowStatus::Warning);
        assert_eq!(ok.clone().forced(), ok);
        assert_eq!(foot(&[ok, warning]), "\n1 ok, 1 warning, 0 failed\n");
    }

    #[test]
    fn the_keys_of_the_json_form_are_those_of_the_documentation() {
        let page: serde_json::Value =
            serde_json::from_str(&json(&[Row::failed("crd", "None.", "kubectl apply")]).unwrap()).unwrap();
        assert_eq!(page["status"], "failed");
        assert_eq!(page["version"], env!("CARGO_PKG_VERSION"));
        let row = serde_json::json!({
            "check": "crd", "status": "failed", "message": "None.", "fix": "kubectl apply",
        });
        assert_eq!(page["checks"], serde_json::json!([row]));
    }

    #[test]
    fn a_row_lists_five_names_and_counts_the_others() {
        let names = |count: usize| (1..=count).map(|number| format!("n{number}")).collect::<Vec<_>>();
        assert_eq!(named(&names(0)), "");
        assert_eq!(named(&names(5)), "n1, n2, n3, n4, n5");
        assert_eq!(named(&names(7)), "n1, n2, n3, n4, n5 and 2 more");
        assert_eq!((counted(1, "object"), counted(2, "object")), ("1 object".into(), "2 objects".into()));
    }
}
