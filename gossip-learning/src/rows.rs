//! Labelled rows in contiguous memory, and which peer owns which of them.

use serde::{Deserialize, Serialize};

/// What is learned from the labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Labels are −1 and +1; the error is the share of wrong signs.
    Binary,
    /// Labels are 0, 1, … `classes` − 1; the error is the share of wrong classes.
    MultiClass {
        /// The number of classes, at least three.
        classes: u32,
    },
    /// Labels are real; the error is the root of the mean squared difference.
    Regression,
}

/// One row's features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Row<'a> {
    /// Every feature, in order.
    Dense(&'a [f32]),
    /// The features that are not zero: ascending columns and their values, of equal length.
    Sparse {
        /// Columns, ascending, each below the matrix's number of features.
        columns: &'a [u32],
        /// The value of each of these columns.
        values: &'a [f32],
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Store {
    Dense(Vec<f32>),
    Sparse {
        ends: Vec<usize>,
        columns: Vec<u32>,
        values: Vec<f32>,
    },
}

/// A matrix of rows, dense row-major or sparse (CSR), with a label for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    features: usize,
    labels: Vec<f32>,
    store: Store,
}

impl Rows {
    /// An empty dense matrix of `features` columns.
    pub fn dense(features: usize) -> Rows {
        Rows {
            features,
            labels: Vec::new(),
            store: Store::Dense(Vec::new()),
        }
    }

    /// An empty sparse matrix of `features` columns.
    pub fn sparse(features: usize) -> Rows {
        let store = Store::Sparse {
            ends: Vec::new(),
            columns: Vec::new(),
            values: Vec::new(),
        };
        Rows {
            features,
            labels: Vec::new(),
            store,
        }
    }

    /// Appends a row. A dense row is taken by a sparse matrix and the other way round.
    ///
    /// # Panics
    /// When the row does not fit the number of features: parsers check before they push.
    pub fn push(&mut self, row: Row<'_>, label: f32) {
        match (&mut self.store, row) {
            (Store::Dense(matrix), Row::Dense(values)) => {
                assert_eq!(values.len(), self.features, "a dense row has every feature");
                matrix.extend_from_slice(values);
            }
            (Store::Dense(matrix), Row::Sparse { columns, values }) => {
                let start = matrix.len();
                matrix.resize(start + self.features, 0.0);
                for (column, value) in columns.iter().zip(values) {
                    matrix[start + *column as usize] = *value;
                }
            }
            (
                Store::Sparse {
                    ends,
                    columns,
                    values,
                },
                Row::Sparse {
                    columns: c,
                    values: v,
                },
            ) => {
                assert_eq!(c.len(), v.len(), "each column has a value");
                assert!(
                    c.iter().all(|c| (*c as usize) < self.features),
                    "columns in range"
                );
                columns.extend_from_slice(c);
                values.extend_from_slice(v);
                ends.push(columns.len());
            }
            (
                Store::Sparse {
                    ends,
                    columns,
                    values,
                },
                Row::Dense(row),
            ) => {
                assert_eq!(row.len(), self.features, "a dense row has every feature");
                for (column, value) in row.iter().enumerate().filter(|(_, v)| **v != 0.0) {
                    columns.push(column as u32);
                    values.push(*value);
                }
                ends.push(columns.len());
            }
        }
        self.labels.push(label);
    }

    /// The features of row `index`.
    ///
    /// # Panics
    /// When `index` is not below [`Rows::len`].
    #[inline]
    pub fn row(&self, index: usize) -> Row<'_> {
        match &self.store {
            Store::Dense(matrix) => {
                Row::Dense(&matrix[index * self.features..(index + 1) * self.features])
            }
            Store::Sparse {
                ends,
                columns,
                values,
            } => {
                let start = if index == 0 { 0 } else { ends[index - 1] };
                let range = start..ends[index];
                Row::Sparse {
                    columns: &columns[range.clone()],
                    values: &values[range],
                }
            }
        }
    }

    /// The label of row `index`.
    #[inline]
    pub fn label(&self, index: usize) -> f32 {
        self.labels[index]
    }

    /// All labels, in the order of the rows.
    pub fn labels(&self) -> &[f32] {
        &self.labels
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True when there is no row.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The number of columns.
    pub fn features(&self) -> usize {
        self.features
    }

    /// True when the matrix is sparse.
    pub fn is_sparse(&self) -> bool {
        matches!(self.store, Store::Sparse { .. })
    }

    /// Bytes that the matrix and its labels take.
    pub fn bytes(&self) -> usize {
        let store = match &self.store {
            Store::Dense(matrix) => 4 * matrix.len(),
            Store::Sparse { ends, columns, .. } => 8 * ends.len() + 8 * columns.len(),
        };
        store + 4 * self.labels.len()
    }
}

/// Rows to learn from and rows to judge by, with the community of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dataset {
    /// What is learned.
    pub task: Task,
    /// The name of each column, an intercept's among them.
    pub features: Vec<String>,
    /// Names of the classes in the order of their numbers; for a binary task −1's, then +1's;
    /// empty for regression.
    pub classes: Vec<String>,
    /// Names of the communities; one when the data has no communities.
    pub communities: Vec<String>,
    /// Rows that peers own.
    pub train: Rows,
    /// The community of each row of `train`.
    pub train_community: Vec<u32>,
    /// Rows that no peer owns.
    pub test: Rows,
    /// The community of each row of `test`.
    pub test_community: Vec<u32>,
}

