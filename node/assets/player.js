// Plays a node's live stream in a page: fragmented MP4 over one endless request, through Media Source
// Extensions.
//
//     import { mountPlayer } from "./player.js";
//     const player = mountPlayer(document.querySelector("video"), {
//       url: "live.mp4",
//       onState: (state) => console.log(state),
//     });
//     player.close();
//
// What it does:
// 1. It plays `delayMs` behind the live edge. The edge is where the stream is here: it runs with the clock, as
//    early as the promptest of the last fragments allows. No clock of another machine is asked.
// 2. Drift is caught up, or let come, by playing a few per cent faster or slower.
// 3. After a stall, or when much is missing, it goes on `delayMs` behind the edge; holes are jumped over.
// 4. Each stall lengthens the delay a little, up to `DELAY_MAX_S`; quiet minutes shorten it again.
// 5. When the stream breaks off, or goes on in another shape, it asks for it anew.

// A delay that stalls have lengthened never becomes longer than this.
const DELAY_MAX_S = 6;
const DELAY_STEP_S = 0.25;
// After so long without a stall the delay becomes a step shorter again.
const QUIET_S = 60;
// The edge is that of the promptest fragment within this time.
const EDGE_WINDOW_S = 10;
// Playing is at most so much faster or slower than the stream.
const RATE_GENTLE = 0.05;
const RATE_BRISK = 0.1;
// An error within the dead band is let be.
const DEAD_BAND_S = 0.08;
// An error above this is jumped over: after a stall, and at any other time.
const JUMP_AFTER_STALL_S = 1;
const JUMP_S = 3;
// Beginning may take so long without being made up for at once.
const START_LATE_S = 0.25;
// Nothing new for so long: the source, not the network, is silent.
const SILENT_S = 3;
// What has been played is kept for so long; while paused, so much of the newest is kept.
const KEEP_PLAYED_S = 10;
const KEEP_PAUSED_S = 30;
const TICK_MS = 200;
const RETRY_MS = [250, 500, 1000, 2000, 4000];

/// Plays `url` in `video` until `close` is called. `onState` is told what `state()` returns, at every change
/// and about five times a second:
///
/// | field | what it is |
/// | --- | --- |
/// | `state` | connecting, waiting, playing, stalled, silent, paused, unsupported, failed or closed |
/// | `message` | what it waits for or what to do, for people; empty while it plays |
/// | `codecs` | the codecs as browsers know them |
/// | `muted` | whether the browser allowed playing without sound only; the next click may unmute |
/// | `live_delay_ms` | from a picture's timestamp, by the source's clock, until it is shown |
/// | `behind_ms`, `target_ms` | how far behind the edge it plays, and is to play |
/// | `buffer_ms` | what is there to be played |
/// | `rate` | how fast it plays |
/// | `stalls`, `stalled_ms` | how often and how long pictures were missing |
/// | `jumps` | how often it went on at the edge, or after a hole |
/// | `frames`, `dropped_frames` | pictures decoded, and not shown of them |
/// | `errors` | how often the decoder gave up |
/// | `first_picture_ms` | from mounting to the first picture |
export function mountPlayer(video, { url, delayMs = 1500, adaptive = true, onState = () => {} }) {
  const player = new Player(video, url, delayMs / 1000, adaptive, onState);
  player.run();
  return {
    state: () => player.report(),
    goLive: () => player.goLive(),
    close: () => player.close(),
  };
}

class Player {
  constructor(video, url, delay, adaptive, onState) {
    Object.assign(this, { video, url, adaptive, onState });
    this.delay = { base: delay, now: delay, changed: now() };
    this.counts = { stalls: 0, stalled_s: 0, jumps: 0, errors: 0 };
    this.status = { state: "connecting", message: "", muted: false };
    this.mounted = now();
    this.firstPicture = null;
    this.stalledSince = null;
    this.closing = new AbortController();
    const on = (name, handler) =>
      video.addEventListener(name, handler, { signal: this.closing.signal });
    on("waiting", () => this.onWaiting());
    on("playing", () => this.onPlaying());
    on("loadeddata", () => (this.firstPicture ??= now()));
    on("play", () => this.session?.started && this.goLive());
    on("pause", () => this.tick());
    on("error", () => this.onError());
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.watchFrames();
  }

  close() {
    clearInterval(this.timer);
    this.closing.abort();
    this.session = null;
    this.video.removeAttribute("src");
    this.video.load();
    this.say("closed");
  }

  get closed() {
    return this.closing.signal.aborted;
  }

