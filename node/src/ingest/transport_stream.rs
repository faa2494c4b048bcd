//! MPEG-TS at the pace of its own clock.

use super::{
    Format, IngestError, Input, Options, Outlet, Summary, limits::SEGMENT_MAX, pace::Pace,
    padding::Padding, segmenter::Segmenter,
};
use crate::ts::{
    clock::{Clock, Step},
    framing::{Framer, Item},
    packet::{NULL_PID, Packet},
    tables::Tables,
};
use futures::StreamExt;
use std::time::Duration;
use tokio::time::timeout;
use tracing::{info, warn};

/// A clock must have shown itself within so many packets (about 4 MB).
const CLOCK_WAIT: u64 = 20_000;
/// Points where a decoder can start should not be farther apart than this.
const RARE_ACCESS: Duration = Duration::from_millis(2_500);
/// A stream may be ahead of the rate that it is to be filled up to by so much before a warning is given.
const EXCESS_MAX: Duration = Duration::from_secs(2);

pub(super) async fn run(
    mut input: Input,
    options: Options,
    outlet: Outlet,
) -> Result<Summary, IngestError> {
    let mut framer = Framer::default();
    let mut stream = TransportStream::new(options, outlet);
    loop {
        // When a live source falls silent, what has come must not wait for what has not.
        let patience = stream.patience(options.limits.segment);
        let piece = match timeout(patience, input.next()).await {
            Ok(piece) => piece.transpose()?,
            Err(_) => {
                stream.flush().await?;
                continue;
            }
        };
        match &piece {
            Some(bytes) => framer.push(bytes),
            None => framer.end(),
        }
        while let Some(item) = framer.next_item()? {
            stream.take(item).await?;
        }
        if piece.is_none() {
            return stream.finish().await;
        }
    }
}

struct TransportStream {
    outlet: Outlet,
    tables: Tables,
    clock: Clock,
    clock_pid: Option<u16>,
    /// When, in the stream's time, a decoder could last start.
    accessible: Option<Duration>,
    warned_of_rare_access: bool,
    /// The pace that is kept, unless the source keeps one itself.
    pace: Option<Pace>,
    padding: Option<Padding>,
    segmenter: Segmenter,
    packets: u64,
    warned_of_excess: bool,
}

impl TransportStream {
    fn new(options: Options, outlet: Outlet) -> TransportStream {
        TransportStream {
            outlet,
            tables: Tables::default(),
            clock: Clock::default(),
            clock_pid: None,
            accessible: None,
            warned_of_rare_access: false,
            pace: (options.format != Format::LiveTs).then(Pace::default),
            padding: options.bits_per_s.map(Padding::new),
            segmenter: Segmenter::new(options.limits),
            packets: 0,
            warned_of_excess: false,
        }
    }

    fn patience(&self, segment: Duration) -> Duration {
        match self.segmenter.pending_bytes() {
            0 => SEGMENT_MAX,
            _ => segment * 2,
        }
    }

    async fn take(&mut self, item: Item) -> Result<(), IngestError> {
        match item {
            Item::Packet(packet) => self.packet(packet).await?,
            Item::Skipped { offset, bytes } => {
                self.outlet.summary.skipped_bytes += bytes;
                warn!(
                    "{bytes} bytes from offset {offset} of the input are no MPEG-TS packets and are left out"
                );
            }
            Item::Truncated { offset, bytes } => {
                self.outlet.summary.truncated = true;
                warn!(
                    "the input ends {bytes} bytes into the packet at offset {offset}, which is left out; if the file was being written, publish it again when it is complete"
                );
            }
        }
        Ok(())
    }

    async fn packet(&mut self, packet: Packet) -> Result<(), IngestError> {
        self.packets += 1;
        self.tables.observe(&packet);
        let passed = self.observe_clock(&packet);
        if passed.is_some() {
            if let Some(pace) = &mut self.pace {
                pace.reach(self.clock.elapsed()).await;
            }
        } else if self.clock_pid.is_none() && self.packets > CLOCK_WAIT {
            return Err(IngestError::NoClock {
                packets: self.packets,
            });
        }
        if let Some(padding) = &mut self.padding
            && packet.pid() != NULL_PID
        {
            padding.count();
        }
        self.warn_of_rare_access(&packet);
        self.push(packet).await?;
        // After the packet, so that a key frame stays next to its tables.
        if let (Some(Step::Passed(passed)), Some(padding)) = (passed, &mut self.padding) {
            let fill = padding.fill(passed);
            self.warn_of_excess();
            for null in fill {
                self.push(null).await?;
            }
        }
        Ok(())
    }

