//! A table of named columns, and how a data set is made of it.

use super::{DataError, Encoder, labels::Labels, listed, shown, split};
use crate::{Dataset, Rows};
use serde::{Deserialize, Serialize};

/// The values of a column, one a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    /// Finite numbers.
    Numbers(Vec<f32>),
    /// Numbers of categories, whose names ascend.
    Categories {
        names: Vec<String>,
        values: Vec<u32>,
    },
}

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub name: String,
    pub values: Values,
}

/// The line that names the columns.
pub(super) const HEADER: u64 = 1;

/// A table as read from a file: columns of numbers and of categories.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub(super) source: String,
    pub(super) columns: Vec<Column>,
    /// The line of the file at which each row begins.
    pub(super) lines: Vec<u64>,
}

/// What to make of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The column to predict, or `log10(COLUMN)` of a positive number. Two different values make it a
    /// binary task, more categories a multi-class task, other numbers a regression.
    pub label: String,
    /// The column that names each row's community. It is not among the features.
    #[serde(default)]
    pub by: Option<String>,
    /// Columns to leave out.
    #[serde(default)]
    pub drop: Vec<String>,
    /// Whether features get mean 0 and variance 1 over the training rows.
    pub scaled: bool,
    /// Whether rows end with a column of ones.
    pub intercept: bool,
    /// The share of rows that is kept for testing, from 0 to 1.
    pub test_share: f64,
    /// The seed of the split.
    pub seed: u64,
}

impl Table {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// The line of the file at which the last row begins.
    pub fn last_line(&self) -> Option<u64> {
        self.lines.last().copied()
    }

    /// The names of the columns, in the file's order.
    pub fn column_names(&self) -> impl Iterator<Item = &String> {
        self.columns.iter().map(|column| &column.name)
    }

    pub(super) fn column(&self, name: &str, role: &str) -> Result<&Column, DataError> {
        (self.columns.iter().find(|column| column.name == name)).ok_or_else(|| {
            let known = listed(self.column_names());
            let problem = format!("no column `{name}` to take as {role}; the columns are {known}");
            DataError::new(&self.source, problem).at_line(HEADER)
        })
    }

    /// Splits the rows, fits the encoder to the training rows and encodes both parts.
    ///
    /// # Errors
    /// When a column that the recipe names is missing, a feature is constant over the training rows,
    /// the label has one value only, a community has no training row, or no rows are left to learn
    /// from or to judge by.
    pub fn prepare(&self, recipe: &Recipe) -> Result<(Dataset, Encoder), DataError> {
        let wrong = |problem: String| DataError::new(&self.source, problem);
        if !(0.0..1.0).contains(&recipe.test_share) {
            let problem = format!(
                "a test share of {} is not from 0 to below 1",
                recipe.test_share
            );
            return Err(wrong(problem));
        }
        let parts = split(self.rows(), recipe.test_share, recipe.seed);
        if parts.train.is_empty() {
            let problem = format!("{} rows leave none to learn from", self.rows());
            return Err(wrong(problem));
        }
        let labels = Labels::of(self, &recipe.label)?;
        let (communities, community) = self.communities(recipe)?;
        for name in &recipe.drop {
            self.column(name, "one to drop")?;
        }
        let spoken_for = |column: &&Column| {
            column.name != labels.column
                && Some(&column.name) != recipe.by.as_ref()
                && !recipe.drop.contains(&column.name)
        };
        let features: Vec<&Column> = self.columns.iter().filter(spoken_for).collect();
        if features.is_empty() {
            return Err(wrong("no column is left as a feature".into()));
        }
        let encoder = Encoder::fit(self, &features, &communities, &parts.train, recipe)?;
        let part = |rows: &[u32]| {
            let mut encoded = Rows::dense(encoder.names().len());
            let mut row = Vec::new();
            for index in rows {
                encoder.encode_row(&features, *index as usize, &mut row);
                encoded.push(crate::Row::Dense(&row), labels.values[*index as usize]);
            }
            let of_rows: Vec<u32> = rows.iter().map(|row| community[*row as usize]).collect();
            (encoded, of_rows)
        };
        let (train, train_community) = part(&parts.train);
        let (test, test_community) = part(&parts.test);
        let mut seen = vec![false; communities.len()];
        (train_community.iter()).for_each(|community| seen[*community as usize] = true);
        if let Some(empty) = seen.iter().position(|seen| !seen) {
            let problem = format!(
                "community `{}` has no training row: leave its rows out, or choose another seed",
                shown(&communities[empty])
            );
            let first = community.iter().position(|of| *of as usize == empty);
            let line = first.map_or(HEADER, |row| self.lines[row]);
            let column = recipe.by.as_deref().unwrap_or_default();
            return Err(wrong(problem).at_line(line).in_column(column));
        }
        let dataset = Dataset {
            task: labels.task,
            features: encoder.names(),
            classes: labels.classes,
            communities,
            train,
            train_community,
            test,
            test_community,
        };
        Ok((dataset, encoder))
    }

    /// The names of the communities, and that of each row.
    fn communities(&self, recipe: &Recipe) -> Result<(Vec<String>, Vec<u32>), DataError> {
        let Some(by) = &recipe.by else {
            return Ok((vec!["everybody".to_owned()], vec![0; self.rows()]));
        };
        let column = self.column(by, "community")?;
        match &column.values {
            Values::Categories { names, values } => Ok((names.clone(), values.clone())),
            Values::Numbers(_) => {
                let problem = "holds numbers, not names of communities: read it as categories";
                let wrong = DataError::new(&self.source, problem).at_line(HEADER);
                Err(wrong.in_column(by))
            }
        }
    }
}
