//! Files of the repository that tests write: each test compares them, or with `UPDATE=1` writes them anew.

use std::sync::{Mutex, PoisonError};

use similar::TextDiff;

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
        "{file} is not what follows from its source (- file, + source). If the source is right: make docs\n{}",
        TextDiff::from_lines(there.as_str(), text).unified_diff().context_radius(1)
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
