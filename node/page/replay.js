// Replays a traced segment in slow motion: every shard that was seen, in the order in which it happened.
// Times are the peers' own; flights too short to see are drawn longer, and what follows from them waits.

/** How long the longest replay takes, how long the shortest flight, and a pause in which nothing happened. */
const WHOLE_MS = 3600;
const FLIGHT_MS = 420;
const QUIET_MS = 260;
/** How long the outcome stays. */
const REST_MS = 1500;

/**
 * When each hop is shown, in milliseconds from the replay's beginning. A relay hands on a shard only after
 * it came, so a hop begins when the one that brought its shard has landed; and nobody restores a segment
 * before `k` shards have landed.
 */
export function schedule(trace, k) {
  const times = new Set([0]);
  for (const [, , , sent, received] of trace.hops) {
    if (sent !== null) times.add(sent);
    if (received !== null) times.add(received);
  }
  for (const [, us] of trace.restored) times.add(us);
  const sorted = [...times].sort((a, b) => a - b);
  const span = sorted[sorted.length - 1] || 1;
  // Quiet stretches are shortened: late repairs would otherwise squeeze the rest into a blink.
  const scale = WHOLE_MS / 1.6 / Math.min(span, 120_000);
  const shown = new Map();
  let at = 0;
  sorted.forEach((us, place) => {
    if (place) at += Math.min((us - sorted[place - 1]) * scale, QUIET_MS);
    shown.set(us, at);
  });
  const landed = new Map();
  const order = [...trace.hops].sort((a, b) => (a[3] ?? a[4]) - (b[3] ?? b[4]));
  const hops = order.map(([from, to, shard, sent, received, asked]) => {
    const began = shown.get(sent ?? received);
    const ended = shown.get(received ?? sent);
    const start = Math.max(began, landed.get(`${from}:${shard}`) ?? 0);
    const end = Math.max(ended, start + FLIGHT_MS);
    const key = `${to}:${shard}`;
    if (received !== null) landed.set(key, Math.min(end, landed.get(key) ?? Infinity));
    return { from, to, shard, start, end, asked, came: received !== null, left: sent !== null };
  });
  const landings = new Map();
  for (const [key, end] of landed) {
    const peer = Number(key.split(':')[0]);
    landings.set(peer, [...(landings.get(peer) ?? []), end]);
  }
  const restored = new Map(trace.restored.map(([peer, us]) => {
    const ends = (landings.get(peer) ?? []).sort((a, b) => a - b);
    return [peer, Math.max(shown.get(us), ends[Math.min(k, ends.length) - 1] ?? 0)];
  }));
  const end = Math.max(0, ...hops.map(hop => hop.end), ...restored.values());
  return { hops, restored, end, span_ms: span / 1000 };
}

/** Plays traces on a map, one after the other, always the newest. */
export class Replay {
  #map;
  #watch;
  #me;
  #next = null;
  #playing = null;
  #still;
  #onChapter;
  #onCaption;
  focus = null;

  /** `me` is the one peer that sees, or null if all do; `k` shards restore a segment. */
  constructor(map, { me, k, n, onCaption, onChapter }) {
    this.#me = me;
    this.k = k;
    this.n = n;
    this.#onCaption = onCaption;
    this.#onChapter = onChapter;
    this.#still = matchMedia('(prefers-reduced-motion: reduce)');
    this.#watch = new ResizeObserver(() => this.#resize());
    this.use(map);
  }

  /** Goes on over another map. */
  use(map) {
    this.#watch.disconnect();
    this.#map = map;
    this.pen = map.canvas.getContext('2d');
    this.#watch.observe(map.canvas);
    this.#resize();
  }

