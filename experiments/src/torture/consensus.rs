//! `hamlet-lab torture consensus`: agreement under random schedules.

use crate::{Outcome, interrupt, json, open_range::SeedRange};
use clap::Args;
use hamlet_simulator::torture::{self, Plan};
use serde::Serialize;
use std::{
    io::{IsTerminal, Write, stderr},
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Tortures agreement inside one cluster with random schedules: delays, loss, duplication, partitions,
/// crashes with torn disks, drifting clocks, and Byzantine members up to the bound.
///
/// Every seed is one schedule, of 1 to 32 members, the same on every machine. Each is held against these promises:
/// agreement, total order, integrity, soundness of certificates, no evidence against the honest, recovery,
/// progress after stabilisation, and quiet when idle. Ends with status 1 at the first that is broken and prints the
/// command that replays it.
///
/// Examples:
///   hamlet-lab torture consensus --seeds 0..100000
///   hamlet-lab torture consensus --seeds 4711          (replays one, and tells what it is)
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The schedules: one seed, or the first and the last as in 0..999999.
    #[arg(long, default_value = "0..9999")]
    seeds: SeedRange,
    /// Threads.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Go on after a violation, and count them.
    #[arg(long)]
    keep_going: bool,
    /// Write the results as JSON to this file; `-` is the standard output.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    #[cfg(feature = "mutants")]
    #[command(flatten)]
    mutants: super::mutants::Choice,
}

/// What came of a stretch of seeds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// How many schedules were tried.
    pub schedules: u64,
    /// How many broke a promise.
    pub violations: u64,
    /// The lowest seed that did, and what it broke.
    pub first_violation: Option<(u64, String)>,
    /// Commands executed, events and messages, in sum.
    pub commands: u64,
    /// See above.
    pub events: u64,
    /// See above.
    pub messages: u64,
    /// The time that it took.
    pub elapsed_s: f64,
    /// Schedules per second, all threads together.
    pub schedules_per_s: f64,
}

/// Runs the schedules.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    #[cfg(feature = "mutants")]
    if let Some(outcome) = arguments.mutants.run(arguments.seeds, arguments.threads)? {
        return Ok(outcome);
    }
    if arguments.seeds.first == arguments.seeds.last {
        println!("{:#?}", Plan::draw(arguments.seeds.first));
    }
    let tally = explore(
        arguments.seeds,
        arguments.threads,
        arguments.keep_going,
        |plan| {
            #[cfg(not(feature = "mutants"))]
            return torture::run(plan);
            #[cfg(feature = "mutants")]
            return torture::run(plan, Default::default());
        },
    );
    if let Some(path) = &arguments.json {
        json::write(path, &tally)?;
    }
    eprintln!(
        "{} schedules in {:.1} s, {:.0} per second; {} commands, {} messages; {} violations",
        tally.schedules,
        tally.elapsed_s,
        tally.schedules_per_s,
        tally.commands,
        tally.messages,
        tally.violations
    );
    if let Some((seed, what)) = &tally.first_violation {
        eprintln!("seed {seed} breaks {what}");
        eprintln!("replay it with: hamlet-lab torture consensus --seeds {seed}");
        return Ok(ExitCode::FAILURE);
    }
    if interrupt::asked() {
        return Ok(ExitCode::from(interrupt::EXIT_STATUS));
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the schedules of these seeds, until one breaks a promise or the user asks to stop.
pub fn explore(
    seeds: SeedRange,
    threads: u16,
    keep_going: bool,
    run: impl Fn(&Plan) -> torture::Outcome + Sync,
) -> Tally {
    let next = AtomicU64::new(seeds.first);
    let sum = Mutex::new(Tally::default());
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !interrupt::asked() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > seeds.last {
                        break;
                    }
                    let outcome = run(&Plan::draw(seed));
                    let mut sum = sum.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    sum.schedules += 1;
                    sum.commands += outcome.commands;
                    sum.events += outcome.events;
                    sum.messages += outcome.messages;
                    if let Some(violation) = outcome.violation {
                        sum.violations += 1;
                        if sum
                            .first_violation
                            .as_ref()
                            .is_none_or(|(first, _)| seed < *first)
                        {
                            sum.first_violation = Some((seed, violation.to_string()));
                        }
                        if !keep_going {
                            next.store(u64::MAX / 2, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        scope.spawn(|| progress(seeds, &next, &began));
    });
    let mut tally = sum
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    tally.elapsed_s = began.elapsed().as_secs_f64();
    tally.schedules_per_s = tally.schedules as f64 / tally.elapsed_s.max(1e-9);
    tally
}

/// Tells how far it is and how long it will take: twice a second on a terminal, once a minute in a log.
fn progress(seeds: SeedRange, next: &AtomicU64, began: &Instant) {
    let terminal = stderr().is_terminal();
    let pause = Duration::from_millis(if terminal { 500 } else { 60_000 });
    let mut told = Instant::now();
    while !interrupt::asked() {
        thread::sleep(Duration::from_millis(50));
        let at = next.load(Ordering::Relaxed);
        if at > seeds.last {
            break;
        }
        if told.elapsed() < pause {
            continue;
        }
        told = Instant::now();
        let rate = (at - seeds.first) as f64 / began.elapsed().as_secs_f64();
        let left = Duration::from_secs_f64((seeds.last - at) as f64 / rate.max(1e-3));
        let (minutes, seconds) = (left.as_secs() / 60, left.as_secs() % 60);
        let text = format!(
            "seed {at} of {}, {rate:.0} per second, {minutes} min {seconds:02} s left",
            seeds.last
        );
        if terminal {
            eprint!("\r{text}   ");
            let _ = stderr().flush();
        } else {
            eprintln!("{text}");
        }
    }
    if terminal {
        eprintln!();
    }
}
