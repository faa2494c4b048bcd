//! What has to hold at every step.

use crate::torture::oracle::Violation;
use hamlet_overlay::{
    agreement::{
        Agreed,
        entry::{Act, Entry, Reason},
    },
    identity::PeerId,
    view::SegmentNumber,
};
use std::collections::BTreeMap;

/// What is known to be so, and the first promise that was broken.
#[derive(Default)]
pub(super) struct Oracle {
    pub broken: Option<Violation>,
    /// Per cluster and number, the entry of the log.
    entries: BTreeMap<(u64, u64), Entry>,
    /// Per cluster and number, the members of the epoch.
    members: BTreeMap<(u64, u64), Vec<PeerId>>,
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
                self.entered(cluster, by, entry);
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

    fn entered(&mut self, cluster: u64, by: PeerId, entry: &Entry) {
        let known = self.entries.entry((cluster, entry.number));
        let known = known.or_insert_with(|| {
            self.commands += 1;
            entry.clone()
        });
        if known != entry {
            let text = format!("cluster {cluster}: {known:?}, and {entry:?} at {by:?}");
            self.blame(Violation::Agreement(text));
        }
    }

    /// An honest peer knows these members of an epoch.
    pub fn knows(&mut self, cluster: u64, epoch: u64, by: PeerId, members: &[PeerId]) {
        let known = self
            .members
            .entry((cluster, epoch))
            .or_insert_with(|| members.to_vec());
        if known != members {
            let text =
                format!("epoch {epoch} of cluster {cluster}: {known:?}, and {members:?} at {by:?}");
            self.blame(Violation::Agreement(text));
        }
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
