//! Whether everybody came to the same.

use super::{SEGMENT_MS, World, id};
use crate::torture::Violation;
use hamlet_overlay::{agreement::Part, peer::Peer};
use std::collections::{BTreeMap, BTreeSet};

impl World {
    /// The clusters of the founding, and those that split from them.
    fn clusters(&self) -> BTreeSet<u64> {
        let founding = self.network.clusters().iter().map(|cluster| cluster.id);
        let own = self.peers.values().map(|peer| peer.view().newest().own.id);
        founding.chain(own).collect()
    }

    /// Everybody has come to the same.
    pub(super) fn settle(&mut self) {
        let stuck = |text: String| Violation::Stuck(text);
        let newest = self.now / 1000 / SEGMENT_MS;
        let mut newest_of = BTreeMap::new();
        for cluster in self.clusters() {
            let members = self.members(cluster);
            let honest = members.iter().filter(|peer| !self.silent.contains(peer));
            let states: Vec<_> = honest.map(|peer| (*peer, &self.peers[peer])).collect();
            let Some((first, state)) = states.first() else {
                return self
                    .oracle
                    .blame(stuck(format!("cluster {cluster} has no members")));
            };
            newest_of.insert(cluster, state.view().newest().own.clone());
            for (peer, other) in &states {
                let part = other.standing().map(|standing| standing.part);
                let log = |peer: &Peer| {
                    peer.state()
                        .map(|state| state.entries().cloned().collect::<Vec<_>>())
                };
                let differ =
                    log(state) != log(other) || state.view().newest() != other.view().newest();
                let waits = other.state().is_none_or(|state| state.has_reason_to_end());
                if part != Some(Part::Member) || differ || waits {
                    let text = format!(
                        "cluster {cluster}: {peer:?} is {part:?}; its log or view is that of {first:?}: {}; an epoch waits to end: {waits}",
                        !differ
                    );
                    return self.oracle.blame(stuck(text));
                }
                let last = self.oracle.last_played(*peer).unwrap_or(0);
                // Numbers count milliseconds after the source was restarted.
                if *peer != id(0) && last + 24 < newest {
                    let text =
                        format!("{peer:?} played segment {last} last; it is {newest} by now");
                    return self.oracle.blame(stuck(text));
                }
            }
        }
        // Who was removed and away meanwhile cannot know: nobody has a link with it any more.
        for (&peer, state) in &self.peers {
            let epoch = state.view().newest();
            let own = newest_of.get(&epoch.own.id);
            let member = own.is_some_and(|own| own.place(peer).is_some());
            let mut clusters = epoch.clusters();
            // What lies beside it no more is not followed for long.
            let places = state.state().map_or(&[][..], |state| state.places());
            let beside = |cluster: u64| {
                let mut places = places.iter();
                cluster == epoch.own.id
                    || places.any(|place| place.before == cluster || place.after == cluster)
            };
            let behind = clusters
                .find(|cluster| beside(cluster.id) && newest_of.get(&cluster.id) != Some(*cluster));
            if let Some(behind) = behind.filter(|_| member) {
                let text = format!(
                    "{} knows epoch {} of cluster {}",
                    peer, behind.epoch, behind.id
                );
                return self.oracle.blame(stuck(text));
            }
        }
    }
}
