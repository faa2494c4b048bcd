//! Whoever contradicts itself, as a source or as a member, is proved guilty to all: it loses its place, finds none while it is
//! barred, and comes back when its term is over. Nobody else does.

mod town;

use hamlet_consensus::{
    Message as Said,
    block::BlockId,
    vote::{SignedVote, Vote},
};
use hamlet_overlay::{
    agreement::{
        Agreed, Part,
        entry::{Act, Reason},
        order::Saying,
    },
    digest::{Digest, Equivocation, Header, leaf},
    evidence::{Evidence, Kind, Votes},
    genesis::Parameters,
    hash::Hash,
    identity::PeerId,
    io::Input,
    membership::admission::{Admission, Credential},
    message::Message,
    time::Duration,
    wire::Frame,
};
use town::Town;

const CLUSTERS: u8 = 4;
const SIZE: u8 = 5;
const TERM: Duration = Duration::from_secs(40);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn town() -> Town {
    let mut town = Town::found(CLUSTERS, SIZE, Admission::Open, |parameters| {
        *parameters = Parameters {
            epoch_ms: 1_000,
            g_min: 4,
            n: 16,
            k: 6,
            silence_ms: Some(6_000),
            bar_ms: TERM.as_millis() as u32,
            ..*parameters
        };
    });
    for id in town.founders() {
        town.input(id, Input::Subscribe(0));
    }
    town.run_for(seconds(1));
    town.publish();
    town.run_for(seconds(4));
    town
}

/// Two digests of a segment by the town's only source.
fn two_digests(town: &Town) -> Evidence {
    let signer = town.signer(town.source());
    let digest = |length| {
        let header = Header {
            stream: 0,
            segment: 90_000,
            length,
            parity: 2,
            random_access: true,
            cut_unix_ms: 0,
            payload: Hash([7; 32]),
            previous: None,
        };
        let leaves = (0..16).map(|shard| leaf(&[shard])).collect();
        Digest::sign(header, leaves, town.network.id(), &signer).claim()
    };
    Evidence::Digests(Box::new(Equivocation {
        first: digest(1_000),
        second: digest(999),
    }))
}

/// Somebody brings something to a peer.
fn bring(town: &mut Town, from: PeerId, to: PeerId, evidence: &Evidence) {
    let message = Message::Evidence(Box::new(evidence.clone()));
    let frame = Frame::received(message.frame().head);
    town.input(to, Input::Frame { from, frame });
}

fn cluster_of(town: &Town, peer: PeerId) -> u64 {
    town.peers[&peer].standing().unwrap().cluster
}

/// Whether a peer is a member of a cluster, as that cluster's members say.
fn has_a_place(town: &Town, peer: PeerId) -> bool {
    let others = town.peers.iter().filter(|(other, _)| **other != peer);
    let mut states = others.filter_map(|(_, other)| other.state());
    states.any(|state| state.members().contains(&peer))
}

fn barred_by(town: &Town, culprit: PeerId) -> Vec<u64> {
    let bars = |id: &&PeerId| {
        let state = town.peers.get(*id).and_then(|peer| peer.state());
        state.is_some_and(|state| state.is_barred(culprit))
    };
    let founders = town.founders();
    let mut clusters: Vec<u64> = (founders.iter().filter(bars))
        .map(|id| cluster_of(town, *id))
        .collect();
    clusters.sort_unstable();
    clusters.dedup();
    clusters
}

/// Nobody but the culprit is accused, barred, or put out for anything but moving house.
fn nobody_else_is_accused(town: &Town, culprit: PeerId) {
    for peer in town.peers.values() {
        for evidence in peer.evidence() {
            let publishers = &town.network.genesis().publishers;
            assert_eq!(evidence.culprit(publishers), Some(culprit));
        }
        for entry in peer.state().into_iter().flat_map(|state| state.entries()) {
            match &entry.act {
                Act::Barred { peer, .. } | Act::Served { peer } => assert_eq!(*peer, culprit),
                Act::Leaves {
                    peer,
                    why: Reason::Barred,
                } => assert_eq!(*peer, culprit),
                _ => {}
            }
        }
    }
}

#[test]
fn a_source_that_contradicts_itself_is_barred_everywhere_and_comes_back_after_its_term() {
    let mut town = town();
    let source = town.source();
    let home = cluster_of(&town, source);
    let elsewhere = town
        .founders()
        .into_iter()
        .find(|id| cluster_of(&town, *id) != home);
    let (first, from) = (elsewhere.unwrap(), town.neighbour_of(elsewhere.unwrap()));
    let evidence = two_digests(&town);
    bring(&mut town, from, first, &evidence);
    town.run_for(seconds(8));
    assert_eq!(barred_by(&town, source), [0, 1, 2, 3]);
    assert!(!has_a_place(&town, source));
    for (id, disk) in &town.disks {
        assert_eq!(disk.evidence.len(), 1, "{id}");
    }
    // It asks for a walk all the time, and gets none.
    town.run_for(TERM - seconds(12));
    assert!(!has_a_place(&town, source) && barred_by(&town, source).len() == 4);
    town.run_for(seconds(90));
    assert!(barred_by(&town, source).is_empty());
    assert!(has_a_place(&town, source), "it may come back");
    assert_eq!(town.peers[&source].standing().unwrap().part, Part::Member);
    nobody_else_is_accused(&town, source);
}

