//! From a law of sessions to the times at which each peer is away.

use super::{Churn, Session, Sessions};
use crate::{
    random::{Purpose, Randomness},
    span::{self, Stretch},
    targets::{Cast, Targets},
};
use hamlet_overlay::time::Time;

/// What is known of the sessions in which a world begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// Each began at a moment uniform in it. So more of them end in the first minutes than later.
    Uniform,
    /// The same, but those of a constant rate are as long from then on as any.
    Memoryless,
}

/// Per peer, when it is away in a world that ends at `end`: in the order of time, apart from one another.
pub(crate) fn absences(churn: &Churn, cast: &Cast, end: Time, begun: Begun) -> Vec<Vec<Stretch>> {
    let peers = cast.clusters.len();
    let dice = Randomness::new(cast.seed, Purpose::Churn);
    let mut all = vec![Vec::new(); peers];
    match &churn.sessions {
        Sessions::None => {}
        Sessions::Trace { read, .. } => {
            for session in read.chunk_by(|a, b| a.peer == b.peer) {
                all[session[0].peer as usize] = between(session);
            }
        }
        Sessions::FlashCrowd {
            share,
            at_s,
            within_s,
        } => {
            let away = Targets::Share(*share).draw(cast, u64::MAX);
            for peer in (0..peers).filter(|&peer| away[peer]) {
                let comes = span::at(at_s + within_s * dice.unit([peer as u64]));
                all[peer] = vec![absence(Time::ZERO, comes)];
            }
        }
        Sessions::MassDeparture {
            share,
            at_s,
            back_after_s,
        } => {
            let away = Targets::Share(*share).draw(cast, u64::MAX);
            let back = back_after_s.map_or(Time::NEVER, |after| span::at(at_s + after));
            for peer in (0..peers).filter(|&peer| away[peer]) {
                all[peer] = vec![absence(span::at(*at_s), back)];
            }
        }
        Sessions::Poisson { away_s, .. }
        | Sessions::Weibull { away_s, .. }
        | Sessions::Lognormal { away_s, .. } => {
            for (peer, absences) in all.iter_mut().enumerate() {
                *absences = alternate((&churn.sessions, begun), *away_s, dice, peer as u64, end);
            }
        }
    }
    for &source in &cast.sources {
        all[source].clear();
    }
    all
}

fn absence(from: Time, to: Time) -> Stretch {
    Stretch { from, to }
}

/// Sessions and absences by turns. The first session has begun before the world.
fn alternate(
    (sessions, begun): (&Sessions, Begun),
    away_s: f64,
    dice: Randomness,
    peer: u64,
    end: Time,
) -> Vec<Stretch> {
    let mut absences = Vec::new();
    let mut second = 0.0;
    for turn in 0.. {
        let is_constant = matches!(sessions, Sessions::Poisson { .. });
        let first = match turn {
            0 if is_constant && begun == Begun::Memoryless => 1.0,
            0 => dice.unit([peer, 2]),
            _ => 1.0,
        };
        second += first * length(sessions, dice, [peer, 0, turn]);
        let from = span::at(second);
        if from >= end {
            break;
        }
        second += exponential(away_s, dice, [peer, 1, turn]).max(0.001);
        absences.push(absence(from, span::at(second)));
    }
    absences
}

/// The length of a session, in seconds.
fn length(sessions: &Sessions, dice: Randomness, place: [u64; 3]) -> f64 {
    let drawn = match sessions {
        Sessions::Poisson { per_minute, .. } if *per_minute == 0.0 => span::MAX_S,
        Sessions::Poisson { per_minute, .. } => exponential(60.0 / per_minute, dice, place),
        Sessions::Weibull { shape, scale_s, .. } => {
            scale_s * libm::pow(-libm::log(dice.unit(place)), 1.0 / shape)
        }
        Sessions::Lognormal {
            median_s, sigma, ..
        } => median_s * libm::exp(sigma * dice.normal(place)),
        _ => span::MAX_S,
    };
    drawn.clamp(0.001, span::MAX_S)
}

fn exponential(mean: f64, dice: Randomness, place: [u64; 3]) -> f64 {
    -mean * libm::log(dice.unit(place))
}

