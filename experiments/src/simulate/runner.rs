//! Runs worlds side by side, one thread each or what each can have, and shows how far they are.

use super::{arguments::Arguments, results::Run};
use crate::{interrupt, process};
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

/// Runs the worlds of all seeds, in the order of the seeds. After Ctrl-C those that began end early.
pub fn run(arguments: &Arguments) -> Result<Vec<Run>, SettingsError> {
    let seeds = arguments.seeds();
    let progress = progress_bar(arguments, seeds.len());
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let side_by_side = arguments.threads().min(seeds.len());
    let threads = arguments.threads() / side_by_side;
    let cpu_time = match (side_by_side, threads) {
        (_, 1) => process::thread_cpu_time,
        (1, _) => process::cpu_time,
        _ => || None,
    };
    let work = || {
        while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed))
            && !interrupt::asked()
        {
            let run = run_one(arguments.settings(seed), threads, cpu_time, &progress);
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

fn run_one(
    settings: Settings,
    threads: usize,
    cpu_time: fn() -> Option<Duration>,
    progress: &ProgressBar,
) -> Result<Run, SettingsError> {
    let (began, cpu_began) = (Instant::now(), cpu_time());
    let mut world = World::with_threads(settings, threads)?;
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
    Ok(Run::new(figures, violations, streamed, wall, cpu))
}

fn progress_bar(arguments: &Arguments, worlds: usize) -> ProgressBar {
    let settings = arguments.settings(0);
    let one = Settings::WARM_UP + settings.publishing + Settings::DRAIN;
    let progress = ProgressBar::new(one.as_millis() as u64 * worlds as u64);
    let template = "{wide_bar} {percent} %, {eta} left";
    // A fixed template that is known to be right; without it the default is shown.
    if let Ok(style) = ProgressStyle::with_template(template) {
        progress.set_style(style);
    }
    progress
}