#[test]
fn a_member_that_votes_twice_is_barred_and_those_who_were_away_hear_of_it() {
    let mut town = town();
    let members = town.cluster(1);
    let (culprit, fellow) = (members[0], members[1]);
    let away = *town.cluster(2).last().unwrap();
    town.kill(away);
    // It tells a fellow two stories of a view that has not come yet.
    let epoch = town.epoch_of(fellow);
    let (height, view) = (town.peers[&fellow].standing().unwrap().height + 1, 9);
    let view = town.peers[&fellow].standing().unwrap().view + view;
    let signer = town.signer(culprit);
    for hash in [1, 2] {
        let block = BlockId {
            view,
            height,
            hash: Hash([hash; 32]),
        };
        let vote = SignedVote::new(Vote::Support(block), &epoch, &signer);
        let finalize = SignedVote::new(Vote::Finalize(block), &epoch, &signer);
        let vote = if hash == 1 { vote } else { finalize };
        let body = Said::Vote(vote).encode();
        let name = hamlet_consensus::succession::tag(&epoch);
        let frame = Message::Agreement { epoch: name }.frame_with(body.into());
        let joined = [&frame.head[..], &frame.body[..]].concat();
        let frame = Frame::received(joined.into());
        town.input(
            fellow,
            Input::Frame {
                from: culprit,
                frame,
            },
        );
    }
    town.run_for(seconds(8));
    assert_eq!(barred_by(&town, culprit), [0, 1, 2, 3]);
    assert!(!has_a_place(&town, culprit));
    let found = town.peers[&fellow].evidence().next().unwrap();
    assert_eq!(found.kind(), Kind::TwoVotes);
    town.start(away);
    town.run_for(seconds(5));
    assert_eq!(
        town.peers[&away].evidence().count(),
        1,
        "it was offered what is known"
    );
    nobody_else_is_accused(&town, culprit);
}

#[test]
fn what_was_kept_is_checked_again_when_a_peer_starts() {
    let mut town = town();
    let founders = town.founders();
    let (one, other) = (founders[3], founders[4]);
    let good = two_digests(&town);
    let Evidence::Digests(mut proof) = good.clone() else {
        unreachable!();
    };
    proof.second.signed.header.length += 1;
    for id in [one, other] {
        town.kill(id);
    }
    town.disk_of(one).evidence = vec![Evidence::Digests(proof)];
    town.disk_of(other).evidence = vec![good];
    town.start(one);
    town.run_for(seconds(1));
    assert_eq!(town.peers[&one].evidence().count(), 0);
    town.start(other);
    town.run_for(seconds(8));
    assert_eq!(barred_by(&town, town.source()), [0, 1, 2, 3]);
}

#[test]
fn who_brings_something_false_is_listened_to_no_more() {
    let mut town = town();
    let founders = town.founders();
    let to = founders[3];
    let from = town.neighbour_of(to);
    let good = two_digests(&town);
    let Evidence::Digests(mut proof) = good.clone() else {
        unreachable!();
    };
    proof.second.signed.header.length += 1;
    let refused = |town: &Town| town.peers[&to].report().refused.clone();
    let checks = hamlet_overlay::io::Refusal::Mismatch;
    for _ in 0..100 {
        bring(&mut town, from, to, &Evidence::Digests(proof.clone()));
    }
    assert_eq!(refused(&town)[&checks], 1, "signatures are checked once");
    // A key that is not known costs nothing, and nobody is made to keep it.
    bring(&mut town, from, to, &good);
    assert_eq!(town.peers[&to].evidence().count(), 0);
    let another = town.fellow_of(to);
    bring(&mut town, another, to, &good);
    assert_eq!(town.peers[&to].evidence().count(), 1);
    let unknown = Votes {
        epoch: Hash([1; 32]),
        votes: hamlet_consensus::evidence::Evidence {
            culprit: PeerId([9; 32]),
            first: SignedVote {
                vote: Vote::Nullify(1),
                signature: hamlet_overlay::identity::Signature([0; 64]),
            },
            second: SignedVote {
                vote: Vote::Abandon(1),
                signature: hamlet_overlay::identity::Signature([0; 64]),
            },
        },
        credential: Credential::Key,
    };
    bring(&mut town, another, to, &Evidence::Votes(Box::new(unknown)));
    assert_eq!(town.peers[&to].evidence().count(), 1);
}

#[test]
fn a_peer_that_lost_its_disk_and_is_called_takes_part_in_no_epoch_that_it_forgot() {
    let mut town = town();
    let id = town.newcomer(100, 0);
    town.run_for(seconds(50));
    assert!(has_a_place(&town, id));
    let cluster = cluster_of(&town, id);
    let fellow = town.fellow_of(id);
    // It begins an epoch in which nobody hears it, so that its fellows call it.
    let others = town.founders();
    town.cut = others.iter().map(|other| (id, *other)).collect();
    let before = town.peers[&id].standing().unwrap().epoch;
    let leaves = town.cluster(cluster as usize);
    let leaves = leaves.into_iter().find(|other| *other != fellow);
    town.say(leaves.unwrap(), Saying::Leave);
    town.run_for(seconds(4));
    let forgotten = town.peers[&id].standing().unwrap();
    assert_eq!((forgotten.cluster, forgotten.part), (cluster, Part::Member));
    assert!(forgotten.epoch > before);
    town.kill(id);
    town.lose_disk(id);
    town.cut.clear();
    let known = town.agreed[&id].len();
    town.start(id);
    town.run_for(seconds(60));
    // Where it is now it may have been before.
    let mut there = None;
    for agreed in &town.agreed[&id][known..] {
        match agreed {
            Agreed::Moved(to) => there = Some(*to),
            Agreed::Began(epoch) if there == Some(cluster) => {
                assert!(*epoch > forgotten.epoch, "{epoch} again");
            }
            _ => {}
        }
    }
    assert_eq!(town.peers[&id].standing().unwrap().part, Part::Member);
    assert!(town.peers.values().all(|peer| peer.evidence().count() == 0));
}
