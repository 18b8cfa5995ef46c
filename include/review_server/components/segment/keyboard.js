/** The keyboard paints too: a cross that the arrows move is where the tool acts. */

import { settled } from "../annotate/kinds.js";
import { ARROWS, FAST, stageActs } from "../annotate/keyboard.js";

const SIZE_STEP = 1.25;

/** The keys, as the help shows them. */
export function keyHelp() {
  return [
    ["1 … 9, 0", "choose the class"], ["B, E, P", "brush, eraser, polygon"],
    [", .", "smaller, larger brush"],
    ["N", "a cross to move with the arrows (Alt: by 10 pixels)"],
    ["Enter", "paint where the cross is, or set a corner there; on the last corner again: fill the polygon"],
    ["Shift + arrows", "paint on the way"], ["Backspace", "take the last corner back"],
    ["Ctrl + Z, Ctrl + Y", "undo, redo"], ["+, −, wheel", "zoom"], ["F", "show the whole image"],
    ["Space + drag, middle button, arrows", "move the image"], ["H", "hide or show the mask"],
    ["Escape", "drop the polygon and the cross"], ["Ctrl + Enter", "submit"],
  ];
}

/** Act on a key. @returns {boolean} whether it meant anything */
export function press(element, event) {
  const command = event.ctrlKey || event.metaKey;
  const onStage = element.shadowRoot.activeElement === element.stage;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (command && key === "z") return event.shiftKey ? element.redo() : element.undo();
  if (command && key === "y") return element.redo();
  if (command) return false;
  if (ARROWS[key]) return arrow(element, ARROWS[key], event, onStage);
  if (event.altKey) return false;
  if (key === "Enter") return onStage && element.placeCursor();
  const at = element.keys.indexOf(key);
  if (at >= 0) return element.chooseLabel(element.labels[at]);
  const acts = {
    b: () => element.chooseTool("brush"),
    e: () => element.chooseTool("eraser"),
    p: () => element.chooseTool("polygon"),
    n: () => element.drawByKeys(),
    ",": () => element.chooseBrush(Math.min(element.brush - 1, element.brush / SIZE_STEP)),
    ".": () => element.chooseBrush(Math.max(element.brush + 1, element.brush * SIZE_STEP)),
    Backspace: () => element.corners.length > 0 && element.dropPoint(),
    Escape: () => element.escape(),
    ...stageActs(element),
  };
  return acts[key]?.() ?? false;
}

function arrow(element, [right, down], event, onStage) {
  const { cursor, size, view } = element;
  if (!size || (!cursor && !onStage)) return false;
  if (!cursor) {
    view.pan(-right * 40, -down * 40);
    element.redraw();
    return true;
  }
  const step = event.altKey ? FAST : 1;
  const to = settled({ x: cursor.x + right * step, y: cursor.y + down * step }, size, 0);
  if (event.shiftKey && element.tool !== "polygon") {
    element.stroke(cursor, to);
    element.settle();
  }
  return element.moveCursor(to);
}
