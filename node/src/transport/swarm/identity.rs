//! One Ed25519 key, two notations: a libp2p peer id is the public key itself behind a short prefix.

use hamlet_overlay::identity::PeerId;
use libp2p::identity::{Keypair, PublicKey, ed25519};

/// The libp2p name of a peer; none if its key is not a point of the curve.
pub fn to_libp2p(peer: PeerId) -> Option<libp2p::PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(&peer.0).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

/// The peer behind a libp2p name; none if it does not spell out an Ed25519 key.
pub fn from_libp2p(peer: &libp2p::PeerId) -> Option<PeerId> {
    const IDENTITY: u64 = 0;
    let hash = peer.as_ref();
    if hash.code() != IDENTITY {
        return None;
    }
    let key = PublicKey::try_decode_protobuf(hash.digest()).ok()?;
    Some(PeerId(key.try_into_ed25519().ok()?.to_bytes()))
}

/// The libp2p key pair of a 32-byte Ed25519 secret.
pub fn keypair(mut secret: [u8; 32]) -> Keypair {
    match Keypair::ed25519_from_bytes(&mut secret) {
        Ok(keypair) => keypair,
        Err(_) => unreachable!("any 32 bytes are an Ed25519 secret"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamlet_overlay::identity::{Ed25519Signer, Signer};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_notations_name_the_same_key(secret: [u8; 32]) {
            let peer = Ed25519Signer::from_secret(&secret).id();
            let name = keypair(secret).public().to_peer_id();
            prop_assert_eq!(to_libp2p(peer), Some(name));
            prop_assert_eq!(from_libp2p(&name), Some(peer));
        }
    }

    #[test]
    fn names_that_hide_their_key_are_not_ours() {
        let hashed: libp2p::PeerId = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
            .parse()
            .unwrap();
        assert_eq!(from_libp2p(&hashed), None);
    }
}
