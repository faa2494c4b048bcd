//! A founder that turns on its neighbours: broken streams, garbage and replays on live connections, while
//! the others play on.

mod common;

use common::*;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use hamlet_node::{
    driver::PeerHandle,
    transport::{
        TransportKind,
        swarm::{Protocols, protocol_names},
    },
};
use hamlet_overlay::{
    genesis::Network, identity::PeerId, io::Refusal, view::View, wire::MAX_FRAME_BYTES,
};
use libp2p::{Multiaddr, Stream, SwarmBuilder, identity, noise, swarm::SwarmEvent, tcp, yamux};
use libp2p_stream::Control;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::JoinSet;

const PEERS: usize = 12;
const ROGUE: usize = 5;
/// So many segments are published at least, and at most.
const SEGMENTS: usize = 30;
const SEGMENTS_MAX: usize = 600;

/// What the rogue sends on a stream before it opens the next one.
#[derive(Clone, Copy, Debug)]
enum Attack {
    NoLength,
    HugeLength,
    Oversize,
    Truncated,
    RandomStream,
    RandomFrames,
    BitFlipped,
    Replayed,
}

const ATTACKS: [Attack; 8] = [
    Attack::NoLength,
    Attack::HugeLength,
    Attack::Oversize,
    Attack::Truncated,
    Attack::RandomStream,
    Attack::RandomFrames,
    Attack::BitFlipped,
    Attack::Replayed,
];

fn framed(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_le_bytes()[..], frame].concat()
}

impl Attack {
    /// The bytes of the attack; `heard` are frames that honest peers sent to the rogue.
    fn bytes(self, heard: &[Vec<u8>], random: &mut ChaCha12Rng) -> Vec<u8> {
        let mut noise = |len: usize| {
            let mut noise = vec![0; len];
            random.fill_bytes(&mut noise);
            noise
        };
        match self {
            Attack::NoLength => vec![0; 4],
            Attack::HugeLength => vec![0xff; 64],
            Attack::Oversize => framed(&vec![1; MAX_FRAME_BYTES + 1]),
            Attack::Truncated => framed(&[1; 100])[..50].to_vec(),
            Attack::RandomStream => noise(5_000),
            Attack::RandomFrames => (0..20).flat_map(|_| framed(&noise(300))).collect(),
            Attack::BitFlipped => heard
                .iter()
                .flat_map(|frame| {
                    let mut frame = frame.clone();
                    let bit = u32::from_le_bytes(noise(4).try_into().unwrap()) as usize;
                    let bit = bit % (frame.len() * 8);
                    frame[bit / 8] ^= 1 << (bit % 8);
                    framed(&frame)
                })
                .collect(),
            Attack::Replayed => heard
                .iter()
                .cycle()
                .take(3 * heard.len())
                .flat_map(|f| framed(f))
                .collect(),
        }
    }
}

/// What the rogue knows of its neighbours.
#[derive(Clone, Default)]
struct Known {
    /// Some of what they sent.
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    /// The sessions that they began, or answered, last.
    sessions: Arc<Mutex<BTreeMap<libp2p::PeerId, u64>>>,
}

/// Takes a stream as an honest peer would, and keeps some of what comes.
async fn hear(from: libp2p::PeerId, mut stream: Stream, known: Known) -> std::io::Result<()> {
    let mut session = [0; 8];
    stream.read_exact(&mut session).await?;
    known
        .sessions
        .lock()
        .unwrap()
        .insert(from, u64::from_le_bytes(session));
    stream.write_all(&[1]).await?;
    stream.flush().await?;
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).await?;
        let mut frame = vec![0; u32::from_le_bytes(length) as usize];
        stream.read_exact(&mut frame).await?;
        let mut heard = known.heard.lock().unwrap();
        if heard.len() < 50 {
            heard.push(frame);
        }
    }
}

/// Opens the two streams of a session.
async fn open(
    control: &mut Control,
    to: libp2p::PeerId,
    protocols: &Protocols,
    session: u64,
) -> std::io::Result<Vec<Stream>> {
    let mut streams = Vec::new();
    for protocol in protocols.clone() {
        let stream = control.open_stream(to, protocol).await;
        let mut stream = stream.map_err(std::io::Error::other)?;
        stream.write_all(&session.to_le_bytes()).await?;
        stream.flush().await?;
        stream.read_exact(&mut [0]).await?;
        streams.push(stream);
    }
    Ok(streams)
}

