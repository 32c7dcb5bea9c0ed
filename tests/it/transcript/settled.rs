//! The output of kubectl, with fixed values in place of those that differ from run to run.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Patterns of values that differ from run to run, and their replacements.
static DIFFERS: LazyLock<[(Regex, &str); 5]> = LazyLock::new(|| {
    [
        (r"Resource Version:.*", "Resource Version:  1234"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-01-01T09:00:00Z"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "2026-01-01T09:00:00.000000Z"),
        (r"elasticache-user-operator_[0-9a-f]{16}", "elasticache-user-operator_0123456789abcdef"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "11111111-2222-3333-4444-555555555555"),
    ]
    .map(|(pattern, stands)| (Regex::new(pattern).unwrap(), stands))
});
/// A cell of a table with an age, such as `5s`, `2m10s` or `3h`, and the blanks after it.
static AGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(^|  )((?:\d+[smhd])+)(  +|$)").unwrap());

/// The output of kubectl with fixed ages, times, versions, identifiers and namespace.
pub(crate) fn settled(said: &str, namespace: &str) -> String {
    said.replace(namespace, "shop").lines().map(|line| settled_line(line) + "\n").collect()
}

fn settled_line(line: &str) -> String {
    // The columns after an age keep their positions.
    let age =
        |cell: &Captures<'_>| format!("{}{:width$}", &cell[1], "5s", width = cell[2].len() + cell[3].len());
    let line = AGE.replace_all(line, age).into_owned();
    let settle =
        |line: String, (differs, stands): &(Regex, &str)| differs.replace_all(&line, *stands).into_owned();
    DIFFERS.iter().fold(line, settle).trim_end().to_owned()
}

#[test]
fn ages_ids_and_times_in_shown_output_are_replaced_by_fixed_ones() {
    let rows = [
        ("orders   iam   True   Ready   2m10s", "orders   iam   True   Ready   5s"),
        ("2m10s       Normal   UserCreated", "5s          Normal   UserCreated"),
        ("  Normal  X  3s    from  takes 5s to end", "  Normal  X  5s    from  takes 5s to end"),
        ("    At:  2026-11-24T08:45:18Z", "    At:  2026-01-01T09:00:00Z"),
        ("    At:  2026-11-24T08:45:18.123456Z", "    At:  2026-01-01T09:00:00.000000Z"),
        ("  UID:  6b1c2f4e-0a1b-4c2d-8e3f-0123456789ab", "  UID:  11111111-2222-3333-4444-555555555555"),
        (
            "  Delete Requested By:  elasticache-user-operator_7a7333562815b760",
            "  Delete Requested By:  elasticache-user-operator_0123456789abcdef",
        ),
        ("  Resource Version:    981", "  Resource Version:  1234"),
        ("No resources found in fixture-7-1 namespace.", "No resources found in shop namespace."),
    ];
    for (said, wanted) in rows {
        assert_eq!(settled(said, "fixture-7-1"), format!("{wanted}\n"));
    }
}
