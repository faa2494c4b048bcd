//! How a command fails: a message for people, and a kind for scripts.

use crate::{
    agreement::JournalError,
    config::{ConfigError, mistake::Mistake},
    data::{FolderError, KeyError, PrivateFileError, StoreError, genesis::GenesisFileError},
    driver::{PublishError, StartError, Stopped},
    ingest::{
        IngestError, live::ffmpeg::FfmpegError, publish::PublishFailure, source::SourceError,
    },
    transport::TransportError,
    uri::WrongStream,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a command failed, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// For a reason that has no kind of its own.
    Failed,
    /// Configuration, genesis, key or data folder are wrong.
    Configuration,
    /// The data folder or a port is in use, or the node is publishing already.
    InUse,
    /// The input is not what it was said to be, or breaks off.
    Input,
    /// The node cannot be reached, or went away.
    Unreachable,
    /// The network does not take it: no certificate, over the rate, no such stream.
    Refused,
}

/// The exit codes, for `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done, or ended by SIGINT or SIGTERM
  1  failed for another reason than those below
  2  the command line is wrong
  3  configuration, genesis, key or data folder are wrong
  4  the data folder or a port is in use, or the node is publishing already
  5  the input is not what it was said to be, or breaks off
  6  the node cannot be reached, or went away
  7  the network does not take it: no certificate, over the rate, no such stream";

impl Kind {
    /// The exit code of a command that fails so.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Configuration => 3,
            Kind::InUse => 4,
            Kind::Input => 5,
            Kind::Unreachable => 6,
            Kind::Refused => 7,
        }
    }
}

/// How a command fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// For scripts.
    pub kind: Kind,
    /// For people: what happened, where, and what to do.
    pub error: String,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: Kind, error: impl fmt::Display) -> Failure {
        Failure {
            kind,
            error: error.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

impl std::error::Error for Failure {}

/// Every error of these types has one kind.
macro_rules! kinds {
    ($($error:ty => $kind:ident),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::new(Kind::$kind, error)
            }
        })*
    };
}

kinds! {
    ConfigError => Configuration,
    GenesisFileError => Configuration,
    IngestError => Input,
    KeyError => Configuration,
    Mistake => Configuration,
    PrivateFileError => Configuration,
    Stopped => Unreachable,
    StoreError => Configuration,
    WrongStream => Refused,
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Failure {
        let kind = match error {
            FolderError::InUse(_) => Kind::InUse,
            FolderError::Missing(_) | FolderError::Io { .. } => Kind::Configuration,
        };
        Failure::new(kind, error)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        match error {
            StartError::NotAFounder { .. } | StartError::NoCluster { .. } => {
                Failure::new(Kind::Configuration, error)
            }
            StartError::Journal(error) => error.into(),
            StartError::Thread(_) => Failure::new(Kind::Failed, error),
            StartError::Transport(error) => error.into(),
        }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Failure {
        let kind = match &error {
            JournalError::InUse { .. } => Kind::InUse,
            JournalError::Damaged { .. } | JournalError::Start(_) => Kind::Configuration,
            JournalError::Io { .. } => Kind::Failed,
        };
        Failure::new(kind, error)
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Failure {
        let kind = match &error {
            TransportError::Listen { .. } => Kind::InUse,
            TransportError::Address { .. } => Kind::Configuration,
            TransportError::FileLimit { .. } | TransportError::Io(_) => Kind::Failed,
        };
        Failure::new(kind, error)
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Failure {
        let kind = match error {
            SourceError::File { .. } | SourceError::Address(_) => Kind::Input,
            SourceError::Listen { .. } | SourceError::Ffmpeg(FfmpegError::Listen { .. }) => {
                Kind::InUse
            }
            SourceError::Ffmpeg(_) => Kind::Failed,
        };
        Failure::new(kind, error)
    }
}

impl From<PublishFailure> for Failure {
    fn from(error: PublishFailure) -> Failure {
        let kind = match &error {
            PublishFailure::Ingest(_) => Kind::Input,
            PublishFailure::Peer(PublishError::Refused(_)) | PublishFailure::Rate { .. } => {
                Kind::Refused
            }
            PublishFailure::Peer(PublishError::Stopped(_)) => Kind::Unreachable,
            PublishFailure::Store(_) => Kind::Failed,
            PublishFailure::Busy => Kind::InUse,
        };
        Failure::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_the_help() {
        use Kind::*;
        for kind in [Failed, Configuration, InUse, Input, Unreachable, Refused] {
            let line = format!("\n  {}  ", kind.exit_code());
            assert!(EXIT_CODES.contains(&line), "{kind:?}");
        }
    }
}