/// Attacks the neighbours of the rogue in turns, for ever.
async fn attack(network: Arc<Network>) {
    let keypair = identity::Keypair::ed25519_from_bytes(secret(ROGUE)).unwrap();
    let mut swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )
        .unwrap()
        .with_behaviour(|_| libp2p_stream::Behaviour::new())
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::MAX))
        .build();
    let protocols = protocol_names(network.id());
    let known = Known::default();
    let mut control = swarm.behaviour().new_control();
    let mut tasks = JoinSet::new();
    for protocol in protocols.clone() {
        let mut incoming = control.accept(protocol).unwrap();
        let known = known.clone();
        tasks.spawn(async move {
            let mut readers = JoinSet::new();
            while let Some((from, stream)) = incoming.next().await {
                readers.spawn(hear(from, stream, known.clone()));
            }
        });
    }
    let view = View::founding(&network, id(ROGUE)).unwrap();
    let mut random = ChaCha12Rng::seed_from_u64(3);
    for neighbour in view.links(id(ROGUE)) {
        let mut random = ChaCha12Rng::seed_from_u64(random.next_u64());
        let (mut control, protocols, known) = (control.clone(), protocols.clone(), known.clone());
        let leads = id(ROGUE) < neighbour;
        let name = name(neighbour);
        tasks.spawn(async move {
            loop {
                for (turn, attack) in ATTACKS.into_iter().enumerate() {
                    // It begins a session where that is its part, and joins the neighbour's where not.
                    let begun = known.sessions.lock().unwrap().get(&name).copied();
                    let session = match leads {
                        true => Some(random.next_u64()),
                        false => begun,
                    };
                    let Some(session) = session else {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    };
                    // Refused while it is being punished; then it tries again.
                    let Ok(mut streams) = open(&mut control, name, &protocols, session).await
                    else {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    };
                    let heard = known.heard.lock().unwrap().clone();
                    let bytes = attack.bytes(&heard, &mut random);
                    let stream = &mut streams[turn % protocols.len()];
                    if stream.write_all(&bytes).await.is_ok() && stream.flush().await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
        });
    }
    let founders = &network.genesis().founders;
    for founder in founders.iter().filter(|founder| founder.id != id(ROGUE)) {
        let address: Multiaddr = founder.addresses[0].parse().unwrap();
        swarm.add_peer_address(name(founder.id), address);
    }
    let own = founders
        .iter()
        .find(|founder| founder.id == id(ROGUE))
        .unwrap();
    swarm.listen_on(own.addresses[0].parse().unwrap()).unwrap();
    loop {
        if let SwarmEvent::ListenerError { error, .. } = swarm.select_next_some().await {
            panic!("{error}");
        }
    }
}

fn name(peer: PeerId) -> libp2p::PeerId {
    let key = identity::ed25519::PublicKey::try_from_bytes(&peer.0).unwrap();
    identity::PublicKey::from(key).to_peer_id()
}

/// What honest peers counted of the attack, all together.
#[derive(Debug, Default)]
struct Damage {
    broken: u64,
    punished: u64,
    malformed: u64,
}

/// Counts the damage; nobody but the rogue may have done what honest peers never do.
async fn damage(honest: &[PeerHandle]) -> Damage {
    let mut damage = Damage::default();
    for peer in honest {
        let status = peer.status().await.unwrap();
        damage.broken += status.transport.broken_streams;
        damage.punished += status.transport.punished;
        damage.malformed += status.report.refused.get(&Refusal::Malformed).unwrap_or(&0);
        let others = status.report.refused_from.iter();
        for (from, refused) in others.filter(|&(&from, _)| from != id(ROGUE)) {
            // On a busy machine honest peers give what is there already, come too late or ask too often.
            let never = |why: &&Refusal| {
                matches!(
                    why,
                    Refusal::Malformed
                        | Refusal::Stranger
                        | Refusal::UnlistedPublisher
                        | Refusal::Mismatch
                )
            };
            assert_eq!(refused.keys().find(never), None, "of {from:?}");
        }
    }
    damage
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_streams_and_garbage_stop_nobody() {
    let network = found(PEERS, TransportKind::Tcp);
    let rogue = tokio::spawn(attack(network.clone()));
    let mut honest = Vec::new();
    for number in (0..PEERS).filter(|&number| number != ROGUE) {
        honest.push(start(&network, number, 0).await);
    }
    let mut readers = Vec::new();
    for peer in &honest {
        linked(peer, 1).await;
        readers.push(peer.subscribe(0).await.unwrap());
    }
    // On and on until every kind of attack was made: what is broken is punished by pauses that grow.
    let mut place = 0;
    loop {
        honest[0].publish(cut(place)).await.unwrap();
        for reader in &mut readers {
            assert_eq!(next(reader, 0).await, place as u64);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        place += 1;
        let seen = damage(&honest).await;
        if place >= SEGMENTS && seen.broken > 0 && seen.punished > 0 && seen.malformed > 0 {
            break;
        }
        assert!(place < SEGMENTS_MAX, "the attack is not seen: {seen:?}");
    }
    assert!(!rogue.is_finished(), "the rogue attacks to the end");
    rogue.abort();
}
