//! What comes from other peers.

use bytes::Bytes;
use hamlet_consensus::{
    Settings,
    beacon::SecretKey,
    succession::{Stored, Transfer},
    vote::{SignedVote, Vote},
    wire::encode,
};
use hamlet_node::transport::framing::{self, FrameReader};
use hamlet_overlay::{
    agreement::{
        Start, Step,
        card::Card,
        order::{Ask, Order, Progress, Said, Saying},
    },
    digest::{Digest, Equivocation, Header, Tree, leaf, root_of_path},
    evidence::{Evidence, Laws, Votes},
    genesis::{Founder, Genesis, Network, Parameters, Publisher},
    hash::Hash,
    identity::{PeerId, Signature, Signer, Statement, Verifier},
    io::{Cut, Input, Output},
    membership::{
        admission::{Admission, Credential},
        walk::{Batch, Walk},
    },
    message::{Message, Notice, Proof, Standing},
    peer::{Peer, Setup},
    set::Set64,
    time::{Duration, Time},
    view::View,
    wire::Frame,
    work::Compute,
};
use std::{collections::BTreeMap, sync::Arc};

/// Signs nothing and believes everything, so that a search gets past signatures, which it cannot forge.
struct Gullible(PeerId);

impl Signer for Gullible {
    fn id(&self) -> PeerId {
        self.0
    }

    fn sign(&self, _: Statement<'_>) -> Signature {
        Signature([0; 64])
    }
}

impl Verifier for Gullible {
    fn verify(&self, _: PeerId, _: Statement<'_>, _: &Signature) -> bool {
        true
    }
}

fn digest(segment: u64, length: u32) -> Digest {
    let header = Header {
        stream: 0,
        segment,
        length,
        parity: 2,
        random_access: true,
        cut_unix_ms: 0,
        payload: Hash([7; 32]),
        previous: None,
    };
    let leaves = (0..8).map(|shard| leaf(&[shard])).collect();
    Digest::sign(header, leaves, Hash([1; 32]), &Gullible(id(0)))
}

fn joined(frame: &Frame) -> Vec<u8> {
    [&frame.head[..], &frame.body[..]].concat()
}

/// A frame of every kind of message.
pub fn messages() -> Vec<Vec<u8>> {
    let (stream, segment, shard) = (0, 3, 1);
    let digest = digest(segment, 1000);
    let leaves = digest.leaves.clone().unwrap_or_default();
    let (signed, body) = (digest.signed, Bytes::from_static(&[1]));
    let proven = |proof| Message::ProvenShard {
        signed,
        shard,
        proof,
    };
    let path = Tree::new(&leaves).path(shard);
    let slots = Set64(0b101);
    let standing = Standing {
        silent: slots,
        extra: 1,
        idle: false,
    };
    let notices = vec![
        Notice::Standing {
            stream,
            epoch: (0, 0),
            standing,
        },
        Notice::Want {
            stream,
            segment,
            shards: slots,
            digest: true,
        },
        Notice::Have {
            stream,
            segment,
            shard,
        },
        Notice::Lazy { stream, slots },
        Notice::Eager { stream, slots },
        Notice::Join { stream },
    ];
    let frames = [
        Message::Shard {
            stream,
            segment,
            shard,
        }
        .frame_with(body.clone()),
        proven(Proof::Path(path)).frame_with(body.clone()),
        proven(Proof::Leaves(leaves.clone())).frame_with(body),
        Message::Digest { signed, leaves }.frame(),
        Message::Notices(notices).frame(),
        Message::Evidence(Box::new(two_digests())).frame(),
        Message::Evidence(Box::new(two_votes())).frame(),
        Message::Proofs(vec![7, 8]).frame(),
        Message::Prove(vec![7]).frame(),
        Message::Agreement { epoch: 7 }.frame_with(encode(&1u8).into()),
        Message::Transfer.frame_with(Transfer::Follow(7).encode().into()),
        Message::Petition.frame_with(petition().into()),
        Message::Herald {
            cluster: 1,
            epoch: 3,
        }
        .frame(),
        Message::Behind { epoch: 7 }.frame(),
        Message::Progress.frame_with(encode(&Vec::<Progress>::new()).into()),
        Message::Petition.frame_with(ask().into()),
        Message::Walks { to: 1, epoch: 3 }.frame(),
        Message::Batch.frame_with(encode(&batch()).into()),
        Message::Offer {
            cluster: 1,
            epoch: 3,
        }
        .frame(),
    ];
    frames.iter().map(joined).collect()
}

fn two_digests() -> Evidence {
    Evidence::Digests(Box::new(Equivocation {
        first: digest(3, 1000).claim(),
        second: digest(3, 999).claim(),
    }))
}

