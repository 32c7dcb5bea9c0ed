//! Pages of the documentation that are generated as a whole, each from the source that decides: a field, a flag or a
//! reason that the pages do not show, or show otherwise, fails here.

mod fields;
mod flags;
mod reasons;

use crate::transcript::golden::{difference, updating};
use crate::world;

/// The page is this text.
fn page(file: &str, text: &str) {
    let path = world::path(file);
    if updating() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "{file} is not what the source says (- page, + source). Where the source is right: UPDATE_DOCS=1 cargo test --test it reference\n{}",
        difference(&there, text)
    );
}

/// Text that nobody wrote as Markdown.
fn plain(text: &str) -> String {
    text.replace('*', "\\*").replace('<', "&lt;")
}

/// A cell of a table holds no bar and no line break.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The documentation of what follows it in a Rust file, by the name that follows: its paragraphs, each on one line.
fn documented(file: &str, enumeration: &str) -> Vec<(String, Vec<String>)> {
    let text = std::fs::read_to_string(world::path(file)).unwrap();
    let (_, body) = text.split_once(&format!("pub enum {enumeration} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let (mut found, mut paragraphs) = (Vec::new(), vec![String::new()]);
    for line in body.lines().map(str::trim) {
        match line.strip_prefix("///") {
            Some("") => paragraphs.push(String::new()),
            Some(words) => {
                let last = paragraphs.last_mut().unwrap();
                *last = format!("{last} {}", words.trim()).trim().to_owned();
            }
            None => {
                let end = line.find(|c: char| !c.is_alphanumeric()).unwrap_or(line.len());
                found.push((line[..end].to_owned(), std::mem::replace(&mut paragraphs, vec![String::new()])));
            }
        }
    }
    found
}
