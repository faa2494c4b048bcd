//! Whole peers over real connections: streams pass, peers die and come back.

mod common;

use common::*;
use hamlet_node::{driver::PublishError, playback::Playback, transport::TransportKind};
use hamlet_overlay::io;
use std::time::Duration;
use tokio::time::timeout;

const PEERS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_reaches_every_peer_over_either_protocol() {
    for kind in [TransportKind::Quic, TransportKind::Tcp] {
        let network = found(PEERS, kind);
        let mut peers = Vec::new();
        for number in 0..PEERS {
            peers.push(start(&network, number, 0).await);
        }
        let mut readers = Vec::new();
        for peer in &peers {
            linked(peer, 0).await;
            readers.push(peer.subscribe(0).await.unwrap());
        }
        for place in 0..8 {
            let segment = peers[0].publish(cut(place)).await.unwrap();
            assert_eq!(segment, place as u64);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for reader in &mut readers {
            for place in 0..8u64 {
                assert_eq!(next(reader, 0).await, place, "{kind:?}");
            }
        }
        let status = peers[1].status().await.unwrap();
        assert!(status.transport.connections > 0);
        assert!(status.transport.wire_sent_bytes > status.transport.sent_bytes_total());
        assert!(serde_json::to_string(&status).is_ok());
        for peer in &peers {
            peer.shutdown().await;
            assert!(peer.status().await.is_err());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_peer_comes_back_into_the_stream() {
    let network = found(PEERS, TransportKind::Quic);
    let mut peers = Vec::new();
    for number in 0..PEERS {
        peers.push(start(&network, number, 0).await);
    }
    for peer in &peers {
        linked(peer, 0).await;
    }
    let victim = peers.pop().unwrap();
    let mut place = 0;
    for _ in 0..4 {
        peers[0].publish(cut(place)).await.unwrap();
        place += 1;
    }
    victim.kill().await;
    assert!(victim.status().await.is_err());
    let returned = start(&network, PEERS - 1, 0).await;
    let mut reader = returned.subscribe(0).await.unwrap();
    linked(&returned, 0).await;
    for peer in &peers {
        linked(peer, 0).await;
    }
    // It joins in mid-stream, and from then on it misses nothing.
    let publishing = async {
        loop {
            peers[0].publish(cut(place)).await.unwrap();
            place += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let reading = async {
        let first = next(&mut reader, 0).await;
        for expected in first + 1..first + 20 {
            assert_eq!(next(&mut reader, 0).await, expected);
        }
    };
    tokio::select! {
        () = publishing => {}
        () = reading => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_is_for_those_who_may_and_within_their_rate() {
    let network = found(PEERS, TransportKind::Quic);
    let source = start(&network, 0, 17).await;
    let other = start(&network, 1, 0).await;
    assert_eq!(
        other.publish(cut(0)).await,
        Err(PublishError::Refused(io::PublishError::NotAPublisher))
    );
    // Numbers go on where they were left.
    assert_eq!(source.publish(cut(0)).await, Ok(17));
    let mut large = cut(1);
    large.payload = vec![1; 200_000].into();
    let mut refused = None;
    for _ in 0..100 {
        if let Err(error) = source.publish(large.clone()).await {
            refused = Some(error);
            break;
        }
    }
    assert!(
        matches!(
            refused,
            Some(PublishError::Refused(
                io::PublishError::OverRate { .. } | io::PublishError::Size { .. }
            ))
        ),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_plays_is_received_no_more_and_can_be_played_again() {
    let network = found(PEERS, TransportKind::Quic);
    let mut peers = Vec::new();
    for number in 0..PEERS {
        peers.push(start(&network, number, 0).await);
    }
    for peer in &peers {
        linked(peer, 0).await;
    }
    let source = peers[0].clone();
    let publishing = tokio::spawn(async move {
        for place in 0.. {
            source.publish(cut(place)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let playback = Playback::new(peers[1].clone(), Duration::from_millis(200));
    let mut before = None;
    for _ in 0..3 {
        let mut player = playback.play(0).await.unwrap();
        // Longer than a stream lives that nobody plays.
        for _ in 0..10 {
            let played = timeout(PATIENCE, player.next()).await.unwrap();
            let number = played.expect("the stream goes on").piece.number;
            assert!(before.is_none_or(|before| number > before), "{number}");
            before = Some(number);
        }
        assert_eq!(playback.heard().await[&0].players, 1);
        drop(player);
        let over = async {
            while !playback.heard().await.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, over).await.expect("it ends");
    }
    publishing.abort();
}
