/**
 * Mouse, pen and fingers. One pointer draws, moves and resizes; the middle button, the space bar or a second finger
 * pans; two fingers zoom. Pressing inside the selected shape, on an outline or on a handle takes hold of it; pressing
 * anywhere else draws, so that a box can be drawn inside another. A press without a drag selects.
 */

import { areaOf, boxOf, distanceTo, holds, moved, settled } from "./kinds.js";

const DRAG_FROM = 4;
const REACH = { mouse: 7, pen: 12, touch: 20 };

/** @param {import("./annotator.js").Annotator} annotator */
export function listenToPointers(annotator) {
  new Gestures(annotator);
}

class Gestures {
  constructor(annotator) {
    this.annotator = annotator;
    /** Pointers that are down. @type {Map<number, {x: number, y: number}>} */
    this.down = new Map();
    /** What the first pointer is doing. @type {any} */
    this.act = null;
    const stage = annotator.stage;
    stage.addEventListener("pointerdown", (event) => this.press(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    stage.addEventListener("pointerup", (event) => this.release(event));
    stage.addEventListener("pointercancel", (event) => this.cancel(event));
    stage.addEventListener("pointerleave", () => annotator.hover(null));
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("auxclick", (event) => event.preventDefault());
  }

  /** Where an event is: on the stage, and in the image. */
  place(event) {
    const frame = this.annotator.stage.getBoundingClientRect();
    const x = event.clientX - frame.left - this.annotator.stage.clientLeft;
    const y = event.clientY - frame.top - this.annotator.stage.clientTop;
    return { x, y, at: this.annotator.view.toImage(x, y) };
  }

  press(event) {
    const { annotator } = this;
    if (event.target.closest?.("button") || !annotator.size) return;
    const place = this.place(event);
    this.down.set(event.pointerId, place);
    try {
      annotator.stage.setPointerCapture(event.pointerId);
    } catch {
      // The pointer is gone already; the gesture ends by itself.
    }
    annotator.focusStage();
    event.preventDefault();
    if (this.down.size === 2) {
      // A second finger: the first one did not mean to draw.
      annotator.shapes.abandon();
      if (this.act?.type === "draw") annotator.setDraft(null);
      this.act = { type: "pinch", ...this.pinch() };
    } else if (this.down.size === 1) {
      this.act = this.begin(event, place);
    }
  }

  /** What a press there is the beginning of. */
  begin(event, place) {
    const { annotator } = this;
    const { shapes, kind } = annotator;
    const start = { x: place.x, y: place.y, from: place.at, dragged: false };
    if (event.button === 1 || annotator.spaceHeld) return { type: "pan", ...start };
    if (event.button !== 0) return null;
    if (annotator.draft?.points.length && kind.drawing === "path") return { type: "point", ...start };
    const reach = REACH[event.pointerType] ?? REACH.mouse;
    const taken = this.under(place, reach);
    if (taken.handle !== null) return { type: "handle", handle: taken.handle, shape: shapes.selected, ...start };
    // With Ctrl or Alt a new shape is drawn wherever the press is.
    if (taken.shape && !event.ctrlKey && !event.altKey) return { type: "move", shape: taken.shape, ...start };
    return { type: kind.drawing === "drag" ? "draw" : "point", ...start };
  }

  /** The handle of the selected shape, or the shape to take hold of, under a place of the stage. */
  under(place, reach) {
    const { view, shapes, kind, hides } = this.annotator;
    const selected = shapes.selected;
    if (hides) return { handle: null, shape: null };
    if (selected) {
      const handles = kind.handles(selected.points).map((point) => view.toStage(point));
      const distances = handles.map((point) => Math.hypot(point.x - place.x, point.y - place.y));
      const least = Math.min(...distances);
      if (least <= reach + 2) return { handle: distances.indexOf(least), shape: selected };
    }
    const near = reach / view.scale;
    const onOutline = (shape) => distanceTo(kind.outline(shape.points), kind.closed, place.at) <= near;
    const inSelected = selected && kind.closed && holds(kind.outline(selected.points), place.at);
    if (inSelected) return { handle: null, shape: selected };
    const outlined = [...shapes.items].reverse().filter(onOutline);
    return { handle: null, shape: outlined[0] ?? null };
  }

  move(event) {
    const { annotator } = this;
    const place = this.place(event);
    if (!this.down.has(event.pointerId)) {
      this.look(event, place);
      return;
    }
    this.down.set(event.pointerId, place);
    const act = this.act;
    if (!act) return;
    if (act.type === "pinch") {
      const now = this.pinch();
      annotator.view.pan(now.x - act.x, now.y - act.y);
      annotator.view.zoom(now.span / act.span, now.x, now.y);
      Object.assign(act, now);
      annotator.redraw();
      return;
    }
    if (!act.dragged && Math.hypot(place.x - act.x, place.y - act.y) < DRAG_FROM) return;
    act.dragged = true;
    this.drag(act, place);
  }

  drag(act, place) {
    const { annotator } = this;
    const { kind, size, shapes } = annotator;
    const to = settled(place.at, size, kind.room);
    if (act.type === "pan") {
      annotator.view.pan(place.x - (act.lastX ?? act.x), place.y - (act.lastY ?? act.y));
      act.lastX = place.x;
      act.lastY = place.y;
      annotator.redraw();
    } else if (act.type === "draw") {
      annotator.setDraft({ points: boxOf(settled(act.from, size, kind.room), to) });
    } else if (act.type === "handle") {
      shapes.preview(act.shape.id, { points: kind.withHandle(act.shape.points, act.handle, to) });
    } else if (act.type === "move") {
      if (shapes.selectedId !== act.shape.id) shapes.select(act.shape.id);
      const [dx, dy] = [place.at.x - act.from.x, place.at.y - act.from.y];
      shapes.preview(act.shape.id, { points: moved(act.shape.points, dx, dy, size, kind.room) });
    } else if (act.type === "point" && kind.most === 2 && !annotator.draft?.points.length) {
      act.line = true;
      annotator.setDraft({ points: [settled(act.from, size, kind.room)], tip: to });
    }
    annotator.hover(act.type === "draw" ? place : null);
  }

  release(event) {
    if (!this.down.delete(event.pointerId)) return;
    const { annotator } = this;
    const { kind, size, shapes } = annotator;
    const act = this.act;
    if (this.down.size) return;
    this.act = null;
    if (!act) return;
    const place = this.place(event);
    if (act.type === "draw" && act.dragged) {
      const { draft } = annotator;
      annotator.setDraft(null);
      if (draft && kind.large(draft.points)) annotator.addShape(draft.points);
    } else if (act.type === "handle" || act.type === "move") {
      if (act.dragged) annotator.settle();
      else annotator.selectShape(act.shape.id);
    } else if (act.type === "point") {
      if (act.line) annotator.finishDraft([annotator.draft.points[0], settled(place.at, size, kind.room)]);
      else if (kind.drawing === "path" && !annotator.draft && this.choose(place)) return;
      else annotator.placePoint(settled(place.at, size, kind.room));
    } else if (act.type === "draw" && !this.choose(place)) {
      shapes.select(null);
    }
  }

  /** Select the smallest shape that holds the place. @returns {boolean} whether there is one */
  choose(place) {
    const { kind, shapes, hides } = this.annotator;
    if (!kind.closed || hides) return false;
    const [smallest] = shapes.items
      .map((shape) => ({ shape, outline: kind.outline(shape.points) }))
      .filter(({ outline }) => holds(outline, place.at))
      .sort((a, b) => areaOf(a.outline) - areaOf(b.outline));
    if (smallest) this.annotator.selectShape(smallest.shape.id);
    return Boolean(smallest);
  }

  cancel(event) {
    this.down.delete(event.pointerId);
    this.annotator.shapes.abandon();
    if (this.act?.type === "draw") this.annotator.setDraft(null);
    this.act = null;
  }

  /** The pointer hovers: crosshair, the path's next point, and a cursor that says what a press would do. */
  look(event, place) {
    const { annotator } = this;
    if (!annotator.size) return;
    if (annotator.draft?.points.length && annotator.kind.drawing === "path") {
      annotator.draft.tip = settled(place.at, annotator.size, annotator.kind.room);
    }
    const taken = this.under(place, REACH[event.pointerType] ?? REACH.mouse);
    const drawing = annotator.draft?.points.length;
    annotator.stage.style.cursor = annotator.spaceHeld ? "grab"
      : taken.handle !== null && !drawing ? annotator.kind.cursor(taken.handle)
      : taken.shape && !drawing ? "move" : "crosshair";
    annotator.hover(event.pointerType === "mouse" && !taken.shape && taken.handle === null ? place : null);
  }

  pinch() {
    const [a, b] = [...this.down.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, span: Math.max(Math.hypot(a.x - b.x, a.y - b.y), 1) };
  }

  wheel(event) {
    const { annotator } = this;
    if (!annotator.size) return;
    event.preventDefault();
    const place = this.place(event);
    const step = event.deltaMode === 1 ? 24 : 1;
    if (event.shiftKey) annotator.view.pan(-event.deltaY * step, 0);
    else annotator.view.zoom(Math.exp((-event.deltaY * step) / 400), place.x, place.y);
    annotator.redraw();
  }
}
