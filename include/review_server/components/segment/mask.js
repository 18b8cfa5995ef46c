/**
 * Which class each pixel of an image belongs to, how it is painted, and how to undo. 0 is nobody's pixel, n is the
 * class with the index n - 1. Coordinates are stored pixels with fractions: the pixel (0, 0) reaches from 0 to 1.
 */

/** @typedef {{x: number, y: number}} Point */
/** @typedef {{left: number, top: number, right: number, bottom: number}} Area right and bottom are outside of it */

// Of the steps that can be undone. A step keeps the pixels of the rectangle around it.
const MOST_HISTORY = 96 * 1024 * 1024;

export class Mask {
  /** @param {number} width @param {number} height */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.pixels = new Uint8Array(width * height);
    /** How many pixels each value has. */
    this.counts = new Uint32Array(256);
    this.counts[0] = width * height;
    this.past = [];
    this.future = [];
    /** As it was before the stroke that is going on. @type {Uint8Array | null} */
    this.before = null;
    /** @type {Area | null} */
    this.touched = null;
  }

  /** Begin with these pixels; nothing before them can be undone to. @param {Uint8Array} pixels */
  load(pixels) {
    this.pixels.set(pixels);
    this.counts.fill(0);
    for (const value of pixels) this.counts[value] += 1;
    this.past = [];
    this.future = [];
    this.before = null;
    this.touched = null;
  }

  /**
   * Paint what a round brush covers on its way from a to b: every pixel whose middle it goes over, at least one.
   * @param {Point} a @param {Point} b @param {number} diameter @param {number} value @returns {Area}
   */
  stroke(a, b, diameter, value) {
    const radius = Math.max(diameter / 2, Math.SQRT1_2);
    const area = this.within({
      left: Math.min(a.x, b.x) - radius, top: Math.min(a.y, b.y) - radius,
      right: Math.max(a.x, b.x) + radius, bottom: Math.max(a.y, b.y) + radius,
    });
    this.begin();
    const [dx, dy] = [b.x - a.x, b.y - a.y];
    const length = dx * dx + dy * dy;
    for (let y = area.top; y < area.bottom; y += 1) {
      for (let x = area.left; x < area.right; x += 1) {
        const [px, py] = [x + 0.5 - a.x, y + 0.5 - a.y];
        const along = length ? Math.min(Math.max((px * dx + py * dy) / length, 0), 1) : 0;
        if ((px - along * dx) ** 2 + (py - along * dy) ** 2 <= radius * radius) this.put(y * this.width + x, value);
      }
    }
    return this.touch(area);
  }

  /**
   * Fill a closed outline: every pixel whose middle lies inside (even-odd rule).
   * @param {Point[]} outline @param {number} value @returns {Area}
   */
  fill(outline, value) {
    const ys = outline.map((point) => point.y);
    const xs = outline.map((point) => point.x);
    const area = this.within({
      left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys),
    });
    this.begin();
    for (let y = area.top; y < area.bottom; y += 1) {
      const crossings = [];
      outline.forEach((a, index) => {
        const b = outline[(index + 1) % outline.length];
        if (a.y > y + 0.5 !== b.y > y + 0.5) crossings.push(a.x + ((b.x - a.x) * (y + 0.5 - a.y)) / (b.y - a.y));
      });
      crossings.sort((one, other) => one - other);
      for (let at = 0; at + 1 < crossings.length; at += 2) {
        const end = Math.min(Math.ceil(crossings[at + 1] - 0.5), this.width);
        for (let x = Math.max(Math.ceil(crossings[at] - 0.5), 0); x < end; x += 1) this.put(y * this.width + x, value);
      }
    }
    return this.touch(area);
  }

  /** Give every pixel of a value another one. @param {number} value @param {number} to @returns {Area} */
  replace(value, to) {
    this.begin();
    for (let index = 0; index < this.pixels.length; index += 1) if (this.pixels[index] === value) this.put(index, to);
    return this.touch({ left: 0, top: 0, right: this.width, bottom: this.height });
  }

  /** Make what was painted since the last step a step of its own. @returns {boolean} whether anything had changed */
  settle() {
    const { before, touched } = this;
    this.before = null;
    this.touched = null;
    if (!before || !touched) return false;
    const patch = { area: touched, pixels: this.cut(before, touched) };
    if (same(patch.pixels, this.cut(this.pixels, touched))) return false;
    this.past.push(patch);
    this.future = [];
    let kept = this.past.reduce((sum, step) => sum + step.pixels.length, 0);
    while (kept > MOST_HISTORY && this.past.length > 1) kept -= this.past.shift().pixels.length;
    return true;
  }

  /** Drop what was painted since the last step. @returns {Area | null} what has changed */
  abandon() {
    const { before, touched } = this;
    this.before = null;
    this.touched = null;
    if (before && touched) this.paste({ area: touched, pixels: this.cut(before, touched) });
    return touched;
  }

  /** @returns {Area | null} what has changed; null when there is nothing to undo */
  undo() {
    return this.travel(this.past, this.future);
  }

  /** @returns {Area | null} */
  redo() {
    return this.travel(this.future, this.past);
  }

  /** @private */
  travel(from, to) {
    const step = from.pop();
    if (!step) return null;
    to.push({ area: step.area, pixels: this.cut(this.pixels, step.area) });
    this.paste(step);
    return step.area;
  }

  /** @private */
  begin() {
    this.before ??= this.pixels.slice();
  }

  /** @private */
  put(index, value) {
    this.counts[this.pixels[index]] -= 1;
    this.counts[value] += 1;
    this.pixels[index] = value;
  }

  /** @private The whole pixels of an area that lie in the image. @returns {Area} */
  within({ left, top, right, bottom }) {
    return {
      left: Math.min(Math.max(Math.floor(left), 0), this.width), top: Math.min(Math.max(Math.floor(top), 0), this.height),
      right: Math.min(Math.max(Math.ceil(right), 0), this.width), bottom: Math.min(Math.max(Math.ceil(bottom), 0), this.height),
    };
  }

  /** @private @param {Area} area */
  touch(area) {
    const all = this.touched ?? area;
    this.touched = {
      left: Math.min(all.left, area.left), top: Math.min(all.top, area.top),
      right: Math.max(all.right, area.right), bottom: Math.max(all.bottom, area.bottom),
    };
    return area;
  }

  /** @private The pixels of an area, row by row. @param {Uint8Array} pixels @param {Area} area */
  cut(pixels, { left, top, right, bottom }) {
    const across = right - left;
    const cut = new Uint8Array(across * (bottom - top));
    for (let y = top; y < bottom; y += 1) {
      cut.set(pixels.subarray(y * this.width + left, y * this.width + right), (y - top) * across);
    }
    return cut;
  }

  /** @private */
  paste({ area: { left, top, right, bottom }, pixels }) {
    let at = 0;
    for (let y = top; y < bottom; y += 1) {
      for (let x = left; x < right; x += 1, at += 1) this.put(y * this.width + x, pixels[at]);
    }
  }
}

/** @param {Uint8Array} one @param {Uint8Array} other of the same length */
export function same(one, other) {
  return one.every((value, index) => value === other[index]);
}
