//! The coded push: how a stream gets from its source to everybody.
//!
//! The rules are numbered here as in `docs/protocol.md`; D1–D5 are in [`duty`], G1–G4 in `givers`.
//!
//! * **P1** The source gives every data shard, with its proof, to its relay in the own cluster and to the
//!   relay in one neighbouring cluster, and parity in the amount that receivers lack ([`source`]).
//! * **P2** A relay verifies its shard and hands it on at once, without restoring anything: to the fellow
//!   members that it is owed to (D2), and to the same slot of each neighbouring cluster that has not sent
//!   it (D4) ([`relay`]).
//! * **P3** The list of leaves comes from two carriers (D3); a shard that comes before it waits for it.
//! * **P4** With `k` verified shards a peer restores the segment, compares it with the signed hash, and
//!   then gives what it owed and had not received ([`receive`]).
//! * **P5** What is late is asked for: first spare shards of their relays, then any shard of a substitute,
//!   the same for the whole cluster, who asks across if it lacks the shard itself ([`pull`]).
//! * **P6** Requests are answered as soon as the shard is there, within an allowance that grows with what
//!   the asker gives.
//! * **P7** Segments are handed out in order; one that does not come is left out after a while
//!   ([`playout`]).
//! * **P8** What silent slots withhold from a cluster with too few relays is fetched from neighbours for
//!   every segment, before anybody misses it ([`import`]).

mod bucket;
mod column;
pub mod duty;
mod estimate;
mod givers;
mod import;
mod playout;
mod pull;
mod receive;
mod relay;
mod segment;
mod source;

use crate::{
    core::Core,
    digest::{Claim, Equivocation},
    identity::PeerId,
    io::{Class, Event, Refusal, StopReason},
    links::{Deal, LinkId},
    message::{Message, Notice, Standing},
    peer::Sizes,
    report::StreamReport,
    set::{ShardSet, SlotSet},
    time::{Duration, Time},
    view::{SegmentNumber, StreamNumber, View},
};
use bucket::Bucket;
use bytes::Bytes;
use duty::Rotation;
use estimate::Estimate;
use givers::Givers;
use import::Imports;
use playout::Playout;
use segment::Segment;
use source::Source;
use std::collections::{BTreeMap, btree_map::Entry};

/// How many segments before the newest are kept, for those who ask and those who join.
pub const WINDOW: u64 = 32;
/// How many segments whose digest has not come may be begun.
pub const AHEAD: usize = 6;
/// How many segments a newcomer may ask all its fellows for together.
const FIRST_SEGMENTS: u16 = 6;
/// Standings are told at most this often.
const STANDING_EVERY: Duration = Duration::from_millis(200);
/// A link may ask for the digests of the past at most this often.
const JOIN_EVERY: Duration = Duration::from_secs(1);

/// How long after the first shard a member of a cluster with too few relays asks for more.
const SHORT_OF_RELAYS: Duration = Duration::from_millis(5);

/// One stream, as one peer relays and receives it.
pub(crate) struct Stream {
    number: StreamNumber,
    source: PeerId,
    n: u8,
    k: u8,
    max_segment_bytes: usize,
    /// How many shards a link may ask for before it has given anything: together enough for a newcomer to
    /// catch up, so more where there are few to ask.
    first_allowance: u16,
    window: BTreeMap<SegmentNumber, Segment>,
    /// The newest segment whose digest was verified.
    newest: Option<SegmentNumber>,
    /// The parity of the newest segment: what to expect of one whose digest has not come.
    parity: u8,
    /// What this peer knows of its links with regard to this stream.
    links: Vec<LinkState>,
    givers: Givers,
    /// What fellows were told, and when.
    told: Option<(Standing, Time)>,
    /// Whether the content is wanted here.
    watching: bool,
    joins_sent: u8,
    /// How long a segment takes from its first shard until it is restored, and an answer to a request.
    completion: Estimate,
    answer: Estimate,
    /// The stream's rate, as a relay enforces it.
    bucket: Bucket,
    playout: Playout,
    own: Source,
    stopped: Option<StopReason>,
    /// When something has to be done next.
    wake: Time,
    report: StreamReport,
}

/// What is known of a link with regard to a stream.
#[derive(Clone, Copy)]
struct LinkState {
    /// What it wants, for the two newest epochs that it named.
    standings: [Option<(u64, Standing)>; 2],
    /// How many shards it may still ask for.
    allowance: u16,
    /// What it asked for of a segment that was not there yet.
    early: Option<(SegmentNumber, ShardSet)>,
    /// Whether it ever gave a shard that was verified.
    gave: bool,
    /// Requests to it that went unanswered since it last answered.
    unanswered: u8,
    /// Slots on which it wants shards announced instead of sent, and those on which we told it so.
    lazy: SlotSet,
    told_lazy: SlotSet,
    /// When it may ask for the past again.
    join_after: Time,
}

