//! Model checking of the rules: every order of events of a small cluster, by exhaustion (stateright).
//!
//! The members are the replicas themselves, not a description of them. What is left out is what agreement does not
//! rest on: the clock (a time-out may come at any moment instead), the disk, the bytes of signatures (nobody can forge
//! one here), seals and catch-up.
//!
//! * [`cluster`]: the model, with the liar and the properties; [`local`]: one honest member in it.
//! * [`digest`]: what tells two states apart; [`tests`]: what is explored.

mod cluster;
mod digest;
mod local;
mod tests;

use crate::{
    block::BlockId,
    certificate::{Certificate, Claim},
    command::CommandId,
    epoch::View,
    member::Member,
    message::{Message, Status},
    vote::Vote,
};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

/// What happens to one member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A message arrives.
    Hear(Arc<Packet>),
    /// The time for its view is over (R3).
    TimeOut,
    /// As a leader it has waited long enough for commits (R1).
    Late,
    /// It has been stuck for long (R9).
    Repeat,
}

/// What is on its way to a member, or what the liar may tell it.
#[derive(Clone, Debug)]
struct Packet {
    to: Member,
    from: Member,
    said: Said,
    message: Arc<Message>,
}

/// What a message says, however it is proved: the signers of its certificates do not matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Said {
    Proposal(BlockId, Vec<Claim>),
    Vote(Vote),
    Certificates(Vec<Claim>),
    Commands(Vec<CommandId>),
    Stuck(View, u64),
}

fn claims(certificates: &[Certificate]) -> Vec<Claim> {
    let mut claims: Vec<Claim> = (certificates.iter())
        .map(|certificate| certificate.claim)
        .collect();
    claims.sort();
    claims
}

impl Packet {
    /// The message of `from` as far as the model has such messages.
    fn new(to: Member, from: Member, message: Arc<Message>) -> Option<Packet> {
        let said = match &*message {
            Message::Vote(signed) if !matches!(signed.vote, Vote::Seal(_)) => {
                Said::Vote(signed.vote)
            }
            Message::Proposal(proposal) => {
                Said::Proposal(proposal.block.header.id(), claims(&proposal.justification))
            }
            Message::Certificates(certificates) => Said::Certificates(claims(certificates)),
            Message::Commands(commands) => {
                Said::Commands(commands.iter().map(|command| command.id()).collect())
            }
            Message::Status(Status {
                view,
                height,
                stuck: true,
            }) => Said::Stuck(*view, *height),
            _ => return None,
        };
        Some(Packet {
            to,
            from,
            said,
            message,
        })
    }

    /// The view that it is about, if it is about one.
    fn view(&self) -> Option<View> {
        match &self.said {
            Said::Proposal(block, _) => Some(block.view),
            Said::Vote(vote) => Some(vote.view()),
            Said::Certificates(_) | Said::Commands(_) | Said::Stuck(..) => None,
        }
    }

    fn key(&self) -> (Member, Member, &Said) {
        (self.to, self.from, &self.said)
    }
}

impl PartialEq for Packet {
    fn eq(&self, other: &Packet) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Packet {}

impl PartialOrd for Packet {
    fn partial_cmp(&self, other: &Packet) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Packet {
    fn cmp(&self, other: &Packet) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for Packet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}
