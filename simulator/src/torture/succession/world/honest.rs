//! The honest peers: their disks and crashes, and what becomes of what they want done.

use super::{Event, World};
use crate::torture::{disk::Disk, oracle::Violation, succession::society::Society};
use hamlet_consensus::{
    io::Refusal,
    storage::Storage,
    succession::{Input, Output, Store, Stored, Succession},
    time::Time,
    wire,
};
use std::sync::Arc;

impl World {
    /// The time by a peer's own clock.
    fn local(&self, peer: u8) -> Time {
        Time::from_micros(self.now * self.plan.clocks[usize::from(peer)] / 1000)
    }

    /// When a peer's clock will show this time.
    fn global(&self, peer: u8, local: Time) -> u64 {
        let rate = self.plan.clocks[usize::from(peer)].into();
        let global = (u128::from(local.as_micros()) * 1000).div_ceil(rate);
        global.min(u64::MAX.into()) as u64
    }

    pub(super) fn crash(&mut self, peer: u8) {
        let node = &mut self.nodes[usize::from(peer)];
        if node.succession.take().is_none() {
            return;
        }
        for (_, disk) in node.stores.values_mut() {
            disk.crash(&mut self.dice);
        }
        node.alarm = u64::MAX;
        // What only this peer knew is lost with it.
        self.due.retain(|_, holder| *holder != peer);
        let later = self.now + self.dice.within(1_000, 500_000);
        self.enter(later.min(self.plan.stable_at), Event::Restart(peer));
    }

    pub(super) fn restart(&mut self, peer: u8) {
        let now = self.local(peer);
        let node = &mut self.nodes[usize::from(peer)];
        if node.succession.is_some() {
            return;
        }
        let stores = (node.stores.values_mut())
            .map(|(opening, disk)| {
                let Ok(records) = disk.load();
                let opening = opening.clone();
                Store { opening, records }
            })
            .collect();
        let stored = Stored {
            lost: false,
            links: node.links.clone(),
            stores,
            ..Stored::default()
        };
        let society = Society::new(&self.founding, self.plan.ballast);
        let (epoch, signer) = (self.founding.clone(), Arc::new(self.keys.signer(peer)));
        match Succession::start(epoch, signer, society, self.plan.settings, &stored, now) {
            Ok(succession) => {
                node.succession = Some(Box::new(succession));
                let fuse = self.plan.fuse;
                let may = self.plan.model.bound().is_none() || self.plan.shaky.contains(&peer);
                if may && fuse > 0 && self.now < self.plan.stable_at && self.dice.chance(500) {
                    node.fuse = self.dice.within(1, fuse);
                }
                self.handle(peer, Input::Wake);
            }
            Err(error) => {
                let text = format!("peer {peer}: {error}");
                self.oracle.blame(Violation::Recovery(text));
            }
        }
    }

    /// Gives an input to an honest peer and carries out what it wants.
    pub(super) fn handle(&mut self, peer: u8, input: Input) {
        let now = self.local(peer);
        let Some(mut succession) = self.nodes[usize::from(peer)].succession.take() else {
            return;
        };
        succession.handle(now, input);
        let mut changed = false;
        while let Some(output) = succession.poll() {
            let node = &mut self.nodes[usize::from(peer)];
            if node.fuse > 0 {
                node.fuse -= 1;
                if node.fuse == 0 {
                    node.succession = Some(succession);
                    return self.crash(peer);
                }
            }
            match output {
                Output::Link(link) => {
                    if let Ok(handover) = wire::decode(&link) {
                        self.oracle.ended(peer, &handover);
                    }
                    self.nodes[usize::from(peer)].links.push(link);
                }
                Output::Open(tag, opening) => {
                    node.stores.insert(tag, (opening, Disk::default()));
                }
                Output::Record(tag, record) => {
                    let Ok(()) = node.disk(tag).append(&record);
                }
                Output::Sync(tag) => {
                    let Ok(()) = node.disk(tag).sync();
                }
                Output::Rewrite(tag, records) => {
                    let Ok(()) = node.disk(tag).rewrite(&records);
                }
                Output::Drop(tag) => {
                    node.stores.remove(&tag);
                }
                Output::Send(to, parcel) => {
                    self.messages += to.len() as u64;
                    self.oracle.sent(peer, &parcel);
                    for to in to {
                        self.carry(peer, to, parcel.clone());
                    }
                }
                Output::Check(tag, check) => {
                    let verdict = check.run(&self.keys);
                    succession.handle(now, Input::Checked(tag, verdict));
                }
                Output::WakeAt(at) => {
                    let at = self.global(peer, at);
                    self.nodes[usize::from(peer)].alarm = at;
                    if at < u64::MAX {
                        self.enter(at, Event::Wake(peer));
                    }
                }
                Output::Began(epoch) => {
                    changed = true;
                    self.oracle.began(peer, &epoch);
                }
                Output::Failed(epoch, error) => {
                    let text = format!("peer {peer} cannot begin {epoch:?}: {error}");
                    self.oracle.blame(Violation::Recovery(text));
                }
                Output::Executed(name, outcome) => {
                    changed = true;
                    if let Some(cluster) = self.oracle.cluster(name) {
                        self.oracle.executed(peer, cluster, &outcome);
                    }
                }
                Output::Restored(..) => changed = true,
                Output::Forked(epoch, certificate) => {
                    let text = format!("peer {peer} saw {epoch:?} forked: {certificate:?}");
                    self.oracle.blame(Violation::Agreement(text));
                }
                Output::Evidence(epoch, evidence) => {
                    let framed = self.plan.is_honest(evidence.culprit.0[0]);
                    if framed || !evidence.verify(&epoch, &self.keys) {
                        let text = format!("{evidence:?}");
                        self.oracle.blame(Violation::Framed(text));
                    }
                }
                Output::Asynchrony { view, absent, .. } => {
                    let text = format!("peer {peer} misses {absent:?} in view {view}");
                    self.oracle.blame(Violation::Alarm(text));
                }
                Output::Rejected { why, .. } => {
                    // Who was taken in does not know what became of it.
                    if why == Refusal::EpochOver {
                        self.due.retain(|_, holder| *holder != peer);
                    }
                }
                Output::PutOut(_) | Output::Reply { .. } => {}
            }
        }
        if changed && let Some(replica) = succession.replica() {
            self.oracle.state(peer, replica.application().state());
            self.oracle.notes(peer, replica.application().notes());
        }
        if let Some(replica) = succession.replica() {
            let (epoch, view) = (replica.epoch().clone(), replica.view());
            self.watch(peer, &epoch, view);
        }
        self.nodes[usize::from(peer)].succession = Some(succession);
    }
}
