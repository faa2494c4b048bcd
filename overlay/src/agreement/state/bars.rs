//! V2: whom evidence bars, and until when.

use super::ClusterState;
use crate::{
    agreement::entry::{Act, Answer, Reason, Void},
    evidence::{Evidence, Kind, Laws},
    hash::Hash,
    identity::PeerId,
    membership::admission::Credential,
};
use hamlet_consensus::epoch::Height;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most pieces of evidence that a cluster remembers. Of those whose term is over the first to end is forgotten first; if
/// there is none, the first to end of all, whose culprit is then barred here no more.
pub const MAX_BARS: usize = 512;

/// What a cluster remembers of evidence, by its id. What is over stays while there is room: so nobody is barred twice for one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bars {
    bars: BTreeMap<Hash, Bar>,
    /// What those are admitted by who are members or on their way, where their key is not enough.
    credentials: BTreeMap<PeerId, Credential>,
}

/// A key is barred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// The key.
    pub culprit: PeerId,
    /// What it is proved to have done.
    pub kind: Kind,
    /// Until when, by the cluster's clock, in milliseconds since 1970. Not set before the epoch after that in which the cluster
    /// heard of it: in a cluster that had nothing to decide for long, the clock stood still.
    pub until_unix_ms: Option<u64>,
}

impl Bar {
    fn holds(&self, now: u64) -> bool {
        self.until_unix_ms.is_none_or(|until| until > now)
    }
}

impl Bars {
    fn holding(&self, now: u64) -> impl Iterator<Item = &Bar> {
        self.bars.values().filter(move |bar| bar.holds(now))
    }

    fn insert(&mut self, id: Hash, bar: Bar, now: u64) {
        if self.bars.len() >= MAX_BARS {
            let first = self
                .bars
                .iter()
                .min_by_key(|(_, bar)| (bar.holds(now), bar.until_unix_ms.unwrap_or(u64::MAX)));
            let first = first.map(|(id, _)| *id);
            first.map(|first| self.bars.remove(&first));
        }
        self.bars.insert(id, bar);
    }
}

impl ClusterState {
    /// Whom evidence bars at the moment, by the ids of the evidence.
    pub fn bars(&self) -> impl Iterator<Item = (Hash, &Bar)> {
        let now = self.clock();
        let bars = self.shared.bars.bars.iter();
        let bars = bars.filter(move |(_, bar)| bar.holds(now));
        bars.map(|(id, bar)| (*id, bar))
    }

    /// Whether a key is barred.
    pub fn is_barred(&self, peer: PeerId) -> bool {
        self.bars().any(|(_, bar)| bar.culprit == peer)
    }

    /// Whether evidence would change nothing: it was heard of, or its culprit is barred.
    pub fn has_judged(&self, id: Hash, culprit: PeerId) -> bool {
        self.shared.bars.bars.contains_key(&id) || self.is_barred(culprit)
    }

    /// What somebody is admitted by who is a member or on its way.
    pub fn credential_of(&self, peer: PeerId) -> Credential {
        let credentials = &self.shared.bars.credentials;
        credentials.get(&peer).copied().unwrap_or_default()
    }

    /// Somebody has shown what it is admitted by.
    pub(super) fn note_credential(&mut self, peer: PeerId, credential: Credential) {
        if credential != Credential::Key {
            (self.shared.bars.credentials).insert(peer, credential);
        }
    }

    /// A key is proved guilty.
    pub(super) fn convict(&mut self, height: Height, evidence: &Evidence) -> Result<Answer, Void> {
        let ground = self.ground.clone();
        let laws = Laws {
            network: ground.network,
            publishers: &ground.publishers,
            admitted: &ground.admitted,
            verifier: &*ground.verifier,
        };
        let culprit = evidence.culprit(laws.publishers).ok_or(Void::Unproved)?;
        let id = evidence.id();
        if self.has_judged(id, culprit) {
            return Err(Void::Already);
        }
        // Else whoever makes keys could fill the memory of all clusters with them.
        if !self.is_member(culprit) && !evidence.shows_admission(laws) {
            return Err(Void::NotAdmitted);
        }
        if !evidence.proves(laws) {
            return Err(Void::Unproved);
        }
        let kind = evidence.kind();
        let bar = Bar {
            culprit,
            kind,
            until_unix_ms: None,
        };
        let now = self.clock();
        self.shared.bars.insert(id, bar, now);
        let answer = self.enter(
            height,
            Act::Barred {
                peer: culprit,
                why: kind,
                evidence: id,
            },
        );
        self.put_out_barred(height);
        Ok(answer)
    }

    /// Whether somebody is barred from the next epoch on.
    pub(super) fn has_new_bars(&self) -> bool {
        let mut bars = self.shared.bars.bars.values();
        bars.any(|bar| bar.until_unix_ms.is_none())
    }

    /// When the next term is over.
    pub(super) fn next_term(&self) -> Option<u64> {
        let bars = self.shared.bars.holding(self.clock());
        bars.filter_map(|bar| bar.until_unix_ms).min()
    }

    /// Puts out with the next epoch whoever is barred, but for the last member; takes back what was offered to them, and lets
    /// their walks end.
    pub(super) fn put_out_barred(&mut self, height: Height) {
        // Else who orders the log could choose the members by what their slots are going to be.
        if self.is_fixed() {
            return;
        }
        let barred: Vec<PeerId> = self.bars().map(|(_, bar)| bar.culprit).collect();
        for peer in barred {
            self.shared.joining.remove(&peer);
            self.forget_walks(peer);
            let stay = self.shared.members.len() + self.shared.joining.len();
            if self.is_member(peer)
                && stay > self.shared.leaving.len() + 1
                && self.shared.leaving.insert(peer)
            {
                let why = Reason::Barred;
                self.enter(height, Act::Leaves { peer, why });
            }
        }
    }

    /// An epoch begins: terms begin that were not measured yet, and who has served one may come back. `before` is what the
    /// cluster's clock showed when the last epoch began.
    pub(super) fn begin_terms(&mut self, height: Height, before: u64) {
        let now = self.clock();
        let term = u64::from(self.ground.parameters.bar_ms);
        let mut over = Vec::new();
        for bar in self.shared.bars.bars.values_mut() {
            match bar.until_unix_ms {
                None if now > 0 => bar.until_unix_ms = Some(now.saturating_add(term)),
                Some(until) if before < until && until <= now => over.push(bar.culprit),
                _ => {}
            }
        }
        for peer in over {
            if !self.is_barred(peer) {
                self.enter(height, Act::Served { peer });
            }
        }
        let Self { shared, .. } = self;
        let (members, offered) = (&shared.members, &shared.walks.offered);
        (shared.bars.credentials)
            .retain(|peer, _| members.binary_search(peer).is_ok() || offered.contains_key(peer));
    }
}
