//! Where peers come from: their keys, and how each starts.

use crate::{
    publisher::Publishing,
    random::{Purpose, Randomness},
    settings::{Settings, Signatures},
};
use hamlet_overlay::{
    genesis::Network,
    identity::{Ed25519Signer, Ed25519Verifier, PeerId, Signer, SimulatedAuthority, Verifier},
    peer::{Peer, Setup},
    time::Time,
    view::{SegmentNumber, View},
    work::Work,
};
use std::sync::Arc;

/// The keys of all peers, from which each can be started again.
pub(super) struct Keys {
    kind: Kind,
    /// By index: the identity, and the secret of a key that has one.
    all: Vec<(PeerId, [u8; 32])>,
}

enum Kind {
    Ed25519,
    Simulated(SimulatedAuthority),
}

impl Keys {
    pub fn new(settings: &Settings) -> Keys {
        let secrets = Randomness::new(settings.seed, Purpose::Key);
        let kind = match settings.signatures {
            Signatures::Ed25519 => Kind::Ed25519,
            Signatures::Simulated => {
                let authority = Randomness::new(settings.seed, Purpose::Authority).bytes(0);
                Kind::Simulated(SimulatedAuthority::new(authority))
            }
        };
        let key = |peer: u64| {
            let secret = secrets.bytes(peer);
            match kind {
                Kind::Ed25519 => (Ed25519Signer::from_secret(&secret).id(), secret),
                Kind::Simulated(_) => (PeerId(secret), secret),
            }
        };
        let mut all: Vec<_> = (0..settings.peers as u64).map(key).collect();
        all.sort_unstable();
        Keys { kind, all }
    }

    pub fn ids(&self) -> Vec<PeerId> {
        self.all.iter().map(|&(id, _)| id).collect()
    }

    fn signer(&self, peer: usize) -> Box<dyn Signer> {
        let (id, secret) = self.all[peer];
        match &self.kind {
            Kind::Ed25519 => Box::new(Ed25519Signer::from_secret(&secret)),
            Kind::Simulated(authority) => Box::new(authority.signer(id)),
        }
    }

    fn verifier(&self) -> Arc<dyn Verifier> {
        match &self.kind {
            Kind::Ed25519 => Arc::new(Ed25519Verifier),
            Kind::Simulated(authority) => Arc::new(authority.clone()),
        }
    }
}

/// Where peers come from: at the founding, and when they start again.
pub(super) struct Nursery {
    keys: Keys,
    verifier: Arc<dyn Verifier>,
    pub work: Arc<dyn Work>,
    /// The source that exceeds its rate, if one does.
    over_rate: Option<usize>,
    #[cfg(feature = "ablation")]
    without: Option<hamlet_overlay::ablation::Mechanism>,
}

impl Nursery {
    /// Where the peers of a world come from whose sources are these.
    pub fn new(settings: &Settings, keys: Keys, work: Arc<dyn Work>, sources: &[usize]) -> Nursery {
        let exceeds = matches!(settings.source.behavior, Publishing::OverRate(_));
        Nursery {
            verifier: keys.verifier(),
            keys,
            work,
            over_rate: exceeds.then_some(sources[0]),
            #[cfg(feature = "ablation")]
            without: settings.without,
        }
    }

    /// What a peer knows of the network at first. An over-rate source believes that it may.
    fn view(&self, network: &Network, peer: usize, id: PeerId) -> Option<View> {
        let mut view = View::founding(network, id)?;
        if Some(peer) == self.over_rate {
            for publisher in view.publishers.iter_mut().filter(|own| own.stream == id) {
                publisher.max_bits_per_s = u64::MAX / 16;
            }
        }
        Some(view)
    }

    /// The peer of this index, just started by its own clock; `None` if it has no place in the network.
    pub fn peer(
        &self,
        network: &Network,
        peer: usize,
        now: Time,
        publish_from: SegmentNumber,
    ) -> Option<Peer> {
        let signer = self.keys.signer(peer);
        let setup = Setup {
            view: self.view(network, peer, signer.id())?,
            signer,
            verifier: self.verifier.clone(),
            work: self.work.clone(),
            publish_from,
        };
        let peer = Peer::new(now, setup);
        #[cfg(feature = "ablation")]
        let peer = peer.without(hamlet_overlay::ablation::Ablated::of(self.without));
        Some(peer)
    }
}
