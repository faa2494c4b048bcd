//! The thread that carries out the steps of agreement, in their order.

use super::{Home, Journal, JournalError};
use hamlet_consensus::{check::Verdict, ed25519::Ed25519Verifier, succession::Tag};
use hamlet_overlay::{agreement::Step, identity::PeerId, io::Class, wire::Frame};
use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The most steps that may wait. A healthy disk has never that many before it; one that does is too slow for votes
/// of any use.
const WAITING: usize = 4096;

/// What the thread hands back to the driver.
#[derive(Debug)]
pub(crate) enum Done {
    /// All that had to be on disk before this is sent is there.
    Send {
        /// The receivers.
        to: Vec<PeerId>,
        /// What to send.
        frame: Frame,
        /// How urgent it is.
        class: Class,
    },
    /// Signatures were checked.
    Checked(Option<Tag>, Verdict),
    /// The journal failed; nothing more is carried out, and the peer must leave agreement.
    Failed(JournalError),
}

/// Why no more steps are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stuck {
    /// The disk cannot keep up.
    #[error("{WAITING} steps of agreement wait for the disk, which is too slow or hangs")]
    Full,
    /// It failed, as was or will be told.
    #[error("the journal of agreement has failed")]
    Failed,
}

/// The thread; it ends when this value is gone, with what waits carried out.
#[derive(Debug)]
pub(crate) struct Worker {
    steps: SyncSender<Step>,
    /// What it hands back. Bounded by the steps that were handed to it.
    pub done: UnboundedReceiver<Done>,
}

impl Worker {
    /// Starts the thread with the journal it writes.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(journal: Journal) -> io::Result<Worker> {
        let (steps, waiting) = sync_channel(WAITING);
        let (finished, done) = unbounded_channel();
        let run = move || {
            if let Err(error) = run(journal, &waiting, &finished) {
                // A driver that is gone needs to know nothing.
                let _ = finished.send(Done::Failed(error));
            }
        };
        thread::Builder::new().name("agreement".into()).spawn(run)?;
        Ok(Worker { steps, done })
    }

    /// Hands over a step.
    pub fn carry_out(&self, step: Step) -> Result<(), Stuck> {
        self.steps.try_send(step).map_err(|error| match error {
            TrySendError::Full(_) => Stuck::Full,
            TrySendError::Disconnected(_) => Stuck::Failed,
        })
    }
}

/// Carries out steps until nobody can hand over more.
fn run(
    mut journal: Journal,
    steps: &Receiver<Step>,
    done: &UnboundedSender<Done>,
) -> Result<(), JournalError> {
    while let Ok(step) = steps.recv() {
        let finished = match step {
            Step::Settle { cluster, left } => {
                journal.settle(Home { cluster, left })?;
                continue;
            }
            Step::Part { cluster, left } => {
                journal.part(Home { cluster, left })?;
                continue;
            }
            Step::Link(link) => {
                journal.link(link)?;
                continue;
            }
            Step::Open(epoch, opening) => {
                journal.begin(epoch, opening)?;
                continue;
            }
            Step::Record(epoch, record) => {
                journal.append(epoch, record)?;
                continue;
            }
            Step::Sync(_) => {
                journal.sync()?;
                continue;
            }
            Step::Rewrite(epoch, records) => {
                journal.rewrite(epoch, records)?;
                continue;
            }
            Step::Drop(epoch) => {
                journal.forget(epoch)?;
                continue;
            }
            Step::Keep(evidence) => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                let unix_ms = since.map_or(0, |since| since.as_millis() as u64);
                journal.keep(unix_ms, evidence.encode())?;
                continue;
            }
            Step::Send { to, frame, class } => Done::Send { to, frame, class },
            Step::Check(name, check) => Done::Checked(name, check.run(&Ed25519Verifier)),
        };
        if done.send(finished).is_err() {
            break;
        }
    }
    // What was not synced may be lost, but need not be.
    journal.sync()
}
