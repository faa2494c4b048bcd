//! Made-up data of any size, whose best models are known: `synthetic:rows=1000000,features=16`.

use super::{DataError, split};
use crate::{
    Dataset, Row, Rows, Task,
    random::{below, normal, stream, unit},
    vector,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Rows of standard normal features; each community labels by a hyperplane of its own.
///
/// Community c's weights have the direction of `√(1 − apart²) · g + apart · o(c)` and length 1, with
/// random unit vectors g, common to all, and o(c) of its own. So `apart` 0 is one community under many names, 1 communities without anything in
/// common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Synthetic {
    /// Rows in all, test rows among them.
    pub rows: usize,
    /// Features, without an intercept.
    pub features: usize,
    /// Communities of equal chance.
    pub communities: usize,
    /// Binary: the share of labels turned round. Regression: the deviation of the noise on labels whose
    /// own deviation is 1.
    pub noise: f64,
    /// How far the communities' weights lie from the common ones, 0 to 1.
    pub apart: f64,
    /// Whether labels are −1 and +1 or real numbers.
    pub regression: bool,
}

const PREFIX: &str = "synthetic:";
const MAX_ROWS: usize = 1 << 26;
const MAX_CELLS: usize = 1 << 30;

impl Synthetic {
    /// Draws the data; the same seed gives the same rows.
    ///
    /// # Errors
    /// When a community gets no training row: more rows or fewer communities are needed.
    pub fn generate(&self, test_share: f64, seed: u64) -> Result<Dataset, DataError> {
        let mut rng = stream(seed, 0x0073_796e_7468);
        let mut direction = || {
            let drawn = (0..self.features).map(|_| normal(&mut rng) as f32);
            unit_length(drawn.collect())
        };
        let common = direction();
        let near = (1.0 - self.apart.powi(2)).sqrt() as f32;
        let weights: Vec<Vec<f32>> = (0..self.communities)
            .map(|_| {
                let both = common.iter().zip(direction());
                unit_length(
                    both.map(|(g, o)| near * g + self.apart as f32 * o)
                        .collect(),
                )
            })
            .collect();

        let parts = split(self.rows, test_share, seed);
        let mut part = |rows: usize| {
            let mut part = Rows::dense(self.features);
            let mut community_of = Vec::with_capacity(rows);
            let mut row = vec![0.0f32; self.features];
            for _ in 0..rows {
                let community = below(&mut rng, self.communities);
                row.iter_mut()
                    .for_each(|value| *value = normal(&mut rng) as f32);
                let score = vector::dot(&weights[community], &row);
                let label = if self.regression {
                    score + (self.noise * normal(&mut rng)) as f32
                } else if (score >= 0.0) == (unit(&mut rng) >= self.noise) {
                    1.0
                } else {
                    -1.0
                };
                part.push(Row::Dense(&row), label);
                community_of.push(community as u32);
            }
            (part, community_of)
        };
        let (train, train_community) = part(parts.train.len());
        let (test, test_community) = part(parts.test.len());
        let mut seen = vec![false; self.communities];
        train_community
            .iter()
            .for_each(|community| seen[*community as usize] = true);
        if let Some(empty) = seen.iter().position(|seen| !seen) {
            let problem = format!(
                "community {empty} has no training row: ask for more rows or fewer communities"
            );
            return Err(DataError::new(&self.to_string(), problem));
        }
        Ok(Dataset {
            task: if self.regression {
                Task::Regression
            } else {
                Task::Binary
            },
            features: (0..self.features)
                .map(|feature| format!("x{feature}"))
                .collect(),
            classes: if self.regression {
                vec![]
            } else {
                vec!["-1".into(), "1".into()]
            },
            communities: (0..self.communities)
                .map(|community| community.to_string())
                .collect(),
            train,
            train_community,
            test,
            test_community,
        })
    }
}

fn unit_length(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector::norm(&vector).max(f32::MIN_POSITIVE);
    vector.iter_mut().for_each(|entry| *entry /= length);
    vector
}

impl FromStr for Synthetic {
    type Err = DataError;

