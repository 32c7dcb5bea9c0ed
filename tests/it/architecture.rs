//! The shape of the code, held by reading it: what each part may name, which way imports point, what a file begins with,
//! and how long it may be. Compiled code cannot tell: a wrong import works.

mod source;

use std::collections::BTreeSet;

use source::{Source, manifest, sources};

/// Each row may use the rows above it.
const LAYERS: [&[&str]; 9] = [
    &["plan"],
    &["api", "clock"],
    &["config", "connection", "leader_election"],
    &["memory", "objects", "users"],
    &["report", "resolve", "telemetry"],
    &["reconcile"],
    &["controller"],
    &["check", "run"],
    &["main"],
];

/// Files of more than [`LONGEST`] lines, each with the reason why it is one.
const LONG: [(&str, &str); 2] = [
    ("src/plan/model.rs", "the nouns, most of it their documentation"),
    ("src/plan/tests/protocol/shell.rs", "the steps of a pass in the model, beside those of reconcile.rs"),
];
const LONGEST: usize = 400;

/// Names of the AWS SDK begin with these.
const SDK: &str = "aws_config aws_credential aws_runtime aws_sdk aws_smithy aws_types";

/// Fails with every offence at once, and what to do about them.
fn none(offences: &[String], mend: &str) {
    assert!(offences.is_empty(), "{mend}\n  {}", offences.join("\n  "));
}

/// The sources below src, of which `wanted` are asked for.
fn below_src(wanted: impl Fn(&Source) -> bool) -> Vec<Source> {
    let found: Vec<Source> = sources("src").into_iter().filter(|source| wanted(source)).collect();
    assert!(!found.is_empty(), "nothing was looked at: the tree is laid out otherwise than this test thinks");
    found
}

/// `file: name` for each name in `files` that `forbidden` tells.
fn naming(files: &[Source], forbidden: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let names = file.names();
        let named = names.iter().filter(|name| forbidden(file, name));
        found.extend(named.map(|name| format!("{}: {name}", file.path)));
    }
    found
}

fn is_plan(source: &Source) -> bool {
    source.path.starts_with("src/plan/")
}

fn is_sdk(name: &str) -> bool {
    SDK.split(' ').any(|begin| name.starts_with(begin))
}

