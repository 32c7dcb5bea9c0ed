//! Measures the size of the operator's release build and its memory.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cluster::Options;
use serde_json::{Value, json};
use support::command::run;
use support::repository::program;
use support::wait::{PATIENCE, pause};

use crate::fixture::{Fixture, Setup};
use crate::proc::{mib, vm_rss};
use crate::shell::say;

/// The largest allowed size of the program, in bytes: 12 MB.
const BINARY: u64 = 12_000_000;
/// The most memory that the idle operator may have, in KiB: 16 MiB.
const IDLE: u64 = 16 * 1024;
/// Objects of the second figure.
const OBJECTS: usize = 50;

/// Prints the figures. A figure above its limit is an error.
pub(crate) fn measure() -> Result<()> {
    let operator =
        program("../release/elasticache-user-operator").context("`cargo build --release` first")?;
    let bytes = fs::metadata(&operator)?.len();

    let second = Duration::from_secs(1);
    let setup =
        Setup { operator, flags: &[], variables: &[], modify_time: second, delete_time: second, quota: 1000 };
    let mut fixture = Fixture::set(&setup, Options::default())?;
    let figures = resident(&mut fixture);
    let (idle, busy) = figures.map_err(|error| fixture.failed(error))?;
    fixture.end_operator()?;
    fixture.clear()?;

    say("");
    judge(&Figures { bytes, idle, busy })
}

/// What was measured: the file in bytes, resident memory in KiB.
struct Figures {
    bytes: u64,
    idle: u64,
    busy: u64,
}

/// Prints the figures. A figure above its limit is an error.
fn judge(figures: &Figures) -> Result<()> {
    let Figures { bytes, idle, busy } = *figures;
    let verdict = |fits: bool| if fits { "fits" } else { "TOO MUCH" };
    let (small, lean) = (bytes <= BINARY, idle <= IDLE);
    say(&format!("binary                 {bytes:>10} bytes  (at most {BINARY}): {}", verdict(small)));
    say(&format!("resident, idle         {:>10} MiB    (at most 16): {}", mib(idle), verdict(lean)));
    say(&format!("resident, {OBJECTS} objects   {:>10} MiB    (for comparison)", mib(busy)));
    ensure!(small && lean, "a bound is passed");
    Ok(())
}

/// Resident memory without objects, and with some, in KiB.
fn resident(fixture: &mut Fixture) -> Result<(u64, u64)> {
    say("\nThe memory of an idle operator, once it no longer changes ..");
    let idle = settled(fixture)?;
    say(&format!("The same with {OBJECTS} objects .."));
    let items: Vec<Value> = (0..OBJECTS).map(object).collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string();
    let file = fixture.cluster().dir().join("objects.json");
    fs::write(&file, list).with_context(|| format!("failed to write {}", file.display()))?;
    run(fixture.kubectl().arg("apply").arg("-f").arg(&file))?;
    run(fixture.kubectl().args(["wait", "--for=condition=Ready", "ecu", "--all", "--timeout=90s"]))?;
    let busy = settled(fixture)?;
    run(fixture.kubectl().args(["delete", "ecu", "--all", "--timeout=90s"]))?;
    Ok((idle, busy))
}

fn object(number: usize) -> Value {
    json!({
        "apiVersion": "elasticache-users.dev/v1alpha1",
        "kind": "ElastiCacheUser",
        "metadata": { "name": format!("user-{number}") },
        "spec": {
            "engine": "valkey",
            "accessString": "on ~orders:* -@all +@read",
            "authentication": { "type": "iam" },
        },
    })
}

/// The resident memory, after ten samples with a second between them have shown nearly the same value.
fn settled(fixture: &mut Fixture) -> Result<u64> {
    const LOOKS: u32 = 10;
    const NEARLY: u64 = 64;
    let deadline = Instant::now() + PATIENCE;
    let (mut reference, mut same) = (0, 0);
    while same < LOOKS {
        fixture.check_alive()?;
        if Instant::now() > deadline {
            bail!("the operator's memory does not settle; it was {reference} KiB last");
        }
        let now = vm_rss(fixture.operator_pid())?;
        if now.abs_diff(reference) <= NEARLY {
            same += 1;
        } else {
            (reference, same) = (now, 0);
        }
        pause(Duration::from_secs(1));
    }
    vm_rss(fixture.operator_pid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_above_its_limit_is_an_error_whatever_the_other_size_is() {
        let judged = |bytes, idle| judge(&Figures { bytes, idle, busy: u64::MAX }).is_ok();
        assert!(judged(12_000_000, 16 * 1024));
        assert!(!judged(12_000_001, 16 * 1024));
        assert!(!judged(12_000_000, 16 * 1024 + 1));
    }
}
