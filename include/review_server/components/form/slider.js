/** crowd-slider: a number under a name. crowd-slider-label: words below it, at the value that its slot (or `position`) names. */

import { CrowdElement } from "../core/element.js";
import { h } from "../core/dom.js";
import { sheet } from "../core/style.js";

export class CrowdSlider extends CrowdElement {
  static answers = true;
  static delegatesFocus = true;
  static properties = ["disabled", "editable", "max", "min", "pin", "required", "secondary-progress", "step"];
  static style = sheet(`
    .row { display: flex; align-items: flex-start; gap: 12px; max-width: 480px; }
    .scale { flex: 1; min-width: 80px; }
    input[type="range"] { display: block; width: 100%; height: 32px; margin: 0; accent-color: var(--crowd-accent); }
    .labels { display: flex; justify-content: space-between; gap: 8px; font-size: 0.9em; color: var(--crowd-quiet); }
    .labels > * { flex: 1; text-align: center; }
    .labels > :first-child { text-align: left; }
    .labels > :last-child:not(:first-child) { text-align: right; }
    input[type="number"], output {
      width: 5em; padding: 5px 8px; text-align: right; font-variant-numeric: tabular-nums;
    }
    input[type="number"] {
      border: 1px solid var(--crowd-edge); border-radius: 6px; background: var(--crowd-ground);
    }
  `);

  /** @param {ShadowRoot} root */
  build(root) {
    this.range = h("input", { type: "range" });
    this.shown = h(this.hasAttribute("editable") ? "input" : "output", {
      type: this.hasAttribute("editable") ? "number" : null,
    });
    const moved = (from, event) => {
      this.value = from.value;
      this.touched = true;
      this.dispatchEvent(new Event(event, { bubbles: true }));
    };
    this.range.addEventListener("input", () => moved(this.range, "input"));
    this.range.addEventListener("change", () => moved(this.range, "change"));
    if (this.shown.type === "number") this.shown.addEventListener("change", () => moved(this.shown, "change"));
    this.labels = h("div", { class: "labels" });
    root.append(h("div", { class: "row" }, h("div", { class: "scale" }, this.range, this.labels), this.shown));
    this.start = this.getAttribute("value");
    this.touched = this.start !== null;
  }

  update() {
    this.range.min = this.min ?? 0;
    this.range.max = this.max ?? 100;
    this.range.step = this.step ?? 1;
    this.range.disabled = this.disabled;
    this.range.setAttribute("aria-label", this.getAttribute("aria-label") ?? this.name);
    const labels = [...this.querySelectorAll(":scope > crowd-slider-label")];
    for (const label of labels) label.slot ||= label.getAttribute("position") ?? "";
    labels.sort((a, b) => Number(a.slot) - Number(b.slot));
    this.labels.replaceChildren(...labels.map((label) => h("div", {}, h("slot", label.slot ? { name: label.slot } : {}))));
    if (!this.placed) {
      this.placed = true;
      this.value = this.start ?? this.range.min;
    }
  }

  /** @returns {number} */
  get value() {
    return Number(this.range ? this.range.value : this.getAttribute("value") ?? 0);
  }

  set value(value) {
    if (!this.range) {
      this.setAttribute("value", String(value));
      return;
    }
    this.range.value = value;
    this.shown.value = this.range.value;
  }

  answer() {
    return this.value;
  }

  restore(answer) {
    if (typeof answer !== "number") return;
    // Whether it had been set by hand is not told by its value.
    this.touched ||= answer !== this.value;
    this.value = answer;
  }

  problem() {
    return this.hasAttribute("required") && !this.touched ? `Please set "${this.name}"` : null;
  }

  reset() {
    this.value = this.start ?? this.range.min;
    this.touched = this.start !== null;
  }
}

export class CrowdSliderLabel extends CrowdElement {
  /** @param {ShadowRoot} root */
  build(root) {
    root.append(h("slot"));
  }
}
