/**
 * The list of what was drawn: a row each, kept by the shape's id. A row is only touched when what it says has changed,
 * so that dragging one of a thousand shapes changes one row, and the keyboard keeps its place in the list.
 */

import { h } from "../core/dom.js";

/** @param {import("./annotator.js").Annotator} annotator */
export function shapeList(annotator) {
  const element = h("ul", { class: "shapes", "aria-label": `All ${annotator.kind.plural}` });
  /** @type {Map<number, any>} */
  const rows = new Map();
  /** @type {any[]} */
  let shown = [];
  /** @type {number | null} */
  let revealed = null;
  element.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const ids = annotator.shapes.items.map((shape) => shape.id);
    const at = ids.findIndex((id) => rows.get(id).line.contains(annotator.shadowRoot.activeElement));
    if (event.key === "Escape") annotator.focusStage();
    else if (!step || !rows.has(ids[at + step]) || event.ctrlKey || event.altKey || event.shiftKey) return;
    else {
      annotator.selection.select(ids[at + step]);
      rows.get(ids[at + step]).pick.focus();
    }
    event.preventDefault();
  });

  return {
    element,
    /** Put the focus on the row of what is selected, or on the first. @returns {boolean} whether there is one */
    focus() {
      const row = rows.get(annotator.shapes.selectedId ?? annotator.shapes.items[0]?.id);
      row?.pick.focus();
      return Boolean(row);
    },
    show() {
      const { items, selectedId } = annotator.shapes;
      const now = [items, selectedId, annotator.tints, annotator.hides, [...annotator.hiding.labels].join()];
      if (now.every((value, index) => value === shown[index])) return;
      shown = now;
      const ids = new Set(items.map((shape) => shape.id));
      for (const [id, row] of rows) {
        if (ids.has(id)) continue;
        row.line.remove();
        rows.delete(id);
      }
      let next = element.firstChild;
      items.forEach((shape, index) => {
        let row = rows.get(shape.id);
        if (row) next = row.line.nextSibling;
        else {
          row = rowOf(annotator, shape.id);
          rows.set(shape.id, row);
          element.insertBefore(row.line, next);
        }
        fill(annotator, row, shape, index);
      });
      if (selectedId !== revealed) reveal(element, rows.get(selectedId)?.line);
      revealed = selectedId;
    },
  };
}

/** Scroll the list, and nothing around it, until a row is in sight. */
function reveal(list, line) {
  if (!line || list.scrollHeight <= list.clientHeight) return;
  const above = line.offsetTop - list.scrollTop;
  if (above < 0) list.scrollTop += above;
  else if (above + line.offsetHeight > list.clientHeight) list.scrollTop += above + line.offsetHeight - list.clientHeight;
}

function rowOf(annotator, id) {
  const swatch = h("span", { class: "swatch" });
  const text = h("span", { class: "text" });
  const size = h("span", { class: "quiet" });
  const pick = h("button", {
    type: "button", class: "shape", "data-key": `shape ${id}`, onclick: () => annotator.selection.select(id),
  }, swatch, text, size);
  const remove = h("button", {
    type: "button", class: "remove", "data-key": `remove ${id}`, title: "Delete", onclick: () => annotator.deleteShape(id),
  }, "✕");
  return { line: h("li", {}, pick, remove), pick, remove, swatch, text, size };
}

function fill(annotator, row, shape, index) {
  const { items, selectedId } = annotator.shapes;
  const selected = shape.id === selectedId;
  const hidden = annotator.hiding.isHidden(shape);
  const { tints } = annotator;
  if (row.shape !== shape || row.tints !== tints) {
    const known = !annotator.isUnknown(shape.label);
    row.swatch.style.background = annotator.colour(shape.label);
    row.text.textContent = known ? shape.label : `${shape.label || "no class"} ⚠`;
    row.size.textContent = annotator.kind.brief(shape.points);
  }
  if (row.shape !== shape || row.index !== index || row.count !== items.length) {
    const title = annotator.titleOf(shape, index);
    row.pick.setAttribute("aria-label", title);
    row.remove.setAttribute("aria-label", `Delete ${title}`);
  }
  if (row.selected !== selected) {
    row.line.classList.toggle("selected", selected);
    if (selected) row.pick.setAttribute("aria-current", "true");
    else row.pick.removeAttribute("aria-current");
  }
  if (row.hidden !== hidden) {
    row.line.classList.toggle("hidden", hidden);
    for (const button of [row.pick, row.remove]) button.setAttribute("aria-disabled", String(hidden));
  }
  Object.assign(row, { shape, tints, index, count: items.length, selected, hidden });
}
