/** Which shape a key means: the next one as one reads, the nearest in a direction. */

/** @typedef {import("./shapes.js").Shape} Shape */

/** @param {import("./shapes.js").Point[]} points */
export function boundsOf(points) {
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const [left, top, right, bottom] = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  return { left, top, right, bottom, x: (left + right) / 2, y: (top + bottom) / 2 };
}

/**
 * Row after row, from the left in each: what begins above the middle of a row's first one is in that row.
 * @param {Shape[]} shapes @returns {Shape[]}
 */
export function inReadingOrder(shapes) {
  const all = shapes.map((shape) => ({ shape, ...boundsOf(shape.points) })).sort((a, b) => a.top - b.top || a.left - b.left);
  const rows = [];
  for (const one of all) {
    const row = rows.at(-1);
    if (row && one.top <= row[0].y) row.push(one);
    else rows.push([one]);
  }
  return rows.flatMap((row) => row.sort((a, b) => a.left - b.left || a.top - b.top)).map(({ shape }) => shape);
}

/**
 * The nearest in a direction; what lies aside counts as further away.
 * @param {Shape[]} shapes @param {{x: number, y: number}} from @param {number} right @param {number} down
 * @returns {Shape | null}
 */
export function nearest(shapes, from, right, down) {
  let best = null;
  let least = Infinity;
  for (const shape of shapes) {
    const { x, y } = boundsOf(shape.points);
    const along = (x - from.x) * right + (y - from.y) * down;
    const aside = Math.abs((x - from.x) * down) + Math.abs((y - from.y) * right);
    if (along <= 0 || along + 2 * aside >= least) continue;
    best = shape;
    least = along + 2 * aside;
  }
  return best;
}
