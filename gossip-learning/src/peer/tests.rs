//! A small network of live peers.

use super::*;
use crate::{
    Row, Task,
    model::{Loss, Step},
    protocol::{Merging, Partner, Walk, Weighting},
};

fn terms() -> Terms {
    let step = Step::Capped {
        most: 0.1,
        least: 0.05,
    };
    let merging = Merging {
        partner: Partner::LastReceived,
        weighting: Weighting::Mean,
    };
    Terms {
        learner: Learner::linear(Loss::Squared, 0.0, step, 1, Task::Regression),
        rule: Rule {
            walk: Walk::MergeUpdate,
            merging,
        },
        limits: Limits {
            norm_max: 1e3,
            age_slack: 64,
        },
        rows_most: 8,
        rows_least: 1,
        triangles_least: 1,
        reach: 0,
    }
}

/// Peers 0 to 19 hold the label 0, peers 20 to 39 the label 10.
fn peers() -> Vec<GossipPeer> {
    let label = |peer: u64| if peer < 20 { 0.0 } else { 10.0 };
    let made = (0..40).map(|peer| {
        let mut rows = Rows::dense(1);
        rows.push(Row::Dense(&[1.0]), label(peer));
        GossipPeer::new(terms(), rows, peer)
    });
    made.collect()
}

/// Circles of near neighbours in each half, `shift` apart in it, and a link from each peer across.
fn links(peer: u64, shift: u64) -> Vec<u64> {
    let (half, place) = (peer / 20 * 20, peer % 20);
    let near = [1, 2, 18, 19].map(|step| half + (place + step * shift) % 20);
    near.into_iter().chain([(peer + 20) % 40]).collect()
}

fn run(peers: &mut [GossipPeer], rounds: u32) {
    for _ in 0..rounds {
        for peer in 0..peers.len() {
            peers[peer].round();
            deliver(peers);
        }
    }
}

fn deliver(peers: &mut [GossipPeer]) {
    for from in 0..peers.len() {
        while let Some((to, message)) = peers[from].poll() {
            peers[to as usize].receive(from as u64, message).unwrap();
        }
    }
}

#[test]
fn local_models_stay_in_their_community_and_global_ones_meet_while_links_change() {
    let mut peers = peers();
    for shift in [1, 3, 7] {
        for (name, peer) in (0u64..).zip(&mut peers) {
            peer.link(links(name, shift));
        }
        deliver(&mut peers);
        run(&mut peers, 60);
        for (name, peer) in (0u64..).zip(&peers) {
            assert!(
                !peer.supports((name + 20) % 40),
                "peer {name}, shift {shift}"
            );
        }
    }
    for (name, peer) in peers.iter().enumerate() {
        let own = if name < 20 { 0.0 } else { 10.0 };
        assert!(
            (peer.model(Kind::Local).0[0] - own).abs() < 0.1,
            "peer {name}"
        );
        assert!(
            (peer.model(Kind::Global).0[0] - 5.0).abs() < 2.5,
            "peer {name}"
        );
    }
}

fn links_told(links: &[PeerName]) -> Message {
    Message::Links {
        links: links.to_vec(),
        reached: Vec::new(),
    }
}

#[test]
fn a_liar_cannot_vouch_for_itself() {
    let mut peer = GossipPeer::new(terms(), Rows::dense(1), 1);
    peer.link([2, 3, 9]);
    peer.receive(9, links_told(&[1, 2, 3, 9])).unwrap();
    assert!(!peer.supports(9));
    // But it does vouch for 2 and 3, which is all that it can do.
    assert!(peer.supports(2) && peer.supports(3));
    peer.receive(2, links_told(&[9])).unwrap();
    assert!(peer.supports(9));
}

#[test]
fn models_that_do_not_fit_and_models_of_strangers_change_nothing() {
    let mut peer = GossipPeer::new(terms(), Rows::dense(1), 1);
    peer.link([2]);
    let model = |weights, age| Message::Model {
        kind: Kind::Global,
        age,
        weights,
    };
    assert!(peer.receive(2, model(vec![f32::NAN], 1)).is_err());
    assert!(peer.receive(2, model(vec![1.0, 2.0], 1)).is_err());
    assert!(peer.receive(2, model(vec![1.0], u32::MAX)).is_err());
    assert_eq!(peer.receive(7, model(vec![1.0], 1)), Ok(()));
    assert_eq!(peer.model(Kind::Global), (&[0.0f32][..], 0));
}

/// Cliques of four in each half, each peer with a link to the next clique of its half and one across.
fn cliques(peer: u64) -> Vec<u64> {
    let (half, place) = (peer / 20 * 20, peer % 20);
    let own = (0..4).map(|member| half + place / 4 * 4 + member);
    let around = [4, 16].map(|step| half + (place + step) % 20);
    own.filter(|link| *link != peer)
        .chain(around)
        .chain([(peer + 20) % 40])
        .collect()
}

#[test]
fn small_cliques_learn_from_sisters_that_fit_and_not_from_the_other_half() {
    let spread = |reach: usize| {
        let made = (0..40u64).map(|peer| {
            // Cliques of one half hold labels about 0 to 4, those of the other about 100, three more or less.
            let off = if peer % 2 == 0 { -3.0 } else { 3.0 };
            let label = (peer / 20 * 100 + peer % 20 / 4) as f32 + off;
            let mut rows = Rows::dense(1);
            rows.push(Row::Dense(&[1.0]), label);
            let terms = Terms { reach, ..terms() };
            GossipPeer::new(terms, rows, peer)
        });
        let mut peers: Vec<GossipPeer> = made.collect();
        for (name, peer) in (0u64..).zip(&mut peers) {
            peer.link(cliques(name));
        }
        run(&mut peers, 200);
        let local = |peer: &GossipPeer| peer.model(Kind::Local).0[0];
        let near: Vec<f32> = peers[..20].iter().map(local).collect();
        assert!(near.iter().all(|model| *model < 10.0), "{near:?}");
        let mean = |clique: &[f32]| clique.iter().sum::<f32>() / 4.0;
        mean(&near[16..]) - mean(&near[..4])
    };
    // The first clique's mean label is 0, the last one's 4.
    let (alone, together) = (spread(0), spread(100));
    assert!(alone > 3.5, "{alone}");
    assert!(together < 1.0, "{together}");
}
