//! How a world begins: keys, network, source, Byzantine peers, all from one seed.

use super::{
    STREAM, World,
    actor::{Actor, Character},
    publish::Publishing,
    region::Region,
};
use crate::{
    audit::Audit,
    behaviour::Mind,
    calendar::Calendar,
    directory::Directory,
    downlink::Downlink,
    event::Event,
    invariant,
    ledger::Ledger,
    links::{Lines, LinkSettings},
    machines,
    memo::Memo,
    presence,
    random::{Purpose, Randomness},
    scene::Scene,
    settings::{Settings, SettingsError, Signatures},
    targets::Cast,
};
use hamlet_overlay::{
    genesis::{Founder, Genesis, Network, Parameters, Publisher},
    hash::Hash,
    identity::{Ed25519Signer, Ed25519Verifier, PeerId, Signer, SimulatedAuthority, Verifier},
    io::Input,
    peer::{Peer, Setup},
    time::{Duration, Time},
    view::{SegmentNumber, View},
    work::{Compute, Work},
};
use std::sync::Arc;

impl World {
    /// The world of these settings, at time zero: every peer has started, none is connected.
    pub fn new(settings: Settings) -> Result<World, SettingsError> {
        World::with_threads(settings, 1)
    }

    /// The same world, run on so many threads.
    pub fn with_threads(settings: Settings, threads: usize) -> Result<World, SettingsError> {
        settings.check()?;
        let settings = Arc::new(settings);
        let (seed, peers) = (settings.seed, settings.peers);
        let keys = Keys::new(&settings);
        let ids = keys.ids();
        let last = peers as u64 - 1;
        let source = Randomness::new(seed, Purpose::Source).within([0], &(0..=last)) as usize;
        let network = found(&settings, &ids, ids[source])?;
        let kinds = draw_byzantine(&settings, source);
        let byzantine: Vec<bool> = kinds.iter().map(Option::is_some).collect();
        let colluders = ids.iter().zip(&byzantine);
        let colluders = colluders.filter_map(|(&id, &byzantine)| byzantine.then_some(id));
        let mind = Arc::new(Mind::new(colluders.collect()));
        let work: Arc<dyn Work> = match settings.verify_all {
            true => Arc::new(Compute),
            false => Arc::new(Memo::default()),
        };

        let each = peers.div_ceil(threads.clamp(1, peers));
        let cast = cast(seed, &network, &ids, source);
        let nursery = Arc::new(Nursery {
            verifier: keys.verifier(),
            keys,
            work,
            #[cfg(feature = "ablation")]
            without: settings.without,
        });
        let lines = Arc::new(Lines::new(&cast, &settings.links));
        let mut regions: Vec<Region> = (0..peers)
            .step_by(each)
            .map(|first| region(&settings, &nursery, &lines, first))
            .collect();
        let uploads = Randomness::new(seed, Purpose::Upload);
        let downloads = Randomness::new(seed, Purpose::Download);
        let plan = presence::plan(&settings, &cast);
        let absences = plan
            .iter()
            .map(|plan| plan.iter().map(|away| away.during).collect());
        let absences = absences.collect();
        let machines = machines::plan(&settings.machines, &cast);
        let mut rotation_beacon = Hash::default();
        for (peer, (machine, absences)) in machines.into_iter().zip(plan).enumerate() {
            let state = nursery.peer(&network, peer, Time::ZERO, 0);
            let state = state.ok_or(SettingsError::Founder)?;
            rotation_beacon = state.view().rotation_beacon;
            let character = kinds[peer].and_then(|kind| character(&settings, kind, &mind));
            let LinkSettings {
                upload,
                source_upload_bits_per_s,
                download,
                ..
            } = &settings.links;
            let upload = match peer == source {
                true => *source_upload_bits_per_s,
                false => upload.draw(uploads, peer as u64),
            };
            let downlink = Downlink::new(download.draw(downloads, peer as u64));
            let me = peer as u32;
            let mut actor = Actor::new(me, state, character, upload, downlink);
            (actor.machine, actor.absences) = (machine, absences);
            regions[peer / each].actors.push(actor);
        }
        let directory = Directory::new(ids);
        let mut scene = Scene::new(network, directory, byzantine, source, rotation_beacon);
        scene.absences = absences;

        for region in &mut regions {
            for peer in region.peers() {
                region.give(&scene, peer, Input::Subscribe(STREAM));
                region.enter_absences(peer);
            }
            if lines.may_fail() {
                region.begin_probing();
            }
        }
        let first = Time::ZERO + Settings::WARM_UP;
        regions[source / each].enter(first, source, source as u32, Event::Cuts { number: 0 });
        let mut world = World {
            settings,
            scene,
            regions,
            now: Time::ZERO,
        };
        world.hand_over();
        Ok(world)
    }
}

