// What one peer says of itself: figures, charts, what it refused.

import { html } from './svg.js';
import { Chart } from './chart.js';
import { count, rate, time } from './text.js';

const MEANINGS = {
  malformed: 'not a message of the protocol', stranger: 'from a peer without a link', unlisted_publisher: 'of a stream nobody may publish',
  not_owed: 'neither owed nor asked for', mismatch: 'contradicting the digest', duplicate: 'there already',
  out_of_window: 'too old or too far ahead', over_rate: 'over the certified rate', too_many_requests: 'more requests than allowed', stopped: 'of a stream that was stopped',
};

export class PeerPanel {
  constructor({ facts, charts, refused }) {
    this.facts = facts;
    this.refused = refused;
    this.traffic = new Chart('Traffic');
    this.restore = new Chart('Time to restore');
    this.delay = new Chart('Delay since the cut');
    charts.replaceChildren(this.traffic.element, this.restore.element, this.delay.element);
    this.cells = new Map();
  }

  #cell(name, title, number, unit = '', warn = false) {
    let cell = this.cells.get(name);
    if (!cell) {
      cell = html('div', { title }, html('dt', {}, name), html('dd'));
      this.cells.set(name, cell);
      this.facts.append(cell);
    }
    cell.classList.toggle('warn', warn);
    const value = html('span', {}, number);
    cell.lastChild.replaceChildren(value, ...(unit ? [html('small', {}, ` ${unit}`)] : []));
  }

  /** Shows a status, the stream of this place in it, and what was before. */
  show(status, place, history) {
    const stream = status.streams[place];
    const silent = stream.silent_slots.length;
    this.#cell('Delivered', 'Segments handed out in order, each compared with the hash that the source signed', count(stream.own ? stream.published : stream.delivered), stream.own ? 'published' : 'segments');
    this.#cell('Late', 'Restored more than 1.5 s after this peer first heard of them', count(stream.late));
    this.#cell('Repaired', 'Restored after shards had to be asked for', count(stream.repaired));
    this.#cell('Left out', 'Did not come within 2 s and were left out', count(stream.skipped), '', stream.skipped > 0);
    this.#cell('Upload', 'Bytes sent over the bytes of the stream, everything counted', status.upload_ratio === null ? '–' : status.upload_ratio.toFixed(2), '× stream');
    this.#cell('Buffer', 'Segments restored that wait for an earlier one', count(stream.buffered), stream.buffered === 1 ? 'segment' : 'segments');
    this.#cell('Neighbours', 'Links that are connected, of those that this peer wants', `${status.links_connected}`, `of ${status.links_wanted}`, status.links_connected < status.links_wanted / 2);
    this.#cell('Silent slots', 'Slots of its cluster that do not give what they owe, as this peer sees it', count(silent), silent ? stream.silent_slots.join(' ') : `of ${status.network.parameters.n}`);

    const [received, sent] = [history.rates('received'), history.rates('sent')];
    const last = points => points.at(-1)?.[1] ?? 0;
    const figure = (kind, [number, unit], sign = '') => html('span', { class: kind }, sign, html('b', {}, number), ` ${unit}`);
    this.traffic.draw([{ points: received, kind: 'in', area: true }, { points: sent, kind: 'out' }], 20_000,
      [figure('in', rate(last(received)), '↓ '), ' ', figure('out', rate(last(sent)), '↑ ')]);
    this.restore.draw([{ points: history.values('restore'), kind: 'in', area: true }], 100, [figure('', time(stream.restore_ms))]);
    this.delay.draw([{ points: history.values('delay'), kind: 'plain', area: true }], 200, [figure('', time(stream.delay_ms))]);
    this.#showRefused(status);
  }

  #showRefused(status) {
    const kinds = Object.entries(status.refused).filter(([, number]) => number > 0);
    const rows = kinds.map(([kind, number]) => html('li', {}, html('b', {}, count(number)), ` ${MEANINGS[kind] ?? kind}`));
    const text = JSON.stringify(kinds);
    if (this.said === text) return;
    this.said = text;
    this.refused.replaceChildren(rows.length ? html('span', {}, 'Refused: ') : 'Nothing was refused.', ...(rows.length ? [html('ul', {}, ...rows)] : []));
  }

  /** Shows that there is nothing to show. */
  clear() {
    this.facts.replaceChildren();
    this.cells.clear();
    this.refused.replaceChildren();
    this.said = null;
    for (const chart of [this.traffic, this.restore, this.delay]) chart.draw([], 1, []);
  }
}

/** A sample for the history of a peer, from its status. */
export function sample(status, place) {
  const stream = status.streams[place];
  return { t: status.running_ms, received: status.received_bytes, sent: status.sent_bytes, restore: stream.restore_ms, delay: stream.delay_ms };
}

