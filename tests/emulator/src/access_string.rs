//! The access string's canonical form: what the service gives back for what it was sent.
//!
//! The service does not keep an access string as it was typed: it prints what it understood, in the order of
//! Redis's `ACL LIST` (B31-B36). [`canonical`] does the same in three steps, each a function here:
//!
//! 1. *parse*: words are read from left to right. The later word wins where two say the same, a word that is
//!    covered by another is dropped.
//! 2. *order*: state, payload flag, keys, channels, commands, selectors.
//! 3. *print*: one space between words, keywords and command names in lower case.
//!
//! | typed | printed | from |
//! |---|---|---|
//! | neither `on` nor `off` | `off` | B31 |
//! | no `+@all` | `-@all` before the commands | B32 |
//! | `off +get ~keys*` | `off ~keys* -@all +get` | B33 |
//! | `on allkeys allcommands` | `on ~* +@all` | B34 |
//! | `on ~* +@all` | unchanged | B35 |
//! | `on ~app::* -@all +@read -setbit` | unchanged | B36 |
//!
//! Where those facts are silent the rules are Redis's own: `%RW~p` is `~p`, `%R~p %W~p` is `~p`; `~*` covers every
//! other key and `&*` every other channel; `+@all` and `-@all` (`allcommands`, `nocommands`) forget the command
//! words before them; a command word replaces an earlier one for the same command and for its subcommands;
//! `clearselectors` forgets the selectors before it. No channel word is added where none was typed.
//!
//! Printing is idempotent: the canonical form of a canonical form is itself (a property in the tests).
//! Command names are not looked up in any list: which commands the service knows or forbids is not established.

use std::fmt;

/// The categories that the service accepts after `+@` and `-@`, beside `all`.
const CATEGORIES: &str = "admin bitmap blocking connection dangerous fast geo hash hyperloglog keyspace list pubsub \
                          read scripting set sortedset slow stream string transaction write";

/// Why an access string is refused; its `Display` is the service's sentence (B37-B40).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// `nopass`, `resetpass` or a word that begins with `>`, `<`, `#` or `!` (B37).
    PasswordRule,
    /// `reset`, `resetkeys` or `resetchannels` (B38).
    ResetRule,
    /// A category that the service does not know (B40).
    Category,
    /// Any other word that is no rule (B39).
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

/// The canonical form of `text`, or why the service refuses it. An empty string is a user that is `off` and may
/// do nothing.
pub fn canonical(text: &str) -> Result<String, Invalid> {
    Ok(Rules::parse(text)?.to_string())
}

/// All that an access string says.
#[derive(Default)]
struct Rules {
    on: bool,
    /// `sanitize-payload` or `skip-sanitize-payload`, where typed.
    payload: Option<&'static str>,
    root: Permissions,
    selectors: Vec<Permissions>,
}

impl Rules {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let mut rules = Self::default();
        let mut words = text.split_ascii_whitespace();
        while let Some(word) = words.next() {
            if let Some(first) = word.strip_prefix('(') {
                rules.selectors.push(selector(first, &mut words)?);
                continue;
            }
            match word.to_ascii_lowercase().as_str() {
                "on" => rules.on = true,
                "off" => rules.on = false,
                "sanitize-payload" => rules.payload = Some("sanitize-payload"),
                "skip-sanitize-payload" => rules.payload = Some("skip-sanitize-payload"),
                "clearselectors" => rules.selectors.clear(),
                _ => rules.root.read(word)?,
            }
        }
        Ok(rules)
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.on { "on" } else { "off" })?;
        if let Some(payload) = self.payload {
            write!(f, " {payload}")?;
        }
        write!(f, " {}", self.root)?;
        for selector in &self.selectors {
            write!(f, " ({selector})")?;
        }
        Ok(())
    }
}

/// Reads a selector whose opening parenthesis is gone from `first`, up to the word that ends in `)`.
fn selector<'a>(first: &'a str, rest: &mut impl Iterator<Item = &'a str>) -> Result<Permissions, Invalid> {
    let mut permissions = Permissions::default();
    let mut word = first;
    loop {
        let (inner, last) = match word.strip_suffix(')') {
            Some(inner) => (inner, true),
            None => (word, false),
        };
        // A pattern that itself ends in `)` could not be told from the selector's end when printed.
        if inner.ends_with(')') {
            return Err(Invalid::Word);
        }
        if !inner.is_empty() {
            permissions.read(inner)?;
        }
        if last {
            return Ok(permissions);
        }
        word = rest.next().ok_or(Invalid::Word)?;
    }
}

/// What the root or one selector permits.
#[derive(Default)]
struct Permissions {
    keys: Vec<Key>,
    channels: Vec<String>,
    /// The base that `commands` changes: everything (`+@all`) or nothing (`-@all`).
    all_commands: bool,
    commands: Vec<Command>,
}

struct Key {
    pattern: String,
    read: bool,
    write: bool,
}

struct Command {
    allow: bool,
    /// `get`, `config|get` or `@read`.
    target: String,
}

