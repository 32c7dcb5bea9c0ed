//! Pure: what an access string means, whatever its form.
//!
//! ElastiCache hands an access string back in a form of its own (B31-B36): `off +get ~keys*` returns as
//! `off ~keys* -@all +get`. [`same_meaning`] tells such a pair from a real difference. A text that this module cannot read
//! is compared literally, white space apart: AWS may learn rules that it does not know.

/// Whether both texts give the same rights.
#[must_use]
pub fn same_meaning(one: &str, other: &str) -> bool {
    match (Rules::parse(one), Rules::parse(other)) {
        (Some(one), Some(other)) => one == other,
        (None, _) | (_, None) => one.split_whitespace().eq(other.split_whitespace()),
    }
}

/// An access string without its accidents: redundant and overruled rules dropped, sets sorted.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Rules {
    on: bool,
    sanitize: Option<String>,
    keys: Vec<String>,
    channels: Vec<String>,
    /// In order, as a later rule overrules an earlier one; the first is always `+@all` or `-@all`.
    commands: Vec<String>,
    selectors: Vec<Rules>,
}

impl Rules {
    fn parse(text: &str) -> Option<Self> {
        let mut rules = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let end = if rest.starts_with('(') { rest.find(')')? + 1 } else { word_end(rest) };
            let (token, after) = rest.split_at(end);
            rules.take(token)?;
            rest = after.trim_start();
        }
        rules.tidy();
        Some(rules)
    }

    fn take(&mut self, token: &str) -> Option<()> {
        if let Some(inner) = token.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
            self.selectors.push(Self::parse(inner)?);
            return Some(());
        }
        if let Some(pattern) = token.strip_prefix('~') {
            self.keys.push(format!("~{pattern}"));
            return Some(());
        }
        if token.starts_with('%') {
            let (permission, pattern) = token.split_once('~')?;
            self.keys.push(match permission.to_ascii_uppercase().as_str() {
                "%RW" | "%WR" => format!("~{pattern}"),
                one @ ("%R" | "%W") => format!("{one}~{pattern}"),
                _ => return None,
            });
            return Some(());
        }
        if token.starts_with('&') {
            self.channels.push(token.to_owned());
            return Some(());
        }
        self.take_word(&token.to_ascii_lowercase())
    }

    fn take_word(&mut self, word: &str) -> Option<()> {
        match word {
            "on" => self.on = true,
            "off" => self.on = false,
            "allkeys" => self.keys.push("~*".to_owned()),
            "resetkeys" => self.keys.clear(),
            "allchannels" => self.channels.push("&*".to_owned()),
            "resetchannels" => self.channels.clear(),
            "allcommands" => self.commands.push("+@all".to_owned()),
            "nocommands" => self.commands.push("-@all".to_owned()),
            "clearselectors" => self.selectors.clear(),
            "sanitize-payload" | "skip-sanitize-payload" => self.sanitize = Some(word.to_owned()),
            command if command.len() > 1 && command.starts_with(['+', '-']) => {
                self.commands.push(command.to_owned());
            }
            _ => return None,
        }
        Some(())
    }

    fn tidy(&mut self) {
        for (patterns, everything) in [(&mut self.keys, "~*"), (&mut self.channels, "&*")] {
            if patterns.iter().any(|pattern| pattern == everything) {
                *patterns = vec![everything.to_owned()];
            }
            patterns.sort();
            patterns.dedup();
        }
        self.selectors.sort();
        self.selectors.dedup();
        let blanket = self.commands.iter().rposition(|rule| rule == "+@all" || rule == "-@all");
        match blanket {
            Some(last) => drop(self.commands.drain(..last)),
            None => self.commands.insert(0, "-@all".to_owned()),
        }
        let rules = std::mem::take(&mut self.commands);
        for (index, rule) in rules.iter().enumerate() {
            let overruled = rules.iter().skip(index + 1).any(|later| later.get(1..) == rule.get(1..));
            if !overruled {
                self.commands.push(rule.clone());
            }
        }
    }
}

