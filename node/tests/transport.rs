//! The transport by itself: real sockets on the loopback address, both protocols.

use bytes::Bytes;
use hamlet_node::transport::{
    Parcel, Transport, TransportEvent, TransportKind,
    shape::LinkShape,
    swarm::{Swarm, SwarmConfig, protocol_names},
};
use hamlet_overlay::{
    hash::Hash,
    identity::{Ed25519Signer, PeerId, Signer},
    io::Class,
    wire::Frame,
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);
const NETWORK: Hash = Hash([7; 32]);

fn secret(number: u8) -> [u8; 32] {
    [number; 32]
}

fn id(number: u8) -> PeerId {
    Ed25519Signer::from_secret(&secret(number)).id()
}

fn any_port(kind: TransportKind) -> String {
    match kind {
        TransportKind::Quic => "/ip4/127.0.0.1/udp/0/quic-v1".to_owned(),
        TransportKind::Tcp => "/ip4/127.0.0.1/tcp/0".to_owned(),
    }
}

fn config(
    number: u8,
    listen: String,
    others: &[(u8, String)],
    prefer: TransportKind,
) -> SwarmConfig {
    SwarmConfig {
        me: id(number),
        secret: secret(number),
        seed: secret(number),
        protocols: protocol_names(NETWORK),
        listen: vec![listen],
        addresses: others
            .iter()
            .map(|(number, address)| (id(*number), vec![address.clone()]))
            .collect::<BTreeMap<_, _>>(),
        upload_bits_per_s: None,
        prefer,
        shape: LinkShape::default(),
        visitors: false,
        metrics: None,
    }
}

/// Two peers, of which the one with the lower key knows the other's address.
async fn pair(kind: TransportKind, change: impl Fn(&mut SwarmConfig)) -> [(Swarm, PeerId); 2] {
    let (lower, higher) = if id(1) < id(2) { (1, 2) } else { (2, 1) };
    let mut first = config(higher, any_port(kind), &[], kind);
    change(&mut first);
    let mut first = Swarm::start(first).await.unwrap();
    let known = [(higher, first.listening()[0].clone())];
    let mut second = config(lower, any_port(kind), &known, kind);
    change(&mut second);
    let mut second = Swarm::start(second).await.unwrap();
    first.connect(id(lower));
    second.connect(id(higher));
    [(second, id(lower)), (first, id(higher))]
}

fn parcel(class: Class, bytes: impl Into<Bytes>) -> Parcel {
    Parcel {
        frame: Frame::received(bytes.into()),
        class,
        stream: None,
        segment: 0,
    }
}

fn send(swarm: &mut Swarm, to: PeerId, parcel: Parcel) {
    swarm.send(&[to], parcel);
    swarm.flush();
}

async fn next(swarm: &mut Swarm) -> TransportEvent {
    timeout(PATIENCE, swarm.next())
        .await
        .expect("the transport says something")
        .expect("the transport goes on")
}

async fn connected(swarm: &mut Swarm, peer: PeerId) {
    loop {
        if matches!(next(swarm).await, TransportEvent::Connected(other) if other == peer) {
            return;
        }
    }
}

async fn disconnected(swarm: &mut Swarm, peer: PeerId) {
    loop {
        if matches!(next(swarm).await, TransportEvent::Disconnected(other) if other == peer) {
            return;
        }
    }
}

async fn frame(swarm: &mut Swarm) -> (PeerId, Bytes) {
    loop {
        if let TransportEvent::Frame { from, frame, .. } = next(swarm).await {
            return (from, frame.head);
        }
    }
}

#[tokio::test]
async fn both_protocols_carry_frames_both_ways_and_count_them() {
    for kind in [TransportKind::Quic, TransportKind::Tcp] {
        let [(mut one, one_id), (mut other, other_id)] = pair(kind, |_| {}).await;
        tokio::join!(connected(&mut one, other_id), connected(&mut other, one_id));
        let large = Bytes::from(vec![9; 900_000]);
        send(&mut one, other_id, parcel(Class::Live, large.clone()));
        send(&mut one, other_id, parcel(Class::Pull, &b"pulled"[..]));
        send(&mut other, one_id, parcel(Class::Control, &b"answer"[..]));
        assert_eq!(
            frame(&mut one).await,
            (other_id, Bytes::from_static(b"answer"))
        );
        let mut came = [frame(&mut other).await.1, frame(&mut other).await.1];
        came.sort_by_key(Bytes::len);
        assert_eq!(came, [Bytes::from_static(b"pulled"), large]);
        let report = one.report();
        assert_eq!(report.connections, 1, "{kind:?}");
        assert_eq!(report.sent_bytes[&Class::Live], 900_004);
        assert_eq!(report.sent_bytes[&Class::Pull], 10);
        assert_eq!(report.received_bytes, 10);
        let wire = report.wire_sent_bytes;
        assert!(
            (900_000..1_100_000).contains(&wire),
            "{kind:?}: {wire} bytes on the wire"
        );
        one.close().await;
        disconnected(&mut other, one_id).await;
    }
}

