//! Axes: where a value lies, and which values get a tick.

/// A linear or logarithmic axis over the values of a chart.
pub struct Axis {
    low: f64,
    high: f64,
    log: bool,
}

impl Axis {
    /// An axis that holds all these values; a logarithmic one leaves out those that are not positive.
    pub fn over(values: impl Iterator<Item = f64>, log: bool) -> Axis {
        let shown = values.filter(|value| value.is_finite() && (!log || *value > 0.0));
        let (mut low, mut high) =
            shown.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            (low, high) = (1.0, 10.0);
        }
        if low == high {
            (low, high) = if log {
                (low / 1.5, high * 1.5)
            } else {
                (low - 0.5, high + 0.5)
            };
        }
        Axis { low, high, log }
    }

    /// The same axis with a little room at both ends.
    pub fn with_room(mut self) -> Axis {
        if self.log {
            let room = (self.high / self.low).powf(0.06);
            (self.low, self.high) = (self.low / room, self.high * room);
        } else {
            let room = 0.06 * (self.high - self.low);
            // What is never negative gets no room below zero.
            let floor = if self.low >= 0.0 { 0.0 } else { f64::MIN };
            (self.low, self.high) = ((self.low - room).max(floor), self.high + room);
        }
        self
    }

    /// Where `value` lies, from 0 to 1; nothing for what cannot be shown.
    pub fn place(&self, value: f64) -> Option<f64> {
        if !value.is_finite() || (self.log && value <= 0.0) {
            return None;
        }
        Some(match self.log {
            true => (value / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        })
    }

    /// Round values at equal distances.
    fn even_ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|m| m * power)
            .into_iter()
            .find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let (first, last) = (
            (self.low / step).ceil() as i64,
            (self.high / step).floor() as i64,
        );
        (first..=last).map(|n| n as f64 * step).collect()
    }

    /// About four to eight round values of the axis.
    pub fn ticks(&self) -> Vec<f64> {
        if !self.log {
            return self.even_ticks();
        }
        let decades = (self.high / self.low).log10();
        let digits: &[f64] = match decades {
            d if d > 4.0 => &[1.0],
            d if d > 1.2 => &[1.0, 2.0, 5.0],
            d if d < 0.12 => return self.even_ticks(),
            d if d > 0.5 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
            _ => &[
                1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0,
            ],
        };
        let (first, last) = (
            self.low.log10().floor() as i32,
            self.high.log10().ceil() as i32,
        );
        (first..=last)
            .flat_map(|power| digits.iter().map(move |digit| digit * 10f64.powi(power)))
            .filter(|tick| (self.low..=self.high).contains(tick))
            .collect()
    }
}

/// A number as short as it can be said: 0.25, 1,500, 2M.
pub fn label(value: f64) -> String {
    let magnitude = value.abs();
    let (scaled, unit) = match magnitude {
        m if m >= 1e9 => (value / 1e9, "G"),
        m if m >= 1e6 => (value / 1e6, "M"),
        m if m >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let decimals = match scaled.abs() {
        s if s == 0.0 || s >= 100.0 => 0,
        s if s >= 1.0 => 2,
        // Cosines differ where they come near one.
        s if s >= 0.99 => 5,
        s if s >= 0.001 => 3,
        _ => return format!("{value:.1e}"),
    };
    let text = format!("{scaled:.decimals$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_within() {
        for (low, high) in [
            (0.08, 0.45),
            (1.0, 400.0),
            (0.3, 0.31),
            (1e-6, 1e6),
            (5.0, 9.0),
        ] {
            for log in [true, false] {
                let axis = Axis::over([low, high].into_iter(), log);
                let ticks = axis.ticks();
                assert!(ticks.len() <= 13, "{low} {high} {log}: {ticks:?}");
                assert!(ticks.iter().all(|tick| {
                    axis.place(*tick)
                        .is_some_and(|at| (-1e-9..=1.0 + 1e-9).contains(&at))
                }));
            }
        }
        assert!(Axis::over([0.08, 0.45].into_iter(), true).ticks().len() >= 4);
        assert!(Axis::over(std::iter::empty(), true).place(0.0).is_none());
    }

    #[test]
    fn labels_are_short() {
        for (value, text) in [
            (0.25, "0.25"),
            (400.0, "400"),
            (1500.0, "1500"),
            (2e6, "2M"),
            (0.096, "0.096"),
            (0.0, "0"),
            (15000.0, "15k"),
        ] {
            assert_eq!(label(value), text);
        }
    }
}
