//! Clusters of whole peers that agree: notes, members that come and go, and what neighbours know of that.

mod town;

use hamlet_consensus::Message as Said;
use hamlet_overlay::{
    agreement::{
        Agreed, Part,
        entry::{Act, Entry, Void},
        order::{MAX_NOTE_BYTES, Motion, Order, Saying},
    },
    identity::PeerId,
    io::{Input, Refusal},
    message::Message,
    time::Duration,
};
use town::Town;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn quick(parameters: &mut hamlet_overlay::genesis::Parameters) {
    parameters.epoch_ms = 1_000;
}

#[test]
fn all_members_hold_the_same_log_of_notes() {
    let mut town = Town::new(1, 4, quick);
    for (number, id) in town.founders().into_iter().enumerate() {
        town.note(id, &format!("note {number}"));
    }
    town.run_for(seconds(2));
    let logs: Vec<Vec<Entry>> = town.founders().iter().map(|id| town.log(*id)).collect();
    assert_eq!(logs[0].len(), 4);
    assert!(logs.iter().all(|log| *log == logs[0]));
    for (id, agreed) in &town.agreed {
        let entries = agreed
            .iter()
            .filter(|agreed| matches!(agreed, Agreed::Entry(_)));
        assert_eq!(entries.count(), 4, "{id:?}: {agreed:?}");
    }
}

#[test]
fn what_is_forged_or_said_by_a_stranger_is_void() {
    let mut town = Town::new(1, 4, quick);
    let [a, b, ..] = town.founders()[..] else {
        panic!()
    };
    let stranger = town.newcomer(99, 0);
    let note = |text: &str| Saying::Note {
        text: text.into(),
        written_unix_ms: 7,
    };
    let Some(Order::Said(mut forged)) = town.peers[&a].say(note("forged")) else {
        panic!()
    };
    forged.by = b;
    let strange = town.peers[&stranger].say(note("strange")).unwrap();
    let long = town.peers[&a].say(note(&"x".repeat(MAX_NOTE_BYTES + 1)));
    for order in [Order::Said(forged), strange, long.unwrap()] {
        town.input(a, Input::Propose(order));
    }
    town.run_for(seconds(2));
    assert_eq!(town.log(b), []);
    let void = town.agreed[&a].iter().filter_map(|agreed| match agreed {
        Agreed::Void(_, why) => Some(*why),
        _ => None,
    });
    let mut void: Vec<Void> = void.collect();
    void.sort_by_key(|why| format!("{why:?}"));
    assert_eq!(void, [Void::Stranger, Void::Stranger, Void::TooLong]);
}

#[test]
fn a_member_that_was_killed_comes_back_with_the_log() {
    let mut town = Town::new(1, 4, quick);
    let [a, b, _, killed] = town.founders()[..] else {
        panic!()
    };
    town.note(a, "first");
    town.run_for(seconds(3));
    town.kill(killed);
    town.note(b, "second");
    town.run_for(seconds(3));
    town.start(killed);
    town.run_for(seconds(5));
    assert_eq!(town.notes(killed), ["first", "second"]);
}

#[test]
fn frames_of_strangers_and_nonsense_are_refused() {
    let mut town = Town::new(1, 4, quick);
    let [me, fellow, ..] = town.founders()[..] else {
        panic!()
    };
    let status = Said::Status(Default::default()).encode();
    let mut refused = |from, message: Message, body: Vec<u8>| {
        let frame = message.frame_with(body.into());
        town.input(me, Input::Frame { from, frame });
        let report = town.peers[&me].report();
        report.refused.keys().copied().collect::<Vec<Refusal>>()
    };
    let agreement = Message::Agreement { epoch: 7 };
    assert_eq!(refused(fellow, agreement.clone(), status.clone()), []);
    let garbage = [
        agreement.clone(),
        Message::Transfer,
        Message::Petition,
        Message::Progress,
    ];
    for message in garbage {
        assert!(refused(fellow, message, vec![255; 40]).contains(&Refusal::Malformed));
    }
    assert!(refused(PeerId([9; 32]), agreement, status).contains(&Refusal::Stranger));
}

