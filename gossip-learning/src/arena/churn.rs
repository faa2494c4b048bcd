//! Sessions: who is online. A peer that leaves keeps its state and is replaced by a random peer that
//! was offline, so that the online share stays (Ormándi et al. 2013, section 6.1).

use super::settings::Churn;
use crate::random;
use rand_core::Rng;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Sessions {
    churn: Churn,
    /// Rounds left of the session of each peer; zero when it is offline.
    left: Vec<u32>,
    offline: Vec<u32>,
}

impl Sessions {
    pub(super) fn new(churn: Churn, peers: usize, rng: &mut impl Rng) -> Sessions {
        let mut offline: Vec<u32> = (0..peers as u32).collect();
        random::shuffle(rng, &mut offline);
        let online = offline.split_off(((1.0 - churn.online) * peers as f64).round() as usize);
        let mut sessions = Sessions {
            churn,
            left: vec![0; peers],
            offline,
        };
        for peer in online {
            sessions.left[peer as usize] = sessions.draw(rng);
        }
        sessions
    }

    /// A session's length in rounds, at least one.
    fn draw(&self, rng: &mut impl Rng) -> u32 {
        let length = (self.churn.mu + self.churn.sigma * random::normal(rng))
            .exp()
            .round();
        length.clamp(1.0, 1e9) as u32
    }

    /// Ends the sessions that are over and begins as many others.
    pub(super) fn step(&mut self, rng: &mut impl Rng) {
        let before = self.offline.len();
        for (peer, left) in self
            .left
            .iter_mut()
            .enumerate()
            .filter(|(_, left)| **left > 0)
        {
            *left -= 1;
            if *left == 0 {
                self.offline.push(peer as u32);
            }
        }
        // Everybody left first, so that no number is favoured among those who may come back.
        for _ in before..self.offline.len() {
            let next = random::below(rng, self.offline.len());
            let back = self.offline.swap_remove(next) as usize;
            self.left[back] = self.draw(rng);
        }
    }

    #[inline]
    pub(super) fn is_online(&self, peer: usize) -> bool {
        self.left[peer] > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_online_share_stays() {
        let mut rng = random::stream(1, 1);
        let churn = Churn {
            online: 0.9,
            mu: 0.0,
            sigma: 1.0,
        };
        let mut sessions = Sessions::new(churn, 200, &mut rng);
        let mut ever_off = [false; 200];
        for _ in 0..300 {
            sessions.step(&mut rng);
            assert_eq!(
                (0..200).filter(|peer| sessions.is_online(*peer)).count(),
                180
            );
            (0..200).for_each(|peer| ever_off[peer] |= !sessions.is_online(peer));
        }
        assert!(ever_off.iter().all(|off| *off));
    }
}
