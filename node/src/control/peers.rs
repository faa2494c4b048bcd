//! The peers around the own one.

use super::Door;
use crate::failure::Failure;
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A peer around the own one, as that knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Around {
    /// Its key, in hexadecimal.
    pub peer: String,
    /// The cluster in which it has its place; none of those who ask the way or for a place.
    pub cluster: Option<u64>,
    /// Whether that is the own one.
    pub fellow: bool,
    /// Whether a link with it is wanted, and is there.
    pub connected: Option<bool>,
    /// Frames of it that were not accepted.
    pub refused: u64,
}

pub(super) async fn list(State(door): State<Door>) -> Result<Json<Vec<Around>>, Failure> {
    let status = door.service.handle().status().await?;
    let me = door.service.handle().id();
    let around = &status.around;
    let mut peers: BTreeSet<_> = status.links.iter().map(|link| link.peer).collect();
    peers.extend(around.clusters().flat_map(|cluster| cluster.members()));
    peers.remove(&me);
    let known = peers.into_iter().map(|peer| {
        let link = status.links.iter().find(|link| link.peer == peer);
        let refused = status.report.refused_from.get(&peer);
        Around {
            peer: peer.to_string(),
            cluster: around.cluster_of(peer).map(|cluster| cluster.id),
            fellow: around.own.place(peer).is_some(),
            connected: link.map(|link| link.connected),
            refused: refused.map_or(0, |kinds| kinds.values().sum()),
        }
    });
    Ok(Json(known.collect()))
}
