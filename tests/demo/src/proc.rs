//! Facts about a process from /proc.

use std::fs;

use anyhow::{Context, Result};

/// Resident memory in KiB.
pub(crate) fn vm_rss(pid: u32) -> Result<u64> {
    kib_of(pid, "VmRSS:")
}

/// The most resident memory since the start, in KiB.
pub(crate) fn vm_hwm(pid: u32) -> Result<u64> {
    kib_of(pid, "VmHWM:")
}

fn kib_of(pid: u32, figure: &str) -> Result<u64> {
    let file = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&file).with_context(|| format!("failed to read {file}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(figure));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    kib.with_context(|| format!("{file} has no {figure}"))
}

/// Time on processors so far, in seconds, of the program and of the kernel for it.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let file = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&file).with_context(|| format!("failed to read {file}"))?;
    ticks(&stat).map(|ticks| ticks as f64 / TICKS_A_SECOND).with_context(|| format!("{file} has no times"))
}

/// USER_HZ, which Linux has fixed at 100 for programs.
const TICKS_A_SECOND: f64 = 100.0;

/// utime and stime, the 14th and 15th field. The second one is the program's name in parentheses, which may hold blanks.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// KiB as MiB, in tenths.
pub(crate) fn mib(kib: u64) -> String {
    format!("{}.{}", kib / 1024, kib % 1024 * 10 / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_printed_in_tenths_of_a_mebibyte() {
        assert_eq!((mib(10 * 1024 + 512).as_str(), mib(16 * 1024).as_str()), ("10.5", "16.0"));
    }

    #[test]
    fn cpu_times_are_parsed_after_a_process_name_with_blanks() {
        let stat = "42 (an (odd) name) S 1 1 1 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 100 1 1";
        assert_eq!(ticks(stat), Some(300));
        assert!(cpu_seconds(std::process::id()).is_ok() && vm_rss(std::process::id()).unwrap() > 100);
    }
}
