//! How a world begins: keys, network, source, Byzantine peers, all from one seed.

use super::{
    World,
    actor::{Actor, Character},
    living::Living,
    nursery::{Keys, Nursery},
    publish::Publishing,
    region::Region,
};
use crate::{
    accord::{Shelf, Unity},
    audit::Audit,
    behaviour::{Equivocate, Mind},
    calendar::Calendar,
    directory::Directory,
    downlink::Downlink,
    event::Event,
    invariant::Rules,
    ledger::Ledger,
    links::{Lines, LinkSettings},
    machines,
    memo::Memo,
    moves,
    presence::{self, Crowd},
    random::{Purpose, Randomness},
    scene::Scene,
    settings::{Settings, SettingsError},
    targets::Cast,
};
use hamlet_overlay::{
    genesis::{Founder, Genesis, Network, Parameters, Publisher},
    hash::Hash,
    identity::PeerId,
    membership::admission::Admission,
    time::{Duration, Time},
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
        let seed = settings.seed;
        let mut keys = Keys::new(&settings);
        let sources = draw_sources(&settings);
        let network = found(&settings, &keys.ids(), &sources)?;
        let mut cast = cast(seed, &network, &keys.ids(), &sources);
        let mut kinds = draw_byzantine(&settings, &cast);
        let mut machines = machines::plan(&settings.machines, &cast);
        let Crowd {
            absences: plan,
            places,
        } = presence::crowd(&settings, &cast);
        // Whoever comes in another's place is of its kind.
        for &place in &places[settings.peers..] {
            keys.add(1);
            kinds.push(kinds[place]);
            cast.clusters.push(cast.clusters[place]);
            machines.push(None);
        }
        let (ids, peers) = (keys.ids(), places.len());
        let mut byzantine: Vec<bool> = kinds.iter().map(Option::is_some).collect();
        byzantine[sources[0]] = settings.source.lies();
        let colluders = ids.iter().zip(&byzantine);
        let colluders = colluders.filter_map(|(&id, &byzantine)| byzantine.then_some(id));
        let mind = Arc::new(Mind::new(colluders.collect()));
        let work: Arc<dyn Work> = match settings.verify_all {
            true => Arc::new(Compute),
            false => Arc::new(Memo::default()),
        };

        let each = peers.div_ceil(threads.clamp(1, peers));
        let seats = Arc::new(seats(&cast));
        let nursery = Arc::new(Nursery::new(&settings, keys, work, &sources));
        let lines = Arc::new(Lines::new(&cast, &settings.links));
        let mut regions: Vec<Region> = (0..peers)
            .step_by(each)
            .map(|first| region(&settings, &nursery, &lines, &seats, (first, peers)))
            .collect();
        let mut actors = Vec::with_capacity(peers);
        let uploads = Randomness::new(seed, Purpose::Upload);
        let downloads = Randomness::new(seed, Purpose::Download);
        let absences = plan
            .iter()
            .map(|plan| plan.iter().map(|away| away.during).collect());
        let absences = absences.collect();
        let mut may_contradict = vec![false; sources.len()];
        may_contradict[0] |= settings.source.equivocates();
        let mut rotation_beacon = Hash::default();
        for (peer, (machine, absences)) in machines.into_iter().zip(plan).enumerate() {
            let start = || {
                let state = nursery.peer(&network, peer, Time::ZERO, 0);
                state.ok_or(SettingsError::Founder)
            };
            let mut shelf = Shelf::default();
            let state = match settings.lives() {
                true => {
                    let state = nursery.agreeing(&network, peer, Time::ZERO, 0, &mut shelf);
                    state.map_err(|error| SettingsError::Agreement(error.to_string()))?
                }
                false => start()?,
            };
            rotation_beacon = state.view().rotation_beacon;
            let character = if peer == sources[0] && settings.source.equivocates() {
                let from = settings.source.from(settings.first_cut(0));
                Some(Character {
                    behaviour: Box::new(Equivocate::new(start()?, from)),
                    mind: mind.clone(),
                })
            } else {
                kinds[peer].and_then(|kind| character(&settings, kind, &mind))
            };
            let LinkSettings {
                upload,
                source_upload_bits_per_s,
                download,
                ..
            } = &settings.links;
            let upload = match sources.contains(&peer) {
                true => *source_upload_bits_per_s,
                false => upload.draw(uploads, peer as u64),
            };
            let downlink = Downlink::new(download.draw(downloads, peer as u64));
            let me = peer as u32;
            let mut actor = Actor::new(me, state, character, upload, downlink);
            (actor.machine, actor.absences) = (machine, absences);
            actor.living = settings.lives().then(|| Box::new(Living::new(shelf)));
            actors.push(actor);
        }
        actors.sort_unstable_by_key(|actor| seats[actor.me as usize]);
        for (seat, actor) in actors.into_iter().enumerate() {
            regions[seat / each].actors.push(actor);
        }
        let directory = Directory::new(ids);
        let epochs = moves::plan(&settings, &cast, &network, &directory);
        let first_cuts: Vec<Time> = (0..sources.len())
            .map(|stream| settings.first_cut(stream))
            .collect();
        let mut scene = Scene::new(
            network,
            directory,
            byzantine,
            sources,
            rotation_beacon,
            epochs,
        );
        (scene.absences, scene.may_contradict) = (absences, may_contradict);

        for region in &mut regions {
            for peer in region.peers() {
                if settings.lives() {
                    region.enter_absences(peer);
                    region.subscribe(&scene, peer);
                } else {
                    region.subscribe(&scene, peer);
                    region.enter_absences(peer);
                }
                region.enter_epochs(&scene, peer);
            }
            if lines.may_fail() || settings.lives() {
                region.begin_probing();
            }
        }
        for (&source, first) in scene.sources.iter().zip(first_cuts) {
            let cuts = Event::Cuts { number: 0 };
            let region = seats[source] as usize / each;
            regions[region].enter(first, source, source as u32, cuts);
        }
        let mut world = World {
            settings,
            scene,
            regions,
            now: Time::ZERO,
            unity: Unity::default(),
            found: Vec::new(),
        };
        world.hand_over();
        Ok(world)
    }
}

