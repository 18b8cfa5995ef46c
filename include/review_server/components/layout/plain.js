/** Elements without an answer: alert, badge, card, fab, icon-button, modal, tabs, toast. */

import { CrowdElement } from "../core/element.js";
import { h } from "../core/dom.js";
import { sheet } from "../core/style.js";

// A few common icon names in characters; any other name is written out.
const ICONS = {
  add: "+", remove: "−", close: "✕", clear: "✕", check: "✓", done: "✓", delete: "🗑", edit: "✎", undo: "↶", redo: "↷",
  help: "?", info: "i", search: "⌕", star: "★", favorite: "♥", menu: "☰", refresh: "↻", warning: "⚠", error: "!",
  "arrow-back": "←", "arrow-forward": "→", "chevron-left": "‹", "chevron-right": "›", "zoom-in": "+", "zoom-out": "−",
};

/** @param {string | null} name */
function icon(name) {
  return ICONS[(name ?? "").split(":").at(-1).replaceAll("_", "-")] ?? name ?? "";
}

export class CrowdAlert extends CrowdElement {
  static properties = ["type", "dismissible"];
  static style = sheet(`
    :host { margin: 8px 0; }
    div { display: flex; gap: 10px; padding: 10px 14px; border: 1px solid; border-left-width: 5px; border-radius: 6px; }
    .text { flex: 1; }
    .info { background: var(--crowd-wash); border-color: var(--crowd-accent); }
    .success { background: var(--crowd-success-wash); border-color: var(--crowd-success); }
    .warning { background: var(--crowd-warning-wash); border-color: var(--crowd-warning); }
    .error { background: var(--crowd-error-wash); border-color: var(--crowd-error); color: inherit; font-size: inherit; }
    button { align-self: start; border: 0; background: none; cursor: pointer; }
  `);

  /** @param {ShadowRoot} root */
  build(root) {
    this.dismiss = h("button", { type: "button", "aria-label": "Dismiss", onclick: () => this.remove() }, "✕");
    this.frame = h("div", {}, h("span", { class: "text" }, h("slot")), this.dismiss);
    root.append(this.frame);
  }

  update() {
    const type = ["success", "error", "warning"].includes(this.type) ? this.type : "info";
    this.frame.className = type;
    this.setAttribute("role", type === "error" || type === "warning" ? "alert" : "status");
    this.dismiss.hidden = !this.hasAttribute("dismissible");
  }
}

export class CrowdBadge extends CrowdElement {
  static properties = ["for", "icon", "label"];
  static style = sheet(`
    :host { display: inline-block; }
    span { display: inline-block; min-width: 1.6em; padding: 0 7px; border-radius: 1em; font-size: 0.85em;
      font-weight: 600; text-align: center; background: var(--crowd-accent); color: var(--crowd-accent-ink); }
  `);

  build(root) {
    this.chip = h("span");
    root.append(this.chip, h("slot"));
  }

  update() {
    this.chip.textContent = this.icon ? icon(this.icon) : this.label ?? "";
    if (this.icon && this.label) this.chip.title = this.label;
  }
}

export class CrowdCard extends CrowdElement {
  static properties = ["heading", "image"];
  static style = sheet(`
    :host { margin: 8px 0; border: 1px solid var(--crowd-line); border-radius: 8px; background: var(--crowd-raised); overflow: hidden; }
    h3 { margin: 0; padding: 12px 16px 0; font-size: 1.1em; }
    h3:empty, img:not([src]) { display: none; }
    img { display: block; width: 100%; }
    div { padding: 12px 16px; }
  `);

  build(root) {
    this.caption = h("h3");
    this.picture = h("img", { alt: "" });
    root.append(this.picture, this.caption, h("div", {}, h("slot")));
  }

  update() {
    this.caption.textContent = this.heading ?? "";
    if (this.image) this.picture.src = this.image;
    else this.picture.removeAttribute("src");
  }
}

export class Round extends CrowdElement {
  static look = "plain";
  static delegatesFocus = true;
  static properties = ["disabled", "icon", "label", "title"];
  static style = sheet(`
    :host { display: inline-block; }
    :host([disabled]) { pointer-events: none; }
    button { justify-content: center; min-width: 40px; min-height: 40px; padding: 4px 10px; border-radius: 22px; }
  `);

