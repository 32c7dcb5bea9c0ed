//! What kubectl says, without what differs from run to run.

/// What kubectl said, with one value for each that differs from run to run: ages, times, versions, identifiers and the
/// namespace.
pub(crate) fn settled(said: &str, namespace: &str) -> String {
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
        ("No resources found in fixture-7-1 namespace.", "No resources found in shop namespace."),
    ];
    for (said, wanted) in rows {
        assert_eq!(settled(said, "fixture-7-1"), format!("{wanted}\n"));
    }
}