impl Stream {
    pub fn new(number: StreamNumber, view: &View, publish_from: SegmentNumber) -> Stream {
        let parameters = &view.parameters;
        let publisher = view.publishers[usize::from(number)];
        let ms = Duration::from_millis;
        let burst = parameters.segment() * (WINDOW as u32 + 8);
        Stream {
            number,
            source: publisher.stream,
            n: parameters.n,
            k: parameters.k,
            max_segment_bytes: source::max_segment_bytes(publisher.max_bits_per_s, parameters),
            first_allowance: first_allowance(view),
            window: BTreeMap::new(),
            newest: None,
            parity: 0,
            links: Vec::new(),
            givers: Givers::new(parameters.k, parameters.n),
            told: None,
            watching: false,
            joins_sent: 0,
            completion: Estimate::new(ms(250), ms(40), ms(400)),
            answer: Estimate::new(ms(250), ms(60), ms(500)),
            bucket: Bucket::for_stream(publisher.max_bits_per_s, burst),
            playout: Playout::default(),
            own: Source::new(
                publish_from,
                Bucket::for_stream(publisher.max_bits_per_s, burst),
            ),
            stopped: None,
            wake: Time::NEVER,
            report: StreamReport::default(),
        }
    }

    pub fn report(&self) -> StreamReport {
        StreamReport {
            newest: self.newest,
            buffered: self
                .window
                .values()
                .filter(|segment| segment.restored() && !segment.played)
                .count(),
            silent_slots: self.givers.silent().iter().collect(),
            stopped: self.stopped.as_ref().map(StopReason::to_string),
            ..self.report.clone()
        }
    }

    pub fn sizes(&self, core: &Core) -> Sizes {
        let streams_max = WINDOW as usize + 1 + AHEAD;
        Sizes {
            segments: self.window.len(),
            segments_max: streams_max,
            held_shards: self.window.values().map(Segment::held_len).sum(),
            held_shards_max: streams_max * usize::from(core.view.parameters.n),
        }
    }

    /// When something has to be done next.
    pub fn next_wake(&self) -> Time {
        self.wake
    }

    fn wake_at(&mut self, at: Time) {
        self.wake = self.wake.min(at);
    }

    /// Does what is due.
    pub fn act(&mut self, core: &mut Core) {
        if self.wake > core.now {
            return;
        }
        self.wake = Time::NEVER;
        let numbers: Vec<SegmentNumber> = self.window.keys().copied().collect();
        for number in numbers {
            self.graft(core, number);
            self.import(core, number);
            self.fill_across(core, number);
            self.judge(core, number);
            self.chase(core, number);
        }
        self.drop_unknown(core);
        self.play(core);
        self.tell_standing(core);
    }

    fn is_source(&self, core: &Core) -> bool {
        core.me == self.source
    }

    fn link(&mut self, link: LinkId) -> &mut LinkState {
        if self.links.len() <= link {
            let new = LinkState {
                standings: [None; 2],
                allowance: self.first_allowance,
                early: None,
                gave: false,
                unanswered: 0,
                lazy: SlotSet::EMPTY,
                told_lazy: SlotSet::EMPTY,
                join_after: Time::ZERO,
            };
            self.links.resize(link + 1, new);
        }
        &mut self.links[link]
    }

