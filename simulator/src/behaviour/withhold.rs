//! Peers that take and do not give: nothing to anybody, to some, or most of the time.

use super::{Behaviour, Place, gives};
use hamlet_overlay::{identity::PeerId, io::Output, view::SegmentNumber};

/// Gives neither shards nor digests, except to some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withhold {
    /// To nobody.
    FromAll,
    /// To other adversaries only.
    FromOthers,
    /// To all but so many percent of the others, the same for all adversaries.
    FromVictims(u8),
    /// To all, but only every so many-th segment, the same for all adversaries.
    BetweenEvery(u8),
}

impl Withhold {
    fn gives(self, at: &Place, to: PeerId, segment: SegmentNumber) -> bool {
        match self {
            Withhold::FromAll => false,
            Withhold::FromOthers => at.mind.is_one_of_us(to),
            Withhold::FromVictims(percent) => !at.mind.is_victim(to, percent),
            Withhold::BetweenEvery(segments) => segment.is_multiple_of(segments.into()),
        }
    }
}

impl Behaviour for Withhold {
    fn output(&mut self, at: &Place, mut output: Output, outputs: &mut Vec<Output>) {
        if let Output::Send {
            to, class, segment, ..
        } = &mut output
            && gives(*class)
        {
            to.retain(|&receiver| self.gives(at, receiver, *segment));
            if to.is_empty() {
                return;
            }
        }
        outputs.push(output);
    }
}
