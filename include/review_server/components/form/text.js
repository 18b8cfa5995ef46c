/** crowd-input and crowd-text-area: text under a name, absent from the answer when empty. */

import { CrowdElement } from "../core/element.js";
import { h } from "../core/dom.js";
import { sheet } from "../core/style.js";

const style = sheet(`
  label { display: block; margin: 8px 0 2px; font-weight: 600; }
  label:empty { display: none; }
  .field {
    width: 100%; min-height: 38px; padding: 7px 10px; border: 1px solid var(--crowd-edge); border-radius: 6px;
    background: var(--crowd-ground); color: var(--crowd-ink);
  }
  .field[aria-invalid="true"] { border-color: var(--crowd-error); border-width: 2px; }
  .below { display: flex; justify-content: space-between; gap: 12px; }
  .count { margin-left: auto; color: var(--crowd-quiet); font-size: 0.85em; }
`);

export class Text extends CrowdElement {
  /** The name of the element that holds the text. */
  static control = "input";
  static answers = true;
  static delegatesFocus = true;
  static style = style;

  /** @param {ShadowRoot} root */
  build(root) {
    this.field = h(this.constructor.control, { id: "field", class: "field", "aria-describedby": "error" });
    this.caption = h("label", { for: "field" });
    this.error = h("span", { id: "error", class: "error", role: "alert" });
    this.count = h("span", { class: "count" });
    this.field.value = this.getAttribute("value") ?? "";
    this.field.addEventListener("input", () => {
      this.counted();
      if (this.hasAttribute("auto-validate") || this.error.textContent) this.validate();
    });
    // `change` stops at the shadow root; templates listen for it on the element.
    this.field.addEventListener("change", () => this.dispatchEvent(new Event("change", { bubbles: true })));
    root.append(this.caption, this.field, h("div", { class: "below" }, this.error, this.count));
    if (this.hasAttribute("auto-focus")) this.field.focus({ preventScroll: true });
  }

  update() {
    this.caption.textContent = this.label ?? "";
    if (this.required && this.label) this.caption.textContent += " (required)";
    this.field.disabled = this.disabled;
    this.field.placeholder = this.placeholder ?? "";
    for (const [attribute, own] of [["max-length", "maxlength"], ["rows", "rows"], ["type", "type"]]) {
      if (this.hasAttribute(attribute)) this.field.setAttribute(own, this.getAttribute(attribute));
    }
    if (!this.label) this.field.setAttribute("aria-label", this.placeholder || this.name || "text");
    this.field.toggleAttribute("required", this.required);
    this.counted();
  }

  get required() {
    return this.hasAttribute("required");
  }

  set required(value) {
    this.toggleAttribute("required", Boolean(value));
  }

  get value() {
    return this.field?.value ?? this.getAttribute("value") ?? "";
  }

  set value(value) {
    if (!this.field) {
      this.setAttribute("value", value ?? "");
      return;
    }
    this.field.value = value ?? "";
    this.counted();
  }

  answer() {
    return this.value === "" ? undefined : this.value;
  }

  restore(answer) {
    if (answer === undefined || typeof answer === "string") this.value = answer ?? "";
  }

  problem() {
    return this.validate();
  }

  reset() {
    this.value = this.getAttribute("value") ?? "";
    this.tell("");
  }

  checkValidity() {
    return this.fault() === "";
  }

  validate() {
    const fault = this.fault();
    this.tell(fault && (this.getAttribute("error-message") ?? fault));
    return fault ? `${this.label || this.placeholder || this.name || "A field"}: ${this.error.textContent}` : null;
  }

  /** What is wrong, in words; "" when nothing is. @returns {string} */
  fault() {
    const text = this.value;
    if (!this.field.checkValidity()) return this.field.validationMessage;
    if (text === "") return "";
    const least = Number(this.getAttribute("min-length") ?? 0);
    const most = Number(this.getAttribute("max-length") ?? Infinity);
    if (text.length < least) return `write at least ${least} characters (there are ${text.length})`;
    if (text.length > most) return `write at most ${most} characters (there are ${text.length})`;
    return this.allowed(text) ? "" : "this text is not allowed here";
  }

  allowed(text) {
    const pattern = this.getAttribute("allowed-pattern");
    if (!pattern) return true;
    try {
      // The documented pattern speaks of single characters ("[0-9]"); a whole expression works as well.
      const rule = new RegExp(pattern, "u");
      return new RegExp(`^(?:${pattern})$`, "u").test(text) || [...text].every((one) => rule.test(one));
    } catch {
      this.complain(`allowed-pattern of ${this.localName} is not a regular expression: ${pattern}`);
      return true;
    }
  }

  tell(message) {
    this.error.textContent = message ?? "";
    this.field.setAttribute("aria-invalid", message ? "true" : "false");
  }

  counted() {
    if (!this.hasAttribute("char-counter")) return;
    const most = this.getAttribute("max-length");
    this.count.textContent = most ? `${this.value.length} of ${most}` : `${this.value.length}`;
  }
}

export class CrowdInput extends Text {
  static properties = [
    "allowed-pattern", "auto-focus", "auto-validate", "disabled", "error-message", "label", "max-length",
    "min-length", "placeholder", "required", "type",
  ];
}

export class CrowdTextArea extends Text {
  static control = "textarea";
  static properties = [
    "allowed-pattern", "auto-focus", "auto-validate", "char-counter", "disabled", "error-message", "label",
    "max-length", "max-rows", "placeholder", "required", "rows",
  ];

  build(root) {
    super.build(root);
    this.field.rows = Number(this.getAttribute("rows") ?? 3);
    this.field.style.resize = "vertical";
    const grow = () => {
      const most = Number(this.getAttribute("max-rows") ?? 0);
      if (most) this.field.rows = Math.min(most, Math.max(this.field.rows, this.value.split("\n").length));
    };
    this.field.addEventListener("input", grow);
  }
}
