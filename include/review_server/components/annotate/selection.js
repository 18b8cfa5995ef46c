/** Which shape is acted on: the selected one, chosen by a press, by keys or from the list, or the one under the mouse. */

import { boundsOf, inReadingOrder, nearest } from "./finding.js";
import { areaOf, distanceTo, holds } from "./kinds.js";

/** CSS pixels: a mouse that moves no further was knocked at. */
const KNOCK = 4;

export class Selection {
  /** @param {import("./annotator.js").Annotator} annotator */
  constructor(annotator) {
    this.annotator = annotator;
    /** The box under the mouse. @type {number | null} */
    this.pointedId = null;
    /** Where the mouse is on the stage. @type {{x: number, y: number} | null} */
    this.mouse = null;
    /** Where it was when keys chose or changed a shape: until it leaves that place, it means none. */
    this.rest = null;
  }

  /** @param {number} id @param {boolean} [reveal] whether to bring it into sight */
  select(id, reveal = true) {
    const { annotator } = this;
    this.passToKeys();
    const shape = annotator.shapes.items.find((item) => item.id === id);
    if (!shape || annotator.hiding.refuses(shape)) return;
    annotator.shapes.select(id);
    annotator.label = annotator.labels.includes(shape.label) ? shape.label : annotator.label;
    annotator.classChosen = true;
    if (reveal) annotator.view.reveal(annotator.kind.outline(shape.points));
    annotator.redraw();
    annotator.panel.show();
    annotator.say(annotator.titleOf(shape));
  }

  /** What is seen, as one reads. */
  get inOrder() {
    return inReadingOrder(this.visible);
  }

  /** Select the next shape as one reads. @returns {boolean} false after the last: the focus then goes on */
  cycle(step) {
    const { shapes } = this.annotator;
    const items = this.inOrder;
    const at = items.findIndex((shape) => shape.id === shapes.selectedId);
    const next = at < 0 ? (step > 0 ? 0 : items.length - 1) : at + step;
    if (!items[next]) {
      shapes.select(null);
      return false;
    }
    this.select(items[next].id);
    return true;
  }

  /** Select the shape next to the selected one, or to the middle of what is seen, in a direction. */
  nearest(right, down) {
    const { annotator } = this;
    const { selected } = annotator.shapes;
    const from = selected ? boundsOf(selected.points) : annotator.middle();
    const shape = nearest(this.visible.filter((item) => item !== selected), from, right, down);
    if (shape) this.select(shape.id);
    else annotator.say(`No ${annotator.kind.noun} there`);
    return true;
  }

  /** Choose the next single point of the selected path. */
  nextVertex() {
    const { annotator } = this;
    const { shapes } = annotator;
    const shape = shapes.selected;
    if (!shape || annotator.kind.drawing !== "path") return false;
    shapes.vertex = ((shapes.vertex ?? -1) + 1) % shape.points.length;
    const point = shape.points[shapes.vertex];
    annotator.changed();
    annotator.say(`point ${shapes.vertex + 1} of ${shape.points.length}, at ${point.x}, ${point.y}`);
    return true;
  }

  /** Zoom to the selected shape; again: to the whole image. */
  zoom() {
    const { annotator } = this;
    const { shapes: { selected }, view, kind } = annotator;
    if (!selected) return annotator.say(`Select a ${kind.noun} first`), true;
    if (!view.showOff(boundsOf(selected.points))) view.fit();
    annotator.redraw();
    return true;
  }

  /** The mouse has moved: keys act on the box under it. @param {any} place @param {number | null} id */
  look(place, id) {
    this.mouse = place;
    if (place && this.rest && Math.hypot(place.x - this.rest.x, place.y - this.rest.y) <= KNOCK) return;
    this.rest = null;
    this.pointAt(id);
  }

  /** Something was done to a shape: keys go on with that one, whatever the mouse rests on. */
  passToKeys() {
    this.pointAt(null);
    this.rest = this.mouse;
  }

  /** What lies elsewhere since the view has changed is not under the mouse any more. */
  viewed() {
    const { mouse, pointed, annotator: { view } } = this;
    if (!pointed) return;
    if (!mouse || !this.below({ at: view.toImage(mouse.x, mouse.y) }, [pointed]).length) this.pointAt(null);
  }

  /** @param {number | null} id */
  pointAt(id) {
    if (id === this.pointedId) return;
    this.pointedId = id;
    if (this.annotator.size) this.annotator.painting.drawPointed();
  }

  /** Select the box under the mouse, if there is one. */
  takePointed() {
    if (this.pointed) this.select(this.pointed.id, false);
  }

  /** The box under the mouse; null when there is none, or it is hidden. */
  get pointed() {
    const { pointedId } = this;
    return pointedId === null ? null : this.visible.find(({ id }) => id === pointedId) ?? null;
  }

  /**
   * The shapes under a place: those that hold it, the smallest first, then those whose outline is near.
   * @param {{at: import("./shapes.js").Point}} place @param {import("./shapes.js").Shape[]} [among] those that can be seen
   */
  below(place, among = this.visible) {
    const { annotator } = this;
    const { kind, view, reach } = annotator;
    const near = (kind.drawing === "point" ? reach.outline + 3 : reach.outline) / view.scale;
    const found = [];
    for (const shape of among) {
      const outline = kind.outline(shape.points);
      if (kind.closed && holds(outline, place.at)) {
        found.push({ shape, order: areaOf(outline) - Number.MAX_SAFE_INTEGER });
      } else {
        const distance = distanceTo(outline, kind.closed, place.at);
        if (distance <= near) found.push({ shape, order: distance });
      }
    }
    return found.sort((a, b) => a.order - b.order || b.shape.id - a.shape.id).map(({ shape }) => shape);
  }

  get visible() {
    const { shapes, hiding } = this.annotator;
    return shapes.items.filter((shape) => !hiding.isHidden(shape));
  }
}
