//! How commands on this machine reach a running node: its address and a token, in a private file.

use crate::{
    data::{Folder, PrivateFileError, write_private},
    failure::{Failure, Kind},
};
use hamlet_overlay::hash::hex;
use serde::{Deserialize, Serialize};
use std::{fmt, fs, io, net::SocketAddr};

/// What writing to a node needs. Made anew at every start, and never printed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// A new token.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn generate() -> Result<Token, Failure> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| Failure::new(Kind::Failed, error))?;
        Ok(Token(hex(&bytes)))
    }

    /// The value of the header that carries it.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether a header carries it. Takes the same time wherever they differ.
    pub(super) fn is_in(&self, header: &[u8]) -> bool {
        let expected = self.header();
        let differences = expected
            .bytes()
            .zip(header)
            .fold(0, |differences, (a, b)| differences | (a ^ b));
        expected.len() == header.len() && differences == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token")
    }
}

/// How commands reach a running node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Access {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// What writing needs.
    pub(super) token: Token,
}

impl Access {
    /// To the node of this process.
    pub fn new(address: SocketAddr, token: Token) -> Access {
        Access { address, token }
    }

    /// Writes it where commands look for it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, folder: &Folder) -> Result<(), PrivateFileError> {
        let text = serde_json::to_string(self).unwrap_or_default();
        write_private(&folder.control(), &text, true)
    }

    /// Removes the file, at a clean end.
    pub fn remove(&self, folder: &Folder) {
        if let Err(error) = fs::remove_file(folder.control()) {
            tracing::warn!("{}: {error}", folder.control().display());
        }
    }

    /// Reads how the node of this folder is reached; `None` while it has not said so.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn read(folder: &Folder) -> Result<Option<Access>, Failure> {
        let text = match folder.read_control() {
            Ok(text) => text,
            Err(PrivateFileError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            let path = folder.control();
            let text = format!(
                "{}: {error}; start the node of this folder again",
                path.display()
            );
            Failure::new(Kind::Configuration, text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_private_new_every_time_and_never_printed() {
        let (one, other) = (Token::generate().unwrap(), Token::generate().unwrap());
        assert!(one.is_in(one.header().as_bytes()) && !one.is_in(other.header().as_bytes()));
        assert!(!one.is_in(b"") && !one.is_in(&one.header().as_bytes()[..70]));
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        assert!(Access::read(&folder).unwrap().is_none());
        let access = Access::new("127.0.0.1:1".parse().unwrap(), one.clone());
        access.write(&folder).unwrap();
        access.write(&folder).unwrap();
        let mode = fs::metadata(folder.control()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = Access::read(&folder).unwrap().unwrap();
        assert!(one.is_in(read.token.header().as_bytes()));
        assert!(!format!("{access:?}").contains(&one.0));
        access.remove(&folder);
        assert!(Access::read(&folder).unwrap().is_none());
    }
}
