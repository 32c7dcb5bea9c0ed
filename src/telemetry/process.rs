//! I/O: the process metrics of Prometheus's own client libraries, read from /proc. If a file cannot be read, its series are left
//! out. Six numbers from five files do not justify a library for /proc.

use std::fmt;
use std::fs;
use std::sync::OnceLock;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// USER_HZ: clock ticks in a second, on every architecture.
const TICKS: f64 = 100.0;

#[derive(Debug, Default)]
pub struct ProcessMetrics {
    /// In seconds since 1970. Cached, because it never changes and costs two files.
    started: OnceLock<Option<f64>>,
}

impl Collector for ProcessMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_times(&mut encoder)?;
        encode_memory(&mut encoder)?;
        encode_files(&mut encoder)
    }
}

impl ProcessMetrics {
    fn encode_times(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let stat = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(stat);
        if let Some(stat) = &stat {
            let cpu = ConstCounter::new(stat.cpu);
            let help = "CPU time that the process used, in user and system mode.";
            encode_series(encoder, "process_cpu", help, Some(Unit::Seconds), &cpu)?;
        }
        let started = *self.started.get_or_init(|| Some(boot()? + stat.as_ref()?.started));
        if let Some(started) = started {
            let help = "Start time of the process, in seconds since 1970.";
            let started = ConstGauge::new(started);
            encode_series(encoder, "process_start_time", help, Some(Unit::Seconds), &started)?;
        }
        Ok(())
    }
}

fn encode_memory(encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(resident) = bytes(&status, "VmRSS:") {
        let (help, resident) = ("Resident memory of the process.", ConstGauge::new(resident));
        encode_series(encoder, "process_resident_memory", help, Some(Unit::Bytes), &resident)?;
    }
    if let Some(size) = bytes(&status, "VmSize:") {
        let (help, size) = ("Virtual memory of the process.", ConstGauge::new(size));
        encode_series(encoder, "process_virtual_memory", help, Some(Unit::Bytes), &size)?;
    }
    Ok(())
}

fn encode_files(encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is the directory that is being read.
        let open = i64::try_from(open.count().saturating_sub(1)).unwrap_or(i64::MAX);
        let help = "Open file descriptors.";
        encode_series(encoder, "process_open_fds", help, None, &ConstGauge::new(open))?;
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(most) = most_files(&limits) {
        let help = "Maximum number of open file descriptors.";
        encode_series(encoder, "process_max_fds", help, None, &ConstGauge::new(most))?;
    }
    Ok(())
}

fn encode_series(
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
    cpu: f64,
    /// Counted from the start of the machine.
    started: f64,
}

/// Reads only what follows the last bracket, because the program's name may contain anything.
fn stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let seconds = |index: usize| Some(fields.get(index)?.parse::<f64>().ok()? / TICKS);
    Some(Stat { cpu: seconds(11)? + seconds(12)?, started: seconds(19)? })
}

/// The start of the machine, in seconds since 1970.
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
    fn proc_files_are_parsed() {
        let line = "42 (a (odd) name) S 1 2 3 4 5 6 7 8 9 10 150 250 13 14 15 16 17 18 123400 20 21";
        assert_eq!(stat(line), Some(Stat { cpu: 4.0, started: 1234.0 }));
        assert_eq!(stat("nothing of the kind"), None);
        let status = "Name:\tx\nVmSize:\t  123 kB\nVmRSS:\t   45 kB\n";
        assert_eq!((bytes(status, "VmSize:"), bytes(status, "VmRSS:")), (Some(125_952), Some(46_080)));
        let limits = "Limit   Soft Limit   Hard Limit   Units\nMax open files            1024                 4096                 files\n";
        assert_eq!(most_files(limits), Some(1024.0));
        assert_eq!(most_files("Max open files   unlimited   unlimited   files\n"), Some(f64::INFINITY));
    }

    #[test]
    fn the_metrics_describe_this_process() {
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(ProcessMetrics::default()));
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
        let value = |name: &str| -> f64 {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} is missing in:\n{page}")).parse().unwrap()
        };
        assert!(value("process_cpu_seconds_total") >= 0.0);
        assert!(value("process_open_fds") >= 3.0 && value("process_open_fds") < value("process_max_fds"));
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"));
        let age = crate::clock::now().as_second() as f64 - value("process_start_time_seconds");
        assert!((-2.0..3600.0 * 24.0).contains(&age), "this process began {age} s ago");
    }
}
