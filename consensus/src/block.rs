//! Blocks: batches of commands, each naming its parent.

use crate::{
    command::{Command, CommandId, MAX_COMMAND_BYTES},
    epoch::{Epoch, Height, View},
    hash::{Domain, Hash},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most commands of a block.
pub const MAX_BLOCK_COMMANDS: usize = 1024;
/// The most bytes of a block's commands.
pub const MAX_BLOCK_BYTES: usize = 256 << 10;

/// Which block: its view, its place in the log and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlockId {
    /// The view that it was proposed in.
    pub view: View,
    /// Its place in the log.
    pub height: Height,
    /// The hash of its header.
    pub hash: Hash,
}

impl BlockId {
    /// The epoch's start, which needs no proposal: `B₀`. Heights go on where the epoch before ended.
    pub fn start(epoch: &Epoch) -> BlockId {
        BlockId {
            view: 0,
            height: epoch.origin().height,
            hash: epoch.id(),
        }
    }
}

/// What a block's hash covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Header {
    /// The id of the epoch.
    pub epoch: Hash,
    /// The view that it was proposed in.
    pub view: View,
    /// Its place in the log: the parent's plus one.
    pub height: Height,
    /// The view of the parent.
    pub parent_view: View,
    /// The hash of the parent.
    pub parent: Hash,
    /// The hash of the commands.
    pub body: Hash,
}

impl Header {
    /// The block that this is the header of.
    pub fn id(&self) -> BlockId {
        let mut text = [0; 120];
        text[..32].copy_from_slice(&self.epoch.0);
        text[32..40].copy_from_slice(&self.view.to_le_bytes());
        text[40..48].copy_from_slice(&self.height.to_le_bytes());
        text[48..56].copy_from_slice(&self.parent_view.to_le_bytes());
        text[56..88].copy_from_slice(&self.parent.0);
        text[88..].copy_from_slice(&self.body.0);
        BlockId {
            view: self.view,
            height: self.height,
            hash: Domain::Block.hash(&text),
        }
    }

    /// The parent, if the header tells the truth.
    pub fn parent_id(&self) -> BlockId {
        BlockId {
            view: self.parent_view,
            height: self.height.saturating_sub(1),
            hash: self.parent,
        }
    }
}

/// A block: a header and the commands that it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Block {
    /// What its hash covers.
    pub header: Header,
    /// The commands, in order.
    pub commands: Vec<Command>,
}

/// Whether a block may hold these commands.
pub fn fits(commands: &[Command]) -> bool {
    commands.len() <= MAX_BLOCK_COMMANDS
        && (commands.iter()).all(|command| command.payload.len() <= MAX_COMMAND_BYTES)
        && commands.iter().map(Command::size).sum::<usize>() <= MAX_BLOCK_BYTES
}

/// The hash of a block's commands.
fn body_hash(ids: &[CommandId]) -> Hash {
    let mut hasher = Domain::Body.hasher();
    for id in ids {
        hasher.update(&id.0);
    }
    Hash(*hasher.finalize().as_bytes())
}

/// A block whose hash has been computed and whose body fits its header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SoundBlock {
    id: BlockId,
    block: Arc<Block>,
    commands: Arc<[CommandId]>,
}

impl SoundBlock {
    /// The block of these commands on top of `parent`.
    pub fn build(epoch: &Epoch, view: View, parent: BlockId, commands: Vec<Command>) -> SoundBlock {
        let ids: Arc<[CommandId]> = commands.iter().map(Command::id).collect();
        let header = Header {
            epoch: epoch.id(),
            view,
            height: parent.height + 1,
            parent_view: parent.view,
            parent: parent.hash,
            body: body_hash(&ids),
        };
        SoundBlock {
            id: header.id(),
            block: Arc::new(Block { header, commands }),
            commands: ids,
        }
    }

    /// The block, if it is within bounds, comes after its parent, and its commands are those of its header.
    pub fn check(block: Arc<Block>) -> Option<SoundBlock> {
        let header = &block.header;
        if header.height == 0 || header.parent_view >= header.view || !fits(&block.commands) {
            return None;
        }
        let commands: Arc<[CommandId]> = block.commands.iter().map(Command::id).collect();
        (block.header.body == body_hash(&commands)).then(|| SoundBlock {
            id: block.header.id(),
            block,
            commands,
        })
    }

    /// Which block it is.
    pub fn id(&self) -> BlockId {
        self.id
    }

    /// The block.
    pub fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// Its header.
    pub fn header(&self) -> &Header {
        &self.block.header
    }

    /// The block that it says is its parent.
    pub fn parent(&self) -> BlockId {
        self.block.header.parent_id()
    }

    /// The ids of its commands, in order.
    pub fn command_ids(&self) -> &[CommandId] {
        &self.commands
    }

    /// Its commands' length in bytes.
    pub fn size(&self) -> usize {
        self.block.commands.iter().map(Command::size).sum()
    }
}
