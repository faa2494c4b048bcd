//! An invitation as text: what admits the owner of one key to one network.

use hamlet_overlay::{
    hash::{hex, unhex},
    identity::{PeerId, Signature},
    membership::admission::Credential,
};
use std::{fmt, str::FromStr};

/// What the text of an invitation begins with, so that nobody takes it for something else.
const PREFIX: &str = "hamlet-invitation-1:";
/// The bytes of a key and of a signature.
const BYTES: usize = 32 + 64;

/// An invitation: who invites, and its signature over network and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Who invites.
    pub by: PeerId,
    /// Its signature.
    pub signature: Signature,
}

impl From<Invitation> for Credential {
    fn from(Invitation { by, signature }: Invitation) -> Credential {
        Credential::Invitation { by, signature }
    }
}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}{}", hex(&self.by.0), hex(&self.signature.0))
    }
}

impl FromStr for Invitation {
    type Err = String;

    fn from_str(text: &str) -> Result<Invitation, String> {
        let digits = text.trim().strip_prefix(PREFIX);
        let bytes = digits.and_then(unhex::<BYTES>).ok_or_else(|| {
            format!(
                "this is no invitation; `hamlet invite KEY` prints one, a line that begins with {PREFIX}"
            )
        })?;
        let (mut by, mut signature) = ([0; 32], [0; 64]);
        by.copy_from_slice(&bytes[..32]);
        signature.copy_from_slice(&bytes[32..]);
        Ok(Invitation {
            by: PeerId(by),
            signature: Signature(signature),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_invitation_comes_back_as_it_was() {
        let invitation = Invitation {
            by: PeerId([3; 32]),
            signature: Signature([0xfe; 64]),
        };
        assert_eq!(invitation.to_string().parse(), Ok(invitation));
        let short = &invitation.to_string()[..200];
        assert!(
            short
                .parse::<Invitation>()
                .is_err_and(|error| error.contains("hamlet invite"))
        );
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".{0,300}", digits in "[0-9a-f]{0,220}") {
            let _ = text.parse::<Invitation>();
            let _ = format!("{PREFIX}{digits}").parse::<Invitation>();
        }
    }
}
