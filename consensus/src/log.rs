//! The executed part of the log: the application's state, what makes commands run once, and what others need
//! in order to follow.

use crate::{
    application::{Application, BadSnapshot},
    block::{BlockId, SoundBlock},
    certificate::{Certificate, Claim},
    command::{COMMAND_WINDOW, CommandId},
    epoch::{Charter, Epoch, Height, Merge},
    hash::{Domain, Hash},
    message::{MAX_PIECES, PIECE_BYTES},
    mutant::Mutant,
    outcome::{self, MAX_OUTCOME_BYTES, Outcome},
    vote::Seal,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// A block that was executed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Executed {
    pub block: SoundBlock,
    pub outcomes: Vec<Outcome>,
    pub seal: Seal,
    /// What committed it, unless a later block did.
    pub certificate: Option<Certificate>,
}

/// A state with the hashes of its pieces.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Snapshot {
    pub height: Height,
    pub bytes: Bytes,
    pub pieces: Vec<Hash>,
}

/// A snapshot that a quorum sealed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SealedSnapshot {
    pub snapshot: Snapshot,
    pub seal: Certificate,
}

/// What a snapshot's bytes hold.
#[derive(Serialize, Deserialize)]
struct Content {
    tip: BlockId,
    window: Vec<(Height, Vec<CommandId>)>,
    application: Vec<u8>,
}

/// The executed part of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Log<A> {
    pub application: A,
    /// The last block that was executed.
    tip: BlockId,
    /// What proves that the tip is committed; none at the epoch's start.
    tip_certificate: Option<Certificate>,
    /// Ids of the commands executed in the last [`COMMAND_WINDOW`] heights.
    window: VecDeque<(Height, Vec<CommandId>)>,
    executed_at: BTreeMap<CommandId, Height>,
    /// The blocks executed since the base, and a window's worth before it.
    recent: VecDeque<Executed>,
    /// What the log begins with.
    base: Option<SealedSnapshot>,
    /// A snapshot that is not sealed yet.
    candidate: Option<Snapshot>,
    /// What the epoch begins with, unless it is its cluster's first.
    origin: Option<Bytes>,
    /// With which height the epoch ended, if it has, and the epochs that follow (E1).
    end: Option<Height>,
    successors: Vec<Charter>,
    merge: Option<Merge>,
}

impl<A: Application> Log<A> {
    pub fn new(epoch: &Epoch, application: A) -> Log<A> {
        Log {
            application,
            tip: BlockId::start(epoch),
            tip_certificate: None,
            window: VecDeque::new(),
            executed_at: BTreeMap::new(),
            recent: VecDeque::new(),
            base: None,
            candidate: None,
            origin: None,
            end: None,
            successors: Vec::new(),
            merge: None,
        }
    }

    /// Begins an epoch with the state in which the one before ended (E5).
    pub fn begin(&mut self, epoch: &Epoch, snapshot: Bytes) -> Result<(), BadSnapshot> {
        let origin = epoch.origin();
        let content: Content = decode(&snapshot)?;
        let pieces = Snapshot::new(origin.height, snapshot.clone()).pieces;
        if state_root(&pieces) != origin.state || content.tip.height != origin.height {
            return Err(BadSnapshot);
        }
        self.application.restore(&content.application)?;
        self.application.begin(epoch);
        self.tip = BlockId::start(epoch);
        if !epoch.mutants.has(Mutant::ForgetWindow) {
            self.remember(content.window);
        }
        self.origin = Some(snapshot);
        Ok(())
    }

    fn remember(&mut self, window: Vec<(Height, Vec<CommandId>)>) {
        self.executed_at = (window.iter())
            .flat_map(|(height, ids)| ids.iter().map(|id| (*id, *height)))
            .collect();
        self.window = window.into();
    }

    /// What the epoch begins with, unless it is its cluster's first.
    pub fn origin(&self) -> Option<&Bytes> {
        self.origin.as_ref()
    }

    /// The epochs that follow, once this one is over.
    pub fn successors(&self) -> &[Charter] {
        &self.successors
    }