/// The region whose first seat this is, without its peers.
fn region(
    settings: &Arc<Settings>,
    nursery: &Arc<Nursery>,
    lines: &Arc<Lines>,
    seats: &Arc<Vec<u32>>,
    (first, peers): (usize, usize),
) -> Region {
    Region {
        settings: settings.clone(),
        seats: seats.clone(),
        first,
        actors: Vec::new(),
        calendar: Calendar::new(lines.shortest_micros()),
        lines: lines.clone(),
        outbox: Vec::new(),
        work: nursery.work.clone(),
        nursery: nursery.clone(),
        payloads: Randomness::new(settings.seed, Purpose::Payload),
        ledger: Ledger::new(peers),
        audit: Audit::default(),
        invariants: match settings.lives() {
            true => Rules::of_streams(),
            false => Rules::all(peers),
        },
        violations: Vec::new(),
        violation_count: 0,
        published: Vec::new(),
        facts: Vec::new(),
        checked: Vec::new(),
        publishing: (0..settings.streams)
            .map(|_| Publishing::default())
            .collect(),
        now: Time::ZERO,
        closes: Time::ZERO,
        soon: Vec::new(),
        taken: Vec::new(),
        outputs: Vec::new(),
    }
}

/// Per peer its seat, so that fellow members at the founding sit side by side.
fn seats(cast: &Cast) -> Vec<u32> {
    let mut order: Vec<usize> = (0..cast.clusters.len()).collect();
    order.sort_by_key(|&peer| cast.clusters[peer]);
    let mut seats = vec![0; order.len()];
    for (seat, peer) in (0..).zip(order) {
        seats[peer] = seat;
    }
    seats
}