fn two_votes() -> Evidence {
    let signed = |vote| SignedVote {
        vote,
        signature: Signature([0; 64]),
    };
    Evidence::Votes(Box::new(Votes {
        epoch: Hash([4; 32]),
        votes: hamlet_consensus::evidence::Evidence {
            culprit: id(3),
            first: signed(Vote::Nullify(7)),
            second: signed(Vote::Abandon(7)),
        },
        credential: Credential::Work(3),
    }))
}

/// Evidence as it is stored, and in files.
pub fn proofs() -> Vec<Vec<u8>> {
    vec![two_digests().encode(), two_votes().encode()]
}

/// Evidence is refused, or means the same when it is stored again; whatever it says can be checked, named and told.
pub fn evidence(bytes: &[u8]) {
    let Ok(evidence) = Evidence::decode(bytes) else {
        return;
    };
    assert_eq!(evidence.encode(), bytes);
    let network = network();
    let convicts = evidence.convicts(Laws::of(&network, &Gullible(id(0))));
    assert!(!convicts || evidence.culprit(&network.genesis().publishers).is_some());
    assert_eq!(evidence.id(), evidence.clone().id());
    assert!(!evidence.to_string().is_empty());
}

/// What a peer asks its fellows to have ordered.
fn petition() -> Vec<u8> {
    let saying = Saying::Lost { nonce: [3; 16] };
    let said = Said::sign(network().id(), &Gullible(id(2)), 0, 0, saying);
    encode(&Order::Said(Box::new(said)))
}

/// A peer's card.
fn card() -> Card {
    let secret = SecretKey::derive(&[2; 32], network().id());
    let addresses = vec!["/ip4/10.0.0.2/tcp/4711".to_owned()];
    Card::sign(network().id(), &Gullible(id(2)), &secret, addresses, 7)
}

/// A peer asks for a walk.
fn ask() -> Vec<u8> {
    let (network, signer) = (network().id(), Gullible(id(2)));
    let ask = Ask::sign(network, &signer, card(), Credential::Work(3), 0, 0);
    encode(&Order::Ask(Box::new(ask)))
}

/// Walks that come from a neighbour.
fn batch() -> Batch {
    let walk = Walk {
        id: Hash([3; 32]),
        card: card(),
        credential: Credential::Key,
        left: 3,
    };
    Batch {
        from: 1,
        epoch: 3,
        walks: vec![walk],
    }
}

/// A message is refused, or means the same when it is sent on; its proofs can be followed.
pub fn message(bytes: &[u8]) {
    let Ok((message, body)) = Message::decode(&Frame::received(Bytes::copy_from_slice(bytes)))
    else {
        return;
    };
    let again = Message::decode(&message.frame_with(body.clone()));
    assert_eq!(again, Ok((message.clone(), body.clone())));
    match message {
        Message::ProvenShard {
            shard,
            proof: Proof::Path(path),
            ..
        } => {
            for n in 0..=64 {
                root_of_path(leaf(&body), shard, &path, n);
            }
        }
        Message::ProvenShard {
            proof: Proof::Leaves(leaves),
            ..
        }
        | Message::Digest { leaves, .. } => {
            let tree = Tree::new(&leaves);
            for (shard, &leaf) in (0..).zip(leaves.iter()) {
                let root = root_of_path(leaf, shard, &tree.path(shard), leaves.len() as u8);
                assert_eq!(root, Some(tree.root()));
            }
        }
        Message::Evidence(proof) => evidence(&proof.encode()),
        // What agreement makes of the body has targets of its own.
        Message::Shard { .. }
        | Message::Notices(_)
        | Message::Agreement { .. }
        | Message::Transfer
        | Message::Petition
        | Message::Herald { .. }
        | Message::Behind { .. }
        | Message::Progress
        | Message::Walks { .. }
        | Message::Batch
        | Message::Proofs(_)
        | Message::Prove(_)
        | Message::Offer { .. } => {}
    }
}

/// Frames on a stream, whole and in pieces.
pub fn streams() -> Vec<Vec<u8>> {
    let mut stream = Vec::new();
    for frame in messages() {
        framing::append(&mut stream, &Frame::received(frame.into()));
    }
    let large = vec![5; 5000];
    framing::append(&mut stream, &Frame::received(large.into()));
    vec![stream[..stream.len() / 2].to_vec(), stream]
}

/// Frames come out as they lie there, up to the first thing that is none.
pub fn frames(bytes: &[u8]) {
    let mut read = Vec::new();
    futures::executor::block_on(async {
        let mut reader = FrameReader::new(bytes);
        while let Ok(Some(frame)) = reader.next().await {
            assert!(!frame.is_empty());
            framing::append(&mut read, &Frame::received(frame));
        }
    });
    assert!(bytes.starts_with(&read));
}