/// The absences before, between and after the sessions of one peer.
fn between(sessions: &[Session]) -> Vec<Stretch> {
    let mut away = Vec::new();
    let mut left = Some(Time::ZERO);
    for session in sessions {
        let comes = span::at(session.from_s);
        // Who comes with the first segment has been there before.
        let was_there = left == Some(Time::ZERO) && session.from_s == 0.0;
        if let Some(left) = left.filter(|&left| left < comes && !was_there) {
            away.push(absence(left, comes));
        }
        left = session.to_s.map(span::at);
    }
    away.extend(left.map(|left| absence(left, Time::NEVER)));
    away
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::churn::trace;
    use hamlet_overlay::time::Duration;

    fn plan(sessions: Sessions, seconds: u64) -> Vec<Vec<Stretch>> {
        let cast = Cast {
            seed: 1,
            sources: vec![0],
            clusters: vec![0; 1000],
        };
        let churn = Churn {
            sessions,
            ..Churn::default()
        };
        churn.check("churn", 1000).unwrap();
        let end = Time::ZERO + Duration::from_secs(seconds);
        absences(&churn, &cast, end, Begun::Uniform)
    }

    fn departures(plan: &[Vec<Stretch>]) -> usize {
        plan.iter().map(Vec::len).sum()
    }

    #[test]
    fn as_many_leave_in_a_minute_as_the_rate_says() {
        let plan = plan(
            Sessions::Poisson {
                per_minute: 0.3,
                away_s: 10.0,
            },
            601,
        );
        // Sessions of 200 s and absences of 10 s: 1000 / 210 in a second, but the first has begun before.
        let left = departures(&plan);
        assert!((2_800..3_400).contains(&left), "{left}");
        assert!(plan[0].is_empty(), "the source stays");
        let away: f64 = plan
            .iter()
            .flatten()
            .map(|away| away.to.since(away.from).as_secs_f64())
            .sum();
        assert!((9.0..11.0).contains(&(away / left as f64)));
        for absences in &plan {
            assert!(absences.windows(2).all(|pair| pair[0].to < pair[1].from));
        }
    }

    #[test]
    fn a_constant_rate_is_so_from_the_first_minute_on() {
        let cast = Cast {
            seed: 1,
            sources: vec![0],
            clusters: vec![0; 10_000],
        };
        let sessions = Sessions::Poisson {
            per_minute: 0.3,
            away_s: 1000.0,
        };
        let churn = Churn {
            sessions,
            ..Churn::default()
        };
        let end = Time::ZERO + Duration::from_secs(61);
        let left = departures(&absences(&churn, &cast, end, Begun::Memoryless));
        // 1 - e^-0.3 of them.
        assert!((2_450..2_740).contains(&left), "{left}");
    }

    #[test]
    fn sessions_are_as_long_as_their_law_says() {
        let dice = Randomness::new(1, Purpose::Churn);
        let drawn = |sessions: Sessions| {
            let mut drawn: Vec<f64> = (0..4001)
                .map(|turn| length(&sessions, dice, [1, 0, turn]))
                .collect();
            drawn.sort_unstable_by(f64::total_cmp);
            drawn
        };
        let weibull = drawn(Sessions::Weibull {
            shape: 0.5,
            scale_s: 100.0,
            away_s: 1.0,
        });
        // The median of a Weibull law is scale · (ln 2)^(1 / shape).
        assert!((44.0..52.5).contains(&weibull[2000]), "{}", weibull[2000]);
        let lognormal = drawn(Sessions::Lognormal {
            median_s: 60.0,
            sigma: 1.0,
            away_s: 1.0,
        });
        assert!(
            (57.0..63.5).contains(&lognormal[2000]),
            "{}",
            lognormal[2000]
        );
        assert!(
            (140.0..190.0).contains(&lognormal[3366]),
            "{}",
            lognormal[3366]
        );
    }

    #[test]
    fn crowds_come_and_masses_leave_when_they_are_said_to() {
        let crowd = plan(
            Sessions::FlashCrowd {
                share: 0.5,
                at_s: 3.0,
                within_s: 2.0,
            },
            60,
        );
        assert_eq!(departures(&crowd), 500);
        for away in crowd.iter().flatten() {
            assert_eq!(away.from, Time::ZERO);
            assert!(span::at(3.0) <= away.to && away.to <= span::at(5.0));
        }
        let gone = plan(
            Sessions::MassDeparture {
                share: 0.25,
                at_s: 4.0,
                back_after_s: None,
            },
            60,
        );
        assert_eq!(departures(&gone), 250);
        assert!(
            gone.iter()
                .flatten()
                .all(|away| *away == absence(span::at(4.0), Time::NEVER))
        );
    }

    #[test]
    fn a_trace_is_followed() {
        let read = trace::parse("t", "3,0,10\n3,20,30\n4,5,\n5,0,").unwrap();
        let trace = Sessions::Trace {
            file: "t".into(),
            read,
        };
        let plan = plan(trace, 60);
        let at = span::at;
        assert_eq!(
            plan[3],
            [absence(at(10.0), at(20.0)), absence(at(30.0), Time::NEVER)]
        );
        assert_eq!(plan[4], [absence(Time::ZERO, at(5.0))]);
        assert!(plan[5].is_empty() && plan[6].is_empty());
    }
}