#[tokio::test]
async fn a_visitor_is_taken_up_or_sent_away() {
    for (kind, host, guest) in [(TransportKind::Quic, 1, 2), (TransportKind::Tcp, 2, 1)] {
        let mut closed = Swarm::start(config(host, any_port(kind), &[], kind))
            .await
            .unwrap();
        let mut open = config(host, any_port(kind), &[], kind);
        open.visitors = true;
        let mut open = Swarm::start(open).await.unwrap();
        let known = [(host, closed.listening()[0].clone())];
        let mut visitor = Swarm::start(config(guest, any_port(kind), &known, kind))
            .await
            .unwrap();
        visitor.connect(id(host));
        // Whoever takes no visitors hears nothing of them.
        let heard = timeout(Duration::from_secs(3), closed.next()).await;
        assert!(heard.is_err(), "{heard:?}");
        visitor.learn(id(host), open.listening());
        while !matches!(next(&mut open).await, TransportEvent::Visitor(peer) if peer == id(guest)) {
        }
        open.connect(id(guest));
        tokio::join!(
            connected(&mut open, id(guest)),
            connected(&mut visitor, id(host))
        );
        send(
            &mut visitor,
            id(host),
            parcel(Class::Control, &b"let me in"[..]),
        );
        assert_eq!(frame(&mut open).await.1, "let me in");
        // Who is not wanted any more is a visitor again when it comes back.
        open.release(id(guest));
        disconnected(&mut visitor, id(host)).await;
        while !matches!(next(&mut open).await, TransportEvent::Visitor(peer) if peer == id(guest)) {
        }
    }
}