impl Permissions {
    fn read(&mut self, word: &str) -> Result<(), Invalid> {
        match word.to_ascii_lowercase().as_str() {
            "allkeys" => self.key("*", true, true)?,
            "allchannels" => self.channel("*")?,
            "allcommands" => self.every_command(true),
            "nocommands" => self.every_command(false),
            "nopass" | "resetpass" => return Err(Invalid::PasswordRule),
            "reset" | "resetkeys" | "resetchannels" => return Err(Invalid::ResetRule),
            _ => self.read_prefixed(word)?,
        }
        Ok(())
    }

    fn read_prefixed(&mut self, word: &str) -> Result<(), Invalid> {
        let mut letters = word.chars();
        let prefix = letters.next();
        let rest = letters.as_str();
        match prefix {
            Some('>' | '<' | '#' | '!') => Err(Invalid::PasswordRule),
            Some('~') => self.key(rest, true, true),
            Some('%') => {
                let (flags, pattern) = rest.split_once('~').ok_or(Invalid::Word)?;
                let (read, write) = match flags.to_ascii_uppercase().as_str() {
                    "R" => (true, false),
                    "W" => (false, true),
                    "RW" | "WR" => (true, true),
                    _ => return Err(Invalid::Word),
                };
                self.key(pattern, read, write)
            }
            Some('&') => self.channel(rest),
            Some('+') => self.command(true, rest),
            Some('-') => self.command(false, rest),
            _ => Err(Invalid::Word),
        }
    }

    fn key(&mut self, pattern: &str, read: bool, write: bool) -> Result<(), Invalid> {
        if pattern.is_empty() {
            return Err(Invalid::Word);
        }
        match self.keys.iter_mut().find(|key| key.pattern == pattern) {
            Some(key) => {
                key.read |= read;
                key.write |= write;
            }
            None => self.keys.push(Key { pattern: pattern.to_owned(), read, write }),
        }
        Ok(())
    }

    fn channel(&mut self, pattern: &str) -> Result<(), Invalid> {
        if pattern.is_empty() {
            return Err(Invalid::Word);
        }
        if !self.channels.iter().any(|channel| channel == pattern) {
            self.channels.push(pattern.to_owned());
        }
        Ok(())
    }

    fn every_command(&mut self, allow: bool) {
        self.all_commands = allow;
        self.commands.clear();
    }

    fn command(&mut self, allow: bool, name: &str) -> Result<(), Invalid> {
        let target = name.to_ascii_lowercase();
        if let Some(category) = target.strip_prefix('@') {
            if category == "all" {
                self.every_command(allow);
                return Ok(());
            }
            if !CATEGORIES.split(' ').any(|known| known == category) {
                return Err(Invalid::Category);
            }
        } else {
            let (command, subcommand) = target.split_once('|').unwrap_or((&target, "-"));
            if !is_command_name(command) || !is_command_name(subcommand) {
                return Err(Invalid::Word);
            }
        }
        self.commands.retain(|earlier| !covers(&target, &earlier.target));
        self.commands.push(Command { allow, target });
        Ok(())
    }
}

fn is_command_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

