//! Scaling by constants that peers agree on by gossip, before they learn.

use super::{DataError, Encoder, encoder::Scale};
use crate::{
    Dataset, Partition, Row, Rows,
    protocol::PushSum,
    random::{below, stream},
};

/// Rounds of push-sum: the error halves in each once sums have come everywhere, which takes log₂ n.
const ROUNDS: usize = 60;
/// The most sums that all peers hold together, 16 bytes each.
const MAX_SUMS: usize = 1 << 27;

/// Scales unscaled data: each peer its own rows, by its own estimate of every column's mean and variance, which
/// peers come to by push-sum with uniform partners. Test rows are scaled by one peer each, in turn, and so are rows
/// that nobody owns; `encoder` takes the constants of the first peer. Sparse columns are divided by the root of
/// their mean square, since a mean subtracted would leave no zeros. A column that does not vary stays as it is.
///
/// No share is lost, and peers that lie about their sums are not found: shares that cannot be honest are refused, see
/// [`PushSum::absorb`], others count.
///
/// # Errors
/// When the sums of so many peers and columns do not fit into memory. Nothing is scaled.
pub fn scale_by_gossip(
    data: &mut Dataset,
    encoder: Option<&mut Encoder>,
    partition: &Partition,
    seed: u64,
) -> Result<(), DataError> {
    let (peers, features) = (partition.peers(), data.train.features());
    if peers.saturating_mul(features) > MAX_SUMS {
        let problem = format!(
            "the sums of {peers} peers over {features} columns are too many to agree on here: ask for fewer \
             peers, or --scaling description"
        );
        return Err(DataError::new("--scaling gossip", problem));
    }
    let sparse = data.train.is_sparse();
    let sums = agree(&data.train, partition, seed);
    let constants: Vec<Vec<Scale>> = sums.iter().map(|sums| scales(sums, sparse)).collect();
    let mut owner: Vec<usize> = (0..data.train.len())
        .map(|row| row % peers.max(1))
        .collect();
    for peer in 0..peers {
        let own = partition.rows(peer).iter();
        own.for_each(|row| owner[*row as usize] = peer);
    }
    let Some(first) = constants.first() else {
        return Ok(());
    };
    if let Some(encoder) = encoder {
        encoder.rescale(first);
    }
    data.train = rescaled(&data.train, |row| &constants[owner[row]]);
    data.test = rescaled(&data.test, |row| &constants[row % peers]);
    Ok(())
}

/// The sums that each peer holds in the end.
fn agree(rows: &Rows, partition: &Partition, seed: u64) -> Vec<PushSum> {
    let peers = partition.peers();
    let own = |peer| {
        let own = partition.rows(peer).iter();
        PushSum::of(rows.features(), own.map(|row| rows.row(*row as usize)))
    };
    let mut sums: Vec<PushSum> = (0..peers).map(own).collect();
    let mut rng = stream(seed, 0x0073_6361_6c65);
    for _ in 0..ROUNDS {
        for peer in 0..peers {
            let share = sums[peer].split();
            let accepted = sums[below(&mut rng, peers)].absorb(&share);
            debug_assert!(accepted, "honest shares are accepted");
        }
    }
    sums
}

fn scales(sums: &PushSum, sparse: bool) -> Vec<Scale> {
    let moments = sums.moments().into_iter();
    let scale = |(mean, variance): (f64, f64)| match sparse {
        true => Scale::of_deviation(0.0, (variance + mean * mean).sqrt()),
        false => Scale::of_deviation(mean, variance.sqrt()),
    };
    moments.map(scale).collect()
}

fn rescaled<'a>(rows: &Rows, scales: impl Fn(usize) -> &'a Vec<Scale>) -> Rows {
    let mut made = match rows.is_sparse() {
        true => Rows::sparse(rows.features()),
        false => Rows::dense(rows.features()),
    };
    let mut scaled = Vec::new();
    for place in 0..rows.len() {
        let (scales, label) = (scales(place), rows.label(place));
        scaled.clear();
        match rows.row(place) {
            Row::Dense(values) => {
                let values = values.iter().zip(scales);
                scaled.extend(values.map(|(value, scale)| scale.of(*value)));
                made.push(Row::Dense(&scaled), label);
            }
            Row::Sparse { columns, values } => {
                let values = columns.iter().zip(values);
                scaled.extend(values.map(|(column, value)| scales[*column as usize].of(*value)));
                let values = &scaled;
                made.push(Row::Sparse { columns, values }, label);
            }
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dealing, Recipe, csv, libsvm};
    use std::collections::BTreeMap;

    fn recipe(scaled: bool) -> Recipe {
        Recipe {
            label: "y".into(),
            by: None,
            drop: Vec::new(),
            scaled,
            intercept: true,
            test_share: 0.2,
            seed: 1,
        }
    }

    fn dense(rows: &Rows, place: usize) -> Vec<f32> {
        match rows.row(place) {
            Row::Dense(values) => values.to_vec(),
            Row::Sparse { .. } => unreachable!("tables are dense"),
        }
    }

    #[test]
    fn peers_come_to_what_the_description_says() {
        let line = |n: u32| {
            format!(
                "{},{},{}.5\n",
                n * n % 97,
                ["a", "b", "c"][n as usize % 3],
                n
            )
        };
        let text = format!("x,c,y\n{}", (0..120).map(line).collect::<String>());
        let table = csv::read("f.csv", text.as_bytes(), &[]).unwrap();
        let (described, by_description) = table.prepare(&recipe(true)).unwrap();
        let (mut agreed, mut by_gossip) = table.prepare(&recipe(false)).unwrap();
        let partition = Dealing::Even.deal(&agreed, Some(30), 1).unwrap();
        scale_by_gossip(&mut agreed, Some(&mut by_gossip), &partition, 1).unwrap();
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
        for (agreed, described) in [
            (&agreed.train, &described.train),
            (&agreed.test, &described.test),
        ] {
            assert_eq!(agreed.labels(), described.labels());
            let rows = 0..agreed.len();
            rows.for_each(|row| assert!(near(&dense(agreed, row), &dense(described, row))));
        }
        let question = BTreeMap::from([("x".to_owned(), "50".to_owned())]);
        let ask = |encoder: &Encoder| encoder.encode(&question).unwrap().row;
        assert!(near(&ask(&by_gossip), &ask(&by_description)));
        assert_eq!(ask(&by_gossip)[4], 1.0, "the column of ones stays");
    }

    #[test]
    fn sparse_columns_keep_their_zeros() {
        let line = |n: u32| format!("{} 1:{} 9:0.5\n", n % 2, n + 1);
        let text: String = (0..40).map(line).collect();
        let read = |scaled| libsvm::read("f.svm", text.as_bytes(), scaled, 0.0, 1).unwrap();
        let (mut agreed, described) = (read(false), read(true));
        let partition = Dealing::One.deal(&agreed, None, 1).unwrap();
        scale_by_gossip(&mut agreed, None, &partition, 1).unwrap();
        let values = |rows: &Rows, row| match rows.row(row) {
            Row::Sparse { values, .. } => values.to_vec(),
            Row::Dense(_) => unreachable!("LIBSVM rows are sparse"),
        };
        for row in 0..40 {
            let (a, b) = (values(&agreed.train, row), values(&described.train, row));
            assert!(
                a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-3),
                "{a:?} {b:?}"
            );
        }
    }
}
