//! A3, A4: who is a member, and when that changes.

use super::{ClusterState, Shared, name_of, terms};
use crate::{
    agreement::{
        card::Card,
        entry::{Act, Answer, Reason, Void, Wish},
        order::{MAX_HEADS, Motion, Nonce},
    },
    digest::Claim,
    genesis::Parameters,
    hash::Hash,
    identity::PeerId,
    membership::cycle::Split,
    time::Duration,
    view::{Cluster, First, SegmentNumber},
    wire,
};
use hamlet_consensus::{
    Epoch,
    epoch::{Charter, Height},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most motions of one member that wait for support.
const MAX_MOTIONS: usize = 4;
/// The most members that come back in one epoch after they lost what they had stored.
const MAX_BACK: usize = 4;

/// A motion that too few want.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moved {
    motion: Motion,
    /// Who wanted it first.
    mover: PeerId,
    /// Who wants it.
    by: BTreeSet<PeerId>,
}

/// What a cluster binds to an epoch, for its members and neighbours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The number of the cluster.
    pub cluster: u64,
    /// The beacon that deals the slots.
    pub beacon: Hash,
    /// The first segments that the epoch governs.
    pub first: First,
    /// Members that lost what they had stored before this epoch began, and the numbers that they chose after that.
    pub back: Vec<(PeerId, Nonce)>,
    /// The walks that left the cluster with the epoch before: per neighbour that any go to, their hash.
    pub walks: Vec<(u64, Hash)>,
    /// When the epoch before ended, by its members' wall clocks, in milliseconds since 1970: at most what an honest one's
    /// showed. 0 if that is not known yet.
    pub unix_ms: u64,
    /// If the cluster has split as the epoch before ended: from what and into what.
    pub split: Option<Split>,
}

impl Context {
    /// What is bound to an epoch; `None` if that is nothing of the kind.
    pub fn of(charter: &Charter) -> Option<Context> {
        hamlet_consensus::wire::decode(&charter.context).ok()
    }

    /// The cluster of this number in the epoch of `charter`, with its slots dealt.
    pub fn deal(&self, cluster: u64, charter: &Charter, n: u8) -> Cluster {
        Cluster::deal(
            cluster,
            charter.number,
            charter.members.clone(),
            self.beacon,
            n,
        )
    }
}

impl ClusterState {
    /// How many members must want something.
    pub(super) fn needed(&self) -> usize {
        let model = self.ground.parameters.fault_model;
        model.kind().faults(self.shared.members.len()) + 1
    }

    /// A3: a member's operator wants a motion.
    pub(super) fn move_for(
        &mut self,
        height: Height,
        by: PeerId,
        motion: Motion,
    ) -> Result<Answer, Void> {
        self.may_carry(&motion)?;
        let needed = self.needed();
        let wish = match &motion {
            Motion::Add(card) => Wish::Add(card.peer),
            Motion::Remove(peer) => Wish::Remove(*peer),
        };
        let motions = &mut self.shared.motions;
        let known = motions.iter().position(|moved| moved.motion == motion);
        let place = match known {
            Some(place) => place,
            None if motions.iter().filter(|moved| moved.mover == by).count() >= MAX_MOTIONS => {
                return Err(Void::Busy);
            }
            None => {
                motions.push(Moved {
                    motion,
                    mover: by,
                    by: BTreeSet::new(),
                });
                motions.len() - 1
            }
        };
        if !motions[place].by.insert(by) {
            return Err(Void::Already);
        }
        let supporters = motions[place].by.len();
        // Else who orders the log could choose the members by what their slots are going to be.
        if supporters >= needed && !self.is_fixed() {
            let moved = self.shared.motions.remove(place);
            self.decide(moved.motion);
        }
        Ok(self.enter(
            height,
            Act::Wanted {
                by,
                wish,
                supporters: supporters as u8,
                needed: needed as u8,
            },
        ))
    }

    /// Has a motion carried out with the next epoch.
    fn decide(&mut self, motion: Motion) {
        match motion {
            Motion::Add(card) => {
                self.shared.joining.insert(card.peer, *card);
            }
            Motion::Remove(peer) => {
                self.shared.leaving.insert(peer);
            }
        }
    }

    /// Has those motions carried out with the next epoch that enough want and came too late for this one.
    fn decide_late(&mut self) {
        let needed = self.needed();
        for moved in std::mem::take(&mut self.shared.motions) {
            match moved.by.len() >= needed {
                true if self.may_carry(&moved.motion).is_ok() => self.decide(moved.motion),
                true => {}
                false => self.shared.motions.push(moved),
            }
        }
    }

