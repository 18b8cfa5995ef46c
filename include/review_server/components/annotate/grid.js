/**
 * A grid over what is seen of the image: two letters, column and row, mean a point. Two points are the corners of a
 * box. The closer the zoom, the finer the grid.
 */

import { svg } from "../core/dom.js";
import { LETTERS } from "./hints.js";
import { settled } from "./kinds.js";

const LAST = LETTERS.length - 1;
const BAND = 16; // CSS pixels for the letters at each side

export class Grid {
  /**
   * @param {any} annotator
   * @param {number} count how many points are asked for
   * @param {(points: import("./shapes.js").Point[]) => void} done
   */
  constructor(annotator, count, done) {
    this.annotator = annotator;
    this.count = count;
    this.done = done;
    this.typed = "";
  }

  get said() {
    const corner = this.typed.length < 2 ? "upper left" : "lower right";
    return `${this.typed.length % 2 ? "Row" : "Column"} of the ${corner} corner`;
  }

  /** What is seen of the image, in its pixels. */
  get area() {
    const { view, size } = this.annotator;
    const [a, b] = [view.toImage(0, 0), view.toImage(view.stage.width, view.stage.height)];
    return { left: Math.max(a.x, 0), top: Math.max(a.y, 0), right: Math.min(b.x, size.width), bottom: Math.min(b.y, size.height) };
  }

  /** The point of two letters. @param {string} column @param {string} row */
  at(column, row) {
    const { left, top, right, bottom } = this.area;
    const { size, kind } = this.annotator;
    return settled({
      x: left + (LETTERS.indexOf(column) / LAST) * (right - left), y: top + (LETTERS.indexOf(row) / LAST) * (bottom - top),
    }, size, kind.room);
  }

  /** The letters of the point that is nearest. @param {import("./shapes.js").Point} point */
  lettersFor({ x, y }) {
    const { left, top, right, bottom } = this.area;
    const letter = (part) => LETTERS[Math.round(Math.min(Math.max(part, 0), 1) * LAST)];
    return letter((x - left) / (right - left)) + letter((y - top) / (bottom - top));
  }

  get points() {
    return [...this.typed.matchAll(/(.)(.)/g)].map(([, column, row]) => this.at(column, row));
  }

  /** @param {string} key @param {KeyboardEvent} event @returns {boolean} whether the key was for this */
  press(key, event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const { annotator } = this;
    if (key === "Backspace") this.typed = this.typed.slice(0, -1);
    else if (/^[a-z]$/.test(key)) this.typed += key;
    else return annotator.letters.end(), key === "Escape" || key === "Enter";
    if (this.typed.length === 2 * this.count) {
      const { points } = this;
      annotator.letters.end();
      this.done(points);
    } else {
      annotator.say(this.said);
    }
    annotator.changed();
    return true;
  }

  paint() {
    const { view } = this.annotator;
    const { left, top, right, bottom } = this.area;
    const [from, to] = [view.toStage({ x: left, y: top }), view.toStage({ x: right, y: bottom })];
    const xs = [...LETTERS].map((_, index) => from.x + (index / LAST) * (to.x - from.x));
    const ys = [...LETTERS].map((_, index) => from.y + (index / LAST) * (to.y - from.y));
    const lines = xs.map((x) => `M${x} ${from.y}V${to.y}`).join("") + ys.map((y) => `M${from.x} ${y}H${to.x}`).join("");
    const column = this.typed.length % 2 ? xs[LETTERS.indexOf(this.typed.at(-1))] : null;
    const text = (letter, x, y) => svg("text", { x, y, "text-anchor": "middle" }, letter.toUpperCase());
    const inside = (value, low, high) => Math.min(Math.max(value, low), high);
    const band = (x, y, width, height) => svg("rect", { class: "band", x, y, width, height });
    return [
      svg("path", { class: "lines", d: lines }),
      band(from.x, from.y, to.x - from.x, BAND), band(from.x, to.y - BAND, to.x - from.x, BAND),
      band(from.x, from.y, BAND, to.y - from.y), band(to.x - BAND, from.y, BAND, to.y - from.y),
      ...[...LETTERS].flatMap((letter, index) => {
        const x = inside(xs[index], from.x + BAND / 2, to.x - BAND / 2);
        const y = inside(ys[index], from.y + BAND / 2, to.y - BAND / 2) + 4;
        // The corners belong to the columns.
        const sides = index === 0 || index === LAST ? [] : [text(letter, from.x + BAND / 2, y), text(letter, to.x - BAND / 2, y)];
        return [text(letter, x, from.y + 12), text(letter, x, to.y - 4), ...sides];
      }),
      column === null ? null : svg("path", { class: "chosen", d: `M${column} ${from.y}V${to.y}` }),
      ...this.points.map((point) => {
        const { x, y } = view.toStage(point);
        return svg("path", { class: "chosen", d: `M${x - 12} ${y}H${x + 12}M${x} ${y - 12}V${y + 12}` });
      }),
    ].filter(Boolean);
  }
}
