//! A source that contradicts itself is proved faulty, and its stream ends.

use super::Stream;
use crate::{
    core::Core,
    digest::{Claim, Equivocation},
    evidence::Evidence,
    io::{Event, Refusal, StopReason},
    time::Time,
};

impl Stream {
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

    /// Ends the stream for good, with the proof if there is one.
    pub fn stop(&mut self, core: &mut Core, why: StopReason) {
        if self.stopped.is_some() {
            return;
        }
        if let StopReason::Equivocation(proof) = &why {
            core.found.push(Evidence::Digests(proof.clone()));
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
