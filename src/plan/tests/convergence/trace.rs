//! What happened in a walk, in order, for people.

/// Lines of one pass, or of what happened between two.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// Only a failed walk is recorded, because recording takes longer than the walk.
    enabled: bool,
    chapter: Vec<String>,
    /// Each chapter has the number of times that it was repeated.
    chapters: Vec<(String, usize)>,
}

impl Trace {
    pub(crate) fn new(enabled: bool) -> Self {
        Self { enabled, ..Self::default() }
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.enabled {
            self.chapter.push(line());
        }
    }

    pub(crate) fn end_chapter(&mut self) {
        if self.chapter.is_empty() {
            return;
        }
        let chapter = std::mem::take(&mut self.chapter).join("\n");
        match self.chapters.last_mut() {
            Some((before, times)) if *before == chapter => *times += 1,
            Some(_) | None => self.chapters.push((chapter, 1)),
        }
    }
}

impl std::fmt::Display for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (chapter, times) in &self.chapters {
            writeln!(f, "{chapter}")?;
            if *times > 1 {
                writeln!(f, "  ({times} times)")?;
            }
        }
        write!(f, "{}", self.chapter.join("\n"))
    }
}
