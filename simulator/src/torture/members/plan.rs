//! What happens in one run.

use crate::{machines::DiskFate, torture::dice::Dice};
use hamlet_consensus::Model;
use hamlet_overlay::time::Duration;

/// What operators want in one cluster at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// One of its members is replaced by a peer that waits.
    Replace,
    /// A peer that waits is added.
    Add,
    /// One of its members is removed.
    Remove,
}

/// What happens in one run; drawn from a seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How many clusters, of how many founders.
    pub clusters: u8,
    /// See there.
    pub size: u8,
    /// Slots of a cluster, and shards that restore a segment.
    pub slots: (u8, u8),
    /// The most members that operators let a cluster have: where they are twice as many as at first it splits.
    pub members_max: u8,
    /// What clusters assume.
    pub model: Model,
    /// How long an epoch lasts at least, in milliseconds.
    pub epoch_ms: u32,
    /// Latencies, in microseconds.
    pub latency: (u64, u64),
    /// Messages lost, in a thousand, until the network gets well.
    pub loss: u64,
    /// How many founders of each cluster take part in nothing: fewer than may be faulty.
    pub silent: u8,
    /// When operators want what, in milliseconds, and in which cluster.
    pub wishes: Vec<(u64, u8, Wish)>,
    /// Who crashes when and for how long, in milliseconds: founders by their number.
    pub crashes: Vec<(u64, u8, u64, DiskFate)>,
    /// When the network gets well, in milliseconds.
    pub stable_at: u64,
}

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64) -> Plan {
        let mut dice = Dice::new(seed, 0);
        let clusters = dice.within(1, 4) as u8;
        let size = dice.within(4, 7) as u8;
        let synchrony = dice.chance(300);
        let gentle = synchrony || dice.chance(400);
        let model = match synchrony {
            true => Model::Synchrony {
                bound: Duration::from_millis(200),
            },
            false => Model::PartialSynchrony,
        };
        let faults = model.kind().faults(size.into()) as u8;
        let silent = match gentle {
            true => 0,
            false => dice.within(0, u64::from(faults)) as u8,
        };
        let low = dice.within(1, 40) * 1000;
        let stable_at = dice.within(12, 30) * 1000;
        let wishes = (0..dice.within(1, 12)).map(|_| {
            let wish = match dice.below(4) {
                0 => Wish::Add,
                1 => Wish::Remove,
                _ => Wish::Replace,
            };
            let at = dice.within(2_000, stable_at);
            (at, dice.below(clusters.into()) as u8, wish)
        });
        let mut wishes: Vec<_> = wishes.collect();
        wishes.sort_by_key(|(at, ..)| *at);
        let mut lost = vec![0; usize::from(clusters)];
        let crashes = match gentle {
            true => 0,
            false => dice.below(7),
        };
        let crashes = (0..crashes).map(|_| {
            let who = dice.below(u64::from(clusters * size)) as u8;
            let lost = &mut lost[usize::from(who / size)];
            let fate = match *lost + silent < faults && dice.chance(400) {
                true => {
                    *lost += 1;
                    DiskFate::Lost
                }
                false => DiskFate::Torn,
            };
            (
                dice.within(2_000, stable_at),
                who,
                dice.within(10, 6_000),
                fate,
            )
        });
        let crashes = crashes.collect();
        Plan {
            seed,
            clusters,
            size,
            slots: (16, 4),
            members_max: 12,
            model,
            epoch_ms: dice.within(500, 4_000) as u32,
            latency: (low, low + dice.within(0, 60) * 1000),
            loss: match gentle {
                true => 0,
                false => dice.below(30),
            },
            silent,
            wishes,
            crashes,
            stable_at,
        }
    }

    /// Whether nothing happens but that members change: then nobody misses a segment.
    pub fn is_gentle(&self) -> bool {
        self.silent == 0 && self.loss == 0 && self.crashes.is_empty()
    }
}
