//! The results as a table to read.

use super::results::Run;
use hamlet_simulator::figures::Joins;
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

/// A line of the table: what it says of a run, and which of two values is worse.
struct Line {
    name: &'static str,
    value: fn(&Run) -> f64,
    digits: usize,
    higher_is_worse: bool,
}

const LINES: [Line; 18] = [
    line("delivered", |run| run.figures.delivered_ratio, 5, false),
    line("on time", |run| run.figures.on_time_ratio, 5, false),
    line(
        "  at the worst peer",
        |run| run.figures.on_time_ratio_worst_peer,
        5,
        false,
    ),
    line("repaired", |run| run.figures.repaired_ratio, 5, true),
    line(
        "latency p50, ms",
        |run| infinite(run.figures.latency_ms.p50),
        0,
        true,
    ),
    line(
        "latency p99, ms",
        |run| infinite(run.figures.latency_ms.p99),
        0,
        true,
    ),
    line(
        "latency max, ms",
        |run| infinite(run.figures.latency_ms.max),
        0,
        true,
    ),
    line(
        "upload over stream",
        |run| run.figures.upload_ratio_mean,
        3,
        true,
    ),
    line("  owed shards", |run| run.figures.live_ratio, 3, true),
    line("  digests", |run| run.figures.digest_ratio, 3, true),
    line("  notices", |run| run.figures.notice_ratio, 3, true),
    line(
        "  pulled",
        |run| run.figures.pull_ratio + run.figures.backlog_ratio,
        3,
        true,
    ),
    line("  control", |run| run.figures.control_ratio, 3, true),
    line(
        "upload of the busiest",
        |run| run.figures.upload_ratio_max,
        3,
        true,
    ),
    line(
        "captured clusters",
        |run| run.figures.captured_cluster_share,
        3,
        true,
    ),
    line(
        "upload of the source",
        |run| run.figures.source_upload_ratio,
        3,
        true,
    ),
    line(
        "invariants broken",
        |run| run.figures.invariant_violations as f64,
        0,
        true,
    ),
    line(
        "seconds per second",
        |run| run.sim_seconds_per_wall_second,
        2,
        false,
    ),
];

