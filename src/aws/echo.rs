//! Pure: whether AWS's text repeats a part of a password, in whatever clothes.
//!
//! `sanitize` blots out whole passwords in the forms in which AWS is likely to repeat them. This module finds the rest: passwords
//! that are cut, in another case, or in base64. What is left of such a text cannot be trusted, so all of it is withheld.

use std::collections::HashSet;

use plan::Password;

use crate::sanitize;

/// As many characters of a password in a row give it away.
const RUN: usize = 6;
/// Bytes of a text that are examined. `withheld` replaces a longer one.
const EXAMINED: usize = 16 << 10;
/// How often a text is decoded: a password may be encoded twice.
const ROUNDS: usize = 2;
/// Words of AWS's own sentences. They give nothing away, even if a password contains them.
const VOCABULARY: [&str; 12] = [
    "access-string",
    "access string",
    "authentication",
    "characters",
    "elasticache",
    "incorrect",
    "invalid",
    "parameter",
    "passwords",
    "required",
    "username",
    "default",
];

/// Whether the text repeats a part of one of the passwords. The forms that `sanitize` blots out do not count.
pub(crate) fn repeats(text: &str, passwords: &[Password]) -> bool {
    if passwords.is_empty() {
        return false;
    }
    let text = sanitize::without_passwords(text, passwords);
    let runs: HashSet<Vec<u8>> = passwords.iter().flat_map(runs).collect();
    text.len() > EXAMINED || decoded(&text).iter().any(|text| text.windows(RUN).any(|run| runs.contains(run)))
}

/// Stands in for AWS's text. It keeps what `plan` reads in the text: whether it is about the access string.
pub(crate) fn withheld(text: &str) -> String {
    let text = text.to_lowercase();
    let about = ["access string", "access-string", "accessstring", "category", "rule"];
    let about = if about.iter().any(|word| text.contains(word)) { " of the access string" } else { "" };
    format!("AWS's explanation{about} is not shown, because it repeats a part of a password.")
}

fn runs(password: &Password) -> Vec<Vec<u8>> {
    let password = password.expose().to_ascii_lowercase();
    let is_word =
        |run: &[u8]| VOCABULARY.iter().any(|word| word.as_bytes().windows(RUN).any(|part| part == run));
    password.as_bytes().windows(RUN).filter(|run| !is_word(run)).map(<[u8]>::to_vec).collect()
}

/// The text in lower case, and everything that it may be an encoding of.
fn decoded(text: &str) -> Vec<Vec<u8>> {
    let mut all = HashSet::from([text.as_bytes().to_vec()]);
    let mut last: Vec<Vec<u8>> = all.iter().cloned().collect();
    for _ in 0..ROUNDS {
        let next = last.iter().flat_map(|text| {
            [percent(text), entities(text), backslashes(text), hexadecimal(text)]
                .into_iter()
                .chain(base64(text))
        });
        let next: Vec<Vec<u8>> = next.filter(|text| all.insert(text.clone())).collect();
        last = next;
    }
    all.into_iter().map(|text| text.to_ascii_lowercase()).collect()
}

/// Replaces each part that `decode` understands. `decode` returns what the beginning of the bytes stands for, and its length.
fn replaced(text: &[u8], decode: impl Fn(&[u8]) -> Option<(Vec<u8>, usize)>) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((first, others)) = rest.split_first() {
        match decode(rest) {
            Some((bytes, length)) => {
                out.extend(bytes);
                rest = rest.get(length.max(1)..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = others;
            }
        }
    }
    out
}

/// `%3E` and `+`.
fn percent(text: &[u8]) -> Vec<u8> {
    replaced(text, |rest| match rest {
        [b'%', digits @ ..] => Some((vec![byte(digits)?], 3)),
        [b'+', ..] => Some((vec![b' '], 1)),
        _ => None,
    })
}

/// `&gt;`, `&#62;` and `&#x3e;`.
fn entities(text: &[u8]) -> Vec<u8> {
    replaced(text, |rest| {
        let inner = rest.strip_prefix(b"&")?;
        let end = inner.iter().take(10).position(|byte| *byte == b';')?;
        let name = std::str::from_utf8(inner.get(..end)?).ok()?.to_ascii_lowercase();
        let c = match name.as_str() {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(digits) => u32::from_str_radix(digits, 16),
                    None => number.parse(),
                };
                char::from_u32(code.ok()?)?
            }
        };
        Some((c.to_string().into_bytes(), end + 2))
    })
}

/// `\x3e`, `\u003e`, `\u{3e}` and a backslash before any other sign.
fn backslashes(text: &[u8]) -> Vec<u8> {
    replaced(text, |rest| match rest {
        [b'\\', b'x', digits @ ..] => Some((vec![byte(digits)?], 4)),
        [b'\\', b'u', b'{', digits @ ..] => {
            let end = digits.iter().take(7).position(|byte| *byte == b'}')?;
            Some((character(digits.get(..end)?)?, end + 4))
        }
        [b'\\', b'u', digits @ ..] => Some((character(digits.get(..4)?)?, 6)),
        [b'\\', sign, ..] => Some((vec![*sign], 2)),
        _ => None,
    })
}

fn character(digits: &[u8]) -> Option<Vec<u8>> {
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some(char::from_u32(code)?.to_string().into_bytes())
}

fn byte(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits.get(..2)?).ok()?, 16).ok()
}

/// Pairs of hexadecimal digits. A word such as `face` is decoded too, which does no harm.
fn hexadecimal(text: &[u8]) -> Vec<u8> {
    replaced(text, |rest| Some((vec![byte(rest)?], 2)))
}

/// Both alphabets. A part that was cut out of a base64 text may begin at any of four characters.
fn base64(text: &[u8]) -> Vec<Vec<u8>> {
    let words = text.split(|byte| digit(*byte).is_none()).filter(|word| word.len() >= RUN);
    let decode = |word: &[u8]| -> Vec<u8> {
        let bits = |four: &[u8]| four.iter().fold(0_u32, |bits, byte| bits << 6 | digit(*byte).unwrap_or(0));
        let three = |four: &[u8]| (bits(four) << (6 * (4 - four.len()))).to_be_bytes();
        word.chunks(4).flat_map(|four| three(four).into_iter().skip(1).take(four.len() * 6 / 8)).collect()
    };
    words
        .flat_map(|word| (0..4).map(move |skipped| decode(word.get(skipped..).unwrap_or_default())))
        .collect()
}

fn digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests;
