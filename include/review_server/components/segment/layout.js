/** What stands around the stage of a segmentation: tools with the brush's size, and classes with their share. */

import { h } from "../core/dom.js";
import { classButton, frame, gap, keepingFocus, tool } from "../annotate/frame.js";

export const LARGEST_BRUSH = 200; // pixels of the image

const TOOLS = { brush: "Brush", eraser: "Eraser", polygon: "Polygon" };

/**
 * Build it, once.
 * @param {import("./segmentation.js").Segmentation} element
 * @param {ShadowRoot} root
 * @param {string[][]} fixed keys that cannot be changed, and what they do
 */
export function layOut(element, root, fixed) {
  const undo = tool("↶", "Undo (Ctrl+Z)", () => element.undo());
  const redo = tool("↷", "Redo (Ctrl+Y)", () => element.redo());
  const tools = Object.entries(TOOLS).map(([name, text]) =>
    [name, tool(text, `${text} (${text[0]})`, () => element.chooseTool(name))]);
  const size = h("input", {
    type: "range", min: 1, max: LARGEST_BRUSH, title: "Size of the brush (, and .)", "aria-label": "Size of the brush",
    oninput: () => element.chooseBrush(size.valueAsNumber), onchange: () => element.focusStage(),
  });
  const pixels = h("output", { class: "zoom" });
  const finish = tool("Fill", "Fill the polygon (Enter)", () => element.polygon.finish());
  const hide = tool("Hide", "Hide or show the mask (H)", () => element.toggleHidden());
  const around = frame(element, root, {
    fixed, tools: [undo, redo, gap(), ...tools.map(([, button]) => button), size, pixels, finish], last: [hide],
    side: element.sides(),
  });

  return {
    ...around,
    show() {
      const { mask, polygon: { corners } } = element;
      undo.setAttribute("aria-disabled", String(!mask?.past.length && !corners.length));
      redo.setAttribute("aria-disabled", String(!mask?.future.length));
      for (const [name, button] of tools) button.setAttribute("aria-pressed", String(element.tool === name));
      size.hidden = pixels.hidden = element.tool === "polygon";
      size.value = String(element.brush);
      pixels.textContent = `${element.brush} px`;
      finish.hidden = element.tool !== "polygon";
      finish.setAttribute("aria-disabled", String(corners.length < 3));
      hide.setAttribute("aria-pressed", String(element.hides));
      around.hint(hintFor(element));
      element.stage.setAttribute("aria-label",
        `${element.header || "Image"}. ${TOOLS[element.tool]}. N: paint by keys. Question mark: all keys.`);
      const { palette } = around;
      keepingFocus(palette, () => palette.replaceChildren(...classButtons(element)));
      element.showSides();
    },
  };
}

function classButtons(element) {
  return element.choices().map(({ label, count, counted }, index) => {
    const chosen = label === element.label && element.tool !== "eraser";
    const unknown = element.isUnknown(label);
    const button = classButton(element, { label, name: unknown ? `${label} ⚠` : label, index, chosen, count, counted });
    // Without a key of its own: it is there to be given another class, or to be deleted.
    return unknown ? h("div", { class: "class-row" }, button, h("button", {
      type: "button", class: "remove", "data-key": `remove ${label}`, "aria-label": `Delete ${label}`, title: "Delete",
      onclick: () => element.delete(element.areas().find((value) => element.labelOf(value) === label)),
    }, "✕")) : button;
  });
}

function hintFor(element) {
  if (!element.labels.length) return "There are no classes to choose from.";
  if (element.isUnknown(element.label)) return `"${element.label}" is not one of the classes: choose one for it.`;
  if (element.tool === "eraser") return "Drag over what nobody's class shall be.";
  if (element.tool === "brush") return `Drag over the image to paint ${element.label}.`;
  return element.polygon.corners.length ? "Click each corner; click the first one to fill." : "Click to begin a polygon.";
}
