//! Finds the metrics of a PromQL expression, and the labels that it selects and groups by. promtool parses the expression.

use std::collections::BTreeSet;

use super::alerts::promtool;

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Each with its matchers: label and value.
    pub(super) selectors: Vec<(String, Vec<(String, String)>)>,
    pub(super) groups: BTreeSet<String>,
}

const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// promtool puts this matcher first in every selector.
const MARK: &str = "{__mark__=\"x\"";

/// Panics if the expression is no valid PromQL.
pub(super) fn names(expression: &str) -> Names {
    let marked =
        promtool(&["--experimental", "promql", "label-matchers", "set", expression, "__mark__", "x"]);
    let mut names = Names::default();
    let ends: Vec<usize> = marked.match_indices(MARK).map(|(at, _)| at).collect();
    for end in ends {
        let (before, after) = (&marked[..end], &marked[end + MARK.len()..]);
        let metric = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').next();
        let matchers = after.split_once('}').unwrap().0.split_terminator('"').collect::<Vec<_>>();
        let matcher =
            |pair: &[&str]| (pair[0].trim_matches([',', '=', '!', '~']).to_owned(), pair[1].to_owned());
        let matchers = matchers.chunks_exact(2).map(matcher).collect();
        names.selectors.push((metric.unwrap().to_owned(), matchers));
    }
    for word in GROUPING {
        for (_, after) in
            marked.match_indices(&format!("{word} (")).map(|(at, found)| marked.split_at(at + found.len()))
        {
            let labels = after.split_once(')').unwrap().0.split(", ").filter(|label| !label.is_empty());
            names.groups.extend(labels.map(str::to_owned));
        }
    }
    names
}

#[test]
fn the_metrics_and_labels_of_a_promql_expression_are_found() {
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
