//! Damage as networks, disks and attackers do it.

use rand_core::Rng;

/// The most that is changed in one input.
const CHANGES: usize = 6;
/// The longest input that comes of it, in bytes.
const BYTES_MAX: usize = 64 * 1024;
/// Bytes that mean something in one format or another.
const TELLING: &[u8] = b"\x00\x01\x7f\x80\xfb\xfc\xfd\xfe\xff\x47\n\r\"'<>&=:,#[]{}/.-+0919 ";

/// One of the samples with some damage.
pub fn damaged(samples: &[Vec<u8>], random: &mut impl Rng) -> Vec<u8> {
    let mut bytes = samples[below(random, samples.len())].clone();
    for _ in 0..=below(random, CHANGES) {
        damage(&mut bytes, samples, random);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn damage(bytes: &mut Vec<u8>, samples: &[Vec<u8>], random: &mut impl Rng) {
    let at = below(random, bytes.len() + 1);
    let end = at + below(random, (bytes.len() - at).min(64) + 1);
    match below(random, 8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        3 => {
            let other = &samples[below(random, samples.len())];
            let from = below(random, other.len() + 1);
            let to = from + below(random, other.len() - from + 1);
            bytes.splice(at..end, other[from..to].iter().copied());
        }
        4 => {
            let noise = (0..below(random, 9)).map(|_| random.next_u32() as u8);
            bytes.splice(at..at, noise);
        }
        5 => bytes.insert(at, TELLING[below(random, TELLING.len())]),
        6 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = TELLING[below(random, TELLING.len())];
            }
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << below(random, 8);
            }
        }
    }
}

fn below(random: &mut impl Rng, bound: usize) -> usize {
    (random.next_u64() % bound as u64) as usize
}
