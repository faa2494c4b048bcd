//! What one adversary does, as a value that can be written down: `silent`, `late:300+slander`, `polluter@4/8`.

use super::{
    Beg, Behaviour, Chain, Flood, Late, Mute, Pollute, Replay, Rhythm, Satiate, Schedule,
    Scheduled, Slander, Withhold,
};
use hamlet_overlay::time::{Duration, Time};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What one adversary does: several things at once, all the time or on and off.
///
/// As text the kinds stand side by side with `+`, and `@ON/EVERY` in seconds follows if it is not all the time.
/// `on-off` is short for `silent@4/8`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Conduct {
    /// What it does.
    pub kinds: Vec<Kind>,
    /// When; `None` for all the time.
    pub rhythm: Option<Rhythm>,
}

/// One thing that an adversary does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It follows the protocol.
    Honest,
    /// It gives nothing, and asks for no more than it lacks.
    Withholding,
    /// It gives nothing, and always asks everybody for everything.
    Silent,
    /// It gives to other adversaries only.
    ColludersOnly,
    /// It gives to all but this many percent of the others, the same for all adversaries.
    Partial(u8),
    /// It gives a segment in so many, the same for all adversaries: just enough to keep its place.
    Sparing(u8),
    /// Whatever it gives is spoilt.
    Polluter,
    /// It gives everything so many milliseconds late: just before it would be missed.
    Late(u16),
    /// It says that honest fellows do not give.
    Slander,
    /// It gives what it owes, and always asks everybody for everything.
    NeverComplete,
    /// It sends whatever can be sent.
    Flood,
    /// It says again what was said before.
    Replay,
    /// It votes for nothing in its cluster's agreement, and gives nothing to it.
    Mute,
    /// It feeds others before their time, and starves this many percent of them.
    Satiation(u8),
}

/// The kinds by name, as they are when no number is given with them.
const KINDS: [(&str, Kind); 14] = [
    ("honest", Kind::Honest),
    ("withholding", Kind::Withholding),
    ("silent", Kind::Silent),
    ("colluders-only", Kind::ColludersOnly),
    ("partial", Kind::Partial(50)),
    ("sparing", Kind::Sparing(2)),
    ("polluter", Kind::Polluter),
    ("late", Kind::Late(300)),
    ("slander", Kind::Slander),
    ("never-complete", Kind::NeverComplete),
    ("flood", Kind::Flood),
    ("replay", Kind::Replay),
    ("mute", Kind::Mute),
    ("satiation", Kind::Satiation(50)),
];

/// A name for going silent and coming back.
const ON_OFF: (&str, &str) = ("on-off", "silent@4/8");

impl Kind {
    /// The names of all kinds.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|(name, _)| *name).chain([ON_OFF.0])
    }

    fn name(self) -> &'static str {
        let same = |(_, kind): &&(&str, Kind)| {
            std::mem::discriminant(kind) == std::mem::discriminant(&self)
        };
        KINDS.iter().find(same).map_or("", |(name, _)| name)
    }

    fn number(self) -> Option<u16> {
        match self {
            Kind::Partial(number) | Kind::Sparing(number) | Kind::Satiation(number) => {
                Some(number.into())
            }
            Kind::Late(ms) => Some(ms),
            _ => None,
        }
    }

    /// The same kind with another number; `None` if it has none, or not this one.
    fn with(self, number: u16) -> Option<Kind> {
        let percent = u8::try_from(number).ok().filter(|&percent| percent <= 100);
        match self {
            Kind::Partial(_) => percent.map(Kind::Partial),
            Kind::Satiation(_) => percent.map(Kind::Satiation),
            Kind::Sparing(_) => u8::try_from(number)
                .ok()
                .filter(|&every| every > 0)
                .map(Kind::Sparing),
            Kind::Late(_) => Some(Kind::Late(number)),
            _ => None,
        }
    }

    /// What one more adversary of this kind does; nothing of its own if it is honest.
    fn start(self) -> Vec<Box<dyn Behaviour>> {
        match self {
            Kind::Honest => vec![],
            Kind::Withholding => vec![Box::new(Withhold::FromAll)],
            Kind::Silent => vec![Box::new(Withhold::FromAll), Box::<Beg>::default()],
            Kind::ColludersOnly => vec![Box::new(Withhold::FromOthers)],
            Kind::Partial(percent) => vec![Box::new(Withhold::FromVictims(percent))],
            Kind::Sparing(every) => vec![Box::new(Withhold::BetweenEvery(every))],
            Kind::Polluter => vec![Box::new(Pollute)],
            Kind::Late(ms) => vec![Box::new(Late::new(Duration::from_millis(ms.into())))],
            Kind::Slander => vec![Box::new(Slander)],
            Kind::NeverComplete => vec![Box::<Beg>::default()],
            Kind::Flood => vec![Box::<Flood>::default()],
            Kind::Mute => vec![Box::new(Mute)],
            Kind::Replay => vec![Box::<Replay>::default()],
            Kind::Satiation(victims) => vec![Box::new(Satiate::new(victims))],
        }
    }
}