    /// What its end has to do with another cluster.
    pub fn merge(&self) -> Option<&Merge> {
        self.merge.as_ref()
    }

    /// Whether the state says that the epoch is over, with this height (E1).
    fn look_for_end(&mut self, height: Height) {
        self.successors = self.application.successors();
        self.end = (!self.successors.is_empty()).then_some(height);
        self.merge = self.application.merge().filter(|_| self.end.is_some());
    }

    /// With which height the epoch ended, if it has. What was committed after it is void.
    pub fn end(&self) -> Option<Height> {
        self.end
    }

    /// What members say of a height, if this member can say it.
    pub fn seal_at(&self, epoch: &Epoch, height: Height) -> Option<Seal> {
        if height == epoch.origin().height && self.origin.is_some() {
            return Some(Seal {
                block: BlockId::start(epoch),
                outcomes: Hash::default(),
                state: Some(epoch.origin().state),
                successors: None,
            });
        }
        self.at(height).map(|executed| executed.seal)
    }

    pub fn tip(&self) -> BlockId {
        self.tip
    }

    pub fn height(&self) -> Height {
        self.tip.height
    }

    pub fn tip_certificate(&self) -> Option<&Certificate> {
        self.tip_certificate.as_ref()
    }

    pub fn base(&self) -> Option<&SealedSnapshot> {
        self.base.as_ref()
    }

    /// The height at which a command was executed, if that was within the window.
    pub fn executed_at(&self, command: &CommandId) -> Option<Height> {
        self.executed_at.get(command).copied()
    }

    /// What was executed at a height, if that was not too long ago.
    pub fn at(&self, height: Height) -> Option<&Executed> {
        let first = self.recent.front()?.block.id().height;
        self.recent
            .get(usize::try_from(height.checked_sub(first)?).ok()?)
    }

    /// What was executed after a height, if none of it is forgotten.
    pub fn after(&self, height: Height) -> Option<impl Iterator<Item = &Executed>> {
        let first =
            (self.recent.front()).map_or(self.height() + 1, |first| first.block.id().height);
        let skip = usize::try_from((height + 1).checked_sub(first)?).ok()?;
        Some(self.recent.iter().skip(skip))
    }

    /// Executes the block after the tip (R8, R10).
    pub fn execute(
        &mut self,
        epoch: &Epoch,
        block: SoundBlock,
        certificate: Option<Certificate>,
    ) -> &Executed {
        let id = block.id();
        let mut outcomes = Vec::new();
        for (command, text) in block.command_ids().iter().zip(&block.block().commands) {
            if self.end.is_some() && !epoch.mutants.has(Mutant::ExecuteAfterEnd) {
                break;
            }
            let again =
                self.executed_at.contains_key(command) && !epoch.mutants.has(Mutant::ExecuteTwice);
            let in_time = text.expires >= id.height
                && text.expires <= id.height.saturating_add(COMMAND_WINDOW);
            if again || !in_time {
                continue;
            }
            let mut answer = self.application.execute(id.height, &text.payload);
            answer.truncate(MAX_OUTCOME_BYTES);
            self.executed_at.insert(*command, id.height);
            outcomes.push(Outcome {
                command: *command,
                height: id.height,
                answer: answer.into(),
            });
            if self.end.is_none() {
                self.look_for_end(id.height);
            }
        }
        let ids = outcomes.iter().map(|outcome| outcome.command).collect();
        self.window.push_back((id.height, ids));
        while (self.window.front()).is_some_and(|(height, _)| height + COMMAND_WINDOW < id.height) {
            for command in self.window.pop_front().into_iter().flat_map(|(_, ids)| ids) {
                self.executed_at.remove(&command);
            }
        }
        self.tip = id;
        self.tip_certificate.clone_from(&certificate);
        let ends = self.end == Some(id.height);
        let sealed = ends || self.end.is_none() && epoch.has_snapshot(id.height);
        let state = sealed.then(|| self.take_snapshot());
        let seal = Seal {
            block: id,
            outcomes: outcome::root(&outcomes),
            state,
            successors: ends.then(|| Charter::hash(&self.successors, self.merge())),
        };
        self.recent.push_back(Executed {
            block,
            outcomes,
            seal,
            certificate,
        });
        &self.recent[self.recent.len() - 1]
    }

