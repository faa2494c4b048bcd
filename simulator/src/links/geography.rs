//! Regions of the world, and how far they are from one another.

use super::latency::{MAX_MS, micros};
use crate::{
    random::{Purpose, Randomness},
    wrong::{self, Wrong},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops::RangeInclusive};

/// Regions, and the round trips between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// The names of the regions.
    pub regions: Vec<String>,
    /// A row for each region: the round trips to all of them, in milliseconds. The mean of both directions
    /// counts; within a region it is what the diagonal says.
    pub round_trip_ms: Vec<Vec<f64>>,
}

/// The regions of the matrix shipped.
const REGIONS: [&str; 10] = [
    "dallas",
    "toronto",
    "washington",
    "frankfurt",
    "london",
    "madrid",
    "osaka",
    "sydney",
    "tokyo",
    "sao_paulo",
];

/// Round trips between the regions of IBM Cloud in milliseconds, means of 27 July to 25 August 2024, as IBM
/// published them ("Network latency dashboards", documentation of IBM Cloud VPC). Within a region: 1.
const ROUND_TRIP_MS: [[f64; 10]; 10] = [
    [1., 34., 31., 123., 113., 119., 150., 186., 143., 146.],
    [34., 1., 19., 93., 82., 108., 168., 215., 162., 129.],
    [31., 19., 1., 91., 75., 87., 172., 214., 164., 118.],
    [123., 93., 91., 1., 13., 29., 232., 250., 233., 198.],
    [113., 83., 75., 13., 1., 27., 244., 261., 243., 188.],
    [122., 106., 88., 29., 27., 1., 257., 275., 258., 209.],
    [150., 169., 172., 231., 243., 257., 1., 122., 9., 293.],
    [186., 214., 214., 249., 261., 275., 122., 1., 115., 328.],
    [143., 162., 166., 233., 244., 256., 9., 115., 1., 284.],
    [144., 128., 119., 196., 187., 208., 291., 328., 283., 1.],
];

impl Matrix {
    /// Ten regions on five continents: the round trips measured between the data centres of IBM Cloud,
    /// 27 July to 25 August 2024.
    pub fn shipped() -> Matrix {
        Matrix {
            regions: REGIONS.map(str::to_owned).to_vec(),
            round_trip_ms: ROUND_TRIP_MS.map(Vec::from).to_vec(),
        }
    }

    pub(super) fn check(&self, at: &str) -> Result<(), Wrong> {
        let regions = self.regions.len();
        if regions == 0 || regions > 256 {
            let remedy = format!("{regions} regions: name from 1 to 256");
            return Err(Wrong::new(wrong::field(at, "regions"), remedy));
        }
        let field = wrong::field(at, "round_trip_ms");
        let square = self.round_trip_ms.len() == regions
            && self.round_trip_ms.iter().all(|row| row.len() == regions);
        if !square {
            let remedy = format!("give {regions} rows of {regions} numbers, as many as regions");
            return Err(Wrong::new(field, remedy));
        }
        let mut all = self.round_trip_ms.iter().flatten();
        all.try_for_each(|&ms| wrong::within(field.clone(), ms, 0.0, MAX_MS))
    }

    pub(super) fn check_shares(
        &self,
        at: &str,
        shares: &BTreeMap<String, f64>,
    ) -> Result<(), Wrong> {
        let at = wrong::field(at, "shares");
        for (name, &share) in shares {
            let field = wrong::field(&at, name);
            if !self.regions.contains(name) {
                let known = self.regions.join(", ");
                return Err(Wrong::new(
                    field,
                    format!("no such region: take of {known}"),
                ));
            }
            wrong::share(field, share)?;
        }
        match shares.is_empty() || shares.values().sum::<f64>() > 0.0 {
            true => Ok(()),
            false => Err(Wrong::new(
                at,
                "nobody lives anywhere: give a share above 0",
            )),
        }
    }
}

/// Where peers live.
#[derive(Clone, Debug)]
pub(super) struct Geography {
    /// The shares of the regions, summed up.
    bounds: Vec<f64>,
    /// One way between regions, row by row, in microseconds.
    between: Vec<u64>,
    access: RangeInclusive<u64>,
    places: Randomness,
}

