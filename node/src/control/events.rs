//! Server-sent events: what a node says of itself twice a second, and traces of segments.
//!
//! | event | data |
//! | --- | --- |
//! | `status` | what `GET /api/v1/status` answers |
//! | `trace` | what became of one segment, shard by shard ([`Trace`](super::trace::Trace)) |

use super::{
    Door,
    status::Status,
    trace::{Tracer, Watch},
};
use crate::failure::{Failure, Kind};
use axum::response::{
    IntoResponse, Response, Sse,
    sse::{Event, KeepAlive},
};
use futures::stream;
use serde::Serialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{MissedTickBehavior, interval},
};

/// How often a status is sent.
pub const STATUS_EVERY: Duration = Duration::from_millis(500);
/// Pages that may follow the events of one door at the same time.
const READERS: usize = 32;
/// Events that a slow page may be behind; then it gets fewer.
const WAITING: usize = 8;

/// Counts who follows events, and refuses whoever is too much.
#[derive(Clone, Debug)]
pub struct Readers(Arc<Semaphore>);

impl Default for Readers {
    fn default() -> Readers {
        Readers(Arc::new(Semaphore::new(READERS)))
    }
}

/// Sends events to one page.
pub struct Channel {
    sender: mpsc::Sender<Event>,
    _permit: OwnedSemaphorePermit,
}

/// The page has gone.
pub struct Gone;

impl Channel {
    /// Sends an event, once there is room.
    pub async fn send(&self, name: &str, data: &impl Serialize) -> Result<(), Gone> {
        // Structs of texts and numbers always have a form in JSON.
        let event = Event::default().event(name).json_data(data);
        let event = event.unwrap_or_default();
        self.sender.send(event).await.map_err(|_| Gone)
    }
}

impl Readers {
    /// A new reader: the channel to it, and the response that carries it.
    ///
    /// # Errors
    /// If there are too many.
    pub fn admit(&self) -> Result<(Channel, Response), Failure> {
        let permit = self.0.clone().try_acquire_owned().map_err(|_| {
            let error = format!("{READERS} pages follow this node already; close one of them");
            Failure::new(Kind::InUse, error)
        })?;
        let (sender, receiver) = mpsc::channel::<Event>(WAITING);
        let events = stream::unfold(receiver, |mut receiver| async {
            Some((Ok::<_, Infallible>(receiver.recv().await?), receiver))
        });
        let response = Sse::new(events).keep_alive(KeepAlive::default());
        let channel = Channel {
            sender,
            _permit: permit,
        };
        Ok((channel, response.into_response()))
    }
}

/// A clock for statuses, which leaves out what it missed.
pub fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(STATUS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Follows a node until it stops or the page goes.
pub(super) async fn follow(door: Door, channel: Channel) -> Result<(), Gone> {
    let (roll, handle) = (door.service.roll().clone(), door.service.handle().clone());
    roll.meet([handle.id()]);
    let me = roll.number(handle.id()).unwrap_or_default();
    let mut tracer = Tracer::new(roll, 1);
    let mut watch = Watch::default();
    watch.look_at(me, &handle);
    let mut ticks = ticks();
    loop {
        tokio::select! {
            (by, seen) = watch.next() => tracer.saw(by, seen),
            _ = ticks.tick() => {
                let Ok(status) = Status::of(&door.service, &door.base).await else {
                    return Ok(());
                };
                channel.send("status", &status).await?;
                for trace in tracer.finished(handle.now()) {
                    channel.send("trace", &trace).await?;
                }
            }
        }
    }
}