/// The region whose first peer this is, without its peers.
fn region(
    settings: &Arc<Settings>,
    nursery: &Arc<Nursery>,
    lines: &Arc<Lines>,
    first: usize,
) -> Region {
    Region {
        settings: settings.clone(),
        first,
        actors: Vec::new(),
        calendar: Calendar::new(lines.shortest_micros()),
        lines: lines.clone(),
        outbox: Vec::new(),
        work: nursery.work.clone(),
        nursery: nursery.clone(),
        payloads: Randomness::new(settings.seed, Purpose::Payload),
        ledger: Ledger::new(settings.peers),
        audit: Audit::default(),
        invariants: invariant::all(settings.peers),
        violations: Vec::new(),
        violation_count: 0,
        published: Vec::new(),
        publishing: Publishing::default(),
        now: Time::ZERO,
        closes: Time::ZERO,
        soon: Vec::new(),
        taken: Vec::new(),
        outputs: Vec::new(),
    }
}

/// Who is who: the peers in the order of their keys, and their clusters.
fn cast(seed: u64, network: &Network, ids: &[PeerId], source: usize) -> Cast {
    let cluster = |&id| network.cluster_of(id).map_or(0, |cluster| cluster.id);
    Cast {
        seed,
        source,
        clusters: ids.iter().map(|id| cluster(id) as usize).collect(),
    }
}

/// The keys of all peers, from which each can be started again.
struct Keys {
    kind: Kind,
    /// By index: the identity, and the secret of a key that has one.
    all: Vec<(PeerId, [u8; 32])>,
}

enum Kind {
    Ed25519,
    Simulated(SimulatedAuthority),
}

impl Keys {
    fn new(settings: &Settings) -> Keys {
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

    fn ids(&self) -> Vec<PeerId> {
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
    work: Arc<dyn Work>,
    #[cfg(feature = "ablation")]
    without: Option<hamlet_overlay::ablation::Mechanism>,
}

impl Nursery {
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
            view: View::founding(network, signer.id())?,
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

/// Of every peer, which kind of [`Settings::adversaries`] it is. Byzantine are those of the lowest random
/// numbers, so a larger share adds to a smaller one.
fn draw_byzantine(settings: &Settings, source: usize) -> Vec<Option<usize>> {
    let draw = Randomness::new(settings.seed, Purpose::Byzantine);
    let mut order: Vec<usize> = (0..settings.peers).filter(|&peer| peer != source).collect();
    order.sort_unstable_by_key(|&peer| (draw.at([peer as u64]), peer));
    let mut kinds = vec![None; settings.peers];
    for kind in 0..settings.adversaries.len() {
        let of_kind = settings.byzantine_peers(kind)..settings.byzantine_peers(kind + 1);
        for &peer in &order[of_kind] {
            kinds[peer] = Some(kind);
        }
    }
    kinds
}

/// What one more adversary of a kind does differently from an honest peer, if anything.
fn character(settings: &Settings, kind: usize, mind: &Arc<Mind>) -> Option<Character> {
    let adversaries = &settings.adversaries[kind];
    let first = Time::ZERO + Settings::WARM_UP;
    // Whoever misbehaves from the first segment on does so from the first moment.
    let after = |seconds: f64| first + Duration::from_secs_f64(seconds);
    let from = match adversaries.from_s {
        0.0 => Time::ZERO,
        seconds => after(seconds),
    };
    let until = adversaries.until_s.map_or(Time::NEVER, after);
    let behaviour = adversaries.behavior.start(from, until)?;
    Some(Character {
        behaviour,
        mind: mind.clone(),
    })
}
