/**
 * crowd-form and crowd-button. The form asks every crowd element and every plain control inside it for its value,
 * by name, and hands the answer to the page around it. A template may veto with `form.onsubmit`.
 */

import { CrowdElement } from "../core/element.js";
import { h } from "../core/dom.js";
import { sheet } from "../core/style.js";
import { tell } from "../core/bridge.js";
import { inWords } from "../core/causes.js";

const NATIVE = "input, select, textarea";
const NO_ANSWER = ["submit", "button", "reset", "image", "file"];

export class CrowdForm extends HTMLElement {
  connectedCallback() {
    if (this.listening) return;
    this.listening = true;
    this.addEventListener("click", (event) => {
      const target = /** @type {Element} */ (event.target);
      /** @type {HTMLButtonElement | HTMLInputElement | null} */
      const button = target.closest("button, input[type=submit], input[type=image]");
      if (!button || button.disabled || event.defaultPrevented || button.type === "button") return;
      event.preventDefault();
      if (button.type === "reset") this.reset();
      else this.submit();
    });
    // A real form inside the crowd-form would leave the page; its submit means ours.
    this.addEventListener(
      "submit",
      (event) => {
        if (event.target === this) return;
        event.preventDefault();
        event.stopPropagation();
        this.submit();
      },
      { capture: true },
    );
  }

  /** Amazon's has a form element inside; what is put into that is put into this. */
  get form() {
    return this;
  }

  /** Add what the template left out: a way to submit, below everything else. */
  complete() {
    if (this.added) {
      if (this.added !== this.lastElementChild) this.append(this.added);
      return;
    }
    const own = this.querySelector(
      "crowd-button[form-action=submit], button:not([type]), button[type=submit], input[type=submit]",
    );
    if (own) return;
    const button = document.createElement("crowd-button");
    button.setAttribute("form-action", "submit");
    button.setAttribute("variant", "primary");
    button.textContent = "Submit";
    button.style.cssText = "display: block; width: fit-content; margin-top: 12px";
    this.added = button;
    this.append(button);
  }

  /** Everything in the form that can have an answer, in the document's order. @returns {Field[]} */
  get fields() {
    return [...this.querySelectorAll("*")].filter(isField);
  }

  /** Whether anything in it can be answered. */
  get asks() {
    return this.fields.some((field) => field instanceof CrowdElement || !NO_ANSWER.includes(field.type));
  }

  /** The answer as it stands, valid or not. @returns {Record<string, any>} */
  get value() {
    const answer = {};
    for (const field of this.fields) {
      if (!field.name || field.disabled) continue;
      const value = field instanceof CrowdElement ? field.answer() : nativeValue(field);
      if (value === undefined) continue;
      // Boxes and radio buttons of one name are one object: {"blurry": true, "dark": false}.
      const merges = isChoice(field) && typeof Object.getOwnPropertyDescriptor(answer, field.name)?.value === "object";
      define(answer, field.name, merges ? { ...answer[field.name], ...value } : value);
    }
    return answer;
  }

  /** Show an answer that was kept, to go on with it. @param {Record<string, any>} answer */
  restore(answer) {
    for (const field of this.fields) {
      if (!field.name || field.disabled) continue;
      const value = Object.getOwnPropertyDescriptor(answer, field.name)?.value;
      if (field instanceof CrowdElement) field.restore(value);
      else restoreNative(field, value);
    }
  }

  get _submittableValue() {
    return this.value;
  }

  /** The answer as text, to tell whether it was changed. What only the image's loading changes does not count. */
  fingerprint() {
    return JSON.stringify(this.fields.filter((field) => field.name && !field.disabled).map((field) =>
      field instanceof CrowdElement ? field.fingerprint() : nativeValue(field)));
  }

  /** Why nothing can be submitted yet, or null (crowd.js sets it). @returns {string | null} */
  lacking() {
    return null;
  }

  /** Submit when the task was seen, every field is valid and no listener objects. @returns {boolean} whether it was sent */
  submit() {
    const lacking = this.lacking();
    if (lacking) {
      // It passes by itself: the page around says so, and nothing here moves.
      tell("held", { reason: lacking });
      return false;
    }
    for (const field of this.fields) {
      if (field.disabled) continue;
      const problem = field instanceof CrowdElement ? field.problem() : field.validationMessage;
      if (!problem) continue;
      if (field instanceof CrowdElement) {
        field.focus();
        field.scrollIntoView({ block: "nearest" });
      } else {
        field.reportValidity();
      }
      return this.hold(problem);
    }
    this.say("");
    const { objects, failure } = this.ask();
    if (failure) return this.hold(`The task's own program failed, so the answer was held back: ${failure}`);
    // The template says itself what it objects to.
    if (objects) {
      tell("held", { reason: "The task's own check holds the answer back" });
      return false;
    }
    // Collected after the listeners: they may still put values into hidden inputs.
    const content = this.value;
    const lost = whatIsLost(this, content);
    if (lost) return this.hold(lost);
    tell("answer", { content });
    return true;
  }

  /** Let the template's listeners see the submit. One that fails may have left the answer half made. */
  ask() {
    let failure = "";
    const fail = (event) => (failure ||= inWords(event));
    // The browser reports what a listener throws while the event is dispatched.
    window.addEventListener("error", fail, { capture: true });
    const event = new Event("submit", { bubbles: true, cancelable: true });
    const objects = !this.dispatchEvent(event);
    window.removeEventListener("error", fail, { capture: true });
    return { objects, failure };
  }

