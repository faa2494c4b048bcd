//! Every behaviour is shown doing what its name says.

use super::*;
use hamlet_overlay::{
    digest::{Digest, Hashes, Header, Tree},
    hash::Hash,
    identity::SimulatedAuthority,
    message::{Message, Notice, Standing},
    set::{ShardSet, SlotSet},
    time::Duration,
    wire::Frame,
};

/// One adversary among honest peers, and what it lets out.
struct Stage {
    behaviour: Box<dyn Behaviour>,
    view: View,
    mind: Mind,
    me: PeerId,
    now: Time,
}

impl Stage {
    /// The adversary is the first member of the first cluster, and the second is its colluder.
    fn of(conduct: &str) -> Stage {
        let network = crate::world::test_scene().network;
        let members = network.clusters()[0].members();
        let conduct: Conduct = conduct.parse().unwrap();
        Stage {
            behaviour: conduct.start(Time::ZERO, Time::NEVER).unwrap(),
            view: View::founding(&network, members[0]).unwrap(),
            mind: Mind::new(members[..2].to_vec()),
            me: members[0],
            now: Time::ZERO,
        }
    }

    fn fellows(&self) -> Vec<PeerId> {
        let epoch = self.view.epochs().last().unwrap();
        let members = epoch.own.members().iter().copied();
        members.filter(|&peer| peer != self.me).collect()
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut dyn Behaviour, &Place) -> T) -> T {
        let place = Place {
            now: self.now,
            me: self.me,
            view: &self.view,
            mind: &self.mind,
        };
        act(&mut *self.behaviour, &place)
    }

    fn sends(&mut self, output: Output) -> Vec<Output> {
        self.with(|behaviour, place| {
            let mut outputs = Vec::new();
            behaviour.output(place, output, &mut outputs);
            outputs
        })
    }

    fn hears(&mut self, input: Input) -> Vec<Output> {
        self.with(|behaviour, place| {
            let mut outputs = Vec::new();
            assert!(behaviour.input(place, input, &mut outputs).is_some());
            outputs
        })
    }

    /// Connects it with all its fellows, and lets it hear of a segment.
    fn hears_of(&mut self, segment: u64) -> Vec<Output> {
        for fellow in self.fellows() {
            assert_eq!(self.hears(Input::Connected(fellow)).len(), 0);
        }
        let from = self.fellows()[1];
        let frame = shard(segment);
        self.hears(Input::Frame { from, frame })
    }
}

fn shard(segment: u64) -> Frame {
    let message = Message::Shard {
        stream: 0,
        segment,
        shard: 3,
    };
    message.frame_with("a shard".into())
}

fn send(to: &[PeerId], frame: Frame, class: Class, segment: u64) -> Output {
    Output::Send {
        to: to.to_vec(),
        frame,
        class,
        stream: Some(0),
        segment,
    }
}

fn receivers(outputs: &[Output]) -> Vec<PeerId> {
    let to = |output: &Output| match output {
        Output::Send { to, .. } => to.clone(),
        _ => Vec::new(),
    };
    outputs.iter().flat_map(to).collect()
}

fn messages(outputs: &[Output]) -> Vec<Message> {
    let message = |output: &Output| match output {
        Output::Send { frame, .. } => Message::decode(frame).ok().map(|(message, _)| message),
        _ => None,
    };
    outputs.iter().filter_map(message).collect()
}

fn notices(outputs: &[Output]) -> Vec<Notice> {
    let of = |message| match message {
        Message::Notices(notices) => notices,
        _ => Vec::new(),
    };
    messages(outputs).into_iter().flat_map(of).collect()
}

fn standing() -> Frame {
    let standing = Notice::Standing {
        stream: 0,
        epoch: (0, 0),
        standing: Standing::default(),
    };
    Message::Notices(vec![standing]).frame()
}

#[test]
fn who_withholds_gives_to_whom_it_likes() {
    let given = |conduct: &str, segment| {
        let mut stage = Stage::of(conduct);
        let fellows = stage.fellows();
        let outputs = stage.sends(send(&fellows, shard(segment), Class::Live, segment));
        receivers(&outputs)
    };
    let stage = Stage::of("withholding");
    let (all, colluder) = (stage.fellows(), stage.fellows()[0]);
    assert_eq!(given("withholding", 0), []);
    assert_eq!(given("silent", 0), []);
    assert_eq!(given("colluders-only", 0), [colluder]);
    assert_eq!(given("partial:0", 0), all);
    assert_eq!(given("partial:100", 0), [colluder]);
    assert_eq!(
        (given("sparing:3", 5), given("sparing:3", 6)),
        (vec![], all)
    );
    // They go on listening, and say what they want.
    let mut stage = Stage::of("silent");
    let said = stage.sends(send(&[colluder], standing(), Class::Notice, 0));
    assert_eq!(receivers(&said), [colluder]);
}

