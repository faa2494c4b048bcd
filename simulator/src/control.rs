//! What control traffic consists of: bytes by kind of message, and those of commands by what they say.

use hamlet_consensus::{
    self as agreement, beacon::Contribution, command::Command, succession::Transfer, vote::Vote,
};
use hamlet_overlay::{
    agreement::order::{Order, Saying},
    message::Message,
    wire::Frame,
};
use std::collections::BTreeMap;

/// A kind of control traffic.
pub type Kind = &'static str;

/// A connection that is made.
pub const HANDSHAKE: Kind = "handshake";

/// Bytes by kind.
#[derive(Clone, Debug, Default)]
pub struct Control(BTreeMap<Kind, u64>);

impl Control {
    /// Counts bytes of a kind.
    pub fn count(&mut self, kind: Kind, bytes: u64) {
        *self.0.entry(kind).or_default() += bytes;
    }

    /// Counts a frame that takes so many bytes on the wire, and goes to so many.
    pub fn sent(&mut self, frame: &Frame, bytes: u64, receivers: u64) {
        let mut rest = bytes;
        let kind = kind(frame, &mut |kind, bytes| {
            rest -= bytes;
            self.count(kind, bytes * receivers);
        });
        self.count(kind, rest * receivers);
    }

    /// Adds what others counted.
    pub fn add(&mut self, other: &Control) {
        for (kind, bytes) in &other.0 {
            self.count(kind, *bytes);
        }
    }

    /// The bytes of each kind.
    pub fn by_kind(&self) -> &BTreeMap<Kind, u64> {
        &self.0
    }
}

/// What a frame is, but for the commands in it, which are told apart.
fn kind(frame: &Frame, of_commands: &mut dyn FnMut(Kind, u64)) -> Kind {
    let Ok((message, body)) = Message::decode(frame) else {
        return "malformed";
    };
    match message {
        Message::Agreement { .. } => match agreement::Message::decode(&body) {
            Ok(message) => of_agreement(&message, of_commands),
            Err(_) => "malformed",
        },
        Message::Transfer => match Transfer::decode(&body) {
            Ok(Transfer::Handovers(_)) => "handover",
            Ok(Transfer::Follow(_)) => "follow",
            Ok(Transfer::Established(..)) => "established",
            Ok(_) => "state",
            Err(_) => "malformed",
        },
        Message::Petition => "petition",
        Message::Herald { .. } | Message::Behind { .. } => "herald",
        Message::Progress => "progress",
        Message::Walks { .. } | Message::Batch => "batch",
        Message::Offer { .. } => "offer",
        Message::Evidence(_) | Message::Proofs(_) | Message::Prove(_) => "evidence",
        Message::Shard { .. }
        | Message::ProvenShard { .. }
        | Message::Digest { .. }
        | Message::Notices(_) => "push",
    }
}

fn of_agreement(message: &agreement::Message, of_commands: &mut dyn FnMut(Kind, u64)) -> Kind {
    use agreement::Message as Said;
    match message {
        Said::Proposal(proposal) => {
            for command in &proposal.block.commands {
                let (_, ordered) = of_command(command);
                of_commands(ordered, command.payload.len() as u64);
            }
            "proposal"
        }
        Said::Commands(commands) => {
            for command in commands {
                let (spread, _) = of_command(command);
                of_commands(spread, command.payload.len() as u64);
            }
            "commands"
        }
        Said::Vote(signed) => match signed.vote {
            Vote::Seal(_) => "seal",
            _ => "vote",
        },
        Said::Certificates(_) => "certificate",
        Said::Status(_) => "status",
        Said::RequestSeal(_) => "seal",
        Said::Greeting | Said::Welcome(_) => "greeting",
        Said::Evidence(_) => "evidence",
        Said::Fetch(_)
        | Said::Block(_)
        | Said::Tail(_)
        | Said::Snapshot(_)
        | Said::FetchPiece { .. }
        | Said::Piece { .. } => "catch_up",
    }
}

/// What a command is: where members tell each other of it, and where it stands in a block.
fn of_command(command: &Command) -> (Kind, Kind) {
    let Ok(order) = hamlet_consensus::wire::decode(&command.payload) else {
        return ("command_malformed", "block_malformed");
    };
    let said = match order {
        Order::Said(said) => said.saying,
        Order::Neighbour(_) => return ("command_neighbour", "block_neighbour"),
        Order::Ask(_) => return ("command_ask", "block_ask"),
        Order::Walks(_) => return ("command_walks", "block_walks"),
        Order::Claim(_) => return ("command_claim", "block_claim"),
        Order::Evidence(_) => return ("command_evidence", "block_evidence"),
    };
    match said {
        Saying::Turn { .. } => ("command_turn", "block_turn"),
        Saying::Beacon(what) => match *what {
            Contribution::Dealing(_) => ("command_dealing", "block_dealing"),
            Contribution::Share(_) => ("command_share", "block_share"),
        },
        Saying::Key(_) => ("command_key", "block_key"),
        Saying::Silent(_) => ("command_silent", "block_silent"),
        Saying::Given(_) => ("command_given", "block_given"),
        Saying::Note { .. } | Saying::Wants(_) | Saying::Leave | Saying::Lost { .. } => {
            ("command_other", "block_other")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use hamlet_consensus::succession::Tag;

    #[test]
    fn commands_are_told_apart_from_what_carries_them() {
        let command = Command {
            expires: 9,
            payload: Bytes::from_static(b"no order"),
        };
        let message = agreement::Message::Commands(vec![command; 3]);
        let head = Message::Agreement {
            epoch: Tag::default(),
        };
        let frame = head.frame_with(message.encode().into());
        let bytes = frame.len() as u64 + 4;
        let mut control = Control::default();
        control.sent(&frame, bytes, 5);
        control.count(HANDSHAKE, 7);
        let expected = [
            ("command_malformed", 3 * 8 * 5),
            ("commands", (bytes - 3 * 8) * 5),
            (HANDSHAKE, 7),
        ];
        assert_eq!(control.by_kind(), &BTreeMap::from(expected));
        let mut twice = control.clone();
        twice.add(&control);
        assert_eq!(twice.by_kind()[HANDSHAKE], 14);
    }
}
