//! Members that do not give what they owe lose their places; who gives to most keeps it, whatever others say.

mod town;

use hamlet_overlay::{
    agreement::{
        Part,
        entry::{Act, Reason},
        order::Saying,
    },
    genesis::Parameters,
    identity::PeerId,
    io::Input,
    membership::admission::Admission,
    time::Duration,
};
use town::Town;

const SIZE: u8 = 7;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Two clusters of seven that watch the first founder's stream.
fn town() -> Town {
    let mut town = Town::found(2, SIZE, Admission::Open, |parameters| {
        *parameters = Parameters {
            epoch_ms: 1_000,
            silence_ms: Some(20_000),
            g_min: 3,
            n: 16,
            k: 4,
            ..*parameters
        };
    });
    for id in town.founders() {
        town.input(id, Input::Subscribe(0));
    }
    town.run_for(seconds(2));
    town.publish();
    town
}

/// Who was put out by his fellows, as a member's log has it.
fn put_out(town: &Town, asked: PeerId) -> Vec<PeerId> {
    let left = town
        .log(asked)
        .into_iter()
        .filter_map(|entry| match entry.act {
            Act::Leaves {
                peer,
                why: Reason::Withheld,
            } => Some(peer),
            _ => None,
        });
    left.collect()
}

/// The members of the cluster without the source, or with it.
fn members(town: &Town, with_source: bool) -> Vec<PeerId> {
    let source = town.network.genesis().publishers[0].stream;
    let mut clusters = (0..2).map(|number| town.cluster(number));
    let wanted = clusters.find(|cluster| cluster.contains(&source) == with_source);
    wanted.unwrap()
}

fn withhold(town: &mut Town, from: PeerId, to: &[PeerId]) {
    town.withheld.extend(to.iter().map(|to| (from, *to)));
}

#[test]
fn who_gives_nothing_loses_its_place_and_nobody_else_does() {
    let mut town = town();
    let everybody = town.founders();
    let members = members(&town, false);
    let (liar, witness) = (members[2], members[3]);
    withhold(&mut town, liar, &everybody);
    town.run_for(seconds(25));
    assert_eq!(put_out(&town, witness), [liar]);
    // It walks, and comes to a cluster again; perhaps to this one.
    town.run_for(seconds(20));
    for peer in everybody {
        assert!(put_out(&town, peer).iter().all(|out| *out == liar));
        if peer != liar {
            assert_eq!(town.peers[&peer].standing().unwrap().part, Part::Member);
            let played = &town.played[&peer];
            assert!(played.len() > 160, "{peer:?} played {}", played.len());
        }
    }
}

#[test]
fn the_source_is_no_relay_and_who_gives_most_fellows_enough_stays() {
    let mut town = town();
    let members = members(&town, true);
    let source = town.network.genesis().publishers[0].stream;
    let mut others = members.iter().filter(|peer| **peer != source);
    let starver = *others.next().unwrap();
    let starved: Vec<PeerId> = others.take(3).copied().collect();
    withhold(&mut town, starver, &starved);
    town.run_for(seconds(40));
    for &peer in &members {
        assert_eq!(put_out(&town, peer), []);
        let median = town.peers[&peer].state().unwrap().median_given_by(starver);
        assert!(median > 14, "{median}");
    }
    let state = town.peers[&starved[0]].state().unwrap();
    assert!(
        starved
            .iter()
            .all(|peer| state.given_to(*peer, starver) < 4)
    );
}

#[test]
fn a_cluster_in_which_all_give_says_nothing() {
    let mut town = town();
    town.run_for(seconds(10));
    let witness = members(&town, false)[0];
    let height = |town: &Town| town.peers[&witness].standing().unwrap().height;
    let before = height(&town);
    town.run_for(seconds(30));
    assert_eq!(height(&town), before);
}

#[test]
fn fewer_than_half_of_the_members_slander_in_vain() {
    let mut town = town();
    let members = members(&town, false);
    let (slanderers, victims) = members.split_at(3);
    for &liar in slanderers {
        let given = members.iter().map(|peer| match victims.contains(peer) {
            true => 0,
            false => 16,
        });
        let given: Vec<u8> = given.collect();
        town.say(liar, Saying::Given(given));
    }
    town.run_for(seconds(20));
    for &peer in &members {
        assert_eq!(put_out(&town, peer), []);
    }
}

#[test]
fn a_member_to_whom_hardly_anybody_gives_blames_nobody() {
    let mut town = town();
    let members = members(&town, false);
    let (victim, fellows) = members.split_first().unwrap();
    for &fellow in fellows {
        withhold(&mut town, fellow, &[*victim]);
    }
    town.run_for(seconds(25));
    let state = town.peers[&fellows[0]].state().unwrap();
    for &fellow in fellows {
        assert_eq!(state.given_to(*victim, fellow), 16);
        assert_eq!(put_out(&town, fellow), []);
    }
}