/// The peers of the conversations; peer 0 is the source.
const PEERS: u8 = 6;
/// The one that is talked to.
const LISTENER: u8 = 1;
/// Who sends a frame, how long after the last one in 10 ms, and how long it is.
const TURN_BYTES: usize = 4;

fn id(number: u8) -> PeerId {
    PeerId([number; 32])
}

fn network() -> Network {
    let genesis = Genesis {
        admission: Admission::Work { bits: 1 },
        name: "fuzz".into(),
        parameters: Parameters::for_peers(PEERS.into()),
        seed: Hash([5; 32]),
        founders: (0..PEERS)
            .map(|number| Founder {
                id: id(number),
                addresses: Vec::new(),
            })
            .collect(),
        publishers: vec![Publisher {
            stream: id(0),
            max_bits_per_s: 8_000_000,
        }],
    };
    genesis.found().expect("the genesis is in order")
}

/// A peer that is linked to all that it wants to be.
fn start(number: u8) -> Peer {
    let view = View::founding(&network(), id(number)).expect("a founder");
    let links = view.links(id(number));
    let setup = Setup {
        view,
        signer: Box::new(Gullible(id(number))),
        verifier: Arc::new(Gullible(id(number))),
        work: Arc::new(Compute),
        publish_from: 0,
    };
    let mut peer = Peer::new(Time::ZERO, setup);
    let begins = Start {
        beacon: SecretKey::derive(&[number; 32], network().id()),
        settings: Settings::default(),
        stored: Stored::default(),
        left: BTreeMap::new(),
        unix_ms: 1_700_000_000_000,
        papers: None,
        nonce: [0; 16],
        forgetful: false,
    };
    peer.agree(&begins).expect("nothing is stored");
    for link in links {
        peer.handle(Time::ZERO, Input::Connected(link));
    }
    peer
}

fn turn(from: u8, pause: u8, frame: &[u8]) -> Vec<u8> {
    [
        &[from, pause][..],
        &(frame.len() as u16).to_le_bytes(),
        frame,
    ]
    .concat()
}

/// What a source sends, then every kind of message.
pub fn conversations() -> Vec<Vec<u8>> {
    let mut source = start(0);
    let mut published = Vec::new();
    for segment in 0..4u64 {
        let cut = Cut {
            payload: vec![segment as u8; 600].into(),
            random_access: segment == 0,
            cut_unix_ms: 0,
        };
        source.handle(
            Time::ZERO + Duration::from_millis(250 * segment),
            Input::Publish(cut),
        );
        while let Some(output) = source.poll() {
            if let Output::Send { frame, .. } = output {
                published.extend(turn(0, 5, &joined(&frame)));
            }
        }
    }
    let every: Vec<u8> = (2..)
        .zip(messages())
        .flat_map(|(from, frame)| turn(from, 1, &frame))
        .collect();
    vec![[&published[..], &every].concat(), every, published]
}

/// A peer stays within its bounds and can always be asked on, whatever its neighbours say and when.
pub fn peer(bytes: &[u8]) {
    let mut peer = start(LISTENER);
    peer.handle(Time::ZERO, Input::Subscribe(0));
    let (mut now, mut wake) = (Time::ZERO, Time::NEVER);
    let mut rest = bytes;
    let mut checks = Vec::new();
    while let Some((&[from, pause, low, high], after)) = rest.split_first_chunk::<TURN_BYTES>() {
        let length = usize::from(u16::from_le_bytes([low, high])).min(after.len());
        let (frame, after) = after.split_at(length);
        rest = after;
        now += Duration::from_millis(u64::from(pause) * 10);
        if wake <= now {
            wake = Time::NEVER;
            peer.handle(now, Input::Wake);
        }
        let frame = Frame::received(Bytes::copy_from_slice(frame));
        let from = id(from % PEERS);
        peer.handle(now, Input::Frame { from, frame });
        while let Some(output) = peer.poll() {
            match output {
                Output::WakeAt(at) => wake = at,
                Output::Deliver(segment) => assert!(!segment.is_empty()),
                Output::Send { to, .. } => assert!(!to.contains(&id(LISTENER))),
                Output::Agreement(Step::Check(name, check)) => checks.push((name, check)),
                Output::Card(_)
                | Output::Connect(_)
                | Output::Release(_)
                | Output::Agreement(_)
                | Output::Event(_) => {}
            }
        }
        for (name, check) in std::mem::take(&mut checks) {
            peer.handle(
                now,
                Input::Checked(name, check.run(&Gullible(id(LISTENER)))),
            );
        }
        let sizes = peer.sizes();
        assert!(sizes.segments <= sizes.segments_max, "{sizes:?}");
        assert!(sizes.held_shards <= sizes.held_shards_max, "{sizes:?}");
    }
}
