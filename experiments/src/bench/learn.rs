//! How fast simulated peers learn, on one processor.

use crate::{
    Outcome, json,
    learn::{options::Options, plan, stage::Stage},
    process,
};
use clap::Args;
use hamlet_gossip_learning::arena::{Arena, evaluate, sample};
use serde::Serialize;
use std::{error::Error, path::PathBuf, process::ExitCode, time::Instant};

/// Measures peer-rounds a second on one processor: Pegasos MU, one row a peer, models judged apart.
#[derive(Args)]
pub struct Arguments {
    /// The data of the small network; the label is its column `type`
    #[arg(
        long,
        value_name = "FILE",
        default_value = "gossip-learning/data/spambase.csv.gz"
    )]
    data: String,
    /// Rounds of the small network
    #[arg(long, value_name = "COUNT", default_value_t = 2000)]
    rounds: u32,
    /// Peers of the large network, with synthetic rows of 57 features; 0 leaves it out
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    large: usize,
    /// Rounds of the large network
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    large_rounds: u32,
    /// Write the figures as JSON, `-` for the standard output
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Figure {
    network: &'static str,
    peers: usize,
    parameters: usize,
    rounds: u32,
    wall_seconds: f64,
    /// Rounds times peers over wall seconds.
    peer_rounds_per_s: f64,
    /// The same over the processor time of this thread: what an undisturbed core does.
    peer_rounds_per_cpu_s: f64,
    error_mean: f64,
    /// The most memory that the process held by the end of this network, rows included.
    peak_rss_bytes: u64,
}

/// Measures and prints.
pub fn run(arguments: Arguments) -> Outcome {
    let small = Options {
        data: Some(arguments.data.clone()),
        label: Some("type".to_owned()),
        ..Options::default()
    };
    let mut figures = vec![measure("spambase", &small, arguments.rounds)?];
    if arguments.large > 0 {
        let rows = arguments.large + LARGE_TESTS;
        let large = Options {
            data: Some(format!("synthetic:rows={rows},features=57")),
            test_share: Some(LARGE_TESTS as f64 / rows as f64),
            peers: Some(arguments.large),
            deal: Some("one".to_owned()),
            ..Options::default()
        };
        figures.push(measure("synthetic", &large, arguments.large_rounds)?);
    }
    if let Some(path) = &arguments.json {
        json::write(path, &figures)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("network       peers  rounds  peer-rounds/s  per cpu s   error  peak MiB");
    for figure in &figures {
        println!(
            "{:<9} {:>9} {:>7} {:>14.0} {:>10.0} {:>7.3} {:>9}",
            figure.network,
            figure.peers,
            figure.rounds,
            figure.peer_rounds_per_s,
            figure.peer_rounds_per_cpu_s,
            figure.error_mean,
            figure.peak_rss_bytes >> 20,
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Test rows of the large network.
const LARGE_TESTS: usize = 1000;

fn measure(
    network: &'static str,
    options: &Options,
    rounds: u32,
) -> Result<Figure, Box<dyn Error>> {
    let stage = Stage::set(options, 1)?;
    let world = stage.world();
    let mut arena = Arena::new(plan::settings(options, &stage, 1)?, world)?;
    let (start, cpu) = (Instant::now(), process::thread_cpu_time());
    (0..rounds).for_each(|_| arena.step(world));
    let wall_seconds = start.elapsed().as_secs_f64();
    let cpu = cpu
        .zip(process::thread_cpu_time())
        .map(|(from, to)| (to - from).as_secs_f64());
    let done = f64::from(rounds) * arena.peers() as f64;
    let measures = evaluate(&arena, world, &sample(&arena, world, 100, 1));
    Ok(Figure {
        network,
        peers: arena.peers(),
        parameters: stage.data.train.features(),
        rounds,
        wall_seconds,
        peer_rounds_per_s: done / wall_seconds.max(1e-9),
        peer_rounds_per_cpu_s: done / cpu.unwrap_or(wall_seconds).max(1e-9),
        error_mean: measures.local.own_mean,
        peak_rss_bytes: process::peak_rss_bytes(),
    })
}
