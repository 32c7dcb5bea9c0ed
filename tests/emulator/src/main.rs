//! The program: arguments, one line when it is ready, a clean end on Ctrl-C and SIGTERM.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use elasticache_emulator::{Emulator, Settings};
use tokio::signal::unix::{SignalKind, signal};

const EXAMPLES: &str = "\
Try it:
  elasticache-emulator --modify-time 5s
  export AWS_ACCESS_KEY_ID=000000000000 AWS_SECRET_ACCESS_KEY=any AWS_REGION=us-east-1
  aws elasticache describe-users --endpoint-url http://127.0.0.1:4510
  aws elasticache create-user --endpoint-url http://127.0.0.1:4510 --user-id app --user-name app \\
      --engine redis --access-string 'on ~app:* +@read' --passwords correct-horse-battery
  curl http://127.0.0.1:4510/_emulator/users

The access key id is the account where it is 12 digits; the secret key can be anything.
A TIME has its unit: 0s, 500ms, 2s, 1.5s, 3m, 1h. Everything but --addr and --data can be changed while it runs:
  curl -X PUT http://127.0.0.1:4510/_emulator/settings -d '{\"modify-time\":\"5s\",\"rate\":\"10:20\"}'
Faults, the record of all calls and changes behind the service's back are under /_emulator/ too: see the README.";

/// Answers the ElastiCache calls for users, user groups and tags as the real service does, without an AWS account
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4510", value_parser = read_addr)]
    addr: SocketAddr,

    #[command(flatten)]
    settings: Settings,
}

fn read_addr(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "give an IP address and a port such as 127.0.0.1:4510 or [::1]:0".to_owned())
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Help and version are no errors; a flag that is none is told which there are.
fn explain(error: &clap::Error) -> ExitCode {
    // Nobody may be reading; the exit code still tells.
    let _ = error.print();
    if error.kind() == ErrorKind::UnknownArgument {
        let command = Arguments::command();
        let flags: Vec<String> = command
            .get_arguments()
            .filter_map(|flag| flag.get_long())
            .map(|name| format!("--{name}"))
            .collect();
        eprintln!("There are {}.", flags.join(", "));
    }
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

fn run(arguments: Arguments) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before the line is printed: whoever waits for it may send the signal at once.
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let emulator = Emulator::start(arguments.settings, arguments.addr)?;
        // Nobody may be reading; that is no reason to end.
        let _ = writeln!(io::stdout(), "listening on {}", emulator.url());
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_flags_the_emulator_has_its_default_settings() {
        let arguments = Arguments::parse_from(["elasticache-emulator"]);
        assert_eq!(arguments.settings, Settings::default());
        assert_eq!(arguments.addr.to_string(), "127.0.0.1:4510");
    }
}
