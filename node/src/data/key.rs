//! A peer's secret key.

use super::{
    folder::unused,
    private::{PrivateFileError, read_private, write_private},
};
use hamlet_overlay::{
    hash::{hex, unhex},
    identity::{Ed25519Signer, PeerId, Signer},
};
use std::{
    fmt,
    path::{Path, PathBuf},
};
use zeroize::{Zeroize, Zeroizing};

/// What a key file begins with, so that nobody takes it for something else.
const PREFIX: &str = "hamlet-secret-key-1:";

/// The secret of an Ed25519 key pair. It is never printed, and wiped from memory when it is dropped.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

/// A key that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The file is something else.
    #[error("{}: this is no secret key of hamlet; make one with `hamlet keygen`", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl SecretKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// If the system has none to give.
    pub fn generate() -> Result<SecretKey, KeyError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(SecretKey(secret))
    }

    /// The key with this secret.
    pub fn from_secret(secret: [u8; 32]) -> SecretKey {
        SecretKey(secret)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// If it cannot be read, others may read it too, or it holds no key.
    pub fn read(path: &Path) -> Result<SecretKey, KeyError> {
        let text = Zeroizing::new(read_private(path)?);
        text.trim()
            .strip_prefix(PREFIX)
            .and_then(unhex)
            .map(SecretKey)
            .ok_or_else(|| KeyError::NotAKey {
                path: path.to_owned(),
            })
    }

    /// Writes a key file that only its owner may read, and beside it a sign that the key has never been used. Never
    /// replaces a file.
    ///
    /// # Errors
    /// If it cannot be written or is there already.
    pub fn write(&self, path: &Path) -> Result<(), KeyError> {
        let secret = Zeroizing::new(hex(&self.0));
        let text = Zeroizing::new(format!("{PREFIX}{}\n", secret.as_str()));
        write_private(path, &text, false)?;
        let sign = "The key beside this file has never been used. The node removes this when it begins to.\n";
        Ok(write_private(&unused(path), sign, true)?)
    }

    /// The public key: who this is.
    pub fn id(&self) -> PeerId {
        Ed25519Signer::from_secret(&self.0).id()
    }

    /// The secret itself.
    pub fn secret(&self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret key of {}", self.id())
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_key_is_private_comes_back_and_is_never_printed_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = SecretKey::generate().unwrap();
        key.write(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(SecretKey::read(&path).unwrap().id(), key.id());
        assert!(SecretKey::generate().unwrap().write(&path).is_err());
        assert!(!format!("{key:?}").contains(&hex(&key.secret())));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        SecretKey::generate().unwrap().write(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = SecretKey::read(&path).unwrap_err().to_string();
        assert!(
            error.contains("chmod 600") && error.contains("640"),
            "{error}"
        );
    }

    #[test]
    fn other_files_are_no_keys() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("a", String::new()),
            ("b", hex(&[7; 32])),
            ("c", format!("{PREFIX}12")),
        ] {
            let path = folder.path().join(name);
            write_private(&path, &text, false).unwrap();
            let error = SecretKey::read(&path).unwrap_err().to_string();
            assert!(error.contains("hamlet keygen"), "{error}");
        }
    }
}
