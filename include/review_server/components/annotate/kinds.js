/**
 * The geometry of each kind of shape, as pure functions over points in stored image pixels. A box is its upper left
 * and lower right corner; every other kind is its points.
 *
 * drawing  "drag": press, drag, release · "path": one click per point · "point": one click
 * least    points (or, of a box, pixels a side) below which nothing has been drawn
 * inside   the part of the image in which points lie: a box ends at the last pixel's far edge
 */

import { clamp } from "../core/dom.js";

/** @typedef {import("./shapes.js").Point} Point */
/** @typedef {{width: number, height: number}} Size */

const LEAST_SIDE = 2;

/** Points for the eight handles of a box, clockwise from the upper left. */
const BOX_HANDLES = [[0, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1], [0.5, 1], [0, 1], [0, 0.5]];
const BOX_CURSORS = ["nwse", "ns", "nesw", "ew", "nwse", "ns", "nesw", "ew"];

export const BOX = {
  noun: "box",
  plural: "boxes",
  drawing: "drag",
  closed: true,
  room: 0,

  outline: ([a, b]) => [a, { x: b.x, y: a.y }, b, { x: a.x, y: b.y }],

  handles: ([a, b]) => BOX_HANDLES.map(([u, v]) => ({ x: a.x + u * (b.x - a.x), y: a.y + v * (b.y - a.y) })),

  cursor: (index) => `${BOX_CURSORS[index]}-resize`,

  /** @returns {Point[]} the box with one handle moved; dragging past the other side turns it over */
  withHandle([a, b], index, to) {
    const [u, v] = BOX_HANDLES[index];
    const x = [u === 0 ? to.x : a.x, u === 1 ? to.x : b.x];
    const y = [v === 0 ? to.y : a.y, v === 1 ? to.y : b.y];
    return boxOf({ x: x[0], y: y[0] }, { x: x[1], y: y[1] });
  },

  large: ([a, b]) => b.x - a.x >= LEAST_SIDE && b.y - a.y >= LEAST_SIDE,

  describe: ([a, b]) => `left ${a.x}, top ${a.y}, ${b.x - a.x} wide, ${b.y - a.y} high`,
  brief: ([a, b]) => `${b.x - a.x} × ${b.y - a.y}`,
};

const PATH = {
  drawing: "path",
  closed: false,
  // The last pixel of a row has the index width - 1.
  room: 1,
  outline: (points) => points,
  handles: (points) => points,
  cursor: () => "move",
  withHandle: (points, index, to) => points.map((point, at) => (at === index ? to : point)),
  large(points) {
    return points.length >= this.least;
  },
  describe: (points) => `${points.length} points, from ${points[0].x}, ${points[0].y}`,
  brief: (points) => `${points.length} points`,
};

export const POLYGON = { ...PATH, noun: "polygon", plural: "polygons", closed: true, least: 3 };
export const POLYLINE = { ...PATH, noun: "polyline", plural: "polylines", least: 2 };
export const LINE = {
  ...PATH, noun: "line", plural: "lines", least: 2, most: 2,
  brief: ([a, b]) => `${Math.round(Math.hypot(b.x - a.x, b.y - a.y))} px`,
  describe: ([a, b]) => `from ${a.x}, ${a.y} to ${b.x}, ${b.y}`,
};
export const KEYPOINT = {
  ...PATH, noun: "keypoint", plural: "keypoints", drawing: "point", least: 1, most: 1,
  brief: ([a]) => `${a.x}, ${a.y}`,
  describe: ([a]) => `at ${a.x}, ${a.y}`,
};

/** The box between two points, whichever way round. */
export function boxOf(a, b) {
  return [
    { x: Math.min(a.x, b.x), y: Math.min(a.y, b.y) },
    { x: Math.max(a.x, b.x), y: Math.max(a.y, b.y) },
  ];
}

/** Whole pixels inside the image. @param {Point} point @param {Size} size @param {number} room */
export function settled(point, size, room) {
  return {
    x: clamp(Math.round(point.x), 0, size.width - room),
    y: clamp(Math.round(point.y), 0, size.height - room),
  };
}

/** Points moved together, as far as the image allows. @param {Point[]} points @param {Size} size */
export function moved(points, dx, dy, size, room) {
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const right = clamp(Math.round(dx), Math.min(0, -Math.min(...xs)), Math.max(0, size.width - room - Math.max(...xs)));
  const down = clamp(Math.round(dy), Math.min(0, -Math.min(...ys)), Math.max(0, size.height - room - Math.max(...ys)));
  return points.map((point) => ({ x: point.x + right, y: point.y + down }));
}

/** Distance from a point to an outline (open or closed), in the unit of the points. */
export function distanceTo(outline, closed, point) {
  if (outline.length === 1) return Math.hypot(outline[0].x - point.x, outline[0].y - point.y);
  let least = Infinity;
  const last = closed ? outline.length : outline.length - 1;
  for (let index = 0; index < last; index += 1) {
    least = Math.min(least, distanceToSegment(outline[index], outline[(index + 1) % outline.length], point));
  }
  return least;
}

function distanceToSegment(a, b, point) {
  const length = (b.x - a.x) ** 2 + (b.y - a.y) ** 2;
  const along = length ? clamp(((point.x - a.x) * (b.x - a.x) + (point.y - a.y) * (b.y - a.y)) / length, 0, 1) : 0;
  return Math.hypot(a.x + along * (b.x - a.x) - point.x, a.y + along * (b.y - a.y) - point.y);
}

/** Whether a closed outline holds a point (even-odd rule). */
export function holds(outline, point) {
  let inside = false;
  outline.forEach((a, index) => {
    const b = outline[(index + 1) % outline.length];
    if (a.y > point.y !== b.y > point.y && point.x < ((b.x - a.x) * (point.y - a.y)) / (b.y - a.y) + a.x) inside = !inside;
  });
  return inside;
}

/** Area of a closed outline. */
export function areaOf(outline) {
  return Math.abs(outline.reduce((sum, a, index) => {
    const b = outline[(index + 1) % outline.length];
    return sum + a.x * b.y - b.x * a.y;
  }, 0)) / 2;
}
