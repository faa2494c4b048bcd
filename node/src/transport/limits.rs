//! The limit on open files, which sockets count against.

use super::TransportError;

/// Files that a process has open besides its links: logs, the data folder, players, the runtime's own.
const OTHERS: u64 = 128;
/// Files that one link can take: over TCP a socket, twice while both sides dial at once.
const PER_LINK: u64 = 2;

/// Raises the limit as far as the system lets us, and checks that it suffices for so many links in this
/// process.
///
/// # Errors
/// If it does not; the message says what to do.
pub fn require_files_for(links: usize) -> Result<(), TransportError> {
    let needed = OTHERS + PER_LINK * links as u64;
    // Some systems refuse to raise it but have a limit that is high enough anyway.
    let allowed =
        rlimit::increase_nofile_limit(u64::MAX).or_else(|_| rlimit::Resource::NOFILE.get_soft())?;
    if allowed < needed {
        return Err(TransportError::FileLimit {
            allowed,
            needed,
            links,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_links_are_an_error_that_names_the_remedy() {
        assert!(require_files_for(1).is_ok());
        let error = require_files_for(usize::MAX / 4).unwrap_err().to_string();
        assert!(error.contains("ulimit -n"), "{error}");
    }
}
