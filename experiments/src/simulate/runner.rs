//! Runs worlds side by side, one thread each or what each can have, and shows how far they are.

use super::results::Run;
use crate::{interrupt, process, scenario::Scenario};
use hamlet_simulator::{Settings, Time, World, settings::SettingsError};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How much of a world runs between two looks at the progress bar and at Ctrl-C.
const SLICE: Duration = Duration::from_millis(50);

/// The threads of one world, and how to read the processor time that they use.
#[derive(Clone, Copy)]
pub struct Threads {
    count: usize,
    cpu_time: fn() -> Option<Duration>,
}

impl Threads {
    /// The calling thread alone.
    pub const ONE: Threads = Threads {
        count: 1,
        cpu_time: process::thread_cpu_time,
    };

    /// So many for each of some worlds side by side.
    fn each(count: usize, worlds: usize) -> Threads {
        match (worlds, count) {
            (_, 1) => Threads::ONE,
            (1, _) => Threads {
                count,
                cpu_time: process::cpu_time,
            },
            _ => Threads {
                count,
                cpu_time: || None,
            },
        }
    }
}

/// Runs the worlds of all seeds, in the order of the seeds. After Ctrl-C those that began end early.
pub fn run(scenario: &Scenario, threads: usize) -> Result<Vec<Run>, SettingsError> {
    let seeds: Vec<u64> = scenario.seeds.iter().collect();
    let progress = progress_bar(scenario, seeds.len());
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let side_by_side = threads.min(seeds.len());
    let threads = Threads::each(threads / side_by_side, side_by_side);
    let work = || {
        while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed))
            && !interrupt::asked()
        {
            let run = run_one(scenario, seed, threads, &progress);
            let failed = run.is_err();
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(run);
            if failed {
                break;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..side_by_side {
            scope.spawn(work);
        }
        work();
    });
    progress.finish_and_clear();
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut runs = done.into_iter().collect::<Result<Vec<Run>, _>>()?;
    runs.sort_by_key(|run| run.figures.seed);
    Ok(runs)
}

/// Runs the world of one seed, and shows how far it is. After Ctrl-C it ends early.
pub fn run_one(
    scenario: &Scenario,
    seed: u64,
    threads: Threads,
    progress: &ProgressBar,
) -> Result<Run, SettingsError> {
    let Threads { count, cpu_time } = threads;
    let (began, cpu_began) = (Instant::now(), cpu_time());
    let mut world = World::with_threads(scenario.settings(seed), count)?;
    let end = world.end();
    while world.now() < end && !interrupt::asked() {
        let from = world.now();
        world.run_until((from + SLICE).min(end));
        progress.inc(world.now().since(from).as_millis() as u64);
    }
    let wall = began.elapsed();
    let cpu = cpu_time().zip(cpu_began);
    let cpu = cpu.map(|(ended, began)| ended.saturating_sub(began));
    let violations = world.violations();
    let publishing = world.now().since(Time::ZERO + Settings::WARM_UP);
    let streamed = publishing.min(world.settings().publishing);
    let figures = world.figures();
    let behavior = scenario.behavior();
    let churn_per_minute = scenario.churn_per_minute();
    Ok(Run {
        figures,
        behavior,
        churn_per_minute,
        wall_seconds: wall.as_secs_f64(),
        cpu_seconds: cpu.map(|time| time.as_secs_f64()),
        sim_seconds_per_wall_second: streamed.as_secs_f64() / wall.as_secs_f64().max(1e-9),
        violations,
    })
}

fn progress_bar(scenario: &Scenario, worlds: usize) -> ProgressBar {
    let publishing = Duration::from_secs_f64(scenario.seconds);
    let one = Settings::WARM_UP + publishing + Settings::DRAIN;
    let progress = ProgressBar::new(one.as_millis() as u64 * worlds as u64);
    let template = "{wide_bar} {percent} %, {eta} left";
    // A fixed template that is known to be right; without it the default is shown.
    if let Ok(style) = ProgressStyle::with_template(template) {
        progress.set_style(style);
    }
    progress
}
