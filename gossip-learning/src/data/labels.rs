//! Labels: what kind of task a column makes, and its values as the models take them.

use super::{DataError, Table, table::Values};
use crate::Task;
use std::collections::BTreeMap;

/// The labels of all rows of a source.
#[derive(Debug)]
pub(super) struct Labels {
    /// The column that they came from.
    pub column: String,
    pub task: Task,
    pub classes: Vec<String>,
    pub values: Vec<f32>,
}

/// The most classes of one task.
const MAX_CLASSES: usize = 1000;

impl Labels {
    /// The labels that `wish` names: a column, or `log10(COLUMN)`.
    pub fn of(table: &Table, wish: &str) -> Result<Labels, DataError> {
        let inner = wish
            .strip_prefix("log10(")
            .and_then(|rest| rest.strip_suffix(')'));
        // A column may be called so.
        let inner = inner.filter(|_| table.column_names().all(|name| name != wish));
        let column = table.column(inner.unwrap_or(wish), "label")?;
        let wrong =
            |problem: String| DataError::new(&table.source, problem).in_column(&column.name);
        let (task, classes, values) = match (&column.values, inner) {
            (Values::Numbers(values), Some(_)) => {
                if let Some(row) = values.iter().position(|value| *value <= 0.0) {
                    let problem = format!("{} has no logarithm: drop the row", values[row]);
                    return Err(wrong(problem).at_line(table.lines[row]));
                }
                let values = values.iter().map(|value| value.log10()).collect();
                (Task::Regression, Vec::new(), values)
            }
            (Values::Categories { .. }, Some(_)) => {
                return Err(wrong("holds categories, which have no logarithm".into()));
            }
            (Values::Numbers(values), None) => numbers(values, false).map_err(&wrong)?,
            (Values::Categories { names, values }, None) => {
                let values = values.iter().map(|value| *value as f32).collect();
                classes(names.clone(), values).map_err(&wrong)?
            }
        };
        Ok(Labels {
            column: column.name.clone(),
            task,
            classes,
            values,
        })
    }
}

/// Labels that are numbers: two different ones make a binary task; whole ones make classes where
/// that is the custom; all others a regression.
pub(super) fn numbers(
    values: &[f32],
    whole_are_classes: bool,
) -> Result<(Task, Vec<String>, Vec<f32>), String> {
    let mut different: BTreeMap<i64, u32> = BTreeMap::new();
    for value in values {
        // Beyond f32's whole numbers no class is told from its neighbour.
        let whole = value.fract() == 0.0 && value.abs() < 16_777_216.0;
        if !whole || different.len() > MAX_CLASSES {
            return Ok((Task::Regression, Vec::new(), values.to_vec()));
        }
        different.insert(*value as i64, 0);
    }
    if different.len() > 2 && !whole_are_classes {
        return Ok((Task::Regression, Vec::new(), values.to_vec()));
    }
    let names = different.keys().map(i64::to_string).collect();
    (0..)
        .zip(different.values_mut())
        .for_each(|(number, place)| *place = number);
    let place = |value: &f32| different.get(&(*value as i64)).copied().unwrap_or(0) as f32;
    classes(names, values.iter().map(place).collect())
}

/// Labels that are numbers of classes.
fn classes(
    names: Vec<String>,
    mut values: Vec<f32>,
) -> Result<(Task, Vec<String>, Vec<f32>), String> {
    let task = match names.len() {
        0 | 1 => return Err("all rows have the same label: there is nothing to learn".into()),
        2 => {
            values
                .iter_mut()
                .for_each(|value| *value = 2.0 * *value - 1.0);
            Task::Binary
        }
        classes => Task::MultiClass {
            classes: classes as u32,
        },
    };
    Ok((task, names, values))
}
