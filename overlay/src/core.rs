//! What all parts of a peer share: its identity, its links, its view, and what it wants done.

use crate::{
    ablation::Ablated,
    agreement::{Agreed, Step},
    coding::Coder,
    evidence::{Evidence, Laws, Votes},
    hash::Hash,
    identity::{PeerId, Signer, Verifier},
    io::{Class, Event, Output, Refusal},
    links::{Deal, LinkId, Links},
    message::{Message, Notice},
    report::Report,
    time::Time,
    view::{SegmentNumber, StreamNumber, View},
    wire::Frame,
    work::Work,
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// The most senders of which refusals are counted one by one; the others are counted in the sum.
const MAX_REFUSED_SENDERS: usize = 256;

pub(crate) struct Core {
    /// The time of the present input.
    pub now: Time,
    pub me: PeerId,
    pub view: View,
    pub links: Links,
    pub coder: Coder,
    pub signer: Arc<dyn Signer>,
    pub verifier: Arc<dyn Verifier>,
    pub work: Arc<dyn Work>,
    pub report: Report,
    pub ablated: Ablated,
    /// The deals of the epochs held, the newest last.
    deals: Vec<Arc<Deal>>,
    /// Whom agreement needs a link with, whatever the view says.
    pub contacts: Vec<PeerId>,
    /// Peers without a place whom the own cluster serves.
    guests: Vec<PeerId>,
    guests_changed: bool,
    /// Whether clusters in which this peer has no place may serve it.
    pub may_visit: bool,
    /// Links whose numbers are those of other peers now, for the streams to take note of.
    pub reused: Vec<LinkId>,
    /// Evidence that was found while an input was dealt with.
    pub found: Vec<Evidence>,
    outputs: VecDeque<Output>,
}

impl Core {
    pub fn new(
        view: View,
        signer: Box<dyn Signer>,
        verifier: Arc<dyn Verifier>,
        work: Arc<dyn Work>,
        now: Time,
    ) -> Core {
        let mut core = Core {
            now,
            me: signer.id(),
            coder: view.coder.clone(),
            view,
            links: Links::default(),
            signer: Arc::from(signer),
            verifier,
            work,
            report: Report::default(),
            ablated: Ablated::default(),
            deals: Vec::new(),
            contacts: Vec::new(),
            guests: Vec::new(),
            guests_changed: false,
            may_visit: false,
            reused: Vec::new(),
            found: Vec::new(),
            outputs: VecDeque::new(),
        };
        core.follow_view();
        core
    }

    /// The guests of the cluster are these.
    pub fn set_guests(&mut self, guests: Vec<PeerId>) {
        self.guests_changed |= self.guests != guests;
        self.guests = guests;
    }

    pub fn guests_changed(&self) -> bool {
        self.guests_changed
    }

    /// Wants the links that view and agreement need, and deals slots to them.
    pub fn follow_view(&mut self) {
        let mut wanted = self.view.links(self.me);
        for &contact in &self.contacts {
            if let Err(place) = wanted.binary_search(&contact)
                && contact != self.me
            {
                wanted.insert(place, contact);
            }
        }
        // Deals that refer to a link are let go of within what is kept; segments that hold on to those, in as long again.
        let quarantine = self.view.kept() * 2;
        let change = self.links.want(&wanted, self.now, quarantine);
        self.reused.extend(change.reused);
        self.outputs
            .extend(change.connect.into_iter().map(Output::Connect));
        self.outputs
            .extend(change.release.into_iter().map(Output::Release));
        let old = std::mem::take(&mut self.deals);
        let deal = |epoch| {
            let same = old.iter().find(|deal| Arc::ptr_eq(&deal.epoch, epoch));
            let same = same.filter(|_| !self.guests_changed);
            let new = || {
                Arc::new(Deal::new(
                    epoch,
                    self.me,
                    &self.view,
                    &self.links,
                    &self.guests,
                ))
            };
            same.cloned().unwrap_or_else(new)
        };
        self.deals = self.view.epochs().map(deal).collect();
        self.guests_changed = false;
        self.count_links();
    }

    pub fn count_links(&mut self) {
        (self.report.links_wanted, self.report.links_connected) = self.links.count();
    }

    pub fn network(&self) -> Hash {
        self.view.network
    }

    /// The deal of the epoch that governs a segment.
    pub fn deal(&self, stream: StreamNumber, segment: SegmentNumber) -> &Arc<Deal> {
        let epoch = self.view.governing(stream, segment);
        self.deals
            .iter()
            .find(|deal| Arc::ptr_eq(&deal.epoch, epoch))
            .unwrap_or(self.newest())
    }

    /// The deal of the newest epoch.
    pub fn newest_deal(&self) -> Arc<Deal> {
        self.newest().clone()
    }

    /// The same, only to be looked at: every shard that comes asks for it.
    pub fn newest(&self) -> &Arc<Deal> {
        &self.deals[self.deals.len() - 1]
    }

    /// Sends a message with its body to those of the links that are connected.
    pub fn send(
        &mut self,
        to: &[LinkId],
        message: &Message,
        body: Bytes,
        class: Class,
        segment: SegmentNumber,
    ) {
        let to: Vec<PeerId> = to
            .iter()
            .filter(|&&link| self.links.connected(link))
            .map(|&link| self.links.peer(link))
            .collect();
        if !to.is_empty() {
            let (stream, frame) = (message.stream(), message.frame_with(body));
            self.send_frame(to, frame, class, stream, segment);
        }
    }

    fn send_frame(
        &mut self,
        to: Vec<PeerId>,
        frame: Frame,
        class: Class,
        stream: Option<StreamNumber>,
        segment: SegmentNumber,
    ) {
        *self.report.sent_bytes.entry(class).or_default() += (frame.len() * to.len()) as u64;
        self.outputs.push_back(Output::Send {
            to,
            frame,
            class,
            stream,
            segment,
        });
    }

    /// Hands out a step of agreement, and counts what it sends.
    pub fn agreement(&mut self, step: Step) {
        if let Step::Send { to, frame, class } = &step {
            *self.report.sent_bytes.entry(*class).or_default() += (frame.len() * to.len()) as u64;
        }
        self.outputs.push_back(Output::Agreement(step));
    }

    /// A member of a cluster contradicted itself in agreement.
    pub fn prove(&mut self, proof: Box<Votes>) {
        self.event(Event::Agreed(Agreed::Proved(proof.votes.culprit)));
        let evidence = Evidence::Votes(proof);
        // Two seals are found as well, and bar nobody.
        let laws = Laws::of(&self.view.founding, &*self.verifier);
        if evidence.proves(laws) {
            self.found.push(evidence);
        }
    }

    /// Sends a message outside of any stream to these peers, if they are connected.
    pub fn tell(&mut self, to: &[PeerId], message: &Message, body: Bytes) {
        let to: Vec<LinkId> = to
            .iter()
            .filter_map(|peer| self.links.find(*peer))
            .collect();
        self.send(&to, message, body, Class::Control, SegmentNumber::MAX);
    }

    /// Of these peers, the first so many that are connected.
    pub fn connected(&self, peers: &[PeerId], count: usize) -> Vec<PeerId> {
        let links = &self.links;
        let passes = |peer: &&PeerId| links.find(**peer).is_some_and(|link| links.connected(link));
        peers.iter().filter(passes).take(count).copied().collect()
    }

    /// Everybody who is linked in neighbouring clusters.
    pub fn neighbours(&self) -> Vec<PeerId> {
        let links = self.deals.iter().flat_map(|deal| deal.outward.iter());
        let mut peers: Vec<PeerId> = links.map(|&link| self.links.peer(link)).collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    /// Queues a notice for a link.
    pub fn notify(&mut self, link: LinkId, notice: Notice) {
        self.links.notify(link, notice);
    }

    pub fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Counts something that was not accepted.
    pub fn refuse(&mut self, from: PeerId, why: Refusal) {
        *self.report.refused.entry(why).or_default() += 1;
        // Duplicates are part of normal life: shards cross on links between clusters.
        if why == Refusal::Duplicate {
            return;
        }
        let senders = &mut self.report.refused_from;
        if senders.contains_key(&from) || senders.len() < MAX_REFUSED_SENDERS {
            let kinds: &mut BTreeMap<Refusal, u64> = senders.entry(from).or_default();
            *kinds.entry(why).or_default() += 1;
        }
        self.event(Event::Refused { from, why });
    }

    /// The same, of a link.
    pub fn refuse_link(&mut self, from: LinkId, why: Refusal) {
        self.refuse(self.links.peer(from), why);
    }

    /// The next output; notices that gathered go last, together.
    pub fn poll(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            while let Some((link, notices)) = self.links.take_notices() {
                let frame = Message::Notices(notices).frame();
                let peer = self.links.peer(link);
                self.send_frame(vec![peer], frame, Class::Notice, None, SegmentNumber::MAX);
            }
        }
        self.outputs.pop_front()
    }
}
