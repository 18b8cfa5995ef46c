/**
 * The base of crowd-semantic-segmentation and crowd-instance-segmentation: each pixel of an image gets a value, by brush,
 * eraser and filled polygon; subclasses say what a value means. The answer holds the mask as a PNG in the values'
 * colours; an initial value is a mask to correct. Memory grows with the image: a byte a pixel for the mask, four for
 * showing it.
 */

import { h } from "../core/dom.js";
import { ImageStage } from "../annotate/image-stage.js";
import { Keymap } from "../core/keymap.js";
import { listenToKeys } from "../annotate/keyboard.js";
import { pictureOf } from "./colours.js";
import { listenToStrokes } from "./gestures.js";
import { actsOf, fixedKeys, press } from "./keyboard.js";
import { LARGEST_BRUSH, layOut } from "./layout.js";
import { Mask, same } from "./mask.js";
import { paint } from "./paint.js";
import { pngOf } from "./png.js";
import { valuesOf } from "./reading.js";

const NEAR = 8;

export class Segmentation extends ImageStage {
  /** @param {ShadowRoot} root */
  buildStage(root) {
    /** @type {Mask | null} null until the image is there */
    this.mask = null;
    /** @type {"brush" | "eraser" | "polygon"} */
    this.tool = "brush";
    this.brush = 0;
    /** Corners of a polygon that is being drawn. @type {import("./mask.js").Point[]} */
    this.corners = [];
    /** What keeps the answer from being given: a mask to correct that is not there. */
    this.missing = "";
    /** The masks that are being read, one after the other. */
    this.reading = Promise.resolve();
    /** A mask that was kept, until it is read. @type {{source: string, answer: any} | null} */
    this.kept = null;
    /** The mask to correct, as it was. @type {Uint8Array | null} */
    this.initial = null;
    /** Kept masks that were loaded. */
    this.loads = 0;
    this.canvas = h("canvas", { class: "mask", "aria-hidden": "true" });
    this.image.after(this.canvas);
    this.keymap = new Keymap(actsOf(this));
    this.panel = layOut(this, root, fixedKeys());
    listenToStrokes(this);
    listenToKeys(this, press);
  }

  /** The colour of each value from 1 on, as #rrggbb. @returns {string[]} */
  get palette() {
    throw new TypeError("a subclass knows its colours");
  }

  /**
   * Make known what a mask speaks of that was answered or is to be corrected.
   * @param {any} _answer @returns {[string, number][]} the colours in its file, and the value of each
   */
  adopt(_answer) {
    throw new TypeError("a subclass reads its own answers");
  }

  /** What the answer says of the colours. @returns {Record<string, any>} */
  explained() {
    throw new TypeError("a subclass writes its own answer");
  }

  /** The value that brush and polygon paint now; 0 when there is none. @returns {number} */
  chosen() {
    throw new TypeError("a subclass knows what it paints");
  }

  /** The classes to choose from, and what each has. @returns {{label: string, count: string, counted: string}[]} */
  choices() {
    throw new TypeError("a subclass knows its classes");
  }

  /** What stands below the classes. @returns {HTMLElement[]} */
  sides() {
    return [];
  }

  showSides() {}

  /** What that value is, for people. */
  get title() {
    return this.label;
  }

  update() {
    super.update();
    this.show();
  }

  loaded() {
    super.loaded();
    if (!this.size) return;
    const { width, height } = this.size;
    if (this.mask?.width === width && this.mask.height === height) return;
    this.mask = new Mask(width, height);
    this.canvas.width = width;
    this.canvas.height = height;
    this.brush ||= Math.min(Math.max(Math.round(Math.min(width, height) / 25), 3), LARGEST_BRUSH);
    this.begin();
    this.changed();
  }

