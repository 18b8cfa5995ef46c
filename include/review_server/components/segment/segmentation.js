/**
 * crowd-semantic-segmentation: each pixel of an image gets a class, by brush, eraser and filled polygon. The answer
 * holds the mask as a PNG in the classes' colours; an initial value is a mask to correct. Memory grows with the image:
 * a byte a pixel for the mask, four for showing it.
 */

import { h } from "../core/dom.js";
import { ImageStage } from "../annotate/image-stage.js";
import { Keymap } from "../core/keymap.js";
import { listenToKeys } from "../annotate/keyboard.js";
import { maskColours, pictureOf } from "./colours.js";
import { listenToStrokes } from "./gestures.js";
import { actsOf, fixedKeys, press } from "./keyboard.js";
import { LARGEST_BRUSH, layOut } from "./layout.js";
import { Mask, same } from "./mask.js";
import { paint } from "./paint.js";
import { pngOf } from "./png.js";
import { valuesOf } from "./reading.js";

// A byte a pixel: 0 is nobody's.
const MOST_CLASSES = 255;
const NEAR = 8;

export class CrowdSemanticSegmentation extends ImageStage {
  /** @param {ShadowRoot} root */
  buildStage(root) {
    /** @type {Mask | null} null until the image is there */
    this.mask = null;
    /** Classes by their value in the mask, less one. It only grows: values keep their meaning. @type {string[]} */
    this.classes = [];
    /** @type {Map<string, string>} */
    this.colours = new Map();
    /** @type {"brush" | "eraser" | "polygon"} */
    this.tool = "brush";
    this.brush = 0;
    /** Corners of a polygon that is being drawn. @type {import("./mask.js").Point[]} */
    this.corners = [];
    /** What keeps the answer from being given: a mask to correct that is not there. */
    this.missing = "";
    /** The masks that are being read, one after the other. */
    this.reading = Promise.resolve();
    /** A mask that was kept, until it is read. @type {{source: string, mappings: any} | null} */
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

  update() {
    const mappings = this.preset ? this.initialValue?.labelMappings ?? {} : {};
    this.know([...Object.keys(mappings), ...this.labels]);
    const given = Object.entries(mappings).map(([label, { color } = {}]) => [label, String(color ?? "").toLowerCase()])
      .filter(([, colour]) => /^#[0-9a-f]{6}$/.test(colour));
    this.colours = new Map(/** @type {[string, string][]} */ (given));
    this.know([]);
    super.update();
    this.show();
  }

  /** Give each class a value in the mask and a colour. @param {string[]} labels */
  know(labels) {
    this.classes.push(...new Set(labels.filter((label) => !this.classes.includes(label))));
    if (this.classes.length > MOST_CLASSES) this.complain(`labels of ${this.localName}: at most ${MOST_CLASSES} are possible`);
    const rest = this.classes.filter((label) => !this.colours.has(label));
    maskColours(rest.length, this.colours.values()).forEach((colour, index) => this.colours.set(rest[index], colour));
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
    if (initial?.src) this.initial = await this.read(initial.src, initial.labelMappings ?? {});
  }

  async readKept() {
    const { kept } = this;
    this.kept = null;
    if (!kept) return;
    await this.read(kept.source, kept.mappings);
    this.loads += 1;
  }

  /**
   * Begin with a mask from a file.
   * @param {string} source its address @param {Record<string, {color: string}>} mappings
   * @returns {Promise<Uint8Array | null>} its values; null when it cannot be had, which is said
   */
  async read(source, mappings) {
    const { mask } = this;
    this.know(Object.keys(mappings));
    this.missing = "The mask to begin with is still being loaded";
    this.panel.waiting(`${this.missing}…`);
    const values = Object.entries(mappings).map(([label, { color } = { color: "" }]) => {
      return /** @type {[string, number]} */ ([color, this.classes.indexOf(label) + 1]);
    });
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
    const used = this.classes.filter((label, index) => this.labels.includes(label) || this.mask?.counts[index + 1]);
    const labelMappings = Object.fromEntries(used.map((label) => [label, { color: this.colour(label) }]));
    const palette = ["#ffffff", ...this.classes.map((label) => this.colour(label))];
    /** @type {Record<string, any>} */
    const answer = {
      inputImageProperties: { height, width },
      labelMappings,
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
    this.kept = { source: `data:image/png;base64,${data}`, mappings: answer.labelMappings ?? {} };
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
    return this.tool === "eraser" ? 0 : this.classes.indexOf(this.label) + 1;
  }

  /** Paint from one point to another; `settle` ends the stroke. */
  stroke(from, to) {
    if (!this.mask || (this.tool === "brush" && !this.label)) return;
    this.show(this.mask.stroke(from, to, this.brush, this.painted));
  }

  settle() {
    if (!this.mask?.settle()) return;
    this.changed();
    this.edited();
    this.say(this.tool === "eraser" ? "Erased" : `${this.label} painted, ${this.shareOf(this.label)}`);
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
    } else if (this.label) {
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

  colour(label) {
    return this.colours.get(label) ?? "#ffffff";
  }

  /** "12 % of the image". */
  shareOf(label) {
    const { counts, pixels } = this.mask;
    const share = (counts[this.classes.indexOf(label) + 1] / pixels.length) * 100;
    return share ? `${share < 1 ? "<1" : Math.round(share)} %` : "";
  }

  /** Show an area of the mask as it is now; all of it without one. @param {import("./mask.js").Area} [area] */
  show(area) {
    const { mask } = this;
    if (!mask) return;
    const { left, top, right, bottom } = area ?? { left: 0, top: 0, right: mask.width, bottom: mask.height };
    if (right <= left || bottom <= top) return;
    const colours = this.classes.map((label) => this.colour(label));
    const shown = pictureOf(mask.pixels, mask.width, { left, top, right, bottom }, colours);
    this.canvas.getContext("2d").putImageData(shown, left, top);
  }

  draw() {
    this.canvas.style.transform = this.image.style.transform;
    this.canvas.style.imageRendering = this.image.style.imageRendering;
    paint(this);
  }
}