  async run() {
    const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;
    if (!Source) return this.playNatively();
    for (let attempt = 0; !this.closed; attempt++) {
      const began = now();
      try {
        await this.play(Source);
      } catch (error) {
        if (this.closed) return;
        this.say(error.state ?? "connecting", error.message);
      }
      if (now() - began > 10) attempt = 0;
      await sleep(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]);
    }
  }

  /// Without Media Source Extensions (older iPhones): the browser's own player follows the playlist.
  playNatively() {
    const { video } = this;
    if (!video.canPlayType("application/vnd.apple.mpegurl")) {
      return this.say("unsupported", "This browser plays no live streams. Open /live.ts in VLC or mpv.");
    }
    const playlist = new URL(this.url, document.baseURI);
    playlist.pathname = playlist.pathname.replace(/live\.mp4$/, "hls/live.m3u8");
    video.src = playlist;
    this.begin();
  }

  /// One request, from its beginning until it breaks off.
  async play(Source) {
    const address = new URL(this.url, document.baseURI);
    address.searchParams.set("delay_ms", Math.round(this.delay.now * 1000));
    const abort = new AbortController();
    this.closing.signal.addEventListener("abort", () => abort.abort(), { once: true });
    const response = await fetch(address, { cache: "no-store", signal: abort.signal });
    if (!response.ok) {
      const { error } = await response.json().catch(() => ({}));
      const states = { 415: "unsupported", 503: "waiting" };
      throw failure(states[response.status] ?? "failed", error ?? `The node answers ${response.status}.`);
    }
    const codecs = response.headers.get("x-hamlet-codecs");
    const type = `video/mp4; codecs="${codecs}"`;
    if (!Source.isTypeSupported(type)) {
      abort.abort();
      const remedy = "Open /live.ts in VLC or mpv, or have the source encode H.264 and AAC.";
      throw failure("unsupported", `This browser cannot decode ${codecs}. ${remedy}`);
    }
    const session = new Session(codecs, abort);
    this.session = session;
    this.say("waiting", "Waiting for the first picture.");
    try {
      await session.open(this.video, Source, type);
      const boxes = new Boxes();
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || this.closed || this.session !== session) break;
        boxes.push(value);
        for (let part; (part = boxes.next()); ) {
          session.note(part);
          await session.append(part.bytes, () => this.video.currentTime);
          this.prune(session);
          if (!session.started) this.start(session);
        }
      }
    } finally {
      abort.abort();
    }
  }

  start(session) {
    // The first fragments come in a burst; the newest of them is at the edge.
    if (!session.ranges().length || session.starting) return;
    session.starting = setTimeout(() => {
      if (this.session !== session || this.closed) return;
      session.started = true;
      this.seek(this.place(session));
      this.begin();
    }, 60);
  }

  async begin() {
    const { video } = this;
    try {
      await video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError" || this.closed) return;
      video.muted = true;
      this.status.muted = true;
      await video.play().catch(() => {});
    }
  }

  /// Where to play now: the delay behind the edge, within what is there.
  place(session) {
    const ranges = session.ranges();
    const [start, end] = ranges[ranges.length - 1];
    return Math.max(start, Math.min(session.edge() - this.delay.now, end - 0.05)) + 0.001;
  }

  seek(time) {
    this.video.currentTime = time;
  }

  goLive() {
    const { session } = this;
    if (!session?.started || !session.ranges().length) return;
    this.jump(this.place(session));
  }

  jump(time) {
    if (Math.abs(time - this.video.currentTime) < 0.05) return;
    this.counts.jumps++;
    this.seek(time);
  }

  onWaiting() {
    const { session, video } = this;
    if (!session?.started || video.paused || video.seeking || this.stalledSince !== null) return;
    this.stalledSince = now();
    this.tick();
  }

  onPlaying() {
    this.firstPicture ??= now();
    const { session, video } = this;
    if (session?.started && !session.settled) {
      // Beginning took a moment, by which it plays too late now.
      session.settled = true;
      const place = this.place(session);
      if (place - video.currentTime > START_LATE_S) this.seek(place);
    }
    if (this.stalledSince === null) return;
    const lasted = now() - this.stalledSince;
    this.stalledSince = null;
    // A source that fell silent is no reason to play later.
    const silent = this.session?.wasSilent ?? false;
    if (this.session) this.session.wasSilent = false;
    if (silent) return;
    this.counts.stalls++;
    this.counts.stalled_s += lasted;
    if (this.adaptive) this.setDelay(Math.min(this.delay.now + DELAY_STEP_S, DELAY_MAX_S));
  }

  onError() {
    // Closing takes the source away too.
    if (this.closed || !this.video.error) return;
    this.counts.errors++;
    this.say("failed", `The browser cannot play it: ${this.video.error.message || "decoding failed"}.`);
    this.session?.abort.abort();
    this.session = null;
  }

  setDelay(delay) {
    this.delay.now = delay;
    this.delay.changed = now();
  }

  tick() {
    const { session, video } = this;
    if (session?.started) {
      this.hop(session);
      this.keepPace(session);
      if (now() - this.delay.changed > QUIET_S && this.delay.now > this.delay.base) {
        this.setDelay(Math.max(this.delay.now - DELAY_STEP_S, this.delay.base));
      }
      const silent = session.silence() > SILENT_S;
      session.wasSilent ||= silent && this.stalledSince !== null;
      if (video.paused) this.say("paused", "Paused.");
      else if (silent && this.stalledSince !== null) {
        this.say("silent", "The source has fallen silent; it goes on by itself when it returns.");
      } else if (this.stalledSince !== null) this.say("stalled", "Waiting for the stream.");
      else this.say("playing");
    } else {
      this.onState(this.report());
    }
  }

  /// Over what is missing between two ranges.
  hop(session) {
    const { video } = this;
    if (video.seeking) return;
    const at = video.currentTime;
    const ranges = session.ranges();
    const inside = ranges.some(([start, end]) => start <= at && at < end - 0.1);
    const next = ranges.find(([start]) => start > at);
    if (!inside && next) this.jump(next[0] + 0.001);
  }

  keepPace(session) {
    const { video } = this;
    if (video.paused || video.seeking) return;
    const error = session.edge() - this.delay.now - video.currentTime;
    const stalled = this.stalledSince !== null;
    if (error > (stalled ? JUMP_AFTER_STALL_S : JUMP_S)) {
      const place = this.place(session);
      if (place > video.currentTime + 0.5) return this.jump(place);
    }
    const away = Math.abs(error);
    const settled = video.playbackRate === 1 ? away < DEAD_BAND_S : away < DEAD_BAND_S / 4;
    const by = away > 1 ? RATE_BRISK : RATE_GENTLE;
    video.playbackRate = settled ? 1 : error > 0 ? 1 + by : 1 - by;
  }

  prune(session) {
    const { video } = this;
    const ranges = session.ranges();
    if (!ranges.length) return;
    const start = ranges[0][0];
    const end = ranges[ranges.length - 1][1];
    const until = video.paused && session.started ? end - KEEP_PAUSED_S : video.currentTime - KEEP_PLAYED_S;
    if (until - start > KEEP_PLAYED_S) session.remove(until);
  }

  watchFrames() {
    const { video } = this;
    if (!video.requestVideoFrameCallback) return;
    const onFrame = (_, frame) => {
      if (this.closed) return;
      this.firstPicture ??= now();
      const shownAt = performance.timeOrigin + frame.expectedDisplayTime;
      const madeAt = this.session?.wallClock(frame.mediaTime);
      if (madeAt) this.liveDelay = shownAt - madeAt;
      video.requestVideoFrameCallback(onFrame);
    };
    video.requestVideoFrameCallback(onFrame);
  }

  say(state, message = "") {
    this.status.state = state;
    this.status.message = message;
    this.onState(this.report());
  }

  report() {
    const { video, session, counts } = this;
    const quality = video.getVideoPlaybackQuality?.();
    const ms = (seconds) => (Number.isFinite(seconds) ? Math.round(seconds * 1000) : null);
    const stalledNow = this.stalledSince === null ? 0 : now() - this.stalledSince;
    return {
      ...this.status,
      codecs: session?.codecs ?? null,
      live_delay_ms: this.liveDelay === undefined ? null : Math.round(this.liveDelay),
      behind_ms: session?.started ? ms(session.edge() - video.currentTime) : null,
      target_ms: ms(this.delay.now),
      buffer_ms: ms(session?.ahead(video.currentTime)),
      rate: video.playbackRate,
      stalls: counts.stalls,
      stalled_ms: ms(counts.stalled_s + stalledNow),
      jumps: counts.jumps,
      frames: quality?.totalVideoFrames ?? null,
      dropped_frames: quality?.droppedVideoFrames ?? null,
      errors: counts.errors,
      first_picture_ms: this.firstPicture === null ? null : ms(this.firstPicture - this.mounted),
    };
  }
}