  /** Begin (again) with the initial value. */
  begin() {
    this.corners = [];
    if (!this.mask) return;
    const nothing = new Uint8Array(this.mask.pixels.length);
    this.mask.load(nothing);
    this.initial = this.initialValue?.src ? null : nothing;
    this.reading = this.readInitial().then(() => this.readKept());
    this.show();
  }

  async readInitial() {
    const initial = this.initialValue;
    if (initial?.src) this.initial = await this.read(initial.src, this.adopt(initial));
  }

  async readKept() {
    const { kept } = this;
    this.kept = null;
    if (!kept) return;
    await this.read(kept.source, this.adopt(kept.answer));
    this.loads += 1;
  }

  /**
   * Begin with a mask from a file.
   * @param {string} source its address @param {[string, number][]} values its colours, and the value of each
   * @returns {Promise<Uint8Array | null>} its values; null when it cannot be had, which is said
   */
  async read(source, values) {
    const { mask } = this;
    this.missing = "The mask to begin with is still being loaded";
    this.panel.waiting(`${this.missing}…`);
    try {
      const pixels = await valuesOf(source, mask, values);
      if (mask !== this.mask) return null;
      mask.load(pixels);
      this.missing = "";
      this.show();
      this.changed();
      return pixels;
    } catch (error) {
      this.missing = `The mask to begin with could not be read: ${error.message}`;
      this.complain(this.missing);
      return null;
    } finally {
      this.panel.waiting("");
    }
  }

  // -- the answer ----------------------------------------------------------------------------------------------

  answer() {
    const { width, height } = this.size ?? { width: 0, height: 0 };
    const palette = ["#ffffff", ...this.palette];
    /** @type {Record<string, any>} */
    const answer = {
      inputImageProperties: { height, width },
      ...this.explained(),
      labeledImage: { pngImageData: this.mask ? pngOf(this.mask.pixels, width, height, palette) : "" },
    };
    if (this.preset) answer.initialValueModified = !this.initial || !same(this.initial, this.mask.pixels);
    return answer;
  }

  /** The steps since it was loaded: a mask is too large to be written out at every look. */
  fingerprint() {
    return `${this.loads} ${this.mask?.past.length ?? 0}`;
  }

  restore(answer) {
    const data = answer?.labeledImage?.pngImageData;
    if (typeof data !== "string" || !data) return;
    this.kept = { source: `data:image/png;base64,${data}`, answer };
    if (this.mask) this.reading = this.reading.then(() => this.readKept());
  }

  problem() {
    if (this.missing) return this.missing;
    if (this.corners.length) return "Finish the polygon you are drawing, or press Escape";
    return super.problem();
  }

  // -- what gestures, keys and buttons do ------------------------------------------------------------------------

  /** The value that the tool paints. */
  get painted() {
    return this.tool === "eraser" ? 0 : this.chosen();
  }

  /** Paint from one point to another; `settle` ends the stroke. */
  stroke(from, to) {
    if (!this.mask) return;
    const value = this.painted;
    if (value || this.tool === "eraser") this.show(this.mask.stroke(from, to, this.brush, value));
  }

  settle() {
    if (!this.mask?.settle()) return;
    this.changed();
    this.edited();
    this.say(this.tool === "eraser" ? "Erased" : `${this.title} painted, ${this.shareOf(this.chosen())}`);
  }

  abandon() {
    const area = this.mask?.abandon();
    if (area) this.show(area);
  }

  /** One more corner. On the last one, or on the first, it finishes the polygon. */
  placePoint(point) {
    const near = (other) => other && Math.hypot(other.x - point.x, other.y - point.y) * this.view.scale <= NEAR;
    if (near(this.corners.at(-1)) || (this.corners.length >= 3 && near(this.corners[0]))) {
      this.finish();
    } else if (this.chosen()) {
      this.corners = [...this.corners, point];
      this.changed();
      this.say(`corner ${this.corners.length} set`);
    }
  }

  finish() {
    if (this.corners.length < 3) {
      this.say("A polygon needs 3 corners");
      return true;
    }
    const area = this.mask.fill(this.corners, this.painted);
    this.corners = [];
    this.show(area);
    this.settle();
    this.changed();
    return true;
  }

