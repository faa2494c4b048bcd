//! A peer's card as text, to be handed to the operators of a cluster that is to take the peer in.

use hamlet_consensus::wire;
use hamlet_overlay::{agreement::card::Card, hash::Hash, identity::Ed25519Verifier};

/// What the text of a card begins with, so that nobody takes it for something else.
const PREFIX: &str = "hamlet-card-1:";
/// The longest text that is looked at, in bytes.
const MAX_TEXT_BYTES: usize = 4096;

/// A text that is no card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// It is something else.
    #[error(
        "this is no card of a peer; `hamlet member card` prints one, a line that begins with {PREFIX}"
    )]
    NotACard,
    /// It is not valid in this network.
    #[error(
        "this card is not signed by its peer for this network; make it from the folder of a peer of the same genesis"
    )]
    Invalid,
}

/// The text of a card.
pub fn to_text(card: &Card) -> String {
    let bytes = wire::encode(card);
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    format!("{PREFIX}{}", digits.collect::<String>())
}

/// The card of a text.
///
/// # Errors
/// If it is none, or not valid in this network.
pub fn parse(text: &str, network: Hash) -> Result<Card, CardError> {
    let digits = text
        .trim()
        .strip_prefix(PREFIX)
        .ok_or(CardError::NotACard)?;
    if digits.len() > MAX_TEXT_BYTES || !digits.is_ascii() || digits.len() % 2 != 0 {
        return Err(CardError::NotACard);
    }
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    let card: Card =
        wire::decode(&bytes.ok_or(CardError::NotACard)?).map_err(|_| CardError::NotACard)?;
    match card.is_valid(network, &Ed25519Verifier) {
        true => Ok(card),
        false => Err(CardError::Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamlet_consensus::beacon::SecretKey;
    use hamlet_overlay::identity::Ed25519Signer;
    use proptest::prelude::*;

    fn card() -> Card {
        let signer = Ed25519Signer::from_secret(&[1; 32]);
        let addresses = vec!["/ip4/10.0.0.1/udp/4711/quic-v1".to_owned()];
        let beacon = SecretKey::derive(&[1; 32], Hash([7; 32]));
        Card::sign(Hash([7; 32]), &signer, &beacon, addresses, 5)
    }

    #[test]
    fn a_card_comes_back_and_belongs_to_one_network() {
        let text = to_text(&card());
        assert_eq!(parse(&format!("{text}\n"), Hash([7; 32])), Ok(card()));
        assert_eq!(parse(&text, Hash([8; 32])), Err(CardError::Invalid));
        for text in [
            "",
            "hamlet-card-1:",
            "hamlet-card-1:0g",
            "hamlet-card-1:é",
            &text[1..],
        ] {
            assert_eq!(
                parse(text, Hash([7; 32])),
                Err(CardError::NotACard),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_parsed(text in ".{0,100}", at in 0usize..200, digit in "[0-9a-f]") {
            let _ = parse(&text, Hash([7; 32]));
            let mut damaged = to_text(&card());
            let at = at % damaged.len();
            damaged.replace_range(at..at + 1, &digit);
            if damaged != to_text(&card()) {
                prop_assert!(parse(&damaged, Hash([7; 32])).is_err());
            }
        }
    }
}
