//! Evaluates a policy of `deploy/iam` as IAM does. It supports only what these policies use, and panics if they use anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use elasticache_emulator::Asked;
use serde_json::Value;

use crate::repository;

/// The cluster IDs of the operators of this process. In production each cluster has a policy of its own.
static CLUSTERS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Records the cluster ID of an operator.
pub(crate) fn named(cluster: &str) {
    CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner).insert(cluster.to_owned());
}

/// The placeholder of the cluster ID in the files.
const CLUSTER: &str = "CLUSTER_ID";

pub(super) struct Policy {
    pub(super) statements: Vec<Statement>,
}

pub(super) struct Statement {
    pub(super) sid: String,
    pub(super) actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

struct Condition {
    operator: String,
    key: String,
    values: Vec<String>,
}

/// A policy's file.
pub(super) fn read(file: &str) -> Value {
    repository::yaml(&format!("deploy/iam/{file}"))
}

/// A text, or each text of a list.
pub(super) fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    value.as_array().map_or_else(|| vec![text(value)], |values| values.iter().map(text).collect())
}

impl Policy {
    /// The policy in this file, with these placeholders replaced.
    pub(super) fn of(file: &str, words: &[(&str, &str)]) -> Self {
        let text = read(file).to_string();
        let text = words.iter().fold(text, |text, (word, value)| text.replace(word, value));
        Self::parse(&text)
    }

    /// The policy in this JSON.
    pub(super) fn parse(text: &str) -> Self {
        let policy: Value = serde_json::from_str(text).unwrap();
        Self { statements: policy["Statement"].as_array().unwrap().iter().map(Statement::of).collect() }
    }

    /// The statement that allows the call.
    pub(super) fn allows(&self, asked: &Asked) -> Option<&str> {
        let found = self.statements.iter().find(|statement| statement.allows(asked));
        found.map(|statement| statement.sid.as_str())
    }
}

impl Statement {
    fn of(statement: &Value) -> Self {
        let statement = statement.as_object().unwrap();
        let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
        assert!(statement.keys().all(|member| known.contains(&member.as_str())), "{statement:?}");
        assert_eq!(statement["Effect"], "Allow");
        let conditions = statement.get("Condition").and_then(Value::as_object).into_iter().flatten();
        let conditions = conditions.flat_map(|(operator, keys)| {
            keys.as_object().unwrap().iter().map(|(key, values)| Condition {
                operator: operator.clone(),
                key: key.clone(),
                values: texts(values),
            })
        });
        Self {
            sid: statement["Sid"].as_str().unwrap().to_owned(),
            actions: texts(&statement["Action"]),
            resources: texts(&statement["Resource"]),
            conditions: conditions.collect(),
        }
    }

    fn allows(&self, asked: &Asked) -> bool {
        self.actions.contains(&format!("elasticache:{}", asked.action))
            && self.resources.iter().any(|pattern| matches(pattern, &asked.resource))
            && self.conditions.iter().all(|condition| condition.holds(asked))
    }
}

impl Condition {
    fn holds(&self, asked: &Asked) -> bool {
        if self.key == "aws:TagKeys" {
            let keys = &asked.tag_keys;
            return match self.operator.as_str() {
                "ForAllValues:StringNotLike" => {
                    keys.iter().all(|key| !self.values.iter().any(|value| matches(value, key)))
                }
                "Null" => self.values == [keys.is_empty().to_string()],
                other => panic!("{other}: no condition of ours"),
            };
        }
        let found = context(&self.key, asked);
        match self.operator.as_str() {
            "StringEquals" => found.is_some_and(|found| self.values.iter().any(|value| is(value, found))),
            "Null" => self.values == [found.is_none().to_string()],
            other => panic!("{other}: no condition of ours"),
        }
    }
}

fn is(value: &str, found: &str) -> bool {
    if value == CLUSTER {
        return CLUSTERS.lock().unwrap_or_else(PoisonError::into_inner).contains(found);
    }
    value == found
}

fn context<'a>(key: &str, asked: &'a Asked) -> Option<&'a str> {
    let tag = |prefix: &str, tags: &'a BTreeMap<String, String>| Some(tags.get(key.strip_prefix(prefix)?));
    let found =
        tag("aws:RequestTag/", &asked.request_tags).or_else(|| tag("aws:ResourceTag/", &asked.resource_tags));
    found.unwrap_or_else(|| panic!("{key}: no key of ours")).map(String::as_str)
}

/// `*` stands for any characters. No other character is special here.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, rest)) => text.strip_prefix(before).is_some_and(|text| {
            (0..=text.len()).any(|at| text.get(at..).is_some_and(|text| matches(rest, text)))
        }),
    }
}

#[test]
fn a_star_in_an_iam_policy_stands_for_any_characters() {
    let same = [
        ("user:a-*", "user:a-b"),
        ("user:a-*", "user:a-"),
        ("a:*:user:*", "a:b:user:c"),
        ("user:*", "user:*"),
    ];
    assert!(same.iter().all(|(pattern, text)| matches(pattern, text)));
    let others = [("user:a-*", "user:ab"), ("a:*:user:*", "a:b:usergroup:c"), ("user:x*y", "user:xyx")];
    assert!(!others.iter().any(|(pattern, text)| matches(pattern, text)));
}
