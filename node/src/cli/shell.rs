//! `hamlet completions` and `hamlet man`

use super::{Cli, output};
use crate::failure::{Failure, Kind};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::PathBuf;

/// Print what completes hamlet's commands in a shell
///
///     hamlet completions bash > ~/.local/share/bash-completion/completions/hamlet
///     hamlet completions zsh > ~/.zfunc/_hamlet
///     hamlet completions fish > ~/.config/fish/completions/hamlet.fish
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Completions) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "hamlet", &mut bytes);
    output::print(&String::from_utf8_lossy(&bytes))
}

/// Write the manual pages into a folder, one for every command
///
///     hamlet man ~/.local/share/man/man1
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Manual {
    /// The folder; made if it is not there
    folder: PathBuf,
}

pub(super) fn manual(arguments: &Manual) -> Result<(), Failure> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .map_err(|error| Failure::new(Kind::Failed, format!("{}: {error}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_every_shell_a_script() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("man1");
        manual(&Manual {
            folder: path.clone(),
        })
        .unwrap();
        for command in Cli::command().get_subcommands() {
            let page = path.join(format!("hamlet-{}.1", command.get_name()));
            assert!(page.is_file(), "{}", page.display());
        }
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "hamlet", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("publish"), "{shell}");
        }
    }
}
