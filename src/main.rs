//! The operator's command line. So far: `crd`.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("crd") {
        eprintln!("usage: elasticache-user-operator crd");
        return ExitCode::FAILURE;
    }
    match elasticache_user_operator::api::crd_yaml() {
        Ok(yaml) => {
            print!("{yaml}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("failed to print the CRD: {error}");
            ExitCode::FAILURE
        }
    }
}
