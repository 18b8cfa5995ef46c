/**
 * Instructions: the short ones stay in sight, the full ones open in a dialog. `instructionsPanel` is the piece that
 * the annotation and classification elements share; crowd-instructions is a dialog of its own.
 */

import { CrowdElement } from "../core/element.js";
import { h } from "../core/dom.js";
import { sheet } from "../core/style.js";

/**
 * A panel with the slots `short-instructions` and `full-instructions` of an element.
 * @param {HTMLElement} host the element whose children the regions are
 * @returns {HTMLElement | null} null when it has neither region
 */
export function instructionsPanel(host) {
  const full = host.querySelector(":scope > full-instructions");
  const short = host.querySelector(":scope > short-instructions");
  if (!full && !short) return null;
  const title = full?.getAttribute("header") || "Instructions";
  const dialog = h("dialog", { "aria-label": title },
    h("h2", { style: "margin-top: 0" }, title), h("slot", { name: "full-instructions" }),
    h("div", { style: "margin-top: 16px" },
      h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Close")));
  return h("aside", { class: "instructions", part: "instructions", "aria-label": "Instructions" },
    h("slot", { name: "short-instructions" }),
    full ? h("button", { type: "button", class: "button plain full", onclick: () => dialog.showModal() },
      short ? "Full instructions" : title) : null,
    full ? dialog : null);
}

export const panelStyle = sheet(`
  .instructions { padding: 10px 12px; border-radius: 8px; background: var(--crowd-raised); }
  .instructions .full { padding: 4px 0; min-height: 32px; text-align: left; }
`);

/** Instructions that stand in a form by themselves, and not in an element that shows them. */
export class LooseInstructions extends CrowdElement {
  static regions = ["full-instructions", "short-instructions"];
  static style = panelStyle;

  /** Gather those of a form into one panel. @param {HTMLElement} form */
  static gather(form) {
    const loose = this.regions.map((region) => form.querySelector(`:scope > ${region}`)).filter(Boolean);
    if (!loose.length) return;
    const panel = document.createElement("nightloop-instructions");
    const place = document.createComment("");
    loose[0].before(place);
    // It is built when it comes into the page: it must hold them then.
    panel.append(...loose);
    place.replaceWith(panel);
  }

  build(root) {
    root.append(instructionsPanel(this));
  }
}

const REGIONS = {
  "short-summary": "", "detailed-instructions": "Details", "positive-example": "Good example",
  "negative-example": "Bad example",
};

export class CrowdInstructions extends CrowdElement {
  static properties = ["link-text", "link-type"];
  static regions = Object.keys(REGIONS);
  static style = sheet(`
    :host { display: block; margin: 4px 0 12px; }
    h3 { margin: 16px 0 4px; }
    .good { border-left: 4px solid var(--crowd-success); padding-left: 12px; }
    .bad { border-left: 4px solid var(--crowd-error); padding-left: 12px; }
  `);

  /** @param {ShadowRoot} root */
  build(root) {
    const part = (region, look) =>
      this.querySelector(`:scope > ${region}`)
        ? h("section", { class: look ?? null },
            REGIONS[region] ? h("h3", {}, REGIONS[region]) : null, h("slot", { name: region }))
        : null;
    this.link = h("button", { type: "button", onclick: () => this.dialog.showModal() });
    this.dialog = h("dialog", { "aria-label": "Instructions" },
      part("short-summary"), part("detailed-instructions"), part("positive-example", "good"),
      part("negative-example", "bad"), h("slot"),
      h("div", { style: "margin-top: 16px" },
        h("button", { type: "button", class: "button", onclick: () => this.dialog.close() }, "Close")));
    root.append(this.link, this.dialog);
  }

  update() {
    this.link.textContent = this.linkText ?? "View instructions";
    this.link.className = this.linkType === "button" ? "button" : "button plain";
  }
}
