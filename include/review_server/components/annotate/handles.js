/**
 * Which part of a shape is under a place of the stage, and where its handles are shown. Everything here is in CSS
 * pixels of the stage. The middle of a shape always moves it: handles reach inward only as far as that leaves room,
 * and of a shape that is small on the screen they lie outside.
 */

import { clamp } from "../core/dom.js";
import { distanceTo, holds } from "./kinds.js";

/**
 * How far from a handle and from an outline a press still takes it, and how much of the middle moves at least.
 * A finger's target is 44 pixels wide.
 * @typedef {{handle: number, outline: number, middle: number}} Reach
 * @type {Record<string, Reach>}
 */
export const REACHES = {
  mouse: { handle: 9, outline: 4, middle: 14 },
  pen: { handle: 12, outline: 6, middle: 20 },
  touch: { handle: 22, outline: 12, middle: 36 },
};

/** A press that takes the whole shape. */
export const WHOLE = "whole";

/** Half the side of a handle as it is shown. */
const HALF = 5;

/** Handles of a box by what they move: [left side, right side, middle] of each axis. */
const BOX_PARTS = { "low low": 0, "mid low": 1, "high low": 2, "high mid": 3, "high high": 4, "mid high": 5, "low high": 6, "low mid": 7 };

/**
 * @param {any} kind @param {import("./shapes.js").Point[]} points @param {import("./view.js").View} view
 * @param {Reach} reach @param {{x: number, y: number}} place
 * @returns {number | "whole" | null} the number of a handle, the whole shape, or nothing
 */
export function partUnder(kind, points, view, reach, place) {
  const places = points.map((point) => view.toStage(point));
  return kind.drawing === "drag" ? partOfBox(places, reach, place) : partOfPath(kind, places, reach, place);
}

/** Where the handles are shown: `{index, x, y}`. */
export function handlesShown(kind, points, view, reach) {
  const places = kind.handles(points).map((point, index) => ({ index, ...view.toStage(point) }));
  if (kind.drawing !== "drag") return places;
  const [across, down] = sidesOf(points.map((point) => view.toStage(point)), reach);
  return places
    .map(({ index, x, y }) => ({ index, x: shown(across, x), y: shown(down, y) }))
    .filter(({ index }) => index % 2 === 0 || (index % 4 === 1 ? across : down).roomy);
}

function sidesOf([a, b], reach) {
  return [side(a.x, b.x, reach), side(a.y, b.y, reach)];
}

/** One axis of a box: how far its handles reach inward, and how far out the middle is widened. */
function side(low, high, { handle, middle }) {
  const length = high - low;
  const inward = clamp((length - middle) / 2, 0, Math.min(handle, length / 3));
  const pad = Math.max(0, (middle - length) / 2);
  return { low, high, inward, pad, roomy: length + 2 * pad >= 9 * HALF };
}

/** A handle that may not reach inward as far as it is drawn is drawn further out. */
function shown({ low, high, inward, pad }, at) {
  const out = pad + Math.max(0, HALF + 1 - inward);
  return at <= low ? low - out : at >= high ? high + out : at;
}

function partOfBox(places, reach, place) {
  const [across, down] = sidesOf(places, reach);
  const [u, v] = [zone(across, place.x, reach), zone(down, place.y, reach)];
  if (!u || !v) return null;
  if (u === "mid" && v === "mid") return WHOLE;
  // Beside the middle of a side, but too far from its handle: still the outline, when it is near enough.
  if (u === "mid" && !central(across, place.x, reach)) return within(down, place.y, reach.outline) ? WHOLE : null;
  if (v === "mid" && !central(down, place.y, reach)) return within(across, place.x, reach.outline) ? WHOLE : null;
  return BOX_PARTS[`${u} ${v}`];
}

function zone({ low, high, inward, pad }, at, { handle }) {
  if (at < low - pad - handle || at > high + pad + handle) return null;
  if (at < low - pad + inward) return "low";
  return at > high + pad - inward ? "high" : "mid";
}

function central({ low, high }, at, { handle }) {
  return Math.abs(at - (low + high) / 2) <= handle;
}

function within({ low, high, pad }, at, outline) {
  return at >= low - pad - outline && at <= high + pad + outline;
}

function partOfPath(kind, places, { handle, outline, middle }, place) {
  const inside = kind.closed && holds(places, place);
  const touched = inside || distanceTo(places, kind.closed, place) <= outline;
  const distances = places.map((point) => Math.hypot(point.x - place.x, point.y - place.y));
  const least = Math.min(...distances);
  const [width, height, x, y] = extent(places);
  const central = Math.abs(place.x - x) <= Math.max(width / 6, middle / 2) && Math.abs(place.y - y) <= Math.max(height / 6, middle / 2);
  const small = Math.max(width, height) < 6 * handle;
  if (places.length > 1 && small && central && touched) return WHOLE;
  const far = inside ? clamp((Math.min(width, height) - middle) / 2, HALF, handle) : handle;
  if (least <= far) return distances.indexOf(least);
  return touched ? WHOLE : null;
}

/** Width, height and middle of what points span. */
function extent(places) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y } of places) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return [right - left, bottom - top, (left + right) / 2, (top + bottom) / 2];
}
