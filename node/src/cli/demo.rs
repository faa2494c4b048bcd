//! `hamlet demo`

use super::{logs, output, signals};
use crate::{
    config::{ConfigFile, LogSettings},
    demo::{self, Options, Summary},
    failure::{Failure, Kind},
};
use clap::Args;
use std::path::Path;

/// Run a network of real peers in this process, with a video through it
///
/// Every peer has its own key, data folder, sockets and state; all that passes between them passes over real
/// connections on the loopback address. It prints five lines that say what runs and where to look, and at
/// the end what was measured. Play the printed URL with any player while some of the peers misbehave:
///
///     hamlet demo --silent 0.3 --kill 3@10
///     hamlet demo --link-delay 40ms --link-loss 0.01
///
/// To measure:
///
///     hamlet demo --peers 32 --rate 1Mbit --seconds 30 --json figures.json
///
/// It exits with 0 only if everything arrived at every honest peer, on time (within 1.5 s) and identical.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    #[command(flatten)]
    options: Options,
}

pub(super) async fn run(log: &LogSettings, arguments: &Arguments) -> Result<(), Failure> {
    logs::begin(log, &ConfigFile::default());
    let options = &arguments.options;
    let to_stdout = options.json.as_deref() == Some(Path::new("-"));
    let stop = async {
        // Where the system does not tell of signals, the process ends by them.
        if signals::interrupted().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let announce = |lines: &str| match to_stdout {
        true => eprintln!("{lines}"),
        false => println!("{lines}"),
    };
    let summary = demo::run(options, stop, announce).await?;
    eprint!("{summary}");
    if let Some(path) = &options.json {
        output::json(path, &summary)?;
    }
    match summary.passed() {
        true => Ok(()),
        false => Err(Failure::new(Kind::Failed, shortfall(&summary))),
    }
}

/// What was not as it should be.
fn shortfall(summary: &Summary) -> &'static str {
    if summary.segments_published == 0 {
        "nothing was streamed"
    } else if summary.delivered_ratio < 1.0 {
        "not everything arrived at every honest peer"
    } else if summary.on_time_ratio < 1.0 {
        "not everything arrived on time at every honest peer"
    } else {
        "what arrived is not what the source published"
    }
}
