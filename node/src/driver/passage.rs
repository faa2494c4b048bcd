//! Shards as they pass a running peer, for whoever wants to look on.
//!
//! One segment in [`EVERY`] is traced, and of it every shard that goes or comes. While nobody looks,
//! nothing is decoded and nothing is sent.

use crate::transport::Parcel;
use hamlet_overlay::{
    identity::PeerId,
    io::Class,
    message::Message,
    time::Time,
    view::{SegmentNumber, StreamNumber},
    wire::Frame,
};
use tokio::sync::broadcast;

/// Every so many segments one is traced.
pub const EVERY: SegmentNumber = 8;
/// Passages that a slow reader may be behind.
const BEHIND: usize = 8192;

/// A shard that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// When, by the peer's clock.
    pub at: Time,
    /// Where to or where from.
    pub way: Way,
    /// The stream.
    pub stream: StreamNumber,
    /// The segment.
    pub segment: SegmentNumber,
    /// The shard's number.
    pub shard: u8,
}

/// Where a shard went or came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It was queued for this peer.
    To {
        /// The receiver.
        peer: PeerId,
        /// Whether it had been asked for.
        asked: bool,
    },
    /// It came from this peer.
    From {
        /// The sender.
        peer: PeerId,
    },
}

/// Where passages are told.
#[derive(Clone, Debug)]
pub(super) struct Tap(broadcast::Sender<Passage>);

impl Tap {
    pub(super) fn new() -> Tap {
        Tap(broadcast::channel(BEHIND).0)
    }

    pub(super) fn weak(&self) -> broadcast::WeakSender<Passage> {
        self.0.downgrade()
    }

    /// A frame came.
    pub(super) fn received(&self, at: Time, from: PeerId, frame: &Frame) {
        if self.0.receiver_count() > 0
            && let Some(shard) = Shard::of(frame)
        {
            self.tell(at, shard, Way::From { peer: from });
        }
    }

    /// A frame was queued for these peers.
    pub(super) fn sent(&self, at: Time, to: &[PeerId], parcel: &Parcel) {
        let asked = match parcel.class {
            Class::Live => false,
            Class::Pull | Class::Backlog => true,
            Class::Control | Class::Notice | Class::Digest => return,
        };
        if self.0.receiver_count() == 0 || !parcel.segment.is_multiple_of(EVERY) {
            return;
        }
        if let Some(shard) = Shard::of(&parcel.frame) {
            for &peer in to {
                self.tell(at, shard, Way::To { peer, asked });
            }
        }
    }

    fn tell(&self, at: Time, shard: Shard, way: Way) {
        let passage = Passage {
            at,
            way,
            stream: shard.stream,
            segment: shard.segment,
            shard: shard.shard,
        };
        // The last reader may just have gone.
        let _ = self.0.send(passage);
    }
}

/// A shard of a segment that is traced.
#[derive(Clone, Copy)]
struct Shard {
    stream: StreamNumber,
    segment: SegmentNumber,
    shard: u8,
}

impl Shard {
    fn of(frame: &Frame) -> Option<Shard> {
        let (message, _) = Message::decode(frame).ok()?;
        let shard = match message {
            Message::Shard {
                stream,
                segment,
                shard,
            } => Shard {
                stream,
                segment,
                shard,
            },
            Message::ProvenShard { signed, shard, .. } => Shard {
                stream: signed.header.stream,
                segment: signed.header.segment,
                shard,
            },
            _ => return None,
        };
        shard.segment.is_multiple_of(EVERY).then_some(shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn parcel(segment: SegmentNumber, class: Class) -> Parcel {
        let message = Message::Shard {
            stream: 0,
            segment,
            shard: 5,
        };
        Parcel {
            frame: message.frame_with(Bytes::from_static(b"shard")),
            class,
            stream: Some(0),
            segment,
        }
    }

    #[test]
    fn one_segment_in_some_is_told_with_every_receiver() {
        let tap = Tap::new();
        let mut passages = tap.weak().upgrade().unwrap().subscribe();
        let peers = [PeerId([1; 32]), PeerId([2; 32])];
        tap.sent(Time::ZERO, &peers, &parcel(EVERY, Class::Pull));
        tap.sent(Time::ZERO, &peers, &parcel(EVERY + 1, Class::Live));
        tap.sent(Time::ZERO, &peers, &parcel(EVERY, Class::Digest));
        tap.received(Time::ZERO, peers[1], &parcel(EVERY, Class::Live).frame);
        tap.received(Time::ZERO, peers[1], &parcel(EVERY + 1, Class::Live).frame);
        let ways: Vec<Way> = std::iter::from_fn(|| passages.try_recv().ok())
            .map(|passage| {
                assert_eq!((passage.segment, passage.shard), (EVERY, 5));
                passage.way
            })
            .collect();
        let to = |peer| Way::To { peer, asked: true };
        assert_eq!(
            ways,
            [to(peers[0]), to(peers[1]), Way::From { peer: peers[1] }]
        );
    }

    #[test]
    fn what_is_no_shard_is_left_out() {
        let tap = Tap::new();
        let mut passages = tap.weak().upgrade().unwrap().subscribe();
        let noise = Frame::received(Bytes::from_static(&[255; 40]));
        tap.received(Time::ZERO, PeerId([1; 32]), &noise);
        assert!(passages.try_recv().is_err());
    }
}
