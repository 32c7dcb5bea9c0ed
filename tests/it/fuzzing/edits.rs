//! Damages an input of the corpus: as bytes, as XML or as JSON.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// One change: the kind of the change, its place, and its word or source.
pub(super) type Edit = (u8, u16, u16);

/// The number of an input of the corpus, and the changes of the input.
pub(super) fn edits() -> impl Strategy<Value = (usize, Vec<Edit>)> {
    (any::<u16>().prop_map(usize::from), vec(any::<Edit>(), 0..5))
}

/// Words that have confused parsers.
const WORDS: [&str; 36] = [
    "",
    " ",
    "&amp;",
    "&#0;",
    "&#x10FFFF;",
    "&bogus;",
    "&",
    "<![CDATA[x]]>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>",
    "<!--",
    "]]>",
    "\0",
    "\u{FEFF}",
    "\u{202E}",
    "\u{1b}[31m",
    "\r\n",
    "-1",
    "99999999999999999999",
    "NaN",
    "true",
    "null",
    "2026-11-30T00:00:00Z",
    "-9999-01-01T00:00:00Z",
    "UserNotFound",
    "UserAlreadyExists",
    "Throttling",
    "InvalidUserState",
    "AccessDenied",
    "active",
    "deleting",
    "arn:aws:elasticache:eu-west-1:111122223333:user:app",
    "arn:::::",
    "The Canonical String",
    "(Request ID:",
    "encoded authorization failure message:",
    "on ~* +@all",
];

/// A word of the list, a word of `own`, or a long word.
fn word(number: u16, own: &[String]) -> String {
    let number = usize::from(number);
    match number % (WORDS.len() + own.len() + 2) {
        index if index < WORDS.len() => WORDS[index].to_owned(),
        index if index < WORDS.len() + own.len() => own[index - WORDS.len()].clone(),
        index if index.is_multiple_of(2) => "x".repeat(number % 5000),
        _ => "é".repeat(number % 700),
    }
}

/// A place in `0..length`.
fn at(place: u16, length: usize) -> usize {
    usize::from(place) * length / (usize::from(u16::MAX) + 1)
}

/// Makes random changes to the bytes. Some replace the text after an XML tag, or repeat a tag. Inserted words come from `WORDS` and
/// from `own`.
pub(super) fn damage(bytes: &mut Vec<u8>, edits: &[Edit], own: &[String]) {
    for (kind, place, with) in edits {
        let position = at(*place, bytes.len());
        let tags: Vec<usize> = (0..bytes.len()).filter(|index| bytes[*index] == b'<').collect();
        let tag = tags.get(at(*place, tags.len())).copied().unwrap_or_default();
        let text = bytes[tag..].iter().position(|byte| *byte == b'>').map_or(tag, |end| tag + end + 1);
        let text_end = bytes[text..].iter().position(|byte| *byte == b'<').map_or(text, |end| text + end);
        let word = word(*with, own).into_bytes();
        let piece = position..(position + usize::from(*with) % 64).min(bytes.len());
        let replaced = match kind % 9 {
            0 | 1 => {
                bytes.splice(text..text_end, word);
                continue;
            }
            2 => {
                bytes.splice(position..position, word);
                continue;
            }
            3 => {
                bytes.truncate(position);
                continue;
            }
            4 => Vec::new(),
            5 => vec![with.to_be_bytes()[0]],
            6 => [&bytes[piece.clone()], &bytes[piece.clone()]].concat(),
            7 => bytes[tag..text].repeat(usize::from(*with) % 3000),
            _ => {
                let other = at(*with, bytes.len());
                bytes[other..(other + 40).min(bytes.len())].to_vec()
            }
        };
        bytes.splice(piece, replaced);
    }
}

/// Every value in `value` and below it, by its JSON pointer.
fn pointers(value: &Value, to: String, all: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers(member, format!("{to}/{name}"), all);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, format!("{to}/{index}"), all);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    all.push(to);
}

/// A value of another type than before, or an unusual value of the same type.
fn unusual(with: u16, before: &Value) -> Value {
    match with % 16 {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(with),
        3 => json!(-1.5e300),
        4 => json!(i64::MIN),
        5 => json!(u64::MAX),
        6 => json!([]),
        7 => json!({}),
        8 => json!([before, before, before]),
        9 => (0..with % 100).fold(before.clone(), |inner, _| json!({ "type": inner })),
        10 => json!([before, null, { "secretKeyRef": null }]),
        _ => json!(word(with / 16, &[])),
    }
}

/// Damages values anywhere in `value`: unusual values, values that are missing or have another name, and values of other places.
pub(super) fn damage_json(value: &mut Value, edits: &[Edit]) {
    for (kind, place, with) in edits {
        let mut all = Vec::new();
        pointers(value, String::new(), &mut all);
        let pointer = &all[at(*place, all.len())];
        let other = value.pointer(&all[at(*with, all.len())]).cloned().unwrap_or_default();
        let Some(target) = value.pointer_mut(pointer) else { continue };
        match (kind % 4, target) {
            (0, Value::Object(members)) => {
                let names: Vec<String> = members.keys().cloned().collect();
                members.remove(names.get(at(*with, names.len())).map_or("", String::as_str));
            }
            (1, Value::Object(members)) => {
                let moved: Map<String, Value> =
                    members.iter().map(|(name, member)| (name.to_uppercase(), member.clone())).collect();
                members.extend(moved);
            }
            (2, target) => *target = other,
            (_, target) => *target = unusual(*with, target),
        }
    }
}
