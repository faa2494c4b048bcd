//! What the operating system says about this process.

use cpu_time::{ProcessTime, ThreadTime};
use std::{fs, time::Duration};

/// The most memory that this process has held, in bytes; 0 where the system does not say.
pub fn peak_rss_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|kib| kib.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

/// The memory that is free for a new use, in bytes; `None` where the system does not say.
pub fn available_bytes() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The processor time that this process has used; `None` where the system does not say.
pub fn cpu_time() -> Option<Duration> {
    ProcessTime::try_now().ok().map(|time| time.as_duration())
}

/// The processor time that the calling thread has used; `None` where the system does not say.
pub fn thread_cpu_time() -> Option<Duration> {
    ThreadTime::try_now().ok().map(|time| time.as_duration())
}
