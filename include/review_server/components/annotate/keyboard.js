/**
 * The keyboard does everything the mouse does. Keys work wherever the focus is in the annotator or nowhere in
 * particular, but never while somebody types text. `actsOf` is the table that the keyboard and its help are made of.
 */

import { isTyping } from "../core/dom.js";
import { keyName } from "../core/key-name.js";
import { moved, settled } from "./kinds.js";

export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const FAST = 10;
// A key that is held goes faster: its step doubles after every four repeats.
const DOUBLES_AFTER = 4;
const MOST_GROWTH = 8;
const ZOOM = 1.25;

/** What keys do that cannot be given others: keys, and what they do. @param {any} kind @returns {string[][]} */
export function fixedKeys(kind) {
  const bends = kind.drawing === "drag"
    ? [["Shift + arrows", "resize by its right and lower side"], ["Ctrl + Shift + arrows", "resize by its left and upper side"]]
    : [];
  return [
    ["1 … 9, 0", kind.drawing === "drag" ? "class of the box under the mouse or the selected one, and of the next"
      : `choose the class of the next ${kind.noun}, and of the selected one`],
    ["Shift + 1 … 0, Shift + click on a class", `the class of the next ${kind.noun} only; the selected one stays as it is`],
    ["Tab, Shift + Tab", `next, previous ${kind.noun}, as one reads`],
    ["Ctrl + arrows", `the nearest ${kind.noun} in that direction`],
    ["Arrows", "move the selection by 1 pixel (Alt: by 10), faster while held; without one, move the image"], ...bends,
    ...(kind.drawing === "drag" ? [["Backspace", "delete the selection, whatever other key does"]]
      : [["Enter, Backspace", "set a point, or finish; take the last point back"]]),
    ["Ctrl or Alt + drag", `draw a new ${kind.noun} wherever the press is`],
    ["Click again", `the next ${kind.noun} below`], ["Wheel, pinch", "zoom"],
    ["Space + drag, middle button, swipe sideways", "move the image"],
    ["Escape", "stop drawing; select nothing"], ["Ctrl + Enter", "submit"],
  ];
}

/** @param {any} annotator @returns {import("../core/keymap.js").Act[]} */
export function actsOf(annotator) {
  const { kind } = annotator;
  const box = kind.drawing === "drag";
  const on = { noun: kind.noun, plural: kind.plural };
  const acts = [
    ["new", "n", box ? `new ${on.noun} in the middle, to move and resize by keys`
      : `draw by keys: arrows move the cross, Enter sets a point${kind.most ? "" : ", Enter again on it finishes"}`,
    () => annotator.drawing.byKeys()],
    box && ["newByGrid", "b", `new ${on.noun} by letters: column and row of its upper left, then of its lower right corner`,
      () => annotator.letters.place("new")],
    box && ["redraw", "r", `draw the selected ${on.noun} again by letters, in the same way`, () => annotator.letters.place("redraw")],
    ["move", "m", `move the selected ${on.noun} by letters: column and row of its upper left`, () => annotator.letters.place("move")],
    ["go", "g", `select a ${on.noun} by the letter that it then shows`, () => annotator.letters.select()],
    ["zoomTo", "z", `zoom to the selected ${on.noun}; again: the whole image`, () => annotator.selection.zoom()],
    kind.drawing === "path" && ["vertex", "v", "choose a single point of it; arrows then move that point", () => annotator.selection.nextVertex()],
    ["delete", "Delete", box ? "delete the selection, or the box under the mouse" : "delete the selection", () => annotator.deleteByKey()],
    ["hideClass", "Shift+h", "hide or show this class", () => annotator.hiding.toggleLabel()],
    ["labels", "l", "labels on or off", () => annotator.toggleLabels()],
    ["search", "/", "find a class by its name: type, Enter chooses, Escape leaves", () => annotator.panel.search()],
    ["list", "o", `go to the list of ${on.plural}; arrows go through it, Escape comes back`, () => annotator.panel.toList()],
  ];
  return [...named(acts.filter(Boolean)), ...stageActs(annotator, on.plural)];
}

/** What keys do on every stage. @param {any} element @param {string} drawn what `H` hides @returns {import("../core/keymap.js").Act[]} */
export function stageActs(element, drawn) {
  const { view } = element;
  const zoom = (factor) => () => (view.zoom(factor), element.redraw(), true);
  return named([
    ["undo", "Ctrl+z", "undo", () => element.undo()],
    ["redo", ["Ctrl+y", "Ctrl+Shift+z"], "redo", () => element.redo()],
    ["previousClass", "[", "previous class", () => element.stepLabel(-1)],
    ["nextClass", "]", "next class", () => element.stepLabel(1)],
    ["zoomIn", "+", "larger", zoom(ZOOM)],
    ["zoomOut", "-", "smaller", zoom(1 / ZOOM)],
    ["fit", "f", "show the whole image", () => (view.fit(), element.redraw(), true)],
    ["hide", "h", `hide or show ${drawn}`, () => element.toggleHidden()],
    ...lightRows(() => element.panel.light),
    ["help", "?", "show all keys", () => element.help()],
  ]);
}