fn word_end(text: &str) -> usize {
    text.find(char::is_whitespace).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::same_meaning;

    #[test]
    fn the_forms_that_aws_returns_mean_what_was_sent() {
        let rows = [
            (
                "a missing state is off",
                "~objects:* ~items:* ~public:*",
                "off ~objects:* ~items:* ~public:* -@all",
            ),
            ("tokens are reordered", "off +get ~keys*", "off ~keys* -@all +get"),
            ("words become patterns", "on allkeys allcommands", "on ~* +@all"),
            ("the plain one is unchanged", "on ~* +@all", "on ~* +@all"),
            ("white space means nothing", "  on   ~*  +@all ", "on ~* +@all"),
            ("words have no case", "ON ~* +@ALL", "on ~* +@all"),
            ("what a blanket rule overrules is gone", "on ~* +get -@all +set", "on ~* -@all +set"),
            ("a rule said twice counts once", "on ~a ~a -@all +get +get", "on ~a -@all +get"),
            ("key patterns are a set", "on ~b ~a +@all", "on ~a ~b +@all"),
            ("every key swallows the others", "on ~a ~* +@all", "on ~* +@all"),
            ("both permissions are a plain pattern", "on %RW~a +@all", "on ~a +@all"),
            ("the last state wins", "off ~* +@all on", "on ~* +@all"),
            ("selectors are read too", "on -@all (+get ~a)", "on -@all (~a -@all +get)"),
            ("channels by word", "on ~* allchannels +@all", "on ~* &* +@all"),
            ("nocommands is a blanket rule", "on ~* +get nocommands", "on ~* -@all"),
            ("resetkeys forgets the keys before it", "on ~a resetkeys ~b +@all", "on ~b +@all"),
            ("resetchannels forgets the channels", "on ~* &a resetchannels +@all", "on ~* +@all"),
            ("clearselectors forgets the selectors", "on -@all (+get ~a) clearselectors", "on -@all"),
            ("a permission is a key pattern like others", "%R~a +@all on %W~b", "on %W~b %R~a +@all"),
            (
                "payload checks stand anywhere",
                "skip-sanitize-payload on ~* +@all",
                "on ~* +@all skip-sanitize-payload",
            ),
            ("an unknown rule in the same words", "on  frobnicate ~*", "on frobnicate ~*"),
        ];
        for (claim, sent, returned) in rows {
            assert!(same_meaning(sent, returned), "{claim}: {sent:?} against {returned:?}");
            assert!(same_meaning(returned, sent), "{claim}, the other way round");
        }
    }

    #[test]
    fn a_real_difference_is_one() {
        let rows = [
            ("state", "on ~* +@all", "off ~* +@all"),
            ("keys", "on ~a +@all", "on ~b +@all"),
            ("key patterns keep their case", "on ~a +@all", "on ~A +@all"),
            ("read permission is less than both", "on %R~a +@all", "on ~a +@all"),
            ("commands", "on ~* +@all", "on ~* -@all +@read"),
            ("one command less", "on ~* -@all +get +set", "on ~* -@all +get"),
            ("one command among others", "on ~* -@all +get +set", "on ~* -@all +mget +set"),
            ("what the commands begin with", "on ~* +@all -get", "on ~* -@all -get"),
            ("the order of commands matters", "on ~* +@all -get +@read", "on ~* +@all +@read -get"),
            ("channels", "on ~* +@all", "on ~* &a +@all"),
            ("selectors", "on -@all (~a +get)", "on -@all (~b +get)"),
            ("payload checks", "on ~* +@all", "on ~* skip-sanitize-payload +@all"),
            ("unknown rules are compared literally", "on frobnicate", "on frobnicated"),
            ("an unknown permission is not one that is known", "on %X~a +@all", "on ~a +@all"),
            ("a lone sign is no rule", "on ~* +@all +", "on ~* +@all"),
            ("what cannot be read is compared word by word", "on + ~*", "on ~* +"),
            ("a selector that does not end", "on (~a", "on ~a"),
        ];
        for (claim, one, other) in rows {
            assert!(!same_meaning(one, other), "{claim}: {one:?} against {other:?}");
        }
    }
}
