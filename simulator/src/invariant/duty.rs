//! Nobody sends a shard that it does not owe to whom it does not owe it.

use super::{Invariant, Kind, Step};
use crate::{membership::Membership, scene::Scene};
use hamlet_overlay::{
    identity::PeerId,
    io::Class,
    message::{Message, Notice, Standing},
    push::duty::{Rotation, rotation},
    set::{Set64, ShardSet, SlotSet},
    time::Time,
    view::{Cluster, SegmentNumber, StreamNumber},
};
use std::collections::BTreeMap;

/// For how many segments requests are remembered.
const REMEMBERED: u64 = 64;
/// How far ahead of the newest they are. A source that crashed goes on above the bound that it had noted.
const AHEAD: u64 = 1024;
/// For how many segments a standing is remembered that another has replaced.
const PLANNED: u64 = 40;

/// What a fellow told of itself.
#[derive(Default)]
struct Told {
    now: Standing,
    /// What was in force before, by silent slots, reserve and whether nothing was wanted, and the newest segment
    /// when it was replaced.
    before: BTreeMap<(u64, u8, bool), SegmentNumber>,
}

impl Told {
    fn tell(&mut self, standing: Standing, newest: SegmentNumber) {
        let Standing {
            silent,
            extra,
            idle,
        } = std::mem::replace(&mut self.now, standing);
        self.before.retain(|_, &mut when| when + PLANNED >= newest);
        self.before.insert((silent.0, extra, idle), newest);
    }

    fn all(&self) -> impl Iterator<Item = Standing> {
        let before = self.before.keys().map(|&(silent, extra, idle)| Standing {
            silent: Set64(silent),
            extra,
            idle,
        });
        before.chain([self.now])
    }
}

/// A shard is owed by its relay to fellow members and to the same slot of neighbouring clusters, by the
/// source to the first relays, and by anybody to whoever asked for it.
pub struct OwedOnly {
    /// Per receiver of requests, by segment, stream and asker.
    asked: Vec<BTreeMap<(SegmentNumber, StreamNumber, usize), ShardSet>>,
    /// Per receiver of standings, by stream and who told them. What is sent now was planned when its segment began, by what was
    /// told last by then, however much was told since.
    told: Vec<BTreeMap<(StreamNumber, usize), Told>>,
    /// Per stream, the rotations of recent segments, each at its number modulo [`REMEMBERED`].
    rotations: BTreeMap<StreamNumber, Vec<Option<(SegmentNumber, Rotation)>>>,
}

impl OwedOnly {
    /// Nothing was asked for yet.
    pub fn new(peers: usize) -> OwedOnly {
        OwedOnly {
            asked: vec![BTreeMap::new(); peers],
            told: (0..peers).map(|_| BTreeMap::new()).collect(),
            rotations: BTreeMap::new(),
        }
    }

    fn rotation(
        &mut self,
        scene: &Scene,
        stream: StreamNumber,
        segment: SegmentNumber,
    ) -> Rotation {
        let of_stream = self.rotations.entry(stream);
        let of_stream = of_stream.or_insert_with(|| vec![None; REMEMBERED as usize]);
        let place = &mut of_stream[(segment % REMEMBERED) as usize];
        match *place {
            Some((number, rotation)) if number == segment => rotation,
            _ => {
                let parameters = scene.network.parameters();
                let (n, k) = (parameters.n, parameters.k);
                let by = rotation(scene.rotation_beacon, stream, segment, n);
                let rotation = Rotation { by, n, k };
                *place = Some((segment, rotation));
                rotation
            }
        }
    }

    fn remember(&mut self, scene: &Scene, peer: usize, from: usize, notices: &[Notice]) {
        let asked = &mut self.asked[peer];
        for notice in notices {
            if let Notice::Want {
                stream,
                segment,
                shards,
                ..
            } = *notice
                && segment < scene.newest(stream) + AHEAD
            {
                let all = asked.entry((segment, stream, from)).or_default();
                *all = all.union(shards);
            }
            if let Notice::Standing {
                stream, standing, ..
            } = *notice
            {
                let told = self.told[peer].entry((stream, from)).or_default();
                told.tell(standing, scene.newest(stream));
            }
        }
        while let Some((&(first, stream, _), _)) = asked.first_key_value()
            && first + REMEMBERED < scene.newest(stream)
        {
            asked.pop_first();
        }
    }
}

