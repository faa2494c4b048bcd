//! Takes the streams that others open, and reads them.
//!
//! A task of its own, because libp2p-stream drops a stream that finds nobody waiting for it.

use super::identity;
use crate::transport::{counters::add, framing::FramingError, link::Inbox, queue::Lane};
use futures::{StreamExt, stream};
use hamlet_overlay::identity::PeerId;
use libp2p_stream::IncomingStreams;
use std::collections::BTreeMap;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

/// Reads what others send, until the future is dropped. Peers that break the framing are named to
/// `offenders`.
pub async fn read_all(
    incoming: [IncomingStreams; Lane::ALL.len()],
    inbox: Inbox,
    offenders: mpsc::Sender<PeerId>,
) {
    let [live, repair] = incoming;
    let mut opened = stream::select(
        live.map(|opened| (Lane::Live, opened)),
        repair.map(|opened| (Lane::Repair, opened)),
    );
    let mut readers = JoinSet::new();
    // One reader per lane and peer: a stream opened anew replaces the one before.
    let mut current: BTreeMap<(PeerId, Lane), AbortHandle> = BTreeMap::new();
    loop {
        tokio::select! {
            next = opened.next() => {
                let Some((lane, (name, stream))) = next else { return };
                let Some(peer) = identity::from_libp2p(&name) else { continue };
                let (inbox, offenders) = (inbox.clone(), offenders.clone());
                let reader = readers.spawn(async move {
                    match inbox.read(peer, stream).await {
                        Err(FramingError::Length(length)) => {
                            tracing::debug!(%peer, length, "a stream is not framed as agreed; closing the connection");
                            add(&inbox.counters.broken_streams, 1);
                            // The swarm's task is gone only when all ends.
                            let _ = offenders.send(peer).await;
                        }
                        Err(FramingError::Io(error)) => {
                            tracing::trace!(%peer, %error, "a stream broke");
                        }
                        Ok(()) => {}
                    }
                });
                if let Some(before) = current.insert((peer, lane), reader) {
                    before.abort();
                }
            }
            Some(_) = readers.join_next() => {
                current.retain(|_, reader| !reader.is_finished());
            }
        }
    }
}
