//! V3: the evidence that a peer keeps, and what it does about what others bring.

use super::Evidence;
use crate::{
    hash::Hash,
    identity::PeerId,
    time::{Duration, Time},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// The most pieces of evidence that are kept; the oldest goes first.
pub const MAX_KEPT: usize = 256;
/// The most of them that a new link is offered: the newest.
pub const MAX_OFFERED: usize = 32;
/// The most pieces whose names are remembered though they were not taken, since as much was known.
const MAX_PASSED: usize = 512;
/// The most bearers of false evidence that are remembered.
const MAX_FALSE: usize = 1024;
/// How long to wait until a piece is ordered again, and how often that is tried.
const AGAIN: Duration = Duration::from_secs(3);
const TRIES: u8 = 8;

/// A short name of evidence, for asking and offering.
pub type Short = u64;

/// The short name of evidence of this id.
pub fn short(id: Hash) -> Short {
    let [a, b, c, d, e, f, g, h, ..] = id.0;
    Short::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// What a peer knows of the guilty.
#[derive(Default)]
pub(crate) struct Pool {
    kept: BTreeMap<Hash, Kept>,
    /// What was not taken, by its short name.
    passed: VecDeque<Short>,
    /// Who brought something false, once: nobody honest hands on what it has not checked.
    liars: BTreeSet<PeerId>,
    /// Who was offered something over its present link, and has not asked for it yet.
    offered: BTreeSet<PeerId>,
    /// The cluster that the times at which pieces are ordered are about.
    cluster: Option<u64>,
    /// When the first of them comes, or before that.
    due: Time,
}

struct Kept {
    evidence: Arc<Evidence>,
    culprit: PeerId,
    /// Whether it shows others that the culprit is admitted.
    shown: bool,
    /// Until when the culprit is barred, as far as this peer knows: for so long it is passed on.
    until: Time,
    /// When it is to be ordered in the own cluster's log, unless it is there, and how often it was tried.
    order_at: Time,
    tries: u8,
}

impl Pool {
    /// Whether nothing new can be learned from a piece of this name and kind against this culprit.
    pub fn knows(&self, id: Hash, evidence: &Evidence, culprit: PeerId, now: Time) -> bool {
        let digests = |one: &Evidence| matches!(one, Evidence::Digests(_));
        let as_much = |kept: &Kept| {
            let same = digests(&kept.evidence) == digests(evidence);
            kept.culprit == culprit && kept.until > now && same
        };
        self.kept.contains_key(&id) || self.kept.values().any(as_much)
    }

    /// Whether something of this short name is known, or was passed over.
    pub fn has(&self, name: Short) -> bool {
        self.passed.contains(&name) || self.kept.keys().any(|&id| short(id) == name)
    }

    /// Remembers not to ask for a piece.
    pub fn pass(&mut self, id: Hash) {
        let name = short(id);
        if self.kept.contains_key(&id) || self.passed.contains(&name) {
            return;
        }
        if self.passed.len() == MAX_PASSED {
            self.passed.pop_front();
        }
        self.passed.push_back(name);
    }

    /// Keeps a piece that was checked.
    pub fn keep(&mut self, evidence: Arc<Evidence>, culprit: PeerId, shown: bool, until: Time) {
        let id = evidence.id();
        if self.kept.len() >= MAX_KEPT && !self.kept.contains_key(&id) {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.until);
            let oldest = oldest.map(|(id, _)| *id);
            oldest.map(|oldest| self.kept.remove(&oldest));
        }
        let kept = Kept {
            evidence,
            culprit,
            shown,
            until,
            order_at: Time::ZERO,
            tries: 0,
        };
        self.kept.entry(id).or_insert(kept);
        self.due = Time::ZERO;
    }

    /// All that is kept.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Evidence>> {
        self.kept.values().map(|kept| &kept.evidence)
    }

    /// The same, with whom it is against, and until when it is passed on.
    pub fn known(&self) -> impl Iterator<Item = (&Arc<Evidence>, PeerId, Time)> {
        let kept = self.kept.values();
        kept.map(|kept| (&kept.evidence, kept.culprit, kept.until))
    }

    /// Whether a peer brought something false before.
    pub fn distrusts(&self, peer: PeerId) -> bool {
        self.liars.contains(&peer)
    }

    /// A peer brought something false.
    pub fn distrust(&mut self, peer: PeerId) {
        if self.liars.len() >= MAX_FALSE {
            self.liars.pop_first();
        }
        self.liars.insert(peer);
    }

    /// What to offer over a link that has come up, by short names.
    pub fn offer(&mut self, peer: PeerId, now: Time) -> Vec<Short> {
        let held = |(_, kept): &(&Hash, &Kept)| kept.shown && kept.until > now;
        let mut names: Vec<(Time, Short)> = (self.kept.iter().filter(held))
            .map(|(id, kept)| (kept.until, short(*id)))
            .collect();
        names.sort_unstable_by(|a, b| b.cmp(a));
        names.truncate(MAX_OFFERED);
        if !names.is_empty() {
            self.offered.insert(peer);
        }
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// A link is gone.
    pub fn disconnected(&mut self, peer: PeerId) {
        self.offered.remove(&peer);
    }

    /// What a peer asked for: once for each offer.
    pub fn answer(&mut self, peer: PeerId, names: &[Short]) -> Option<Vec<Arc<Evidence>>> {
        let asked = |id: &Hash| names.contains(&short(*id));
        self.offered.remove(&peer).then(|| {
            let kept = self
                .kept
                .iter()
                .filter(|(id, kept)| kept.shown && asked(id));
            let kept = kept.map(|(_, kept)| kept.evidence.clone());
            kept.take(MAX_OFFERED).collect()
        })
    }

    /// When a piece is to be ordered, or before that.
    pub fn due(&self) -> Time {
        match self.kept.is_empty() {
            true => Time::NEVER,
            false => self.due,
        }
    }

    /// The own cluster is another one now.
    pub fn move_to(&mut self, cluster: u64) {
        if self.cluster.replace(cluster) != Some(cluster) {
            for kept in self.kept.values_mut() {
                (kept.order_at, kept.tries) = (Time::ZERO, 0);
            }
            self.due = Time::ZERO;
        }
    }

    /// The pieces that are to be ordered now in the log of the own cluster, of those that its log does not know. Each is tried
    /// first when `delay` after it came has passed, and then some times more.
    pub fn take_due(
        &mut self,
        now: Time,
        delay: impl Fn(Hash) -> Duration,
        known: impl Fn(Hash, PeerId) -> bool,
    ) -> Vec<Arc<Evidence>> {
        let mut due = Vec::new();
        for (&id, kept) in &mut self.kept {
            if kept.order_at > now {
                continue;
            }
            if known(id, kept.culprit) || kept.tries > TRIES || kept.until <= now {
                kept.order_at = Time::NEVER;
                continue;
            }
            // Members take turns, so that it is mostly ordered once.
            let first = kept.tries == 0;
            kept.tries += 1;
            let wait = if first { delay(id) } else { AGAIN };
            if !first || wait.is_zero() {
                due.push(kept.evidence.clone());
            }
            kept.order_at = now + if wait.is_zero() { AGAIN } else { wait };
        }
        let next = self.kept.values().map(|kept| kept.order_at).min();
        self.due = next.unwrap_or(Time::NEVER);
        due
    }

    /// Nothing can be ordered at the moment.
    pub fn put_off(&mut self, now: Time) {
        self.due = now + AGAIN;
    }
}
