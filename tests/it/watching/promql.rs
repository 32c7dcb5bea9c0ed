//! What an expression of PromQL names: metrics, the labels that it selects by, and those that it groups by. Whether it is one
//! at all is up to promtool.

use std::collections::BTreeSet;

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Each with its matchers: label and value.
    pub(super) selectors: Vec<(String, Vec<(String, String)>)>,
    pub(super) groups: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

const WORDS: [&str; 8] = ["and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"];
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

pub(super) fn names(expression: &str) -> Names {
    let tokens = tokens(expression);
    let sign = |at: usize, sign: char| tokens.get(at) == Some(&Token::Sign(sign));
    // `sum by (..) (..)`: what stands before is no metric.
    let aggregates =
        |at: usize| matches!(tokens.get(at), Some(Token::Word(word)) if word == "by" || word == "without");
    let (mut names, mut at) = (Names::default(), 0);
    while at < tokens.len() {
        let Token::Word(word) = &tokens[at] else {
            at += 1;
            continue;
        };
        at += 1;
        if GROUPING.contains(&word.as_str()) {
            let (labels, after) = within(&tokens, at, ')');
            names.groups.extend(labels.iter().filter_map(Token::word));
            at = after;
        } else if sign(at, '{') {
            let (inside, after) = within(&tokens, at, '}');
            names.selectors.push((word.clone(), matchers(inside)));
            at = after;
        } else if !sign(at, '(') && !aggregates(at) && !WORDS.contains(&word.as_str()) {
            names.selectors.push((word.clone(), Vec::new()));
        }
    }
    names
}

impl Token {
    fn word(&self) -> Option<String> {
        if let Self::Word(word) = self { Some(word.clone()) } else { None }
    }
}

/// The tokens up to this sign, and where it goes on behind it.
fn within(tokens: &[Token], from: usize, end: char) -> (&[Token], usize) {
    let length = tokens[from..].iter().position(|token| *token == Token::Sign(end)).unwrap();
    (&tokens[from..from + length], from + length + 1)
}

fn matchers(inside: &[Token]) -> Vec<(String, String)> {
    let labels = inside.iter().filter_map(Token::word);
    let values = inside
        .iter()
        .filter_map(|token| if let Token::Text(text) = token { Some(text.clone()) } else { None });
    labels.zip(values).collect()
}

fn tokens(expression: &str) -> Vec<Token> {
    let (mut tokens, mut rest) = (Vec::new(), expression);
    while let Some(first) = rest.chars().next() {
        let take = |belongs: fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let length = if first == '"' || first == '\'' {
            let end = rest[1..].find(first).unwrap() + 2;
            tokens.push(Token::Text(rest[1..end - 1].to_owned()));
            end
        } else if first.is_ascii_digit() {
            // A number, or a duration.
            take(|c| c.is_ascii_alphanumeric() || c == '.')
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = take(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
            tokens.push(Token::Word(rest[..end].to_owned()));
            end
        } else {
            tokens.extend((!first.is_whitespace()).then_some(Token::Sign(first)));
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

#[test]
fn an_expression_names_metrics_and_labels() {
    let found = names(
        "max by (le, name) (rate(a_bucket{x=~\"1|2\", y!=''}[5m])) / on (z) group_left () b unless c{} > 15 * 60",
    );
    let matcher = |label: &str, value: &str| (label.to_owned(), value.to_owned());
    assert_eq!(
        found.selectors,
        [
            ("a_bucket".to_owned(), vec![matcher("x", "1|2"), matcher("y", "")]),
            ("b".to_owned(), Vec::new()),
            ("c".to_owned(), Vec::new()),
        ]
    );
    assert_eq!(found.groups, ["le", "name", "z"].map(str::to_owned).into());
}
