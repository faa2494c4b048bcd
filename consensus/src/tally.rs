//! Votes for one thing, on their way to a certificate.

use crate::{
    check::Item,
    identity::Signature,
    member::{Member, MemberSet},
    vote::Vote,
};

/// The votes of many members that say the same. Votes are collected by what they say, never by view alone, so
/// that nobody's vote for one block can spoil the certificate of another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tally {
    pub vote: Vote,
    /// Votes whose signatures nobody has checked yet.
    waiting: Vec<(Member, Signature)>,
    /// All from whom a vote came that was not found bad.
    heard: MemberSet,
    /// Those of them whose signatures are valid.
    valid: MemberSet,
    signatures: Vec<(Member, Signature)>,
}

impl Tally {
    pub fn new(vote: Vote) -> Tally {
        Tally {
            vote,
            waiting: Vec::new(),
            heard: MemberSet::EMPTY,
            valid: MemberSet::EMPTY,
            signatures: Vec::new(),
        }
    }

    pub fn heard(&self) -> MemberSet {
        self.heard
    }

    pub fn valid(&self) -> MemberSet {
        self.valid
    }

    /// Takes in a vote whose signature is not checked yet; whether it is new.
    pub fn hear(&mut self, member: Member, signature: Signature) -> bool {
        let new = self.heard.insert(member);
        if new {
            self.waiting.push((member, signature));
        }
        new
    }

    /// Takes in a vote whose signature is valid.
    pub fn accept(&mut self, member: Member, signature: Signature) {
        self.heard.insert(member);
        if self.valid.insert(member) {
            self.signatures.push((member, signature));
        }
    }

    /// Forgets a vote whose signature is bad.
    pub fn refuse(&mut self, member: Member) {
        if !self.valid.contains(member) {
            self.heard.remove(member);
        }
    }

    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes out the votes whose signatures are to be checked now.
    pub fn take_waiting(&mut self) -> impl Iterator<Item = Item> {
        let vote = self.vote;
        std::mem::take(&mut self.waiting)
            .into_iter()
            .map(move |(member, signature)| Item {
                member,
                vote,
                signature,
            })
    }

    /// The signature of a member whose vote was heard, checked or not.
    pub fn signature(&self, member: Member) -> Option<Signature> {
        (self.signatures.iter().chain(&self.waiting))
            .find(|(by, _)| *by == member)
            .map(|(_, signature)| *signature)
    }

    /// The valid signatures of these members, in their order.
    pub fn signatures_of(&self, members: MemberSet) -> impl Iterator<Item = Signature> {
        members.iter().filter_map(|member| {
            (self.signatures.iter())
                .find(|(by, _)| *by == member)
                .map(|(_, signature)| *signature)
        })
    }
}