  build(root) {
    this.button = h("button", { type: "button", class: `button ${this.constructor.look}` });
    root.append(this.button);
  }

  update() {
    this.button.disabled = this.disabled;
    const label = this.getAttribute("label");
    const name = this.getAttribute("icon");
    this.button.textContent = [icon(name), label].filter(Boolean).join(" ");
    this.button.setAttribute("aria-label", label || this.getAttribute("title") || name || "button");
  }
}

export class CrowdFab extends Round {
  static look = "primary";
}

export class CrowdIconButton extends Round {}

export class CrowdModal extends CrowdElement {
  static properties = ["link-text", "link-type"];
  static style = sheet(":host { display: inline-block; }");

  build(root) {
    this.link = h("button", { type: "button", onclick: () => this.open() });
    this.dialog = h("dialog", { "aria-label": "Details" }, h("slot"), h("div", { style: "margin-top: 16px" },
      h("button", { type: "button", class: "button", onclick: () => this.close() }, "Close")));
    this.dialog.addEventListener("close", () => this.dispatchEvent(new Event("close")));
    root.append(this.link, this.dialog);
  }

  update() {
    this.link.textContent = this.linkText ?? "Show";
    this.link.className = this.linkType === "button" ? "button" : "button plain";
    this.link.hidden = this.linkText === null && this.linkType === null;
  }

  open() {
    this.dialog.showModal();
  }

  close() {
    this.dialog.close();
  }
}

export class CrowdTab extends CrowdElement {
  static properties = ["header"];

  build(root) {
    this.setAttribute("role", "tabpanel");
    root.append(h("slot"));
  }

  update() {
    this.setAttribute("aria-label", this.header ?? "");
    this.closest("crowd-tabs")?.list?.();
  }
}

export class CrowdTabs extends CrowdElement {
  static style = sheet(`
    :host { margin: 8px 0; }
    [role="tablist"] { display: flex; flex-wrap: wrap; gap: 2px; border-bottom: 1px solid var(--crowd-line); margin-bottom: 12px; }
    [role="tab"] { padding: 8px 16px; border: 0; border-bottom: 3px solid transparent; background: none; cursor: pointer; }
    [aria-selected="true"] { border-color: var(--crowd-accent); color: var(--crowd-accent); font-weight: 600; }
  `);

  build(root) {
    this.bar = h("div", { role: "tablist" });
    this.chosen = 0;
    this.bar.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) this.choose((this.chosen + step + this.tabs.length) % this.tabs.length, true);
    });
    root.append(this.bar, h("slot"));
    this.list();
  }

  get tabs() {
    return /** @type {CrowdTab[]} */ ([...this.children].filter((child) => child.localName === "crowd-tab"));
  }

  list() {
    if (!this.bar) return;
    this.bar.replaceChildren(
      ...this.tabs.map((tab, index) =>
        h("button", { type: "button", role: "tab", onclick: () => this.choose(index, true) },
          tab.getAttribute("header") ?? `Tab ${index + 1}`)),
    );
    this.choose(this.chosen, false);
  }

  choose(index, focus) {
    this.chosen = index;
    this.tabs.forEach((tab, at) => {
      tab.hidden = at !== index;
      const button = this.bar.children[at];
      button.setAttribute("aria-selected", String(at === index));
      button.tabIndex = at === index ? 0 : -1;
    });
    if (focus) this.bar.children[index].focus();
  }
}

export class CrowdToast extends CrowdElement {
  static properties = ["duration", "text"];
  static style = sheet(`
    :host { position: fixed; left: 16px; bottom: 16px; z-index: 10; padding: 10px 16px; border-radius: 6px;
      background: var(--crowd-ink); color: var(--crowd-ground); }
  `);

  build(root) {
    this.setAttribute("role", "status");
    this.words = h("span");
    root.append(this.words, h("slot"));
    const duration = Number(this.duration ?? 0);
    if (duration > 0) setTimeout(() => this.remove(), duration);
  }

  update() {
    this.words.textContent = this.text ?? "";
  }
}
