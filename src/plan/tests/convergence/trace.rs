//! What happened in a walk, for people: who did what, in order.

/// Lines of one pass, or of what happened between two.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// Only a walk that failed is told: telling costs more than walking.
    enabled: bool,
    chapter: Vec<String>,
    /// Each with how often in a row it was the same.
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
