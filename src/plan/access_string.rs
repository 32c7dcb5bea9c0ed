//! Pure: what an access string means, whatever its form.
//!
//! ElastiCache returns an access string in a form of its own (B31-B36, B105): `off +get ~keys*` comes back as
//! `off ~keys* -@all +get`. [`same_meaning`] distinguishes such a pair from a real difference.
//!
//! If one of the two strings cannot be read, both are compared word by word. A word cannot be read if ElastiCache
//! refuses it (`resetkeys`, a pattern after `~*`), or if this module does not know it: AWS may learn new rules.

use std::collections::{BTreeMap, BTreeSet};

/// The categories of ElastiCache, except `all`. It refuses a rule of any other category (B40).
const CATEGORIES: &str = "admin bitmap blocking connection dangerous fast geo hash hyperloglog keyspace list pubsub \
                          read scripting set sortedset slow stream string transaction write";

/// Whether both strings give the same rights.
#[must_use]
pub fn same_meaning(one: &str, other: &str) -> bool {
    match (AccessRights::parse(one), AccessRights::parse(other)) {
        (Some(one), Some(other)) => one == other,
        (Some(_), None) | (None, Some(_)) | (None, None) => words(one).eq(words(other)),
    }
}

/// What makes a user of this access string useless, one sentence each. Nothing is said of a string that cannot be read.
#[must_use]
pub fn shortcomings(text: &str) -> Vec<&'static str> {
    let Some(rights) = AccessRights::parse(text) else { return Vec::new() };
    let allows = |of: &SelectorRights| of.all_commands || of.commands.iter().any(|run| run.allow);
    let no_command = !allows(&rights.root) && !rights.selectors.iter().any(allows);
    let off = "It cannot log in: spec.accessString has no \"on\", or an \"off\" behind it.";
    let powerless = "It may run no command: spec.accessString allows none, or takes all away at its end.";
    [(!rights.on).then_some(off), no_command.then_some(powerless)].into_iter().flatten().collect()
}

/// The words of `text`. ASCII blanks separate them: space, tab, line feed, carriage return, vertical tab and form
/// feed. A no-break space is part of a word.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', '\n', '\r', '\x0b', '\x0c']).filter(|word| !word.is_empty())
}

/// What a user may do. Two equal values give the same rights.
#[derive(Debug, Default, PartialEq, Eq)]
struct AccessRights {
    on: bool,
    skips_sanitizing: bool,
    root: SelectorRights,
    selectors: BTreeSet<SelectorRights>,
    /// Command rules that ElastiCache may refuse because of their name. They are kept even if a later rule overrules
    /// them: a string that ElastiCache refuses must not equal one that it takes.
    doubtful: BTreeSet<String>,
}

impl AccessRights {
    fn parse(text: &str) -> Option<Self> {
        let mut rights = Self::default();
        let mut words = words(text);
        while let Some(word) = words.next() {
            if let Some(first) = word.strip_prefix('(') {
                let selector = selector(first, &mut words, &mut rights.doubtful)?;
                rights.selectors.insert(selector);
                continue;
            }
            match word.to_ascii_lowercase().as_str() {
                "on" => rights.on = true,
                "off" => rights.on = false,
                "sanitize-payload" => rights.skips_sanitizing = false,
                "skip-sanitize-payload" => rights.skips_sanitizing = true,
                "clearselectors" => rights.selectors.clear(),
                _ => rights.root.take(word, &mut rights.doubtful)?,
            }
        }
        rights.root.simplify();
        Some(rights)
    }
}

/// Reads a selector up to the word that ends in `)`. `first` is its first word without the `(`.
fn selector<'a>(
    first: &'a str,
    rest: &mut impl Iterator<Item = &'a str>,
    doubtful: &mut BTreeSet<String>,
) -> Option<SelectorRights> {
    let mut permissions = SelectorRights::default();
    let mut word = first;
    loop {
        let (inner, is_last) = match word.strip_suffix(')') {
            Some(inner) => (inner, true),
            None => (word, false),
        };
        // ElastiCache could not print a pattern that ends in `)`: the selector would end there.
        if inner.ends_with(')') {
            return None;
        }
        if !inner.is_empty() {
            permissions.take(inner, doubtful)?;
        }
        if is_last {
            permissions.simplify();
            return Some(permissions);
        }
        word = rest.next()?;
    }
}

/// What the root or one selector permits.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct SelectorRights {
    all_keys: bool,
    keys: BTreeMap<String, KeyAccess>,
    all_channels: bool,
    channels: BTreeSet<String>,
    /// What `commands` change: every command (`+@all`) or none (`-@all`).
    all_commands: bool,
    commands: Vec<RuleRun>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct KeyAccess {
    read: bool,
    write: bool,
}

