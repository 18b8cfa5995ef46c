/**
 * The base of crowd-semantic-segmentation and crowd-instance-segmentation: each pixel of an image gets a value, by brush,
 * eraser and filled polygon; subclasses say what a value means. The answer holds the mask as a PNG in the values'
 * colours; an initial value is a mask to correct. Memory grows with the image: a byte a pixel for the mask, four for
 * showing it.
 */

import { h } from "../core/dom.js";
import { ImageStage } from "../annotate/image-stage.js";
import { unknownProblem } from "../annotate/prelabels.js";
import { Keymap } from "../core/keymap.js";
import { listenToKeys } from "../annotate/keyboard.js";
import { pictureOf } from "./colours.js";
import { listenToStrokes } from "./gestures.js";
import { actsOf, fixedKeys, press } from "./keyboard.js";
import { LARGEST_BRUSH, layOut } from "./layout.js";
import { Loading } from "./loading.js";
import { Mask } from "./mask.js";
import { paint } from "./paint.js";
import { pngOf } from "./png.js";
import { Polygon } from "./polygon.js";

export class Segmentation extends ImageStage {
  /** What has one value, in words. */
  kind = { noun: "area", plural: "areas" };

  /** @param {ShadowRoot} root */
  buildStage(root) {
    /** @type {Mask | null} null until the image is there */
    this.mask = null;
    /** @type {"brush" | "eraser" | "polygon"} */
    this.tool = "brush";
    this.brush = 0;
    this.polygon = new Polygon(this);
    this.loading = new Loading(this);
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

  /** The class of a value. @param {number} _value @returns {string} */
  labelOf(_value) {
    throw new TypeError("a subclass knows what its values are");
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
    this.polygon.drop();
    if (!this.mask) return;
    this.loading.begin();
    this.show();
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
    if (this.preset) answer.initialValueModified = this.loading.isModified;
    return answer;
  }

  /** The steps since it was loaded: a mask is too large to be written out at every look. */
  fingerprint() {
    return `${this.loading.loads} ${this.mask?.past.length ?? 0}`;
  }

  restore(answer) {
    const data = answer?.labeledImage?.pngImageData;
    if (typeof data === "string" && data) this.loading.restore(`data:image/png;base64,${data}`, answer);
  }

  problem() {
    if (this.loading.missing) return this.loading.missing;
    if (this.polygon.corners.length) return "Finish the polygon you are drawing, or press Escape";
    const labels = this.areas().map((value) => this.labelOf(value));
    return super.problem() ?? unknownProblem(this.kind, labels.filter((label) => this.isUnknown(label)));
  }

  /** The values that pixels have. @returns {number[]} */
  areas() {
    return this.palette.map((_, index) => index + 1).filter((value) => this.mask?.counts[value]);
  }

  /** Whether a class is not among those to choose from. @param {string} label */
  isUnknown(label) {
    return this.shownLabels.length > 0 && !this.shownLabels.includes(label);
  }

  // -- what gestures, keys and buttons do ------------------------------------------------------------------------

  /** The value that the tool paints. Nothing is painted of a class that is not offered. */
  get painted() {
    return this.tool === "eraser" || this.isUnknown(this.label) ? 0 : this.chosen();
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

  undo() {
    if (this.polygon.corners.length) return this.polygon.takeBack();
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
    if (tool !== "polygon") this.polygon.drop();
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

  /** What has a class that is not offered, and was chosen, gets the one that is chosen now. @param {number} value */
  give(value) {
    const to = this.painted;
    if (!value || !to) return;
    this.show(this.mask.replace(value, to));
    this.settle();
  }

  /** Make all of a value nobody's. @param {number} value */
  delete(value) {
    const name = this.nameOf(value);
    this.show(this.mask.replace(value, 0));
    this.mask.settle();
    this.changed();
    this.edited();
    this.say(`${name} deleted`);
  }

  /** A value, for people. @param {number} value */
  nameOf(value) {
    return this.labelOf(value);
  }

  escape() {
    const busy = this.polygon.corners.length || this.cursor;
    this.abandon();
    this.polygon.drop();
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
      if (this.cursor) this.polygon.place(this.cursor);
      else if (this.polygon.corners.length) this.polygon.finish();
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
    return this.partOf(this.mask.counts[value]);
  }

  /** @param {number} count of pixels */
  partOf(count) {
    const share = (count / this.mask.pixels.length) * 100;
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
