//! From a source to the network: every segment under a number that was never used.

use super::{Format, IngestError, Input, Options, Summary, run};
use crate::{
    config::Rate,
    data::{Reservation, StoreError},
    driver::{PeerHandle, PublishError, Stopped},
};
use hamlet_overlay::{
    genesis::{Network, Parameters},
    io,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc, watch};
use tracing::{info, warn};

/// Segments that may wait for the peer; then the source waits.
const WAITING: usize = 8;

/// Publishes this peer's stream.
#[derive(Debug)]
pub struct Publisher {
    handle: PeerHandle,
    parameters: Parameters,
    /// The highest rate of this peer's certificate, in bits per second; none if it has no certificate.
    max_bits_per_s: Option<u64>,
    /// Held by whoever is publishing.
    numbers: Mutex<Reservation>,
    /// Becomes true when nobody may publish any more.
    closed: watch::Sender<bool>,
}

/// What came of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// What the source held.
    pub source: Summary,
    /// Segments that the network took.
    pub segments: u64,
    /// Segments that were dropped because the stream was over the rate of its certificate.
    pub over_rate_segments: u64,
    /// The rate of the certificate, in bits per second.
    pub max_bits_per_s: u64,
}

/// Why a source was not published to its end.
#[derive(Debug, thiserror::Error)]
pub enum PublishFailure {
    /// The source cannot be read.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The peer does not take its segments.
    #[error(transparent)]
    Peer(#[from] PublishError),
    /// The numbers cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rate that was asked for is over that of the certificate.
    #[error(
        "a rate of {asked} is over the {allowed} of this stream's certificate; choose a lower one, or found the network anew with a higher one"
    )]
    Rate {
        /// The rate that was asked for.
        asked: Rate,
        /// The rate of the certificate.
        allowed: Rate,
    },
    /// Another source is being published.
    #[error(
        "this node is publishing already, and a peer has one stream; stop the other publisher first"
    )]
    Busy,
}

impl Publisher {
    /// The publisher of the peer with this handle.
    pub fn new(network: &Network, handle: PeerHandle, numbers: Reservation) -> Publisher {
        let certificate = network
            .genesis()
            .publishers
            .iter()
            .find(|publisher| publisher.stream == handle.id());
        Publisher {
            parameters: *network.parameters(),
            max_bits_per_s: certificate.map(|publisher| publisher.max_bits_per_s),
            handle,
            numbers: Mutex::new(numbers),
            closed: watch::Sender::new(false),
        }
    }

    /// Publishes a source to its end.
    ///
    /// # Errors
    /// If this peer may not publish or is publishing already, or the source cannot be read to its end.
    pub async fn publish(
        &self,
        input: Input,
        format: Format,
        rate: Option<Rate>,
    ) -> Result<Published, PublishFailure> {
        let max_bits_per_s = self
            .max_bits_per_s
            .ok_or(PublishError::Refused(io::PublishError::NotAPublisher))?;
        let mut numbers = self.numbers.try_lock().map_err(|_| PublishFailure::Busy)?;
        let allowed = Rate {
            bits_per_s: max_bits_per_s,
        };
        if let Some(asked) = rate.filter(|&asked| asked > allowed) {
            return Err(PublishFailure::Rate { asked, allowed });
        }
        let options = Options::new(format, rate, &self.parameters, allowed);
        let mut published = Published {
            max_bits_per_s,
            ..Published::default()
        };
        info!(?format, "publishing begins");
        let (sender, mut cuts) = mpsc::channel(WAITING);
        let passing_on = async {
            while let Some(cut) = cuts.recv().await {
                // Counted before it is used: what happens to it afterwards, it is never used again.
                numbers.take()?;
                match self.handle.publish(cut).await {
                    Ok(_) => published.segments += 1,
                    Err(PublishError::Refused(why @ io::PublishError::OverRate { .. })) => {
                        published.over_rate_segments += 1;
                        if published.over_rate_segments.is_power_of_two() {
                            warn!(
                                dropped = published.over_rate_segments,
                                "{why}; encode at a lower rate, or found the network anew with a higher one"
                            );
                        }
                    }
                    Err(error) => {
                        cuts.close();
                        return Err(error.into());
                    }
                }
            }
            Ok::<(), PublishFailure>(())
        };
        let mut closed = self.closed.subscribe();
        let (read, passed_on) = tokio::select! {
            both = async { tokio::join!(run(input, options, sender), passing_on) } => both,
            // A source that is silent must not hold up the node's end.
            _ = closed.wait_for(|closed| *closed) => {
                return Err(PublishError::Stopped(Stopped).into());
            }
        };
        passed_on?;
        published.source = read?;
        info!(
            segments = published.segments,
            bytes = published.source.bytes,
            "publishing ends"
        );
        Ok(published)
    }

    /// Ends the publishing that is under way, lets nobody publish any more, and gives back the numbers that
    /// were reserved and not used.
    pub async fn close(&self) {
        self.closed.send_replace(true);
        if let Err(error) = self.numbers.lock().await.release() {
            warn!("{error}");
        }
    }
}
