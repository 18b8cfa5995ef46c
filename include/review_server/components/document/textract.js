/**
 * crowd-textract-analyze-document: the pairs of keys and values that were read from a document, over its image, to be
 * corrected. Important keys that were not found can be filled in. The answer has all blocks, as Amazon Textract lists
 * them; where a block lies is shown and not changed.
 */

import { CrowdElement } from "../core/element.js";
import { complain, whyMissing } from "../core/complaints.js";
import { h, svg } from "../core/dom.js";
import { sheet } from "../core/style.js";
import { instructionsPanel, panelStyle } from "../layout/instructions.js";
import { Blocks } from "./blocks.js";

const style = sheet(`
  .head { margin: 0 0 8px; font-size: 1.2em; }
  .head:empty { display: none; }
  .columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(260px, 2fr); gap: 16px; align-items: start; }
  @media (max-width: 700px) { .columns { grid-template-columns: minmax(0, 1fr); } }
  figure { position: relative; margin: 0; line-height: 0; background: var(--crowd-sunken); }
  figure img { display: block; width: 100%; image-orientation: none; }
  figure svg { position: absolute; inset: 0; width: 100%; height: 100%; }
  rect { fill: transparent; stroke: #0b57c2; stroke-width: 2; vector-effect: non-scaling-stroke; cursor: pointer; }
  rect.value { stroke: #1c6b34; }
  rect.chosen { fill: rgb(255 210 0 / 0.35); stroke-width: 3; }
  .side { display: grid; gap: 12px; }
  ol { display: grid; gap: 8px; margin: 0; padding: 0; list-style: none; }
  li { display: grid; grid-template-columns: 2fr 3fr; gap: 6px; align-items: center; padding: 6px 8px; border: 1px solid var(--crowd-line); border-radius: 6px; }
  li.chosen { border-color: var(--crowd-accent); background: var(--crowd-wash); }
  li.missing { border-style: dashed; }
  li input { width: 100%; min-height: 34px; padding: 4px 8px; border: 1px solid var(--crowd-edge); border-radius: 6px; background: var(--crowd-ground); }
  li .key { font-weight: 600; overflow-wrap: anywhere; }
`);

export class CrowdTextractAnalyzeDocument extends CrowdElement {
  static ownName = "AWS/Textract/AnalyzeDocument/Forms/V1";
  static answers = true;
  static properties = ["header", "src", "no-key-edit", "no-geometry-edit"];
  static regions = ["full-instructions", "short-instructions"];
  static style = style;

  static get observedAttributes() {
    return [...super.observedAttributes, "initial-value", "keys", "block-types"];
  }

