// Who comes, goes and moves, in words: what differs from one map to the next; and who is barred, and why.

import { html } from './svg.js';

/** So many lines are kept. */
const LINES = 6;

export class News {
  #list;
  #accused = new Set();

  constructor(list) {
    this.#list = list;
  }

  /** Peers that stand elsewhere on the map after this than before, the newest first. */
  tell(before, after) {
    const place = (map, peer) => map.peers[peer]?.cluster;
    for (let peer = 0; peer < Math.max(before.peers.length, after.peers.length); peer++) {
      const [from, to] = [place(before, peer), place(after, peer)];
      if (from === to) continue;
      const text = from === undefined ? `peer ${peer} has a place in cluster ${to}`
        : to === undefined ? `peer ${peer} is no member of cluster ${from} any more`
          : `peer ${peer} moved from cluster ${from} to cluster ${to}`;
      this.#add(new Date(), text);
    }
  }

  /** Evidence that a peer keeps: whoever is barred is told once, with the hour at which the peer heard of it. */
  accuse(proofs) {
    for (const { id, culprit, why, barred, heard_unix_ms } of [...proofs].reverse()) {
      if (!barred || this.#accused.has(id)) continue;
      this.#accused.add(id);
      this.#add(new Date(heard_unix_ms), `${culprit.slice(0, 8)} is barred: ${why}`);
    }
  }

  #add(at, text) {
    const time = at.toLocaleTimeString([], { hour12: false });
    this.#list.prepend(html('li', {}, html('time', {}, time), ` ${text}`));
    while (this.#list.children.length > LINES) this.#list.lastChild.remove();
    this.#list.hidden = !this.#list.children.length;
  }
}
