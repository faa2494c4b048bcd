//! Data to learn from: tables from CSV, sparse rows from LIBSVM files, synthetic rows by the million;
//! split, scaled and dealt to peers.
//!
//! The way of a table: [`csv::read`] makes a [`Table`]; [`Table::prepare`] splits it, scales it by the
//! training rows alone and gives a [`Dataset`](crate::Dataset) with the [`Encoder`] that turns a
//! question into a row of the same kind; [`Dealing`] says which peer owns which rows. Where nobody knows all
//! rows, peers agree on the scaling instead: [`scale_by_gossip`].

mod agreement;
pub mod csv;
mod dealing;
mod encoder;
mod labels;
pub mod libsvm;
mod synthetic;
mod table;

pub use agreement::scale_by_gossip;
pub use dealing::Dealing;
pub use encoder::{Encoded, Encoder};
pub use synthetic::Synthetic;
pub use table::{Recipe, Table};

use crate::random;
use std::fmt;

/// The most bytes of one file, unpacked.
pub const MAX_BYTES: u64 = 4 << 30;

/// What is wrong with data, where, and what to do. Nothing was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataError {
    /// The file, or the description of synthetic data.
    pub source: String,
    /// The line of the file, counted from 1.
    pub line: Option<u64>,
    /// The column's name.
    pub column: Option<String>,
    /// What is wrong and the remedy.
    pub problem: String,
}

impl DataError {
    fn new(source: &str, problem: impl Into<String>) -> DataError {
        DataError {
            source: source.to_owned(),
            line: None,
            column: None,
            problem: problem.into(),
        }
    }

    fn at_line(mut self, line: u64) -> DataError {
        self.line = Some(line);
        self
    }

    fn in_column(mut self, column: &str) -> DataError {
        self.column = Some(shown(column));
        self
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.source)?;
        if let Some(line) = self.line {
            write!(to, ", line {line}")?;
        }
        if let Some(column) = &self.column {
            write!(to, ", column `{column}`")?;
        }
        write!(to, ": {}", self.problem)
    }
}

impl std::error::Error for DataError {}

/// Text from outside in an error: escaped, cut short.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    shown
}

/// Names for an error, the first ones if there are many.
fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<&String> = names.into_iter().take(31).collect();
    let mut text = names
        .iter()
        .take(30)
        .map(|name| shown(name))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > 30 {
        text.push_str(", …");
    }
    text
}

/// Rows to learn from and rows to judge by, each in random order.
struct Split {
    train: Vec<u32>,
    test: Vec<u32>,
}

/// Splits `rows` rows at random; the test rows are `test_share` of them, rounded up.
fn split(rows: usize, test_share: f64, seed: u64) -> Split {
    let mut train: Vec<u32> = (0..rows as u32).collect();
    random::shuffle(&mut random::stream(seed, 0x0073_706c_6974), &mut train);
    let test = ((rows as f64 * test_share).ceil() as usize).min(rows);
    let test = train.split_off(rows - test);
    Split { train, test }
}