  /** @param {ShadowRoot} root */
  build(root) {
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, panelStyle];
    /** What each pair says now, as it is written into the blocks for the answer. @type {{key: string, value: string}[]} */
    this.rows = [];
    this.loaded = false;
    this.head = h("h2", { class: "head" });
    this.image = h("img", { crossorigin: "anonymous", alt: "The document" });
    this.image.addEventListener("load", () => {
      this.loaded = true;
      this.error.textContent = "";
    });
    this.image.addEventListener("error", async () => {
      this.error.textContent = await whyMissing(this.src ?? "");
      complain(this.error.textContent);
    });
    this.boxes = svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
    this.list = h("ol", { "aria-label": "Keys and values" });
    this.error = h("div", { class: "error", role: "alert" });
    root.append(this.head, h("div", { class: "columns" }, h("figure", {}, this.image, this.boxes),
      h("div", { class: "side" }, instructionsPanel(this), this.error, this.list)));
  }

  update() {
    this.head.textContent = this.header ?? "";
    if (this.src && this.src !== this.image.getAttribute("src")) {
      this.loaded = false;
      this.image.src = this.src;
    }
    const others = this.texts("block-types").filter((type) => type !== "KEY_VALUE_SET");
    if (others.length) {
      this.complain(`block-types of ${this.localName}: only KEY_VALUE_SET can be corrected here, not ${others.join(", ")}`);
    }
    const shown = JSON.stringify([this.structure("initial-value", []), this.structure("keys", []), this.noKeyEdit]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.reset();
  }

  get initialValue() {
    return this.structure("initial-value", []);
  }

  set initialValue(value) {
    this.given.set("initial-value", value);
    if (this.built) this.update();
  }

  /** The pairs as they were read, and the important keys that were not. */
  reset() {
    this.blocks = new Blocks(this.initialValue);
    this.pairs = this.blocks.pairs;
    this.rows = this.pairs.map(({ key, value }) => ({ key: this.blocks.text(key), value: this.blocks.text(value) }));
    const found = this.rows.map(({ key }) => plain(key));
    const keys = this.structure("keys", []);
    const wanted = (Array.isArray(keys) ? keys : []).filter((entry) => entry?.importantFormKey
      && ![entry.importantFormKey, ...(entry.importantFormKeyAliases ?? [])].some((name) => found.includes(plain(name))));
    this.rows.push(...wanted.map((entry) => ({ key: String(entry.importantFormKey), value: "" })));
    this.show();
  }

  show() {
    this.list.replaceChildren(...this.rows.map((text, index) => this.row(text, index)));
    const rects = this.pairs.flatMap(({ key, value }, index) => [["key", key], ["value", value]].map(([kind, block]) => {
      const place = this.blocks.place(/** @type {any} */ (block));
      return place && svg("rect", {
        class: kind, x: place.left, y: place.top, width: place.width, height: place.height, "data-pair": index,
        onclick: () => this.list.children[index].querySelector("input:last-of-type")?.focus(),
      });
    })).filter(Boolean);
    this.boxes.replaceChildren(...rects);
  }

  row(text, index) {
    const missing = index >= this.pairs.length;
    const change = (name) => (event) => {
      text[name] = event.target.value;
      this.dispatchEvent(new Event("change", { bubbles: true }));
    };
    const key = missing || this.hasAttribute("no-key-edit")
      ? h("span", { class: "key" }, text.key, missing ? " (not found)" : "")
      : h("input", { "aria-label": `Key ${index + 1}`, oninput: change("key") });
    const value = h("input", { "aria-label": `Value of ${text.key || `key ${index + 1}`}`, oninput: change("value") });
    if (key.localName === "input") key.value = text.key;
    value.value = text.value;
    return h("li", { class: missing ? "missing" : null, onfocusin: () => this.choose(index) }, key, value);
  }

  /** Show where a pair is. @param {number} index */
  choose(index) {
    [...this.list.children].forEach((row, at) => row.classList.toggle("chosen", at === index));
    for (const rect of this.boxes.children) rect.classList.toggle("chosen", Number(rect.getAttribute("data-pair")) === index);
  }

  get value() {
    return this.answer();
  }

  answer() {
    const blocks = new Blocks(this.initialValue);
    const { pairs } = blocks;
    this.rows.forEach((text, index) => {
      if (index >= pairs.length && !text.value) return;
      const pair = pairs[index] ?? blocks.addPair(text.key);
      blocks.write(pair.key, text.key);
      if (text.value || pair.value) blocks.write(pair.value ?? blocks.addValue(pair.key), text.value);
    });
    return { blocks: blocks.list };
  }

  fingerprint() {
    return JSON.stringify(this.rows);
  }

  restore(answer) {
    if (!Array.isArray(answer?.blocks)) return;
    const kept = new Blocks(answer.blocks);
    const known = new Map(kept.pairs.map((pair) => [pair.key.id ?? pair.key.Id, pair]));
    this.rows.forEach((text, index) => {
      const own = this.pairs[index];
      const pair = own ? known.get(own.key.id ?? own.key.Id) : kept.pairs.find(({ key }) => kept.text(key) === text.key);
      if (!pair) return;
      text.key = kept.text(pair.key);
      text.value = kept.text(pair.value);
    });
    this.show();
  }

  problem() {
    if (!this.src) return `${this.localName} has no image (src is empty)`;
    return this.loaded ? null : "The document has not been loaded: nothing can be submitted without having seen it";
  }

  focus() {
    this.list.querySelector("input")?.focus();
  }
}

function plain(text) {
  return String(text).trim().replace(/:$/, "").toLowerCase();
}
