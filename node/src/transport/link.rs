//! One link: a queue, one-way streams that carry it away, and those that bring what the other side sends.

use super::{
    Parcel, TransportEvent,
    cap::Bucket,
    counters::{Counters, add},
    framing::{self, FrameReader, FramingError},
    queue::{Lane, Queue},
    shape::LinkShape,
};
use futures::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use hamlet_overlay::{identity::PeerId, wire::Frame};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{Notify, Semaphore, mpsc},
    time::{Instant, sleep_until},
};

/// What is written to a stream at once, about, when nothing limits the rate.
const BATCH_BYTES: usize = 64 * 1024;
/// The same under a cap, so that what is urgent does not wait behind much.
const CAPPED_BATCH_BYTES: usize = 16 * 1024;

/// What waits for one peer. The driver fills it, the link's writers empty it.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    filled: [Notify; Lane::ALL.len()],
}

impl Outbox {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a parcel that may leave at `due`.
    pub fn push(&self, parcel: Parcel, due: Instant, counters: &Counters) {
        self.queue().push(parcel, due, counters);
    }

    /// Tells a lane's writer that there is something for it.
    pub fn notify(&self, lane: Lane) {
        self.filled[lane as usize].notify_one();
    }

    /// Forgets what waits: it was meant for a connection that is gone.
    pub fn clear(&self) {
        self.queue().clear();
    }

    /// Whether what is urgent has left.
    pub fn is_empty(&self) -> bool {
        self.queue().is_empty(Lane::Live)
    }
}

/// What limits the writers of a link.
#[derive(Clone, Debug)]
pub struct Gates {
    /// The cap over all links of the peer.
    pub cap: Option<Arc<Bucket>>,
    /// The rate of this link.
    pub link: Option<Arc<Bucket>>,
    /// The share of the frames that get lost.
    pub loss: f64,
}

impl Gates {
    /// The gates of one more link under a cap and a shape.
    pub fn new(cap: Option<Arc<Bucket>>, shape: &LinkShape) -> Gates {
        Gates {
            cap,
            link: shape.bits_per_s.map(|rate| Arc::new(Bucket::new(rate))),
            loss: shape.loss.clamp(0.0, 1.0),
        }
    }
}

/// Writes one lane of a link.
pub struct Writer {
    /// What waits for the peer.
    pub outbox: Arc<Outbox>,
    /// Which part of it this writer carries.
    pub lane: Lane,
    /// What limits it.
    pub gates: Gates,
    /// Where it counts.
    pub counters: Arc<Counters>,
    /// Decides which frames get lost.
    pub seed: [u8; 32],
}

impl Writer {
    /// Writes until the stream breaks, and says why it did.
    pub async fn run<S: AsyncWrite + Unpin>(self, mut stream: S) -> io::Error {
        let mut random = ChaCha12Rng::from_seed(self.seed);
        let mut batch = Vec::new();
        let mut buffer = Vec::new();
        loop {
            self.fill(&mut batch).await;
            for parcel in batch.drain(..) {
                self.counters.sent(parcel.class, parcel.len() as u64);
                if self.gates.loss > 0.0 && unit(&mut random) < self.gates.loss {
                    add(&self.counters.lost_frames, 1);
                } else {
                    framing::append(&mut buffer, &parcel.frame);
                }
            }
            let written = async {
                stream.write_all(&buffer).await?;
                stream.flush().await
            };
            if let Err(error) = written.await {
                return error;
            }
            buffer.clear();
            buffer.shrink_to(2 * BATCH_BYTES);
        }
    }

    /// Waits until there is something to send and it may be sent.
    async fn fill(&self, batch: &mut Vec<Parcel>) {
        let Gates { cap, link, .. } = &self.gates;
        let max_bytes = match (cap, link) {
            (None, None) => BATCH_BYTES,
            _ => CAPPED_BATCH_BYTES,
        };
        while batch.is_empty() {
            let link_turn = self.turn(link).await;
            let cap_turn = self.turn(cap).await;
            let next = self.outbox.queue().take(
                self.lane,
                Instant::now(),
                max_bytes,
                batch,
                &self.counters,
            );
            let bytes = batch.iter().map(Parcel::len).sum();
            for turn in [cap_turn, link_turn].into_iter().flatten() {
                turn.spend(bytes);
            }
            if batch.is_empty() {
                self.wait(next).await;
            }
        }
    }

    async fn turn<'a>(&self, bucket: &'a Option<Arc<Bucket>>) -> Option<super::cap::Turn<'a>> {
        match bucket {
            Some(bucket) => Some(bucket.turn(self.lane).await),
            None => None,
        }
    }

    async fn wait(&self, next: Option<Instant>) {
        let filled = self.outbox.filled[self.lane as usize].notified();
        match next {
            Some(due) => tokio::select! {
                () = filled => {}
                () = sleep_until(due) => {}
            },
            None => filled.await,
        }
    }
}

/// A number between 0 and 1.
fn unit(random: &mut impl Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Where the frames of all links come together.
#[derive(Clone, Debug)]
pub struct Inbox {
    /// What goes to the driver.
    pub events: mpsc::Sender<TransportEvent>,
    /// The memory for frames that wait for it, in bytes.
    pub room: Arc<Semaphore>,
    /// Where it counts.
    pub counters: Arc<Counters>,
}

impl Inbox {
    /// Reads a stream that `from` opened until it ends. A driver that cannot keep up makes the sender wait,
    /// never the memory grow.
    ///
    /// # Errors
    /// If what comes is not framed as agreed, or the stream breaks within a frame.
    pub async fn read<S: AsyncRead + Unpin>(
        &self,
        from: PeerId,
        stream: S,
    ) -> Result<(), FramingError> {
        let mut frames = FrameReader::new(stream);
        while let Some(bytes) = frames.next().await? {
            add(
                &self.counters.received_bytes,
                (bytes.len() + framing::LENGTH_BYTES) as u64,
            );
            // The framing has bounded the length, far below what the semaphore holds.
            let Ok(room) = self
                .room
                .clone()
                .acquire_many_owned(bytes.len() as u32)
                .await
            else {
                return Ok(());
            };
            let event = TransportEvent::Frame {
                from,
                frame: Frame::received(bytes),
                room,
            };
            if self.events.send(event).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}
