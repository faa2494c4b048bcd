//! What the command line says of a world, in place of what its scenario says.

use super::{Scenario, Signer, preset, read};
use crate::{
    seeds::Seeds,
    units::{self, Milliseconds, Rate},
};
use clap::Args;
use hamlet_simulator::{
    behaviour::{Conduct, Kind},
    churn::Sessions,
    links::{Latency, Loss, Rates},
    publisher::Publishing,
    settings::{Adversaries, FaultModel, Membership},
};
use std::{error::Error, path::PathBuf, time::Duration};

/// For how long peers are away in the mean that `--churn-per-minute` sends away, in seconds.
const AWAY_S: f64 = 10.0;

/// A scenario, and what the command line says in its place.
#[derive(Args, Clone, Debug, Default)]
pub struct Overrides {
    /// A TOML file that says everything; without it, and without --preset, the built-in defaults hold
    #[arg(value_name = "SCENARIO", conflicts_with = "preset")]
    scenario: Option<PathBuf>,
    /// A scenario that comes with the program; `list` names them all
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Peers, the source and the Byzantine ones included [default: 960]
    #[arg(long, value_name = "COUNT")]
    peers: Option<usize>,
    /// For how long the source publishes; a second to connect goes before and five to arrive follow [default: 30]
    #[arg(long, value_parser = units::seconds, value_name = "SECONDS")]
    seconds: Option<Duration>,
    /// Streams, each of a source of its own [default: 1]
    #[arg(long, value_name = "COUNT")]
    streams: Option<usize>,
    /// What the source of the first stream does: honest, equivocating, or over-rate[:segments in place of one]
    /// [default: honest]
    #[arg(long, value_name = "BEHAVIOR")]
    source: Option<Publishing>,
    /// The bit rate of each stream, as 500kbit or 1.5Mbit [default: 1Mbit]
    #[arg(long)]
    rate: Option<Rate>,
    /// The share of Byzantine peers; the source is not one of them [default: 0]
    #[arg(long, value_parser = units::share, value_name = "SHARE")]
    byzantine: Option<f64>,
    /// What the Byzantine peers do, in place of what the scenario has them do: honest, withholding, silent,
    /// colluders-only, partial[:PERCENT starved], sparing[:gives a segment in so many], polluter, late[:MS],
    /// slander, never-complete, flood, replay, mute (in agreement), satiation[:PERCENT starved], on-off; several with + between them, and
    /// @ON/EVERY in seconds after them, as in late:200+slander@4/8 [default: silent]
    #[arg(long, value_name = "BEHAVIOR")]
    behavior: Option<Conduct>,
    /// The share of the peers that leave in a minute; each comes back after 10 seconds in the mean [default: 0]
    #[arg(long, value_parser = units::rate_of_leaving, value_name = "SHARE")]
    churn_per_minute: Option<f64>,
    /// The seed of the world: everything in it follows from this number [default: 1]
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Several worlds side by side: the first and the last seed, as 1..20
    #[arg(long, value_name = "A..B")]
    seeds: Option<Seeds>,
    /// The largest cluster allowed (g_max) [default: 32, or what makes four clusters of fewer peers]
    #[arg(long, value_name = "PEERS")]
    g: Option<u8>,
    /// The smallest cluster allowed (g_min) [default: half of the largest]
    #[arg(long, value_name = "PEERS")]
    g_min: Option<u8>,
    /// Hamiltonian cycles over the clusters [default: 2]
    #[arg(long, value_name = "CYCLES")]
    h: Option<u8>,
    /// Slots of a cluster, and shards of a segment [default: g, or the least multiple of it from 8 on]
    #[arg(long, value_name = "SHARDS")]
    n: Option<u8>,
    /// Shards that restore a segment [default: half of n]
    #[arg(long, value_name = "SHARDS")]
    k: Option<u8>,
    /// How peers come to their places in clusters: fixed, by the founding; living, as clusters agree on it [default: fixed]
    #[arg(long, value_name = "MEMBERSHIP", value_parser = membership)]
    membership: Option<Membership>,
    /// How long an epoch of a cluster lasts at least [default: 4000]
    #[arg(long, value_name = "MS")]
    epoch_ms: Option<u32>,
    /// How long a member keeps its place until it walks again [default: for ever]
    #[arg(long, value_name = "MS")]
    lease_ms: Option<u32>,
    /// How long a member may be silent until its fellows put it out [default: for ever]
    #[arg(long, value_name = "MS")]
    silence_ms: Option<u32>,
    /// Clusters assume that messages take at most this long, and bear a larger minority of faulty members for it; 0: they
    /// assume nothing [default: 0]
    #[arg(long, value_name = "MS")]
    synchrony_ms: Option<u64>,
    /// How much of the stream one segment holds [default: 250]
    #[arg(long, value_name = "MS")]
    segment_ms: Option<u16>,
    /// One-way latency of a link in milliseconds, uniform over pairs of peers [default: 20..100]
    #[arg(long, value_name = "LOW..HIGH")]
    latency: Option<Milliseconds>,
    /// Milliseconds added to the latency for each message, uniform from 0 up to this [default: 0]
    #[arg(long, value_name = "MS")]
    jitter: Option<Milliseconds>,
    /// The share of messages that are lost [default: 0]
    #[arg(long, value_parser = units::share, value_name = "SHARE")]
    loss: Option<f64>,
    /// What a peer can send, over all its links, the source too [default: any amount]
    #[arg(long, value_name = "RATE")]
    uplink: Option<Rate>,
    /// How statements are signed; `simulated` is a keyed hash that no simulated peer can forge [default: auto]
    #[arg(long, value_enum)]
    signer: Option<Signer>,
    /// Let every peer compute every hash and code itself, instead of once for all that hold the same bytes:
    /// slower, with the same results to the last event
    #[arg(long)]
    verify_all: bool,
    /// The mechanism of the coded push that all peers lack
    #[cfg(feature = "ablation")]
    #[arg(long, value_name = "MECHANISM", value_parser = mechanism)]
    without: Option<hamlet_simulator::Mechanism>,
}

