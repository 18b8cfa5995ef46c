/**
 * crowd-checkbox, crowd-radio-button, crowd-radio-group, crowd-toggle-button: each button answers
 * {"<value>": true or false}; buttons that share a name are one object.
 */

import { CrowdElement } from "../core/element.js";
import { h } from "../core/dom.js";
import { sheet } from "../core/style.js";

export class Choice extends CrowdElement {
  static answers = true;
  static choice = true;
  static delegatesFocus = true;
  static properties = ["disabled", "required", "invalid"];
  static kind = "checkbox";
  /** Another role than the kind's own. @type {string | null} */
  static role = null;
  static style = sheet(`
    :host { display: block; margin: 2px 0; }
    label { display: inline-flex; align-items: flex-start; gap: 8px; min-height: 32px; padding: 4px 2px; cursor: pointer; }
    input { flex: none; width: 20px; height: 20px; margin: 1px 0 0; accent-color: var(--crowd-accent); }
    input:disabled + span { opacity: 0.6; }
    input[role="switch"] {
      appearance: none; width: 38px; border: 2px solid var(--crowd-edge); border-radius: 10px;
      background: linear-gradient(var(--crowd-edge) 0 0) 3px 50% / 12px 12px no-repeat;
    }
    input[role="switch"]:checked { background-color: var(--crowd-accent); background-position: 19px 50%;
      background-image: linear-gradient(var(--crowd-accent-ink) 0 0); border-color: var(--crowd-accent); }
    input[aria-invalid="true"] { outline: 2px solid var(--crowd-error); }
  `);

  /** @param {ShadowRoot} root */
  build(root) {
    this.box = h("input", {
      type: this.constructor.kind, role: this.constructor.role,
      "aria-label": this.textContent.trim() ? null : this.value,
    });
    this.box.checked = this.hasAttribute("checked");
    this.box.addEventListener("change", () => {
      this.toggled();
      this.dispatchEvent(new Event("change", { bubbles: true }));
    });
    root.append(h("label", {}, this.box, h("span", {}, h("slot"))));
  }

  update() {
    this.box.disabled = this.disabled;
    this.box.setAttribute("aria-invalid", String(this.hasAttribute("invalid")));
  }

  toggled() {}

  get checked() {
    return this.box?.checked ?? this.hasAttribute("checked");
  }

  set checked(value) {
    if (!this.box) {
      this.toggleAttribute("checked", Boolean(value));
      return;
    }
    this.box.checked = Boolean(value);
    if (value) this.toggled();
  }

  get value() {
    return this.getAttribute("value") ?? "on";
  }

  set value(value) {
    this.setAttribute("value", value);
  }

  answer() {
    return { [this.value]: this.checked };
  }

  restore(answer) {
    const checked = answer?.[this.value];
    if (typeof checked === "boolean") this.box.checked = checked;
  }

  problem() {
    const missing = this.hasAttribute("required") && !this.checked;
    this.box.setAttribute("aria-invalid", String(missing));
    return missing ? `Please tick "${this.textContent.trim() || this.name}"` : null;
  }

  reset() {
    this.box.checked = this.hasAttribute("checked");
  }
}

export class CrowdCheckbox extends Choice {}

export class CrowdToggleButton extends Choice {
  static role = "switch";
}

export class CrowdRadioButton extends Choice {
  static kind = "radio";

  /** Its own, else that of its group: a group's buttons answer together. */
  get name() {
    return this.getAttribute("name") ?? this.closest("crowd-radio-group")?.getAttribute("name") ?? "";
  }

  set name(value) {
    this.setAttribute("name", value);
  }

  build(root) {
    super.build(root);
    this.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      const siblings = this.siblings().filter((button) => !button.disabled);
      if (!step || siblings.length < 2) return;
      event.preventDefault();
      const other = siblings.at((siblings.indexOf(this) + step) % siblings.length);
      other.checked = true;
      other.focus();
      other.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }

  /** The buttons of which only one can be chosen: those of the group, else those of the name. */
  siblings() {
    const group = this.closest("crowd-radio-group");
    if (group) return [...group.querySelectorAll("crowd-radio-button")];
    const scope = this.closest("crowd-form") ?? document;
    return [...scope.querySelectorAll("crowd-radio-button")].filter(
      (button) => button.name === this.name && !button.closest("crowd-radio-group"),
    );
  }

  toggled() {
    for (const button of this.siblings()) {
      if (button !== this && button.box) button.box.checked = false;
    }
  }
}

export class CrowdRadioGroup extends CrowdElement {
  static style = sheet(":host { display: block; }");

  /** @param {ShadowRoot} root */
  build(root) {
    this.setAttribute("role", "radiogroup");
    root.append(h("slot"));
  }

  get value() {
    const chosen = [...this.querySelectorAll("crowd-radio-button")].find((button) => button.checked);
    return chosen?.value ?? null;
  }
}
