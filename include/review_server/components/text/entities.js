/**
 * crowd-entity-annotation: spans of a text get a label each. Offsets are UTF-16 code units from 0, the end is exclusive,
 * as a browser and the documented answer count them. It carries its own submit: outside of a crowd-form it is put into
 * one (crowd.js).
 */

import { CrowdElement } from "../core/element.js";
import { h } from "../core/dom.js";
import { colourOf, inkOn } from "../core/colours.js";
import { keyName } from "../core/key-name.js";
import { keysFor } from "../core/shortcuts.js";
import { sheet } from "../core/style.js";
import { instructionsPanel, panelStyle } from "../layout/instructions.js";
import { classButton, keepingFocus, tool } from "../annotate/frame.js";
import { unknownProblem, unknownWords } from "../annotate/prelabels.js";
import { Shapes } from "../annotate/shapes.js";
import { stageStyle, toolStyle } from "../annotate/stage-style.js";

// The text is a child of the element, not of its shadow: selections reach into shadows in no standard way.
const textStyle = sheet(`
  .crowd-text {
    min-height: 120px; padding: 14px 16px; border: 1px solid var(--crowd-edge); border-radius: 6px;
    background: var(--crowd-ground); font-size: 1.1em; line-height: 2.1; white-space: pre-wrap; overflow-wrap: anywhere;
  }
  .crowd-text mark { padding: 2px 0; border-radius: 3px; cursor: pointer; }
  .crowd-text mark.selected { outline: 3px solid var(--crowd-accent); }
  .crowd-text mark[data-short]::after { content: attr(data-short); padding: 0 4px; font-size: 0.7em; font-weight: 700; user-select: none; }
`);

const KIND = { noun: "entity", plural: "entities" };
const TYPED = ["beforeinput", "drop", "paste", "cut", "dragstart"];

export class CrowdEntityAnnotation extends CrowdElement {
  static answers = true;
  static properties = ["header", "text"];
  static regions = ["full-instructions", "short-instructions"];
  static style = stageStyle;

  static get observedAttributes() {
    return [...super.observedAttributes, "labels", "initial-value"];
  }

