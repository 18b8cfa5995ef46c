/**
 * crowd-classifier, crowd-image-classifier and their multi-select forms: categories to choose one or several from,
 * by mouse or by number key; an exclusion category that stands alone; a comment region; boxes or a mask laid over the
 * image, to be judged.
 */

import { CrowdElement } from "../core/element.js";
import { h, isTyping, storedSize, svg } from "../core/dom.js";
import { sheet } from "../core/style.js";
import { complain, whyMissing } from "../core/complaints.js";
import { colourOf, inkOn } from "../core/colours.js";
import { keyName } from "../core/key-name.js";
import { Keymap } from "../core/keymap.js";
import { keysFor } from "../core/shortcuts.js";
import { lightActs } from "../annotate/keyboard.js";
import { lightOf } from "../annotate/light.js";
import { pictureOf } from "../segment/colours.js";
import { valuesOf } from "../segment/reading.js";
import { instructionsPanel, panelStyle } from "../layout/instructions.js";

const style = sheet(`
  .head { margin: 0 0 8px; font-size: 1.2em; }
  .head:empty { display: none; }
  .columns { display: grid; grid-template-columns: minmax(0, 1fr) minmax(220px, 300px); gap: 16px; align-items: start; }
  @media (max-width: 700px), (max-width: 900px) and (orientation: portrait) { .columns { grid-template-columns: minmax(0, 1fr); } }
  .target { min-width: 0; }
  figure { position: relative; margin: 0; line-height: 0; background: var(--crowd-sunken); border-radius: 6px; overflow: hidden; }
  figure img { display: block; width: 100%; max-height: max(300px, calc(100vh - 150px)); object-fit: contain; image-orientation: none; }
  figure canvas { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; opacity: 0.6; }
  .legend { display: flex; flex-wrap: wrap; gap: 4px 14px; margin: 6px 0 0; padding: 0; list-style: none; }
  .legend i { display: inline-block; width: 14px; height: 14px; margin-right: 6px; border: 1px solid #000; border-radius: 3px; vertical-align: -2px; }
  figure svg { position: absolute; inset: 0; width: 100%; height: 100%; }
  .side { display: grid; gap: 12px; }
  fieldset { margin: 0; padding: 0; border: 0; }
  legend { padding: 0; margin-bottom: 6px; font-weight: 600; }
  .category {
    display: flex; align-items: center; gap: 10px; width: 100%; min-height: 40px; margin: 0 0 6px; padding: 6px 10px;
    border: 1px solid var(--crowd-edge); border-radius: 6px; background: var(--crowd-ground); cursor: pointer;
  }
  .category:hover { background: var(--crowd-wash); }
  .category:has(input:checked) { border-color: var(--crowd-accent); background: var(--crowd-wash); box-shadow: inset 0 0 0 1px var(--crowd-accent); }
  .category:has(:focus-visible) { outline: 3px solid var(--crowd-accent); outline-offset: 2px; }
  .category.apart { margin-top: 14px; }
  .category span { flex: 1; }
  input { flex: none; width: 18px; height: 18px; margin: 0; accent-color: var(--crowd-accent); outline: none; }
  textarea { width: 100%; min-height: 76px; padding: 7px 10px; border: 1px solid var(--crowd-edge); border-radius: 6px; background: var(--crowd-ground); }
`);

export class Classifier extends CrowdElement {
  static answers = true;
  static many = false;
  static properties = ["header", "src", "exclusion-category", "overlay"];
  static regions = ["full-instructions", "short-instructions", "classification-target", "worker-comment"];
  static style = style;

  static get observedAttributes() {
    return [...super.observedAttributes, "categories", "initial-value"];
  }

