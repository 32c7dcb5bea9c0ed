//! I/O: what the kernel tells about this process, under the names of Prometheus's own client libraries. Linux alone; where
//! /proc does not tell, the series is left out.
//!
//! Six numbers from four files: a library for all of /proc would be larger than what it saves.

use std::fmt;
use std::fs;
use std::sync::OnceLock;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// The kernel's unit of CPU time towards programs, on every architecture: USER_HZ.
const TICKS: f64 = 100.0;

/// The process that asks.
#[derive(Debug, Default)]
pub struct Process {
    /// Does not change, and costs two files.
    started: OnceLock<Option<f64>>,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stat = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(stat);
        let memory = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let encoder = &mut encoder;
        if let Some(stat) = &stat {
            let spent = ConstCounter::new(stat.spent);
            let help = "CPU time spent, by the user and the system.";
            tell(encoder, "process_cpu", help, Some(Unit::Seconds), &spent)?;
        }
        let started = *self.started.get_or_init(|| Some(boot()? + stat.as_ref()?.started));
        if let Some(started) = started {
            let help = "When the process began, in seconds since 1970.";
            tell(encoder, "process_start_time", help, Some(Unit::Seconds), &ConstGauge::new(started))?;
        }
        if let Some(resident) = bytes(&memory, "VmRSS:") {
            let help = "Memory that the process holds.";
            tell(encoder, "process_resident_memory", help, Some(Unit::Bytes), &ConstGauge::new(resident))?;
        }
        if let Some(size) = bytes(&memory, "VmSize:") {
            let help = "Address space of the process.";
            tell(encoder, "process_virtual_memory", help, Some(Unit::Bytes), &ConstGauge::new(size))?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is the look itself.
            let open = i64::try_from(open.count().saturating_sub(1)).unwrap_or(i64::MAX);
            tell(encoder, "process_open_fds", "Open file descriptors.", None, &ConstGauge::new(open))?;
        }
        if let Some(most) = most_files(&limits) {
            let help = "File descriptors that may be open at once.";
            tell(encoder, "process_max_fds", help, None, &ConstGauge::new(most))?;
        }
        Ok(())
    }
}

fn tell(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    value: &impl EncodeMetric,
) -> fmt::Result {
    value.encode(encoder.encode_descriptor(name, help, unit.as_ref(), value.metric_type())?)
}

/// In seconds.
#[derive(Debug, PartialEq)]
struct Stat {
    spent: f64,
    /// Since the machine started.
    started: f64,
}

/// The name of the program may hold anything, so what follows its last bracket counts.
fn stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let seconds = |index: usize| Some(fields.get(index)?.parse::<f64>().ok()? / TICKS);
    Some(Stat { spent: seconds(11)? + seconds(12)?, started: seconds(19)? })
}

/// When the machine started, in seconds since 1970.
fn boot() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn bytes(status: &str, member: &str) -> Option<i64> {
    let value = status.lines().find_map(|line| line.strip_prefix(member))?;
    value.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()?.checked_mul(1024)
}

fn most_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(f64::INFINITY),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_read() {
        let line = "42 (a (odd) name) S 1 2 3 4 5 6 7 8 9 10 150 250 13 14 15 16 17 18 123400 20 21";
        assert_eq!(stat(line), Some(Stat { spent: 4.0, started: 1234.0 }));
        assert_eq!(stat("nothing of the kind"), None);
        let status = "Name:\tx\nVmSize:\t  123 kB\nVmRSS:\t   45 kB\n";
        assert_eq!((bytes(status, "VmSize:"), bytes(status, "VmRSS:")), (Some(125_952), Some(46_080)));
        let limits = "Limit   Soft Limit   Hard Limit   Units\nMax open files            1024                 4096                 files\n";
        assert_eq!(most_files(limits), Some(1024.0));
        assert_eq!(most_files("Max open files   unlimited   unlimited   files\n"), Some(f64::INFINITY));
    }

    #[test]
    fn this_process_is_told_about() {
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(Process::default()));
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
        let value = |name: &str| -> f64 {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} stands in:\n{page}")).parse().unwrap()
        };
        assert!(value("process_cpu_seconds_total") >= 0.0);
        assert!(value("process_open_fds") >= 3.0 && value("process_open_fds") < value("process_max_fds"));
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"));
        let age = crate::clock::now().as_second() as f64 - value("process_start_time_seconds");
        assert!((-2.0..3600.0 * 24.0).contains(&age), "this process began {age} s ago");
    }
}
