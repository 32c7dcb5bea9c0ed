//! Text for people, as it may get into a condition, an event or a line of a log.

use std::borrow::Cow;
use std::fmt::Write;

/// The format characters of Unicode 16 (Cf). `char` has no method for them.
const FORMAT: [(char, char); 21] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{2064}'),
    ('\u{2066}', '\u{206f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0001}', '\u{e0001}'),
    ('\u{e0020}', '\u{e007f}'),
];

/// Whether nobody sees the character, although it changes how a line is shown: control, format, line and paragraph separators.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}')
        || FORMAT.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// The text with its invisible characters as Rust writes them: a line feed becomes `\n`, an escape character `\u{1b}`. The text
/// may come from AWS, a spec or a tag. It must not forge a line of a log, or send commands to a terminal.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_invisible(c) {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// The beginning of a text, with three dots if the text has more bytes than that.
#[must_use]
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let end = (0..=most).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0);
    Cow::Owned(format!("{} ...", text.get(..end).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_escaped_and_visible_ones_stay() {
        let rows = [
            ("a plain text, with \"quotes\" and a \\", "a plain text, with \"quotes\" and a \\"),
            ("ö 日本 é e\u{301}", "ö 日本 é e\u{301}"),
            ("x\n2026 INFO forged\r\n", "x\\n2026 INFO forged\\r\\n"),
            ("\u{1b}[31mred\u{9b}2J\u{7f}", "\\u{1b}[31mred\\u{9b}2J\\u{7f}"),
            ("a\u{202e}b\u{2028}c\u{200b}", "a\\u{202e}b\\u{2028}c\\u{200b}"),
        ];
        for (text, expected) in rows {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened("öö", 3), "ö ...");
    }
}
