//! Pure: turns AWS's text into a sentence for a condition. The sentence is short and contains no secret. If AWS repeats the error,
//! the sentence is the same, because a different one would cause a status write.

use plan::Password;

/// Longest message, in bytes.
const LONGEST: usize = 512;
/// Longest error code, in characters.
const LONGEST_CODE: usize = 64;
/// Replaces a password that AWS repeated.
const REDACTED: &str = "[redacted]";

/// AWS's text without the passwords of the call, and without parts that change from call to call: request IDs, attempts, times,
/// temporary access keys, session names, socket addresses and encoded authorization messages.
pub(crate) fn stable(text: &str, passwords: &[Password]) -> String {
    // A control character must not get into a condition or a line of a log.
    let text = without_passwords(text, passwords).replace(char::is_control, " ");
    // AWS prints the request, with its time and signature, after these words.
    let text = ["The Canonical String", "The canonical string"]
        .iter()
        .fold(text.as_str(), |text, cut| text.find(cut).and_then(|at| text.get(..at)).unwrap_or(text));
    let mut kept: Vec<String> = Vec::new();
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let next = words.peek().copied();
        match label(word, next) {
            Label::None => kept.push(steady(word)),
            Label::WithValue(more) => {
                // Remove the value too, but not the punctuation after it.
                let value = if more == 0 { Some(word) } else { words.by_ref().nth(more - 1) };
                close(&mut kept, word, value.unwrap_or_default());
            }
        }
    }
    end_sentence(bounded(&kept.join(" ")))
}

/// An error code, reduced to the characters that AWS uses in codes.
pub(crate) fn code(text: &str, passwords: &[Password]) -> String {
    let text = without_passwords(text, passwords);
    text.chars().filter(|c| in_code(*c)).take(LONGEST_CODE).collect()
}

/// Whether this is a code as AWS writes it.
pub(crate) fn is_code(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(in_code)
}

fn in_code(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

pub(crate) fn without_passwords(text: &str, passwords: &[Password]) -> String {
    let mut secrets: Vec<String> = passwords.iter().flat_map(|password| forms(password.expose())).collect();
    // One password may contain another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, REDACTED))
}

/// A password as it is, and as AWS may repeat it from the request or write it into its document: percent-encoded, as a form
/// value, and escaped for XML or for a literal.
fn forms(password: &str) -> [String; 6] {
    let encoded = |upper: bool| -> String {
        let code = |byte: u8| match byte {
            plain if plain.is_ascii_alphanumeric() || b"-._~".contains(&plain) => {
                char::from(plain).to_string()
            }
            other if upper => format!("%{other:02X}"),
            other => format!("%{other:02x}"),
        };
        password.bytes().map(code).collect()
    };
    let escaped = password.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let literal = password.escape_debug().to_string();
    let form = encoded(true).replace("%20", "+");
    [password.to_owned(), encoded(true), encoded(false), escaped, literal, form]
}

/// Whether a word begins something that changes from call to call.
enum Label {
    None,
    /// It is a label, and its value is this many words later.
    WithValue(usize),
}

fn label(word: &str, next: Option<&str>) -> Label {
    let plain = |word: &str| word.trim_start_matches(['(', '[', ',', ';']).to_ascii_lowercase();
    let (word, next) = (plain(word), next.map(plain).unwrap_or_default());
    match (word.as_str(), next.as_str()) {
        ("requestid:" | "requestid" | "request-id:" | "x-amzn-requestid:", _) => Label::WithValue(1),
        ("request", "id:" | "id") => Label::WithValue(2),
        ("extended", "request") | ("sdk", "attempt") => Label::WithValue(3),
        ("encoded", "authorization") => Label::WithValue(4),
        ("attempt", count) if count.starts_with(|c: char| c.is_ascii_digit()) => Label::WithValue(1),
        (glued, _) if glued.starts_with("requestid=") || glued.starts_with("requestid:") => {
            Label::WithValue(0)
        }
        _ => Label::None,
    }
}

/// Closes the text before a removed label: `(Status Code: 400, Request ID: x)` becomes `(Status Code: 400)`.
fn close(kept: &mut [String], label: &str, value: &str) {
    let opened = label.starts_with(['(', '[']);
    let tail: String = value.chars().rev().take_while(|c| ")].,;".contains(*c)).collect();
    let tail: String = tail.chars().rev().skip_while(|c| opened && ")]".contains(*c)).collect();
    let Some(last) = kept.last_mut() else { return };
    if tail.is_empty() || tail.starts_with([',', ';']) {
        return;
    }
    let end = last.trim_end_matches([',', ';', '.']).len();
    last.truncate(end);
    last.push_str(&tail);
}

/// The word without parts that change. Punctuation around it stays.
fn steady(word: &str) -> String {
    let core = word.trim_matches(|c: char| "(){}<>\"'`,;.!?".contains(c));
    if core.is_empty() {
        return word.to_owned();
    }
    let replacement = if let Some(role) = without_session(core) {
        role
    } else if is_time(core) {
        "[time]".to_owned()
    } else if is_access_key(core) {
        "[access key]".to_owned()
    } else if is_uuid(core) {
        "[id]".to_owned()
    } else if core.parse::<std::net::SocketAddr>().is_ok() || core.parse::<std::net::IpAddr>().is_ok() {
        "[address]".to_owned()
    } else {
        return word.to_owned();
    };
    word.replacen(core, &replacement, 1)
}

/// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION` without the session, because a session's name may contain a time.
fn without_session(word: &str) -> Option<String> {
    let (before, after) = word.split_once(":assumed-role/")?;
    let (role, _) = after.split_once('/')?;
    Some(format!("{before}:assumed-role/{role}"))
}

/// `20261124T044128Z` or `2026-11-24T04:41:28.123Z`.
fn is_time(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let shape = word.bytes().all(|b| b.is_ascii_digit() || b"TZ:-.+".contains(&b));
    shape && digits >= 14 && word.contains('T')
}

fn is_access_key(word: &str) -> bool {
    (word.starts_with("AKIA") || word.starts_with("ASIA"))
        && word.len() >= 16
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

fn is_uuid(word: &str) -> bool {
    let lengths: Vec<usize> = word.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

fn bounded(text: &str) -> String {
    // One byte is left for the full stop.
    if text.len() < LONGEST {
        return text.to_owned();
    }
    let mut end = LONGEST - 3;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", text.get(..end).unwrap_or_default())
}

/// Adds a full stop if there is none, because a condition continues after it.
fn end_sentence(text: String) -> String {
    match text.trim_end_matches([' ', ',', ';', ':']) {
        "" => "AWS gives no explanation.".to_owned(),
        ended if ended.ends_with(['.', '!', '?']) => ended.to_owned(),
        open => format!("{open}."),
    }
}

#[cfg(test)]
mod tests;
