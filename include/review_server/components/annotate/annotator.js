/**
 * The base of crowd-bounding-box, -polygon, -polyline, -line and -keypoint: an image on a stage, an SVG over it,
 * classes to choose from, a list of what has been drawn. Subclasses say which kind of shape it is and how a shape is
 * written in the answer. All coordinates are stored pixels of the unrotated image, as integers.
 */

import { CrowdElement } from "../core/element.js";
import { h, storedSize, svg } from "../core/dom.js";
import { colourOf } from "../core/colours.js";
import { keysFor } from "../core/shortcuts.js";
import { tell } from "../core/bridge.js";
import { panelStyle } from "../layout/instructions.js";
import { listenToPointers } from "./gestures.js";
import { keyHelp, listenToKeys } from "./keyboard.js";
import { layOut } from "./layout.js";
import { paint } from "./paint.js";
import { Shapes } from "./shapes.js";
import { View } from "./view.js";
import { annotatorStyle } from "./annotator-style.js";

const NEAR = 8;

export class Annotator extends CrowdElement {
  static answers = true;
  static properties = ["header", "src"];
  static regions = ["full-instructions", "short-instructions"];
  static style = annotatorStyle;

  static get observedAttributes() {
    return [...super.observedAttributes, "labels", "label-colors", "initial-value"];
  }

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
  build(root) {
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, panelStyle];
    this.view = new View();
    this.shapes = new Shapes(() => this.changed());
    /** Stored pixels of the image; null until it is there. @type {{width: number, height: number} | null} */
    this.size = null;
    /** A shape that is being drawn. @type {{points: any[], tip?: any} | null} */
    this.draft = null;
    /** Where the crosshair is on the stage. */
    this.pointer = null;
    /** The cross that the keyboard moves, in image pixels. */
    this.cursor = null;
    /** Whether the shapes are hidden, to see what is under them. */
    this.hides = false;
    this.showLabels = true;
    this.spaceHeld = false;
    this.label = "";
    this.keys = [];
    this.shownLabels = [];
    this.image = h("img", { crossorigin: "anonymous", alt: "", draggable: "false" });
    this.image.style.imageOrientation = "none";
    this.image.addEventListener("load", () => this.loaded());
    this.image.addEventListener("error", () => this.failed());
    this.overlay = svg("svg", { "aria-hidden": "true" });
    this.stage = h("div", {
      class: "stage", tabindex: "0", role: "application", "aria-roledescription": "image annotation",
    }, this.image, this.overlay);
    this.panel = layOut(this, root, keyHelp(this.kind));
    listenToPointers(this);
    listenToKeys(this);
    new ResizeObserver(() => {
      // An image that came while the element was out of sight is measured now.
      if (!this.size && this.image.complete && this.image.naturalWidth) this.loaded();
      this.fitStage();
      this.redraw();
    }).observe(this.stage);
  }

  update() {
    this.panel.header(this.header ?? "");
    const labels = this.labels;
    if (JSON.stringify(labels) !== JSON.stringify(this.shownLabels)) {
      this.shownLabels = labels;
      this.keys = keysFor(labels);
      if (!labels.includes(this.label)) this.label = labels[0] ?? "";
    }
    const initial = this.given.get("initial-value") ?? this.getAttribute("initial-value");
    if (initial !== this.shownInitial) {
      this.shownInitial = initial;
      this.begin();
    }
    if (this.src && this.src !== this.image.getAttribute("src")) {
      this.size = null;
      this.panel.waiting("Loading the image…");
      this.image.src = this.src;
    }
    this.changed();
  }

  /** @returns {string[]} the classes; a template may set another list at any time */
  get labels() {
    return this.texts("labels");
  }

  set labels(value) {
    this.given.set("labels", value);
    if (this.built) this.update();
  }

  get initialValue() {
    return this.structure("initial-value", null);
  }

  set initialValue(value) {
    this.given.set("initial-value", value);
    if (this.built) this.update();
  }

  /** Begin (again) with the initial value. */
  begin() {
    const initial = this.initialValue;
    const items = Array.isArray(initial) ? initial : initial?.[this.collection] ?? [];
    const shapes = [];
    for (const item of items) {
      try {
        const shape = this.read(item);
        const whole = shape.points.map(({ x, y }) => ({ x: Math.round(Number(x)), y: Math.round(Number(y)) }));
        if (whole.some(({ x, y }) => !Number.isFinite(x) || !Number.isFinite(y))) throw new TypeError("not numbers");
        shapes.push({ label: String(shape.label ?? ""), points: whole });
      } catch {
        this.complain(`initial-value of ${this.localName}: ${JSON.stringify(item)} is not a ${this.kind.noun}`);
      }
    }
    this.shapes.load(shapes);
    this.initialText = this.preset ? JSON.stringify(this.written()) : "";
    this.setDraft(null);
  }

  get preset() {
    return this.given.has("initial-value") || Boolean(this.getAttribute("initial-value")?.trim());
  }

  loaded() {
    this.size = storedSize(this.image);
    if (!this.size) return;
    this.view.image = this.size;
    this.panel.waiting("");
    this.fitStage();
    this.view.fit();
    this.redraw();
    this.dispatchEvent(new Event("load"));
  }

  /** The stage is no higher than its image needs: what stands below stays in sight on a narrow screen. */
  fitStage() {
    const { clientWidth, clientHeight } = this.stage;
    if (this.size) {
      this.stage.style.maxHeight = `${Math.max(320, Math.ceil((clientWidth / this.size.width) * this.size.height) + 26)}px`;
    }
    this.view.resize(clientWidth, this.stage.clientHeight || clientHeight);
  }

  failed() {
    const message = "The image could not be loaded. Its address may have expired (load the page again), or its bucket "
      + "does not allow reading by CORS.";
    this.panel.waiting(message);
    tell("error", { message });
  }

  // -- the answer ----------------------------------------------------------------------------------------------

  written() {
    return this.shapes.items.map((shape) => this.write(shape));
  }

  get value() {
    return this.answer();
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
    if (!this.src) return `${this.localName} has no image (src is empty)`;
    if (!this.size) return "The image has not been loaded: nothing can be submitted without having seen it";
    if (this.draft?.points.length) return `Finish the ${this.kind.noun} you are drawing, or press Escape`;
    return null;
  }

  reset() {
    this.begin();
  }

  focus() {
    this.focusStage();
  }

  // -- what gestures, keys and buttons do ------------------------------------------------------------------------

  /** Whether keys are for this element: it has the focus, or nothing has and it is the page's only annotator. */
  hasKeys() {
    const focus = document.activeElement;
    if (focus === this) return true;
    if (focus && focus !== document.body && focus.localName.startsWith("crowd-") && focus.localName !== "crowd-button") {
      return false;
    }
    return [...document.querySelectorAll("*")].filter((element) => element instanceof Annotator).length === 1;
  }

  addShape(points) {
    const shape = this.shapes.add(this.label, points);
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
    const shape = this.shapes.selected;
    if (shape && shape.label !== label) {
      this.shapes.edit(shape.id, { label });
      this.edited();
    }
    this.changed();
    this.say(shape ? `${this.kind.noun} is now ${label}` : `Class ${label}`);
    return true;
  }

  stepLabel(step) {
    const { labels } = this;
    if (!labels.length) return false;
    return this.chooseLabel(labels.at((labels.indexOf(this.label) + step) % labels.length));
  }

  /** Select the next shape. @returns {boolean} false after the last: the focus then goes on */
  cycle(step) {
    const { items } = this.shapes;
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

  toggleLabels() {
    this.showLabels = !this.showLabels;
    this.changed();
    return true;
  }

  help() {
    this.panel.help();
    return true;
  }

  // -- drawing ---------------------------------------------------------------------------------------------------

  /** Begin by keyboard: a box in the middle of what is seen, or a cross for the first point. */
  drawByKeys() {
    if (!this.size) return false;
    this.focusStage();
    const { stage } = this.view;
    const { width, height } = this.size;
    const middle = this.view.toImage(stage.width / 2, stage.height / 2);
    const x = Math.round(Math.min(Math.max(middle.x, 0), width - 1));
    const y = Math.round(Math.min(Math.max(middle.y, 0), height - 1));
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

  changed() {
    this.panel.show();
    this.redraw();
  }

  redraw() {
    const { view } = this;
    this.image.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    this.image.style.imageRendering = view.scale >= 3 ? "pixelated" : "auto";
    this.panel?.zoom(view.scale);
    if (this.size) paint(this);
  }

  edited() {
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }

  focusStage() {
    this.stage.focus({ preventScroll: true });
  }

  say(text) {
    this.panel.say(text);
  }
}