  /** @param {ShadowRoot} root */
  build(root) {
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, panelStyle];
    this.head = h("h2", { class: "head" });
    this.target = h("div", { class: "target" });
    this.list = h("fieldset");
    this.error = h("div", { class: "error", role: "alert" });
    this.chosen = new Set();
    /** Keys besides those of the categories. @type {Keymap | null} */
    this.keymap = null;
    root.append(this.head, h("div", { class: "columns" }, this.target,
      h("div", { class: "side" }, instructionsPanel(this), this.list, this.error, this.commentRegion())));
    this.list.addEventListener("change", (event) => this.choose(event.target.value, event.target.checked));
    document.addEventListener("keydown", (event) => this.key(event));
    this.buildTarget();
  }

  buildTarget() {
    this.target.append(h("slot", { name: "classification-target" }), h("slot"));
  }

  update() {
    this.head.textContent = this.header ?? "";
    const shown = JSON.stringify([this.categories, this.exclusion, this.initial]);
    if (shown === this.shown) return;
    this.shown = shown;
    const all = [...this.categories, ...(this.exclusion ? [this.exclusion] : [])];
    this.keys = keysFor(all);
    const type = this.constructor.many ? "checkbox" : "radio";
    this.list.replaceChildren(
      h("legend", {}, this.constructor.many ? "Choose all that apply" : "Choose one"),
      ...all.map((text, index) =>
        h("label", { class: text === this.exclusion ? "category apart" : "category" },
          h("input", { type, name: "category", value: text }), h("span", {}, text),
          this.keys[index] ? h("kbd", { "aria-hidden": "true" }, this.keys[index]) : null)),
    );
    for (const text of [...this.chosen]) if (!all.includes(text)) this.chosen.delete(text);
    // A template's script may give the categories later.
    if (all.length && !this.chosen.size) this.begin();
    this.show();
  }

  /** @returns {string[]} */
  get categories() {
    return this.texts("categories");
  }

  set categories(value) {
    this.given.set("categories", value);
    if (this.built) this.update();
  }

  set initialValue(value) {
    this.given.set("initial-value", value);
    if (this.built) this.update();
  }

  /** The categories to begin with, as they are written: a text, a list, or an answer. @returns {string[]} */
  get initial() {
    const text = this.given.has("initial-value") ? this.given.get("initial-value") : this.getAttribute("initial-value");
    if (text === null || text === undefined || text === "" || this.categories.includes(text)) return text ? [text] : [];
    // What is no category as it stands is a structure, or else an unknown text.
    const value = typeof text === "string" && /^\s*[[{"']/.test(text) ? this.structure("initial-value", []) : text;
    return [value?.labels ?? value?.label ?? value].flat().filter((item) => item !== null && item !== undefined)
      .map((item) => String(item.label ?? item));
  }

  /** Choose what the template begins with. */
  begin() {
    const known = [...this.categories, ...(this.exclusion ? [this.exclusion] : [])];
    const { initial } = this;
    const chosen = this.constructor.many ? initial : initial.slice(0, 1);
    for (const text of chosen) {
      if (known.includes(text)) this.chosen.add(text);
      else this.complain(`initial-value of ${this.localName}: "${text}" is not one of the categories`);
    }
  }

  /** The text of the category that excludes all others, or null. */
  get exclusion() {
    if (!this.constructor.many) return null;
    const value = this.structure("exclusion-category", null);
    return value === null ? null : String(value.text ?? value);
  }

  choose(text, on) {
    this.error.textContent = "";
    if (!this.constructor.many || text === this.exclusion) this.chosen.clear();
    else this.chosen.delete(this.exclusion);
    if (on) this.chosen.add(text);
    else this.chosen.delete(text);
    this.show();
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }

  show() {
    for (const box of this.list.querySelectorAll("input")) box.checked = this.chosen.has(box.value);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (!this.isConnected || event.defaultPrevented || isTyping(event) && !this.list.contains(event.composedPath()[0])) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // With several classifiers on a page, the one that has the focus.
    const all = document.querySelectorAll(ALL);
    if (all.length > 1 && !this.contains(document.activeElement)) return;
    const at = this.keys?.indexOf(keyName(event)) ?? -1;
    if (at < 0) {
      if (this.keymap?.press(event)) event.preventDefault();
      return;
    }
    event.preventDefault();
    const box = this.list.querySelectorAll("input")[at];
    this.choose(box.value, this.constructor.many ? !box.checked : true);
  }

  commentRegion() {
    const region = this.querySelector(":scope > worker-comment");
    if (!region) return null;
    const header = region.getAttribute("header") || "Comment";
    this.comment = h("textarea", { placeholder: region.getAttribute("placeholder"), "aria-label": header });
    const linkText = region.getAttribute("link-text");
    const inside = h("div", {}, h("strong", {}, header), h("slot", { name: "worker-comment" }), this.comment);
    return linkText ? h("details", {}, h("summary", {}, linkText), inside) : inside;
  }

  get value() {
    return this.answer();
  }

  answer() {
    const order = [...this.list.querySelectorAll("input")].map((box) => box.value).filter((text) => this.chosen.has(text));
    /** @type {Record<string, any>} */
    const answer = this.constructor.many ? { labels: order } : { label: order[0] };
    if (this.comment?.value) answer.workerComment = this.comment.value;
    return answer;
  }

  restore(answer) {
    this.clear();
    const kept = this.constructor.many ? answer?.labels : [answer?.label];
    const known = [...this.categories, ...(this.exclusion ? [this.exclusion] : [])];
    for (const text of Array.isArray(kept) ? kept : []) if (known.includes(text)) this.chosen.add(text);
    if (this.comment && typeof answer?.workerComment === "string") this.comment.value = answer.workerComment;
    this.show();
  }

  problem() {
    if (this.chosen.size) return null;
    this.error.textContent = this.constructor.many ? "Choose at least one." : "Choose one.";
    return `${this.header ? `${this.header}: ` : ""}${this.error.textContent.toLowerCase()}`;
  }

  focus() {
    this.list.querySelector("input")?.focus();
  }

  clear() {
    this.chosen.clear();
    this.error.textContent = "";
    if (this.comment) this.comment.value = "";
  }

  reset() {
    this.clear();
    this.begin();
    this.show();
  }
}

class ImageClassifier extends Classifier {
  buildTarget() {
    this.image = h("img", { class: "crowd-own", crossorigin: "anonymous", alt: "The image to classify" });
    this.image.style.imageOrientation = "none";
    this.image.addEventListener("load", () => this.drawOverlay());
    this.image.addEventListener("error", async () => {
      this.error.textContent = await whyMissing(this.src ?? "");
      complain(this.error.textContent);
    });
    this.boxes = svg("svg", { "aria-hidden": "true" });
    const status = h("div", { class: "seen-by-readers", role: "status", "aria-live": "polite" });
    // A slider that has been let go does not keep the keys of the categories.
    const light = lightOf(this.image, this.shadowRoot, (text) => (status.textContent = text), () => this.focus());
    this.keymap = new Keymap(lightActs(light));
    this.target.append(h("div", { class: "tools" }, light.button), light.panel, h("figure", {}, this.image, this.boxes), status);
  }

  update() {
    super.update();
    if (this.src && this.src !== this.image.getAttribute("src")) this.image.src = this.src;
    if (this.image.complete && this.image.naturalWidth) this.drawOverlay();
  }

  drawOverlay() {
    const overlay = this.structure("overlay", null);
    if (!overlay) return;
    const size = storedSize(this.image);
    const { semanticSegmentation, instanceSegmentation } = overlay;
    const mask = semanticSegmentation ?? instanceSegmentation;
    if (mask) {
      if (size) this.drawMask(mask.src, semanticSegmentation ? mapped(mask.labelMappings) : listed(mask.instances), size);
      return;
    }
    if (!overlay.boundingBox) {
      this.complain(`overlay of ${this.localName}: it has none of boundingBox, semanticSegmentation, instanceSegmentation`);
      return;
    }
    if (!size) return;
    const { width, height } = size;
    const labels = overlay.boundingBox.labels ?? [];
    this.boxes.setAttribute("viewBox", `0 0 ${width} ${height}`);
    // Image pixels per pixel of the screen: outlines and letters keep their size.
    const { clientWidth, clientHeight } = this.image;
    const unit = clientWidth ? Math.max(width / clientWidth, height / clientHeight) : 1;
    this.boxes.replaceChildren(...(overlay.boundingBox.value ?? []).map((box) => {
      const colour = colourOf(Math.max(labels.indexOf(box.label), 0));
      const size = 13 * unit;
      const top = Math.max(Number(box.top), size * 1.4);
      return svg("g", {},
        svg("rect", { x: box.left, y: box.top, width: box.width, height: box.height, fill: "none", stroke: "#000", "stroke-width": 4 * unit, "stroke-opacity": 0.7 }),
        svg("rect", { x: box.left, y: box.top, width: box.width, height: box.height, fill: "none", stroke: colour, "stroke-width": 2 * unit }),
        svg("rect", { x: box.left, y: top - size * 1.4, width: size * 0.62 * (String(box.label).length + 1), height: size * 1.4, fill: colour }),
        svg("text", { x: Number(box.left) + size * 0.3, y: top - size * 0.35, "font-size": size, fill: inkOn(colour) }, String(box.label)));
    }));
  }

  /** Lay a mask over the image, in its colours, with their names below. */
  async drawMask(src, labels, { width, height }) {
    if (src === this.shownMask) return;
    this.shownMask = src;
    try {
      const { pixels } = await valuesOf(src, { width, height }, labels.map(([, colour], index) => [colour, index + 1]));
      const canvas = h("canvas", { width, height, "aria-hidden": "true" });
      const area = { left: 0, top: 0, right: width, bottom: height };
      canvas.getContext("2d").putImageData(pictureOf(pixels, width, area, labels.map(([, colour]) => colour)), 0, 0);
      this.target.querySelector("canvas")?.remove();
      this.image.after(canvas);
    } catch (error) {
      this.complain(`overlay of ${this.localName}: the mask could not be read: ${error.message}`);
    }
    this.target.querySelector("ul")?.remove();
    this.target.append(h("ul", { class: "legend" }, ...labels.map(([label, colour]) =>
      h("li", {}, h("i", { style: `background: ${colour}` }), label))));
  }
}

/** @param {any} labelMappings @returns {[string, string][]} labels with their colours, as far as these are colours */
function mapped(labelMappings) {
  return Object.entries(labelMappings ?? {}).map(([label, at]) => /** @type {[string, string]} */ ([label, String(at?.color).toLowerCase()]))
    .filter(([, colour]) => /^#[0-9a-f]{6}$/.test(colour));
}

/** @param {any} instances @returns {[string, string][]} the same of a list of things, each with a colour of its own */
function listed(instances) {
  return (Array.isArray(instances) ? instances : []).map((one) =>
    /** @type {[string, string]} */ ([String(one?.label ?? ""), String(one?.color).toLowerCase()]))
    .filter(([, colour]) => /^#[0-9a-f]{6}$/.test(colour)).slice(0, 255);
}

export class CrowdClassifier extends Classifier {}

export class CrowdClassifierMultiSelect extends Classifier {
  static many = true;
}

export class CrowdImageClassifier extends ImageClassifier {}

export class CrowdImageClassifierMultiSelect extends ImageClassifier {
  static many = true;
}

/** The answer of Amazon Rekognition's built-in task: what was given as objects comes back whole. */
export class CrowdRekognitionDetectModerationLabels extends CrowdImageClassifierMultiSelect {
  static ownName = "AWS/Rekognition/DetectModerationLabels/Image/V3";

  answer() {
    const { labels, ...rest } = super.answer();
    const given = this.structure("categories", []);
    const whole = labels.filter((text) => text !== this.exclusion).map((text) =>
      given.find((item) => typeof item === "object" && item !== null && String(item.name ?? item.label ?? "") === text) ?? text);
    return { ModerationLabels: whole, ...rest };
  }

  restore(answer) {
    const labels = answer?.ModerationLabels;
    if (!Array.isArray(labels)) return;
    super.restore({ ...answer, labels: labels.length ? labels.map((item) => String(item?.name ?? item?.label ?? item)) : [this.exclusion] });
  }
}

// Elements that take number keys.
const ALL = "crowd-classifier, crowd-classifier-multi-select, crowd-image-classifier, crowd-image-classifier-multi-select, "
  + "crowd-bounding-box, crowd-polygon, crowd-polyline, crowd-line, crowd-keypoint, "
  + "crowd-semantic-segmentation, crowd-instance-segmentation, crowd-rekognition-detect-moderation-labels";
