//! W1: who may ask for a place.

use crate::{
    hash::{Domain, Hash},
    identity::{PeerId, Signature, Signer, Statement, Verifier},
};
use serde::{Deserialize, Serialize};

/// The most keys that a network's admission names.
pub const MAX_KEYS: usize = 1024;
/// The most work that may be asked for, in bits: beyond it nobody could join.
pub const MAX_BITS: u8 = 64;

const DOMAIN: &str = "hamlet v1 invitation";

/// Who may join a network, beyond its founders. "30 % of the peers lie" always means 30 % of those whom this admits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Admission {
    /// Nobody, but whom the operators of a cluster add.
    #[default]
    Closed,
    /// Whoever was invited by the owner of one of these keys.
    Invitation {
        /// The keys.
        by: Vec<PeerId>,
    },
    /// The owners of these keys.
    Listed {
        /// The keys.
        keys: Vec<PeerId>,
    },
    /// Whoever has spent work on its key: a hash that begins with so many zero bits.
    Work {
        /// How many.
        bits: u8,
    },
    /// Anybody, with as many keys as it likes. Then nothing bounds the share of the liars.
    Open,
}

/// What a peer shows to be admitted. It is bound to its key and to the network, so it is of no use to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential {
    /// Nothing: its key is enough.
    #[default]
    Key,
    /// An invitation.
    Invitation {
        /// Who invites.
        by: PeerId,
        /// Its signature.
        signature: Signature,
    },
    /// A number with which its key hashes to as many zero bits as are asked for.
    Work(u64),
}

impl Credential {
    /// Invites the owner of a key into a network.
    pub fn invite(network: Hash, by: &dyn Signer, peer: PeerId) -> Credential {
        Credential::Invitation {
            by: by.id(),
            signature: by.sign(statement(network, &peer)),
        }
    }

    /// Spends the work that is asked for: on average 2^`bits` hashes. `None` if `go_on` says so first, which is asked
    /// every few thousand hashes.
    pub fn work(
        network: Hash,
        peer: PeerId,
        bits: u8,
        mut go_on: impl FnMut() -> bool,
    ) -> Option<Credential> {
        for number in 0..u64::MAX {
            if number % 4096 == 0 && !go_on() {
                return None;
            }
            if zeros(network, peer, number) >= bits.into() {
                return Some(Credential::Work(number));
            }
        }
        None
    }
}

impl Admission {
    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match self {
            Admission::Invitation { by: keys } | Admission::Listed { keys } => {
                (keys.is_empty() || keys.len() > MAX_KEYS).then_some("name between 1 and 1024 keys")
            }
            Admission::Work { bits } => {
                (!(1..=MAX_BITS).contains(bits)).then_some("bits must be between 1 and 64")
            }
            Admission::Closed | Admission::Open => None,
        }
    }
}

/// Who is admitted to a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The network.
    pub network: Hash,
    /// Its founders, in the order of their keys.
    pub founders: Vec<PeerId>,
    /// Who else.
    pub policy: Admission,
}

impl Admitted {
    /// Whether a peer with this credential is.
    pub fn admits(&self, peer: PeerId, credential: &Credential, verifier: &dyn Verifier) -> bool {
        if self.founders.binary_search(&peer).is_ok() {
            return true;
        }
        let network = self.network;
        match (&self.policy, credential) {
            (
                Admission::Invitation { by },
                Credential::Invitation {
                    by: host,
                    signature,
                },
            ) => by.contains(host) && verifier.verify(*host, statement(network, &peer), signature),
            (Admission::Listed { keys }, _) => keys.contains(&peer),
            (Admission::Work { bits }, Credential::Work(number)) => {
                zeros(network, peer, *number) >= u32::from(*bits)
            }
            (Admission::Open, _) => true,
            _ => false,
        }
    }
}

fn statement(network: Hash, peer: &PeerId) -> Statement<'_> {
    Statement {
        domain: DOMAIN,
        network,
        text: &peer.0,
    }
}

fn zeros(network: Hash, peer: PeerId, number: u64) -> u32 {
    let hash = Domain::Work.hash(&[&network.0, &peer.0, &number.to_le_bytes()]);
    let [a, b, c, d, e, f, g, h, ..] = hash.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h]).leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::SimulatedAuthority;

    const NETWORK: Hash = Hash([7; 32]);

    fn peer(number: u8) -> PeerId {
        PeerId([number; 32])
    }

    #[test]
    fn a_credential_is_of_no_use_to_others_or_elsewhere() {
        let authority = SimulatedAuthority::new([1; 32]);
        let host = authority.signer(peer(1));
        let by_host = Admission::Invitation { by: vec![peer(1)] };
        let listed = |number| Admission::Listed {
            keys: vec![peer(number)],
        };
        let invited = Credential::invite(NETWORK, &host, peer(5));
        let by_stranger = Credential::invite(NETWORK, &authority.signer(peer(2)), peer(5));
        let work = Credential::work(NETWORK, peer(5), 12, || true).unwrap();
        let work_for = Admission::Work { bits: 12 };
        for (policy, credential, ok) in [
            (&by_host, &invited, true),
            (&by_host, &by_stranger, false),
            (&by_host, &Credential::Key, false),
            (&by_host, &work, false),
            (&work_for, &work, true),
            (&work_for, &invited, false),
            (&Admission::Closed, &invited, false),
            (&Admission::Open, &Credential::Key, true),
            (&listed(5), &Credential::Key, true),
            (&listed(6), &Credential::Key, false),
        ] {
            let admits = |network, who| {
                let admitted = Admitted {
                    network,
                    founders: vec![peer(3)],
                    policy: policy.clone(),
                };
                assert!(admitted.admits(peer(3), &Credential::Key, &authority));
                admitted.admits(who, credential, &authority)
            };
            assert_eq!(admits(NETWORK, peer(5)), ok, "{policy:?} {credential:?}");
            if !matches!(policy, Admission::Open | Admission::Listed { .. }) {
                assert!(!admits(NETWORK, peer(6)), "{policy:?} {credential:?}");
                assert!(!admits(Hash([8; 32]), peer(5)), "{policy:?} {credential:?}");
            }
        }
    }

    #[test]
    fn work_can_be_given_up() {
        let mut asked = 0;
        let given_up = Credential::work(NETWORK, peer(1), MAX_BITS, || {
            asked += 1;
            asked < 3
        });
        assert_eq!(given_up, None);
    }
}
