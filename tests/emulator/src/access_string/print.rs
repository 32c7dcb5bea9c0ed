//! How the service prints what it understood.

use std::fmt;

use super::ParsedAccessString;
use super::selector_rules::{CommandRule, KeyRule, SelectorRules};

impl fmt::Display for ParsedAccessString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.on { "on" } else { "off" })?;
        if self.skips_sanitizing {
            f.write_str(" skip-sanitize-payload")?;
        }
        write!(f, " {}", self.root)?;
        for selector in &self.selectors {
            write!(f, " ({selector})")?;
        }
        Ok(())
    }
}

impl fmt::Display for SelectorRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_pattern = self.keys.iter().any(|key| key.pattern == "*" && key.read && key.write);
        if self.all_keys || by_pattern {
            f.write_str("~* ")?;
        } else {
            for KeyRule { pattern, read, write } in &self.keys {
                let access = match (read, write) {
                    (true, false) => "%R",
                    (false, true) => "%W",
                    (true, true) | (false, false) => "",
                };
                write!(f, "{access}~{pattern} ")?;
            }
        }
        if self.all_channels {
            f.write_str("&* ")?;
        }
        for channel in &self.channels {
            write!(f, "&{channel} ")?;
        }
        f.write_str(if self.all_commands { "+@all" } else { "-@all" })?;
        for CommandRule { allow, target } in &self.commands {
            write!(f, " {}{target}", if *allow { '+' } else { '-' })?;
        }
        Ok(())
    }
}
