//! Commands that wait to be ordered (R10).

use crate::{
    block::{MAX_BLOCK_BYTES, MAX_BLOCK_COMMANDS},
    command::{COMMAND_WINDOW, Command, CommandId, MAX_COMMAND_BYTES},
    epoch::Height,
    io::Refusal,
    member::Member,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The most commands that wait on behalf of one member.
pub const MAX_WAITING: usize = 1024;
/// The most bytes that wait on behalf of one member.
pub const MAX_WAITING_BYTES: usize = 1 << 20;

/// Commands that wait to be ordered, in one queue for each member that brought them, so that a flood by one
/// leaves the others' queues as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Pool {
    waiting: BTreeMap<CommandId, (Member, Command)>,
    queues: BTreeMap<Member, Queue>,
    /// The member whose queue is next.
    turn: Member,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Queue {
    /// In the order of arrival; some may not wait any more.
    order: VecDeque<CommandId>,
    count: usize,
    bytes: usize,
}

impl Pool {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes in a command; whether it is new. `height` is the last that was executed.
    pub fn add(
        &mut self,
        id: CommandId,
        command: &Command,
        from: Member,
        height: Height,
    ) -> Result<bool, Refusal> {
        if command.payload.len() > MAX_COMMAND_BYTES {
            return Err(Refusal::TooLong);
        }
        if command.expires <= height {
            return Err(Refusal::Expired);
        }
        if command.expires > height + COMMAND_WINDOW {
            return Err(Refusal::TooFarAhead);
        }
        if self.waiting.contains_key(&id) {
            return Ok(false);
        }
        let queue = self.queues.entry(from).or_default();
        if queue.count >= MAX_WAITING || queue.bytes + command.size() > MAX_WAITING_BYTES {
            return Err(Refusal::Full);
        }
        queue.order.push_back(id);
        queue.count += 1;
        queue.bytes += command.size();
        self.waiting.insert(id, (from, command.clone()));
        Ok(true)
    }

    /// Takes out all commands that a member brought.
    pub fn take_of(&mut self, member: Member) -> Vec<Command> {
        let order = (self.queues.remove(&member)).map_or(VecDeque::new(), |queue| queue.order);
        let waiting = order.iter().filter_map(|id| self.waiting.remove(id));
        waiting.map(|(_, command)| command).collect()
    }

    /// Takes out a command that was ordered or has expired.
    pub fn remove(&mut self, id: &CommandId) {
        let Some((from, command)) = self.waiting.remove(id) else {
            return;
        };
        if let Some(queue) = self.queues.get_mut(&from) {
            queue.count -= 1;
            queue.bytes -= command.size();
            while (queue.order.front()).is_some_and(|id| !self.waiting.contains_key(id)) {
                queue.order.pop_front();
            }
            // Gaps inside are few unless the front waits for ever; then they are closed.
            if queue.order.len() > 2 * MAX_WAITING {
                queue.order.retain(|id| self.waiting.contains_key(id));
            }
        }
    }

    pub fn contains(&self, id: &CommandId) -> bool {
        self.waiting.contains_key(id)
    }

    /// The commands that wait.
    pub fn ids(&self) -> impl Iterator<Item = &CommandId> {
        self.waiting.keys()
    }

    /// Takes out what cannot be executed after `height` any more.
    pub fn expire(&mut self, height: Height) -> Vec<(CommandId, Member)> {
        let expired: Vec<(CommandId, Member)> = (self.waiting.iter())
            .filter(|(_, (_, command))| command.expires <= height)
            .map(|(id, (from, _))| (*id, *from))
            .collect();
        for (id, _) in &expired {
            self.remove(id);
        }
        expired
    }

    /// A block's worth of commands other than `taken`, from each member's queue in turn.
    pub fn pick(&mut self, taken: &BTreeSet<CommandId>) -> Vec<Command> {
        let start = self.turn;
        self.turn = self.turn.wrapping_add(1);
        let mut queues: Vec<_> = (self.queues.range(start..))
            .chain(self.queues.range(..start))
            .map(|(_, queue)| queue.order.iter())
            .collect();
        let mut picked = Vec::new();
        let mut bytes = 0;
        while !queues.is_empty() {
            let mut full = false;
            queues.retain_mut(|queue| {
                let next = queue.find_map(|id| {
                    let (_, command) = self.waiting.get(id)?;
                    (!taken.contains(id)).then_some(command)
                });
                let Some(command) = next.filter(|_| !full) else {
                    return false;
                };
                full =
                    picked.len() >= MAX_BLOCK_COMMANDS || bytes + command.size() > MAX_BLOCK_BYTES;
                if !full {
                    bytes += command.size();
                    picked.push(command.clone());
                }
                !full
            });
            if full {
                break;
            }
        }
        picked
    }

    /// Some commands, the oldest of each queue first, to be said again.
    pub fn oldest(&self, count: usize, bytes: usize) -> Vec<Command> {
        let mut left = bytes;
        (self.queues.values())
            .flat_map(|queue| &queue.order)
            .filter_map(|id| self.waiting.get(id))
            .map(|(_, command)| command)
            .take(count)
            .take_while(|command| {
                let fits = command.size() <= left;
                left = left.saturating_sub(command.size());
                fits
            })
            .cloned()
            .collect()
    }
}