/// What belongs to one request: its buffer, and how its time relates to the clocks.
class Session {
  constructor(codecs, abort) {
    Object.assign(this, { codecs, abort });
    this.timescale = 90000;
    this.references = [];
    this.offsets = [];
    this.heard = now();
    this.started = false;
  }

  async open(video, Source, type) {
    const source = new Source();
    // A managed source wants nobody to take the picture to another device.
    video.disableRemotePlayback = true;
    const address = URL.createObjectURL(source);
    video.src = address;
    if (source.readyState !== "open") await once(source, "sourceopen");
    URL.revokeObjectURL(address);
    this.buffer = source.addSourceBuffer(type);
  }

  ranges() {
    const ranges = [];
    try {
      const { buffered } = this.buffer;
      for (let at = 0; at < buffered.length; at++) ranges.push([buffered.start(at), buffered.end(at)]);
    } catch {
      // Its source was taken away.
    }
    return ranges;
  }

  ahead(time) {
    const range = this.buffer ? this.ranges().find(([start, end]) => start <= time + 0.1 && time < end) : null;
    return range ? range[1] - time : 0;
  }

  /// Notes what a part says of times.
  note({ timescale, reference }) {
    this.heard = now();
    if (timescale) this.timescale = timescale;
    if (!reference) return;
    const media = reference.mediaTime / this.timescale;
    this.references.push({ media, unixMs: reference.unixMs });
    if (this.references.length > 100) this.references.shift();
    this.offsets.push({ at: this.heard, offset: this.heard - media });
    while (this.heard - this.offsets[0].at > EDGE_WINDOW_S) this.offsets.shift();
  }

