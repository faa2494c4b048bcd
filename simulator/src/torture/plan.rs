//! What goes wrong in one run, drawn from a seed.

use super::{byzantine::Tactic, dice::Dice};
use hamlet_consensus::{FaultModel, Model, Settings};
use std::time::Duration;

/// What goes wrong in one run. Times are in microseconds.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed that it was drawn from.
    pub seed: u64,
    /// What members assume.
    pub model: Model,
    /// How many members there are.
    pub members: u8,
    /// Which of them are Byzantine, and what they try.
    pub byzantine: Vec<(u8, Vec<Tactic>)>,
    /// When the network gets well and nobody crashes any more.
    pub stable_at: u64,
    /// The least and the greatest delay of a message, when all is well.
    pub delay: (u64, u64),
    /// The greatest delay before stabilisation.
    pub wild_delay: u64,
    /// How many of a thousand messages are lost before stabilisation.
    pub loss_permille: u64,
    /// How many of a thousand messages come twice.
    pub duplication_permille: u64,
    /// Partitions: from when until when, and the members on one side, as bits; messages to the other side are
    /// lost, in both directions or only from this side.
    pub partitions: Vec<Partition>,
    /// When each member begins; what was said to it before is lost.
    pub starts: Vec<u64>,
    /// Crashes: when, who, and for how long.
    pub crashes: Vec<(u64, u8, u64)>,
    /// How many outputs are carried out before a crash in the middle of them, at most; 0 for none.
    pub fuse: u64,
    /// How fast each member's clock runs, in thousandths.
    pub clocks: Vec<u64>,
    /// When each command is submitted, and to which members.
    pub commands: Vec<(u64, Vec<u8>)>,
    /// Whether signature checks take time.
    pub slow_checks: bool,
    /// Whether messages are encoded and decoded on their way.
    pub encode: bool,
    /// Whether it is checked that an idle cluster is quiet.
    pub check_quiet: bool,
    /// Every how many heights there is a snapshot.
    pub snapshot_every: u64,
    /// The ballast of the application, in bytes.
    pub ballast: usize,
    /// What replicas are set to.
    pub settings: Settings,
}

/// Messages from some members to the others are lost for a while.
#[derive(Clone, Copy, Debug)]
pub struct Partition {
    /// When it begins.
    pub from: u64,
    /// When it ends.
    pub until: u64,
    /// The members on one side, as bits.
    pub side: u64,
    /// Whether the other direction works.
    pub one_way: bool,
}

/// How often each size is drawn: small ones mostly, since they run fast and corner cases need few members; 0
/// stands for any size from 8 to 32, in one of four cases.
const SIZES: [u8; 32] = [
    1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 7, 7, 7, 7, 0,
];

/// How often each size is drawn under synchrony; 0 as above.
const SIZES_IN_TIME: [u8; 16] = [3, 3, 3, 3, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6, 7, 0];

/// Under synchrony, how many of a thousand schedules are plots.
const PLOTS: u64 = 300;

/// How long a slow check of signatures takes at most, in microseconds.
pub(super) const SLOWEST_CHECK: u64 = 20_000;

impl Plan {
    /// The plan that follows from a seed.
    pub fn draw(seed: u64) -> Plan {
        let mut dice = Dice::new(seed, 0);
        let members = size(&mut dice, &SIZES, 250, 4);
        let faults = FaultModel::PartialSynchrony.faults(members.into()) as u64;
        let liars = if dice.chance(800) {
            faults
        } else {
            dice.within(0, faults)
        };
        let tactics = Tactic::draw(&mut dice);
        let byzantine = (dice.some_of(members, liars).into_iter())
            .map(|liar| (liar, tactics.clone()))
            .collect();
        let calm = dice.chance(150);
        // Large clusters say much in little time.
        let stable_at = if calm {
            0
        } else {
            dice.within(100_000, 2_000_000) / (1 + u64::from(members) / 4)
        };
        let least = dice.within(0, 20_000);
        let delay = (least, least + dice.within(0, 30_000));
        let partitions = (0..dice.below(4))
            .map(|_| {
                let from = dice.below(stable_at + 1);
                Partition {
                    from,
                    until: (from + dice.within(50_000, 1_500_000)).min(stable_at),
                    side: dice.word(),
                    one_way: dice.chance(300),
                }
            })
            .collect();
        let crash_count = if dice.chance(500) { dice.below(6) } else { 0 };
        let crashes = (0..crash_count)
            .map(|_| {
                let member = dice.below(members.into()) as u8;
                (
                    dice.below(stable_at + 1),
                    member,
                    dice.within(1_000, 800_000),
                )
            })
            .collect();
        let count = dice.within(1, 5);
        let commands = commands(&mut dice, count, stable_at, members);
        Plan {
            seed,
            model: Model::PartialSynchrony,
            members,
            byzantine,
            stable_at,
            delay,
            wild_delay: dice.within(50_000, 800_000),
            loss_permille: if dice.chance(500) { dice.below(400) } else { 0 },
            duplication_permille: if dice.chance(300) { dice.below(200) } else { 0 },
            partitions,
            starts: vec![0; members.into()],
            crashes,
            fuse: if dice.chance(400) {
                dice.within(1, 200)
            } else {
                0
            },
            clocks: (0..members).map(|_| dice.within(800, 1250)).collect(),
            commands,
            slow_checks: dice.chance(150),
            encode: dice.chance(60),
            check_quiet: dice.chance(120),
            snapshot_every: dice.pick(&[1, 2, 3, 5, 128, 128, 128, 128]).unwrap_or(128),
            ballast: if dice.chance(20) { 70_000 } else { 0 },
            settings: Settings {
                // Sometimes far too short, so that only growing time-outs help.
                delay: Duration::from_millis(if members <= 8 && dice.chance(60) {
                    dice.within(1, 5)
                } else {
                    dice.within(10, 80)
                }),
                timeout_max: Duration::from_secs(3),
                beat: Duration::from_millis(dice.within(300, 1000)),
            },
        }
    }

