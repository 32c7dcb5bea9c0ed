//! Control plane, emulator and operator for a developer, until Ctrl-C.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use cluster::Options;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use support::command::quoted;
use support::operator::{ACCOUNT, REGION};
use support::repository::program;
use support::wait::pause;

use crate::Times;
use crate::fixture::{Fixture, Setup};
use crate::shell::say;

/// A first manifest, which needs no Secret.
const FIRST: &str = "\
kubectl apply -f - <<'END'
apiVersion: elasticache-users.dev/v1alpha1
kind: ElastiCacheUser
metadata:
  name: orders-reader
spec:
  engine: valkey
  accessString: on ~orders:* -@all +@read
  authentication:
    type: iam
END
kubectl get ecu";

/// Starts everything, prints how to use it, and runs until a signal comes or a program fails.
pub(crate) fn stay(times: &Times, flags: &[String]) -> Result<()> {
    let variables = variables();
    let setup = Setup {
        operator: program("elasticache-user-operator")?,
        flags,
        variables: &variables,
        modify_time: times.modify_time,
        delete_time: times.delete_time,
        quota: 1000,
    };
    let mut fixture = Fixture::set(&setup, Options::default())?;
    // Before this line a signal ends this process at once, and all other processes with it.
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("failed to wait for signals")?;
    explain(&fixture, &setup.operator)?;
    while signals.pending().next().is_none() {
        if let Err(error) = keep_alive(&mut fixture, &setup) {
            return Err(fixture.failed(error));
        }
        pause(Duration::from_millis(100));
    }
    say("\nending ..");
    fixture.end_operator()?;
    fixture.clear()?;
    say("ended, and nothing is left behind");
    Ok(())
}

/// The operator's settings in this shell.
fn variables() -> Vec<(String, String)> {
    let all =
        std::env::vars_os().filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()));
    all.filter(|(name, _)| name.starts_with("ELASTICACHE_USERS_")).collect()
}

/// Starts the operator again if it has ended, as a kubelet does. Without the other programs nothing works.
fn keep_alive(fixture: &mut Fixture, setup: &Setup<'_>) -> Result<()> {
    fixture.check_servers()?;
    let Some(status) = fixture.operator_status()? else { return Ok(()) };
    say(&format!(
        "The operator has ended ({status}), and starts again. Its former log is operator-before.log."
    ));
    fixture.restart_operator(setup)?;
    say(&format!("It is ready, and serves its metrics at http://{}/metrics", fixture.operator_address()?));
    Ok(())
}

fn explain(fixture: &Fixture, operator: &Path) -> Result<()> {
    let cluster = fixture.cluster();
    let path = |path: &Path| quoted(&path.display().to_string());
    let (url, users) = (fixture.aws().url(), fixture.aws().users_url());
    say("\nCtrl-C ends everything and removes every trace. In another shell:\n");
    say(&format!("export KUBECONFIG={}", path(cluster.kubeconfig())));
    say(&format!("export PATH={}:$PATH", path(cluster.bin_dir())));
    say("\nA first user:\n");
    say(FIRST);
    say("\nOne manifest for each type of authentication is in deploy/samples.");
    say("\nWhat the ElastiCache emulator has (passwords too), and the same as AWS tells it:\n");
    say(&format!("curl -s '{users}'"));
    say(&format!("export AWS_ACCESS_KEY_ID={ACCOUNT} AWS_SECRET_ACCESS_KEY=any"));
    // The aws command of version 1 knows only the second name.
    say(&format!("export AWS_REGION={REGION} AWS_DEFAULT_REGION={REGION}"));
    say(&format!("export AWS_ENDPOINT_URL={url}"));
    say("aws elasticache describe-users");
    say("\nThe same environment is enough for the operator's own questions:\n");
    say(&format!("{} check", path(operator)));
    say("\nThe operator's metrics, and its log:\n");
    say(&format!("curl -s http://{}/metrics", fixture.operator_address()?));
    say(&format!("tail -f {}\n", path(&fixture.operator_log())));
    Ok(())
}
