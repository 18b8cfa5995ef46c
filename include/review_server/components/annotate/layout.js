/** What stands around the stage of an annotation element: its tools, its classes, and the list of what was drawn. */

import { h } from "../core/dom.js";
import { classButton, frame, gap, keepingFocus, tool } from "./frame.js";
import { shapeList } from "./list.js";

/**
 * Build it, once.
 * @param {import("./annotator.js").Annotator} annotator
 * @param {ShadowRoot} root
 * @param {string[][]} keys the help's rows: keys, what they do
 */
export function layOut(annotator, root, keys) {
  const { kind } = annotator;
  const undo = tool("↶", "Undo (Ctrl+Z)", () => annotator.undo());
  const redo = tool("↷", "Redo (Ctrl+Y)", () => annotator.redo());
  const remove = tool("Delete", `Delete the selected ${kind.noun} (Delete)`, () => annotator.deleteSelected());
  const hide = tool("Hide", `Hide or show all ${kind.plural} (H)`, () => annotator.toggleHidden());
  const finish = tool("Finish", `Finish the ${kind.noun} (Enter)`, () => annotator.finishDraft(annotator.draft.points));
  const title = h("h3", {});
  const list = shapeList(annotator);
  const around = frame(annotator, root, {
    keys, tools: [undo, redo, gap(), remove, finish], last: [hide],
    side: [h("section", { class: "drawn" }, title, list.element)],
  });
  /** @type {any[] | null} */
  let shown = null;

  return {
    ...around,
    show() {
      const { shapes } = annotator;
      undo.setAttribute("aria-disabled", String(!shapes.past.length));
      redo.setAttribute("aria-disabled", String(!shapes.future.length));
      remove.setAttribute("aria-disabled", String(!shapes.selected));
      hide.setAttribute("aria-pressed", String(annotator.hides));
      finish.hidden = kind.drawing !== "path" || Boolean(kind.most);
      finish.setAttribute("aria-disabled", String(!annotator.draft?.points.length));
      around.hint(hintFor(annotator));
      title.textContent = `${capital(kind.plural)} (${shapes.items.length})`;
      annotator.stage.setAttribute("aria-label",
        `${annotator.header || "Image"}. ${annotator.counted()}. Tab: next ${kind.noun}. Question mark: all keys.`);
      list.show();
      // A step of a drag comes here too: the classes only change with what they show.
      const now = [annotator.tints, shapes.selected?.label ?? annotator.label, [...countsOf(annotator)].join()];
      if (shown?.every((value, index) => value === now[index])) return;
      shown = now;
      const { palette } = around;
      keepingFocus(palette, () => palette.replaceChildren(...classButtons(annotator)));
    },
  };
}

/** @returns {Map<string, number>} how many of each class were drawn */
function countsOf(annotator) {
  const counts = new Map();
  for (const { label } of annotator.shapes.items) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}

function classButtons(annotator) {
  const selected = annotator.shapes.selected;
  const active = selected ? selected.label : annotator.label;
  const counts = countsOf(annotator);
  return annotator.shownLabels.map((label, index) => {
    const count = counts.get(label) ?? 0;
    return classButton(annotator, {
      label, index, chosen: label === active, count: count ? String(count) : "", counted: `${count} drawn`,
    });
  });
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
