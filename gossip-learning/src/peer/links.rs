//! A peer's links and what they tell: which of them close triangles, and how many peers these lead to.

use super::{Message, PeerName};
use std::collections::BTreeMap;

/// The most links of a peer, and the most peers that it counts beyond them; what a message names beyond it is cut
/// off.
pub const MAX_LINKS: usize = 1024;

/// How far names are told on. A name that is no longer true goes round no longer than that.
const HOPS_MOST: u8 = 16;

/// What a link has told.
#[derive(Clone, Default)]
struct Told {
    /// Its links, ascending.
    links: Vec<PeerName>,
    /// Peers that it reaches over links with triangles, and over how many.
    reached: Vec<(PeerName, u8)>,
}

/// The links of a peer.
#[derive(Clone)]
pub(super) struct Links {
    told: BTreeMap<PeerName, Told>,
    /// Triangles that a link needs for support.
    least: usize,
    /// Peers that are enough to reach.
    reach: usize,
    /// Peers reached over links with support and over how many, counted up to `reach`.
    reached: BTreeMap<PeerName, u8>,
    /// Whether there is something new to tell.
    news: bool,
}

impl Links {
    pub fn new(least: usize, reach: usize) -> Links {
        Links {
            told: BTreeMap::new(),
            least,
            reach: reach.min(MAX_LINKS),
            reached: BTreeMap::new(),
            news: false,
        }
    }

    /// Takes the links as they are now.
    pub fn replace(&mut self, links: impl Iterator<Item = PeerName>) {
        let mut old = std::mem::take(&mut self.told);
        self.told = links
            .take(MAX_LINKS)
            .map(|link| (link, old.remove(&link).unwrap_or_default()))
            .collect();
        self.news = true;
    }

    /// Takes in what a link tells.
    pub fn hear(
        &mut self,
        from: PeerName,
        mut links: Vec<PeerName>,
        mut reached: Vec<(PeerName, u8)>,
    ) {
        links.truncate(MAX_LINKS);
        links.sort_unstable();
        reached.truncate(self.reach);
        if let Some(told) = self.told.get_mut(&from) {
            *told = Told { links, reached };
        }
    }

    /// Counts the peers reached anew.
    pub fn count(&mut self) {
        let mut reached = BTreeMap::new();
        for (link, told) in self.told.iter().filter(|(link, _)| self.supports(**link)) {
            reached.insert(*link, 1);
            let hops = |hops: u8| hops.checked_add(1).filter(|hops| *hops <= HOPS_MOST);
            let further = told.reached.iter();
            for (name, hops) in further.filter_map(|(name, far)| Some((*name, hops(*far)?))) {
                let known = reached.entry(name).or_insert(hops);
                *known = hops.min(*known);
            }
            if reached.len() >= self.reach {
                break;
            }
        }
        // Who reaches enough need not tell how many more there are.
        self.news |= reached.len() != self.reached.len() && self.reached.len() < self.reach;
        self.reached = reached;
    }

    /// Whether so few peers are reached that local models of other links are tried as well.
    pub fn tries(&self) -> bool {
        self.reached.len() < self.reach
    }

    /// Whether there was something new to tell; from now on there is not.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// What to tell the links.
    pub fn tell(&self) -> Message {
        let reached = self.reached.iter().take(self.reach);
        Message::Links {
            links: self.names().collect(),
            reached: reached.map(|(name, hops)| (*name, *hops)).collect(),
        }
    }

    pub fn contains(&self, peer: PeerName) -> bool {
        self.told.contains_key(&peer)
    }

    /// All links, ascending.
    pub fn names(&self) -> impl Iterator<Item = PeerName> {
        self.told.keys().copied()
    }

    /// Whether enough other links name `peer` among theirs.
    pub fn supports(&self, peer: PeerName) -> bool {
        let others = self.told.iter().filter(|(witness, _)| **witness != peer);
        let witnesses = others.filter(|(_, told)| told.links.binary_search(&peer).is_ok());
        self.contains(peer) && witnesses.take(self.least).count() == self.least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets all peers tell each other all they know, again and again.
    fn talk(peers: &mut BTreeMap<PeerName, Links>, rounds: usize) {
        for _ in 0..rounds {
            let told: Vec<_> = (peers.iter())
                .map(|(name, links)| (*name, links.names().collect::<Vec<_>>(), links.tell()))
                .collect();
            for (from, to, message) in told {
                for to in to {
                    let Message::Links { links, reached } = message.clone() else {
                        unreachable!("links tell of links");
                    };
                    if let Some(peer) = peers.get_mut(&to) {
                        peer.hear(from, links, reached);
                    }
                }
            }
            peers.values_mut().for_each(Links::count);
        }
    }

    /// A triangle, a clique of four, and a link between them.
    fn network(reach: usize) -> BTreeMap<PeerName, Links> {
        let triangle = [(0, 1), (1, 2), (0, 2)];
        let clique = [(3, 4), (4, 5), (5, 6), (3, 5), (3, 6), (4, 6)];
        let all: Vec<(PeerName, PeerName)> =
            triangle.into_iter().chain(clique).chain([(2, 3)]).collect();
        let of = |name| {
            let ends = all.iter().filter_map(move |(a, b)| match name {
                _ if name == *a => Some(*b),
                _ if name == *b => Some(*a),
                _ => None,
            });
            let mut links = Links::new(1, reach);
            links.replace(ends);
            (name, links)
        };
        (0..7).map(of).collect()
    }

    #[test]
    fn who_reaches_few_over_triangles_tries_its_other_links() {
        let mut peers = network(4);
        talk(&mut peers, 6);
        let tries: Vec<bool> = peers.values().map(Links::tries).collect();
        assert_eq!(tries, [true, true, true, false, false, false, false]);
        assert_eq!(peers[&0].reached.len(), 3);
        assert!(!peers[&2].supports(3) && peers[&2].supports(1));
        // Nobody has news for ever.
        peers.values_mut().for_each(|links| {
            links.take_news();
        });
        talk(&mut peers, 3);
        assert!(peers.values_mut().all(|links| !links.take_news()));
    }

    #[test]
    fn peers_that_have_gone_are_forgotten() {
        let mut peers = network(5);
        talk(&mut peers, 6);
        assert_eq!(peers[&3].reached.len(), 4);
        // The clique loses a peer, to which nobody links any more.
        peers.remove(&6);
        for name in [3, 4, 5] {
            let rest: Vec<PeerName> = peers[&name].names().filter(|link| *link != 6).collect();
            if let Some(links) = peers.get_mut(&name) {
                links.replace(rest.into_iter());
            }
        }
        talk(&mut peers, usize::from(HOPS_MOST) + 2);
        assert_eq!(peers[&3].reached.len(), 3);
    }

    #[test]
    fn what_a_liar_tells_is_bounded_and_opens_no_gate() {
        let mut links = Links::new(1, 50);
        links.replace([2, 3, 9].into_iter());
        links.hear(2, vec![3], Vec::new());
        links.hear(3, vec![2], (0..9000).map(|name| (name, 255)).collect());
        links.hear(
            9,
            (0..9000).collect(),
            (0..9000).map(|name| (name, 1)).collect(),
        );
        links.count();
        // The liar has no support, and nothing is told on from too far away.
        assert_eq!(links.reached.len(), 2);
        links.hear(3, vec![2, 9], (0..9000).map(|name| (name, 1)).collect());
        links.count();
        // A liar with support can only say that there are more peers, which closes the receiver's gate.
        assert!(!links.tries());
        assert!(links.reached.len() <= 2 * MAX_LINKS);
    }
}
