//! Takes the streams that others open.
//!
//! A task of its own, because libp2p-stream drops a stream that finds nobody waiting for it.

use super::{identity, session};
use crate::transport::queue::Lane;
use futures::{StreamExt, stream};
use hamlet_overlay::identity::PeerId;
use libp2p::Stream;
use libp2p_stream::IncomingStreams;
use std::collections::BTreeMap;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

/// A stream that another peer opened.
pub struct Opened {
    /// Who opened it.
    pub peer: PeerId,
    /// What it carries.
    pub lane: Lane,
    /// The number of its session.
    pub session: u64,
    /// The stream itself.
    pub stream: Stream,
}

/// Takes streams and hands them to `opened`, until the future is dropped.
pub async fn take_all(incoming: [IncomingStreams; Lane::ALL.len()], opened: mpsc::Sender<Opened>) {
    let [live, repair] = incoming;
    let mut incoming = stream::select(
        live.map(|stream| (Lane::Live, stream)),
        repair.map(|stream| (Lane::Repair, stream)),
    );
    let mut arriving = JoinSet::new();
    // One per lane and peer: a stream opened anew replaces one that has not said its session yet.
    let mut current: BTreeMap<(PeerId, Lane), AbortHandle> = BTreeMap::new();
    loop {
        tokio::select! {
            next = incoming.next() => {
                let Some((lane, (name, mut stream))) = next else { return };
                let Some(peer) = identity::from_libp2p(&name) else { continue };
                let opened = opened.clone();
                let arrival = arriving.spawn(async move {
                    match session::welcome(&mut stream).await {
                        // The swarm's task is gone only when all ends.
                        Ok(session) => drop(opened.send(Opened { peer, lane, session, stream }).await),
                        Err(error) => tracing::trace!(%peer, %error, "a stream broke at its beginning"),
                    }
                });
                if let Some(before) = current.insert((peer, lane), arrival) {
                    before.abort();
                }
            }
            Some(_) = arriving.join_next() => current.retain(|_, arrival| !arrival.is_finished()),
        }
    }
}
