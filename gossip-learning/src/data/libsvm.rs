//! Sparse rows from LIBSVM files: `label index:value …`, indices from 1, ascending.

use super::{DataError, MAX_BYTES, labels, shown, split};
use crate::{Dataset, Row, Rows};
use std::io::{BufRead, BufReader, Read};

/// The highest index of a feature.
const MAX_FEATURES: u32 = 1 << 24;
/// The longest line, in bytes.
const MAX_LINE_BYTES: u64 = 16 << 20;
const MAX_VALUES: usize = 1 << 29;

/// Reads a data set; `source` names it in errors. Two different labels make a binary task, more whole
/// ones a multi-class task, others a regression. If `scaled`, each feature is divided by the root of
/// its mean square over the training rows: a mean subtracted would leave no zeros. A share `test_share`
/// of the rows, drawn with `seed`, is kept for testing. Features are the indices that occur, in their order, so
/// that a high index costs no more than a low one.
///
/// # Errors
/// [`DataError`] with the line that has no label, an index out of order or a value that is no number.
pub fn read(
    source: &str,
    from: impl Read,
    scaled: bool,
    test_share: f64,
    seed: u64,
) -> Result<Dataset, DataError> {
    let mut file = File::read(source, from)?;
    let indices = file.renumber();
    let wrong = |problem: String| DataError::new(source, problem);
    let (task, classes, values) = labels::numbers(&file.labels, true).map_err(wrong)?;
    let parts = split(values.len(), test_share, seed);
    if parts.train.is_empty() {
        return Err(wrong(format!(
            "{} rows leave none to learn from",
            values.len()
        )));
    }
    let features = indices.len();
    let mut factor = vec![1.0f32; features];
    if scaled {
        let mut squares = vec![0.0f64; features];
        for row in &parts.train {
            let (columns, values) = file.row(*row as usize);
            for (column, value) in columns.iter().zip(values) {
                squares[*column as usize] += f64::from(*value).powi(2);
            }
        }
        for (factor, squares) in factor.iter_mut().zip(squares) {
            let scale = (parts.train.len() as f64 / squares).sqrt() as f32;
            *factor = if scale.is_finite() { scale } else { 1.0 };
        }
    }
    let part = |rows: &[u32]| {
        let mut part = Rows::sparse(features);
        let mut scaled = Vec::new();
        for row in rows {
            let (columns, row_values) = file.row(*row as usize);
            scaled.clear();
            scaled.extend(
                columns
                    .iter()
                    .zip(row_values)
                    .map(|(c, v)| v * factor[*c as usize]),
            );
            part.push(
                Row::Sparse {
                    columns,
                    values: &scaled,
                },
                values[*row as usize],
            );
        }
        part
    };
    Ok(Dataset {
        task,
        features: indices.iter().map(u32::to_string).collect(),
        classes,
        communities: vec!["everybody".to_owned()],
        train: part(&parts.train),
        train_community: vec![0; parts.train.len()],
        test: part(&parts.test),
        test_community: vec![0; parts.test.len()],
    })
}

/// The numbers of a file as they stand there.
#[derive(Default)]
struct File {
    labels: Vec<f32>,
    ends: Vec<usize>,
    /// Indices as written, until they are renumbered.
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl File {
    fn read(source: &str, from: impl Read) -> Result<File, DataError> {
        let mut reader = BufReader::new(from.take(MAX_BYTES));
        let mut file = File::default();
        let mut text = Vec::new();
        for line in 1u64.. {
            text.clear();
            let wrong = |problem: String| DataError::new(source, problem).at_line(line);
            let read = reader
                .by_ref()
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut text);
            match read {
                Ok(0) => break,
                Ok(bytes) if bytes as u64 == MAX_LINE_BYTES => {
                    return Err(wrong(format!(
                        "longer than {MAX_LINE_BYTES} bytes: is this LIBSVM?"
                    )));
                }
                Ok(_) => {}
                Err(error) => return Err(wrong(format!("cannot be read: {error}"))),
            }
            let text = str::from_utf8(&text)
                .map_err(|_| wrong("not UTF-8 text: is this a LIBSVM file?".into()))?;
            file.push(text.split('#').next().unwrap_or(""))
                .map_err(wrong)?;
        }
        if file.labels.is_empty() {
            return Err(DataError::new(source, "no rows"));
        }
        Ok(file)
    }

