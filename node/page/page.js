// The page of a node, and of a whole demonstration: the same map and panels, fed by server-sent events.

import { Refused, follow, get, keepToken, token } from './feed.js';
import { History } from './chart.js';
import { Demo } from './demo.js';
import { NetworkMap } from './map.js';
import { News } from './news.js';
import { PeerPanel, sample } from './peer.js';
import { Picture } from './picture.js';
import { Replay } from './replay.js';
import { html, svg } from './svg.js';
import { duration, plural } from './text.js';

/** The map is drawn anew at most this often, in milliseconds. */
const REDRAW_EVERY = 1500;

const byId = id => document.getElementById(id);

const page = {
  network: null,
  /** The peer that is looked at. */
  focus: null,
  /** The stream that is looked at, by its place. */
  stream: 0,
  histories: new Map(),
  /** When the map was drawn anew. */
  drawn: 0,
  feed: null,
};

function warn(text) {
  byId('alert').textContent = text;
  byId('alert').hidden = !text;
}

async function begin() {
  token();
  try {
    page.network = await theNetwork();
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return askToken();
    warn(`${error.message}. Trying again …`);
    setTimeout(begin, 2000);
    return;
  }
  warn('');
  const { network } = page;
  const demo = network.me === null;
  document.title = `Hamlet · ${network.name}`;
  size();
  page.map = new NetworkMap(byId('map'), network, demo ? look : null);
  page.news = new News(byId('news'));
  page.replay = new Replay(page.map, {
    me: network.me, k: network.parameters.k, n: network.parameters.n,
    onCaption: text => (byId('replay').textContent = text),
    onChapter: chapter => [...byId('story').children].forEach((step, at) => step.classList.toggle('now', at === chapter - 1)),
  });
  page.panel = new PeerPanel({ facts: byId('facts'), charts: byId('charts'), refused: byId('refused') });
  page.picture = new Picture(byId);
  tell(demo);
  chooseStream();
  if (demo) {
    page.demo = new Demo({ acts: byId('acts'), all: byId('all'), table: byId('table'), verdict: byId('verdict'), warn, onPick: look });
    const source = network.streams[0].source;
    const given = Number(new URLSearchParams(location.search).get('peer') ?? NaN);
    const first = network.peers.findIndex((_, peer) => peer !== source);
    look(network.peers[given] ? given : first);
  } else {
    look(network.me);
  }
}

function askToken() {
  byId('main').hidden = true;
  byId('door').hidden = false;
  byId('token').focus();
  byId('door').onsubmit = event => {
    event.preventDefault();
    keepToken(byId('token').value);
    location.reload();
  };
}

/** Looks at a peer: plays what it sees and shows what it says. */
function look(peer) {
  const demo = page.network.me === null;
  page.focus = peer;
  page.status = null;
  page.replay.focus = peer;
  page.map.focus(peer, []);
  page.panel.clear();
  byId('peer-title').textContent = demo ? `Peer ${peer}` : `This peer, ${peer}`;
  byId('peer-role').textContent = '';
  play();
  page.feed?.close();
  page.feed = follow(demo ? `api/v1/events?peer=${peer}` : 'api/v1/events', take, (up, error) => {
    if (up) return found();
    page.picture.says('The node does not answer; trying again …', false);
    warn(error instanceof Refused ? error.message : `The ${demo ? 'demonstration' : 'node'} does not answer. Start it again if it was stopped; this page goes on by itself.`);
  });
}

/** The network, its clusters by their numbers: some may be missing. */
async function theNetwork() {
  const network = await get('api/v1/network');
  const clusters = [];
  for (const cluster of network.clusters) clusters[cluster.number] = cluster;
  return { ...network, clusters };
}

/** How large the network is: members of clusters, in the newest epochs that are known. */
function size() {
  const { name, clusters, cycles } = page.network;
  const members = new Set(clusters.flatMap(cluster => cluster.members));
  byId('where').textContent = `${name} · ${plural(members.size, 'peer')} in ${plural(clusters.filter(Boolean).length, 'cluster')} on ${plural(cycles.length, 'cycle')}`;
}

