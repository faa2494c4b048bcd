//! What goes into peers and what they want done.

use super::{Happening, World};
use bytes::Bytes;
use hamlet_overlay::{
    agreement::{Agreed, Step},
    identity::PeerId,
    io::{Class, Event, Input, Output},
    peer::Peer,
    time::Time,
    wire::Frame,
};

impl World {
    pub(super) fn input(&mut self, peer: PeerId, input: Input) {
        let now = self.time();
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        state.handle(now, input);
        self.drain(peer);
    }

    pub(super) fn drain(&mut self, peer: PeerId) {
        let (mut checks, mut connect, mut released) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(output) = self.peers.get_mut(&peer).and_then(Peer::poll) {
            match output {
                Output::Agreement(Step::Check(name, check)) => checks.push((name, check)),
                Output::Agreement(Step::Send { to, frame, .. }) => {
                    *self.control.entry(peer).or_default() += (frame.len() * to.len()) as u64;
                    self.post(peer, &to, &frame);
                }
                Output::Send {
                    to, frame, class, ..
                } => {
                    match class {
                        Class::Control => {
                            *self.control.entry(peer).or_default() +=
                                (frame.len() * to.len()) as u64;
                        }
                        Class::Live => {
                            let now = self.now;
                            let arrival = self.arrivals.get_mut(&peer);
                            arrival.map(|arrival| arrival.relays.get_or_insert(now));
                        }
                        _ => {}
                    }
                    self.post(peer, &to, &frame);
                }
                Output::Agreement(step) => self.shelves.entry(peer).or_default().carry_out(step),
                Output::Event(Event::Agreed(agreed)) => {
                    let cluster = self.peers[&peer].view().newest().own.id;
                    if let (Agreed::Began(_), Some(arrival)) =
                        (&agreed, self.arrivals.get_mut(&peer))
                    {
                        arrival.began.get_or_insert(self.now);
                    }
                    let silent = &self.silent;
                    let honest = |peer: PeerId| !silent.contains(&peer);
                    self.oracle.agreed(cluster, peer, &agreed, honest);
                    if self.plan.is_gentle() {
                        self.oracle.put_out(cluster, &agreed, honest);
                    }
                }
                Output::Event(Event::Convicted { culprit, .. }) => {
                    let honest = !self.silent.contains(&culprit);
                    self.oracle.convicted(peer, culprit, honest);
                }
                Output::Connect(other) => {
                    self.wants.insert((peer, other));
                    connect.push(other);
                }
                Output::Release(other) => {
                    self.wants.remove(&(peer, other));
                    released.push(other);
                }
                Output::WakeAt(at) if at < Time::NEVER => {
                    self.agenda
                        .enter(at.as_micros().max(self.now), Happening::Wake(peer));
                }
                Output::Deliver(segment) => {
                    let gentle = self.plan.is_gentle();
                    self.oracle.played(peer, segment.number, gentle);
                }
                Output::WakeAt(_) | Output::Card(_) | Output::Event(_) => {}
            }
        }
        let own = self.peers[&peer].view().newest().own.clone();
        self.oracle.knows(peer, own);
        for other in connect {
            self.connect(peer, other);
        }
        for other in released {
            self.input(other, Input::Disconnected(peer));
        }
        for (name, check) in checks {
            let verdict = check.run(&self.authority);
            self.input(peer, Input::Checked(name, verdict));
        }
    }

    fn post(&mut self, from: PeerId, to: &[PeerId], frame: &Frame) {
        let joined: Bytes = [&frame.head[..], &frame.body[..]].concat().into();
        let loss = if self.well { 0 } else { self.plan.loss };
        for &to in to {
            let linked = self.wants.contains(&(from, to)) && self.wants.contains(&(to, from));
            self.messages += 1;
            if linked && !self.dice.chance(loss) {
                let (low, high) = self.plan.latency;
                let at = self.now + self.dice.within(low, high);
                self.agenda.enter(
                    at,
                    Happening::Frame(from, to, Frame::received(joined.clone())),
                );
            }
        }
    }
}
