// The map: dials, cycles and peers as SVG, with names for those who do not see it. Shards fly on a canvas
// above it (replay.js).

import { svg, html } from './svg.js';
import { HALF, place, step } from './geometry.js';

/** Above so many peers only the own cluster and those next to it are drawn with their members. */
const PEERS_DRAWN = 1200;
const TURN = 2 * Math.PI;

/** What a peer can be, and what that is called. */
export const STATES = {
  source: 'source', honest: 'honest', silent: 'silent: takes and gives nothing', dead: 'gone', unknown: 'no link with this peer',
};

export class NetworkMap {
  #onPick;
  #marks = [];
  #facts = [];

  /** Draws a network into `element`; `onPick(peer)` is called when a peer is chosen, if any can be. */
  constructor(element, network, onPick) {
    this.network = network;
    this.#onPick = onPick;
    this.at = place(network);
    this.canvas = html('canvas', { 'aria-hidden': 'true' });
    this.root = svg('svg', {
      viewBox: `${-HALF} ${-HALF} ${2 * HALF} ${2 * HALF}`, role: 'group',
      'aria-label': `Map: ${network.peers.length} peers in ${network.clusters.filter(Boolean).length} clusters on ${network.cycles.length} cycles`,
    });
    element.classList.toggle('demo', Boolean(onPick));
    this.links = svg('g');
    this.root.append(this.#cycles(), this.#dials(), this.links, this.#peers());
    element.replaceChildren(this.root, this.canvas);
    this.root.addEventListener('keydown', event => this.#key(event));
  }

  #cycles() {
    const count = this.network.clusters.filter(Boolean).length;
    const group = svg('g', { 'aria-hidden': 'true' });
    this.network.cycles.forEach((cycle, number) => {
      cycle.forEach((from, at) => {
        const to = cycle[(at + 1) % cycle.length];
        if (from === to || (cycle.length === 2 && at === 1)) return;
        group.append(svg('path', { class: `cycle c${number}`, d: step(this.at.clusters[from], this.at.clusters[to], number, count) }));
      });
    });
    return group;
  }

  #dials() {
    const { r } = this.at;
    this.dials = [];
    const group = svg('g');
    this.at.clusters.forEach(({ x, y, number }) => {
      const { epoch, members: { length: members } } = this.network.clusters[number];
      const dial = svg('g', { class: 'dial', transform: `translate(${x},${y})` }, svg('circle', { class: 'face', r }));
      if (r > 60) {
        for (let hour = 0; hour < members; hour++) {
          const angle = (hour / members) * TURN - Math.PI / 2;
          const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
          dial.append(svg('line', { class: 'tick', x1: 0.97 * r * cos, y1: 0.97 * r * sin, x2: r * cos, y2: r * sin }));
        }
      }
      if (r > 90) {
        dial.append(svg('text', { class: 'name', y: -10 }, epoch ? `cluster ${number}, epoch ${epoch}` : `cluster ${number}`));
        dial.have = dial.appendChild(svg('text', { class: 'have', y: 12 }));
      }
      this.dials[number] = dial;
      group.append(dial);
    });
    return group;
  }

