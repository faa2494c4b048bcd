//! `hamlet keygen`

use super::{folder::FolderArguments, output};
use crate::{data::SecretKey, failure::Failure};
use clap::Args;
use std::path::PathBuf;

/// Make a secret key, and print the public one
///
/// The key file is readable by its owner alone and is never replaced. The public key is what goes into a
/// genesis, for example with `hamlet network new --founder KEY@ADDRESS`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Where to write the secret key [default: key in the data folder]
    path: Option<PathBuf>,
    /// Make no key, but print the public one of a key file that is there
    #[arg(long)]
    show: bool,
    #[command(flatten)]
    folder: FolderArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = arguments.folder.folder();
    let path = arguments.path.clone().unwrap_or_else(|| folder.key());
    let key = match arguments.show {
        true => SecretKey::read(&path)?,
        false => {
            if arguments.path.is_none() {
                folder.create()?;
            }
            let key = SecretKey::generate()?;
            key.write(&path)?;
            key
        }
    };
    output::print(&format!("{}\n", key.id()))
}
