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

import { Boxes, Session, now } from "./player-buffer.js";

// A delay that stalls have lengthened never becomes longer than this.
const DELAY_MAX_S = 6;
const DELAY_STEP_S = 0.25;
// After so long without a stall the delay becomes a step shorter again.
const QUIET_S = 60;
// Playing is so much faster or slower than the stream when it is a little off, and when it is far off.
const RATE_GENTLE = 0.05;
const RATE_BRISK = 0.1;
// So far off is far.
const FAR_S = 0.5;
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
// Pictures may stand still for so long, a seek included, before it is a stall.
const STILL_S = 0.6;
// With so much to be played a seek ends by itself.
const AHEAD_S = 0.2;
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
    this.soughtAt = 0;
    // Where it played last, and when it went on from there.
    this.progress = { at: 0, since: now() };
    this.closing = new AbortController();
    const on = (name, handler) =>
      video.addEventListener(name, handler, { signal: this.closing.signal });
    on("waiting", () => video.seeking || this.onStill(now()));
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
    this.soughtAt = now();
    this.video.currentTime = time;
  }

  /// Whether a seek is on its way. One to where next to nothing is to be played may never end.
  get seeking() {
    const { session, video } = this;
    return video.seeking && (now() - this.soughtAt < STILL_S || session.ahead(video.currentTime) > AHEAD_S);
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

  onStill(since) {
    if (!this.session?.started || this.video.paused || this.stalledSince !== null) return;
    this.stalledSince = since;
  }

  /// Pictures that stand still are a stall, whatever the events say: what runs dry while a seek goes on, or
  /// where only the sound goes on for a moment, is told by none.
  watchProgress() {
    const { video, progress } = this;
    const at = video.currentTime;
    const ready = video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA && !video.seeking;
    const runs = at !== progress.at && ready;
    if (runs && this.stalledSince !== null) this.onPlaying();
    if (runs || video.paused) {
      this.progress = { at, since: now() };
    } else if (now() - progress.since > STILL_S) {
      this.onStill(progress.since);
    }
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
      this.watchProgress();
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
    if (this.seeking) return;
    const at = video.currentTime;
    const ranges = session.ranges();
    const inside = ranges.some(([start, end]) => start <= at && at < end - 0.1);
    const next = ranges.find(([start]) => start > at);
    if (!inside && next) this.jump(next[0] + 0.001);
  }

  keepPace(session) {
    const { video } = this;
    if (video.paused || this.seeking) return;
    const error = session.edge() - this.delay.now - video.currentTime;
    const stalled = this.stalledSince !== null;
    if (error > (stalled ? JUMP_AFTER_STALL_S : JUMP_S)) {
      const place = this.place(session);
      if (place > video.currentTime + 0.5) return this.jump(place);
    }
    const away = Math.abs(error);
    const settled = video.playbackRate === 1 ? away < DEAD_BAND_S : away < DEAD_BAND_S / 4;
    const by = away > FAR_S ? RATE_BRISK : RATE_GENTLE;
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

function failure(state, message) {
  return Object.assign(new Error(message), { state });
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
