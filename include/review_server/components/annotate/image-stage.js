/**
 * The base of every element that works on an image: the image on a stage, where it lies, classes to choose from, an
 * initial value, and what is said when the image cannot be had. Subclasses say what is done on it. All coordinates are
 * stored pixels of the unrotated image.
 */

import { CrowdElement } from "../core/element.js";
import { h, storedSize, svg } from "../core/dom.js";
import { keysFor } from "../core/shortcuts.js";
import { complain, whyMissing } from "../core/complaints.js";
import { panelStyle } from "../layout/instructions.js";
import { carry, chosen, firstClass, keepView } from "./carried.js";
import { View } from "./view.js";
import { stageStyle } from "./stage-style.js";

export class ImageStage extends CrowdElement {
  static answers = true;
  static properties = ["header", "src"];
  static regions = ["full-instructions", "short-instructions"];
  static style = stageStyle;

  static get observedAttributes() {
    return [...super.observedAttributes, "labels", "label-colors", "initial-value"];
  }

  /** What stands around the stage (frame.js). @type {any} */
  panel = null;
  /** What keys do on it. @type {any} */
  keymap = null;

  /** @param {ShadowRoot} root */
  build(root) {
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, panelStyle];
    this.view = new View();
    /** Stored pixels of the image; null until it is there. @type {{width: number, height: number} | null} */
    this.size = null;
    /** Where the pointer is on the stage. */
    this.pointer = null;
    /** The cross that the keyboard moves, in image pixels. */
    this.cursor = null;
    /** Whether what was drawn is hidden, to see what is under it. */
    this.hides = false;
    this.spaceHeld = false;
    /** The frame in which the stage is drawn again; 0 for none. */
    this.soon = 0;
    this.label = "";
    /** Whether somebody has chosen a class on this image. */
    this.classChosen = false;
    this.viewKept = false;
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
    this.buildStage(root);
    carry(this);
    new ResizeObserver(() => {
      // An image that came while the element was out of sight is measured now.
      if (!this.size && this.image.complete && this.image.naturalWidth) this.loaded();
      this.fitStage();
      this.redraw();
    }).observe(this.stage);
  }

  /** Lay out what stands around the stage, set `panel`, and listen. @param {ShadowRoot} _root */
  buildStage(_root) {}

  update() {
    this.panel.header(this.header ?? "");
    const labels = this.labels;
    if (JSON.stringify(labels) !== JSON.stringify(this.shownLabels)) {
      this.shownLabels = labels;
      this.keys = keysFor(labels);
      if (!labels.includes(this.label)) this.label = firstClass(labels);
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

  /** Begin (again) with the initial value. */
  begin() {}

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

  async failed() {
    const message = await whyMissing(this.src ?? "");
    this.panel.waiting(message);
    complain(message);
  }

  get value() {
    return this.answer();
  }

  problem() {
    if (!this.src) return `${this.localName} has no image (src is empty)`;
    if (!this.size) return "The image has not been loaded: nothing can be submitted without having seen it. If it stays away, choose Stop…, then Decline it";
    return null;
  }

  reset() {
    this.begin();
  }

  focus() {
    this.focusStage();
  }

  focusStage() {
    this.stage.focus({ preventScroll: true });
  }

  /** Whether keys are for this element: it has the focus, or nothing has and it is the page's only one on an image. */
  hasKeys() {
    const focus = document.activeElement;
    if (focus === this) return true;
    if (focus && focus !== document.body && focus.localName.startsWith("crowd-") && focus.localName !== "crowd-button") {
      return false;
    }
    return [...document.querySelectorAll("*")].filter((element) => element instanceof ImageStage).length === 1;
  }

  /** @param {string} label @returns {boolean} */
  chooseLabel(label) {
    this.label = label;
    chosen(this, label);
    this.changed();
    this.say(`Class ${label}`);
    return true;
  }

  stepLabel(step) {
    const { labels } = this;
    if (!labels.length) return false;
    return this.chooseLabel(labels.at((labels.indexOf(this.label) + step) % labels.length));
  }

  /** The pixel in the middle of what is seen, for a cross that the keyboard moves. */
  middle() {
    const { width, height } = this.size;
    const middle = this.view.toImage(this.view.stage.width / 2, this.view.stage.height / 2);
    return {
      x: Math.round(Math.min(Math.max(middle.x, 0), width - 1)),
      y: Math.round(Math.min(Math.max(middle.y, 0), height - 1)),
    };
  }

  help() {
    this.panel.help();
    return true;
  }

  changed() {
    this.panel.show();
    this.redraw();
  }

  redraw() {
    cancelAnimationFrame(this.soon);
    this.soon = 0;
    const { view } = this;
    const transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    if (this.size && transform !== this.shownTransform) {
      this.shownTransform = transform;
      this.image.style.transform = transform;
      this.image.style.imageRendering = view.scale >= 3 ? "pixelated" : "auto";
    }
    this.panel?.zoom(this.size && view.scale);
    if (this.size) this.draw();
    keepView(this);
  }

  /** `redraw`, once a frame: pointers move more often than the screen shows. */
  redrawSoon() {
    this.soon ||= requestAnimationFrame(() => this.redraw());
  }

  /** `changed`, once a frame. */
  changedSoon() {
    cancelAnimationFrame(this.soon);
    this.soon = requestAnimationFrame(() => this.changed());
  }

  /** Draw what lies over the image. */
  draw() {}

  edited() {
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }

  say(text) {
    this.panel.say(text);
  }
}