/// Who is who: the peers in the order of their keys, and their clusters.
fn cast(seed: u64, network: &Network, ids: &[PeerId], sources: &[usize]) -> Cast {
    let cluster = |&id: &PeerId| {
        let elsewhere = u64::from(id.0[0]) % network.clusters().len().max(1) as u64;
        network
            .cluster_of(id)
            .map_or(elsewhere, |cluster| cluster.id)
    };
    Cast {
        seed,
        sources: sources.to_vec(),
        clusters: ids.iter().map(|id| cluster(id) as usize).collect(),
    }
}

/// The peers that publish, in the order of their streams. More streams leave the first as they are.
fn draw_sources(settings: &Settings) -> Vec<usize> {
    let (dice, last) = (
        Randomness::new(settings.seed, Purpose::Source),
        settings.peers as u64 - 1,
    );
    let mut sources = Vec::with_capacity(settings.streams);
    let mut turn = 0;
    while sources.len() < settings.streams {
        let drawn = dice.within([turn], &(0..=last)) as usize;
        if !sources.contains(&drawn) {
            sources.push(drawn);
        }
        turn += 1;
    }
    sources
}

fn found(settings: &Settings, ids: &[PeerId], sources: &[usize]) -> Result<Network, SettingsError> {
    let certified = settings
        .bits_per_s
        .saturating_mul(Settings::CERTIFIED_PERCENT)
        / 100;
    let all = certified.saturating_mul(sources.len() as u64);
    let publisher = |&source: &usize| Publisher {
        stream: ids[source],
        max_bits_per_s: certified,
    };
    let founder = |(&id, founds)| {
        let addresses = Vec::new();
        bool::then_some(founds, Founder { id, addresses })
    };
    let (admission, founders) = match settings.lives() {
        true => (Admission::Open, presence::founders(settings, sources)),
        false => (Admission::Closed, vec![true; settings.peers]),
    };
    let genesis = Genesis {
        admission,
        name: "simulated".to_owned(),
        parameters: Parameters {
            total_bits_per_s: settings.parameters.total_bits_per_s.max(all),
            ..settings.parameters
        },
        seed: Hash(Randomness::new(settings.seed, Purpose::Network).bytes(0)),
        founders: ids.iter().zip(founders).filter_map(founder).collect(),
        publishers: sources.iter().map(publisher).collect(),
    };
    Ok(genesis.found()?)
}

/// Of every peer, which kind of [`Settings::adversaries`] it is. Byzantine are those of the lowest random
/// numbers, so a larger share adds to a smaller one.
fn draw_byzantine(settings: &Settings, cast: &Cast) -> Vec<Option<usize>> {
    let draw = Randomness::new(settings.seed, Purpose::Byzantine);
    let others = (0..settings.peers).filter(|peer| !cast.sources.contains(peer));
    let mut order: Vec<usize> = others.collect();
    order.sort_unstable_by_key(|&peer| (draw.at([peer as u64]), peer));
    let mut kinds = vec![None; settings.peers];
    for (kind, adversaries) in settings.adversaries.iter().enumerate() {
        let (among, count) = match &adversaries.among {
            None => {
                let count = settings.byzantine_peers(kind + 1) - settings.byzantine_peers(kind);
                (vec![true; settings.peers], count)
            }
            Some(among) => {
                let among = among.draw(cast, AMONG + kind as u64);
                let all = order.iter().filter(|&&peer| among[peer]).count();
                (among, (all as f64 * adversaries.share).round() as usize)
            }
        };
        let free = order
            .iter()
            .filter(|&&peer| among[peer] && kinds[peer].is_none());
        let drawn: Vec<usize> = free.take(count).copied().collect();
        for peer in drawn {
            kinds[peer] = Some(kind);
        }
    }
    kinds
}

/// Whom adversaries are drawn among is drawn apart from faults.
const AMONG: u64 = 1 << 34;

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