impl Conduct {
    /// One thing, all the time.
    pub fn only(kind: Kind) -> Conduct {
        Conduct {
            kinds: vec![kind],
            rhythm: None,
        }
    }

    /// The behaviour of one more adversary that does this within a stretch of time; `None` if it is honest.
    pub fn start(&self, from: Time, until: Time) -> Option<Box<dyn Behaviour>> {
        let mut all: Vec<Box<dyn Behaviour>> =
            self.kinds.iter().flat_map(|kind| kind.start()).collect();
        let all: Box<dyn Behaviour> = match all.len() {
            0 => return None,
            1 => all.remove(0),
            _ => Box::new(Chain(all)),
        };
        let schedule = Schedule {
            from,
            until,
            rhythm: self.rhythm,
        };
        Some(match schedule == Schedule::ALWAYS {
            true => all,
            false => Box::new(Scheduled {
                schedule,
                behaviour: all,
            }),
        })
    }
}

/// The text says nothing that an adversary can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseConductError {
    /// There is no such kind.
    #[error("no adversary is called `{0}`: choose from {names}, several with + between them", names = Kind::names().collect::<Vec<_>>().join(", "))]
    Name(String),
    /// The number does not fit.
    #[error(
        "`{0}`: a number after the colon goes with partial and satiation (percent starved), sparing (a segment in so many) and late (milliseconds)"
    )]
    Number(String),
    /// The rhythm is none.
    #[error("`@{0}` is no rhythm: write how long and how often in seconds, as @4/8")]
    Rhythm(String),
}

impl FromStr for Conduct {
    type Err = ParseConductError;

    fn from_str(text: &str) -> Result<Conduct, ParseConductError> {
        let text = if text.trim() == ON_OFF.0 {
            ON_OFF.1
        } else {
            text
        };
        let (kinds, rhythm) = match text.split_once('@') {
            None => (text, None),
            Some((kinds, rhythm)) => {
                let parsed = parse_rhythm(rhythm);
                (
                    kinds,
                    Some(parsed.ok_or_else(|| ParseConductError::Rhythm(rhythm.to_owned()))?),
                )
            }
        };
        let kinds: Result<Vec<Kind>, ParseConductError> =
            kinds.split('+').map(parse_kind).collect();
        Ok(Conduct {
            kinds: kinds?,
            rhythm,
        })
    }
}

fn parse_kind(text: &str) -> Result<Kind, ParseConductError> {
    let (name, number) = match text.split_once(':') {
        None => (text.trim(), None),
        Some((name, number)) => (name.trim(), Some(number.trim())),
    };
    let known = KINDS.iter().find(|(known, _)| *known == name);
    let (_, kind) = known.ok_or_else(|| ParseConductError::Name(name.to_owned()))?;
    let Some(number) = number else {
        return Ok(*kind);
    };
    let kind = number.parse().ok().and_then(|number| kind.with(number));
    kind.ok_or_else(|| ParseConductError::Number(text.trim().to_owned()))
}

fn parse_rhythm(text: &str) -> Option<Rhythm> {
    let (on, every) = text.split_once('/')?;
    let seconds = |text: &str| {
        let seconds = text.trim().parse::<f64>().ok()?;
        (seconds > 0.0 && seconds <= 86_400.0).then(|| Duration::from_secs_f64(seconds))
    };
    let (on, every) = (seconds(on)?, seconds(every)?);
    (on <= every).then_some(Rhythm { on, every })
}

impl fmt::Display for Conduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, kind) in self.kinds.iter().enumerate() {
            if place > 0 {
                f.write_str("+")?;
            }
            f.write_str(kind.name())?;
            if let Some(number) = kind.number() {
                write!(f, ":{number}")?;
            }
        }
        if let Some(Rhythm { on, every }) = self.rhythm {
            write!(f, "@{}/{}", on.as_secs_f64(), every.as_secs_f64())?;
        }
        Ok(())
    }
}

impl From<Conduct> for String {
    fn from(conduct: Conduct) -> String {
        conduct.to_string()
    }
}

impl TryFrom<String> for Conduct {
    type Error = ParseConductError;

    fn try_from(text: String) -> Result<Conduct, ParseConductError> {
        text.parse()
    }
}
