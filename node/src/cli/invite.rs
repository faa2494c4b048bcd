//! `hamlet invite`

use super::{folder::FolderArguments, output};
use crate::{
    data::{Invitation, SecretKey},
    failure::{Failure, Kind},
};
use clap::Args;
use hamlet_overlay::{
    identity::{Ed25519Signer, PeerId, Signer},
    membership::admission::{Admission, Credential},
};

/// Invite the owner of a key into the network
///
/// In a network that was made with --admit invited, its publishers invite. The owner of the key, which `hamlet keygen --show`
/// prints, writes what this prints into its configuration as `invitation`, or gives it to `hamlet member new`. It is of no use to
/// anybody else, and cannot be taken back.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The key of whoever is invited
    key: PeerId,
    #[command(flatten)]
    folder: FolderArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = arguments.folder.folder();
    let network = folder.network()?;
    let signer = Ed25519Signer::from_secret(&SecretKey::read(&folder.key())?.secret());
    let wrong = |text: String| Failure::new(Kind::Configuration, text);
    match &network.genesis().admission {
        Admission::Invitation { by } if by.contains(&signer.id()) => {}
        Admission::Invitation { by } => {
            let hosts: Vec<String> = by.iter().map(PeerId::to_string).collect();
            return Err(wrong(format!(
                "peer {} may not invite into this network; these may: {}",
                signer.id(),
                hosts.join(", ")
            )));
        }
        Admission::Closed => {
            return Err(wrong(
                "nobody may join this network by itself; the operators of a cluster take a peer in with `hamlet member add`"
                    .to_owned(),
            ));
        }
        Admission::Open | Admission::Listed { .. } | Admission::Work { .. } => {
            return Err(wrong(
                "this network admits peers without an invitation; `hamlet member new` makes the folder of one".to_owned(),
            ));
        }
    }
    let credential = Credential::invite(network.id(), &signer, arguments.key);
    let Credential::Invitation { by, signature } = credential else {
        return Ok(());
    };
    output::print(&format!("{}\n", Invitation { by, signature }))
}
