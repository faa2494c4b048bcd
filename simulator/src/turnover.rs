//! One cluster whose members change again and again, in virtual time, while nothing goes wrong but that some are silent:
//! for figures. Links have one fixed delay; signatures are cheap, but as long as real ones.

use crate::{
    agenda::Agenda,
    torture::{CheapKeys, succession::society},
};
use hamlet_consensus::{
    Epoch, FaultModel, Message, Settings, Terms,
    hash::Hash,
    identity::PeerId,
    succession::{Input, Output, Parcel, Stored, Succession, Transfer},
    time::Time,
    vote::Vote,
};
use society::{Fate, Order, Society};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Bytes before each message between members: the epoch's name.
const TAG_BYTES: u64 = 8;

/// What a cluster is like.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// How many members there are at any time.
    pub members: u8,
    /// How many of them say nothing, and stay.
    pub silent: u8,
    /// How many of the others are replaced in each epoch, by peers that are no members.
    pub replaced: u8,
    /// The delay of every link.
    pub link: Duration,
    /// How long an epoch lasts at least: the next change is wanted no earlier.
    pub epoch: Duration,
    /// What replicas are set to.
    pub settings: Settings,
}

/// What changing the members cost and how long it took.
#[derive(Clone, Debug, Default)]
pub struct Turnover {
    /// How many epochs began.
    pub epochs: u64,
    /// Virtual time in sum.
    pub elapsed: Duration,
    /// From wanting a change until every honest member of the next epoch had begun, on average and at most.
    pub change_mean: Duration,
    /// See above.
    pub change_max: Duration,
    /// The same for the first newcomer that had begun, on average.
    pub newcomer_mean: Duration,
    /// Bytes that an honest member sent per second, on average.
    pub sent_bytes_per_s: f64,
    /// The same, by what was sent.
    pub by_message: BTreeMap<&'static str, f64>,
}

struct World {
    setup: Setup,
    keys: CheapKeys,
    peers: Vec<Option<Succession<Society>>>,
    alarms: Vec<u64>,
    /// To whom, and what comes from whom; nothing for a wake-up.
    agenda: Agenda<(u8, Option<(PeerId, Parcel)>)>,
    now: u64,
    sent_bytes: BTreeMap<&'static str, u64>,
}

/// Changes members so many times.
///
/// # Panics
/// If the setup is impossible: more silent members than may be faulty, or more than 64 members.
pub fn run(setup: Setup, changes: u64) -> Turnover {
    let faults = FaultModel::PartialSynchrony.faults(setup.members.into());
    assert!(usize::from(setup.silent) <= faults, "too many are silent");
    World::new(setup).run(changes)
}

impl World {
    fn new(setup: Setup) -> World {
        let keys = CheapKeys::new(1);
        let all = setup.members + setup.replaced;
        let members = (0..setup.members).map(CheapKeys::id).collect();
        let epoch = Epoch::new(Hash([1; 32]), Hash([2; 32]), 0, Terms::default(), members);
        let epoch = Arc::new(epoch.unwrap_or_else(|error| panic!("impossible: {error}")));
        let start = |peer: u8| {
            let (signer, society) = (Arc::new(keys.signer(peer)), Society::new(&epoch, 0));
            let (settings, stored) = (setup.settings, Stored::default());
            let started = Succession::start(
                epoch.clone(),
                signer,
                society,
                settings,
                &stored,
                Time::ZERO,
            );
            started.unwrap_or_else(|error| panic!("cannot start: {error}"))
        };
        let mut world = World {
            setup,
            keys,
            peers: (0..all)
                .map(|peer| (peer >= setup.silent).then(|| start(peer)))
                .collect(),
            alarms: vec![u64::MAX; all.into()],
            agenda: Agenda::default(),
            now: 0,
            sent_bytes: BTreeMap::new(),
        };
        (setup.silent..all).for_each(|peer| world.handle(peer, Input::Wake));
        world
    }

