//! Hamlet's agreement beside other engines, in one run: the same clusters, the same links, one process, one thread.

mod hamlet;
mod race;
mod simplex;

use clap::Parser;
use race::{Figures, Row, Run, Signatures};
use std::{fs::File, io, path::PathBuf, process::ExitCode};

/// Runs Hamlet's engine and commonware's Simplex on equal clusters in deterministic simulation.
///
/// Latency is virtual: from a leader's proposal until the last member knows that it is final, in delays of a link, without
/// computing; over links of 0 ms there is none. Rates are decisions of the whole cluster per second of one core's processor
/// time, all members in one thread. How long links are should make no difference to them, but commonware's network keeps
/// room for what may be sent in a second, which is more over short links and takes its time.
///
/// Example:
///   cargo run --release --manifest-path experiments/rivals/Cargo.toml -- --json -
#[derive(Parser)]
#[command(verbatim_doc_comment)]
struct Arguments {
    /// Decisions for each figure of four members; larger clusters make as many fewer, but no less than 10.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(10..))]
    decisions: u64,
    /// Sizes of clusters, 4 to 64.
    #[arg(long, value_name = "MEMBERS", value_delimiter = ',', default_value = "4,7,16,32", value_parser = clap::value_parser!(u8).range(4..=64))]
    members: Vec<u8>,
    /// Delays of links, in ms, 0 to 1000.
    #[arg(long, value_name = "MS", value_delimiter = ',', default_value = "0,1,20,100", value_parser = clap::value_parser!(u64).range(0..=1000))]
    links: Vec<u64>,
    /// Write the figures as JSON, `-` for the standard output.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let mut rows = Vec::new();
    race::print_head();
    let engines: [(_, fn(Run) -> race::Result); 2] =
        [("hamlet", hamlet::race), ("commonware", simplex::race)];
    for &members in &arguments.members {
        let both = [Signatures::Cheap, Signatures::Ed25519];
        let runs = both.into_iter().flat_map(|signatures| {
            (arguments.links.iter()).map(move |link_ms| (*link_ms, signatures))
        });
        for (link_ms, signatures) in runs {
            eprintln!(
                "measuring {members} members, links of {link_ms} ms, {signatures:?} signatures"
            );
            let run = Run {
                members,
                link_ms,
                signatures,
                decisions: (arguments.decisions * 4 / u64::from(members)).max(10),
            };
            for (engine, race) in engines {
                let row = Row::new(run, engine, race(run));
                row.print();
                rows.push(row);
            }
        }
    }
    let Some(path) = &arguments.json else {
        return Ok(());
    };
    let figures = Figures { rows };
    let written = if path.as_os_str() == "-" {
        serde_json::to_writer_pretty(io::stdout().lock(), &figures)
    } else {
        let file = File::create(path)
            .map_err(|error| format!("cannot create {}: {error}", path.display()))?;
        serde_json::to_writer_pretty(file, &figures)
    };
    written.map_err(|error| format!("cannot write JSON to {}: {error}", path.display()))
}
