/** What stands around the stage of an annotation element: its tools, its classes, and the list of what was drawn. */

import { h } from "../core/dom.js";
import { frame, gap, tool } from "./frame.js";
import { shapeList } from "./list.js";
import { paletteOf } from "./palette.js";

/**
 * Build it, once.
 * @param {import("./annotator.js").Annotator} annotator
 * @param {ShadowRoot} root
 * @param {string[][]} fixed keys that cannot be changed, and what they do
 */
export function layOut(annotator, root, fixed) {
  const { kind } = annotator;
  const undo = tool("↶", "Undo (Ctrl+Z)", () => annotator.undo());
  const redo = tool("↷", "Redo (Ctrl+Y)", () => annotator.redo());
  const remove = tool("Delete", `Delete the selected ${kind.noun} (Delete)`, () => annotator.deleteSelected());
  const hide = tool("Hide", `Hide or show all ${kind.plural} (H)`, () => annotator.toggleHidden());
  const finish = tool("Finish", `Finish the ${kind.noun} (Enter)`, () => annotator.drawing.finish());
  const title = h("h3", {});
  const list = shapeList(annotator);
  const around = frame(annotator, root, {
    fixed, tools: [undo, redo, gap(), remove, finish], last: [hide],
    side: [h("section", { class: "drawn" }, title, list.element)],
  });
  const classes = paletteOf(annotator, around.palette);

  return {
    ...around,
    reorder: () => classes.reorder(),
    search: () => classes.search(),
    /** Put the focus on the list: on the selected one, or the first. */
    toList: () => list.focus(),
    show() {
      const { shapes } = annotator;
      undo.setAttribute("aria-disabled", String(!shapes.past.length));
      redo.setAttribute("aria-disabled", String(!shapes.future.length));
      remove.setAttribute("aria-disabled", String(!shapes.selected));
      hide.setAttribute("aria-pressed", String(annotator.hides));
      finish.hidden = kind.drawing !== "path" || Boolean(kind.most);
      finish.setAttribute("aria-disabled", String(!annotator.drawing.begun));
      around.hint(hintFor(annotator));
      title.textContent = `${capital(kind.plural)} (${shapes.items.length})`;
      annotator.stage.setAttribute("aria-label",
        `${annotator.header || "Image"}. ${annotator.counted()}. Tab: next ${kind.noun}. Question mark: all keys.`);
      list.show();
      classes.show();
    },
  };
}

function hintFor(annotator) {
  const { kind, shapes } = annotator;
  if (!annotator.labels.length) return "There are no classes to choose from.";
  if (shapes.selected && !annotator.labels.includes(shapes.selected.label)) {
    return `"${shapes.selected.label}" is not one of the classes: choose one.`;
  }
  if (kind.drawing === "path" && annotator.drawing.begun) {
    if (kind.most) return "Click where the line ends.";
    return kind.closed ? "Click each corner; click the first one to close." : "Click each point; click the last one again to finish.";
  }
  if (annotator.letters.mode) return `${annotator.letters.mode.said}. Escape leaves.`;
  if (annotator.nextLabel !== null) return `The next ${kind.noun} will be ${annotator.nextLabel}, and only that one.`;
  if (shapes.selected) return "Drag it, drag a handle, or use the arrow keys. A number changes its class.";
  if (kind.drawing === "drag") return "Drag over the image to draw, a label to move its box; click to select. Point at a box and press a number or Delete.";
  if (kind.drawing === "point") return "Click to set a point. Drag a point to move it.";
  return kind.most ? "Drag over the image to draw, or click both ends." : `Click to begin a ${kind.noun}.`;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
