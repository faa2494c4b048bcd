//! From cells to features: one-hot categories, z-scores, an intercept.

use super::{
    DataError, Recipe, Table, listed, shown,
    table::{Column, HEADER, Values},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the column of ones.
const INTERCEPT: &str = "(intercept)";

/// Turns a table's cells, and later a question's, into features. Fitted to the training rows; part of
/// what a task's peers agree on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encoder {
    source: String,
    label: String,
    by: Option<By>,
    columns: Vec<Code>,
    intercept: bool,
}

/// The column that names communities, and their names in ascending order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct By {
    column: String,
    communities: Vec<String>,
}

/// One column of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Code {
    name: String,
    /// The names of the categories; none for a column of numbers.
    categories: Option<Vec<String>>,
    /// A feature is (value − mean) · factor: one per category, or one.
    scale: Vec<Scale>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Scale {
    mean: f32,
    factor: f32,
}

const UNSCALED: Scale = Scale {
    mean: 0.0,
    factor: 1.0,
};

/// A question as a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// The features, in the order of [`Encoder::names`].
    pub row: Vec<f32>,
    /// Columns that the question did not mention: the training rows' mean was taken.
    pub assumed: Vec<String>,
    /// The community that the question names, if it names one.
    pub community: Option<String>,
}

impl Encoder {
    pub(super) fn fit(
        table: &Table,
        features: &[&Column],
        communities: &[String],
        train: &[u32],
        recipe: &Recipe,
    ) -> Result<Encoder, DataError> {
        let mut columns = Vec::with_capacity(features.len());
        for column in features {
            let constant = || {
                let problem = format!(
                    "holds the same value in all training rows: leave it out, --without {}",
                    shown(&column.name)
                );
                let wrong = DataError::new(&table.source, problem).at_line(HEADER);
                wrong.in_column(&column.name)
            };
            let code = match &column.values {
                Values::Numbers(values) => {
                    let moments = Moments::of(train.iter().map(|row| values[*row as usize]));
                    let fitted = moments.scale().ok_or_else(constant)?;
                    (None, vec![if recipe.scaled { fitted } else { UNSCALED }])
                }
                Values::Categories { names, values } => {
                    let fitted: Vec<Option<Scale>> = (0..names.len() as u32)
                        .map(|category| {
                            let hits = train.iter().map(|row| values[*row as usize] == category);
                            Moments::of(hits.map(|hit| f32::from(u8::from(hit)))).scale()
                        })
                        .collect();
                    if fitted.iter().all(Option::is_none) {
                        return Err(constant());
                    }
                    // A category that only test rows have keeps its 0 or 1.
                    let scale = |fitted: Option<Scale>| fitted.filter(|_| recipe.scaled);
                    let scales = fitted
                        .into_iter()
                        .map(|fitted| scale(fitted).unwrap_or(UNSCALED));
                    (Some(names.clone()), scales.collect())
                }
            };
            columns.push(Code {
                name: column.name.clone(),
                categories: code.0,
                scale: code.1,
            });
        }
        Ok(Encoder {
            source: table.source.clone(),
            label: recipe.label.clone(),
            by: recipe.by.clone().map(|column| By {
                column,
                communities: communities.to_vec(),
            }),
            columns,
            intercept: recipe.intercept,
        })
    }

