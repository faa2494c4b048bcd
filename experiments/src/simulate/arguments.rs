//! The arguments of `hamlet-lab simulate`, and the settings of worlds that they mean.

use super::units::{self, Milliseconds, Rate};
use crate::seeds::Seeds;
use clap::{Args, ValueEnum};
use hamlet_simulator::{
    Parameters, Settings,
    churn::Churn,
    links::{Latency, LinkSettings, Loss, Rates},
    settings::{BehaviourKind, Signatures},
};
use std::{fmt::Write, path::PathBuf, time::Duration};

/// Stream through a deterministic world of whole peers, some of them Byzantine
///
/// Every peer runs the code of the node; network and time are simulated. One peer publishes, all watch. Equal
/// arguments give equal results, to the last event (trace_hash), in every build. Exit status: 0 if no
/// invariant was broken, 1 if one was, 130 after Ctrl-C, which shows the results so far.
#[derive(Args, Clone)]
#[command(after_help = "Examples:\n  \
    hamlet-lab simulate\n  \
    hamlet-lab simulate --byzantine 0.3 --seeds 1..20 --json results.json\n  \
    hamlet-lab simulate --peers 32 --loss 0.01 --uplink 4Mbit")]
pub struct Arguments {
    /// Peers, the source and the Byzantine ones included
    #[arg(long, default_value_t = 960, value_name = "COUNT")]
    peers: usize,
    /// For how long the source publishes; a second to connect goes before and five to arrive follow
    #[arg(long, default_value = "30", value_parser = units::seconds, value_name = "SECONDS")]
    seconds: Duration,
    /// The stream's bit rate, as 500kbit or 1.5Mbit
    #[arg(long, default_value = "1Mbit")]
    rate: Rate,
    /// The share of Byzantine peers; the source is not one of them
    #[arg(long, default_value = "0", value_parser = units::share, value_name = "SHARE")]
    byzantine: f64,
    /// What the Byzantine peers do
    #[arg(long, value_enum, default_value_t = Behavior::Silent)]
    behavior: Behavior,
    /// The seed of the world: everything in it follows from this number
    #[arg(long, default_value_t = 1, conflicts_with = "seeds")]
    seed: u64,
    /// Several worlds side by side: the first and the last seed, as 1..20
    #[arg(long, value_name = "A..B")]
    seeds: Option<Seeds>,
    /// The largest cluster allowed (g_max) [default: 32, or what makes four clusters of fewer peers]
    #[arg(long, value_name = "PEERS")]
    g: Option<u8>,
    /// The smallest cluster allowed (g_min) [default: half of the largest]
    #[arg(long, value_name = "PEERS")]
    g_min: Option<u8>,
    /// Hamiltonian cycles over the clusters
    #[arg(long, default_value_t = 2, value_name = "CYCLES")]
    h: u8,
    /// Slots of a cluster, and shards of a segment [default: g, or the least multiple of it from 8 on]
    #[arg(long, value_name = "SHARDS")]
    n: Option<u8>,
    /// Shards that restore a segment [default: half of n]
    #[arg(long, value_name = "SHARDS")]
    k: Option<u8>,
    /// How much of the stream one segment holds
    #[arg(long, default_value_t = 250, value_name = "MS")]
    segment_ms: u16,
    /// One-way latency of a link in milliseconds, uniform over pairs of peers
    #[arg(long, default_value = "20..100", value_name = "LOW..HIGH")]
    latency: Milliseconds,
    /// Milliseconds added to the latency for each message, uniform from 0 up to this
    #[arg(long, default_value = "0", value_name = "MS")]
    jitter: Milliseconds,
    /// The share of messages that are lost
    #[arg(long, default_value = "0", value_parser = units::share, value_name = "SHARE")]
    loss: f64,
    /// What a peer can send, over all its links [default: any amount]
    #[arg(long, value_name = "RATE")]
    uplink: Option<Rate>,
    /// How statements are signed; `simulated` is a keyed hash that no simulated peer can forge
    #[arg(long, value_enum, default_value_t = Signer::Auto)]
    signer: Signer,
    /// Let every peer compute every hash and code itself, instead of once for all that hold the same bytes:
    /// slower, with the same results to the last event
    #[arg(long)]
    verify_all: bool,
    /// How many threads work, on several worlds side by side or together on one; this changes no result
    /// [default: one per processor]
    #[arg(long, value_name = "COUNT")]
    threads: Option<usize>,
    /// Where to write the results as JSON; `-` is the standard output, and then the table goes nowhere
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,
}

/// What Byzantine peers do.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Behavior {
    /// Follow the protocol
    Honest,
    /// Give nothing, and ask for no more than they lack
    Withholding,
    /// Give nothing, and always ask everybody for everything
    Silent,
}

/// How statements are signed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Signer {
    /// Ed25519 up to 200 peers, simulated above
    Auto,
    /// As on the network
    Ed25519,
    /// By a keyed hash, which costs next to nothing
    Simulated,
}

impl Arguments {
    /// The seeds, in ascending order.
    pub fn seeds(&self) -> Vec<u64> {
        let seeds = self.seeds.clone().unwrap_or(Seeds::one(self.seed));
        seeds.iter().collect()
    }