#[test]
fn victims_are_a_share_of_the_honest_and_the_same_for_all() {
    let peer = |number: u16| {
        let mut key = [7; 32];
        key[30..].copy_from_slice(&number.wrapping_mul(40_503).to_be_bytes());
        PeerId(key)
    };
    let mind = Mind::new((0..100).map(peer).collect());
    let victims = |percent| {
        (0..1000)
            .filter(|&number| mind.is_victim(peer(number), percent))
            .count()
    };
    assert_eq!((victims(0), victims(100)), (0, 900));
    assert!((250..290).contains(&victims(30)), "{}", victims(30));
    assert!((0..100).all(|number| !mind.is_victim(peer(number), 100)));
}

#[test]
fn who_never_is_complete_asks_for_everything_and_gives() {
    let mut stage = Stage::of("never-complete");
    let asked = notices(&stage.hears_of(4));
    let wants = |notice: &Notice| matches!(notice, Notice::Want { segment: 3 | 4, shards, digest: true, .. } if *shards == ShardSet::below(8));
    assert!(asked.len() == 2 && asked.iter().all(wants), "{asked:?}");
    assert_eq!(stage.hears_of(4).len(), 0, "once for a segment");
    let fellows = stage.fellows();
    let given = stage.sends(send(&fellows, shard(4), Class::Live, 4));
    assert_eq!(receivers(&given), fellows);
}

#[test]
fn what_a_polluter_gives_is_spoilt() {
    let mut stage = Stage::of("polluter");
    let fellows = stage.fellows();
    let outputs = stage.sends(send(&fellows, shard(0), Class::Live, 0));
    let [Output::Send { frame, to, .. }] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!((to, &frame.head), (&fellows, &shard(0).head));
    assert_ne!(frame.body, shard(0).body);
    let leaves: Hashes = [[1; 16]; 8].into_iter().collect();
    let header = Header {
        stream: 0,
        segment: 0,
        length: 7,
        parity: 0,
        random_access: true,
        cut_unix_ms: 0,
        payload: Hash::default(),
        previous: None,
    };
    let signer = SimulatedAuthority::new([1; 32]).signer(stage.me);
    let signed = Digest::sign(header, leaves.clone(), Hash::default(), &signer).signed;
    let list = Message::Digest {
        signed,
        leaves: leaves.clone(),
    };
    let outputs = stage.sends(send(&fellows, list.frame(), Class::Digest, 0));
    let [Message::Digest { leaves: spoilt, .. }] = &messages(&outputs)[..] else {
        panic!("{outputs:?}")
    };
    assert_ne!(Tree::new(spoilt).root(), Tree::new(&leaves).root());
}

#[test]
fn latecomers_give_everything_after_a_while() {
    let mut stage = Stage::of("late:200");
    let fellows = stage.fellows();
    let shards = send(&fellows, shard(0), Class::Live, 0);
    assert_eq!(stage.sends(shards.clone()).len(), 0);
    assert_eq!(
        stage
            .sends(send(&fellows, standing(), Class::Notice, 0))
            .len(),
        1,
        "requests go out"
    );
    let due = Time::ZERO + Duration::from_millis(200);
    assert_eq!(stage.with(|behaviour, _| behaviour.wake()), due);
    stage.now = due;
    assert_eq!(receivers(&stage.hears(Input::Wake)), fellows);
    assert_eq!(stage.with(|behaviour, _| behaviour.wake()), Time::NEVER);
}

#[test]
fn slanderers_leave_one_honest_slot() {
    let mut stage = Stage::of("slander");
    let fellows = stage.fellows();
    let said = notices(&stage.sends(send(&fellows, standing(), Class::Notice, 0)));
    let [Notice::Standing { standing, .. }] = said[..] else {
        panic!("{said:?}")
    };
    let epoch = stage.view.epochs().last().unwrap();
    let honest: Vec<u8> = (0..8)
        .filter(|&slot| !stage.mind.is_one_of_us(epoch.own.holder(slot)))
        .collect();
    let left = honest
        .iter()
        .filter(|&&slot| !standing.silent.contains(slot));
    assert_eq!(
        (left.count(), usize::from(standing.silent.len())),
        (1, honest.len() - 1)
    );
}

