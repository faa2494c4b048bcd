//! Dealing rows to peers.

use super::DataError;
use crate::{
    Dataset, Partition,
    random::{below, normal, shuffle, stream, unit},
};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BinaryHeap},
    fmt,
    str::FromStr,
};

/// How the training rows are dealt to peers. Every peer gets at least one row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Dealing {
    /// `one`: one row each; rows beyond the number of peers belong to nobody.
    One,
    /// `even`: all rows, at random, as equally as can be.
    Even,
    /// `community`: peers belong to one community each, in proportion to its rows, and share its rows
    /// equally.
    Community,
    /// `dirichlet:ALPHA`: label skew. Each label's rows are spread over the peers by shares drawn from a
    /// Dirichlet distribution; small α means that a peer sees few labels (Hsu, Qi, Brown 2019).
    Dirichlet(f64),
}

/// Labels of a regression are skewed by tenths of their distribution.
const QUANTILES: usize = 10;

impl Dealing {
    /// Deals the rows of `data.train` to `peers` peers, or to one peer a row. A peer belongs to the
    /// community that most of its rows have.
    ///
    /// # Errors
    /// When there are more peers than rows, or fewer peers than communities where each peer has one. Rows know no
    /// file: whoever read it adds its name and last line.
    pub fn deal(
        self,
        data: &Dataset,
        peers: Option<usize>,
        seed: u64,
    ) -> Result<Partition, DataError> {
        let rows = data.train.len();
        let peers = peers.unwrap_or(rows);
        let wrong = |problem: String| DataError::new("peers", problem);
        if peers == 0 || peers > rows {
            return Err(wrong(format!(
                "{peers} peers cannot share the {rows} rows to learn from with one at least for each: ask for 1 to {rows} peers, or bring more rows"
            )));
        }
        let rng = &mut stream(seed, 0x6465_616c);
        let hands = match self {
            // The rows of a data set lie in random order already.
            Dealing::One => (0..peers as u32).map(|row| vec![row]).collect(),
            Dealing::Even => round_robin(0..rows as u32, peers),
            Dealing::Community => by_community(data, peers).map_err(wrong)?,
            Dealing::Dirichlet(alpha) => dirichlet(data, peers, alpha, rng),
        };
        Ok(Partition::new(hands.into_iter().map(|hand| {
            let community =
                most_frequent(hand.iter().map(|row| data.train_community[*row as usize]));
            (hand, community)
        })))
    }
}

fn round_robin(rows: impl IntoIterator<Item = u32>, peers: usize) -> Vec<Vec<u32>> {
    let mut hands = vec![Vec::new(); peers];
    for (turn, row) in rows.into_iter().enumerate() {
        hands[turn % peers].push(row);
    }
    hands
}

fn by_community(data: &Dataset, peers: usize) -> Result<Vec<Vec<u32>>, String> {
    let mut rows = vec![Vec::new(); data.communities.len()];
    for (row, community) in (0u32..).zip(&data.train_community) {
        rows[*community as usize].push(row);
    }
    rows.retain(|rows| !rows.is_empty());
    if peers < rows.len() {
        return Err(format!(
            "{peers} peers are fewer than the {} communities: ask for more peers",
            rows.len()
        ));
    }
    // One peer each, the rest by largest remaining quotient (D'Hondt), never more peers than rows.
    let mut seats = vec![1usize; rows.len()];
    for _ in rows.len()..peers {
        let quotient = |place: &usize| {
            let fits = seats[*place] < rows[*place].len();
            if fits {
                rows[*place].len() as f64 / (seats[*place] + 1) as f64
            } else {
                0.0
            }
        };
        let next = (0..rows.len())
            .rev()
            .max_by(|a, b| quotient(a).total_cmp(&quotient(b)));
        next.into_iter().for_each(|place| seats[place] += 1);
    }
    Ok(rows
        .into_iter()
        .zip(seats)
        .flat_map(|(rows, peers)| round_robin(rows, peers))
        .collect())
}

fn dirichlet(data: &Dataset, peers: usize, alpha: f64, rng: &mut ChaCha8Rng) -> Vec<Vec<u32>> {
    let mut hands = vec![Vec::new(); peers];
    for mut rows in by_label(data) {
        shuffle(rng, &mut rows);
        let shares: Vec<f64> = (0..peers).map(|_| gamma(rng, alpha)).collect();
        let total: f64 = shares.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let (mut sum, mut start) = (0.0, 0);
        for (hand, share) in hands.iter_mut().zip(&shares) {
            sum += share;
            let end = ((sum / total * rows.len() as f64).round() as usize).clamp(start, rows.len());
            hand.extend_from_slice(&rows[start..end]);
            start = end;
        }
        hands[peers - 1].extend_from_slice(&rows[start..]);
    }
    // Nobody stays without a row: the richest gives.
    let mut rich: BinaryHeap<(usize, usize)> = hands
        .iter()
        .enumerate()
        .map(|(peer, hand)| (hand.len(), peer))
        .collect();
    for poor in 0..peers {
        if hands[poor].is_empty()
            && let Some((count, giver)) = rich.pop()
        {
            let place = below(rng, hands[giver].len());
            let row = hands[giver].swap_remove(place);
            hands[poor].push(row);
            rich.push((count - 1, giver));
        }
    }
    hands
}

