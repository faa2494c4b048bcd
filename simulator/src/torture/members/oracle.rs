//! What has to hold at every step.

use crate::{
    accord::{Fact, Unity},
    torture::oracle::Violation,
};
use hamlet_overlay::{
    agreement::{
        Agreed,
        entry::{Act, Reason},
    },
    identity::PeerId,
    view::{Cluster, SegmentNumber},
};
use std::{collections::BTreeMap, sync::Arc};

/// What is known to be so, and the first promise that was broken.
#[derive(Default)]
pub(super) struct Oracle {
    pub broken: Option<Violation>,
    unity: Unity,
    /// The segment that each peer played last.
    played: BTreeMap<PeerId, SegmentNumber>,
    pub commands: u64,
}

impl Oracle {
    pub fn blame(&mut self, violation: Violation) {
        self.broken.get_or_insert(violation);
    }

    /// What an honest member of a cluster came to.
    pub fn agreed(
        &mut self,
        cluster: u64,
        by: PeerId,
        agreed: &Agreed,
        honest: impl Fn(PeerId) -> bool,
    ) {
        match agreed {
            Agreed::Entry(entry) => {
                let fact = Fact::Entry(cluster, entry.clone());
                self.commands += u64::from(self.holds(by, &fact));
                if let Act::Barred { peer, .. } = entry.act
                    && honest(peer)
                {
                    let text = format!("cluster {cluster} bars {peer:?}");
                    self.blame(Violation::Framed(text));
                }
            }
            Agreed::Proved(culprit) if honest(*culprit) => {
                self.blame(Violation::Framed(format!(
                    "{by:?} holds a proof against {culprit:?}"
                )));
            }
            Agreed::Forked => {
                self.blame(Violation::Agreement(format!(
                    "{by:?} finds two logs of cluster {cluster}"
                )));
            }
            Agreed::Failed(epoch, error) => {
                let text =
                    format!("{by:?} cannot begin epoch {epoch} of cluster {cluster}: {error}");
                self.blame(Violation::Recovery(text));
            }
            _ => {}
        }
    }

    /// Where links are good nobody honest is put out for not giving (W11).
    pub fn put_out(&mut self, cluster: u64, agreed: &Agreed, honest: impl Fn(PeerId) -> bool) {
        if let Agreed::Entry(entry) = agreed
            && let Act::Leaves {
                peer,
                why: Reason::Withheld,
            } = entry.act
            && honest(peer)
        {
            let text = format!("cluster {cluster} puts out {peer:?} for not giving");
            self.blame(Violation::Framed(text));
        }
    }

    /// Evidence has come up at a peer: never against anybody honest, whatever happened to it (V1).
    pub fn convicted(&mut self, by: PeerId, culprit: PeerId, honest: bool) {
        if honest {
            let text = format!("{by:?} holds evidence against {culprit:?}");
            self.blame(Violation::Framed(text));
        }
    }

    /// An honest peer holds something to be so. Whether that is new.
    fn holds(&mut self, by: PeerId, fact: &Fact) -> bool {
        match self.unity.take(by, fact) {
            Ok(new) => new,
            Err(differ) => {
                self.blame(Violation::Agreement(differ));
                false
            }
        }
    }

    /// An honest peer knows a cluster like this.
    pub fn knows(&mut self, by: PeerId, cluster: Arc<Cluster>) {
        self.holds(by, &Fact::Members(cluster));
    }

    /// A peer played a segment; `whole` if it must not miss any.
    pub fn played(&mut self, by: PeerId, segment: SegmentNumber, whole: bool) {
        let before = self.played.insert(by, segment);
        let next = before.map(|before| before + 1);
        let wrong = match whole {
            true => next.is_some_and(|next| next != segment),
            false => next.is_some_and(|next| next > segment),
        };
        if wrong {
            let text = format!("{by:?} played segment {segment} after {before:?}");
            self.blame(Violation::Integrity(text));
        }
    }

    /// The segment that a peer played last.
    pub fn last_played(&self, by: PeerId) -> Option<SegmentNumber> {
        self.played.get(&by).copied()
    }

    /// A peer has no memory of what it played.
    pub fn restarted(&mut self, peer: PeerId) {
        self.played.remove(&peer);
    }
}
