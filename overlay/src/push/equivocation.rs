//! A source that contradicts itself is proved faulty, and its stream ends.

use super::Stream;
use crate::{
    core::Core,
    digest::{Claim, Equivocation},
    io::{Class, Event, Refusal, StopReason},
    links::LinkId,
    message::Message,
    time::Time,
    view::SegmentNumber,
};
use bytes::Bytes;

impl Stream {
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
    pub(super) fn contradict(&mut self, core: &mut Core, first: Claim, second: Claim) -> Refusal {
        match Equivocation::between(first, second) {
            Some(proof) if second.verify(self.source, core.network(), &*core.verifier) => {
                self.stop(core, StopReason::Equivocation(Box::new(proof)));
                Refusal::Stopped
            }
            _ => Refusal::Mismatch,
        }
    }

    /// Ends the stream for good, keeps the proof and tells everybody.
    pub(super) fn stop(&mut self, core: &mut Core, why: StopReason) {
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
