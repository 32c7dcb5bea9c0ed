//! No I/O: names that a flag lists, with `*` for any characters.

/// Matches nothing if it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Patterns(Vec<String>);

impl Patterns {
    #[must_use]
    pub fn new(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| is_like(name, pattern))
    }
}

/// The parts between the stars must occur one after the other. The first match of each leaves the most for the others.
fn is_like(name: &str, pattern: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return name == pattern };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(name) = name.strip_prefix(begin).and_then(|name| name.strip_suffix(end)) else { return false };
    let found = middle.split('*').try_fold(name, |left, part| Some(left.split_once(part)?.1));
    found.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        let rows = [
            ("*", &["", "a"][..], &[][..]),
            ("shop", &["shop"], &["shop-eu", "a-shop", ""]),
            ("shop-*", &["shop-", "shop-eu"], &["shop", "a-shop-eu"]),
            ("*-eu", &["-eu", "shop-eu"], &["shop-eu-a"]),
            ("a*a", &["aa", "aba"], &["a", "ab"]),
            ("a*b*c*d", &["abcd", "a-b-c-d", "abxbcxd"], &["abd", "acbd", "abc"]),
            ("*ab*ab*", &["abab", "xabxabx"], &["ab", "aab"]),
        ];
        for (pattern, likes, others) in rows {
            let patterns = Patterns::new(vec!["none".to_owned(), pattern.to_owned()]);
            assert!(likes.iter().all(|name| patterns.matches(name)), "{pattern}");
            assert!(!others.iter().any(|name| patterns.matches(name)), "{pattern}");
        }
        assert!(!Patterns::default().matches(""));
    }
}
