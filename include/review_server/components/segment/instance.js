/**
 * crowd-instance-segmentation: a value is one thing of a class, with a colour of its own. Choosing a class begins a new
 * thing with the next stroke; a thing of the list can be gone on with, or deleted.
 */

import { h } from "../core/dom.js";
import { firstClass } from "../annotate/carried.js";
import { keepingFocus, tool } from "../annotate/frame.js";
import { maskColours } from "./colours.js";
import { Segmentation } from "./segmentation.js";

// A byte a pixel: 0 is nobody's.
const MOST_INSTANCES = 255;

/** @typedef {{label: string, color: string}} Instance */

export class CrowdInstanceSegmentation extends Segmentation {
  /** By their value in the mask, less one. @type {Instance[]} */
  instances = [];
  /** The value of the one that is painted; 0: the next stroke begins a new one. */
  current = 0;

  get palette() {
    return this.instances.map(({ color }) => color);
  }

  begin() {
    this.instances = [];
    this.current = 0;
    super.begin();
  }

  adopt({ instances }) {
    const known = (Array.isArray(instances) ? instances : []).map((instance) => ({
      label: String(instance?.label ?? ""), color: String(instance?.color ?? "").toLowerCase(),
    })).filter(({ color }) => /^#[0-9a-f]{6}$/.test(color));
    const rest = known.filter(({ color }) => this.instances.every((instance) => instance.color !== color));
    this.instances = [...this.instances, ...rest].slice(0, MOST_INSTANCES);
    if (known.length > MOST_INSTANCES) this.complain(`instances of ${this.localName}: at most ${MOST_INSTANCES} are possible`);
    return this.instances.map(({ color }, index) => /** @type {[string, number]} */ ([color, index + 1]));
  }

  explained() {
    return { instances: this.instances.filter((_, index) => this.mask?.counts[index + 1]) };
  }

  /** The one that is painted; a new one of the class when none is chosen. */
  chosen() {
    if (this.current || !this.label) return this.current;
    if (this.instances.length >= MOST_INSTANCES) {
      this.say(`At most ${MOST_INSTANCES} are possible`);
      return 0;
    }
    const [color] = maskColours(1, this.palette);
    this.instances.push({ color, label: this.label });
    this.current = this.instances.length;
    return this.current;
  }

  /** Before a stroke, the colour that it will have. */
  get ink() {
    return this.current ? this.palette[this.current - 1] : maskColours(1, this.palette)[0];
  }

  get title() {
    return this.nameOf(this.current);
  }

  /** "cell 2": the second one of its class. @param {number} value */
  nameOf(value) {
    const { label } = this.instances[value - 1] ?? { label: "" };
    const among = this.instances.slice(0, value).filter((instance, index) =>
      instance.label === label && this.mask.counts[index + 1]);
    return `${label || "no class"} ${Math.max(among.length, 1)}`;
  }

  labelOf(value) {
    return this.instances[value - 1].label;
  }

  chooseLabel(label) {
    const before = this.isUnknown(this.label) ? this.current : 0;
    this.current = 0;
    super.chooseLabel(label);
    this.give(before);
    return true;
  }

  /** The next stroke begins a new one of the same class. */
  next() {
    if (this.tool === "eraser") this.tool = "brush";
    this.current = 0;
    if (this.isUnknown(this.label)) this.label = firstClass(this.labels);
    this.changed();
    this.say(`New ${this.label}`);
    return true;
  }

  /** Go on with one. @param {number} value */
  choose(value) {
    this.current = value;
    this.label = this.instances[value - 1].label;
    if (this.tool === "eraser") this.tool = "brush";
    this.changed();
    this.say(this.nameOf(value));
  }

  /** @param {number} value */
  delete(value) {
    if (this.current === value) this.current = 0;
    if (!this.current && this.isUnknown(this.label)) this.label = firstClass(this.labels);
    super.delete(value);
  }

  /** The colour of the next one of a class; the chosen class has that of the one that is painted. */
  colour(label) {
    return label === this.label ? this.ink : "#ffffff";
  }

  choices() {
    return this.labels.map((label) => {
      const count = this.instances.filter((instance, index) => instance.label === label && this.mask?.counts[index + 1]).length;
      return { label, count: count ? String(count) : "", counted: `${count} painted` };
    });
  }

  /** What stands below the classes: all that was painted. */
  sides() {
    this.listTitle = h("h3");
    this.list = h("ul", { class: "shapes", "aria-label": "All that was painted" });
    return [h("section", { class: "drawn" },
      tool("New", "Begin a new one of this class (A)", () => this.next()), this.listTitle, this.list)];
  }

  showSides() {
    const painted = this.areas();
    this.listTitle.textContent = `Painted (${painted.length})`;
    keepingFocus(this.list, () => this.list.replaceChildren(...painted.map((value) => this.row(value))));
  }

  row(value) {
    const chosen = value === this.current;
    const name = this.nameOf(value);
    return h("li", { class: chosen ? "selected" : null },
      h("button", {
        type: "button", class: "shape", "data-key": `instance ${value}`, "aria-current": chosen ? "true" : null,
        onclick: () => this.choose(value),
      },
      h("span", { class: "swatch", style: `background: ${this.palette[value - 1]}` }),
      h("span", { class: "text" }, this.isUnknown(this.labelOf(value)) ? `${name} ⚠` : name), h("span", { class: "quiet" }, this.shareOf(value))),
      h("button", {
        type: "button", class: "remove", "data-key": `remove ${value}`, "aria-label": `Delete ${name}`, title: "Delete",
        onclick: () => this.delete(value),
      }, "✕"));
  }
}
