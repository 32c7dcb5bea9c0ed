//! A Rust file as these tests read it: its text, its code without comments and literals, and the names in it.

use std::collections::BTreeSet;
use std::path::Path;

/// A file of the tree.
pub(super) struct Source {
    /// From the root of the repository, with forward slashes.
    pub(super) path: String,
    pub(super) text: String,
    /// The text without what stands in comments, strings and characters.
    pub(super) code: String,
}

/// All Rust files below a folder, in order.
pub(super) fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                let code = code(&text);
                found.push(Source { path, text, code });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// The crates that a table of a manifest names.
pub(super) fn manifest(file: &str, table: &str) -> Vec<String> {
    let text = crate::repository::read(file);
    let after = text.lines().skip_while(|line| line.trim() != format!("[{table}]")).skip(1);
    let rows = after.take_while(|line| !line.starts_with('[')).filter(|line| !line.trim().is_empty());
    rows.map(|line| line.split(['.', '=', ' ']).next().unwrap_or_default().to_owned()).collect()
}

impl Source {
    /// A file of tests alone.
    pub(super) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    pub(super) fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The module of the crate that the file is, or is a part of.
    pub(super) fn module(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        below.split(['/', '.']).next().unwrap_or_default()
    }

    /// Every path that the code names, as it stands there; those of `use`, each in full.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut rest = self.code.as_str();
        while let Some((name, after)) = next_name(rest) {
            rest = after;
            if name == "use" {
                let (tree, after) = rest.split_once(';').unwrap_or((rest, ""));
                expand("", tree, &mut found);
                rest = after;
            } else {
                found.insert(name.to_owned());
            }
        }
        found
    }

    /// The modules of the crate that the code names, whichever way.
    pub(super) fn modules_used(&self) -> BTreeSet<String> {
        // `super` of a file in the root of src is the crate; one level down it is the file's own module.
        let root = self.path.matches('/').count() == 1
            || self.path.ends_with("/mod.rs") && self.path.matches('/').count() == 2;
        let used = self.names().into_iter().filter_map(|name| {
            let mut segments = name.split("::");
            match segments.next() {
                Some("crate" | "elasticache_user_operator") => segments.next().map(str::to_owned),
                Some("super") if root => segments.next().map(str::to_owned),
                _ => None,
            }
        });
        used.collect()
    }
}

/// The next path, and what follows it.
fn next_name(code: &str) -> Option<(&str, &str)> {
    let starts = |c: char| c.is_alphabetic() || c == '_';
    let belongs = |c: char| c.is_alphanumeric() || c == '_';
    let begin = code.char_indices().find(|(_, c)| belongs(*c))?.0;
    let text = &code[begin..];
    let word = |text: &str| text.find(|c| !belongs(c)).unwrap_or(text.len());
    let mut end = word(text);
    if !text.starts_with(starts) {
        return next_name(&text[end..]);
    }
    while let Some(after) = text[end..].strip_prefix("::").filter(|after| after.starts_with(starts)) {
        end += 2 + word(after);
    }
    Some(text.split_at(end))
}

/// `a::{b, c::{d, e}}` in full.
fn expand(before: &str, tree: &str, found: &mut BTreeSet<String>) {
    let mut depth = 0;
    let branches = tree.split(|c| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        c == ',' && depth == 0
    });
    for branch in branches.map(str::trim).filter(|branch| !branch.is_empty()) {
        match branch.split_once('{') {
            Some((path, inner)) => {
                let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
                expand(&format!("{before}{}", path.trim()), inner, found);
            }
            None => {
                let path = branch.split_whitespace().next().unwrap_or_default();
                let full = format!("{before}{path}");
                found.insert(full.strip_suffix("::self").unwrap_or(&full).to_owned());
            }
        }
    }
}

/// The text with a space for each comment and literal.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped =
            comment(rest).or_else(|| raw_string(rest, code.chars().next_back())).or_else(|| quoted(rest));
        if let Some(length) = skipped {
            code.push(' ');
            rest = rest.get(length..).unwrap_or_default();
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// The length of the comment that the text begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.starts_with("/*").then(|| text.find("*/").map_or(text.len(), |end| end + 2))
}

/// The length of the raw string that the text begins with, where it does not stand in a word.
fn raw_string(text: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let prefix = if text.starts_with("br") { 2 } else { 1 };
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.chars().take_while(|c| *c == '#').count();
    let body = after[hashes..].strip_prefix('"')?;
    let closing = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&closing).map_or(text.len(), |end| prefix + hashes + 1 + end + closing.len()))
}

/// The length of the string or character that the text begins with. A lifetime is none.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| ['"', '\''].contains(c))?;
    if quote == '\'' {
        let mut inner = text.chars().skip(1);
        let escaped = inner.next() == Some('\\');
        if !escaped && inner.next() != Some('\'') {
            return None;
        }
    }
    let mut escaped = false;
    let closing = text.char_indices().skip(1).find(|(_, c)| {
        let closes = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    });
    Some(closing.map_or(text.len(), |(index, _)| index + 1))
}

#[test]
fn names_are_read_from_code_alone() {
    let text = r###"
        //! async
        use std::{fs::{self, File}, time::Duration as Long};
        /* tokio */
        pub use crate::users::*;
        fn f<'a>(c: &'a str) -> char { let _ = r#"kube "x" jiff"#; let _ = "a \" log"; std::env::var('\''); 'q' }
    "###;
    let source = Source { path: "src/x.rs".to_owned(), text: text.to_owned(), code: code(text) };
    let names = source.names();
    for name in
        ["std::fs", "std::fs::File", "std::time::Duration", "crate::users::*", "std::env::var", "f", "char"]
    {
        assert!(names.contains(name), "{name} in {names:?}");
    }
    for name in ["async", "tokio", "kube", "jiff", "log", "x", "q"] {
        assert!(!names.contains(name), "{name} in {names:?}");
    }
    assert_eq!(source.modules_used(), BTreeSet::from(["users".to_owned()]));
}