    /// `synthetic:key=value,…` with the keys `rows` (10000), `features` (10), `communities` (1), `noise`
    /// (.05), `apart` (.7) and `task` (`binary` or `regression`).
    fn from_str(text: &str) -> Result<Synthetic, DataError> {
        let wrong = |problem: String| DataError::new(&super::shown(text), problem);
        let options = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| wrong(format!("synthetic data is written `{PREFIX}key=value,…`")))?;
        let mut made = Synthetic {
            rows: 10_000,
            features: 10,
            communities: 1,
            noise: 0.05,
            apart: 0.7,
            regression: false,
        };
        for option in options
            .split(',')
            .filter(|option| !option.trim().is_empty())
        {
            let (key, value) = option
                .split_once('=')
                .ok_or_else(|| wrong(format!("`{option}` is not of the form key=value")))?;
            let (key, value) = (key.trim(), value.trim());
            let count = |most: usize| match value.replace('_', "").parse::<usize>() {
                Ok(count) if (1..=most).contains(&count) => Ok(count),
                _ => Err(wrong(format!(
                    "{key} is a number from 1 to {most}, not `{value}`"
                ))),
            };
            let real = |most: f64| match value.parse::<f64>() {
                Ok(real) if (0.0..=most).contains(&real) => Ok(real),
                _ => Err(wrong(format!(
                    "{key} is a number from 0 to {most}, not `{value}`"
                ))),
            };
            match key {
                "rows" => made.rows = count(MAX_ROWS)?,
                "features" => made.features = count(1 << 20)?,
                "communities" => made.communities = count(1 << 16)?,
                "noise" => made.noise = real(100.0)?,
                "apart" => made.apart = real(1.0)?,
                "task" if value == "binary" => made.regression = false,
                "task" if value == "regression" => made.regression = true,
                "task" => {
                    return Err(wrong(format!(
                        "task is binary or regression, not `{value}`"
                    )));
                }
                other => {
                    let keys = "rows, features, communities, noise, apart, task";
                    return Err(wrong(format!("no `{other}`; there are {keys}")));
                }
            }
        }
        if made.rows.saturating_mul(made.features) > MAX_CELLS {
            return Err(wrong(format!("rows × features is more than {MAX_CELLS}")));
        }
        if made.communities.saturating_mul(made.features) > MAX_CELLS {
            return Err(wrong(format!(
                "communities × features is more than {MAX_CELLS}"
            )));
        }
        if !made.regression && made.noise > 0.5 {
            return Err(wrong(
                "the noise of a binary task is a share of at most .5".into(),
            ));
        }
        Ok(made)
    }
}

impl fmt::Display for Synthetic {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = if self.regression {
            "regression"
        } else {
            "binary"
        };
        write!(
            to,
            "{PREFIX}rows={},features={},communities={},noise={},apart={},task={task}",
            self.rows, self.features, self.communities, self.noise, self.apart
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wish_is_met_and_repeats() {
        let made: Synthetic = "synthetic:rows=5_000,features=4,communities=3,noise=0.1"
            .parse()
            .unwrap();
        let data = made.generate(0.1, 4).unwrap();
        assert_eq!(
            (data.train.len(), data.test.len(), data.train.features()),
            (4500, 500, 4)
        );
        assert_eq!(data, made.generate(0.1, 4).unwrap());
        assert_ne!(data, made.generate(0.1, 5).unwrap());
        assert_eq!(made.to_string().parse::<Synthetic>().unwrap(), made);
        let positive = data
            .train
            .labels()
            .iter()
            .filter(|label| **label > 0.0)
            .count();
        assert!((2000..2500).contains(&positive), "{positive}");
    }

    #[test]
    fn regression_labels_have_signal_and_noise() {
        let made: Synthetic = "synthetic:rows=20000,features=8,noise=0.5,task=regression"
            .parse()
            .unwrap();
        let data = made.generate(0.1, 1).unwrap();
        let squares: f32 = data.train.labels().iter().map(|label| label * label).sum();
        assert!((squares / data.train.len() as f32 - 1.25).abs() < 0.1);
    }

    #[test]
    fn mistakes_name_the_remedy() {
        let problem = |text: &str| text.parse::<Synthetic>().unwrap_err().to_string();
        assert!(problem("synthetic:row=3").contains("there are rows, features"));
        assert!(problem("synthetic:rows=0").contains("from 1 to"));
        assert!(problem("synthetic:noise=.6").contains("at most .5"));
        assert!(problem("rows=3").contains("synthetic:key=value"));
        let few: Synthetic = "synthetic:rows=5,communities=9".parse().unwrap();
        assert!(
            few.generate(0.1, 1)
                .unwrap_err()
                .to_string()
                .contains("no training row")
        );
    }
}
