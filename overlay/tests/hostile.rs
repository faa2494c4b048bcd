//! What a peer does with what it should not have been sent.

mod common;

use bytes::Bytes;
use common::{World, id};
use hamlet_overlay::{
    genesis::Parameters,
    identity::SimulatedAuthority,
    io::{Class, Cut, Event, Input, Output, Refusal, StopReason},
    message::{MAX_NOTICES, Message, Notice, Standing},
    peer::{Peer, Setup},
    set::Set64,
    time::{Duration, Time},
    view::View,
    wire::Frame,
    work::Compute,
};
use proptest::prelude::*;
use std::{cell::RefCell, rc::Rc, sync::Arc};

/// A running network, and all frames that were sent in it with sender and receiver.
fn recorded(segments: u64) -> (World, Vec<(usize, usize, Frame)>) {
    let mut world = World::new(16, Parameters::for_peers(16));
    let record = Rc::new(RefCell::new(Vec::new()));
    let recorder = record.clone();
    world.filter = Box::new(move |from, to, _, frame| {
        recorder.borrow_mut().push((from, to, frame.clone()));
        true
    });
    world.run_for(Duration::from_millis(500));
    world.publish(segments, 8_000);
    world.filter = Box::new(|_, _, _, _| true);
    let frames = record.take();
    (world, frames)
}

fn joined(frame: &Frame) -> Vec<u8> {
    [&frame.head[..], &frame.body[..]].concat()
}

