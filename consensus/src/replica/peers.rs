//! What is known of the fellow members, and how much work they may cause.

use crate::{
    epoch::{Height, View},
    member::{Member, MemberSet},
    message::Status,
    time::Time,
};
use std::time::Duration;

/// How many answers of catch-up a member may ask for at once.
const MAX_TOKENS: u32 = 32;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Peer {
    status: Status,
    heard: Option<Time>,
    answered: Option<Time>,
    /// The view of the commit that it was shown last, and when.
    shown: Option<(View, Time)>,
    tokens: u32,
    refilled: Time,
    checking: usize,
    bad: u32,
    muted_until: Time,
}

/// What is known of each fellow member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peers {
    peers: Vec<Peer>,
}

impl Peers {
    pub fn new(size: usize) -> Peers {
        let peer = Peer {
            tokens: MAX_TOKENS,
            ..Peer::default()
        };
        Peers {
            peers: vec![peer; size],
        }
    }

    fn get(&mut self, member: Member) -> &mut Peer {
        &mut self.peers[usize::from(member)]
    }

    pub fn heard(&mut self, member: Member, now: Time) {
        self.get(member).heard = Some(now);
    }

    pub fn last_heard(&self, member: Member) -> Option<Time> {
        self.peers.get(usize::from(member))?.heard
    }

    /// Those who were heard of.
    pub fn here(&self) -> MemberSet {
        (0..)
            .zip(&self.peers)
            .filter(|(_, peer)| peer.heard.is_some())
            .map(|(at, _)| at)
            .collect()
    }

    pub fn set_status(&mut self, member: Member, status: Status) {
        self.get(member).status = status;
    }

    /// Those who say that they executed more than `height`.
    pub fn above(&self, height: Height) -> MemberSet {
        (0..)
            .zip(&self.peers)
            .filter(|(_, peer)| peer.status.height > height)
            .map(|(at, _)| at)
            .collect()
    }

    /// Whether a member's status may be answered now: not more often than every `interval`.
    pub fn may_answer(&mut self, member: Member, now: Time, interval: Duration) -> bool {
        let peer = self.get(member);
        let due = peer.answered.is_none_or(|last| now.since(last) >= interval);
        if due {
            peer.answered = Some(now);
        }
        due
    }

    /// Whether a member is to be shown what is committed up to `view`: not the same again within `interval`.
    pub fn may_show(&mut self, member: Member, view: View, now: Time, interval: Duration) -> bool {
        let peer = self.get(member);
        let due = (peer.shown).is_none_or(|(last, at)| view > last || now.since(at) >= interval);
        if due {
            peer.shown = Some((view, now));
        }
        due
    }

    /// Whether a member may cause one more answer; one comes back every `interval`.
    pub fn take_token(&mut self, member: Member, now: Time, interval: Duration) -> bool {
        let peer = self.get(member);
        let passed = now.since(peer.refilled).as_micros() / interval.as_micros().max(1);
        if passed > 0 {
            let more = u32::try_from(passed).unwrap_or(MAX_TOKENS);
            peer.tokens = peer.tokens.saturating_add(more).min(MAX_TOKENS);
            peer.refilled = now;
        }
        let left = peer.tokens.checked_sub(1);
        peer.tokens = left.unwrap_or(0);
        left.is_some()
    }

    /// Whether certificates of a member may be checked now: those of so many messages at a time at most, and none for
    /// a while after bad ones. If so they are being checked from now on.
    pub fn begin_check(&mut self, member: Member, now: Time, most: usize) -> bool {
        let peer = self.get(member);
        let may = peer.checking < most && now >= peer.muted_until;
        peer.checking += usize::from(may);
        may
    }

    /// Certificates of a member were checked.
    pub fn end_check(&mut self, member: Member, good: bool, now: Time, pause: Duration) {
        let peer = self.get(member);
        peer.checking = peer.checking.saturating_sub(1);
        if good {
            peer.bad = 0;
        } else {
            peer.bad = peer.bad.saturating_add(1);
            peer.muted_until = now + pause * (1 << peer.bad.min(10));
        }
    }
}
