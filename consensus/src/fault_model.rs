//! What a cluster assumes of its faulty members and of the network.

use serde::{Deserialize, Serialize};
use std::time::Duration;

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

    /// How many members' statements decide: any two quorums of partial synchrony share an honest member; one of
    /// synchrony has an honest member, and more than half of all, so that a partition alone never lets two sides decide.
    pub const fn quorum(self, members: usize) -> usize {
        match self {
            FaultModel::PartialSynchrony => (members + self.faults(members)) / 2 + 1,
            FaultModel::Synchrony => members / 2 + 1,
        }
    }
}

/// A fault model with what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// Delays are bounded.
    Synchrony {
        /// Δ: what an honest member says, every honest member that is up has acted on after this time, by any
        /// honest member's clock. Whole milliseconds.
        #[serde(rename = "bound_ms", with = "milliseconds")]
        bound: Duration,
    },
    /// Nothing is known about delays.
    PartialSynchrony,
}

impl Model {
    /// Which fault model it is.
    pub const fn kind(self) -> FaultModel {
        match self {
            Model::PartialSynchrony => FaultModel::PartialSynchrony,
            Model::Synchrony { .. } => FaultModel::Synchrony,
        }
    }

    /// Δ, if delays are bounded.
    pub const fn bound(self) -> Option<Duration> {
        match self {
            Model::PartialSynchrony => None,
            Model::Synchrony { bound } => Some(bound),
        }
    }

    /// How many of this many members' first votes say more than a notarization. Under partial synchrony all: then
    /// nothing else can be certified. Under synchrony so many that two such sets share an honest member, whatever
    /// delays do: for an odd number of members, more than three quarters of them.
    pub const fn strong(self, members: usize) -> usize {
        match self {
            Model::PartialSynchrony => members,
            Model::Synchrony { .. } => (members + self.kind().faults(members)) / 2 + 1,
        }
    }
}

/// A duration as a number of milliseconds.
mod milliseconds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(bound: &Duration, to: S) -> Result<S::Ok, S::Error> {
        u64::try_from(bound.as_millis())
            .unwrap_or(u64::MAX)
            .serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        FaultModel::{PartialSynchrony, Synchrony},
        Model,
    };
    use std::time::Duration;

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
        assert_eq!([Synchrony.quorum(4), Synchrony.quorum(32)], [3, 17]);
    }

    #[test]
    fn strong_quorums_share_an_honest_member_and_half_of_all_are_more_than_a_partition_has() {
        let bound = Duration::from_secs(1);
        for members in 1..=64 {
            let (faults, strong) = (
                Synchrony.faults(members),
                Model::Synchrony { bound }.strong(members),
            );
            assert!(2 * strong > members + faults && strong <= members);
            assert!(strong >= Synchrony.quorum(members));
            assert!(2 * Synchrony.quorum(members) > members);
            assert_eq!(Model::PartialSynchrony.strong(members), members);
        }
        assert_eq!(Model::Synchrony { bound }.strong(31), 24);
    }
}
