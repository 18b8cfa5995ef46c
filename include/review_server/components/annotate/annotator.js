/**
 * The base of crowd-bounding-box, -polygon, -polyline, -line and -keypoint: an image on a stage, an SVG over it,
 * classes to choose from, a list of what has been drawn. Subclasses say which kind of shape it is and how a shape is
 * written in the answer. All coordinates are stored pixels of the unrotated image, as integers.
 */

import { colourOf, dashOf } from "../core/colours.js";
import { svg } from "../core/dom.js";
import { Keymap } from "../core/keymap.js";
import { chosen, used } from "./carried.js";
import { boundsOf, inReadingOrder, nearest } from "./finding.js";
import { listenToPointers } from "./gestures.js";
import { Grid } from "./grid.js";
import { REACHES } from "./handles.js";
import { Hints } from "./hints.js";
import { ImageStage } from "./image-stage.js";
import { actsOf, fixedKeys, listenToKeys, press } from "./keyboard.js";
import { boxOf, moved } from "./kinds.js";
import { layOut } from "./layout.js";
import { Painting } from "./paint.js";
import { fitAll, readAll, wordsOf } from "./prelabels.js";
import { Shapes } from "./shapes.js";

const NEAR = 8;
/** A class that is not offered does not look like any that is. */
const UNKNOWN = { colour: "#c8c8c8", dash: "2 3" };

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
    this.shapes = new Shapes(() => this.changed(), () => this.changedSoon());
    /** The box under the mouse. @type {number | null} */
    this.pointedId = null;
    /** A shape that is being drawn. @type {{points: any[], tip?: any} | null} */
    this.draft = null;
    this.showLabels = true;
    /** The class of the next shape alone. @type {string | null} */
    this.nextLabel = null;
    /** Classes whose shapes are hidden. @type {Set<string>} */
    this.hiddenLabels = new Set();
    /** What the pointer that was used last can take hold of. */
    this.reach = REACHES.mouse;
    /** Colour and dashes by class. @type {Map<string, {colour: string, dash: string}>} */
    this.tints = new Map();
    /** Shapes that have not been fitted to the image yet: it is not there. @type {any} */
    this.incoming = null;
    /** What letters mean just now (Hints, Grid). @type {Hints | Grid | null} */
    this.mode = null;
    this.painting = new Painting(this);
    this.guides = svg("svg", { class: "guides", "aria-hidden": "true" });
    this.stage.append(this.guides);
    this.keymap = new Keymap(actsOf(this));
    this.panel = layOut(this, root, fixedKeys(this.kind));
    listenToPointers(this);
    listenToKeys(this, press);
    this.stage.addEventListener("pointerdown", () => this.endMode());
  }

  update() {
    const own = this.structure("label-colors", []);
    const tints = this.labels.map((label, index) => [label, {
      colour: typeof own[index] === "string" && /^#[0-9a-f]{6}$/i.test(own[index]) ? own[index].toLowerCase() : colourOf(index),
      dash: dashOf(index),
    }]);
    if (JSON.stringify(tints) !== JSON.stringify([...this.tints])) this.tints = new Map(/** @type {any} */ (tints));
    super.update();
  }

  /** Begin (again) with the initial value. */
  begin() {
    const read = this.load(this.initialValue, `initial-value of ${this.localName}`);
    /** Whether some of the initial value could not be shown, and so is not in the answer. */
    this.lacking = Boolean(read.unreadable.length || read.excess || read.broken);
    this.initialText = this.preset ? JSON.stringify(read.shapes.map((shape) => this.write({ ...shape, id: 0 }))) : "";
    this.setDraft(null);
    this.panel.reorder();
    this.changed();
  }

  restore(answer) {
    if (Array.isArray(answer?.[this.collection])) this.load(answer, `the kept answer of ${this.localName}`);
  }

  loaded() {
    super.loaded();
    if (!this.size) return;
    const { width, height } = this.size;
    const image = `${width} × ${height}`;
    // Another image below the same shapes: they are fitted to it as well.
    if (!this.incoming && this.fittedTo !== image) {
      const { items } = this.shapes;
      this.incoming = { what: `The ${this.kind.plural} of ${this.localName}`, unreadable: [], excess: 0, total: items.length,
        shapes: items.map((shape, index) => ({ ...shape, number: index + 1 })) };
    }
    this.fittedTo = image;
    this.fitIncoming();
  }

  /** Begin with the shapes of a list, or of an answer. @param {any} value @param {string} what as a complaint names it */
  load(value, what) {
    const items = Array.isArray(value) ? value : value?.[this.collection];
    const nothing = value === null || value === undefined || JSON.stringify(value) === "{}";
    const broken = !Array.isArray(items) && !nothing;
    if (broken) this.complain(`${what} is no list of ${this.kind.plural}`);
    const list = Array.isArray(items) ? items : [];
    this.incoming = { what, broken, total: list.length, ...readAll(list, (item) => this.read(item)) };
    const { incoming } = this;
    this.shapes.load(incoming.shapes);
    this.fitIncoming();
    return incoming;
  }

  /** Fit what was loaded to the image, as soon as both are there, and tell what became of it. */
  fitIncoming() {
    const { incoming, size, kind } = this;
    if (!incoming || !size) return;
    this.incoming = null;
    const { kept, ...numbers } = fitAll(incoming.shapes, kind, size);
    if (kept.some((shape, index) => shape !== incoming.shapes[index]) || kept.length < incoming.shapes.length) this.shapes.load(kept);
    const unknown = kept.filter((shape) => this.isUnknown(shape.label));
    for (const words of wordsOf(incoming.what, kind, { ...incoming, ...numbers, unknown })) this.complain(words);
  }

  // -- the answer ----------------------------------------------------------------------------------------------

  written() {
    // Without what is being dragged: it has not happened yet.
    return this.shapes.settled.map((shape) => this.write(shape));
  }

  answer() {
    const { width, height } = this.size ?? { width: 0, height: 0 };
    const shapes = this.written();
    /** @type {Record<string, any>} */
    const answer = { [this.collection]: shapes, inputImageProperties: { height, width } };
    if (this.preset) answer.initialValueModified = this.lacking || JSON.stringify(shapes) !== this.initialText;
    return answer;
  }

  problem() {
    if (this.draft?.points.length) return `Finish the ${this.kind.noun} you are drawing, or press Escape`;
    if (this.shapes.before) return `Let go of the ${this.kind.noun} that you are moving, or press Escape`;
    return super.problem() ?? this.unknownProblem();
  }

  /** An answer with a class that nobody offered would be refused as a whole: it is not given. */
  unknownProblem() {
    const unknown = this.shapes.items.filter((shape) => this.isUnknown(shape.label));
    if (!unknown.length) return null;
    const [{ label }] = unknown;
    const which = unknown.length === 1 ? `1 ${this.kind.noun} has` : `${unknown.length} ${this.kind.plural} have`;
    return `${which} a class that is not offered${label ? ` (${label})` : ""}: choose one of the classes for it, or delete it`;
  }

  /** Whether a class is not among those to choose from. */
  isUnknown(label) {
    return this.shownLabels.length > 0 && !this.tints.has(label);
  }

  // -- what gestures, keys and buttons do ------------------------------------------------------------------------

  /** The class of the next shape. */
  get comingLabel() {
    return this.nextLabel ?? this.label;
  }

  addShape(points) {
    const label = this.comingLabel;
    this.nextLabel = null;
    this.showAgain([label]);
    used(label);
    const shape = this.shapes.add(label, points);
    this.edited();
    this.say(`${this.titleOf(shape)} drawn`);
    // Points are set one class after the other: the next number is for the next point, not for this one.
    if (this.kind.drawing === "point") this.shapes.select(null);
  }

  /** @param {number} id @param {boolean} [reveal] whether to bring it into sight */
  selectShape(id, reveal = true) {
    this.pointAt(null);
    const shape = this.shapes.items.find((item) => item.id === id);
    if (!shape || this.refuses(shape)) return;
    this.shapes.select(id);
    this.label = this.labels.includes(shape.label) ? shape.label : this.label;
    this.classChosen = true;
    if (reveal) this.view.reveal(this.kind.outline(shape.points));
    this.redraw();
    this.panel.show();
    this.say(this.titleOf(shape));
  }

  /** End a drag. @param {boolean} reshaped whether by a handle */
  settle(reshaped) {
    const shape = this.shapes.selected;
    // A box that was squeezed to nothing is put back.
    if (reshaped && shape && !this.kind.large(shape.points)) this.shapes.abandon();
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
    if (!shape || this.refuses(shape)) return;
    this.say(`${this.titleOf(shape)} deleted`);
    this.shapes.remove(id);
    this.edited();
  }

  undo() {
    this.setDraft(null);
    this.say(this.travel(() => this.shapes.undo()) ? `Undone. ${this.counted()}` : "Nothing to undo");
    this.edited();
    return true;
  }

  redo() {
    this.say(this.travel(() => this.shapes.redo()) ? `Done again. ${this.counted()}` : "Nothing to redo");
    this.edited();
    return true;
  }

  /** Undo or redo: what changes by it is seen. */
  travel(step) {
    const before = new Set(this.shapes.items);
    const done = step();
    const after = new Set(this.shapes.items);
    const changed = [...before].filter((shape) => !after.has(shape)).concat([...after].filter((shape) => !before.has(shape)));
    if (changed.length) this.showAgain(changed.map((shape) => shape.label));
    return done;
  }

  chooseLabel(label) {
    this.label = label;
    this.nextLabel = null;
    chosen(this, label);
    const shape = this.shapes.selected;
    if (shape && shape.label !== label) {
      used(label);
      this.hiddenLabels.delete(label);
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
    this.afterHiding();
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

  /** Show what is about to be changed. @param {string[]} labels */
  showAgain(labels) {
    this.hides = false;
    for (const label of labels) this.hiddenLabels.delete(label);
  }

  /** Whether nothing may be done to a shape because it is hidden; says so. */
  refuses(shape) {
    if (!this.isHidden(shape)) return false;
    this.say(`${this.titleOf(shape)} is hidden: show it first`);
    return true;
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

  /** @param {any} draft @param {boolean} [moving] whether more of it comes at once */
  setDraft(draft, moving = false) {
    this.draft = draft;
    if (!draft) this.cursor = null;
    if (!draft) this.pointer = null;
    if (moving) this.changedSoon();
    else this.changed();
  }

  /** @param {any} place of the crosshair; null for none @param {any} [at] the pixel under the pointer */
  /** The box under the mouse, on which keys act. @param {number | null} id */
  pointAt(id) {
    if (id === this.pointedId) return;
    this.pointedId = id;
    if (this.size) this.painting.drawPointed();
  }

  /** Select the box under the mouse, if there is one. */
  takePointed() {
    const shape = this.shapes.items.find(({ id }) => id === this.pointedId);
    if (shape && !this.isHidden(shape)) this.selectShape(shape.id, false);
  }

  deleteByKey() {
    this.takePointed();
    return this.deleteSelected();
  }

  labelByKey(label) {
    this.takePointed();
    return this.chooseLabel(label);
  }

  hover(place, at = null) {
    if (!place && !at) this.pointAt(null);
    if (this.cursor) return;
    this.pointer = place && { x: place.x, y: place.y };
    this.panel.position(this.size ? at ?? place?.at : null);
    // The crosshair alone moves: nothing else is drawn again.
    if (this.draft) this.redrawSoon();
    else if (this.size) this.painting.drawCross(this.pointer);
  }

  // -- what is shown ---------------------------------------------------------------------------------------------

  colour(label) {
    return (this.tints.get(label) ?? UNKNOWN).colour;
  }

  dash(label) {
    return (this.tints.get(label) ?? UNKNOWN).dash;
  }

  /** "box 2 of 5, cat: left 3, …", as a screen reader says it. */
  titleOf(shape, at = this.shapes.items.findIndex((item) => item.id === shape.id)) {
    return `${this.kind.noun} ${at + 1} of ${this.shapes.items.length}, ${shape.label}: ${this.kind.describe(shape.points)}`;
  }

  counted() {
    const count = this.shapes.items.length;
    return `${count} ${count === 1 ? this.kind.noun : this.kind.plural}`;
  }

  draw() {
    this.painting.draw();
    if (this.mode || this.guides.firstChild) this.guides.replaceChildren(...(this.mode?.paint() ?? []));
  }
}
