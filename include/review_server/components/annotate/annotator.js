/**
 * The base of crowd-bounding-box, -polygon, -polyline, -line and -keypoint: an image on a stage, an SVG over it,
 * classes to choose from, a list of what has been drawn. Subclasses say which kind of shape it is and how a shape is
 * written in the answer. All coordinates are stored pixels of the unrotated image, as integers.
 */

import { colourOf } from "../core/colours.js";
import { svg } from "../core/dom.js";
import { Keymap } from "../core/keymap.js";
import { chosen, used } from "./carried.js";
import { boundsOf, inReadingOrder, nearest } from "./finding.js";
import { listenToPointers } from "./gestures.js";
import { Grid } from "./grid.js";
import { Hints } from "./hints.js";
import { ImageStage } from "./image-stage.js";
import { actsOf, fixedKeys, listenToKeys, press } from "./keyboard.js";
import { boxOf, moved } from "./kinds.js";
import { layOut } from "./layout.js";
import { paint } from "./paint.js";
import { Shapes } from "./shapes.js";

const NEAR = 8;

export class Annotator extends ImageStage {
  /** The geometry of a shape (kinds.js). @type {any} */
  kind = null;
  /** The answer's key for the list of shapes. */
  collection = "";

  /** @param {any} _item @returns {{label: string, points: import("./shapes.js").Point[]}} */
  read(_item) {
    throw new TypeError("a subclass reads its own shapes");
  }

  /** @param {import("./shapes.js").Shape} _shape @returns {any} */
  write(_shape) {
    throw new TypeError("a subclass writes its own shapes");
  }

  /** @param {ShadowRoot} root */
  buildStage(root) {
    this.shapes = new Shapes(() => this.changed());
    /** A shape that is being drawn. @type {{points: any[], tip?: any} | null} */
    this.draft = null;
    this.showLabels = true;
    /** The class of the next shape alone. @type {string | null} */
    this.nextLabel = null;
    /** Classes whose shapes are hidden. @type {Set<string>} */
    this.hiddenLabels = new Set();
    /** What letters mean just now (Hints, Grid). @type {Hints | Grid | null} */
    this.mode = null;
    this.guides = svg("svg", { class: "guides", "aria-hidden": "true" });
    this.overlay.after(this.guides);
    this.keymap = new Keymap(actsOf(this));
    this.panel = layOut(this, root, fixedKeys(this.kind));
    listenToPointers(this);
    listenToKeys(this, press);
    this.stage.addEventListener("pointerdown", () => this.endMode());
  }

  /** Begin (again) with the initial value. */
  begin() {
    this.load(this.initialValue, "initial-value");
    this.initialText = this.preset ? JSON.stringify(this.written()) : "";
    this.setDraft(null);
    this.panel.reorder();
    this.changed();
  }

  restore(answer) {
    if (Array.isArray(answer?.[this.collection])) this.load(answer, "the kept answer");
  }

  /** Begin with the shapes of a list, or of an answer. @param {any} value @param {string} what as a complaint names it */
  load(value, what) {
    const items = Array.isArray(value) ? value : value?.[this.collection] ?? [];
    const shapes = [];
    for (const item of items) {
      try {
        const shape = this.read(item);
        const whole = shape.points.map(({ x, y }) => ({ x: Math.round(Number(x)), y: Math.round(Number(y)) }));
        if (whole.some(({ x, y }) => !Number.isFinite(x) || !Number.isFinite(y))) throw new TypeError("not numbers");
        shapes.push({ label: String(shape.label ?? ""), points: whole });
      } catch {
        this.complain(`${what} of ${this.localName}: ${JSON.stringify(item)} is not a ${this.kind.noun}`);
      }
    }
    this.shapes.load(shapes);
  }

  // -- the answer ----------------------------------------------------------------------------------------------

  written() {
    return this.shapes.items.map((shape) => this.write(shape));
  }