  /// Where the stream is by now.
  edge() {
    return now() - Math.min(...this.offsets.map(({ offset }) => offset));
  }

  silence() {
    return now() - this.heard;
  }

  /// When, by the source's clock, what is shown at `media` came in there, in milliseconds since 1970.
  wallClock(media) {
    const { references } = this;
    const reference = references.find((reference) => reference.media >= media) ?? references.at(-1);
    return reference && reference.unixMs + (media - reference.media) * 1000;
  }

  async append(bytes, currentTime) {
    await this.idle();
    try {
      this.buffer.appendBuffer(bytes);
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      this.buffer.remove(0, Math.max(currentTime() - 1, 0.1));
      await this.idle();
      this.buffer.appendBuffer(bytes);
    }
    await this.idle();
  }

  remove(until) {
    if (!this.buffer.updating) this.buffer.remove(0, until);
  }

  async idle() {
    if (this.buffer.updating) await once(this.buffer, "updateend");
  }
}

/// Takes the stream of bytes apart into what can be appended: everything up to the end of `moov` or `mdat`.
class Boxes {
  constructor() {
    this.bytes = new Uint8Array(0);
  }

  push(bytes) {
    const joined = new Uint8Array(this.bytes.length + bytes.length);
    joined.set(this.bytes);
    joined.set(bytes, this.bytes.length);
    this.bytes = joined;
  }

  next() {
    const { bytes } = this;
    const part = { timescale: null, reference: null };
    for (const box of boxesIn(bytes, 0, bytes.length)) {
      if (box.end > bytes.length) return null;
      if (box.name === "moov") part.timescale = timescaleIn(bytes, box);
      if (box.name === "prft") part.reference = readReference(bytes, box);
      if (box.name === "moov" || box.name === "mdat") {
        part.bytes = bytes.slice(0, box.end);
        this.bytes = bytes.slice(box.end);
        return part;
      }
    }
    return null;
  }
}

function* boxesIn(bytes, start, end) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = start; at + 8 <= end; ) {
    const length = view.getUint32(at);
    if (length < 8) throw new Error("the node sends no MP4");
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    yield { name, start: at + 8, end: at + length };
    at += length;
  }
}

/// The ticks per second of the first track.
function timescaleIn(bytes, moov) {
  let box = moov;
  for (const name of ["trak", "mdia", "mdhd"]) {
    for (const inner of boxesIn(bytes, box.start, box.end)) {
      if (inner.name === name) {
        box = inner;
        break;
      }
    }
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + box.start, box.end - box.start);
  return view.getUint32(view.getUint8(0) === 1 ? 20 : 12);
}

/// A producer reference time: when, by the source's clock, a time of the first track was now.
function readReference(bytes, box) {
  const view = new DataView(bytes.buffer, bytes.byteOffset + box.start, box.end - box.start);
  // NTP counts from 1900.
  const unixMs = (view.getUint32(8) - 2208988800) * 1000 + (view.getUint32(12) / 2 ** 32) * 1000;
  const mediaTime = view.getUint8(0) === 1 ? Number(view.getBigUint64(16)) : view.getUint32(16);
  return { unixMs, mediaTime };
}

function failure(state, message) {
  return Object.assign(new Error(message), { state });
}

function once(target, name) {
  return new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function now() {
  return performance.now() / 1000;
}
