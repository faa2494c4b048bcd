//! How a world begins: keys, network, source, Byzantine peers, all from one seed.

use super::{Actor, STREAM, World};
use crate::{
    audit::Audit,
    calendar::Calendar,
    directory::Directory,
    event::Event,
    invariant,
    ledger::Ledger,
    links::Links,
    memo::Memo,
    messages::Messages,
    random::{Purpose, Randomness},
    scene::Scene,
    settings::{Settings, SettingsError, Signatures},
    uplink::Uplink,
};
use hamlet_overlay::{
    genesis::{Founder, Genesis, Network, Parameters, Publisher},
    hash::Hash,
    identity::{Ed25519Signer, Ed25519Verifier, PeerId, Signer, SimulatedAuthority, Verifier},
    io::Input,
    peer::{Peer, Setup},
    time::Time,
    view::View,
    work::{Compute, Work},
};
use std::sync::Arc;

impl World {
    /// The world of these settings, at time zero: every peer has started, none is connected.
    pub fn new(settings: Settings) -> Result<World, SettingsError> {
        settings.check()?;
        let (seed, peers) = (settings.seed, settings.peers);
        let (mut signers, verifier) = keys(&settings);
        signers.sort_unstable_by_key(|signer| signer.id());
        let ids: Vec<PeerId> = signers.iter().map(|signer| signer.id()).collect();
        let last = peers as u64 - 1;
        let source = Randomness::new(seed, Purpose::Source).within([0], &(0..=last)) as usize;
        let network = found(&settings, &ids, ids[source])?;
        let byzantine = draw_byzantine(&settings, source);

        let work: Arc<dyn Work> = match settings.verify_all {
            true => Arc::new(Compute),
            false => Arc::new(Memo::default()),
        };
        let mut actors = Vec::with_capacity(peers);
        let mut rotation_beacon = Hash::default();
        for (signer, &byzantine) in signers.into_iter().zip(&byzantine) {
            let view = View::founding(&network, signer.id());
            let view = view.ok_or(SettingsError::Founder)?;
            rotation_beacon = view.rotation_beacon;
            let setup = Setup {
                view,
                signer,
                verifier: verifier.clone(),
                work: work.clone(),
                publish_from: 0,
            };
            let behaviour = byzantine.then(|| settings.behaviour.start()).flatten();
            actors.push(Actor::new(Peer::new(Time::ZERO, setup), behaviour));
        }

        let mut world = World {
            scene: Scene::new(
                network,
                Directory::new(ids),
                byzantine,
                source,
                rotation_beacon,
            ),
            actors,
            links: Links::new(seed, peers, &settings.links),
            uplinks: (0..peers).map(|_| Uplink::default()).collect(),
            calendar: Calendar::new(),
            messages: Messages::default(),
            work,
            now: Time::ZERO,
            payloads: Randomness::new(seed, Purpose::Payload),
            cutting: None,
            outputs: Vec::new(),
            ledger: Ledger::new(peers),
            audit: Audit::new(),
            invariants: invariant::all(peers),
            violations: Vec::new(),
            violation_count: 0,
            settings,
        };
        for peer in 0..peers {
            world.give(peer, Input::Subscribe(STREAM));
        }
        let first = Time::ZERO + Settings::WARM_UP;
        world.calendar.enter(first, Event::Cut { number: 0 });
        Ok(world)
    }
}

/// A key for each peer, and what checks their signatures.
fn keys(settings: &Settings) -> (Vec<Box<dyn Signer>>, Arc<dyn Verifier>) {
    let secrets = Randomness::new(settings.seed, Purpose::Key);
    let secrets = (0..settings.peers as u64).map(|peer| secrets.bytes(peer));
    match settings.signatures {
        Signatures::Ed25519 => {
            let signer = |secret: [u8; 32]| Box::new(Ed25519Signer::from_secret(&secret)) as _;
            (secrets.map(signer).collect(), Arc::new(Ed25519Verifier))
        }
        Signatures::Simulated => {
            let authority = Randomness::new(settings.seed, Purpose::Authority).bytes(0);
            let authority = SimulatedAuthority::new(authority);
            let signer = |id| Box::new(authority.signer(PeerId(id))) as _;
            (secrets.map(signer).collect(), Arc::new(authority.clone()))
        }
    }
}

fn found(settings: &Settings, ids: &[PeerId], source: PeerId) -> Result<Network, SettingsError> {
    let certified = settings
        .bits_per_s
        .saturating_mul(Settings::CERTIFIED_PERCENT)
        / 100;
    let founder = |&id| Founder {
        id,
        addresses: Vec::new(),
    };
    let genesis = Genesis {
        name: "simulated".to_owned(),
        parameters: Parameters {
            total_bits_per_s: settings.parameters.total_bits_per_s.max(certified),
            ..settings.parameters
        },
        seed: Hash(Randomness::new(settings.seed, Purpose::Network).bytes(0)),
        founders: ids.iter().map(founder).collect(),
        publishers: vec![Publisher {
            stream: source,
            max_bits_per_s: certified,
        }],
    };
    Ok(genesis.found()?)
}

/// The Byzantine peers: those of the lowest random numbers. So a larger share adds to a smaller one.
fn draw_byzantine(settings: &Settings, source: usize) -> Vec<bool> {
    let draw = Randomness::new(settings.seed, Purpose::Byzantine);
    let mut order: Vec<usize> = (0..settings.peers).filter(|&peer| peer != source).collect();
    order.sort_unstable_by_key(|&peer| (draw.at([peer as u64]), peer));
    let mut byzantine = vec![false; settings.peers];
    for &peer in order.iter().take(settings.byzantine_peers()) {
        byzantine[peer] = true;
    }
    byzantine
}