    /// The names of the features, in order: a column's name, or `column=category`.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for code in &self.columns {
            match &code.categories {
                None => names.push(code.name.clone()),
                Some(categories) => {
                    names.extend(categories.iter().map(|c| format!("{}={c}", code.name)));
                }
            }
        }
        names.extend(self.intercept.then(|| INTERCEPT.to_owned()));
        names
    }

    /// The label that the features predict, as the recipe wrote it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Takes other constants, one a feature, for those fitted to the training rows.
    pub(super) fn rescale(&mut self, scales: &[Scale]) {
        let own = self.columns.iter_mut().flat_map(|code| &mut code.scale);
        own.zip(scales).for_each(|(own, scale)| *own = *scale);
    }

    pub(super) fn encode_row(&self, features: &[&Column], row: usize, to: &mut Vec<f32>) {
        to.clear();
        for (code, column) in self.columns.iter().zip(features) {
            match &column.values {
                Values::Numbers(values) => code.number(values[row], to),
                Values::Categories { values, .. } => code.category(values[row], to),
            }
        }
        to.extend(self.intercept.then_some(1.0));
    }

    /// Encodes a question: names of columns with their cells. What it leaves out is taken as the mean
    /// of the training rows.
    ///
    /// # Errors
    /// A column that the task does not have, a cell that is not a number where numbers are, a category or a
    /// community that no row had; each names the file that the models were learned from, the line of its
    /// columns' names, and what is known.
    pub fn encode(&self, question: &BTreeMap<String, String>) -> Result<Encoded, DataError> {
        let wrong = |problem: String| DataError::new(&self.source, problem).at_line(HEADER);
        let known = |name: &String| {
            self.columns.iter().any(|code| code.name == *name)
                || self.by.as_ref().is_some_and(|by| by.column == *name)
        };
        if let Some(stranger) = question.keys().find(|name| !known(name)) {
            let names = listed(
                self.columns
                    .iter()
                    .map(|code| &code.name)
                    .chain(self.by.iter().map(|by| &by.column)),
            );
            let stranger = shown(stranger);
            return Err(wrong(format!(
                "no column `{stranger}` to ask about; ask about {names}"
            )));
        }
        let mut encoded = Encoded {
            row: Vec::new(),
            assumed: Vec::new(),
            community: None,
        };
        if let Some(By {
            column,
            communities,
        }) = &self.by
            && let Some(name) = question.get(column)
        {
            let name = name.trim();
            if !communities.iter().any(|known| known == name) {
                let (name, known) = (shown(name), listed(communities));
                let problem = format!("unknown community `{name}`; ask with one of {known}");
                return Err(wrong(problem).in_column(column));
            }
            encoded.community = Some(name.to_owned());
        }
        for code in &self.columns {
            let wrong = |problem: String| wrong(problem).in_column(&code.name);
            match (question.get(&code.name), &code.categories) {
                (None, _) => {
                    encoded.assumed.push(code.name.clone());
                    let mean = |scale: &Scale| {
                        if *scale == UNSCALED {
                            0.0
                        } else {
                            scale.of(scale.mean)
                        }
                    };
                    encoded.row.extend(code.scale.iter().map(mean));
                }
                (Some(cell), None) => match cell.trim().parse::<f32>() {
                    Ok(value) if value.is_finite() => code.number(value, &mut encoded.row),
                    _ => return Err(wrong(format!("`{}` is not a number", shown(cell)))),
                },
                (Some(cell), Some(names)) => {
                    let Ok(place) = names.binary_search_by(|name| name.as_str().cmp(cell.trim()))
                    else {
                        let (cell, names) = (shown(cell), listed(names));
                        return Err(wrong(format!(
                            "unknown category `{cell}`; ask with one of {names}"
                        )));
                    };
                    code.category(place as u32, &mut encoded.row);
                }
            }
        }
        encoded.row.extend(self.intercept.then_some(1.0));
        Ok(encoded)
    }
}

impl Code {
    fn number(&self, value: f32, to: &mut Vec<f32>) {
        to.extend(self.scale.first().map(|scale| scale.of(value)));
    }

    fn category(&self, category: u32, to: &mut Vec<f32>) {
        let value = |place: u32| f32::from(u8::from(place == category));
        to.extend(
            (0..)
                .zip(&self.scale)
                .map(|(place, scale)| scale.of(value(place))),
        );
    }
}

impl Scale {
    /// What gives mean 0 and deviation 1; nothing changes for a column that does not vary.
    pub(super) fn of_deviation(mean: f64, deviation: f64) -> Scale {
        let factor = deviation.recip() as f32;
        match factor.is_finite() {
            true => Scale {
                mean: mean as f32,
                factor,
            },
            false => UNSCALED,
        }
    }

    pub(super) fn of(&self, value: f32) -> f32 {
        (value - self.mean) * self.factor
    }
}

/// Mean and variance of a stream of numbers (Welford 1962).
#[derive(Clone, Copy, Default)]
pub(super) struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    pub fn of(values: impl Iterator<Item = f32>) -> Moments {
        values.fold(Moments::default(), |mut moments, value| {
            let value = f64::from(value);
            moments.count += 1.0;
            let off = value - moments.mean;
            moments.mean += off / moments.count;
            moments.squares += off * (value - moments.mean);
            moments
        })
    }

    /// What gives mean 0 and variance 1; nothing for a constant.
    fn scale(&self) -> Option<Scale> {
        let factor = (self.squares / self.count).sqrt().recip() as f32;
        (self.squares > 0.0 && factor.is_finite()).then_some(Scale {
            mean: self.mean as f32,
            factor,
        })
    }
}
