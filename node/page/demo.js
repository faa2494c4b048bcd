// What only a demonstration has: all peers at once, and power over them.

import { post, token } from './feed.js';
import { html } from './svg.js';
import { count, percent, plural } from './text.js';

/** What can be done to a peer in a state. */
const ACTS = {
  honest: [['silence', 'Silence it', 'It takes shards and gives none from now on'], ['kill', 'Kill it', 'It ends at once, without a word']],
  silent: [['speak', 'Let it speak', 'It gives what it owes again'], ['kill', 'Kill it', 'It ends at once, without a word']],
  dead: [['revive', 'Bring it back', 'It starts anew, with its key and its place']],
};

export class Demo {
  constructor({ acts, all, table, verdict, warn, onPick }) {
    Object.assign(this, { acts, table, verdict, warn, onPick });
    this.allowed = Boolean(token());
    acts.hidden = all.hidden = false;
    this.rows = [];
    this.lines = new Map();
    this.late = [];
    this.#head();
  }

  #head() {
    const columns = ['Peer', 'Cluster', 'State', 'Plays', 'Delivered', 'Late', 'Left out', 'Repaired', 'Upload', 'Neighbours'];
    const cell = (name, at) => html('th', { scope: 'col', class: at > 3 ? 'number' : null }, name);
    this.body = html('tbody');
    this.table.replaceChildren(html('thead', {}, html('tr', {}, ...columns.map(cell))), this.body);
  }

  /** Takes what the network says: a row for every peer. */
  take(rows, focus) {
    this.rows = rows;
    const honest = rows.filter(row => row.state === 'honest');
    const playing = honest.filter(row => row.plays).length;
    const number = state => rows.filter(row => row.state === state).length;
    const [silent, dead] = [number('silent'), number('dead')];
    const parts = [
      playing === honest.length
        ? html('b', {}, `All ${count(honest.length)} honest peers are playing`)
        : html('span', { class: 'bad' }, `${count(playing)} of ${plural(honest.length, 'honest peer')} playing`),
      html('span', { class: 'count' }, `${silent} silent (${percent(silent / rows.length)}) · ${dead} gone`),
    ];
    const said = parts.map(part => part.textContent).join(' ');
    if (this.said !== said) {
      this.said = said;
      this.verdict.replaceChildren(...parts);
    }
    this.#list(focus);
    this.#offer(focus);
  }

  #list(focus) {
    for (const [peer, line] of this.lines) {
      if (this.rows.some(row => row.peer === peer)) continue;
      line.element.remove();
      this.lines.delete(peer);
    }
    for (const row of this.rows) {
      let line = this.lines.get(row.peer);
      if (!line) {
        const pick = html('button', { type: 'button' }, String(row.peer));
        pick.addEventListener('click', () => this.onPick(row.peer));
        line = { element: html('tr', {}, html('td', {}, pick)), cells: [] };
        for (let at = 1; at < 10; at++) line.cells.push(line.element.appendChild(html('td', { class: at > 3 ? 'number' : null })));
        this.lines.set(row.peer, line);
        this.body.append(line.element);
      }
      const gone = row.state === 'dead';
      const texts = [row.cluster, row.state === 'dead' ? 'gone' : row.state, gone ? '–' : row.state === 'source' ? 'sends' : row.plays ? 'yes' : 'no',
        ...(gone ? Array(6).fill('–') : [count(row.delivered), count(row.late), count(row.skipped), count(row.repaired),
          row.upload_ratio === null ? '–' : `${row.upload_ratio.toFixed(2)} ×`, `${row.links_connected} of ${row.links_wanted}`])];
      texts.forEach((text, at) => {
        if (line.cells[at].textContent !== String(text)) line.cells[at].textContent = text;
      });
      line.cells[1].className = `state ${row.state}`;
      line.element.classList.toggle('me', row.peer === focus);
    }
  }

  #offer(focus) {
    const row = this.rows.find(row => row.peer === focus);
    const state = `${focus} ${row?.state}`;
    if (!row || this.offered === state) return;
    this.offered = state;
    const had = document.activeElement?.dataset.act;
    const button = (act, text, title, does, main = false) => {
      const made = html('button', { type: 'button', title, class: main ? 'main' : null, 'data-act': act }, text);
      made.disabled = !this.allowed;
      made.addEventListener('click', does);
      return made;
    };
    const own = (ACTS[row.state] ?? []).map(([act, text, title], at) => button(act, text, title, () => this.#do(focus, act), at === 0));
    const apart = html('div', { class: 'apart' },
      button('most', 'Silence 30 %', 'Silences honest peers at random until 30 % of all keep silent', () => this.#silence(0.3)),
      button('heal', 'Heal all', 'Lets the silent speak and brings back the dead', () => this.#heal()));
    const note = row.state === 'source' ? [html('span', { class: 'role' }, 'The source stays as it is: without it there is nothing to watch.')] : [];
    const hint = this.allowed ? [] : [html('p', { class: 'role' }, 'To act on peers, open the link that the demonstration printed: the token is in it.')];
    this.acts.replaceChildren(...own, ...note, apart, ...hint);
    // Who acted by keyboard goes on where they were.
    if (had) (this.acts.querySelector(`[data-act="${had}"]`) ?? this.acts.querySelector('button'))?.focus();
  }

  async #do(peer, act) {
    try {
      await post(`api/v1/peers/${peer}/${act}`);
      this.warn('');
    } catch (error) {
      this.warn(`Peer ${peer}: ${error.message}`);
    }
  }

  async #silence(share) {
    const honest = this.rows.filter(row => row.state === 'honest').map(row => row.peer);
    let missing = Math.round(share * this.rows.length) - this.rows.filter(row => row.state === 'silent').length;
    while (missing-- > 0 && honest.length) {
      const [peer] = honest.splice(Math.floor(Math.random() * honest.length), 1);
      await this.#do(peer, 'silence');
    }
  }

  async #heal() {
    for (const row of this.rows) {
      if (row.state === 'silent') await this.#do(row.peer, 'speak');
      if (row.state === 'dead') await this.#do(row.peer, 'revive');
    }
  }
}
