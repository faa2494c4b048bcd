//! One run under one seed, from its start or from where it was saved.

use super::{
    baselines::{self, Baselines},
    options::Options,
    outcome::{Outcome, Point},
    plan,
    saved::Saved,
    stage::Stage,
};
use crate::{interrupt, process, report::learning::Shown};
use hamlet_gossip_learning::{
    arena::{Arena, Settings, evaluate, sample},
    model::Model,
};
use indicatif::ProgressBar;
use std::{
    error::Error,
    path::Path,
    time::{Duration, Instant},
};

/// A killed run loses at most this much work, what the next save takes included.
const LOSS_MOST: Duration = Duration::from_secs(10);
/// When a run is saved first; from then on at twice the distance each time, up to what may be lost.
const FIRST_SAVE: Duration = Duration::from_secs(1);
/// Rounds of a run that asks for none.
pub const ROUNDS: u32 = 400;
const SAMPLE: usize = 100;

/// A finished or interrupted run.
pub struct Run {
    /// What it found.
    pub outcome: Outcome,
    /// Its models.
    pub saved: Saved,
    /// The world of its peers.
    pub stage: Stage,
}

impl Run {
    /// Adds what the same rows give without gossip, if the run is finished.
    pub fn judge(&mut self) {
        if self.outcome.finished {
            let start = Instant::now();
            let (learner, rounds) = (self.saved.arena.learner(), self.outcome.rounds);
            let world = self.stage.world();
            self.outcome.baselines = baselines::compute(world, learner, rounds, self.saved.seed);
            self.outcome.wall_seconds += start.elapsed().as_secs_f64();
        }
    }

    /// The run as a report shows it.
    pub fn shown(&self) -> Shown<'_> {
        Shown {
            saved: &self.saved,
            stage: &self.stage,
            baselines: &self.outcome.baselines,
        }
    }
}

/// Whether a round is measured: those whose number has at most two digits before its zeros.
pub fn is_measured(round: u32) -> bool {
    let mut step = 1;
    while round / step >= 100 {
        step *= 10;
    }
    round.is_multiple_of(step)
}

/// Runs all rounds, or those until Ctrl-C. `state` is where the run is saved every few seconds and in the end,
/// and gone on from if `resume` is set and it is there.
pub fn run(
    options: &Options,
    seed: u64,
    state: Option<&Path>,
    resume: bool,
    progress: &ProgressBar,
) -> Result<Run, Box<dyn Error>> {
    let start = Instant::now();
    let stage = Stage::set(options, seed)?;
    let world = stage.world();
    let settings = plan::settings(options, &stage, seed)?;
    afford(&settings, stage.partition.peers())?;
    let rounds = options.rounds.unwrap_or(ROUNDS);
    let mut saved = match state.filter(|path| resume && path.exists()) {
        Some(path) => {
            let saved = Saved::read(path)?;
            let place = path.display();
            if *saved.arena.settings() != settings || saved.arena.peers() != stage.partition.peers()
            {
                let was = &saved.scenario;
                return Err(format!(
                    "{place} was saved by a run with other options; go on with the same (only \
                     --rounds may differ):\n{was}"
                )
                .into());
            }
            saved
        }
        None => Saved {
            scenario: toml::to_string(options)?,
            seed,
            encoder: stage.encoder.clone(),
            classes: stage.data.classes.clone(),
            communities: stage.data.communities.clone(),
            community: (0..stage.partition.peers())
                .map(|p| stage.partition.community(p))
                .collect(),
            arena: Arena::new(settings, world)?,
            curve: Vec::new(),
            seconds: (0.0, 0.0),
        },
    };
    let before = saved.seconds.0;
    progress.inc(u64::from(saved.arena.round().min(rounds)));

    let (mut last_save, mut save_every) = (Instant::now(), FIRST_SAVE);
    while saved.arena.round() < rounds && !interrupt::asked() {
        let step = Instant::now();
        saved.arena.step(world);
        saved.seconds.1 += step.elapsed().as_secs_f64();
        let round = saved.arena.round();
        if is_measured(round) || round == rounds {
            let peers = sample(
                &saved.arena,
                world,
                options.sample.unwrap_or(SAMPLE),
                u64::from(round),
            );
            let measures = evaluate(&saved.arena, world, &peers);
            let point = Point::of(round, &measures, saved.arena.traffic());
            progress.set_message(format!("error {:.4}", point.error_mean));
            saved.curve.push(point);
        }
        progress.inc(1);
        if let Some(path) = state.filter(|_| last_save.elapsed() > save_every) {
            last_save = Instant::now();
            saved.seconds.0 = before + start.elapsed().as_secs_f64();
            saved.write(path)?;
            // The next save may take twice as long, and a second is left for the round in between.
            let spare = LOSS_MOST.saturating_sub(FIRST_SAVE + 2 * last_save.elapsed());
            save_every = (2 * save_every).min(spare).max(FIRST_SAVE);
        }
    }
    let finished = saved.arena.round() >= rounds;
    saved.seconds.0 = before + start.elapsed().as_secs_f64();
    if let Some(path) = state {
        saved.write(path)?;
    }
    let peers = saved.arena.peers();
    let text = |wish: &Option<String>, usual: &str| wish.clone().unwrap_or(usual.to_owned());
    let outcome = Outcome {
        peers,
        rounds: saved.arena.round(),
        finished,
        model: text(&options.model, plan::usual_model(&stage.data)),
        merge: text(&options.merge, "mu"),
        sampler: text(
            &options.sampler,
            if options.graph.is_some() {
                "graph"
            } else {
                "uniform"
            },
        ),
        defence: text(&options.defence, "none"),
        seed,
        curve: saved.curve.clone(),
        baselines: Baselines::default(),
        wall_seconds: saved.seconds.0,
        peer_rounds_per_s: f64::from(saved.arena.round()) * peers as f64
            / saved.seconds.1.max(1e-9),
        peak_rss_bytes: process::peak_rss_bytes(),
    };
    Ok(Run {
        outcome,
        stage,
        saved,
    })
}

/// Refuses a network that does not fit into memory, before the system ends the program for it.
fn afford(settings: &Settings, peers: usize) -> Result<(), Box<dyn Error>> {
    let needed = settings.memory_bytes(peers);
    match process::available_bytes() {
        Some(free) if free < needed => {
            let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
            let (parameters, needed, free) =
                (settings.learner.parameters(), gib(needed), gib(free));
            Err(format!(
                "the models of {peers} peers with {parameters} parameters each take {needed:.1} GiB, and {free:.1} GiB \
                 are free: ask for fewer --peers, a smaller --cache or --defence-models, or data with fewer features"
            )
            .into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_measured;

    #[test]
    fn measured_rounds_thin_out() {
        let rounds: Vec<u32> = (95..=130).filter(|round| is_measured(*round)).collect();
        assert_eq!(rounds, [95, 96, 97, 98, 99, 100, 110, 120, 130]);
        assert!(is_measured(1) && is_measured(3000) && !is_measured(3010));
    }
}
