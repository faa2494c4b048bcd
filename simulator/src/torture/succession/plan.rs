//! What happens in one run, drawn from a seed.

use crate::torture::{self, CheapKeys, byzantine, dice::Dice};
use hamlet_consensus::{Epoch, FaultModel, Model, Settings};
use std::time::Duration;

/// What liars try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tactic {
    /// They say nothing.
    Silent,
    /// They run twice under one key, each for a part of the others.
    Twins,
    /// They leave out messages to some.
    Withhold,
    /// They make up handovers, states and statements that an epoch has begun.
    Forge,
    /// They say again what they heard, long after.
    Replay,
}

const TACTICS: [Tactic; 5] = [
    Tactic::Silent,
    Tactic::Twins,
    Tactic::Withhold,
    Tactic::Forge,
    Tactic::Replay,
];

/// What is wanted of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    /// Other members.
    Change,
    /// That another splits from it.
    Split,
    /// That another takes it in.
    Merge,
}

impl Wish {
    fn draw(dice: &mut Dice) -> Wish {
        match dice.below(10) {
            0..=4 => Wish::Change,
            5..=6 => Wish::Split,
            _ => Wish::Merge,
        }
    }
}

/// What happens in one run. Times are in microseconds.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed that it was drawn from.
    pub seed: u64,
    /// What members assume.
    pub model: Model,
    /// How many peers there are.
    pub peers: u8,
    pub(super) liars: Vec<u8>,
    pub(super) tactics: Vec<Tactic>,
    /// Whether liars follow a plot in every epoch, as in the torture of one epoch.
    pub(super) plot: bool,
    /// Under synchrony, the honest peers that crash: they count among the faulty.
    pub(super) shaky: Vec<u8>,
    /// When each peer begins.
    pub(super) starts: Vec<u64>,
    /// How fast each peer's clock runs, in thousandths.
    pub(super) clocks: Vec<u64>,
    pub(super) founders: Vec<u8>,
    /// When members change, and clusters split and merge.
    pub(super) changes: Vec<(u64, Wish)>,
    /// When notes are written.
    pub(super) notes: Vec<u64>,
    /// When the network gets well and nobody crashes any more.
    pub(super) stable_at: u64,
    pub(super) delay: (u64, u64),
    pub(super) wild_delay: u64,
    pub(super) loss_permille: u64,
    /// From when until when messages between the two sides are lost, and who is on one side, as bits.
    pub(super) partitions: Vec<(u64, u64, u64)>,
    /// Crashes: when and who.
    pub(super) crashes: Vec<(u64, u8)>,
    /// How many outputs are carried out before a crash in the middle of them, at most; 0 for none.
    pub(super) fuse: u64,
    pub(super) snapshot_every: u64,
    pub(super) ballast: usize,
    pub(super) settings: Settings,
}

impl Plan {
    /// The plan that follows from a seed.
    pub fn draw(seed: u64) -> Plan {
        let mut dice = Dice::new(seed, 20);
        let peers = dice.within(4, 12) as u8;
        let most = FaultModel::PartialSynchrony.faults(peers.into()) as u64;
        let count = dice.below(most + 1);
        let liars = dice.some_of(peers, count);
        let mut tactics: Vec<Tactic> = (0..dice.within(1, 3))
            .filter_map(|_| dice.pick(&TACTICS))
            .collect();
        tactics.dedup();
        let stable_at = match dice.chance(200) {
            true => 0,
            false => dice.within(200_000, 4_000_000),
        };
        let until = stable_at + 1_500_000;
        let least = dice.within(0, 20_000);
        let mut changes: Vec<(u64, Wish)> = (0..dice.within(1, 5))
            .map(|_| (dice.below(until), Wish::draw(&mut dice)))
            .collect();
        changes.sort_unstable();
        let kind = FaultModel::PartialSynchrony;
        let founders = membership(&mut dice, kind, peers, &liars, &[]);
        Plan {
            seed,
            model: Model::PartialSynchrony,
            plot: false,
            shaky: Vec::new(),
            starts: vec![0; peers.into()],
            clocks: vec![1000; peers.into()],
            peers,
            founders,
            changes,
            notes: (0..dice.within(1, 8)).map(|_| dice.below(until)).collect(),
            stable_at,
            delay: (least, least + dice.within(0, 30_000)),
            wild_delay: dice.within(50_000, 800_000),
            loss_permille: if dice.chance(500) { dice.below(300) } else { 0 },
            partitions: (0..dice.below(4))
                .map(|_| {
                    let from = dice.below(stable_at + 1);
                    let until = (from + dice.within(50_000, 1_500_000)).min(stable_at);
                    (from, until, dice.word())
                })
                .collect(),
            crashes: (0..if dice.chance(600) { dice.below(8) } else { 0 })
                .map(|_| (dice.below(stable_at + 1), dice.below(peers.into()) as u8))
                .collect(),
            fuse: if dice.chance(400) {
                dice.within(1, 200)
            } else {
                0
            },
            snapshot_every: dice.pick(&[1, 2, 5, 128, 128, 128]).unwrap_or(128),
            ballast: if dice.chance(100) { 70_000 } else { 0 },
            settings: Settings {
                delay: Duration::from_millis(dice.within(10, 80)),
                timeout_max: Duration::from_secs(3),
                beat: Duration::from_millis(dice.within(200, 800)),
            },
            liars,
            tactics,
        }
    }

