// Small charts of the last minute.

import { svg, html } from './svg.js';

const SECONDS = 60;

/** The newest samples of one peer: counters and values with their times, and what follows from them. */
export class History {
  samples = [];

  /** Takes a sample `{t, …}`, `t` in milliseconds; one that starts counting anew begins a new history. */
  add(sample) {
    const last = this.samples.at(-1);
    if (last && sample.t === last.t) return;
    if (last && sample.t < last.t) this.samples = [];
    this.samples.push(sample);
    while (this.samples[0].t < sample.t - SECONDS * 1000) this.samples.shift();
  }

  /** Points `[t, value]` of a value as it was. */
  values(name) {
    return this.samples.filter(sample => sample[name] !== null && sample[name] !== undefined).map(sample => [sample.t, sample[name]]);
  }

  /** Points of a counter's growth per second, over about two seconds each. */
  rates(name) {
    const points = [];
    let from = 0;
    this.samples.forEach((sample, place) => {
      while (sample.t - this.samples[from].t > 2200 && from < place - 1) from++;
      const first = this.samples[from];
      if (place && sample.t > first.t) points.push([sample.t, ((sample[name] - first[name]) * 1000) / (sample.t - first.t)]);
    });
    return points;
  }
}

/** A chart with a caption, of one line or several: `lines` are `{points, kind, area}`. */
export class Chart {
  constructor(name) {
    this.now = html('span');
    this.root = svg('svg', { viewBox: '0 0 100 40', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    this.element = html('figure', { class: 'chart' }, html('figcaption', {}, html('span', {}, name), this.now), this.root);
  }

  /** Draws; `least` is the smallest height of the scale, `words` the newest values as nodes. */
  draw(lines, least, words) {
    this.now.replaceChildren(...words);
    const newest = Math.max(...lines.flatMap(line => line.points.slice(-1).map(([t]) => t)));
    const top = Math.max(least, ...lines.flatMap(line => line.points.map(([, value]) => value))) * 1.08;
    const x = t => 100 - ((newest - t) / (SECONDS * 1000)) * 100;
    const y = value => 39 - (value / top) * 38;
    const shapes = [svg('line', { class: 'base', x1: 0, x2: 100, y1: 39.5, y2: 39.5 })];
    for (const { points, kind, area } of lines) {
      if (points.length < 2) continue;
      const path = points.map(([t, value]) => `${x(t).toFixed(2)},${y(value).toFixed(2)}`).join('L');
      if (area) shapes.push(svg('path', { class: `area ${kind}`, d: `M${x(points[0][0])},39.5L${path}L${x(points.at(-1)[0])},39.5Z` }));
      shapes.push(svg('path', { class: `stroke ${kind}`, d: `M${path}` }));
    }
    this.root.replaceChildren(...shapes);
  }
}
