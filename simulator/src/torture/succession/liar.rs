//! Peers that lie across epochs: honest successions whose words are left out, changed and said again.

use super::{
    plan::{Plan, Tactic},
    society::Society,
};
use crate::torture::{dice::Dice, keys::CheapKeys};
use hamlet_consensus::{
    Epoch,
    certificate::{Certificate, Claim},
    epoch::Charter,
    identity::PeerId,
    member::MemberSet,
    succession::{self, Handover, Input, Output, Parcel, Stored, Succession, Transfer},
    time::Time,
    vote::SignedVote,
};
use std::sync::Arc;

/// The most made-up parcels of a liar, so that runs end.
const MAX_LIES: u32 = 160;

/// A lie: to whom, and what.
pub(super) type Lie = (PeerId, Parcel);

pub(super) struct Liar {
    me: u8,
    keys: CheapKeys,
    tactics: Vec<Tactic>,
    brains: Vec<(Succession<Society>, Time)>,
    heard: Vec<Parcel>,
    dice: Dice,
    told: u32,
}

impl Liar {
    pub fn new(plan: &Plan, me: u8, founding: &Arc<Epoch>, keys: CheapKeys) -> Liar {
        let has = |tactic| plan.tactics.contains(&tactic);
        let count = match (has(Tactic::Silent), has(Tactic::Twins)) {
            (true, _) => 0,
            (_, true) => 2,
            _ => 1,
        };
        let brains = (0..count).filter_map(|_| {
            let society = Society::new(founding, plan.ballast);
            let (epoch, signer) = (founding.clone(), Arc::new(keys.signer(me)));
            let brain = Succession::start(
                epoch,
                signer,
                society,
                plan.settings,
                &Stored::default(),
                Time::ZERO,
            );
            brain.ok().map(|brain| (brain, Time::ZERO))
        });
        Liar {
            me,
            keys,
            brains: brains.collect(),
            tactics: plan.tactics.clone(),
            heard: Vec::new(),
            dice: Dice::new(plan.seed, 40 + u64::from(me)),
            told: 0,
        }
    }

    fn has(&self, tactic: Tactic) -> bool {
        self.tactics.contains(&tactic)
    }

    /// When it wants to do something.
    pub fn alarm(&self) -> Time {
        let alarms = self.brains.iter().map(|(_, alarm)| *alarm);
        alarms.min().unwrap_or(Time::NEVER)
    }

    /// Which of its two lives a peer hears.
    fn side(&self, peer: PeerId) -> usize {
        usize::from(peer.0[0] + self.me) % 2
    }

    /// Time passed, or something came.
    pub fn handle(&mut self, now: Time, heard: Option<(PeerId, Parcel)>) -> Vec<Lie> {
        let mut lies = Vec::new();
        let twins = self.brains.len() == 2;
        for at in 0..self.brains.len() {
            let input = match &heard {
                Some((from, _)) if twins && self.side(*from) != at && !self.dice.chance(200) => {
                    continue;
                }
                Some((from, parcel)) => Input::Parcel {
                    from: *from,
                    parcel: parcel.clone(),
                },
                None if self.brains[at].1 > now => continue,
                None => Input::Wake,
            };
            self.brains[at].1 = Time::NEVER;
            self.brains[at].0.handle(now, input);
            while let Some(output) = self.brains[at].0.poll() {
                match output {
                    Output::Check(tag, check) => {
                        let verdict = check.run(&self.keys);
                        self.brains[at].0.handle(now, Input::Checked(tag, verdict));
                    }
                    Output::WakeAt(time) => self.brains[at].1 = time,
                    Output::Send(to, parcel) => {
                        for to in to {
                            let other = twins && self.side(to) != at;
                            let withheld = self.has(Tactic::Withhold) && self.dice.chance(400);
                            if !withheld && (!other || self.dice.chance(100)) {
                                lies.push((to, parcel.clone()));
                            }
                        }
                    }
                    _ => {}
                }
            }
            // A wake-up that is not asked for again stays asked for.
            if self.brains[at].1 == Time::NEVER {
                self.brains[at].1 = now + std::time::Duration::from_millis(100);
            }
        }
        if let Some((from, parcel)) = heard {
            if self.has(Tactic::Forge) && self.told < MAX_LIES {
                let forged = self.forge(&parcel).into_iter();
                let forged = forged
                    .map(|parcel| (from, parcel))
                    .chain(self.send_home(&parcel));
                let forged: Vec<Lie> = forged.collect();
                self.told += forged.len() as u32;
                lies.extend(forged);
            }
            if self.has(Tactic::Replay) && self.told < MAX_LIES {
                if self.heard.len() < 64 {
                    self.heard.push(parcel);
                }
                let place = self.dice.below(self.heard.len() as u64) as usize;
                if self.dice.chance(100)
                    && let Some(old) = self.heard.get(place)
                {
                    self.told += 1;
                    lies.push((from, old.clone()));
                }
            }
        }
        lies
    }

