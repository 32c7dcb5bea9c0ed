//! The rules of the root or of one selector, read word by word.

use super::Invalid;

/// The categories that the service accepts after `+@` and `-@`, beside `all` (B40).
pub(super) const CATEGORIES: &str = "admin bitmap blocking connection dangerous fast geo hash hyperloglog keyspace \
                                     list pubsub read scripting set sortedset slow stream string transaction write";

#[derive(Default)]
pub(super) struct SelectorRules {
    pub(super) all_keys: bool,
    pub(super) keys: Vec<KeyRule>,
    pub(super) all_channels: bool,
    pub(super) channels: Vec<String>,
    /// Where the rules in `commands` start: true if every command is allowed first (`+@all`), false if none is (`-@all`).
    pub(super) all_commands: bool,
    pub(super) commands: Vec<CommandRule>,
}

pub(super) struct KeyRule {
    pub(super) pattern: String,
    pub(super) read: bool,
    pub(super) write: bool,
}

pub(super) struct CommandRule {
    pub(super) allow: bool,
    /// `get`, `config|get` or `@read`.
    pub(super) target: String,
}

impl SelectorRules {
    pub(super) fn read(&mut self, word: &str) -> Result<(), Invalid> {
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
        if self.all_keys || pattern.is_empty() {
            return Err(Invalid::Word);
        }
        match self.keys.iter_mut().find(|key| key.pattern == pattern) {
            Some(key) => {
                key.read |= read;
                key.write |= write;
            }
            None => self.keys.push(KeyRule { pattern: pattern.to_owned(), read, write }),
        }
        Ok(())
    }

    fn channel(&mut self, pattern: &str) -> Result<(), Invalid> {
        if self.all_channels || pattern.is_empty() {
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
        self.commands.push(CommandRule { allow, target });
        Ok(())
    }
}

fn is_command_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

/// Whether a rule for `target` replaces an earlier one for `earlier`: the same, or a sub-command of it.
fn covers(target: &str, earlier: &str) -> bool {
    earlier.strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
}