    /// What the packet says of the time, if it carries the program's clock.
    fn observe_clock(&mut self, packet: &Packet) -> Option<Step> {
        let pcr = packet.pcr()?;
        let wanted = self.tables.clock_pid().or(self.clock_pid);
        if wanted.is_some_and(|wanted| wanted != packet.pid()) {
            return None;
        }
        if self.clock_pid.replace(packet.pid()) != Some(packet.pid()) {
            self.clock.restart();
        }
        let first = self.clock.elapsed() == Duration::ZERO;
        let step = self.clock.observe(pcr, packet.is_discontinuity());
        if step == Step::Jump && !first {
            info!(
                "the input's clock jumps after {:?}; the stream goes on",
                self.clock.elapsed()
            );
        }
        Some(step)
    }

    /// Who comes in the middle waits for a point where a decoder can start.
    fn warn_of_rare_access(&mut self, packet: &Packet) {
        let now = self.clock.elapsed();
        if !self.tables.random_access(packet) {
            return;
        }
        let apart = self
            .accessible
            .replace(now)
            .map(|last| now.saturating_sub(last));
        if let Some(apart) = apart.filter(|&apart| apart > RARE_ACCESS)
            && !std::mem::replace(&mut self.warned_of_rare_access, true)
        {
            warn!(
                "key frames are {:.1} s apart, and newcomers wait so long for their first picture; have the encoder make one every second (OBS: Settings, Output, Keyframe interval 1 s; x264: -g 30 at 30 frames per second)",
                apart.as_secs_f64()
            );
        }
    }

    async fn push(&mut self, packet: Packet) -> Result<(), IngestError> {
        let now = self.clock.elapsed();
        match self.segmenter.push(packet, now, &self.tables) {
            Some(piece) => self.outlet.send(piece.payload, piece.random_access).await,
            None => Ok(()),
        }
    }

    async fn flush(&mut self) -> Result<(), IngestError> {
        match self.segmenter.cut(self.clock.elapsed()) {
            Some(piece) => self.outlet.send(piece.payload, piece.random_access).await,
            None => Ok(()),
        }
    }

    fn warn_of_excess(&mut self) {
        let excess = self.padding.as_ref().map(Padding::excess);
        if excess.is_some_and(|excess| excess > EXCESS_MAX) && !self.warned_of_excess {
            self.warned_of_excess = true;
            warn!(
                "the input alone is over the rate it is to be padded to; choose a higher --rate or encode it at a lower one"
            );
        }
    }