/// Consecutive command rules of one sign. Their order means nothing, but the order of runs does.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RuleRun {
    allow: bool,
    targets: BTreeSet<String>,
}

impl SelectorRights {
    fn take(&mut self, word: &str, doubtful: &mut BTreeSet<String>) -> Option<()> {
        match word.to_ascii_lowercase().as_str() {
            "allkeys" | "~*" => {
                self.all_keys = true;
                self.keys.clear();
            }
            "allchannels" | "&*" => {
                self.all_channels = true;
                self.channels.clear();
            }
            "allcommands" | "+@all" => self.every_command(true),
            "nocommands" | "-@all" => self.every_command(false),
            _ => self.take_prefixed(word, doubtful)?,
        }
        Some(())
    }

    fn take_prefixed(&mut self, word: &str, doubtful: &mut BTreeSet<String>) -> Option<()> {
        let mut letters = word.chars();
        let prefix = letters.next()?;
        let rest = letters.as_str();
        match prefix {
            '~' => self.key(rest, KeyAccess { read: true, write: true }),
            '%' => {
                let (flags, pattern) = rest.split_once('~')?;
                self.key(pattern, access(flags)?)
            }
            '&' => self.channel(rest),
            '+' | '-' => {
                let target = rest.to_ascii_lowercase();
                if target.is_empty() {
                    return None;
                }
                if !is_target(&target) {
                    doubtful.insert(word.to_ascii_lowercase());
                }
                self.command(prefix == '+', target);
                Some(())
            }
            _ => None,
        }
    }

    /// Servers refuse a pattern after `~*`.
    fn key(&mut self, pattern: &str, access: KeyAccess) -> Option<()> {
        if self.all_keys || pattern.is_empty() {
            return None;
        }
        let before = self.keys.entry(pattern.to_owned()).or_default();
        before.read |= access.read;
        before.write |= access.write;
        Some(())
    }

    /// Servers refuse a pattern after `&*`.
    fn channel(&mut self, pattern: &str) -> Option<()> {
        if self.all_channels || pattern.is_empty() {
            return None;
        }
        self.channels.insert(pattern.to_owned());
        Some(())
    }

    fn every_command(&mut self, allow: bool) {
        self.all_commands = allow;
        self.commands.clear();
    }

    /// The later rule wins: it replaces the earlier ones for the same target or for its sub-commands. Whether a command
    /// belongs to a category is up to the engine's version, so that a category replaces only itself.
    fn command(&mut self, allow: bool, target: String) {
        for run in &mut self.commands {
            run.targets.retain(|earlier| !covers(&target, earlier));
        }
        self.commands.push(RuleRun { allow, targets: BTreeSet::from([target]) });
    }

    fn simplify(&mut self) {
        // `%RW~*` means what `~*` means, though a pattern may follow it.
        if self.keys.get("*") == Some(&KeyAccess { read: true, write: true }) {
            self.all_keys = true;
            self.keys.clear();
        }
        let mut runs: Vec<RuleRun> = Vec::new();
        for run in std::mem::take(&mut self.commands).into_iter().filter(|run| !run.targets.is_empty()) {
            match runs.last_mut() {
                Some(last) if last.allow == run.allow => last.targets.extend(run.targets),
                Some(_) | None => runs.push(run),
            }
        }
        for RuleRun { targets, .. } in &mut runs {
            let whole = targets.clone();
            targets.retain(|target| !whole.iter().any(|other| other != target && covers(other, target)));
        }
        self.commands = runs;
    }
}

fn access(flags: &str) -> Option<KeyAccess> {
    match flags.to_ascii_uppercase().as_str() {
        "R" => Some(KeyAccess { read: true, write: false }),
        "W" => Some(KeyAccess { read: false, write: true }),
        "RW" | "WR" => Some(KeyAccess { read: true, write: true }),
        _ => None,
    }
}

/// Whether ElastiCache may take a rule for `target`: a category that it has, a command or a sub-command.
fn is_target(target: &str) -> bool {
    match target.strip_prefix('@') {
        Some(category) => CATEGORIES.split(' ').any(|known| known == category),
        None => {
            let (command, subcommand) = target.split_once('|').unwrap_or((target, "-"));
            is_command_name(command) && is_command_name(subcommand)
        }
    }
}

fn is_command_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

/// Whether a later rule for `target` overrules an earlier one for `earlier`: the same target, or a sub-command of it.
fn covers(target: &str, earlier: &str) -> bool {
    earlier.strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
}
