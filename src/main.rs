//! I/O: the program. Arguments, logs, subcommands and exit codes.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use elasticache_user_operator::config::{Cli, Command, Run};
use elasticache_user_operator::{api, run, telemetry};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Crd) => print_crd(),
        Some(Command::Run(flags)) => operate(&flags),
        None => operate(&cli.run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_crd() -> anyhow::Result<()> {
    std::io::stdout().write_all(api::crd_yaml()?.as_bytes())?;
    Ok(())
}

/// Two threads carry thousands of objects: the work is waiting.
fn operate(flags: &Run) -> anyhow::Result<()> {
    telemetry::start_logging(flags)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(run::run(flags));
    // What is still under way was given its time.
    runtime.shutdown_background();
    result
}
