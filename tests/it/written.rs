//! Files of the repository that tests generate. A test compares a file with the generated text, or writes it with `UPDATE=1`.

use std::sync::{Mutex, PoisonError};

use similar::TextDiff;

use crate::repository;

#[allow(clippy::disallowed_methods, reason = "a switch of the tests, no setup of the operator")]
fn updating() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// Checks that the file has this text, or writes it.
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
        "{file} differs from what its source generates (- file, + source). If the source is right, run make docs\n{}",
        TextDiff::from_lines(there.as_str(), text).unified_diff().context_radius(1)
    );
}

/// A page, and the generated texts of its sections.
pub(crate) struct Page {
    file: &'static str,
    sections: Vec<(String, String)>,
}

impl Page {
    pub(crate) fn of(file: &'static str) -> Self {
        Self { file, sections: Vec::new() }
    }

    /// Sets the text of a section, which the page shows as a code block.
    pub(crate) fn section(&mut self, name: &str, text: &str) {
        self.text(name, &format!("```console\n{}\n```", text.trim_end()));
    }

    /// Sets the text of a section, which the page shows as Markdown.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.sections.push((name.to_owned(), format!("{}\n", text.trim_end())));
    }

    /// Checks that the page has these sections, or writes them.
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
