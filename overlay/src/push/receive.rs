//! Receiving: what comes is bounded, checked against its digest, and only then acted on (P3, P4).

use super::{
    AHEAD, Stream, WINDOW,
    segment::{Segment, Taken},
};
use crate::{
    core::Core,
    digest::{Claim, Digest, Hashes, SignedHeader, Tree, root_of_path},
    io::{Refusal, StopReason},
    links::LinkId,
    message::Proof,
    set::{ShardSet, SlotSet},
    time::Duration,
    view::SegmentNumber,
};
use bytes::Bytes;
use std::sync::Arc;

/// The largest number of a segment: far beyond any stream, so that arithmetic on numbers stays in range.
const NUMBER_MAX: SegmentNumber = 1 << 48;
/// How long after its shard is late a relay may still give it without being noted as silent; a newcomer,
/// who does not know yet what late is, gives everybody more time.
pub(super) const GRACE: Duration = Duration::from_millis(100);
pub(super) const FIRST_GRACE: Duration = Duration::from_millis(400);

/// A shard that came from somebody who may send it.
#[derive(Clone, Copy)]
struct Given {
    from: LinkId,
    shard: u8,
    slot: u8,
    /// Whether it is the sender's to give; if not, it was asked for.
    owed: bool,
}

impl Stream {
    pub fn on_shard(
        &mut self,
        core: &mut Core,
        from: LinkId,
        number: SegmentNumber,
        shard: u8,
        bytes: Bytes,
    ) -> Result<(), Refusal> {
        self.check_window(number)?;
        let given = self.check_owed(core, from, number, shard, bytes.len())?;
        let segment = self.segment(core, number);
        let taken = segment.take(&*core.work, from, shard, bytes);
        if taken == Taken::Mismatch {
            return Err(Refusal::Mismatch);
        }
        self.note_given(core, number, given);
        match taken {
            Taken::Verified => self.on_verified(core, number, ShardSet::one(shard)),
            Taken::Held => self.chase_list_if_due(core, number),
            Taken::Duplicate | Taken::Mismatch => return Err(Refusal::Duplicate),
        }
        Ok(())
    }

    pub fn on_proven_shard(
        &mut self,
        core: &mut Core,
        from: LinkId,
        signed: SignedHeader,
        shard: u8,
        proof: Proof,
        bytes: Bytes,
    ) -> Result<(), Refusal> {
        let number = signed.header.segment;
        self.check_not_past(number)?;
        let given = self.check_owed(core, from, number, shard, bytes.len())?;
        let known = self.window.get_mut(&number);
        if let Some(segment) = known
            .filter(|segment| segment.have.contains(shard) && segment.signed() == Some(&signed))
        {
            if !segment.holds(shard, &bytes) {
                return Err(Refusal::Mismatch);
            }
            // What this peer restored itself makes nobody's gift superfluous.
            if self.note_given(core, number, given) {
                self.prune(core, from, given.slot);
            }
            return Err(Refusal::Duplicate);
        }
        let own = core.work.leaf(&bytes);
        let tree = match &proof {
            Proof::Path(_) => None,
            Proof::Leaves(leaves) => self.tree_over(core, leaves),
        };
        let root = match (&proof, &tree) {
            (Proof::Path(path), _) => root_of_path(own, shard, path, self.n),
            (Proof::Leaves(leaves), Some(tree)) if leaves[usize::from(shard)] == own => {
                Some(tree.root())
            }
            (Proof::Leaves(_), _) => None,
        };
        let root = root.ok_or(Refusal::Mismatch)?;
        self.admit(core, Claim { signed, root })?;
        self.note_given(core, number, given);
        let segment = self.segment(core, number);
        let listed = tree.is_some_and(|tree| segment.list(tree));
        segment.take_proven(shard, bytes, proof);
        self.link(from).gave = true;
        if listed {
            self.on_list(core, number);
        }
        self.on_verified(core, number, ShardSet::one(shard));
        Ok(())
    }

