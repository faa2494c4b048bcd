//! What peers gave, as their fellow members would report it now (rules G7 and W11), and what all of it cost them.

use super::{World, actor::Actor};
use hamlet_overlay::push::REMEMBERED;

/// The greatest median: a peer gave everything that is remembered.
pub const MEDIAN_MAX: u8 = REMEMBERED;

/// What passed between a peer and all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dealings {
    /// Whether the peer is Byzantine.
    pub byzantine: bool,
    /// Whether it publishes.
    pub source: bool,
    /// Bytes of streams that it handed out in order.
    pub received_bytes: u64,
    /// Bytes that it handed to the transport.
    pub sent_bytes: u64,
}

impl World {
    /// Per peer, the median of what its fellow members say that it gave them, were all to say so now. Byzantine members say the
    /// worst: that honest ones gave nothing, and Byzantine ones everything. Who is away says nothing, so that all gave.
    pub fn medians(&self) -> Vec<u8> {
        let actors = self.by_index();
        let median = |peer: usize| {
            let id = self.scene.directory.id(peer);
            let cluster = self.scene.last_membership().cluster(peer);
            let fellows = cluster.members().iter().filter(|fellow| **fellow != id);
            let fellows = fellows.filter_map(|fellow| self.scene.directory.index(*fellow));
            let says = |fellow: usize| match actors.get(fellow) {
                Some(actor) if self.scene.byzantine[fellow] => match self.scene.byzantine[peer] {
                    true => MEDIAN_MAX,
                    false => u8::from(actor.is_away()) * MEDIAN_MAX,
                },
                Some(actor) if !actor.is_away() => actor.peer().given_by(id),
                _ => MEDIAN_MAX,
            };
            let mut given: Vec<u8> = fellows.map(says).collect();
            given.sort_unstable();
            given.get(given.len() / 2).copied().unwrap_or(MEDIAN_MAX)
        };
        (0..actors.len()).map(median).collect()
    }

    /// Per peer, what it received and sent so far.
    pub fn dealings(&self) -> Vec<Dealings> {
        let ledger = self.ledger();
        let actors = self.by_index().into_iter().zip(ledger.by_peer());
        let dealings = actors.enumerate().map(|(peer, (actor, sent))| {
            let streams = actor.report().streams;
            Dealings {
                byzantine: self.scene.byzantine[peer],
                source: self.scene.stream_of(peer).is_some(),
                received_bytes: streams.values().map(|stream| stream.delivered_bytes).sum(),
                sent_bytes: sent.total(),
            }
        });
        dealings.collect()
    }

    /// All peers, in the order of their indices.
    fn by_index(&self) -> Vec<&Actor> {
        let mut actors: Vec<&Actor> = self.actors().collect();
        actors.sort_unstable_by_key(|actor| actor.me);
        actors
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        behaviour::{Conduct, Kind},
        settings::{Adversaries, Settings},
    };
    use std::time::Duration;

    fn medians(share: f64, kind: Kind) -> (Vec<u8>, Vec<u8>) {
        let settings = Settings {
            adversaries: vec![Adversaries::new(share, Conduct::only(kind))],
            ..Settings::usual(32, Duration::from_secs(24))
        };
        let mut world = World::new(settings).unwrap();
        world.run_until(world.end());
        let medians = world.medians().into_iter().enumerate();
        let (byzantine, honest): (Vec<_>, Vec<_>) =
            medians.partition(|(peer, _)| world.scene().byzantine[*peer]);
        let only = |some: Vec<(usize, u8)>| some.into_iter().map(|(_, median)| median).collect();
        (only(honest), only(byzantine))
    }

    #[test]
    fn whoever_withholds_has_a_low_median_and_nobody_else() {
        let (honest, byzantine) = medians(0.1, Kind::Silent);
        assert!(byzantine.iter().all(|&median| median == 0), "{byzantine:?}");
        assert!(honest.iter().all(|&median| median >= 12), "{honest:?}");
    }

    #[test]
    fn whoever_starves_a_third_keeps_a_high_one() {
        let (honest, byzantine) = medians(0.1, Kind::Partial(33));
        assert!(
            byzantine.iter().all(|&median| median >= 14),
            "{byzantine:?}"
        );
        assert!(honest.iter().all(|&median| median >= 14), "{honest:?}");
    }
}