#[test]
fn floods_are_large_and_come_with_every_segment() {
    let mut stage = Stage::of("flood");
    let flood = stage.hears_of(1);
    assert!(messages(&flood).len() < flood.len(), "some is no message");
    let notices = notices(&flood);
    assert!(
        notices
            .iter()
            .filter(|notice| matches!(notice, Notice::Want { .. }))
            .count()
            >= 32
    );
    assert!(notices.contains(&Notice::Lazy {
        stream: 0,
        slots: SlotSet::below(8)
    }));
    assert!(receivers(&flood).len() > 8 * stage.fellows().len());
    assert_eq!(stage.hears_of(1).len(), 0);
    assert!(!stage.hears_of(2).is_empty());
}

#[test]
fn replays_say_again_what_was_said() {
    let mut stage = Stage::of("replay");
    stage.hears_of(1);
    let again = stage.hears_of(2);
    let segment = |message: Message| match message {
        Message::Shard { segment, .. } => segment,
        other => panic!("{other:?}"),
    };
    let segments: Vec<u64> = messages(&again).into_iter().map(segment).collect();
    assert!(
        segments.contains(&1) && segments.contains(&2),
        "{segments:?}"
    );
}

#[test]
fn some_are_satiated_and_some_are_starved() {
    let mut all_fed = Stage::of("satiation:0");
    let fed = receivers(&all_fed.hears_of(1));
    let mut others = all_fed.fellows();
    others.remove(1);
    assert_eq!(fed, others, "all but who gave it");
    let mut none_fed = Stage::of("satiation:100");
    none_fed.hears_of(1);
    let fellows = none_fed.fellows();
    let given = none_fed.sends(send(&fellows, shard(1), Class::Live, 1));
    assert_eq!(receivers(&given), fellows[..1], "the colluder");
}

#[test]
fn on_and_off_by_the_clock() {
    let mut stage = Stage::of("withholding@4/8");
    let fellows = stage.fellows();
    let gives = |stage: &mut Stage, seconds| {
        stage.now = Time::ZERO + Duration::from_secs(seconds);
        !stage
            .sends(send(&fellows, shard(0), Class::Live, 0))
            .is_empty()
    };
    let given: Vec<bool> = (0..12).map(|second| gives(&mut stage, second)).collect();
    let expected: Vec<bool> = (0..12).map(|second| (second / 4) % 2 == 1).collect();
    assert_eq!(given, expected);
}

#[test]
fn conduct_is_written_as_it_is_read() {
    for name in Kind::names() {
        let conduct: Conduct = name.parse().unwrap();
        assert_eq!(conduct.to_string().parse(), Ok(conduct), "{name}");
    }
    let all = "late:120+slander+partial:30@0.5/2";
    assert_eq!(all.parse::<Conduct>().unwrap().to_string(), all);
    for wrong in [
        "",
        "kind",
        "silent:4",
        "late:x",
        "sparing:0",
        "partial:101",
        "silent@5/4",
        "silent@",
    ] {
        assert!(wrong.parse::<Conduct>().is_err(), "{wrong}");
    }
}

/// Doubles what it sees.
struct Twice;

impl Behaviour for Twice {
    fn input(&mut self, _: &Place, input: Input, outputs: &mut Vec<Output>) -> Option<Input> {
        outputs.push(Output::WakeAt(Time::ZERO));
        Some(input)
    }

    fn output(&mut self, _: &Place, output: Output, outputs: &mut Vec<Output>) {
        outputs.extend([output.clone(), output]);
    }
}

#[test]
fn chained_behaviours_see_what_those_before_them_let_out() {
    let outcome = |chain: Vec<Box<dyn Behaviour>>| {
        let mut stage = Stage::of("silent");
        stage.behaviour = Box::new(Chain(chain));
        let fellows = stage.fellows();
        let sent = |class| send(&fellows, Frame::default(), class, 0);
        let sent: Vec<Output> = Class::ALL.map(sent).to_vec();
        let sent: usize = sent
            .into_iter()
            .map(|output| stage.sends(output).len())
            .sum();
        (sent, stage.hears(Input::Wake).len())
    };
    let withhold = || Box::new(Withhold::FromAll);
    assert_eq!(outcome(vec![withhold(), Box::new(Twice)]), (4, 1));
    assert_eq!(outcome(vec![Box::new(Twice), Box::new(Twice)]), (24, 3));
}
