//! The coded push: how a stream gets from its source to everybody.
//!
//! The rules are numbered here as in `docs/protocol.md`; D1–D5 are in [`duty`], G1–G6 in `givers`, G7 in `account`.
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

mod account;
mod bucket;
mod column;
mod complete;
pub mod duty;
mod equivocation;
mod estimate;
mod experience;
mod givers;
mod import;
mod join;
mod link;
mod playout;
mod pull;
mod receive;
mod relay;
mod segment;
mod source;
mod standing;
mod window;

use crate::{
    core::Core,
    digest::Claim,
    identity::PeerId,
    io::StopReason,
    links::{Deal, LinkSet},
    message::Standing,
    peer::Sizes,
    report::StreamReport,
    set::SlotSet,
    time::{Duration, Time},
    view::{EpochName, SegmentNumber, StreamNumber, View},
};
pub use account::REMEMBERED;
use bucket::Bucket;
use duty::Rotation;
use estimate::Estimate;
use givers::Givers;
use link::{LinkState, Wants};
use playout::Playout;
use segment::Segment;
use source::Source;
use std::sync::Arc;
use window::Window;

/// How many segments before the newest are kept, for those who ask and those who join.
pub const WINDOW: u64 = 32;
/// How many segments whose digest has not come may be begun.
pub const AHEAD: usize = 6;

/// How long after the first shard a member of a cluster with too few relays asks for more.
const SHORT_OF_RELAYS: Duration = Duration::from_millis(5);

/// What fellows were told.
#[derive(Clone, Copy)]
struct Told {
    /// The epoch whose slots were meant.
    epoch: EpochName,
    standing: Standing,
    at: Time,
}

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
    window: Window,
    /// The newest segment whose digest was verified.
    newest: Option<SegmentNumber>,
    /// The parity of the newest segment: what to expect of one whose digest has not come.
    parity: u8,
    /// What this peer knows of its links with regard to this stream.
    links: Vec<LinkState>,
    /// What each of them wants, and which of them gave something false (G6).
    wants: Vec<Wants>,
    distrusted: LinkSet,
    givers: Givers,
    /// The first segment of which this peer was given something that it had not asked for: a guest cannot complain of those
    /// before.
    served_from: Option<SegmentNumber>,
    /// Whether any link asked for something of a segment that was not there yet.
    asked_early: bool,
    /// What fellows were told last.
    told: Option<Told>,
    /// What they were told in the epoch before.
    told_before: Option<(EpochName, Standing)>,
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
            max_segment_bytes: parameters.max_segment_bytes(publisher.max_bits_per_s),
            first_allowance: link::first_allowance(view),
            window: Window::default(),
            newest: None,
            parity: 0,
            links: Vec::new(),
            wants: Vec::new(),
            distrusted: LinkSet::default(),
            givers: Givers::new(parameters.k, parameters.n),
            served_from: None,
            asked_early: false,
            told: None,
            told_before: None,
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
            held_shards: self.window.held(),
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
        let (due, next) = self.window.due(core.now);
        self.wake_at(next);
        for number in due {
            self.graft(core, number);
            self.import(core, number);
            self.fill_across(core, number);
            if self.judge(core, number) {
                self.count_given(core, number);
            }
            self.chase(core, number);
            self.window.note(number);
        }
        self.drop_unknown(core);
        self.play(core);
        self.tell_standing(core);
    }

    /// The newest digest of the stream that this peer has verified, to be shown to others.
    pub fn head(&self) -> Option<Claim> {
        let digest = self.window.get(&self.newest?)?.digest.as_ref()?;
        Some(digest.claim())
    }

    fn is_source(&self, core: &Core) -> bool {
        core.me == self.source
    }

    /// How the shards of a segment are dealt to slots, and the slots to links.
    fn plan<'a>(&'a self, core: &'a Core, number: SegmentNumber) -> (Rotation, &'a Arc<Deal>) {
        match self.window.get(&number) {
            Some(segment) => (segment.rotation, &segment.deal),
            None => {
                let rotation = rotation_of(core, self.number, number);
                (rotation, core.deal(self.number, number))
            }
        }
    }

    /// The state of a segment, begun now if there is none.
    fn segment(&mut self, core: &Core, number: SegmentNumber) -> &mut Segment {
        let place = match self.window.place(number) {
            Ok(place) => place,
            Err(place) => {
                let segment = self.begin_segment(core, number);
                self.window.insert(place, segment);
                place
            }
        };
        self.window.at_mut(place)
    }

    fn begin_segment(&mut self, core: &Core, number: SegmentNumber) -> Segment {
        let (rotation, deal) = self.plan(core, number);
        let standing = self.told_of(deal).unwrap_or_else(|| Standing {
            silent: deal.slots_of_source(self.number),
            ..Standing::default()
        });
        let deal = deal.clone();
        // Nobody owes anything to a peer that is no member yet, or not any more.
        let member = deal.is_member(core.me);
        let judges = member || self.served_from.is_some_and(|first| first <= number);
        let imports = self.plan_imports(core, rotation, &deal);
        let mut segment =
            Segment::new(number, deal, rotation, standing, core.links.len(), core.now);
        segment.late_at = core.now + self.completion.timeout();
        if !imports.shards().is_empty() {
            self.wake = core.now;
        }
        segment.imports = imports;
        if self.watching && (member || core.may_visit) && core.me != self.source {
            let grace = match self.givers.knows() {
                true => receive::GRACE,
                false => receive::FIRST_GRACE,
            };
            segment.judge_at = judges.then_some(segment.late_at + grace);
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
        if std::mem::take(&mut self.asked_early) {
            for (link, state) in self.links.iter_mut().enumerate() {
                // Segments may begin out of order; a request for one that never did is for no other.
                let of_no_use = |early: SegmentNumber| early + (AHEAD as u64) < number;
                let begun = |&mut (early, _): &mut _| early == number || of_no_use(early);
                if let Some((early, shards)) = state.early.take_if(begun)
                    && early == number
                {
                    segment.exchange(link).waits_for = shards;
                    segment.awaited = true;
                }
                self.asked_early |= state.early.is_some();
            }
        }
        segment
    }

    /// The newest epoch is another than `old`.
    pub fn follow_epoch(&mut self, core: &mut Core, old: &Deal) {
        let new = core.newest_deal();
        if new.epoch.own != old.epoch.own {
            self.open_accounts(old, &new);
            self.givers = self
                .givers
                .dealt_anew(|slot| old.slot_held_by(new.holder(slot)?));
            let distrusted = (0..core.links.len()).filter(|&link| self.distrusts(link));
            let slots = distrusted.map(|link| new.slots_of(link));
            let slots = slots.fold(SlotSet::EMPTY, SlotSet::union);
            self.givers.distrust(slots);
            let told = self.told.take();
            self.told_before = told
                .map(|told| (told.epoch, told.standing))
                .or(self.told_before);
        }
        let kept = (0..self.n).filter(|&slot| new.reaches_across_as(old, slot));
        let kept: SlotSet = kept.collect();
        for state in &mut self.links {
            state.lazy = state.lazy.intersection(kept);
            state.told_lazy = state.told_lazy.intersection(kept);
        }
        self.tell_standing(core);
    }
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