    /// What it makes up when it hears this.
    fn forge(&mut self, heard: &Parcel) -> Vec<Parcel> {
        let transfer = match heard {
            Parcel::Transfer(transfer) => transfer,
            Parcel::Agreement(..) => return Vec::new(),
        };
        let forged = match transfer {
            Transfer::Handovers(handovers) => {
                let alone = |handover: &Handover| self.alone(handover);
                let forged: Vec<Handover> = handovers.iter().map(alone).collect();
                vec![Transfer::Handovers(forged)]
            }
            Transfer::Follow(_) => {
                let known = self.brains.first().map(|(brain, _)| brain.chain().clone());
                let last = known.as_ref().and_then(|chain| chain.last_handover());
                (last.iter())
                    .map(|(_, handover)| Transfer::Handovers(vec![self.alone(handover)]))
                    .collect()
            }
            Transfer::FetchOrigin(tag) => {
                let piece = hamlet_consensus::hash::Domain::Piece.hash(b"ours");
                vec![Transfer::Pieces(*tag, vec![piece])]
            }
            Transfer::FetchPiece(tag, index) => {
                let piece = bytes::Bytes::from_static(b"ours");
                vec![Transfer::Piece(*tag, *index, piece)]
            }
            _ => Vec::new(),
        };
        forged.into_iter().map(Parcel::Transfer).collect()
    }

    /// Whenever an epoch is handed over: what would make all its members believe that they are not needed any more.
    fn send_home(&self, heard: &Parcel) -> Vec<Lie> {
        let Parcel::Transfer(Transfer::Handovers(_) | Transfer::FetchOrigin(_)) = heard else {
            return Vec::new();
        };
        let Some((brain, _)) = self.brains.first() else {
            return Vec::new();
        };
        let (epoch, before) = (brain.newest(), brain.chain().last_handover());
        let seal = Box::new(self.sign_alone(epoch));
        let begun = Parcel::Transfer(Transfer::Established(succession::tag(epoch), seal));
        let members = before.into_iter().flat_map(|(ended, _)| ended.members());
        members.map(|member| (*member, begun.clone())).collect()
    }

    /// A handover to this liar alone, under the seal of a true one, which is changed to name it.
    fn alone(&self, handover: &Handover) -> Handover {
        let mut forged = handover.clone();
        forged.successors.truncate(1);
        forged.merge = None;
        if let Some(charter) = forged.successors.first_mut() {
            charter.members = vec![CheapKeys::id(self.me)];
        }
        if let Claim::Sealed(seal) = &mut forged.seal.claim {
            seal.successors = Some(Charter::hash(&forged.successors, None));
        }
        forged
    }

    /// A certificate that this epoch has begun, with the liar's signature in everybody's place.
    fn sign_alone(&self, epoch: &Epoch) -> Certificate {
        let claim = Claim::Nullified(1);
        let vote = SignedVote::new(claim.votes().0, epoch, &self.keys.signer(self.me));
        Certificate {
            claim,
            first: epoch.all(),
            second: MemberSet::EMPTY,
            signatures: vec![vote.signature; epoch.size()],
        }
    }
}
