//! One segment within the window: what has come of it, from whom, and what was given and asked.

use super::{duty::Rotation, import::Imports};
use crate::{
    coding::Coder,
    digest::{Digest, Hashes, SignedHeader, Tree},
    links::{Deal, LinkId},
    message::{Proof, Standing},
    set::{ShardSet, SlotSet},
    time::Time,
    view::SegmentNumber,
    work::{self, Work},
};
use bytes::Bytes;
use std::{collections::BTreeMap, sync::Arc};

/// A shard that this peer asked for.
#[derive(Clone, Copy)]
pub(crate) struct Ask {
    pub of: LinkId,
    pub at: Time,
    pub overdue: Time,
}

/// What passed between this peer and one link of a segment besides shards that are owed: little, with few links.
#[derive(Clone, Copy, Default)]
pub(crate) struct Exchange {
    /// Shards that it asked for and that could not be given yet.
    pub waits_for: ShardSet,
    /// Whether it waits for the list of leaves.
    pub waits_for_list: bool,
    /// How often it was sent the list.
    pub lists_sent: u8,
    /// Shards that we asked it for at any time.
    pub asked: ShardSet,
    /// Shards that were announced to it.
    pub told: ShardSet,
}

/// One segment within the window.
pub(crate) struct Segment {
    pub number: SegmentNumber,
    pub deal: Arc<Deal>,
    pub rotation: Rotation,
    pub first_seen: Time,
    pub digest: Option<Digest>,
    tree: Option<Arc<Tree>>,
    /// Verified shards.
    shards: Vec<Option<Bytes>>,
    pub have: ShardSet,
    /// Shards that wait for the list of leaves, and who sent them.
    held: BTreeMap<u8, (LinkId, Bytes)>,
    /// Paths of shards that came across, to be handed on while the list is not there.
    paths: BTreeMap<u8, Hashes>,
    /// How many data shards there are, once all of them are there and are what was signed.
    restored: Option<usize>,
    /// Per link, the shards that the other has from us or gave to us.
    has: Vec<ShardSet>,
    /// In ascending order of the links.
    exchanges: Vec<(LinkId, Exchange)>,
    pub asks: BTreeMap<u8, Ask>,
    /// What this peer fetches from neighbouring clusters in place of silent relays.
    pub imports: Imports,
    /// When the request for the list is overdue.
    pub list_overdue: Option<Time>,
    /// How many rounds of requests there were.
    pub rounds: u8,
    /// What this peer expected of the slots when the segment began.
    pub standing: Standing,
    /// Slots whose relay gave its shard itself.
    pub gave: SlotSet,
    /// When three quarters of what is owed had been given.
    pub most_given_at: Option<Time>,
    /// When the slots are judged; `None` once that is done.
    pub judge_at: Option<Time>,
    /// Whether it was judged and what fellows gave of it is still to be counted.
    pub countable: bool,
    /// When own shards that did not come across are handed across all the same.
    pub fill_across_at: Option<Time>,
    /// Shards of own slots that neighbours announced, and who did.
    pub offers: BTreeMap<u8, Vec<LinkId>>,
    /// When to ask for those of them that have not come.
    pub graft_at: Option<Time>,
    /// When to ask for what is missing.
    pub chase_at: Option<Time>,
    /// When what was owed and has not come is late.
    pub late_at: Time,
    /// Whether it was there before this peer came: nobody owed it anything of it.
    pub backlog: bool,
    /// Whether it was handed out or left out.
    pub played: bool,
    /// Whether any link waits for anything of it.
    pub awaited: bool,
}

/// What became of a shard that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is verified.
    Verified,
    /// It waits for the list of leaves.
    Held,
    /// It was there already.
    Duplicate,
    /// It contradicts the digest.
    Mismatch,
}

impl Segment {
    pub fn new(
        number: SegmentNumber,
        deal: Arc<Deal>,
        rotation: Rotation,
        standing: Standing,
        links: usize,
        now: Time,
    ) -> Segment {
        Segment {
            number,
            deal,
            rotation,
            first_seen: now,
            digest: None,
            tree: None,
            shards: vec![None; rotation.n.into()],
            have: ShardSet::EMPTY,
            held: BTreeMap::new(),
            paths: BTreeMap::new(),
            restored: None,
            has: vec![ShardSet::EMPTY; links],
            exchanges: Vec::new(),
            asks: BTreeMap::new(),
            imports: Imports::default(),
            list_overdue: None,
            rounds: 0,
            standing,
            gave: SlotSet::EMPTY,
            most_given_at: None,
            judge_at: None,
            countable: false,
            fill_across_at: None,
            offers: BTreeMap::new(),
            graft_at: None,
            chase_at: None,
            late_at: now,
            backlog: false,
            played: false,
            awaited: false,
        }
    }

