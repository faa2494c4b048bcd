//! `hamlet node`

use super::{folder::FolderArguments, logs, signals};
use crate::{
    config::{LogSettings, Overrides, Settings},
    failure::{Failure, Kind},
    service::Node,
};
use clap::Args;

/// Run the peer of a data folder until Ctrl-C, or `hamlet leave`
///
/// The peer relays what it owes of every stream in the network. Players on this machine play streams at
/// http://127.0.0.1:8420/live.ts, and `hamlet publish`, `hamlet watch` and `hamlet status` reach the node by
/// its data folder.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    folder: FolderArguments,
    #[command(flatten)]
    overrides: Overrides,
}

pub(super) async fn run(log: &LogSettings, arguments: &Arguments) -> Result<(), Failure> {
    let file = arguments.folder.config()?;
    logs::begin(log, &file);
    let settings = Settings::resolve(&arguments.overrides, file);
    let folder = arguments.folder.folder();
    let node = Node::start(&folder, &settings).await?;
    node.log_start();
    let interrupted = tokio::select! {
        interrupted = signals::interrupted() => interrupted,
        () = node.service().ended() => Ok(()),
    };
    node.stop(&folder).await;
    interrupted.map_err(|error| Failure::new(Kind::Failed, error))
}
