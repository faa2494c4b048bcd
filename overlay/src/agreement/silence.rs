//! W8: when this member finds that fellows are silent, and says so.

use super::{Agreement, order::Saying};
use crate::{
    identity::PeerId,
    time::{Duration, Time},
};
use std::collections::BTreeMap;

/// How long it waits before it says something else.
const AGAIN: Duration = Duration::from_secs(4);
/// Who did nothing for this long was asleep, and cannot tell who is silent.
const ASLEEP: Duration = Duration::from_secs(3);

/// When fellows were heard last.
pub(super) struct Silence {
    /// How long one may be silent, if that is limited.
    limit: Option<Duration>,
    heard: BTreeMap<PeerId, Time>,
    /// When this member did something last.
    awake: Time,
    said_until: Time,
}

impl Silence {
    pub fn new(limit_ms: Option<u32>) -> Silence {
        Silence {
            limit: limit_ms.map(|ms| Duration::from_millis(ms.into())),
            heard: BTreeMap::new(),
            awake: Time::ZERO,
            said_until: Time::ZERO,
        }
    }

    /// A peer was heard.
    pub fn hear(&mut self, peer: PeerId, now: Time) {
        if let Some(heard) = self.heard.get_mut(&peer) {
            *heard = now;
        }
    }

    /// An epoch of these members has begun: who is new has been silent from now on at most.
    pub fn begin(&mut self, members: &[PeerId], now: Time) {
        let known = std::mem::take(&mut self.heard);
        let since = |peer: &PeerId| known.get(peer).copied().unwrap_or(now);
        self.heard = members.iter().map(|peer| (*peer, since(peer))).collect();
    }

    /// Time has passed. Whether this member was asleep meanwhile.
    fn pass(&mut self, now: Time) -> bool {
        let asleep = self.awake + ASLEEP < now;
        if asleep {
            self.heard.values_mut().for_each(|heard| *heard = now);
        }
        self.awake = now;
        asleep
    }

    /// Since when each of those who are silent at this time was not heard for too long.
    fn silent(&self, at: Time) -> impl Iterator<Item = (PeerId, Time)> {
        let heard = self.limit.into_iter().flat_map(|limit| {
            let heard = self.heard.iter();
            heard.map(move |(peer, heard)| (*peer, *heard + limit))
        });
        heard.filter(move |(_, since)| *since <= at)
    }
}

impl Agreement {
    /// When this member has to say who is silent, or who is not any more.
    pub(super) fn silence_at(&self) -> Time {
        let Some(state) = self.state().filter(|_| self.is_member()) else {
            return Time::NEVER;
        };
        let stated: Vec<PeerId> = state.unheard_by(self.me).collect();
        let is_new = |peer: &PeerId| *peer != self.me && stated.binary_search(peer).is_err();
        let silent = self.silence.silent(Time::NEVER);
        let new = silent.filter(|(peer, _)| is_new(peer));
        let heard = stated.iter().any(|peer| !self.is_silent(*peer));
        let at = match heard {
            true => Some(Time::ZERO),
            false => new.map(|(_, since)| since).min(),
        };
        at.map_or(Time::NEVER, |at| at.max(self.silence.said_until))
    }

    /// Whether this member hears nothing of a fellow, and the log does not say so yet.
    pub(super) fn has_news_of_silence(&self) -> bool {
        let Some(state) = self.state() else {
            return false;
        };
        let stated: Vec<PeerId> = state.unheard_by(self.me).collect();
        let mut silent = self.silence.silent(self.now);
        silent.any(|(peer, _)| peer != self.me && !stated.contains(&peer))
    }

    fn is_silent(&self, fellow: PeerId) -> bool {
        (self.silence.silent(self.now)).any(|(peer, _)| peer == fellow)
    }

    /// Says whom it hears nothing of, if that has changed.
    pub fn tell_silence(&mut self) {
        if self.silence.pass(self.now) {
            self.stalled.wake_up();
        }
        if self.silence_at() > self.now {
            return;
        }
        self.silence.said_until = self.now + AGAIN;
        let silent = self.silence.silent(self.now).map(|(peer, _)| peer);
        let silent = silent.filter(|peer| *peer != self.me).collect();
        let order = self.say(Saying::Silent(silent));
        self.propose(self.now, &order);
    }
}
