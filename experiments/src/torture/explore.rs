//! Trying one schedule after another.

use crate::{Outcome, interrupt, json, open_range::SeedRange};
use hamlet_simulator::torture;
use serde::Serialize;
use std::{
    io::{IsTerminal, Write, stderr},
    path::Path,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What came of a stretch of seeds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// How many schedules were tried.
    pub schedules: u64,
    /// Those that broke a promise, in the order of their seeds.
    pub violations: Vec<Broken>,
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

/// A schedule that broke a promise.
#[derive(Clone, Debug, Serialize)]
pub struct Broken {
    /// Its seed.
    pub seed: u64,
    /// Which promise.
    pub invariant: &'static str,
    /// What happened.
    pub detail: String,
}

impl Tally {
    /// Says what came of it, in words and, if a path is given, as JSON; `replay` is the command that repeats a seed.
    pub fn tell(&self, json: Option<&Path>, replay: &str) -> Outcome {
        if let Some(path) = json {
            json::write(path, self)?;
        }
        eprintln!(
            "{} schedules in {:.1} s, {:.0} per second; {} commands, {} messages; {} violations",
            self.schedules,
            self.elapsed_s,
            self.schedules_per_s,
            self.commands,
            self.messages,
            self.violations.len()
        );
        for broken in &self.violations {
            let (seed, invariant, detail) = (broken.seed, broken.invariant, &broken.detail);
            eprintln!("seed {seed} breaks {invariant}: {detail}");
        }
        if let Some(first) = self.violations.first() {
            eprintln!("replay one with: {replay} {}", first.seed);
            return Ok(ExitCode::FAILURE);
        }
        if interrupt::asked() {
            return Ok(ExitCode::from(interrupt::EXIT_STATUS));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Runs the schedules of these seeds, until one breaks a promise or the user asks to stop.
pub fn explore(
    seeds: SeedRange,
    threads: u16,
    keep_going: bool,
    run: impl Fn(u64) -> torture::Outcome + Sync,
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
                    let outcome = run(seed);
                    let mut sum = sum.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    sum.schedules += 1;
                    sum.commands += outcome.commands;
                    sum.events += outcome.events;
                    sum.messages += outcome.messages;
                    if let Some(violation) = outcome.violation {
                        sum.violations.push(Broken {
                            seed,
                            invariant: violation.invariant(),
                            detail: violation.detail().into(),
                        });
                        if !keep_going {
                            next.store(u64::MAX / 2, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        scope.spawn(|| progress(seeds, &next, &sum, &began));
    });
    let mut tally = sum
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    tally.violations.sort_by_key(|broken| broken.seed);
    tally.elapsed_s = began.elapsed().as_secs_f64();
    tally.schedules_per_s = tally.schedules as f64 / tally.elapsed_s.max(1e-9);
    tally
}

/// Tells how far it is and how long it will take: twice a second on a terminal, once a minute in a log.
fn progress(seeds: SeedRange, next: &AtomicU64, sum: &Mutex<Tally>, began: &Instant) {
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
        let violations = match sum.lock().map(|sum| sum.violations.len()) {
            Ok(0) | Err(_) => String::new(),
            Ok(count) => format!(", {count} violations"),
        };
        let text = format!(
            "seed {at} of {}, {rate:.0} per second, {minutes} min {seconds:02} s left{violations}",
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
