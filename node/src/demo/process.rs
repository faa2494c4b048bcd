//! What this process used, as the system counts it.

use std::{fs, time::Duration};

/// The unit in which Linux tells programs about processor time, whatever its own timer does.
const TICKS_PER_S: f64 = 100.0;

/// The processor time of this process so far, in all its threads, user and system; none where the system
/// does not say.
pub fn cpu_time() -> Option<Duration> {
    parse_cpu_time(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// The most memory that this process ever occupied, in bytes; none where the system does not say.
pub fn peak_rss_bytes() -> Option<u64> {
    parse_peak_rss(&fs::read_to_string("/proc/self/status").ok()?)
}

fn parse_cpu_time(stat: &str) -> Option<Duration> {
    // The second field is the program's name in parentheses and may contain anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs_f64(
        (user + system) as f64 / TICKS_PER_S,
    ))
}

fn parse_peak_rss(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_the_program_is_called() {
        let stat = "4 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0";
        assert_eq!(parse_cpu_time(stat), Some(Duration::from_secs(2)));
        assert_eq!(
            parse_peak_rss("VmPeak:\t9 kB\nVmHWM:\t   12 kB\n"),
            Some(12_288)
        );
        assert_eq!(
            (parse_cpu_time(""), parse_peak_rss("VmHWM: x")),
            (None, None)
        );
    }
}