    /// How many threads work.
    pub fn threads(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, |count| count.get());
        self.threads.unwrap_or_else(processors).max(1)
    }

    /// The settings of the world with this seed.
    pub fn settings(&self, seed: u64) -> Settings {
        let usual = Parameters::for_peers(self.peers);
        let g_max = self.g.unwrap_or(usual.g_max);
        let n = self
            .n
            .unwrap_or_else(|| g_max.saturating_mul(8u8.div_ceil(g_max.max(1))));
        let signatures = match self.signer {
            Signer::Auto => Signatures::for_peers(self.peers),
            Signer::Ed25519 => Signatures::Ed25519,
            Signer::Simulated => Signatures::Simulated,
        };
        Settings {
            seed,
            peers: self.peers,
            parameters: Parameters {
                g_min: self.g_min.unwrap_or(g_max.div_ceil(2)),
                g_max,
                h: self.h,
                n,
                k: self.k.unwrap_or(n / 2),
                segment_ms: self.segment_ms,
                ..usual
            },
            bits_per_s: self.rate.bits_per_s,
            publishing: self.seconds,
            byzantine: self.byzantine,
            behaviour: match self.behavior {
                Behavior::Honest => BehaviourKind::Honest,
                Behavior::Withholding => BehaviourKind::Withholding,
                Behavior::Silent => BehaviourKind::Silent,
            },
            signatures,
            links: LinkSettings {
                latency: Latency::Uniform {
                    low_ms: ms(*self.latency.0.start()),
                    high_ms: ms(*self.latency.0.end()),
                },
                jitter_ms: ms(*self.jitter.0.end()),
                loss: match self.loss {
                    0.0 => Loss::None,
                    share => Loss::Random { share },
                },
                upload: match self.uplink {
                    None => Rates::Unlimited,
                    Some(Rate { bits_per_s }) => Rates::Constant { bits_per_s },
                },
                source_upload_bits_per_s: self.uplink.map(|rate| rate.bits_per_s),
                ..LinkSettings::default()
            },
            churn: Churn::default(),
            machines: Vec::new(),
            verify_all: self.verify_all,
        }
    }

    /// The command that runs the world with this seed again.
    pub fn replay(&self, seed: u64) -> String {
        let settings = self.settings(seed);
        let Parameters {
            g_min,
            g_max,
            h,
            n,
            k,
            segment_ms,
            ..
        } = settings.parameters;
        let latency = &self.latency.0;
        let behavior = match settings.behaviour {
            BehaviourKind::Honest => "honest",
            BehaviourKind::Withholding => "withholding",
            BehaviourKind::Silent => "silent",
        };
        let signer = match settings.signatures {
            Signatures::Ed25519 => "ed25519",
            Signatures::Simulated => "simulated",
        };
        let mut command = format!(
            "hamlet-lab simulate --seed {seed} --peers {} --seconds {} --rate {} --byzantine {} \
             --behavior {behavior} --g {g_max} --g-min {g_min} --h {h} --n {n} --k {k} \
             --segment-ms {segment_ms} --latency {}..{} --jitter {} --loss {} --signer {signer}",
            self.peers,
            self.seconds.as_secs_f64(),
            self.rate.bits_per_s,
            self.byzantine,
            ms(*latency.start()),
            ms(*latency.end()),
            settings.links.jitter_ms,
            self.loss,
        );
        if let Some(rate) = settings.links.source_upload_bits_per_s {
            // Writing into a text never fails.
            let _ = write!(command, " --uplink {rate}");
        }
        if settings.verify_all {
            command.push_str(" --verify-all");
        }
        command
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Arguments {
        Command::try_parse_from(words)
            .unwrap_or_else(|error| panic!("{error}"))
            .arguments
    }

    #[test]
    fn defaults_are_those_that_the_help_names() {
        let settings = parse(["simulate"]).settings(1);
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
        let settings = parse(["simulate", "--peers", "32"]).settings(1);
        let Parameters { g_max, n, k, .. } = settings.parameters;
        assert_eq!((g_max, n, k), (8, 8, 4));
        assert_eq!(settings.signatures, Signatures::Ed25519);
    }

    #[test]
    fn the_command_that_replays_means_the_same_world() {
        let arguments = parse([
            "simulate",
            "--peers",
            "50",
            "--g",
            "9",
            "--byzantine",
            "0.25",
            "--seeds",
            "3..9",
            "--loss",
            "0.015",
            "--latency",
            "1.5..33",
            "--jitter",
            "4.25",
            "--uplink",
            "2.5Mbit",
            "--rate",
            "300kbit",
            "--seconds",
            "7.5",
            "--verify-all",
        ]);
        let replay = arguments.replay(7);
        let words = replay
            .strip_prefix("hamlet-lab ")
            .unwrap_or_default()
            .split(' ');
        let replayed = parse(words);
        assert_eq!(replayed.seeds(), [7]);
        assert_eq!(replayed.settings(7), arguments.settings(7));
    }
}