    /// Whether a motion could be carried out.
    fn may_carry(&self, motion: &Motion) -> Result<(), Void> {
        let Shared {
            members,
            joining,
            leaving,
            ..
        } = &self.shared;
        let is_member = members.binary_search(&motion.peer()).is_ok();
        let next = members.len() + joining.len() - leaving.len();
        match motion {
            Motion::Add(card) => {
                let leaves = leaving.contains(&card.peer);
                let known = is_member && !leaves || joining.get(&card.peer) == Some(&**card);
                let valid = || card.is_valid(self.ground.network, &*self.ground.verifier);
                match () {
                    () if known || leaves => Err(Void::Already),
                    () if next >= usize::from(self.ground.parameters.n) => Err(Void::Full),
                    () if self.is_barred(card.peer) => Err(Void::Barred),
                    () if !valid() => Err(Void::Card),
                    () => Ok(()),
                }
            }
            Motion::Remove(peer) => match () {
                () if !is_member || leaving.contains(peer) => Err(Void::Already),
                () if next <= 1 => Err(Void::Last),
                () => Ok(()),
            },
        }
    }

    /// Whether there is a reason to end the epoch.
    pub fn has_reason_to_end(&self) -> bool {
        let Shared {
            joining,
            leaving,
            lost,
            ..
        } = &self.shared;
        let members_change = !(joining.is_empty() && leaving.is_empty() && lost.is_empty());
        members_change
            || self.wants_to_split()
            || self.has_walks()
            || self.has_no_time()
            || self.has_new_bars()
            || self.shared.turns.len() >= self.needed()
    }

    /// Whether this member found already that the epoch lasted long enough.
    pub fn has_turned(&self, member: PeerId) -> bool {
        self.shared.turns.contains(&member)
    }

    /// A4: a member finds that the epoch lasted long enough.
    pub(super) fn turn(
        &mut self,
        by: PeerId,
        heads: &[Claim],
        unix_ms: u64,
    ) -> Result<Answer, Void> {
        if !self.has_reason_to_end() && !self.is_overdue(unix_ms) {
            return Err(Void::NoReason);
        }
        if heads.len() > MAX_HEADS {
            return Err(Void::TooLong);
        }
        // What a source signed it has cut: nobody can name a segment that is still to come.
        let signed = |claim: &&Claim| {
            let stream = usize::from(claim.signed.header.stream);
            (self.ground.publishers.get(stream)).is_some_and(|publisher| {
                claim.verify(
                    publisher.stream,
                    self.ground.network,
                    &*self.ground.verifier,
                )
            })
        };
        if !heads.iter().all(|claim| signed(&claim)) {
            return Err(Void::Unproved);
        }
        if !self.shared.turns.insert(by) {
            return Err(Void::Already);
        }
        self.take_clock(by, unix_ms);
        for claim in heads {
            let header = &claim.signed.header;
            let head = self.shared.heads.entry(header.stream).or_default();
            *head = header.segment.max(*head);
        }
        Ok(Answer::Noted)
    }

    /// Whether the epoch is over.
    pub(super) fn is_over(&self) -> bool {
        self.shared.turns.len() >= self.needed() && self.can_deal()
    }

    /// Who will be members with the next epoch, in the order of their keys.
    pub(super) fn next_members(&self) -> Vec<PeerId> {
        let Shared {
            members,
            joining,
            leaving,
            ..
        } = &self.shared;
        let stay = members.iter().filter(|member| !leaving.contains(member));
        let mut next: Vec<PeerId> = stay.chain(joining.keys()).copied().collect();
        next.sort_unstable();
        next.dedup();
        next
    }

    /// What follows this epoch in the cluster of this number.
    pub(super) fn charter_of(
        &self,
        cluster: u64,
        members: Vec<PeerId>,
        split: Option<Split>,
    ) -> Charter {
        let Shared { lost, heads, .. } = &self.shared;
        let is_new = cluster != self.shared.cluster;
        let parameters = &self.ground.parameters;
        let lead = lead(parameters);
        let first = heads
            .iter()
            .map(|(&stream, head)| (stream, head.saturating_add(lead)));
        let back = lost.iter().map(|(&peer, &nonce)| (peer, nonce));
        let beacon = self.next_beacon(cluster);
        let context = Context {
            cluster,
            beacon,
            first: first.collect(),
            back: back.take(MAX_BACK).collect(),
            // They left the cluster that goes on.
            walks: match is_new {
                true => Vec::new(),
                false => self.leaving_walks(beacon),
            },
            unix_ms: self.unix_ms(),
            split,
        };
        Charter {
            cluster: name_of(self.ground.network, cluster),
            number: match is_new {
                true => 0,
                false => self.shared.epoch.saturating_add(1),
            },
            terms: terms(parameters),
            members,
            context: wire::encode(&context).into(),
        }
    }

