//! How clusters fared.

use super::{ClusterFigures, Share, WORST_CLUSTERS, ratio};
use crate::scene::Scene;
use hamlet_overlay::{identity::PeerId, view::Cluster};
use std::sync::Arc;

/// The share of clusters of which adversaries are half or more.
pub fn captured(scene: &Scene, clusters: &[Arc<Cluster>]) -> f64 {
    let is_byzantine = |id: &&PeerId| {
        let index = scene.directory.index(**id);
        index.is_some_and(|peer| scene.byzantine[peer])
    };
    let is_captured = |cluster: &&Arc<Cluster>| {
        let members = cluster.members();
        members.iter().filter(is_byzantine).count() * 2 >= members.len()
    };
    let captured = clusters.iter().filter(is_captured).count();
    ratio(captured as u64, clusters.len() as u64)
}

pub fn worst_clusters(
    scene: &Scene,
    clusters: &[Arc<Cluster>],
    segments: &[Share],
) -> Vec<ClusterFigures> {
    let figures = |cluster: &Arc<Cluster>| {
        let members = cluster.members().iter();
        let members: Vec<usize> = members
            .filter_map(|&id| scene.directory.index(id))
            .collect();
        let (mut owed, mut on_time) = (0, 0);
        for segment in segments {
            for &peer in members.iter().filter(|&&peer| segment.owes(peer)) {
                owed += 1;
                on_time += u64::from(segment.arrivals.was_on_time(peer));
            }
        }
        (owed > 0).then(|| ClusterFigures {
            cluster: cluster.id,
            members: members.len(),
            byzantine: members
                .iter()
                .filter(|&&peer| scene.byzantine[peer])
                .count(),
            on_time_ratio: ratio(on_time, owed),
        })
    };
    let mut worst: Vec<ClusterFigures> = clusters.iter().filter_map(figures).collect();
    worst.retain(|cluster| cluster.on_time_ratio < 1.0);
    worst.sort_by(|a, b| a.on_time_ratio.total_cmp(&b.on_time_ratio));
    worst.truncate(WORST_CLUSTERS);
    worst
}