/// The rows of each label; those of a regression by tenths.
fn by_label(data: &Dataset) -> Vec<Vec<u32>> {
    let labels = data.train.labels();
    let mut rows: Vec<u32> = (0..labels.len() as u32).collect();
    rows.sort_by(|a, b| labels[*a as usize].total_cmp(&labels[*b as usize]));
    if data.task == crate::Task::Regression {
        let size = labels.len().div_ceil(QUANTILES).max(1);
        return rows.chunks(size).map(<[u32]>::to_vec).collect();
    }
    rows.chunk_by(|a, b| labels[*a as usize] == labels[*b as usize])
        .map(<[u32]>::to_vec)
        .collect()
}

/// A draw from the gamma distribution of shape `alpha` (Marsaglia and Tsang 2000).
fn gamma(rng: &mut ChaCha8Rng, alpha: f64) -> f64 {
    if alpha < 1.0 {
        let boost = (1.0 - unit(rng)).powf(1.0 / alpha);
        return gamma(rng, alpha + 1.0) * boost;
    }
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && (1.0 - unit(rng)).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

/// The most frequent value, the smallest of several; 0 of none.
fn most_frequent(values: impl Iterator<Item = u32>) -> u32 {
    let mut counts = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_insert(0usize) += 1);
    let most = counts.iter().rev().max_by_key(|(_, count)| **count);
    most.map_or(0, |(value, _)| *value)
}

impl FromStr for Dealing {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Dealing, DataError> {
        let wrong = |problem: &str| DataError::new(&super::shown(text), problem);
        match text.split_once(':') {
            None if text == "one" => Ok(Dealing::One),
            None if text == "even" => Ok(Dealing::Even),
            None if text == "community" => Ok(Dealing::Community),
            Some(("dirichlet", alpha)) => match alpha.parse::<f64>() {
                Ok(alpha) if (0.001..=1000.0).contains(&alpha) => Ok(Dealing::Dirichlet(alpha)),
                _ => Err(wrong(
                    "alpha is a number from 0.001 to 1000, as in dirichlet:0.3",
                )),
            },
            _ => Err(wrong(
                "rows are dealt by one, even, community or dirichlet:ALPHA",
            )),
        }
    }
}

impl TryFrom<String> for Dealing {
    type Error = DataError;

    fn try_from(text: String) -> Result<Dealing, DataError> {
        text.parse()
    }
}

impl From<Dealing> for String {
    fn from(dealing: Dealing) -> String {
        dealing.to_string()
    }
}

impl fmt::Display for Dealing {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dealing::One => to.write_str("one"),
            Dealing::Even => to.write_str("even"),
            Dealing::Community => to.write_str("community"),
            Dealing::Dirichlet(alpha) => write!(to, "dirichlet:{alpha}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Synthetic;

    fn data() -> Dataset {
        let made: Synthetic = "synthetic:rows=1112,communities=3".parse().unwrap();
        made.generate(0.1, 2).unwrap()
    }

    fn dealt(dealing: &str, peers: Option<usize>) -> Vec<Vec<u32>> {
        let dealing: Dealing = dealing.parse().unwrap();
        let partition = dealing.deal(&data(), peers, 1).unwrap();
        (0..partition.peers())
            .map(|peer| partition.rows(peer).to_vec())
            .collect()
    }

    #[test]
    fn every_row_has_one_owner_and_every_peer_a_row() {
        for dealing in ["one", "even", "community", "dirichlet:0.05", "dirichlet:5"] {
            for peers in [None, Some(3), Some(70), Some(1000)] {
                let hands = dealt(dealing, peers);
                assert_eq!(hands.len(), peers.unwrap_or(1000));
                assert!(
                    hands.iter().all(|hand| !hand.is_empty()),
                    "{dealing} {peers:?}"
                );
                let mut all = hands.concat();
                let count = all.len();
                all.sort_unstable();
                all.dedup();
                assert_eq!(all.len(), count, "{dealing}: a row with two owners");
                assert!(dealing == "one" || count == 1000, "{dealing}: {count}");
            }
        }
    }

    #[test]
    fn peers_of_communities_share_its_rows() {
        let data = data();
        let partition = Dealing::Community.deal(&data, Some(50), 1).unwrap();
        for peer in 0..50 {
            let own = partition.community(peer);
            let rows = partition.rows(peer);
            assert!(
                rows.iter()
                    .all(|row| data.train_community[*row as usize] == own)
            );
            assert!((15..26).contains(&rows.len()), "{}", rows.len());
        }
    }

    #[test]
    fn small_alpha_skews_labels() {
        let data = data();
        let purity = |alpha: f64| {
            let partition = Dealing::Dirichlet(alpha).deal(&data, Some(20), 1).unwrap();
            let pure = (0..20).filter(|peer| {
                let positive = partition
                    .rows(*peer)
                    .iter()
                    .filter(|row| data.train.label(**row as usize) > 0.0)
                    .count();
                let share = positive as f64 / partition.rows(*peer).len() as f64;
                !(0.1..=0.9).contains(&share)
            });
            pure.count()
        };
        assert!(purity(0.05) > 10);
        assert_eq!(purity(100.0), 0);
    }

    #[test]
    fn impossible_deals_are_explained() {
        let problem = |dealing: Dealing, peers| {
            dealing
                .deal(&data(), Some(peers), 1)
                .unwrap_err()
                .to_string()
        };
        assert!(problem(Dealing::Even, 1001).contains("ask for 1 to 1000 peers"));
        assert!(problem(Dealing::Even, 0).contains("ask for 1"));
        assert!(problem(Dealing::Community, 2).contains("fewer than the 3 communities"));
        assert!("dirichlet:0".parse::<Dealing>().is_err());
        assert!(
            "evenly"
                .parse::<Dealing>()
                .unwrap_err()
                .to_string()
                .contains("community")
        );
    }
}