    pub fn on_digest(
        &mut self,
        core: &mut Core,
        signed: SignedHeader,
        leaves: Hashes,
    ) -> Result<(), Refusal> {
        let number = signed.header.segment;
        self.check_not_past(number)?;
        let same = |segment: &Segment| {
            segment.leaves() == Some(&leaves) && segment.signed() == Some(&signed)
        };
        if self.window.get(&number).is_some_and(same) {
            return Err(Refusal::Duplicate);
        }
        let tree = self.tree_over(core, &leaves).ok_or(Refusal::Mismatch)?;
        let root = tree.root();
        self.admit(core, Claim { signed, root })?;
        self.segment(core, number).list(tree);
        self.on_list(core, number);
        Ok(())
    }

    fn tree_over(&self, core: &Core, leaves: &Hashes) -> Option<Arc<Tree>> {
        (leaves.len() == usize::from(self.n)).then(|| core.work.tree(leaves))
    }

    fn check_not_past(&self, number: SegmentNumber) -> Result<(), Refusal> {
        if self.stopped.is_some() {
            return Err(Refusal::Stopped);
        }
        let past = self
            .newest
            .is_some_and(|newest| number < newest.saturating_sub(WINDOW));
        if past || number > NUMBER_MAX {
            return Err(Refusal::OutOfWindow);
        }
        Ok(())
    }

    /// Whether a segment may be received of which perhaps no digest is known yet.
    pub(super) fn check_window(&self, number: SegmentNumber) -> Result<(), Refusal> {
        self.check_not_past(number)?;
        if self.window.contains_key(&number) {
            return Ok(());
        }
        let far = self
            .newest
            .is_some_and(|newest| number > newest.saturating_add(AHEAD as u64));
        let ahead = self.newest.map_or(0, |newest| newest + 1);
        let begun = self.window.range(ahead..);
        let begun = begun
            .filter(|(_, segment)| segment.digest.is_none())
            .count();
        if far || begun >= AHEAD {
            Err(Refusal::OutOfWindow)
        } else {
            Ok(())
        }
    }

    /// Whether a shard is owed to this peer by its sender, or was asked of it.
    fn check_owed(
        &self,
        core: &Core,
        from: LinkId,
        number: SegmentNumber,
        shard: u8,
        len: usize,
    ) -> Result<Given, Refusal> {
        if shard >= self.n || len > core.coder.shard_len(self.max_segment_bytes) {
            return Err(Refusal::Malformed);
        }
        // A segment that is not there yet is looked at as if it were; nothing is begun for a stranger.
        let known = self.window.get(&number);
        let (rotation, deal) = self.plan(core, number);
        let slot = rotation.slot(shard);
        let source = || deal.mine.contains(slot) && core.links.peer(from) == self.source;
        let owed = deal.relays(from, slot) || source();
        // A substitute may act by what it was told before, so slots on trial count as silent too.
        let substituted = || {
            let told = self.told_of(deal);
            let told = told.map_or(SlotSet::EMPTY, |told| told.silent);
            let then = known.map_or(told, |segment| segment.standing.silent);
            let silent = told.union(then).union(self.slots_on_trial(core, deal));
            silent.contains(slot) && deal.fellows.contains(&from)
        };
        let asked = || known.is_some_and(|segment| segment.asked(from, shard));
        match owed || asked() || substituted() {
            true => Ok(Given {
                from,
                shard,
                slot,
                owed,
            }),
            false => Err(Refusal::NotOwed),
        }
    }

