/**
 * Drawing, moving and resizing shapes by pointer. Pressing inside the selected shape, on an outline or on a handle
 * takes hold of it; pressing anywhere else draws, so that a box can be drawn inside another. A press without a drag
 * selects.
 */

import { areaOf, boxOf, distanceTo, holds, moved, settled } from "./kinds.js";
import { Pointers } from "./pointers.js";

const REACH = { mouse: 7, pen: 12, touch: 20 };

/** @param {import("./annotator.js").Annotator} annotator */
export function listenToPointers(annotator) {
  new Gestures(annotator);
}

class Gestures extends Pointers {
  get annotator() {
    return this.element;
  }

  /** What a press there is the beginning of. */
  begin(event, place, start) {
    const { annotator } = this;
    const { shapes, kind } = annotator;
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

  drag(act, place) {
    const { annotator } = this;
    const { kind, size, shapes } = annotator;
    const to = settled(place.at, size, kind.room);
    if (act.type === "draw") {
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

  end(act, place) {
    const { annotator } = this;
    const { kind, size, shapes } = annotator;
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

  abandon(act) {
    this.annotator.shapes.abandon();
    if (act.type === "draw") this.annotator.setDraft(null);
  }

  /** The pointer hovers: crosshair, the path's next point, and a cursor that says what a press would do. */
  look(event, place) {
    const { annotator } = this;
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
}
