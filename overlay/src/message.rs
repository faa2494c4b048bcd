//! The messages between peers. `docs/protocol.md` explains them in their context.

use crate::{
    digest::{Hashes, SignedHeader},
    evidence::{
        Evidence,
        pool::{MAX_OFFERED, Short},
    },
    set::{MAX_SLOTS, ShardSet, SlotSet},
    view::{EpochName, SegmentNumber, StreamNumber},
    wire::{self, Frame, Malformed},
};
use bytes::Bytes;
use hamlet_consensus::succession::Tag;
use serde::{Deserialize, Serialize};

/// The most notices in one message.
pub const MAX_NOTICES: usize = 64;

/// What one peer tells another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A shard, to a fellow member or to whoever asked for it. The shard is the frame's body.
    Shard {
        /// The stream.
        stream: StreamNumber,
        /// The segment.
        segment: SegmentNumber,
        /// The shard's number.
        shard: u8,
    },
    /// A shard with its proof: from cluster to cluster, and from the source. The shard is the frame's body.
    ProvenShard {
        /// The signed header of the segment.
        signed: SignedHeader,
        /// The shard's number.
        shard: u8,
        /// What leads from the shard to the root that was signed.
        proof: Proof,
    },
    /// The digest of a segment with all its leaves.
    Digest {
        /// The signed header of the segment.
        signed: SignedHeader,
        /// The leaves of all shards.
        leaves: Hashes,
    },
    /// Small things, several at a time.
    Notices(Vec<Notice>),
    /// Two statements that prove a key guilty.
    Evidence(Box<Evidence>),
    /// The sender has evidence of these short names.
    Proofs(Vec<Short>),
    /// Send me the evidence of these short names, which you offered.
    Prove(Vec<Short>),
    /// A message of the cluster's agreement, between fellow members. It is the frame's body, as
    /// [`hamlet_consensus::Message`] encodes it.
    Agreement {
        /// The epoch of the cluster, by its short name.
        epoch: Tag,
    },
    /// A message between members of a cluster's epochs. It is the frame's body, as
    /// [`hamlet_consensus::succession::Transfer`] encodes it.
    Transfer,
    /// An order that a fellow is to have entered, since the sender cannot. It is the frame's body.
    Petition,
    /// To a neighbouring cluster: the sender's cluster is in this epoch.
    Herald {
        /// The cluster's number.
        cluster: u64,
        /// The epoch's number.
        epoch: u64,
    },
    /// The newest epoch that is known of the receiver's cluster is this one, by its short name.
    Behind {
        /// The epoch.
        epoch: Tag,
    },
    /// How epochs of the sender's cluster ended: the frame's body.
    Progress,
    /// Which walks came to us with this epoch of your cluster?
    Walks {
        /// The asker's cluster.
        to: u64,
        /// The epoch.
        epoch: u64,
    },
    /// These. The batch is the frame's body.
    Batch,
    /// Your walk has ended in our cluster: there is a place for you, if you claim it.
    Offer {
        /// The cluster.
        cluster: u64,
        /// The number of its epoch, in which to claim it.
        epoch: u64,
    },
}

/// What leads from a shard to the root that was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// The siblings on the way.
    Path(Hashes),
    /// All leaves: for the carriers, who hand the list on in their cluster.
    Leaves(Hashes),
}

/// A small thing that one peer tells another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// Which shards of every segment to send me from now on, until I say otherwise.
    Standing {
        /// The stream.
        stream: StreamNumber,
        /// The cluster and its epoch whose slots are meant.
        epoch: EpochName,
        /// What I want of it.
        standing: Standing,
    },
    /// Send me these shards of one segment, now or as soon as you have them.
    Want {
        /// The stream.
        stream: StreamNumber,
        /// The segment.
        segment: SegmentNumber,
        /// The shards.
        shards: ShardSet,
        /// Whether the list of leaves is wanted too.
        digest: bool,
    },
    /// I have a shard of a slot that you hold too; ask if it does not reach you.
    Have {
        /// The stream.
        stream: StreamNumber,
        /// The segment.
        segment: SegmentNumber,
        /// The shard.
        shard: u8,
    },
    /// On these slots announce shards to me from now on instead of sending them.
    Lazy {
        /// The stream.
        stream: StreamNumber,
        /// The slots.
        slots: SlotSet,
    },
    /// On these slots send me shards again.
    Eager {
        /// The stream.
        stream: StreamNumber,
        /// The slots.
        slots: SlotSet,
    },
    /// Send me the digests from the newest segment at which a decoder can start up to the newest of all.
    Join {
        /// The stream.
        stream: StreamNumber,
    },
}

/// What a member of a cluster wants its fellows to send it of every segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The slots of its cluster from which nothing reaches it in time; a shard of theirs does not count
    /// among those it can expect, so the relay of a later one owes it that instead.
    pub silent: SlotSet,
    /// Shards wanted beyond the `k` that suffice, as reserve.
    pub extra: u8,
    /// Whether it wants the stream's content at all. If not it is owed nothing and only relays.
    pub idle: bool,
}

