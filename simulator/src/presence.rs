//! When peers are away, and how they come back.

use crate::{
    churn::{self, State},
    machines::{self, DiskFate},
    settings::Settings,
    span::{self, Stretch},
    targets::Cast,
};
use hamlet_overlay::time::Time;

/// A time in which a peer is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Away {
    pub during: Stretch,
    pub how: How,
}

/// How a peer leaves, and so how it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Its line breaks or it is shut down; with or without a word to those whom it is linked with.
    Leaves { state: State, announced: bool },
    /// Its machine stops.
    Crashes(DiskFate),
}

impl How {
    /// Whether the peer comes back as a newcomer.
    pub fn forgets(self) -> bool {
        !matches!(
            self,
            How::Leaves {
                state: State::Kept,
                ..
            }
        )
    }

    pub fn announced(self) -> bool {
        matches!(
            self,
            How::Leaves {
                announced: true,
                ..
            }
        )
    }
}

/// Per peer, when it is away. Absences may overlap: what begins in another is nothing.
pub(crate) fn plan(settings: &Settings, cast: &Cast) -> Vec<Vec<Away>> {
    let end = Time::ZERO + Settings::WARM_UP + settings.publishing + Settings::DRAIN;
    let how = How::Leaves {
        state: settings.churn.state,
        announced: settings.churn.announced,
    };
    let absences = churn::absences(&settings.churn, cast, end).into_iter();
    let away = |stretches: Vec<Stretch>| {
        let away = stretches.into_iter().map(|during| Away { during, how });
        away.collect()
    };
    let mut plan: Vec<Vec<Away>> = absences.map(away).collect();
    for (number, fault) in settings.machines.iter().enumerate() {
        let machines::Fault::Crash {
            at_s,
            back_after_s,
            disk,
        } = fault.fault
        else {
            continue;
        };
        let struck = fault.of.draw(cast, machines::DRAWS + number as u64);
        for peer in (0..plan.len()).filter(|&peer| struck[peer]) {
            plan[peer].push(Away {
                during: Stretch {
                    from: span::at(at_s),
                    to: back_after_s.map_or(Time::NEVER, |after| span::at(at_s + after)),
                },
                how: How::Crashes(disk),
            });
        }
    }
    plan
}
