/**
 * The base of crowd-bounding-box, -polygon, -polyline, -line and -keypoint: an image on a stage, an SVG over it,
 * classes to choose from, a list of what has been drawn. Subclasses say which kind of shape it is and how a shape is
 * written in the answer. All coordinates are stored pixels of the unrotated image, as integers.
 */

import { colourOf, dashOf } from "../core/colours.js";
import { svg } from "../core/dom.js";
import { Keymap } from "../core/keymap.js";
import { chosen, used } from "./carried.js";
import { Drawing } from "./drawing.js";
import { listenToPointers } from "./gestures.js";
import { REACHES } from "./handles.js";
import { Hiding } from "./hiding.js";
import { ImageStage } from "./image-stage.js";
import { actsOf, fixedKeys, listenToKeys, press } from "./keyboard.js";
import { layOut } from "./layout.js";
import { Letters } from "./letters.js";
import { Loading } from "./loading.js";
import { Painting } from "./paint.js";
import { unknownProblem } from "./prelabels.js";
import { Selection } from "./selection.js";
import { Shapes } from "./shapes.js";

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
    this.loading = new Loading(this);
    this.selection = new Selection(this);
    this.hiding = new Hiding(this);
    this.drawing = new Drawing(this);
    this.letters = new Letters(this);
    this.showLabels = true;
    /** The class of the next shape alone. @type {string | null} */
    this.nextLabel = null;
    /** What the pointer that was used last can take hold of. */
    this.reach = REACHES.mouse;
    /** Colour and dashes by class. @type {Map<string, {colour: string, dash: string}>} */
    this.tints = new Map();
    this.painting = new Painting(this);
    this.guides = svg("svg", { class: "guides", "aria-hidden": "true" });
    this.stage.append(this.guides);
    this.keymap = new Keymap(actsOf(this));
    this.panel = layOut(this, root, fixedKeys(this.kind));
    listenToPointers(this);
    listenToKeys(this, press);
    this.stage.addEventListener("pointerdown", () => this.letters.end());
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
    const read = this.loading.load(this.initialValue, `initial-value of ${this.localName}`);
    /** Whether some of the initial value could not be shown, and so is not in the answer. */
    this.lacking = Boolean(read.unreadable.length || read.excess || read.broken);
    this.initialText = this.preset ? JSON.stringify(read.shapes.map((shape) => this.write({ ...shape, id: 0 }))) : "";
    this.drawing.set(null);
    this.panel.reorder();
    this.changed();
  }

  restore(answer) {
    if (Array.isArray(answer?.[this.collection])) this.loading.load(answer, `the kept answer of ${this.localName}`);
  }

  loaded() {
    super.loaded();
    if (this.size) this.loading.imageCame();
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
    if (this.drawing.begun) return `Finish the ${this.kind.noun} you are drawing, or press Escape`;
    if (this.shapes.before) return `Let go of the ${this.kind.noun} that you are moving, or press Escape`;
    const labels = this.shapes.items.map((shape) => shape.label);
    return super.problem() ?? unknownProblem(this.kind, labels.filter((label) => this.isUnknown(label)));
  }

  /** Whether a class is not among those to choose from. */
  isUnknown(label) {
    return this.shownLabels.length > 0 && !this.tints.has(label);
  }

  // -- what gestures, keys and buttons do ------------------------------------------------------------------------

  edited() {
    this.selection.passToKeys();
    super.edited();
  }

  /** The class of the next shape. */
  get comingLabel() {
    return this.nextLabel ?? this.label;
  }

  addShape(points) {
    const label = this.comingLabel;
    this.nextLabel = null;
    this.hiding.showAgain([label]);
    used(label);
    const shape = this.shapes.add(label, points);
    this.edited();
    this.say(`${this.titleOf(shape)} drawn`);
    // Points are set one class after the other: the next number is for the next point, not for this one.
    if (this.kind.drawing === "point") this.shapes.select(null);
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
    if (!shape || this.hiding.refuses(shape)) return;
    this.say(`${this.titleOf(shape)} deleted`);
    this.shapes.remove(id);
    this.edited();
  }

  undo() {
    this.drawing.set(null);
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
    if (changed.length) this.hiding.showAgain(changed.map((shape) => shape.label));
    return done;
  }

  chooseLabel(label) {
    this.label = label;
    this.nextLabel = null;
    chosen(this, label);
    const shape = this.shapes.selected;
    if (shape && shape.label !== label) {
      used(label);
      this.hiding.labels.delete(label);
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

  escape() {
    const busy = this.drawing.draft || this.cursor || this.shapes.selected;
    this.shapes.abandon();
    this.drawing.set(null);
    this.shapes.select(null);
    if (busy) this.say("Nothing selected");
    return Boolean(busy);
  }

  toggleHidden() {
    return this.hiding.toggle();
  }

  toggleLabels() {
    this.showLabels = !this.showLabels;
    this.changed();
    return true;
  }

  deleteByKey() {
    this.selection.takePointed();
    return this.deleteSelected();
  }

  labelByKey(label) {
    this.selection.takePointed();
    return this.chooseLabel(label);
  }

  /** @param {any} place of the crosshair; null for none @param {any} [at] the pixel under the pointer */
  hover(place, at = null) {
    if (!place && !at) this.selection.look(null, null);
    if (this.cursor) return;
    this.pointer = place && { x: place.x, y: place.y };
    this.panel.position(this.size ? at ?? place?.at : null);
    // The crosshair alone moves: nothing else is drawn again.
    if (this.drawing.draft) this.redrawSoon();
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
    const { mode } = this.letters;
    if (mode || this.guides.firstChild) this.guides.replaceChildren(...(mode?.paint() ?? []));
  }
}