    /// The next epoch begins with this state.
    pub(super) fn begin_epoch(&mut self, epoch: &Epoch) {
        let members = epoch.members().to_vec();
        let is_new = |peer: &&PeerId| self.shared.members.binary_search(peer).is_err();
        let joined: Vec<PeerId> = members.iter().filter(is_new).copied().collect();
        let stays = |peer: &PeerId| members.binary_search(peer).is_ok();
        let gone = self.shared.members.iter().filter(|peer| !stays(peer));
        let mut left: Vec<PeerId> = gone.copied().collect();
        let context = Context::of(epoch.charter());
        let number = context
            .as_ref()
            .map_or(self.shared.cluster, |context| context.cluster);
        if number == self.shared.cluster {
            let beacon = context.as_ref().map(|context| context.beacon);
            self.let_walks_go(epoch.number(), beacon.unwrap_or_default());
        }
        let split = context.as_ref().and_then(|context| context.split);
        let parted = split.and_then(|split| self.divide(epoch, number, split));
        let parted = parted.unwrap_or_default();
        left.retain(|peer| parted.binary_search(peer).is_err());
        self.forget_neighbours(epoch.number());
        let before = self.clock();
        self.give_leases(&members);
        let shared = &mut self.shared;
        for card in shared.joining.values() {
            if let Some(key) = card.key(self.ground.network) {
                shared.keys.insert(card.peer, key);
            }
        }
        shared.keys.retain(|peer, _| stays(peer));
        shared.cards.append(&mut shared.joining);
        shared.cards.retain(|peer, _| stays(peer));
        shared.leaving.clear();
        shared.turns.clear();
        if let Some(context) = context {
            shared.beacon = context.beacon;
            for (peer, nonce) in context.back {
                if shared.lost.get(&peer) == Some(&nonce) {
                    shared.lost.remove(&peer);
                }
            }
        }
        shared.lost.retain(|peer, _| stays(peer));
        for moved in &mut shared.motions {
            moved.by.retain(stays);
        }
        let is_member = |peer: PeerId| stays(&peer);
        (shared.motions).retain(|moved| {
            let remove = matches!(moved.motion, Motion::Remove(_));
            !moved.by.is_empty() && is_member(moved.motion.peer()) == remove
        });
        shared.members = members;
        shared.epoch = epoch.number();
        let act = Act::Began {
            epoch: epoch.number(),
            joined,
            left,
        };
        let height = epoch.origin().height;
        if let Some(split) = split {
            let Split { old, new, .. } = split;
            self.enter(height, Act::Split { old, new, parted });
        }
        self.enter(height, act);
        self.begin_terms(height, before);
        self.decide_late();
        self.begin_drawing();
        self.end_leases(height);
        self.forget_silence();
        self.put_out_silent(height);
        self.forget_giving();
        self.put_out_withholding(height);
        self.put_out_barred(height);
        self.settle_claims(height);
        self.let_walks_end(height);
    }

    /// W3: gives a peer a place from the next epoch on, or a member another lease. Whether that could be done.
    pub(super) fn give_place(&mut self, card: Card) -> bool {
        let Shared {
            members, leaving, ..
        } = &self.shared;
        if members.binary_search(&card.peer).is_ok() && !leaving.contains(&card.peer) {
            self.renew(card.peer);
            return true;
        }
        let room = !leaving.contains(&card.peer) && self.has_room_for(1);
        self.shared.crowded |= !room;
        if room {
            self.shared.joining.insert(card.peer, card);
        }
        room
    }

    /// Whether so many more could have a place from the next epoch on.
    pub(super) fn has_room_for(&self, more: usize) -> bool {
        let Shared {
            members,
            joining,
            leaving,
            ..
        } = &self.shared;
        let next = members.len() + joining.len() - leaving.len();
        next + more <= usize::from(self.ground.parameters.n)
    }

    /// A member leaves, if it is not the last.
    pub(super) fn leave(&mut self, height: Height, peer: PeerId) -> Result<Answer, Void> {
        if self.is_fixed() {
            return Err(Void::Busy);
        }
        self.may_carry(&Motion::Remove(peer))?;
        self.shared.leaving.insert(peer);
        let why = Reason::Said;
        Ok(self.enter(height, Act::Leaves { peer, why }))
    }

    /// The cards of members that are no founders.
    pub fn own_cards(&self) -> impl Iterator<Item = &Card> {
        self.shared.cards.values()
    }
}

/// How many segments after the newest an epoch begins to govern: time for its members to begin it, and for the
/// neighbours to hear of it.
fn lead(parameters: &Parameters) -> SegmentNumber {
    let decided = parameters.fault_model.bound().unwrap_or_default() * 4;
    let lead = Duration::from_secs(2) + decided;
    1 + lead
        .as_millis()
        .div_ceil(parameters.segment().as_millis().max(1)) as SegmentNumber
}
