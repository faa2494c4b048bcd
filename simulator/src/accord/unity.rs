//! What all honest peers must come to alike: one log for a cluster, and one membership for an epoch of it.

use hamlet_overlay::{agreement::entry::Entry, identity::PeerId, view::Cluster};
use std::{
    collections::{BTreeMap, btree_map},
    sync::Arc,
};

/// Something that an honest peer holds to be so.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    /// An entry of a cluster's log.
    Entry(u64, Entry),
    /// The members of a cluster in an epoch, and their slots.
    Members(Arc<Cluster>),
}

/// What is known to be so.
#[derive(Default)]
pub(crate) struct Unity {
    /// Per cluster and number, the entry of the log.
    entries: BTreeMap<(u64, u64), Entry>,
    /// Per cluster and number, its epoch.
    epochs: BTreeMap<(u64, u64), Arc<Cluster>>,
}

impl Unity {
    /// Takes what a peer holds to be so. Whether that is new.
    ///
    /// # Errors
    /// If it contradicts what another holds: both.
    pub fn take(&mut self, by: PeerId, fact: &Fact) -> Result<bool, String> {
        match fact {
            Fact::Entry(cluster, entry) => {
                let place = (*cluster, entry.number);
                match self.entries.entry(place) {
                    btree_map::Entry::Vacant(vacant) => {
                        vacant.insert(entry.clone());
                        Ok(true)
                    }
                    btree_map::Entry::Occupied(known) if known.get() == entry => Ok(false),
                    btree_map::Entry::Occupied(known) => {
                        let known = known.get();
                        Err(format!(
                            "cluster {cluster}: {known:?}, and {entry:?} at {by:?}"
                        ))
                    }
                }
            }
            Fact::Members(cluster) => {
                let place = (cluster.id, cluster.epoch);
                let known = self.epochs.entry(place);
                let known = match known {
                    btree_map::Entry::Vacant(vacant) => {
                        vacant.insert(cluster.clone());
                        return Ok(true);
                    }
                    btree_map::Entry::Occupied(known) => known.into_mut(),
                };
                match Arc::ptr_eq(known, cluster) || known == cluster {
                    true => Ok(false),
                    false => Err(format!(
                        "epoch {} of cluster {}: {known:?}, and {cluster:?} at {by:?}",
                        cluster.epoch, cluster.id
                    )),
                }
            }
        }
    }

    /// The newest epoch of every cluster that anybody knows, in the order of their numbers.
    pub fn newest(&self) -> Vec<Arc<Cluster>> {
        let mut newest: BTreeMap<u64, &Arc<Cluster>> = BTreeMap::new();
        for (&(cluster, _), epoch) in &self.epochs {
            newest.insert(cluster, epoch);
        }
        newest.into_values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamlet_overlay::{agreement::entry::Act, hash::Hash};

    fn id(first: u8) -> PeerId {
        PeerId([first; 32])
    }

    fn entry(number: u64, by: u8) -> Fact {
        let act = Act::Lost { by: id(by) };
        let height = number;
        let entry = Entry {
            number,
            height,
            act,
        };
        Fact::Entry(7, entry)
    }

    fn epoch(number: u64, members: &[u8]) -> Fact {
        let members = members.iter().map(|member| id(*member)).collect();
        let dealt = Cluster::deal(7, number, members, Hash::default(), 8);
        Fact::Members(Arc::new(dealt))
    }

    #[test]
    fn nobody_may_hold_another_log_or_another_membership() {
        let mut unity = Unity::default();
        assert_eq!(unity.take(id(1), &entry(0, 1)), Ok(true));
        assert_eq!(unity.take(id(2), &entry(0, 1)), Ok(false));
        assert_eq!(unity.take(id(2), &entry(1, 2)), Ok(true));
        assert!(unity.take(id(3), &entry(0, 2)).is_err());
        assert_eq!(unity.take(id(1), &epoch(4, &[1, 2])), Ok(true));
        assert_eq!(unity.take(id(2), &epoch(4, &[2, 1])), Ok(false));
        assert_eq!(unity.take(id(2), &epoch(5, &[2])), Ok(true));
        assert!(unity.take(id(3), &epoch(4, &[1, 3])).is_err());
        assert_eq!(unity.newest().len(), 1);
        assert_eq!(unity.newest()[0].epoch, 5);
    }
}
