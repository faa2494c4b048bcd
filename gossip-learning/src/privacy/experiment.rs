//! How well observers recover rows from the models of a gossiping network.

use super::{Noise, epsilon, recover};
use crate::{
    Dataset, Partition, Row, Task,
    model::{Learner, Model},
    random::{below, shuffle, stream},
    vector,
};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A network in which models walk, and some peers that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Whether a peer merges what arrives with what arrived before (MU), or updates it as it is (RW).
    pub merging: bool,
    /// Peers with fewer rows pass models on and do not learn.
    pub minimum_rows: usize,
    /// Noise on every step.
    pub noise: Option<Noise>,
    /// Rounds; in each every peer sends one model.
    pub rounds: u32,
    /// Peers watched, at most.
    pub watched: usize,
    /// The δ at which ε is told.
    pub delta: f64,
    /// The seed of everything random.
    pub seed: u64,
}

/// What was recovered. A row counts as recovered if some recovered direction has a cosine of at least
/// .95 to it, in either sign.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Rows of the watched peers.
    pub rows: usize,
    /// The share recovered by an observer of all that the peers receive and send,
    pub recovered_ratio: f64,
    /// and the mean over rows of the best cosine.
    pub cosine_mean: f64,
    /// The share recovered by an observer of what they send alone,
    pub recovered_from_sent_ratio: f64,
    /// and the mean over rows of the best cosine.
    pub cosine_from_sent_mean: f64,
    /// The mean best cosine of as many guesses that know other peers' rows, but nothing of these peers.
    pub cosine_guessed_mean: f64,
    /// Steps that the busiest watched peer published.
    pub steps: u32,
    /// The median length of the watched peers' steps: what a bound on steps is to be compared with.
    pub step_length_median: f64,
    /// The ε of these steps; none without noise.
    pub epsilon: Option<f64>,
    /// The error of the peers' models in the end: the share of wrong labels, or the root mean squared
    /// error.
    pub error: f64,
}

/// A cosine that counts as recovery.
const RECOVERED: f32 = 0.95;

/// One peer: the newest model, the one received before, and what is watched.
struct Peer {
    model: Vec<f32>,
    age: u32,
    received: Option<(Vec<f32>, u32)>,
    watch: Option<Watch>,
}

#[derive(Clone)]
struct Watch {
    /// For each row the best cosine so far: from all, from sent models alone, from guesses.
    best: Vec<[f32; 3]>,
    steps: u32,
    /// Their lengths.
    lengths: Vec<f32>,
}

impl Experiment {
    /// Runs the network and watches it.
    pub fn run(&self, data: &Dataset, learner: &Learner, partition: &Partition) -> Recovery {
        let mut rng = stream(self.seed, 0x0070_7269_7661);
        let mut order: Vec<usize> = (0..partition.peers()).collect();
        shuffle(&mut rng, &mut order);
        let mut peers: Vec<Peer> = (0..partition.peers())
            .map(|_| {
                let mut model = vec![0.0; learner.parameters()];
                learner.start(&mut model);
                Peer {
                    model,
                    age: 0,
                    received: None,
                    watch: None,
                }
            })
            .collect();
        for peer in order.iter().take(self.watched) {
            let best = vec![[0.0; 3]; partition.rows(*peer).len()];
            peers[*peer].watch = Some(Watch {
                best,
                steps: 0,
                lengths: Vec::new(),
            });
        }
        for _ in 0..self.rounds {
            shuffle(&mut rng, &mut order);
            for sender in &order {
                let receiver = below(&mut rng, peers.len());
                if receiver != *sender {
                    let sent = (peers[*sender].model.clone(), peers[*sender].age);
                    let rows = partition.rows(receiver);
                    self.step(data, learner, rows, &mut peers[receiver], sent, &mut rng);
                }
            }
        }
        self.sum_up(data, learner, &peers)
    }

    fn step(
        &self,
        data: &Dataset,
        learner: &Learner,
        rows: &[u32],
        peer: &mut Peer,
        sent: (Vec<f32>, u32),
        rng: &mut ChaCha8Rng,
    ) {
        let (mut base, mut age) = sent.clone();
        if let Some((last, last_age)) = peer.received.replace(sent).filter(|_| self.merging) {
            learner.merge(&mut base, &last, 0.5);
            age = age.max(last_age);
        }
        let sent_before = std::mem::take(&mut peer.model);
        let mut model = base.clone();
        let mut ages = [age];
        if rows.len() >= self.minimum_rows {
            for row in rows {
                let row = *row as usize;
                learner.update(
                    &mut model,
                    &mut ages,
                    data.train.row(row),
                    data.train.label(row),
                );
            }
            if let Some(noise) = self.noise {
                noise.publish(&base, &mut model, rng);
            }
            if let Some(watch) = &mut peer.watch {
                watch.steps += 1;
                watch
                    .lengths
                    .push(vector::squared_distance(&base, &model).sqrt());
            }
        }
        if let Some(watch) = &mut peer.watch {
            let mut direction = Vec::new();
            let mut observe = |from: &[f32], kind: usize| {
                recover(learner, from, &[age], rows.len(), &model, &mut direction);
                watch.compare(data, rows, &direction, kind);
            };
            observe(&base, 0);
            observe(&sent_before, 1);
            // A guess must not be one of the peer's own rows.
            let guess = below(rng, data.train.len());
            if !rows.contains(&(guess as u32)) {
                watch.compare(
                    data,
                    rows,
                    &dense(data.train.row(guess), data.train.features()),
                    2,
                );
            }
        }
        (peer.model, peer.age) = (model, ages[0]);
    }