    /// The plan of synchrony that follows from a seed: between honest members that are up nothing is lost or late, and no
    /// more members are Byzantine or crash than may be faulty. What liars say comes when they like.
    pub fn draw_in_time(seed: u64) -> Plan {
        let mut dice = Dice::new(seed, 4);
        let members = size(&mut dice, &SIZES_IN_TIME, 100, 3);
        let faults = FaultModel::Synchrony.faults(members.into()) as u64;
        let liars = if dice.chance(700) {
            faults
        } else {
            dice.within(0, faults)
        };
        let base = Plan::draw(seed);
        let mut faulty = dice.some_of(members, faults);
        let plot = Dice::new(seed, 5).chance(PLOTS);
        if plot {
            // Liars whose views follow one another, so that nobody honest proposes between them.
            let first = dice.below(members.into()) as u8;
            faulty = (0..faults as u8)
                .map(|next| (first + next) % members)
                .collect();
        }
        let crashing = faulty.split_off(if plot { faults } else { liars } as usize);
        let tactics = match plot {
            true => vec![Tactic::Plot],
            false => Tactic::draw_in_time(&mut dice),
        };
        let stable_at = dice.within(100_000, 2_000_000) / (1 + u64::from(members) / 4);
        let delay = (dice.within(0, 5_000), dice.within(5_000, 40_000));
        let crashes = (crashing.iter())
            .flat_map(|member| {
                let count = dice.within(0, 2);
                let times: Vec<(u64, u64)> = (0..count)
                    .map(|_| (dice.below(stable_at + 1), dice.within(1_000, 600_000)))
                    .collect();
                times.into_iter().map(|(at, length)| (at, *member, length))
            })
            .collect();
        let count = dice.within(2, 10);
        let commands = commands(&mut dice, count, stable_at, members);
        let slow_checks = dice.chance(150);
        // Δ: the longest delay and the longest check, by the quickest clock, a little rounded up.
        let longest = delay.1 + if slow_checks { SLOWEST_CHECK } else { 0 };
        let bound = Duration::from_micros(longest * 115 / 100 + 500);
        let mut late = Dice::new(seed, 6);
        let latest = match late.chance(500) {
            true => (longest * 12).min(stable_at),
            false => 0,
        };
        let starts = (0..members)
            .map(|_| late.below(latest + 1) * u64::from(late.chance(500)))
            .collect();
        Plan {
            model: Model::Synchrony { bound },
            members,
            byzantine: (faulty.iter())
                .map(|liar| (*liar, tactics.clone()))
                .collect(),
            stable_at,
            delay,
            wild_delay: dice.within(10_000, 400_000),
            loss_permille: 0,
            partitions: Vec::new(),
            starts,
            crashes,
            fuse: if crashing.is_empty() { 0 } else { base.fuse },
            clocks: (0..members).map(|_| dice.within(960, 1040)).collect(),
            commands,
            slow_checks,
            settings: Settings {
                delay: bound,
                ..base.settings
            },
            ..base
        }
    }

    /// Whether the liars follow a plot.
    pub fn is_plot(&self) -> bool {
        let mut tactics = self.byzantine.iter().flat_map(|(_, tactics)| tactics);
        tactics.any(|tactic| *tactic == Tactic::Plot)
    }

    /// Whether an honest member crashes in this plan.
    pub fn crashes(&self, member: u8) -> bool {
        self.crashes.iter().any(|(_, other, _)| *other == member)
    }

    /// Whether a member is honest.
    pub fn is_honest(&self, member: u8) -> bool {
        self.byzantine.iter().all(|(liar, _)| *liar != member)
    }
}

/// One of these sizes; for 0 any from 8 to 32 in so many of a thousand cases, and else the usual.
fn size(dice: &mut Dice, sizes: &[u8], large_permille: u64, usual: u8) -> u8 {
    match dice.pick(sizes) {
        Some(size) if size > 0 => size,
        _ if dice.chance(large_permille) => dice.within(8, 32) as u8,
        _ => usual,
    }
}

/// When commands are submitted, until shortly after stabilisation, and to which members.
fn commands(dice: &mut Dice, count: u64, stable_at: u64, members: u8) -> Vec<(u64, Vec<u8>)> {
    let submit = |_| {
        let at = dice.below(stable_at + 400_000);
        let many = dice.within(1, 3);
        let to = (0..many).map(|_| dice.below(members.into()) as u8);
        (at, to.collect())
    };
    (0..count).map(submit).collect()
}