fn membership(text: &str) -> Result<Membership, String> {
    match text {
        "fixed" => Ok(Membership::Fixed),
        "living" => Ok(Membership::Living),
        _ => Err("membership is fixed or living".to_owned()),
    }
}

#[cfg(feature = "ablation")]
fn mechanism(text: &str) -> Result<hamlet_simulator::Mechanism, String> {
    let all = hamlet_simulator::Mechanism::ALL;
    let known = all.iter().find(|(name, _)| *name == text);
    known.map(|(_, mechanism)| *mechanism).ok_or_else(|| {
        let names = all.map(|(name, _)| name).join(", ");
        format!("there is no such mechanism; there are {names}")
    })
}

impl Overrides {
    /// Whether the user only wants to know which presets there are.
    pub fn lists_presets(&self) -> bool {
        self.preset.as_deref() == Some("list")
    }

    /// The scenario that is meant, checked.
    ///
    /// # Errors
    /// What is wrong with it: in a file, with the line and the field.
    pub fn scenario(&self) -> Result<Scenario, Box<dyn Error>> {
        self.varied(&Overrides::default())
    }

    /// The same, where `others` win over what this command line says.
    ///
    /// # Errors
    /// See there.
    pub fn varied(&self, others: &Overrides) -> Result<Scenario, Box<dyn Error>> {
        let source = match (&self.scenario, &self.preset) {
            (Some(path), _) => read::Source::file(path)?,
            (None, Some(name)) => preset::find(name)?,
            (None, None) => read::Source::default(),
        };
        // A share and a behaviour stand for adversaries together only, so one must not be lost for want of the other.
        let others = Overrides {
            byzantine: others.byzantine.or(self.byzantine),
            behavior: others.behavior.clone().or(self.behavior.clone()),
            ..others.clone()
        };
        let scenario = others.over(self.over(source.parse()?));
        // What the command line said stands in no line of the file.
        if let Err(problem) = scenario.settings(0).check() {
            return Err(source.place(&problem).into());
        }
        Ok(scenario)
    }

