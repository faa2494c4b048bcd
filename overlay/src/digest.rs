//! Digests: what a source signs of each segment.
//!
//! The source signs a header together with the root of a hash tree over the shards. A receiver checks a
//! shard in one of two ways: with the *list* of all leaves (inside a cluster, once per member) or with the
//! *path* from its leaf to the root (between clusters, with the shard). Headers form a hash chain.
//!
//! Leaves, nodes and root are 16 bytes: another shard for a given leaf costs 2^128 hashes. A source that
//! spends 2^64 to make two shards for one leaf fools nobody into playing the wrong bytes, because the
//! header holds the full hash of the payload, which is checked before anything is played.

use crate::{
    hash::{Domain, Hash},
    identity::{PeerId, Signature, Signer, Statement, Verifier},
    view::{SegmentNumber, StreamNumber},
    wire,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// The hash of a shard, or of an inner node of the tree.
pub type Leaf = [u8; 16];

/// Hashes of a tree, side by side in shared bytes: the list of all leaves, or a path to the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes(Bytes);

impl Hashes {
    /// Whether the bytes that came are whole hashes.
    pub(crate) fn are_whole(&self) -> bool {
        self.0.len().is_multiple_of(size_of::<Leaf>())
    }
}

impl Deref for Hashes {
    type Target = [Leaf];

    fn deref(&self) -> &[Leaf] {
        self.0.as_chunks().0
    }
}

impl FromIterator<Leaf> for Hashes {
    fn from_iter<I: IntoIterator<Item = Leaf>>(hashes: I) -> Hashes {
        Hashes(hashes.into_iter().flatten().collect())
    }
}

const DOMAIN: &str = "hamlet v1 digest";

/// What a source says of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The stream.
    pub stream: StreamNumber,
    /// The segment's number; numbers of a stream only grow.
    pub segment: SegmentNumber,
    /// The length of the payload in bytes.
    pub length: u32,
    /// How many parity shards the source gave out, the lowest first. The others can be asked for.
    pub parity: u8,
    /// Whether a decoder can start here.
    pub random_access: bool,
    /// When it was cut by the source's wall clock, in milliseconds since 1970.
    pub cut_unix_ms: u64,
    /// The hash of the payload.
    pub payload: Hash,
    /// The hash of the digest before; `None` where the source began or began again. Numbers between the
    /// last digest before a beginning and the beginning are not used.
    pub previous: Option<Hash>,
}

/// A header with its source's signature, which also covers the root of the shards' hash tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHeader {
    /// What is said.
    pub header: Header,
    signature: Signature,
}

/// A header whose signature was checked, with what is known of its shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The header as it was signed.
    pub signed: SignedHeader,
    /// The root of the hash tree.
    pub root: Leaf,
    /// The leaves, once they are known.
    pub leaves: Option<Hashes>,
}

impl Digest {
    /// Signs the digest of a segment.
    pub fn sign(header: Header, leaves: Hashes, network: Hash, signer: &dyn Signer) -> Digest {
        let root = Tree::new(&leaves).root();
        let signature = signer.sign(statement(network, &text(&header, &root)));
        Digest {
            signed: SignedHeader { header, signature },
            root,
            leaves: Some(leaves),
        }
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.signed.header
    }

    /// The link that the next header's `previous` must be.
    pub fn link(&self) -> Hash {
        Domain::Chain.hash(&[&text(self.header(), &self.root)])
    }

    /// This digest with the root that a list or path leads to, as something to compare and to prove with.
    pub fn claim(&self) -> Claim {
        Claim {
            signed: self.signed,
            root: self.root,
        }
    }
}

/// A signed header and a root that may or may not belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The header as it was signed.
    pub signed: SignedHeader,
    /// The root of the shards' hash tree.
    #[serde(with = "wire::run")]
    pub root: Leaf,
}

impl Claim {
    /// Whether `source` signed it in `network`.
    pub fn verify(&self, source: PeerId, network: Hash, verifier: &dyn Verifier) -> bool {
        let text = text(&self.signed.header, &self.root);
        verifier.verify(source, statement(network, &text), &self.signed.signature)
    }