    /// The state of a segment, begun now if there is none.
    fn segment(&mut self, core: &Core, number: SegmentNumber) -> &mut Segment {
        let imports = match self.window.contains_key(&number) {
            true => Imports::default(),
            false => self.plan_imports(core, number),
        };
        match self.window.entry(number) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let rotation = rotation_of(core, self.number, number);
                let standing = self
                    .told
                    .map_or_else(Standing::default, |(standing, _)| standing);
                let mut segment = Segment::new(
                    number,
                    core.deal(self.number, number),
                    rotation,
                    standing,
                    core.now,
                );
                segment.late_at = core.now + self.completion.timeout();
                if !imports.shards().is_empty() {
                    self.wake = core.now;
                }
                segment.imports = imports;
                if self.watching && core.me != self.source {
                    let grace = match self.givers.knows() {
                        true => receive::GRACE,
                        false => receive::FIRST_GRACE,
                    };
                    segment.judge_at = Some(segment.late_at + grace);
                    // With fewer relays than shards needed there is nothing to wait for.
                    let enough = rotation
                        .owed(&standing, self.parity)
                        .union(rotation.imported(&standing, self.parity))
                        .len()
                        >= self.k;
                    let at = if enough {
                        segment.late_at
                    } else {
                        core.now + SHORT_OF_RELAYS
                    };
                    segment.chase_at = Some(at);
                    self.wake = self.wake.min(at);
                }
                self.wake = self.wake.min(core.now + playout::PATIENCE);
                for (link, state) in self.links.iter_mut().enumerate() {
                    if let Some((_, shards)) = state.early.take_if(|(early, _)| *early <= number) {
                        segment.exchange(link).waits_for = shards;
                    }
                }
                entry.insert(segment)
            }
        }
    }

    /// Wants the stream's content from now on.
    pub fn subscribe(&mut self, core: &mut Core) {
        if std::mem::replace(&mut self.watching, true) || self.is_source(core) {
            return;
        }
        self.joins_sent = 0;
        self.tell_standing(core);
        for link in core.newest_deal().fellows.clone() {
            self.join(core, link);
        }
    }

    /// Only relays the stream from now on.
    pub fn unsubscribe(&mut self, core: &mut Core) {
        if !std::mem::replace(&mut self.watching, false) || self.is_source(core) {
            return;
        }
        self.playout = Playout::default();
        self.tell_standing(core);
    }

    /// Asks the first two fellows at hand for the past, unless the stream is already being played.
    fn join(&mut self, core: &mut Core, link: LinkId) {
        let wanted =
            self.watching && !self.is_source(core) && !self.playout.begun() && self.joins_sent < 2;
        if wanted && core.links.connected(link) {
            self.joins_sent += 1;
            core.notify(
                link,
                Notice::Join {
                    stream: self.number,
                },
            );
        }
    }

    pub fn link_changed(&mut self, core: &mut Core, link: LinkId, connected: bool) {
        let state = self.link(link);
        state.standings = [None; 2];
        state.unanswered = 0;
        (state.lazy, state.told_lazy) = (SlotSet::EMPTY, SlotSet::EMPTY);
        let deal = core.newest_deal();
        if !deal.fellows.contains(&link) {
            return;
        }
        if connected {
            let slots = (0..self.n)
                .filter(|&slot| deal.holders[usize::from(slot)] == Some(link))
                .collect();
            self.givers.forget(slots);
            if let Some((standing, _)) = self.told {
                core.notify(link, self.standing_notice(core, standing));
            }
            self.join(core, link);
        }
        self.tell_standing(core);
    }

    pub fn follow_epoch(&mut self, core: &mut Core) {
        self.givers = Givers::new(self.k, self.n);
        for state in &mut self.links {
            (state.lazy, state.told_lazy) = (SlotSet::EMPTY, SlotSet::EMPTY);
        }
        self.told = None;
        self.tell_standing(core);
    }

    /// The source has enough to give: it is no relay of its own stream.
    fn slots_of_source(&self, deal: &Deal) -> SlotSet {
        deal.epoch.own.slots_of(self.source)
    }

    fn standing_notice(&self, core: &Core, standing: Standing) -> Notice {
        Notice::Standing {
            stream: self.number,
            epoch: core.newest_deal().epoch.own.epoch,
            standing,
        }
    }

    /// Tells all fellows what this peer wants of the stream when that has changed.
    fn tell_standing(&mut self, core: &mut Core) {
        if self.is_source(core) || self.stopped.is_some() {
            return;
        }
        let deal = core.newest_deal();
        let standing = if self.watching {
            self.givers.try_again(core.now);
            let mut standing = self.givers.standing();
            let away = |slot: &u8| {
                deal.holders[usize::from(*slot)].is_some_and(|link| !core.links.connected(link))
            };
            standing.silent = standing.silent.union(self.slots_of_source(&deal));
            standing.silent = standing
                .silent
                .union((0..self.n).filter(away).collect::<SlotSet>());
            standing
        } else {
            Standing {
                idle: true,
                ..Standing::default()
            }
        };
        match self.told {
            // Before anything was wanted nobody needs to be told that nothing is.
            None if !self.watching => return,
            Some((told, _)) if told == standing => {
                return self.wake_at(self.givers.next_trial());
            }
            Some((_, at)) if core.now.since(at) < STANDING_EVERY => {
                return self.wake_at(at + STANDING_EVERY);
            }
            _ => {}
        }
        self.told = Some((standing, core.now));
        let notice = self.standing_notice(core, standing);
        for &link in &deal.fellows {
            core.notify(link, notice);
        }
        self.wake_at(self.givers.next_trial());
    }

    pub fn on_standing(
        &mut self,
        core: &mut Core,
        from: LinkId,
        epoch: u64,
        mut standing: Standing,
    ) {
        standing.silent = standing.silent.intersection(SlotSet::below(self.n));
        standing.extra = standing.extra.min(reserve_max(self.k));
        let known = core.view.epochs().any(|held| held.own.epoch == epoch);
        let [newer, older] = &mut self.link(from).standings;
        match newer {
            _ if !known => {}
            Some((named, _)) if *named > epoch => *older = Some((epoch, standing)),
            Some((named, _)) if *named < epoch => *older = newer.replace((epoch, standing)),
            _ => *newer = Some((epoch, standing)),
        }
    }

    /// What a link wants of segments that an epoch governs. Slots that it calls silent are those of one
    /// epoch; of another epoch it has no complaints yet.
    fn standing_of(&self, link: LinkId, epoch: u64) -> Option<Standing> {
        let standings = self.links.get(link)?.standings;
        let exact = standings
            .iter()
            .flatten()
            .find(|(named, _)| *named == epoch);
        let other = || {
            standings[0].map(|(_, standing)| Standing {
                silent: SlotSet::EMPTY,
                ..standing
            })
        };
        exact.map(|(_, standing)| *standing).or_else(other)
    }

    pub fn on_join(&mut self, core: &mut Core, from: LinkId) -> Result<(), Refusal> {
        let now = core.now;
        if now < self.link(from).join_after {
            return Err(Refusal::TooManyRequests);
        }
        self.link(from).join_after = now + JOIN_EVERY;
        let listed = |segment: &&Segment| segment.leaves().is_some();
        let start = self.window.values().rev().filter(listed).find(|segment| {
            segment
                .digest
                .as_ref()
                .is_some_and(|digest| digest.header().random_access)
        });
        let Some(start) = start.map(|segment| segment.number) else {
            return Ok(());
        };
        for segment in self
            .window
            .range(start..)
            .map(|(_, segment)| segment)
            .filter(listed)
        {
            let Some(digest) = &segment.digest else {
                continue;
            };
            let leaves = digest.leaves.clone().unwrap_or_default();
            let message = Message::Digest {
                signed: digest.signed,
                leaves,
            };
            core.send(
                &[from],
                &message,
                Bytes::new(),
                Class::Digest,
                segment.number,
            );
        }
        Ok(())
    }

    pub fn on_evidence(&mut self, core: &mut Core, proof: Equivocation) -> Result<(), Refusal> {
        if self.stopped.is_some() {
            return Err(Refusal::Duplicate);
        }
        if !proof.verify(self.source, core.network(), &*core.verifier) {
            return Err(Refusal::Mismatch);
        }
        self.stop(core, StopReason::Equivocation(Box::new(proof)));
        Ok(())
    }

    /// A claim that contradicts one that was verified: evidence, if its signature holds.
    fn contradict(&mut self, core: &mut Core, first: Claim, second: Claim) -> Refusal {
        match Equivocation::between(first, second) {
            Some(proof) if second.verify(self.source, core.network(), &*core.verifier) => {
                self.stop(core, StopReason::Equivocation(Box::new(proof)));
                Refusal::Stopped
            }
            _ => Refusal::Mismatch,
        }
    }

    /// Ends the stream for good, keeps the proof and tells everybody.
    fn stop(&mut self, core: &mut Core, why: StopReason) {
        if self.stopped.is_some() {
            return;
        }
        if let StopReason::Equivocation(proof) = &why {
            let links: Vec<LinkId> = (0..core.links.len()).collect();
            core.send(
                &links,
                &Message::Evidence(proof.clone()),
                Bytes::new(),
                Class::Control,
                SegmentNumber::MAX,
            );
        }
        core.event(Event::Stopped {
            stream: self.number,
            why: why.clone(),
        });
        self.window.clear();
        self.wake = Time::NEVER;
        self.stopped = Some(why);
    }
}

fn first_allowance(view: &View) -> u16 {
    let members = view
        .epochs()
        .last()
        .map_or(0, |epoch| epoch.own.members().len());
    FIRST_SEGMENTS * u16::from(view.parameters.k).div_ceil(members.max(2) as u16 - 1)
}

/// The most shards beyond `k` that a receiver may want of every segment.
fn reserve_max(k: u8) -> u8 {
    (k / 8).max(1)
}

/// How the shards of a segment are dealt to slots.
fn rotation_of(core: &Core, stream: StreamNumber, segment: SegmentNumber) -> Rotation {
    let (n, k) = (core.view.parameters.n, core.view.parameters.k);
    Rotation {
        by: duty::rotation(core.view.rotation_beacon, stream, segment, n),
        n,
        k,
    }
}
