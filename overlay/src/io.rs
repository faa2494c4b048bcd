//! What goes into a peer and what comes out: the whole of its contact with the world.

use crate::{
    agreement::{Agreed, Step, card::Card, order::Order},
    digest::Equivocation,
    evidence::{Evidence, Kind},
    identity::PeerId,
    time::Time,
    view::{SegmentNumber, StreamNumber},
    wire::Frame,
};
use bytes::Bytes;
use hamlet_consensus::{check::Verdict, succession::Tag};
use serde::Serialize;
use std::{fmt, time::Duration};

/// Something that happened to a peer.
#[derive(Clone, Debug)]
pub enum Input {
    /// The wake-up that the peer asked for has come.
    Wake,
    /// Frames to and from this peer pass now.
    Connected(PeerId),
    /// A peer has come that was not asked for, and goes again unless a link with it is wanted from now on.
    Visitor(PeerId),
    /// Frames to this peer are lost from now on.
    Disconnected(PeerId),
    /// A frame came from a connected peer, whose key the transport has checked.
    Frame {
        /// Who sent it.
        from: PeerId,
        /// What came.
        frame: Frame,
    },
    /// Publish the next segment of this peer's own stream, cut now.
    Publish(Cut),
    /// Receive a stream, restore its segments and hand them out.
    Subscribe(StreamNumber),
    /// Only relay a stream from now on.
    Unsubscribe(StreamNumber),
    /// Have the own cluster decide on this.
    Propose(Order),
    /// A peer that may know the way into the network: a link with it is wanted from now on.
    Contact(PeerId),
    /// Evidence that was [kept](Step::Keep) before this peer started.
    Evidence {
        /// The evidence.
        evidence: Box<Evidence>,
        /// How long ago that was.
        age: Duration,
    },
    /// Leave the network: [`Agreed::PutOut`](crate::agreement::Agreed::PutOut) says when the cluster does without this peer.
    Leave,
    /// A [`Step::Check`] of this name was carried out.
    Checked(Option<Tag>, Verdict),
}

/// A piece of a stream that its source cut: the payload of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The bytes, opaque to everybody but source and player.
    pub payload: Bytes,
    /// Whether a decoder can start with it.
    pub random_access: bool,
    /// When it was cut by the source's wall clock, in milliseconds since 1970: for showing the delay, never
    /// for deciding anything.
    pub cut_unix_ms: u64,
}

/// Something that a peer wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// A peer that is no founder can be reached where its card says.
    Card(Box<Card>),
    /// Keep a connection with this peer from now on.
    Connect(PeerId),
    /// The connection with this peer is not needed any more.
    Release(PeerId),
    /// Send a frame to each of these peers.
    Send {
        /// The receivers, all of them connected.
        to: Vec<PeerId>,
        /// What to send.
        frame: Frame,
        /// What it is for: its priority and the account that its bytes go to.
        class: Class,
        /// The stream it is about, if it is about one.
        stream: Option<StreamNumber>,
        /// The segment it belongs to; a full queue drops the oldest segment of a stream first.
        segment: SegmentNumber,
    },
    /// Give [`Input::Wake`] at this time; replaces the wake-up asked for before.
    WakeAt(Time),
    /// A stream's next segment, verified and in order.
    Deliver(Segment),
    /// Something that the own cluster's agreement wants done, after all such steps before.
    Agreement(Step),
    /// Something that a person or a test may want to know.
    Event(Event),
}

/// What a frame is for. Earlier classes go first when a queue builds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Evidence and requests to be shown a stream.
    Control,
    /// Which relays give to a receiver, and which shards it wants.
    Notice,
    /// Lists of leaf hashes.
    Digest,
    /// Shards that are owed.
    Live,
    /// Shards that were asked for.
    Pull,
    /// Shards that were asked for to catch up with the past.
    Backlog,
}

impl Class {
    /// All classes, the most urgent first.
    pub const ALL: [Class; 6] = [
        Class::Control,
        Class::Notice,
        Class::Digest,
        Class::Live,
        Class::Pull,
        Class::Backlog,
    ];
}