    fn says_the_same(&self, other: &Claim) -> bool {
        self.signed.header == other.signed.header && self.root == other.root
    }
}

/// A proof that a source is faulty: two claims of one stream that no honest source signs both of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Equivocation {
    /// The claim seen first.
    pub first: Claim,
    /// A claim about the same segment that says something else, or about the next one with a chain that
    /// does not lead to the first.
    pub second: Claim,
}

impl Equivocation {
    /// The proof that these claims make, if they contradict each other.
    pub fn between(first: Claim, second: Claim) -> Option<Equivocation> {
        let (a, b) = (&first.signed.header, &second.signed.header);
        let same = a.segment == b.segment && !first.says_the_same(&second);
        let broken = a.segment.checked_add(1) == Some(b.segment)
            && b.previous
                .is_some_and(|link| link != Domain::Chain.hash(&[&text(a, &first.root)]));
        (a.stream == b.stream && (same || broken)).then_some(Equivocation { first, second })
    }

    /// Whether both are about one segment, rather than about two in a row.
    pub fn is_of_one_segment(&self) -> bool {
        self.first.signed.header.segment == self.second.signed.header.segment
    }

    /// The stream that it is about.
    pub fn stream(&self) -> StreamNumber {
        self.first.signed.header.stream
    }

    /// Whether it proves that `source` is faulty: two signatures are checked.
    pub fn verify(&self, source: PeerId, network: Hash, verifier: &dyn Verifier) -> bool {
        Equivocation::between(self.first, self.second).is_some()
            && self.first.verify(source, network, verifier)
            && self.second.verify(source, network, verifier)
    }
}

/// The leaf of a shard. Its place in the tree binds its number.
pub fn leaf(shard: &[u8]) -> Leaf {
    truncate(Domain::Leaf.hash_one(shard))
}

/// The binary hash tree over the shards of a segment, padded with zero leaves to a power of two.
pub struct Tree {
    leaves: Hashes,
    /// From the padded leaves up to the root.
    levels: Vec<Vec<Leaf>>,
}

impl Tree {
    /// The tree over these leaves.
    pub fn new(leaves: &Hashes) -> Tree {
        let mut level = leaves.to_vec();
        level.resize(leaves.len().next_power_of_two(), [0; 16]);
        let mut levels = vec![level];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            levels.push(
                last.chunks_exact(2)
                    .map(|pair| parent(&pair[0], &pair[1]))
                    .collect(),
            );
        }
        Tree {
            leaves: leaves.clone(),
            levels,
        }
    }

    /// The leaves that it was made over.
    pub fn leaves(&self) -> &Hashes {
        &self.leaves
    }

    /// The root.
    pub fn root(&self) -> Leaf {
        self.levels
            .last()
            .and_then(|top| top.first())
            .copied()
            .unwrap_or_default()
    }

    /// The siblings on the way from a leaf to the root.
    pub fn path(&self, leaf: u8) -> Hashes {
        let mut place = usize::from(leaf);
        let below_root = self.levels.split_last().map_or(&[][..], |(_, below)| below);
        below_root
            .iter()
            .map(|level| {
                let sibling = level[place ^ 1];
                place /= 2;
                sibling
            })
            .collect()
    }
}

/// The root that the path of a leaf leads to, in a tree over `n` leaves; `None` if the path has not the
/// length that such a tree needs.
pub fn root_of_path(leaf: Leaf, number: u8, path: &[Leaf], n: u8) -> Option<Leaf> {
    let depth = usize::from(n).next_power_of_two().trailing_zeros() as usize;
    if path.len() != depth || number >= n {
        return None;
    }
    let mut place = number;
    Some(path.iter().fold(leaf, |below, sibling| {
        let parent = if place & 1 == 0 {
            parent(&below, sibling)
        } else {
            parent(sibling, &below)
        };
        place /= 2;
        parent
    }))
}

