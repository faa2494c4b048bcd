//! A memory of what peers computed, so that a world hashes and codes each segment once and not once a peer.
//!
//! It changes no result: it gives back what was computed from the same bytes. Shards are recognised by the
//! buffer that they lie in, which the memory keeps alive; lists of leaves by their content; segments by what
//! their source signed of them. Everything is kept in tables of fixed size in which the new replaces the old.

use bytes::Bytes;
use hamlet_overlay::{
    coding::Coder,
    digest::{Digest, Hashes, Leaf, Tree},
    hash::Hash,
    work::{Compute, Work, payload},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shards remembered: about a hundred segments of 32.
const SHARDS: usize = 1 << 12;
/// Segments remembered.
const SEGMENTS: usize = 1 << 7;

/// Parts of the memory of shards, so that threads seldom wait for one another.
const PARTS: usize = 1 << 6;

/// Computes what is new, and remembers it.
pub struct Memo {
    leaves: Vec<Mutex<Table<Bytes, Leaf>>>,
    /// By its leaf, the buffer of each shard that was met first.
    buffers: Mutex<Table<Leaf, Bytes>>,
    trees: Mutex<Table<Hashes, Arc<Tree>>>,
    /// All shards of each segment.
    segments: Mutex<Table<Signed, Vec<Bytes>>>,
}

/// What a source signed of a segment's bytes.
#[derive(PartialEq, Eq)]
struct Signed {
    root: Leaf,
    payload: Hash,
    length: u32,
}

impl Signed {
    fn of(digest: &Digest) -> Signed {
        let header = digest.header();
        Signed {
            root: digest.root,
            payload: header.payload,
            length: header.length,
        }
    }

    fn place(&self) -> u64 {
        prefix(&self.root)
    }
}

impl Memo {
    /// All shards of a segment of which `data` was restored, if they lead to the root that was signed. Then
    /// whatever shards of it were verified, they restore to the same.
    fn all_shards(&self, coder: &Coder, digest: &Digest, data: &[Bytes]) -> Option<Vec<Bytes>> {
        let length = digest.header().length as usize;
        let shards = coder.encode(&payload(data, length).concat());
        let leaves: Hashes = shards.iter().map(|shard| Compute.leaf(shard)).collect();
        if Tree::new(&leaves).root() != digest.root {
            return None;
        }
        // In the buffers that go round: then whoever compares two of them need not look into them.
        let buffers = open(&self.buffers);
        let first = |(shard, leaf): (Bytes, &Leaf)| {
            let met = buffers.get(prefix(leaf), |known| known == leaf);
            met.cloned().unwrap_or(shard)
        };
        Some(shards.into_iter().zip(leaves.iter()).map(first).collect())
    }
}

impl Default for Memo {
    fn default() -> Memo {
        let part = || Mutex::new(Table::new(SHARDS / PARTS));
        Memo {
            leaves: (0..PARTS).map(|_| part()).collect(),
            buffers: Mutex::new(Table::new(SHARDS)),
            trees: Mutex::new(Table::new(SEGMENTS)),
            segments: Mutex::new(Table::new(SEGMENTS)),
        }
    }
}

impl Work for Memo {
    fn leaf(&self, shard: &Bytes) -> Leaf {
        let place = shard.as_ptr().addr() as u64;
        let same = |known: &Bytes| (known.as_ptr(), known.len()) == (shard.as_ptr(), shard.len());
        let part = (spread(place) >> (u64::BITS - PARTS.ilog2())) as usize;
        let mut leaves = open(&self.leaves[part]);
        if let Some(&leaf) = leaves.get(place, same) {
            return leaf;
        }
        let leaf = Compute.leaf(shard);
        leaves.put(place, shard.clone(), leaf);
        let mut buffers = open(&self.buffers);
        if buffers.get(prefix(&leaf), |known| *known == leaf).is_none() {
            buffers.put(prefix(&leaf), leaf, shard.clone());
        }
        leaf
    }

    fn tree(&self, leaves: &Hashes) -> Arc<Tree> {
        let place = leaves.first().map_or(0, prefix);
        let mut trees = open(&self.trees);
        if let Some(tree) = trees.get(place, |known| known == leaves) {
            return tree.clone();
        }
        let tree = Compute.tree(leaves);
        trees.put(place, leaves.clone(), tree.clone());
        tree
    }

    fn restore(
        &self,
        coder: &Coder,
        digest: &Digest,
        shards: &[Option<Bytes>],
    ) -> Option<Vec<Bytes>> {
        let signed = Signed::of(digest);
        let mut segments = open(&self.segments);
        let enough = shards.iter().flatten().count() >= coder.k();
        if let Some(all) = segments.get(signed.place(), |known| *known == signed) {
            return enough.then(|| all[..coder.k()].to_vec());
        }
        let mut data = Compute.restore(coder, digest, shards)?;
        if let Some(all) = self.all_shards(coder, digest, &data) {
            data.clone_from_slice(&all[..coder.k()]);
            segments.put(signed.place(), signed, all);
        }
        Some(data)
    }

    fn parity(&self, coder: &Coder, digest: &Digest, data: &[Bytes]) -> Vec<Bytes> {
        let signed = Signed::of(digest);
        match open(&self.segments).get(signed.place(), |known| *known == signed) {
            Some(all) => all[coder.k()..].to_vec(),
            None => Compute.parity(coder, digest, data),
        }
    }
}

/// A table in which every key has one place, and the new replaces the old.
struct Table<K, V> {
    places: Vec<Option<(K, V)>>,
}

impl<K, V> Table<K, V> {
    /// An empty table; `places` is a power of two.
    fn new(places: usize) -> Table<K, V> {
        Table {
            places: (0..places).map(|_| None).collect(),
        }
    }

    fn get(&self, place: u64, same: impl Fn(&K) -> bool) -> Option<&V> {
        let (key, value) = self.places[self.index(place)].as_ref()?;
        same(key).then_some(value)
    }

    fn put(&mut self, place: u64, key: K, value: V) {
        let index = self.index(place);
        self.places[index] = Some((key, value));
    }

    fn index(&self, place: u64) -> usize {
        (spread(place) >> 32) as usize & (self.places.len() - 1)
    }
}

/// Fibonacci hashing (Knuth, TAOCP 3, 6.4): the high bits of the product are well mixed.
fn spread(place: u64) -> u64 {
    place.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn open<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first bytes of a hash: even enough to tell places by.
fn prefix(hash: &Leaf) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamlet_overlay::{
        digest::Header,
        identity::{PeerId, SimulatedAuthority},
        work::payload_hash,
    };
    use proptest::prelude::*;

    const N: u8 = 8;
    const K: u8 = 4;

    /// What a source signs that takes these for the shards of its payload.
    fn sign(shards: &[Bytes], length: usize) -> Digest {
        let signer = SimulatedAuthority::new([1; 32]).signer(PeerId([2; 32]));
        let header = Header {
            stream: 0,
            segment: 0,
            length: length as u32,
            parity: 1,
            random_access: true,
            cut_unix_ms: 0,
            payload: payload_hash(&shards[..K.into()], length),
            previous: None,
        };
        let leaves = shards.iter().map(|shard| Compute.leaf(shard)).collect();
        Digest::sign(header, leaves, Hash([3; 32]), &signer)
    }

    proptest! {
        /// Also where a source signs shards that are no code, so that it matters which of them came.
        #[test]
        fn what_is_remembered_is_what_would_be_computed(
            bytes in prop::collection::vec(any::<u8>(), 1..400),
            spoilt in prop::option::of(0..usize::from(N)),
            came in prop::collection::vec(any::<u8>(), 1..12),
        ) {
            let coder = Coder::new(K, N).unwrap();
            let mut shards = coder.encode(&bytes);
            if let Some(spoilt) = spoilt {
                shards[spoilt] = vec![0xa5; shards[spoilt].len()].into();
            }
            let digest = sign(&shards, bytes.len());
            let memo = Memo::default();
            for came in came {
                let some: Vec<Option<Bytes>> = shards
                    .iter()
                    .enumerate()
                    .map(|(shard, bytes)| (came >> shard & 1 == 1).then(|| bytes.clone()))
                    .collect();
                let restored = memo.restore(&coder, &digest, &some);
                prop_assert_eq!(&restored, &Compute.restore(&coder, &digest, &some));
                if let Some(data) = restored {
                    let parity = Compute.parity(&coder, &digest, &data);
                    prop_assert_eq!(memo.parity(&coder, &digest, &data), parity);
                }
            }
            for shard in shards.iter().chain(&shards) {
                prop_assert_eq!(memo.leaf(shard), Compute.leaf(shard));
                prop_assert_eq!(memo.leaf(&shard.slice(..1)), Compute.leaf(&shard.slice(..1)));
            }
        }
    }

    #[test]
    fn trees_are_told_apart_by_all_their_leaves() {
        let memo = Memo::default();
        let list = |last: u8| [[1; 16], [last; 16]].into_iter().collect::<Hashes>();
        for last in [2, 3, 2] {
            let tree = memo.tree(&list(last));
            assert_eq!(tree.root(), Tree::new(&list(last)).root());
        }
    }
}