  answer() {
    const { width, height } = this.size ?? { width: 0, height: 0 };
    const shapes = this.written();
    /** @type {Record<string, any>} */
    const answer = { [this.collection]: shapes, inputImageProperties: { height, width } };
    if (this.preset) answer.initialValueModified = JSON.stringify(shapes) !== this.initialText;
    return answer;
  }

  problem() {
    if (this.draft?.points.length) return `Finish the ${this.kind.noun} you are drawing, or press Escape`;
    return super.problem();
  }

  // -- what gestures, keys and buttons do ------------------------------------------------------------------------

  /** The class of the next shape. */
  get comingLabel() {
    return this.nextLabel ?? this.label;
  }

  addShape(points) {
    const label = this.comingLabel;
    this.nextLabel = null;
    this.hiddenLabels.delete(label);
    used(label);
    const shape = this.shapes.add(label, points);
    this.edited();
    this.say(`${this.titleOf(shape)} drawn`);
    // Points are set one class after the other: the next number is for the next point, not for this one.
    if (this.kind.drawing === "point") this.shapes.select(null);
  }

  selectShape(id) {
    this.shapes.select(id);
    const shape = this.shapes.selected;
    if (!shape) return;
    this.label = this.labels.includes(shape.label) ? shape.label : this.label;
    this.classChosen = true;
    this.view.reveal(this.kind.outline(shape.points));
    this.redraw();
    this.panel.show();
    this.say(this.titleOf(shape));
  }

  settle() {
    const shape = this.shapes.selected;
    // A box that was squeezed to nothing is put back.
    if (shape && !this.kind.large(shape.points)) this.shapes.abandon();
    else this.shapes.settle();
    this.edited();
  }

  nudge(id, points) {
    this.shapes.edit(id, { points }, `nudge ${id}`);
    this.view.reveal(this.kind.outline(points));
    this.redraw();
    this.edited();
    this.say(this.kind.describe(points));
    return true;
  }

  deleteSelected() {
    const shape = this.shapes.selected;
    if (!shape) return false;
    const { vertex } = this.shapes;
    const rest = shape.points.filter((_, index) => index !== vertex);
    if (vertex !== null && this.kind.drawing === "path" && this.kind.large(rest) && !this.kind.most) {
      this.shapes.edit(shape.id, { points: rest });
      this.shapes.vertex = null;
      this.say("Point deleted");
    } else {
      this.deleteShape(shape.id);
    }
    this.edited();
    return true;
  }

  deleteShape(id) {
    const shape = this.shapes.items.find((item) => item.id === id);
    if (!shape) return;
    this.say(`${this.titleOf(shape)} deleted`);
    this.shapes.remove(id);
    this.edited();
  }

  undo() {
    this.setDraft(null);
    this.say(this.shapes.undo() ? `Undone. ${this.counted()}` : "Nothing to undo");
    this.edited();
    return true;
  }

  redo() {
    this.say(this.shapes.redo() ? `Done again. ${this.counted()}` : "Nothing to redo");
    this.edited();
    return true;
  }

  chooseLabel(label) {
    this.label = label;
    this.nextLabel = null;
    chosen(this, label);
    const shape = this.shapes.selected;
    if (shape && shape.label !== label) {
      used(label);
      this.shapes.edit(shape.id, { label });
      this.edited();
    }
    this.changed();
    this.say(shape ? `${this.kind.noun} is now ${label}` : `Class ${label}`);
    return true;
  }

  /** The class of the next shape alone; what is selected keeps its own. */
  chooseNext(label) {
    this.nextLabel = label;
    this.changed();
    this.say(`The next ${this.kind.noun} will be ${label}`);
    return true;
  }

  /** Shapes that can be selected, as one reads. */
  get inOrder() {
    return inReadingOrder(this.shapes.items.filter((shape) => !this.isHidden(shape)));
  }

