//! The operator on a local control plane and the ElastiCache emulator, as real processes.
//!
//! `demo` shows the life of two users, `dev` runs everything for a developer, `size` and `bench` measure the operator.
//!
//! # Map
//! `fixture` the processes · `aws` the emulator's records · `story` the demonstration · `developer` for a developer ·
//! `size` program and memory · `bench` what each thing costs · `soak` everything at once · `kubernetes` many objects · `proc` facts of a process · `shell`
//! commands, shown as they are typed

mod aws;
mod bench;
mod developer;
mod fixture;
mod kubernetes;
mod proc;
mod shell;
mod size;
mod soak;
mod story;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// The operator on a local control plane and the ElastiCache emulator, as real processes.
///
/// The programs are those beside this one: `cargo build --workspace --bins` builds them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Two users are created; one is edited and deleted while AWS is still busy with the edit
    Demo {
        #[command(flatten)]
        times: Times,
        /// Use the cluster that kubectl uses, and start none. The demonstration works in the namespace `demo`, which it makes and
        /// removes. The CustomResourceDefinition stays
        #[arg(long)]
        use_cluster: bool,
    },
    /// Control plane, emulator and operator stay up until Ctrl-C. An operator that ends is started again
    Dev {
        #[command(flatten)]
        times: Times,
        /// Flags for the operator, after `--`. Variables `ELASTICACHE_USERS_..` of this shell reach it too
        #[arg(last = true)]
        operator: Vec<String>,
    },
    /// Measure the release build of the operator: its size, and its memory when idle
    Size,
    /// Measure what the operator costs: AWS calls and Kubernetes writes for each thing it does, memory, CPU
    Bench(bench::Bench),
    /// Disturb many objects in every way for some minutes: afterwards all must converge, and nothing may be left
    Soak(soak::Soak),
}

/// How long AWS takes.
#[derive(clap::Args)]
struct Times {
    /// Seconds for which a user stays `modifying`
    #[arg(long, value_name = "SECONDS", default_value = "8", value_parser = seconds)]
    modify_time: Duration,
    /// Seconds for which a user stays `deleting`
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    delete_time: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = |_| "give a whole number of seconds, such as 8".to_owned();
    text.parse().map(Duration::from_secs).map_err(wrong)
}

fn main() -> ExitCode {
    let end = match Arguments::parse().verb {
        Verb::Demo { times, use_cluster } => story::tell(&times, use_cluster),
        Verb::Dev { times, operator } => developer::stay(&times, &operator),
        Verb::Size => size::measure(),
        Verb::Bench(bench) => bench::measure(&bench),
        Verb::Soak(soak) => soak::soak(&soak),
    };
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_reads = writeln!(io::stderr(), "\nFAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}