  #resize() {
    const { clientWidth, clientHeight } = this.#map.canvas;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    Object.assign(this.#map.canvas, { width: clientWidth * ratio, height: clientHeight * ratio });
    const scale = (Math.min(clientWidth, clientHeight) * ratio) / 1000;
    this.pen.setTransform(scale, 0, 0, scale, (clientWidth * ratio) / 2, (clientHeight * ratio) / 2);
  }

  /** Plays a trace as soon as the one before is over. */
  show(trace) {
    if (trace.hops.length === 0) return;
    this.#next = trace;
    if (!this.#playing) this.#begin();
  }

  #begin() {
    const trace = this.#next;
    this.#next = null;
    if (!trace) {
      this.#playing = null;
      return;
    }
    const style = getComputedStyle(document.documentElement);
    this.colours = { live: style.getPropertyValue('--honest'), asked: style.getPropertyValue('--asked') };
    const plan = schedule(trace, Math.ceil((this.k * trace.slots.length) / this.n));
    plan.hops.sort((a, b) => a.start - b.start);
    this.#playing = { trace, ...plan, began: performance.now(), shards: new Map(), done: new Set(), chapter: 0 };
    const { peers, clusters } = this.#map.at;
    peers.forEach(({ peer }) => this.#map.fill(peer, 0));
    clusters.forEach(({ number }) => this.#map.have(number, ''));
    const all = trace.slots.length === this.n ? '' : `, shards of ${trace.slots.length} of ${this.n} slots`;
    const took = plan.span_ms < 10 ? plan.span_ms.toFixed(1) : Math.round(plan.span_ms);
    this.#onCaption(`segment ${trace.segment}${this.#still.matches ? '' : ' in slow motion'}: it took ${took} ms${all}`);
    if (this.#still.matches) {
      this.#settle(Infinity);
      this.#lines();
      this.#onChapter(3);
      setTimeout(() => this.#begin(), 2 * REST_MS);
    } else {
      requestAnimationFrame(now => this.#frame(now));
    }
  }

  #frame(now) {
    const playing = this.#playing;
    const at = now - playing.began;
    this.#clear();
    this.#settle(at);
    for (const hop of playing.hops) {
      if (hop.start > at) break;
      if (at < hop.end) this.#shard(hop, (at - hop.start) / (hop.end - hop.start));
      else if (at < hop.end + 260 && hop.came) this.#ring(hop, (at - hop.end) / 260);
    }
    if (at < playing.end + REST_MS) requestAnimationFrame(time => this.#frame(time));
    else this.#begin();
  }

  /** Brings rings and dials to the state at this time of the replay. */
  #settle(at) {
    const { hops, restored, shards, done, trace } = this.#playing;
    const { peers } = this.#map.at;
    for (const hop of hops) {
      if (hop.settled || hop.end > at || !hop.came) continue;
      hop.settled = true;
      const have = shards.get(hop.to) ?? shards.set(hop.to, new Set()).get(hop.to);
      have.add(hop.shard);
      // Where not all slots are shown, the share of those shown has to do.
      const needed = (this.k * trace.slots.length) / this.n;
      this.#map.fill(hop.to, Math.min(have.size / needed, done.has(hop.to) ? 1 : 0.94));
    }
    let changed = false;
    for (const [peer, time] of restored) {
      if (done.has(peer) || time > at) continue;
      done.add(peer);
      this.#map.fill(peer, 1);
      changed = true;
    }
    if (changed && this.#me === null) {
      const have = new Map();
      for (const peer of done) {
        const { cluster } = peers[peer];
        have.set(cluster, (have.get(cluster) ?? 0) + 1);
      }
      for (const [cluster, count] of have) {
        this.#map.have(cluster, `${count} of ${this.#map.network.clusters[cluster]?.members.length} have it`);
      }
    }
    const first = hops.find(hop => !this.#isSource(hop.from));
    const chapter = done.size > restored.size * 0.3 && done.size > 1 ? 3 : first && first.start <= at ? 2 : 1;
    if (chapter > this.#playing.chapter) {
      this.#playing.chapter = chapter;
      this.#onChapter(chapter);
    }
  }

  #isSource(peer) {
    return this.#map.network.streams.some(stream => stream.source === peer);
  }

  #clear() {
    const { width, height } = this.#map.canvas;
    this.pen.save();
    this.pen.setTransform(1, 0, 0, 1, 0, 0);
    this.pen.clearRect(0, 0, width, height);
    this.pen.restore();
  }

  #weight(hop) {
    return this.focus === null || hop.from === this.focus || hop.to === this.focus ? 1 : 0.7;
  }

  #shard(hop, share) {
    const { pen } = this;
    const { peers, size } = this.#map.at;
    const [from, to] = [peers[hop.from], peers[hop.to]];
    if (!from || !to) return;
    const ease = share * share * (3 - 2 * share);
    // What was sent and never seen to come fades on its way; with one pair of eyes that is all it sent.
    const lost = !hop.came && this.#me === null;
    const fade = lost ? Math.max(0, 1 - 1.6 * share) : 1;
    const [x, y] = [from.x + (to.x - from.x) * ease, from.y + (to.y - from.y) * ease];
    const tail = Math.max(0, ease - 0.16);
    pen.globalAlpha = 0.45 * fade * this.#weight(hop);
    pen.strokeStyle = pen.fillStyle = hop.asked ? this.colours.asked : this.colours.live;
    pen.lineWidth = Math.max(1.4, 0.16 * size);
    pen.beginPath();
    pen.moveTo(from.x + (to.x - from.x) * tail, from.y + (to.y - from.y) * tail);
    pen.lineTo(x, y);
    pen.stroke();
    pen.globalAlpha = fade * this.#weight(hop);
    pen.beginPath();
    pen.arc(x, y, Math.max(2.4, 0.3 * size), 0, 7);
    pen.fill();
    pen.globalAlpha = 1;
  }

  #ring(hop, share) {
    const { pen } = this;
    const { peers, size } = this.#map.at;
    const to = peers[hop.to];
    if (!to) return;
    pen.globalAlpha = 0.5 * (1 - share) * this.#weight(hop);
    pen.strokeStyle = hop.asked ? this.colours.asked : this.colours.live;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.arc(to.x, to.y, size * (1.7 + 0.6 * share), 0, 7);
    pen.stroke();
    pen.globalAlpha = 1;
  }

  /** All hops at once, for those who do not want things to move. */
  #lines() {
    this.#clear();
    const { pen } = this;
    const { peers } = this.#map.at;
    for (const hop of this.#playing.hops) {
      const [from, to] = [peers[hop.from], peers[hop.to]];
      if (!from || !to) continue;
      pen.globalAlpha = 0.35 * this.#weight(hop);
      pen.strokeStyle = hop.asked ? this.colours.asked : this.colours.live;
      pen.lineWidth = 1.4;
      pen.beginPath();
      pen.moveTo(from.x, from.y);
      pen.lineTo(to.x, to.y);
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }
}