    /// When it has to be looked at next: the first of all its times.
    pub fn due(&self) -> Time {
        [
            self.judge_at,
            self.fill_across_at,
            self.graft_at,
            self.chase_at,
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(Time::NEVER)
    }

    /// The shards that a link has from us or gave to us.
    pub fn has(&self, link: LinkId) -> ShardSet {
        self.has.get(link).copied().unwrap_or_default()
    }

    pub fn has_mut(&mut self, link: LinkId) -> &mut ShardSet {
        if self.has.len() <= link {
            self.has.resize(link + 1, ShardSet::EMPTY);
        }
        &mut self.has[link]
    }

    pub fn exchange(&mut self, link: LinkId) -> &mut Exchange {
        let place = self.place_of(link).unwrap_or_else(|place| {
            self.exchanges.insert(place, (link, Exchange::default()));
            place
        });
        &mut self.exchanges[place].1
    }

    /// What passed with a link, if anything did.
    pub fn exchange_with(&self, link: LinkId) -> Option<&Exchange> {
        let place = self.place_of(link).ok()?;
        Some(&self.exchanges[place].1)
    }

    fn place_of(&self, link: LinkId) -> Result<usize, usize> {
        self.exchanges.binary_search_by_key(&link, |&(of, _)| of)
    }

    /// The number of a link is that of another peer now.
    pub fn forget_link(&mut self, link: LinkId) {
        *self.has_mut(link) = ShardSet::EMPTY;
        self.exchanges.retain(|&(of, _)| of != link);
        self.asks.retain(|_, ask| ask.of != link);
        self.held.retain(|_, (from, _)| *from != link);
        for offers in self.offers.values_mut() {
            offers.retain(|from| *from != link);
        }
        self.imports.forget_link(link);
    }

    /// Whether a link was asked for a shard at any time.
    pub fn asked(&self, link: LinkId, shard: u8) -> bool {
        self.exchange_with(link)
            .is_some_and(|exchange| exchange.asked.contains(shard))
    }

    /// All exchanges with their links.
    pub fn exchanges(&self) -> impl Iterator<Item = (LinkId, &Exchange)> {
        self.exchanges
            .iter()
            .map(|(link, exchange)| (*link, exchange))
    }

    pub fn restored(&self) -> bool {
        self.restored.is_some()
    }

    pub fn signed(&self) -> Option<&SignedHeader> {
        self.digest.as_ref().map(|digest| &digest.signed)
    }

    pub fn leaves(&self) -> Option<&Hashes> {
        self.digest.as_ref()?.leaves.as_ref()
    }

    /// Takes the list of leaves, which leads to the root that was signed. Whether it was not known.
    pub fn list(&mut self, tree: Arc<Tree>) -> bool {
        let Some(digest) = self
            .digest
            .as_mut()
            .filter(|digest| digest.leaves.is_none())
        else {
            return false;
        };
        digest.leaves = Some(tree.leaves().clone());
        self.tree = Some(tree);
        true
    }

    /// Verified shards and those that wait for the list.
    pub fn at_hand(&self) -> ShardSet {
        self.held
            .keys()
            .copied()
            .collect::<ShardSet>()
            .union(self.have)
    }

    /// Who sent a shard that waits for the list.
    pub fn held_from(&self) -> Option<LinkId> {
        self.held.values().next().map(|&(from, _)| from)
    }

    /// Takes a shard that came without a proof.
    pub fn take(&mut self, work: &dyn Work, from: LinkId, shard: u8, bytes: Bytes) -> Taken {
        if self.have.contains(shard) {
            return match self.holds(shard, &bytes) {
                true => Taken::Duplicate,
                false => Taken::Mismatch,
            };
        }
        match self
            .leaves()
            .map(|leaves| leaves.get(usize::from(shard)).copied())
        {
            Some(expected) if expected == Some(work.leaf(&bytes)) => {
                self.put(shard, bytes);
                Taken::Verified
            }
            Some(_) => Taken::Mismatch,
            None if self.held.contains_key(&shard) => Taken::Duplicate,
            None => {
                self.held.insert(shard, (from, bytes));
                Taken::Held
            }
        }
    }

    /// Whether this is a verified shard that is there.
    pub fn holds(&self, shard: u8, bytes: &Bytes) -> bool {
        // In a simulation it is nearly always the very same buffer.
        let place = |bytes: &Bytes| (bytes.as_ptr(), bytes.len());
        let known = self.shards.get(usize::from(shard)).and_then(Option::as_ref);
        known.is_some_and(|known| place(known) == place(bytes) || known == bytes)
    }

    /// Takes a shard whose proof led to the root that was signed.
    pub fn take_proven(&mut self, shard: u8, bytes: Bytes, proof: Proof) {
        if let Proof::Path(path) = proof {
            self.paths.insert(shard, path);
        }
        self.held.remove(&shard);
        self.put(shard, bytes);
    }

    /// Verifies what waited for the list: shards that fit it become verified, the senders of others are
    /// returned, who gave nothing.
    pub fn check_held(&mut self, work: &dyn Work) -> (ShardSet, Vec<LinkId>) {
        let mut verified = ShardSet::EMPTY;
        let mut forgers = Vec::new();
        for (shard, (from, bytes)) in std::mem::take(&mut self.held) {
            match self.take(work, from, shard, bytes) {
                Taken::Verified => {
                    verified.insert(shard);
                }
                Taken::Mismatch => {
                    self.gave.remove(self.rotation.slot(shard));
                    forgers.push(from);
                }
                Taken::Held | Taken::Duplicate => {}
            }
        }
        (verified, forgers)
    }

    fn put(&mut self, shard: u8, bytes: Bytes) {
        if let Some(place) = self.shards.get_mut(usize::from(shard)) {
            *place = Some(bytes);
            self.have.insert(shard);
            self.asks.remove(&shard);
        }
    }

    /// Puts all shards there: at the source.
    pub fn fill(&mut self, shards: Vec<Bytes>, k: usize) {
        self.restored = Some(k);
        for (shard, bytes) in shards.into_iter().enumerate() {
            self.put(shard as u8, bytes);
        }
    }

    /// Restores the content when `k` shards are verified. `Err` if the shards are not of the payload that
    /// the source signed: then the source coded badly.
    pub fn restore(&mut self, work: &dyn Work, coder: &Coder) -> Option<Result<(), ()>> {
        let digest = self.digest.as_ref()?;
        if self.restored() || usize::from(self.have.len()) < coder.k() {
            return None;
        }
        let Some(data) = work.restore(coder, digest, &self.shards) else {
            return Some(Err(()));
        };
        self.restored = Some(data.len());
        for (shard, bytes) in (0..).zip(data) {
            if !self.have.contains(shard) {
                self.put(shard, bytes);
            }
        }
        self.held.clear();
        self.asks.clear();
        Some(Ok(()))
    }

    /// A shard's bytes: one that came, or after restoring any.
    pub fn shard(&mut self, work: &dyn Work, coder: &Coder, shard: u8) -> Option<Bytes> {
        if !self.have.contains(shard) {
            let data: Option<Vec<Bytes>> = self.data()?.iter().cloned().collect();
            let (data, digest) = (data?, self.digest.as_ref()?);
            for (place, bytes) in work.parity(coder, digest, &data).into_iter().enumerate() {
                let number = (coder.k() + place) as u8;
                if !self.have.contains(number) {
                    self.put(number, bytes);
                }
            }
        }
        self.shards.get(usize::from(shard))?.clone()
    }

    /// The data shards of a restored segment.
    fn data(&self) -> Option<&[Option<Bytes>]> {
        self.shards.get(..self.restored?)
    }

    /// The payload in pieces, without the padding.
    pub fn payload(&self) -> Option<Vec<Bytes>> {
        let length = self.digest.as_ref()?.header().length as usize;
        Some(work::payload(self.data()?.iter().flatten(), length))
    }

    /// What proves a shard to a neighbouring cluster: for the first shards all leaves, for others the path.
    pub fn proof(&mut self, work: &dyn Work, shard: u8, lists: u8) -> Option<Proof> {
        match &self.digest.as_ref()?.leaves {
            Some(leaves) if shard < lists => Some(Proof::Leaves(leaves.clone())),
            Some(leaves) => Some(Proof::Path(
                self.tree
                    .get_or_insert_with(|| work.tree(leaves))
                    .path(shard),
            )),
            None => self.paths.get(&shard).cloned().map(Proof::Path),
        }
    }

    /// Bytes of shards that wait for the list.
    pub fn held_len(&self) -> usize {
        self.held.len()
    }
}
