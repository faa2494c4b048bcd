//! `hamlet-lab learn --attack reconstruct`: what an observer of models learns of the rows.

use crate::{Outcome, interrupt, json};
use hamlet_gossip_learning::{
    Dataset,
    data::Dealing,
    model::Learner,
    privacy::{Experiment, Noise, Recovery},
};
use serde::Serialize;
use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

/// Rows a peer has.
const ROWS: [usize; 3] = [1, 10, 100];
/// The minimum of rows that is tried.
const MINIMUM_ROWS: usize = 10;
/// Deviations of the noise over the longest step.
const MULTIPLIERS: [f32; 2] = [1.0, 5.0];
const ROUNDS: u32 = 30;
const WATCHED: usize = 50;
const DELTA: f64 = 1e-5;

/// One line of the table.
#[derive(Serialize)]
struct Line {
    rows_per_peer: usize,
    peers: usize,
    #[serde(flatten)]
    experiment: Experiment,
    #[serde(flatten)]
    recovery: Recovery,
}

/// Plays the attack on networks of peers with 1, 10 and 100 rows: bare, with merging, with a minimum of
/// rows, and with noise; prints what it recovered.
pub fn run(data: &Dataset, learner: &Learner, seed: u64, json: Option<&Path>) -> Outcome {
    let mut lines = Vec::new();
    for rows in ROWS {
        let peers = data.train.len() / rows;
        if peers < 2 {
            eprintln!(
                "{} training rows are too few for peers of {rows} rows",
                data.train.len()
            );
            continue;
        }
        let partition = Dealing::Even.deal(data, Some(peers), seed)?;
        let mut play = |merging, minimum_rows, noise| {
            let experiment = Experiment {
                merging,
                minimum_rows,
                noise,
                rounds: ROUNDS,
                watched: WATCHED,
                delta: DELTA,
                seed,
            };
            let recovery = experiment.run(data, learner, &partition);
            lines.push(Line {
                rows_per_peer: rows,
                peers,
                experiment,
                recovery,
            });
            recovery
        };
        play(false, 0, None);
        let bare = play(true, 0, None);
        play(true, MINIMUM_ROWS, None);
        for multiplier in MULTIPLIERS
            .into_iter()
            .filter(|_| bare.step_length_median > 0.0)
        {
            // A bound at the usual length of a step cuts the first, long ones and little else.
            let radius = bare.step_length_median as f32;
            play(true, 0, Some(Noise { radius, multiplier }));
        }
        if interrupt::asked() {
            break;
        }
    }
    if json != Some(Path::new("-")) {
        print(io::stdout().lock(), &lines)?;
    }
    if let Some(path) = json {
        json::write(path, &lines)?;
    }
    Ok(match interrupt::asked() {
        true => ExitCode::from(interrupt::EXIT_STATUS),
        false => ExitCode::SUCCESS,
    })
}

fn print(mut to: impl Write, lines: &[Line]) -> io::Result<()> {
    writeln!(
        to,
        "rows recovered (|cosine| >= .95) by who sees all that a peer receives and sends, and by who sees\n\
         only what it sends; best cosine of as many guesses; {ROUNDS} rounds, epsilon at delta = {DELTA:e}\n\n\
         {:>9}  {:<8} {:<28} {:>9} {:>9} {:>8} {:>9} {:>8}",
        "rows/peer", "models", "defence", "sees all", "sees sent", "guessed", "epsilon", "error"
    )?;
    for Line {
        rows_per_peer,
        experiment,
        recovery,
        ..
    } in lines
    {
        let models = if experiment.merging {
            "merged"
        } else {
            "walking"
        };
        let defence = match (experiment.noise, experiment.minimum_rows) {
            (Some(noise), _) => format!(
                "noise {}x of steps <= {:.2}",
                noise.multiplier, noise.radius
            ),
            (None, 0) => "none".to_owned(),
            (None, rows) => format!("at least {rows} rows"),
        };
        let epsilon = recovery
            .epsilon
            .map_or("none".to_owned(), |epsilon| format!("{epsilon:.1}"));
        writeln!(
            to,
            "{rows_per_peer:>9}  {models:<8} {defence:<28} {:>7.0} % {:>7.0} % {:>8.2} {epsilon:>9} {:>8.3}",
            100.0 * recovery.recovered_ratio,
            100.0 * recovery.recovered_from_sent_ratio,
            recovery.cosine_guessed_mean,
            recovery.error,
        )?;
    }
    Ok(())
}
