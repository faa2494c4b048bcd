//! `hamlet-lab learn --attack reconstruct`: what an observer of models learns of the rows.

use crate::{Outcome, interrupt, json, learn::options::Options};
use hamlet_gossip_learning::{
    Dataset,
    data::Dealing,
    model::Learner,
    privacy::{Experiment, Noise, Recovery},
};
use serde::Serialize;
use std::{
    error::Error,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

/// Rows a peer has.
const ROWS: [usize; 3] = [1, 10, 100];
/// The minimum of rows that is tried unless another is asked for.
const MINIMUM_ROWS: usize = 10;
/// Deviations of the noise over the longest step, the same.
const MULTIPLIERS: [f32; 2] = [1.0, 5.0];
const MULTIPLIER_MOST: f64 = 1000.0;
const ROUNDS: u32 = 30;
const WATCHED: usize = 50;
const DELTA: f64 = 1e-5;

/// The attack's name among those of `hamlet-lab learn`.
pub const ATTACK: &str = "reconstruct";

/// What peers do to hide their rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Hiding {
    /// The rows below which a peer does not learn.
    minimum_rows: usize,
    /// Each the deviation of noise over the longest step.
    multipliers: Vec<f32>,
}

impl Hiding {
    /// What these options ask for.
    ///
    /// # Errors
    /// When a bound is broken, or when nobody tries to recover rows.
    pub fn of(options: &Options) -> Result<Hiding, Box<dyn Error>> {
        let named = [
            ("noise", options.noise.is_some()),
            ("min-rows", options.min_rows.is_some()),
        ];
        if let Some((option, _)) = named.iter().find(|(_, named)| *named)
            && options.attack.as_deref() != Some(ATTACK)
        {
            return Err(
                format!("--{option} hides rows from --attack {ATTACK}: name that too").into(),
            );
        }
        let multipliers = match options.noise {
            None => MULTIPLIERS.to_vec(),
            Some(noise) if noise > 0.0 && noise <= MULTIPLIER_MOST => vec![noise as f32],
            Some(noise) => {
                let problem = format!(
                    "--noise {noise}: a deviation over the longest step is more than 0 and at most {MULTIPLIER_MOST}"
                );
                return Err(problem.into());
            }
        };
        let minimum_rows = options.min_rows.unwrap_or(MINIMUM_ROWS);
        if minimum_rows == 0 {
            return Err("--min-rows 0: a peer that learns has 1 row at least".into());
        }
        Ok(Hiding {
            minimum_rows,
            multipliers,
        })
    }
}

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
pub fn run(
    data: &Dataset,
    learner: &Learner,
    hiding: &Hiding,
    seed: u64,
    json: Option<&Path>,
) -> Outcome {
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
        play(true, hiding.minimum_rows, None);
        for &multiplier in (hiding.multipliers.iter()).filter(|_| bare.step_length_median > 0.0) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_rows_is_bounded_and_wants_the_attack() {
        let hiding = |attack: &str, noise, min_rows| {
            let hiding = Hiding::of(&Options {
                attack: Some(attack.to_owned()),
                noise,
                min_rows,
                ..Options::default()
            });
            hiding.map_err(|problem| problem.to_string())
        };
        let asked = hiding(ATTACK, Some(2.5), Some(4)).unwrap();
        assert_eq!(
            (asked.minimum_rows, &asked.multipliers[..]),
            (4, &[2.5][..])
        );
        let usual = hiding(ATTACK, None, None).unwrap();
        assert_eq!((usual.minimum_rows, usual.multipliers.len()), (10, 2));
        assert!(hiding("sign-flip", None, None).is_ok());
        for noise in [0.0, -1.0, 1e4, f64::NAN] {
            let problem = hiding(ATTACK, Some(noise), None).unwrap_err();
            assert!(problem.starts_with("--noise "), "{problem}");
        }
        let none = hiding(ATTACK, None, Some(0)).unwrap_err();
        assert!(none.starts_with("--min-rows 0"), "{none}");
        let alone = hiding("sign-flip", None, Some(3)).unwrap_err();
        assert!(
            alone.starts_with("--min-rows") && alone.contains(ATTACK),
            "{alone}"
        );
    }
}
