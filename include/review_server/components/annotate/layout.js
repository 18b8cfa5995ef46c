/**
 * What stands around the stage: header, tools, instructions, classes, the list of shapes, the spoken status and the
 * help. It reads the annotator and calls its acts; it keeps no state of its own.
 */

import { h } from "../core/dom.js";
import { instructionsPanel } from "../layout/instructions.js";

/**
 * Build it, once.
 * @param {import("./annotator.js").Annotator} annotator
 * @param {ShadowRoot} root
 * @param {string[][]} keys the help's rows: keys, what they do
 */
export function layOut(annotator, root, keys) {
  const { kind } = annotator;
  const tool = (text, title, act) =>
    h("button", { type: "button", class: "tool", title, "aria-label": title, onclick: act }, text);
  const header = h("h2", { class: "head" });
  const undo = tool("↶", "Undo (Ctrl+Z)", () => annotator.undo());
  const redo = tool("↷", "Redo (Ctrl+Y)", () => annotator.redo());
  const remove = tool("Delete", `Delete the selected ${kind.noun} (Delete)`, () => annotator.deleteSelected());
  const hide = tool("Hide", `Hide or show all ${kind.plural} (H)`, () => annotator.toggleHidden());
  const finish = tool("Finish", `Finish the ${kind.noun} (Enter)`, () => annotator.finishDraft(annotator.draft.points));
  const zoomed = h("output", { class: "zoom", "aria-label": "Zoom" });
  const zoom = (factor) => () => {
    if (factor) annotator.view.zoom(factor);
    else annotator.view.fit();
    annotator.redraw();
  };
  const help = h("dialog", { "aria-label": "Keys" },
    h("h2", { style: "margin-top: 0" }, "Keys"),
    h("table", { class: "keys" }, h("tbody", {}, ...keys.map(([key, act]) =>
      h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, key)), h("td", {}, act))))),
    h("button", { type: "button", class: "button", onclick: () => help.close() }, "Close"));
  const tools = h("div", { class: "tools", role: "toolbar", "aria-label": "Tools" },
    undo, redo, h("span", { class: "gap" }), remove, finish, h("span", { class: "gap" }),
    tool("−", "Zoom out (−)", zoom(0.8)), zoomed, tool("+", "Zoom in (+)", zoom(1.25)),
    tool("Fit", "Show the whole image (F)", zoom(0)), h("span", { class: "gap" }), hide, h("span", { class: "fill" }),
    tool("Keys ?", "Show all keys (?)", () => help.showModal()));
  const palette = h("div", { class: "palette", role: "group", "aria-label": "Classes" });
  const title = h("h3", {});
  const list = h("ul", { class: "shapes", "aria-label": `All ${kind.plural}` });
  const status = h("div", { class: "seen-by-readers", role: "status", "aria-live": "polite" });
  const waiting = h("div", { class: "waiting", role: "status" });
  const hint = h("span");
  const position = h("span", { class: "position" });
  /** @type {any[] | null} */
  let shown = null;
  annotator.stage.append(waiting);
  root.append(
    header,
    h("div", { class: "columns" },
      h("div", { class: "main" }, tools, annotator.stage, h("div", { class: "foot" }, hint, position)),
      h("div", { class: "side" }, instructionsPanel(annotator),
        h("section", {}, h("h3", {}, "Classes"), palette), h("section", { class: "drawn" }, title, list))),
    status, help);

  return {
    header: (text) => (header.textContent = text),
    waiting: (text) => (waiting.textContent = text),
    zoom: (scale) => (zoomed.textContent = `${Math.round(scale * 100)} %`),
    position: (at) => (position.textContent = at ? `${Math.floor(at.x)}, ${Math.floor(at.y)}` : ""),
    help: () => help.showModal(),
    say(text) {
      // The same words twice are only spoken again when the text changes.
      status.textContent = status.textContent === text ? `${text}\u00a0` : text;
    },
    show() {
      const { shapes } = annotator;
      undo.setAttribute("aria-disabled", String(!shapes.past.length));
      redo.setAttribute("aria-disabled", String(!shapes.future.length));
      remove.setAttribute("aria-disabled", String(!shapes.selected));
      hide.setAttribute("aria-pressed", String(annotator.hides));
      finish.hidden = kind.drawing !== "path" || Boolean(kind.most);
      finish.setAttribute("aria-disabled", String(!annotator.draft?.points.length));
      hint.textContent = hintFor(annotator);
      title.textContent = `${capital(kind.plural)} (${shapes.items.length})`;
      annotator.stage.setAttribute("aria-label",
        `${annotator.header || "Image"}. ${annotator.counted()}. Tab: next ${kind.noun}. Question mark: all keys.`);
      // Drawing calls this at every move of the pointer; the lists only change with what they show.
      const now = [shapes.items, shapes.selectedId, annotator.label, annotator.shownLabels];
      if (shown?.every((value, index) => value === now[index])) return;
      shown = now;
      keepingFocus(palette, () => palette.replaceChildren(...classButtons(annotator)));
      keepingFocus(list, () => list.replaceChildren(...shapes.items.map((shape) => shapeRow(annotator, shape))));
    },
  };
}

