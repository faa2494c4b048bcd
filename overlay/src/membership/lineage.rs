//! The numbers of clusters, which tell what they split from.
//!
//! The founding clusters are numbered from 0. With every split a cluster comes to the next **generation**; the new one gets its number plus as many
//! as there would be clusters had all split so often before. So numbers are dealt out once, by nobody, and stay small; and from
//! a number follows the whole lineage (as in linear hashing: Litwin, VLDB 1980).

/// The highest generation: numbers stay far below those that a `u64` holds.
const MAX_GENERATION: u8 = 32;

/// The number of the cluster that splits from this one, if that may split once more.
pub fn child(founding: usize, number: u64, generation: u8) -> Option<u64> {
    let clusters = count(founding, generation);
    (generation < MAX_GENERATION && number < clusters).then(|| number + clusters)
}

/// How many clusters there are if all have come to this generation. As walks bring newcomers to all alike, they mostly have; and over all clusters
/// the reciprocals of this number sum up to one whatever has split, so that it is right on the average.
pub fn count(founding: usize, generation: u8) -> u64 {
    (founding as u64) << generation.min(MAX_GENERATION)
}

/// The cluster from which this one split; `None` for those of the founding, and for numbers that no cluster has.
pub fn parent(founding: usize, number: u64) -> Option<u64> {
    let born = |generation: &u8| count(founding, *generation) <= number;
    let generation = (0..MAX_GENERATION).take_while(born).last()?;
    let parent = number - count(founding, generation);
    (parent < count(founding, generation)).then_some(parent)
}

/// The clusters that lead to this one, each split from the one before: one of the founding first, itself last. Empty for a number
/// that no cluster has.
pub fn lineage(founding: usize, number: u64) -> Vec<u64> {
    let mut lineage: Vec<u64> =
        std::iter::successors(Some(number), |&number| parent(founding, number)).collect();
    lineage.reverse();
    let is_founding = |first: &u64| *first < founding as u64;
    if !lineage.first().is_some_and(is_founding) {
        lineage.clear();
    }
    lineage
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn whatever_splits_numbers_are_unique_and_tell_the_lineage() {
        for founding in [1, 3, 8] {
            let mut clusters: BTreeMap<u64, (u8, Vec<u64>)> = (0..founding as u64)
                .map(|number| (number, (0, vec![number])))
                .collect();
            let mut draw = 7u64;
            for _ in 0..500 {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let place = (draw >> 33) as usize % clusters.len();
                let (&old, (generation, line)) = clusters.iter_mut().nth(place).unwrap();
                let Some(new) = child(founding, old, *generation) else {
                    continue;
                };
                *generation += 1;
                let begun = (*generation, [&line[..], &[new]].concat());
                assert!(
                    clusters.insert(new, begun).is_none(),
                    "{new} is there twice"
                );
            }
            let mut share = 0.0;
            for (number, (generation, line)) in &clusters {
                assert_eq!(lineage(founding, *number), *line);
                share += 1.0 / count(founding, *generation) as f64;
            }
            assert!((share - 1.0).abs() < 1e-9, "{share}");
        }
    }

    #[test]
    fn what_no_cluster_has_has_no_lineage() {
        assert_eq!(lineage(1, 6), [0, 2, 6]);
        assert_eq!(lineage(3, 2), [2]);
        assert!(lineage(3, u64::MAX).is_empty());
        assert!(lineage(3, 3 << 40).is_empty());
        assert_eq!(child(1, 0, MAX_GENERATION), None);
    }
}