/** Clusters are in other epochs: others are in them, at other hours. */
async function redraw() {
  if (performance.now() < page.drawn + REDRAW_EVERY) return;
  page.drawn = performance.now();
  const network = await theNetwork();
  const before = page.map.at;
  const picked = page.map.picked();
  page.network = network;
  size();
  page.map = new NetworkMap(byId('map'), network, network.me === null ? look : null);
  page.replay.use(page.map);
  page.map.pick(picked);
  page.news.tell(before, page.map.at);
  await accuse();
  if (page.status) page.map.focus(page.focus, page.status.links);
}

/** Who is barred, as the peer that is shown knows. A network whose clusters agree on nothing knows of nobody. */
async function accuse() {
  const door = page.network.me === null ? `peers/${page.focus}/` : '';
  page.news.accuse(await get(`${door}api/v1/evidence`).catch(() => []));
}

/** Whether the map shows another epoch of a cluster than the node knows. */
const isPast = ({ cluster, epoch }) => page.network.clusters[cluster]?.epoch !== epoch;

/** Events come, perhaps again: whatever answers now may be another network. */
async function found() {
  warn('');
  const network = await theNetwork();
  if (network.id !== page.network.id) location.reload();
}

function play() {
  const base = page.network.me === null ? `peers/${page.focus}/` : '';
  page.picture.play(base, page.network.streams[page.stream].key).catch(() => {
    page.picture.says('This program has no player for browsers; open live.ts in VLC, mpv or ffplay.', false);
  });
}

function take(name, data) {
  if (name === 'status') takeStatus(data);
  if (name === 'network') takeNetwork(data);
  if (name === 'trace' && data.stream === page.stream) page.replay.show(data);
}

function history(peer) {
  if (!page.histories.has(peer)) page.histories.set(peer, new History());
  return page.histories.get(peer);
}

function takeStatus(status) {
  const { network, focus, stream } = page;
  const demo = network.me === null;
  page.status = status;
  if (!demo) history(focus).add(sample(status, stream));
  page.panel.show(status, stream, history(focus));
  const { says, state, own } = status.streams[stream];
  page.picture.says(says, state === 'live');
  page.map.focus(focus, status.links);
  const at = page.map.at.peers[focus];
  const slots = at && `slot${at.slots.length === 1 ? '' : 's'} ${at.slots.join(', ')}`;
  const place = at ? `cluster ${at.cluster}, ${slots}` : `no member of cluster ${status.cluster}`;
  byId('peer-role').textContent = `${place} · ${network.peers[focus]}… · up for ${duration(status.running_ms)}`;
  if (demo) return;
  if (status.epochs.some(isPast)) redraw().catch(() => {});
  if (byId('verdict').textContent !== says) byId('verdict').textContent = own ? `publishing; ${says}` : says;
  takeNeighbours(status);
}

/** A node knows its neighbours only: those with a link, and which slots of its cluster are silent. */
function takeNeighbours(status) {
  const { network, focus, stream } = page;
  const links = new Map(status.links.map(link => [link.peer, link]));
  const slots = network.clusters[status.cluster]?.slots ?? [];
  const silent = new Set(status.streams[stream].silent_slots.map(slot => slots[slot]));
  network.peers.forEach((_, peer) => {
    const link = links.get(peer);
    if (peer === focus) return page.map.set(peer, 'honest', 'this peer');
    if (!link) return page.map.set(peer, 'unknown');
    const refused = link.refused ? `${plural(link.refused, 'frame')} of it refused` : '';
    page.map.set(peer, link.connected ? (silent.has(peer) ? 'silent' : 'honest') : 'dead', link.connected ? refused : 'not connected');
  });
}