  /** Do not submit, and say why. @param {string} reason @returns {false} */
  hold(reason) {
    this.say(reason);
    tell("held", { reason });
    return false;
  }

  requestSubmit() {
    this.submit();
  }

  reset() {
    for (const field of this.fields) {
      if (field instanceof CrowdElement) field.reset();
      else resetNative(field);
    }
    this.say("");
    this.dispatchEvent(new Event("reset", { bubbles: true }));
  }

  /** @param {string} problem */
  say(problem) {
    if (!this.notice && problem) {
      this.notice = h("nightloop-notice", { class: "held", role: "alert" });
      const button = [...this.querySelectorAll("crowd-button[form-action=submit]")].at(-1);
      if (button) button.before(this.notice);
      else this.append(this.notice);
    }
    if (!this.notice) return;
    this.notice.textContent = problem;
    this.notice.hidden = !problem;
    this.notice.style.display = problem ? "" : "none";
  }
}

export class CrowdButton extends CrowdElement {
  static properties = [
    "disabled", "form-action", "href", "icon", "icon-align", "icon-url", "loading", "target", "variant",
  ];
  static delegatesFocus = true;
  static style = sheet(`
    :host { display: inline-block; }
    .button img { width: 18px; height: 18px; }
    .after { flex-direction: row-reverse; }
    .spinner {
      width: 14px; height: 14px; border: 2px solid currentColor; border-right-color: transparent; border-radius: 50%;
      animation: turn 1s linear infinite;
    }
    @keyframes turn { to { rotate: 1turn; } }
    @media (prefers-reduced-motion: reduce) { .spinner { animation: none; } }
  `);

  build(root) {
    this.addEventListener(
      "click",
      (event) => {
        if (!this.disabled && !this.hasAttribute("loading")) return;
        event.stopImmediatePropagation();
        event.preventDefault();
      },
      { capture: true },
    );
    this.addEventListener("click", (event) => {
      const form = this.closest("crowd-form");
      // The template's own listeners come first and may object.
      queueMicrotask(() => {
        if (event.defaultPrevented || !form) return;
        if (this.formAction === "submit") form.submit();
        if (this.formAction === "reset") form.reset();
      });
    });
    this.root = root;
  }

  update() {
    const variant = this.variant ?? (this.formAction === "submit" ? "primary" : "normal");
    const look = { primary: "primary", link: "plain", icon: "plain" }[variant] ?? "";
    const href = this.href && /^(https?:|mailto:|#|\/)/i.test(this.href) ? this.href : null;
    const busy = this.hasAttribute("loading");
    const content = [
      busy ? h("span", { class: "spinner" }) : null,
      this.iconUrl ? h("img", { src: this.iconUrl, alt: "" }) : null,
      h("slot"),
    ];
    const after = this.iconAlign === "right" ? "after" : "";
    const inner = href
      ? h("a", {
          class: `button ${look} ${after}`, href: this.disabled ? null : href, target: this.target,
          rel: "noopener noreferrer", "aria-disabled": this.disabled ? "true" : null,
        }, ...content)
      : h("button", {
          type: "button", class: `button ${look} ${after}`, disabled: this.disabled || busy,
          "aria-label": this.textContent.trim() ? null : this.icon,
        }, ...content);
    this.root.replaceChildren(inner);
  }
}

/**
 * @typedef {CrowdElement | HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Field
 * @param {Element} element
 * @returns {element is Field}
 */
function isField(element) {
  return element instanceof CrowdElement ? element.constructor.answers : element.matches(NATIVE);
}

/** @param {any} field */
function isChoice(field) {
  return field.constructor.choice || ["checkbox", "radio"].includes(field.type);
}

function nativeValue(field) {
  if (NO_ANSWER.includes(field.type)) return undefined;
  if (isChoice(field)) return { [field.value]: field.checked };
  if (field.type === "select-multiple") return [...field.selectedOptions].map((option) => option.value);
  return field.value;
}

function restoreNative(field, value) {
  if (isChoice(field)) {
    if (typeof value?.[field.value] === "boolean") field.checked = value[field.value];
  } else if (field.type === "select-multiple") {
    if (Array.isArray(value)) for (const option of field.options) option.selected = value.includes(option.value);
  } else if (typeof value === "string" && !NO_ANSWER.includes(field.type)) {
    field.value = value;
  }
}

function resetNative(field) {
  if (isChoice(field)) field.checked = field.defaultChecked;
  else if (field.options) {
    for (const option of field.options) option.selected = option.defaultSelected;
  } else if (field.type !== "file") field.value = field.defaultValue;
}

/**
 * Why this answer lacks what the template asks for, or null.
 * @param {CrowdForm} form @param {Record<string, any>} answer
 */
function whatIsLost(form, answer) {
  const unknown = [...form.querySelectorAll("*")].filter((element) =>
    element.localName.startsWith("crowd-") && !customElements.get(element.localName));
  const empty = Object.values(answer).every((value) => !value || JSON.stringify(value) === "{}");
  const asking = unknown.find((element) => empty || (element.hasAttribute("name") && !Object.hasOwn(answer, element.getAttribute("name"))));
  if (asking) return `<${asking.localName}> is not supported here, so its answer would be missing: choose Stop…, then Decline it`;
  const nameless = form.fields.find((field) => field instanceof CrowdElement && !field.name && !field.disabled);
  if (empty && nameless) return `<${nameless.localName}> has no name, so the answer would be empty: choose Stop…, then Decline it`;
  return null;
}

/** A plain own property, whatever its name is. */
function define(object, name, value) {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}