fn parent(left: &Leaf, right: &Leaf) -> Leaf {
    let mut both = [0; 32];
    both[..16].copy_from_slice(left);
    both[16..].copy_from_slice(right);
    truncate(Domain::Node.hash_one(&both))
}

fn truncate(hash: Hash) -> Leaf {
    let mut leaf = [0; 16];
    leaf.copy_from_slice(&hash.0[..16]);
    leaf
}

fn text(header: &Header, root: &Leaf) -> Vec<u8> {
    let mut text = wire::encode(header);
    text.extend_from_slice(root);
    text
}

fn statement(network: Hash, text: &[u8]) -> Statement<'_> {
    Statement {
        domain: DOMAIN,
        network,
        text,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identity::{Ed25519Signer, Ed25519Verifier};

    fn header(segment: SegmentNumber, previous: Option<Hash>) -> Header {
        Header {
            stream: 0,
            segment,
            length: 100,
            parity: 2,
            random_access: true,
            cut_unix_ms: 0,
            payload: Hash([7; 32]),
            previous,
        }
    }

    /// Some segment's signed header.
    pub fn signed(segment: SegmentNumber) -> SignedHeader {
        let signer = Ed25519Signer::from_secret(&[1; 32]);
        Digest::sign(header(segment, None), leaves(8), Hash([9; 32]), &signer).signed
    }

    fn leaves(n: u8) -> Hashes {
        (0..n).map(|shard| leaf(&[shard])).collect()
    }

    #[test]
    fn every_path_leads_to_the_root_and_no_other_leaf_does() {
        for n in 1..=64 {
            let leaves = leaves(n);
            let tree = Tree::new(&leaves);
            for shard in 0..n {
                let path = tree.path(shard);
                let here = leaves[usize::from(shard)];
                assert_eq!(root_of_path(here, shard, &path, n), Some(tree.root()));
                assert_ne!(
                    root_of_path(leaf(b"forged"), shard, &path, n),
                    Some(tree.root())
                );
                if n > 1 {
                    assert_ne!(
                        root_of_path(here, shard ^ 1, &path, 64.max(n)),
                        Some(tree.root())
                    );
                    assert_eq!(root_of_path(here, shard, &path[1..], n), None);
                }
            }
        }
    }

    #[test]
    fn a_claim_holds_only_for_its_source_network_and_root() {
        let signer = Ed25519Signer::from_secret(&[1; 32]);
        let network = Hash([9; 32]);
        let digest = Digest::sign(header(3, None), leaves(8), network, &signer);
        let claim = digest.claim();
        assert!(claim.verify(signer.id(), network, &Ed25519Verifier));
        assert!(!claim.verify(signer.id(), Hash([8; 32]), &Ed25519Verifier));
        assert!(!claim.verify(PeerId([2; 32]), network, &Ed25519Verifier));
        let forged = Claim {
            root: [0; 16],
            ..claim
        };
        assert!(!forged.verify(signer.id(), network, &Ed25519Verifier));
    }

    #[test]
    fn only_contradictions_are_evidence() {
        let signer = Ed25519Signer::from_secret(&[1; 32]);
        let network = Hash([9; 32]);
        let sign = |header, n| Digest::sign(header, leaves(n), network, &signer);
        let first = sign(header(3, None), 8);
        let next = sign(header(4, Some(first.link())), 8);
        let fork = sign(header(4, Some(Hash([0; 32]))), 8);
        let restart = sign(header(4, None), 8);
        let other = sign(header(3, None), 7);
        let between = |a: &Digest, b: &Digest| Equivocation::between(a.claim(), b.claim());
        assert_eq!(between(&first, &first), None);
        assert_eq!(between(&first, &next), None);
        assert_eq!(between(&first, &restart), None);
        for proof in [
            between(&first, &fork),
            between(&first, &other),
            between(&next, &fork),
        ] {
            let proof = proof.expect("a contradiction");
            assert!(proof.verify(signer.id(), network, &Ed25519Verifier));
            assert!(!proof.verify(PeerId([3; 32]), network, &Ed25519Verifier));
        }
    }
}
