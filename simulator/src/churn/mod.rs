//! Churn: peers that leave and come back while their places in clusters stay theirs.

mod plan;
mod trace;

pub(crate) use plan::{Begun, absences};
pub use trace::{Session, TraceError};

use crate::{
    span::MAX_S,
    wrong::{self, Wrong},
};
use serde::{Deserialize, Serialize};

/// Who leaves when, and how. The source stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Churn {
    /// When peers are there.
    pub sessions: Sessions,
    /// What they know when they come back.
    pub state: State,
    /// Whether those who leave take leave, so that their neighbours know at once.
    pub announced: bool,
}

/// What a peer knows when it comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its key and its place: it is a newcomer otherwise.
    #[default]
    Lost,
    /// All that it knew, as after a broken line.
    Kept,
}

/// When peers are there. Times are in seconds after the source cut its first segment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Sessions {
    /// Always.
    #[default]
    None,
    /// Peers leave at a constant rate, whatever they did before.
    Poisson {
        /// The share of the peers there that leave in a minute.
        per_minute: f64,
        /// For how long they are away in the mean, in seconds; exponential.
        away_s: f64,
    },
    /// The longer a peer has been there the longer it stays, if the shape is below 1 (Stutzbach and Rejaie,
    /// IMC 2006, measured 0.34 to 0.59).
    Weibull {
        /// The shape.
        shape: f64,
        /// The scale: 63 % of sessions are shorter, in seconds.
        scale_s: f64,
        /// For how long peers are away in the mean, in seconds; exponential.
        away_s: f64,
    },
    /// Most sessions are short and some very long.
    Lognormal {
        /// The median, in seconds.
        median_s: f64,
        /// The standard deviation of the logarithm.
        sigma: f64,
        /// For how long peers are away in the mean, in seconds; exponential.
        away_s: f64,
    },
    /// Many are away at first and come nearly at once.
    FlashCrowd {
        /// The share of them.
        share: f64,
        /// When the first come.
        at_s: f64,
        /// For how long they come, in seconds; uniform.
        within_s: f64,
    },
    /// Many leave at once.
    MassDeparture {
        /// The share of them.
        share: f64,
        /// When.
        at_s: f64,
        /// After how many seconds they come back; left out, never.
        #[serde(default)]
        back_after_s: Option<f64>,
    },
    /// As a file says: a line `peer,from_s,to_s` for each session, the last number left out for one that does
    /// not end. Peers that are not in it are always there.
    Trace {
        /// Where the file is.
        file: String,
        /// What it holds, once it was [read](Sessions::read).
        #[serde(skip)]
        read: Vec<Session>,
    },
}

impl Sessions {
    /// Reads the file of a trace; the others need none. `read` gives the text of a file by its name.
    ///
    /// # Errors
    /// If the file cannot be read, or a line of it makes no sense; the error names it.
    pub fn read(
        &mut self,
        read: impl FnOnce(&str) -> std::io::Result<String>,
    ) -> Result<(), TraceError> {
        if let Sessions::Trace { file, read: into } = self {
            let text = read(file).map_err(|error| TraceError::unreadable(file, &error))?;
            *into = trace::parse(file, &text)?;
        }
        Ok(())
    }
}

impl Churn {
    /// Says what is wrong with it in a world of so many peers, where it stands at `at`.
    pub fn check(&self, at: &str, peers: usize) -> Result<(), Wrong> {
        let at = wrong::field(at, "sessions");
        let within =
            |name: &str, value, low, high| wrong::within(wrong::field(&at, name), value, low, high);
        match &self.sessions {
            Sessions::None => Ok(()),
            Sessions::Poisson { per_minute, away_s } => {
                within("per_minute", *per_minute, 0.0, 60.0)?;
                within("away_s", *away_s, 0.1, MAX_S)
            }
            Sessions::Weibull {
                shape,
                scale_s,
                away_s,
            } => {
                within("shape", *shape, 0.1, 20.0)?;
                within("scale_s", *scale_s, 1.0, MAX_S)?;
                within("away_s", *away_s, 0.1, MAX_S)
            }
            Sessions::Lognormal {
                median_s,
                sigma,
                away_s,
            } => {
                within("median_s", *median_s, 1.0, MAX_S)?;
                within("sigma", *sigma, 0.0, 5.0)?;
                within("away_s", *away_s, 0.1, MAX_S)
            }
            Sessions::FlashCrowd {
                share,
                at_s,
                within_s,
            } => {
                within("share", *share, 0.0, 1.0)?;
                within("at_s", *at_s, 0.0, MAX_S)?;
                within("within_s", *within_s, 0.0, MAX_S)
            }
            Sessions::MassDeparture {
                share,
                at_s,
                back_after_s,
            } => {
                within("share", *share, 0.0, 1.0)?;
                within("at_s", *at_s, 0.0, MAX_S)?;
                within("back_after_s", back_after_s.unwrap_or(0.0), 0.0, MAX_S)
            }
            Sessions::Trace { file, read } => {
                if read.is_empty() {
                    let remedy = format!("no session of {file} was read");
                    return Err(Wrong::new(wrong::field(&at, "file"), remedy));
                }
                match read.iter().find(|session| session.peer as usize >= peers) {
                    None => Ok(()),
                    Some(session) => Err(Wrong::new(
                        wrong::field(&at, "file"),
                        format!(
                            "{file} tells of peer {}, and they are numbered from 0 to {}",
                            session.peer,
                            peers - 1
                        ),
                    )),
                }
            }
        }
    }
}
