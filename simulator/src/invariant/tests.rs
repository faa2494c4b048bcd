//! Every invariant is shown what breaks it.

use super::{Invariant, Step, bounds, duty, order, origin};
use crate::{scene::Published, scene::Scene, world};
use hamlet_overlay::{
    identity::PeerId,
    io::{Class, Segment},
    message::{Message, Notice, Standing},
    peer::Sizes,
    push::duty::{Rotation, rotation},
    set::{Set64, ShardSet, SlotSet},
    time::Time,
};

/// A scene of four clusters in which segment 0 was published.
fn scene() -> Scene {
    let mut scene = world::test_scene();
    scene.publish(
        0,
        Published::new(0, Time::ZERO, "to be played".into(), true),
    );
    scene
}

fn segment(number: u64) -> Segment {
    Segment {
        stream: 0,
        number,
        payload: vec!["to be ".into(), "played".into()],
        random_access: true,
        discontinuity: false,
        cut_unix_ms: 0,
    }
}

#[test]
fn what_the_source_did_not_cut_is_noticed() {
    let scene = scene();
    let check = |change: fn(&mut Segment)| {
        let mut segment = segment(0);
        change(&mut segment);
        origin::SignedContent.check(&scene, Time::ZERO, 1, Step::Delivered(&segment))
    };
    assert_eq!(check(|_| {}), Ok(()));
    assert!(check(|segment| segment.payload[1] = "p1ayed".into()).is_err());
    assert!(check(|segment| segment.payload.push("!".into())).is_err());
    assert!(check(|segment| segment.payload.truncate(1)).is_err());
    assert!(check(|segment| segment.random_access = false).is_err());
    assert!(
        check(|segment| segment.number = 1).is_err(),
        "never published"
    );
}

#[test]
fn disorder_repetition_and_silent_gaps_are_noticed() {
    let scene = scene();
    let check = |numbers: &[(u64, bool)]| {
        let mut rule = order::InOrderOnce::default();
        numbers.iter().all(|&(number, discontinuity)| {
            let segment = Segment {
                discontinuity,
                ..segment(number)
            };
            rule.check(&scene, Time::ZERO, 1, Step::Delivered(&segment))
                .is_ok()
        })
    };
    assert!(check(&[(3, true), (4, false), (6, true)]));
    assert!(!check(&[(3, true), (3, false)]), "twice");
    assert!(!check(&[(3, true), (2, false)]), "backwards");
    assert!(!check(&[(3, true), (5, false)]), "a gap that is not told");
}

#[test]
fn holding_too_much_is_noticed() {
    let scene = scene();
    let check = |segments, held_shards| {
        let sizes = Sizes {
            segments,
            segments_max: 3,
            held_shards,
            held_shards_max: 5,
        };
        bounds::WithinBounds
            .check(&scene, Time::ZERO, 1, Step::Holds(sizes))
            .is_ok()
    };
    assert!(check(3, 5));
    assert!(!check(4, 5));
    assert!(!check(3, 6));
}

