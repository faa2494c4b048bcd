//! Frames between peers that know each other's keys.
//!
//! The driver sees this trait and nothing of what carries it. A transport keeps up a link with every peer
//! that it was told to connect, with backoff; it takes connections from nobody else. Sending never waits:
//! every link has a bounded [`queue`] that sends the urgent classes first and, when it is full, gives up
//! the oldest segments of the least urgent class and the busiest stream. What a link loses is counted, never repeated: the
//! protocol above repairs it.
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`queue`] | the bounded queue of one link |
//! | [`link`] | the tasks that write and read the streams of one link |
//! | [`framing`] | how frames lie on a stream |
//! | [`cap`] | the upload cap over all links, and a link's own rate |
//! | [`shape`] | links made worse on purpose, for demonstrations |
//! | [`counters`] | what passed, what was dropped, what was refused |
//! | [`limits`] | file descriptors |
//! | [`swarm`] | libp2p: QUIC, and TCP with Noise and Yamux |

pub mod cap;
pub mod counters;
pub mod framing;
pub mod limits;
pub mod link;
pub mod queue;
pub mod shape;
pub mod swarm;

use counters::TransportReport;
use hamlet_overlay::{
    identity::PeerId,
    io::Class,
    view::{SegmentNumber, StreamNumber},
    wire::Frame,
};
use std::{future::Future, io};
use tokio::sync::OwnedSemaphorePermit;

/// A frame on its way to one peer or several.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// What to send.
    pub frame: Frame,
    /// Its priority and the account its bytes go to.
    pub class: Class,
    /// The stream it is about, if it is about one.
    pub stream: Option<StreamNumber>,
    /// The segment it belongs to.
    pub segment: SegmentNumber,
}

impl Parcel {
    /// The bytes that it takes on a stream: the frame and the length before it.
    pub fn len(&self) -> usize {
        self.frame.len() + framing::LENGTH_BYTES
    }

    /// Never: there is always a length.
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// What a transport has to say.
#[derive(Debug)]
pub enum TransportEvent {
    /// Frames to and from this peer pass from now on. Those of before do not come any more, and the other
    /// side begins anew as well.
    Connected(PeerId),
    /// Frames to this peer are lost from now on.
    Disconnected(PeerId),
    /// A peer has come with whom no link is kept up. If that does not change soon, it is sent away.
    Visitor(PeerId),
    /// A frame came.
    Frame {
        /// Who sent it; its key was checked when the connection was made.
        from: PeerId,
        /// What came.
        frame: Frame,
        /// A share of the memory for frames that wait for the driver, given back when it is dropped.
        room: OwnedSemaphorePermit,
    },
}

/// Which protocol is tried first towards a peer that has addresses for both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportKind {
    /// QUIC over UDP.
    #[default]
    Quic,
    /// TCP with Noise and Yamux.
    Tcp,
}

/// Why a transport could not start.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// An address is not one that we can listen on or dial.
    #[error(
        "{address:?} is not an address to use here; write for example /ip4/0.0.0.0/udp/4711/quic-v1 or /ip4/0.0.0.0/tcp/4711"
    )]
    Address {
        /// The address as it was given.
        address: String,
    },
    /// A listener could not be opened.
    #[error(
        "cannot listen on {address}: {why}; stop whoever uses the port, or listen on another one"
    )]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        why: String,
    },
    /// The process may not open enough files.
    #[error(
        "this process may open {allowed} files, and {links} links need {needed}; raise the limit, for example with `ulimit -n {needed}` or LimitNOFILE={needed} in a systemd unit"
    )]
    FileLimit {
        /// What the system allows.
        allowed: u64,
        /// What is needed.
        needed: u64,
        /// How many links there are.
        links: usize,
    },
    /// The system refused something else.
    #[error("the network cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// Carries frames between peers.
pub trait Transport: Send + 'static {
    /// This peer can be reached at these addresses.
    fn learn(&mut self, peer: PeerId, addresses: &[String]);

    /// Keeps up a link with this peer from now on.
    fn connect(&mut self, peer: PeerId);

    /// The link with this peer is not wanted any more.
    fn release(&mut self, peer: PeerId);

    /// Closes the connection with a peer that sent what no honest peer sends; it may come back later.
    fn punish(&mut self, peer: PeerId);

    /// Queues a frame for these peers. Never waits; nothing is sent before [`flush`](Self::flush).
    fn send(&mut self, to: &[PeerId], parcel: Parcel);

    /// Lets go what was queued.
    fn flush(&mut self);

    /// The next event; `None` when the transport has ended.
    fn next(&mut self) -> impl Future<Output = Option<TransportEvent>> + Send;

    /// The next event, if there is one already.
    fn try_next(&mut self) -> Option<TransportEvent>;

    /// What was counted so far.
    fn report(&self) -> TransportReport;

    /// Ends at once without a word to anybody, as if the process had been killed.
    fn vanish(self);

    /// Sends what is urgent, says farewell and closes all connections.
    fn close(self) -> impl Future<Output = ()> + Send;
}