/// The name is this path, or something in it.
fn within(name: &str, path: &str) -> bool {
    name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[test]
fn plan_is_pure() {
    const CRATES: &str =
        "chrono fastrand futures getrandom jiff k8s_openapi kube log rand reqwest time tokio tracing";
    const STD: &str = "env fs io net os process thread";
    const WORDS: &str = "async await Instant SystemTime";
    const IN_TESTS_ALONE: &str = "print println eprint eprintln proptest";
    let offences = naming(&below_src(is_plan), |file, name| {
        let (first, last) = (name.split("::").next(), name.rsplit("::").next());
        let one_of = |words: &str, word: Option<&str>| words.split(' ').any(|one| Some(one) == word);
        name.contains("::") && one_of(CRATES, first)
            || STD.split(' ').any(|module| within(name, &format!("std::{module}")))
            || within(name, "std::time") && !within(name, "std::time::Duration")
            || one_of(WORDS, last)
            || is_sdk(name)
            || !file.is_test() && one_of(IN_TESTS_ALONE, first)
    });
    let mend = "src/plan decides and does nothing else: give it the fact, the time or the random number as an argument";
    none(&offences, mend);
}

#[test]
fn plan_depends_on_nothing_that_could_make_it_impure() {
    for (table, allowed) in [("dependencies", ["secrecy"]), ("dev-dependencies", ["proptest"])] {
        let found = manifest("src/plan/Cargo.toml", table);
        let others: Vec<String> =
            found.into_iter().filter(|name| !allowed.contains(&name.as_str())).collect();
        let mend = "src/plan needs no more crates than it has: do it in the shell, or say here why this crate is pure";
        none(&others, mend);
    }
}

#[test]
fn only_the_adapter_names_the_aws_sdk() {
    let others =
        below_src(|source| source.path != "src/users/aws.rs" && !source.path.starts_with("src/users/aws/"));
    let offences = naming(&others, |_, name| is_sdk(name));
    none(&offences, "the AWS SDK ends in src/users/aws.rs: say it in the words of `plan` there");
}

#[test]
fn the_environment_is_read_in_one_file() {
    let others = below_src(|source| source.path != "src/config.rs");
    let mut offences = naming(&others, |_, name| within(name, "std::env"));
    let by_flag = others.iter().filter(|source| source.code.contains("env = "));
    offences.extend(by_flag.map(|source| format!("{}: a flag with a variable", source.path)));
    none(&offences, "the environment is read in src/config.rs: make it a flag with a variable of its name");
}

#[test]
fn the_clock_is_read_in_one_file() {
    let others = below_src(|source| source.path != "src/clock.rs");
    let offences = naming(&others, |_, name| {
        let clocks = ["std::time::SystemTime", "std::time::Instant", "SystemTime"];
        clocks.iter().any(|clock| within(name, clock))
            || ["Timestamp::now", "Zoned::now", "Utc::now", "Local::now"]
                .iter()
                .any(|read| name.ends_with(read))
    });
    let mend = "wall-clock time comes from src/clock.rs, spans are measured by tokio::time::Instant: tests set the one and pause the other";
    none(&offences, mend);
}

#[test]
fn imports_point_one_way() {
    let rank = |module: &str| LAYERS.iter().position(|row| row.contains(&module));
    let mut offences = Vec::new();
    for file in below_src(|source| !is_plan(source) && source.path != "src/lib.rs") {
        let Some(own) = rank(file.module()) else {
            offences.push(format!("{} has no place in LAYERS", file.path));
            continue;
        };
        for used in file.modules_used() {
            let above = rank(&used).is_some_and(|other| other >= own);
            if used != file.module() && above {
                offences.push(format!("{} uses {used}", file.path));
            }
        }
    }
    let mend = "a module uses those above its row of LAYERS alone: move what both need up, or pass it in";
    none(&offences, mend);
}

#[test]
fn the_map_of_the_crate_is_complete() {
    let crate_root = below_src(|source| source.path == "src/lib.rs").remove(0);
    let map: BTreeSet<&str> = crate_root.text.lines().filter(|line| line.starts_with("//! | [")).collect();
    let listed = |module: &str| map.iter().any(|row| row.contains(&format!("[`{module}`]")));
    let modules: BTreeSet<String> = below_src(|source| !is_plan(source) && source.path != "src/lib.rs")
        .iter()
        .map(|source| source.module().to_owned())
        .filter(|module| module != "main")
        .chain(["plan".to_owned()])
        .collect();
    let missing: Vec<String> = modules.iter().filter(|module| !listed(module)).cloned().collect();
    none(&missing, "the map in src/lib.rs names every module: give each of these a row that says what it is");
    let named = map.iter().flat_map(|row| row.split("[`").skip(1)).filter_map(|rest| rest.split_once("`]"));
    let gone: Vec<String> =
        named.map(|(name, _)| name.to_owned()).filter(|name| !modules.contains(name)).collect();
    none(&gone, "the map in src/lib.rs names modules that are not there: take their rows out");
}

#[test]
fn each_file_says_first_whether_it_does_io() {
    let files = below_src(|source| !source.is_test() && source.path != "src/lib.rs");
    let says = |line: &str| line.starts_with("//! ") && (line.contains("I/O") || line.contains("Pure:"));
    let silent = files.iter().filter(|source| !says(source.first_line())).map(|source| source.path.clone());
    let mend = "the first line of a file is its doc, with \"I/O:\", \"No I/O:\" or \"Pure:\" in it";
    none(&silent.collect::<Vec<_>>(), mend);

    let pure: Vec<Source> = files
        .into_iter()
        .filter(|source| ["No I/O", "Pure:"].iter().any(|word| source.first_line().contains(word)))
        .collect();
    const IO: &str = "axum kube::Api kube::Client reqwest std::fs std::net::TcpListener std::process tokio::net tokio::signal";
    let offences = naming(&pure, |_, name| IO.split(' ').any(|io| within(name, io)));
    none(&offences, "these files say that they do no I/O: move it out, or say so in the first line");
}

#[test]
fn files_are_short() {
    let mut offences = Vec::new();
    let files = below_src(|_| true);
    for file in &files {
        let (lines, listed) = (file.text.lines().count(), LONG.iter().any(|(path, _)| *path == file.path));
        if lines > LONGEST && !listed {
            offences.push(format!("{} has {lines} lines", file.path));
        }
        if lines <= LONGEST && listed {
            offences.push(format!("{} has {lines} lines and need not be in LONG any more", file.path));
        }
    }
    let there = |path: &str| files.iter().any(|file| file.path == path);
    offences.extend(LONG.iter().filter(|(path, _)| !there(path)).map(|(path, _)| format!("{path} is gone")));
    let mend = "a file of more than 400 lines usually holds two ideas: split it, or list it in LONG with the reason why not";
    none(&offences, mend);
}
