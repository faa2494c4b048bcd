//! Signatures that cost next to nothing.

use hamlet_consensus::identity::{PeerId, Signature, Signer, Statement, Verifier};

/// The secret from which all signatures of one world are made. The simulated adversary only ever gets the
/// [signers](CheapSigner) of members that it owns, so it cannot sign for another.
#[derive(Clone, Copy, Debug)]
pub struct CheapKeys(u64);

impl CheapKeys {
    /// The keys of the world with this seed.
    pub fn new(seed: u64) -> CheapKeys {
        CheapKeys(mix(seed, 0x5eed))
    }

    /// The identity of the member with this number.
    pub fn id(member: u8) -> PeerId {
        let mut id = [0; 32];
        id[0] = member;
        id[1] = 1;
        PeerId(id)
    }

    /// The signer of a member.
    pub fn signer(self, member: u8) -> CheapSigner {
        CheapSigner(self, CheapKeys::id(member))
    }

    fn tag(self, by: PeerId, statement: &Statement<'_>) -> Signature {
        let mut state = mix(self.0, u64::from(by.0[0]) << 8 | u64::from(by.0[1]));
        state = mix(state, statement.domain.len() as u64);
        for part in [&statement.network.0[..], statement.text] {
            for chunk in part.chunks(8) {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                state = mix(state, u64::from_le_bytes(word));
            }
            state = mix(state, part.len() as u64);
        }
        let mut tag = [0; 64];
        tag[..8].copy_from_slice(&state.to_le_bytes());
        tag[8..16].copy_from_slice(&mix(state, 1).to_le_bytes());
        Signature(tag)
    }
}

/// One round of a multiply-and-fold hash: collisions by chance are as good as impossible, and nobody here tries.
fn mix(state: u64, word: u64) -> u64 {
    let product =
        u128::from(state ^ 0x9e37_79b9_7f4a_7c15) * u128::from(word ^ 0xd6e8_feb8_6659_fd93);
    ((product >> 64) as u64 ^ product as u64).wrapping_add(state.rotate_left(23))
}

impl Verifier for CheapKeys {
    fn verify(&self, by: PeerId, statement: Statement<'_>, signature: &Signature) -> bool {
        self.tag(by, &statement) == *signature
    }
}

/// Signs as one member; see [`CheapKeys`].
#[derive(Clone, Copy, Debug)]
pub struct CheapSigner(CheapKeys, PeerId);

impl Signer for CheapSigner {
    fn id(&self) -> PeerId {
        self.1
    }

    fn sign(&self, statement: Statement<'_>) -> Signature {
        self.0.tag(self.1, &statement)
    }
}