#[test]
fn members_are_added_and_removed_when_more_than_f_want_it() {
    let mut town = Town::new(1, 4, quick);
    let founders = town.founders();
    let newcomer = town.newcomer(99, 0);
    let add = Motion::Add(Box::new(town.card(newcomer)));
    town.want(&founders[..1], &add);
    town.run_for(seconds(5));
    assert_eq!(town.peers[&founders[0]].state().unwrap().epoch(), 0);
    assert!(town.peers[&newcomer].state().is_none());
    // One more is enough: at most one of the four may be faulty.
    town.want(&founders[1..2], &add);
    town.run_for(seconds(5));
    let all: Vec<PeerId> = town.peers.keys().copied().collect();
    for &id in &all {
        let state = town.peers[&id].state().unwrap();
        assert_eq!((state.epoch(), state.members()), (1, &all[..]));
        assert_eq!(town.log(id), town.log(founders[0]));
        assert_eq!(town.peers[&id].view().newest().own.members(), all);
    }
    town.note(newcomer, "here I am");
    town.want(&founders[2..], &Motion::Remove(founders[1]));
    town.run_for(seconds(5));
    assert_eq!(town.notes(founders[3]), ["here I am"]);
    let standing = town.peers[&founders[1]].standing().unwrap();
    assert_eq!((standing.epoch, standing.part), (2, Part::Outside));
    assert!(town.agreed[&founders[1]].contains(&Agreed::PutOut(2)));
    let began = town
        .log(newcomer)
        .into_iter()
        .filter_map(|entry| match entry.act {
            Act::Began { joined, left, .. } => Some((joined, left)),
            _ => None,
        });
    let expected = [(vec![newcomer], vec![]), (vec![], vec![founders[1]])];
    assert_eq!(began.collect::<Vec<_>>(), expected);
    // Who was put out and lives can come back.
    let again = Motion::Add(Box::new(town.card(founders[1])));
    town.want(&[newcomer, founders[2]], &again);
    town.run_for(seconds(5));
    let standing = town.peers[&founders[1]].standing().unwrap();
    assert_eq!((standing.epoch, standing.part), (3, Part::Member));
}

#[test]
fn neighbours_follow_the_epochs_of_a_cluster() {
    let mut town = Town::new(3, 4, quick);
    let (here, there) = (town.cluster(0), town.cluster(1));
    let newcomer = town.newcomer(99, 0);
    town.run_for(seconds(1));
    let add = Motion::Add(Box::new(town.card(newcomer)));
    town.want(&here[..2], &add);
    town.run_for(seconds(6));
    for (from, to) in [(&here, 0), (&there, 0), (&town.cluster(2), 0)] {
        for id in from {
            let view = town.peers[id].view().newest().clone();
            let cluster = view.clusters().find(|cluster| cluster.id == to).unwrap();
            assert_eq!(cluster.epoch, 1, "{id:?}");
            assert!(cluster.place(newcomer).is_some());
        }
    }
    let view = town.peers[&newcomer].view().newest().clone();
    assert_eq!(view.clusters().count(), 3);
    assert_eq!(view, town.peers[&here[0]].view().newest().clone());
    // A neighbour changes as well, and the newcomer hears of it.
    town.want(&there[..2], &Motion::Remove(there[3]));
    town.run_for(seconds(6));
    let view = town.peers[&newcomer].view().newest().clone();
    let cluster = view.clusters().find(|cluster| cluster.id == 1).unwrap();
    assert_eq!(cluster.members(), &there[..3]);
}

#[test]
fn who_lost_its_disk_takes_part_again_in_a_later_epoch_and_not_before() {
    let mut town = Town::new(1, 4, quick);
    let [a, b, _, loser] = town.founders()[..] else {
        panic!()
    };
    town.note(a, "before");
    town.run_for(seconds(1));
    town.kill(loser);
    town.lose_disk(loser);
    town.start(loser);
    let standing = town.peers[&loser].standing().unwrap();
    assert_eq!((standing.epoch, standing.part), (0, Part::Waiting));
    town.run_for(seconds(8));
    let standing = town.peers[&loser].standing().unwrap();
    assert_eq!((standing.epoch, standing.part), (1, Part::Member));
    town.note(b, "after");
    town.run_for(seconds(2));
    assert_eq!(town.notes(loser), ["before", "after"]);
    let proved = |agreed: &Vec<Agreed>| {
        agreed
            .iter()
            .any(|agreed| matches!(agreed, Agreed::Proved(_)))
    };
    assert!(!town.agreed.values().any(proved));
    // Once is enough.
    town.run_for(seconds(10));
    assert_eq!(town.peers[&a].standing().unwrap().epoch, 1);
}

#[test]
fn who_was_put_out_while_it_was_away_learns_of_it() {
    let mut town = Town::new(1, 5, quick);
    let founders = town.founders();
    let away = founders[4];
    town.run_for(seconds(1));
    town.kill(away);
    town.want(&founders[..2], &Motion::Remove(away));
    town.run_for(seconds(5));
    town.want(&founders[..2], &Motion::Remove(founders[3]));
    // Long enough that nobody holds the old epochs any more.
    town.run_for(seconds(60));
    assert_eq!(town.peers[&founders[0]].standing().unwrap().epoch, 2);
    town.start(away);
    assert_eq!(
        town.peers[&away].standing().unwrap().part,
        Part::Member,
        "as far as it knows"
    );
    town.run_for(seconds(5));
    let standing = town.peers[&away].standing().unwrap();
    assert_eq!((standing.epoch, standing.part), (2, Part::Outside));
}
