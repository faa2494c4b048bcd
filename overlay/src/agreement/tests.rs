use super::*;
use crate::{
    genesis::{Founder, Genesis, Parameters},
    hash::Hash,
    identity::{Ed25519Signer, Ed25519Verifier},
    io::{Event, Input, Output},
    peer::{Peer, Setup},
    time::Duration,
    work::Compute,
};
use state::Note;
use std::collections::{BTreeMap, VecDeque};

/// A cluster of four whole peers whose frames arrive at once, and what each has on disk.
struct Town {
    now: Time,
    network: Hash,
    views: BTreeMap<PeerId, View>,
    signers: BTreeMap<PeerId, [u8; 32]>,
    peers: BTreeMap<PeerId, Peer>,
    disks: BTreeMap<PeerId, Vec<Vec<u8>>>,
    agreed: BTreeMap<PeerId, Vec<Agreed>>,
    frames: VecDeque<(PeerId, PeerId, Frame)>,
}

impl Town {
    fn new() -> Town {
        let secrets = (1..=4).map(|number| [number; 32]);
        let signers: BTreeMap<PeerId, [u8; 32]> = secrets
            .map(|secret| (Ed25519Signer::from_secret(&secret).id(), secret))
            .collect();
        let founders = signers.keys().map(|&id| Founder {
            id,
            addresses: Vec::new(),
        });
        let genesis = Genesis {
            name: "test".into(),
            parameters: Parameters {
                g_min: 4,
                g_max: 4,
                fault_model: Model::PartialSynchrony,
                ..Parameters::for_peers(16)
            },
            seed: Hash([5; 32]),
            founders: founders.collect(),
            publishers: Vec::new(),
        };
        let network = genesis.found().unwrap();
        let views = signers
            .keys()
            .map(|&id| (id, View::founding(&network, id).unwrap()));
        let mut town = Town {
            now: Time::ZERO,
            network: network.id(),
            views: views.collect(),
            peers: BTreeMap::new(),
            disks: BTreeMap::new(),
            agreed: BTreeMap::new(),
            frames: VecDeque::new(),
            signers,
        };
        let ids: Vec<PeerId> = town.signers.keys().copied().collect();
        ids.into_iter().for_each(|id| town.start(id));
        town
    }

    fn start(&mut self, id: PeerId) {
        let setup = Setup {
            view: self.views[&id].clone(),
            signer: Box::new(self.signer(id)),
            verifier: Arc::new(Ed25519Verifier),
            work: Arc::new(Compute),
            publish_from: 0,
        };
        let mut peer = Peer::new(self.now, setup);
        let start = Start {
            settings: Settings::default(),
            records: self.disks.get(&id).cloned().unwrap_or_default(),
        };
        peer.agree(&start).unwrap();
        self.peers.insert(id, peer);
    }

    fn signer(&self, id: PeerId) -> Ed25519Signer {
        Ed25519Signer::from_secret(&self.signers[&id])
    }

    fn id(&self, number: usize) -> PeerId {
        *self.signers.keys().nth(number).unwrap()
    }

    fn note(&self, by: usize, text: &str) -> Note {
        Note::sign(self.network, &self.signer(self.id(by)), text.into(), 7)
    }

