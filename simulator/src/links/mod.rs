//! The links between peers: what they are like, what goes wrong with them, which are up, and how long a message takes.

mod ends;
mod faults;
mod geography;
mod latency;
mod loss;
mod rates;

pub use ends::{Ends, Offer, Silence};
pub use faults::{Fault, LinkFault, Ways};
pub use geography::Matrix;
pub use latency::Latency;
pub use loss::Loss;
pub use rates::{Line, Rates};

use crate::{
    random::{Purpose, Randomness},
    span,
    targets::Cast,
    wrong::{self, Wrong},
};
use faults::{LinkFaults, Passage};
use hamlet_overlay::time::Time;
use latency::Latencies;
use loss::Losses;
use serde::{Deserialize, Serialize};
use std::{ops::RangeInclusive, time::Duration};

/// What links are like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkSettings {
    /// The one-way latency of each pair of peers.
    pub latency: Latency,
    /// Milliseconds that are added to it for each message, uniform from zero. It may change the order of messages.
    pub jitter_ms: f64,
    /// Which messages are lost.
    pub loss: Loss,
    /// After how many seconds without a sign of life a peer takes a connection for gone.
    pub silence_s: f64,
    /// What peers other than the source can send.
    pub upload: Rates,
    /// What the source can send, in bits per second; left out, any amount.
    pub source_upload_bits_per_s: Option<u64>,
    /// What peers can receive.
    pub download: Rates,
    /// What is wrong with them for a time.
    pub faults: Vec<LinkFault>,
}

impl Default for LinkSettings {
    fn default() -> LinkSettings {
        LinkSettings {
            latency: Latency::Uniform {
                low_ms: 20.0,
                high_ms: 100.0,
            },
            jitter_ms: 0.0,
            loss: Loss::None,
            silence_s: 10.0,
            upload: Rates::Unlimited,
            source_upload_bits_per_s: None,
            download: Rates::Unlimited,
            faults: Vec::new(),
        }
    }
}

impl LinkSettings {
    /// Says what is wrong with them in a world of so many peers, where they stand at `at`.
    pub fn check(&self, at: &str, peers: usize) -> Result<(), Wrong> {
        let field = |name: &str| wrong::field(at, name);
        self.latency.check(&field("latency"))?;
        wrong::within(field("jitter_ms"), self.jitter_ms, 0.0, latency::MAX_MS)?;
        self.loss.check(&field("loss"))?;
        wrong::within(field("silence_s"), self.silence_s, 0.1, span::MAX_S)?;
        self.upload.check(&field("upload"))?;
        if let Some(bits_per_s) = self.source_upload_bits_per_s {
            Rates::Constant { bits_per_s }.check(&field("source_upload"))?;
        }
        self.download.check(&field("download"))?;
        for (number, fault) in self.faults.iter().enumerate() {
            fault.check(&field(&format!("faults[{number}]")), peers)?;
        }
        Ok(())
    }

    /// After how long without a sign of life a peer takes a connection for gone.
    pub(crate) fn silence(&self) -> Duration {
        span::duration(self.silence_s)
    }
}

/// The lines of a world.
#[derive(Clone, Debug)]
pub struct Lines {
    latencies: Latencies,
    jitter_micros: RangeInclusive<u64>,
    jitter: Randomness,
    losses: Losses,
    lost: Randomness,
    faults: LinkFaults,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives so much later.
    Arrives(Duration),
    /// It is lost on the way.
    Lost,
    /// There is no connection.
    NotConnected,
}

impl Lines {
    /// The lines between these peers, by settings that were checked.
    pub fn new(cast: &Cast, settings: &LinkSettings) -> Lines {
        let seed = cast.seed;
        let jitter = (settings.jitter_ms * 1000.0).round() as u64;
        Lines {
            latencies: Latencies::new(seed, &settings.latency),
            jitter_micros: 0..=jitter,
            jitter: Randomness::new(seed, Purpose::Jitter),
            losses: Losses::new(&settings.loss),
            lost: Randomness::new(seed, Purpose::Loss),
            faults: LinkFaults::new(&settings.faults, cast),
        }
    }

    /// The least time that anything takes from one peer to another, in microseconds; at least one.
    pub fn shortest_micros(&self) -> u64 {
        self.latencies.shortest_micros()
    }

    /// The latency between two peers: the same both ways.
    pub fn latency(&self, one: u32, other: u32) -> Duration {
        Duration::from_micros(self.latencies.micros(one, other))
    }

    /// Whether messages from one peer can come to another that are sent now. What is lost by chance does not
    /// count: connections outlive it.
    pub(crate) fn carries(&self, from: u32, to: u32, now: Time) -> bool {
        self.faults.carries(from, to, now)
    }

    /// Whether there are times in which links carry nothing.
    pub(crate) fn may_fail(&self) -> bool {
        !self.faults.is_none()
    }

    /// What becomes of a message over a link: from whom, to whom, and the how many-eth there it is.
    fn fate(&self, place: [u32; 3], latency_micros: u32, bad: &mut bool, now: Time) -> Fate {
        let [from, to, number] = place;
        let place = place.map(u64::from);
        if !self.losses.is_none() {
            let lost = self.lost.at(place);
            if self.losses.strike(bad, crate::random::scramble(lost), lost) {
                return Fate::Lost;
            }
        }
        let mut micros = u64::from(latency_micros);
        if *self.jitter_micros.end() > 0 {
            micros += self.jitter.within(place, &self.jitter_micros);
        }
        if !self.faults.is_none() {
            match self.faults.passage(from, to, number.into(), now) {
                Passage::Free => {}
                Passage::Held(until) => micros += until.since(now).as_micros() as u64,
                Passage::Lost => return Fate::Lost,
            }
        }
        Fate::Arrives(Duration::from_micros(micros))
    }
}
