//! A stream as a playlist (HTTP Live Streaming, RFC 8216), for Safari, phones and television sets.
//!
//! A media segment holds whole segments of ours, from one with which a decoder can start up to another such
//! one at least [`MEDIA_MIN`] later, as they were published.

use super::{
    channel::Channel,
    player::{Played, Player},
    ts_body,
};
use crate::ts::{
    packet::{PACKET_BYTES, PTS_HZ, PTS_WRAP, Packet},
    tables::Tables,
};
use bytes::Bytes;
use hamlet_overlay::io::Segment;
use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// The shortest media segment, unless something is missing after it.
const MEDIA_MIN: Duration = Duration::from_millis(900);
/// A longer one is not believed: the source's clock has jumped.
const MEDIA_MAX: Duration = Duration::from_secs(30);
/// The target duration when media segments are short, in seconds; players poll half as often.
const TARGET_MIN_S: u64 = 2;
/// Media segments in a playlist.
const LISTED: usize = 6;
/// Media segments kept: some are asked for after they have left the playlist.
const KEPT: usize = 12;
/// The most bytes kept.
const BYTES: usize = 48 << 20;

/// A stream as a playlist.
#[derive(Debug, Default)]
pub struct Hls {
    shelf: Mutex<Shelf>,
    changes: watch::Sender<()>,
}

impl Hls {
    pub(super) fn begin(segments: &Arc<Channel<Segment>>) -> Arc<Hls> {
        let hls = Arc::new(Hls::default());
        let (filled, mut player) = (hls.clone(), Player::new(segments, Duration::MAX, None));
        tokio::spawn(async move {
            while let Some(played) = player.next().await {
                if filled.shelf().push(&played) {
                    filled.changes.send_replace(());
                }
            }
            filled.shelf().end();
            filled.changes.send_replace(());
        });
        hls
    }