/// Whether a word for `target` makes an earlier one for `earlier` meaningless: the same, or a subcommand of it.
fn covers(target: &str, earlier: &str) -> bool {
    earlier.strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keys.iter().any(|key| key.pattern == "*" && key.read && key.write) {
            f.write_str("~* ")?;
        } else {
            for Key { pattern, read, write } in &self.keys {
                let access = match (read, write) {
                    (true, false) => "%R",
                    (false, true) => "%W",
                    (true, true) | (false, false) => "",
                };
                write!(f, "{access}~{pattern} ")?;
            }
        }
        if self.channels.iter().any(|channel| channel == "*") {
            f.write_str("&* ")?;
        } else {
            for channel in &self.channels {
                write!(f, "&{channel} ")?;
            }
        }
        f.write_str(if self.all_commands { "+@all" } else { "-@all" })?;
        for Command { allow, target } in &self.commands {
            write!(f, " {}{target}", if *allow { '+' } else { '-' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_typed_and_what_comes_back() {
        for (typed, printed) in [
            ("", "off -@all"),
            ("on", "on -@all"),
            ("ON", "on -@all"),
            ("on off", "off -@all"),
            ("~objects:* ~items:* ~public:*", "off ~objects:* ~items:* ~public:* -@all"),
            ("off +get ~keys*", "off ~keys* -@all +get"),
            ("+get on ~a", "on ~a -@all +get"),
            ("on allkeys allcommands", "on ~* +@all"),
            ("on  ~a\t~a", "on ~a -@all"),
            ("on ~a ~* ~b", "on ~* -@all"),
            ("on %RW~a %R~b %w~c", "on ~a %R~b %W~c -@all"),
            ("on %R~a %W~a", "on ~a -@all"),
            ("on %R~* ~a", "on %R~* ~a -@all"),
            ("on ~a allchannels", "on ~a &* -@all"),
            ("on +get &a:* ~k &b &a:*", "on ~k &a:* &b -@all +get"),
            ("on &a &*", "on &* -@all"),
            ("on +@all", "on +@all"),
            ("on +get +@all -flushall", "on +@all -flushall"),
            ("on +get -@all", "on -@all"),
            ("on +get nocommands +set", "on -@all +set"),
            ("on -@all +@all", "on +@all"),
            ("on +GET +@READ", "on -@all +get +@read"),
            ("on +get -get", "on -@all -get"),
            ("on +get +set +get", "on -@all +set +get"),
            ("on +config|get +config|set -config", "on -@all -config"),
            ("on +config +config|get", "on -@all +config +config|get"),
            ("on sanitize-payload skip-sanitize-payload ~a", "on skip-sanitize-payload ~a -@all"),
            ("on (~a +get) ~b", "on ~b -@all (~a -@all +get)"),
            ("on (+get ~a &c) ()", "on -@all (~a &c -@all +get) (-@all)"),
            ("on (~a +get) clearselectors ~b (~c)", "on ~b -@all (~c -@all)"),
            ("on ( ~a +@all )", "on -@all (~a +@all)"),
            ("on ~key) +get", "on ~key) -@all +get"),
        ] {
            assert_eq!(canonical(typed).as_deref(), Ok(printed), "typed {typed:?}");
        }
    }

    #[test]
    fn what_comes_back_unchanged() {
        for text in [
            "on ~* +@all",
            "on ~app::* -@all +@read +@hash +@bitmap +@geo -setbit -bitfield -hset -hsetnx -hmset -hincrby \
             -hincrbyfloat -hdel -bitop -geoadd -georadius -georadiusbymember",
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn every_category_is_accepted() {
        assert_eq!(CATEGORIES.split(' ').count(), 21);
        for category in CATEGORIES.split(' ') {
            let text = format!("on ~* -@all +@{category}");
            assert_eq!(canonical(&text).as_ref(), Ok(&text));
        }
    }

    #[test]
    fn what_is_refused() {
        for (text, why) in [
            ("on resetpass ~*", Invalid::PasswordRule),
            ("on NOPASS ~*", Invalid::PasswordRule),
            ("on >secret", Invalid::PasswordRule),
            ("on <secret", Invalid::PasswordRule),
            ("on #abc", Invalid::PasswordRule),
            ("on !abc", Invalid::PasswordRule),
            ("reset on", Invalid::ResetRule),
            ("on resetkeys", Invalid::ResetRule),
            ("on resetchannels", Invalid::ResetRule),
            ("on +@nothing", Invalid::Category),
            ("on -@", Invalid::Category),
            ("on banana", Invalid::Word),
            ("on +", Invalid::Word),
            ("on ~", Invalid::Word),
            ("on &", Invalid::Word),
            ("on %~a", Invalid::Word),
            ("on %X~a", Invalid::Word),
            ("on %Ra", Invalid::Word),
            ("on +config|", Invalid::Word),
            ("on +config|get|more", Invalid::Word),
            ("on (~a +get", Invalid::Word),
            ("on (~a (+get))", Invalid::Word),
            ("on (on ~a)", Invalid::Word),
            ("on (~a))", Invalid::Word),
            ("on ~a +get)", Invalid::Word),
        ] {
            assert_eq!(canonical(text), Err(why), "{text:?}");
        }
    }

    /// Any word of the grammar, with patterns that hold the grammar's own signs.
    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("on".to_owned()),
            Just("off".to_owned()),
            Just("allkeys".to_owned()),
            Just("allchannels".to_owned()),
            Just("allcommands".to_owned()),
            Just("nocommands".to_owned()),
            Just("clearselectors".to_owned()),
            Just("sanitize-payload".to_owned()),
            Just("skip-sanitize-payload".to_owned()),
            "(~|%R~|%W~|%RW~|&)[a-c*()|~:]{1,3}",
            "[+-](get|set|config|config\\|get|config\\|set|@read|@write|@all|GET)",
            "\\([~+][a-c*]{1,2}( [+&-][a-c]{1,2}){0,2}\\)",
        ]
    }

    proptest! {
        #[test]
        fn canonical_is_idempotent(words in prop::collection::vec(word(), 0..12)) {
            let typed = words.join(" ");
            if let Ok(once) = canonical(&typed) {
                prop_assert_eq!(canonical(&once), Ok(once.clone()), "typed {:?}", typed);
            }
        }

        #[test]
        fn the_order_of_keys_and_commands_among_each_other_does_not_matter(
            keys in prop::collection::vec("~[a-c]{1,2}", 0..4),
            commands in prop::collection::vec("[+-][a-c]{1,2}", 0..4),
        ) {
            let first = canonical(&format!("on {} {}", keys.join(" "), commands.join(" ")));
            let last = canonical(&format!("{} {} on", commands.join(" "), keys.join(" ")));
            prop_assert_eq!(first, last);
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,40}") {
            if let Ok(once) = canonical(&text) {
                prop_assert_eq!(canonical(&once), Ok(once.clone()));
            }
        }
    }
}