    fn over(&self, mut scenario: Scenario) -> Scenario {
        fn set<T: Clone>(wish: &Option<T>, field: &mut T) {
            if let Some(wish) = wish {
                field.clone_from(wish);
            }
        }
        set(&self.peers, &mut scenario.peers);
        set(
            &self.seconds.map(|time| time.as_secs_f64()),
            &mut scenario.seconds,
        );
        set(&self.membership, &mut scenario.membership);
        set(&self.streams, &mut scenario.streams);
        set(&self.source, &mut scenario.source.behavior);
        set(&self.rate, &mut scenario.rate);
        set(&self.seed.map(Seeds::one), &mut scenario.seeds);
        set(&self.seeds, &mut scenario.seeds);
        set(&self.signer, &mut scenario.signer);
        scenario.verify_all |= self.verify_all;
        #[cfg(feature = "ablation")]
        {
            scenario.without = self.without.or(scenario.without);
        }
        let parameters = &mut scenario.parameters;
        for (wish, field) in [
            (self.g, &mut parameters.g),
            (self.g_min, &mut parameters.g_min),
            (self.h, &mut parameters.h),
            (self.n, &mut parameters.n),
            (self.k, &mut parameters.k),
        ] {
            *field = wish.or(*field);
        }
        parameters.segment_ms = self.segment_ms.or(parameters.segment_ms);
        for (wish, field) in [
            (self.epoch_ms, &mut parameters.epoch_ms),
            (self.lease_ms, &mut parameters.lease_ms),
            (self.silence_ms, &mut parameters.silence_ms),
        ] {
            *field = wish.or(*field);
        }
        if let Some(bound_ms) = self.synchrony_ms {
            parameters.fault_model = Some(match bound_ms {
                0 => FaultModel::PartialSynchrony,
                ms => FaultModel::Synchrony {
                    bound: Duration::from_millis(ms),
                },
            });
        }
        let links = &mut scenario.links;
        if let Some(Milliseconds(latency)) = &self.latency {
            links.latency = Latency::Uniform {
                low_ms: ms(*latency.start()),
                high_ms: ms(*latency.end()),
            };
        }
        let jitter = self.jitter.as_ref();
        set(
            &jitter.map(|jitter| ms(*jitter.0.end())),
            &mut links.jitter_ms,
        );
        set(
            &self.loss.map(|share| match share {
                0.0 => Loss::None,
                share => Loss::Random { share },
            }),
            &mut links.loss,
        );
        if let Some(Rate { bits_per_s }) = self.uplink {
            links.upload = Rates::Constant { bits_per_s };
            links.source_upload_bits_per_s = Some(bits_per_s);
        }
        if let Some(per_minute) = self.churn_per_minute {
            scenario.churn.sessions = match per_minute {
                0.0 => Sessions::None,
                per_minute => Sessions::Poisson {
                    per_minute,
                    away_s: AWAY_S,
                },
            };
        }
        self.over_adversaries(&mut scenario.adversaries);
        scenario
    }

    /// A share and a behaviour stand for all adversaries of a scenario, which only then may be of several kinds.
    fn over_adversaries(&self, adversaries: &mut Vec<Adversaries>) {
        if self.byzantine.is_none() && self.behavior.is_none() {
            return;
        }
        let share = adversaries.iter().map(|some| some.share).sum();
        let share = self.byzantine.unwrap_or(share);
        let first = adversaries.first().cloned();
        let mut all = first.unwrap_or_else(|| Adversaries::new(0.0, Conduct::only(Kind::Silent)));
        all.share = share;
        if let Some(behavior) = &self.behavior {
            all.behavior.clone_from(behavior);
        }
        *adversaries = match share {
            0.0 => Vec::new(),
            _ => vec![all],
        };
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use hamlet_simulator::{Parameters, settings::Signatures};

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        overrides: Overrides,
    }

    fn scenario(words: &[&str]) -> Scenario {
        let words = ["simulate"].iter().chain(words);
        let command = Command::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        command
            .overrides
            .scenario()
            .unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn defaults_are_those_that_the_help_names() {
        let settings = scenario(&[]).settings(1);
        let Parameters {
            g_min,
            g_max,
            h,
            n,
            k,
            ..
        } = settings.parameters;
        assert_eq!(
            (settings.peers, g_min, g_max, h, n, k),
            (960, 16, 32, 2, 32, 16)
        );
        assert_eq!(settings.signatures, Signatures::Simulated);
        let settings = scenario(&["--peers", "32"]).settings(1);
        let Parameters { g_max, n, k, .. } = settings.parameters;
        assert_eq!((g_max, n, k), (8, 8, 4));
        assert_eq!(settings.signatures, Signatures::Ed25519);
    }

    #[test]
    fn the_command_line_wins_over_the_scenario() {
        let of = |words: &[&str]| scenario(&[&["--preset", "silent"], words].concat());
        assert_eq!(of(&[]).byzantine(), 0.3);
        let less = of(&[
            "--byzantine",
            "0.1",
            "--seeds",
            "3..4",
            "--peers",
            "64",
            "--loss",
            "0.01",
        ]);
        assert_eq!(
            (less.byzantine(), less.behavior(), less.peers),
            (0.1, "silent".to_owned(), 64)
        );
        assert_eq!(less.seeds.iter().collect::<Vec<_>>(), [3, 4]);
        assert_eq!(less.links.loss, Loss::Random { share: 0.01 });
        assert_eq!(of(&["--behavior", "late:200"]).behavior(), "late:200");
        assert!(of(&["--byzantine", "0"]).adversaries.is_empty());
        assert_eq!(scenario(&["--behavior", "silent"]).byzantine(), 0.0);
    }
}