impl Invariant for OwedOnly {
    fn name(&self) -> &'static str {
        "nobody sends a shard that it does not owe"
    }

    fn looks_at(&self) -> &'static [Kind] {
        &[Kind::Sent, Kind::Received]
    }

    fn check(&mut self, scene: &Scene, _now: Time, peer: usize, step: Step) -> Result<(), String> {
        match step {
            // Only notices ask, under whatever name; they have no body, and decoding all that have one once more
            // would cost as much as all the rest.
            Step::Received { from, frame, .. } if frame.body.is_empty() => {
                if let Ok((Message::Notices(notices), _)) = Message::decode(frame) {
                    self.remember(scene, peer, from, &notices);
                }
                Ok(())
            }
            // Shards are what is sent with a body, under whatever name.
            Step::Sent {
                frame,
                class: Class::Notice | Class::Digest,
                ..
            } if frame.body.is_empty() => Ok(()),
            Step::Sent { to, frame, .. } => {
                let (stream, segment, shard) = match Message::decode(frame) {
                    Ok((
                        Message::Shard {
                            stream,
                            segment,
                            shard,
                        },
                        _,
                    )) => (stream, segment, shard),
                    Ok((Message::ProvenShard { signed, shard, .. }, _)) => {
                        (signed.header.stream, signed.header.segment, shard)
                    }
                    Ok(_) => return Ok(()),
                    Err(_) => return Err("what it sends is no message".to_owned()),
                };
                let rotation = self.rotation(scene, stream, segment);
                let membership = scene.governing(stream, segment);
                let place = (stream, shard);
                let sender = Sender::new(scene, membership, peer, rotation, place);
                for &receiver in to {
                    let index = scene.directory.index(receiver);
                    let asked = || {
                        index
                            .and_then(|index| self.asked[peer].get(&(segment, stream, index)))
                            .is_some_and(|shards| shards.contains(shard))
                    };
                    let substitutes = || {
                        let told = index.and_then(|index| self.told[peer].get(&(stream, index)));
                        told.is_some_and(|told| {
                            told.all().any(|told| sender.substitutes(shard, told))
                        })
                    };
                    if !sender.owes(receiver, index) && !asked() && !substitutes() {
                        return Err(format!(
                            "shard {shard} of segment {segment} went to {receiver}"
                        ));
                    }
                }
                Ok(())
            }
            Step::Received { .. } | Step::Delivered(_) | Step::Stopped(_) | Step::Holds(_) => {
                Ok(())
            }
        }
    }
}

/// Who sends which shard, and the slot that relays it in every cluster.
struct Sender<'a> {
    membership: &'a Membership,
    cluster: &'a Cluster,
    rotation: Rotation,
    me: PeerId,
    slot: u8,
    is_relay: bool,
    is_source: bool,
}

impl<'a> Sender<'a> {
    fn new(
        scene: &Scene,
        membership: &'a Membership,
        peer: usize,
        rotation: Rotation,
        (stream, shard): (StreamNumber, u8),
    ) -> Sender<'a> {
        let slot = rotation.slot(shard % rotation.n);
        let (cluster, me) = (membership.cluster(peer), scene.directory.id(peer));
        Sender {
            membership,
            cluster,
            rotation,
            me,
            slot,
            is_relay: cluster.holder(slot) == me,
            is_source: scene.stream_of(peer) == Some(stream),
        }
    }

    /// Whether it stands in for the shard's relay at a fellow who told this, whatever parity is given out:
    /// with less of it no less is owed.
    fn substitutes(&self, shard: u8, mut standing: Standing) -> bool {
        let mine = self.cluster.slots_of(self.me);
        standing.silent = standing
            .silent
            .intersection(SlotSet::below(self.rotation.n));
        self.rotation
            .substituted(&standing, 0, mine)
            .contains(shard)
    }

    fn owes(&self, receiver: PeerId, index: Option<usize>) -> bool {
        let Some(index) = index else { return false };
        let theirs = self.membership.cluster(index);
        let fellows = theirs.id == self.cluster.id;
        if self.is_relay && fellows {
            return true;
        }
        let near = fellows || self.membership.are_neighbours(self.cluster.id, theirs.id);
        (self.is_relay || self.is_source) && near && theirs.holder(self.slot) == receiver
    }
}
