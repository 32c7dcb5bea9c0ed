//! Every password that this process has written to a Secret or sent to AWS, in every encoding. No output may show one of them.
//!
//! The list belongs to the process and not to a fixture, because the log of one test may not show a password of another test either.
//! From the first password on, panics of tests are redacted too.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use k8s_openapi::ByteString;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// Shorter passwords are not looked for, because they occur in ordinary words.
const SHORTEST: usize = 8;
/// The characters that an HTTP form does not encode.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const BLOT: &str = "[password]";

/// The texts to look for. The longest comes first, so that a part of a text is not redacted before the whole text.
static FORMS: Mutex<BTreeSet<(std::cmp::Reverse<usize>, String)>> = Mutex::new(BTreeSet::new());

fn forms() -> MutexGuard<'static, BTreeSet<(std::cmp::Reverse<usize>, String)>> {
    FORMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers every string in this value.
pub(crate) fn remember(value: &Value) {
    match value {
        Value::String(text) => remember_password(text),
        Value::Array(values) => values.iter().for_each(remember),
        Value::Object(members) => members.values().for_each(remember),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Remembers a password, unchanged and in each encoding.
pub(crate) fn remember_password(text: &str) {
    static HOOK: Once = Once::new();
    HOOK.call_once(redact_panics);
    let trimmed = text.trim();
    let escaped = |text: &str| format!("{text:?}").trim_matches('"').to_owned();
    let written = [text, trimmed].into_iter().flat_map(|text| {
        let base64 = serde_json::to_value(ByteString(text.as_bytes().to_vec())).unwrap();
        let base64 = base64.as_str().unwrap().trim_end_matches('=').to_owned();
        let encoded = utf8_percent_encode(text, RESERVED).to_string();
        [text.to_owned(), escaped(text), base64, encoded.replace("%20", "+"), encoded]
    });
    let long = written.filter(|form| form.len() >= SHORTEST);
    forms().extend(long.map(|form| (std::cmp::Reverse(form.len()), form)));
}

/// The text with each password redacted.
pub(crate) fn redacted(text: &str) -> String {
    forms().iter().fold(text.to_owned(), |text, (_, form)| text.replace(form, BLOT))
}

/// Whether a password shows in the text.
pub(crate) fn shows_in(text: &str) -> bool {
    forms().iter().any(|(_, form)| text.contains(form))
}

/// Fails if the text shows a password, and prints the lines that show one, redacted.
pub(crate) fn assert_silent(what: &str, text: &str) {
    let guilty: Vec<String> = text.lines().filter(|line| shows_in(line)).map(redacted).collect();
    assert!(guilty.is_empty(), "a password shows in {what}:\n{}", guilty.join("\n"));
}

/// Prints what the standard panic hook prints, without passwords.
fn redact_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let name = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let said = redacted(panic.payload_as_str().unwrap_or("something that is no text"));
        let trace = Backtrace::capture();
        let trace =
            if trace.status() == BacktraceStatus::Captured { trace.to_string() } else { String::new() };
        // eprintln writes to the test's captured output.
        eprintln!("\nthread '{name}' panicked at {at}:\n{said}\n{trace}");
        let _ = std::io::stderr().flush();
    }));
}

#[test]
fn every_encoding_of_a_password_is_found_and_redacted_in_test_output() {
    remember_password("spelt in \"many\" ways+\n");
    for form in [
        "spelt in \"many\" ways+",
        r#"spelt in \"many\" ways+\n"#,
        "spelt+in+%22many%22+ways%2B",
        "spelt%20in%20%22many%22%20ways%2B",
        "c3BlbHQgaW4gIm1hbnkiIHdheXMrCg",
        "c3BlbHQgaW4gIm1hbnkiIHdheXMr",
    ] {
        let text = format!("value={form};");
        assert!(shows_in(&text));
        assert!(redacted(&text).starts_with("value=[password]"), "{}", redacted(&text));
        assert!(std::panic::catch_unwind(|| assert_silent("a text", &text)).is_err());
    }
    assert!(!shows_in("spelt in many ways"));
}