/// A line about newcomers: what it says, with how many digits.
type JoinLine = (&'static str, usize, fn(&Joins) -> f64);

/// Those that there are, where membership lives; a higher value is the worse one.
const JOINS: [JoinLine; 6] = [
    ("ms to playing, p50", 0, |joins| {
        infinite(joins.playing_ms_p50)
    }),
    ("ms to playing, p99", 0, |joins| {
        infinite(joins.playing_ms_p99)
    }),
    ("ms to a place, p50", 0, |joins| {
        infinite(joins.place_ms_p50)
    }),
    ("ms to a place, p90", 0, |joins| {
        infinite(joins.place_ms_p90)
    }),
    ("ms to a place, p99", 0, |joins| {
        infinite(joins.place_ms_p99)
    }),
    ("without a place", 4, |joins| 1.0 - joins.placed_ratio),
];

const fn line(
    name: &'static str,
    value: fn(&Run) -> f64,
    digits: usize,
    higher_is_worse: bool,
) -> Line {
    Line {
        name,
        value,
        digits,
        higher_is_worse,
    }
}

fn infinite(ms: Option<f64>) -> f64 {
    ms.unwrap_or(f64::INFINITY)
}

/// The least share of control that a kind of it takes to be shown.
const SHOWN_SHARE: f64 = 0.01;

/// Writes what control consists of, over the stream like it, the largest first.
fn print_control(to: &mut impl Write, runs: &[Run]) -> io::Result<()> {
    let mut kinds = BTreeMap::new();
    for run in runs {
        for (kind, bytes) in &run.figures.control_bytes_by_kind {
            *kinds.entry(*kind).or_insert(0) += bytes;
        }
    }
    let all = kinds.values().sum::<u64>().max(1) as f64;
    let mean = runs
        .iter()
        .map(|run| run.figures.control_ratio)
        .sum::<f64>()
        / runs.len() as f64;
    let mut kinds: Vec<(&str, f64)> = kinds
        .into_iter()
        .map(|(kind, bytes)| (kind, bytes as f64 / all))
        .filter(|(_, share)| *share >= SHOWN_SHARE)
        .collect();
    kinds.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (kind, share) in kinds {
        let name = format!("control, {kind}");
        writeln!(to, "{name:<24}{:>12.5}", mean * share)?;
    }
    Ok(())
}

/// Writes the table.
pub fn print(mut to: impl Write, runs: &[Run]) -> io::Result<()> {
    let Some(first) = runs.first() else {
        return writeln!(to, "no world came far enough for results");
    };
    let of = &first.figures;
    writeln!(
        to,
        "{} peers ({} Byzantine: {}) in {} clusters of {} to {}, h = {}, n = {}, k = {}; {} segments, {} bytes",
        of.peers,
        of.byzantine,
        first.behavior,
        of.clusters,
        of.g_min,
        of.g_max,
        of.h,
        of.n,
        of.k,
        of.segments_published,
        of.stream_bytes,
    )?;
    if runs.len() > 1 {
        writeln!(
            to,
            "{:<24}{:>12}{:>12}   of {} seeds",
            "",
            "mean",
            "worst",
            runs.len()
        )?;
    }
    for Line {
        name,
        value,
        digits,
        higher_is_worse,
    } in LINES
    {
        let mean = runs.iter().map(value).sum::<f64>() / runs.len() as f64;
        write!(to, "{name:<24}{mean:>12.digits$}")?;
        let badness = |run: &&Run| {
            if higher_is_worse {
                value(run)
            } else {
                -value(run)
            }
        };
        let worst = runs.iter().max_by(|a, b| badness(a).total_cmp(&badness(b)));
        if let (Some(worst), true) = (worst, runs.len() > 1) {
            write!(
                to,
                "{:>12.digits$}   seed {}",
                value(worst),
                worst.figures.seed
            )?;
        }
        writeln!(to)?;
    }
    let joins: Vec<(u64, &Joins)> = (runs.iter())
        .filter_map(|run| Some((run.figures.seed, run.figures.joins.as_ref()?)))
        .collect();
    for (name, digits, value) in JOINS {
        let of = joins.iter().map(|(seed, joins)| (*seed, value(joins)));
        let worst = of.clone().max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((seed, worst)) = worst else { break };
        let mean = of.map(|(_, value)| value).sum::<f64>() / joins.len() as f64;
        write!(to, "{name:<24}{mean:>12.digits$}")?;
        if joins.len() > 1 {
            write!(to, "{worst:>12.digits$}   seed {seed}")?;
        }
        writeln!(to)?;
    }
    print_control(&mut to, runs)?;
    let mut refused = BTreeMap::new();
    for (why, count) in runs.iter().flat_map(|run| &run.figures.refused) {
        *refused.entry(why).or_insert(0) += count;
    }
    for (why, count) in refused {
        writeln!(to, "{:<24}{count:>12}", format!("refused, {why:?}"))?;
    }
    if let [only] = runs {
        for cluster in &only.figures.worst_clusters {
            let name = format!("on time in cluster {}", cluster.cluster);
            let (ratio, byzantine, members) =
                (cluster.on_time_ratio, cluster.byzantine, cluster.members);
            writeln!(
                to,
                "{name:<24}{ratio:>12.5}   {byzantine} of {members} Byzantine"
            )?;
        }
        writeln!(to, "{:<24}{:>12}", "events", only.figures.events)?;
        writeln!(to, "{:<24}{}", "trace", only.figures.trace_hash)?;
    }
    if runs.iter().any(|run| !run.figures.bytes_identical) {
        writeln!(
            to,
            "NOT IDENTICAL: something was handed out that the source did not cut"
        )?;
    }
    Ok(())
}
