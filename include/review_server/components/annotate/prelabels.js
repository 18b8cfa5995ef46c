/**
 * Shapes that come from a template or from a kept answer, before somebody works on them: what cannot be read, has no
 * area or lies outside the image is left out, what reaches over the image's edge is clipped to it, and `wordsOf` says
 * which and how many. A shape of a class that is not offered stays: it is something that was found, and choosing its
 * class takes one key, while an answer that has it would be refused as a whole.
 */

import { areaOf, settled } from "./kinds.js";

/** @typedef {import("./shapes.js").Point} Point */
/** @typedef {{label: string, points: Point[], number: number}} Incoming */

const MOST = 10_000;
const FARTHEST = 1e9; // pixels: no image is as large
// A complaint has at most 300 characters.
const MOST_TOLD = 5;
const LONGEST = 30;
/** How far a keypoint may lie outside and still mean the last pixel. */
const TOLERANCE = 1;

/** A whole pixel from a number, or from text that is one. @param {any} value @returns {number} */
export function pixelOf(value) {
  const number = typeof value === "string" && value.trim() ? Number(value) : value;
  if (typeof number !== "number" || !(Math.abs(number) <= FARTHEST)) throw new TypeError("not a number of pixels");
  return Math.round(number);
}

/**
 * Read a list that a stranger wrote.
 * @param {any[]} items @param {(item: any) => {label: any, points: Point[]}} read which throws for what it cannot read
 */
export function readAll(items, read) {
  /** @type {Incoming[]} */
  const shapes = [];
  /** @type {number[]} */
  const unreadable = [];
  items.slice(0, MOST).forEach((item, index) => {
    try {
      const { label, points } = read(item);
      const whole = points.map(({ x, y }) => ({ x: pixelOf(x), y: pixelOf(y) }));
      shapes.push({ label: String(label ?? ""), points: whole, number: index + 1 });
    } catch {
      unreadable.push(index + 1);
    }
  });
  return { shapes, unreadable, excess: Math.max(items.length - MOST, 0), sample: items[unreadable[0] - 1] };
}

/**
 * Fit shapes to an image.
 * @param {Incoming[]} shapes @param {any} kind @param {import("./kinds.js").Size} size
 */
export function fitAll(shapes, kind, size) {
  /** @type {Incoming[]} */
  const kept = [];
  /** @type {{clipped: number[], outside: number[], empty: number[]}} */
  const numbers = { clipped: [], outside: [], empty: [] };
  for (const shape of shapes) {
    const points = hasExtent(shape.points, kind) ? clipped(shape.points, kind, size) : null;
    if (points) kept.push(points === shape.points ? shape : { ...shape, points });
    if (!points) numbers[hasExtent(shape.points, kind) ? "outside" : "empty"].push(shape.number);
    else if (points !== shape.points) numbers.clipped.push(shape.number);
  }
  return { kept, ...numbers };
}

function hasExtent(points, kind) {
  if (kind.drawing === "drag") return points[1].x > points[0].x && points[1].y > points[0].y;
  if (points.length < kind.least) return false;
  if (kind.closed) return areaOf(points) > 0;
  return kind.most === 1 || points.some(({ x, y }) => x !== points[0].x || y !== points[0].y);
}

/** The part of a shape that lies inside the image: the same points when all do, null when nothing is left. */
function clipped(points, kind, size) {
  const most = { x: size.width - kind.room, y: size.height - kind.room };
  const inside = ({ x, y }) => x >= 0 && y >= 0 && x <= most.x && y <= most.y;
  if (points.every(inside)) return points;
  if (kind.most === 1) {
    const [{ x, y }] = points;
    const near = x >= -TOLERANCE && y >= -TOLERANCE && x <= most.x + TOLERANCE && y <= most.y + TOLERANCE;
    return near ? [settled(points[0], size, kind.room)] : null;
  }
  const rest = kind.drawing === "drag" ? points.map((point) => settled(point, size, kind.room)) : cutToImage(points, kind, size, most);
  return hasExtent(rest, kind) ? rest : null;
}

