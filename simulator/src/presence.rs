//! When peers are away, and how they come back.

use crate::{
    churn::{self, Begun, State},
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

    /// Whether who comes back has neither key nor place.
    fn is_for_good(self) -> bool {
        matches!(
            self,
            How::Leaves {
                state: State::Lost,
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

/// Everybody who is in a world at some time: those of its settings, and after them those who come in their places.
pub(crate) struct Crowd {
    /// Per peer, when it is away. Who is away at first is no founder.
    pub absences: Vec<Vec<Away>>,
    /// Per peer, whose place it has among those of the settings.
    pub places: Vec<usize>,
}

/// Who is in a world when.
pub(crate) fn crowd(settings: &Settings, cast: &Cast) -> Crowd {
    let absences = plan(settings, cast);
    let mut crowd = Crowd {
        places: (0..absences.len()).collect(),
        absences,
    };
    if settings.lives() {
        let mut peer = 0;
        while peer < crowd.absences.len() {
            crowd.succeed(peer);
            peer += 1;
        }
    }
    crowd
}

impl Crowd {
    /// Whoever comes back as a newcomer is another peer from then on.
    fn succeed(&mut self, peer: usize) {
        let absences = &mut self.absences[peer];
        absences.sort_by_key(|away| away.during.from);
        let mut end = Time::ZERO;
        absences.retain(|away| {
            let apart = away.during.from >= end;
            if apart {
                end = away.during.to;
            }
            apart
        });
        let leaves = |away: &Away| away.how.is_for_good() && away.during.from > Time::ZERO;
        let Some(last) = absences.iter().position(leaves) else {
            return;
        };
        let rest = absences.split_off(last + 1);
        let away = &mut absences[last];
        let comes = std::mem::replace(&mut away.during.to, Time::NEVER);
        if comes < Time::NEVER {
            let waits = Away {
                during: Stretch {
                    from: Time::ZERO,
                    to: comes,
                },
                how: away.how,
            };
            self.absences.push([vec![waits], rest].concat());
            self.places.push(self.places[peer]);
        }
    }
}

/// Per peer of the settings, whether it is there when the world begins.
pub(crate) fn founders(settings: &Settings, sources: &[usize]) -> Vec<bool> {
    let cast = Cast {
        seed: settings.seed,
        sources: sources.to_vec(),
        clusters: vec![0; settings.peers],
    };
    let absences =
        churn::absences(&settings.churn, &cast, Time::ZERO, Begun::Memoryless).into_iter();
    let waits = |away: &Stretch| away.from == Time::ZERO;
    absences.map(|away| !away.iter().any(waits)).collect()
}

/// Per peer, when it is away. Absences may overlap: what begins in another is nothing.
fn plan(settings: &Settings, cast: &Cast) -> Vec<Vec<Away>> {
    let end = Time::ZERO + Settings::WARM_UP + settings.publishing + Settings::DRAIN;
    let how = How::Leaves {
        state: settings.churn.state,
        announced: settings.churn.announced,
    };
    let begun = match settings.lives() {
        true => Begun::Memoryless,
        false => Begun::Uniform,
    };
    let absences = churn::absences(&settings.churn, cast, end, begun).into_iter();
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
