//! Flags and environment variables.

use plan::pace::Pace;

use super::*;

fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once(&"elasticache-user-operator").chain(args))
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let run = parse(&[]).unwrap().run;
    assert!(run.namespaces().is_empty());
    assert_eq!(run.cluster_id, None);
    assert_eq!(run.default_deletion_policy, DefaultDeletionPolicy::Delete);
    assert_eq!((run.aws_rate, run.aws_burst), (10.0, 20));
    assert_eq!(run.resync, Duration::from_secs(600));
    assert_eq!(run.stale_after, Duration::from_secs(900));
    assert_eq!(run.http_addr.to_string(), "0.0.0.0:8080");
    assert_eq!(run.pace(), Pace::default());
    assert!(!run.leader_elect && !run.metrics_secure && run.health_addr.is_none());
    assert_eq!(
        (run.lease_name(), run.installation("r", "c").release),
        ("elasticache-user-operator".to_owned(), String::new())
    );
}

#[test]
fn flags_are_accepted_with_and_without_the_subcommand_run() {
    for args in [&["--namespace", "a", "--namespace", "b"][..], &["run", "--namespace=b,a,b"][..]] {
        let cli = parse(args).unwrap();
        let run = match cli.command {
            Some(CliCommand::Run(run)) => run,
            Some(CliCommand::Crd | CliCommand::Check(_)) | None => cli.run,
        };
        assert_eq!(run.namespaces(), ["a", "b"], "{args:?}");
    }
}

#[test]
fn check_accepts_the_flags_of_run() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
    let args = ["check", "--namespace=a", "--aws-rate=3", "--leader-elect", "--uninstall", "--output=json"];
    let Some(CliCommand::Check(check)) = parse(&args).unwrap().command else { panic!("it is check") };
    assert_eq!(check.run.namespaces(), ["a"]);
    assert!(check.run.leader_elect && check.uninstall && !check.force);
    assert_eq!(check.output, OutputFormat::Json);
    let Some(CliCommand::Check(plain)) = parse(&["check", "--leader-elect=false"]).unwrap().command else {
        panic!("it is check")
    };
    assert!(!plain.run.leader_elect && !plain.uninstall);
    let help = parse(&["check", "--help"]).unwrap_err().to_string();
    assert!(help.contains("--namespace") && help.contains("--cluster-id"), "{help}");
    assert!(!help.contains("--concurrency") && !help.contains("--page-size"), "{help}");
    assert!(help.contains("--orphans") && help.contains("--aws-rate"), "{help}");
}

#[test]
fn check_refuses_flags_of_two_modes_at_once() {
    let mode = |args: &[&str]| {
        let command = parse(&[&["check"], args].concat()).unwrap().command;
        let Some(CliCommand::Check(check)) = command else { panic!("it is check") };
        check.mode().map_err(|error| (error.exit_code(), error.to_string()))
    };
    assert_eq!(mode(&[]), Ok(CheckMode::Preflight));
    assert_eq!(mode(&["--uninstall"]), Ok(CheckMode::Uninstall { force: false }));
    assert_eq!(mode(&["--uninstall", "--force"]), Ok(CheckMode::Uninstall { force: true }));
    assert_eq!(mode(&["--orphans"]), Ok(CheckMode::Orphans));
    for wrong in [&["--force"][..], &["--orphans", "--force"], &["--orphans", "--uninstall"]] {
        let (code, text) = mode(wrong).unwrap_err();
        assert_eq!(code, 2, "{wrong:?}: {text}");
        assert!(text.contains("Usage: elasticache-user-operator check"), "{wrong:?}: {text}");
    }
}

#[test]
fn leader_election_is_turned_on_by_the_bare_flag_and_off_by_its_value() {
    let elects = |args: &[&str]| parse(args).map(|cli| cli.run.leader_elect);
    assert!(elects(&["--leader-elect"]).unwrap());
    assert!(elects(&["--leader-elect=true", "--concurrency", "3"]).unwrap());
    assert!(!elects(&["--leader-elect=false"]).unwrap());
    assert!(elects(&["--leader-elect=perhaps"]).is_err());
}

#[test]
fn an_invalid_value_of_a_flag_is_refused_with_what_would_be_valid() {
    let rows = [
        ("an empty cluster id", &["--cluster-id", " "][..], "must not be empty"),
        ("no calls at all", &["--aws-rate", "0"][..], "calls in a second"),
        ("a Lease that cannot be", &["--lease-name", "My Lease"][..], "lower-case letters"),
        ("a duration without unit", &["--resync", "10"][..], "10m or 1h30m"),
        ("a duration of nothing", &["--resync", "0s"][..], "at least a second"),
        ("an unknown feature", &["--forbid", "retain,delete"][..], "prevent-deletion"),
        ("no users at all", &["--max-users-per-namespace", "0"][..], "1.."),
        ("nobody at work", &["--concurrency", "0"][..], "1..=1000"),
        ("an unknown policy", &["--default-deletion-policy", "Keep"][..], "Delete, Retain"),
        ("an address without port", &["--http-addr", "localhost"][..], "invalid socket address"),
    ];
    for (claim, args, expected) in rows {
        let error = parse(args).unwrap_err().to_string();
        assert!(error.contains(expected), "{claim}: {error}");
    }
}

#[test]
fn every_flag_has_an_environment_variable_of_the_same_name() {
    use clap::CommandFactory;
    let (run, check) = (Cli::command(), Cli::command().find_subcommand("check").unwrap().clone());
    let args = run.get_arguments().chain(check.get_arguments());
    for arg in args.filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
        let flag = arg.get_long().unwrap().replace('-', "_").to_uppercase();
        assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(flag.as_str()));
    }
}
