/** A polygon that is being drawn, corner after corner, and then filled. */

const NEAR = 8; // CSS pixels: a corner as near to another is on it

export class Polygon {
  /** @param {import("./segmentation.js").Segmentation} element */
  constructor(element) {
    this.element = element;
    /** @type {import("./mask.js").Point[]} */
    this.corners = [];
  }

  /** One more corner. On the last one, or on the first, it finishes the polygon. */
  place(point) {
    const { element, corners } = this;
    const near = (other) => other && Math.hypot(other.x - point.x, other.y - point.y) * element.view.scale <= NEAR;
    if (near(corners.at(-1)) || (corners.length >= 3 && near(corners[0]))) {
      this.finish();
    } else if (element.painted) {
      this.corners = [...corners, point];
      element.changed();
      element.say(`corner ${this.corners.length} set`);
    }
  }

  finish() {
    const { element, corners } = this;
    if (corners.length < 3) {
      element.say("A polygon needs 3 corners");
      return true;
    }
    const area = element.mask.fill(corners, element.painted);
    this.drop();
    element.show(area);
    element.settle();
    element.changed();
    return true;
  }

  /** Take the last corner back. */
  takeBack() {
    this.corners = this.corners.slice(0, -1);
    this.element.changed();
    return true;
  }

  drop() {
    this.corners = [];
  }
}
