//! What a cluster assumes of its faulty members and of the network.

use serde::{Deserialize, Serialize};

/// Which fault model clusters agree under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultModel {
    /// Safe always, live when messages arrive in time; fewer than a third of a cluster faulty.
    PartialSynchrony,
    /// A known bound on delivery; fewer than half of a cluster faulty.
    Synchrony,
}

impl FaultModel {
    /// How many of this many members may be faulty.
    pub const fn faults(self, members: usize) -> usize {
        match self {
            FaultModel::PartialSynchrony => members.saturating_sub(1) / 3,
            FaultModel::Synchrony => members.saturating_sub(1) / 2,
        }
    }

    /// How many members' statements decide: any two quorums of partial synchrony share an honest member, and
    /// every quorum of synchrony has one.
    pub const fn quorum(self, members: usize) -> usize {
        match self {
            FaultModel::PartialSynchrony => (members + self.faults(members)) / 2 + 1,
            FaultModel::Synchrony => self.faults(members) + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FaultModel::{PartialSynchrony, Synchrony};

    #[test]
    fn quorums_meet_where_they_have_to_and_the_honest_suffice_for_one() {
        for members in 1..=64 {
            for model in [PartialSynchrony, Synchrony] {
                let (faults, quorum) = (model.faults(members), model.quorum(members));
                assert!(
                    members - faults >= quorum,
                    "{model:?} {members}: the honest suffice"
                );
                assert!(
                    quorum > faults,
                    "{model:?} {members}: an honest member in each"
                );
            }
            let (faults, quorum) = (
                PartialSynchrony.faults(members),
                PartialSynchrony.quorum(members),
            );
            assert!(
                2 * quorum > members + faults,
                "{members}: two quorums share an honest member"
            );
        }
        assert_eq!(
            [PartialSynchrony.quorum(4), PartialSynchrony.quorum(32)],
            [3, 22]
        );
        assert_eq!([Synchrony.quorum(4), Synchrony.quorum(32)], [2, 16]);
    }
}