    fn sum_up(&self, data: &Dataset, learner: &Learner, peers: &[Peer]) -> Recovery {
        let watches = || peers.iter().filter_map(|peer| peer.watch.as_ref());
        let best: Vec<[f32; 3]> = watches()
            .flat_map(|watch| watch.best.iter().copied())
            .collect();
        let rows = best.len().max(1) as f64;
        let ratio =
            |kind: usize| best.iter().filter(|best| best[kind] >= RECOVERED).count() as f64 / rows;
        let mean = |kind: usize| best.iter().map(|best| f64::from(best[kind])).sum::<f64>() / rows;
        let steps = watches().map(|watch| watch.steps).max().unwrap_or(0);
        let mut lengths: Vec<f32> = watches().flat_map(|w| w.lengths.iter().copied()).collect();
        lengths.sort_unstable_by(f32::total_cmp);
        let multiplier = self.noise.map(|noise| f64::from(noise.multiplier));
        Recovery {
            rows: best.len(),
            recovered_ratio: ratio(0),
            cosine_mean: mean(0),
            recovered_from_sent_ratio: ratio(1),
            cosine_from_sent_mean: mean(1),
            cosine_guessed_mean: mean(2),
            steps,
            step_length_median: lengths
                .get(lengths.len() / 2)
                .map_or(0.0, |l| f64::from(*l)),
            epsilon: multiplier.map(|multiplier| epsilon(multiplier, steps, self.delta)),
            error: error(
                data,
                learner,
                peers.iter().map(|peer| &peer.model[..]).take(100),
            ),
        }
    }
}

impl Watch {
    fn compare(&mut self, data: &Dataset, rows: &[u32], direction: &[f32], kind: usize) {
        for (best, row) in self.best.iter_mut().zip(rows) {
            let row = data.train.row(*row as usize);
            // One-vs-rest models have several directions, one a class.
            for part in direction.chunks_exact(data.train.features().max(1)) {
                let lengths = vector::norm(part) * length(row);
                let cosine = vector::product(part, row).abs() / lengths.max(f32::MIN_POSITIVE);
                if cosine.is_finite() {
                    best[kind] = best[kind].max(cosine.min(1.0));
                }
            }
        }
    }
}

fn length(row: Row<'_>) -> f32 {
    match row {
        Row::Dense(values) | Row::Sparse { values, .. } => vector::norm(values),
    }
}

fn dense(row: Row<'_>, features: usize) -> Vec<f32> {
    let mut dense = vec![0.0; features];
    vector::shrink_and_add(&mut dense, 0, 1.0, 1.0, row);
    dense
}

fn error<'a>(data: &Dataset, learner: &Learner, models: impl Iterator<Item = &'a [f32]>) -> f64 {
    let (mut sum, mut count) = (0.0, 0u32);
    for model in models {
        let wrong: f64 = (0..data.test.len())
            .map(|row| {
                let (said, label) = (
                    learner.predict(model, data.test.row(row)),
                    data.test.label(row),
                );
                match data.task {
                    Task::Regression => f64::from(said - label).powi(2),
                    _ => f64::from(u8::from(said != label)),
                }
            })
            .sum();
        let mean = wrong / data.test.len().max(1) as f64;
        sum += if data.task == Task::Regression {
            mean.sqrt()
        } else {
            mean
        };
        count += 1;
    }
    sum / f64::from(count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{Dealing, Synthetic},
        model::{Loss, Step},
    };

    fn recovery(
        rows_each: usize,
        merging: bool,
        minimum_rows: usize,
        multiplier: Option<f32>,
    ) -> Recovery {
        let made: Synthetic = "synthetic:rows=1112,features=20,noise=0.1".parse().unwrap();
        let data = made.generate(0.1, 1).unwrap();
        let learner = Learner::linear(Loss::Logistic, 1e-2, Step::Decay, 20, data.task);
        let partition = Dealing::Even
            .deal(&data, Some(1000 / rows_each), 1)
            .unwrap();
        let experiment = Experiment {
            merging,
            minimum_rows,
            noise: multiplier.map(|multiplier| Noise {
                radius: 1.0,
                multiplier,
            }),
            rounds: 10,
            watched: 10,
            delta: 1e-5,
            seed: 3,
        };
        experiment.run(&data, &learner, &partition)
    }

    #[test]
    fn single_rows_are_recovered_and_what_hides_them_hides_them() {
        let bare = recovery(1, false, 0, None);
        assert_eq!(bare.rows, 10);
        assert!(bare.recovered_ratio > 0.9, "{bare:?}");
        assert!(bare.cosine_guessed_mean < 0.8, "{bare:?}");
        assert_eq!(bare.epsilon, None);
        // Merging does not help against who sees everything, and a little against who sees half.
        let merged = recovery(1, true, 0, None);
        assert!(merged.recovered_ratio > 0.9, "{merged:?}");
        assert!(
            merged.recovered_from_sent_ratio < merged.recovered_ratio,
            "{merged:?}"
        );
        let many = recovery(100, false, 0, None);
        assert!(many.recovered_ratio < 0.1, "{many:?}");
        let refusing = recovery(1, false, 2, None);
        assert_eq!((refusing.recovered_ratio, refusing.steps), (0.0, 0));
        let noisy = recovery(1, false, 0, Some(4.0));
        assert!(noisy.recovered_ratio < 0.1, "{noisy:?}");
        assert!(
            noisy
                .epsilon
                .is_some_and(|epsilon| epsilon > 0.5 && epsilon < 20.0),
            "{noisy:?}"
        );
    }
}