/// Which peer owns which rows of [`Dataset::train`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Where the rows of each peer end in `rows`.
    ends: Vec<u32>,
    rows: Vec<u32>,
    /// The community of each peer.
    community: Vec<u32>,
}

impl Partition {
    /// A partition from each peer's rows and community.
    pub fn new(peers: impl IntoIterator<Item = (Vec<u32>, u32)>) -> Partition {
        let mut partition = Partition {
            ends: Vec::new(),
            rows: Vec::new(),
            community: Vec::new(),
        };
        for (rows, community) in peers {
            partition.rows.extend_from_slice(&rows);
            partition.ends.push(partition.rows.len() as u32);
            partition.community.push(community);
        }
        partition
    }

    /// The rows of `peer`.
    #[inline]
    pub fn rows(&self, peer: usize) -> &[u32] {
        let start = if peer == 0 { 0 } else { self.ends[peer - 1] };
        &self.rows[start as usize..self.ends[peer] as usize]
    }

    /// The community of `peer`.
    #[inline]
    pub fn community(&self, peer: usize) -> u32 {
        self.community[peer]
    }

    /// The number of peers.
    pub fn peers(&self) -> usize {
        self.ends.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_and_sparse_rows_are_taken_by_either_store() {
        let dense = Row::Dense(&[0.0, 2.0, 0.0]);
        let sparse = Row::Sparse {
            columns: &[1],
            values: &[2.0],
        };
        let mut full = Rows::dense(3);
        full.push(dense, 1.0);
        full.push(sparse, -1.0);
        assert_eq!(full.row(0), dense);
        assert_eq!(full.row(1), dense);
        let mut thin = Rows::sparse(3);
        thin.push(dense, 1.0);
        thin.push(sparse, -1.0);
        assert_eq!(thin.row(0), sparse);
        assert_eq!(thin.row(1), sparse);
        assert_eq!(thin.label(1), -1.0);
    }

    #[test]
    fn a_partition_gives_each_peer_its_rows() {
        let partition = Partition::new([(vec![2, 0], 0), (vec![], 1), (vec![1], 1)]);
        assert_eq!(partition.rows(0), [2, 0]);
        assert!(partition.rows(1).is_empty());
        assert_eq!(partition.rows(2), [1]);
        assert_eq!(partition.community(2), 1);
    }
}
