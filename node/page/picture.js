// The picture: the player, its sound, the live delay, and what is being waited for.

import { withToken } from './feed.js';
import { html } from './svg.js';
import { time } from './text.js';

/** States of the player in which its picture is worth looking at. */
const SHOWN = new Set(['playing', 'paused']);
/** States of the player of which it knows more than the node. */
const OWN = new Set(['unsupported', 'failed', 'stalled', 'silent']);

export class Picture {
  #player = null;
  #url = null;
  #state = null;
  #says = '';

  constructor(byId) {
    this.video = byId('video');
    this.waiting = byId('waiting');
    this.text = byId('waiting-text');
    this.delay = byId('delay');
    this.mute = byId('mute');
    this.volume = byId('volume');
    this.players = byId('players');
    this.mute.addEventListener('click', () => (this.video.muted = !this.video.muted));
    this.volume.addEventListener('input', () => {
      this.video.volume = Number(this.volume.value);
      this.video.muted = this.video.volume === 0;
    });
    // The player may have to begin without sound too: what the button says follows the video.
    this.video.addEventListener('volumechange', () => this.#sound());
    const full = byId('full');
    full.hidden = !document.fullscreenEnabled;
    full.addEventListener('click', () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else byId('screen').requestFullscreen();
    });
    this.#sound();
  }

  #sound() {
    this.mute.textContent = this.video.muted ? 'Sound on' : 'Sound off';
  }

  /** Plays the stream that a node serves under `base`, instead of what was played before. */
  async play(base, key) {
    const url = `${base}live.mp4?stream=${key}`;
    if (url === this.#url) return;
    this.stop();
    this.#url = url;
    const link = (path, text) => html('a', { href: withToken(`${base}${path}?stream=${key}`) }, text);
    this.players.replaceChildren('Elsewhere: ', link('live.ts', 'live.ts'), ' for VLC, mpv and ffplay, ', link('hls/live.m3u8', 'live.m3u8'), ' for Safari and phones');
    const { mountPlayer } = await import('../player.js');
    if (this.#url !== url) return;
    this.#player = mountPlayer(this.video, { url: withToken(url), onState: state => this.#heard(url, state) });
  }

  /** Plays nothing, and says why. */
  stop(says = '') {
    this.#url = null;
    this.#player?.close();
    this.#player = null;
    this.#state = null;
    this.#says = says;
    this.#show();
  }

  /** What the player says of itself. */
  #heard(url, state) {
    if (url !== this.#url) return;
    this.#state = state;
    this.#show();
  }

  /** What the node says of the stream. */
  says(text, live) {
    this.#says = live ? 'The stream is here; a picture comes with the next keyframe …' : text;
    this.#show();
  }

  #show() {
    const state = this.#state;
    const shown = state !== null && SHOWN.has(state.state);
    const text = shown ? '' : state && OWN.has(state.state) && state.message ? state.message : this.#says;
    this.waiting.classList.toggle('done', shown);
    if (this.text.textContent !== text) this.text.textContent = text;
    const delay = shown ? state.live_delay_ms : null;
    if (!Number.isFinite(delay)) return this.delay.replaceChildren();
    const [number, unit] = time(Math.max(0, delay));
    this.delay.replaceChildren(`${number} ${unit} `, html('small', {}, 'behind live'));
  }
}