    fn take_snapshot(&mut self) -> Hash {
        let content = Content {
            tip: self.tip,
            window: self.window.iter().cloned().collect(),
            application: self.application.snapshot(),
        };
        let bytes = bincode::serde::encode_to_vec(&content, bincode::config::standard());
        let snapshot = Snapshot::new(self.tip.height, bytes.unwrap_or_default().into());
        let root = state_root(&snapshot.pieces);
        // A state that is too large to be sent in pieces is sealed, but cannot be what others start from.
        self.candidate = (snapshot.pieces.len() <= MAX_PIECES).then_some(snapshot);
        root
    }

    /// Takes a seal of the candidate: the log begins there now, and what came long before it is forgotten.
    /// Whether that was so.
    pub fn seal_candidate(&mut self, seal: &Certificate) -> bool {
        let Claim::Sealed(sealed) = seal.claim else {
            return false;
        };
        let fits = |snapshot: &mut Snapshot| {
            snapshot.height == sealed.height() && Some(state_root(&snapshot.pieces)) == sealed.state
        };
        let Some(snapshot) = self.candidate.take_if(fits) else {
            return false;
        };
        let keep = snapshot.height.saturating_sub(COMMAND_WINDOW);
        while (self.recent.front()).is_some_and(|first| first.block.id().height <= keep) {
            self.recent.pop_front();
        }
        self.base = Some(SealedSnapshot {
            snapshot,
            seal: seal.clone(),
        });
        true
    }

    /// Goes to the state of a snapshot whose seal and pieces were checked.
    pub fn restore(&mut self, snapshot: Snapshot, seal: Certificate) -> Result<(), BadSnapshot> {
        let Claim::Sealed(sealed) = seal.claim else {
            return Err(BadSnapshot);
        };
        let content: Content = decode(&snapshot.bytes)?;
        if content.tip != sealed.block {
            return Err(BadSnapshot);
        }
        self.application.restore(&content.application)?;
        self.tip = content.tip;
        self.tip_certificate = Some(seal.clone());
        self.look_for_end(self.tip.height);
        self.remember(content.window);
        self.recent.clear();
        self.candidate = None;
        self.base = Some(SealedSnapshot { snapshot, seal });
        Ok(())
    }
}

impl Snapshot {
    /// The snapshot of these bytes.
    pub fn new(height: Height, bytes: Bytes) -> Snapshot {
        let pieces = bytes
            .chunks(PIECE_BYTES)
            .map(|piece| Domain::Piece.hash(piece))
            .collect();
        Snapshot {
            height,
            bytes,
            pieces,
        }
    }

    /// One piece.
    pub fn piece(&self, index: u32) -> Option<Bytes> {
        piece(&self.bytes, index)
    }
}

/// One piece of a snapshot's bytes.
pub(crate) fn piece(bytes: &Bytes, index: u32) -> Option<Bytes> {
    let start = usize::try_from(index).ok()?.checked_mul(PIECE_BYTES)?;
    let end = start.checked_add(PIECE_BYTES)?.min(bytes.len());
    (start < end).then(|| bytes.slice(start..end))
}

/// What a quorum vouches for is decoded without a limit.
fn decode(bytes: &[u8]) -> Result<Content, BadSnapshot> {
    let decoded = bincode::serde::decode_from_slice(bytes, bincode::config::standard());
    decoded.map(|(content, _)| content).map_err(|_| BadSnapshot)
}

/// What a seal says of a state: the hash of the hashes of its pieces.
pub(crate) fn state_root(pieces: &[Hash]) -> Hash {
    let mut hasher = Domain::State.hasher();
    for piece in pieces {
        hasher.update(&piece.0);
    }
    Hash(*hasher.finalize().as_bytes())
}
