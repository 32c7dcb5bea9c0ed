//! Pages of the documentation that are generated as a whole, each from the source that decides: a field, a flag or a
//! reason that the pages do not show, or show otherwise, fails here.

mod fields;
mod flags;
mod reasons;

use crate::repository;

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
    let text = repository::read(file);
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