#[test]
fn shards_for_those_they_are_not_owed_to_are_noticed() {
    let scene = scene();
    let parameters = scene.network.parameters();
    let (n, k) = (parameters.n, parameters.k);
    let by = rotation(scene.rotation_beacon, 0, 0, n);
    let index = |peer: PeerId| scene.directory.index(peer).unwrap();
    let cluster =
        &scene.network.clusters()[scene.governing(0, 0).cluster(scene.sources[0]).id as usize];
    let neighbour = scene.network.neighbours(cluster.id as usize)[0];
    // A shard whose relay is not the source.
    let slot = (0..n)
        .find(|&slot| index(cluster.holder(slot)) != scene.sources[0])
        .unwrap();
    let shard = Rotation { by, n, k }.shard(slot);
    let relay = index(cluster.holder(slot));
    let fellow = |but: &[PeerId]| {
        *cluster
            .members()
            .iter()
            .find(|peer| !but.contains(peer))
            .unwrap()
    };
    let bystander = fellow(&[cluster.holder(slot), scene.directory.id(scene.sources[0])]);
    let across = neighbour.holder(slot);
    let other_across = *neighbour
        .members()
        .iter()
        .find(|&&peer| peer != across)
        .unwrap();

    let message = Message::Shard {
        stream: 0,
        segment: 0,
        shard,
    };
    let frame = message.frame_with("a shard".into());
    let mut rule = duty::OwedOnly::new(scene.directory.len());
    let mut sends = |from: usize, to: PeerId| {
        let sent = Step::Sent {
            to: &[to],
            frame: &frame,
            class: Class::Live,
        };
        rule.check(&scene, Time::ZERO, from, sent).is_ok()
    };
    assert!(sends(relay, bystander), "its relay owes it to a fellow");
    assert!(sends(relay, across), "and to the same slot next door");
    assert!(!sends(relay, other_across), "to nobody else there");
    assert!(
        sends(scene.sources[0], cluster.holder(slot)),
        "the source gives first copies"
    );
    assert!(!sends(scene.sources[0], bystander), "to relays only");
    assert!(
        !sends(index(bystander), cluster.holder(slot)),
        "a bystander owes nothing"
    );

    let want = Notice::Want {
        stream: 0,
        segment: 0,
        shards: ShardSet::one(shard),
        digest: false,
    };
    let asked = Message::Notices(vec![want]).frame();
    let received = Step::Received {
        from: relay,
        frame: &asked,
        class: Class::Notice,
    };
    let mut rule = duty::OwedOnly::new(scene.directory.len());
    assert_eq!(
        rule.check(&scene, Time::ZERO, index(bystander), received),
        Ok(())
    );
    let answer = |to: &PeerId, rule: &mut duty::OwedOnly| {
        let sent = Step::Sent {
            to: &[*to],
            frame: &frame,
            class: Class::Pull,
        };
        rule.check(&scene, Time::ZERO, index(bystander), sent)
            .is_ok()
    };
    assert!(
        answer(&cluster.holder(slot), &mut rule),
        "who asked is answered"
    );
    assert!(!answer(&other_across, &mut rule), "who did not is not");
}

#[test]
fn what_a_fellow_tells_after_a_segment_began_changes_no_duty() {
    let scene = scene();
    let (n, k) = (scene.network.parameters().n, scene.network.parameters().k);
    let by = rotation(scene.rotation_beacon, 0, 0, n);
    let rotation = Rotation { by, n, k };
    let cluster =
        &scene.network.clusters()[scene.governing(0, 0).cluster(scene.sources[0]).id as usize];
    let index = |slot| scene.directory.index(cluster.holder(slot)).unwrap();
    // All slots but the substitute's are called silent, so that it owes the lowest of their shards.
    let shard = (0..k)
        .find(|&shard| {
            let others = [rotation.slot(shard), (rotation.slot(shard) + 1) % n];
            !others.map(index).contains(&scene.sources[0]) && index(others[0]) != index(others[1])
        })
        .unwrap();
    let relay = rotation.slot(shard);
    let (substitute, fellow) = (index((relay + 1) % n), index(relay));
    let mine = cluster.slots_of(scene.directory.id(substitute));
    let standing = |silent| Standing {
        silent,
        extra: 0,
        idle: false,
    };
    let all_but_mine = SlotSet::below(n).without(mine);
    let frame = Message::Shard {
        stream: 0,
        segment: 0,
        shard,
    }
    .frame_with("a shard".into());
    let sends = |told: &[SlotSet]| {
        let mut rule = duty::OwedOnly::new(scene.directory.len());
        for &silent in told {
            let notice = Notice::Standing {
                stream: 0,
                epoch: (0, 0),
                standing: standing(silent),
            };
            let received = Step::Received {
                from: fellow,
                frame: &Message::Notices(vec![notice]).frame(),
                class: Class::Notice,
            };
            assert_eq!(rule.check(&scene, Time::ZERO, substitute, received), Ok(()));
        }
        let sent = Step::Sent {
            to: &[scene.directory.id(fellow)],
            frame: &frame,
            class: Class::Live,
        };
        rule.check(&scene, Time::ZERO, substitute, sent).is_ok()
    };
    let others = SlotSet::below(n).without(SlotSet::one(relay));
    let flood: Vec<SlotSet> = (0..100)
        .map(|turn| Set64(turn).intersection(others))
        .collect();
    assert!(!sends(&[]), "nothing is silent, so nothing is owed");
    assert!(sends(&[all_but_mine]));
    assert!(!sends(&flood));
    assert!(sends(&[&[all_but_mine], &flood[..]].concat()));
}
