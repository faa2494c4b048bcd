//! `hamlet-lab live`: gossip learning over the overlay's own links.

use crate::{
    Outcome, interrupt, json,
    learn::{options::Options, plan, stage::Stage},
};
use clap::Args;
use hamlet_gossip_learning::peer::{MAX_LINKS, Terms};
use hamlet_simulator::{
    Parameters,
    learning::{Learning, Progress, Settings},
    links::{LinkSettings, Loss},
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// Lets whole peers of the overlay learn over its links, inside clusters and along the cycles, while peers
/// change clusters with every epoch.
///
/// Local models travel over links that close triangles, which are those inside clusters; global models over
/// any. Clusters are random samples of the peers, so both slots come near each other here; the table shows that
/// neither stops learning when clusters change.
#[derive(Args)]
pub struct Arguments {
    /// CSV or LIBSVM file, or `synthetic:rows=10000,features=16`
    #[arg(
        long,
        value_name = "FILE|synthetic:…",
        default_value = "gossip-learning/data/spambase.csv.gz"
    )]
    data: String,
    /// The column to learn
    #[arg(long, value_name = "COLUMN", default_value = "type")]
    label: String,
    /// The model, as for `hamlet-lab learn` [default: by the data]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Peers
    #[arg(long, value_name = "COUNT", default_value_t = 414)]
    peers: usize,
    /// Epochs to run
    #[arg(long, value_name = "COUNT", default_value_t = 12)]
    epochs: u64,
    /// How long an epoch lasts, in seconds of the world; a peer sends its models once a second
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    epoch_seconds: u64,
    /// The share of the peers that change clusters with each epoch
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    moving: f64,
    /// Peers that a peer is to reach over links that close triangles; who reaches fewer tries local models of its
    /// other links if they fit its own rows [0 to 1024; 0 lets nobody]
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    reach: usize,
    /// The share of messages that are lost
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    loss: f64,
    /// The seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write what each epoch came to as JSON, `-` for the standard output
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// Runs the epochs and prints a line for each.
pub fn run(arguments: Arguments) -> Outcome {
    for (name, share) in [("moving", arguments.moving), ("loss", arguments.loss)] {
        if !(0.0..=1.0).contains(&share) {
            return Err(format!("--{name} {share}: a share is from 0 to 1").into());
        }
    }
    if arguments.reach > MAX_LINKS {
        let reach = arguments.reach;
        return Err(format!("--reach {reach}: a peer counts up to {MAX_LINKS} peers").into());
    }
    if arguments.epoch_seconds == 0 {
        return Err("--epoch-seconds 0: an epoch lasts a second at least".into());
    }
    interrupt::listen()?;
    let options = Options {
        data: Some(arguments.data),
        label: Some(arguments.label),
        model: arguments.model,
        peers: Some(arguments.peers),
        ..Options::default()
    };
    let stage = Stage::set(&options, arguments.seed)?;
    let learning = plan::settings(&options, &stage, arguments.seed)?;
    let rows = (0..stage.partition.peers()).map(|peer| stage.partition.rows(peer).len());
    let parameters = Parameters::for_peers(arguments.peers);
    let settings = Settings {
        seed: arguments.seed,
        // Fellow members have the rest of their cluster in common; links along a cycle close a few triangles
        // only, with who was moved and with the slots of the epoch before.
        parameters,
        links: LinkSettings {
            loss: match arguments.loss {
                0.0 => Loss::None,
                share => Loss::Random { share },
            },
            ..LinkSettings::default()
        },
        round: Duration::from_secs(1),
        epoch: Duration::from_secs(arguments.epoch_seconds),
        moving: arguments.moving,
        terms: Terms {
            limits: learning.limits(&stage.data),
            learner: learning.learner,
            rule: learning.rule,
            rows_most: rows.max().unwrap_or(1) as u32,
            rows_least: 1,
            triangles_least: usize::from(parameters.g_min) / 2,
            reach: arguments.reach,
        },
    };
    let quiet = arguments.json.as_deref() == Some(Path::new("-"));
    if !quiet {
        println!(
            "epoch  moved  links  with triangles  models within   along  refused  local: age  loss  error  \
             global: age  loss  error"
        );
    }
    let mut world = Learning::new(settings, stage.data, &stage.partition)?;
    let mut epochs: Vec<Progress> = Vec::new();
    while (epochs.len() as u64) < arguments.epochs && !interrupt::asked() {
        let epoch = world.run_epoch();
        if !quiet {
            tell(&epoch);
        }
        epochs.push(epoch);
    }
    if let Some(path) = &arguments.json {
        json::write(path, &epochs)?;
    }
    Ok(match interrupt::asked() {
        true => ExitCode::from(interrupt::EXIT_STATUS),
        false => ExitCode::SUCCESS,
    })
}

fn tell(epoch: &Progress) {
    println!(
        "{:>5} {:>6} {:>6.1} {:>15.1} {:>14} {:>7} {:>8} {:>11.0} {:>5.2} {:>6.3} {:>12.0} {:>5.2} {:>6.3}",
        epoch.epoch,
        epoch.moved,
        epoch.links_mean,
        epoch.supported_mean,
        epoch.models_within,
        epoch.models_along,
        epoch.refused,
        epoch.age_mean[0],
        epoch.loss_mean[0],
        epoch.error_mean[0],
        epoch.age_mean[1],
        epoch.loss_mean[1],
        epoch.error_mean[1],
    );
}