/** What keys do about an image's light alone. @param {ReturnType<typeof import("./light.js").lightOf>} light */
export function lightActs(light) {
  return named(lightRows(() => light));
}

/** @param {() => ReturnType<typeof import("./light.js").lightOf>} of asked for when a key is pressed */
function lightRows(of) {
  /** @param {"brightness" | "contrast" | "gamma"} what @param {number} steps */
  const light = (what, steps) => () => of().step(what, steps);
  return [
    ["brighter", "i", "brighter: how the image is shown, never the answer", light("brightness", 1)],
    ["darker", "Shift+i", "darker", light("brightness", -1)],
    ["moreContrast", "c", "more contrast", light("contrast", 1)],
    ["lessContrast", "Shift+c", "less contrast", light("contrast", -1)],
    ["moreGamma", "y", "lift the shadows (gamma)", light("gamma", 1)],
    ["lessGamma", "Shift+y", "lower the shadows", light("gamma", -1)],
    ["plainLight", "Shift+l", "the image's own light again", () => of().reset()],
  ];
}

/** @param {any[]} rows [id, key or keys, text, run] @returns {import("../core/keymap.js").Act[]} */
export function named(rows) {
  return rows.map(([id, keys, text, run]) => ({ id, keys: [keys].flat(), text, run }));
}

/**
 * Hand keys to `press` while they are for the element.
 * @param {any} element
 * @param {(element: any, event: KeyboardEvent) => boolean} press whether the key meant anything
 */
export function listenToKeys(element, press) {
  document.addEventListener("keydown", (event) => {
    if (!element.isConnected || event.defaultPrevented || isTyping(event) || !element.hasKeys()) return;
    if (element.shadowRoot.querySelector("dialog[open]")) return;
    element.repeats = event.repeat ? (element.repeats ?? 0) + 1 : 0;
    if (press(element, event)) event.preventDefault();
  });
}

/** How far an arrow goes. @param {any} element @param {KeyboardEvent} event */
export function stepOf(element, event) {
  const growth = Math.min(2 ** Math.floor((element.repeats ?? 0) / DOUBLES_AFTER), MOST_GROWTH);
  return (event.altKey ? FAST : 1) * growth;
}

/** Act on a key. @returns {boolean} whether it meant anything */
export function press(annotator, event) {
  const onStage = annotator.shadowRoot.activeElement === annotator.stage;
  const key = keyName(event);
  const command = event.ctrlKey || event.metaKey;
  if (annotator.letters.mode?.press(key, event)) return true;
  if (ARROWS[key]) return arrow(annotator, ARROWS[key], event, onStage);
  if (!command && !event.altKey) {
    if (key === "Tab") return onStage && annotator.selection.cycle(event.shiftKey ? -1 : 1);
    if (key === "Enter") return onStage && annotator.drawing.placeCursor();
    if (key === "Escape") return annotator.escape();
    if (key === "Backspace") return annotator.drawing.begun ? annotator.drawing.dropPoint() : annotator.deleteByKey();
    const at = annotator.keys.indexOf(key);
    if (at >= 0) return event.shiftKey ? annotator.chooseNext(annotator.labels[at]) : annotator.labelByKey(annotator.labels[at]);
  }
  return annotator.keymap.press(event);
}

function arrow(annotator, [right, down], event, onStage) {
  const { shapes, kind, size, view, cursor } = annotator;
  if (!size) return false;
  const command = event.ctrlKey || event.metaKey;
  if (command && !event.shiftKey) return !event.altKey && annotator.selection.nearest(right, down);
  const step = stepOf(annotator, event);
  const [dx, dy] = [right * step, down * step];
  if (cursor) return annotator.drawing.moveCursor(settled({ x: cursor.x + dx, y: cursor.y + dy }, size, kind.room));
  const shape = shapes.selected;
  if (!shape) {
    if (!onStage) return false;
    view.pan(-right * 40, -down * 40);
    annotator.redraw();
    return true;
  }
  let { points } = shape;
  if (kind.drawing === "drag" && event.shiftKey) {
    const corner = command ? 0 : 1;
    const to = settled({ x: points[corner].x + dx, y: points[corner].y + dy }, size, kind.room);
    points = points.map((point, at) => (at === corner ? to : point));
    if (points[1].x <= points[0].x || points[1].y <= points[0].y) return true;
  } else if (shapes.vertex !== null) {
    const point = points[shapes.vertex];
    points = kind.withHandle(points, shapes.vertex, settled({ x: point.x + dx, y: point.y + dy }, size, kind.room));
  } else {
    points = moved(points, dx, dy, size, kind.room);
  }
  annotator.nudge(shape.id, points);
  return true;
}
