//! How fast simulated worlds are: the bare kernel, `turmoil` beside it, and whole peers.

mod kernel;
mod pattern;
mod rival;

use crate::{Outcome, json, process};
use clap::Args;
use hamlet_simulator::{Settings, World, settings::SettingsError};
use kernel::Kernel;
use serde::Serialize;
use std::{error::Error, path::PathBuf, process::ExitCode, time::Duration, time::Instant};

/// Measures simulated worlds on one processor: messages a second of the bare kernel and of `turmoil`, and how
/// much of a stream among whole peers is simulated in a second.
#[derive(Args)]
pub struct Arguments {
    /// Peers of the bare kernel
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    kernel_peers: usize,
    /// Hosts of turmoil, whose cost for each tick grows with their number; 0 leaves it out
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    turmoil_peers: usize,
    /// Virtual seconds of both
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    kernel_seconds: u64,
    /// Whole peers, which receive a stream of 1 Mbit/s; 0 leaves them out
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    peers: usize,
    /// Seconds of the stream
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// Write the figures as JSON, `-` for the standard output
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Figure {
    world: &'static str,
    peers: usize,
    /// Virtual seconds; of whole peers, those of the stream.
    seconds: f64,
    /// Messages that arrived; of whole peers, everything that happened to them.
    events: u64,
    cpu_seconds: f64,
    events_per_cpu_s: f64,
    /// Virtual seconds for each second of one processor.
    seconds_per_cpu_s: f64,
    peak_rss_bytes: u64,
}

/// Measures and prints.
pub fn run(arguments: Arguments) -> Outcome {
    let smallest = pattern::LINKS + 1;
    if arguments.kernel_peers < smallest {
        let given = arguments.kernel_peers;
        return Err(format!("--kernel-peers {given}: give {smallest} or more").into());
    }
    let time = Duration::from_secs(arguments.kernel_seconds.max(1));
    let mut figures = vec![bare(arguments.kernel_peers, time)?];
    if arguments.turmoil_peers > 0 {
        let peers = arguments.turmoil_peers.max(smallest);
        figures.push(bare(peers, time)?);
        figures.push(measure("turmoil", peers, time, || rival::run(peers, time))?);
    }
    if arguments.peers > 0 {
        let time = Duration::from_secs(arguments.seconds.max(1));
        figures.push(whole(arguments.peers, time)?);
    }
    if let Some(path) = &arguments.json {
        json::write(path, &figures)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "world         peers  virtual s     events   cpu s  events/cpu s  virtual s/cpu s  peak MiB"
    );
    for figure in &figures {
        println!(
            "{:<12} {:>6} {:>10.1} {:>10} {:>7.2} {:>13.0} {:>16.2} {:>9}",
            figure.world,
            figure.peers,
            figure.seconds,
            figure.events,
            figure.cpu_seconds,
            figure.events_per_cpu_s,
            figure.seconds_per_cpu_s,
            figure.peak_rss_bytes >> 20,
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn bare(peers: usize, time: Duration) -> Result<Figure, Box<dyn Error>> {
    let mut kernel = Kernel::new(peers);
    kernel.run(Duration::from_millis(500));
    measure("bare kernel", peers, time, || {
        Ok::<_, SettingsError>(kernel.run(time))
    })
}

fn whole(peers: usize, time: Duration) -> Result<Figure, Box<dyn Error>> {
    let settings = Settings::usual(peers, time);
    measure("whole peers", peers, time, || {
        let mut world = World::new(settings)?;
        world.run_until(world.end());
        Ok::<_, SettingsError>(world.figures().events)
    })
}

fn measure<E: Into<Box<dyn Error>>>(
    world: &'static str,
    peers: usize,
    time: Duration,
    run: impl FnOnce() -> Result<u64, E>,
) -> Result<Figure, Box<dyn Error>> {
    let (start, cpu) = (Instant::now(), process::thread_cpu_time());
    let events = run().map_err(Into::into)?;
    let wall = start.elapsed();
    let took = cpu
        .zip(process::thread_cpu_time())
        .map_or(wall, |(from, to)| to - from);
    let cpu_seconds = took.as_secs_f64().max(1e-9);
    Ok(Figure {
        world,
        peers,
        seconds: time.as_secs_f64(),
        events,
        cpu_seconds,
        events_per_cpu_s: events as f64 / cpu_seconds,
        seconds_per_cpu_s: time.as_secs_f64() / cpu_seconds,
        peak_rss_bytes: process::peak_rss_bytes(),
    })
}