    fn run(mut self, changes: u64) -> Turnover {
        let mut figures = Turnover::default();
        let (mut sum, mut newcomers) = (0, 0);
        let mut members: Vec<u8> = (0..self.setup.members).collect();
        let mut spare: Vec<u8> =
            (self.setup.members..self.setup.members + self.setup.replaced).collect();
        let cluster = Hash([2; 32]);
        for number in 0..changes {
            let wanted_at = self.now;
            let silent = usize::from(self.setup.silent);
            let replaced = usize::from(self.setup.replaced);
            let newest = spare.clone();
            spare = members.splice(silent..silent + replaced, []).collect();
            members.extend(&newest);
            let order = Order::Change(cluster, number, members.clone(), Fate::Alone);
            // Any member that stays may want it.
            let wants = members[silent];
            self.handle(wants, Input::Submit(vec![order.encode()]));
            let first =
                self.until(|world| newest.iter().any(|peer| world.has_begun(*peer, number + 1)));
            let honest = members[silent..].to_vec();
            let all =
                self.until(|world| honest.iter().all(|peer| world.has_begun(*peer, number + 1)));
            newcomers += first - wanted_at;
            sum += all - wanted_at;
            let took = Duration::from_micros(all - wanted_at);
            figures.change_max = figures.change_max.max(took);
            let next = wanted_at + self.setup.epoch.as_micros() as u64;
            self.until(|world| world.now >= next);
        }
        let honest = f64::from(self.setup.members - self.setup.silent);
        let elapsed = Duration::from_micros(self.now);
        let share = 1.0 / honest / elapsed.as_secs_f64().max(1e-9);
        let by_message: BTreeMap<&'static str, f64> = (self.sent_bytes.iter())
            .map(|(kind, bytes)| (*kind, *bytes as f64 * share))
            .collect();
        Turnover {
            epochs: changes,
            elapsed,
            change_mean: Duration::from_micros(sum / changes.max(1)),
            newcomer_mean: Duration::from_micros(newcomers / changes.max(1)),
            sent_bytes_per_s: by_message.values().sum(),
            by_message,
            ..figures
        }
    }

    fn has_begun(&self, peer: u8, number: u64) -> bool {
        (self.peers[usize::from(peer)].as_ref())
            .and_then(|peer| peer.replica())
            .is_some_and(|replica| replica.epoch().number() >= number)
    }

    /// Lets everything happen until something is so; when that was.
    fn until(&mut self, enough: impl Fn(&World) -> bool) -> u64 {
        while !enough(self) {
            let Some((at, (to, heard))) = self.agenda.take() else {
                panic!("nothing happens any more");
            };
            self.now = at;
            match heard {
                Some((from, parcel)) => self.handle(to, Input::Parcel { from, parcel }),
                None if self.alarms[usize::from(to)] <= at => {
                    self.alarms[usize::from(to)] = u64::MAX;
                    self.handle(to, Input::Wake);
                }
                None => {}
            }
        }
        self.now
    }

    fn handle(&mut self, peer: u8, input: Input) {
        let now = Time::from_micros(self.now);
        let Some(mut succession) = self.peers[usize::from(peer)].take() else {
            return;
        };
        succession.handle(now, input);
        while let Some(output) = succession.poll() {
            match output {
                Output::Send(to, parcel) => {
                    let bytes = match &parcel {
                        Parcel::Agreement(_, message) => TAG_BYTES + message.encode().len() as u64,
                        Parcel::Transfer(transfer) => transfer.encode().len() as u64,
                    };
                    let at = self.now + self.setup.link.as_micros() as u64;
                    for to in to {
                        *self.sent_bytes.entry(kind(&parcel)).or_default() += bytes;
                        let heard = (CheapKeys::id(peer), parcel.clone());
                        self.enter(at, to.0[0], Some(heard));
                    }
                }
                Output::Check(name, check) => {
                    let verdict = check.run(&self.keys);
                    succession.handle(now, Input::Checked(name, verdict));
                }
                Output::WakeAt(at) if at < Time::NEVER => {
                    self.alarms[usize::from(peer)] = at.as_micros();
                    self.enter(at.as_micros().max(self.now), peer, None);
                }
                _ => {}
            }
        }
        self.peers[usize::from(peer)] = Some(succession);
    }

    fn enter(&mut self, at: u64, to: u8, heard: Option<(PeerId, Parcel)>) {
        self.agenda.enter(at, (to, heard));
    }
}

/// What a parcel is, in a word.
fn kind(parcel: &Parcel) -> &'static str {
    match parcel {
        Parcel::Agreement(_, message) => match &**message {
            Message::Vote(signed) => match signed.vote {
                Vote::Seal(_) => "seal_share",
                _ => "vote",
            },
            Message::Proposal(_) => "proposal",
            Message::Certificates(_) => "certificates",
            Message::Commands(_) => "commands",
            Message::Status(_) => "status",
            Message::RequestSeal(_) => "seal_request",
            _ => "catch_up",
        },
        Parcel::Transfer(transfer) => match transfer {
            Transfer::Handovers(_) => "handovers",
            Transfer::Established(..) => "established",
            Transfer::Follow(_) => "follow",
            _ => "state",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_change_again_and_again_whether_or_not_some_are_silent() {
        for silent in [0, 3] {
            let setup = Setup {
                members: 10,
                silent,
                replaced: 2,
                link: Duration::from_millis(20),
                epoch: Duration::ZERO,
                settings: Settings::default(),
            };
            let figures = run(setup, 12);
            assert_eq!(figures.epochs, 12);
            assert!(figures.newcomer_mean <= figures.change_mean);
            let shortest = setup.link * 4;
            assert!(figures.change_mean >= shortest, "{figures:?}");
        }
    }
}
