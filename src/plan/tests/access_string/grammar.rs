//! Random access strings: the words of ElastiCache's grammar, and a few that it refuses. Alphabets are small, so that
//! rules often concern each other.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Words that are valid at the root alone.
const ROOT_WORDS: &str =
    "on off ON Off sanitize-payload skip-sanitize-payload Sanitize-Payload clearselectors";
/// Words that ElastiCache refuses, alone or where they stand.
const REFUSED_WORDS: &str = "resetkeys resetchannels reset nopass resetpass >word #word banana + - ~ & %~a %X~a +@fruit -@ \
    +config| +config|get|x +g?t (~a))";
const COMMANDS: &str = "get getex set GET mget config config|get config|set Config|Get acl|list acl @read @write @admin \
    @Read";
/// The ASCII blanks, several in a row too.
const BLANKS: [&str; 7] = [" ", " ", "  ", "\t", "\n", "\r\n", "\x0b\x0c"];

fn one_of(words: &'static str) -> impl Strategy<Value = String> {
    select(words.split(' ').collect::<Vec<_>>()).prop_map(str::to_owned)
}

/// A pattern with the signs of the grammar and blanks that are no ASCII blanks.
fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![6 => "[ab]", 3 => "[ab*]{1,2}", 2 => "[ab*()~%&|:\"\u{a0}\u{2003}]{1,3}"]
}

/// Words that are valid at the root and in a selector.
fn rule() -> impl Strategy<Value = String> {
    let every = one_of("~* allkeys &* AllChannels %RW~* +@all -@all allcommands NoCommands -@ALL");
    let key = (one_of("~ ~ %R~ %W~ %RW~ %wr~ %r~"), pattern()).prop_map(|(sign, rest)| sign + &rest);
    let channel = pattern().prop_map(|pattern| format!("&{pattern}"));
    let command = (one_of("+ -"), one_of(COMMANDS)).prop_map(|(sign, rest)| sign + &rest);
    prop_oneof![2 => every, 5 => key, 2 => channel, 8 => command]
}

/// A selector as its words: the first begins with `(` and the last ends in `)`.
fn selector() -> impl Strategy<Value = Vec<String>> {
    (vec(rule(), 0..5), any::<bool>()).prop_map(|(mut rules, apart)| {
        if apart || rules.is_empty() {
            rules.insert(0, "(".to_owned());
            rules.push(")".to_owned());
        } else {
            rules[0].insert(0, '(');
            rules.last_mut().unwrap().push(')');
        }
        rules
    })
}

/// One rule of the root, or a whole selector.
fn piece() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![
        3 => one_of(ROOT_WORDS).prop_map(|word| vec![word]),
        16 => rule().prop_map(|word| vec![word]),
        2 => selector(),
    ]
}

/// The words of an access string. ElastiCache takes most of them.
pub(crate) fn words() -> impl Strategy<Value = Vec<String>> {
    vec(piece(), 0..8).prop_map(|pieces| pieces.concat())
}

/// The words with blanks between them, before and after.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    (words(), vec(select(&BLANKS[..]), 40)).prop_map(|(words, blanks)| {
        let mut text = blanks[0].to_owned();
        for (word, blank) in words.iter().zip(blanks.iter().skip(1).cycle()) {
            text.push_str(word);
            text.push_str(blank);
        }
        text
    })
}

/// A change of a list of words. Many of them change the rights, and many do not.
#[derive(Clone, Debug)]
enum Edit {
    Remove(Index),
    Repeat(Index),
    MoveToTheEnd(Index),
    SwapWithNext(Index),
    FlipSign(Index),
    Insert(Index, String),
}

impl Edit {
    fn apply(self, words: &mut Vec<String>) {
        if words.is_empty() {
            words.push("on".to_owned());
        }
        let at = |index: Index| index.index(words.len());
        match self {
            Self::Remove(index) => drop(words.remove(at(index))),
            Self::Repeat(index) => words.push(words[at(index)].clone()),
            Self::MoveToTheEnd(index) => {
                let word = words.remove(at(index));
                words.push(word);
            }
            Self::SwapWithNext(index) => {
                let at = at(index);
                let next = (at + 1) % words.len();
                words.swap(at, next);
            }
            Self::FlipSign(index) => {
                let at = at(index);
                words[at] = match words[at].strip_prefix('+') {
                    Some(rest) => format!("-{rest}"),
                    None => words[at].replacen('-', "+", 1),
                };
            }
            Self::Insert(index, word) => words.insert(at(index), word),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let word = prop_oneof![5 => rule(), 1 => one_of(ROOT_WORDS), 1 => one_of(REFUSED_WORDS)];
    prop_oneof![
        any::<Index>().prop_map(Edit::Remove),
        any::<Index>().prop_map(Edit::Repeat),
        any::<Index>().prop_map(Edit::MoveToTheEnd),
        any::<Index>().prop_map(Edit::SwapWithNext),
        any::<Index>().prop_map(Edit::FlipSign),
        (any::<Index>(), word).prop_map(|(index, word)| Edit::Insert(index, word)),
    ]
}

/// Two access strings that differ in one to three words or their places.
pub(crate) fn pairs() -> impl Strategy<Value = (String, String)> {
    (words(), vec(edit(), 1..4)).prop_map(|(words, edits)| {
        let mut others = words.clone();
        edits.into_iter().for_each(|edit| edit.apply(&mut others));
        (words.join(" "), others.join(" "))
    })
}
