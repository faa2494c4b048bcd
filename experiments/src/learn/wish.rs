//! Wishes of the form `name:key=value,key=value`.

use std::{error::Error, fmt::Display, str::FromStr};

/// A name with its settings.
pub struct Wish<'a> {
    option: &'static str,
    text: &'a str,
    /// What stands before the colon.
    pub name: &'a str,
    settings: Vec<(&'a str, &'a str)>,
}

impl<'a> Wish<'a> {
    /// Reads the value `text` of option `option`. A setting without `=` has an empty name.
    pub fn of(option: &'static str, text: &'a str) -> Wish<'a> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let settings = rest.split(',').filter(|setting| !setting.is_empty());
        let settings = settings.map(|setting| setting.split_once('=').unwrap_or(("", setting)));
        Wish {
            option,
            text,
            name,
            settings: settings.collect(),
        }
    }

    /// Takes the setting `key`, or else the first one without a name.
    ///
    /// # Errors
    /// When it is there and does not read as what is wanted.
    pub fn take<T: FromStr>(&mut self, key: &str, otherwise: T) -> Result<T, Box<dyn Error>> {
        let place = self.settings.iter().position(|setting| setting.0 == key);
        match place.or_else(|| {
            self.settings
                .iter()
                .position(|setting| setting.0.is_empty())
        }) {
            None => Ok(otherwise),
            Some(place) => {
                let (_, value) = self.settings.remove(place);
                value
                    .parse()
                    .map_err(|_| self.wrong(format!("`{value}` is not a fit {key}")))
            }
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When a setting is left that nobody took.
    pub fn done(self) -> Result<(), Box<dyn Error>> {
        match self.settings.first() {
            None => Ok(()),
            Some((key, value)) => {
                Err(self.wrong(format!("`{}` has no `{key}={value}`", self.name)))
            }
        }
    }

    /// An error that names option and text.
    pub fn wrong(&self, problem: impl Display) -> Box<dyn Error> {
        format!(
            "--{} {}: {problem}; see --help for what can be written",
            self.option, self.text
        )
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_taken_by_name_or_in_order() {
        let mut wish = Wish::of("tokens", "generalised:10,thrift=3");
        assert_eq!(wish.name, "generalised");
        assert_eq!(wish.take("thrift", 1).unwrap(), 3);
        assert_eq!(wish.take("capacity", 1).unwrap(), 10);
        assert_eq!(wish.take("other", 7).unwrap(), 7);
        wish.done().unwrap();
    }

    #[test]
    fn what_nobody_takes_is_an_error() {
        assert!(Wish::of("model", "pegasos:lamda=1").done().is_err());
        assert!(
            Wish::of("model", "pegasos:lambda=x")
                .take("lambda", 1.0)
                .is_err()
        );
    }
}
