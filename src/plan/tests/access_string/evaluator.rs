//! A reference: which keys, channels and commands an access string permits. Like a server, it applies the words one after the
//! other to a small set of names. It knows no canonical form. It is used only for strings that the emulator accepts.

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// What an access string permits in a [`Universe`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    on: bool,
    skips_sanitizing: bool,
    root: Permitted,
    selectors: BTreeSet<Permitted>,
}

/// What the root or a selector permits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Permitted {
    reads: BTreeSet<String>,
    writes: BTreeSet<String>,
    channels: BTreeSet<String>,
    commands: BTreeSet<String>,
    /// Commands that a later version of the engine brings.
    future_commands: bool,
}

/// The names for which rights are computed.
#[derive(Debug)]
pub(crate) struct Universe {
    /// Names of keys and of channels.
    names: BTreeSet<String>,
    /// The commands, their sub-commands included (`config|get`).
    commands: BTreeSet<String>,
    /// Decides which command is in which category, because that depends on the engine's version.
    version: u64,
}

impl Universe {
    /// The keys, channels and commands that the two access strings name, and some that they do not name.
    pub(crate) fn of(texts: [&str; 2], version: u64) -> Self {
        let mut names: BTreeSet<String> = ["", "a", "b", "ab", "other"].map(str::to_owned).into();
        let mut commands: BTreeSet<String> =
            ["get", "set", "config", "config|get", "config|set", "config|rewrite", "other"]
                .map(str::to_owned)
                .into();
        for word in texts.iter().flat_map(|text| split(text)) {
            let word = word.trim_start_matches('(');
            for word in [word, word.strip_suffix(')').unwrap_or(word)] {
                let pattern = word.split_once(['~', '&']).map_or(word, |(_, pattern)| pattern);
                names.insert(pattern.to_owned());
                names.insert(pattern.replace('*', ""));
                names.insert(pattern.replace('*', "b"));
                let command = word.trim_start_matches(['+', '-']).to_ascii_lowercase();
                if !command.starts_with('@') {
                    commands.extend(command.split_once('|').map(|(command, _)| command.to_owned()));
                    commands.insert(command);
                }
            }
        }
        Self { names, commands, version }
    }

    fn matching(&self, pattern: &str) -> BTreeSet<String> {
        self.names.iter().filter(|name| glob(pattern, name)).cloned().collect()
    }

    /// The commands that a rule for `target` switches.
    fn switched(&self, target: &str) -> BTreeSet<String> {
        let named = |command: &str| match target.starts_with('@') {
            true => self.is_in(command, target),
            false => command == target,
        };
        let parent = |command: &str| command.split_once('|').map(|(parent, _)| parent.to_owned());
        let switched =
            |command: &&String| named(command) || parent(command).is_some_and(|parent| named(&parent));
        self.commands.iter().filter(switched).cloned().collect()
    }

    fn is_in(&self, command: &str, category: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        (command, category, self.version).hash(&mut hasher);
        hasher.finish().is_multiple_of(3)
    }

    pub(crate) fn evaluate(&self, text: &str) -> Rights {
        let mut rights = Rights {
            on: false,
            skips_sanitizing: false,
            root: Permitted::default(),
            selectors: BTreeSet::new(),
        };
        let mut selector: Option<Permitted> = None;
        for word in split(text) {
            if selector.is_none() && word.starts_with('(') {
                selector = Some(Permitted::default());
            }
            let Some(permitted) = &mut selector else {
                self.apply_at_root(word, &mut rights);
                continue;
            };
            let (word, is_last) = match word.strip_suffix(')') {
                Some(inner) => (inner, true),
                None => (word, false),
            };
            self.apply(word.strip_prefix('(').unwrap_or(word), permitted);
            if is_last {
                rights.selectors.extend(selector.take());
            }
        }
        rights
    }

    fn apply_at_root(&self, word: &str, rights: &mut Rights) {
        match word.to_ascii_lowercase().as_str() {
            "on" => rights.on = true,
            "off" => rights.on = false,
            "skip-sanitize-payload" => rights.skips_sanitizing = true,
            "sanitize-payload" => rights.skips_sanitizing = false,
            "clearselectors" => rights.selectors.clear(),
            _ => self.apply(word, &mut rights.root),
        }
    }

    fn apply(&self, word: &str, permitted: &mut Permitted) {
        let lower = word.to_ascii_lowercase();
        match lower.as_str() {
            "" => {}
            "allkeys" => self.apply("~*", permitted),
            "allchannels" => self.apply("&*", permitted),
            "allcommands" | "+@all" => {
                permitted.commands = self.commands.clone();
                permitted.future_commands = true;
            }
            "nocommands" | "-@all" => {
                permitted.commands.clear();
                permitted.future_commands = false;
            }
            _ if word.starts_with('+') => permitted.commands.extend(self.switched(&lower[1..])),
            _ if word.starts_with('-') => {
                let switched = self.switched(&lower[1..]);
                permitted.commands.retain(|command| !switched.contains(command));
            }
            _ if word.starts_with('&') => permitted.channels.extend(self.matching(&word[1..])),
            _ => {
                let (flags, pattern) = word.split_once('~').unwrap();
                if !flags.eq_ignore_ascii_case("%w") {
                    permitted.reads.extend(self.matching(pattern));
                }
                if !flags.eq_ignore_ascii_case("%r") {
                    permitted.writes.extend(self.matching(pattern));
                }
            }
        }
    }
}

/// Splits at the blanks of C's `isspace`.
fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter| " \t\n\r\u{b}\u{c}".contains(letter)).filter(|word| !word.is_empty())
}

/// Whether `pattern`, in which `*` stands for any letters, matches the whole of `name`.
fn glob(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && glob(after, &rest[at..]))
        }),
    }
}

#[test]
fn the_evaluator_sees_what_each_kind_of_rule_changes() {
    let base = "on ~a &a +get (~b +set)";
    let others = [
        "off ~a &a +get (~b +set)",
        "on skip-sanitize-payload ~a &a +get (~b +set)",
        "on %R~a &a +get (~b +set)",
        "on %W~a &a +get (~b +set)",
        "on ~a* &a +get (~b +set)",
        "on ~a &b +get (~b +set)",
        "on ~a &a +get +set (~b +set)",
        "on ~a &a +get +@read (~b +set)",
        "on ~a &a +get +config|get (~b +set)",
        "on ~a &a +@all (~b +set)",
        "on ~a &a +get (~b +set) (~b +get)",
        "on ~a &a +get",
    ];
    for other in others {
        let universe = Universe::of([base, other], 1);
        assert_ne!(universe.evaluate(base), universe.evaluate(other), "{other}");
    }
}
