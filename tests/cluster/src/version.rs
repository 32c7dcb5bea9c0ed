//! Versions of Go.

/// A version of Go: major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32, pub(crate) u32);

impl Version {
    /// `1.26.8`, `1.26`, `1.27rc1` (which counts as 1.27.0).
    pub(crate) fn parse(text: &str) -> Option<Version> {
        let text = text.split_whitespace().next()?;
        let mut numbers = text.splitn(3, '.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part.get(..digits).and_then(|digits| digits.parse().ok())
        });
        let (major, minor) = (numbers.next()??, numbers.next()??);
        Some(Version(major, minor, numbers.next().flatten().unwrap_or(0)))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go_are_parsed_and_ordered() {
        let parse = |text| Version::parse(text).unwrap();
        assert_eq!(parse("1.26.8"), Version(1, 26, 8));
        assert_eq!(parse("1.26"), Version(1, 26, 0));
        assert_eq!(parse("1.27rc1"), Version(1, 27, 0));
        assert_eq!(parse("1.26.8 X:nocoverageredesign"), Version(1, 26, 8));
        assert!(parse("1.9.7") < parse("1.21.0"));
        assert_eq!(Version::parse("devel"), None);
    }
}