  /** Select the shape next to the selected one, or to the middle of what is seen, in a direction. */
  selectNearest(right, down) {
    const { selected, items } = this.shapes;
    const from = selected ? boundsOf(selected.points) : this.middle();
    const shape = nearest(items.filter((item) => item !== selected && !this.isHidden(item)), from, right, down);
    if (shape) this.selectShape(shape.id);
    else this.say(`No ${this.kind.noun} there`);
    return true;
  }

  /** Select the next shape. @returns {boolean} false after the last: the focus then goes on */
  cycle(step) {
    const items = this.inOrder;
    const at = items.findIndex((shape) => shape.id === this.shapes.selectedId);
    const next = at < 0 ? (step > 0 ? 0 : items.length - 1) : at + step;
    if (!items[next]) {
      this.shapes.select(null);
      return false;
    }
    this.selectShape(items[next].id);
    return true;
  }

  nextVertex() {
    const shape = this.shapes.selected;
    if (!shape || this.kind.drawing !== "path") return false;
    this.shapes.vertex = ((this.shapes.vertex ?? -1) + 1) % shape.points.length;
    const point = shape.points[this.shapes.vertex];
    this.changed();
    this.say(`point ${this.shapes.vertex + 1} of ${shape.points.length}, at ${point.x}, ${point.y}`);
    return true;
  }

  escape() {
    const busy = this.draft || this.cursor || this.shapes.selected;
    this.shapes.abandon();
    this.setDraft(null);
    this.shapes.select(null);
    if (busy) this.say("Nothing selected");
    return Boolean(busy);
  }

  toggleHidden() {
    this.hides = !this.hides;
    this.changed();
    this.say(`${this.kind.plural} ${this.hides ? "hidden" : "shown"}`);
    return true;
  }

  isHidden(shape) {
    return this.hides || this.hiddenLabels.has(shape.label);
  }

  toggleHiddenLabel(label) {
    if (!this.hiddenLabels.delete(label)) this.hiddenLabels.add(label);
    this.afterHiding();
    this.say(`${label} ${this.hiddenLabels.has(label) ? "hidden" : "shown"}`);
    return true;
  }

  /** What cannot be seen is not selected: nothing is done to it. */
  afterHiding() {
    const { selected } = this.shapes;
    if (selected && this.isHidden(selected)) this.shapes.select(null);
    this.changed();
  }

  /** Hide or show the class of what is selected, else the one that is chosen. */
  toggleClass() {
    return this.toggleHiddenLabel(this.shapes.selected?.label ?? this.label);
  }

  zoomToSelected() {
    const shape = this.shapes.selected;
    if (!shape) return this.say(`Select a ${this.kind.noun} first`), true;
    if (!this.view.showOff(boundsOf(shape.points))) this.view.fit();
    this.redraw();
    return true;
  }

  toggleLabels() {
    this.showLabels = !this.showLabels;
    this.changed();
    return true;
  }

  // -- drawing ---------------------------------------------------------------------------------------------------

  /** Begin by keyboard: a box in the middle of what is seen, or a cross for the first point. */
  drawByKeys() {
    if (!this.size) return false;
    this.focusStage();
    const { stage } = this.view;
    const { width, height } = this.size;
    const { x, y } = this.middle();
    if (this.kind.drawing === "drag") {
      const half = Math.max(2, Math.round(Math.min(width, height, stage.width / this.view.scale) / 10));
      this.addShape([
        { x: Math.max(0, x - half), y: Math.max(0, y - half) },
        { x: Math.min(width, x + half), y: Math.min(height, y + half) },
      ]);
    } else {
      this.shapes.select(null);
      this.draft ??= { points: [] };
      this.moveCursor({ x, y });
    }
    return true;
  }

  /** Letters mean something else now. @param {Hints | Grid} mode */
  begins(mode) {
    this.mode = mode;
    this.setDraft(null);
    this.focusStage();
    this.say(mode.said);
    return true;
  }

  endMode() {
    if (!this.mode) return;
    this.mode = null;
    this.changed();
  }

