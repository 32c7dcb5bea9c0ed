//! docs/src/reference/flags.md, from the flags that the program takes.

use clap::{Arg, Command, CommandFactory};
use elasticache_user_operator::config::Cli;

use super::{cell, plain};
use crate::written;

const BEGIN: &str = "\
# Flags

<!-- Written by a test (tests/it/reference/flags.rs) from the program's flags. -->

Every flag can also be set by the environment variable in the table. All of them begin with `ELASTICACHE_USERS_`, so that a shell's
own `LOG` or `NAMESPACE` changes nothing. If both are set, the flag wins. If a flag may be repeated, its environment variable is a list
with commas. If a value is wrong, the program ends with a sentence that says what would be right.

There are no flags for the AWS region, credentials and endpoint. They come from the AWS SDK's standard chain (`AWS_REGION`, IRSA, EKS
Pod Identity, profiles, `AWS_ENDPOINT_URL_ELASTICACHE`). The cluster comes from `KUBECONFIG` or, in a pod, from its
ServiceAccount.
";

#[test]
fn the_page_of_flags_is_generated_from_the_program() {
    written::file("docs/src/reference/flags.md", &text());
}

#[test]
fn every_variable_has_the_prefix_and_the_name_of_its_flag() {
    // A pod gets these two from Kubernetes, under the names that everybody uses for them.
    let of_kubernetes = ["POD_NAMESPACE", "POD_NAME"];
    let cli = Cli::command();
    let args = cli.get_subcommands().flat_map(Command::get_arguments);
    let named = args.filter_map(|arg| Some((arg.get_long()?, arg.get_env()?.to_str()?)));
    let mut tried = 0;
    for (flag, variable) in named.filter(|(_, variable)| !of_kubernetes.contains(variable)) {
        assert_eq!(
            variable,
            format!("ELASTICACHE_USERS_{}", flag.to_uppercase().replace('-', "_")),
            "--{flag}"
        );
        tried += 1;
    }
    assert!(tried > 30, "only {tried} flags have a variable");
}

fn text() -> String {
    let cli = Cli::command();
    let mut text = BEGIN.to_owned();
    for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("\n## {}\n\n{}\n", command.get_name(), sentence(&about)));
        let shown = command.get_arguments().filter(|arg| is_shown(arg));
        let (shared, own): (Vec<&Arg>, Vec<&Arg>) = shown.partition(|arg| is_of_run(&cli, command, arg));
        if !shared.is_empty() {
            text.push_str("\nIt takes the flags of [run](#run) too.\n");
        }
        if own.is_empty() {
            continue;
        }
        text.push_str("\n| flag | environment | default | what it does |\n|---|---|---|---|\n");
        own.into_iter().for_each(|arg| text.push_str(&row(command, arg)));
    }
    text
}

fn is_shown(arg: &Arg) -> bool {
    !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str())
}

/// Whether the flag of another command is the same as that of `run`.
fn is_of_run(cli: &Command, command: &Command, arg: &Arg) -> bool {
    let run = cli.find_subcommand("run").unwrap();
    let same = |other: &&Arg| other.get_id() == arg.get_id() && other.get_help() == arg.get_help();
    command.get_name() != run.get_name() && run.get_arguments().any(|other| same(&other))
}

fn row(command: &Command, arg: &Arg) -> String {
    let long =
        arg.get_long().unwrap_or_else(|| panic!("{}: {} has no long name", command.get_name(), arg.get_id()));
    let environment = arg.get_env().map(|name| format!("`{}`", name.display())).unwrap_or_default();
    let values = arg
        .get_default_values()
        .iter()
        .filter(|value| !value.is_empty())
        .map(|value| format!("`{}`", value.display()));
    let defaults = values.collect::<Vec<_>>().join(", ");
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let possible: Vec<String> =
        arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    let choice = if possible.is_empty() || !arg.get_action().takes_values() {
        String::new()
    } else {
        format!(" One of {}.", possible.join(", "))
    };
    format!("| `--{long}` | {environment} | {defaults} | {}{choice} |\n", cell(&sentence(&help)))
}

/// Adds the full stop that clap removes from the end of a help text.
fn sentence(text: &str) -> String {
    let text = plain(text);
    if text.ends_with(|last: char| last.is_alphanumeric() || ")]".contains(last)) { text + "." } else { text }
}