    fn input(&mut self, id: PeerId, input: Input) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.handle(self.now, input);
        let mut checks = Vec::new();
        while let Some(output) = peer.poll() {
            let disk = self.disks.entry(id).or_default();
            match output {
                Output::Agreement(Step::Record(record)) => disk.push(record),
                Output::Agreement(Step::Rewrite(records)) => *disk = records,
                Output::Agreement(Step::Sync) => {}
                Output::Agreement(Step::Check(check)) => checks.push(check),
                Output::Agreement(Step::Send { to, frame, .. }) => {
                    let joined: Bytes = [&frame.head[..], &frame.body[..]].concat().into();
                    let frames = to
                        .into_iter()
                        .map(|to| (id, to, Frame::received(joined.clone())));
                    self.frames.extend(frames);
                }
                Output::Event(Event::Agreed(agreed)) => {
                    self.agreed.entry(id).or_default().push(agreed);
                }
                _ => {}
            }
        }
        for check in checks {
            self.input(id, Input::Checked(check.run(&Ed25519Verifier)));
        }
    }

    fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            while let Some((from, to, frame)) = self.frames.pop_front() {
                self.input(to, Input::Frame { from, frame });
            }
            let ids: Vec<PeerId> = self.peers.keys().copied().collect();
            ids.into_iter().for_each(|id| self.input(id, Input::Wake));
            self.now += Duration::from_millis(10);
        }
    }

    fn texts(&self, number: usize) -> Vec<String> {
        let state = self.peers[&self.id(number)].state().unwrap();
        let text = |entry: &Entry| match &entry.order {
            Order::Note(note) => note.text.clone(),
        };
        state.entries().map(text).collect()
    }
}

#[test]
fn all_members_hold_the_same_log_of_notes() {
    let mut town = Town::new();
    for number in 0..4 {
        let note = town.note(number, &format!("note {number}"));
        town.input(town.id(number), Input::Propose(Order::Note(note)));
    }
    town.run_for(Duration::from_secs(2));
    let texts = town.texts(0);
    assert_eq!(texts.len(), 4);
    for number in 1..4 {
        assert_eq!(town.texts(number), texts);
    }
    for (id, agreed) in &town.agreed {
        let entries = agreed
            .iter()
            .filter(|agreed| matches!(agreed, Agreed::Entry(_)));
        assert_eq!(entries.count(), 4, "{id:?}: {agreed:?}");
    }
}

#[test]
fn a_note_under_another_name_or_by_a_stranger_is_not_entered() {
    let mut town = Town::new();
    let mut forged = town.note(1, "forged");
    forged.by = town.id(2);
    let stranger = Ed25519Signer::from_secret(&[9; 32]);
    let strange = Note::sign(town.network, &stranger, "strange".into(), 7);
    let long = town.note(0, &"x".repeat(state::MAX_NOTE_BYTES + 1));
    for note in [forged, strange, long] {
        town.input(town.id(0), Input::Propose(Order::Note(note)));
    }
    town.run_for(Duration::from_secs(2));
    assert_eq!(town.texts(3), Vec::<String>::new());
    assert!(town.peers[&town.id(3)].standing().unwrap().height > 0);
}

#[test]
fn a_member_that_was_killed_comes_back_with_the_log() {
    let mut town = Town::new();
    let note = town.note(0, "first");
    town.input(town.id(0), Input::Propose(Order::Note(note)));
    town.run_for(Duration::from_secs(1));
    let killed = town.id(3);
    town.peers.remove(&killed);
    let note = town.note(1, "second");
    town.input(town.id(1), Input::Propose(Order::Note(note)));
    town.run_for(Duration::from_secs(3));
    town.start(killed);
    assert_eq!(town.texts(3), ["first"]);
    town.run_for(Duration::from_secs(5));
    assert_eq!(town.texts(3), ["first", "second"]);
}

#[test]
fn frames_of_strangers_and_of_other_epochs_are_refused() {
    let mut town = Town::new();
    let (me, fellow) = (town.id(0), town.id(1));
    let status = consensus::Message::Status(Default::default()).encode();
    let mut refused = |from, epoch, body: Vec<u8>| {
        let frame = Message::Agreement { epoch }.frame_with(body.into());
        town.agreed.clear();
        town.input(me, Input::Frame { from, frame });
        let report = town.peers[&me].report();
        report.refused.keys().copied().collect::<Vec<Refusal>>()
    };
    assert_eq!(refused(fellow, 0, status.clone()), []);
    assert_eq!(refused(fellow, 1, status.clone()), [Refusal::OutOfWindow]);
    assert!(refused(fellow, 0, vec![255; 40]).contains(&Refusal::Malformed));
    assert!(refused(PeerId([9; 32]), 0, status).contains(&Refusal::Stranger));
}
