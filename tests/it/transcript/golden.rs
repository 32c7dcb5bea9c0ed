//! A page of the documentation with sections that a test writes, each between two markers.

use crate::world;

/// Set to rewrite the sections instead of comparing them.
const UPDATE: &str = "UPDATE_DOCS";

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
        static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = world::path(self.file);
        let page = std::fs::read_to_string(&path).unwrap();
        let (mut wanted, mut shown) = (page.clone(), Vec::new());
        for (name, text) in &self.sections {
            let (begin, end) = markers(name);
            let there = between(&page, &begin, &end)
                .unwrap_or_else(|| panic!("{} lacks the lines\n{begin}{end}", self.file));
            wanted = wanted.replace(&format!("{begin}{there}{end}"), &format!("{begin}{text}{end}"));
            if there != text {
                shown.push(format!("section {name}:\n{}", difference(there, text)));
            }
        }
        if updating() {
            std::fs::write(&path, wanted).unwrap();
            return;
        }
        assert!(
            shown.is_empty(),
            "{} does not show what is there (- page, + what is there). Where the new text is right, run this test with {UPDATE}=1\n{}",
            self.file,
            shown.join("\n")
        );
    }
}

#[allow(clippy::disallowed_methods, reason = "a switch of the tests, no setting of the operator")]
pub(crate) fn updating() -> bool {
    std::env::var_os(UPDATE).is_some()
}

fn markers(name: &str) -> (String, String) {
    (format!("<!-- begin {name}: written by a test -->\n"), format!("<!-- end {name} -->\n"))
}

fn between<'a>(page: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    Some(page.split_once(begin)?.1.split_once(end)?.0)
}

/// What kubectl said, with one value for each that differs from run to run: ages, times, versions, identifiers and the
/// namespace.
pub(super) fn settled(said: &str, namespace: &str) -> String {
    said.replace(namespace, "shop").lines().map(|line| settled_line(line) + "\n").collect()
}

fn settled_line(line: &str) -> String {
    if let Some((field, _)) = line.split_once("Resource Version:") {
        return format!("{field}Resource Version:  1234");
    }
    let mut out = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let gap = rest.len() - rest.trim_start().len();
        let (space, after) = rest.split_at(gap);
        let (word, after) = after.split_at(after.find(' ').unwrap_or(after.len()));
        out.push_str(space);
        rest = after;
        let cell = (out.is_empty() || space.len() > 1) && (rest.is_empty() || rest.starts_with("  "));
        if cell && is_age(word) {
            // The columns behind it stay where they are.
            let width = word.len() + rest.len() - rest.trim_start().len();
            let tail = rest.trim_start();
            let padded = format!("{:width$}", "5s");
            out.push_str(if tail.is_empty() { "5s" } else { &padded });
            rest = tail;
        } else if is_time(word) {
            let fraction = if word.contains('.') { ".000000" } else { "" };
            out.push_str(&format!("2026-01-01T09:00:00{fraction}Z"));
        } else if is_uid(word) {
            out.push_str("11111111-2222-3333-4444-555555555555");
        } else {
            out.push_str(word);
        }
    }
    out.trim_end().to_owned()
}

/// `5s`, `2m10s`, `3h`.
fn is_age(word: &str) -> bool {
    let unit = |c: char| ['s', 'm', 'h', 'd'].contains(&c);
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.ends_with(unit)
        && word.chars().all(|c| c.is_ascii_digit() || unit(c))
}

/// `2026-11-24T08:45:18Z`, with or without a fraction.
fn is_time(word: &str) -> bool {
    word.len() >= 20 && word.ends_with('Z') && shape(&word[..19], "....-..-..T..:..:..")
}

/// The five groups of a UUID.
fn is_uid(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
        && shape(word, "........-....-....-....-............")
}

fn shape(word: &str, form: &str) -> bool {
    word.len() == form.len() && word.chars().zip(form.chars()).all(|(c, form)| form == '.' || c == form)
}

/// The lines that are only in one of the two, in order, each with the line before it for orientation.
pub(crate) fn difference(page: &str, new: &str) -> String {
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
fn what_differs_from_run_to_run_is_settled() {
    let rows = [
        ("orders   iam   True   Ready   2m10s", "orders   iam   True   Ready   5s"),
        ("2m10s       Normal   UserCreated", "5s          Normal   UserCreated"),
        ("  Normal  X  3s    from  takes 5s to end", "  Normal  X  5s    from  takes 5s to end"),
        ("    At:  2026-11-24T08:45:18Z", "    At:  2026-01-01T09:00:00Z"),
        ("    At:  2026-11-24T08:45:18.123456Z", "    At:  2026-01-01T09:00:00.000000Z"),
        ("  UID:  6b1c2f4e-0a1b-4c2d-8e3f-0123456789ab", "  UID:  11111111-2222-3333-4444-555555555555"),
        ("  Resource Version:    981", "  Resource Version:  1234"),
        ("No resources found in stage-7-1 namespace.", "No resources found in shop namespace."),
    ];
    for (said, wanted) in rows {
        assert_eq!(settled(said, "stage-7-1"), format!("{wanted}\n"));
    }
    assert_eq!(difference("a\nb\nc\n", "a\nx\nc\nd\n"), "  a\n- b\n+ x\n  c\n+ d");
}