    /// Notes that a shard came of a segment that is there. Whether its slot had already given it.
    fn note_given(&mut self, core: &Core, number: SegmentNumber, given: Given) -> bool {
        let Given {
            from,
            shard,
            slot,
            owed,
        } = given;
        let Some(segment) = self.window.get_mut(&number) else {
            return false;
        };
        segment.has_mut(from).insert(shard);
        // An answer that comes after another has come was asked for, too.
        if owed && !segment.asked(from, shard) {
            self.served_from.get_or_insert(number);
        }
        if let Some(ask) = segment.asks.get(&shard).filter(|ask| ask.of == from) {
            self.answer.sample(core.now.since(ask.at));
            segment.asks.remove(&shard);
            if let Some(state) = self.links.get_mut(from) {
                state.unanswered = 0;
            }
        }
        let again = owed && !segment.gave.insert(slot);
        if owed && let Some(slot) = Stream::slot_now(core, &segment.deal, slot) {
            self.givers.gave(slot, core.now);
        }
        if segment.most_given_at.is_none() {
            let expected = segment.rotation.owed(&segment.standing, self.parity);
            let given = segment.rotation.shards(segment.gave).intersection(expected);
            if given.len() >= expected.len() - expected.len() / 4 {
                segment.most_given_at = Some(core.now);
            }
        }
        again
    }

    /// Accepts a claim about a segment: at most one signature is checked.
    fn admit(&mut self, core: &mut Core, claim: Claim) -> Result<(), Refusal> {
        let header = claim.signed.header;
        let number = header.segment;
        if let Some(known) = self
            .window
            .get(&number)
            .and_then(|segment| segment.digest.as_ref())
        {
            let known = known.claim();
            return if known == claim {
                Ok(())
            } else {
                Err(self.contradict(core, known, claim))
            };
        }
        let length = header.length as usize;
        let fits =
            (1..=self.max_segment_bytes).contains(&length) && header.parity <= self.n - self.k;
        if !fits || !claim.verify(self.source, core.network(), &*core.verifier) {
            return Err(Refusal::Mismatch);
        }
        for (near, reversed) in [
            (number.checked_sub(1), false),
            (number.checked_add(1), true),
        ] {
            let digest = near
                .and_then(|near| self.window.get(&near))
                .and_then(|segment| segment.digest.as_ref());
            let Some(near) = digest.map(Digest::claim) else {
                continue;
            };
            let (first, second) = if reversed {
                (claim, near)
            } else {
                (near, claim)
            };
            if let Some(proof) = crate::digest::Equivocation::between(first, second) {
                self.stop(core, StopReason::Equivocation(Box::new(proof)));
                return Err(Refusal::Stopped);
            }
        }
        if !self.bucket.take(length as u64, core.now) {
            return Err(Refusal::OverRate);
        }
        let digest = Digest {
            signed: claim.signed,
            root: claim.root,
            leaves: None,
        };
        self.begin(core, digest);
        Ok(())
    }

    /// Takes up a segment whose digest is verified.
    pub(super) fn begin(&mut self, core: &mut Core, digest: Digest) {
        let header = *digest.header();
        let number = header.segment;
        let newest = self.newest;
        self.segment(core, number).digest = Some(digest);
        if newest.is_none_or(|newest| number > newest) {
            self.newest = Some(number);
            self.parity = header.parity;
            self.refill_allowances(core, number);
            // Segments in between were missed whole; they are asked for like any other.
            if let Some(newest) =
                newest.filter(|_| self.playout.begun() && header.previous.is_some())
            {
                for missed in (newest + 1).max(number.saturating_sub(WINDOW))..number {
                    self.segment(core, missed);
                }
            }
            self.forget_past(core, number.saturating_sub(WINDOW));
        }
        self.playout.on_digest(core.now);
        self.play(core);
    }

    fn forget_past(&mut self, core: &mut Core, first: SegmentNumber) {
        self.window.forget(..first);
        self.play_from(core, first);
    }

    /// Drops segments of which a shard came but never a digest.
    pub(super) fn drop_unknown(&mut self, core: &mut Core) {
        let (now, newest) = (core.now, self.newest);
        let ahead = newest.map_or(0, |newest| newest + 1);
        self.window.retain(ahead.., |segment| {
            segment.digest.is_some() || now.since(segment.first_seen) < super::playout::PATIENCE
        });
    }
}