/** Cut a path at each side of the image in turn (Sutherland and Hodgman). */
function cutToImage(points, kind, size, most) {
  let rest = points;
  for (const axis of /** @type {("x" | "y")[]} */ (["x", "y"])) {
    rest = cut(rest, kind.closed, axis, 0, 1);
    rest = cut(rest, kind.closed, axis, most[axis], -1);
  }
  const whole = rest.map((point) => settled(point, size, kind.room));
  return whole.filter(({ x, y }, index) => {
    const before = whole[index - 1] ?? (kind.closed && whole.length > 1 ? whole.at(-1) : null);
    return !before || before.x !== x || before.y !== y;
  });
}

/** What of a path lies on one side of a line. */
function cut(points, closed, axis, limit, sign) {
  const inside = (point) => (point[axis] - limit) * sign >= 0;
  const rest = [];
  points.forEach((b, index) => {
    const a = points[index - 1] ?? (closed ? points.at(-1) : null);
    if (a && inside(a) !== inside(b)) {
      const along = (limit - a[axis]) / (b[axis] - a[axis]);
      rest.push({ x: a.x + along * (b.x - a.x), y: a.y + along * (b.y - a.y) });
    }
    if (inside(b)) rest.push(b);
  });
  return rest;
}

/**
 * What was done: a short message each of what was left out, clipped, and has to be given a class.
 * @param {string} what @param {any} kind
 * @param {{total: number, unreadable: number[], excess: number, sample?: any, clipped: number[], outside: number[],
 *   empty: number[], unknown: Incoming[]}} done
 * @returns {string[]}
 */
export function wordsOf(what, kind, done) {
  const of = partOf(what, kind, done.total);
  const left = [
    ...count(done.empty, "has no extent", "have no extent"),
    ...count(done.outside, "lies outside the image", "lie outside the image"),
    ...(done.excess ? [`${done.excess} come after the first ${MOST}`] : []),
    ...count(done.unreadable, `is not a ${kind.noun}`, `are not ${kind.plural}`),
    ...(done.unreadable.length ? [`such as ${brief(done.sample)}`] : []),
  ];
  const over = count(done.clipped, "reached over the image's edge and was clipped to it", "reached over the image's edge and were clipped to it");
  return [
    ...(left.length ? [`${of}, these were left out: ${left.join(", ")}`] : []),
    ...over.map((words) => `${of}, ${words}`),
    ...unknownWords(what, kind, done.total, done.unknown),
  ];
}

/**
 * The same of what has to be given a class: a message, or none.
 * @param {string} what @param {{noun: string, plural: string}} kind @param {number} total
 * @param {{label: string, number: number}[]} unknown @returns {string[]}
 */
export function unknownWords(what, kind, total, unknown) {
  const words = count(unknown.map(({ number }) => number), "has a class that is not offered", "have a class that is not offered");
  const classes = [...new Set(unknown.map(({ label }) => label))].map(brief);
  return words.map((text) => `${partOf(what, kind, total)}, ${text}: ${classes.slice(0, 2).join(", ")}`
    + `${classes.length > 2 ? " and others" : ""}. Choose a class for each, or delete it, before you submit`);
}

/**
 * Why an answer is held: one with a class that nobody offered would be refused as a whole.
 * @param {{noun: string, plural: string}} kind @param {string[]} labels of those whose class is not offered
 * @returns {string | null}
 */
export function unknownProblem(kind, labels) {
  if (!labels.length) return null;
  const which = labels.length === 1 ? `1 ${kind.noun} has` : `${labels.length} ${kind.plural} have`;
  return `${which} a class that is not offered${labels[0] ? ` (${labels[0]})` : ""}: choose one of the classes for it, or delete it`;
}

function partOf(what, kind, total) {
  return `${what}: of ${total} ${total === 1 ? kind.noun : kind.plural}`;
}

function count(numbers, one, many) {
  return numbers.length ? [`${numbers.length} ${numbers.length === 1 ? one : many} (number ${listed(numbers)})`] : [];
}

/** A few values, and how many more there are. @param {any[]} values */
export function listed(values) {
  const rest = values.length - MOST_TOLD;
  return values.slice(0, MOST_TOLD).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

function brief(value) {
  const text = String(JSON.stringify(value));
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
