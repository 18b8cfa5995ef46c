/**
 * A shape that is being drawn: point after point by clicks, or by a cross that the keyboard moves. Gestures show a box
 * or a line here while it is dragged.
 */

const NEAR = 8; // CSS pixels: a point as near to another is on it

export class Drawing {
  /** @param {import("./annotator.js").Annotator} annotator */
  constructor(annotator) {
    this.annotator = annotator;
    /** What there is of it; null when nothing is being drawn. @type {{points: any[], tip?: any} | null} */
    this.draft = null;
  }

  /** Whether it has a point already. */
  get begun() {
    return Boolean(this.draft?.points.length);
  }

  /** @param {any} draft @param {boolean} [moving] whether more of it comes at once */
  set(draft, moving = false) {
    const { annotator } = this;
    this.draft = draft;
    if (!draft) annotator.cursor = annotator.pointer = null;
    if (moving) annotator.changedSoon();
    else annotator.changed();
  }

  /** Begin by keyboard: a box in the middle of what is seen, or a cross for the first point. */
  byKeys() {
    const { annotator } = this;
    const { size, view, shapes, kind } = annotator;
    if (!size) return false;
    annotator.focusStage();
    const { width, height } = size;
    const { x, y } = annotator.middle();
    if (kind.drawing === "drag") {
      const half = Math.max(2, Math.round(Math.min(width, height, view.stage.width / view.scale) / 10));
      annotator.addShape([
        { x: Math.max(0, x - half), y: Math.max(0, y - half) },
        { x: Math.min(width, x + half), y: Math.min(height, y + half) },
      ]);
    } else {
      shapes.select(null);
      this.draft ??= { points: [] };
      this.moveCursor({ x, y });
    }
    return true;
  }

  moveCursor(point) {
    const { annotator, draft } = this;
    annotator.cursor = point;
    if (draft) draft.tip = draft.points.length ? point : undefined;
    annotator.pointer = annotator.view.toStage(point);
    annotator.view.reveal([point]);
    annotator.redraw();
    annotator.say(`${point.x}, ${point.y}`);
    return true;
  }

  /** Set a point where the cross is; without one, finish. */
  placeCursor() {
    const { cursor } = this.annotator;
    if (!cursor) return this.begun ? this.finish() : false;
    this.placePoint(cursor);
    if (this.draft) this.moveCursor(cursor);
    return true;
  }

  /** One more point of a path, or a keypoint. A point on the last one, or on a polygon's first, finishes it. */
  placePoint(point) {
    const { annotator } = this;
    const { kind, view, shapes } = annotator;
    const points = this.draft?.points ?? [];
    const near = (other) => other && Math.hypot(other.x - point.x, other.y - point.y) * view.scale <= NEAR;
    if (near(points.at(-1)) || (kind.closed && points.length >= kind.least && near(points[0]))) {
      this.finish(points);
    } else if (points.length + 1 === kind.most) {
      this.finish([...points, point]);
    } else {
      if (!points.length) shapes.select(null);
      this.set({ points: [...points, point] });
      annotator.say(`point ${points.length + 1} set`);
    }
  }

  finish(points = this.draft.points) {
    const { annotator } = this;
    const { kind } = annotator;
    if (!kind.large(points)) {
      annotator.say(`A ${kind.noun} needs ${kind.least} points`);
      return true;
    }
    this.set(null);
    annotator.addShape(points);
    return true;
  }

  /** Take the last point back. */
  dropPoint() {
    const points = this.draft.points.slice(0, -1);
    this.set(points.length ? { points, tip: this.draft.tip } : null);
    return true;
  }
}
