//! What members put into the log for a beacon.

use hamlet_consensus::{
    beacon::{Contribution, Round, SecretKey},
    hash::Hash,
};

const MEMBERS: u8 = 3;
const FAULTS: usize = 1;

fn secret(member: u8) -> SecretKey {
    SecretKey::derive(&[member + 1; 32], Hash([1; 32]))
}

/// A round in which nobody has dealt, and one whose dealings are fixed.
fn rounds() -> [Round; 2] {
    let keys = (0..MEMBERS).map(|member| secret(member).key()).collect();
    let fresh = Round::new(Hash([2; 32]), keys, FAULTS).expect("a round of three");
    let mut fixed = fresh.clone();
    for member in 0..=FAULTS as u8 {
        let dealing = fixed.contribution(member, &secret(member));
        let taken = fixed.take(member, &dealing.expect("a dealing is due"));
        assert_eq!(taken, Ok(()));
    }
    [fresh, fixed]
}

/// A dealing and a share.
pub fn contributions() -> Vec<Vec<u8>> {
    let due = |round: &Round| round.contribution(2, &secret(2));
    let due = rounds().into_iter().filter_map(|round| due(&round));
    due.map(|contribution| contribution.encode()).collect()
}

/// A contribution is refused and changes nothing, or is what its member had to say.
pub fn contribution(bytes: &[u8]) {
    let Ok(read) = Contribution::decode(bytes) else {
        return;
    };
    assert_eq!(Contribution::decode(&read.encode()), Ok(read.clone()));
    for round in rounds() {
        for member in [0, 2, MEMBERS] {
            let mut after = round.clone();
            match after.take(member, &read) {
                // What proves anything can be made by its member alone, and in one way.
                Ok(()) => assert_eq!(
                    round.contribution(member, &secret(member)),
                    Some(read.clone())
                ),
                Err(_) => assert_eq!(after, round),
            }
        }
    }
}
