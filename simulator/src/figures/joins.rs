//! How newcomers got on, and how clusters changed, where membership lives.

use super::{Presence, Share, ratio};
use crate::{
    ledger::{Coming, Ledger},
    scene::Scene,
    settings::Settings,
};
use hamlet_overlay::{
    time::{Duration, Time},
    view::Cluster,
};
use serde::Serialize;
use std::sync::Arc;

/// How newcomers got on, and how clusters changed. Times are from the moment at which a newcomer asks the way, over
/// the honest ones that stayed for [`Settings::SETTLING`], or for [`Settings::PLACING`] where it is about places; who
/// never came so far counts as infinitely late, which is null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Joins {
    /// Honest newcomers.
    pub newcomers: usize,
    /// Until they handed out a first segment: the median.
    pub playing_ms_p50: Option<f64>,
    /// One in a hundred took longer.
    pub playing_ms_p99: Option<f64>,
    /// Until they took part in a cluster as members: the median.
    pub place_ms_p50: Option<f64>,
    /// One in ten took longer.
    pub place_ms_p90: Option<f64>,
    /// One in a hundred took longer.
    pub place_ms_p99: Option<f64>,
    /// How many stayed for long enough to be counted there.
    pub place_counted: usize,
    /// The share of honest peers there for that long in the end that are members of a cluster.
    pub placed_ratio: f64,
    /// Peers that were there, the mean over time.
    pub peers_mean: f64,
    /// Members of the smallest and of the largest cluster in the end.
    pub cluster_members_min: usize,
    /// See there.
    pub cluster_members_max: usize,
    /// Epochs of a cluster in a minute, the mean of all clusters.
    pub epochs_per_min: f64,
    /// The same of the cluster that had fewest.
    pub epochs_per_min_min: f64,
    /// The honest receivers that got least on time of what was owed to them, at most [`WORST_PEERS`]; none if all did.
    pub worst_peers: Vec<PeerFigures>,
}

/// How many of the worst peers are named.
pub const WORST_PEERS: usize = 8;

/// How one receiver fared. Times are in seconds since the world began.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerFigures {
    /// Its index.
    pub peer: usize,
    /// When it came, if it is a newcomer.
    pub came_s: Option<f64>,
    /// When it had a place, if it is a newcomer and ever did.
    pub placed_s: Option<f64>,
    /// Segments owed to it.
    pub owed: usize,
    /// The share of them that it restored on time.
    pub on_time_ratio: f64,
    /// When the first was cut that it did not.
    pub first_late_s: f64,
    /// When the last was.
    pub last_late_s: f64,
}

/// How the worst fared of these receivers.
fn worst_peers(segments: &[Share], receivers: &[usize], ledger: &Ledger) -> Vec<PeerFigures> {
    let seconds = |at: Time| at.since(Time::ZERO).as_secs_f64();
    let of = |&peer: &usize| {
        let owed = segments.iter().filter(|segment| segment.owes(peer));
        let late = owed
            .clone()
            .filter(|segment| !segment.arrivals.was_on_time(peer));
        let late: Vec<f64> = late.map(|segment| seconds(segment.cut)).collect();
        let (owed, coming) = (owed.count(), ledger.by_coming().get(&(peer as u32)));
        Some(PeerFigures {
            peer,
            came_s: coming.map(|coming| seconds(coming.at)),
            placed_s: coming.and_then(|coming| coming.placed).map(seconds),
            owed,
            on_time_ratio: ratio((owed - late.len()) as u64, owed as u64),
            first_late_s: *late.first()?,
            last_late_s: *late.last()?,
        })
    };
    let mut worst: Vec<PeerFigures> = receivers.iter().filter_map(of).collect();
    let missed = |of: &PeerFigures| of.owed as f64 * (1.0 - of.on_time_ratio);
    worst.sort_by(|a, b| missed(b).total_cmp(&missed(a)));
    worst.truncate(WORST_PEERS);
    worst
}

impl Joins {
    pub(super) fn of(
        presence: &Presence,
        (segments, receivers): (&[Share], &[usize]),
        scene: &Scene,
        ledger: &Ledger,
        clusters: &[Arc<Cluster>],
        now: Time,
        placed_ratio: f64,
    ) -> Joins {
        let comings = ledger.by_coming().iter();
        let honest = comings.filter(|(peer, _)| !scene.byzantine[**peer as usize]);
        let honest: Vec<(usize, &Coming)> = honest
            .map(|(&peer, coming)| (peer as usize, coming))
            .collect();
        let took = |patience: Duration, to: fn(&Coming) -> Option<Time>| {
            let stayed = |(peer, coming): &&(usize, &Coming)| {
                let until = coming.at + patience;
                until <= now && scene.was_there(*peer, coming.at, until)
            };
            let stayed = honest.iter().filter(stayed);
            let mut took: Vec<f64> = stayed
                .map(|(_, coming)| {
                    let after = to(coming).map(|at| at.since(coming.at).as_secs_f64() * 1000.0);
                    after.unwrap_or(f64::INFINITY)
                })
                .collect();
            took.sort_by(f64::total_cmp);
            took
        };
        let playing = took(Settings::SETTLING, |coming| coming.plays);
        let placed = took(Settings::PLACING, |coming| coming.placed);
        let minutes = now.since(Time::ZERO).as_secs_f64() / 60.0;
        let epochs = || {
            clusters
                .iter()
                .map(|cluster| cluster.epoch as f64 / minutes)
        };
        let members = || clusters.iter().map(|cluster| cluster.members().len());
        Joins {
            newcomers: honest.len(),
            playing_ms_p50: percentile(&playing, 50),
            playing_ms_p99: percentile(&playing, 99),
            place_ms_p50: percentile(&placed, 50),
            place_ms_p90: percentile(&placed, 90),
            place_ms_p99: percentile(&placed, 99),
            place_counted: placed.len(),
            placed_ratio,
            peers_mean: presence.of_all,
            cluster_members_min: members().min().unwrap_or_default(),
            cluster_members_max: members().max().unwrap_or_default(),
            epochs_per_min: epochs().sum::<f64>() / clusters.len().max(1) as f64,
            worst_peers: worst_peers(segments, receivers, ledger),
            epochs_per_min_min: epochs().min_by(f64::total_cmp).unwrap_or_default(),
        }
    }
}

/// The smallest value that at least this share of all is not above, if it is finite.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).checked_sub(1)?;
    sorted.get(rank).copied().filter(|value| value.is_finite())
}
