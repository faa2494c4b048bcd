// Where everything stands. Clusters stand on a ring in the order of the first cycle. Each is a dial: its
// members stand at the hours of their slots, so that equal slots of all clusters stand at equal hours.

/** Half the side of the drawing, whose middle is at 0, 0. */
export const HALF = 500;
const MARGIN = 6;
/** Distances between dials over their diameters. */
const GAP = 1.17;
/** Where peers stand on their dial: further out where there is no room for the numbers of their slots. */
const hourOf = r => (r > 120 ? 0.645 : 0.8);

/**
 * Places clusters and peers. Slot `t` of a cluster of `g` members is held like slot `t + g`, so both stand
 * at the hour `t mod g` of `g`.
 */
export function place(network) {
  // Clusters of which is not known where on the cycle they lie come last.
  const order = [...new Set([...(network.cycles[0] ?? []), ...network.clusters.map((_, number) => number).filter(() => true)])];
  const count = order.length;
  const reach = HALF - MARGIN;
  // Four dials fill a square best from its corners.
  const turn = count === 4 ? Math.PI / 4 : 0;
  const unit = order.map((_, at) => {
    const angle = (at / count) * 2 * Math.PI - Math.PI / 2 + turn;
    return count > 1 ? { x: Math.cos(angle), y: Math.sin(angle) } : { x: 0, y: 0 };
  });
  // As large as fits: dials keep a distance from each other, and the outermost touch the margin.
  const apart = count > 1 ? Math.sin(Math.PI / count) / GAP : 0.9;
  const [xs, ys] = [unit.map(({ x }) => x), unit.map(({ y }) => y)];
  const extent = values => (Math.max(...values) - Math.min(...values)) / 2;
  const middle = values => (Math.max(...values) + Math.min(...values)) / 2;
  const scale = count > 1 ? reach / (Math.max(extent(xs), extent(ys)) + apart) : reach;
  const r = scale * apart;
  const clusters = [];
  const peers = [];
  const largest = Math.max(...network.clusters.filter(Boolean).map(cluster => cluster.members.length));
  order.forEach((number, at) => {
    clusters[number] = { number, x: scale * (unit[at].x - middle(xs)), y: scale * (unit[at].y - middle(ys)), r, at };
  });
  const hour = hourOf(r);
  const across = 2 * r * hour * Math.sin(Math.PI / Math.max(largest, 3));
  const size = Math.min(19, across * 0.27, r * 0.13);
  network.clusters.forEach((cluster, number) => {
    const { x, y } = clusters[number];
    const g = cluster.members.length;
    cluster.slots.slice(0, g).forEach((peer, at) => {
      const angle = (at / g) * 2 * Math.PI - Math.PI / 2;
      const slots = cluster.slots.flatMap((holder, slot) => (holder === peer ? [slot] : []));
      peers[peer] = { peer, cluster: number, angle, slots, x: x + hour * r * Math.cos(angle), y: y + hour * r * Math.sin(angle) };
    });
  });
  return { clusters, peers, r, hour, size };
}

/** The curve of one step of a cycle: the ring itself for the first, chords for the others. */
export function step(from, to, cycle, count) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  if (cycle === 0) {
    const out = count > 4 ? 0.12 : 0.06;
    return `M${from.x},${from.y} Q${middle.x * (1 + out)},${middle.y * (1 + out)} ${to.x},${to.y}`;
  }
  // Chords bend aside, each cycle by another amount, so that steps over the same clusters stay apart.
  const bend = (18 + 16 * cycle) * (cycle % 2 ? 1 : -1);
  const control = { x: middle.x * 0.84 + (bend * dy) / length, y: middle.y * 0.84 - (bend * dx) / length };
  return `M${from.x},${from.y} Q${control.x},${control.y} ${to.x},${to.y}`;
}
