//! Files of the repository that tests write: each test compares them, or with `UPDATE=1` writes them anew.

use std::sync::{Mutex, PoisonError};

use crate::repository;

#[allow(clippy::disallowed_methods, reason = "a switch of the tests, no setup of the operator")]
fn updating() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// The file is this text.
pub(crate) fn file(file: &str, text: &str) {
    let path = repository::path(file);
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    if there == text {
        return;
    }
    if updating() {
        std::fs::create_dir_all(std::path::Path::new(&path).parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    panic!(
        "{file} is not what follows from its source (- file, + source). Where the source is right: make docs\n{}",
        difference(&there, text)
    );
}

/// A page, and what its sections should be.
pub(crate) struct Page {
    file: &'static str,
    sections: Vec<(String, String)>,
}

impl Page {
    pub(crate) fn of(file: &'static str) -> Self {
        Self { file, sections: Vec::new() }
    }

    /// This is what the section should show.
    pub(crate) fn section(&mut self, name: &str, text: &str) {
        self.text(name, &format!("```console\n{}\n```", text.trim_end()));
    }

    /// The same, of text that stands in the page as it is.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.sections.push((name.to_owned(), format!("{}\n", text.trim_end())));
    }

    /// The page shows these sections.
    pub(crate) fn hold(self) {
        // Two tests may write the same page.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let page = repository::read(self.file);
        let mut wanted = page.clone();
        for (name, text) in &self.sections {
            let (begin, end) = markers(name);
            let there = between(&page, &begin, &end)
                .unwrap_or_else(|| panic!("{} lacks the lines\n{begin}{end}", self.file));
            wanted = wanted.replace(&format!("{begin}{there}{end}"), &format!("{begin}{text}{end}"));
        }
        file(self.file, &wanted);
    }
}

fn markers(name: &str) -> (String, String) {
    (format!("<!-- begin {name}: written by a test -->\n"), format!("<!-- end {name} -->\n"))
}

fn between<'a>(page: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    Some(page.split_once(begin)?.1.split_once(end)?.0)
}

/// The lines that are only in one of the two, in order, each with the line before it for orientation.
fn difference(page: &str, new: &str) -> String {
    let (page, new): (Vec<&str>, Vec<&str>) = (page.lines().collect(), new.lines().collect());
    // The length of the longest common sequence of what follows each pair of lines.
    let mut longest = vec![vec![0_usize; new.len() + 1]; page.len() + 1];
    for old in (0..page.len()).rev() {
        for young in (0..new.len()).rev() {
            longest[old][young] = if page[old] == new[young] {
                longest[old + 1][young + 1] + 1
            } else {
                longest[old + 1][young].max(longest[old][young + 1])
            };
        }
    }
    let (mut old, mut young, mut shown, mut common) = (0, 0, Vec::new(), None);
    while old < page.len() || young < new.len() {
        if old < page.len() && young < new.len() && page[old] == new[young] {
            common = Some(page[old]);
            (old, young) = (old + 1, young + 1);
            continue;
        }
        shown.extend(common.take().map(|line| format!("  {line}")));
        if young == new.len() || old < page.len() && longest[old + 1][young] >= longest[old][young + 1] {
            shown.push(format!("- {}", page[old]));
            old += 1;
        } else {
            shown.push(format!("+ {}", new[young]));
            young += 1;
        }
    }
    shown.join("\n")
}

#[test]
fn only_the_lines_that_differ_are_shown() {
    assert_eq!(difference("a\nb\nc\n", "a\nx\nc\nd\n"), "  a\n- b\n+ x\n  c\n+ d");
}
