//! `chart`: writes the files that are generated from the chart.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// What is made from the Helm chart.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write the manifests in deploy/, the chart's copy of the CRD and its README
    Manifests,
}

fn main() -> ExitCode {
    let Arguments { verb: Verb::Manifests } = Arguments::parse();
    match chart::write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_reads = writeln!(io::stderr(), "chart: {error:#}");
            ExitCode::FAILURE
        }
    }
}
