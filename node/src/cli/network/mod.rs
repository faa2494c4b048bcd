//! `hamlet network`

mod arguments;
mod folders;
mod found;

use super::output;
use crate::failure::{Failure, Kind};
use arguments::New;
use clap::{Args, Subcommand};

/// Make a network
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    New(Box<New>),
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Command::New(new) = &arguments.command;
    let peers = new.peers()?;
    let network = new.found(&peers)?;
    let made = new.write(&peers, &network)?;
    match &new.json {
        Some(path) => output::json(path, &made),
        None => {
            let mut text = format!("network  {}\n", made.network);
            for stream in &made.streams {
                text.push_str(&format!("stream   {stream}\n"));
            }
            text.push_str(&format!("genesis  {}\n", made.genesis.display()));
            for folder in &made.folders {
                let folder = folder.display();
                text.push_str(&format!("run      hamlet node --folder {folder}\n"));
            }
            output::print(&text)
        }
    }
}

fn wrong(error: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Configuration, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::ConfigFile, data::Folder};
    use clap::Parser;
    use hamlet_overlay::genesis::Network;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        new: New,
    }

    fn make(words: &[&str]) -> Result<(tempfile::TempDir, Network), Failure> {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("town");
        let words = ["new", path.to_str().unwrap()]
            .into_iter()
            .chain(words.iter().copied());
        let new = Line::parse_from(words).new;
        let peers = new.peers()?;
        let network = new.found(&peers)?;
        new.write(&peers, &network)?;
        Ok((temporary, network))
    }

    #[test]
    fn every_folder_can_be_run() {
        let words = [
            "--peers",
            "12",
            "--host",
            "127.0.0.1",
            "--publisher",
            "3,5=1Mbit",
        ];
        let (temporary, network) = make(&words).unwrap();
        assert_eq!(network.genesis().name, "town");
        assert_eq!(network.genesis().publishers[1].max_bits_per_s, 1_000_000);
        for number in 0..12 {
            let folder = Folder::at(temporary.path().join(format!("town/peer-{number:02}")));
            let key = folder.lock().unwrap().key().unwrap();
            assert_eq!(folder.network().unwrap().id(), network.id());
            assert!(network.cluster_of(key.id()).is_some());
            let config = ConfigFile::read(&folder.config()).unwrap();
            assert_eq!(config.http.unwrap().port(), 8420 + number);
            assert_eq!(
                network.genesis().publishers[0].stream == key.id(),
                number == 3
            );
        }
    }

    #[test]
    fn peers_are_dealt_to_hosts_and_founders_bring_their_keys() {
        let key = "ab".repeat(32);
        let founder = format!("{key}@/ip4/192.0.2.9/tcp/1");
        let words = [
            "--peers",
            "5",
            "--host",
            "192.0.2.1,192.0.2.2",
            "--founder",
            &founder,
        ];
        let (temporary, network) = make(&words).unwrap();
        let founders = &network.genesis().founders;
        assert_eq!(founders.len(), 6);
        let at = |address: &str| founders.iter().any(|f| f.addresses[0] == address);
        assert!(at("/ip4/192.0.2.1/udp/4713/quic-v1") && at("/ip4/192.0.2.2/udp/4712/quic-v1"));
        assert!(at("/ip4/192.0.2.9/tcp/1"));
        let config = ConfigFile::read(&temporary.path().join("town/peer-4/hamlet.toml")).unwrap();
        assert_eq!(config.listen.unwrap()[0], "/ip4/0.0.0.0/udp/4713/quic-v1");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |words: &[&str]| make(words).unwrap_err().error;
        assert!(refused(&["--publisher", "8"]).contains("numbered from 0 to 7"));
        assert!(refused(&["--g-min", "9"]).contains("g_min"));
        assert!(refused(&["--port", "65530"]).contains("ports"));
        assert!(refused(&["--total-rate", "1Mbit"]).contains("4000000"));
        let (temporary, _) = make(&[]).unwrap();
        let path = temporary.path().join("town");
        let new = Line::parse_from(["new", path.to_str().unwrap()]).new;
        let peers = new.peers().unwrap();
        let network = new.found(&peers).unwrap();
        assert!(new.write(&peers, &network).is_err());
    }
}
