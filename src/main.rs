//! I/O: the program: arguments, logs, subcommands and exit codes.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use elasticache_user_operator::config::{Check, Cli, CliCommand, DEFAULT_LOG, RunFlags};
use elasticache_user_operator::{api, check, run, telemetry};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(CliCommand::Crd) => print_crd().map(|()| true),
        Some(CliCommand::Check(flags)) => preflight(&flags),
        Some(CliCommand::Run(flags)) => operate(&flags).map(|()| true),
        None => operate(&cli.run).map(|()| true),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever reads the output has seen enough, as in `check | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

fn print_crd() -> anyhow::Result<()> {
    std::io::stdout().write_all(api::crd_yaml()?.as_bytes())?;
    Ok(())
}

/// True if no check failed. Logs only if --log is set, because a log line would be noise beside the answer.
fn preflight(flags: &Check) -> anyhow::Result<bool> {
    let mode = flags.mode().unwrap_or_else(|error| error.exit());
    if flags.run.log != DEFAULT_LOG {
        telemetry::start_logging(&flags.run)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(check::check(flags, mode, std::io::stdout(), &mut std::io::stderr()));
    // Do not wait for a DNS lookup that hangs in a blocking thread.
    runtime.shutdown_background();
    result
}

/// Two threads are enough for thousands of objects, because nearly all the work is waiting.
fn operate(flags: &RunFlags) -> anyhow::Result<()> {
    telemetry::start_logging(flags)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(run::run(flags));
    // `run` has given the calls in flight their time already.
    runtime.shutdown_background();
    Ok(result?)
}
