/** The keyboard paints too: a cross that the arrows move is where the tool acts. */

import { keyName } from "../core/key-name.js";
import { ARROWS, named, stageActs, stepOf } from "../annotate/keyboard.js";
import { settled } from "../annotate/kinds.js";

const SIZE_STEP = 1.25;

/** What keys do that cannot be given others: keys, and what they do. @returns {string[][]} */
export function fixedKeys() {
  return [
    ["1 … 9, 0", "choose the class"],
    ["Enter", "paint where the cross is, or set a corner there; on the last corner again: fill the polygon"],
    ["Arrows", "move the cross by 1 pixel (Alt: by 10), faster while held; without one, move the image"],
    ["Shift + arrows", "paint on the way"], ["Backspace", "take the last corner back"],
    ["Wheel", "zoom"], ["Space + drag, middle button", "move the image"],
    ["Escape", "drop the polygon and the cross"], ["Ctrl + Enter", "submit"],
  ];
}

/** @param {any} element @returns {import("../core/keymap.js").Act[]} */
export function actsOf(element) {
  return [...named([
    ["brush", "b", "brush", () => element.chooseTool("brush")],
    ["eraser", "e", "eraser", () => element.chooseTool("eraser")],
    ["polygon", "p", "polygon", () => element.chooseTool("polygon")],
    ["smallerBrush", ",", "smaller brush", () => element.chooseBrush(Math.min(element.brush - 1, element.brush / SIZE_STEP))],
    ["largerBrush", ".", "larger brush", () => element.chooseBrush(Math.max(element.brush + 1, element.brush * SIZE_STEP))],
    ...(element.next ? [["next", "a", "a new one of this class", () => element.next()]] : []),
    ["cross", "n", "a cross to move with the arrows", () => element.drawByKeys()],
  ]), ...stageActs(element, "the mask")];
}

/** Act on a key. @returns {boolean} whether it meant anything */
export function press(element, event) {
  const command = event.ctrlKey || event.metaKey;
  const onStage = element.shadowRoot.activeElement === element.stage;
  const key = keyName(event);
  if (ARROWS[key]) return !command && arrow(element, ARROWS[key], event, onStage);
  if (!command && !event.altKey) {
    if (key === "Enter") return onStage && element.placeCursor();
    if (key === "Escape") return element.escape();
    if (key === "Backspace") return element.polygon.corners.length > 0 && element.polygon.takeBack();
    const at = element.keys.indexOf(key);
    if (at >= 0) return element.chooseLabel(element.labels[at]);
  }
  return element.keymap.press(event);
}

function arrow(element, [right, down], event, onStage) {
  const { cursor, size, view } = element;
  if (!size || (!cursor && !onStage)) return false;
  if (!cursor) {
    view.pan(-right * 40, -down * 40);
    element.redraw();
    return true;
  }
  const step = stepOf(element, event);
  const to = settled({ x: cursor.x + right * step, y: cursor.y + down * step }, size, 0);
  if (event.shiftKey && element.tool !== "polygon") {
    element.stroke(cursor, to);
    element.settle();
  }
  return element.moveCursor(to);
}