  /** @param {ShadowRoot} root */
  build(root) {
    root.adoptedStyleSheets = [toolStyle, ...root.adoptedStyleSheets, panelStyle];
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, textStyle];
    /** Spans, as shapes whose `points` are [start, end]. @type {any} */
    this.spans = new Shapes(() => this.show());
    this.label = "";
    this.keys = [];
    this.head = h("h2", { class: "head" });
    // Editable for its caret and its keys alone: nothing that would change the text gets through.
    this.body = h("div", {
      class: "crowd-text", slot: "text", contenteditable: "true", role: "textbox", "aria-multiline": "true",
      "aria-readonly": "true", inputmode: "none", spellcheck: "false", onkeydown: (event) => this.key(event),
      onpointerup: () => {
        this.settle();
        this.settling = setTimeout(() => this.settle());
      },
    });
    for (const type of TYPED) this.body.addEventListener(type, (event) => event.preventDefault());
    this.append(this.body);
    this.undoing = tool("↶", "Undo (Ctrl+Z)", () => this.undo());
    this.redoing = tool("↷", "Redo (Ctrl+Y)", () => this.redo());
    this.removing = tool("Delete", "Delete the selected entity (Delete)", () => this.remove());
    this.palette = h("div", { class: "palette", role: "group", "aria-label": "Labels" });
    this.heading = h("h3");
    this.list = h("ul", { class: "shapes", "aria-label": "All entities" });
    this.status = h("div", { class: "seen-by-readers", role: "status", "aria-live": "polite" });
    const hint = "Choose a label, then select text. By keys: Shift + arrows select (Ctrl: by words), a number marks.";
    root.append(this.head, h("div", { class: "columns" },
      h("div", { class: "main" },
        h("div", { class: "tools", role: "toolbar", "aria-label": "Tools" }, this.undoing, this.redoing, this.removing),
        h("slot", { name: "text" }), h("div", { class: "foot" }, hint)),
      h("div", { class: "side" }, instructionsPanel(this), h("section", {}, h("h3", {}, "Labels"), this.palette),
        h("section", {}, this.heading, this.list))), this.status);
  }

  update() {
    this.head.textContent = this.header ?? "";
    this.body.setAttribute("aria-label", this.header || "Text");
    this.keys = keysFor(this.labels);
    if (!this.labels.includes(this.label)) this.label = this.labels[0] ?? "";
    const initial = JSON.stringify([this.text, this.given.get("initial-value") ?? this.getAttribute("initial-value")]);
    if (initial !== this.shownInitial) {
      this.shownInitial = initial;
      this.reset();
    }
    this.show();
  }

  /** @returns {string[]} */
  get labels() {
    return this.texts("labels");
  }

  set labels(value) {
    this.given.set("labels", value);
    if (this.built) this.update();
  }

  set initialValue(value) {
    this.given.set("initial-value", value);
    if (this.built) this.update();
  }

  /** A label's own name for people. @param {string} label @param {"shortDisplayName" | "fullDisplayName"} kind */
  display(label, kind) {
    const labels = this.structure("labels", []);
    return String((Array.isArray(labels) ? labels : []).find((item) => item?.label === label)?.[kind] ?? label);
  }

  colour(label) {
    return colourOf(Math.max(this.labels.indexOf(label), 0));
  }

  /** `shadowRoot.querySelector("crowd-form").form` is AWS's documented way to ask more below the text. */
  documented(selector) {
    return selector === "crowd-form" ? this.closest("crowd-form") : null;
  }

  // -- the answer ----------------------------------------------------------------------------------------------

  get value() {
    return this.answer();
  }

  answer() {
    this.settle();
    const spans = [...this.spans.items].sort((a, b) => a.points[0] - b.points[0] || a.points[1] - b.points[1]);
    return {
      entities: spans.map(({ label, points: [startOffset, endOffset] }) => ({ endOffset, label, startOffset })),
    };
  }

  problem() {
    if (!this.text) return `${this.localName} has no text`;
    return unknownProblem(KIND, this.spans.items.map(({ label }) => label).filter((label) => this.isUnknown(label)));
  }

  /** Whether a label is not among those to choose from. @param {string} label */
  isUnknown(label) {
    const { labels } = this;
    return labels.length > 0 && !labels.includes(label);
  }

  reset() {
    this.load(this.structure("initial-value", null) ?? [], "initial-value");
  }

  restore(answer) {
    if (Array.isArray(answer?.entities)) this.load(answer.entities, "the kept answer");
  }

  load(entities, what) {
    const spans = [];
    const unknown = [];
    const all = Array.isArray(entities) ? entities : [];
    for (const [index, entity] of all.entries()) {
      const { label, startOffset: start, endOffset: end } = entity ?? {};
      const inText = Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start < end && end <= this.string.length;
      if (inText && typeof label === "string") {
        spans.push({ label, points: [start, end] });
        if (this.isUnknown(label)) unknown.push({ label, number: index + 1 });
      } else this.complain(`${what} of ${this.localName}: ${JSON.stringify(entity)} is not a label with offsets in the text`);
    }
    this.spans.load(spans);
    for (const words of unknownWords(`${what} of ${this.localName}`, KIND, all.length, unknown)) this.complain(words);
  }

  get string() {
    return this.text ?? "";
  }

  // -- what pointer, keys and buttons do -------------------------------------------------------------------------

  /**
   * The pointer is up: mark what was selected with the label, or select the entity that was clicked. A browser that
   * dropped an old selection says so only after its pointerup, hence the timer; whatever the person does before a busy
   * browser comes to that timer settles first: Delete right after a click means what was clicked.
   */
  settle() {
    if (!this.settling) return;
    clearTimeout(this.settling);
    this.settling = 0;
    const [start, end] = this.selection() ?? [0, 0];
    if (start < end) this.mark(start, end);
    else this.spans.select(this.at(start)?.id ?? null);
  }

  /** The offsets of the text that is selected, in order; null when the selection is elsewhere. */
  selection() {
    const selection = document.getSelection();
    if (!selection.rangeCount) return null;
    const { startContainer, startOffset, endContainer, endOffset } = selection.getRangeAt(0);
    if (!this.body.contains(startContainer) || !this.body.contains(endContainer)) return null;
    return [this.offset(startContainer, startOffset), this.offset(endContainer, endOffset)];
  }

  offset(node, at) {
    const range = document.createRange();
    range.setStart(this.body, 0);
    range.setEnd(node, at);
    return range.toString().length;
  }

  /** The smallest entity at an offset. */
  at(offset) {
    return this.spans.items.filter(({ points: [start, end] }) => start <= offset && offset < end)
      .sort((a, b) => a.points[1] - a.points[0] - (b.points[1] - b.points[0]))[0];
  }

  /** Mark a span, without the spaces around it. */
  mark(start, end) {
    const marked = this.string.slice(start, end);
    const [from, to] = [start + marked.length - marked.trimStart().length, end - marked.length + marked.trimEnd().length];
    if (from >= to || !this.label) return;
    document.getSelection().collapse(this.body, 0);
    this.spans.add(this.label, [from, to]);
    this.edited(`${this.string.slice(from, to)} is ${this.label}`);
    this.place(to);
  }

  /** Put the caret at an offset, as marking has made the text anew. */
  place(offset) {
    let rest = offset;
    for (const node of this.body.querySelectorAll("span, mark")) {
      if (rest <= node.textContent.length) return document.getSelection().collapse(node.firstChild, rest);
      rest -= node.textContent.length;
    }
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    this.settle();
    const command = event.ctrlKey || event.metaKey;
    const key = keyName(event);
    const at = command || event.altKey ? -1 : this.keys.indexOf(key);
    if (command && key === "z") event.shiftKey ? this.redo() : this.undo();
    else if (command && key === "y") this.redo();
    else if (at >= 0) this.chooseLabel(this.labels[at]);
    else if (key === "Enter" && !command) this.markSelection();
    else if (key === "Delete" || key === "Backspace") this.remove();
    else if (key === "Escape") this.spans.select(null);
    else return;
    event.preventDefault();
  }

  markSelection() {
    const [start, end] = this.selection() ?? [0, 0];
    if (start < end) this.mark(start, end);
  }

  /** The label of the next entity, of the one that is selected, and of what is selected in the text. */
  chooseLabel(label) {
    this.settle();
    this.label = label;
    const span = this.spans.selected;
    const [start, end] = this.selection() ?? [0, 0];
    if (start < end) this.mark(start, end);
    else if (span && span.label !== label) {
      this.spans.edit(span.id, { label });
      this.edited(`${this.textOf(span)} is ${label}`);
    }
    this.show();
  }

  remove() {
    this.settle();
    const span = this.spans.selected ?? this.at(this.selection()?.[0] ?? -1);
    if (!span) return;
    this.spans.remove(span.id);
    this.edited(`${this.textOf(span)} deleted`);
  }

  undo() {
    this.settle();
    this.edited(this.spans.undo() ? "Undone" : "Nothing to undo");
  }

  redo() {
    this.settle();
    this.edited(this.spans.redo() ? "Done again" : "Nothing to redo");
  }

  edited(text) {
    this.status.textContent = this.status.textContent === text ? `${text}\u00a0` : text;
    this.dispatchEvent(new Event("change", { bubbles: true }));
  }

  focus() {
    this.body.focus({ preventScroll: true });
  }

  // -- what is shown ---------------------------------------------------------------------------------------------

  textOf({ points: [start, end] }) {
    return this.string.slice(start, end);
  }

  show() {
    if (!this.palette) return;
    const { items, selected, past, future } = this.spans;
    this.undoing.setAttribute("aria-disabled", String(!past.length));
    this.redoing.setAttribute("aria-disabled", String(!future.length));
    this.removing.setAttribute("aria-disabled", String(!selected));
    this.heading.textContent = `Entities (${items.length})`;
    const caret = this.selection()?.[0];
    this.body.replaceChildren(...this.pieces());
    if (caret !== undefined && document.activeElement === this.body) this.place(caret);
    keepingFocus(this.palette, () => this.palette.replaceChildren(...this.labels.map((label, index) => {
      const count = items.filter((span) => span.label === label).length;
      return classButton(this, {
        label, index, name: this.display(label, "fullDisplayName"), chosen: label === (selected?.label ?? this.label),
        count: count ? String(count) : "", counted: `${count} marked`,
      });
    })));
    keepingFocus(this.list, () => this.list.replaceChildren(...items.map((span) => this.row(span))));
  }

  /** The text, cut wherever an entity begins or ends. */
  pieces() {
    const { items, selectedId } = this.spans;
    const cuts = [...new Set([0, this.string.length, ...items.flatMap(({ points }) => points)])].sort((a, b) => a - b);
    return cuts.slice(0, -1).map((start, index) => {
      const text = this.string.slice(start, cuts[index + 1]);
      const span = this.at(start);
      if (!span) return h("span", {}, text);
      const colour = this.colour(span.label);
      const ends = span.points[1] === cuts[index + 1];
      return h("mark", {
        class: span.id === selectedId ? "selected" : null, title: this.display(span.label, "fullDisplayName"),
        style: `background: ${colour}; color: ${inkOn(colour)}`,
        "data-short": ends ? this.display(span.label, "shortDisplayName") : null,
      }, text);
    });
  }

  row(span) {
    const chosen = span.id === this.spans.selectedId;
    const text = this.textOf(span);
    return h("li", { class: chosen ? "selected" : null },
      h("button", {
        type: "button", class: "shape", "data-key": `span ${span.id}`, "aria-current": chosen ? "true" : null,
        onclick: () => {
          this.settle();
          this.spans.select(span.id);
        },
      },
      h("span", { class: "swatch", style: `background: ${this.colour(span.label)}` }),
      h("span", { class: "text" }, text),
      h("span", { class: "quiet" }, this.isUnknown(span.label) ? `${span.label} ⚠` : span.label)),
      h("button", {
        type: "button", class: "remove", "data-key": `remove ${span.id}`, "aria-label": `Delete ${text}`, title: "Delete",
        onclick: () => {
          this.settle();
          this.spans.remove(span.id);
          this.edited(`${text} deleted`);
        },
      }, "✕"));
  }
}