function classButtons(annotator) {
  const selected = annotator.shapes.selected;
  const active = selected ? selected.label : annotator.label;
  return annotator.shownLabels.map((label, index) => {
    const count = annotator.shapes.items.filter((shape) => shape.label === label).length;
    return h("button", {
      type: "button", class: "class", "data-key": `class ${label}`, "aria-pressed": String(label === active),
      onclick: () => annotator.chooseLabel(label),
    },
    h("span", { class: "swatch", style: `background: ${annotator.colour(label)}` }),
    h("span", { class: "text" }, label),
    count ? h("span", { class: "count", "aria-label": `${count} drawn` }, String(count)) : null,
    annotator.keys[index] ? h("kbd", { "aria-hidden": "true" }, annotator.keys[index]) : null);
  });
}

function shapeRow(annotator, shape) {
  const selected = shape.id === annotator.shapes.selectedId;
  const known = annotator.shownLabels.includes(shape.label);
  const title = annotator.titleOf(shape);
  return h("li", { class: selected ? "selected" : null },
    h("button", {
      type: "button", class: "shape", "data-key": `shape ${shape.id}`, "aria-label": title,
      "aria-current": selected ? "true" : null, onclick: () => annotator.selectShape(shape.id),
    },
    h("span", { class: "swatch", style: `background: ${annotator.colour(shape.label)}` }),
    h("span", { class: "text" }, known ? shape.label : `${shape.label || "no class"} ⚠`),
    h("span", { class: "quiet" }, annotator.kind.brief(shape.points))),
    h("button", {
      type: "button", class: "remove", "data-key": `remove ${shape.id}`, "aria-label": `Delete ${title}`,
      title: "Delete", onclick: () => annotator.deleteShape(shape.id),
    }, "✕"));
}

/** Rebuild a list without taking the keyboard's place in it away. */
function keepingFocus(list, rebuild) {
  const focused = list.getRootNode().activeElement;
  const key = focused && list.contains(focused) ? focused.dataset.key : null;
  rebuild();
  if (key) [...list.querySelectorAll("[data-key]")].find((button) => button.dataset.key === key)?.focus();
}

function hintFor(annotator) {
  const { kind, draft, shapes } = annotator;
  if (!annotator.labels.length) return "There are no classes to choose from.";
  if (shapes.selected && !annotator.labels.includes(shapes.selected.label)) {
    return `"${shapes.selected.label}" is not one of the classes: choose one.`;
  }
  if (kind.drawing === "path" && draft?.points.length) {
    if (kind.most) return "Click where the line ends.";
    return kind.closed ? "Click each corner; click the first one to close." : "Click each point; click the last one again to finish.";
  }
  if (shapes.selected) return "Drag it, drag a handle, or use the arrow keys. A number changes its class.";
  if (kind.drawing === "drag") return "Drag over the image to draw. Click to select.";
  if (kind.drawing === "point") return "Click to set a point. Drag a point to move it.";
  return kind.most ? "Drag over the image to draw, or click both ends." : `Click to begin a ${kind.noun}.`;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
