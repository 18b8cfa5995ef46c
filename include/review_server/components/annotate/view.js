/** Where the image lies on the stage: a scale and an offset, in CSS pixels. */

import { clamp } from "../core/dom.js";

const MOST_SCALE = 40;
const MARGIN = 12;
const PART_OF_STAGE = 0.4; // of what is shown large: the rest shows what is around it

export class View {
  constructor() {
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.stage = { width: 1, height: 1 };
    this.image = { width: 1, height: 1 };
    /** Whether the view follows the size of the stage: until somebody zooms or pans. */
    this.fitted = true;
  }

  get fitScale() {
    const { stage, image } = this;
    const across = Math.max(stage.width - 2 * MARGIN, 10) / image.width;
    return Math.min(across, Math.max(stage.height - 2 * MARGIN, 10) / image.height, MOST_SCALE);
  }

  /** The whole image, centred, as large as it goes. */
  fit() {
    this.scale = this.fitScale;
    this.x = (this.stage.width - this.image.width * this.scale) / 2;
    this.y = (this.stage.height - this.image.height * this.scale) / 2;
    this.fitted = true;
  }

  resize(width, height) {
    this.stage = { width, height };
    if (this.fitted) this.fit();
    else this.keepInSight();
  }

  /** Zoom so that the point under (x, y) of the stage stays there. */
  zoom(factor, x = this.stage.width / 2, y = this.stage.height / 2) {
    const scale = clamp(this.scale * factor, this.fitScale * 0.5, MOST_SCALE);
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.keepInSight();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.keepInSight();
  }

  /**
   * Bring a part of the image into the middle, large. @param {{left: number, top: number, right: number, bottom: number}} area
   * @returns {boolean} false when it is so already
   */
  showOff({ left, top, right, bottom }) {
    const { stage } = this;
    const across = (PART_OF_STAGE * stage.width) / Math.max(right - left, 1);
    const down = (PART_OF_STAGE * stage.height) / Math.max(bottom - top, 1);
    const scale = clamp(Math.min(across, down), this.fitScale, Math.min(MOST_SCALE, this.fitScale * 16));
    const before = [this.x, this.y, this.scale];
    this.zoom(scale / this.scale);
    const middle = this.toStage({ x: (left + right) / 2, y: (top + bottom) / 2 });
    this.pan(stage.width / 2 - middle.x, stage.height / 2 - middle.y);
    return [this.x, this.y, this.scale].some((value, index) => Math.abs(value - before[index]) > 0.5);
  }

  /** Scroll just far enough that the points can be seen. @param {import("./shapes.js").Point[]} points */
  reveal(points) {
    const places = points.map((point) => this.toStage(point));
    for (const [axis, size] of /** @type {["x" | "y", number][]} */ ([["x", this.stage.width], ["y", this.stage.height]])) {
      const least = Math.min(...places.map((place) => place[axis]));
      const most = Math.max(...places.map((place) => place[axis]));
      if (least < 0) this[axis] -= least - MARGIN;
      else if (most > size && most - least < size) this[axis] -= most - size + MARGIN;
    }
  }

  /** @returns {import("./shapes.js").Point} in image pixels, fractions included */
  toImage(x, y) {
    return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale };
  }

  /** @returns {import("./shapes.js").Point} in CSS pixels of the stage */
  toStage(point) {
    return { x: point.x * this.scale + this.x, y: point.y * this.scale + this.y };
  }

  /** @private At least a corner of the image stays on the stage. */
  keepInSight() {
    const rest = 40;
    this.x = clamp(this.x, rest - this.image.width * this.scale, this.stage.width - rest);
    this.y = clamp(this.y, rest - this.image.height * this.scale, this.stage.height - rest);
  }
}