  showHints() {
    return this.size ? this.begins(new Hints(this)) : false;
  }

  /** Ask for points by letters: of a new box, of the selected one, or where the selected shape goes. */
  placeBy(what) {
    const shape = this.shapes.selected;
    if (!this.size) return false;
    if (!shape && what !== "new") return this.say(`Select a ${this.kind.noun} first`), true;
    return this.begins(new Grid(this, what === "move" ? 1 : 2, ([a, b]) => {
      if (what === "move") {
        const { left, top } = boundsOf(shape.points);
        this.nudge(shape.id, moved(shape.points, a.x - left, a.y - top, this.size, this.kind.room));
        return;
      }
      const points = boxOf(a, b);
      if (!this.kind.large(points)) this.say("That is no box: its corners are the same");
      else if (what === "new") this.addShape(points);
      else this.nudge(shape.id, points);
    }));
  }

  moveCursor(point) {
    this.cursor = point;
    if (this.draft) this.draft.tip = this.draft.points.length ? point : undefined;
    this.pointer = this.view.toStage(point);
    this.view.reveal([point]);
    this.redraw();
    this.say(`${point.x}, ${point.y}`);
    return true;
  }

  placeCursor() {
    if (!this.cursor) return this.draft?.points.length ? this.finishDraft(this.draft.points) : false;
    const { cursor } = this;
    this.placePoint(cursor);
    if (this.draft) this.moveCursor(cursor);
    return true;
  }

  /** One more point of a path, or a keypoint. A point on the last one, or on a polygon's first, finishes it. */
  placePoint(point) {
    const points = this.draft?.points ?? [];
    const near = (other) => other && Math.hypot(other.x - point.x, other.y - point.y) * this.view.scale <= NEAR;
    if (near(points.at(-1)) || (this.kind.closed && points.length >= this.kind.least && near(points[0]))) {
      this.finishDraft(points);
    } else if (points.length + 1 === this.kind.most) {
      this.finishDraft([...points, point]);
    } else {
      if (!points.length) this.shapes.select(null);
      this.setDraft({ points: [...points, point] });
      this.say(`point ${points.length + 1} set`);
    }
  }

  finishDraft(points) {
    if (!this.kind.large(points)) {
      this.say(`A ${this.kind.noun} needs ${this.kind.least} points`);
      return true;
    }
    this.setDraft(null);
    this.addShape(points);
    return true;
  }

  dropPoint() {
    const points = this.draft.points.slice(0, -1);
    this.setDraft(points.length ? { points, tip: this.draft.tip } : null);
    return true;
  }

  setDraft(draft) {
    this.draft = draft;
    if (!draft) this.cursor = null;
    if (!draft) this.pointer = null;
    this.changed();
  }

  hover(place) {
    if (this.cursor) return;
    this.pointer = place && { x: place.x, y: place.y };
    this.panel.position(place && this.size ? place.at : null);
    this.redraw();
  }

  // -- what is shown ---------------------------------------------------------------------------------------------

  colour(label) {
    const at = this.shownLabels.indexOf(label);
    const own = this.structure("label-colors", [])[at];
    return typeof own === "string" && /^#[0-9a-f]{6}$/i.test(own) ? own.toLowerCase() : colourOf(Math.max(at, 0));
  }

  /** "box 2 of 5, cat: left 3, …", as a screen reader says it. */
  titleOf(shape) {
    const at = this.shapes.items.findIndex((item) => item.id === shape.id);
    return `${this.kind.noun} ${at + 1} of ${this.shapes.items.length}, ${shape.label}: ${this.kind.describe(shape.points)}`;
  }

  counted() {
    const count = this.shapes.items.length;
    return `${count} ${count === 1 ? this.kind.noun : this.kind.plural}`;
  }

  draw() {
    paint(this);
    if (this.mode || this.guides.firstChild) this.guides.replaceChildren(...(this.mode?.paint() ?? []));
  }
}