  dropPoint() {
    this.corners = this.corners.slice(0, -1);
    this.changed();
    return true;
  }

  undo() {
    if (this.corners.length) return this.dropPoint();
    return this.travelled(this.mask?.undo(), "Undone", "Nothing to undo");
  }

  redo() {
    return this.travelled(this.mask?.redo(), "Done again", "Nothing to redo");
  }

  travelled(area, done, nothing) {
    this.say(area ? done : nothing);
    if (area) this.show(area);
    this.changed();
    this.edited();
    return true;
  }

  chooseTool(tool) {
    this.tool = tool;
    if (tool !== "polygon") this.corners = [];
    this.changed();
    this.say(tool === "polygon" ? "Polygon" : `${tool === "brush" ? "Brush" : "Eraser"}, ${this.brush} pixels`);
    return true;
  }

  chooseBrush(diameter) {
    this.brush = Math.min(Math.max(Math.round(diameter), 1), LARGEST_BRUSH);
    this.changed();
    this.say(`${this.brush} pixels`);
    return true;
  }

  chooseLabel(label) {
    if (this.tool === "eraser") this.tool = "brush";
    return super.chooseLabel(label);
  }

  escape() {
    const busy = this.corners.length || this.cursor;
    this.abandon();
    this.corners = [];
    this.cursor = null;
    this.pointer = null;
    this.changed();
    return Boolean(busy);
  }

  toggleHidden() {
    this.hides = !this.hides;
    this.canvas.hidden = this.hides;
    this.changed();
    this.say(`the mask is ${this.hides ? "hidden" : "shown"}`);
    return true;
  }

  /** A cross in the middle of what is seen, which the arrow keys move. */
  drawByKeys() {
    if (!this.size) return false;
    this.focusStage();
    return this.moveCursor(this.cursor ?? this.middle());
  }

  moveCursor(point) {
    this.cursor = point;
    this.pointer = this.view.toStage(point);
    this.view.reveal([point]);
    this.redraw();
    this.say(`${point.x}, ${point.y}`);
    return true;
  }

  /** What the tool does where the cross is. */
  placeCursor() {
    if (this.tool === "polygon") {
      if (this.cursor) this.placePoint(this.cursor);
      else if (this.corners.length) this.finish();
      else return false;
    } else if (this.cursor) {
      this.stroke(this.cursor, this.cursor);
      this.settle();
    } else {
      return false;
    }
    return true;
  }

  hover(place) {
    if (this.cursor) return;
    this.pointer = place && { x: place.x, y: place.y };
    this.panel.position(place && this.size ? place.at : null);
    this.redrawSoon();
  }

  // -- what is shown ---------------------------------------------------------------------------------------------

  /** The colour that brush and polygon paint. */
  get ink() {
    return this.palette[this.chosen() - 1] ?? "#ffffff";
  }

  /** "12 % of the image": what a value has. @param {number} value */
  shareOf(value) {
    const { counts, pixels } = this.mask;
    const share = (counts[value] / pixels.length) * 100;
    return share ? `${share < 1 ? "<1" : Math.round(share)} %` : "";
  }

  /** Show an area of the mask as it is now; all of it without one. @param {import("./mask.js").Area} [area] */
  show(area) {
    const { mask } = this;
    if (!mask) return;
    const { left, top, right, bottom } = area ?? { left: 0, top: 0, right: mask.width, bottom: mask.height };
    if (right <= left || bottom <= top) return;
    const shown = pictureOf(mask.pixels, mask.width, { left, top, right, bottom }, this.palette);
    this.canvas.getContext("2d").putImageData(shown, left, top);
  }

  draw() {
    this.canvas.style.transform = this.image.style.transform;
    this.canvas.style.imageRendering = this.image.style.imageRendering;
    paint(this);
  }
}
