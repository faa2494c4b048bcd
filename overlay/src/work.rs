//! What costs a peer most: hashing shards and restoring segments. All of it are pure functions.
//!
//! They stand behind a trait because a simulation runs thousands of peers over the same shards: it may
//! remember what one of them computed, where a peer of its own computes everything itself ([`Compute`]).

use crate::{
    coding::Coder,
    digest::{self, Digest, Hashes, Leaf, Tree},
    hash::{Domain, Hash},
};
use bytes::Bytes;
use std::sync::Arc;

/// The computations over shards. Every implementation gives the same results as [`Compute`].
pub trait Work: Send + Sync {
    /// The leaf of a shard.
    fn leaf(&self, shard: &Bytes) -> Leaf;

    /// The tree over all leaves of a segment.
    fn tree(&self, leaves: &Hashes) -> Arc<Tree>;

    /// The data shards of a segment, from shards each of which was verified with its digest; `None` if they
    /// are too few, or if they are not the payload that was signed.
    fn restore(
        &self,
        coder: &Coder,
        digest: &Digest,
        shards: &[Option<Bytes>],
    ) -> Option<Vec<Bytes>>;

    /// The parity shards of a segment that was restored.
    fn parity(&self, coder: &Coder, digest: &Digest, data: &[Bytes]) -> Vec<Bytes>;
}

/// Computes everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compute;

impl Work for Compute {
    fn leaf(&self, shard: &Bytes) -> Leaf {
        digest::leaf(shard)
    }

    fn tree(&self, leaves: &Hashes) -> Arc<Tree> {
        Arc::new(Tree::new(leaves))
    }

    fn restore(
        &self,
        coder: &Coder,
        digest: &Digest,
        shards: &[Option<Bytes>],
    ) -> Option<Vec<Bytes>> {
        let header = digest.header();
        let data = coder.restore(shards)?;
        (payload_hash(&data, header.length as usize) == header.payload).then_some(data)
    }

    fn parity(&self, coder: &Coder, _digest: &Digest, data: &[Bytes]) -> Vec<Bytes> {
        coder.parity(data)
    }
}

/// The hash of a payload given as data shards.
pub fn payload_hash(data: &[Bytes], length: usize) -> Hash {
    // In one piece: BLAKE3 takes long texts several times as fast as many short ones.
    Domain::Payload.hash_one(&payload(data, length).concat())
}

/// The payload of a segment in pieces, without the padding of its data shards.
pub fn payload<'a>(data: impl IntoIterator<Item = &'a Bytes>, length: usize) -> Vec<Bytes> {
    let mut left = length;
    let data = data.into_iter();
    let mut pieces = Vec::with_capacity(data.size_hint().1.unwrap_or_default());
    for shard in data {
        let piece = shard.slice(..shard.len().min(left));
        left -= piece.len();
        if !piece.is_empty() {
            pieces.push(piece);
        }
    }
    pieces
}
