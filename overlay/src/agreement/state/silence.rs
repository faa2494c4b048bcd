//! W8: members of whom too many hear nothing are put out.

use super::ClusterState;
use crate::{
    agreement::entry::{Act, Answer, Reason, Void},
    identity::PeerId,
};
use hamlet_consensus::epoch::Height;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Whom each member hears nothing of, as it stated last; those who hear everybody are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Silence(BTreeMap<PeerId, BTreeSet<PeerId>>);

impl ClusterState {
    /// Whom this member said it hears nothing of.
    pub fn unheard_by(&self, member: PeerId) -> impl Iterator<Item = PeerId> {
        self.shared
            .silence
            .0
            .get(&member)
            .into_iter()
            .flatten()
            .copied()
    }

    /// A member states whom it hears nothing of; what it stated before does not hold any more.
    pub(super) fn hear_of_silence(
        &mut self,
        height: Height,
        by: PeerId,
        silent: Vec<PeerId>,
    ) -> Result<Answer, Void> {
        let members = &self.shared.members;
        if silent.len() > members.len() {
            return Err(Void::TooLong);
        }
        let is_member = |peer: &PeerId| members.binary_search(peer).is_ok();
        let silent: BTreeSet<PeerId> = silent.into_iter().filter(is_member).collect();
        let stated = &mut self.shared.silence.0;
        let before = match silent.is_empty() {
            true => stated.remove(&by).unwrap_or_default(),
            false => stated.insert(by, silent.clone()).unwrap_or_default(),
        };
        if before == silent {
            return Err(Void::Already);
        }
        self.put_out_silent(height);
        Ok(Answer::Noted)
    }

    /// Puts out with the next epoch those of whom a quorum hears nothing: then one alone, or the faulty together, can put out
    /// nobody, and a cluster that can decide at all can put out those who crashed.
    pub(super) fn put_out_silent(&mut self, height: Height) {
        // Else who orders the log could choose the members by what their slots are going to be.
        if self.is_fixed() {
            return;
        }
        let mut unheard: BTreeMap<PeerId, usize> = BTreeMap::new();
        for silent in self.shared.silence.0.values() {
            for peer in silent {
                *unheard.entry(*peer).or_default() += 1;
            }
        }
        let model = self.ground.parameters.fault_model.kind();
        let quorum = model.quorum(self.shared.members.len());
        for (peer, _) in unheard.into_iter().filter(|(_, by)| *by >= quorum) {
            if self.shared.leaving.insert(peer) {
                let why = Reason::Silent;
                self.enter(height, Act::Leaves { peer, why });
            }
        }
    }

    /// An epoch of other members has begun: what is said by those who left, and of them, is forgotten.
    pub(super) fn forget_silence(&mut self) {
        let members = &self.shared.members;
        let is_member = |peer: &PeerId| members.binary_search(peer).is_ok();
        self.shared.silence.0.retain(|by, silent| {
            silent.retain(is_member);
            is_member(by) && !silent.is_empty()
        });
    }
}
