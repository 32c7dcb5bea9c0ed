//! The canonical form of an access string: what the service returns for what it was sent.
//!
//! The service does not return an access string as it was sent. It prints what it understood, as `ACL LIST` of Valkey
//! 7.2 and later does (B31-B36, B105). [`canonical`] reads the words from left to right, and prints state, payload
//! flag, keys, channels, commands and selectors, in this order, with one space between words.
//!
//! | sent | returned | from |
//! |---|---|---|
//! | neither `on` nor `off` | `off` | B31 |
//! | no `+@all` | `-@all` before the commands | B32 |
//! | `off +get ~keys*` | `off ~keys* -@all +get` | B33 |
//! | `on allkeys allcommands` | `on ~* +@all` | B34 |
//! | `on ~* +@all` | unchanged | B35 |
//! | `on ~app::* -@all +@read -setbit` | unchanged | B36 |
//! | `+config\|get +config` | `-@all +config` | B105 |
//! | `%R~a %W~a` | `~a` | B105 |
//! | `sanitize-payload` | nothing | B105 |
//!
//! If those facts are silent, Valkey's own rules hold:
//! - `~*` and `&*` replace the patterns before them, and a pattern after them is refused.
//! - `+@all` and `-@all` (`allcommands`, `nocommands`) replace the command rules before them.
//! - A command rule replaces the earlier ones for the same command and for its sub-commands.
//! - `clearselectors` removes the selectors before it.
//!
//! Different from Valkey: no `resetchannels` is printed, because none was seen in an answer of ElastiCache; an empty
//! pattern is refused; `%RW~*` is printed as `~*` without the other patterns, because servers refuse to read
//! `~* ~a` again; names of commands are not looked up; quotes in a selector are ordinary letters.
//!
//! The canonical form of a canonical form is itself (a property in the tests).

mod print;
mod selector_rules;
#[cfg(test)]
mod tests;

use std::fmt;

use selector_rules::SelectorRules;

/// Why an access string is refused. `Display` prints the service's sentence (B37-B40).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// `nopass`, `resetpass` or a word that begins with `>`, `<`, `#` or `!` (B37).
    PasswordRule,
    /// `reset`, `resetkeys` or `resetchannels` (B38).
    ResetRule,
    /// A category that the service does not know (B40).
    Category,
    /// Any other word that is no rule (B39), or a pattern after `~*` or `&*`.
    Word,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PasswordRule => {
                "Password rules are not supported in Elasticache access string. \
                 Please use Passwords parameter to set/modify user password."
            }
            Self::ResetRule => "reset rule is not supported in Elasticache user api",
            Self::Category => "Access string contains invalid category(s)",
            Self::Word => "The access-string is invalid.",
        })
    }
}

impl std::error::Error for Invalid {}

/// The canonical form of `text`, or why the service refuses it. An empty string means a user that is `off` and may do
/// nothing.
pub fn canonical(text: &str) -> Result<String, Invalid> {
    Ok(ParsedAccessString::parse(text)?.to_string())
}

/// The words of `text`. ASCII blanks separate them, those of C's `isspace`: space, tab, line feed, carriage return,
/// vertical tab and form feed. A no-break space is part of a word (B105).
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', '\n', '\r', '\x0b', '\x0c']).filter(|word| !word.is_empty())
}

#[derive(Default)]
struct ParsedAccessString {
    on: bool,
    skips_sanitizing: bool,
    root: SelectorRules,
    selectors: Vec<SelectorRules>,
}

impl ParsedAccessString {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let mut parsed = Self::default();
        let mut words = words(text);
        while let Some(word) = words.next() {
            if let Some(first) = word.strip_prefix('(') {
                parsed.selectors.push(selector(first, &mut words)?);
                continue;
            }
            match word.to_ascii_lowercase().as_str() {
                "on" => parsed.on = true,
                "off" => parsed.on = false,
                "sanitize-payload" => parsed.skips_sanitizing = false,
                "skip-sanitize-payload" => parsed.skips_sanitizing = true,
                "clearselectors" => parsed.selectors.clear(),
                _ => parsed.root.read(word)?,
            }
        }
        Ok(parsed)
    }
}

/// Reads a selector up to the word that ends in `)`. `first` is its first word without the `(`.
fn selector<'a>(first: &'a str, rest: &mut impl Iterator<Item = &'a str>) -> Result<SelectorRules, Invalid> {
    let mut rules = SelectorRules::default();
    let mut word = first;
    loop {
        let (inner, is_last) = match word.strip_suffix(')') {
            Some(inner) => (inner, true),
            None => (word, false),
        };
        // A pattern that itself ends in `)` would end the selector when the printed form is read again.
        if inner.ends_with(')') {
            return Err(Invalid::Word);
        }
        if !inner.is_empty() {
            rules.read(inner)?;
        }
        if is_last {
            return Ok(rules);
        }
        word = rest.next().ok_or(Invalid::Word)?;
    }
}
