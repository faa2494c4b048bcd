//! What a peer does with a model that arrives.

use crate::model::{Learner, Model, part};
use serde::{Deserialize, Serialize};

/// The order of merging and learning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Walk {
    /// RW: learn from what arrives, merge nothing.
    Random,
    /// MU: merge, then learn.
    MergeUpdate,
    /// UM: learn on both, then merge.
    UpdateMerge,
}

/// What an arriving model is merged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partner {
    /// The model that arrived before it.
    LastReceived,
    /// The peer's own newest model.
    OwnNewest,
}

/// How much each of two merged models counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// Half and half.
    Mean,
    /// By age: a model that has seen twice the rows counts twice.
    Age,
    /// By age; but when the ages differ by more than `most`, the older model is kept as it is
    /// (limited merge: Danner and Jelasity 2018).
    Limited {
        /// The largest difference in age that is merged.
        most: u32,
    },
}

impl Weighting {
    /// How much `theirs` counts beside `ours`, from 0 to 1.
    #[inline]
    pub fn share(self, ours: u32, theirs: u32) -> f32 {
        let by_age = || match u64::from(ours) + u64::from(theirs) {
            0 => 0.5,
            sum => theirs as f32 / sum as f32,
        };
        match self {
            Weighting::Mean => 0.5,
            Weighting::Age => by_age(),
            Weighting::Limited { most } if ours.abs_diff(theirs) <= most => by_age(),
            Weighting::Limited { .. } => f32::from(u8::from(theirs > ours)),
        }
    }
}

/// A merging walk's particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merging {
    /// What is merged with.
    pub partner: Partner,
    /// How much each counts.
    pub weighting: Weighting,
}

/// The rule of a whole network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The order of merging and learning.
    pub walk: Walk,
    /// How models merge; a random walk has no use for it.
    pub merging: Merging,
}

impl Rule {
    /// Whether a peer keeps the model that arrived last.
    pub fn keeps_last(self) -> bool {
        self.walk != Walk::Random && self.merging.partner == Partner::LastReceived
    }

    /// Whether a peer needs room for a second model while it learns.
    pub fn needs_spare(self) -> bool {
        self.walk == Walk::UpdateMerge
    }
}

/// What one peer keeps for one kind of model: its newest, and the last that arrived where the rule
/// asks for it (else empty slices). One age per part.
pub struct Slot<'a> {
    /// The peer's newest model.
    pub newest: &'a mut [f32],
    /// Its age, by part.
    pub ages: &'a mut [u32],
    /// The model that arrived last.
    pub last: &'a mut [f32],
    /// Its age, by part.
    pub last_ages: &'a mut [u32],
}

/// A model that arrives: all of it, or one part.
#[derive(Clone, Copy, Debug)]
pub struct Arriving<'a> {
    /// The parameters of the part.
    pub weights: &'a [f32],
    /// The part's age.
    pub age: u32,
    /// Which part of how many; `(0, 1)` is the whole model.
    pub part: (usize, usize),
}

/// Takes an admitted model in: merges by `rule` and learns by `learn`, which is called with a model
/// and its ages and goes through the peer's own rows.
///
/// `spare` holds as many parameters as the model, if [`Rule::needs_spare`]; else it may be empty.
#[inline]
pub fn receive(
    rule: Rule,
    learner: &Learner,
    slot: Slot<'_>,
    arriving: Arriving<'_>,
    spare: &mut [f32],
    mut learn: impl FnMut(&mut [f32], &mut [u32]),
) {
    let (index, parts) = arriving.part;
    let range = part(slot.newest.len(), index, parts);
    let weighting = rule.merging.weighting;
    if rule.walk == Walk::UpdateMerge {
        let partner = match rule.merging.partner {
            Partner::LastReceived => (&*slot.last, slot.last_ages[0]),
            Partner::OwnNewest => (&*slot.newest, slot.ages[0]),
        };
        spare.copy_from_slice(partner.0);
        let (mut theirs, mut ours) = ([arriving.age], [partner.1]);
        slot.newest.copy_from_slice(arriving.weights);
        learn(slot.newest, &mut theirs);
        learn(spare, &mut ours);
        learner.merge(slot.newest, spare, weighting.share(theirs[0], ours[0]));
        slot.ages[0] = theirs[0].max(ours[0]);
    } else {
        let newest = &mut slot.newest[range.clone()];
        let age = &mut slot.ages[index];
        match (rule.walk, rule.merging.partner) {
            (Walk::Random, _) => {
                newest.copy_from_slice(arriving.weights);
                *age = arriving.age;
            }
            (_, Partner::OwnNewest) => {
                learner.merge(
                    newest,
                    arriving.weights,
                    weighting.share(*age, arriving.age),
                );
                *age = arriving.age.max(*age);
            }
            (_, Partner::LastReceived) => {
                let last_age = slot.last_ages[index];
                newest.copy_from_slice(arriving.weights);
                let share = weighting.share(arriving.age, last_age);
                learner.merge(newest, &slot.last[range.clone()], share);
                *age = arriving.age.max(last_age);
            }
        }
        learn(slot.newest, slot.ages);
    }
    if rule.keeps_last() {
        slot.last[range].copy_from_slice(arriving.weights);
        slot.last_ages[index] = arriving.age;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Task;
    use crate::model::{Loss, Step};

    fn run(walk: Walk, partner: Partner, weighting: Weighting) -> (f32, u32, f32) {
        let step = Step::Capped {
            most: 1.0,
            least: 0.0,
        };
        let learner = Learner::linear(Loss::Squared, 0.0, step, 1, Task::Regression);
        let rule = Rule {
            walk,
            merging: Merging { partner, weighting },
        };
        let (mut newest, mut ages, mut last, mut last_ages) = ([8.0], [1], [4.0], [6]);
        let slot = Slot {
            newest: &mut newest,
            ages: &mut ages,
            last: &mut last,
            last_ages: &mut last_ages,
        };
        let arriving = Arriving {
            weights: &[2.0],
            age: 2,
            part: (0, 1),
        };
        // Learning adds a hundred, so that it shows where it happened.
        receive(
            rule,
            &learner,
            slot,
            arriving,
            &mut [0.0],
            |weights, ages| {
                weights[0] += 100.0;
                ages[0] += 1;
            },
        );
        (newest[0], ages[0], last[0])
    }

    #[test]
    fn each_walk_does_what_its_name_says() {
        use Partner::{LastReceived, OwnNewest};
        use Weighting::{Age, Limited, Mean};
        assert_eq!(run(Walk::Random, LastReceived, Mean), (102.0, 3, 4.0));
        assert_eq!(run(Walk::MergeUpdate, LastReceived, Mean), (103.0, 7, 2.0));
        assert_eq!(run(Walk::MergeUpdate, OwnNewest, Mean), (105.0, 3, 4.0));
        assert_eq!(run(Walk::UpdateMerge, LastReceived, Mean), (103.0, 7, 2.0));
        assert_eq!(run(Walk::MergeUpdate, LastReceived, Age), (103.5, 7, 2.0));
        // Ages 2 and 6: within 4 they merge by age, beyond it the older stays alone.
        assert_eq!(
            run(Walk::MergeUpdate, LastReceived, Limited { most: 4 }),
            (103.5, 7, 2.0)
        );
        assert_eq!(
            run(Walk::MergeUpdate, LastReceived, Limited { most: 3 }),
            (104.0, 7, 2.0)
        );
    }
}
