//! Where peers come from: their keys, and how each starts.

use crate::{
    accord::{self, BORN_UNIX_MS, Shelf},
    publisher::Publishing,
    random::{Purpose, Randomness},
    settings::{Settings, Signatures},
};
use hamlet_consensus::{beacon::SecretKey, replica::StartError};
use hamlet_overlay::{
    agreement::{Papers, card::Card},
    genesis::Network,
    identity::{Ed25519Signer, Ed25519Verifier, PeerId, Signer, SimulatedAuthority, Verifier},
    membership::admission::Credential,
    peer::{Peer, Setup},
    time::Time,
    view::{SegmentNumber, View},
    work::Work,
};
use std::sync::Arc;

/// The keys of all peers, from which each can be started again.
pub(super) struct Keys {
    kind: Kind,
    secrets: Randomness,
    /// By index: the identity, and the secret of a key that has one.
    all: Vec<(PeerId, [u8; 32])>,
}

enum Kind {
    Ed25519,
    Simulated(SimulatedAuthority),
}

impl Keys {
    pub fn new(settings: &Settings) -> Keys {
        let kind = match settings.signatures {
            Signatures::Ed25519 => Kind::Ed25519,
            Signatures::Simulated => {
                let authority = Randomness::new(settings.seed, Purpose::Authority).bytes(0);
                Kind::Simulated(SimulatedAuthority::new(authority))
            }
        };
        let mut keys = Keys {
            kind,
            secrets: Randomness::new(settings.seed, Purpose::Key),
            all: Vec::new(),
        };
        keys.add(settings.peers);
        keys.all.sort_unstable();
        keys
    }

    /// Adds keys of so many more peers.
    pub fn add(&mut self, more: usize) {
        let first = self.all.len() as u64;
        for peer in first..first + more as u64 {
            let secret = self.secrets.bytes(peer);
            let id = match self.kind {
                Kind::Ed25519 => Ed25519Signer::from_secret(&secret).id(),
                Kind::Simulated(_) => PeerId(secret),
            };
            self.all.push((id, secret));
        }
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

    /// What checks signatures.
    pub fn verifier(&self) -> &dyn Verifier {
        &*self.verifier
    }

    /// The peer of this index, just started by its own clock with what is on its disk, in a network whose members agree.
    pub fn agreeing(
        &self,
        network: &Network,
        peer: usize,
        now: Time,
        publish_from: SegmentNumber,
        shelf: &mut Shelf,
    ) -> Result<Peer, StartError> {
        let (id, secret) = self.keys.all[peer];
        // Whichever founders a newcomer asks: they are spread like this over everybody who comes, as the node does it.
        let asked = u64::from(id.0[0]) % network.clusters().len() as u64;
        let view = match (shelf.home(), self.view(network, peer, id)) {
            (None, Some(view)) => Some(view),
            (home, _) => View::outside(network, home.unwrap_or(asked)),
        };
        let signer = self.keys.signer(peer);
        let beacon = SecretKey::derive(&secret, network.id());
        let somewhere = vec!["somewhere".to_owned()];
        let papers = Papers {
            card: Card::sign(network.id(), &*signer, &beacon, somewhere, BORN_UNIX_MS),
            credential: Credential::Key,
        };
        let setup = Setup {
            view: view.ok_or(StartError::NotAMember)?,
            signer,
            verifier: self.verifier.clone(),
            work: self.work.clone(),
            publish_from,
        };
        let mut peer = Peer::new(now, setup);
        peer.agree(&accord::start(shelf, beacon, Some(papers)))?;
        Ok(peer)
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