    async fn finish(mut self) -> Result<Summary, IngestError> {
        self.flush().await?;
        match self.clock_pid {
            Some(_) => Ok(self.outlet.summary),
            None => Err(IngestError::NoClock {
                packets: self.packets,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ingest::{CLIP, limits::Limits, run as ingest, source},
        ts::packet::PACKET_BYTES,
    };
    use bytes::Bytes;
    use futures::{StreamExt, stream};
    use hamlet_overlay::io::Cut;
    use tokio::{sync::mpsc, time::Instant};

    async fn publish(input: Input, rate: Option<u64>) -> (Result<Summary, IngestError>, Vec<Cut>) {
        let options = Options {
            format: Format::Ts,
            bits_per_s: rate,
            limits: Limits::new(Duration::from_millis(250), 4, 1 << 20),
        };
        let (sender, mut receiver) = mpsc::channel(10_000);
        let result = ingest(input, options, sender).await;
        let mut cuts = Vec::new();
        receiver.recv_many(&mut cuts, 10_000).await;
        (result, cuts)
    }

    fn once(bytes: &[u8]) -> Input {
        let pieces: Vec<_> = bytes
            .chunks(1000)
            .map(Bytes::copy_from_slice)
            .map(Ok)
            .collect();
        Box::pin(stream::iter(pieces))
    }

    fn joined(cuts: &[Cut]) -> Vec<u8> {
        cuts.iter().flat_map(|cut| cut.payload.to_vec()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_clip_is_cut_at_its_own_pace_and_unchanged() {
        let start = Instant::now();
        let (summary, cuts) = publish(once(CLIP), None).await;
        assert!(
            (7_800..8_100).contains(&start.elapsed().as_millis()),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(joined(&cuts), CLIP);
        assert_eq!(summary.unwrap().bytes, CLIP.len() as u64);
        assert_eq!(cuts.iter().filter(|cut| cut.random_access).count(), 8);
        assert!((28..=40).contains(&cuts.len()), "{}", cuts.len());
        // Only the service description comes before the first picture.
        assert!(cuts[1].random_access && cuts[0].payload.len() == PACKET_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_goes_on_at_its_own_pace() {
        let start = Instant::now();
        let looped = source::clip().take_while(move |_| {
            let on = start.elapsed() < Duration::from_secs(30);
            async move { on }
        });
        let (_, cuts) = publish(Box::pin(looped), None).await;
        let seconds = start.elapsed().as_secs_f64();
        let rate = joined(&cuts).len() as f64 / seconds;
        let own = CLIP.len() as f64 / 8.0;
        assert!((rate / own - 1.0).abs() < 0.05, "{rate} {own}");
        assert!(cuts.iter().filter(|cut| cut.random_access).count() >= 29);
    }

    #[tokio::test(start_paused = true)]
    async fn padding_reaches_the_rate() {
        let (_, cuts) = publish(once(CLIP), Some(1_000_000)).await;
        let bits = joined(&cuts).len() as f64 * 8.0;
        assert!((bits / 8.0e6 - 1.0).abs() < 0.02, "{bits}");
        assert_eq!(cuts.iter().filter(|cut| cut.random_access).count(), 8);
        let content: Vec<u8> = joined(&cuts)
            .chunks(PACKET_BYTES)
            .filter(|packet| packet[1..3] != [0x1f, 0xff])
            .flatten()
            .copied()
            .collect();
        assert_eq!(content, CLIP);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_live_source_does_not_hold_back_what_came() {
        let (sender, mut receiver) = mpsc::channel(100);
        let (feed, fed) = mpsc::channel::<Bytes>(10);
        let input = stream::unfold(fed, |mut fed| async { Some((Ok(fed.recv().await?), fed)) });
        let options = Options {
            format: Format::Ts,
            bits_per_s: None,
            limits: Limits::new(Duration::from_millis(250), 4, 1 << 20),
        };
        let running = tokio::spawn(ingest(Box::pin(input), options, sender));
        let first = CLIP.len() / 10 / PACKET_BYTES * PACKET_BYTES;
        feed.send(Bytes::from_static(&CLIP[..first])).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        let mut bytes = 0;
        while let Ok(cut) = receiver.try_recv() {
            bytes += cut.payload.len();
        }
        assert_eq!(bytes, first);
        drop(feed);
        running.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_off_end_is_reported_and_the_rest_published() {
        let cut = CLIP.len() - 100;
        let (summary, cuts) = publish(once(&CLIP[..cut]), None).await;
        assert!(summary.unwrap().truncated);
        assert_eq!(joined(&cuts), CLIP[..CLIP.len() - PACKET_BYTES]);
    }

    #[tokio::test(start_paused = true)]
    async fn other_inputs_are_refused_with_a_remedy() {
        let (result, cuts) = publish(once(&b"not a transport stream. ".repeat(9000)), None).await;
        let text = result.unwrap_err().to_string();
        assert!(
            text.contains("offset 0") && text.contains("ffmpeg -i"),
            "{text}"
        );
        assert!(cuts.is_empty());
        let clockless = crate::ts::fixtures::middle(0x100, 0).bytes().repeat(100);
        let (result, _) = publish(once(&clockless), None).await;
        assert!(matches!(result, Err(IngestError::NoClock { packets: 100 })));
    }
}
