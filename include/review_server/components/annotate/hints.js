/** Every box in sight shows a letter; typing it selects that box. With more boxes than letters, two letters each. */

import { svg } from "../core/dom.js";
import { boundsOf, inReadingOrder } from "./finding.js";

export const LETTERS = "abcdefghijklmnopqrstuvwxyz";

export class Hints {
  /** @param {any} annotator */
  constructor(annotator) {
    this.annotator = annotator;
    this.typed = "";
    const { width, height } = annotator.view.stage;
    const seen = annotator.shapes.items.filter((shape) => {
      if (annotator.hiding.isHidden(shape)) return false;
      const bounds = boundsOf(shape.points);
      const [from, to] = [annotator.view.toStage({ x: bounds.left, y: bounds.top }), annotator.view.toStage({ x: bounds.right, y: bounds.bottom })];
      return to.x >= 0 && to.y >= 0 && from.x <= width && from.y <= height;
    });
    const size = seen.length > LETTERS.length ? 2 : 1;
    /** Shapes by what is typed for them. @type {Map<string, number>} */
    this.keys = new Map(inReadingOrder(seen).slice(0, LETTERS.length ** 2).map(({ id }, index) => {
      const rest = LETTERS[index % LETTERS.length];
      return [size === 1 ? rest : LETTERS[Math.floor(index / LETTERS.length)] + rest, id];
    }));
  }

  get said() {
    const { noun } = this.annotator.kind;
    return this.keys.size ? `Type the letter of a ${noun}` : `There is no ${noun} in sight`;
  }

  /** @param {string} key @param {KeyboardEvent} event @returns {boolean} whether the key was for this */
  press(key, event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (key === "Backspace") this.typed = "";
    else if (/^[a-z]$/.test(key)) this.typed += key;
    else return this.annotator.letters.end(), key === "Escape" || key === "Enter";
    const found = this.keys.get(this.typed);
    const open = [...this.keys.keys()].some((text) => text.startsWith(this.typed));
    if (found !== undefined || !open) this.annotator.letters.end();
    if (found !== undefined) this.annotator.selection.select(found);
    this.annotator.changed();
    return true;
  }

  paint() {
    const { view, shapes } = this.annotator;
    const points = new Map(shapes.items.map((shape) => [shape.id, shape.points]));
    return [...this.keys].filter(([text, id]) => text.startsWith(this.typed) && points.has(id)).map(([text, id]) => {
      const bounds = boundsOf(points.get(id));
      const { x, y } = view.toStage({ x: bounds.x, y: bounds.y });
      return svg("g", { class: "hint" },
        svg("rect", { x: x - 8 - 5 * text.length, y: y - 12, width: 16 + 10 * text.length, height: 24, rx: 4 }),
        svg("text", { x, y: y + 5, "text-anchor": "middle" }, text.toUpperCase()));
    });
  }
}