#[tokio::test]
async fn a_peer_that_restarts_is_connected_again() {
    for kind in [TransportKind::Quic, TransportKind::Tcp] {
        let [(mut one, one_id), (mut other, other_id)] = pair(kind, |_| {}).await;
        tokio::join!(connected(&mut one, other_id), connected(&mut other, one_id));
        let address = other.listening()[0].clone();
        drop(other);
        disconnected(&mut one, other_id).await;
        let number = if id(1) == other_id { 1 } else { 2 };
        // The system may take a moment to free the port.
        let mut other = loop {
            match Swarm::start(config(number, address.clone(), &[], kind)).await {
                Ok(swarm) => break swarm,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        other.connect(one_id);
        tokio::join!(connected(&mut one, other_id), connected(&mut other, one_id));
        send(&mut one, other_id, parcel(Class::Live, &b"again"[..]));
        assert_eq!(frame(&mut other).await.1, "again");
    }
}

/// What a peer hears of another one, up to a frame with these bytes.
async fn heard(swarm: &mut Swarm, peer: PeerId, last: &[u8]) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        match next(swarm).await {
            TransportEvent::Connected(other) if other == peer => heard.push("connected".to_owned()),
            TransportEvent::Disconnected(other) if other == peer => {
                heard.push("disconnected".to_owned());
            }
            TransportEvent::Frame { from, frame, .. } if from == peer => {
                heard.push(String::from_utf8(frame.head.to_vec()).unwrap());
                if frame.head == last {
                    return heard;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn both_sides_begin_anew_together_and_miss_nothing_that_is_said_from_then_on() {
    for kind in [TransportKind::Quic, TransportKind::Tcp] {
        // Each side is killed in its turn: the one that leads, and the one that follows.
        for kill_first in [false, true] {
            let mut peers = pair(kind, |_| {}).await;
            if kill_first {
                peers.reverse();
            }
            let [(mut one, one_id), (mut other, other_id)] = peers;
            tokio::join!(connected(&mut one, other_id), connected(&mut other, one_id));
            let (own, known) = (other.listening()[0].clone(), one.listening()[0].clone());
            other.vanish();
            let number = if id(1) == other_id { 1 } else { 2 };
            let again = async {
                let known = [(3 - number, known)];
                let mut other = loop {
                    match Swarm::start(config(number, own.clone(), &known, kind)).await {
                        Ok(swarm) => break swarm,
                        Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                    }
                };
                other.connect(one_id);
                connected(&mut other, one_id).await;
                send(&mut other, one_id, parcel(Class::Control, &b"at once"[..]));
                assert_eq!(frame(&mut other).await.1, "answer");
            };
            let staying = async {
                let heard = heard(&mut one, other_id, b"at once").await;
                assert_eq!(heard, ["disconnected", "connected", "at once"], "{kind:?}");
                send(&mut one, other_id, parcel(Class::Control, &b"answer"[..]));
                disconnected(&mut one, other_id).await;
            };
            tokio::join!(again, staying);
        }
    }
}

#[tokio::test]
async fn strangers_and_other_networks_are_not_heard() {
    let kind = TransportKind::Quic;
    let mut host = Swarm::start(config(1, any_port(kind), &[], kind))
        .await
        .unwrap();
    let address = host.listening()[0].clone();
    host.connect(id(2));

    // Nobody asked for peer 3.
    let mut stranger = Swarm::start(config(3, any_port(kind), &[(1, address.clone())], kind))
        .await
        .unwrap();
    stranger.connect(id(1));
    timeout(PATIENCE, async {
        while host.report().strangers_refused == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the stranger is refused");

    // Peer 2 is wanted, but belongs to another network.
    let mut foreign = config(2, any_port(kind), &[(1, address)], kind);
    foreign.protocols = protocol_names(Hash([8; 32]));
    let mut foreign = Swarm::start(foreign).await.unwrap();
    foreign.connect(id(1));
    timeout(PATIENCE, async {
        while host.report().connections_made == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the keys fit, so a connection is made");
    let nobody = timeout(Duration::from_millis(500), host.next()).await;
    assert!(nobody.is_err(), "{nobody:?}");
    assert_eq!(host.report().connections, 0);
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_it() {
    for kind in [TransportKind::Quic, TransportKind::Tcp] {
        let first = Swarm::start(config(1, any_port(kind), &[], kind))
            .await
            .unwrap();
        let taken = first.listening()[0].clone();
        let error = match Swarm::start(config(2, taken.clone(), &[], kind)).await {
            Ok(_) => panic!("two listeners on {taken}"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(&taken), "{error}");
    }
}

#[tokio::test]
async fn the_upload_cap_holds_and_live_frames_go_before_repairs() {
    let [(mut one, one_id), (mut other, other_id)] = pair(TransportKind::Quic, |config| {
        config.upload_bits_per_s = Some(4_000_000);
    })
    .await;
    tokio::join!(connected(&mut one, other_id), connected(&mut other, one_id));
    let shard = Bytes::from(vec![1; 10_000]);
    for _ in 0..20 {
        one.send(&[other_id], parcel(Class::Backlog, shard.clone()));
    }
    for _ in 0..60 {
        one.send(&[other_id], parcel(Class::Live, shard.clone()));
    }
    let start = std::time::Instant::now();
    one.flush();
    for _ in 0..60 {
        frame(&mut other).await;
    }
    // At most the bucket's first filling and a batch of repairs may have gone besides.
    let report = one.report();
    assert!(report.sent_bytes[&Class::Backlog] <= 100_000, "{report:?}");
    for _ in 0..20 {
        frame(&mut other).await;
    }
    // 800 KB at 500 KB a second: nothing can make it quicker than the cap.
    assert!(start.elapsed() > Duration::from_millis(1_400));
}

#[tokio::test]
async fn shaping_delays_and_loses_frames_and_the_sender_pays_for_them() {
    let [(mut one, one_id), (mut other, other_id)] = pair(TransportKind::Quic, |config| {
        config.shape = LinkShape {
            delay: Duration::from_millis(200),
            loss: 0.5,
            bits_per_s: None,
        };
    })
    .await;
    tokio::join!(connected(&mut one, other_id), connected(&mut other, one_id));
    let start = std::time::Instant::now();
    for _ in 0..200 {
        one.send(&[other_id], parcel(Class::Live, &b"maybe"[..]));
    }
    one.flush();
    frame(&mut other).await;
    assert!(start.elapsed() >= Duration::from_millis(200));
    let report = one.report();
    assert_eq!(report.sent_bytes[&Class::Live], 200 * 9);
    assert!((50..150).contains(&report.lost_frames), "{report:?}");
    let mut came = 1;
    while came + report.lost_frames < 200 {
        frame(&mut other).await;
        came += 1;
    }
}