    /// Takes in a line without its comment; a blank one is no row.
    fn push(&mut self, text: &str) -> Result<(), String> {
        let mut fields = text.split_ascii_whitespace();
        let Some(label) = fields.next() else {
            return Ok(());
        };
        let label =
            number(label).ok_or_else(|| format!("the label `{}` is not a number", shown(label)))?;
        let mut last = 0u32;
        for field in fields {
            let pair = field
                .split_once(':')
                .and_then(|(index, value)| Some((index.parse().ok()?, number(value)?)));
            let Some((index, value)) = pair else {
                return Err(format!("`{}` is not of the form index:value", shown(field)));
            };
            if index <= last || index > MAX_FEATURES {
                return Err(format!(
                    "index {index} after {last}: indices start at 1, ascend, and end at {MAX_FEATURES}"
                ));
            }
            if self.values.len() >= MAX_VALUES {
                return Err(format!(
                    "more than {MAX_VALUES} values: take a sample of the rows"
                ));
            }
            last = index;
            if value != 0.0 {
                self.columns.push(index);
                self.values.push(value);
            }
        }
        self.labels.push(label);
        self.ends.push(self.columns.len());
        Ok(())
    }

    /// Numbers the indices that occur from 0, without gaps, and returns them in their order.
    fn renumber(&mut self) -> Vec<u32> {
        let mut indices = self.columns.clone();
        indices.sort_unstable();
        indices.dedup();
        for column in &mut self.columns {
            *column = indices.partition_point(|index| index < column) as u32;
        }
        indices
    }

    fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        let range = start..self.ends[row];
        (&self.columns[range.clone()], &self.values[range])
    }
}

fn number(text: &str) -> Option<f32> {
    text.parse::<f32>().ok().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Task;
    use proptest::prelude::*;

    #[test]
    fn rows_and_labels_are_taken() {
        let text = "+1 1:2 3:4 # first\n\n-1 2:1\n+1\n";
        let data = read("f.svm", text.as_bytes(), false, 0.0, 1).unwrap();
        assert_eq!(data.task, Task::Binary);
        assert_eq!(data.classes, ["-1", "1"]);
        assert_eq!((data.train.len(), data.train.features()), (3, 3));
        let rows: Vec<_> = (0..3)
            .map(|row| (data.train.row(row), data.train.label(row)))
            .collect();
        assert!(rows.contains(&(
            Row::Sparse {
                columns: &[0, 2],
                values: &[2.0, 4.0]
            },
            1.0
        )));
        assert!(rows.contains(&(
            Row::Sparse {
                columns: &[1],
                values: &[1.0]
            },
            -1.0
        )));
        let scaled = read("f.svm", &b"1 1:3\n2 1:3\n3 1:3 2:0.5\n"[..], true, 0.0, 1).unwrap();
        assert_eq!(scaled.task, Task::MultiClass { classes: 3 });
        let first = |row| match scaled.train.row(row) {
            Row::Sparse { values, .. } => values[0],
            Row::Dense(values) => values[0],
        };
        assert!((0..3).all(|row| (first(row) - 1.0).abs() < 1e-6));
    }

    #[test]
    fn a_high_index_costs_no_more_than_a_low_one() {
        let text = "1 16777216:1\n-1 7:2 16777216:3\n1 9:1\n";
        let data = read("f.svm", text.as_bytes(), false, 0.0, 1).unwrap();
        assert_eq!(data.features, ["7", "9", "16777216"]);
        let both = (0..3).map(|row| data.train.row(row)).find(|row| {
            let columns = &[0, 2][..];
            matches!(row, Row::Sparse { columns: found, values } if *found == columns && **values == [2.0, 3.0])
        });
        assert!(both.is_some());
    }

    #[test]
    fn mistakes_name_the_line() {
        let problem = |text: &str| {
            read("f.svm", text.as_bytes(), false, 0.1, 1)
                .unwrap_err()
                .to_string()
        };
        assert!(problem("1 1:1\nspam 1:1\n").starts_with("f.svm, line 2: the label `spam`"));
        assert!(problem("1 2:1 1:1\n").starts_with("f.svm, line 1: index 1 after 2"));
        assert!(problem("1 0:1\n").contains("start at 1"));
        assert!(problem("1 1=1\n").contains("index:value"));
        assert!(problem("1 1:inf\n").contains("index:value"));
        assert!(problem("1 1:1\n1 1:2\n").contains("same label"));
        assert!(problem("\n").contains("no rows"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([0-9:. #+-]{0,20}\n){0,6}|\\PC{0,60}") {
            let _ = read("f.svm", text.as_bytes(), true, 0.3, 1);
        }
    }
}
