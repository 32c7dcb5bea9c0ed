//! Rules about the code that the compiler cannot check. The tests read the source text.
//!
//! The compiler checks the rest: a crate can name only what its manifest lists, so `plan` cannot name kube, tokio or the AWS
//! SDK, and only the crate `aws` can name the SDK. `clippy.toml` forbids the usual ways to read clock and environment.

use std::collections::BTreeMap;
use std::path::Path;

/// Files of more than [`LONGEST_FILE`] lines (`path`), and functions of more than [`LONGEST_FUNCTION`] (`path name`), each with the
/// reason.
const LONG: [(&str, &str); 0] = [];
const LONGEST_FILE: usize = 400;
const LONGEST_FUNCTION: usize = 60;

/// Lines with one of these words may stand in one place only.
struct Rule {
    words: &'static [&'static str],
    only_in: &'static str,
    advice: &'static str,
}

struct SourceFile {
    /// Relative to the root of the repository.
    path: String,
    text: String,
}

impl SourceFile {
    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// The lines without comments and without a `mod tests` at the end of the file.
    fn product_lines(&self) -> impl Iterator<Item = &str> {
        let product = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        product.lines().filter(|line| !line.trim_start().starts_with("//"))
    }
}

/// All Rust files below `src`, in order.
fn source_files() -> Vec<SourceFile> {
    rust_files(&["src"])
}

/// All Rust files below these folders, in order.
fn rust_files(folders: &[&str]) -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders: Vec<_> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.push(SourceFile { path, text });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(
        files.len() > 50,
        "only {} files were found: does this test still know the folders?",
        files.len()
    );
    files
}

