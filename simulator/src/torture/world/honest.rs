//! The honest members: their clocks, disks and crashes, and what becomes of what they want done.

use super::{Event, World};
use crate::torture::{ledger::Ledger, oracle::Violation, plan::SLOWEST_CHECK};
use hamlet_consensus::{
    Input, Message, Output, Replica,
    command::{COMMAND_WINDOW, Command},
    identity::PeerId,
    io::Reply,
    storage::Storage,
    time::Time,
};
use std::sync::Arc;

impl World {
    /// The time by a member's own clock.
    fn local(&self, member: u8) -> Time {
        let rate = self.plan.clocks[usize::from(member)];
        Time::from_micros(self.now * rate / 1000 + 1_000_000 * u64::from(member))
    }

    /// When a member's clock will show this time.
    fn global(&self, member: u8, local: Time) -> u64 {
        let rate = self.plan.clocks[usize::from(member)];
        let since = local
            .as_micros()
            .saturating_sub(1_000_000 * u64::from(member));
        (u128::from(since) * 1000)
            .div_ceil(rate.into())
            .min(u64::MAX.into()) as u64
    }

    pub(super) fn submit(&mut self, index: usize) {
        let (_, to) = self.plan.commands[index].clone();
        let payload = bytes::Bytes::from((index as u64).to_le_bytes().to_vec());
        // One client asks several members, or a member asks for itself.
        let client = (to.len() > 1).then_some(PeerId([index as u8; 32]));
        let command = Command {
            expires: COMMAND_WINDOW / 2,
            payload: payload.clone(),
        };
        for member in to {
            if !self.plan.is_honest(member) || self.nodes[usize::from(member)].replica.is_none() {
                continue;
            }
            match client {
                Some(client) => {
                    let command = command.clone();
                    self.due.insert(command.id(), member);
                    self.handle(member, Input::Client { client, command });
                }
                None => {
                    let height = (self.nodes[usize::from(member)].replica.as_ref())
                        .map_or(0, |replica| replica.height());
                    let expires = height + COMMAND_WINDOW;
                    let own = Command {
                        expires,
                        payload: payload.clone(),
                    };
                    self.due.insert(own.id(), member);
                    self.handle(member, Input::Submit(vec![payload.clone()]));
                }
            }
        }
    }

    pub(super) fn crash(&mut self, member: u8) {
        let node = &mut self.nodes[usize::from(member)];
        if node.replica.take().is_some() {
            node.disk.crash(&mut self.dice);
            node.life += 1;
            node.alarm = u64::MAX;
            // What only this member knew is lost with it.
            self.due.retain(|_, holder| *holder != member);
            let later = self.now + self.dice.within(1_000, 500_000);
            self.enter(later.min(self.plan.stable_at), Event::Restart(member));
        }
    }

    pub(super) fn restart(&mut self, member: u8) {
        let now = self.local(member);
        let node = &mut self.nodes[usize::from(member)];
        if node.replica.is_some() {
            return;
        }
        let Ok(stored) = node.disk.load();
        let application = Ledger {
            ballast: self.plan.ballast,
            ..Ledger::default()
        };
        let signer = Arc::new(self.keys.signer(member));
        let settings = self.plan.settings;
        match Replica::new(
            self.epoch.clone(),
            signer,
            application,
            settings,
            &stored,
            now,
        ) {
            Ok(replica) => {
                node.replica = Some(Box::new(replica));
                let fuse = self.plan.fuse;
                let may = self.plan.model.bound().is_none() || self.plan.crashes(member);
                if may && fuse > 0 && self.now < self.plan.stable_at && self.dice.chance(500) {
                    node.fuse = self.dice.within(1, fuse);
                }
                self.handle(member, Input::Wake);
            }
            Err(error) => {
                let text = format!("member {member}: {error}");
                self.oracle.blame(Violation::Recovery(text));
            }
        }
    }

    /// Gives an input to an honest member and carries out what it wants.
    pub(super) fn handle(&mut self, member: u8, input: Input) {
        let now = self.local(member);
        let Some(mut replica) = self.nodes[usize::from(member)].replica.take() else {
            return;
        };
        replica.handle(now, input);
        let mut changed = false;
        while let Some(output) = replica.poll() {
            let node = &mut self.nodes[usize::from(member)];
            if node.fuse > 0 {
                node.fuse -= 1;
                if node.fuse == 0 {
                    node.replica = Some(replica);
                    return self.crash(member);
                }
            }
            match output {
                Output::Record(record) => {
                    let Ok(()) = node.disk.append(&record);
                }
                Output::Sync => {
                    let Ok(()) = node.disk.sync();
                }
                Output::Rewrite(records) => {
                    let Ok(()) = node.disk.rewrite(&records);
                }
                Output::Send { to, message } => self.send_honest(member, to.iter(), message),
                Output::Check(check) if self.plan.slow_checks => {
                    let verdict = check.run(&self.keys);
                    let life = node.life;
                    let later = self.now + self.dice.below(SLOWEST_CHECK);
                    self.enter(later, Event::Checked(member, life, verdict));
                }
                Output::Check(check) => {
                    replica.handle(now, Input::Checked(check.run(&self.keys)));
                }
                Output::WakeAt(local) => {
                    let at = self.global(member, local);
                    self.nodes[usize::from(member)].alarm = at;
                    if at < u64::MAX {
                        self.enter(at, Event::Wake(member));
                    }
                }
                Output::Executed(outcome) => {
                    changed = true;
                    self.oracle.executed(member, &outcome);
                }
                Output::Restored(_) => {
                    changed = true;
                    // What was executed since comes in outputs that follow, so the state may be ahead of it.
                }
                Output::Rejected { command, .. } => {
                    changed = true;
                    self.due.remove(&command);
                }
                Output::Reply { reply, .. } => match reply {
                    Reply::Outcome(proof) => self.oracle.proof(&proof),
                    Reply::Refused { command, .. } => {
                        changed = true;
                        self.due.remove(&command);
                    }
                },
                Output::Evidence(evidence) => self.oracle.evidence(&evidence),
                Output::Asynchrony { view, absent } => {
                    let text = format!("member {member} misses {absent:?} in view {view}");
                    self.oracle.blame(Violation::Alarm(text));
                }
                Output::Forked(certificate) => {
                    let text = format!("member {member} sees a fork: {:?}", certificate.claim);
                    self.oracle.blame(Violation::Agreement(text));
                }
            }
        }
        if changed {
            let state = replica.application();
            self.oracle.state(member, state.count, state.digest);
        }
        let next = self.team.watch(self.now, member, replica.view());
        self.nodes[usize::from(member)].replica = Some(replica);
        if !self.muted {
            self.plot(next);
        }
        if changed {
            self.look_whether_done();
        }
    }

    fn send_honest(&mut self, from: u8, to: impl Iterator<Item = u8>, message: Arc<Message>) {
        self.oracle.sent(from, &message);
        if self.listening && !matches!(*message, Message::Status(_)) {
            let text = format!("member {from} sent {message:?}");
            self.oracle.blame(Violation::Unquiet(text));
        }
        let message = if self.plan.encode {
            match Message::decode(&message.encode()) {
                Ok(decoded) if decoded == *message => Arc::new(decoded),
                other => panic!("{message:?} became {other:?} on the wire"),
            }
        } else {
            message
        };
        for to in to {
            self.messages += 1;
            self.send(from, to, message.clone());
        }
    }
}