/// A verified segment of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The stream.
    pub stream: StreamNumber,
    /// The segment's number.
    pub number: SegmentNumber,
    /// The payload, in pieces that follow one another.
    pub payload: Vec<Bytes>,
    /// Whether a decoder can start with it.
    pub random_access: bool,
    /// Whether segments before it were left out since the last one handed out.
    pub discontinuity: bool,
    /// When the source cut it by its own wall clock, in milliseconds since 1970.
    pub cut_unix_ms: u64,
}

impl Segment {
    /// The length of the payload in bytes.
    pub fn len(&self) -> usize {
        self.payload.iter().map(Bytes::len).sum()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Something that a person or a test may want to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A segment was published under this number.
    Published {
        /// The stream.
        stream: StreamNumber,
        /// The segment.
        segment: SegmentNumber,
    },
    /// A segment was refused by this peer as its source.
    NotPublished(PublishError),
    /// A segment was restored and verified, possibly out of order.
    Restored {
        /// The stream.
        stream: StreamNumber,
        /// The segment.
        segment: SegmentNumber,
        /// Since this peer first heard of the segment.
        after: Duration,
        /// Whether shards had to be asked for.
        repaired: bool,
    },
    /// A segment did not come in time and was left out.
    Skipped {
        /// The stream.
        stream: StreamNumber,
        /// The segment.
        segment: SegmentNumber,
    },
    /// Something came that was not accepted.
    Refused {
        /// Who sent it.
        from: PeerId,
        /// Why not.
        why: Refusal,
    },
    /// A stream ended for good.
    Stopped {
        /// The stream.
        stream: StreamNumber,
        /// Why.
        why: StopReason,
    },
    /// Evidence has come up against a key.
    Convicted {
        /// The key.
        culprit: PeerId,
        /// What it did.
        kind: Kind,
    },
    /// The own cluster's agreement came to something.
    Agreed(Agreed),
}

/// Why a stream ended for good.
#[derive(Clone, Debug, PartialEq)]
pub enum StopReason {
    /// Its source signed two digests for one segment.
    Equivocation(Box<Equivocation>),
    /// Its source signed a digest that its own shards contradict.
    BadCoding(SegmentNumber),
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopReason::Equivocation(proof) => write!(
                f,
                "its source signed two contradictory digests, of segments {} and {}",
                proof.first.signed.header.segment, proof.second.signed.header.segment
            ),
            StopReason::BadCoding(segment) => {
                write!(
                    f,
                    "its source signed a digest of segment {segment} that its shards contradict"
                )
            }
        }
    }
}

/// Why a segment could not be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The genesis does not list this peer.
    #[error(
        "this peer has no publisher's certificate; the genesis must list its key under publishers"
    )]
    NotAPublisher,
    /// More than the certificate allows.
    #[error(
        "the stream exceeds the rate of its certificate, {max_bits_per_s} bits/s; the segment is dropped"
    )]
    OverRate {
        /// What the certificate allows.
        max_bits_per_s: u64,
    },
    /// Nothing, or more than a segment can hold.
    #[error("a segment holds between 1 and {limit} bytes")]
    Size {
        /// The largest payload, in bytes.
        limit: usize,
    },
    /// The stream was stopped before.
    #[error("this stream was stopped: its source is proved to have misbehaved")]
    Stopped,
}

/// Why something that came was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not a message of this protocol.
    Malformed,
    /// From a peer with whom this one shares no link.
    Stranger,
    /// Of a stream that nobody is certified to publish.
    UnlistedPublisher,
    /// A shard that the sender neither owed nor was asked for.
    NotOwed,
    /// It contradicts the digest, or its signature is wrong.
    Mismatch,
    /// It was there already.
    Duplicate,
    /// Of a segment too old or too far ahead.
    OutOfWindow,
    /// The stream exceeds the rate of its certificate.
    OverRate,
    /// More requests than the sender may make.
    TooManyRequests,
    /// Of a stream that was stopped.
    Stopped,
    /// From a peer that gave something false of this stream before.
    Distrusted,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Refusal; 11] = [
        Refusal::Malformed,
        Refusal::Stranger,
        Refusal::UnlistedPublisher,
        Refusal::NotOwed,
        Refusal::Mismatch,
        Refusal::Duplicate,
        Refusal::OutOfWindow,
        Refusal::OverRate,
        Refusal::TooManyRequests,
        Refusal::Stopped,
        Refusal::Distrusted,
    ];
}
