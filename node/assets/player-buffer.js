// One request of the player: what it buffers, and how the stream's time relates to the clocks.

// The edge is that of the promptest fragment within this time.
const EDGE_WINDOW_S = 10;

/// What belongs to one request: its buffer, and how its time relates to the clocks.
export class Session {
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
export class Boxes {
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

function once(target, name) {
  return new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));
}

export function now() {
  return performance.now() / 1000;
}
