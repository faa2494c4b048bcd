//! Randomness that is a pure function of its place: of the seed, of what it is for, and of where it is used.
//!
//! Nothing is drawn from a shared sequence. So one more message on one link, or one more faulty peer, leaves
//! every other link's and peer's fortune as it was, and runs with and without a fault can be compared.

use std::ops::RangeInclusive;

/// What randomness is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Keys of peers.
    Key,
    /// The seeds of the peers' own random choices.
    Peer,
    /// The network's seed.
    Network,
    /// The secret of simulated signatures.
    Authority,
    /// Which peer is the source.
    Source,
    /// Which peers are Byzantine.
    Byzantine,
    /// Payloads of segments.
    Payload,
    /// The latency of a pair of peers.
    Latency,
    /// The jitter of a message.
    Jitter,
    /// The loss of a message.
    Loss,
    /// The region that a peer lives in.
    Region,
    /// What peers' lines carry.
    Upload,
    /// The same, towards them.
    Download,
    /// Whom a fault strikes.
    Targets,
    /// Faults of links.
    LinkFault,
    /// Who leaves when.
    Churn,
    /// Faults of machines.
    Machine,
    /// Everything in a torture of agreement.
    Torture,
    /// What a hunt for the worst adversaries tries.
    Hunt,
    /// Who is moved where, and when who learns of it.
    Moves,
    /// Where walks are asked for.
    Walks,
    /// Beacons that draw walks.
    Beacons,
    /// Whom newcomers know.
    Contacts,
}

/// The random numbers of one world that serve one purpose.
#[derive(Clone, Copy, Debug)]
pub struct Randomness {
    key: u64,
}

impl Randomness {
    /// The numbers of the world with this seed that serve this purpose.
    pub fn new(seed: u64, purpose: Purpose) -> Randomness {
        Randomness {
            key: scramble(scramble(seed).wrapping_add(purpose as u64 + 1)),
        }
    }

    /// The number at a place.
    pub fn at<const N: usize>(self, place: [u64; N]) -> u64 {
        place
            .into_iter()
            .fold(self.key, |state, word| scramble(state ^ scramble(word)))
    }

    /// The number at a place, within a range.
    pub fn within<const N: usize>(self, place: [u64; N], range: &RangeInclusive<u64>) -> u64 {
        let width = u128::from(range.end().saturating_sub(*range.start())) + 1;
        range.start() + ((u128::from(self.at(place)) * width) >> 64) as u64
    }

    /// The number at a place, as a fraction: above 0 and below 1.
    pub fn unit<const N: usize>(self, place: [u64; N]) -> f64 {
        fraction(self.at(place))
    }

    /// A normal deviate at a place: mean 0, standard deviation 1 (Box and Muller, Annals of Mathematical
    /// Statistics 29(2), 1958). The functions are `libm`'s, so that it is the same on every machine.
    pub fn normal<const N: usize>(self, place: [u64; N]) -> f64 {
        let first = self.at(place);
        let (radius, angle) = (fraction(first), fraction(scramble(first)));
        libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(std::f64::consts::TAU * angle)
    }

    /// 32 bytes at a place, hashed by BLAKE3: for keys and for seeds of generators.
    pub fn bytes(self, place: u64) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("hamlet simulator v1 bytes");
        hasher.update(&self.key.to_le_bytes());
        hasher.update(&place.to_le_bytes());
        *hasher.finalize().as_bytes()
    }
}

/// 52 bits of a word, and a half so that it is never 0 nor 1.
fn fraction(word: u64) -> f64 {
    ((word >> 12) as f64 + 0.5) / (1u64 << 52) as f64
}

/// Many words in one.
pub(crate) fn mix(words: impl IntoIterator<Item = u64>) -> u64 {
    words
        .into_iter()
        .fold(0, |state, word| scramble(state ^ word))
}

/// A bijection that spreads every bit over all (the output step of SplitMix64; Steele, Lea, Flood 2014).
pub(crate) fn scramble(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A probability, compared with random numbers without rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance(u64);

impl Chance {
    /// The probability `share`, taken into 0 to 1.
    pub fn new(share: f64) -> Chance {
        Chance((share.clamp(0.0, 1.0) * u64::MAX as f64) as u64)
    }

    /// Whether it never strikes.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether it always strikes.
    pub fn is_certain(self) -> bool {
        self.0 == u64::MAX
    }

    /// Whether it strikes on this random number.
    pub fn strikes(self, number: u64) -> bool {
        number < self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_even_and_independent() {
        let latency = Randomness::new(7, Purpose::Latency);
        let mut counts = [0u32; 10];
        for place in 0..10_000 {
            counts[latency.within([place, 3], &(0..=9)) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
        assert_ne!(latency.at([1, 2]), latency.at([2, 1]));
        assert_ne!(
            latency.at([1, 2]),
            Randomness::new(8, Purpose::Latency).at([1, 2])
        );
        assert_ne!(
            latency.at([1, 2]),
            Randomness::new(7, Purpose::Jitter).at([1, 2])
        );
    }

    #[test]
    fn normal_deviates_are_normal() {
        let dice = Randomness::new(1, Purpose::Latency);
        let drawn: Vec<f64> = (0..20_000).map(|place| dice.normal([place])).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let square = drawn.iter().map(|value| value * value).sum::<f64>() / 20_000.0;
        assert!(
            mean.abs() < 0.02 && (square - 1.0).abs() < 0.03,
            "{mean} {square}"
        );
        let beyond = drawn.iter().filter(|value| value.abs() > 2.0).count();
        assert!((800..1_020).contains(&beyond), "{beyond}");
    }

    #[test]
    fn chances_strike_as_often_as_they_say() {
        let loss = Randomness::new(1, Purpose::Loss);
        let struck = (0..10_000).filter(|&i| Chance::new(0.25).strikes(loss.at([i])));
        assert!((2300..2700).contains(&struck.count()));
        assert!(!Chance::new(0.0).strikes(0));
    }
}
