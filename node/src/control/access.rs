//! How commands on this machine reach a running node: its address and a token, in a private file.

use crate::{
    data::{Folder, PrivateFileError, read_private, write_private},
    failure::{Failure, Kind},
};
use axum::{
    Json,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use hamlet_overlay::hash::hex;
use serde::{Deserialize, Serialize};
use std::{
    fmt, fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// The shortest token that a person may choose.
const TOKEN_MIN: usize = 16;

/// What writing to a node needs, and everything on an address that is not a loopback one. As a rule made anew at every start, and never printed.
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

    /// The token that stays: that of the folder's `token` file, which is made if it is not there.
    ///
    /// # Errors
    /// If the file cannot be read or made, or is too short to be a secret.
    pub fn kept(folder: &Folder) -> Result<Token, Failure> {
        let path = folder.token();
        match read_private(&path) {
            Ok(text) => {
                let text = text.trim();
                let visible = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
                if text.len() < TOKEN_MIN || !visible {
                    let error = format!(
                        "{}: a token has at least {TOKEN_MIN} letters and digits; delete the file to have one made",
                        path.display()
                    );
                    return Err(Failure::new(Kind::Configuration, error));
                }
                Ok(Token(text.to_owned()))
            }
            Err(PrivateFileError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                let token = Token::generate()?;
                write_private(&path, &format!("{}\n", token.0), false)?;
                Ok(token)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The value of the header that carries it.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// What follows the `#` in the address of a page that may write: browsers keep it to themselves.
    pub fn fragment(&self) -> String {
        format!("token={}", self.0)
    }

    /// Whether a request carries the token; none does if there is none.
    pub fn is_carried(token: Option<&Token>, headers: &HeaderMap) -> bool {
        let header = headers.get(header::AUTHORIZATION);
        token
            .zip(header)
            .is_some_and(|(token, header)| token.is_in(header.as_bytes()))
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

/// The answer to a request that lacks the token; `why` says what it is needed for and where it is.
pub fn unauthorized(why: &str) -> Response {
    let failure = Failure::new(Kind::Refused, why);
    (StatusCode::UNAUTHORIZED, Json(failure)).into_response()
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
    /// To the node of this process that listens here.
    pub fn new(mut address: SocketAddr, token: Token) -> Access {
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
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

    #[test]
    fn a_kept_token_stays_and_may_be_chosen() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        let made = Token::kept(&folder).unwrap();
        assert_eq!(Token::kept(&folder).unwrap().0, made.0);
        let mode = fs::metadata(folder.token()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        write_private(&folder.token(), "chosenByAPerson16\n", true).unwrap();
        assert_eq!(Token::kept(&folder).unwrap().0, "chosenByAPerson16");
        write_private(&folder.token(), "short\n", true).unwrap();
        let error = Token::kept(&folder).unwrap_err();
        assert!(error.to_string().contains("at least 16"), "{error}");
    }

    #[test]
    fn who_listens_everywhere_is_reached_here() {
        let access = Access::new("0.0.0.0:7".parse().unwrap(), Token("t".into()));
        assert_eq!(access.address, "127.0.0.1:7".parse().unwrap());
    }
}