  #peers() {
    const { size, r } = this.at;
    const group = svg('g');
    const near = this.#near();
    this.at.peers.forEach(({ peer, x, y, angle, slots, cluster }) => {
      if (near && !near.has(cluster)) return;
      const ring = 1.55 * size;
      const round = TURN * ring;
      const arm = 0.5 * size;
      const fill = svg('circle', { class: 'fill', r: ring, 'stroke-width': 0.32 * size, transform: 'rotate(-90)', 'stroke-dasharray': `0 ${round}` });
      const source = this.network.streams.some(stream => stream.source === peer);
      const body = source
        ? svg('rect', { class: 'body', x: -size, y: -size, width: 2 * size, height: 2 * size, rx: 0.2 * size, transform: 'rotate(45) scale(.95)' })
        : svg('circle', { class: 'body', r: size, 'stroke-width': 0.16 * size });
      const mark = svg('g', { class: 'one honest', transform: `translate(${x},${y})`, role: this.#onPick ? 'button' : 'img', tabindex: '-1' },
        svg('circle', { class: 'hit', r: 2 * size }),
        svg('circle', { class: 'halo', r: 2.05 * size, 'stroke-width': Math.max(1.5, 0.2 * size) }),
        svg('circle', { class: 'track', r: ring, 'stroke-width': 0.32 * size }), fill, body,
        svg('path', { class: 'bar', 'stroke-width': 0.2 * size, d: `M${-1.6 * size},${1.6 * size} L${-0.8 * size},${0.8 * size} M${0.8 * size},${-0.8 * size} L${1.6 * size},${-1.6 * size}` }),
        svg('path', { class: 'cross', 'stroke-width': 0.18 * size, d: `M${-arm},${-arm} L${arm},${arm} M${arm},${-arm} L${-arm},${arm}` }));
      if (size > 7) mark.append(svg('text', { class: 'label', 'font-size': size * (peer > 99 ? 0.8 : 1) }, String(peer)));
      if (r > 120) {
        const far = (0.91 - this.at.hour) * r;
        const hour = svg('text', { class: 'hour', x: far * Math.cos(angle), y: far * Math.sin(angle) }, slots.join('·'));
        mark.append(hour);
      }
      mark.append(svg('title'));
      mark.fill = fill;
      mark.round = round;
      mark.source = source;
      if (this.#onPick) {
        mark.addEventListener('click', () => this.#onPick(peer));
      }
      this.#marks[peer] = mark;
      group.append(mark);
    });
    const first = this.#marks.findIndex(Boolean);
    (this.#marks[this.network.me] ?? this.#marks[first])?.setAttribute('tabindex', '0');
    return group;
  }

  /** The clusters whose members are drawn; none if all are. */
  #near() {
    const { network } = this;
    if (network.peers.length <= PEERS_DRAWN || network.me === null) return null;
    const own = this.at.peers[network.me]?.cluster;
    const near = new Set([own]);
    for (const cycle of network.cycles) {
      const at = cycle.indexOf(own);
      near.add(cycle[(at + 1) % cycle.length]).add(cycle[(at + cycle.length - 1) % cycle.length]);
    }
    return near;
  }

  /** Arrow keys lead from peer to peer, Enter chooses. */
  #key(event) {
    const peer = this.#marks.indexOf(event.target.closest?.('.one'));
    if (peer < 0) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.#onPick?.(peer);
      return;
    }
    const toward = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (!toward) return;
    event.preventDefault();
    const here = this.at.peers[peer];
    let best = null;
    for (const { peer: other, x, y } of this.at.peers.filter(Boolean)) {
      if (other === peer || !this.#marks[other]) continue;
      const [dx, dy] = [x - here.x, y - here.y];
      const along = dx * toward[0] + dy * toward[1];
      const aside = Math.abs(dx * toward[1]) + Math.abs(dy * toward[0]);
      const cost = along + 2 * aside;
      if (along > 1 && aside <= 2 * along && (!best || cost < best.cost)) best = { other, cost };
    }
    if (best) {
      event.target.closest('.one').setAttribute('tabindex', '-1');
      this.#marks[best.other].setAttribute('tabindex', '0');
      this.#marks[best.other].focus();
    }
  }

  /** The peer that arrow keys start from, if the keyboard is on the map. */
  picked() {
    return this.#marks.indexOf(document.activeElement?.closest?.('.one'));
  }

  /** Puts the keyboard on this peer, if it is drawn. */
  pick(peer) {
    this.#marks[peer]?.focus();
  }

  /** Says of a peer what it is (a key of STATES) and how it does, in words. */
  set(peer, state, words = '') {
    const mark = this.#marks[peer];
    const text = `${state}|${words}`;
    if (!mark || this.#facts[peer] === text) return;
    this.#facts[peer] = text;
    for (const name of Object.keys(STATES)) mark.classList.toggle(name, name === state);
    if (mark.source && state !== 'dead') mark.classList.add('source');
    const { cluster, slots } = this.at.peers[peer];
    const said = `Peer ${peer}, ${this.network.peers[peer]}…, cluster ${cluster}, slots ${slots.join(', ')}: ${STATES[state]}${words && `; ${words}`}`;
    mark.querySelector('title').textContent = said;
    mark.setAttribute('aria-label', said);
  }

  /** Marks the peer that is looked at, and draws its links: `[{peer, connected}]`. */
  focus(peer, links) {
    this.#marks.forEach((mark, number) => {
      mark.classList.toggle('me', number === peer);
      if (this.#onPick) mark.setAttribute('aria-pressed', String(number === peer));
    });
    this.dials.forEach((dial, number) => dial.classList.toggle('mine', this.at.peers[peer]?.cluster === number));
    const from = this.at.peers[peer];
    this.links.replaceChildren(...(from ? links : []).flatMap(link => {
      const to = this.at.peers[link.peer];
      return to && this.#marks[link.peer]
        ? [svg('line', { class: `link${link.connected ? '' : ' away'}`, x1: from.x, y1: from.y, x2: to.x, y2: to.y })]
        : [];
    }));
  }

  /** Shows that a peer has this share of the shards that it needs. */
  fill(peer, share) {
    const mark = this.#marks[peer];
    if (mark) mark.fill.setAttribute('stroke-dasharray', `${Math.min(share, 1) * mark.round} ${mark.round}`);
  }

  /** Says in a cluster's dial how many members have the segment. */
  have(cluster, text) {
    const dial = this.dials[cluster];
    if (dial?.have) dial.have.textContent = text;
  }
}