impl Message {
    /// The stream that it is about; notices may be about several.
    pub fn stream(&self) -> Option<StreamNumber> {
        match self {
            Message::Shard { stream, .. } => Some(*stream),
            Message::ProvenShard { signed, .. } | Message::Digest { signed, .. } => {
                Some(signed.header.stream)
            }
            Message::Notices(_)
            | Message::Agreement { .. }
            | Message::Transfer
            | Message::Petition
            | Message::Herald { .. }
            | Message::Behind { .. }
            | Message::Progress
            | Message::Walks { .. }
            | Message::Batch
            | Message::Offer { .. }
            | Message::Evidence(_)
            | Message::Proofs(_)
            | Message::Prove(_) => None,
        }
    }

    /// The frame of a message without a body.
    pub fn frame(&self) -> Frame {
        self.frame_with(Bytes::new())
    }

    /// The frame of a message with its body.
    pub fn frame_with(&self, body: Bytes) -> Frame {
        Frame {
            head: wire::encode(self).into(),
            body,
        }
    }

    /// The message of a frame and its body, within the bounds of every list in it.
    pub fn decode(frame: &Frame) -> Result<(Message, Bytes), Malformed> {
        let (message, body): (Message, Bytes) = wire::decode(frame)?;
        let up_to = |most: u8, hashes: &Hashes| hashes.are_whole() && hashes.len() <= most.into();
        let shaped = match &message {
            Message::Shard { .. }
            | Message::Agreement { .. }
            | Message::Transfer
            | Message::Petition
            | Message::Progress
            | Message::Batch => !body.is_empty(),
            Message::ProvenShard {
                proof: Proof::Path(path),
                ..
            } => up_to(6, path) && !body.is_empty(),
            Message::ProvenShard {
                proof: Proof::Leaves(all),
                ..
            } => up_to(MAX_SLOTS, all) && !body.is_empty(),
            Message::Digest { leaves: all, .. } => up_to(MAX_SLOTS, all) && body.is_empty(),
            Message::Notices(notices) => notices.len() <= MAX_NOTICES && body.is_empty(),
            Message::Proofs(names) | Message::Prove(names) => {
                (1..=MAX_OFFERED).contains(&names.len()) && body.is_empty()
            }
            Message::Evidence(_)
            | Message::Herald { .. }
            | Message::Offer { .. }
            | Message::Behind { .. }
            | Message::Walks { .. } => body.is_empty(),
        };
        if shaped {
            Ok((message, body))
        } else {
            Err(Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let _ = Message::decode(&Frame::received(bytes.into()));
        }

        #[test]
        fn what_is_encoded_is_decoded(
            stream: u16, segment: u64, shard: u8, silent: u64, extra: u8, idle: bool,
            body in proptest::collection::vec(any::<u8>(), 1..100),
        ) {
            let body = Bytes::from(body);
            let standing = Standing { silent: SlotSet::default(), extra, idle };
            let with_body = Message::Shard { stream, segment, shard };
            let without = Message::Notices(vec![
                Notice::Standing { stream, epoch: (segment, 0), standing },
                Notice::Want { stream, segment, shards: crate::set::Set64(silent), digest: idle },
                Notice::Join { stream },
            ]);
            for (message, body) in [(with_body, body), (without, Bytes::new())] {
                let frame = message.frame_with(body.clone());
                let joined: Bytes = [&frame.head[..], &frame.body[..]].concat().into();
                for frame in [frame, Frame::received(joined)] {
                    prop_assert_eq!(Message::decode(&frame).unwrap(), (message.clone(), body.clone()));
                }
            }
        }
    }

    #[test]
    fn hashes_that_are_not_whole_or_too_many_are_malformed() {
        // The kind of proof, the length in bytes, and then the hashes.
        let proven = |hashes: usize, cut: usize| {
            let path: Hashes = vec![[7; 16]; hashes].into_iter().collect();
            let mut head = wire::encode(&Proof::Path(path));
            head.truncate(head.len() - cut);
            if let Some(length) = head.get_mut(1) {
                *length -= cut as u8;
            }
            let (proof, _): (Proof, _) = wire::decode(&Frame::received(head.into())).unwrap();
            let digest = crate::digest::tests::signed(3);
            let message = Message::ProvenShard {
                signed: digest,
                shard: 0,
                proof,
            };
            Message::decode(&message.frame_with("body".into())).is_ok()
        };
        assert!(proven(6, 0));
        assert!(!proven(7, 0));
        assert!(!proven(6, 1));
    }

    #[test]
    fn lists_over_their_bound_are_malformed() {
        let notices = Message::Notices(vec![Notice::Join { stream: 0 }; MAX_NOTICES + 1]);
        assert_eq!(Message::decode(&notices.frame()), Err(Malformed));
        let empty = Message::Shard {
            stream: 0,
            segment: 0,
            shard: 0,
        };
        assert_eq!(Message::decode(&empty.frame()), Err(Malformed));
    }
}
