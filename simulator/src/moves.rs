//! Peers that are moved to other clusters while they stream: each time everybody's next epoch begins.
//!
//! Who moves and when is settled before the world begins, and everybody learns of an epoch in time, as if
//! clusters had agreed on it: the push is what is tried here, not agreement.

use crate::{
    directory::Directory,
    membership::Membership,
    random::{Purpose, Randomness},
    settings::Settings,
    span,
    targets::{Cast, Targets},
    wrong::{self, Wrong},
};
use hamlet_overlay::{
    genesis::Network,
    time::{Duration, Time},
    view::{SegmentNumber, StreamNumber},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Peers that change clusters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// When, in seconds after the first segment.
    pub at_s: f64,
    /// How often again, in seconds; left out, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_s: Option<f64>,
    /// Who. Each changes places with a peer of another cluster, drawn at random.
    pub of: Targets,
}

/// Segments that are cut sooner than this after a move are still governed by the epoch before.
const AHEAD: Duration = Duration::from_secs(2);
/// Within this time everybody learns of an epoch.
const HEARD_WITHIN: Duration = Duration::from_millis(500);
/// Epochs follow each other no faster, in seconds: a peer holds two at a time.
const SHORTEST_S: f64 = 3.0;

/// An epoch of the whole network.
pub(crate) struct Epoch {
    /// When it is settled.
    pub at: Time,
    /// The first segments that it governs.
    pub first: BTreeMap<StreamNumber, SegmentNumber>,
    pub membership: Membership,
}

impl Epoch {
    /// When a peer learns of it.
    pub fn heard(&self, seed: u64, peer: usize) -> Time {
        let within = 0..=HEARD_WITHIN.as_micros() as u64;
        let place = [self.at.as_micros(), peer as u64];
        let after = Randomness::new(seed, Purpose::Moves).within(place, &within);
        self.at + Duration::from_micros(after)
    }

    /// Whether it governs a segment.
    pub fn governs(&self, stream: StreamNumber, segment: SegmentNumber) -> bool {
        let first = self.first.get(&stream).copied().unwrap_or(0);
        segment >= first
    }
}

/// When all moves happen, in seconds after the first segment, and which move it is.
fn times(settings: &Settings) -> Vec<(f64, usize)> {
    let end = settings.publishing.as_secs_f64();
    let mut times = Vec::new();
    for (number, moves) in settings.moves.iter().enumerate() {
        let every = moves.every_s.unwrap_or(f64::INFINITY);
        let mut at = moves.at_s;
        while at < end {
            times.push((at, number));
            at += every;
        }
    }
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    times
}

/// Says what is wrong with the moves of a world.
pub(crate) fn check(settings: &Settings) -> Result<(), Wrong> {
    for (number, moves) in settings.moves.iter().enumerate() {
        let at = format!("moves[{number}]");
        moves.of.check(&wrong::field(&at, "of"), settings.peers)?;
        wrong::within(wrong::field(&at, "at_s"), moves.at_s, 0.0, span::MAX_S)?;
        if let Some(every_s) = moves.every_s {
            wrong::within(
                wrong::field(&at, "every_s"),
                every_s,
                SHORTEST_S,
                span::MAX_S,
            )?;
        }
    }
    let times = times(settings);
    let hasty = times
        .windows(2)
        .find(|pair| pair[1].0 - pair[0].0 < SHORTEST_S);
    match hasty {
        None => Ok(()),
        Some(pair) => {
            let remedy = format!(
                "peers are moved at {} s and again at {} s: an epoch lasts at least {SHORTEST_S} s",
                pair[0].0, pair[1].0
            );
            Err(Wrong::new(
                wrong::field(&format!("moves[{}]", pair[1].1), "at_s"),
                remedy,
            ))
        }
    }
}

/// All epochs of a world, that of the founding first.
pub(crate) fn plan(
    settings: &Settings,
    cast: &Cast,
    network: &Network,
    directory: &Directory,
) -> Vec<Epoch> {
    let dice = Randomness::new(settings.seed, Purpose::Moves);
    let mut membership = Membership::new(network, settings.seed);
    let mut epochs = vec![Epoch {
        at: Time::ZERO,
        first: BTreeMap::new(),
        membership: membership.clone(),
    }];
    for (turn, (at_s, number)) in (1u64..).zip(times(settings)) {
        let struck = settings.moves[number].of.draw(cast, DRAWS + turn);
        let mut movers: Vec<usize> = (0..struck.len()).filter(|&peer| struck[peer]).collect();
        movers.sort_by_key(|&peer| (dice.at([turn, peer as u64]), peer));
        let draw = |peer: usize, below: usize| {
            let below = 0..=below as u64 - 1;
            dice.within([turn, peer as u64, 1], &below) as usize
        };
        membership.exchange(&movers, draw, directory);
        let at = span::at(at_s);
        let first = (0..settings.streams).map(|stream| {
            let cut = settings.first_cut(stream);
            let after = (at + AHEAD).since(cut).as_micros();
            let first = after.div_ceil(settings.parameters.segment().as_micros());
            (stream as StreamNumber, first as SegmentNumber)
        });
        epochs.push(Epoch {
            at,
            first: first.collect(),
            membership: membership.clone(),
        });
    }
    epochs
}

/// Moves are drawn apart from faults.
const DRAWS: u64 = 1 << 33;
