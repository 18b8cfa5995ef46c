/**
 * The base of every element: a shadow root built once, attributes that may also be set as properties, regions
 * that are moved into named slots, and the two questions the form asks (`answer`, `problem`).
 */

import { base } from "./style.js";
import { parseRelaxed } from "./relaxed.js";
import { foundNothing } from "./causes.js";
import { complain } from "./complaints.js";

export class CrowdElement extends HTMLElement {
  /** Attributes with a property of the same (camel-cased) name, so that templates may set either. */
  static properties = [];
  /** Child elements that are regions: each goes to the slot of its own name. */
  static regions = [];
  /** @type {CSSStyleSheet | null} */
  static style = null;
  /** Whether the element gives an answer, and therefore needs a name. */
  static answers = false;
  /** The name under which it answers when the template gives it none. */
  static ownName = "";
  static delegatesFocus = false;

  /** Declare `names` as properties that mirror attributes. Called once per class, by `define`. */
  static mirror() {
    for (const attribute of this.properties) {
      const name = attribute.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
      if (name in this.prototype) continue;
      Object.defineProperty(this.prototype, name, {
        get() {
          return this.getAttribute(attribute);
        },
        set(value) {
          if (value === false || value === null || value === undefined) this.removeAttribute(attribute);
          else this.setAttribute(attribute, value === true ? "" : String(value));
        },
      });
    }
  }

  static get observedAttributes() {
    return [...this.properties, "name"];
  }

  constructor() {
    super();
    this.built = false;
    /** Values set as properties in place of the attribute's text. @type {Map<string, any>} */
    this.given = new Map();
    /** What was said of the template. @type {Set<string>} */
    this.complaints = new Set();
  }

  connectedCallback() {
    if (this.built) return;
    const root = this.attachShadow({ mode: "open", delegatesFocus: this.constructor.delegatesFocus });
    root.adoptedStyleSheets = [base, ...(this.constructor.style ? [this.constructor.style] : [])];
    for (const child of this.children) {
      if (this.constructor.regions.includes(child.localName)) child.slot = child.localName;
    }
    // A script that ran before this class was known left plain properties behind: they count.
    const early = Object.getOwnPropertyNames(this).filter((name) => name in this.constructor.prototype);
    const values = early.map((name) => [name, this[name]]);
    for (const name of early) delete this[name];
    this.built = true;
    this.build(root);
    this.tellOfReachingIn(root);
    for (const [name, value] of values) this[name] = value;
    this.update();
  }

  /**
   * Templates that look for Amazon's inner elements find nothing, but for what AWS itself documents (`documented`): what
   * is inside is not imitated. Say so.
   * @param {ShadowRoot} root
   */
  tellOfReachingIn(root) {
    for (const name of ["querySelector", "querySelectorAll", "getElementById"]) {
      const find = root[name].bind(root);
      root[name] = (selector) => {
        const inside = find(selector);
        const known = name === "querySelector" && inside === null ? this.documented(String(selector).trim()) : null;
        const found = known ?? inside;
        // Ours look for what is there, and for an open dialog.
        const nothing = found === null || found.length === 0;
        if (nothing && !String(selector).startsWith("dialog[")) {
          const what = `"${String(selector).slice(0, 80)}" inside of <${this.localName}>`;
          foundNothing(what);
          this.complain(`A script of this task looks for ${what}. `
            + `The inside of this portal's elements is their own: use the element's attributes (${this.attributesInWords}), `
            + "its value and its events");
        }
        return found;
      };
    }
  }

  /**
   * What AWS's documentation finds inside of this element, when it is asked for by this selector.
   * @param {string} _selector @returns {Element | null}
   */
  documented(_selector) {
    return null;
  }

  get attributesInWords() {
    return [...new Set(/** @type {typeof CrowdElement} */ (this.constructor).observedAttributes)].join(", ");
  }

  attributeChangedCallback() {
    if (this.built) this.update();
  }

  /** Fill the shadow root, once. @param {ShadowRoot} _root */
  build(_root) {}

  /** Bring what is shown in line with the attributes. */
  update() {}

  /**
   * The value of an attribute that holds structure, or `otherwise` when it is absent. Text that cannot be read
   * is told to the parent page and shown, and counts as absent.
   */
  structure(attribute, otherwise) {
    if (this.given.has(attribute)) return this.given.get(attribute);
    const text = this.getAttribute(attribute);
    if (text === null || text.trim() === "") return otherwise;
    try {
      return parseRelaxed(text);
    } catch (error) {
      this.complain(`${attribute} of ${this.localName}: ${error.message}`);
      return otherwise;
    }
  }

  /** A list of texts from an attribute: `['a', 'b']`; entries of another kind are turned into text. */
  texts(attribute) {
    const value = this.structure(attribute, []);
    if (!Array.isArray(value)) {
      this.complain(`${attribute} of ${this.localName} is not a list`);
      return [];
    }
    return value.map((item) => (typeof item === "object" && item !== null ? item.name ?? item.label ?? "" : item))
      .map(String);
  }

  /** Say once that something in the template is wrong. */
  complain(message) {
    if (this.complaints.has(message)) return;
    this.complaints.add(message);
    complain(message);
    const notice = document.createElement("nightloop-notice");
    notice.textContent = message;
    this.before(notice);
  }

  get name() {
    return this.getAttribute("name") || this.constructor.ownName;
  }

  set name(value) {
    this.setAttribute("name", value);
  }

  get disabled() {
    return this.hasAttribute("disabled");
  }

  set disabled(value) {
    this.toggleAttribute("disabled", Boolean(value));
  }

  /** What the element contributes under its name; undefined: nothing. @returns {any} */
  answer() {
    return undefined;
  }

  /** The answer as text, to tell whether somebody has changed it. @returns {string | undefined} */
  fingerprint() {
    return JSON.stringify(this.answer(), (key, value) => (key === "inputImageProperties" ? undefined : value));
  }

  /** Why the form cannot be submitted yet, or null. @returns {string | null} */
  problem() {
    return null;
  }

  /** Back to how the template set it. */
  reset() {}

  /**
   * Show an answer of this element that was kept, to go on with it; what is not of its kind changes nothing.
   * @param {any} _answer undefined when it had none
   */
  restore(_answer) {}

  get _submittableValue() {
    return this.answer();
  }
}

/** Make elements known to the browser. @param {Record<string, typeof CrowdElement>} elements */
export function define(elements) {
  for (const [name, element] of Object.entries(elements)) {
    element.mirror();
    customElements.define(name, element);
  }
}
