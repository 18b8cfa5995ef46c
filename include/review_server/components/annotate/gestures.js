/**
 * Drawing, moving and resizing shapes by pointer. Only the selected shape can be taken hold of inside it, on its
 * outline and on its handles; every other one by its label. A press anywhere else, or with Ctrl or Alt, draws. A press
 * without a drag selects, and another one on the same place selects the next shape below. A keypoint is its own
 * handle, selected or not.
 */

import { boxOf, moved, settled } from "./kinds.js";
import { partUnder, REACHES, WHOLE } from "./handles.js";
import { Pointers } from "./pointers.js";

/** A second click as near to the first as this, in CSS pixels, is on the same place. */
const SAME_PLACE = 5;

/** @param {import("./annotator.js").Annotator} annotator */
export function listenToPointers(annotator) {
  return new Gestures(annotator);
}

class Gestures extends Pointers {
  get annotator() {
    return this.element;
  }

  /** What a press there is the beginning of. */
  begin(event, place, start) {
    const { annotator } = this;
    const { kind } = annotator;
    annotator.selection.pointAt(null);
    this.reachBy(event);
    // Many Linux desktops move windows by Alt + drag: Ctrl means the same.
    const anew = event.ctrlKey || event.altKey;
    if (annotator.drawing.begun && kind.drawing === "path") return { type: "point", ...start };
    const taken = anew ? null : this.taken(place);
    if (taken) return { type: "edit", ...taken, ...start };
    return { type: kind.drawing === "drag" ? "draw" : "point", anew, ...start };
  }

  /** A finger needs larger handles than a mouse. */
  reachBy(event) {
    const { annotator } = this;
    const reach = REACHES[event.pointerType] ?? REACHES.mouse;
    if (annotator.reach === reach) return;
    annotator.reach = reach;
    annotator.redraw();
  }

  /** What a press on a place of the stage takes hold of. @returns {{shape: any, part: number | "whole", label?: boolean} | null} */
  taken(place) {
    const { view, shapes, kind, reach } = this.annotator;
    const selected = shapes.selected;
    if (selected && !this.annotator.hiding.isHidden(selected)) {
      const part = partUnder(kind, selected.points, view, reach, place);
      if (part !== null) return { shape: selected, part };
    }
    const labelled = this.annotator.painting.labelAt(place);
    if (labelled && kind.drawing !== "point") return { shape: labelled, part: WHOLE, label: true };
    if (kind.drawing !== "point") return null;
    const [nearest] = this.annotator.selection.below(place);
    return nearest ? { shape: nearest, part: WHOLE } : null;
  }

  drag(act, place) {
    const { annotator } = this;
    const { kind, size, shapes } = annotator;
    const to = settled(place.at, size, kind.room);
    if (act.type === "draw") {
      annotator.drawing.set({ points: boxOf(settled(act.from, size, kind.room), to) }, true);
    } else if (act.type === "edit") {
      this.edit(act, place);
    } else if (act.type === "point" && kind.most === 2 && (act.line || !annotator.drawing.begun)) {
      act.line = true;
      annotator.drawing.set({ points: [settled(act.from, size, kind.room)], tip: to }, true);
    }
    annotator.hover(act.type === "draw" ? place : null, shapes.before ? place.at : null);
  }

  /** Move the shape or one of its handles as far as the pointer has moved. */
  edit(act, place) {
    const { kind, size, shapes } = this.annotator;
    // Undo, Delete or a script changed the shapes meanwhile: what was taken hold of is no longer there.
    if (act.begun && !shapes.before) return this.drop();
    act.begun = true;
    const { id, points } = act.shape;
    if (shapes.selectedId !== id) shapes.select(id);
    const [dx, dy] = [place.at.x - act.from.x, place.at.y - act.from.y];
    if (act.part === WHOLE) {
      shapes.preview(id, { points: moved(points, dx, dy, size, kind.room) });
    } else {
      const { x, y } = kind.handles(points)[act.part];
      shapes.preview(id, { points: kind.withHandle(points, act.part, settled({ x: x + dx, y: y + dy }, size, kind.room)) });
    }
  }

  end(act, place) {
    const { annotator } = this;
    const { kind, size, shapes } = annotator;
    if (act.type === "draw" && act.dragged) {
      const { draft } = annotator.drawing;
      annotator.drawing.set(null);
      if (draft && kind.large(draft.points)) annotator.addShape(draft.points);
    } else if (act.type === "edit") {
      if (act.dragged) annotator.settle(act.part !== WHOLE);
      else if (act.label) annotator.selection.select(act.shape.id, false);
      else if (act.part === WHOLE || kind.drawing === "point") this.choose(place);
    } else if (act.type === "point") {
      if (act.line) annotator.drawing.finish([annotator.drawing.draft.points[0], settled(place.at, size, kind.room)]);
      else if (kind.drawing === "path" && !annotator.drawing.draft && !act.anew && this.choose(place)) return;
      else annotator.drawing.placePoint(settled(place.at, size, kind.room));
    } else if (act.type === "draw" && !this.choose(place)) {
      shapes.select(null);
    }
  }

  /** Select the first shape there; on the same place again, the next one. @returns {boolean} whether there is one */
  choose(place) {
    const { annotator } = this;
    const found = annotator.selection.below(place);
    const { chosenAt } = this;
    const again = chosenAt && Math.hypot(place.at.x - chosenAt.x, place.at.y - chosenAt.y) * annotator.view.scale <= SAME_PLACE;
    this.chosenAt = place.at;
    if (!found.length) return false;
    const at = found.findIndex((shape) => shape.id === annotator.shapes.selectedId);
    annotator.selection.select(found[again ? (at + 1) % found.length : 0].id, false);
    return true;
  }

  abandon(act) {
    this.annotator.shapes.abandon();
    if (act.type === "draw" || act.line) this.annotator.drawing.set(null);
  }

  /** The pointer hovers: crosshair, the path's next point, and a cursor that says what a press would do. */
  look(event, place) {
    const { annotator } = this;
    const { kind } = annotator;
    this.reachBy(event);
    const drawing = annotator.drawing.begun && kind.drawing === "path";
    if (drawing) annotator.drawing.draft.tip = settled(place.at, annotator.size, kind.room);
    const taken = drawing || event.ctrlKey || event.altKey ? null : this.taken(place);
    // Keys then act on the box under the mouse, unless the selected one is there as well.
    const under = event.pointerType === "mouse" && kind.drawing === "drag" && !annotator.drawing.draft ? annotator.selection.below(place) : [];
    const own = under.some((shape) => shape.id === annotator.shapes.selectedId);
    annotator.selection.look(place, own ? null : under[0]?.id ?? null);
    this.cursor(!taken ? "crosshair" : taken.part === WHOLE ? "move" : kind.cursor(taken.part));
    annotator.hover(event.pointerType === "mouse" && !taken ? place : null, place.at);
  }
}