    /// The playlist, once there is anything in it; `query` follows the name of every media segment.
    pub async fn playlist(&self, query: &str) -> String {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(playlist) = self.shelf().playlist(query) {
                return playlist;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The bytes of a media segment, if it is still kept.
    pub fn media(&self, sequence: u64) -> Option<Vec<Bytes>> {
        let shelf = self.shelf();
        let media = shelf
            .media
            .iter()
            .find(|media| media.sequence == sequence)?;
        Some(media.bytes.clone())
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing that holds the lock can leave the shelf half changed.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest media segments, and the one that is being filled.
#[derive(Debug, Default)]
struct Shelf {
    media: VecDeque<Media>,
    filling: Option<Filling>,
    tables: Tables,
    sequence: u64,
    /// Discontinuities before the oldest media segment that is listed.
    discontinuities: u64,
    longest: Duration,
    ended: bool,
}

#[derive(Debug)]
struct Media {
    sequence: u64,
    duration: Duration,
    bytes: Vec<Bytes>,
    /// Whether clock or counters jump before it.
    discontinuity: bool,
}

#[derive(Debug)]
struct Filling {
    bytes: Vec<Bytes>,
    began: Moment,
    discontinuity: bool,
}

/// When a segment begins.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// By the stream's own clock, in 90 kHz ticks, if it is known.
    ticks: Option<u64>,
    /// When the source cut it, in milliseconds since 1970.
    unix_ms: u64,
}

impl Moment {
    /// How long before `later` this is, and whether the stream's own clock says so.
    fn until(self, later: Moment) -> (Duration, bool) {
        let ticks = self.ticks.zip(later.ticks);
        let own = ticks.map(|(from, to)| {
            let ticks = (to + PTS_WRAP - from) % PTS_WRAP;
            Duration::from_micros(ticks.saturating_mul(1_000_000) / PTS_HZ)
        });
        match own.filter(|&own| own <= MEDIA_MAX) {
            Some(own) => (own, true),
            None => {
                let ms = later.unix_ms.saturating_sub(self.unix_ms);
                (Duration::from_millis(ms).min(MEDIA_MAX), false)
            }
        }
    }
}

impl Shelf {
    /// Takes the next segment; whether it completes a media segment.
    fn push(&mut self, played: &Played) -> bool {
        let began = Moment {
            ticks: self.first_ticks(&played.piece),
            unix_ms: played.piece.cut_unix_ms,
        };
        let mut completed = false;
        if played.piece.random_access {
            let mut discontinuity = played.gap;
            let due = self.filling.take_if(|filling| {
                let (duration, continuous) = filling.began.until(began);
                discontinuity |= !continuous;
                discontinuity || duration >= MEDIA_MIN
            });
            if let Some(filling) = due {
                self.complete(filling, began);
                completed = true;
            }
            self.filling.get_or_insert(Filling {
                bytes: Vec::new(),
                began,
                discontinuity,
            });
        }
        if let Some(filling) = &mut self.filling {
            filling.bytes.extend(ts_body::pieces(played));
        }
        completed
    }

    fn complete(&mut self, filling: Filling, end: Moment) {
        let (duration, _) = filling.began.until(end);
        self.longest = self.longest.max(duration);
        self.media.push_back(Media {
            sequence: self.sequence,
            duration,
            bytes: filling.bytes,
            discontinuity: filling.discontinuity,
        });
        self.sequence += 1;
        let unlisted = self.media.len().checked_sub(LISTED + 1);
        if let Some(left) = unlisted.and_then(|at| self.media.get(at)) {
            self.discontinuities += u64::from(left.discontinuity);
        }
        while self.media.len() > KEPT || (self.bytes() > BYTES && self.media.len() > LISTED) {
            self.media.pop_front();
        }
    }

    fn bytes(&self) -> usize {
        let bytes = self.media.iter().flat_map(|media| &media.bytes);
        bytes.map(Bytes::len).sum()
    }

    fn end(&mut self) {
        self.ended = true;
    }

    fn playlist(&self, query: &str) -> Option<String> {
        let listed = self.media.len().saturating_sub(LISTED);
        let first = self.media.get(listed)?;
        let target = self.longest.as_secs_f64().round() as u64;
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-DISCONTINUITY-SEQUENCE:{}\n",
            target.max(TARGET_MIN_S),
            first.sequence,
            self.discontinuities,
        );
        for media in self.media.range(listed..) {
            if media.discontinuity {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "#EXTINF:{:.3},\n{}.ts{query}",
                media.duration.as_secs_f64(),
                media.sequence
            );
        }
        if self.ended {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        Some(text)
    }

    /// When the first picture of a segment is decoded, in 90 kHz ticks.
    fn first_ticks(&mut self, segment: &Segment) -> Option<u64> {
        let payload = segment.payload.concat();
        let (packets, _) = payload.as_chunks::<PACKET_BYTES>();
        packets.iter().find_map(|bytes| {
            let packet = Packet::new(*bytes)?;
            self.tables.observe(&packet);
            let main = self.tables.main_pid() == Some(packet.pid());
            packet.timestamps().filter(|_| main).map(|at| at.dts)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ts::{fixtures, packet::Timestamps};

    fn played(number: u64, dts: u64, random_access: bool, gap: bool) -> Played {
        let at = Timestamps { pts: dts, dts };
        let packets = [
            fixtures::pat(0),
            fixtures::pmt(0),
            fixtures::video(0, None, at, random_access),
        ];
        let payload: Vec<u8> = packets.iter().flat_map(|packet| *packet.bytes()).collect();
        let piece = Arc::new(Segment {
            stream: 0,
            number,
            payload: vec![payload.into()],
            random_access,
            discontinuity: gap,
            cut_unix_ms: 0,
        });
        Played {
            piece,
            gap,
            came: std::time::Instant::now(),
        }
    }

    /// Segments of a quarter second, every fourth of them with a key frame.
    fn shelf(segments: u64) -> Shelf {
        let mut shelf = Shelf::default();
        for number in 0..segments {
            shelf.push(&played(number, number * 22_500, number % 4 == 0, false));
        }
        shelf
    }

    #[test]
    fn media_segments_go_from_key_frame_to_key_frame() {
        assert_eq!(shelf(4).playlist(""), None);
        let playlist = shelf(9).playlist("?stream=7").unwrap();
        let expected = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXTINF:1.000,\n0.ts?stream=7\n#EXTINF:1.000,\n1.ts?stream=7\n";
        assert_eq!(playlist, expected);
    }

    #[test]
    fn old_media_segments_leave_the_list_before_they_are_gone() {
        let shelf = shelf(4 * 30 + 1);
        let playlist = shelf.playlist("").unwrap();
        assert!(
            playlist.contains("#EXT-X-MEDIA-SEQUENCE:24\n"),
            "{playlist}"
        );
        assert_eq!(playlist.matches("#EXTINF").count(), LISTED);
        assert_eq!(shelf.media.len(), KEPT);
    }

    #[test]
    fn a_hole_and_a_new_clock_are_discontinuities() {
        let mut shelf = shelf(8);
        shelf.push(&played(12, 12 * 22_500, true, true));
        // The source begins again.
        shelf.push(&played(13, 100, true, false));
        let playlist = shelf.playlist("").unwrap();
        assert_eq!(
            playlist.matches("#EXT-X-DISCONTINUITY\n").count(),
            1,
            "{playlist}"
        );
        for number in 1..40 {
            shelf.push(&played(13 + number, 100 + number * 90_000, true, false));
        }
        let playlist = shelf.playlist("").unwrap();
        assert!(
            playlist.contains("#EXT-X-DISCONTINUITY-SEQUENCE:2\n"),
            "{playlist}"
        );
    }

    #[test]
    fn an_ended_stream_says_so() {
        let mut shelf = shelf(9);
        shelf.end();
        assert!(shelf.playlist("").unwrap().ends_with("#EXT-X-ENDLIST\n"));
    }
}
