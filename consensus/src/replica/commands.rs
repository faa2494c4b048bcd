//! R10: commands on their way into the log, and clients that wait for them.

use super::Replica;
use crate::{
    application::Application,
    block::SoundBlock,
    command::{COMMAND_WINDOW, Command, CommandId},
    identity::PeerId,
    io::{Output, Refusal, Reply},
    member::Member,
    message::{MAX_COMMANDS, MAX_TAIL_BYTES, Message},
};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The most commands whose outcome one client waits for.
const MAX_WAITING_OF_A_CLIENT: usize = 64;
/// The most outcomes that clients wait for in sum.
const MAX_WAITING: usize = 1024;

/// Clients that wait for outcomes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Waiters {
    by_command: BTreeMap<CommandId, Vec<PeerId>>,
    count: BTreeMap<PeerId, usize>,
    sum: usize,
}

impl Waiters {
    /// Whether a client may wait for one more command.
    fn has_room(&self, client: &PeerId) -> bool {
        let count = self.count.get(client).copied().unwrap_or(0);
        count < MAX_WAITING_OF_A_CLIENT && self.sum < MAX_WAITING
    }

    /// Notes that a client waits for a command.
    fn add(&mut self, command: CommandId, client: PeerId) {
        let waiting = self.by_command.entry(command).or_default();
        if !waiting.contains(&client) {
            waiting.push(client);
            *self.count.entry(client).or_default() += 1;
            self.sum += 1;
        }
    }

    /// The commands that somebody waits for.
    pub fn commands(&self) -> impl Iterator<Item = &CommandId> {
        self.by_command.keys()
    }

    pub fn contains(&self, command: &CommandId) -> bool {
        self.by_command.contains_key(command)
    }

    /// Those who waited for a command; they do not any more.
    pub fn take(&mut self, command: &CommandId) -> Vec<PeerId> {
        let clients = self.by_command.remove(command).unwrap_or_default();
        self.sum -= clients.len();
        for client in &clients {
            if let Some(count) = self.count.get_mut(client) {
                *count -= 1;
            }
        }
        self.count.retain(|_, count| *count > 0);
        clients
    }
}

impl<A: Application> Replica<A> {
    /// This member's own commands.
    pub(super) fn on_submit(&mut self, payloads: Vec<Bytes>) {
        let expires = self.log.height() + COMMAND_WINDOW;
        let commands = payloads.into_iter();
        self.on_carry(
            commands
                .map(|payload| Command { expires, payload })
                .collect(),
        );
    }

    /// A command of a peer outside.
    pub(super) fn on_client(&mut self, client: PeerId, command: Command) {
        let id = command.id();
        // Looked at first, so that one client cannot fill the queue that it shares with others.
        if !self.waiters.has_room(&client) {
            return self.refuse(client, id, Refusal::Full);
        }
        if let Some(height) = self.log.executed_at(&id) {
            self.waiters.add(id, client);
            return self.await_seal(height);
        }
        match self.accept(id, &command, self.me) {
            Ok(new) => {
                self.waiters.add(id, client);
                if new {
                    self.hand_on(vec![command]);
                }
            }
            Err(why) => self.refuse(client, id, why),
        }
    }

    pub(super) fn refuse(&mut self, client: PeerId, command: CommandId, why: Refusal) {
        let height = self.log.height();
        self.outbox.push(Output::Reply {
            client,
            reply: Reply::Refused {
                command,
                why,
                height,
            },
        });
    }

    /// Commands that a fellow member hands on.
    pub(super) fn on_commands(&mut self, from: Member, commands: &[Command]) {
        for command in commands {
            // What does not fit is said again by whoever wants it.
            let _ = self.accept(command.id(), command, from);
        }
    }

    pub(super) fn accept(
        &mut self,
        id: CommandId,
        command: &Command,
        from: Member,
    ) -> Result<bool, Refusal> {
        if self.log.executed_at(&id).is_some() {
            return Ok(false);
        }
        if self.log.end().is_some() {
            return Err(Refusal::EpochOver);
        }
        let new = self.pool.add(id, command, from, self.log.height())?;
        self.timing.fresh |= new;
        Ok(new)
    }

    /// Takes in the commands of a block, as far as they may still be executed, once. What finds no room, or will be
    /// executed only at a later height, is tried again.
    pub(super) fn accept_commands(&mut self, block: &SoundBlock) {
        if self.taken_in.contains(&block.id().hash) {
            return;
        }
        let leader = self.epoch.leader(block.id().view);
        let mut all = true;
        for (id, command) in block.command_ids().iter().zip(&block.block().commands) {
            let accepted = self.accept(*id, command, leader);
            all &= !matches!(accepted, Err(Refusal::Full | Refusal::TooFarAhead));
        }
        if all {
            self.taken_in.insert(block.id().hash);
        }
    }

    /// Hands commands to all, unless they go into a block of this member's right away.
    fn hand_on(&mut self, mut commands: Vec<Command>) {
        self.propose();
        if let Some(block) = (self.views.get(&self.view)).and_then(|open| open.proposal.as_ref())
            && self.epoch.leader(self.view) == self.me
        {
            let taken: std::collections::BTreeSet<_> = block.command_ids().iter().collect();
            commands.retain(|command| !taken.contains(&command.id()));
        }
        let mut batch = Vec::new();
        let mut bytes = 0;
        for command in commands {
            if batch.len() == MAX_COMMANDS || bytes + command.size() > MAX_TAIL_BYTES {
                self.send_all(Message::Commands(std::mem::take(&mut batch)));
                bytes = 0;
            }
            bytes += command.size();
            batch.push(command);
        }
        if !batch.is_empty() {
            self.send_all(Message::Commands(batch));
        }
    }

    /// Tells clients that what they wait for was not executed in this epoch (E1).
    pub(super) fn refuse_waiting(&mut self) {
        let open: Vec<CommandId> = (self.waiters.commands())
            .filter(|command| self.log.executed_at(command).is_none())
            .copied()
            .collect();
        for command in open {
            for client in self.waiters.take(&command) {
                self.refuse(client, command, Refusal::EpochOver);
            }
        }
    }

    /// Commands of this member's own that were not executed, now that the epoch is over, whether it knows that or not: they
    /// are for the next (E5).
    pub fn take_left_over(&mut self) -> Vec<Command> {
        self.left_over.extend(self.pool.take_of(self.me));
        std::mem::take(&mut self.left_over)
    }

    /// Commands of its own that an epoch before did not execute.
    pub(super) fn on_carry(&mut self, commands: Vec<Command>) {
        let mut accepted = Vec::new();
        for command in commands {
            let id = command.id();
            match self.accept(id, &command, self.me) {
                Ok(true) => accepted.push(command),
                Ok(false) => {}
                Err(why) => self.outbox.push(Output::Rejected { command: id, why }),
            }
        }
        self.hand_on(accepted);
    }

    /// Takes out of the pool what others executed while this member was behind.
    pub(super) fn forget_executed(&mut self) {
        let executed: Vec<CommandId> = (self.pool.ids())
            .filter(|id| self.log.executed_at(id).is_some())
            .copied()
            .collect();
        for id in executed {
            self.pool.remove(&id);
        }
    }

    /// Gives up commands whose height has passed.
    pub(super) fn expire_commands(&mut self) {
        for (command, from) in self.pool.expire(self.log.height()) {
            for client in self.waiters.take(&command) {
                self.refuse(client, command, Refusal::Expired);
            }
            if from == self.me {
                self.outbox.push(Output::Rejected {
                    command,
                    why: Refusal::Expired,
                });
            }
        }
    }
}