fn receive(world: &mut World, from: usize, to: usize, bytes: Vec<u8>) {
    world.input(
        to,
        Input::Frame {
            from: id(from),
            frame: Frame::received(bytes.into()),
        },
    );
    let sizes = world.peers[to].as_ref().unwrap().sizes();
    assert!(sizes.segments <= sizes.segments_max, "{sizes:?}");
    assert!(sizes.held_shards <= sizes.held_shards_max, "{sizes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Three of the peers send them; nobody has to deal with those any more, and all others go on.
    #[test]
    fn mutilated_and_replayed_frames_stop_nobody(
        changes in proptest::collection::vec((any::<u32>(), any::<u32>(), 0u8..6, any::<u8>()), 200),
    ) {
        let (mut world, mut frames) = recorded(6);
        frames.retain(|(from, _, _)| *from >= 13);
        for (which, place, kind, value) in changes {
            let (from, to, frame) = &frames[which as usize % frames.len()];
            let mut bytes = joined(frame);
            let place = place as usize % bytes.len();
            match kind {
                0 => bytes.truncate(place),
                1 => bytes[place] ^= value | 1,
                2 => bytes.extend_from_slice(&[value; 64]),
                3 => bytes = vec![value; place],
                4 => bytes.insert(place, value),
                _ => {}
            }
            receive(&mut world, *from, *to, bytes);
        }
        world.publish(6, 8_000);
        world.run_for(Duration::from_secs(3));
        for number in 0..13 {
            prop_assert_eq!(world.delivered[number].len(), 12, "peer {}", number);
        }
    }
}

#[test]
fn who_gave_something_false_is_dealt_with_no_more() {
    let (mut world, frames) = recorded(2);
    let shard = |(_, _, frame): &&(usize, usize, Frame)| {
        matches!(
            Message::decode(frame),
            Ok((Message::Shard { segment: 1, .. }, _))
        )
    };
    let (from, to, frame) = frames.iter().find(shard).unwrap();
    let mut spoilt = joined(frame);
    *spoilt.last_mut().unwrap() ^= 1;
    receive(&mut world, *from, *to, spoilt);
    receive(&mut world, *from, *to, joined(frame));
    let peer = world.peers[*to].as_ref().unwrap();
    let refused = &peer.report().refused_from[&id(*from)];
    assert_eq!(refused.get(&Refusal::Mismatch), Some(&1));
    assert_eq!(refused.get(&Refusal::Distrusted), Some(&1));
    // Nothing is owed to it either.
    let sent = Rc::new(RefCell::new(0));
    let (count, liar, victim) = (sent.clone(), *from, *to);
    world.filter = Box::new(move |from, to, class, _| {
        *count.borrow_mut() += usize::from(from == victim && to == liar && class == Class::Live);
        true
    });
    world.publish(4, 8_000);
    world.run_for(Duration::from_secs(2));
    assert_eq!(sent.take(), 0);
    assert_eq!(world.delivered[*to].len(), 6, "others make up for it");
}

#[test]
fn requests_before_their_time_are_answered_for_their_own_segment_only() {
    let mut world = World::new(16, Parameters::for_peers(16));
    let answered = Rc::new(RefCell::new(Vec::<(usize, u64)>::new()));
    let record = answered.clone();
    world.filter = Box::new(move |from, to, _, frame| {
        if from == 1
            && let Ok((Message::Shard { segment, .. }, _)) = Message::decode(frame)
        {
            record.borrow_mut().push((to, segment));
        }
        true
    });
    // The stream begins with segment 3.
    world.kill(0);
    world.start(0, 3);
    world.run_for(Duration::from_millis(500));
    let epoch = world.peers[1]
        .as_ref()
        .unwrap()
        .view()
        .epochs()
        .last()
        .unwrap()
        .clone();
    let fellow = (2..16)
        .find(|&number| epoch.own.place(id(number)).is_some())
        .unwrap();
    let want = Notice::Want {
        stream: 0,
        segment: 0,
        shards: Set64::below(8),
        digest: false,
    };
    receive(
        &mut world,
        fellow,
        1,
        joined(&Message::Notices(vec![want]).frame()),
    );
    world.publish(1, 8_000);
    world.run_for(Duration::from_secs(1));
    let given = answered
        .borrow()
        .iter()
        .filter(|(to, _)| *to == fellow)
        .count();
    assert!(given < 8, "{given} shards of another segment");
}

#[test]
fn a_source_with_two_faces_is_proved_and_stopped_everywhere() {
    let (mut world, _) = recorded(4);
    // A second instance with the same key says something else of segment 3.
    let authority: SimulatedAuthority = world.authority.clone();
    let setup = Setup {
        view: View::founding(&world.network, id(0)).unwrap(),
        signer: Box::new(authority.signer(id(0))),
        verifier: Arc::new(authority),
        work: Arc::new(Compute),
        publish_from: 3,
    };
    let mut twin = Peer::new(Time::ZERO, setup);
    let links = twin.view().links(id(0));
    for &peer in &links {
        twin.handle(world.now, Input::Connected(peer));
    }
    let cut = Cut {
        payload: Bytes::from(vec![1; 8_000]),
        random_access: true,
        cut_unix_ms: 0,
    };
    twin.handle(world.now, Input::Publish(cut));
    while let Some(output) = twin.poll() {
        let Output::Send { to, frame, .. } = output else {
            continue;
        };
        for peer in to {
            let to = (0..16).find(|&number| id(number) == peer).unwrap();
            receive(&mut world, 0, to, joined(&frame));
        }
    }
    world.run_for(Duration::from_secs(1));
    for number in 1..16 {
        let proof = world
            .events
            .iter()
            .find_map(|(_, peer, event)| match event {
                Event::Stopped {
                    why: StopReason::Equivocation(proof),
                    ..
                } if *peer == number => Some(proof),
                _ => None,
            });
        let proof = proof.unwrap_or_else(|| panic!("peer {number} has no proof"));
        assert!(proof.verify(id(0), world.network.id(), &world.authority));
        let stopped = world.peers[number].as_ref().unwrap().report().streams[&0]
            .stopped
            .clone();
        assert!(stopped.unwrap().contains("contradictory"));
    }
}

#[test]
fn relays_drop_what_exceeds_the_rate_of_the_certificate() {
    let mut world = World::new(16, Parameters::for_peers(16));
    // The source believes in a higher rate than the network's certificate names.
    let mut view = View::founding(&world.network, id(0)).unwrap();
    view.publishers[0].max_bits_per_s *= 10;
    world.kill(0);
    world.start_with(0, 0, view);
    world.run_for(Duration::from_millis(500));
    world.publish(40, 300_000);
    world.run_for(Duration::from_secs(3));
    for number in 1..16 {
        let bytes: usize = world.delivered[number]
            .iter()
            .map(|segment| segment.len())
            .sum();
        // What passes is the rate over the whole time and one burst of the window's length.
        assert!(
            bytes as f64 <= 2.2e6 / 8.0 * 13.5 + 2.5e6,
            "peer {number} played {bytes} bytes"
        );
    }
    assert!((1..16).any(|number| world.refused(number).contains(&Refusal::OverRate)));
}

#[test]
fn each_kind_of_trespass_is_counted_against_its_sender() {
    let (mut world, frames) = recorded(4);
    let view = View::founding(&world.network, id(1)).unwrap();
    let fellow = *view
        .epochs()
        .next()
        .unwrap()
        .own
        .members()
        .iter()
        .find(|&&peer| peer != id(1))
        .unwrap();
    let fellow = (0..16).find(|&number| id(number) == fellow).unwrap();
    let kinds = |world: &World| world.peers[1].as_ref().unwrap().report().refused;
    let shard = |stream, segment, shard| {
        joined(
            &Message::Shard {
                stream,
                segment,
                shard,
            }
            .frame_with(Bytes::from_static(b"a shard")),
        )
    };

    receive(&mut world, fellow, 1, vec![0xff; 40]);
    receive(&mut world, fellow, 1, shard(9, 0, 0));
    receive(&mut world, fellow, 1, shard(0, 1_000_000, 0));
    receive(&mut world, fellow, 1, shard(0, u64::MAX, 0));
    receive(&mut world, fellow, 1, shard(0, 3, u8::MAX));
    for number in 0..8 {
        receive(&mut world, fellow, 1, shard(0, 4, number));
    }
    let (_, _, replay) = frames
        .iter()
        .find(|(from, to, frame)| (*from, *to) == (fellow, 1) && !frame.body.is_empty())
        .expect("a fellow gave a shard");
    receive(&mut world, fellow, 1, joined(replay));
    let many = Notice::Want {
        stream: 0,
        segment: 3,
        shards: Set64(u64::MAX),
        digest: true,
    };
    for _ in 0..20 {
        receive(
            &mut world,
            fellow,
            1,
            joined(&Message::Notices(vec![many; MAX_NOTICES]).frame()),
        );
    }
    for number in [0, 3, u64::MAX] {
        let have = Notice::Have {
            stream: 0,
            segment: number,
            shard: u8::MAX,
        };
        let want = Notice::Want {
            stream: 0,
            segment: number,
            shards: Set64(1),
            digest: true,
        };
        receive(
            &mut world,
            fellow,
            1,
            joined(&Message::Notices(vec![have]).frame()),
        );
        receive(
            &mut world,
            fellow,
            1,
            joined(&Message::Notices(vec![want]).frame()),
        );
    }
    let idle = Notice::Standing {
        stream: 0,
        epoch: (0, 99),
        standing: Standing::default(),
    };
    receive(
        &mut world,
        fellow,
        1,
        joined(&Message::Notices(vec![idle]).frame()),
    );
    world.input(
        1,
        Input::Frame {
            from: hamlet_overlay::identity::PeerId([9; 32]),
            frame: Frame::default(),
        },
    );

    let seen = kinds(&world);
    for kind in [
        Refusal::Malformed,
        Refusal::UnlistedPublisher,
        Refusal::OutOfWindow,
        Refusal::NotOwed,
        Refusal::Duplicate,
        Refusal::TooManyRequests,
        Refusal::Stranger,
    ] {
        assert!(seen.contains_key(&kind), "{kind:?} is not among {seen:?}");
    }
    let blamed = world.peers[1].as_ref().unwrap().report().refused_from;
    assert!(blamed[&id(fellow)].contains_key(&Refusal::NotOwed));
    // What one fellow may ask for is bounded whatever it says.
    let asked_for: u64 = 4 * 4 * 2_000 + 100_000;
    let sent = world.peers[1].as_ref().unwrap().report().sent_bytes.clone();
    assert!(
        sent.get(&hamlet_overlay::io::Class::Pull)
            .copied()
            .unwrap_or(0)
            < asked_for
    );
}