impl Geography {
    pub fn new(
        seed: u64,
        matrix: &Matrix,
        shares: &BTreeMap<String, f64>,
        access_ms: RangeInclusive<f64>,
    ) -> Geography {
        let regions = matrix.regions.len();
        let share = |name: &String| match shares.is_empty() {
            true => 1.0,
            false => shares.get(name).copied().unwrap_or_default(),
        };
        let total: f64 = matrix.regions.iter().map(share).sum();
        let bounds = matrix.regions.iter().scan(0.0, |sum, name| {
            *sum += share(name) / total;
            Some(*sum)
        });
        let one_way = |place: usize| {
            let (row, column) = (place / regions, place % regions);
            let both = matrix.round_trip_ms[row][column] + matrix.round_trip_ms[column][row];
            micros(both / 4.0)
        };
        Geography {
            bounds: bounds.collect(),
            between: (0..regions * regions).map(one_way).collect(),
            access: micros(*access_ms.start())..=micros(*access_ms.end()),
            places: Randomness::new(seed, Purpose::Region),
        }
    }

    pub fn region(&self, peer: u32) -> usize {
        let drawn = self.places.unit([peer.into()]);
        let region = self.bounds.partition_point(|&bound| bound < drawn);
        region.min(self.bounds.len() - 1)
    }

    pub fn shortest_micros(&self) -> u64 {
        let least = self.between.iter().min().copied().unwrap_or_default();
        (least + 2 * self.access.start()).max(1)
    }

    pub fn micros(&self, one: u32, other: u32) -> u64 {
        let place = self.region(one) * self.bounds.len() + self.region(other);
        let access = |peer: u32| self.places.within([peer.into(), 1], &self.access);
        self.between[place] + access(one) + access(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_shipped_is_one() {
        let matrix = Matrix::shipped();
        matrix.check("matrix").unwrap();
        for (row, column) in (0..10).flat_map(|row| (0..10).map(move |column| (row, column))) {
            let there = matrix.round_trip_ms[row][column];
            let back = matrix.round_trip_ms[column][row];
            assert!((there - back).abs() <= 3.0, "{row} and {column}");
            assert_eq!(there == 1.0, row == column);
        }
    }

    #[test]
    fn peers_live_where_their_shares_say_and_are_as_far_apart() {
        let shares = [("london", 0.75), ("tokyo", 0.25)];
        let shares = shares.map(|(name, share)| (name.to_owned(), share)).into();
        let matrix = Matrix::shipped();
        matrix.check_shares("latency", &shares).unwrap();
        let geography = Geography::new(1, &matrix, &shares, 5.0..=10.0);
        let regions: Vec<usize> = (0..1000).map(|peer| geography.region(peer)).collect();
        let london = regions.iter().filter(|&&region| region == 4).count();
        let tokyo = regions.iter().filter(|&&region| region == 8).count();
        assert_eq!(london + tokyo, 1000);
        assert!((700..800).contains(&london), "{london}");
        let of = |wanted| regions.iter().position(|&region| region == wanted).unwrap() as u32;
        let far = geography.micros(of(4), of(8));
        assert!((131_000..=142_000).contains(&far), "{far}");
        assert_eq!(far, geography.micros(of(8), of(4)));
        let near = geography.micros(of(4), of(4));
        assert!((10_500..=20_500).contains(&near), "{near}");
        assert_eq!(geography.shortest_micros(), 10_500);
    }

    #[test]
    fn regions_that_are_not_there_are_refused() {
        let shares = [("atlantis".to_owned(), 1.0)].into();
        let error = Matrix::shipped().check_shares("links.latency", &shares);
        let error = error.unwrap_err();
        assert_eq!(error.field, "links.latency.shares.atlantis");
        assert!(error.remedy.contains("frankfurt"));
        let ragged = Matrix {
            regions: vec!["a".into(), "b".into()],
            round_trip_ms: vec![vec![1.0, 2.0], vec![2.0]],
        };
        assert!(ragged.check("m").is_err());
    }
}