function takeNetwork({ peers, epochs }) {
  if (epochs.some(isPast)) redraw().catch(() => {});
  for (const row of peers) {
    row.cluster = page.map.at.peers[row.peer]?.cluster ?? '–';
    const words = row.state === 'dead' || row.state === 'source' ? '' : row.plays ? 'plays' : 'does not play';
    page.map.set(row.peer, row.state, words);
    if (row.state !== 'dead') {
      history(row.peer).add({ t: row.running_ms, received: row.received_bytes, sent: row.sent_bytes, restore: row.restore_ms, delay: row.delay_ms });
    }
    if (row.peer === page.focus && row.state === 'dead') {
      page.picture.stop(`Peer ${row.peer} is gone. The others play on.`);
      page.panel.clear();
      page.map.focus(row.peer, []);
      byId('peer-role').textContent = '';
      page.wasDead = row.peer;
    } else if (row.peer === page.focus && page.wasDead === row.peer) {
      page.wasDead = null;
      play();
    }
  }
  page.demo.take(peers, page.focus);
}

/** Where there are several streams, one is chosen. */
function chooseStream() {
  const { streams } = page.network;
  if (streams.length < 2) return;
  byId('streams').hidden = false;
  byId('stream').append(...streams.map((stream, place) => html('option', { value: place }, `stream ${place} of peer ${stream.source}`)));
  byId('stream').addEventListener('change', () => {
    page.stream = Number(byId('stream').value);
    page.histories.clear();
    play();
  });
}

/** Legend and story, in the network's own numbers. */
function tell(demo) {
  const { k, n } = page.network.parameters;
  const sign = (state, ...more) => svg('svg', { viewBox: '-12 -12 24 24', 'aria-hidden': 'true' },
    svg('g', { class: `one ${state}` }, svg('circle', { class: 'halo', r: 11, 'stroke-width': 2.4 }),
      state === 'source' ? svg('rect', { class: 'body', x: -7, y: -7, width: 14, height: 14, rx: 1.6, transform: 'rotate(45)' }) : svg('circle', { class: 'body', r: 7, 'stroke-width': 1.6 }), ...more));
  const entry = (mark, text) => html('li', {}, mark, text);
  const dash = number => svg('svg', { class: 'dash', viewBox: '0 0 24 8', 'aria-hidden': 'true' }, svg('path', { class: `cycle c${number}`, d: 'M0,4H24' }));
  byId('legend').replaceChildren(
    entry(sign('source'), 'source'),
    entry(sign('honest'), 'honest'),
    entry(sign('silent', svg('path', { class: 'bar', 'stroke-width': 2, d: 'M-10,10L10,-10' })), demo ? 'silent' : 'gives nothing'),
    entry(sign('dead', svg('path', { class: 'cross', 'stroke-width': 2, d: 'M-4,-4L4,4M4,-4L-4,4' })), demo ? 'gone' : 'not connected'),
    ...(demo ? [] : [entry(sign('unknown'), 'no link')]),
    entry(sign('honest me'), demo ? 'looked at' : 'this peer'),
    ...page.network.cycles.slice(0, 4).map((_, number) => entry(dash(number), `cycle ${number}`)),
    entry(html('span', { class: 'shard' }), 'shard'),
    entry(html('span', { class: 'shard asked' }), 'shard asked for'));
  const step = (...parts) => html('li', {}, ...parts);
  byId('story').replaceChildren(
    step(html('b', {}, 'Cut and coded.'), ` The source codes each segment to ${n} shards, any ${k} of which restore it, and hands each to the peers at one hour of the dial: a slot.`),
    step(html('b', {}, 'Relayed by slot.'), ' Who holds the slot checks the shard and passes it on at once: to its cluster, and to the same hour of the next clusters on each cycle.'),
    step(html('b', {}, `Any ${k} will do.`), ` A ring fills as shards come. Who has ${k} has the segment; what a silent relay owed is had from others.`));
  byId('foot').textContent = `Network ${page.network.id.slice(0, 16)}… What is played was signed by its source and checked here.`;
}

begin();
