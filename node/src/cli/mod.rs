//! The command line.

mod bench;
mod cluster;
mod config;
mod demo;
mod evidence;
mod folder;
mod invite;
mod keygen;
mod leave;
mod logs;
mod member;
mod network;
mod node;
mod output;
mod peers;
mod publish;
mod shell;
mod signals;
mod status;
mod watch;

use crate::{
    config::LogSettings,
    failure::{EXIT_CODES, Failure},
};
use clap::{Parser, Subcommand};

/// Live streaming that keeps playing while up to 30 % of the peers lie, stall or leave.
#[derive(Parser, Debug)]
#[command(
    name = "hamlet",
    version,
    after_help = EXIT_CODES,
    after_long_help = format!("{TRY_IT}\n\n{EXIT_CODES}"),
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    log: LogSettings,
    #[command(subcommand)]
    command: Command,
}

const TRY_IT: &str = "\
Try it, on this machine:
  hamlet demo                            a network in one process, with a stream through it

The same with a process for every peer:
  hamlet network new town --peers 8      make a network: its genesis, and a folder for every peer
  for peer in town/peer-*; do hamlet node --folder $peer & done
  hamlet publish --folder town/peer-0 --clip
  hamlet watch --folder town/peer-5 | ffplay -

Standard output carries data only; logs go to standard error. Every option can also be set in the
environment, as its help says, and those of a node in hamlet.toml in its data folder.";

#[derive(Subcommand, Debug)]
enum Command {
    Demo(demo::Arguments),
    Keygen(keygen::Arguments),
    Network(network::Arguments),
    Node(node::Arguments),
    Publish(publish::Arguments),
    Watch(watch::Arguments),
    Status(status::Arguments),
    Cluster(cluster::Arguments),
    Member(member::Arguments),
    Evidence(evidence::Arguments),
    Invite(invite::Arguments),
    Leave(leave::Arguments),
    Peers(peers::Arguments),
    Config(config::Arguments),
    Bench(bench::Arguments),
    Completions(shell::Completions),
    Man(shell::Manual),
}

impl Cli {
    /// Runs the command to its end.
    ///
    /// # Errors
    /// If it fails; the failure says why, and what to do.
    pub async fn run(self) -> Result<(), Failure> {
        let Cli { log, command } = self;
        match command {
            Command::Demo(arguments) => demo::run(&log, &arguments).await,
            Command::Keygen(arguments) => keygen::run(&arguments),
            Command::Network(arguments) => network::run(&arguments),
            Command::Node(arguments) => node::run(&log, &arguments).await,
            Command::Publish(arguments) => publish::run(&log, &arguments).await,
            Command::Watch(arguments) => watch::run(&log, &arguments).await,
            Command::Status(arguments) => status::run(&log, &arguments).await,
            Command::Cluster(arguments) => cluster::run(&log, &arguments).await,
            Command::Member(arguments) => member::run(&log, &arguments).await,
            Command::Evidence(arguments) => evidence::run(&log, &arguments).await,
            Command::Invite(arguments) => invite::run(&arguments),
            Command::Leave(arguments) => leave::run(&log, &arguments).await,
            Command::Peers(arguments) => peers::run(&log, &arguments).await,
            Command::Config(arguments) => config::run(&arguments),
            Command::Bench(arguments) => bench::run(&log, &arguments).await,
            Command::Completions(arguments) => shell::run(&arguments),
            Command::Man(arguments) => shell::manual(&arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_explained() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        fn check(command: &clap::Command) {
            assert!(
                command.get_about().is_some(),
                "{} has no help",
                command.get_name()
            );
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} of {}",
                    argument.get_id(),
                    command.get_name()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&command);
    }
}
