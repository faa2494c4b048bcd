//! Tables from CSV with a header line, quoted as RFC 4180 has it.

use super::{
    DataError, MAX_BYTES, Table, listed, shown,
    table::{Column, Values},
};
use csv::{ReaderBuilder, StringRecord};
use std::{collections::BTreeMap, io::Read};

const MAX_COLUMNS: usize = 10_000;
const MAX_CELLS: usize = 1 << 29;
/// More different values than this are names or texts, not categories.
const MAX_CATEGORIES: usize = 1_000;

/// Reads a table; `source` names it in errors. Columns named in `categorical` hold categories though
/// they look like numbers; any other column holds numbers if its first cell is one.
///
/// # Errors
/// [`DataError`] with line and column: a cell that is empty or not a number where numbers were, lines
/// of different lengths, text that is not UTF-8, two columns of one name, too many categories.
pub fn read(source: &str, from: impl Read, categorical: &[String]) -> Result<Table, DataError> {
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .from_reader(from.take(MAX_BYTES));
    let header = reader
        .headers()
        .map_err(|error| csv_problem(source, &error))?
        .clone();
    let mut columns = open_columns(source, &header, categorical)?;
    let mut record = StringRecord::new();
    let mut lines = Vec::new();
    while reader
        .read_record(&mut record)
        .map_err(|error| csv_problem(source, &error))?
    {
        let line = record
            .position()
            .map_or(lines.len() as u64 + 2, |position| position.line());
        let wrong = |problem: String| DataError::new(source, problem).at_line(line);
        if record.len() != columns.len() {
            let (found, expected) = (record.len(), columns.len());
            return Err(wrong(format!(
                "{found} cells where the header names {expected}: add or remove cells, or quote those that hold a comma"
            )));
        }
        if lines.len() * columns.len() >= MAX_CELLS {
            return Err(wrong(format!(
                "more than {MAX_CELLS} cells: take a sample of the rows"
            )));
        }
        for (column, cell) in columns.iter_mut().zip(&record) {
            let name = &column.name;
            column
                .values
                .push(cell.trim())
                .map_err(|problem| wrong(problem).in_column(name))?;
        }
        lines.push(line);
    }
    if reader.into_inner().limit() == 0 {
        return Err(DataError::new(
            source,
            format!("longer than {MAX_BYTES} bytes: take a part of it"),
        ));
    }
    if lines.is_empty() {
        return Err(DataError::new(source, "no rows below the header"));
    }
    let columns = columns.into_iter().map(Open::close).collect();
    Ok(Table {
        source: source.to_owned(),
        columns,
        lines,
    })
}

fn open_columns(
    source: &str,
    header: &StringRecord,
    categorical: &[String],
) -> Result<Vec<Open>, DataError> {
    let names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    let wrong = |problem: String| DataError::new(source, problem).at_line(1);
    if names.len() > MAX_COLUMNS {
        return Err(wrong(format!(
            "more than {MAX_COLUMNS} columns: take LIBSVM for sparse rows"
        )));
    }
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
        return Err(wrong(format!(
            "two columns are called `{}`: rename one",
            shown(twice)
        )));
    }
    if let Some(missing) = categorical.iter().find(|name| !names.contains(name)) {
        let (missing, known) = (shown(missing), listed(&names));
        return Err(wrong(format!(
            "no column `{missing}` to read as categories; the columns are {known}"
        )));
    }
    let open = |name: String| {
        let values = match categorical.contains(&name) {
            true => Open::categories(),
            false => OpenValues::Unknown,
        };
        Open { name, values }
    };
    Ok(names.into_iter().map(open).collect())
}

/// A column that is being read.
struct Open {
    name: String,
    values: OpenValues,
}

enum OpenValues {
    /// No cell yet.
    Unknown,
    Numbers(Vec<f32>),
    /// Categories numbered as they appear.
    Categories {
        numbers: BTreeMap<String, u32>,
        values: Vec<u32>,
    },
}

impl OpenValues {
    fn push(&mut self, cell: &str) -> Result<(), String> {
        if cell.is_empty() || cell == "NA" {
            return Err("an empty cell: fill it in, or drop the row or the column".into());
        }
        let number = cell.parse::<f32>().ok().filter(|number| number.is_finite());
        if let OpenValues::Unknown = self {
            *self = match number {
                Some(_) => OpenValues::Numbers(Vec::new()),
                None => Open::categories(),
            };
        }
        match self {
            OpenValues::Unknown => {}
            OpenValues::Numbers(values) => match number {
                Some(number) => values.push(number),
                None => {
                    return Err(format!(
                        "`{}` is not a number, but the cells above are: correct it, or read the column as categories, --categorical",
                        shown(cell)
                    ));
                }
            },
            OpenValues::Categories { numbers, values } => {
                let next = numbers.len() as u32;
                let number = match numbers.get(cell) {
                    Some(number) => *number,
                    None if numbers.len() >= MAX_CATEGORIES => {
                        return Err(format!(
                            "more than {MAX_CATEGORIES} different values: take the column out of the file"
                        ));
                    }
                    None => *numbers.entry(cell.to_owned()).or_insert(next),
                };
                values.push(number);
            }
        }
        Ok(())
    }
}

impl Open {
    fn categories() -> OpenValues {
        OpenValues::Categories {
            numbers: BTreeMap::new(),
            values: Vec::new(),
        }
    }

    /// The finished column, categories renumbered in the order of their names.
    fn close(self) -> Column {
        let values = match self.values {
            OpenValues::Unknown => Values::Numbers(Vec::new()),
            OpenValues::Numbers(values) => Values::Numbers(values),
            OpenValues::Categories {
                numbers,
                mut values,
            } => {
                let mut place = vec![0; numbers.len()];
                (0..)
                    .zip(numbers.values())
                    .for_each(|(to, from)| place[*from as usize] = to);
                values
                    .iter_mut()
                    .for_each(|value| *value = place[*value as usize]);
                Values::Categories {
                    names: numbers.into_keys().collect(),
                    values,
                }
            }
        };
        Column {
            name: self.name,
            values,
        }
    }
}

fn csv_problem(source: &str, error: &csv::Error) -> DataError {
    let problem = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "not UTF-8 text: save the file as UTF-8".to_owned(),
        csv::ErrorKind::Io(error) => format!("cannot be read: {error}"),
        _ => error.to_string(),
    };
    let error_line = error.position().map(|position| position.line());
    let wrong = DataError::new(source, problem);
    match error_line {
        Some(line) => wrong.at_line(line),
        None => wrong,
    }
}

#[cfg(test)]
mod tests;
