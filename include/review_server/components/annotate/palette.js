/**
 * The classes of an annotator: each with its key, how many shapes it has, and whether these are shown. With more classes
 * than keys, those that are used most come first, and "/" finds one by its name. Rows are made once and then only told
 * what has changed; their order stays as long as the image does.
 */

import { h } from "../core/dom.js";
import { usedSoFar } from "./carried.js";

const FEW = 10;
const ROOM = 4; // CSS pixels around the class that is brought into sight

/**
 * @param {import("./annotator.js").Annotator} annotator
 * @param {HTMLElement} palette where the classes go
 */
export function paletteOf(annotator, palette) {
  /** @type {Map<string, any>} */
  let rows = new Map();
  let shown = "";
  /** @type {string | null} */
  let chosen = null;
  const input = h("input", {
    type: "search", class: "find", placeholder: "Find a class (/)", "aria-label": "Find a class", autocomplete: "off",
    oninput: () => filter(), onkeydown: (event) => typed(event), onblur: () => leave(),
  });
  palette.before(input);

  function build() {
    const { shownLabels: labels } = annotator;
    input.hidden = labels.length <= FEW;
    rows = new Map(ordered(annotator).map((label) => [label, row(annotator, label, annotator.keys[labels.indexOf(label)])]));
    palette.replaceChildren(...[...rows.values()].map(({ element }) => element));
    chosen = null;
  }

  /** Classes whose name holds what is typed; those that begin with it lead. */
  function filter() {
    const text = plain(input.value.trim());
    const found = [...rows].filter(([label]) => plain(label).includes(text)).map(([label]) => label);
    for (const [label, { element }] of rows) element.hidden = !found.includes(label);
    mark(text ? found.find((label) => plain(label).startsWith(text)) ?? found[0] : null, found);
  }

  function leave() {
    input.value = "";
    input.hidden = rows.size <= FEW;
    for (const { element } of rows.values()) {
      element.hidden = false;
      element.classList.remove("found");
    }
    follow(chosen);
  }

  /** Mark the class that Enter chooses. */
  function mark(label, found) {
    for (const [name, { element }] of rows) element.classList.toggle("found", name === label);
    if (label) {
      follow(label);
      annotator.say(`${label}, ${found.indexOf(label) + 1} of ${found.length}`);
    } else if (!found.length) {
      annotator.say("No class has this name");
    }
  }

  function typed(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const found = [...rows].filter(([, { element }]) => !element.hidden).map(([label]) => label);
    const at = found.findIndex((label) => rows.get(label).element.classList.contains("found"));
    if (step) {
      mark(found[Math.min(Math.max(at + step, 0), found.length - 1)], found);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      const label = found[Math.max(at, 0)];
      if (label !== undefined) event.shiftKey ? annotator.chooseNext(label) : annotator.chooseLabel(label);
      annotator.focusStage();
    } else if (event.key === "Escape") {
      annotator.focusStage();
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Bring a class into sight, in the palette alone: the page stays where it is. */
  function follow(label) {
    const { element } = rows.get(label) ?? {};
    if (!element) return;
    const top = element.offsetTop - palette.offsetTop - ROOM;
    const bottom = top + element.offsetHeight + 2 * ROOM;
    if (top < palette.scrollTop) palette.scrollTop = top;
    else if (bottom > palette.scrollTop + palette.clientHeight) palette.scrollTop = bottom - palette.clientHeight;
  }

  return {
    /** Put the rows in order anew: another image, or other classes. */
    reorder() {
      shown = "";
    },
    show() {
      const { shapes, hiding, nextLabel } = annotator;
      const now = JSON.stringify([annotator.keys, ...annotator.tints]);
      if (now !== shown) {
        shown = now;
        build();
      }
      const counts = new Map();
      for (const { label } of shapes.items) counts.set(label, (counts.get(label) ?? 0) + 1);
      const active = shapes.selected ? shapes.selected.label : annotator.label;
      for (const [label, { tell }] of rows) {
        tell({ active: label === active, count: counts.get(label) ?? 0, hidden: hiding.labels.has(label), next: label === nextLabel });
      }
      // What stands first is seen first.
      if (active !== chosen && chosen !== null) follow(active);
      chosen = active;
    },
    /** Let a person type a class's name. */
    search() {
      input.hidden = false;
      input.focus();
      return true;
    },
  };
}

/** Classes by how much they are used, in this image first; few stay as the template has them. */
function ordered({ shownLabels, shapes }) {
  if (shownLabels.length <= FEW) return shownLabels;
  const here = new Map();
  for (const { label } of shapes.items) here.set(label, (here.get(label) ?? 0) + 1);
  const ever = usedSoFar();
  return [...shownLabels].sort((a, b) => (here.get(b) ?? 0) - (here.get(a) ?? 0) || (ever[b] ?? 0) - (ever[a] ?? 0));
}

/** One class. `tell` changes only what is another than before. */
function row(annotator, label, key) {
  const count = h("span", { class: "count" });
  const next = h("span", { class: "next", hidden: true }, "next");
  const button = h("button", {
    type: "button", class: "class", "data-key": `class ${label}`, title: label,
    onclick: (event) => (event.shiftKey ? annotator.chooseNext(label) : annotator.chooseLabel(label)),
  },
  h("span", { class: "swatch", style: `background: ${annotator.colour(label)}` }), h("span", { class: "text" }, label),
  next, count, key ? h("kbd", { "aria-hidden": "true" }, key) : null);
  // A box to tick, not a button: it says by itself whether the class is shown.
  const eye = h("input", {
    type: "checkbox", class: "eye", title: `Show ${annotator.kind.plural} of this class (Shift+H)`, "aria-label": `Show ${label}`,
    onchange: () => annotator.hiding.toggleLabel(label),
  });
  let before = "";
  return {
    element: h("div", { class: "class-row" }, button, eye),
    tell(now) {
      const text = JSON.stringify(now);
      if (text === before) return;
      before = text;
      button.setAttribute("aria-pressed", String(now.active));
      count.textContent = now.count ? String(now.count) : "";
      count.setAttribute("aria-label", `${now.count} drawn`);
      next.hidden = !now.next;
      eye.checked = !now.hidden;
    },
  };
}

/** As people type it: no capitals, no accents. @param {string} text */
function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