    /// The plan of synchrony that follows from a seed: between honest peers that are up nothing is lost or late, no more
    /// members of any epoch are liars or crash than may be faulty, and liars speak when they like.
    pub fn draw_in_time(seed: u64) -> Plan {
        let mut dice = Dice::new(seed, 23);
        let base = Plan::draw(seed);
        let peers = dice.within(3, 9) as u8;
        let most = FaultModel::Synchrony.faults(peers.into()) as u64;
        let first = dice.below(peers.into()) as u8;
        // Neighbours, so that their views follow one another.
        let mut liars: Vec<u8> = (0..most as u8).map(|next| (first + next) % peers).collect();
        let lying = if dice.chance(700) {
            most
        } else {
            dice.below(most + 1)
        };
        let shaky = liars.split_off(lying as usize);
        let stable_at = dice.within(200_000, 2_000_000);
        let delay = (dice.within(0, 5_000), dice.within(5_000, 40_000));
        let bound = Duration::from_millis(delay.1 * 115 / 100_000 + 2);
        let until = stable_at + 1_000_000;
        let latest = if dice.chance(300) { delay.1 * 10 } else { 0 };
        let founders = {
            let weak: Vec<u8> = liars.iter().chain(&shaky).copied().collect();
            membership(&mut dice, FaultModel::Synchrony, peers, &weak, &[])
        };
        let mut changes: Vec<(u64, Wish)> = (0..dice.within(1, 5))
            .map(|_| (dice.below(until), Wish::draw(&mut dice)))
            .collect();
        changes.sort_unstable();
        let crashes = (0..dice.below(6))
            .filter_map(|_| Some((dice.below(stable_at + 1), dice.pick(&shaky)?)))
            .collect();
        Plan {
            model: Model::Synchrony { bound },
            peers,
            founders,
            plot: dice.chance(600),
            changes,
            notes: (0..dice.within(1, 8)).map(|_| dice.below(until)).collect(),
            starts: (0..peers).map(|_| dice.below(latest + 1)).collect(),
            clocks: (0..peers).map(|_| dice.within(960, 1040)).collect(),
            stable_at,
            delay,
            wild_delay: dice.within(10_000, 400_000),
            loss_permille: 0,
            partitions: Vec::new(),
            crashes,
            settings: Settings {
                delay: bound,
                ..base.settings
            },
            shaky,
            liars,
            ..base
        }
    }

    /// Which peers count among the faulty of an epoch.
    pub(super) fn weak(&self) -> Vec<u8> {
        self.liars.iter().chain(&self.shaky).copied().collect()
    }

    /// The plan of one epoch alone, for those who plot in it and who watches over it.
    pub(super) fn of_epoch(&self, epoch: &Epoch) -> torture::Plan {
        let place = |peer: &u8| epoch.position(CheapKeys::id(*peer));
        let mut places = [0; 8];
        places.copy_from_slice(&epoch.id().0[..8]);
        torture::Plan {
            seed: self.seed ^ u64::from_le_bytes(places),
            model: self.model,
            members: epoch.size() as u8,
            byzantine: (self.liars.iter().filter_map(place))
                .map(|liar| (liar, vec![byzantine::Tactic::Plot]))
                .collect(),
            crashes: (self.shaky.iter().filter_map(place))
                .map(|shaky| (0, shaky, 0))
                .collect(),
            settings: self.settings,
            ..torture::Plan::draw(0)
        }
    }

    /// Whether a peer is honest.
    pub fn is_honest(&self, peer: u8) -> bool {
        !self.liars.contains(&peer)
    }
}

/// A random membership with no more of these liars than may be faulty, without some peers.
pub(super) fn membership(
    dice: &mut Dice,
    kind: FaultModel,
    peers: u8,
    liars: &[u8],
    without: &[u8],
) -> Vec<u8> {
    let free: Vec<u8> = (0..peers).filter(|peer| !without.contains(peer)).collect();
    let honest: Vec<u8> = (free.iter().copied())
        .filter(|peer| !liars.contains(peer))
        .collect();
    let mut members: Vec<u8> = Vec::new();
    for _ in 0..20 {
        members = (free.iter().copied())
            .filter(|_| dice.chance(600))
            .collect();
        let bad = members.iter().filter(|peer| liars.contains(peer)).count();
        let good = members.len() - bad;
        if good > 0 && bad <= kind.faults(members.len()) {
            return members;
        }
    }
    members.clear();
    members.extend(honest);
    members
}
