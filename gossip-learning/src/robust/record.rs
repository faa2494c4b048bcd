//! What the models that came over one link say of whoever sends them.
//!
//! One model says little of a sender, and one row judges it badly. But over the links of a graph the same few
//! senders come again and again, and a sender that passes a foreign community's models off as its own is off
//! in the same direction every time. So a peer keeps one number a link, the mean of how far the models over it lie
//! off its own one, along its own one, and lets nothing in over a link where that is much more than usual among its
//! links. The direction matters: in all directions together the noise of single rows drowns what communities
//! differ in. Reputation by likeness to what the others sent is Fung, Yoon and Beschastnikh's (2020, arXiv
//! 1808.04866) turned round, where honest models are alike; the measure and its numbers are our own.

use super::Scratch;
use crate::vector::{dot, norm};
use serde::{Deserialize, Serialize};

/// How many models the mean looks back on.
const MEMORY: u32 = 10;
/// How many times the median over the links is too much.
const REACH: f32 = 1.5;
/// The fewest links, among which something can stand out.
const LINKS: usize = 3;

/// The record of one link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The mean, over the last models, of how much longer they are than the own one along it.
    offset: f32,
    /// Models that came, up to [`MEMORY`].
    models: u32,
}

impl Record {
    /// Takes a model into the record.
    pub fn note(&mut self, arriving: &[f32], own: &[f32]) {
        let length = norm(own).max(f32::MIN_POSITIVE);
        let offset = dot(arriving, own) / length - length;
        self.models = (self.models + 1).min(MEMORY);
        self.offset += (offset - self.offset) / self.models as f32;
    }

    /// Whether this link stands out among all links of its peer. Links over which nothing came do not count, and
    /// among fewer than three nothing stands out.
    pub fn stands_out(self, links: &[Record], scratch: &mut Scratch) -> bool {
        let offsets = &mut scratch.column;
        offsets.clear();
        let known = links.iter().filter(|link| link.models > 0);
        offsets.extend(known.map(|link| link.offset.abs()));
        offsets.len() >= LINKS && self.offset.abs() > REACH * super::jury::median(offsets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;
    use proptest::prelude::*;

    const OWN: [f32; 4] = [0.1, -0.2, 0.0, 4.7];

    /// Records of links over which `models` models came: the own one, longer by `off`, under noise of deviation .1
    /// in every parameter.
    fn records(off: &[f32], models: usize) -> Vec<Record> {
        let mut rng = random::stream(3, 1);
        let record = |off: &f32| {
            let mut record = Record::default();
            for _ in 0..models {
                let longer = 1.0 + off / norm(&OWN);
                let noisy = OWN.map(|w| longer * w + 0.1 * random::normal(&mut rng) as f32);
                record.note(&noisy, &OWN);
            }
            record
        };
        off.iter().map(record).collect()
    }

    fn standing_out(records: &[Record]) -> Vec<usize> {
        let mut scratch = Scratch::default();
        let stands_out = |place: &usize| records[*place].stands_out(records, &mut scratch);
        (0..records.len()).filter(stands_out).collect()
    }

    #[test]
    fn who_is_off_every_time_stands_out_though_no_single_model_does() {
        // Single models differ by .1, the foreign ones by as much in the mean.
        let links = [0.0, 0.0, 0.12, 0.0, 0.0, -0.12, 0.0, 0.0, 0.0];
        let found = standing_out(&records(&links, 200));
        assert!(found.contains(&2) && found.contains(&5), "{found:?}");
        assert!(found.len() <= 5, "{found:?}");
    }

    #[test]
    fn nothing_stands_out_among_two_or_among_equals() {
        assert!(standing_out(&records(&[0.0, 3.0], 9)).is_empty());
        let mut equal = vec![Record::default(); 7];
        equal.iter_mut().for_each(|link| link.note(&OWN, &OWN));
        assert!(standing_out(&equal).is_empty());
        // Links over which nothing came say nothing.
        equal[0].note(&[0.0; 4], &OWN);
        equal[2..].fill(Record::default());
        assert!(standing_out(&equal).is_empty());
    }

    #[test]
    fn a_record_forgets() {
        let mut links = records(&[0.0, 0.0, 0.0, 0.0, 9.0], 200);
        assert!(standing_out(&links).contains(&4));
        let honest = [links[0]; 4];
        (0..200).for_each(|_| links[4].note(&OWN, &OWN));
        let among = [&honest[..], &links[4..]].concat();
        assert!(!standing_out(&among).contains(&4));
    }

    proptest! {
        #[test]
        fn no_input_panics(models in prop::collection::vec(prop::array::uniform3(any::<f32>()), 0..9)) {
            let mut links = vec![Record::default(); 4];
            for (place, model) in models.iter().enumerate() {
                links[place % 4].note(model, &[1.0, 2.0, 3.0]);
                links[place % 4].note(&[1.0, 2.0, 3.0], model);
            }
            let _ = standing_out(&links);
        }
    }
}
