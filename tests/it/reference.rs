//! Pages of the documentation that are generated from the code. A test fails if a page lacks a field, a flag or a reason, or shows it
//! differently.

mod fields;
mod flags;
mod reasons;

use crate::repository;

/// Escapes text that is no Markdown.
fn plain(text: &str) -> String {
    text.replace('*', "\\*").replace('<', "&lt;")
}

/// Makes text fit into a cell of a table, which may have no bar and no line break.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The doc comments of the variants of this enum in a Rust file: each with the variant's name, and its paragraphs on one line each.
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
