//! Any bytes: cut by the clock on the wall, every segment a good place to start.

use super::{IngestError, Input, Options, Outlet, Summary, pace::Pace};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The most that is taken at once, so that the rate is kept smoothly.
const PIECE_BYTES: usize = 4096;

pub(super) async fn run(
    mut input: Input,
    options: Options,
    mut outlet: Outlet,
) -> Result<Summary, IngestError> {
    let limits = options.limits;
    let (mut pace, mut taken) = (Pace::default(), 0u64);
    let mut pending = BytesMut::new();
    let mut began = Instant::now();
    loop {
        let due = match pending.len() {
            0 => None,
            bytes if bytes >= limits.bytes_min => Some(began + limits.segment),
            _ => Some(began + super::limits::SEGMENT_MAX),
        };
        let piece = tokio::select! {
            biased;
            _ = sleep_until(due.unwrap_or(began)), if due.is_some() => {
                outlet.send(pending.split().freeze(), true).await?;
                continue;
            }
            piece = input.next() => piece,
        };
        let Some(mut piece) = piece.transpose()? else {
            break;
        };
        while !piece.is_empty() {
            let part: Bytes = piece.split_to(piece.len().min(PIECE_BYTES));
            if pending.len() + part.len() > limits.bytes_max {
                outlet.send(pending.split().freeze(), true).await?;
            }
            if pending.is_empty() {
                began = Instant::now();
            }
            taken += part.len() as u64;
            pending.extend_from_slice(&part);
            if let Some(bits_per_s) = options.bits_per_s {
                pace.reach(time_of(taken, bits_per_s)).await;
            }
            if limits.due(began.elapsed(), pending.len()) {
                outlet.send(pending.split().freeze(), true).await?;
            }
        }
    }
    if !pending.is_empty() {
        outlet.send(pending.freeze(), true).await?;
    }
    Ok(outlet.summary)
}

/// How long so many bytes take at this rate.
fn time_of(bytes: u64, bits_per_s: u64) -> Duration {
    let nanos = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(bits_per_s);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{Format, limits::Limits, run as ingest};
    use futures::stream;
    use hamlet_overlay::io::Cut;
    use tokio::sync::mpsc;

    async fn segments(pieces: Vec<(u64, usize)>, bits_per_s: Option<u64>) -> Vec<Cut> {
        let input = stream::iter(pieces).then(|(wait_ms, bytes)| async move {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            Ok(Bytes::from(vec![7; bytes]))
        });
        let options = Options {
            format: Format::Bytes,
            bits_per_s,
            limits: Limits::new(Duration::from_millis(250), 4, 100_000),
        };
        let (sender, mut receiver) = mpsc::channel(1000);
        ingest(Box::pin(input), options, sender).await.unwrap();
        let mut cuts = Vec::new();
        receiver.recv_many(&mut cuts, 1000).await;
        cuts
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_cut_by_time_and_size_and_none_is_lost() {
        let cuts = segments(
            vec![(0, 500_000), (3_000, 10), (5_000, 6_000)],
            Some(800_000),
        )
        .await;
        let bytes: usize = cuts.iter().map(|cut| cut.payload.len()).sum();
        assert_eq!(bytes, 506_010);
        assert!(
            cuts.iter()
                .all(|cut| cut.random_access && cut.payload.len() <= 100_000)
        );
        // Five seconds at 800 kbit/s in segments of a quarter second, one small one, one at the end.
        assert!((20..=23).contains(&cuts.len()), "{}", cuts.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_gathered_for_two_seconds() {
        let cuts = segments(vec![(100, 10); 60], None).await;
        assert_eq!(cuts.len(), 3);
    }
}
