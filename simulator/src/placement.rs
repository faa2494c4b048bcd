//! Where Byzantine peers come to sit after hours of joins, leaves and moves: a model of memberships alone.
//!
//! Clusters are sets of peers on random cycles, and walks go over the cycles with the steps of
//! [`walk`](hamlet_overlay::membership::walk): to each of the `2 h` neighbours or nowhere with the same probability. Nothing is said or
//! decided: a cluster under its bound does what the policy says, and one over it does what suits its liars. They let nobody of their own
//! go, and do what they [can](Crossing) with a walk of one of them that comes to them. They are one mind and see everything.

use hamlet_consensus::FaultModel;
use hamlet_overlay::membership::walk;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// How members are mixed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    /// Whoever has a place keeps it.
    None,
    /// Members walk again when a lease has run out; a captured cluster lets its own stay.
    OwnLease,
    /// The same, and others notice who has no lease, so that everybody walks.
    Lease,
    /// For every join and leave one member changes places with one elsewhere.
    Swap,
    /// For every join so many members walk elsewhere (Awerbuch and Scheideler, SPAA 2006; Sen and Freedman, 2012).
    Cuckoo(u32),
    /// For every join and leave all members change places with others elsewhere (Guerraoui et al., Atum, 2016).
    ExchangeAll,
}

/// What a captured cluster can do with a walk of a liar that comes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// Nothing: whoever takes a walk can check every step of it.
    Pass,
    /// It lets the walk end, if it has room.
    Keep,
    /// It sends the walk, as if that were its last step, to the neighbour that is nearest to being captured.
    Shove,
}

/// What is modelled.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many clusters there are, of how many members at first.
    pub clusters: usize,
    /// Members of a cluster.
    pub size: usize,
    /// The most members of a cluster: a walk that finds no room goes on.
    pub slots: usize,
    /// Hamiltonian cycles.
    pub cycles: u8,
    /// The share of Byzantine peers.
    pub byzantine: f64,
    /// What clusters bear.
    pub model: FaultModel,
    /// How long a lease lasts, in minutes; between half and all of it are left when it is given.
    pub lease_minutes: f64,
    /// This share of the honest peers leaves every minute, and as many join.
    pub churn_per_minute: f64,
    /// How members are mixed.
    pub policy: Policy,
    /// What becomes of liars' walks that come to a captured cluster.
    pub crossing: Crossing,
    /// The seed.
    pub seed: u64,
}

/// What a run came to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Placed {
    /// The share of clusters over their bound.
    pub captured_ratio: f64,
    /// The share of honest peers in those.
    pub honest_in_captured_ratio: f64,
    /// The share of Byzantine members in the first cluster.
    pub target_ratio: f64,
    /// Moves of members from cluster to cluster, all told.
    pub moves: u64,
}

type Peer = usize;

/// Memberships, minute by minute.
pub struct Placement {
    settings: Settings,
    random: ChaCha12Rng,
    /// Per cycle, each cluster's neighbours: before and after it.
    around: Vec<Vec<usize>>,
    steps: u8,
    members: Vec<Vec<Peer>>,
    byzantine: Vec<usize>,
    place: Vec<usize>,
    /// Until when each peer's lease lasts, in minutes.
    until: Vec<f64>,
    liars: usize,
    now: f64,
    moves: u64,
}

/// A model moves on by this much, in minutes.
const TICK: f64 = 1.0 / 6.0;

impl Placement {
    /// Everybody is dealt at random.
    pub fn new(settings: Settings) -> Placement {
        let Settings {
            clusters,
            size,
            cycles,
            ..
        } = settings;
        let peers = clusters * size;
        let mut placement = Placement {
            random: ChaCha12Rng::seed_from_u64(settings.seed),
            around: vec![Vec::new(); clusters],
            steps: walk::length(clusters, cycles),
            members: vec![Vec::new(); clusters],
            byzantine: vec![0; clusters],
            place: vec![0; peers],
            until: vec![0.0; peers],
            liars: (settings.byzantine * peers as f64).round() as usize,
            now: 0.0,
            moves: 0,
            settings,
        };
        for _ in 0..cycles {
            let mut cycle: Vec<usize> = (0..clusters).collect();
            placement.shuffle(&mut cycle);
            for (at, &cluster) in cycle.iter().enumerate() {
                let before = cycle[(at + clusters - 1) % clusters];
                let after = cycle[(at + 1) % clusters];
                placement.around[cluster].extend([before, after]);
            }
        }
        let mut order: Vec<Peer> = (0..peers).collect();
        placement.shuffle(&mut order);
        for (at, peer) in order.into_iter().enumerate() {
            placement.enter(peer, at % clusters);
        }
        placement
    }