/// The crates in the table `[table]` of a manifest.
fn dependencies(manifest: &str, table: &str) -> Vec<String> {
    let text = crate::repository::read(manifest);
    let rows = text.lines().skip_while(|line| *line != format!("[{table}]")).skip(1);
    let rows = rows.take_while(|line| !line.starts_with('[')).filter(|line| !line.trim().is_empty());
    rows.map(|line| line.split(['.', '=', ' ']).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn each_crate_depends_only_on_the_crates_that_it_may_use() {
    let plan = "src/plan/Cargo.toml";
    assert_eq!(dependencies(plan, "dependencies"), ["secrecy"], "plan decides, and does no I/O");
    // The tests of `plan` are pure too. From the emulator they use only the canonical form of access strings.
    let pure = ["elasticache-emulator", "proptest", "stateright", "proptest-state-machine"];
    assert_eq!(dependencies(plan, "dev-dependencies"), pure);
    for table in ["dependencies", "dev-dependencies"] {
        let emulator = dependencies("tests/emulator/Cargo.toml", table);
        assert!(!emulator.is_empty(), "{table} is there");
        let ours: Vec<_> =
            emulator.iter().filter(|name| *name == "plan" || name.starts_with("elasticache-user-")).collect();
        assert!(
            ours.is_empty(),
            "the emulator shares no view of AWS with the operator, but {table} has {ours:?}"
        );
    }
    for table in ["dependencies", "dev-dependencies"] {
        let operator = dependencies("Cargo.toml", table);
        assert!(!operator.is_empty(), "{table} is there");
        let sdk: Vec<_> = operator.iter().filter(|name| name.starts_with("aws-")).collect();
        assert!(
            sdk.is_empty(),
            "only src/aws depends on the AWS SDK, but {table} of the operator has {sdk:?}"
        );
    }
}

#[test]
fn only_the_listed_files_read_the_environment_and_the_clock() {
    let rows = [
        Rule {
            words: &["std::env", "env = "],
            only_in: "src/config.rs",
            advice: "make it a flag with a variable of its name",
        },
        Rule {
            words: &["SystemTime", "std::time::Instant", "Timestamp::now", "Zoned::now"],
            only_in: "src/clock.rs",
            advice: "take the wall-clock time from src/clock.rs, and measure spans with tokio::time::Instant",
        },
        Rule {
            words: &["std::fs", "std::process", "std::thread", "std::io"],
            only_in: "the other crates",
            advice: "plan does no I/O: take the fact as an argument",
        },
    ];
    let mut offences = Vec::new();
    for file in source_files().iter().filter(|file| !file.is_test()) {
        let in_plan = file.path.starts_with("src/plan/");
        for Rule { words, only_in, advice } in &rows {
            let allowed = file.path == *only_in || *only_in == "the other crates" && !in_plan;
            let named = |line: &&str| words.iter().any(|word| line.contains(word));
            let lines = file.product_lines().filter(named).filter(|_| !allowed);
            offences.extend(lines.map(|line| format!("{}: {}\n    {advice}", file.path, line.trim())));
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

/// Enums that the API and `plan` both have: the same words, but only the API's enum keeps a word that it does not know. The
/// code writes them `api::Engine` and `plan::Engine`.
const NAMED_TWICE: [&str; 3] = ["AuthenticationType", "DeletionPolicy", "Engine"];

/// The names of the types that a file defines. Associated types belong to their trait, and are left out.
fn type_names(file: &SourceFile) -> Vec<String> {
    let text = file.product_lines().collect::<Vec<_>>().join("\n");
    let definitions =
        regex::Regex::new(r"(?m)^ *(?:pub(?:\([a-z]+\))? )?(?:struct|enum|union|trait) (\w+)").unwrap();
    let aliases = regex::Regex::new(r"(?m)^(?:pub(?:\([a-z]+\))? )?type (\w+)").unwrap();
    let word_enums = regex::Regex::new(r"word_enum! \{\s*(\w+) \{").unwrap();
    let names = [definitions, aliases, word_enums].into_iter().flat_map(|pattern| {
        pattern.captures_iter(&text).map(|found| found[1].to_owned()).collect::<Vec<_>>()
    });
    names.collect()
}

#[test]
fn no_two_types_of_the_product_have_the_same_name() {
    let mut files_by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in source_files().into_iter().filter(|file| !file.is_test()) {
        for name in type_names(&file) {
            files_by_name.entry(name).or_default().push(file.path.clone());
        }
    }
    assert!(files_by_name.len() > 200, "only {} types were found", files_by_name.len());
    for name in NAMED_TWICE {
        let files = files_by_name.remove(name).unwrap_or_default();
        let pair = matches!(files.as_slice(), [api, plan] if api.starts_with("src/api/") && plan.starts_with("src/plan/"));
        assert!(pair, "{name} is listed in NAMED_TWICE, so both api and plan must define it: {files:?}");
    }
    files_by_name.retain(|_, files| files.len() > 1);
    assert!(files_by_name.is_empty(), "rename all but one of them: {files_by_name:#?}");
}

/// Names of free functions that several modules may have, because the name means the same in each. A call names the module.
const SHARED_NAMES: [(&str, &str); 2] = [
    ("run", "runs a part of the operator, until that part ends"),
    ("evaluate", "turns what one check asked for into rows"),
];

/// The names of the free functions of a file: rustfmt begins them in the first column. A method is left out, because the type of
/// its receiver says which one is meant.
fn function_names(file: &SourceFile) -> Vec<String> {
    let text = file.product_lines().collect::<Vec<_>>().join("\n");
    let definitions =
        regex::Regex::new(r"(?m)^(?:pub(?:\([a-z]+\))? )?(?:const )?(?:async )?fn (\w+)").unwrap();
    definitions.captures_iter(&text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn no_name_of_a_free_function_has_several_meanings() {
    let mut files_by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in source_files().into_iter().filter(|file| !file.is_test()) {
        for name in function_names(&file) {
            files_by_name.entry(name).or_default().push(file.path.clone());
        }
    }
    assert!(files_by_name.len() > 300, "only {} functions were found", files_by_name.len());
    files_by_name.retain(|_, files| files.len() > 1);
    for (name, meaning) in SHARED_NAMES {
        let files = files_by_name.remove(name);
        assert!(files.is_some(), "only one module has {name} ({meaning}): take it out of SHARED_NAMES");
    }
    assert!(
        files_by_name.is_empty(),
        "rename these functions, so that each name has one meaning: {files_by_name:#?}"
    );
}

/// The functions of a file, each with its number of lines. rustfmt puts the closing brace below the first letter of the function.
fn function_lengths(file: &SourceFile) -> Vec<(&str, usize)> {
    let begin =
        regex::Regex::new(r"^( *)(?:pub(?:\([a-z]+\))? )?(?:const )?(?:async )?fn (\w+).*[^;}]$").unwrap();
    let lines: Vec<&str> = file.text.lines().collect();
    let functions = lines.iter().enumerate().filter_map(|(at, line)| {
        let (_, [indent, name]) = begin.captures(line)?.extract();
        // A method that a trait only declares ends with a semicolon.
        let last = |line: &str| line == "}" || line.starts_with(')') && line.ends_with(';');
        let length = lines[at..].iter().position(|line| line.strip_prefix(indent).is_some_and(last))?;
        Some((name, length + 1))
    });
    functions.collect()
}

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    let mut functions = 0;
    for file in rust_files(&["src", "tests"]) {
        long.extend((file.text.lines().count() > LONGEST_FILE).then(|| file.path.clone()));
        for (name, lines) in function_lengths(&file) {
            functions += 1;
            long.extend((lines > LONGEST_FUNCTION).then(|| format!("{} {name}", file.path)));
        }
    }
    assert!(functions > 3000, "only {functions} functions were found");
    let listed = LONG.map(|(what, _)| what);
    assert_eq!(
        long, listed,
        "these are too long, because they usually have two tasks: split them, or list them in LONG with the reason"
    );
}