    fn below(&mut self, bound: usize) -> usize {
        // The bias of a remainder is below one in 2^40 for so few.
        (self.random.next_u64() % bound as u64) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.random.next_u32() as f64 + 0.5) / (f64::from(u32::MAX) + 1.0)
    }

    fn shuffle(&mut self, items: &mut [usize]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }

    fn is_liar(&self, peer: Peer) -> bool {
        peer < self.liars
    }

    fn is_captured(&self, cluster: usize) -> bool {
        self.byzantine[cluster] > self.settings.model.faults(self.members[cluster].len())
    }

    fn enter(&mut self, peer: Peer, cluster: usize) {
        self.members[cluster].push(peer);
        self.byzantine[cluster] += usize::from(self.is_liar(peer));
        self.place[peer] = cluster;
        let lease = self.settings.lease_minutes;
        self.until[peer] = self.now + lease * (1.0 + self.unit()) / 2.0;
    }

    fn leave(&mut self, peer: Peer) {
        let cluster = self.place[peer];
        self.members[cluster].retain(|member| *member != peer);
        self.byzantine[cluster] -= usize::from(self.is_liar(peer));
    }

    /// Where a walk of this peer ends.
    fn walk(&mut self, peer: Peer) -> usize {
        let clusters = self.settings.clusters;
        let mut at = self.below(clusters);
        let mut left = self.steps;
        // A walk that finds no room goes on; after so long there is none anywhere.
        for _ in 0..10_000 {
            let room = self.members[at].len() < self.settings.slots;
            let crossing = self.settings.crossing;
            if self.is_liar(peer) && crossing != Crossing::Pass && self.is_captured(at) {
                let nearly = |cluster: &usize| {
                    let size = self.members[*cluster].len();
                    let free = size < self.settings.slots && !self.is_captured(*cluster);
                    free.then(|| self.settings.model.faults(size + 1) - self.byzantine[*cluster])
                };
                let around = self.around[at].iter();
                let around = around.filter(|_| crossing == Crossing::Shove);
                let victim = around.filter_map(|next| Some((nearly(next)?, *next))).min();
                match victim {
                    Some((_, victim)) => return victim,
                    None if room => return at,
                    None => {}
                }
            }
            if left == 0 && room {
                return at;
            }
            left = left.saturating_sub(1);
            let way = self.below(self.around[at].len() + 1);
            at = self.around[at].get(way).copied().unwrap_or(at);
        }
        at
    }

    /// A peer leaves its place and walks to another.
    fn rewalk(&mut self, peer: Peer) {
        self.leave(peer);
        let end = self.walk(peer);
        self.enter(peer, end);
        self.moves += 1;
    }

    /// A peer leaves the network, and it or another of its kind joins.
    fn rejoin(&mut self, peer: Peer) {
        let left = self.place[peer];
        self.rewalk(peer);
        self.mix(left, false);
        self.mix(self.place[peer], true);
    }

    /// A cluster that somebody has joined, or left, mixes its members as the policy says; a captured one does not.
    fn mix(&mut self, cluster: usize, joined: bool) {
        if self.is_captured(cluster) {
            return;
        }
        match self.settings.policy {
            Policy::None | Policy::Lease | Policy::OwnLease => {}
            Policy::Swap => self.exchange(cluster, 1),
            Policy::ExchangeAll => self.exchange(cluster, self.members[cluster].len()),
            Policy::Cuckoo(count) => {
                for _ in 0..if joined { count } else { 0 } {
                    let size = self.members[cluster].len();
                    if size > 1 {
                        let member = self.below(size);
                        let member = self.members[cluster][member];
                        self.rewalk(member);
                    }
                }
            }
        }
    }

    /// So many members change places with others, each where a walk ends. A captured cluster gives away honest members only.
    fn exchange(&mut self, cluster: usize, count: usize) {
        let mut out = self.members[cluster].clone();
        self.shuffle(&mut out);
        for member in out.into_iter().take(count) {
            let other = self.walk(member);
            let mut given = self.members[other].clone();
            if self.is_captured(other) {
                given.retain(|peer| !self.is_liar(*peer));
            }
            if other == cluster || given.is_empty() {
                continue;
            }
            let at = self.below(given.len());
            let given = given[at];
            self.leave(member);
            self.leave(given);
            self.enter(member, other);
            self.enter(given, cluster);
            self.moves += 2;
        }
    }

    /// Lets so many minutes pass, with churn of honest peers and leases that run out.
    pub fn pass(&mut self, minutes: f64) {
        let peers = self.place.len();
        let end = self.now + minutes;
        while self.now < end {
            self.now += TICK;
            let expected = self.settings.churn_per_minute * TICK * (peers - self.liars) as f64;
            let mut leavers = expected.floor() as usize;
            leavers += usize::from(self.unit() < expected.fract());
            for _ in 0..leavers {
                let peer = self.liars + self.below(peers - self.liars);
                self.rejoin(peer);
            }
            if !matches!(self.settings.policy, Policy::Lease | Policy::OwnLease) {
                continue;
            }
            for peer in 0..peers {
                let kept = self.settings.policy == Policy::OwnLease
                    && self.is_liar(peer)
                    && self.is_captured(self.place[peer]);
                if self.until[peer] <= self.now && !kept {
                    self.rewalk(peer);
                }
            }
        }
    }

    /// A liar that is not in the first cluster leaves and joins again, in the hope to come there.
    pub fn attack(&mut self) {
        if self.liars == 0 {
            return;
        }
        let mut liar = self.below(self.liars);
        for _ in 0..self.liars {
            if self.place[liar] != 0 {
                self.rejoin(liar);
                return;
            }
            liar = (liar + 1) % self.liars;
        }
    }

    /// Any liar leaves and joins again, wherever it is.
    pub fn wander(&mut self) {
        if self.liars > 0 {
            let liar = self.below(self.liars);
            self.rejoin(liar);
        }
    }

    /// How it stands.
    pub fn placed(&self) -> Placed {
        let clusters = self.settings.clusters;
        let captured: Vec<usize> = (0..clusters).filter(|at| self.is_captured(*at)).collect();
        let honest = |cluster: &usize| self.members[*cluster].len() - self.byzantine[*cluster];
        let all = (self.place.len() - self.liars).max(1);
        Placed {
            captured_ratio: captured.len() as f64 / clusters as f64,
            honest_in_captured_ratio: captured.iter().map(honest).sum::<usize>() as f64
                / all as f64,
            target_ratio: self.byzantine[0] as f64 / self.members[0].len().max(1) as f64,
            moves: self.moves,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(policy: Policy) -> Settings {
        Settings {
            clusters: 64,
            size: 16,
            slots: 24,
            cycles: 3,
            byzantine: 0.3,
            model: FaultModel::Synchrony,
            lease_minutes: 10.0,
            churn_per_minute: 0.05,
            policy,
            crossing: Crossing::Shove,
            seed: 1,
        }
    }

    #[test]
    fn nobody_is_lost_and_liars_stay_as_many() {
        let policies = [
            Policy::None,
            Policy::OwnLease,
            Policy::Lease,
            Policy::Swap,
            Policy::Cuckoo(2),
            Policy::ExchangeAll,
        ];
        for policy in policies {
            let mut placement = Placement::new(settings(policy));
            placement.pass(5.0);
            (0..100).for_each(|_| placement.attack());
            let mut seen: Vec<Peer> = placement.members.iter().flatten().copied().collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..64 * 16).collect::<Vec<Peer>>(), "{policy:?}");
            let liars: usize = placement.byzantine.iter().sum();
            assert_eq!(liars, placement.liars, "{policy:?}");
            assert!(placement.members.iter().all(|members| members.len() <= 24));
        }
    }

    #[test]
    fn who_may_stay_for_ever_captures_more_than_who_has_to_go() {
        let run = |policy| {
            let mut placement = Placement::new(settings(policy));
            placement.pass(60.0);
            placement.placed().captured_ratio
        };
        let (stay, go) = (run(Policy::OwnLease), run(Policy::Lease));
        assert!(stay > go, "{stay} against {go}");
    }
}
